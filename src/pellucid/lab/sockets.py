"""The misbehaving peers over real sockets: against any TLS peer, in this process or anywhere else.

`probe` is a client that connects, breaks the rules it was told to, and reports how it was taken;
`serve` a server that does so with whoever comes. What they tell is an `Outcome`: above all the alert
by which the other side refused (RFC 8446 section 6).
"""

from __future__ import annotations

import contextlib
import copy
import socket
import threading
from collections.abc import Callable
from typing import Any, Self

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import Connection
from pellucid.errors import PeerRefused, Reason, TLSError, UsageError
from pellucid.events import DataReceived, Event, HandshakeCompleted, PeerClosed, Request
from pellucid.info import ConnectionInfo
from pellucid.lab.faults import Fault, Item, Tap
from pellucid.lab.peers import MisbehavingClient, MisbehavingServer
from pellucid.wire.codepoints import Alert

CHUNK = 65_536
After = Callable[[Any], None]


class Outcome:
    """How a conversation over a socket went.

    Attributes:
        peer: our misbehaving side; its `error` says why we ended it, if we did.
        events: what it reported.
        sent: the handshake messages (bytes) and other records that it sent, after all faults.
        end: how the line ended: "close_notify", "eof" (cut without one), "reset", "silence" (nothing
            came for the whole timeout), or "" while it goes on.
    """

    def __init__(self, peer: Connection, tap: Tap) -> None:
        self.peer = peer
        self.events: list[Event] = []
        self.end = ""
        self._tap = tap

    @property
    def sent(self) -> list[Item]:
        """See the class."""
        return self._tap.sent

    @property
    def completed(self) -> bool:
        """Whether our side finished its handshake. The other may still have refused its last message."""
        return any(isinstance(event, HandshakeCompleted) for event in self.events)

    @property
    def info(self) -> ConnectionInfo:
        """What was agreed on; `UsageError` if nothing was."""
        return self.peer.info

    @property
    def error(self) -> TLSError | None:
        """Why our side ended the conversation, if it did."""
        return self.peer.error

    @property
    def alert(self) -> Alert | None:
        """The fatal alert by which the other side refused; None if it sent none that we could read."""
        error = self.peer.error
        if isinstance(error, PeerRefused) and error.alert is not None:
            return Alert(error.alert)
        return None

    @property
    def data(self) -> bytes:
        """The application data that came."""
        return b"".join(event.data for event in self.events if isinstance(event, DataReceived))

    def __repr__(self) -> str:
        if self.alert is not None:
            how = f"refused by {self.alert.name}"
        elif self.error is not None:
            how = f"ended by us: {self.error.reason.label}"
        else:
            how = "completed" if self.completed else "unfinished"
        return f"<Outcome {how}, {self.end or 'going on'}, {len(self.data)} bytes received>"


def drive(
    sock: socket.socket, peer: Connection, outcome: Outcome, *, after: After | None = None, timeout: float = 5
) -> Outcome:
    """Carry bytes between `sock` and `peer` until one side ends, or nothing comes for `timeout` seconds."""
    sock.settimeout(timeout)
    pending = after
    try:
        _send(sock, peer)
        while not outcome.end:
            data = sock.recv(CHUNK)
            with contextlib.suppress(TLSError):
                if data:
                    peer.receive_data(data)
                else:
                    outcome.end = "eof"
                    peer.receive_eof()
            outcome.events.extend(peer.events())
            if any(isinstance(event, Request) for event in outcome.events):
                raise UsageError(Reason.BAD_CONFIG, "the laboratory answers no requests: leave `ask` empty")
            if any(isinstance(event, PeerClosed) for event in outcome.events):
                outcome.end = "close_notify"
            if pending is not None and peer.handshake_complete and peer.error is None:
                pending(peer)
                pending = None
            _send(sock, peer)
    except TimeoutError:
        outcome.end = "silence"
    except ConnectionError:
        outcome.end = "reset"
    return outcome


def _send(sock: socket.socket, peer: Connection) -> None:
    if data := peer.data_to_send():
        sock.sendall(data)


