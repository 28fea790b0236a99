"""The client's hello, and the server's answer to it, which decides the version.

RFC 8446 sections 4.1.2 (ClientHello), 4.1.3 (ServerHello), 4.1.4 (HelloRetryRequest), 4.2
(extensions), 4.2.11 (pre-shared keys); RFC 8701 (GREASE); RFC 5746; RFC 7507.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from pellucid.config import TLS_1_2, TLS_1_3, ClientConfig
from pellucid.crypto.groups import GROUPS, PrivateShare
from pellucid.errors import Reason, UsageError, refuse
from pellucid.events import VerifyPeer
from pellucid.handshake.client12 import client12
from pellucid.handshake.client13 import check_server_hello, client13, refuse_early_data
from pellucid.handshake.context import Expect, Handshake, Steps, early_exporter
from pellucid.handshake.offer import Offer, binder_label, key_schedule, psk_hash, session_binding
from pellucid.protection import EARLY, PlainSealing
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import Session
from pellucid.trust.names import normal_name
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import GREASE_VALUES, CipherSuite, HandshakeType, NamedGroup
from pellucid.wire.language import ExtensionMap
from pellucid.wire.messages import (
    DOWNGRADE_TO_11,
    DOWNGRADE_TO_12,
    RETRY_RANDOM,
    ClientHello,
    ServerHello,
)

if TYPE_CHECKING:
    pass

EXPECT_SERVER_HELLO: Expect = {HandshakeType.server_hello: ServerHello}


def client(h: Handshake) -> Steps:
    """The client's side of any handshake, from the first byte."""
    config = h.config
    if not isinstance(config, ClientConfig):
        raise UsageError(Reason.BAD_CONFIG, "a client needs a ClientConfig")
    check_name(h, config)
    offer = Offer()
    send_client_hello(h, config, offer)
    hello: ServerHello = yield EXPECT_SERVER_HELLO
    version = check_version(h, hello)
    h.conn._version = version
    if version == TLS_1_3:
        if hello.random == RETRY_RANDOM:
            h.no_leftovers()
            answer_retry(h, config, offer, hello)
            retry, hello = hello, (yield EXPECT_SERVER_HELLO)
            if hello.random == RETRY_RANDOM:
                refuse(Reason.SECOND_RETRY)
            if hello.extensions.get(X.supported_versions) != retry.extensions[X.supported_versions]:
                refuse(Reason.RETRY_MISMATCH, "another version")
            check_version(h, hello)
            if hello.cipher_suite != retry.cipher_suite:
                refuse(Reason.WRONG_CIPHER_RETURNED, "another one than the HelloRetryRequest named")
        yield from client13(h, config, offer, hello)
    else:
        if offer.early is not None:
            refuse(Reason.BAD_EARLY_DATA_ANSWER, "early data was offered, and TLS 1.2 is the answer")
        yield from client12(h, config, offer, hello)


def check_name(h: Handshake, config: ClientConfig) -> None:
    """A client that would verify must know whom; a name must be one (RFC 6066 section 3)."""
    if h.name is not None:
        normal_name(h.name)
    if config.verify_name is not None:
        normal_name(config.verify_name)
    if h.name is not None or config.verify_name is not None:
        return
    excused = VerifyPeer in config.ask or config.psks or config.trusted_public_keys
    if not excused and config.judge.verifies:
        raise UsageError(Reason.BAD_CONFIG, "server_name is missing: for whom should the certificate be?")


def check_version(h: Handshake, hello: ServerHello) -> int:
    """RFC 8446 sections 4.1.3 and 4.2.1: what the server chose, and whether we were tricked into it."""
    selected = hello.extensions.get(X.supported_versions)
    versions = h.policy.versions
    if selected is not None:
        version = ext.SelectedVersion.recall(selected).selected_version
        if hello.legacy_version != TLS_1_2:
            refuse(Reason.BAD_LEGACY_VERSION, f"0x{hello.legacy_version:04x}")
        if version != TLS_1_3 or TLS_1_3 not in versions:
            refuse(Reason.VERSION_NOT_OFFERED, f"0x{version:04x}")
    else:
        version = hello.legacy_version
        if version != TLS_1_2 or TLS_1_2 not in versions:
            refuse(Reason.UNSUPPORTED_PROTOCOL, f"the server chose 0x{version:04x}")
        if TLS_1_3 in versions and hello.random[-8:] in (DOWNGRADE_TO_12, DOWNGRADE_TO_11):
            refuse(Reason.DOWNGRADE_DETECTED)
        if hello.random[-8:] == DOWNGRADE_TO_11:
            refuse(Reason.DOWNGRADE_DETECTED)
    if h.note is not None:
        rule = "the server chooses the highest that both know"
        h.note(("decision", "version", versions, (), version, rule))
    return version


