"""The elements of DER: where each one starts, where its content starts, and where it ends.

ITU-T X.690 sections 8.1 (identifier, length, contents) and 10.1 (DER: definite lengths, as short as they
can be). For showing only: what is believed about a certificate, `cryptography` reads.
"""

from __future__ import annotations

from typing import NamedTuple

#: The universal types (X.680 8.4) that certificates are made of.
UNIVERSAL = {
    1: "BOOLEAN",
    2: "INTEGER",
    3: "BIT STRING",
    4: "OCTET STRING",
    5: "NULL",
    6: "OBJECT IDENTIFIER",
    10: "ENUMERATED",
    12: "UTF8String",
    16: "SEQUENCE",
    17: "SET",
    18: "NumericString",
    19: "PrintableString",
    20: "TeletexString",
    22: "IA5String",
    23: "UTCTime",
    24: "GeneralizedTime",
    26: "VisibleString",
    28: "UniversalString",
    30: "BMPString",
}
CONSTRUCTED = 0x20
CONTEXT = 0x80
_LONGEST = 4  # bytes of a length: 4 GiB
_LONGEST_IDENTIFIER = 100  # bytes (RFC 5280 appendix B)


class Trouble(ValueError):
    """These bytes are no DER, and why not."""


class Element(NamedTuple):
    """One element: `data[start:end]`, its content `data[content:end]`. `tag` is its first byte."""

    tag: int
    number: int
    start: int
    content: int
    end: int

    @property
    def type(self) -> str:
        """Its type, as ASN.1 writes it: "SEQUENCE", "[0]"."""
        kind = self.tag & 0xC0
        if kind == 0:
            return UNIVERSAL.get(self.number, f"[UNIVERSAL {self.number}]")
        prefix = {0x40: "APPLICATION ", CONTEXT: "", 0xC0: "PRIVATE "}[kind]
        return f"[{prefix}{self.number}]"


def element(data: bytes, at: int, end: int) -> Element:
    """The element that starts at `at` and must end by `end`.

    Raises:
        Trouble: there is none: cut off, or written as DER does not write it.

    >>> element(bytes.fromhex("3003020105"), 0, 5)
    Element(tag=48, number=16, start=0, content=2, end=5)
    >>> element(bytes.fromhex("3080"), 0, 2)
    Traceback (most recent call last):
    pellucid.glass.der.elements.Trouble: its length is left open, which DER does not allow
    """
    if at >= end:
        raise Trouble("an element should stand here, and there is nothing")
    tag = data[at]
    number, here = (tag & 0x1F, at + 1) if tag & 0x1F != 0x1F else _number(data, at + 1, end)
    if tag & 0xC0 == 0 and number == 0:
        raise Trouble("the tag 0 is not used in DER")
    if here >= end:
        raise Trouble("it is cut off before its length")
    size, here = _length(data, here, end)
    if here + size > end:
        raise Trouble(f"it says that it has {size} bytes, and {end - here} are left")
    return Element(tag, number, at, here, here + size)


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A tag's number of 31 or more: seven bits in a byte (X.690 8.1.2.4)."""
    number = 0
    for here in range(at, min(end, at + 4)):
        number = number << 7 | data[here] & 0x7F
        if not data[here] & 0x80:
            if number < 0x1F or data[at] == 0x80:
                raise Trouble("its tag is longer than it need be, which DER does not allow")
            return number, here + 1
    raise Trouble("its tag does not end")


def _length(data: bytes, at: int, end: int) -> tuple[int, int]:
    """(the length, where the content starts) (X.690 8.1.3, 10.1)."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if count == 0:
        raise Trouble("its length is left open, which DER does not allow")
    if count > _LONGEST:
        raise Trouble(f"its length takes {count} bytes")
    if at + 1 + count > end:
        raise Trouble("it is cut off in its length")
    size = int.from_bytes(data[at + 1 : at + 1 + count], "big")
    if size < 0x80 or data[at + 1] == 0:
        raise Trouble("its length is longer than it need be, which DER does not allow")
    return size, at + 1 + count


def identifier(data: bytes) -> str:
    """An OBJECT IDENTIFIER's content, in dots (X.690 8.19).

    Raises:
        Trouble: it is none.

    >>> identifier(bytes.fromhex("55040a"))
    '2.5.4.10'
    """
    if not data or data[-1] & 0x80:
        raise Trouble("this identifier does not end")
    if len(data) > _LONGEST_IDENTIFIER:
        raise Trouble(f"this identifier has {len(data)} bytes")
    arcs: list[int] = []
    value, fresh = 0, True
    for byte in data:
        if fresh and byte == 0x80:
            raise Trouble("this identifier is longer than it need be")
        value, fresh = value << 7 | byte & 0x7F, not byte & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    top = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (top, arcs[0] - 40 * top, *arcs[1:]))


__all__ = ["CONSTRUCTED", "CONTEXT", "UNIVERSAL", "Element", "Trouble", "element", "identifier"]
