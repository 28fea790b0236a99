"""Firefox without a window, driven by WebDriver BiDi (w3c.github.io/webdriver-bidi): JSON in a WebSocket."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIREFOX = os.environ.get("PELLUCID_FIREFOX") or shutil.which("firefox-esr") or ""
SECONDS = 90.0
_WHERE = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_SETTINGS: dict[str, Any] = {
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "network.dns.disablePrefetch": True,
    "network.http.speculative-parallel-limit": 0,
}


class Firefox:
    """A Firefox that runs, and its one tab."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self.call("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})
        self._tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **params: Any) -> Any:
        """A command, and its result."""
        number = next(self._numbers)
        self._line.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._line.recv(SECONDS))
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def visit(self, url: str, until: str = "true") -> str:
        """The text of a page, once the expression `until` is true in it."""
        self.call("browsingContext.navigate", context=self._tab, url=url, wait="complete")
        look = f"const look = () => ({until}) ? done(0) : setTimeout(look, 50); look()"
        expression = f"new Promise(done => {{ {look} }}).then(() => document.body.innerText)"
        target = {"context": self._tab}
        told = self.call("script.evaluate", expression=expression, target=target, awaitPromise=True)
        return str(told["result"]["value"])


@contextlib.contextmanager
def running(home: Path, settings: dict[str, Any]) -> Iterator[Firefox]:
    """Firefox with a profile of its own.

    Parameters:
        home: its HOME; `home/profile` is its profile, and may hold a database of certificates already.
        settings: its preferences.
    """
    from websockets.sync.client import connect

    profile = home / "profile"
    profile.mkdir(exist_ok=True)
    lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in (_SETTINGS | settings).items()]
    (profile / "user.js").write_text("".join(lines))
    process = subprocess.Popen(
        [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"HOME": str(home), "MOZ_CRASHREPORTER_DISABLE": "1"},
    )
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    try:
        assert process.stderr is not None
        said = ""
        while (found := _WHERE.search(said)) is None:
            line = process.stderr.readline()
            assert line, f"Firefox ended: {said}"
            said += line
        threading.Thread(target=process.stderr.read, daemon=True).start()  # it goes on talking
        where = found[1] + "/session"
        with connect(where, max_size=None, open_timeout=SECONDS, proxy=None) as socket:
            yield Firefox(socket)
    finally:
        timer.cancel()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
