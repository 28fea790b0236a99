"""The ladder on a terminal: client on the left, server on the right, time downwards.

A double line is an encrypted message. What a side does by itself stands at its own bar.
"""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.glass.ladder import Line
from pellucid.glass.terminal.text import BLANK, pairs, sized
from pellucid.glass.text import wrap
from pellucid.glass.views.common import milliseconds
from pellucid.glass.views.ladder import Arrow, LadderView, Moment

_MARGIN = 8  # the column of times


def draw(view: LadderView, width: int = 80, *, secrets: bool = False) -> Iterator[Line]:
    """The ladder as lines."""
    yield from _Ladder(width).lines(view)
    if view.summary:
        yield BLANK
        yield from pairs([(row.label, row.value) for row in view.summary], width, secrets=secrets)


class _Ladder:
    def __init__(self, width: int) -> None:
        self.inner = width - _MARGIN - 4

    def lines(self, view: LadderView) -> Iterator[Line]:
        right = view.server if len(view.server) < self.inner - 20 else "server"
        gap = self.inner + 4 - len("CLIENT") - len(right)
        yield [(" " * _MARGIN, ""), ("CLIENT", "client"), (" " * gap, ""), (right, "server")]
        flight, told = 0, ""
        for item in view.items:
            if isinstance(item, Moment):
                yield from self._moment(item)
                continue
            if flight and item.flight != flight:
                yield self._rung("", "")
            flight = item.flight
            time = milliseconds(item.at)
            yield self._arrow(item, "" if time == told else time)
            told = time
            if item.gist:
                yield from self._said(item)
        yield self._rung("", "")

    def _rung(self, text: str, style: str, who: str = "client") -> Line:
        pad = " " * (self.inner - len(text) - 1)
        middle = [(" ", ""), (text, style), (pad, "")]
        middle = middle if who == "client" else middle[::-1]
        return [(" " * _MARGIN, ""), (" │", "bar"), *middle, ("│", "bar")]

    def _arrow(self, arrow: Arrow, time: str) -> Line:
        line, left, right = ("═", "╞", "╡") if arrow.sealed else ("─", "├", "┤")
        style = "bad" if arrow.bad else "sealed" if arrow.sealed else "clear"
        name = f" {arrow.name} " if arrow.count == 1 else f" {arrow.count} × {arrow.name} "
        size = f" {sized(arrow.size)} "
        shaft = line * max(self.inner - len(name) - len(size) - 5, 1)
        margin = (f"{time:>{_MARGIN - 1}} ", "quiet")
        told, pen = (size, "quiet"), (line * 2, style)
        if arrow.sender == "client":
            drawn = [pen, (name, style), (shaft, style), told, (f"{line * 2}▶", style)]
            return [margin, (f" {left}", "bar"), *drawn, ("│", "bar")]
        drawn = [(f"◀{line * 2}", style), told, (shaft, style), (name, style), pen]
        return [margin, (" │", "bar"), *drawn, (right, "bar")]

    def _said(self, arrow: Arrow) -> Iterator[Line]:
        for text in wrap(arrow.gist, self.inner - 8):
            padded = f"  {text}" if arrow.sender == "client" else f"{text}  "
            yield self._rung(padded, "value", arrow.sender)

    def _moment(self, moment: Moment) -> Iterator[Line]:
        sign = {True: "✓ ", False: "✗ ", None: "· "}[moment.good]
        style = {True: "good", False: "bad", None: "quiet"}[moment.good]
        for text in wrap(moment.text, self.inner - 6):
            yield self._rung(f"{sign}{text}", style, moment.who)
            sign = "  "
