"""What all shells share: sorting what a connection says, and finding answers to its requests.

A shell carries bytes between a transport and the sans-IO connection. It knows no protocol: what is
here holds for blocking sockets, asyncio, trio and anyio alike.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from pellucid.connection import ClientConnection, Connection
from pellucid.errors import Reason, TLSError, UsageError
from pellucid.events import (
    DataReceived,
    EarlyDataReceived,
    EarlyDataRefused,
    Event,
    HandshakeCompleted,
    PeerClosed,
    Request,
    SessionReceived,
    Sign,
)
from pellucid.info import ConnectionInfo
from pellucid.limits import MAX_PLAINTEXT
from pellucid.resumption.sessions import Session
from pellucid.secret import Secret

CHUNK = 65_536
"""Bytes sealed at once: larger temporaries cost page faults."""

RECEIVE = 4 * (MAX_PLAINTEXT + 22)
"""Bytes asked from the network at once: four full records of TLS 1.3, so that none of a stream is cut."""

Answer = Callable[[Request], Any]


class Shell:
    """A connection, and what has come out of it.

    Attributes:
        connection: the sans-IO connection that is driven.
        sessions: what was received to resume with later, newest last.
        early_data: what a client sent as 0-RTT data, on a server: it may be a replay.
        early_data_refused: a client's 0-RTT data that the server did not take.
        events: other facts, oldest first: keys updated, clients authenticated, warnings.
    """

    def __init__(self, connection: Connection, answer: Answer | None) -> None:
        self.connection = connection
        self.sessions: list[Session] = []
        self.early_data = b""
        self.early_data_refused: bytes | None = None
        self.events: list[Event] = []
        self._answer = answer
        self._chunks: deque[bytes | memoryview] = deque()
        self._peer_closed = False

    @property
    def info(self) -> ConnectionInfo:
        """What was agreed on.

        Raises:
            UsageError: the handshake is not complete.
        """
        return self.connection.info

    def export(
        self, label: str | bytes, context: bytes | None = None, length: int = 32, *, early: bool = False
    ) -> Secret:
        """Keying material for another protocol: see `Connection.export` (RFC 8446 section 7.5)."""
        return self.connection.export(label, context, length, early=early)

    def channel_binding(self, kind: str) -> bytes:
        """Bytes to bind a login to this connection: see `Connection.channel_binding` (RFC 9266)."""
        return self.connection.channel_binding(kind)

    def _sort_events(self) -> Request | None:
        """Put each event where it belongs, up to the first request, which the caller must answer."""
        next_event = self.connection.next_event
        while (event := next_event()) is not None:
            if type(event) is DataReceived:
                self._chunks.append(event.data)
            elif isinstance(event, Request):
                return event
            else:
                self._sort(event)
        return None

    def _up_to(self, data: bytes | memoryview, size: int) -> bytes:
        """The first `size` bytes of `data`; the rest is the next to be read, without another copy."""
        if len(data) > size:
            view = memoryview(data)
            self._chunks.appendleft(view[size:])
            data = view[:size]
        return bytes(data)

    def _sort(self, event: Event) -> None:
        if isinstance(event, PeerClosed):
            self._peer_closed = True
        elif isinstance(event, SessionReceived):
            self.sessions.append(event.session)
        elif isinstance(event, EarlyDataReceived):
            self.early_data += event.data
        elif isinstance(event, EarlyDataRefused):
            self.early_data_refused = event.data
        elif not isinstance(event, HandshakeCompleted):
            self.events.append(event)

    def _ask(self, request: Request) -> Any:
        """The answer to a request, or something to await for it."""
        if isinstance(request, Sign) and request.pending is not None:
            return request.pending
        if self._answer is None:
            raise UsageError(Reason.APPLICATION_FAILED, f"nobody answers {type(request).__name__}")
        return self._answer(request)


def refuse_request(request: Request, error: Exception) -> NoReturn:
    """The answer failed: end the handshake with an alert, and raise.

    A `TLSError` keeps its own alert (a `CertificateRefused` from `Trust`, for example); anything
    else is an internal_error to the peer, and the cause of what is raised here.
    """
    if isinstance(error, TLSError):
        request.fail(error)
    try:
        request.fail(Reason.APPLICATION_FAILED, f"{type(error).__name__}: {error}")
    except TLSError as refused:
        raise refused from error
    raise error


def offer_early_data(connection: Connection, data: bytes) -> None:
    """Put a client's 0-RTT data behind its ClientHello (RFC 8446 section 4.2.10)."""
    if data:
        if not isinstance(connection, ClientConnection):
            raise UsageError(Reason.NOT_CONNECTED, "only a client sends early data")
        connection.send_early_data(data)


def has_room(sock: Any) -> bool:
    """Whether the kernel takes a few bytes from us without waiting."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    try:
        poll.register(sock.fileno(), select.POLLOUT)
    except (ValueError, OSError):
        return True  # closed: sending will say so
    return bool(poll.poll(0))


def hang_up(sock: Any, seconds: float = 0) -> None:
    """Close a socket so that no reset overtakes what was sent: say the end, read the rest, close.

    A kernel that closes a socket with unread data in it sends a reset, and throws away what has not
    left yet: our alert, our last words.

    Parameters:
        sock: a plain socket.
        seconds: how long to wait for the peer's end; 0 reads only what is there already.
    """
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(seconds)
        for _ in range(64):
            if not sock.recv(CHUNK):
                break
    sock.close()
