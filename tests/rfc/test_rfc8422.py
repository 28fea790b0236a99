"""RFC 8422: elliptic curves in TLS 1.2."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from pellucid import Identity, legacy
from pellucid.crypto.groups import GROUPS
from pellucid.crypto.signatures import sign, verify
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.lab import Tap, edit, extensions
from pellucid.trust.der import public_key_bits, public_key_info
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


# -- 5.4, 5.9, 5.10 Keys and signatures ----------------------------------------------------------------

#: RFC 8032 section 7.1 (test 2) and 7.4 (1 octet, no context): secret key, public key, message, signature.
EDDSA = [
    (
        0x0807,
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        0x0808,
        "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
        "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
        "03",
        "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779"
        "805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c0"
        "3a00",
    ),
]  # fmt: skip


@pytest.mark.rfc("rfc8422:5.10:5", "rfc8422:5.10:6")
@pytest.mark.parametrize(("scheme", "secret", "public", "message", "signature"), EDDSA)
def test_eddsa_is_that_of_rfc_8032(
    scheme: int, secret: str, public: str, message: str, signature: str
) -> None:
    """Ed25519 and Ed448 without a context: another context, or none of RFC 8032's, gives other bytes."""
    kind: Any = Ed25519PrivateKey if scheme == 0x0807 else Ed448PrivateKey
    key = kind.from_private_bytes(bytes.fromhex(secret))
    assert key.public_key().public_bytes_raw().hex() == public
    assert sign(scheme, key, bytes.fromhex(message)).hex() == signature
    verify(scheme, key.public_key(), bytes.fromhex(signature), bytes.fromhex(message))


def times(count: int, point: tuple[int, int] | None) -> tuple[int, int] | None:
    """A multiple of a point of P-256, as a schoolbook has it."""
    found: tuple[int, int] | None = None
    while count:
        if count & 1:
            found = plus(found, point)
        point, count = plus(point, point), count >> 1
    return found


P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def plus(one: tuple[int, int] | None, two: tuple[int, int] | None) -> tuple[int, int] | None:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % P == 0:
        return None
    if one == two:
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, P) % P
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, P) % P
    x = (slope**2 - one[0] - two[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


@pytest.mark.rfc("rfc8422:5.10:3")
def test_ecdsa_is_that_of_x9_62() -> None:
    """Our signature satisfies X9.62's equation, computed from its text; one that does not is refused."""
    numbers = ECDSA.public_key.public_numbers()
    signature = sign(0x0403, ECDSA.key, b"data")
    r, s = decode_dss_signature(signature)
    inverse = pow(s, -1, N)
    digest = int.from_bytes(hashlib.sha256(b"data").digest(), "big")
    point = plus(times(digest * inverse % N, G), times(r * inverse % N, (numbers.x, numbers.y)))
    assert point is not None
    assert point[0] % N == r
    with pytest.raises(PeerMisbehaved) as caught:
        verify(0x0403, ECDSA.public_key, encode_dss_signature(r, (s + 1) % N), b"data")
    assert caught.value.reason is Reason.BAD_SIGNATURE


@pytest.mark.rfc("rfc8422:5.3:1", "rfc8422:5.9:1", "rfc8422:5.9:2", "rfc8422:5.4:1")
@pytest.mark.parametrize(
    ("kind", "algorithm", "size"),
    [
        ("ecdsa-p256", "06072a8648ce3d020106082a8648ce3d030107", 65),  # id-ecPublicKey, namedCurve
        ("ecdsa-p384", "06072a8648ce3d020106052b81040022", 97),
        ("ed25519", "06032b6570", 32),  # RFC 8410 section 3: no parameters
        ("ed448", "06032b6571", 57),
    ],
)
def test_ec_keys_stand_in_certificates_as_rfcs_3279_and_8410_say(
    kind: str, algorithm: str, size: int
) -> None:
    """And an Edwards key is bare bytes there, no ECPoint; nor is its curve one of the groups."""
    leaf = AUTHORITY.issue("localhost", key=kind).chain[0]
    tbs = x509.load_der_x509_certificate(leaf).tbs_certificate_bytes
    info = public_key_info(tbs)
    identifier = bytes.fromhex(algorithm)
    assert info[2 if info[1] < 0x80 else 3 :].startswith(bytes((0x30, len(identifier))) + identifier + b"\3")
    bits = public_key_bits(tbs)
    assert len(bits) == size
    if kind.startswith("ecdsa"):
        assert bits[0] == 4  # uncompressed
    assert not any("ed25519" in group.name or "ed448" in group.name for group in GROUPS.values())
