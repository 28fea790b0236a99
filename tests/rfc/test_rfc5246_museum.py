"""RFC 5246: sessions that end with their connection, certificates that suit, and the museum's static RSA."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from pellucid import ClientSessions, Identity, SessionStore, legacy
from pellucid.crypto.groups import GROUPS
from pellucid.crypto.signatures import sign
from pellucid.errors import Reason
from pellucid.lab import Outgoing, Record, Tap, append, cut, edit, insert, records, replace
from pellucid.legacy.static_rsa import make_premaster
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate12,
    ClientHello,
    ClientKeyExchangeRSA,
    ServerHello,
    ServerHelloDone,
)

from .world import (
    AUTHORITY,
    BOTH,
    CLIENT,
    ECDSA,
    RSA,
    TLS12,
    TRUST,
    client,
    client_config,
    connected,
    refused,
    server,
    server_config,
    session_from,
    sessions,
    talk,
)

MUSEUM = legacy.museum_policy()
AES_128_CBC_SHA = legacy.old_peers_policy(versions=(0x0303,), cipher_suites=(0x002F,))


# -- 4.7 Digital signatures ------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:4.7:1", "rfc5246:4.7:2")
@pytest.mark.parametrize(
    ("scheme", "hash", "digest_info"),
    [
        (0x0401, "sha256", "3031300d060960864801650304020105000420"),
        (0x0501, "sha384", "3041300d060960864801650304020205000430"),
        (0x0601, "sha512", "3051300d060960864801650304020305000440"),
    ],
)
def test_rsa_signs_a_digest_info_in_der_with_null_parameters(
    scheme: int, hash: str, digest_info: str
) -> None:
    """RFC 8017 9.2: undone with the public key, the signature is padding, the DigestInfo, the digest."""
    numbers = RSA.public_key.public_numbers()
    signature = int.from_bytes(sign(scheme, RSA.key, b"data"), "big")
    block = pow(signature, numbers.e, numbers.n).to_bytes(256, "big")
    info = bytes.fromhex(digest_info) + hashlib.new(hash, b"data").digest()
    assert block == b"\0\1" + b"\xff" * (256 - 3 - len(info)) + b"\0" + info


# -- 7.2 Alerts: what a failed connection takes with it --------------------------------------------


def fail(found: Any) -> None:
    found.client.inject(23, b"")
    found.client._write.protection._sequence += 1  # the next record will not open
    found.client.send_data(b"x")
    found.go_on()
    assert found.server_error.reason is Reason.BAD_RECORD_MAC
    assert found.client_error.reason is Reason.PEER_ALERT


@pytest.mark.rfc("rfc5246:7.2:1", "rfc5246:7.2.2:2")
def test_after_a_fatal_alert_a_session_id_is_invalid() -> None:
    cache = SessionStore(single_use=False)
    config = server_config(policy=TLS12, session_cache=cache, session_ticket_12=False)
    first = connected(client(Tap(), policy=TLS12), server(config=config))
    kept = sessions(first.client_events)[0]
    copy = kept.from_bytes(kept.to_bytes())
    assert connected(client(policy=TLS12, sessions=(copy,)), server(config=config)).client.info.resumed
    fail(first)
    assert len(cache) == 0
    assert not connected(client(policy=TLS12, sessions=(copy,)), server(config=config)).client.info.resumed


@pytest.mark.rfc("rfc5246:7.2:1", "rfc5246:7.2.2:2")
@pytest.mark.parametrize("resumed", [False, True])
def test_after_a_fatal_alert_the_client_offers_the_session_no_more(resumed: bool) -> None:
    store = ClientSessions()
    config = client_config(TLS12, session_store=store)
    peer = server_config(policy=TLS12)
    if resumed:
        assert not connected(client(config=config), server(config=peer)).client.info.resumed
    found = connected(client(Tap(), config=config), server(config=peer))
    assert found.client.info.resumed is resumed
    fail(found)
    assert not connected(client(config=config), server(config=peer)).client.info.resumed
    assert connected(client(config=config), server(config=peer)).client.info.resumed  # the new one is fine


def test_a_line_that_breaks_ends_no_session() -> None:
    """RFC 5246 section 7.2.1: a missing close_notify is no reason not to resume."""
    kept = session_from(config := server_config(policy=TLS12))
    found = connected(client(policy=TLS12, sessions=(kept,)), server(config=config))
    with pytest.raises(Exception, match="without close_notify"):
        found.client.receive_eof()
    assert not kept.expired(client_config().now())


CBC = legacy.old_peers_policy(versions=(0x0303,), cipher_suites=(0xC009,), encrypt_then_mac=False)


@pytest.mark.rfc("rfc5246:7.2.2:7")
@pytest.mark.parametrize("what", ["half a block", "padding", "mac"])
def test_every_way_not_to_decrypt_is_bad_record_mac(what: str) -> None:
    """A CBC record that is no multiple of the block, or whose padding or MAC is wrong: one alert."""

    def spoil(record: Outgoing) -> list[bytes]:
        if what == "padding":  # the last block decrypts to a padding of 255
            keys: Any = record.protection
            wire = bytearray(keys.seal(record.content_type, record.fragment))
            wire[-17] ^= 0xFF ^ 0x0B
            return [bytes(wire)]
        wire = bytearray(record.sealed())
        if what == "mac":
            wire[-40] ^= 1
            return [bytes(wire)]
        return [bytes(wire[:3]) + (len(wire) - 5 - 8).to_bytes(2, "big") + bytes(wire[5:-8])]

    found = connected(client(records(spoil, content_type=23), policy=CBC), server(policy=CBC))
    found.client.send_data(b"x" * 32)
    refused(found.go_on(), "server", Reason.BAD_RECORD_MAC, Alert.bad_record_mac)


# -- 7.3, 7.4.7.1 Premaster secrets ------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.3:1")
def test_premaster_secrets_are_long() -> None:
    """46 random bytes behind the version, or what an elliptic curve gives: 32 bytes and more."""
    drawn: list[int] = []

    def random(count: int) -> bytes:
        drawn.append(count)
        return bytes(count)

    assert len(make_premaster(0x0303, random)) == 48
    assert drawn == [46]
    for code in TLS12.groups12:
        ours = GROUPS[code].generate(os.urandom)
        assert len(GROUPS[code].respond(ours.public, os.urandom)[1]) >= 32


@pytest.mark.rfc("rfc5246:7.4.7.1:8")
def test_the_encrypted_premaster_has_its_length_in_front() -> None:
    """SSL 3.0 left the two bytes out; what comes without them is refused."""
    tap = Tap()
    both: dict[str, Any] = {"policy": MUSEUM}
    connected(client(tap, **both), server(identities=(RSA,), **both))
    body = next(item[4:] for item in tap.sent if isinstance(item, bytes) and item[0] == 16)
    assert body[:2] == (256).to_bytes(2, "big")
    assert len(body) == 258

    def without(raw: Any) -> Any:
        from pellucid.wire.messages import handshake

        return _Raw(handshake(16, raw.to_handshake()[6:]))

    found = talk(client(edit(ClientKeyExchangeRSA, without), **both), server(identities=(RSA,), **both))
    refused(found, "server", Reason.DECODE_ERROR, Alert.decode_error)


class _Raw:
    """A message that is already encoded."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def to_handshake(self) -> bytes:
        return self.raw


