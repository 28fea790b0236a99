"""`pellucid trace`: real programs that use the standard ssl, watched from outside."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.running import pellucid
from pellucid import Authority, ServerConfig, serve
from pellucid.glass.decode import Reader
from pellucid.io.sockets import TLSSocket
from pellucid.programs import Seen, Watch

pytestmark = pytest.mark.slow

CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
        with context.wrap_socket(sock, server_hostname=sys.argv[3]) as tls:
            tls.sendall(b"nobody but the two may read this")
            print(tls.recv(100).decode())
except ssl.SSLError as error:
    print("failed:", error.reason)
"""
BIO = """
import asyncio, ssl, sys
async def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(sys.argv[1]), ssl=context, server_hostname=sys.argv[3])
    writer.write(b"hello"); print((await reader.read(100)).decode()); writer.close()
asyncio.run(main())
"""
CHILDREN = """
import multiprocessing, runpy, subprocess, sys
def visit(): runpy.run_path(sys.argv[4])
if __name__ == "__main__":
    for method in ("spawn", "fork"):
        child = multiprocessing.get_context(method).Process(target=visit)
        child.start(); child.join()
    subprocess.run([sys.executable, sys.argv[4], *sys.argv[1:4]], check=True)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """A folder with programs, and what they are told: port, authority, name."""
    folder = tmp_path_factory.mktemp("programs")
    authority = Authority.create()
    (folder / "ca.pem").write_bytes(authority.pem)
    for name, text in (("client.py", CLIENT), ("bio.py", BIO), ("children.py", CHILDREN)):
        (folder / name).write_text(text)

    def echo(tls: TLSSocket) -> None:
        for data in tls:
            tls.sendall(data)

    with serve(echo, ServerConfig(identities=(authority.issue("localhost"),))) as server:
        yield folder, [str(server.port), str(folder / "ca.pem"), "localhost"]


def watched(command: list[str], engine: str = "observe") -> tuple[list[Seen], Watch]:
    with Watch(command, engine) as watch:
        return list(watch), watch


def messages(seen: Seen) -> list[str]:
    reader = Reader(seen.trace)
    return [reader.message(fact).name for fact in seen.trace.of("message")]


@pytest.mark.parametrize("program", ["client.py", "bio.py"])
@pytest.mark.parametrize("engine", ["observe", "ours"])
def test_a_client_is_seen(place: tuple[Path, list[str]], program: str, engine: str) -> None:
    folder, arguments = place
    (seen,), watch = watched([sys.executable, str(folder / program), *arguments], engine)
    assert watch.code == 0
    assert (seen.role, seen.name, seen.complete) == ("client", "localhost", True)
    names = messages(seen)
    assert names[:2] == ["ClientHello", "ServerHello"]
    assert names.count("Finished") == 2
    ours = seen.trace.decision("group").fields["chosen"] == 0x11EC  # type: ignore[union-attr]
    assert ours == (engine == "ours")  # OpenSSL 3.0 knows no ML-KEM
    epochs = {reader.fields["type"]: reader.fields["epoch"] for reader in seen.trace.of("message")}
    assert (epochs[1], epochs[2], epochs[20]) == (0, 0, 2)


def test_a_refusal_is_seen(place: tuple[Path, list[str]]) -> None:
    folder, (port, ca, _) = place
    (seen,), _watch = watched([sys.executable, str(folder / "client.py"), port, ca, "wrong.example"])
    error = next(seen.trace.of("error"))
    assert error.fields["local"]
    assert "the client sent the alert" in error.fields["detail"]
    assert "wrong.example" in seen.summary


def test_children_are_seen_too(place: tuple[Path, list[str]]) -> None:
    folder, arguments = place
    found, watch = watched(
        [sys.executable, str(folder / "children.py"), *arguments, str(folder / "client.py")]
    )
    assert watch.code == 0
    assert len(found) == 3
    assert len({seen.process for seen in found}) == 3


@pytest.mark.parametrize("python", ["python3.12", "python3.13"])
def test_other_interpreters_are_seen(place: tuple[Path, list[str]], python: str) -> None:
    # A pyenv shim is on the path also where the version behind it is not.
    if shutil.which(python) is None or subprocess.run([python, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"{python} is not installed")
    folder, arguments = place
    (seen,), _ = watched([python, str(folder / "client.py"), *arguments])
    assert seen.complete


def test_the_command_leaves_the_program_its_output(place: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, arguments = place
    done = pellucid("trace", "-q", str(folder / "client.py"), *arguments)
    assert done.stdout == b"nobody but the two may read this\n"
    assert b"localhost  TLS 1.3" in done.stderr
    assert b"nobody but the two" not in done.stderr
    told = tmp_path / "told.jsonl"
    done = pellucid("trace", "--json", "-o", str(told), str(folder / "client.py"), *arguments)
    assert done.stderr == b""
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert lines[0]["role"] == "client"
    assert {line["step"] for line in lines if "step" in line} >= {1, 2, 3, 9} - {9}


def test_exit_codes_and_what_cannot_be_seen(tmp_path: Path) -> None:
    program = tmp_path / "leaves.py"
    program.write_text("import sys; sys.exit(7)")
    assert pellucid("trace", str(program)).returncode == 7
    hidden = pellucid("trace", "--", sys.executable, "-I", str(program))
    assert hidden.returncode == 7
    assert b"Nothing could be watched" in hidden.stderr
    assert pellucid("trace", "/nothing/here").returncode == 2
    module = pellucid("trace", "-m", "this")
    assert b"Beautiful is better than ugly" in module.stdout


def test_a_sitecustomize_of_the_users_own_still_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.mine = 42")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    _, watch = watched([sys.executable, "-c", "import sys; sys.exit(mine)"])
    assert watch.code == 42
