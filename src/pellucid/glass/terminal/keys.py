"""The key schedule on a terminal: a tree, each secret with what made it and what it is for."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.glass.ladder import Line
from pellucid.glass.show import lines_of
from pellucid.glass.terminal.text import BLANK, heading, paragraph
from pellucid.glass.text import wrap
from pellucid.glass.views.keys import Key, KeysView


def draw(view: KeysView, width: int = 80, *, secrets: bool = False) -> Iterator[Line]:
    """The tree."""
    if not view.roots:
        yield from paragraph("There are no keys: the handshake ended before any were made.", width)
        return
    yield heading(view.version, view.suite, width)
    yield from paragraph(view.about, width, 0, "tells")
    for root in view.roots:
        yield BLANK
        yield from _key(root, "", "", width, secrets)


def _key(key: Key, lead: str, below: str, width: int, secrets: bool) -> Iterator[Line]:
    """`lead` is what stands in front of the name, `below` in front of everything under it."""
    style = key.used or "title"
    yield [(lead, "bar"), *heading(key.name, key.section, width - len(lead), style)]
    stem = below + ("│ " if key.children else "  ")
    for text in lines_of(key.value, width - len(stem) - 14, secrets=secrets):
        line: Line = [(stem, "bar"), (text, "secret")]
        if key.other is not None:
            same = key.value == key.other
            line.append(
                ("   = the other end's" if same else "   ≠ the other end's", "good" if same else "bad")
            )
        yield line
    for text in wrap(_formula(key), width - len(stem)):
        yield [(stem, "bar"), (text, "hex")]
    for text in wrap(key.about, width - len(stem)) if key.about else []:
        yield [(stem, "bar"), (text, "tells")]
    for number, child in enumerate(key.children):
        last = number == len(key.children) - 1
        yield [(below + "│", "bar")]
        yield from _key(
            child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "), width, secrets
        )


def _formula(key: Key) -> str:
    """How it was made, with the inputs' names."""
    names = [one.name for one in key.inputs]
    how = key.how
    if not names:
        return how.replace("(.,", "(the one above,")
    if "messages)" in how:  # Derive-Secret: the transcript's hash stands for the messages
        return how.replace("(.,", f"({names[0]},").replace("messages)", "every message so far)")
    if "(., " in how and ", .)" in how:
        return how.replace("(.,", f"({names[0]},").replace(", .)", f", {', '.join(names[1:])})")
    if "Derive-Secret(.," in how:  # a rung: the salt comes from the rung below
        return how.replace("(.,", f"({names[0]},") + f", input = {names[-1]}"
    return f"{how}({', '.join(names)})"
