"""The pages of attacks and features are drawn from their tables, and everything that they name exists."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def drawer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES: dict[str, list[dict[str, Any]]] = {name: drawer().rows(name) for name in ("attacks", "features")}
ROWS = [row for rows in TABLES.values() for row in rows]


@cache
def functions_of(path: Path) -> set[str]:
    """The functions of a file."""
    return {
        node.name
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


@pytest.mark.parametrize("name", TABLES)
def test_a_page_is_what_its_table_says(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    assert text == drawer().page(name), "make docs"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_what_a_row_names_exists(row: dict[str, Any]) -> None:
    assert row["tests"], "nothing shows it"
    for path in row["where"]:
        assert (ROOT / "src" / "pellucid" / path).is_file(), path
    for node in row["tests"]:
        path, name = node.split("::")
        assert name in functions_of(ROOT / "tests" / path), node


def test_every_test_of_an_attack_is_in_the_table() -> None:
    named = {node for row in TABLES["attacks"] for node in row["tests"]}
    for path in sorted(Path(__file__).parent.glob("test_*attacks.py")):
        for name in functions_of(path):
            if name.startswith("test_"):
                assert f"attacks/{path.name}::{name}" in named, name


@pytest.mark.parametrize("name", TABLES)
def test_nothing_stands_twice(name: str) -> None:
    names = [row["name"] for row in TABLES[name]]
    assert len(names) == len(set(names))
    assert len(names) > 35
