"""Fixtures of the interoperation tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from .bench import Certificates
from .certificates import make_certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One root with its server and client leaves, for the whole session."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    return make_certificates(folder)
