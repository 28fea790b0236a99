"""What a row is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..harness import BOTH, Subject
from ..peers.base import Peer

FLOOR = "floor"
"""The subject that is not a peer: the row's primitives alone."""


@dataclass(slots=True)
class Entry:
    """Who takes part in a row, and who does not and why."""

    subjects: dict[str, Subject] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    finish: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of work.

    Attributes:
        name: as in JSON and on the command line; a part is named `name-part`.
        title: a few words for the table.
        enter: makes the subjects for these peers, by name, in order; told whether the run is a quick one.
        parts: the parts that the samples carry, BOTH first.
        unit: of the costs: "us" (kept in ns inside), "KiB" or "ms".
        size: bytes of application data in one repetition, for speeds; 0 where there are none.
        quick: whether `--quick` runs it.
        share: of a quick run's time, relative to other rows.
        most: repetitions in a block, at most; 1 also means that nothing is warmed up.
        rounds: at most so many rounds, whatever the run; 0: the run's own number.
    """

    name: str
    title: str
    enter: Callable[[Mapping[str, Peer], bool], Entry]
    parts: tuple[str, ...] = (BOTH,)
    unit: str = "us"
    size: int = 0
    quick: bool = True
    share: float = 1.0
    most: int = 100_000
    rounds: int = 0
