"""Signed certificate timestamps: the receipts of public logs. RFC 6962 sections 3.2 and 3.3.

They are no DER: TLS's own presentation language describes them, in certificates too.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pellucid.errors import TLSError
from pellucid.glass.der.forms import Part, Walk
from pellucid.glass.der.keys import ECDSA
from pellucid.glass.fields import Field, sized
from pellucid.wire.extensions import SignedCertificateTimestamps
from pellucid.wire.language import Node, Opaque, OpaqueVector, Struct, Uint, Uint8, field

_SECTION = "RFC 6962 3.2"
_ECDSA = 3
_HASHES = ("none", "md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_SIGNATURES = ("anonymous", "rsa", "dsa", "ecdsa")


class SignedCertificateTimestamp(Struct):
    """RFC 6962 section 3.2, with the digitally-signed of RFC 5246 section 4.7 written out."""

    section = _SECTION
    sct_version: int = field(Uint8())
    log_id: bytes = field(Opaque(32))
    timestamp: int = field(Uint(8))
    extensions: bytes = field(OpaqueVector(0, 2**16 - 1))
    hash: int = field(Uint8())
    signature_algorithm: int = field(Uint8())
    signature: bytes = field(OpaqueVector(0, 2**16 - 1))


_ABOUT = {
    "sct_version": "0 is version 1.",
    "log_id": "Which log: a hash of its public key.",
    "timestamp": "When the log promised to publish it, in milliseconds since 1970.",
    "extensions": "Nothing yet.",
    "hash": "How the log signed.",
    "signature_algorithm": "How the log signed.",
    "signature": "The log's signature over the time and the certificate: it cannot deny its promise.",
    "length": "How many bytes follow.",
    "sct_list": "One receipt for each log.",
}


def timestamps(data: bytes, start: int, end: int) -> tuple[Field, ...] | None:
    """The fields of a SignedCertificateTimestampList; None where this is none."""
    try:
        SignedCertificateTimestamps.decode(data[start:end])
    except TLSError:
        return None
    (found,) = SignedCertificateTimestamps.annotate_at(data, start, end).children
    length, *receipts = found.children
    entries = tuple(_receipt(data, one) for one in receipts)
    return (_field(length, "RFC 6962 3.3"), *entries)


def _receipt(data: bytes, node: Node) -> Field:
    """A SerializedSCT: its length, then the structure."""
    length, *content = node.children
    inner = timestamp(data, content[0].start, content[0].end) if content else ()
    when = next((one.meaning for one in inner if one.name == "timestamp"), "")
    return Field(
        "SerializedSCT", node.start, node.end, sized(node.end - node.start), when,
        "The receipt of one log.", node.kind, "RFC 6962 3.3", (_field(length, _SECTION), *inner),
    )  # fmt: skip


def timestamp(data: bytes, start: int, end: int) -> tuple[Field, ...]:
    """The fields of one SCT; a single one where it cannot be read."""
    try:
        told = SignedCertificateTimestamp.decode(data[start:end])
    except TLSError as error:
        return (Field("unreadable", start, end, sized(end - start), error.detail, "", "opaque", _SECTION),)
    nodes = SignedCertificateTimestamp.annotate_at(data, start, end).children
    fields = [_field(node, _SECTION) for node in nodes]
    if told.signature_algorithm == _ECDSA and told.signature:
        fields[-1] = _opened(data, nodes[-1], fields[-1])
    return tuple(fields)


def _opened(data: bytes, node: Node, told: Field) -> Field:
    """An ECDSA signature, which is DER."""
    content = node.children[1]
    inner = Walk(data).whole(Part("Ecdsa-Sig-Value", ECDSA), content.start, content.end, ECDSA.section)
    return Field(
        told.name, told.start, told.end, told.value, "", told.about, told.kind, told.section,
        (told.children[0], *inner),
    )  # fmt: skip


def _field(node: Node, section: str) -> Field:
    children = tuple(_field(one, section) for one in node.children if one.end > one.start)
    value, meaning = sized(node.end - node.start), ""
    if isinstance(node.value, int):
        value = str(node.value)
        meaning = _number(node.name, node.value)
    about = _ABOUT.get(node.name, "")
    return Field(node.name, node.start, node.end, value, meaning, about, node.kind, section, children)


def _number(name: str, value: int) -> str:
    if name == "timestamp":
        try:
            return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        except (OverflowError, ValueError, OSError):
            return "no date of ours"
    names = {"hash": _HASHES, "signature_algorithm": _SIGNATURES, "sct_version": ("v1",)}.get(name, ())
    return names[value] if value < len(names) else ""
