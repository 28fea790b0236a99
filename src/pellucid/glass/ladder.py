"""The two-column ladder: client on the left, server on the right, time downwards.

Drawn from a `Story` as lines of styled spans, so that a plain pipe, a terminal with colours and a
web page all show the same drawing. Nothing here knows TLS.

The columns: two for the step's number, the client's bar at column 3, the server's bar at the last
but one. What the client says or does hugs the left bar, what the server does hugs the right one,
what both do stands in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pellucid.glass.model import Arrow, Both, Box, Mark, Step, Story
from pellucid.glass.show import Row, lines_of, style_of
from pellucid.glass.text import to_ascii, wrap
from pellucid.glass.words import Change

#: A stretch of text and the name of its style.
Span = tuple[str, str]
Line = list[Span]

#: The styles' names, for whoever gives them colours.
STYLES = (
    "title", "client", "server", "both", "tells", "number", "bar", "clear", "sealed", "label", "value", "hex",
    "secret", "good", "bad", "skipped", "then", "now", "why", "quiet",
)  # fmt: skip

WIDTH = 80
_LABEL = 19
_CHECK = 26


def draw(story: Story, *, width: int = WIDTH, secrets: bool = False, ascii_only: bool = False) -> list[Line]:
    """The story as lines of (text, style) spans, none longer than `width` columns.

    Args:
        story: from `tell`.
        width: columns, at least 60.
        secrets: show keys whole.
        ascii_only: use no character beyond ASCII.
    """
    lines = list(_Ladder(max(width, 60), secrets).lines(story))
    if ascii_only:
        return [[(to_ascii(text), style) for text, style in line] for line in lines]
    return lines


def text_of(lines: Sequence[Line]) -> str:
    """The drawing as plain text."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


