"""Run a recorded connection again: the same inputs give the same bytes, and the same trace.

    again = replay(trace)
    again.identical                     # whether each fact came out as it was recorded
    again.trace                         # the new trace

A trace holds all that came into the connection: its configuration, the application's calls, the peer's
bytes, and everything drawn from outside (see `pellucid.watching`). Written down without secrets it
lacks the randomness, so it can be shown, and not run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pellucid import events
from pellucid.config import ClientConfig, Policy, ServerConfig
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import Reason, TLSError, UsageError
from pellucid.glass.trace import Fact, Hidden, Trace
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import Session
from pellucid.secret import Secret
from pellucid.trust.identity import Identity
from pellucid.trust.verification import Trust


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay.

    Attributes:
        trace: the new one.
        identical: whether it equals the recorded one, fact by fact.
        difference: where the two part, in words; "" where they do not.
        steps: how many calls were made.
    """

    trace: Trace
    identical: bool
    difference: str
    steps: int


class Replay:
    """A replay under way: one call of the application after the other.

    >>> from pellucid import Authority, ClientConfig, ClientConnection
    >>> trace = Trace()
    >>> hello = ClientConnection(ClientConfig(observer=trace, trust=Authority.create().trust()), "a.test")
    >>> first = hello.data_to_send()
    >>> again = Replay(trace)
    >>> for call in again.steps(): pass
    >>> again.result().identical
    True
    """

    def __init__(self, trace: Trace) -> None:
        """Prepare to run `trace` again.

        Raises:
            UsageError: it cannot be run: it holds no inputs, or lacks its secrets (`Reason.BAD_CONFIG`).
        """
        self.recorded = trace
        why = why_not(trace)
        if why:
            raise UsageError(Reason.BAD_CONFIG, f"this trace cannot be run again: {why}")
        self.trace = _Following(trace)
        self._drawn = deque(trace.of("drawn"))
        self._made = 0
        self._connection: Connection | None = None

    def steps(self) -> Iterator[Fact]:
        """Make the recorded calls, one by one; each is yielded after it was made."""
        first = next(iter(self.recorded.of("config")))
        self._connect(first.fields["settings"])
        for fact in self.recorded.of("call"):
            try:
                self._call(fact.fields["what"], fact.fields.get("value"))
            except TLSError as error:
                if isinstance(error, UsageError) and error.detail.startswith(_DIVERGED):
                    return
            self._made += 1
            yield fact

    def result(self) -> Replayed:
        """How the new trace compares with the recorded one."""
        difference = difference_of(self.recorded, self.trace)
        return Replayed(self.trace, not difference, difference, self._made)

    # -- the connection --------------------------------------------------------------------------------

    def _connect(self, settings: dict[str, Any]) -> None:
        try:
            config = self._config(settings)
            if self.recorded.role == "client":
                self._connection = ClientConnection(config, self.recorded.name)
            else:
                self._connection = ServerConnection(config)
        except TLSError:  # it failed then as well: the trace tells
            return

    def _call(self, what: str, value: Any) -> None:
        connection: Any = self._connection
        if connection is None:
            return
        match what:
            case "receive":
                connection.receive_data(_bytes(value))
            case "eof":
                connection.receive_eof()
            case "send":
                connection.send_data(_bytes(value))
            case "send early":
                connection.send_early_data(_bytes(value))
            case "take":
                connection.data_to_send()
            case "close":
                connection.close()
            case "abort":
                connection.abort(*value)
            case "update keys":
                connection.update_keys(request=value)
            case "request certificate":
                connection.request_certificate(required=value)
            case "answer":
                connection._request.answer(self._value(value))
            case "fail":
                reason, detail, alert = value
                connection._request.fail(reason, detail, alert=alert)

    # -- what is drawn ---------------------------------------------------------------------------------

    def _draw(self, what: str) -> Any:
        if not self._drawn or self._drawn[0].fields["what"] != what:
            due = self._drawn[0].fields["what"] if self._drawn else "nothing more"
            raise UsageError(Reason.BAD_CONFIG, f"{_DIVERGED}: it asks for {what}, {due} was recorded")
        return self._drawn.popleft().fields["value"]

    def _random(self, size: int) -> bytes:
        value = _bytes(self._draw("random"))
        if len(value) != size:
            raise UsageError(
                Reason.BAD_CONFIG, f"{_DIVERGED}: {size} random bytes are asked for, not {len(value)}"
            )
        return value

    def _hidden(self, name: str, thunk: Any) -> Any:
        value = self._draw(name)
        if value is None and name not in ("open", "first time"):
            raise ValueError(f"{name} failed when it was recorded")
        return _bytes(value) if isinstance(value, bytes) else value

    # -- the configuration -----------------------------------------------------------------------------

    def _config(self, settings: dict[str, Any]) -> Any:
        found = dict(settings)
        binding = found.pop("binding")
        trust = found.pop("trust")
        policy = dict(found.pop("policy"))
        policy["legacy"] = frozenset(policy["legacy"])
        policy["padding"] = None
        found["policy"] = Policy(**policy)
        found["identities"] = tuple(self._value(one) for one in found["identities"])
        found["psks"] = tuple(self._value(one) for one in found["psks"])
        found["ask"] = frozenset(getattr(events, name) for name in found["ask"])
        found |= {"random": self._random, "now": lambda: self._draw("now"), "hidden": self._hidden}
        found["observer"] = self.trace
        config: Any
        if self.recorded.role == "client":
            found["trust"] = self._trust(trust)
            found["sessions"] = tuple(Session.from_bytes(_bytes(one)) for one in found["sessions"])
            found["session_store"] = _Sessions(self) if found["session_store"] else None
            config = ClientConfig(**found)
        else:
            found["client_trust"] = None if trust is None else self._trust(trust)
            store = _Store(self)
            found["ticket_issuer"] = store
            found["session_cache"] = store if found["session_cache"] else None
            found["replay_guard"] = store if found["replay_guard"] else None
            config = ServerConfig(**found)
        if binding is not None:
            config.cache["binding"] = _bytes(binding)
        config.cache["settings"] = settings
        return config

    def _trust(self, settings: dict[str, Any]) -> Trust:
        """The same judgement; of the anchors only those that the verifier came to are known."""
        if settings["profile"] == "insecure":
            return Trust.insecure()
        told = (der for fact in self.recorded.of("path") for der in fact.fields["anchors"])
        anchors = [x509.load_der_x509_certificate(der) for der in dict.fromkeys(map(_bytes, told))]
        return Trust(lambda: anchors, **settings)

    def _value(self, value: Any) -> Any:
        """The inverse of `watching.plain`."""
        if isinstance(value, str) and value.startswith("a "):
            raise UsageError(
                Reason.BAD_CONFIG, f"{_DIVERGED}: the answer was {value}, which no trace can hold"
            )
        if not isinstance(value, dict):
            return value
        if "identity" in value:
            chain = tuple(map(_bytes, value["identity"]))
            key = _Key(load_der_public_key(_bytes(value["key"])), self)
            scts = tuple(map(_bytes, value["scts"]))
            return Identity(chain, key, ocsp=value["ocsp"], scts=scts, schemes=value["schemes"])
        if "psk" in value:
            return PreSharedKey(
                _bytes(value["psk"]), Secret(value["secret"]), value["hash"], value["imported"], value["role"]
            )
        if "verified" in value:
            return Trust.insecure().verify_server(tuple(map(_bytes, value["verified"])), "", 0.0)
        return self._config(value["config"])


