"""External pre-shared keys: several of them, looked up by request, imported, and never a mirror's.

RFC 8446 section 4.2.11, RFC 9258 (importer), RFC 9257 section 4.1 (Selfie), RFC 4279 (TLS 1.2).
"""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import (
    ClientConfig,
    ClientConnection,
    PreSharedKey,
    Secret,
    ServerConfig,
    ServerConnection,
    SessionStore,
    UsageError,
    import_psk,
)
from pellucid.errors import Reason
from pellucid.events import FindPsk, Request
from pellucid.lab import converse
from pellucid.wire.codepoints import Alert
from rfc.world import (
    ECDSA,
    TLS12,
    TLS13,
    TRUST,
    client,
    connected,
    refused,
    server,
    server_config,
    session_from,
    talk,
)

KEYS = {
    name: PreSharedKey(name, Secret(bytes([number]) * 32), hash)
    for number, (name, hash) in enumerate([(b"first", "sha256"), (b"second", "sha384"), (b"third", "sha256")])
}
PSK_SUITES = TLS12.replace(cipher_suites=(0xD001, 0x00A8))


def offering(*names: bytes, policy: Any = TLS13, **more: Any) -> ClientConnection:
    keys = tuple(KEYS[name] for name in names)
    return ClientConnection(ClientConfig(policy=policy, psks=keys, trust=TRUST, **more), "localhost")


