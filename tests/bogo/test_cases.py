"""What BoringSSL's runner does wrong on purpose, one rule at a time, done to the shim by our laboratory.

Each case says what the peer breaks, which `:CODE:` the runner looks for on standard error, and
which alert it must be able to read (None: it does not ask, or has changed its keys already).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from bogo.loopback import P12, P13, Peer, Runner, echo, quiet
from pellucid import ClientConfig, Policy, ServerConfig, Trust
from pellucid.lab import (
    ChangeCipherSpec,
    Fault,
    HelloRetryRequest,
    MisbehavingClient,
    MisbehavingServer,
    Outgoing,
    Record,
    append,
    corrupt,
    drop,
    edit,
    extensions,
    flip,
    in_clear,
    insert,
    records,
    repeat_extension,
    replace,
)
from pellucid.legacy import old_peers_policy
from pellucid.trust.identity import Identity
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    RETRY_RANDOM,
    Certificate,
    Certificate12,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    KeyUpdate,
    NewSessionTicket12,
    ServerHello,
    ServerKeyExchangeECDHE,
    handshake,
)

BOTH = Policy()
OLD = old_peers_policy(versions=(0x0303,))
NO_SHARES = P13.replace(key_shares=())
P384 = P13.replace(groups=(24,))  # the shim sends no share for it: HelloRetryRequest
Make = Callable[[], tuple[Fault, ...]]
Then = Callable[[Any], None]
Bodies = dict[int, bytes | None]  # of extensions


class Case(NamedTuple):
    """One test of the runner's."""

    name: str
    make: Make
    code: str
    alert: int | None = None
    policy: Policy = BOTH
    flags: tuple[str, ...] = ()
    then: Then | None = None  # what the peer does once the handshake is complete


def faults(*made: Fault) -> Make:
    return lambda: made


def none() -> tuple[Fault, ...]:
    return ()


def many(count: int, content_type: int, fragment: bytes) -> Then:
    def inject(conn: Any) -> None:
        for _ in range(count):
            conn.inject(content_type, fragment)

    return inject


def updates(count: int) -> Then:
    """Each under the keys of the one before."""

    def send(conn: Any) -> None:
        for _ in range(count):
            conn.update_keys()

    return send


def before(content_type: int, *fragments: bytes, epoch: int) -> Fault:
    """Records in clear in front of the first one under some keys."""
    clear = [bytes((content_type, 3, 3)) + len(one).to_bytes(2, "big") + one for one in fragments]
    return records(lambda record: (*clear, record.sealed()), epoch=epoch, nth=1)


def outer_type(record: Outgoing) -> tuple[bytes]:
    """A record whose type says handshake outside too."""
    keys: Any = record.protection
    inner = record.fragment + bytes((record.content_type,))
    header = b"\x16\3\3" + (len(inner) + 16).to_bytes(2, "big")
    encrypt = (keys._cipher or keys._begin()).encrypt
    nonce = (keys._iv ^ keys._sequence).to_bytes(12, "big")
    keys._sequence += 1
    return (header + encrypt(nonce, inner, header),)


def second_retry(hello: Any) -> None:
    hello.random = RETRY_RANDOM
    hello.extensions = {X.supported_versions: b"\3\4", X.key_share: b"\0\x17"}


def trailing_share(hello: Any) -> None:
    body = hello.extensions[X.key_share]
    entry = ext.KeyShareClientHello.decode(body).client_shares[-1]
    hello.extensions[X.key_share] = ext.KeyShareClientHello((entry,)).encode() + b"\0"


def repeated_share(hello: Any) -> None:
    shares = ext.KeyShareClientHello.decode(hello.extensions[X.key_share]).client_shares
    hello.extensions[X.key_share] = ext.KeyShareClientHello((*shares, shares[-1])).encode()


