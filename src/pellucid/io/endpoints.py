"""Opening TLS over blocking sockets: `connect` and `serve`, and wrapping a socket that is open already."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Self

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.errors import TLSError
from pellucid.io.shell import Answer, hang_up, offer_early_data
from pellucid.io.sockets import LINGER, TLSSocket


def wrap_client(
    sock: Any,
    server_name: str | None,
    config: ClientConfig | None = None,
    *,
    answer: Answer | None = None,
    early_data: bytes = b"",
    handshake: bool = True,
) -> TLSSocket:
    """Speak TLS as the client over a connected socket: after STARTTLS, through a proxy, inside TLS.

    Parameters:
        sock: a connected socket, or a `TLSSocket`.
        server_name: the name that the certificate must be for.
        config: a `ClientConfig`; None trusts the system's authorities.
        answer: called with the requests that `config.ask` names.
        early_data: 0-RTT data to send at once, if the configuration's session allows it.
        handshake: False leaves it to `do_handshake()`, for a non-blocking socket.

    >>> from pellucid import Authority, ServerConfig
    >>> authority = Authority.create()
    >>> server = ServerConfig(identities=(authority.issue("localhost"),))
    >>> ours, theirs = socket.socketpair()
    >>> thread = threading.Thread(target=lambda: wrap_server(theirs, server).sendall(b"hello"))
    >>> thread.start()
    >>> with wrap_client(ours, "localhost", ClientConfig(trust=authority.trust())) as tls:
    ...     tls.recv()
    b'hello'
    >>> thread.join()
    >>> theirs.close()
    """
    connection = ClientConnection(config, server_name)
    offer_early_data(connection, early_data)
    wrapped = TLSSocket(sock, connection, answer)
    if handshake:
        wrapped.do_handshake()
    return wrapped


def wrap_server(
    sock: Any,
    config: ServerConfig,
    *,
    answer: Answer | None = None,
    received: bytes = b"",
    handshake: bool = True,
) -> TLSSocket:
    """Speak TLS as the server over an accepted socket.

    Parameters:
        sock: a connected socket, or a `TLSSocket`.
        config: a `ServerConfig`.
        answer: called with the requests that `config.ask` names.
        received: bytes of the client's that were read from the socket already.
        handshake: False leaves it to `do_handshake()`, for a non-blocking socket.
    """
    wrapped = TLSSocket(sock, ServerConnection(config), answer)
    wrapped.take_in(received)
    if handshake:
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
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return wrap_client(sock, server_name or host, config, answer=answer, early_data=early_data)
    except TLSError:
        hang_up(sock, LINGER)
        raise
    except BaseException:
        sock.close()
        raise


def serve(
    handler: Callable[[TLSSocket], object],
    config: ServerConfig | Callable[[], ServerConfig],
    address: tuple[str, int] = ("127.0.0.1", 0),
    *,
    timeout: float | None = 60.0,
    answer: Answer | None = None,
    on_error: Callable[[BaseException], None] | None = None,
) -> Server:
    """Serve TLS connections, a thread each. Use it as a context manager.

    Parameters:
        handler: called with each connection once its handshake is complete; it is closed afterwards.
        config: a `ServerConfig`, or a callable that gives the present one (hot reload).
        address: where to listen; port 0 lets the system choose (see `Server.port`).
        timeout: seconds that one operation may take.
        answer: called, in the connection's thread, with the requests that `config.ask` names.
        on_error: told of what went wrong in a connection.

    >>> from pellucid import Authority
    >>> authority = Authority.create()
    >>> config = ServerConfig(identities=(authority.issue("localhost"),))
    >>> with serve(lambda tls: tls.sendall(b"hello"), config) as server:
    ...     with connect("localhost", server.port, config=ClientConfig(trust=authority.trust())) as tls:
    ...         b"".join(tls)
    b'hello'
    """
    return Server(handler, config, address, timeout=timeout, answer=answer, on_error=on_error)


class Server:
    """A listening socket and its threads. `port` is where it listens; `config` can be swapped."""

    def __init__(
        self,
        handler: Callable[[TLSSocket], object],
        config: ServerConfig | Callable[[], ServerConfig],
        address: tuple[str, int],
        *,
        timeout: float | None,
        answer: Answer | None = None,
        on_error: Callable[[BaseException], None] | None,
    ) -> None:
        self.config = config
        self._handler = handler
        self._timeout = timeout
        self._answer = answer
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
            except ConnectionError:
                continue  # the client left before it was let in
            except OSError:
                return
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(self._timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            config = self.config() if callable(self.config) else self.config
            with wrap_server(sock, config, answer=self._answer) as tls:
                self._handler(tls)
        except (TLSError, OSError) as error:
            if self._on_error is not None:
                self._on_error(error)
        finally:
            hang_up(sock, LINGER)

    def close(self) -> None:
        """Stop listening; connections under way go on."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
