"""The rules of the two profiles. RFC 5280 sections 4.2.1 and 6.1, CA/Browser Forum BR section 7.1.

* "webpki" judges authorities that nobody chose by hand: the system's. It is the default policy of
  `cryptography`, which follows the CA/Browser Forum, with what that leaves open closed.
* "rfc5280" judges authorities that somebody named: their own CA, or a certificate that is its own
  CA. What only the Forum asks for (key identifiers, criticality, no CA bit in a leaf that is its
  own anchor) is not asked; who may issue, for which names and for what use, is.

Each rule stands here once, as a function that returns a `Fault` or None. The verifier calls it
through `ExtensionPolicy`; the diagnosis calls it again to say which rule was broken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy

from pellucid.crypto.signatures import CURVES, kind_of
from pellucid.errors import Reason
from pellucid.limits import MAX_RSA_BITS, MAX_RSA_EXPONENT, MIN_RSA_BITS
from pellucid.trust.names import loose_address
from pellucid.trust.suffixes import is_public

WEBPKI = "webpki"
RFC5280 = "rfc5280"
PROFILES = (WEBPKI, RFC5280)

SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE

SIGN = "sign"  # TLS 1.3, (EC)DHE: the key signs; RFC 8446 4.4.2.2, RFC 5246 7.4.2
ENCIPHER = "encipher"  # static RSA: the key decrypts; RFC 5246 7.4.2

_EPOCH = datetime(1970, 1, 1)
_PURPOSES = {
    SERVER: "to authenticate servers",
    CLIENT: "to authenticate clients",
    ANY: "for anything",
    ExtendedKeyUsageOID.CODE_SIGNING: "to sign code",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "to protect e-mail",
    ExtendedKeyUsageOID.TIME_STAMPING: "to stamp times",
    ExtendedKeyUsageOID.OCSP_SIGNING: "to sign OCSP responses",
}


class Fault(NamedTuple):
    """A rule that a certificate breaks: which reason it is, and one sentence for the user."""

    reason: Reason
    detail: str


class Check(NamedTuple):
    """One thing that was checked, on which certificate of the path (0 is the leaf), and the outcome.

    `reason` is the reason to refuse for, if it did not pass.
    """

    what: str
    passed: bool
    detail: str
    certificate: int = 0
    reason: Reason | None = None


class Question:
    """What a chain is asked: by which profile, for which name, when, for which purpose.

    Attributes:
        profile: "webpki", "rfc5280" or "insecure".
        name: the host name or address asked for; None for a client's chain.
        now: seconds since 1970; `moment` is the same as a datetime in UTC without a zone.
        wanted: the extended key usage: `SERVER` or `CLIENT`.
        use: "sign" or "encipher".
        vetted: a platform chose the anchors.
    """

    __slots__ = ("moment", "name", "now", "profile", "use", "vetted", "wanted")

    def __init__(
        self,
        profile: str,
        name: str | None,
        now: float,
        wanted: x509.ObjectIdentifier,
        use: str,
        vetted: bool = False,
    ) -> None:
        self.profile = profile
        self.name = name
        self.now = now
        self.moment = _moment(int(now))
        self.wanted = wanted
        self.use = use
        self.vetted = vetted


@lru_cache(maxsize=16)
def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


class RuleBroken(Exception):
    """A rule was broken; `cryptography` turns it into a VerificationError."""


# -- keys ----------------------------------------------------------------------------------------


def key_fault(key: Any, profile: str) -> Fault | None:
    """A key that is too weak, too large, or of a kind that cannot speak TLS."""
    kind = kind_of(key)
    if kind == "ecdsa":
        curve = key.curve
        if curve.name in CURVES:
            return None
        reason = Reason.WEAK_CERTIFICATE_KEY if curve.key_size < 256 else Reason.UNSUPPORTED_CERTIFICATE_KEY
        return Fault(reason, f"its key is on the curve {curve.name}")
    if kind == "rsa":
        bits = key.key_size
        if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
            most = f"{MIN_RSA_BITS} are the least" if bits < MIN_RSA_BITS else f"{MAX_RSA_BITS} are the most"
            return Fault(Reason.WEAK_CERTIFICATE_KEY, f"its RSA key has {bits} bits, and {most}")
        if key.public_numbers().e > MAX_RSA_EXPONENT:
            return Fault(Reason.WEAK_CERTIFICATE_KEY, f"its RSA exponent is over {MAX_RSA_EXPONENT}")
        if bits % 8 and profile == WEBPKI:  # BR 6.1.5
            return Fault(Reason.WEAK_CERTIFICATE_KEY, f"its RSA key has {bits} bits, no multiple of eight")
        return None
    if kind is None:
        name = type(key).__name__.removesuffix("PublicKey")
        return Fault(Reason.UNSUPPORTED_CERTIFICATE_KEY, f"its key is a {name} key")
    return None


def public_key_of(certificate: x509.Certificate) -> Any:
    """The key of a certificate, or a `Fault` if `cryptography` cannot read it."""
    try:
        return certificate.public_key()
    except Exception as error:  # UnsupportedAlgorithm, ValueError: each says why
        return Fault(Reason.UNSUPPORTED_CERTIFICATE_KEY, f"its key could not be read: {error}")


# -- rules for the leaf ----------------------------------------------------------------------------


def leaf_usage_fault(usage: x509.KeyUsage | None, use: str, profile: str) -> Fault | None:
    """RFC 5280 4.2.1.3: a leaf with a key usage must have the one that the handshake needs."""
    if usage is None:
        return None
    if use == SIGN and not usage.digital_signature:
        return Fault(Reason.WRONG_KEY_USAGE, "its key may not sign (digitalSignature is not set)")
    if use == ENCIPHER and not usage.key_encipherment:
        return Fault(Reason.WRONG_KEY_USAGE, "its key may not decrypt keys (keyEncipherment is not set)")
    if profile == WEBPKI and usage.key_cert_sign:  # BR 7.1.2.7.11
        return Fault(Reason.WRONG_KEY_USAGE, "its key may sign certificates, which no server's may")
    return None


def leaf_purpose_fault(
    purposes: x509.ExtendedKeyUsage | None, wanted: x509.ObjectIdentifier, profile: str
) -> Fault | None:
    """RFC 5280 4.2.1.12, BR 7.1.2.7.10: what the leaf was issued for."""
    if purposes is None:
        if profile == WEBPKI and wanted == SERVER:
            return Fault(Reason.WRONG_EXTENDED_KEY_USAGE, "it does not say that it was issued to a server")
        return None
    if profile == WEBPKI and ANY in purposes:
        return Fault(
            Reason.WRONG_EXTENDED_KEY_USAGE, "it was issued for anything, which public ones may not be"
        )
    if wanted in purposes or ANY in purposes:
        return None
    return Fault(Reason.WRONG_EXTENDED_KEY_USAGE, f"it was issued {_list(purposes)}, not {_PURPOSES[wanted]}")


def leaf_names_fault(certificate: x509.Certificate, *, vetted: bool = False) -> Fault | None:
    """BR 7.1.4.3: a common name that repeats one of the names does so letter by letter; 3.2.2.6: no
    wildcard for names that belong to many.

    The common name decides nothing here. But it is what people are shown: one that writes a name
    in another way than the subjectAltName does, or in letters that only look like it, misleads.

    `vetted`: authorities that a platform chose are believed to know who owns `github.io`.
    """
    try:
        san = _value(certificate.extensions, x509.SubjectAlternativeName)
        common_names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError as error:
        return Fault(Reason.BAD_CERTIFICATE, f"its extensions could not be read: {error}")
    if san is None:
        return None
    hosts = san.get_values_for_type(x509.DNSName)
    names = {*hosts, *map(str, san.get_values_for_type(x509.IPAddress))}
    for name in common_names:
        if name.value not in names and _misleads(str(name.value), names):
            why = f"its common name {str(name.value)[:80]!r} is none of its names, but could be taken for one"
            return Fault(Reason.CERTIFICATE_INVALID, why)
    for host in hosts:
        if host.startswith("*.") and is_public(host[2:].lower(), private=not vetted):
            why = f"the wildcard {host!r} stands for names that belong to many"
            return Fault(Reason.CERTIFICATE_INVALID, why)
    return None


def _misleads(common_name: str, names: Collection[str]) -> bool:
    """Whether a common name that is none of the names is one in another spelling, or an IDN."""
    if " " in common_name or not ("." in common_name or ":" in common_name):
        return False  # no name of a host
    lower = common_name.lower()
    if not common_name.isascii() or any(label.startswith("xn--") for label in lower.split(".")):
        return True
    address = loose_address(common_name)
    if address is not None:
        return str(address) != common_name
    return lower in {name.lower() for name in names}


def leaf_ca_fault(constraints: x509.BasicConstraints | None) -> Fault | None:
    """RFC 5280 4.2.1.9: an authority's certificate where a server's or client's is due."""
    if constraints is not None and constraints.ca:
        return Fault(Reason.CA_USED_AS_LEAF, "it is the certificate of an authority (CA:TRUE)")
    return None


