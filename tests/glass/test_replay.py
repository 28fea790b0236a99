"""Traces run again: the same inputs give the same bytes and the same trace."""

from __future__ import annotations

import io

import pytest

from glass.handshakes import KINDS, QUESTION, seen
from pellucid import Reason, UsageError
from pellucid.glass.trace import Trace
from pellucid.replaying import Replay, replay, why_not
from pellucid.secret import Secret
from support import House


def through_a_file(trace: Trace, *, secrets: bool) -> Trace:
    file = io.StringIO()
    trace.write(file, secrets=secrets)
    file.seek(0)
    return Trace.read(file)


@pytest.mark.parametrize("kind", KINDS)
def test_a_replay_gives_the_identical_trace(house: House, kind: str) -> None:
    found = seen(house, kind)
    for trace in (found.client, found.server):
        again = replay(trace)
        assert again.identical, (trace.role, again.difference)
        assert again.steps == len(list(trace.of("call")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_replay_from_a_file(house: House, kind: str) -> None:
    """Nothing but the file is at hand: no private key, no ticket key, no authority."""
    found = seen(house, kind)
    for trace in (found.client, found.server):
        read = through_a_file(trace, secrets=True)
        assert list(read.lines(secrets=True)) == list(trace.lines(secrets=True))
        again = replay(read)
        assert again.identical, (trace.role, again.difference)


def test_without_secrets_a_trace_can_be_shown_and_not_run(house: House) -> None:
    read = through_a_file(seen(house, "1.3").client, secrets=False)
    assert "--show-secrets" in why_not(read)
    with pytest.raises(UsageError) as refused:
        replay(read)
    assert refused.value.reason is Reason.BAD_CONFIG


def test_a_changed_input_shows(house: House) -> None:
    """One bit of randomness, or of the peer's bytes, and the replay parts from the trace."""
    for what in ("random", "receive"):
        trace = through_a_file(seen(house, "1.3").client, secrets=True)
        fact = next(one for one in trace.of("drawn", "call") if one.fields["what"] == what)
        value = bytearray(bytes(memoryview(fact.fields["value"])))
        value[-1] ^= 1
        fact.fields["value"] = Secret(value) if what == "random" else bytes(value)
        again = replay(trace)
        assert not again.identical
        assert again.difference


def test_step_by_step(house: House) -> None:
    trace = seen(house, "1.3").client
    running = Replay(trace)
    grown = [len(running.trace.facts) for _ in running.steps()]
    assert grown == sorted(grown)
    assert grown[0] < grown[-1] == len(trace.facts)
    assert any(fact.fields["value"] == QUESTION for fact in running.trace.of("call"))
