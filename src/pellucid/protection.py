"""Protection of single records: what seals and opens them under one set of keys.

RFC 8446 section 5.2 to 5.4; RFC 5246 section 6.2.3; RFC 5288, 6655 and 7905 (AEADs in TLS 1.2).

A new epoch is a new protection. What makes it quick: AEAD objects are made once a key, the nonce is
one xor of integers, and a record costs one call into `cryptography` and no object of ours. Several
records at once are made in the very bytes that are handed out: a `BytesIO` lends them for writing and
gives them away uncopied. The halves that hold the protections are in `records`; CBC with HMAC is in
`legacy`.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from struct import Struct
from typing import Any

from cryptography.exceptions import InvalidTag

from pellucid.crypto.schedule13 import TrafficSecret
from pellucid.crypto.suites import Aead, Suite
from pellucid.errors import PeerMisbehaved, Reason, TLSError, refuse
from pellucid.limits import MAX_CIPHERTEXT_12, MAX_CIPHERTEXT_13, MAX_PLAINTEXT
from pellucid.secret import Secret

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
PLAIN, EARLY, HANDSHAKE_KEYS, APPLICATION = 0, 1, 2, 3  # epochs; TLS 1.2 knows 0 and 1 only
CHEAP_TO_COPY = 2048  # bytes: to copy fewer costs less than to make a view of them
RUN = 4 * MAX_PLAINTEXT  # bytes of data that are handed out in one piece: larger ones would cost page faults
_BYTES = tuple(bytes((number,)) for number in range(256))
_PROTECTED = b"\x17\x03\x03"  # how every protected record of TLS 1.3 begins (RFC 8446 section 5.2)
_header = Struct(">3sH").pack
_plain_header = Struct(">BHH").pack  # type, version, length (RFC 8446 section 5.1)
_associated = Struct(">QBHH").pack  # sequence number, type, version, length (RFC 5246 section 6.2.3.3)


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

    def seal_data(self, data: bytes, most: int) -> bytes:
        """The short way: application data in records of `most` bytes each.

        b"": nothing has happened, and `seal` is to be asked for each record.
        """
        return b""


class Opening:
    """Opens incoming records under one set of keys.

    Attributes:
        max_ciphertext: bytes that a record may have behind its header.
    """

    __slots__ = ("epoch",)
    epoch: int
    max_ciphertext: int

    def open(self, content_type: int, header: bytes, payload: Any) -> tuple[int, bytes]:
        """Content type and plaintext. Raises PeerMisbehaved."""
        raise NotImplementedError

    def open_data(self, header: bytes, payload: Any) -> bytes:
        """The short way: the plaintext of a record as long as its header says, if it is application data.

        b"": it is not, or it is empty, or wrong. Nothing has happened, and `open` is to judge.
        """
        return b""

    def open_run(self, buffer: bytes, start: int) -> tuple[bytes, int]:
        """`open_data` for the records from `start` on, up to `RUN` bytes: their data, and where they end.

        What comes next is not application data, is not complete yet, or is wrong.
        """
        found: list[bytes] = []
        size, last = len(buffer), start + RUN
        while size - start > 5 and start < last:
            stop = start + 5 + (buffer[start + 3] << 8 | buffer[start + 4])
            if stop > size or not (
                data := self.open_data(buffer[start : start + 5], memoryview(buffer)[start + 5 : stop])
            ):
                break
            found.append(data)
            start = stop
        return b"".join(found), start

    def limit(self, size: int) -> None:
        """From now on no more than `size` bytes of plaintext (RFC 8449 section 4, RFC 6066 section 4)."""
        raise NotImplementedError


# -- no protection -----------------------------------------------------------------------------------


class PlainSealing(Sealing):
    """Records before any keys. A ClientHello says TLS 1.0 in its record (RFC 8446 section 5.1)."""

    __slots__ = ("version",)
    epoch = PLAIN

    def __init__(self, version: int = 0x0303) -> None:
        self.version = version

    def seal(self, content_type: int, fragment: bytes) -> bytes:
        """RFC 8446 section 5.1."""
        return _plain_header(content_type, self.version, len(fragment)) + fragment


class PlainOpening(Opening):
    """Records before any keys."""

    __slots__ = ()
    epoch = PLAIN
    max_ciphertext = MAX_PLAINTEXT

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

    __slots__ = ("_aead", "_cipher", "_iv", "_limit", "_sequence", "_tag", "_traffic", "padding")

    def __init__(
        self, aead: Aead, traffic: TrafficSecret, epoch: int, padding: Callable[[int], int] | None = None
    ) -> None:
        self._aead = aead
        self._traffic: TrafficSecret | None = traffic
        self._cipher: Any = None
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
        self._cipher = cipher = aead.make(key)
        return cipher

    def seal(self, content_type: int, fragment: bytes) -> bytes:
        """One record; `padding(size)` says how many zeros to add (RFC 8446 section 5.4)."""
        sequence = self._sequence
        if sequence >= self._limit and content_type == APPLICATION_DATA:  # the rest is few, and ends it
            raise TLSError(Reason.SEQUENCE_OVERFLOW)
        self._sequence = sequence + 1
        cipher = self._cipher
        if cipher is None:
            cipher = self._begin()
        inner = fragment + _BYTES[content_type]
        if self.padding is not None:
            inner += bytes(self.padding(len(fragment)))
        header = _header(_PROTECTED, len(inner) + self._tag)
        return header + cipher.encrypt((self._iv ^ sequence).to_bytes(12, "big"), inner, header)  # type: ignore[no-any-return]

    def seal_data(self, data: bytes, most: int) -> bytes:
        """See `Sealing.seal_data`. All records are laid out in clear, then each is sealed where it stands."""
        sequence, size = self._sequence, len(data)
        last = sequence + (size + most - 1) // most
        if self.padding is not None or last > self._limit:
            return b""
        encrypt_into = (self._cipher or self._begin()).encrypt_into
        iv, tag = self._iv, self._tag
        behind = b"\x17" + bytes(tag)  # the content type, and room for the tag
        view, rest = memoryview(data), size % most
        header = _header(_PROTECTED, most + 1 + tag)
        parts: list[bytes | memoryview] = []
        for at in range(0, size - rest, most):
            parts += header, view[at : at + most], behind
        if rest:
            parts += _header(_PROTECTED, rest + 1 + tag), view[-rest:], behind
        self._sequence = last
        whole = BytesIO(b"".join(parts))
        stop = 0
        with whole.getbuffer() as wire:
            for header in parts[::3]:  # type: ignore[assignment]
                start = stop + 5
                stop = start + (header[3] << 8 | header[4])
                nonce = (iv ^ sequence).to_bytes(12, "big")
                encrypt_into(nonce, wire[start : stop - tag], header, wire[start:stop])
                sequence += 1
        return whole.getvalue()


class Opening13(Opening):
    """RFC 8446 section 5.2. Key and IV are made for the first record, as in `Sealing13`."""

    __slots__ = ("_aead", "_cipher", "_iv", "_sequence", "_tag", "_traffic", "max_inner")
    max_ciphertext = MAX_CIPHERTEXT_13

    def __init__(self, aead: Aead, traffic: TrafficSecret, epoch: int) -> None:
        self._aead = aead
        self._traffic: TrafficSecret | None = traffic
        self._cipher: Any = None
        self._sequence = 0
        self._tag = aead.tag_length
        self.epoch = epoch
        self.max_inner = MAX_PLAINTEXT + 1

    def _begin(self) -> Any:
        aead = self._aead
        traffic, self._traffic = self._traffic, None
        key, iv = traffic.key_and_iv(aead)  # type: ignore[union-attr]
        self._iv = int.from_bytes(iv, "big")
        self._cipher = cipher = aead.make(key)
        return cipher

    def open(self, content_type: int, header: bytes, payload: Any) -> tuple[int, bytes]:
        """The inner content type and its content, without the padding."""
        sequence = self._sequence
        cipher = self._cipher
        if cipher is None:
            cipher = self._begin()
        try:
            inner: bytes = cipher.decrypt((self._iv ^ sequence).to_bytes(12, "big"), payload, header)
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

    def open_data(self, header: bytes, payload: Any) -> bytes:
        """See `Opening.open_data`."""
        if header[:3] != _PROTECTED:
            return b""
        cipher = self._cipher
        if cipher is None:
            cipher = self._begin()
        try:
            inner: bytes = cipher.decrypt((self._iv ^ self._sequence).to_bytes(12, "big"), payload, header)
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

    def open_run(self, buffer: bytes, start: int) -> tuple[bytes, int]:
        """See `Opening.open_run`. Each record is opened where its data belongs, over the last one's type.

        What a record with a wrong tag leaves there is cut off before anybody sees it.
        """
        decrypt_into = (self._cipher or self._begin()).decrypt_into
        sequence, iv, tag, size, at = self._sequence, self._iv, self._tag, len(buffer), 0
        room = min(size - start, RUN + 1)
        whole = BytesIO(bytes(room))
        with whole.getbuffer() as data, memoryview(buffer) as view:
            while size - start > 5:
                first = start + 5
                header = buffer[start:first]
                stop = first + (header[3] << 8 | header[4])
                inner = stop - first - tag
                end = at + inner
                if stop > size or end > room or header[:3] != _PROTECTED or not 1 < inner <= self.max_inner:
                    break
                try:
                    decrypt_into((iv ^ sequence).to_bytes(12, "big"), view[first:stop], header, data[at:end])
                except InvalidTag:
                    break
                if not data[end - 1]:  # RFC 8446 5.4
                    end = at + len(bytes(data[at:end]).rstrip(b"\0"))
                if end - at < 2 or data[end - 1] != APPLICATION_DATA:
                    break
                at, start, sequence = end - 1, stop, sequence + 1
        self._sequence = sequence
        whole.truncate(at)
        return whole.getvalue(), start

    def limit(self, size: int) -> None:
        """See `Opening.limit`; the content type counts."""
        self.max_inner = size


# -- TLS 1.2 with an AEAD ----------------------------------------------------------------------------


class Sealing12(Sealing):
    """RFC 5246 section 6.2.3.3: GCM and CCM carry 8 bytes of nonce, ChaCha20-Poly1305 none."""

    __slots__ = ("_encrypt", "_explicit", "_fixed", "_iv", "_limit", "_overhead", "_sequence")
    epoch = 1

    def __init__(self, suite: Suite, aead: Aead, key: Secret, iv: bytes) -> None:
        self._encrypt = aead.make(key).encrypt
        self._fixed = bytes(iv)
        self._iv = int.from_bytes(iv, "big")
        self._explicit = suite.explicit_nonce
        self._overhead = suite.explicit_nonce + aead.tag_length
        self._limit = aead.max_records
        self._sequence = 0

    def seal(self, content_type: int, fragment: bytes) -> bytes:
        """One record."""
        sequence = self._sequence
        if sequence >= self._limit and content_type == APPLICATION_DATA:  # an alert may still go out
            raise TLSError(Reason.SEQUENCE_OVERFLOW)
        self._sequence = sequence + 1
        size = len(fragment)
        associated = _associated(sequence, content_type, 0x0303, size)
        header = _plain_header(content_type, 0x0303, size + self._overhead)
        if self._explicit:
            number = sequence.to_bytes(8, "big")
            return header + number + self._encrypt(self._fixed + number, fragment, associated)
        return header + self._encrypt((self._iv ^ sequence).to_bytes(12, "big"), fragment, associated)

    def seal_data(self, data: bytes, most: int) -> bytes:
        """See `Sealing.seal_data`. Each record is sealed from where its data stands."""
        starts = range(0, len(data), most)
        if self._sequence + len(starts) > self._limit:
            return b""
        view: Any = memoryview(data)
        return b"".join([self.seal(APPLICATION_DATA, view[at : at + most]) for at in starts])


class Opening12(Opening):
    """RFC 5246 section 6.2.3.3."""

    __slots__ = ("_decrypt", "_explicit", "_fixed", "_iv", "_overhead", "_sequence", "max_inner")
    epoch = 1
    max_ciphertext = MAX_CIPHERTEXT_12

    def __init__(self, suite: Suite, aead: Aead, key: Secret, iv: bytes) -> None:
        self._decrypt = aead.make(key).decrypt
        self._fixed = bytes(iv)
        self._iv = int.from_bytes(iv, "big")
        self._explicit = suite.explicit_nonce
        self._overhead = suite.explicit_nonce + aead.tag_length
        self._sequence = 0
        self.max_inner = MAX_PLAINTEXT

    def open(self, content_type: int, header: bytes, payload: Any) -> tuple[int, bytes]:
        """Content type and plaintext."""
        sequence = self._sequence
        size = len(payload) - self._overhead
        if size < 0:
            refuse(Reason.BAD_RECORD_MAC, "the record is shorter than its tag")
        if size > self.max_inner:
            refuse(Reason.RECORD_OVERFLOW, f"{size} bytes")
        associated = _associated(sequence, content_type, 0x0303, size)
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

    def open_data(self, header: bytes, payload: Any) -> bytes:
        """See `Opening.open_data`."""
        if header[:3] != _PROTECTED or len(payload) <= self._overhead:
            return b""
        try:
            return self.open(APPLICATION_DATA, header, memoryview(payload))[1]
        except PeerMisbehaved:
            return b""

    def limit(self, size: int) -> None:
        """See `Opening.limit`."""
        self.max_inner = size
