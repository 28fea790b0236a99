"""ASGI: what an application is told about its connection, and TLS by pellucid in uvicorn and hypercorn.

The ASGI TLS Extension, version 0.2; RFC 4514 (names as text). Neither uvicorn nor hypercorn fills that
extension; `TLSExtension` does, around any application:

    uvicorn.run(TLSExtension(app), ssl_certfile="site.pem", ssl_keyfile="site-key.pem",
                ssl_ca_certs="clients.pem", ssl_cert_reqs=ssl.CERT_OPTIONAL,
                ssl_context_factory=ssl_context_factory)

Certificates may be renewed in their files while the server runs; see `pellucid.reload`.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from cryptography import x509

from pellucid.compat import ssl
from pellucid.compat.lowlevel import LowLevel
from pellucid.errors import Reason, UsageError
from pellucid.info import ConnectionInfo
from pellucid.reload import CertificateFiles

_log = logging.getLogger(__name__)

Application = Callable[[Any, Any, Any], Awaitable[None]]

_STEPS = 6
"""From the application's `send` to the transport: one step in uvicorn, three in hypercorn."""

_told: weakref.WeakKeyDictionary[LowLevel, tuple[ConnectionInfo, dict[str, Any]]] = (
    weakref.WeakKeyDictionary()
)


class TLSExtension:
    """Middleware that puts `scope["extensions"]["tls"]` before an application; see `tls_extension`.

    It must be the outermost: it finds the connection by the server's own `send`, which another
    middleware may hide. Where it finds none of pellucid's, it leaves the scope as it is, so that an
    application which needs the extension must refuse requests without it.

    Parameters:
        app: an ASGI 3 application.

    >>> import asyncio
    >>> async def app(scope, receive, send):
    ...     print(scope.get("extensions"))
    >>> async def send(message): ...
    >>> asyncio.run(TLSExtension(app)({"type": "http"}, None, send))  # no connection is behind it
    None
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run the application, with the extension if the request came over a connection of pellucid's."""
        if scope["type"] in ("http", "websocket") and (connection := connection_behind(send)) is not None:
            extensions = dict(scope.get("extensions") or {})
            extensions["tls"] = tls_extension(connection)
            scope = {**scope, "extensions": extensions}
        await self.app(scope, receive, send)


def tls_extension(connection: Any) -> dict[str, Any]:
    """What the ASGI TLS Extension tells of a server's connection.

    Parameters:
        connection: an `SSLSocket` or `SSLObject` of pellucid's, after its handshake.

    Returns:
        `server_cert`: PEM, or None if none was sent, as in a resumption. `client_cert_chain`: PEM, the
        client's certificate first; empty without one. `client_cert_name`: its subject (RFC 4514).
        `client_cert_error`: None, or why it is not believed. `tls_version` and `cipher_suite`: numbers.

    Raises:
        UsageError: it is not pellucid's, or its handshake is not complete (`Reason.NOT_CONNECTED`).
    """
    low = ssl.details(connection)
    info = low.info
    before = _told.get(low)
    if before is None or before[0] is not info:  # a client may show its certificate later
        before = _told[low] = info, _described(low, info)
    return {**before[1], "client_cert_chain": list(before[1]["client_cert_chain"])}


def _described(low: LowLevel, info: ConnectionInfo) -> dict[str, Any]:
    own, chain = low.own_chain, info.peer_chain
    name = x509.load_der_x509_certificate(chain[0]).subject.rfc4514_string() if chain else None
    return {
        "server_cert": ssl.DER_cert_to_PEM_cert(own[0]) if own else None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(der) for der in chain],
        "client_cert_name": name,
        "client_cert_error": "not verified" if chain and not info.verified_chain else None,
        "tls_version": info.version,
        "cipher_suite": info.cipher_suite,
    }


