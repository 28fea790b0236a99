"""What is done over one connection: handshake, checks, writing, echo, shutdown, in the runner's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bogo.answers import Answers
from bogo.checks import check, info_of
from bogo.configs import Memory
from bogo.flags import Mismatch, Settings
from bogo.line import Line
from pellucid.connection import ClientConnection, Connection
from pellucid.errors import ConnectionEnded, Reason, TLSError
from pellucid.events import (
    DataReceived,
    EarlyDataReceived,
    EarlyDataRefused,
    HandshakeCompleted,
    PeerClosed,
    Request,
    SessionReceived,
)
from pellucid.info import ConnectionInfo
from pellucid.resumption.sessions import Session
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X

DIFFERENT_SIZES = (0, 1, 255, 256, 257, 16383, 16384, 16385, 32767, 32768, 32769)


class Refused(Exception):
    """The server refused our early data: everything again, by the settings for that case."""


class Exchange:
    """The exchange over one connection. It is the core's observer too.

    Attributes:
        settings: the flags in force.
        retry: those after refused early data.
        offered: the session that the client offers.
        resuming: this is not the first connection.
        session: the last one received.
    """

    def __init__(
        self,
        settings: Settings,
        retry: Settings,
        memory: Memory,
        answers: Answers,
        offered: Session | None,
        *,
        resuming: bool,
    ) -> None:
        self.settings = settings
        self.retry = retry
        self.memory = memory
        self.answers = answers
        self.offered = offered
        self.resuming = resuming
        self.session: Session | None = None
        self.early_rule = ""
        self.last_message = 0
        self.closed = False
        self.refused = False
        self.refusal = not settings["server"] and resuming and settings["expect-reject-early-data"]
        self.line: Line
        self.conn: Connection

    # -- the observer ------------------------------------------------------------------------------

    def open(self, role: str, name: str | None) -> Callable[..., None]:
        """A connection begins."""
        return self.note

    def note(self, kind: str, **facts: Any) -> None:
        """Remember the two facts that only an observer is told."""
        if kind == "decision" and facts["what"] == "early_data":
            self.early_rule = facts["rule"]
        elif kind == "message" and not facts["sent"]:
            self.last_message = facts["type"]

    # -- the whole ---------------------------------------------------------------------------------

    def run(self, line: Line) -> Session | None:
        """Everything. Returns the session to resume next."""
        self.line, self.conn = line, line.conn
        try:
            self.exchange()
        except Refused:
            self.refused = False
            self.settings = self.answers.settings = self.retry
            self.exchange(again=True)
        else:
            if self.refusal:
                raise Mismatch("0-RTT exchange unexpectedly succeeded")
        return self.session

    def exchange(self, *, again: bool = False) -> None:
        """The handshake, and what follows."""
        settings = self.settings
        self.handshake(early=not again)
        if self.conn.handshake_complete or settings["server"]:
            self.check()
        elif settings["expect-no-offer-early-data"]:
            raise Mismatch("early data was offered")
        got = self.session is not None
        self.write_first()
        if settings["send-alert"]:
            self.conn.abort(Alert.decompression_failure)
            self.line.flush()
            return
        if settings["write-different-record-sizes"]:
            for size in DIFFERENT_SIZES:
                self.write(b"\x42" * size)
        if not settings["shim-shuts-down"]:
            self.echo()
        self.check_session(early=got)
        self.shut_down()

    def next(self) -> Any:
        """The next event that is not a question; None at the end of the line."""
        while True:
            event = self.line.event()
            if isinstance(event, Request):
                try:
                    self.answers.answer(event)
                except TLSError as error:
                    self.line.failure = error
            elif isinstance(event, SessionReceived):
                self.session = event.session
            elif isinstance(event, EarlyDataRefused):
                self.refused = True
                if self.refusal:
                    raise Refused
            else:
                return event

    def handshake(self, *, early: bool) -> None:
        """Until it is complete, or early data can be written or read."""
        conn = self.conn
        self.line.speak()
        while not conn.handshake_complete:
            if early and isinstance(conn, ClientConnection) and conn.early_data_limit:
                self.wait_for_message(self.settings["early-write-after-message"])
                return
            event = self.next()
            if event is None:
                raise ConnectionEnded(Reason.EOF_IN_HANDSHAKE)
            if isinstance(event, EarlyDataReceived):
                self.line.push_back(event)
                return
        self.line.speak()
        if self.settings["handshake-never-done"]:
            raise RuntimeError("the handshake must not complete")

    def wait_for_message(self, wanted: int) -> None:
        """Read until a message of this type has arrived."""
        while wanted and self.last_message != wanted:
            if not self.line.feed():
                raise ConnectionEnded(Reason.EOF_IN_HANDSHAKE)
            if self.line.failure is not None:
                raise self.line.failure

    # -- checks ------------------------------------------------------------------------------------

    def check(self) -> None:
        """Every `-expect-*`."""
        settings, conn = self.settings, self.conn
        check(settings, conn, self.answers, resuming=self.resuming, reason=self.early_reason())
        info = info_of(conn)
        if not settings["server"] and info.version == 0x0303:
            self._drain_session()
            new = not settings["expect-no-session"] and (
                not info.resumed or settings["expect-ticket-renewal"]
            )
            if new != (self.session is not None):
                raise Mismatch(f"new session was{'' if self.session else ' not'} cached, against expectation")
        if settings["server"] and not self.resuming and info.version == 0x0303:
            cached = len(self.memory.cache) > 0
            if settings["expect-session-id"] and not cached:
                raise Mismatch("session was not cached on the server")
            if settings["expect-no-session-id"] and cached:
                raise Mismatch("session was unexpectedly cached on the server")

    def late_check(self) -> None:
        """The handshake was completed in the middle of the exchange: early data was accepted."""
        if self.refused:
            raise Mismatch("early data was refused")
        if not self.settings["server"]:
            self.check()

    def _drain_session(self) -> None:
        """A TLS 1.2 session comes right behind the end of the handshake."""
        event = self.conn.next_event()
        while event is not None:
            if isinstance(event, SessionReceived):
                self.session = event.session
            else:
                self.line.push_back(event)
            event = self.conn.next_event()

    def check_session(self, *, early: bool) -> None:
        """The client's new session, now that everything was read."""
        settings = self.settings
        if settings["server"]:
            return
        if self.conn.info.version == 0x0303:
            if self.session is not None and not early:
                raise Mismatch("new session was established after the handshake")
            return
        wanted = not settings["expect-no-session"] and not settings["shim-shuts-down"]
        if wanted != (self.session is not None):
            raise Mismatch(f"new session was{'' if self.session else ' not'} cached, against expectation")
        if wanted and self.session is not None:
            able = bool(self.session.max_early_data)
            if able != settings["expect-ticket-supports-early-data"]:
                raise Mismatch(f"new session does{'' if able else ' not'} support early data")

    def early_reason(self) -> str:
        """BoringSSL's word for why early data was taken or not."""
        settings, info = self.settings, info_of(self.conn)
        if info.version != 0x0304:
            return "protocol_version"
        if info.early_data == "accepted":
            return "accept"
        if not settings["enable-early-data"]:
            return "disabled"
        if settings["server"]:
            return self.early_reason_of_server(info)
        if self.offered is None:
            return "no_session_offered"
        if info.retried:
            return "hello_retry_request"
        if info.early_data is None:
            return "unsupported_for_session" if not self.offered.max_early_data else "alpn_mismatch"
        return "peer_declined" if info.resumed else "session_not_resumed"

    def early_reason_of_server(self, info: ConnectionInfo) -> str:
        """The same for a server, which sees what was offered."""
        hello = getattr(self.conn, "client_hello")  # noqa: B009
        if X.pre_shared_key not in hello.extensions:
            return "no_session_offered"
        if not info.resumed:
            return "session_not_resumed"
        if info.retried:
            return "hello_retry_request"
        if "age" in self.early_rule:
            return "ticket_age_skew"
        return _SERVER_RULES.get(self.early_rule, "peer_declined")

    # -- writing -----------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Application data, as early data as far as that is allowed."""
        conn = self.conn
        if isinstance(conn, ClientConnection) and not conn.handshake_complete:
            now = data[: conn.early_data_limit]
            if now:
                conn.send_early_data(now)
                self.line.flush()
            data = data[len(now) :]
            if not data:
                return
            while not conn.handshake_complete:
                event = self.next()
                if event is None:
                    raise ConnectionEnded(Reason.EOF_IN_HANDSHAKE)
                if not isinstance(event, HandshakeCompleted):
                    self.line.push_back(event)
        conn.send_data(data)
        self.line.flush()

    def write_first(self) -> None:
        """What the shim says unasked."""
        settings, conn = self.settings, self.conn
        if settings["export-keying-material"]:
            self.write(self.export())
        if settings["export-traffic-secrets"]:
            read, write = (secret.reveal() for secret in conn.traffic_secrets)
            self.write(len(read).to_bytes(2, "little"))
            self.write(read)
            self.write(write)
        if settings["tls-unique"]:
            try:
                unique = conn.channel_binding("tls-unique")
            except TLSError:
                raise Mismatch("failed to get tls-unique") from None
            self.write(unique)
        if settings["send-alert"]:
            return
        if settings["shim-writes-first"] or settings["read-with-unfinished-write"]:
            text = settings["shim-initial-write"] or b"hello"
            for _ in range(settings["repeat-shim-initial-write"] or 1):
                self.write(text)

    def export(self) -> bytes:
        """Keying material by the flags."""
        settings = self.settings
        context = settings["export-context"] if settings["use-export-context"] else None
        try:
            secret = self.conn.export(settings["export-label"], context, settings["export-keying-material"])
        except TLSError:
            raise Mismatch(":HANDSHAKE_NOT_COMPLETE: failed to export keying material") from None
        return secret.reveal()

    # -- reading -----------------------------------------------------------------------------------

    def echo(self) -> None:
        """Send back whatever comes, every bit turned, until the peer is done."""
        settings, conn = self.settings, self.conn
        size = settings["read-size"] or 512
        if settings["key-update-before-read"] and conn.handshake_complete:
            conn.update_keys()
        while True:
            event = self.next()
            if event is None:
                return
            if isinstance(event, PeerClosed):
                self.closed = True
                return
            if isinstance(event, HandshakeCompleted):
                self.late_check()
            if not isinstance(event, (DataReceived, EarlyDataReceived)):
                continue
            for at in range(0, len(event.data), size):
                if settings["key-update"]:
                    conn.update_keys()
                conn.send_data(bytes(byte ^ 0xFF for byte in event.data[at : at + size]))
                self.line.flush()
                if settings["use-exporter-between-reads"]:
                    conn.export("some label", b"", 1)
                if settings["key-update-before-read"]:
                    conn.update_keys()

    def shut_down(self) -> None:
        """Quietly; with -check-close-notify both sides have to say goodbye."""
        if not self.settings["check-close-notify"]:
            return
        self.conn.close()
        self.line.flush()
        while not self.closed:
            event = self.next()
            if event is None:
                raise Mismatch("Unexpected SSL_shutdown result: -1 != 1")
            if isinstance(event, (DataReceived, EarlyDataReceived)):
                raise Mismatch(":APPLICATION_DATA_ON_SHUTDOWN:")
            self.closed = isinstance(event, PeerClosed)


_SERVER_RULES = {
    "its key was not chosen": "session_not_resumed",
    "the ticket does not allow it": "unsupported_for_session",
    "another cipher suite": "unsupported_for_session",
    "another application protocol": "alpn_mismatch",
}
