"""The length of a record: record_size_limit (RFC 8449), max_fragment_length (RFC 6066), padding."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import Policy, legacy
from pellucid.errors import Reason
from pellucid.handshake.context import Handshake, agree_on_size
from pellucid.lab import Conversation, Tap, extensions
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello, EncryptedExtensions, ServerHello
from rfc.world import BOTH, RSA, TLS12, TLS13, client, connected, refused, server, server_config, talk

CBC = legacy.old_peers_policy(
    versions=(0x0303,), cipher_suites=(legacy.CBC_WITH_PADDING_ORACLES[1],), certificate_compression=()
)
POLICIES = {"1.3": TLS13, "1.2": TLS12, "CBC": CBC}


def fragments(tap: Tap) -> list[int]:
    """The sizes of what was put into protected records."""
    return [len(content) for _, epoch, content in tap.records if epoch]


def both(policy: Policy, taps: tuple[Tap, Tap], ours: dict[str, Any], theirs: dict[str, Any]) -> Conversation:
    return connected(
        client(taps[0], policy=policy.replace(**ours)),
        server(taps[1], policy=policy.replace(**theirs), identities=(RSA,)),
    )


@pytest.mark.parametrize("version", POLICIES)
def test_each_side_keeps_to_the_others_limit(version: str) -> None:
    taps = Tap(), Tap()
    found = both(POLICIES[version], taps, {"record_size_limit": 100}, {"record_size_limit": 333})
    assert found.client.info.record_size_limit == 333
    assert found.server.info.record_size_limit == 100
    found.client.send_data(bytes(5000))
    found.server.send_data(bytes(5000))
    found.go_on()
    assert len(found.data("server")) == len(found.data("client")) == 5000
    assert max(fragments(taps[0])) == 333
    assert max(fragments(taps[1])) == 100


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_a_longer_record_is_an_overflow(version: str) -> None:
    """RFC 8449 section 4: record_overflow; at the limit all is well."""
    for extra in (0, 1):
        found = both(
            POLICIES[version], (Tap(), Tap()), {"record_size_limit": 100}, {"record_size_limit": 333}
        )
        found.client.inject(23, bytes(333 + extra))  # type: ignore[attr-defined]
        found.go_on()
        if extra:
            refused(found, "server", Reason.RECORD_OVERFLOW, Alert.record_overflow)
        else:
            assert len(found.data("server")) == 333


def test_the_servers_handshake_is_held_to_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that agrees to the limit and then sends its certificate in one long record."""

    def forget(h: Handshake, limit: int, *, tls13: bool) -> None:
        if h.conn.client:
            agree_on_size(h, limit, tls13=tls13)

    monkeypatch.setattr("pellucid.handshake.server13.agree_on_size", forget)
    found = talk(client(policy=TLS13.replace(record_size_limit=64)), server(policy=TLS13))
    refused(found, "client", Reason.RECORD_OVERFLOW, Alert.record_overflow, readable=False)


@pytest.mark.parametrize("version", list(POLICIES))
def test_a_server_without_a_limit_of_its_own_respects_the_clients(version: str) -> None:
    """RFC 8449 section 4: endpoints should advertise the extension even if they have no need for it."""
    taps = (Tap(), Tap())
    found = both(POLICIES[version], taps, {"record_size_limit": 100}, {})
    assert found.server.info.record_size_limit == 100
    assert found.client.info.record_size_limit == 16384
    found.server.send_data(bytes(1000))
    found.go_on()
    assert len(found.data("client")) == 1000


def test_padding_stays_within_the_peers_limit() -> None:
    """RFC 8449 section 4: in TLS 1.3 the limit covers the padding."""
    padded = TLS13.replace(padding=lambda size: 10_000, record_size_limit=16384)
    found = connected(
        client(policy=TLS13.replace(record_size_limit=128)), server(policy=padded, identities=(RSA,))
    )
    for size in (1, 127, 128, 129, 1000):
        before = len(found.to_client)
        found.server.send_data(bytes(size))
        found.go_on()
        wire = found.to_client[before:]
        while wire:
            length = int.from_bytes(wire[3:5], "big")
            assert length == 128 + 1 + 16  # full of padding, and not a byte more
            wire = wire[5 + length :]
    assert len(found.data("client")) == 1 + 127 + 128 + 129 + 1000


