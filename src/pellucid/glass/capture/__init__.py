"""Captures: from packets to traces, and from a trace to packets.

What somebody else recorded (tcpdump, Wireshark) becomes a `Trace` for every TLS connection in it,
opened with a key log (RFC 9850) or, where the key exchange is static RSA, with the server's private
key; from then on every view of the glass can show it. The other way round, a trace becomes a pcapng
file with its keys inside, which Wireshark opens decrypted.

    packets.py   the containers: pcap and pcapng, read and written
    tcp.py       IP and TCP: from packets to the bytes of each connection
    keys.py      key logs, and which secret is which
    passive.py   one connection, read by somebody who only listens
    export.py    a trace as packets

Nothing here drives a connection, and nothing but the standard library reads the packets.
"""

from __future__ import annotations

from pellucid.glass.capture.export import export, key_log_lines
from pellucid.glass.capture.keys import KeyRing
from pellucid.glass.capture.packets import Capture
from pellucid.glass.capture.passive import listen
from pellucid.glass.capture.tcp import conversations

__all__ = ["Capture", "KeyRing", "conversations", "export", "key_log_lines", "listen"]