def probe(
    address: tuple[str, int] | socket.socket,
    config: ClientConfig,
    *faults: Fault,
    server_name: str | None = "localhost",
    after: After | None = None,
    timeout: float = 5,
) -> Outcome:
    """Connect to a server, break the rules in `faults`, and see how it takes them.

    Parameters:
        address: host and port of any TLS server, or a connected socket (after STARTTLS, say).
        config: as for an honest client.
        faults: what to do wrong; see `pellucid.lab.faults`. None makes an honest client.
        server_name: the name to ask for.
        after: called with our side once its handshake is complete: to send data, to `inject` more.
        timeout: seconds to wait for the other side, each time.

    Raises:
        OSError: nobody listens there.

    >>> from pellucid import Authority, ClientConfig, ServerConfig, serve
    >>> from pellucid.lab import edit
    >>> from pellucid.wire.messages import Finished
    >>> authority = Authority.create()
    >>> server = ServerConfig(identities=(authority.issue("localhost"),))
    >>> with serve(lambda tls: None, server) as listening:
    ...     probe(
    ...         ("localhost", listening.port),
    ...         ClientConfig(trust=authority.trust()),
    ...         edit(Finished, verify_data=bytes(32)),
    ...     ).alert
    <Alert.decrypt_error: 51>
    """
    tap = Tap()
    peer = MisbehavingClient(config, server_name, *faults, tap)
    sock = address if isinstance(address, socket.socket) else socket.create_connection(address, timeout)
    with sock:
        return drive(sock, peer, Outcome(peer, tap), after=after, timeout=timeout)


class Trap:
    """A listening server that breaks rules. Made by `serve`; a context manager.

    Attributes:
        port: where it listens.
        outcomes: one for each connection so far, in order of arrival.
    """

    def __init__(
        self, config: ServerConfig, faults: tuple[Fault, ...], after: After | None, host: str, timeout: float
    ) -> None:
        self._config = config
        self._faults = faults
        self._after = after
        self._timeout = timeout
        self.outcomes: list[Outcome] = []
        self._ended: set[Outcome] = set()
        self._changed = threading.Condition()
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        tap = Tap()
        peer = MisbehavingServer(self._config, *copy.deepcopy(self._faults), tap)
        outcome = Outcome(peer, tap)
        self.outcomes.append(outcome)
        try:
            with sock:
                drive(sock, peer, outcome, after=self._after, timeout=self._timeout)
        finally:
            with self._changed:
                self._ended.add(outcome)
                self._changed.notify_all()

    def outcome(self, number: int = 0, timeout: float = 10) -> Outcome:
        """What became of a connection, once it has ended; the first has the number 0.

        Raises:
            TimeoutError: it has not come and ended within `timeout` seconds.
        """

        def ended() -> bool:
            return len(self.outcomes) > number and self.outcomes[number] in self._ended

        with self._changed:
            if not self._changed.wait_for(ended, timeout):
                raise TimeoutError(f"connection {number} has not ended within {timeout} s")
        return self.outcomes[number]

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def serve(
    config: ServerConfig,
    *faults: Fault,
    after: After | None = None,
    host: str = "127.0.0.1",
    timeout: float = 5,
) -> Trap:
    """Listen on a free port, and break the rules in `faults` with every client that comes.

    Parameters:
        config: as for an honest server.
        faults: what to do wrong; each connection gets its own copies.
        after: called with our side of a connection once its handshake is complete.
        host: where to listen.
        timeout: seconds to wait for a client, each time.

    >>> import ssl
    >>> from pellucid import Authority, ServerConfig
    >>> from pellucid.lab import flip
    >>> from pellucid.wire.messages import CertificateVerify
    >>> authority = Authority.create()
    >>> victim = ssl.create_default_context(cadata=authority.pem.decode())
    >>> config = ServerConfig(identities=(authority.issue("localhost"),))
    >>> with serve(config, flip(CertificateVerify)) as trap:
    ...     with socket.create_connection(("localhost", trap.port)) as sock:
    ...         try:
    ...             victim.wrap_socket(sock, server_hostname="localhost")
    ...         except ssl.SSLError:
    ...             print("it noticed")
    ...     print(trap.outcome())
    it noticed
    <Outcome refused by decrypt_error, eof, 0 bytes received>
    """
    return Trap(config, faults, after, host, timeout)
