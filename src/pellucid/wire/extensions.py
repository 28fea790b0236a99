"""The extensions: what each one holds in each message, and where it may stand.

RFC 8446 section 4.2 and its sub-sections; RFC 6066, 7301, 7250, 7627, 5746, 8422, 8449, 8879,
6962, 9149, 5077. `ALLOWED_IN` is RFC 8446's table of extensions and messages, with the later
registrations; `BODY` says which structure an extension's content has in which message.
"""

from __future__ import annotations

from collections.abc import Container

from pellucid.errors import Reason, refuse
from pellucid.wire.codepoints import (
    CertificateCompressionAlgorithm,
    CertificateStatusType,
    CertificateType,
    ECPointFormat,
    MaxFragmentLength,
    NamedGroup,
    NameType,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from pellucid.wire.codepoints import (
    ExtensionType as X,
)
from pellucid.wire.language import (
    ExtensionMap,
    Nested,
    Opaque,
    OpaqueVector,
    Rest,
    Struct,
    Uint,
    Uint8,
    Uint16,
    Vector,
    field,
)


class Empty(Struct):
    """An extension whose presence says everything."""

    nothing: bytes = field(Opaque(0), default=b"")


class ServerName(Struct):
    """RFC 6066 section 3."""

    section = "RFC 6066 3"
    name_type: int = field(Uint8(NameType))
    host_name: bytes = field(OpaqueVector(1, 2**16 - 1))


class ServerNameList(Struct):
    """RFC 6066 section 3."""

    section = "RFC 6066 3"
    server_name_list: tuple[ServerName, ...] = field(Vector(Nested(ServerName), 1, 2**16 - 1))


class MaxFragmentLengthBody(Struct):
    """RFC 6066 section 4."""

    section = "RFC 6066 4"
    max_fragment_length: int = field(Uint8(MaxFragmentLength))


class CertificateStatusRequest(Struct):
    """RFC 6066 section 8, in a ClientHello."""

    section = "RFC 6066 8"
    status_type: int = field(Uint8(CertificateStatusType), default=1)
    responder_id_list: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**16 - 1), 0, 2**16 - 1), default=())
    request_extensions: bytes = field(OpaqueVector(0, 2**16 - 1), default=b"")


class CertificateStatusBody(Struct):
    """RFC 8446 section 4.4.2.1: the OCSP response beside a certificate."""

    section = "RFC 8446 4.4.2.1"
    status_type: int = field(Uint8(CertificateStatusType))
    response: bytes = field(OpaqueVector(1, 2**24 - 1))


class SupportedGroups(Struct):
    """RFC 8446 section 4.2.7."""

    section = "RFC 8446 4.2.7"
    named_group_list: tuple[int, ...] = field(Vector(Uint16(NamedGroup), 2, 2**16 - 1))


class ECPointFormats(Struct):
    """RFC 8422 section 5.1.2."""

    section = "RFC 8422 5.1.2"
    ec_point_format_list: tuple[int, ...] = field(Vector(Uint8(ECPointFormat), 1, 2**8 - 1))


class SignatureSchemes(Struct):
    """RFC 8446 section 4.2.3 (signature_algorithms and signature_algorithms_cert)."""

    section = "RFC 8446 4.2.3"
    supported_signature_algorithms: tuple[int, ...] = field(Vector(Uint16(SignatureScheme), 2, 2**16 - 2))


class ProtocolNames(Struct):
    """RFC 7301 section 3.1."""

    section = "RFC 7301 3.1"
    protocol_name_list: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**8 - 1), 2, 2**16 - 1))


class SignedCertificateTimestamps(Struct):
    """RFC 6962 section 3.3."""

    section = "RFC 6962 3.3"
    sct_list: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**16 - 1), 1, 2**16 - 1))


class CertificateTypes(Struct):
    """RFC 7250 section 3, in a ClientHello."""

    section = "RFC 7250 3"
    # <1..2^8-1> in the RFC: an empty list is refused for saying nothing, see handshake.certificate_types.
    certificate_types: tuple[int, ...] = field(Vector(Uint8(CertificateType), 0, 2**8 - 1))


class CertificateTypeBody(Struct):
    """RFC 7250 section 3, the server's choice."""

    section = "RFC 7250 3"
    certificate_type: int = field(Uint8(CertificateType))


class PaddingBody(Struct):
    """RFC 7685 section 3."""

    section = "RFC 7685 3"
    zeros: bytes = field(Rest())


