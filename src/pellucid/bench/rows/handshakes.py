"""Handshakes, full and resumed, of both versions: both sides together, and each alone.

RFC 8446 section 2, 2.2; RFC 5246 section 7.3; RFC 5077. A side's time holds the making and the
letting go of its connection, and the tickets.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..certs import material_for
from ..floor import handshake_floor
from ..harness import BOTH, Sample, Subject
from ..peers import OURS
from ..peers.base import BenchError, Pair, Peer, earlier_session, join
from ..scenario import TLS12_SUITES, X25519MLKEM768, Scenario
from .base import FLOOR, Entry, Row

PARTS = (BOTH, "client", "server")


def handshakes(pair: Pair, session: Any, count: int) -> Sample:
    """So many handshakes in one thread, with the CPU time of each side."""
    clock = time.thread_time_ns
    spent_client = spent_server = 0
    start = time.perf_counter_ns()
    for _ in range(count):
        mark = clock()
        client = pair.client(session)
        to_server = client.step(b"")
        now = clock()
        spent_client += now - mark
        server = pair.server()
        while True:
            to_client = server.step(to_server)
            mark = clock()
            spent_server += mark - now
            if not to_client:
                break
            to_server = client.step(to_client)
            now = clock()
            spent_client += now - mark
            if not to_server:
                break
        if not (client.done and server.done and (session is None or client.resumed)):
            raise BenchError("the handshake stopped before its end, or resumed nothing")
        mark = clock()
        client.leave()
        del client
        now = clock()
        del server
        spent_server += clock() - now
        spent_client += now - mark
    wall = (time.perf_counter_ns() - start) / count
    both = (spent_client + spent_server) / count
    return Sample({BOTH: both, "client": spent_client / count, "server": spent_server / count}, wall)


def handshake_subject(peer: Peer, scenario: Scenario) -> Subject:
    """A peer's handshakes in a scenario; a session to resume is made first."""
    pair = peer.pair(scenario, material_for(scenario))
    if scenario.resume:
        return partial(handshakes, pair, earlier_session(pair))
    join(pair.client(), pair.server())  # whoever cannot, fails here and is named
    return partial(handshakes, pair, None)


def enter(scenario: Scenario, peers: Mapping[str, Peer], quick: bool) -> Entry:
    """Every peer that can do this scenario, and the floor."""
    entry = Entry({FLOOR: handshake_floor(scenario, material_for(scenario))})
    for name, peer in peers.items():
        reason = peer.refusal(scenario)
        if not reason:
            try:
                entry.subjects[name] = handshake_subject(peer, scenario)
                continue
            except Exception as error:
                if name == OURS:
                    raise
                reason = f"{type(error).__name__}: {error}"
        entry.absent[name] = reason
    return entry


def row(name: str, title: str, scenario: Scenario, *, quick: bool = True, share: float = 1.0) -> Row:
    """A handshake row."""
    return Row(name, title, partial(enter, scenario), PARTS, quick=quick, share=share)


def _scenario12(kind: str, *, resume: bool = False) -> Scenario:
    key = "ecdsa" if kind == "ecdhe-ecdsa" else "rsa"
    return Scenario(tls13=False, key=key, suite=TLS12_SUITES[kind], resume=resume)


ROWS = (
    row("tls13-ecdsa", "TLS 1.3, ECDSA P-256", Scenario()),
    row("tls13-rsa", "TLS 1.3, RSA-2048", Scenario(key="rsa")),
    row("tls13-ed25519", "TLS 1.3, Ed25519", Scenario(key="ed25519")),
    row("tls13-mlkem", "TLS 1.3, X25519MLKEM768", Scenario(group=X25519MLKEM768)),
    row("tls13-resume", "TLS 1.3 resumption, psk_dhe_ke", Scenario(resume=True)),
    row("tls13-mtls", "TLS 1.3, both sides with certificates", Scenario(mutual=True)),
    row("tls13-ecdsa-again", "the same as tls13-ecdsa, of chains we remember", Scenario(again=True)),
    row(
        "tls13-mtls-again", "the same as tls13-mtls, of chains we remember", Scenario(mutual=True, again=True)
    ),
    row("tls12-ecdhe-rsa", "TLS 1.2, ECDHE-RSA", _scenario12("ecdhe-rsa")),
    row("tls12-ecdhe-ecdsa", "TLS 1.2, ECDHE-ECDSA", _scenario12("ecdhe-ecdsa")),
    row("tls12-static-rsa", "TLS 1.2, static RSA", _scenario12("static-rsa")),
    row("tls12-resume", "TLS 1.2 resumption, ticket", _scenario12("ecdhe-rsa", resume=True)),
)
