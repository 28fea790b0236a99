"""What the shells of anyio and trio share: the machine that carries bytes while tasks wait.

Both libraries call a lock, a timeout and a broken stream by the same names, so the one in use is a value
here. One task may read while another writes. What a cancelled call leaves behind is defined: a cancelled read
has lost nothing; a write that was cancelled half way has cut a record in two, so that no other can follow it.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

from pellucid.connection import Connection
from pellucid.errors import TLSError, UsageError
from pellucid.events import Request
from pellucid.info import ConnectionInfo
from pellucid.io.shell import CHUNK, RECEIVE, Answer, Shell, refuse_request

LINGER = 1.0
"""Seconds that closing may take: a peer that reads nothing must not hold it up."""


class AwaitingShell(Shell):
    """A connection over a stream that is awaited.

    A subclass sets `_library` (`anyio` or `trio`), `_receive(size)`, `_push_out(data)` and `_forget(stream)`,
    which closes a stream without ceremony. `_ends` is what `_receive` raises at the stream's end, where it
    does not return b"".
    """

    _library: Any
    _receive: Any
    _push_out: Any
    _forget: Any
    _ends: tuple[type[Exception], ...] = ()

    def __init__(self, stream: Any, connection: Connection, answer: Answer | None) -> None:
        super().__init__(connection, answer)
        self._stream = stream
        self._writing = self._library.Lock()
        self._broken = (self._library.BrokenResourceError, self._library.ClosedResourceError)
        self._unanswered: Request | None = None  # waiting for its answer was cancelled: it is asked again
        self._cut = False  # a write was cancelled half way, or failed: nothing can follow it
        self._closed = False

    async def _shake_hands(self) -> ConnectionInfo:
        await self._flush()
        while not self.connection.handshake_complete:
            await self._read_more()
            await self._flush()
        return self.connection.info

    async def _begin(self) -> None:
        """The handshake, or no stream: when it fails the peer is told why, and the stream below is closed."""
        try:
            await self._shake_hands()
        except TLSError:
            await self._hang_up()
            raise
        except BaseException:
            await self._forget(self._stream)
            raise

    async def _read_more(self) -> None:
        """Give the connection what the stream has."""
        data: bytes | None = None
        if self._unanswered is None:
            try:
                data = await self._receive(RECEIVE)
            except self._ends:
                data = b""
            if content := self.connection.deprotect(data):
                self._chunks.append(content)
                return
        try:
            if data:
                self.connection.receive_data(data)
            elif data is not None:
                self.connection.receive_eof()
            await self._answer_all()
        except TLSError:
            while self._sort_events() is not None:
                pass
            await self._speak()
            raise
        if self.connection.wants_to_send:
            await self._speak()

    async def _answer_all(self) -> None:
        while (request := self._unanswered or self._sort_events()) is not None:
            self._unanswered = request
            try:
                value = self._ask(request)
                if inspect.isawaitable(value):
                    value = await value
            except Exception as error:
                self._unanswered = None
                refuse_request(request, error)
            self._unanswered = None
            request.answer(value)

    async def _write(self, data: Any) -> None:
        """Seal and send all of `data`."""
        view = memoryview(data).cast("B")
        async with self._writing:
            for at in range(0, len(view), CHUNK):
                piece = bytes(view[at : at + CHUNK])
                wire = self.connection.protect(piece)
                try:
                    if not wire:
                        self.connection.send_data(piece)
                except UsageError as error:
                    raise self._library.ClosedResourceError from error
                except TLSError as error:
                    raise self._library.BrokenResourceError from error
                await self._push(wire)

    async def _speak(self) -> None:
        """Send what the reading side has to say, unless a task is sending: then it takes it along."""
        if self._writing.statistics().locked:
            return
        try:
            with self._library.move_on_after(LINGER if self.connection.error is not None else math.inf):
                await self._flush()
        except self._broken:
            if not self.connection.handshake_complete and self.connection.error is None:
                raise

    async def _flush(self) -> None:
        async with self._writing:
            await self._push()

    async def _push(self, data: bytes = b"") -> None:
        """Send `data` and all else that is sealed; the caller holds the lock."""
        if self._cut:
            raise self._library.BrokenResourceError("an earlier send was cut short")
        while data := data or self.connection.data_to_send():
            self._cut = True
            await self._push_out(data)
            self._cut = False
            data = b""

    async def _say_goodbye(self) -> None:
        """Send close_notify, wait for nothing, and close the stream below, whatever happens."""
        try:
            with self._library.move_on_after(LINGER):
                self.connection.close()
                await self._flush()
        except (*self._broken, TLSError):
            pass
        except BaseException:
            await self._forget(self._stream)
            raise
        await self._stream.aclose()

    async def _hang_up(self) -> None:
        """Close the stream below, but so that no reset overtakes our last words (see `shell.hang_up`)."""
        self._closed = True
        try:
            with self._library.move_on_after(LINGER):
                if hasattr(self._stream, "send_eof"):
                    await self._stream.send_eof()
                for _ in range(64):
                    if not await self._receive(RECEIVE):
                        break
        except (*self._broken, *self._ends, TLSError, OSError):
            pass
        finally:
            await self._forget(self._stream)
