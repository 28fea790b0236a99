"""Fixtures of the command line's tests: an authority, and the file that makes others trust it."""

from __future__ import annotations

import pytest

from pellucid import Authority


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def ca(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    file.write_bytes(authority.pem)
    return str(file)
