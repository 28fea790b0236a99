"""What must hold everywhere: no asserts, no plain comparison of secrets, nothing secret in sight, replay.

DESIGN rules 1, 7 and 8; RFC 8446 appendix C.
"""

from __future__ import annotations

import ast
import copy
import json
import os
import pickle
import random
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pellucid
from pellucid import ClientConnection, KeyLog, PreSharedKey, Secret, ServerConnection, TLSError
from pellucid.events import SessionReceived
from support import TLS12, TLS13, House, data_in, pump

SOURCE = Path(pellucid.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
ROOT = SOURCE.parents[1]


ABOVE = ("glass", "cli", "lab", "bench", "programs")
CORE = [path for path in FILES if path.relative_to(SOURCE).parts[0] not in ABOVE]


def nodes(files: list[Path] = FILES) -> Iterator[tuple[str, ast.AST]]:
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}", node


# -- the source ------------------------------------------------------------------------------------------


def test_no_assert_guards_anything() -> None:
    assert [where for where, node in nodes() if isinstance(node, ast.Assert)] == []


#: Names of values that nobody but their owner may know, or that prove something by being equal.
GUARDED = {
    "verify_data", "binder", "cookie", "mac", "tag", "hmac", "psk", "pre_master", "premaster", "master",
    "master_secret", "traffic_secret", "shared_secret", "finished", "expected_mac",
}  # fmt: skip


def names_in(node: ast.AST) -> set[str]:
    """The names that an operand stands for: not those inside of calls and subscripts' indices."""
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, ast.Subscript):
        return names_in(node.value)
    return set()


@pytest.mark.rfc("rfc8446:4.4.4:1")
def test_secrets_are_compared_in_constant_time() -> None:
    """`==` and `!=` on such a value would tell by its time how much is right."""
    plain = [
        where
        for where, node in nodes(CORE)
        if isinstance(node, ast.Compare)
        and any(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops)
        and any(names_in(one) & GUARDED for one in (node.left, *node.comparators))
        and not any(isinstance(one, ast.Constant) for one in (node.left, *node.comparators))
    ]
    assert plain == []


def test_randomness_comes_from_the_system_only() -> None:
    found = []
    for where, node in nodes():
        if isinstance(node, ast.Import):
            found += [where for name in node.names if name.name == "random"]
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            found.append(where)
    assert found == []


def test_the_core_touches_no_socket_file_or_clock() -> None:
    """DESIGN rule 1. Clocks and randomness come in by the configuration; tickets take them as arguments."""
    core = ("connection.py", "records.py", "events.py", "info.py", "secret.py")
    allowed = {"os.urandom", "time.time"}
    forbidden = {"socket", "select", "asyncio", "threading", "subprocess", "datetime"}
    for path in FILES:
        where = path.relative_to(SOURCE)
        if str(where) not in core and where.parts[0] not in ("handshake", "wire", "crypto"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert forbidden.isdisjoint(name.name for name in node.names), where
            if isinstance(node, ast.ImportFrom):
                assert node.module not in forbidden, where
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "open", where
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert not called.startswith(("os.", "time.")) or called in allowed, (where, called)


# -- the type --------------------------------------------------------------------------------------------


def test_a_secret_is_not_seen() -> None:
    secret = Secret(b"the quick brown fox")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{[secret]}"):
        assert "quick" not in text
        assert "Secret of 19 bytes" in text
    assert "quick" not in repr(PreSharedKey(b"name", secret))
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)
    with pytest.raises(TypeError):
        json.dumps({"key": secret})
    assert secret == b"the quick brown fox"
    assert secret != b"the quick brown foX"
    assert secret != "the quick brown fox"
    assert type(secret.reveal()) is bytes
    assert len({secret, Secret(b"the quick brown fox")}) == 1


# -- at work ----------------------------------------------------------------------------------------------


def secrets_of(lines: list[str]) -> set[bytes]:
    return {bytes.fromhex(line.split()[2]) for line in lines}


def everything_shown(pair: Any, events: Any) -> str:
    """All that a log, a debugger or a traceback would show of two connections."""
    shown = [repr(one) for one in (*pair, *events[0], *events[1])]
    for one in pair:
        shown += [repr(one.info), json.dumps(one.info.to_json()), repr(one._config), repr(one.suite)]
        shown += [
            repr(getattr(one, name)) for name in ("_read_secret", "_write_secret", "_exporter", "_resumption")
        ]
        shown += [repr(one._read), repr(one._write), repr(one._write.protection)]
        try:
            one.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
        except TLSError as error:
            shown += [str(error), repr(error), *traceback.format_exception(error)]
    return "\n".join(shown)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_no_secret_is_shown_anywhere(house: House, policy: Any) -> None:
    lines: list[str] = []
    config = house.client(policy, keylog=lines.append)
    pair = ClientConnection(config, "localhost"), ServerConnection(house.servers(policy))
    events = pump(*pair)
    known = secrets_of(lines)
    assert len(known) == (5 if policy is TLS13 else 1)
    known |= {event.session.secret.reveal() for event in events[0] if isinstance(event, SessionReceived)}  # type: ignore[attr-defined]
    shown = everything_shown(pair, events)
    for secret in known:
        assert secret.hex() not in shown
        assert repr(bytes(secret)) not in shown


