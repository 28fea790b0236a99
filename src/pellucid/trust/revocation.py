"""Revocation: stapled OCSP responses, must-staple, and CRLs.

RFC 6960 (OCSP), RFC 6066 section 8 (the staple), RFC 7633 (must-staple), RFC 5280 sections 5 and
6.3 (CRLs). Nothing is fetched: what is judged is what the server sent along and what the user gave.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from pellucid.errors import Reason, UsageError
from pellucid.limits import MAX_CLOCK_SKEW, MAX_OCSP_RESPONSE
from pellucid.trust.der import public_key_bits
from pellucid.trust.loading import Source, read
from pellucid.trust.path import check_signature, title
from pellucid.trust.profile import Check, Fault, key_fault, public_key_of

CRL = x509.CertificateRevocationList

_STATUS_REQUEST = x509.TLSFeatureType.status_request
_SKEW = timedelta(seconds=MAX_CLOCK_SKEW)
_HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


def check(
    path: Sequence[x509.Certificate],
    now: float,
    staple: bytes | None,
    stapling_asked: bool,
    crls: Sequence[CRL],
) -> tuple[Check, ...]:
    """Everything about revocation that can be known from what is at hand.

    Args:
        path: the verified path, leaf to anchor.
        now: seconds since 1970.
        staple: the OCSP response in DER that the server sent for the leaf, or None.
        stapling_asked: whether a must-staple leaf without a staple is refused.
        crls: lists that the user gave.
    """
    moment = datetime.fromtimestamp(int(now), UTC)
    checks = []
    if stapling_asked and staple is None and must_staple(path[0]):
        why = "the certificate promises an OCSP response (RFC 7633), and the server sent none"
        checks.append(Check("stapled OCSP response", False, why, 0, Reason.MISSING_OCSP_RESPONSE))
    if staple is not None:
        fault = staple_fault(staple, path, moment)
        good = "its authority says that it was not revoked"
        checks.append(_as_check("stapled OCSP response", fault, good, 0))
    if crls:
        for index, certificate in enumerate(path[:-1]):
            fault = crl_fault(crls, certificate, path[index + 1], moment)
            checks.append(_as_check("revocation list", fault, "no list of its authority names it", index))
    return tuple(checks)


def must_staple(leaf: x509.Certificate) -> bool:
    """Whether the certificate promises an OCSP response in every handshake (RFC 7633 4.2.3.1)."""
    try:
        feature = leaf.extensions.get_extension_for_class(x509.TLSFeature).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return _STATUS_REQUEST in feature


# -- OCSP ------------------------------------------------------------------------------------------


def staple_fault(staple: bytes, path: Sequence[x509.Certificate], moment: datetime) -> Fault | None:
    """What is wrong with a stapled response, or that it says "revoked"; None if all is well.

    RFC 6960 3.2: the response is for this certificate, signed by its issuer or by a responder that
    the issuer named, and is recent. Among several answers for the certificate, "revoked" counts.
    """
    if len(staple) > MAX_OCSP_RESPONSE:
        return _bad(f"it has {len(staple)} bytes, and {MAX_OCSP_RESPONSE} are the most")
    try:
        return _response_fault(staple, path, moment)
    except Exception as error:  # ValueError, UnsupportedAlgorithm, TypeError: lazily parsed fields
        return _bad(f"it could not be read: {error}")


def _response_fault(staple: bytes, path: Sequence[x509.Certificate], moment: datetime) -> Fault | None:
    response = ocsp.load_der_ocsp_response(staple)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return _bad(f"the authority answered {response.response_status.name.lower().replace('_', ' ')}")
    leaf = path[0]
    issuer = path[1] if len(path) > 1 else leaf  # a pinned leaf: only one that signed itself can answer
    answers = [each for each in response.responses if _is_about(each, leaf, issuer)]
    if not answers:
        return _bad("it is for another certificate")
    fault = _signer_fault(response, issuer, moment)
    if fault is not None:
        return fault
    if any(each.critical for each in response.extensions):
        return _bad("it has a critical extension that is not understood here")
    # A revoked answer counts even when it is old, and wherever it stands in the list.
    for answer in answers:
        if answer.certificate_status is ocsp.OCSPCertStatus.REVOKED:
            when = answer.revocation_time_utc
            why = f" ({answer.revocation_reason.name.replace('_', ' ')})" if answer.revocation_reason else ""
            day = f" on {when:%Y-%m-%d}" if when else ""
            return Fault(Reason.CERTIFICATE_REVOKED, f"{title(leaf)!r} was revoked{day}{why}")
    wrong = [_time_fault(answer, moment) for answer in answers]
    current = [answer for answer, why in zip(answers, wrong, strict=True) if not why]
    if not current:
        return _bad(wrong[0])
    if all(answer.certificate_status is not ocsp.OCSPCertStatus.GOOD for answer in current):
        return _bad("the authority does not know the certificate")
    return None


def _is_about(answer: Any, leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    """RFC 6960 4.1.1: the CertID holds hashes of the issuer's name and key, and the serial number."""
    digest = _HASHES.get(answer.hash_algorithm.name)
    if digest is None or answer.serial_number != leaf.serial_number:
        return False
    name = digest(leaf.issuer.public_bytes()).digest()
    key = digest(public_key_bits(issuer.tbs_certificate_bytes)).digest()
    return bool(answer.issuer_name_hash == name and answer.issuer_key_hash == key)


