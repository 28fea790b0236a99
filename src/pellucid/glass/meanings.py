"""What the fields of TLS are for, in a sentence each; which RFC speaks of an extension.

RFC 8446 section 4, RFC 5246 section 7.4, and the RFCs named at each extension. The names are those of
the declarations in `pellucid.wire`; a field that says everything by its name has no sentence here.
"""

from __future__ import annotations

from pellucid.wire.codepoints import ExtensionType as X

#: "Structure.field", or "field" alone for every structure that has it.
FIELDS: dict[str, str] = {
    "msg_type": "Which handshake message this is.",
    "HandshakeHeader.length": "How many bytes follow.",
    "RecordHeader.type": "What the record holds. Once keys are in use, TLS 1.3 always says application_data.",
    "legacy_record_version": "Says TLS 1.2 for ever: old middleboxes stumble over anything newer.",
    "RecordHeader.length": "How many bytes of the record follow.",
    "ClientHello.legacy_version": "The highest version, as it was said up to TLS 1.2. TLS 1.3 writes TLS 1.2"
    " here and tells the truth in supported_versions, because old servers refused numbers they did not know.",
    "ServerHello.legacy_version": "TLS 1.2's answer; TLS 1.3 keeps it and answers in supported_versions.",
    "ClientHello.random": "32 fresh random bytes: they make this handshake, and its keys, unlike any other.",
    "ServerHello.random": "32 fresh random bytes of the server. A server that could speak TLS 1.3 and is made"
    " to speak less ends them in DOWNGRD, so that the client notices.",
    "legacy_session_id": "In TLS 1.2 the name of an earlier session; in TLS 1.3 random bytes that make the"
    " handshake look like a resumption of TLS 1.2 to middleboxes.",
    "legacy_session_id_echo": "The client's bytes, repeated (TLS 1.3), or the session's name (TLS 1.2).",
    "cipher_suites": "What the client can encrypt with, most wanted first.",
    "cipher_suite": "What the server chose from the client's list.",
    "legacy_compression_methods": "Always null: compression under encryption leaks (CRIME, 2012).",
    "legacy_compression_method": "Always null.",
    "extensions": "Everything that was added to TLS since 1999: type, length, content.",
    "extension_type": "Which extension.",
    "certificate_request_context": "Names the request that this answers; empty in the handshake itself.",
    "certificate_list": "The certificate, then the ones that vouch for it.",
    "cert_data": "A certificate in DER: name, public key, validity, and the issuer's signature.",
    "CertificateVerify.algorithm": "How the signature was made.",
    "CertificateVerify.signature": "Made with the certificate's private key over a hash of every message so"
    " far: proof that the sender holds it, now.",
    "verify_data": "A checksum over every message so far, keyed with the handshake's secret. One changed bit,"
    " and it differs.",
    "ticket_lifetime": "Seconds for which the ticket may be used; seven days at most.",
    "ticket_lifetime_hint": "Seconds for which the ticket may be used.",
    "ticket_age_add": "Added to the ticket's age when it is used, so that nobody can link the visits.",
    "ticket_nonce": "Makes a key of its own for each ticket.",
    "ticket": "The session, sealed under a key that only the server knows; to the client it is noise.",
    "request_update": "Whether the other side is asked for new keys too.",
    "certificate_types": "The kinds of keys that are accepted.",
    "certificate_authorities": "Whose certificates are accepted, by name.",
    "authorities": "Whose certificates are accepted, by name.",
    "curve_type": "named_curve: everything else died out.",
    "namedcurve": "The curve of the keys below.",
    "ServerECDHParams.public": "The server's fresh public key.",
    "ServerKeyExchangeECDHE.algorithm": "How the signature was made.",
    "ServerKeyExchangeECDHE.signature": "Over both randoms and the fresh public key, made with the"
    " certificate's key.",
    "psk_identity": "Which pre-shared key the client means.",
    "psk_identity_hint": "Helps the client to choose a key.",
    "encrypted_pre_master_secret": "48 bytes, encrypted under the certificate's public key. Whoever gets its"
    " private key, now or in ten years, opens it.",
    "ecdh_Yc": "The client's fresh public key.",
    "level": "1 warning, 2 fatal. In TLS 1.3 every alert but close_notify and user_canceled is fatal.",
    "description": "What the matter is.",
    "ChangeCipherSpecBody.type": "Always 1: what follows is under the new keys (TLS 1.2); nothing (TLS 1.3).",
    "data": "What the two ends say to each other. TLS does not look inside.",
    "algorithm": "By which method.",
    "uncompressed_length": "How many bytes come out.",
    "compressed_certificate_message": "A Certificate message, compressed.",
    "host_name": "The name of the server that is wanted: one address may serve many.",
    "named_group_list": "Groups for the key exchange, most wanted first.",
    "ec_point_format_list": "How points are written; only uncompressed is left.",
    "supported_signature_algorithms": "Signatures that can be verified, most wanted first.",
    "protocol_name_list": "Which protocols may run inside, most wanted first.",
    "versions": "The versions that are really offered, most wanted first.",
    "selected_version": "The version in force.",
    "cookie": "Comes back in the second ClientHello: the server need not remember the first.",
    "ke_modes": "psk_dhe_ke mixes a fresh key exchange in, psk_ke does without.",
    "client_shares": "Fresh public keys, one for each group that the server will probably take.",
    "key_exchange": "A fresh public key of this group.",
    "server_share": "The server's fresh public key.",
    "selected_group": "Send a key of this group instead.",
    "identities": "Tickets, or names of pre-shared keys.",
    "identity": "A ticket from an earlier connection, or the name of a key.",
    "obfuscated_ticket_age": "Milliseconds since the ticket came, plus ticket_age_add.",
    "binders": "One checksum for each identity: proof that the client holds its key.",
    "selected_identity": "Which of the client's keys was taken, counted from 0.",
    "max_early_data_size": "Bytes that may be sent before the handshake is over.",
    "record_size_limit": "The largest record that can be taken.",
    "max_fragment_length": "The largest record that can be taken.",
    "renegotiated_connection": "Empty in a first handshake: nobody may put another one in front of it.",
    "new_session_count": "How many tickets are wanted after a full handshake.",
    "resumption_count": "How many tickets are wanted after a resumption.",
    "expected_count": "How many tickets to expect.",
    "responder_id_list": "OCSP responders that are trusted; empty: any.",
    "request_extensions": "OCSP extensions; empty.",
    "response": "The authority's own word that the certificate is not revoked (OCSP, DER).",
    "status_type": "ocsp: nothing else was ever used.",
    "sct_list": "Receipts of public logs: the certificate was published.",
    "zeros": "Makes the message as long as some middleboxes like it.",
    "algorithms": "How certificates may be compressed.",
}

