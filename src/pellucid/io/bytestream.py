"""A TLS connection over a byte stream of anyio. `pellucid.io.anyio` opens them.

The rules are anyio's: `receive` raises `anyio.EndOfStream` after the peer's close_notify; what
breaks the connection later is an `anyio.BrokenResourceError`, whose `__cause__` is the `TLSError`.
A refused handshake raises the `TLSError` itself. One task may receive while another sends.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from anyio.abc import AnyByteStream, ByteStream
from anyio.streams.tls import TLSAttribute

from pellucid.connection import Connection
from pellucid.errors import TLSError, UsageError
from pellucid.events import Request
from pellucid.info import ConnectionInfo
from pellucid.io.shell import CHUNK, RECEIVE, Answer, Shell, refuse_request

LINGER = 1.0
"""Seconds that closing may take: a peer that reads nothing must not hold it up."""


class TLSAttributes(anyio.TypedAttributeSet):
    """What a `TLSByteStream` has besides anyio's own `TLSAttribute`."""

    info: ConnectionInfo = anyio.typed_attribute()
    """what was agreed on"""
    connection: Connection = anyio.typed_attribute()
    """the sans-IO connection"""


class TLSByteStream(Shell, ByteStream):
    """A TLS connection over a byte stream.

    Parameters:
        stream: the plain stream; it is owned from now on. Another `TLSByteStream` gives TLS in TLS.
        connection: the sans-IO connection to drive.
        answer: called with each request that the configuration asks for; may be a coroutine function.
    """

    def __init__(self, stream: AnyByteStream, connection: Connection, answer: Answer | None = None) -> None:
        super().__init__(connection, answer)
        self._stream = stream
        self._receive: Any = stream.receive  # the size is only a wish to some streams
        self._writing = anyio.Lock()
        self._reading = anyio.ResourceGuard("receiving from")
        self._cut = False  # a send was cancelled half way: nothing can follow it
        self._closed = False

    async def do_handshake(self) -> ConnectionInfo:
        """Run the handshake to its end; safe to call again.

        Raises:
            TLSError: it was refused; the peer has been told why.
            anyio.BrokenResourceError: the network failed.
        """
        with self._reading:
            await self._flush()
            while not self.connection.handshake_complete:
                await self._read_more()
                await self._flush()
        return self.connection.info

    async def receive(self, max_bytes: int = CHUNK) -> bytes:
        """Up to `max_bytes` bytes.

        Raises:
            anyio.EndOfStream: the peer sent close_notify.
            anyio.BrokenResourceError: the line ended without it, a record was refused, or the peer
                sent an alert.
            anyio.ClosedResourceError: this stream was closed.
        """
        with self._reading:
            if self._closed:
                raise anyio.ClosedResourceError
            chunks = self._chunks
            while not chunks:
                if self._peer_closed:
                    raise anyio.EndOfStream
                if self.connection.error is not None:
                    raise anyio.BrokenResourceError from self.connection.error
                try:
                    await self._read_more()
                except TLSError:
                    continue  # what came before the fault is handed out first
        return self._up_to(chunks.popleft(), max_bytes)

    async def send(self, item: bytes) -> None:
        """Send all of `item`.

        Raises:
            anyio.BrokenResourceError: the connection failed, or a send was cancelled before.
            anyio.ClosedResourceError: this side was closed.
        """
        view = memoryview(item).cast("B")
        async with self._writing:
            for at in range(0, len(view), CHUNK):
                piece = bytes(view[at : at + CHUNK])
                wire = self.connection.protect(piece)
                try:
                    if not wire:
                        self.connection.send_data(piece)
                except UsageError as error:
                    raise anyio.ClosedResourceError from error
                except TLSError as error:
                    raise anyio.BrokenResourceError from error
                await self._push(wire)

    async def send_eof(self) -> None:
        """Send close_notify: nothing more will come from us; receiving goes on (RFC 8446 section 6.1)."""
        self.connection.close()
        await self._flush()

    async def flush(self) -> None:
        """Send what the connection has to say, after a call on `connection` itself."""
        await self._flush()

    async def aclose(self) -> None:
        """Send close_notify and close the stream, without waiting for the peer's."""
        if self._closed:
            return
        self._closed = True
        try:
            with anyio.move_on_after(LINGER):
                self.connection.close()
                await self._flush()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, TLSError):
            pass
        except BaseException:
            await anyio.aclose_forcefully(self._stream)
            raise
        await self._stream.aclose()

    async def unwrap(self) -> tuple[AnyByteStream, bytes]:
        """Close TLS on both sides; the plain stream, and what came in behind the peer's close_notify."""
        await self.send_eof()
        try:
            while True:
                await self.receive()
        except anyio.EndOfStream:
            return self._stream, self.connection.unread_data()

    # -- the machine -----------------------------------------------------------------------------

    async def _read_more(self) -> None:
        """Give the connection what the stream has."""
        try:
            data = await self._receive(RECEIVE)
        except anyio.EndOfStream:
            data = b""
        if content := self.connection.deprotect(data):
            self._chunks.append(content)
            return
        try:
            if data:
                self.connection.receive_data(data)
            else:
                self.connection.receive_eof()
            while (request := self._sort_events()) is not None:
                await self._respond(request)
        except TLSError:
            while self._sort_events() is not None:
                pass
            await self._speak()
            raise
        if self.connection.wants_to_send:
            await self._speak()

    async def _respond(self, request: Request) -> None:
        try:
            value = self._ask(request)
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:
            refuse_request(request, error)
        request.answer(value)

    async def _speak(self) -> None:
        """Send what the reading side has to say, unless a task is sending: then it takes it along."""
        if self._writing.statistics().locked:
            return
        try:
            with anyio.move_on_after(LINGER if self.connection.error is not None else None):
                await self._flush()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            if not self.connection.handshake_complete and self.connection.error is None:
                raise

    async def _flush(self) -> None:
        async with self._writing:
            await self._push()

    async def _push(self, data: bytes = b"") -> None:
        """Send `data` and all else that is sealed; the caller holds the lock."""
        if self._cut:
            raise anyio.BrokenResourceError("a send was cancelled half way")
        while data := data or self.connection.data_to_send():
            self._cut = True
            await self._stream.send(data)
            self._cut = False
            data = b""

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """anyio's `TLSAttribute`s as far as they make sense here, `TLSAttributes`, and the stream's own."""
        return {
            **self._stream.extra_attributes,
            TLSAttribute.alpn_protocol: lambda: self.info.alpn,
            TLSAttribute.channel_binding_tls_unique: lambda: _binding(self.connection),
            TLSAttribute.cipher: lambda: (
                self.connection.suite.openssl_name,
                self.info.version_name.replace(" ", "v"),
                8 * self.connection.suite.aead.key_length if self.connection.suite.aead else 0,
            ),
            TLSAttribute.peer_certificate_binary: lambda: next(iter(self.info.peer_chain), None),
            TLSAttribute.server_side: lambda: not self.connection.client,
            TLSAttribute.standard_compatible: lambda: True,
            TLSAttribute.tls_version: lambda: self.info.version_name.replace(" ", "v"),
            TLSAttributes.info: lambda: self.info,
            TLSAttributes.connection: lambda: self.connection,
        }


def _binding(connection: Connection) -> bytes:
    try:
        return connection.channel_binding("tls-unique")
    except UsageError as error:
        raise anyio.TypedAttributeLookupError(error.reason.sentence) from error
