"""What happens while a connection runs and somebody looks, and what waits until somebody reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glass.handshakes import KINDS, seen
from pellucid import ClientConnection, FlightRecorder, ServerConnection
from pellucid.glass import trace as traces
from pellucid.glass.telling import KINDS as TOLD_KINDS
from pellucid.glass.telling import NAMES, told
from pellucid.glass.trace import Trace
from pellucid.trust import diagnosis
from support import House, pump


def refuse(*_: Any, **__: Any) -> Any:
    """Stands for words: nobody may ask for any."""
    raise AssertionError("a fact was put into words while the connection ran")


@pytest.mark.parametrize("observer", [Trace, FlightRecorder])
def test_no_word_is_made_while_a_connection_runs(
    house: House, monkeypatch: pytest.MonkeyPatch, observer: Callable[[], Any]
) -> None:
    """Neither a fact's fields nor a check of the chain: both come when somebody reads, and then once."""
    looking = observer()
    with monkeypatch.context() as patched:
        patched.setattr(traces, "told", refuse)
        patched.setattr(diagnosis, "examine", refuse)
        client = ClientConnection(house.client(observer=looking), "localhost")
        pump(client, ServerConnection(house.servers()))
    trace = looking if isinstance(looking, Trace) else looking.last
    checks = list(trace.of("check"))
    assert len(checks) > 10
    assert all(check.passed for check in checks)
    monkeypatch.setattr(traces, "told", refuse)
    assert list(trace.of("check")) == checks


def test_whoever_is_no_trace_is_told_in_words_at_once(house: House) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    class Listener:
        def open(self, role: str, name: str | None) -> Callable[..., None]:
            return lambda kind, **fields: heard.append((kind, fields))

    pump(ClientConnection(house.client(observer=Listener()), "localhost"), ServerConnection(house.servers()))
    kinds = {kind for kind, _ in heard}
    assert {"config", "call", "drawn", "record", "message", "secret", "keys", "decision", "check"} <= kinds
    for kind, fields in heard:
        assert set(fields) <= set(TOLD_KINDS[kind].split())


@pytest.mark.parametrize("kind", KINDS)
def test_times_never_run_back(house: House, kind: str) -> None:
    """A step behind a message has the message's time."""
    for trace in (seen(house, kind).client, seen(house, kind).server):
        times = [fact.at for fact in trace.facts]
        assert times == sorted(times)
        assert times[0] >= 0.0


def test_words_have_the_fields_of_their_kind() -> None:
    assert list(told(("alert", True, 2, 40))) == [("alert", {"sent": True, "level": 2, "description": 40})]
    assert list(told(("decision", "psk", range(2), (), 1, "the first"))) == [
        ("decision", {"what": "psk", "offered": (0, 1), "acceptable": (), "chosen": 1, "rule": "the first"})
    ]
    assert NAMES["secret"] == ("name", "value", "how", "inputs")


def test_of_endless_data_the_ends_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit a fact is kept, past it only how the connection ends."""
    monkeypatch.setattr(traces, "MOST", 10)
    trace = Trace()
    trace.open("client")
    record = ("record", True, 3, 23, b"\x17\x03\x03\0\0", b"")
    for _ in range(10):
        trace.keep_data(record)
    assert (len(trace.facts), trace.omitted) == (10, 0)
    trace.keep_data(record)
    trace.keep(("ccs", True))
    assert (len(trace.facts), trace.omitted) == (10, 2)
    trace.keep(("alert", True, 1, 0))
    trace.note("state", what="close_notify sent")
    assert [fact.kind for fact in trace.facts[10:]] == ["alert", "state"]
    assert trace.omitted == 2
