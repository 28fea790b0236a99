"""Draw the pictures in docs/pictures and the tables again: `make docs`."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import conformance
import failures
import flags
import states
import tables
from rich.console import Console
from rich.text import Text

import examples
from pellucid.cli.demo import story
from pellucid.cli.terminal import STYLES
from pellucid.glass import ladder

PICTURES = Path(__file__).parent / "pictures"


def demo() -> None:
    """The first steps of the classic story, as `pellucid demo` prints them."""
    console = Console(width=80, record=True, force_terminal=True, color_system="truecolor", file=StringIO())
    for line in ladder.draw(story("classic", beside_rsa=False))[:72]:
        text = Text()
        for part, style in line:
            text.append(part, STYLES.get(style, ""))
        console.print(text, soft_wrap=True, highlight=False)
    console.save_svg(str(PICTURES / "demo.svg"), title="pellucid demo")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    demo()
    states.draw()
    examples.draw()
    tables.draw()
    failures.draw()
    conformance.draw()
    flags.draw()
