"""What a certificate says, for people and for programs that show it to people. RFC 5280 section 4.

`describe` never fails on a certificate that can be parsed at all: what cannot be read in it is
left out, and named under "problems".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from pellucid.errors import Reason, UsageError
from pellucid.trust.der import public_key_info
from pellucid.trust.diagnosis import describe_key, signature_name
from pellucid.trust.path import title
from pellucid.trust.profile import Fault, public_key_of

# The names of RFC 5280 4.2.1.3, in the order of the bits.
_KEY_USAGES = (
    ("digitalSignature", "digital_signature"),
    ("nonRepudiation", "content_commitment"),
    ("keyEncipherment", "key_encipherment"),
    ("dataEncipherment", "data_encipherment"),
    ("keyAgreement", "key_agreement"),
    ("keyCertSign", "key_cert_sign"),
    ("cRLSign", "crl_sign"),
)
_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
}


def describe(certificate: bytes | x509.Certificate) -> dict[str, Any]:
    """A certificate as a dictionary that `json.dumps` takes.

    Args:
        certificate: DER or PEM, or an object of `cryptography`.

    Returns:
        "title" (what people call it), "subject", "issuer" (RFC 4514), "common_name",
        "issuer_common_name", "serial" (hexadecimal), "version", "names" (subjectAltName),
        "not_before", "not_after" (ISO 8601, UTC), "days", "key" ("kind", "bits", "text",
        "sha256" of the SubjectPublicKeyInfo), "signature_algorithm", "self_issued", "authority",
        "path_length", "key_usage", "extended_key_usage", "permitted", "excluded" (name
        constraints), "subject_key_identifier", "authority_key_identifier", "ocsp", "ca_issuers",
        "crls" (addresses), "must_staple", "scts" (how many), "extensions" ("oid", "name",
        "critical"), "fingerprints" ("sha256", "sha1"), "size" in bytes, "problems".

    Raises:
        UsageError: it is no certificate (`Reason.BAD_KEY_FILE`).

    >>> from pellucid.trust.authority import Authority
    >>> said = describe(Authority.create().issue("a.test", "127.0.0.1").chain[0])
    >>> said["names"], said["key"]["text"], said["extended_key_usage"]
    (['a.test', '127.0.0.1'], 'ECDSA secp256r1', ['serverAuth'])
    """
    if isinstance(certificate, x509.Certificate):
        parsed = certificate
    else:
        pem = b"-----BEGIN" in certificate
        try:
            load = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
            parsed = load(certificate)
        except (ValueError, TypeError, Warning) as error:
            raise UsageError(Reason.BAD_KEY_FILE, f"this is no certificate: {error}") from error
    problems: list[str] = []
    said = _fields(parsed, problems)
    try:
        said.update(_extensions(parsed.extensions))
    except (ValueError, x509.DuplicateExtension) as error:
        problems.append(f"the extensions could not be read: {error}")
        said.update(_extensions(()))
    said["problems"] = problems
    return said


def describe_chain(chain: Iterable[bytes]) -> list[dict[str, Any]]:
    """Each certificate of a chain; one that cannot be read is {"problems": [...]} only."""
    told = []
    for certificate in chain:
        try:
            told.append(describe(certificate))
        except UsageError as error:
            told.append({"problems": [error.detail]})
    return told


def _fields(certificate: x509.Certificate, problems: list[str]) -> dict[str, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding

    der = certificate.public_bytes(Encoding.DER)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    key = public_key_of(certificate)
    if isinstance(key, Fault):
        problems.append(key.detail)
    text = "unknown" if isinstance(key, Fault) else describe_key(key)
    return {
        "title": title(certificate),
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "common_name": _common_name(certificate.subject),
        "issuer_common_name": _common_name(certificate.issuer),
        "serial": f"{certificate.serial_number:x}",
        "version": certificate.version.value + 1,
        "not_before": begin.isoformat().replace("+00:00", "Z"),
        "not_after": end.isoformat().replace("+00:00", "Z"),
        "days": round((end - begin).total_seconds() / 86400, 2),
        "key": {
            "kind": text.partition(" ")[0],
            "bits": getattr(key, "key_size", None),
            "text": text,
            "sha256": hashlib.sha256(public_key_info(certificate.tbs_certificate_bytes)).hexdigest(),
        },
        "signature_algorithm": signature_name(certificate),
        "self_issued": certificate.subject == certificate.issuer,
        "fingerprints": {
            "sha256": hashlib.sha256(der).hexdigest(),
            "sha1": hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        },
        "size": len(der),
    }


def _extensions(extensions: Iterable[x509.Extension[Any]]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "names": [],
        "authority": False,
        "path_length": None,
        "key_usage": None,
        "extended_key_usage": None,
        "permitted": [],
        "excluded": [],
        "subject_key_identifier": None,
        "authority_key_identifier": None,
        "ocsp": [],
        "ca_issuers": [],
        "crls": [],
        "must_staple": False,
        "scts": 0,
        "extensions": [],
    }
    for extension in extensions:
        oid = extension.oid
        name = getattr(oid, "_name", oid.dotted_string)
        said["extensions"].append(
            {
                "oid": oid.dotted_string,
                "name": oid.dotted_string if name == "Unknown OID" else name,
                "critical": extension.critical,
            }
        )
        said.update(_one_extension(extension.value))
    return said


def _one_extension(value: Any) -> dict[str, Any]:
    match value:
        case x509.SubjectAlternativeName():
            return {"names": [_text(name) for name in value]}
        case x509.BasicConstraints():
            return {"authority": value.ca, "path_length": value.path_length}
        case x509.KeyUsage():
            return {"key_usage": [name for name, attribute in _KEY_USAGES if getattr(value, attribute)]}
        case x509.ExtendedKeyUsage():
            return {"extended_key_usage": [_PURPOSES.get(oid, oid.dotted_string) for oid in value]}
        case x509.NameConstraints():
            permitted = [_text(name) for name in value.permitted_subtrees or ()]
            return {
                "permitted": permitted,
                "excluded": [_text(name) for name in value.excluded_subtrees or ()],
            }
        case x509.SubjectKeyIdentifier():
            return {"subject_key_identifier": value.digest.hex()}
        case x509.AuthorityKeyIdentifier():
            identifier = value.key_identifier
            return {"authority_key_identifier": None if identifier is None else identifier.hex()}
        case x509.AuthorityInformationAccess():
            return {
                "ocsp": _locations(value, AuthorityInformationAccessOID.OCSP),
                "ca_issuers": _locations(value, AuthorityInformationAccessOID.CA_ISSUERS),
            }
        case x509.CRLDistributionPoints():
            return {"crls": [_text(name) for point in value for name in point.full_name or ()]}
        case x509.TLSFeature():
            return {"must_staple": x509.TLSFeatureType.status_request in value}
        case x509.PrecertificateSignedCertificateTimestamps():
            return {"scts": len(value)}
    return {}


def _locations(access: x509.AuthorityInformationAccess, method: x509.ObjectIdentifier) -> list[str]:
    return [_text(each.access_location) for each in access if each.access_method == method]


def _text(name: Any) -> str:
    value = getattr(name, "value", name)
    return value.rfc4514_string() if isinstance(value, x509.Name) else str(value)


def _common_name(name: x509.Name) -> str | None:
    attributes = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attributes[0].value) if attributes else None
