"""pellucid against itself: with an observer, without one, with no place for one; one thread and two."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..certs import material_for
from ..harness import BOTH, Sample, Subject
from ..peers import OURS
from ..peers.base import Endpoint, Peer
from ..scenario import TLS13
from .base import Entry, Row
from .handshakes import PARTS, handshakes
from .records import connected

_MIB = 1 << 20
_TRANSFERS = 8


class Traces:
    """A new trace for each connection, with everything that comes in: what `replay` needs."""

    def open(self, role: str, name: str | None) -> Any:
        """A connection begins."""
        from pellucid.glass.trace import Trace

        return Trace().open(role, name)


def recorder() -> Any:
    """Keeps the last trace, without inputs: what `error.report()` needs."""
    from pellucid.glass.recorder import FlightRecorder

    return FlightRecorder()


def _enter_watched(observer: Callable[[], Any], peers: Mapping[str, Peer], quick: bool) -> Entry:
    """Handshakes that somebody looks at, beside those that nobody does."""
    if OURS not in peers:
        return Entry(absent={OURS: "not in this run"})
    peer: Any = peers[OURS]
    material = material_for(TLS13)
    try:
        seen = peer.watched(TLS13, material, observer())
    except ImportError as error:
        return Entry(absent={OURS: str(error)})
    unseen = peer.pair(TLS13, material)
    return Entry(
        {OURS: partial(handshakes, seen, None), f"{OURS}-untraced": partial(handshakes, unseen, None)}
    )


def _enter_off(peers: Mapping[str, Peer], quick: bool) -> Entry:
    """Handshakes that nobody looks at, beside those of a copy that cannot be looked at."""
    if OURS not in peers:
        return Entry(absent={OURS: "not in this run"})
    from ..bare import load

    material = material_for(TLS13)
    bare = load("bench.peers.own").OwnPair(TLS13, material)
    plain = peers[OURS].pair(TLS13, material)
    return Entry({OURS: partial(handshakes, plain, None), f"{OURS}-bare": partial(handshakes, bare, None)})


def _threads(peer: Peer, threads: int) -> Subject:
    """Wall time to move the same total over two connections, in one thread or in one for each.

    The cost here is wall time: what a second thread gains is time, not CPU. One thread is a new one too,
    because glibc gives threads other memory than the main program's, which has long been warm.
    """
    ends = [connected(peer, "aes128gcm") for _ in range(2)]
    data = os.urandom(_MIB)

    def move(*ends: tuple[Endpoint, Endpoint]) -> None:
        for client, server in ends:
            for _ in range(_TRANSFERS):
                server.open(client.seal(data))

    shares = [ends] if threads == 1 else [[end] for end in ends]

    def subject(count: int) -> Sample:
        start = time.perf_counter_ns()
        for _ in range(count):
            workers = [threading.Thread(target=move, args=share) for share in shares]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        wall = (time.perf_counter_ns() - start) / count
        return Sample({BOTH: wall}, wall)

    return subject


def _enter_threads(peers: Mapping[str, Peer], quick: bool) -> Entry:
    if OURS not in peers:
        return Entry(absent={OURS: "not in this run"})
    peer = peers[OURS]
    entry = Entry({OURS: _threads(peer, 2), f"{OURS}-one-thread": _threads(peer, 1)})
    if "ssl" in peers:
        entry.subjects["ssl"] = _threads(peers["ssl"], 2)
    return entry


ROWS = (
    Row("tracing", "a TLS 1.3 handshake, traced for replay", partial(_enter_watched, Traces), PARTS),
    Row("recorder", "a TLS 1.3 handshake with a flight recorder", partial(_enter_watched, recorder), PARTS),
    Row("tracing-off", "a TLS 1.3 handshake that nobody looks at", _enter_off, PARTS, quick=False),
    Row(
        "threads",
        "16 MiB over two connections, two threads (wall)",
        _enter_threads,
        size=2 * _TRANSFERS * _MIB,
    ),
)
