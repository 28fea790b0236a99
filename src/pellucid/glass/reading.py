"""Whatever was recorded, as traces: our own traces, captures, records, a message, certificates; also as hex.

RFC 8446 sections 4 and 5.1 for what stands at the beginning of a record and of a message; RFC 5246 section
7.4.2 for the message that certificates by themselves are shown in; RFC 7468 (PEM).
"""

from __future__ import annotations

import contextlib
import io
import time
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.errors import Reason, TLSError, UsageError
from pellucid.glass.capture import Capture, KeyRing, conversations, listen
from pellucid.glass.capture.passive import overhear
from pellucid.glass.capture.tcp import Chunk, Conversation
from pellucid.glass.decode import load, name_text
from pellucid.glass.trace import Trace
from pellucid.trust.verification import Trust
from pellucid.wire.codepoints import HandshakeType

_HANDSHAKE = 22
_RECORDS = range(20, 25)
_PEM = b"-----BEGIN CERTIFICATE-----"
_SEQUENCE = b"\x30"
_SHOWN = (
    "Shown in the message in which a TLS 1.2 server sends it; judged today, by this system's authorities, for"
    " whatever name."
)


class Recorded(NamedTuple):
    """A connection that was read from somewhere.

    Attributes:
        title: which, for a heading.
        trace: what is known of it.
        about: how it came into a trace, a sentence where that is not plain.
    """

    title: str
    trace: Trace
    about: str = ""


def read(data: bytes, ring: KeyRing | None = None) -> list[Recorded]:
    """The TLS connections in `data`.

    Parameters:
        data: a trace (JSON Lines), a capture (pcap, pcapng), TLS records, one handshake message, or
            certificates, leaf first: PEM, or like the two before as they are, or in hex with any spaces,
            colons and line ends.
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
    if _PEM in data:
        return [_certificates(_from_pem(data), ring)]
    if not _looks_binary(data):
        data = _from_hex(data)
    chain = _from_der(data)
    return [_certificates(chain, ring) if chain else _bare(data, ring)]


# -- certificates by themselves -------------------------------------------------------------------------


def _from_pem(data: bytes) -> list[bytes]:
    """The certificates among PEM blocks; whatever else stands there, a key for one, is not looked at."""
    try:
        return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(data)]
    except ValueError:
        raise UsageError(Reason.BAD_CONFIG, "no certificate can be read from this PEM") from None


def _from_der(data: bytes) -> list[bytes]:
    """Certificates one behind the other (X.690 8.1); none where the bytes are anything else."""
    found = []
    while data:
        if data[:1] != _SEQUENCE or data[1:2] not in (b"\x81", b"\x82", b"\x83"):
            return []
        head = 2 + (data[1] & 0x7F)
        size = head + int.from_bytes(data[2:head], "big")
        if len(data) < size or load(data[:size]) is None:
            return []
        found.append(data[:size])
        data = data[size:]
    return found


def _certificates(chain: list[bytes], ring: KeyRing) -> Recorded:
    """Certificates in the message that carries them, judged by the system's authorities, for no name."""
    body = b"".join(len(der).to_bytes(3, "big") + der for der in chain)
    message = len(body).to_bytes(3, "big") + body
    trace = _bare(b"\x0b" + len(message).to_bytes(3, "big") + message, ring).trace
    with contextlib.suppress(TLSError):  # the checks tell
        Trust.system().verify_server_path(chain, time.time(), note=trace.keep)
    leaf = load(chain[0])
    whose = "" if leaf is None else f" of {name_text(leaf.subject)}"
    title = f"the certificate{whose}" if len(chain) == 1 else f"{len(chain)} certificates, the first{whose}"
    return Recorded(title, trace, _SHOWN)


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
        raise UsageError(Reason.BAD_CONFIG, "this is PEM, and holds no certificate")
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
