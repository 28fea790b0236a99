"""Credentials: what the shim shows of itself, and which of them for which peer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bogo.compliance import compliance_of
from bogo.flags import PKCS1_LEGACY, SHA1, Mismatch, Settings, unimplemented
from pellucid.errors import TLSError
from pellucid.trust.identity import Identity
from pellucid.trust.loading import load_key

#: BoringSSL's order for signing; ML-DSA and ECDSA on P-521 included.
SIGN_BY_DEFAULT = (
    *(0x0904, 0x0905, 0x0906, 0x0807, 0x0808, 0x0403, 0x0804, 0x0809, 0x0401, 0x0503, 0x0805, 0x080A),
    *(0x0501, 0x0603, 0x0806, 0x080B, 0x0601),
)


@dataclass
class Credential:
    """One credential.

    Attributes:
        number: as `-expect-selected-credential` counts them; -1 is the one that no flag introduced.
        identity: its chain and key.
        must_match_issuer: only for a peer that names its issuer.
    """

    number: int
    identity: Identity
    must_match_issuer: bool


def credentials_of(settings: Settings) -> list[Credential]:
    """All of them, in order of preference: the numbered ones first."""
    found = []
    compliance = compliance_of(settings)
    by_default = (compliance and compliance.schemes) or SIGN_BY_DEFAULT
    for number, flags in [*enumerate(settings.credentials), (-1, settings.default)]:
        if flags.get("key-file"):
            found.append(
                Credential(number, identity_of(flags, by_default), bool(flags.get("must-match-issuer")))
            )
    return found


def identity_of(flags: dict[str, Any], by_default: tuple[int, ...]) -> Identity:
    """Load one. It signs by its own preferences, or those given here."""
    prefs = flags.get("signing-prefs")
    if prefs and set(prefs) <= SHA1 | PKCS1_LEGACY:
        unimplemented("signatures with SHA-1, or PKCS#1 v1.5 in TLS 1.3")
    key_file = flags["key-file"].decode()
    if flags["type"] == "rpk":
        identity = Identity.raw(load_key_file(key_file))
    else:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        pem = open_file(flags["cert-file"].decode())
        chain = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)]
        identity = Identity(
            chain,
            load_key_file(key_file),
            ocsp=flags.get("ocsp-response"),
            scts=configured_scts(flags),
        )
    return identity.replace(schemes=prefs or by_default)


def configured_scts(flags: dict[str, Any]) -> tuple[bytes, ...]:
    """The SCTs to send."""
    try:
        return split_scts(flags.get("signed-cert-timestamps", b""))
    except TLSError:
        raise Mismatch(":INVALID_SCT_LIST:") from None


def open_file(path: str) -> bytes:
    """A file's content."""
    with open(path, "rb") as file:
        return file.read()


def load_key_file(path: str) -> Any:
    """A private key in PEM."""
    return load_key(open_file(path))


def split_scts(body: bytes) -> tuple[bytes, ...]:
    """The SCTs of a SignedCertificateTimestampList (RFC 6962 section 3.3)."""
    if not body:
        return ()
    from pellucid.wire.extensions import SignedCertificateTimestamps

    return SignedCertificateTimestamps.decode(body).sct_list


def join_scts(scts: tuple[bytes, ...]) -> bytes:
    """The inverse."""
    from pellucid.wire.extensions import SignedCertificateTimestamps

    return SignedCertificateTimestamps(scts).encode() if scts else b""
