"""The trust: the certificate path from the leaf to the authority, and every check made on it.

RFC 5280 section 6 (path validation), RFC 6125 (names), RFC 6960 (OCSP). The checks are the verifier's
own, noted when it made them; the certificates are read from the messages of the trace.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pellucid.glass.crossings import crossings
from pellucid.glass.decode import CERTIFICATES, Reader, chain_of, key_text, load, name_text, names_of
from pellucid.glass.trace import Fact, Trace
from pellucid.glass.views.common import other_end


@dataclass(frozen=True, slots=True)
class Check:
    """One question that the verifier asked of a certificate. `passed` is None where it was not asked."""

    what: str
    question: str
    passed: bool | None
    detail: str
    section: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of the path.

    `place` is "leaf", "intermediate" or "root"; `sent` says whether it crossed the wire (the root does
    not); dates are ISO 8601, UTC; `id` is the crossing it came in.
    """

    index: int
    id: str
    place: str
    sent: bool
    subject: str
    issuer: str
    names: tuple[str, ...]
    serial: str
    not_before: str
    not_after: str
    key: str
    signature: str
    usages: tuple[str, ...]
    authority: bool
    fingerprint: str
    der: bytes
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """One side's certificates, and whether the other side believed them.

    `verdict` is "believed", "refused", "not checked" or "unseen" (that side's trace is not at hand).
    """

    whose: str
    asked: str
    verdict: str
    why: str
    certificates: tuple[Certificate, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class TrustView:
    """Whose certificates were shown. `about` says why there are none, where there are none."""

    about: str
    chains: tuple[Chain, ...]


#: check: (the question, where the rule is).
_QUESTIONS = {
    "encoding": ("Can it be read?", "RFC 5280 4.1"),
    "signature": ("Did the one above it really sign it?", "RFC 5280 6.1.3"),
    "anchor": ("Does the path end at an authority that is trusted here?", "RFC 5280 6.1"),
    "validity": ("Is it in date?", "RFC 5280 4.1.2.5"),
    "name": ("Is it for the name that was asked for?", "RFC 6125 6"),
    "common name": ("Does its common name repeat one of its names?", "CA/Browser BR 7.1.4.3"),
    "key": ("Is its key strong enough?", "RFC 8446 4.4.2.4"),
    "key usage": ("May its key be used for this?", "RFC 5280 4.2.1.3"),
    "extended key usage": ("Was it issued for this purpose?", "RFC 5280 4.2.1.12"),
    "basic constraints": ("Is it an authority where it must be, and only there?", "RFC 5280 4.2.1.9"),
    "name constraints": ("May it be issued for this name?", "RFC 5280 4.2.1.10"),
    "serial number": ("Has it a proper number?", "RFC 5280 4.1.2.2"),
    "key identifier": ("Does it name its key?", "RFC 5280 4.2.1.2"),
    "critical extensions": ("Is all that is critical understood?", "RFC 5280 4.2"),
    "stapled OCSP response": ("Does its authority say that it was not revoked?", "RFC 6960 2.2"),
    "revocation list": ("Does its authority's list name it?", "RFC 5280 6.3"),
    "raw public key": ("Is this key one of those that are trusted?", "RFC 7250 6"),
}
_NOTHING = {
    "resumed": "No certificate was shown: a key from an earlier connection proves who both are.",
    "psk": "No certificate was shown: the pre-shared key proves who both are.",
    "early": "The handshake ended before a certificate was shown.",
}


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> TrustView:
    """The server's chain, and the client's if it showed one; each with the other side's checks."""
    reader = Reader(trace)
    found = crossings(trace, reader)
    traces = dict(zip(("client", "server"), other_end(trace, other), strict=True))
    judges = {"server": traces["client"], "client": traces["server"]}
    chains = []
    for whose in ("server", "client"):
        for crossing in found:
            message = crossing.message
            if message is None or crossing.sender != whose:
                continue
            if message.type in CERTIFICATES:
                ders = chain_of(message)
                if ders or whose == "server":
                    chains.append(_chain(whose, crossing.id, ders, judges[whose], trace))
    return TrustView("" if chains else _why_none(reader, trace), tuple(chains))


def _why_none(reader: Reader, trace: Trace) -> str:
    complete = any(fact.fields["what"] == "handshake complete" for fact in trace.of("state"))
    if not complete:
        return _NOTHING["early"]
    return _NOTHING["psk" if "PSK" in reader.key_exchange else "resumed"]


def _chain(whose: str, name: str, ders: tuple[bytes, ...], judge: Trace | None, trace: Trace) -> Chain:
    checks = list(judge.of("check")) if judge is not None else []
    verified = (
        next((fact.fields["certificates"] for fact in judge.of("path")), ()) if judge is not None else ()
    )
    path = [bytes(der) for der in verified] or list(ders)
    certificates = tuple(
        found
        for index, der in enumerate(path)
        if (found := _certificate(index, name, der, der in ders, _of(checks, index)))
    )
    loose = tuple(_check(fact) for fact in checks if (fact.fields.get("certificate") or 0) >= len(path))
    if not certificates:
        loose = tuple(map(_check, checks))
    verdict, why = _verdict(judge, checks, whose)
    return Chain(whose, trace.name or "" if whose == "server" else "", verdict, why, certificates, loose)


def _verdict(judge: Trace | None, checks: list[Fact], whose: str) -> tuple[str, str]:
    asker = "client" if whose == "server" else "server"
    if judge is None:
        return "unseen", f"The {asker} checks it on its side; that side's trace is not at hand."
    failed = [_check(fact) for fact in checks if not fact.fields["passed"]]
    if not checks:
        return "unseen", f"No check of the {asker} is in the trace."
    if failed and all(check.passed is None for check in failed):
        return "not checked", "Nobody verified this certificate."
    failed = [check for check in failed if check.passed is False]
    if failed:
        return "refused", failed[0].detail or failed[0].what
    return "believed", "Every check passed."


def _of(checks: list[Fact], index: int) -> tuple[Check, ...]:
    return tuple(_check(fact) for fact in checks if (fact.fields.get("certificate") or 0) == index)


def _check(fact: Fact) -> Check:
    what, detail = str(fact.fields["what"]), str(fact.fields.get("detail") or "")
    passed: bool | None = bool(fact.fields["passed"])
    if not passed and detail == "not checked":
        passed = None
    question, section = _QUESTIONS.get(what, ("", "RFC 5280 6.1"))
    return Check(what, question, passed, detail, section)


def _certificate(
    index: int, name: str, der: bytes, sent: bool, checks: tuple[Check, ...]
) -> Certificate | None:
    found = load(der)
    if found is None:
        return None
    try:
        start, end = found.not_valid_before_utc.isoformat(), found.not_valid_after_utc.isoformat()
        own = found.subject == found.issuer
        subject, issuer = name_text(found.subject), name_text(found.issuer)
    except ValueError:
        start = end = subject = issuer = "(unreadable)"
        own = False
    place = "leaf" if index == 0 else "root" if own else "intermediate"
    return Certificate(
        index, name, place, sent, subject, issuer, tuple(names_of(found)), f"{found.serial_number:x}",
        start, end, key_text(found), _signature(found), _usages(found), _is_authority(found),
        hashlib.sha256(der).hexdigest(), der, checks,
    )  # fmt: skip


def _signature(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except Exception:  # UnsupportedAlgorithm: a signature that the library does not know
        return certificate.signature_algorithm_oid.dotted_string
    name = certificate.signature_algorithm_oid._name
    return name if name != "Unknown OID" else (algorithm.name if algorithm else "unknown")


def _usages(certificate: x509.Certificate) -> tuple[str, ...]:
    """Extended key usages, by name."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        return ()
    return tuple(oid._name if oid._name != "Unknown OID" else oid.dotted_string for oid in usage)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        return False


def pem_of(certificate: Certificate) -> str:
    """A certificate of the view as PEM, for copying."""
    return (
        x509.load_der_x509_certificate(certificate.der)
        .public_bytes(serialization.Encoding.PEM)
        .decode("ascii")
    )
