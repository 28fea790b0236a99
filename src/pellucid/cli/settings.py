"""From flags to configurations: the same meaning for every command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pellucid import legacy
from pellucid.cli.options import (
    IdentityFlags,
    NegotiationFlags,
    OfferFlags,
    PskFlags,
    TrustFlags,
    VisitorFlags,
    listed,
)
from pellucid.config import TLS_1_2, TLS_1_3, Policy
from pellucid.crypto.suites import suite_named
from pellucid.errors import Reason, UsageError
from pellucid.resumption.psk import PreSharedKey, import_psk
from pellucid.secret import Secret
from pellucid.trust.identity import Identity
from pellucid.trust.several import AnyOf
from pellucid.trust.verification import Trust
from pellucid.wire.codepoints import CertificateCompressionAlgorithm, CodePoint, NamedGroup, SignatureScheme

_VERSIONS = {"1.2": TLS_1_2, "1.3": TLS_1_3}
POLICIES = {
    "default": Policy,
    "modern": lambda: Policy(versions=(TLS_1_3,)),
    "museum": legacy.museum_policy,
    "old-peers": legacy.old_peers_policy,
}


def policy_of(flags: NegotiationFlags, offer: OfferFlags | None = None) -> Policy:
    """What may be negotiated."""
    if flags.policy is not None and flags.policy not in POLICIES:
        raise UsageError(Reason.BAD_CONFIG, f"no policy {flags.policy!r}; there are {', '.join(POLICIES)}")
    policy = POLICIES[flags.policy or "default"]()
    changes: dict[str, Any] = {}
    versions = versions_of(flags)
    if versions:
        changes["versions"] = versions
    if flags.suites:
        suites = [suite_named(name, legacy=True) for name in listed(flags.suites)]
        changes["cipher_suites"] = tuple(suite.code for suite in suites)
        if any(suite.legacy for suite in suites) and not policy.legacy:
            raise UsageError(
                Reason.BAD_CONFIG, "these suites are in the museum: add --policy museum or old-peers"
            )
    if flags.groups:
        changes["groups"] = tuple(_number(NamedGroup, name) for name in listed(flags.groups))
    if flags.sigalgs:
        changes["signature_schemes"] = tuple(_number(SignatureScheme, name) for name in listed(flags.sigalgs))
    changes |= _record_changes(flags)
    if offer is not None:
        if offer.key_shares is not None:
            changes["key_shares"] = tuple(_number(NamedGroup, name) for name in listed(offer.key_shares))
        changes["max_fragment_length"] = offer.max_fragment
        changes["send_fallback_scsv"] = offer.fallback_scsv
    return policy.replace(**changes) if changes else policy


def _record_changes(flags: NegotiationFlags) -> dict[str, Any]:
    """What the flags say about records and certificates on their way."""
    changes: dict[str, Any] = {}
    if flags.compress_certificates is not None:
        names = [] if flags.compress_certificates == "none" else listed(flags.compress_certificates)
        numbers = tuple(_number(CertificateCompressionAlgorithm, name) for name in names)
        changes["certificate_compression"], changes["compress_above"] = numbers, 0  # asked for, however short
    if flags.record_size_limit is not None:
        changes["record_size_limit"] = flags.record_size_limit
    if (step := flags.pad_to) is not None:
        changes["padding"] = lambda size: -size % step
    if flags.grease:
        changes |= {"grease": True, "shuffle_extensions": True}
    return changes


def versions_of(flags: NegotiationFlags) -> tuple[int, ...]:
    """The versions of --tls, --tlsv1.x and --tls-max; empty if none was given."""
    least, _, most = (flags.tls or "").partition("-")
    if flags.tlsv1_2:
        least, most = "1.2", "1.3"
    if flags.tlsv1_3:
        least, most = "1.3", "1.3"
    if flags.tls_max:
        least, most = least or "1.2", flags.tls_max
    if not least:
        return ()
    try:
        low, high = _VERSIONS[least], _VERSIONS[most or least]
    except KeyError as error:
        raise UsageError(Reason.BAD_CONFIG, f"no TLS version {error}; there are 1.2 and 1.3") from None
    return tuple(version for version in (TLS_1_3, TLS_1_2) if low <= version <= high)


def _number(registry: type[CodePoint], name: str) -> int:
    for member in registry:
        if member.name.lower() == name.lower() or (name.upper() == "P-256" and member.name == "secp256r1"):
            return int(member)
    raise UsageError(Reason.BAD_CONFIG, f"{registry.__name__} has no {name!r}")


def trust_of(flags: TrustFlags) -> Trust:
    """Whom to believe."""
    if flags.insecure:
        return Trust.insecure()
    return trust_in(flags.ca or ("system",))


def trust_in(names: Iterable[str]) -> Trust:
    """Trust in files, folders, "system" and "certifi"."""
    sources = dict.fromkeys(names)
    judges = [_AUTHORITIES[source]() for source in sources if source in _AUTHORITIES]
    own = [Path(source) for source in sources if source not in _AUTHORITIES]
    if own:
        judges.insert(0, Trust.from_pem(own))
    return judges[0] if len(judges) == 1 else AnyOf(*judges)


def _certifi() -> Trust:
    try:
        import certifi
    except ImportError:
        raise UsageError(
            Reason.BAD_CONFIG, "certifi is not installed: pip install 'pellucid[trust]'"
        ) from None
    return Trust.from_pem(Path(certifi.where()), profile="webpki")


#: The values of --ca that are no files.
_AUTHORITIES: dict[str, Callable[[], Trust]] = {"system": Trust.system, "certifi": _certifi}


def identities_of(flags: IdentityFlags) -> tuple[Identity, ...]:
    """Who we are, from --cert and --key."""
    secret = password(flags.key_password)
    if flags.raw_key:
        if not flags.key or flags.cert or flags.ocsp:
            raise UsageError(Reason.BAD_CONFIG, "--raw-key shows the key of --key, and no certificate")
        return tuple(Identity.raw(Path(key), secret) for key in flags.key)
    if flags.key and len(flags.key) != len(flags.cert):
        raise UsageError(Reason.BAD_CONFIG, f"{len(flags.cert)} --cert and {len(flags.key)} --key")
    keys = flags.key or (None,) * len(flags.cert)
    found = [
        Identity.from_pem(Path(cert), Path(key) if key else None, secret)
        for cert, key in zip(flags.cert, keys, strict=True)
    ]
    if flags.ocsp:
        if not found:
            raise UsageError(Reason.BAD_CONFIG, "--ocsp is stapled to a --cert, and there is none")
        found[0] = found[0].replace(ocsp=file_bytes(flags.ocsp))
    return tuple(found)


def trusted_keys_of(flags: IdentityFlags) -> tuple[bytes, ...]:
    """The bare public keys of --trust-key, as SubjectPublicKeyInfo in DER."""
    return tuple(_public_key(file_bytes(name), name) for name in flags.trust_key)


def clients_of(who: VisitorFlags, flags: IdentityFlags) -> dict[str, Any]:
    """How a server knows its clients, and which kinds of certificates there are: for its `ServerConfig`."""
    keys = trusted_keys_of(flags)
    if who.client_auth != "none" and not who.client_ca and not keys:
        raise UsageError(
            Reason.BAD_CONFIG, "whom to believe? --client-auth needs --client-ca, or --trust-key"
        )
    return {
        "client_auth": "none" if who.client_auth == "later" else who.client_auth,
        "client_trust": trust_in(who.client_ca) if who.client_ca else None,
        "post_handshake_auth": who.client_auth == "later",
        "trusted_public_keys": keys,
        "client_certificate_types": (2,) if keys else (0,),
        "server_certificate_types": (2,) if flags.raw_key else (0, 2),
    }


def _public_key(data: bytes, name: str) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    try:
        key = s.load_pem_public_key(data) if b"-----BEGIN" in data else s.load_der_public_key(data)
    except Exception as error:  # ValueError, UnsupportedAlgorithm: each says why
        raise UsageError(Reason.BAD_KEY_FILE, f"{name} holds no public key: {error}") from error
    return key.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)


def psks_of(flags: PskFlags) -> tuple[PreSharedKey, ...]:
    """The pre-shared key of --psk: as it is, for both hashes of TLS 1.3, or imported."""
    text = password(flags.psk)
    if not text:
        return ()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise UsageError(Reason.BAD_CONFIG, "--psk is a key in hex") from None
    identity = flags.psk_identity.encode()
    if flags.psk_context is not None:
        return import_psk(identity, key, flags.psk_context.encode())
    return (PreSharedKey(identity, Secret(key)),)


def file_bytes(name: str) -> bytes:
    """What a file holds; - is stdin.

    Raises:
        UsageError: it cannot be read (`Reason.BAD_CONFIG`).
    """
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(Reason.BAD_CONFIG, f"{name!r}: {error.strerror}") from None


def password(text: str | None) -> str | None:
    """A password given as it is, as env:NAME or as file:PATH."""
    if text is not None and text.startswith("env:"):
        return os.environ.get(text[4:])
    if text is not None and text.startswith("file:"):
        return file_bytes(text[5:]).decode().rstrip("\n")
    return text


def alpn_of(flags: NegotiationFlags) -> tuple[str, ...]:
    """Application protocols; a colon is no separator here."""
    return tuple((flags.alpn or "").replace(",", " ").split())


def target(text: str, default_port: int) -> tuple[str, int]:
    """HOST, HOST:PORT, [IPv6]:PORT or https://HOST/."""
    rest = text.split("://", 1)[-1].split("/", 1)[0]
    host, port = rest, ""
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    elif rest.count(":") == 1:
        host, _, port = rest.partition(":")
    if not port:
        return host, default_port
    if not port.isdigit() or not 0 <= int(port) <= 65535:
        raise UsageError(Reason.BAD_CONFIG, f"{port!r} is no port")
    return host, int(port)
