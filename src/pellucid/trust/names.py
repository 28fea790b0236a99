"""Host names and IP addresses, and which certificate is for which. RFC 9525 (RFC 6125), RFC 5890.

A *reference name* is what the user asked for; a *presented name* stands in the certificate's
subjectAltName. A reference name is brought to one normal form: A-labels in lower case without
the trailing dot, or an IP address. The common name is never a presented name (RFC 9525 2).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NoReturn

from pellucid.errors import Reason, UsageError

Address = IPv4Address | IPv6Address

_MAX_NAME = 253  # RFC 1035 2.3.4: 255 bytes on the wire
_MAX_LABEL = 63
# RFC 1123 2.1 has letters, digits and hyphens. The DNS itself takes anything (RFC 2181 11), and Docker,
# Windows and S3 name hosts with underscores: Go, rustls and the browsers take those too.
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_DEVIANT = frozenset("\u00df\u03c2\u200c\u200d")  # what IDNA 2003 and IDNA 2008 encode differently
_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})  # RFC 3490 3.1


@lru_cache(maxsize=4096)
def normal_name(name: str) -> str | Address:
    """The normal form of a reference name: an A-label name in lower case, or an address.

    Args:
        name: a host name in any script, with or without the trailing dot, or an IP address, an
            IPv6 address also in brackets.

    Raises:
        UsageError: it is neither (`Reason.BAD_NAME`).

    >>> normal_name("Bücher.Example.")
    'xn--bcher-kva.example'
    >>> normal_name("[::1]")
    IPv6Address('::1')
    >>> normal_name("no name")
    Traceback (most recent call last):
    ...
    pellucid.errors.UsageError: ...
    """
    if not isinstance(name, str):
        _no_name(name, "it is no text")
    address = as_address(name)
    if address is not None:
        return address
    plain = name.removesuffix(".") if name.isascii() else _a_labels(name)
    plain = plain.lower()
    why = why_not_a_host_name(plain)
    if why:
        _no_name(name, why)
    return plain


def as_address(name: str) -> Address | None:
    """The address that this text is, in brackets or not, or None. A zone ("%eth0") is dropped.

    >>> as_address("127.0.0.1"), as_address("[fe80::1%eth0]"), as_address("localhost")
    (IPv4Address('127.0.0.1'), IPv6Address('fe80::1'), None)
    """
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
        if ":" not in name:
            return None
    if ":" in name:
        name = name.partition("%")[0]  # RFC 4007 11: a zone has a meaning on this machine only
    elif not name[:1].isdigit():
        return None
    try:
        return ip_address(name)
    except ValueError:
        return None


def loose_address(text: str) -> Address | None:
    """The address that a lax reader sees in this text: with leading zeros, in hexadecimal.

    >>> loose_address("0x7f.0.0.01"), loose_address("::0001"), loose_address("a.test")
    (IPv4Address('127.0.0.1'), IPv6Address('::1'), None)
    """
    if ":" in text:
        return as_address(text)
    try:
        numbers = [int(part, 16 if part[:2].lower() == "0x" else 10) for part in text.split(".")]
        return IPv4Address(bytes(numbers)) if len(numbers) == 4 else None
    except ValueError:
        return None


def why_not_a_host_name(name: str) -> str:
    """Why this lower-case text is no host name (RFC 1123 2.1, RFC 1035 2.3.4); empty if it is one."""
    if not name:
        return "it is empty"
    if len(name) > _MAX_NAME:
        return f"it has {len(name)} characters, and {_MAX_NAME} are the most"
    labels = name.split(".")
    for label in labels:
        if not label:
            return "there is nothing between two of its dots"
        if len(label) > _MAX_LABEL:
            return f"a label of it has {len(label)} characters, and {_MAX_LABEL} are the most"
        if not _CHARACTERS.issuperset(label):
            return f"{sorted(set(label) - _CHARACTERS)[0]!r} may not stand in it"
        if label[0] == "-" or label[-1] == "-":
            return "a label of it begins or ends with a hyphen"
    if labels[-1].isdigit():
        return "its last label is a number, and it is no IP address"
    return ""


def matches(pattern: str, name: str | Address) -> bool:
    """Whether a presented name covers a reference name in its normal form. RFC 9525 6.3.

    The wildcard is the whole left-most label, covers exactly one label, and never an address.

    >>> matches("*.example.com", "www.example.com"), matches("*.example.com", "example.com")
    (True, False)
    >>> matches("www.EXAMPLE.com", "www.example.com"), matches("*", "localhost")
    (True, False)
    """
    if not isinstance(name, str):
        return False
    pattern = pattern.lower()
    if pattern == name:
        return not pattern.startswith("*")
    if not pattern.startswith("*."):
        return False
    _, dot, rest = name.partition(".")
    return bool(dot) and pattern[2:] == rest


def _a_labels(name: str) -> str:
    """The name in A-labels: by the `idna` package (IDNA 2008, UTS 46) or by Python (IDNA 2003).

    The two agree on all but four characters. Without the package these four are refused: one name
    must not lead to two hosts.
    """
    name = name.translate(_DOTS).removesuffix(".")
    try:
        import idna
    except ImportError:
        if _DEVIANT.intersection(name):
            _no_name(name, "install the package 'idna' for names with such letters")
        try:
            return name.encode("idna").decode("ascii")
        except UnicodeError as error:
            _no_name(name, str(error))
    try:
        return idna.encode(name, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        _no_name(name, str(error))


def _no_name(name: object, why: str) -> NoReturn:
    raise UsageError(Reason.BAD_NAME, f"{str(name)[:80]!r}: {why}")
