"""Running the command as its users do: a process, pipes, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Self

from pellucid import Authority, ServerConfig, serve
from pellucid.io.sockets import TLSSocket

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "SSLKEYLOGFILE")}
COMMAND = [sys.executable, "-m", "pellucid"]
SECONDS = 60


def pellucid(
    *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command on pipes."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=SECONDS,
        env=ENVIRONMENT | (env or {}),
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def objects(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    """What --json printed: every line of stdout is an object."""
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def echo_server(authority: Authority, **settings: Any) -> Iterator[int]:
    """A server of the library's that echoes; `settings` are those of the certificate."""
    with serving(ServerConfig(identities=(authority.issue("localhost", **settings),))) as port:
        yield port


@contextlib.contextmanager
def serving(config: ServerConfig) -> Iterator[int]:
    """A server of the library's that echoes."""

    def echo(tls: TLSSocket) -> None:
        for data in tls:
            tls.sendall(data)
        tls.shutdown_write()

    with serve(echo, config) as server:
        yield server.port


@contextlib.contextmanager
def in_front() -> Iterator[None]:
    """A shell lets what runs behind it ignore Ctrl-C, and its children with it: not ours.

    Not by `preexec_fn`: between fork and exec it may wait for ever for what another thread held.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Serve:
    """`pellucid serve` while it runs, on a port of its own; then, what it printed and its code."""

    words: tuple[str, ...] = ("serve", "0")

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.arguments = arguments
        self.env = ENVIRONMENT | (env or {})
        self.port = 0
        self.greeting = self.stdout = self.stderr = b""
        self.code = -1

    def __enter__(self) -> Self:
        command = [*COMMAND, *self.words, *self.arguments]
        pipe = subprocess.PIPE
        self.output = tempfile.TemporaryFile()  # a pipe that nobody empties would stop it
        with in_front():
            self.process = subprocess.Popen(command, stdout=self.output, stderr=pipe, env=self.env)
        assert self.process.stderr is not None
        while b"listening on" not in (line := self.process.stderr.readline()):
            self.greeting += line
            assert line, self.greeting
        self.port = int(line.rsplit(b":", 1)[1])
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None or "--once" not in self.arguments:
            self.process.terminate()
        self.stderr = self.process.communicate(timeout=SECONDS)[1]
        with self.output as output:
            output.seek(0)
            self.stdout = output.read()
        self.code = self.process.returncode
        assert b"Traceback" not in self.stderr, self.stderr.decode()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """What --json printed."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Proxy(Serve):
    """The same of `pellucid proxy`. Its port is not told with -q: there is no narration then."""

    words = ("proxy",)

    @property
    def url(self) -> str:
        """For HTTPS_PROXY."""
        return f"http://127.0.0.1:{self.port}"
