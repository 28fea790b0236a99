"""The client's side of TLS 1.3, from ServerHello to the end: RFC 8446 figure 1, right to left.

RFC 8446 sections 4.1.3, 4.2.8, 4.2.10, 4.2.11, 4.3, 4.4, 4.5 and 7.1.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from pellucid.config import ClientConfig
from pellucid.crypto.schedule13 import KeySchedule, TrafficSecret
from pellucid.crypto.suites import Suite
from pellucid.errors import PeerMisbehaved, Reason, refuse
from pellucid.events import EarlyDataAccepted, EarlyDataRefused, SelectIdentity, VerifyPeer
from pellucid.handshake.authentication import (
    CLIENT_CONTEXT,
    RAW_PUBLIC_KEY,
    SERVER_CONTEXT,
    believe_raw_key,
    check_certificate_verify,
    choose_scheme,
    offered_compression,
    open_certificate,
    read_certificate,
    send_certificate,
    send_certificate_verify,
    verifiable,
)
from pellucid.handshake.certificate_types import client_shows_raw_key, read_types, server_shows_raw_key
from pellucid.handshake.context import (
    Expect,
    Handshake,
    Steps,
    agree_on_size,
    application_secrets,
    handshake_secrets,
)
from pellucid.handshake.offer import Offer, psk_hash, session_binding
from pellucid.protection import APPLICATION, EARLY, HANDSHAKE_KEYS
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import Session
from pellucid.secret import Secret
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert, CipherSuite, HandshakeType, NamedGroup
from pellucid.wire.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    ServerHello,
    finished_message,
)

if TYPE_CHECKING:
    from pellucid.trust.identity import Identity

EXPECT_ENCRYPTED_EXTENSIONS: Expect = {HandshakeType.encrypted_extensions: EncryptedExtensions}
EXPECT_CERTIFICATE: Expect = {HandshakeType.certificate: Certificate}
EXPECT_ANY_CERTIFICATE: Expect = {
    **EXPECT_CERTIFICATE,
    HandshakeType.compressed_certificate: CompressedCertificate,
}
_REQUEST: Expect = {HandshakeType.certificate_request: CertificateRequest}
EXPECT_CERTIFICATE_OR_REQUEST: Expect = {**EXPECT_CERTIFICATE, **_REQUEST}
EXPECT_ANY_CERTIFICATE_OR_REQUEST: Expect = {**EXPECT_ANY_CERTIFICATE, **_REQUEST}
EXPECT_CERTIFICATE_VERIFY: Expect = {HandshakeType.certificate_verify: CertificateVerify}
EXPECT_FINISHED: Expect = {HandshakeType.finished: Finished}

_STAPLED = frozenset({X.status_request, X.signed_certificate_timestamp})
_SERVER_HELLO_EXTENSIONS = frozenset({X.supported_versions, X.key_share, X.pre_shared_key})


def client13(h: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> Steps:
    """ServerHello is here; what follows is encrypted."""
    suite = check_server_hello(h, offer, hello)
    check_hello_extensions(offer, hello)
    if h.note is not None:
        h.note(("decision", "cipher_suite", h.policy.suites, (), suite.code, "the server's choice"))
    psk, schedule = selected_psk(h, offer, hello, suite)
    if psk is None and config.require_psk:
        refuse(Reason.MISSING_EXTENSION, "pre_shared_key: the server takes none of our keys")
    facts = h.facts
    facts["version"], facts["cipher_suite"] = 0x0304, suite.code
    facts["resumed"] = psk is not None and type(psk) is not PreSharedKey
    schedule.enter_handshake(shared_secret(h, offer, hello, psk))

    h.transcript.start(suite.hash)
    h.transcript.add(hello.raw)
    h.suite = suite
    client_secret, server_secret = handshake_secrets(h, schedule)
    h.conn._ccs_allowed = True
    h.read_keys(HANDSHAKE_KEYS, server_secret)
    if offer.early is not None and psk is not offer.early:
        refuse_early_data(h, offer)
    if offer.early is None:
        begin_handshake_writing(h, offer, client_secret)

    message: Any = yield EXPECT_ENCRYPTED_EXTENSIONS
    h.transcript.add(message.raw)
    accepted = read_encrypted_extensions(h, config, offer, message, psk)
    if offer.early is not None and not accepted:
        refuse_early_data(h, offer)
        begin_handshake_writing(h, offer, client_secret)
    if isinstance(psk, Session):
        inherit(h, psk)
        yield from verify_again(h, config, psk)
    request: CertificateRequest | None = None
    if psk is None:
        request = yield from server_authentication(h, config, offer)

    finished: Finished = yield EXPECT_FINISHED
    if not hmac.compare_digest(server_secret.finished(h.transcript.digest()), finished.verify_data):
        refuse(Reason.BAD_FINISHED, "the server's")
    h.transcript.add(finished.raw)
    client_application, server_application, exporter = application_secrets(h, schedule)
    h.read_keys(APPLICATION, server_application)

    if accepted:
        h.conn._early_sent = None
        h.emit(EarlyDataAccepted())
        h.send(EndOfEarlyData())
        h.write_keys(HANDSHAKE_KEYS, client_secret)
    if request is not None:
        yield from client_authentication(h, config, request)
    mine = client_secret.finished(h.transcript.digest())
    h.send_raw(finished_message(mine))
    h.conn._master = finished.verify_data if h.facts.get("resumed") else mine
    h.write_keys(APPLICATION, client_application)
    finish(h, config, schedule, exporter, psk)


def refuse_early_data(h: Handshake, offer: Offer) -> None:
    """The server does not take the early data: give it back to the application."""
    sent, h.conn._early_sent = h.conn._early_sent, None
    h.conn._early_exporter = None
    h.write.flush()
    offer.early = None
    h.emit(EarlyDataRefused(b"".join(sent or ())))


def begin_handshake_writing(h: Handshake, offer: Offer, secret: TrafficSecret) -> None:
    """From here on even our alerts are encrypted (RFC 8446 section 6)."""
    if h.policy.middlebox_compatibility and not offer.retried and h.write.protection.epoch != EARLY:
        h.send_change_cipher_spec()
    h.write_keys(HANDSHAKE_KEYS, secret)


def check_server_hello(h: Handshake, offer: Offer, hello: ServerHello) -> Suite:
    """What ServerHello and HelloRetryRequest have in common (RFC 8446 section 4.1.3)."""
    if hello.legacy_session_id_echo != offer.hello.legacy_session_id:
        refuse(Reason.BAD_SESSION_ID_ECHO)
    if hello.legacy_compression_method != 0:  # out of the field's only value: a decode_error
        refuse(Reason.DECODE_ERROR, "ServerHello.legacy_compression_method is not 0")
    suite = h.policy.suites.get(hello.cipher_suite)
    if suite is None or not suite.tls13:
        refuse(Reason.WRONG_CIPHER_RETURNED, CipherSuite.name_of(hello.cipher_suite))
    return suite


def check_hello_extensions(offer: Offer, hello: ServerHello) -> None:
    """Only three extensions may stand in a ServerHello, and only as answers (RFC 8446 4.2)."""
    offered = offer.hello.extensions
    for kind in hello.extensions:
        if kind not in offered:
            refuse(Reason.UNEXPECTED_EXTENSION, f"{X.name_of(kind)} in a ServerHello")
        if kind not in _SERVER_HELLO_EXTENSIONS:
            refuse(Reason.EXTENSION_NOT_ALLOWED, f"{X.name_of(kind)} in a ServerHello")


def selected_psk(
    h: Handshake, offer: Offer, hello: ServerHello, suite: Suite
) -> tuple[Session | PreSharedKey | None, KeySchedule]:
    """The key that the server names, if any (RFC 8446 4.2.11), and the schedule that begins with it."""
    body = hello.extensions.get(X.pre_shared_key)
    if body is None:
        return None, KeySchedule(suite.hash, None, h.note)
    index = ext.SelectedPsk.decode(body).selected_identity
    if index >= len(offer.psks):
        refuse(Reason.BAD_PSK_SELECTION, f"number {index} of {len(offer.psks)}")
    psk = offer.psks[index]
    if psk_hash(psk) is not suite.hash:
        refuse(Reason.BAD_PSK_SELECTION, f"{suite.name} has another hash than the key")
    if isinstance(psk, PreSharedKey):
        h.facts.update(external_psk=True, psk_identity=psk.identity)
    if h.note is not None:
        h.note(("decision", "psk", range(len(offer.psks)), (), index, "the server's choice"))
    return psk, offer.schedules[index]


def shared_secret(
    h: Handshake, offer: Offer, hello: ServerHello, psk: Session | PreSharedKey | None
) -> Secret | None:
    """The (EC)DHE secret from the server's share (RFC 8446 section 4.2.8)."""
    body = hello.extensions.get(X.key_share)
    if body is None:
        if psk is None:
            refuse(Reason.MISSING_KEY_SHARE, "ServerHello has neither a key share nor a pre-shared key")
        if 0 not in h.policy.psk_modes:
            alert = Alert.illegal_parameter  # RFC 8446 4.2.11
            raise PeerMisbehaved(Reason.MISSING_KEY_SHARE, "psk_ke was not offered", alert=alert)
        return None
    if psk is not None and 1 not in h.policy.psk_modes:
        refuse(Reason.UNEXPECTED_EXTENSION, "psk_dhe_ke was not offered")
    share = ext.KeyShareServerHello.decode(body).server_share
    ours = offer.shares.get(share.group)
    if ours is None:
        refuse(Reason.WRONG_CURVE, f"no share of {NamedGroup.name_of(share.group)} was sent")
    h.facts["group"] = share.group
    if h.note is not None:
        rule = "the server's choice among our shares"
        h.note(("decision", "group", tuple(offer.shares), (), share.group, rule))
    secret = ours.finish(share.key_exchange)
    if h.note is not None:
        theirs = share.key_exchange
        h.note(
            (
                "shared secret",
                secret,
                share.group,
                "our public share",
                ours.public,
                "the server's share",
                theirs,
            )
        )
    return secret


