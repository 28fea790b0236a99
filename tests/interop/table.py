"""Draws docs/interop.md from the results of the matrix: python -m tests.interop.table RESULTS [PAGE]

A row for each feature, a column for each peer. test_table.py holds the page against the code, so that a
feature or a peer that is added, or a capability that changes, asks for a new run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from .bench import HERE
from .cells import ROLES, THEIRS, Cell, cells
from .features import FEATURES
from .peers import PEERS

PAGE = HERE.parents[1] / "docs" / "interop.md"
Outcomes = Mapping[tuple[str, str, str], str]  # peer, feature, role

#: What a cell shows, by what it came to as client and as server.
MARKS = {"passed": "✔", "peer's fault": "✘", "failed": "✗", "skipped": "–", "": "·"}

HEAD = """# Interoperation

pellucid and other TLS stacks, real processes over loopback, both ways. In each cell a conversation took place
in which the feature was in force, as `ConnectionInfo` says, and every byte came back; the certificates were
verified. This page is drawn from a run (`make interop`), and a test holds its rows and columns against the
code.

Two marks stand in a cell: pellucid as client, the peer as server; then the other way round.

| mark | |
|---|---|
| ✔ | works |
| ✘ | does not, for a fault of the peer: see the end |
| ✗ | does not |
| · | the peer cannot do this in that role, or cannot be told to |
| – | was not tried: the peer was not installed |
"""


def read(lines: Iterable[str]) -> dict[tuple[str, str, str], str]:
    """The last outcome of each cell in a file of results."""
    found = {}
    for line in lines:
        one = json.loads(line)
        found[one["peer"], f"{one['section']}: {one['feature']}", one["role"]] = one["outcome"]
    return found


def marks(feature: str, peer: str, outcomes: Outcomes, known: frozenset[tuple[str, str, str]]) -> str:
    """One cell of the page."""
    keys = [(peer, feature, role) for role in ROLES]
    return "".join(MARKS[outcomes.get(key, "skipped") if key in known else ""] for key in keys)


def key(cell: Cell) -> tuple[str, str, str]:
    """What names a cell in a file of results."""
    return cell.peer.name, str(cell.feature), cell.role


def page(outcomes: Outcomes, versions: Mapping[str, str]) -> str:
    """The whole page."""
    known = frozenset(map(key, cells()))
    parts = [HEAD, "\n## The peers\n\n| name | library | version |\n|---|---|---|\n"]
    parts += [
        f"| {peer.name} | {peer.library} | {versions.get(peer.name, 'not installed')} |\n" for peer in PEERS
    ]
    for section in dict.fromkeys(feature.section for feature in FEATURES):
        parts.append(f"\n## {section}\n\n| |{'|'.join(peer.name for peer in PEERS)}|\n")
        parts.append("|---|" + ":-:|" * len(PEERS) + "\n")
        for feature in FEATURES:
            if feature.section == section:
                row = (marks(str(feature), peer.name, outcomes, known) for peer in PEERS)
                parts.append(f"| {feature.name} |{'|'.join(row)}|\n")
    parts.append("\n## Faults of peers\n\n")
    parts += [f"* {peer}, {name}, pellucid as {role}: {why}.\n" for (peer, name, role), why in THEIRS.items()]
    return "".join(parts)


def main() -> None:
    """Write the page."""
    results = Path(sys.argv[1])
    versions = {peer.name: version for peer in PEERS if (version := peer.version())}
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else PAGE
    target.write_text(page(read(results.read_text().splitlines()), versions))


if __name__ == "__main__":
    main()
