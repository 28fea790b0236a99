"""Every check of RFC 5280 section 6.1 on one path, one by one, for people to read.

Used in three places: to say why a chain was refused; to show what was checked when somebody looks
(`note`); and to judge chains signed with Ed25519 or Ed448, which the verifier of `cryptography`
knows no rule for (RFC 8410 allows them, the CA/Browser Forum does not). For these the checks here
are the decision, in the profile "rfc5280" only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from pellucid.errors import Reason
from pellucid.trust.constraints import name_fault
from pellucid.trust.names import matches, normal_name
from pellucid.trust.path import best_path, by_subject, check_signature, name_in_path, title
from pellucid.trust.profile import (
    ENCIPHER,
    RFC5280,
    SERVER,
    WEBPKI,
    Check,
    Fault,
    Question,
    ca_names_fault,
    ca_purpose_fault,
    ca_ski_fault,
    ca_usage_fault,
    key_fault,
    leaf_ca_fault,
    leaf_names_fault,
    leaf_purpose_fault,
    leaf_usage_fault,
    public_key_of,
    serial_fault,
)

if TYPE_CHECKING:
    from pellucid.trust.verification import Note, Trust

_KNOWN_CRITICAL = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
    }
)
_WEAK_HASHES = frozenset({"md5", "sha1"})
_EDWARDS = frozenset({SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448})
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

# Which of several faults is told: what makes the others meaningless first, as in Chrome's
# MapCertStatusToNetError (authority before name, name before date).
_ORDER = (
    Reason.BAD_CERTIFICATE,
    Reason.CERTIFICATE_TAMPERED,
    Reason.SELF_SIGNED,
    Reason.UNKNOWN_CA,
    Reason.CA_USED_AS_LEAF,
    Reason.NOT_A_CA,
    Reason.WRONG_HOST_NAME,
    Reason.NAME_CONSTRAINTS,
    Reason.WEAK_CERTIFICATE_SIGNATURE,
    Reason.WEAK_CERTIFICATE_KEY,
    Reason.UNSUPPORTED_CERTIFICATE_KEY,
    Reason.CERTIFICATE_EXPIRED,
    Reason.CERTIFICATE_NOT_YET_VALID,
    Reason.WRONG_EXTENDED_KEY_USAGE,
    Reason.WRONG_KEY_USAGE,
    Reason.CERTIFICATE_INVALID,
)


def explain(
    trust: Trust,
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    question: Question,
    verdict: str,
    note: Note | None,
) -> Fault | Sequence[x509.Certificate]:
    """Why the verifier refused; or the path, if it has no fault but a signature of Ed25519 or Ed448.

    Args:
        trust: who was asked.
        leaf: the peer's own certificate.
        others: what else it sent.
        question: what was asked.
        verdict: the verifier's own words.
        note: see `Trust.verify_server`.
    """
    seen: dict[tuple[x509.Certificate, ...], list[Check]] = {}

    def count(path: tuple[x509.Certificate, ...]) -> int:
        seen[path] = examine(path, question)
        return sum(not check.passed for check in seen[path])

    found = best_path(leaf, others, by_subject(trust.anchors), trust.max_intermediates, count)
    path = found.certificates
    checks = seen[path] if path in seen else examine(path, question, anchored=False)
    if found.stop is not None:
        at = len(path) - 1
        checks.append(Check("anchor", False, found.stop.detail, at, found.stop.reason))
    for anchor, why in trust.set_aside:
        if found.stop is None and anchor == path[-1]:
            checks.append(Check("anchor", False, why.detail, len(path) - 1, why.reason))
    if note is not None:
        issuers = {certificate.issuer for certificate in (leaf, *others)}
        asked = [anchor for anchor in trust.anchors if anchor.subject in issuers]
        note(("judged", tuple(checks), path, asked or trust.anchors[:1]))
    failed = [check for check in checks if not check.passed]
    if failed:
        return _say(path, failed)
    if question.profile == RFC5280 and _signed_by_edwards(path):
        return path
    return Fault(Reason.CERTIFICATE_INVALID, _plain(verdict))


class Report:
    """All checks on a path that was accepted. The verifier has made them; here they are made again, in
    words, when somebody reads: looking on does not slow the handshake down.

    Attributes:
        path: leaf first.
        question: what was asked of it.
    """

    __slots__ = ("_checks", "path", "question")

    def __init__(self, path: Sequence[x509.Certificate], question: Question) -> None:
        self.path = path
        self.question = question
        self._checks: tuple[Check, ...] | None = None

    def __call__(self) -> tuple[Check, ...]:
        """The checks, leaf to anchor."""
        if self._checks is None:
            self._checks = tuple(examine(tuple(self.path), self.question, signed=True))
        return self._checks


def examine(
    path: tuple[x509.Certificate, ...], question: Question, *, anchored: bool = True, signed: bool = False
) -> list[Check]:
    """All checks on a path, leaf to anchor.

    Args:
        path: leaf first.
        question: what is asked of it.
        anchored: False for a path that leads nowhere.
        signed: the verifier has checked the signatures: they are named, not checked again.
    """
    checks: list[Check] = []
    last = len(path) - 1
    for index, certificate in enumerate(path):
        examination = _Examination(path, index, question, checks)
        if not examination.readable():
            continue
        if index < last:
            examination.signature(checked=signed)
        elif anchored:
            examination.passed("anchor", f"{title(certificate)!r} is trusted here")
        examination.validity()
        examination.key()
        if index == 0:
            examination.leaf(pinned=anchored and last == 0)
        else:
            examination.authority()
        examination.critical_extensions()
    return checks


class _Examination:
    """The checks on one certificate of a path."""

    def __init__(
        self, path: tuple[x509.Certificate, ...], index: int, question: Question, checks: list[Check]
    ) -> None:
        self.path = path
        self.index = index
        self.certificate = path[index]
        self.question = question
        self.checks = checks
        self.extensions: x509.Extensions | None = None

    def passed(self, what: str, detail: str) -> None:
        self.checks.append(Check(what, True, detail, self.index))

    def judge(self, what: str, fault: Fault | None, otherwise: str) -> None:
        """One check: failed for `fault`, else passed, because of `otherwise`."""
        if fault is None:
            self.passed(what, otherwise)
        else:
            self.checks.append(Check(what, False, fault.detail, self.index, fault.reason))

    def value(self, kind: type[Any]) -> Any:
        try:
            return self.extensions.get_extension_for_class(kind).value  # type: ignore[union-attr]
        except x509.ExtensionNotFound:
            return None

    def readable(self) -> bool:
        try:
            self.extensions = self.certificate.extensions
            return True
        except (ValueError, x509.DuplicateExtension) as error:
            self.judge("encoding", Fault(Reason.BAD_CERTIFICATE, f"its extensions: {error}"), "")
            return False

    def signature(self, *, checked: bool) -> None:
        issuer = self.path[self.index + 1]
        scheme, fault = _signature_scheme(self.certificate, self.question.profile)
        if fault is None and not checked and check_signature(self.certificate, issuer) != "good":
            fault = Fault(Reason.CERTIFICATE_TAMPERED, f"{title(issuer)!r} did not make its signature")
        self.judge("signature", fault, f"signed by {title(issuer)!r} with {scheme}")

    def validity(self) -> None:
        now = self.question.moment.replace(tzinfo=UTC)
        begin, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        fault = None
        if now > end:
            fault = Fault(Reason.CERTIFICATE_EXPIRED, f"it expired on {_date(end)}, {_span(now - end)} ago")
        elif now < begin:
            fault = Fault(
                Reason.CERTIFICATE_NOT_YET_VALID,
                f"it is valid from {_date(begin)}, {_span(begin - now)} from now",
            )
        self.judge("validity", fault, f"valid from {_date(begin)} to {_date(end)}")

    def key(self) -> None:
        key = public_key_of(self.certificate)
        fault = key if isinstance(key, Fault) else key_fault(key, self.question.profile)
        if fault is None and self.index and self.question.profile == WEBPKI and _is_edwards(key):
            fault = Fault(
                Reason.WEAK_CERTIFICATE_KEY, "its key is of a kind that public authorities may not have"
            )
        self.judge("key", fault, describe_key(key))

    def leaf(self, *, pinned: bool) -> None:
        """What only the leaf is asked: names, CA bit, usages."""
        question = self.question
        if question.wanted == SERVER and question.name is not None:
            self.judge("name", self._name_fault(question.name), f"it is for {question.name!r}")
        strict = question.profile == WEBPKI
        constraints = self.value(x509.BasicConstraints)
        allowed = pinned and not strict
        otherwise = "it is its own authority, trusted as such" if allowed else "it is no authority's"
        self.judge("basic constraints", None if allowed else leaf_ca_fault(constraints), otherwise)
        usage = self.value(x509.KeyUsage)
        what = "decrypt keys" if question.use == ENCIPHER else "sign"
        may = f"its key may {what}" if usage else "it limits its key to no use"
        self.judge("key usage", leaf_usage_fault(usage, question.use, question.profile), may)
        purposes = self.value(x509.ExtendedKeyUsage)
        if self.value(x509.NameConstraints) is not None:
            why = "it limits names, which only an authority's certificate may"
            self.judge("name constraints", Fault(Reason.CERTIFICATE_INVALID, why), "")
        role = "servers" if question.wanted == SERVER else "clients"
        purpose = f"it was issued to authenticate {role}" if purposes else "it is limited to no purpose"
        self.judge(
            "extended key usage", leaf_purpose_fault(purposes, question.wanted, question.profile), purpose
        )
        if strict:
            self.judge("serial number", serial_fault(self.certificate), "it is positive")
            if question.wanted == SERVER:
                self.judge(
                    "common name",
                    leaf_names_fault(self.certificate, vetted=question.vetted),
                    "it repeats one of the names",
                )

    def _name_fault(self, wanted: str) -> Fault | None:
        san = self.value(x509.SubjectAlternativeName)
        if san is None:
            common = [str(each.value) for each in self.certificate.subject if each.oid == NameOID.COMMON_NAME]
            hint = (
                f", only the common name {common[0]!r}, which does not count (RFC 9525 2)" if common else ""
            )
            return Fault(Reason.WRONG_HOST_NAME, f"it has no subjectAltName{hint}; {wanted!r} was asked for")
        hosts: list[str] = san.get_values_for_type(x509.DNSName)
        addresses: list[Any] = san.get_values_for_type(x509.IPAddress)
        name = normal_name(wanted)
        if any(matches(host, name) for host in hosts) or name in addresses:
            return None
        names = [*hosts, *map(str, addresses)]
        known = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        return Fault(Reason.WRONG_HOST_NAME, f"{wanted!r} was asked for; it is for {known or 'no host'}")

    def authority(self) -> None:
        """What only authorities are asked: the CA bit, the length of the path, usages, names."""
        constraints = self.value(x509.BasicConstraints)
        fault = None
        if constraints is None or not constraints.ca:
            fault = Fault(
                Reason.NOT_A_CA, f"{title(self.certificate)!r} issued a certificate and is no authority"
            )
        elif constraints.path_length is not None:
            between = self.path[1 : self.index]
            below = sum(each.subject != each.issuer for each in between)
            if below > constraints.path_length:
                why = f"{below} authorities stand below it, and {constraints.path_length} may"
                fault = Fault(Reason.CERTIFICATE_INVALID, why)
        self.judge("basic constraints", fault, "it is an authority")
        self.judge("key usage", self._authority_usage_fault(), "its key may sign certificates")
        purposes = self.value(x509.ExtendedKeyUsage)
        self.judge(
            "extended key usage",
            ca_purpose_fault(purposes, self.question.wanted),
            "it may issue for this purpose" if purposes else "it is limited to no purpose",
        )
        if self.question.profile == WEBPKI:
            ski = self.value(x509.SubjectKeyIdentifier)
            self.judge("key identifier", ca_ski_fault(self.certificate, ski), "it names its key")
        constrained = self.value(x509.NameConstraints)
        if constrained is not None:
            fault = ca_names_fault(self.certificate, self.question.profile)
            self.judge(
                "name constraints", fault or self._name_constraints(constrained), "it may issue for this name"
            )

    def _authority_usage_fault(self) -> Fault | None:
        usage = self.value(x509.KeyUsage)
        if usage is None and self.question.profile == WEBPKI:
            return Fault(Reason.CERTIFICATE_INVALID, "it does not say what its key is for (keyUsage)")
        return ca_usage_fault(usage)

    def _name_constraints(self, constraints: x509.NameConstraints) -> Fault | None:
        below = []
        for index, certificate in enumerate(self.path[: self.index]):
            if index and certificate.subject == certificate.issuer:
                continue  # RFC 5280 6.1.3 (b): not for self-issued authorities
            try:
                san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
                below.append((certificate, list(san)))
            except x509.ExtensionNotFound:
                below.append((certificate, []))
            except ValueError as error:
                return Fault(Reason.BAD_CERTIFICATE, f"the extensions of {title(certificate)!r}: {error}")
        return name_fault(below, constraints)

    def critical_extensions(self) -> None:
        unknown = [
            each.oid.dotted_string
            for each in self.extensions or ()
            if each.critical and each.oid not in _KNOWN_CRITICAL
        ]
        fault = None
        if unknown:
            why = f"it has a critical extension that is not understood here ({', '.join(unknown)})"
            fault = Fault(Reason.CERTIFICATE_INVALID, why)
        self.judge("critical extensions", fault, "all are understood")


def describe_key(key: Any) -> str:
    """A public key in two words: "RSA 2048", "ECDSA secp256r1", "Ed25519".

    >>> from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    >>> describe_key(generate_private_key(SECP256R1()).public_key())
    'ECDSA secp256r1'
    """
    curve = getattr(key, "curve", None)
    if curve is not None:
        return f"ECDSA {curve.name}"
    name = type(key).__name__.removesuffix("PublicKey")
    size = getattr(key, "key_size", None)
    return f"{name} {size}" if size else name.replace("MLDSA", "ML-DSA-")


def signature_name(certificate: x509.Certificate) -> str:
    """The name of a certificate's signature algorithm, or its OID."""
    oid = certificate.signature_algorithm_oid
    name: str = getattr(oid, "_name", "Unknown OID")
    return oid.dotted_string if name == "Unknown OID" else name


