"""Every reason has a way to be raised, and here it is: one recipe each, run for real.

DESIGN rule 7. A recipe is a whole little scenario between an honest side and, mostly, a misbehaving
peer of `pellucid.lab`; it gives the error that the honest side ended with. The table must have
exactly the members of `Reason`: one that nothing can raise has no place there.
"""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from core.recipes import (
    MUTUAL,
    RETRY,
    RETRYING,
    ZLIB,
    Dice,
    Recipe,
    aborted,
    answered,
    by_client,
    by_server,
    certificate_of,
    closed,
    early_after_retry,
    early_of_another_protocol,
    eof,
    greeted,
    handshake_outside,
    issued_by_a_leaf,
    judged,
    keys_before_padding,
    later,
    long_chain,
    mangled_key,
    mirrored,
    must_staple,
    no_certificate,
    no_reader,
    other_psk,
    other_version_resumed,
    out_of_numbers,
    p384_certificate,
    psk,
    raises,
    raw_key,
    repeated,
    resumed12,
    retry_again,
    retry_with,
    second_hello,
    stapled_rubbish,
    timed_out,
    told,
    too_much_early_data,
    too_much_skipped,
    two_binders,
    two_hellos_of_tls12,
    unbound,
    unreadable,
)
from pellucid import (
    Authority,
    Identity,
    Policy,
    PreSharedKey,
    Reason,
    Secret,
    ServerConfig,
    ServerConnection,
)
from pellucid.events import SelectConfig, SelectIdentity, VerifyPeer
from pellucid.lab import (
    HelloRetryRequest,
    Record,
    append,
    corrupt,
    cut,
    drop,
    edit,
    extensions,
    flip,
    insert,
    record_version,
    records,
    repeat_extension,
)
from pellucid.limits import (
    MAX_CHANGE_CIPHER_SPECS,
    MAX_EMPTY_RECORDS,
    MAX_PLAINTEXT,
    MAX_TICKETS_RECEIVED,
    MAX_WARNING_ALERTS,
)
from pellucid.programs.attaching import interpreter_of
from pellucid.trust.names import normal_name
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate,
    Certificate12,
    CertificateVerify,
    ClientHello,
    CompressedCertificate,
    EncryptedExtensions,
    Finished,
    HelloRequest,
    KeyUpdate,
    NewSessionTicket,
    ServerHello,
)
from rfc.world import (
    AUTHORITY,
    BOTH,
    ECDSA,
    PSK,
    RSA,
    TLS12,
    TLS13,
    client,
    connected,
    groups,
    schemes,
    server,
    shares,
    talk,
)

