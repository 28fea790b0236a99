"""A TLS connection over asyncio as a stream: reader and writer in one. `pellucid.io.streams` opens them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any, Self

from pellucid.connection import Connection
from pellucid.info import ConnectionInfo
from pellucid.io.shell import CHUNK
from pellucid.io.transport import TLSTransport
from pellucid.resumption.sessions import Session

LIMIT = 2 * CHUNK
"""Bytes that wait to be read before the peer has to wait; half of it left lets it go on."""


class TLSStream(asyncio.Protocol):
    """A TLS connection to read from and write to. One task may read while another writes.

    Reading returns b"" (or less than was asked for) after the peer's close_notify. Every method that
    awaits raises `ConnectionEnded` when the line ended without one, `TLSError` when a record was
    refused, `OSError` when the network failed; what came before that can be read first.

    Attributes:
        tls: the transport, with `sessions`, `early_data`, `export()`, `channel_binding()` and so on.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.tls: TLSTransport = None  # type: ignore[assignment]  # there from connection_made on
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._eof = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drainers: list[asyncio.Future[None]] = []
        self._full = False
        self._lost = False
        self._closers: list[asyncio.Future[None]] = []

    # -- called by the transport -----------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """The handshake is complete."""
        self.tls = transport

    def data_received(self, data: bytes) -> None:
        """Data is there."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > self._limit:
            self.tls.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The peer sent close_notify; we may still write."""
        self._eof = True
        self._wake()
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """The network is gone."""
        self._lost = self._eof = True
        self._error = exc
        self._wake()
        self.resume_writing()
        for closer in self._closers:
            if not closer.done():
                closer.set_result(None)

    def pause_writing(self) -> None:
        """The network is full."""
        self._full = True

    def resume_writing(self) -> None:
        """The network has room again."""
        self._full = False
        for waiter in self._drainers:
            if not waiter.done():
                waiter.set_result(None)
        self._drainers.clear()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    # -- reading ---------------------------------------------------------------------------------

    async def _more(self) -> bool:
        """Wait for data; False at its end."""
        if self._eof:
            if self._error is not None:
                raise self._error
            return False
        if self._waiter is not None:
            raise RuntimeError("another task is reading from this stream already")
        if self.tls._writes:
            self.tls.end_turn()  # whoever waits for an answer wants the question to be gone
        if self.tls._paused:
            self.tls.resume_reading()  # what is there is not enough
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        return True

    def _took(self, size: int) -> None:
        """Let the peer go on if it had to wait."""
        self._size -= size
        if self.tls._paused and self._size <= self._limit // 2:
            self.tls.resume_reading()

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes, or all up to the end if `n` is negative."""
        chunks = self._chunks
        if n < 0:
            parts = []
            while chunks or await self._more():
                if chunks:
                    parts.append(chunks.popleft())
                    self._took(len(parts[-1]))
            return b"".join(parts)
        while not chunks:
            if not await self._more() and not chunks:
                return b""
        data = chunks.popleft()
        if len(data) > n:
            chunks.appendleft(data[n:])
            data = data[:n]
        self._took(len(data))
        return data

    async def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes.

        Raises:
            asyncio.IncompleteReadError: the peer's close_notify came before.
        """
        chunks = self._chunks
        while self._size < n:
            if not await self._more() and self._size < n:
                raise asyncio.IncompleteReadError(self.take_all(), n)
        if chunks and len(chunks[0]) == n:
            self._took(n)
            return chunks.popleft()
        return self._front(n)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        r"""Up to and with `separator`.

        Raises:
            asyncio.IncompleteReadError: the end came before.
            asyncio.LimitOverrunError: it does not come within the stream's limit.
        """
        searched = 0
        while True:
            if len(self._chunks) > 1:
                self._chunks = deque([b"".join(self._chunks)])
            data = self._chunks[0] if self._chunks else b""
            at = data.find(separator, max(0, searched - len(separator) + 1))
            if at >= 0:
                return self._front(at + len(separator))
            searched = len(data)
            if searched > self._limit:
                raise asyncio.LimitOverrunError("the separator is not within the limit", searched)
            if not await self._more() and len(data) == self._size:
                raise asyncio.IncompleteReadError(self.take_all(), None)

    async def readline(self) -> bytes:
        """A line with its end, or what is left."""
        try:
            return await self.readuntil()
        except asyncio.IncompleteReadError as error:
            return error.partial

    def _front(self, n: int) -> bytes:
        data = b"".join(self._chunks)
        self._chunks = deque([data[n:]]) if len(data) > n else deque()
        self._took(n)
        return data[:n]

    def take_all(self) -> bytes:
        """What is there and not read yet."""
        return self._front(self._size)

    def at_eof(self) -> bool:
        """Whether all is read, and nothing more will come."""
        return self._eof and not self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.read(CHUNK):
            yield data

    # -- writing ---------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Send `data`: at once by `drain()`, else at the end of this turn of the loop."""
        self.tls.write(data)

    def writelines(self, data: Iterable[Any]) -> None:
        """`write` each."""
        for one in data:
            self.tls.write(one)

    async def drain(self) -> None:
        """Send what was written, and wait while the network is full."""
        if self._error is not None:
            raise self._error
        if self.tls._writes:
            self.tls.end_turn()
        if self._lost or self.tls.is_closing():
            raise ConnectionResetError("the connection is closed")
        if self._full:
            waiter = self._loop.create_future()
            self._drainers.append(waiter)
            await waiter
            if self._error is not None:
                raise self._error

    async def send(self, data: Any) -> None:
        """`write` and `drain`."""
        self.tls.write(data)
        await self.drain()

    def can_write_eof(self) -> bool:
        """TLS can: close_notify."""
        return True

    def write_eof(self) -> None:
        """Send close_notify: nothing more will come from us; reading goes on (RFC 8446 section 6.1)."""
        self.tls.write_eof()

    def close(self) -> None:
        """Send close_notify and close, once the peer has closed too or `shutdown_timeout` is over."""
        self.tls.close()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self.tls.is_closing()

    async def wait_closed(self) -> None:
        """Wait until the network connection is gone."""
        if not self._lost:
            closer = self._loop.create_future()
            self._closers.append(closer)
            await closer

    async def aclose(self) -> None:
        """`close` and `wait_closed`."""
        self.close()
        await self.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    # -- facts -----------------------------------------------------------------------------------

    @property
    def info(self) -> ConnectionInfo:
        """What was agreed on."""
        return self.tls.info

    @property
    def connection(self) -> Connection:
        """The sans-IO connection."""
        return self.tls.connection

    @property
    def sessions(self) -> list[Session]:
        """What was received to resume with later."""
        return self.tls.sessions

    @property
    def transport(self) -> TLSTransport:
        """The same as `tls`, as `asyncio.StreamWriter` calls it."""
        return self.tls

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport knows: "peername", "socket", "tls_info" and so on."""
        return self.tls.get_extra_info(name, default)
