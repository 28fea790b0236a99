"""`pellucid diff`: two recorded handshakes side by side."""

from __future__ import annotations

from dataclasses import asdict

import click

from pellucid.cli import exits
from pellucid.cli.decode import one_trace
from pellucid.cli.options import OutputFlags, output_options
from pellucid.cli.terminal import columns, table
from pellucid.glass.diff import diff as compare


@click.command(short_help="Show in what two recorded handshakes differ.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@output_options
def diff(a: str, b: str, output: OutputFlags) -> int:
    """In what two handshakes differ, and what follows from it. A and B are what decode reads.

    Exit codes: 0 they are alike, 1 they differ.
    """
    terminal = output.terminal()
    found = compare(one_trace(a).trace, one_trace(b).trace)
    if terminal.as_json:
        terminal.objects(asdict(one) for one in found.differences)
        return exits.OTHER if found.differences else exits.OK
    width = columns(terminal.out)
    topic = ""
    for one in found.differences:
        if one.topic != topic:
            topic = one.topic
            terminal.draw([[("", "")], [(topic, "title")]])
        rows = [("a", one.a or "-"), ("b", one.b or "-")]
        if one.follows:
            rows.append(("so", one.follows))
        terminal.draw([[("  ", ""), (one.what, "label")], *table(rows, width, 4)])
    same = len(found.same)
    said = "They are alike" if not found.differences else f"{len(found.differences)} differences"
    terminal.say("", to=terminal.out)
    terminal.say(f"{said}; {same} facts are the same in both.", to=terminal.out)
    return exits.OTHER if found.differences else exits.OK
