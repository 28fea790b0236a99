"""The numbers of TLS: every registry value that pellucid speaks, shows or explains.

RFC 8446 sections 4, 5.1, 6 and appendix B; RFC 8447; the IANA "TLS Parameters" registries.

On the wire and in decoded messages a code point is a plain `int`, so that a value nobody here
has heard of survives a round trip. The classes below only give names to the known ones;
`name_of` turns any number into something a person can read.
"""

from __future__ import annotations

from enum import IntEnum


class CodePoint(IntEnum):
    """A registry of numbers. Iterating it gives the known values."""

    @classmethod
    def name_of(cls, value: int, width: int = 4) -> str:
        """The registered name of `value`, `GREASE(0x..)`, or `unknown(0x..)` of `width` digits.

        >>> ContentType.name_of(22)
        'handshake'
        >>> NamedGroup.name_of(0x2a2a)
        'GREASE(0x2a2a)'
        """
        member = cls._value2member_map_.get(value)
        if member is not None:
            return member.name
        if is_grease(value) and issubclass(cls, GreasedCodePoint):
            return f"GREASE(0x{value:0{width}x})"
        return f"unknown(0x{value:0{width}x})"


class GreasedCodePoint(CodePoint):
    """A registry in which RFC 8701 reserves 0x0A0A, 0x1A1A ... 0xFAFA."""


