"""The server's side of TLS 1.3, from ClientHello to the tickets: RFC 8446 figure 1, left to right.

RFC 8446 sections 4.1.3, 4.1.4, 4.2.2, 4.2.8 to 4.2.11, 4.3, 4.4, 4.6.1, 7.1 and 8.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pellucid.config import ServerConfig
from pellucid.crypto.groups import GROUPS
from pellucid.crypto.schedule13 import KeySchedule, TrafficSecret
from pellucid.crypto.suites import Suite
from pellucid.errors import Reason, refuse
from pellucid.events import FindPsk, SelectIdentity, VerifyPeer
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
    relies_on_sha1,
    send_certificate,
    send_certificate_verify,
    verifiable,
)
from pellucid.handshake.certificate_types import choose_types, client_shows_raw_key
from pellucid.handshake.choices import acknowledges_name, choose_alpn, our_first, ranked_suites
from pellucid.handshake.context import (
    Expect,
    Handshake,
    Steps,
    agree_on_size,
    application_secrets,
    early_exporter,
    handshake_secrets,
)
from pellucid.handshake.psk13 import (
    KnownKeys,
    Resumed,
    choose_psk,
    early_data_refusal,
    find_external_key,
    find_psk,
    issue_tickets,
)
from pellucid.limits import MAX_IDENTITIES_TRIED, MAX_PLAINTEXT, MAX_SKIPPED_EARLY_DATA
from pellucid.protection import APPLICATION, EARLY, HANDSHAKE_KEYS
from pellucid.secret import Secret
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import HandshakeType, NamedGroup, SignatureScheme
from pellucid.wire.language import ExtensionMap, OpaqueVector, Struct, Uint16, field
from pellucid.wire.messages import (
    RETRY_RANDOM,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    ServerHello,
    finished_message,
    handshake,
)

if TYPE_CHECKING:
    from pellucid.trust.identity import Identity

EXPECT_SECOND_CLIENT_HELLO: Expect = {HandshakeType.client_hello: ClientHello}
EXPECT_END_OF_EARLY_DATA: Expect = {HandshakeType.end_of_early_data: EndOfEarlyData}
EXPECT_CERTIFICATE: Expect = {HandshakeType.certificate: Certificate}
EXPECT_ANY_CERTIFICATE: Expect = {
    **EXPECT_CERTIFICATE,
    HandshakeType.compressed_certificate: CompressedCertificate,
}
EXPECT_CERTIFICATE_VERIFY: Expect = {HandshakeType.certificate_verify: CertificateVerify}
EXPECT_FINISHED: Expect = {HandshakeType.finished: Finished}


def server13(h: Handshake, config: ServerConfig, hello: ClientHello) -> Steps:
    """ClientHello is here, and TLS 1.3 is chosen."""
    check_client_hello(hello)
    keys = KnownKeys(config)
    if X.pre_shared_key in hello.extensions and FindPsk in config.ask:
        yield from find_external_key(keys, hello)
    suite = choose_suite(h, config, hello, keys)
    retried = restore_retry(h, config, hello, suite)
    group, client_share = choose_group(h, hello)
    if client_share is None and group is not None:
        hello = yield from retry(h, config, hello, suite, group, keys)
        _, client_share = choose_group(h, hello)
        retried = True
    choose_alpn(h, config, hello)
    psk = choose_psk(h, config, hello, suite, keys, have_group=group is not None)
    if psk is None or psk.with_dhe:
        if group is None or client_share is None:
            refuse(Reason.NO_SHARED_GROUP, f"the client offers {client_groups(hello)}")
    else:
        group, client_share = None, None
    facts = h.facts
    facts["version"], facts["cipher_suite"], facts["group"] = 0x0304, suite.code, group
    facts["retried"] = retried
    refusal = early_data_refusal(h, config, hello, psk, suite, retried=retried)
    early = refusal is None
    h.transcript.add(hello.raw)

    schedule = psk.schedule if psk is not None else KeySchedule(suite.hash, None, h.note)
    early_traffic = None
    if early:
        digest = suite.hash.new(h.transcript.messages).digest()
        early_traffic = schedule.traffic("client_early_traffic_secret", b"c e traffic", digest)
        h.log_key("CLIENT_EARLY_TRAFFIC_SECRET", early_traffic.secret)
        early_exporter(h, schedule, digest)
    share = respond(h, schedule, group, client_share)
    h.transcript.start(suite.hash)
    send_server_hello(h, hello, suite, share, psk)
    h.suite = suite
    if hello.legacy_session_id and not retried:  # a MUST, whatever our policy (appendix D.4)
        h.send_change_cipher_spec()
    h.conn._ccs_allowed = True
    client_secret, server_secret = handshake_secrets(h, schedule)
    h.write_keys(HANDSHAKE_KEYS, server_secret)

    send_encrypted_extensions(h, config, hello, early=early)
    requested = False
    if psk is None:
        requested = yield from server_authentication(h, config, hello)
    mine = server_secret.finished(h.transcript.digest())
    h.send_raw(finished_message(mine))
    client_application, server_application, exporter = application_secrets(h, schedule)
    h.write_keys(APPLICATION, server_application)

    if early_traffic is not None:
        yield from receive_early_data(h, config, hello, schedule, early_traffic, client_secret, psk)
    else:
        if X.early_data in hello.extensions:
            h.read.skip = None if retried else MAX_SKIPPED_EARLY_DATA + config.max_early_data
        h.read_keys(HANDSHAKE_KEYS, client_secret)
    if requested:
        yield from client_authentication(h, config)
    finished: Finished = yield EXPECT_FINISHED
    if not hmac.compare_digest(client_secret.finished(h.transcript.digest()), finished.verify_data):
        refuse(Reason.BAD_FINISHED, "the client's")
    h.transcript.add(finished.raw)
    h.conn._master = mine if h.facts.get("resumed") else finished.verify_data
    h.read_keys(APPLICATION, client_application)
    finish(h, config, hello, schedule, exporter, psk, tickets_sent=early)


# -- ClientHello -------------------------------------------------------------------------------------


def check_client_hello(hello: ClientHello) -> None:
    """RFC 8446 sections 4.1.2 and 9.2."""
    found = hello.extensions
    if hello.legacy_compression_methods != (0,):
        refuse(Reason.BAD_COMPRESSION_LIST)
    if X.pre_shared_key in found and next(reversed(found)) != X.pre_shared_key:
        refuse(Reason.PSK_NOT_LAST)
    if X.pre_shared_key not in found:
        for needed in (X.signature_algorithms, X.supported_groups):
            if needed not in found:
                refuse(Reason.MISSING_EXTENSION, X.name_of(needed))
    if (X.key_share in found) != (X.supported_groups in found):
        refuse(Reason.MISSING_KEY_SHARE if X.supported_groups in found else Reason.MISSING_EXTENSION)
    for kind in ext.NEVER_IN[ext.CH] & found.keys():
        refuse(Reason.EXTENSION_NOT_ALLOWED, f"{X.name_of(kind)} in a ClientHello")
    for kind in ext.EMPTY_IN_CLIENT_HELLO & found.keys():
        if found[kind]:
            refuse(Reason.ERROR_PARSING_EXTENSION, f"{X.name_of(kind)} must be empty")


def choose_suite(h: Handshake, config: ServerConfig, hello: ClientHello, keys: KnownKeys) -> Suite:
    """Our order decides (see `ranked_suites`); an external key's hash comes before it (4.2.11)."""
    ranked = ranked_suites(h, config, hello, tls13=True)
    suite = ranked[0]
    body = hello.extensions.get(X.pre_shared_key)
    if keys.external and body is not None:
        offered = {one.identity for one in ext.OfferedPsks.decode(body).identities}
        hashes = {psk.hash for psk in keys.external if psk.identity in offered}
        suite = next((one for one in ranked if one.hash.name in hashes), suite)
    if h.note is not None:
        rule = "our first that the client offers"
        h.note(("decision", "cipher_suite", hello.cipher_suites, h.policy.suites, suite.code, rule))
    return suite


