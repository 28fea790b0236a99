"""A field: a named stretch of bytes, what it says, and the fields that it is made of.

`views.bytes` makes them from the declarations of RFC 8446 and RFC 5246; `glass.der` from what stands in
certificates (RFC 5280) and in the words of their authorities (RFC 6960).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A named stretch of a message's bytes: `raw[start:end]`.

    Attributes:
        name: as the RFC calls it.
        start, end: offsets into the message's `raw`.
        value: what the bytes say, short: "0x1301", "32 bytes", "443".
        meaning: what that stands for: "TLS_AES_128_GCM_SHA256"; may be empty.
        about: what the field is for, a sentence; may be empty.
        kind: its type: "uint16", "opaque<0..32>"; in a certificate "INTEGER".
        section: "RFC 8446 4.1.2".
        children: the fields it is made of; together they cover it, or there are none.
    """

    name: str
    start: int
    end: int
    value: str = ""
    meaning: str = ""
    about: str = ""
    kind: str = ""
    section: str = ""
    children: tuple[Field, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Field]]:
        """Every field with its depth, parents first."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)

    def leaves(self) -> Iterator[Field]:
        """The fields without parts: together they cover every byte once."""
        return (field for _, field in self.walk() if not field.children)


def sized(size: int) -> str:
    """A number of bytes in words.

    >>> sized(1), sized(32)
    ('1 byte', '32 bytes')
    """
    return f"{size} byte" if size == 1 else f"{size} bytes"


__all__ = ["Field", "sized"]
