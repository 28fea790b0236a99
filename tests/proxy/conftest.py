"""The world of the proxy's tests."""

from __future__ import annotations

import pytest

from proxy.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("proxy"))
