"""What is carried: every byte, each direction to its end, a cut as a cut, and no faster than it is taken."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest

from pellucid import ClientConfig, ConnectionEnded, Reason, TLSError, TLSStream, open_connection, start_server
from pellucid.connection import ClientConnection
from pellucid.proxy import Passage, Plan, Proxy
from proxy.world import Diary, World, ask, connect, echo, proxied, run, server

PART = 1 << 20


def reset(writer: asyncio.StreamWriter) -> None:
    """End a plain connection by a reset."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def ours(port: int, world: World) -> TLSStream:
    """A client of pellucid's: it can close one direction, and knows a cut from an end."""
    config = ClientConfig(trust=world.authority.trust())
    return await open_connection("127.0.0.1", port, config=config, server_name="localhost")


def test_each_direction_ends_by_itself(world: World) -> None:
    """The client says all it has to say, and ends; then the server answers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read()
        writer.write(said[::-1])

    async def main() -> None:
        async with server(answer) as port:
            plan = Plan(to=("127.0.0.1", port), front=world.front())
            async with proxied(plan) as (here, diary):
                stream = await ours(here, world)
                await stream.send(b"palindrome")
                stream.write_eof()
                assert await stream.read() == b"emordnilap"
                await stream.aclose()
                passage = await diary.over.get()
                assert (passage.error, passage.notes) == (None, [])

    run(main())


def test_half_closed_to_a_tls_server(world: World) -> None:
    async def answer(stream: TLSStream) -> None:
        said = await stream.read()
        await stream.send(said[::-1])

    async def main() -> None:
        async with await start_server(answer, world.front()) as behind:
            plan = Plan(to=("localhost", behind.sockets[0].getsockname()[1]), behind=world.behind())
            async with proxied(plan) as (here, diary):
                reader, writer = await connect(here)
                writer.write(b"palindrome")
                writer.write_eof()
                assert await reader.read() == b"emordnilap"
                writer.close()
                assert (await diary.over.get()).error is None

    run(main())


def test_a_cut_in_tls_is_a_reset_in_clear(world: World) -> None:
    """No close_notify: what the plain client gets must not look like the whole."""

    async def cut(stream: TLSStream) -> None:
        await stream.send(b"the half of")
        stream.tls.cut()

    async def main() -> None:
        async with await start_server(cut, world.front()) as behind:
            plan = Plan(to=("localhost", behind.sockets[0].getsockname()[1]), behind=world.behind())
            async with proxied(plan) as (here, diary):
                reader, writer = await connect(here)
                got = b""
                with pytest.raises(ConnectionResetError):
                    while True:
                        data = await reader.read(100)
                        assert data, "a proper end"
                        got += data
                writer.close()
                assert b"the half of".startswith(got)
                passage = await diary.over.get()
                assert isinstance(passage.error, ConnectionEnded)
                assert (passage.blame, passage.received) == ("server", len(b"the half of"))

    run(main())


def test_a_reset_in_clear_is_a_cut_in_tls(world: World) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        reset(writer)

    async def main() -> None:
        async with server(cut) as port:
            plan = Plan(to=("127.0.0.1", port), front=world.front())
            async with proxied(plan) as (here, diary):
                stream = await ours(here, world)
                await stream.send(b"cut")
                with pytest.raises(ConnectionEnded) as ended:
                    await stream.read()
                assert ended.value.reason is Reason.TRUNCATED
                await stream.aclose()
                passage = await diary.over.get()
                assert (type(passage.error), passage.blame) == (ConnectionResetError, "server")

    run(main())


def test_a_client_that_is_cut_off(world: World) -> None:
    """The plain server behind sees a reset, not an end."""
    seen: list[BaseException] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except ConnectionResetError as error:
            seen.append(error)
            raise

    async def main() -> None:
        async with server(listen) as port:
            plan = Plan(to=("127.0.0.1", port), front=world.front())
            async with proxied(plan) as (here, diary):
                stream = await ours(here, world)
                await stream.send(b"cut")
                stream.tls.cut()
                passage = await diary.over.get()
                assert isinstance(passage.error, ConnectionEnded | ConnectionResetError)
                assert passage.blame == "client"
                while not seen:
                    await asyncio.sleep(0.01)

    run(main())


@pytest.mark.parametrize("way", ["terminate", "tunnel"])
def test_nothing_is_gathered_where_one_side_does_not_read(world: World, way: str) -> None:
    """The server reads a megabyte at a time; what is under way stays within what the kernels hold."""
    parts, most = 48, 24 * PART
    passages: list[Passage] = []
    ahead: list[int] = []

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(parts):
            assert await reader.readexactly(PART) == bytes((number,)) * PART
            ahead.append(passages[0].sent - (number + 1) * PART)
        writer.write(b"all")

    class Watching(Diary):
        async def shaken(self, passage: Passage) -> None:
            passages.append(passage)

    async def main() -> None:
        context = world.server() if way == "tunnel" else None
        async with server(slow, context) as port:
            plan = Plan(to=("127.0.0.1", port), front=None if way == "tunnel" else world.front())
            diary = Watching()
            async with Proxy(plan, watcher=diary) as proxy:
                stream = await ours(proxy.port, world)
                for number in range(parts):
                    await stream.send(bytes((number,)) * PART)
                assert await stream.read(3) == b"all"
                await stream.aclose()
                passage = await diary.over.get()
                assert passage.sent >= parts * PART
                trace = passage.front or passage.passing
                assert trace is not None
                kept = sum(len(fact.fields["wire"]) for fact in trace.of("record"))
                assert kept < 2 * PART  # of a transfer of any length the trace keeps the beginning
        assert max(ahead) < most

    run(main())


def test_so_many_at_once_and_no_more(world: World) -> None:
    """The third waits in the system's queue until one of the two has ended."""

    async def main() -> None:
        async with server(echo) as port:
            plan = Plan(to=("127.0.0.1", port), front=world.front())
            async with proxied(plan, most=2) as (here, diary):
                first, second = [await connect(here, world.client()) for _ in range(2)]
                third = asyncio.create_task(connect(here, world.client()))
                for reader, writer in (first, second):
                    assert await ask(reader, writer, b"hello") == b"hello"
                assert not third.done()
                assert [passage.number for passage in diary.shown] == [1, 2]
                first[1].close()
                reader, writer = await third
                assert await ask(reader, writer, b"at last") == b"at last"
                second[1].close()
                writer.close()
                assert sorted([(await diary.over.get()).number for _ in range(3)]) == [1, 2, 3]

    run(main())


