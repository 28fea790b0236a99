"""What is loaded into a traced program: it writes down the messages of the standard `ssl`, and nothing else.

It stands in a folder of its own under the name sitecustomize.py, which PYTHONPATH names; so it also
reaches the program's children, other interpreters and virtual environments. A program that runs already
is told by `sys.remote_exec` to `attach`. Therefore it needs nothing but the standard library, and runs on
every Python since 3.8. The process that watches reads what it writes:

    PELLUCID_WATCH          the folder for it: a file for each process, JSON Lines
    PELLUCID_WATCH_ENGINE   "observe" (OpenSSL goes on doing the TLS) or "ours" (pellucid does it)

`SSLContext._msg_callback` hands over every decrypted handshake message, alert and ChangeCipherSpec, and
never application data.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import shutil
import sys
import threading
import time
import weakref
from typing import Any

FOLDER = os.environ.get("PELLUCID_WATCH", "")
ENGINE = os.environ.get("PELLUCID_WATCH_ENGINE", "observe")
WATCHER = 0
_CONTENT_TYPES = (20, 21, 22)
#: Modules with a TLS of their own, which this cannot see.
BLIND = {
    "OpenSSL": "pyOpenSSL", "rtls": "rtls (rustls)", "utls": "utls (BoringSSL)", "grpc": "grpcio",
    "pycurl": "pycurl", "curl_cffi": "curl_cffi", "tlslite": "tlslite-ng", "granian": "granian",
}  # fmt: skip
_lock = threading.Lock()
_counter = 0
_originals: dict[str, Any] = {}
_watched: weakref.WeakSet[Any] = weakref.WeakSet()


def write(fact: dict[str, Any]) -> None:
    """Append a line to this process's file."""
    line = (json.dumps(fact) + "\n").encode()
    path = os.path.join(FOLDER, f"{os.getpid()}.jsonl")
    with _lock:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)


def greet() -> None:
    """Say that this process is being watched."""
    write({"process": os.getpid(), "argv": sys.argv or [sys.executable], "python": sys.version.split()[0]})


def name_connection(conn: Any) -> str:
    """A number for the connection, and a line about it the first time."""
    global _counter
    name: str | None = getattr(conn, "_pellucid_name", None)
    if name is None:
        with _lock:
            _counter += 1
            name = f"{os.getpid()}-{_counter}"
        conn._pellucid_name = name
        peer = None
        with contextlib.suppress(Exception):  # no socket, or none of this kind
            peer = list(conn.getpeername()[:2])
        fact: dict[str, Any] = {
            "connection": name,
            "process": os.getpid(),
            "argv": getattr(sys, "argv", []),
            "peer": peer,
        }
        fact.update(server=bool(conn.server_side), name=conn.server_hostname)
        write(fact)
    return name


def on_message(conn: Any, direction: str, version: Any, content_type: Any, msg_type: Any, data: Any) -> None:
    """OpenSSL's, or pellucid's, message callback. It must never disturb the program."""
    with contextlib.suppress(Exception):
        if FOLDER and int(content_type) in _CONTENT_TYPES and conn is not None:
            fact = {"of": name_connection(conn), "at": time.time(), "sent": direction == "write"}
            fact.update(type=int(content_type), data=bytes(data).hex())
            write(fact)


def install(ssl: Any) -> None:
    """Let every context of this process tell what passes."""
    if ENGINE == "ours":
        try:
            from pellucid.compat import ssl as ours

            ours.install()
        except Exception as error:
            write({"problem": f"pellucid cannot do the TLS here: {type(error).__name__}: {error}"})

    def watched(original: Any) -> Any:
        @functools.wraps(original)
        def wrap(self: Any, *args: Any, **kwargs: Any) -> Any:
            with contextlib.suppress(Exception):
                if WATCHER and not os.path.exists(f"/proc/{WATCHER}"):
                    shutil.rmtree(os.path.dirname(FOLDER), ignore_errors=True)
                    detach()  # the watcher was killed: nobody reads any more
                if FOLDER and self._msg_callback is None:
                    self._msg_callback = on_message
                    _watched.add(self)
            return original(self, *args, **kwargs)

        return wrap

    for name in ("wrap_socket", "wrap_bio"):
        _originals[name] = getattr(ssl.SSLContext, name)
        setattr(ssl.SSLContext, name, watched(_originals[name]))


class Finder(importlib.abc.MetaPathFinder):
    """Waits for the first import of `ssl`: programs without TLS pay nothing."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find `ssl` as everybody does, and install when it is loaded."""
        if name != "ssl":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            install(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def confess() -> None:
    """Which libraries were loaded whose TLS could not be seen."""
    blind = sorted(said for name, said in BLIND.items() if name in sys.modules)
    if blind:
        write({"process": os.getpid(), "blind": blind})


def chain() -> None:
    """Load the sitecustomize that this one stands in front of, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def begin() -> None:
    """Watch this process, whether it has loaded `ssl` already or not."""
    greet()
    atexit.register(confess)
    if "ssl" in sys.modules:
        install(sys.modules["ssl"])
    else:
        sys.meta_path.insert(0, Finder())


def attach(folder: str, watcher: int) -> None:
    """Begin in a program that runs already: in new connections, and while the process `watcher` is there."""
    global FOLDER, WATCHER
    FOLDER, WATCHER = folder, watcher
    begin()
    confess()


def detach() -> None:
    """Leave the program as it was."""
    global FOLDER, WATCHER
    FOLDER, WATCHER = "", 0
    atexit.unregister(confess)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    for name, original in _originals.items():
        setattr(sys.modules["ssl"].SSLContext, name, original)
    for context in list(_watched):
        if context._msg_callback is on_message:
            context._msg_callback = None


if FOLDER and __name__ == "sitecustomize":
    with contextlib.suppress(Exception):
        begin()
    chain()
