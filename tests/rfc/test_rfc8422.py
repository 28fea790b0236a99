"""RFC 8422: elliptic curves in TLS 1.2."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import Identity, legacy
from pellucid.errors import Reason
from pellucid.lab import Tap, edit, extensions
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate12,
    ClientHello,
    ClientKeyExchangeECDHE,
    ServerHello,
    ServerKeyExchangeECDHE,
)

from .world import (
    AUTHORITY,
    CLIENT,
    ECDSA,
    ED25519,
    RSA,
    TLS12,
    TRUST,
    client,
    connected,
    groups,
    refused,
    schemes,
    server,
    talk,
)

ED448 = AUTHORITY.issue("localhost", key="ed448")
P384 = AUTHORITY.issue("localhost", key="ecdsa-p384")
ECDSA_SUITE = TLS12.replace(cipher_suites=(0xC02B,))
RSA_SUITE = TLS12.replace(cipher_suites=(0xC02F,))


@pytest.mark.rfc("rfc8422:2.1:1", "rfc8422:2.1:2", "rfc8422:5.3:2", "rfc8422:5.9:5")
@pytest.mark.parametrize(
    ("identity", "scheme"), [(ECDSA, 0x0403), (P384, 0x0503), (ED25519, 0x0807), (ED448, 0x0808)]
)
def test_ecdhe_ecdsa_signs_with_an_elliptic_key(identity: Identity, scheme: int) -> None:
    tap = Tap()
    connected(client(policy=ECDSA_SUITE), server(tap, policy=ECDSA_SUITE, identities=(identity,)))
    exchange = tap.the(ServerKeyExchangeECDHE)
    if identity in (ED25519, ED448):
        assert exchange.algorithm == scheme
    else:
        assert exchange.algorithm in (0x0403, 0x0503, 0x0603)
    assert tap.the(Certificate12).certificate_list == identity.chain


@pytest.mark.rfc("rfc8422:2.1:1", "rfc8422:5.3:2")
def test_ecdhe_ecdsa_with_an_rsa_certificate() -> None:
    found = talk(client(policy=ECDSA_SUITE), server(policy=ECDSA_SUITE, identities=(RSA,)))
    refused(found, "server", Reason.NO_SHARED_CIPHER, Alert.handshake_failure)
    fault = edit(Certificate12, certificate_list=RSA.chain)
    found = talk(client(policy=ECDSA_SUITE), server(fault, policy=ECDSA_SUITE))
    refused(found, "client", Reason.WRONG_CERTIFICATE_KEY, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8422:2.2:1", "rfc8422:5.3:3")
def test_ecdhe_rsa_with_an_elliptic_certificate() -> None:
    assert connected(client(policy=RSA_SUITE), server(policy=RSA_SUITE, identities=(RSA,)))
    found = talk(client(policy=RSA_SUITE), server(policy=RSA_SUITE))
    refused(found, "server", Reason.NO_SHARED_CIPHER, Alert.handshake_failure)
    fault = edit(Certificate12, certificate_list=ECDSA.chain)
    found = talk(client(policy=RSA_SUITE), server(fault, policy=RSA_SUITE, identities=(RSA,)))
    refused(found, "client", Reason.WRONG_CERTIFICATE_KEY, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8422:3.1:1", "rfc8422:5.6:1")
def test_a_clients_elliptic_certificate() -> None:
    found = connected(
        client(policy=TLS12, identities=(CLIENT,)),
        server(policy=TLS12, client_auth="require", client_trust=TRUST),
    )
    assert found.server.info.peer_chain == CLIENT.chain


@pytest.mark.rfc("rfc8422:4:2", "rfc8422:4:3", "rfc8422:5.1:4", "rfc8422:5.1:5", "rfc8422:5.1:6")
def test_the_server_respects_the_clients_curves() -> None:
    for group in (29, 23, 24, 25, 30):
        tap = Tap()
        fault = extensions(ClientHello, {X.supported_groups: groups(0x7777, group)})
        policy = RSA_SUITE
        talk(client(fault, policy=policy), server(tap, policy=policy, identities=(RSA,)))
        assert tap.the(ServerKeyExchangeECDHE).params.namedcurve == group
    fault = extensions(ClientHello, {X.supported_groups: groups(0x7777)})
    found = talk(client(fault, policy=RSA_SUITE), server(policy=RSA_SUITE, identities=(RSA,)))
    refused(found, "server", Reason.NO_SHARED_GROUP, Alert.handshake_failure)


@pytest.mark.rfc("rfc8422:5.3:4", "rfc8422:5.3:5")
def test_the_certificates_curve_is_one_of_the_clients() -> None:
    fault = extensions(ClientHello, {X.supported_groups: groups(23)})
    tap = Tap()
    talk(client(fault, policy=ECDSA_SUITE), server(tap, policy=ECDSA_SUITE, identities=(P384, ECDSA)))
    assert tap.the(Certificate12).certificate_list == ECDSA.chain
    fault = extensions(ClientHello, {X.supported_groups: groups(23)})
    found = talk(client(fault, policy=ECDSA_SUITE), server(policy=ECDSA_SUITE, identities=(P384,)))
    refused(found, "server", Reason.NO_SHARED_CIPHER, Alert.handshake_failure)


@pytest.mark.rfc("rfc8422:5.1.2:1", "rfc8422:5.1.2:5", "rfc8422:5.1:3")
def test_the_client_sends_these_octets() -> None:
    tap = Tap()
    client(tap, policy=TLS12).data_to_send()
    hello = tap.the(ClientHello)
    assert hello.extensions[X.ec_point_formats] == b"\1\0"
    assert bytes.fromhex("000b00020100") in hello.encode()


@pytest.mark.rfc("rfc8422:5.1.2:4", "rfc8422:5.1:3")
@pytest.mark.parametrize("formats", [b"\1\1", b"\2\1\2"])
def test_a_client_without_the_uncompressed_format(formats: bytes) -> None:
    found = talk(
        client(extensions(ClientHello, {X.ec_point_formats: formats}), policy=TLS12), server(policy=TLS12)
    )
    refused(found, "server", Reason.BAD_EC_POINT_FORMAT, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8422:5.2:2", "rfc8422:5.2:3")
def test_a_server_without_the_uncompressed_format() -> None:
    tap = Tap()
    connected(client(policy=TLS12), server(tap, policy=TLS12))
    assert tap.the(ServerHello).extensions[X.ec_point_formats] == b"\1\0"
    fault = extensions(ServerHello, {X.ec_point_formats: b"\1\1"})
    found = talk(client(policy=TLS12), server(fault, policy=TLS12))
    refused(found, "client", Reason.BAD_EC_POINT_FORMAT, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8422:4:4")
def test_no_elliptic_extensions_without_elliptic_suites() -> None:
    tap = Tap()
    client(tap, policy=legacy.museum_policy()).data_to_send()
    found = tap.the(ClientHello).extensions
    assert X.supported_groups not in found
    assert X.ec_point_formats not in found


@pytest.mark.parametrize(
    "point",
    [
        (23, b"\4" + bytes(64)),
        (23, b"\2" + bytes(32)),
        (23, b"\4" + bytes(10)),
        (29, bytes(32)),
        (29, bytes(31)),
        (30, bytes(56)),
    ],
)
def test_points_that_are_none(point: tuple[int, bytes]) -> None:
    group, public = point
    policy = TLS12.replace(groups=(group, 24) if group != 23 else (23,), cipher_suites=(0xC02F,))
    fault = edit(ClientKeyExchangeECDHE, ecdh_Yc=public)
    found = talk(client(fault, policy=policy), server(policy=policy, identities=(RSA,)))
    refused(found, "server", Reason.BAD_KEY_SHARE, Alert.illegal_parameter)


def test_a_curve_that_was_not_offered() -> None:
    def other(message: Any) -> None:
        message.params.namedcurve = 0x0019

    policy = TLS12.replace(groups=(29, 23))
    found = talk(client(policy=policy), server(edit(ServerKeyExchangeECDHE, other), policy=policy))
    refused(found, "client", Reason.WRONG_CURVE, Alert.illegal_parameter)


@pytest.mark.rfc("rfc8422:5.10:4", "rfc8422:5.10:7")
def test_hashes_are_secure_and_eddsa_has_its_own() -> None:
    tap = Tap()
    client(tap, policy=TLS12).data_to_send()
    listed = ext.SignatureSchemes.decode(tap.the(ClientHello).extensions[X.signature_algorithms])
    legacy_pairs = [s for s in listed.supported_signature_algorithms if s >> 8 < 8]
    assert all(4 <= scheme >> 8 <= 6 for scheme in legacy_pairs)
    assert {0x0807, 0x0808} <= set(listed.supported_signature_algorithms)
    assert schemes(0x0807) == b"\0\2\x08\x07"