_DIVERGED = "the replay parts from the trace"


def replay(trace: Trace) -> Replayed:
    """Run a recorded connection again, to its end.

    Raises:
        UsageError: it cannot be run (`Reason.BAD_CONFIG`), see `why_not`.
    """
    running = Replay(trace)
    for _ in running.steps():
        pass
    return running.result()


def why_not(trace: Trace) -> str:
    """Why a trace cannot be run again; "" where it can."""
    config = next(iter(trace.of("config")), None)
    if config is None:
        return "it holds no inputs (it may come from a capture, or from an older version)"
    if trace.dropped:
        return f"{trace.dropped:,} bytes of its data were not kept"
    if any(isinstance(fact.fields.get("value"), Hidden) for fact in trace.of("drawn", "call")):
        return "it was written without secrets; record it with --show-secrets"
    if config.fields["settings"]["policy"]["padding"]:
        return "its policy pads records by a function of its own"
    return ""


def difference_of(recorded: Trace, again: Trace) -> str:
    """Where two traces part, in words; "" where they do not."""
    pairs = zip_longest(recorded.lines(secrets=True), again.lines(secrets=True))
    for number, (ours, theirs) in enumerate(pairs):
        if ours != theirs:
            return f"at fact {number}: recorded {_short(ours)}, now {_short(theirs)}"
    return ""


def _short(line: str | None) -> str:
    """The beginning of a fact. It may be a secret: only its kind and name are shown."""
    if line is None:
        return "nothing"
    import json

    fact = json.loads(line)
    names = [str(fact[key]) for key in ("kind", "what", "name") if isinstance(fact.get(key), str)]
    return " ".join(names) or "the head"


def _bytes(value: Any) -> bytes:
    return value.reveal() if isinstance(value, Secret) else bytes(value)


class _Following(Trace):
    """A trace whose times are those of the recorded one."""

    __slots__ = ("_other",)

    def __init__(self, other: Trace) -> None:
        super().__init__()
        self._other = other

    def open(self, role: str, name: str | None = None) -> Any:
        note = super().open(role, name)
        self.started = self._other.started
        return note

    def _at(self, moment: float) -> float:
        at = len(self._facts)
        facts = self._other.facts
        return facts[at].at if at < len(facts) else facts[-1].at


class _Store:
    """Answers for ticket issuers, session caches and replay guards."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def seal(self, session: bytes) -> bytes:
        return bytes(self._replay._hidden("seal", None))

    def open(self, ticket: bytes) -> bytes | None:
        return self._replay._hidden("open", None)  # type: ignore[no-any-return]

    def why_not(self, ticket: bytes) -> str:
        return str(self._replay._hidden("why not", None))

    def first_time(self, token: bytes, now: float) -> bool:
        return bool(self._replay._hidden("first time", None))

    def put(self, name: bytes, session: bytes) -> None:
        """Nothing is kept."""

    discard = put


class _Sessions:
    """Answers for a client's store of sessions."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def put(self, session: Session) -> None:
        """Nothing is kept."""

    def take(self, binding: bytes) -> tuple[Session, ...]:
        return tuple(Session.from_bytes(_bytes(one)) for one in self._replay._draw("sessions"))


class _Key:
    """Stands for a private key whose results were recorded."""

    def __init__(self, public_key: Any, replay: Replay) -> None:
        self._public_key = public_key
        self._replay = replay

    def public_key(self) -> Any:
        return self._public_key
