"""Who takes part in the tests of this folder: one authority, its certificates, and short words.

`client(...)` and `server(...)` make an honest side, or, given faults, a misbehaving one; `talk` lets
two of them speak; `refused` says who must have refused whom, for which reason, with which alert.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid import (
    Authority,
    ClientConfig,
    ClientConnection,
    Policy,
    PreSharedKey,
    ReplayMemory,
    Secret,
    ServerConfig,
    ServerConnection,
    Session,
    legacy,
)
from pellucid.errors import PeerMisbehaved, PeerRefused, Reason
from pellucid.events import EarlyDataReceived, Event, SessionReceived
from pellucid.lab import Conversation, Fault, MisbehavingClient, MisbehavingServer, converse, edit
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello

TLS13 = Policy(versions=(0x0304,), certificate_compression=())
TLS12 = Policy(versions=(0x0303,))
BOTH = Policy(certificate_compression=())
RELAXED12 = legacy.old_peers_policy(versions=(0x0303,))

AUTHORITY = Authority.create()
ECDSA = AUTHORITY.issue("localhost")
RSA = AUTHORITY.issue("localhost", key="rsa-2048")
ED25519 = AUTHORITY.issue("localhost", key="ed25519")
CLIENT = AUTHORITY.issue("client", client=True)
CLIENT_RSA = AUTHORITY.issue("client", client=True, key="rsa-2048")
TRUST = AUTHORITY.trust()
PSK = PreSharedKey(b"device", Secret(bytes(range(32))))


def client_config(policy: Policy = TLS13, **settings: Any) -> ClientConfig:
    return ClientConfig(policy=policy, trust=TRUST, **settings)


def server_config(policy: Policy = TLS13, **settings: Any) -> ServerConfig:
    return ServerConfig(policy=policy, **({"identities": (ECDSA,)} | settings))


def client(*faults: Fault, name: str | None = "localhost", **settings: Any) -> ClientConnection:
    config = settings.pop("config", None) or client_config(**settings)
    return MisbehavingClient(config, name, *faults) if faults else ClientConnection(config, name)


def server(*faults: Fault, **settings: Any) -> ServerConnection:
    config = settings.pop("config", None) or server_config(**settings)
    return MisbehavingServer(config, *faults) if faults else ServerConnection(config)


def talk(a: ClientConnection, b: ServerConnection) -> Conversation:
    return converse(a, b)


def connected(a: ClientConnection | None = None, b: ServerConnection | None = None) -> Conversation:
    """A conversation whose handshake went well."""
    found = converse(a or client(), b or server())
    assert found.completed, found.refusal
    return found


def refused(found: Conversation, side: str, reason: Reason, alert: Alert, *, readable: bool = True) -> None:
    """`side` refused the other for `reason`, with `alert`, under keys that the other could read.

    Not readable: after a bad ServerHello the client has no keys yet, but the server has changed its own.
    """
    one, other = (found.client, found.server) if side == "client" else (found.server, found.client)
    assert one.error is not None, f"the {side} refused nothing (the other: {other.error})"
    assert one.error.reason is reason, one.error
    assert isinstance(one.error, PeerMisbehaved)
    assert one.error.alert == alert
    assert not one.wants_to_send
    if readable:
        assert isinstance(other.error, PeerRefused), other.error
        assert other.error.alert == alert


def client_refuses(reason: Reason, alert: Alert, *faults: Fault, readable: bool = True, **both: Any) -> None:
    """An honest client refuses a server with these faults. `both`: settings for both sides."""
    found = talk(client(**both), server(*faults, **both))
    refused(found, "client", reason, alert, readable=readable)


def server_refuses(reason: Reason, alert: Alert, *faults: Fault, readable: bool = True, **both: Any) -> None:
    """An honest server refuses a client with these faults."""
    found = talk(client(*faults, **both), server(**both))
    refused(found, "server", reason, alert, readable=readable)


def sessions(events: list[Event]) -> tuple[Session, ...]:
    return tuple(event.session for event in events if isinstance(event, SessionReceived))


def session_from(config: ServerConfig, **settings: Any) -> Session:
    """A session that `config` will resume."""
    found = sessions(connected(client(policy=config.policy, **settings), server(config=config)).client_events)
    return found[0]


def early_config(**settings: Any) -> ServerConfig:
    """A server that takes early data."""
    return server_config(max_early_data=14336, replay_guard=ReplayMemory(started_at=0), **settings)


def early_client(
    session: Session, *faults: Fault, data: bytes = b"early", **settings: Any
) -> ClientConnection:
    """A client that sends early data."""
    found = client(*faults, sessions=(session,), early_data=True, **settings)
    found.send_early_data(data)
    return found


def early_received(found: Conversation) -> bytes:
    return b"".join(e.data for e in found.server_events if isinstance(e, EarlyDataReceived))


def shares(change: Callable[[tuple[ext.KeyShareEntry, ...]], tuple[ext.KeyShareEntry, ...]]) -> Fault:
    """Change the client's key shares."""

    def apply(hello: Any) -> None:
        found = ext.KeyShareClientHello.decode(hello.extensions[X.key_share]).client_shares
        hello.extensions[X.key_share] = ext.KeyShareClientHello(change(found)).encode()

    return edit(ClientHello, apply)


def groups(*codes: int) -> bytes:
    return ext.SupportedGroups(codes).encode()


def schemes(*codes: int) -> bytes:
    return ext.SignatureSchemes(codes).encode()


def share_of(group: int, key_exchange: bytes) -> bytes:
    """The body of a ServerHello's key_share."""
    return ext.KeyShareServerHello(ext.KeyShareEntry(group, key_exchange)).encode()
