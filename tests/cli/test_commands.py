"""The command line as its users run it: a process, pipes, exit codes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path
from types import ModuleType

import click
import pytest

from pellucid import Authority
from pellucid.cli import exits

from .running import COMMAND, ENVIRONMENT, Serve, echo_server, pellucid

ROOT = Path(__file__).resolve().parents[2]


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
    with socket.socket() as closed:  # bound and not listening: nobody else gets the port
        closed.bind(("127.0.0.1", 0))
        assert pellucid("connect", f"127.0.0.1:{closed.getsockname()[1]}", "-Q").returncode == 3
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


@pytest.mark.skipif(os.name == "nt", reason="no such pipes")
def test_a_reader_who_has_gone_is_141_and_no_traceback() -> None:
    with subprocess.Popen(
        [*COMMAND, "demo", "--tls", "1.3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as done:
        assert done.stdout is not None
        assert done.stderr is not None
        done.stdout.close()
        assert done.stderr.read() == b""
    assert done.returncode == 141


def test_ctrl_c_is_130() -> None:
    with Serve() as server:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(60)
    assert server.code == 130


def test_help_fits_into_80_columns() -> None:
    flags = documentation("flags")
    for name, command in flags.commands().items():
        with click.Context(command, info_name=f"pellucid {name}", max_content_width=80) as context:
            text = command.get_help(context)
        assert max(map(len, text.splitlines())) <= 80, name
    assert pellucid("--help").returncode == pellucid("--version").returncode == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["connect", "localhost", "-CAfile", "x"], "Use --ca FILE"),
        (["connect", "localhost", "-servername", "x"], "Use --server-name NAME"),
        (["connect", "localhost", "--verify-nam", "x"], "Did you mean --server-name or --verify-name?"),
        (["conect"], "Did you mean 'connect'?"),
        (["connect"], "Missing argument"),
        (["connect", "localhost:port"], "'port' is no port"),
        (["connect", "localhost", "--groups", "x25518"], "NamedGroup has no 'x25518'"),
        (["connect", "localhost", "--policy", "lax"], "No policy 'lax'"),
        (["connect", "localhost", "--suites", "TLS_RSA_WITH_AES_128_GCM_SHA256"], "in the museum"),
        (["connect", "localhost", "--cert", "no-such-file.pem"], "no-such-file.pem"),
        (["cert", "issue", "."], "Missing argument"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_slip_of_the_fingers_is_2_and_says_what_was_meant(typed: list[str], said: str) -> None:
    done = pellucid(*typed)
    assert done.returncode == 2
    assert done.stdout == b""
    assert said in " ".join(done.stderr.decode().split())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("script") is None, reason="needs util-linux's script")
def test_on_a_terminal_of_80_columns() -> None:
    """In colour, and no line is longer; with NO_COLOR there is no colour."""
    command = f"stty cols 80; {shlex.join([*COMMAND, 'demo', '--tls', '1.3'])}"
    for env, colours in (({}, True), ({"NO_COLOR": "1"}, False)):
        environment = ENVIRONMENT | {"TERM": "xterm-256color"} | env
        done = subprocess.run(
            ["script", "-qec", command, "/dev/null"], capture_output=True, timeout=60, env=environment
        )
        text = done.stdout.decode()
        assert ("\x1b[" in text) is colours
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert max(len(line.rstrip("\r")) for line in plain.split("\n")) <= 80
        assert "CLIENT HELLO" in plain


@pytest.mark.slow
def test_where_there_is_only_ascii() -> None:
    done = pellucid("demo", "--tls", "1.3", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert done.stdout.isascii()


@pytest.mark.slow
def test_the_demo_shows_a_tampered_bit() -> None:
    """Step 9: the record that was sent and the one that arrived differ in one bit, and that is noticed."""
    for story in ("classic", "1.3"):
        done = pellucid("demo", "--json", "--tls", story)
        values = json.loads(done.stdout.splitlines()[-1])["values"]
        sent, arrived = int(values["as_sent"], 16), int(values["as_it_arrived"], 16)
        assert (sent ^ arrived).bit_count() == 1
        assert values["checks"][-1]["passed"] is False
        alert = {"message": "Alert: bad_record_mac", "from": "server", "bytes": 2, "encrypted": True}
        assert values["messages"][-1] == alert


def test_the_documented_flags_are_the_flags() -> None:
    flags = documentation("flags")
    assert flags.PAGE.read_text(encoding="utf-8") == flags.page(), "run: make docs"


def test_the_documented_exit_codes_are_the_exit_codes() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for code, meaning in exits.MEANINGS.items():
        assert f"| {code} | {meaning} |" in page


def documentation(name: str) -> ModuleType:
    """A module of docs/."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "command",
    [
        ("replay", "lost.jsonl"),
        ("decode", "lost.jsonl"),
        ("diff", "lost.jsonl", "lost.jsonl"),
        ("cert", "show", "lost.jsonl"),
        ("connect", "localhost:1", "--early-data", "lost.jsonl", "--session", "s"),
        ("demo", "--html", "nowhere/lost.jsonl"),
    ],
    ids=lambda command: command[0],
)
def test_a_files_name_is_told_as_it_is(command: tuple[str, ...]) -> None:
    """A sentence begins with a capital letter, but nobody's file name is changed for it."""
    done = pellucid(*command)
    assert done.returncode == 2
    said = done.stderr.decode()
    assert "lost.jsonl'" in said
    assert "Lost.jsonl" not in said
    assert "Nowhere" not in said