# -- ClientHello -----------------------------------------------------------------------------------


def send_client_hello(h: Handshake, config: ClientConfig, offer: Offer) -> None:
    """Build and send the first ClientHello, and open the way for early data."""
    policy = h.policy
    random = config.random
    choose_sessions(h, config, offer)
    compatible = policy.tls13 and policy.middlebox_compatibility
    session_id = random(32) if compatible else b""
    if offer.session12 is not None:
        session_id = offer.session12.session_id or random(32)
    siblings: dict[int, PrivateShare] = {}  # the classical half of a hybrid serves for its own group too
    for group in policy.shares if policy.tls13 else ():
        offer.shares[group] = share = siblings.get(group) or GROUPS[group].generate(random)
        if share.classical is not None:
            siblings[share.classical.group.code] = share.classical
    suites = list(policy.suites)
    if policy.send_fallback_scsv:
        suites.append(CipherSuite.TLS_FALLBACK_SCSV)
    extensions = hello_extensions(h, config, offer)
    if policy.grease:
        suites.insert(0, grease(config))
    offer.hello = ClientHello(TLS_1_2, random(32), session_id, tuple(suites), (0,), extensions)
    h.client_random = offer.hello.random
    h.write.protection = PlainSealing(0x0301)
    transmit_hello(h, config, offer)
    h.conn._ccs_allowed = policy.tls13  # RFC 8446 5: from here on; TLS 1.2 takes it back
    h.write.protect(PlainSealing())
    if offer.early is not None:
        begin_early_data(h, offer, offer.early)


def hello_extensions(h: Handshake, config: ClientConfig, offer: Offer) -> ExtensionMap:
    """The extensions, in the order in which they are sent; pre_shared_key comes last, later."""
    policy = h.policy
    found: ExtensionMap = {}
    if h.name is not None and config.send_server_name:
        body = server_name_body(h.name)
        if body:
            found[X.server_name] = body
    fixed = config.cache.get("hello")
    if fixed is None:
        fixed = config.cache["hello"] = fixed_extensions(config)
    found.update(fixed)
    if policy.tls12 and config.session_tickets:
        found[X.session_ticket] = (
            offer.session12.ticket if offer.session12 and not offer.session12.session_id else b""
        )
    if policy.tls13:
        entries = [ext.KeyShareEntry(group, share.public) for group, share in offer.shares.items()]
        if policy.grease:
            entries.insert(0, ext.KeyShareEntry(grease(config), b"\0"))
        found[X.key_share] = ext.KeyShareClientHello(tuple(entries)).encode()
        if offer.early is not None:
            found[X.early_data] = b""
    if policy.grease:
        add_grease(config, found)
    if policy.shuffle_extensions:
        keys = sorted(found, key=lambda kind: (config.random(4), kind))
        found = {kind: found[kind] for kind in keys}
    return found


@lru_cache(maxsize=1024)
def server_name_body(name: str) -> bytes:
    """The server_name extension of this name (RFC 6066 section 3); empty for an IP address."""
    normal = normal_name(name)
    return (
        ext.ServerNameList((ext.ServerName(0, normal.encode()),)).encode() if isinstance(normal, str) else b""
    )


