"""Runs a program with the hook in it, and tells its connections as they happen.

RFC 8446 section 2 for where the keys change: the hook gives messages without their epochs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pellucid.glass.gist import agreed
from pellucid.glass.hearing import TLS13, Hearing
from pellucid.glass.trace import Trace
from pellucid.programs import hook
from pellucid.protection import ALERT, APPLICATION, CHANGE_CIPHER_SPEC, HANDSHAKE, HANDSHAKE_KEYS, PLAIN
from pellucid.wire.codepoints import HandshakeType

_CLEAR = (HandshakeType.client_hello, HandshakeType.server_hello)
PAUSE = 0.05
"""Seconds between two looks at what was written."""


class Seen:
    """A connection of the program.

    Attributes:
        process, argv: whose it is.
        role: "client" or "server".
        name: the server's name, as the program gave it.
        peer: (address, port), where there is a socket.
        over: it was completed, or refused, and has been told.
    """

    def __init__(self, fact: dict[str, Any]) -> None:
        self.process: int = fact["process"]
        self.argv: list[str] = fact["argv"]
        self.role = "server" if fact["server"] else "client"
        self.name: str | None = fact["name"]
        self.peer: tuple[str, int] | None = tuple(fact["peer"]) if fact["peer"] else None
        self.over = False
        self._hearing: Hearing | None = None
        self._changed: set[bool] = set()  # who has sent ChangeCipherSpec
        self._finished: set[bool] = set()

    @property
    def trace(self) -> Trace:
        """What was heard so far."""
        hearing = self._hearing or Hearing(self.role, 0.0)
        hearing.trace.name = hearing.trace.name or self.name
        return hearing.trace

    @property
    def complete(self) -> bool:
        """Both Finished were heard, or somebody refused."""
        hearing = self._hearing
        return hearing is not None and (hearing.complete or next(hearing.trace.of("error"), None) is not None)

    @property
    def summary(self) -> str:
        """The connection in one line."""
        trace = self.trace
        where = self.name or trace.name or (f"{self.peer[0]}:{self.peer[1]}" if self.peer else "?")
        told = [str(self.process), self.role, where, *agreed(trace).values()]
        error = next(trace.of("error"), None)
        told.append(str(error.fields["detail"]) if error else "complete" if self.complete else "unfinished")
        return "  ".join(told)

    def hear(self, fact: dict[str, Any]) -> None:
        """One line of the hook's."""
        if self._hearing is None:
            self._hearing = Hearing(self.role, fact["at"])
        hearing, data = self._hearing, bytes.fromhex(fact["data"])
        hearing.now = max(0.0, fact["at"] - hearing.trace.started)
        client = fact["sent"] == (self.role == "client")
        if fact["type"] == CHANGE_CIPHER_SPEC:
            self._changed.add(client)
            hearing.note("ccs", sent=hearing.sent(client))
        elif fact["type"] == ALERT and len(data) == 2:
            hearing.alert(client, *data)
        elif fact["type"] == HANDSHAKE and len(data) >= 4:
            hearing.message(client, self._epoch(client, data[0]), data)
            if data[0] == HandshakeType.finished:
                self._finished.add(client)

    def _epoch(self, client: bool, kind: int) -> int:
        hearing = self._hearing
        if kind in _CLEAR or hearing is None:
            return PLAIN
        if hearing.version == TLS13:
            return APPLICATION if client in self._finished else HANDSHAKE_KEYS
        return int(client in self._changed)


class Watching:
    """What every way of watching has in common: reading what the hook writes, a file for each process.

    Attributes:
        processes: how many Python processes were watched.
        blind: what could not be seen, in words.
        problems: what went wrong with the watching.
    """

    def __init__(self) -> None:
        self.processes = 0
        self.blind: set[str] = set()
        self.problems: list[str] = []
        self._folder = Path(tempfile.mkdtemp(prefix="pellucid-trace-"))
        self._told = self._folder / "told"
        self._told.mkdir()
        self._read: dict[Path, int] = {}
        self._connections: dict[str, Seen] = {}

    def _rest(self) -> Iterator[Seen]:
        """What is left to say when it is over."""
        yield from self._news()
        for seen in self._connections.values():
            if not seen.over:
                seen.over = True
                yield seen

    def _news(self) -> Iterator[Seen]:
        for fact in self._lines():
            if "connection" in fact:
                self._connections[fact["connection"]] = Seen(fact)
            elif "of" in fact and fact["of"] in self._connections:
                self._connections[fact["of"]].hear(fact)
            elif "blind" in fact:
                self.blind |= set(fact["blind"])
            elif "problem" in fact:
                self.problems.append(fact["problem"])
            elif "process" in fact:
                self.processes += 1
        for seen in list(self._connections.values()):
            if seen.complete and not seen.over:
                seen.over = True
                yield seen

    def _lines(self) -> Iterator[dict[str, Any]]:
        """What was written since the last look; whole lines only."""
        for path in sorted(self._told.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + whole
            for line in data[:whole].splitlines():
                yield json.loads(line)


class Watch(Watching):
    """A program that is watched. Use it as a context manager; iterate over it for its connections.

    Parameters:
        command: the program and its arguments.
        engine: "observe", or "ours" to let pellucid do the program's TLS.

    Attributes:
        code: the program's exit code, when the iteration has ended.
        processes, blind, problems: see `Watching`.

    Raises:
        OSError: the program cannot be started.

    >>> import sys
    >>> with Watch([sys.executable, "-c", "print('no TLS here')"]) as watch:
    ...     list(watch)
    []
    >>> watch.code, watch.processes
    (0, 1)
    """

    def __init__(self, command: Sequence[str], engine: str = "observe") -> None:
        super().__init__()
        self.command = command
        self.engine = engine
        self.code = 0

    def __enter__(self) -> Watch:
        boot = self._folder / "boot"
        boot.mkdir()
        shutil.copyfile(str(hook.__file__), boot / "sitecustomize.py")
        path = os.pathsep.join(filter(None, [str(boot), os.environ.get("PYTHONPATH")]))
        more = {"PYTHONPATH": path, "PELLUCID_WATCH": str(self._told), "PELLUCID_WATCH_ENGINE": self.engine}
        try:
            self._child = subprocess.Popen(list(self.command), env=os.environ | more)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self._child.terminate()
            self._child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __iter__(self) -> Iterator[Seen]:
        """Each connection once: when it is complete or refused, else when the program has ended."""
        while self._child.poll() is None:
            yield from self._news()
            try:
                time.sleep(PAUSE)
            except KeyboardInterrupt:  # the program got it too; it decides
                continue
        self.code = self._child.returncode
        yield from self._rest()
