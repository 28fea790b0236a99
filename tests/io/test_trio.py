"""trio's streams, without anyio: trio's own conformance checks, cancellation, the shells' common rules."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

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
from pellucid.io.trio import TLSStream, open_stream, serve, wrap_client, wrap_server
from pellucid.wire.codepoints import Alert

Pair = tuple[TLSStream, TLSStream]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def server_config(authority: Authority) -> ServerConfig:
    return ServerConfig(identities=(authority.issue("localhost"),), alpn=("h2", "http/1.1"))


@pytest.fixture(scope="module")
def client_config(authority: Authority) -> ClientConfig:
    return ClientConfig(trust=authority.trust(), alpn=("h2",))


def run(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """As a test of its own, which no hang can hold up."""

    async def main() -> Any:
        with trio.fail_after(60):
            return await function(*arguments)

    return trio.run(main)


@asynccontextmanager
async def serving(
    handler: Callable[[TLSStream], Awaitable[Any]], config: ServerConfig, **options: Any
) -> AsyncIterator[int]:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(serve, handler, config, **options))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def pair(client: ClientConfig, server: ServerConfig, below: Callable[[], Any]) -> Pair:
    left, right = below()
    found: list[TLSStream] = []

    async def answer() -> None:
        found.append(await wrap_server(right, server))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        stream = await wrap_client(left, "localhost", client)
    return stream, found[0]


async def echo(stream: TLSStream) -> None:
    async for data in stream:
        await stream.send_all(data)
    await stream.send_eof()


@pytest.mark.parametrize("version", [0x0303, 0x0304])
def test_it_is_a_stream_as_trio_checks_them(
    client_config: ClientConfig, server_config: ServerConfig, version: int
) -> None:
    """Over a roomy line, and over one on which each send waits for its receive."""
    client = client_config.replace(policy=Policy(versions=(version,)))
    server = server_config.replace(tickets=0)  # they would clog the second line
    roomy = partial(pair, client, server, trio.testing.memory_stream_pair)
    clogged = partial(pair, client, server, trio.testing.lockstep_stream_pair)
    run(trio.testing.check_half_closeable_stream, roomy, clogged)


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 3_000_000])
def test_echo(client_config: ClientConfig, server_config: ServerConfig, size: int) -> None:
    data = (bytes(i * 7 & 255 for i in range(251)) * (size // 251 + 1))[:size]

    async def main() -> None:
        found = b""
        async with (
            serving(echo, server_config) as port,
            await open_stream("localhost", port, config=client_config) as stream,
            trio.open_nursery() as nursery,
        ):
            assert stream.info.alpn == "h2"
            assert (await stream.do_handshake()) is stream.info

            async def send() -> None:
                await stream.send_all(data)
                await stream.send_eof()

            nursery.start_soon(send)
            async for piece in stream:
                found += piece
            assert await stream.receive_some() == b""
        assert found == data

    run(main)


def test_a_refused_certificate_is_told(server_config: ServerConfig) -> None:
    async def main() -> None:
        errors: list[BaseException] = []
        done = trio.Event()

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

    run(main)


def test_faults_later_break_the_stream(client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def spoil(stream: TLSStream) -> None:
        await stream.send_all(b"good")
        await stream.transport_stream.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(trio.BrokenResourceError) as broken:
            await stream.receive_some()
        assert isinstance(broken.value.__cause__, PeerRefused)
        assert broken.value.__cause__.alert == Alert.bad_record_mac

    async def main() -> None:
        async with (
            serving(spoil, server_config) as port,
            await open_stream("localhost", port, config=client_config) as stream,
        ):
            assert await stream.receive_some() == b"good"
            for _ in range(2):
                with pytest.raises(trio.BrokenResourceError) as broken:
                    await stream.receive_some()
                assert isinstance(broken.value.__cause__, PeerMisbehaved)
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"x")

    run(main)


def test_truncation(client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def cut(stream: TLSStream) -> None:
        await stream.send_all(b"half of")
        await stream.transport_stream.aclose()

    async def main() -> None:
        async with (
            serving(cut, server_config) as port,
            await open_stream("localhost", port, config=client_config) as stream,
        ):
            assert await stream.receive_some() == b"half of"
            with pytest.raises(trio.BrokenResourceError) as broken:
                await stream.receive_some()
            assert isinstance(broken.value.__cause__, ConnectionEnded)

    run(main)


def test_a_cancelled_receive_has_lost_nothing(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    """Cancelled at the wait, and in the middle of a record; the stream goes on both ways."""

    async def main() -> None:
        left, right = trio.testing.memory_stream_pair()
        client, server = await pair(client_config, server_config.replace(tickets=0), lambda: (left, right))
        wire = server.connection.protect(b"in two halves")
        async with trio.open_nursery() as nursery:
            for piece in (b"", wire[:9]):
                await right.send_all(piece)
                with trio.CancelScope() as scope:
                    nursery.start_soon(self_cancelling, scope)
                    await client.receive_some()
                assert scope.cancelled_caught
        await right.send_all(wire[9:])
        assert await client.receive_some() == b"in two halves"
        await client.send_all(b"and back")
        assert await server.receive_some() == b"and back"

    async def self_cancelling(scope: trio.CancelScope) -> None:
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()

    run(main)


def test_a_cancelled_send_has_not_happened_or_breaks_the_sending_side(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    async def main() -> None:
        below = trio.testing.lockstep_stream_pair
        client, server = await pair(client_config, server_config.replace(tickets=0), below)
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.send_all(b"never")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, b"first")
            assert await server.receive_some() == b"first"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, bytes(100_000))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        with pytest.raises(trio.BrokenResourceError, match="cut short"):
            await client.send_all(b"x")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.send_all, b"still heard")
            assert await client.receive_some() == b"still heard"
        await client.aclose()

    run(main)


def test_a_request_whose_answer_was_cancelled_is_asked_again(
    authority: Authority, client_config: ClientConfig
) -> None:
    identity = authority.issue("localhost")
    asked: list[str] = []

    async def answer(request: Request) -> Any:
        asked.append(type(request).__name__)
        if len(asked) == 1:
            await trio.sleep_forever()
        return identity

    async def main() -> None:
        from pellucid.connection import ServerConnection

        left, right = trio.testing.memory_stream_pair()
        config = ServerConfig(ask=frozenset({SelectIdentity}))
        server = TLSStream(right, ServerConnection(config), answer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wrap_client, left, "localhost", client_config)
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel, scope)
                await server.do_handshake()
            assert scope.cancelled_caught
            assert (await server.do_handshake()).version == 0x0304

    async def cancel(scope: trio.CancelScope) -> None:
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()

    run(main)
    assert asked == ["SelectIdentity"] * 2


def test_a_failed_answer_is_told(client_config: ClientConfig) -> None:
    async def answer(request: Request) -> Any:
        raise LookupError("no such name here")

    async def main() -> None:
        errors: list[BaseException] = []
        told = trio.Event()

        def on_error(error: BaseException) -> None:
            errors.append(error)
            told.set()

        config = ServerConfig(ask=frozenset({SelectIdentity}))
        async with serving(echo, config, answer=answer, on_error=on_error) as port:
            with pytest.raises(PeerRefused) as refused:
                await open_stream("localhost", port, config=client_config)
            await told.wait()
        assert refused.value.alert == Alert.internal_error
        assert isinstance(errors[0], TLSError)
        assert isinstance(errors[0].__cause__, LookupError)

    run(main)


def test_a_reader_does_not_wait_for_a_blocked_writer(
    client_config: ClientConfig, server_config: ServerConfig
) -> None:
    size = 20_000_000
    seen: list[Any] = []

    async def main() -> None:
        received = trio.Event()

        async def ask(stream: TLSStream) -> None:
            stream.connection.update_keys(request=True)
            await stream.send_all(b"still here")
            await received.wait()
            total = 0
            while total < size:
                total += len(await stream.receive_some())
            seen.extend(stream.events)
            await stream.send_all(b"all of it")

        async with (
            serving(ask, server_config) as port,
            await open_stream("localhost", port, config=client_config) as stream,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(stream.send_all, bytes(size))
            await trio.testing.wait_all_tasks_blocked()
            assert await stream.receive_some() == b"still here"
            received.set()
            assert await stream.receive_some() == b"all of it"

    run(main)
    assert any(isinstance(event, KeysUpdated) for event in seen)


def test_tls_in_tls_and_unwrap(client_config: ClientConfig, server_config: ServerConfig) -> None:
    async def main() -> None:
        outer, at_server = await pair(client_config, server_config, trio.testing.memory_stream_pair)
        inner, inner_server = await pair(client_config, server_config, lambda: (outer, at_server))
        await inner.send_all(b"inside")
        assert await inner_server.receive_some() == b"inside"

        async def answer() -> None:
            plain, rest = await inner_server.unwrap()
            assert (plain, rest) == (at_server, b"")
            await at_server.send_all(b"outside again")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            plain, rest = await inner.unwrap()
            assert plain is outer
            assert rest + (b"" if rest else await outer.receive_some()) == b"outside again"
        with pytest.raises(trio.ClosedResourceError):
            await inner.receive_some()

    run(main)


@pytest.mark.parametrize("ours_serves", [True, False])
def test_the_standard_ssl_is_understood(
    authority: Authority,
    client_config: ClientConfig,
    server_config: ServerConfig,
    tmp_path: Path,
    ours_serves: bool,
) -> None:
    """trio's own TLS, over OpenSSL, on the other side."""

    async def main() -> None:
        left, right = trio.testing.memory_stream_pair()
        if ours_serves:
            context = ssl.create_default_context(cadata=authority.pem.decode())
            one: Any = trio.SSLStream(left, context, server_hostname="localhost")
            make = partial(wrap_server, right, server_config)
        else:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            path = tmp_path / "both.pem"
            path.write_bytes(authority.issue("localhost").to_pem())
            context.load_cert_chain(path)
            one = trio.SSLStream(left, context, server_side=True)
            make = partial(wrap_client, right, "localhost", client_config)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.do_handshake)
            ours = await make()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.send_all, b"hello")
            assert await ours.receive_some() == b"hello"
            await ours.send_all(b"hello back")
            await ours.send_eof()
            assert await one.receive_some() == b"hello back"
            assert await one.receive_some() == b""

    run(main)


def test_a_handshake_that_never_comes(server_config: ServerConfig) -> None:
    async def main() -> None:
        errors: list[BaseException] = []
        told = trio.Event()

        def on_error(error: BaseException) -> None:
            errors.append(error)
            told.set()

        async with serving(echo, server_config, timeout=0.1, on_error=on_error) as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            assert await stream.receive_some() == b""
            await told.wait()
        assert isinstance(errors[0], trio.TooSlowError)

    run(main)


def test_a_server_takes_the_present_configuration(authority: Authority, client_config: ClientConfig) -> None:
    """Hot reload: a callable gives it for each connection."""
    present = [ServerConfig(identities=(authority.issue("localhost"),)) for _ in range(2)]

    async def main() -> None:
        config: Any = lambda: present[0]  # noqa: E731
        async with serving(echo, config) as port:
            for _ in range(2):
                async with await open_stream("localhost", port, config=client_config) as stream:
                    assert stream.info.peer_chain[0] == present[0].identities[0].leaf
                present.pop(0)

    run(main)