def client_groups(hello: ClientHello) -> str:
    """The client's groups, for people."""
    groups = ext.SupportedGroups.recall(hello.extensions[X.supported_groups]).named_group_list
    return ", ".join(NamedGroup.name_of(group) for group in groups)


def choose_group(h: Handshake, hello: ClientHello) -> tuple[int | None, bytes | None]:
    """The group, and the client's share of it if it sent one (RFC 8446 sections 4.2.7 and 4.2.8).

    Our preferred group wins even if its share has to be asked for, but only a hybrid is worth a
    round trip more when another shared group is at hand.
    """
    if X.supported_groups not in hello.extensions:
        return None, None
    offered = ext.SupportedGroups.recall(hello.extensions[X.supported_groups]).named_group_list
    entries = ext.KeyShareClientHello.decode(hello.extensions[X.key_share]).client_shares
    shares = {entry.group: entry.key_exchange for entry in entries}
    if len(shares) != len(entries):
        refuse(Reason.DUPLICATE_KEY_SHARE)
    for one in shares:
        if one not in offered:
            refuse(Reason.UNOFFERED_KEY_SHARE_GROUP)
    group = our_first(h.policy.groups, offered)
    if group is None:
        return None, None
    if group not in shares:
        at_hand = our_first(h.policy.groups, shares)
        if at_hand is not None and (GROUPS[at_hand].pq or not GROUPS[group].pq):
            group = at_hand
    if h.note is not None:
        rule = "our first that the client knows, with a share at hand"
        h.note(("decision", "group", offered, h.policy.groups, group, rule))
    return group, shares.get(group)


