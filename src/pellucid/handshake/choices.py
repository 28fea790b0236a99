"""What a server chooses alike in both versions: suites, the application protocol, the answer to a name.

RFC 8446 section 4.1.1; RFC 7301 section 3.2; RFC 6066 section 3.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TypeVar

from pellucid.config import TLS_1_3, ServerConfig
from pellucid.crypto.suites import Suite
from pellucid.errors import Reason, refuse
from pellucid.handshake.context import Handshake
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import CipherSuite
from pellucid.wire.messages import ClientHello

_T = TypeVar("_T")
_CHACHA = frozenset(
    (
        CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    )
)


def our_first(ours: Iterable[_T], theirs: Container[_T]) -> _T | None:
    """The first of `ours` that is one of `theirs` too; None if there is none.

    >>> our_first((0x0304, 0x0303), (0x0302, 0x0303))
    771
    """
    for one in ours:
        if one in theirs:
            return one
    return None


def acknowledges_name(h: Handshake, config: ServerConfig) -> bool:
    """Whether an empty server_name goes back (RFC 6066 section 3).

    A TLS 1.2 session has its name for good, and resuming it must not say so again; in TLS 1.3 each
    handshake has its own (RFC 8446 section 4.6.1), and RFC 8448 section 4 shows the answer.
    """
    when = config.acknowledge_server_name
    if h.name is None or when == "never":
        return False
    return not h.facts.get("resumed") or (when == "always" and h.conn._version == TLS_1_3)


def ranked_suites(h: Handshake, config: ServerConfig, hello: ClientHello, *, tls13: bool) -> list[Suite]:
    """The shared suites, best first.

    Our order decides, except that a client which puts ChaCha20-Poly1305 first has no AES hardware:
    then it is first here too.
    """
    offered, ours = hello.cipher_suites, h.policy.suites
    shared = [suite for code, suite in ours.items() if code in offered and suite.tls13 is tls13]
    if config.cipher_preference == "client":
        shared.sort(key=lambda suite: offered.index(suite.code))
    else:
        for code in offered:
            if code in ours:
                if code in _CHACHA:
                    shared.sort(key=lambda suite: suite.code not in _CHACHA)
                break
    if not shared:
        names = ", ".join(CipherSuite.name_of(code) for code in offered[:6])
        refuse(Reason.NO_SHARED_CIPHER, f"the client offers {names}{' ...' if len(offered) > 6 else ''}")
    return shared


def choose_alpn(h: Handshake, config: ServerConfig, hello: ClientHello) -> str | None:
    """RFC 7301 section 3.2: our order decides; no overlap is fatal."""
    body = hello.extensions.get(X.application_layer_protocol_negotiation)
    if body is None:
        if config.require_alpn:
            refuse(Reason.NO_APPLICATION_PROTOCOL, "the client offers none")
        return None
    names = ext.ProtocolNames.recall(body).protocol_name_list
    h.facts["offered_alpn"] = tuple(name.decode("latin-1") for name in names)
    if not config.alpn:
        return None
    chosen = our_first(config.alpn_names, names)
    if chosen is None:
        refuse(Reason.NO_APPLICATION_PROTOCOL, f"the client offers {b', '.join(names).decode('latin-1')}")
    protocol = chosen.decode("latin-1")
    h.facts["alpn"] = protocol
    if h.note is not None:
        rule = "the first of ours that the client offers"
        h.note(("decision", "alpn", h.facts["offered_alpn"], config.alpn, protocol, rule))
    return protocol
