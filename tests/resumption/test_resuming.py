"""Resumption between two sides: what must be the same, what may change, and what is never mixed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from pellucid import (
    Authority,
    ClientConfig,
    ClientConnection,
    PreSharedKey,
    Reason,
    ReplayMemory,
    Secret,
    ServerConfig,
    ServerConnection,
    Session,
    SessionStore,
    TicketKeys,
    TLSError,
    legacy,
)
from pellucid.events import EarlyDataAccepted, EarlyDataReceived, EarlyDataRefused, SessionReceived
from pellucid.wire.codepoints import Alert
from pellucid.wire.extensions import OfferedPsks
from pellucid.wire.messages import ClientHello
from support import TLS12, TLS13, House, Pair, pump, refusal, write

BOTH = pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
NOW = time.time()


def meet(client: ClientConfig, server: ServerConfig, name: str = "localhost") -> tuple[Pair, list[Session]]:
    """A handshake; the sessions that the client got."""
    pair = ClientConnection(client, name), ServerConnection(server)
    events = pump(*pair)[0]
    assert pair[0].export("x") == pair[1].export("x")
    assert pair[0].info.resumed is pair[1].info.resumed
    return pair, [event.session for event in events if isinstance(event, SessionReceived)]


def resumes(client: ClientConfig, server: ServerConfig, name: str = "localhost") -> bool:
    return meet(client, server, name)[0][0].info.resumed


@pytest.fixture
def server(house: House) -> Callable[..., ServerConfig]:
    """A server that answers to two names; its tickets are opened by all configurations made from it."""
    issuer = TicketKeys(rotation=0)
    identity = house.authority.issue("localhost", "other.test")

    def make(policy: Any = TLS13, **settings: Any) -> ServerConfig:
        chosen: dict[str, Any] = {"identities": (identity,), "ticket_issuer": issuer} | settings
        return ServerConfig(policy=policy, **chosen)

    return make


@BOTH
def test_what_a_resumed_connection_knows(
    house: House, server: Callable[..., ServerConfig], policy: Any
) -> None:
    config = house.client(policy, identities=(house.client_identity,))
    serving = server(policy, client_auth="require", client_trust=house.trust)
    (first, first_server), sessions = meet(config, serving)
    stored = tuple(Session.from_bytes(session.to_bytes()) for session in sessions)
    (second, second_server), fresh = meet(config.replace(sessions=stored), serving)
    assert second.info.resumed
    assert second.info.peer_chain == first.info.peer_chain
    assert second.info.verified_chain == first.info.verified_chain
    assert second_server.info.peer_chain == first_server.info.peer_chain == house.client_identity.chain
    assert first.export("x") != second.export("x")
    assert fresh
    assert {session.ticket for session in fresh}.isdisjoint(session.ticket for session in sessions)
    assert resumes(config.replace(sessions=tuple(fresh)), serving)


@BOTH
@pytest.mark.rfc("rfc8446:4.2.11:5", "rfc8446:4.2.11:6")
def test_a_changed_ticket_means_a_full_handshake(
    house: House, server: Callable[..., ServerConfig], policy: Any
) -> None:
    _, sessions = meet(house.client(policy), server(policy))
    session = sessions[0]
    for at in range(0, len(session.ticket), 7):
        changed = bytearray(session.ticket)
        changed[at] ^= 1
        one = Session.from_bytes(session.to_bytes())
        one.ticket = bytes(changed)
        assert not resumes(house.client(policy, sessions=(one,)), server(policy))
    assert resumes(house.client(policy, sessions=(session,)), server(policy))


@BOTH
def test_tickets_and_rotation(house: House, server: Callable[..., ServerConfig], policy: Any) -> None:
    serving = server(policy)
    _, sessions = meet(house.client(policy), serving)
    again = house.client(policy, sessions=(sessions[0],))
    issuer: Any = serving.ticket_issuer
    issuer.rotate()
    assert resumes(again, serving)
    issuer.rotate()
    assert not resumes(again, serving)


@BOTH
@pytest.mark.rfc("rfc8446:4.2.11.1:1", "rfc8446:4.6.1:11")
def test_tickets_and_time(house: House, server: Callable[..., ServerConfig], policy: Any) -> None:
    serving = server(policy, ticket_lifetime=100, now=lambda: NOW)
    _, sessions = meet(house.client(policy, now=lambda: NOW), serving)
    again = house.client(policy, sessions=(sessions[0],), now=lambda: NOW + 99)
    late = house.client(policy, sessions=(sessions[0],), now=lambda: NOW + 100)
    assert resumes(again, serving)
    offered = ClientConnection(late, "localhost")
    assert sessions[0].ticket not in offered.data_to_send()
    # the server holds its own clock against the ticket
    assert not resumes(again, serving.replace(now=lambda: NOW + 101))


@BOTH
@pytest.mark.rfc("rfc8446:4.6.1:5")
def test_another_name(house: House, server: Callable[..., ServerConfig], policy: Any) -> None:
    """The client does not offer it; a server that is offered it does not resume."""
    _, sessions = meet(house.client(policy), server(policy))
    client = house.client(policy, sessions=(sessions[0],))
    assert not resumes(client, server(policy), "other.test")
    forged = Session.from_bytes(sessions[0].to_bytes())
    _, others = meet(house.client(policy), server(policy), "other.test")
    forged.binding = others[0].binding
    careless = house.client(policy, sessions=(forged,))
    offered = ClientConnection(careless, "other.test")
    assert forged.ticket in offered.data_to_send()
    assert not resumes(careless, server(policy), "other.test")


@BOTH
def test_other_verification_settings(house: House, server: Callable[..., ServerConfig], policy: Any) -> None:
    """Sessions are bound to whom the client trusted, and to what the server asked of clients."""
    _, sessions = meet(house.client(policy), server(policy))
    stranger = Authority.create("somebody else")
    both = ClientConfig(policy=policy, trust=stranger.trust(), sessions=(sessions[0],))
    assert sessions[0].ticket not in ClientConnection(both, "localhost").data_to_send()
    known = house.client(policy, sessions=(sessions[0],), identities=(house.client_identity,))
    asking = server(policy, client_auth="require", client_trust=house.trust)
    (_, serving), _ = meet(known, asking)
    assert not serving.info.resumed
    assert serving.info.peer_chain


@BOTH
def test_another_suite_or_version(house: House, server: Callable[..., ServerConfig], policy: Any) -> None:
    _, sessions = meet(house.client(policy), server(policy))
    suites = tuple(code for code in policy.suites if code != sessions[0].cipher_suite)
    without = policy.replace(cipher_suites=suites)
    assert not resumes(house.client(without, sessions=(sessions[0],)), server(policy))
    other = TLS12 if policy is TLS13 else TLS13
    assert not resumes(house.client(other, sessions=(sessions[0],)), server(other))
    either = TLS13.replace(versions=(0x0304, 0x0303))
    client = house.client(either, sessions=(sessions[0],))
    (one, _), _ = meet(client, server(other))
    assert one.info.version == other.versions[0]
    assert not one.info.resumed


@pytest.mark.rfc("rfc8446:4.6.1:4")
def test_a_suite_of_the_same_hash_resumes_in_tls13(house: House, server: Callable[..., ServerConfig]) -> None:
    _, sessions = meet(house.client(), server())
    assert sessions[0].cipher_suite == 0x1301
    chacha, sha384 = TLS13.replace(cipher_suites=(0x1303,)), TLS13.replace(cipher_suites=(0x1302,))
    assert resumes(house.client(sessions=(sessions[0],)), server(chacha))
    assert not resumes(house.client(sessions=(sessions[0],)), server(sha384))


@pytest.mark.rfc("rfc7627:5.3:2")
def test_extended_master_secret_is_never_mixed(house: House, server: Callable[..., ServerConfig]) -> None:
    old = legacy.old_peers_policy(versions=(0x0303,))
    (one, _), sessions = meet(house.client(old), server(old))
    assert one.info.extended_master_secret
    session = sessions[0]
    client = ClientConnection(house.client(old, sessions=(session,)), "localhost")
    hello = ClientHello.decode(client.data_to_send()[9:])
    del hello.extensions[23]  # extended_master_secret
    raw = hello.to_handshake()
    record = b"\x16\x03\x01" + len(raw).to_bytes(2, "big") + raw
    assert refusal(ServerConnection(server(old)), record).reason is Reason.RESUMED_WITHOUT_EMS

    plain = Session.from_bytes(session.to_bytes())
    plain.extended_master_secret = 0
    client = ClientConnection(house.client(old, sessions=(plain,)), "localhost")
    with pytest.raises(TLSError) as refused:
        pump(client, ServerConnection(server(old)))
    assert refused.value.reason is Reason.RESUMED_WITH_EMS


@BOTH
def test_a_client_with_the_wrong_secret(
    house: House, server: Callable[..., ServerConfig], policy: Any
) -> None:
    _, sessions = meet(house.client(policy), server(policy))
    sessions[0].secret = Secret(bytes(len(sessions[0].secret)))
    client = ClientConnection(house.client(policy, sessions=(sessions[0],)), "localhost")
    with pytest.raises(TLSError) as refused:
        pump(client, ServerConnection(server(policy)))
    # TLS 1.2 shows it at the server's Finished, which cannot even be decrypted
    assert refused.value.reason is (Reason.BAD_BINDER if policy is TLS13 else Reason.BAD_RECORD_MAC)


@pytest.mark.rfc("rfc8446:4.2.11:8", "rfc8446:4.2.11:9")
def test_every_wrong_bit_of_a_binder(house: House, server: Callable[..., ServerConfig]) -> None:
    _, sessions = meet(house.client(), server())
    record = ClientConnection(house.client(sessions=(sessions[0],)), "localhost").data_to_send()
    for at, bit in itertools.product(range(1, 33), (0, 7)):
        changed = bytearray(record)
        changed[-at] ^= 1 << bit
        connection = ServerConnection(server())
        error = refusal(connection, bytes(changed))
        assert error.reason is Reason.BAD_BINDER
        assert error.alert == Alert.decrypt_error


def hello_with(config: ClientConfig, change: Callable[[OfferedPsks], None]) -> bytes:
    """The client's first record with other contents of pre_shared_key."""
    hello = ClientHello.decode(ClientConnection(config, "localhost").data_to_send()[9:])
    offered = OfferedPsks.decode(hello.extensions[41])
    change(offered)
    hello.extensions[41] = offered.encode()
    raw = hello.to_handshake()
    return b"\x16\x03\x01" + len(raw).to_bytes(2, "big") + raw


