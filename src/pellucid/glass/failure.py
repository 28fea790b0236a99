"""What an error means, in three parts: what happened, why, and what to do.

RFC 8446 section 6.2 and RFC 5246 section 7.2.2 say what each alert stands for; the advice is what
that alert has been seen to mean in the world.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, NamedTuple

from pellucid.errors import CertificateRefused, PeerRefused, Reason, TLSError, UsageError
from pellucid.glass.decode import Reader, version_name
from pellucid.glass.show import listing
from pellucid.glass.trace import Trace
from pellucid.wire.codepoints import Alert, CipherSuite, NamedGroup, SignatureScheme


class Failure(NamedTuple):
    """An error in three parts. `reason` is its short name, for programs."""

    reason: str
    what: str
    why: str
    todo: str


#: What a peer that sends this alert usually means, and what helps: (why, what to do).
ALERTS: dict[int, tuple[str, str]] = {
    Alert.handshake_failure: (
        "Nothing that was offered is acceptable there: no cipher suite, group or signature scheme in common,"
        " or it wants a client certificate.",
        "Compare what was offered with what the peer allows; --policy, --suites, --groups widen the offer.",
    ),
    Alert.protocol_version: (
        "It does not speak any protocol version that was offered.",
        "Offer others with --tls; if it only knows TLS 1.1 or older, it has to be updated.",
    ),
    Alert.insufficient_security: (
        "It asks for stronger parameters than were offered.",
        "Offer stronger suites or groups.",
    ),
    Alert.bad_certificate: (
        "It could not read, or does not accept, the certificate it was shown.",
        "Check the chain with: pellucid cert show FILE",
    ),
    Alert.unsupported_certificate: (
        "It does not accept certificates of this kind.",
        "Use a certificate with another type of key, or with the right extended key usage.",
    ),
    Alert.certificate_revoked: ("The certificate it was shown was revoked.", "Get a new certificate."),
    Alert.certificate_expired: (
        "The certificate it was shown has expired, or is not valid yet.",
        "Renew the certificate; look at both machines' clocks.",
    ),
    Alert.certificate_unknown: (
        "It did not accept the certificate it was shown, and does not say why.",
        "Does it trust the authority? Does the name fit? Its own log says more.",
    ),
    Alert.unknown_ca: (
        "It does not know the authority that issued the certificate it was shown.",
        "Give the peer the authority's certificate, or send the missing intermediates along.",
    ),
    Alert.certificate_required: (
        "It wants a client certificate, and none was sent.",
        "Give one with --cert and --key.",
    ),
    Alert.access_denied: (
        "The certificate is valid, but its owner may not come in.",
        "Ask who runs the peer.",
    ),
    Alert.unrecognized_name: (
        "It serves no site of the name that was asked for.",
        "Check the host name, or name another one with --server-name.",
    ),
    Alert.no_application_protocol: (
        "It speaks none of the application protocols that were offered.",
        "Offer others with --alpn, or none.",
    ),
    Alert.decrypt_error: (
        "A signature or Finished that it received was wrong: the two sides saw different messages.",
        "Something between the two changes the messages, or one side has a bug.",
    ),
    Alert.decode_error: (
        "It could not read a message.",
        "One side has a bug; a trace of the connection shows the message.",
    ),
    Alert.illegal_parameter: (
        "A field of a message held a value that it does not accept.",
        "One side has a bug; a trace of the connection shows the message.",
    ),
    Alert.unexpected_message: (
        "A message came that it did not expect at that point.",
        "Is it speaking TLS on this port from the first byte? Some protocols begin with STARTTLS.",
    ),
    Alert.bad_record_mac: (
        "A record did not decrypt: it was changed on the way, or the keys differ.",
        "Look for a middlebox or a broken network device in between.",
    ),
    Alert.record_overflow: ("A record was longer than allowed.", "One side has a bug."),
    Alert.internal_error: (
        "It failed for a reason of its own.",
        "Its log says more. Some servers also send this when they have no certificate for the name.",
    ),
    Alert.inappropriate_fallback: (
        "The client fell back to an old version although the server knows a newer one.",
        "Offer the newest version again.",
    ),
    Alert.missing_extension: (
        "A message lacked an extension that it needs.",
        "Offer the default parameters.",
    ),
    Alert.unknown_psk_identity: (
        "It does not know the pre-shared key.",
        "Check the key's identity on both sides.",
    ),
    Alert.user_canceled: ("Somebody there cancelled the handshake.", "Try again."),
    Alert.no_renegotiation: ("It does not renegotiate.", "Make a new connection."),
    Alert.ech_required: (
        "It could not decrypt the encrypted ClientHello.",
        "Fetch its ECH configuration again.",
    ),
}

#: What a browser (Chromium) says on its warning page for the same fault.
BROWSER: dict[Reason, str] = {
    Reason.SELF_SIGNED: "NET::ERR_CERT_AUTHORITY_INVALID",
    Reason.UNKNOWN_CA: "NET::ERR_CERT_AUTHORITY_INVALID",
    Reason.NOT_A_CA: "NET::ERR_CERT_AUTHORITY_INVALID",
    Reason.CERTIFICATE_EXPIRED: "NET::ERR_CERT_DATE_INVALID",
    Reason.CERTIFICATE_NOT_YET_VALID: "NET::ERR_CERT_DATE_INVALID",
    Reason.WRONG_HOST_NAME: "NET::ERR_CERT_COMMON_NAME_INVALID",
    Reason.CERTIFICATE_TAMPERED: "NET::ERR_CERT_INVALID",
    Reason.CA_USED_AS_LEAF: "NET::ERR_CERT_INVALID",
    Reason.WRONG_KEY_USAGE: "ERR_SSL_KEY_USAGE_INCOMPATIBLE",
    Reason.WRONG_EXTENDED_KEY_USAGE: "NET::ERR_CERT_INVALID",
    Reason.WEAK_CERTIFICATE_KEY: "NET::ERR_CERT_WEAK_KEY",
    Reason.WEAK_CERTIFICATE_SIGNATURE: "NET::ERR_CERT_WEAK_SIGNATURE_ALGORITHM",
    Reason.NAME_CONSTRAINTS: "NET::ERR_CERT_NAME_CONSTRAINT_VIOLATION",
    Reason.CERTIFICATE_REVOKED: "NET::ERR_CERT_REVOKED",
    Reason.CERTIFICATE_INVALID: "NET::ERR_CERT_INVALID",
    Reason.BAD_CERTIFICATE: "NET::ERR_CERT_INVALID",
}

_NAMED = {"cipher_suite": CipherSuite, "group": NamedGroup, "signature_scheme": SignatureScheme}
_DECISION_OF = {
    Reason.UNSUPPORTED_PROTOCOL: "version",
    Reason.NO_SHARED_CIPHER: "cipher_suite",
    Reason.NO_SHARED_GROUP: "group",
    Reason.NO_COMMON_SIGNATURE_SCHEME: "signature_scheme",
    Reason.NO_APPLICATION_PROTOCOL: "alpn",
    Reason.UNRECOGNIZED_NAME: "certificate",
}


def explain(error: BaseException, trace: Trace | None = None) -> Failure:
    """What happened, why, and what to do. `trace` adds what was offered and what was acceptable.

    >>> from pellucid.errors import PeerMisbehaved
    >>> explain(PeerMisbehaved(Reason.HTTP_REQUEST)).todo
    'Use https:// in the address.'
    """
    if isinstance(error, PeerRefused):
        return _peer_refused(error, trace)
    if isinstance(error, TLSError):
        return _refused(error, trace)
    if isinstance(error, OSError):
        return _network(error)
    return Failure(
        Reason.INTERNAL.label,
        "pellucid made a mistake.",
        f"{type(error).__name__}: {error}",
        "Please report it, with the command that you ran. PELLUCID_TRACEBACK=1 shows where it happened.",
    )


def _refused(error: TLSError, trace: Trace | None) -> Failure:
    reason = error.reason
    what = reason.sentence
    why = _sentence(error.detail)
    if trace is not None:
        why = " ".join(filter(None, [why, _offered(reason, trace), _where(trace)]))
    told = ""
    if error.alert is not None and trace is not None and any(fact.sent for fact in trace.of("alert")):
        told = f"The peer was told so with the alert {Alert.name_of(int(error.alert), 2)}."
    rule = "" if reason.section == "-" else f"The rule: {reason.section}."
    browser = (
        f'A browser warns "Your connection is not private" ({BROWSER[reason]}).' if _warns(error) else ""
    )
    why = " ".join(filter(None, [why, told, browser, rule])) or "Nothing more is known."
    return Failure(reason.label, what, why, reason.way_out or _way_out(error))


def _warns(error: TLSError) -> bool:
    return isinstance(error, CertificateRefused) and error.reason in BROWSER


def _peer_refused(error: PeerRefused, trace: Trace | None) -> Failure:
    alert = int(error.alert or 0)
    why, todo = ALERTS.get(alert, ("It gives no more than the alert's name.", "The peer's log may say more."))
    where = _where(trace) if trace is not None else ""
    what = f"The peer refused the connection with the alert {Alert.name_of(alert, 2)} ({alert})."
    return Failure(error.reason.label, what, " ".join(filter(None, [why, where])), todo)


def _way_out(error: TLSError) -> str:
    if isinstance(error, CertificateRefused):
        return "Do not send it anything secret. --insecure goes on without this check."
    if isinstance(error, UsageError):
        return "See: pellucid COMMAND --help"
    return "The peer has a bug, or something between the two changes the bytes. Keep a trace: --record FILE"


def _network(error: OSError) -> Failure:
    where = f"{error.filename}: " if getattr(error, "filename", None) else ""
    if isinstance(error, socket.gaierror):
        return Failure(
            "name-not-found", "The host name could not be resolved.", _sentence(str(error.args[-1])),
            "Check the spelling, and that this machine has a resolver.",
        )  # fmt: skip
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return Failure(
            Reason.TIMEOUT.label, "The peer did not answer in time.", _sentence(str(error)),
            "Is it up, and is a firewall in between? --timeout SECONDS waits longer.",
        )  # fmt: skip
    if isinstance(error, ConnectionRefusedError):
        return Failure(
            "connection-refused", "Nothing listens there.", _sentence(error.strerror or str(error)),
            "Check the port, and that the server runs.",
        )  # fmt: skip
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return Failure(
            "connection-reset", "The peer dropped the connection without a word.",
            _sentence(error.strerror or str(error)),
            "A firewall may have cut it, or the peer does not speak TLS on this port.",
        )  # fmt: skip
    if error.errno == errno.EADDRINUSE:
        return Failure(
            "address-in-use", "Another program listens on that port.", _sentence(error.strerror or ""),
            "Choose another port, or 0 for a free one.",
        )  # fmt: skip
    if isinstance(error, PermissionError) and not where:
        return Failure(
            "permission", "The system does not allow it.", _sentence(error.strerror or str(error)),
            "Ports below 1024 need privileges; choose a higher one.",
        )  # fmt: skip
    return Failure(
        "network", "The network failed.", _sentence(where + (error.strerror or str(error))),
        "Check the address and the connection.",
    )  # fmt: skip


def _offered(reason: Reason, trace: Trace) -> str:
    """What was offered against what was acceptable, where the reason is about a choice."""
    what = _DECISION_OF.get(reason)
    decision = trace.decision(what) if what else None
    if decision is None:
        return ""
    offered = _names(what or "", decision.fields.get("offered") or ())
    acceptable = _names(what or "", decision.fields.get("acceptable") or ())
    return f"Offered: {offered}. Acceptable here: {acceptable}."


def _names(what: str, values: Any) -> str:
    registry = _NAMED.get(what)
    if what == "version":
        return listing([version_name(v) for v in values]) or "nothing"
    if registry is not None:
        return listing([registry.name_of(v) for v in values]) or "nothing"
    return (
        listing([v.decode("ascii", "replace") if isinstance(v, bytes) else str(v) for v in values])
        or "nothing"
    )


def _where(trace: Trace) -> str:
    """The last message that went before the end."""
    reader = Reader(trace)
    last = None
    for fact in trace.of("message"):
        last = fact
    if last is None:
        return "No handshake message had been read or sent."
    message = reader.message(last)
    return f"The last message was the {message.sender}'s {message.name}."


def _sentence(text: str) -> str:
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
