"""The record layer: framing, a reading half and a writing half.

RFC 8446 section 5.1; RFC 5246 section 6.2.1; RFC 8449 (sizes).

The halves share nothing, so that one thread may block in reading while another writes. Each holds
one protection at a time (`protection`). Writes are gathered until somebody asks for the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, NoReturn

from pellucid.errors import PeerMisbehaved, Reason, TLSError, refuse
from pellucid.limits import MAX_CIPHERTEXT_13, MAX_PLAINTEXT
from pellucid.protection import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    CHEAP_TO_COPY,
    HANDSHAKE,
    HANDSHAKE_KEYS,
    PLAIN,
    Opening,
    PlainOpening,
    PlainSealing,
    Sealing,
)

_header = Struct(">BHH").unpack_from  # content type, version, length (RFC 8446 section 5.1)
_length = Struct(">3xH").unpack_from

Note = Callable[[tuple[Any, ...]], None]  # takes a raw fact, see `pellucid.glass.telling`


class WriteHalf:
    """What leaves: gathers what is written, cuts it into fragments, seals them when asked.

    Attributes:
        protection: the present epoch's keys.
        max_fragment: plaintext bytes a record, at most (RFC 8446 section 5.1, RFC 8449).
        most: bytes that the peer takes in a record, padding included (RFC 8449 section 4).
    """

    __slots__ = ("_out", "_pending", "_type", "max_fragment", "most", "note", "protection")

    def __init__(self, note: Note | None) -> None:
        self.protection: Sealing = PlainSealing()
        self.max_fragment = self.most = MAX_PLAINTEXT
        self.note = note
        self._out: list[bytes] = []
        self._pending: list[bytes] = []
        self._type = 0

    def queue(self, content_type: int, data: bytes) -> None:
        """Write `data`; neighbours of the same type share records."""
        if content_type != self._type:
            if self._pending:
                self.flush()
            self._type = content_type
        self._pending.append(data)

    def change_cipher_spec(self) -> None:
        """Write the record that comes before any keys (RFC 5246 section 7.1)."""
        self.flush()
        self._seal(CHANGE_CIPHER_SPEC, b"\x01")

    def padding(self, policy: Callable[[int], int] | None) -> Callable[[int], int] | None:
        """The padding that a policy wants, as far as the peer's limit has room for it."""
        return None if policy is None else lambda size: max(0, min(policy(size), self.most - size))

    def flush(self) -> None:
        """Seal what is gathered.

        Raises:
            TLSError: `Reason.SEQUENCE_OVERFLOW`; what is not sealed yet is still gathered.
        """
        if not self._pending:
            return
        data = b"".join(self._pending)
        if len(data) > self.max_fragment:
            self._cut(data)
            return
        self._seal(self._type, data)
        self._pending = []

    def _cut(self, data: bytes) -> None:
        """Seal what takes several records."""
        self._pending = []
        most, at = self.max_fragment, 0
        short = self._type == APPLICATION_DATA and self.note is None
        if short and (wire := self.protection.seal_data(data, most)):
            self._out.append(wire)
            return
        try:
            for at in range(0, len(data), most):
                self._seal(self._type, data[at : at + most])
        except TLSError:
            self._pending = [data[at:]]
            raise

    def _seal(self, content_type: int, fragment: bytes) -> None:
        wire = self.protection.seal(content_type, fragment)
        self._out.append(wire)
        if self.note is not None:
            self.note(("record", True, self.protection.epoch, content_type, wire, fragment))

    def ahead(self, content_type: int, data: bytes) -> None:
        """Seal `data` in front of application data that waits (RFC 8446 section 4.6.3)."""
        if self._type != APPLICATION_DATA:
            self.flush()
        kind, waiting = self._type, self._pending
        self._type, self._pending = content_type, [data]
        self.flush()
        self._type, self._pending = kind, waiting

    def drop(self) -> None:
        """Forget the application data that is gathered and not sealed."""
        if self._type == APPLICATION_DATA:
            self._pending = []

    def protect(self, protection: Sealing) -> None:
        """Begin a new epoch; what was written before goes out under the old keys."""
        self.flush()
        self.protection = protection

    def take(self) -> bytes:
        """Everything that is to be sent, once."""
        if self._pending:
            self.flush()
        if not self._out:
            return b""
        out, self._out = self._out, []
        return b"".join(out)

    @property
    def waiting(self) -> bool:
        """Whether `take` would give anything."""
        return bool(self._pending or self._out)


