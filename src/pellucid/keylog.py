"""The NSS key log: lets Wireshark, and anyone else who holds the file, decrypt the connections.

RFC 9850 (the SSLKEYLOGFILE format).
"""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path


class KeyLog:
    """Appends the secrets of connections to a file that only its owner may read.

    Parameters:
        path: the file; it is made with mode 0600 when the first line is written.

    Raises:
        OSError: the file cannot be opened.

    >>> import tempfile, pathlib
    >>> log = KeyLog(pathlib.Path(tempfile.mkdtemp()) / "keys.log")
    >>> log.path.exists()
    False
    """

    _warned = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()

    def __call__(self, line: str) -> None:
        """Append one line: label, client random, secret, in hex."""
        with self._lock:
            if not KeyLog._warned:
                KeyLog._warned = True
                warnings.warn(
                    f"the secrets of this program's TLS connections are written to {self.path}", stacklevel=3
                )
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="ascii") as file:
                file.write(line + "\n")

    @classmethod
    def from_environment(cls) -> KeyLog | None:
        """The key log that SSLKEYLOGFILE names, if it names one."""
        path = os.environ.get("SSLKEYLOGFILE")
        return cls(path) if path else None
