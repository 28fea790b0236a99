"""Every view of every kind of handshake, whole and cut off at any point, from either side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glass.handshakes import KINDS, QUESTION, REPLY, Seen, seen
from pellucid.glass.fields import Field
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS, to_json
from support import House


def until(trace: Trace, count: int) -> Trace:
    """The first `count` facts of a trace, as if it still grew."""
    cut = Trace()
    cut.role, cut.name, cut.started = trace.role, trace.name, trace.started
    cut.facts = trace.facts[:count]
    return cut


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_view_of_every_kind(house: House, kind: str, view: str) -> None:
    found = seen(house, kind)
    build = VIEWS[view].build
    for trace, other in ((found.client, found.server), (found.server, found.client)):
        for tree in (build(trace), build(trace, other), build(trace, other, found.key)):
            json.dumps(to_json(tree), allow_nan=False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_view_at_every_moment(house: House, kind: str) -> None:
    found = seen(house, kind)
    for trace in (found.client, found.server):
        for count in range(0, len(trace.facts), 3):
            for view in VIEWS.values():
                to_json(view.build(until(trace, count)))


def covered(field: Field) -> None:
    """The parts of a field cover it, byte by byte, in order; or there are none."""
    if not field.children:
        return
    at = field.start
    for child in field.children:
        assert child.start == at, f"{field.name}: {child.name} starts at {child.start}, not {at}"
        covered(child)
        at = child.end
    assert at == field.end, f"{field.name} ends at {field.end}, its parts at {at}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_belongs_to_a_named_field(house: House, kind: str) -> None:
    found = seen(house, kind)
    for trace in (found.client, found.server):
        for message in VIEWS["bytes"].build(trace).messages:
            assert (message.field.start, message.field.end) == (0, len(message.raw))
            covered(message.field)
            assert all(field.name for field in message.field.leaves())
            assert not message.note or message.kind == "data", (message.name, message.note)
            large = [
                f for f in message.field.leaves() if f.name in ("content", "extension_data", "unreadable")
            ]
            assert all(f.end - f.start <= 32 or message.kind == "data" for f in large if f.name != "content")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("failed")])
def test_the_views_point_at_the_same_crossings(house: House, kind: str) -> None:
    found = seen(house, kind)
    names = {message.id: message.name for message in VIEWS["bytes"].build(found.client).messages}
    ladder = VIEWS["ladder"].build(found.client)
    assert {item.id for item in ladder.items if hasattr(item, "id")} <= set(names)
    inside = {
        part.id: part.name for record in VIEWS["wire"].build(found.client).records for part in record.inside
    }
    assert inside == names, "each crossing is in a record, and in the right one"
    for step in VIEWS["steps"].build(found.client).steps:
        for item in step.items:
            assert not hasattr(item, "id") or names[item.id] == item.name


def plaintexts(seen_: Seen, trace: Trace) -> list[bytes]:
    leak = VIEWS["wire"].build(trace, None, seen_.key).leak
    return [bytes(read.plaintext) for read in leak.read]


@pytest.mark.parametrize("kind", ["static RSA", "static RSA with CBC"])
def test_a_leaked_key_opens_a_recording_of_static_rsa(house: House, kind: str) -> None:
    found = seen(house, kind)
    for trace in (found.client, found.server):
        leak = VIEWS["wire"].build(trace, None, found.key).leak
        assert leak.opens
        assert leak.shown
        assert {QUESTION, REPLY} <= set(plaintexts(found, trace))
        other = house.authority.issue("localhost", key="rsa-2048")
        assert not VIEWS["wire"].build(trace, None, other).leak.read, "another key opens nothing"


@pytest.mark.parametrize(
    "kind", ["ECDHE 1.2", "ECDHE 1.2 RSA", "1.3", "1.3 RSA", "1.3 Ed25519", "HelloRetryRequest"]
)
def test_a_leaked_key_opens_no_ephemeral_key_exchange(house: House, kind: str) -> None:
    found = seen(house, kind)
    for trace in (found.client, found.server):
        leak = VIEWS["wire"].build(trace, None, found.key).leak
        assert leak.opens is False
        assert leak.shown
        assert not leak.read
        assert leak.tries[-1].worked is False


def tree_names(keys: Any) -> set[str]:
    found = {keys.name}
    for child in keys.children:
        found |= tree_names(child)
    return found


def test_the_tree_of_keys(house: House) -> None:
    view = VIEWS["keys"].build(seen(house, "1.3").client)
    names = set().union(*(tree_names(root) for root in view.roots))
    assert {
        "shared secret",
        "handshake secret",
        "client handshake traffic secret",
        "server write key",
    } <= names
    view = VIEWS["keys"].build(seen(house, "static RSA").client)
    (root,) = view.roots
    assert root.name == "pre master secret"
    assert {"master secret", "key block", "client write key", "server write IV"} <= tree_names(root)


def test_both_ends_made_the_same_keys(house: House) -> None:
    for kind in ("static RSA", "ECDHE 1.2", "1.3", "resumed 1.3", "0-RTT"):
        found = seen(house, kind)
        pending = list(VIEWS["keys"].build(found.client, found.server).roots)
        compared = 0
        while pending:
            key = pending.pop()
            pending.extend(key.children)
            if key.other is not None:
                assert key.value == key.other, key.name
                compared += 1
        assert compared >= 5


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("static RSA", "RSA"),
        ("ECDHE 1.2", "ECDHE"),
        ("1.3", "any"),
        ("resumed 1.3", "resumed13"),
        ("resumed 1.2", "resumed12"),
        ("0-RTT", "resumed13"),
        ("PSK 1.3", "psk13"),
        ("PSK 1.2", "PSK"),
        ("ECDHE_PSK 1.2", "ECDHE_PSK"),
    ],
)
def test_the_story_is_of_the_handshake_at_hand(house: House, kind: str, told: str) -> None:
    for trace in (seen(house, kind).client, seen(house, kind).server):
        view = VIEWS["steps"].build(trace)
        assert view.kind == told
        assert all(step.happens and step.why and step.sees for step in view.steps)


def test_what_is_special_is_said(house: House) -> None:
    def told(kind: str) -> str:
        return " ".join(VIEWS["steps"].build(seen(house, kind).client).turns)

    assert "HelloRetryRequest" in told("HelloRetryRequest")
    assert "The server took it." in told("0-RTT")
    assert "had to be sent again" in told("0-RTT refused")
    assert "psk_ke" in told("resumed 1.3 without a key exchange")
    assert "showed a certificate, encrypted" in told("client certificate 1.3")
    assert "showed a certificate, in clear" in told("client certificate 1.2")
    assert "compressed" in told("compressed certificate")
    assert told("ECDHE 1.2") == ""


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("failed: expired", 3),
        ("failed: wrong name", 3),
        ("failed: unknown authority", 3),
        ("failed: version", 1),
        ("failed: no shared suite", 1),
        ("failed: ALPN", 1),
        ("failed: binder", 1),
        ("failed: no certificate", 7),
        ("1.3", 9),
        ("static RSA", 9),
    ],
)
def test_an_alert_stands_where_it_ended_the_handshake(house: House, kind: str, step: int) -> None:
    for trace in (seen(house, kind).client, seen(house, kind).server):
        alerts = [one for one in VIEWS["ladder"].build(trace).items if getattr(one, "kind", "") == "alert"]
        assert {one.step for one in alerts} == {step}


def test_without_data_no_view_quotes_it(house: House) -> None:
    for kind in ("1.3", "static RSA", "0-RTT"):
        found = seen(house, kind)
        for name, view in VIEWS.items():
            tree = view.build(found.client, found.server)  # without a key that leaks
            text = json.dumps(to_json(tree, data=False))
            assert "else read this" not in text, name
            assert "Nobody but you" not in text, name
            assert "buy one" not in text, name
        assert "else read this" in json.dumps(to_json(VIEWS["ladder"].build(found.client)))


def test_a_server_tells_which_name_was_asked_for(house: House) -> None:
    found = seen(house, "1.3")
    assert found.server.name is None
    assert VIEWS["ladder"].build(found.server).server == "localhost"
    assert VIEWS["ladder"].build(seen(house, "PSK 1.2").server).server in ("localhost", "server")


@pytest.mark.parametrize(
    ("kind", "label", "value"),
    [
        ("1.3", "group", "X25519MLKEM768"),
        ("ECDHE 1.2", "group", "x25519"),
        ("static RSA", "key exchange", "RSA, under the certificate's key (no forward secrecy)"),
        ("resumed 1.3", "key exchange", "pre-shared key, X25519MLKEM768"),
        ("resumed 1.3 without a key exchange", "key exchange", "pre-shared key"),
        ("resumed 1.2", "key exchange", "none: the earlier session's master secret"),
        ("PSK 1.2", "key exchange", "pre-shared key"),
        ("ECDHE_PSK 1.2", "key exchange", "pre-shared key, x25519"),
    ],
)
def test_where_the_keys_come_from(house: House, kind: str, label: str, value: str) -> None:
    for trace in (seen(house, kind).client, seen(house, kind).server):
        summary = {one.label: one.value for one in VIEWS["ladder"].build(trace).summary}
        assert summary[label] == value


def words(house: House, kind: str, number: int) -> str:
    """All that a step says."""
    view = VIEWS["steps"].build(seen(house, kind).client, seen(house, kind).server)
    step = next(one for one in view.steps if one.number == number)
    boxes = [getattr(item, "text", "") for item in step.items]
    return " ".join([step.happens, step.why, step.sees, step.honest, *boxes])


def test_the_story_says_nothing_that_did_not_happen(house: House) -> None:
    for kind in ("resumed 1.2", "resumed 1.3", "PSK 1.3", "0-RTT"):
        assert "never met" not in words(house, kind, 1)
    for kind in ("PSK 1.2", "ECDHE_PSK 1.2"):
        assert "shows its certificate" not in words(house, kind, 2)
    assert "fresh public key" not in words(house, "PSK 1.2", 4)
    for kind in ("resumed 1.3", "PSK 1.3"):
        assert "certificate" not in words(house, kind, 8)
    assert "ticket" not in words(house, "PSK 1.3", 1)
    assert "earlier session's master secret" in words(house, "resumed 1.2", 6)
    assert "encapsulated" in words(house, "1.3", 5)
    assert "encapsulated" not in words(house, "1.3 X25519 only", 5)
    assert "its certificate goes in clear" in words(house, "client certificate 1.2", 4)
    assert "its certificate goes in clear" not in words(house, "ECDHE 1.2", 4)
    assert "46 random ones" in words(house, "static RSA", 4)
    changes = [
        one.change for one in VIEWS["steps"].build(seen(house, "ECDHE 1.2").client).steps if one.change
    ]
    assert not any("no pre-master secret" in change.now for change in changes)


def test_the_server_proves_that_it_holds_its_key(house: House) -> None:
    for kind, signed in {"1.3": "every message so far", "ECDHE 1.2": "the randoms and its fresh key"}.items():
        step = next(one for one in VIEWS["steps"].build(seen(house, kind).client).steps if one.number == 3)
        marks = [
            entry.value for item in step.items for entry in item.entries if entry.label == "proof of the key"
        ]
        assert [mark.passed for mark in marks] == [True]
        assert signed in marks[0].detail
    rsa = next(one for one in VIEWS["steps"].build(seen(house, "static RSA").client).steps if one.number == 3)
    assert not any(entry.label == "proof of the key" for item in rsa.items for entry in item.entries)


def test_early_data_stands_where_it_was_sent(house: House) -> None:
    step = VIEWS["steps"].build(seen(house, "0-RTT refused").client).steps[0]
    assert [item.name for item in step.items] == [
        "ClientHello",
        "early data",
        "HelloRetryRequest",
        "ClientHello",
    ]
