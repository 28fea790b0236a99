"""Fixtures of the interoperation tests, and a line in the file of results for each cell that was tried."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from .bench import INSTALLED, Certificates
from .certificates import make_certificates

RESULTS = Path(os.environ.get("PELLUCID_INTEROP_RESULTS", INSTALLED / "results.jsonl"))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One root with its server and client leaves, for the whole session."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    return make_certificates(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append what a cell of the matrix came to; several processes may do so at once."""
    report = yield
    cell: Any = getattr(item, "callspec", None) and item.callspec.params.get("cell")  # type: ignore[attr-defined]
    if cell is not None and report.when == "call":
        line = {
            "peer": cell.peer.name,
            "role": cell.role,
            "section": cell.feature.section,
            "feature": cell.feature.name,
            "outcome": "peer's fault" if hasattr(report, "wasxfail") else report.outcome,
        }
        if RESULTS.parent.is_dir():
            with RESULTS.open("a") as file:
                file.write(json.dumps(line) + "\n")
    return report
