"""Two connections face to face, without a network."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import Authority, ClientConfig, Policy, ServerConfig, TLSError
from pellucid.connection import ClientConnection, ServerConnection
from pellucid.events import DataReceived, Event

Events = list[Event]
Side = ClientConnection | ServerConnection
Pair = tuple[ClientConnection, ServerConnection]
TLS13 = Policy(versions=(0x0304,))
TLS12 = Policy(versions=(0x0303,))


class House:
    """An authority with certificates of each kind. One for the whole run: RSA keys take their time."""

    def __init__(self) -> None:
        self.authority = Authority.create()
        self.trust = self.authority.trust()
        self.server = {
            kind: self.authority.issue("localhost", key=kind)
            for kind in ("ecdsa-p256", "rsa-2048", "ed25519")
        }
        self.client_identity = self.authority.issue("somebody", client=True)

    def client(self, policy: Policy = TLS13, **settings: Any) -> ClientConfig:
        return ClientConfig(policy=policy, trust=self.trust, **settings)

    def servers(self, policy: Policy = TLS13, kind: str = "ecdsa-p256", **settings: Any) -> ServerConfig:
        return ServerConfig(policy=policy, identities=(self.server[kind],), **settings)

    def pair(self, policy: Policy = TLS13) -> Pair:
        """Two connections that have shaken hands; their events are taken."""
        pair = ClientConnection(self.client(policy), "localhost"), ServerConnection(self.servers(policy))
        pump(*pair)
        return pair


def write(side: Side, content_type: int, data: bytes) -> bytes:
    """The record in which `side` sends `data`, whatever the rules say; empty data too."""
    half = side._write
    half.flush()
    return half.protection.seal(content_type, data)


def refusal(side: Side, data: bytes) -> TLSError:
    """How `side` refuses `data`: a named error that stays, and at most one alert."""
    with pytest.raises(TLSError) as refused:
        side.receive_data(data)
    with pytest.raises(TLSError) as again:
        side.receive_data(b"more")
    assert type(again.value) is type(refused.value) is type(side.error)
    assert vars(again.value) == vars(refused.value) == vars(side.error)
    return refused.value


def pump(client: ClientConnection, server: ServerConnection, *, piece: int = 0) -> tuple[Events, Events]:
    """Carry bytes both ways until nobody has any; what each side saw. `piece`: bytes at a time."""
    seen: tuple[Events, Events] = ([], [])
    while True:
        to_server, to_client = client.data_to_send(), None
        carry(server, to_server, piece)
        to_client = server.data_to_send()
        carry(client, to_client, piece)
        seen[0].extend(client.events())
        seen[1].extend(server.events())
        if not to_server and not to_client:
            return seen


def carry(to: ClientConnection | ServerConnection, data: bytes, piece: int = 0) -> None:
    """Give `data` to a connection, whole or in pieces."""
    for at in range(0, len(data), piece or len(data) or 1):
        to.receive_data(data[at : at + (piece or len(data))])


def data_in(events: Events) -> bytes:
    """The application data among events."""
    return b"".join(event.data for event in events if isinstance(event, DataReceived))
