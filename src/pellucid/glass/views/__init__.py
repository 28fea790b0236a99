"""The views: seven ways to look at one trace. Models only; `glass.terminal` and the page draw them.

    view = VIEWS["bytes"].build(trace)          # a tree of frozen dataclasses
    to_json(view)                               # the same as JSON values, secrets shortened

Each module has `build(trace, other=None, key=None)`; see `common.View` for what the arguments are.
"""

from __future__ import annotations

from pellucid.glass.views import bytes, keys, ladder, reasons, steps, trust, wire
from pellucid.glass.views.common import Entry, View, to_json

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("ladder", "The ladder", "who said what to whom, one line for each message", ladder.build),
        View("bytes", "The bytes", "every byte of every message, by field", bytes.build),
        View("keys", "The keys", "the key schedule, from the shared secret to each key", keys.build),
        View(
            "reasons", "The reasons", "why this version, suite, group ...; why not the others", reasons.build
        ),
        View("trust", "The trust", "the certificate path and every check made on it", trust.build),
        View("steps", "The nine steps", "what happens, why, and what an eavesdropper sees", steps.build),
        View("wire", "The wire", "what an eavesdropper sees, now and when the key leaks", wire.build),
    )
}

__all__ = ["VIEWS", "Entry", "View", "to_json"]
