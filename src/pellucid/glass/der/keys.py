"""Keys, their algorithms and their signatures, as ASN.1 declares them.

RFC 5280 section 4.1.1.2 (AlgorithmIdentifier) and 4.1.2.7; RFC 3279 and 4055 (RSA), RFC 5480 (elliptic
curves), RFC 8410 (Ed25519 and its kin), RFC 9881 (ML-DSA).
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.glass.der import oids
from pellucid.glass.der import primitives as say
from pellucid.glass.der.forms import (
    ANY,
    BIT_STRING,
    INTEGER,
    NULL,
    OID,
    ByOid,
    Inside,
    Leaf,
    Part,
    Seq,
)
from pellucid.glass.fields import Field


def first_meaning(fields: Sequence[Field]) -> str:
    """What the first part stands for, or says."""
    return next((one.meaning or one.value for one in fields), "")


def _point(data: bytes) -> say.Said:
    """RFC 5480 2.2: 04, x, y; 02 or 03 and x alone."""
    value, _ = say.bits(data)
    how = {4: "a point: 04, then x and y", 2: "a point, compressed", 3: "a point, compressed"}
    return value, how.get(data[1], "") if len(data) > 1 else ""


_HASH = Seq("AlgorithmIdentifier", "RFC 4055 2.1", (
    Part("algorithm", OID),
    Part("parameters", ANY, optional=True),
), says=first_meaning)  # fmt: skip
_MASK = Seq("AlgorithmIdentifier", "RFC 4055 2.2", (
    Part("algorithm", OID),
    Part("parameters", _HASH, "The hash that the mask is made with."),
), says=first_meaning)  # fmt: skip
_PSS = Seq("RSASSA-PSS-params", "RFC 4055 3.1", (
    Part("hashAlgorithm", _HASH, tag=0, explicit=True, optional=True),
    Part("maskGenAlgorithm", _MASK, tag=1, explicit=True, optional=True),
    Part("saltLength", INTEGER, "Bytes of fresh salt.", tag=2, explicit=True, optional=True),
    Part("trailerField", INTEGER, tag=3, explicit=True, optional=True),
))  # fmt: skip
ALGORITHM = Seq("AlgorithmIdentifier", "RFC 5280 4.1.1.2", (
    Part("algorithm", OID),
    Part("parameters", ByOid(table={
        "1.2.840.10045.2.1": Leaf("namedCurve", "RFC 5480 2.1.1", tags=(6,), say=say.oid),
        "1.2.840.113549.1.1.10": _PSS,
        "1.2.840.113549.1.1.1": NULL,
    }, default=ANY), optional=True),
), says=lambda fields: ", ".join(
    one.meaning or one.value for one in fields if one.kind == "OBJECT IDENTIFIER"
))  # fmt: skip
_RSA = Seq("RSAPublicKey", "RFC 3279 2.3.1", (
    Part("modulus", INTEGER, "The product of two secret primes; who finds them has the private key."),
    Part("publicExponent", INTEGER, "65537, nearly always."),
), says=lambda fields: f"RSA {fields[0].value}" if fields else "")  # fmt: skip
PUBLIC_KEY = Seq("SubjectPublicKeyInfo", "RFC 5280 4.1.2.7", (
    Part("algorithm", ALGORITHM, "What kind of key this is."),
    Part("subjectPublicKey", ByOid(table={
        "1.2.840.113549.1.1.1": Inside(of=_RSA, tag=3),
        "1.2.840.113549.1.1.10": Inside(of=_RSA, tag=3),
        "1.2.840.10045.2.1": Leaf("ECPoint", "RFC 5480 2.2", tags=(3,), say=_point),
    }, default=BIT_STRING), "The key itself."),
), says=lambda fields: ", ".join(
    one.meaning for one in fields if one.meaning and not one.meaning.startswith(("a point", "rsaEncryption"))
))  # fmt: skip
#: RFC 3279 2.2.3: also what TLS's ECDSA signatures are (RFC 8446 4.2.3).
ECDSA = Seq("Ecdsa-Sig-Value", "RFC 3279 2.2.3", (
    Part("r", INTEGER, "Made from a secret number that must never be used twice."),
    Part("s", INTEGER, "Binds r, the hash and the private key together."),
))  # fmt: skip
_DSS = Seq("Dss-Sig-Value", "RFC 3279 2.2.2", (Part("r", INTEGER), Part("s", INTEGER)))
SIGNATURE = ByOid(table={
    **{oid: Inside(of=ECDSA, tag=3) for oid, name in oids.NAMES.items() if name.startswith("ecdsa-with")},
    "1.2.840.10040.4.3": Inside(of=_DSS, tag=3),
}, default=BIT_STRING)  # fmt: skip
