"""Files that the commands write: what holds a secret is for its owner only, and errors name the file."""

from __future__ import annotations

import contextlib
import os

from pellucid.errors import Reason, UsageError
from pellucid.glass.trace import Trace


def write(path: str, content: str | bytes, *, private: bool = False, append: bool = False) -> None:
    """Write `content` to a file.

    Parameters:
        path: the file.
        content: text is written as UTF-8.
        private: it holds secrets: nobody but the owner may read the file, however it was before.
        append: behind what is there.

    Raises:
        UsageError: it cannot be written (`Reason.BAD_CONFIG`).

    >>> import tempfile
    >>> file = os.path.join(tempfile.mkdtemp(), "key")
    >>> write(file, "a secret", private=True)
    >>> oct(os.stat(file).st_mode & 0o777)
    '0o600'
    """
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
    try:
        descriptor = os.open(path, flags, 0o600 if private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            if private:
                with contextlib.suppress(OSError):  # a pipe, a device: not ours to change
                    os.fchmod(descriptor, 0o600)
            file.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise UsageError(Reason.BAD_CONFIG, f"{str(path)!r}: {error.strerror}") from None


def record(path: str | None, trace: Trace, *, secrets: bool = False, append: bool = False) -> None:
    """`--record`: write a trace as JSON Lines.

    Parameters:
        path: the file; None writes nothing.
        secrets: with its secrets and data; the file is for its owner only then.
        append: behind the traces that are there.

    Raises:
        UsageError: it cannot be written (`Reason.BAD_CONFIG`).
    """
    if path is not None:
        lines = "".join(line + "\n" for line in trace.lines(secrets=secrets))
        write(path, lines, private=secrets, append=append)
