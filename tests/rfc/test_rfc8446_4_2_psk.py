"""RFC 8446 sections 4.2.9 to 4.2.11: pre-shared keys and early data."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pellucid import Secret, UsageError, import_psk
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.events import EarlyDataAccepted, EarlyDataRefused, HandshakeCompleted
from pellucid.lab import Fault, Tap, append, corrupt, drop, edit, extensions, insert
from pellucid.resumption.psk import PreSharedKey
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate,
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    EndOfEarlyData,
    NewSessionTicket,
    ServerHello,
)

from .world import (
    BOTH,
    CLIENT,
    PSK,
    TLS12,
    TLS13,
    TRUST,
    client,
    client_config,
    connected,
    early_client,
    early_config,
    early_received,
    refused,
    server,
    server_config,
    session_from,
    sessions,
    talk,
)

TLS13_NO_GROUPS_IN_COMMON = TLS13.replace(key_shares=(29,))


def with_psk(*faults: Fault, **more: Any) -> Any:
    return talk(client(*faults, psks=(PSK,), **more), server(psks=(PSK,)))


# -- 4.2.9 Pre-shared key exchange modes -----------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.2.9:1", "rfc8446:4.2.9:2", "rfc8446:9.2:7", "rfc8446:9.2:8")
def test_a_client_with_keys_sends_its_modes() -> None:
    tap = Tap()
    connected(client(tap, psks=(PSK,)), server(psks=(PSK,)))
    found = tap.the(ClientHello).extensions
    assert X.pre_shared_key in found
    assert ext.PskKeyExchangeModes.decode(found[X.psk_key_exchange_modes]).ke_modes == (1,)


@pytest.mark.rfc("rfc8446:4.2.9:3", "rfc8446:9.2:8")
def test_keys_without_modes() -> None:
    found = with_psk(extensions(ClientHello, {X.psk_key_exchange_modes: None}))
    refused(found, "server", Reason.MISSING_PSK_MODES, Alert.missing_extension)


@pytest.mark.rfc("rfc8446:4.2.9:6")
def test_the_server_never_sends_modes() -> None:
    tap = Tap()
    connected(client(psks=(PSK,)), server(tap, psks=(PSK,)))
    assert X.psk_key_exchange_modes not in tap.the(ServerHello).extensions
    assert X.psk_key_exchange_modes not in tap.the(EncryptedExtensions).extensions


# -- 4.2.11 Pre-shared key -------------------------------------------------------------------------


def psk_body(change: Any) -> Fault:
    def apply(hello: Any) -> None:
        body = ext.OfferedPsks.decode(hello.extensions[X.pre_shared_key])
        change(body)
        hello.extensions[X.pre_shared_key] = body.encode()

    return edit(ClientHello, apply)


@pytest.mark.rfc("rfc8446:4.2.11:1", "rfc8446:2.2:2")
@pytest.mark.parametrize("hash", ["sha256", "sha384"])
def test_an_external_key_has_no_age_and_its_own_hash(hash: str) -> None:
    key = PreSharedKey(b"device", Secret(bytes(48)), hash)
    tap = Tap()
    found = connected(client(tap, psks=(key,)), server(psks=(key,), identities=()))
    body = ext.OfferedPsks.decode(tap.the(ClientHello).extensions[X.pre_shared_key])
    assert body.identities[0].obfuscated_ticket_age == 0
    assert len(body.binders[0]) == (32 if hash == "sha256" else 48)
    assert found.client.suite.hash.name == hash
    assert found.server.info.external_psk


@pytest.mark.rfc("rfc8446:4.2.11:2")
def test_without_another_word_an_external_key_is_sha256() -> None:
    assert PreSharedKey(b"device", Secret(bytes(32))).hash == "sha256"


@pytest.mark.rfc("rfc8446:4.2.11:3", "rfc8446:4.6.1:4")
def test_key_and_suite_have_the_same_hash() -> None:
    """A SHA-256 key with a client and server that prefer a SHA-384 suite is not used for it."""
    sha384 = TLS13.replace(cipher_suites=(0x1302,))
    assert not with_psk(policy=sha384).client.info.external_psk
    config = server_config()
    session = session_from(config)
    assert session.cipher_suite == 0x1301
    found = talk(client(sessions=(session,)), server(config=config.replace(policy=sha384)))
    assert found.completed
    assert not found.server.info.resumed
    assert found.client.info.cipher_suite == 0x1302


@pytest.mark.rfc("rfc8446:4.2.11:3")
def test_a_key_of_another_hash_may_be_gone_after_a_retry() -> None:
    """The suite that a HelloRetryRequest names has another hash: the client takes the key back (4.1.2)."""
    config = server_config()
    tap = Tap()
    retrying = TLS13.replace(groups=(23,), cipher_suites=(0x1302,))
    again = config.replace(policy=retrying, ticket_issuer=config.issuer)
    offering = client(tap, policy=TLS13_NO_GROUPS_IN_COMMON, sessions=(session_from(config),))
    found = connected(offering, server(config=again))
    first, second = tap.all(ClientHello)
    assert X.pre_shared_key in first.extensions
    assert X.pre_shared_key not in second.extensions
    assert not found.server.info.resumed


@pytest.mark.rfc("rfc8446:4.2.11:3", "rfc8446:4.6.1:4")
def test_another_suite_of_the_same_hash_will_do() -> None:
    config = server_config()
    session = session_from(config)
    chacha = config.replace(policy=TLS13.replace(cipher_suites=(0x1303,)))
    object.__setattr__(chacha, "ticket_issuer", config.issuer)
    found = talk(client(sessions=(session,)), server(config=chacha))
    assert found.completed
    assert found.server.info.resumed


@pytest.mark.rfc("rfc8446:4.2.11:8", "rfc8446:4.2.11:9")
def test_a_binder_with_one_wrong_bit() -> None:
    def change(body: Any) -> None:
        body.binders = (bytes([body.binders[0][0] ^ 1]) + body.binders[0][1:],)

    refused(with_psk(psk_body(change)), "server", Reason.BAD_BINDER, Alert.decrypt_error)


@pytest.mark.rfc("rfc8446:4.2.11:8", "rfc8446:4.2.11:9")
def test_the_wrong_key() -> None:
    wrong = PreSharedKey(b"device", Secret(bytes(32)))
    found = talk(client(psks=(wrong,)), server(psks=(PSK,)))
    refused(found, "server", Reason.BAD_BINDER, Alert.decrypt_error)


@pytest.mark.rfc("rfc8446:4.2.11:9")
@pytest.mark.parametrize("length", [33, 48, 255])
def test_a_binder_of_another_length(length: int) -> None:
    def change(body: Any) -> None:
        body.binders = (bytes(length),)

    refused(with_psk(psk_body(change)), "server", Reason.BAD_BINDER, Alert.decrypt_error)


@pytest.mark.rfc("rfc8446:4.2.11:9")
@pytest.mark.parametrize("count", [0, 2])
def test_more_or_fewer_binders_than_identities(count: int) -> None:
    def change(body: Any) -> None:
        body.binders = (bytes(32),) * count

    found = with_psk(psk_body(change))
    assert found.server_error.reason is (Reason.PSK_BINDER_COUNT if count else Reason.DECODE_ERROR)
    assert found.server_error.alert == (Alert.illegal_parameter if count else Alert.decode_error)


def test_an_identity_of_no_bytes() -> None:
    def change(body: Any) -> None:
        body.identities = (ext.PskIdentity(b"", 0), *body.identities)

    assert with_psk(psk_body(change)).server_error.alert == Alert.decode_error


@pytest.mark.rfc("rfc8446:4.2.11:12", "rfc8446:4.2.11:13")
@pytest.mark.parametrize("index", [1, 2, 65535])
def test_the_server_selects_a_key_that_was_not_offered(index: int) -> None:
    fault = extensions(ServerHello, {X.pre_shared_key: ext.SelectedPsk(index).encode()})
    found = talk(client(psks=(PSK,)), server(fault, psks=(PSK,)))
    refused(found, "client", Reason.BAD_PSK_SELECTION, Alert.illegal_parameter, readable=False)


@pytest.mark.rfc("rfc8446:4.2.11:12", "rfc8446:4.2.11:13")
def test_the_server_selects_a_suite_of_another_hash() -> None:
    found = talk(client(psks=(PSK,)), server(edit(ServerHello, cipher_suite=0x1302), psks=(PSK,)))
    refused(found, "client", Reason.BAD_PSK_SELECTION, Alert.illegal_parameter, readable=False)


@pytest.mark.rfc("rfc8446:4.2.11:12", "rfc8446:4.2.11:13")
def test_the_server_leaves_out_its_share() -> None:
    found = talk(client(psks=(PSK,)), server(extensions(ServerHello, {X.key_share: None}), psks=(PSK,)))
    refused(found, "client", Reason.MISSING_KEY_SHARE, Alert.illegal_parameter, readable=False)


@pytest.mark.rfc("rfc8446:4.2.11:17", "rfc8446:4.2:6")
def test_pre_shared_key_is_not_last() -> None:
    found = with_psk(extensions(ClientHello, {0xFAFA: b""}))
    refused(found, "server", Reason.PSK_NOT_LAST, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8446:4.2.11.1:1")
def test_a_client_does_not_use_old_tickets() -> None:
    session = session_from(server_config(ticket_lifetime=100))
    for age, offered in ((0, True), (99, True), (101, False)):
        tap = Tap()
        late = session.issued_at / 1000 + age
        client(tap, sessions=(session,), now=lambda late=late: late).data_to_send()
        assert (X.pre_shared_key in tap.the(ClientHello).extensions) is offered


@pytest.mark.rfc("rfc8446:4.6.1:10")
def test_a_client_forgets_tickets_after_seven_days() -> None:
    config = server_config(ticket_lifetime=604_800)
    session = session_from(config)
    tap = Tap()
    late = session.issued_at / 1000 + 604_801
    client(tap, sessions=(session,), now=lambda: late).data_to_send()
    assert X.pre_shared_key not in tap.the(ClientHello).extensions


def test_a_key_that_nobody_knows_means_a_full_handshake() -> None:
    stranger = PreSharedKey(b"stranger", Secret(bytes(32)))
    found = connected(client(psks=(stranger,)), server(psks=(PSK,)))
    assert not found.server.info.external_psk


def test_imported_keys_need_the_same_context() -> None:
    ours, theirs = import_psk(b"a", bytes(32), b"client"), import_psk(b"a", bytes(32), b"server")
    found = talk(client(psks=ours), server(psks=theirs, identities=()))
    assert found.server_error is not None


# -- 4.2.10 Early data -----------------------------------------------------------------------------


@pytest.fixture
def taking() -> Any:
    """A server that takes early data, and a session with it."""
    config = early_config()
    return config, session_from(config)


@pytest.mark.rfc("rfc8446:4.2.10:1", "rfc8446:4.2.10:2")
def test_early_data_goes_with_the_first_key(taking: Any) -> None:
    config, session = taking
    tap = Tap()
    found = talk(early_client(session, tap, psks=(PSK,)), server(config=config))
    hello = tap.the(ClientHello).extensions
    assert X.early_data in hello
    body = ext.OfferedPsks.decode(hello[X.pre_shared_key])
    assert body.identities[0].identity == session.ticket
    assert early_received(found) == b"early"


@pytest.mark.rfc("rfc8446:4.2.10:3")
@pytest.mark.parametrize(("off", "taken"), [(0, True), (9, True), (-9, True), (12, False), (-12, False)])
def test_the_age_of_the_ticket_must_be_right(taking: Any, off: int, taken: bool) -> None:
    """One side's clock runs ahead by 9 or 12 seconds since the ticket was given."""
    config, session = taking
    now = time.time()
    ahead = config.replace(now=lambda: now + max(0, -off), ticket_issuer=config.issuer)
    found = talk(early_client(session, now=lambda: now + max(0, off)), server(config=ahead))
    assert found.completed
    assert found.server.info.resumed
    assert (early_received(found) == b"early") is taken


