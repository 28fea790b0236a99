"""TLS for asyncio, at the level of transports and protocols. `pellucid.io.streams` is the easier one.

    transport, protocol = await create_connection(MyProtocol, "example.org", 443, config=config)

Differences to asyncio's own TLS: the alert of a failed handshake is sent; requests of the handshake
may be answered by coroutines; close_notify closes one direction only (RFC 8446 section 6.1); what
is written within one turn of the loop shares records; an end without close_notify is an error.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import TLSError
from pellucid.io.engine import Engine
from pellucid.io.shell import CHUNK, Answer, offer_early_data


class TLSTransport(Engine, asyncio.Transport):
    """What a protocol writes to. It is also the protocol of the transport below it: see `Engine`.

    One object faces both ways, so that an idle connection costs little.
    """

    def write(self, data: Any) -> None:
        """Send `data`. What is written in one turn of the loop shares records, as far as can be foreseen.

        The first write of a turn goes out at once if the turn before had no other; the rest waits for
        the end of the turn. So a dialogue pays for no extra turn, and many small writes for one record.

        Raises:
            UsageError: after `write_eof()`.
        """
        if self._closing:
            return
        size = len(data)
        if size > CHUNK:
            self._write_much(data)
            return
        self._writes += 1
        if not self._scheduled and not self._chatty and self._writes == 1:
            wire = self.connection.protect(data)
            if not wire:
                self.connection.send_data(data)
                wire = self.connection.data_to_send()
            self._raw.write(wire)
            return
        self.connection.send_data(data)
        self._queued += size
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)
        elif self._queued >= CHUNK:
            self._flush()

    def _write_much(self, data: Any) -> None:
        """In pieces: larger temporaries would cost page faults."""
        view = memoryview(data).cast("B")
        for at in range(0, len(view), CHUNK):
            self.connection.send_data(view[at : at + CHUNK])
            self._flush()

    def end_turn(self) -> None:
        """Whoever writes is going to wait for something: send what is gathered."""
        if self._queued:
            self._flush()
        else:
            self._chatty = self._writes > 1
            self._writes = 0

    def flush(self) -> None:
        """Send now what was written, and what calls on `connection` left to say."""
        self._flush()

    def can_write_eof(self) -> bool:
        """TLS can: close_notify."""
        return True

    def write_eof(self) -> None:
        """Send close_notify: nothing more will come from us; reading goes on (RFC 8446 section 6.1)."""
        self.connection.close()
        self._flush()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing

    def pause_reading(self) -> None:
        """Bring no more data to the protocol."""
        if not self._paused and not self._closing:
            self._paused = True
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Bring data again."""
        if self._paused and not self._closing:
            self._paused = False
            self._raw.resume_reading()
            self._loop.call_soon(self._go_on)

    def is_reading(self) -> bool:
        """Whether data is brought to the protocol."""
        return not self._paused and not self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is told to pause: bytes, sealed."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""
        return 0 if self._lost else self._raw.get_write_buffer_size() + self._queued

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high water, in bytes."""
        return cast("tuple[int, int]", self._raw.get_write_buffer_limits())

    def set_protocol(self, protocol: Any) -> None:
        """Somebody else listens from now on."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Who listens."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport below knows; and "tls", this object; "tls_info", its `ConnectionInfo`."""
        if name == "tls":
            return self
        if name == "tls_info":
            return self.connection.info if self.connection.handshake_complete else default
        return default if self._raw is None else self._raw.get_extra_info(name, default)


async def create_connection(
    protocol_factory: Callable[[], Any],
    host: str | None = None,
    port: int | None = None,
    *,
    config: ClientConfig | None = None,
    server_name: str | None = None,
    timeout: float | None = 60.0,
    shutdown_timeout: float = 5.0,
    answer: Answer | None = None,
    early_data: bytes = b"",
    **options: Any,
) -> tuple[TLSTransport, Any]:
    """Connect, and speak TLS: `loop.create_connection` with pellucid.

    Parameters:
        protocol_factory: makes the protocol; its `connection_made` is called after the handshake.
        host, port: where to connect to; or give `sock=` among the options.
        config: a `ClientConfig`; None trusts the system's authorities.
        server_name: the name that the certificate must be for; None means `host`.
        timeout: seconds for the handshake.
        shutdown_timeout: seconds that a closing connection waits for the peer's end.
        answer: called with the requests that `config.ask` names; may be a coroutine function.
        early_data: 0-RTT data to send at once, if the configuration's session allows it.
        options: what else `loop.create_connection` takes.

    Raises:
        CertificateRefused: the server's certificate is not believed.
        TLSError: anything else that TLS refuses; `Reason.TIMEOUT` after `timeout`.
        OSError: the network.
    """
    connection = ClientConnection(config, server_name or host)
    offer_early_data(connection, early_data)
    protocol = protocol_factory()
    tls = TLSTransport(
        protocol, connection, answer, handshake_timeout=timeout, shutdown_timeout=shutdown_timeout
    )
    loop: Any = asyncio.get_running_loop()
    await loop.create_connection(lambda: tls, host, port, **options)
    await _handshake(tls)
    return tls, protocol


async def create_server(
    protocol_factory: Callable[[], Any],
    config: ServerConfig | Callable[[], ServerConfig],
    host: str | None = None,
    port: int | None = None,
    *,
    timeout: float | None = 60.0,
    shutdown_timeout: float = 5.0,
    answer: Answer | None = None,
    on_error: Callable[[BaseException], None] | None = None,
    **options: Any,
) -> asyncio.Server:
    """Serve TLS: `loop.create_server` with pellucid.

    Parameters:
        protocol_factory: makes a protocol for each connection.
        config: a `ServerConfig`, or a callable that gives the present one (hot reload).
        host, port: where to listen; port 0 lets the system choose.
        timeout: seconds for a handshake.
        shutdown_timeout: seconds that a closing connection waits for the peer's end.
        answer: as in `create_connection`.
        on_error: told why a handshake failed.
        options: what else `loop.create_server` takes.
    """

    def failed(ready: asyncio.Future[None]) -> None:
        if on_error is not None and not ready.cancelled() and (error := ready.exception()) is not None:
            on_error(error)

    def factory() -> TLSTransport:
        connection = ServerConnection(config() if callable(config) else config)
        tls = TLSTransport(
            protocol_factory(),
            connection,
            answer,
            handshake_timeout=timeout,
            shutdown_timeout=shutdown_timeout,
        )
        tls.ready.add_done_callback(failed)
        return tls

    return await asyncio.get_running_loop().create_server(factory, host, port, **options)


async def start_tls(
    transport: asyncio.Transport,
    protocol: Any,
    config: ClientConfig | ServerConfig | None = None,
    *,
    server_name: str | None = None,
    timeout: float | None = 60.0,
    shutdown_timeout: float = 5.0,
    answer: Answer | None = None,
    received: bytes = b"",
) -> TLSTransport:
    """Speak TLS over a transport in use, plain (STARTTLS, a proxy's CONNECT) or TLS (TLS in TLS).

    Parameters:
        transport: what is open; it is owned from now on.
        protocol: gets the data; its `connection_made` is called after the handshake.
        config: a `ServerConfig` makes this side the server.
        server_name: for a client: the name that the certificate must be for.
        received: bytes of the peer's that were read already, and belong to TLS.

    Raises:
        TLSError: the handshake was refused.
    """
    connection = _connection(config, server_name)
    tls = TLSTransport(
        protocol, connection, answer, handshake_timeout=timeout, shutdown_timeout=shutdown_timeout
    )
    transport.pause_reading()
    transport.set_protocol(tls)
    tls.connection_made(transport)
    if received:
        tls.data_received(received)
    transport.resume_reading()
    await _handshake(tls)
    return tls


async def wrap_socket(
    sock: socket.socket,
    protocol: Any,
    config: ClientConfig | ServerConfig | None = None,
    *,
    server_name: str | None = None,
    answer: Answer | None = None,
    received: bytes = b"",
    timeout: float | None = 60.0,
    shutdown_timeout: float = 5.0,
) -> TLSTransport:
    """As `start_tls`, over a connected, non-blocking socket that no transport has yet."""

    class Begun(TLSTransport):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if received:
                self.data_received(received)  # before the loop begins to read

    limits: Any = {"handshake_timeout": timeout, "shutdown_timeout": shutdown_timeout}
    loop: Any = asyncio.get_running_loop()
    try:
        tls = Begun(protocol, _connection(config, server_name), answer, **limits)
        await loop.create_connection(lambda: tls, sock=sock)
    except BaseException:
        sock.close()
        raise
    await _handshake(tls)
    return tls


def _connection(config: ClientConfig | ServerConfig | None, server_name: str | None) -> Connection:
    """The side that a configuration is for."""
    if isinstance(config, ServerConfig):
        return ServerConnection(config)
    return ClientConnection(config, server_name)


async def _handshake(tls: TLSTransport) -> None:
    try:
        await tls.ready
    except (TLSError, OSError):
        raise
    except BaseException:  # cancelled: tell the peer
        tls.close()
        raise