def serial_fault(certificate: x509.Certificate) -> Fault | None:
    """RFC 5280 4.1.2.2: a positive number of at most 20 bytes."""
    serial = certificate.serial_number
    if serial <= 0 or serial.bit_length() > 159:
        return Fault(Reason.CERTIFICATE_INVALID, "its serial number is not between 1 and 2^159")
    return None


# -- rules for authorities -------------------------------------------------------------------------


def ca_usage_fault(usage: x509.KeyUsage | None) -> Fault | None:
    """RFC 5280 6.1.4 (n): an authority with a key usage may sign certificates."""
    if usage is not None and not usage.key_cert_sign:
        return Fault(Reason.NOT_A_CA, "its key may not sign certificates (keyCertSign is not set)")
    return None


def ca_purpose_fault(purposes: x509.ExtendedKeyUsage | None, wanted: x509.ObjectIdentifier) -> Fault | None:
    """An authority that is limited to some purposes issues for no other (as browsers and OpenSSL do)."""
    if purposes is None or wanted in purposes or ANY in purposes:
        return None
    return Fault(
        Reason.WRONG_EXTENDED_KEY_USAGE,
        f"it may issue certificates {_list(purposes)}, not {_PURPOSES[wanted]}",
    )


def ca_names_fault(certificate: x509.Certificate, profile: str) -> Fault | None:
    """RFC 5280 4.2.1.10: constraints are critical, so that nobody overlooks them."""
    found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    if profile == RFC5280 and not found.critical:
        return Fault(Reason.CERTIFICATE_INVALID, "it limits names by an extension that is not critical")
    return None


