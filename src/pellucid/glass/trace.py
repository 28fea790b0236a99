"""The trace: one connection's facts, in order, as the connection noted them.

A `Trace` is an observer (`ClientConfig(observer=Trace())`). The connection calls `open` once and
gets a function to note facts with; noting is an append, all decoding waits until somebody reads.

Written down, a trace is JSON Lines. The first line says what it is; every other line is a fact:

    {"pellucid": "trace", "schema": 1, "role": "client", "name": "example.org",
     "started": 1790000000.0, "secrets": false}
    {"at": 0.00021, "kind": "message", "sent": true, "epoch": 0, "type": 1, "raw": {"hex": "010000..."}}

`at` is seconds since the trace was opened. Bytes are {"hex": "..."}. A secret is {"secret": 32},
its length only, and has its "hex" too where the writer asked for secrets; application data in the
clear is kept back in the same way. A reason is {"reason": "bad-finished"}. What the fields of each
kind are, `telling.KINDS` says; docs/trace.md has it at length, docs/trace.schema.json for machines.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from time import perf_counter
from typing import Any, NamedTuple, TextIO

from pellucid.errors import Reason, UsageError
from pellucid.glass.telling import NAMES, TOLD, Raw, told
from pellucid.protection import APPLICATION_DATA
from pellucid.secret import Secret

SCHEMA = 1

#: How much application data a trace keeps whole, in bytes on the wire. Of later records it keeps the
#: head, and after `HEADS` of them it only counts, so that a transfer of any length stays bounded.
KEEP = 256 * 1024
HEAD = 64
HEADS = 256
#: Facts that a trace keeps at most, beside how the connection ended.
MOST = 50_000

_ENDS = frozenset({"alert", "error", "state"})
_SENT = ("send", "send early")
_REASONS = {reason.label: reason for reason in Reason}


class Fact(NamedTuple):
    """One thing that happened. `at` is seconds since the trace was opened."""

    at: float
    kind: str
    fields: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, slots=True)
class Hidden:
    """A secret that was not written down: only its length in bytes is known."""

    length: int


class Trace:
    """The facts of one connection. Give it to a config as its observer.

    >>> trace = Trace()
    >>> note = trace.open("client", "example.org")
    >>> note("state", what="handshake complete")
    >>> [fact.what for fact in trace.of("state")]
    ['handshake complete']

    Attributes:
        role: "client" or "server": whose connection it was.
        name: the server's name that the client asked for; None on a server.
        started: when the trace was opened, seconds since 1970.
        facts: what happened, in order.
        dropped: bytes of application data that were not kept.
        omitted: facts that were not kept.
    """

    __slots__ = (
        "_append",
        "_clock",
        "_facts",
        "_heads",
        "_kept",
        "_lock",
        "_moment",
        "_raw",
        "dropped",
        "inputs",
        "name",
        "omitted",
        "role",
        "started",
    )

    def __init__(self, *, inputs: bool = True) -> None:
        """Begin empty. `inputs`: note what comes in too, so that the connection can be replayed."""
        self.inputs = inputs
        self.role = ""
        self.name: str | None = None
        self.started = 0.0
        self._facts: list[Fact] = []
        #: Facts not yet in words, some in a pair behind their time, and times for all that follows them.
        self._raw: deque[Any] = deque()
        self._append: Callable[[Raw], None] = self._raw.append
        self._lock = threading.Lock()
        self.dropped = 0
        self.omitted = 0
        self._kept = 0
        self._heads = 0
        self._clock = self._moment = 0.0

    def open(self, role: str, name: str | None = None) -> Callable[..., None]:
        """Begin: called by the connection that is observed. One trace observes one connection."""
        if self.role:
            raise UsageError(Reason.BAD_CONFIG, "a Trace observes one connection; make another one")
        self.role = role
        self.name = name
        self.started = time.time()
        self._clock = self._moment = perf_counter()
        return self.note

    def keep(self, fact: Raw) -> None:
        """Append a fact as the core hands it out (see `glass.telling`). Words wait for a reader."""
        self._append((perf_counter(), fact))

    @property
    def jot(self) -> Callable[[Raw], None]:
        """The same without its time, which is that of the fact before it: for the steps of a handshake.

        In a handshake the clock is read once for each call of the application.
        """
        return self._raw.append

    def stamp(self) -> None:
        """What is noted from here on happens now."""
        self._raw.append(perf_counter())

    def keep_data(self, fact: Raw) -> None:
        """The same for records, and for what the application does: of much data only samples are kept."""
        if fact[0] == "call" or fact[3] == APPLICATION_DATA:
            sample = self._sample_call(fact) if fact[0] == "call" else self._sample_data(fact)
            if sample is None:
                self.omitted += 1
                return
            fact = sample
        self._append((perf_counter(), fact))

    def note(self, kind: str, **fields: Any) -> None:
        """Append a fact that is in words already."""
        if kind == "record":
            self.keep_data((kind, *(fields[name] for name in NAMES[kind] if name in fields)))
        else:
            self.keep((TOLD, kind, fields))

    @property
    def facts(self) -> list[Fact]:
        """What happened, in order."""
        if self._raw:
            self._settle()
        return self._facts

    @facts.setter
    def facts(self, facts: list[Fact]) -> None:
        self._raw.clear()
        self._facts = facts

    def _settle(self) -> None:
        """Put into words what was kept."""
        with self._lock:
            while self._raw:
                fact = self._raw.popleft()
                if type(fact) is float:
                    self._moment = fact
                    continue
                if type(fact[0]) is float:
                    self._moment, fact = fact
                for kind, fields in told(fact):
                    self._facts.append(Fact(self._at(self._moment), kind, fields))

    def _at(self, moment: float) -> float:
        return moment - self._clock

    # -- much of it --------------------------------------------------------------------------------

    def _append_end(self, entry: Raw) -> None:
        """There are facts enough: only how the connection ends is still kept."""
        fact = entry[1]
        if (fact[1] if fact[0] == TOLD else fact[0]) in _ENDS:
            self._raw.append(entry)
        else:
            self.omitted += 1

    def _sample_data(self, fact: Raw) -> Raw | None:
        """A record of application data; its head, once there was much; None when there was too much."""
        if len(self._facts) + len(self._raw) >= MOST:
            self._append = self._append_end
        wire, plaintext = fact[4:6]
        self._kept += len(wire)
        if self._kept <= KEEP:
            return fact
        self._heads += 1
        if self._heads > HEADS:
            self.dropped += len(wire)
            return None
        self.dropped += len(wire) - HEAD
        fields = dict(zip(NAMES["record"], fact[1:], strict=False))
        fields |= {"size": len(wire), "wire": bytes(wire[:HEAD])}
        if plaintext is not None:
            fields |= {"plain_size": len(plaintext), "plaintext": bytes(plaintext[:HEAD])}
        return TOLD, "record", fields

    def _sample_call(self, fact: Raw) -> Raw | None:
        """What the application gave and the peer sent is in the records too: it goes first."""
        value = fact[2]
        if self._kept > KEEP:
            return None
        if type(value) is bytes and self._kept + len(value) > KEEP:
            self.dropped += len(value) - HEAD
            return "call", fact[1], value[:HEAD], len(value)
        return fact

    def of(self, *kinds: str) -> Iterator[Fact]:
        """The facts of these kinds, in order."""
        return (fact for fact in self.facts if fact.kind in kinds)

    def secret(self, name: str) -> Fact | None:
        """The step of the key schedule that made the secret `name`; the last one of that name."""
        found = None
        for fact in self.of("secret"):
            if fact.fields["name"] == name:
                found = fact
        return found

    def decision(self, what: str) -> Fact | None:
        """How `what` was chosen; the last choice."""
        found = None
        for fact in self.of("decision"):
            if fact.fields["what"] == what:
                found = fact
        return found

    def without_data(self) -> Trace:
        """The same without what the two said to each other once they had shaken hands.

        >>> trace = Trace()
        >>> trace.note("record", sent=True, epoch=2, content_type=23, wire=b"...", plaintext=b"hello")
        >>> trace.without_data().facts
        []
        """
        found = Trace(inputs=False)
        found.role, found.name, found.started = self.role, self.name, self.started
        found.facts = [fact for fact in self.facts if not _said(fact)]
        return found

    # -- on paper ----------------------------------------------------------------------------------

    def lines(self, *, secrets: bool = False) -> Iterator[str]:
        """The trace as JSON Lines, without the line ends. Secrets only if you ask."""
        yield json.dumps(self.head(secrets=secrets))
        for fact in self.facts:
            yield self.line(fact, secrets=secrets)

    def head(self, *, secrets: bool = False) -> dict[str, Any]:
        """The first line: what the trace is of."""
        head: dict[str, Any] = {
            "pellucid": "trace",
            "schema": SCHEMA,
            "role": self.role,
            "name": self.name,
            "started": self.started,
            "secrets": secrets,
        }
        if self.dropped or self.omitted:
            head |= {"dropped": self.dropped, "omitted": self.omitted}
        return head

    @staticmethod
    def line(fact: Fact, *, secrets: bool = False) -> str:
        """A fact's line."""
        at, kind, fields = fact
        return json.dumps({"at": round(at, 6), "kind": kind} | _written(kind, fields, secrets))

    def write(self, file: TextIO, *, secrets: bool = False) -> None:
        """Write the trace to a text file as JSON Lines."""
        for line in self.lines(secrets=secrets):
            file.write(line + "\n")

    @classmethod
    def read(cls, file: TextIO) -> Trace:
        """Read back what `write` wrote; the first trace of several. Raises UsageError(BAD_CONFIG)."""
        return cls.read_all(file)[0]

    @classmethod
    def read_all(cls, file: TextIO) -> list[Trace]:
        """Read the traces of a file, one behind the other.

        Raises:
            UsageError: this is something else, or of another schema (`Reason.BAD_CONFIG`).
        """
        found: list[Trace] = []
        try:
            for line in file:
                fact = json.loads(line)
                if "pellucid" in fact:
                    found.append(cls._from_head(fact))
                else:
                    found[-1]._add(fact)
            if not found:
                raise ValueError("there is nothing in it")
            for trace in found:
                trace.dropped = trace.dropped or trace._kept
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise UsageError(Reason.BAD_CONFIG, f"this is no trace of schema {SCHEMA}: {error}") from None
        return found

    @classmethod
    def _from_head(cls, head: dict[str, Any]) -> Trace:
        if head["pellucid"] != "trace" or head["schema"] != SCHEMA:
            raise ValueError(f"schema {head['schema']}")
        trace = cls()
        trace.role = str(head["role"])
        trace.name = head["name"]
        trace.started = float(head["started"])
        trace.dropped = int(head.get("dropped", 0))
        trace.omitted = int(head.get("omitted", 0))
        return trace

    def _add(self, fact: dict[str, Any]) -> None:
        fields = {name: _read(value) for name, value in fact.items()}
        found = Fact(float(fields.pop("at")), str(fields.pop("kind")), fields)
        self.facts.append(found)
        if "size" in fields:  # shortened; a trace that was written while it grew has no sum in its head
            self._kept += int(fields["size"])


