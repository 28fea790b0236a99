"""`pellucid explain`: what a word, a number or an error message of TLS means."""

from __future__ import annotations

import click

from pellucid.cli import exits
from pellucid.cli.options import OutputFlags, output_options
from pellucid.cli.terminal import Terminal, columns, table
from pellucid.glass import glossary
from pellucid.glass.text import wrap


@click.command(short_help="Say what a word, a number or an error message means.")
@click.argument("words", metavar="WORD...", nargs=-1, required=True)
@output_options
def explain(words: tuple[str, ...], output: OutputFlags) -> int:
    """What a word of TLS means, since when, why it matters, and what to do.

    An alert, a cipher suite, an extension, a number on the wire; an error of pellucid's, of OpenSSL's, of
    a browser's, pasted whole.
    """
    terminal = output.terminal()
    text = " ".join(words)
    found = glossary.look_up(text)
    if not found:
        near = glossary.suggestions(text)
        todo = f"Did you mean {', '.join(near)}?" if near else "Try a shorter part of it, or a number."
        terminal.problem(f"Nothing here is called {text!r}.", "", todo)
        return exits.USAGE
    if terminal.as_json:
        terminal.objects(entry.to_json() for entry in found)
        return exits.OK
    for entry in found:
        draw(terminal, entry)
    return exits.OK


def draw(terminal: Terminal, entry: glossary.Entry) -> None:
    """One entry, as wide as the terminal."""
    number = "" if entry.code is None else f"  {entry.code} (0x{entry.code:02x})"
    terminal.draw([[(entry.word, "title"), (f"  {entry.kind}{number}", "quiet")]])
    width = columns(terminal.out)
    terminal.draw([[("  ", ""), (line, "")] for line in wrap(entry.what, width - 2)])
    rows = (("since", entry.since), ("why", entry.why), ("to do", entry.todo), ("see", ", ".join(entry.see)))
    terminal.draw([*table([(label, text) for label, text in rows if text], width), [("", "")]])