def _signature_scheme(certificate: x509.Certificate, profile: str) -> tuple[str, Fault | None]:
    name = signature_name(certificate)
    try:
        digest = certificate.signature_hash_algorithm
    except Exception:  # an algorithm that is not known
        return name, Fault(Reason.WEAK_CERTIFICATE_SIGNATURE, f"its signature is of an unknown kind, {name}")
    if digest is not None and (digest.name in _WEAK_HASHES or digest.digest_size < 32):
        return name, Fault(Reason.WEAK_CERTIFICATE_SIGNATURE, f"it is signed with {digest.name.upper()}")
    if profile == WEBPKI and certificate.signature_algorithm_oid in _EDWARDS:
        return name, Fault(
            Reason.WEAK_CERTIFICATE_SIGNATURE,
            f"it is signed with {name}, which public authorities may not use",
        )
    return name, None


def _say(path: Sequence[x509.Certificate], failed: Sequence[Check]) -> Fault:
    """The gravest of the faults; a second one is mentioned, for it will be the next refusal."""
    ordered = sorted(failed, key=lambda check: (_rank(check.reason), check.certificate))
    first = ordered[0]
    text = _sentence(path, first)
    second = next((check for check in ordered[1:] if check.reason is not first.reason), None)
    if second is not None:
        text += f". Besides, {_sentence(path, second)}"
    return Fault(first.reason or Reason.CERTIFICATE_INVALID, text)


