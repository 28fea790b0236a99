"""Attacks on what TLS once was: ROBOT, Lucky13, POODLE, BEAST, CRIME, DROWN, Logjam, FREAK, SLOTH and kin.

What of it exists here at all lives in `pellucid.legacy`; see docs/attacks.md for the whole table.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from pellucid import Policy, UsageError, legacy
from pellucid.crypto.groups import GROUPS
from pellucid.crypto.signatures import SCHEMES
from pellucid.crypto.suites import SUITES, legacy_suites
from pellucid.errors import Reason
from pellucid.lab import Tap, edit, extensions, insert, records
from pellucid.wire.codepoints import Alert, CipherSuite, SignatureScheme
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    CertificateVerify,
    ClientHello,
    ClientKeyExchangeECDHE,
    ClientKeyExchangeRSA,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchangeECDHE,
)
from rfc.world import BOTH, RSA, TLS12, TLS13, client, connected, refused, server, talk

MUSEUM = legacy.museum_policy()
MODULUS = RSA.public_key.public_numbers().n


def encrypted(plain: bytes) -> bytes:
    """A block encrypted without any padding of ours: textbook RSA."""
    number: int = pow(int.from_bytes(plain, "big"), 65537, MODULUS)
    return number.to_bytes(256, "big")


def padded(premaster: bytes, *, start: bytes = b"\0\2", end: bytes = b"\0") -> bytes:
    filler = bytes(b or 1 for b in os.urandom(256 - len(start) - len(end) - len(premaster)))
    return start + filler + end + premaster


PREMASTER = b"\3\3" + bytes(range(46))
ORACLES = {
    "not for this handshake": RSA.public_key.encrypt(PREMASTER, PKCS1v15()),
    "begins with 01 02": encrypted(padded(PREMASTER, start=b"\1\2")),
    "begins with 00 01": encrypted(padded(PREMASTER, start=b"\0\1")),
    "no zero at all": encrypted(padded(b"\1" * 48, end=b"")),
    "a zero within the first eight": encrypted(b"\0\2" + b"\1\1\1\0" + b"\1" * 201 + b"\0" + PREMASTER),
    "47 bytes": RSA.public_key.encrypt(PREMASTER[:47], PKCS1v15()),
    "49 bytes": RSA.public_key.encrypt(PREMASTER + b"!", PKCS1v15()),
    "nothing": RSA.public_key.encrypt(b"", PKCS1v15()),
    "version 3.1": RSA.public_key.encrypt(b"\3\1" + PREMASTER[2:], PKCS1v15()),
    "version 0": RSA.public_key.encrypt(bytes(2) + PREMASTER[2:], PKCS1v15()),
    "zero": bytes(256),
    "one": bytes(255) + b"\1",
    "n - 1": (MODULUS - 1).to_bytes(256, "big"),
    "n": MODULUS.to_bytes(256, "big"),
    "over n": b"\xff" * 256,
}


def outcome(name: str) -> tuple[Any, ...]:
    fault = edit(ClientKeyExchangeRSA, encrypted_pre_master_secret=ORACLES[name])
    notes: list[str] = []

    class Eye:
        def open(self, role: str, name: str | None) -> Any:
            return lambda kind, **fields: notes.append(kind)

    found = talk(client(fault, policy=MUSEUM), server(policy=MUSEUM, identities=(RSA,), observer=Eye()))
    error = found.server_error
    assert error is not None
    return error.reason, error.alert, error.detail, len(found.to_client), tuple(notes)


@pytest.mark.parametrize("name", ORACLES)
def test_robot_sees_no_difference(name: str) -> None:
    """Bleichenbacher, ROBOT, the rollback of the version: one alert, one length, the same facts."""
    assert outcome(name) == outcome("not for this handshake")
    assert outcome(name)[:2] == (Reason.BAD_RECORD_MAC, Alert.bad_record_mac)


def test_lucky_13_sees_no_difference() -> None:
    """Good and bad padding, good and bad MAC, too short and too long: the same alert for all of them."""
    policy = legacy.old_peers_policy(
        versions=(0x0303,), cipher_suites=(legacy.CBC_WITH_PADDING_ORACLES[1],), encrypt_then_mac=False
    )
    seen = set()
    for at in (5, 20, 40, -33, -17, -16, -2, -1):
        found: Any = connected(client(Tap(), policy=policy), server(policy=policy, identities=(RSA,)))
        found.client.send_data(b"x" * 40)
        wire = bytearray(found.client.data_to_send())
        wire[at] ^= 1
        found.client.inject_raw(bytes(wire))
        error = found.go_on().server_error
        seen.add((error.reason, error.alert, error.detail, len(found.to_client)))
    assert len(seen) == 1
    assert next(iter(seen))[:2] == (Reason.BAD_RECORD_MAC, Alert.bad_record_mac)


@pytest.mark.parametrize("version", [0x0200, 0x0300, 0x0301, 0x0302])
def test_old_versions_are_refused_from_clients(version: int) -> None:
    """POODLE and BEAST: SSL 3.0 and TLS 1.0 are not spoken, not even by the museum."""
    for policy in (BOTH, MUSEUM):
        fault = edit(ClientHello, lambda hello: old(hello, version))
        found = talk(client(fault, policy=policy), server(policy=policy, identities=(RSA,)))
        refused(found, "server", Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version)


def old(hello: Any, version: int) -> None:
    hello.legacy_version = version
    hello.extensions = {k: v for k, v in hello.extensions.items() if k != X.supported_versions}


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302])
def test_old_versions_are_refused_from_servers(version: int) -> None:
    found = talk(client(policy=TLS12), server(edit(ServerHello, legacy_version=version), policy=TLS12))
    refused(found, "client", Reason.UNSUPPORTED_PROTOCOL, Alert.protocol_version)
    with pytest.raises(UsageError):
        Policy(versions=(version,))


def test_beast_cannot_foresee_the_iv() -> None:
    policy = legacy.old_peers_policy(versions=(0x0303,), cipher_suites=(legacy.CBC_WITH_PADDING_ORACLES[1],))
    found = connected(client(policy=policy), server(policy=policy, identities=(RSA,)))
    records_seen = []
    for _ in range(20):
        found.client.send_data(b"the same plaintext")
        records_seen.append(found.client.data_to_send())
    assert len({record[5:21] for record in records_seen}) == 20


@pytest.mark.parametrize("methods", [(1,), (1, 0), (0, 1), (64, 0)])
def test_crime_finds_no_compression(methods: tuple[int, ...]) -> None:
    found = talk(client(edit(ClientHello, legacy_compression_methods=methods)), server())
    refused(found, "server", Reason.BAD_COMPRESSION_LIST, Alert.illegal_parameter)
    fault = edit(ServerHello, legacy_compression_method=methods[0] or 1)
    found = talk(client(policy=TLS12), server(fault, policy=TLS12))
    refused(found, "client", Reason.UNSUPPORTED_COMPRESSION, Alert.illegal_parameter)


def test_drown_gets_a_clean_end() -> None:
    other = server()
    hello = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37)
    with pytest.raises(Exception, match="SSL 2") as ended:
        other.receive_data(hello)
    assert ended.value.reason is Reason.SSLV2_HELLO  # type: ignore[attr-defined]
    assert other.data_to_send() == b"\x15\x03\x03\0\2\2" + bytes([Alert.protocol_version])


FORBIDDEN = (
    "_EXPORT",
    "_anon_",
    "_DH_",
    "_DHE_",
    "_ECDH_",
    "RC4",
    "3DES",
    "DES",
    "IDEA",
    "_NULL_",
    "MD5",
    "SRP",
)


def test_nothing_weak_has_a_name_here() -> None:
    """Logjam, FREAK, Sweet32, RC4's biases, KCI (fixed DH): no such suite, group or scheme exists."""
    names = [suite.name for suite in (*SUITES.values(), *legacy_suites().values())]
    assert not [name for name in names for word in FORBIDDEN if word in f"{name}_".replace("ECDHE", "")]
    assert all(not 0x0100 <= code <= 0x01FF for code in GROUPS), "no finite fields"
    assert not [code for code in SCHEMES if SignatureScheme.name_of(code).endswith(("md5", "sha1"))]
    for code in (0x0033, 0x0005, 0x000A, 0x0003, 0xC004, 0x0018):
        with pytest.raises(UsageError):
            legacy.old_peers_policy(cipher_suites=(code,))