_FIRST = (CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE)  # the first: RFC 8446 4.2.2, where a server keeps no state
_HTTP_METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"DELE", b"OPTI", b"PATC", b"TRAC")


class ReadHalf:
    """What arrives: finds the records in the stream and opens them.

    Attributes:
        protection: the present epoch's keys.
        buffer: what was received and not yet opened (it may begin with records that were); empty if
            there is nothing.
        skip: bytes of undecryptable early data that may still be skipped (RFC 8446 section 4.2.10); None:
            there is none to skip.
        skip_plain: early data was refused by a HelloRetryRequest: skip application data records
            until the second ClientHello.
    """

    __slots__ = ("_first", "_pos", "buffer", "client", "note", "protection", "skip", "skip_plain")

    def __init__(self, client: bool, note: Note | None) -> None:
        self.protection: Opening = PlainOpening()
        self.client = client
        self.note = note
        self.skip: int | None = None
        self.skip_plain = False
        self.buffer: bytes = b""
        self._pos = 0
        self._first = True

    def feed(self, data: bytes) -> None:
        """Append `data` to what is not yet read."""
        if self.buffer:
            self.buffer = self.buffer[self._pos :] + data
            self._pos = 0
        else:
            self.buffer = data if type(data) is bytes else bytes(data)

    def take_unread(self) -> bytes:
        """Give back the bytes behind the end of TLS (after close_notify)."""
        rest = self.buffer[self._pos :]
        self.buffer, self._pos = b"", 0
        return rest

    def next_data(self) -> bytes:
        """The short way: what the next records hold, as far as they are application data.

        b"": the next one is not, or is not complete yet; `next_record` is to judge.
        """
        buffer, pos, size = self.buffer, self._pos, len(self.buffer)
        if size - pos < 5:
            return b""
        (length,) = _length(buffer, pos)
        first = pos + 5
        stop = first + length
        if stop > size:
            return b""
        if stop + 5 < size:
            data, stop = self.protection.open_run(buffer, pos)
        else:
            payload = buffer[first:stop] if length < CHEAP_TO_COPY else memoryview(buffer)[first:stop]
            data = self.protection.open_data(buffer[pos:first], payload)
            if not data:
                return b""
        if stop == size:
            self.buffer, self._pos = b"", 0  # an idle connection keeps no bytes
        else:
            self._pos = stop
        return data

    def next_record(self) -> tuple[int, bytes] | None:
        """Content type and plaintext of the next record; None when it is not complete yet."""
        while True:
            buffer, pos, size = self.buffer, self._pos, len(self.buffer)
            if self._first:
                self._check_first(buffer)
            start = pos + 5
            if start > size:
                return None
            kind, version, length = _header(buffer, pos)
            protection = self.protection
            if version != 0x0303:
                self._check_version(kind, version)
            if length > protection.max_ciphertext:
                self._check_length(kind, length)
            stop = start + length
            if stop > size:
                return None
            if stop == size:
                self.buffer, self._pos = b"", 0  # an idle connection keeps no bytes
            else:
                self._pos = stop
            if kind > ALERT and self.skip is None and self.note is None:  # as it mostly is
                return protection.open(kind, buffer[pos:start], buffer[start:stop])
            opened = self._open(kind, buffer[pos:stop])
            if opened is not None:
                return opened

    def _open(self, kind: int, wire: bytes) -> tuple[int, bytes] | None:
        """Open a record where anything may be unusual; None: it is skipped."""
        protection, payload = self.protection, wire[5:]
        if self.skip_plain:
            if kind == APPLICATION_DATA:
                self._skip(kind, wire)
                return None
            self.skip_plain = kind != HANDSHAKE  # the second ClientHello ends the refused early data
        tls13 = protection.epoch and protection.max_ciphertext == MAX_CIPHERTEXT_13
        if tls13 and kind == CHANGE_CIPHER_SPEC:
            opened = kind, payload  # RFC 8446 section 5: never protected, to be dropped
        else:
            try:
                opened = protection.open(kind, wire[:5], payload)
            except PeerMisbehaved as error:
                clear = kind == ALERT and len(payload) == 2 and self._no_keys_yet()
                if self.skip is not None and not clear and error.reason is Reason.BAD_RECORD_MAC:
                    self._skip(kind, wire)
                    return None
                if not clear:
                    self._unopened(kind, wire, error.reason.label)
                    raise
                opened = kind, payload
            if self.skip is not None and not self.skip_plain:
                self.skip = None  # the first record that opens ends the refused early data
        if self.note is not None:
            # RFC 8446 5.2: what is protected looks like application data from outside
            epoch = PLAIN if tls13 and kind != APPLICATION_DATA else protection.epoch
            self.note(("record", False, epoch, opened[0], wire, opened[1]))
        return opened

    def _check_version(self, kind: int, version: int) -> None:
        """Only a ClientHello may say another minor version (RFC 8446 section 5.1)."""
        if version >> 8 != 3 or (self.protection.epoch and kind != CHANGE_CIPHER_SPEC):
            refuse(Reason.WRONG_RECORD_VERSION, f"0x{version:04x}")

    def _check_length(self, kind: int, length: int) -> None:
        """Early data that is refused unread was protected, so it may be longer than plaintext."""
        if self.skip_plain and kind == APPLICATION_DATA and length <= MAX_CIPHERTEXT_13:
            return
        protected = self.protection.epoch
        refuse(Reason.CIPHERTEXT_OVERFLOW if protected else Reason.RECORD_OVERFLOW, f"{length} bytes")

    def _unopened(self, kind: int, wire: bytes, why: str) -> None:
        """A record that stays closed, told to whoever looks."""
        if self.note is not None:
            self.note(("record", False, self.protection.epoch, kind, wire, None, why))

    def _no_keys_yet(self) -> bool:
        """Whether the client may still be without keys, because it refuses our ServerHello in clear."""
        opening = self.protection
        return not self.client and opening.epoch == HANDSHAKE_KEYS and getattr(opening, "_sequence", 1) == 0

    def _skip(self, kind: int, wire: bytes) -> None:
        """Early data that was refused, and cannot be read (RFC 8446 section 4.2.10)."""
        self._unopened(kind, wire, "refused early data")
        self.skip = (self.skip or 0) - (len(wire) - 5)
        if self.skip < 0:
            refuse(Reason.TOO_MUCH_SKIPPED_EARLY_DATA)

    def _check_first(self, buffer: bytes) -> None:
        """Say what arrived instead of TLS, as soon as it can be told."""
        first = buffer[0]
        if first in _FIRST and (len(buffer) < 2 or buffer[1] == 3):
            self._first = len(buffer) < 5  # else it is told
            return
        if len(buffer) < 5 and first not in _FIRST:
            starts = bytes(buffer[:4])
            if any(method.startswith(starts) for method in (*_HTTP_METHODS, b"CONN")) or first & 0x80:
                return  # not enough to say which
        self._refuse_first(bytes(buffer[:8]))

    def _refuse_first(self, start: bytes) -> NoReturn:
        if not self.client:
            if start.startswith(_HTTP_METHODS):
                refuse(Reason.HTTP_REQUEST)
            if start.startswith(b"CONNE"):
                refuse(Reason.HTTPS_PROXY_REQUEST)
            if start[0] & 0x80 and start[2:3] == b"\x01":
                refuse(Reason.SSLV2_HELLO)
        if self.client and all(32 <= byte < 127 for byte in start[:4]):
            refuse(Reason.PLAIN_SERVER, f"it begins with {start!r}")
        if start[0] == APPLICATION_DATA and start[1:2] == b"\x03":
            refuse(Reason.UNEXPECTED_RECORD, f"a connection cannot begin with type {start[0]}")
        if start[0] in _FIRST:
            refuse(Reason.WRONG_RECORD_VERSION, f"0x{start[1:3].hex()}")
        refuse(Reason.NOT_TLS, f"it begins with {start.hex(' ')}")
