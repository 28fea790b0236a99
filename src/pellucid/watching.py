"""A connection that somebody looks at also notes what came into it, so that it can be run again.

What a connection does follows from four things: its configuration, the calls of the application, the
bytes of the peer, and what the core draws from outside (randomness, time, results whose randomness
the primitives keep to themselves, tickets, stores). Here they become facts, of the kinds "config",
"call" and "drawn"; `pellucid.replaying` feeds them to a new connection.

A connection without an observer never loads this module (DESIGN rule 5).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.config import ClientConfig, Config, Policy, ServerConfig
from pellucid.errors import TLSError
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import Session
from pellucid.secret import Secret
from pellucid.trust.identity import Identity
from pellucid.trust.verification import Trust, Verified

if TYPE_CHECKING:
    from pellucid.connection import Connection

    Base = Connection
else:
    Base = object

Note = Callable[[tuple[Any, ...]], None]

#: Fields of a configuration that are not written down as they are.
_APART = frozenset({
    "random", "now", "hidden", "observer", "keylog", "policy", "identities", "psks", "ask", "trust",
    "client_trust", "sessions", "session_store", "ticket_issuer", "session_cache", "replay_guard",
})  # fmt: skip


def watch(connection: Any, config: Any) -> Any:
    """Note everything that comes into `connection`; returns the configuration that it is to use."""
    note, trace = connection._note, None
    if note is None:
        return config
    if not isinstance(connection, Seen):  # else it is watched, and a server's configuration was chosen late
        trace = getattr(note, "__self__", None)
        connection._note = note = getattr(trace, "keep", None) or in_words(note)
    kind: Any = type(connection)
    inputs = getattr(getattr(note, "__self__", None), "inputs", True)
    if not issubclass(kind, Seen):
        connection.__class__ = _watched(kind, Watched if inputs else Seen)
    return watched_config(config, note) if inputs else config


def in_words(note: Callable[..., None]) -> Note:
    """What the core may hand raw facts to, for somebody who wants to be told `note(kind, **fields)`."""
    from pellucid.glass.telling import told

    def keep(fact: tuple[Any, ...]) -> None:
        for kind, named in told(fact):
            note(kind, **named)

    return keep


def watched_config(config: Any, note: Note) -> Any:
    """The same configuration, drawing from the same sources, and noting what it draws."""
    note(("config", settings_of(config)))
    # What is computed once for a configuration is computed for the original, and shared.
    _ = config.cache, config.alpn_names
    _ = config.judge if isinstance(config, ClientConfig) else config.issuer
    watched = copy.copy(config)
    draw = _Draw(note)
    put: Callable[[str, Any], None] = lambda name, value: object.__setattr__(watched, name, value)  # noqa: E731
    put("random", lambda size: draw.random(config.random, size))
    put("now", lambda: draw.now(config.now))
    put("hidden", lambda name, thunk: draw.hidden(name, lambda: config.hidden(name, thunk)))
    if isinstance(config, ServerConfig):
        issuer = _Store(config.issuer, draw)
        put("ticket_issuer", issuer)
        put("issuer", issuer)  # the cached property
        if config.session_cache is not None:
            put("session_cache", _Store(config.session_cache, draw))
        if config.replay_guard is not None:
            put("replay_guard", _Guard(config.replay_guard, draw))
    if isinstance(config, ClientConfig) and config.session_store is not None:
        put("session_store", _Sessions(config.session_store, draw))
    return watched


class _Draw:
    """Passes on what comes from outside, and notes it."""

    def __init__(self, note: Note) -> None:
        self.note = note

    def random(self, source: Callable[[int], bytes], size: int) -> bytes:
        value = source(size)
        self.note(("drawn", "random", value))
        return value

    def now(self, source: Callable[[], float]) -> float:
        value = source()
        self.note(("drawn", "now", value))
        return value

    def hidden(self, name: str, thunk: Callable[[], Any]) -> Any:
        """A result; None stands for a fault (or for nothing found)."""
        try:
            value = thunk()
        except Exception:
            self.note(("drawn", name, None))
            raise
        self.note(("drawn", name, value))
        return value


class _Store:
    """A ticket issuer or session cache, watched."""

    def __init__(self, store: Any, draw: _Draw) -> None:
        self._store = store
        self._draw = draw

    def seal(self, session: bytes) -> bytes:
        return bytes(self._draw.hidden("seal", lambda: self._store.seal(session)))

    def open(self, ticket: bytes) -> bytes | None:
        return self._draw.hidden("open", lambda: self._store.open(ticket))  # type: ignore[no-any-return]

    def put(self, name: bytes, session: bytes) -> None:
        self._store.put(name, session)

    def discard(self, name: bytes) -> None:
        self._store.discard(name)


class _Guard:
    """A replay guard, watched."""

    def __init__(self, guard: Any, draw: _Draw) -> None:
        self._guard = guard
        self._draw = draw

    def first_time(self, token: bytes, now: float) -> bool:
        return bool(self._draw.hidden("first time", lambda: self._guard.first_time(token, now)))


class _Sessions:
    """A client's store of sessions, watched."""

    def __init__(self, store: Any, draw: _Draw) -> None:
        self._store = store
        self._draw = draw

    def put(self, session: Session) -> None:
        self._store.put(session)

    def take(self, binding: bytes) -> tuple[Session, ...]:
        found: tuple[Session, ...] = self._store.take(binding)
        self._draw.note(("drawn", "sessions", found))
        return found