def _signer_fault(response: Any, issuer: x509.Certificate, moment: datetime) -> Fault | None:
    """RFC 6960 4.2.2.2: the issuer signed, or a responder that the issuer itself certified for it."""
    if _is_responder(response, issuer) and _signed(response, issuer):
        return None
    whys = []
    for responder in response.certificates[:8]:
        if _is_responder(response, responder):
            why = _delegate_fault(responder, issuer, moment)
            if not why and _signed(response, responder):
                return None
            whys.append(why or "its signature is wrong")
    return _bad(whys[0] if whys else "its signature is not its issuer's, nor of a responder it named")


def _delegate_fault(responder: x509.Certificate, issuer: x509.Certificate, moment: datetime) -> str:
    """Why a certificate may not sign OCSP responses in the issuer's place; empty if it may."""
    if responder.issuer != issuer.subject or check_signature(responder, issuer) != "good":
        return "its responder was not named by the certificate's own issuer"
    try:
        purposes = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "its responder may not sign OCSP responses"
    if ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:  # the very usage: anyExtendedKeyUsage is not it
        return "its responder may not sign OCSP responses"
    try:
        usage = responder.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.digital_signature:
            return "its responder's key may not sign"
    except x509.ExtensionNotFound:
        pass
    if not responder.not_valid_before_utc <= moment <= responder.not_valid_after_utc:
        return "its responder's certificate is not valid at this time"
    key = public_key_of(responder)
    fault = key if isinstance(key, Fault) else key_fault(key, "rfc5280")
    return "" if fault is None else f"of its responder, {fault.detail}"


def _is_responder(response: Any, certificate: x509.Certificate) -> bool:
    """Whether the response's ResponderID, a name or a SHA-1 of a key, is this certificate."""
    if response.responder_name is not None:
        return bool(response.responder_name == certificate.subject)
    digest = hashlib.sha1(public_key_bits(certificate.tbs_certificate_bytes)).digest()
    return bool(response.responder_key_hash == digest)


def _signed(response: Any, certificate: x509.Certificate) -> bool:
    """Whether this certificate's key signed the response, by a hash that is still believed."""
    key: Any = public_key_of(certificate)
    digest = response.signature_hash_algorithm
    if digest is not None and digest.digest_size < 32:  # SHA-1 and MD5
        return False
    signature, data = response.signature, response.tbs_response_bytes
    try:
        if isinstance(key, EllipticCurvePublicKey):
            key.verify(signature, data, ECDSA(digest))
        elif isinstance(key, RSAPublicKey):
            key.verify(signature, data, PKCS1v15(), digest)
        else:
            key.verify(signature, data)
    except Exception:  # InvalidSignature; a Fault has no verify()
        return False
    return True


