"""Draw docs/conformance.md: what is implemented, which sentences of the RFCs are tested, what is left out.

From the tests, conformance.toml beside this file, the tables of the shim and of limbo, and the list of
the RFCs' sentences in ../shared; without that folder the page stays as it is.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
TESTS = ROOT / "tests"
SHARED = Path(os.environ.get("PELLUCID_SHARED", ROOT.parent / "shared"))
PAGE = HERE / "conformance.md"
HEAD = """\
# What pellucid conforms to, and how that is known

Drawn by `make docs`: do not edit. Three judges who are not us: the RFCs' own sentences (each MUST is
claimed by a test that fails when it is broken, or excused with its reason), BoringSSL's test runner
(through the shim in [tests/bogo](../tests/bogo/README.md)), and x509-limbo with Project Wycheproof
for certificates, key shares and RSA decryption.
"""
LEVELS = ("MUST", "SHOULD", "MAY")
Requirement = dict[str, str]


def ledger() -> Any:
    """The tool that counts claims, as a module."""
    spec = importlib.util.spec_from_file_location("ledger", SHARED / "tools" / "ledger.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(SHARED)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def requirements() -> list[Requirement]:
    """The sentences of the RFCs that the ledger counts."""
    found: list[Requirement] = json.loads((SHARED / "rfc" / "requirements.json").read_text("utf-8"))
    return [one for one in found if not one["id"].startswith(("rfc4492:", "rfc5869:"))]


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Iterator[str]:
    """A table in Markdown."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
    yield ""


def implemented(data: dict[str, Any]) -> Iterator[str]:
    """Which RFC is followed how far."""
    yield "## What is implemented"
    yield ""
    rows = [
        (f"[{number}](https://www.rfc-editor.org/rfc/rfc{number})", title, how)
        for number, (title, how) in data["rfc"].items()
    ]
    yield from table(("RFC", "about", "how far"), rows)


def sentences(
    wanted: list[Requirement], have: dict[str, list[str]], excused: dict[str, Any]
) -> Iterator[str]:
    """The counts, and for each section of each RFC where its sentences are tested."""
    yield "## The RFCs, sentence by sentence"
    yield ""
    rows = []
    by_rfc: dict[str, list[Requirement]] = defaultdict(list)
    for one in wanted:
        by_rfc[one["id"].split(":")[0]].append(one)
    for rfc, ones in sorted(by_rfc.items()):
        for level in LEVELS:
            ids = [one["id"] for one in ones if one["level"] == level]
            claimed = sum(ident in have for ident in ids)
            reasons = sum(ident in excused and ident not in have for ident in ids)
            if level == "MUST" or claimed:
                rows.append((rfc.upper().replace("RFC", "RFC "), level, len(ids), claimed, reasons))
    yield from table(("RFC", "level", "sentences", "tested", "excused"), rows)
    yield "Where the MUSTs are tested, section by section:"
    yield ""
    for rfc, ones in sorted(by_rfc.items()):
        yield f"### {rfc.upper().replace('RFC', 'RFC ')}"
        yield ""
        yield from table(("section", "MUSTs", "tested in"), list(sections(ones, have)))


def sections(ones: list[Requirement], have: dict[str, list[str]]) -> Iterator[tuple[str, int, str]]:
    """For each section with a MUST that is tested: its name, how many of them, and the files."""
    files: dict[str, set[str]] = defaultdict(set)
    count: dict[str, int] = defaultdict(int)
    for one in ones:
        if one["level"] == "MUST" and one["id"] in have:
            section = one["id"].split(":")[1]
            count[section] += 1
            files[section] |= set(have[one["id"]])
    for section in sorted(count, key=in_order):
        links = ", ".join(f"[{Path(file).name}](../{file})" for file in sorted(files[section]))
        yield section, count[section], links


def in_order(section: str) -> list[tuple[int, str]]:
    """1.2 before 1.10, appendices last."""
    parts = re.split(r"[.\-]", section)
    return [(int(part), "") if part.isdigit() else (1000, part) for part in parts]


