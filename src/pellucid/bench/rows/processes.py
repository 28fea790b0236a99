"""What needs a fresh process: memory of idle connections, imports, the first handshake.

The CPU time of a child is what the kernel says of it (wait4); memory is the growth of its resident
set over the connections that it keeps. The costs of these rows are not in nanoseconds.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ..certs import Issued, Material, material_for
from ..harness import BOTH, Sample, Subject
from ..peers import OURS
from ..peers.base import BenchError, Peer
from ..scenario import TLS13
from .base import Entry, Row

_CONNECTIONS, _QUICK_CONNECTIONS = 2000, 300
CHILD = str(Path(__file__).resolve().parents[1] / "child.py")


def freeze(material: Material, folder: str) -> str:
    """Write the certificates for a child process."""

    def plain(issued: Issued) -> dict[str, bytes]:
        return {name: getattr(issued, name) for name in ("der", "pem", "key_pem", "key_der")}

    path = os.path.join(folder, "material")
    fields = {name: plain(getattr(material, name)) for name in ("leaf", "root", "client")}
    plainly = {name: getattr(material, name) for name in ("sent", "sent_pem", "trusted_pem")}
    with open(path, "wb") as file:
        pickle.dump({**fields, **plainly}, file)
    return path


def run_child(*arguments: str) -> str:
    """Run to the end; its output, or BenchError with its last line.

    Bytecode may be kept: what pip installs has its own, and only a checkout would be compiled each time.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise BenchError(lines[-1])
    return done.stdout


def _cpu_ms(*arguments: str) -> tuple[float, float]:
    """CPU and wall milliseconds of a child process."""
    start = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise BenchError(f"{' '.join(arguments)[:60]}: exit status {status}")
    return (usage.ru_utime + usage.ru_stime) * 1000, (time.perf_counter() - start) * 1000


def _import_subject(statement: str) -> Subject:
    """Milliseconds of CPU that an import takes over a bare interpreter."""
    bare = min(_cpu_ms("-I", "-c", "pass")[0] for _ in range(3))

    def subject(count: int) -> Sample:
        cpu, wall = _cpu_ms("-I", "-c", statement)
        return Sample({BOTH: max(cpu - bare, 0.1)}, wall)

    return subject


def _first_subject(name: str, path: str) -> Subject:
    """Milliseconds from the start of the interpreter to the end of its first handshake."""

    def subject(count: int) -> Sample:
        start = time.perf_counter()
        out = run_child(CHILD, "first", name, path)
        return Sample({BOTH: json.loads(out)["cpu"] * 1000}, (time.perf_counter() - start) * 1000)

    return subject


def _memory_subject(name: str, path: str, side: str, data: str, connections: int) -> Subject:
    def subject(count: int) -> Sample:
        out = run_child(CHILD, "memory", name, path, side, data, str(connections))
        return Sample({BOTH: json.loads(out)["kib"]})

    return subject


def _enter(make: Callable[[Peer], Subject], peers: Mapping[str, Peer], skip: Callable[[Peer], str]) -> Entry:
    entry = Entry()
    for name, peer in peers.items():
        reason = skip(peer)
        if reason:
            entry.absent[name] = reason
        else:
            entry.subjects[name] = make(peer)
    return entry


def _with_material(entered: Callable[[str], Entry]) -> Entry:
    folder = tempfile.TemporaryDirectory(prefix="pellucid-bench-")
    entry = entered(freeze(material_for(TLS13), folder.name))
    entry.finish = folder.cleanup
    return entry


def _left_out(quick: bool, peer: Peer) -> str:
    return "not in a quick run" if quick and peer.name not in (OURS, "ssl") else ""


def _enter_import(peers: Mapping[str, Peer], quick: bool) -> Entry:
    return _enter(lambda peer: _import_subject(peer.statement), peers, partial(_left_out, quick))


def _enter_first(peers: Mapping[str, Peer], quick: bool) -> Entry:
    def entered(path: str) -> Entry:
        return _enter(lambda peer: _first_subject(peer.name, path), peers, partial(_left_out, quick))

    return _with_material(entered)


def _enter_memory(side: str, data: str, peers: Mapping[str, Peer], quick: bool) -> Entry:
    connections = _QUICK_CONNECTIONS if quick else _CONNECTIONS

    def skip(peer: Peer) -> str:
        if peer.slow:
            return "too slow to make thousands of connections"
        no_records = "no record protection" if data and not peer.protects_records else ""
        return _left_out(quick, peer) or no_records

    def make(path: str, peer: Peer) -> Subject:
        return _memory_subject(peer.name, path, side, data, connections)

    return _with_material(lambda path: _enter(partial(make, path), peers, skip))


def _memory(side: str, data: bool) -> Row:
    after = ", after 16 kB each way" if data else ""
    return Row(
        f"memory-{side}" + ("-data" if data else ""),
        f"an idle {side} connection{after}",
        partial(_enter_memory, side, "data" if data else ""),
        unit="KiB",
        quick=data,
        share=1.5,
        most=1,
        rounds=1,
    )


ROWS = (
    *(_memory(side, data) for side in ("server", "client") for data in (False, True)),
    Row("import", "importing the library", _enter_import, unit="ms", most=1, share=2.0),
    Row(
        "first-handshake", "interpreter start to first handshake", _enter_first, unit="ms", most=1, share=2.0
    ),
)
