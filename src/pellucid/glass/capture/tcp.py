"""From packets to conversations: the bytes that each side of a TCP connection sent, in order.

RFC 791 and 8200 (IP), RFC 9293 (TCP). Segments that come twice, in pieces or in the wrong order are
put right; bytes that the capture missed end the side that they are missing from, and it says so.
IP fragments are left out: no TLS stack of this century sends its segments so.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pellucid.glass.capture.packets import (
    ETHERNET,
    IPV4,
    IPV6,
    LINUX_SLL,
    LINUX_SLL2,
    LOOP,
    NULL,
    RAW,
    Packet,
)

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_TCP = 6
_ETHERTYPES = {0x0800, 0x86DD}
_EXTENSIONS = {0, 43, 60, 135}  # IPv6 headers that may stand in front of TCP


class Chunk(NamedTuple):
    """Bytes that arrived in order. `client`: sent by the side that opened the connection."""

    at: float
    client: bool
    data: bytes


class Segment(NamedTuple):
    """A TCP segment. Addresses are (IP address as text, port)."""

    at: float
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    flags: int
    data: bytes


@dataclass(slots=True)
class Conversation:
    """One TCP connection.

    Attributes:
        client, server: (IP address as text, port).
        chunks: what both sides sent, in the order of time.
        gaps: bytes that the capture lacks, by side: {"client": 0, "server": 1448}.
    """

    client: tuple[str, int]
    server: tuple[str, int]
    chunks: list[Chunk] = field(default_factory=list)
    gaps: dict[str, int] = field(default_factory=lambda: {"client": 0, "server": 0})

    def __str__(self) -> str:
        return f"{_place(self.client)} -> {_place(self.server)}"


def _place(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def segment_of(packet: Packet) -> Segment | None:
    """The TCP segment in a packet; None if there is none, or if it cannot be read."""
    data = _network_layer(packet)
    if len(data) < 20:
        return None
    if data[0] >> 4 == 4:
        length = int.from_bytes(data[2:4], "big") or len(data)  # 0: segmentation offload
        fragment = int.from_bytes(data[6:8], "big") & 0x3FFF
        if data[9] != _TCP or fragment:
            return None
        source, target = data[12:16], data[16:20]
        body = data[(data[0] & 15) * 4 : length]
    elif data[0] >> 4 == 6 and len(data) >= 40:
        length = int.from_bytes(data[4:6], "big") or len(data)
        kind, at = data[6], 40
        while kind in _EXTENSIONS and at + 8 <= len(data):
            kind, at = data[at], at + 8 + data[at + 1] * 8
        if kind != _TCP:
            return None
        source, target = data[8:24], data[24:40]
        body = data[at : 40 + length]
    else:
        return None
    if len(body) < 20:
        return None
    return Segment(
        packet.at,
        (str(ipaddress.ip_address(source)), int.from_bytes(body[0:2], "big")),
        (str(ipaddress.ip_address(target)), int.from_bytes(body[2:4], "big")),
        int.from_bytes(body[4:8], "big"),
        body[13],
        body[(body[12] >> 4) * 4 :],
    )


def _network_layer(packet: Packet) -> bytes:
    """The IP packet without the link's header; empty if it carries something else."""
    data, link = packet.data, packet.link
    if link in (RAW, IPV4, IPV6):
        return data
    if link in (NULL, LOOP):
        return data[4:]
    if link == ETHERNET:
        at = 12
        while data[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):  # VLAN tags
            at += 4
        return data[at + 2 :] if int.from_bytes(data[at : at + 2], "big") in _ETHERTYPES else b""
    if link == LINUX_SLL:
        return data[16:] if int.from_bytes(data[14:16], "big") in _ETHERTYPES else b""
    if link == LINUX_SLL2:
        return data[20:] if int.from_bytes(data[0:2], "big") in _ETHERTYPES else b""
    return b""


class _Direction:
    """One side's bytes, put in order."""

    __slots__ = ("early", "next")

    def __init__(self) -> None:
        self.next: int | None = None
        self.early: dict[int, bytes] = {}

    def take(self, segment: Segment) -> bytes:
        """What has become readable with this segment."""
        sequence = segment.sequence
        if segment.flags & _SYN:
            self.next = (sequence + 1) & 0xFFFFFFFF
            return b""
        if not segment.data:
            return b""
        if self.next is None:  # the capture began in the middle
            self.next = sequence
        known = self.early.get(sequence, b"")
        if len(segment.data) > len(known):
            self.early[sequence] = segment.data
        return self._ready()

    def _ready(self) -> bytes:
        found = []
        while self.next is not None:
            for sequence, data in self.early.items():
                behind = (self.next - sequence) & 0xFFFFFFFF
                if behind < 0x80000000:  # it begins at or before what is wanted
                    del self.early[sequence]
                    if behind < len(data):
                        found.append(data[behind:])
                        self.next = (sequence + len(data)) & 0xFFFFFFFF
                    break
            else:
                break
        return b"".join(found)

    @property
    def missing(self) -> int:
        """Bytes between what was put in order and the first that came later."""
        if not self.early or self.next is None:
            return 0
        return min((sequence - self.next) & 0xFFFFFFFF for sequence in self.early)


def conversations(packets: Iterable[Packet]) -> list[Conversation]:
    """The TCP connections in `packets`, in the order in which they begin.

    The client is who sent the SYN; where the capture began later, who sent first.
    """
    found: list[Conversation] = []
    open_: dict[frozenset[tuple[str, int]], tuple[Conversation, dict[bool, _Direction]]] = {}
    for packet in packets:
        segment = segment_of(packet)
        if segment is None:
            continue
        pair = frozenset({segment.source, segment.target})
        begins = segment.flags & (_SYN | _ACK) == _SYN
        if pair not in open_ or (begins and open_[pair][0].chunks):
            if segment.flags & _RST or not (begins or segment.flags & _SYN or segment.data):
                continue
            answers = segment.flags & _SYN and not begins  # SYN-ACK: the server's
            client, server = (segment.target, segment.source) if answers else (segment.source, segment.target)
            open_[pair] = Conversation(client, server), {True: _Direction(), False: _Direction()}
            found.append(open_[pair][0])
        conversation, directions = open_[pair]
        client_sent = segment.source == conversation.client
        data = directions[client_sent].take(segment)
        if data:
            conversation.chunks.append(Chunk(segment.at, client_sent, data))
        for side, direction in (("client", directions[True]), ("server", directions[False])):
            conversation.gaps[side] = direction.missing
    return found
