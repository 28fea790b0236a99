"""From flags to configurations: the same meaning for every command."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pellucid import legacy
from pellucid.cli.options import IdentityFlags, NegotiationFlags, TrustFlags, listed
from pellucid.config import TLS_1_2, TLS_1_3, Policy
from pellucid.crypto.suites import suite_named
from pellucid.errors import Reason, UsageError
from pellucid.trust.identity import Identity
from pellucid.trust.several import AnyOf
from pellucid.trust.verification import Trust
from pellucid.wire.codepoints import CodePoint, NamedGroup, SignatureScheme

_VERSIONS = {"1.2": TLS_1_2, "1.3": TLS_1_3}
POLICIES = {
    "default": Policy,
    "modern": lambda: Policy(versions=(TLS_1_3,)),
    "museum": legacy.museum_policy,
    "old-peers": legacy.old_peers_policy,
}


def policy_of(flags: NegotiationFlags, default: Policy | None = None) -> Policy:
    """What may be negotiated."""
    if flags.policy is not None and flags.policy not in POLICIES:
        raise UsageError(Reason.BAD_CONFIG, f"no policy {flags.policy!r}; there are {', '.join(POLICIES)}")
    policy = POLICIES[flags.policy]() if flags.policy else default or Policy()
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
    return policy.replace(**changes) if changes else policy


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
    sources = dict.fromkeys(flags.ca or ("system",))
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


def identity_of(flags: IdentityFlags) -> Identity | None:
    """Who we are, from --cert and --key."""
    if flags.cert is None:
        return None
    return Identity.from_pem(
        Path(flags.cert), Path(flags.key) if flags.key else None, password(flags.key_password)
    )


def password(text: str | None) -> str | None:
    """A password given as it is, as env:NAME or as file:PATH."""
    if text is not None and text.startswith("env:"):
        return os.environ.get(text[4:])
    if text is not None and text.startswith("file:"):
        return Path(text[5:]).read_text(encoding="utf-8").rstrip("\n")
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
