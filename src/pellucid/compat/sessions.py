"""Sessions as `ssl` hands them out: `SSLSocket.session`, to be given to the next connection.

RFC 8446 section 4.6.1 (tickets), RFC 5246 section 7.3 (session ids), RFC 5077.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

from pellucid.errors import Reason, UsageError
from pellucid.events import SessionReceived
from pellucid.resumption.sessions import Session

DEFAULT_TIMEOUT = 7200  # seconds; OpenSSL's, for a session whose ticket has not come yet


class SSLSession:
    """A session of one context, with the attributes of `ssl.SSLSession`.

    Until a TLS 1.3 server's first ticket has come there is nothing to resume; offering such a
    session is harmless: it means a full handshake.

    Parameters:
        context: the context whose connections may resume it.
        session: pellucid's own, or the event that brought it; None while no ticket has come.
        name: its `id`; by default one of its own.
    """

    __slots__ = ("_context_id", "_id", "_made", "_session")

    def __init__(
        self, context: Any, session: Session | SessionReceived | None, name: bytes | None = None
    ) -> None:
        self._context_id = id(context)
        self._session = session
        self._made = int(time.time())
        self._id = name  # None: nobody asked for it yet

    @property
    def resumable(self) -> Session | None:
        """pellucid's own session, if there is one: its key is derived when somebody asks."""
        found = self._session
        return found.session if isinstance(found, SessionReceived) else found

    def belongs_to(self, context: Any) -> bool:
        """Whether the session was made under this context."""
        return self._context_id == id(context)

    @property
    def id(self) -> bytes:
        """Its name: for TLS 1.2 the session id, otherwise a hash of the ticket."""
        if self._id is None:
            session = self.resumable
            if session is None:
                self._id = os.urandom(32)
            else:
                self._id = session.session_id or hashlib.sha256(session.ticket or session.secret).digest()
        return self._id

    @property
    def time(self) -> int:
        """When it was made: seconds since 1970."""
        return self.resumable.issued_at // 1000 if self.resumable is not None else self._made

    @property
    def timeout(self) -> int:
        """Seconds that it may be resumed."""
        return self.resumable.lifetime if self.resumable is not None else DEFAULT_TIMEOUT

    @property
    def ticket_lifetime_hint(self) -> int:
        """What the server said about the ticket's life, in seconds; 0 without a ticket."""
        return self.resumable.lifetime if self.has_ticket and self.resumable is not None else 0

    @property
    def has_ticket(self) -> bool:
        """Whether it is a ticket."""
        return self.resumable is not None and bool(self.resumable.ticket) and not self.resumable.session_id

    def to_bytes(self) -> bytes:
        """The session as bytes, to store as carefully as a key.

        Raises:
            UsageError: no ticket has come yet.
        """
        if self.resumable is None:
            raise UsageError(Reason.NOT_CONNECTED, "no ticket has come yet")
        return self.resumable.to_bytes()

    @classmethod
    def from_bytes(cls, context: Any, data: bytes) -> SSLSession:
        """The inverse of `to_bytes`, for connections of `context`.

        Raises:
            UsageError: these are no session's bytes.
        """
        return cls(context, Session.from_bytes(data))

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, SSLSession) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<SSLSession {self.id[:8].hex()}...>"
