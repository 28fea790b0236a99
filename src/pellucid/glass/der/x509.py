"""The certificate as RFC 5280 declares it: section 4.1 (fields), 4.2 (extensions), appendix A.

Also RFC 6962 section 3.3 (SCTs in it) and RFC 7633 (TLS feature). The sentences say what a field is for.
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.glass.der import oids, scts
from pellucid.glass.der import primitives as say
from pellucid.glass.der.forms import (
    ANY,
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    KEY_IDENTIFIER,
    NULL,
    OID,
    TEXT,
    TIME,
    ByOid,
    Choice,
    Foreign,
    Form,
    Inside,
    Leaf,
    Many,
    Part,
    Seq,
)
from pellucid.glass.der.keys import ALGORITHM, PUBLIC_KEY, SIGNATURE
from pellucid.glass.fields import Field

# -- names (4.1.2.4, 4.2.1.6) ----------------------------------------------------------------------------


def _attribute(fields: Sequence[Field]) -> str:
    if len(fields) < 2:
        return ""
    return f"{oids.short_of(fields[0].value)}={fields[1].meaning or fields[1].value}"


_ATTRIBUTE = Seq("AttributeTypeAndValue", "RFC 5280 4.1.2.4", (
    Part("type", OID),
    Part("value", ByOid(default=TEXT)),
), titled=lambda oid: (oids.name_of(oid), "", ""), says=_attribute)  # fmt: skip
_RELATIVE = Many("RelativeDistinguishedName", item="AttributeTypeAndValue", of=_ATTRIBUTE, tag=17,
                 says=lambda fields: " + ".join(one.meaning for one in fields))  # fmt: skip
NAME = Many("Name", "RFC 5280 4.1.2.4", item="RelativeDistinguishedName", of=_RELATIVE)

_IA5 = Leaf("IA5String", tags=(22,), say=say.name_in_ascii)
GENERAL_NAME = Choice("GeneralName", "RFC 5280 4.2.1.6", (
    Part("otherName", Seq("OtherName", parts=(
        Part("type-id", OID), Part("value", ANY, tag=0, explicit=True),
    ), says=lambda fields: " ".join(one.meaning or one.value for one in fields)), tag=0),
    Part("rfc822Name", _IA5, "An address of mail.", tag=1),
    Part("dNSName", _IA5, "A host's name; * stands for one label, the first.", tag=2),
    Part("x400Address", ANY, tag=3),
    Part("directoryName", NAME, tag=4, explicit=True),
    Part("ediPartyName", ANY, tag=5),
    Part("uniformResourceIdentifier", _IA5, tag=6),
    Part("iPAddress", Leaf("OCTET STRING", tags=(4,), say=say.ip_address), tag=7),
    Part("registeredID", OID, tag=8),
))  # fmt: skip
GENERAL_NAMES = Many("GeneralNames", item="GeneralName", of=GENERAL_NAME)

# -- extensions (4.2) ------------------------------------------------------------------------------------

_KEY_USAGE = Leaf("KeyUsage", tags=(3,), say=say.named_bits(
    "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
    "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
))  # fmt: skip
REASON_FLAGS = Leaf("ReasonFlags", tags=(3,), say=say.named_bits(
    "unused", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
    "cessationOfOperation", "certificateHold", "privilegeWithdrawn", "aACompromise",
))  # fmt: skip
_BASIC_CONSTRAINTS = Seq("BasicConstraints", parts=(
    Part("cA", BOOLEAN, "Whether this is an authority: may its key sign certificates?", optional=True),
    Part("pathLenConstraint", INTEGER, "How many authorities may stand below it.", optional=True),
), says=lambda fields: ", ".join(
    "an authority" if one.name == "cA" and one.meaning == "true"
    else f"at most {one.value} below it" if one.name == "pathLenConstraint" else ""
    for one in fields
) or "no authority")  # fmt: skip
_KEY_PURPOSES = Many("ExtKeyUsageSyntax", item="KeyPurposeId", of=OID)
_AUTHORITY_KEY = Seq("AuthorityKeyIdentifier", parts=(
    Part("keyIdentifier", KEY_IDENTIFIER, "The issuer's subjectKeyIdentifier.", tag=0, optional=True),
    Part("authorityCertIssuer", GENERAL_NAMES, tag=1, optional=True),
    Part("authorityCertSerialNumber", Leaf("INTEGER", tags=(2,), say=say.serial), tag=2, optional=True),
), says=lambda fields: fields[0].meaning if fields else "")  # fmt: skip
_ACCESS = Many("AuthorityInfoAccessSyntax", item="AccessDescription", of=Seq("AccessDescription", parts=(
    Part("accessMethod", OID),
    Part("accessLocation", GENERAL_NAME),
), says=lambda fields: " ".join(one.meaning or one.value for one in fields)))  # fmt: skip
_POINT_NAME = Choice("DistributionPointName", options=(
    Part("fullName", GENERAL_NAMES, tag=0),
    Part("nameRelativeToCRLIssuer", _RELATIVE, tag=1),
))  # fmt: skip
_POINTS = Many("CRLDistributionPoints", item="DistributionPoint", of=Seq("DistributionPoint", parts=(
    Part("distributionPoint", _POINT_NAME, tag=0, explicit=True, optional=True),
    Part("reasons", REASON_FLAGS, tag=1, optional=True),
    Part("cRLIssuer", GENERAL_NAMES, tag=2, optional=True),
), says=lambda fields: fields[0].meaning if fields else ""))  # fmt: skip
_QUALIFIER = Seq("PolicyQualifierInfo", parts=(
    Part("policyQualifierId", OID),
    Part("qualifier", ByOid(table={"1.3.6.1.5.5.7.2.1": _IA5}, default=ANY)),
), says=lambda fields: fields[-1].meaning if fields else "")  # fmt: skip
_POLICIES = Many("certificatePolicies", item="PolicyInformation", of=Seq("PolicyInformation", parts=(
    Part("policyIdentifier", OID),
    Part("policyQualifiers", Many(item="PolicyQualifierInfo", of=_QUALIFIER), optional=True),
), says=lambda fields: fields[0].meaning or fields[0].value if fields else ""))  # fmt: skip
_SUBTREES = Many("GeneralSubtrees", item="GeneralSubtree", of=Seq("GeneralSubtree", parts=(
    Part("base", GENERAL_NAME),
    Part("minimum", INTEGER, tag=0, optional=True),
    Part("maximum", INTEGER, tag=1, optional=True),
), says=lambda fields: fields[0].meaning if fields else ""))  # fmt: skip
_NAME_CONSTRAINTS = Seq("NameConstraints", parts=(
    Part("permittedSubtrees", _SUBTREES, "Only these.", tag=0, optional=True),
    Part("excludedSubtrees", _SUBTREES, "None of these.", tag=1, optional=True),
), says=lambda fields: "; ".join(
    f"{'only' if one.name.startswith('permitted') else 'not'} {one.meaning}" for one in fields
))  # fmt: skip
_FEATURES = Many("Features", item="feature", of=Leaf("INTEGER", tags=(2,), say=lambda data: (
    say.integer(data)[0], {"5": "status_request", "17": "status_request_v2"}.get(say.integer(data)[0], ""),
)))  # fmt: skip
_SCTS = Foreign("SignedCertificateTimestampList", "RFC 6962 3.3", read=scts.timestamps)

#: An extension's content, by the identifier before it.
CONTENTS: dict[str, Form] = {
    "2.5.29.14": KEY_IDENTIFIER,
    "2.5.29.15": _KEY_USAGE,
    "2.5.29.17": GENERAL_NAMES,
    "2.5.29.18": GENERAL_NAMES,
    "2.5.29.19": _BASIC_CONSTRAINTS,
    "2.5.29.20": INTEGER,
    "2.5.29.21": Leaf("CRLReason", tags=(10,), say=say.numbered(
        "unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
        "cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise",
    )),
    "2.5.29.30": _NAME_CONSTRAINTS,
    "2.5.29.31": _POINTS,
    "2.5.29.32": _POLICIES,
    "2.5.29.35": _AUTHORITY_KEY,
    "2.5.29.37": _KEY_PURPOSES,
    "2.5.29.46": _POINTS,
    "2.5.29.54": INTEGER,
    "1.3.6.1.5.5.7.1.1": _ACCESS,
    "1.3.6.1.5.5.7.1.11": _ACCESS,
    "1.3.6.1.5.5.7.1.24": _FEATURES,
    "1.3.6.1.4.1.11129.2.4.2": _SCTS,
    "1.3.6.1.4.1.11129.2.4.3": NULL,
    "1.3.6.1.4.1.11129.2.4.5": _SCTS,
    "1.3.6.1.5.5.7.48.1.2": KEY_IDENTIFIER,
    "1.3.6.1.5.5.7.48.1.5": NULL,
}  # fmt: skip
#: identifier: (where it is defined, what it is for).
ABOUT: dict[str, tuple[str, str]] = {
    "2.5.29.14": ("RFC 5280 4.2.1.2", "A short name of this certificate's key: a hash of it."),
    "2.5.29.15": ("RFC 5280 4.2.1.3", "What the key may be used for."),
    "2.5.29.17": ("RFC 5280 4.2.1.6", "The names that the certificate is for; only these count (RFC 9525)."),
    "2.5.29.18": ("RFC 5280 4.2.1.7", "Other names of the issuer."),
    "2.5.29.19": ("RFC 5280 4.2.1.9", "Whether this is an authority, and how far its word reaches."),
    "2.5.29.20": ("RFC 5280 5.2.3", "The number of a list of revoked certificates."),
    "2.5.29.21": ("RFC 5280 5.3.1", "Why it was revoked."),
    "2.5.29.30": ("RFC 5280 4.2.1.10", "The names that the certificates below it may be for."),
    "2.5.29.31": ("RFC 5280 4.2.1.13", "Where the issuer's list of revoked certificates is."),
    "2.5.29.32": ("RFC 5280 4.2.1.4", "By which rules it was issued: what the authority had proven to it."),
    "2.5.29.33": ("RFC 5280 4.2.1.5", "Which policies of two authorities mean the same."),
    "2.5.29.35": ("RFC 5280 4.2.1.1", "Which key of the issuer signed this."),
    "2.5.29.36": ("RFC 5280 4.2.1.11", "How policies must go on below it."),
    "2.5.29.37": ("RFC 5280 4.2.1.12", "For which purposes: serving, being a client, signing code ..."),
    "2.5.29.46": ("RFC 5280 4.2.1.15", "Where changes to the list of revoked certificates are."),
    "2.5.29.54": ("RFC 5280 4.2.1.14", "After how many certificates anyPolicy counts no more."),
    "1.3.6.1.5.5.7.1.1": ("RFC 5280 4.2.2.1", "Where the issuer answers for it; where its certificate is."),
    "1.3.6.1.5.5.7.1.11": ("RFC 5280 4.2.2.2", "Where the subject offers more."),
    "1.3.6.1.5.5.7.1.24": ("RFC 7633 4", "What the server must do: status_request is “must staple”."),
    "1.3.6.1.4.1.11129.2.4.2": ("RFC 6962 3.3", "Receipts of public logs: the certificate was published."),
    "1.3.6.1.4.1.11129.2.4.3": ("RFC 6962 3.1", "This is a draft for the logs, and must not be believed."),
    "1.3.6.1.4.1.11129.2.4.5": ("RFC 6962 3.3", "Receipts of public logs, in the answer."),
    "1.3.6.1.5.5.7.48.1.2": ("RFC 6960 4.4.1", "Repeats the asker's number: this answer is no old one."),
    "1.3.6.1.5.5.7.48.1.5": ("RFC 6960 4.2.2.2.1", "Nobody need ask whether this certificate is revoked."),
}  # fmt: skip


def _titled(oid: str) -> tuple[str, str, str]:
    section, about = ABOUT.get(oid, ("", ""))
    return oids.name_of(oid) or f"extension {oid}", about, section


def _says(fields: Sequence[Field]) -> str:
    critical = any(one.name == "critical" and one.meaning == "true" for one in fields)
    said = fields[-1].meaning if fields and fields[-1].name == "extnValue" else ""
    return ", ".join(part for part in (said, "critical" if critical else "") if part)


EXTENSION = Seq("Extension", "RFC 5280 4.2", (
    Part("extnID", OID, "Which extension."),
    Part("critical", BOOLEAN, "Who does not know this extension must refuse the certificate.", optional=True),
    Part("extnValue", ByOid(
        table={oid: Inside(of=form) for oid, form in CONTENTS.items()}, default=Inside(of=ANY),
    )),
), titled=_titled, says=_says)  # fmt: skip
EXTENSIONS = Many("Extensions", "RFC 5280 4.2", item="Extension", of=EXTENSION,
                  says=lambda fields: f"{len(fields)} extension{'s'[: len(fields) != 1]}")  # fmt: skip

# -- the certificate (4.1) -------------------------------------------------------------------------------

_VERSION = Leaf("Version", tags=(2,), say=say.numbered("v1", "v2", "v3"))
SERIAL = Leaf("INTEGER", tags=(2,), say=say.serial)
_VALIDITY = Seq("Validity", "RFC 5280 4.1.2.5", (
    Part("notBefore", TIME, "Not to be believed before."),
    Part("notAfter", TIME, "Not to be believed after."),
), says=lambda fields: " to ".join(one.meaning[:10] for one in fields))  # fmt: skip
_TBS = Seq("TBSCertificate", "RFC 5280 4.1.2", (
    Part("version", _VERSION, "v3, which brought the extensions.", "RFC 5280 4.1.2.1", tag=0, explicit=True,
         optional=True),
    Part("serialNumber", SERIAL, "The issuer's number for it, never used twice; unguessable, so that nobody"
         " can prepare a second certificate with the same hash.", "RFC 5280 4.1.2.2"),
    Part("signature", ALGORITHM, "How the issuer signed; the same stands outside, by the signature.",
         "RFC 5280 4.1.2.3"),
    Part("issuer", NAME, "Who vouches for it.", "RFC 5280 4.1.2.4"),
    Part("validity", _VALIDITY, "From when, and until when."),
    Part("subject", NAME, "Whose it is; the names that count stand in subjectAltName.", "RFC 5280 4.1.2.6"),
    Part("subjectPublicKeyInfo", PUBLIC_KEY, "The public key that the certificate is all about."),
    Part("issuerUniqueID", BIT_STRING, "", "RFC 5280 4.1.2.8", tag=1, optional=True),
    Part("subjectUniqueID", BIT_STRING, "", "RFC 5280 4.1.2.8", tag=2, optional=True),
    Part("extensions", EXTENSIONS, "What is said beyond name and key.", "RFC 5280 4.1.2.9", tag=3,
         explicit=True, optional=True),
))  # fmt: skip


def _title(fields: Sequence[Field]) -> str:
    inner = {one.name: one.meaning for one in fields[0].children} if fields else {}
    return f"certificate of {inner['subject'] or 'no name'}" if "subject" in inner else ""


CERTIFICATE = Seq("Certificate", "RFC 5280 4.1", (
    Part("tbsCertificate", _TBS, "What the issuer signed: all of it, to the last bit."),
    Part("signatureAlgorithm", ALGORITHM, "How the issuer signed.", "RFC 5280 4.1.1.2"),
    Part("signatureValue", SIGNATURE, "The issuer's signature over tbsCertificate: whoever has the issuer's"
         " public key can check that not one bit was changed.", "RFC 5280 4.1.1.3"),
), says=_title)  # fmt: skip
