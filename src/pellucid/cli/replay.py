"""`pellucid replay`: a recorded connection once more, message by message."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pellucid.cli import exits
from pellucid.cli.options import OutputFlags, output_options
from pellucid.cli.terminal import Terminal, columns
from pellucid.errors import Reason, UsageError
from pellucid.glass import terminal as drawings
from pellucid.glass.ladder import Line
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS
from pellucid.glass.views.bytes import BytesView
from pellucid.glass.views.ladder import Arrow
from pellucid.replaying import Replayed, replay, why_not


@click.command("replay", short_help="Run a recorded handshake again, one message at a time.")
@click.argument("file", metavar="TRACE")
@click.option("--step", "stepwise", is_flag=True, help="Show one message at a time, and wait for Enter.")
@output_options
def replay_command(file: str, stepwise: bool, output: OutputFlags) -> int:
    """Run a recorded connection again, from its inputs, and compare every byte.

    A trace that was written without secrets lacks the randomness: it is shown, and not run.

    Exit codes: 1 the replay parts from the record.
    """
    terminal = output.terminal()
    code = exits.OK
    for trace in _traces(file):
        missing = why_not(trace)
        again = None if missing else replay(trace)
        if stepwise:
            _steps(terminal, trace)
        elif terminal.views or terminal.as_json or not terminal.quiet:
            terminal.show(again.trace if again is not None else trace)
        _verdict(terminal, trace, again, missing)
        if again is not None and not again.identical:
            code = exits.OTHER
    return code


def _traces(file: str) -> list[Trace]:
    if file == "-":
        return Trace.read_all(sys.stdin)
    try:
        with Path(file).open(encoding="utf-8") as lines:
            return Trace.read_all(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            Reason.BAD_CONFIG, f"{file!r}: {getattr(error, 'strerror', None) or error}"
        ) from None


def _verdict(terminal: Terminal, trace: Trace, again: Replayed | None, missing: str) -> None:
    if terminal.as_json:
        told: dict[str, Any] = {"replayed": again is not None, "why_not": missing or None}
        if again is not None:
            told |= {"identical": again.identical, "difference": again.difference or None}
        terminal.objects([told | {"facts": len(trace.facts)}])
        return
    if again is None:
        terminal.say(("– ", "skipped"), f"shown as recorded; it cannot be run again: {missing}")
    elif again.identical:
        calls = f"{again.steps} calls, {len(trace.facts)} facts"
        terminal.say(("✓ ", "good"), f"run again from its inputs: identical to the record ({calls})")
    else:
        terminal.say(("✗ ", "bad"), f"run again from its inputs: it differs {again.difference}")


def _steps(terminal: Terminal, trace: Trace) -> None:
    """One crossing after the other, with what the sides did in between; its bytes with --view bytes."""
    view = VIEWS["ladder"].build(trace)
    messages = {one.id: one for one in VIEWS["bytes"].build(trace).messages}
    width = columns(terminal.out)
    head, *_ = drawings.draw("ladder", replace(view, items=(), summary=()), width)
    terminal.draw([head])
    arrows = [item for item in view.items if isinstance(item, Arrow)]
    shown = 0
    for item in view.items:
        rung = replace(view, items=(item,), summary=())
        terminal.draw(_without_frame(drawings.draw("ladder", rung, width)))
        if not isinstance(item, Arrow):
            continue
        if "bytes" in terminal.views and item.id in messages:
            terminal.draw(drawings.draw("bytes", BytesView((messages[item.id],)), width))
        shown += 1
        if shown < len(arrows) and not _go_on(f"{shown} of {len(arrows)}"):
            return


def _without_frame(lines: list[Line]) -> Iterator[Line]:
    yield from lines[1:-1]


def _go_on(where: str) -> bool:
    """Wait for Enter, where somebody sits at a keyboard."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    click.echo(click.style(f"  {where}; Enter goes on, q ends ", dim=True), nl=False, err=True)
    key = click.getchar()
    click.echo("\r" + " " * 40 + "\r", nl=False, err=True)
    return key not in ("q", "Q", "\x03", "\x1b")
