"""Pieces that every drawing is made of: headings, paragraphs, columns, as lines of styled spans.

A span is (text, style name); the style names are `glass.ladder.STYLES`, and whoever prints gives
them colours. So a pipe, a terminal and a web page can show the same drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pellucid.glass.ladder import Line, Span
from pellucid.glass.show import lines_of, style_of
from pellucid.glass.text import wrap

BLANK: Line = [("", "")]
WIDTH = 80


def heading(title: str, right: str = "", width: int = WIDTH, style: str = "title") -> Line:
    """A title on the left, something quiet at the right end.

    >>> "".join(text for text, _ in heading("The keys", "RFC 8446 7.1", 30))
    'The keys          RFC 8446 7.1'
    """
    gap = max(width - len(title) - len(right), 1)
    return [(title, style), (" " * gap if right else "", ""), (right, "quiet")]


def rule(width: int = WIDTH) -> Line:
    """A line across."""
    return [("─" * width, "bar")]


def paragraph(text: str, width: int = WIDTH, indent: int = 0, style: str = "value") -> Iterator[Line]:
    """Words, wrapped; nothing for no words."""
    if text:
        for line in wrap(text, width - indent):
            yield [(" " * indent, ""), (line, style)]


def hanging(
    lead: Sequence[Span], text: str, width: int = WIDTH, style: str = "value", indent: int | None = None
) -> Iterator[Line]:
    """`lead`, then words that are wrapped behind it."""
    taken = sum(len(part) for part, _ in lead)
    left = taken if indent is None else indent
    first = wrap(text, max(width - taken, 12))
    rest = (
        first[1:] if left == taken else wrap(" ".join(first[1:]), max(width - left, 12)) if first[1:] else []
    )
    yield [*lead, (first[0], style)]
    for line in rest:
        yield [(" " * left, ""), (line, style)]


def pairs(
    rows: Sequence[tuple[str, Any]], width: int = WIDTH, indent: int = 2, *, secrets: bool = False
) -> Iterator[Line]:
    """Labels and values in two columns."""
    longest = max((len(label) for label, _ in rows), default=0) + 2
    for label, value in rows:
        for text in lines_of(value, width - indent - longest, secrets=secrets):
            yield [(" " * indent, ""), (f"{label:<{longest}}", "label"), (text, style_of(value))]
            label = ""


def sized(count: int) -> str:
    """A number of bytes.

    >>> sized(1), sized(1544)
    ('1 byte', '1,544 bytes')
    """
    return f"{count:,} byte{'s' if count != 1 else ''}"
