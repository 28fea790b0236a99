"""What the primitive types of ASN.1 say, in words: numbers, names, times, texts, bits.

ITU-T X.690 sections 8.2 to 8.23 and 11; RFC 5280 section 4.1.2.5 (times). Each function takes an element's
content and gives (value, meaning) as a `Field` has them; content that DER does not allow raises `Trouble`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime

from pellucid.glass.der import oids
from pellucid.glass.der.elements import Trouble, identifier
from pellucid.glass.fields import sized

Said = tuple[str, str]
Saying = Callable[[bytes], Said]

_SHORT = 8  # bytes of a number that is shown as such
_LONGEST_TEXT = 200


def integer(data: bytes) -> Said:
    """A number; a long one by its size only.

    >>> integer(b"\\x02"), integer(bytes([0, 255]) + bytes(19))
    (('2', ''), ('160 bits', ''))
    """
    if not data:
        raise Trouble("a number without digits")
    if len(data) > 1 and data[0] == (0xFF if data[1] & 0x80 else 0):
        raise Trouble("this number is longer than it need be, which DER does not allow")
    value = int.from_bytes(data, "big", signed=True)
    return (str(value) if len(data) <= _SHORT else f"{value.bit_length()} bits"), ""


def serial(data: bytes) -> Said:
    """A serial number, as people write it: in hex (RFC 5280 4.1.2.2)."""
    integer(data)
    return sized(len(data)), data.hex()


def numbered(*names: str) -> Saying:
    """An INTEGER or ENUMERATED whose values have names; "" for one that has none."""

    def say(data: bytes) -> Said:
        value, _ = integer(data)
        known = value.isdecimal() and int(value) < len(names)
        return value, names[int(value)] if known else ""

    return say


def boolean(data: bytes) -> Said:
    """X.690 11.1: true is ff."""
    if data not in (b"\0", b"\xff"):
        raise Trouble("a truth value is 00 or ff in DER")
    return data.hex(), "true" if data == b"\xff" else "false"


def null(data: bytes) -> Said:
    """Nothing, said out loud."""
    if data:
        raise Trouble("NULL has a content")
    return "", "nothing"


def oid(data: bytes) -> Said:
    """An identifier in dots, and what it is called.

    >>> oid(bytes.fromhex("550403"))
    ('2.5.4.3', 'commonName')
    """
    dotted = identifier(data)
    return dotted, oids.name_of(dotted)


def octets(data: bytes) -> Said:
    """Bytes, of which no more is known."""
    return sized(len(data)), ""


def identifier_of_key(data: bytes) -> Said:
    """A key identifier or another hash: its beginning, which is enough to compare by eye."""
    return sized(len(data)), data.hex() if len(data) <= 8 else f"{data[:4].hex()}…"


def time(data: bytes, form: str) -> Said:
    """A UTCTime (two digits of the year: 50 and more are of the last century) or GeneralizedTime.

    >>> time(b"260101120000Z", "UTCTime")
    ('260101120000Z', '2026-01-01 12:00:00 UTC')
    """
    text = ascii_text(data)
    try:
        if form == "UTCTime":
            text_of_year = ("19" if int(text[:2]) >= 50 else "20") + text
        else:
            text_of_year = text
        if len(text_of_year) != 15:
            raise ValueError
        found = datetime.strptime(text_of_year, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Trouble(f"this is no {form} as RFC 5280 4.1.2.5 has it") from None
    return text, f"{found:%Y-%m-%d %H:%M:%S} UTC"


def ascii_text(data: bytes) -> str:
    """Text of printable ASCII; what is not printable becomes a question mark."""
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in data)


_ENCODINGS = {"UTF8String": "utf-8", "BMPString": "utf-16-be", "UniversalString": "utf-32-be"}


def text(data: bytes, form: str) -> Said:
    """A string of any of ASN.1's kinds; control characters are shown as question marks.

    >>> text("Größe".encode(), "UTF8String")
    ('7 bytes', 'Größe')
    """
    try:
        said = data.decode(_ENCODINGS.get(form, "latin-1"))
    except UnicodeDecodeError:
        raise Trouble(f"this is no {form}") from None
    said = "".join(char if char.isprintable() else "?" for char in said[:_LONGEST_TEXT])
    return sized(len(data)), said + (" …" if len(data) > 4 * _LONGEST_TEXT else "")


def name_in_ascii(data: bytes) -> Said:
    """A dNSName, rfc822Name or address: IA5String by its tag's place."""
    return sized(len(data)), ascii_text(data[:_LONGEST_TEXT])


def ip_address(data: bytes) -> Said:
    """An iPAddress (RFC 5280 4.2.1.6), in name constraints with its mask (4.2.1.10).

    >>> ip_address(bytes([192, 0, 2, 0, 255, 255, 255, 0]))
    ('8 bytes', '192.0.2.0/24')
    """
    value = sized(len(data))
    if len(data) in (4, 16):
        return value, str(ipaddress.ip_address(data))
    if len(data) not in (8, 32):
        raise Trouble(f"an address of {len(data)} bytes")
    half = len(data) // 2
    ones = int.from_bytes(data[half:], "big").bit_count()
    mask = int.from_bytes(data[half:], "big")
    whole = (1 << 8 * half) - 1
    if mask != whole ^ (whole >> ones):
        raise Trouble("a mask with holes")
    return value, f"{ipaddress.ip_address(data[:half])}/{ones}"


def named_bits(*names: str) -> Saying:
    """A BIT STRING whose bits have names, the first bit first (X.690 11.2.2).

    >>> named_bits("a", "b", "c")(bytes([5, 0b10100000]))
    ('101', 'a, c')
    """

    def say(data: bytes) -> Said:
        unused = unused_bits(data)
        bits = "".join(f"{byte:08b}" for byte in data[1:])
        bits = bits[: len(bits) - unused]
        said = [
            names[at] if at < len(names) else f"bit {at}" for at, bit in enumerate(bits[:64]) if bit == "1"
        ]
        return bits[:64], ", ".join(said) or "none"

    return say


def unused_bits(data: bytes) -> int:
    """How many bits of the last byte of a BIT STRING do not count: its first byte says so (X.690 8.6.2)."""
    if not data or data[0] > 7 or (len(data) == 1 and data[0]):
        raise Trouble("a BIT STRING begins with how many bits of its last byte do not count: 0 to 7")
    return data[0]


def bits(data: bytes) -> Said:
    """A BIT STRING, of which no more is known."""
    return f"{8 * (len(data) - 1) - unused_bits(data)} bits", ""
