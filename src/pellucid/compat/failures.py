"""From a named refusal to the exception that users of `ssl` expect, with our explanation inside.

There is no RFC for these names: they are OpenSSL's, whose numbers for received alerts are RFC 8446
section 6's plus 1000. Programs look at `args[0]`, `reason`, `verify_code` and `verify_message`;
people read the text, which ends in pellucid's own sentence. The `TLSError` is the `__cause__`.
"""

from __future__ import annotations

import ssl
from typing import Any

from pellucid.errors import CertificateRefused, ConnectionEnded, PeerRefused, Reason, TLSError, UsageError

# fmt: off
_ALERTS = {
    10: "SSLV3_ALERT_UNEXPECTED_MESSAGE", 20: "SSLV3_ALERT_BAD_RECORD_MAC",
    21: "TLSV1_ALERT_DECRYPTION_FAILED", 22: "TLSV1_ALERT_RECORD_OVERFLOW",
    30: "SSLV3_ALERT_DECOMPRESSION_FAILURE", 40: "SSLV3_ALERT_HANDSHAKE_FAILURE",
    41: "SSLV3_ALERT_NO_CERTIFICATE", 42: "SSLV3_ALERT_BAD_CERTIFICATE",
    43: "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", 44: "SSLV3_ALERT_CERTIFICATE_REVOKED",
    45: "SSLV3_ALERT_CERTIFICATE_EXPIRED", 46: "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    47: "SSLV3_ALERT_ILLEGAL_PARAMETER", 48: "TLSV1_ALERT_UNKNOWN_CA", 49: "TLSV1_ALERT_ACCESS_DENIED",
    50: "TLSV1_ALERT_DECODE_ERROR", 51: "TLSV1_ALERT_DECRYPT_ERROR",
    60: "TLSV1_ALERT_EXPORT_RESTRICTION", 70: "TLSV1_ALERT_PROTOCOL_VERSION",
    71: "TLSV1_ALERT_INSUFFICIENT_SECURITY", 80: "TLSV1_ALERT_INTERNAL_ERROR",
    86: "TLSV1_ALERT_INAPPROPRIATE_FALLBACK", 90: "TLSV1_ALERT_USER_CANCELLED",
    100: "TLSV1_ALERT_NO_RENEGOTIATION", 109: "TLSV13_ALERT_MISSING_EXTENSION",
    110: "TLSV1_UNSUPPORTED_EXTENSION", 111: "TLSV1_CERTIFICATE_UNOBTAINABLE",
    112: "TLSV1_UNRECOGNIZED_NAME", 113: "TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE",
    114: "TLSV1_BAD_CERTIFICATE_HASH_VALUE", 115: "TLSV1_ALERT_UNKNOWN_PSK_IDENTITY",
    116: "TLSV13_ALERT_CERTIFICATE_REQUIRED", 120: "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
}

_REASONS = {
    Reason.BAD_RECORD_MAC: "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    Reason.NOT_TLS: "WRONG_VERSION_NUMBER",
    Reason.PLAIN_SERVER: "WRONG_VERSION_NUMBER",
    Reason.WRONG_RECORD_VERSION: "WRONG_VERSION_NUMBER",
    Reason.SSLV2_HELLO: "WRONG_VERSION_NUMBER",
    Reason.VERSION_NOT_OFFERED: "WRONG_SSL_VERSION",
    Reason.NO_IDENTITY: "NO_SHARED_CIPHER",
    Reason.NO_COMMON_SIGNATURE_SCHEME: "NO_SUITABLE_SIGNATURE_ALGORITHM",
    Reason.NO_SHARED_GROUP: "NO_SUITABLE_GROUPS",
    Reason.CERTIFICATE_REQUIRED: "PEER_DID_NOT_RETURN_A_CERTIFICATE",
    Reason.CIPHERTEXT_OVERFLOW: "ENCRYPTED_LENGTH_TOO_LONG",
    Reason.RECORD_OVERFLOW: "DATA_LENGTH_TOO_LONG",
    Reason.BAD_FINISHED: "DIGEST_CHECK_FAILED",
    Reason.UNOFFERED_SIGNATURE_SCHEME: "WRONG_SIGNATURE_TYPE",
    Reason.INSECURE_RENEGOTIATION: "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
    Reason.EMPTY_FRAGMENT: "UNEXPECTED_MESSAGE",
    Reason.UNEXPECTED_RECORD: "UNEXPECTED_RECORD",
    Reason.DOWNGRADE_DETECTED: "INAPPROPRIATE_FALLBACK",
    Reason.UNKNOWN_PSK_IDENTITY: "PSK_IDENTITY_NOT_FOUND",
    Reason.BAD_BINDER: "BINDER_DOES_NOT_VERIFY",
}
# fmt: on

#: OpenSSL's numbers and words for what can be wrong with a chain (X509_V_ERR_*).
VERIFY_MESSAGES = {
    1: "unspecified certificate verification error",
    2: "unable to get issuer certificate",
    3: "unable to get certificate CRL",
    7: "certificate signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    23: "certificate revoked",
    25: "path length constraint exceeded",
    26: "unsuitable certificate purpose",
    47: "permitted subtree violation",
    66: "EE certificate key too weak",
    68: "CA signature digest algorithm too weak",
    79: "invalid CA certificate",
    83: "Issuer name empty",
    85: "Missing Authority Key Identifier",
    86: "Missing Subject Key Identifier",
    89: "Basic Constraints of CA cert not marked critical",
    90: "Authority Key Identifier marked critical",
    91: "Subject Key Identifier marked critical",
    92: "CA cert does not include key usage extension",
}

