"""Every kind of handshake between our two sides, and what must be refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pellucid import (
    ClientConfig,
    ClientConnection,
    Identity,
    Policy,
    PreSharedKey,
    Reason,
    ReplayMemory,
    Secret,
    ServerConfig,
    ServerConnection,
    Session,
    SessionStore,
    TLSError,
    UsageError,
    import_psk,
    legacy,
)
from pellucid.events import EarlyDataReceived, EarlyDataRefused, PeerAuthenticated, SessionReceived
from pellucid.wire.codepoints import CipherSuite, NamedGroup
from support import House, carry, data_in, pump

TLS13 = Policy(versions=(0x0304,))
TLS12 = Policy(versions=(0x0303,))
MUSEUM = legacy.museum_policy()
KEY = PreSharedKey(b"device 7", Secret(bytes(range(32))))


Pair = tuple[ClientConnection, ServerConnection]


def shake(client: ClientConfig, server: ServerConfig, *, piece: int = 0) -> tuple[Pair, list[Session]]:
    """A whole handshake, data both ways, and the sessions that came of it."""
    pair = ClientConnection(client, "localhost"), ServerConnection(server)
    seen = pump(*pair, piece=piece)
    sessions = [event.session for event in seen[0] if isinstance(event, SessionReceived)]
    pair[0].send_data(b"ping" * 5000)
    pair[1].send_data(b"pong")
    seen = pump(*pair, piece=piece)
    assert data_in(seen[1]) == b"ping" * 5000
    assert data_in(seen[0]) == b"pong"
    assert pair[0].export("EXPERIMENTAL", b"here", 40) == pair[1].export("EXPERIMENTAL", b"here", 40)
    return pair, sessions


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa-2048", "ed25519"])
def test_full_handshake_and_resumption(house: House, policy: Policy, kind: str) -> None:
    server = house.servers(policy, kind)
    (client, _), sessions = shake(house.client(policy), server)
    assert not client.info.resumed
    assert len(client.info.verified_chain) == 2
    again = Session.from_bytes(sessions[-1].to_bytes())
    (client, peer), _ = shake(house.client(policy, sessions=(again,)), server)
    assert client.info.resumed
    assert peer.info.resumed
    assert client.info.peer_chain


@pytest.mark.parametrize("group", TLS13.groups, ids=NamedGroup.name_of)
def test_every_group(house: House, group: int) -> None:
    (client, _), _ = shake(house.client(TLS13.replace(groups=(group,))), house.servers())
    assert client.info.group == group


@pytest.mark.parametrize("group", [0x0201, 0x0202], ids=NamedGroup.name_of)
def test_ml_kem_alone_for_those_who_name_it(house: House, group: int) -> None:
    """CNSA 2.0 allows nothing beside it (draft-ietf-tls-mlkem); nobody else gets it by accident."""
    assert group not in TLS13.groups
    alone = TLS13.replace(groups=(group,))
    (client, server), _ = shake(house.client(alone), house.servers(alone))
    assert client.info.group == server.info.group == group
    assert TLS13.replace(versions=(0x0304, 0x0303), groups=(group, 0x17)).groups12 == (0x17,)


@pytest.mark.parametrize("suite", [*TLS13.suites, 0x1305], ids=CipherSuite.name_of)
def test_every_suite_of_tls13(house: House, suite: int) -> None:
    only = TLS13.replace(cipher_suites=(suite,))
    (client, _), _ = shake(house.client(only), house.servers(only))
    assert client.info.cipher_suite == suite


def test_versions_meet_at_the_highest(house: House) -> None:
    (client, _), _ = shake(house.client(Policy()), house.servers(Policy()))
    assert client.info.version == 0x0304
    (client, _), _ = shake(house.client(Policy()), house.servers(TLS12))
    assert client.info.version == 0x0303


@pytest.mark.rfc("rfc8446:4.1.3:12", "rfc8446:4.1.3:14", "rfc8446:4.1.3:16")
def test_downgrade_is_detected(house: House) -> None:
    """Somebody strips supported_versions; the server's random gives it away."""
    client = ClientConnection(house.client(Policy()), "localhost")
    older = ClientConnection(house.client(TLS12), "localhost")
    server = ServerConnection(house.servers(Policy()))
    server.receive_data(older.data_to_send())
    with pytest.raises(TLSError) as refused:
        client.receive_data(server.data_to_send())
    assert refused.value.reason is Reason.DOWNGRADE_DETECTED
    assert client.data_to_send()[-1] == 47


