"""What a told handshake is made of: steps, each with arrows (messages) and boxes (what a side does).

`story` builds these from traces; `ladder` draws them, JSON writes them, and neither needs to know
TLS to do so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pellucid.glass import show
from pellucid.glass.failure import Failure
from pellucid.glass.show import Row
from pellucid.glass.words import TITLES, Change

APPLICATION_DATA = "application data"
EARLY_DATA = "early data"


class Arrow(NamedTuple):
    """Something that crosses the wire. `size` in bytes; `sealed` when it is encrypted."""

    sender: str
    name: str
    size: int
    sealed: bool
    rows: tuple[Row, ...] = ()
    bad: bool = False


class Box(NamedTuple):
    """Something a side does by itself, in words, with the values that it did it with."""

    who: str
    text: str
    rows: tuple[Row, ...] = ()


class Mark(NamedTuple):
    """A check: passed, failed, or (None) not made. A digest sums up checks that JSON has one by one."""

    passed: bool | None
    detail: str
    digest: bool = False


class Both(NamedTuple):
    """A value that each side computed for itself."""

    client: Any
    server: Any


@dataclass(slots=True)
class Step:
    """One of the nine steps, as this handshake took it."""

    number: int
    who: str
    title: str
    tells: str
    items: list[Arrow | Box] = field(default_factory=list)
    extra: list[Row] = field(default_factory=list)
    change: Change | None = None
    #: label: a sentence more about the step ("why", "wire", "but"), for who wants it.
    notes: dict[str, str] = field(default_factory=dict)

    def values(self, *, secrets: bool = False) -> dict[str, Any]:
        """Every value of the step by name, for JSON."""
        found: dict[str, Any] = {}
        messages: list[dict[str, Any]] = []
        data: list[dict[str, Any]] = []
        for item in self.items:
            if isinstance(item, Arrow) and item.name in (APPLICATION_DATA, EARLY_DATA):
                said = {row.key: show.plain(row.value, secrets=secrets) for row in item.rows}
                data.append({"from": item.sender, "bytes": item.size, **said})
                continue
            if isinstance(item, Arrow):
                messages.append(
                    {"message": item.name, "from": item.sender, "bytes": item.size, "encrypted": item.sealed}
                )
            for row in item.rows:
                _put(found, row, secrets)
        for row in self.extra:
            _put(found, row, secrets)
        if data:
            found["data"] = data
        if messages:
            found["messages"] = messages
        return found


def _put(found: dict[str, Any], row: Row, secrets: bool) -> None:
    """Add a row. Checks gather under "checks"; a name that comes again makes a list."""
    value = row.value
    if isinstance(value, Mark):
        if value.digest:
            return
        check = {"what": row.label, "passed": value.passed, "detail": value.detail}
        found.setdefault("checks", []).append(check)
        return
    if isinstance(value, Both):
        sides = {"client": value.client, "server": value.server}
        known = {side: show.plain(item, secrets=secrets) for side, item in sides.items() if item is not None}
        same = len(set(known.values())) == 1
        written: Any = next(iter(known.values())) if same else known
    else:
        written = show.plain(value, secrets=secrets)
    if row.key in found and found[row.key] != written:
        key, number = row.key, 2
        while f"{key}_{number}" in found:
            number += 1
        found[f"{key}_{number}"] = written
    else:
        found[row.key] = written


@dataclass(slots=True)
class Story:
    """A handshake, told. `steps` are in the order in which they happened.

    `kind` is how the keys were agreed on (see `words.TITLES`); `label` is "classic" for the textbook's
    static RSA and "today" for everything else.
    """

    kind: str
    steps: list[Step]
    client: str = "client"
    server: str = "server"
    ending: list[Arrow | Box] = field(default_factory=list)
    failure: Failure | None = None
    failed_by: str = ""
    summary: list[Row] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The story's name in JSON."""
        return "classic" if self.kind == "RSA" else "today"

    @property
    def title(self) -> str:
        """What the story is about."""
        return TITLES[self.kind]

    def step(self, number: int) -> Step | None:
        """The step of this number, if it happened."""
        return next((step for step in self.steps if step.number == number), None)

    def objects(self, *, secrets: bool = False) -> Iterator[dict[str, Any]]:
        """The steps as JSON objects, by number."""
        for step in sorted(self.steps, key=lambda step: step.number):
            told: dict[str, Any] = {
                "story": self.label,
                "step": step.number,
                "who": step.who,
                "title": step.title,
                "values": step.values(secrets=secrets),
            }
            if step.change is not None:
                told["change"] = step.change._asdict()
            yield told
        if self.failure is not None:
            yield {"story": self.label, "error": self.failure._asdict()}