_VERIFY_CODES = {
    Reason.SELF_SIGNED: 18,
    Reason.UNKNOWN_CA: 20,
    Reason.CERTIFICATE_TAMPERED: 7,
    Reason.CERTIFICATE_NOT_YET_VALID: 9,
    Reason.CERTIFICATE_EXPIRED: 10,
    Reason.CERTIFICATE_REVOKED: 23,
    Reason.WRONG_EXTENDED_KEY_USAGE: 26,
    Reason.WRONG_KEY_USAGE: 26,
    Reason.CA_USED_AS_LEAF: 26,
    Reason.NAME_CONSTRAINTS: 47,
    Reason.WEAK_CERTIFICATE_KEY: 66,
    Reason.WEAK_CERTIFICATE_SIGNATURE: 68,
    Reason.NOT_A_CA: 79,
}


class VerificationFailed(CertificateRefused):
    """A refusal that knows OpenSSL's number and words for itself.

    Attributes:
        verify_code: X509_V_ERR_*.
        verify_message: its text.
    """

    def __init__(
        self, reason: Reason, detail: str, verify_code: int, verify_message: str | None = None
    ) -> None:
        super().__init__(reason, detail)
        self.verify_code = verify_code
        self.verify_message = verify_message or VERIFY_MESSAGES[verify_code]


def verify_code_of(error: CertificateRefused) -> tuple[int, str]:
    """OpenSSL's number and words for a refused chain."""
    if isinstance(error, VerificationFailed):
        return error.verify_code, error.verify_message
    code = _VERIFY_CODES.get(error.reason, 1)
    if error.reason is Reason.UNKNOWN_CA and "signed itself" in error.detail:
        code = 19
    return code, VERIFY_MESSAGES[code]


def reason_of(error: TLSError) -> str:
    """The name that OpenSSL has for this error."""
    if isinstance(error, PeerRefused):
        return _ALERTS.get(error.alert or 0, "UNKNOWN_ALERT_TYPE")
    return getattr(error, "openssl_name", None) or _REASONS.get(error.reason) or error.reason.name


def translate(error: TLSError) -> ssl.SSLError:
    """The exception of `ssl` that stands for `error`; raise it from `error`."""
    if isinstance(error, CertificateRefused):
        code, message = verify_code_of(error)
        text = f"certificate verify failed: {message}"
        found = build(ssl.SSLCertVerificationError, 1, "CERTIFICATE_VERIFY_FAILED", text, error)
        found.verify_code, found.verify_message = code, message  # type: ignore[attr-defined]
        return found
    if error.reason is Reason.PEER_CLOSED:
        return build(ssl.SSLZeroReturnError, 6, "ZERO_RETURN", "TLS/SSL connection has been closed", error)
    if isinstance(error, ConnectionEnded):
        return ragged_eof(error)
    if isinstance(error, UsageError) and error.reason is Reason.CLOSED:
        return build(ssl.SSLError, 1, "PROTOCOL_IS_SHUTDOWN", "protocol is shutdown", error)
    reason = reason_of(error)
    return build(ssl.SSLError, 1, reason, reason.lower().replace("_", " "), error)


def build(
    kind: type[ssl.SSLError], number: int, reason: str, text: str, cause: TLSError | None = None
) -> ssl.SSLError:
    """An exception as `_ssl.c` builds it: number, "[SSL: REASON] text", and the attributes."""
    said = f" (pellucid: {cause})" if cause is not None else " (pellucid)"
    found = kind(number, f"[SSL: {reason}] {text}{said}")
    found.library = "SSL"
    found.reason = reason
    found.tls_error = cause  # type: ignore[attr-defined]
    found.__cause__ = cause
    if cause is not None and cause.reason.way_out and "--" not in cause.reason.way_out:  # the command's flags
        found.add_note(f"pellucid: {cause.reason.way_out}")
    return found


def ragged_eof(cause: TLSError | None = None) -> ssl.SSLError:
    """The line ended without close_notify (RFC 8446 section 6.1)."""
    return build(
        ssl.SSLEOFError, 8, "UNEXPECTED_EOF_WHILE_READING", "EOF occurred in violation of protocol", cause
    )


def want_read() -> ssl.SSLWantReadError:
    """The operation needs bytes that are not here yet."""
    found = ssl.SSLWantReadError(2, "The operation did not complete (read)")
    found.library = found.reason = None  # type: ignore[assignment]
    return found


def want_write() -> ssl.SSLWantWriteError:
    """The network does not take more for now."""
    found = ssl.SSLWantWriteError(3, "The operation did not complete (write)")
    found.library = found.reason = None  # type: ignore[assignment]
    return found


def closed() -> ssl.SSLZeroReturnError:
    """Both sides have sent close_notify (RFC 8446 section 6.1)."""
    found = ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)")
    found.library = found.reason = None  # type: ignore[assignment]
    return found


def plain(text: str, reason: str | None = None, number: int = 1, **attributes: Any) -> ssl.SSLError:
    """An `SSLError` that no connection caused: a wrong use of the interface."""
    found = ssl.SSLError(number, text)
    found.library = None if reason is None else "SSL"  # type: ignore[assignment]
    found.reason = reason  # type: ignore[assignment]
    for name, value in attributes.items():
        setattr(found, name, value)
    return found