@pytest.mark.parametrize("stateless", [False, True])
def test_hello_retry_request(house: House, stateless: bool) -> None:
    server = house.servers(TLS13.replace(groups=(0x17,)), stateless_retry=stateless)
    (client, peer), _ = shake(house.client(TLS13.replace(key_shares=(0x1D,))), server)
    assert client.info.retried
    assert peer.info.retried
    assert client.info.group == 0x17


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_client_certificates(house: House, policy: Policy) -> None:
    server = house.servers(policy, client_auth="require", client_trust=house.trust)
    (_, peer), _ = shake(house.client(policy, identities=(house.client_identity,)), server)
    assert peer.info.peer_chain == house.client_identity.chain
    with pytest.raises(TLSError) as refused:
        pump(ClientConnection(house.client(policy), "localhost"), ServerConnection(server))
    assert refused.value.reason is Reason.CERTIFICATE_REQUIRED


def test_static_rsa_is_in_the_museum_only(house: House) -> None:
    (client, _), _ = shake(house.client(MUSEUM), house.servers(MUSEUM, "rsa-2048"))
    assert client.info.cipher_suite_name == "TLS_RSA_WITH_AES_128_GCM_SHA256"
    assert client.info.group is None
    with pytest.raises(UsageError):
        Policy(cipher_suites=(0x009C,))
    with pytest.raises(TLSError) as refused:
        pump(
            ClientConnection(house.client(MUSEUM), "localhost"),
            ServerConnection(house.servers(Policy(), "rsa-2048")),
        )
    assert refused.value.reason is Reason.NO_SHARED_CIPHER


@pytest.mark.parametrize("etm", [True, False], ids=["encrypt-then-mac", "mac-then-encrypt"])
@pytest.mark.parametrize("suite", legacy.CBC_WITH_PADDING_ORACLES, ids=lambda suite: suite.name)
def test_cbc_in_the_museum(house: House, suite: CipherSuite, etm: bool) -> None:
    kind = "ecdsa-p256" if "ECDSA" in suite.name else "rsa-2048"
    policy = legacy.old_peers_policy(versions=(0x0303,), cipher_suites=(suite,), encrypt_then_mac=etm)
    (client, _), _ = shake(house.client(policy), house.servers(policy, kind))
    assert client.info.encrypt_then_mac is etm


def test_external_pre_shared_keys(house: House) -> None:
    for keys in ((KEY,), import_psk(b"device 7", bytes(32), b"client to server")):
        server = ServerConfig(policy=TLS13, psks=keys)
        (client, _), _ = shake(ClientConfig(policy=TLS13, psks=keys, trust=house.trust), server)
        assert client.info.external_psk
    other = PreSharedKey(b"device 7", Secret(bytes(32)))
    with pytest.raises(TLSError) as refused:
        server_side = ServerConnection(ServerConfig(policy=TLS13, psks=(KEY,)))
        pump(
            ClientConnection(ClientConfig(policy=TLS13, psks=(other,), trust=house.trust), "localhost"),
            server_side,
        )
    assert refused.value.reason is Reason.BAD_BINDER


@pytest.mark.parametrize("suite", [0xD001, 0xD002, 0xCCAC, 0x00A8, 0xC0A4], ids=CipherSuite.name_of)
def test_pre_shared_keys_of_tls12(house: House, suite: int) -> None:
    policy = TLS12.replace(cipher_suites=(suite,))
    client = ClientConfig(policy=policy, psks=(KEY,), trust=house.trust)
    (_, server), _ = shake(client, ServerConfig(policy=policy, psks=(KEY,)))
    assert server.info.psk_identity == KEY.identity


def test_early_data_and_its_replay(house: House) -> None:
    """0-RTT is taken once; the same first flight again is not (RFC 8446 section 8)."""
    server = house.servers(max_early_data=14_336, replay_guard=ReplayMemory(started_at=0))
    _, sessions = shake(house.client(), server)
    config = house.client(sessions=(sessions[0],), early_data=True)
    client, peer = ClientConnection(config, "localhost"), ServerConnection(server)
    client.send_early_data(b"buy one")
    flight = client.data_to_send()
    carry(peer, flight)
    seen = pump(client, peer)
    assert [event.data for event in seen[1] if isinstance(event, EarlyDataReceived)] == [b"buy one"]
    assert client.info.early_data == peer.info.early_data == "accepted"
    second = ServerConnection(server)
    carry(second, flight)
    assert not [event for event in second.events() if isinstance(event, EarlyDataReceived)]


