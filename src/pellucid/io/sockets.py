"""TLS over blocking sockets.

One thread may block in `recv` while another sends: reading and writing have a lock each, and a
reader never waits for the writer's. What the reader itself has to say (an alert, the answer to a
KeyUpdate) is sent by whoever holds the writing side.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import ConnectionEnded, Reason, TLSError
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
from pellucid.resumption.sessions import Session

CHUNK = 65_536  # bytes asked from the kernel at once, and sealed at once: see records.py
Answer = Callable[[Request], Any]


class TLSSocket:
    """A connected socket that speaks TLS.

    Parameters:
        sock: a connected stream socket, or another `TLSSocket` (TLS inside TLS). It is owned from now on.
        connection: the sans-IO connection to drive.
        answer: called with each request that the configuration asks for; returns the answer.

    Attributes:
        sessions: what was received to resume with later, newest last.
        early_data: what a client sent as 0-RTT data, on a server: it may be a replay.
        early_data_refused: a client's 0-RTT data that the server did not take.
    """

    def __init__(self, sock: Any, connection: Connection, answer: Answer | None = None) -> None:
        self._sock = sock
        self.connection = connection
        self._answer = answer
        self._received: list[bytes] = []
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._eof = False
        self.sessions: list[Session] = []
        self.early_data = b""
        self.early_data_refused: bytes | None = None
        self.events: list[Event] = []

    # -- handshake -------------------------------------------------------------------------------

    def do_handshake(self) -> ConnectionInfo:
        """Run the handshake to its end; safe to call again.

        Raises:
            TLSError: it was refused; the peer has been told why.
            OSError: the network failed; TimeoutError when the socket's timeout ran out.
        """
        with self._reading:
            self._flush()
            while not self.connection.handshake_complete:
                self._read_more()
            self._flush()
        return self.connection.info

    @property
    def info(self) -> ConnectionInfo:
        """What was agreed on."""
        return self.connection.info

    # -- data ------------------------------------------------------------------------------------

    def recv(self, size: int = CHUNK) -> bytes:
        """Up to `size` bytes; b"" after the peer's close_notify.

        Raises:
            ConnectionEnded: the line ended without close_notify (`Reason.TRUNCATED`).
        """
        with self._reading:
            while not self._received:
                if self._eof:
                    return b""
                self._read_more()
            data = self._received[0]
            if len(data) <= size:
                del self._received[0]
                return data
            self._received[0] = data[size:]
            return data[:size]

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        """`recv` into a writable buffer; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = self.recv(min(size or len(view), len(view)))
        view[: len(data)] = data
        return len(data)

    def sendall(self, data: Any) -> None:
        """Send all of `data`."""
        view = memoryview(data).cast("B")
        with self._writing:
            for at in range(0, len(view), CHUNK):
                self.connection.send_data(bytes(view[at : at + CHUNK]))
                self._sock.sendall(self.connection.data_to_send())

    def send(self, data: Any) -> int:
        """Send all of `data`, and return its length in bytes."""
        self.sendall(data)
        return memoryview(data).nbytes

    def send_early_data(self, data: bytes) -> None:
        """Client: send 0-RTT data with the first flight, before `do_handshake`."""
        connection = self.connection
        if not isinstance(connection, ClientConnection):
            raise TypeError("only a client sends early data")
        connection.send_early_data(data)

    def makefile(self, mode: str = "r", buffering: int = -1, **options: Any) -> Any:
        """A file object over this socket, as `socket.makefile` makes it."""
        raw = _Raw(self)
        if "b" in mode and buffering == 0:
            return raw
        if "w" in mode and "r" in mode:
            buffered: Any = io.BufferedRWPair(raw, raw)
        else:
            buffered = io.BufferedWriter(raw) if "w" in mode else io.BufferedReader(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, **options)

    def __iter__(self) -> Iterator[bytes]:
        while data := self.recv():
            yield data

    # -- the end ---------------------------------------------------------------------------------

    def shutdown_write(self) -> None:
        """Send close_notify: nothing more will come from us; reading goes on."""
        with self._writing:
            self.connection.close()
            self._send_waiting()

    def unwrap(self) -> Any:
        """Close TLS on both sides and give back the plain socket."""
        self.shutdown_write()
        while self.recv():
            pass
        return self._sock

    def close(self) -> None:
        """Send close_notify and close the socket, without waiting for the peer's."""
        with contextlib.suppress(OSError, TLSError):
            self.shutdown_write()
        self._sock.close()

    def settimeout(self, seconds: float | None) -> None:
        """Seconds that one operation on the socket may take; None for ever."""
        self._sock.settimeout(seconds)

    def fileno(self) -> int:
        """The socket's file descriptor."""
        return int(self._sock.fileno())

    def getpeername(self) -> Any:
        """The peer's address."""
        return self._sock.getpeername()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- the machine -----------------------------------------------------------------------------

    def _read_more(self) -> None:
        """Give the connection what the network has; the caller holds the reading lock."""
        data = self._sock.recv(CHUNK)
        try:
            if data:
                self.connection.receive_data(data)
            else:
                self.connection.receive_eof()
            self._take_events()
        except TLSError as error:
            self._collect()
            self._flush()
            if isinstance(error, ConnectionEnded) and error.reason is Reason.PEER_CLOSED:
                self._eof = True
            raise
        if self.connection.wants_to_send:
            self._flush()

    def _take_events(self) -> None:
        """Requests are answered as they come; an answer may bring more events."""
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, Request):
                self._respond(event)
            else:
                self._note(event)

    def _collect(self) -> None:
        for event in self.connection.events():
            if not isinstance(event, Request):
                self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self._received.append(event.data)
        elif isinstance(event, EarlyDataReceived):
            self.early_data += event.data
        elif isinstance(event, PeerClosed):
            self._eof = True
        elif isinstance(event, SessionReceived):
            self.sessions.append(event.session)
        elif isinstance(event, EarlyDataRefused):
            self.early_data_refused = event.data
        elif not isinstance(event, HandshakeCompleted):
            self.events.append(event)

    def _respond(self, request: Request) -> None:
        if isinstance(request, Sign) and request.pending is not None:
            request.answer(asyncio.run(_awaited(request.pending)))
            return
        if self._answer is None:
            request.fail(detail=f"nobody answers {type(request).__name__}")
            return
        try:
            value = self._answer(request)
        except TLSError:
            raise
        except Exception as error:
            request.fail(detail=f"{type(error).__name__}: {error}")
            raise
        request.answer(value)

    def _flush(self) -> None:
        """Send what waits, unless another thread is sending: then it does so itself."""
        if self._writing.acquire(blocking=False):
            try:
                self._send_waiting()
            except OSError:
                if self.connection.error is None:
                    raise
            finally:
                self._writing.release()

    def _send_waiting(self) -> None:
        if data := self.connection.data_to_send():
            self._sock.sendall(data)


