"""RFC 8446 sections 4.2 to 4.2.8: extensions, up to the key shares."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid.config import DEFAULT_GROUPS
from pellucid.crypto.groups import GROUPS
from pellucid.errors import Reason
from pellucid.lab import Fault, HelloRetryRequest, Tap, edit, extensions, insert, repeat_extension
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    NewSessionTicket,
    ServerHello,
)

from .world import (
    BOTH,
    CLIENT,
    PSK,
    RELAXED12,
    TLS12,
    TLS13,
    TRUST,
    client,
    client_refuses,
    connected,
    groups,
    refused,
    schemes,
    server,
    server_refuses,
    session_from,
    share_of,
    shares,
    talk,
)

RETRYING = TLS13.replace(groups=(23,))
X25519_ONLY = TLS13.replace(key_shares=(29,))


def hello_of(**settings: Any) -> ClientHello:
    tap = Tap()
    client(tap, **settings).data_to_send()
    return tap.the(ClientHello)  # type: ignore[no-any-return]


def mutual(**more: Any) -> dict[str, Any]:
    return {"client_auth": "require", "client_trust": TRUST, **more}


# -- 4.2 Extensions --------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.2:3", "rfc8446:4.3.1:2")
def test_a_server_answers_only_what_was_asked() -> None:
    """A hello with the bare minimum gets the bare minimum back."""
    needed = (X.supported_versions, X.supported_groups, X.signature_algorithms, X.key_share)

    def bare(hello: Any) -> None:
        hello.extensions = {kind: body for kind, body in hello.extensions.items() if kind in needed}

    tap = Tap()
    talk(client(edit(ClientHello, bare)), server(tap, alpn=("h2",), tickets=2))
    assert set(tap.the(ServerHello).extensions) == {X.supported_versions, X.key_share}
    assert not tap.the(EncryptedExtensions).extensions
    assert not any(entry.extensions for entry in tap.the(Certificate).certificate_list)


@pytest.mark.rfc("rfc8446:4.2:4")
@pytest.mark.parametrize("kind", [*sorted(set(ext.ALLOWED_IN) - set(hello_of().extensions)), 0xFAFA])
def test_unsolicited_answers_in_encrypted_extensions(kind: int) -> None:
    fault = extensions(EncryptedExtensions, {kind: b""})
    client_refuses(Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension, fault)


@pytest.mark.rfc("rfc8446:4.2:4")
@pytest.mark.parametrize("kind", [X.cookie, X.early_data, X.pre_shared_key, 0xFAFA])
def test_unsolicited_answers_in_server_hello(kind: int) -> None:
    fault = extensions(ServerHello, {kind: b""})
    client_refuses(Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension, fault, readable=False)


@pytest.mark.rfc("rfc8446:4.2:4", "rfc8446:4.4.2:6")
@pytest.mark.parametrize("kind", [X.signed_certificate_timestamp, X.cookie, 0xFAFA])
def test_unsolicited_answers_in_certificate(kind: int) -> None:
    def add(message: Any) -> None:
        message.certificate_list[0].extensions = {kind: b""}

    client_refuses(Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension, edit(Certificate, add))


@pytest.mark.rfc("rfc8446:4.2:4", "rfc8446:4.4.2:7")
def test_unsolicited_answers_in_the_clients_certificate() -> None:
    def add(message: Any) -> None:
        message.certificate_list[0].extensions = {X.status_request: b"\1\0\0\1\0"}

    found = talk(client(edit(Certificate, add), identities=(CLIENT,)), server(**mutual()))
    refused(found, "server", Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension)


@pytest.mark.rfc("rfc8446:4.2:5", "rfc8446:4.3.1:2", "rfc8446:4.3.1:3")
@pytest.mark.parametrize(
    "kind", [X.key_share, X.supported_versions, X.signature_algorithms, X.psk_key_exchange_modes]
)
def test_known_extensions_in_the_wrong_place_in_encrypted_extensions(kind: int) -> None:
    fault = extensions(EncryptedExtensions, {kind: b""})
    client_refuses(Reason.EXTENSION_NOT_ALLOWED, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:4.2:5")
@pytest.mark.parametrize("kind", [X.oid_filters])
def test_known_extensions_in_the_wrong_place_in_client_hello(kind: int) -> None:
    fault = extensions(ClientHello, {kind: b""})
    server_refuses(Reason.EXTENSION_NOT_ALLOWED, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:4.2.5:1", "rfc8446:4.2.6:2")
def test_a_server_sends_neither_filters_nor_post_handshake_auth() -> None:
    """Not in any message, late requests included; a client refuses both where they may not stand."""
    tap = Tap()
    found = connected(
        client(identities=(CLIENT,), post_handshake_auth=True),
        server(tap, client_auth="request", client_trust=TRUST, post_handshake_auth=True),
    )
    found.server.request_certificate()
    found.go_on()
    assert len(tap.all(CertificateRequest)) == 2
    messages = [tap.the(ServerHello), tap.the(EncryptedExtensions), *tap.all(NewSessionTicket)]
    messages += [*tap.all(CertificateRequest), *tap.the(Certificate).certificate_list]
    for message in messages:
        assert not {X.oid_filters, X.post_handshake_auth} & set(message.extensions)
    for kind in (X.oid_filters, X.post_handshake_auth):
        for place in (EncryptedExtensions, ServerHello, NewSessionTicket):
            bad = talk(client(post_handshake_auth=True), server(extensions(place, {kind: b""})))
            assert bad.client_error is not None
            assert bad.client_error.reason in (Reason.EXTENSION_NOT_ALLOWED, Reason.UNEXPECTED_EXTENSION)


@pytest.mark.rfc("rfc8446:4.2:5")
@pytest.mark.parametrize("kind", [X.key_share, X.server_name, X.application_layer_protocol_negotiation])
def test_known_extensions_in_the_wrong_place_in_certificate_request(kind: int) -> None:
    fault = extensions(CertificateRequest, {kind: b""})
    found = talk(client(), server(fault, **mutual()))
    refused(found, "client", Reason.EXTENSION_NOT_ALLOWED, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8446:4.2:5")
@pytest.mark.parametrize("kind", [X.key_share, X.server_name, X.cookie])
def test_known_extensions_in_the_wrong_place_in_new_session_ticket(kind: int) -> None:
    fault = extensions(NewSessionTicket, {kind: b""})
    client_refuses(Reason.EXTENSION_NOT_ALLOWED, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:4.2:5")
@pytest.mark.parametrize(
    "kind", [X.server_name, X.signature_algorithms, X.supported_groups, X.extended_master_secret]
)
def test_known_extensions_in_the_wrong_place_in_server_hello(kind: int) -> None:
    found = talk(client(policy=BOTH), server(extensions(ServerHello, {kind: b""})))
    refused(found, "client", Reason.EXTENSION_NOT_ALLOWED, Alert.illegal_parameter, readable=False)


@pytest.mark.rfc("rfc8446:4.2:5")
@pytest.mark.parametrize("kind", [X.server_name, X.signature_algorithms, X.supported_groups])
def test_known_extensions_in_the_wrong_place_in_a_retry(kind: int) -> None:
    found = talk(
        client(policy=X25519_ONLY), server(extensions(HelloRetryRequest, {kind: b""}), policy=RETRYING)
    )
    refused(found, "client", Reason.EXTENSION_NOT_ALLOWED, Alert.illegal_parameter, readable=False)


@pytest.mark.rfc("rfc8446:4.2:6", "rfc8446:4.2.11:16")
def test_pre_shared_key_is_last_whatever_the_order() -> None:
    for policy in (TLS13, TLS13.replace(shuffle_extensions=True, grease=True)):
        assert next(reversed(hello_of(policy=policy, psks=(PSK,)).extensions)) == X.pre_shared_key


@pytest.mark.rfc("rfc8446:4.2:6")
def test_any_order_will_do() -> None:
    def turn(message: Any) -> None:
        message.extensions = dict(reversed(message.extensions.items()))

    assert talk(client(edit(ClientHello, turn)), server(edit(ServerHello, turn))).completed


@pytest.mark.rfc("rfc8446:4.2:7")
@pytest.mark.parametrize(
    "fault",
    [
        repeat_extension(ServerHello, X.key_share),
        repeat_extension(EncryptedExtensions, X.server_name),
        repeat_extension(CertificateRequest, X.signature_algorithms),
    ],
)
def test_the_server_says_something_twice(fault: Fault) -> None:
    found = talk(client(), server(fault, **mutual()))
    refused(found, "client", Reason.DUPLICATE_EXTENSION, Alert.illegal_parameter, readable=False)


@pytest.mark.rfc("rfc8446:4.2:7")
@pytest.mark.parametrize("kind", [X.key_share, X.supported_versions, X.server_name])
def test_the_client_says_something_twice(kind: int) -> None:
    server_refuses(Reason.DUPLICATE_EXTENSION, Alert.illegal_parameter, repeat_extension(ClientHello, kind))


# -- 4.2.1 Supported versions ----------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.2.1:1", "rfc8446:4.2.1:2", "rfc8446:9.2:3")
def test_the_client_lists_all_its_versions() -> None:
    assert hello_of().extensions[X.supported_versions] == b"\x02\x03\x04"
    assert hello_of(policy=BOTH).extensions[X.supported_versions] == b"\x04\x03\x04\x03\x03"


@pytest.mark.rfc("rfc8446:4.2.1:3", "rfc8446:appendix-D.2:2")
@pytest.mark.parametrize("legacy", [0x0303, 0x0304, 0x0399])
def test_without_the_extension_tls12_is_spoken(legacy: int) -> None:
    fault = edit(ClientHello, legacy_version=legacy)
    tap = Tap()
    talk(client(fault, policy=TLS12), server(tap, policy=BOTH))
    assert tap.the(ServerHello).legacy_version == 0x0303
    assert X.supported_versions not in tap.the(ServerHello).extensions


@pytest.mark.rfc("rfc8446:4.2.1:5", "rfc8446:4.2.1:6", "rfc8446:appendix-D.2:1", "rfc8446:appendix-D.2:4")
@pytest.mark.parametrize("legacy", [0x0301, 0x0302, 0x0304, 0x7F1C])
def test_with_the_extension_legacy_version_means_nothing(legacy: int) -> None:
    tap = Tap()
    assert talk(client(edit(ClientHello, legacy_version=legacy)), server(tap, policy=BOTH)).completed
    assert tap.the(ServerHello).extensions[X.supported_versions] == b"\x03\x04"


@pytest.mark.rfc("rfc8446:4.2.1:7", "rfc8446:4.2.1:8")
def test_unknown_versions_are_ignored_and_only_listed_ones_chosen() -> None:
    listed = ext.SupportedVersions((0x7F1C, 0x0305, 0x0304)).encode()
    assert talk(client(extensions(ClientHello, {X.supported_versions: listed})), server()).completed
    for versions in ((0x0305,), (0x0301, 0x0302), (0x7F1C, 0x0303)):
        listed = ext.SupportedVersions(versions).encode()
        fault = extensions(ClientHello, {X.supported_versions: listed})
        server_refuses(Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version, fault)


@pytest.mark.rfc("rfc8446:4.2.1:9", "rfc8446:4.2.1:11", "rfc8446:4.2.1:12")
def test_the_extension_may_leave_out_tls13() -> None:
    listed = ext.SupportedVersions((0x0303,)).encode()
    tap = Tap()
    fault = extensions(ClientHello, {X.supported_versions: listed})
    assert talk(client(fault, policy=TLS12), server(tap, policy=BOTH)).completed
    assert tap.the(ServerHello).legacy_version == 0x0303
    assert X.supported_versions not in tap.the(ServerHello).extensions


@pytest.mark.rfc("rfc8446:4.2.1:15")
def test_the_version_is_looked_at_before_the_rest() -> None:
    """Everything else in this ServerHello would be right for TLS 1.2, and wrong for TLS 1.3."""
    found = talk(
        client(policy=BOTH), server(extensions(ServerHello, {X.supported_versions: b"\3\4"}), policy=TLS12)
    )
    assert found.client_error is not None
    assert found.client_error.reason is Reason.BAD_SESSION_ID_ECHO


@pytest.mark.rfc("rfc8446:4.2.1:16", "rfc8446:4.2.1:17")
def test_supported_versions_alone_says_which_version() -> None:
    assert connected(client(policy=BOTH), server(policy=BOTH)).client.info.version == 0x0304


@pytest.mark.rfc("rfc8446:4.2.1:18")
@pytest.mark.parametrize("version", [b"\3\3", b"\3\2", b"\3\5", b"\x7f\x1c"])
def test_the_server_chooses_a_version_that_is_not_there(version: bytes) -> None:
    found = talk(client(policy=BOTH), server(extensions(ServerHello, {X.supported_versions: version})))
    refused(found, "client", Reason.VERSION_NOT_OFFERED, Alert.illegal_parameter, readable=False)


# -- 4.2.2 Cookie ----------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.2.2:2")
def test_the_client_returns_the_cookie_as_it_was() -> None:
    ours, theirs = Tap(), Tap()
    connected(client(ours, policy=X25519_ONLY), server(theirs, policy=RETRYING, stateless_retry=True))
    given = theirs.the(HelloRetryRequest).extensions[X.cookie]
    assert ours.all(ClientHello)[1].extensions[X.cookie] == given


@pytest.mark.rfc("rfc8446:4.2.2:3")
def test_no_cookie_in_a_first_hello() -> None:
    settings: dict[str, Any] = {"policy": RETRYING, "stateless_retry": True}
    one = client(policy=X25519_ONLY)
    connected(one, server(**settings))
    tap = Tap()
    talk(client(tap, config=one._config), server(**settings))
    assert X.cookie not in tap.all(ClientHello)[0].extensions


@pytest.mark.rfc("rfc8446:4.2.2:4")
def test_a_server_takes_the_ccs_behind_a_first_hello() -> None:
    """The client's ChangeCipherSpec stands before its second ClientHello, and is dropped."""
    tap = Tap()
    connected(client(tap, policy=X25519_ONLY), server(policy=RETRYING, stateless_retry=True))
    assert [kind for kind, _, _ in tap.records[:3]] == [22, 20, 22]


