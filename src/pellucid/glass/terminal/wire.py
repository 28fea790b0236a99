"""The wire on a terminal: each record as anybody sees it, and beside it what the ends see."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.glass.ladder import Line
from pellucid.glass.show import Said, lines_of, printable, style_of
from pellucid.glass.terminal.text import BLANK, hanging, heading, paragraph, sized
from pellucid.glass.text import wrap
from pellucid.glass.views.wire import Leak, Record, WireView

#: How many records are drawn; a long transfer has thousands.
_SHOWN = 60
_HEX = 10


def draw(view: WireView, width: int = 80, *, secrets: bool = False) -> Iterator[Line]:
    """Records, what is learned, what is hidden, and the leak."""
    left = width // 2 + 1
    yield [("ANYBODY ON THE WIRE SEES", "bad"), (" " * (left - 23), ""), ("THE TWO ENDS SEE", "good")]
    for record in view.records[:_SHOWN]:
        yield from _record(record, left, width)
    if len(view.records) > _SHOWN:
        yield from paragraph(f"... and {len(view.records) - _SHOWN} more records.", width, 2, "quiet")
    for title, entries in (("What an eavesdropper learns", view.learns), ("What stays hidden", view.hidden)):
        if entries:
            yield BLANK
            yield [(title, "title")]
        for entry in entries:
            yield from hanging([("  ", ""), (f"{entry.label:<22}", "label")], str(entry.value), width)
            yield from paragraph(entry.about, width, 24, "tells")
    yield BLANK
    yield from _leak(view.leak, width, secrets)


def _record(record: Record, left: int, width: int) -> Iterator[Line]:
    arrow = "▶" if record.sender == "client" else "◀"
    style = "clear" if record.legible else "sealed"
    head = f"{arrow} {record.type.replace('_', ' ')}, {sized(record.size)}"
    noise = record.wire[5 : 5 + _HEX].hex(" ") + (" …" if record.size > 5 + _HEX else "")
    outside = [(head, record.sender), (f"  {record.wire[:5].hex(' ')}", "hex")]
    outside.append((f"  {noise}", "hex" if record.legible else "quiet"))
    inside: list[tuple[str, str]] = []
    for part in record.inside:
        name = f"{part.name} (a part)" if part.part else part.name
        inside.append((name, style))
        if part.gist:
            inside += [(f"  {text}", "value") for text in wrap(part.gist, width - left - 4)][:3]
    if not inside:
        inside = [("(nothing whole)" if record.plaintext is None else "", "quiet")]
    for number in range(max(len(outside), len(inside))):
        text, colour = outside[number] if number < len(outside) else ("", "")
        line: Line = [(f"{text:<{left - 2}}", colour), ("│ ", "bar")]
        yield line + ([inside[number]] if number < len(inside) else [])
    yield [(" " * (left - 2), ""), ("│", "bar")]


def _leak(leak: Leak, width: int, secrets: bool) -> Iterator[Line]:
    yield heading("Next year the server's key leaks", "", width)
    sign, style = {True: ("✗ ", "bad"), False: ("✓ ", "good"), None: ("· ", "quiet")}[leak.opens]
    yield [("  ", ""), (sign, style), (leak.verdict, style)]
    yield from paragraph(leak.why, width, 4, "tells")
    for attempt in leak.tries:
        mark, colour = {True: ("▶ ", "bad"), False: ("✗ ", "good"), None: ("· ", "quiet")}[attempt.worked]
        yield from hanging([("    ", ""), (mark, colour)], attempt.text, width)
        if attempt.value is not None:
            for text in lines_of(attempt.value, width - 8, secrets=secrets):
                yield [(" " * 8, ""), (text, style_of(attempt.value))]
    for read in leak.read:
        what = read.type.replace("_", " ")
        if isinstance(read.plaintext, Said):
            yield from hanging(
                [("    ", ""), (f"{read.sender}: ", read.sender)], printable(read.plaintext), width, "bad"
            )
        else:
            yield [
                ("    ", ""),
                (f"{read.sender}: ", read.sender),
                (f"{what}, {sized(len(read.plaintext))}", "value"),
            ]
    if not leak.shown and leak.opens is not None:
        yield from paragraph(
            "The server's key is not at hand here, so this is said and not shown.", width, 4, "quiet"
        )
