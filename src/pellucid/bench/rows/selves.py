"""pellucid against itself: with and without an observer, with one thread and with two."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..certs import material_for
from ..harness import BOTH, Sample, Subject
from ..peers import OURS
from ..peers.base import Peer
from ..scenario import TLS13
from .base import Entry, Row
from .handshakes import handshakes
from .records import connected

_MIB = 1 << 20
_TRANSFERS = 8


def _watched(peer: Any) -> Subject:
    """Handshakes that a trace remembers."""
    from pellucid.glass.trace import Trace

    class Fresh:
        """A new trace for each connection, so that none of them grows."""

        def open(self, role: str, name: str | None) -> Any:
            return Trace().open(role, name)

    pair = peer.watched(TLS13, material_for(TLS13), Fresh())
    return partial(handshakes, pair, None)


def _enter_tracing(peers: Mapping[str, Peer], quick: bool) -> Entry:
    if OURS not in peers:
        return Entry(absent={OURS: "not in this run"})
    pair = peers[OURS].pair(TLS13, material_for(TLS13))
    plain = partial(handshakes, pair, None)
    try:
        return Entry({OURS: _watched(peers[OURS]), f"{OURS}-untraced": plain})
    except ImportError as error:
        return Entry(absent={OURS: str(error)})


def _threads(peer: Peer, threads: int) -> Subject:
    """Wall time to move the same total over `threads` connections, a thread each.

    The cost here is wall time: what a second thread gains is time, not CPU.
    """
    ends = [connected(peer, "aes128gcm") for _ in range(2)]
    data = os.urandom(_MIB)

    def move(client: Any, server: Any, times: int) -> None:
        for _ in range(times):
            server.open(client.seal(data))

    def subject(count: int) -> Sample:
        start = time.perf_counter_ns()
        for _ in range(count):
            if threads == 1:
                for client, server in ends:
                    move(client, server, _TRANSFERS)
            else:
                workers = [threading.Thread(target=move, args=(*end, _TRANSFERS)) for end in ends]
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
    return Entry({OURS: _threads(peer, 2), f"{OURS}-one-thread": _threads(peer, 1)})


ROWS = (
    Row("tracing", "a TLS 1.3 handshake, traced", _enter_tracing, (BOTH, "client", "server")),
    Row(
        "threads",
        "16 MiB over two connections, two threads (wall)",
        _enter_threads,
        size=2 * _TRANSFERS * _MIB,
    ),
)
