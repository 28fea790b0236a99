"""The record layer: framing and protection, a reading half and a writing half.

RFC 8446 section 5; RFC 5246 section 6; RFC 5288, 6655 and 7905 (AEADs in TLS 1.2); RFC 8449 (sizes).

The halves share nothing, so that one thread may block in reading while another writes. Each half
holds one *protection* at a time, an object that seals or opens single records under one set of
keys; a new epoch is a new protection. What makes it quick: AEAD objects are made once a key, the
nonce is one xor of integers, a record costs one call into `cryptography` and no object of ours,
and writes are gathered until somebody asks for the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, NoReturn

from cryptography.exceptions import InvalidTag

from pellucid.crypto.schedule13 import TrafficSecret
from pellucid.crypto.suites import Aead, Suite
from pellucid.errors import PeerMisbehaved, Reason, TLSError, refuse
from pellucid.limits import MAX_CIPHERTEXT_12, MAX_CIPHERTEXT_13, MAX_PLAINTEXT
from pellucid.secret import Secret

Note = Callable[[tuple[Any, ...]], None]  # takes a raw fact, see `pellucid.glass.telling`

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
_BYTES = tuple(bytes((number,)) for number in range(256))
_PROTECTED = b"\x17\x03\x03"  # how every protected record of TLS 1.3 begins (RFC 8446 section 5.2)
_header = Struct(">3sH").pack
_RUN = 4  # records whose data is handed out in one piece: larger ones would cost page faults
_CHEAP_TO_COPY = 2048  # bytes: to copy fewer costs less than to make a view of them
PLAIN, EARLY, HANDSHAKE_KEYS, APPLICATION = 0, 1, 2, 3  # epochs; TLS 1.2 knows 0 and 1 only


class Sealing:
    """Protects outgoing records under one set of keys."""

    __slots__ = ("epoch",)
    epoch: int

    def seal(self, content_type: int, fragment: bytes) -> bytes:
        """The whole record: header and protected fragment.

        Raises:
            TLSError: `Reason.SEQUENCE_OVERFLOW`: the keys have protected as much as they may (RFC 8446
                section 5.5), and this is application data.
        """
        raise NotImplementedError

    def seal_data(self, data: bytes, most: int) -> list[bytes]:
        """The short way: application data in records of `most` bytes each; their parts, in order.

        []: nothing has happened, and `seal` is to be asked for each record.
        """
        return []


class Opening:
    """Opens incoming records under one set of keys."""

    __slots__ = ("epoch", "max_ciphertext")
    epoch: int
    max_ciphertext: int

    def open(self, content_type: int, header: bytes, payload: Any) -> tuple[int, bytes]:
        """Content type and plaintext. Raises PeerMisbehaved."""
        raise NotImplementedError

    def open_data(self, buffer: bytes, start: int, stop: int) -> bytes:
        """The short way: the plaintext of `buffer[start:stop]`, if that is one record of application data.

        b"": it is not, or it is empty, or wrong. Nothing has happened, and `open` is to judge.
        """
        return b""

    def limit(self, size: int) -> None:
        """From now on no more than `size` bytes of plaintext (RFC 8449 section 4, RFC 6066 section 4)."""
        raise NotImplementedError


# -- no protection -----------------------------------------------------------------------------------


class PlainSealing(Sealing):
    """Records before any keys. A ClientHello says TLS 1.0 in its record (RFC 8446 section 5.1)."""

    __slots__ = ("version",)

    def __init__(self, version: int = 0x0303) -> None:
        self.epoch = PLAIN
        self.version = version

    def seal(self, content_type: int, fragment: bytes) -> bytes:
        """RFC 8446 section 5.1."""
        size = len(fragment)
        return b"%c\x03%c%c%c%b" % (content_type, self.version & 255, size >> 8, size & 255, fragment)


class PlainOpening(Opening):
    """Records before any keys."""

    __slots__ = ()

    def __init__(self) -> None:
        self.epoch = PLAIN
        self.max_ciphertext = MAX_PLAINTEXT

    def open(self, content_type: int, header: bytes, payload: Any) -> tuple[int, bytes]:
        """RFC 8446 section 5.1."""
        return content_type, bytes(payload)

    def limit(self, size: int) -> None:
        """RFC 8449 section 4: unprotected messages are not subject to it."""


# -- TLS 1.3 -----------------------------------------------------------------------------------------


class Sealing13(Sealing):
    """RFC 8446 section 5.2: the content type goes inside; outside all looks like application data.

    Key and IV are made of the traffic secret for the first record: whoever is never spoken to under
    it (an idle connection, a refused handshake) does not pay for them.
    """

    __slots__ = ("_aead", "_encrypt", "_iv", "_limit", "_sequence", "_tag", "_traffic", "padding")

    def __init__(
        self, aead: Aead, traffic: TrafficSecret, epoch: int, padding: Callable[[int], int] | None = None
    ) -> None:
        self._aead = aead
        self._traffic: TrafficSecret | None = traffic
        self._encrypt: Any = None
        self._sequence = 0
        self._limit = aead.max_records
        self._tag = aead.tag_length
        self.epoch = epoch
        self.padding = padding

    def _begin(self) -> Any:
        aead = self._aead
        traffic, self._traffic = self._traffic, None
        key, iv = traffic.key_and_iv(aead)  # type: ignore[union-attr]
        self._iv = int.from_bytes(iv, "big")
        self._encrypt = encrypt = aead.make(key).encrypt
        return encrypt

    def seal(self, content_type: int, fragment: bytes) -> bytes:
        """One record; `padding(size)` says how many zeros to add (RFC 8446 section 5.4)."""
        sequence = self._sequence
        if sequence >= self._limit and content_type == APPLICATION_DATA:  # the rest is few, and ends it
            raise TLSError(Reason.SEQUENCE_OVERFLOW)
        self._sequence = sequence + 1
        encrypt = self._encrypt
        if encrypt is None:
            encrypt = self._begin()
        if self.padding is not None:
            inner = b"".join((fragment, _BYTES[content_type], bytes(self.padding(len(fragment)))))
        elif type(fragment) is bytes:
            inner = fragment + _BYTES[content_type]
        else:
            inner = b"".join((fragment, _BYTES[content_type]))
        header = _header(_PROTECTED, len(inner) + self._tag)
        return header + encrypt((self._iv ^ sequence).to_bytes(12, "big"), inner, header)  # type: ignore[no-any-return]

    def seal_data(self, data: bytes, most: int) -> list[bytes]:
        """See `Sealing.seal_data`."""
        sequence, size = self._sequence, len(data)
        last = sequence + (size + most - 1) // most
        if self.padding is not None or last > self._limit:
            return []
        encrypt = self._encrypt or self._begin()
        iv = self._iv
        self._sequence = last
        view = memoryview(data)
        parts: list[bytes] = []
        for at in range(0, size, most):
            inner = b"".join((view[at : at + most], b"\x17"))
            header = _header(_PROTECTED, len(inner) + self._tag)
            parts += header, encrypt((iv ^ sequence).to_bytes(12, "big"), inner, header)
            sequence += 1
        return parts


class Opening13(Opening):
    """RFC 8446 section 5.2. Key and IV are made for the first record, as in `Sealing13`."""

    __slots__ = ("_aead", "_decrypt", "_iv", "_sequence", "_traffic", "max_inner")

    def __init__(self, aead: Aead, traffic: TrafficSecret, epoch: int) -> None:
        self._aead = aead
        self._traffic: TrafficSecret | None = traffic
        self._decrypt: Any = None
        self._sequence = 0
        self.epoch = epoch
        self.max_ciphertext = MAX_CIPHERTEXT_13
        self.max_inner = MAX_PLAINTEXT + 1

    def _begin(self) -> Any:
        aead = self._aead
        traffic, self._traffic = self._traffic, None
        key, iv = traffic.key_and_iv(aead)  # type: ignore[union-attr]
        self._iv = int.from_bytes(iv, "big")
        self._decrypt = decrypt = aead.make(key).decrypt
        return decrypt

    def open(self, content_type: int, header: bytes, payload: Any) -> tuple[int, bytes]:
        """The inner content type and its content, without the padding."""
        sequence = self._sequence
        decrypt = self._decrypt
        if decrypt is None:
            decrypt = self._begin()
        try:
            inner: bytes = decrypt((self._iv ^ sequence).to_bytes(12, "big"), payload, header)
        except (InvalidTag, ValueError):
            refuse(Reason.BAD_RECORD_MAC)
        if content_type != APPLICATION_DATA:  # authentic, so it is the peer who is wrong
            refuse(Reason.INVALID_OUTER_RECORD_TYPE, f"type {content_type}")
        self._sequence = sequence + 1
        if len(inner) > self.max_inner:
            refuse(Reason.RECORD_OVERFLOW, f"{len(inner) - 1} bytes")
        if inner and (kind := inner[-1]) > CHANGE_CIPHER_SPEC:
            return kind, inner[:-1]
        inner = inner.rstrip(b"\0")  # RFC 8446 5.4
        if not inner:
            refuse(Reason.NO_CONTENT_TYPE)
        if inner[-1] == CHANGE_CIPHER_SPEC:
            refuse(Reason.UNEXPECTED_RECORD, "a protected ChangeCipherSpec")
        return inner[-1], inner[:-1]

    def open_data(self, buffer: bytes, start: int, stop: int) -> bytes:
        """See `Opening.open_data`."""
        first = start + 5
        header = buffer[start:first]
        if header != _header(_PROTECTED, stop - first & 0xFFFF):
            return b""
        decrypt = self._decrypt
        if decrypt is None:
            decrypt = self._begin()
        small = stop - first < _CHEAP_TO_COPY
        payload = buffer[first:stop] if small else memoryview(buffer)[first:stop]
        try:
            inner: bytes = decrypt((self._iv ^ self._sequence).to_bytes(12, "big"), payload, header)
        except (InvalidTag, ValueError):
            return b""
        if not 1 < len(inner) <= self.max_inner:
            return b""
        if inner[-1] != APPLICATION_DATA:
            inner = inner.rstrip(b"\0")  # RFC 8446 5.4
            if len(inner) < 2 or inner[-1] != APPLICATION_DATA:
                return b""
        self._sequence += 1
        return inner[:-1]

    def limit(self, size: int) -> None:
        """See `Opening.limit`; the content type counts."""
        self.max_inner = size


# -- TLS 1.2 with an AEAD ----------------------------------------------------------------------------


class Sealing12(Sealing):
    """RFC 5246 section 6.2.3.3: GCM and CCM carry 8 bytes of nonce, ChaCha20-Poly1305 none."""

    __slots__ = ("_encrypt", "_explicit", "_fixed", "_iv", "_limit", "_overhead", "_sequence")

    def __init__(self, suite: Suite, aead: Aead, key: Secret, iv: bytes) -> None:
        self._encrypt = aead.make(key).encrypt
        self._fixed = bytes(iv)
        self._iv = int.from_bytes(iv, "big")
        self._explicit = suite.explicit_nonce
        self._overhead = suite.explicit_nonce + aead.tag_length
        self._limit = aead.max_records
        self._sequence = 0
        self.epoch = 1

    def seal(self, content_type: int, fragment: bytes) -> bytes:
        """One record."""
        sequence = self._sequence
        if sequence >= self._limit and content_type == APPLICATION_DATA:  # an alert may still go out
            raise TLSError(Reason.SEQUENCE_OVERFLOW)
        self._sequence = sequence + 1
        number = sequence.to_bytes(8, "big")
        size = len(fragment)
        associated = b"%b%c\x03\x03%c%c" % (number, content_type, size >> 8, size & 255)
        total = size + self._overhead
        header = b"%c\x03\x03%c%c" % (content_type, total >> 8, total & 255)
        if self._explicit:
            return header + number + self._encrypt(self._fixed + number, fragment, associated)
        return header + self._encrypt((self._iv ^ sequence).to_bytes(12, "big"), fragment, associated)


class Opening12(Opening):
    """RFC 5246 section 6.2.3.3."""

    __slots__ = ("_decrypt", "_explicit", "_fixed", "_iv", "_overhead", "_sequence", "max_inner")

    def __init__(self, suite: Suite, aead: Aead, key: Secret, iv: bytes) -> None:
        self._decrypt = aead.make(key).decrypt
        self._fixed = bytes(iv)
        self._iv = int.from_bytes(iv, "big")
        self._explicit = suite.explicit_nonce
        self._overhead = suite.explicit_nonce + aead.tag_length
        self._sequence = 0
        self.epoch = 1
        self.max_ciphertext = MAX_CIPHERTEXT_12
        self.max_inner = MAX_PLAINTEXT

    def open(self, content_type: int, header: bytes, payload: Any) -> tuple[int, bytes]:
        """Content type and plaintext."""
        sequence = self._sequence
        size = len(payload) - self._overhead
        if size < 0:
            refuse(Reason.BAD_RECORD_MAC, "the record is shorter than its tag")
        if size > self.max_inner:
            refuse(Reason.RECORD_OVERFLOW, f"{size} bytes")
        associated = b"%b%c\x03\x03%c%c" % (sequence.to_bytes(8, "big"), content_type, size >> 8, size & 255)
        try:
            if self._explicit:
                nonce = self._fixed + bytes(payload[:8])
                inner = self._decrypt(nonce, payload[8:], associated)
            else:
                inner = self._decrypt((self._iv ^ sequence).to_bytes(12, "big"), payload, associated)
        except (InvalidTag, ValueError):
            refuse(Reason.BAD_RECORD_MAC)
        self._sequence = sequence + 1
        return content_type, inner

    def open_data(self, buffer: bytes, start: int, stop: int) -> bytes:
        """See `Opening.open_data`."""
        first = start + 5
        header = buffer[start:first]
        if stop - first <= self._overhead or header != _header(_PROTECTED, stop - first & 0xFFFF):
            return b""
        try:
            return self.open(APPLICATION_DATA, header, memoryview(buffer)[first:stop])[1]
        except PeerMisbehaved:
            return b""

    def limit(self, size: int) -> None:
        """See `Opening.limit`."""
        self.max_inner = size


# -- the halves --------------------------------------------------------------------------------------


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
            if short and (parts := self.protection.seal_data(data, most)):
                self._out += parts
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
        open_data = self.protection.open_data
        found: list[bytes] = []
        while size - pos > 5 and len(found) < _RUN:
            stop = pos + 5 + (buffer[pos + 3] << 8 | buffer[pos + 4])
            if stop > size or not (data := open_data(buffer, pos, stop)):
                break
            found.append(data)
            pos = stop
        if pos == size:
            self.buffer, self._pos = b"", 0  # an idle connection keeps no bytes
        else:
            self._pos = pos
        return found[0] if len(found) == 1 else b"".join(found)

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
            payload = buffer[start:stop] if length < _CHEAP_TO_COPY else memoryview(buffer)[start:stop]
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
