"""RFC 7627: the extended master secret."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import UsageError
from pellucid.crypto import schedule12
from pellucid.errors import Reason
from pellucid.lab import Tap, edit, extensions
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello, ClientKeyExchangeECDHE, ServerHello

from .world import (
    RELAXED12,
    TLS12,
    client,
    connected,
    refused,
    server,
    server_config,
    session_from,
    talk,
)

#: TLS 1.2 without RFC 7627, by a client that leaves it out.
OLD = RELAXED12


def old_client(*faults: Any, **settings: Any) -> Any:
    """A client that does not offer the extension, and so does not use it."""
    return client(extensions(ClientHello, {X.extended_master_secret: None}), *faults, policy=OLD, **settings)


class Secrets:
    """An observer who remembers the secrets."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def open(self, role: str, name: str | None) -> Any:
        return self.note

    def note(self, kind: str, **fields: Any) -> None:
        if kind == "secret":
            self.found[fields["name"]] = fields["value"]


@pytest.mark.rfc("rfc7627:5.1:1")
def test_both_sides_derive_the_extended_secret() -> None:
    """From the pre-master secret and the hash of the messages up to ClientKeyExchange."""
    ours, theirs, seen = Tap(), Tap(), Secrets()
    found = connected(client(ours, policy=TLS12, observer=seen), server(theirs, policy=TLS12))
    hash = found.client.suite.hash
    hello, exchange = ours.the(ClientHello), ours.the(ClientKeyExchangeECDHE)
    flight = [item for item in theirs.sent if isinstance(item, bytes) and item[0] not in (4, 20)]
    messages = b"".join([hello.to_handshake(), *flight, exchange.to_handshake()])
    session_hash = hash.new(messages).digest()
    label = b"extended master secret"
    expected = schedule12.prf(hash, seen.found["pre_master_secret"], label, session_hash, 48)
    for side in (found.client, found.server):
        assert side._exporter is not None
        assert side._exporter[1] == expected


@pytest.mark.rfc("rfc7627:5.2:6")
def test_without_the_extension_both_derive_the_standard_secret() -> None:
    seen = Secrets()
    found = talk(old_client(observer=seen), server(policy=OLD))
    assert found.completed
    hash, secret, randoms = found.client._exporter  # type: ignore[misc]
    pre_master = seen.found["pre_master_secret"]
    assert secret == schedule12.prf(hash, pre_master, b"master secret", randoms, 48)
    assert found.server._exporter is not None
    assert found.server._exporter[1] == secret


@pytest.mark.rfc("rfc7627:5.2:1")
def test_a_client_always_offers_it() -> None:
    for policy in (TLS12, OLD, TLS12.replace(versions=(0x0304, 0x0303))):
        tap = Tap()
        client(tap, policy=policy).data_to_send()
        assert tap.the(ClientHello).extensions[X.extended_master_secret] == b""


@pytest.mark.rfc("rfc7627:5.2:2")
def test_a_server_always_takes_it() -> None:
    for policy in (TLS12, OLD):
        tap = Tap()
        found = connected(client(policy=TLS12), server(tap, policy=policy))
        assert X.extended_master_secret in tap.the(ServerHello).extensions
        assert found.server.info.extended_master_secret


@pytest.mark.rfc("rfc7627:5.2:4")
def test_a_server_does_not_answer_what_was_not_offered() -> None:
    tap = Tap()
    talk(old_client(), server(tap, policy=OLD))
    assert X.extended_master_secret not in tap.the(ServerHello).extensions


def test_by_default_both_insist() -> None:
    found = talk(old_client(), server(policy=TLS12))
    refused(found, "server", Reason.EMS_REQUIRED, Alert.handshake_failure)
    fault = extensions(ServerHello, {X.extended_master_secret: None})
    found = talk(client(policy=TLS12), server(fault, policy=TLS12))
    refused(found, "client", Reason.EMS_REQUIRED, Alert.handshake_failure)