def client_share(change: Callable[[bytes], bytes]) -> Fault:
    def apply(hello: Any) -> None:
        shares = ext.KeyShareClientHello.decode(hello.extensions[X.key_share]).client_shares
        changed = tuple(ext.KeyShareEntry(s.group, change(s.key_exchange)) for s in shares)
        hello.extensions[X.key_share] = ext.KeyShareClientHello(changed).encode()

    return edit(ClientHello, apply)


def server_share(change: Callable[[bytes], bytes]) -> Fault:
    def apply(hello: Any) -> None:
        share = ext.KeyShareServerHello.decode(hello.extensions[X.key_share]).server_share
        new = ext.KeyShareEntry(share.group, change(share.key_exchange))
        hello.extensions[X.key_share] = ext.KeyShareServerHello(new).encode()

    return edit(ServerHello, apply)


def share_of(group: int) -> bytes:
    return ext.KeyShareServerHello(ext.KeyShareEntry(group, b"\4" + bytes(64))).encode()


def hrr(**changes: bytes | None) -> Fault:
    return extensions(HelloRetryRequest, {X[name]: body for name, body in changes.items()})


NAME: Bodies = {X.server_name: b""}
ALPN: Bodies = {X.application_layer_protocol_negotiation: ext.ProtocolNames((b"foo",)).encode()}
UNKNOWN: Bodies = {0x1234: b"custom extension"}