#: extension: (where it is defined, what it is for).
EXTENSIONS: dict[int, tuple[str, str]] = {
    X.server_name: ("RFC 6066 3", "Which server is wanted, in clear: one address may serve many."),
    X.max_fragment_length: ("RFC 6066 4", "Smaller records, please: for small devices."),
    X.status_request: ("RFC 6066 8", "Send the proof that your certificate is not revoked along (OCSP)."),
    X.supported_groups: ("RFC 8446 4.2.7", "Groups for the key exchange, most wanted first."),
    X.ec_point_formats: ("RFC 8422 5.1.2", "How curve points are written: TLS 1.2 only."),
    X.signature_algorithms: ("RFC 8446 4.2.3", "Signatures that can be verified in the handshake."),
    X.use_srtp: ("RFC 5764 4.1.1", "Keys for media streams."),
    X.heartbeat: ("RFC 6520 2", "Keep-alive; the extension of the Heartbleed bug."),
    X.application_layer_protocol_negotiation: ("RFC 7301 3.1", "Which protocol to speak inside: ALPN."),
    X.signed_certificate_timestamp: ("RFC 6962 3.3", "Receipts that the certificate was published."),
    X.client_certificate_type: ("RFC 7250 3", "Kinds of client certificates: X.509 or raw keys."),
    X.server_certificate_type: ("RFC 7250 3", "Kinds of server certificates: X.509 or raw keys."),
    X.padding: ("RFC 7685 3", "Zeros, to make the message longer."),
    X.encrypt_then_mac: ("RFC 7366 2", "With CBC: encrypt first, then checksum; not the other way round."),
    X.extended_master_secret: ("RFC 7627 5.1", "Bind the master secret to every message so far: without"
        " it two handshakes can be made to share one (Triple Handshake, 2014)."),
    X.compress_certificate: ("RFC 8879 3", "Ways in which certificates may be compressed."),
    X.record_size_limit: ("RFC 8449 4", "The largest record that can be taken."),
    X.delegated_credential: ("RFC 9345 4", "Short-lived keys, vouched for by the certificate."),
    X.session_ticket: ("RFC 5077 3.2", "TLS 1.2: tickets are welcome, or here is one."),
    X.pre_shared_key: ("RFC 8446 4.2.11", "Keys that both ends may know already; always the last one."),
    X.early_data: ("RFC 8446 4.2.10", "Data comes along, before the handshake is over (0-RTT)."),
    X.supported_versions: ("RFC 8446 4.2.1", "The versions that are really offered."),
    X.cookie: ("RFC 8446 4.2.2", "What the server gave the client to remember."),
    X.psk_key_exchange_modes: ("RFC 8446 4.2.9", "With or without a fresh key exchange beside the old key."),
    X.certificate_authorities: ("RFC 8446 4.2.4", "Whose certificates are believed."),
    X.oid_filters: ("RFC 8446 4.2.5", "What the client's certificate must say."),
    X.post_handshake_auth: ("RFC 8446 4.2.6", "The server may ask for a certificate later."),
    X.signature_algorithms_cert: ("RFC 8446 4.2.3", "Signatures that can be verified in certificates."),
    X.key_share: ("RFC 8446 4.2.8", "Fresh public keys for the key exchange."),
    X.ticket_request: ("RFC 9149 3", "How many tickets are wanted."),
    X.next_protocol_negotiation: ("draft-agl-tls-nextprotoneg", "ALPN's forerunner; given up."),
    X.application_settings: ("draft-vvv-tls-alps", "Settings of the application protocol (Chromium)."),
    X.application_settings_old: ("draft-vvv-tls-alps", "Settings of the application protocol (Chromium)."),
    X.encrypted_client_hello: ("RFC 9849 5", "The real ClientHello, encrypted; or noise that looks like it."),
    X.renegotiation_info: ("RFC 5746 3.2", "This is a first handshake, and nobody put one in front of it."),
    X.quic_transport_parameters: ("RFC 9001 8.2", "QUIC's own settings."),
}  # fmt: skip
GREASE = ("RFC 8701 3.1", "Noise on purpose: whoever refuses unknown numbers is found out early.")


def of_field(structure: str, name: str) -> str:
    """What a field is for; "" where its name says it.

    >>> of_field("ClientHello", "cipher_suites")
    'What the client can encrypt with, most wanted first.'
    """
    return FIELDS.get(f"{structure}.{name}") or FIELDS.get(name, "")


def of_extension(kind: int) -> tuple[str, str]:
    """(RFC section, what it is for) of an extension; two empty strings for one nobody knows."""
    if kind & 0x0F0F == 0x0A0A and kind >> 8 == kind & 0xFF:
        return GREASE
    return EXTENSIONS.get(kind, ("", ""))
