"""What seldom goes wrong and must still be refused by name: each line is a way that no other test takes.

RFC 8446 sections 4.1.2, 4.1.4, 4.2.10, 4.2.11 and 4.6.2; RFC 5246 section 7.4; RFC 7250; RFC 8449.
"""

from __future__ import annotations

from typing import Any

import pytest

from core.recipes import told
from pellucid import (
    ClientConfig,
    ClientConnection,
    Identity,
    Policy,
    PreSharedKey,
    ServerConfig,
    ServerConnection,
    TLSError,
    UsageError,
    import_psk,
)
from pellucid.errors import Reason
from pellucid.events import SelectIdentity
from pellucid.lab import HelloRetryRequest, Record, Tap, edit, extensions, insert
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate12,
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    ServerHello,
)
from rfc.world import (
    AUTHORITY,
    BOTH,
    CLIENT,
    ECDSA,
    PSK,
    RELAXED12,
    RSA,
    TLS12,
    TLS13,
    TRUST,
    client,
    client_config,
    connected,
    early_client,
    early_config,
    refused,
    server,
    server_config,
    session_from,
    talk,
)

RETRY = TLS13.replace(key_shares=(0x1D,))
RETRYING = TLS13.replace(groups=(0x17,))


# -- the second hello ------------------------------------------------------------------------------


def second(change: Any, *, psks: tuple[Any, ...] = (), **settings: Any) -> TLSError:
    one = client(edit(ClientHello, change, nth=2), policy=RETRY, psks=psks)
    return told(talk(one, server(policy=RETRYING, psks=psks, **settings)).server_error)


def test_a_second_hello_with_another_share() -> None:
    def change(hello: Any) -> None:
        entries = ext.KeyShareClientHello.decode(hello.extensions[X.key_share]).client_shares
        hello.extensions[X.key_share] = ext.KeyShareClientHello(
            (*entries, ext.KeyShareEntry(0x1D, bytes(32)))
        ).encode()

    assert second(change).reason is Reason.WRONG_CURVE


def test_a_second_hello_with_a_cookie_of_its_own() -> None:
    def change(hello: Any) -> None:
        hello.extensions = {**hello.extensions, X.cookie: b"\0\1?"}

    error = second(change)
    assert error.reason is Reason.UNEXPECTED_EXTENSION
    assert error.alert is Alert.unsupported_extension


def test_a_second_hello_without_its_cookie() -> None:
    error = second(lambda hello: hello.extensions.pop(X.cookie) and None, stateless_retry=True)
    assert error.reason is Reason.BAD_COOKIE


def test_a_second_hello_without_its_keys() -> None:
    error = second(lambda hello: hello.extensions.pop(X.pre_shared_key) and None, psks=(PSK,))
    assert error.reason is Reason.MISSING_EXTENSION

    def other(hello: Any) -> None:
        offered = ext.OfferedPsks.decode(hello.extensions[X.pre_shared_key])
        offered.identities[0].identity = b"another one"
        hello.extensions[X.pre_shared_key] = offered.encode()

    assert second(other, psks=(PSK,)).reason is Reason.HELLO_CHANGED


def test_a_forgetful_server_whose_suites_have_changed() -> None:
    """The cookie says which suite the HelloRetryRequest named; now another would be chosen."""
    issuer = server_config(RETRYING).issuer
    before = server_config(RETRYING, stateless_retry=True, ticket_issuer=issuer)
    after = before.replace(policy=RETRYING.replace(cipher_suites=(0x1302, 0x1301)))
    one, forgotten = client(policy=RETRY), server(config=before)
    forgotten.receive_data(one.data_to_send())
    one.receive_data(forgotten.data_to_send())
    with pytest.raises(TLSError) as raised:
        server(config=after).receive_data(one.data_to_send())
    assert raised.value.reason is Reason.HELLO_CHANGED


def test_a_retry_for_a_group_whose_share_was_sent() -> None:
    fault = extensions(HelloRetryRequest, {X.key_share: b"\0\x1d"})
    found = talk(client(policy=RETRY), server(fault, policy=RETRYING))
    refused(found, "client", Reason.WRONG_CURVE, Alert.illegal_parameter, readable=False)


