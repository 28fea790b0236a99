"""The sans-IO connection: bytes in, bytes out, events and requests. One class for each role.

RFC 8446 sections 5 (records), 6 (alerts), 6.1 (closure); RFC 5246 sections 6 and 7.2.

    conn = ClientConnection(config, server_name="example.org")
    send(conn.data_to_send())
    conn.receive_data(data)              # raises TLSError; the alert is then in data_to_send()
    for event in conn.events(): ...
    conn.send_data(b"hello"); send(conn.data_to_send())

No socket, file or clock is touched here. Reading and writing are two halves that share only the
flag of a KeyUpdate to be answered: one thread may call `receive_data` while another calls
`send_data` and `data_to_send`. Whatever the reader wants to say (alerts, key updates) is sealed
by the next call to `data_to_send`. What happens inside is in `machine.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pellucid.config import ClientConfig, ServerConfig
from pellucid.crypto import schedule12, schedule13
from pellucid.errors import ConnectionEnded, Reason, TLSError, UsageError
from pellucid.events import Event, FindPsk, SelectConfig, SelectIdentity
from pellucid.handshake.client import client
from pellucid.handshake.context import Handshake
from pellucid.handshake.post import request_certificate, update_keys
from pellucid.handshake.server import server
from pellucid.machine import Machine
from pellucid.protection import APPLICATION_DATA, CHEAP_TO_COPY
from pellucid.secret import Secret
from pellucid.wire.codepoints import Alert, AlertLevel

if TYPE_CHECKING:
    from pellucid.wire.messages import ClientHello


class Connection(Machine):
    """What both roles share. Make a `ClientConnection` or a `ServerConnection`."""

    __slots__ = ()

    # -- what the application calls ----------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take in bytes from the peer; what they mean is then in `events()`.

        Raises:
            TLSError: the peer is refused, or it refused us. The alert for the peer, if there is
                one, is in `data_to_send()`; events from before the fault are still in `events()`.
        """
        if self._error is not None:
            raise self._error.anew()
        if self._read_closed:
            return  # RFC 8446 6.1: any data received after a closure alert MUST be ignored
        self._read.feed(data)
        self._advance()

    def receive_eof(self) -> None:
        """The peer's side of the line ended.

        Raises:
            ConnectionEnded: without close_notify: data may be missing (`Reason.TRUNCATED`), or in
                the middle of the handshake (`Reason.EOF_IN_HANDSHAKE`).
        """
        if self._error is not None:
            raise self._error.anew()
        if self._read_closed:
            return
        reason = Reason.TRUNCATED if self._done else Reason.EOF_IN_HANDSHAKE
        self._fail(ConnectionEnded(reason))

    def next_event(self) -> Event | None:
        """The next event, or None when there is none for now."""
        return self._events.pop(0) if self._events else None

    def events(self) -> Iterator[Event]:
        """The events that are waiting."""
        events = self._events
        while events:
            yield events.pop(0)

    def send_data(self, data: bytes | bytearray | memoryview) -> None:
        """Send application data. It is sealed by the next `data_to_send()`.

        Raises:
            UsageError: before the handshake allows it, or after `close()`.
        """
        if not self._sending:
            self._refuse_to_send()
        if self._key_update_owed:
            self._answer_key_update()  # RFC 8446 4.6.3: before the next application data
        if data:
            self._write.queue(APPLICATION_DATA, data if type(data) is bytes else bytes(data))

    def data_to_send(self) -> bytes:
        """The bytes that are to go to the peer, once."""
        if self._error is not None:
            return self._last_words()
        write = self._write
        if self._said:
            self._say()
        if self._key_update_owed:
            self._answer_key_update()
        while True:
            try:
                return write.take()
            except TLSError as error:
                self._renew_keys(error)

    # The short ways, for what most of a connection's life consists of: application data, and nothing
    # else. Each keeps to its own half, and does nothing at all unless everything is as it mostly is.

    def protect(self, data: bytes) -> bytes:
        """`send_data` and `data_to_send` in one call, where the outcome is this data alone.

        Returns:
            Its records (RFC 8446 section 5.2); b"": there is more to it, and nothing has happened: take
            the long way.

        >>> from pellucid import Authority
        >>> authority = Authority.create()
        >>> client = ClientConnection(ClientConfig(trust=authority.trust()), "localhost")
        >>> server = ServerConnection(ServerConfig(identities=(authority.issue("localhost"),)))
        >>> for one, other in ((client, server), (server, client), (client, server)):
        ...     other.receive_data(one.data_to_send())
        >>> wire = client.protect(b"hello")
        >>> server.deprotect(wire)  # HandshakeCompleted still waits in `events()`
        b''
        >>> [type(event).__name__ for event in server.events()]
        ['HandshakeCompleted']
        >>> server.deprotect(wire)
        b'hello'
        """
        write = self._write
        if (
            self._sending
            and data
            and type(data) is bytes
            and not (write._pending or write._out or self._said or self._key_update_owed or self._note)
        ):
            most = write.max_fragment
            if len(data) > most:
                return write.protection.seal_data(data, most)
            try:
                return write.protection.seal(APPLICATION_DATA, data)
            except TLSError:
                pass  # the keys are used up
        return b""

    def deprotect(self, wire: bytes, body: Any = b"") -> bytes:
        """`receive_data` and `next_event` in one call, where the outcome is the data of one record.

        Parameters:
            wire: the record; or its header of 5 bytes, and then `body` is the rest.

        Returns:
            The data; b"": there is more to it, or something is wrong, and nothing has happened: take the
            long way. `protect` has an example.
        """
        read = self._read
        if self._info is None or (
            read.buffer
            or self._events
            or self._fragments
            or self._request
            or self._error
            or self._read_closed
            or self._note
        ):
            return b""
        if not body:
            size = len(wire) - 5
            if size < 1 or wire[3] << 8 | wire[4] != size:
                return b""
            wire, body = wire[:5], wire[5:] if size < CHEAP_TO_COPY else memoryview(wire)[5:]
        data = read.protection.open_data(wire, body)
        if data and self._since_data:
            self._since_data.clear()
        return data

    @property
    def wants_to_send(self) -> bool:
        """Whether `data_to_send()` has something."""
        write = self._write
        return bool(write._pending or write._out or self._said or self._key_update_owed)

    def close(self) -> None:
        """Send close_notify (RFC 8446 section 6.1). Reading goes on until the peer closes too."""
        if not self._write_closed and self._error is None:
            self._send_alert(AlertLevel.warning, Alert.close_notify)
            self._write_closed = True
            self._sending = False
            if self._note is not None:
                self._note(("state", "close_notify sent"))

    def abort(self, alert: int = Alert.user_canceled) -> None:
        """End the connection with a fatal alert."""
        if self._error is None:
            self._fail(TLSError(Reason.APPLICATION_ABORTED, alert=alert), raising=False)

    def update_keys(self, *, request: bool = False) -> None:
        """Change our sending keys (RFC 8446 section 4.6.3), and ask the peer to change its own.

        Raises:
            UsageError: before the handshake is complete, or in TLS 1.2, which cannot.
        """
        if not self._done or self._version != 0x0304 or self._write_closed:
            raise UsageError(Reason.NOT_CONNECTED, "only a complete TLS 1.3 connection can update its keys")
        update_keys(self, request=request)

    # -- what the application may know -------------------------------------------------------------

    @property
    def handshake_complete(self) -> bool:
        """Whether both Finished messages were right."""
        return self._info is not None

    @property
    def error(self) -> TLSError | None:
        """What ended the connection, if a fault did; without its traceback."""
        return None if self._error is None else self._error.anew()

    @property
    def closed(self) -> tuple[bool, bool]:
        """Whether (the peer, we) have sent close_notify, or the connection failed."""
        failed = self._error is not None
        return self._read_closed or failed, self._write_closed or failed

    def unread_data(self) -> bytes:
        """What came behind the peer's close_notify: it belongs to whatever follows TLS (STARTTLS)."""
        return self._read.take_unread() if self._read_closed else b""

    def export(
        self, label: str | bytes, context: bytes | None = None, length: int = 32, *, early: bool = False
    ) -> Secret:
        """Keying material for another protocol (RFC 8446 section 7.5, RFC 5705).

        Parameters:
            label: its name, from the IANA registry of exporter labels.
            context: what it is bound to; in TLS 1.3 none is the same as an empty one.
            length: bytes.
            early: bound to the ClientHello and its pre-shared key only: what 0-RTT data may use, from
                its first byte on. Whoever replays the early data gets the same again.

        Raises:
            UsageError: too early, without early data, or TLS 1.2 without the extended master secret
                (RFC 7627 section 5.4).
        """
        if isinstance(label, str):
            label = label.encode("ascii")
        if early:
            if self._early_exporter is None:
                raise UsageError(Reason.NOT_CONNECTED, "there is no early data to bind to")
            hash, secret = self._early_exporter
            return schedule13.export(hash, secret, label, context or b"", length)
        if self._exporter is None:
            raise UsageError(Reason.NOT_CONNECTED)
        if self._version == 0x0304:
            hash, secret = self._exporter
            return schedule13.export(hash, secret, label, context or b"", length)
        hash, master, randoms = self._exporter
        if not self.info.extended_master_secret and not self._unsafe_bindings:
            raise UsageError(Reason.UNSAFE_EXPORT)
        return schedule12.export(hash, master, label, randoms, context, length)

    def channel_binding(self, kind: str) -> bytes:
        """Bytes that both ends of this very connection share, to bind a login to it.

        Parameters:
            kind: "tls-exporter" (RFC 9266), "tls-server-end-point" (RFC 5929), or "tls-unique"
                (RFC 5929; TLS 1.2 with extended master secret only).

        Raises:
            UsageError: the kind does not exist for this connection.
        """
        if not self._done:
            raise UsageError(Reason.NOT_CONNECTED)
        if kind == "tls-exporter":
            return self.export("EXPORTER-Channel-Binding", b"", 32).reveal()
        if kind == "tls-server-end-point":
            return self._end_point()
        extended = self.info.extended_master_secret
        old = self._unsafe_bindings and not self.info.resumed  # RFC 7627 1: unsafe, but defined
        if kind == "tls-unique" and self._version != 0x0304 and (extended or old):
            return bytes(self._master)
        raise UsageError(Reason.NO_SUCH_BINDING, f"{kind} over {self.info.version_name}")

    @property
    def _unsafe_bindings(self) -> bool:
        """Whether the policy names what RFC 7627 section 5.4 forbids without extended master secret."""
        return "unsafe-bindings" in self._config.policy.legacy

    @property
    def finished(self) -> bytes:
        """The verify_data of the Finished that OpenSSL takes for tls-unique: in TLS 1.2 the first one
        (RFC 5929 section 3); in TLS 1.3, which has no tls-unique (RFC 9266 section 1), the client's, or
        in a resumed session the server's.

        Raises:
            UsageError: the handshake is not complete.
        """
        if not self._done:
            raise UsageError(Reason.NOT_CONNECTED)
        return bytes(self._master)

    def _end_point(self) -> bytes:
        from pellucid.trust.peer import server_end_point

        chain = self.info.peer_chain if self.client else self._own_chain
        if not chain:
            raise UsageError(Reason.NO_SUCH_BINDING, "there is no server certificate")
        return server_end_point(chain[0])

    @property
    def traffic_secrets(self) -> tuple[Secret, Secret]:
        """The present TLS 1.3 traffic secrets (read, write): for kernel TLS, or a debugger."""
        if self._read_secret is None or self._write_secret is None:
            raise UsageError(Reason.NOT_CONNECTED)
        return self._read_secret, self._write_secret

    def _refuse_to_send(self) -> None:
        if self._error is not None:
            raise self._error.anew()
        raise UsageError(Reason.CLOSED if self._write_closed else Reason.NOT_CONNECTED)


