"""The flags of `connect` and `serve` beside the `openssl` command: each feature on both command lines.

Both are processes of their own; what each says it agreed on is compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid import Authority, Identity

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed"),
]

SECONDS = 60
PELLUCID = [sys.executable, "-m", "pellucid"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "SSLKEYLOGFILE"}
PSK = "00112233445566778899aabbccddeeff"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server, a client, and a staple for the server, in files."""
    folder = tmp_path_factory.mktemp("flags")
    authority = Authority.create()
    (folder / "ca.pem").write_bytes(authority.pem)
    server = authority.issue("localhost")
    server.write(folder, "server")
    authority.issue("alice", client=True).write(folder, "alice")
    (folder / "ocsp.der").write_bytes(authority.staple(Identity(server.chain, server.key)))
    return folder


def pair(files: Path, who: str, dash: str) -> list[str]:
    return [f"{dash}cert", str(files / f"{who}.pem"), f"{dash}key", str(files / f"{who}-key.pem")]


class Lines:
    """What a process prints, read as it comes: a full pipe would stop the process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            self._lines.put(line)

    def next(self, wanted: str) -> str:
        """The next line in which the regular expression `wanted` is found."""
        while True:
            line = self._lines.get(timeout=SECONDS / 2).decode("utf-8", "replace")
            if re.search(wanted, line):
                return line


@contextlib.contextmanager
def running(command: list[str], ready: str) -> Iterator[tuple[int, Lines]]:
    """A server in a process; the port is the number at the end of the line with `ready`."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT
    ) as server:
        try:
            lines = Lines(server)
            yield int(lines.next(ready).rsplit(":", 1)[1]), lines
        finally:
            server.terminate()


def theirs(files: Path, *flags: str) -> Any:
    command = ["openssl", "s_server", "-accept", "0", *pair(files, "server", "-"), *flags]
    return running(command, "ACCEPT")


def ours(files: Path, *flags: str) -> Any:
    return running([*PELLUCID, "serve", "0", "--json", *pair(files, "server", "--"), *flags], "listening on")


def connect(port: int, files: Path, *flags: str, stdin: bytes = b"") -> list[dict[str, Any]]:
    """Our client; what --json printed."""
    command = [*PELLUCID, "connect", f"localhost:{port}", "--json", "--ca", str(files / "ca.pem"), *flags]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=SECONDS, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def s_client(port: int, files: Path, *flags: str, stdin: bytes = b"hello\n") -> str:
    """Their client, until it has heard the echo of "hello"; what it printed."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost"]
    command += ["-CAfile", str(files / "ca.pem"), "-verify_return_error", *flags]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(stdin)
        client.stdin.flush()
        said = []
        for line in client.stdout:
            said.append(line.decode("utf-8", "replace"))
            if line.endswith(b"hello\n"):  # perhaps behind the dump of a ticket
                break
        client.stdin.close()
        said.append(client.stdout.read().decode("utf-8", "replace"))
        client.wait(SECONDS)
    return "".join(said)


def facts(told: list[dict[str, Any]]) -> dict[str, Any]:
    """The connection's facts among the objects of --json."""
    found: dict[str, Any] = next(each["connection"] for each in told if "connection" in each)
    return found


def next_visitor(server: Lines) -> dict[str, Any]:
    """What `serve --json` says of the next visitor."""
    return facts([json.loads(server.next(r'^\{"connection"'))])


# -- our client ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "here", "agreed"),
    [
        (["-alpn", "h2,http/1.1"], ["--alpn", "http/1.1,h2"], {"alpn": "h2"}),
        (["-groups", "P-384"], ["--groups", "x25519,secp384r1", "--key-shares", "x25519"], {"retried": True}),
        (["-status_file", "OCSP"], [], {"ocsp_response": "OCSP"}),
        (["-Verify", "1"], ["ALICE"], {"client_certificate_requested": True}),
        (["-psk", PSK, "-psk_identity", "x"], ["--psk", PSK, "--psk-identity", "x"], {"external_psk": True}),
        (["-tls1_2"], ["--max-fragment", "512"], {"version_name": "TLS 1.2"}),
        (["-record_padding", "512"], ["--pad-to", "256"], {"version_name": "TLS 1.3"}),
        ([], ["--key-update"], {"version_name": "TLS 1.3"}),
        ([], ["--grease"], {"version_name": "TLS 1.3"}),
    ],
    ids=[
        "alpn",
        "retry",
        "ocsp",
        "client-cert",
        "psk",
        "max-fragment",
        "padding",
        "key-update",
        "grease",
    ],
)
def test_our_client(there: list[str], here: list[str], agreed: dict[str, Any], files: Path) -> None:
    there = [str(files / "ocsp.der") if flag == "OCSP" else flag for flag in there]
    here = pair(files, "alice", "--") if here == ["ALICE"] else here
    if agreed.get("ocsp_response"):
        agreed = {"ocsp_response": (files / "ocsp.der").read_bytes().hex()}
    with theirs(files, *there, "-CAfile", str(files / "ca.pem"), "-rev", "-naccept", "2") as (port, _):
        told = connect(port, files, *here, stdin=b"olleh\n")
    assert {name: facts(told)[name] for name in agreed} == agreed
    assert "".join(each["text"] for each in told if "received" in each) == "hello\n"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_our_client_resumes(version: str, files: Path, tmp_path: Path) -> None:
    flags = ("--tls", version, "--session", str(tmp_path / "session"))
    with theirs(files, "-rev") as (port, _):
        resumed = [facts(connect(port, files, *flags, stdin=b"x\n"))["resumed"] for _ in range(3)]
    assert resumed == [False, True, True]