def ca_ski_fault(certificate: x509.Certificate, ski: x509.SubjectKeyIdentifier | None) -> Fault | None:
    """RFC 5280 4.2.1.2: an authority names its key. A root may leave it out; see `root_fault`."""
    if ski is None and certificate.subject != certificate.issuer:
        return Fault(
            Reason.CERTIFICATE_INVALID, "it is an authority and does not name its key (subjectKeyIdentifier)"
        )
    return None


def root_fault(root: x509.Certificate) -> Fault | None:
    """BR 7.1.2.1: what a root for the "webpki" profile may not have, unless a platform vetted it.

    The verifier does not look at these in an anchor, and RFC 5280 6.1.1 gives it the right not to:
    an anchor is a name and a key. A root that is handed to the strict profile should still be one.
    """
    try:
        extensions = root.extensions
    except ValueError as error:
        return Fault(Reason.BAD_CERTIFICATE, f"its extensions could not be read: {error}")
    if root.subject != root.issuer:
        return None  # an intermediate or a leaf that somebody pinned
    aki = _value(extensions, x509.AuthorityKeyIdentifier)
    ski = _value(extensions, x509.SubjectKeyIdentifier)
    if _value(extensions, x509.ExtendedKeyUsage) is not None and _is_ca(extensions):
        return Fault(Reason.CERTIFICATE_INVALID, "the root is limited to some purposes (extendedKeyUsage)")
    if ski is None:
        return Fault(Reason.CERTIFICATE_INVALID, "the root does not name its key (subjectKeyIdentifier)")
    if aki is not None:
        if aki.authority_cert_issuer is not None or aki.authority_cert_serial_number is not None:
            return Fault(Reason.CERTIFICATE_INVALID, "the root names an issuer in its authorityKeyIdentifier")
        if aki.key_identifier != ski.digest:
            return Fault(
                Reason.CERTIFICATE_INVALID, "the root names another key than its own as its issuer's"
            )
    key = public_key_of(root)
    return key if isinstance(key, Fault) else key_fault(key, WEBPKI)


