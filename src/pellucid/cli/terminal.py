"""What the commands print, and where: data and asked-for output on stdout, the rest on stderr.

Colours only on a terminal, never when NO_COLOR is set (https://no-color.org), always with
--color always or FORCE_COLOR. A pipe gets plain text in 80 columns; a stream that cannot encode
the box-drawing characters gets ASCII. What tells handshakes is loaded when there is one to tell.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click
from rich.console import Console
from rich.text import Text

from pellucid.glass.text import to_ascii, wrap

if TYPE_CHECKING:
    from pellucid.glass.failure import Failure
    from pellucid.glass.ladder import Line
    from pellucid.glass.model import Story
    from pellucid.glass.story import Tampering
    from pellucid.glass.trace import Trace

#: The drawing's styles, as rich names them. They read well on dark and on light.
STYLES = {
    "title": "bold",
    "client": "bold cyan",
    "server": "bold magenta",
    "both": "bold green",
    "tells": "italic",
    "number": "bold yellow",
    "bar": "bright_black",
    "clear": "yellow",
    "sealed": "green",
    "label": "bright_black",
    "value": "",
    "hex": "blue",
    "secret": "red",
    "good": "bold green",
    "bad": "bold red",
    "skipped": "yellow",
    "then": "bright_black",
    "now": "green",
    "why": "italic green",
    "quiet": "bright_black",
}
_MOST_COLUMNS = 80


#: What -v and -vv show.
_VERBOSE: tuple[tuple[str, ...], ...] = (
    (),
    ("steps", "reasons", "trust"),
    ("ladder", "bytes", "keys", "reasons", "trust", "steps", "wire"),
)


class _Pipe(Console):
    """rich's console, but a reader who has gone is our own business: see `pellucid.cli.main`."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Terminal:
    """The two streams of a command, with its wishes about colour, JSON and noise."""

    def __init__(
        self,
        *,
        color: str = "auto",
        as_json: bool = False,
        quiet: bool = False,
        secrets: bool = False,
        views: Sequence[str] = (),
        verbose: int = 0,
    ) -> None:
        self.views = tuple(views) or _VERBOSE[min(verbose, len(_VERBOSE) - 1)]
        self.as_json = as_json
        self.quiet = quiet
        self.secrets = secrets
        self.color = color
        self.data: TextIO = sys.stdout
        self.out = _console(sys.stdout, color)
        self.err = _console(sys.stderr, color)

    @classmethod
    def of_context(cls) -> Terminal:
        """The terminal of the command that runs, or a plain one."""
        context = click.get_current_context(silent=True)
        found = context.obj if context is not None else None
        return found if isinstance(found, Terminal) else cls(as_json="--json" in sys.argv)

    def redirect(self, file: TextIO) -> None:
        """Print everything into `file`: stdout belongs to somebody else."""
        self.data = file
        self.out = self.err = _console(file, self.color)

    # -- output --------------------------------------------------------------------------------------

    def draw(self, lines: Iterable[Line], *, to: Console | None = None) -> None:
        """Print styled lines as they are."""
        console = to or self.out
        fold = _only_ascii(console.file)
        for line in lines:
            text = Text()
            for part, style in line:
                text.append(to_ascii(part) if fold else part, STYLES.get(style, ""))
            text.rstrip()
            console.print(text, soft_wrap=True, highlight=False)

    def show(
        self,
        trace: Trace,
        other: Trace | None = None,
        *,
        key: Any = None,
        title: str = "",
        beside_rsa: bool = False,
        tampering: Tampering | None = None,
        to: Console | None = None,
    ) -> None:
        """A connection, as --view wants it; its story in short where it wants nothing in particular.

        Parameters:
            trace, other, key: see `pellucid.glass.views.View`.
            title: what is shown, for a heading; not in JSON.
            beside_rsa: say what changed since the textbook's handshake.
            tampering: a record that was changed on its way, to be told too.
            to: stdout, or the console given.
        """
        if title and not self.as_json:
            self.draw([[("", "")], [(title, "title")], [("", "")]], to=to)
        if self.views:
            self._views(trace, other, key, to)
            return
        from pellucid.glass.story import tell
        from pellucid.glass.views.common import other_end

        client, server = other_end(trace, other)
        self.story(tell(client, server, beside_rsa=beside_rsa, tampering=tampering), to=to)

    def _views(self, trace: Trace, other: Trace | None, key: Any, to: Console | None) -> None:
        from pellucid.glass import terminal as drawings
        from pellucid.glass.views import VIEWS

        if self.as_json:
            self.objects(self.view_objects(trace, other, key))
            return
        width = columns(to or self.out)
        for name in self.views:
            view = VIEWS[name]
            if len(self.views) > 1:
                self.draw([[("", "")], *_banner(view.title, view.about, width)], to=to)
            tree = view.build(trace, other, key)
            self.draw(drawings.draw(name, tree, width, secrets=self.secrets), to=to)

    def view_objects(
        self, trace: Trace, other: Trace | None = None, key: Any = None
    ) -> Iterator[dict[str, Any]]:
        """Each view that is asked for, as a JSON object."""
        from pellucid.glass.views import VIEWS, to_json

        for name in self.views:
            told = {"view": name, "role": trace.role, "title": VIEWS[name].title}
            yield told | to_json(VIEWS[name].build(trace, other, key), secrets=self.secrets)

    def summary(self, trace: Trace, *, to: Console | None = None) -> None:
        """What was agreed on, as a table below the story; nothing with views, or in JSON."""
        if self.as_json or self.views:
            return
        from pellucid.glass.story import tell
        from pellucid.glass.views.common import other_end

        rows = [(row.label, str(row.value)) for row in tell(*other_end(trace, None)).summary]
        self.draw([[("", "")], *table(rows, columns(to or self.out))] if rows else [], to=to)

    def story(self, story: Story, *, to: Console | None = None) -> None:
        """Print a handshake: the ladder, or one JSON object for each step."""
        if self.as_json:
            # The error has its own object: see `failure`.
            self.objects(told for told in story.objects(secrets=self.secrets) if "step" in told)
            return
        from pellucid.glass import ladder

        console = to or self.out
        self.draw(ladder.draw(story, width=columns(console), secrets=self.secrets), to=console)

    def objects(self, objects: Iterable[dict[str, Any]]) -> None:
        """One JSON object a line on stdout."""
        for item in objects:
            print(json.dumps(item, ensure_ascii=False), flush=True, file=self.data)

    def received(self, data: bytes) -> None:
        """Application data as a JSON object: as text if it is UTF-8, else in hex."""
        told: dict[str, Any] = {"received": len(data)}
        try:
            told["text"] = data.decode()
        except UnicodeDecodeError:
            told["hex"] = data.hex()
        self.objects([told])

    def say(self, *spans: tuple[str, str] | str, to: Console | None = None) -> None:
        """A line of narration, on stderr unless told otherwise; not with --quiet."""
        if not self.quiet:
            self.draw([[(span, "") if isinstance(span, str) else span for span in spans]], to=to or self.err)

    def listening(self, host: str, port: int) -> None:
        """Where a server listens, on stderr; also with --quiet: nobody could find port 0 otherwise."""
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.draw([[(f"listening on {where}", "")]], to=self.err)
        self.err.file.flush()

    # -- errors --------------------------------------------------------------------------------------

    def failure(self, failure: Failure) -> None:
        """The three parts; with --json an object on stdout too."""
        if self.as_json:
            self.objects([{"error": failure._asdict()}])
        self.problem(failure.what, failure.why, failure.todo)

    def problem(self, what: str, why: str, todo: str) -> None:
        """What happened, why, what to do."""
        width = columns(self.err) - 10
        lines: list[Line] = []
        for sign, label, text, style in (
            ("✗ ", "", what, "bad"),
            ("  ", "why", why, ""),
            ("  ", "to do", todo, ""),
        ):
            if not text:
                continue
            for part in wrap(text, width + (7 if not label else 0)):
                lead: Line = (
                    [(sign, "bad")] if not label or sign == "" else [(sign, ""), (f"{label:<7}", "label")]
                )
                lines.append([*lead, (part, style)])
                sign, label = "  ", " " if label else ""
        self.draw(lines, to=self.err)


