"""The `pellucid` command. What it can do, the library can do; here are only flags and words.

`main` is the entry point: it runs a command and turns whatever goes wrong into three parts on
stderr (what happened, why, what to do) and an exit code from `exits`. Never a traceback, unless
PELLUCID_TRACEBACK=1 asks for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pellucid.cli import exits


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (see `pellucid.cli.exits`)."""
    try:
        import click
        import rich  # noqa: F401
    except ImportError as missing:
        print(
            f"pellucid: the command needs {missing.name}, which is not installed.\n"
            "  to do   pip install 'pellucid[cli]'",
            file=sys.stderr,
        )
        return exits.OTHER
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.PIPE
    except (KeyboardInterrupt, click.exceptions.Abort):
        print(file=sys.stderr)
        return exits.INTERRUPTED


def _run(arguments: list[str]) -> int:
    import click

    from pellucid.cli.app import app

    try:
        # Not app.main(): it would turn a closed pipe into an exit code of its own.
        with app.make_context("pellucid", arguments) as context:
            result = app.invoke(context)
        return result if isinstance(result, int) else exits.OK
    except click.exceptions.Exit as done:  # --help, --version
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.ctx.get_help())
        return exits.OK
    except click.ClickException as error:
        from pellucid.cli import problems

        problems.misused(error, arguments)
        return exits.USAGE
    except exits.Exit as stop:
        return stop.code
    except (KeyboardInterrupt, BrokenPipeError, click.exceptions.Abort):
        raise
    except Exception as error:
        if os.environ.get("PELLUCID_TRACEBACK"):
            raise
        from pellucid.cli import problems

        return problems.report(error)
