"""`pellucid trace --pid`: a program that runs already, on a Python that can be watched or cannot."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.running import COMMAND, ENVIRONMENT, echo_server, in_front, pellucid
from pellucid import Authority, Reason, UsageError
from pellucid.programs import Attachment
from programs.test_trace import messages

pytestmark = pytest.mark.slow

PEERS = Path(os.environ.get("PELLUCID_PEERS") or Path(__file__).resolve().parents[2] / ".peers")
#: Connects once for each line that it is given, and says how many callbacks its context has.
VISITOR = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(b"x")
            tls.recv(1)
    print(context._msg_callback is not None, "_pellucid_watch" in sys.modules, flush=True)
"""


def python314() -> str:
    for found in (shutil.which("python3.14"), str(PEERS / "python3.14" / "usr" / "bin" / "python3.14")):
        # A pyenv shim is on the path also where the version behind it is not.
        if found and Path(found).exists() and not subprocess.run([found, "-c", ""]).returncode:
            return found
    pytest.skip("python3.14 is not installed")


class Visitor:
    """A program that does as it is told."""

    def __init__(self, python: str, port: int, folder: Path) -> None:
        command = [python, "-c", VISITOR, str(port), str(folder / "ca.pem")]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.tell, self.told = self.process.stdin, self.process.stdout
        assert self.told.readline() == "ready\n"

    def visit(self) -> str:
        """One connection; what the program says then."""
        self.tell.write("\n")
        self.tell.flush()
        return self.told.readline()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    authority = Authority.create()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    with echo_server(authority) as port:
        yield port, tmp_path


@pytest.fixture
def visitor(place: tuple[int, Path]) -> Iterator[Visitor]:
    program = Visitor(python314(), *place)
    with program.process:
        yield program
        program.process.kill()


def test_a_running_program_is_seen_and_left_as_it_was(visitor: Visitor) -> None:
    assert visitor.visit() == "False False\n"
    with Attachment(visitor.process.pid) as watch:
        folder = watch._folder
        assert visitor.visit() == "True True\n"
        seen = next(iter(watch))
        assert (seen.role, seen.name, seen.complete) == ("client", "localhost", True)
        assert messages(seen)[:2] == ["ClientHello", "ServerHello"]
        assert messages(seen).count("Finished") == 2
        assert watch.processes == 1
        assert visitor.visit() == "True True\n"
    assert visitor.visit() == "False False\n"
    assert not folder.exists()


def test_the_watching_ends_with_the_program(visitor: Visitor) -> None:
    with Attachment(visitor.process.pid) as watch:
        visitor.visit()
        visitor.tell.close()
        assert [seen.complete for seen in watch] == [True]
    assert not watch._folder.exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command(visitor: Visitor, how: signal.Signals) -> None:
    command = [*COMMAND, "trace", "-q", "--pid", str(visitor.process.pid)]
    with in_front(), subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT) as watch:
        assert watch.stderr is not None
        while visitor.visit() != "True True\n":
            time.sleep(0.05)
        line = watch.stderr.readline()
        assert b"client  localhost  TLS 1.3" in line
        assert line.endswith(b"complete\n")
        watch.send_signal(how)
        assert watch.wait(30) == 0
    assert visitor.visit() == "False False\n"


def test_a_watcher_that_was_killed_is_forgotten(visitor: Visitor) -> None:
    """Nothing is written for nobody: the next connection finds the watcher gone."""
    command = [*COMMAND, "trace", "-q", "--pid", str(visitor.process.pid)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as watch:
        while visitor.visit() != "True True\n":
            time.sleep(0.05)
        watch.kill()
    assert visitor.visit() == "False True\n"


def test_an_older_python_is_refused_with_a_way_out(place: tuple[int, Path]) -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("this Python can be watched")
    program = Visitor(sys.executable, *place)
    with program.process:
        done = pellucid("trace", "--pid", str(program.process.pid))
        assert done.returncode == 2
        assert b"it runs on Python 3." in done.stderr
        assert b"SSLKEYLOGFILE" in done.stderr
        assert program.visit() == "False False\n"
        program.process.kill()


def test_what_is_no_python_is_not_touched() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        with pytest.raises(UsageError) as refused:
            Attachment(other.pid)
        other.kill()
    assert refused.value.reason is Reason.CANNOT_WATCH
    assert "no Python interpreter" in str(refused.value)


def test_it_takes_no_program_besides() -> None:
    done = pellucid("trace", "--pid", "1", "program.py")
    assert done.returncode == 2
    assert b"--pid" in done.stderr
