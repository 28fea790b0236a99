"""The record layer: framing, a reading half and a writing half.

RFC 8446 section 5.1; RFC 5246 section 6.2.1; RFC 8449 (sizes).

The halves share nothing, so that one thread may block in reading while another writes. Each holds
one protection at a time (`protection`). Writes are gathered until somebody asks for the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
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
        pending = self._pending
        if not pending:
            return
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        self._pending = []
        size = len(data)
        most = self.max_fragment
        at = 0
        try:
            if size <= most:
                self._seal(self._type, data)
                return
            short = self._type == APPLICATION_DATA and self.note is None
            if short and (wire := self.protection.seal_data(data, most)):
                self._out.append(wire)
                return
            view = memoryview(data)
            for at in range(0, size, most):
                self._seal(self._type, view[at : at + most])  # type: ignore[arg-type]
        except TLSError:
            self._pending.insert(0, data[at:])
            raise

    def _seal(self, content_type: int, fragment: bytes) -> None:
        wire = self.protection.seal(content_type, fragment)
        self._out.append(wire)
        if self.note is not None:
            self.note(("record", True, self.protection.epoch, content_type, wire, bytes(fragment)))

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
        out = self._out
        if not out:
            return b""
        self._out = []
        return out[0] if len(out) == 1 else b"".join(out)

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
        stop = pos + 5 + (buffer[pos + 3] << 8 | buffer[pos + 4])
        if stop > size:
            return b""
        if stop + 5 < size:
            data, stop = self.protection.open_run(buffer, pos)
        elif not (data := self.protection.open_data(buffer, pos, stop)):
            return b""
        if stop == size:
            self.buffer, self._pos = b"", 0  # an idle connection keeps no bytes
        else:
            self._pos = stop
        return data

    def next_record(self) -> tuple[int, bytes] | None:
        """Content type and plaintext of the next record; None when it is not complete yet."""
        while True:
            buffer, pos = self.buffer, self._pos
            have = len(buffer) - pos
            if have < 5:
                if have and self._first:
                    self._check_first(buffer)
                return None
            if self._first:
                self._check_first(buffer)
            header = buffer[pos : pos + 5]
            kind, length = header[0], header[3] << 8 | header[4]
            protection = self.protection
            if header[1] != 3 or (header[2] != 3 and protection.epoch and kind != CHANGE_CIPHER_SPEC):
                refuse(Reason.WRONG_RECORD_VERSION, f"0x{header[1]:02x}{header[2]:02x}")
            if length > protection.max_ciphertext and not (
                self.skip_plain and kind == APPLICATION_DATA and length <= MAX_CIPHERTEXT_13
            ):
                refuse(
                    Reason.CIPHERTEXT_OVERFLOW if protection.epoch else Reason.RECORD_OVERFLOW,
                    f"{length} bytes",
                )
            start = pos + 5
            stop = start + length
            if have < 5 + length:
                return None
            self._first = False
            payload = buffer[start:stop] if length < CHEAP_TO_COPY else memoryview(buffer)[start:stop]
            if have == 5 + length:
                self.buffer, self._pos = b"", 0  # an idle connection keeps no bytes
            else:
                self._pos = stop
            if self.note is None and kind > ALERT and self.skip is None and not self.skip_plain:
                return protection.open(kind, header, payload)  # as it mostly is
            if self.skip_plain:
                if kind == APPLICATION_DATA:
                    self._unopened(kind, buffer[pos:stop], "refused early data")
                    self._skip(length)
                    continue
                self.skip_plain = kind != HANDSHAKE  # the second ClientHello ends the refused early data
            if (
                protection.epoch
                and kind == CHANGE_CIPHER_SPEC
                and protection.max_ciphertext == MAX_CIPHERTEXT_13
            ):
                opened = (kind, bytes(payload))  # RFC 8446 section 5: never protected, to be dropped
            else:
                try:
                    opened = protection.open(kind, header, payload)
                except PeerMisbehaved as error:
                    clear = kind == ALERT and length == 2 and self._no_keys_yet()
                    if self.skip is not None and not clear and error.reason is Reason.BAD_RECORD_MAC:
                        self._unopened(kind, buffer[pos:stop], "refused early data")
                        self._skip(length)
                        continue
                    if not clear:
                        self._unopened(kind, buffer[pos:stop], error.reason.label)
                        raise
                    opened = kind, bytes(payload)
                if self.skip is not None and not self.skip_plain:
                    self.skip = None  # the first record that opens ends the refused early data
            if self.note is not None:
                epoch = protection.epoch
                if epoch and kind != APPLICATION_DATA and protection.max_ciphertext == MAX_CIPHERTEXT_13:
                    epoch = PLAIN  # RFC 8446 5.2: what is protected looks like application data from outside
                self.note(("record", False, epoch, opened[0], buffer[pos:stop], opened[1]))
            return opened

    def _unopened(self, kind: int, wire: bytes, why: str) -> None:
        """A record that stays closed, told to whoever looks."""
        if self.note is not None:
            self.note(("record", False, self.protection.epoch, kind, wire, None, why))

    def _no_keys_yet(self) -> bool:
        """Whether the client may still be without keys, because it refuses our ServerHello in clear."""
        opening = self.protection
        return not self.client and opening.epoch == HANDSHAKE_KEYS and getattr(opening, "_sequence", 1) == 0

    def _skip(self, length: int) -> None:
        self.skip = (self.skip or 0) - length
        if self.skip < 0:
            refuse(Reason.TOO_MUCH_SKIPPED_EARLY_DATA)

    def _check_first(self, buffer: bytes) -> None:
        """Say what arrived instead of TLS, as soon as it can be told."""
        first = buffer[0]
        if first in _FIRST and (len(buffer) < 2 or buffer[1] == 3):
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