def test_binders_of_other_number_or_size(house: House, server: Callable[..., ServerConfig]) -> None:
    _, sessions = meet(house.client(), server())
    config = house.client(sessions=tuple(sessions))
    assert len(sessions) == 2

    def fewer(offered: OfferedPsks) -> None:
        offered.binders = offered.binders[:1]

    def more(offered: OfferedPsks) -> None:
        offered.binders = (*offered.binders, bytes(32))

    def shorter(offered: OfferedPsks) -> None:
        offered.binders = (offered.binders[0][:31], offered.binders[1])

    for change, reason in (
        (fewer, Reason.PSK_BINDER_COUNT),
        (more, Reason.PSK_BINDER_COUNT),
        (shorter, Reason.BAD_BINDER),
    ):
        assert refusal(ServerConnection(server()), hello_with(config, change)).reason is reason


def test_many_identities_cost_little(house: House, server: Callable[..., ServerConfig]) -> None:
    """A thousand unknown tickets: eight are tried, and a full handshake follows."""
    _, sessions = meet(house.client(), server())
    sessions[0].ticket = b"nobody knows me" * 3
    offers = house.client(sessions=(sessions[0],) * 150)
    started = time.process_time()
    assert not resumes(offers, server())
    assert time.process_time() - started < 2


def test_stateful_tickets_work_once(house: House, server: Callable[..., ServerConfig]) -> None:
    store = SessionStore()
    serving = server(ticket_issuer=store)
    _, sessions = meet(house.client(), serving)
    again = house.client(sessions=(sessions[0],))
    assert resumes(again, serving)
    assert not resumes(again, serving)


