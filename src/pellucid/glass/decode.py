"""Reading a trace's messages: with the declarations that the connection itself uses.

RFC 8446 section 4, RFC 5246 section 7.4, RFC 8422 section 5. In TLS 1.2 the form of the key
exchange messages depends on the cipher suite, and several messages differ from TLS 1.3's of the
same number; `Reader` knows what was negotiated and picks the right declaration.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from pellucid.errors import TLSError
from pellucid.glass.trace import Fact, Trace
from pellucid.limits import MAX_CERTIFICATE_MESSAGE
from pellucid.wire import messages as m
from pellucid.wire.codepoints import CipherSuite, ExtensionType, HandshakeType, ProtocolVersion
from pellucid.wire.compression import decompress
from pellucid.wire.extensions import BODY, HRR, SH12
from pellucid.wire.language import Struct

_RAW_PUBLIC_KEY = b"\x02"
#: The messages that hold certificates: as they are, and compressed (RFC 8879).
CERTIFICATES = (HandshakeType.certificate, HandshakeType.compressed_certificate)

_PLACE = {
    HandshakeType.client_hello: "CH",
    HandshakeType.encrypted_extensions: "EE",
    HandshakeType.certificate_request: "CR",
    HandshakeType.new_session_ticket: "NST",
}


def version_name(code: int) -> str:
    """A protocol version as people say it.

    >>> version_name(0x0304)
    'TLS 1.3'
    """
    return ProtocolVersion.said(code)


def key_exchange_of(suite: int) -> str:
    """How a cipher suite agrees on its keys: "any" (TLS 1.3), "RSA", "ECDHE", "PSK", "ECDHE_PSK".

    >>> key_exchange_of(0xC02F), key_exchange_of(0x009C), key_exchange_of(0x1301)
    ('ECDHE', 'RSA', 'any')
    """
    name = CipherSuite.name_of(suite)
    if "_WITH_" not in name:
        return "any"
    kx = name.removeprefix("TLS_").split("_WITH_")[0]
    return kx if kx == "ECDHE_PSK" else kx.split("_")[0]


_SERVER_KEY_EXCHANGE: dict[str, type[m.HandshakeMessage]] = {
    "ECDHE": m.ServerKeyExchangeECDHE,
    "PSK": m.ServerKeyExchangePSK,
    "ECDHE_PSK": m.ServerKeyExchangeECDHEPSK,
}
_CLIENT_KEY_EXCHANGE: dict[str, type[m.HandshakeMessage]] = {
    "RSA": m.ClientKeyExchangeRSA,
    "ECDHE": m.ClientKeyExchangeECDHE,
    "PSK": m.ClientKeyExchangePSK,
    "ECDHE_PSK": m.ClientKeyExchangeECDHEPSK,
}


class Message:
    """A handshake message of a trace, decoded. `body` is None where it cannot be read."""

    __slots__ = ("at", "body", "epoch", "name", "raw", "sender", "type")

    def __init__(self, fact: Fact, sender: str, name: str, body: Any) -> None:
        self.at = fact.at
        self.epoch: int = fact.fields["epoch"]
        self.type: int = fact.fields["type"]
        self.raw: bytes = fact.fields["raw"]
        self.sender = sender
        self.name = name
        self.body = body


class Reader:
    """Decodes the messages of one trace. Reading the hellos tells it what was negotiated."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.version = 0
        self.suite = 0
        self.asked = trace.name or ""  # the server's name that the client wants; "" where it names none
        self.raw_keys: frozenset[str] = frozenset()  # who shows a raw public key in TLS 1.2 (RFC 7250)
        self._hellos()

    @property
    def key_exchange(self) -> str:
        """How the keys are agreed on; "" before a ServerHello."""
        return key_exchange_of(self.suite) if self.suite else ""

    def _hellos(self) -> None:
        for fact in self.trace.of("message"):
            if fact.fields["type"] == HandshakeType.client_hello:
                self.asked = self.asked or _asked(fact.fields["raw"])
            if fact.fields["type"] != HandshakeType.server_hello:
                continue
            hello = _decode(m.ServerHello, fact.fields["raw"])
            if hello is None:
                return
            selected = hello.extensions.get(ExtensionType.supported_versions)
            self.version = int.from_bytes(selected, "big") if selected else hello.legacy_version
            self.suite = hello.cipher_suite
            sides = {
                "server": ExtensionType.server_certificate_type,
                "client": ExtensionType.client_certificate_type,
            }
            raw = {side for side, kind in sides.items() if hello.extensions.get(kind) == _RAW_PUBLIC_KEY}
            self.raw_keys = frozenset(raw)

    def message(self, fact: Fact) -> Message:
        """Decode one "message" fact."""
        sent, kind, raw = fact.fields["sent"], fact.fields["type"], fact.fields["raw"]
        other = {"client": "server", "server": "client"}
        sender = self.trace.role if sent else other[self.trace.role]
        form = self._form(kind, sender)
        body = None if form is None else _decode(form, raw)
        name = _camel(HandshakeType.name_of(kind, 2))
        if isinstance(body, m.ServerHello) and body.random == m.RETRY_RANDOM:
            name = "HelloRetryRequest"
        return Message(fact, sender, name, body)

    def form(self, message: Message) -> type[m.HandshakeMessage] | None:
        """The declaration that `message` is read by; None for a type that this version does not know."""
        return self._form(message.type, message.sender)

    def trouble(self, message: Message) -> str:
        """Why a message cannot be read, in the decoder's words; "" where it can."""
        form = self._form(message.type, message.sender)
        if form is None:
            return f"{self._version_name()} knows no such message"
        try:
            form.decode(message.raw[4:])
        except TLSError as error:
            return error.detail or error.reason.sentence
        return ""

    def _version_name(self) -> str:
        return version_name(self.version) if self.version else "TLS"

    def _form(self, kind: int, sender: str) -> type[m.HandshakeMessage] | None:
        if self.version == ProtocolVersion.TLS_1_3:
            return m.MESSAGES_13.get(kind)
        if kind == HandshakeType.certificate and sender in self.raw_keys:
            return m.RawPublicKey12
        if kind == HandshakeType.server_key_exchange:
            return _SERVER_KEY_EXCHANGE.get(self.key_exchange, m.ServerKeyExchange)
        if kind == HandshakeType.client_key_exchange:
            return _CLIENT_KEY_EXCHANGE.get(self.key_exchange, m.ClientKeyExchange)
        return m.MESSAGES_12.get(kind)

    def extension(self, message: Message, kind: int) -> Any:
        """The decoded content of an extension; None where it is absent or cannot be read."""
        raw = (getattr(message.body, "extensions", None) or {}).get(kind)
        if raw is None:
            return None
        form = self.extension_form(message, kind)
        return None if form is None else _decode_struct(form, raw)

    def extension_form(self, message: Message, kind: int, place: str | None = None) -> type[Struct] | None:
        """The declaration of an extension's content in this message; `place` is a column of `BODY`."""
        place = place or _PLACE.get(message.type)  # type: ignore[call-overload]
        if message.type == HandshakeType.server_hello:
            retry = message.name == "HelloRetryRequest"
            place = HRR if retry else "SH" if self.version == ProtocolVersion.TLS_1_3 else SH12
        return BODY.get((kind, place)) if place else None