#: The shim is the client, our server breaks the rule.
TO_CLIENTS = [
    # -- extensions
    Case("UnsolicitedServerNameAck-12", faults(extensions(ServerHello, NAME)),
         "UNEXPECTED_EXTENSION", 110, P12),
    Case("UnsolicitedServerNameAck-13", faults(extensions(EncryptedExtensions, NAME)),
         "UNEXPECTED_EXTENSION", 110),
    Case("UnknownExtension-12", faults(extensions(ServerHello, UNKNOWN)), "UNEXPECTED_EXTENSION", 110, P12),
    Case("UnknownExtension-13", faults(extensions(EncryptedExtensions, UNKNOWN)),
         "UNEXPECTED_EXTENSION", 110),
    Case("UnknownUnencryptedExtension", faults(extensions(ServerHello, UNKNOWN)),
         "UNEXPECTED_EXTENSION", None),
    Case("UnexpectedUnencryptedExtension", faults(extensions(ServerHello, ALPN)),
         "UNEXPECTED_EXTENSION", None,
         flags=("-advertise-alpn", "\x03foo")),
    Case("UnofferedExtension-12", faults(extensions(ServerHello, ALPN)), "UNEXPECTED_EXTENSION", 110, P12),
    Case("UnofferedExtension-13", faults(extensions(EncryptedExtensions, ALPN)), "UNEXPECTED_EXTENSION", 110),
    Case("ALPN-RejectUnknown-12", faults(extensions(ServerHello, ALPN)), "INVALID_ALPN_PROTOCOL", 47, P12,
         ("-advertise-alpn", "\x03bar")),
    Case("ALPN-RejectUnknown-13", faults(extensions(EncryptedExtensions, ALPN)), "INVALID_ALPN_PROTOCOL", 47,
         flags=("-advertise-alpn", "\x03bar")),
    Case("ALPN-EmptyProtocolName-12",
         faults(extensions(ServerHello, {X.application_layer_protocol_negotiation: b"\0\1\0"})),
         "PARSE_TLSEXT", None, P12, ("-advertise-alpn", "\x03bar")),
    Case("ALPN-EmptyProtocolName-13",
         faults(extensions(EncryptedExtensions, {X.application_layer_protocol_negotiation: b"\0\1\0"})),
         "PARSE_TLSEXT", None, flags=("-advertise-alpn", "\x03bar")),
    Case("EMS-Forbidden-TLS13", faults(extensions(EncryptedExtensions, {X.extended_master_secret: b""})),
         "ERROR_PARSING_EXTENSION"),
    Case("RenegotiationInfo-Forbidden", faults(extensions(EncryptedExtensions,
         {X.renegotiation_info: b"\0"})),
         "ERROR_PARSING_EXTENSION"),
    Case("Ticket-Forbidden-TLS13", faults(extensions(EncryptedExtensions, {X.session_ticket: b""})),
         "ERROR_PARSING_EXTENSION"),
    Case("DuplicateExtension-13", faults(repeat_extension(ServerHello, X.key_share)), "DUPLICATE_EXTENSION"),
    Case("EmptyEncryptedExtensions", faults(replace(EncryptedExtensions, handshake(8, b""))), "", 50),
    # -- messages
    Case("UnauthenticatedECDH", faults(drop(Certificate12)), "UNEXPECTED_MESSAGE", policy=P12),
    Case("SkipServerKeyExchange", faults(drop(ServerKeyExchangeECDHE)), "UNEXPECTED_MESSAGE", policy=P12),
    Case("SkipNewSessionTicket", faults(drop(NewSessionTicket12)), "UNEXPECTED_RECORD", policy=P12),
    Case("EmptyCertificateList-12", faults(edit(Certificate12, certificate_list=())),
         "DECODE_ERROR", policy=P12),
    Case("EmptyCertificateList-13", faults(edit(Certificate, certificate_list=())),
         "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    Case("BadFinished-12", faults(flip(Finished)), "DIGEST_CHECK_FAILED", 51, P12),
    Case("BadFinished-13", faults(flip(Finished)), "DIGEST_CHECK_FAILED", 51),
    Case("ClientSkipCertificateVerify", faults(drop(CertificateVerify)), "UNEXPECTED_MESSAGE", 10),
    Case("BadSignature-13", faults(flip(CertificateVerify)), "BAD_SIGNATURE"),
    Case("BadSignature-12", faults(flip(ServerKeyExchangeECDHE)), "BAD_SIGNATURE", policy=P12),
    Case("WrongSignatureType", faults(edit(CertificateVerify, algorithm=0x0807)), "WRONG_SIGNATURE_TYPE", 47),
    Case("InvalidCompressionMethod", faults(edit(ServerHello, legacy_compression_method=1)),
         "UNSUPPORTED_COMPRESSION_ALGORITHM", 47, P12),
    Case("TLS13-InvalidCompressionMethod", faults(edit(ServerHello, legacy_compression_method=1)),
         "DECODE_ERROR"),
    Case("TLS13-HRR-InvalidCompressionMethod", faults(edit(HelloRetryRequest, legacy_compression_method=1)),
         "DECODE_ERROR", 50, P384),
    Case("EchoTLS13CompatibilitySessionID",
         faults(edit(ServerHello, lambda hello: None)), "SERVER_ECHOED_INVALID_SESSION_ID", 47, P12),
    Case("UnknownCipher", faults(edit(ServerHello, cipher_suite=0x1399)), "WRONG_CIPHER_RETURNED"),
    Case("TrailingMessageData-EE", faults(append(EncryptedExtensions)), "DECODE_ERROR", 50),
    Case("TrailingMessageData-SH-12", faults(append(ServerHello)), "DECODE_ERROR", 50, P12),
    Case("WrongMessageType-EE", faults(replace(EncryptedExtensions, handshake(0x7F, b""))),
         "UNEXPECTED_MESSAGE", 10),
    # -- key shares
    Case("MissingKeyShare-Client", faults(extensions(ServerHello, {X.key_share: None})), "MISSING_KEY_SHARE"),
    Case("SkipHelloRetryRequest", faults(extensions(ServerHello, {X.key_share: share_of(24)})),
         "WRONG_CURVE"),
    Case("BadKeyShare-x25519", faults(server_share(lambda share: bytes(len(share)))), "BAD_ECPOINT",
         policy=P13.replace(groups=(29,))),
    Case("TruncateKeyShare", faults(server_share(lambda share: share[:-1])), "BAD_ECPOINT",
         policy=P13.replace(groups=(29,))),
    Case("BadMLKEMCiphertext-Padded", faults(server_share(lambda share: share + b"\0")), "BAD_ECPOINT"),
    # -- HelloRetryRequest
    Case("UnknownCurve-HRR", faults(hrr(key_share=b"\x12\x34")), "WRONG_CURVE", 47, P384),
    Case("UnnecessaryHRR", faults(hrr(key_share=b"\0\x1d")), "WRONG_CURVE", 47, P384),
    Case("HRR-Empty", faults(hrr(key_share=None)), "EMPTY_HELLO_RETRY_REQUEST", 47, P384),
    Case("HRR-DuplicateCurve", faults(repeat_extension(HelloRetryRequest, X.key_share)),
         "DUPLICATE_EXTENSION", 47, P384),
    Case("HRR-EmptyCookie", faults(hrr(cookie=b"\0\0")), "DECODE_ERROR", None, P384),
    Case("HRR-Unknown", faults(extensions(HelloRetryRequest, UNKNOWN)), "UNEXPECTED_EXTENSION", 110, P384),
    Case("SecondHelloRetryRequest", faults(edit(ServerHello, second_retry)), "UNEXPECTED_MESSAGE", 10, P384),
    Case("HRR-CipherChange", faults(edit(HelloRetryRequest, cipher_suite=0x1303)), "WRONG_CIPHER_RETURNED",
         None, P384),
    Case("HRR-VersionMismatch", faults(edit(ServerHello, legacy_version=0x0305)), "DECODE_ERROR", None, P384),
    Case("HRR-CurveMismatch", faults(extensions(ServerHello, {X.key_share: share_of(23)})), "WRONG_CURVE",
         None, P384),
    Case("SecondServerHelloNoVersion", faults(extensions(ServerHello, {X.supported_versions: None})),
         "SECOND_SERVERHELLO_VERSION_MISMATCH", None, P384),
    Case("SecondServerHelloWrongVersion", faults(extensions(ServerHello,
         {X.supported_versions: b"\x12\x34"})),
         "SECOND_SERVERHELLO_VERSION_MISMATCH", None, P384),
    # -- records
    Case("AppDataBeforeHandshake", faults(before(23, b"TEST", epoch=0)), "UNEXPECTED_RECORD"),
    Case("AppDataBeforeHandshake-Empty", faults(before(23, b"", epoch=0)), "UNEXPECTED_RECORD"),
    Case("AppDataBeforeTLS13KeyChange", faults(before(23, b"TEST MESSAGE", epoch=2)),
         "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", 20, P13),
    Case("AppDataBeforeTLS13KeyChange-Empty", faults(before(23, b"", epoch=2)),
         "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", 20, P13),
    Case("WrongOuterRecord", faults(records(outer_type, content_type=22, epoch=2)),
         "INVALID_OUTER_RECORD_TYPE",
         None, P13),
    Case("UnencryptedEncryptedExtensions", faults(in_clear(content_type=22, epoch=2)),
         "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", 20, P13),
    Case("AppDataAfterCCS", faults(insert(Record(23, b"TEST"), before=Finished)),
         "UNEXPECTED_RECORD", policy=P12),
    Case("AlertAfterCCS", faults(insert(Record(21, b"\2\x16"), before=Finished)),
         "TLSV1_ALERT_RECORD_OVERFLOW", policy=P12),
    Case("SendInvalidRecordType", none, "UNEXPECTED_RECORD", then=many(1, 42, b"invalid record")),
    Case("SendInvalidRecordType-12", none,
         "UNEXPECTED_RECORD", None, P12, then=many(1, 42, b"invalid record")),
    Case("EarlyChangeCipherSpec-12", faults(insert(Record(20, b"\1"), before=ServerKeyExchangeECDHE)),
         "UNEXPECTED_RECORD", 10, P12),
    Case("BadChangeCipherSpec", faults(replace(ChangeCipherSpec, Record(20, b"\2"))),
         "BAD_CHANGE_CIPHER_SPEC",
         policy=P12),
    Case("TooManyChangeCipherSpec",
         faults(insert(*[Record(20, b"\1")] * 33, after=ServerHello)),
         "TOO_MANY_EMPTY_FRAGMENTS", policy=P13),
    Case("SendPostHandshakeCCS", none,
         "UNEXPECTED_RECORD", 10, P13, then=lambda c: c.inject_raw(b"\x14\3\3\0\1\1")),
    Case("TLSFatalBadPackets", faults(corrupt(epoch=3)), "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", policy=P13,
         then=lambda c: c.send_data(b"DAMAGED WRITE")),
    Case("SendEmptyRecords", none, "TOO_MANY_EMPTY_FRAGMENTS", then=many(33, 23, b"")),
    Case("SendEmptyRecords-Async", none,
         "TOO_MANY_EMPTY_FRAGMENTS", flags=("-async",), then=many(33, 23, b"")),
    Case("SendWarningAlerts-TLS13", none, "BAD_ALERT", 50, P13, then=many(4, 21, b"\1\x0a")),
    Case("SendUserCanceledAlerts-TooMany", none,
         "TOO_MANY_WARNING_ALERTS", None, P13, then=many(5, 21, b"\1\x5a")),
    Case("SendWarningAlerts-TooMany", none,
         "TOO_MANY_WARNING_ALERTS", None, P12, then=many(5, 21, b"\1\x0a")),
    Case("SendBogusAlertType", none, "UNKNOWN_ALERT_TYPE", 47, then=many(1, 21, b"\x42\x0a")),
    Case("FragmentAlert", none, "BAD_ALERT", then=many(1, 21, b"\2")),
    Case("DoubleAlert", none, "BAD_ALERT", then=many(1, 21, b"\2\x16\2\x16")),
    Case("TooManyKeyUpdates", none, "TOO_MANY_KEY_UPDATES", policy=P13, then=updates(33)),
    Case("KeyUpdate-InvalidRequestMode", none, "DECODE_ERROR", policy=P13,
         then=lambda c: c.inject_message(KeyUpdate(42))),
    Case("LargePlaintext", none, "DATA_LENGTH_TOO_LONG", 22, then=many(1, 23, bytes(16385))),
    Case("LargePlaintext-12", none, "DATA_LENGTH_TOO_LONG", 22, P12, then=many(1, 23, bytes(16385))),
    Case("LargeCiphertext", none, "ENCRYPTED_LENGTH_TOO_LONG",
         then=lambda c: c.inject_raw(b"\x17\3\3\x50\0" + bytes(0x5000))),
    Case("Unclean-Shutdown-Alert", none, "SSLV3_ALERT_DECOMPRESSION_FAILURE",
         flags=("-shim-shuts-down", "-check-close-notify"), then=many(1, 21, b"\2\x1e")),
    Case("Renegotiate-Client-Forbidden", none, "NO_RENEGOTIATION", 100, P12,
         then=lambda c: c.inject_message(handshake(0, b""))),
    Case("ExcessHandshakeData", faults(insert(handshake(4, b""), after=Finished)),
         "EXCESS_HANDSHAKE_DATA", 10, P13),
    Case("Downgrade-TLS12", faults(edit(ServerHello, random=bytes(24) + b"DOWNGRD\1")),
         "TLS13_DOWNGRADE", 47, P12),
    Case("LargeMessage-Reject", none, "EXCESSIVE_MESSAGE_SIZE", flags=("-max-cert-list", "200")),
    Case("NoRenegotiationInfo", faults(extensions(ServerHello, {X.renegotiation_info: None})),
         "UNSAFE_LEGACY_RENEGOTIATION_DISABLED", None, P12, ("-no-legacy-server-connect",)),
]  # fmt: skip


EARLY: Bodies = {X.early_data: b""}
OFFER_EARLY = extensions(ClientHello, EARLY)  # without a key: BoringSSL's runner does the same


def between_hellos(*fragments: bytes) -> Fault:
    """Early data behind the first hello, as application data in clear."""
    return insert(*(Record(23, one) for one in fragments), after=ClientHello, nth=1)


def other_share(hello: Any) -> None:
    entry = ext.KeyShareEntry(25, b"\4" + bytes(132))
    hello.extensions[X.key_share] = ext.KeyShareClientHello((entry,)).encode()


def fallback(hello: Any) -> None:
    hello.cipher_suites = (*hello.cipher_suites, 0x5600)


def unknown_ciphers(hello: Any) -> None:
    hello.cipher_suites = (0x1399, 0xFEFE)


#: The shim is the server, our client breaks the rule.
TO_SERVERS = [
    Case("MissingKeyShare-Server", faults(extensions(ClientHello, {X.key_share: None})), "MISSING_KEY_SHARE",
         policy=P13),
    Case("DuplicateKeyShares", faults(edit(ClientHello, repeated_share)), "DUPLICATE_KEY_SHARE", policy=P13),
    Case("TrailingKeyShareData", faults(edit(ClientHello, trailing_share)), "DECODE_ERROR", policy=P13),
    Case("BadKeyShare", faults(client_share(lambda share: bytes(len(share)))), "BAD_ECPOINT", 47,
         P13.replace(groups=(23,))),
    Case("CompressedPoint", faults(client_share(lambda share: b"\2" + share[1:33])), "BAD_ECPOINT", 47,
         P13.replace(groups=(23,))),
    Case("MLKEM-NotReduced", faults(client_share(lambda share: b"\xff" * len(share))), "BAD_ECPOINT", 47,
         P13.replace(groups=(0x0202,)), ("-curves", "514")),
    Case("TooLongSessionID-13", faults(edit(ClientHello, legacy_session_id=bytes(33))),
         "CLIENTHELLO_PARSE_FAILED", 50, P13),
    Case("TooLongSessionID-12", faults(edit(ClientHello, legacy_session_id=bytes(33))),
         "CLIENTHELLO_PARSE_FAILED", 50, P12),
    Case("ExtraCompressionMethods-13", faults(edit(ClientHello, legacy_compression_methods=(1, 0, 5))),
         "INVALID_COMPRESSION_LIST", 47, P13),
    Case("NoNullCompression-12", faults(edit(ClientHello, legacy_compression_methods=(1, 5))),
         "INVALID_COMPRESSION_LIST", 47, P12),
    Case("NoSharedCipher", faults(edit(ClientHello, unknown_ciphers)), "NO_SHARED_CIPHER", 40, P12),
    Case("FallbackSCSV", faults(edit(ClientHello, fallback)), "INAPPROPRIATE_FALLBACK", 86, P12),
    Case("ALPNServer-EmptyProtocolName",
         faults(extensions(ClientHello, {X.application_layer_protocol_negotiation: b"\0\5\3foo\0"})),
         "PARSE_TLSEXT", None, flags=("-select-alpn", "foo")),
    Case("SkipEarlyData-OmitExtension", faults(before(23, b"fake", epoch=2)),
         "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
         policy=P13),
    Case("SkipEarlyData-TooMuchData", faults(OFFER_EARLY, before(23, bytes(16384), b"1", epoch=2)),
         "TOO_MUCH_SKIPPED_EARLY_DATA", policy=P13),
    Case("SkipEarlyData-Interleaved", faults(OFFER_EARLY, before(23, b"fake", epoch=3)),
         "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", policy=P13, then=lambda c: c.send_data(b"x")),
    Case("SkipEarlyData-EarlyDataInTLS12", faults(OFFER_EARLY, insert(Record(23, b"fake"),
         after=ClientHello)),
         "UNEXPECTED_RECORD", policy=BOTH, flags=("-max-version", "771")),
    Case("SkipEarlyData-HRR-OmitExtension", faults(between_hellos(b"fake")),
         "UNEXPECTED_RECORD", 10, NO_SHARES),
    Case("SkipEarlyData-HRR-TooMuchData",
         faults(extensions(ClientHello, EARLY, nth=1),
                between_hellos(bytes(16384), b"1")),
         "TOO_MUCH_SKIPPED_EARLY_DATA", policy=NO_SHARES),
    Case("SecondClientHelloMissingKeyShare",
         faults(extensions(ClientHello, {X.key_share: None}, nth=2)),
         "MISSING_KEY_SHARE", policy=NO_SHARES),
    Case("SecondClientHelloWrongCurve",
         faults(edit(ClientHello, other_share, nth=2)), "WRONG_CURVE", policy=NO_SHARES),
    Case("DuplicateExtensionServer", faults(repeat_extension(ClientHello, X.supported_groups)),
         "DUPLICATE_EXTENSION",
         47),
    Case("BadFinished-Server-12", faults(flip(Finished)), "DIGEST_CHECK_FAILED", 51, P12),
    Case("BadFinished-Server-13", faults(flip(Finished)), "DIGEST_CHECK_FAILED", 51, P13),
    Case("SkipCertificateVerify-12", faults(drop(CertificateVerify)), "UNEXPECTED_RECORD", 10, P12,
         ("-require-any-client-certificate",)),
    Case("SkipCertificateVerify-13", faults(drop(CertificateVerify)), "UNEXPECTED_MESSAGE", 10, P13,
         ("-require-any-client-certificate",)),
    Case("BadSignature-Client", faults(flip(CertificateVerify)), "BAD_SIGNATURE", None, P13,
         ("-require-any-client-certificate",)),
    Case("VerifyFail-Server", none, "CERTIFICATE_VERIFY_FAILED", 40, P13,
         ("-require-any-client-certificate", "-verify-fail")),
    Case("RejectEmptyCertificateAuthorities",
         faults(extensions(ClientHello, {X.certificate_authorities: b"\0\0"})),
         "ERROR_PARSING_EXTENSION", 50, P13),
    Case("TrailingMessageData-ClientHello", faults(append(ClientHello)), "DECODE_ERROR", 50),
    Case("TrailingMessageData-Finished", faults(append(Finished)), "", None, P13),
    Case("WrongMessageType-ClientHello", faults(replace(ClientHello, handshake(0x7F, b""))),
         "UNEXPECTED_MESSAGE", 10),
    Case("EMS-NonEmpty", faults(extensions(ClientHello, {X.extended_master_secret: b"\0"})),
         "ERROR_PARSING_EXTENSION",
         50, P12),
    Case("Renegotiate-Server-Forbidden", none, "NO_RENEGOTIATION", 100, P12,
         then=lambda c: c.inject_message(handshake(1, bytes(40)))),
    Case("BadRenegotiationInfo", faults(extensions(ClientHello, {X.renegotiation_info: b"\1x"})),
         "RENEGOTIATION_MISMATCH", 40, P12),
    Case("FailDDoS", none,
         "CONNECTION_REJECTED", 80, flags=("-install-ddos-callback", "-fail-ddos-callback")),
    Case("FailEarlyCallback", none, "CONNECTION_REJECTED", 40, flags=("-fail-early-callback",)),
    Case("NoCommonSignatureAlgorithms", faults(extensions(ClientHello,
         {X.signature_algorithms: b"\0\2\x08\x07"})),
         "NO_COMMON_SIGNATURE_ALGORITHMS", 40, P13),
    Case("OmitSignatureAlgorithms-13", faults(extensions(ClientHello, {X.signature_algorithms: None})),
         "NO_COMMON_SIGNATURE_ALGORITHMS", None, P13),
    Case("OmitSupportedGroups-13", faults(extensions(ClientHello, {X.supported_groups: None,
         X.key_share: None})),
         "NO_SHARED_GROUP", 109, P13),
    Case("ServerPrefix-Version", faults(edit(ClientHello, legacy_version=0x0300)),
         "UNSUPPORTED_PROTOCOL", 70, P12),
    Case("KeyUpdate-Server-TooMany", none, "TOO_MANY_KEY_UPDATES", policy=P13, then=updates(33)),
]  # fmt: skip


def play(case: Case, conn_of: Callable[[], Any]) -> tuple[list[Peer], Callable[[socket.socket], None]]:
    peers: list[Peer] = []

    def script(sock: socket.socket) -> None:
        peer = Peer(sock, conn_of())
        peers.append(peer)
        peer.handshake()
        if case.then is not None and peer.error is None:
            case.then(peer.conn)
        quiet(peer)

    return peers, script


def judge(case: Case, code: int, stderr: str, peer: Peer) -> None:
    assert code == 1, stderr
    assert not case.code or f":{case.code}:" in stderr, stderr
    if case.alert is not None:
        assert peer.error is not None, stderr
        assert peer.error.alert == case.alert, (peer.error, stderr)


@pytest.mark.parametrize("case", TO_CLIENTS, ids=lambda case: case.name)
def test_the_client_judges_as_the_runner_expects(runner: Runner, identity: Identity, case: Case) -> None:
    if case.name == "EchoTLS13CompatibilitySessionID":
        case = case._replace(make=faults(edit(ServerHello, lambda hello: echo_of(hello, peers))))
    config = ServerConfig(policy=case.policy, identities=(identity,))
    peers, script = play(case, lambda: MisbehavingServer(config, *case.make()))
    code = runner.run(list(case.flags), script)
    judge(case, code, runner.stderr, peers[0])


def echo_of(hello: Any, peers: list[Peer]) -> None:
    """The session id that the client made up for TLS 1.3."""
    hello.legacy_session_id_echo = peers[0].conn.client_hello.legacy_session_id  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", TO_SERVERS, ids=lambda case: case.name)
def test_the_server_judges_as_the_runner_expects(
    runner: Runner, identity: Identity, key_flags: list[str], case: Case
) -> None:
    config = ClientConfig(policy=case.policy, trust=Trust.insecure(), identities=(identity,))
    peers, script = play(case, lambda: MisbehavingClient(config, "test", *case.make()))
    code = runner.run(["-server", *key_flags, *case.flags], script)
    judge(case, code, runner.stderr, peers[0])


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        (b"GET / HTTP/1.0\n", "HTTP_REQUEST"),
        (b"POST / HTTP/1.0\n", "HTTP_REQUEST"),
        (b"HEAD / HTTP/1.0\n", "HTTP_REQUEST"),
        (b"PUT / HTTP/1.0\n", "HTTP_REQUEST"),
        (b"CONNECT www.google.com:443 HTTP/1.0\n", "HTTPS_PROXY_REQUEST"),
        (b"blah", "WRONG_VERSION_NUMBER"),
        (b"\x15\3\1\0\2\2\x16", "TLSV1_ALERT_RECORD_OVERFLOW"),
        (b"\x15\3\1\0\1\2", "BAD_ALERT"),
    ],
)
def test_what_stands_before_the_hello(runner: Runner, key_flags: list[str], prefix: bytes, code: str) -> None:
    def script(sock: socket.socket) -> None:
        sock.sendall(prefix)
        config = ClientConfig(trust=Trust.insecure())
        quiet(Peer(sock, MisbehavingClient(config, "test")))

    assert runner.run(["-server", *key_flags], script) == 1
    assert f":{code}:" in runner.stderr


def test_refused_early_data_is_skipped(runner: Runner, key_flags: list[str]) -> None:
    """Up to 16,384 bytes, before the client's Finished or, in clear, before its second hello."""
    for policy, made in (
        (P13, (OFFER_EARLY, before(23, bytes(16384), epoch=2))),
        (NO_SHARES, (extensions(ClientHello, EARLY, nth=1), between_hellos(b"fake"))),
        (NO_SHARES, (extensions(ClientHello, EARLY, nth=1), between_hellos(bytes(16384)))),
    ):
        config = ClientConfig(policy=policy, trust=Trust.insecure())

        def script(sock: socket.socket, config: Any = config, made: tuple[Fault, ...] = made) -> None:
            peer = Peer(sock, MisbehavingClient(config, "test", *made))
            peer.handshake()
            echo(peer)

        assert runner.run(["-server", *key_flags, "-expect-early-data-reason", "disabled"], script) == 0
        assert runner.stderr == ""
