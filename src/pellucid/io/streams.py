"""TLS over asyncio, as streams: `open_connection`, `start_server`, `start_tls`.

    stream = await open_connection("example.org", 443)
    stream.write(b"hello")
    await stream.drain()
    answer = await stream.read()

A `TLSStream` is reader and writer in one, with the methods of `asyncio.StreamReader` and
`asyncio.StreamWriter`, so it can stand for both where a program wants two objects.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import TLSError
from pellucid.io import transport as _transport
from pellucid.io.stream import LIMIT, TLSStream


async def open_connection(
    host: str | None = None, port: int | None = 443, *, limit: int = LIMIT, **options: Any
) -> TLSStream:
    """Connect to `host` and speak TLS with it.

    Parameters:
        host, port: where to connect to.
        limit: bytes that may wait to be read.
        options: `config`, `server_name`, `timeout`, `shutdown_timeout`, `answer`, `early_data`, and what
            `loop.create_connection` takes: see `pellucid.io.transport.create_connection`.

    Raises:
        CertificateRefused: the server's certificate is not believed.
        TLSError: anything else that TLS refuses.
        OSError: the network.

    >>> from pellucid import Authority
    >>> authority = Authority.create()
    >>> async def hello(stream):
    ...     await stream.send(b"hello")
    >>> async def main():
    ...     server = await start_server(hello, ServerConfig(identities=(authority.issue("localhost"),)))
    ...     port = server.sockets[0].getsockname()[1]
    ...     config = ClientConfig(trust=authority.trust())
    ...     async with server, await open_connection("localhost", port, config=config) as stream:
    ...         return await stream.read()
    >>> asyncio.run(main())
    b'hello'
    """
    _, stream = await _transport.create_connection(lambda: TLSStream(limit), host, port, **options)
    return stream  # type: ignore[no-any-return]


async def start_server(
    handler: Callable[[TLSStream], Awaitable[None]],
    config: ServerConfig | Callable[[], ServerConfig],
    host: str | None = "127.0.0.1",
    port: int | None = 0,
    *,
    limit: int = LIMIT,
    on_error: Callable[[BaseException], None] | None = None,
    **options: Any,
) -> asyncio.Server:
    """Serve TLS connections, a task each.

    Parameters:
        handler: a coroutine function, called once a connection's handshake is complete; the connection
            is closed when it returns.
        config: a `ServerConfig`, or a callable that gives the present one (hot reload).
        host, port: where to listen; port 0 lets the system choose.
        limit: bytes that may wait to be read.
        on_error: told what went wrong in a handshake, or with TLS or the network in a handler.
        options: `timeout`, `shutdown_timeout`, `answer`, and what `loop.create_server` takes.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def run(stream: TLSStream) -> None:
        try:
            await handler(stream)
        except (TLSError, OSError) as error:
            if on_error is not None:
                on_error(error)
        finally:
            stream.close()

    class Served(TLSStream):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            task = self._loop.create_task(run(self))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    return await _transport.create_server(
        lambda: Served(limit), config, host, port, on_error=on_error, **options
    )


async def start_tls(
    stream: asyncio.StreamWriter | TLSStream | asyncio.Transport,
    config: ClientConfig | ServerConfig | None = None,
    *,
    limit: int = LIMIT,
    **options: Any,
) -> TLSStream:
    """Speak TLS over a connection in use: after STARTTLS, through a proxy, inside TLS.

    What a plain `StreamReader` has read ahead is not taken over: before STARTTLS nothing may come in
    clear that is believed afterwards. Give `received=` what belongs to TLS.

    Parameters:
        stream: the writer of a plain connection, a transport, or a `TLSStream`.
        config: a `ServerConfig` makes this side the server.
        limit: bytes that may wait to be read.
        options: `server_name`, `timeout`, `shutdown_timeout`, `answer`, `received`.
    """
    below: Any = stream if isinstance(stream, asyncio.Transport) else stream.transport
    if isinstance(stream, TLSStream):  # what it has read is authentic, and belongs to us
        options["received"] = options.get("received", b"") + stream.take_all()
    inner = TLSStream(limit)
    await _transport.start_tls(below, inner, config, **options)
    return inner


async def wrap_socket(
    sock: socket.socket,
    config: ClientConfig | ServerConfig | None = None,
    *,
    limit: int = LIMIT,
    **options: Any,
) -> TLSStream:
    """Speak TLS over a connected, non-blocking socket that no transport has yet.

    Parameters:
        sock: it is owned from now on.
        config: a `ServerConfig` makes this side the server.
        limit: bytes that may wait to be read.
        options: `server_name`, `timeout`, `shutdown_timeout`, `answer`; `received` for what was read
            from the socket already.

    >>> from pellucid import Authority
    >>> authority = Authority.create()
    >>> async def main():
    ...     ours, theirs = socket.socketpair()
    ...     ours.setblocking(False), theirs.setblocking(False)
    ...     config = ServerConfig(identities=(authority.issue("localhost"),))
    ...     trusting = ClientConfig(trust=authority.trust())
    ...     server, client = await asyncio.gather(
    ...         wrap_socket(theirs, config), wrap_socket(ours, trusting, server_name="localhost"))
    ...     async with server, client:
    ...         await server.send(b"hello")
    ...         return await client.read(5)
    >>> asyncio.run(main())
    b'hello'
    """
    stream = TLSStream(limit)
    await _transport.wrap_socket(sock, stream, config, **options)
    return stream
