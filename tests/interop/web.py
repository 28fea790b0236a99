"""Peers that speak TLS for the web: two browsers without a window, and an application server."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from .bench import (
    CURVES,
    HYBRID,
    INSTALLED,
    KEYS,
    PROGRAMS,
    SUITES12,
    SUITES13,
    Certificates,
    Peer,
    PeerFailed,
    Serving,
    Setup,
    Visit,
    free_port,
    listening,
    run_quietly,
    running,
    wait_for,
)
from .commands import read_on, tool_version

BROWSER_SECONDS = 90.0
LEVELS = {"1.2": 3, "1.3": 4}  # Firefox's numbers


def trust_root(database: Path, certificates: Certificates) -> None:
    """An NSS database, which both browsers read, with our root as an authority."""
    database.mkdir(parents=True)
    run_quietly(["certutil", "-N", "-d", f"sql:{database}", "--empty-password"])
    run_quietly(
        ["certutil", "-A", "-d", f"sql:{database}", "-n", "root", "-t", "C,,", "-i", certificates.root]
    )


class Browser(Peer):
    """It loads one page. It may open connections that it does not use, and ask for an icon."""

    asks = "http"
    more_connections = True
    program: str
    _both = frozenset({"1.2", "1.3", "alpn", "hrr", "brotli"}) | KEYS | HYBRID

    def version(self) -> str | None:
        if shutil.which("certutil") is None:
            return None
        return tool_version(self.program, "--version")

    def load(self, home: Path, address: str, setup: Setup, certificates: Certificates) -> bool:
        """Load the page; whether it was shown."""
        raise NotImplementedError

    def visit(self, port: int, setup: Setup, certificates: Certificates, payload: bytes) -> Visit:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            if not self.load(Path(folder), f"https://localhost:{port}/", setup, certificates):
                raise PeerFailed(f"{self.name} did not show the page")
            return Visit(b"HTTP/", ({},), "")

    def run(self, home: Path, *arguments: str | Path) -> str:
        """The browser, with a home of its own; returns its stdout."""
        with running([self.program, *arguments], env={**os.environ, "HOME": str(home)}) as child:
            timer = threading.Timer(BROWSER_SECONDS, child.kill_group)
            timer.start()
            child.stdin.close()
            said = child.stdout.read()
            timer.cancel()
            return said.decode(errors="replace")


class Chromium(Browser):
    """BoringSSL, as most people meet it."""

    name = "chromium"
    library = "BoringSSL (Chromium)"
    program = "chromium"
    client = Browser._both | SUITES13 | SUITES12 | (CURVES - {"secp521r1"})

    def load(self, home: Path, address: str, setup: Setup, certificates: Certificates) -> bool:
        page = self.read(home, address, setup, certificates)
        return "<pre" in page and "ERR_" not in page  # an error is a page, too

    def read(self, home: Path, address: str, setup: Setup, certificates: Certificates) -> str:
        """What stands on the page, as HTML."""
        trust_root(home / ".pki" / "nssdb", certificates)
        words = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
        ]
        words += [f"--user-data-dir={home / 'data'}", "--timeout=30000"]
        if setup.version:
            words += [f"--ssl-version-{end}=tls{setup.version}" for end in ("min", "max")]
        return self.run(home, *words, "--dump-dom", address)


class Firefox(Browser):
    """NSS, newer than the tools of Debian. Every run takes it seconds to start, so it has fewer rows."""

    name = "firefox"
    library = "NSS (Firefox)"
    program = "firefox-esr"
    tells = (
        False  # it draws a picture of an error, too: whether the page was asked for is for our server to say
    )
    client = Browser._both | CURVES | {"zlib", "zstd", "record-size-limit"}

    def load(self, home: Path, address: str, setup: Setup, certificates: Certificates) -> bool:
        profile = home / "profile"
        trust_root(profile, certificates)
        settings = {
            "network.captive-portal-service.enabled": "false",
            "network.connectivity-service.enabled": "false",
            "datareporting.policy.dataSubmissionEnabled": "false",
            "app.update.enabled": "false",
        }
        if setup.version:
            for end in ("min", "max"):
                settings[f"security.tls.version.{end}"] = str(LEVELS[setup.version])
        lines = [f'user_pref("{name}", {value});\n' for name, value in settings.items()]
        (profile / "user.js").write_text("".join(lines))
        picture = home / "page.png"
        self.run(home, "--headless", "--no-remote", "--profile", profile, "--screenshot", picture, address)
        return picture.exists()


class Granian(Peer):
    """rustls with ring under granian, a server for Python's web applications."""

    name = "granian"
    library = "rustls (granian)"
    answers = "http"
    _program = INSTALLED / "venv" / "bin" / "granian"
    server = frozenset({"1.2", "1.3", "client-auth", "ed25519"}) | KEYS | SUITES13 | SUITES12
    server = server | (CURVES - {"secp521r1"}) | {"resumption-1.3"}

    def version(self) -> str | None:
        return run_quietly([self._program, "--version"]).split()[-1] if self._program.exists() else None

    @contextlib.contextmanager
    def serve(self, setup: Setup, certificates: Certificates) -> Iterator[Serving]:
        port = free_port()
        command: list[str | Path | int] = [self._program, "--interface", "asgi"]
        command += ["--host", "127.0.0.1", "--port", port]
        command += ["--ssl-certificate", certificates.certificate(setup.key)]
        command += ["--ssl-keyfile", certificates.key(setup.key), "--ssl-protocol-min", "tls1.2"]
        command += ["--working-dir", PROGRAMS]
        if setup.client_key:
            command += ["--ssl-ca", certificates.root, "--ssl-client-verify"]
        with running([*command, "page:application"]) as child:
            wait_for(child, lambda: listening(port), "listener")
            serving = Serving(child, port)
            threading.Thread(target=read_on, args=(child, serving), daemon=True).start()
            yield serving