# -- HelloRetryRequest -------------------------------------------------------------------------------


class RetryState(Struct):
    """What a stateless server remembers, in its cookie (RFC 8446 section 4.2.2)."""

    suite: int = field(Uint16())
    group: int = field(Uint16())
    client_hello_hash: bytes = field(OpaqueVector(32, 64))


def retry(
    h: Handshake, config: ServerConfig, first: ClientHello, suite: Suite, group: int, keys: KnownKeys
) -> Any:
    """Ask for a share of `group`, and hold the second ClientHello against the first (4.1.2, 4.1.4)."""
    h.transcript.add(first.raw)
    cookie = b""
    if config.stateless_retry:
        digest = suite.hash.new(h.transcript.messages).digest()
        cookie = config.issuer.seal(b"retry" + RetryState(suite.code, group, digest).encode())
    h.transcript.retry(suite.hash)
    h.send_raw(hello_retry_request(first, suite, group, cookie))
    if first.legacy_session_id:  # appendix D.4
        h.send_change_cipher_spec()
    h.conn._ccs_allowed = True
    if X.early_data in first.extensions:
        h.read.skip, h.read.skip_plain = MAX_SKIPPED_EARLY_DATA + config.max_early_data, True
    second: ClientHello = yield EXPECT_SECOND_CLIENT_HELLO
    h.read.skip, h.read.skip_plain = None, False
    check_second_hello(first, second, group, cookie)
    check_second_psks(h, config, first, second, suite, keys)
    h.conn._hello = second.raw
    return second


def hello_retry_request(hello: ClientHello, suite: Suite, group: int, cookie: bytes) -> bytes:
    """RFC 8446 section 4.1.4."""
    extensions: ExtensionMap = {
        X.supported_versions: ext.SelectedVersion(0x0304).encode(),
        X.key_share: ext.KeyShareHelloRetryRequest(group).encode(),
    }
    if cookie:
        extensions[X.cookie] = ext.Cookie(cookie).encode()
    message = ServerHello(0x0303, RETRY_RANDOM, hello.legacy_session_id, suite.code, 0, extensions)
    return message.to_handshake()


_MAY_CHANGE = {X.key_share, X.early_data, X.cookie, X.pre_shared_key, X.padding}


