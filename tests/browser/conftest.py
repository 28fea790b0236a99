"""A real browser: Debian's Chromium, driven by Playwright. Without either the tests skip, by name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.pages import opened, running

CHROMIUM = os.environ.get("PELLUCID_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They are slow, all of them."""
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    """Playwright itself. Its loop runs in this thread: tests of another module must not meet it."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def launch(playwright: Any) -> Callable[..., Any]:
    """Starts a browser with flags of its own."""
    return lambda *flags: playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Any]) -> Iterator[Any]:
    """The browser that most tests share."""
    started = launch()
    yield started
    started.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A page in a profile of its own; no test may leave an error on its console."""
    with opened(browser) as page:
        yield page


@pytest.fixture(scope="module")
def live() -> Iterator[str]:
    """`pellucid live`: the address of its page."""
    with running("live") as (_, url):
        assert url.startswith("http://127.0.0.1:")
        yield url
