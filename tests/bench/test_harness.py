"""The harness: interleaving, medians of ratios within a round, and who drops out."""

from __future__ import annotations

import json

from pellucid.bench.chart import chart
from pellucid.bench.harness import BOTH, Pace, Sample, Subject, race
from pellucid.bench.peers.base import BenchError
from pellucid.bench.report import as_json, figures, growth, lines_of, table
from pellucid.bench.rows.base import FLOOR, Entry, Row

PACE = Pace(rounds=4, block=0.001, patience=10.0)
ROW = Row("tls13-ecdsa", "TLS 1.3", lambda peers, quick: Entry(), most=1)


def scripted(costs: list[float], order: list[str] | None = None, name: str = "") -> Subject:
    """A subject whose blocks cost what the list says, in turn."""
    left = iter(costs)

    def subject(count: int) -> Sample:
        if order is not None:
            order.append(name)
        return Sample({BOTH: next(left)}, 1.0)

    return subject


def test_rounds_alternate_their_direction() -> None:
    order: list[str] = []
    race({name: scripted([1.0] * 9, order, name) for name in "ABC"}, PACE, most=1)
    assert order == list("ABCCBAABCCBA")


def test_ratios_are_taken_within_a_round() -> None:
    ours, theirs = [1000.0, 9000.0, 1000.0, 5000.0], [2000.0, 18000.0, 2000.0, 10000.0]
    result = race({"pellucid": scripted(ours), "ssl": scripted(theirs)}, PACE, most=1)
    assert result.ratios("pellucid", "ssl") == [0.5] * 4
    assert result.wall_ratio("pellucid", "ssl") == 1.0


def test_patience_ends_a_row() -> None:
    result = race({"A": scripted([1.0] * 9)}, Pace(rounds=9, block=0.001, patience=-1.0), most=1)
    assert len(result.samples["A"]) == 1


def test_one_subject_that_fails_is_named_and_the_others_go_on() -> None:
    def failing(count: int) -> Sample:
        raise BenchError("it broke")

    result = race({"A": scripted([1.0] * 9), "B": failing}, PACE, most=1)
    assert result.failed == {"B": "it broke"}
    assert len(result.samples["A"]) == PACE.rounds


def test_lines_say_ratio_goal_and_distance_to_the_floor() -> None:
    subjects = {
        FLOOR: scripted([500_000.0] * 4),
        "pellucid": scripted([700_000.0] * 4),
        "ssl": scripted([1_000_000.0] * 4),
        "pyopenssl": scripted([700_000.0] * 4),
    }
    lines = list(lines_of(ROW, race(subjects, PACE, most=1), "pellucid"))
    objects = [json.loads(line) for line in as_json(lines).splitlines()]
    assert [(o["row"], o["peer"], o["ratio"], o["met"]) for o in objects] == [
        ("tls13-ecdsa", "ssl", 0.7, True),
        ("tls13-ecdsa", "pyopenssl", 1.0, False),
    ]
    assert objects[0]["ours"] == 700.0
    assert objects[0]["above_floor"] == 200.0
    assert "MISSED" in table(lines)


def test_goals_are_not_asked_of_another_base() -> None:
    subjects = {"ssl": scripted([2.0] * 4), "pyopenssl": scripted([1.0] * 4)}
    lines = list(lines_of(ROW, race(subjects, PACE, most=1), "ssl"))
    assert lines[0].goal is None
    assert figures(lines) == ""


def test_the_chart_is_well_formed_and_names_its_rows() -> None:
    from xml.etree import ElementTree

    subjects = {"pellucid": scripted([1.0] * 4), "ssl": scripted([2.0] * 4)}
    lines = list(lines_of(ROW, race(subjects, PACE, most=1), "pellucid"))
    text = chart(lines, "pellucid")
    ElementTree.fromstring(text)
    assert "TLS 1.3" in text
    assert "prefers-color-scheme: dark" in text


def test_growth_within_a_family() -> None:
    lines = []
    for number, cost in ((2, 1000.0), (8, 3000.0)):
        row = Row(f"chain-{number}", "", lambda peers, quick: Entry(), most=1)
        subjects = {"pellucid": scripted([cost] * 4), "ssl": scripted([2 * cost] * 4)}
        lines += list(lines_of(row, race(subjects, PACE, most=1), "pellucid"))
    assert growth(lines, ("chain",)) == "chain-2 -> chain-8: ours x3.00, ssl x3.00, ratio 0.50 -> 0.50\n"