# -- EncryptedExtensions -----------------------------------------------------------------------------


def read_encrypted_extensions(
    h: Handshake,
    config: ClientConfig,
    offer: Offer,
    message: EncryptedExtensions,
    psk: Session | PreSharedKey | None,
) -> bool:
    """What the server agreed to (RFC 8446 section 4.3.1). Returns whether it takes our early data."""
    found = message.extensions
    ext.check_answers(found, ext.EE, offer.hello.extensions)
    if X.server_name in found:
        ext.Empty.recall(found[X.server_name])
    if X.supported_groups in found:
        ext.SupportedGroups.recall(found[X.supported_groups])
    read_alpn(h, config, found.get(X.application_layer_protocol_negotiation))
    limit = found.get(X.record_size_limit)
    if limit is not None:
        if X.max_fragment_length in found:
            refuse(Reason.BAD_RECORD_SIZE_LIMIT, "with max_fragment_length beside it")
        agree_on_size(h, ext.RecordSizeLimit.decode(limit).record_size_limit, tls13=True)
    elif X.max_fragment_length in found:
        agree_on_fragments(h, found[X.max_fragment_length])
    h.limit_reading(tls13=True)
    read_types(h, config, found)
    if X.ticket_request in found:
        ext.TicketRequestHint.decode(found[X.ticket_request])
    if X.early_data not in found:
        return False
    ext.Empty.recall(found[X.early_data])
    early = offer.early
    if early is None or psk is not early or offer.retried:
        refuse(Reason.BAD_EARLY_DATA_ANSWER, "none was sent under this key")
    if h.suite is None or h.suite.code != early.cipher_suite:
        refuse(Reason.BAD_EARLY_DATA_ANSWER, "another cipher suite than the ticket's")
    if (h.facts.get("alpn") or "").encode("latin-1") != early.alpn:
        refuse(Reason.BAD_EARLY_DATA_ANSWER, "another application protocol than the ticket's")
    h.facts["early_data"] = "accepted"
    return True


