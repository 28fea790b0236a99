"""What is inside certificates, OCSP responses, SCTs and signatures, byte by byte.

RFC 5280, RFC 6960, RFC 6962; ITU-T X.690. TLS carries them as opaque bytes; here each byte belongs to a
named field, nested as the structures nest. For showing only: nothing is believed because of it, and bytes
that are not as declared are shown as far as they can be read, with the place where it ends.

    fields("certificate", data, start, end)      # the fields that cover data[start:end]
"""

from __future__ import annotations

from functools import lru_cache

from pellucid.glass.der import scts
from pellucid.glass.der.elements import Trouble, element
from pellucid.glass.der.forms import OID, Form, Part, Walk
from pellucid.glass.der.keys import ECDSA, PUBLIC_KEY
from pellucid.glass.der.ocsp import RESPONSE
from pellucid.glass.der.x509 import CERTIFICATE, NAME
from pellucid.glass.fields import Field

_SEQUENCE, _IDENTIFIER = 0x30, 6

#: what it is: (its name, its declaration).
_FORMS: dict[str, tuple[str, Form]] = {
    "certificate": ("Certificate", CERTIFICATE),
    "public key": ("SubjectPublicKeyInfo", PUBLIC_KEY),
    "OCSP response": ("OCSPResponse", RESPONSE),
    "name": ("Name", NAME),
    "ECDSA signature": ("Ecdsa-Sig-Value", ECDSA),
    "identifier": ("OBJECT IDENTIFIER", OID),
}


def fields(what: str, data: bytes, start: int = 0, end: int | None = None) -> tuple[Field, ...]:
    """The fields that cover `data[start:end]`, whatever it holds.

    Parameters:
        what: "certificate", "public key", "OCSP response", "name", "ECDSA signature", "identifier", "SCT".
        data: of which these are a part; offsets count from its start.

    >>> from pellucid.trust.authority import Authority
    >>> (found,) = fields("certificate", Authority.create().issue("a.test").chain[0])
    >>> found.name, [part.name for part in found.children]
    ('Certificate', ['tag and length', 'tbsCertificate', 'signatureAlgorithm', 'signatureValue'])
    >>> fields("certificate", b"\\x30\\x05\\x02")[0].meaning
    'it says that it has 5 bytes, and 1 are left'
    """
    end = len(data) if end is None else end
    return _fields(what, bytes(data[start:end]), start)


@lru_cache(maxsize=256)  # the same chain is shown again and again: by both ends, and as a page grows
def _fields(what: str, der: bytes, start: int) -> tuple[Field, ...]:
    data = bytes(start) + der if start else der
    if what == "SCT":
        return scts.timestamp(data, start, len(data))
    name, form = _FORMS[what]
    return Walk(data).whole(Part(name, form), start, len(data), form.section)


def is_public_key(data: bytes) -> bool:
    """Whether this begins as a SubjectPublicKeyInfo does, and not as a certificate (RFC 7250 section 3)."""
    try:
        outer = element(data, 0, len(data))
        inner = element(data, outer.content, outer.end)
        return (
            outer.tag == inner.tag == _SEQUENCE
            and element(data, inner.content, inner.end).number == _IDENTIFIER
        )
    except Trouble:
        return False


__all__ = ["fields", "is_public_key"]
