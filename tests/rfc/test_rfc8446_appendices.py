"""RFC 8446 appendices B to E, and what TLS 1.3 has to say about older versions."""

from __future__ import annotations

import pytest

from pellucid import ClientConfig, ClientConnection, Policy, UsageError
from pellucid.crypto.suites import SUITES, legacy_suites
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.lab import Tap, edit, extensions
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert, CipherSuite
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello, ServerHello

from .test_rfc8446_5 import wire_of
from .world import BOTH, RELAXED12, TLS12, TLS13, client, connected, refused, server, talk


def hello_of(policy: Policy) -> ClientHello:
    tap = Tap()
    client(tap, policy=policy).data_to_send()
    return tap.the(ClientHello)  # type: ignore[no-any-return]


@pytest.mark.rfc("rfc8446:appendix-B.3.1.4:1")
def test_obsolete_groups_are_neither_known_nor_chosen() -> None:
    obsolete = {*range(1, 0x17), 0x1A, 0x1B, 0x1C, 0xFF01, 0xFF02}
    body = hello_of(BOTH).extensions[X.supported_groups]
    assert not obsolete & set(ext.SupportedGroups.decode(body).named_group_list)
    for group in sorted(obsolete):
        with pytest.raises(UsageError):
            Policy(groups=(group,))


@pytest.mark.rfc("rfc8446:appendix-B:1")
def test_reserved_values_are_not_sent() -> None:
    """Handshake types and alerts that B marks _RESERVED cannot come out of a TLS 1.3 connection."""
    ours, theirs = Tap(), Tap()
    connected(client(ours), server(theirs))
    reserved = {0, 3, 6, 12, 14, 16, 21, 22, 23}
    assert not reserved & {*ours.types, *theirs.types}
    alerts = {reason.alert for reason in Reason if reason.section.startswith("RFC 8446")}
    assert not alerts & {21, 30, 41, 60, 114}


@pytest.mark.rfc("rfc8446:appendix-C.5:1")
def test_nobody_goes_unauthenticated_by_accident() -> None:
    with pytest.raises(UsageError):
        ClientConnection(ClientConfig())
    untrusted = ClientConnection(ClientConfig(policy=TLS13), "localhost")
    found = talk(untrusted, server())
    assert found.client_error is not None
    assert found.client_error.reason is Reason.UNKNOWN_CA


@pytest.mark.rfc("rfc8446:appendix-D.1:3")
@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302])
def test_a_server_that_chooses_an_older_version(version: int) -> None:
    found = talk(client(policy=BOTH), server(edit(ServerHello, legacy_version=version), policy=TLS12))
    refused(found, "client", Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version)


@pytest.mark.rfc("rfc8446:appendix-D.1:3")
def test_a_tls13_client_and_a_tls12_server() -> None:
    fault = extensions(ServerHello, {X.supported_versions: None})
    found = talk(client(), server(fault))
    refused(found, "client", Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version, readable=False)


@pytest.mark.rfc("rfc8446:appendix-D.2:3")
@pytest.mark.parametrize("version", [0x0301, 0x0302, 0x0303])
def test_a_server_that_only_knows_newer_versions(version: int) -> None:
    fault = edit(ClientHello, legacy_version=version)
    found = talk(client(fault, policy=TLS12), server())
    refused(found, "server", Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version)


@pytest.mark.rfc("rfc8446:appendix-D.4:1")
@pytest.mark.parametrize("compatible", [True, False])
def test_the_server_sends_a_ccs_if_the_session_id_is_not_empty(compatible: bool) -> None:
    plain = TLS13.replace(middlebox_compatibility=False)  # the server's own policy does not matter
    found = connected(client(policy=TLS13.replace(middlebox_compatibility=compatible)), server(policy=plain))
    kinds = [record[0] for record in wire_of(found.to_client)]
    assert (20 in kinds) is compatible
    if compatible:
        assert kinds[:2] == [22, 20]


NAMES = [CipherSuite.name_of(code) for code in (*SUITES, *legacy_suites())]


@pytest.mark.rfc("rfc8446:appendix-D.5:2", "rfc8446:appendix-D.5:3")
@pytest.mark.parametrize("word", ["RC4", "EXPORT", "NULL", "DES", "MD5", "anon"])
def test_weak_ciphers_do_not_exist_here(word: str) -> None:
    assert not [name for name in NAMES if word in name]


@pytest.mark.rfc("rfc8446:appendix-D.5:4", "rfc8446:appendix-D.5:10")
@pytest.mark.parametrize("policy", [BOTH, RELAXED12])
def test_ssl3_is_refused(policy: Policy) -> None:
    with pytest.raises(UsageError):
        Policy(versions=(0x0300,))
    found = talk(client(edit(ClientHello, legacy_version=0x0300), policy=policy), server(policy=policy))
    refused(found, "server", Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version)
    found = talk(client(policy=BOTH), server(edit(ServerHello, legacy_version=0x0300), policy=TLS12))
    refused(found, "client", Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version)


@pytest.mark.rfc("rfc8446:appendix-D.5:5", "rfc8446:appendix-D.5:7")
def test_an_ssl2_hello_is_refused() -> None:
    one = server(policy=BOTH)
    with pytest.raises(PeerMisbehaved) as caught:
        one.receive_data(b"\x80\x2e\1\3\4\0\x15\0\0\0\x10" + bytes(40))
    assert caught.value.reason is Reason.SSLV2_HELLO
    assert one.data_to_send()[:2] != b"\x80\x2e"


@pytest.mark.rfc("rfc8446:appendix-D.5:6", "rfc8446:appendix-D.5:9", "rfc8446:appendix-D.5:11")
@pytest.mark.parametrize("policy", [TLS12, TLS13, BOTH])
def test_our_hellos_are_tls(policy: Policy) -> None:
    ours, theirs = Tap(), Tap()
    found = connected(client(ours, policy=policy), server(theirs, policy=policy))
    assert found.to_server[0] == 22
    assert ours.the(ClientHello).legacy_version == theirs.the(ServerHello).legacy_version == 0x0303
    versions = {record[1:3] for record in (*wire_of(found.to_server), *wire_of(found.to_client))}
    assert min(versions) >= b"\3\1"


@pytest.mark.rfc("rfc8446:appendix-D.5:13")
def test_truncated_hmac_is_neither_offered_nor_taken() -> None:
    for policy in (BOTH, RELAXED12):
        assert 4 not in hello_of(policy).extensions
        tap = Tap()
        fault = extensions(ClientHello, {4: b""})
        talk(client(fault, policy=RELAXED12), server(tap, policy=RELAXED12))
        assert 4 not in tap.the(ServerHello).extensions


def test_fallback_is_noticed() -> None:
    policy = TLS12.replace(send_fallback_scsv=True)
    found = talk(client(policy=policy), server(policy=BOTH))
    refused(found, "server", Reason.INAPPROPRIATE_FALLBACK, Alert.inappropriate_fallback)
    assert talk(client(policy=policy), server(policy=TLS12)).completed