class _Ladder:
    def __init__(self, width: int, secrets: bool) -> None:
        self.width = width
        self.inner = width - 6  # between the bars
        self.secrets = secrets

    def lines(self, story: Story) -> Iterator[Line]:
        yield self._heads(story)
        for step in story.steps:
            yield self._rung([])
            yield from self._step(step)
        if story.ending:
            yield self._rung([])
            for item in story.ending:
                yield from self._item(item, 2)
        yield [("   ╵", "bar"), (" " * self.inner, ""), ("╵", "bar")]

    # -- frame ----------------------------------------------------------------------------------------

    def _heads(self, story: Story) -> Line:
        left, right = story.client.upper(), "SERVER"
        name = "" if story.server == "server" else story.server
        if len(name) > self.inner - 30:
            name = name[: self.inner - 31] + "…"
        gap = self.inner + 2 - len(left) - len(right) - (len(name) + 2 if name else 0)
        return [
            ("   ", ""),
            (left, "client"),
            (" " * gap, ""),
            (f"{name}  " if name else "", "quiet"),
            (right, "server"),
        ]

    def _rung(self, spans: Line, number: str = "") -> Line:
        """A line between the two bars."""
        used = sum(len(text) for text, _ in spans)
        pad = " " * max(self.inner - used, 0)
        return [(f"{number:>2} ", "number"), ("│", "bar"), *spans, (pad, ""), ("│", "bar")]

    def _block(self, texts: Sequence[str], who: str, style: str, number: str = "") -> Iterator[Line]:
        """Lines of text on the side of `who`."""
        widest = max(len(text) for text in texts)
        indent = {"client": 1, "server": self.inner - widest - 1}.get(who, (self.inner - widest) // 2)
        for text in texts:
            yield self._rung([(" " * indent, ""), (text, style)], number)
            number = ""

    # -- a step ---------------------------------------------------------------------------------------

    def _step(self, step: Step) -> Iterator[Line]:
        yield from self._block([step.title.upper()], step.who, step.who, str(step.number))
        yield from self._block(wrap(step.tells, min(58, self.inner - 4)), step.who, "tells")
        indent = self._server_indent(step)
        for item in step.items:
            yield from self._item(item, indent)
        for name, text in step.notes.items():
            yield from self._note(name, text)
        if step.change is not None:
            yield from self._change(step.change)

    def _note(self, name: str, text: str) -> Iterator[Line]:
        """A sentence more, under its label."""
        label = f"{name:<6}"
        for line in wrap(text, self.inner - 14) if text else ():
            yield self._rung([("    ", ""), (label, "label"), (line, "tells")])
            label = " " * 6

    def _server_indent(self, step: Step) -> int:
        """How far right the server's rows can stand: as far as the widest of the step allows."""
        room = self.inner - _LABEL - 4
        widest = 0
        for item in step.items:
            side = item.sender if isinstance(item, Arrow) else item.who
            if side != "server":
                continue
            for row in item.rows:
                if isinstance(row.value, Mark):
                    widest = max(widest, _CHECK + len(row.value.detail) - _LABEL)
                elif not isinstance(row.value, Both):
                    lines = lines_of(row.value, room, secrets=self.secrets)
                    widest = max(widest, *(len(line) for line in lines))
        return max(2, min(20, self.inner - _LABEL - widest - 2))

    def _item(self, item: Arrow | Box, indent: int) -> Iterator[Line]:
        if isinstance(item, Arrow):
            yield self._arrow(item)
            side = item.sender
        else:
            if item.text:
                yield from self._block(wrap(item.text, min(64, self.inner - 4)), item.who, "value")
            side = item.who
        left = indent if side == "server" else 2
        for row in item.rows:
            yield from self._row(row, left)

    def _arrow(self, arrow: Arrow) -> Line:
        """One line from bar to bar, with the message's name at its sender."""
        line, start, stop = ("═", "╞", "╡") if arrow.sealed else ("─", "├", "┤")
        style = "bad" if arrow.bad else "sealed" if arrow.sealed else "clear"
        how = "encrypted" if arrow.sealed else "in clear"
        size = f"{arrow.size:,} byte{'s' if arrow.size != 1 else ''}, {how}"
        gap = line * max(self.inner - len(arrow.name) - len(size) - 8, 1)
        name, size_span, shaft = (arrow.name, style), (size, "quiet"), (f" {gap} ", style)
        if arrow.sender == "client":
            bar, head, tail = (start, "bar"), (f"{line}{line} ", style), (f" {line}▶", style)
            return [("   ", ""), bar, head, name, shaft, size_span, tail, ("│", "bar")]
        bar, head, tail = (stop, "bar"), (f"◀{line} ", style), (f" {line}{line}", style)
        return [("   ", ""), ("│", "bar"), head, size_span, shaft, name, tail, bar]

    # -- rows -----------------------------------------------------------------------------------------

    def _row(self, row: Row, indent: int) -> Iterator[Line]:
        value = row.value
        if isinstance(value, Mark):
            yield from self._mark(row.label, value, indent)
        elif isinstance(value, Both):
            yield from self._both(row.label, value)
        else:
            room = self.inner - indent - _LABEL - 1
            label = row.label
            if len(label) >= _LABEL:  # a long name has a line of its own
                yield self._rung([(" " * indent, ""), (label, "label")])
                label = ""
            for text in lines_of(value, room, secrets=self.secrets):
                yield self._rung(
                    [(" " * indent, ""), (f"{label:<{_LABEL}}", "label"), (text, style_of(value))]
                )
                label = ""

    def _mark(self, label: str, mark: Mark, indent: int) -> Iterator[Line]:
        sign, style = {True: ("✓", "good"), False: ("✗", "bad"), None: ("–", "skipped")}[mark.passed]
        first = f"{label:<{_CHECK - 3}} "
        room = max(self.inner - indent - 2 - len(first) - 1, 20)
        for text in wrap(mark.detail, room):
            spans = [(" " * indent, ""), (f"{sign} ", style), (first, "label"), (text, "value")]
            yield self._rung(spans)
            sign, first = " ", " " * len(first)

    def _both(self, label: str, both: Both) -> Iterator[Line]:
        """The client's value on the left and the server's on the right; once if only one is known."""
        known = [value for value in both if value is not None]
        left = lines_of(known[0], 36, secrets=self.secrets)
        label = f"{label:<22}"
        if len(left) > 1:
            same = " = server's" if len(known) == 2 and known[0] == known[1] else ""
            for text in left:
                yield self._rung([("  ", ""), (label, "label"), (f"{text:<36}", "secret"), (same, "good")])
                label, same = " " * 22, ""
            return
        spans = [("  ", ""), (label, "label"), (f"{left[0]:<21}", "secret")]
        if len(known) == 2:
            right = lines_of(known[1], 36, secrets=self.secrets)[0]
            equal = known[0] == known[1]
            spans += [("= " if equal else "≠ ", "good" if equal else "bad"), (right, "secret")]
        yield self._rung(spans)

    def _change(self, change: Change) -> Iterator[Line]:
        """What was different in the textbook's handshake, and why it changed."""
        for name, text in change._asdict().items():
            label = f"{name:<6}"
            for line in wrap(text, self.inner - 14):
                yield self._rung([("    ", ""), (label, name), (line, name)])
                label = " " * 6
