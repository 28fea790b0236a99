"""Fixtures of the drop-in's tests: see `world`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat.world import Bios, Contexts
from pellucid.compat import ssl as ours


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(tmp_path_factory.mktemp("compat"))


@pytest.fixture
def bios(contexts: Contexts) -> Callable[..., Bios]:
    def make(client: Any = None, server: Any = None, **more: Any) -> Bios:
        return Bios(client or contexts.client(), server or contexts.server(), **more)

    return make


@pytest.fixture
def patched() -> Iterator[None]:
    with ours.installed():
        yield
