"""pellucid: TLS that you can see through. TLS 1.3 and 1.2, client and server, sans-IO.

Everything public is reached from here, and loaded when first touched:

>>> import pellucid
>>> pellucid.Policy().versions
(772, 771)
"""

from __future__ import annotations

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
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
    value = getattr(import_module(f"pellucid.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