def _time_fault(answer: Any, moment: datetime) -> str:
    """RFC 6960 3.2 (5), (6) and 4.2.2.1; an answer without nextUpdate is always out of date as a staple."""
    begin, end = answer.this_update_utc, answer.next_update_utc
    if begin - _SKEW > moment:
        return f"it is from the future ({begin:%Y-%m-%d %H:%M} UTC)"
    if end is None:
        end = begin + timedelta(days=7)  # newer information may be had at any time; Chrome takes a week
    if end + _SKEW < moment:
        return f"it was good until {end:%Y-%m-%d %H:%M} UTC only"
    return ""


def _bad(why: str) -> Fault:
    return Fault(Reason.BAD_OCSP_RESPONSE, why)


# -- CRLs ------------------------------------------------------------------------------------------


def load_crls(sources: Iterable[Source | CRL] | Source | CRL) -> tuple[CRL, ...]:
    """Certificate revocation lists from PEM (several in one file), DER, or objects.

    Raises:
        UsageError: one cannot be read (`Reason.BAD_KEY_FILE`).
    """
    if isinstance(sources, (bytes, str, CRL)) or hasattr(sources, "__fspath__"):
        sources = [sources]  # type: ignore[list-item]
    found: list[CRL] = []
    for source in sources:
        if isinstance(source, CRL):
            found.append(source)
            continue
        data = read(source, "revocation list")
        end = b"-----END X509 CRL-----"
        try:
            if end in data:
                found += [x509.load_pem_x509_crl(piece + end) for piece in data.split(end)[:-1]]
            else:
                found.append(x509.load_der_x509_crl(data))
        except ValueError as error:
            raise UsageError(Reason.BAD_KEY_FILE, f"no revocation list could be read: {error}") from error
    return tuple(found)


def crl_fault(
    crls: Sequence[CRL], certificate: x509.Certificate, issuer: x509.Certificate, moment: datetime
) -> Fault | None:
    """Whether a list of the certificate's issuer names it, or such a list cannot be relied on.

    A certificate whose issuer has no list here is not refused. A list that is out of date, or with
    critical extensions that are not understood, still revokes what it names, and otherwise it is
    refused to be relied on: a list that the user gave must not be ignored in silence.
    """
    doubt: Fault | None = None
    for crl in crls:
        if crl.issuer != certificate.issuer:
            continue
        try:
            fault = _one_crl_fault(crl, certificate, issuer, moment)
        except Exception as error:  # lazily parsed fields
            fault = Fault(Reason.CERTIFICATE_INVALID, f"a revocation list could not be read: {error}")
        if fault is not None and fault.reason is Reason.CERTIFICATE_REVOKED:
            return fault
        doubt = doubt or fault
    return doubt


def _one_crl_fault(
    crl: CRL, certificate: x509.Certificate, issuer: x509.Certificate, moment: datetime
) -> Fault | None:
    whose = f"the revocation list of {title(issuer)!r}"
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.crl_sign:  # RFC 5280 6.3.3 (f)
            return Fault(Reason.CERTIFICATE_INVALID, f"{whose}: its key may not sign such lists")
    except x509.ExtensionNotFound:
        pass
    key: Any = public_key_of(issuer)
    if isinstance(key, Fault) or not crl.is_signature_valid(key):
        return Fault(Reason.CERTIFICATE_INVALID, f"{whose} is not signed by it")
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is not None:
        when = f"{entry.revocation_date_utc:%Y-%m-%d}"
        return Fault(Reason.CERTIFICATE_REVOKED, f"{title(certificate)!r} was revoked on {when}")
    if crl.last_update_utc > moment + _SKEW:
        return Fault(Reason.CERTIFICATE_INVALID, f"{whose} is from the future")
    if crl.next_update_utc is not None and crl.next_update_utc < moment:
        return Fault(Reason.CERTIFICATE_INVALID, f"{whose} is out of date")
    for extension in crl.extensions:
        if extension.critical or extension.oid == ExtensionOID.DELTA_CRL_INDICATOR:
            name = extension.oid.dotted_string
            return Fault(Reason.CERTIFICATE_INVALID, f"{whose} is only about some certificates ({name})")
    return None


def _as_check(what: str, fault: Fault | None, good: str, index: int) -> Check:
    if fault is None:
        return Check(what, True, good, index)
    return Check(what, False, fault.detail, index, fault.reason)
