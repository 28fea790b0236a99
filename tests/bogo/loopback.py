"""A runner of a few lines: it listens, starts the shim in this process, and speaks with it by scripts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bogo.main import main
from pellucid import ClientConfig, ClientConnection, Policy, ServerConfig, ServerConnection
from pellucid.connection import Connection
from pellucid.errors import TLSError
from pellucid.events import DataReceived, EarlyDataReceived, SessionReceived
from pellucid.resumption.sessions import Session

P13 = Policy(versions=(0x0304,))
P12 = Policy(versions=(0x0303,))


class Peer:
    """The runner's end of one connection."""

    def __init__(self, sock: socket.socket, conn: Connection) -> None:
        self.sock = sock
        self.conn = conn
        self.events: list[Any] = []
        self.error: TLSError | None = None
        self.alert: int | None = None

    def flush(self) -> None:
        data = self.conn.data_to_send()
        if data:
            self.sock.sendall(data)

    def read(self, until: Callable[[], bool]) -> None:
        """Read until `until()`, an error, or the end of the line."""
        self.flush()
        while not until() and self.error is None:
            data = self.record()
            if not data:
                return
            try:
                self.conn.receive_data(data)
            except TLSError as error:
                self.error = error
            self.events += self.conn.events()
            self.flush()

    def record(self) -> bytes:
        """The next record, so that its data is an event of its own; b"" at the end of the line."""
        data = self.sock.recv(5, socket.MSG_WAITALL)
        return data + self.sock.recv(int.from_bytes(data[3:5], "big"), socket.MSG_WAITALL) if data else b""

    def handshake(self) -> None:
        self.read(lambda: self.conn.handshake_complete)

    def received(self) -> bytes:
        return b"".join(e.data for e in self.events if isinstance(e, (DataReceived, EarlyDataReceived)))

    def exchange(self, data: bytes = b"\x42" * 32) -> bytes:
        """Send `data`, return as many bytes."""
        before = len(self.received())
        self.conn.send_data(data)
        self.read(lambda: len(self.received()) >= before + len(data))
        return self.received()[before:]

    def sessions(self) -> tuple[Session, ...]:
        return tuple(e.session for e in self.events if isinstance(e, SessionReceived))


class Runner:
    """Listens, runs the shim, and speaks with it by a script for each connection."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.stderr = ""

    def run(self, flags: list[str], *scripts: Callable[[socket.socket], None]) -> int:
        """Run the shim with `flags`; each script gets one connection's socket. Returns the exit code."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(60)
        faults: list[BaseException] = []

        def serve() -> None:
            try:
                for script in scripts:
                    sock, _ = listener.accept()
                    sock.settimeout(60)
                    with sock:
                        assert sock.recv(8, socket.MSG_WAITALL) == (77).to_bytes(8, "little")
                        script(sock)
            except BaseException as fault:
                faults.append(fault)
            finally:
                listener.close()

        port = str(listener.getsockname()[1])
        thread = threading.Thread(target=serve)
        thread.start()
        self.capsys.readouterr()
        code = main(["-port", port, "-shim-id", "77", *flags])
        thread.join(60)
        self.stderr = self.capsys.readouterr().err
        if faults:
            raise AssertionError(f"{faults[0]!r}; the shim said {self.stderr!r}") from faults[0]
        return code


def as_server(config: ServerConfig, *then: Callable[[Peer], None]) -> Callable[[socket.socket], None]:
    def script(sock: socket.socket) -> None:
        peer = Peer(sock, ServerConnection(config))
        peer.handshake()
        for step in then:
            step(peer)

    return script


def as_client(config: ClientConfig, *then: Callable[[Peer], None]) -> Callable[[socket.socket], None]:
    def script(sock: socket.socket) -> None:
        peer = Peer(sock, ClientConnection(config, "test"))
        peer.handshake()
        for step in then:
            step(peer)

    return script


def echo(peer: Peer) -> None:
    assert peer.exchange() == b"\xbd" * 32


def quiet(peer: Peer) -> None:
    """The shim is to fail here: read until it has hung up."""
    peer.read(lambda: False)


def refused(alert: int) -> Callable[[Peer], None]:
    def check(peer: Peer) -> None:
        quiet(peer)
        assert peer.error is not None
        assert peer.error.alert == alert

    return check
