"""The OCSP response as RFC 6960 declares it: section 4.2.1 and appendix B.1."""

from __future__ import annotations

from pellucid.glass.der import primitives as say
from pellucid.glass.der.forms import (
    KEY_IDENTIFIER,
    NULL,
    OCTET_STRING,
    OID,
    TIME,
    ByOid,
    Choice,
    Inside,
    Leaf,
    Many,
    Part,
    Seq,
)
from pellucid.glass.der.keys import ALGORITHM, SIGNATURE
from pellucid.glass.der.x509 import CERTIFICATE, CONTENTS, EXTENSIONS, NAME, SERIAL

_CERT_ID = Seq("CertID", "RFC 6960 4.1.1", (
    Part("hashAlgorithm", ALGORITHM),
    Part("issuerNameHash", KEY_IDENTIFIER, "Whose certificate: a hash of the issuer's name"),
    Part("issuerKeyHash", KEY_IDENTIFIER, "and of the issuer's key"),
    Part("serialNumber", SERIAL, "and the certificate's number."),
), says=lambda fields: f"serial number {fields[-1].meaning}" if fields else "")  # fmt: skip
_REVOKED = Seq("RevokedInfo", parts=(
    Part("revocationTime", TIME),
    Part("revocationReason", CONTENTS["2.5.29.21"], tag=0, explicit=True, optional=True),
), says=lambda fields: "revoked " + ", ".join(one.meaning for one in fields))  # fmt: skip
_STATUS = Choice("CertStatus", options=(
    Part("good", Leaf("NULL", tags=(5,), say=lambda data: ("", "not revoked")), tag=0),
    Part("revoked", _REVOKED, "No longer to be believed.", tag=1),
    Part("unknown", NULL, "The responder does not know the certificate.", tag=2),
))  # fmt: skip
_SINGLE = Seq("SingleResponse", parts=(
    Part("certID", _CERT_ID, "Which certificate is meant."),
    Part("certStatus", _STATUS),
    Part("thisUpdate", TIME, "When this was known to be so."),
    Part("nextUpdate", TIME, "Until then it counts.", tag=0, explicit=True, optional=True),
    Part("singleExtensions", EXTENSIONS, tag=1, explicit=True, optional=True),
), says=lambda fields: next(
    (f"{one.name}" for one in fields if one.name in ("good", "revoked", "unknown")), ""
))  # fmt: skip
_RESPONDER = Choice("ResponderID", options=(
    Part("byName", NAME, tag=1, explicit=True),
    Part("byKey", KEY_IDENTIFIER, "A hash of the responder's key.", tag=2, explicit=True),
))  # fmt: skip
_DATA = Seq("ResponseData", parts=(
    Part("version", Leaf("INTEGER", tags=(2,), say=say.numbered("v1")), tag=0, explicit=True, optional=True),
    Part("responderID", _RESPONDER, "Who says so."),
    Part("producedAt", TIME, "When it was signed."),
    Part("responses", Many("responses", item="SingleResponse", of=_SINGLE)),
    Part("responseExtensions", EXTENSIONS, tag=1, explicit=True, optional=True),
), says=lambda fields: next((one.meaning for one in fields if one.name == "responses"), ""))  # fmt: skip
_BASIC = Seq("BasicOCSPResponse", parts=(
    Part("tbsResponseData", _DATA, "What the responder signed."),
    Part("signatureAlgorithm", ALGORITHM),
    Part("signature", SIGNATURE),
    Part("certs", Many("certs", item="Certificate", of=CERTIFICATE),
         "The responder's own certificate, where it is not the issuer itself.", tag=0, explicit=True,
         optional=True),
), says=lambda fields: fields[0].meaning if fields else "")  # fmt: skip
_BYTES = Seq("ResponseBytes", parts=(
    Part("responseType", OID),
    Part("response", ByOid(table={"1.3.6.1.5.5.7.48.1.1": Inside(of=_BASIC)}, default=OCTET_STRING)),
), says=lambda fields: fields[-1].meaning if fields else "")  # fmt: skip
RESPONSE = Seq("OCSPResponse", "RFC 6960 4.2.1", (
    Part("responseStatus", Leaf("OCSPResponseStatus", tags=(10,), say=say.numbered(
        "successful", "malformedRequest", "internalError", "tryLater", "", "sigRequired", "unauthorized",
    )), "Whether there is an answer at all."),
    Part("responseBytes", _BYTES, tag=0, explicit=True, optional=True),
), says=lambda fields: f"OCSP: {fields[-1].meaning}" if fields else "")  # fmt: skip
