"""Certificates as `ssl` shows them: the dictionary of `getpeercert()`, the objects of the chains.

RFC 5280 sections 4.1 and 4.2; the form is that of CPython's `_ssl.c` (`_decode_certificate`), whose
own decoder is the oracle of the tests.
"""

from __future__ import annotations

import _ssl
import warnings
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID as Access

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNSUPPORTED = "<unsupported>"

Names = tuple[tuple[tuple[str, str], ...], ...]


class Certificate:
    """A certificate of a chain, with the methods of `_ssl.Certificate`.

    Parameters:
        der: the certificate.
    """

    __slots__ = ("_der",)

    def __init__(self, der: bytes) -> None:
        self._der = der

    def public_bytes(self, format: int = _ssl.ENCODING_PEM) -> Any:
        """The certificate in DER (`bytes`) or PEM (`str`)."""
        if format == _ssl.ENCODING_DER:
            return self._der
        if format != _ssl.ENCODING_PEM:
            raise ValueError("Unsupported format")
        return load(self._der).public_bytes(Encoding.PEM).decode("ascii")

    def get_info(self) -> dict[str, Any]:
        """The dictionary of `getpeercert()`."""
        return describe(self._der)

    def __eq__(self, other: object) -> bool:
        return self._der == other._der if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._der)

    def __repr__(self) -> str:
        return f"<pellucid Certificate {load(self._der).subject.rfc4514_string()!r}>"


class Encoded(bytes):
    """A certificate in DER, as Python 3.13 gives the members of a chain.

    Who knows the objects that earlier Pythons kept there (truststore) finds their method too.

    >>> Encoded(b"0").public_bytes(_ssl.ENCODING_DER)
    b'0'
    """

    __slots__ = ()

    def public_bytes(self, format: int = _ssl.ENCODING_PEM) -> Any:
        """The certificate in DER (`bytes`) or PEM (`str`)."""
        return Certificate(bytes(self)).public_bytes(format)


def load(der: bytes) -> x509.Certificate:
    """Parse; what older authorities did wrong is no reason to warn the user of today."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x509.load_der_x509_certificate(der)


def describe(der: bytes) -> dict[str, Any]:
    """The dictionary of `SSLSocket.getpeercert()`.

    >>> from pellucid.trust.authority import Authority
    >>> describe(Authority.create().issue("a.test").leaf)["subjectAltName"]
    (('DNS', 'a.test'),)
    """
    certificate = load(der)
    found: dict[str, Any] = {
        "subject": _name(certificate.subject),
        "issuer": _name(certificate.issuer),
        "version": certificate.version.value + 1,
        "serialNumber": _hex(certificate.serial_number),
        "notBefore": _time(certificate.not_valid_before_utc),
        "notAfter": _time(certificate.not_valid_after_utc),
    }
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return found
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            found["subjectAltName"] = tuple(_general_name(name) for name in value)
        elif isinstance(value, x509.AuthorityInformationAccess):
            for key, method in (("OCSP", Access.OCSP), ("caIssuers", Access.CA_ISSUERS)):
                uris = tuple(_uris(each.access_location for each in value if each.access_method == method))
                if uris:
                    found[key] = uris
        elif isinstance(value, x509.CRLDistributionPoints):
            uris = tuple(_uris(name for point in value for name in point.full_name or ()))
            if uris:
                found["crlDistributionPoints"] = uris
    order = ("subjectAltName", "OCSP", "caIssuers", "crlDistributionPoints")
    return {key: found.pop(key) for key in (*list(found)[:6], *order) if key in found}


@lru_cache(maxsize=256)
def long_name(oid: str) -> str:
    """OpenSSL's long name of an object identifier ("commonName"), or the numbers."""
    try:
        return str(_ssl.txt2obj(oid)[2])
    except ValueError:
        return oid


def _name(name: x509.Name) -> Names:
    return tuple(
        tuple((long_name(each.oid.dotted_string), _text(each.value)) for each in rdn) for rdn in name.rdns
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _hex(number: int) -> str:
    digits = f"{abs(number):X}"
    return "-" * (number < 0) + digits.zfill(len(digits) + len(digits) % 2)


def _time(moment: datetime) -> str:
    return f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year} GMT"


def _general_name(name: x509.GeneralName) -> tuple[str, Any]:
    value = name.value
    if isinstance(name, x509.DNSName):
        return "DNS", value
    if isinstance(name, x509.RFC822Name):
        return "email", value
    if isinstance(name, x509.UniformResourceIdentifier):
        return "URI", value
    if isinstance(name, x509.DirectoryName):
        return "DirName", _name(name.value)
    if isinstance(name, x509.RegisteredID):
        return "Registered ID", long_name(name.value.dotted_string)
    if isinstance(value, IPv4Address):
        return "IP Address", str(value)
    if isinstance(value, IPv6Address):
        packed = value.packed
        return "IP Address", ":".join(f"{packed[i] << 8 | packed[i + 1]:X}" for i in range(0, 16, 2))
    if isinstance(name, x509.IPAddress):
        return "IP Address", "<invalid>"
    return "othername", _UNSUPPORTED


def _uris(names: Any) -> Any:
    return (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
