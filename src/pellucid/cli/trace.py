"""`pellucid trace`: the handshakes of any Python program, its children included."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

import click

from pellucid.cli import exits
from pellucid.cli.options import OutputFlags, PictureFlags, output_options, picture_options
from pellucid.cli.pictures import Pictures
from pellucid.cli.terminal import Terminal
from pellucid.errors import Reason, UsageError
from pellucid.programs import Attachment, Seen, Watch, Watching

#: What to do where a process cannot be watched.
ELSE = (
    "It takes Linux, Python 3.14 or later in that process, and the right to trace it: the same user, "
    "or root. Otherwise start it anew: pellucid trace PROGRAM; or with SSLKEYLOGFILE set, and then pellucid "
    "decode CAPTURE --keylog FILE; or with HTTPS_PROXY at pellucid proxy --intercept."
)


@click.command(
    short_help="Show the handshakes of any Python program.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--pid", metavar="PID", type=int, help="Watch a running process (its Python: 3.14 or later).")
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
    pid: int | None,
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

    With --pid: the new connections of a process that runs already, until it ends or Ctrl-C.
    """
    terminal = output.terminal()
    if pid is not None:
        if module is not None or program or engine != "observe":
            raise UsageError(Reason.BAD_CONFIG, "--pid watches a process as it is: no program, no --engine")
        return attach(pid, terminal, Pictures(draw, output.show_secrets), to)
    command = command_of(module, program)
    pictures = Pictures(draw, output.show_secrets)
    watch = Watch(command, engine)
    with told_to(to) as sink:
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


def told_to(path: str | None) -> AbstractContextManager[TextIO]:
    """A file, or stderr."""
    return Path(path).open("w", encoding="utf-8") if path else nullcontext(sys.stderr)


def attach(process: int, terminal: Terminal, pictures: Pictures, to: str | None) -> int:
    """Watch a process that runs already; 0 when it has ended, or Ctrl-C."""
    with told_to(to) as sink:
        terminal.redirect(sink)
        try:
            watch = Attachment(process)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: watch.stop())
            with watch:
                terminal.say((f"Watching process {process}; Ctrl-C leaves it as it was.", "quiet"))
                for seen in watch:
                    tell(terminal, seen)
                    pictures.add(seen.trace, title=seen.summary)
        except UsageError as error:
            if error.reason is not Reason.CANNOT_WATCH:
                raise
            terminal.problem(error.reason.sentence, error.detail, ELSE)
            return exits.USAGE
        if watch.processes:
            confess(terminal, watch)
        else:
            terminal.problem("Nothing was seen.", "The process did not run any Python code meanwhile.", "")
    return exits.OK


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


def confess(terminal: Terminal, watch: Watching) -> None:
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