def test_the_key_log_is_for_its_owner(tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyLog, "_warned", False)
    path = tmp_path / "keys.log"
    with pytest.warns(UserWarning, match="secrets"):
        KeyLog(path)("first")
    client = ClientConnection(house.client(keylog=KeyLog(path)), "localhost")
    pump(client, ServerConnection(house.servers()))  # one warning is enough
    assert path.stat().st_mode & 0o077 == 0
    assert len(path.read_text().splitlines()) == 6


# -- replay ------------------------------------------------------------------------------------------------


class Recorder:
    """Answers `hidden` with what was recorded before, in order; records what was not."""

    def __init__(self, recorded: list[bytes] | None = None) -> None:
        self.recorded = list(recorded or ())
        self.replaying = recorded is not None
        self.names: list[str] = []

    def __call__(self, name: str, thunk: Callable[[], bytes]) -> bytes:
        self.names.append(name)
        if self.replaying:
            return self.recorded.pop(0)
        self.recorded.append(thunk())
        return self.recorded[-1]


def conversation(house: House, policy: Any, kind: str, hidden: list[Recorder], seed: int) -> list[bytes]:
    """Every flight of a handshake with data, a key update and both ends closed."""
    randoms = [random.Random(seed + n).randbytes for n in range(2)]
    settings: list[dict[str, Any]] = [
        {"random": randoms[n], "now": lambda: 1.7e9, "hidden": hidden[n]} for n in range(2)
    ]
    server_config = house.servers(policy, kind, **settings[1])
    client = ClientConnection(
        house.client(policy, **settings[0]).replace(trust=pellucid.Trust.insecure()), "localhost"
    )
    server = ServerConnection(server_config)
    flights: list[bytes] = []

    def exchange() -> None:
        while True:
            sent = [client.data_to_send()]
            server.receive_data(sent[0])
            sent.append(server.data_to_send())
            client.receive_data(sent[1])
            if not any(sent):
                return
            flights.extend(sent)

    exchange()
    client.send_data(b"question")
    if policy is not TLS12:
        client.update_keys(request=True)
    exchange()
    server.send_data(b"answer")
    server.close()
    client.close()
    exchange()
    assert data_in(list(client.events())) == b"answer"
    return flights


@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa-2048", "ed25519"])
@pytest.mark.parametrize(
    "policy", [TLS13, TLS13.replace(groups=(0x17, 0x18, 0x19)), TLS12], ids=["1.3", "NIST", "1.2"]
)
def test_a_run_is_replayed_byte_for_byte(house: House, policy: Any, kind: str) -> None:
    """The same randomness, clock and hidden results give the same bytes; other randomness others."""
    recorders = [Recorder(), Recorder()]
    flights = conversation(house, policy, kind, recorders, 1)
    again = [Recorder(one.recorded) for one in recorders]
    assert conversation(house, policy, kind, again, 1) == flights
    assert not any(one.recorded for one in again)
    assert conversation(house, policy, kind, [Recorder(), Recorder()], 7) != flights


def test_nothing_is_asked_of_hidden_that_randomness_decides(house: House) -> None:
    """Ed25519 and X25519 are deterministic: only the signature goes that way, whose key may be elsewhere."""
    recorders = [Recorder(), Recorder()]
    conversation(house, TLS13.replace(groups=(0x1D,)), "ed25519", recorders, 1)
    assert recorders[0].names == []
    assert set(recorders[1].names) <= {"sign"}


# -- python -O -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everything_holds_without_asserts() -> None:
    """`python -O` drops every assert statement of the source; pytest keeps those of the tests."""
    chosen = [f"tests/core/{name}" for name in ("test_records.py", "test_states.py", "test_handshakes.py")]
    chosen += ["tests/core/test_bad_input.py", "tests/resumption", "tests/wire/test_compression.py"]
    chosen += ["tests/core/test_reasons.py", "tests/core/test_limits.py", "tests/attacks", "tests/features"]
    found = subprocess.run(
        [
            sys.executable,
            "-O",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow",
            "-W",
            "ignore",
            *chosen,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONOPTIMIZE": "1"},
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert found.returncode == 0, found.stdout[-3000:]
    assert " passed" in found.stdout