def _banner(title: str, about: str, width: int) -> list[Line]:
    """What stands above a view where there are several."""
    return [
        [(f"━━ {title.upper()} ", "title"), ("━" * max(width - len(title) - 4, 0), "bar")],
        [(about, "quiet")],
        [("", "")],
    ]


def columns(console: Console) -> int:
    """80, or less where the terminal is narrower."""
    return min(console.width, _MOST_COLUMNS) if console.is_terminal else _MOST_COLUMNS


def _console(file: TextIO, color: str) -> Console:
    if color == "never" or (color == "auto" and os.environ.get("NO_COLOR")):
        return _Pipe(file=file, color_system=None, highlight=False, emoji=False, markup=False)
    forced = True if color == "always" or os.environ.get("FORCE_COLOR") else None
    system: Any = "auto"
    if forced and not file.isatty():
        system = "256"
    return _Pipe(
        file=file, force_terminal=forced, color_system=system, highlight=False, emoji=False, markup=False
    )


def _only_ascii(file: Any) -> bool:
    """Whether the stream cannot hold what the ladder is drawn with."""
    try:
        "│═▶✓…".encode(getattr(file, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def table(rows: Sequence[tuple[str, str]], width: int, indent: int = 2) -> list[Line]:
    """Labels and wrapped values as lines."""
    label_width = max((len(label) for label, _ in rows), default=0) + 2
    lines: list[Line] = []
    for label, value in rows:
        for part in wrap(value, width - label_width - indent):
            lines.append([(" " * indent, ""), (f"{label:<{label_width}}", "label"), (part, "value")])
            label = ""
    return lines
