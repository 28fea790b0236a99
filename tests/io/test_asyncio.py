"""asyncio, and uvloop where it is installed: streams, transports and protocols, STARTTLS, TLS in TLS."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pellucid import (
    Authority,
    CertificateRefused,
    ClientConfig,
    ConnectionEnded,
    PeerMisbehaved,
    PeerRefused,
    Reason,
    ServerConfig,
    TLSError,
    TLSStream,
    TLSTransport,
    create_connection,
    create_server,
    open_connection,
    start_server,
    start_tls,
)
from pellucid.events import KeysUpdated, Request, SelectIdentity, VerifyPeer
from pellucid.wire.codepoints import Alert

LOOPS = [
    "asyncio",
    pytest.param(
        "uvloop",
        marks=pytest.mark.skipif(not importlib.util.find_spec("uvloop"), reason="uvloop is not installed"),
    ),
]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine to its end, under each kind of loop, within a minute."""
    factory = None
    if request.param == "uvloop":
        factory = importlib.import_module("uvloop").new_event_loop

    def runner(work: Coroutine[Any, Any, Any]) -> Any:
        async def limited() -> Any:
            async with asyncio.timeout(60):
                return await work

        with asyncio.Runner(loop_factory=factory) as one:
            return one.run(limited())

    return runner


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def server_config(authority: Authority) -> ServerConfig:
    return ServerConfig(identities=(authority.issue("localhost"),))


@pytest.fixture(scope="module")
def client_config(authority: Authority) -> ClientConfig:
    return ClientConfig(trust=authority.trust())


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def echo(stream: TLSStream) -> None:
    async for data in stream:
        await stream.send(data)
    stream.write_eof()


class Meeting:
    """A client and a server stream, connected, for the length of a test."""

    def __init__(self, client: ClientConfig, server: ServerConfig, **options: Any) -> None:
        self.configs = client, server
        self.options = options

    async def __aenter__(self) -> tuple[TLSStream, TLSStream]:
        there: asyncio.Future[TLSStream] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()

        async def handler(stream: TLSStream) -> None:
            there.set_result(stream)
            await self.over.wait()

        self.listener = await start_server(handler, self.configs[1], **self.options)
        self.client = await open_connection(
            "127.0.0.1",
            port_of(self.listener),
            config=self.configs[0],
            server_name="localhost",
            **self.options,
        )
        return self.client, await there

    async def __aexit__(self, *exception: object) -> None:
        self.over.set()
        await self.client.aclose()
        self.listener.close()


# -- streams -----------------------------------------------------------------------------------------


def test_reads_of_every_kind(run: Run, client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):
            client.writelines([b"one line\ntwo ", b"lines\n", b"12345678", b"x" * 40_000])
            await client.drain()
            assert await server.readline() == b"one line\n"
            assert await server.readuntil(b"es\n") == b"two lines\n"
            assert await server.readexactly(3) == b"123"
            assert await server.read(3) == b"456"
            assert await server.readexactly(40_002) == b"78" + b"x" * 40_000
            client.write(b"no end")
            client.write_eof()
            with pytest.raises(asyncio.IncompleteReadError) as cut:
                await server.readexactly(10)
            assert cut.value.partial == b"no end"
            assert server.at_eof()
            assert await server.read() == await server.read(5) == await server.readline() == b""
            await server.send(b"half-closed is not closed")
            assert await client.read(100) == b"half-closed is not closed"

    run(work())


def test_megabytes_both_ways(run: Run, client_config: ClientConfig, server_config: ServerConfig) -> None:
    size = 8_000_000

    async def send(stream: TLSStream) -> None:
        for _ in range(0, size, 100_000):
            stream.write(bytes(100_000))
            await stream.drain()
        stream.write_eof()

    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):
            found = await asyncio.gather(send(client), send(server), client.read(), server.read())
            assert len(found[2]) == len(found[3]) == size

    run(work())


def test_a_slow_reader_holds_the_writer_up(
    run: Run, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    """Flow control: what nobody reads stays in the kernel and with the writer, not in our memory."""

    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):

            async def flood() -> None:
                for _ in range(1000):
                    await client.send(bytes(50_000))

            task = asyncio.create_task(flood())
            await asyncio.sleep(0.3)
            assert not task.done()
            assert server._size < 400_000
            assert client.tls.get_write_buffer_size() < 400_000
            assert len(await server.readexactly(50_000_000)) == 50_000_000
            await task

    run(work())


def test_small_writes_of_a_turn_share_records(
    run: Run, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):
            for _ in range(3):
                before = client.connection._write.protection._sequence  # type: ignore[attr-defined]
                for _ in range(64):
                    client.write(b"x" * 100)
                await client.drain()
                assert await server.readexactly(6400) == b"x" * 6400
                assert client.connection._write.protection._sequence - before <= 2  # type: ignore[attr-defined]

    run(work())


