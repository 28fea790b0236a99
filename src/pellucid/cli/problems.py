"""How the command line says what went wrong: three parts on stderr, or one JSON object on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pellucid.cli import exits
from pellucid.cli.terminal import Terminal
from pellucid.errors import TLSError

if TYPE_CHECKING:
    from pellucid.cli.lines import NoTLS
    from pellucid.glass.failure import Failure
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
    "-psk": "--psk HEX",
    "-psk_identity": "--psk-identity NAME",
    "-sess_in": "--session-in FILE",
    "-sess_out": "--session-out FILE",
    "-reconnect": "--session FILE, twice",
    "-early_data": "--early-data FILE",
    "-max_early_data": "--max-early-data BYTES",
    "-num_tickets": "--tickets N",
    "-status_file": "--ocsp FILE",
    "-record_padding": "--pad-to BYTES",
    "-maxfraglen": "--max-fragment BYTES",
    "-fallback_scsv": "--fallback-scsv",
    "-enable_pha": "--post-handshake-auth",
    "-keymatexport": "--export LABEL",
    "-keymatexportlen": "--export-length BYTES",
    "-verify": "verification is on; --ca FILE says whom to trust",
    "-Verify": "--client-auth require --client-ca FILE",
    "-starttls": "--starttls PROTOCOL",
    "-unix": "--unix PATH",
    "-proxy": "--proxy URL",
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
    from pellucid.cli.lines import NoTLS
    from pellucid.glass.failure import explain
    from pellucid.glass.trace import Trace

    terminal = terminal or Terminal.of_context()
    if trace is None and isinstance(error, TLSError) and isinstance(error.trace, Trace):
        trace = error.trace
    terminal.failure(no_tls(error) if isinstance(error, NoTLS) else explain(error, trace))
    return exits.code_for(error, complete=complete)


def no_tls(error: NoTLS) -> Failure:
    """The line did not get to where TLS begins."""
    from pellucid.glass.failure import Failure

    text = str(error)
    return Failure(
        "no-tls",
        "The connection did not get to where TLS begins.",
        text[:1].upper() + text[1:] + ".",
        "Does it offer TLS on this port at all? Check --starttls and --proxy.",
    )


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
    if isinstance(error, click.NoSuchOption):
        message = f"There is no option {error.option_name} here"
    terminal.problem(message if message.endswith((".", "?", "!")) else message + ".", "", todo)
