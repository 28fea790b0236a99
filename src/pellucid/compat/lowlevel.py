"""The low-level object behind `SSLSocket` and `SSLObject`: the 22 members of `_ssl._SSLSocket`.

RFC 8446 sections 6.1 (closure) and 6.2 (alerts before raising), 4.6.2 (late authentication). The
standard classes keep everything else: `makefile`, `sendall`, `accept`, ragged ends, IDNA.

The rules that decide whether a library hangs:

* One record at a time. Five bytes of header, then the body, and never a byte more: what stands
  behind is the application's (`select`, `pending()`, STARTTLS, uvloop's loop).
* A write that the network takes only in part raises `SSLWantWriteError`; the same call, made again,
  goes on where it stopped, and its length is returned at the end.
* Three locks, as in `pellucid.io.sockets`: `_reading` and `_writing` are held over system calls, each
  by one thread; `_engine` never is. A reader never waits for `_writing`.
* An alert is handed to the network before the error is raised.

And the rule that decides how quick it is: `read` and `write` do by themselves what mostly happens (a whole
record of data is here, or goes out at once, over a connection that is `_ready`), and leave what else there
is to `_next` and `_write_long`, which begin from the beginning.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from pellucid.compat.agreed import Agreed
from pellucid.compat.answers import Answers
from pellucid.compat.failures import build, closed, plain, ragged_eof, reason_of, translate
from pellucid.compat.more import More
from pellucid.compat.sessions import SSLSession
from pellucid.compat.settings import PROTOCOL
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import ConnectionEnded, TLSError, UsageError
from pellucid.events import DataReceived, HandshakeCompleted, PeerClosed, Request, SessionReceived

CHUNK = 65_536
"""Bytes sealed at once."""

HEADER = 5
_MOST = 16_384 + 2_048  # RFC 5246 6.2.3; what is longer is refused by the connection itself
_IGNORE_EOF = 0x80  # OP_IGNORE_UNEXPECTED_EOF


class LowLevel(Answers, Agreed, More):
    """One side of a connection, without its transport: `BioEnd` and `SocketEnd` add that.

    Parameters:
        context: the `SSLContext`; its settings are those of this moment.
        server_side: which side this is.
        server_hostname: in ASCII, or None.
        owner: the `SSLSocket` or `SSLObject` that callbacks get to see; held weakly.
        session: an `SSLSession` to resume.
    """

    _receive: Callable[[int], bytes]
    """Up to so many bytes; b"" at the end, or (see `_heard_nothing`) when there are none for now."""

    _transmit: Callable[[bytes | memoryview], int]
    """Hand bytes to the network; how many it took. Raises `SSLWantWriteError` when it took none."""

    _timed = False
    """Whether operations have their time, which `_begin` starts and `_in_time` looks at."""

    def __init__(
        self, context: Any, server_side: bool, server_hostname: str | None, *, owner: Any, session: Any
    ) -> None:
        wrong = ssl.PROTOCOL_TLS_CLIENT if server_side else ssl.PROTOCOL_TLS_SERVER
        if PROTOCOL(context) == wrong:
            side, kind = ("server", "CLIENT") if server_side else ("client", "SERVER")
            raise plain(f"Cannot create a {side} socket with a PROTOCOL_TLS_{kind} context", number=0)
        self.server_side = bool(server_side)
        self.server_hostname = _checked_name(server_hostname)
        self._context = context
        self._owner = None if owner is None else weakref.ref(owner)
        self._session: SSLSession | None = None
        self._prepare(context)
        self._conn: Connection | None = None
        self._ready: Connection | None = None  # when its handshake is out, until the peer or a fault ends it
        self._engine = threading.RLock()
        self._reading = threading.RLock()
        self._writing = threading.Lock()
        self._record = b""  # what there is of the next one, if that is not all of it
        self._chunks: deque[bytes] = deque()
        self._unsent: bytes | memoryview = b""
        self._written = 0  # plaintext bytes of a write under way that are sealed
        self._left_over = False  # the reading side has something to say
        self._peer_closed = False
        self._broken = False
        self.delayed: Exception | None = None
        if session is not None:
            self.session = session

    # -- the transport's part --------------------------------------------------------------------

    def _heard_nothing(self) -> None:
        """`_receive` gave b"": raise `SSLWantReadError` if there may be more later, or go by the end."""
        self._hear_eof()

    def _has_room(self) -> bool:
        """Whether `_transmit` would take something without waiting."""
        return True

    def _begin(self) -> None:
        """A new operation begins: its time starts now."""

    def _in_time(self) -> None:
        """The operation goes on to its next system call, unless its time is over: then `TimeoutError`."""

    def _result_of_shutdown(self) -> Any:
        return None

    # -- handshake -------------------------------------------------------------------------------

    def do_handshake(self) -> None:
        """Run the handshake to its end; safe to call again."""
        self._begin()
        with self._reading:
            self._shake()
        if self.delayed is not None:
            self._raise_delayed()

    def _raise_delayed(self) -> None:
        """What a message callback raised, now that the operation is over."""
        error, self.delayed = self.delayed, None
        if error is not None:
            raise error

    def _shake(self) -> None:
        if self._broken:
            raise ragged_eof()
        try:
            connection = self._connection
        except TLSError as error:
            self._fail(error)
        while True:
            if connection.wants_to_send or self._unsent:
                try:
                    self._flush()
                except (BrokenPipeError, ConnectionResetError):
                    self._unsent = b""  # if the peer hung up, what it sent before may say why
            if connection.handshake_complete:
                self._ready = None if self._peer_closed else connection
                return
            if self._timed:
                self._in_time()
            self._hear(connection, b"".join(self._take_record()))

    @property
    def _connection(self) -> Connection:
        if self._conn is None:
            with self._engine:
                self._conn = self._make()
        return self._conn

    def _make(self) -> Connection:
        config = self._configuration()
        if self.server_side:
            self._count("accept")
            return ServerConnection(config)
        self._count("connect")
        return ClientConnection(config, self.server_hostname)

    @property
    def wire_version(self) -> int:
        """The version that the conversation has come to: what message callbacks are told."""
        return (self._conn._version if self._conn is not None else 0) or 0x0303

    # -- reading ---------------------------------------------------------------------------------

    def read(self, size: int = 1024, buffer: Any = None) -> bytes | int:
        """Up to `size` bytes of one record; with a `buffer`, into it, and how many they were."""
        if buffer is not None:
            return self._read_into(size, buffer)
        if self._timed:
            self._begin()
        if size <= 0:
            if size < 0:
                raise ValueError("size should not be negative")
            return b""
        self._reading.acquire()  # `with` costs twice as much, and an echo feels it
        try:
            connection = self._ready
            if connection is None or self._chunks:
                data = self._next()
            else:
                header, body = self._take_record()
                if not (data := connection.deprotect(header, body)):
                    self._hear_more(connection, header + body)
                    data = self._next()
            if len(data) > size:
                self._chunks.appendleft(data[size:])
                data = data[:size]
            return data
        finally:
            self._reading.release()

    def _read_into(self, size: int, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        try:
            if not 0 < size <= len(view):
                size = len(view)
            data: Any = self.read(size)
            view[: len(data)] = data
            return len(data)
        finally:
            view.release()  # a traceback would keep it, and with it the buffer its size

    def _next(self) -> bytes:
        """The data of the next record that has some; b"" at the peer's end."""
        while not self._chunks:
            if self._broken:
                raise ragged_eof()
            if self._peer_closed:
                if self._conn is not None and self._conn.closed[1]:
                    raise closed()
                return b""
            if self._ready is None:
                self._shake()
            else:
                if self._timed:
                    self._in_time()
                self._hear_more(self._ready, b"".join(self._take_record()))
        if self.delayed is not None:
            self._raise_delayed()
        return self._chunks.popleft()

    def pending(self) -> int:
        """Bytes of the present record that `read` has without asking the network."""
        return len(self._chunks[0]) if self._chunks else 0

    def _take_record(self) -> tuple[bytes, bytes]:
        """One record from the network, in two pieces; of no bytes: there is none, since the line ended."""
        if self._record:
            return self._take_rest(), b""
        header = self._receive(HEADER)
        if len(header) == HEADER and header[1] == 3 and 0 < (size := header[3] << 8 | header[4]) <= _MOST:
            self._record = header
            body = self._receive(size)
            if len(body) == size:
                self._record = b""
                return header, body
            self._record += body
        elif header:
            self._record = header
        else:
            self._heard_nothing()
            return b"", b""
        return self._take_rest(), b""

    def _take_rest(self) -> bytes:
        """The record of which `_record` is what has come; b"": the line ended in its midst."""
        record = self._record
        while missing := _missing(record):
            self._in_time()
            piece = self._receive(missing)
            if not piece:
                self._heard_nothing()
                return b""
            self._record = record = record + piece
        self._record = b""
        return record

    def _hear(self, connection: Connection, record: bytes) -> None:
        """A record, whatever it may be."""
        if not record:
            return
        try:
            with self._engine:
                connection.receive_data(record)
            self._sort_events(connection)
        except TLSError as error:
            self._fail(error)

    def _hear_more(self, connection: Connection, record: bytes) -> None:
        """A record behind the handshake, which may ask for an answer."""
        self._hear(connection, record)
        if connection.wants_to_send:
            self._speak()

    def _hear_eof(self) -> None:
        connection = self._connection
        if self._done and int(self._context.options) & _IGNORE_EOF:
            self._hear_close()
            return
        try:
            connection.receive_eof()
        except TLSError as error:
            self._fail(error)

    def _sort_events(self, connection: Connection) -> None:
        while (event := connection.next_event()) is not None:
            if type(event) is DataReceived:
                self._chunks.append(event.data)
            elif isinstance(event, Request):
                answer = self._answer(event)
                with self._engine:
                    event.answer(answer)
            elif isinstance(event, HandshakeCompleted):
                self._completed(event)
            elif isinstance(event, SessionReceived):
                self._keep(event)
            elif isinstance(event, PeerClosed):
                self._hear_close()

    def _hear_close(self) -> None:
        self._peer_closed = True
        self._ready = None

    def _completed(self, event: HandshakeCompleted) -> None:
        self._count("accept_good" if self.server_side else "connect_good")
        offered = self._session
        if event.info.resumed:
            self._count("hits")
            if offered is not None:
                self._session = SSLSession(self._context, offered.resumable, offered.id)
        elif offered is not None:
            self._session = None  # it was not taken

    def _keep(self, event: SessionReceived) -> None:
        """A ticket came. In TLS 1.2 it is still the session that was resumed (RFC 5077 section 3.3)."""
        before, name = self._session, None
        if before is not None:
            info = self._connection.info
            name = before.id if info.version == 0x0303 and info.resumed else None
        self._session = SSLSession(self._context, event, name)

    def _fail(self, error: TLSError) -> NoReturn:
        """The connection failed: the alert first (RFC 8446 section 6.2), then the exception."""
        self._ready = None
        if self._conn is not None:
            with contextlib.suppress(TLSError):
                self._sort_events(self._conn)
            self._speak()
        if not self._chunks or not isinstance(error, ConnectionEnded):
            self._broken = True
        raise translate(error) from error

    # -- writing ---------------------------------------------------------------------------------

    def write(self, data: Any) -> int:
        """Send all of `data`; after `SSLWantWriteError`, call again with the same, or with more behind it."""
        if type(data) is not bytes:
            data = _as_bytes(data)
        if self._timed:
            self._begin()
        connection, size, wire = self._ready, len(data), b""
        if connection is not None and size <= CHUNK:
            self._writing.acquire()
            try:
                if not (self._unsent or self._written) and (wire := connection.protect(data)):
                    self._unsent, self._written = wire, size  # until the network has them
                    if (sent := self._transmit(wire)) < len(wire):
                        self._carry(memoryview(wire)[sent:])
                    self._unsent, self._written = b"", 0
            finally:
                self._writing.release()
        if not wire:
            self._write_long(data)
        if self._left_over:
            self._speak()
        if self.delayed is not None:
            self._raise_delayed()
        return size

    def _write_long(self, data: bytes | memoryview) -> None:
        """`write` where there is more to it: much data, a handshake first, something that waits."""
        try:
            if self._conn is None or not self._conn.handshake_complete:
                with self._reading:
                    self._shake()
            if self._broken:
                raise ragged_eof()
            if not (size := len(data)):
                return
            with self._writing:
                if self._unsent:
                    self._push()
                if (at := self._written) > size:  # so much is sealed, and cannot be taken back
                    raise build(ssl.SSLError, 1, "BAD_LENGTH", "bad length")
                while at < size:
                    wire = self._seal(bytes(data[at : at + CHUNK]))
                    at = self._written = min(at + CHUNK, size)
                    self._carry(wire)
                self._written = 0
        finally:
            if isinstance(data, memoryview):
                data.release()  # a traceback would keep it, and with it the buffer its size

    def _seal(self, data: bytes) -> bytes:
        connection = self._connection
        if wire := connection.protect(data):
            return wire
        try:
            with self._engine:
                connection.send_data(data)
                return connection.data_to_send()
        except UsageError as error:
            raise translate(error) from error
        except TLSError:
            raise ragged_eof() from None

    def _flush(self) -> None:
        with self._writing:
            self._push()

    def _push(self) -> None:
        """Send all that waits, and what the connection has to say; the caller holds the writing lock."""
        if self._unsent:
            self._carry(self._unsent)
        with self._engine:
            wire = self._connection.data_to_send()
        self._carry(wire)

    def _carry(self, wire: bytes | memoryview) -> None:
        """Send sealed bytes. None may get lost: until the network has them, they are `_unsent`."""
        while wire:
            self._unsent = wire
            sent = self._transmit(wire)
            if sent == len(wire):
                break
            wire = memoryview(wire)[sent:]
        self._unsent = b""

    def _speak(self) -> None:
        """Send what the reading side has to say, unless somebody else is sending: then he will."""
        connection = self._connection
        self._left_over = False
        while connection.wants_to_send or self._unsent:
            self._left_over = True  # set before the lock is tried, read after it is released
            if not self._writing.acquire(blocking=False):
                return
            try:
                if not self._has_room():
                    return
                self._left_over = False
                self._push()
            except OSError:
                return  # found by the next call that depends on it
            finally:
                self._writing.release()

    # -- the end ---------------------------------------------------------------------------------

    def shutdown(self) -> Any:
        """Send close_notify and wait for the peer's (RFC 8446 section 6.1); the socket, if there is one."""
        self._begin()
        if self._broken or not self._done:
            raise build(ssl.SSLError, 1, "SHUTDOWN_WHILE_IN_INIT", "shutdown while in init")
        with self._writing:
            with self._engine:
                self._connection.close()
            self._push()
        with self._reading:
            while not self._peer_closed:
                if self._chunks:
                    text = "application data after close notify"
                    raise build(ssl.SSLError, 1, "APPLICATION_DATA_AFTER_CLOSE_NOTIFY", text)
                self._in_time()
                self._hear_more(self._connection, b"".join(self._take_record()))
        return self._result_of_shutdown()

    # -- late authentication -----------------------------------------------------------------------

    def verify_client_post_handshake(self) -> None:
        """Server: ask for the client's certificate now (RFC 8446 section 4.6.2)."""
        connection = self._connection
        if not isinstance(connection, ServerConnection):
            raise build(ssl.SSLError, 1, "NOT_SERVER", "not server")
        if not self._done:
            raise build(ssl.SSLError, 1, "STILL_IN_INIT", "still in init")
        if connection.info.version != 0x0304:
            raise build(ssl.SSLError, 1, "WRONG_SSL_VERSION", "wrong ssl version")
        if not self._verifies:
            raise build(ssl.SSLError, 1, "INVALID_CONFIG", "invalid config")
        try:
            with self._engine:
                connection.request_certificate(required=self._requires)
        except UsageError as error:
            raise build(ssl.SSLError, 1, "EXTENSION_NOT_RECEIVED", "extension not received", error) from error
        self._speak()

    # -- owner, context, session ---------------------------------------------------------------------

    @property
    def owner(self) -> Any:
        """The `SSLSocket` or `SSLObject` that callbacks are given."""
        return None if self._owner is None else self._owner()

    @owner.setter
    def owner(self, value: Any) -> None:
        self._owner = None if value is None else weakref.ref(value)

    @property
    def context(self) -> Any:
        """The context. Another may be assigned before the handshake, or by a server name callback: its
        certificate is then shown, and before the handshake its authorities are believed; what else was set
        stays, as in OpenSSL."""
        return self._context

    @context.setter
    def context(self, value: Any) -> None:
        if not isinstance(value, ssl.SSLContext):
            raise TypeError("The value must be a SSLContext")
        self._context = value
        if self._conn is None:
            self._adopt(value)

    @property
    def session(self) -> SSLSession | None:
        """The session, to be resumed by another connection of the same context."""
        if self._session is None and self._done:
            self._session = SSLSession(self._context, None)
        return self._session

    @session.setter
    def session(self, value: Any) -> None:
        if not isinstance(value, SSLSession):
            raise TypeError("Value is not a SSLSession.")
        if not value.belongs_to(self._context):
            raise ValueError("Session refers to a different SSLContext.")
        if self.server_side:
            raise ValueError("Cannot set session for server-side SSLSocket.")
        if self._conn is not None:
            raise ValueError("Cannot set session after handshake.")
        self._session = value

    @property
    def session_reused(self) -> bool:
        """Whether an earlier session was resumed."""
        return self._done and self._connection.info.resumed

    def __repr__(self) -> str:
        side = "server" if self.server_side else "client"
        error = None if self._conn is None else self._conn.error
        state = f"failed: {reason_of(error)}" if error is not None else self.version() or "in handshake"
        return f"<pellucid {side} {self.server_hostname or ''} {state}>"


def _missing(record: bytes) -> int:
    """How many bytes are still to come of a record of which these are here."""
    if len(record) < HEADER:
        return HEADER - len(record)
    length = record[3] << 8 | record[4]
    if record[1] != 3 or length > _MOST:
        return 0  # it is for the connection to refuse
    return HEADER + length - len(record)


def _as_bytes(data: Any) -> bytes | memoryview:
    """What is to be written, one by one byte; much of it is not copied."""
    try:
        view = memoryview(data)
    except TypeError:
        kind = type(data).__name__
        raise TypeError(f"a bytes-like object is required, not {kind!r}") from None
    return bytes(view) if view.nbytes <= CHUNK else view.cast("B")


def _checked_name(name: str | None) -> str | None:
    if name is None:
        return None
    if not name or name.startswith("."):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    if "\0" in name:
        raise TypeError("embedded null character")
    return name
