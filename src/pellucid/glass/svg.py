"""The ladder as an SVG picture that stands by itself: for a README, a slide, a report.

The same drawing as the page's: client left, server right, a line for each message, double and green
where it is encrypted, single and amber where anybody can read it. It follows the reader's light or dark
setting, loads nothing and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from pellucid.glass.text import wrap
from pellucid.glass.trace import Trace
from pellucid.glass.views import ladder
from pellucid.glass.views.ladder import Arrow, LadderView, Moment

WIDTH = 760
_LEFT, _RIGHT = 64, 724  # where the two lifelines are
_INDENT = 14
_ROOM = _RIGHT - _LEFT - 40
_SMALL = 6.1  # pixels that a small character takes, about
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE = """
svg { color-scheme: light dark; }
.paper { fill: #faf9f6; } .line { stroke: #d9d5ca; stroke-width: 2; }
.ink { fill: #1e2026; } .quiet { fill: #5a5f6a; }
.client { fill: #175a9e; } .server { fill: #83368f; } .good { fill: #1a6b45; } .bad { fill: #ad2219; }
.clear { fill: #8a4f00; } .sealed { fill: #1a6b45; }
path.clear { stroke: #8a4f00; } path.sealed { stroke: #1a6b45; } path.bad { stroke: #ad2219; }
path.shaft { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
.paper { fill: #14161b; } .line { stroke: #3a3f4a; } .ink { fill: #e8e5dd; } .quiet { fill: #a2a7b3; }
.client { fill: #82b8f2; } .server { fill: #d8a2e4; } .good { fill: #74cfa2; } .bad { fill: #ff9a90; }
.clear { fill: #e3b468; } .sealed { fill: #74cfa2; }
path.clear { stroke: #e3b468; } path.sealed { stroke: #74cfa2; } path.bad { stroke: #ff9a90; }
}
text { font: 14px Inter, "Segoe UI", system-ui, -apple-system, "Helvetica Neue", Arial, sans-serif; }
.title { font: 600 22px "Iowan Old Style", Charter, Palatino, Georgia, serif; }
.head { font: 600 16px "Iowan Old Style", Charter, Palatino, Georgia, serif; }
.name { font-weight: 600; } .small { font-size: 12px; } .number { font: 600 15px Georgia, serif; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
"""


def draw(trace: Trace, other: Trace | None = None, *, title: str = "") -> str:
    """The ladder of a trace as an SVG document.

        Parameters:
            trace: of either end.
            other: the other end's, where it is at hand.
            title: the heading; by default what the ladder calls it.

    >>> from pellucid.glass.trace import Trace
    >>> trace = Trace(); note = trace.open("client", "<example>")
    >>> picture = draw(trace)
    >>> "<example>" in picture, "&lt;example&gt;" in picture
    (False, True)
    """
    return of_view(ladder.build(trace, other), title=title)


def of_view(view: LadderView, *, title: str = "") -> str:
    """The picture of a ladder view."""
    heading = title or view.title
    rows = list(_rows(view))
    top = 96
    y = top
    drawn = []
    for height, lines in rows:
        drawn.append(f'<g transform="translate(0 {y})">{"".join(lines)}</g>')
        y += height
    bottom = y + 10
    ends = list(_failure(view, bottom))
    height = bottom + 24 + 20 * len(ends)
    said = " ".join(f"{entry.label}: {entry.value}." for entry in view.summary)
    size = f'width="{WIDTH}" height="{height}"'
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {size} role="img"',
            f' aria-labelledby="title desc"><title id="title">{_text(heading)}</title>',
            f'<desc id="desc">{_text(said)}</desc><style>{_STYLE}</style>',
            f'<rect class="paper" {size} rx="10"/>',
            _line("title ink", _LEFT, 42, heading),
            _line("head client", _LEFT, 78, "Client"),
            _line("small quiet middle", (_LEFT + _RIGHT) // 2, 78, view.server, 380),
            _line("head server end", _RIGHT, 78, "Server"),
            f'<path class="line" d="M{_LEFT} {top - 8}V{bottom}M{_RIGHT} {top - 8}V{bottom}"/>',
            *drawn,
            *ends,
            "</svg>\n",
        ]
    )


def _rows(view: LadderView) -> Iterator[tuple[int, list[str]]]:
    """(height, elements) of each line."""
    last = 0
    for item in view.items:
        if isinstance(item, Moment):
            yield 24, list(_moment(item))
            continue
        dummy = (
            item.kind == "ccs" and item.step == 2
        )  # TLS 1.3's, for old middleboxes only: no step of anything
        number = 0 if item.bad or dummy or item.step == last else item.step
        last = last if dummy else item.step or last
        yield (56 if item.gist else 40), list(_arrow(item, number))


def _arrow(arrow: Arrow, number: int) -> Iterator[str]:
    kind = "bad" if arrow.bad else "sealed" if arrow.sealed else "clear"
    how = "encrypted" if arrow.sealed else "in clear"
    size = f"{arrow.size:,} byte{'s' if arrow.size != 1 else ''}, {how}"
    if arrow.count > 1:
        size = f"{arrow.count} records, {size}"
    sender, receiver = ("", " end") if arrow.sender == "client" else (" end", "")
    near, far = _LEFT + _INDENT, _RIGHT - _INDENT
    if arrow.sender == "server":
        near, far = far, near
    if number:
        yield _line("number quiet", 26, 17, str(number))
    yield _line(f"name {kind}{sender}", near, 17, arrow.name)
    yield _line(f"small quiet{receiver}", far, 17, size)
    start, end = (_LEFT + 2, _RIGHT - 10) if arrow.sender == "client" else (_RIGHT - 2, _LEFT + 10)
    heights = (25, 29) if arrow.sealed and not arrow.bad else (27,)
    yield f'<path class="shaft {kind}" d="{"".join(f"M{start} {y}H{end}" for y in heights)}"/>'
    back = 10 if arrow.sender == "client" else -10
    tip = _RIGHT - 2 if arrow.sender == "client" else _LEFT + 2
    yield f'<path class="{kind}" d="M{tip} 27l{-back} -6v12z"/>'
    if arrow.gist:
        yield _line(f"small quiet{sender}", near, 47, arrow.gist, _ROOM)


def _moment(moment: Moment) -> Iterator[str]:
    kind = "bad" if moment.good is False else "good" if moment.good else "quiet"
    sign = "✗ " if moment.good is False else "✓ " if moment.good else ""
    at_server = moment.who == "server"
    where = _RIGHT - _INDENT if at_server else _LEFT + _INDENT
    yield _line(f"small {kind}{' end' if at_server else ''}", where, 15, sign + moment.text, _ROOM)


def _failure(view: LadderView, y: int) -> Iterator[str]:
    """The three parts, a line or more each."""
    failure = view.failure
    if failure is None:
        return
    columns = int((_RIGHT - _LEFT) / _SMALL)
    lines = [("bad name", failure.what)]
    lines += [("quiet small", line) for line in wrap(failure.why, columns)]
    lines += [("ink small", line) for line in wrap(failure.todo, columns)]
    for number, (kind, text) in enumerate(lines):
        yield _line(kind, _LEFT, y + 26 + 20 * number, text)


def _line(kind: str, x: int, y: int, text: str, room: int = 10_000) -> str:
    """A line of text of at most `room` pixels."""
    most = int(room / _SMALL)
    shown = text if len(text) <= most else text[: most - 1] + "…"
    return f'<text class="{kind}" x="{x}" y="{y}">{_text(shown)}</text>'


def _text(text: str) -> str:
    """Text for XML: what XML cannot hold becomes a replacement character."""
    return escape(_NOT_XML.sub("\ufffd", str(text)))
