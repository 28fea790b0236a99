"""Every program in examples/ runs as it is, prints what it says, and stands in docs/examples.md."""

from __future__ import annotations

import doctest
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from pellucid.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
SAME = doctest.OutputChecker()


@pytest.fixture(scope="module")
def page(load_docs: ModuleType) -> ModuleType:
    """The module that draws the page."""
    return load_docs


@pytest.fixture(scope="module")
def load_docs() -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location("docs_examples", ROOT / "docs" / "examples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_it_prints_what_it_says(program: Path, page: ModuleType) -> None:
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    _, says = page.told(program.stem)
    assert says.strip()
    assert SAME.check_output(says, done.stdout, doctest.ELLIPSIS), done.stdout


def test_the_page_is_current(page: ModuleType) -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "run: make docs"


def test_each_program_has_its_row(page: ModuleType) -> None:
    rows = [feature.example for features in page.FEATURES.values() for feature in features]
    assert sorted(rows) == [program.stem for program in PROGRAMS]


def test_each_command_line_is_one(page: ModuleType) -> None:
    """The flags that the page names exist, with the values that it gives them."""
    lines = [line for group in page.FEATURES.values() for feature in group for line in feature.commands]
    assert lines
    for line in lines:
        _, name, *arguments = shlex.split(line)
        command = app.get_command(click.Context(app), name)
        assert command is not None, line
        command.make_context(name, arguments)  # parses, and runs nothing
