"""A session: what either side keeps to resume later: the client as it is, the server sealed in a ticket.

RFC 8446 sections 2.2, 4.6.1, 8 and appendix C.4; RFC 5246 section 7.3 (session ids); RFC 5077;
RFC 7627 section 5.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, Self

from pellucid.errors import Reason, UsageError
from pellucid.secret import Secret
from pellucid.wire.codepoints import CipherSuite, ProtocolVersion
from pellucid.wire.language import (
    DecodeError,
    OpaqueVector,
    Rest,
    Struct,
    Uint,
    Uint8,
    Uint16,
    Vector,
    field,
)

FORMAT = 1
TICKET_FORMAT = 2  # another than a session's, so that neither is taken for the other


class Session(Struct):
    """What two ends need to resume.

    Attributes:
        version: 0x0304 or 0x0303.
        cipher_suite: of the first connection.
        secret: the resumption PSK (TLS 1.3) or the master secret (TLS 1.2): keep it as a key.
        ticket: what the client sends back: the ticket, or the session id (TLS 1.2).
        issued_at: seconds since 1970, in milliseconds, when the ticket was made or received.
        lifetime: seconds that the ticket may be used.
        age_add: obfuscates the age (RFC 8446 section 4.6.1).
        max_early_data: bytes of early data that the server takes; 0 for none.
        alpn: the application protocol; a session is offered only where that is offered again.
        binding: what the client verified and asked for: a session is offered only under the same
            name and verification settings.
        extended_master_secret: RFC 7627 section 5.3 forbids to mix.
        peer_public_key: the peer's raw public key, if it showed that instead of a chain (RFC 7250).
    """

    format: int = field(Uint8())
    version: int = field(Uint16(ProtocolVersion))
    cipher_suite: int = field(Uint16(CipherSuite))
    secret: bytes = field(OpaqueVector(1, 255))
    ticket: bytes = field(OpaqueVector(0, 2**16 - 1))
    issued_at: int = field(Uint(8))
    lifetime: int = field(Uint(4))
    age_add: int = field(Uint(4))
    max_early_data: int = field(Uint(4))
    extended_master_secret: int = field(Uint8())
    encrypt_then_mac: int = field(Uint8())
    group: int = field(Uint16())
    signature_scheme: int = field(Uint16())
    server_name: bytes = field(OpaqueVector(0, 255))
    alpn: bytes = field(OpaqueVector(0, 255))
    binding: bytes = field(OpaqueVector(0, 32))
    session_id: bytes = field(OpaqueVector(0, 32))
    peer_chain: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**24 - 1), 0, 2**24 - 1))
    verified_chain: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**24 - 1), 0, 2**24 - 1))
    ocsp_response: bytes = field(OpaqueVector(0, 2**24 - 1))
    scts: tuple[bytes, ...] = field(Vector(OpaqueVector(1, 2**16 - 1), 0, 2**24 - 1))
    application: bytes = field(OpaqueVector(0, 2**16 - 1))
    peer_public_key: bytes = field(OpaqueVector(0, 2**16 - 1), default=b"")

    def __repr__(self) -> str:
        return f"<Session {self.server_name.decode()!r} of {CipherSuite.name_of(self.cipher_suite)}>"

    def expired(self, now: float) -> bool:
        """Whether the lifetime is over at `now` (seconds since 1970)."""
        return now * 1000 >= self.issued_at + self.lifetime * 1000

    def revoke(self) -> None:
        """End its life: a connection of it failed (RFC 5246 section 7.2.2). Copies of it are not reached."""
        self.lifetime = 0

    def to_bytes(self) -> bytes:
        """The session as bytes. They hold a secret: store them as you store a key."""
        return self.encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`.

        Raises:
            UsageError: these are no session's bytes, or another version's.
        """
        session = cls._read(cls.decode, data)
        session.secret = Secret(session.secret)
        return session

    @classmethod
    def _read(cls, decode: Callable[[bytes], Self], data: bytes) -> Self:
        try:
            session = decode(data)
        except DecodeError as error:
            raise UsageError(Reason.BAD_CONFIG, f"not a stored session: {error.detail}") from None
        if session.format != FORMAT:
            raise UsageError(Reason.BAD_CONFIG, f"a stored session of format {session.format}, not {FORMAT}")
        return session


