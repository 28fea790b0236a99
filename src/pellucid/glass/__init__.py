"""The glass: what a connection did, kept as a trace and told to people.

A `Trace` observes one connection and appends its facts; everything else here reads traces and
words them: `tell` makes the nine steps, `ladder` draws them, `explain` says what an error means.
Nothing here drives a connection. The names are loaded when first touched: a trace needs none of the words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid import late_names

if TYPE_CHECKING:
    from pellucid.glass.failure import Failure, explain
    from pellucid.glass.ladder import draw
    from pellucid.glass.model import Story
    from pellucid.glass.story import tell
    from pellucid.glass.trace import Trace

__all__ = ["Failure", "Story", "Trace", "draw", "explain", "tell"]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "failure": ("Failure", "explain"),
        "ladder": ("draw",),
        "model": ("Story",),
        "story": ("tell",),
        "trace": ("Trace",),
    },
)
