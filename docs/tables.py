"""Draws attacks.md and features.md from their tables (.toml): each row with its code and its tests."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Row = dict[str, Any]

ATTACKS = """\
# Attacks, and what stands against them

Every attack that a TLS implementation is measured by, what stands against it in pellucid, and the tests that
show it: they play the attack, mostly through the misbehaving peer of [the laboratory](lab.md). This page is
drawn from `attacks.toml` by `make docs`; a test checks that everything named here exists. A 🏛 marks what
concerns `pellucid.legacy` only, which nothing loads until a policy asks for it by name.

| attack | defence | where | shown by |
|---|---|---|---|
"""

FEATURES = """\
# What pellucid speaks of TLS

Every feature, both as client and as server, with its code and the tests that show it. This page is drawn from
`features.toml` by `make docs`; a test checks that everything named here exists. Finite-field Diffie-Hellman,
renegotiation, compression, SSL 3.0, TLS 1.0 and 1.1 are left out on purpose; Encrypted ClientHello is not
spoken yet.

| feature | RFC | where | shown by |
|---|---|---|---|
"""


def rows(name: str) -> list[Row]:
    """The rows of `attacks` or `features`, as the file has them."""
    found: list[Row] = tomllib.loads((HERE / f"{name}.toml").read_text("utf-8"))[name.removesuffix("s")]
    return found


def code(row: Row) -> str:
    """The files that a row names, linked."""
    return ", ".join(f"[{path}](../src/pellucid/{path})" for path in row["where"])


def tests(row: Row) -> str:
    """The tests that a row names, in words, linked to their files."""
    found = []
    for node in row["tests"]:
        path, name = node.split("::")
        found.append(f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/{path})")
    return "; ".join(found)


def attack(row: Row) -> str:
    """A line of the page of attacks."""
    mark = " 🏛" if row.get("legacy") else ""
    return f"| **{row['name']}**{mark} | {row['defence']} | {code(row)} | {tests(row)} |\n"


def feature(row: Row) -> str:
    """A line of the page of features."""
    return f"| {row['group']}: {row['name']} | {row['rfc']} | {code(row)} | {tests(row)} |\n"


PAGES: dict[str, tuple[str, Callable[[Row], str]]] = {
    "attacks": (ATTACKS, attack),
    "features": (FEATURES, feature),
}


def page(name: str) -> str:
    """The whole page."""
    head, line = PAGES[name]
    return head + "".join(map(line, rows(name)))


def draw() -> None:
    """Write the pages."""
    for name in PAGES:
        (HERE / f"{name}.md").write_text(page(name), "utf-8")


if __name__ == "__main__":
    draw()