# -- what a client never offered, or insists on ----------------------------------------------------


def test_a_server_that_resumes_what_never_was() -> None:
    """TLS 1.2: the session id was made up for middleboxes (RFC 8446 appendix D.4)."""
    tap = Tap()
    one = client(tap, policy=BOTH)
    sent = tap.the(ClientHello).legacy_session_id
    fault = edit(ServerHello, legacy_session_id_echo=sent)
    other = server(fault, policy=TLS12)
    refused(talk(one, other), "client", Reason.BAD_SESSION_ID_ECHO, Alert.illegal_parameter)


def test_a_server_that_takes_a_suite_of_keys_from_a_client_without_any() -> None:
    both = TLS12.replace(cipher_suites=(0xC02B, 0xD001))
    found = talk(client(policy=both), server(edit(ServerHello, cipher_suite=0xD001), policy=TLS12))
    refused(found, "client", Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter)


def test_a_client_that_insists_on_its_key() -> None:
    found = talk(client(psks=(PSK,), require_psk=True), server())
    refused(found, "client", Reason.MISSING_EXTENSION, Alert.missing_extension, readable=False)


@pytest.mark.parametrize(
    ("keys", "reason", "alert"),
    [
        ((PSK,), Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter),
        (import_psk(b"device", bytes(32)), Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version),
    ],
    ids=["external", "imported"],
)
def test_a_client_that_insists_on_its_key_takes_no_certificate_of_tls12(
    keys: tuple[PreSharedKey, ...], reason: Reason, alert: Alert
) -> None:
    found = talk(client(psks=keys, require_psk=True, policy=BOTH), server(policy=TLS12))
    refused(found, "client", reason, alert)


def test_an_empty_certificate_in_tls12() -> None:
    found = talk(client(policy=TLS12), server(edit(Certificate12, certificate_list=()), policy=TLS12))
    refused(found, "client", Reason.NO_CERTIFICATE, Alert.decode_error)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_a_server_that_answers_both_size_extensions(policy: Policy) -> None:
    """RFC 8449 section 5: illegal_parameter, to a client that offered both."""
    ours = policy.replace(record_size_limit=100)
    one = client(policy=ours)
    offer: Any = one._steps.gi_frame.f_locals["offer"]
    offer.hello.extensions[X.max_fragment_length] = b"\1"  # as if it had offered it too
    answer = EncryptedExtensions if policy is TLS13 else ServerHello
    found = talk(one, server(extensions(answer, {X.max_fragment_length: b"\1"}), policy=ours))
    refused(found, "client", Reason.BAD_RECORD_SIZE_LIMIT, Alert.illegal_parameter)


def test_a_mark_of_tls11_is_a_downgrade_for_everyone() -> None:
    """RFC 8446 section 4.1.3: the other sentinel, to a client that knows TLS 1.2 only."""

    def mark(hello: Any) -> None:
        hello.random = hello.random[:24] + b"DOWNGRD\0"

    found = talk(client(policy=TLS12), server(edit(ServerHello, mark), policy=TLS12))
    refused(found, "client", Reason.DOWNGRADE_DETECTED, Alert.illegal_parameter)


# -- early data: every reason against it -----------------------------------------------------------


def early(session: Any, config: Any, **settings: Any) -> tuple[str | None, bool]:
    found = talk(early_client(session, **settings), server(config=config))
    assert found.completed, found.refusal
    return found.server.info.early_data, found.server.info.resumed