def excuses(wanted: list[Requirement], have: dict[str, list[str]], excused: dict[str, Any]) -> Iterator[str]:
    """The sentences that no test claims, by reason."""
    yield "### Excused, and why"
    yield ""
    levels = {one["id"]: one["level"] for one in wanted}
    by_reason: dict[str, list[str]] = defaultdict(list)
    for ident, entry in excused.items():
        if ident not in have and levels.get(ident) == "MUST":
            by_reason[entry["reason"]].append(ident.removeprefix("rfc"))
    yield from table(
        ("sentences (RFC:section:number)", "reason"),
        [(", ".join(idents), reason) for reason, idents in by_reason.items()],
    )


def shim() -> Iterator[str]:
    """The flags of the shim, and the tests that are off."""
    sys.path.insert(0, str(TESTS))
    try:
        from bogo.flags import ABSENT, TABLE
    finally:
        sys.path.remove(str(TESTS))
    config = json.loads((TESTS / "bogo" / "config.json").read_text("utf-8"))
    known = sorted(flag for flag in TABLE if flag not in ABSENT)
    last = tomllib.loads((TESTS / "bogo" / "result.toml").read_text("utf-8"))
    yield "## BoringSSL's runner"
    yield ""
    passed, failed, skipped = last["passed"], len(last["failed"]), last["skipped"]
    yield f"Run on {last['date']:%-d %B %Y} by `tests/bogo/runner.sh` with {last['runner']}:"
    yield f"{passed:,} tests passed, {failed} failed, {skipped:,} need what pellucid does not have. No loose"
    yield "errors."
    yield ""
    yield from table(("failed", "because"), [(f"`{name}`", why) for name, why in last["failed"].items()])
    yield f"The shim knows {len(known)} flags:"
    yield ""
    yield ", ".join(f"`-{flag}`" for flag in known) + "."
    yield ""
    yield "These stand for something that pellucid does not have, and end with 89, like any other flag:"
    yield ""
    yield from table(("flag", "stands for"), [(f"`-{flag}`", why) for flag, why in sorted(ABSENT.items())])
    yield "Tests that are off, in the runner's own patterns:"
    yield ""
    yield from table(
        ("tests", "reason"), [(f"`{name}`", why) for name, why in config["DisabledTests"].items()]
    )


def certificates() -> Iterator[str]:
    """x509-limbo: the differences, and the vectors of Wycheproof."""
    data = tomllib.loads((TESTS / "trust" / "limbo.toml").read_text("utf-8"))
    yield "## Certificates and keys"
    yield ""
    yield "Half of x509-limbo, 4,873 chains with a known verdict, is put to both profiles by"
    yield "[test_limbo.py](../tests/trust/test_limbo.py). They differ from upstream here, and nowhere else:"
    yield ""
    for profile, parts in data.items():
        for part, cases in parts.items():
            what = "fails upstream, accepted here" if part == "accepted" else "passes upstream, refused here"
            yield f"### Profile `{profile}`: {what} ({len(cases)})"
            yield ""
            yield from table(("case", "reason"), [(f"`{name}`", why) for name, why in cases.items()])
    yield "Project Wycheproof's vectors for X25519, X448, the points of NIST's curves, ML-KEM encapsulation"
    yield "keys and RSAES-PKCS1-v1_5 run against what parses key shares and decrypts pre-master secrets:"
    yield "[test_groups_wycheproof.py](../tests/crypto/test_groups_wycheproof.py),"
    yield "[test_static_rsa.py](../tests/crypto/test_static_rsa.py)."
    yield ""


def absences(data: dict[str, Any]) -> Iterator[str]:
    """What is left out on purpose."""
    yield "## Left out on purpose"
    yield ""
    yield from table(("what", "why"), list(data["absent"].items()))


def page() -> str:
    """The whole page."""
    data = tomllib.loads((HERE / "conformance.toml").read_text("utf-8"))
    excused = tomllib.loads((TESTS / "rfc_exempt.toml").read_text("utf-8"))
    wanted, have = requirements(), ledger().claimed(TESTS)
    lines = [
        HEAD,
        *implemented(data),
        *sentences(wanted, have, excused),
        *excuses(wanted, have, excused),
        *shim(),
        *certificates(),
        *absences(data),
    ]
    return "\n".join(lines).rstrip() + "\n"


def draw() -> None:
    """Write the page; leave it alone where the sentences are not at hand."""
    if (SHARED / "rfc" / "requirements.json").exists():
        PAGE.write_text(page(), "utf-8")
    else:
        print(f"conformance.md is left as it is: {SHARED} is not here", file=sys.stderr)


if __name__ == "__main__":
    draw()
