"""The two transports of the low-level object: a pair of `ssl.MemoryBIO`, and a socket.

No RFC. Neither takes more than it was asked for: a record's header, then its body.

A socket with a timeout asks the system before each call whether the call would have to wait. That is one
call too many where it will hardly have to: for the body of a record whose header is here, and for what is
sent. There the socket's descriptor, which does not block, is used by itself first, as OpenSSL does.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import select
import ssl
import time
import weakref
from typing import Any

from pellucid.compat.alerts import look_around
from pellucid.compat.failures import plain, want_read, want_write
from pellucid.compat.lowlevel import HEADER, LowLevel


class BioEnd(LowLevel):
    """Between two memory buffers: what asyncio, uvloop, trio and anyio drive.

    Parameters:
        context, server_side, server_hostname, owner, session: see `LowLevel`.
        incoming, outgoing: `ssl.MemoryBIO`.
    """

    def __init__(
        self,
        context: Any,
        incoming: Any,
        outgoing: Any,
        server_side: bool,
        server_hostname: str | None,
        *,
        owner: Any,
        session: Any,
    ) -> None:
        for bio in (incoming, outgoing):
            if not isinstance(bio, ssl.MemoryBIO):
                raise TypeError(f"a MemoryBIO is needed, not {type(bio).__name__}")
        super().__init__(context, server_side, server_hostname, owner=owner, session=session)
        look_around()
        self._incoming = incoming
        self._receive = incoming.read
        self._transmit = outgoing.write

    def _heard_nothing(self) -> None:
        if not self._incoming.eof:
            raise want_read()
        self._hear_eof()


class SocketEnd(LowLevel):
    """On a connected socket, with its timeout.

    Parameters:
        context, server_side, server_hostname, owner, session: see `LowLevel`.
        sock: the socket, usually the `SSLSocket` itself, whose plain `recv` and `send` are called;
            it is held weakly.
    """

    _timed = True

    def __init__(
        self,
        context: Any,
        sock: Any,
        server_side: bool,
        server_hostname: str | None,
        *,
        owner: Any,
        session: Any,
    ) -> None:
        super().__init__(context, server_side, server_hostname, owner=owner, session=session)
        self._sock = weakref.ref(sock)
        plain_socket = isinstance(sock, _socket.socket)
        kind: Any = _socket.socket if plain_socket else type(sock)
        self._recv, self._send = kind.recv, kind.send
        self._direct = plain_socket and os.name == "posix"
        self._deadline: float | None = None

    def _socket(self) -> Any:
        sock = self._sock()
        if sock is None or sock.fileno() < 0:
            raise plain("Underlying socket connection gone", number=5)
        return sock

    def _begin(self) -> None:
        timeout = (self._sock() or self._socket()).gettimeout()
        self._deadline = time.monotonic() + timeout if timeout else None

    def _in_time(self) -> None:
        """The timeout is the operation's, not that of each of its system calls."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TimeoutError("The TLS operation timed out")

    def _receive(self, size: int) -> bytes:
        sock: Any = self._sock()
        try:
            if self._deadline is not None and len(self._record) == HEADER and self._direct:
                try:
                    return os.read(sock.fileno(), size)
                except BlockingIOError:
                    pass
            received: bytes = self._recv(sock, size)
            return received
        except BlockingIOError:
            raise want_read() from None
        except (OSError, TypeError, AttributeError):
            self._socket()  # it may be gone
            raise

    def _transmit(self, data: bytes | memoryview) -> int:
        sock: Any = self._sock()
        try:
            if self._deadline is not None and self._direct:
                try:
                    return os.write(sock.fileno(), data)
                except BlockingIOError:
                    pass
            sent: int = self._send(sock, data)
            return sent
        except BlockingIOError:
            raise want_write() from None
        except (OSError, TypeError, AttributeError):
            self._socket()
            raise

    def _has_room(self) -> bool:
        sock = self._sock()
        if sock is None or sock.fileno() < 0:
            return False
        return sock.gettimeout() == 0 or _ready(sock, "writing")

    def _result_of_shutdown(self) -> Any:
        return self._sock()

    def __del__(self) -> None:
        """The socket is about to be closed (`SSLSocket` lets go of us first): take the tickets.

        A close with unread bytes resets the line, and a reset may overtake what was sent last. A TLS 1.3
        client that never reads has the server's tickets there (RFC 8446 section 4.6.1).
        """
        sock = getattr(self, "_sock", lambda: None)()
        if sock is None or self.server_side or self._peer_closed or self.version() != "TLSv1.3":
            return
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if sock.fileno() >= 0 and _ready(sock, "reading"):
                self._recv(sock, 16_384)


def _ready(sock: Any, what: str) -> bool:
    """Whether the network has something, or takes something, without waiting."""
    if hasattr(select, "poll"):  # `select` knows no descriptor above 1023
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN if what == "reading" else select.POLLOUT)
        return bool(poll.poll(0))
    found = select.select((sock,) if what == "reading" else (), (sock,) if what == "writing" else (), (), 0)
    return any(found)
