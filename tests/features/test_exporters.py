"""Exporters and channel bindings: RFC 8446 section 7.5, RFC 5705, RFC 9266, RFC 5929, RFC 7627."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from pellucid import Policy, UsageError
from pellucid.errors import Reason
from pellucid.events import EarlyDataReceived
from pellucid.lab import Tap, extensions
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello
from rfc.world import (
    RELAXED12,
    TLS12,
    TLS13,
    client,
    connected,
    early_client,
    early_config,
    server,
    server_config,
    session_from,
    talk,
)

LABEL = "EXPERIMENTAL-early"


def hkdf_label(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label of one block, written anew from RFC 8446 section 7.1."""
    info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label
    info += bytes([len(context)]) + context + b"\1"
    return hmac.new(secret, info, "sha256").digest()[:length]


def test_the_early_exporter_is_what_the_rfc_says() -> None:
    """Bound to the key and the ClientHello alone, on both sides, from the first early byte on."""
    config = early_config()
    session = session_from(config)
    tap = Tap()
    one, other = early_client(session, tap, data=b"early"), server(config=config)
    before = one.export(LABEL, b"context", 32, early=True)
    other.receive_data(one.data_to_send())
    assert any(isinstance(event, EarlyDataReceived) for event in other.events())
    assert other.export(LABEL, b"context", 32, early=True) == before
    with pytest.raises(UsageError, match="not complete"):
        other.export(LABEL, b"context")

    empty = hashlib.sha256().digest()
    early_secret = hmac.new(bytes(32), session.secret, "sha256").digest()
    hello = hashlib.sha256(bytes(tap.sent[0])).digest()  # type: ignore[arg-type]
    master = hkdf_label(early_secret, b"e exp master", hello, 32)
    derived = hkdf_label(master, LABEL.encode(), empty, 32)
    expected = hkdf_label(derived, b"exporter", hashlib.sha256(b"context").digest(), 32)
    assert before.reveal() == expected

    talk(one, other)
    assert one.export(LABEL, b"context", early=True) == before != one.export(LABEL, b"context")


def test_no_early_exporter_without_early_data() -> None:
    found = connected()
    for side in (found.client, found.server):
        with pytest.raises(UsageError) as refused:
            side.export(LABEL, early=True)
        assert refused.value.reason is Reason.NOT_CONNECTED


def test_refused_early_data_takes_its_exporter_along() -> None:
    config = early_config()
    one = early_client(session_from(config))
    assert one.export(LABEL, early=True)
    found = talk(one, server(config=server_config(ticket_issuer=config.issuer)))
    assert found.completed
    for side in (found.client, found.server):
        with pytest.raises(UsageError):
            side.export(LABEL, early=True)


def test_the_key_log_names_the_early_secrets() -> None:
    """RFC 9850 section 2.1: the labels of 0-RTT."""
    lines: list[str] = []
    config = early_config(keylog=lines.append)
    session = session_from(config)
    lines.clear()
    assert talk(early_client(session), server(config=config)).completed
    labels = [line.split()[0] for line in lines]
    assert labels[:2] == ["CLIENT_EARLY_TRAFFIC_SECRET", "EARLY_EXPORTER_SECRET"]


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_both_ends_bind_alike(policy: Policy) -> None:
    found = connected(client(policy=policy), server(policy=policy))
    kinds = ["tls-exporter", "tls-server-end-point"] + (["tls-unique"] if policy is TLS12 else [])
    values = set()
    for kind in kinds:
        value = found.client.channel_binding(kind)
        assert value == found.server.channel_binding(kind)
        values.add(value)
    assert len(values) == len(kinds)
    another = connected(client(policy=policy), server(policy=policy))
    assert another.client.channel_binding("tls-exporter") not in values
    assert another.client.channel_binding("tls-server-end-point") in values


def test_tls_unique_is_the_first_finished_of_a_resumption_too() -> None:
    """RFC 5929 section 3.1: the server finishes first there; with RFC 7627 that is safe."""
    config = server_config(TLS12)
    session = session_from(config)
    tap = Tap()
    found = connected(client(policy=TLS12, sessions=(session,)), server(tap, config=config))
    assert found.client.info.resumed
    finished = next(bytes(item)[4:] for item in tap.sent if isinstance(item, bytes) and item[0] == 20)
    assert found.client.channel_binding("tls-unique") == finished


@pytest.mark.parametrize("kind", ["tls-unique", "no-such-binding"])
def test_a_binding_that_does_not_exist_in_tls13(kind: str) -> None:
    with pytest.raises(UsageError) as refused:
        connected().client.channel_binding(kind)
    assert refused.value.reason is Reason.NO_SUCH_BINDING


def without_extended_master_secret(policy: Policy) -> tuple[object, object]:
    found = connected(
        client(extensions(ClientHello, {X.extended_master_secret: None}), policy=policy),
        server(policy=policy),
    )
    assert found.server.info.extended_master_secret is False
    return found.client, found.server


def test_nothing_is_bound_without_the_extended_master_secret() -> None:
    """The triple handshake: two connections could share it. Only a policy that says so gets it."""
    for side in without_extended_master_secret(RELAXED12):
        with pytest.raises(UsageError) as refused:
            side.export(LABEL)  # type: ignore[attr-defined]
        assert refused.value.reason is Reason.UNSAFE_EXPORT
        for kind, reason in (("tls-exporter", Reason.UNSAFE_EXPORT), ("tls-unique", Reason.NO_SUCH_BINDING)):
            with pytest.raises(UsageError) as refused:
                side.channel_binding(kind)  # type: ignore[attr-defined]
            assert refused.value.reason is reason
    named = RELAXED12.replace(legacy=RELAXED12.legacy | {"unsafe-bindings"})
    one, other = without_extended_master_secret(named)
    assert one.export(LABEL) == other.export(LABEL)  # type: ignore[attr-defined]
    assert one.channel_binding("tls-unique") == other.channel_binding("tls-unique")  # type: ignore[attr-defined]
