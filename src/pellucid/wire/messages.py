"""The handshake messages of TLS 1.3 and TLS 1.2, each declared once.

RFC 8446 section 4 and appendix B.3; RFC 5246 section 7.4; RFC 8422 section 5; RFC 5077 section 3.3;
RFC 8879 section 4; RFC 6066 section 8; RFC 4279 and RFC 5489 (pre-shared keys in TLS 1.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pellucid.wire.codepoints import (
    CertificateCompressionAlgorithm,
    CertificateStatusType,
    CipherSuite,
    ClientCertificateType,
    CompressionMethod,
    ECCurveType,
    HandshakeType,
    KeyUpdateRequest,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from pellucid.wire.language import (
    ExtensionMap,
    Extensions,
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

#: ServerHello.random of a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 8446 4.1.3).
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
#: The last eight bytes of ServerHello.random when a TLS 1.3 server is made to speak 1.2 (4.1.3) ...
DOWNGRADE_TO_12 = b"DOWNGRD\x01"
#: ... or an older version.
DOWNGRADE_TO_11 = b"DOWNGRD\x00"


class HandshakeMessage(Struct):
    """A message of the handshake: it knows its type, and the bytes that it was read from."""

    __slots__ = ("raw",)
    msg_type: ClassVar[int]
    _head: ClassVar[int]  # the type, above the three bytes of the length
    if TYPE_CHECKING:
        raw: bytes = field(Opaque(0), init=False)

    def __init_subclass__(cls) -> None:
        cls._head = int(cls.msg_type) << 24

    def to_handshake(self) -> bytes:
        """The message with its header: type in 1 byte, length in 3 (RFC 8446 section 4)."""
        body = self.encode()
        return (self._head | len(body)).to_bytes(4, "big") + body


def handshake(msg_type: int, body: bytes) -> bytes:
    """`body` behind the four bytes of a handshake header."""
    return (msg_type << 24 | len(body)).to_bytes(4, "big") + body


class ClientHello(HandshakeMessage):
    """RFC 8446 section 4.1.2."""

    msg_type = HandshakeType.client_hello
    section = "RFC 8446 4.1.2"
    legacy_version: int = field(Uint16(ProtocolVersion))
    random: bytes = field(Opaque(32))
    legacy_session_id: bytes = field(OpaqueVector(0, 32))
    cipher_suites: tuple[int, ...] = field(Vector(Uint16(CipherSuite), 2, 2**16 - 2))
    legacy_compression_methods: tuple[int, ...] = field(Vector(Uint8(CompressionMethod), 1, 2**8 - 1))
    extensions: ExtensionMap = field(Extensions(optional=True))


class ServerHello(HandshakeMessage):
    """RFC 8446 section 4.1.3; with `RETRY_RANDOM` it is a HelloRetryRequest (section 4.1.4)."""

    msg_type = HandshakeType.server_hello
    section = "RFC 8446 4.1.3"
    legacy_version: int = field(Uint16(ProtocolVersion))
    random: bytes = field(Opaque(32))
    legacy_session_id_echo: bytes = field(OpaqueVector(0, 32))
    cipher_suite: int = field(Uint16(CipherSuite))
    legacy_compression_method: int = field(Uint8(CompressionMethod))
    extensions: ExtensionMap = field(Extensions(optional=True))


class EncryptedExtensions(HandshakeMessage):
    """RFC 8446 section 4.3.1."""

    msg_type = HandshakeType.encrypted_extensions
    section = "RFC 8446 4.3.1"
    extensions: ExtensionMap = field(Extensions())


class CertificateRequest(HandshakeMessage):
    """RFC 8446 section 4.3.2."""

    msg_type = HandshakeType.certificate_request
    section = "RFC 8446 4.3.2"
    certificate_request_context: bytes = field(OpaqueVector(0, 2**8 - 1))
    extensions: ExtensionMap = field(Extensions())


class CertificateEntry(Struct):
    """RFC 8446 section 4.4.2: an X.509 certificate, or (alone) a raw public key."""

    section = "RFC 8446 4.4.2"
    cert_data: bytes = field(OpaqueVector(1, 2**24 - 1))
    extensions: ExtensionMap = field(Extensions())


class Certificate(HandshakeMessage):
    """RFC 8446 section 4.4.2."""

    msg_type = HandshakeType.certificate
    section = "RFC 8446 4.4.2"
    certificate_request_context: bytes = field(OpaqueVector(0, 2**8 - 1))
    certificate_list: tuple[CertificateEntry, ...] = field(Vector(Nested(CertificateEntry), 0, 2**24 - 1))


class CompressedCertificate(HandshakeMessage):
    """RFC 8879 section 4."""

    msg_type = HandshakeType.compressed_certificate
    section = "RFC 8879 4"
    algorithm: int = field(Uint16(CertificateCompressionAlgorithm))
    uncompressed_length: int = field(Uint(3))
    compressed_certificate_message: bytes = field(OpaqueVector(1, 2**24 - 1))


class CertificateVerify(HandshakeMessage):
    """RFC 8446 section 4.4.3, RFC 5246 section 7.4.8."""

    msg_type = HandshakeType.certificate_verify
    section = "RFC 8446 4.4.3"
    algorithm: int = field(Uint16(SignatureScheme))
    signature: bytes = field(OpaqueVector(0, 2**16 - 1))


class Finished(HandshakeMessage):
    """RFC 8446 section 4.4.4, RFC 5246 section 7.4.9."""

    msg_type = HandshakeType.finished
    section = "RFC 8446 4.4.4"
    verify_data: bytes = field(Rest())


def finished_message(verify_data: bytes) -> bytes:
    """`Finished(verify_data).to_handshake()`, in one step: every side of every handshake sends one."""
    return (Finished._head | len(verify_data)).to_bytes(4, "big") + verify_data


class EndOfEarlyData(HandshakeMessage):
    """RFC 8446 section 4.5."""

    msg_type = HandshakeType.end_of_early_data
    section = "RFC 8446 4.5"
    nothing: bytes = field(Opaque(0), default=b"")


class NewSessionTicket(HandshakeMessage):
    """RFC 8446 section 4.6.1."""

    msg_type = HandshakeType.new_session_ticket
    section = "RFC 8446 4.6.1"
    ticket_lifetime: int = field(Uint(4))
    ticket_age_add: int = field(Uint(4))
    ticket_nonce: bytes = field(OpaqueVector(0, 255))
    ticket: bytes = field(OpaqueVector(1, 2**16 - 1))
    extensions: ExtensionMap = field(Extensions())


class KeyUpdate(HandshakeMessage):
    """RFC 8446 section 4.6.3."""

    msg_type = HandshakeType.key_update
    section = "RFC 8446 4.6.3"
    request_update: int = field(Uint8(KeyUpdateRequest))


class HelloRequest(HandshakeMessage):
    """RFC 5246 section 7.4.1.1."""

    msg_type = HandshakeType.hello_request
    section = "RFC 5246 7.4.1.1"
    nothing: bytes = field(Opaque(0), default=b"")


class Certificate12(HandshakeMessage):
    """RFC 5246 section 7.4.2."""

    msg_type = HandshakeType.certificate
    section = "RFC 5246 7.4.2"
    certificate_list: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**24 - 1), 0, 2**24 - 1))


class RawPublicKey12(HandshakeMessage):
    """RFC 7250 section 3: a Certificate of TLS 1.2 that is a raw public key; empty for none."""

    msg_type = HandshakeType.certificate
    section = "RFC 7250 3"
    subject_public_key_info: bytes = field(OpaqueVector(0, 2**24 - 1))


class CertificateStatus(HandshakeMessage):
    """RFC 6066 section 8."""

    msg_type = HandshakeType.certificate_status
    section = "RFC 6066 8"
    status_type: int = field(Uint8(CertificateStatusType))
    response: bytes = field(OpaqueVector(1, 2**24 - 1))


class CertificateRequest12(HandshakeMessage):
    """RFC 5246 section 7.4.4."""

    msg_type = HandshakeType.certificate_request
    section = "RFC 5246 7.4.4"
    certificate_types: tuple[int, ...] = field(Vector(Uint8(ClientCertificateType), 1, 2**8 - 1))
    supported_signature_algorithms: tuple[int, ...] = field(Vector(Uint16(SignatureScheme), 2, 2**16 - 2))
    certificate_authorities: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**16 - 1), 0, 2**16 - 1))


class ServerHelloDone(HandshakeMessage):
    """RFC 5246 section 7.4.5."""

    msg_type = HandshakeType.server_hello_done
    section = "RFC 5246 7.4.5"
    nothing: bytes = field(Opaque(0), default=b"")


class NewSessionTicket12(HandshakeMessage):
    """RFC 5077 section 3.3."""

    msg_type = HandshakeType.new_session_ticket
    section = "RFC 5077 3.3"
    ticket_lifetime_hint: int = field(Uint(4))
    ticket: bytes = field(OpaqueVector(0, 2**16 - 1))


class ServerECDHParams(Struct):
    """RFC 8422 section 5.4: what the server signs, after both randoms."""

    section = "RFC 8422 5.4"
    curve_type: int = field(Uint8(ECCurveType))
    namedcurve: int = field(Uint16(NamedGroup))
    public: bytes = field(OpaqueVector(1, 2**8 - 1))


class ServerKeyExchange(HandshakeMessage):
    """A ServerKeyExchange whose form only the cipher suite knows."""

    msg_type = HandshakeType.server_key_exchange
    section = "RFC 5246 7.4.3"
    content: bytes = field(Rest())


class ServerKeyExchangeECDHE(HandshakeMessage):
    """RFC 8422 section 5.4."""

    msg_type = HandshakeType.server_key_exchange
    section = "RFC 8422 5.4"
    params: ServerECDHParams = field(Nested(ServerECDHParams))
    algorithm: int = field(Uint16(SignatureScheme))
    signature: bytes = field(OpaqueVector(0, 2**16 - 1))


class ServerKeyExchangePSK(HandshakeMessage):
    """RFC 4279 section 2."""

    msg_type = HandshakeType.server_key_exchange
    section = "RFC 4279 2"
    psk_identity_hint: bytes = field(OpaqueVector(0, 2**16 - 1))


class ServerKeyExchangeECDHEPSK(HandshakeMessage):
    """RFC 5489 section 2."""

    msg_type = HandshakeType.server_key_exchange
    section = "RFC 5489 2"
    psk_identity_hint: bytes = field(OpaqueVector(0, 2**16 - 1))
    params: ServerECDHParams = field(Nested(ServerECDHParams))


class ClientKeyExchange(HandshakeMessage):
    """A ClientKeyExchange whose form only the cipher suite knows."""

    msg_type = HandshakeType.client_key_exchange
    section = "RFC 5246 7.4.7"
    content: bytes = field(Rest())


class ClientKeyExchangeRSA(HandshakeMessage):
    """RFC 5246 section 7.4.7.1."""

    msg_type = HandshakeType.client_key_exchange
    section = "RFC 5246 7.4.7.1"
    encrypted_pre_master_secret: bytes = field(OpaqueVector(0, 2**16 - 1))


class ClientKeyExchangeECDHE(HandshakeMessage):
    """RFC 8422 section 5.7."""

    msg_type = HandshakeType.client_key_exchange
    section = "RFC 8422 5.7"
    ecdh_Yc: bytes = field(OpaqueVector(1, 2**8 - 1))


class ClientKeyExchangePSK(HandshakeMessage):
    """RFC 4279 section 2."""

    msg_type = HandshakeType.client_key_exchange
    section = "RFC 4279 2"
    psk_identity: bytes = field(OpaqueVector(0, 2**16 - 1))


class ClientKeyExchangeECDHEPSK(HandshakeMessage):
    """RFC 5489 section 2."""

    msg_type = HandshakeType.client_key_exchange
    section = "RFC 5489 2"
    psk_identity: bytes = field(OpaqueVector(0, 2**16 - 1))
    ecdh_Yc: bytes = field(OpaqueVector(1, 2**8 - 1))


#: Which structure a message type stands for, by version. For TLS 1.2's key exchange messages the
#: cipher suite decides; see `handshake`.
MESSAGES_13: dict[int, type[HandshakeMessage]] = {
    message.msg_type: message
    for message in (
        ClientHello,
        ServerHello,
        NewSessionTicket,
        EndOfEarlyData,
        EncryptedExtensions,
        Certificate,
        CertificateRequest,
        CertificateVerify,
        Finished,
        KeyUpdate,
        CompressedCertificate,
    )
}
MESSAGES_12: dict[int, type[HandshakeMessage]] = {
    message.msg_type: message
    for message in (
        HelloRequest,
        ClientHello,
        ServerHello,
        NewSessionTicket12,
        Certificate12,
        ServerKeyExchange,
        CertificateRequest12,
        ServerHelloDone,
        CertificateVerify,
        ClientKeyExchange,
        CertificateStatus,
        Finished,
    )
}
