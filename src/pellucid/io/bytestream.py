"""A TLS connection over a byte stream of anyio. `pellucid.io.anyio` opens them.

The rules are anyio's: `receive` raises `anyio.EndOfStream` after the peer's close_notify; what
breaks the connection later is an `anyio.BrokenResourceError`, whose `__cause__` is the `TLSError`.
A refused handshake raises the `TLSError` itself. One task may receive while another sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
from anyio.abc import AnyByteStream, ByteStream
from anyio.streams.tls import TLSAttribute

from pellucid.connection import Connection
from pellucid.errors import TLSError, UsageError
from pellucid.info import ConnectionInfo
from pellucid.io.awaiting import AwaitingShell
from pellucid.io.shell import CHUNK, Answer


class TLSAttributes(anyio.TypedAttributeSet):
    """What a `TLSByteStream` has besides anyio's own `TLSAttribute`."""

    info: ConnectionInfo = anyio.typed_attribute()
    """what was agreed on"""
    connection: Connection = anyio.typed_attribute()
    """the sans-IO connection"""


class TLSByteStream(AwaitingShell, ByteStream):
    """A TLS connection over a byte stream.

    Parameters:
        stream: the plain stream; it is owned from now on. Another `TLSByteStream` gives TLS in TLS.
        connection: the sans-IO connection to drive.
        answer: called with each request that the configuration asks for; may be a coroutine function.
    """

    _library = anyio
    _ends = (anyio.EndOfStream,)
    _forget = staticmethod(anyio.aclose_forcefully)

    def __init__(self, stream: AnyByteStream, connection: Connection, answer: Answer | None = None) -> None:
        super().__init__(stream, connection, answer)
        self._receive = stream.receive  # the size is only a wish to some streams
        self._push_out = stream.send
        self._reading = anyio.ResourceGuard("receiving from")

    async def do_handshake(self) -> ConnectionInfo:
        """Run the handshake to its end; safe to call again.

        Raises:
            TLSError: it was refused; the peer has been told why.
            anyio.BrokenResourceError: the network failed.
        """
        with self._reading:
            return await self._shake_hands()

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
        await self._write(item)

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
        await self._say_goodbye()

    async def unwrap(self) -> tuple[AnyByteStream, bytes]:
        """Close TLS on both sides; the plain stream, and what came in behind the peer's close_notify."""
        await self.send_eof()
        try:
            while True:
                await self.receive()
        except anyio.EndOfStream:
            return self._stream, self.connection.unread_data()

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
