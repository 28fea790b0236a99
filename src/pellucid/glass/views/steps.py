"""The nine steps: the plain-language story of the handshake at hand.

RFC 5246 section 7.3, RFC 8446 section 2. For each step what happens, why it is needed, and what an
eavesdropper sees of it; with the messages and values of this very connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.glass import lore, model, turns
from pellucid.glass.crossings import crossings
from pellucid.glass.decode import Reader
from pellucid.glass.failure import Failure
from pellucid.glass.story import tell
from pellucid.glass.trace import Trace
from pellucid.glass.views.common import Entry, other_end


@dataclass(frozen=True, slots=True)
class Check:
    """A check that a side made: passed, failed, or (None) not made."""

    what: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Both:
    """A value that each side computed for itself; None where that side's trace is not at hand."""

    client: Any
    server: Any


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of the step. `id` is its crossing, the same in every view; "" where several were joined."""

    id: str
    sender: str
    name: str
    size: int
    sealed: bool
    bad: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What a side ("client", "server", "both") does by itself, with the values that it did it with.

    An entry's value may be a `Check`, a `Both`, bytes, a secret, text, or a tuple of these.
    """

    who: str
    text: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """How a step differs from the textbook's handshake with static RSA, and why."""

    then: str
    now: str
    why: str


@dataclass(frozen=True, slots=True)
class Step:
    """One of the nine steps, as this handshake took it. They stand in the order in which they happened."""

    number: int
    who: str
    title: str
    happens: str
    why: str
    sees: str
    items: tuple[Sent | Done, ...]
    honest: str
    change: Change | None


@dataclass(frozen=True, slots=True)
class StepsView:
    """The story. `turns` are sentences on what makes this handshake special (a retry, 0-RTT ...)."""

    kind: str
    title: str
    turns: tuple[str, ...]
    steps: tuple[Step, ...]
    ending: tuple[Sent | Done, ...]
    failure: Failure | None
    failed_by: str


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> StepsView:
    """The story of a trace; with the other end's trace each side's own secrets stand side by side."""
    client, server = other_end(trace, other)
    story = tell(client, server, beside_rsa=True)
    ids = _ids(client or trace)
    steps = tuple(_step(story, step, ids) for step in story.steps)
    ending = tuple(_item(item, 10, ids) for item in story.ending)
    told = tuple(turns.of(client or trace))
    return StepsView(story.kind, story.title, told, steps, ending, story.failure, story.failed_by)


def _ids(trace: Trace) -> dict[tuple[str, str], list[str]]:
    """The crossings by sender and name, in order: the story's arrows are found in them."""
    found: dict[tuple[str, str], list[str]] = {}
    reader = Reader(trace)
    for crossing in crossings(trace, reader):
        found.setdefault((crossing.sender, crossing.name), []).append(crossing.id)
    return found


def _step(story: model.Story, step: model.Step, ids: dict[tuple[str, str], list[str]]) -> Step:
    change = Change(*step.change) if step.change is not None else None
    return Step(
        step.number, step.who, step.title, step.tells, lore.WHY[story.kind].get(step.number, ""),
        _sees(story, step),
        tuple(_item(item, step.number, ids) for item in step.items),
        turns.HONEST.get(story.kind, {}).get(step.number, ""), change,
    )  # fmt: skip


def _sees(story: model.Story, step: model.Step) -> str:
    """What an eavesdropper sees, with the client's certificate if it went in clear."""
    sees = lore.SEES[story.kind].get(step.number, "")
    shown = any(
        item.sender == "client" and item.name == "Certificate" and not item.sealed and len(item.rows) > 1
        for item in step.items
        if isinstance(item, model.Arrow)
    )
    return f"{sees} And who the client is: its certificate goes in clear." if shown else sees


def _item(item: model.Arrow | model.Box, number: int, ids: dict[tuple[str, str], list[str]]) -> Sent | Done:
    entries = tuple(Entry(row.label, _value(row.label, row.value)) for row in item.rows)
    if isinstance(item, model.Box):
        return Done(item.who, item.text, entries)
    waiting = ids.get((item.sender, item.name), [])
    name = waiting.pop(0) if waiting else ""
    return Sent(name, item.sender, item.name, item.size, item.sealed, item.bad, entries)


def _value(label: str, value: Any) -> Any:
    if isinstance(value, model.Mark):
        return Check(label, value.passed, value.detail)
    if isinstance(value, model.Both):
        return Both(value.client, value.server)
    return value
