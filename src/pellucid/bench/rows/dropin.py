"""pellucid's drop-in for `ssl` beside `ssl` itself: what users of requests, redis or aiohttp feel.

RFC 8446 sections 2 and 5.2. The same code drives both, through `SSLObject` over memory, `SSLSocket`
on loopback, and asyncio's own TLS. Here the subject "pellucid" is `pellucid.compat.ssl`.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ..certs import material_for
from ..harness import BOTH, Sample, Subject
from ..peers import OURS, peer_named
from ..peers.base import Peer, join
from ..peers.stdlib import StdlibEndpoint
from ..scenario import TLS13, Scenario
from . import handshakes, loopback, records
from .base import Entry, Row

DROP_IN = "drop-in"


def _enter(make: Callable[[Peer], Subject], peers: Mapping[str, Peer], quick: bool) -> Entry:
    """The drop-in and the standard ssl; the other peers are no ssl module."""
    entry = Entry(absent={name: "no ssl module" for name in peers if name not in (OURS, "ssl")})
    for name in peers.keys() - entry.absent.keys():
        entry.subjects[name] = make(peer_named(DROP_IN) if name == OURS else peers[name])
    return entry


def _memory(name: str, title: str, make: Callable[[Peer], Subject], parts: tuple[str, ...], size: int) -> Row:
    return Row(name, f"the drop-in: {title}", partial(_enter, make), (BOTH, *parts), size=size, quick=False)


def _records(label: str, size: int) -> Row:
    make = partial(records.message_subject, cipher="aes128gcm", size=size)
    return _memory(f"dropin-{label}", f"{label} records, aes128gcm", make, ("seal", "open"), size)


def _loopback(loop: str, kind: str) -> Row:
    row = loopback.row(loop, kind, DROP_IN)
    return replace(row, name=f"dropin-{row.name}", title=f"the drop-in, {row.title}", quick=False)


def _context_subject(peer: Peer) -> Subject:
    """A default context, with one authority more, for one connection: what many programs do for each."""
    from pellucid.compat import ssl as ours
    from pellucid.compat.settings import settings_of

    module: Any = ours if peer.name == DROP_IN else ssl
    material = material_for(TLS13)
    pair, authority = peer.pair(TLS13, material), material.trusted_pem.decode()

    def subject(count: int) -> Sample:
        start, wall = time.thread_time_ns(), time.perf_counter_ns()
        for _ in range(count):
            context = module.create_default_context()
            if module is ours:
                settings_of(context).remember = 0  # OpenSSL verifies every chain, so we do
            context.load_verify_locations(cadata=authority)
            join(StdlibEndpoint(context, server=False, session=None), pair.server())
        spent = (time.thread_time_ns() - start) / count
        return Sample({BOTH: spent}, (time.perf_counter_ns() - wall) / count)

    return subject


def _handshake(name: str, title: str, scenario: Scenario) -> Row:
    make = partial(handshakes.handshake_subject, scenario=scenario)
    return _memory(name, f"a TLS 1.3 handshake, {title}", make, ("client", "server"), 0)


ROWS = (
    _handshake("dropin-tls13-ecdsa", "ECDSA P-256", TLS13),
    _handshake("dropin-tls13-ecdsa-again", "of chains we remember", Scenario(again=True)),
    _handshake("dropin-roots-140", "140 trusted roots", Scenario(roots=140)),
    _memory("dropin-context", "a default context and its handshake", _context_subject, (), 0),
    *(_records(label, size) for label, size in (("16k", 16384), ("1k", 1024), ("100", 100))),
    *(_loopback("blocking", kind) for kind in ("echo", "up", "down")),
    _loopback("asyncio", "echo"),
)
