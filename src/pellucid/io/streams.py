"""TLS over asyncio streams.

    stream = await open_connection("example.org", 443)
    await stream.send(b"hello"); data = await stream.receive()

A request of the handshake (`ClientConfig.ask`) may be answered by a coroutine, and a failed
handshake sends its alert before the error is raised, which `asyncio`'s own TLS does not do.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import Reason, TLSError
from pellucid.events import (
    DataReceived,
    EarlyDataReceived,
    EarlyDataRefused,
    Event,
    PeerClosed,
    Request,
    SessionReceived,
    Sign,
)
from pellucid.info import ConnectionInfo
from pellucid.resumption.sessions import Session

CHUNK = 65_536  # bytes read, and sealed, at once
Answer = Callable[[Request], Any]


class TLSStream:
    """A TLS connection over a pair of asyncio streams.

    One task may receive while another sends.

    Parameters:
        reader, writer: the plain streams; owned from now on.
        connection: the sans-IO connection to drive.
        answer: called with each request that the configuration asks for; returns or awaits the answer.

    Attributes:
        sessions: what was received to resume with later, newest last.
        early_data: what a client sent as 0-RTT data, on a server: it may be a replay.
        early_data_refused: a client's 0-RTT data that the server did not take.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: Connection,
        answer: Answer | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.connection = connection
        self._answer = answer
        self._received: deque[bytes] = deque()
        self._eof = False
        self.sessions: list[Session] = []
        self.early_data = b""
        self.early_data_refused: bytes | None = None

    async def do_handshake(self) -> ConnectionInfo:
        """Run the handshake to its end.

        Raises:
            TLSError: it was refused; the peer has been told why.
            OSError: the network failed.
        """
        await self._flush()
        while not self.connection.handshake_complete:
            await self._read_more()
        await self._flush()
        return self.connection.info

    @property
    def info(self) -> ConnectionInfo:
        """What was agreed on."""
        return self.connection.info

    async def receive(self, size: int = CHUNK) -> bytes:
        """Up to `size` bytes; b"" after the peer's close_notify.

        Raises:
            ConnectionEnded: the line ended without close_notify (`Reason.TRUNCATED`).
        """
        while not self._received:
            if self._eof:
                return b""
            await self._read_more()
        data = self._received.popleft()
        if len(data) > size:
            self._received.appendleft(data[size:])
            data = data[:size]
        return data

    async def send(self, data: bytes) -> None:
        """Send all of `data`; waits while the network is full."""
        view = memoryview(data)
        for at in range(0, len(view), CHUNK):
            self.connection.send_data(bytes(view[at : at + CHUNK]))
            await self._flush()

    async def send_eof(self) -> None:
        """Send close_notify: nothing more will come from us; receiving goes on."""
        self.connection.close()
        await self._flush()

    async def close(self) -> None:
        """Send close_notify and close, without waiting for the peer's."""
        with contextlib.suppress(OSError, TLSError):
            self.connection.close()
            await self._flush()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.receive():
            yield data

    # -- the machine -----------------------------------------------------------------------------

    async def _read_more(self) -> None:
        data = await self._reader.read(CHUNK)
        try:
            if data:
                self.connection.receive_data(data)
            else:
                self.connection.receive_eof()
            while (event := self.connection.next_event()) is not None:
                if isinstance(event, Request):
                    await self._respond(event)
                else:
                    self._note(event)
        except TLSError:
            for event in self.connection.events():
                self._note(event)
            with contextlib.suppress(OSError):
                await self._flush()
            raise
        await self._flush()

    def _note(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self._received.append(event.data)
        elif isinstance(event, EarlyDataReceived):
            self.early_data += event.data
        elif isinstance(event, PeerClosed):
            self._eof = True
        elif isinstance(event, SessionReceived):
            self.sessions.append(event.session)
        elif isinstance(event, EarlyDataRefused):
            self.early_data_refused = event.data

    async def _respond(self, request: Request) -> None:
        if isinstance(request, Sign) and request.pending is not None:
            request.answer(await request.pending)
            return
        if self._answer is None:
            request.fail(detail=f"nobody answers {type(request).__name__}")
            return
        try:
            value = self._answer(request)
            if inspect.isawaitable(value):
                value = await value
        except TLSError:
            raise
        except Exception as error:
            request.fail(Reason.APPLICATION_FAILED, f"{type(error).__name__}: {error}")
            raise
        request.answer(value)

    async def _flush(self) -> None:
        if data := self.connection.data_to_send():
            self._writer.write(data)
            await self._writer.drain()


async def open_connection(
    host: str,
    port: int = 443,
    *,
    config: ClientConfig | None = None,
    server_name: str | None = None,
    timeout: float | None = None,
    answer: Answer | None = None,
) -> TLSStream:
    """Connect to `host` and speak TLS with it.

    Parameters:
        host, port: where to connect to.
        config: a `ClientConfig`; None trusts the system's authorities.
        server_name: the name that the certificate must be for; None means `host`.
        timeout: seconds for connection and handshake together.
        answer: called with the requests that `config.ask` names; may be a coroutine function.

    Raises:
        CertificateRefused: the server's certificate is not believed.
        TLSError: anything else that TLS refuses.
        OSError: the network; TimeoutError after `timeout`.
    """
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port)
        stream = TLSStream(reader, writer, ClientConnection(config, server_name or host), answer)
        try:
            await stream.do_handshake()
        except BaseException:
            writer.close()
            raise
    return stream


async def start_server(
    handler: Callable[[TLSStream], Awaitable[None]],
    config: ServerConfig | Callable[[], ServerConfig],
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    timeout: float | None = 60.0,
    answer: Answer | None = None,
    on_error: Callable[[BaseException], None] | None = None,
) -> asyncio.Server:
    """Serve TLS connections, a task each.

    Parameters:
        handler: a coroutine function, called once a connection's handshake is complete.
        config: a `ServerConfig`, or a callable that gives the present one (hot reload).
        host, port: where to listen; port 0 lets the system choose.
        timeout: seconds for a handshake.
        answer: as in `open_connection`.
        on_error: told of what went wrong in a connection.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        present = config() if callable(config) else config
        stream = TLSStream(reader, writer, ServerConnection(present), answer)
        try:
            async with asyncio.timeout(timeout):
                await stream.do_handshake()
            async with stream:
                await handler(stream)
        except (TLSError, OSError) as error:
            if on_error is not None:
                on_error(error)
        finally:
            writer.close()

    return await asyncio.start_server(serve, host, port)
