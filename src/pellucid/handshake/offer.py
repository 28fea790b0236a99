"""What a client has offered, and the sessions and keys that it may offer.

RFC 8446 sections 4.2.11 (pre-shared keys), 4.6.1 (tickets) and 7.1 (binders); RFC 9258.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from pellucid.config import ClientConfig
from pellucid.crypto.groups import PrivateShare
from pellucid.crypto.schedule13 import KeySchedule
from pellucid.crypto.suites import HASHES, SUITES, Hash
from pellucid.events import SessionReceived, VerifyPeer, VerifyPublicKey
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import Session
from pellucid.secret import Secret
from pellucid.wire.messages import ClientHello

if TYPE_CHECKING:
    from pellucid.handshake.context import Handshake
    from pellucid.machine import Machine


class Offer:
    """What this client has offered: everything that the server's answers are held against.

    Attributes:
        hello: the last ClientHello sent.
        shares: the private key shares, by group.
        psks: sessions and pre-shared keys, in the order of their identities.
        schedules: the key schedule's first rung under each of them.
        session12: the TLS 1.2 session offered, if any.
        early: the session whose early data is offered, if any.
        retried: a HelloRetryRequest was answered.
    """

    __slots__ = ("early", "hello", "psks", "retried", "schedules", "session12", "shares")

    def __init__(self) -> None:
        self.hello: ClientHello
        self.shares: dict[int, PrivateShare] = {}
        self.psks: list[Session | PreSharedKey] = []
        self.schedules: list[KeySchedule] = []
        self.session12: Session | None = None
        self.early: Session | None = None
        self.retried = False


def psk_hash(psk: Session | PreSharedKey) -> Hash:
    """The hash that a key is bound to."""
    return HASHES[psk.hash] if isinstance(psk, PreSharedKey) else SUITES[psk.cipher_suite].hash


def binder_label(psk: Session | PreSharedKey) -> bytes:
    """RFC 8446 section 7.1, RFC 9258 section 5.2."""
    if isinstance(psk, Session):
        return b"res binder"
    return b"imp binder" if psk.imported else b"ext binder"


def key_schedule(h: Handshake, psk: Session | PreSharedKey) -> KeySchedule:
    """The first rung of the schedule under `psk`."""
    return KeySchedule(psk_hash(psk), Secret(psk.secret), h.note)


def session_binding(config: ClientConfig, name: str | None) -> bytes:
    """A session may only be used under the name and verification settings that it was made under."""
    known = config.cache.get("binding")
    if known is None:
        judge = config.trust.fingerprint if config.trust is not None else b"system"
        asked = b"asked" if VerifyPeer in config.ask or VerifyPublicKey in config.ask else b""
        keys = b"".join(hashlib.sha256(key).digest() for key in config.trusted_public_keys)
        types = bytes(config.server_certificate_types)
        expected = (config.verify_name or "").lower().encode()
        parts = (judge, asked, keys, types, expected)
        settings = b"".join(hashlib.sha256(each).digest() for each in parts)
        known = config.cache["binding"] = hashlib.sha256(settings).digest()
    return _binding_of(known, name or "")


@lru_cache(maxsize=1024)
def _binding_of(settings: bytes, name: str) -> bytes:
    return hashlib.sha256(settings + name.lower().encode()).digest()[:16]


def keep_session(conn: Machine, make: Callable[[], Session]) -> SessionReceived:
    """A session has come: the store keeps it, and the application may. `make` makes it for whoever does."""
    event = SessionReceived(make)
    config = conn._config
    if isinstance(config, ClientConfig) and config.session_store is not None:
        config.session_store.put(event.session)
    conn._events.append(event)
    return event
