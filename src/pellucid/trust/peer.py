"""Small questions about a certificate that the handshake asks: issuer names, and its channel binding.

RFC 8446 section 4.2.4 (certificate_authorities), RFC 5929 section 4 (tls-server-end-point).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pellucid.errors import Reason, UsageError


def issued_by(chain: Sequence[bytes], authorities: Collection[bytes]) -> bool:
    """Whether a certificate of `chain` was issued by one of `authorities` (DER distinguished names)."""
    for der in chain:
        try:
            if x509.load_der_x509_certificate(der).issuer.public_bytes() in authorities:
                return True
        except ValueError:
            return False
    return False


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