@pytest.mark.parametrize("body", [b"\0\1x", None])
def test_a_wrong_cookie(body: bytes | None) -> None:
    fault = extensions(ClientHello, {X.cookie: body}, nth=2)
    found = talk(client(fault, policy=X25519_ONLY), server(policy=RETRYING, stateless_retry=True))
    refused(found, "server", Reason.BAD_COOKIE, Alert.illegal_parameter)


# -- 4.2.3 Signature algorithms --------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.2.3:2", "rfc8446:9.2:4")
def test_the_client_sends_signature_algorithms() -> None:
    body = hello_of().extensions[X.signature_algorithms]
    assert ext.SignatureSchemes.decode(body).supported_signature_algorithms == TLS13.signature_schemes


@pytest.mark.rfc("rfc8446:4.2.3:3", "rfc8446:9.2:4", "rfc8446:9.2:10", "rfc8446:9.2:12")
def test_a_server_needs_signature_algorithms() -> None:
    fault = extensions(ClientHello, {X.signature_algorithms: None})
    server_refuses(Reason.MISSING_EXTENSION, Alert.missing_extension, fault)


@pytest.mark.rfc("rfc8446:4.2.3:15")
def test_sha1_is_never_offered() -> None:
    offered = ext.SignatureSchemes.decode(hello_of(policy=BOTH).extensions[X.signature_algorithms])
    assert not set(offered.supported_signature_algorithms) & {0x0201, 0x0202, 0x0203}


