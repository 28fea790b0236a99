"""What is loaded into a traced program: it writes down the messages of the standard `ssl`, and nothing else.

It stands in a folder of its own under the name sitecustomize.py, which PYTHONPATH names; so it also
reaches the program's children, other interpreters and virtual environments. Therefore it needs nothing
but the standard library, and runs on every Python since 3.8. The parent process reads what it writes:

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
import sys
import threading
import time
from typing import Any

FOLDER = os.environ.get("PELLUCID_WATCH", "")
ENGINE = os.environ.get("PELLUCID_WATCH_ENGINE", "observe")
_CONTENT_TYPES = (20, 21, 22)
#: Modules with a TLS of their own, which this cannot see.
BLIND = {
    "OpenSSL": "pyOpenSSL", "rtls": "rtls (rustls)", "utls": "utls (BoringSSL)", "grpc": "grpcio",
    "pycurl": "pycurl", "curl_cffi": "curl_cffi", "tlslite": "tlslite-ng", "granian": "granian",
}  # fmt: skip
_lock = threading.Lock()
_counter = 0


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
        if int(content_type) in _CONTENT_TYPES and conn is not None:
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
                if self._msg_callback is None:
                    self._msg_callback = on_message
            return original(self, *args, **kwargs)

        return wrap

    ssl.SSLContext.wrap_socket = watched(ssl.SSLContext.wrap_socket)
    ssl.SSLContext.wrap_bio = watched(ssl.SSLContext.wrap_bio)


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
    """At the end: which libraries were loaded whose TLS could not be seen."""
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


if FOLDER and __name__ == "sitecustomize":
    with contextlib.suppress(Exception):
        greet()
        atexit.register(confess)
        if "ssl" in sys.modules:
            install(sys.modules["ssl"])
        else:
            sys.meta_path.insert(0, Finder())
    chain()
