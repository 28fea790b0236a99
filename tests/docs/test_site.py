"""The documentation builds into a site without a warning, and has every public name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import pellucid

pytest.importorskip("sphinx")
pytest.importorskip("furo")
pytest.importorskip("myst_parser")

TOP = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_site_builds_without_a_warning_and_has_every_public_name(tmp_path: Path) -> None:
    from sphinx.util.inventory import InventoryFile

    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", "docs"]
    done = subprocess.run(
        [*command, "-d", tmp_path / "doctrees", ".", tmp_path / "html"],
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    inventory = InventoryFile.loads((tmp_path / "html/objects.inv").read_bytes(), uri="")
    named = {name.rpartition(".")[2] for kind in inventory.data for name in inventory.data[kind]}
    assert set(pellucid.__all__) <= named
    page = (tmp_path / "html/docs/api/connections.html").read_text("utf-8")
    for expected in ("data_to_send", "[source]", "Parameters", "Raises", "section 6.1"):
        assert expected in page
