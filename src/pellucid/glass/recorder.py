"""Observers of many connections: a flight recorder, and the files of PELLUCID_TRACE.

A `Trace` observes one connection; a configuration is shared by many. `FlightRecorder` gives each
connection a trace of its own, keeps the last few, and hands one over when its connection fails:

    config = ClientConfig(observer=FlightRecorder())
    try: ...
    except TLSError as error:
        print(error.report())

The environment variable PELLUCID_TRACE makes any program that uses pellucid write its traces: it names
a folder, or a file. PELLUCID_TRACE_SECRETS=1 writes secrets and data too, so that the trace can be
replayed; treat such a file like a private key.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TextIO

from pellucid.errors import Reason, UsageError
from pellucid.glass.telling import Raw
from pellucid.glass.trace import Trace

VARIABLE = "PELLUCID_TRACE"
SECRETS = "PELLUCID_TRACE_SECRETS"
#: Facts after which a file is flushed: somebody may be waiting for them, or the program may end.
_FLUSHED = frozenset({"state", "alert", "error"})


class FlightRecorder:
    """Keeps the traces of the latest connections of a configuration.

    Parameters:
        keep: how many. A trace holds secrets in memory: keep few.
        inputs: note what comes in too, so that a connection can be replayed; it costs as much again.

    >>> recorder = FlightRecorder()
    >>> note = recorder.open("client", "example.org")
    >>> note("state", what="handshake complete")
    >>> recorder.last.name
    'example.org'
    """

    def __init__(self, keep: int = 1, *, inputs: bool = False) -> None:
        if keep < 1:
            raise UsageError(Reason.BAD_CONFIG, "a flight recorder keeps one trace at least")
        self._traces: deque[Trace] = deque(maxlen=keep)
        self._inputs = inputs

    def open(self, role: str, name: str | None = None) -> Callable[..., None]:
        """A connection begins: it gets a trace of its own."""
        trace = Trace(inputs=self._inputs)
        self._traces.append(trace)
        return trace.open(role, name)

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The traces that are kept, oldest first."""
        return tuple(self._traces)

    @property
    def last(self) -> Trace | None:
        """The trace of the latest connection; None before the first."""
        return self._traces[-1] if self._traces else None


class Followed(Trace):
    """A trace that somebody reads while it grows: `told` is called with each new fact.

    >>> trace = Followed(lambda: print("something new"))
    >>> trace.open("client")("state", what="handshake complete")
    something new
    """

    __slots__ = ("_told",)

    def __init__(self, told: Callable[[], None], *, inputs: bool = True) -> None:
        super().__init__(inputs=inputs)
        self._told = told

    def keep(self, fact: Raw) -> None:
        """Append a fact, and tell."""
        super().keep(fact)
        self._told()

    @property
    def jot(self) -> Callable[[Raw], None]:
        """The same: each fact is told when it comes."""
        return self.keep

    def keep_data(self, fact: Raw) -> None:
        """Append a record, or a sample, and tell."""
        super().keep_data(fact)
        self._told()


class TraceFiles:
    """Writes each connection's trace to a file of its own, fact by fact.

    Parameters:
        path: a folder (each file is named after time, process, role and host), or the name of a file;
            a name that is taken gets a number. Nothing is ever overwritten.
        secrets: write secrets and application data too.
    """

    def __init__(self, path: str | os.PathLike[str], *, secrets: bool = False) -> None:
        self.path = Path(path)
        self.secrets = secrets
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def open(self, role: str, name: str | None = None) -> Callable[..., None]:
        """A connection begins.

        Raises:
            UsageError: its file cannot be made (`Reason.BAD_CONFIG`).
        """
        trace = _Written(self.secrets)
        note = trace.open(role, name)
        try:
            with self._lock:
                trace.begin(self._file(trace))
        except OSError as error:
            raise UsageError(Reason.BAD_CONFIG, f"{VARIABLE}: {self.path}: {error.strerror}") from None
        return note

    def _file(self, trace: Trace) -> TextIO:
        while True:
            try:
                return open(self._name(trace, next(self._numbers)), "x", encoding="utf-8")
            except FileExistsError:
                continue

    def _name(self, trace: Trace, number: int) -> Path:
        if self.path.is_dir():
            host = "".join(char if char.isalnum() or char in ".-" else "_" for char in trace.name or "any")
            return self.path / f"{int(trace.started)}-{os.getpid()}-{number}-{trace.role}-{host[:80]}.jsonl"
        return self.path if number == 1 else self.path.with_stem(f"{self.path.stem}-{number}")


class _Written(Trace):
    """A trace that is written while it grows."""

    __slots__ = ("_file", "_lines", "_secrets")

    def __init__(self, secrets: bool) -> None:
        super().__init__()
        self._secrets = secrets
        self._file: TextIO | None = None
        self._lines = 0  # facts that are written

    def begin(self, file: TextIO) -> None:
        """Write the head; every fact is written when it comes."""
        self._file = file
        file.write(json.dumps(self.head(secrets=self._secrets)) + "\n")
        file.flush()

    def keep(self, fact: Raw) -> None:
        super().keep(fact)
        self._write_new()

    @property
    def jot(self) -> Callable[[Raw], None]:
        return self.keep

    def keep_data(self, fact: Raw) -> None:
        super().keep_data(fact)
        self._write_new()

    def _write_new(self) -> None:
        if self._file is not None:
            for new in self.facts[self._lines :]:
                self._lines += 1
                self._file.write(self.line(new, secrets=self._secrets) + "\n")
                if new.kind in _FLUSHED:
                    self._file.flush()

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()


def from_environment() -> TraceFiles | None:
    """The observer that PELLUCID_TRACE asks for; None where it asks for none."""
    path = os.environ.get(VARIABLE)
    return _files(path, os.environ.get(SECRETS, "") not in ("", "0")) if path else None


@cache
def _files(path: str, secrets: bool) -> TraceFiles:
    return TraceFiles(path, secrets=secrets)
