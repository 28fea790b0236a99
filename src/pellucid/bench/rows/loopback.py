"""Real sockets on loopback, client and server in processes of their own, CPU time of both.

Echo is 64 bytes there and back; bulk goes up (client to server) or down in writes of 64 KiB. The
standard ssl runs under the same loop: asyncio's streams, uvloop's, or a blocking SSLSocket.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from typing import IO, Any

from ..certs import material_for
from ..harness import BOTH, Sample
from ..peers import OURS
from ..peers.base import BenchError, Missing, Peer, load
from ..scenario import TLS13
from .base import Entry, Row
from .processes import CHILD, freeze

_ECHO, _WRITE, _MIB = 64, 65536, 1 << 20
_KINDS = {
    "echo": (b"E", 1, _ECHO),
    "up": (b"U", _MIB // _WRITE, _WRITE),
    "down": (b"D", _MIB // _WRITE, _WRITE),
}


class _Process:
    """A child that answers each line with a line."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, CHILD, "socket", *arguments]
        self._log: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed in stop()
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        atexit.register(self.stop)

    def hear(self) -> dict[str, Any]:
        """The next line of it."""
        line = self._child.stdout.readline() if self._child.stdout else ""
        if not line:
            self._child.wait()
            self._log.seek(0)
            said = self._log.read().strip().splitlines() or ["it said nothing"]
            raise BenchError(f"the child process ended: {said[-1]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **wanted: Any) -> dict[str, Any]:
        """Say a line, hear a line."""
        if self._child.stdin is None:
            raise BenchError("the child process takes no input")
        self._child.stdin.write(json.dumps(wanted) + "\n")
        self._child.stdin.flush()
        return self.hear()

    def stop(self) -> None:
        """End it."""
        atexit.unregister(self.stop)
        self._child.kill()
        self._child.communicate()
        self._log.close()


class _Line:
    """A server process, a client process and the connection between them."""

    def __init__(self, peer: str, path: str, loop: str) -> None:
        self.server = _Process(peer, path, loop, "server")
        self.client: _Process | None = None
        try:
            port = self.server.hear()["port"]
            self.client = _Process(peer, path, loop, "client", str(port))
            self.run("echo", 10)
        except BaseException:
            self.stop()
            raise

    def run(self, kind: str, count: int) -> Sample:
        """So many round trips, or MiB one way."""
        code, times, size = _KINDS[kind]
        if self.client is None:
            raise BenchError("there is no client process")
        before = self.server.ask()["cpu"]
        start = time.perf_counter_ns()
        spent = self.client.ask(kind=code.decode(), times=times * count, size=size)
        wall = time.perf_counter_ns() - start
        server = self.server.ask()["cpu"] - before
        both = (spent["cpu"] + server) / count
        return Sample({BOTH: both, "client": spent["cpu"] / count, "server": server / count}, wall / count)

    def stop(self) -> None:
        """End both processes."""
        for process in (self.client, self.server):
            if process is not None:
                process.stop()


def _enter(loop: str, kind: str, ours: str, peers: Mapping[str, Peer], quick: bool) -> Entry:
    entry = Entry()
    if loop == "uvloop":
        try:
            load("uvloop", "uvloop")
        except Missing as error:
            entry.absent = dict.fromkeys(peers, str(error))
            return entry
    folder = tempfile.TemporaryDirectory(prefix="pellucid-bench-")
    path = freeze(material_for(TLS13), folder.name)
    lines: list[_Line] = []
    for name in (*(name for name in peers if name in (OURS, "ssl")), "plain"):
        try:
            lines.append(_Line(ours if name == OURS else name, path, loop))
        except BenchError as error:
            entry.absent[name] = str(error)
            continue
        entry.subjects[name] = partial(lines[-1].run, kind)
    for name in peers.keys() - entry.subjects.keys() - entry.absent.keys():
        entry.absent[name] = "no measurement on sockets"

    def finish() -> None:
        for line in lines:
            line.stop()
        folder.cleanup()

    entry.finish = finish
    return entry


def row(loop: str, kind: str, ours: str = OURS) -> Row:
    """A row on sockets; `ours` is the stack that runs as pellucid."""
    titles = {"echo": "echo of 64 B, a round trip", "up": "bulk up, a MiB", "down": "bulk down, a MiB"}
    return Row(
        f"{loop}-{kind}",
        f"{loop}: {titles[kind]}",
        partial(_enter, loop, kind, ours),
        (BOTH, "client", "server"),
        size=_ECHO if kind == "echo" else _MIB,
        share=1.5,
    )


ROWS = tuple(row(loop, kind) for loop in ("asyncio", "uvloop", "blocking") for kind in _KINDS)
