"""Twisted's own TLS over pellucid, on a real reactor and real sockets, and against OpenSSL's."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid import (
    Authority,
    ClientConfig,
    ClientConnection,
    PeerRefused,
    Policy,
    Reason,
    ServerConfig,
    ServerConnection,
    connect,
    serve,
    wrap_client,
)

loop: Any = pytest.importorskip("twisted.internet.reactor")
endpoints: Any = pytest.importorskip("twisted.internet.endpoints")
protocol: Any = pytest.importorskip("twisted.internet.protocol")
twisted_ssl: Any = pytest.importorskip("twisted.internet.ssl")  # with pyOpenSSL
ours: Any = pytest.importorskip("pellucid.io.twisted")
ClientTLS, ServerTLS, TLSFailure = ours.ClientTLS, ours.ServerTLS, ours.TLSFailure

pytestmark = pytest.mark.filterwarnings("default")  # Twisted's own use of pyOpenSSL
BODY = bytes(range(256)) * 1200
LOOPBACK = "127.0.0.1"


@pytest.fixture(scope="module", autouse=True)
def _reactor() -> Iterator[None]:
    """A reactor runs once in a process: this module has it in a thread."""
    thread = threading.Thread(target=lambda: loop.run(installSignalHandlers=False))
    thread.start()
    yield
    loop.callFromThread(loop.stop)
    thread.join(60)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def server_config(authority: Authority) -> ServerConfig:
    return ServerConfig(
        identities=(authority.issue("localhost"),),
        alpn=("echo",),
        client_auth="request",
        client_trust=authority.trust(),
    )


def in_reactor(work: Callable[[], Any]) -> Any:
    """What `work` gives, in the reactor's thread."""
    found: queue.Queue[Any] = queue.Queue()
    loop.callFromThread(lambda: found.put(work()))
    return found.get(timeout=60)


class Echo(protocol.Protocol):  # type: ignore[misc]
    """Echoes, says who the client is when asked, and keeps why it ended."""

    ends: queue.Queue[Any] = queue.Queue()

    def dataReceived(self, data: bytes) -> None:
        if data == b"who?":
            certificate = self.transport.getPeerCertificate()
            name = certificate.get_subject().CN if certificate is not None else "nobody"
            self.transport.write(f"{name} {self.transport.negotiatedProtocol}".encode())
        elif data == b"bye":
            self.transport.loseConnection()
        else:
            self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.ends.put(reason.value)


@pytest.fixture
def port(server_config: ServerConfig) -> Iterator[int]:
    Echo.ends = queue.Queue()
    factory = protocol.Factory.forProtocol(Echo)
    listening = in_reactor(
        lambda: loop.listenSSL(0, factory, ServerTLS(lambda: server_config), interface=LOOPBACK)
    )
    yield listening.getHost().port
    in_reactor(listening.stopListening)


