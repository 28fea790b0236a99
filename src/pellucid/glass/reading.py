"""Whatever was recorded, as traces: our own traces, captures, the hex of records or of a message.

RFC 8446 sections 4 and 5.1 for what stands at the beginning of a record and of a message.
"""

from __future__ import annotations

import io
from typing import NamedTuple

from pellucid.errors import Reason, UsageError
from pellucid.glass.capture import Capture, KeyRing, conversations, listen
from pellucid.glass.capture.passive import overhear
from pellucid.glass.capture.tcp import Chunk, Conversation
from pellucid.glass.trace import Trace
from pellucid.wire.codepoints import HandshakeType

_HANDSHAKE = 22
_RECORDS = range(20, 25)


class Recorded(NamedTuple):
    """A connection that was read from somewhere. `title` says which, for a heading."""

    title: str
    trace: Trace


def read(data: bytes, ring: KeyRing | None = None) -> list[Recorded]:
    """The TLS connections in `data`.

    Parameters:
        data: a trace (JSON Lines), a capture (pcap, pcapng), TLS records or one handshake message, the
            latter two as they are or in hex with any spaces, colons and line ends.
        ring: keys to open captures with.

    Raises:
        UsageError: it is none of these (`Reason.BAD_CONFIG`).

    >>> hello = "16 03 01 00 05   01 00 00 01 00"
    >>> [one.title for one in read(hello.encode())]
    ['TLS records']
    """
    ring = KeyRing() if ring is None else ring
    if data.lstrip()[:1] == b"{":
        found = Trace.read_all(io.StringIO(data.decode("utf-8", "replace")))
        return [Recorded(f"a trace of the {one.role}, {one.name or 'no name'}", one) for one in found]
    if Capture.is_one(data):
        return _capture(data, ring)
    if not _looks_binary(data):
        data = _from_hex(data)
    return [_bare(data, ring)]


def _capture(data: bytes, ring: KeyRing) -> list[Recorded]:
    capture = Capture.read(data)
    ring.add(capture.secrets)
    found = []
    for conversation in conversations(capture.packets):
        trace = listen(conversation, ring)
        if trace is not None:
            name = f" ({trace.name})" if trace.name else ""
            found.append(Recorded(f"{conversation}{name}", trace))
    if not found:
        raise UsageError(
            Reason.BAD_CONFIG, f"no TLS connection is in this capture of {len(capture.packets)} packets"
        )
    return found


def _looks_binary(data: bytes) -> bool:
    return any(byte > 126 or byte < 9 for byte in data[:64])


def _from_hex(data: bytes) -> bytes:
    text = data.decode("ascii")
    if "-----BEGIN" in text:
        raise UsageError(Reason.BAD_CONFIG, "this is PEM; certificates are read by: pellucid cert show FILE")
    for mark in (":", ",", "0x", "0X", "{", "}"):
        text = text.replace(mark, " ")
    try:
        found = bytes.fromhex("".join(text.split()))
    except ValueError:
        raise UsageError(
            Reason.BAD_CONFIG, "this is no trace, no capture, and no hex of TLS records"
        ) from None
    if not found:
        raise UsageError(Reason.BAD_CONFIG, "there is nothing to decode")
    return found


def _bare(data: bytes, ring: KeyRing) -> Recorded:
    """Bytes without a network around them. Who sent them is told by the first message in them."""
    title = "TLS records"
    if data[0] not in _RECORDS or data[1:2] != b"\x03":
        size = int.from_bytes(data[1:4], "big")
        if data[0] not in HandshakeType.__members__.values() or len(data) != 4 + size:
            raise UsageError(
                Reason.BAD_CONFIG, f"these {len(data)} bytes are neither TLS records nor a handshake message"
            )
        title = "a handshake message"
        cuts = [data[at : at + 16384] for at in range(0, len(data), 16384)]
        data = b"".join(b"\x16\x03\x03" + len(cut).to_bytes(2, "big") + cut for cut in cuts)
    client = data[0] != _HANDSHAKE or data[5:6] not in (b"\x02", b"\x08", b"\x0b", b"\x0c", b"\x0d", b"\x0e")
    nowhere = ("", 0)
    return Recorded(title, overhear(Conversation(nowhere, nowhere, [Chunk(0.0, client, data)]), ring))
