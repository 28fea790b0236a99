"""decode, diff and explain, run as their users run them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as s

from pellucid import ClientConnection, ServerConnection
from pellucid.glass.capture import export
from pellucid.glass.trace import Trace
from pellucid.legacy import museum_policy
from support import TLS13, House, pump

from .running import pellucid

SAID = b"what nobody else should read"


@pytest.fixture(scope="module")
def recorded(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a static RSA connection as a capture, its server's key, and one of TLS 1.3."""
    folder = tmp_path_factory.mktemp("recorded")
    for name, policy in (("museum", museum_policy()), ("today", TLS13)):
        trace = Trace()
        pair = (
            ClientConnection(house.client(policy, observer=trace), "localhost"),
            ServerConnection(house.servers(policy, "rsa-2048")),
        )
        pump(*pair)
        pair[0].send_data(SAID)
        pump(*pair)
        (folder / f"{name}.pcapng").write_bytes(export(trace, secrets=name == "today"))
        with (folder / f"{name}.jsonl").open("w") as file:
            trace.write(file)
    key = house.server["rsa-2048"].key
    pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    return folder


def test_a_capture_with_its_keys_inside_is_open(recorded: Path) -> None:
    done = pellucid("decode", str(recorded / "today.pcapng"))
    assert done.returncode == 0
    text = done.stdout.decode()
    assert SAID.decode() in text
    assert "SECURE COMMUNICATION" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_static_rsa_is_closed_without_the_servers_key_and_open_with_it(recorded: Path) -> None:
    closed = pellucid("decode", str(recorded / "museum.pcapng"))
    assert closed.returncode == 0
    assert SAID not in closed.stdout
    opened = pellucid("decode", str(recorded / "museum.pcapng"), "--key", str(recorded / "key.pem"))
    assert SAID in opened.stdout


def test_a_trace_and_stdin_and_hex(recorded: Path) -> None:
    trace = (recorded / "today.jsonl").read_bytes()
    assert b"CLIENT HELLO" in pellucid("decode", str(recorded / "today.jsonl")).stdout
    assert b"CLIENT HELLO" in pellucid("decode", "-", stdin=trace).stdout
    first = next(line for line in map(json.loads, trace.splitlines()) if line.get("kind") == "message")
    assert b"CLIENT HELLO" in pellucid("decode", first["raw"]["hex"]).stdout


def test_a_certificate(house: House, recorded: Path) -> None:
    """By itself: its bytes and its trust, and no story of a handshake that there was not."""
    pem = recorded / "leaf.pem"
    identity = house.server["ecdsa-p256"]
    pem.write_text(ssl.DER_cert_to_PEM_cert(identity.chain[0]))
    told = pellucid("decode", str(pem)).stdout.decode()
    assert "tbsCertificate" in told
    assert "which is not trusted here" in " ".join(told.split())
    assert "HELLO" not in told
    assert pellucid("decode", "-", stdin=pem.read_bytes()).stdout.decode() == told
    assert pellucid("decode", identity.chain[0].hex()).stdout.decode() == told
    views = [json.loads(line) for line in pellucid("decode", str(pem), "--json").stdout.splitlines()]
    assert [view["view"] for view in views] == ["trust", "bytes"]
    assert views[0]["chains"][0]["certificates"][0]["names"] == ["localhost"]
    page = recorded / "leaf.html"
    story = pellucid("decode", str(pem), "--view", "steps", "--html", str(page)).stdout.decode()
    assert "CERTIFICATE VALIDATION" in story
    assert "HELLO" not in story
    assert "certificates, without a handshake" in page.read_text()
    assert "a handshake that" not in page.read_text()


def test_json(recorded: Path) -> None:
    done = pellucid("decode", "--json", str(recorded / "today.pcapng"))
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["step"] for step in steps] == list(range(1, 10))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing-here.pcap"], b"no file"),
        (["00"], b"neither TLS records"),
        (["-"], b"nothing to decode"),
    ],
)
def test_what_cannot_be_decoded_is_said(arguments: list[str], words: bytes) -> None:
    done = pellucid("decode", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_diff(recorded: Path) -> None:
    museum, today = str(recorded / "museum.pcapng"), str(recorded / "today.jsonl")
    done = pellucid("diff", museum, today)
    assert done.returncode == 1
    assert b"forward secrecy" in done.stdout
    found = {
        one["what"]: one
        for one in map(json.loads, pellucid("diff", "--json", museum, today).stdout.splitlines())
    }
    assert (found["version"]["a"], found["version"]["b"]) == ("TLS 1.2", "TLS 1.3")
    alike = pellucid("diff", today, str(recorded / "today.pcapng"))
    assert (alike.returncode, b"They are alike" in alike.stdout) == (0, True)


def test_explain() -> None:
    done = pellucid("explain", "handshake", "failure")
    assert done.returncode == 0
    assert b"40 (0x28)" in done.stdout
    (entry,) = map(json.loads, pellucid("explain", "--json", "0x1301").stdout.splitlines())
    assert entry["word"] == "TLS_AES_128_GCM_SHA256"
    unknown = pellucid("explain", "handshake_failrue")
    assert unknown.returncode == 2
    assert b"Did you mean handshake_failure" in unknown.stderr


def test_views_and_files_of_a_recording(recorded: Path, tmp_path: Path) -> None:
    page, ladder, capture = tmp_path / "a.html", tmp_path / "a.svg", tmp_path / "a.pcapng"
    done = pellucid(
        "decode", "--view", "all", "--key", str(recorded / "key.pem"), "--html", str(page),
        "--svg", str(ladder), "--pcap", str(capture), str(recorded / "museum.pcapng"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"leaks" in done.stdout
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert ladder.read_text("utf-8").startswith("<svg")
    assert capture.stat().st_mode & 0o077 == 0
    again = pellucid("decode", str(capture))  # its keys are inside now
    assert SAID in again.stdout


@pytest.mark.slow
def test_the_demo_is_recorded_too(tmp_path: Path) -> None:
    trace, keys = tmp_path / "demo.jsonl", tmp_path / "keys.log"
    done = pellucid(
        "demo", "--record", str(trace), "--keylog", str(keys), "--pcap", str(tmp_path / "demo.pcapng")
    )
    assert done.returncode == 0
    assert keys.stat().st_mode & 0o077 == 0
    assert {line.split()[0] for line in keys.read_text().splitlines()} >= {"CLIENT_RANDOM", "EXPORTER_SECRET"}
    heads = [json.loads(line) for line in trace.read_text().splitlines() if '"pellucid"' in line]
    assert [head["role"] for head in heads] == ["client", "client"]
    again = pellucid("decode", str(tmp_path / "demo.pcapng"))
    assert again.stdout.count(b"Can anybody else read this?") == 2