@pytest.mark.rfc("rfc7627:5.4:1", "rfc7627:5.4:2", "rfc7627:5.4:3", "rfc7627:5.4:4")
def test_without_it_nothing_is_exported() -> None:
    strict = TLS12.replace(require_extended_master_secret=False)
    one = client(
        extensions(ClientHello, {X.extended_master_secret: None}), policy=strict.replace(legacy=frozenset())
    )
    found = talk(one, server(policy=strict))
    assert found.completed
    assert not found.client.info.extended_master_secret
    for side in (found.client, found.server):
        with pytest.raises(UsageError):
            side.export("EXPERIMENTAL x")
        for kind in ("tls-unique", "tls-exporter"):
            with pytest.raises(UsageError):
                side.channel_binding(kind)


def sessions_with_and_without() -> tuple[Any, Any, Any]:
    """A server, a session of it with the extension, and one without."""
    config = server_config(policy=OLD)
    extended = session_from(config)
    found = talk(old_client(), server(config=config))
    plain = next(event.session for event in found.client_events if hasattr(event, "session"))
    assert extended.extended_master_secret == 1
    assert plain.extended_master_secret == 0
    return config, extended, plain


@pytest.mark.rfc("rfc7627:5.3:3")
def test_a_resuming_client_offers_it_too() -> None:
    _, extended, plain = sessions_with_and_without()
    for session in (extended, plain):
        tap = Tap()
        client(tap, policy=OLD, sessions=(session,)).data_to_send()
        assert X.extended_master_secret in tap.the(ClientHello).extensions


@pytest.mark.rfc("rfc7627:5.3:4")
def test_a_plain_session_is_not_resumed_by_a_hello_with_it() -> None:
    config, _, plain = sessions_with_and_without()
    found = connected(client(policy=OLD, sessions=(plain,)), server(config=config))
    assert not found.server.info.resumed
    assert found.server.info.extended_master_secret


@pytest.mark.rfc("rfc7627:5.3:6", "rfc7627:5.4:6")
def test_an_extended_session_is_not_resumed_by_a_hello_without_it() -> None:
    config, extended, _ = sessions_with_and_without()
    found = talk(old_client(sessions=(extended,)), server(config=config))
    refused(found, "server", Reason.RESUMED_WITHOUT_EMS, Alert.handshake_failure)


@pytest.mark.rfc("rfc7627:5.3:8")
def test_a_resuming_server_answers_it() -> None:
    config, extended, _ = sessions_with_and_without()
    tap = Tap()
    found = connected(client(policy=OLD, sessions=(extended,)), server(tap, config=config))
    assert found.server.info.resumed
    assert X.extended_master_secret in tap.the(ServerHello).extensions


@pytest.mark.rfc("rfc7627:5.3:9")
def test_a_plain_session_resumed_with_it() -> None:
    """The client believes that the session had none; the server, that it had."""
    config, extended, _ = sessions_with_and_without()
    extended.extended_master_secret = 0
    found = talk(client(policy=OLD, sessions=(extended,)), server(config=config))
    refused(found, "client", Reason.RESUMED_WITH_EMS, Alert.handshake_failure)


@pytest.mark.rfc("rfc7627:5.3:10")
def test_an_extended_session_resumed_without_it() -> None:
    config, extended, _ = sessions_with_and_without()
    fault = extensions(ServerHello, {X.extended_master_secret: None})
    found = talk(client(policy=OLD, sessions=(extended,)), server(fault, config=config))
    refused(found, "client", Reason.RESUMED_WITHOUT_EMS, Alert.handshake_failure)


def test_a_resumption_with_another_suite() -> None:
    config, extended, _ = sessions_with_and_without()
    other = next(code for code in OLD.suites if code != extended.cipher_suite and code >> 8 == 0xC0)
    fault = edit(ServerHello, cipher_suite=other)
    found = talk(client(policy=OLD, sessions=(extended,)), server(fault, config=config))
    refused(found, "client", Reason.RESUMED_WITH_OTHER_CIPHER, Alert.illegal_parameter)
