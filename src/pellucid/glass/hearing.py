"""A connection told by its messages alone, by somebody who did not make the choices.

RFC 8446 section 4.1, RFC 5246 section 7.4. A listener on the wire hears messages, and so does a callback
in another TLS stack. From the messages follow the choices (offered, chosen) and how far the two came; by
which rule a choice was made is not heard, and the decisions of such a trace say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pellucid.crypto.suites import SUITES, Suite, legacy_suites
from pellucid.errors import Reason, TLSError
from pellucid.glass.decode import key_exchange_of
from pellucid.glass.telling import Raw, told
from pellucid.glass.trace import Fact, Trace
from pellucid.wire import messages as m
from pellucid.wire.codepoints import Alert, HandshakeType
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.extensions import BODY

TLS13 = 0x0304
_SEEN = "seen on the wire; only the two ends know by which rule"


class Hearing:
    """Makes a trace from what is heard.

    Parameters:
        role: from whose place it is told: what that side sent is `sent`.
        started: seconds since the epoch.

    Attributes:
        trace: what was heard so far.
        now: seconds since `started`; whoever tells sets it.
        version, suite: what was negotiated; 0 and None before the ServerHello.
        complete: both Finished were heard.
    """

    def __init__(self, role: str, started: float) -> None:
        self.trace = Trace()
        self.trace.role = role
        self.trace.started = started
        self.now = 0.0
        self.hello: m.ClientHello | None = None
        self.server_hello: m.ServerHello | None = None
        self.version = 0
        self.suite: Suite | None = None
        self._finished: set[bool] = set()

    @property
    def complete(self) -> bool:
        """Whether both Finished were heard."""
        return len(self._finished) == 2

    def note(self, kind: str, **fields: Any) -> None:
        """Append a fact."""
        self.trace.facts.append(Fact(self.now, kind, fields))

    def keep(self, fact: Raw) -> None:
        """Append a raw fact, of a key schedule that is gone through again."""
        for kind, fields in told(fact):
            self.note(kind, **fields)

    def sent(self, client: bool) -> bool:
        """Whether what this side says is `sent`, from the place where the trace is told."""
        return client == (self.trace.role == "client")

    # -- what is heard -----------------------------------------------------------------------------

    def message(self, client: bool, epoch: int, raw: bytes) -> None:
        """A whole handshake message, its header of 4 bytes included."""
        self.note("message", sent=self.sent(client), epoch=epoch, type=raw[0], raw=raw)
        try:
            self._understand(client, raw)
        except (TLSError, IndexError):
            return  # it is in the trace as it came

    def _understand(self, client: bool, raw: bytes) -> None:
        kind = raw[0]
        if kind == HandshakeType.client_hello and client:
            self.hello = m.ClientHello.decode(raw[4:])
            self.trace.name = _server_name(self.hello)
        elif kind == HandshakeType.server_hello and not client:
            self._server_hello(m.ServerHello.decode(raw[4:]))
        elif kind in (HandshakeType.certificate_verify, HandshakeType.server_key_exchange) and not client:
            self._scheme(raw)
        elif kind == HandshakeType.encrypted_extensions and not client:
            self._alpn(m.EncryptedExtensions.decode(raw[4:]).extensions)
        elif kind == HandshakeType.finished:
            self._finished.add(client)
            if self.complete:
                self.note("state", what="handshake complete")

    def alert(self, client: bool, level: int, description: int) -> None:
        """An alert; a fatal one ends the connection (RFC 8446 section 6.2)."""
        self.note("alert", sent=self.sent(client), level=level, description=description)
        if description != Alert.close_notify and (level == 2 or self.version == TLS13):
            who = "client" if client else "server"
            detail = f"the {who} sent the alert {Alert.name_of(description, 2)}"
            local = self.sent(client)
            self.note("error", reason=Reason.PEER_ALERT, detail=detail, local=local, alert=description)

    # -- what was negotiated -------------------------------------------------------------------------

    def _server_hello(self, hello: m.ServerHello) -> None:
        selected = hello.extensions.get(X.supported_versions)
        self.version = int.from_bytes(selected, "big") if selected else hello.legacy_version
        self.server_hello = hello
        self.suite = (SUITES | legacy_suites()).get(hello.cipher_suite)
        self._choices(hello)
        if self.version != TLS13:
            self._alpn(hello.extensions)

    def _choices(self, hello: m.ServerHello) -> None:
        asked = self.hello
        if asked is None:
            return
        versions = listed(asked, X.supported_versions) or (asked.legacy_version,)
        self._decision("version", versions, self.version)
        self._decision("cipher_suite", asked.cipher_suites, hello.cipher_suite)
        share = hello.extensions.get(X.key_share)
        if share is not None:
            self._decision("group", listed(asked, X.supported_groups), int.from_bytes(share[:2], "big"))

    def _decision(self, what: str, offered: Any, chosen: Any) -> None:
        self.note("decision", what=what, offered=tuple(offered), acceptable=(), chosen=chosen, rule=_SEEN)

    def _scheme(self, raw: bytes) -> None:
        """The signature scheme stands in front of the signature; in TLS 1.2, behind the ECDH parameters."""
        if self.hello is None:
            return
        offered = listed(self.hello, X.signature_algorithms)
        if raw[0] == HandshakeType.certificate_verify:
            self._decision("signature_scheme", offered, int.from_bytes(raw[4:6], "big"))
        elif self.suite is not None and key_exchange_of(self.suite.code) == "ECDHE":
            at = 8 + raw[7]  # curve type, named curve, the point's length and the point
            self._decision("group", listed(self.hello, X.supported_groups), int.from_bytes(raw[5:7], "big"))
            self._decision("signature_scheme", offered, int.from_bytes(raw[at : at + 2], "big"))

    def _alpn(self, extensions: Any) -> None:
        chosen = extensions.get(X.application_layer_protocol_negotiation)
        if chosen is not None and self.hello is not None:
            offered = self.hello.extensions.get(X.application_layer_protocol_negotiation, b"\0\0")
            self._decision("alpn", strings(offered[2:]), next(iter(strings(chosen[2:])), ""))


def listed(hello: m.ClientHello, kind: int) -> tuple[int, ...]:
    """The values of an extension that holds one list of 16-bit numbers; () where it is absent or broken."""
    raw = hello.extensions.get(kind)
    form = BODY.get((kind, "CH"))
    if raw is None or form is None:
        return ()
    try:
        body = form.decode(raw)
    except TLSError:
        return ()
    return tuple(getattr(body, next(iter(form.fields))))


def _server_name(hello: m.ClientHello) -> str | None:
    """RFC 6066 section 3: the first name is the only one."""
    raw = hello.extensions.get(X.server_name)
    return None if raw is None or len(raw) < 6 else raw[5:].decode("ascii", "replace")


def strings(data: bytes) -> Iterator[str]:
    r"""RFC 7301 section 3.1: each name behind its length in one byte.

    >>> list(strings(b"\x02h2\x08http/1.1"))
    ['h2', 'http/1.1']
    """
    at = 0
    while at < len(data):
        yield data[at + 1 : at + 1 + data[at]].decode("latin-1")
        at += 1 + data[at]
