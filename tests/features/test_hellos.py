"""The hello: its raw bytes for the application, the choice of a configuration, fallback, names, ALPN, GREASE.

RFC 8446 sections 4.1.2 and 4.2.2; RFC 7507; RFC 6066 section 3; RFC 7301; RFC 8701.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from pellucid import Policy, TLSError
from pellucid.errors import Reason
from pellucid.events import SelectConfig
from pellucid.lab import Tap, edit, extensions
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import GREASE_VALUES, Alert, CipherSuite
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello, EncryptedExtensions, NewSessionTicket, ServerHello
from rfc.world import BOTH, ECDSA, RSA, TLS12, TLS13, client, connected, refused, server, server_config, talk

VERSIONS = pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])


# -- the application sees it -----------------------------------------------------------------------


@VERSIONS
def test_the_raw_hello_is_there_before_anything_is_chosen(policy: Policy) -> None:
    tap = Tap()
    one = client(tap, policy=policy, alpn=("h2",))
    other = server(policy=policy, ask=frozenset({SelectConfig}))
    other.receive_data(one.data_to_send())
    question = next(event for event in other.events() if isinstance(event, SelectConfig))
    assert other.data_to_send() == b""
    hello = question.client_hello
    assert hello.raw == tap.sent[0]
    assert question.server_name == "localhost"
    assert ClientHello.decode(hello.raw[4:]).cipher_suites == hello.cipher_suites
    assert list(hello.extensions) == list(tap.the(ClientHello).extensions), "in the client's order"
    question.answer(server_config(policy, identities=(RSA,), alpn=("h2",)))
    found = talk(one, other)
    assert found.completed
    assert found.client.info.peer_chain == RSA.chain
    assert found.client.info.alpn == "h2"
    assert other.client_hello == hello


def test_the_raw_hello_stays_readable_without_a_question() -> None:
    tap = Tap()
    found = connected(client(tap), server())
    hello = found.server.client_hello
    assert hello is not None
    assert hello.raw == tap.sent[0]


def test_after_a_retry_it_is_the_second() -> None:
    tap = Tap()
    found = connected(
        client(tap, policy=TLS13.replace(key_shares=(0x1D,))), server(policy=TLS13.replace(groups=(0x17,)))
    )
    assert found.server.client_hello is not None
    hellos = [item for item in tap.sent if isinstance(item, bytes) and item[0] == 1]
    assert found.server.client_hello.raw == hellos[1] != hellos[0]


@VERSIONS
def test_the_application_turns_a_client_away(policy: Policy) -> None:
    one = client(policy=policy)
    other = server(policy=policy, ask=frozenset({SelectConfig}))
    other.receive_data(one.data_to_send())
    question = next(event for event in other.events() if isinstance(event, SelectConfig))
    with pytest.raises(TLSError):
        question.fail()
    found = talk(one, other)
    assert found.server.error is not None
    assert found.server.error.reason is Reason.CONNECTION_REJECTED
    assert found.alert_received is Alert.handshake_failure


# -- TLS_FALLBACK_SCSV (RFC 7507) --------------------------------------------------------------------


def test_a_second_try_with_an_older_version_is_refused() -> None:
    """The first try was cut by someone in between; the server knows better than TLS 1.2."""
    retrying = TLS12.replace(send_fallback_scsv=True)
    refused(
        talk(client(policy=retrying), server(policy=BOTH)),
        "server",
        Reason.INAPPROPRIATE_FALLBACK,
        Alert.inappropriate_fallback,
    )


@pytest.mark.parametrize("policy", [TLS12, TLS13, BOTH], ids=["1.2", "1.3", "both"])
def test_a_fallback_to_the_servers_best_is_none(policy: Policy) -> None:
    tap = Tap()
    ours = policy.replace(send_fallback_scsv=True)
    assert talk(client(tap, policy=ours), server(policy=policy)).completed
    assert tap.the(ClientHello).cipher_suites[-1] == CipherSuite.TLS_FALLBACK_SCSV


@pytest.mark.parametrize("policy", [TLS12, BOTH], ids=["1.2", "both"])
def test_the_signal_is_no_suite_to_choose(policy: Policy) -> None:
    fault = edit(ServerHello, cipher_suite=CipherSuite.TLS_FALLBACK_SCSV)
    ours = policy.replace(send_fallback_scsv=True)
    found = talk(client(policy=ours), server(fault, policy=policy))
    refused(found, "client", Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter, readable=policy is TLS12)


# -- names and protocols ---------------------------------------------------------------------------

BAD_NAMES = {
    "empty list": (b"\0\0", Reason.DECODE_ERROR),
    "empty name": (b"\0\3\0\0\0", Reason.DECODE_ERROR),
    "no list": (b"", Reason.DECODE_ERROR),
    "too short": (b"\0\x08\0\0\4a.tes", Reason.DECODE_ERROR),
    "more behind it": (b"\0\x09\0\0\6a.test!", Reason.TRAILING_DATA),
    "two hosts": (b"\0\x12\0\0\6a.test\0\0\6b.test", Reason.BAD_SERVER_NAME),
    "no host name": (b"\0\x09\7\0\6a.test", Reason.BAD_SERVER_NAME),
    "NUL": (b"\0\x09\0\0\6a\0test", Reason.BAD_SERVER_NAME),
    "trailing dot": (b"\0\x0a\0\0\7a.test.", Reason.BAD_SERVER_NAME),
    "address": (b"\0\x0c\0\0\x09127.0.0.1", Reason.BAD_SERVER_NAME),
    "not ASCII": (b"\0\x09\0\0\6\xc3\xa4test", Reason.BAD_SERVER_NAME),
    "over 253 bytes": (b"\1\x03\0\1\0" + b"a." * 128, Reason.BAD_SERVER_NAME),
}


@pytest.mark.parametrize("wrong", BAD_NAMES)
@VERSIONS
def test_names_that_are_none(policy: Policy, wrong: str) -> None:
    body, reason = BAD_NAMES[wrong]
    found = talk(client(extensions(ClientHello, {X.server_name: body}), policy=policy), server(policy=policy))
    refused(found, "server", reason, Alert.decode_error)


@VERSIONS
def test_an_answer_to_the_name_is_empty(policy: Policy) -> None:
    answer = EncryptedExtensions if policy is TLS13 else ServerHello
    found = talk(client(policy=policy), server(extensions(answer, {X.server_name: b"\0"}), policy=policy))
    refused(found, "client", Reason.TRAILING_DATA, Alert.decode_error)


def test_a_server_may_insist_on_its_names() -> None:
    config = server_config(TLS13, require_server_name=True)
    assert talk(client(), server(config=config)).completed
    found = talk(client(name="elsewhere.test"), server(config=config))
    refused(found, "server", Reason.UNRECOGNIZED_NAME, Alert.unrecognized_name)


@VERSIONS
def test_protocols_that_do_not_meet(policy: Policy) -> None:
    """RFC 7301 section 3.2: fatal, and never a silent choice (ALPACA)."""
    config = server_config(policy, alpn=("http/1.1",))
    found = talk(client(policy=policy, alpn=("ftp",)), server(config=config))
    refused(found, "server", Reason.NO_APPLICATION_PROTOCOL, Alert.no_application_protocol)
    found = talk(client(policy=policy), server(config=config.replace(require_alpn=True)))
    refused(found, "server", Reason.NO_APPLICATION_PROTOCOL, Alert.no_application_protocol)


@pytest.mark.parametrize("names", [(b"h3",), (b"h2", b"http/1.1"), (b"h2", b"h2"), (b"H2",)])
@VERSIONS
def test_a_protocol_that_was_not_offered_or_not_one(policy: Policy, names: tuple[bytes, ...]) -> None:
    answer = EncryptedExtensions if policy is TLS13 else ServerHello
    body = {X.application_layer_protocol_negotiation: ext.ProtocolNames(names).encode()}
    one = client(policy=policy, alpn=("h2", "http/1.1"))
    found = talk(one, server(extensions(answer, body), policy=policy, alpn=("h2",)))
    refused(found, "client", Reason.BAD_ALPN, Alert.illegal_parameter)


@pytest.mark.parametrize("body", [b"", b"\0\0", b"\0\1\0", b"\0\3\0\1x", b"\0\3\3h2"])
@VERSIONS
def test_lists_of_protocols_that_cannot_be_read(policy: Policy, body: bytes) -> None:
    kind = X.application_layer_protocol_negotiation
    found = talk(
        client(extensions(ClientHello, {kind: body}), policy=policy), server(policy=policy, alpn=("h2",))
    )
    refused(found, "server", Reason.DECODE_ERROR, Alert.decode_error)


# -- GREASE (RFC 8701) and order -------------------------------------------------------------------


def test_grease_is_sent_by_both_sides_and_taken() -> None:
    greasy = BOTH.replace(grease=True)
    taps = Tap(), Tap()
    found = connected(client(taps[0], policy=greasy), server(taps[1], policy=greasy))
    hello = taps[0].the(ClientHello)
    reserved = set(GREASE_VALUES)
    assert hello.cipher_suites[0] in reserved
    assert len(reserved & set(hello.extensions)) == 2
    assert ext.SupportedGroups.decode(hello.extensions[X.supported_groups]).named_group_list[0] in reserved
    assert ext.SupportedVersions.decode(hello.extensions[X.supported_versions]).versions[0] in reserved
    assert ext.KeyShareClientHello.decode(hello.extensions[X.key_share]).client_shares[0].group in reserved
    assert all(reserved & set(ticket.extensions) for ticket in taps[1].all(NewSessionTicket))
    assert found.client.info.group not in reserved


@pytest.mark.parametrize("value", [0x0A0A, 0xFAFA])
def test_grease_is_never_chosen(value: int) -> None:
    """RFC 8701 section 3.1: a server that picks what the client greased with is refused like any other."""
    greasy = TLS13.replace(grease=True)
    found = talk(client(policy=greasy), server(edit(ServerHello, cipher_suite=value), policy=TLS13))
    refused(found, "client", Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter, readable=False)
    version = {X.supported_versions: ext.SelectedVersion(value).encode()}
    found = talk(client(policy=greasy), server(extensions(ServerHello, version), policy=TLS13))
    refused(found, "client", Reason.VERSION_NOT_OFFERED, Alert.illegal_parameter, readable=False)
    share = {X.key_share: ext.KeyShareServerHello(ext.KeyShareEntry(value, b"\0")).encode()}
    found = talk(client(policy=greasy), server(extensions(ServerHello, share), policy=TLS13))
    refused(found, "client", Reason.WRONG_CURVE, Alert.illegal_parameter, readable=False)


def test_the_order_is_shuffled_by_policy_and_keys_stay_last() -> None:
    """RFC 8446 section 4.2.11: pre_shared_key is the last, whatever the dice say."""
    from rfc.world import PSK

    orders = set()
    for seed in range(8):
        tap = Tap()
        shuffled = BOTH.replace(shuffle_extensions=True)
        source: Any = random.Random(seed).randbytes
        one = client(tap, policy=shuffled, psks=(PSK,), random=source)
        order = list(tap.the(ClientHello).extensions)
        assert order[-1] == X.pre_shared_key
        orders.add(tuple(order))
        assert talk(one, server(policy=BOTH, identities=(ECDSA,))).completed
    assert len(orders) == 8
    plain = set()
    for _ in range(3):
        tap = Tap()
        client(tap, policy=BOTH)
        plain.add(tuple(tap.the(ClientHello).extensions))
    assert len(plain) == 1