def test_a_lifetime_of_zero_and_of_more_than_a_week(house: House) -> None:
    from pellucid.wire.messages import NewSessionTicket

    client, server = house.pair()
    client.receive_data(write(server, 22, NewSessionTicket(0, 0, b"", b"t", {}).to_handshake()))
    assert not list(client.events())
    ticket = NewSessionTicket(604_801, 0, b"", b"t", {}).to_handshake()
    assert refusal(client, write(server, 22, ticket)).reason is Reason.BAD_TICKET


def test_unknown_extensions_of_a_ticket_are_ignored(house: House) -> None:
    from pellucid.wire.messages import NewSessionTicket

    client, server = house.pair()
    ticket = NewSessionTicket(60, 0, b"", b"t", {0x0A0A: b"", 0xFF77: b"?"}).to_handshake()
    client.receive_data(write(server, 22, ticket))
    assert [type(event) for event in client.events()] == [SessionReceived]


# -- early data --------------------------------------------------------------------------------------------


@pytest.fixture
def taking(server: Callable[..., ServerConfig]) -> ServerConfig:
    return server(max_early_data=1000, replay_guard=ReplayMemory(started_at=0))


def early(client: ClientConfig, server: ServerConfig, data: bytes) -> tuple[Pair, list[Any], list[Any]]:
    pair = ClientConnection(client, "localhost"), ServerConnection(server)
    assert pair[0].early_data_limit
    pair[0].send_early_data(data)
    seen = pump(*pair)
    return pair, seen[0], seen[1]