def _sentence(path: Sequence[x509.Certificate], check: Check) -> str:
    detail = check.detail
    if detail.startswith(("it ", "its ")):
        who = name_in_path(path, check.certificate)
        rest = detail.split(" ", 1)[1]
        if detail.startswith("it "):
            return f"{who} {rest}"
        return f"{who}: its {rest}" if check.certificate else f"{who}'s {rest}"
    return detail


def _rank(reason: Reason | None) -> int:
    return _ORDER.index(reason) if reason in _ORDER else len(_ORDER)


def _plain(verdict: str) -> str:
    """The verifier's words without its frame."""
    text = verdict.split(" (encountered processing", 1)[0]
    for frame in ("validation failed: ", "candidates exhausted: ", "invalid extension: "):
        text = text.removeprefix(frame)
    oid, colon, rest = text.partition(": ")
    if colon and oid.replace(".", "").isdigit():
        text = f"{getattr(x509.ObjectIdentifier(oid), '_name', oid)}: {rest}"
    return text[:300]


def _signed_by_edwards(path: Sequence[x509.Certificate]) -> bool:
    return any(each.signature_algorithm_oid in _EDWARDS for each in path[:-1]) or any(
        _is_edwards(public_key_of(each)) for each in path[1:]
    )


def _is_edwards(key: object) -> bool:
    return isinstance(key, (Ed25519PublicKey, Ed448PublicKey))


def _date(moment: datetime) -> str:
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"


def _span(delta: timedelta) -> str:
    seconds = int(delta.total_seconds())
    for size, unit in ((86400 * 365, "year"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count = seconds // size
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "a moment"
