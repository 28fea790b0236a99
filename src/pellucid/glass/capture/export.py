"""Traces as packets: a pcapng file that Wireshark opens, decrypted.

draft-ietf-opsawg-pcapng; RFC 791, RFC 9293; RFC 9850 for the keys inside. A trace has records, not
packets: their TCP connection is made up around them, from a handshake to its end, with documentation
addresses (RFC 5737). What the records held, and when, is true.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pellucid.glass.capture.keys import LABELS
from pellucid.glass.capture.packets import RAW, Capture, Packet
from pellucid.glass.trace import Trace
from pellucid.secret import Secret
from pellucid.wire.codepoints import HandshakeType

CLIENT, CLIENT_PORT = bytes((192, 0, 2, 1)), 49152
SERVER, SERVER_PORT = bytes((198, 51, 100, 1)), 443
_SEGMENT = 16384  # bytes of a segment; as on a loopback device
_FIN, _SYN, _PSH, _ACK = 1, 2, 8, 16


def key_log_lines(trace: Trace) -> Iterator[str]:
    """The trace's secrets as lines of a key log (RFC 9850); none if they were not kept.

    The client random that names the connection is the one of its last ClientHello.
    """
    random = b""
    for fact in trace.of("message"):
        if fact.fields["type"] == HandshakeType.client_hello:
            random = fact.fields["raw"][6:38]
    for fact in trace.of("secret"):
        name, value = fact.fields["name"], fact.fields["value"]
        if name == "key_block":  # TLS 1.2: a resumption takes its master secret from the session
            name, value = "master_secret", fact.fields["inputs"]["master_secret"]
        elif name == "master_secret":  # TLS 1.3's own is another thing, and in no key log
            continue
        if name in LABELS and isinstance(value, Secret):
            yield f"{LABELS[name]} {random.hex()} {value.reveal().hex()}"


def export(*traces: Trace, secrets: bool = True) -> bytes:
    """Traces as a pcapng file, each a TCP connection of its own.

    Parameters:
        traces: of either side.
        secrets: put the keys in, so that whoever has the file can read everything.
    """
    capture = Capture()
    for number, trace in enumerate(traces):
        capture.packets += _Line(trace, CLIENT_PORT + number).packets()
        capture.secrets += key_log_lines(trace) if secrets else []
    return capture.pcapng("TLS records of pellucid traces; the TCP connections around them are made up")


class _Line:
    """A TCP connection, made up."""

    def __init__(self, trace: Trace, port: int) -> None:
        self.trace = trace
        client, server = (CLIENT, port), (SERVER, SERVER_PORT)
        self.ways = {True: (client, server), False: (server, client)}
        self.numbers = {True: 1000, False: 2000}  # what each side sends next; True is the client

    def packets(self) -> Iterator[Packet]:
        """From the handshake to the end."""
        trace = self.trace
        at = trace.started
        yield self._packet(at, True, _SYN)
        yield self._packet(at, False, _SYN | _ACK)
        yield self._packet(at, True, _ACK)
        for fact in trace.of("record"):
            client = fact.fields["sent"] == (trace.role == "client")
            at = trace.started + fact.at
            wire = fact.fields["wire"]
            left = fact.fields.get("size", len(wire))  # a sampled record has its head only
            while left:
                size = min(left, _SEGMENT)
                yield self._packet(at, client, _PSH | _ACK, wire[:size], size)
                wire, left = wire[size:], left - size
            yield self._packet(at, not client, _ACK)
        yield self._packet(at, True, _FIN | _ACK)
        yield self._packet(at, False, _FIN | _ACK)
        yield self._packet(at, True, _ACK)

    def _packet(self, at: float, client: bool, flags: int, data: bytes = b"", size: int = 0) -> Packet:
        source, target = self.ways[client]
        acknowledged = self.numbers[not client] if flags & _ACK else 0
        segment = struct.pack(
            ">HHIIBBHHH", source[1], target[1], self.numbers[client], acknowledged, 0x50, flags, 65535, 0, 0
        )
        total = 40 + size
        head = struct.pack(">BBHHHBBH", 0x45, 0, total, 0, 0x4000, 64, 6, 0) + source[0] + target[0]
        head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
        pseudo = source[0] + target[0] + struct.pack(">BBH", 0, 6, 20 + size)
        if len(data) == size:
            check = _checksum(pseudo + segment + data)
            segment = segment[:16] + struct.pack(">H", check) + segment[18:]
        self.numbers[client] += size + bool(flags & (_SYN | _FIN))
        return Packet(at, RAW, head + segment + data, total)


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
