"""The ladder: who said what to whom, in order, one line for each message.

RFC 8446 figure 1, RFC 5246 figure 1. Between the messages stand the moments at which keys changed, and
the end. The nine steps (`steps`) tell the same in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pellucid.glass import gist
from pellucid.glass.crossings import Crossing, crossings, steps_of
from pellucid.glass.decode import Reader
from pellucid.glass.failure import Failure
from pellucid.glass.story import tell
from pellucid.glass.trace import Fact, Trace
from pellucid.glass.views.common import Entry, other_end


@dataclass(frozen=True, slots=True)
class Arrow:
    """Something that crossed the wire.

    `id` is the same in every view; `step` one of the nine; `gist` the point of it in a few words;
    `flight` counts up each time the other side begins to speak; `count` is more than 1 where
    neighbours of the same kind (records of data) were joined.
    """

    id: str
    at: float
    sender: str
    kind: str
    name: str
    size: int
    epoch: int
    sealed: bool
    bad: bool
    step: int
    flight: int
    gist: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that a side did by itself. `what` is "keys", "check", "state" or "error"."""

    at: float
    who: str
    what: str
    text: str
    good: bool | None = None


@dataclass(frozen=True, slots=True)
class LadderView:
    """The whole ladder, with the few lines that answer most questions on top."""

    title: str
    client: str
    server: str
    summary: tuple[Entry, ...]
    items: tuple[Arrow | Moment, ...]
    failure: Failure | None
    failed_by: str


_EPOCHS = {1: "the early data's keys", 2: "the handshake's keys", 3: "the data's keys"}


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> LadderView:
    """The ladder of a trace: its order of events; the other end's trace adds what only it knows."""
    reader = Reader(trace)
    client, server = other_end(trace, other)
    story = tell(client, server) if trace.role else None
    items = sorted(_items(trace, reader), key=lambda item: item.at)
    return LadderView(
        story.title if story else "",
        "client",
        reader.asked or "server",
        tuple(Entry(row.label, row.value) for row in story.summary) if story else (),
        tuple(items),
        story.failure if story else None,
        story.failed_by if story else "",
    )


def _items(trace: Trace, reader: Reader) -> Iterator[Arrow | Moment]:
    flight, last = 0, ""
    joined: Arrow | None = None
    found = crossings(trace, reader)
    steps = steps_of(found, reader.version)
    for crossing in found:
        if crossing.sender != last:
            flight, last = flight + 1, crossing.sender
        arrow = _arrow(crossing, reader, flight, steps[crossing.id])
        if (
            joined is not None
            and crossing.kind == "data"
            and (joined.flight, joined.name) == (flight, arrow.name)
        ):
            joined = _join(joined, arrow)
            continue
        if joined is not None:
            yield joined
        joined = arrow
    if joined is not None:
        yield joined
    yield from _moments(trace, reader)


def _arrow(crossing: Crossing, reader: Reader, flight: int, step: int) -> Arrow:
    said = gist.of(reader, crossing)
    return Arrow(
        crossing.id, crossing.at, crossing.sender, crossing.kind, crossing.name, crossing.size,
        crossing.epoch, crossing.sealed, crossing.bad, step, flight, said,
    )  # fmt: skip


def _join(first: Arrow, more: Arrow) -> Arrow:
    return replace(first, size=first.size + more.size, count=first.count + 1, gist="")


def _moments(trace: Trace, reader: Reader) -> Iterator[Moment]:
    checks: list[Fact] = []
    for fact in trace.of("keys", "check", "state", "error"):
        fields = fact.fields
        if fact.kind == "check":
            checks.append(fact)
            continue
        if fact.kind == "keys":
            yield Moment(fact.at, trace.role, "keys", _keys(fact, reader))
        elif fact.kind == "state" and fields["what"] == "handshake complete":
            yield Moment(fact.at, trace.role, "state", "The handshake is complete.", True)
        elif fact.kind == "error":
            reason = fields["reason"]
            text = str(getattr(reason, "sentence", reason))
            yield Moment(fact.at, trace.role, "error", text, False)
    if checks:
        failed = [str(fact.fields["what"]) for fact in checks if not fact.fields["passed"]]
        text = (
            f"Certificate refused, for its {failed[0]}."
            if failed
            else f"Certificate believed: {len(checks)} checks."
        )
        if failed and all(fact.fields.get("detail") == "not checked" for fact in checks):
            yield Moment(checks[-1].at, trace.role, "check", "Certificate not checked.", None)
            return
        yield Moment(checks[-1].at, trace.role, "check", text, not failed)


def _keys(fact: Fact, reader: Reader) -> str:
    does, epoch = "writes" if fact.fields["sent"] else "reads", fact.fields["epoch"]
    if reader.version == 0x0303:
        return f"From here on it {does} with the session's keys."
    return f"From here on it {does} with {_EPOCHS.get(epoch, f'the keys of update {epoch - 3}')}."
