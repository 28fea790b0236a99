"""The regression guard on speed: calls per handshake and per record, against a recorded budget.

Time cannot be tested on a shared machine; the number of calls can. Under `sys.setprofile` every
Python and C function call of one side counts as one. A change that needs more calls than
budget.toml grants fails here; whoever means it records the budget anew and says why:

    PELLUCID_RECORD_BUDGET=1 python -m pytest tests/bench/test_budget.py

The count is the same in every run of one interpreter: configurations are warm, the garbage
collector (whose finalizers would count) stands still, and of several runs the fewest calls are
taken, so that a cache that fills or a ticket key that rotates does not show. Python 3.11, the
oldest one supported, makes the most calls (later ones inline comprehensions): it records.
"""

from __future__ import annotations

import ast
import gc
import os
import socket
import sys
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pellucid import wrap_client, wrap_server
from pellucid.bench.bare import Strip, load
from pellucid.bench.certs import material_for
from pellucid.bench.peers import peer_named
from pellucid.bench.peers.base import Endpoint, Pair, earlier_session, join
from pellucid.bench.rows import ROWS
from pellucid.bench.rows.selves import Traces, recorder
from pellucid.bench.scenario import TLS13, Scenario

BUDGET = Path(__file__).with_name("budget.toml")
SLACK = 1.05  # for other versions of Python and of `cryptography`, and for small honest additions
RUNS = 3  # of which the fewest calls count
HANDSHAKES = (
    "tls13-ecdsa",
    "tls13-rsa",
    "tls13-mlkem",
    "tls13-resume",
    "tls13-mtls",
    "tls12-ecdhe-rsa",
    "tls12-static-rsa",
    "tls12-resume",
)
DROP_IN_HANDSHAKES = ("tls13-ecdsa", "tls13-resume", "tls12-ecdhe-rsa")
OBSERVERS: dict[str, Callable[[], Any]] = {"recorder": recorder, "traced": Traces}
RECORDS = {"16k": 16384, "1k": 1024, "100": 100, "64k": 65536}


