"""Visitors that are not Python: curl, Chromium and Firefox, at uvicorn, hypercorn and `pellucid serve --www`.

Each server speaks pellucid, as in the other files. `make ecosystem` tries all of them; a plain run one
server for each browser, which take seconds to start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compat.world import Contexts
from ecosystem.programs import World
from ecosystem.test_http import hypercorn_server, uvicorn_server
from interop.bench import Setup
from interop.web import Chromium, Firefox

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default"), pytest.mark.timeout(240)]

WORDS = "a page for whoever comes"


class App:
    """An ASGI application with one page, that remembers by which HTTP who came."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/":
            self.seen.append((dict(scope["headers"])[b"user-agent"].decode(), scope["http_version"]))
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(WORDS)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": WORDS.encode()})


def with_curl(url: str, ca: str, home: Path) -> str:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    words = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--cacert", ca, url]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=90).stdout


def with_chromium(url: str, ca: str, home: Path) -> str:
    browser, trusted = Chromium(), SimpleNamespace(root=Path(ca))
    if browser.version() is None:
        pytest.skip("Chromium, or certutil, is not installed")
    return browser.read(home, url, Setup(), trusted)  # type: ignore[arg-type]


def with_firefox(url: str, ca: str, home: Path) -> None:
    """It only draws a picture, of errors too: what was seen, the server must say."""
    browser, trusted = Firefox(), SimpleNamespace(root=Path(ca))
    if browser.version() is None:
        pytest.skip("Firefox, or certutil, is not installed")
    browser.load(home, url, Setup(), trusted)  # type: ignore[arg-type]


VISITORS: dict[str, tuple[Callable[[str, str, Path], str | None], str]] = {
    "curl": (with_curl, "curl/"),
    "Chromium": (with_chromium, "Chrome/"),
    "Firefox": (with_firefox, "Firefox/"),
}
SERVERS = ("uvicorn", "hypercorn", "serve --www")
CELLS = [
    (visitor, server)
    for visitor, only in (("curl", SERVERS), ("Chromium", ("hypercorn",)), ("Firefox", ("uvicorn",)))
    for server in (SERVERS if os.environ.get("PELLUCID_INTEROP") == "whole" else only)
]


def until(true: Callable[[], bool]) -> None:
    """Wait for what another process writes when the visitor has gone."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(("visitor", "server"), CELLS, ids=map("-".join, CELLS))
def test_visited_by(visitor: str, server: str, contexts: Contexts, tmp_path: Path) -> None:
    visit, agent = VISITORS[visitor]
    (tmp_path / "home").mkdir()
    if server == "serve --www":
        record = tmp_path / "record"
        words = ["-m", "pellucid", "serve", "127.0.0.1:0", "--www", "--cert", contexts.pem("localhost")]
        with World("pellucid", tmp_path).server(*words, "--record", record) as port:
            page = visit(f"https://localhost:{port}/", contexts.ca, tmp_path / "home")
            until(lambda: record.exists() and "handshake complete" in record.read_text())
        assert page is None or "TLS 1.3" in page
        return
    app = App()
    running = (
        uvicorn_server(contexts.server(), "asyncio", app)
        if server == "uvicorn"
        else hypercorn_server(contexts.server(), app)
    )
    with running as port:
        page = visit(f"https://localhost:{port}/", contexts.ca, tmp_path / "home")
    assert page is None or WORDS in page
    version = "2" if server == "hypercorn" else "1.1"
    assert [(agent in name, http) for name, http in app.seen[:1]] == [(True, version)]