# -- 7.4.1.1 HelloRequest ----------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.4.1.1:5")
def test_a_hello_request_is_in_no_hash() -> None:
    """In the middle of a handshake it is refused, so that none can come into the hashes."""
    for at in (ServerHello, ServerHelloDone):
        request = Record(22, bytes(4))  # a `Record` stays out of our server's transcript
        found = talk(client(policy=TLS12), server(insert(request, before=at), policy=TLS12))
        refused(found, "client", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


# -- 7.4.1.2, 7.4.1.4.1 ClientHello --------------------------------------------------------------------


def bare(hello: Any) -> Any:
    """As clients said hello before there were extensions."""
    hello.extensions = {}
    hello.cipher_suites = (0x002F, 0x00FF)
    raw = hello.to_handshake()
    size = len(raw) - 4 - 2
    return _Raw(raw[:1] + size.to_bytes(3, "big") + raw[4:-2])


@pytest.mark.rfc("rfc5246:7.4.1.2:10")
def test_a_hello_without_extensions_is_taken_and_must_end_there() -> None:
    old: dict[str, Any] = {"policy": AES_128_CBC_SHA}
    tap = Tap()
    found = connected(client(edit(ClientHello, bare), tap, **old), server(identities=(RSA,), **old))
    assert tap.the(ClientHello).extensions == {}
    assert found.client.info.cipher_suite == 0x002F
    for wrong in (append(ClientHello), cut(ClientHello)):
        faulty = talk(client(edit(ClientHello, bare), wrong, **old), server(identities=(RSA,), **old))
        refused(faulty, "server", Reason.DECODE_ERROR, Alert.decode_error)


@pytest.mark.rfc("rfc5246:7.4.1.4.1:1", "rfc5246:7.4.1.4.1:5")
@pytest.mark.parametrize("policy", [TLS12, BOTH])
def test_signature_algorithms_name_no_anonymous_and_no_older_version_is_offered(policy: Any) -> None:
    tap = Tap()
    connected(client(tap, policy=policy), server(policy=policy))
    hello = tap.the(ClientHello)
    listed = ext.SignatureSchemes.decode(hello.extensions[X.signature_algorithms])
    assert all(scheme & 0xFF for scheme in listed.supported_signature_algorithms)  # anonymous is 0
    assert hello.legacy_version == 0x0303
    if X.supported_versions in hello.extensions:
        offered = ext.SupportedVersions.decode(hello.extensions[X.supported_versions]).versions
        assert min(offered) >= 0x0303


# -- 7.4.2 Certificates that suit --------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.4.2:9", "rfc5246:7.4.2:10")
def test_static_rsa_wants_a_key_that_may_decrypt() -> None:
    """keyEncipherment, on both sides: such a server does not choose it, and a client does not take it."""
    signer: Identity = AUTHORITY.issue("localhost", key="rsa-2048", fault="wrong-key-usage")
    both: dict[str, Any] = {"policy": MUSEUM}
    assert isinstance(signer.public_key, RSAPublicKey)
    found = talk(client(**both), server(identities=(signer,), **both))
    assert not found.completed
    assert found.refusal is not None
    assert found.refusal.reason in (Reason.WRONG_KEY_USAGE, Reason.NO_SHARED_CIPHER)


@pytest.mark.rfc("rfc5246:7.4.2:17")
def test_an_ecdsa_certificate_on_a_curve_that_the_client_does_not_know() -> None:
    p384 = AUTHORITY.issue("localhost", key="ecdsa-p384")
    only = TLS12.replace(groups=(0x17,))
    found = talk(client(policy=only), server(identities=(p384,), policy=TLS12))
    refused(found, "server", Reason.NO_SHARED_CIPHER, Alert.handshake_failure)
    both = talk(client(policy=only), server(identities=(p384, ECDSA), policy=TLS12))
    assert both.completed
    assert both.client.info.peer_chain == ECDSA.chain


def test_a_server_prefers_the_chain_that_the_client_can_verify() -> None:
    """RFC 5246 section 7.4.2 says must; RFC 8446 section 4.4.2.2 lets it send the only one it has."""
    from pellucid import Authority

    ours, theirs = Authority.create(key="ecdsa-p384"), Authority.create(key="ecdsa-p256")
    unverifiable, verifiable = ours.issue("localhost"), theirs.issue("localhost")
    only = TLS12.replace(signature_schemes=(0x0403,))
    trust = theirs.trust()
    found = talk(
        client(config=client_config(only).replace(trust=trust)),
        server(identities=(unverifiable, verifiable), policy=TLS12),
    )
    assert found.completed, found.refusal
    assert found.client.info.peer_chain == verifiable.chain


# -- 7.4.6 Client certificates that suit ---------------------------------------------------------------


@pytest.mark.rfc("rfc5246:7.4.6:4", "rfc5246:7.4.6:9")
@pytest.mark.parametrize("key", ["ecdsa-p256", "rsa-2048"])
def test_a_clients_certificate_may_sign_what_certificate_verify_wants(key: str) -> None:
    asking: dict[str, Any] = {"client_auth": "require", "client_trust": TRUST, "policy": TLS12}
    wrong = AUTHORITY.issue("client", client=True, key=key, fault="wrong-key-usage")
    found = talk(client(identities=(wrong,), policy=TLS12), server(**asking))
    refused(found, "server", Reason.WRONG_KEY_USAGE, Alert.bad_certificate)
    right = AUTHORITY.issue("client", client=True, key=key)
    assert talk(client(identities=(right,), policy=TLS12), server(**asking)).completed


@pytest.mark.rfc("rfc5246:7.4.6:9")
def test_a_clients_key_is_on_a_curve_that_the_server_knows() -> None:
    asking: dict[str, Any] = {"client_auth": "require", "client_trust": TRUST, "policy": TLS12}
    koblitz = AUTHORITY.issue("client", client=True, key=ec.generate_private_key(ec.SECP256K1()))
    shown = replace(Certificate12, Certificate12(koblitz.chain))
    found = talk(client(shown, identities=(CLIENT,), policy=TLS12), server(**asking))
    refused(found, "server", Reason.UNSUPPORTED_CERTIFICATE_KEY, Alert.unsupported_certificate)


# -- 9 Mandatory cipher suite ------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:9:1")
def test_the_mandatory_suite_is_implemented() -> None:
    """TLS_RSA_WITH_AES_128_CBC_SHA: off, until a policy names it (RFC 9325 forbids it today)."""
    both: dict[str, Any] = {"policy": AES_128_CBC_SHA}
    found = connected(client(**both), server(identities=(RSA,), **both))
    assert found.client.info.cipher_suite == 0x002F
    assert 0x002F not in BOTH.cipher_suites
