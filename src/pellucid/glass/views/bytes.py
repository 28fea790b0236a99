"""The bytes: each message as hex in which every byte belongs to a named field.

RFC 8446 section 4, RFC 5246 section 7.4. The fields come from the declarations that the connection
itself reads and writes with (`pellucid.wire`); nothing is parsed a second time here. What TLS carries as
opaque bytes (certificates, OCSP responses, SCTs, signatures), `glass.der` opens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pellucid.errors import TLSError
from pellucid.glass import der, meanings
from pellucid.glass.crossings import Crossing, crossings
from pellucid.glass.decode import Message, Reader, decompressed, version_name
from pellucid.glass.fields import Field, sized
from pellucid.glass.show import Said
from pellucid.glass.trace import Trace
from pellucid.wire import framing
from pellucid.wire import messages as m
from pellucid.wire.codepoints import ProtocolVersion, SignatureScheme
from pellucid.wire.extensions import CT
from pellucid.wire.language import Node, Struct


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
    #: What came out of it, where it was packed (RFC 8879): its `raw` is no part of this one's.
    unpacked: MessageBytes | None = None


@dataclass(frozen=True, slots=True)
class BytesView:
    """Every message of the connection."""

    messages: tuple[MessageBytes, ...]


#: The end of the `id` of what was unpacked.
UNPACKED = "-unpacked"
_UNPACKED = "This did not cross the wire: it is what the message above unpacks to."
#: (structure, field): what is in it that TLS does not look into; "[]" is each entry of a list.
_OPAQUE = {
    ("CertificateEntry", "cert_data"): "certificate",
    ("Certificate12", "[]"): "certificate",
    ("RawPublicKey12", "subject_public_key_info"): "public key",
    ("CertificateStatus", "response"): "OCSP response",
    ("CertificateStatusBody", "response"): "OCSP response",
    ("SignedCertificateTimestamps", "[]"): "SCT",
    ("CertificateAuthorities", "[]"): "name",
    ("CertificateRequest12", "[]"): "name",
    ("OIDFilter", "certificate_extension_oid"): "identifier",
    ("CertificateVerify", "signature"): "signature",
    ("ServerKeyExchangeECDHE", "signature"): "signature",
}


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> BytesView:
    """Every message of the trace, in order. Application data is one field: TLS does not look inside."""
    reader = Reader(trace)
    return BytesView(tuple(_message(reader, crossing) for crossing in crossings(trace, reader)))


def _message(reader: Reader, crossing: Crossing) -> MessageBytes:
    note = ""
    raw = crossing.raw
    unpacked = None
    if crossing.message is not None:
        field, note = fields_of(reader, crossing.message)
        unpacked = _unpacked(reader, crossing)
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
        crossing.sealed, crossing.bad, raw, crossing.size, field, note, unpacked,
    )  # fmt: skip


def _unpacked(reader: Reader, crossing: Crossing) -> MessageBytes | None:
    """The Certificate that came out of a CompressedCertificate; None for any other message."""
    message = crossing.message
    if message is None or not isinstance(message.body, m.CompressedCertificate):
        return None
    raw = decompressed(message.body) or b""
    form = m.Certificate
    try:
        form.decode(raw)
    except TLSError:
        return None
    field = _Namer(reader, message, raw).field(
        form.annotate_at(raw, 0, len(raw)), form.__name__, form.section
    )
    return MessageBytes(
        crossing.id + UNPACKED, crossing.at, crossing.sender, crossing.kind, "Certificate", crossing.epoch,
        crossing.sealed, crossing.bad, raw, len(raw), field, _UNPACKED,
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
        opened = self._opened(node, structure)
        if opened:
            children = (*children[:-1], *opened)
        if len(children) == 1 and children[0].start == node.start and children[0].end == node.end:
            about = about or children[0].about
        value, meaning = self._said(node)
        meaning = meaning or (opened[0].meaning if opened else "")
        if node.name == "length" and structure != "RecordHeader":
            about = about or "How many bytes follow."
        return Field(node.name, node.start, node.end, value, meaning, about, node.kind, section, children)

    def _opened(self, node: Node, structure: str) -> tuple[Field, ...]:
        """What is in a vector of opaque bytes that TLS does not look into; () for all others."""
        place = structure, "[]" if node.name.startswith("[") else node.name
        what = _OPAQUE.get(place, "")
        if not what or len(node.children) != 2:  # its length, its content
            return ()
        content = node.children[1]
        data = self.raw[content.start : content.end]
        if what == "certificate" and der.is_public_key(data):
            what = "public key"
        if what == "signature":
            scheme = SignatureScheme.name_of(getattr(getattr(self.message, "body", None), "algorithm", 0))
            if not scheme.startswith("ecdsa"):
                return ()
            what = "ECDSA signature"
        return der.fields(what, self.raw, content.start, content.end)

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
            return sized(len(value)), self._text(value)
        if node.kind.startswith("vector"):
            count = len(node.children) - 1
            return f"{count} entries" if count != 1 else "1 entry", ""
        if node.kind == "extensions":
            count = max(len(node.children) - 1, 0)
            return f"{count} extensions" if count != 1 else "1 extension", ""
        return f"{size} bytes", ""

    def _text(self, value: bytes) -> str:
        """Text that is text."""
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
