"""Other programs, watched: `pellucid trace`.

    hook       what is loaded into the program (and its children): writes down what `ssl` says
    watching   runs the program and makes a `Trace` of each connection from what was written
    attaching  the same with a program that runs already (Python 3.14)

The program itself is not changed, and with the engine "observe" OpenSSL goes on doing its TLS.
"""

from __future__ import annotations

from pellucid.programs.attaching import Attachment
from pellucid.programs.watching import Seen, Watch, Watching

__all__ = ["Attachment", "Seen", "Watch", "Watching"]