def _said(fact: Fact) -> bool:
    """Whether a fact holds application data in clear."""
    kind, fields = fact.kind, fact.fields
    if kind == "record":
        return fields["content_type"] == APPLICATION_DATA and fields.get("plaintext") is not None
    return kind == "call"


def _written(kind: str, fields: dict[str, Any], secrets: bool) -> dict[str, Any]:
    """The fields of a fact as JSON values."""
    written = {name: _write(value, secrets) for name, value in fields.items()}
    if not secrets and kind == "record" and fields.get("content_type") == APPLICATION_DATA:
        plaintext = fields.get("plaintext")
        if plaintext is not None:
            written["plaintext"] = {"secret": _length(plaintext)}
    if not secrets and kind == "call" and fields["what"] in _SENT:
        written["value"] = {"secret": _length(fields["value"])}
    return written


def _length(value: Any) -> int:
    return value.length if isinstance(value, Hidden) else len(value)


def _write(value: Any, secrets: bool) -> Any:
    if isinstance(value, Hidden):
        return {"secret": value.length}
    if isinstance(value, Secret):
        return {"secret": len(value)} | ({"hex": value.reveal().hex()} if secrets else {})
    if isinstance(value, bytes | bytearray | memoryview):
        return {"hex": bytes(value).hex()}
    if isinstance(value, Reason):
        return {"reason": value.label}
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, Enum) else value
    if isinstance(value, dict):
        return {"map": {str(key): _write(item, secrets) for key, item in value.items()}}
    if isinstance(value, set | frozenset):
        return sorted(_write(item, secrets) for item in value)
    if isinstance(value, list | tuple):
        return [_write(item, secrets) for item in value]
    return str(value)


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "secret" in value:
        return Secret(bytes.fromhex(value["hex"])) if "hex" in value else Hidden(int(value["secret"]))
    if "hex" in value:
        return bytes.fromhex(value["hex"])
    if "reason" in value:
        return _REASONS.get(value["reason"], value["reason"])
    return {key: _read(item) for key, item in value["map"].items()}
