"""The client's side of TLS 1.2, from ServerHello to the end: RFC 5246 figures 1 and 2.

RFC 5246 section 7.4; RFC 8422 (ECDHE); RFC 5077 (tickets); RFC 7627; RFC 5746; RFC 6066 section 8.
Static RSA, the key exchange of the textbooks, comes from `pellucid.legacy` if a policy names it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pellucid.config import TLS_1_3, ClientConfig
from pellucid.crypto.groups import GROUPS
from pellucid.crypto.schedule12 import psk_pre_master
from pellucid.crypto.signatures import SCHEMES, kind_of, verify
from pellucid.crypto.suites import Suite
from pellucid.errors import Reason, refuse
from pellucid.events import FindPsk, SelectIdentity, SessionReceived, VerifyPeer
from pellucid.handshake.authentication import believe_raw_key, choose_scheme
from pellucid.handshake.certificate_types import (
    RAW_PUBLIC_KEY,
    client_shows_raw_key,
    read_types,
    server_shows_raw_key,
)
from pellucid.handshake.client13 import agree_on_fragments, inherit, read_alpn, verify_again
from pellucid.handshake.context import EXPECT_CCS, Expect, Handshake, Steps, agree_on_size
from pellucid.handshake.keys12 import CLIENT_FINISHED, SERVER_FINISHED, Keys12, usable_ec_curve
from pellucid.handshake.offer import Offer, keep_session, session_binding
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import FORMAT, Session
from pellucid.secret import Secret
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import (
    CipherSuite,
    HandshakeType,
    NamedGroup,
    SignatureScheme,
)
from pellucid.wire.messages import (
    Certificate12,
    CertificateRequest12,
    CertificateStatus,
    CertificateVerify,
    ClientKeyExchangeECDHE,
    ClientKeyExchangeECDHEPSK,
    ClientKeyExchangePSK,
    ClientKeyExchangeRSA,
    Finished,
    NewSessionTicket12,
    RawPublicKey12,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    ServerKeyExchangeECDHE,
    ServerKeyExchangeECDHEPSK,
    ServerKeyExchangePSK,
)

if TYPE_CHECKING:
    from pellucid.info import ConnectionInfo

T = HandshakeType
EXPECT_CERTIFICATE: Expect = {T.certificate: Certificate12}
EXPECT_STATUS_OR_KEY_EXCHANGE: Expect = {
    T.certificate_status: CertificateStatus,
    T.server_key_exchange: ServerKeyExchange,
}
EXPECT_KEY_EXCHANGE: Expect = {T.server_key_exchange: ServerKeyExchange}
EXPECT_STATUS_REQUEST_OR_DONE: Expect = {
    T.certificate_status: CertificateStatus,
    T.certificate_request: CertificateRequest12,
    T.server_hello_done: ServerHelloDone,
}
EXPECT_REQUEST_OR_DONE: Expect = {
    T.certificate_request: CertificateRequest12,
    T.server_hello_done: ServerHelloDone,
}
EXPECT_KEY_EXCHANGE_OR_DONE: Expect = {**EXPECT_KEY_EXCHANGE, T.server_hello_done: ServerHelloDone}
EXPECT_DONE: Expect = {T.server_hello_done: ServerHelloDone}
EXPECT_RAW_PUBLIC_KEY: Expect = {T.certificate: RawPublicKey12}
EXPECT_TICKET: Expect = {T.new_session_ticket: NewSessionTicket12}
EXPECT_FINISHED: Expect = {T.finished: Finished}


def client12(h: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> Steps:
    """ServerHello is here, and TLS 1.2 is the answer."""
    h.conn._ccs_allowed = False
    if h.conn._ccs_seen:  # only TLS 1.3 has dummies
        refuse(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "in front of ServerHello")
    suite = check_server_hello(h, config, offer, hello)
    agreed = read_extensions(h, config, offer, hello)
    may_sign = bool(config.identities) or SelectIdentity in config.ask
    h.transcript.start(suite.hash, keep=may_sign)
    h.transcript.add(hello.raw)
    h.suite = suite
    etm = X.encrypt_then_mac in agreed and suite.cbc is not None
    keys = Keys12(h, suite, h.client_random + hello.random, encrypt_then_mac=etm)
    h.facts.update(version=0x0303, cipher_suite=suite.code, resumed=False, encrypt_then_mac=etm)
    session = offer.session12
    if session is not None and is_resumed(offer, session, hello):
        yield from resume(h, config, keys, session, hello, agreed)
        return
    yield from full_handshake(h, config, offer, keys, hello, agreed)


# -- ServerHello -------------------------------------------------------------------------------------


def check_server_hello(h: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> Suite:
    """RFC 5246 section 7.4.1.3."""
    if hello.legacy_compression_method != 0:
        refuse(Reason.UNSUPPORTED_COMPRESSION)
    suite = h.policy.suites.get(hello.cipher_suite)
    if suite is None or suite.tls13:
        refuse(Reason.WRONG_CIPHER_RETURNED, CipherSuite.name_of(hello.cipher_suite))
    if config.require_psk and suite.auth != "PSK":
        if all(psk.imported for psk in config.psks):
            refuse(Reason.UNSUPPORTED_PROTOCOL, "our pre-shared keys are for TLS 1.3, and one is required")
        refuse(Reason.WRONG_CIPHER_RETURNED, "the server takes none of our pre-shared keys")
    if suite.kx in ("PSK", "ECDHE_PSK") and not (h.config.psks or FindPsk in h.config.ask):
        refuse(Reason.WRONG_CIPHER_RETURNED, f"{suite.name}, and we have no key for it")
    if offer.session12 is None and TLS_1_3 in h.policy.versions:
        # RFC 8446 D.4: the session id was made up; only a server that lies can know it
        sent = offer.hello.legacy_session_id
        if sent and hello.legacy_session_id_echo == sent:
            if offer.psks:
                refuse(Reason.RESUMED_WITH_OTHER_VERSION, "a session of TLS 1.3 in TLS 1.2")
            refuse(Reason.BAD_SESSION_ID_ECHO, "the server resumes a session that never was")
    if h.note is not None:
        h.note(("decision", "cipher_suite", h.policy.suites, (), suite.code, "the server's choice"))
    return suite


def read_extensions(h: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> frozenset[int]:
    """What the server agreed to (RFC 5246 section 7.4.1.4)."""
    found = hello.extensions
    policy = h.policy
    ext.check_answers(found, ext.SH12, offer.hello.extensions)
    for kind in ext.EMPTY_IN_SERVER_HELLO_12 & found.keys():
        ext.Empty.recall(found[kind])
    info = found.get(X.renegotiation_info)
    if info is None and policy.require_secure_renegotiation:
        refuse(Reason.INSECURE_RENEGOTIATION)
    if info is not None and ext.RenegotiationInfo.recall(info).renegotiated_connection:
        refuse(Reason.RENEGOTIATION_MISMATCH)
    extended = X.extended_master_secret in found
    if not extended and policy.require_extended_master_secret and not h.facts.get("resumed"):
        refuse(Reason.EMS_REQUIRED)
    if X.ec_point_formats in found:
        formats = ext.ECPointFormats.recall(found[X.ec_point_formats]).ec_point_format_list
        if 0 not in formats:
            refuse(Reason.BAD_EC_POINT_FORMAT)
    read_alpn(h, config, found.get(X.application_layer_protocol_negotiation))
    if X.record_size_limit in found:
        if X.max_fragment_length in found:
            refuse(Reason.BAD_RECORD_SIZE_LIMIT, "with max_fragment_length beside it")
        agree_on_size(
            h, ext.RecordSizeLimit.decode(found[X.record_size_limit]).record_size_limit, tls13=False
        )
    elif X.max_fragment_length in found:
        agree_on_fragments(h, found[X.max_fragment_length])
    scts = found.get(X.signed_certificate_timestamp)
    if scts is not None:
        h.facts["scts"] = ext.SignedCertificateTimestamps.decode(scts).sct_list
    read_types(h, config, found)
    h.facts["extended_master_secret"] = extended
    h.facts["secure_renegotiation"] = info is not None
    return frozenset(found)


# -- the abbreviated handshake -----------------------------------------------------------------------


def is_resumed(offer: Offer, session: Session, hello: ServerHello) -> bool:
    """RFC 5246 section 7.4.1.3, RFC 5077 section 3.4: the echo of our session id says yes."""
    sent = offer.hello.legacy_session_id
    return bool(sent) and hello.legacy_session_id_echo == sent


def resume(
    h: Handshake,
    config: ClientConfig,
    keys: Keys12,
    session: Session,
    hello: ServerHello,
    agreed: frozenset[int],
) -> Steps:
    """Figure 2: the server finishes first."""
    if session.cipher_suite != keys.suite.code:
        refuse(Reason.RESUMED_WITH_OTHER_CIPHER, keys.suite.name)
    extended = bool(h.facts["extended_master_secret"])
    if session.extended_master_secret and not extended:
        refuse(Reason.RESUMED_WITHOUT_EMS)
    if extended and not session.extended_master_secret:
        refuse(Reason.RESUMED_WITH_EMS)
    h.facts["resumed"] = True
    h.conn._revoke = session.revoke
    inherit(h, session)
    h.facts["group"] = session.group or None
    if h.note is not None:
        h.note(("decision", "resumption", (), (), True, "the server echoed the session id"))
    yield from verify_again(h, config, session)
    keys.resume(Secret(session.secret))
    ticket = None
    if X.session_ticket in agreed:
        ticket = yield EXPECT_TICKET
        h.transcript.add(ticket.raw)
    yield EXPECT_CCS
    keys.read_keys(client=False)
    finished: Finished = yield EXPECT_FINISHED
    theirs = keys.check_finished(finished, SERVER_FINISHED)
    keys.write_keys(client=True)
    keys.send_finished(CLIENT_FINISHED)
    finish(h, config, keys, hello, ticket, first_finished=theirs, old=session)


# -- the full handshake ------------------------------------------------------------------------------


def full_handshake(
    h: Handshake, config: ClientConfig, offer: Offer, keys: Keys12, hello: ServerHello, agreed: frozenset[int]
) -> Steps:
    """Figure 1."""
    suite = keys.suite
    has_exchange = suite.kx in ("ECDHE", "ECDHE_PSK")
    message: Any
    leaf_key, pss_key = None, False
    status: CertificateStatus | None = None
    if suite.auth == "PSK":
        message = yield EXPECT_KEY_EXCHANGE if has_exchange else EXPECT_KEY_EXCHANGE_OR_DONE
    else:
        raw_key = server_shows_raw_key(h, config)
        message = yield EXPECT_RAW_PUBLIC_KEY if raw_key else EXPECT_CERTIFICATE
        certificate: Certificate12 | RawPublicKey12 = message
        h.transcript.add(certificate.raw)
        message = None
        if X.status_request in agreed:  # RFC 6066 8: the server may still leave it out
            message = yield EXPECT_STATUS_OR_KEY_EXCHANGE if has_exchange else EXPECT_STATUS_REQUEST_OR_DONE
        if isinstance(message, CertificateStatus):
            status, message = message, None
            h.transcript.add(status.raw)
            if status.status_type != 1:
                refuse(Reason.ERROR_PARSING_EXTENSION, "the status is not of the type ocsp")
        leaf_key, pss_key = yield from verify_server(h, config, keys, certificate, status)
        if message is None:
            message = yield EXPECT_KEY_EXCHANGE if has_exchange else EXPECT_REQUEST_OR_DONE
    exchange: Any = None
    if isinstance(message, ServerKeyExchange):
        h.transcript.add(message.raw)
        exchange = read_key_exchange(h, keys, message, leaf_key, pss_key)
        message = yield EXPECT_DONE if suite.auth == "PSK" else EXPECT_REQUEST_OR_DONE
    request: CertificateRequest12 | None = None
    if isinstance(message, CertificateRequest12):
        request = message
        h.transcript.add(request.raw)
        h.facts["client_certificate_requested"] = True
        message = yield EXPECT_DONE
    h.transcript.add(message.raw)
    h.no_leftovers()

    identity, scheme = None, 0
    if request is not None:
        identity, scheme = yield from choose_identity(h, config, request)
        if client_shows_raw_key(h):
            h.send(RawPublicKey12(identity.raw_public_key if identity else b""))
        else:
            h.send(Certificate12(identity.chain if identity else ()))
    pre_master = yield from send_key_exchange(h, keys, exchange, leaf_key)
    keys.from_pre_master(pre_master, extended=bool(h.facts["extended_master_secret"]))
    if identity is not None:
        signature = yield from h.sign(identity, scheme, h.transcript.messages)
        h.send(CertificateVerify(scheme, signature))
    h.transcript.forget()
    keys.write_keys(client=True)
    mine = keys.send_finished(CLIENT_FINISHED)

    ticket = None
    if X.session_ticket in agreed:
        ticket = yield EXPECT_TICKET
        h.transcript.add(ticket.raw)
    yield EXPECT_CCS
    keys.read_keys(client=False)
    finished: Finished = yield EXPECT_FINISHED
    keys.check_finished(finished, SERVER_FINISHED)
    finish(h, config, keys, hello, ticket, first_finished=mine, old=None)


def verify_server(
    h: Handshake,
    config: ClientConfig,
    keys: Keys12,
    message: Certificate12 | RawPublicKey12,
    status: CertificateStatus | None,
) -> Any:
    """Believe the chain (RFC 5246 section 7.4.2); its key must suit the cipher suite.

    Returns that key, and whether it says id-RSASSA-PSS.
    """
    if isinstance(message, RawPublicKey12):
        spki = message.subject_public_key_info
        if not spki:
            refuse(Reason.NO_CERTIFICATE)
        key = yield from believe_raw_key(h, (spki,), config.trusted_public_keys)
        check_key_kind(key, keys.suite, pss_key=False)
        return key, False
    chain = message.certificate_list
    if not chain:
        refuse(Reason.NO_CERTIFICATE)
    ocsp = status.response if status else None
    name = config.verify_name or h.name
    if VerifyPeer in config.ask:
        verified = yield VerifyPeer(chain, name, ocsp, h.facts.get("scts", ()))
    else:
        usage = "encipher" if keys.suite.kx == "RSA" else "sign"
        verified = config.judge.verify_server(
            chain, name or "", config.now(), usage=usage, ocsp=ocsp, note=h.note
        )
    h.facts.update(peer_chain=chain, verified_chain=verified.chain, ocsp_response=ocsp)
    key, pss_key = verified.leaf_key, verified.pss_key
    check_key_kind(key, keys.suite, pss_key=pss_key)
    if not usable_ec_curve(key, h.policy.groups):
        refuse(Reason.WRONG_CERTIFICATE_CURVE, key.curve.name)
    return key, pss_key


def check_key_kind(key: Any, suite: Suite, *, pss_key: bool) -> None:
    """RFC 5246 section 7.4.2, RFC 8422 section 5.3: which keys go with which suites.

    A key that says id-RSASSA-PSS is for signatures alone (RFC 4055 section 1.2).
    """
    kind = kind_of(key, pss_key=pss_key) or "?"
    if suite.auth == "RSA" and kind not in (("rsa",) if suite.kx == "RSA" else ("rsa", "rsa-pss")):
        refuse(Reason.WRONG_CERTIFICATE_KEY, f"a {kind} key with {suite.name}")
    if suite.auth == "ECDSA" and kind not in ("ecdsa", "ed25519", "ed448"):
        refuse(Reason.WRONG_CERTIFICATE_KEY, f"a {kind} key with {suite.name}")


def read_key_exchange(
    h: Handshake, keys: Keys12, message: ServerKeyExchange, leaf_key: Any, pss_key: bool
) -> Any:
    """ServerKeyExchange in the suite's form (RFC 8422 section 5.4, RFC 4279 and RFC 5489 section 2)."""
    kx = keys.suite.kx
    if kx == "PSK":
        return ServerKeyExchangePSK.decode(message.content)
    if kx == "ECDHE_PSK":
        return check_curve(h, ServerKeyExchangeECDHEPSK.decode(message.content))
    exchange = check_curve(h, ServerKeyExchangeECDHE.decode(message.content))
    scheme = exchange.algorithm
    known = SCHEMES.get(scheme)
    if known is None or not known.tls12 or scheme not in h.policy.signature_schemes:
        refuse(Reason.UNOFFERED_SIGNATURE_SCHEME, SignatureScheme.name_of(scheme))
    signed = keys.randoms + exchange.params.encode()
    verify(scheme, leaf_key, exchange.signature, signed, tls13=False, pss_key=pss_key)
    h.facts["signature_scheme"] = scheme
    if h.note is not None:
        rule = "the server's choice among ours"
        h.note(("decision", "signature_scheme", h.policy.signature_schemes, (), scheme, rule))
    return exchange


