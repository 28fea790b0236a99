"""How the cost grows with the work: connections held, bytes sent, roots trusted, chain length.

A ratio that stays the same from the first row of a family to the last says that both grow alike; the
report also says how our own cost grew within the family.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from ..certs import material_for
from ..harness import BOTH, Sample, Subject
from ..peers import OURS
from ..peers.base import Pair, Peer, join
from ..scenario import TLS13, Scenario
from .base import Entry, Row
from .handshakes import row as handshake_row
from .records import connected

_KIB = bytes(1024)
_CHUNK = bytes(65536)


def _hold(pair: Pair, held: int, count: int) -> Sample:
    """CPU time a connection: all are made, then each carries 1 KiB each way, then all go."""
    clock, wall = time.thread_time_ns(), time.perf_counter_ns()
    for _ in range(count):
        connections = []
        for _ in range(held):
            client, server = pair.client(), pair.server()
            join(client, server)
            connections.append((client, server))
        for client, server in connections:
            for piece in server.open(client.seal(_KIB)):
                client.open(server.seal(bytes(piece)))
        del connections, client, server
    made = held * count
    spent = (time.thread_time_ns() - clock) / made
    return Sample({BOTH: spent}, (time.perf_counter_ns() - wall) / made)


def _enter_connections(held: int, peers: Mapping[str, Peer], quick: bool) -> Entry:
    entry = Entry()
    for name, peer in peers.items():
        reason = peer.refusal(TLS13)
        if peer.slow and held > 10:
            reason = "too slow for so many"
        elif not peer.protects_records:
            reason = "no record protection"
        if reason:
            entry.absent[name] = reason
        else:
            pair = peer.pair(TLS13, material_for(TLS13))
            entry.subjects[name] = partial(_hold, pair, held)
    return entry


def _stream(peer: Peer, size: int) -> Subject:
    """One connection sends `size` bytes in writes of 64 KiB, each opened at once."""
    client, server = connected(peer, "aes128gcm")
    writes = [_CHUNK] * (size // len(_CHUNK)) + [bytes(size % len(_CHUNK))] * bool(size % len(_CHUNK))

    def subject(count: int) -> Sample:
        clock, wall = time.thread_time_ns(), time.perf_counter_ns()
        for _ in range(count):
            for data in writes:
                server.open(client.seal(data))
        spent = (time.thread_time_ns() - clock) / count
        return Sample({BOTH: spent}, (time.perf_counter_ns() - wall) / count)

    return subject


def _enter_transfer(size: int, peers: Mapping[str, Peer], quick: bool) -> Entry:
    entry = Entry()
    for name, peer in peers.items():
        if not peer.protects_records:
            entry.absent[name] = "no record protection"
        elif (peer.slow and size > 1 << 14) or (name not in (OURS, "ssl", "pyopenssl") and size > 1 << 27):
            entry.absent[name] = "too slow for so much"
        else:
            entry.subjects[name] = _stream(peer, size)
    return entry


def _connections(held: int, *, quick: bool) -> Row:
    return Row(
        f"connections-{held}",
        f"{held:,} connections at once, 1 KiB each way",
        partial(_enter_connections, held),
        quick=quick,
        most=100 if held < 100 else 1,
        rounds=2 if held >= 10_000 else 0,
    )


def _transfer(label: str, size: int, *, quick: bool) -> Row:
    return Row(
        f"transfer-{label}",
        f"{label} over one connection",
        partial(_enter_transfer, size),
        size=size,
        quick=quick,
        most=1 if size >= 1 << 27 else 100_000,
        rounds=2 if size >= 1 << 30 else 0,
    )


_ROOTS = (1, 10, 140)
_CHAINS = (2, 3, 4, 8)
ROWS = (
    *(_connections(held, quick=held in (1, 100)) for held in (1, 10, 100, 1000, 10_000)),
    *(
        _transfer(label, size, quick=label in ("1KB", "16MB"))
        for label, size in (("1KB", 1000), ("64KB", 65536), ("1MB", 1 << 20), ("16MB", 1 << 24))
    ),
    _transfer("128MB", 1 << 27, quick=False),
    _transfer("1GB", 1 << 30, quick=False),
    *(
        handshake_row(f"roots-{n}", f"TLS 1.3 with {n} trusted roots", Scenario(roots=n), quick=n == 140)
        for n in _ROOTS
    ),
    *(
        handshake_row(f"chain-{n}", f"TLS 1.3 with a chain of {n}", Scenario(chain=n), quick=n in (4,))
        for n in _CHAINS
    ),
)
FAMILIES = ("connections", "transfer", "roots", "chain")
