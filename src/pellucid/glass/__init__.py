"""The glass: what a connection did, kept as a trace and told to people.

A `Trace` observes one connection and appends its facts; everything else here reads traces and
words them: `tell` makes the nine steps, `ladder` draws them, `explain` says what an error means.
Nothing here drives a connection. The names are loaded when first touched: a trace needs none of the words.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.glass.failure import Failure, explain
    from pellucid.glass.ladder import draw
    from pellucid.glass.model import Story
    from pellucid.glass.story import tell
    from pellucid.glass.trace import Trace

__all__ = ["Failure", "Story", "Trace", "draw", "explain", "tell"]

_HOME_OF = {
    "Failure": "failure",
    "explain": "failure",
    "draw": "ladder",
    "Story": "model",
    "tell": "story",
    "Trace": "trace",
}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'pellucid.glass' has no attribute {name!r}")
    value = getattr(import_module(f"pellucid.glass.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
