"""Signature schemes: who may sign what with which key. RFC 8446 sections 4.2.3 and 4.4.3, RFC 8422
sections 5.1.3 and 5.10, RFC 8017, draft-ietf-tls-mldsa.

TLS 1.3 binds a scheme to a key completely (its curve too); TLS 1.2 binds it to the kind of key
only. MD5 and SHA-1 are numbers that `codepoints` can name; nothing here signs or verifies them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA44PublicKey,
    MLDSA65PublicKey,
    MLDSA87PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from pellucid.errors import Reason, UsageError, refuse
from pellucid.wire.codepoints import SignatureScheme


class Scheme:
    """One signature scheme.

    Attributes:
        code: its number in `SignatureScheme`.
        name: its name there.
        kind: the kind of key it takes: "rsa" (rsaEncryption), "rsa-pss" (id-RSASSA-PSS), "ecdsa",
            "ed25519", "ed448", "ml-dsa-44", "ml-dsa-65" or "ml-dsa-87".
        curve: the curve that TLS 1.3 binds it to, for ECDSA; otherwise None.
        hash: the hash's name; None where the algorithm brings its own.
        tls13: whether it may sign a CertificateVerify of TLS 1.3.
        tls12: whether it may sign in TLS 1.2.
        shortest: the length in bits of the shortest RSA key that it fits; 0 for all others.
    """

    __slots__ = ("arguments", "code", "curve", "hash", "kind", "name", "shortest", "tls12", "tls13")

    def __init__(
        self,
        code: int,
        kind: str,
        arguments: tuple[object, ...],
        *,
        hash: str | None = None,
        curve: str | None = None,
        tls13: bool = True,
        tls12: bool = True,
        shortest: int = 0,
    ) -> None:
        self.code = code
        self.name = SignatureScheme(code).name
        self.kind = kind
        self.arguments = arguments  # of the key's sign() and verify(), after the data
        self.hash = hash
        self.curve = curve
        self.tls13 = tls13
        self.tls12 = tls12
        self.shortest = shortest

    def __repr__(self) -> str:
        return f"<Scheme {self.name}>"


# Padding and hash objects are made once: to make them costs as much as a short HMAC.
_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_PSS256 = (PSS(MGF1(_SHA256), PSS.DIGEST_LENGTH), _SHA256)
_PSS384 = (PSS(MGF1(_SHA384), PSS.DIGEST_LENGTH), _SHA384)
_PSS512 = (PSS(MGF1(_SHA512), PSS.DIGEST_LENGTH), _SHA512)
_PKCS1 = PKCS1v15()

# RFC 8017 9.1.1: emLen >= hLen + sLen + 2, with emBits one less than the modulus; 9.2: emLen >=
# tLen + 11, where SHA-2's DigestInfo adds 19 bytes to the digest.
_SHORTEST_PSS = {bits: 8 * (2 * (bits // 8) + 1) + 2 for bits in (256, 384, 512)}
_SHORTEST_PKCS1 = {bits: 8 * (bits // 8 + 19 + 10) + 1 for bits in (256, 384, 512)}

_TABLE = (
    Scheme(0x0403, "ecdsa", (ECDSA(_SHA256),), hash="sha256", curve="secp256r1"),
    Scheme(0x0503, "ecdsa", (ECDSA(_SHA384),), hash="sha384", curve="secp384r1"),
    Scheme(0x0603, "ecdsa", (ECDSA(_SHA512),), hash="sha512", curve="secp521r1"),
    Scheme(0x0807, "ed25519", ()),
    Scheme(0x0808, "ed448", ()),
    Scheme(0x0804, "rsa", _PSS256, hash="sha256", shortest=_SHORTEST_PSS[256]),
    Scheme(0x0805, "rsa", _PSS384, hash="sha384", shortest=_SHORTEST_PSS[384]),
    Scheme(0x0806, "rsa", _PSS512, hash="sha512", shortest=_SHORTEST_PSS[512]),
    Scheme(0x0809, "rsa-pss", _PSS256, hash="sha256", shortest=_SHORTEST_PSS[256]),
    Scheme(0x080A, "rsa-pss", _PSS384, hash="sha384", shortest=_SHORTEST_PSS[384]),
    Scheme(0x080B, "rsa-pss", _PSS512, hash="sha512", shortest=_SHORTEST_PSS[512]),
    # RFC 8446 4.2.3: PKCS#1 v1.5 is for certificates and for TLS 1.2, never for CertificateVerify.
    Scheme(0x0401, "rsa", (_PKCS1, _SHA256), hash="sha256", tls13=False, shortest=_SHORTEST_PKCS1[256]),
    Scheme(0x0501, "rsa", (_PKCS1, _SHA384), hash="sha384", tls13=False, shortest=_SHORTEST_PKCS1[384]),
    Scheme(0x0601, "rsa", (_PKCS1, _SHA512), hash="sha512", tls13=False, shortest=_SHORTEST_PKCS1[512]),
    Scheme(0x0904, "ml-dsa-44", (), tls12=False),
    Scheme(0x0905, "ml-dsa-65", (), tls12=False),
    Scheme(0x0906, "ml-dsa-87", (), tls12=False),
)
SCHEMES: dict[int, Scheme] = {scheme.code: scheme for scheme in _TABLE}

CURVES = ("secp256r1", "secp384r1", "secp521r1")  # of ECDSA keys: no other is spoken
_KINDS: tuple[tuple[type, str], ...] = (
    (EllipticCurvePublicKey, "ecdsa"),
    (RSAPublicKey, "rsa"),
    (Ed25519PublicKey, "ed25519"),
    (Ed448PublicKey, "ed448"),
    (MLDSA44PublicKey, "ml-dsa-44"),
    (MLDSA65PublicKey, "ml-dsa-65"),
    (MLDSA87PublicKey, "ml-dsa-87"),
)


def kind_of(public_key: object, *, pss_key: bool = False) -> str | None:
    """The kind of a public key, in the words of `Scheme.kind`; None for a key that cannot sign here.

    Args:
        public_key: a public key of `cryptography`.
        pss_key: whether the key's SubjectPublicKeyInfo says id-RSASSA-PSS (the library loads such
            a key as a plain RSA key and forgets the OID).
    """
    kind = _kind_of(type(public_key))  # type: ignore[arg-type]
    return "rsa-pss" if pss_key and kind == "rsa" else kind


@cache  # the classes of `cryptography` are few, and abstract ones are slow to ask
def _kind_of(key_class: type) -> str | None:
    return next((kind for known, kind in _KINDS if issubclass(key_class, known)), None)


def _misfit(scheme: Scheme, public_key: Any, tls13: bool, pss_key: bool) -> str:
    """Why this key may not be used with this scheme in this version; empty if it may."""
    if not (scheme.tls13 if tls13 else scheme.tls12):
        return f"{scheme.name} does not sign in TLS 1.{3 if tls13 else 2}"
    kind = kind_of(public_key, pss_key=pss_key)
    if kind != scheme.kind:
        return f"{scheme.name} does not fit a key of the kind {kind or type(public_key).__name__}"
    if scheme.curve is not None:
        curve = public_key.curve.name
        if curve not in CURVES or (tls13 and curve != scheme.curve):
            return f"{scheme.name} does not fit a key on {curve}"
    elif scheme.shortest and public_key.key_size < scheme.shortest:
        return f"an RSA key of {public_key.key_size} bits is too short for {scheme.name}"
    return ""


def sign(scheme: int, key: Any, data: bytes) -> bytes:
    """Sign `data` with a private key of `cryptography`.

    The scheme must come from `schemes_for`, which knows what the version allows.

    Raises:
        UsageError: the key cannot sign by this scheme (`Reason.BAD_CONFIG`).

    >>> from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    >>> key = Ed25519PrivateKey.generate()
    >>> verify(0x0807, key.public_key(), sign(0x0807, key, b"to be signed"), b"to be signed")
    """
    known = SCHEMES.get(scheme)
    if known is None:
        raise UsageError(Reason.BAD_CONFIG, f"{SignatureScheme.name_of(scheme)} is no scheme to sign with")
    try:
        signature: bytes = key.sign(data, *known.arguments)
    except (ValueError, TypeError) as error:
        raise UsageError(Reason.BAD_CONFIG, f"the key cannot sign by {known.name}: {error}") from error
    return signature


def verify(
    scheme: int, key: Any, signature: bytes, data: bytes, *, tls13: bool = True, pss_key: bool = False
) -> None:
    """Check a signature over `data`. Returns if it is right.

    Args:
        scheme: the code that the peer sent.
        key: the public key of the peer's certificate, an object of `cryptography`.
        signature: the peer's signature.
        data: what it should have signed.
        tls13: whether TLS 1.3 was negotiated, which binds the curve to the scheme.
        pss_key: whether the certificate's key says id-RSASSA-PSS.

    Raises:
        PeerMisbehaved: the scheme does not fit the key (`Reason.WRONG_SIGNATURE_TYPE`), or the
            signature is wrong (`Reason.BAD_SIGNATURE`).
    """
    known = SCHEMES.get(scheme)
    if known is None:
        refuse(Reason.WRONG_SIGNATURE_TYPE, f"{SignatureScheme.name_of(scheme)} is not spoken here")
    misfit = _misfit(known, key, tls13, pss_key)
    if misfit:
        refuse(Reason.WRONG_SIGNATURE_TYPE, misfit)
    try:
        key.verify(signature, data, *known.arguments)
    except (InvalidSignature, ValueError):
        refuse(Reason.BAD_SIGNATURE, f"the signature is not right by {known.name}")


def schemes_for(public_key: Any, *, tls13: bool, pss_key: bool = False) -> tuple[int, ...]:
    """What the owner of this key can sign with, best first; empty for a key of no use here.

    Args:
        public_key: a public key of `cryptography`.
        tls13: for TLS 1.3, or for TLS 1.2.
        pss_key: whether the key's SubjectPublicKeyInfo says id-RSASSA-PSS.

    >>> from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
    >>> key = generate_private_key(SECP384R1()).public_key()
    >>> [hex(code) for code in schemes_for(key, tls13=True)]
    ['0x503']
    >>> [hex(code) for code in schemes_for(key, tls13=False)]
    ['0x503', '0x403', '0x603']
    """
    fitting = [scheme for scheme in _TABLE if not _misfit(scheme, public_key, tls13, pss_key)]
    if isinstance(public_key, EllipticCurvePublicKey):
        fitting.sort(key=lambda scheme: scheme.curve != public_key.curve.name)  # its own hash first
    return tuple(scheme.code for scheme in fitting)
