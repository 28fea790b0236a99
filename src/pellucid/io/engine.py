"""TLS for asyncio, the half that faces the network: from a transport's bytes to a protocol's data.

It is an `asyncio.BufferedProtocol`, because asyncio then reads into one buffer of ours instead of
making 256 KiB for each read. `pellucid.io.transport` adds the half that faces the application.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import threading
from typing import Any

from pellucid.connection import Connection
from pellucid.errors import ConnectionEnded, Reason, TLSError
from pellucid.events import DataReceived, HandshakeCompleted, PeerClosed, Request
from pellucid.io.shell import RECEIVE, Answer, Shell, refuse_request

_OF_THREAD = threading.local()


def _buffer() -> memoryview:
    """Where to receive. A loop reads and hands over in one breath: all its connections share one."""
    if sys.platform == "win32":  # the proactor loop reads ahead, into a buffer for each connection
        return memoryview(bytearray(RECEIVE))
    view: memoryview | None = getattr(_OF_THREAD, "view", None)
    if view is None:
        view = _OF_THREAD.view = memoryview(bytearray(RECEIVE))
    return view


def _retrieved(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()


class Engine(Shell, asyncio.BufferedProtocol):
    """A TLS connection between a transport and a protocol.

    Parameters:
        protocol: the application's; its `connection_made` is called when the handshake is complete.
        connection: the sans-IO connection to drive.
        answer: called with each request that the configuration asks for; may be a coroutine function.
        handshake_timeout: seconds; None for ever.
        shutdown_timeout: seconds that a closing connection waits for the peer's end.

    Attributes:
        ready: a future, done when the handshake is, or failed with what refused it.
    """

    def __init__(
        self,
        protocol: Any,
        connection: Connection,
        answer: Answer | None = None,
        *,
        handshake_timeout: float | None = 60.0,
        shutdown_timeout: float = 5.0,
    ) -> None:
        Shell.__init__(self, connection, answer)
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.ready.add_done_callback(_retrieved)  # nobody need await it
        self._raw: Any = None
        self._view = _buffer()
        self._protocol = protocol
        self._handshake_timeout = handshake_timeout
        self._shutdown_timeout = shutdown_timeout
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._writes = 0  # in this turn of the loop
        self._chatty = False  # several in the turn before, so there may be several now
        self._queued = 0  # plaintext bytes that wait for the end of this turn
        self._scheduled = False  # ... which `_flush` was asked to see to
        self._paused = False
        self._closing = False  # nothing is handed to the protocol any more
        self._lost = False

    # -- called by the transport below -----------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """The network is there: begin the handshake."""
        self._raw = transport
        if self._handshake_timeout is not None:
            self._timer = self._loop.call_later(self._handshake_timeout, self._too_late)
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the network's bytes shall go."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """The network's bytes are there."""
        self.data_received(bytes(self._view[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """The same, for transports that bring `bytes`, and for what was read before TLS began."""
        if self._closing:
            return  # only the end is of interest now
        self._scheduled = True  # what the protocol writes now is sent below
        try:
            if not self._paused and (content := self.connection.deprotect(data)):
                self._protocol.data_received(content)  # most often it is one record
            else:
                if data:
                    self.connection.receive_data(data)
                self._deliver()
        except TLSError as error:
            self._fail(error)
        else:
            if self._queued or self.connection.wants_to_send:
                self._flush()
            else:
                self._scheduled = False

    def eof_received(self) -> bool:
        """The network's end. True keeps our side open, after a proper close_notify."""
        if self._closing:
            return False
        try:
            self.connection.receive_eof()
        except TLSError as error:
            self._fail(error, linger=False)
            return False
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """The network is gone."""
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        complete = self.connection.handshake_complete
        error = self.connection.error or exc
        if self.ready.done():
            if complete and self._protocol is not None:
                self._protocol.connection_lost(error)
        else:
            self.ready.set_exception(error or ConnectionEnded(Reason.EOF_IN_HANDSHAKE))
        self._protocol = self._raw = None
        self._closing = True

    def pause_writing(self) -> None:
        """The network is full."""
        if self.connection.handshake_complete:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """The network has room again."""
        if self.connection.handshake_complete:
            self._protocol.resume_writing()

    # -- in between ------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Hand what has come to the protocol, up to a request that has to be awaited."""
        next_event = self.connection.next_event
        while not self._paused and not self._closing and (event := next_event()) is not None:
            if type(event) is DataReceived:
                self._protocol.data_received(event.data)
            elif isinstance(event, Request):
                self._respond(event)
            elif isinstance(event, HandshakeCompleted):
                self._complete()
            elif isinstance(event, PeerClosed):
                self._peer_closed = True
                if not self._protocol.eof_received():
                    self.close()
            else:
                self._sort(event)

    def _go_on(self) -> None:
        """Reading was resumed: first what had come already."""
        self.data_received(b"")

    def _complete(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._protocol.connection_made(self)
        if not self.ready.done():
            self.ready.set_result(None)

    def _respond(self, request: Request) -> None:
        try:
            value = self._ask(request)
        except Exception as error:
            refuse_request(request, error)
        if not inspect.isawaitable(value):
            request.answer(value)
            return
        self._raw.pause_reading()
        self._task = self._loop.create_task(self._respond_later(request, value))

    async def _respond_later(self, request: Request, value: Any) -> None:
        try:
            try:
                found = await value
            except Exception as error:
                refuse_request(request, error)
            request.answer(found)
            if not self._lost:
                self._raw.resume_reading()
                self._deliver()
                self._flush()
        except TLSError as error:
            self._fail(error)
        finally:
            self._task = None

    def _flush(self) -> None:
        """Seal what was written, and send it."""
        self._scheduled = False
        self._chatty = self._writes > 1
        self._writes = self._queued = 0
        try:
            if not self._lost and (data := self.connection.data_to_send()):
                self._raw.write(data)
        except TLSError as error:
            self._fail(error)

    def _fail(self, error: TLSError, *, linger: bool = True) -> None:
        """The connection failed: deliver what came before the fault, send the alert, end."""
        with contextlib.suppress(TLSError):
            self._deliver()
        self._flush()
        if not self.ready.done():
            self.ready.set_exception(error)
        self._hang_up(1.0 if linger else 0)

    def _too_late(self) -> None:
        self.connection.abort()
        self._flush()
        if not self.ready.done():
            self.ready.set_exception(ConnectionEnded(Reason.TIMEOUT, f"{self._handshake_timeout} s"))
        self._hang_up(0)

    def _hang_up(self, seconds: float) -> None:
        """Close the network, but give our last words time: a reset would overtake them."""
        self._closing = True
        if self._lost:
            return
        if self._timer is not None:
            self._timer.cancel()
        if not seconds:
            self._raw.close()
            return
        self._timer = self._loop.call_later(seconds, self._raw.abort)
        with contextlib.suppress(OSError, RuntimeError):
            self._raw.resume_reading()  # only to see its end
        if self._raw.can_write_eof():
            with contextlib.suppress(OSError):
                self._raw.write_eof()

    def close(self) -> None:
        """Send close_notify, wait a while for the peer's end, close."""
        if not self._closing:
            if not self.connection.handshake_complete:
                self.connection.abort()
            self.connection.close()
            self._flush()
            self._hang_up(0 if self._peer_closed else self._shutdown_timeout)

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        if not self._lost:
            self._raw.abort()

    def cut(self, alert: int | None = None) -> None:
        """Send what was written, then close without close_notify: the peer shall see that this is no end.

        RFC 8446 section 6.1: who carries data on must not let a truncation pass for its proper end.

        Parameters:
            alert: a fatal alert to say as the last word; None says nothing.
        """
        if not self._closing:
            self._flush()
            if alert is not None:
                self.connection.abort(alert)
                self._flush()
            self._hang_up(0 if alert is None else 1.0)