class ClientConnection(Connection):
    """The client's side. The ClientHello waits in `data_to_send()` from the start.

    Parameters:
        config: a `ClientConfig`; None is the default: the system's authorities, TLS 1.3 and 1.2.
        server_name: the DNS name or IP address that the certificate must be for.

    Raises:
        UsageError: no name although there is somebody to verify, or a name that is none.
    """

    __slots__ = ()
    client = True

    def __init__(self, config: ClientConfig | None = None, server_name: str | None = None) -> None:
        config = config or ClientConfig()
        super().__init__(config, server_name)
        self._begin(client(Handshake(self, self._config, server_name)))

    @property
    def early_data_limit(self) -> int:
        """Bytes of early data that may still be sent; 0 once the server has answered."""
        if self._early_sent is None:
            return 0
        return self._early_limit - sum(map(len, self._early_sent))

    def send_early_data(self, data: bytes) -> None:
        """Send 0-RTT data (RFC 8446 section 4.2.10). Anyone may replay it: only what is idempotent.

        Raises:
            UsageError: none is offered, or more than `early_data_limit`.
        """
        if self._early_sent is None or len(data) > self.early_data_limit:
            raise UsageError(Reason.NOT_CONNECTED, f"{self.early_data_limit} bytes of early data are allowed")
        self._early_sent.append(bytes(data))
        self._write.queue(APPLICATION_DATA, bytes(data))