@pytest.mark.rfc("rfc8446:4.2.3:18")
def test_tls12_signs_as_tls12_does() -> None:
    """RFC 5246: the hash and the curve are independent; RSA signs with PKCS#1 v1.5."""
    from .world import RSA

    found = connected(
        client(policy=TLS12.replace(signature_schemes=(0x0401,))), server(policy=TLS12, identities=(RSA,))
    )
    assert found.client.info.signature_scheme == 0x0401


@pytest.mark.rfc("rfc8446:4.2.5:4")
def test_filters_for_unknown_certificate_extensions_are_skipped() -> None:
    body = ext.OIDFilters((ext.OIDFilter(b"\x06\x03\x55\x04\x63", b"\4\1x"),)).encode()
    fault = extensions(CertificateRequest, {X.oid_filters: body})
    found = talk(client(identities=(CLIENT,)), server(fault, **mutual()))
    assert found.completed
    assert found.server.info.peer_chain == CLIENT.chain


# -- 4.2.6 and 4.2.7 -------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.2.6:2")
def test_the_server_never_sends_post_handshake_auth() -> None:
    tap = Tap()
    connected(
        client(post_handshake_auth=True, identities=(CLIENT,)),
        server(tap, **mutual(post_handshake_auth=True)),
    )
    for message in (ServerHello, EncryptedExtensions, CertificateRequest):
        assert X.post_handshake_auth not in tap.the(message).extensions
    found = talk(
        client(post_handshake_auth=True),
        server(extensions(EncryptedExtensions, {X.post_handshake_auth: b""})),
    )
    refused(found, "client", Reason.EXTENSION_NOT_ALLOWED, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8446:4.2.7:1")
def test_the_servers_groups_change_nothing() -> None:
    fault = extensions(EncryptedExtensions, {X.supported_groups: groups(0x0018, 0x7777)})
    found = talk(client(policy=TLS13.replace(groups=(29, 23))), server(fault))
    assert found.completed
    assert found.client.info.group == 29


# -- 4.2.8 Key share -------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.2.8:3", "rfc8446:4.2.8:4", "rfc8446:4.2.8:8", "rfc8446:4.2.8:9")
@pytest.mark.parametrize("wanted", [(4588, 29), (29, 23, 24), (25, 30), None])
def test_the_clients_shares_follow_its_groups(wanted: tuple[int, ...] | None) -> None:
    hello = hello_of(policy=TLS13.replace(key_shares=wanted, groups=DEFAULT_GROUPS))
    entries = ext.KeyShareClientHello.decode(hello.extensions[X.key_share]).client_shares
    listed = ext.SupportedGroups.decode(hello.extensions[X.supported_groups]).named_group_list
    order = [listed.index(entry.group) for entry in entries]
    assert order == sorted(set(order))


@pytest.mark.rfc("rfc8446:4.2.8:7")
def test_two_hellos_share_no_share() -> None:
    def bodies() -> list[bytes]:
        policy = TLS13.replace(key_shares=(29, 23, 24), groups=(29, 23, 24))
        entries = ext.KeyShareClientHello.decode(hello_of(policy=policy).extensions[X.key_share])
        return [entry.key_exchange for entry in entries.client_shares]

    first, second = bodies(), bodies()
    assert len({*first, *second}) == 6


@pytest.mark.rfc("rfc8446:4.2.8:11", "rfc8446:4.2.8:12")
@pytest.mark.parametrize("group", [29, 0x0100, 0x7777])
def test_a_retry_for_a_group_already_shared_or_never_offered(group: int) -> None:
    body = ext.KeyShareHelloRetryRequest(group).encode()
    fault = extensions(HelloRetryRequest, {X.key_share: body})
    found = talk(client(policy=X25519_ONLY), server(fault, policy=RETRYING))
    refused(found, "client", Reason.WRONG_CURVE, Alert.illegal_parameter, readable=False)


@pytest.mark.rfc("rfc8446:4.2.8:13")
def test_the_new_hello_holds_the_asked_for_share_only() -> None:
    tap = Tap()
    connected(client(tap, policy=TLS13), server(policy=TLS13.replace(groups=(24,))))
    body = tap.all(ClientHello)[1].extensions[X.key_share]
    assert [entry.group for entry in ext.KeyShareClientHello.decode(body).client_shares] == [24]


@pytest.mark.rfc("rfc8446:4.2.8:14", "rfc8446:2:1", "rfc8446:4.2.8:15", "rfc8446:9.2:6")
@pytest.mark.parametrize("group", DEFAULT_GROUPS)
def test_the_server_answers_in_the_clients_group(group: int) -> None:
    tap = Tap()
    connected(client(policy=TLS13.replace(groups=(group,))), server(tap))
    share = ext.KeyShareServerHello.decode(tap.the(ServerHello).extensions[X.key_share]).server_share
    assert share.group == group
    assert len(share.key_exchange) == GROUPS[group].server_share_length


@pytest.mark.rfc("rfc8446:2:1", "rfc8446:4.2.8:14")
def test_the_client_checks_that_it_does() -> None:
    fault = extensions(ServerHello, {X.key_share: share_of(24, b"\4" + bytes(96))})
    client_refuses(Reason.WRONG_CURVE, Alert.illegal_parameter, fault, readable=False)


@pytest.mark.rfc("rfc8446:4.2.8:16", "rfc8446:4.2.9:7")
def test_no_share_with_psk_alone() -> None:
    tap = Tap()
    alone = TLS13.replace(psk_modes=(0,))
    connected(client(policy=alone, psks=(PSK,)), server(tap, policy=alone, psks=(PSK,)))
    assert X.key_share not in tap.the(ServerHello).extensions
    fault = extensions(ServerHello, {X.key_share: share_of(29, bytes(31) + b"\1")})
    found = talk(client(policy=alone, psks=(PSK,)), server(fault, policy=alone, psks=(PSK,)))
    assert found.client_error is not None
    assert found.client_error.alert in (Alert.illegal_parameter, Alert.unsupported_extension)


@pytest.mark.rfc("rfc8446:4.2.9:8")
def test_a_share_with_psk_and_dhe() -> None:
    tap = Tap()
    connected(client(tap, psks=(PSK,)), server(psks=(PSK,)))
    assert X.key_share in tap.the(ClientHello).extensions
    fault = extensions(ServerHello, {X.key_share: None})
    found = talk(client(psks=(PSK,)), server(fault, psks=(PSK,)))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.MISSING_KEY_SHARE


@pytest.mark.rfc("rfc8446:4.2.8:17", "rfc8446:4.2.8:18")
def test_after_a_retry_the_group_stays() -> None:
    fault = extensions(ServerHello, {X.key_share: share_of(29, bytes(31) + b"\1")})
    found = talk(client(policy=X25519_ONLY), server(fault, policy=RETRYING))
    refused(found, "client", Reason.WRONG_CURVE, Alert.illegal_parameter, readable=False)


@pytest.mark.rfc("rfc8446:4.2.8:8")
def test_a_server_notices_two_shares_of_a_group() -> None:
    server_refuses(
        Reason.DUPLICATE_KEY_SHARE, Alert.illegal_parameter, shares(lambda found: (*found, found[-1]))
    )


@pytest.mark.rfc("rfc8446:4.2.8:9")
def test_a_server_notices_a_share_of_an_unlisted_group() -> None:
    extra = ext.KeyShareEntry(0x7777, b"x")
    server_refuses(
        Reason.UNOFFERED_KEY_SHARE_GROUP, Alert.illegal_parameter, shares(lambda found: (*found, extra))
    )


@pytest.mark.rfc("rfc8446:6:8")
@pytest.mark.parametrize(
    ("group", "share"),
    [
        (29, bytes(32)),  # all-zero result (RFC 7748 section 6.1)
        (29, bytes(31)),
        (29, bytes(33)),
        (30, bytes(56)),
        (23, b"\4" + bytes(64)),  # not on the curve
        (23, b"\2" + bytes(32)),  # compressed
        (23, b"\4" + bytes(63)),
        (24, b"\4" + bytes(96)),
        (25, b"\0"),
        (4588, bytes(1216)),
        (4588, b"\xff" * 1216),  # ML-KEM modulus check
        (4587, bytes(1249)),
        (4589, b"\4" + bytes(1664)),
    ],
)
def test_impossible_shares_of_a_client(group: int, share: bytes) -> None:
    policy = TLS13.replace(groups=(group,))
    fault = shares(lambda _: (ext.KeyShareEntry(group, share),))
    server_refuses(Reason.BAD_KEY_SHARE, Alert.illegal_parameter, fault, policy=policy)


@pytest.mark.rfc("rfc8446:6:8")
@pytest.mark.parametrize(
    ("group", "share"),
    [
        (29, bytes(32)),
        (29, bytes(31)),
        (30, bytes(56)),
        (23, b"\4" + bytes(64)),
        (23, b"\2" + bytes(32)),
        (24, b"\4" + bytes(96)),
        (25, b"\0"),
        (4588, bytes(1120)),  # the X25519 half is zero
        (4588, bytes(1119)),
        (4587, bytes(1153)),
        (4589, bytes(7)),
    ],
)
def test_impossible_shares_of_a_server(group: int, share: bytes) -> None:
    policy = TLS13.replace(groups=(group,))
    fault = extensions(ServerHello, {X.key_share: share_of(group, share)})
    client_refuses(Reason.BAD_KEY_SHARE, Alert.illegal_parameter, fault, readable=False, policy=policy)


# -- impossible contents of other extensions -------------------------------------------------------


@pytest.mark.rfc("rfc8446:6:7")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (X.supported_versions, b""),
        (X.supported_versions, b"\0"),
        (X.supported_versions, b"\3\3\4\3"),
        (X.supported_groups, b"\0\0"),
        (X.supported_groups, b"\0\3\0\x1d\0"),
        (X.signature_algorithms, b"\0\0"),
        (X.signature_algorithms, b"\0\1\4"),
        (X.key_share, b"\0\5\0\x1d\0\1"),
        (X.key_share, b"\0\4\0\x1d\0\0"),
        (X.psk_key_exchange_modes, b"\0"),
        (X.server_name, b"\0\0"),
        (X.server_name, b"\0\3\0\0\0"),
        (X.application_layer_protocol_negotiation, b"\0\0"),
        (X.application_layer_protocol_negotiation, b"\0\1\0"),
        (X.compress_certificate, b"\0"),
        (X.record_size_limit, b"\0"),
        (X.post_handshake_auth, b"\0"),
        (X.early_data, b"\0"),
    ],
)
def test_a_client_hello_with_an_extension_that_cannot_be_read(kind: int, body: bytes) -> None:
    fault = extensions(ClientHello, {kind: body})
    policy = TLS13.replace(record_size_limit=4096)
    found = talk(
        client(fault, policy=policy, alpn=("h2",)),
        server(policy=policy, alpn=("h2",), psks=(PSK,)),
    )
    assert found.server_error is not None
    assert found.server_error.alert == Alert.decode_error


