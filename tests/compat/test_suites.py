"""Other libraries' own tests of TLS over the drop-in; `make suites` runs the slow ones too."""

from __future__ import annotations

import pytest

from compat.suites import SUITES, Unavailable, run
from compat.verdicts import exclusions


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name, suite in SUITES.items() if not suite.get("slow")])
def test_a_librarys_own_tests_pass(name: str) -> None:
    try:
        verdict, printed = run(name)
    except Unavailable as why:
        pytest.skip(str(why))
    assert verdict.good, "\n".join((printed[-20_000:], verdict.broken, *verdict.failed))
    assert verdict.passed, printed[-20_000:]


@pytest.mark.parametrize("name", SUITES)
def test_every_exclusion_has_a_reason(name: str) -> None:
    for _, reason in exclusions(SUITES[name].get("exclusion", [])):
        assert reason.endswith(".")
        assert len(reason) > 40
