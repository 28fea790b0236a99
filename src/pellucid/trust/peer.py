"""Small questions about a certificate that the handshake asks: issuers, signatures, channel binding.

RFC 8446 sections 4.2.4 (certificate_authorities) and 4.4.2.2 (what the client can verify);
RFC 5929 section 4 (tls-server-end-point).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import SignatureAlgorithmOID as O

from pellucid.errors import Reason, UsageError
from pellucid.wire.codepoints import SignatureScheme as S


def issued_by(chain: Sequence[bytes], authorities: Collection[bytes]) -> bool:
    """Whether a certificate of `chain` was issued by one of `authorities` (DER distinguished names)."""
    for der in chain:
        try:
            if x509.load_der_x509_certificate(der).issuer.public_bytes() in authorities:
                return True
        except ValueError:
            return False
    return False


#: Signature algorithms of certificates, and the schemes that stand for each (RFC 8446 section 4.2.3).
_SCHEMES: dict[str, tuple[int, ...]] = {
    O.RSA_WITH_SHA1.dotted_string: (S.rsa_pkcs1_sha1,),
    O.RSA_WITH_SHA256.dotted_string: (S.rsa_pkcs1_sha256,),
    O.RSA_WITH_SHA384.dotted_string: (S.rsa_pkcs1_sha384,),
    O.RSA_WITH_SHA512.dotted_string: (S.rsa_pkcs1_sha512,),
    O.ECDSA_WITH_SHA1.dotted_string: (S.ecdsa_sha1,),
    O.ECDSA_WITH_SHA256.dotted_string: (S.ecdsa_secp256r1_sha256,),
    O.ECDSA_WITH_SHA384.dotted_string: (S.ecdsa_secp384r1_sha384,),
    O.ECDSA_WITH_SHA512.dotted_string: (S.ecdsa_secp521r1_sha512,),
    O.ED25519.dotted_string: (S.ed25519,),
    O.ED448.dotted_string: (S.ed448,),
}
_PSS: dict[str, tuple[int, ...]] = {
    "sha256": (S.rsa_pss_rsae_sha256, S.rsa_pss_pss_sha256),
    "sha384": (S.rsa_pss_rsae_sha384, S.rsa_pss_pss_sha384),
    "sha512": (S.rsa_pss_rsae_sha512, S.rsa_pss_pss_sha512),
}


def chain_schemes(chain: Sequence[bytes]) -> tuple[tuple[int, ...], ...]:
    """For each certificate of `chain` that is not self-signed, the schemes that its signature may be.

    A signature that has no scheme, or cannot be read, gives an empty tuple: nobody can have offered it.
    """
    found: list[tuple[int, ...]] = []
    for der in chain:
        try:
            certificate = x509.load_der_x509_certificate(der)
            if certificate.issuer == certificate.subject:
                continue
            oid = certificate.signature_algorithm_oid
            hash = certificate.signature_hash_algorithm if oid == O.RSASSA_PSS else None
        except (ValueError, UnsupportedAlgorithm):
            found.append(())
            continue
        found.append(_PSS.get(hash.name, ()) if hash else _SCHEMES.get(oid.dotted_string, ()))
    return tuple(found)


def server_end_point(leaf: bytes) -> bytes:
    """RFC 5929 section 4.1: the certificate's hash, by its signature's hash, SHA-256 for MD5 and SHA-1.

    Raises:
        UsageError: the certificate's signature has no single hash (Ed25519, Ed448, ML-DSA).
    """
    try:
        algorithm = x509.load_der_x509_certificate(leaf).signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if algorithm is None:
        raise UsageError(
            Reason.NO_SUCH_BINDING, "the certificate's signature has no single hash (RFC 5929 4.1)"
        )
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, leaf).digest()
