"""TLS over any stream of trio, without anyio.

async with await open_stream("example.org", 443) as stream:
    await stream.send_all(b"hello")
    answer = await stream.receive_some()

The rules are trio's: `receive_some` returns b"" after the peer's close_notify; what breaks the connection
later is a `trio.BrokenResourceError`, whose `__cause__` is the `TLSError`. A refused handshake raises the
`TLSError` itself, after the alert has been sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from operator import index
from typing import Self

import trio

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import TLSError
from pellucid.info import ConnectionInfo
from pellucid.io.awaiting import AwaitingShell
from pellucid.io.shell import CHUNK, Answer, offer_early_data

__all__ = ["TLSStream", "open_stream", "serve", "wrap_client", "wrap_server"]


class _One:
    """Lets one task in; another one is refused."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._taken = False

    def __enter__(self) -> Self:
        if self._taken:
            raise trio.BusyResourceError(f"another task is {self._doing} this stream already")
        self._taken = True
        return self

    def __exit__(self, *exception: object) -> None:
        self._taken = False


class TLSStream(AwaitingShell, trio.abc.HalfCloseableStream):
    """A TLS connection over a stream. One task may receive while another sends.

    A receive that is cancelled has lost nothing. A send that is cancelled before anything of it has left has
    not happened; one that is cancelled half way breaks the sending side, and receiving goes on.

    Parameters:
        stream: the plain stream; it is owned from now on. Another `TLSStream` gives TLS in TLS.
        connection: the sans-IO connection to drive.
        answer: called with each request that the configuration asks for; may be a coroutine function.

    Attributes:
        transport_stream: the plain stream.
    """

    _library = trio
    _forget = staticmethod(trio.aclose_forcefully)

    def __init__(self, stream: trio.abc.Stream, connection: Connection, answer: Answer | None = None) -> None:
        super().__init__(stream, connection, answer)
        self.transport_stream = stream
        self._receive = stream.receive_some
        self._push_out = stream.send_all
        self._receiving = _One("receiving from")
        self._sending = _One("sending to")

    async def do_handshake(self) -> ConnectionInfo:
        """Run the handshake to its end; safe to call again.

        Raises:
            TLSError: it was refused; the peer has been told why.
            trio.BrokenResourceError: the network failed.
            trio.ClosedResourceError: this stream was closed.
        """
        with self._receiving, self._open():
            await trio.lowlevel.checkpoint()
            return await self._shake_hands()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Up to `max_bytes` bytes; b"" after the peer's close_notify (RFC 8446 section 6.1).

        Raises:
            trio.BrokenResourceError: the line ended without it, a record was refused, or the peer
                sent an alert.
            trio.ClosedResourceError: this stream was closed.
        """
        size = CHUNK if max_bytes is None else index(max_bytes)
        if size < 1:
            raise ValueError("max_bytes must be positive")
        with self._receiving, self._open():
            await trio.lowlevel.checkpoint()
            chunks = self._chunks
            while not chunks:
                if self._peer_closed:
                    return b""
                if self.connection.error is not None:
                    raise trio.BrokenResourceError from self.connection.error
                try:
                    await self._read_more()
                except TLSError:
                    continue  # what came before the fault is handed out first
            return self._up_to(chunks.popleft(), size)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`.

        Raises:
            trio.BrokenResourceError: the connection failed, or a send was cancelled half way before.
            trio.ClosedResourceError: this side was closed.
        """
        with self._sending, self._open():
            await trio.lowlevel.checkpoint()
            if not data and self._said_goodbye:
                raise trio.ClosedResourceError("this side has sent close_notify")
            await self._write(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the stream below takes something.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError: as `send_all`.
        """
        with self._sending, self._open():
            async with self._writing:
                await self.transport_stream.wait_send_all_might_not_block()
                await self._push()  # what a reader left to us meanwhile

    async def send_eof(self) -> None:
        """Send close_notify: nothing more will come from us; receiving goes on (RFC 8446 section 6.1)."""
        with self._sending, self._open():
            await trio.lowlevel.checkpoint()
            self._said_goodbye = True
            self.connection.close()
            await self._flush()

    async def flush(self) -> None:
        """Send what the connection has to say, after a call on `connection` itself."""
        with self._open():
            await trio.lowlevel.checkpoint()
            await self._flush()

    async def aclose(self) -> None:
        """Send close_notify and close the stream, without waiting for the peer's."""
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        await self._say_goodbye()

    async def unwrap(self) -> tuple[trio.abc.Stream, bytes]:
        """Close TLS on both sides; the plain stream, and what came in behind the peer's close_notify."""
        await self.send_eof()
        while await self.receive_some():
            pass
        self._closed = True
        return self.transport_stream, self.connection.unread_data()

    _said_goodbye = False

    @contextmanager
    def _open(self) -> Iterator[None]:
        """Refuse what comes after closing; what closing interrupts says that it was closed, not broken."""
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        try:
            yield
        except trio.BrokenResourceError as error:
            if self._closed:
                raise trio.ClosedResourceError("another task closed this stream") from error
            raise


async def wrap_client(
    stream: trio.abc.Stream,
    server_name: str | None,
    config: ClientConfig | None = None,
    *,
    answer: Answer | None = None,
    early_data: bytes = b"",
) -> TLSStream:
    """Speak TLS as the client over a connected stream. Parameters as in `pellucid.wrap_client`."""
    connection = ClientConnection(config, server_name)
    offer_early_data(connection, early_data)
    wrapped = TLSStream(stream, connection, answer)
    await wrapped._begin()
    return wrapped


async def wrap_server(
    stream: trio.abc.Stream, config: ServerConfig, *, answer: Answer | None = None
) -> TLSStream:
    """Speak TLS as the server over an accepted stream."""
    wrapped = TLSStream(stream, ServerConnection(config), answer)
    await wrapped._begin()
    return wrapped


async def open_stream(
    host: str,
    port: int = 443,
    *,
    config: ClientConfig | None = None,
    server_name: str | None = None,
    answer: Answer | None = None,
    early_data: bytes = b"",
) -> TLSStream:
    """Connect to `host` and speak TLS with it.

    Raises:
        CertificateRefused: the server's certificate is not believed.
        TLSError: anything else that TLS refuses.
        OSError: the network.

    >>> from pellucid import Authority
    >>> authority = Authority.create()
    >>> async def main():
    ...     async with trio.open_nursery() as nursery:
    ...         config = ServerConfig(identities=(authority.issue("localhost"),))
    ...         hello = lambda stream: stream.send_all(b"hello")
    ...         listeners = await nursery.start(serve, hello, config)
    ...         port = listeners[0].socket.getsockname()[1]
    ...         config = ClientConfig(trust=authority.trust())
    ...         async with await open_stream("localhost", port, config=config) as stream:
    ...             print(await stream.receive_some())
    ...         nursery.cancel_scope.cancel()
    >>> trio.run(main)
    b'hello'
    """
    stream = await trio.open_tcp_stream(host, port)
    return await wrap_client(stream, server_name or host, config, answer=answer, early_data=early_data)


async def serve(
    handler: Callable[[TLSStream], Awaitable[object]],
    config: ServerConfig | Callable[[], ServerConfig],
    host: str | None = "127.0.0.1",
    port: int = 0,
    *,
    timeout: float = 60.0,
    answer: Answer | None = None,
    on_error: Callable[[BaseException], None] | None = None,
    handler_nursery: trio.Nursery | None = None,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve TLS connections over TCP, a task each, until cancelled: `trio.serve_tcp` with TLS.

    Parameters:
        handler: called with each stream once its handshake is complete; it is closed afterwards.
        config: a `ServerConfig`, or a callable that gives the present one (hot reload).
        host, port: where to listen; port 0 lets the system choose. `nursery.start(serve, ...)` returns
            the listeners.
        timeout: seconds for a handshake.
        answer: as in `TLSStream`.
        on_error: told of what went wrong in a handshake, or with TLS or the stream in a handler.
        handler_nursery: where the handlers run; None makes one.
    """

    async def run(stream: trio.SocketStream) -> None:
        try:
            with trio.fail_after(timeout):
                present = config() if callable(config) else config
                wrapped = await wrap_server(stream, present, answer=answer)
            async with wrapped:
                await handler(wrapped)
        except (TLSError, OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
            if on_error is not None:
                on_error(error)

    await trio.serve_tcp(run, port, host=host, handler_nursery=handler_nursery, task_status=task_status)
