"""pellucid: TLS that you can see through. TLS 1.3 and 1.2, client and server, sans-IO.

Everything public is reached from here, and loaded when first touched:

>>> import pellucid
>>> pellucid.Policy().versions
(772, 771)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.config import ClientConfig, Policy, ServerConfig
    from pellucid.connection import ClientConnection, ServerConnection
    from pellucid.errors import (
        CertificateRefused,
        ConnectionEnded,
        PeerMisbehaved,
        PeerRefused,
        Reason,
        TLSError,
        UsageError,
    )
    from pellucid.glass.recorder import FlightRecorder
    from pellucid.glass.trace import Trace
    from pellucid.info import ConnectionInfo
    from pellucid.io.endpoints import connect, serve, wrap_client, wrap_server
    from pellucid.io.sockets import TLSSocket
    from pellucid.io.stream import TLSStream
    from pellucid.io.streams import open_connection, start_server, start_tls
    from pellucid.io.transport import TLSTransport, create_connection, create_server
    from pellucid.keylog import KeyLog
    from pellucid.replaying import replay
    from pellucid.resumption.psk import PreSharedKey, import_psk
    from pellucid.resumption.sessions import ClientSessions, Session
    from pellucid.resumption.tickets import ReplayMemory, SessionStore, TicketKeys
    from pellucid.secret import Secret
    from pellucid.trust.authority import Authority
    from pellucid.trust.identity import Identity
    from pellucid.trust.verification import Trust, verify

__version__ = "0.1.0"

_HOMES = {
    "config": ("ClientConfig", "Policy", "ServerConfig"),
    "connection": ("ClientConnection", "ServerConnection"),
    "errors": (
        "CertificateRefused",
        "ConnectionEnded",
        "PeerMisbehaved",
        "PeerRefused",
        "Reason",
        "TLSError",
        "UsageError",
    ),
    "glass.recorder": ("FlightRecorder",),
    "glass.trace": ("Trace",),
    "info": ("ConnectionInfo",),
    "io.endpoints": ("connect", "serve", "wrap_client", "wrap_server"),
    "io.sockets": ("TLSSocket",),
    "io.stream": ("TLSStream",),
    "io.streams": ("open_connection", "start_server", "start_tls"),
    "io.transport": ("TLSTransport", "create_connection", "create_server"),
    "keylog": ("KeyLog",),
    "replaying": ("replay",),
    "resumption.psk": ("PreSharedKey", "import_psk"),
    "resumption.sessions": ("ClientSessions", "Session"),
    "resumption.tickets": ("ReplayMemory", "SessionStore", "TicketKeys"),
    "secret": ("Secret",),
    "trust.authority": ("Authority",),
    "trust.identity": ("Identity",),
    "trust.verification": ("Trust", "verify"),
}

__all__ = [  # noqa: RUF022 (in the order in which one meets them)
    "connect", "serve", "wrap_client", "wrap_server", "TLSSocket",
    "open_connection", "start_server", "start_tls", "TLSStream",
    "create_connection", "create_server", "TLSTransport",
    "ClientConfig", "ServerConfig", "Policy", "Identity", "Trust", "Authority", "verify",
    "ClientConnection", "ServerConnection", "ConnectionInfo",
    "Session", "ClientSessions", "SessionStore", "TicketKeys", "ReplayMemory",
    "PreSharedKey", "import_psk", "KeyLog", "Secret",
    "TLSError", "PeerMisbehaved", "CertificateRefused", "PeerRefused", "ConnectionEnded", "UsageError",
    "Reason", "Trace", "FlightRecorder", "replay",
]  # fmt: skip


def late_names(
    package: str, homes: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of `package`, whose names are loaded when first touched (PEP 562).

    Parameters:
        package: its `__name__`.
        homes: the names that each module, as the package calls it, is home of.

    >>> load, listed = late_names("pellucid", {"errors": ("Reason", "TLSError")})
    >>> load("Reason").__module__
    'pellucid.errors'
    >>> load("Raisin")
    Traceback (most recent call last):
    ...
    AttributeError: module 'pellucid' has no attribute 'Raisin'
    """
    home_of = {name: home for home, names in homes.items() for name in names}
    own = sys.modules[package].__dict__

    def load(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = own[name] = getattr(import_module(f"{package}.{home}"), name)
        return value

    return load, lambda: sorted({*own, *home_of})


__getattr__, __dir__ = late_names(__name__, _HOMES)