def asked(side: Any) -> FindPsk:
    found = [event for event in side.events() if isinstance(event, FindPsk)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("known", [(b"first",), (b"second",), (b"third",), (b"third", b"second")])
def test_the_server_takes_the_key_that_it_knows(known: tuple[bytes, ...]) -> None:
    """Each identity has a binder of its own, over the hash of its own key."""
    peer = ServerConnection(ServerConfig(policy=TLS13, psks=tuple(KEYS[name] for name in known)))
    found = converse(offering(b"first", b"second", b"third"), peer)
    assert found.completed
    assert found.client.info.psk_identity == found.server.info.psk_identity == known[0]


@pytest.mark.parametrize("name", KEYS)
def test_a_server_may_look_a_key_up_elsewhere(name: bytes) -> None:
    """FindPsk is asked before the suite is chosen, for the key's hash decides that too."""
    one = offering(name)
    other = ServerConnection(ServerConfig(policy=TLS13, ask=frozenset({FindPsk})))
    other.receive_data(one.data_to_send())
    question = asked(other)
    assert list(question.identities) == [name]
    assert other.data_to_send() == b""
    question.answer(KEYS[name])
    found = converse(one, other)
    assert found.completed
    assert found.server.info.external_psk
    assert found.server.info.psk_identity == name


def test_a_key_that_is_not_found_leaves_the_certificate() -> None:
    one = offering(b"first")
    other = ServerConnection(ServerConfig(policy=TLS13, identities=(ECDSA,), ask=frozenset({FindPsk})))
    other.receive_data(one.data_to_send())
    asked(other).answer(None)
    found = converse(one, other)
    assert found.completed
    assert not found.client.info.external_psk


def test_a_key_that_was_not_offered_is_no_answer() -> None:
    one = offering(b"first")
    other = ServerConnection(ServerConfig(policy=TLS13, ask=frozenset({FindPsk})))
    other.receive_data(one.data_to_send())
    with pytest.raises(Exception, match="only takes clients") as ended:
        asked(other).answer(KEYS[b"third"])
    assert ended.value.reason is Reason.PSK_REQUIRED  # type: ignore[attr-defined]


def test_a_server_of_keys_alone_says_so() -> None:
    found = talk(client(), ServerConnection(ServerConfig(policy=TLS13, psks=(KEYS[b"first"],))))
    refused(found, "server", Reason.PSK_REQUIRED, Alert.handshake_failure)


def test_nobody_is_asked_when_nothing_is_offered() -> None:
    other = server(ask=frozenset({FindPsk}))
    other.receive_data(client().data_to_send())
    assert not any(isinstance(event, Request) for event in other.events())


@pytest.mark.parametrize("suite", [0xD001, 0x00A8])
def test_tls12_asks_both_sides(suite: int) -> None:
    policy = TLS12.replace(cipher_suites=(suite,))
    one = ClientConnection(ClientConfig(policy=policy, trust=TRUST, ask=frozenset({FindPsk})), "localhost")
    other = ServerConnection(
        ServerConfig(policy=policy, ask=frozenset({FindPsk}), psk_identity_hint=b"which shelf")
    )
    other.receive_data(one.data_to_send())
    one.receive_data(other.data_to_send())
    question = asked(one)
    assert (list(question.identities), question.hint) == ([], b"which shelf")
    question.answer(KEYS[b"first"])
    other.receive_data(one.data_to_send())
    question = asked(other)
    assert list(question.identities) == [b"first"]
    question.answer(KEYS[b"first"])
    assert converse(one, other).completed


def test_tls12_without_a_key() -> None:
    one = offering(b"first", policy=PSK_SUITES)
    other = ServerConnection(ServerConfig(policy=PSK_SUITES, psks=(KEYS[b"third"],)))
    refused(converse(one, other), "server", Reason.UNKNOWN_PSK_IDENTITY, Alert.unknown_psk_identity)
    silent = ClientConnection(
        ClientConfig(policy=PSK_SUITES, trust=TRUST, ask=frozenset({FindPsk})), "localhost"
    )
    other = ServerConnection(ServerConfig(policy=PSK_SUITES, psks=(KEYS[b"third"],)))
    found = converse(silent, other)
    with pytest.raises(Exception, match="hints at"):
        next(e for e in found.client_events if isinstance(e, FindPsk)).answer(None)
    assert silent.error is not None
    assert silent.error.reason is Reason.UNKNOWN_PSK_IDENTITY


# -- Selfie ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [TLS13, PSK_SUITES], ids=["1.3", "1.2"])
def test_a_machine_is_not_fooled_by_its_own_reflection(policy: Any) -> None:
    """It is client and server under one key, and a mirror connects the two. Its roles give it away."""
    as_client = PreSharedKey(b"the two of us", Secret(bytes(32)), role="client")
    plain = PreSharedKey(b"the two of us", Secret(bytes(32)))
    for key, fooled in ((plain, True), (as_client, False)):
        one = ClientConnection(ClientConfig(policy=policy, psks=(key,), trust=TRUST), "localhost")
        found = converse(one, ServerConnection(ServerConfig(policy=policy, psks=(key,))))
        if fooled:
            assert found.completed
        else:
            refused(found, "server", Reason.SELFIE, Alert.illegal_parameter)


def test_a_key_of_the_servers_role_is_not_offered() -> None:
    key = PreSharedKey(b"the two of us", Secret(bytes(32)), role="server")
    one = ClientConnection(ClientConfig(policy=TLS13, psks=(key,), trust=TRUST), "localhost")
    found = converse(one, server(psks=(key,)))
    assert found.completed
    assert not found.client.info.external_psk
    with pytest.raises(UsageError):
        PreSharedKey(b"name", Secret(bytes(32)), role="peer")


def test_the_context_of_the_importer_divides_the_directions() -> None:
    """RFC 9258 section 5.1: with the roles in the context, the two directions have other keys."""
    forth, back = (import_psk(b"us", bytes(32), context) for context in (b"A to B", b"B to A"))
    one = ClientConnection(ClientConfig(policy=TLS13, psks=forth, trust=TRUST), "localhost")
    found = converse(one, server(psks=back))
    assert found.completed
    assert not found.client.info.external_psk
    assert all(key.role == "client" for key in import_psk(b"us", bytes(32), role="client"))
    with pytest.raises(UsageError):
        import_psk(b"us", bytes(15))


# -- tickets that are handed out once --------------------------------------------------------------


def test_a_single_use_ticket_survives_a_retry() -> None:
    """The server looks at the ticket in both hellos; the store hands it out once."""
    config = server_config(TLS13.replace(groups=(0x17,)), ticket_issuer=SessionStore())
    first = TLS13.replace(groups=(0x1D, 0x17), key_shares=(0x1D,))
    session = session_from(server_config(TLS13.replace(groups=(0x17,)), ticket_issuer=config.issuer))
    found = connected(client(policy=first, sessions=(session,)), server(config=config))
    assert found.client.info.retried
    assert found.client.info.resumed