def test_each_reason_against_early_data() -> None:
    config = early_config(alpn=("h2", "http/1.1"))
    keep: dict[str, Any] = {"ticket_issuer": config.issuer, "replay_guard": config.replay_guard}

    def fresh(**settings: Any) -> Any:
        return session_from(config, alpn=("h2",), **settings)

    assert early(fresh(), config, alpn=("h2",)) == ("accepted", True)
    free = config.replace(**keep, resume_across_alpn=True, alpn=("http/1.1",))
    assert early(fresh(), free, alpn=("h2", "http/1.1")) == ("refused", True), "another protocol"
    asking = config.replace(**keep, client_auth="request", client_trust=TRUST)
    assert early(fresh(), asking, alpn=("h2",))[0] == "refused", "other rules about clients"
    none = config.replace(**keep, max_early_data=0)
    assert early(fresh(), none, alpn=("h2",)) == ("refused", True), "the server takes none"
    stingy = session_from(none, alpn=("h2",))
    stingy.max_early_data = 100
    assert early(stingy, config.replace(**keep), alpn=("h2",)) == ("refused", True), (
        "the ticket does not allow it"
    )
    other = config.replace(**keep, policy=TLS13.replace(cipher_suites=(0x1303,)))
    assert early(fresh(), other, alpn=("h2",)) == ("refused", True), "another suite of the same hash"


def test_a_server_that_takes_early_data_under_another_suite() -> None:
    config = early_config()
    session = session_from(config)
    lying = config.replace(ticket_issuer=config.issuer, policy=TLS13.replace(cipher_suites=(0x1303,)))
    fault = extensions(EncryptedExtensions, {X.early_data: b""})
    found = talk(early_client(session), server(fault, config=lying))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.BAD_EARLY_DATA_ANSWER
    assert "suite" in found.client_error.detail


# -- authentication --------------------------------------------------------------------------------


def test_a_request_after_the_handshake_needs_a_context() -> None:
    fault = edit(CertificateRequest, certificate_request_context=b"")
    found = connected(
        client(post_handshake_auth=True, identities=(CLIENT,)),
        server(fault, post_handshake_auth=True, client_trust=TRUST),
    )
    found.server.request_certificate()
    refused(found.go_on(), "client", Reason.DECODE_ERROR, Alert.decode_error)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_a_server_that_asks_and_trusts_nobody(policy: Policy) -> None:
    found = talk(client(policy=policy, identities=(CLIENT,)), server(policy=policy, client_auth="request"))
    refused(found, "server", Reason.UNKNOWN_CA, Alert.unknown_ca)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_raw_keys_of_clients(policy: Policy) -> None:
    mine = Identity.raw(CLIENT.key)
    asking: dict[str, Any] = {"client_auth": "require", "client_certificate_types": (2,), "policy": policy}
    for trusted, believed in ((mine.raw_public_key, True), (b"another", False)):
        one = client(policy=policy, identities=(mine,), client_certificate_types=(2,))
        found = talk(one, server(trusted_public_keys=(trusted,), **asking))
        if believed:
            assert found.completed
            assert found.server.info.peer_public_key == mine.raw_public_key
        else:
            refused(found, "server", Reason.RAW_PUBLIC_KEY_NOT_TRUSTED, Alert.bad_certificate)
    found = talk(client(policy=policy), server(trusted_public_keys=(b"key",), **asking))
    refused(found, "server", Reason.UNSUPPORTED_CERTIFICATE_TYPE, Alert.unsupported_certificate)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_a_client_that_wants_a_raw_key_and_gets_a_chain(policy: Policy) -> None:
    """The server says nothing about types, which means X.509."""
    answer = EncryptedExtensions if policy is TLS13 else ServerHello
    fault = extensions(answer, {X.server_certificate_type: None})
    one = client(policy=policy, server_certificate_types=(2,), trusted_public_keys=(b"key",))
    found = talk(one, server(fault, policy=policy))
    refused(found, "client", Reason.UNSUPPORTED_CERTIFICATE_TYPE, Alert.unsupported_certificate)


def test_an_identity_that_signs_by_one_scheme_only() -> None:
    only = RSA.replace(schemes=(0x0806,))
    assert connected(client(), server(identities=(only,))).client.info.signature_scheme == 0x0806


def test_a_tls12_server_whose_application_chooses() -> None:
    one = client(policy=TLS12)
    other = server(policy=TLS12, ask=frozenset({SelectIdentity}))
    other.receive_data(one.data_to_send())
    question = next(event for event in other.events() if isinstance(event, SelectIdentity))
    question.answer(RSA)
    assert talk(one, other).client.info.peer_chain == RSA.chain
    with pytest.raises(UsageError) as twice:
        question.answer(ECDSA)
    assert twice.value.reason is Reason.CLOSED
    with pytest.raises(UsageError):
        question.fail()


