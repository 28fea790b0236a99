"""Other programs, watched: `pellucid trace`.

    hook      what is loaded into the program (and its children): writes down what `ssl` says
    watching  runs the program and makes a `Trace` of each connection from what was written

The program itself is not changed, and with the engine "observe" OpenSSL goes on doing its TLS.
"""

from __future__ import annotations

from pellucid.programs.watching import Seen, Watch

__all__ = ["Seen", "Watch"]