def fixed_extensions(config: ClientConfig) -> ExtensionMap:
    """The part that is the same in every ClientHello of this configuration."""
    policy = config.policy
    found: ExtensionMap = {}
    if policy.tls12:
        found[X.extended_master_secret] = b""
        found[X.renegotiation_info] = ext.RenegotiationInfo(b"").encode()
        if any(suite.kx.startswith("ECDHE") for suite in policy.suites.values()):  # RFC 8422 4
            found[X.ec_point_formats] = ext.ECPointFormats((0,)).encode()
        if policy.encrypt_then_mac and any(suite.cbc for suite in policy.suites.values()):
            found[X.encrypt_then_mac] = b""
    groups = policy.groups if policy.tls13 else policy.groups12
    if policy.tls13 or X.ec_point_formats in found:
        found[X.supported_groups] = ext.SupportedGroups(groups).encode()
    if config.alpn:
        found[X.application_layer_protocol_negotiation] = ext.ProtocolNames(config.alpn_names).encode()
    if config.request_ocsp:
        found[X.status_request] = ext.CertificateStatusRequest().encode()
    found[X.signature_algorithms] = ext.SignatureSchemes(policy.signature_schemes).encode()
    if policy.certificate_schemes is not None:
        found[X.signature_algorithms_cert] = ext.SignatureSchemes(policy.certificate_schemes).encode()
    if config.request_scts:
        found[X.signed_certificate_timestamp] = b""
    if policy.record_size_limit is not None:
        limit = policy.record_size_limit + (1 if policy.tls13 else 0)
        found[X.record_size_limit] = ext.RecordSizeLimit(limit).encode()
    elif policy.max_fragment_length is not None:
        code = policy.max_fragment_length.bit_length() - 9
        found[X.max_fragment_length] = ext.MaxFragmentLengthBody(code).encode()
    if config.server_certificate_types != (0,):
        found[X.server_certificate_type] = ext.CertificateTypes(config.server_certificate_types).encode()
    if config.client_certificate_types != (0,):
        found[X.client_certificate_type] = ext.CertificateTypes(config.client_certificate_types).encode()
    if policy.tls13:
        found[X.supported_versions] = ext.SupportedVersions(policy.versions).encode()
        found[X.psk_key_exchange_modes] = ext.PskKeyExchangeModes(policy.psk_modes).encode()
        if policy.certificate_compression:
            found[X.compress_certificate] = ext.CertificateCompressionAlgorithms(
                policy.certificate_compression
            ).encode()
        if config.certificate_authorities:
            found[X.certificate_authorities] = ext.CertificateAuthorities(
                config.certificate_authorities
            ).encode()
        if config.post_handshake_auth:
            found[X.post_handshake_auth] = b""
        if config.tickets is not None:
            found[X.ticket_request] = ext.TicketRequest(*config.tickets).encode()
    return found


def grease(config: ClientConfig) -> int:
    """One of the reserved values (RFC 8701 section 2)."""
    return GREASE_VALUES[config.random(1)[0] & 15]


def add_grease(config: ClientConfig, found: ExtensionMap) -> None:
    """RFC 8701 section 3: a group, a version, and two extensions that nobody knows."""
    listed = found.get(X.supported_groups)
    share = ext.KeyShareClientHello.decode(found[X.key_share]).client_shares if X.key_share in found else ()
    first = share[0].group if share else grease(config)
    if listed is not None:
        groups = ext.SupportedGroups.recall(listed).named_group_list
        found[X.supported_groups] = ext.SupportedGroups((first, *groups)).encode()
    if X.supported_versions in found:
        versions = ext.SupportedVersions.recall(found[X.supported_versions]).versions
        found[X.supported_versions] = ext.SupportedVersions((grease(config), *versions)).encode()
    front, back = grease(config), grease(config)
    if front == back:
        back = GREASE_VALUES[(GREASE_VALUES.index(front) + 1) % 16]
    rest = dict(found)
    found.clear()
    found.update({front: b"", **rest, back: b"\0"})


def transmit_hello(h: Handshake, config: ClientConfig, offer: Offer) -> None:
    """Send the hello; with pre-shared keys, its last bytes are the binders over all before them."""
    hello = offer.hello
    if not offer.psks:
        h.send(hello)
        return
    offered = offered_psks(config, offer.psks)
    body, cut = offered.encode(), -offered.binders_length
    hello.extensions[X.pre_shared_key] = body
    truncated = hello.to_handshake()[:cut]
    before = h.transcript.messages + truncated
    binders = []
    offer.schedules = []
    for psk in offer.psks:
        schedule = key_schedule(h, psk)
        binders.append(schedule.binder(binder_label(psk), schedule.hash.new(before).digest()))
        offer.schedules.append(schedule)
    bound = ext.PskBinders(tuple(binders)).encode()
    hello.extensions[X.pre_shared_key] = body[:cut] + bound
    h.send_raw(truncated + bound)


def offered_psks(config: ClientConfig, psks: Iterable[Session | PreSharedKey]) -> ext.OfferedPsks:
    """RFC 8446 section 4.2.11, with zeros in place of the binders."""
    identities = []
    binders = []
    for psk in psks:
        if isinstance(psk, Session):
            age = max(0, int(config.now() * 1000) - psk.issued_at)
            identities.append(ext.PskIdentity(psk.ticket, (age + psk.age_add) & 0xFFFFFFFF))
        else:
            identities.append(ext.PskIdentity(psk.identity, 0))
        binders.append(bytes(psk_hash(psk).length))
    return ext.OfferedPsks(tuple(identities), tuple(binders))


# -- resumption ------------------------------------------------------------------------------------


