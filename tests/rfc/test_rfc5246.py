"""RFC 5246: TLS 1.2, as far as pellucid speaks it: (EC)DHE, AEAD, no renegotiation, no compression."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pellucid import Identity, SessionStore
from pellucid.errors import Reason
from pellucid.lab import (
    ChangeCipherSpec,
    Fault,
    Record,
    Tap,
    append,
    corrupt,
    cut,
    drop,
    duplicate,
    edit,
    extensions,
    flip,
    insert,
    record_version,
    repeat_extension,
    swap,
)
from pellucid.limits import MAX_PLAINTEXT
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate12,
    CertificateRequest12,
    CertificateVerify,
    ClientHello,
    ClientKeyExchangeECDHE,
    Finished,
    NewSessionTicket12,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchangeECDHE,
)

from .world import (
    AUTHORITY,
    BOTH,
    CLIENT,
    CLIENT_RSA,
    ECDSA,
    ED25519,
    RELAXED12,
    RSA,
    TLS12,
    TRUST,
    client,
    connected,
    refused,
    schemes,
    server,
    server_config,
    session_from,
    talk,
)


def mutual(**more: Any) -> dict[str, Any]:
    return {"client_auth": "require", "client_trust": TRUST, "policy": TLS12, **more}


def by_client(reason: Reason, alert: Alert, *faults: Fault, **settings: Any) -> None:
    found = talk(client(policy=TLS12), server(*faults, policy=TLS12, **settings))
    refused(found, "client", reason, alert)


def by_server(reason: Reason, alert: Alert, *faults: Fault, **settings: Any) -> None:
    found = talk(client(*faults, policy=TLS12, **settings), server(policy=TLS12))
    refused(found, "server", reason, alert)


def with_client_certificate(*faults: Fault, identity: Identity = CLIENT, **more: Any) -> Any:
    return talk(client(*faults, identities=(identity,), policy=TLS12), server(**mutual(**more)))


# -- 6 The record protocol -------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:6:1")
def test_only_the_four_record_types_are_sent() -> None:
    ours, theirs = Tap(), Tap()
    found = connected(client(ours, policy=TLS12), server(theirs, policy=TLS12))
    found.client.send_data(b"x")
    found.client.close()
    found.go_on()
    assert {kind for tap in (ours, theirs) for kind, _, _ in tap.records} == {20, 21, 22, 23}


@pytest.mark.rfc("rfc5246:6:2")
@pytest.mark.parametrize("kind", [0, 19, 24, 99, 255])
def test_other_record_types_are_refused(kind: int) -> None:
    found: Any = connected(client(Tap(), policy=TLS12), server(policy=TLS12))
    found.client.inject(kind, b"x")
    refused(found.go_on(), "server", Reason.UNEXPECTED_RECORD, Alert.unexpected_message)


@pytest.mark.rfc("rfc5246:6.1:1", "rfc5246:6.1:2", "rfc5246:6.1:3")
def test_sequence_numbers_start_at_zero_and_grow_by_one() -> None:
    found = connected(client(policy=TLS12), server(policy=TLS12))
    assert found.client._write.protection._sequence == 1  # type: ignore[attr-defined]  # Finished
    for number in range(2, 5):
        found.client.send_data(b"x")
        found.go_on()
        assert found.client._write.protection._sequence == number  # type: ignore[attr-defined]
        assert found.server._read.protection._sequence == number  # type: ignore[attr-defined]


@pytest.mark.rfc("rfc5246:6.2.1:3")
def test_a_plaintext_longer_than_allowed() -> None:
    found: Any = connected(client(Tap(), policy=TLS12), server(policy=TLS12))
    found.client.inject(23, bytes(MAX_PLAINTEXT + 1))
    assert found.go_on().server_error.reason is Reason.RECORD_OVERFLOW
    tap = Tap()
    found = connected(client(tap, policy=TLS12), server(policy=TLS12))
    found.client.send_data(bytes(MAX_PLAINTEXT + 1))
    assert len(found.go_on().data("server")) == MAX_PLAINTEXT + 1
    assert [len(body) for kind, _, body in tap.records if kind == 23] == [MAX_PLAINTEXT, 1]


@pytest.mark.rfc("rfc5246:6.2.1:4")
def test_no_empty_records_are_sent_nor_taken() -> None:
    ours, theirs = Tap(), Tap()
    found: Any = connected(client(ours, policy=TLS12), server(theirs, policy=TLS12))
    found.client.send_data(b"")
    found.client.close()
    found.go_on()
    assert all(body for tap in (ours, theirs) for _, _, body in tap.records)
    for kind in (21, 22):
        found = connected(client(Tap(), policy=TLS12), server(policy=TLS12))
        found.client.inject(kind, b"")
        refused(found.go_on(), "server", Reason.EMPTY_FRAGMENT, Alert.unexpected_message)


@pytest.mark.rfc("rfc5246:6.2.1:7")
def test_records_leave_in_the_order_in_which_they_were_sealed() -> None:
    found = connected(client(policy=TLS12), server(policy=TLS12))
    for number in range(50):
        found.client.send_data(b"%d " % number)
        if number % 7 == 0:
            found.server.receive_data(found.client.data_to_send())
    assert found.go_on().data("server") == b"".join(b"%d " % number for number in range(50))


@pytest.mark.rfc("rfc5246:6.2.3:1")
def test_a_ciphertext_longer_than_allowed() -> None:
    found: Any = connected(client(Tap(), policy=TLS12), server(policy=TLS12))
    found.client.inject_raw(b"\x17\3\3\x48\x01")
    refused(found.go_on(), "server", Reason.CIPHERTEXT_OVERFLOW, Alert.record_overflow)


@pytest.mark.rfc("rfc5246:6.2.3.3:4")
@pytest.mark.parametrize("suite", [0xC02B, 0xC02C, 0xCCA9, 0xC0AC])
@pytest.mark.parametrize("at", [5, 13, -1])
def test_a_changed_record(suite: int, at: int) -> None:
    policy = TLS12.replace(cipher_suites=(suite,))
    found = connected(client(corrupt(at, epoch=1, nth=2), policy=policy), server(policy=policy))
    found.client.send_data(b"hello there")
    refused(found.go_on(), "server", Reason.BAD_RECORD_MAC, Alert.bad_record_mac)


@pytest.mark.rfc("rfc5246:6.2.3.3:3")
def test_aeads_expand_little() -> None:
    from pellucid.crypto.suites import SUITES

    for suite in SUITES.values():
        if not suite.tls13 and suite.aead is not None:
            assert suite.aead.tag_length + suite.explicit_nonce <= 1024


# -- 7.1 ChangeCipherSpec --------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.1:1", "rfc5246:7.1:2", "rfc5246:7.3:4")
def test_after_change_cipher_spec_the_new_keys_are_used() -> None:
    ours, theirs = Tap(), Tap()
    connected(client(ours, policy=TLS12), server(theirs, policy=TLS12))
    for tap in (ours, theirs):
        at = [kind for kind, _, _ in tap.records].index(20)
        assert {epoch for _, epoch, _ in tap.records[: at + 1]} == {0}
        assert {epoch for _, epoch, _ in tap.records[at + 1 :]} == {1}
        assert tap.records[at + 1][2][0] == Finished.msg_type


def test_change_cipher_spec_at_the_wrong_time() -> None:
    early = insert(Record(20, b"\1"), before=ServerHelloDone)
    by_client(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, Alert.unexpected_message, early)
    early = insert(Record(20, b"\1"), before=ClientKeyExchangeECDHE)
    by_server(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, Alert.unexpected_message, early)
    for fault in (drop(ChangeCipherSpec), swap(ChangeCipherSpec, Finished)):
        found = talk(client(fault, policy=TLS12), server(policy=TLS12))
        assert found.server_error is not None
        assert found.server_error.alert in (Alert.unexpected_message, Alert.bad_record_mac)
    found = talk(client(duplicate(ChangeCipherSpec), policy=TLS12), server(policy=TLS12))
    assert found.server_error is not None


# -- 7.2 Alerts ------------------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.2.2:3", "rfc5246:7.2.2:5")
def test_a_fatal_condition_sends_a_fatal_alert_first() -> None:
    tap = Tap()
    found = talk(client(policy=TLS12), server(tap, edit(ServerHello, cipher_suite=0xC0FF), policy=TLS12))
    refused(found, "client", Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter)


@pytest.mark.rfc("rfc5246:7.2.2:1")
def test_a_failed_connection_forgets_its_secrets() -> None:
    found: Any = connected(client(Tap(), policy=TLS12), server(policy=TLS12))
    found.client.inject(23, bytes(MAX_PLAINTEXT + 1))
    found.go_on()
    for side in (found.client, found.server):
        assert side.error is not None
        assert side._exporter is side._master is None
        assert side._read.protection.epoch == side._write.protection.epoch == 0


@pytest.mark.rfc("rfc5246:7.2.2:8", "rfc5246:7.2.2:9", "rfc5246:7.2.2:10")
def test_obsolete_alerts_are_no_reasons_alerts() -> None:
    obsolete = {21, 41, 60}  # decryption_failed, no_certificate, export_restriction
    assert not {reason.alert for reason in Reason} & obsolete


# -- 7.3 and 7.4: the order ------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.4:1", "rfc5246:7.3:2", "rfc5246:7.4.7:1", "rfc5246:7.4.8:1", "rfc5246:7.4.2:1")
def test_messages_leave_in_the_order_of_the_figure() -> None:
    ours, theirs = Tap(), Tap()
    connected(client(ours, identities=(CLIENT,), policy=TLS12), server(theirs, **mutual()))
    assert theirs.types == [2, 11, 12, 13, 14, 4, 20]
    assert ours.types == [1, 11, 16, 15, 20]


@pytest.mark.rfc("rfc5246:7.4.7:2")
def test_without_a_request_the_key_exchange_comes_first() -> None:
    tap = Tap()
    connected(client(tap, identities=(CLIENT,), policy=TLS12), server(policy=TLS12))
    assert tap.types == [1, 16, 20]


REQUEST = CertificateRequest12((64,), (0x0403,), ())


@pytest.mark.rfc("rfc5246:7.4:1")
@pytest.mark.parametrize(
    "fault",
    [
        lambda: drop(Certificate12),
        lambda: drop(ServerKeyExchangeECDHE),
        lambda: drop(NewSessionTicket12),
        lambda: duplicate(ServerHello),
        lambda: duplicate(Certificate12),
        lambda: duplicate(ServerKeyExchangeECDHE),
        lambda: duplicate(ServerHelloDone),
        lambda: swap(Certificate12, ServerKeyExchangeECDHE),
        lambda: insert(REQUEST, before=ServerKeyExchangeECDHE),
        lambda: insert(REQUEST, REQUEST, before=ServerHelloDone),
    ],
)
def test_a_server_that_breaks_the_order(fault: Any) -> None:
    found = talk(client(policy=TLS12), server(fault(), policy=TLS12))
    assert found.client_error is not None
    assert found.client_error.alert == Alert.unexpected_message


@pytest.mark.rfc("rfc5246:7.4:1", "rfc5246:7.4.7:1", "rfc5246:7.4.8:1", "rfc5246:7.3:2")
@pytest.mark.parametrize(
    "fault",
    [
        lambda: drop(Certificate12),
        lambda: drop(ClientKeyExchangeECDHE),
        lambda: drop(CertificateVerify),
        lambda: duplicate(Certificate12),
        lambda: duplicate(ClientKeyExchangeECDHE),
        lambda: duplicate(CertificateVerify),
        lambda: swap(Certificate12, ClientKeyExchangeECDHE),
        lambda: swap(ClientKeyExchangeECDHE, CertificateVerify),
    ],
)
def test_a_client_that_breaks_the_order(fault: Any) -> None:
    found = with_client_certificate(fault())
    assert found.server_error.alert == Alert.unexpected_message


@pytest.mark.rfc("rfc5246:7.3:3")
def test_no_application_data_before_the_handshake_is_over() -> None:
    for before in (Certificate12, ServerHelloDone):
        by_client(Reason.UNEXPECTED_RECORD, Alert.unexpected_message, insert(Record(23, b"x"), before=before))
    by_server(
        Reason.UNEXPECTED_RECORD,
        Alert.unexpected_message,
        insert(Record(23, b"x"), before=Finished),
    )


# -- 7.4.1 Hellos ----------------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.4.1.2:3")
def test_unknown_cipher_suites_are_ignored() -> None:
    def strange(hello: Any) -> None:
        hello.cipher_suites = (0x0A0A, *hello.cipher_suites, 0xFFFE)

    tap = Tap()
    talk(client(edit(ClientHello, strange), policy=TLS12), server(tap, policy=TLS12))
    assert tap.the(ServerHello).cipher_suite in TLS12.suites


@pytest.mark.rfc("rfc5246:7.4.1.2:5")
def test_a_resuming_hello_offers_the_sessions_suite() -> None:
    session = session_from(server_config(policy=TLS12))
    tap = Tap()
    client(tap, policy=TLS12, sessions=(session,)).data_to_send()
    assert session.cipher_suite in tap.the(ClientHello).cipher_suites
    other = next(code for code in TLS12.suites if code != session.cipher_suite)
    tap = Tap()
    client(tap, policy=TLS12.replace(cipher_suites=(other,)), sessions=(session,)).data_to_send()
    assert not tap.the(ClientHello).extensions[X.session_ticket]


@pytest.mark.rfc("rfc5246:7.4.1.2:6", "rfc5246:7.4.1.2:7", "rfc5246:7.4.1.2:8")
def test_compression_is_null() -> None:
    tap = Tap()
    config = server_config(policy=TLS12)
    session = session_from(config)
    client(tap, policy=TLS12, sessions=(session,)).data_to_send()
    assert tap.the(ClientHello).legacy_compression_methods == (0,)
    by_server(
        Reason.BAD_COMPRESSION_LIST,
        Alert.illegal_parameter,
        edit(ClientHello, legacy_compression_methods=(1,)),
    )
    by_client(
        Reason.UNSUPPORTED_COMPRESSION,
        Alert.illegal_parameter,
        edit(ServerHello, legacy_compression_method=1),
    )


@pytest.mark.rfc("rfc5246:7.4.1.2:12", "rfc5246:7.4.1.2:13")
@pytest.mark.parametrize("fault", [append(ClientHello), append(ClientHello, b"\0\0"), cut(ClientHello)])
def test_a_hello_of_the_wrong_length(fault: Fault) -> None:
    found = talk(client(fault, policy=TLS12), server(policy=TLS12))
    assert found.server_error is not None
    assert found.server_error.alert == found.alert_received == Alert.decode_error


@pytest.mark.rfc("rfc5246:7.4.1.3:1")
def test_the_servers_random_does_not_depend_on_the_clients() -> None:
    randoms = []
    for _ in range(2):
        tap = Tap()
        talk(client(edit(ClientHello, random=bytes(32)), policy=TLS12), server(tap, policy=TLS12))
        randoms.append(tap.the(ServerHello).random)
    assert randoms[0] != randoms[1]
    assert bytes(32) not in randoms


@pytest.mark.rfc("rfc5246:7.4.1.3:2")
def test_a_client_that_offers_a_session_takes_a_full_handshake_too() -> None:
    session = session_from(server_config(policy=TLS12))
    found = connected(client(policy=TLS12, sessions=(session,)), server(policy=TLS12))
    assert not found.client.info.resumed


@pytest.mark.rfc("rfc5246:7.4.1.2:2")
def test_session_ids_are_random_names() -> None:
    store = SessionStore()
    seen = set()
    for _ in range(3):
        tap = Tap()
        settings: Any = {"session_cache": store, "session_ticket_12": False}
        connected(client(policy=TLS12, session_tickets=False), server(tap, policy=TLS12, **settings))
        seen.add(tap.the(ServerHello).legacy_session_id_echo)
    assert len(seen) == 3
    assert {len(one) for one in seen} == {32}
    fault = edit(ClientHello, legacy_session_id=b"made up by somebody")
    tap = Tap()
    talk(
        client(fault, policy=TLS12, session_tickets=False),
        server(tap, policy=TLS12, session_cache=store, session_ticket_12=False),
    )
    assert tap.the(ServerHello).legacy_session_id_echo not in {b"made up by somebody", b""}


@pytest.mark.rfc("rfc5246:7.4.1.4:1")
def test_a_server_answers_only_what_was_asked() -> None:
    tap = Tap()
    bare = edit(ClientHello, lambda hello: hello.extensions.clear())
    talk(
        client(bare, policy=RELAXED12),
        server(tap, policy=RELAXED12.replace(signature_schemes=(*RELAXED12.signature_schemes,))),
    )
    assert not tap.all(ServerHello) or not tap.the(ServerHello).extensions
    tap = Tap()
    connected(client(policy=TLS12), server(tap, policy=TLS12, alpn=("h2",)))
    asked = Tap()
    client(asked, policy=TLS12).data_to_send()
    assert set(tap.the(ServerHello).extensions) <= set(asked.the(ClientHello).extensions)


@pytest.mark.rfc("rfc5246:7.4.1.4:2")
@pytest.mark.parametrize(
    "kind", [X.application_layer_protocol_negotiation, X.encrypt_then_mac, X.cookie, 0xFAFA]
)
def test_an_unsolicited_answer(kind: int) -> None:
    fault = extensions(ServerHello, {kind: b""})
    by_client(Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension, fault)


@pytest.mark.rfc("rfc5246:7.4.1.4:4")
def test_an_extension_twice() -> None:
    by_client(
        Reason.DUPLICATE_EXTENSION,
        Alert.illegal_parameter,
        repeat_extension(ServerHello, X.renegotiation_info),
    )
    by_server(
        Reason.DUPLICATE_EXTENSION, Alert.illegal_parameter, repeat_extension(ClientHello, X.supported_groups)
    )


@pytest.mark.rfc("rfc5246:7.4.1.4.1:3", "rfc5246:7.4.1.4.1:7")
def test_signature_algorithms_are_sent_and_followed() -> None:
    for scheme, identity in ((0x0403, ECDSA), (0x0401, RSA), (0x0807, ED25519)):
        policy = TLS12.replace(signature_schemes=(scheme,), certificate_schemes=(scheme, 0x0403))
        found = connected(client(policy=policy), server(policy=TLS12, identities=(ECDSA, RSA, ED25519)))
        assert found.client.info.signature_scheme == scheme
        assert found.client.info.peer_chain == identity.chain


@pytest.mark.rfc("rfc5246:7.4.1.4.1:4")
def test_without_signature_algorithms_there_is_only_sha1_and_we_do_not_sign_with_it() -> None:
    fault = extensions(ClientHello, {X.signature_algorithms: None})
    by_server(Reason.NO_COMMON_SIGNATURE_SCHEME, Alert.handshake_failure, fault)


@pytest.mark.rfc("rfc5246:7.4.1.4.1:6")
def test_a_server_never_sends_signature_algorithms() -> None:
    tap = Tap()
    connected(client(policy=TLS12), server(tap, policy=TLS12))
    assert X.signature_algorithms not in tap.the(ServerHello).extensions
    by_client(
        Reason.EXTENSION_NOT_ALLOWED,
        Alert.illegal_parameter,
        extensions(ServerHello, {X.signature_algorithms: schemes(0x0403)}),
    )


# -- 7.4.2 to 7.4.6 Certificates, key exchange -----------------------------------------------------


@pytest.mark.rfc("rfc5246:7.4.2:2", "rfc5246:7.4.2:8")
def test_a_certificate_that_does_not_suit_the_suite() -> None:
    rsa = Certificate12(RSA.chain)
    by_client(Reason.WRONG_CERTIFICATE_KEY, Alert.illegal_parameter, edit(Certificate12, lambda _: rsa))


@pytest.mark.rfc("rfc5246:7.4.2:3")
def test_the_leaf_comes_first() -> None:
    identity = AUTHORITY.intermediate().issue("localhost")
    tap = Tap()
    connected(client(policy=TLS12), server(tap, policy=TLS12, identities=(identity,)))
    assert tap.the(Certificate12).certificate_list == identity.chain
    found = talk(
        client(policy=TLS12),
        server(
            edit(Certificate12, certificate_list=identity.chain[::-1]), policy=TLS12, identities=(identity,)
        ),
    )
    assert found.client_error is not None


@pytest.mark.rfc("rfc5246:7.4.2:4")
def test_each_certificate_certifies_the_one_before() -> None:
    from cryptography import x509

    identity = AUTHORITY.intermediate("a", path_length=1).intermediate("b").issue("localhost")
    tap = Tap()
    connected(client(policy=TLS12), server(tap, policy=TLS12, identities=(identity,)))
    chain = [x509.load_der_x509_certificate(der) for der in tap.the(Certificate12).certificate_list]
    for one, issuer in itertools.pairwise(chain):
        one.verify_directly_issued_by(issuer)


@pytest.mark.rfc("rfc5246:7.4.2:7", "rfc5246:7.4.6:5")
def test_what_is_no_x509_certificate() -> None:
    fault = edit(Certificate12, certificate_list=(b"no certificate",))
    found = talk(client(policy=TLS12), server(fault, policy=TLS12))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.BAD_CERTIFICATE
    fault = edit(Certificate12, certificate_list=(b"no certificate",))
    found = with_client_certificate(fault)
    assert found.server_error is not None
    assert found.server_error.reason is Reason.BAD_CERTIFICATE


def test_a_server_without_certificates() -> None:
    by_client(Reason.NO_CERTIFICATE, Alert.decode_error, edit(Certificate12, certificate_list=()))


@pytest.mark.rfc("rfc5246:7.4.2:11", "rfc5246:7.4.2:12", "rfc5246:7.4.2:16")
@pytest.mark.parametrize("key", ["rsa-2048", "ecdsa-p256"])
def test_a_key_that_may_not_sign(key: str) -> None:
    identity = AUTHORITY.issue("localhost", key=key, fault="wrong-key-usage")
    found = talk(client(policy=TLS12), server(policy=TLS12, identities=(identity,)))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.WRONG_KEY_USAGE


@pytest.mark.rfc("rfc5246:7.4.3:2", "rfc5246:7.4.3:3")
def test_a_scheme_that_was_not_offered() -> None:
    by_client(
        Reason.UNOFFERED_SIGNATURE_SCHEME,
        Alert.illegal_parameter,
        edit(ServerKeyExchangeECDHE, algorithm=0x0203),
    )
    rsa_only = TLS12.replace(signature_schemes=(0x0401,), certificate_schemes=(0x0401, 0x0403))
    found = connected(client(policy=rsa_only), server(policy=TLS12, identities=(ECDSA, RSA)))
    assert found.client.suite.auth == "RSA"


@pytest.mark.rfc("rfc5246:7.4.3:4")
def test_a_scheme_that_does_not_fit_the_key() -> None:
    for scheme in (0x0401, 0x0804, 0x0807):
        by_client(
            Reason.WRONG_SIGNATURE_TYPE,
            Alert.illegal_parameter,
            edit(ServerKeyExchangeECDHE, algorithm=scheme),
        )


@pytest.mark.parametrize("identity", [ECDSA, RSA, ED25519])
def test_a_key_exchange_with_one_wrong_bit(identity: Identity) -> None:
    found = talk(
        client(policy=TLS12),
        server(flip(ServerKeyExchangeECDHE, at=-3), policy=TLS12, identities=(identity,)),
    )
    refused(found, "client", Reason.BAD_SIGNATURE, Alert.decrypt_error)


def test_a_key_exchange_that_cannot_be_read() -> None:
    for fault in (cut(ServerKeyExchangeECDHE, 3), append(ServerKeyExchangeECDHE)):
        found = talk(client(policy=TLS12), server(fault, policy=TLS12))
        assert found.client_error is not None
        assert found.client_error.alert == Alert.decode_error
    for fault in (cut(ClientKeyExchangeECDHE), append(ClientKeyExchangeECDHE)):
        found = talk(client(fault, policy=TLS12), server(policy=TLS12))
        assert found.server_error is not None
        assert found.server_error.alert == Alert.decode_error


@pytest.mark.rfc("rfc5246:7.4.4:3", "rfc5246:7.4.4:4", "rfc5246:7.4.6:6", "rfc5246:7.4.6:8")
def test_the_clients_certificate_suits_the_request() -> None:
    cases = (
        ((64,), (0x0403, 0x0401), CLIENT),
        ((1,), (0x0403, 0x0401), CLIENT_RSA),
        ((64, 1), (0x0401,), CLIENT_RSA),
        ((1,), (0x0403,), None),
        ((3,), (0x0403, 0x0401), None),
    )
    for types, algorithms, identity in cases:
        tap = Tap()
        fault = edit(CertificateRequest12, certificate_types=types, supported_signature_algorithms=algorithms)
        talk(client(tap, identities=(CLIENT, CLIENT_RSA), policy=TLS12), server(fault, **mutual()))
        assert tap.the(Certificate12).certificate_list == (identity.chain if identity else ())


@pytest.mark.rfc("rfc5246:7.4.6:1", "rfc5246:1.2:2")
def test_a_client_without_a_certificate_says_so() -> None:
    tap = Tap()
    connected(client(tap, policy=TLS12), server(policy=TLS12, client_auth="request", client_trust=TRUST))
    assert tap.the(Certificate12).certificate_list == ()
    assert tap.types == [1, 11, 16, 20]
    found = talk(client(policy=TLS12), server(**mutual()))
    refused(found, "server", Reason.CERTIFICATE_REQUIRED, Alert.handshake_failure)


@pytest.mark.rfc("rfc5246:7.4.8:2")
def test_the_clients_scheme_is_one_that_was_asked_for() -> None:
    tap = Tap()
    policy = TLS12.replace(signature_schemes=(0x0501,), certificate_schemes=(0x0403, 0x0501))
    connected(
        client(tap, identities=(CLIENT, CLIENT_RSA), policy=TLS12.replace(certificate_schemes=(0x0403,))),
        server(**mutual(policy=policy, identities=(RSA,))),
    )
    assert tap.the(CertificateVerify).algorithm == 0x0501
    found = with_client_certificate(edit(CertificateVerify, algorithm=0x0203))
    refused(found, "server", Reason.UNOFFERED_SIGNATURE_SCHEME, Alert.illegal_parameter)


@pytest.mark.rfc("rfc5246:7.4.8:3")
def test_the_clients_scheme_fits_its_key() -> None:
    found = with_client_certificate(edit(CertificateVerify, algorithm=0x0401))
    refused(found, "server", Reason.WRONG_SIGNATURE_TYPE, Alert.illegal_parameter)


def test_the_clients_signature_with_one_wrong_bit() -> None:
    found = with_client_certificate(flip(CertificateVerify, at=-3))
    refused(found, "server", Reason.BAD_SIGNATURE, Alert.decrypt_error)


# -- 7.4.9 Finished --------------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.4.9:1")
@pytest.mark.parametrize("fault", [flip(Finished), flip(Finished, at=0), cut(Finished), append(Finished)])
def test_a_wrong_finished(fault: Fault) -> None:
    fault.seen = 0  # type: ignore[attr-defined]
    found = talk(client(fault, policy=TLS12), server(policy=TLS12))
    refused(found, "server", Reason.BAD_FINISHED, Alert.decrypt_error)
    found = talk(client(policy=TLS12), server(fault, policy=TLS12))
    refused(found, "client", Reason.BAD_FINISHED, Alert.decrypt_error)


@pytest.mark.rfc("rfc5246:7.4.9:2")
@pytest.mark.parametrize("suite", [0xC02B, 0xC02C])
def test_finished_has_twelve_bytes_by_the_suites_hash(suite: int) -> None:
    from pellucid.crypto import schedule12

    ours, theirs = Tap(), Tap()
    policy = TLS12.replace(cipher_suites=(suite,))
    found = connected(client(ours, policy=policy), server(theirs, policy=policy))
    hash, master, _ = found.client._exporter  # type: ignore[misc]
    assert hash.name == ("sha256" if suite == 0xC02B else "sha384")
    flight = [item for item in theirs.sent if isinstance(item, bytes) and item[0] not in (4, 20)]
    exchange = ours.the(ClientKeyExchangeECDHE).to_handshake()
    messages = b"".join([ours.the(ClientHello).to_handshake(), *flight, exchange])
    due = schedule12.prf(hash, master, b"client finished", hash.new(messages).digest(), 12)
    assert ours.the(Finished).verify_data == due


# -- appendices ------------------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:appendix-A.5:1", "rfc5246:appendix-A.5:2")
@pytest.mark.parametrize("suite", [0x0000, 0x0018, 0x0034, 0xC018])
def test_null_and_anonymous_suites_are_not_negotiated(suite: int) -> None:
    fault = edit(ClientHello, cipher_suites=(suite,))
    by_server(Reason.NO_SHARED_CIPHER, Alert.handshake_failure, fault)
    by_client(Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter, edit(ServerHello, cipher_suite=suite))


@pytest.mark.rfc("rfc5246:appendix-E.1:1")
@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302, 0x0304])
def test_a_server_with_another_version(version: int) -> None:
    fault = edit(ServerHello, legacy_version=version)
    by_client(Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version, fault)


@pytest.mark.rfc("rfc5246:appendix-E.1:2")
@pytest.mark.parametrize("version", [0x0304, 0x0305, 0x03FF])
def test_a_client_with_a_higher_version(version: int) -> None:
    tap = Tap()
    talk(client(edit(ClientHello, legacy_version=version), policy=TLS12), server(tap, policy=BOTH))
    assert tap.the(ServerHello).legacy_version == 0x0303


@pytest.mark.rfc("rfc5246:appendix-E.1:3")
@pytest.mark.parametrize("version", [0x0301, 0x0302])
def test_a_client_with_a_lower_version(version: int) -> None:
    fault = edit(ClientHello, legacy_version=version)
    by_server(Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version, fault)


@pytest.mark.rfc("rfc5246:appendix-E.1:5")
@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302, 0x0304, 0x03FF])
def test_any_record_version_for_a_client_hello(version: int) -> None:
    tap = Tap()
    talk(client(record_version(version), policy=TLS12), server(tap, policy=TLS12))
    assert tap.the(ServerHello)


def test_session_tickets_are_taken_back_only_here() -> None:
    config = server_config(policy=TLS12)
    session = session_from(config)
    assert connected(client(policy=TLS12, sessions=(session,)), server(config=config)).client.info.resumed
    stranger = server_config(policy=TLS12)
    found = connected(client(policy=TLS12, sessions=(session,)), server(config=stranger))
    assert not found.client.info.resumed


def test_alpn_over_tls12() -> None:
    body = ext.ProtocolNames((b"h3",)).encode()
    fault = extensions(ServerHello, {X.application_layer_protocol_negotiation: body})
    found = talk(client(policy=TLS12, alpn=("h2",)), server(fault, policy=TLS12, alpn=("h2",)))
    refused(found, "client", Reason.BAD_ALPN, Alert.illegal_parameter)
