"""The sans-IO connection: bytes in, bytes out, events and requests. One class for each role.

RFC 8446 sections 5 (records), 6 (alerts), 6.1 (closure); RFC 5246 sections 6 and 7.2.

    conn = ClientConnection(config, server_name="example.org")
    send(conn.data_to_send())
    conn.receive_data(data)              # raises TLSError; the alert is then in data_to_send()
    for event in conn.events(): ...
    conn.send_data(b"hello"); send(conn.data_to_send())

No socket, file or clock is touched here. Reading and writing are two halves that share only the
flag of a KeyUpdate to be answered: one thread may call `receive_data` while another calls
`send_data` and `data_to_send`. Whatever the reader wants to say (alerts, key updates) is sealed
by the next call to `data_to_send`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, overload

from pellucid.config import ClientConfig, Config, ServerConfig
from pellucid.crypto import schedule12, schedule13
from pellucid.crypto.suites import SUITES, Suite, legacy_suites
from pellucid.errors import ConnectionEnded, PeerRefused, Reason, TLSError, UsageError, refuse
from pellucid.events import (
    DataReceived,
    EarlyDataReceived,
    Event,
    FindPsk,
    HandshakeCompleted,
    PeerClosed,
    Request,
    SelectConfig,
    SelectIdentity,
    WarningAlert,
)
from pellucid.handshake.client import client
from pellucid.handshake.context import CCS, ChangeCipherSpec, Expect, Handshake
from pellucid.handshake.post import after_handshake, request_certificate, update_keys
from pellucid.handshake.server import server
from pellucid.info import ConnectionInfo
from pellucid.limits import (
    MAX_CHANGE_CIPHER_SPECS,
    MAX_EMPTY_RECORDS,
    MAX_HANDSHAKE_MESSAGE,
    MAX_WARNING_ALERTS,
)
from pellucid.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    EARLY,
    HANDSHAKE,
    Note,
    PlainOpening,
    PlainSealing,
    ReadHalf,
    WriteHalf,
)
from pellucid.secret import Secret
from pellucid.wire.codepoints import Alert, AlertLevel, HandshakeType

if TYPE_CHECKING:
    from pellucid.wire.messages import ClientHello

_NOTHING: Expect = {}
_NO_FACTS: dict[str, Any] = {}  # of every connection that is complete; nobody writes into it
_CERTIFICATES = (int(HandshakeType.certificate), int(HandshakeType.compressed_certificate))
_KEY_UPDATE = int(HandshakeType.key_update)
_LONG_MESSAGE = 4 + MAX_HANDSHAKE_MESSAGE


class Connection:
    """What both roles share. Make a `ClientConnection` or a `ServerConnection`."""

    __slots__ = (
        "__weakref__",
        "_ccs_allowed",
        "_ccs_seen",
        "_config",
        "_early_exporter",
        "_early_limit",
        "_early_received",
        "_early_sent",
        "_empty",
        "_error",
        "_events",
        "_expected",
        "_exporter",
        "_facts",
        "_fragments",
        "_hello",
        "_info",
        "_jot",
        "_key_update_owed",
        "_key_updates",
        "_master",
        "_name",
        "_note",
        "_own_chain",
        "_pha",
        "_read",
        "_read_closed",
        "_read_limit",
        "_read_secret",
        "_request",
        "_requests_refused",
        "_resumption",
        "_revoke",
        "_said",
        "_sending",
        "_steps",
        "_tickets_seen",
        "_version",
        "_warnings",
        "_write",
        "_write_closed",
        "_write_secret",
    )

    client = False

    def __init__(self, config: Config, name: str | None) -> None:
        note: Note | None = None  # what records are told to; the rest to `_note`
        self._note = self._jot = note  # `_jot` for what needs no time of its own
        if config.observer is not None:
            from pellucid.watching import watch

            config, note = watch(self, config, name)
        self._config = config
        self._name = name
        self._read = ReadHalf(self.client, note)
        self._write = WriteHalf(note)
        self._write.max_fragment = config.policy.max_send_fragment
        self._events: list[Event] = []  # a list, like the next: an empty deque weighs 600 bytes
        self._said: list[tuple[int, bytes]] = []  # by the reading half, for the writing half to seal
        self._facts: dict[str, Any] = {"role": "client" if self.client else "server", "server_name": name}
        self._info: ConnectionInfo | None = None
        self._error: TLSError | None = None
        self._steps: Any = None  # the generator of the handshake under way
        self._expected: Expect = _NOTHING
        self._request: Request | None = None
        self._fragments = b""
        self._hello = b""  # the ClientHello, for a server
        self._own_chain: tuple[bytes, ...] = ()
        self._version = 0
        self._sending = False
        self._read_closed = False
        self._write_closed = False
        self._key_update_owed = False
        self._ccs_allowed = False
        self._read_limit: int | None = None  # plaintext bytes that the peer may put into a record
        self._ccs_seen = self._empty = self._warnings = self._key_updates = self._requests_refused = 0
        self._tickets_seen = 0
        self._early_limit = self._early_received = 0
        self._early_sent: list[bytes] | None = None
        self._read_secret: Secret | None = None
        self._write_secret: Secret | None = None
        self._exporter: tuple[Any, ...] | None = None  # what `export` needs
        self._early_exporter: tuple[Any, ...] | None = None  # and what `export(early=True)` needs
        self._master: Any = None  # a Finished's verify_data, for tls-unique
        self._resumption: Any = None  # what turns a ticket into a session
        self._pha: Any = None  # what post-handshake authentication needs
        self._revoke: Callable[[], None] | None = None  # ends the TLS 1.2 session of this connection

    # -- what the application calls ----------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take in bytes from the peer; what they mean is then in `events()`.

        Raises:
            TLSError: the peer is refused, or it refused us. The alert for the peer, if there is
                one, is in `data_to_send()`; events from before the fault are still in `events()`.
        """
        if self._error is not None:
            raise self._error
        if self._read_closed:
            return  # RFC 8446 6.1: any data received after a closure alert MUST be ignored
        self._read.feed(data)
        self._advance()

    def receive_eof(self) -> None:
        """The peer's side of the line ended.

        Raises:
            ConnectionEnded: without close_notify: data may be missing (`Reason.TRUNCATED`), or in
                the middle of the handshake (`Reason.EOF_IN_HANDSHAKE`).
        """
        if self._error is not None:
            raise self._error
        if self._read_closed:
            return
        reason = Reason.TRUNCATED if self._done else Reason.EOF_IN_HANDSHAKE
        self._fail(ConnectionEnded(reason))

    def next_event(self) -> Event | None:
        """The next event, or None when there is none for now."""
        return self._events.pop(0) if self._events else None

    def events(self) -> Iterator[Event]:
        """The events that are waiting."""
        events = self._events
        while events:
            yield events.pop(0)

    def send_data(self, data: bytes | bytearray | memoryview) -> None:
        """Send application data. It is sealed by the next `data_to_send()`.

        Raises:
            UsageError: before the handshake allows it, or after `close()`.
        """
        if not self._sending:
            self._refuse_to_send()
        if self._key_update_owed:
            self._answer_key_update()  # RFC 8446 4.6.3: before the next application data
        if data:
            self._write.queue(APPLICATION_DATA, data if type(data) is bytes else bytes(data))

    def data_to_send(self) -> bytes:
        """The bytes that are to go to the peer, once."""
        if self._error is not None:
            return self._last_words()
        write = self._write
        if self._said:
            self._say()
        if self._key_update_owed:
            self._answer_key_update()
        while True:
            try:
                return write.take()
            except TLSError as error:
                self._renew_keys(error)

    def _say(self) -> None:
        """Seal what the reading half left for us."""
        said, write = self._said, self._write
        while said:
            content_type, data = said.pop(0)
            if content_type == HANDSHAKE:
                write.ahead(content_type, data)
                continue
            try:
                write.flush()
            except TLSError:
                write.drop()  # an alert ends what is left
            write.ahead(content_type, data)  # a record of its own (RFC 8446 section 5.1)

    def _renew_keys(self, error: TLSError) -> None:
        """The keys are used up in the middle of much data (RFC 8446 section 5.5): new ones, or the end."""
        if self._done and self._version == 0x0304 and self._error is None:
            self._answer_key_update()
            return
        self._write.drop()
        self._fail(error)

    def _answer_key_update(self) -> None:
        update_keys(self, request=False)

    # The short ways, for what most of a connection's life consists of: single records of application
    # data. Each keeps to its own half, and does nothing at all unless everything is as it mostly is.

    def protect(self, data: bytes) -> bytes:
        """`send_data` and `data_to_send` in one call, where the outcome is one record.

        Returns:
            The record (RFC 8446 section 5.2); b"": there is more to it, and nothing has happened: take
            the long way.

        >>> from pellucid import Authority
        >>> authority = Authority.create()
        >>> client = ClientConnection(ClientConfig(trust=authority.trust()), "localhost")
        >>> server = ServerConnection(ServerConfig(identities=(authority.issue("localhost"),)))
        >>> for one, other in ((client, server), (server, client), (client, server)):
        ...     other.receive_data(one.data_to_send())
        >>> wire = client.protect(b"hello")
        >>> server.deprotect(wire)  # HandshakeCompleted still waits in `events()`
        b''
        >>> [type(event).__name__ for event in server.events()]
        ['HandshakeCompleted']
        >>> server.deprotect(wire)
        b'hello'
        """
        write = self._write
        if (
            self._sending
            and type(data) is bytes
            and 0 < len(data) <= write.max_fragment
            and not (write._pending or write._out or self._said or self._key_update_owed or self._note)
        ):
            try:
                return write.protection.seal(APPLICATION_DATA, data)
            except TLSError:
                pass  # the keys are used up
        return b""

    def deprotect(self, wire: bytes) -> bytes:
        """`receive_data` and `next_event` in one call, where the outcome is the data of one record.

        Returns:
            The data; b"": there is more to it, or something is wrong, and nothing has happened: take the
            long way. `protect` has an example.
        """
        read = self._read
        if self._info is None or (
            read.buffer
            or self._events
            or self._fragments
            or self._request
            or self._error
            or self._read_closed
            or self._note
        ):
            return b""
        data = read.protection.open_data(wire, 0, len(wire))
        if data:
            self._empty = self._key_updates = self._tickets_seen = 0
        return data

    @property
    def wants_to_send(self) -> bool:
        """Whether `data_to_send()` has something."""
        write = self._write
        return bool(write._pending or write._out or self._said or self._key_update_owed)

    def close(self) -> None:
        """Send close_notify (RFC 8446 section 6.1). Reading goes on until the peer closes too."""
        if not self._write_closed and self._error is None:
            self._send_alert(AlertLevel.warning, Alert.close_notify)
            self._write_closed = True
            self._sending = False
            if self._note is not None:
                self._note(("state", "close_notify sent"))

    def abort(self, alert: int = Alert.user_canceled) -> None:
        """End the connection with a fatal alert."""
        if self._error is None:
            self._fail(TLSError(Reason.APPLICATION_ABORTED, alert=alert), raising=False)

    def update_keys(self, *, request: bool = False) -> None:
        """Change our sending keys (RFC 8446 section 4.6.3), and ask the peer to change its own.

        Raises:
            UsageError: before the handshake is complete, or in TLS 1.2, which cannot.
        """
        if not self._done or self._version != 0x0304 or self._write_closed:
            raise UsageError(Reason.NOT_CONNECTED, "only a complete TLS 1.3 connection can update its keys")
        update_keys(self, request=request)

    # -- what the application may know -------------------------------------------------------------

    @property
    def handshake_complete(self) -> bool:
        """Whether both Finished messages were right."""
        return self._info is not None

    @property
    def info(self) -> ConnectionInfo:
        """What was agreed on.

        Raises:
            UsageError: the handshake is not complete.
        """
        if self._info is None:
            raise UsageError(Reason.NOT_CONNECTED)
        return self._info

    @property
    def error(self) -> TLSError | None:
        """What ended the connection, if a fault did."""
        return self._error

    @property
    def closed(self) -> tuple[bool, bool]:
        """Whether (the peer, we) have sent close_notify, or the connection failed."""
        failed = self._error is not None
        return self._read_closed or failed, self._write_closed or failed

    def unread_data(self) -> bytes:
        """What came behind the peer's close_notify: it belongs to whatever follows TLS (STARTTLS)."""
        return self._read.take_unread() if self._read_closed else b""

    def export(
        self, label: str | bytes, context: bytes | None = None, length: int = 32, *, early: bool = False
    ) -> Secret:
        """Keying material for another protocol (RFC 8446 section 7.5, RFC 5705).

        Parameters:
            label: its name, from the IANA registry of exporter labels.
            context: what it is bound to; in TLS 1.3 none is the same as an empty one.
            length: bytes.
            early: bound to the ClientHello and its pre-shared key only: what 0-RTT data may use, from
                its first byte on. Whoever replays the early data gets the same again.

        Raises:
            UsageError: too early, without early data, or TLS 1.2 without the extended master secret
                (RFC 7627 section 5.4).
        """
        if isinstance(label, str):
            label = label.encode("ascii")
        if early:
            if self._early_exporter is None:
                raise UsageError(Reason.NOT_CONNECTED, "there is no early data to bind to")
            hash, secret = self._early_exporter
            return schedule13.export(hash, secret, label, context or b"", length)
        if self._exporter is None:
            raise UsageError(Reason.NOT_CONNECTED)
        if self._version == 0x0304:
            hash, secret = self._exporter
            return schedule13.export(hash, secret, label, context or b"", length)
        hash, master, randoms = self._exporter
        if not self.info.extended_master_secret and not self._unsafe_bindings:
            raise UsageError(Reason.UNSAFE_EXPORT)
        return schedule12.export(hash, master, label, randoms, context, length)

    def channel_binding(self, kind: str) -> bytes:
        """Bytes that both ends of this very connection share, to bind a login to it.

        Parameters:
            kind: "tls-exporter" (RFC 9266), "tls-server-end-point" (RFC 5929), or "tls-unique"
                (RFC 5929; TLS 1.2 with extended master secret only).

        Raises:
            UsageError: the kind does not exist for this connection.
        """
        if not self._done:
            raise UsageError(Reason.NOT_CONNECTED)
        if kind == "tls-exporter":
            return self.export("EXPORTER-Channel-Binding", b"", 32).reveal()
        if kind == "tls-server-end-point":
            return self._end_point()
        extended = self.info.extended_master_secret
        old = self._unsafe_bindings and not self.info.resumed  # RFC 7627 1: unsafe, but defined
        if kind == "tls-unique" and self._version != 0x0304 and (extended or old):
            return bytes(self._master)
        raise UsageError(Reason.NO_SUCH_BINDING, f"{kind} over {self.info.version_name}")

    @property
    def _unsafe_bindings(self) -> bool:
        """Whether the policy names what RFC 7627 section 5.4 forbids without extended master secret."""
        return "unsafe-bindings" in self._config.policy.legacy

    @property
    def finished(self) -> bytes:
        """The verify_data of the Finished that OpenSSL takes for tls-unique: in TLS 1.2 the first one
        (RFC 5929 section 3); in TLS 1.3, which has no tls-unique (RFC 9266 section 1), the client's, or
        in a resumed session the server's.

        Raises:
            UsageError: the handshake is not complete.
        """
        if not self._done:
            raise UsageError(Reason.NOT_CONNECTED)
        return bytes(self._master)

    def _end_point(self) -> bytes:
        from pellucid.trust.peer import server_end_point

        chain = self.info.peer_chain if self.client else self._own_chain
        if not chain:
            raise UsageError(Reason.NO_SUCH_BINDING, "there is no server certificate")
        return server_end_point(chain[0])

    @property
    def suite(self) -> Suite:
        """The cipher suite in use."""
        code = self.info.cipher_suite
        return SUITES.get(code) or legacy_suites()[code]

    @property
    def traffic_secrets(self) -> tuple[Secret, Secret]:
        """The present TLS 1.3 traffic secrets (read, write): for kernel TLS, or a debugger."""
        if self._read_secret is None or self._write_secret is None:
            raise UsageError(Reason.NOT_CONNECTED)
        return self._read_secret, self._write_secret

    # -- the machine -------------------------------------------------------------------------------

    @property
    def _done(self) -> bool:
        return self._info is not None

    def _begin(self, steps: Generator[Any, Any, None]) -> None:
        """Run `steps` until they wait for the first message."""
        self._steps = steps
        try:
            self._step(None)
        except Exception as error:
            self._fault(error)

    def _fault(self, error: Exception) -> NoReturn:
        """Nothing but a named refusal leaves."""
        if isinstance(error, RecursionError):
            raise error
        if isinstance(error, TLSError):
            self._fail(error)
        self._fail(TLSError(Reason.INTERNAL, f"{type(error).__name__}: {error}"), cause=error)

    def _advance(self) -> None:
        """Read records until there is no whole one, or a request waits for its answer."""
        try:
            read = self._read
            while read.buffer and self._request is None and not self._read_closed:
                if self._info is not None and not (self._fragments or self._note):
                    data = read.next_data()
                    if data:
                        self._empty = self._key_updates = self._tickets_seen = 0
                        self._events.append(DataReceived(data))
                        continue
                record = read.next_record()
                if record is None:
                    return
                kind, data = record
                if kind == APPLICATION_DATA:
                    self._on_data(data)
                elif kind == HANDSHAKE:
                    self._on_handshake(data)
                elif kind == ALERT:
                    self._on_alert(data)
                elif kind == CHANGE_CIPHER_SPEC:
                    self._on_change_cipher_spec(data)
                else:
                    refuse(Reason.UNEXPECTED_RECORD, f"type {kind}")
        except Exception as error:
            self._fault(error)

    def _on_data(self, data: bytes) -> None:
        if self._fragments:
            refuse(Reason.INTERLEAVED_HANDSHAKE)
        early = self._info is None
        # TLS 1.2's only keys have the number of EARLY too.
        if early and (self._read.protection.epoch != EARLY or self._version != 0x0304):
            refuse(Reason.UNEXPECTED_RECORD, "application data during the handshake")
        if not data:
            self._count_empty()
            return
        self._empty = self._key_updates = self._tickets_seen = 0
        if not early:
            self._events.append(DataReceived(data))
            return
        self._early_received += len(data)
        if self._early_received > self._early_limit:
            refuse(Reason.TOO_MUCH_EARLY_DATA, f"more than {self._early_limit} bytes")
        self._events.append(EarlyDataReceived(data))

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > MAX_EMPTY_RECORDS:
            refuse(Reason.TOO_MANY_EMPTY_RECORDS)

    def _on_handshake(self, data: bytes) -> None:
        """Reassemble messages from records, wherever they were cut (RFC 8446 section 5.1)."""
        if not data:
            refuse(Reason.EMPTY_FRAGMENT, "a handshake record")
        self._fragments = data = self._fragments + data
        while len(data) >= 4:
            kind, size = data[0], 4 + (data[1] << 16 | data[2] << 8 | data[3])
            if size > _LONG_MESSAGE or kind in _CERTIFICATES:
                self._check_length(kind, size - 4)
            if len(data) < size:
                return
            raw = data[:size]
            self._fragments = data[size:]
            self._deliver(raw)
            if self._request is not None:
                return
            data = self._fragments

    def _deliver(self, raw: bytes) -> None:
        """A whole message: to the handshake that waits for it, or to what may come after the handshake."""
        if self._note is not None:
            self._note(("message", False, self._read.protection.epoch, raw))
        kind = raw[0]
        structure = self._expected.get(kind)
        if structure is not None:
            message = structure.decode(raw, 4)
            message.raw = raw
            self._step(message)
        elif self._steps is None or (kind == _KEY_UPDATE and self._awaits_certificate()):
            after_handshake(self, raw)
        else:
            self._unexpected(kind)

    def _check_length(self, kind: int, size: int) -> None:
        limit = self._config.max_certificate_message if kind in _CERTIFICATES else MAX_HANDSHAKE_MESSAGE
        if size > limit:
            refuse(Reason.MESSAGE_TOO_LONG, f"{HandshakeType.name_of(kind, 2)} of {size} bytes")

    def _awaits_certificate(self) -> bool:
        """Whether the client has yet to answer a late CertificateRequest: it may take its time (4.6.2)."""
        return self._done and HandshakeType.certificate in self._expected

    def _unexpected(self, kind: int) -> NoReturn:
        due = " or ".join(
            HandshakeType.name_of(k, 2) if k != CCS else "ChangeCipherSpec" for k in self._expected
        )
        refuse(
            Reason.UNEXPECTED_MESSAGE, f"{HandshakeType.name_of(kind, 2)} came, {due or 'nothing'} was due"
        )

    def _step(self, value: Any) -> None:
        """Give `value` to the handshake and run it to its next wait."""
        steps = self._steps
        if steps is None:
            raise TLSError(Reason.INTERNAL, "no handshake")
        try:
            wanted = steps.send(value)
        except StopIteration:
            self._steps = None
            self._expected = _NOTHING
            return
        if not isinstance(wanted, Request):
            self._expected = wanted
            return
        self._request = wanted
        self._expected = _NOTHING
        wanted._resume = self._answer
        if self._note is not None:
            self._note(("request", type(wanted).__name__))
        self._events.append(wanted)

    def _answer(self, value: Any, error: TLSError | None) -> None:
        """A request was answered: go on, with what has arrived in the meantime too."""
        self._request = None
        if self._error is not None:
            raise self._error
        if self._note is not None:
            self._note(("answer", "failed" if error else type(value).__name__))
        if error is not None:
            self._fail(error)
        try:
            self._step(value)
            if self._fragments and self._request is None:
                data, self._fragments = self._fragments, b""
                self._on_handshake(data)
        except Exception as fault:
            self._fault(fault)
        self._advance()

    def _completed(self) -> None:
        """The handshake is over: say so."""
        self._sending = True
        self._ccs_allowed = False
        if self._note is not None:
            self._note(("state", "handshake complete"))
        self._refresh_info()
        if self._pha is None:
            self._facts = _NO_FACTS  # they are in `info` now
        self._events.append(HandshakeCompleted(self.info))

    def _refresh_info(self) -> None:
        facts = self._facts
        self._own_chain = facts.pop("own_chain", self._own_chain)
        self._info = ConnectionInfo(**facts)

    # -- alerts, ends ------------------------------------------------------------------------------

    def _on_alert(self, data: bytes) -> None:
        """RFC 8446 section 6, RFC 5246 section 7.2."""
        if not data:
            refuse(Reason.EMPTY_FRAGMENT, "an alert record")
        if len(data) != 2:
            refuse(Reason.BAD_ALERT, f"{len(data)} bytes")
        level, description = data
        if self._note is not None:
            self._note(("alert", False, level, description))
        if self._fragments and (level == AlertLevel.warning or description == Alert.close_notify):
            refuse(Reason.INTERLEAVED_HANDSHAKE)
        if level not in (AlertLevel.warning, AlertLevel.fatal):
            refuse(Reason.UNKNOWN_ALERT_LEVEL, f"{level}")
        if description == Alert.close_notify and level == AlertLevel.warning:
            if not self._done:
                self._fail(ConnectionEnded(Reason.PEER_CLOSED))
            self._read_closed = True
            self._events.append(PeerClosed())
            return
        # RFC 8446 6: in TLS 1.3 every alert but close_notify and user_canceled is an error
        if level == AlertLevel.warning and (self._version != 0x0304 or description == Alert.user_canceled):
            self._warnings += 1
            if self._warnings > MAX_WARNING_ALERTS:
                refuse(Reason.TOO_MANY_WARNING_ALERTS)
            self._events.append(WarningAlert(description))
            return
        if level == AlertLevel.warning:
            refuse(Reason.BAD_ALERT, f"a warning {Alert.name_of(description, 2)} in TLS 1.3")
        self._fail(PeerRefused(description))

    def _on_change_cipher_spec(self, data: bytes) -> None:
        """A key change in TLS 1.2, a dummy in TLS 1.3 (RFC 8446 section 5 and appendix D.4)."""
        if data != b"\x01":
            refuse(Reason.BAD_CHANGE_CIPHER_SPEC, data[:8].hex())
        if self._note is not None:
            self._note(("ccs", False))
        if CCS in self._expected:
            if self._fragments:
                refuse(Reason.INTERLEAVED_HANDSHAKE)
            self._step(ChangeCipherSpec)
            return
        if not self._ccs_allowed or self._fragments:
            refuse(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
        self._ccs_seen += 1
        if self._ccs_seen > MAX_CHANGE_CIPHER_SPECS:
            refuse(Reason.TOO_MANY_CHANGE_CIPHER_SPECS)

    def _send_alert(self, level: int, description: int) -> None:
        self._said.append((ALERT, bytes((level, description))))
        if self._note is not None:
            self._note(("alert", True, level, description))

    @overload
    def _fail(self, error: TLSError, *, cause: Exception | None = None) -> NoReturn: ...

    @overload
    def _fail(self, error: TLSError, *, raising: bool) -> None: ...

    def _fail(self, error: TLSError, *, raising: bool = True, cause: Exception | None = None) -> None:
        """End the connection: tell the peer by an alert, forget the handshake, raise."""
        ours = not isinstance(error, (PeerRefused, ConnectionEnded))
        if self._error is None:
            self._error = error
            steps, self._steps = self._steps, None
            self._expected = _NOTHING
            self._request = None
            self._sending = self._key_update_owed = False
            self._fragments = b""
            if steps is not None and not steps.gi_running:
                steps.close()
            if self._revoke is not None and error.alert is not None:
                self._revoke()  # RFC 5246 7.2.2: after a fatal alert nobody resumes
            if ours and error.alert is not None and not self._write_closed:
                self._send_alert(AlertLevel.fatal, error.alert)
            self._forget()
            if self._note is not None:
                error.trace = error.trace or getattr(self._note, "__self__", None)  # whose note it is
                self._note(("error", error.reason, error.detail, ours, error.alert))
        if raising:
            raise error from cause

    def _forget(self) -> None:
        """Drop the secrets of a failed connection (RFC 8446 section 6, RFC 5246 section 7.2.2).

        The writing half drops its own, in `_last_words`: the alert has to be sealed under them.
        """
        self._exporter = self._master = self._resumption = self._pha = self._read_secret = None
        self._early_exporter = None
        self._read.protection = PlainOpening()

    def _last_words(self) -> bytes:
        """What goes out after a fault: the alert, and no data any more (RFC 8446 section 6.2)."""
        self._write.drop()
        self._say()
        data = self._write.take()
        self._write.protection = PlainSealing()
        self._write_secret = None
        return data

    def _refuse_to_send(self) -> None:
        if self._error is not None:
            raise self._error
        raise UsageError(Reason.CLOSED if self._write_closed else Reason.NOT_CONNECTED)


class ClientConnection(Connection):
    """The client's side. The ClientHello waits in `data_to_send()` from the start.

    Parameters:
        config: a `ClientConfig`; None is the default: the system's authorities, TLS 1.3 and 1.2.
        server_name: the DNS name or IP address that the certificate must be for.

    Raises:
        UsageError: no name although there is somebody to verify, or a name that is none.
    """

    __slots__ = ()
    client = True

    def __init__(self, config: ClientConfig | None = None, server_name: str | None = None) -> None:
        config = config or ClientConfig()
        super().__init__(config, server_name)
        self._begin(client(Handshake(self, self._config, server_name)))

    @property
    def early_data_limit(self) -> int:
        """Bytes of early data that may still be sent; 0 once the server has answered."""
        if self._early_sent is None:
            return 0
        return self._early_limit - sum(map(len, self._early_sent))

    def send_early_data(self, data: bytes) -> None:
        """Send 0-RTT data (RFC 8446 section 4.2.10). Anyone may replay it: only what is idempotent.

        Raises:
            UsageError: none is offered, or more than `early_data_limit`.
        """
        if self._early_sent is None or len(data) > self.early_data_limit:
            raise UsageError(Reason.NOT_CONNECTED, f"{self.early_data_limit} bytes of early data are allowed")
        self._early_sent.append(bytes(data))
        self._write.queue(APPLICATION_DATA, bytes(data))


class ServerConnection(Connection):
    """The server's side.

    Parameters:
        config: a `ServerConfig` with at least one identity or pre-shared key.
    """

    __slots__ = ()

    def __init__(self, config: ServerConfig) -> None:
        if not (config.identities or config.psks or config.ask & {SelectConfig, SelectIdentity, FindPsk}):
            raise UsageError(Reason.BAD_CONFIG, "a server needs an identity, or pre-shared keys")
        super().__init__(config, None)
        self._ccs_allowed = config.stateless_retry  # RFC 8446 4.2.2: we may have forgotten the first hello
        self._begin(server(Handshake(self, self._config, None)))

    @property
    def client_hello(self) -> ClientHello | None:
        """The client's last hello, decoded anew: only its bytes are kept."""
        from pellucid.wire.messages import ClientHello

        if not self._hello:
            return None
        hello = ClientHello.decode(self._hello, 4)
        hello.raw = self._hello
        return hello

    def request_certificate(self, *, required: bool | None = None) -> None:
        """Ask for the client's certificate now (RFC 8446 section 4.6.2).

        Parameters:
            required: whether a client without one is refused; None: as `client_auth` says.

        Raises:
            UsageError: the client did not offer it, or the configuration did not prepare it.
        """
        request_certificate(self, required=required)
