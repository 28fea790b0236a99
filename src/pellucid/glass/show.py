"""How a value is shown: as lines of text in a column, and as JSON.

Secrets are shortened here, in one place: their first three bytes and their length, enough to see
that two sides hold the same one, unless the reader asked for secrets by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pellucid.glass.text import wrap
from pellucid.glass.trace import Hidden
from pellucid.secret import Secret

#: A byte string up to this length is shown whole, a longer one by its two ends.
WHOLE = 32
_GROUP = 4
_LINE = 16


class Row(NamedTuple):
    """A named value. In JSON the name's spaces become underscores."""

    label: str
    value: Any

    @property
    def key(self) -> str:
        """The name as JSON has it."""
        return self.label.lower().replace(" ", "_").replace("-", "_")


class Names(tuple[str, ...]):
    """Names that are run together in a line, with commas; a plain tuple has a line for each item."""

    __slots__ = ()


class Said(bytes):
    """Application data: shown as text on the screen and in JSON."""

    __slots__ = ()


class Quoted(str):
    """Application data as a line of text: left out wherever data is."""

    __slots__ = ()


#: A list longer than this is shortened on the screen; JSON has all of it.
_LISTED = 6


def style_of(value: Any) -> str:
    """Which style a value is drawn in: "secret", "hex" or "value"."""
    if isinstance(value, Secret | Hidden):
        return "secret"
    return "hex" if isinstance(value, bytes) and not isinstance(value, Said) else "value"


def lines_of(value: Any, width: int, *, secrets: bool = False) -> list[str]:
    """`value` as lines of at most `width` columns.

    >>> lines_of(bytes(range(20)), 40)
    ['00010203 04050607 08090a0b 0c0d0e0f', '10111213']
    >>> lines_of(Secret(bytes(48)), 40)
    ['000000…  (48 bytes)']
    """
    if isinstance(value, Secret):
        return grouped(value.reveal()) if secrets else [short(value)]
    if isinstance(value, Hidden):
        return [short(value)]
    if isinstance(value, Said):
        return wrap(printable(value), width)
    if isinstance(value, bytes):
        return grouped(value) if len(value) <= WHOLE else ends(value)
    if isinstance(value, Names):
        return wrap(", ".join(value) or "none", width)
    if isinstance(value, list | tuple):
        lines = [line for item in value[:_LISTED] for line in lines_of(item, width, secrets=secrets)]
        return lines + ([f"and {len(value) - _LISTED} more"] if len(value) > _LISTED else [])
    return wrap(str(value), width)


def plain(value: Any, *, secrets: bool = False) -> Any:
    """`value` as JSON: bytes in hex, secrets shortened.

    >>> plain((b"\\x01\\x02", 3, "four"))
    ['0102', 3, 'four']
    """
    if isinstance(value, Secret):
        return value.reveal().hex() if secrets else short(value)
    if isinstance(value, Hidden):
        return short(value)
    if isinstance(value, Said):
        return value.decode("utf-8", "replace")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [plain(item, secrets=secrets) for item in value]
    if isinstance(value, dict):
        return {key: plain(item, secrets=secrets) for key, item in value.items()}
    return value


def short(value: bytes | Hidden) -> str:
    """A secret's first three bytes and its length.

    >>> short(b"0123456789")
    '303132…  (10 bytes)'
    """
    if isinstance(value, Hidden):
        return f"······…  ({value.length} bytes)"
    return f"{bytes(memoryview(value)[:3]).hex()}…  ({len(value)} bytes)"


def grouped(data: bytes) -> list[str]:
    """Hex in groups of four bytes, sixteen bytes a line."""
    return [bytes(data[at : at + _LINE]).hex(" ", -_GROUP) for at in range(0, len(data), _LINE)] or [
        "(empty)"
    ]


def ends(data: bytes) -> list[str]:
    """The first sixteen bytes, then the last four and the length."""
    return [f"{data[:_LINE].hex(' ', -_GROUP)}", f"… {data[-_GROUP:].hex()}  ({len(data)} bytes)"]


def listing(names: Sequence[str]) -> str:
    """Names as a sentence's list.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) < 2:
        return "".join(names)
    return ", ".join(names[:-1]) + " and " + names[-1]


def printable(data: bytes) -> str:
    """Application data as text, with what cannot be printed as dots, shortened to a line or two."""
    head = data[:120].decode("utf-8", "replace")
    text = "".join(c if c.isprintable() else ("⏎" if c == "\n" else "" if c == "\r" else "·") for c in head)
    return text + (" …" if len(data) > 120 else "")