class CertificateCompressionAlgorithms(Struct):
    """RFC 8879 section 3."""

    section = "RFC 8879 3"
    algorithms: tuple[int, ...] = field(Vector(Uint16(CertificateCompressionAlgorithm), 2, 2**8 - 2))


class RecordSizeLimit(Struct):
    """RFC 8449 section 4."""

    section = "RFC 8449 4"
    record_size_limit: int = field(Uint16())


class SessionTicketBody(Struct):
    """RFC 5077 section 3.2."""

    section = "RFC 5077 3.2"
    ticket: bytes = field(Rest())


class PskIdentity(Struct):
    """RFC 8446 section 4.2.11."""

    section = "RFC 8446 4.2.11"
    identity: bytes = field(OpaqueVector(1, 2**16 - 1))
    obfuscated_ticket_age: int = field(Uint(4))


# <32..255> in the RFC: but a binder of the wrong length is a wrong binder, and refused as that.
_BINDERS = Vector(OpaqueVector(1, 255), 2, 2**16 - 1)


class OfferedPsks(Struct):
    """RFC 8446 section 4.2.11, in a ClientHello."""

    section = "RFC 8446 4.2.11"
    identities: tuple[PskIdentity, ...] = field(Vector(Nested(PskIdentity), 7, 2**16 - 1))
    binders: tuple[bytes, ...] = field(_BINDERS)

    @property
    def binders_length(self) -> int:
        """Bytes that the binders take on the wire: what a binder does not cover (section 4.2.11.2)."""
        return 2 + len(self.binders) + sum(map(len, self.binders))


class PskBinders(Struct):
    """RFC 8446 section 4.2.11.2: the end of `OfferedPsks`, which is known only when all before it is."""

    section = "RFC 8446 4.2.11.2"
    binders: tuple[bytes, ...] = field(_BINDERS)


class SelectedPsk(Struct):
    """RFC 8446 section 4.2.11, in a ServerHello."""

    section = "RFC 8446 4.2.11"
    selected_identity: int = field(Uint16())


class MaxEarlyDataSize(Struct):
    """RFC 8446 section 4.2.10, in a NewSessionTicket."""

    section = "RFC 8446 4.2.10"
    max_early_data_size: int = field(Uint(4))


class SupportedVersions(Struct):
    """RFC 8446 section 4.2.1, in a ClientHello."""

    section = "RFC 8446 4.2.1"
    versions: tuple[int, ...] = field(Vector(Uint16(ProtocolVersion), 2, 254))


class SelectedVersion(Struct):
    """RFC 8446 section 4.2.1, in a ServerHello or HelloRetryRequest."""

    section = "RFC 8446 4.2.1"
    selected_version: int = field(Uint16(ProtocolVersion))


class Cookie(Struct):
    """RFC 8446 section 4.2.2."""

    section = "RFC 8446 4.2.2"
    cookie: bytes = field(OpaqueVector(1, 2**16 - 1))


class PskKeyExchangeModes(Struct):
    """RFC 8446 section 4.2.9."""

    section = "RFC 8446 4.2.9"
    ke_modes: tuple[int, ...] = field(Vector(Uint8(PskKeyExchangeMode), 1, 255))


class CertificateAuthorities(Struct):
    """RFC 8446 section 4.2.4."""

    section = "RFC 8446 4.2.4"
    authorities: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**16 - 1), 3, 2**16 - 1))


class OIDFilter(Struct):
    """RFC 8446 section 4.2.5."""

    section = "RFC 8446 4.2.5"
    certificate_extension_oid: bytes = field(OpaqueVector(1, 2**8 - 1))
    certificate_extension_values: bytes = field(OpaqueVector(0, 2**16 - 1))


class OIDFilters(Struct):
    """RFC 8446 section 4.2.5."""

    section = "RFC 8446 4.2.5"
    filters: tuple[OIDFilter, ...] = field(Vector(Nested(OIDFilter), 0, 2**16 - 1))


class KeyShareEntry(Struct):
    """RFC 8446 section 4.2.8."""

    section = "RFC 8446 4.2.8"
    group: int = field(Uint16(NamedGroup))
    key_exchange: bytes = field(OpaqueVector(1, 2**16 - 1))


