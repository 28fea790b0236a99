"""The reasons on a terminal: each choice with what could have been chosen, and why it was not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pellucid.glass.ladder import Line
from pellucid.glass.terminal.text import BLANK, hanging, heading, paragraph
from pellucid.glass.text import wrap
from pellucid.glass.views.reasons import Decision, Option, ReasonsView

#: Rules that say themselves whose choice it was.
_SPEAKS = re.compile(r"the (server|client|signer)\b")


def draw(view: ReasonsView, width: int = 80, *, secrets: bool = False) -> Iterator[Line]:
    """Every decision."""
    if not view.decisions:
        yield from paragraph("Nothing was decided: the handshake ended before.", width)
    for number, decision in enumerate(view.decisions):
        if number:
            yield BLANK
        yield from _decision(decision, width)


def _decision(decision: Decision, width: int) -> Iterator[Line]:
    yield heading(decision.question, decision.section, width)
    yield from paragraph(decision.about, width, 2, "tells")
    rule = f"the {decision.who}: {decision.rule}" if _SPEAKS.match(decision.rule) is None else decision.rule
    chosen: Line = [("  ▶ ", decision.who), (decision.chosen, "good")]
    if sum(len(text) for text, _ in chosen) + len(rule) + 2 <= width:
        yield [*chosen, (f"  {rule}", "label")]
    else:
        yield chosen
        yield from paragraph(rule, width, 6, "label")
    if len(decision.options) < 2:
        yield from _lists(decision, width)
    others = [option for option in decision.options if not option.chosen]
    if others:
        longest = min(max(len(option.name) for option in others), 40)
        for why, group in _grouped(others):
            yield from _group(group, why, longest, width)
    yield from paragraph(decision.unknown, width, 4, "quiet")


def _lists(decision: Decision, width: int) -> Iterator[Line]:
    """What was offered and acceptable, where no options say so."""
    for label, names in (("offered", decision.offered), ("acceptable", decision.acceptable)):
        if names is not None:
            line: Line = [("    ", ""), (f"{label:<12}", "label")]
            yield from hanging(line, ", ".join(names) or "nothing", width, "value")


def _grouped(options: list[Option]) -> list[tuple[str, list[Option]]]:
    """Options that were left for the same reason stand together."""
    found: dict[str, list[Option]] = {}
    for option in options:
        found.setdefault(option.why, []).append(option)
    return list(found.items())


def _group(options: list[Option], why: str, longest: int, width: int) -> Iterator[Line]:
    names = [option.name for option in options]
    offered = all(option.offered is not False and option.acceptable is not False for option in options)
    sign, style = ("· ", "quiet") if offered else ("✗ ", "bad")
    if len(names) == 1:
        yield from hanging(
            [("    ", ""), (sign, style), (f"{names[0]:<{longest}}  ", "value")], why, width, "label"
        )
        return
    yield [("    ", ""), (sign, style), (f"{why}:", "label")]
    for line in wrap(", ".join(names), width - 8):
        yield [(" " * 8, ""), (line, "value")]