def check_second_hello(first: ClientHello, second: ClientHello, group: int, cookie: bytes) -> None:
    """RFC 8446 section 4.1.2: what may change is listed there, nothing else may."""
    if X.early_data in second.extensions:
        refuse(Reason.EARLY_DATA_AFTER_RETRY)
    check_client_hello(second)
    same = (
        first.legacy_version == second.legacy_version
        and first.random == second.random
        and first.legacy_session_id == second.legacy_session_id
        and first.cipher_suites == second.cipher_suites
    )
    before = {kind: body for kind, body in first.extensions.items() if kind not in _MAY_CHANGE}
    after = {kind: body for kind, body in second.extensions.items() if kind not in _MAY_CHANGE}
    if not same or before != after:
        refuse(Reason.HELLO_CHANGED)
    entries = ext.KeyShareClientHello.decode(second.extensions[X.key_share]).client_shares
    if len(entries) != 1 or entries[0].group != group:
        refuse(Reason.WRONG_CURVE, "the second ClientHello has not the share that was asked for")
    sent = second.extensions.get(X.cookie)
    if cookie:
        if sent is None:
            refuse(Reason.BAD_COOKIE, "it is missing")
        if not hmac.compare_digest(ext.Cookie.decode(sent).cookie, cookie):
            refuse(Reason.BAD_COOKIE)
    elif sent is not None:
        refuse(Reason.UNEXPECTED_EXTENSION, "a cookie that was never given")


def check_second_psks(
    h: Handshake,
    config: ServerConfig,
    first: ClientHello,
    second: ClientHello,
    suite: Suite,
    keys: KnownKeys,
) -> None:
    """Keys that do not suit the chosen suite may go (RFC 8446 section 4.1.2); those that do may not."""
    body = first.extensions.get(X.pre_shared_key)
    if body is None:
        return
    identities = ext.OfferedPsks.decode(body).identities[:MAX_IDENTITIES_TRIED]
    usable = {
        one.identity for one in identities if not isinstance(find_psk(h, config, one, suite, keys), str)
    }
    if not usable:
        return
    body = second.extensions.get(X.pre_shared_key)
    if body is None:
        refuse(Reason.MISSING_EXTENSION, "pre_shared_key is gone from the second ClientHello")
    if not usable & {one.identity for one in ext.OfferedPsks.decode(body).identities}:
        refuse(Reason.HELLO_CHANGED, "the usable pre-shared keys are gone")


def restore_retry(h: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite) -> bool:
    """A ClientHello with our cookie is a second one: its first was answered by another server object."""
    body = hello.extensions.get(X.cookie)
    if body is None or not config.stateless_retry:
        return False
    opened = config.issuer.open(ext.Cookie.decode(body).cookie)
    if opened is None or not opened.startswith(b"retry"):
        refuse(Reason.BAD_COOKIE)
    state = RetryState.decode(opened[5:])
    if state.suite != suite.code:
        refuse(Reason.HELLO_CHANGED, "another cipher suite would be chosen now")
    h.transcript.restore(state.client_hello_hash)
    h.transcript.add(hello_retry_request(hello, suite, state.group, ext.Cookie.decode(body).cookie))
    return True


# -- ServerHello and EncryptedExtensions -------------------------------------------------------------


def respond(
    h: Handshake, schedule: KeySchedule, group: int | None, client_share: bytes | None
) -> ext.KeyShareEntry | None:
    """Our half of the key exchange, and the climb to the Handshake Secret."""
    if group is None or client_share is None:
        schedule.enter_handshake(None)
        return None
    public, secret = GROUPS[group].respond(client_share, h.config.random, h.config.hidden)
    if h.note is not None:
        h.note(
            ("shared secret", secret, group, "the client's share", client_share, "our public share", public)
        )
    schedule.enter_handshake(secret)
    return ext.KeyShareEntry(group, public)


def send_server_hello(
    h: Handshake, hello: ClientHello, suite: Suite, share: ext.KeyShareEntry | None, psk: Resumed | None
) -> None:
    """RFC 8446 section 4.1.3."""
    extensions: ExtensionMap = {X.supported_versions: b"\x03\x04"}
    if share is not None:
        extensions[X.key_share] = share.encode()  # KeyShareServerHello is this entry alone
    if psk is not None:
        extensions[X.pre_shared_key] = ext.SelectedPsk(psk.index).encode()
    random = h.config.random(32)
    h.send(ServerHello(0x0303, random, hello.legacy_session_id, suite.code, 0, extensions))