def read_alpn(h: Handshake, config: ClientConfig, body: bytes | None) -> None:
    """RFC 7301 section 3.1: exactly one protocol, and one of ours."""
    if body is None:
        return
    names = ext.ProtocolNames.recall(body).protocol_name_list
    if len(names) != 1 or names[0] not in config.alpn_names:
        refuse(Reason.BAD_ALPN, b", ".join(names).decode("latin-1"))
    h.facts["alpn"] = names[0].decode("latin-1")
    if h.note is not None:
        h.note(("decision", "alpn", config.alpn, (), h.facts["alpn"], "the server's choice"))


def agree_on_fragments(h: Handshake, body: bytes) -> None:
    """RFC 6066 section 4: the server echoes exactly what was offered."""
    code = ext.MaxFragmentLengthBody.decode(body).max_fragment_length
    offered = h.policy.max_fragment_length
    if offered is None or 2 ** (8 + code) != offered:
        refuse(Reason.BAD_MAX_FRAGMENT_LENGTH)
    h.agree_on_records(offered, offered)


# -- authentication ----------------------------------------------------------------------------------


def server_authentication(h: Handshake, config: ClientConfig, offer: Offer) -> Any:
    """[CertificateRequest] Certificate CertificateVerify. Returns the request, if there was one."""
    compression = h.policy.certificate_compression
    request = None
    message = yield EXPECT_ANY_CERTIFICATE_OR_REQUEST if compression else EXPECT_CERTIFICATE_OR_REQUEST
    if type(message) is CertificateRequest:
        request = message
        check_certificate_request(request, b"")
        h.facts["client_certificate_requested"] = True
        h.transcript.add(request.raw)
        message = yield EXPECT_ANY_CERTIFICATE if compression else EXPECT_CERTIFICATE
    h.transcript.add(message.raw)
    certificate = open_certificate(h, message, compression)
    if certificate.certificate_request_context:
        refuse(Reason.DECODE_ERROR, "the server's Certificate has a request context")
    if not certificate.certificate_list:
        refuse(Reason.NO_CERTIFICATE)
    requested = offer.hello.extensions.keys() & _STAPLED
    peer = read_certificate(h, certificate, requested)
    h.facts["ocsp_response"] = peer.ocsp
    h.facts["scts"] = peer.scts
    if server_shows_raw_key(h, config):
        key, pss_key = (yield from believe_raw_key(h, peer.chain, config.trusted_public_keys)), False
    else:
        name = config.verify_name or h.name
        if VerifyPeer in config.ask:
            verified = yield VerifyPeer(peer.chain, name, peer.ocsp, peer.scts)
        else:
            verified = config.judge.verify_server(
                peer.chain, name or "", config.now(), ocsp=peer.ocsp, note=h.note
            )
        h.facts["peer_chain"] = peer.chain
        h.facts["verified_chain"] = verified.chain
        key, pss_key = verified.leaf_key, verified.pss_key
    verify: CertificateVerify = yield EXPECT_CERTIFICATE_VERIFY
    check_certificate_verify(h, verify, key, SERVER_CONTEXT, pss_key=pss_key)
    h.transcript.add(verify.raw)
    return request


