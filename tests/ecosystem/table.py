"""The table of docs/ecosystem.md: `make ecosystem` runs the conversations and writes what came of them.

python tests/ecosystem/table.py results.xml docs/ecosystem.md
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET  # the file is pytest's own
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PAIRS = ("pellucid to openssl", "openssl to pellucid", "pellucid to pellucid")
PACKAGES = (
    *("requests", "urllib3", "httpx", "httpcore", "h2", "aiohttp", "websockets", "uvicorn", "hypercorn"),
    *("uvloop", "trio", "anyio", "aiosmtpd", "aiosmtplib"),
)


def outcome(case: ET.Element) -> str:
    """How one test ended."""
    for kind, word in (("failure", "**failed**"), ("error", "**failed**"), ("skipped", "skipped")):
        if case.find(kind) is not None:
            return word
    return "ok"


def rows(xml: Path) -> dict[str, dict[str, str]]:
    """Conversation, then pair, then outcome."""
    found: dict[str, dict[str, str]] = {}
    for case in ET.parse(xml).iter("testcase"):
        name, _, parameters = case.attrib["name"].partition("[")
        pair = next((one for one in PAIRS if one in parameters), "")
        rest = parameters.rstrip("]").replace(pair, "").strip("-").replace("-", ", ")
        title = name.removeprefix("test_").replace("_", " ").capitalize()
        title = re.sub(r"\b(tls|http|ftp)\b", lambda word: word[0].upper(), title, flags=re.IGNORECASE)
        found.setdefault(f"{title}: {rest}" if rest else title, {})[pair] = outcome(case)
    return found


def package(name: str) -> str:
    """A package and its version."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} (not installed)"


def main(xml: str, page: str) -> None:
    """Write the page."""
    found = rows(Path(xml))
    lines = [
        "# The ecosystem over pellucid",
        "",
        "Real clients and servers on loopback: who speaks pellucid to whom. Written by `make ecosystem`;",
        "the conversations are in `tests/ecosystem`.",
        "",
        f"| conversation | {' | '.join(PAIRS)} |",
        f"|---|{'---|' * len(PAIRS)}",
        *(
            f"| {name} | {' | '.join(of.get(pair, '') for pair in PAIRS)} |"
            for name, of in sorted(found.items())
        ),
        "",
        f"CPython {sys.version.split()[0]}, {', '.join(map(package, PACKAGES))}.",
        "",
    ]
    Path(page).write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
