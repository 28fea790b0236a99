"""`pellucid serve`: each visitor's handshake, those that failed too."""

from __future__ import annotations

import io
import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from pellucid import Authority, ClientConfig, Policy, TLSError, Trust, connect
from pellucid.glass.trace import Trace

from .running import SECONDS, Serve, pellucid


@pytest.mark.slow
@pytest.mark.parametrize("extra", [[], ["--www"]])
def test_serve(tmp_path: Path, extra: list[str]) -> None:
    ca = tmp_path / "ca.pem"
    with Serve("--once", "--save-ca", str(ca), *extra) as server:
        arguments = ["--http", "/"] if extra else []
        done = pellucid(
            "connect", f"localhost:{server.port}", "--ca", str(ca), *arguments, stdin=b"over and over"
        )
        assert done.returncode == 0
        assert (b"Your handshake" in done.stdout) if extra else (done.stdout == b"over and over")
    assert server.code == 0
    assert "CLIENT HELLO" in server.stdout.decode()


def test_a_request_in_pieces(tmp_path: Path) -> None:
    """A head that is cut in the middle of its end is still a head."""
    ca = tmp_path / "ca.pem"
    with (
        Serve("--once", "--www", "--save-ca", str(ca)) as server,
        connect("localhost", server.port, config=ClientConfig(trust=Trust.from_pem(ca)), timeout=60) as tls,
    ):
        for piece in (b"GET / HTTP/1.1\r\nHost: localhost\r", b"\n\r", b"\n"):
            tls.sendall(piece)
            time.sleep(0.05)
        assert b"Your handshake" in b"".join(tls)
    assert server.code == 0


def test_a_failed_handshake_is_shown(tmp_path: Path) -> None:
    record = tmp_path / "traces.jsonl"
    with Serve("--once", "--tls", "1.3", "--record", str(record)) as server:
        config = ClientConfig(trust=Trust.insecure(), policy=Policy(versions=(0x0303,)))
        with pytest.raises(TLSError):
            connect("127.0.0.1", server.port, config=config, timeout=60)
    told = server.stdout.decode()
    assert "CLIENT HELLO" in told
    assert "Alert: protocol_version" in told
    assert b"There is no protocol version that both sides allow." in server.stderr
    assert server.code == 4
    with record.open() as lines:
        assert Trace.read(lines).role == "server"


@pytest.mark.slow
def test_the_record_of_several_visitors_is_read_again(ca: str, tmp_path: Path) -> None:
    record = tmp_path / "traces.jsonl"
    with Serve("--record", str(record)) as server:
        assert pellucid("connect", f"localhost:{server.port}", "-Q", "-q", "--ca", ca).returncode == 5
        assert pellucid("connect", f"localhost:{server.port}", "-q", "-k", stdin=b"x").returncode == 0
    decoded = pellucid("decode", str(record))
    assert decoded.returncode == 0
    assert decoded.stdout.count(b"CLIENT HELLO") == 2
    assert decoded.stdout.count(b"a trace of the server") == 2


def test_a_quiet_server_says_where_it_listens_and_nothing_else() -> None:
    """Serve waits for that line; a server on port 0 could not be found without it."""
    with Serve("--once", "-q", "--www") as server:
        assert server.port
        assert pellucid("connect", f"localhost:{server.port}", "-q", "-k", "--http", "/").returncode == 0
    assert server.stdout == b""
    assert server.stderr == b""


def test_a_client_that_does_not_believe_us_is_shown(ca: str) -> None:
    with Serve("--once", "--json") as server:
        assert pellucid("connect", f"localhost:{server.port}", "-Q", "-q", "--ca", ca).returncode == 5
    assert server.objects[0]["title"] == "Client Hello"
    assert server.objects[-1]["error"]["reason"] == "peer-alert"
    assert "unknown_ca" in server.objects[-1]["error"]["what"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "A plain HTTP request"),
        (b"\x80\x2e\x01\x03\x01" + bytes(60), "SSL 2.0"),
        (bytes(range(100, 200)), "no TLS record"),
        (b"\x16\x03\x01\x00\x05\x01\x00", "ended"),
    ],
    ids=["http", "sslv2", "noise", "cut"],
)
def test_who_does_not_speak_tls(said: bytes, understood: str) -> None:
    with Serve("--once") as server, socket.create_connection(("127.0.0.1", server.port), 60) as sock:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1000):
            pass
    assert server.code == 4
    assert understood in " ".join(server.stderr.decode().split())


def test_it_ends_when_told_to(authority: Authority) -> None:
    with Serve() as server:
        assert server.port
    assert server.code == 0


def test_who_is_leaving_when_it_ends_is_kept(tmp_path: Path) -> None:
    """The file of the record is a pipe here, which takes a page and no more until somebody reads."""
    fcntl: Any = pytest.importorskip("fcntl")
    record = tmp_path / "pipe"
    os.mkfifo(record)
    with (
        open(os.open(record, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as pipe,
        Serve("--record", str(record)) as server,
    ):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
        assert pellucid("connect", f"localhost:{server.port}", "-q", "-k", stdin=b"x").returncode == 0
        while not select.select([pipe], [], [], 1)[0]:
            pass
        server.process.terminate()
        time.sleep(0.5)
        os.set_blocking(pipe.fileno(), True)
        told = pipe.read()
        server.process.wait(SECONDS)  # a second SIGTERM, as __exit__ sends, would end it at once
    assert Trace.read(io.StringIO(told.decode())).role == "server"
    assert server.code == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
def test_sighup_reads_the_certificates_again(tmp_path: Path) -> None:
    authority = Authority.create()
    config = ClientConfig(trust=authority.trust())
    cert, key = authority.issue("old.test").write(tmp_path, "site")

    def shown(server: Serve, name: str) -> bytes:
        with connect("127.0.0.1", server.port, config=config, server_name=name, timeout=60) as tls:
            return tls.info.peer_chain[0]

    def told(server: Serve, sentence: bytes) -> None:
        server.process.send_signal(signal.SIGHUP)
        assert server.process.stderr is not None
        while sentence not in (line := server.process.stderr.readline()):
            assert line, "the server has ended"

    with Serve("--cert", str(cert), "--key", str(key)) as server:
        before = shown(server, "old.test")
        fresh = authority.issue("new.test")
        cert.write_bytes(fresh.chain_pem())  # the key does not fit yet
        told(server, b"the certificates stay what they were")
        assert shown(server, "old.test") == before
        key.write_bytes(fresh.key_pem())
        told(server, b"the certificates were read again")
        assert shown(server, "new.test") == fresh.leaf