class KeyShareClientHello(Struct):
    """RFC 8446 section 4.2.8."""

    section = "RFC 8446 4.2.8"
    client_shares: tuple[KeyShareEntry, ...] = field(Vector(Nested(KeyShareEntry), 0, 2**16 - 1))


class KeyShareServerHello(Struct):
    """RFC 8446 section 4.2.8."""

    section = "RFC 8446 4.2.8"
    server_share: KeyShareEntry = field(Nested(KeyShareEntry))


class KeyShareHelloRetryRequest(Struct):
    """RFC 8446 section 4.2.8."""

    section = "RFC 8446 4.2.8"
    selected_group: int = field(Uint16(NamedGroup))


class TicketRequest(Struct):
    """RFC 9149 section 3, in a ClientHello."""

    section = "RFC 9149 3"
    new_session_count: int = field(Uint8())
    resumption_count: int = field(Uint8())


class TicketRequestHint(Struct):
    """RFC 9149 section 3, in EncryptedExtensions."""

    section = "RFC 9149 3"
    expected_count: int = field(Uint8())


class RenegotiationInfo(Struct):
    """RFC 5746 section 3.2."""

    section = "RFC 5746 3.2"
    renegotiated_connection: bytes = field(OpaqueVector(0, 255))


# -- where an extension may stand ------------------------------------------------------------------

# The messages, as the table's columns. A HelloRetryRequest is a ServerHello of its own kind.
CH, SH, EE, CT, CR, NST, HRR = "CH", "SH", "EE", "CT", "CR", "NST", "HRR"
SH12 = "SH12"  # the ServerHello of TLS 1.2, which answers in clear what EncryptedExtensions does in 1.3

#: RFC 8446 section 4.2's table and the IANA registry's "TLS 1.3" column. For TLS 1.2: SH12.
ALLOWED_IN: dict[int, frozenset[str]] = {
    kind: frozenset(messages.split())
    for kind, messages in {
        X.server_name: "CH EE SH12",
        X.max_fragment_length: "CH EE SH12",
        X.status_request: "CH CR CT SH12",
        X.supported_groups: "CH EE SH12",  # not in RFC 8422, but old load balancers answer it
        X.ec_point_formats: "CH SH12",
        X.signature_algorithms: "CH CR",
        X.use_srtp: "CH EE SH12",
        X.heartbeat: "CH EE SH12",
        X.application_layer_protocol_negotiation: "CH EE SH12",
        X.signed_certificate_timestamp: "CH CR CT SH12",
        X.client_certificate_type: "CH EE SH12",
        X.server_certificate_type: "CH EE SH12",
        X.padding: "CH",
        X.encrypt_then_mac: "CH SH12",
        X.extended_master_secret: "CH SH12",
        X.compress_certificate: "CH CR",
        X.record_size_limit: "CH EE SH12",
        X.session_ticket: "CH SH12",
        X.pre_shared_key: "CH SH",
        X.early_data: "CH EE NST",
        X.supported_versions: "CH SH HRR",
        X.cookie: "CH HRR",
        X.psk_key_exchange_modes: "CH",
        X.certificate_authorities: "CH CR",
        X.oid_filters: "CR",
        X.post_handshake_auth: "CH",
        X.signature_algorithms_cert: "CH CR",
        X.key_share: "CH SH HRR",
        X.ticket_request: "CH EE",
        X.renegotiation_info: "CH SH12",
    }.items()
}