@pytest.mark.rfc("rfc8446:6:7")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (X.server_name, b"\0"),
        (X.application_layer_protocol_negotiation, b"\0\0"),
        (X.application_layer_protocol_negotiation, b"\0\4\2h2"),
        (X.supported_groups, b"\0"),
        (X.record_size_limit, b"\0\1\2"),
    ],
)
def test_encrypted_extensions_that_cannot_be_read(kind: int, body: bytes) -> None:
    policy = TLS13.replace(record_size_limit=4096)
    found = talk(
        client(policy=policy, alpn=("h2",)),
        server(extensions(EncryptedExtensions, {kind: body}), alpn=("h2",)),
    )
    assert found.client_error is not None
    assert found.client_error.alert == Alert.decode_error


def test_alpn_answers_that_are_wrong() -> None:
    for names in ((b"h3",), (b"h2", b"h2"), (b"H2",)):
        body = ext.ProtocolNames(names).encode()
        fault = extensions(EncryptedExtensions, {X.application_layer_protocol_negotiation: body})
        found = talk(client(alpn=("h2",)), server(fault, alpn=("h2",)))
        refused(found, "client", Reason.BAD_ALPN, Alert.illegal_parameter)


def test_no_common_application_protocol() -> None:
    found = talk(client(alpn=("h2",)), server(alpn=("http/1.1",)))
    refused(found, "server", Reason.NO_APPLICATION_PROTOCOL, Alert.no_application_protocol)


