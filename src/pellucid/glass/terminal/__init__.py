"""The views on a terminal: lines of styled spans, for 80 columns, from the trees of `glass.views`.

    for line in draw("keys", VIEWS["keys"].build(trace)): ...

Whoever prints gives the styles colours (`cli.terminal`); `glass.ladder.text_of` makes plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pellucid.glass.ladder import Line
from pellucid.glass.terminal import bytes, keys, ladder, reasons, steps, trust, wire

DRAWINGS: dict[str, Callable[..., Iterator[Line]]] = {
    "ladder": ladder.draw,
    "bytes": bytes.draw,
    "keys": keys.draw,
    "reasons": reasons.draw,
    "trust": trust.draw,
    "steps": steps.draw,
    "wire": wire.draw,
}


def draw(name: str, view: Any, width: int = 80, *, secrets: bool = False) -> list[Line]:
    """A view as lines of (text, style) spans.

    Args:
        name: of the view, as in `VIEWS`.
        view: the tree that its `build` made.
        width: columns, at least 72.
        secrets: show keys whole.
    """
    return list(DRAWINGS[name](view, max(width, 72), secrets=secrets))
