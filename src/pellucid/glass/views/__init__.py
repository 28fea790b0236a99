"""The views: seven ways to look at one trace. Models only; `glass.terminal` and the page draw them.

    view = VIEWS["bytes"].build(trace)          # a tree of frozen dataclasses
    to_json(view)                               # the same as JSON values, secrets shortened

Each view is the module of its name, loaded when it is first built, and has
`build(trace, other=None, key=None)`; see `common.View` for what the arguments are.
"""

from __future__ import annotations

from pellucid.glass.views.common import Entry, View, to_json

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("ladder", "The ladder", "who said what to whom, one line for each message"),
        View("bytes", "The bytes", "every byte of every message, by field"),
        View("keys", "The keys", "the key schedule, from the shared secret to each key"),
        View("reasons", "The reasons", "why this version, suite, group ...; why not the others"),
        View("trust", "The trust", "the certificate path and every check made on it"),
        View("steps", "The nine steps", "what happens, why, and what an eavesdropper sees"),
        View("wire", "The wire", "what an eavesdropper sees, now and when the key leaks"),
    )
}

__all__ = ["VIEWS", "Entry", "View", "to_json"]