def send_encrypted_extensions(h: Handshake, config: ServerConfig, hello: ClientHello, *, early: bool) -> None:
    """Our answers to what needs no secrecy from the peer, but from everyone else (4.3.1)."""
    offered = hello.extensions
    found: ExtensionMap = {}
    if acknowledges_name(h, config):
        found[X.server_name] = b""
    if "alpn" in h.facts:
        name = h.facts["alpn"].encode("latin-1")
        found[X.application_layer_protocol_negotiation] = ext.ProtocolNames((name,)).encode()
    limit = offered.get(X.record_size_limit)
    if limit is not None:  # RFC 8449 4: answered without need of our own, so that theirs is respected
        agree_on_size(h, ext.RecordSizeLimit.decode(limit).record_size_limit, tls13=True)
        ours = h.policy.record_size_limit or MAX_PLAINTEXT
        found[X.record_size_limit] = ext.RecordSizeLimit(ours + 1).encode()
    elif X.max_fragment_length in offered:
        found[X.max_fragment_length] = accept_fragment_length(h, offered[X.max_fragment_length])
    resumed = "external_psk" in h.facts  # set by any pre-shared key
    choose_types(h, config, offered, found, resumed=resumed)
    if X.ticket_request in offered and config.tickets:
        found[X.ticket_request] = ext.TicketRequestHint(
            wanted_tickets(config, hello, resumed=resumed)
        ).encode()
    if early:
        found[X.early_data] = b""
    h.send_raw(encrypted_extensions(tuple(found.items())))


@lru_cache(maxsize=64)  # most connections of a server are given the same answers
def encrypted_extensions(found: tuple[tuple[int, bytes], ...]) -> bytes:
    """EncryptedExtensions (RFC 8446 section 4.3.1), encoded."""
    return EncryptedExtensions(dict(found)).to_handshake()


def accept_fragment_length(h: Handshake, body: bytes) -> bytes:
    """RFC 6066 section 4."""
    code = ext.MaxFragmentLengthBody.decode(body).max_fragment_length
    if code not in (1, 2, 3, 4):
        refuse(Reason.BAD_MAX_FRAGMENT_LENGTH, f"{code}")
    h.agree_on_records(2 ** (8 + code), 2 ** (8 + code))
    return body


def wanted_tickets(config: ServerConfig, hello: ClientHello, *, resumed: bool) -> int:
    """How many tickets to give: what the client asked for (RFC 9149), within our own number."""
    body = hello.extensions.get(X.ticket_request)
    if body is None:
        return min(config.tickets, 1) if resumed else config.tickets
    request = ext.TicketRequest.recall(body)
    return min(request.resumption_count if resumed else request.new_session_count, config.tickets)


# -- authentication ----------------------------------------------------------------------------------