def exactly(tls: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = tls.recv(65_536)
        assert piece
        data += piece
    return data


@pytest.mark.parametrize("version", [0x0304, 0x0303])
def test_a_server_echoes_and_closes_properly(version: int, port: int, authority: Authority) -> None:
    config = ClientConfig(
        trust=authority.trust(),
        policy=Policy(versions=(version,)),
        alpn=("echo",),
        identities=(authority.issue("somebody", client=True),),
    )
    with connect("localhost", port, config=config, timeout=60) as tls:
        sender = threading.Thread(target=tls.sendall, args=(BODY,))
        sender.start()
        assert exactly(tls, len(BODY)) == BODY
        sender.join()
        tls.sendall(b"who?")
        assert tls.recv() == b"somebody b'echo'"
        tls.sendall(b"bye")
        assert tls.recv() == b""  # close_notify, not a cut line


def test_openssls_client_is_served(port: int, authority: Authority) -> None:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    with (
        socket.create_connection((LOOPBACK, port), 60) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        # In turns: two threads may not use one `ssl.SSLSocket` (its `recv` then sees ends that are none).
        for start in range(0, len(BODY), 16_384):
            piece = BODY[start : start + 16_384]
            tls.sendall(piece)
            assert exactly(tls, len(piece)) == piece


def test_a_refusal_sends_its_alert_and_tells_the_protocol(port: int, authority: Authority) -> None:
    stranger = Authority.create().issue("stranger", client=True)
    config = ClientConfig(trust=authority.trust(), identities=(stranger,))
    with (
        pytest.raises(PeerRefused),
        connect("localhost", port, config=config, timeout=60) as tls,
    ):
        tls.recv()
    lost = Echo.ends.get(timeout=60)
    assert isinstance(lost, TLSFailure)
    assert lost.tls_error.reason is Reason.UNKNOWN_CA


def test_a_cut_line_is_connection_lost(port: int, authority: Authority) -> None:
    config = ClientConfig(trust=authority.trust())
    with socket.create_connection((LOOPBACK, port), 60) as plain:
        tls = wrap_client(plain, "localhost", config)
        tls.sendall(b"x")
        assert tls.recv() == b"x"
        plain.shutdown(socket.SHUT_WR)
        assert type(Echo.ends.get(timeout=60)).__name__ == "ConnectionLost"


class Asking(protocol.Protocol):  # type: ignore[misc]
    """Sends all of it, and keeps what comes back."""

    def __init__(self) -> None:
        self.data = b""
        self.done: queue.Queue[Any] = queue.Queue()

    def connectionMade(self) -> None:
        self.transport.write(BODY)

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if len(self.data) == len(BODY):
            self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self.done.put(reason.value)


def asked(port: int, creator: Any) -> Asking:
    """A Twisted client that has come to its end."""
    asking = Asking()

    def begin() -> None:
        plain = endpoints.TCP4ClientEndpoint(loop, LOOPBACK, port)
        endpoints.connectProtocol(endpoints.wrapClientTLS(creator, plain), asking)

    in_reactor(begin)
    return asking


@pytest.mark.parametrize("server", ["pellucid", "pyOpenSSL"])
def test_a_client(server: str, authority: Authority, tmp_path: Path, port: int) -> None:
    if server == "pyOpenSSL":
        pem = authority.issue("localhost").to_pem()
        options = twisted_ssl.PrivateCertificate.loadPEM(pem).options()
        factory = protocol.Factory.forProtocol(Echo)
        listening = in_reactor(lambda: loop.listenSSL(0, factory, options, interface=LOOPBACK))
        port = listening.getHost().port
    asking = asked(port, ClientTLS("localhost", ClientConfig(trust=authority.trust())))
    asking.done.get(timeout=60)
    assert asking.data == BODY
    if server == "pyOpenSSL":
        in_reactor(listening.stopListening)


def test_a_client_refuses_a_server_that_it_does_not_believe(server_config: ServerConfig) -> None:
    errors: queue.Queue[BaseException] = queue.Queue()
    with serve(lambda tls: None, server_config, on_error=errors.put) as server:
        asking = asked(server.port, ClientTLS("localhost", ClientConfig(trust=Authority.create().trust())))
        lost = asking.done.get(timeout=60)
        refused = errors.get(timeout=60)
    assert isinstance(lost, TLSFailure)
    assert lost.tls_error.reason is Reason.UNKNOWN_CA
    assert isinstance(refused, PeerRefused)


def test_what_came_before_a_fault_is_delivered_before_it(
    authority: Authority, server_config: ServerConfig
) -> None:
    client = ClientConnection(ClientConfig(trust=authority.trust()), "localhost")
    server = ours.TwistedConnection(ServerConnection(server_config))
    for _ in range(3):
        server.bio_write(client.data_to_send())
        client.receive_data(server.connection.data_to_send())
    client.send_data(b"last words")
    server.bio_write(client.data_to_send() + b"\x17\x03\x03\x00\x20" + bytes(32))
    assert server.recv(100) == b"last words"
    with pytest.raises(TLSFailure) as failed:
        server.recv(100)
    assert failed.value.tls_error.reason is Reason.BAD_RECORD_MAC
    assert server.bio_read(100)  # the alert
