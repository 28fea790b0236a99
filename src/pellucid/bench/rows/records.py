"""Application data over memory: records of one size, messages, and many small writes.

RFC 8446 section 5.2. One connection a peer, made once; its client seals, its server opens. The
parts are `seal` and `open`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial

from ..certs import material_for
from ..floor import record_floor
from ..harness import BOTH, Sample, Subject
from ..peers import OURS
from ..peers.base import BenchError, Endpoint, Peer, join
from ..scenario import TLS13_SUITES, Scenario
from .base import FLOOR, Entry, Row

PARTS = (BOTH, "seal", "open")
_KEPT = 1 << 20  # bytes sealed before they are opened, so that a block stays in the cache
_SMALL, _WRITES = 100, 64
_SLOWEST = 16384  # bytes a repetition that a slow peer is still asked for


def connected(peer: Peer, cipher: str) -> tuple[Endpoint, Endpoint]:
    """A client and a server that have shaken hands."""
    scenario = Scenario(suite=TLS13_SUITES[cipher])
    pair = peer.pair(scenario, material_for(scenario))
    client, server = pair.client(), pair.server()
    join(client, server)
    return client, server


def _transfer(seal: Callable[[], bytes], server: Endpoint, size: int, count: int) -> Sample:
    """Seal and open in batches, with the CPU time of each."""
    clock, open_ = time.thread_time_ns, server.open
    spent_seal = spent_open = done = 0
    batch = max(1, min(count, _KEPT // size))
    start = time.perf_counter_ns()
    while done < count:
        first = clock()
        wires = [seal() for _ in range(batch)]
        middle = clock()
        for wire in wires:
            open_(wire)
        spent_open += clock() - middle
        spent_seal += middle - first
        done += batch
    wall = (time.perf_counter_ns() - start) / done
    cost = {BOTH: (spent_seal + spent_open) / done, "seal": spent_seal / done, "open": spent_open / done}
    return Sample(cost, wall)


def _checked(seal: Callable[[], bytes], server: Endpoint, data: bytes) -> None:
    if b"".join(server.open(seal())) != data:
        raise BenchError("the data did not arrive as it was sent")


def message_subject(peer: Peer, cipher: str, size: int) -> Subject:
    """Send `size` bytes in one call and take them in on the other side."""
    client, server = connected(peer, cipher)
    data = os.urandom(size)
    seal = partial(client.seal, data)
    _checked(seal, server, data)
    return partial(_transfer, seal, server, size)


def writes_subject(peer: Peer) -> Subject:
    """64 writes of 100 bytes, then one flush."""
    client, server = connected(peer, "aes128gcm")
    pieces = [os.urandom(_SMALL)] * _WRITES
    seal = partial(client.seal_many, pieces)
    _checked(seal, server, b"".join(pieces))
    return partial(_transfer, seal, server, _SMALL * _WRITES)


def flushed_subject(peer: Peer) -> Subject:
    """64 writes of 100 bytes with a flush after each: what coalescing saves."""
    client, server = connected(peer, "aes128gcm")
    piece = os.urandom(_SMALL)

    def seal() -> bytes:
        return b"".join([client.seal(piece) for _ in range(_WRITES)])

    _checked(seal, server, piece * _WRITES)
    return partial(_transfer, seal, server, _SMALL * _WRITES)


def enter(
    make: Callable[[Peer], Subject],
    size: int,
    floor: Callable[[], Subject],
    peers: Mapping[str, Peer],
    quick: bool,
) -> Entry:
    """Every peer that protects records, and the AEAD alone."""
    entry = Entry({FLOOR: floor()})
    for name, peer in peers.items():
        reason = ""
        if not peer.protects_records:
            reason = "no record protection"
        elif peer.slow and size > _SLOWEST:
            reason = "too slow for this size"
        else:
            try:
                entry.subjects[name] = make(peer)
            except Exception as error:
                if name == OURS:
                    raise
                reason = f"{type(error).__name__}: {error}"
        if reason:
            entry.absent[name] = reason
    return entry


def _enter_writes(peers: Mapping[str, Peer], quick: bool) -> Entry:
    size = _SMALL * _WRITES
    entry = enter(writes_subject, size, partial(record_floor, "aes128gcm", size), peers, quick)
    if OURS in entry.subjects:
        entry.subjects[f"{OURS}-flushed"] = flushed_subject(peers[OURS])
    return entry


def _bulk(label: str, size: int, cipher: str) -> Row:
    return Row(
        f"bulk-{label}-{cipher}",
        f"{label} records, {cipher}",
        partial(
            enter,
            partial(message_subject, cipher=cipher, size=size),
            size,
            partial(record_floor, cipher, size),
        ),
        PARTS,
        size=size,
    )


def _message(label: str, size: int, *, quick: bool = True) -> Row:
    return Row(
        f"message-{label}",
        f"a message of {label}, aes128gcm",
        partial(
            enter,
            partial(message_subject, cipher="aes128gcm", size=size),
            size,
            partial(record_floor, "aes128gcm", size),
        ),
        PARTS,
        size=size,
        quick=quick,
    )


_SIZES = {"16k": 16384, "1k": 1024, "100": 100}
ROWS = (
    *(_bulk(label, size, cipher) for cipher in TLS13_SUITES for label, size in _SIZES.items()),
    _message("100", 100, quick=False),
    _message("1k", 1024, quick=False),
    _message("10k", 10240, quick=False),
    _message("64k", 65536),
    _message("256k", 262144, quick=False),
    _message("1m", 1 << 20),
    Row("writes-64x100", "64 writes of 100 B, one flush", _enter_writes, PARTS, size=_SMALL * _WRITES),
)