def test_our_clients_early_data(files: Path, tmp_path: Path) -> None:
    early = tmp_path / "early"
    early.write_bytes(b"soon\n")
    flags = ("--session", str(tmp_path / "session"))
    with theirs(files, "-early_data") as (port, _):
        connect(port, files, *flags, "-Q")
        told = connect(port, files, *flags, "-Q", "--early-data", str(early))
    assert facts(told)["early_data"] == "accepted"


def test_our_client_exports_what_their_server_exports(files: Path) -> None:
    with theirs(files, "-keymatexport", "EXPERIMENTAL x", "-keymatexportlen", "24") as (port, server):
        flags = ("--export", "EXPERIMENTAL x", "--export-length", "24", "--show-secrets")
        told = connect(port, files, *flags, "-Q")
        line = server.next("Keying material:")
    (exported,) = (each["value"] for each in told if "exporter" in each)
    assert line.split()[-1].lower() == exported


# -- our server ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "there", "agreed", "said"),
    [
        (["--alpn", "h2"], ["-alpn", "http/1.1,h2"], {"alpn": "h2"}, "ALPN protocol: h2"),
        (["--groups", "secp384r1"], ["-groups", "X25519:P-384"], {"retried": True}, "secp384r1, 384 bits"),
        (["--stateless-retry", "--groups", "x448"], ["-groups", "P-256:X448"], {"retried": True}, "X448"),
        (["--ocsp", "OCSP"], ["-status"], {}, "OCSP Response Status: successful"),
        (
            ["CLIENTS"],
            ["ALICE"],
            {"signature_scheme_name": "ecdsa_secp256r1_sha256"},
            "Verify return code: 0",
        ),
        (["--psk", PSK], ["-psk", PSK, "-tls1_3"], {"external_psk": True}, "Reused, TLSv1.3"),
        (["--tls", "1.2"], ["-maxfraglen", "512"], {"version_name": "TLS 1.2"}, "TLSv1.2"),
        (["--record-size-limit", "512", "--pad-to", "100"], [], {"version_name": "TLS 1.3"}, "TLSv1.3"),
        (["--key-update"], ["-tls1_3"], {"version_name": "TLS 1.3"}, "TLSv1.3"),
        (["--compress-certificates", "none"], [], {"version_name": "TLS 1.3"}, "TLSv1.3"),
    ],
    ids=[
        "alpn",
        "retry",
        "cookie",
        "ocsp",
        "client-cert",
        "psk",
        "max-fragment",
        "records",
        "key-update",
        "plain",
    ],
)
def test_our_server(
    here: list[str], there: list[str], agreed: dict[str, Any], said: str, files: Path
) -> None:
    here = [str(files / "ocsp.der") if flag == "OCSP" else flag for flag in here]
    if here == ["CLIENTS"]:
        here = ["--client-auth", "require", "--client-ca", str(files / "ca.pem")]
    there = pair(files, "alice", "-") if there == ["ALICE"] else there
    with ours(files, *here) as (port, server):
        printed = s_client(port, files, *there)
        seen = next_visitor(server)
    assert said in printed
    assert "hello\n" in printed
    assert {name: seen[name] for name in agreed} == agreed


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_their_client_resumes_with_us(version: str, files: Path, tmp_path: Path) -> None:
    session = str(tmp_path / "session.pem")
    with ours(files) as (port, server):
        s_client(port, files, version, "-sess_out", session)
        printed = s_client(port, files, version, "-sess_in", session)
        resumed = [next_visitor(server)["resumed"] for _ in range(2)]
    assert resumed == [False, True]
    assert "Reused" in printed


def test_their_clients_early_data(files: Path, tmp_path: Path) -> None:
    session, early = str(tmp_path / "session.pem"), tmp_path / "early"
    early.write_bytes(b"soon\n")
    with ours(files, "--max-early-data", "1000") as (port, server):
        s_client(port, files, "-sess_out", session)
        printed = s_client(port, files, "-sess_in", session, "-early_data", str(early))
        states = [next_visitor(server)["early_data"] for _ in range(2)]
    assert states == [None, "accepted"]
    assert "Early data was accepted" in printed
    assert "soon\n" in printed


def test_their_client_shows_its_certificate_later(files: Path) -> None:
    asks = ("--client-auth", "later", "--client-ca", str(files / "ca.pem"))
    with ours(files, *asks) as (port, server):
        s_client(port, files, "-tls1_3", "-enable_pha", *pair(files, "alice", "-"), stdin=b"first\nhello\n")
        line = server.next("showed a certificate later")
    assert "alice" in line


def test_their_client_exports_what_our_server_exports(files: Path) -> None:
    flags = ("--export", "EXPERIMENTAL x", "--export-length", "24", "--show-secrets")
    with ours(files, *flags) as (port, server):
        printed = s_client(port, files, "-keymatexport", "EXPERIMENTAL x", "-keymatexportlen", "24")
        line = server.next('"exporter"')
    found = re.search(r"Keying material: ([0-9A-F]+)", printed)
    assert found is not None
    assert found[1].lower() == json.loads(line)["value"]
