"""`pellucid replay`: a recorded handshake once more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from glass.handshakes import seen
from pellucid.cli.replay import replay_command
from support import House


@pytest.fixture
def recorded(house: House, tmp_path: Path) -> dict[bool, str]:
    """A trace with secrets, and one without."""
    found = {}
    for secrets in (True, False):
        path = tmp_path / f"{secrets}.jsonl"
        with path.open("w") as file:
            seen(house, "1.3").client.write(file, secrets=secrets)
        found[secrets] = str(path)
    return found


def test_a_trace_is_run_again(recorded: dict[bool, str]) -> None:
    shown = CliRunner().invoke(replay_command, [recorded[True]])
    assert shown.exit_code == 0
    assert "identical to the record" in shown.output


def test_step_by_step_from_a_pipe(recorded: dict[bool, str]) -> None:
    shown = CliRunner().invoke(replay_command, [recorded[False], "--step"])
    assert shown.exit_code == 0
    places = [shown.output.index(name) for name in ("ClientHello", "ServerHello", "CertificateVerify")]
    assert places == sorted(places)
    assert "cannot be run again" in shown.output


def test_as_json(recorded: dict[bool, str]) -> None:
    shown = CliRunner().invoke(replay_command, [recorded[True], "--json"])
    last = json.loads(shown.stdout.splitlines()[-1])
    assert last["identical"] is True


def test_a_damaged_trace_is_told(recorded: dict[bool, str], tmp_path: Path) -> None:
    lines = Path(recorded[True]).read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if '"what": "random"' in line)
    fact = json.loads(lines[at])
    fact["value"]["hex"] = "00" * fact["value"]["secret"]
    lines[at] = json.dumps(fact)
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text("\n".join(lines) + "\n")
    shown = CliRunner().invoke(replay_command, [str(damaged), "-q"], standalone_mode=False)
    assert shown.return_value == 1
