"""What the browser tests share: a page that may not complain, a command that goes on, and axe."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

PATIENCE = 30_000
"""Milliseconds that anything may take: the machine may be busy."""


@contextmanager
def opened(browser: Any, **settings: Any) -> Iterator[Any]:
    """A page, and in the end: nothing on its console."""
    usual = {"viewport": {"width": 1440, "height": 1000}, "reduced_motion": "reduce"}
    context = browser.new_context(**(usual | settings))
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints: list[str] = []

    def listen(said: Any) -> None:
        if said.type in ("error", "warning"):
            complaints.append(said.text)

    def dismiss(dialog: Any) -> None:
        complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", dismiss)
    try:
        yield page
    finally:
        context.close()
    if complaints:
        pytest.fail(f"on the browser's console: {complaints}")


@contextmanager
def running(*arguments: str, stream: str = "stdout") -> Iterator[tuple[Any, str]]:
    """A pellucid command that goes on, and the first line that it prints."""
    command = [sys.executable, "-m", "pellucid", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process, getattr(process, stream).readline().strip()
        finally:
            process.terminate()
            process.communicate(timeout=20)


def serious_faults(page: Any, where: str = "html", rules: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds that shuts somebody out.

    Parameters:
        where: a selector: only what is inside.
        rules: only these; by default those of WCAG 2.2, A and AA.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    only: dict[str, Any] = {"type": "rule", "values": list(rules)}
    if not rules:
        only = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = axe.run(page, context=where, options={"runOnly": only, "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0]['failureSummary']}"
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
