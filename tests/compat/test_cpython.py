"""CPython's own tests of `ssl` over the drop-in, in the interpreter at hand. `make cpython-tests`: in all.

They run in processes of their own, because `install()` changes the process.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compat.cpython import MODULES, listed_exclusions


def has_tests() -> bool:
    """Whether CPython's tests are installed: distributions leave them out."""
    try:
        return importlib.util.find_spec("test.test_ssl") is not None
    except ModuleNotFoundError:
        return False


RUNNER = Path(__file__).with_name("cpython.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_tests(), reason="this interpreter has no package `test` with test_ssl"),
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("module", MODULES)
def test_cpythons_own_tests_pass(module: str, tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(RUNNER), "--here", module]
    ran = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not ran.returncode, (ran.stderr + ran.stdout)[-20_000:]
    counts = ran.stdout.strip().splitlines()[-1]
    assert "not in this interpreter" in counts or " 0 passed" not in counts, counts


def test_every_exclusion_has_a_reason() -> None:
    for name, reason in listed_exclusions():
        assert name.startswith("test.test_")
        assert reason.endswith(".")
        assert len(reason) > 40, name
