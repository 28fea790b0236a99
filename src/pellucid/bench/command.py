"""The command: choose rows and peers, run, say the results.

Exit status 0 when everything asked for was measured, 1 when a row failed, 2 for a bad command line.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from .chart import chart
from .harness import Pace, race
from .peers import OURS, THEIRS, peer_named
from .peers.base import BenchError, Peer
from .report import Line, as_json, figures, growth, lines_of, table
from .rows import ROWS, Row
from .rows.scaling import FAMILIES

_QUICK_SECONDS = 30.0  # of measuring; with start and set-up it ends within 50 ...
_LATEST_START = 42.0  # ... because no row of a quick run begins later than this, however loaded the machine
_RECORD_ONLY = "ssl-one-read"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pellucid bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds; ends within 50 s")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--output", metavar="FILE", help="also write the JSON lines to FILE")
    parser.add_argument("--svg", metavar="FILE", help="also draw a chart")
    parser.add_argument("--rows", default="", help="names or patterns, with commas: tls13-*,bulk-16k-*")
    parser.add_argument("--peers", default="", help=f"with commas, of: {', '.join(THEIRS)}")
    parser.add_argument("--rounds", type=int, default=0, help="rounds a row")
    parser.add_argument("--base", default=OURS, help=f'whom "ours" means (default {OURS})')
    parser.add_argument("--list", action="store_true", help="say the rows and stop")
    return parser


def _chosen_rows(patterns: str, quick: bool) -> list[Row]:
    if not patterns:
        return [row for row in ROWS.values() if row.quick or not quick]
    wanted = patterns.split(",")
    for pattern in wanted:
        if not any(fnmatch(name, pattern) for name in ROWS):
            raise SystemExit(f"pellucid bench: no row is named {pattern!r} (--list says them)")
    return [row for row in ROWS.values() if any(fnmatch(row.name, pattern) for pattern in wanted)]


def _chosen_peers(names: str, base: str) -> dict[str, Peer]:
    """The peers that are here; each that is not is named on stderr."""
    wanted = names.split(",") if names else list(THEIRS)
    peers: dict[str, Peer] = {}
    for name in dict.fromkeys((base, *wanted)):
        try:
            peer = peer_named(name)
            _say(f"  {name}: {peer.versions()}; its client checks {peer.verifies}")
        except KeyError:
            raise SystemExit(f"pellucid bench: no peer is named {name!r}") from None
        except BenchError as error:
            if name == base:
                raise SystemExit(f"pellucid bench: {error}") from None
            _say(f"  {name}: left out: {error}")
            continue
        peers[name] = peer
    return peers


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _describe() -> None:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    _say(f"{python} on {platform.system()} {platform.release()}, {_cpu_model()}, {os.cpu_count()} CPUs{load}")


class _Clock:
    """Shares the time of a quick run out among its rows."""

    def __init__(self, rows: Sequence[Row], quick: bool, rounds: int) -> None:
        self._quick = quick
        self._rounds = rounds
        self._left = sum(row.share for row in rows)
        self._end = time.perf_counter() + _QUICK_SECONDS

    def over(self) -> bool:
        """Whether there is no time for another row."""
        return self._quick and time.perf_counter() > self._end - _QUICK_SECONDS + _LATEST_START

    def pace(self, row: Row, subjects: int) -> Pace:
        """How long this row may take."""
        rounds = row.rounds or self._rounds or (7 if self._quick else 11)
        if not self._quick:
            return Pace(rounds, 0.15, 120.0)
        seconds = max(0.2, (self._end - time.perf_counter()) * row.share / max(self._left, row.share))
        self._left -= row.share
        return Pace(rounds, min(0.05, seconds / (5 * max(subjects, 1))), seconds * 0.55)


def _measure(
    row: Row, peers: dict[str, Peer], clock: _Clock, options: argparse.Namespace, told: set[tuple[str, str]]
) -> list[Line]:
    taking_part = dict(peers)
    if row.name.startswith("bulk-") and "ssl" in peers:
        taking_part[_RECORD_ONLY] = peer_named(_RECORD_ONLY)
    start = time.perf_counter()
    entry = row.enter(taking_part, options.quick)
    try:
        result = race(entry.subjects, clock.pace(row, len(entry.subjects)), row.most)
    finally:
        if entry.finish:
            entry.finish()
    lines = list(lines_of(row, result, options.base))
    for name, reason in (*entry.absent.items(), *result.failed.items()):
        if name in peers and (name, reason) not in told:
            told.add((name, reason))
            _say(f"    without {name}: {reason}")
    ratios = ", ".join(f"{line.peer} {line.ratio:.2f}" for line in lines if line.row == row.name)
    _say(f"{row.name}: {ratios or 'nothing to compare'} ({time.perf_counter() - start:.1f} s)")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark with these command-line arguments; the exit status."""
    options = _parser().parse_args(arguments)
    rows = _chosen_rows(options.rows, options.quick)
    if options.list:
        print("".join(f"{row.name:22} {row.title}\n" for row in rows), end="")
        return 0
    _describe()
    peers = _chosen_peers(options.peers, options.base)
    clock = _Clock(rows, options.quick, options.rounds)
    lines: list[Line] = []
    told: set[tuple[str, str]] = set()
    failed = 0
    for row in rows:
        if clock.over():
            _say(f"{row.name}: left out: the time of a quick run is over")
            continue
        try:
            new = _measure(row, peers, clock, options, told)
        except BenchError as error:
            _say(f"{row.name}: not measured: {error}")
            failed += 1
            continue
        lines += new
        if options.json:
            print(as_json(new), end="", flush=True)
    if not options.json:
        print(table(lines))
        print(figures(lines) + growth(lines, FAMILIES), end="")
    if options.output:
        Path(options.output).write_text(as_json(lines))
    if options.svg:
        Path(options.svg).write_text(chart(lines, options.base))
    return 1 if failed else 0
