"""The two ends of a proxied connection, plain or TLS, and what is carried between them.

RFC 9293 section 3.6 and RFC 8446 section 6.1: each direction ends by itself, and an end that is a cut (a
reset, a missing close_notify) is carried on as a cut. Nobody may take the half of a message for the whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pellucid.errors import PeerRefused, TLSError
from pellucid.io.shell import CHUNK
from pellucid.io.stream import TLSStream
from pellucid.proxy.passage import CLIENT, SERVER, Passage

PATIENCE = 60.0
"""Seconds that a closing line may take to hand over what it still holds."""
LINGER = 2.0
"""Seconds that a cut waits for what was sent before it."""


class PlainLine:
    """A TCP connection without TLS. One task may read while another sends.

    Parameters:
        sock: connected and non-blocking; it is owned from now on.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.ahead = b""  # read, and not yet taken by anybody
        self.ended = False
        self._loop = asyncio.get_running_loop()
        self._receiving: asyncio.Task[bytes] | None = None
        self._released = False
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    async def peek(self) -> bytes:
        """What comes first, without taking it; b"" at the end. May be cancelled: nothing is lost."""
        if not self.ahead and not self.ended:
            await self._receive()
        return self.ahead

    async def _receive(self) -> None:
        """Put what the network has behind what is there."""
        if self._receiving is None:
            self._receiving = self._loop.create_task(self._loop.sock_recv(self.sock, CHUNK))
        data = await asyncio.shield(self._receiving)
        self._receiving = None
        self.ahead += data
        self.ended = not data

    async def read(self, n: int = CHUNK) -> bytes:
        """Up to `n` bytes; b"" at the end."""
        if not self.ahead and not self.ended and self._receiving is None:
            data = await self._loop.sock_recv(self.sock, n)
            self.ended = not data
            return data
        await self.peek()
        data, self.ahead = self.ahead[:n], self.ahead[n:]
        return data

    async def read_until(self, separator: bytes, most: int) -> bytes | None:
        """What comes in front of `separator`, which is taken too; None if it is not within `most`."""
        while separator not in self.ahead:
            if self.ended or len(self.ahead) > most:
                return None
            await self._receive()
        data, _, self.ahead = self.ahead.partition(separator)
        return data

    async def send(self, data: Any) -> None:
        """Send all of `data`, as quickly as the peer takes it."""
        await self._loop.sock_sendall(self.sock, data)

    def write_eof(self) -> None:
        """Nothing more will come from us."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    async def release(self) -> tuple[socket.socket, bytes]:
        """Give up the socket, with what was read ahead."""
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                self.ahead += await receiving
        self._released = True
        return self.sock, self.ahead

    async def cut(self, alert: int | None = None) -> None:
        """End it by a reset, behind what was sent: there is no other sign for a cut in TCP."""
        if not self._released:
            await self._drained()
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.aclose()

    async def _drained(self) -> None:
        """Wait until the peer has what was sent: a reset would throw it away."""
        if not sys.platform.startswith("linux"):
            return
        import fcntl
        import termios

        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(LINGER):
                while int.from_bytes(fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder):
                    await asyncio.sleep(0.01)

    async def aclose(self) -> None:
        """Close; the system goes on delivering what was sent."""
        if self._receiving is not None:
            self._receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await self._receiving
        if not self._released:
            self._released = True
            self.sock.close()


class SealedLine:
    """A TLS connection, as a line: a `TLSStream` whose end is bounded in time."""

    def __init__(self, stream: TLSStream) -> None:
        self.stream = stream
        self.read = stream.read
        self.send = stream.send

    def write_eof(self) -> None:
        """Send close_notify."""
        self.stream.write_eof()

    async def cut(self, alert: int | None = None) -> None:
        """End it without close_notify, with a fatal alert for a last word if there is one."""
        self.stream.tls.cut(alert)
        await self._gone(LINGER)

    async def aclose(self) -> None:
        """Send close_notify if that was not done, and close."""
        self.stream.close()
        await self._gone(PATIENCE)

    async def _gone(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stream.wait_closed()
        except TimeoutError:
            self.stream.tls.abort()


Line = PlainLine | SealedLine
"""One end."""

Listening = Callable[[str, bytes], Awaitable[None]]
"""Called with who sent it ("client" or "server") and what, before it is carried on."""


async def carry(passage: Passage, client: Line, server: Line, listening: Listening | None = None) -> None:
    """Carry bytes both ways until both sides have ended, or one of them is cut: then the other is, too.

    Nothing is read that the other side does not take (back-pressure). What went wrong is noted in the
    passage; both lines are closed at the end.
    """
    lines = {CLIENT: client, SERVER: server}
    ended: set[str] = set()

    async def one_way(source: str, target: str) -> None:
        try:
            while data := await lines[source].read(CHUNK):
                if source == CLIENT:
                    passage.sent += len(data)
                else:
                    passage.received += len(data)
                if listening is not None:
                    await listening(source, data)
                await _send(lines[target], data, target)
            ended.add(source)
            lines[target].write_eof()
        except _Gone:
            raise
        except (TLSError, OSError) as error:
            raise _Gone(source, error) from error

    ways = [asyncio.create_task(one_way(CLIENT, SERVER)), asyncio.create_task(one_way(SERVER, CLIENT))]
    try:
        await asyncio.gather(*ways)
    except _Gone as gone:
        if gone.side in ended:  # it had said that it would say no more, and did not wait for the answer
            passage.notes.append(f"The {gone.side} left before it had everything.")
        elif ended:  # the other had said all it had to say: most programs just leave then
            passage.notes.append(f"The {gone.side} left without a proper end, when the other had ended.")
        else:
            passage.fail(gone.side, gone.error)
        await _end(ways)
        await _cut(lines, gone)
    except BaseException:
        await _end(ways)
        await asyncio.gather(client.cut(), server.cut())
        raise
    else:
        await asyncio.gather(client.aclose(), server.aclose())


class _Gone(Exception):
    """One side is gone."""

    def __init__(self, side: str, error: TLSError | OSError) -> None:
        super().__init__(side)
        self.side, self.error = side, error


async def _send(line: Line, data: bytes, side: str) -> None:
    try:
        await line.send(data)
    except (TLSError, OSError) as error:
        raise _Gone(side, error) from error


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _cut(lines: dict[str, Line], gone: _Gone) -> None:
    """Let the other side see what this one did: an alert is passed on, anything else is a cut."""
    alert = int(gone.error.alert or 0) if isinstance(gone.error, PeerRefused) else None
    await asyncio.gather(*(line.cut(None if side == gone.side else alert) for side, line in lines.items()))
