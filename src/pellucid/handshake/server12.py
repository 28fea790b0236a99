"""The server's side of TLS 1.2, from ClientHello to the end: RFC 5246 figures 1 and 2.

RFC 5246 section 7.4; RFC 8422 (ECDHE); RFC 5077 (tickets); RFC 7627; RFC 5746; RFC 6066 section 8.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pellucid.config import TLS_1_3, ServerConfig
from pellucid.crypto.groups import GROUPS, PrivateShare
from pellucid.crypto.schedule12 import psk_pre_master
from pellucid.crypto.signatures import SCHEMES, verify
from pellucid.crypto.suites import Suite
from pellucid.errors import PeerMisbehaved, Reason, UsageError, refuse
from pellucid.events import Decrypt, FindPsk, SelectIdentity, VerifyPeer
from pellucid.handshake.authentication import believe_raw_key, choose_scheme, relies_on_sha1, verifiable
from pellucid.handshake.certificate_types import RAW_PUBLIC_KEY, choose_types, client_shows_raw_key
from pellucid.handshake.choices import acknowledges_name, choose_alpn, our_first, ranked_suites
from pellucid.handshake.context import EXPECT_CCS, Expect, Handshake, Steps, agree_on_size
from pellucid.handshake.keys12 import CLIENT_FINISHED, SERVER_FINISHED, Keys12, usable_ec_curve
from pellucid.handshake.server13 import accept_fragment_length
from pellucid.handshake.tickets import ticket_content, unusable
from pellucid.limits import MAX_PLAINTEXT
from pellucid.resumption.sessions import Session, Ticket, TicketContent
from pellucid.resumption.tickets import why_not
from pellucid.secret import Secret
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import (
    CipherSuite,
    HandshakeType,
    NamedGroup,
    SignatureScheme,
)
from pellucid.wire.language import ExtensionMap
from pellucid.wire.messages import (
    DOWNGRADE_TO_12,
    Certificate12,
    CertificateRequest12,
    CertificateStatus,
    CertificateVerify,
    ClientHello,
    ClientKeyExchange,
    ClientKeyExchangeECDHE,
    ClientKeyExchangeECDHEPSK,
    ClientKeyExchangePSK,
    ClientKeyExchangeRSA,
    Finished,
    NewSessionTicket12,
    RawPublicKey12,
    ServerECDHParams,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchangeECDHE,
    ServerKeyExchangeECDHEPSK,
    ServerKeyExchangePSK,
)

if TYPE_CHECKING:
    from pellucid.trust.identity import Identity

_RENEGOTIATION_SCSV = int(CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
T = HandshakeType
EXPECT_CERTIFICATE: Expect = {T.certificate: Certificate12}
EXPECT_RAW_PUBLIC_KEY: Expect = {T.certificate: RawPublicKey12}
EXPECT_KEY_EXCHANGE: Expect = {T.client_key_exchange: ClientKeyExchange}
EXPECT_CERTIFICATE_VERIFY: Expect = {T.certificate_verify: CertificateVerify}
EXPECT_FINISHED: Expect = {T.finished: Finished}

DEFAULT_SCHEMES_12 = (SignatureScheme.rsa_pkcs1_sha1, SignatureScheme.ecdsa_sha1)  # RFC 5246 7.4.1.4.1


class Choice12:
    """What the server chose for a full handshake."""

    __slots__ = ("group", "identity", "scheme", "suite")

    def __init__(self, suite: Suite, identity: Identity | None, scheme: int, group: int | None) -> None:
        self.suite = suite
        self.identity = identity
        self.scheme = scheme
        self.group = group


def server12(h: Handshake, config: ServerConfig, hello: ClientHello) -> Steps:
    """ClientHello is here, and TLS 1.2 is chosen."""
    h.conn._ccs_allowed = False
    if h.conn._ccs_seen:  # only TLS 1.3 has dummies
        refuse(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "in front of ClientHello")
    extended = check_client_hello(h, hello)
    h.facts.update(version=0x0303, extended_master_secret=extended, resumed=False)
    choose_alpn(h, config, hello)
    ticket = find_ticket(h, config, hello, extended)
    h.transcript.add(hello.raw)
    random = h.config.random(32)
    if TLS_1_3 in h.policy.versions:
        random = random[:24] + DOWNGRADE_TO_12  # RFC 8446 4.1.3
    if ticket is not None:
        yield from resume(h, config, hello, ticket, random)
    else:
        yield from full_handshake(h, config, hello, random)


# -- ClientHello -------------------------------------------------------------------------------------


def check_client_hello(h: Handshake, hello: ClientHello) -> bool:
    """RFC 5246 section 7.4.1.2, RFC 5746 section 3.6, RFC 7627 section 5.2. Returns: extended?"""
    found = hello.extensions
    if 0 not in hello.legacy_compression_methods:
        refuse(Reason.BAD_COMPRESSION_LIST)
    for kind in ext.EMPTY_IN_CLIENT_HELLO & found.keys():
        if found[kind]:
            refuse(Reason.ERROR_PARSING_EXTENSION, f"{X.name_of(kind)} must be empty")
    info = found.get(X.renegotiation_info)
    if info is not None and ext.RenegotiationInfo.recall(info).renegotiated_connection:
        refuse(Reason.RENEGOTIATION_MISMATCH)
    signalled = info is not None or _RENEGOTIATION_SCSV in hello.cipher_suites
    h.facts["secure_renegotiation"] = signalled
    if X.ec_point_formats in found:
        formats = ext.ECPointFormats.recall(found[X.ec_point_formats]).ec_point_format_list
        if 0 not in formats:
            refuse(Reason.BAD_EC_POINT_FORMAT)
    extended = X.extended_master_secret in found
    if not extended and h.policy.require_extended_master_secret:
        refuse(Reason.EMS_REQUIRED)
    return extended


def find_ticket(h: Handshake, config: ServerConfig, hello: ClientHello, extended: bool) -> Ticket | None:
    """What the ticket or session id stands for, if it may be resumed here (RFC 5077, RFC 7627 5.3)."""
    shown = hello.extensions.get(X.session_ticket)
    store: Any
    if shown and config.session_ticket_12:
        name, store = shown, config.issuer
    elif hello.legacy_session_id and config.session_cache is not None:
        name, store = hello.legacy_session_id, config.session_cache
    else:
        return None
    ticket, why = None, ""
    opened = store.open(name)
    if opened is not None:
        try:
            ticket = TicketContent.opened(opened)
        except UsageError:
            why = "it is of another release's format"
        else:
            why = unusable12(h, config, hello, ticket, extended)
    resumed = ticket is not None and not why
    # A client of TLS 1.3 sends a session id that means nothing (RFC 8446 appendix D.4).
    if h.note is not None and (resumed or shown or X.supported_versions not in hello.extensions):
        rule = "the ticket or session id is known and fits" if resumed else why or why_not(store, name)
        h.note(("decision", "resumption", (), (), resumed, rule))
    return ticket if resumed else None


def unusable12(h: Handshake, config: ServerConfig, hello: ClientHello, ticket: Ticket, extended: bool) -> str:
    """Why a session of ours may not be resumed in this TLS 1.2 handshake; "" where it may (RFC 7627 5.3)."""
    why = unusable(h, config, ticket, 0x0303, config.now())
    if why:
        return why
    session = ticket.session
    if session.cipher_suite not in hello.cipher_suites or session.cipher_suite not in h.policy.suites:
        return "its cipher suite is not acceptable to both any more"
    if not still_first(h, config, hello, session):
        return "a full handshake would come to a better cipher suite"
    if session.extended_master_secret and not extended:
        refuse(Reason.RESUMED_WITHOUT_EMS)
    if extended and not session.extended_master_secret:
        return "it was made without extended_master_secret"  # a full handshake instead
    return ""


def still_first(h: Handshake, config: ServerConfig, hello: ClientHello, session: Session) -> bool:
    """Whether a full handshake would come to this suite too: a session holds nobody to an older one."""
    auth = h.policy.suites[session.cipher_suite].auth
    alike = (one.code for one in ranked_suites(h, config, hello, tls13=False) if one.auth == auth)
    return next(alike) == session.cipher_suite


def answer_extensions(h: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite) -> ExtensionMap:
    """Our answers, in clear (RFC 5246 section 7.4.1.4)."""
    offered = hello.extensions
    found: ExtensionMap = {}
    if h.facts["secure_renegotiation"]:
        found[X.renegotiation_info] = b"\0"
    if h.facts["extended_master_secret"]:
        found[X.extended_master_secret] = b""
    if acknowledges_name(h, config):
        found[X.server_name] = b""
    if X.ec_point_formats in offered and suite.kx.startswith("ECDHE"):
        found[X.ec_point_formats] = b"\x01\x00"
    if X.encrypt_then_mac in offered and suite.cbc is not None and h.policy.encrypt_then_mac:
        found[X.encrypt_then_mac] = b""
    if "alpn" in h.facts:
        name = h.facts["alpn"].encode("latin-1")
        found[X.application_layer_protocol_negotiation] = ext.ProtocolNames((name,)).encode()
    limit = offered.get(X.record_size_limit)
    if limit is not None:  # RFC 8449 4: answered without need of our own, so that theirs is respected
        agree_on_size(h, ext.RecordSizeLimit.decode(limit).record_size_limit, tls13=False)
        ours = h.policy.record_size_limit or MAX_PLAINTEXT
        found[X.record_size_limit] = ext.RecordSizeLimit(ours).encode()
    elif X.max_fragment_length in offered:
        found[X.max_fragment_length] = accept_fragment_length(h, offered[X.max_fragment_length])
    if X.session_ticket in offered and config.session_ticket_12:
        found[X.session_ticket] = b""
    return found


# -- the abbreviated handshake -----------------------------------------------------------------------


def resume(h: Handshake, config: ServerConfig, hello: ClientHello, ticket: Ticket, random: bytes) -> Steps:
    """Figure 2: we finish first."""
    session = ticket.session
    suite = h.policy.suites[session.cipher_suite]
    h.suite = suite
    h.facts.update(cipher_suite=suite.code, resumed=True)
    h.facts.update(peer_chain=session.peer_chain, verified_chain=session.verified_chain)
    h.facts.update(signature_scheme=session.signature_scheme or None, group=session.group or None)
    h.facts["peer_public_key"] = session.peer_public_key or None
    extensions = answer_extensions(h, config, hello, suite)
    choose_types(h, config, hello.extensions, extensions, resumed=True)
    session_id = hello.legacy_session_id
    if config.session_cache is not None:
        h.conn._revoke = partial(config.session_cache.discard, session_id)
    h.transcript.start(suite.hash)
    h.send(ServerHello(0x0303, random, session_id, suite.code, 0, extensions))
    etm = X.encrypt_then_mac in extensions
    keys = Keys12(h, suite, hello.random + random, encrypt_then_mac=etm)
    h.facts["encrypt_then_mac"] = etm
    keys.resume(ticket.secret)
    if X.session_ticket in extensions:
        send_ticket(h, config, keys)
    keys.write_keys(client=False)
    mine = keys.send_finished(SERVER_FINISHED)
    yield EXPECT_CCS
    keys.read_keys(client=True)
    finished: Finished = yield EXPECT_FINISHED
    keys.check_finished(finished, CLIENT_FINISHED)
    finish(h, keys, mine)


# -- the full handshake ------------------------------------------------------------------------------


def full_handshake(h: Handshake, config: ServerConfig, hello: ClientHello, random: bytes) -> Steps:
    """Figure 1."""
    types: ExtensionMap = {}
    choose_types(h, config, hello.extensions, types)
    choice = yield from choose(h, config, hello)
    suite: Suite = choice.suite
    h.suite = suite
    h.facts.update(cipher_suite=suite.code, group=choice.group)
    extensions = answer_extensions(h, config, hello, suite)
    if suite.auth != "PSK":
        extensions.update(types)
    identity: Identity | None = choice.identity
    staple = identity is not None and identity.ocsp is not None and X.status_request in hello.extensions
    if staple:
        extensions[X.status_request] = b""
    if identity is not None and identity.scts and X.signed_certificate_timestamp in hello.extensions:
        extensions[X.signed_certificate_timestamp] = ext.SignedCertificateTimestamps(identity.scts).encode()
    session_id = b""
    if config.session_cache is not None and X.session_ticket not in extensions:
        session_id = h.config.random(32)
    h.transcript.start(suite.hash, keep=config.client_auth != "none")
    h.send(ServerHello(0x0303, random, session_id, suite.code, 0, extensions))
    keys = Keys12(h, suite, hello.random + random, encrypt_then_mac=X.encrypt_then_mac in extensions)
    h.facts["encrypt_then_mac"] = keys.encrypt_then_mac
    if identity is not None:
        h.facts["own_chain"] = identity.chain
        send_certificate(h, identity)
        if staple and identity.ocsp is not None:
            h.send(CertificateStatus(1, identity.ocsp))
    share = yield from send_key_exchange(h, config, keys, choice)
    asked = config.client_auth != "none" and suite.auth != "PSK"
    if asked:
        send_certificate_request(h, config)
    h.send(ServerHelloDone())

    peer_key, pss_key = None, False
    if asked:
        certificate: Certificate12 | RawPublicKey12 = yield (
            EXPECT_RAW_PUBLIC_KEY if client_shows_raw_key(h) else EXPECT_CERTIFICATE
        )
        h.transcript.add(certificate.raw)
        peer_key, pss_key = yield from verify_client(h, config, certificate)
    exchange: ClientKeyExchange = yield EXPECT_KEY_EXCHANGE
    h.transcript.add(exchange.raw)
    pre_master = yield from read_key_exchange(h, config, keys, hello, choice, share, exchange)
    keys.from_pre_master(pre_master, extended=bool(h.facts["extended_master_secret"]))
    if peer_key is not None:
        proof: CertificateVerify = yield EXPECT_CERTIFICATE_VERIFY
        check_certificate_verify(h, proof, peer_key, pss_key=pss_key)
        h.transcript.add(proof.raw)
    h.transcript.forget()
    yield EXPECT_CCS
    keys.read_keys(client=True)
    finished: Finished = yield EXPECT_FINISHED
    theirs = keys.check_finished(finished, CLIENT_FINISHED)
    if X.session_ticket in extensions:
        send_ticket(h, config, keys)
    elif session_id and config.session_cache is not None:
        config.session_cache.put(session_id, remembered(h, config, keys))
        h.conn._revoke = partial(config.session_cache.discard, session_id)
    keys.write_keys(client=False)
    keys.send_finished(SERVER_FINISHED)
    finish(h, keys, theirs)


def choose(h: Handshake, config: ServerConfig, hello: ClientHello) -> Any:
    """Suite, certificate, scheme and group must suit each other: the first suite for which all do."""
    found = hello.extensions
    ranked = ranked_suites(h, config, hello, tls13=False)
    if X.supported_groups in found:
        groups = ext.SupportedGroups.recall(found[X.supported_groups]).named_group_list
    else:  # RFC 8422 4: no extension, no restriction
        groups = (NamedGroup.secp256r1,)
    schemes: tuple[int, ...] = DEFAULT_SCHEMES_12
    if X.signature_algorithms in found:
        schemes = ext.SignatureSchemes.recall(found[X.signature_algorithms]).supported_signature_algorithms
    h.facts["peer_signature_schemes"] = schemes
    group = our_first(h.policy.groups12, groups)
    listed = found.get(X.certificate_authorities)
    authorities = ext.CertificateAuthorities.decode(listed).authorities if listed is not None else ()
    given: Identity | None = None
    if SelectIdentity in config.ask:
        kind = RAW_PUBLIC_KEY if shows_raw_key(h) else 0
        given = yield SelectIdentity(h.name, schemes, authorities, kind)
    candidates = candidates_for(h, config, given, schemes)
    why = Reason.NO_SHARED_CIPHER
    for suite in ranked:
        if suite.kx.startswith("ECDHE") and group is None:
            why = Reason.NO_SHARED_GROUP
            continue
        if suite.auth == "PSK":
            if config.psks or FindPsk in config.ask:
                return tell(h, hello, Choice12(suite, None, 0, group if suite.kx == "ECDHE_PSK" else None))
            continue
        for identity in candidates:
            if not suits(identity, suite, groups):
                continue
            if suite.kx == "RSA":
                return tell(h, hello, Choice12(suite, identity, 0, None))
            scheme = choose_scheme(identity, schemes, h.policy.signature_schemes, tls13=False)
            if scheme is not None:
                return tell(h, hello, Choice12(suite, identity, scheme, group))
            why = Reason.NO_COMMON_SIGNATURE_SCHEME
    refuse(why, "no suite fits both our certificates and the client's offer")


def candidates_for(
    h: Handshake, config: ServerConfig, given: Identity | None, schemes: tuple[int, ...]
) -> list[Identity]:
    """The identities to try, best first: by name, then those that the client can verify to the top."""
    if given is not None:
        return [given]
    raw_key = shows_raw_key(h)
    ranked = list(config.identities)
    if len(ranked) > 1:
        from pellucid.trust.identity import choose as by_name

        ranked = by_name(config.identities, h.name)
    ranked = [one for one in ranked if raw_key or one.chain]
    if len(ranked) > 1 and not raw_key:
        ranked.sort(key=lambda one: (-one.match_rank(h.name), not verifiable(one, schemes)))
    return [one for one in ranked if raw_key or not relies_on_sha1(one, schemes)]


def shows_raw_key(h: Handshake) -> bool:
    """Whether our certificate is to be a raw public key (RFC 7250)."""
    return h.certificate_types.get("server_certificate_type") == RAW_PUBLIC_KEY


def tell(h: Handshake, hello: ClientHello, choice: Choice12) -> Choice12:
    """Tell the choices to whoever looks."""
    if h.note is not None:
        rule = "our first that suits the certificate"
        h.note(("decision", "cipher_suite", hello.cipher_suites, h.policy.suites, choice.suite.code, rule))
    if choice.identity is not None and h.note is not None:
        rule = "by name, then by the suite's kind"
        h.note(("decision", "certificate", (h.name,), (), choice.identity.kind, rule))
    if choice.scheme and h.note is not None:
        rule = "our first that fits the key and that the client takes"
        h.note(("decision", "signature_scheme", h.facts["peer_signature_schemes"], (), choice.scheme, rule))
    if choice.group is not None and h.note is not None:
        h.note(("decision", "group", (), h.policy.groups12, choice.group, "our first that the client knows"))
    return choice


def suits(identity: Identity, suite: Suite, groups: tuple[int, ...]) -> bool:
    """RFC 5246 section 7.4.2, RFC 8422 section 5.3."""
    if suite.auth == "RSA":
        if suite.kx == "RSA":
            return identity.kind == "rsa" and (identity.key is not None or identity.signer is not None)
        return identity.kind in ("rsa", "rsa-pss")
    if identity.kind == "ecdsa":
        return usable_ec_curve(identity.public_key, groups)
    return identity.kind in ("ed25519", "ed448")


def send_certificate(h: Handshake, identity: Identity) -> None:
    """Certificate (RFC 5246 section 7.4.2, RFC 7250 section 3), encoded once."""
    raw_key = shows_raw_key(h)
    key = ("TLS 1.2", raw_key)
    encoded = identity.cache.get(key)
    if encoded is None:
        message = RawPublicKey12(identity.raw_public_key) if raw_key else Certificate12(identity.chain)
        encoded = identity.cache[key] = message.to_handshake()
    h.send_raw(encoded)


def send_key_exchange(h: Handshake, config: ServerConfig, keys: Keys12, choice: Choice12) -> Any:
    """ServerKeyExchange, where the suite has one (RFC 8422 section 5.4). Returns our private share."""
    kx = choice.suite.kx
    if kx == "RSA":
        return None
    if kx == "PSK":
        if config.psk_identity_hint:
            h.send(ServerKeyExchangePSK(config.psk_identity_hint))
        return None
    group = GROUPS[choice.group or 0]
    share = group.generate(h.config.random)
    params = ServerECDHParams(3, group.code, share.public)
    if kx == "ECDHE_PSK":
        h.send(ServerKeyExchangeECDHEPSK(config.psk_identity_hint, params))
        return share
    if choice.identity is None:
        refuse(Reason.NO_IDENTITY)
    signature = yield from h.sign(choice.identity, choice.scheme, keys.randoms + params.encode())
    h.send(ServerKeyExchangeECDHE(params, choice.scheme, signature))
    return share


def send_certificate_request(h: Handshake, config: ServerConfig) -> None:
    """RFC 5246 section 7.4.4."""
    names = config.certificate_authorities
    if names is None:
        names = config.client_trust.subjects if config.client_trust is not None else ()
    schemes = tuple(s for s in h.policy.signature_schemes if SCHEMES[s].tls12)
    h.facts["client_certificate_requested"] = True
    h.send(CertificateRequest12((64, 1), schemes, names))


def verify_client(h: Handshake, config: ServerConfig, message: Certificate12 | RawPublicKey12) -> Any:
    """The client's chain; none is an answer too (RFC 5246 section 7.4.6).

    Returns its key, or None, and whether that says id-RSASSA-PSS.
    """
    chain = message.certificate_list if isinstance(message, Certificate12) else ()
    if isinstance(message, RawPublicKey12) and message.subject_public_key_info:
        spki = (message.subject_public_key_info,)
        return (yield from believe_raw_key(h, spki, config.trusted_public_keys)), False
    if not chain:
        if config.client_auth == "require":
            raise PeerMisbehaved(Reason.CERTIFICATE_REQUIRED, alert=40)  # RFC 5246 7.4.6: handshake_failure
        return None, False
    trust = config.client_trust
    if trust is None and VerifyPeer not in config.ask:
        refuse(Reason.UNKNOWN_CA, "no authority for clients is configured")
    question = VerifyPeer(chain, None, None, ())
    verified = yield from h.ask(
        question, lambda: trust.verify_client(chain, config.now(), note=h.note) if trust else None
    )
    h.facts.update(peer_chain=chain, verified_chain=verified.chain)
    return verified.leaf_key, verified.pss_key


def check_certificate_verify(h: Handshake, message: CertificateVerify, key: Any, *, pss_key: bool) -> None:
    """RFC 5246 section 7.4.8: the signature covers all messages so far."""
    scheme = message.algorithm
    known = SCHEMES.get(scheme)
    if known is None or not known.tls12 or scheme not in h.policy.signature_schemes:
        refuse(Reason.UNOFFERED_SIGNATURE_SCHEME, SignatureScheme.name_of(scheme))
    verify(scheme, key, message.signature, h.transcript.messages, tls13=False, pss_key=pss_key)
    h.facts["signature_scheme"] = scheme


def read_key_exchange(
    h: Handshake,
    config: ServerConfig,
    keys: Keys12,
    hello: ClientHello,
    choice: Choice12,
    share: PrivateShare | None,
    message: ClientKeyExchange,
) -> Any:
    """ClientKeyExchange; returns the pre-master secret (RFC 5246 section 7.4.7)."""
    kx = choice.suite.kx
    if kx == "RSA":
        return (yield from decrypt_pre_master(h, config, hello, choice, message.content))
    if kx == "ECDHE" and share is not None:
        return agree(h, share, ClientKeyExchangeECDHE.decode(message.content).ecdh_Yc)
    exchange: Any
    if kx == "PSK":
        exchange = ClientKeyExchangePSK.decode(message.content)
    else:
        exchange = ClientKeyExchangeECDHEPSK.decode(message.content)
    identity = exchange.psk_identity
    psk = yield from h.ask(
        FindPsk((identity,)), lambda: next((one for one in config.psks if one.identity == identity), None)
    )
    if psk is None:
        refuse(Reason.UNKNOWN_PSK_IDENTITY, repr(identity))
    if psk.role == "client":
        refuse(Reason.SELFIE)
    h.facts.update(external_psk=True, psk_identity=identity)
    if kx == "PSK" or share is None:
        return psk_pre_master(bytes(len(psk.secret)), psk.secret)
    return psk_pre_master(agree(h, share, exchange.ecdh_Yc), psk.secret)


def agree(h: Handshake, share: PrivateShare, public: bytes) -> Secret:
    """The (EC)DHE secret (RFC 8422 section 5.10)."""
    return share.finish(public)


def decrypt_pre_master(
    h: Handshake, config: ServerConfig, hello: ClientHello, choice: Choice12, content: bytes
) -> Any:
    """Static RSA: any fault in the ciphertext shows in the Finished only (RFC 5246 section 7.4.7.1)."""
    from pellucid.legacy import static_rsa

    sealed = ClientKeyExchangeRSA.decode(content).encrypted_pre_master_secret
    identity = choice.identity
    if identity is None:
        refuse(Reason.NO_IDENTITY)
    if Decrypt in config.ask or identity.key is None:
        fallback = static_rsa.make_premaster(hello.legacy_version, h.config.random)
        opened = yield Decrypt(sealed)
        return static_rsa.select_premaster(opened, fallback)
    key, hidden = identity.key, h.config.hidden
    return static_rsa.decrypt_premaster_with(
        lambda content: hidden("RSA decryption", lambda: static_rsa.decrypt(key, content)),
        sealed,
        hello.legacy_version,
        h.config.random,
    )


# -- the end -----------------------------------------------------------------------------------------


def remembered(h: Handshake, config: ServerConfig, keys: Keys12) -> bytes:
    """What resumes this connection: for the client to keep, sealed, or for us, under a session id."""
    etm, group = keys.encrypt_then_mac, h.facts.get("group") or 0
    content = ticket_content(h, config, 0x0303, keys.suite, group=group, encrypt_then_mac=etm)
    content.secret = keys.master
    return content.encode()


def send_ticket(h: Handshake, config: ServerConfig, keys: Keys12) -> None:
    """RFC 5077 section 3.3."""
    ticket = config.issuer.seal(remembered(h, config, keys))
    h.send(NewSessionTicket12(config.ticket_lifetime, ticket))


def finish(h: Handshake, keys: Keys12, first_finished: bytes) -> None:
    """Exporter and tls-unique."""
    conn = h.conn
    conn._exporter = (keys.suite.hash, keys.master, keys.randoms)
    conn._master = first_finished
    conn._completed()
