"""How each stack puts TLS on a socket: plain TCP, the standard ssl, pellucid."""

# ruff: noqa: D102 -- the methods are described in Stack

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .peers import peer_named
from .peers.base import BenchError, load
from .scenario import HOST, Scenario

Serve = Callable[[Any, Any], Awaitable[None]]


class Stack:
    """Plain TCP, and what every other stack begins with."""

    client_tls: Any = None
    server_tls: Any = None

    def wrap_client(self, raw: Any) -> Any:
        """TLS on a connected blocking socket."""
        return raw

    def wrap_server(self, raw: Any) -> Any:
        """TLS on an accepted blocking socket."""
        return raw

    async def connect(self, port: int) -> tuple[Any, Any]:
        """A reader and a writer."""
        return await asyncio.open_connection("127.0.0.1", port)

    async def serve(self, handle: Serve) -> tuple[int, Awaitable[None]]:
        """Listen; the port, and what to wait for."""
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1], server.serve_forever()


class StdlibStack(Stack):
    """The standard ssl, or its drop-in: SSLSocket, and asyncio's or uvloop's own TLS."""

    def __init__(self, scenario: Scenario, material: Any, peer: str = "ssl") -> None:
        pair: Any = peer_named(peer).pair(scenario, material)
        self._client, self._server = pair.contexts

    def wrap_client(self, raw: Any) -> Any:
        return self._client.wrap_socket(raw, server_hostname=HOST)

    def wrap_server(self, raw: Any) -> Any:
        return self._server.wrap_socket(raw, server_side=True)

    async def connect(self, port: int) -> tuple[Any, Any]:
        return await asyncio.open_connection("127.0.0.1", port, ssl=self._client, server_hostname=HOST)

    async def serve(self, handle: Serve) -> tuple[int, Awaitable[None]]:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=self._server)
        return server.sockets[0].getsockname()[1], server.serve_forever()


class OwnStack(Stack):
    """pellucid's own shells: TLSSocket, and its streams for asyncio."""

    def __init__(self, scenario: Scenario, material: Any) -> None:
        pair: Any = peer_named("pellucid").pair(scenario, material)
        self._client, self._server = pair.configs

    def wrap_client(self, raw: Any) -> Any:
        import pellucid

        return pellucid.wrap_client(raw, HOST, self._client)

    def wrap_server(self, raw: Any) -> Any:
        import pellucid

        return pellucid.wrap_server(raw, self._server)

    async def connect(self, port: int) -> tuple[Any, Any]:
        streams = load("pellucid.io.streams", "pellucid's asyncio shell")
        stream = await streams.open_connection("127.0.0.1", port, config=self._client, server_name=HOST)
        return stream, stream

    async def serve(self, handle: Serve) -> tuple[int, Awaitable[None]]:
        streams = load("pellucid.io.streams", "pellucid's asyncio shell")
        server = await streams.start_server(
            lambda stream: handle(stream, stream), self._server, "127.0.0.1", 0
        )
        return server.sockets[0].getsockname()[1], server.serve_forever()


def stack_for(name: str, scenario: Scenario, material: Any) -> Stack:
    """The stack of that name."""
    if name == "plain":
        return Stack()
    if name in ("ssl", "drop-in"):
        return StdlibStack(scenario, material, name)
    if name == "pellucid":
        return OwnStack(scenario, material)
    raise BenchError(f"no socket stack for {name}")
