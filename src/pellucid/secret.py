"""A byte string that must not be seen: keys, secrets, pre-shared keys.

RFC 8446 appendix C (implementation notes) and E.1 ask that secrets stay secret; this type keeps
them out of logs, tracebacks and pickles, and makes every comparison constant-time. Python can
neither promise to wipe memory nor to run in constant time: SECURITY.md says what that means.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn


class Secret(bytes):
    """Bytes whose value never appears by accident.

    It is a `bytes`, so every primitive takes it; but its `repr` is redacted, `==` is
    constant-time, and it refuses to be pickled.

    >>> key = Secret(b"0123456789abcdef")
    >>> key
    <Secret of 16 bytes>
    >>> f"{key}"
    '<Secret of 16 bytes>'
    >>> key == b"0123456789abcdef"
    True
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Secret of {len(self)} bytes>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes) and compare_digest(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = bytes.__hash__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled; reveal() it if you must store it")

    def reveal(self) -> bytes:
        """The plain bytes, for the one who asked by name (a key log, a test, a stored session)."""
        return bytes(memoryview(self))
