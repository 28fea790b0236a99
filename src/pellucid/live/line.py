"""The line between two ends: a relay on loopback that carries TLS records one at a time.

RFC 8446 section 5.1 (a record's header). It reads nothing but headers, as anybody on the wire can.
What makes it more than a cable: each record waits for its turn (at once, slowly, or when the reader
asks for it), and on request it is changed or the line is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

#: From the sender's side ("client", "server"), the number of its record, from 1, and the record: what is
#: carried in its place; None cuts the line.
Tamper = Callable[[str, int, bytes], bytes | None]

_HEADER = 5
_CHANGE_CIPHER_SPEC = 20
_TYPES = range(20, 25)
_SLOWLY = 0.6
_LAST = 1.0  # seconds for what is under way when both ends are done


class Pace:
    """When the next record may pass.

    Parameters:
        kind: "at once", "slowly" (a record each 0.6 seconds) or "by hand" (`step`).

    >>> Pace("by hand").by_hand
    True
    """

    def __init__(self, kind: str = "at once") -> None:
        if kind not in PACES:
            raise ValueError(f"no pace {kind!r}")
        self.kind = kind
        self._steps = asyncio.Semaphore(0)

    @property
    def by_hand(self) -> bool:
        """Whether records wait for `step`."""
        return self.kind == "by hand"

    async def turn(self) -> None:
        """Wait until a record may pass."""
        if self.kind == "slowly":
            await asyncio.sleep(_SLOWLY)
        elif self.by_hand:
            await self._steps.acquire()

    def step(self) -> None:
        """Let one record pass."""
        self._steps.release()

    def release(self) -> None:
        """Let everything pass from now on."""
        self.kind = "at once"
        self.step()


PACES = ("at once", "slowly", "by hand")


class Waiting(NamedTuple):
    """A record that waits: whose it is, its size in bytes, and the how many-th it is to wait, from 1."""

    sender: str
    size: int
    number: int


class Line:
    """A relay between a client and a server.

    Parameters:
        pace: when records may pass.
        tamper: what happens to them on the way.
        told: called when a record begins to wait, and when it has passed.

    Attributes:
        waiting: the record that waits; None if there is none.
        error: why the server could not be reached.
    """

    def __init__(
        self, pace: Pace, tamper: Tamper | None = None, told: Callable[[], None] = lambda: None
    ) -> None:
        self.pace = pace
        self.waiting: Waiting | None = None
        self._waited = 0
        self.error: OSError | None = None
        self._tamper = tamper
        self._told = told
        self._turn = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> int:
        """Lay the line to `host` and `port`; the port on loopback where its near end is."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # A task of its own: one that asyncio made may not be cancelled without noise.
            self._task = asyncio.create_task(self._both_ways(host, port, reader, writer))
            await asyncio.wait([self._task])

        self._server = await asyncio.start_server(carry, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _both_ways(self, host: str, port: int, *near: Any) -> None:
        reader, writer = near
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError as error:
            self.error = error
            self._cut(writer)
            return
        try:
            ways = self._carry("client", reader, far_writer), self._carry("server", far_reader, writer)
            await asyncio.gather(*ways)
        finally:
            self._cut(far_writer, writer)

    async def close(self) -> None:
        """Take the line down, once what is under way has arrived."""
        if self._server is not None:
            self._server.close()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_LAST)
            self._task.cancel()
            await asyncio.wait([self._task])
        self.waiting = None

    async def _carry(self, sender: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Everything from one side to the other, up to its end."""
        number = 0
        with contextlib.suppress(OSError):
            while record := await _record(reader):
                number += 1
                async with self._turn:
                    await self._wait(sender, record)
                    carried = self._tamper(sender, number, record) if self._tamper is not None else record
                    if carried is None:
                        raise ConnectionResetError("the line is cut")
                    writer.write(carried)
                    await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _wait(self, sender: str, record: bytes) -> None:
        """A record's turn. ChangeCipherSpec goes with what follows it: it says nothing by itself."""
        if record[0] == _CHANGE_CIPHER_SPEC:
            return
        self._waited += 1
        self.waiting = Waiting(sender, len(record), self._waited)
        self._told()
        try:
            await self.pace.turn()
        finally:
            self.waiting = None

    @staticmethod
    def _cut(*writers: Any) -> None:
        for writer in writers:
            with contextlib.suppress(OSError):
                writer.close()


async def _record(reader: asyncio.StreamReader) -> bytes:
    """The next record, header included; what there is, if it is none; b"" at the end."""
    try:
        header = await reader.readexactly(_HEADER)
        if header[0] not in _TYPES:
            return header + await reader.read(65_536)
        return header + await reader.readexactly(int.from_bytes(header[3:5], "big"))
    except asyncio.IncompleteReadError as error:
        return error.partial
