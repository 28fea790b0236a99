"""The shells over real sockets: blocking with threads, asyncio with tasks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

import pytest

from pellucid import (
    Authority,
    CertificateRefused,
    ClientConfig,
    ConnectionEnded,
    PeerRefused,
    Reason,
    ServerConfig,
    TLSError,
    connect,
    serve,
)
from pellucid.events import SelectIdentity, Sign
from pellucid.io.endpoints import wrap_client, wrap_server
from pellucid.io.sockets import TLSSocket
from pellucid.io.stream import TLSStream
from pellucid.io.streams import open_connection, start_server

SIZES = [0, 1, 16_384, 16_385, 5_000_000]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def server_config(authority: Authority) -> ServerConfig:
    return ServerConfig(identities=(authority.issue("localhost"),))


def echo(tls: TLSSocket) -> None:
    for data in tls:
        tls.sendall(data)
    tls.shutdown_write()


@pytest.mark.parametrize("size", SIZES)
def test_blocking_echo(authority: Authority, server_config: ServerConfig, size: int) -> None:
    config = ClientConfig(trust=authority.trust())
    data = bytes(i * 7 & 255 for i in range(251)) * (size // 251 + 1)
    data = data[:size]
    with (
        serve(echo, server_config) as server,
        connect("localhost", server.port, config=config, timeout=60) as tls,
    ):

        def send() -> None:
            tls.sendall(data)
            tls.shutdown_write()

        sender = threading.Thread(target=send)
        sender.start()
        assert b"".join(tls) == data
        sender.join()


@pytest.mark.parametrize("size", SIZES)
def test_asyncio_echo(authority: Authority, server_config: ServerConfig, size: int) -> None:
    async def answer(stream: TLSStream) -> None:
        async for data in stream:
            await stream.send(data)
        stream.write_eof()

    async def run() -> bytes:
        server = await start_server(answer, server_config)
        port = server.sockets[0].getsockname()[1]
        config = ClientConfig(trust=authority.trust())
        stream = await open_connection("127.0.0.1", port, config=config, server_name="localhost", timeout=60)
        async with stream:
            sending = asyncio.create_task(send_all(stream))
            found = b"".join([data async for data in stream])
            await sending
        server.close()
        return found

    async def send_all(stream: TLSStream) -> None:
        await stream.send(bytes(size))
        stream.write_eof()

    assert asyncio.run(run()) == bytes(size)


def test_one_thread_reads_while_another_sends(authority: Authority, server_config: ServerConfig) -> None:
    """A reader that waits does not hold up a writer (cpython #137583)."""
    config = ClientConfig(trust=authority.trust())
    received = []

    def collect(tls: TLSSocket) -> None:
        received.append(b"".join(tls))
        tls.sendall(b"done")
        tls.shutdown_write()

    with (
        serve(collect, server_config) as server,
        connect("localhost", server.port, config=config, timeout=60) as tls,
    ):
        answers: list[bytes] = []
        reader = threading.Thread(target=lambda: answers.append(b"".join(tls)))
        reader.start()
        for number in range(1000):
            tls.sendall(b"%04d" % number)
        tls.shutdown_write()
        reader.join(60)
        assert answers == [b"done"]
    assert received == [b"".join(b"%04d" % number for number in range(1000))]


def test_a_refused_certificate_tells_the_server(server_config: ServerConfig) -> None:
    """The alert arrives; the server is told why."""
    errors: list[BaseException] = []
    stranger = Authority.create(name="a stranger")
    done = threading.Event()

    def failed(error: BaseException) -> None:
        errors.append(error)
        done.set()

    with serve(echo, server_config, on_error=failed) as server:
        with pytest.raises(CertificateRefused) as refused:
            connect("localhost", server.port, config=ClientConfig(trust=stranger.trust()), timeout=60)
        assert done.wait(60)
    assert refused.value.reason is Reason.UNKNOWN_CA
    assert isinstance(errors[0], PeerRefused)
    assert errors[0].alert == 48


def test_a_cut_line_is_truncation(authority: Authority, server_config: ServerConfig) -> None:
    """EOF without close_notify is no end of data (RFC 8446 6.1)."""

    def cut(tls: TLSSocket) -> None:
        tls.sendall(b"half of")
        tls._sock.shutdown(socket.SHUT_RDWR)

    with serve(cut, server_config) as server:
        tls = connect("localhost", server.port, config=ClientConfig(trust=authority.trust()), timeout=60)
        assert tls.recv() == b"half of"
        with pytest.raises(ConnectionEnded) as ended:
            tls.recv()
        assert ended.value.reason is Reason.TRUNCATED
        tls.close()


def test_tls_inside_tls(authority: Authority, server_config: ServerConfig) -> None:
    """A TLSSocket is socket enough for another one."""
    left, right = socket.socketpair()
    config = ClientConfig(trust=authority.trust())

    def answer() -> None:
        outer = wrap_server(right, server_config)
        inner = wrap_server(outer, server_config)
        inner.sendall(inner.recv()[::-1])
        inner.shutdown_write()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with wrap_client(left, "localhost", config) as outer, wrap_client(outer, "localhost", config) as inner:
        inner.sendall(b"inside")
        assert inner.recv() == b"edisni"
        assert inner.recv() == b""  # who leaves before has the other end write into nothing
    thread.join(60)
    right.close()


def test_makefile(authority: Authority, server_config: ServerConfig) -> None:
    with (
        serve(echo, server_config) as server,
        connect("localhost", server.port, config=ClientConfig(trust=authority.trust()), timeout=60) as tls,
    ):
        tls.sendall(b"one\ntwo\n")
        with tls.makefile("rb") as file:
            assert file.readline() == b"one\n"
            assert file.readline() == b"two\n"


def test_certificate_and_signature_may_be_awaited(authority: Authority) -> None:
    """A request pauses the handshake, it never blocks it."""
    identity = authority.issue("localhost")
    asked = []

    async def answer(request: object) -> object:
        asked.append(type(request).__name__)
        await asyncio.sleep(0.01)
        if isinstance(request, Sign):
            from pellucid.crypto.signatures import sign

            return sign(request.scheme, identity.key, request.data)
        return identity

    async def hello(stream: TLSStream) -> None:
        await stream.send(b"hello")

    async def run() -> bytes:
        config = ServerConfig(ask=frozenset({SelectIdentity, Sign}))
        server = await start_server(hello, config, answer=answer)
        port = server.sockets[0].getsockname()[1]
        client = ClientConfig(trust=authority.trust())
        stream = await open_connection("localhost", port, config=client, timeout=60)
        data = await stream.read(65536)
        await stream.aclose()
        server.close()
        return data

    assert asyncio.run(run()) == b"hello"
    assert asked == ["SelectIdentity", "Sign"]


def test_plain_http_is_named(server_config: ServerConfig) -> None:
    errors: list[BaseException] = []
    done = threading.Event()

    def failed(error: BaseException) -> None:
        errors.append(error)
        done.set()

    with serve(echo, server_config, on_error=failed) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with contextlib.suppress(OSError):
                assert plain.recv(100)[0] == 21
        assert done.wait(60)
    assert isinstance(errors[0], TLSError)
    assert errors[0].reason is Reason.HTTP_REQUEST