class Counter:
    """Counts the calls made inside its `with` block."""

    def __init__(self) -> None:
        self.calls = 0

    def _event(self, frame: Any, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            self.calls += 1

    def __enter__(self) -> None:
        gc.disable()
        sys.setprofile(self._event)

    def __exit__(self, *exception: object) -> None:
        sys.setprofile(None)
        gc.enable()
        self.calls -= 2  # __exit__ itself, and the setprofile that ends the count


def scenario_of(row: str) -> Scenario:
    """The scenario of a handshake row."""
    enter: Any = ROWS[row].enter
    scenario: Scenario = enter.args[0]
    return scenario


def count_handshake(pair: Pair, session: Any) -> dict[str, int]:
    """The calls of each side, from its making to its last byte."""
    mine, theirs = Counter(), Counter()
    with mine:
        client = pair.client(session)
        flight = client.step(b"")
    with theirs:
        server = pair.server()
    while flight:
        with theirs:
            flight = server.step(flight)
        if flight:
            with mine:
                flight = client.step(flight)
    assert client.done
    assert server.done
    return {"client": mine.calls, "server": theirs.calls}


def count_record(client: Endpoint, server: Endpoint, size: int) -> dict[str, int]:
    """The calls to seal and to open one message."""
    data = bytes(size)
    seal, open_ = Counter(), Counter()
    with seal:
        wire = client.seal(data)
    with open_:
        pieces = server.open(wire)
    assert b"".join(pieces) == data
    return {"seal": seal.calls, "open": open_.calls}


def fewest(counts: list[dict[str, int]]) -> dict[str, int]:
    """The smallest count of each side."""
    return {side: min(each[side] for each in counts) for side in counts[0]}


def measure_handshake(row: str, make: Callable[..., Pair] | None = None) -> dict[str, int]:
    """A warm handshake: the configurations have been used before."""
    scenario = scenario_of(row)
    pair = (make or peer_named("pellucid").pair)(scenario, material_for(scenario))
    session = earlier_session(pair) if scenario.resume else None
    for _ in range(3):
        join(pair.client(session), pair.server())
    return fewest([count_handshake(pair, session) for _ in range(RUNS)])


def measure_record(label: str, peer: str = "pellucid") -> dict[str, int]:
    """A warm record."""
    pair = peer_named(peer).pair(TLS13, material_for(TLS13))
    client, server = pair.client(), pair.server()
    join(client, server)
    for _ in range(3):
        count_record(client, server, RECORDS[label])
    return fewest([count_record(client, server, RECORDS[label]) for _ in range(RUNS)])


def own_sockets() -> tuple[Any, Any]:
    """A client and a server of pellucid's own, over blocking sockets."""
    pair: Any = peer_named("pellucid").pair(TLS13, material_for(TLS13))
    (left, right), (ours, theirs) = socket.socketpair(), pair.configs
    with ThreadPoolExecutor(1) as pool:  # for the handshake only
        answering = pool.submit(wrap_server, right, theirs)
        client = wrap_client(left, "localhost", ours)
        return client, answering.result()


def drop_in_sockets(timeout: float | None) -> tuple[Any, Any]:
    """Two `SSLSocket`s of the drop-in's contexts."""
    pair: Any = peer_named("drop-in").pair(TLS13, material_for(TLS13))
    (left, right), (ours, theirs) = socket.socketpair(), pair.contexts
    for each in (left, right):
        each.settimeout(timeout)
    with ThreadPoolExecutor(1) as pool:  # for the handshake only
        answering = pool.submit(theirs.wrap_socket, right, server_side=True)
        client = ours.wrap_socket(left, server_hostname="localhost")
        return client, answering.result()


def measure_socket(client: Any, server: Any) -> dict[str, int]:
    """A warm message of 100 B over sockets."""
    counts = []
    with client, server:
        for _ in range(3 + RUNS):
            send, recv = Counter(), Counter()
            with send:
                client.sendall(bytes(100))
            with recv:
                data = server.recv(100)
            assert data == bytes(100)
            counts.append({"send": send.calls, "recv": recv.calls})
    return fewest(counts[3:])


def check(name: str, measured: dict[str, int]) -> None:
    """Compare with the budget, or record it."""
    budget = tomllib.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    if os.environ.get("PELLUCID_RECORD_BUDGET"):
        budget[name] = measured
        head = "# Calls (Python and C) of one side, recorded by test_budget.py.\n"
        sections = (
            f"\n[{key}]\n" + "".join(f"{k} = {v}\n" for k, v in budget[key].items()) for key in sorted(budget)
        )
        BUDGET.write_text(head + "".join(sections))
        return
    granted = budget[name]
    over = {side: (calls, granted[side]) for side, calls in measured.items() if calls > granted[side] * SLACK}
    assert not over, f"{name} makes more calls than its budget grants (calls, budget): {over}"


@pytest.mark.parametrize("row", HANDSHAKES)
def test_a_handshake_keeps_to_its_budget(row: str) -> None:
    check(row, measure_handshake(row))


@pytest.mark.parametrize("name", OBSERVERS)
def test_a_handshake_that_is_looked_at_keeps_to_its_budget(name: str) -> None:
    """A fact is one call, and one more of a list (`glass.telling`); words are made when somebody reads."""
    watched: Any = peer_named("pellucid")
    observer = OBSERVERS[name]()
    found = measure_handshake("tls13-ecdsa", lambda *given: watched.watched(*given, observer))
    check(f"tls13-ecdsa-{name}", found)


@pytest.mark.parametrize("row", HANDSHAKES)
def test_a_handshake_that_nobody_looks_at_makes_no_call_for_it(row: str) -> None:
    """As many calls as in a copy of the package without a single note (`bench.bare`), to the call."""
    bare = load("bench.peers.own").OwnPair
    assert measure_handshake(row) == measure_handshake(row, bare)


def test_nobody_is_told_what_nobody_asked_for() -> None:
    """Every fact stands behind a look at who might want it: without those, none is left."""
    core = Path(sys.modules["pellucid"].__file__ or "").parent
    files = [core / "connection.py", core / "machine.py", core / "records.py", core / "protection.py"]
    files += [
        file for floor in ("crypto", "handshake", "trust", "legacy") for file in (core / floor).glob("*.py")
    ]
    taken = 0
    for file in files:
        strip = Strip()
        tree = strip.visit(ast.parse(file.read_text(encoding="utf-8")))
        taken += strip.taken
        called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert not [name for name in called if name.split(".")[-1] in ("note", "_note", "_jot", "jot")], file
    assert taken > 60


def test_the_copy_that_notes_nothing_is_one() -> None:
    source = Path(sys.modules["pellucid.handshake.context"].__file__ or "").read_text(encoding="utf-8")
    strip = Strip()
    stripped = ast.unparse(strip.visit(ast.parse(source)))
    assert strip.taken == source.count("note is not None") > 3
    assert "note((" not in stripped
    for module in (
        "connection",
        "machine",
        "records",
        "handshake.client13",
        "handshake.server12",
        "crypto.schedule13",
    ):
        assert load(module).__name__ == f"pellucid_bare.{module}"


@pytest.mark.parametrize("label", RECORDS)
def test_a_record_keeps_to_its_budget(label: str) -> None:
    check(f"record-{label}", measure_record(label))


def test_a_record_of_the_drop_in_keeps_to_its_budget() -> None:
    check("dropin-100", measure_record("100", "drop-in"))


@pytest.mark.parametrize("row", DROP_IN_HANDSHAKES)
def test_a_handshake_of_the_drop_in_keeps_to_its_budget(row: str) -> None:
    check(f"dropin-{row}", measure_handshake(row, peer_named("drop-in").pair))


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_message_over_a_socket_of_the_drop_in_keeps_to_its_budget(timeout: float | None) -> None:
    name = "dropin-socket-100" if timeout is None else "dropin-socket-100-timeout"
    check(name, measure_socket(*drop_in_sockets(timeout)))


def test_a_connection_of_the_drop_in_is_wrapped_within_its_budget() -> None:
    pair: Any = peer_named("drop-in").pair(TLS13, material_for(TLS13))
    sides = {"client": pair.client, "server": pair.server}
    counts = []
    for _ in range(3 + RUNS):
        spent = {side: Counter() for side in sides}
        for side, wrap in sides.items():
            with spent[side]:
                wrap()
        counts.append({side: each.calls for side, each in spent.items()})
    check("dropin-wrap", fewest(counts[3:]))


def test_a_message_over_a_socket_keeps_to_its_budget() -> None:
    check("socket-100", measure_socket(*own_sockets()))


def test_the_counter_counts_every_call_and_no_other() -> None:
    counter = Counter()

    def work() -> None:
        len("")

    with counter:
        pass
    empty = counter.calls
    with counter:
        work()
    assert empty == 0
    assert counter.calls == 2


@pytest.mark.parametrize("row", ["tls13-ecdsa", "tls12-resume"])
def test_counts_do_not_vary(row: str) -> None:
    assert measure_record("16k") == measure_record("16k")
    assert measure_handshake(row) == measure_handshake(row)


def test_a_budget_that_is_exceeded_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = tmp_path / "budget.toml"
    small.write_text("[record-16k]\nseal = 1\nopen = 1\n")
    monkeypatch.setattr(sys.modules[__name__], "BUDGET", small)
    monkeypatch.delenv("PELLUCID_RECORD_BUDGET", raising=False)
    failing: Callable[[], None] = lambda: check("record-16k", {"seal": 10, "open": 1})  # noqa: E731
    with pytest.raises(AssertionError, match="more calls than its budget"):
        failing()