def test_the_end_of_the_proxy_is_a_cut_and_is_told(world: World) -> None:
    async def main() -> None:
        async with server(echo) as port:
            plan = Plan(to=("127.0.0.1", port), front=world.front())
            async with proxied(plan) as (here, diary):
                stream = await ours(here, world)
                await stream.send(b"hello")
                assert await stream.read(5) == b"hello"
            with pytest.raises(ConnectionEnded):
                await stream.read()
            passage = diary.over.get_nowait()
            assert passage.notes == ["The proxy ended while this was under way."]
            assert (passage.sent, passage.received) == (5, 5)

    run(main())


def test_who_has_just_left_is_told_of_at_the_end_of_the_proxy(world: World) -> None:
    """The watcher may take its time, in another thread for example: it is not disturbed."""
    began = asyncio.Event()

    class Slow(Diary):
        async def ended(self, passage: Passage) -> None:
            began.set()
            await asyncio.sleep(0.1)
            await super().ended(passage)

    async def main() -> None:
        diary = Slow()
        async with server(echo) as port:
            async with Proxy(Plan(to=("127.0.0.1", port), front=world.front()), watcher=diary) as proxy:
                reader, writer = await connect(proxy.port, world.client())
                assert await ask(reader, writer, b"hello") == b"hello"
                writer.close()
                await began.wait()
            assert diary.over.get_nowait().error is None

    run(main())


def test_a_watcher_s_fault_ends_the_proxy(world: World) -> None:
    class Broken(Diary):
        async def ended(self, passage: Passage) -> None:
            raise BrokenPipeError

    async def main() -> None:
        async with Proxy(Plan(timeout=0.05), watcher=Broken()) as proxy:
            _, writer = await connect(proxy.port)
            with pytest.raises(BrokenPipeError):
                await proxy.wait()
            writer.close()

    run(main())


@pytest.mark.parametrize("early", [False, True])
def test_a_client_that_does_not_wait(world: World, early: bool) -> None:
    """A ClientHello that comes in one piece with CONNECT is not lost."""

    async def main() -> None:
        async with server(echo, world.server()) as port, proxied(world.intercepting()) as (here, diary):
            connection = ClientConnection(ClientConfig(trust=world.interceptor.trust()), "localhost")
            head = f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode()
            reader, writer = await asyncio.open_connection("127.0.0.1", here)
            writer.write(head + connection.data_to_send() if early else head)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await _shake(connection, reader, writer)
            connection.send_data(b"hello")
            writer.write(connection.data_to_send())
            data = b""
            while data != b"hello":
                connection.receive_data(await reader.read(65_536))
                data += b"".join(getattr(event, "data", b"") for event in connection.events())
            writer.close()
            assert (await diary.over.get()).number == 1

    run(main())


async def _shake(connection: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not connection.handshake_complete:
        writer.write(connection.data_to_send())
        data = await reader.read(65_536)
        if not data:
            raise TLSError(Reason.EOF_IN_HANDSHAKE)
        connection.receive_data(data)
    writer.write(connection.data_to_send())
