"""RFC 8446 sections 7 to 9: exporters, compliance."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import Policy
from pellucid.crypto import schedule13
from pellucid.errors import Reason
from pellucid.lab import HelloRetryRequest, Tap, edit, extensions
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello, ServerHello

from .world import (
    BOTH,
    ECDSA,
    PSK,
    RSA,
    TLS13,
    client,
    client_config,
    connected,
    groups,
    refused,
    server,
    server_refuses,
    talk,
)


@pytest.mark.rfc("rfc8446:7.5:1")
def test_exporters_come_from_the_exporter_master_secret() -> None:
    lines: list[str] = []
    found = connected(client(config=client_config(keylog=lines.append)), server())
    secret = next(bytes.fromhex(line.split()[2]) for line in lines if line.startswith("EXPORTER_SECRET"))
    hash = found.client.suite.hash
    expected = schedule13.export(hash, secret, b"EXPERIMENTAL x", b"context", 20)  # type: ignore[arg-type]
    assert found.client.export("EXPERIMENTAL x", b"context", 20) == expected
    assert found.server.export("EXPERIMENTAL x", b"context", 20) == expected


@pytest.mark.rfc("rfc8446:appendix-E.1:2")
def test_channel_bindings_are_long_enough() -> None:
    found = connected()
    binding = found.client.channel_binding("tls-exporter")
    assert len(binding) == 32
    assert binding == found.server.channel_binding("tls-exporter")


@pytest.mark.rfc("rfc8446:9.1:1")
@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303])
def test_the_cipher_suites_that_must_be_there(suite: int) -> None:
    only = TLS13.replace(cipher_suites=(suite,))
    assert suite in Policy().cipher_suites
    assert connected(client(policy=only), server()).client.info.cipher_suite == suite


@pytest.mark.rfc("rfc8446:9.1:2")
@pytest.mark.parametrize(("scheme", "identity"), [(0x0804, RSA), (0x0403, ECDSA)])
def test_the_signature_schemes_that_must_be_there(scheme: int, identity: Any) -> None:
    policy = TLS13.replace(signature_schemes=(scheme,), certificate_schemes=(0x0403, 0x0401, scheme))
    found = connected(client(policy=policy), server(identities=(identity,)))
    assert found.client.info.signature_scheme == scheme


@pytest.mark.rfc("rfc8446:9.1:2")
def test_certificates_signed_with_rsa_pkcs1_sha256() -> None:
    from cryptography.x509.oid import SignatureAlgorithmOID

    from pellucid import Authority, ClientConfig, ClientConnection, ServerConfig, ServerConnection

    authority = Authority.create(key="rsa-2048")
    assert authority.certificate.signature_algorithm_oid == SignatureAlgorithmOID.RSA_WITH_SHA256
    one = ClientConnection(ClientConfig(trust=authority.trust()), "localhost")
    other = ServerConnection(ServerConfig(identities=(authority.issue("localhost"),)))
    assert talk(one, other).completed


@pytest.mark.rfc("rfc8446:9.1:3")
@pytest.mark.parametrize("group", [23, 29])
def test_the_groups_that_must_be_there(group: int) -> None:
    found = connected(client(policy=TLS13.replace(groups=(group,))), server())
    assert found.client.info.group == group


@pytest.mark.rfc("rfc8446:9.2:1", "rfc8446:9.2:2", "rfc8446:9.2:9")
def test_the_extensions_that_must_be_there_are_sent() -> None:
    tap = Tap()
    settings: Any = {"policy": TLS13.replace(certificate_schemes=(0x0403,), key_shares=(29,)), "psks": (PSK,)}
    connected(client(tap, **settings), server(stateless_retry=True, policy=TLS13.replace(groups=(23,))))
    second = tap.all(ClientHello)[1].extensions
    for kind in (
        X.supported_versions,
        X.cookie,
        X.signature_algorithms,
        X.signature_algorithms_cert,
        X.supported_groups,
        X.key_share,
        X.server_name,
    ):
        assert kind in second


@pytest.mark.rfc("rfc8446:9.2:3")
def test_supported_versions_stands_in_all_three() -> None:
    ours, theirs = Tap(), Tap()
    connected(
        client(ours, policy=TLS13.replace(key_shares=(29,))),
        server(theirs, policy=TLS13.replace(groups=(23,))),
    )
    hellos = (*ours.all(ClientHello), theirs.the(HelloRetryRequest), theirs.the(ServerHello))
    assert all(X.supported_versions in hello.extensions for hello in hellos)


@pytest.mark.rfc("rfc8446:9.2:5", "rfc8446:9.2:10", "rfc8446:9.2:11", "rfc8446:9.2:12", "rfc8446:9.2:6")
@pytest.mark.parametrize(
    "missing",
    [
        (X.signature_algorithms,),
        (X.supported_groups,),
        (X.key_share,),
        (X.supported_groups, X.key_share),
    ],
)
def test_a_hello_without_what_must_be_there(missing: tuple[int, ...]) -> None:
    fault = extensions(ClientHello, dict.fromkeys(missing))
    found = talk(client(fault), server())
    assert found.server_error is not None
    assert found.server_error.alert == found.alert_received == Alert.missing_extension


@pytest.mark.rfc("rfc8446:9.2:11", "rfc8446:9.2:12")
@pytest.mark.parametrize("missing", [X.supported_groups, X.key_share])
def test_groups_without_shares_are_refused_with_a_key_too(missing: int) -> None:
    fault = extensions(ClientHello, {missing: None})
    found = talk(client(fault, psks=(PSK,)), server(psks=(PSK,)))
    assert found.server_error is not None
    assert found.server_error.alert == Alert.missing_extension


@pytest.mark.rfc("rfc8446:9.2:13")
def test_the_certificate_is_chosen_by_server_name() -> None:
    from .world import AUTHORITY

    one, two = AUTHORITY.issue("one.test"), AUTHORITY.issue("two.test")
    for name, identity in (("one.test", one), ("two.test", two)):
        found = connected(client(name=name), server(identities=(one, two)))
        assert found.client.info.peer_chain == identity.chain


def test_a_name_that_no_certificate_has() -> None:
    found = talk(client(name="other.test"), server(require_server_name=True))
    refused(found, "server", Reason.UNRECOGNIZED_NAME, Alert.unrecognized_name)


@pytest.mark.rfc("rfc8446:9.3:1", "rfc8446:9.3:3", "rfc8446:9.3:5")
def test_unknown_values_everywhere_in_a_hello_are_ignored() -> None:
    def strange(hello: Any) -> None:
        found = hello.extensions
        hello.cipher_suites = (0x4A4A, *hello.cipher_suites)
        found = {0x5A5A: b"", **found}
        listed = ext.SupportedGroups.decode(found[X.supported_groups]).named_group_list
        found[X.supported_groups] = groups(0x6A6A, *listed)
        entries = ext.KeyShareClientHello.decode(found[X.key_share]).client_shares
        entry = ext.KeyShareEntry(0x6A6A, b"?")
        found[X.key_share] = ext.KeyShareClientHello((entry, *entries)).encode()
        found[X.supported_versions] = b"\4\x7a\x7a\3\4"
        found[X.psk_key_exchange_modes] = b"\3\x2a\1\x8b"
        schemes = ext.SignatureSchemes.decode(found[X.signature_algorithms]).supported_signature_algorithms
        found[X.signature_algorithms] = ext.SignatureSchemes((0x8A8A, *schemes)).encode()
        found[X.application_layer_protocol_negotiation] = ext.ProtocolNames((b"\x9a\x9a", b"h2")).encode()
        found[X.compress_certificate] = b"\2\x9a\x9a"
        hello.extensions = found

    found = talk(client(edit(ClientHello, strange), alpn=("h2",)), server(alpn=("h2",)))
    assert found.completed, found.refusal
    assert found.server.info.alpn == "h2"


@pytest.mark.rfc("rfc8446:9.3:4")
def test_the_client_can_do_what_it_offers() -> None:
    """Every suite, group and version of a default hello leads to a connection."""
    policy = Policy()
    for suite in policy.suites.values():
        if suite.tls13:
            only = TLS13.replace(cipher_suites=(suite.code,))
            assert connected(client(policy=BOTH), server(policy=only)).client.info.cipher_suite == suite.code
    for group in policy.groups:
        only = TLS13.replace(groups=(group,))
        assert connected(client(policy=BOTH), server(policy=only)).client.info.group == group
    for version in policy.versions:
        only = BOTH.replace(versions=(version,))
        assert connected(client(policy=BOTH), server(policy=only)).client.info.version == version


def test_grease_is_sent_and_harmless() -> None:
    tap = Tap()
    policy = TLS13.replace(grease=True)
    assert talk(client(tap, policy=policy), server(policy=policy)).completed
    assert tap.the(ClientHello).cipher_suites[0] & 0x0F0F == 0x0A0A
    server_refuses(
        Reason.UNSUPPORTED_PROTOCOL,
        Alert.protocol_version,
        extensions(ClientHello, {X.supported_versions: b"\2\x7a\x7a"}),
    )
