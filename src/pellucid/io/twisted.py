"""TLS for Twisted: what its own TLS protocol drives in place of a connection of pyOpenSSL's.

RFC 8446 sections 6.1 (closure) and 6.2 (alerts leave before the failure is told). Twisted keeps its
transports, producers and endpoints; `ServerTLS` and `ClientTLS` go where it takes a context factory:

    endpoints.wrapClientTLS(ClientTLS("example.org"), endpoint)
    reactor.listenSSL(443, factory, ServerTLS(config))

pyOpenSSL must be there, for its exceptions: `pip install 'pellucid[twisted]'`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from cryptography import x509
from OpenSSL.crypto import X509
from OpenSSL.SSL import Error, WantReadError, ZeroReturnError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from zope.interface import implementer

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import ConnectionEnded, Reason, TLSError, UsageError
from pellucid.io.shell import Answer, Shell, refuse_request


class TLSFailure(Error):
    """What a protocol's `connectionLost` is told, as pyOpenSSL would say it.

    Attributes:
        tls_error: the `TLSError`, with its reason and explanation.
    """

    def __init__(self, error: TLSError) -> None:
        # Twisted takes these words for a line that was cut, and tells the protocol `ConnectionLost`.
        cut = isinstance(error, ConnectionEnded)
        super().__init__([("pellucid", "", "unexpected eof while reading" if cut else str(error))])
        self.tls_error = error


class TwistedConnection(Shell):
    """One connection, with those of pyOpenSSL's methods that Twisted calls.

    Parameters:
        connection: the sans-IO connection to drive.
        answer: called with the requests that the configuration's `ask` names; it answers at once.
    """

    def __init__(self, connection: Connection, answer: Answer | None = None) -> None:
        super().__init__(connection, answer)
        self._failure: TLSError | None = None

    def set_accept_state(self) -> None:
        """Nothing: a connection knows from the start which side it is."""

    set_connect_state = set_accept_state

    def set_app_data(self, data: Any) -> None:
        """Nothing: there are no callbacks that would want it."""

    # -- the network's side ----------------------------------------------------------------------

    def bio_write(self, data: bytes) -> int:
        """Bytes came from the network; what is wrong with them is raised by the next call that reads."""
        if content := self.connection.deprotect(data):
            self._chunks.append(content)
        else:
            self._do(lambda: self.connection.receive_data(data))
        return len(data)

    def bio_shutdown(self) -> None:
        """The network ended."""
        self._do(self.connection.receive_eof)

    def bio_read(self, size: int) -> bytes:
        """All that is to be sent, for Twisted asks once.

        Raises:
            WantReadError: there is nothing.
        """
        data = self.connection.data_to_send()
        if not data:
            raise WantReadError()
        return data

    # -- the application's side ------------------------------------------------------------------

    def do_handshake(self) -> None:
        """Whether the handshake is complete.

        Raises:
            WantReadError: not yet.
            TLSFailure: it failed.
        """
        if not self.connection.handshake_complete:
            self._raise()
            raise WantReadError()

    def recv(self, size: int) -> bytes:
        """Application data, what came before a fault or the end first.

        Raises:
            WantReadError: there is none yet.
            ZeroReturnError: the peer has closed properly.
            TLSFailure: the connection failed.
        """
        if not self._chunks:
            self._raise()
            raise ZeroReturnError() if self._peer_closed else WantReadError()
        return self._up_to(self._chunks.popleft(), size)

    def send(self, data: bytes) -> int:
        """Seal all of `data`.

        Raises:
            WantReadError: the handshake is not complete yet: Twisted keeps the data until it is.
            TLSFailure: nothing can be sent any more.
        """
        self.do_handshake()
        try:
            self.connection.send_data(data)
        except TLSError as error:
            raise TLSFailure(error) from error
        return len(data)

    def shutdown(self) -> bool:
        """Send close_notify; whether the peer's is here too (RFC 8446 section 6.1)."""
        if not self.connection.handshake_complete:
            self.connection.abort()
        self.connection.close()
        return self._peer_closed

    def get_peer_certificate(self) -> X509 | None:
        """The peer's certificate; None without one."""
        chain = self.info.peer_chain if self.connection.handshake_complete else ()
        return X509.from_cryptography(x509.load_der_x509_certificate(chain[0])) if chain else None

    def get_alpn_proto_negotiated(self) -> bytes:
        """The application protocol; empty without one."""
        alpn = self.info.alpn if self.connection.handshake_complete else None
        return (alpn or "").encode("latin-1")

    # -- in between ------------------------------------------------------------------------------

    def _do(self, work: Callable[[], None]) -> None:
        if self._failure is not None:
            return
        try:
            work()
            self._respond()
        except TLSError as error:
            self._failure = error
            self._sort_events()  # data that came before the fault

    def _respond(self) -> None:
        while (request := self._sort_events()) is not None:
            try:
                value = self._ask(request)
                if inspect.isawaitable(value):
                    raise UsageError(Reason.APPLICATION_FAILED, "Twisted's TLS waits for no answer")
            except Exception as error:
                refuse_request(request, error)
            request.answer(value)

    def _raise(self) -> None:
        if self._failure is not None:
            raise TLSFailure(self._failure) from self._failure


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """A server's TLS, for `listenSSL`, `SSL4ServerEndpoint`, `startTLS` and `TLSMemoryBIOFactory`.

    Parameters:
        config: a `ServerConfig`, or a callable that gives the present one (`pellucid.reload`).
        answer: called with the requests that `config.ask` names; it answers at once.

    >>> from pellucid import Authority
    >>> creator = ServerTLS(ServerConfig(identities=(Authority.create().issue("localhost"),)))
    >>> creator.serverConnectionForTLS(None).connection.client
    False
    """

    def __init__(
        self, config: ServerConfig | Callable[[], ServerConfig], *, answer: Answer | None = None
    ) -> None:
        self.config = config
        self._answer = answer

    def serverConnectionForTLS(self, protocol: Any) -> TwistedConnection:
        """A connection for a client that was accepted."""
        config = self.config() if callable(self.config) else self.config
        return TwistedConnection(ServerConnection(config), self._answer)


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """A client's TLS, for `wrapClientTLS`, `connectSSL`, `startTLS` and `TLSMemoryBIOFactory`.

    Parameters:
        server_name: the name that the certificate must be for.
        config: a `ClientConfig`; None trusts the system's authorities.
        answer: called with the requests that `config.ask` names; it answers at once.

    >>> ClientTLS("example.org").clientConnectionForTLS(None).connection.client
    True
    """

    def __init__(
        self, server_name: str | None, config: ClientConfig | None = None, *, answer: Answer | None = None
    ) -> None:
        self.server_name = server_name
        self.config = config
        self._answer = answer

    def clientConnectionForTLS(self, protocol: Any) -> TwistedConnection:
        """A connection to a server."""
        return TwistedConnection(ClientConnection(self.config, self.server_name), self._answer)