def connection_behind(send: Any) -> LowLevel | None:
    """The connection of pellucid's on which a server's `send` sends; None if there is none.

    `send` is a method of the server's, and its object holds the transport, or the next `send`. This
    follows the objects themselves, never an address or a context variable: one connection's client
    can not be taken for another's.
    """
    for _ in range(_STEPS):
        owner = getattr(send, "__self__", None)
        if owner is None:
            return None
        for name in ("transport", "writer", "stream"):  # uvicorn; hypercorn on asyncio; on trio
            holder = getattr(owner, name, None)
            get = getattr(holder, "get_extra_info", None)
            found = holder if get is None else get("ssl_object")
            if found is not None:
                try:
                    return ssl.details(found)
                except UsageError:
                    continue
        send = getattr(owner, "send", None)
    return None


def ssl_context_factory(config: Any, default: Callable[[], Any] | None = None) -> ssl.SSLContext:
    """For uvicorn's `ssl_context_factory`: a context of pellucid's by uvicorn's own settings.

    Parameters:
        config: a `uvicorn.Config`; `ssl_certfile`, `ssl_keyfile`, `ssl_keyfile_password`, `ssl_cert_reqs`,
            `ssl_ca_certs` and `ssl_ciphers` are honoured, and the application protocols.
        default: how uvicorn would make one; not called.

    Raises:
        UsageError: there is no `ssl_certfile` (`Reason.BAD_CONFIG`).
        ssl.SSLError, OSError: the files cannot be used.

    >>> import types
    >>> ssl_context_factory(types.SimpleNamespace(ssl_certfile=None))
    Traceback (most recent call last):
    pellucid.errors.UsageError: ...
    """
    if not config.ssl_certfile:
        raise UsageError(Reason.BAD_CONFIG, "uvicorn was given no ssl_certfile")
    context: ssl.SSLContext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    show_files(context, config.ssl_certfile, config.ssl_keyfile, config.ssl_keyfile_password)
    if config.ssl_ca_certs:
        context.load_verify_locations(config.ssl_ca_certs)
    context.verify_mode = ssl.VerifyMode(config.ssl_cert_reqs)
    if config.ssl_ciphers not in (None, "", "TLSv1"):  # "TLSv1", once uvicorn's default, is CBC alone
        context.set_ciphers(config.ssl_ciphers)
    protocols = getattr(getattr(config, "http_protocol_class", None), "alpn_protocols", None)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def show_files(context: ssl.SSLContext, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
    """Let a context show what is in these files, at each new connection: they may be renewed meanwhile.

    New files that cannot be used change nothing, and are a warning of the logger "pellucid.asgi".

    Parameters:
        context: of pellucid's.
        certfile, keyfile, password: as for `load_cert_chain`.

    Raises:
        ssl.SSLError, OSError: the files cannot be used.
    """
    context.load_cert_chain(certfile, keyfile, password)  # whose errors these servers' users know

    def complain(error: UsageError) -> None:
        _log.warning("the certificate is the one from before: %s", error)

    try:
        files = CertificateFiles(certfile, keyfile, password or None, on_error=complain)
    except UsageError:
        if not password:
            raise
        files = CertificateFiles(certfile, keyfile, on_error=complain)  # its key needs no password
    context.use_identity(files)


class _HypercornTLS:
    """What `HypercornConfig` does in its own way."""

    def create_ssl_context(self: Any) -> ssl.SSLContext | None:
        """A context of pellucid's by hypercorn's own settings; None without a certificate."""
        if not self.ssl_enabled:
            return None
        context: ssl.SSLContext = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_ciphers(self.ciphers)
        context.set_alpn_protocols(self.alpn_protocols)
        show_files(context, self.certfile, self.keyfile, self.keyfile_password)
        if self.ca_certs is not None:
            context.load_verify_locations(self.ca_certs)
        if self.verify_mode is not None:
            context.verify_mode = self.verify_mode
        if self.verify_flags is not None:
            context.verify_flags = self.verify_flags
        return context


def __getattr__(name: str) -> Any:
    """`HypercornConfig`: hypercorn's `Config` over pellucid. Made when first asked for, for hypercorn is
    nobody's duty; and a name of this module, for hypercorn's workers are given it by pickle."""
    if name != "HypercornConfig":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hypercorn.config import Config

    made = type(name, (_HypercornTLS, Config), {"__module__": __name__, "__doc__": _HypercornTLS.__doc__})
    globals()[name] = made
    return made
