"""Small real servers on loopback: HTTP that echoes, a proxy that speaks TLS, anything on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOOPBACK = "127.0.0.1"
BODY = bytes(range(256)) * 1200
"""300 kB: several records, more than a socket's buffer."""


class Echo(BaseHTTPRequestHandler):
    """GET greets, POST gives back what it was given; who the client is stands in a header."""

    protocol_version = "HTTP/1.1"

    @property
    def _tls(self) -> Any:
        return self.connection

    def do_GET(self) -> None:
        self._answer(b"hello over " + str(self._tls.version()).encode())

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        certificate = self._tls.getpeercert()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if certificate:
            self.send_header("X-Client", dict(field[0] for field in certificate["subject"])["commonName"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def http_server(context: Any, handler: Any = Echo) -> Iterator[int]:
    """`http.server` whose listening socket was wrapped, as its documentation says; the port."""
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


Prelude = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends."""
    with contextlib.suppress(OSError):
        while data := await source.read(16_384):
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError):
        sink.close()


async def join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, greeting: bytes = b""
) -> None:
    """Be in the middle between a visitor and another server."""
    with contextlib.suppress(OSError):
        back_reader, back_writer = await asyncio.open_connection(
            LOOPBACK if host == "localhost" else host, port
        )
        writer.write(greeting)
        await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))


def on_streams(visit: Prelude, **settings: Any) -> contextlib.AbstractContextManager[int]:
    """An asyncio server of streams; its port."""

    async def start(stop: asyncio.Event) -> int:
        async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ended = asyncio.ensure_future(stop.wait())
            visiting = asyncio.ensure_future(visit(reader, writer))
            await asyncio.wait({ended, visiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in (ended, visiting):
                task.cancel()
            await asyncio.gather(ended, visiting, return_exceptions=True)
            writer.transport.abort()

        server = await asyncio.start_server(visited, LOOPBACK, 0, **settings)

        async def end() -> None:
            await stop.wait()
            server.close()

        start.end = asyncio.ensure_future(end())  # type: ignore[attr-defined]
        port: int = server.sockets[0].getsockname()[1]
        return port

    return on_asyncio(start)


def tls_proxy(context: Any) -> contextlib.AbstractContextManager[int]:
    """A proxy that is itself spoken to in TLS, and understands CONNECT; the port."""

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        host, port = head.split()[1].decode().rsplit(":", 1)
        await join(reader, writer, host, int(port), b"HTTP/1.1 200 Connection established\r\n\r\n")

    return on_streams(visit, ssl=context)


def tls_front(
    context: Any, port: int, prelude: Prelude | None = None
) -> contextlib.AbstractContextManager[int]:
    """TLS in front of a server that listens on loopback without; the port.

    Parameters:
        context: the server's.
        port: where the plain server listens.
        prelude: what is said in the clear before TLS begins (STARTTLS and its kind).
    """

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if prelude is not None:
            await prelude(reader, writer)
            await writer.start_tls(context)
        await join(reader, writer, LOOPBACK, port)

    return on_streams(visit, **({} if prelude is not None else {"ssl": context}))


@contextlib.contextmanager
def running(server: Any) -> Iterator[int]:
    """A `uvicorn.Server` in a thread of its own; its port."""
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "uvicorn ended"
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(60)


@contextlib.contextmanager
def on_asyncio(
    start: Callable[[asyncio.Event], Awaitable[int]], new_loop: Callable[[], Any] = asyncio.new_event_loop
) -> Iterator[int]:
    """Run an asyncio server in a thread of its own; `start(stop)` gives its port once it listens.

    Whatever `start` leaves running as a task ends when `stop` is set.
    """
    loop = new_loop()
    stop = asyncio.Event()
    ready = threading.Event()
    ports: list[int] = []
    failures: list[BaseException] = []

    async def main() -> None:
        try:
            ports.append(await start(stop))
        except BaseException as error:
            failures.append(error)
        finally:
            ready.set()
        if ports:
            await stop.wait()
            rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            await asyncio.wait(rest, timeout=3) if rest else None
            await asyncio.sleep(0)  # what was aborted closes its socket in the next turn

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert ready.wait(60)
    if failures:
        raise failures[0]
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()


async def listening(port: int) -> None:
    """Wait until somebody listens there."""
    for _ in range(1200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"nobody listens on {port}")


async def asgi_echo(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that echoes the body, and says the HTTP version."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-length", str(len(body)).encode()), (b"x-http", scope["http_version"].encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


__all__ = [
    "BODY",
    "LOOPBACK",
    "AsyncIterator",
    "asgi_echo",
    "http_server",
    "join",
    "listening",
    "on_asyncio",
    "on_streams",
    "running",
    "tls_front",
    "tls_proxy",
]
