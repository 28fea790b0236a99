"""Two connections face to face, without a network."""

from __future__ import annotations

from pellucid.connection import ClientConnection, ServerConnection
from pellucid.events import DataReceived, Event

Events = list[Event]


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
