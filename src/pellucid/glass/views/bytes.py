"""The bytes: each message as hex in which every byte belongs to a named field.

RFC 8446 section 4, RFC 5246 section 7.4. The fields come from the declarations that the connection
itself reads and writes with (`pellucid.wire`); nothing is parsed a second time here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pellucid.errors import TLSError
from pellucid.glass import meanings
from pellucid.glass.crossings import Crossing, crossings
from pellucid.glass.decode import Message, Reader, load, name_text, version_name
from pellucid.glass.show import Said
from pellucid.glass.trace import Trace
from pellucid.wire import framing
from pellucid.wire.codepoints import ProtocolVersion
from pellucid.wire.extensions import CT
from pellucid.wire.language import Node, Struct


@dataclass(frozen=True, slots=True)
class Field:
    """A named stretch of a message's bytes: `raw[start:end]`.

    Attributes:
        name: as the RFC calls it.
        start, end: offsets into the message's `raw`.
        value: what the bytes say, short: "0x1301", "32 bytes", "443".
        meaning: what that stands for: "TLS_AES_128_GCM_SHA256"; may be empty.
        about: what the field is for, a sentence; may be empty.
        kind: its type in the presentation language: "uint16", "opaque<0..32>".
        section: "RFC 8446 4.1.2".
        children: the fields it is made of; together they cover it, or there are none.
    """

    name: str
    start: int
    end: int
    value: str = ""
    meaning: str = ""
    about: str = ""
    kind: str = ""
    section: str = ""
    children: tuple[Field, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Field]]:
        """Every field with its depth, parents first."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)

    def leaves(self) -> Iterator[Field]:
        """The fields without parts: together they cover every byte once."""
        return (field for _, field in self.walk() if not field.children)


@dataclass(frozen=True, slots=True)
class MessageBytes:
    """One thing that crossed the wire, byte by byte. `id`, `sender` ... are its crossing's."""

    id: str
    at: float
    sender: str
    kind: str
    name: str
    epoch: int
    sealed: bool
    bad: bool
    raw: bytes
    size: int
    field: Field
    note: str = ""


@dataclass(frozen=True, slots=True)
class BytesView:
    """Every message of the connection."""

    messages: tuple[MessageBytes, ...]


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> BytesView:
    """Every message of the trace, in order. Application data is one field: TLS does not look inside."""
    reader = Reader(trace)
    return BytesView(tuple(_message(reader, crossing) for crossing in crossings(trace, reader)))


def _message(reader: Reader, crossing: Crossing) -> MessageBytes:
    note = ""
    raw = crossing.raw
    if crossing.message is not None:
        field, note = fields_of(reader, crossing.message)
    elif crossing.kind == "alert":
        field = plain(framing.AlertBody, raw)
    elif crossing.kind == "ccs":
        field = plain(framing.ChangeCipherSpecBody, raw)
    else:
        raw = Said(raw)
        field = Field(
            "data", 0, len(raw), f"{crossing.size} bytes", "", meanings.of_field("", "data"), "opaque"
        )
        if len(raw) < crossing.size:
            note = "The trace keeps only the beginning." if raw else "The trace does not hold the data."
    return MessageBytes(
        crossing.id, crossing.at, crossing.sender, crossing.kind, crossing.name, crossing.epoch,
        crossing.sealed, crossing.bad, raw, crossing.size, field, note,
    )  # fmt: skip


def fields_of(reader: Reader, message: Message) -> tuple[Field, str]:
    """A handshake message's fields, and what is to be said when it cannot be read."""
    raw = message.raw
    header = plain(framing.HandshakeHeader, raw[:4])
    parts = header.children
    form = reader.form(message)
    note = ""
    if message.body is None or form is None:
        reason = "its form is unknown" if form is None else reader.trouble(message)
        note = f"This cannot be read: {reason}."
        body = Field("unreadable", 4, len(raw), f"{len(raw) - 4} bytes", "", note, "opaque")
        return Field(message.name, 0, len(raw), children=(*parts, body)), note
    node = form.annotate_at(raw, 4, len(raw))
    body = _Namer(reader, message, raw).field(node, form.__name__, form.section)
    inner = tuple(child for child in body.children if child.end > child.start)
    return Field(message.name, 0, len(raw), section=form.section, children=(*parts, *inner)), note


