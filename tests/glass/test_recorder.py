"""The flight recorder, the files of PELLUCID_TRACE, and reports of failures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glass.handshakes import seen, talk
from pellucid import ClientConnection, FlightRecorder, Reason, ServerConnection, TLSError
from pellucid.glass.recorder import TraceFiles
from pellucid.glass.trace import Trace
from pellucid.replaying import replay
from support import House, pump


def failing(house: House, recorder: FlightRecorder) -> TLSError:
    client = ClientConnection(house.client(observer=recorder), "elsewhere.test")
    with pytest.raises(TLSError) as refused:
        pump(client, ServerConnection(house.servers()))
    return refused.value


def test_a_failure_hands_its_trace_over(house: House) -> None:
    recorder = FlightRecorder()
    pump(ClientConnection(house.client(observer=recorder), "localhost"), ServerConnection(house.servers()))
    error = failing(house, recorder)
    assert error.reason is Reason.WRONG_HOST_NAME
    assert error.trace is recorder.last
    assert len(recorder.traces) == 1, "it keeps the last, and no more"
    told = error.report()
    assert told.startswith("The certificate is for another name than the one that was asked for.\n")
    assert "why " in told
    assert "to do" in told
    assert "ServerHello" in told
    assert all(len(line) <= 80 for line in told.splitlines())
    assert "it is for" in error.report("trust")


def test_a_failure_without_a_trace_says_how_to_keep_one(house: House) -> None:
    client = ClientConnection(house.client(), "elsewhere.test")
    with pytest.raises(TLSError) as refused:
        pump(client, ServerConnection(house.servers()))
    assert "FlightRecorder" in refused.value.report()


def test_a_trace_is_written_while_it_grows(house: House, tmp_path: Path) -> None:
    found = TraceFiles(tmp_path / "trace.jsonl", secrets=True)
    pump(
        ClientConnection(house.client(observer=found), "localhost"),
        ServerConnection(house.servers(observer=found)),
    )
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["trace-2.jsonl", "trace.jsonl"]
    for file in files:
        with file.open() as lines:
            assert replay(Trace.read(lines)).identical


def test_the_environment_makes_any_program_write_traces(house: House, tmp_path: Path) -> None:
    """A program that says nothing of traces; the folder has one for each of its connections."""
    program = """
from pellucid import Authority, ClientConfig, ClientConnection, ServerConfig, ServerConnection
authority = Authority.create()
client = ClientConnection(ClientConfig(trust=authority.trust()), "localhost")
server = ServerConnection(ServerConfig(identities=(authority.issue("localhost"),)))
server.receive_data(client.data_to_send())
client.receive_data(server.data_to_send())
"""
    environment = {**os.environ, "PELLUCID_TRACE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    roles = set()
    for file in tmp_path.iterdir():
        with file.open() as lines:
            trace = Trace.read(lines)
        roles.add(trace.role)
        assert any(fact.fields["type"] == 2 for fact in trace.of("message"))
        assert "secret" in file.read_text()
    assert roles == {"client", "server"}


def test_without_the_variable_nobody_looks(monkeypatch: pytest.MonkeyPatch, house: House) -> None:
    monkeypatch.delenv("PELLUCID_TRACE", raising=False)
    connection = ClientConnection(house.client(), "localhost")
    assert type(connection) is ClientConnection
    assert connection._note is None


def test_several_traces_in_one_file(house: House, tmp_path: Path) -> None:
    file = tmp_path / "two.jsonl"
    with file.open("w") as out:
        seen(house, "1.3").server.write(out)
        talk(house.client(), house.servers()).server.write(out)
    with file.open() as lines:
        assert len(Trace.read_all(lines)) == 2
