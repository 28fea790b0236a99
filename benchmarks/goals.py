"""Puts the goals and what came of them into README.md, from results.json: python benchmarks/goals.py"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
BEGIN, END = "<!-- goals: made by goals.py -->", "<!-- end of goals -->"
WORTH = {True: "met", False: "missed"}


def table() -> str:
    """One row for each goal, in the order of the run."""
    lines = ["| row | beside | ratio | goal | |", "|---|---|---:|---:|---|"]
    for text in (HERE / "results.json").read_text().splitlines():
        line = json.loads(text)
        if "goal" in line:
            ratio, goal = f"{line['ratio']:.2f}", f"{line['goal']:.2f}"
            lines.append(f"| {line['row']} | {line['peer']} | {ratio} | {goal} | {WORTH[line['met']]} |")
    return "\n".join(lines)


def main() -> None:
    """Replace what stands between the two marks."""
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}")


if __name__ == "__main__":
    main()