def check_curve(h: Handshake, exchange: Any) -> Any:
    """The server's curve must be a named one of ours (RFC 8422 section 5.4)."""
    params = exchange.params
    if params.curve_type != 3 or params.namedcurve not in h.policy.groups12:
        refuse(Reason.WRONG_CURVE, NamedGroup.name_of(params.namedcurve))
    h.facts["group"] = params.namedcurve
    if h.note is not None:
        h.note(("decision", "group", h.policy.groups12, (), params.namedcurve, "the server's choice"))
    return exchange


def choose_identity(h: Handshake, config: ClientConfig, request: CertificateRequest12) -> Any:
    """What we can show that the server can verify (RFC 5246 section 7.4.4). May be nothing."""
    schemes = request.supported_signature_algorithms
    types = request.certificate_types
    raw_key = client_shows_raw_key(h)

    def fits(one: Any) -> int | None:
        if (1 if one.kind.startswith("rsa") else 64) not in types or not (one.chain or raw_key):
            return None
        return choose_scheme(one, schemes, h.policy.signature_schemes, tls13=False)

    def choose() -> Any:
        usable = [one for one in config.identities if fits(one) is not None]
        if request.certificate_authorities:
            from pellucid.trust.peer import issued_by

            usable = [o for o in usable if issued_by(o.chain, request.certificate_authorities)] or usable
        return usable[0] if usable else None

    kind = RAW_PUBLIC_KEY if raw_key else 0
    question = SelectIdentity(h.name, schemes, request.certificate_authorities, kind, types)
    identity = yield from h.ask(question, choose)
    scheme = fits(identity) if identity is not None else None
    if scheme is None:
        return None, 0
    return identity, scheme


