"""How the command line says what went wrong: three parts on stderr, or one JSON object on stdout."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import click

from pellucid.cli import exits
from pellucid.cli.terminal import Terminal
from pellucid.errors import TLSError
from pellucid.glass.failure import explain
from pellucid.glass.trace import Trace

#: The single-dash options of other tools, and what they are called here.
FOREIGN = {
    "-connect": "the host is the argument: pellucid connect HOST:PORT",
    "-accept": "the port is the argument: pellucid serve PORT",
    "-port": "the port is part of the argument: HOST:PORT",
    "-servername": "--server-name NAME",
    "-noservername": "--no-sni",
    "-verify_hostname": "--verify-name NAME",
    "-CAfile": "--ca FILE",
    "-CApath": "--ca DIR",
    "-cert": "--cert FILE",
    "-key": "--key FILE",
    "-pass": "--key-password TEXT",
    "-tls1_2": "--tls 1.2",
    "-tls1_3": "--tls 1.3",
    "-min_protocol": "--tls 1.2-1.3",
    "-max_protocol": "--tls-max 1.2",
    "-cipher": "--suites LIST",
    "-ciphersuites": "--suites LIST",
    "-groups": "--groups LIST",
    "-curves": "--groups LIST",
    "-sigalgs": "--sigalgs LIST",
    "-alpn": "--alpn LIST",
    "-keylogfile": "--keylog FILE",
    "-www": "--www",
    "-msg": "-v",
    "-trace": "-v",
    "-debug": "-v",
    "-quiet": "-q",
    "-showcerts": "the chain is shown anyway",
}


def report(
    error: BaseException,
    *,
    trace: Trace | None = None,
    terminal: Terminal | None = None,
    complete: bool = False,
) -> int:
    """Say what went wrong and return the exit code for it."""
    terminal = terminal or Terminal.of_context()
    if trace is None and isinstance(error, TLSError) and isinstance(error.trace, Trace):
        trace = error.trace
    terminal.failure(explain(error, trace))
    return exits.code_for(error, complete=complete)


def misused(error: click.ClickException, arguments: Sequence[str]) -> None:
    """Say how the command line is meant."""
    terminal = Terminal.of_context()
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "pellucid"
    todo = f"See: {command} --help"
    if isinstance(error, click.NoSuchOption):
        foreign = next((arg for arg in arguments if arg in FOREIGN), None)
        if foreign is not None:
            terminal.problem(f"There is no option {foreign} here.", "", f"Use {FOREIGN[foreign]}")
            return
        if error.possibilities:
            todo = f"Did you mean {' or '.join(sorted(error.possibilities))}? {todo}"
    message = error.format_message()
    terminal.problem(message if message.endswith((".", "?", "!")) else message + ".", "", todo)


def near(word: str, words: Sequence[str]) -> str:
    """The word that was perhaps meant, or ""."""
    return next(iter(difflib.get_close_matches(word, words, 1)), "")
