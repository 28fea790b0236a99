"""Programs as their users start them, in processes of their own, over pellucid or over OpenSSL.

A program does not know which: `pellucid.compat.ssl.install()` is called by a `sitecustomize.py` that
`PYTHONPATH` names. That it was pellucid that spoke is seen by the traces that `PELLUCID_TRACE` leaves.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from interop.bench import PeerFailed, Running, free_port, listening, running, wait_for

TESTS = Path(__file__).resolve().parents[1]
SECONDS = 60.0
"""For a program to start: it may share two cores with many others."""

_INSTALL = "from pellucid.compat import ssl\nssl.install()\n"
_ADDRESS = re.compile(r"(?:https://|listening on )(?:127\.0\.0\.1|localhost):(\d+)")
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")
"""Of the environment: proxies and other people's authorities are not for these programs."""


class World:
    """The environment of programs whose `ssl` is of one kind.

    Parameters:
        kind: "pellucid" or "openssl".
        folder: an empty one.
        paths: folders for `PYTHONPATH`.
    """

    def __init__(self, kind: str, folder: Path, *paths: Path) -> None:
        self.kind = kind
        self.traces = folder / "traces"
        self.traces.mkdir()
        ours: list[Path] = []
        if kind == "pellucid":
            (folder / "sitecustomize.py").write_text(_INSTALL)
            ours.append(folder)
        self.environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        self.environment |= {
            "PYTHONPATH": os.pathsep.join(map(str, (*ours, TESTS, *paths))),
            "PELLUCID_TRACE": str(self.traces),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(folder),
            "NO_PROXY": "*",
        }

    def check(self) -> None:
        """Raise if it was not the right `ssl` that spoke."""
        found = any(self.traces.iterdir())
        if found is not (self.kind == "pellucid"):
            raise AssertionError(f"traces of pellucid: {found}, but the program's ssl is {self.kind}'s")

    def run(self, *words: str | Path) -> str:
        """Run Python with these arguments to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise AssertionError(
                f"{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
            )
        return done.stdout

    @contextlib.contextmanager
    def server(self, *words: str | Path) -> Iterator[int]:
        """Run a Python server that chooses a port and says on stderr where it listens."""
        clean = ["env", "-i", *(f"{name}={value}" for name, value in self.environment.items())]
        with running([*clean, sys.executable, *words]) as child:
            wait_for(child, lambda: bool(_ADDRESS.search(child.stderr)), "address on stderr", SECONDS)
            found = _ADDRESS.search(child.stderr)
            port = int(found[1]) if found else 0
            wait_for(child, lambda: listening(port), f"listener on port {port}", SECONDS)
            yield port


@contextlib.contextmanager
def service(
    command: Callable[[Sequence[int]], Sequence[str | Path | int]],
    ports: int = 1,
    *,
    says: str = "",
    tries: int = 5,
    seconds: float = SECONDS,
) -> Iterator[Sequence[int]]:
    """Run a server that takes only port numbers, until the block ends; the ports, once it listens there.

    A port that was free may be taken a moment later: a server that ends at once is tried again.

    Parameters:
        command: given the ports, the command line.
        ports: how many it wants.
        says: what it writes to stderr when it is ready.
        tries: how often.
        seconds: how long it may take to listen.
    """
    while True:
        numbers = [free_port() for _ in range(ports)]
        child = Running(command(numbers))
        try:
            wait_for(child, lambda: all(map(listening, numbers)), f"listeners on {numbers}", seconds)  # noqa: B023
            wait_for(child, lambda: says in child.stderr, says, seconds)  # noqa: B023
            break
        except PeerFailed:
            tries -= 1
            ended = child.process.poll() is not None
            child.close()
            if not tries or not ended:
                raise
    try:
        yield numbers
    finally:
        child.close()


@contextlib.contextmanager
def folder_for(user: str) -> Iterator[Path]:
    """A folder that another user may write to: pytest's own are for nobody else."""
    with tempfile.TemporaryDirectory(prefix="pellucid-") as name:
        if os.getuid() == 0:
            shutil.chown(name, user)
        yield Path(name)


def as_user(user: str) -> list[str]:
    """The words before a command that root must not run."""
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
