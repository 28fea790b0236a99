"""The containers of captured packets: pcap and pcapng.

draft-ietf-opsawg-pcap (pcap) and draft-ietf-opsawg-pcapng (pcapng: Section Header, Interface
Description, Enhanced, Simple and Decryption Secrets Block). Both kinds come in either byte order and
with different resolutions of time; what is read has seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pellucid.errors import Reason, UsageError

#: Link types (www.tcpdump.org/linktypes.html).
NULL, ETHERNET, RAW, LOOP, LINUX_SLL, LINUX_SLL2, IPV4, IPV6 = 0, 1, 101, 108, 113, 276, 228, 229

_SECTION, _INTERFACE, _SIMPLE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 3, 6, 10
_BYTE_ORDER = 0x1A2B3C4D
_TLS_KEY_LOG = 0x544C534B  # "TLSK"
_OPTION_TSRESOL = 9
_PCAP = {0xA1B2C3D4: 1e-6, 0xA1B23C4D: 1e-9}
_MOST = 1 << 27  # bytes of one block; more is not a packet but a mistake


class Packet(NamedTuple):
    """One packet. `at` is in seconds (of the epoch, as a rule); `size` is what was on the wire."""

    at: float
    link: int
    data: bytes
    size: int


@dataclass(slots=True)
class Capture:
    """A file of packets, read.

    Attributes:
        packets: in the order of the file.
        secrets: lines of TLS key logs that the file itself holds (pcapng's Decryption Secrets Block).
        cut: the file ended in the middle of a packet; what was whole is here.

    >>> capture = Capture([Packet(1.5, RAW, b"\\x45", 1)], ["CLIENT_RANDOM 00 11"])
    >>> again = Capture.read(capture.pcapng())
    >>> again.packets == capture.packets, again.secrets == capture.secrets
    (True, True)
    """

    packets: list[Packet] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    cut: bool = False

    @staticmethod
    def is_one(data: bytes) -> bool:
        """Whether `data` begins as a pcap or pcapng file does."""
        if len(data) < 4:
            return False
        magics = {int.from_bytes(data[:4], "big"), int.from_bytes(data[:4], "little")}
        return bool(magics & {_SECTION, *_PCAP})

    @classmethod
    def read(cls, data: bytes) -> Capture:
        """Read a whole file.

        Raises:
            UsageError: it is neither pcap nor pcapng (`Reason.BAD_CONFIG`).
        """
        if not cls.is_one(data):
            raise UsageError(Reason.BAD_CONFIG, "this is neither a pcap nor a pcapng file")
        capture = cls()
        try:
            if data[:4] == _SECTION.to_bytes(4, "big"):
                capture._read_pcapng(data)
            else:
                capture._read_pcap(data)
        except struct.error:
            capture.cut = True
        return capture

    # -- pcap --------------------------------------------------------------------------------------

    def _read_pcap(self, data: bytes) -> None:
        order = ">" if int.from_bytes(data[:4], "big") in _PCAP else "<"
        magic, _, _, _, _, _, link = struct.unpack_from(order + "IHHiIII", data)
        unit = _PCAP[magic]
        at = 24
        while at < len(data):
            seconds, fraction, kept, size = struct.unpack_from(order + "IIII", data, at)
            at += 16
            if kept > _MOST or at + kept > len(data):
                self.cut = True
                return
            moment = seconds + fraction * unit
            self.packets.append(Packet(moment, link & 0xFFFF, data[at : at + kept], size))
            at += kept

    # -- pcapng ------------------------------------------------------------------------------------

    def _read_pcapng(self, data: bytes) -> None:
        order = "<"
        interfaces: list[tuple[int, float]] = []  # link type, seconds a tick
        at = 0
        while at < len(data):
            if data[at : at + 4] == _SECTION.to_bytes(4, "big"):
                mark = data[at + 8 : at + 12]
                order = ">" if mark == _BYTE_ORDER.to_bytes(4, "big") else "<"
                interfaces = []
            kind, length = struct.unpack_from(order + "II", data, at)
            if length < 12 or length > _MOST or at + length > len(data):
                self.cut = True
                return
            body = data[at + 8 : at + length - 4]
            at += length
            if kind == _INTERFACE:
                interfaces.append(_interface(order, body))
            elif kind == _ENHANCED:
                which, high, low, kept, size = struct.unpack_from(order + "IIIII", body)
                if which < len(interfaces):
                    link, tick = interfaces[which]
                    moment = (high << 32 | low) * tick
                    self.packets.append(Packet(moment, link, body[20 : 20 + kept], size))
            elif kind == _SIMPLE and interfaces:
                (size,) = struct.unpack_from(order + "I", body)
                self.packets.append(Packet(0.0, interfaces[0][0], body[4 : 4 + size], size))
            elif kind == _SECRETS:
                secrets, count = struct.unpack_from(order + "II", body)
                if secrets == _TLS_KEY_LOG:
                    self.secrets += body[8 : 8 + count].decode("ascii", "replace").splitlines()

    def pcapng(self, comment: str = "") -> bytes:
        """The capture as a pcapng file, its secrets in front of its packets."""
        return b"".join(_blocks(self.packets, self.secrets, comment))


def _interface(order: str, body: bytes) -> tuple[int, float]:
    """Link type and the length of a tick in seconds (option if_tsresol; microseconds without it)."""
    (link,) = struct.unpack_from(order + "H", body)
    tick = 1e-6
    at = 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        if code == _OPTION_TSRESOL and length == 1 and at + 4 < len(body):
            exponent = body[at + 4]
            tick = 2.0 ** -(exponent & 0x7F) if exponent & 0x80 else 10.0**-exponent
        at += 4 + (length + 3 & ~3)
    return link, tick


def _blocks(packets: Iterable[Packet], secrets: Iterable[str], comment: str) -> Iterator[bytes]:
    text = comment.encode()
    options = _option(1, text) + _option(0, b"") if text else b""
    yield _block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + options)
    lines = "".join(line + "\n" for line in secrets).encode("ascii")
    if lines:
        yield _block(_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(lines)) + lines)
    known: list[int] = []
    for packet in packets:
        if packet.link not in known:
            known.append(packet.link)
            yield _block(_INTERFACE, struct.pack("<HHI", packet.link, 0, 0))
        ticks = round(packet.at * 1e6)
        head = (known.index(packet.link), ticks >> 32, ticks & 0xFFFFFFFF, len(packet.data), packet.size)
        yield _block(_ENHANCED, struct.pack("<IIIII", *head) + packet.data)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