ALL: dict[Reason, Recipe] = {
    # -- bytes that cannot be read
    Reason.DECODE_ERROR: by_server(cut(ClientHello)),
    Reason.TRAILING_DATA: by_client(append(EncryptedExtensions)),
    Reason.ERROR_PARSING_EXTENSION: by_server(extensions(ClientHello, {X.post_handshake_auth: b"\0"})),
    Reason.DUPLICATE_EXTENSION: by_server(repeat_extension(ClientHello, X.supported_versions)),
    # -- records
    Reason.NOT_TLS: greeted(bytes(range(200, 240))),
    Reason.HTTP_REQUEST: greeted(b"GET / HTTP/1.1\r\n\r\n"),
    Reason.HTTPS_PROXY_REQUEST: greeted(b"CONNECT example.org:443 HTTP/1.1\r\n"),
    Reason.PLAIN_SERVER: greeted(b"220 mail.test ESMTP\r\n", as_client=True),
    Reason.SSLV2_HELLO: greeted(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"),
    Reason.WRONG_RECORD_VERSION: by_server(record_version(0x0299)),
    Reason.UNEXPECTED_RECORD: later(lambda peer: peer.inject(99, b"?")),
    Reason.INVALID_OUTER_RECORD_TYPE: by_client(records(lambda r: (handshake_outside(r),), epoch=2, nth=1)),
    Reason.RECORD_OVERFLOW: later(lambda peer: peer.inject(23, bytes(MAX_PLAINTEXT + 1))),
    Reason.CIPHERTEXT_OVERFLOW: later(lambda peer: peer.inject_raw(b"\x17\x03\x03\x41\x01")),
    Reason.BAD_RECORD_MAC: by_client(corrupt(epoch=2)),
    Reason.EMPTY_FRAGMENT: later(lambda peer: peer.inject(22, b"")),
    Reason.NO_CONTENT_TYPE: later(lambda peer: peer.inject(0, b"")),
    Reason.TOO_MANY_EMPTY_RECORDS: later(repeated(MAX_EMPTY_RECORDS + 1, 23, b"")),
    Reason.TOO_MANY_WARNING_ALERTS: later(repeated(MAX_WARNING_ALERTS + 1, 21, b"\1\x5a")),
    Reason.TOO_MANY_KEY_UPDATES: later(lambda peer: [peer.update_keys() for _ in range(33)]),
    Reason.BAD_KEY_UPDATE: later(lambda peer: peer.inject_message(KeyUpdate(2))),
    Reason.TOO_MANY_CHANGE_CIPHER_SPECS: by_server(
        insert(*[Record(20, b"\1")] * (MAX_CHANGE_CIPHER_SPECS + 1), after=ClientHello)
    ),
    Reason.TOO_MANY_HELLO_REQUESTS: later(
        lambda peer: peer.inject_message(HelloRequest(), HelloRequest()), side="client", policy=TLS12
    ),
    Reason.TOO_MANY_TICKETS: later(
        lambda peer: peer.inject_message(
            *[NewSessionTicket(60, 0, b"", b"ticket", {})] * (MAX_TICKETS_RECEIVED + 1)
        ),
        side="client",
    ),
    Reason.BAD_CHANGE_CIPHER_SPEC: by_server(insert(Record(20, b"\2"), after=ClientHello)),
    Reason.UNEXPECTED_CHANGE_CIPHER_SPEC: later(lambda peer: peer.inject_raw(b"\x14\x03\x03\0\1\1")),
    Reason.EXCESS_HANDSHAKE_DATA: by_client(insert(KeyUpdate(0), after=ServerHello)),
    Reason.INTERLEAVED_HANDSHAKE: later(
        lambda peer: (peer.inject(22, b"\x18\0\0"), peer.inject(23, b"data"))
    ),
    Reason.SEQUENCE_OVERFLOW: out_of_numbers,
    Reason.BAD_ALERT: later(lambda peer: peer.inject(21, b"\2")),
    Reason.UNKNOWN_ALERT_LEVEL: later(lambda peer: peer.inject(21, b"\3\0")),
    # -- messages
    Reason.UNEXPECTED_MESSAGE: by_client(drop(CertificateVerify)),
    Reason.MESSAGE_TOO_LONG: greeted(b"\x16\x03\x01\0\4\1\xff\xff\xff"),
    Reason.UNEXPECTED_EXTENSION: by_client(extensions(EncryptedExtensions, {X.heartbeat: b"\1"})),
    Reason.EXTENSION_NOT_ALLOWED: by_client(extensions(ServerHello, {X.supported_groups: groups(0x1D)})),
    Reason.MISSING_EXTENSION: by_server(extensions(ClientHello, {X.signature_algorithms: None})),
    # -- versions and hellos
    Reason.UNSUPPORTED_PROTOCOL: lambda: told(talk(client(policy=TLS12), server(policy=TLS13)).server_error),
    Reason.DOWNGRADE_DETECTED: by_client(policy=TLS12, ours={"policy": BOTH}, random=Dice()),
    Reason.INAPPROPRIATE_FALLBACK: by_server(
        policy=TLS12.replace(send_fallback_scsv=True), ours={"policy": BOTH}
    ),
    Reason.VERSION_NOT_OFFERED: by_client(extensions(ServerHello, {X.supported_versions: b"\3\3"})),
    Reason.BAD_LEGACY_VERSION: by_client(edit(ServerHello, legacy_version=0x0304)),
    Reason.NO_SHARED_CIPHER: by_server(edit(ClientHello, cipher_suites=(0x1399,))),
    Reason.WRONG_CIPHER_RETURNED: by_client(edit(ServerHello, cipher_suite=0x1399)),
    Reason.BAD_COMPRESSION_LIST: by_server(edit(ClientHello, legacy_compression_methods=(1, 0))),
    Reason.UNSUPPORTED_COMPRESSION: by_client(edit(ServerHello, legacy_compression_method=1), policy=TLS12),
    Reason.BAD_SESSION_ID_ECHO: by_client(edit(ServerHello, legacy_session_id_echo=b"another")),
    Reason.NO_SHARED_GROUP: by_server(
        extensions(
            ClientHello,
            {X.supported_groups: groups(0x9999), X.key_share: ext.KeyShareClientHello(()).encode()},
        )
    ),
    Reason.WRONG_CURVE: by_client(
        extensions(
            ServerHello, {X.key_share: ext.KeyShareServerHello(ext.KeyShareEntry(0x1E, bytes(56))).encode()}
        )
    ),
    Reason.MISSING_KEY_SHARE: by_client(extensions(ServerHello, {X.key_share: None})),
    Reason.DUPLICATE_KEY_SHARE: by_server(shares(lambda entries: entries + entries[:1])),
    Reason.UNOFFERED_KEY_SHARE_GROUP: by_server(shares(lambda e: (*e, ext.KeyShareEntry(0x9999, b"?")))),
    Reason.BAD_KEY_SHARE: by_server(
        shares(lambda e: tuple(ext.KeyShareEntry(one.group, bytes(len(one.key_exchange))) for one in e)),
        policy=TLS13.replace(groups=(0x17,)),
    ),
    Reason.BAD_EC_POINT_FORMAT: by_server(
        extensions(ClientHello, {X.ec_point_formats: b"\1\1"}), policy=TLS12
    ),
    Reason.EMPTY_RETRY: retry_with(extensions(HelloRetryRequest, {X.key_share: None})),
    Reason.SECOND_RETRY: lambda: told(
        talk(
            client(policy=RETRY),
            server(edit(ServerHello, retry_again), policy=RETRYING),
        ).client_error
    ),
    Reason.RETRY_MISMATCH: retry_with(extensions(ServerHello, {X.supported_versions: b"\3\5"})),
    Reason.HELLO_CHANGED: second_hello(lambda hello: setattr(hello, "random", bytes(32))),
    Reason.BAD_COOKIE: lambda: told(
        talk(
            client(extensions(ClientHello, {X.cookie: b"\0\1?"}, nth=2), policy=RETRY),
            server(policy=RETRYING, stateless_retry=True),
        ).server_error
    ),
    Reason.QUIC_PARAMETERS: by_server(extensions(ClientHello, {57: b""})),
    Reason.UNRECOGNIZED_NAME: lambda: told(
        talk(client(name="elsewhere.test"), server(require_server_name=True)).server_error
    ),
    Reason.BAD_SERVER_NAME: by_server(extensions(ClientHello, {X.server_name: b"\0\x09\0\0\6a\0test"})),
    Reason.NO_APPLICATION_PROTOCOL: by_server(alpn=("ftp",), ours={"alpn": ("h2",)}),
    Reason.BAD_ALPN: by_client(
        extensions(
            EncryptedExtensions,
            {X.application_layer_protocol_negotiation: ext.ProtocolNames((b"h3",)).encode()},
        ),
        alpn=("h2",),
    ),
    Reason.BAD_RECORD_SIZE_LIMIT: by_server(
        extensions(ClientHello, {X.record_size_limit: b"\0\x3f"}), policy=TLS13.replace(record_size_limit=100)
    ),
    Reason.BAD_MAX_FRAGMENT_LENGTH: by_server(extensions(ClientHello, {X.max_fragment_length: b"\7"})),
    Reason.RENEGOTIATION_REFUSED: two_hellos_of_tls12,
    Reason.RENEGOTIATION_MISMATCH: by_client(
        extensions(ServerHello, {X.renegotiation_info: b"\1x"}), policy=TLS12
    ),
    Reason.INSECURE_RENEGOTIATION: by_client(
        extensions(ServerHello, {X.renegotiation_info: None}), policy=TLS12
    ),
    Reason.EMS_REQUIRED: by_server(extensions(ClientHello, {X.extended_master_secret: None}), policy=TLS12),
    Reason.RESUMED_WITHOUT_EMS: resumed12(
        extensions(ClientHello, {X.extended_master_secret: None}), by="server"
    ),
    Reason.RESUMED_WITH_EMS: resumed12(extended_master_secret=0),
    Reason.RESUMED_WITH_OTHER_CIPHER: resumed12(edit(ServerHello, cipher_suite=0xC02C)),
    Reason.RESUMED_WITH_OTHER_VERSION: other_version_resumed,
    # -- authentication
    Reason.NO_COMMON_SIGNATURE_SCHEME: by_server(
        extensions(ClientHello, {X.signature_algorithms: schemes(0x0807)})
    ),
    Reason.UNOFFERED_SIGNATURE_SCHEME: by_client(edit(CertificateVerify, algorithm=0x0203)),
    Reason.WRONG_SIGNATURE_TYPE: by_client(edit(CertificateVerify, algorithm=0x0804)),
    Reason.BAD_SIGNATURE: by_client(flip(CertificateVerify)),
    Reason.BAD_FINISHED: by_server(flip(Finished)),
    Reason.NO_CERTIFICATE: by_client(edit(Certificate, no_certificate)),
    Reason.CERTIFICATE_REQUIRED: by_server(ours=MUTUAL),
    Reason.BAD_CERTIFICATE: unreadable,
    Reason.UNSUPPORTED_CERTIFICATE_KEY: lambda: judged((certificate_of(curve=ec.SECP256K1()),))(),
    Reason.WRONG_CERTIFICATE_KEY: by_client(edit(Certificate12, certificate_list=RSA.chain), policy=TLS12),
    Reason.WRONG_CERTIFICATE_CURVE: p384_certificate,
    Reason.UNSUPPORTED_CERTIFICATE_TYPE: lambda: told(
        talk(
            client(server_certificate_types=(2,), trusted_public_keys=(b"key",)),
            server(server_certificate_types=(0,)),
        ).server_error
    ),
    Reason.IDLE_CERTIFICATE_TYPES: by_server(extensions(ClientHello, {X.server_certificate_type: b"\1\0"})),
    Reason.BAD_RAW_PUBLIC_KEY: lambda: raw_key(b"key", ECDSA, edit(Certificate, mangled_key)),
    Reason.RAW_PUBLIC_KEY_NOT_TRUSTED: lambda: raw_key(b"another key"),
    Reason.CERTIFICATE_CHAIN_TOO_LONG: by_client(edit(Certificate, long_chain)),
    Reason.BAD_CERTIFICATE_COMPRESSION: by_client(
        edit(CompressedCertificate, compressed_certificate_message=b"?"), policy=ZLIB
    ),
    Reason.CERTIFICATE_TOO_LARGE: by_client(
        edit(CompressedCertificate, uncompressed_length=2**24 - 1), policy=ZLIB
    ),
    Reason.UNOFFERED_CERTIFICATE_COMPRESSION: by_client(
        edit(CompressedCertificate, algorithm=2), policy=ZLIB
    ),
    Reason.BAD_OCSP_RESPONSE: stapled_rubbish,
    Reason.MISSING_OCSP_RESPONSE: must_staple,
    # -- trust
    Reason.SELF_SIGNED: judged(AUTHORITY.issue("localhost", fault="self-signed").chain),
    Reason.UNKNOWN_CA: judged(ECDSA.chain, trust=Authority.create("another").trust()),
    Reason.CERTIFICATE_EXPIRED: judged(AUTHORITY.issue("localhost", fault="expired").chain),
    Reason.CERTIFICATE_NOT_YET_VALID: judged(AUTHORITY.issue("localhost", fault="not-yet-valid").chain),
    Reason.WRONG_HOST_NAME: judged(ECDSA.chain, "other.test"),
    Reason.CERTIFICATE_TAMPERED: judged(AUTHORITY.issue("localhost", fault="tampered").chain),
    Reason.CA_USED_AS_LEAF: judged(AUTHORITY.issue("localhost", fault="ca-as-leaf").chain),
    Reason.NOT_A_CA: issued_by_a_leaf,
    Reason.WRONG_KEY_USAGE: judged(AUTHORITY.issue("localhost", fault="wrong-key-usage").chain),
    Reason.WRONG_EXTENDED_KEY_USAGE: judged(
        AUTHORITY.issue("localhost", fault="wrong-extended-key-usage").chain
    ),
    Reason.WEAK_CERTIFICATE_KEY: judged(AUTHORITY.issue("localhost", fault="weak-key").chain),
    Reason.WEAK_CERTIFICATE_SIGNATURE: lambda: judged((certificate_of(hash=hashes.SHA224()),))(),
    Reason.NAME_CONSTRAINTS: lambda: (
        lambda limited: judged(limited.issue("localhost").chain, trust=limited.trust())()
    )(Authority.create("limited", permitted=["elsewhere.test"])),
    Reason.CERTIFICATE_REVOKED: lambda: told(
        talk(
            client(),
            server(identities=(ECDSA.replace(ocsp=AUTHORITY.staple(ECDSA, revoked=time.time() - 60)),)),
        ).client_error
    ),
    Reason.CERTIFICATE_INVALID: lambda: judged((certificate_of(critical=b"?"),))(),
    Reason.REFUSED_BY_APPLICATION: answered(VerifyPeer, lambda request: request.fail(), side="client"),
    # -- keys, resumption, early data
    Reason.UNKNOWN_PSK_IDENTITY: lambda: told(
        talk(
            client(policy=TLS12.replace(cipher_suites=(0xD001,)), psks=(PSK,)),
            ServerConnection(
                ServerConfig(
                    policy=TLS12.replace(cipher_suites=(0xD001,)),
                    psks=(PreSharedKey(b"x", Secret(bytes(32))),),
                )
            ),
        ).server_error
    ),
    Reason.PSK_NOT_LAST: psk(edit(ClientHello, keys_before_padding)),
    Reason.PSK_BINDER_COUNT: psk(edit(ClientHello, two_binders)),
    Reason.BAD_BINDER: other_psk,
    Reason.MISSING_PSK_MODES: psk(extensions(ClientHello, {X.psk_key_exchange_modes: None})),
    Reason.BAD_PSK_SELECTION: psk(extensions(ServerHello, {X.pre_shared_key: b"\0\7"}), by="client"),
    Reason.PSK_REQUIRED: lambda: told(
        talk(client(), ServerConnection(ServerConfig(policy=TLS13, psks=(PSK,)))).server_error
    ),
    Reason.SELFIE: mirrored,
    Reason.TOO_MUCH_EARLY_DATA: too_much_early_data,
    Reason.TOO_MUCH_SKIPPED_EARLY_DATA: too_much_skipped,
    Reason.BAD_EARLY_DATA_ANSWER: early_of_another_protocol,
    Reason.EARLY_DATA_AFTER_RETRY: early_after_retry,
    Reason.BAD_TICKET: later(
        lambda peer: peer.inject_message(NewSessionTicket(604_801, 0, b"", b"ticket", {})), side="client"
    ),
    # -- ends, and the caller
    Reason.TRUNCATED: lambda: eof(True),
    Reason.EOF_IN_HANDSHAKE: lambda: eof(False),
    Reason.PEER_ALERT: lambda: told(talk(client(flip(Finished)), server()).client_error),
    Reason.PEER_CLOSED: by_client(insert(Record(21, b"\1\0"), before=EncryptedExtensions)),
    Reason.TIMEOUT: timed_out,
    Reason.NOT_CONNECTED: raises(lambda: client().send_data(b"too early")),
    Reason.CLOSED: raises(lambda: closed().send_data(b"too late")),
    Reason.BAD_NAME: raises(lambda: normal_name("a b")),
    Reason.BAD_CONFIG: raises(lambda: Policy(versions=())),
    Reason.CANNOT_WATCH: raises(lambda: interpreter_of(-1)),
    Reason.CONNECTION_REJECTED: answered(SelectConfig, lambda request: request.fail()),
    Reason.NO_IDENTITY: answered(SelectIdentity, lambda request: request.answer(None)),
    Reason.BAD_KEY_FILE: raises(lambda: Identity.from_pem(b"-----BEGIN NOTHING-----")),
    Reason.KEY_MISMATCH: raises(lambda: Identity(ECDSA.chain, RSA.key)),
    Reason.UNSAFE_EXPORT: raises(lambda: unbound().client.export("EXPERIMENTAL")),
    Reason.NO_SUCH_BINDING: raises(lambda: connected().client.channel_binding("tls-unique")),
    Reason.APPLICATION_FAILED: answered(SelectIdentity, lambda request: request.fail()),
    Reason.APPLICATION_ABORTED: aborted,
    Reason.INTERNAL: no_reader,
}


#: Where the alert is another than the reason's: RFC 5246 has none of its own for it, or none is sent.
OTHER_ALERT = {Reason.PEER_ALERT: Alert.decrypt_error}


def test_every_reason_has_its_recipe() -> None:
    assert set(ALL) == set(Reason)


@pytest.mark.parametrize("reason", ALL, ids=lambda reason: reason.label)
def test_each_is_raised(reason: Reason) -> None:
    error = ALL[reason]()
    assert error.reason is reason, error
    assert error.alert == OTHER_ALERT.get(reason, reason.alert)
    assert reason.sentence in str(error)
    assert reason.label in str(error)


def test_each_says_what_it_is() -> None:
    labels = [reason.label for reason in Reason]
    assert len(labels) == len(set(labels))
    for reason in Reason:
        assert reason.label == reason.name.lower().replace("_", "-")
        assert reason.sentence.endswith(".")
        assert reason.section == "-" or reason.section.split()[0] in ("RFC", "BR"), reason