def is_grease(value: int) -> bool:
    """Whether `value` is one of the sixteen 16-bit values of RFC 8701 section 2."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


GREASE_VALUES = tuple(0x0A0A + 0x1010 * n for n in range(16))


class ContentType(CodePoint):
    """RFC 8446 section 5.1."""

    invalid = 0
    change_cipher_spec = 20
    alert = 21
    handshake = 22
    application_data = 23
    heartbeat = 24


class ProtocolVersion(GreasedCodePoint):
    """RFC 8446 section 4.1.2 and 4.2.1. Only the last two can be negotiated."""

    SSL_3_0 = 0x0300
    TLS_1_0 = 0x0301
    TLS_1_1 = 0x0302
    TLS_1_2 = 0x0303
    TLS_1_3 = 0x0304

    @classmethod
    def said(cls, value: int) -> str:
        """The version as people say it.

        >>> ProtocolVersion.said(0x0304), ProtocolVersion.said(0x0300), ProtocolVersion.said(0x0399)
        ('TLS 1.3', 'SSL 3.0', 'unknown(0x0399)')
        """
        name = cls.name_of(value, 4)
        return name.replace("_", " ", 1).replace("_", ".") if name in cls.__members__ else name


class HandshakeType(CodePoint):
    """RFC 8446 section 4, with the types of TLS 1.2 (RFC 5246 section 7.4)."""

    hello_request = 0
    client_hello = 1
    server_hello = 2
    hello_verify_request = 3
    new_session_ticket = 4
    end_of_early_data = 5
    hello_retry_request = 6
    encrypted_extensions = 8
    certificate = 11
    server_key_exchange = 12
    certificate_request = 13
    server_hello_done = 14
    certificate_verify = 15
    client_key_exchange = 16
    finished = 20
    certificate_url = 21
    certificate_status = 22
    supplemental_data = 23
    key_update = 24
    compressed_certificate = 25
    next_protocol = 67
    message_hash = 254


class Alert(CodePoint):
    """RFC 8446 section 6, RFC 5246 section 7.2, RFC 9849 section 11.2."""

    close_notify = 0
    unexpected_message = 10
    bad_record_mac = 20
    decryption_failed = 21
    record_overflow = 22
    decompression_failure = 30
    handshake_failure = 40
    no_certificate = 41
    bad_certificate = 42
    unsupported_certificate = 43
    certificate_revoked = 44
    certificate_expired = 45
    certificate_unknown = 46
    illegal_parameter = 47
    unknown_ca = 48
    access_denied = 49
    decode_error = 50
    decrypt_error = 51
    export_restriction = 60
    protocol_version = 70
    insufficient_security = 71
    internal_error = 80
    inappropriate_fallback = 86
    user_canceled = 90
    no_renegotiation = 100
    missing_extension = 109
    unsupported_extension = 110
    certificate_unobtainable = 111
    unrecognized_name = 112
    bad_certificate_status_response = 113
    bad_certificate_hash_value = 114
    unknown_psk_identity = 115
    certificate_required = 116
    general_error = 117
    no_application_protocol = 120
    ech_required = 121


class AlertLevel(CodePoint):
    """RFC 8446 section 6."""

    warning = 1
    fatal = 2


class CipherSuite(GreasedCodePoint):
    """RFC 8446 appendix B.4; RFC 5246, 5288, 5289, 6655, 7251, 7905, 5489, 4279, 5487, 8442.

    The museum's suites are here by number too: a ClientHello that offers them must be readable.
    """

    TLS_NULL_WITH_NULL_NULL = 0x0000
    TLS_RSA_WITH_RC4_128_MD5 = 0x0004
    TLS_RSA_WITH_RC4_128_SHA = 0x0005
    TLS_RSA_WITH_3DES_EDE_CBC_SHA = 0x000A
    TLS_RSA_WITH_AES_128_CBC_SHA = 0x002F
    TLS_RSA_WITH_AES_256_CBC_SHA = 0x0035
    TLS_RSA_WITH_AES_128_CBC_SHA256 = 0x003C
    TLS_RSA_WITH_AES_256_CBC_SHA256 = 0x003D
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA = 0x0033
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA = 0x0039
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA256 = 0x0067
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA256 = 0x006B
    TLS_PSK_WITH_AES_128_CBC_SHA = 0x008C
    TLS_PSK_WITH_AES_256_CBC_SHA = 0x008D
    TLS_RSA_WITH_AES_128_GCM_SHA256 = 0x009C
    TLS_RSA_WITH_AES_256_GCM_SHA384 = 0x009D
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 = 0x009E
    TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 = 0x009F
    TLS_PSK_WITH_AES_128_GCM_SHA256 = 0x00A8
    TLS_PSK_WITH_AES_256_GCM_SHA384 = 0x00A9
    TLS_PSK_WITH_AES_128_CBC_SHA256 = 0x00AE
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF
    TLS_AES_128_GCM_SHA256 = 0x1301
    TLS_AES_256_GCM_SHA384 = 0x1302
    TLS_CHACHA20_POLY1305_SHA256 = 0x1303
    TLS_AES_128_CCM_SHA256 = 0x1304
    TLS_AES_128_CCM_8_SHA256 = 0x1305
    TLS_FALLBACK_SCSV = 0x5600
    TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA = 0xC008
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA = 0xC009
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA = 0xC00A
    TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA = 0xC012
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA = 0xC013
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA = 0xC014
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 = 0xC023
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 = 0xC024
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 = 0xC027
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 = 0xC028
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = 0xC02B
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 = 0xC02C
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 = 0xC02F
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 = 0xC030
    TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA = 0xC035
    TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA = 0xC036
    TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256 = 0xC037
    TLS_RSA_WITH_AES_128_CCM = 0xC09C
    TLS_RSA_WITH_AES_256_CCM = 0xC09D
    TLS_PSK_WITH_AES_128_CCM = 0xC0A4
    TLS_PSK_WITH_AES_256_CCM = 0xC0A5
    TLS_PSK_WITH_AES_128_CCM_8 = 0xC0A8
    TLS_ECDHE_ECDSA_WITH_AES_128_CCM = 0xC0AC
    TLS_ECDHE_ECDSA_WITH_AES_256_CCM = 0xC0AD
    TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 = 0xC0AE
    TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8 = 0xC0AF
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCA8
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCA9
    TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCAA
    TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 = 0xCCAB
    TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256 = 0xCCAC
    TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256 = 0xD001
    TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384 = 0xD002
    TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256 = 0xD005


class NamedGroup(GreasedCodePoint):
    """RFC 8446 section 4.2.7, RFC 8422 section 5.1.1, RFC 10024 (the ML-KEM hybrids)."""

    secp192r1 = 0x0013
    secp224r1 = 0x0015
    secp256r1 = 0x0017
    secp384r1 = 0x0018
    secp521r1 = 0x0019
    x25519 = 0x001D
    x448 = 0x001E
    brainpoolP256r1tls13 = 0x001F
    brainpoolP384r1tls13 = 0x0020
    brainpoolP512r1tls13 = 0x0021
    ffdhe2048 = 0x0100
    ffdhe3072 = 0x0101
    ffdhe4096 = 0x0102
    ffdhe6144 = 0x0103
    ffdhe8192 = 0x0104
    MLKEM512 = 0x0200
    MLKEM768 = 0x0201
    MLKEM1024 = 0x0202
    SecP256r1MLKEM768 = 0x11EB
    X25519MLKEM768 = 0x11EC
    SecP384r1MLKEM1024 = 0x11ED
    X25519Kyber768Draft00 = 0x6399


class SignatureScheme(GreasedCodePoint):
    """RFC 8446 section 4.2.3; draft-ietf-tls-mldsa for ML-DSA."""

    rsa_pkcs1_md5 = 0x0101
    rsa_pkcs1_sha1 = 0x0201
    dsa_sha1 = 0x0202
    ecdsa_sha1 = 0x0203
    rsa_pkcs1_sha224 = 0x0301
    ecdsa_sha224 = 0x0303
    rsa_pkcs1_sha256 = 0x0401
    ecdsa_secp256r1_sha256 = 0x0403
    rsa_pkcs1_sha384 = 0x0501
    ecdsa_secp384r1_sha384 = 0x0503
    rsa_pkcs1_sha512 = 0x0601
    ecdsa_secp521r1_sha512 = 0x0603
    rsa_pss_rsae_sha256 = 0x0804
    rsa_pss_rsae_sha384 = 0x0805
    rsa_pss_rsae_sha512 = 0x0806
    ed25519 = 0x0807
    ed448 = 0x0808
    rsa_pss_pss_sha256 = 0x0809
    rsa_pss_pss_sha384 = 0x080A
    rsa_pss_pss_sha512 = 0x080B
    ecdsa_brainpoolP256r1tls13_sha256 = 0x081A
    ecdsa_brainpoolP384r1tls13_sha384 = 0x081B
    ecdsa_brainpoolP512r1tls13_sha512 = 0x081C
    mldsa44 = 0x0904
    mldsa65 = 0x0905
    mldsa87 = 0x0906


class ExtensionType(GreasedCodePoint):
    """RFC 8446 section 4.2 and the IANA registry."""

    server_name = 0
    max_fragment_length = 1
    client_certificate_url = 2
    trusted_ca_keys = 3
    truncated_hmac = 4
    status_request = 5
    user_mapping = 6
    cert_type = 9
    supported_groups = 10
    ec_point_formats = 11
    srp = 12
    signature_algorithms = 13
    use_srtp = 14
    heartbeat = 15
    application_layer_protocol_negotiation = 16
    status_request_v2 = 17
    signed_certificate_timestamp = 18
    client_certificate_type = 19
    server_certificate_type = 20
    padding = 21
    encrypt_then_mac = 22
    extended_master_secret = 23
    token_binding = 24
    cached_info = 25
    compress_certificate = 27
    record_size_limit = 28
    delegated_credential = 34
    session_ticket = 35
    pre_shared_key = 41
    early_data = 42
    supported_versions = 43
    cookie = 44
    psk_key_exchange_modes = 45
    certificate_authorities = 47
    oid_filters = 48
    post_handshake_auth = 49
    signature_algorithms_cert = 50
    key_share = 51
    transparency_info = 52
    connection_id = 54
    external_id_hash = 55
    external_session_id = 56
    quic_transport_parameters = 57
    ticket_request = 58
    next_protocol_negotiation = 13172
    application_settings_old = 17513
    application_settings = 17613
    trust_anchors = 0xCA34
    encrypted_client_hello = 0xFE0D
    ech_outer_extensions = 0xFD00
    renegotiation_info = 0xFF01


class PskKeyExchangeMode(CodePoint):
    """RFC 8446 section 4.2.9."""

    psk_ke = 0
    psk_dhe_ke = 1


class KeyUpdateRequest(CodePoint):
    """RFC 8446 section 4.6.3."""

    update_not_requested = 0
    update_requested = 1


class CertificateType(CodePoint):
    """RFC 7250 section 3."""

    X509 = 0
    OpenPGP = 1
    RawPublicKey = 2


class ClientCertificateType(CodePoint):
    """RFC 5246 section 7.4.4, RFC 8422 section 5.5 (TLS 1.2 CertificateRequest)."""

    rsa_sign = 1
    dss_sign = 2
    rsa_fixed_dh = 3
    dss_fixed_dh = 4
    ecdsa_sign = 64


class CompressionMethod(CodePoint):
    """RFC 5246 section 6.1, RFC 3749. Only null is ever negotiated."""

    null = 0
    DEFLATE = 1


class CertificateCompressionAlgorithm(CodePoint):
    """RFC 8879 section 7.3."""

    zlib = 1
    brotli = 2
    zstd = 3


class ECPointFormat(CodePoint):
    """RFC 8422 section 5.1.2."""

    uncompressed = 0
    ansiX962_compressed_prime = 1
    ansiX962_compressed_char2 = 2


class ECCurveType(CodePoint):
    """RFC 8422 section 5.4."""

    explicit_prime = 1
    explicit_char2 = 2
    named_curve = 3


class NameType(CodePoint):
    """RFC 6066 section 3."""

    host_name = 0


class CertificateStatusType(CodePoint):
    """RFC 6066 section 8."""

    ocsp = 1
    ocsp_multi = 2


class MaxFragmentLength(CodePoint):
    """RFC 6066 section 4: the value n stands for 2**(8+n) bytes."""

    bytes_512 = 1
    bytes_1024 = 2
    bytes_2048 = 3
    bytes_4096 = 4


class KdfIdentifier(CodePoint):
    """RFC 9258 section 5.1: the importer's target KDFs."""

    HKDF_SHA256 = 1
    HKDF_SHA384 = 2
