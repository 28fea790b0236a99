"""What stands around the messages: the headers of records and of handshake messages, alerts.

RFC 8446 sections 4, 5.1, 5.2 and 6; RFC 5246 sections 6.2.1, 7.1 and 7.2. The record layer reads its
five bytes by hand, for speed; these declarations are for whoever looks at the bytes afterwards.
"""

from __future__ import annotations

from pellucid.wire.codepoints import Alert, AlertLevel, ContentType, HandshakeType, ProtocolVersion
from pellucid.wire.language import Rest, Struct, Uint, Uint8, Uint16, field


class RecordHeader(Struct):
    """RFC 8446 sections 5.1 and 5.2: the five bytes in front of every record, never encrypted."""

    section = "RFC 8446 5.1"
    type: int = field(Uint8(ContentType))
    legacy_record_version: int = field(Uint16(ProtocolVersion))
    length: int = field(Uint16())


class HandshakeHeader(Struct):
    """RFC 8446 section 4: the four bytes in front of every handshake message."""

    section = "RFC 8446 4"
    msg_type: int = field(Uint8(HandshakeType))
    length: int = field(Uint(3))


class AlertBody(Struct):
    """RFC 8446 section 6, RFC 5246 section 7.2."""

    section = "RFC 8446 6"
    level: int = field(Uint8(AlertLevel))
    description: int = field(Uint8(Alert))


class ChangeCipherSpecBody(Struct):
    """RFC 5246 section 7.1; without a meaning in TLS 1.3 (RFC 8446 section 5)."""

    section = "RFC 5246 7.1"
    type: int = field(Uint8())


class ApplicationDataBody(Struct):
    """RFC 8446 section 5.1: what the two ends say to each other; TLS does not look inside."""

    section = "RFC 8446 5.1"
    data: bytes = field(Rest())