def received(events: list[Any]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, EarlyDataReceived))


def test_early_data_to_the_last_byte_and_not_one_more(house: House, taking: ServerConfig) -> None:
    _, sessions = meet(house.client(), taking)
    config = house.client(sessions=(sessions[0],), early_data=True)
    pair, mine, theirs = early(config, taking, b"x" * 1000)
    assert received(theirs) == b"x" * 1000
    assert any(isinstance(event, EarlyDataAccepted) for event in mine)
    assert pair[0].info.early_data == pair[1].info.early_data == "accepted"
    assert pair[0].early_data_limit == 0
    with pytest.raises(TLSError) as refused:
        pair[0].send_early_data(b"late")
    assert refused.value.reason is Reason.NOT_CONNECTED

    _, sessions = meet(house.client(), taking)
    client = ClientConnection(config.replace(sessions=(sessions[0],)), "localhost")
    with pytest.raises(TLSError):
        client.send_early_data(b"x" * 1001)
    record = client.data_to_send() + write(client, 23, b"x" * 1000)
    server = ServerConnection(taking)
    server.receive_data(record)
    assert refusal(server, write(client, 23, b"x")).reason is Reason.TOO_MUCH_EARLY_DATA


def test_the_ticket_says_how_much(house: House, taking: ServerConfig) -> None:
    """A server that has lowered its limit since still takes what it promised."""
    _, sessions = meet(house.client(), taking)
    config = house.client(sessions=(sessions[0],), early_data=True)
    _, _, theirs = early(config, taking.replace(max_early_data=10), b"x" * 900)
    assert received(theirs) == b"x" * 900


@pytest.mark.parametrize("limit", [14_336, 200_000])
def test_refused_early_data_of_any_promised_size_is_skipped(
    house: House, server: Callable[..., ServerConfig], limit: int
) -> None:
    taking = server(max_early_data=limit, replay_guard=ReplayMemory(started_at=0))
    _, sessions = meet(house.client(), taking)
    restarted = taking.replace(replay_guard=ReplayMemory())  # it cannot know: it refuses
    config = house.client(sessions=(sessions[0],), early_data=True)
    pair, mine, theirs = early(config, restarted, b"x" * limit)
    assert received(theirs) == b""
    assert [event.data for event in mine if isinstance(event, EarlyDataRefused)] == [b"x" * limit]
    assert pair[0].info.resumed
    assert pair[0].info.early_data == pair[1].info.early_data == "refused"