# -- policies for the verifier -----------------------------------------------------------------------


def policies(
    profile: str,
    wanted: x509.ObjectIdentifier,
    use: str,
    is_anchor: Callable[[x509.Certificate], bool],
    *,
    named: bool = True,
) -> tuple[ExtensionPolicy, ExtensionPolicy]:
    """The extension policies (leaf, authority) of a profile.

    Args:
        profile: "webpki" or "rfc5280".
        wanted: the extended key usage: `SERVER` or `CLIENT`.
        use: "sign" or "encipher".
        is_anchor: whether a certificate is itself one of the anchors.
        named: whether a server's certificate must have a subjectAltName.
    """
    agnostic = Criticality.AGNOSTIC
    strict = profile == WEBPKI
    leaf = ExtensionPolicy.webpki_defaults_ee() if strict else ExtensionPolicy.permit_all()
    ca = ExtensionPolicy.webpki_defaults_ca() if strict else ExtensionPolicy.permit_all()

    def usage(policy: Policy, cert: x509.Certificate, value: Any) -> None:
        _raise(leaf_usage_fault(value, use, profile))

    def purpose(policy: Policy, cert: x509.Certificate, value: Any) -> None:
        _raise(leaf_purpose_fault(value, wanted, profile))

    def ca_usage(policy: Policy, cert: x509.Certificate, value: Any) -> None:
        _raise(ca_usage_fault(value))

    def ca_purpose(policy: Policy, cert: x509.Certificate, value: Any) -> None:
        _raise(ca_purpose_fault(value, wanted))

    def ca_ski(policy: Policy, cert: x509.Certificate, value: Any) -> None:
        _raise(ca_ski_fault(cert, value))

    def constraints(policy: Policy, cert: x509.Certificate, value: Any) -> None:
        if value is not None and value.ca and not is_anchor(cert):
            _raise(leaf_ca_fault(value))

    leaf = leaf.may_be_present(x509.KeyUsage, agnostic, usage)
    leaf = leaf.may_be_present(x509.ExtendedKeyUsage, agnostic, purpose)
    if strict:
        return leaf, ca.may_be_present(x509.SubjectKeyIdentifier, Criticality.NON_CRITICAL, ca_ski)
    leaf = leaf.may_be_present(x509.BasicConstraints, agnostic, constraints)
    leaf = leaf.require_not_present(x509.NameConstraints)
    if wanted == SERVER and named:
        leaf = leaf.require_present(x509.SubjectAlternativeName, agnostic, None)
    ca = ca.require_present(x509.BasicConstraints, agnostic, None)
    ca = ca.may_be_present(x509.KeyUsage, agnostic, ca_usage)
    ca = ca.may_be_present(x509.NameConstraints, Criticality.CRITICAL, None)
    for never in (x509.AuthorityKeyIdentifier, x509.AuthorityInformationAccess):  # RFC 5280 4.2.1.1, 4.2.2.1
        leaf = leaf.may_be_present(never, Criticality.NON_CRITICAL, None)
        ca = ca.may_be_present(never, Criticality.NON_CRITICAL, None)
    return leaf, ca.may_be_present(x509.ExtendedKeyUsage, agnostic, ca_purpose)


def _raise(fault: Fault | None) -> None:
    if fault is not None:
        raise RuleBroken(fault.detail)


def _list(purposes: x509.ExtendedKeyUsage) -> str:
    return ", ".join(_PURPOSES.get(oid, f"for {oid.dotted_string}") for oid in purposes)


def _value(extensions: x509.Extensions, kind: type[Any]) -> Any:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_ca(extensions: x509.Extensions) -> bool:
    constraints = _value(extensions, x509.BasicConstraints)
    return constraints is not None and bool(constraints.ca)
