"""RFC 8446 section 4.1: the key exchange messages, sentence by sentence."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid.errors import Reason
from pellucid.lab import HelloRetryRequest, Tap, append, edit, extensions, insert
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert, CipherSuite
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    DOWNGRADE_TO_11,
    DOWNGRADE_TO_12,
    RETRY_RANDOM,
    ClientHello,
    EncryptedExtensions,
    HelloRequest,
    ServerHello,
)

from .world import (
    BOTH,
    PSK,
    RELAXED12,
    TLS12,
    TLS13,
    client,
    client_refuses,
    connected,
    refused,
    schemes,
    server,
    server_refuses,
    talk,
)

RETRYING = TLS13.replace(groups=(23,))  # a server that wants secp256r1
X25519_ONLY = TLS13.replace(key_shares=(29,))  # a client that sends no share of it


def hello_of(**settings: Any) -> ClientHello:
    """The ClientHello of an honest client."""
    tap = Tap()
    client(tap, **settings).data_to_send()
    return tap.the(ClientHello)  # type: ignore[no-any-return]


# -- 4.1.1 Cryptographic negotiation ---------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.1.1:1", "rfc8446:2.1:1")
def test_no_common_group() -> None:
    found = talk(client(policy=TLS13.replace(groups=(29,))), server(policy=TLS13.replace(groups=(24,))))
    refused(found, "server", Reason.NO_SHARED_GROUP, Alert.handshake_failure)


@pytest.mark.rfc("rfc8446:4.1.1:4", "rfc8446:2.1:1")
def test_no_common_cipher_suite() -> None:
    one, other = TLS13.replace(cipher_suites=(0x1301,)), TLS13.replace(cipher_suites=(0x1302,))
    found = talk(client(policy=one), server(policy=other))
    refused(found, "server", Reason.NO_SHARED_CIPHER, Alert.handshake_failure)


@pytest.mark.rfc("rfc8446:4.1.1:4")
def test_no_common_signature_scheme() -> None:
    found = talk(client(policy=TLS13.replace(signature_schemes=(0x0804,))), server())
    refused(found, "server", Reason.NO_COMMON_SIGNATURE_SCHEME, Alert.handshake_failure)


@pytest.mark.rfc("rfc8446:4.1.1:2", "rfc8446:4.2.9:4")
@pytest.mark.parametrize(("client_modes", "share"), [((0,), False), ((1,), True), ((0, 1), True)])
def test_the_servers_key_exchange_mode_is_one_of_the_clients(
    client_modes: tuple[int, ...], share: bool
) -> None:
    tap = Tap()
    both = TLS13.replace(psk_modes=(1, 0))
    connected(
        client(policy=TLS13.replace(psk_modes=client_modes), psks=(PSK,)),
        server(tap, policy=both, psks=(PSK,), identities=()),
    )
    assert (X.key_share in tap.the(ServerHello).extensions) is share
    assert X.pre_shared_key in tap.the(ServerHello).extensions


@pytest.mark.rfc("rfc8446:4.1.1:2", "rfc8446:4.2.9:4")
def test_without_a_common_mode_there_is_no_psk() -> None:
    tap = Tap()
    connected(client(psks=(PSK,), policy=TLS13.replace(psk_modes=(0,))), server(tap, psks=(PSK,)))
    assert X.pre_shared_key not in tap.the(ServerHello).extensions


@pytest.mark.rfc("rfc8446:4.1.1:3")
def test_a_missing_share_is_asked_for() -> None:
    tap = Tap()
    connected(client(policy=X25519_ONLY), server(tap, policy=RETRYING))
    retry = tap.the(HelloRetryRequest)
    assert ext.KeyShareHelloRetryRequest.decode(retry.extensions[X.key_share]).selected_group == 23


# -- 4.1.2 ClientHello -----------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.1.2:1")
def test_the_client_speaks_first_and_says_client_hello() -> None:
    assert client().data_to_send()[5] == ClientHello.msg_type


@pytest.mark.rfc("rfc8446:4.1.2:2")
def test_the_second_hello_is_the_first_but_for_the_share() -> None:
    tap = Tap()
    connected(client(tap, policy=X25519_ONLY), server(policy=RETRYING))
    first, second = tap.all(ClientHello)
    for field in ("legacy_version", "random", "legacy_session_id", "cipher_suites"):
        assert getattr(first, field) == getattr(second, field)
    assert {k: v for k, v in first.extensions.items() if k != X.key_share} == {
        k: v for k, v in second.extensions.items() if k != X.key_share
    }
    entries = ext.KeyShareClientHello.decode(second.extensions[X.key_share]).client_shares
    assert [entry.group for entry in entries] == [23]


@pytest.mark.rfc("rfc8446:4.1.2:2")
@pytest.mark.parametrize(
    "change",
    [
        edit(ClientHello, random=bytes(32), nth=2),
        edit(ClientHello, legacy_session_id=bytes(32), nth=2),
        edit(ClientHello, cipher_suites=(0x1301,), nth=2),
        extensions(ClientHello, {X.server_name: None}, nth=2),
        extensions(ClientHello, {0xFAFA: b""}, nth=2),
        extensions(ClientHello, {X.signature_algorithms: schemes(0x0403)}, nth=2),
    ],
)
def test_a_server_notices_a_changed_second_hello(change: Any) -> None:
    change.seen = 0
    found = talk(client(change, policy=X25519_ONLY), server(policy=RETRYING))
    refused(found, "server", Reason.HELLO_CHANGED, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8446:4.1.2:3")
def test_no_client_hello_after_the_handshake() -> None:
    found = connected(client(Tap()), server())
    found.client.inject_message(hello_of())  # type: ignore[attr-defined]
    refused(found.go_on(), "server", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:4.1.2:3")
def test_no_second_client_hello_within_the_handshake() -> None:
    found = talk(client(insert(hello_of(), after=ClientHello)), server())
    assert found.server_error is not None
    assert found.server_error.alert == Alert.unexpected_message


@pytest.mark.rfc("rfc8446:4.1.2:4", "rfc8446:4.1.2:5")
def test_a_tls12_connection_never_becomes_tls13() -> None:
    found = connected(client(Tap(), policy=TLS12), server(policy=BOTH))
    found.client.inject_message(hello_of())  # type: ignore[attr-defined]
    refused(found.go_on(), "server", Reason.RENEGOTIATION_REFUSED, Alert.no_renegotiation)
    assert found.server.info.version == 0x0303


@pytest.mark.rfc("rfc8446:4.1.2:6")
def test_legacy_version_is_tls12() -> None:
    assert hello_of().legacy_version == 0x0303


@pytest.mark.rfc("rfc8446:4.1.2:8", "rfc8446:4.1.2:9")
def test_compatibility_mode_makes_a_new_session_id_of_32_bytes() -> None:
    one, other = hello_of().legacy_session_id, hello_of().legacy_session_id
    assert len(one) == len(other) == 32
    assert one != other


@pytest.mark.rfc("rfc8446:4.1.2:11")
def test_without_compatibility_mode_the_session_id_is_empty() -> None:
    assert hello_of(policy=TLS13.replace(middlebox_compatibility=False)).legacy_session_id == b""


@pytest.mark.rfc("rfc8446:4.1.2:12")
def test_unknown_cipher_suites_are_ignored() -> None:
    def unknown_first(hello: Any) -> None:
        hello.cipher_suites = (0x0A0A, 0xFFFE, *hello.cipher_suites, 0x9999)

    assert talk(client(edit(ClientHello, unknown_first)), server()).completed


@pytest.mark.rfc("rfc8446:4.1.2:14")
def test_compression_methods_are_one_zero() -> None:
    assert hello_of().legacy_compression_methods == (0,)


@pytest.mark.rfc("rfc8446:4.1.2:15")
@pytest.mark.parametrize("methods", [(1,), (0, 1), (1, 0), (0, 0)])
def test_any_other_compression_is_refused(methods: tuple[int, ...]) -> None:
    fault = edit(ClientHello, legacy_compression_methods=methods)
    server_refuses(Reason.BAD_COMPRESSION_LIST, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:4.1.2:16")
def test_tls12_may_list_compression_as_long_as_null_is_there() -> None:
    fault = edit(ClientHello, legacy_compression_methods=(1, 0))
    assert talk(client(fault, policy=TLS12), server(policy=BOTH)).completed
    fault = edit(ClientHello, legacy_compression_methods=(1,))
    found = talk(client(fault, policy=TLS12), server(policy=BOTH))
    refused(found, "server", Reason.BAD_COMPRESSION_LIST, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8446:4.1.2:17", "rfc8446:9.3:5")
def test_unknown_extensions_are_ignored() -> None:
    assert talk(client(extensions(ClientHello, {0xFAFA: b"?", 0x1234: b""}, nth=1)), server()).completed


@pytest.mark.rfc("rfc8446:4.1.2:18")
def test_a_tls12_hello_may_have_no_extensions() -> None:
    fault = edit(ClientHello, lambda hello: hello.extensions.clear())
    found = talk(client(fault, policy=RELAXED12), server(policy=RELAXED12))
    assert found.server_error is None or found.server_error.alert != Alert.decode_error
    assert found.server_error is None or found.server_error.reason is Reason.NO_COMMON_SIGNATURE_SCHEME


@pytest.mark.rfc("rfc8446:4.1.2:18", "rfc8446:4.1.2:19")
@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0\0", b"abc"])
def test_nothing_may_follow_the_extensions(tail: bytes) -> None:
    found = talk(client(append(ClientHello, tail), policy=TLS12), server(policy=BOTH))
    refused(found, "server", Reason.TRAILING_DATA, Alert.decode_error)


# -- 4.1.3 ServerHello -----------------------------------------------------------------------------


def server_hello_of(server_policy: Any = TLS13, client_policy: Any = TLS13) -> ServerHello:
    tap = Tap()
    connected(client(policy=client_policy), server(tap, policy=server_policy))
    return tap.the(ServerHello)  # type: ignore[no-any-return]


@pytest.mark.rfc("rfc8446:4.1.3:1", "rfc8446:4.2.1:13", "rfc8446:4.2.1:14", "rfc8446:4.1.3:9")
def test_the_server_says_tls13_in_supported_versions_only() -> None:
    hello = server_hello_of()
    assert hello.legacy_version == 0x0303
    assert hello.extensions[X.supported_versions] == b"\x03\x04"


@pytest.mark.rfc("rfc8446:4.1.3:3")
def test_the_first_24_bytes_of_the_servers_random_are_random() -> None:
    randoms = [server_hello_of(BOTH, TLS12).random[:24] for _ in range(4)]
    assert len({value[at : at + 8] for value in randoms for at in (0, 8, 16)}) == 12


@pytest.mark.rfc("rfc8446:4.1.3:4")
def test_the_servers_random_does_not_depend_on_the_clients() -> None:
    fault = edit(ClientHello, random=bytes(32))
    taps = [Tap(), Tap()]
    for tap in taps:
        fault.seen = 0  # type: ignore[attr-defined]
        talk(client(fault), server(tap))
    first, second = (tap.the(ServerHello).random for tap in taps)
    assert first != second
    assert bytes(32) not in (first, second)


@pytest.mark.rfc("rfc8446:4.1.3:5")
@pytest.mark.parametrize("echo", [b"", bytes(32), b"short"])
def test_another_session_id_than_ours(echo: bytes) -> None:
    fault = edit(ServerHello, legacy_session_id_echo=echo)
    client_refuses(Reason.BAD_SESSION_ID_ECHO, Alert.illegal_parameter, fault, readable=False)


@pytest.mark.rfc("rfc8446:4.1.3:6")
@pytest.mark.parametrize("suite", [0x1304, 0xC02B, 0x0000, 0x1399])
def test_a_cipher_suite_that_was_not_offered(suite: int) -> None:
    fault = edit(ServerHello, cipher_suite=suite)
    policy = TLS13.replace(cipher_suites=(0x1301,))
    client_refuses(
        Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter, fault, readable=False, policy=policy
    )


@pytest.mark.rfc("rfc8446:4.1.3:7")
def test_the_compression_method_is_zero() -> None:
    assert server_hello_of().legacy_compression_method == 0
    found = talk(client(), server(edit(ServerHello, legacy_compression_method=1)))
    assert found.client_error is not None
    assert found.client_error.alert in (Alert.illegal_parameter, Alert.decode_error)


@pytest.mark.rfc("rfc8446:4.1.3:8")
def test_server_hello_holds_only_what_the_keys_need() -> None:
    assert set(server_hello_of().extensions) == {X.supported_versions, X.key_share}


@pytest.mark.rfc("rfc8446:4.1.3:10")
def test_the_random_tells_a_retry_from_a_hello() -> None:
    tap = Tap()
    found = connected(client(policy=X25519_ONLY), server(tap, policy=RETRYING))
    assert tap.the(HelloRetryRequest).random == RETRY_RANDOM
    assert found.client.info.retried
    # The very bytes of a good ServerHello, with that random, are a (bad) HelloRetryRequest.
    client_refuses(
        Reason.WRONG_CURVE, Alert.illegal_parameter, edit(ServerHello, share_as_group), readable=False
    )


def share_as_group(hello: Any) -> None:
    hello.random = RETRY_RANDOM
    hello.extensions = {**hello.extensions, X.key_share: hello.extensions[X.key_share][:2]}


@pytest.mark.rfc("rfc8446:4.1.3:2", "rfc8446:4.1.3:11", "rfc8446:4.1.3:12")
def test_a_tls13_server_marks_its_tls12_hello() -> None:
    assert server_hello_of(BOTH, TLS12).random[-8:] == DOWNGRADE_TO_12 == b"DOWNGRD\x01"


@pytest.mark.rfc("rfc8446:4.1.3:11")
def test_a_tls12_server_does_not() -> None:
    assert server_hello_of(TLS12, TLS12).random[-8:-1] != b"DOWNGRD"


@pytest.mark.rfc("rfc8446:4.1.3:14", "rfc8446:4.1.3:16")
@pytest.mark.parametrize("mark", [DOWNGRADE_TO_12, DOWNGRADE_TO_11])
def test_a_tls13_client_notices_the_mark(mark: bytes) -> None:
    def downgraded(hello: Any) -> None:
        hello.random = hello.random[:24] + mark

    found = talk(client(policy=BOTH), server(edit(ServerHello, downgraded), policy=TLS12))
    refused(found, "client", Reason.DOWNGRADE_DETECTED, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8446:4.1.3:14")
def test_who_strips_supported_versions_is_found_out() -> None:
    """A man in the middle makes both speak TLS 1.2: the server's mark tells the client."""
    found = talk(
        client(extensions(ClientHello, {X.supported_versions: None}), policy=BOTH), server(policy=BOTH)
    )
    refused(found, "client", Reason.DOWNGRADE_DETECTED, Alert.illegal_parameter)


