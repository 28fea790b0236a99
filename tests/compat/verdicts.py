"""What the runners of other people's tests share: the lists of what does not apply, and the counts.

No RFC. `cpython.py` runs CPython's tests of `ssl`, `suites.py` those of libraries.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

Exclusion = tuple[str, str]
"""A pattern of test names, and why they do not apply."""


def exclusions(entries: Iterable[dict[str, Any]]) -> list[Exclusion]:
    """The exclusions for this interpreter: entries have `tests`, a `reason`, and `pythons` if not for all."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return [
        (name, " ".join(entry["reason"].split()))
        for entry in entries
        if version in entry.get("pythons", [version])
        for name in entry["tests"]
    ]


def read(name: str) -> dict[str, Any]:
    """A list that stands beside the runners."""
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def why_excluded(name: str, listed: list[Exclusion]) -> str | None:
    """The reason by which a test does not apply. In a pattern * stands for anything, and [ for itself."""
    return next((why for pattern, why in listed if fnmatchcase(name, pattern.replace("[", "[[]"))), None)


@dataclass
class Verdict:
    """How the tests of one suite ended: their names by outcome.

    Attributes:
        passed, failed: over pellucid.
        skipped: by themselves.
        excluded: because they do not apply.
        unfair: they fail over OpenSSL too.
        broken: why there is no verdict, if the run itself failed.
    """

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    unfair: list[str] = field(default_factory=list)
    broken: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing failed that should not have."""
        return not self.failed and not self.broken

    def line(self, name: str, seconds: float) -> str:
        """One line of a report."""
        unfair = f" {len(self.unfair):3} fail over OpenSSL too" if self.unfair else ""
        return (
            f"{name:34} {len(self.passed):4} passed {len(self.failed):3} failed {len(self.skipped):3} skip "
            f"by themselves {len(self.excluded):3} do not apply{unfair} {seconds:6.1f} s"
        )


def command_line(description: str | None) -> argparse.ArgumentParser:
    """The flags that both runners know."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0] if description else None)
    parser.add_argument("--here", action="store_true", help="in this interpreter only")
    parser.add_argument("--native", action="store_true", help="over OpenSSL, for comparison")
    parser.add_argument("--excluded", action="store_true", help="only what is excluded")
    return parser
