"""What comes out: lines of JSON, and a plain table.

One JSON object is one row (or part of one) against one peer. `ratio` is our CPU cost over theirs,
the median over the rounds; `spread` its quartiles.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .goals import ABOVE_FLOOR, FIGURES, GOALS
from .harness import BOTH, Race
from .peers import OURS
from .rows import FLOOR, Row

_PER_UNIT = {"us": 1000.0, "KiB": 1.0, "ms": 1.0}


@dataclass(frozen=True, slots=True)
class Line:
    """One row against one peer; `judged` if it is pellucid's own, so that the goals apply."""

    row: str
    title: str
    peer: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    spread: tuple[float, float]
    rounds: int
    wall_ratio: float | None
    floor: float | None
    speed: float | None
    judged: bool

    @property
    def goal(self) -> float | None:
        """The ratio that it shall have, at most."""
        return GOALS.get((self.row, self.peer)) if self.judged else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None else self.ratio <= self.goal

    @property
    def above_floor(self) -> float | None:
        """What we spend beyond the row's primitives, in the row's unit."""
        return None if self.floor is None else self.ours - self.floor

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        fields: dict[str, Any] = {
            "row": self.row,
            "peer": self.peer,
            "ratio": _round(self.ratio),
            "spread": [_round(bound) for bound in self.spread],
            "rounds": self.rounds,
            "ours": _round(self.ours),
            "theirs": _round(self.theirs),
            "unit": self.unit,
        }
        optional = {
            "wall_ratio": self.wall_ratio,
            "floor": self.floor,
            "above_floor": self.above_floor,
            "mb_per_s": self.speed,
            "goal": self.goal,
        }
        fields |= {name: _round(value) for name, value in optional.items() if value is not None}
        if self.met is not None:
            fields["met"] = self.met
        return fields


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def lines_of(row: Row, race: Race, base: str) -> Iterator[Line]:
    """Every part of a row against every peer that took part; `base` is whom "our" means."""
    if not race.samples.get(base):
        return
    per = _PER_UNIT[row.unit]
    has_floor = bool(race.samples.get(FLOOR))
    for part in row.parts:
        name = f"{row.name}-{part}" if part else row.name
        title = f"{row.title}: {part}" if part else row.title
        ours = race.cost(base, part) / per
        floor = race.cost(FLOOR, part) / per if has_floor else None
        for peer in race.samples:
            if peer in (base, FLOOR) or not race.samples[peer]:
                continue
            ratios = race.ratios(base, peer, part)
            if not ratios:
                continue
            yield Line(
                row=name,
                title=title,
                peer=peer,
                unit=row.unit,
                ours=ours,
                theirs=race.cost(peer, part) / per,
                ratio=statistics.median(ratios),
                spread=_quartiles(ratios),
                rounds=len(ratios),
                wall_ratio=race.wall_ratio(base, peer) if part == BOTH else None,
                floor=floor,
                speed=row.size / ours if row.size and row.unit == "us" else None,
                judged=base == OURS,
            )


def _quartiles(ratios: list[float]) -> tuple[float, float]:
    return ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]


def as_json(lines: Iterable[Line]) -> str:
    """One object a line."""
    return "".join(json.dumps(line.as_dict()) + "\n" for line in lines)


_HEAD = ("row", "peer", "ours", "theirs", "unit", "ratio", "quartiles", "goal", "", "wall", "floor", "above")


def _cells(line: Line) -> tuple[str, ...]:
    met = {None: "", True: "met", False: "MISSED"}[line.met]
    return (
        line.row,
        line.peer,
        _figure(line.ours),
        _figure(line.theirs),
        line.unit,
        f"{line.ratio:.2f}" if line.ratio >= 0.095 else f"{line.ratio:.3f}",
        f"{line.spread[0]:.2f}-{line.spread[1]:.2f}",
        f"{line.goal:.2f}" if line.goal is not None else "",
        met,
        f"{line.wall_ratio:.2f}" if line.wall_ratio is not None else "",
        _figure(line.floor) if line.floor is not None else "",
        _figure(line.above_floor) if line.above_floor is not None else "",
    )


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(lines: Iterable[Line]) -> str:
    """A plain table, one line a row and peer."""
    rows = [_HEAD, *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    out = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in (0, 1, 4, 8) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out) + "\n"


def figures(lines: list[Line]) -> str:
    """The goals on our own figures: memory, and what is spent above the floor."""
    out = []
    seen: set[str] = set()
    for line in lines:
        if line.row in seen or not line.judged:
            continue
        seen.add(line.row)
        if (goal := FIGURES.get(line.row)) is not None:
            out.append(_judged(line.row, line.ours, goal, line.unit))
        limit = ABOVE_FLOOR.get(line.row)
        if limit is not None and line.above_floor is not None:
            out.append(_judged(f"{line.row} above its floor", line.above_floor, limit, line.unit))
    return "".join(out)


def _judged(what: str, value: float, goal: float, unit: str) -> str:
    verdict = "met" if value <= goal else "MISSED"
    return f"{what}: {_figure(value)} {unit} (goal {goal:g}) {verdict}\n"


def growth(lines: list[Line], families: Iterable[str]) -> str:
    """How our own cost, and the ratio to each peer, grew from a family's first row to its last."""
    out = []
    for family in families:
        members = [line for line in lines if line.row.rsplit("-", 1)[0] == family]
        for peer in dict.fromkeys(line.peer for line in members):
            of_peer = [line for line in members if line.peer == peer]
            if len(of_peer) > 1:
                first, last = of_peer[0], of_peer[-1]
                out.append(
                    f"{first.row} -> {last.row}: ours x{last.ours / first.ours:.2f}, "
                    f"{peer} x{last.theirs / first.theirs:.2f}, ratio {first.ratio:.2f} -> {last.ratio:.2f}\n"
                )
    return "".join(out)