# -- 4.1.4 HelloRetryRequest -----------------------------------------------------------------------


def retry_refused(reason: Reason, alert: Alert, *faults: Any) -> None:
    found = talk(client(policy=X25519_ONLY), server(*faults, policy=RETRYING))
    refused(found, "client", reason, alert, readable=False)


@pytest.mark.rfc("rfc8446:4.1.4:1", "rfc8446:9.2:3")
def test_a_retry_has_supported_versions() -> None:
    tap = Tap()
    connected(client(policy=X25519_ONLY), server(tap, policy=RETRYING))
    assert tap.the(HelloRetryRequest).extensions[X.supported_versions] == b"\x03\x04"
    found = talk(
        client(policy=X25519_ONLY),
        server(extensions(HelloRetryRequest, {X.supported_versions: None}), policy=RETRYING),
    )
    assert found.client_error is not None
    assert found.client_error.reason is Reason.UNSUPPORTED_PROTOCOL


@pytest.mark.rfc("rfc8446:4.1.4:3", "rfc8446:4.2:4")
@pytest.mark.parametrize("kind", [X.early_data, X.pre_shared_key, X.certificate_authorities, 0xFAFA])
def test_a_retry_holds_nothing_else(kind: int) -> None:
    retry_refused(
        Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension, extensions(HelloRetryRequest, {kind: b""})
    )


