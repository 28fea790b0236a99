"""A chart as SVG: one bar a row and peer, our CPU cost over theirs, and the line at one.

It is drawn by hand, without a library, and follows the reader's light or dark scheme. The colours
are told apart without colour vision, and each bar carries its figure in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .report import Line

_PEERS = {
    "ssl": ("ssl", "#2a78d6", "#5b9df0"),
    "pyopenssl": ("pyOpenSSL", "#e07b00", "#f2a03d"),
}
_SHOWN = (
    "tls13-ecdsa",
    "tls13-rsa",
    "tls13-mlkem",
    "tls13-resume",
    "tls13-mtls",
    "tls12-ecdhe-rsa",
    "tls12-static-rsa",
    "tls12-resume",
    "bulk-16k-aes128gcm",
    "bulk-16k-chacha20",
    "bulk-1k-aes128gcm",
    "bulk-100-aes128gcm",
    "asyncio-echo",
    "asyncio-up",
    "asyncio-down",
    "uvloop-echo",
    "blocking-echo",
    "memory-server",
    "memory-client",
)
_LEFT, _WIDTH, _BAR, _GAP, _TOP = 250, 440, 13, 12, 64
_MOST = 1.5  # longer bars are cut, and say so by their figure

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.faint { fill: #656d76; font-size: 12px }
.one { stroke: #656d76; stroke-dasharray: 4 3 }
.back { fill: #ffffff }
"""
_DARK = """
text { fill: #e6edf3 } .faint { fill: #9198a1 } .one { stroke: #9198a1 } .back { fill: #0d1117 }
"""


def _styles() -> str:
    light = "".join(f".{name} {{ fill: {colour} }}\n" for name, (_, colour, _) in _PEERS.items())
    dark = "".join(f".{name} {{ fill: {colour} }} " for name, (_, _, colour) in _PEERS.items())
    return f"<style>{_STYLE}{light}@media (prefers-color-scheme: dark) {{ {_DARK} {dark} }}</style>"


def _bar(line: Line, y: float) -> str:
    width = min(line.ratio, _MOST) / _MOST * _WIDTH
    figure = f"{line.ratio:.2f}"
    return (
        f'<rect class="{line.peer}" x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2"/>'
        f'<text class="faint" x="{_LEFT + width + 5:.1f}" y="{y + _BAR - 2}">{figure}</text>'
    )


def chart(lines: Sequence[Line], base: str) -> str:
    """The SVG text for these lines; rows and peers that are not in them are left out."""
    by_row: dict[str, list[Line]] = {name: [] for name in _SHOWN}
    for line in lines:
        if line.row in by_row and line.peer in _PEERS:
            by_row[line.row].append(line)
    parts: list[str] = []
    y = float(_TOP)
    for of_row in by_row.values():
        if not of_row:
            continue
        middle = y + len(of_row) * (_BAR + 1) / 2 + 4
        title = escape(of_row[0].title)
        parts.append(f'<text x="{_LEFT - 10}" y="{middle:.1f}" text-anchor="end">{title}</text>')
        for line in of_row:
            parts.append(_bar(line, y))
            y += _BAR + 1
        y += _GAP
    one = _LEFT + _WIDTH / _MOST
    legend = "".join(
        f'<rect class="{name}" x="{_LEFT + 120 * number}" y="36" width="12" height="12" rx="2"/>'
        f'<text x="{_LEFT + 120 * number + 18}" y="46">{label}</text>'
        for number, (name, (label, _, _)) in enumerate(_PEERS.items())
    )
    width, height = _LEFT + _WIDTH + 60, y + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" role="img" '
        f'aria-label="CPU cost of {escape(base)} over that of its peers">{_styles()}'
        f'<rect class="back" width="100%" height="100%"/>'
        f'<text class="title" x="16" y="24">CPU cost of {escape(base)}, as a share of its peer\'s</text>'
        f"{legend}{''.join(parts)}"
        f'<line class="one" x1="{one:.1f}" x2="{one:.1f}" y1="{_TOP - 6}" y2="{y:.1f}"/>'
        f'<text class="faint" x="{one:.1f}" y="{y + 14:.1f}" text-anchor="middle">1.0: as much as they</text>'
        "</svg>\n"
    )
