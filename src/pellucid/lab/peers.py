"""The misbehaving peers, and a conversation in memory between any two connections.

Nothing here speaks TLS: the peers are `ClientConnection` and `ServerConnection`, whose messages and
records pass through the faults of a script on their way out (see `pellucid.lab.faults`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pellucid.config import ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import ConnectionEnded, PeerRefused, TLSError
from pellucid.events import DataReceived, Event
from pellucid.handshake.context import Handshake
from pellucid.lab.faults import Fault, Item, Outgoing, Record
from pellucid.protection import CHANGE_CIPHER_SPEC, HANDSHAKE
from pellucid.records import WriteHalf
from pellucid.wire.codepoints import Alert
from pellucid.wire.messages import HandshakeMessage

if TYPE_CHECKING:
    from pellucid.records import Note


class ScriptedWriteHalf(WriteHalf):
    """The writing half of a record layer, with faults."""

    __slots__ = ("faults",)

    def __init__(self, note: Note | None, faults: tuple[Fault, ...]) -> None:
        super().__init__(note)
        self.faults = faults

    def changed(self, item: Item) -> list[Item]:
        """`item` after all faults, one behind the other."""
        items = [item]
        for fault in self.faults:
            items = [found for one in items for found in fault.items(one)]
        return items

    def queue(self, content_type: int, data: bytes) -> None:
        """Write what the faults make of it."""
        given = data if content_type == HANDSHAKE else Record(content_type, data)
        for item in self.changed(given):
            if item is given and isinstance(item, Record):  # in as many records as the peer's limit asks for
                self.flush()
                for at in range(0, len(data) or 1, self.max_fragment):
                    self._seal(content_type, data[at : at + self.max_fragment])
            else:
                self.queue_as_is(item)

    def change_cipher_spec(self) -> None:
        """The faults see this one too."""
        self.queue(CHANGE_CIPHER_SPEC, b"\x01")

    def ahead(self, content_type: int, data: bytes) -> None:
        """A KeyUpdate in front of data that waits: the faults see it too."""
        for item in self.changed(data if content_type == HANDSHAKE else Record(content_type, data)):
            if isinstance(item, Record):
                self._seal(item.content_type, item.fragment)
            else:
                super().ahead(HANDSHAKE, item)

    def queue_as_is(self, item: Item) -> None:
        """Write, and let no fault see it as an item (they still see its record)."""
        if isinstance(item, Record):
            self.flush()
            self._seal(item.content_type, item.fragment)
        else:
            super().queue(HANDSHAKE, item)

    def _seal(self, content_type: int, fragment: bytes) -> None:
        record = Outgoing(content_type, bytes(fragment), self.protection)
        for fault in self.faults:
            wires = fault.wire(record)
            if wires is not None:
                for wire in wires:
                    self._out.append(wire)
                    self._note_record(record, wire)
                return
        super()._seal(content_type, fragment)

    def _note_record(self, record: Outgoing, wire: bytes) -> None:
        """An observer learns what really went out, and what it was sealed from."""
        if self.note is not None:
            plaintext = record.made.get(wire, record.fragment)
            epoch = record.protection.epoch
            kind = record.content_type
            self.note(("record", True, epoch, kind, wire, plaintext))


class ScriptedHandshake(Handshake):
    """A handshake whose messages pass through the faults before the transcript sees them."""

    __slots__ = ()

    def send_raw(self, raw: bytes) -> None:
        """Send what the faults make of `raw`."""
        write = self.write
        if not isinstance(write, ScriptedWriteHalf):
            super().send_raw(raw)
            return
        for item in write.changed(raw):
            write.queue_as_is(item)
            if isinstance(item, bytes):
                self.transcript.add(item)
                if self.note is not None and item:
                    self.note(("message", True, write.protection.epoch, item))


class _Misbehaving(Connection):
    """What both misbehaving peers can do beyond a script."""

    __slots__ = ()

    def inject(self, content_type: int, fragment: bytes) -> None:
        """Send one record of any content, under the present keys."""
        self._write.flush()
        self._write._seal(content_type, fragment)

    def inject_message(self, *messages: HandshakeMessage | bytes) -> None:
        """Send handshake messages now, in one record, outside of any transcript."""
        raws = [one.to_handshake() if isinstance(one, HandshakeMessage) else one for one in messages]
        self.inject(HANDSHAKE, b"".join(raws))

    def inject_raw(self, wire: bytes) -> None:
        """Send any bytes at all."""
        self._write.flush()
        self._write._out.append(wire)


class MisbehavingClient(_Misbehaving, ClientConnection):
    """A client that breaks rules.

    Parameters:
        config: as for `ClientConnection`.
        server_name: as for `ClientConnection`.
        faults: what to do wrong, in the order in which they are applied.
    """

    __slots__ = ()

    def __init__(self, config: ClientConfig | None, server_name: str | None, *faults: Fault) -> None:
        from pellucid.handshake.client import client

        config = config or ClientConfig()
        Connection.__init__(self, config, server_name)
        self._write = ScriptedWriteHalf(self._write.note, faults)
        self._write.max_fragment = config.policy.max_send_fragment
        self._begin(client(ScriptedHandshake(self, config, server_name)))


class MisbehavingServer(_Misbehaving, ServerConnection):
    """A server that breaks rules.

    Parameters:
        config: as for `ServerConnection`.
        faults: what to do wrong, in the order in which they are applied.
    """

    __slots__ = ()

    def __init__(self, config: ServerConfig, *faults: Fault) -> None:
        from pellucid.handshake.server import server

        Connection.__init__(self, config, None)
        self._write = ScriptedWriteHalf(self._write.note, faults)
        self._write.max_fragment = config.policy.max_send_fragment
        self._begin(server(ScriptedHandshake(self, config, None)))


# -- in memory ---------------------------------------------------------------------------------------


class Conversation:
    """What two connections said to each other.

    Attributes:
        client, server: the two.
        client_events, server_events: what they reported.
        to_server, to_client: the bytes on the wire.
    """

    def __init__(self, client: ClientConnection, server: ServerConnection) -> None:
        self.client = client
        self.server = server
        self.client_events: list[Event] = []
        self.server_events: list[Event] = []
        self.to_server = b""
        self.to_client = b""

    def go_on(self) -> Conversation:
        """Carry bytes to and fro until neither side has anything to say. Errors are kept, not raised."""
        said = True
        while said:
            there = self._carry(self.client, self.server, self.server_events)
            back = self._carry(self.server, self.client, self.client_events)
            self.to_server += there
            self.to_client += back
            said = bool(there or back)
        return self

    @staticmethod
    def _carry(speaker: Connection, listener: Connection, events: list[Event]) -> bytes:
        data = speaker.data_to_send()
        if data and listener.error is None:
            try:
                listener.receive_data(data)
            except TLSError:
                if listener.error is None:
                    raise
        events.extend(listener.events())
        return data

    @property
    def client_error(self) -> TLSError | None:
        """Why the client ended the connection, if it did."""
        return self.client.error

    @property
    def server_error(self) -> TLSError | None:
        """Why the server ended the connection, if it did."""
        return self.server.error

    @property
    def refusal(self) -> TLSError | None:
        """The error of the side that refused the other; None if nobody did."""
        for error in (self.client.error, self.server.error):
            if error is not None and not isinstance(error, (PeerRefused, ConnectionEnded)):
                return error
        return None

    @property
    def alert_received(self) -> Alert | None:
        """The fatal alert that one side could read; None when there was none, or under wrong keys."""
        for error in (self.client.error, self.server.error):
            if isinstance(error, PeerRefused) and error.alert is not None:
                return Alert(error.alert)
        return None

    @property
    def completed(self) -> bool:
        """Whether both sides finished the handshake, and neither failed afterwards."""
        sides: Iterable[Any] = (self.client, self.server)
        return all(side.handshake_complete and side.error is None for side in sides)

    def data(self, side: str = "server") -> bytes:
        """The application data that a side received."""
        events = self.server_events if side == "server" else self.client_events
        return b"".join(event.data for event in events if isinstance(event, DataReceived))


def converse(client: ClientConnection, server: ServerConnection) -> Conversation:
    """Let `client` and `server` talk, in memory, until both are silent.

    >>> from pellucid import Authority, ClientConfig, ClientConnection, ServerConfig, ServerConnection
    >>> authority = Authority.create()
    >>> talk = converse(
    ...     ClientConnection(ClientConfig(trust=authority.trust()), "localhost"),
    ...     ServerConnection(ServerConfig(identities=(authority.issue("localhost"),))),
    ... )
    >>> talk.completed
    True
    >>> talk.client.send_data(b"hello"); talk.go_on().data("server")
    b'hello'
    """
    return Conversation(client, server).go_on()
