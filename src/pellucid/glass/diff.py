"""Two handshakes side by side: what differs, and what follows from it.

RFC 8446 sections 2 and 4, RFC 5246 section 7. Both are reduced to the same list of facts, read from their
messages and not from who noted them; so a live trace can be held against a capture, today's against
yesterday's, one program's ClientHello against another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pellucid.crypto.groups import GROUPS
from pellucid.errors import Reason
from pellucid.glass.decode import Message, Reader, chain_of, key_text, load, name_text, version_name
from pellucid.glass.trace import Trace
from pellucid.wire.codepoints import (
    CipherSuite,
    CodePoint,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    SignatureScheme,
    is_grease,
)
from pellucid.wire.codepoints import ExtensionType as X


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact in which the two differ.

    Attributes:
        topic: "outcome", "choice", "certificate", "offer" or "cost".
        what: the fact, in words.
        a, b: what each has; None where it has nothing of the kind.
        follows: what follows from it; may be empty.
    """

    topic: str
    what: str
    a: str | None
    b: str | None
    follows: str = ""


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs, and how many facts are the same in both."""

    differences: tuple[Difference, ...]
    same: tuple[str, ...]


def diff(a: Trace, b: Trace) -> Diff:
    """Compare two traces, of either side, live or from a capture.

    >>> from pellucid.glass.trace import Trace
    >>> diff(Trace(), Trace()).differences
    ()
    """
    first, second = dict(_facts(a)), dict(_facts(b))
    names = [*first, *(name for name in second if name not in first)]
    found, same = [], []
    for name in names:
        left, right = first.get(name), second.get(name)
        if left == right:
            same.append(name[1])
            continue
        follows = _FOLLOWS.get(name[1])
        told = follows(left, right) if follows is not None else ""
        found.append(Difference(*name, _said(left, right), _said(right, left), told))
    return Diff(tuple(found), tuple(same))


def _said(mine: Any, other: Any) -> str | None:
    """A fact as text; of two long lists, only what the other lacks."""
    if mine is None:
        return None
    if isinstance(mine, tuple) and isinstance(other, tuple):
        alone = [item for item in mine if item not in other]
        if not alone and set(mine) == set(other):
            return "the same, in this order: " + ", ".join(mine)
        common = len(mine) - len(alone)
        told = ", ".join(alone) or "nothing"
        return f"{told} (and {common} that both have)" if common else told
    return ", ".join(mine) or "nothing" if isinstance(mine, tuple) else str(mine)


# -- the facts -----------------------------------------------------------------------------------------


def _facts(trace: Trace) -> Iterable[tuple[tuple[str, str], Any]]:
    """(topic, what): value, in the order in which they are told."""
    reader = Reader(trace)
    messages = [reader.message(fact) for fact in trace.of("message")]
    if not messages and not trace.facts:
        return
    yield ("outcome", "ended"), _outcome(trace)
    hellos = [m for m in messages if m.type == HandshakeType.client_hello and m.body is not None]
    answers = [m for m in messages if m.type == HandshakeType.server_hello and m.body is not None]
    if answers:
        yield from _choices(reader, messages, answers[-1])
    yield from _certificates(messages)
    if hellos:
        yield from _offer(reader, hellos[0])
    yield from _cost(trace, messages)


def _outcome(trace: Trace) -> str:
    error = next(trace.of("error"), None)
    if error is not None:
        reason = error.fields["reason"]
        label = reason.label if isinstance(reason, Reason) else str(reason)
        detail = error.fields.get("detail")
        return f"{label}: {detail}" if detail else label
    complete = any(fact.fields["what"] == "handshake complete" for fact in trace.of("state"))
    return "the handshake was completed" if complete else "before the handshake was complete"


def _choices(
    reader: Reader, messages: list[Message], answer: Message
) -> Iterable[tuple[tuple[str, str], Any]]:
    yield ("choice", "version"), version_name(reader.version)
    yield ("choice", "cipher suite"), CipherSuite.name_of(reader.suite)
    share = reader.extension(answer, X.key_share)
    group = getattr(getattr(share, "server_share", None), "group", None)
    scheme = None
    for message in messages:
        body = message.body
        if message.name == "ServerKeyExchange" and hasattr(body, "params"):
            group, scheme = body.params.namedcurve, body.algorithm
        elif message.type == HandshakeType.certificate_verify and message.sender == "server" and body:
            scheme = body.algorithm
    yield ("choice", "group"), None if group is None else NamedGroup.name_of(group)
    yield ("choice", "signature scheme"), None if scheme is None else SignatureScheme.name_of(scheme)
    names = {message.name for message in messages}
    certificates = names & {"Certificate", "CompressedCertificate"}
    yield ("choice", "resumed"), "no" if certificates else "yes, or by a pre-shared key"
    yield ("choice", "another hello asked for"), "yes" if "HelloRetryRequest" in names else "no"
    yield ("choice", "client certificate asked for"), "yes" if "CertificateRequest" in names else "no"
    for message in messages:
        chosen = reader.extension(message, X.application_layer_protocol_negotiation)
        if chosen is not None and message.sender == "server":
            yield ("choice", "application protocol"), chosen.protocol_name_list[0].decode("ascii", "replace")


def _certificates(messages: list[Message]) -> Iterable[tuple[tuple[str, str], Any]]:
    for message in messages:
        chain = chain_of(message) if message.sender == "server" else ()
        leaf = load(chain[0]) if chain else None
        if leaf is None:
            continue
        yield ("certificate", "subject"), name_text(leaf.subject)
        yield ("certificate", "issuer"), name_text(leaf.issuer)
        yield ("certificate", "serial number"), f"{leaf.serial_number:x}"
        yield ("certificate", "valid until"), f"{leaf.not_valid_after_utc:%Y-%m-%d}"
        yield ("certificate", "key"), key_text(leaf)
        yield ("certificate", "certificates sent"), str(len(chain))
        return


def _offer(reader: Reader, hello: Message) -> Iterable[tuple[tuple[str, str], Any]]:
    body = hello.body
    name = reader.extension(hello, X.server_name)
    host = name.server_name_list[0].host_name.decode("ascii", "replace") if name else None
    yield ("offer", "server name"), host
    versions = reader.extension(hello, X.supported_versions)
    offered = versions.versions if versions else (body.legacy_version,)
    yield ("offer", "versions"), tuple(version_name(code) for code in offered if not is_grease(code))
    yield ("offer", "cipher suites"), _named(CipherSuite, body.cipher_suites)
    yield ("offer", "extensions"), _named(ExtensionType, body.extensions)
    for kind, registry, words in (
        (X.supported_groups, NamedGroup, "groups"),
        (X.signature_algorithms, SignatureScheme, "signature schemes"),
    ):
        content = reader.extension(hello, kind)
        values = getattr(content, next(iter(content.fields))) if content is not None else ()
        yield ("offer", words), _named(registry, values)
    shares = reader.extension(hello, X.key_share)
    given = [share.group for share in shares.client_shares] if shares else []
    yield ("offer", "key shares"), _named(NamedGroup, given)
    protocols = reader.extension(hello, X.application_layer_protocol_negotiation)
    listed = protocols.protocol_name_list if protocols else ()
    yield ("offer", "application protocols"), tuple(one.decode("ascii", "replace") for one in listed)
    greased = is_grease(body.cipher_suites[0]) if body.cipher_suites else False
    yield ("offer", "GREASE"), "yes" if greased else "no"


def _named(registry: type[CodePoint], codes: Iterable[int]) -> tuple[str, ...]:
    return tuple(registry.name_of(code) for code in codes if not is_grease(code))


def _cost(trace: Trace, messages: list[Message]) -> Iterable[tuple[tuple[str, str], Any]]:
    flights, last = 0, ""
    sizes = {"client": 0, "server": 0}
    for message in messages:
        if message.type in (HandshakeType.new_session_ticket, HandshakeType.key_update):
            continue
        sizes[message.sender] += len(message.raw)
        flights += message.sender != last
        last = message.sender
    yield ("cost", "flights"), str(flights)
    for who, size in sizes.items():
        yield ("cost", f"handshake bytes of the {who}"), f"{size:,}"


# -- what follows ----------------------------------------------------------------------------------------


def _version(a: Any, b: Any) -> str:
    if {a, b} == {"TLS 1.2", "TLS 1.3"}:
        return (
            "TLS 1.3 needs one round trip less, and encrypts the certificates; in TLS 1.2 all can read them."
        )
    return ""


def _suite(a: Any, b: Any) -> str:
    static = [name for name in (a, b) if name and name.startswith("TLS_RSA_")]
    if len(static) == 1:
        return "Static RSA has no forward secrecy: the server's key, once stolen, opens what was recorded."
    cbc = [name for name in (a, b) if name and "_CBC_" in name]
    return "CBC suites need care against padding oracles; AEADs do not." if len(cbc) == 1 else ""


def _group(a: Any, b: Any) -> str:
    hybrid = {name for name in (a, b) if name in NamedGroup.__members__ and _pq(name)}
    if len(hybrid) == 1:
        return f"{next(iter(hybrid))} withstands quantum computers; the other does not, if it was recorded."
    return ""


def _pq(name: str) -> bool:
    group = GROUPS.get(NamedGroup[name])
    return group is not None and group.pq


def _resumed(a: Any, b: Any) -> str:
    return "A resumption shows no certificate: the earlier connection vouches for it."


def _retried(a: Any, b: Any) -> str:
    return "A HelloRetryRequest costs a round trip: send a share for the server's group at once."


def _name(a: Any, b: Any) -> str:
    if None in (a, b):
        return "Without a name the server shows its default certificate."
    return "Another name may bring another certificate."


def _shares(a: Any, b: Any) -> str:
    return "A group without a share can be chosen too, at the price of a round trip."


def _order(a: Any, b: Any) -> str:
    if a is not None and b is not None and set(a) == set(b):
        return "The same, in another order: a client that shuffles, or another version of it."
    return "By its extensions a program can be told from another (JA3, JA4)."


_FOLLOWS: dict[str, Callable[[Any, Any], str]] = {
    "version": _version,
    "cipher suite": _suite,
    "group": _group,
    "resumed": _resumed,
    "another hello asked for": _retried,
    "server name": _name,
    "key shares": _shares,
    "extensions": _order,
}
