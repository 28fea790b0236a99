"""What a proxy knows of one connection."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pellucid.config import ServerConfig
from pellucid.glass.failure import Failure, explain
from pellucid.glass.gist import agreed
from pellucid.glass.trace import Trace

CLIENT, SERVER = "client", "server"


def place(address: tuple[Any, ...]) -> str:
    """Host and port as people write them.

    >>> place(("::1", 443, 0, 0)), place(("example.org", 80))
    ('[::1]:443', 'example.org:80')
    """
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


class Leg(NamedTuple):
    """A handshake of a connection.

    Attributes:
        name: "front" (a client with this proxy), "behind" (this proxy with a server), or "passing" (the
            two with each other).
        trace: what was noted of it.
        title: whose it is, for a heading.
    """

    name: str
    trace: Trace
    title: str


@dataclass
class Passage:
    """One connection.

    Attributes:
        number: in the order in which they came, from 1.
        way: what was done with it: "terminate", "originate", "intercept" or "tunnel".
        client: its address.
        to: the server: host and port; None until the client has said it.
        name: what the server was asked to be.
        front: the handshake with the client, told from the server's place: this proxy's.
        behind: the handshake with the server, told from the client's place: this proxy's.
        passing: the handshake that passed, as a listener hears it.
        front_config: what the client was served with.
        sent, received: bytes of the client's and of the server's that were carried; what they said, and
            where nobody looked into it, records and all.
        began, seconds: when it began, seconds since 1970; how long it took. `clock` is the former by the
            clock that nobody sets.
        shaken: its handshakes are over.
        notes: what there is to know about it, in sentences.
        error: what ended it, if that was no proper end; `blame` is on whose side: "client" or "server".
    """

    number: int
    way: str
    client: str
    to: tuple[str, int] | None = None
    name: str | None = None
    front: Trace | None = None
    behind: Trace | None = None
    passing: Trace | None = None
    front_config: ServerConfig | None = None
    sent: int = 0
    received: int = 0
    began: float = field(default_factory=time.time)
    seconds: float = 0.0
    shaken: bool = False
    notes: list[str] = field(default_factory=list)
    error: BaseException | None = None
    blame: str = ""
    clock: float = field(default_factory=time.monotonic)

    def finish(self) -> None:
        """It is over."""
        self.seconds = time.monotonic() - self.clock

    def fail(self, blame: str, error: BaseException) -> None:
        """Something ended it. The first is the cause; what follows from it is not told."""
        if self.error is None:
            self.blame, self.error = blame, error

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The handshakes that there are, the client's first."""
        server = f"the server {place(self.to)}" if self.to else "the server"
        asked = f", asked for as {self.name}" if self.name and self.to and self.name != self.to[0] else ""
        found = (
            ("front", self.front, f"the client {self.client} and this proxy"),
            ("behind", self.behind, f"this proxy and {server}{asked}"),
            ("passing", self.passing, f"the client {self.client} and {server}, heard in passing"),
        )
        return tuple(Leg(name, trace, title) for name, trace, title in found if trace is not None)

    @property
    def blamed(self) -> Trace | None:
        """The trace of the side that the error is of."""
        return self.passing or (self.front if self.blame == CLIENT else self.behind)

    @property
    def failure(self) -> Failure | None:
        """What ended it, in three parts; None for a proper end."""
        if self.error is None:
            return None
        told = getattr(self.error, "failure", None)  # the proxy's own refusals say it themselves
        return told if isinstance(told, Failure) else explain(self.error, self.blamed)

    @property
    def line(self) -> str:
        """The connection in one line."""
        where = place(self.to) if self.to else "?"
        told = [str(self.number), self.way, f"{self.client} -> {where}"]
        for leg in self.legs:
            told.append(" ".join([f"{leg.name}:", *(agreed(leg.trace).values() or ["nothing"])]))
        told += [f"{self.sent} up", f"{self.received} down", f"{self.seconds:.3f} s"]
        failure = self.failure
        told.append("complete" if failure is None else f"{self.blame}: {failure.reason}: {failure.what}")
        return "  ".join(told)

    def to_json(self) -> dict[str, Any]:
        """Everything but the handshakes themselves."""
        failure = self.failure
        return {
            "connection": self.number,
            "way": self.way,
            "client": self.client,
            "to": place(self.to) if self.to else None,
            "name": self.name,
            "began": round(self.began, 3),
            "seconds": round(self.seconds, 3),
            **{leg.name: agreed(leg.trace) for leg in self.legs},
            "sent": self.sent,
            "received": self.received,
            "notes": self.notes,
            "error": None if failure is None else {"side": self.blame, **failure._asdict()},
        }
