"""A process of its own for one peer: the time to its first handshake, its memory, its end of a socket.

Run as `python child.py WORK PEER ...`, by path: for a peer that is not pellucid, the package
`pellucid` is an empty shell here, so that its import costs nothing and keeps no memory.
"""

from __future__ import annotations

import os
import sys
import types


def _enter(peer: str) -> None:
    """Make `pellucid.bench` importable, with or without the library itself."""
    bench = os.path.dirname(os.path.abspath(__file__))
    package = os.path.dirname(bench)
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != bench]
    if os.path.dirname(package) not in sys.path:
        sys.path.insert(0, os.path.dirname(package))
    if peer not in ("pellucid", "drop-in"):
        shell = types.ModuleType("pellucid")
        shell.__path__ = [package]
        sys.modules["pellucid"] = shell


if __name__ == "__main__":
    _enter(sys.argv[2])
    if sys.argv[1] == "socket":
        from pellucid.bench.sockets import main
    else:
        from pellucid.bench.resident import main
    main(sys.argv[1:])
