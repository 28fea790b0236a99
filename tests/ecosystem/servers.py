"""Small real servers on loopback: HTTP that echoes, a proxy that speaks TLS, anything on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
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
def http_server(context: Any) -> Iterator[int]:
    """`http.server` whose listening socket was wrapped, as its documentation says; the port."""
    server = ThreadingHTTPServer((LOOPBACK, 0), Echo)
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


@contextlib.contextmanager
def tls_proxy(context: Any) -> Iterator[int]:
    """A proxy that is itself spoken to in TLS, and understands CONNECT; the port."""
    listener = socket.create_server((LOOPBACK, 0))

    def relay(client: Any, target: socket.socket) -> None:
        """Both directions in one thread: two may not use one `ssl.SSLSocket`."""
        while True:
            ready = [client] if client.pending() else select.select([client, target], [], [])[0]
            for source in ready:
                data = source.recv(16_384)
                if not data:
                    return
                (target if source is client else client).sendall(data)

    def serve(raw: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            host, port = head.split()[1].decode().rsplit(":", 1)
            with socket.create_connection((LOOPBACK if host == "localhost" else host, int(port))) as target:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                relay(client, target)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


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

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    ready.wait(20)
    if failures:
        raise failures[0]
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def free_port() -> int:
    """A port that was free a moment ago, for servers that take only a number."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


async def listening(port: int) -> None:
    """Wait until somebody listens there."""
    for _ in range(400):
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
    "listening",
    "on_asyncio",
    "tls_proxy",
]
