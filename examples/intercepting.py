"""A proxy between a client and a server: both handshakes are seen, and the server is verified for the client.

The client trusts the proxy's authority; the proxy trusts the server's. ALPN is mirrored: the server chooses
among what the client offers. A server that is not believed is not spoken to, and the client gets the alert.

Prints:

    the client hears: hello
    front: TLS 1.3, x25519, imap
    behind: TLS 1.3, X25519MLKEM768, imap
    a stranger's server: The peer refused the connection. It sent the alert unknown_ca. ...
    because: The certificate was issued by an authority that is not trusted here.
"""

import asyncio

from pellucid import (
    Authority,
    ClientConfig,
    Policy,
    ServerConfig,
    TLSError,
    TLSStream,
    open_connection,
    start_server,
)
from pellucid.glass.gist import agreed
from pellucid.proxy import Leaves, Passage, Plan, Proxy
from pellucid.wire.codepoints import NamedGroup

servers, interceptor, strangers = (Authority.create() for _ in range(3))


class Watcher:
    """Is told of each connection."""

    def __init__(self) -> None:
        self.over: asyncio.Queue[Passage] = asyncio.Queue()

    async def shaken(self, passage: Passage) -> None:
        """Its handshakes are over; the traces can be shown."""

    async def ended(self, passage: Passage) -> None:
        """It is over."""
        self.over.put_nowait(passage)


async def echo(stream: TLSStream) -> None:
    await stream.send(await stream.read(100))


async def visit(authority: Authority) -> Passage:
    """Through the proxy, to a server with a certificate of this authority."""
    config = ServerConfig(identities=(authority.issue("localhost"),), alpn=("imap",))
    async with await start_server(echo, config) as server:
        to = server.sockets[0].getsockname()[1]
        watcher = Watcher()
        plan = Plan(
            to=("127.0.0.1", to),
            front=ServerConfig(),
            behind=ClientConfig(trust=servers.trust()),
            issuer=Leaves(interceptor),
        )
        async with Proxy(plan, watcher=watcher) as proxy:
            only = Policy(groups=(NamedGroup.x25519,))
            mine = ClientConfig(trust=interceptor.trust(), alpn=("imap", "pop3"), policy=only)
            try:
                async with await open_connection("localhost", proxy.port, config=mine) as stream:
                    await stream.send(b"hello")
                    print("the client hears:", (await stream.read(100)).decode())
            except TLSError as refused:
                print("a stranger's server:", refused)
            return await watcher.over.get()


async def main() -> None:
    passage = await visit(servers)
    for leg in passage.legs:
        told = agreed(leg.trace)
        print(f"{leg.name}: {told['version']}, {told['group']}, {told['alpn']}")
    passage = await visit(strangers)
    if passage.failure is not None:
        print("because:", passage.failure.what)


asyncio.run(main())
