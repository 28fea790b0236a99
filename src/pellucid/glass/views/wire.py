"""The eavesdropper's view: the same connection as somebody on the wire sees it, beside what the ends see.

RFC 8446 section 5 and appendix E; RFC 5246 section 6.2; RFC 7258. And what becomes of the recording when
the server's key leaks next year: with static RSA it is decrypted, from the wire bytes and the
server's private key alone; with an ephemeral key exchange it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from pellucid.glass import gist
from pellucid.glass.crossings import OTHER, Crossing, crossings
from pellucid.glass.decode import Reader, chain_of, load, names_of
from pellucid.glass.eavesdropper import Attempt, Opened, Recording
from pellucid.glass.fields import Field
from pellucid.glass.show import Said, listing
from pellucid.glass.trace import Fact, Trace
from pellucid.glass.views.bytes import plain
from pellucid.glass.views.common import Entry
from pellucid.protection import APPLICATION_DATA, HANDSHAKE
from pellucid.wire.codepoints import ContentType
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.framing import RecordHeader


@dataclass(frozen=True, slots=True)
class Inside:
    """What the ends find in a record: a crossing, or a part of it."""

    id: str
    name: str
    gist: str
    part: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One record on the wire.

    Attributes:
        number: in the order of the trace, from 0.
        outside: what somebody on the wire sees of it, in words.
        legible: whether that is all of it: nothing in it is encrypted.
        header: the five bytes that are never encrypted, field by field.
        wire: its bytes; `size` is their true number where the trace shortened it.
        inside: what the ends find in it.
        plaintext: the same as bytes; None where the trace does not hold it.
    """

    number: int
    at: float
    sender: str
    type: str
    epoch: int
    size: int
    outside: str
    legible: bool
    header: Field
    wire: bytes
    inside: tuple[Inside, ...]
    plaintext: Any


@dataclass(frozen=True, slots=True)
class Try:
    """One thing that the thief of the key does. `worked` is None where it is only a look."""

    text: str
    worked: bool | None
    value: Any


@dataclass(frozen=True, slots=True)
class Read:
    """A record that the thief could read."""

    number: int
    sender: str
    type: str
    plaintext: Any


@dataclass(frozen=True, slots=True)
class Leak:
    """The server's key leaks next year.

    `opens` says whether the recording is lost then (None: there is nothing to tell yet); `shown`
    whether it was really tried, with the server's key; `verdict` and `why` are sentences.
    """

    opens: bool | None
    shown: bool
    verdict: str
    why: str
    tries: tuple[Try, ...]
    read: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class WireView:
    """Both sides of the glass. `learns` is what an eavesdropper knows in the end, `hidden` what not."""

    records: tuple[Record, ...]
    learns: tuple[Entry, ...]
    hidden: tuple[Entry, ...]
    leak: Leak


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> WireView:
    """The records of a trace from outside and inside; `key`: the server's private key, to leak it."""
    reader = Reader(trace)
    found = crossings(trace, reader)
    records = tuple(_records(trace, reader, found))
    return WireView(
        records,
        tuple(_learns(reader, found, records)),
        tuple(_hidden(reader, found)),
        _leak(trace, reader, key),
    )


# -- the records ---------------------------------------------------------------------------------------


def _records(trace: Trace, reader: Reader, found: tuple[Crossing, ...]) -> Iterator[Record]:
    contents = _Contents(reader, found)
    for number, fact in enumerate(trace.of("record")):
        fields = fact.fields
        sender = trace.role if fields["sent"] else OTHER[trace.role]
        wire = bytes(fields["wire"])
        size = fields.get("size", len(wire))
        legible = not fields["epoch"] or wire[0] == ContentType.change_cipher_spec
        plaintext = fields.get("plaintext")
        if fields["content_type"] == APPLICATION_DATA and isinstance(plaintext, bytes):
            plaintext = Said(plaintext)
        yield Record(
            number, fact.at, sender, ContentType.name_of(wire[0], 2), fields["epoch"], size,
            _outside(wire[0], size, legible), legible, plain(RecordHeader, wire[:5]), wire,
            tuple(contents.of(fact, sender)), plaintext,
        )  # fmt: skip