def check_certificate_request(request: CertificateRequest, context: bytes) -> None:
    """RFC 8446 section 4.3.2."""
    if request.certificate_request_context != context:
        refuse(Reason.DECODE_ERROR, "a certificate_request_context during the handshake")
    for kind in request.extensions:
        if kind in ext.NEVER_IN[ext.CR]:
            refuse(Reason.EXTENSION_NOT_ALLOWED, f"{X.name_of(kind)} in a CertificateRequest")
    if X.signature_algorithms not in request.extensions:
        refuse(Reason.MISSING_EXTENSION, "signature_algorithms in a CertificateRequest")


def client_authentication(h: Handshake, config: ClientConfig, request: CertificateRequest) -> Steps:
    """Certificate, and CertificateVerify if there is something to prove (RFC 8446 section 4.4.2.3)."""
    found = request.extensions
    schemes = ext.SignatureSchemes.recall(found[X.signature_algorithms]).supported_signature_algorithms
    listed = found.get(X.certificate_authorities)
    authorities = ext.CertificateAuthorities.decode(listed).authorities if listed is not None else ()
    compression = offered_compression(found.get(X.compress_certificate))
    raw_key = client_shows_raw_key(h)
    listed = found.get(X.signature_algorithms_cert)
    in_chains = (
        schemes if listed is None else ext.SignatureSchemes.recall(listed).supported_signature_algorithms
    )
    question = SelectIdentity(h.name, schemes, authorities, RAW_PUBLIC_KEY if raw_key else 0)
    identity: Identity | None = yield from h.ask(
        question, lambda: client_identity(h, config, schemes, in_chains, authorities, raw_key)
    )
    scheme = choose_scheme(identity, schemes, h.policy.signature_schemes) if identity else None
    if identity is not None and scheme is None:
        identity = None
    if h.note is not None:
        rule = "the first that the server can verify"
        h.note(("decision", "client_certificate", (), (), None if identity is None else identity.kind, rule))
    send_certificate(
        h,
        identity,
        context=request.certificate_request_context,
        raw_key=raw_key,
        staple=X.status_request in found,
        scts=X.signed_certificate_timestamp in found,
        compression=compression,
    )
    if identity is not None and scheme is not None:
        yield from send_certificate_verify(h, identity, scheme, CLIENT_CONTEXT)


