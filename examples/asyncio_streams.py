"""asyncio: streams that speak TLS, a task for each connection.

Prints:

    20 answers, all right: True
"""

import asyncio

from pellucid import Authority, ClientConfig, ServerConfig, TLSStream, open_connection, start_server


async def shout(stream: TLSStream) -> None:
    """Answer each line in capitals."""
    while line := await stream.readline():
        stream.write(line.upper())
        await stream.drain()


async def ask(port: int, config: ClientConfig, number: int) -> bytes:
    async with await open_connection("localhost", port, config=config) as stream:
        await stream.send(f"number {number}\n".encode())
        return await stream.readline()


async def main() -> None:
    authority = Authority.create()
    config = ClientConfig(trust=authority.trust())
    async with await start_server(shout, ServerConfig(identities=(authority.issue("localhost"),))) as server:
        port = server.sockets[0].getsockname()[1]
        answers = await asyncio.gather(*(ask(port, config, number) for number in range(20)))
    right = answers == [f"NUMBER {number}\n".encode() for number in range(20)]
    print(f"{len(answers)} answers, all right: {right}")


asyncio.run(main())
