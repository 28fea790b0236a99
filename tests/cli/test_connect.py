"""`pellucid connect`: names, what goes where, and what is kept."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from pellucid import Authority, ServerConfig, serve, wrap_server
from pellucid.glass.trace import Trace
from pellucid.io.sockets import TLSSocket

from .running import echo_server, objects, pellucid


def test_the_name_to_verify_is_not_the_name_to_ask_for(authority: Authority, ca: str) -> None:
    asked: list[str | None] = []

    def note(tls: TLSSocket) -> None:
        asked.append(tls.info.server_name)
        tls.shutdown_write()

    config = ServerConfig(identities=(authority.issue("inside.test"),))
    with serve(note, config) as server:
        target = f"127.0.0.1:{server.port}"
        common = (target, "-Q", "-q", "--ca", ca)
        assert pellucid("connect", *common).returncode == 5
        names = ("--server-name", "outside.test", "--verify-name", "inside.test")
        assert pellucid("connect", *common, *names).returncode == 0
        assert pellucid("connect", *common, "--verify-name", "inside.test").returncode == 0
        assert pellucid("connect", *common, *names, "--no-sni").returncode == 0
        # The other way round: asked for inside.test, but the certificate must be for another name.
        names = ("--server-name", "inside.test", "--verify-name", "outside.test")
        assert pellucid("connect", *common, *names).returncode == 5
    assert asked == ["outside.test", None, None]


def test_json_is_all_that_stands_on_stdout(authority: Authority, ca: str) -> None:
    with echo_server(authority) as port:
        done = pellucid("connect", f"localhost:{port}", "--json", "--ca", ca, stdin="né\n".encode())
        noise = pellucid("connect", f"localhost:{port}", "--json", "--ca", ca, stdin=b"\xff\x00")
    assert done.returncode == 0
    assert objects(done)[-1] == {"received": 4, "text": "né\n"}
    assert objects(noise)[-1] == {"received": 2, "hex": "ff00"}
    steps = [told["step"] for told in objects(done) if "step" in told]
    assert steps[:8] == list(range(1, 9))  # the ninth is data
    assert objects(done)[-2]["connection"]["version_name"] == "TLS 1.3"


def test_an_error_is_one_object(authority: Authority) -> None:
    with echo_server(authority) as port:
        done = pellucid("connect", f"localhost:{port}", "--json", "--ca", "system")
    assert len([told for told in objects(done) if "error" in told]) == 1


def test_the_record_goes_to_the_end_of_the_connection(authority: Authority, ca: str, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    with echo_server(authority) as port:
        arguments = ("connect", f"localhost:{port}", "-q", "--ca", ca, "--record", str(file))
        assert pellucid(*arguments, stdin=b"a private word").returncode == 0
    with file.open() as lines:
        trace = Trace.read(lines)
    assert [fact.what for fact in trace.of("state")][-1] == "close_notify sent"
    assert sum(1 for fact in trace.of("alert") if not fact.sent) == 1  # the server's close_notify
    told = file.read_text()  # data is kept back like a secret
    assert "a private word" not in told
    assert b"a private word".hex() not in told


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["handshake", "afterwards"])
def test_the_record_of_a_failed_connection(
    failing: str, authority: Authority, ca: str, tmp_path: Path
) -> None:
    """A line that is cut: in the middle of the handshake (4), or without close_notify (6)."""
    file = tmp_path / "trace.jsonl"
    config = ServerConfig(identities=(authority.issue("localhost"),))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut() -> None:
            sock, _ = listener.accept()
            if failing == "afterwards":
                tls = wrap_server(sock, config)
                tls.sendall(b"the beginning")
                tls.recv()
            else:
                sock.recv(5)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
            sock.close()

        thread = threading.Thread(target=cut, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        arguments = ("connect", f"localhost:{port}", "--ca", ca, "--record", str(file))
        done = pellucid(*arguments, stdin=b"x")
        thread.join(60)
    with file.open() as lines:
        (error,) = Trace.read(lines).of("error")
    told = done.stderr.decode()
    assert "CLIENT HELLO" in told
    if failing == "handshake":
        assert done.returncode == 4
        assert error.reason.label == "eof-in-handshake"
    else:
        assert done.returncode == 6
        assert done.stdout == b"the beginning"
        assert error.reason.label == "truncated"
        assert "close_notify" in told


def test_a_record_with_secrets_is_for_its_owner(authority: Authority, ca: str, tmp_path: Path) -> None:
    """Even where a file that everybody may read is there already; and a file that cannot be is 2."""
    file = tmp_path / "trace.jsonl"
    file.touch(mode=0o644)
    with echo_server(authority) as port:
        common = ("connect", f"localhost:{port}", "-Qq", "--ca", ca)
        assert pellucid(*common, "--record", str(file)).returncode == 0
        assert file.stat().st_mode & 0o777 == 0o644
        assert pellucid(*common, "--record", str(file), "--show-secrets").returncode == 0
        assert file.stat().st_mode & 0o777 == 0o600
        nowhere = pellucid(*common, "--record", str(tmp_path / "no" / "trace.jsonl"))
    assert nowhere.returncode == 2
    assert "no/trace.jsonl" in "".join(nowhere.stderr.decode().split())


def test_insecure_says_what_was_not_checked(authority: Authority) -> None:
    with echo_server(authority, fault="expired") as port:
        done = pellucid("connect", f"localhost:{port}", "-Q", "--insecure")
    assert done.returncode == 0
    told = " ".join(done.stderr.decode().split())
    assert "Nobody verified this server" in told
    for unchecked in ("who issued the certificate", "for this name", "valid today", "revoked", "used for"):
        assert unchecked in told
