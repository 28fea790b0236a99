"""`pellucid bench`: choose rows and peers, run, say the results.

Exit code 0 when everything asked for was measured, 1 when a row failed, 2 for a wrong command line.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

import click

from pellucid.cli import exits

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


def _chosen_rows(patterns: str, quick: bool) -> list[Row]:
    if not patterns:
        return [row for row in ROWS.values() if row.quick or not quick]
    wanted = patterns.split(",")
    for pattern in wanted:
        if not any(fnmatch(name, pattern) for name in ROWS):
            raise click.UsageError(f"No row is named {pattern!r}. There are: {', '.join(ROWS)}.")
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
            raise click.UsageError(f"No peer is named {name!r}. There are: {', '.join(THEIRS)}.") from None
        except BenchError as error:
            if name == base:
                raise click.UsageError(f"The base cannot be measured: {error}") from None
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
    row: Row, peers: dict[str, Peer], clock: _Clock, quick: bool, base: str, told: set[tuple[str, str]]
) -> list[Line]:
    taking_part = dict(peers)
    if row.name.startswith("bulk-") and "ssl" in peers:
        taking_part[_RECORD_ONLY] = peer_named(_RECORD_ONLY)
    start = time.perf_counter()
    entry = row.enter(taking_part, quick)
    try:
        result = race(entry.subjects, clock.pace(row, len(entry.subjects)), row.most)
    finally:
        if entry.finish:
            entry.finish()
    lines = list(lines_of(row, result, base))
    for name, reason in (*entry.absent.items(), *result.failed.items()):
        if name in peers and (name, reason) not in told:
            told.add((name, reason))
            _say(f"    without {name}: {reason}")
    ratios = ", ".join(f"{line.peer} {line.ratio:.2f}" for line in lines if line.row == row.name)
    _say(f"{row.name}: {ratios or 'nothing to compare'} ({time.perf_counter() - start:.1f} s)")
    return lines


@click.command(short_help="Measure its speed beside other TLS libraries, on this machine.")
@click.option("--quick", is_flag=True, help="Fewer rows and rounds; ends within 50 s.")
@click.option("--rows", "patterns", default="", metavar="LIST", help="Names or patterns: tls13-*,bulk-16k-*.")
@click.option("--peers", "names", default="", metavar="LIST", help=f"Beside whom: {', '.join(THEIRS)}.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds of a row.  [default: 11, 7 with --quick]")
@click.option("--base", default=OURS, show_default=True, metavar="PEER", help="Whose cost is divided.")
@click.option("--list", "list_rows", is_flag=True, help="Say what is measured, and stop.")
@click.option("--json", "as_objects", is_flag=True, help="JSON on stdout, one object a line.")
@click.option("--output", type=click.Path(dir_okay=False), help="Also write the JSON lines to this file.")
@click.option("--svg", type=click.Path(dir_okay=False), help="Also draw a chart into this file.")
def bench(
    quick: bool,
    patterns: str,
    names: str,
    rounds: int | None,
    base: str,
    list_rows: bool,
    as_objects: bool,
    output: str | None,
    svg: str | None,
) -> int:
    """How much CPU a handshake, a record, a connection costs beside other TLS libraries.

    All of them in one interleaved run; a ratio below 1 means that pellucid spends less. A library that is
    not installed is left out by name: pip install 'pellucid[bench]' brings them all.
    """
    rows = _chosen_rows(patterns, quick)
    if list_rows:
        print("".join(f"{row.name:22} {row.title}\n" for row in rows), end="")
        return exits.OK
    _describe()
    peers = _chosen_peers(names, base)
    clock = _Clock(rows, quick, rounds or 0)
    lines: list[Line] = []
    told: set[tuple[str, str]] = set()
    failed = 0
    for row in rows:
        if clock.over():
            _say(f"{row.name}: left out: the time of a quick run is over")
            continue
        try:
            new = _measure(row, peers, clock, quick, base, told)
        except BenchError as error:
            _say(f"{row.name}: not measured: {error}")
            failed += 1
            continue
        lines += new
        if as_objects:
            print(as_json(new), end="", flush=True)
    if not as_objects:
        print(table(lines))
        print(figures(lines) + growth(lines, FAMILIES), end="")
    if output:
        Path(output).write_text(as_json(lines))
    if svg:
        Path(svg).write_text(chart(lines, base))
    return exits.OTHER if failed else exits.OK
