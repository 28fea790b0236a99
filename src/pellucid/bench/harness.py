"""How things are measured: interleaved rounds, CPU time beside wall time, medians of ratios.

All subjects of a row run in one process, one after the other, A B C and then C B A, round after
round; each block does as many repetitions as fill a fixed span. What is reported is the median over
the rounds of (our cost / their cost) within the same round, so that whatever else loads the machine
falls on both. Absolute figures are medians too, and worth less.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from .peers.base import BenchError

T = TypeVar("T")
BOTH = ""
"""The part of a row that is the whole of it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one block cost, for one repetition: by part, in the row's unit, and in wall time."""

    cost: Mapping[str, float]
    wall: float = 0.0


Subject = Callable[[int], Sample]
"""Does the work that many times and says what one time cost. Costs in ns unless the row says."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to measure.

    Attributes:
        rounds: at most so many rounds.
        block: seconds that one block should take.
        patience: seconds that one row may take, after its first round.
    """

    rounds: int
    block: float
    patience: float


@dataclass(slots=True)
class Race:
    """The samples of one row, by subject and round. A slow subject sits out two rounds of three."""

    samples: dict[str, dict[int, Sample]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def cost(self, subject: str, part: str = BOTH) -> float:
        """The median cost of a subject's part."""
        return statistics.median(sample.cost[part] for sample in self.samples[subject].values())

    def wall(self, subject: str) -> float:
        """The median wall time of one repetition."""
        return statistics.median(sample.wall for sample in self.samples[subject].values())

    def ratios(self, ours: str, theirs: str, part: str = BOTH) -> list[float]:
        """Our cost over theirs in each round that both ran, sorted."""
        mine, others = self.samples[ours], self.samples[theirs]
        return sorted(mine[n].cost[part] / others[n].cost[part] for n in mine.keys() & others.keys())

    def wall_ratio(self, ours: str, theirs: str) -> float | None:
        """The median ratio of wall times, or None where nobody looked at the clock."""
        mine, others = self.samples[ours], self.samples[theirs]
        ratios = [mine[n].wall / others[n].wall for n in mine.keys() & others.keys() if others[n].wall]
        return statistics.median(ratios) if ratios else None


def repetitions(subject: Subject, block: float, most: int) -> tuple[int, float]:
    """Warm a subject up and find how many repetitions fill a block; and what one takes, in s."""
    subject(1)
    count, took = 1, 0.0
    while True:
        start = time.perf_counter()
        subject(count)
        took = time.perf_counter() - start
        if took > block / 4 or count >= most:
            return max(1, min(most, round(count * block / max(took, 1e-9)))), took / count
        count = min(most, max(count * 2, int(count * block / 2 / max(took, 1e-9))))


def _attempt(result: Race, name: str, work: Callable[[], T]) -> T | None:
    """A subject that cannot go on leaves the race, by name; the others go on."""
    try:
        return work()
    except BenchError as error:
        result.failed[name] = str(error)
        result.samples.pop(name, None)
        return None


def race(subjects: Mapping[str, Subject], pace: Pace, most: int = 100_000) -> Race:
    """Measure the subjects against each other."""
    result = Race({name: {} for name in subjects})
    counts = dict.fromkeys(subjects, 1)
    slow: set[str] = set()
    for name, subject in subjects.items() if most > 1 else ():
        found = _attempt(result, name, lambda subject=subject: repetitions(subject, pace.block, most))  # type: ignore[misc]
        if found:
            counts[name] = found[0]
            if found[1] > 2 * pace.block:
                slow.add(name)
    start = time.perf_counter()
    gc.collect()
    gc.freeze()
    try:
        for number in range(pace.rounds):
            order = list(result.samples) if number % 2 == 0 else list(result.samples)[::-1]
            for name in order:
                if name in slow and number % 3:
                    continue
                gc.collect()
                sample = _attempt(result, name, partial(subjects[name], counts[name]))
                if sample:
                    result.samples[name][number] = sample
            if time.perf_counter() - start > pace.patience:
                break
    finally:
        gc.unfreeze()
    return result
