"""docs/interop.md says what the code knows: each feature a row, each peer a column, each cell a mark."""

from __future__ import annotations

from .cells import ROLES, cells, short
from .features import FEATURES
from .peers import PEERS
from .table import PAGE, key, page, read


def rows() -> dict[str, list[str]]:
    """The tables of the page: "section: feature" to its cells."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| ") and section not in ("", "The peers"):
            name, *marks = (part.strip() for part in line.strip("|").split("|"))
            if name:
                found[f"{section}: {name}"] = marks
    return found


def test_the_page_has_every_feature_and_every_peer() -> None:
    assert sorted(rows()) == sorted(str(feature) for feature in FEATURES), "run `make interop`"
    header = "| |" + "|".join(peer.name for peer in PEERS) + "|"
    assert header in PAGE.read_text()


def test_the_page_marks_what_is_tried_and_nothing_else() -> None:
    known = set(map(key, cells()))
    for feature, marks in rows().items():
        for peer, cell in zip(PEERS, marks, strict=True):
            for role, mark in zip(ROLES, cell, strict=True):
                tried = (peer.name, feature, role) in known
                assert (mark != "·") == tried, f"{feature} with {peer.name}: run `make interop`"
                assert mark != "✗", f"{feature} with {peer.name} failed when the page was drawn"


def test_the_page_shows_a_failure() -> None:
    cell = cells()[0]
    drawn = page({key(cell): "failed"}, {})
    assert "✗" in drawn.partition("## " + cell.feature.section)[2]
    line = f'{{"peer": "a", "section": "b", "feature": "c", "role": "{cell.role}", "outcome": "passed"}}'
    assert read([line]) == {("a", "b: c", cell.role): "passed"}


def test_the_short_form_tries_every_feature_with_several_peers_and_every_peer_in_every_role() -> None:
    whole, some = cells(), short()
    assert set(map(key, some)) < set(map(key, whole))
    assert len(some) < len(whole) * 0.45
    for feature in map(str, FEATURES):
        for role in ROLES:
            can = [cell for cell in whole if str(cell.feature) == feature and cell.role == role]
            does = [cell for cell in some if str(cell.feature) == feature and cell.role == role]
            assert len(does) >= min(len(can), 2)
    assert {(c.peer.name, c.role) for c in some} == {(c.peer.name, c.role) for c in whole}
