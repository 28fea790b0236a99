"""A failure as a text for people: what happened, why, what to do, and the handshake up to there.

RFC 8446 section 6.2. `TLSError.report()` is the short way here.
"""

from __future__ import annotations

from pellucid.errors import TLSError
from pellucid.glass import terminal
from pellucid.glass.failure import explain
from pellucid.glass.ladder import text_of
from pellucid.glass.text import wrap
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS

WIDTH = 80


def report(error: TLSError, *views: str, secrets: bool = False) -> str:
    """`error` as a text of 80 columns.

    Parameters:
        views: what to show of the handshake, if a trace was kept: names of `VIEWS`; the ladder if none.
        secrets: show keys whole.
    """
    trace = error.trace if isinstance(error.trace, Trace) else None
    failure = explain(error, trace)
    parts = [("", failure.what), ("why    ", failure.why), ("to do  ", failure.todo)]
    lines = []
    for label, text in parts:
        for number, line in enumerate(wrap(text, WIDTH - len(label))):
            lines.append((label if not number else " " * len(label)) + line)
    told = "\n".join(lines) + "\n"
    if trace is None:
        return told + (
            "\nNo trace was kept. ClientConfig(observer=FlightRecorder()) keeps one; so does the environment"
            "\nvariable PELLUCID_TRACE, in files.\n"
        )
    for name in views or ("ladder",):
        view = VIEWS[name].build(trace)
        told += f"\n{VIEWS[name].title}\n\n" + text_of(terminal.draw(name, view, WIDTH, secrets=secrets))
    return told