def test_refused_early_data_comes_back(house: House) -> None:
    server = house.servers(max_early_data=14_336, replay_guard=ReplayMemory(started_at=0))
    _, sessions = shake(house.client(), server)
    config = house.client(TLS13.replace(key_shares=(0x1D,)), sessions=(sessions[0],), early_data=True)
    client = ClientConnection(config, "localhost")
    client.send_early_data(b"buy one")
    other = house.servers(TLS13.replace(groups=(0x17,)), ticket_issuer=server.issuer)
    seen = pump(client, ServerConnection(other))
    assert [event.data for event in seen[0] if isinstance(event, EarlyDataRefused)] == [b"buy one"]


def test_post_handshake_authentication_and_key_update(house: House) -> None:
    server = house.servers(post_handshake_auth=True, client_trust=house.trust)
    config = house.client(post_handshake_auth=True, identities=(house.client_identity,))
    (client, peer), _ = shake(config, server)
    peer.request_certificate()
    seen = pump(client, peer)
    assert any(isinstance(event, PeerAuthenticated) for event in seen[1])
    assert peer.info.peer_chain == house.client_identity.chain
    client.update_keys(request=True)
    peer.send_data(b"under new keys")
    assert data_in(pump(client, peer)[0]) == b"under new keys"


def test_session_ids(house: House) -> None:
    server = house.servers(TLS12, session_cache=SessionStore(single_use=False), session_ticket_12=False)
    _, sessions = shake(house.client(TLS12, session_tickets=False), server)
    (client, _), _ = shake(house.client(TLS12, session_tickets=False, sessions=tuple(sessions)), server)
    assert client.info.resumed


def test_a_session_is_not_offered_to_another_name(house: House) -> None:
    server = ServerConfig(policy=TLS13, identities=(house.authority.issue("localhost", "other.test"),))
    _, sessions = shake(house.client(), server)
    client = ClientConnection(house.client(sessions=tuple(sessions)), "other.test")
    pump(client, ServerConnection(server))
    assert not client.info.resumed


def test_raw_public_keys(house: House) -> None:
    identity = Identity.raw(house.server["ecdsa-p256"].key)
    trusted = (identity.raw_public_key,)
    server = ServerConfig(policy=TLS13, identities=(identity,))
    client = ClientConfig(policy=TLS13, server_certificate_types=(2,), trusted_public_keys=trusted)
    (peer, _), _ = shake(client, server)
    assert peer.info.peer_public_key == identity.raw_public_key


def test_alpn(house: House) -> None:
    (client, _), _ = shake(house.client(alpn=("h2", "http/1.1")), house.servers(alpn=("http/1.1",)))
    assert client.info.alpn == "http/1.1"
    with pytest.raises(TLSError) as refused:
        pump(
            ClientConnection(house.client(alpn=("h2",)), "localhost"),
            ServerConnection(house.servers(alpn=("smtp",))),
        )
    assert refused.value.reason is Reason.NO_APPLICATION_PROTOCOL


def test_grease_shuffle_and_record_sizes(house: House) -> None:
    shake(house.client(Policy(grease=True, shuffle_extensions=True)), house.servers(Policy()))
    shake(house.client(Policy(record_size_limit=100)), house.servers(Policy(record_size_limit=200)))
    shake(house.client(Policy(max_fragment_length=512)), house.servers(Policy()))


def test_channel_bindings(house: House) -> None:
    (client, server), _ = shake(house.client(), house.servers())
    for kind in ("tls-exporter", "tls-server-end-point"):
        assert client.channel_binding(kind) == server.channel_binding(kind)
    with pytest.raises(UsageError):
        client.channel_binding("tls-unique")
    (client, server), _ = shake(house.client(TLS12), house.servers(TLS12))
    assert client.channel_binding("tls-unique") == server.channel_binding("tls-unique")


def counted(seed: int) -> Iterator[bytes]:
    """A stand-in for randomness: the same bytes in every run."""
    import hashlib

    state = seed.to_bytes(8, "big")
    while True:
        state = hashlib.sha256(state).digest()
        yield state


def test_the_same_randomness_gives_the_same_hello(house: House) -> None:
    hellos = []
    for _ in range(2):
        source = counted(1)

        def random(size: int) -> bytes:
            return b"".join(next(source) for _ in range(size // 32 + 1))[:size]  # noqa: B023

        hellos.append(ClientConnection(house.client(random=random), "localhost").data_to_send())
    assert hellos[0] == hellos[1]


def test_info_serialises(house: House) -> None:
    import json

    (client, _), _ = shake(house.client(), house.servers())
    assert json.loads(json.dumps(client.info.to_json()))["version_name"] == "TLS 1.3"
