"""TLS over any byte stream of anyio: under trio and asyncio alike.

async with await open_stream("example.org", 443) as stream:
    await stream.send(b"hello")
    answer = await stream.receive()
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from anyio.abc import AnyByteStream, Listener

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.errors import TLSError
from pellucid.io.bytestream import TLSAttributes, TLSByteStream
from pellucid.io.shell import Answer, offer_early_data

__all__ = ["TLSAttributes", "TLSByteStream", "TLSListener", "open_stream", "wrap_client", "wrap_server"]


async def wrap_client(
    stream: AnyByteStream,
    server_name: str | None,
    config: ClientConfig | None = None,
    *,
    answer: Answer | None = None,
    early_data: bytes = b"",
) -> TLSByteStream:
    """Speak TLS as the client over a connected stream. Parameters as in `pellucid.wrap_client`."""
    connection = ClientConnection(config, server_name)
    offer_early_data(connection, early_data)
    wrapped = TLSByteStream(stream, connection, answer)
    await wrapped._begin()
    return wrapped


async def wrap_server(
    stream: AnyByteStream, config: ServerConfig, *, answer: Answer | None = None
) -> TLSByteStream:
    """Speak TLS as the server over an accepted stream."""
    wrapped = TLSByteStream(stream, ServerConnection(config), answer)
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
) -> TLSByteStream:
    """Connect to `host` and speak TLS with it.

    Raises:
        CertificateRefused: the server's certificate is not believed.
        TLSError: anything else that TLS refuses.
        OSError: the network.

    >>> from pellucid import Authority
    >>> authority = Authority.create()
    >>> async def main():
    ...     tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
    ...     port = tcp.extra(anyio.abc.SocketAttribute.local_port)
    ...     server = TLSListener(tcp, ServerConfig(identities=(authority.issue("localhost"),)))
    ...     async with anyio.create_task_group() as tasks:
    ...         tasks.start_soon(server.serve, lambda stream: stream.send(b"hello"))
    ...         config = ClientConfig(trust=authority.trust())
    ...         async with await open_stream("localhost", port, config=config) as stream:
    ...             print(await stream.receive())
    ...         tasks.cancel_scope.cancel()
    ...     await server.aclose()
    >>> anyio.run(main, backend="trio")
    b'hello'
    """
    stream = await anyio.connect_tcp(host, port)
    return await wrap_client(stream, server_name or host, config, answer=answer, early_data=early_data)


class TLSListener(Listener[TLSByteStream]):
    """Puts TLS on what another listener accepts.

    Parameters:
        listener: the plain one; it is owned from now on.
        config: a `ServerConfig`; it can be swapped (hot reload).
        answer: as in `TLSByteStream`.
        timeout: seconds for a handshake.
        on_error: told of what went wrong in a handshake, or with TLS or the stream in a handler.
    """

    def __init__(
        self,
        listener: Listener[Any],
        config: ServerConfig,
        *,
        answer: Answer | None = None,
        timeout: float | None = 60.0,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.listener = listener
        self.config = config
        self._answer = answer
        self._timeout = timeout
        self._on_error = on_error

    async def serve(self, handler: Callable[[TLSByteStream], Awaitable[Any]], task_group: Any = None) -> None:
        """Accept for ever, a task each; the stream is closed when its handler returns."""

        async def run(stream: AnyByteStream) -> None:
            try:
                with anyio.fail_after(self._timeout):
                    wrapped = await wrap_server(stream, self.config, answer=self._answer)
                async with wrapped:
                    await handler(wrapped)
            except (TLSError, OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
                if self._on_error is not None:
                    self._on_error(error)

        await self.listener.serve(run, task_group)

    async def aclose(self) -> None:
        """Stop listening."""
        await self.listener.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The plain listener's."""
        return self.listener.extra_attributes
