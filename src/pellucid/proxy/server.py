"""The listening socket of a proxy, and its connections: so many at once, and no more."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import Any, Protocol, Self

from pellucid.proxy.carrier import Carrier, Told
from pellucid.proxy.passage import Passage, place
from pellucid.proxy.plan import Plan

MOST = 256
"""Connections at once; who comes then waits in the system's queue."""
_BACKLOG = 128


class Watcher(Protocol):
    """Somebody who is told of the connections."""

    async def shaken(self, passage: Passage) -> None:
        """Its handshakes are over. Data is carried when this returns: it should not take long."""
        ...

    async def ended(self, passage: Passage) -> None:
        """It is over. Its place is free for another when this returns."""
        ...


class Proxy:
    """A proxy. Use it as an asynchronous context manager.

    Parameters:
        plan: what to do with a connection.
        address: where to listen; port 0 lets the system choose (see `port`).
        watcher: who is told.
        most: connections at once.
        inputs: note in the traces what is needed to replay them.
        told: called with each new fact of a handshake, to follow it while it happens. It must be quick.

    Raises:
        OSError: it cannot listen there.

    >>> async def main():
    ...     async with Proxy(Plan(), ("127.0.0.1", 0)) as proxy:
    ...         return proxy.port > 0
    >>> asyncio.run(main())
    True
    """

    def __init__(
        self,
        plan: Plan,
        address: tuple[str, int] = ("127.0.0.1", 0),
        *,
        watcher: Watcher | None = None,
        most: int = MOST,
        inputs: bool = False,
        told: Told | None = None,
    ) -> None:
        self.plan = plan
        self._watcher = watcher
        self._told = told
        self._inputs = inputs
        self._most = most
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: set[asyncio.Task[None]] = set()  # those of them that only have to be told of
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._listener = socket.create_server(address, family=family, backlog=_BACKLOG)
        self._listener.setblocking(False)
        self.address: tuple[Any, ...] = self._listener.getsockname()
        self.port: int = self.address[1]

    async def __aenter__(self) -> Self:
        self._slots = asyncio.Semaphore(self._most)
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._door = asyncio.create_task(self._accept())
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop listening, and cut the connections that are under way."""
        tasks = [self._door, *self._tasks]
        for task in self._tasks - self._ended | {self._door}:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()
        if self._broken.done() and not self._broken.cancelled():
            self._broken.exception()  # `wait` has raised it, or nobody waited

    async def wait(self, stop: asyncio.Event | None = None) -> None:
        """Until `stop` is set, for ever without one.

        Raises:
            Exception: what the watcher raised.
        """
        ends: list[asyncio.Future[Any]] = [
            asyncio.ensure_future((stop or asyncio.Event()).wait()),
            self._broken,
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ends[0].cancel()
        if self._broken.done():
            self._broken.result()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            try:
                sock, address = await loop.sock_accept(self._listener)
            except ConnectionError:
                self._slots.release()  # the client left before it was let in
                continue
            except OSError:  # no descriptor left: one will be free again
                self._slots.release()
                await asyncio.sleep(0.1)
                continue
            task = asyncio.create_task(self._serve(sock, place(address)))
            self._tasks.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended.discard(task)
        self._slots.release()

    async def _serve(self, sock: socket.socket, client: str) -> None:
        passage = Passage(next(self._numbers), self.plan.way, client)
        carrier = Carrier(
            self.plan, passage, self._shaken, self.address, inputs=self._inputs, told=self._told
        )
        try:
            await carrier.run(sock)
        except asyncio.CancelledError:
            passage.notes.append("The proxy ended while this was under way.")
            raise
        finally:
            passage.finish()
            self._ended |= {task for task in self._tasks if task is asyncio.current_task()}
            await self._tell("ended", passage)

    async def _shaken(self, passage: Passage) -> None:
        await self._tell("shaken", passage)

    async def _tell(self, what: str, passage: Passage) -> None:
        """Tell the watcher. If it fails, that is the end of the proxy: see `wait`."""
        if self._watcher is not None:
            try:
                await getattr(self._watcher, what)(passage)
            except Exception as error:
                if not self._broken.done():
                    self._broken.set_exception(error)
