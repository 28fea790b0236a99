"""The pages of failures quote what pellucid says today."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def load(name: str) -> ModuleType:
    """A program of the docs folder, as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    if spec is None or spec.loader is None:
        pytest.fail(f"docs/{name}.py is gone")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


failures = load("failures")


def dateless(text: str) -> str:
    """Dates and ages move on between the page's making and the test."""
    return re.sub(r"on \d+ \w+ \d{4}, \d\d:\d\d UTC, .*? ago", "on DATE", text)


@pytest.mark.parametrize("name", failures.SCENARIOS)
def test_the_page_quotes_what_is_said_today(name: str) -> None:
    page = dateless((failures.FOLDER / f"{name}.md").read_text("utf-8"))
    scenario = failures.SCENARIOS[name]
    seen = failures.run(name, others=False)
    assert f"# {scenario.title}\n" in page
    if scenario.visitor is None:
        assert seen.client is not None
        assert dateless(failures.quoted(seen.client)) in page, "run `make docs`"
    if scenario.plain is None:
        assert seen.server is not None
        assert dateless(failures.quoted(seen.server)) in page, "run `make docs`"
    assert "\n".join(seen.messages) in page, "run `make docs`"


def test_the_index_lists_them_all() -> None:
    assert (failures.FOLDER / "index.md").read_text("utf-8") == failures.index(), "run `make docs`"
    assert {file.stem for file in failures.FOLDER.glob("*.md")} == {"index", *failures.SCENARIOS}
