"""Every way a connection can be refused, by name.

RFC 8446 section 6 (alerts), RFC 5246 section 7.2. One `Reason` for each way in which the peer,
the network, or the caller can be wrong. A reason carries the alert that tells the peer, the RFC
section that says so, one human sentence, and, where there is one, the way out. An error that
leaves pellucid is always a `TLSError` with a reason; nothing returns a bool that could be ignored.
"""

from __future__ import annotations

from enum import Enum
from typing import NoReturn, Self

from pellucid.wire.codepoints import Alert

_NONE = ""


class Reason(Enum):
    """Why a connection was refused. Value: (name, alert, RFC section, sentence, way out).

    >>> Reason.UNEXPECTED_MESSAGE.alert
    <Alert.unexpected_message: 10>
    >>> Reason.UNEXPECTED_MESSAGE.section
    'RFC 8446 4'
    """

    def __init__(
        self, label: str, alert: Alert | None, section: str, sentence: str, way_out: str = _NONE
    ) -> None:
        self.label = label
        self.alert = alert
        self.section = section
        self.sentence = sentence
        self.way_out = way_out

    # fmt: off
    # ruff: noqa: E501
    # -- bytes that cannot be read -------------------------------------------------------------
    DECODE_ERROR = ("decode-error", Alert.decode_error, "RFC 8446 6.2", "A message could not be read: a length or a value in it is out of range.")
    TRAILING_DATA = ("trailing-data", Alert.decode_error, "RFC 8446 6.2", "A message goes on after its last field.")
    ERROR_PARSING_EXTENSION = ("error-parsing-extension", Alert.decode_error, "RFC 8446 4.2", "An extension's content could not be read.")
    DUPLICATE_EXTENSION = ("duplicate-extension", Alert.illegal_parameter, "RFC 8446 4.2", "The same extension stands twice in one message.")
    # -- records -------------------------------------------------------------------------------
    NOT_TLS = ("not-tls", Alert.unexpected_message, "RFC 8446 5.1", "The first bytes are no TLS record.", "Is the peer speaking TLS on this port at all?")
    HTTP_REQUEST = ("http-request", Alert.unexpected_message, "RFC 8446 5.1", "A plain HTTP request arrived where a TLS record was due.", "Use https:// in the address.")
    HTTPS_PROXY_REQUEST = ("https-proxy-request", Alert.unexpected_message, "RFC 8446 5.1", "An HTTP CONNECT request arrived where a TLS record was due.", "The client takes this server for a proxy.")
    PLAIN_SERVER = ("plain-server", Alert.unexpected_message, "RFC 8446 5.1", "The server answered in clear text, not in TLS.", "The port speaks a plain protocol; try the TLS port or STARTTLS.")
    SSLV2_HELLO = ("sslv2-hello", Alert.protocol_version, "RFC 6176 3", "An SSL 2.0 ClientHello arrived.", "SSL 2.0 is not spoken here.")
    WRONG_RECORD_VERSION = ("wrong-record-version", Alert.protocol_version, "RFC 8446 5.1", "The record's version field is impossible.")
    UNEXPECTED_RECORD = ("unexpected-record", Alert.unexpected_message, "RFC 8446 5", "A record of this type is not allowed here.")
    INVALID_OUTER_RECORD_TYPE = ("invalid-outer-record-type", Alert.unexpected_message, "RFC 8446 5.2", "An encrypted record must look like application data from outside.")
    RECORD_OVERFLOW = ("record-overflow", Alert.record_overflow, "RFC 8446 5.1", "A record's plaintext is longer than allowed.")
    CIPHERTEXT_OVERFLOW = ("ciphertext-overflow", Alert.record_overflow, "RFC 8446 5.2", "A protected record is longer than allowed.")
    BAD_RECORD_MAC = ("bad-record-mac", Alert.bad_record_mac, "RFC 8446 5.2", "A record did not decrypt: it was changed on the way, or the keys differ.")
    EMPTY_FRAGMENT = ("empty-fragment", Alert.unexpected_message, "RFC 8446 5.1", "A handshake or alert record is empty.")
    NO_CONTENT_TYPE = ("no-content-type", Alert.unexpected_message, "RFC 8446 5.4", "A decrypted record holds padding only, no content type.")
    TOO_MANY_EMPTY_RECORDS = ("too-many-empty-records", Alert.unexpected_message, "RFC 8446 5.1", "The peer sent more empty records in a row than anyone needs.")
    TOO_MANY_WARNING_ALERTS = ("too-many-warning-alerts", Alert.unexpected_message, "RFC 5246 7.2", "The peer sent more warning alerts than anyone needs.")
    TOO_MANY_KEY_UPDATES = ("too-many-key-updates", Alert.unexpected_message, "RFC 8446 4.6.3", "The peer changes its keys again and again without sending data.")
    BAD_KEY_UPDATE = ("bad-key-update", Alert.illegal_parameter, "RFC 8446 4.6.3", "A KeyUpdate that is neither a request nor an answer.")
    TOO_MANY_CHANGE_CIPHER_SPECS = ("too-many-change-cipher-specs", Alert.unexpected_message, "RFC 8446 5", "The peer sent more ChangeCipherSpec records than anyone needs.")
    TOO_MANY_HELLO_REQUESTS = ("too-many-hello-requests", Alert.unexpected_message, "RFC 5246 7.4.1.1", "The peer asks for renegotiation again and again.")
    TOO_MANY_TICKETS = ("too-many-tickets", Alert.unexpected_message, "RFC 8446 4.6.1", "The peer sends more session tickets than anyone needs.")
    BAD_CHANGE_CIPHER_SPEC = ("bad-change-cipher-spec", Alert.unexpected_message, "RFC 8446 5", "A ChangeCipherSpec record must hold the single byte 1.")
    UNEXPECTED_CHANGE_CIPHER_SPEC = ("unexpected-change-cipher-spec", Alert.unexpected_message, "RFC 8446 5", "A ChangeCipherSpec arrived at a point where none may stand.")
    EXCESS_HANDSHAKE_DATA = ("excess-handshake-data", Alert.unexpected_message, "RFC 8446 5.1", "Handshake bytes are left over in front of a key change.")
    INTERLEAVED_HANDSHAKE = ("interleaved-handshake", Alert.unexpected_message, "RFC 8446 5.1", "Another record stands in the middle of a fragmented handshake message.")
    SEQUENCE_OVERFLOW = ("sequence-overflow", Alert.internal_error, "RFC 8446 5.3", "The keys have protected as many records as they may.")
    BAD_ALERT = ("bad-alert", Alert.decode_error, "RFC 8446 6", "An alert that cannot be read.")
    UNKNOWN_ALERT_LEVEL = ("unknown-alert-level", Alert.illegal_parameter, "RFC 8446 6", "An alert of an unknown level.")
    # -- messages ------------------------------------------------------------------------------
    UNEXPECTED_MESSAGE = ("unexpected-message", Alert.unexpected_message, "RFC 8446 4", "This handshake message is not allowed at this point.")
    MESSAGE_TOO_LONG = ("message-too-long", Alert.illegal_parameter, "RFC 8446 4", "A handshake message is longer than the limit.")
    UNEXPECTED_EXTENSION = ("unexpected-extension", Alert.unsupported_extension, "RFC 8446 4.2", "The peer answers an extension that was not offered.")
    EXTENSION_NOT_ALLOWED = ("extension-not-allowed", Alert.illegal_parameter, "RFC 8446 4.2", "This extension may not stand in this message.")
    MISSING_EXTENSION = ("missing-extension", Alert.missing_extension, "RFC 8446 9.2", "An extension that must be there is missing.")
    # -- version -------------------------------------------------------------------------------
    UNSUPPORTED_PROTOCOL = ("unsupported-protocol", Alert.protocol_version, "RFC 8446 4.2.1", "There is no protocol version that both sides allow.", "One side is too old; update it, or widen the policy's versions.")
    DOWNGRADE_DETECTED = ("downgrade-detected", Alert.illegal_parameter, "RFC 8446 4.1.3", "The server's random says that it knows a later version: someone made the two speak an older one.")
    INAPPROPRIATE_FALLBACK = ("inappropriate-fallback", Alert.inappropriate_fallback, "RFC 7507 3", "The client fell back to an old version although the server knows a newer one.")
    VERSION_NOT_OFFERED = ("version-not-offered", Alert.illegal_parameter, "RFC 8446 4.2.1", "The server chose a version that was not offered.")
    BAD_LEGACY_VERSION = ("bad-legacy-version", Alert.illegal_parameter, "RFC 8446 4.1.3", "The legacy version field is not TLS 1.2's.")
    # -- hellos --------------------------------------------------------------------------------
    NO_SHARED_CIPHER = ("no-shared-cipher", Alert.handshake_failure, "RFC 8446 4.1.1", "There is no cipher suite that both sides allow.", "Compare the two lists; old peers may need a policy from legacy.")
    WRONG_CIPHER_RETURNED = ("wrong-cipher-returned", Alert.illegal_parameter, "RFC 8446 4.1.3", "The server chose a cipher suite that was not offered or does not fit.")
    BAD_COMPRESSION_LIST = ("bad-compression-list", Alert.illegal_parameter, "RFC 8446 4.1.2", "The list of compression methods is not the single null method.")
    UNSUPPORTED_COMPRESSION = ("unsupported-compression", Alert.illegal_parameter, "RFC 8446 4.1.3", "The server chose a compression method; none but null may be.")
    BAD_SESSION_ID_ECHO = ("bad-session-id-echo", Alert.illegal_parameter, "RFC 8446 4.1.3", "The server did not echo the session id.")
    NO_SHARED_GROUP = ("no-shared-group", Alert.handshake_failure, "RFC 8446 4.1.1", "There is no key exchange group that both sides allow.")
    WRONG_CURVE = ("wrong-curve", Alert.illegal_parameter, "RFC 8446 4.2.8", "The peer chose a group that was not offered.")
    MISSING_KEY_SHARE = ("missing-key-share", Alert.missing_extension, "RFC 8446 9.2", "The key share is missing.")
    DUPLICATE_KEY_SHARE = ("duplicate-key-share", Alert.illegal_parameter, "RFC 8446 4.2.8", "Two key shares for the same group.")
    UNOFFERED_KEY_SHARE_GROUP = ("unoffered-key-share-group", Alert.illegal_parameter, "RFC 8446 4.2.8", "A key share for a group that supported_groups does not name.")
    BAD_KEY_SHARE = ("bad-key-share", Alert.illegal_parameter, "RFC 8446 4.2.8.2", "A key share is no valid public key of its group.")
    BAD_EC_POINT_FORMAT = ("bad-ec-point-format", Alert.illegal_parameter, "RFC 8422 5.1.2", "The uncompressed point format is missing.")
    EMPTY_RETRY = ("empty-retry", Alert.illegal_parameter, "RFC 8446 4.1.4", "The HelloRetryRequest asks for no change.")
    SECOND_RETRY = ("second-retry", Alert.unexpected_message, "RFC 8446 4.1.4", "A second HelloRetryRequest.")
    RETRY_MISMATCH = ("retry-mismatch", Alert.illegal_parameter, "RFC 8446 4.1.4", "ServerHello and HelloRetryRequest disagree.")
    HELLO_CHANGED = ("hello-changed", Alert.illegal_parameter, "RFC 8446 4.1.2", "The second ClientHello changed what it may not change.")
    BAD_COOKIE = ("bad-cookie", Alert.illegal_parameter, "RFC 8446 4.2.2", "The cookie is not one that this server made.")
    QUIC_PARAMETERS = ("quic-parameters", Alert.unsupported_extension, "RFC 9001 8.2", "The client sent QUIC's transport parameters over a line that is not QUIC.")
    UNRECOGNIZED_NAME = ("unrecognized-name", Alert.unrecognized_name, "RFC 6066 3", "The server has no certificate for the name that was asked for.")
    BAD_SERVER_NAME = ("bad-server-name", Alert.decode_error, "RFC 6066 3", "The server_name extension holds no valid host name.")
    NO_APPLICATION_PROTOCOL = ("no-application-protocol", Alert.no_application_protocol, "RFC 7301 3.2", "There is no application protocol that both sides allow.", "Compare the ALPN lists of both sides.")
    BAD_ALPN = ("bad-alpn", Alert.illegal_parameter, "RFC 7301 3.1", "The peer chose an application protocol that was not offered, or not exactly one.")
    BAD_RECORD_SIZE_LIMIT = ("bad-record-size-limit", Alert.illegal_parameter, "RFC 8449 4", "The record size limit is below 64 or above what the version allows.")
    BAD_MAX_FRAGMENT_LENGTH = ("bad-max-fragment-length", Alert.illegal_parameter, "RFC 6066 4", "The maximum fragment length is not one of the four, or not the one offered.")
    RENEGOTIATION_REFUSED = ("renegotiation-refused", Alert.no_renegotiation, "RFC 5746 4.5", "The peer asks to renegotiate; pellucid never does.")
    RENEGOTIATION_MISMATCH = ("renegotiation-mismatch", Alert.handshake_failure, "RFC 5746 3.4", "The renegotiation_info of a first handshake must be empty.")
    INSECURE_RENEGOTIATION = ("insecure-renegotiation", Alert.handshake_failure, "RFC 5746 4.1", "The server does not know secure renegotiation (RFC 5746).", "Update the server.")
    EMS_REQUIRED = ("ems-required", Alert.handshake_failure, "RFC 7627 5.2", "The peer does not know the extended master secret.", "Update the peer, or relax the policy by name.")
    RESUMED_WITHOUT_EMS = ("resumed-without-ems", Alert.handshake_failure, "RFC 7627 5.3", "The session had an extended master secret, its resumption has none.")
    RESUMED_WITH_EMS = ("resumed-with-ems", Alert.handshake_failure, "RFC 7627 5.3", "The session had no extended master secret, its resumption has one.")
    RESUMED_WITH_OTHER_CIPHER = ("resumed-with-other-cipher", Alert.illegal_parameter, "RFC 5246 7.4.1.3", "The server resumed the session with another cipher suite.")
    RESUMED_WITH_OTHER_VERSION = ("resumed-with-other-version", Alert.illegal_parameter, "RFC 5246 7.4.1.3", "The server resumed the session with another version.")
    # -- authentication ------------------------------------------------------------------------
    NO_COMMON_SIGNATURE_SCHEME = ("no-common-signature-scheme", Alert.handshake_failure, "RFC 8446 4.2.3", "No signature scheme of the peer fits the certificate's key.")
    UNOFFERED_SIGNATURE_SCHEME = ("unoffered-signature-scheme", Alert.illegal_parameter, "RFC 8446 4.4.3", "The peer signed with a scheme that was not offered.")
    WRONG_SIGNATURE_TYPE = ("wrong-signature-type", Alert.illegal_parameter, "RFC 8446 4.4.3", "The signature scheme does not fit the peer's key.")
    BAD_SIGNATURE = ("bad-signature", Alert.decrypt_error, "RFC 8446 4.4.3", "The peer's signature over the handshake is wrong: it does not hold the certificate's key, or the messages were changed.")
    BAD_FINISHED = ("bad-finished", Alert.decrypt_error, "RFC 8446 4.4.4", "The peer's Finished is wrong: the two sides saw different handshakes.")
    NO_CERTIFICATE = ("no-certificate", Alert.decode_error, "RFC 8446 4.4.2.4", "The server sent no certificate.")
    CERTIFICATE_REQUIRED = ("certificate-required", Alert.certificate_required, "RFC 8446 4.4.2.4", "The server asks for a client certificate and got none.", "Give the client an identity (certificate and key).")
    BAD_CERTIFICATE = ("bad-certificate", Alert.bad_certificate, "RFC 8446 4.4.2", "A certificate could not be read.")
    UNSUPPORTED_CERTIFICATE_KEY = ("unsupported-certificate-key", Alert.unsupported_certificate, "RFC 8446 4.4.2.4", "The certificate's key is of a kind, or size, that is not accepted.")
    WRONG_CERTIFICATE_KEY = ("wrong-certificate-key", Alert.illegal_parameter, "RFC 5246 7.4.2", "The certificate's key does not fit the cipher suite.")
    WRONG_CERTIFICATE_CURVE = ("wrong-certificate-curve", Alert.illegal_parameter, "RFC 8422 5.3", "The certificate's key is on a curve that was not offered.")
    UNSUPPORTED_CERTIFICATE_TYPE = ("unsupported-certificate-type", Alert.unsupported_certificate, "RFC 7250 4.2", "There is no certificate type that both sides allow.")
    IDLE_CERTIFICATE_TYPES = ("idle-certificate-types", Alert.illegal_parameter, "RFC 7250 4.1", "A list of certificate types that says nothing: it must be left out.")
    BAD_RAW_PUBLIC_KEY = ("bad-raw-public-key", Alert.decode_error, "RFC 7250 3", "The raw public key could not be read.")
    RAW_PUBLIC_KEY_NOT_TRUSTED = ("raw-public-key-not-trusted", Alert.bad_certificate, "RFC 7250 6", "The raw public key is not one of those that are trusted.")
    CERTIFICATE_CHAIN_TOO_LONG = ("certificate-chain-too-long", Alert.illegal_parameter, "RFC 8446 4.4.2", "The certificate chain is longer than the limit.")
    BAD_CERTIFICATE_COMPRESSION = ("bad-certificate-compression", Alert.bad_certificate, "RFC 8879 4", "The compressed certificate does not decompress to what it says.")
    CERTIFICATE_TOO_LARGE = ("certificate-too-large", Alert.illegal_parameter, "RFC 8879 4", "The compressed certificate says that it would be larger than the limit.")
    UNOFFERED_CERTIFICATE_COMPRESSION = ("unoffered-certificate-compression", Alert.illegal_parameter, "RFC 8879 4", "The certificate is compressed by an algorithm that was not offered.")
    BAD_OCSP_RESPONSE = ("bad-ocsp-response", Alert.bad_certificate_status_response, "RFC 6066 8", "The stapled OCSP response is not valid for the certificate.")
    MISSING_OCSP_RESPONSE = ("missing-ocsp-response", Alert.bad_certificate_status_response, "RFC 7633 4.2.3", "The certificate must be stapled with an OCSP response, and is not.")
    # -- trust: the words a browser would use ----------------------------------------------------
    SELF_SIGNED = ("self-signed", Alert.unknown_ca, "RFC 5280 6.1", "The certificate is signed by itself, and nobody you trust vouches for it.", "Trust it by name with --ca, or get one from an authority.")
    UNKNOWN_CA = ("unknown-ca", Alert.unknown_ca, "RFC 5280 6.1", "The certificate was issued by an authority that is not trusted here.", "Is an intermediate missing on the server, or should --ca name the authority?")
    CERTIFICATE_EXPIRED = ("certificate-expired", Alert.certificate_expired, "RFC 5280 4.1.2.5", "A certificate of the chain has expired.", "Renew it; or is this machine's clock wrong?")
    CERTIFICATE_NOT_YET_VALID = ("certificate-not-yet-valid", Alert.certificate_expired, "RFC 5280 4.1.2.5", "A certificate of the chain is not valid yet.", "Is this machine's clock wrong?")
    WRONG_HOST_NAME = ("wrong-host-name", Alert.bad_certificate, "RFC 6125 6", "The certificate is for another name than the one that was asked for.")
    CERTIFICATE_TAMPERED = ("certificate-tampered", Alert.bad_certificate, "RFC 5280 6.1.3", "A certificate's signature does not fit its content: it was changed, or its issuer is another one of the same name.")
    CA_USED_AS_LEAF = ("ca-used-as-leaf", Alert.bad_certificate, "RFC 5280 4.2.1.9", "The server shows the certificate of an authority instead of its own.")
    NOT_A_CA = ("not-a-ca", Alert.bad_certificate, "RFC 5280 4.2.1.9", "A certificate in the chain issued another one without being an authority.")
    WRONG_KEY_USAGE = ("wrong-key-usage", Alert.bad_certificate, "RFC 5280 4.2.1.3", "The certificate's key may not be used for this.")
    WRONG_EXTENDED_KEY_USAGE = ("wrong-extended-key-usage", Alert.bad_certificate, "RFC 5280 4.2.1.12", "The certificate was not issued for this purpose.")
    WEAK_CERTIFICATE_KEY = ("weak-certificate-key", Alert.insufficient_security, "RFC 8446 9.1", "A key in the certificate chain is too weak, or too large to bear.")
    WEAK_CERTIFICATE_SIGNATURE = ("weak-certificate-signature", Alert.bad_certificate, "RFC 8446 4.4.2.4", "A certificate in the chain is signed with MD5 or SHA-1, or a scheme that is not accepted.")
    NAME_CONSTRAINTS = ("name-constraints", Alert.bad_certificate, "RFC 5280 4.2.1.10", "The authority may not issue certificates for this name.")
    CERTIFICATE_REVOKED = ("certificate-revoked", Alert.certificate_revoked, "RFC 6960 2.2", "The certificate was revoked by its authority.")
    CERTIFICATE_INVALID = ("certificate-invalid", Alert.bad_certificate, "RFC 5280 6.1", "The certificate chain breaks a rule of RFC 5280 or of the web's authorities.")
    REFUSED_BY_APPLICATION = ("refused-by-application", Alert.certificate_unknown, "RFC 8446 6.2", "The application refused the certificate.")
    # -- psk, resumption, early data ---------------------------------------------------------------
    UNKNOWN_PSK_IDENTITY = ("unknown-psk-identity", Alert.unknown_psk_identity, "RFC 4279 2", "The pre-shared key's identity is not known here.")
    PSK_NOT_LAST = ("psk-not-last", Alert.illegal_parameter, "RFC 8446 4.2.11", "pre_shared_key is not the last extension of the ClientHello.")
    PSK_BINDER_COUNT = ("psk-binder-count", Alert.illegal_parameter, "RFC 8446 4.2.11", "There are not as many binders as identities.")
    BAD_BINDER = ("bad-binder", Alert.decrypt_error, "RFC 8446 4.2.11.2", "The pre-shared key's binder is wrong: the two sides hold different keys.", "Give both sides the same key, under the same name.")
    MISSING_PSK_MODES = ("missing-psk-modes", Alert.missing_extension, "RFC 8446 4.2.9", "pre_shared_key without psk_key_exchange_modes.")
    BAD_PSK_SELECTION = ("bad-psk-selection", Alert.illegal_parameter, "RFC 8446 4.2.11", "The server chose a pre-shared key that was not offered, or does not fit.")
    PSK_REQUIRED = ("psk-required", Alert.handshake_failure, "RFC 8446 4.1.1", "The server only takes clients that hold one of its pre-shared keys.")
    SELFIE = ("selfie", Alert.illegal_parameter, "RFC 9257 4.1", "The pre-shared key is our own identity: someone mirrors us to ourselves.")
    TOO_MUCH_EARLY_DATA = ("too-much-early-data", Alert.unexpected_message, "RFC 8446 4.2.10", "The client sent more early data than the ticket allows.")
    TOO_MUCH_SKIPPED_EARLY_DATA = ("too-much-skipped-early-data", Alert.unexpected_message, "RFC 8446 4.2.10", "The client sent more refused early data than is skipped.")
    BAD_EARLY_DATA_ANSWER = ("bad-early-data-answer", Alert.illegal_parameter, "RFC 8446 4.2.10", "The server took early data under a key, suite or protocol other than the ticket's.")
    EARLY_DATA_AFTER_RETRY = ("early-data-after-retry", Alert.illegal_parameter, "RFC 8446 4.2.10", "Early data is offered again after a HelloRetryRequest.")
    BAD_TICKET = ("bad-ticket", Alert.illegal_parameter, "RFC 8446 4.6.1", "A session ticket with impossible values.")
    # -- ends ----------------------------------------------------------------------------------
    TRUNCATED = ("truncated", None, "RFC 8446 6.1", "The connection ended without close_notify: what came last may be missing.", "Somebody cut the line; do not trust that the data is complete.")
    EOF_IN_HANDSHAKE = ("eof-in-handshake", None, "RFC 8446 6.1", "The connection ended in the middle of the handshake.", "The peer hung up without saying why; its log may say more.")
    PEER_ALERT = ("peer-alert", None, "RFC 8446 6.2", "The peer refused the connection.")
    PEER_CLOSED = ("peer-closed", None, "RFC 8446 6.1", "The peer closed the connection in the middle of the handshake.")
    TIMEOUT = ("timeout", None, "-", "The peer took longer than allowed.")
    # -- the caller ----------------------------------------------------------------------------
    NOT_CONNECTED = ("not-connected", None, "-", "The handshake is not complete yet.")
    CLOSED = ("closed", None, "-", "The connection is closed for sending.")
    BAD_NAME = ("bad-name", None, "RFC 1123 2.1", "This is neither a host name nor an IP address.")
    BAD_CONFIG = ("bad-config", None, "-", "The configuration contradicts itself or names something unknown.")
    CANNOT_WATCH = ("cannot-watch", None, "-", "This process cannot be watched from outside.")
    CONNECTION_REJECTED = ("connection-rejected", Alert.handshake_failure, "RFC 8446 6.2", "The application does not want this connection.")
    NO_IDENTITY = ("no-identity", Alert.handshake_failure, "RFC 8446 4.4.2", "The server has no certificate for this connection.")
    BAD_KEY_FILE = ("bad-key-file", None, "-", "A certificate or key could not be loaded.")
    KEY_MISMATCH = ("key-mismatch", None, "-", "The private key does not belong to the certificate.")
    UNSAFE_EXPORT = ("unsafe-export", None, "RFC 7627 5.4", "Without an extended master secret, keying material of TLS 1.2 is bound to nothing.")
    NO_SUCH_BINDING = ("no-such-binding", None, "RFC 9266 2", "This channel binding does not exist for this connection.")
    APPLICATION_FAILED = ("application-failed", Alert.internal_error, "RFC 8446 6.2", "The application could not answer a request of the handshake.")
    APPLICATION_ABORTED = ("application-aborted", Alert.user_canceled, "RFC 8446 6.1", "The application aborted the handshake.")
    INTERNAL = ("internal", Alert.internal_error, "RFC 8446 6.2", "pellucid made a mistake. Please report it.")
    # fmt: on


