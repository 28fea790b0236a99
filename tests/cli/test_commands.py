"""The command line as its users run it: a process, pipes, exit codes."""

from __future__ import annotations

import json
import re
import socket
import threading

import pytest

from pellucid import Authority

from .running import echo_server, pellucid


@pytest.mark.slow
def test_demo_tells_the_nine_steps_twice() -> None:
    done = pellucid("demo")
    assert done.returncode == 0
    text = done.stdout.decode()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    for title in (
        "CLIENT HELLO",
        "SERVER HELLO",
        "CERTIFICATE VALIDATION",
        "PRE-MASTER SECRET",
        "SESSION KEYS",
    ):
        assert title in text
    assert "Nobody but you and me." in text


@pytest.mark.slow
def test_demo_as_json_has_nine_steps_a_story() -> None:
    done = pellucid("demo", "--json")
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    for story in ("classic", "today"):
        told = [step for step in steps if step["story"] == story]
        assert [step["step"] for step in told] == list(range(1, 10))
        assert all(step["who"] in ("client", "server", "both") and step["title"] for step in told)
    classic = steps[3]["values"]
    assert re.fullmatch("[0-9a-f]{512}", classic["encrypted_pre_master_secret"])
    assert "…" in classic["pre_master_secret"]


@pytest.mark.slow
def test_secrets_are_shown_to_those_who_ask() -> None:
    done = pellucid("demo", "--json", "--tls", "classic", "--show-secrets")
    secret = json.loads(done.stdout.splitlines()[3])["values"]["pre_master_secret"]
    assert re.fullmatch("0303[0-9a-f]{92}", secret)


def test_connect_passes_data_through(authority: Authority, ca: str) -> None:
    with echo_server(authority) as port:
        done = pellucid("connect", f"localhost:{port}", "--ca", ca, stdin=b"hello\n")
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    assert "TLS 1.3" in done.stderr.decode()


def test_a_certificate_that_is_refused_is_5(authority: Authority, ca: str) -> None:
    with echo_server(authority) as port:
        unknown = pellucid("connect", f"localhost:{port}", "-Q", "-q")
        wrong_name = pellucid("connect", f"127.0.0.1:{port}", "-Q", "-q", "--ca", ca)
        careless = pellucid("connect", f"localhost:{port}", "-Q", "--insecure")
    assert unknown.returncode == wrong_name.returncode == 5
    assert b"authority" in unknown.stderr
    assert b"another name" in wrong_name.stderr
    assert careless.returncode == 0
    assert b"Nobody verified" in careless.stderr


def test_the_network_is_3_and_the_handshake_is_4() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert pellucid("connect", f"127.0.0.1:{port}", "-Q").returncode == 3
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            sock, _ = plain.accept()
            sock.recv(1000)
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            sock.recv(1000)
            sock.close()

        threading.Thread(target=answer, daemon=True).start()
        done = pellucid("connect", f"127.0.0.1:{plain.getsockname()[1]}", "-Q", "-q")
    assert done.returncode == 4
    assert b"clear text" in done.stderr


def test_a_wrong_command_line_is_2() -> None:
    assert pellucid("conect").returncode == 2
    assert pellucid("connect", "localhost", "--tls", "1.1").returncode == 2
