"""The nine steps on a terminal: between two bars, with what each is for and what the wire shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pellucid.glass import model
from pellucid.glass.ladder import Line
from pellucid.glass.ladder import draw as draw_story
from pellucid.glass.show import Row
from pellucid.glass.terminal.text import BLANK, hanging, paragraph
from pellucid.glass.views.steps import Both, Change, Check, Done, Sent, Step, StepsView
from pellucid.glass.words import Change as Words


def draw(view: StepsView, width: int = 80, *, secrets: bool = False) -> Iterator[Line]:
    """The story, then its end."""
    yield [(view.title, "title")]
    for turn in view.turns:
        yield from hanging([("· ", "bar")], turn, width, "tells")
    yield BLANK
    yield from draw_story(story_of(view), width=width, secrets=secrets)
    if view.failure is not None:
        yield BLANK
        yield from hanging([("✗ ", "bad")], view.failure.what, width, "bad")
        yield from paragraph(view.failure.why, width, 2)
        yield from hanging([("  to do  ", "label")], view.failure.todo, width)


def story_of(view: StepsView) -> model.Story:
    """The view as the two-column drawing takes it."""
    steps = [_step(step) for step in view.steps]
    return model.Story(view.kind, steps, ending=[_item(item) for item in view.ending])


def _step(step: Step) -> model.Step:
    found = model.Step(step.number, step.who, step.title, step.happens)
    found.items = [_item(item) for item in step.items]
    found.notes = {"why": step.why, "wire": step.sees, "but": step.honest}
    found.change = _change(step.change)
    return found


def _change(change: Change | None) -> Words | None:
    return None if change is None else Words(change.then, change.now, change.why)


def _item(item: Sent | Done) -> model.Arrow | model.Box:
    rows = tuple(Row(entry.label, _value(entry.value)) for entry in item.entries)
    if isinstance(item, Sent):
        return model.Arrow(item.sender, item.name, item.size, item.sealed, rows, item.bad)
    return model.Box(item.who, item.text, rows)


def _value(value: Any) -> Any:
    if isinstance(value, Check):
        return model.Mark(value.passed, value.detail)
    return model.Both(value.client, value.server) if isinstance(value, Both) else value
