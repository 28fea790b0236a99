"""`pellucid trace`: the handshakes of any Python program, its children included."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import click

from pellucid.cli.options import OutputFlags, PictureFlags, output_options, picture_options
from pellucid.cli.pictures import Pictures
from pellucid.cli.terminal import Terminal
from pellucid.errors import Reason, UsageError
from pellucid.programs import Seen, Watch


@click.command(
    short_help="Show the handshakes of any Python program.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("-m", "module", metavar="MODULE", help="Run a module, as python -m does.")
@click.option(
    "--engine",
    type=click.Choice(["observe", "ours"]),
    default="observe",
    show_default=True,
    help="Watch OpenSSL at its work, or let pellucid do it.",
)
@click.option("-o", "--output", "to", metavar="FILE", help="Where to write.  [default: stderr]")
@picture_options
@output_options
@click.argument("program", metavar="[--] PROGRAM ARGS...", nargs=-1, type=click.UNPROCESSED)
def trace(
    module: str | None,
    engine: str,
    to: str | None,
    program: tuple[str, ...],
    draw: PictureFlags,
    output: OutputFlags,
) -> int:
    """Run a Python program and show each TLS handshake it makes or answers, its children's too.

    PROGRAM is a script (run by this Python) or a command. Its own input and output stay its own: what is
    told goes to stderr, or to a file. -q tells each connection in one line. The exit code is the program's.
    """
    command = command_of(module, program)
    terminal = output.terminal()
    pictures = Pictures(draw, output.show_secrets)
    watch = Watch(command, engine)
    with Path(to).open("w", encoding="utf-8") if to else nullcontext(sys.stderr) as sink:
        terminal.redirect(sink)
        try:
            with watch:
                for seen in watch:
                    tell(terminal, seen)
                    pictures.add(seen.trace, title=seen.summary)
            confess(terminal, watch)
        except FileNotFoundError as error:
            raise UsageError(Reason.BAD_CONFIG, f"there is no program {error.filename!r}") from None
    return watch.code if watch.code >= 0 else 128 - watch.code  # as a shell says it


def command_of(module: str | None, program: Sequence[str]) -> list[str]:
    """What to run: a module, a script of ours, or any command."""
    if module is not None:
        return [sys.executable, "-m", module, *program]
    if not program:
        raise UsageError(Reason.BAD_CONFIG, "which program? pellucid trace script.py, or trace -m MODULE")
    return [sys.executable, *program] if program[0].endswith(".py") else list(program)


def tell(terminal: Terminal, seen: Seen) -> None:
    """One connection."""
    if terminal.as_json:
        terminal.objects([{"connection": seen.summary, "process": seen.process, "role": seen.role}])
    if terminal.quiet and not terminal.as_json:
        terminal.draw([[(seen.summary, "")]])
        return
    terminal.show(seen.trace, title=f"process {seen.summary}")


def confess(terminal: Terminal, watch: Watch) -> None:
    """What could not be seen."""
    for problem in watch.problems:
        terminal.problem(problem, "", "Is pellucid installed for the interpreter that ran?")
    if not watch.processes:
        terminal.problem(
            "Nothing could be watched.",
            "It is no Python program, or runs with -I, -E or -S, which keep the hook out.",
            "For other programs: pellucid proxy --intercept; or a key log (SSLKEYLOGFILE), pellucid decode.",
        )
    elif watch.blind:
        names = ", ".join(sorted(watch.blind))
        terminal.say((f"Not seen: {names} bring a TLS of their own.", "quiet"))
