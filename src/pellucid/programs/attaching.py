"""Watches a Python program that runs already: `sys.remote_exec` (PEP 768) brings the hook into it.

The program must run on Python 3.14 or later; pellucid itself need not, since the program's own interpreter is
asked to do it. What it takes to get there is the kernel's: the same user with ptrace allowed, or root. Linux
only, where /proc tells which interpreter a process runs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from pellucid.errors import Reason, UsageError
from pellucid.programs import hook
from pellucid.programs.watching import PAUSE, Seen, Watching

_INTERPRETER = re.compile(r"python(3(\.\d+)?t?)?")
_TOO_OLD = 3
_ASK = f"""
import sys
if not hasattr(sys, "remote_exec"):
    print("it runs on Python %d.%d" % sys.version_info[:2], file=sys.stderr)
    sys.exit({_TOO_OLD})
try:
    sys.remote_exec(int(sys.argv[1]), sys.argv[2])
except Exception as error:
    sys.exit(str(error) or type(error).__name__)
"""
_ATTACH = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("_pellucid_watch", {hook!r})
module = sys.modules["_pellucid_watch"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.attach({told!r}, {watcher})
"""
#: The program itself removes the folder: it may read this long after we have left.
_DETACH = """
import shutil, sys
module = sys.modules.pop("_pellucid_watch", None)
if module is not None:
    module.detach()
shutil.rmtree({folder!r}, ignore_errors=True)
"""
GOODBYE = 2.0
"""Seconds that the program has to let go of the hook while we wait."""


def interpreter_of(process: int) -> str:
    """The path of the Python that a process runs.

    Raises:
        UsageError: there is no such process, or it is not Python (`Reason.CANNOT_WATCH`).

    >>> import os, pathlib
    >>> pathlib.Path(interpreter_of(os.getpid())).name.startswith("python")
    True
    """
    try:
        path = os.readlink(f"/proc/{process}/exe")
    except PermissionError:
        raise UsageError(Reason.CANNOT_WATCH, f"process {process} belongs to somebody else") from None
    except OSError:
        raise UsageError(Reason.CANNOT_WATCH, f"there is no process {process} in /proc") from None
    if not _INTERPRETER.fullmatch(Path(path).name):
        raise UsageError(Reason.CANNOT_WATCH, f"process {process} is {path}, no Python interpreter")
    return path


class Attachment(Watching):
    """A running program that is watched. Use it as a context manager; iterate over it for its connections.

    Those that are open already stay unseen; of its children, only those that it forks are seen. The iteration
    ends with the program, or by `stop()`. A program that runs on is left as it was.

    Parameters:
        process: its number.

    Attributes:
        processes, blind, problems: see `Watching`; `processes` is 0 until the program has taken the hook,
            which it does when its main thread next runs Python code.

    Raises:
        UsageError: it cannot be watched, and why (`Reason.CANNOT_WATCH`).
    """

    def __init__(self, process: int) -> None:
        self.process = process
        self._stopped = False
        self._python = interpreter_of(process)
        super().__init__()

    def __enter__(self) -> Attachment:
        try:
            copy = self._folder / "hook.py"
            shutil.copyfile(str(hook.__file__), copy)
            self._tell("attach.py", _ATTACH.format(hook=str(copy), told=str(self._told), watcher=os.getpid()))
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._runs:
            with contextlib.suppress(UsageError):  # it ended meanwhile
                self._tell("detach.py", _DETACH.format(folder=str(self._folder)))
            until = time.monotonic() + GOODBYE
            while self._folder.exists() and self._runs and time.monotonic() < until:
                time.sleep(PAUSE)
        if not self._runs:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __iter__(self) -> Iterator[Seen]:
        """Each connection once: when it is complete or refused, else when the watching ends."""
        while self._runs and not self._stopped:
            yield from self._news()
            time.sleep(PAUSE)
        yield from self._rest()

    def stop(self) -> None:
        """End the iteration, from a signal handler perhaps."""
        self._stopped = True

    @property
    def _runs(self) -> bool:
        """Whether the program is there, and no zombie: those have no interpreter."""
        try:
            return bool(os.readlink(f"/proc/{self.process}/exe"))
        except OSError:
            return False

    def _tell(self, name: str, script: str) -> None:
        """Let the program run `script`."""
        path = self._folder / name
        path.write_text(script)
        if os.geteuid() == 0:  # root may watch all, but its owner has to read what we wrote
            owner = os.stat(f"/proc/{self.process}")
            for one in (self._folder, *self._folder.iterdir()):
                os.chown(one, owner.st_uid, owner.st_gid)
        done = subprocess.run(
            [self._python, "-I", "-c", _ASK, str(self.process), str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            why = done.stderr.strip() or f"{self._python} ended with {done.returncode}"
            raise UsageError(Reason.CANNOT_WATCH, why)
