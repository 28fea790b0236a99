"""TLS over blocking sockets, and non-blocking ones. `pellucid.io.endpoints` opens them.

One thread may block in `recv` while another sends. Three locks see to that, and their order is the
whole secret:

* `_reading` and `_writing` are held by the one thread that receives, and the one that sends; each is
  held over the system call, so that records keep their order.
* `_engine` is held while the connection computes, never over a system call.

A reader never waits for `_writing`: a writer may be blocked because the peer, who does the same to
us, waits for us to read. What the reader itself has to say (an alert, the answer to a KeyUpdate) it
sends if nobody else is sending and the kernel has room; else the next writer takes it along.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from typing import Any

from pellucid.connection import Connection, ServerConnection
from pellucid.errors import Reason, TLSError, UsageError
from pellucid.events import Request
from pellucid.info import ConnectionInfo
from pellucid.io.shell import CHUNK, RECEIVE, Answer, Shell, hang_up, has_room, refuse_request
from pellucid.io.socketlike import SocketLike

LINGER = 1.0
"""Seconds that a closing socket waits for the peer to read an alert before a reset could erase it."""


class TLSSocket(Shell, SocketLike):
    """A connected socket that speaks TLS.

    Timeouts and blocking are those of the socket underneath: `TimeoutError` when an operation takes
    longer than `settimeout` allows, `BlockingIOError` where a non-blocking socket would have to
    wait: for the network to take more if `waiting_to_send`, else for it to bring more. After either
    of them the same call may be made again. A `send` must then be repeated with the same data: it
    was sealed already, and is only handed to the network.

    Parameters:
        sock: a connected stream socket, or another `TLSSocket` (TLS inside TLS). It is owned from now on.
        connection: the sans-IO connection to drive.
        answer: called with each request that the configuration asks for; returns the answer, or
            something that can be awaited for it.
    """

    def __init__(self, sock: Any, connection: Connection, answer: Answer | None = None) -> None:
        super().__init__(connection, answer)
        self._sock = sock
        self._engine = threading.Lock()
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._unsent: bytes | memoryview = b""
        self._sealed = 0  # plaintext bytes of a `send` that the network did not take yet
        self._left_over = False  # the reading side has something to say
        self._io_refs = 0
        self._closed = False

    def do_handshake(self) -> ConnectionInfo:
        """Run the handshake to its end; safe to call again.

        Raises:
            TLSError: it was refused; the peer has been told why.
            OSError: the network failed; TimeoutError when the socket's timeout ran out.
        """
        with self._reading:
            self._hand_over()
            while not self.connection.handshake_complete:
                wire = self._sock.recv(RECEIVE)
                self.take_in(wire, end=not wire)
                self._hand_over()
        return self.connection.info

    # -- reading ---------------------------------------------------------------------------------

    def recv(self, size: int = CHUNK) -> bytes:
        """Up to `size` bytes; b"" after the peer's close_notify.

        Raises:
            ConnectionEnded: the line ended without close_notify (`Reason.TRUNCATED`).
            TLSError: a record was refused, or the peer sent an alert.
            OSError: the network failed.
        """
        self._reading.acquire()  # `with` costs twice as much, and an echo feels it
        try:
            data = self._chunks.popleft() if self._chunks else self._receive()
            return data if len(data) <= size and type(data) is bytes else self._up_to(data, size)
        finally:
            self._reading.release()

    def pending(self) -> int:
        """Bytes that `recv` has without asking the network: look here before you `select`."""
        return sum(map(len, self._chunks))

    def _receive(self) -> bytes | memoryview:
        """The next data from the network; b"" after the peer's close_notify."""
        while not self._peer_closed:
            if self.connection._error is not None:  # the property costs a call, and an echo feels it
                raise self.connection._error.anew()
            wire = self._sock.recv(RECEIVE)
            if data := self.connection.deprotect(wire):
                return data
            try:
                self.take_in(wire, end=not wire)
            except TLSError:
                if not self._chunks:
                    raise  # else what came before the fault is first
            if self._chunks:
                return self._chunks.popleft()
        return b""

    def take_in(self, data: bytes, *, end: bool = False) -> None:
        """Give the connection bytes that somebody else read from the socket, or the `end` of them."""
        try:
            with self._engine:
                if end:
                    self.connection.receive_eof()
                elif data:
                    self.connection.receive_data(data)
            while (request := self._sort_events()) is not None:
                self._respond(request)
        except TLSError:
            while self._sort_events() is not None:
                pass
            raise
        finally:
            if self.connection.wants_to_send:
                self._speak()

    def _respond(self, request: Request) -> None:
        try:
            value = self._ask(request)
            if inspect.isawaitable(value):
                value = _wait_for(value)
        except Exception as error:
            refuse_request(request, error)
        with self._engine:
            request.answer(value)

    # -- writing ---------------------------------------------------------------------------------

    def send(self, data: Any) -> int:
        """Send up to 65,536 bytes of `data`, and return how many.

        Raises:
            UsageError: the handshake is not complete, or the connection is closed.
            BlockingIOError, TimeoutError: the network took only a part: call again with the same data.
        """
        view = memoryview(data).cast("B")
        with self._writing:
            if self._unsent:
                self._push()
            if not self._sealed:
                wire = self._seal(bytes(view[:CHUNK]))
                self._sealed = min(len(view), CHUNK)
                self._send(wire)
            size, self._sealed = self._sealed, 0
        if self._left_over:
            self._speak()
        return size

    def sendall(self, data: Any) -> None:
        """Send all of `data`. As with plain sockets, a timeout leaves open how much of it went."""
        self._writing.acquire()
        try:
            self._sealed = 0
            if self._unsent:
                self._push()
            if type(data) is bytes and len(data) <= CHUNK:
                self._send(self.connection.protect(data) or self._seal(data))
            else:
                view = memoryview(data).cast("B")
                for at in range(0, len(view), CHUNK):
                    self._send(self._seal(bytes(view[at : at + CHUNK])))
        finally:
            self._writing.release()
        if self._left_over:
            self._speak()

    def _seal(self, data: bytes) -> bytes:
        if wire := self.connection.protect(data):
            return wire
        with self._engine:
            self.connection.send_data(data)
            return self.connection.data_to_send()

    def flush(self) -> None:
        """Send what the connection has to say, after a call on `connection` itself."""
        with self._writing:
            self._push()

    def update_keys(self, *, request: bool = False) -> None:
        """Change our sending keys: see `Connection.update_keys` (RFC 8446 section 4.6.3)."""
        with self._writing:
            with self._engine:
                self.connection.update_keys(request=request)
            self._push()

    def request_certificate(self) -> None:
        """Server: ask for the client's certificate now (RFC 8446 section 4.6.2).

        It has come when a `PeerAuthenticated` is among `events`, or `info.peer_chain` is filled.
        """
        if not isinstance(self.connection, ServerConnection):
            raise UsageError(Reason.NOT_CONNECTED, "only a server asks for certificates")
        with self._engine:
            self.connection.request_certificate()
        self.flush()

    @property
    def waiting_to_send(self) -> bool:
        """Whether sealed bytes wait until the network takes more: `select` for writing then."""
        return bool(self._unsent)

    def _push(self) -> None:
        """Send all that waits, and what the connection has to say; the caller holds the writing lock."""
        unsent, self._unsent = self._unsent, b""
        self._send(unsent)
        with self._engine:
            wire = self.connection.data_to_send()
        self._send(wire)

    def _send(self, wire: bytes | memoryview) -> None:
        """Send sealed bytes. None may get lost: what the network does not take yet is `_unsent`."""
        try:
            while wire:
                sent = self._sock.send(wire)
                if sent == len(wire):
                    return
                wire = memoryview(wire)[sent:]
        except BaseException:
            self._unsent = wire
            raise

    def _speak(self) -> None:
        """Send what the reading side has to say, unless somebody else is sending: then he will.

        Errors of the network are left to be found by the next call that depends on it.
        """
        self._left_over = False
        while self.connection.wants_to_send:
            self._left_over = True  # set before the lock is tried, read after it is released
            if not self._writing.acquire(blocking=False):
                return
            try:
                if self.connection.handshake_complete and not has_room(self):
                    return
                self._left_over = False
                self._push()
            except OSError:
                return
            finally:
                self._writing.release()

    def _hand_over(self) -> None:
        """Send a flight of the handshake. If the peer hung up, what it sent before may say why."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.flush()

    # -- the end ---------------------------------------------------------------------------------

    def shutdown_write(self) -> None:
        """Send close_notify: nothing more will come from us; reading goes on (RFC 8446 section 6.1)."""
        with self._writing:
            with self._engine:
                self.connection.close()
            self._push()

    def unwrap(self) -> tuple[Any, bytes]:
        """Close TLS on both sides; the plain socket, and what came in behind the peer's close_notify."""
        self.shutdown_write()
        while self.recv():
            pass
        return self._sock, self.connection.unread_data()

    def close(self) -> None:
        """Send close_notify and close the socket, without waiting for the peer's.

        Files made by `makefile` keep it open until they are closed too.
        """
        if not self._closed:
            self._closed = True
            if self._io_refs <= 0:
                self._really_close()

    def _really_close(self) -> None:
        with contextlib.suppress(OSError, TLSError):
            self.shutdown_write()
        if isinstance(self._sock, TLSSocket):
            self._sock.close()
        else:
            hang_up(self._sock, LINGER if self.connection.error is not None else 0)

    def _decref_socketios(self) -> None:
        self._io_refs -= 1
        if self._closed and self._io_refs <= 0:
            self._really_close()


def _wait_for(value: Any) -> Any:
    """What an answer that has to be awaited comes to. Who never gives one need not load an event loop."""
    import asyncio

    async def awaited() -> Any:
        return await value

    return asyncio.run(awaited())