def test_the_clients_order_of_suites_if_the_server_says_so() -> None:
    for preference, suite in (("server", 0x1301), ("client", 0x1302)):
        found = connected(
            client(policy=TLS13.replace(cipher_suites=(0x1302, 0x1301))), server(cipher_preference=preference)
        )
        assert found.client.info.cipher_suite == suite


# -- records ---------------------------------------------------------------------------------------


def test_tls12_takes_no_dummies_in_front_of_the_hello() -> None:
    found = talk(client(insert(Record(20, b"\1"), before=ClientHello), policy=TLS12), server(policy=BOTH))
    refused(found, "server", Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, Alert.unexpected_message)


def test_a_warning_within_a_message() -> None:
    found: Any = connected(client(Tap()), server())
    found.client.inject(22, b"\x18\0\0")
    found.client.inject(21, b"\1\0")
    refused(found.go_on(), "server", Reason.INTERLEAVED_HANDSHAKE, Alert.unexpected_message)


def test_a_later_record_of_a_strange_version() -> None:
    found: Any = connected(client(Tap()), server())
    found.client.inject_raw(b"\x17\x02\x00\0\1x")
    refused(found.go_on(), "server", Reason.WRONG_RECORD_VERSION, Alert.protocol_version)


# -- the caller ------------------------------------------------------------------------------------

WRONG: list[tuple[Any, dict[str, Any]]] = [
    (Policy, {"groups": (0x9999,)}),
    (Policy, {"key_shares": (0x1E,), "groups": (0x1D,)}),
    (Policy, {"signature_schemes": (0x0203,)}),
    (Policy, {"record_size_limit": 63}),
    (Policy, {"record_size_limit": 16385}),
    (Policy, {"max_fragment_length": 513}),
    (Policy, {"max_send_fragment": 63}),
    (Policy, {"legacy": frozenset({"everything"})}),
    (Policy, {"hello_requests": "welcome"}),
    (Policy, {"cipher_suites": (), "versions": (0x0304,)}),
    (Policy, {"cipher_suites": (0x002F,), "legacy": frozenset({"static-rsa"})}),
    (Policy, {"certificate_compression": (9,)}),
    (ClientConfig, {"alpn": "h2"}),
    (ClientConfig, {"alpn": ("",)}),
    (ClientConfig, {"identities": b"chain"}),
    (ServerConfig, {"client_auth": "maybe"}),
    (ServerConfig, {"ticket_lifetime": 604_801}),
    (ServerConfig, {"max_early_data": 1}),
]


@pytest.mark.parametrize(("cls", "settings"), WRONG)
def test_settings_that_contradict_themselves(cls: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as wrong:
        cls(**settings)
    assert wrong.value.reason is Reason.BAD_CONFIG
    assert wrong.value.detail


def test_roles_are_not_confused() -> None:
    for make in (
        lambda: ClientConnection(server_config(), "localhost"),  # type: ignore[arg-type]
        lambda: ServerConnection(ServerConfig()),
        lambda: ClientConnection(client_config()),
    ):
        with pytest.raises(UsageError) as wrong:
            make()
        assert wrong.value.reason is Reason.BAD_CONFIG


def test_too_early_for_everything() -> None:
    one = client()
    for action in (
        one.update_keys,
        lambda: one.export("EXPERIMENTAL"),
        lambda: one.channel_binding("tls-exporter"),
        lambda: one.traffic_secrets,
        lambda: one.send_data(b"x"),
        lambda: one.send_early_data(b"x"),
        lambda: server().request_certificate(),
    ):
        with pytest.raises(UsageError) as early_bird:
            action()
        assert early_bird.value.reason is Reason.NOT_CONNECTED
    found = connected(client(psks=(PSK,)), server(psks=(PSK,)))
    with pytest.raises(UsageError) as nobody:
        found.client.channel_binding("tls-server-end-point")
    assert nobody.value.reason is Reason.NO_SUCH_BINDING
    assert AUTHORITY.root is not None
    assert RELAXED12.legacy