@pytest.mark.parametrize("limit", [0, 63, 16386, 65535])
def test_record_size_limits_that_are_out_of_range(limit: int) -> None:
    policy = TLS13.replace(record_size_limit=4096)
    fault = extensions(EncryptedExtensions, {X.record_size_limit: limit.to_bytes(2, "big")})
    client_refuses(Reason.BAD_RECORD_SIZE_LIMIT, Alert.illegal_parameter, fault, policy=policy)
    if limit < 64:
        fault = extensions(ClientHello, {X.record_size_limit: limit.to_bytes(2, "big")})
        server_refuses(Reason.BAD_RECORD_SIZE_LIMIT, Alert.illegal_parameter, fault, policy=policy)


def test_fragment_lengths_that_are_out_of_range() -> None:
    policy = TLS13.replace(max_fragment_length=512)
    server_refuses(
        Reason.BAD_MAX_FRAGMENT_LENGTH,
        Alert.illegal_parameter,
        extensions(ClientHello, {X.max_fragment_length: b"\7"}),
    )
    client_refuses(
        Reason.BAD_MAX_FRAGMENT_LENGTH,
        Alert.illegal_parameter,
        extensions(EncryptedExtensions, {X.max_fragment_length: b"\2"}),
        policy=policy,
    )


@pytest.mark.parametrize("name", [b"a b", b"\xff", b"localhost\0", b"[::1]"])
def test_server_names_that_are_none(name: bytes) -> None:
    body = ext.ServerNameList((ext.ServerName(0, name),)).encode()
    server_refuses(Reason.BAD_SERVER_NAME, Alert.decode_error, extensions(ClientHello, {X.server_name: body}))


@pytest.mark.rfc("rfc8446:4.2.3:15", "rfc8446:4.4.3:4")
def test_a_signature_with_a_scheme_that_was_not_offered() -> None:
    fault = edit(CertificateVerify, algorithm=0x0203)
    client_refuses(Reason.UNOFFERED_SIGNATURE_SCHEME, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:9.2:13")
def test_server_name_is_sent_and_used() -> None:
    tap = Tap()
    found = connected(client(tap), server())
    assert X.server_name in tap.the(ClientHello).extensions
    assert found.server.info.server_name == "localhost"


def test_settings_used_here_are_what_they_seem() -> None:
    """The relaxed policy has TLS 1.2 only; sessions can be made; insert needs a place."""
    assert RELAXED12.versions == (0x0303,)
    config = server()._config
    assert session_from(config).version == 0x0304  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        insert(b"")
    assert schemes(0x0403) == b"\0\2\4\3"