def send_key_exchange(h: Handshake, keys: Keys12, exchange: Any, leaf_key: Any) -> Any:
    """ClientKeyExchange; returns the pre-master secret (RFC 5246 section 7.4.7)."""
    kx = keys.suite.kx
    if kx == "RSA":
        from pellucid.legacy.static_rsa import encrypt_premaster, make_premaster

        pre_master = make_premaster(0x0303, h.config.random)
        h.send(ClientKeyExchangeRSA(encrypt_premaster(leaf_key, pre_master, h.config.hidden)))
        return pre_master
    if kx == "ECDHE":
        public, shared = GROUPS[exchange.params.namedcurve].respond(exchange.params.public, h.config.random)
        h.send(ClientKeyExchangeECDHE(public))
        return shared
    psk = yield from choose_psk(h, exchange.psk_identity_hint if exchange is not None else b"")
    if kx == "PSK":
        h.send(ClientKeyExchangePSK(psk.identity))
        return psk_pre_master(bytes(len(psk.secret)), psk.secret)
    public, shared = GROUPS[exchange.params.namedcurve].respond(exchange.params.public, h.config.random)
    h.send(ClientKeyExchangeECDHEPSK(psk.identity, public))
    return psk_pre_master(shared, psk.secret)


def choose_psk(h: Handshake, hint: bytes) -> Any:
    """The first key; the hint is only for people who agreed on what it means (RFC 4279 section 5.2)."""
    fitting = (one for one in h.config.psks if not one.imported and one.role != "server")
    psk: PreSharedKey | None = yield from h.ask(FindPsk((), hint), lambda: next(fitting, None))
    if psk is None:
        refuse(Reason.UNKNOWN_PSK_IDENTITY, f"the server hints at {hint!r}")
    h.facts.update(external_psk=True, psk_identity=psk.identity)
    return psk


