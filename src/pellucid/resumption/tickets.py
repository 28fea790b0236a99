"""Tickets: the server's memory of a session, kept by the client.

RFC 8446 section 4.6.1, RFC 5077 section 4. A stateless ticket is a session sealed with AES-256-GCM
under a key that only the server's machines hold; the keys rotate, and a ticket outlives its key by
one rotation. A stateful ticket is a random name for a session in a store. Either way a ticket that
cannot be opened is no error: it means a full handshake.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pellucid.errors import Reason, UsageError
from pellucid.secret import Secret

KEY_NAME_LENGTH = 4
NONCE_LENGTH = 12


class TicketIssuer(Protocol):
    """Turns sessions into tickets and back."""

    def seal(self, session: bytes) -> bytes:
        """A ticket for `session`."""
        ...

    def open(self, ticket: bytes) -> bytes | None:
        """The session of `ticket`, or None if it is not ours, too old, changed, or used up."""
        ...


def why_not(store: Any, ticket: bytes) -> str:
    """Why `store` did not open `ticket`, as far as it can tell: asked only when somebody looks.

    Parameters:
        store: an issuer or a cache; its own method `why_not(ticket)` is asked where it has one.

    Returns:
        The end of a sentence that begins with "it".

    >>> why_not(TicketKeys(), b"name of a key that nobody has")
    'it is sealed under a key that is unknown here'
    """
    ask = getattr(store, "why_not", None)
    return "it is unknown here" if ask is None else str(ask(ticket))


class TicketKeys:
    """Stateless tickets under rotating keys.

    Parameters:
        keys: 36-byte secrets (4 bytes of name, 32 of key), newest first, to share between machines;
            None makes one of its own.
        rotation: seconds after which a new key is made; 0 for never (then call `rotate`).
        clock, random: for tests and replay.

    >>> keys = TicketKeys()
    >>> ticket = keys.seal(b"a session")
    >>> keys.open(ticket)
    b'a session'
    >>> keys.rotate(); keys.open(ticket)
    b'a session'
    >>> keys.rotate(); keys.open(ticket) is None
    True
    """

    def __init__(
        self,
        keys: tuple[bytes, ...] | None = None,
        *,
        rotation: float = 86_400,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._random = random
        self._clock = clock
        self._rotation = rotation
        self._lock = threading.Lock()
        if keys is not None and any(len(key) != KEY_NAME_LENGTH + 32 for key in keys):
            raise UsageError(Reason.BAD_CONFIG, "a ticket key has 36 bytes: 4 of name, 32 of key")
        self._keys = tuple(self._ready(key) for key in keys or (random(KEY_NAME_LENGTH + 32),))
        self._born = clock()
        self._gone: tuple[bytes, ...] = ()  # names of keys that were here

    @staticmethod
    def _ready(key: bytes) -> tuple[bytes, AESGCM, Secret]:
        return key[:KEY_NAME_LENGTH], AESGCM(key[KEY_NAME_LENGTH:]), Secret(key)

    def export(self) -> tuple[Secret, ...]:
        """The keys, newest first, for the other machines."""
        return tuple(key for _, _, key in self._keys)

    def rotate(self, key: bytes | None = None) -> None:
        """Seal with a new key; tickets of the previous one are still opened, older ones are not."""
        with self._lock:
            self._gone = (*(name for name, _, _ in self._keys[1:]), *self._gone[:7])
            self._keys = (self._ready(key or self._random(KEY_NAME_LENGTH + 32)), *self._keys[:1])
            self._born = self._clock()

    def seal(self, session: bytes) -> bytes:
        """A ticket: key name, nonce, sealed session."""
        if self._rotation and self._clock() - self._born > self._rotation:
            self.rotate()
        name, aead, _ = self._keys[0]
        nonce = self._random(NONCE_LENGTH)
        return name + nonce + aead.encrypt(nonce, session, name)

    def open(self, ticket: bytes) -> bytes | None:
        """The session, or None."""
        name = ticket[:KEY_NAME_LENGTH]
        for known, aead, _ in self._keys:
            if known == name:
                try:
                    nonce = ticket[KEY_NAME_LENGTH : KEY_NAME_LENGTH + NONCE_LENGTH]
                    return aead.decrypt(nonce, ticket[KEY_NAME_LENGTH + NONCE_LENGTH :], name)
                except (InvalidTag, ValueError):
                    return None
        return None

    def why_not(self, ticket: bytes) -> str:
        """Why a ticket was not opened."""
        name = ticket[:KEY_NAME_LENGTH]
        if any(known == name for known, _, _ in self._keys):
            return "it was changed: it does not open under its key"
        if name in self._gone:
            return "it is too old: the key it is sealed under was rotated away"
        return "it is sealed under a key that is unknown here"


class SessionStore:
    """Stateful tickets and TLS 1.2 session ids, in memory: bounded, oldest out first.

    Parameters:
        size: sessions kept at most.
        single_use: a session is handed out once (RFC 8446 section 8.1): what 0-RTT needs.
    """

    def __init__(
        self, size: int = 20_000, *, single_use: bool = True, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._size = size
        self._single_use = single_use
        self._random = random
        self._sessions: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def seal(self, session: bytes) -> bytes:
        """Keep `session` under a new random name of 32 bytes."""
        name = self._random(32)
        self.put(name, session)
        return name

    def put(self, name: bytes, session: bytes) -> None:
        """Keep `session` under `name`."""
        with self._lock:
            self._sessions[name] = session
            while len(self._sessions) > self._size:
                self._sessions.popitem(last=False)

    def open(self, ticket: bytes) -> bytes | None:
        """The session called `ticket`, or None."""
        with self._lock:
            return self._sessions.pop(ticket, None) if self._single_use else self._sessions.get(ticket)

    def why_not(self, ticket: bytes) -> str:
        """Why there is no such session."""
        used = ", or it was used before: each serves once" if self._single_use else ""
        return f"it is unknown here: never issued, forgotten{used}"

    def discard(self, name: bytes) -> None:
        """Forget one session (after a fatal alert: RFC 5246 section 7.2.2)."""
        with self._lock:
            self._sessions.pop(name, None)

    def __len__(self) -> int:
        return len(self._sessions)


class ReplayGuard(Protocol):
    """Remembers which early data was seen (RFC 8446 section 8)."""

    def first_time(self, token: bytes, now: float) -> bool:
        """Whether `token` (32 bytes) has not been seen within the window; remembers it."""
        ...


class ReplayMemory:
    """A strike register in memory (RFC 8446 section 8.2), for one process.

    It refuses everything for one window after its start: what came before, it cannot know.

    Parameters:
        window: seconds that a token is remembered; at least twice the age window of the server.
        size: tokens kept; when it is full, early data is refused (never: accepted unseen).
    """

    def __init__(self, window: float = 30, size: int = 100_000, *, started_at: float | None = None) -> None:
        self._window = window
        self._size = size
        self._since = time.time() if started_at is None else started_at
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def first_time(self, token: bytes, now: float) -> bool:
        """Whether `token` is new."""
        with self._lock:
            while self._seen and next(iter(self._seen.values())) < now - self._window:
                self._seen.popitem(last=False)
            if token in self._seen or len(self._seen) >= self._size or now < self._since + self._window:
                return False
            self._seen[token] = now
            return True
