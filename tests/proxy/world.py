"""A proxy in the middle, a server behind it, and somebody who watches; both peers are OpenSSL."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from compat.world import configured
from pellucid import Authority, ClientConfig, ServerConfig
from pellucid.proxy import Leaves, Passage, Plan, Proxy

SECONDS = 60
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class World:
    """One authority for servers, another for interception."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create()
        self.interceptor = Authority.create("interceptor")
        self.leaves = Leaves(self.interceptor)
        for name, identity in {
            "localhost": self.authority.issue("localhost", "127.0.0.1"),
            "expired": self.authority.issue("localhost", fault="expired"),
            "client": self.authority.issue("client", client=True),
        }.items():
            (folder / f"{name}.pem").write_bytes(identity.to_pem())
        (folder / "ca.pem").write_bytes(self.authority.pem)
        (folder / "interceptor.pem").write_bytes(self.interceptor.pem)

    def front(self, **settings: Any) -> ServerConfig:
        """The proxy's own certificate towards clients."""
        return ServerConfig(identities=(self.authority.issue("localhost"),), **settings)

    def behind(self, **settings: Any) -> ClientConfig:
        """The proxy believes the servers' authority."""
        return ClientConfig(trust=self.authority.trust(), **settings)

    def intercepting(self, to: tuple[str, int] | None = None, **settings: Any) -> Plan:
        """Between the two."""
        front = ServerConfig(tickets=0)
        return Plan(to=to, front=front, behind=self.behind(**settings), issuer=self.leaves)

    def client(self, ca: str = "ca", **settings: Any) -> ssl.SSLContext:
        """A client that believes one of the authorities."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.folder / f"{ca}.pem")
        return configured(context, settings)

    def server(self, certificate: str = "localhost", **settings: Any) -> ssl.SSLContext:
        """A server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{certificate}.pem")
        context.load_verify_locations(self.folder / "ca.pem")
        return configured(context, settings)


class Diary:
    """Who watches, and remembers."""

    def __init__(self) -> None:
        self.shown: list[Passage] = []
        self.over: asyncio.Queue[Passage] = asyncio.Queue()

    async def shaken(self, passage: Passage) -> None:
        assert passage.shaken
        assert passage.sent + passage.received == 0 or passage.passing is not None
        self.shown.append(passage)

    async def ended(self, passage: Passage) -> None:
        self.over.put_nowait(passage)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end, within a minute."""

    async def limited() -> Any:
        async with asyncio.timeout(SECONDS):
            return await work

    return asyncio.run(limited())


@contextlib.asynccontextmanager
async def proxied(plan: Plan, **settings: Any) -> AsyncIterator[tuple[int, Diary]]:
    """A proxy: its port, and what is known of its connections."""
    diary = Diary()
    async with Proxy(plan, watcher=diary, **settings) as proxy:
        yield proxy.port, diary
        over = asyncio.Event()
        over.set()
        await proxy.wait(over)  # raises what nobody foresaw


@contextlib.asynccontextmanager
async def server(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server of asyncio's: its port. What its clients do to it is not its fault."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    made = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say the same, to the end."""
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


async def connect(port: int, context: ssl.SSLContext | None = None) -> Any:
    """A client's reader and writer."""
    name = None if context is None else "localhost"
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)


async def tunnel(proxy: int, host: str, port: int) -> Any:
    """Through a proxy, as far as its answer to CONNECT."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy)
    writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    return head, reader, writer


async def secure_tunnel(proxy: int, port: int, context: ssl.SSLContext, host: str = "localhost") -> Any:
    """Through a proxy, with OpenSSL inside."""
    head, reader, writer = await tunnel(proxy, host, port)
    assert head.startswith(b"HTTP/1.1 200 "), head
    try:
        await writer.start_tls(context, server_hostname=host)
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    """Say something to an echo, and hear it."""
    writer.write(data)
    await writer.drain()
    return await reader.readexactly(len(data))