def _asked(raw: bytes) -> str:
    """The host name in a ClientHello (RFC 6066 section 3); "" where there is none."""
    hello = _decode(m.ClientHello, raw)
    listed = None if hello is None else hello.extensions.get(ExtensionType.server_name)
    form = BODY[ExtensionType.server_name, "CH"]
    names = None if listed is None else _decode_struct(form, listed)
    return names.server_name_list[0].host_name.decode("ascii", "replace") if names else ""


def _decode(form: type[m.HandshakeMessage], raw: bytes) -> Any:
    try:
        return form.decode(raw[4:])
    except TLSError:
        return None


def _decode_struct(form: type[Struct], raw: bytes) -> Any:
    try:
        return form.decode(raw)
    except TLSError:
        return None


def _camel(name: str) -> str:
    """`server_hello` as the RFCs write it in prose: ServerHello."""
    return name if "(" in name else "".join(part.capitalize() for part in name.split("_"))


# -- certificates --------------------------------------------------------------------------------------


def chain_of(message: Message) -> tuple[bytes, ...]:
    """The certificates in a Certificate message of any version, compressed or not: DER, leaf first."""
    body = message.body
    if isinstance(body, m.CompressedCertificate):
        unpacked = decompressed(body)
        body = None if unpacked is None else _decode_struct(m.Certificate, unpacked)
    if isinstance(body, m.Certificate):
        return tuple(entry.cert_data for entry in body.certificate_list)
    if isinstance(body, m.Certificate12):
        return tuple(body.certificate_list)
    if isinstance(body, m.RawPublicKey12):
        return (body.subject_public_key_info,) if body.subject_public_key_info else ()
    return ()


def decompressed(message: m.CompressedCertificate) -> bytes | None:
    """The body of the Certificate message that RFC 8879 packed; None where it cannot be unpacked."""
    size = message.uncompressed_length
    if size > MAX_CERTIFICATE_MESSAGE:
        return None
    try:
        return decompress(message.algorithm, message.compressed_certificate_message, size)
    except TLSError:
        return None


def load(der: bytes) -> x509.Certificate | None:
    """A certificate, or None for bytes that are none (a raw public key, or worse)."""
    try:
        found = x509.load_der_x509_certificate(der)
        _ = found.subject, found.issuer, found.not_valid_before_utc, found.not_valid_after_utc
    except (ValueError, Warning):  # the library reads some parts only when they are asked for
        return None
    return found


def name_text(name: x509.Name) -> str:
    """A distinguished name in one line: its common name and organisation, or all of it."""
    try:
        parts = [
            name.get_attributes_for_oid(oid)
            for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME)
        ]
        words = [str(found[0].value) for found in parts if found]
        return ", ".join(words) or name.rfc4514_string() or "(empty)"
    except ValueError:
        return "(unreadable)"


def key_text(certificate: x509.Certificate) -> str:
    """What kind of key a certificate holds: "RSA 2048 bits", "ECDSA secp256r1", "Ed25519"."""
    try:
        key = certificate.public_key()
    except ValueError:
        return "unreadable key"
    except Exception:  # UnsupportedAlgorithm, and whatever a later library raises for a key it does not know
        return "unknown kind of key"
    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size} bits"
        case ec.EllipticCurvePublicKey():
            return f"ECDSA {key.curve.name}"
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
        case dsa.DSAPublicKey():
            return f"DSA {key.key_size} bits"
    return type(key).__name__.removesuffix("PublicKey")


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names a certificate is for: DNS names and IP addresses of its subjectAltName."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        return []
    return [
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    ]


def shown_identity(trace: Trace, identities: Iterable[Any]) -> Any:
    """Which of a server's identities a trace shows; None where no certificate was shown."""
    reader = Reader(trace)
    for fact in trace.of("message"):
        message = reader.message(fact)
        chain = chain_of(message) if message.type in CERTIFICATES and message.sender == "server" else ()
        for identity in identities if chain else ():
            if chain[0] in (*identity.chain[:1], identity.raw_public_key):
                return identity
    return None