async def _awaited(value: Any) -> Any:
    return await value


class _Raw(io.RawIOBase):
    """The raw file that `makefile` buffers."""

    def __init__(self, sock: TLSSocket) -> None:
        self._socket = sock

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._socket.recv_into(buffer)

    def write(self, data: Any) -> int:
        return self._socket.send(data)


def wrap_client(
    sock: Any,
    server_name: str | None,
    config: ClientConfig | None = None,
    *,
    answer: Answer | None = None,
    early_data: bytes = b"",
) -> TLSSocket:
    """Speak TLS as the client over a connected socket (after STARTTLS, through a proxy, inside TLS)."""
    wrapped = TLSSocket(sock, ClientConnection(config, server_name), answer)
    if early_data:
        wrapped.send_early_data(early_data)
    wrapped.do_handshake()
    return wrapped


def wrap_server(sock: Any, config: ServerConfig, *, answer: Answer | None = None) -> TLSSocket:
    """Speak TLS as the server over an accepted socket."""
    wrapped = TLSSocket(sock, ServerConnection(config), answer)
    wrapped.do_handshake()
    return wrapped


def connect(
    host: str,
    port: int = 443,
    *,
    config: ClientConfig | None = None,
    server_name: str | None = None,
    timeout: float | None = None,
    answer: Answer | None = None,
    early_data: bytes = b"",
) -> TLSSocket:
    """Connect to `host` and speak TLS with it.

    Parameters:
        host, port: where to connect to.
        config: a `ClientConfig`; None trusts the system's authorities.
        server_name: the name that the certificate must be for; None means `host`.
        timeout: seconds for the connection and for each operation after it.
        answer: called with the requests that `config.ask` names.
        early_data: 0-RTT data to send at once, if the configuration's session allows it.

    Raises:
        CertificateRefused: the server's certificate is not believed.
        TLSError: anything else that TLS refuses.
        OSError: the network.
    """
    sock = socket.create_connection((host, port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return wrap_client(sock, server_name or host, config, answer=answer, early_data=early_data)
    except BaseException:
        sock.close()
        raise


def serve(
    handler: Callable[[TLSSocket], None],
    config: ServerConfig | Callable[[], ServerConfig],
    address: tuple[str, int] = ("127.0.0.1", 0),
    *,
    timeout: float | None = 60.0,
    on_error: Callable[[BaseException], None] | None = None,
) -> Server:
    """Serve TLS connections, a thread each. Use it as a context manager.

    Parameters:
        handler: called with each connection once its handshake is complete.
        config: a `ServerConfig`, or a callable that gives the present one (hot reload).
        address: where to listen; port 0 lets the system choose (see `Server.port`).
        timeout: seconds that one operation may take.
        on_error: told of what went wrong in a connection.
    """
    return Server(handler, config, address, timeout=timeout, on_error=on_error)


class Server:
    """A listening socket and its threads. `port` is where it listens; `config` can be swapped."""

    def __init__(
        self,
        handler: Callable[[TLSSocket], None],
        config: ServerConfig | Callable[[], ServerConfig],
        address: tuple[str, int],
        *,
        timeout: float | None,
        on_error: Callable[[BaseException], None] | None,
    ) -> None:
        self.config = config
        self._handler = handler
        self._timeout = timeout
        self._on_error = on_error
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._listener = socket.create_server(address, family=family)
        self.address = self._listener.getsockname()
        self.port: int = self.address[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(self._timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            config = self.config() if callable(self.config) else self.config
            with wrap_server(sock, config) as wrapped:
                self._handler(wrapped)
        except (TLSError, OSError) as error:
            if self._on_error is not None:
                self._on_error(error)
        finally:
            _linger(sock)

    def close(self) -> None:
        """Stop listening; connections under way go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _linger(sock: socket.socket) -> None:
    """Close so that an alert on its way is not overtaken by a reset: say the end, then read it out."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(1.0)
        for _ in range(64):
            if not sock.recv(CHUNK):
                break
    sock.close()
