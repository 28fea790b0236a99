"""What is shown of each message: its fields as named rows, and sentences for single cases.

RFC 8446 section 4, RFC 5246 section 7.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509

from pellucid.errors import CertificateRefused, PeerRefused, Reason, TLSError
from pellucid.glass.decode import Message, Reader, chain_of, key_text, load, name_text, names_of, version_name
from pellucid.glass.failure import BROWSER
from pellucid.glass.show import Names, Row
from pellucid.glass.trace import Fact
from pellucid.wire import messages as m
from pellucid.wire.codepoints import (
    CipherSuite,
    CompressionMethod,
    NamedGroup,
    SignatureScheme,
)
from pellucid.wire.codepoints import (
    ExtensionType as X,
)

#: Step 5, when the server's trace is at hand ...
SAME = {
    "RSA": "It decrypts with the private key of its certificate:",
    "ECDHE": "Its private key and the client's public key make the same:",
    "any": "Its private key and the client's public key make the same:",
    "resumed13": "Its private key and the client's public key make the same:",
    "psk13": "Its private key and the client's public key make the same:",
    "PSK": "It looks the pre-shared key up:",
    "ECDHE_PSK": "It looks the pre-shared key up, and computes the rest:",
}
#: ... with a hybrid group.
SAME_HYBRID = "It computes the curve's half likewise; the other half it made up itself, and encapsulated:"
#: ... and when it is not: the step happens inside the server.
UNSEEN = {
    "RSA": "It decrypts with its private key. Nobody else can, so this cannot be shown from here.",
    "ECDHE": "It computes the same with its own private key, unseen from here.",
    "any": "It computes the same with its own private key, unseen from here.",
    "resumed13": "It computes the same with its own private key, unseen from here.",
    "psk13": "It computes the same with its own private key, unseen from here.",
    "PSK": "It looks the pre-shared key up, unseen from here.",
    "ECDHE_PSK": "It looks the pre-shared key up and computes the rest, unseen from here.",
}


def of_message(reader: Reader, message: Message) -> tuple[Row, ...]:
    """The rows of one message; none for a message that says nothing but its name."""
    body = message.body
    if body is None:
        return (Row("unreadable", message.raw),)
    match body:
        case m.ClientHello():
            return tuple(_client_hello(reader, message))
        case m.ServerHello():
            return tuple(_server_hello(reader, message))
        case m.Certificate() | m.Certificate12() | m.RawPublicKey12() | m.CompressedCertificate():
            return tuple(chain([message])) or (Row("certificate", "none"),)
        case m.EncryptedExtensions():
            return tuple(_extensions(reader, message))
        case m.ServerKeyExchangeECDHE():
            return (
                Row("group", NamedGroup.name_of(body.params.namedcurve)),
                Row("server public key", body.params.public),
                Row("signed with", SignatureScheme.name_of(body.algorithm)),
                Row("signature", body.signature),
            )
        case m.ClientKeyExchangeRSA():
            return (Row("encrypted pre-master secret", body.encrypted_pre_master_secret),)
        case m.ClientKeyExchangeECDHE():
            return (Row("client public key", body.ecdh_Yc),)
        case m.ServerKeyExchangeECDHEPSK():
            return (
                Row("group", NamedGroup.name_of(body.params.namedcurve)),
                Row("server public key", body.params.public),
            )
        case m.ClientKeyExchangePSK():
            return (Row("PSK identity", body.psk_identity.decode("utf-8", "replace")),)
        case m.ClientKeyExchangeECDHEPSK():
            return (
                Row("PSK identity", body.psk_identity.decode("utf-8", "replace")),
                Row("client public key", body.ecdh_Yc),
            )
        case m.CertificateVerify():
            return (
                Row("signed with", SignatureScheme.name_of(body.algorithm)),
                Row("signature", body.signature),
            )
        case m.Finished():
            return (Row("verify data", body.verify_data),)
        case m.NewSessionTicket():
            return (Row("lifetime", f"{body.ticket_lifetime} seconds"), Row("ticket", body.ticket))
        case m.NewSessionTicket12():
            return (Row("lifetime", f"{body.ticket_lifetime_hint} seconds"), Row("ticket", body.ticket))
        case m.CertificateRequest() | m.CertificateRequest12():
            return (Row("asks for", "a certificate of the client"),)
    return ()


def _client_hello(reader: Reader, message: Message) -> list[Row]:
    hello = message.body
    versions = reader.extension(message, X.supported_versions)
    offered = (
        [version_name(v) for v in versions.versions] if versions else [version_name(hello.legacy_version)]
    )
    found = [Row("version", Names(offered)), Row("client random", hello.random)]
    if hello.legacy_session_id:
        found.append(Row("session id", hello.legacy_session_id))
    found.append(Row("cipher suites", tuple(CipherSuite.name_of(code) for code in hello.cipher_suites)))
    found.append(
        Row("compression", Names(CompressionMethod.name_of(c, 2) for c in hello.legacy_compression_methods))
    )
    names = reader.extension(message, X.server_name)
    if names:
        found.append(Row("server name", names.server_name_list[0].host_name.decode("ascii", "replace")))
    protocols = reader.extension(message, X.application_layer_protocol_negotiation)
    if protocols:
        found.append(Row("ALPN", Names(p.decode("ascii", "replace") for p in protocols.protocol_name_list)))
    groups = reader.extension(message, X.supported_groups)
    if groups:
        found.append(Row("groups", Names(NamedGroup.name_of(g) for g in groups.named_group_list)))
    shares = reader.extension(message, X.key_share)
    for share in shares.client_shares if shares else ():
        found.append(Row(f"{NamedGroup.name_of(share.group)} key", share.key_exchange))
    found.append(Row("extensions", Names(X.name_of(kind) for kind in hello.extensions)))
    return found


def _server_hello(reader: Reader, message: Message) -> list[Row]:
    hello = message.body
    found = [
        Row("version", version_name(reader.version)),
        Row("cipher suite", CipherSuite.name_of(hello.cipher_suite)),
    ]
    if message.name == "HelloRetryRequest":
        wanted = reader.extension(message, X.key_share)
        if wanted:
            found.append(Row("asks for a key of", NamedGroup.name_of(wanted.selected_group)))
        return found
    found.insert(1, Row("server random", hello.random))
    if hello.legacy_session_id_echo and reader.key_exchange != "any":
        found.append(Row("session id", hello.legacy_session_id_echo))
    share = reader.extension(message, X.key_share)
    if share:
        entry = share.server_share
        found.append(Row(f"{NamedGroup.name_of(entry.group)} key", entry.key_exchange))
    return found + _extensions(reader, message)


def _extensions(reader: Reader, message: Message) -> list[Row]:
    """What the server answers: the chosen ALPN, and the names of all its extensions."""
    found = []
    protocols = reader.extension(message, X.application_layer_protocol_negotiation)
    if protocols:
        found.append(Row("ALPN", protocols.protocol_name_list[0].decode("ascii", "replace")))
    if message.body.extensions:
        found.append(Row("extensions", Names(X.name_of(kind) for kind in message.body.extensions)))
    return found


def chain(messages: Sequence[Message]) -> list[Row]:
    """The leaf certificate in words, and the names of the ones above it."""
    ders: tuple[bytes, ...] = next((sent for msg in messages if (sent := chain_of(msg))), ())
    if not ders:
        return []
    certificate = load(ders[0])
    if certificate is None:
        return [Row("public key", ders[0])]
    found = [
        Row("subject", name_text(certificate.subject)),
        Row("issuer", name_text(certificate.issuer)),
        Row("names", Names(names_of(certificate))),
        Row("valid", _validity(certificate)),
        Row("public key", key_text(certificate)),
    ]
    above = [load(der) for der in ders[1:]]
    if above:
        found.append(
            Row("sent with it", Names("(unreadable)" if c is None else name_text(c.subject) for c in above))
        )
    return found


def _validity(certificate: x509.Certificate) -> str:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"


def error_of(fact: Fact) -> TLSError:
    """The error that a trace's "error" fact noted."""
    reason: Any = fact.fields["reason"]
    if not isinstance(reason, Reason):
        reason = Reason.INTERNAL
    alert = fact.fields.get("alert")
    if reason in BROWSER:
        return CertificateRefused(reason, fact.fields.get("detail") or "", alert=alert)
    if reason is Reason.PEER_ALERT and alert is not None:
        return PeerRefused(int(alert))
    return TLSError(reason, fact.fields.get("detail") or "", alert=alert)
