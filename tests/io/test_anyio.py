"""anyio's byte streams, under trio and asyncio."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.stapled import StapledByteStream
from anyio.streams.tls import TLSAttribute

from pellucid import (
    Authority,
    CertificateRefused,
    ClientConfig,
    ConnectionEnded,
    PeerMisbehaved,
    PeerRefused,
    Policy,
    Reason,
    ServerConfig,
    TLSError,
)
from pellucid.events import KeysUpdated, Request, SelectIdentity
from pellucid.io.anyio import TLSAttributes, TLSByteStream, TLSListener, open_stream, wrap_client, wrap_server
from pellucid.wire.codepoints import Alert

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def server_config(authority: Authority) -> ServerConfig:
    return ServerConfig(identities=(authority.issue("localhost"),), alpn=("h2", "http/1.1"))


@pytest.fixture(scope="module")
def client_config(authority: Authority) -> ClientConfig:
    return ClientConfig(trust=authority.trust(), alpn=("h2",))


@asynccontextmanager
async def serving(
    handler: Callable[[TLSByteStream], Awaitable[Any]], config: ServerConfig, **options: Any
) -> AsyncIterator[int]:
    tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
    listener = TLSListener(tcp, config, **options)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handler)
        with anyio.fail_after(60):
            yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def echo(stream: TLSByteStream) -> None:
    async for data in stream:
        await stream.send(data)
    await stream.send_eof()


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 3_000_000])
async def test_echo(client_config: ClientConfig, server_config: ServerConfig, size: int) -> None:
    data = bytes(i * 7 & 255 for i in range(251)) * (size // 251 + 1)
    found = b""
    async with (
        serving(echo, server_config) as port,
        await open_stream("localhost", port, config=client_config) as stream,
        anyio.create_task_group() as tasks,
    ):

        async def send() -> None:
            await stream.send(data[:size])
            await stream.send_eof()

        tasks.start_soon(send)
        async for piece in stream:
            found += piece
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
    assert found == data[:size]


async def test_attributes(client_config: ClientConfig, server_config: ServerConfig) -> None:
    async with (
        serving(echo, server_config) as port,
        await open_stream("localhost", port, config=client_config) as stream,
    ):
        assert stream.extra(TLSAttribute.alpn_protocol) == "h2"
        assert stream.extra(TLSAttribute.tls_version) == "TLSv1.3"
        assert stream.extra(TLSAttribute.cipher) == ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128)
        assert stream.extra(TLSAttribute.peer_certificate_binary) == server_config.identities[0].leaf
        assert stream.extra(TLSAttribute.server_side) is False
        assert stream.extra(TLSAttribute.standard_compatible) is True
        assert stream.extra(TLSAttributes.info) is stream.info
        assert stream.extra(TLSAttributes.connection) is stream.connection
        assert stream.extra(SocketAttribute.remote_port) == port
        with pytest.raises(anyio.TypedAttributeLookupError):
            stream.extra(TLSAttribute.channel_binding_tls_unique)


async def test_tls_unique(client_config: ClientConfig, server_config: ServerConfig) -> None:
    found: list[bytes] = []

    async def tell(stream: TLSByteStream) -> None:
        found.append(stream.extra(TLSAttribute.channel_binding_tls_unique))
        await stream.send(b".")

    config = client_config.replace(policy=Policy(versions=(0x0303,)))
    async with (
        serving(tell, server_config) as port,
        await open_stream("localhost", port, config=config) as stream,
    ):
        assert await stream.receive() == b"."
        assert found == [stream.extra(TLSAttribute.channel_binding_tls_unique)]


async def test_a_refused_certificate_is_told(server_config: ServerConfig) -> None:
    errors: list[BaseException] = []
    done = anyio.Event()

    def failed(error: BaseException) -> None:
        errors.append(error)
        done.set()

    config = ClientConfig(trust=Authority.create(name="a stranger").trust())
    async with serving(echo, server_config, on_error=failed) as port:
        with pytest.raises(CertificateRefused) as refused:
            await open_stream("localhost", port, config=config)
        await done.wait()
    assert refused.value.reason is Reason.UNKNOWN_CA
    assert isinstance(errors[0], PeerRefused)
    assert errors[0].alert == Alert.unknown_ca


async def test_faults_later_break_the_stream(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def spoil(stream: TLSByteStream) -> None:
        await stream.send(b"good")
        await stream._stream.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(anyio.BrokenResourceError) as broken:
            await stream.receive()
        assert isinstance(broken.value.__cause__, PeerRefused)

    async with (
        serving(spoil, server_config) as port,
        await open_stream("localhost", port, config=client_config) as stream,
    ):
        assert await stream.receive() == b"good"
        for _ in range(2):
            with pytest.raises(anyio.BrokenResourceError) as broken:
                await stream.receive()
            assert isinstance(broken.value.__cause__, PeerMisbehaved)
        with pytest.raises(anyio.BrokenResourceError):
            await stream.send(b"x")


async def test_truncation(client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def cut(stream: TLSByteStream) -> None:
        await stream.send(b"half of")
        await stream._stream.aclose()

    async with (
        serving(cut, server_config) as port,
        await open_stream("localhost", port, config=client_config) as stream,
    ):
        assert await stream.receive() == b"half of"
        with pytest.raises(anyio.BrokenResourceError) as broken:
            await stream.receive()
        assert isinstance(broken.value.__cause__, ConnectionEnded)


async def test_use_after_the_end(client_config: ClientConfig, server_config: ServerConfig) -> None:
    async with serving(echo, server_config) as port:
        stream = await open_stream("localhost", port, config=client_config)
        await stream.send_eof()
        with pytest.raises(anyio.ClosedResourceError):
            await stream.send(b"x")
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await stream.receive()


async def test_two_readers_are_refused(client_config: ClientConfig, server_config: ServerConfig) -> None:
    async with (
        serving(echo, server_config) as port,
        await open_stream("localhost", port, config=client_config) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(stream.receive)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(anyio.BusyResourceError):
            await stream.receive()
        tasks.cancel_scope.cancel()


async def test_a_cancelled_send_breaks_the_stream(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def sleep(stream: TLSByteStream) -> None:
        await anyio.sleep_forever()

    async with serving(sleep, server_config) as port:
        stream = await open_stream("localhost", port, config=client_config)
        with anyio.move_on_after(0.2):
            await stream.send(bytes(50_000_000))
        with pytest.raises(anyio.BrokenResourceError):
            await stream.send(b"x")
        await stream.aclose()


async def test_a_reader_does_not_wait_for_a_blocked_writer(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    size = 20_000_000
    received = anyio.Event()
    seen: list[Any] = []

    async def ask(stream: TLSByteStream) -> None:
        stream.connection.update_keys(request=True)
        await stream.send(b"still here")
        await received.wait()
        total = 0
        while total < size:
            total += len(await stream.receive())
        seen.extend(stream.events)
        await stream.send(b"all of it")

    async with (
        serving(ask, server_config) as port,
        await open_stream("localhost", port, config=client_config) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(stream.send, bytes(size))
        await anyio.sleep(0.1)
        assert await stream.receive() == b"still here"
        received.set()
        assert await stream.receive() == b"all of it"
    assert any(isinstance(event, KeysUpdated) for event in seen)


async def test_answers_may_be_awaited(authority: Authority, client_config: ClientConfig) -> None:
    identity = authority.issue("localhost")

    async def answer(request: Request) -> Any:
        await anyio.sleep(0.01)
        return identity

    config = ServerConfig(ask=frozenset({SelectIdentity}))
    async with (
        serving(echo, config, answer=answer) as port,
        await open_stream("localhost", port, config=client_config) as stream,
    ):
        assert stream.info.peer_chain[0] == identity.leaf


async def test_in_memory_tls_in_tls_and_unwrap(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    """Any byte stream will do: here two object streams stapled together, and TLS inside TLS over them."""
    to_server, at_server = anyio.create_memory_object_stream[bytes](100)
    to_client, at_client = anyio.create_memory_object_stream[bytes](100)
    left: Any = StapledByteStream(to_server, BufferedByteReceiveStream(at_client))  # type: ignore[arg-type]
    right: Any = StapledByteStream(to_client, BufferedByteReceiveStream(at_server))  # type: ignore[arg-type]

    async def answer() -> None:
        outer = await wrap_server(right, server_config)
        inner = await wrap_server(outer, server_config)
        await inner.send((await inner.receive()).upper())
        plain, rest = await inner.unwrap()
        assert plain is outer
        assert rest == b""
        await outer.send(b"outside again")
        await outer.aclose()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            outer = await wrap_client(left, "localhost", client_config)
            inner = await wrap_client(outer, "localhost", client_config)
            await inner.send(b"inside")
            assert await inner.receive() == b"INSIDE"
            plain, rest = await inner.unwrap()
            assert plain is outer
            assert rest + (b"" if rest else await outer.receive()) == b"outside again"
            await outer.aclose()


async def test_the_standard_ssl_is_understood(authority: Authority, server_config: ServerConfig) -> None:
    """anyio's own TLS, over OpenSSL, as the client."""
    from anyio.streams.tls import TLSStream as Standard

    context = ssl.create_default_context(cadata=authority.pem.decode())
    async with serving(echo, server_config) as port:
        tcp = await anyio.connect_tcp("127.0.0.1", port)
        stream = await Standard.wrap(tcp, hostname="localhost", ssl_context=context)
        await stream.send(b"hello")
        assert await stream.receive() == b"hello"
        await stream.aclose()


async def test_a_handshake_that_never_comes(server_config: ServerConfig) -> None:
    errors: list[BaseException] = []
    told = anyio.Event()

    def on_error(error: BaseException) -> None:
        errors.append(error)
        told.set()

    async with serving(echo, server_config, timeout=0.1, on_error=on_error) as port:
        async with await anyio.connect_tcp("127.0.0.1", port) as tcp:
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await tcp.receive()
        await told.wait()
    assert isinstance(errors[0], TimeoutError)
    assert not isinstance(errors[0], TLSError)