def plain(form: type[Struct], raw: bytes) -> Field:
    """A structure that needs no context."""
    return _Namer(None, None, raw).field(form.annotate_at(raw, 0, len(raw)), form.__name__, form.section)


class _Namer:
    """Turns the declaration's tree into fields with words, and opens the extensions."""

    def __init__(self, reader: Reader | None, message: Message | None, raw: bytes) -> None:
        self.reader = reader
        self.message = message
        self.raw = raw

    def field(self, node: Node, structure: str, section: str) -> Field:
        """`node` and its parts."""
        section = node.section or section
        about = meanings.of_field(structure, node.name)
        if node.kind == "extension":
            return self._extension(node, structure)
        inside = node.kind if node.section else structure
        children = tuple(
            self.field(child, inside, section) for child in node.children if child.end > child.start
        )
        if len(children) == 1 and children[0].start == node.start and children[0].end == node.end:
            about = about or children[0].about
        value, meaning = self._said(node)
        if node.name == "length" and structure != "RecordHeader":
            about = about or "How many bytes follow."
        return Field(node.name, node.start, node.end, value, meaning, about, node.kind, section, children)

    def _said(self, node: Node) -> tuple[str, str]:
        """(value, meaning) in a few characters."""
        value = node.value
        size = node.end - node.start
        if isinstance(value, int):
            if node.meaning == str(value):  # no registry: a plain number
                return str(value), ""
            meaning = node.meaning
            if meaning in ProtocolVersion.__members__ and node.kind == "uint16":
                meaning = version_name(value)
            return f"0x{value:0{2 * size}x}", meaning
        if isinstance(value, bytes):
            return f"{len(value)} bytes" if len(value) != 1 else "1 byte", self._text(node, value)
        if node.kind.startswith("vector"):
            count = len(node.children) - 1
            return f"{count} entries" if count != 1 else "1 entry", ""
        if node.kind == "extensions":
            count = max(len(node.children) - 1, 0)
            return f"{count} extensions" if count != 1 else "1 extension", ""
        return f"{size} bytes", ""

    def _text(self, node: Node, value: bytes) -> str:
        """A certificate's subject, or text that is text."""
        if value[:1] == b"\x30" and len(value) > 100:
            certificate = load(value)
            if certificate is not None:
                return f"certificate of {name_text(certificate.subject)}"
        if 2 <= len(value) <= 255 and all(32 <= byte < 127 for byte in value):
            return value.decode("ascii")
        return ""

    def _extension(self, node: Node, structure: str) -> Field:
        kind, body = node.children
        section, about = meanings.of_extension(kind.value)
        said = f"0x{kind.value:04x}"
        head = Field(
            "extension_type", kind.start, kind.end, said, kind.meaning,
            meanings.of_field("", "extension_type"), "uint16", "RFC 8446 4.2",
        )  # fmt: skip
        length = self.field(body.children[0], "", "RFC 8446 4.2")
        inner = self._content(kind.value, body.start + 2, body.end, structure)
        return Field(
            kind.meaning, node.start, node.end, f"{body.end - body.start - 2} bytes", "", about,
            "extension", section, (head, length, *inner),
        )  # fmt: skip

    def _content(self, kind: int, start: int, end: int, structure: str) -> tuple[Field, ...]:
        """An extension's content, by the declaration for this message."""
        if start == end:
            return ()
        form = None
        if self.reader is not None and self.message is not None:
            place = CT if structure == "CertificateEntry" else None
            form = self.reader.extension_form(self.message, kind, place)
        content = self.raw[start:end]
        if form is not None:
            try:
                form.decode(content)
            except TLSError:
                form = None
        if form is None:
            return (
                Field("content", start, end, f"{end - start} bytes", self._text_of(content), "", "opaque"),
            )
        found = self.field(form.annotate_at(self.raw, start, end), form.__name__, form.section)
        return tuple(
            replace(child, section=child.section or found.section)
            for child in found.children
            if child.end > child.start
        )

    def _text_of(self, content: bytes) -> str:
        printable = 2 <= len(content) <= 255 and all(32 <= byte < 127 for byte in content)
        return content.decode("ascii") if printable else ""