#: The structure of an extension's content, by message.
BODY: dict[tuple[int, str], type[Struct]] = {
    (X.server_name, CH): ServerNameList,
    (X.server_name, EE): Empty,
    (X.server_name, SH12): Empty,
    (X.max_fragment_length, CH): MaxFragmentLengthBody,
    (X.max_fragment_length, EE): MaxFragmentLengthBody,
    (X.max_fragment_length, SH12): MaxFragmentLengthBody,
    (X.status_request, CH): CertificateStatusRequest,
    (X.status_request, CR): Empty,
    (X.status_request, CT): CertificateStatusBody,
    (X.status_request, SH12): Empty,
    (X.supported_groups, CH): SupportedGroups,
    (X.supported_groups, EE): SupportedGroups,
    (X.ec_point_formats, CH): ECPointFormats,
    (X.ec_point_formats, SH12): ECPointFormats,
    (X.signature_algorithms, CH): SignatureSchemes,
    (X.signature_algorithms, CR): SignatureSchemes,
    (X.signature_algorithms_cert, CH): SignatureSchemes,
    (X.signature_algorithms_cert, CR): SignatureSchemes,
    (X.application_layer_protocol_negotiation, CH): ProtocolNames,
    (X.application_layer_protocol_negotiation, EE): ProtocolNames,
    (X.application_layer_protocol_negotiation, SH12): ProtocolNames,
    (X.signed_certificate_timestamp, CH): Empty,
    (X.signed_certificate_timestamp, CR): Empty,
    (X.signed_certificate_timestamp, CT): SignedCertificateTimestamps,
    (X.signed_certificate_timestamp, SH12): SignedCertificateTimestamps,
    (X.client_certificate_type, CH): CertificateTypes,
    (X.client_certificate_type, EE): CertificateTypeBody,
    (X.client_certificate_type, SH12): CertificateTypeBody,
    (X.server_certificate_type, CH): CertificateTypes,
    (X.server_certificate_type, EE): CertificateTypeBody,
    (X.server_certificate_type, SH12): CertificateTypeBody,
    (X.padding, CH): PaddingBody,
    (X.encrypt_then_mac, CH): Empty,
    (X.encrypt_then_mac, SH12): Empty,
    (X.extended_master_secret, CH): Empty,
    (X.extended_master_secret, SH12): Empty,
    (X.compress_certificate, CH): CertificateCompressionAlgorithms,
    (X.compress_certificate, CR): CertificateCompressionAlgorithms,
    (X.record_size_limit, CH): RecordSizeLimit,
    (X.record_size_limit, EE): RecordSizeLimit,
    (X.record_size_limit, SH12): RecordSizeLimit,
    (X.session_ticket, CH): SessionTicketBody,
    (X.session_ticket, SH12): Empty,
    (X.pre_shared_key, CH): OfferedPsks,
    (X.pre_shared_key, SH): SelectedPsk,
    (X.early_data, CH): Empty,
    (X.early_data, EE): Empty,
    (X.early_data, NST): MaxEarlyDataSize,
    (X.supported_versions, CH): SupportedVersions,
    (X.supported_versions, SH): SelectedVersion,
    (X.supported_versions, HRR): SelectedVersion,
    (X.cookie, CH): Cookie,
    (X.cookie, HRR): Cookie,
    (X.psk_key_exchange_modes, CH): PskKeyExchangeModes,
    (X.certificate_authorities, CH): CertificateAuthorities,
    (X.certificate_authorities, CR): CertificateAuthorities,
    (X.oid_filters, CR): OIDFilters,
    (X.post_handshake_auth, CH): Empty,
    (X.key_share, CH): KeyShareClientHello,
    (X.key_share, SH): KeyShareServerHello,
    (X.key_share, HRR): KeyShareHelloRetryRequest,
    (X.ticket_request, CH): TicketRequest,
    (X.ticket_request, EE): TicketRequestHint,
    (X.renegotiation_info, CH): RenegotiationInfo,
    (X.renegotiation_info, SH12): RenegotiationInfo,
}


#: For each message, the known extensions that may not stand in it.
NEVER_IN: dict[str, frozenset[int]] = {
    message: frozenset(int(kind) for kind, messages in ALLOWED_IN.items() if message not in messages)
    for message in (CH, SH, EE, CT, CR, NST, HRR, SH12)
}
#: Those that are empty in a ClientHello.
EMPTY_IN_CLIENT_HELLO = frozenset(
    int(kind) for (kind, place), body in BODY.items() if place == CH and body is Empty
)
#: Those that are empty in a ServerHello of TLS 1.2.
EMPTY_IN_SERVER_HELLO_12 = frozenset(
    int(kind) for (kind, place), body in BODY.items() if place == SH12 and body is Empty
)


def check_answers(extensions: ExtensionMap, message: str, offered: Container[int]) -> None:
    """Refuse an extension of `message` that answers nothing, or may not stand there.

    RFC 8446 section 4.2: unsolicited answers are `unsupported_extension`; a known extension in the
    wrong message is `illegal_parameter`. `offered` holds the types that we sent.
    """
    never = NEVER_IN[message]
    for kind in extensions:
        if kind not in offered:
            refuse(Reason.UNEXPECTED_EXTENSION, f"{X.name_of(kind)} in {message}")
        if kind in never:
            refuse(Reason.EXTENSION_NOT_ALLOWED, f"{X.name_of(kind)} in {message}")
