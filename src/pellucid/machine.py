"""The machine inside a connection: records come in, messages go to the handshake, faults end it.

RFC 8446 sections 5 (records), 5.1 (messages over records), 6 (alerts); RFC 5246 sections 6 and 7.2.

The way of a byte: `receive_data` -> a record (`_advance`) -> a message (`_on_handshake`) -> the generator
that waits for it (`_deliver`, `_step`), or what may come after the handshake. What leaves is an event, or a
request that `_answer` goes on from. Every fault, whoever found it, ends in `_fail`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from struct import Struct
from typing import Any, NoReturn, overload

from pellucid.config import Config
from pellucid.crypto.suites import SUITES, Suite, legacy_suites
from pellucid.errors import ConnectionEnded, PeerRefused, Reason, TLSError, UsageError, refuse
from pellucid.events import (
    DataReceived,
    EarlyDataReceived,
    Event,
    HandshakeCompleted,
    PeerClosed,
    Request,
    WarningAlert,
)
from pellucid.handshake.context import CCS, ChangeCipherSpec, Expect
from pellucid.handshake.post import after_handshake, update_keys
from pellucid.info import ConnectionInfo
from pellucid.limits import (
    MAX_CHANGE_CIPHER_SPECS,
    MAX_EMPTY_RECORDS,
    MAX_HANDSHAKE_MESSAGE,
    MAX_WARNING_ALERTS,
)
from pellucid.protection import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    EARLY,
    HANDSHAKE,
    PlainOpening,
    PlainSealing,
)
from pellucid.records import Note, ReadHalf, WriteHalf
from pellucid.secret import Secret
from pellucid.wire.codepoints import Alert, AlertLevel, HandshakeType

_NOTHING: Expect = {}
_NO_FACTS: dict[str, Any] = {}  # of every connection that is complete; nobody writes into it
_CERTIFICATES = (int(HandshakeType.certificate), int(HandshakeType.compressed_certificate))
_KEY_UPDATE = int(HandshakeType.key_update)
_LONG_MESSAGE = 4 + MAX_HANDSHAKE_MESSAGE
_message_header = Struct(">I").unpack_from  # a byte of type, three of length (RFC 8446 section 4)


class Machine:
    """What happens inside of a `Connection`. The handshake, and what follows it, work on this."""

    __slots__ = (
        "__weakref__",
        "_ccs_allowed",
        "_ccs_seen",
        "_config",
        "_early_exporter",
        "_early_limit",
        "_early_received",
        "_early_sent",
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
        "_master",
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
        "_since_data",
        "_steps",
        "_version",
        "_warnings",
        "_write",
        "_write_closed",
        "_write_secret",
    )

    client = False

    def __init__(self, config: Config, name: str | None) -> None:
        note: Note | None = None  # what records are told to; the rest to `_note`
        self._note = self._jot = note  # `_jot` for the steps of a handshake: of the time of what began them
        if config.observer is not None:
            from pellucid.watching import watch

            config, note = watch(self, config, name)
        self._config = config
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
        self._ccs_seen = self._warnings = self._requests_refused = 0
        self._since_data: dict[str, int] = {}  # see `_count`
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
    def suite(self) -> Suite:
        """The cipher suite in use."""
        code = self.info.cipher_suite
        return SUITES.get(code) or legacy_suites()[code]

    # -- records and messages ----------------------------------------------------------------------

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
            while read.buffer and self._request is None:
                if self._info is not None and not (self._fragments or self._note):
                    data = read.next_data()
                    if data:
                        if self._since_data:
                            self._since_data.clear()
                        self._events.append(DataReceived(data))
                        continue
                record = read.next_record()
                if record is None:
                    return
                kind, data = record
                if kind == HANDSHAKE:
                    self._on_handshake(data)
                elif kind == APPLICATION_DATA:
                    self._on_data(data)
                elif kind == ALERT:
                    self._on_alert(data)
                    if self._read_closed:
                        return
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
            self._count(Reason.TOO_MANY_EMPTY_RECORDS, MAX_EMPTY_RECORDS)
            return
        self._since_data.clear()
        if not early:
            self._events.append(DataReceived(data))
            return
        self._early_received += len(data)
        if self._early_received > self._early_limit:
            refuse(Reason.TOO_MUCH_EARLY_DATA, f"more than {self._early_limit} bytes")
        self._events.append(EarlyDataReceived(data))

    def _count(self, reason: Reason, most: int) -> None:
        """The peer does once more what it may do `most` times without sending data."""
        counts, name = self._since_data, reason.label
        counts[name] = counts.get(name, 0) + 1
        if counts[name] > most:
            refuse(reason)

    def _on_handshake(self, data: bytes) -> None:
        """Reassemble messages from records, wherever they were cut (RFC 8446 section 5.1)."""
        if not data:
            refuse(Reason.EMPTY_FRAGMENT, "a handshake record")
        data = self._fragments + data
        while len(data) >= 4:
            (header,) = _message_header(data)
            kind, size = header >> 24, 4 + (header & 0xFFFFFF)
            if size > _LONG_MESSAGE or kind in _CERTIFICATES:
                self._check_length(kind, size - 4)
            if size > len(data):
                break
            self._fragments = data[size:]
            self._deliver(data[:size])
            if self._request is not None:
                return
            data = self._fragments
        self._fragments = data

    def _deliver(self, raw: bytes) -> None:
        """A whole message: to the handshake that waits for it, or to what may come after the handshake."""
        if self._note is not None:
            self._jot(("message", False, self._read.protection.epoch, raw))  # type: ignore[misc]
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
            raise self._error.anew()
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
            self._sample()
        info = self._refresh_info()
        if self._pha is None:
            self._facts = _NO_FACTS  # they are in `info` now
        self._events.append(HandshakeCompleted(info))

    def _sample(self) -> None:
        """Somebody looks, and from here on there may be much to see: of data they keep samples."""
        look: Any = self._note
        self._jot = look
        self._read.note = self._write.note = look.__self__.keep_data

    def _refresh_info(self) -> ConnectionInfo:
        facts = self._facts
        self._own_chain = facts.pop("own_chain", self._own_chain)
        self._info = info = ConnectionInfo(**facts)
        return info

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
            kept = self._error = error.anew()
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
                look: Any = self._note
                if error.trace is None and hasattr(type(look.__self__), "facts"):
                    kept.trace = error.trace = look.__self__  # whose note it is, if it can be read
                self._note(("error", error.reason, error.detail, ours, error.alert))
        if raising:
            # Not `error` itself: the frames that its traceback will hold know it, which would be a circle.
            raise error.anew().with_traceback(error.__traceback__) from cause

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

    # -- what the reading half leaves for the writing half -------------------------------------------

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