def client_identity(
    h: Handshake,
    config: ClientConfig,
    schemes: tuple[int, ...],
    in_chains: tuple[int, ...],
    authorities: tuple[bytes, ...],
    raw_key: bool,
) -> Identity | None:
    """The first identity that the server can verify; best one whose issuer it names (section 4.4.2.3)."""
    usable = [
        one
        for one in config.identities
        if choose_scheme(one, schemes, h.policy.signature_schemes) is not None and (one.chain or raw_key)
    ]
    if authorities and not raw_key:
        from pellucid.trust.peer import issued_by

        usable = [one for one in usable if issued_by(one.chain, authorities)] or usable
    if len(usable) > 1 and not raw_key:
        usable = [one for one in usable if verifiable(one, in_chains)] or usable
    return usable[0] if usable else None


# -- the end -----------------------------------------------------------------------------------------


def finish(
    h: Handshake,
    config: ClientConfig,
    schedule: KeySchedule,
    exporter: Secret,
    psk: Session | PreSharedKey | None,
) -> None:
    """What outlives the handshake: exporters, resumption, post-handshake authentication."""
    conn = h.conn
    resumption = schedule.derive("resumption_master_secret", b"res master", h.transcript.digest())
    conn._exporter = (schedule.hash, exporter)
    conn._resumption = (schedule.hash, resumption, session_binding(config, h.name))
    if config.post_handshake_auth:
        conn._pha = h
    conn._completed()


def verify_again(h: Handshake, config: ClientConfig, session: Session) -> Steps:
    """Hold the first connection's chain against today's clock and trust, if the configuration says so."""
    if not config.verify_resumed or not session.peer_chain:
        return
    chain, ocsp = session.peer_chain, session.ocsp_response or None
    name = config.verify_name or h.name
    yield from h.ask(
        VerifyPeer(chain, name, ocsp, session.scts),
        lambda: config.judge.verify_server(chain, name or "", config.now(), ocsp=ocsp, note=h.note),
    )


def inherit(h: Handshake, session: Session) -> None:
    """A resumed connection is authenticated as the first one was (RFC 8446 section 2.2)."""
    h.facts["peer_chain"] = session.peer_chain
    h.facts["verified_chain"] = session.verified_chain
    h.facts["peer_public_key"] = session.peer_public_key or None
    h.facts["ocsp_response"] = session.ocsp_response or None
    h.facts["scts"] = session.scts
    h.facts["signature_scheme"] = session.signature_scheme or None
