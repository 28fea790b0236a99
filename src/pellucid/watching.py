"""A connection that somebody looks at also notes what came into it, so that it can be run again.

What a connection does follows from four things: its configuration, the calls of the application, the
bytes of the peer, and what the core draws from outside (randomness, time, results whose randomness
the primitives keep to themselves, tickets, stores). Here they become facts, of the kinds "config",
"call" and "drawn"; `pellucid.replaying` feeds them to a new connection.

A connection without an observer never loads this module (DESIGN rule 5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.config import ClientConfig, Config, Policy, ServerConfig
from pellucid.errors import TLSError
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import Session
from pellucid.resumption.tickets import why_not
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


def watch(connection: Any, config: Any, name: str | None) -> tuple[Any, Note | None]:
    """The observer of `config` looks at `connection`: whatever comes into it is noted.

    Returns the configuration that the connection is to use, and what its records are noted with. Whoever
    needs no inputs (a flight recorder) is handed the core's facts, and that is all.
    """
    note = config.observer.open("client" if connection.client else "server", name)
    if note is None:
        return config, None
    trace: Any = getattr(note, "__self__", None)
    if not hasattr(trace, "keep_data"):
        trace = InWords(note)
    connection._note, connection._jot = trace.keep, trace.jot
    kind: Any = type(connection)
    connection.__class__ = _watched(kind, trace.inputs)
    if trace.inputs:
        config = watched_config(config, connection._jot)
    return config, connection._jot


def watch_config(connection: Any, config: Any) -> Any:
    """The same for a configuration that a server chooses when it has seen the client's hello."""
    note: Any = connection._jot
    return watched_config(config, note) if isinstance(connection, Watched) else config


class InWords:
    """What the core may hand raw facts to, for somebody who wants to be told `note(kind, **fields)`."""

    __slots__ = ("_note", "_told")

    inputs = True

    def __init__(self, note: Callable[..., None]) -> None:
        from pellucid.glass.telling import told

        self._note, self._told = note, told

    def keep(self, fact: tuple[Any, ...]) -> None:
        """Tell a fact at once."""
        for kind, named in self._told(fact):
            self._note(kind, **named)

    jot = keep_data = keep


def watched_config(config: Any, note: Note) -> Any:
    """The same configuration, drawing from the same sources, and noting what it draws."""
    note(("config", config.cache.get("settings") or settings_of(config)))
    watched = object.__new__(type(config))
    draw = _Draw(config, note)
    known = watched.__dict__
    known.update(config.__dict__)  # with all that was computed once for the original
    known["random"], known["now"], known["hidden"] = draw.random, draw.now, draw.hidden
    if "ticket_issuer" in known:  # a server's
        known["ticket_issuer"] = known["issuer"] = _Store(config.issuer, note)
        if config.session_cache is not None:
            known["session_cache"] = _Store(config.session_cache, note)
        if config.replay_guard is not None:
            known["replay_guard"] = _Guard(config.replay_guard, note)
    elif config.session_store is not None:
        known["session_store"] = _Sessions(config.session_store, note)
    return watched


class _Draw:
    """Passes on what comes from outside, and notes it."""

    __slots__ = ("_hidden", "_note", "_now", "_random")

    def __init__(self, config: Any, note: Note) -> None:
        self._random = config.random
        self._now = config.now
        self._hidden = config.hidden
        self._note = note

    def random(self, size: int) -> bytes:
        value: bytes = self._random(size)
        self._note(("drawn", "random", value))
        return value

    def now(self) -> float:
        value: float = self._now()
        self._note(("drawn", "now", value))
        return value

    def hidden(self, name: str, thunk: Callable[[], Any]) -> Any:
        return _drawn(self._note, name, self._hidden, name, thunk)


def _drawn(note: Note, name: str, source: Callable[..., Any], *given: Any) -> Any:
    """What `source` gives; None stands for a fault (or for nothing found)."""
    try:
        value = source(*given)
    except Exception:
        note(("drawn", name, None))
        raise
    note(("drawn", name, value))
    return value


