"""The line to the runner: a socket, and a connection that is fed one record at a time.

A sans-IO core takes whatever has arrived and says everything that it means. The runner expects what
BoringSSL's blocking API does, which reads one record for each thing that it returns: so the bytes are
handed on record by record, and nothing is read ahead of an answer that is still to be written.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque

from pellucid.connection import Connection
from pellucid.errors import TLSError
from pellucid.events import Event


class Line:
    """One TCP connection and its TLS connection.

    Parameters:
        sock: connected.
        conn: the core.
        bytewise: feed single bytes (`-async`), as far as that is quick enough.
    """

    def __init__(self, sock: socket.socket, conn: Connection, *, bytewise: bool) -> None:
        self.sock = sock
        self.conn = conn
        self.bytewise = bytewise
        self.failure: TLSError | None = None
        self.ended = False
        self._arrived = b""
        self._due = 0  # bytes of the present record that are still to be fed
        self._pushed_back: deque[Event] = deque()

    @classmethod
    def open(cls, port: int, ipv6: bool, shim_id: int) -> socket.socket:
        """Connect, and say which test this is."""
        sock = socket.create_connection(("::1" if ipv6 else "127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(shim_id.to_bytes(8, "little"))
        return sock

    def flush(self) -> None:
        """Send what the core has to say. A runner that hung up does not want it."""
        data = self.conn.data_to_send()
        if data:
            with contextlib.suppress(OSError):
                self.sock.sendall(data)

    def event(self) -> Event | None:
        """The next event; None at the end of the line.

        Raises:
            TLSError: after the last event before it.
        """
        while True:
            if self._pushed_back:
                return self._pushed_back.popleft()
            event = self.conn.next_event()
            if event is not None:
                return event
            self.speak()
            if self.failure is not None:
                raise self.failure
            if not self.feed():
                return None

    def push_back(self, event: Event) -> None:
        """Give an event back, for whoever asks next."""
        self._pushed_back.append(event)

    def speak(self) -> None:
        """Send what may not wait: handshake flights and alerts, but no answer to a KeyUpdate."""
        if not self.conn._key_update_owed or self.failure is not None:
            self.flush()

    def feed(self) -> bool:
        """Hand the next piece to the core; False at the end of the line."""
        while len(self._arrived) < (1 if self._due else 5):
            try:
                more = self.sock.recv(65536)
            except ConnectionError:
                more = b""
            self._arrived += more
            if not more:
                self.ended = not self._arrived
                break
        if self.ended:
            return False
        data = self._arrived
        size = self._due or self._record(data)
        piece = data[: 1 if self.bytewise and self._due < 2048 else size]
        self._arrived = data[len(piece) :]
        self._due = size - len(piece)
        try:
            self.conn.receive_data(piece)
        except TLSError as error:
            self.failure = error
        return True

    def _record(self, data: bytes) -> int:
        """The size of the record that begins here; of what cannot be one, all that there is."""
        if data[0] not in range(20, 27) or len(data) < 5:
            return len(data)
        return 5 + int.from_bytes(data[3:5], "big")

    def close(self) -> None:
        """Half-close, and read until the runner has hung up: a reset would eat what is on its way."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(65536):
                pass
        self.sock.close()