def test_what_is_written_leaves_without_drain(
    run: Run, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):
            client.write(b"a")
            client.write(b"b")
            client.write(b"c")
            await asyncio.sleep(0.05)
            assert await server.readexactly(3) == b"abc"

    run(work())


def test_keys_change_under_way(run: Run, client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):
            server.connection.update_keys(request=True)
            await server.send(b"new keys")
            assert await client.read(100) == b"new keys"
            await client.send(b"mine too")
            assert await server.read(100) == b"mine too"
            assert any(isinstance(event, KeysUpdated) for event in server.tls.events)

    run(work())


# -- refusals, ends ----------------------------------------------------------------------------------


def test_the_alert_of_a_refused_certificate_arrives(run: Run, server_config: ServerConfig) -> None:
    """asyncio's own TLS drops it (cpython #87011)."""

    async def work() -> None:
        told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        server = await start_server(echo, server_config, on_error=told.set_result)
        config = ClientConfig(trust=Authority.create(name="a stranger").trust())
        with pytest.raises(CertificateRefused) as refused:
            await open_connection("localhost", port_of(server), config=config)
        assert refused.value.reason is Reason.UNKNOWN_CA
        error = await told
        assert isinstance(error, PeerRefused)
        assert error.alert == Alert.unknown_ca
        server.close()

    run(work())


def test_data_before_a_fault_is_delivered_then_the_fault(
    run: Run, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):
            server.write(b"good")
            await server.drain()
            server.tls._raw.write(b"\x17\x03\x03\x00\x20" + bytes(32))
            assert await client.read(100) == b"good"
            for _ in range(2):
                with pytest.raises(PeerMisbehaved) as refused:
                    await client.read(100)
                assert refused.value.reason is Reason.BAD_RECORD_MAC
            with pytest.raises(PeerRefused) as told:
                await server.read(100)
            assert told.value.alert == Alert.bad_record_mac

    run(work())


def test_an_end_without_close_notify_is_truncation(
    run: Run, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):
            await server.send(b"half of")
            server.tls._raw.close()
            assert await client.read(100) == b"half of"
            with pytest.raises(ConnectionEnded) as ended:
                await client.read(100)
            assert ended.value.reason is Reason.TRUNCATED

    run(work())