class TLSError(Exception):
    """Whatever goes wrong with a connection.

    Attributes:
        reason: the name of what went wrong.
        detail: the particulars of this case, one sentence or less; may be empty.
        alert: the alert sent to the peer (ours) or received from it (theirs); None for neither.
        trace: the trace of the connection, if one was kept.
    """

    def __init__(self, reason: Reason, detail: str = "", *, alert: Alert | int | None = None) -> None:
        self.reason = reason
        self.detail = detail
        self.alert = reason.alert if alert is None else alert
        self.trace: object | None = None
        super().__init__(reason, detail)

    def report(self, *views: str, secrets: bool = False) -> str:
        """What happened, why, what to do, and the handshake up to there if a trace was kept.

        Parameters:
            views: what to show of it, by the names of `pellucid.glass.views`; the ladder if none.
            secrets: show keys whole.

        >>> print(TLSError(Reason.BAD_FINISHED).report().splitlines()[0])
        The peer's Finished is wrong: the two sides saw different handshakes.
        """
        from pellucid.glass.report import report

        return report(self, *views, secrets=secrets)

    def anew(self) -> Self:
        """The same error without its traceback, to be kept and raised again.

        A traceback holds the frames that it went through, and so the connection that keeps the error: a
        circle, in which a socket would stay open until the garbage collector comes by.
        """
        twin = self.__class__.__new__(self.__class__, *self.args)
        twin.__dict__.update(self.__dict__)
        return twin

    def __str__(self) -> str:
        text = self.reason.sentence
        if self.detail:
            text = f"{text} {self.detail[0].upper()}{self.detail[1:]}"
            if not text.endswith((".", "!", "?")):
                text += "."
        return f"{text} [{self.reason.label}, {self.reason.section}]"


class PeerMisbehaved(TLSError):
    """The peer broke a rule, or the two sides have nothing in common: we refuse it with an alert."""


class CertificateRefused(PeerMisbehaved):
    """The peer's certificate is not believed. `chain` holds what it sent, DER, leaf first."""

    def __init__(self, reason: Reason, detail: str = "", *, alert: Alert | int | None = None) -> None:
        super().__init__(reason, detail, alert=alert)
        self.chain: tuple[bytes, ...] = ()


class PeerRefused(TLSError):
    """The peer sent a fatal alert. `alert` says which one."""

    def __init__(self, alert: int) -> None:
        super().__init__(Reason.PEER_ALERT, f"it sent the alert {Alert.name_of(alert, 2)}", alert=alert)


class ConnectionEnded(TLSError):
    """The line ended where it may not: truncated data, or an end in the handshake."""


class UsageError(TLSError):
    """The caller asked for something impossible. Nothing was sent."""


def refuse(reason: Reason, detail: str = "") -> NoReturn:
    """Refuse the peer for `reason`. `detail` names the particulars of the case."""
    raise PeerMisbehaved(reason, detail)
