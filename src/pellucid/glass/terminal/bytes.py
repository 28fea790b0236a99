"""The bytes on a terminal: offset, hex, and the field that each byte belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.glass.der.forms import HEADER
from pellucid.glass.fields import Field
from pellucid.glass.ladder import Line
from pellucid.glass.show import Said, printable
from pellucid.glass.terminal.text import BLANK, heading, paragraph, rule, sized
from pellucid.glass.text import wrap
from pellucid.glass.views.bytes import UNPACKED, BytesView, MessageBytes

_PER_LINE = 8
_HEX = 3 * _PER_LINE
_LEFT = 5 + 2 + _HEX + 1
#: Levels that step in by two columns; deeper ones by one.
_STEEP = 4
#: A field without parts longer than this shows its beginning only.
_WHOLE = 64
#: Fields that come again and again and need no sentence.
_PLAIN = frozenset({"length", "extension_type", "msg_type"})
_OTHER = {"client": "server", "server": "client"}


def draw(view: BytesView, width: int = 80, *, secrets: bool = False) -> Iterator[Line]:
    """Every message, field by field."""
    for message in view.messages:
        yield from _message(message, width)
        yield BLANK


def _message(message: MessageBytes, width: int) -> Iterator[Line]:
    how = "encrypted" if message.sealed else "in clear"
    way = f"{message.sender} ▶ {_OTHER[message.sender]}, {sized(message.size)}, {how}"
    if message.id.endswith(UNPACKED):
        way = f"unpacked, {sized(message.size)}"
    yield heading(message.name, way, width, "bad" if message.bad else message.sender)
    yield rule(width)
    if message.note:
        yield from paragraph(message.note, width, 2, "skipped")
    if isinstance(message.raw, Said) and message.raw:
        yield from paragraph(printable(message.raw), width, 2)
    top = message.field
    parts = top.children or ((top,) if top.end > top.start else ())
    for part in parts:
        yield from _field(part, message.raw, width, 0, top.section)
    if message.unpacked is not None:
        yield BLANK
        yield from _message(message.unpacked, width)


def _field(field: Field, raw: bytes, width: int, depth: int, section: str) -> Iterator[Line]:
    """A field with parts has a line of its own, beside its tag and length if it has them; one without has
    its bytes beside it."""
    label = f"{' ' * (depth + min(depth, _STEEP))}{field.name}"
    told = field.section if field.section != section else ""
    if field.children and field.children[0].name == HEADER:
        head, *inner = field.children
        yield from _leaf(field, raw[head.start : head.end], label, told, width)
        for child in inner:
            yield from _field(child, raw, width, depth + 1, field.section or section)
        return
    if field.children:
        yield _group(field, label, told, width)
        if field.about:
            yield from paragraph(field.about, width, _LEFT + len(label) - len(field.name) + 2, "tells")
        for child in field.children:
            yield from _field(child, raw, width, depth + 1, field.section or section)
        return
    yield from _leaf(field, raw[field.start : field.end], label, told, width)


def _group(field: Field, label: str, section: str, width: int) -> Line:
    room = width - _LEFT - len(section) - 1
    label = _cut(label, room)
    said = _cut(f"  {field.meaning or field.value}", room - len(label))
    pad = max(width - _LEFT - len(label) - len(said) - len(section), 1)
    line: Line = [(" " * _LEFT, ""), (label, "title"), (said, "quiet")]
    return [*line, (" " * pad, ""), (section, "quiet")] if section else line


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…" * (room > 0)


def _leaf(field: Field, data: bytes, label: str, section: str, width: int) -> Iterator[Line]:
    shown = data if len(data) <= _WHOLE else data[: 2 * _PER_LINE]
    hexes = [shown[at : at + _PER_LINE].hex(" ") for at in range(0, len(shown), _PER_LINE)]
    if len(shown) < len(data):
        hexes.append(f"… {sized(len(data) - len(shown))} more")
    said = field.meaning or ("" if field.value.endswith(("bytes", "byte")) else field.value)
    words: list[tuple[str, str]] = []
    room = width - _LEFT
    indent = len(label) - len(label.lstrip())
    label = _cut(label, room)
    below = section if len(label) + 1 + len(section) > room else ""  # no room for it beside the label
    section = "" if below else section
    if len(label) + 2 + len(said) + len(section) < room:
        words.append((f"{label}  ", "label"))
        first = said
    else:
        words.append((label, "label"))
        first = ""
    texts = [first] if first or not said else [""]
    extra = (
        [(" " * (indent + 2), part, "value") for part in wrap(said, room - indent - 2)]
        if said and not first
        else []
    )
    if below:
        extra.append((" " * (indent + 2), below, "quiet"))
    if field.about and field.name not in _PLAIN:
        extra += [(" " * (indent + 2), part, "tells") for part in wrap(field.about, room - indent - 2)]
    for number in range(max(len(hexes), 1 + len(extra))):
        at = (
            f"{field.start + number * _PER_LINE:04x}"
            if number < len(hexes) and not hexes[number].startswith("…")
            else ""
        )
        line: Line = [
            (f"{at:<5}", "quiet"),
            ("  ", ""),
            (f"{hexes[number] if number < len(hexes) else '':<{_HEX + 1}}", "hex"),
        ]
        if number == 0:
            line += [*words, (texts[0], "value")]
            if section:
                used = sum(len(text) for text, _ in line)
                line += [(" " * max(width - used - len(section), 1), ""), (section, "quiet")]
        elif number <= len(extra):
            pad, part, style = extra[number - 1]
            line += [(pad, ""), (part, style)]
        yield line