@pytest.mark.rfc("rfc8446:4.2.10:6")
def test_refused_early_data_is_skipped_and_the_handshake_goes_on(taking: Any) -> None:
    config, session = taking
    none = server_config(ticket_issuer=config.issuer)
    found = talk(early_client(session, data=b"x" * 9000), server(config=none))
    assert found.completed
    assert early_received(found) == b""
    refusals = [e for e in found.client_events if isinstance(e, EarlyDataRefused)]
    assert [e.data for e in refusals] == [b"x" * 9000]


@pytest.mark.rfc("rfc8446:4.2.10:6", "rfc8446:4.2.10:7")
def test_after_a_retry_there_is_no_early_data(taking: Any) -> None:
    config, session = taking
    tap = Tap()
    retrying = config.replace(policy=TLS13.replace(groups=(23,)), ticket_issuer=config.issuer)
    one = early_client(session, tap, policy=TLS13.replace(key_shares=(29,)))
    found = talk(one, server(config=retrying))
    assert found.completed
    assert early_received(found) == b""
    first, second = tap.all(ClientHello)
    assert X.early_data in first.extensions
    assert X.early_data not in second.extensions


def test_a_server_refuses_early_data_after_a_retry(taking: Any) -> None:
    config, _ = taking
    retrying = config.replace(policy=TLS13.replace(groups=(23,)))
    fault = extensions(ClientHello, {X.early_data: b""}, nth=2)
    found = talk(client(fault, policy=TLS13.replace(key_shares=(29,))), server(config=retrying))
    refused(found, "server", Reason.EARLY_DATA_AFTER_RETRY, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8446:4.2.10:8", "rfc8446:4.2.10:11")
def test_only_the_first_key_carries_early_data(taking: Any) -> None:
    config, session = taking
    stranger = session_from(early_config())
    found = talk(_two(stranger, session), server(config=config))
    assert found.completed
    assert found.server.info.resumed
    assert early_received(found) == b""


def _two(first: Any, second: Any) -> Any:
    one = client(config=client_config(sessions=(first, second), early_data=True))
    one.send_early_data(b"early")
    return one


@pytest.mark.rfc("rfc8446:4.2.10:9", "rfc8446:4.2.10:11")
def test_another_suite_means_no_early_data(taking: Any) -> None:
    config, session = taking
    chacha = config.replace(policy=TLS13.replace(cipher_suites=(0x1303,)), ticket_issuer=config.issuer)
    found = talk(early_client(session), server(config=chacha))
    assert found.completed
    assert found.server.info.resumed
    assert early_received(found) == b""


@pytest.mark.rfc("rfc8446:4.2.10:9", "rfc8446:4.2.10:11")
def test_another_protocol_means_no_early_data() -> None:
    config = early_config(alpn=("h2", "http/1.1"))
    session = session_from(config, alpn=("h2",))
    assert early_received(talk(early_client(session, alpn=("h2",)), server(config=config))) == b"early"
    other = config.replace(alpn=("http/1.1",), ticket_issuer=config.issuer)
    found = talk(early_client(session, alpn=("h2", "http/1.1")), server(config=other))
    assert found.completed
    assert early_received(found) == b""


@pytest.mark.rfc("rfc8446:4.2.10:12", "rfc8446:4.2.10:13")
def test_accepted_early_data_that_does_not_decrypt(taking: Any) -> None:
    config, session = taking
    found = talk(early_client(session, corrupt(epoch=1, nth=1)), server(config=config))
    assert found.server_error is not None
    assert found.server_error.reason is Reason.BAD_RECORD_MAC
    assert found.server_error.alert == Alert.bad_record_mac


@pytest.mark.rfc("rfc8446:4.2.10:16", "rfc8446:appendix-E.5:4")
def test_refused_early_data_is_never_sent_again_by_itself(taking: Any) -> None:
    config, session = taking
    none = server_config(ticket_issuer=config.issuer)
    tap = Tap()
    found = talk(early_client(session, tap), server(config=none))
    assert found.completed
    assert found.data("server") == b""
    assert [item for item in tap.records if item[0] == 23] == [(23, 1, b"early")]


def test_more_early_data_than_allowed(taking: Any) -> None:
    config, session = taking
    one = early_client(session, data=b"")
    with pytest.raises(UsageError):
        one.send_early_data(bytes(14337))
    session.max_early_data = 2**20
    found = talk(early_client(session, data=bytes(14337)), server(config=config))
    assert found.server_error is not None
    assert found.server_error.reason is Reason.TOO_MUCH_EARLY_DATA


def test_more_refused_early_data_than_is_skipped(taking: Any) -> None:
    config, session = taking
    none = server_config(ticket_issuer=config.issuer)
    session.max_early_data = 2**20
    assert talk(early_client(session, data=bytes(16_000)), server(config=none)).completed
    found = talk(early_client(session, data=bytes(40_000)), server(config=none))
    assert found.server_error is not None
    assert found.server_error.reason is Reason.TOO_MUCH_SKIPPED_EARLY_DATA


@pytest.mark.rfc("rfc8446:4.2.11:14", "rfc8446:4.2.11:15")
def test_early_data_under_another_key_than_the_first(taking: Any) -> None:
    """The server selects the second key, and claims to have taken the early data."""
    config, session = taking
    stranger = session_from(early_config())
    fault = extensions(EncryptedExtensions, {X.early_data: b""})
    found = talk(_two(stranger, session), server(fault, config=config))
    refused(found, "client", Reason.BAD_EARLY_DATA_ANSWER, Alert.illegal_parameter)


def test_early_data_accepted_with_another_protocol() -> None:
    config = early_config(alpn=("h2",))
    session = session_from(config, alpn=("h2",))
    body = ext.ProtocolNames((b"http/1.1",)).encode()
    fault = extensions(EncryptedExtensions, {X.application_layer_protocol_negotiation: body})
    found = talk(early_client(session, alpn=("h2", "http/1.1")), server(fault, config=config))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.BAD_EARLY_DATA_ANSWER


@pytest.mark.rfc("rfc8446:4.2.11.3:1")
def test_the_server_answers_before_the_end_of_early_data(taking: Any) -> None:
    config, session = taking
    one, other = early_client(session), server(config=config)
    other.receive_data(one.data_to_send())
    assert other.wants_to_send
    kinds = [type(event).__name__ for event in other.events()]
    assert "EarlyDataReceived" in kinds
    assert "HandshakeCompleted" not in kinds


# -- 4.5 End of early data -------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.5:1")
def test_accepted_early_data_ends_with_a_message(taking: Any) -> None:
    config, session = taking
    tap = Tap()
    found = talk(early_client(session, tap), server(config=config))
    assert found.completed
    assert any(isinstance(event, EarlyDataAccepted) for event in found.client_events)
    assert tap.types == [ClientHello.msg_type, EndOfEarlyData.msg_type, 20]


@pytest.mark.rfc("rfc8446:4.5:1")
def test_a_client_that_never_ends_its_early_data(taking: Any) -> None:
    config, session = taking
    found = talk(early_client(session, drop(EndOfEarlyData)), server(config=config))
    assert found.server_error is not None
    assert found.server_error.alert in (Alert.unexpected_message, Alert.bad_record_mac)


@pytest.mark.rfc("rfc8446:4.5:2")
def test_refused_early_data_does_not(taking: Any) -> None:
    config, session = taking
    tap = Tap()
    none = server_config(ticket_issuer=config.issuer)
    assert talk(early_client(session, tap), server(config=none)).completed
    assert EndOfEarlyData.msg_type not in tap.types


@pytest.mark.rfc("rfc8446:4.5:3", "rfc8446:4.5:4")
@pytest.mark.parametrize("after", [ServerHello, EncryptedExtensions, Certificate])
def test_a_server_that_sends_end_of_early_data(after: Any) -> None:
    found = talk(client(), server(insert(EndOfEarlyData(), after=after)))
    assert found.client_error is not None
    assert found.client_error.alert == Alert.unexpected_message
    tap = Tap()
    connected(client(), server(tap))
    assert EndOfEarlyData.msg_type not in tap.types


def test_end_of_early_data_is_empty(taking: Any) -> None:
    config, session = taking
    found = talk(early_client(session, append(EndOfEarlyData)), server(config=config))
    refused(found, "server", Reason.TRAILING_DATA, Alert.decode_error, readable=False)


# -- resumption and 0-RTT: sections 4.6.1, 8 and appendix E.5 --------------------------------------


@pytest.mark.rfc("rfc8446:8:3", "rfc8446:8.2:1", "rfc8446:8.2:2")
def test_the_same_first_flight_is_taken_once(taking: Any) -> None:
    config, session = taking
    flight = early_client(session).data_to_send()
    first, second = server(config=config), server(config=config)
    for side in (first, second):
        side.receive_data(flight)
    kinds = [[type(event).__name__ for event in side.events()] for side in (first, second)]
    assert "EarlyDataReceived" in kinds[0]
    assert "EarlyDataReceived" not in kinds[1]
    assert second.error is None  # refused as early data, not as a handshake


@pytest.mark.rfc("rfc8446:8.2:3")
def test_only_a_validated_binder_is_remembered(taking: Any) -> None:
    """A forged copy of a first flight cannot use up the place of the real one."""
    config, session = taking
    flight = early_client(session).data_to_send()
    forged = bytearray(flight)
    forged[5 + 4 + 2] ^= 1  # one bit of the client's random
    with pytest.raises(PeerMisbehaved, match="binder"):
        server(config=config).receive_data(bytes(forged))
    honest = server(config=config)
    honest.receive_data(flight)
    assert "EarlyDataReceived" in [type(event).__name__ for event in honest.events()]


@pytest.mark.rfc("rfc8446:8:2", "rfc8446:appendix-E.5:3")
def test_nobody_sends_or_takes_early_data_unasked(taking: Any) -> None:
    config, session = taking
    tap = Tap()
    one = client(tap, sessions=(session,))
    with pytest.raises(UsageError):
        one.send_early_data(b"x")
    talk(one, server(config=config))
    assert X.early_data not in tap.the(ClientHello).extensions
    assert server_config().max_early_data == 0
    none = Tap()
    connected(client(), server(none))
    assert all(X.early_data not in ticket.extensions for ticket in none.all(NewSessionTicket))


@pytest.mark.rfc("rfc8446:appendix-E.5:5")
def test_an_application_sees_when_the_handshake_is_complete(taking: Any) -> None:
    config, session = taking
    one, other = early_client(session), server(config=config)
    other.receive_data(one.data_to_send())
    assert not other.handshake_complete
    found = talk(one, other)
    assert other.handshake_complete
    assert any(isinstance(event, HandshakeCompleted) for event in found.server_events)


@pytest.mark.rfc("rfc8446:appendix-D.3:1")
def test_early_data_and_then_tls12() -> None:
    config = early_config(policy=BOTH)
    session = session_from(config)
    one = early_client(session, policy=BOTH)
    hello = Tap()
    connected(client(policy=TLS12), server(hello, policy=TLS12))
    one.data_to_send()
    answer = hello.the(ServerHello)
    answer.extensions = {k: v for k, v in answer.extensions.items() if k == X.renegotiation_info}
    raw = answer.to_handshake()
    with pytest.raises(PeerMisbehaved, match="Early data was offered"):
        one.receive_data(b"\x16\3\3" + len(raw).to_bytes(2, "big") + raw)


@pytest.mark.rfc("rfc8446:4.3.2:8")
def test_no_certificate_request_with_a_key() -> None:
    tap = Tap()
    found = talk(
        client(psks=(PSK,), identities=(CLIENT,)),
        server(tap, psks=(PSK,), client_auth="request", client_trust=TRUST),
    )
    assert found.completed
    assert CertificateRequest.msg_type not in tap.types
    request = CertificateRequest(b"", {X.signature_algorithms: b"\0\2\4\3"})
    found = talk(client(psks=(PSK,)), server(insert(request, after=EncryptedExtensions), psks=(PSK,)))
    refused(found, "client", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:appendix-E.1:1")
def test_an_external_key_and_a_certificate_do_not_mix() -> None:
    tap = Tap()
    connected(client(psks=(PSK,)), server(tap, psks=(PSK,)))
    assert Certificate.msg_type not in tap.types
    borrowed = Tap()
    connected(client(), server(borrowed))
    certificate = borrowed.the(Certificate)
    found = talk(client(psks=(PSK,)), server(insert(certificate, after=EncryptedExtensions), psks=(PSK,)))
    refused(found, "client", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:4.6.1:5")
def test_a_session_is_offered_to_the_same_name_only() -> None:
    session = session_from(server_config())
    for name, offered in (("localhost", True), ("LOCALHOST", True), ("other.test", False)):
        tap = Tap()
        client(tap, name=name, sessions=(session,)).data_to_send()
        assert (X.pre_shared_key in tap.the(ClientHello).extensions) is offered


@pytest.mark.rfc("rfc8446:4.6.1:7")
def test_a_resumed_connection_reports_the_new_name() -> None:
    config = server_config()
    session = session_from(config)
    tap = Tap()
    found = connected(client(tap, sessions=(session,)), server(config=config))
    assert found.server.info.resumed
    assert found.server.info.server_name == "localhost"
    # The same ticket under another name is no resumption, and the new name is what is reported.
    body = ext.ServerNameList((ext.ServerName(0, b"other.test"),)).encode()
    found = talk(
        client(extensions(ClientHello, {X.server_name: body}), sessions=(session,)), server(config=config)
    )
    assert found.server.client_hello is not None
    assert not found.server.info.resumed
    assert found.server.info.server_name == "other.test"


def test_sessions_are_given_to_whoever_asks() -> None:
    found = connected(client(tickets=(5, 1)), server(tickets=8))
    assert len(sessions(found.client_events)) == 5