def server_authentication(h: Handshake, config: ServerConfig, hello: ClientHello) -> Any:
    """[CertificateRequest] Certificate CertificateVerify. Returns whether we asked the client for one."""
    offered = hello.extensions
    schemes = ext.SignatureSchemes.recall(offered[X.signature_algorithms]).supported_signature_algorithms
    h.facts["peer_signature_schemes"] = schemes
    listed = offered.get(X.certificate_authorities)
    authorities = ext.CertificateAuthorities.decode(listed).authorities if listed is not None else ()
    raw_key = h.certificate_types.get("server_certificate_type", 0) == RAW_PUBLIC_KEY
    if config.client_auth != "none":
        send_certificate_request(h, config)
    identity: Identity | None
    if SelectIdentity in config.ask:
        identity = yield SelectIdentity(h.name, schemes, authorities, RAW_PUBLIC_KEY if raw_key else 0)
    else:
        identity = server_identity(h, config, hello, schemes, authorities, raw_key)
    if identity is None:
        if config.psks or FindPsk in config.ask:
            refuse(Reason.PSK_REQUIRED)
        refuse(Reason.NO_IDENTITY)
    scheme = choose_scheme(identity, schemes, h.policy.signature_schemes)
    if scheme is None:
        refuse(
            Reason.NO_COMMON_SIGNATURE_SCHEME,
            f"a {identity.kind} key; the client takes {', '.join(map(SignatureScheme.name_of, schemes))}",
        )
    h.facts["own_chain"] = identity.chain
    if h.note is not None:
        rule = "by name, then by what the client can verify"
        h.note(("decision", "certificate", (h.name,), (), identity.kind, rule))
    if h.note is not None:
        rule = "our first that fits the key and that the client takes"
        h.note(("decision", "signature_scheme", schemes, (), scheme, rule))
    compression = offered_compression(offered.get(X.compress_certificate))
    send_certificate(
        h,
        identity,
        raw_key=raw_key,
        staple=X.status_request in offered,
        scts=X.signed_certificate_timestamp in offered,
        compression=compression,
    )
    yield from send_certificate_verify(h, identity, scheme, SERVER_CONTEXT)
    return config.client_auth != "none"


def server_identity(
    h: Handshake,
    config: ServerConfig,
    hello: ClientHello,
    schemes: tuple[int, ...],
    authorities: tuple[bytes, ...],
    raw_key: bool,
) -> Identity | None:
    """By name first, then by whom the client trusts and what it can verify (RFC 8446 section 4.4.2.2)."""
    if len(config.identities) == 1:
        only = config.identities[0]
        shows = raw_key or (only.chain and not relies_on_sha1(only, schemes))
        return only if shows else None
    from pellucid.trust.identity import choose
    from pellucid.trust.peer import issued_by

    ranked = [one for one in choose(config.identities, h.name) if raw_key or one.chain]
    able = [one for one in ranked if choose_scheme(one, schemes, h.policy.signature_schemes) is not None]
    if len(able) > 1 and not raw_key:
        if authorities:  # they are a wish, and the name comes before it
            able.sort(key=lambda one: (-one.match_rank(h.name), not issued_by(one.chain, authorities)))
        listed = hello.extensions.get(X.signature_algorithms_cert)
        if listed is not None:
            schemes = ext.SignatureSchemes.recall(listed).supported_signature_algorithms
        best = next((one for one in able if verifiable(one, schemes)), None)
        if best is not None:
            return best
    return next((one for one in able or ranked if raw_key or not relies_on_sha1(one, schemes)), None)


def send_certificate_request(h: Handshake, config: ServerConfig, context: bytes = b"") -> None:
    """RFC 8446 section 4.3.2."""
    policy = h.policy
    extensions: ExtensionMap = {
        X.signature_algorithms: ext.SignatureSchemes(policy.signature_schemes).encode()
    }
    if policy.certificate_schemes is not None:
        extensions[X.signature_algorithms_cert] = ext.SignatureSchemes(policy.certificate_schemes).encode()
    names = config.certificate_authorities
    if names is None:
        names = config.client_trust.subjects if config.client_trust is not None else ()
    if names:
        extensions[X.certificate_authorities] = ext.CertificateAuthorities(names).encode()
    if policy.certificate_compression:
        extensions[X.compress_certificate] = ext.CertificateCompressionAlgorithms(
            policy.certificate_compression
        ).encode()
    if config.request_client_ocsp:
        extensions[X.status_request] = b""
    if config.request_client_scts:
        extensions[X.signed_certificate_timestamp] = b""
    h.facts["client_certificate_requested"] = True
    h.send(CertificateRequest(context, extensions))


