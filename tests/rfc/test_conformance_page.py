"""docs/conformance.md is what the tests and tables say. Skipped where ../shared is absent."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def drawer(shared: Path) -> Any:
    spec = importlib.util.spec_from_file_location("conformance", DOCS / "conformance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SHARED = shared  # type: ignore[attr-defined]
    return module


def test_the_page_is_up_to_date(drawer: Any) -> None:
    assert (DOCS / "conformance.md").read_text("utf-8") == drawer.page(), "make docs"


def test_every_must_is_claimed_or_excused(drawer: Any) -> None:
    import tomllib

    excused = tomllib.loads((drawer.TESTS / "rfc_exempt.toml").read_text("utf-8"))
    claimed = drawer.ledger().claimed(drawer.TESTS)
    musts = [one["id"] for one in drawer.requirements() if one["level"] == "MUST"]
    assert [ident for ident in musts if ident not in claimed and ident not in excused] == []
    known = {one["id"] for one in drawer.requirements()}
    assert set(claimed) <= known, "claims on sentences that are not there"
    assert set(excused) <= known
    assert not set(excused) & set(claimed), "both claimed and excused"
    assert all(len(entry["reason"]) > 20 for entry in excused.values())
