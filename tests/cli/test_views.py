"""`--view`: the commands show what was asked for, and JSON has the same."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pellucid.cli.demo import demo
from pellucid.glass.views import VIEWS


def test_the_demo_in_every_view() -> None:
    shown = CliRunner().invoke(demo, ["--tls", "1.3", "--view", "all"], catch_exceptions=False)
    assert shown.exit_code == 0
    for view in VIEWS.values():
        assert view.title.upper() in shown.output
    assert all(len(line) <= 80 for line in shown.output.splitlines())


def test_the_views_as_json() -> None:
    shown = CliRunner().invoke(demo, ["--tls", "classic", "--view", "keys,wire", "--json"])
    told = [json.loads(line) for line in shown.output.splitlines()]
    assert [one["view"] for one in told] == ["keys", "wire"]
    assert told[1]["leak"]["opens"] is True
    assert told[1]["leak"]["shown"] is True


def test_a_view_nobody_knows() -> None:
    shown = CliRunner().invoke(demo, ["--view", "aura"])
    assert shown.exit_code == 2
    assert "no view 'aura'" in shown.output


@pytest.mark.parametrize(("flag", "titles"), [("-v", ["THE REASONS"]), ("-vv", ["THE BYTES", "THE KEYS"])])
def test_verbose_shows_more(flag: str, titles: list[str]) -> None:
    shown = CliRunner().invoke(demo, ["--tls", "1.2", flag])
    assert all(title in shown.output for title in titles)
