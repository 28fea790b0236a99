"""Fixtures for every test: where the shared material is, and what the markers mean."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import CodeType

import pytest
from _pytest.assertion import rewrite
from hypothesis import HealthCheck, settings

from support import House

# A loaded machine takes its time: how long an example took, to run or to draw, says nothing about the code.
# And every run tries the same examples, so that a change is judged by what it changed. New ones, and more:
# pytest --hypothesis-profile=explore
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("pellucid", PATIENT, derandomize=True)
settings.register_profile("explore", PATIENT, max_examples=2000)
settings.load_profile("pellucid")

# pytest parses what is imported, to rewrite its asserts, also what a server's thread imports. Two threads at
# that are one too many for CPython 3.11 ("AST constructor recursion depth mismatch", gh-106905).
_parsing, _rewrite = threading.RLock(), rewrite._rewrite_test


def _rewritten(fn: Path, config: pytest.Config) -> tuple[bytes, CodeType]:
    with _parsing:
        return _rewrite(fn, config)


rewrite._rewrite_test = _rewritten

# Where other people's programs take part, whose timing is not ours: such a test that fails is run once more,
# and the summary names it (R). Everywhere else the first failure counts.
TESTS = Path(__file__).resolve().parent
WITH_OTHERS = tuple(TESTS / name for name in ("browser", "ecosystem", "interop", "programs"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        others = item.get_closest_marker("interop") or item.path == TESTS / "cli" / "test_proxy.py"
        if others or any(item.path.is_relative_to(folder) for folder in WITH_OTHERS):
            item.add_marker(pytest.mark.flaky(reruns=1))


SHARED = Path(os.environ.get("PELLUCID_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with RFC texts and test vectors; the test is skipped where it is absent."""
    if not (SHARED / "DESIGN.md").exists():
        pytest.skip("the shared material (../shared) is not here")
    return SHARED


@pytest.fixture(scope="session")
def house() -> House:
    """Certificates, trust and configurations."""
    return House()
