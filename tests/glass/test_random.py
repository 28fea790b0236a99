"""Two hundred traces that nobody thought of: every view of every one of them is drawn without error."""

from __future__ import annotations

import json
import random

import pytest

from glass.handshakes import KINDS, seen
from pellucid.glass import terminal
from pellucid.glass.trace import Fact, Hidden, Trace
from pellucid.glass.views import VIEWS, to_json
from pellucid.secret import Secret
from support import House


def changed(rng: random.Random, trace: Trace) -> Trace:
    """A trace with bytes flipped, messages cut, facts left out, doubled or withheld."""
    found = Trace()
    found.role, found.name, found.started = trace.role, trace.name, trace.started
    for fact in trace.facts:
        fate = rng.random()
        if fate < 0.04:
            continue
        fields = {name: _changed(rng, value) for name, value in fact.fields.items()}
        found.facts.append(Fact(fact.at, fact.kind, fields))
        if fate > 0.97:
            found.facts.append(Fact(fact.at, fact.kind, dict(fact.fields)))
    return found


def _changed(rng: random.Random, value: object) -> object:
    if isinstance(value, Secret):
        return Hidden(len(value)) if rng.random() < 0.1 else value
    if isinstance(value, bytes) and len(value) > 6 and rng.random() < 0.15:
        data = bytearray(value)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(5, len(data))] = rng.randrange(256)
        return bytes(data[: rng.randint(6, len(data))] if rng.random() < 0.3 else data)
    return value


@pytest.mark.parametrize("seed", range(200))
def test_any_trace_is_shown_in_every_view(house: House, seed: int) -> None:
    rng = random.Random(seed)
    kind = list(KINDS)[seed % len(KINDS)]
    found = seen(house, kind)
    pair = (found.client, found.server) if rng.random() < 0.5 else (found.server, found.client)
    trace = changed(rng, pair[0])
    other = changed(rng, pair[1]) if rng.random() < 0.5 else None
    key = found.key if rng.random() < 0.5 else None
    width = rng.randint(72, 120)
    for name, view in VIEWS.items():
        tree = view.build(trace, other, key)
        json.dumps(to_json(tree))
        for line in terminal.draw(name, tree, width):
            assert sum(len(text) for text, _ in line) <= width, (name, "".join(text for text, _ in line))


SERIAL = bytes.fromhex("a003020102")  # the version; the serial number stands behind it


@pytest.mark.parametrize("kind", ["ECDHE 1.2", "1.3", "failed: unknown authority"])
def test_a_certificate_that_the_library_warns_of_is_shown_or_not_and_no_fault(
    house: House, kind: str
) -> None:
    """A serial number below zero: `cryptography` warns, and warnings are errors for some (and here)."""
    found = Trace()
    trace = seen(house, kind).client
    found.role, found.name, found.started = trace.role, trace.name, trace.started
    changes = 0
    for fact in trace.facts:
        fields = dict(fact.fields)
        for name, value in fields.items():
            if isinstance(value, bytes) and (at := value.find(SERIAL)) >= 0:
                behind = at + len(SERIAL) + 2  # its tag and its length
                fields[name] = value[:behind] + bytes((value[behind] | 0x80,)) + value[behind + 1 :]
                changes += 1
        found.facts.append(Fact(fact.at, fact.kind, fields))
    assert changes
    for view in VIEWS.values():
        to_json(view.build(found))