# -- the end -----------------------------------------------------------------------------------------


def finish(
    h: Handshake,
    config: ClientConfig,
    keys: Keys12,
    hello: ServerHello,
    ticket: NewSessionTicket12 | None,
    *,
    first_finished: bytes,
    old: Session | None,
) -> None:
    """Exporter, tls-unique (the first Finished, RFC 5929 section 3), and the session to resume."""
    conn = h.conn
    conn._exporter = (keys.suite.hash, keys.master, keys.randoms)
    conn._master = first_finished
    conn._completed()
    new: SessionReceived | None = None
    if ticket is not None and ticket.ticket:
        new = new_session(h, config, keys, ticket.ticket, b"", ticket.ticket_lifetime_hint or 7200)
    elif old is None and hello.legacy_session_id_echo:
        new = new_session(h, config, keys, b"", hello.legacy_session_id_echo, 7200)
    if new is None and old is None:
        conn._revoke = None
        return

    def revoke() -> None:
        if old is not None:
            old.revoke()
        if new is not None:
            new.session.revoke()

    conn._revoke = revoke


def new_session(
    h: Handshake, config: ClientConfig, keys: Keys12, ticket: bytes, session_id: bytes, lifetime: int
) -> SessionReceived:
    """What resumes this connection, by a ticket or a session id; `lifetime` in seconds."""
    now, binding = int(config.now() * 1000), session_binding(config, h.name)
    make = partial(session_of, h.conn.info, keys.master, ticket, session_id, now, lifetime, binding)
    return keep_session(h.conn, make)


def session_of(
    info: ConnectionInfo,
    master: Secret,
    ticket: bytes,
    session_id: bytes,
    now: int,
    lifetime: int,
    binding: bytes,
) -> Session:
    """The session that came at `now`."""
    return Session(
        FORMAT,
        0x0303,
        info.cipher_suite,
        master,
        ticket,
        now,
        min(lifetime, 604_800),
        0,
        0,
        int(info.extended_master_secret),
        int(info.encrypt_then_mac),
        info.group or 0,
        info.signature_scheme or 0,
        (info.server_name or "").encode(),
        (info.alpn or "").encode("latin-1"),
        binding,
        session_id,
        info.peer_chain,
        info.verified_chain,
        info.ocsp_response or b"",
        info.scts,
        b"",
        info.peer_public_key or b"",
    )