class _Store:
    """A ticket issuer or session cache, watched."""

    __slots__ = ("_note", "_store")

    def __init__(self, store: Any, note: Note) -> None:
        self._store = store
        self._note = note

    def seal(self, session: bytes) -> bytes:
        return bytes(_drawn(self._note, "seal", self._store.seal, session))

    def open(self, ticket: bytes) -> bytes | None:
        return _drawn(self._note, "open", self._store.open, ticket)  # type: ignore[no-any-return]

    def why_not(self, ticket: bytes) -> str:
        return str(_drawn(self._note, "why not", why_not, self._store, ticket))

    def put(self, name: bytes, session: bytes) -> None:
        self._store.put(name, session)

    def discard(self, name: bytes) -> None:
        self._store.discard(name)


class _Guard:
    """A replay guard, watched."""

    __slots__ = ("_guard", "_note")

    def __init__(self, guard: Any, note: Note) -> None:
        self._guard = guard
        self._note = note

    def first_time(self, token: bytes, now: float) -> bool:
        return bool(_drawn(self._note, "first time", self._guard.first_time, token, now))


class _Sessions:
    """A client's store of sessions, watched."""

    __slots__ = ("_note", "_store")

    def __init__(self, store: Any, note: Note) -> None:
        self._store = store
        self._note = note

    def put(self, session: Session) -> None:
        self._store.put(session)

    def take(self, binding: bytes) -> tuple[Session, ...]:
        found: tuple[Session, ...] = self._store.take(binding)
        self._note(("drawn", "sessions", found))
        return found


# -- calls ---------------------------------------------------------------------------------------------


class Timed(Base):
    """The clock is read where bytes of the handshake come in; later each fact has a time of its own."""

    __slots__ = ()

    # The methods are Connection's, and documented there.
    # ruff: noqa: D102

    def receive_data(self, data: bytes) -> None:
        if self._info is None:
            note: Any = self._note
            note.__self__.stamp()
        super().receive_data(data)


class Watched(Base):
    """What the application does to a connection, noted before it is done."""

    __slots__ = ()

    _read: Any

    def _call(self, what: str, value: Any = None) -> None:
        """Note a call, with its time; where there is much data, only a sample."""
        note: Any = self._note if self._info is None else self._read.note
        note(("call", what, value))

    def receive_data(self, data: bytes) -> None:
        note: Any = self._note if self._info is None else self._read.note
        note(("call", "receive", bytes(data)))
        super().receive_data(data)

    def receive_eof(self) -> None:
        self._call("eof")
        super().receive_eof()

    def send_data(self, data: bytes | bytearray | memoryview) -> None:
        self._call("send", bytes(data))
        super().send_data(data)

    def send_early_data(self, data: bytes) -> None:
        note: Any = self._write.note  # a sampling one, once there are keys for early data
        note(("call", "send early", bytes(data)))
        super().send_early_data(data)  # type: ignore[misc]

    def data_to_send(self) -> bytes:
        write = self._write
        if write._pending or write._out or self._said or self._key_update_owed:  # `wants_to_send`
            note: Any = self._jot if self._info is None else self._read.note
            note(("call", "take", None))
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
            alert = None if error.alert is None else int(error.alert)
            self._call("fail", (error.reason, error.detail, alert))
        else:
            self._call("answer", plain(value))
        super()._answer(value, error)


@cache
def _watched(kind: Any, inputs: bool) -> Any:
    """`kind`, watched."""
    base = Watched if inputs else Timed
    return type(kind.__name__, (base, kind), {"__slots__": (), "__module__": kind.__module__})


# -- configurations, as plain values -------------------------------------------------------------------


def settings_of(config: Any) -> dict[str, Any]:
    """A configuration as plain values and secrets; computed once for each configuration."""
    known: dict[str, Any] | None = config.cache.get("settings")
    if known is None:
        known = config.cache["settings"] = _settings(config)
    return known


def _settings(config: Config) -> dict[str, Any]:
    # What is computed once for a configuration is computed for the original: every watched one shares it.
    _ = config.alpn_names, config.judge if isinstance(config, ClientConfig) else config.issuer  # type: ignore[attr-defined]
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
        from pellucid.handshake.tickets import server_binding

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


__all__ = ["Watched", "plain", "settings_of", "watch", "watched_config"]