def choose_sessions(h: Handshake, config: ClientConfig, offer: Offer) -> None:
    """Which of the configuration's sessions and keys can be offered here."""
    policy = h.policy
    sessions = config.sessions
    if config.session_store is not None:
        sessions = (*sessions, *config.session_store.take(session_binding(config, h.name)))
    if sessions:
        now, binding = config.now(), session_binding(config, h.name)
        for session in sessions:
            if session.expired(now) or session.binding != binding or session.version not in policy.versions:
                continue
            if session.cipher_suite not in policy.suites:
                continue
            if session.alpn and session.alpn not in config.alpn_names and not config.resume_across_alpn:
                continue
            if session.version == TLS_1_3:
                offer.psks.append(session)
            elif offer.session12 is None and config.session_tickets | bool(session.session_id):
                offer.session12 = session
    if policy.tls13 and config.psks:
        hashes = {suite.hash.name for suite in policy.suites.values() if suite.tls13}
        offer.psks += [
            psk for psk in config.psks if psk.hash in hashes and psk.identity and psk.role != "server"
        ]
    first = offer.psks[0] if offer.psks else None
    if (
        config.early_data
        and isinstance(first, Session)
        and first.max_early_data
        and (not first.alpn or first.alpn in config.alpn_names)
    ):
        offer.early = first
    if offer.psks and h.note is not None:
        rule = "tickets and keys that fit this server and this policy"
        h.note(("decision", "psk offer", (), (), len(offer.psks), rule))


def begin_early_data(h: Handshake, offer: Offer, session: Session) -> None:
    """Write 0-RTT data under the first pre-shared key (RFC 8446 sections 2.3 and 4.2.10)."""
    suite = h.policy.suites[session.cipher_suite]
    schedule = offer.schedules[0]
    digest = suite.hash.new(h.transcript.messages).digest()
    traffic = schedule.traffic("client_early_traffic_secret", b"c e traffic", digest)
    h.log_key("CLIENT_EARLY_TRAFFIC_SECRET", traffic.secret)
    early_exporter(h, schedule, digest)
    h.conn._early_sent = []
    h.conn._early_limit = session.max_early_data
    h.facts["early_data"] = "refused"
    if h.policy.middlebox_compatibility:
        h.send_change_cipher_spec()
    h.suite = suite
    h.write_keys(EARLY, traffic)


# -- HelloRetryRequest -----------------------------------------------------------------------------

_RETRY_EXTENSIONS = frozenset({X.supported_versions, X.key_share, X.cookie})


def answer_retry(h: Handshake, config: ClientConfig, offer: Offer, retry: ServerHello) -> None:
    """The server wants another key share, or its cookie back (RFC 8446 section 4.1.4)."""
    suite = check_server_hello(h, offer, retry)
    first = offer.hello
    for kind in retry.extensions:
        if kind not in _RETRY_EXTENSIONS:
            known = kind in first.extensions  # RFC 8446 4.2: then it only stands in the wrong message
            reason = Reason.EXTENSION_NOT_ALLOWED if known else Reason.UNEXPECTED_EXTENSION
            refuse(reason, f"{X.name_of(kind)} in a HelloRetryRequest")
    extensions = dict(first.extensions)
    body = retry.extensions.get(X.key_share)
    cookie = retry.extensions.get(X.cookie)
    if body is None and cookie is None:
        refuse(Reason.EMPTY_RETRY)
    if body is not None:
        group = ext.KeyShareHelloRetryRequest.decode(body).selected_group
        if group not in h.policy.groups:
            refuse(Reason.WRONG_CURVE, f"{NamedGroup.name_of(group)} was not offered")
        if group in offer.shares:
            refuse(Reason.WRONG_CURVE, f"a share of {NamedGroup.name_of(group)} was sent already")
        offer.shares = {group: GROUPS[group].generate(config.random)}
        entry = ext.KeyShareEntry(group, offer.shares[group].public)
        extensions[X.key_share] = ext.KeyShareClientHello((entry,)).encode()
        if h.note is not None:
            rule = "the server asks for it by HelloRetryRequest"
            h.note(("decision", "group", h.policy.groups, (), group, rule))
    if cookie is not None:
        ext.Cookie.decode(cookie)
        extensions[X.cookie] = cookie
    h.transcript.retry(suite.hash)
    h.transcript.add(retry.raw)
    extensions.pop(X.early_data, None)
    extensions.pop(X.pre_shared_key, None)
    offer.psks = [psk for psk in offer.psks if psk_hash(psk) is suite.hash]
    offer.hello = ClientHello(
        first.legacy_version,
        first.random,
        first.legacy_session_id,
        first.cipher_suites,
        first.legacy_compression_methods,
        extensions,
    )
    offer.retried = True
    h.facts["retried"] = True
    h.conn._ccs_allowed = True
    if h.write.protection.epoch == EARLY:
        refuse_early_data(h, offer)
        h.write.protect(PlainSealing())
    elif h.policy.middlebox_compatibility:
        h.send_change_cipher_spec()
    transmit_hello(h, config, offer)


__all__ = ["EXPECT_SERVER_HELLO", "client"]