def _outside(kind: int, size: int, legible: bool) -> str:
    if legible:
        return "in clear, every byte of it"
    name = ContentType.name_of(kind, 2).replace("_", " ")
    return f'says "{name}", then {size - 5} bytes of noise'


class _Contents:
    """Finds the crossings that a record holds: messages by their place in the stream, the rest in order."""

    def __init__(self, reader: Reader, found: tuple[Crossing, ...]) -> None:
        self.reader = reader
        self.streams: dict[str, list[tuple[int, int, Crossing]]] = {"client": [], "server": []}
        self.waiting: dict[tuple[str, str], list[Crossing]] = {}
        self.read = {"client": 0, "server": 0}
        for crossing in found:
            if crossing.kind == "message":
                stream = self.streams[crossing.sender]
                start = stream[-1][1] if stream else 0
                stream.append((start, start + crossing.size, crossing))
            else:
                self.waiting.setdefault((crossing.sender, crossing.kind), []).append(crossing)

    def of(self, fact: Fact, sender: str) -> Iterator[Inside]:
        """What is in the record of `fact`."""
        kind = fact.fields["content_type"]
        plaintext = fact.fields.get("plaintext")
        if kind == HANDSHAKE and isinstance(plaintext, bytes):
            start = self.read[sender]
            end = self.read[sender] = start + len(plaintext)
            for first, last, crossing in self.streams[sender]:
                if first < end and start < last:
                    part = first < start or end < last
                    yield Inside(crossing.id, crossing.name, gist.of(self.reader, crossing), part)
            return
        names = {20: "ccs", 21: "alert", 23: "data"}
        what = "data" if fact.fields.get("unopened") else names.get(kind, "")
        waiting = self.waiting.get((sender, what))
        if waiting:
            crossing = waiting.pop(0)
            yield Inside(crossing.id, crossing.name, gist.of(self.reader, crossing), False)


# -- what is learned -----------------------------------------------------------------------------------


def _learns(reader: Reader, found: tuple[Crossing, ...], records: tuple[Record, ...]) -> Iterator[Entry]:
    """From what is in clear, and from sizes and times."""
    hello = next((one for one in found if one.name == "ClientHello" and one.message is not None), None)
    if hello is not None and hello.message is not None and hello.message.body is not None:
        names = reader.extension(hello.message, X.server_name)
        if names:
            name = names.server_name_list[0].host_name.decode("ascii", "replace")
            yield Entry("server name", name, "The client asks for it in clear.")
        protocols = reader.extension(hello.message, X.application_layer_protocol_negotiation)
        if protocols:
            offered = listing([one.decode("ascii", "replace") for one in protocols.protocol_name_list])
            yield Entry("protocols offered", offered, "What will probably be spoken inside.")
        yield Entry(
            "the program", f"{len(hello.message.body.cipher_suites)} suites, "
            f"{len(hello.message.body.extensions)} extensions",
            "Their choice and order is a fingerprint of the client's software.",
        )  # fmt: skip
    for one in found:
        if one.kind == "message" and not one.sealed and one.message is not None:
            for der in chain_of(one.message)[:1]:
                certificate = load(der)
                if certificate is not None:
                    whose = f"{one.sender}'s certificate"
                    yield Entry(whose, listing(names_of(certificate)) or "no name", "It crossed in clear.")
    for side in ("client", "server"):
        sizes = [one.size for one in records if one.sender == side and not one.legible]
        if sizes:
            text = f"{sum(sizes)} bytes in {len(sizes)} encrypted record{'s' if len(sizes) > 1 else ''}"
            yield Entry(f"from the {side}", text, "Sizes and times are not hidden.")