def test_padding_survives_a_key_update_within_the_limit() -> None:
    padded = TLS13.replace(padding=lambda size: 10_000, record_size_limit=16384)
    found = connected(client(policy=TLS13.replace(record_size_limit=128)), server(policy=padded))
    found.server.update_keys()
    found.server.send_data(b"x")
    found.go_on()
    assert found.data("client") == b"x"


def test_an_offer_for_both_versions_counts_one_byte_more_in_tls12() -> None:
    """The offer counts TLS 1.3's content type; a TLS 1.2 server may fill that byte, and we must take it."""
    found = connected(
        client(policy=BOTH.replace(record_size_limit=100)),
        server(Tap(), policy=TLS12.replace(record_size_limit=16384)),
    )
    assert found.server.info.record_size_limit == 101
    found.server.send_data(bytes(101))
    found.go_on()
    assert len(found.data("client")) == 101
    found.server.inject(23, bytes(102))  # type: ignore[attr-defined]
    refused(found.go_on(), "client", Reason.RECORD_OVERFLOW, Alert.record_overflow)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
@pytest.mark.parametrize("limit", [0, 1, 63, 64, 16385, 16386, 65535])
def test_impossible_limits(policy: Policy, limit: int) -> None:
    """RFC 8449 section 4: below 64 is illegal; a server may not answer more than the version allows."""
    body = {X.record_size_limit: ext.RecordSizeLimit(limit).encode()}
    ours = policy.replace(record_size_limit=100)
    answer = EncryptedExtensions if policy is TLS13 else ServerHello
    found = talk(client(policy=ours), server(extensions(answer, body), policy=ours))
    most = 16385 if policy is TLS13 else 16384
    if 64 <= limit <= most:
        assert found.client.error is None or found.client.error.reason is not Reason.BAD_RECORD_SIZE_LIMIT
    else:
        refused(found, "client", Reason.BAD_RECORD_SIZE_LIMIT, Alert.illegal_parameter)
    found = talk(client(extensions(ClientHello, body), policy=ours), server(policy=ours))
    if limit < 64:
        refused(found, "server", Reason.BAD_RECORD_SIZE_LIMIT, Alert.illegal_parameter)
    else:
        error = found.server.error
        assert error is None or error.reason is not Reason.BAD_RECORD_SIZE_LIMIT


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_both_limits_at_once(policy: Policy) -> None:
    """RFC 8449 section 5: a server that answers both is refused."""
    ours = policy.replace(record_size_limit=100)
    answer = EncryptedExtensions if policy is TLS13 else ServerHello
    offer = extensions(ClientHello, {X.max_fragment_length: b"\1"})
    one = client(offer, policy=ours)
    found = talk(one, server(extensions(answer, {X.max_fragment_length: b"\1"}), policy=ours))
    # the client did not offer both itself, so for it the answer is unasked for
    assert found.client.error is not None
    assert found.client.error.reason in (Reason.BAD_RECORD_SIZE_LIMIT, Reason.UNEXPECTED_EXTENSION)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
@pytest.mark.parametrize("length", [512, 1024, 2048, 4096])
def test_max_fragment_length_both_ways(policy: Policy, length: int) -> None:
    taps = Tap(), Tap()
    found = both(policy, taps, {"max_fragment_length": length}, {})
    found.client.send_data(bytes(10_000))
    found.server.send_data(bytes(10_000))
    found.go_on()
    assert len(found.data("server")) == len(found.data("client")) == 10_000
    assert max(fragments(taps[0])) == max(fragments(taps[1])) == length
    found.server.inject(23, bytes(length + 1))  # type: ignore[attr-defined]
    refused(found.go_on(), "client", Reason.RECORD_OVERFLOW, Alert.record_overflow)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
@pytest.mark.parametrize("code", [0, 5, 255])
def test_a_fragment_length_that_is_none_of_the_four(policy: Policy, code: int) -> None:
    """RFC 6066 section 4: illegal_parameter, from either side; another than the offered one too."""
    body = {X.max_fragment_length: bytes([code])}
    found = talk(client(extensions(ClientHello, body), policy=policy), server(policy=policy))
    refused(found, "server", Reason.BAD_MAX_FRAGMENT_LENGTH, Alert.illegal_parameter)
    answer = EncryptedExtensions if policy is TLS13 else ServerHello
    for wrong in (code, 2):
        fault = extensions(answer, {X.max_fragment_length: bytes([wrong])})
        found = talk(
            client(policy=policy.replace(max_fragment_length=512)),
            server(fault, config=server_config(policy)),
        )
        refused(found, "client", Reason.BAD_MAX_FRAGMENT_LENGTH, Alert.illegal_parameter)