def client_authentication(h: Handshake, config: ServerConfig, context: bytes = b"") -> Any:
    """The client's Certificate and CertificateVerify (RFC 8446 section 4.4.2.4)."""
    compression = h.policy.certificate_compression
    message = yield EXPECT_ANY_CERTIFICATE if compression else EXPECT_CERTIFICATE
    h.transcript.add(message.raw)
    certificate = open_certificate(h, message, compression)
    if certificate.certificate_request_context != context:
        refuse(Reason.DECODE_ERROR, "certificate_request_context")
    if not certificate.certificate_list:
        if config.client_auth == "require":
            refuse(Reason.CERTIFICATE_REQUIRED)
        return
    asked = (
        (X.status_request, config.request_client_ocsp),
        (X.signed_certificate_timestamp, config.request_client_scts),
    )
    peer = read_certificate(h, certificate, frozenset(kind for kind, wanted in asked if wanted))
    h.facts.update(ocsp_response=peer.ocsp, scts=peer.scts)
    if client_shows_raw_key(h):
        key, pss_key = (yield from believe_raw_key(h, peer.chain, config.trusted_public_keys)), False
    else:
        trust = config.client_trust
        if trust is None and VerifyPeer not in config.ask:
            refuse(Reason.UNKNOWN_CA, "no authority for clients is configured")
        question = VerifyPeer(peer.chain, None, peer.ocsp, peer.scts)
        verified = yield from h.ask(
            question,
            lambda: (
                trust.verify_client(peer.chain, config.now(), ocsp=peer.ocsp, note=h.note) if trust else None
            ),
        )
        h.facts["peer_chain"] = peer.chain
        h.facts["verified_chain"] = verified.chain
        key, pss_key = verified.leaf_key, verified.pss_key
    verify: CertificateVerify = yield EXPECT_CERTIFICATE_VERIFY
    check_certificate_verify(h, verify, key, CLIENT_CONTEXT, pss_key=pss_key)
    h.transcript.add(verify.raw)


# -- early data --------------------------------------------------------------------------------------


def receive_early_data(
    h: Handshake,
    config: ServerConfig,
    hello: ClientHello,
    schedule: KeySchedule,
    early: TrafficSecret,
    client_secret: TrafficSecret,
    psk: Resumed | None,
) -> Any:
    """Read 0-RTT data until EndOfEarlyData (RFC 8446 sections 4.2.10 and 4.5).

    The rest of the client's flight is known beforehand, so the tickets go out with our own flight.
    """
    h.facts["early_data"] = "accepted"
    h.conn._early_limit = psk.session.max_early_data if psk is not None and psk.session is not None else 0
    h.read_keys(EARLY, early)
    h.conn._sending = True
    expected = h.transcript.copy()
    expected.add(handshake(HandshakeType.end_of_early_data, b""))
    verify_data = client_secret.finished(expected.digest())
    expected.add(finished_message(verify_data))
    resumption = schedule.derive("resumption_master_secret", b"res master", expected.digest())
    count = wanted_tickets(config, hello, resumed=X.ticket_request in hello.extensions)
    issue_tickets(h, config, resumption, psk, count)
    end: EndOfEarlyData = yield EXPECT_END_OF_EARLY_DATA
    h.transcript.add(end.raw)
    h.read_keys(HANDSHAKE_KEYS, client_secret)


# -- the end -----------------------------------------------------------------------------------------


def finish(
    h: Handshake,
    config: ServerConfig,
    hello: ClientHello,
    schedule: KeySchedule,
    exporter: Secret,
    psk: Resumed | None,
    *,
    tickets_sent: bool,
) -> None:
    """Exporters and tickets (RFC 8446 sections 7.5 and 4.6.1)."""
    conn = h.conn
    conn._exporter = (schedule.hash, exporter)
    if config.post_handshake_auth and X.post_handshake_auth in hello.extensions:
        conn._pha = h
    conn._completed()
    if not tickets_sent and config.tickets and X.psk_key_exchange_modes in hello.extensions:
        modes = ext.PskKeyExchangeModes.recall(hello.extensions[X.psk_key_exchange_modes]).ke_modes
        if any(map(modes.__contains__, h.policy.psk_modes)):
            resumption = schedule.derive("resumption_master_secret", b"res master", h.transcript.digest())
            count = wanted_tickets(config, hello, resumed=psk is not None)
            issue_tickets(h, config, resumption, psk, count)