def _hidden(reader: Reader, found: tuple[Crossing, ...]) -> Iterator[Entry]:
    """What went by encrypted."""
    seen: dict[str, list[str]] = {}
    for one in found:
        if one.sealed:
            seen.setdefault(one.sender, []).append(one.name)
    for side, names in seen.items():
        counted = [
            f"{names.count(name)} x {name}" if names.count(name) > 1 else name
            for name in dict.fromkeys(names)
        ]
        yield Entry(f"from the {side}", listing(counted))


# -- the leak ------------------------------------------------------------------------------------------

_LOST = (
    "Everything is lost.",
    "The pre-master secret crossed the wire, encrypted under the server's public key. Whoever kept the"
    " recording and gets the private key, by theft, by law or by a faster computer, reads it all.",
)
_SAFE = (
    "Nothing is lost.",
    "The certificate's key only signed. The secret came from two fresh keys that both ends threw away:"
    " there is nothing left to steal (forward secrecy).",
)
_SAFE_KEYED = (
    "Nothing is lost.",
    "No certificate's key played a part. The secret came from two fresh keys that both ends threw away"
    " (forward secrecy), beside a key that both had before: that one, stolen, opens early data only.",
)
_OTHER = {
    "PSK": (None, "The server's key plays no part.", "But the pre-shared key opens everything, if it leaks."),
    "ECDHE_PSK": (
        False, _SAFE[0],
        "No certificate's key played a part. The secret came from two fresh keys that both ends threw away"
        " (forward secrecy), and from the pre-shared key.",
    ),
    "resumed12": (
        None, "It depends on the session that was resumed.",
        "Its master secret is used again here. If that session's key exchange was static RSA, it opens; and"
        " the key that seals the server's tickets opens it too.",
    ),
    "psk_ke": (
        None, "The certificate's key plays no part.",
        "But no fresh key exchange took place: the pre-shared key, or the key that seals tickets, opens it.",
    ),
    "": (None, "There is nothing to open.", "The handshake ended before there were keys."),
}  # fmt: skip


def _leak(trace: Trace, reader: Reader, key: Any) -> Leak:
    recording = Recording.of(trace)
    way = _way(reader, recording)
    if way in _OTHER:
        opens, verdict, why = _OTHER[way]
        return Leak(opens, False, verdict, why, (), ())
    private = getattr(key, "key", key)  # an Identity, or a bare key
    steps: Iterator[Attempt | Opened] = iter(())
    if way == "RSA" and isinstance(private, rsa.RSAPrivateKey):
        steps = recording.open_static_rsa(private)
    elif way != "RSA" and private is not None:
        steps = recording.attempt_ephemeral(private)
    tries, read = [], []
    for step in steps:
        if isinstance(step, Attempt):
            tries.append(Try(*step))
        else:
            plaintext = Said(step.plaintext) if step.content_type == APPLICATION_DATA else step.plaintext
            read.append(Read(step.number, step.sender, ContentType.name_of(step.content_type, 2), plaintext))
    verdict, why = _LOST if way == "RSA" else _SAFE_KEYED if _keyed(trace, reader) else _SAFE
    return Leak(way == "RSA", bool(tries), verdict, why, tuple(tries), tuple(read))


def _keyed(trace: Trace, reader: Reader) -> bool:
    """Whether the ServerHello takes a pre-shared key (RFC 8446 section 4.2.11)."""
    hellos = [m for fact in trace.of("message") if (m := reader.message(fact)).name == "ServerHello"]
    return any(reader.extension(one, X.pre_shared_key) is not None for one in hellos)


def _way(reader: Reader, recording: Recording) -> str:
    """How the keys of a recording came about, as far as the wire shows."""
    if not recording.version or not recording.sealed:
        return ""
    if recording.version == 0x0304:
        return "any" if recording.server_share() is not None else "psk_ke"
    if recording.client_share() is None and not any(raw[0] == 16 for _, raw in recording.messages):
        return "resumed12"
    return reader.key_exchange