def test_what_is_skipped_has_an_end(house: House, server: Callable[..., ServerConfig]) -> None:
    taking = server(max_early_data=1000, replay_guard=ReplayMemory(started_at=0))
    _, sessions = meet(house.client(), taking)
    client = ClientConnection(house.client(sessions=(sessions[0],), early_data=True), "localhost")
    other = ServerConnection(server(ticket_issuer=TicketKeys()))
    other.receive_data(client.data_to_send())
    with pytest.raises(TLSError) as refused:
        for _ in range(17):
            other.receive_data(write(client, 23, b"x" * 1000))
    assert refused.value.reason is Reason.TOO_MUCH_SKIPPED_EARLY_DATA
    assert not received(list(other.events()))


@pytest.mark.rfc("rfc8446:8:3", "rfc8446:8.2:1")
def test_a_replayed_first_flight(house: House, taking: ServerConfig) -> None:
    _, sessions = meet(house.client(), taking)
    client = ClientConnection(house.client(sessions=(sessions[0],), early_data=True), "localhost")
    client.send_early_data(b"pay")
    flight = client.data_to_send()
    seen = []
    for _ in range(5):
        server = ServerConnection(taking)
        server.receive_data(flight)
        seen.append(received(list(server.events())))
        assert server.error is None
    assert seen == [b"pay", b"", b"", b"", b""]


@pytest.mark.rfc("rfc8446:4.2.10:3", "rfc8446:4.2.10:4")
@pytest.mark.parametrize(
    ("off", "taken"), [(0, True), (9.5, True), (10.5, False), (-9.5, True), (-10.5, False)]
)
def test_the_age_window(house: House, server: Callable[..., ServerConfig], off: float, taken: bool) -> None:
    taking = server(max_early_data=100, replay_guard=ReplayMemory(started_at=0), now=lambda: NOW)
    _, sessions = meet(house.client(now=lambda: NOW), taking)
    config = house.client(sessions=(sessions[0],), early_data=True, now=lambda: NOW + 50)
    _, _, theirs = early(config, taking.replace(now=lambda: NOW + 50 + off), b"x")
    assert bool(received(theirs)) is taken


def test_nothing_is_early_without_being_asked_for(house: House, taking: ServerConfig) -> None:
    _, sessions = meet(house.client(), taking)
    assert sessions[0].max_early_data == 1000
    client = ClientConnection(house.client(sessions=(sessions[0],)), "localhost")
    assert client.early_data_limit == 0
    with pytest.raises(TLSError):
        client.send_early_data(b"x")
    _, sessions = meet(house.client(), taking.replace(max_early_data=0))
    client = ClientConnection(house.client(sessions=(sessions[0],), early_data=True), "localhost")
    assert client.early_data_limit == 0


# -- external keys -----------------------------------------------------------------------------------------

KEYS = tuple(PreSharedKey(b"key %d" % number, Secret(bytes([number]) * 32)) for number in range(3))


def test_the_first_known_key_of_several(house: House, server: Callable[..., ServerConfig]) -> None:
    for number, key in enumerate(KEYS):
        (one, other), _ = meet(house.client(psks=KEYS), server(psks=(key,)))
        assert one.info.psk_identity == other.info.psk_identity == b"key %d" % number
        assert one.info.external_psk
        assert not one.info.resumed


def test_a_key_of_the_same_name_and_another_value(house: House, server: Callable[..., ServerConfig]) -> None:
    client = ClientConnection(house.client(psks=KEYS[:1]), "localhost")
    other = ServerConnection(server(psks=(PreSharedKey(b"key 0", Secret(bytes(range(32)))),)))
    with pytest.raises(TLSError) as refused:
        pump(client, other)
    assert refused.value.reason is Reason.BAD_BINDER


def test_a_ticket_and_a_key_beside_it(house: House, server: Callable[..., ServerConfig]) -> None:
    _, sessions = meet(house.client(), server())
    config = house.client(sessions=(sessions[0],), psks=KEYS)
    assert resumes(config, server(psks=KEYS))
    (one, _), _ = meet(config, server(psks=KEYS, ticket_issuer=TicketKeys()))
    assert one.info.external_psk
