"""Which certificate was shown, out of those that an end had; why not the others.

RFC 8446 sections 4.4.2.2 and 4.4.2.3; RFC 5246 sections 7.4.2 and 7.4.6. What an end could have shown stands
in its configuration; without that, only what it did show is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pellucid.crypto.signatures import schemes_for
from pellucid.errors import TLSError
from pellucid.glass.decode import chain_of, key_text, load, name_text, names_of
from pellucid.glass.views.choices import Ground
from pellucid.trust.names import matches, normal_name
from pellucid.wire import messages as m
from pellucid.wire.codepoints import ExtensionType as X

_RAW = "a raw public key"


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate that an end has.

    Attributes:
        title: its names and its key.
        fits: whether the other end takes such a key and such an issuer; None where nobody tells.
        named: whether it is for the name that was asked for; None where none was asked for.
        chosen: it was shown.
        why: why it was, or was not.
    """

    title: str
    fits: bool | None
    named: bool | None
    chosen: bool
    why: str


def title_of(chain: tuple[bytes, ...]) -> str:
    """What a chain is called: "localhost, ECDSA secp256r1"."""
    leaf = load(chain[0]) if chain else None
    if leaf is None:
        return _RAW if chain else "none"
    names = names_of(leaf) or [name_text(leaf.subject)]
    more = " ..." if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}, {key_text(leaf)}"


def candidates(ground: Ground, role: str, rule: str) -> tuple[Shown, ...]:
    """The certificates of an end, the shown one among them; () where it showed none and none is known."""
    message = ground.shown.get(role)
    sent = chain_of(message) if message is not None else ()
    identities = ground.setting(role, "identities") or ()
    found: list[Shown] = []
    for one in identities:
        if isinstance(one, dict) and "identity" in one:
            found.append(_candidate(ground, role, one, sent, rule, any(each.chosen for each in found)))
    if sent and not any(one.chosen for one in found):
        found.insert(0, Shown(title_of(sent), True, None, True, rule))
    return tuple(found)


def _candidate(
    ground: Ground, role: str, one: dict[str, Any], sent: tuple[bytes, ...], rule: str, late: bool
) -> Shown:
    chain = tuple(one["identity"] or ())
    chosen = bool(sent) and sent[0] in (*chain[:1], one.get("key"))
    title = title_of(chain or (b"",))
    fits, misfit = _fits(ground, role, one, chain)
    named = _named(ground, chain) if role == "server" else None
    if chosen:
        why = rule
    elif fits is False:
        why = misfit
    elif named is False:
        why = f"it is not for {ground.reader.asked}"
    elif late:
        why = "it would do as well, but stands behind the chosen one"
    else:
        why = "it does not go with the rest of what was chosen"
    return Shown(title, fits, named, chosen, why)


def _named(ground: Ground, chain: tuple[bytes, ...]) -> bool | None:
    name = ground.reader.asked
    leaf = load(chain[0]) if chain else None
    if not name or leaf is None:
        return None
    try:
        wanted = normal_name(name)
    except TLSError:
        return None
    return any(matches(each, wanted) for each in names_of(leaf))


def _fits(
    ground: Ground, role: str, one: dict[str, Any], chain: tuple[bytes, ...]
) -> tuple[bool | None, str]:
    """Whether the other end can verify what this key signs, and takes its issuer."""
    accepted = _accepted(ground, role)
    key = _key(one)
    if key is None:
        return None, ""
    able = one.get("schemes") or schemes_for(key, tls13=ground.tls13)
    suite = ground.suite
    signs = suite is not None and not ground.tls13 and suite.auth in ("RSA", "ECDSA")
    if role == "server" and signs and isinstance(key, RSAPublicKey) != (suite.auth == "RSA"):
        return False, "the cipher suite wants another kind of key"
    if accepted is None:
        return None, ""
    if not set(able) & set(accepted):
        other = "client" if role == "server" else "server"
        return False, f"the {other} verifies no signature of such a key"
    authorities = _authorities(ground) if role == "client" else ()
    issuers = {each.issuer.public_bytes() for der in chain if (each := load(der)) is not None}
    if authorities and chain and not issuers & set(authorities):
        return False, "none of the authorities that the server named has issued it"
    return True, ""


def kinds(ground: Ground) -> set[str] | None:
    """What kinds of keys the server has, as suites of TLS 1.2 call them; None where nobody tells."""
    if ground.settings["server"] is None:
        return None
    found = set()
    for one in ground.setting("server", "identities") or ():
        if isinstance(one, dict):
            key = _key(one)
            found.add("RSA" if isinstance(key, RSAPublicKey) else "ECDSA")
    return found


def _key(one: dict[str, Any]) -> Any:
    try:
        return load_der_public_key(one.get("key") or b"")
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _accepted(ground: Ground, role: str) -> tuple[int, ...] | None:
    if role == "server":
        found = ground.offer(X.signature_algorithms)
        return None if found is None else tuple(found.supported_signature_algorithms)
    if ground.request is None:
        return None
    if isinstance(ground.request.body, m.CertificateRequest12):
        return tuple(ground.request.body.supported_signature_algorithms)
    found = ground.reader.extension(ground.request, X.signature_algorithms)
    return None if found is None else tuple(found.supported_signature_algorithms)


def _authorities(ground: Ground) -> tuple[bytes, ...]:
    if ground.request is None:
        return ()
    if isinstance(ground.request.body, m.CertificateRequest12):
        return tuple(ground.request.body.certificate_authorities)
    found = ground.reader.extension(ground.request, X.certificate_authorities)
    return () if found is None else tuple(found.authorities)