@pytest.mark.parametrize("code", [0x0033, 0x0016, 0x0014, 0x0003, 0x0005, 0x000A, 0x0034, 0xC004])
def test_logjam_freak_and_sweet32_are_never_chosen(code: int) -> None:
    """A server that picks a weak suite which was not offered."""
    found = talk(client(policy=TLS12), server(edit(ServerHello, cipher_suite=code), policy=TLS12))
    refused(found, "client", Reason.WRONG_CIPHER_RETURNED, Alert.illegal_parameter)
    offer = edit(ClientHello, cipher_suites=(code,))
    found = talk(client(offer, policy=TLS12), server(policy=TLS12))
    refused(found, "server", Reason.NO_SHARED_CIPHER, Alert.handshake_failure)
    assert CipherSuite.name_of(code)


def test_freak_a_key_exchange_where_none_belongs() -> None:
    """Static RSA has no ServerKeyExchange: a short "temporary" key in one is refused unread."""
    from pellucid.wire.messages import handshake

    fault = insert(handshake(12, b"\0\1\3\0\1\3\0\1x"), before=ServerHelloDone)
    found = talk(client(policy=MUSEUM), server(fault, policy=MUSEUM, identities=(RSA,)))
    refused(found, "client", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.parametrize("scheme", [0x0101, 0x0201, 0x0202, 0x0203, 0x0301, 0x0303])
def test_sloth_finds_no_weak_hash(scheme: int) -> None:
    """MD5, SHA-1, SHA-224 and DSA in a signature are refused before it is looked at."""
    name = SignatureScheme.name_of(scheme)
    found = talk(client(), server(edit(CertificateVerify, algorithm=scheme)))
    refused(found, "client", Reason.UNOFFERED_SIGNATURE_SCHEME, Alert.illegal_parameter)
    fault = edit(ServerKeyExchangeECDHE, lambda message: setattr(message, "algorithm", scheme))
    found = talk(client(policy=TLS12), server(fault, policy=TLS12))
    assert found.client_error is not None, name
    assert found.client_error.reason is Reason.UNOFFERED_SIGNATURE_SCHEME
    offer = extensions(ClientHello, {X.signature_algorithms: b"\0\2" + scheme.to_bytes(2, "big")})
    found = talk(client(offer), server(identities=(RSA,)))
    refused(found, "server", Reason.NO_COMMON_SIGNATURE_SCHEME, Alert.handshake_failure)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_raccoon_finds_no_key_used_twice(policy: Policy) -> None:
    """Each handshake has a share of its own, on both sides; there is no option to keep one."""
    keys = set()
    for _ in range(4):
        taps = Tap(), Tap()
        connected(client(taps[0], policy=policy), server(taps[1], policy=policy))
        for tap in taps:
            for item in tap.sent:
                if policy is TLS13 and isinstance(item, bytes) and item[0] in (1, 2):
                    message = (ClientHello if item[0] == 1 else ServerHello).decode(item[4:])
                    keys.add(message.extensions[X.key_share])
                elif policy is TLS12 and isinstance(item, bytes) and item[0] in (12, 16):
                    if item[0] == 12:
                        keys.add(ServerKeyExchangeECDHE.decode(item[4:]).params.public)
                    else:
                        keys.add(ClientKeyExchangeECDHE.decode(item[4:]).ecdh_Yc)
    assert len(keys) == 8


def test_heartbleed_finds_no_heart() -> None:
    """The extension is ignored, and a heartbeat record is of no known type."""
    tap = Tap()
    connected(client(extensions(ClientHello, {X.heartbeat: b"\1"})), server(tap))
    found: Any = connected(client(Tap()), server())
    found.client.inject(24, b"\1\x40\0")
    refused(found.go_on(), "server", Reason.UNEXPECTED_RECORD, Alert.unexpected_message)
    in_the_clear = records(lambda record: (b"\x18\x03\x03\0\3\1\x40\0", record.sealed()), content_type=20)
    found = talk(client(in_the_clear), server())
    assert found.server_error is not None