@pytest.mark.rfc("rfc8446:4.1.4:4")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"legacy_version": 0x0302}, Reason.BAD_LEGACY_VERSION),
        ({"legacy_session_id_echo": b""}, Reason.BAD_SESSION_ID_ECHO),
        ({"cipher_suite": 0x1305}, Reason.WRONG_CIPHER_RETURNED),
        ({"legacy_compression_method": 1}, Reason.DECODE_ERROR),
    ],
)
def test_a_retry_is_checked_like_a_hello(fields: dict[str, Any], reason: Reason) -> None:
    found = talk(client(policy=X25519_ONLY), server(edit(HelloRetryRequest, **fields), policy=RETRYING))
    assert found.client_error is not None
    assert found.client_error.reason is reason


@pytest.mark.rfc("rfc8446:4.1.4:5")
def test_a_retry_without_a_change() -> None:
    fault = extensions(HelloRetryRequest, {X.key_share: None})
    retry_refused(Reason.EMPTY_RETRY, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:4.1.4:6")
def test_a_second_retry() -> None:
    tap = Tap()
    connected(client(policy=X25519_ONLY), server(tap, policy=RETRYING))
    again = tap.the(HelloRetryRequest)

    def once_more(hello: Any) -> Any:
        return ServerHello(
            0x0303, RETRY_RANDOM, hello.legacy_session_id_echo, hello.cipher_suite, 0, again.extensions
        )

    retry_refused(Reason.SECOND_RETRY, Alert.unexpected_message, edit(ServerHello, once_more))


@pytest.mark.rfc("rfc8446:4.1.4:7")
def test_the_client_answers_every_part_of_a_retry() -> None:
    tap = Tap()
    connected(client(tap, policy=X25519_ONLY), server(policy=RETRYING, stateless_retry=True))
    _, second = tap.all(ClientHello)
    assert X.cookie in second.extensions
    assert ext.KeyShareClientHello.decode(second.extensions[X.key_share]).client_shares[0].group == 23


@pytest.mark.rfc("rfc8446:4.1.4:8")
def test_a_retry_with_a_cipher_suite_that_was_not_offered() -> None:
    fault = edit(HelloRetryRequest, cipher_suite=CipherSuite.TLS_AES_128_CCM_8_SHA256)
    retry_refused(Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:4.1.4:9")
@pytest.mark.parametrize("stateless", [False, True])
def test_the_server_keeps_its_cipher_suite(stateless: bool) -> None:
    tap = Tap()
    connected(client(policy=X25519_ONLY), server(tap, policy=RETRYING, stateless_retry=stateless))
    assert tap.the(HelloRetryRequest).cipher_suite == tap.the(ServerHello).cipher_suite


@pytest.mark.rfc("rfc8446:4.1.4:10")
def test_the_client_checks_that_it_does() -> None:
    fault = edit(ServerHello, cipher_suite=0x1302)
    retry_refused(Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:4.1.4:12", "rfc8446:4.1.4:13")
@pytest.mark.parametrize("version", [b"\x03\x03", b"\x03\x05", None])
def test_the_version_stays(version: bytes | None) -> None:
    fault = extensions(ServerHello, {X.supported_versions: version})
    found = talk(
        client(policy=X25519_ONLY.replace(versions=(0x0304, 0x0303))), server(fault, policy=RETRYING)
    )
    refused(found, "client", Reason.RETRY_MISMATCH, Alert.illegal_parameter, readable=False)


def test_a_hello_request_means_nothing_in_tls13() -> None:
    client_refuses(
        Reason.UNEXPECTED_MESSAGE,
        Alert.unexpected_message,
        insert(HelloRequest(), before=EncryptedExtensions),
    )