class ServerConnection(Connection):
    """The server's side.

    Parameters:
        config: a `ServerConfig` with at least one identity or pre-shared key.
    """

    __slots__ = ()

    def __init__(self, config: ServerConfig) -> None:
        if not (config.identities or config.psks or config.ask & {SelectConfig, SelectIdentity, FindPsk}):
            raise UsageError(Reason.BAD_CONFIG, "a server needs an identity, or pre-shared keys")
        super().__init__(config, None)
        self._ccs_allowed = config.stateless_retry  # RFC 8446 4.2.2: we may have forgotten the first hello
        self._begin(server(Handshake(self, self._config, None)))

    @property
    def client_hello(self) -> ClientHello | None:
        """The client's last hello, decoded anew: only its bytes are kept."""
        from pellucid.wire.messages import ClientHello

        if not self._hello:
            return None
        hello = ClientHello.decode(self._hello, 4)
        hello.raw = self._hello
        return hello

    def request_certificate(self, *, required: bool | None = None) -> None:
        """Ask for the client's certificate now (RFC 8446 section 4.6.2).

        Parameters:
            required: whether a client without one is refused; None: as `client_auth` says.

        Raises:
            UsageError: the client did not offer it, or the configuration did not prepare it.
        """
        request_certificate(self, required=required)