def test_close_reaches_both_sides(run: Run, client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def work() -> None:
        never = 1000.0  # whoever waits for a timeout is still waiting when `run` gives up
        async with Meeting(client_config, server_config, shutdown_timeout=never) as (client, server):
            client.write(b"last words")
            client.close()
            assert client.is_closing()
            assert await server.read() == b"last words"
            server.close()
            await client.wait_closed()
            await server.wait_closed()
            client.write(b"ignored")
            with pytest.raises(ConnectionResetError):
                await client.drain()

    run(work())


def test_close_waits_only_so_long(run: Run, client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def work() -> None:
        async with Meeting(client_config, server_config, shutdown_timeout=0.2) as (client, server):
            server.tls.pause_reading()  # it will never notice
            started = time.monotonic()
            await client.aclose()
            assert time.monotonic() - started > 0.1

    run(work())


def test_a_silent_server_times_out(run: Run, client_config: ClientConfig) -> None:
    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            with pytest.raises(ConnectionEnded) as ended:
                await open_connection(
                    "localhost", listener.getsockname()[1], config=client_config, timeout=0.2
                )
            assert ended.value.reason is Reason.TIMEOUT

    run(work())


def test_a_silent_client_times_out(run: Run, server_config: ServerConfig) -> None:
    async def work() -> None:
        told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        server = await start_server(echo, server_config, timeout=0.2, on_error=told.set_result)
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        error = await told
        assert isinstance(error, ConnectionEnded)
        assert error.reason is Reason.TIMEOUT
        await reader.read()
        writer.close()
        server.close()

    run(work())


def test_cancelling_a_handshake_leaves_nothing(run: Run, client_config: ClientConfig) -> None:
    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            task = asyncio.create_task(
                open_connection("localhost", listener.getsockname()[1], config=client_config)
            )
            accepted, _ = await asyncio.to_thread(listener.accept)
            with accepted:
                accepted.settimeout(60)
                data = await asyncio.to_thread(accepted.recv, 10_000)  # the ClientHello is out
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                while more := await asyncio.to_thread(accepted.recv, 10_000):
                    data += more
                assert data[-7:-2] == b"\x15\x03\x03\x00\x02", "the end, told by an alert"

    run(work())


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\x16\x03\x01\x00\x05hello"])
def test_a_server_names_junk(run: Run, server_config: ServerConfig, junk: bytes) -> None:
    async def work() -> None:
        told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        server = await start_server(echo, server_config, on_error=told.set_result)
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(junk)
        assert (await reader.read())[:1] == b"\x15"
        assert isinstance(await told, TLSError)
        writer.close()
        server.close()

    run(work())


# -- requests ----------------------------------------------------------------------------------------


def test_answers_may_be_awaited(run: Run, authority: Authority, client_config: ClientConfig) -> None:
    identity = authority.issue("localhost")
    asked: list[str] = []

    async def answer(request: Request) -> Any:
        asked.append(type(request).__name__)
        await asyncio.sleep(0.02)
        if isinstance(request, VerifyPeer):
            return authority.trust().verify_server(request.chain, "localhost", time.time())
        return identity

    async def work() -> None:
        server = await start_server(echo, ServerConfig(ask=frozenset({SelectIdentity})), answer=answer)
        config = client_config.replace(ask=frozenset({VerifyPeer}))
        async with await open_connection(
            "localhost", port_of(server), config=config, answer=answer
        ) as stream:
            await stream.send(b"hello")
            assert await stream.read(10) == b"hello"
        server.close()

    run(work())
    assert sorted(asked) == ["SelectIdentity", "VerifyPeer"]


def test_an_awaited_answer_that_fails_is_told(run: Run, client_config: ClientConfig) -> None:
    async def answer(request: Request) -> Any:
        await asyncio.sleep(0)
        raise LookupError("no such tenant")

    async def work() -> None:
        told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        config = ServerConfig(ask=frozenset({SelectIdentity}))
        server = await start_server(echo, config, answer=answer, on_error=told.set_result)
        with pytest.raises(PeerRefused) as refused:
            await open_connection("localhost", port_of(server), config=client_config)
        assert refused.value.alert == Alert.internal_error
        assert isinstance((await told).__cause__, LookupError)
        server.close()

    run(work())


# -- transports and protocols ------------------------------------------------------------------------


class Recorder(asyncio.Protocol):
    """A protocol that remembers what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.transport: Any = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        self.told.append(("lost", exc))
        self.lost.set_result(None)


class EchoOnce(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())
        self.transport.close()


def test_protocols_are_told_in_order(
    run: Run, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def work() -> None:
        server = await create_server(EchoOnce, server_config, "127.0.0.1", 0)
        transport, protocol = await create_connection(
            Recorder, "127.0.0.1", port_of(server), config=client_config, server_name="localhost"
        )
        assert isinstance(transport, TLSTransport)
        assert transport.get_extra_info("tls_info").version_name == "TLS 1.3"
        assert transport.get_extra_info("peername")[1] == port_of(server)
        transport.write(b"hello")
        await protocol.lost
        assert protocol.told == ["made", b"HELLO", "eof", ("lost", None)]
        server.close()

    run(work())


def test_a_paused_protocol_gets_nothing(
    run: Run, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def work() -> None:
        async with Meeting(client_config, server_config) as (client, server):
            recorder = Recorder()
            client.tls.set_protocol(recorder)
            client.tls.pause_reading()
            assert not client.tls.is_reading()
            await server.send(b"wait")
            await asyncio.sleep(0.05)
            assert recorder.told == []
            client.tls.resume_reading()
            await asyncio.sleep(0.05)
            assert recorder.told == [b"wait"]
            client.tls.set_protocol(client)

    run(work())


# -- TLS over what is open already -------------------------------------------------------------------


def test_starttls(run: Run, client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\r\n"
        writer.write(b"220 go\r\n")
        stream = await start_tls(writer, server_config)
        async with stream:
            stream.write((await stream.readline()).upper())

    async def work() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(b"STARTTLS\r\n")
        assert await reader.readline() == b"220 go\r\n"
        async with await start_tls(writer, client_config, server_name="localhost") as stream:
            await stream.send(b"in secret\n")
            assert await stream.readline() == b"IN SECRET\n"
        server.close()

    run(work())


def test_tls_in_tls(run: Run, client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def answer(outer: TLSStream) -> None:
        async with await start_tls(outer, server_config) as inner:
            await echo(inner)

    async def work() -> None:
        server = await start_server(answer, server_config)
        outer = await open_connection("localhost", port_of(server), config=client_config)
        inner = await start_tls(outer, client_config, server_name="localhost")
        data = bytes(range(256)) * 4000

        async def send() -> None:
            await inner.send(data)
            inner.write_eof()

        _, found = await asyncio.gather(send(), inner.read())
        assert found == data
        await inner.aclose()
        server.close()

    run(work())


def test_many_connections_share_one_buffer(
    run: Run, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def one(port: int, number: int) -> None:
        async with await open_connection("localhost", port, config=client_config) as stream:
            data = b"%04d" % number * 10_000

            async def send() -> None:
                await stream.send(data)
                stream.write_eof()

            task = asyncio.create_task(send())
            assert await stream.read() == data
            await task

    async def work() -> None:
        server = await start_server(echo, server_config)
        await asyncio.gather(*(one(port_of(server), number) for number in range(40)))
        server.close()

    run(work())
