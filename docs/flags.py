"""The tables of flags in docs/command-line.md, drawn from the one option table of the command line.

`make docs` writes them again behind the marker; a test in tests/cli holds the page against them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from pellucid.cli import options
from pellucid.cli.app import CERT_COMMANDS, COMMANDS, LazyGroup, app

PAGE = Path(__file__).parent / "command-line.md"
_HEAD = ("| flag | what it does | of |", "|---|---|---|")
MARKER = "<!-- From here on drawn by `make docs` (docs/flags.py). -->\n"


def commands() -> dict[str, click.Command]:
    """Every command by what one types for it."""
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = app.get_command(click.Context(app), name)
        if isinstance(command, LazyGroup):
            for below in CERT_COMMANDS:
                inner = command.get_command(click.Context(command), below)
                if inner is not None:
                    found[f"{name} {below}"] = inner
        elif command is not None:
            found[name] = command
    return found


def groups() -> dict[str, tuple[str, ...]]:
    """The bundles of flags: their title, and their parameters' names."""
    kinds = [kind for name, kind in vars(options).items() if name.endswith("Flags")]
    return {str(kind.__doc__).rstrip("."): kind._fields for kind in kinds}


def text() -> str:
    """Everything behind the marker."""
    known = commands()
    names_of = {name: [param.name or "" for param in made.params] for name, made in known.items()}
    lines = ["", "## Flags", "", "A flag means the same in every command that has it."]
    for title, names in groups().items():
        users = {name: made for name, made in known.items() if set(names) <= set(names_of[name])}
        rows = list(_rows(users, names, len(known)))
        if rows:
            lines += ["", f"### {title}", "", *_HEAD, *rows]
        for name in users:
            names_of[name] = [own for own in names_of[name] if own not in names]
    lines += ["", "### Of one command", "", *_HEAD]
    for name, made in known.items():
        lines += _rows({name: made}, tuple(names_of[name]), len(known))
    return "\n".join(lines) + "\n"


def _rows(known: dict[str, click.Command], names: tuple[str, ...], all_of_them: int) -> Iterator[str]:
    """A row for each option among these parameters, with the commands that have it."""
    for name in names:
        told: dict[tuple[str, str], list[str]] = {}
        for command, made in known.items():
            for param in made.params:
                if isinstance(param, click.Option) and param.name == name:
                    record = param.get_help_record(click.Context(made))
                    if record is not None:
                        told.setdefault(record, []).append(command)
        for (flag, what), of in told.items():
            cells = (f"`{flag}`", what, "all" if len(of) == all_of_them else ", ".join(of))
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page() -> str:
    """The whole page: what people wrote, and the tables."""
    return PAGE.read_text(encoding="utf-8").partition(MARKER)[0] + MARKER + text()


def draw() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