# -- calls ---------------------------------------------------------------------------------------------


class Seen(Base):
    """A connection whose error carries its trace."""

    __slots__ = ()

    def _fail(self, error: TLSError, **named: Any) -> Any:
        if error.trace is None:
            error.trace = getattr(self._note, "__self__", None)  # whose note it is: the trace
        super()._fail(error, **named)


class Watched(Seen):
    """What the application does to a connection, noted before it is done."""

    __slots__ = ()

    def _call(self, what: str, value: Any = None) -> None:
        if self._note is not None:
            self._note(("call", what, value))

    # The methods are Connection's, and documented there.
    # ruff: noqa: D102

    def receive_data(self, data: bytes) -> None:
        self._call("receive", bytes(data))
        super().receive_data(data)

    def receive_eof(self) -> None:
        self._call("eof")
        super().receive_eof()

    def send_data(self, data: bytes | bytearray | memoryview) -> None:
        self._call("send", bytes(data))
        super().send_data(data)

    def send_early_data(self, data: bytes) -> None:
        self._call("send early", bytes(data))
        super().send_early_data(data)  # type: ignore[misc]

    def data_to_send(self) -> bytes:
        if self.wants_to_send:
            self._call("take")
        return super().data_to_send()

    def close(self) -> None:
        self._call("close")
        super().close()

    def abort(self, *values: Any, **named: Any) -> None:
        self._call("abort", (*values, *named.values()))
        super().abort(*values, **named)

    def update_keys(self, *, request: bool = False) -> None:
        self._call("update keys", request)
        super().update_keys(request=request)

    def request_certificate(self, *, required: bool | None = None) -> None:
        self._call("request certificate", required)
        super().request_certificate(required=required)  # type: ignore[misc]

    def _answer(self, value: Any, error: TLSError | None) -> None:
        if error is not None:
            self._call(
                "fail", (error.reason, error.detail, None if error.alert is None else int(error.alert))
            )
        else:
            self._call("answer", plain(value))
        super()._answer(value, error)


@cache
def _watched(kind: Any, how: Any) -> Any:
    """`kind`, seen or watched."""
    return type(kind.__name__, (how, kind), {"__slots__": (), "__module__": kind.__module__})


# -- configurations, as plain values -------------------------------------------------------------------


def settings_of(config: Any) -> dict[str, Any]:
    """A configuration as plain values and secrets; computed once for each configuration."""
    known: dict[str, Any] | None = config.cache.get("settings")
    if known is None:
        known = config.cache["settings"] = _settings(config)
    return known


def _settings(config: Config) -> dict[str, Any]:
    found: dict[str, Any] = {
        one.name: getattr(config, one.name) for one in fields(config) if one.name not in _APART
    }
    found["policy"] = _policy(config.policy)
    found["identities"] = tuple(plain(one) for one in config.identities)
    found["psks"] = tuple(plain(one) for one in config.psks)
    found["ask"] = tuple(sorted(one.__name__ for one in config.ask))
    trust = getattr(config, "client_trust", None)
    if isinstance(config, ClientConfig):
        from pellucid.handshake.offer import session_binding

        trust = config.judge
        found["sessions"] = tuple(Secret(one.to_bytes()) for one in config.sessions)
        found["session_store"] = config.session_store is not None
        if config.sessions or config.session_store is not None:
            session_binding(config, None)
    else:
        from pellucid.handshake.psk13 import server_binding

        server_binding(config)  # type: ignore[arg-type]
        for name in ("session_cache", "replay_guard"):
            found[name] = getattr(config, name) is not None
        if trust is not None and found["certificate_authorities"] is None:
            found["certificate_authorities"] = trust.subjects
    found["trust"] = None if trust is None else _trust(trust)
    found["binding"] = config.cache.get("binding")
    return found


def _policy(policy: Policy) -> dict[str, Any]:
    found = {one.name: getattr(policy, one.name) for one in fields(policy)}
    found["legacy"] = tuple(sorted(policy.legacy))
    found["padding"] = policy.padding is not None
    return found


def _trust(trust: Trust) -> dict[str, Any]:
    return {name: getattr(trust, name) for name in ("profile", "label", "vetted", "max_intermediates")}


def plain(value: Any) -> Any:
    """An answer, or a part of a configuration, as plain values; a text for what cannot be written."""
    match value:
        case None | bool() | int() | float() | str() | bytes():
            return value
        case Identity():
            key = value.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return {
                "identity": value.chain, "key": key, "ocsp": value.ocsp, "scts": value.scts,
                "schemes": None if value.schemes is None else tuple(value.schemes),
            }  # fmt: skip
        case PreSharedKey():
            return {
                "psk": value.identity, "secret": value.secret, "hash": value.hash,
                "imported": value.imported, "role": value.role,
            }  # fmt: skip
        case Verified():
            return {"verified": value.peer}
        case ServerConfig():
            return {"config": settings_of(value)}
    return f"a {type(value).__name__}"


__all__ = ["Seen", "Watched", "plain", "settings_of", "watch", "watched_config"]
