"""Every link of the documentation leads somewhere, and every page is reached from its index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = sorted(
    [*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("examples/*.md"), *TOP.glob("benchmarks/*.md")]
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```|`[^`]*`", re.S | re.M)


def links(page: Path) -> list[str]:
    text = _CODE.sub("", page.read_text("utf-8"))
    return [link for link in _LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub makes anchors of them."""
    found = re.findall(r"^#+\s+(.*)$", _CODE.sub(lambda m: m[0].strip("`"), page.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} leads nowhere"
        assert target.is_relative_to(TOP), f"{link} leads out of the project"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: no such heading"


def test_every_page_is_reached() -> None:
    seen: set[Path] = set()
    waiting = [TOP / "README.md", TOP / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"
        ]
    lost = {str(page.relative_to(TOP)) for page in TOP.glob("docs/**/*.md")} - {
        str(page.relative_to(TOP)) for page in seen if page.is_relative_to(TOP)
    }
    assert not lost, "docs/index.md should lead to them"
