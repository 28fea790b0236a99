"""The commands' table. A command's module is imported when the command runs, and not before."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click

from pellucid import __version__

#: Command: (where it is, the line that --help shows for it).
COMMANDS = {
    "demo": ("pellucid.cli.demo:demo", "Watch a client and a server go through the nine steps."),
    "connect": ("pellucid.cli.connect:connect", "Connect to a server and show the handshake."),
    "serve": ("pellucid.cli.serve:serve", "Run a server that shows its visitors' handshakes."),
    "proxy": ("pellucid.cli.proxy:proxy", "Stand between programs and servers, and show both handshakes."),
    "live": ("pellucid.cli.live:live", "Watch handshakes happen in the browser, and break them."),
    "trace": ("pellucid.cli.trace:trace", "Show the handshakes of any Python program."),
    "decode": ("pellucid.cli.decode:decode", "Show a recorded handshake: a trace, a capture, hex."),
    "replay": (
        "pellucid.cli.replay:replay_command",
        "Run a recorded handshake again, one message at a time.",
    ),
    "diff": ("pellucid.cli.diff:diff", "Show in what two recorded handshakes differ."),
    "explain": ("pellucid.cli.explain:explain", "Say what a word, a number or an error message means."),
    "bench": ("pellucid.bench.command:bench", "Measure its speed beside other TLS libraries."),
    "cert": ("pellucid.cli.cert:cert", "Make, show and verify certificates."),
}
CERT_COMMANDS = {
    "ca": ("pellucid.cli.cert:make_ca", "Make an authority for tests, in a folder."),
    "issue": ("pellucid.cli.cert:issue", "Issue a certificate for names, from that authority."),
    "show": ("pellucid.cli.cert:show", "Say what certificates contain."),
    "verify": ("pellucid.cli.cert:verify", "Would this chain be believed, and if not, why?"),
}


class LazyGroup(click.Group):
    """A group whose commands are named in a table and loaded on use."""

    def __init__(self, *args: object, table: dict[str, tuple[str, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self.table:
            return None
        module, name = self.table[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a suggestion for a word that is nearly a command."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            meant = _near(args[0], list(self.table))
            hint = f" Did you mean '{meant}'?" if meant else f" There are: {', '.join(self.table)}."
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])


def _near(word: str, words: Sequence[str]) -> str:
    """The word that was perhaps meant, or ""."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, words, 1)), "")


def group(name: str, table: dict[str, tuple[str, str]], help: str, epilog: Sequence[str] = ()) -> LazyGroup:
    """A group of commands from a table."""
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 80}
    return LazyGroup(
        name,
        table=table,
        help=help,
        no_args_is_help=True,
        context_settings=settings,
        epilog="\n".join(epilog),
    )


app = group(
    "pellucid",
    COMMANDS,
    "TLS that you can see through: a TLS 1.3 and 1.2 stack that shows its own handshake.",
    ["Begin with: pellucid demo"],
)
app = click.version_option(__version__, "-V", "--version", message="pellucid %(version)s")(app)