class Ticket:
    """A ticket that was opened.

    Attributes:
        secret, age_add, issued_at: this ticket's own.
        session: what it has in common with others, in which these three say nothing. It is read once for
            all of them: do not change it.
    """

    __slots__ = ("age_add", "issued_at", "secret", "session")

    def __init__(self, secret: Secret, age_add: int, issued_at: int, session: Session) -> None:
        self.secret = secret
        self.age_add = age_add
        self.issued_at = issued_at
        self.session = session

    def expired(self, now: float) -> bool:
        """Whether the lifetime is over at `now` (seconds since 1970)."""
        return now * 1000 >= self.issued_at + self.session.lifetime * 1000


class TicketContent(Struct):
    """What a server seals in a ticket: what is this ticket's own, then what many have in common.

    Attributes:
        secret, age_add, issued_at: of the session.
        session: a `Session`, encoded, in which these three say nothing: so it is encoded once for all
            tickets of the same suite, names and settings.
    """

    format: int = field(Uint8())
    secret: bytes = field(OpaqueVector(1, 255))
    age_add: int = field(Uint(4))
    issued_at: int = field(Uint(8))
    session: bytes = field(Rest())

    @classmethod
    def opened(cls, data: bytes) -> Ticket:
        """The ticket, from what `TicketIssuer.open` gave.

        Raises:
            UsageError: these are no ticket's bytes, or another version's.
        """
        try:
            content = cls.decode(data)
        except DecodeError as error:
            raise UsageError(Reason.BAD_CONFIG, f"not a ticket: {error.detail}") from None
        if content.format != TICKET_FORMAT:
            raise UsageError(Reason.BAD_CONFIG, f"a ticket of format {content.format}, not {TICKET_FORMAT}")
        session = Session._read(Session.recall, content.session)
        return Ticket(Secret(content.secret), content.age_add, content.issued_at, session)


class SessionMemory(Protocol):
    """Where a client keeps its sessions. They hold secrets: a store keeps them as keys."""

    def put(self, session: Session) -> None:
        """Keep a session that has come."""
        ...

    def take(self, binding: bytes) -> tuple[Session, ...]:
        """Sessions with that `binding` to offer now, most wanted first; see `ClientSessions`."""
        ...


class ClientSessions:
    """A client's sessions, in memory, shared by all connections of a configuration.

    A ticket of TLS 1.3 is handed out once: used twice, it would let an onlooker link the two
    connections (RFC 8446 appendix C.4). A TLS 1.2 session shows its ticket anyway, and stays.

    Parameters:
        size: servers (and settings) remembered at most; the one longest unused is forgotten first.
        each: sessions kept for each of them, newest first.

    >>> from pellucid import Authority, ClientConfig, ClientConnection, ServerConfig, ServerConnection
    >>> from pellucid.lab import converse
    >>> authority = Authority.create()
    >>> server = ServerConfig(identities=(authority.issue("localhost"),))
    >>> client = ClientConfig(trust=authority.trust(), session_store=ClientSessions())
    >>> for _ in range(2):
    ...     talk = converse(ClientConnection(client, "localhost"), ServerConnection(server))
    ...     talk.client.info.resumed
    False
    True
    """

    def __init__(self, size: int = 1_000, *, each: int = 4) -> None:
        self._size = size
        self._each = each
        self._kept: OrderedDict[bytes, list[Session]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, session: Session) -> None:
        """Keep a session. A newer one of TLS 1.2 takes the place of the older."""
        with self._lock:
            kept = self._kept.setdefault(session.binding, [])
            self._kept.move_to_end(session.binding)
            if session.version == 0x0303:
                kept[:] = [one for one in kept if one.version != 0x0303]
            kept.insert(0, session)
            del kept[self._each :]
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def take(self, binding: bytes) -> tuple[Session, ...]:
        """The newest session of each version; a ticket of TLS 1.3 is then forgotten."""
        with self._lock:
            kept = self._kept.get(binding)
            if kept is None:
                return ()
            found = []
            for version in (0x0304, 0x0303):
                newest = next((one for one in kept if one.version == version), None)
                if newest is not None:
                    found.append(newest)
                    if version == 0x0304:
                        kept.remove(newest)
            if not kept:
                del self._kept[binding]
            return tuple(found)

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))
