"""The museum against OpenSSL: a TLS 1.2 connection of the standard `ssl` module with static RSA and
CBC, whose pre-master secret, records and MACs we then open and forge with our own code.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import itertools
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pellucid.crypto.suites import suite_named
from pellucid.legacy.cbc import CbcOpening, CbcSealing
from pellucid.legacy.static_rsa import decrypt_premaster

NO_ENCRYPT_THEN_MAC = 1 << 19  # OpenSSL's SSL_OP_NO_ENCRYPT_THEN_MAC; `ssl` does not name it


def prf(secret: bytes, label: bytes, seed: bytes, length: int, hash: str) -> bytes:
    """RFC 5246 section 5."""
    a, result = label + seed, b""
    while len(result) < length:
        a = hmac.digest(secret, a, hash)
        result += hmac.digest(secret, a + label + seed, hash)
    return result[:length]


def records(wire: bytes) -> Iterator[tuple[int, bytes]]:
    """(content type, payload) of each record."""
    while wire:
        length = int.from_bytes(wire[3:5], "big")
        yield wire[0], wire[5 : 5 + length]
        wire = wire[5 + length :]


def messages(payloads: bytes) -> Iterator[bytes]:
    """Handshake messages with their headers."""
    while payloads:
        length = 4 + int.from_bytes(payloads[1:4], "big")
        yield payloads[:length]
        payloads = payloads[length:]


def clear_handshake(wire: bytes) -> list[bytes]:
    """The handshake messages of one side, up to its ChangeCipherSpec."""
    payloads = b""
    for content_type, payload in records(wire):
        if content_type == 20:
            break
        payloads += payload
    return list(messages(payloads))


@pytest.fixture(scope="session")
def certificate(rsa_key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key, in one PEM file."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "museum.test")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .sign(rsa_key, hashes.SHA256())
    )
    key = rsa_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("museum") / "museum.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + key)
    return path


class Pair:
    """A client and a server of `ssl` in memory; everything that they sent is kept."""

    def __init__(self, certificate: Path, cipher: str, etm: bool) -> None:
        self.sent = {"client": b"", "server": b""}
        contexts = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[0].check_hostname = False
        contexts[0].verify_mode = ssl.CERT_NONE
        for context in contexts:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            try:
                context.set_ciphers(f"{cipher}:@SECLEVEL=0")
            except ssl.SSLError:
                pytest.skip(f"this OpenSSL has no {cipher}")
            if not etm:
                context.options |= NO_ENCRYPT_THEN_MAC
        contexts[1].load_cert_chain(certificate)
        self.bios = [ssl.MemoryBIO() for _ in range(4)]
        c_in, c_out, s_in, s_out = self.bios
        self.client = contexts[0].wrap_bio(c_in, c_out)
        self.server = contexts[1].wrap_bio(s_in, s_out, server_side=True)
        for _ in range(4):
            for side in (self.client, self.server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
                self.carry()

    def carry(self) -> None:
        """Bring to each side what the other wrote."""
        c_in, c_out, s_in, s_out = self.bios
        for name, out, into in (("client", c_out, s_in), ("server", s_out, c_in)):
            data = out.read()
            self.sent[name] += data
            into.write(data)


@pytest.mark.parametrize("etm", [False, True], ids=["mac-then-encrypt", "encrypt-then-mac"])
@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-SHA", "AES128-SHA256", "AES256-SHA256"])
def test_a_connection_with_static_rsa_and_cbc(
    cipher: str, etm: bool, certificate: Path, rsa_key: rsa.RSAPrivateKey
) -> None:
    suite = suite_named(cipher, legacy=True)
    cbc = suite.cbc
    assert cbc is not None
    pair = Pair(certificate, cipher, etm)
    chosen = pair.server.cipher()
    assert chosen is not None
    assert chosen[0] == cipher
    pair.client.write(b"a question from OpenSSL")
    pair.server.write(b"an answer from OpenSSL")
    pair.carry()

    # the pre-master secret, from the ClientKeyExchange with the server's private key
    hello, exchange = clear_handshake(pair.sent["client"])
    assert exchange[0] == 16
    version = int.from_bytes(hello[4:6], "big")
    premaster = decrypt_premaster(rsa_key, exchange[6:], version, os.urandom)

    # the keys: RFC 7627 section 4 (OpenSSL always offers it), RFC 5246 section 6.3
    answers = [message for message in clear_handshake(pair.sent["server"]) if message[0] != 4]  # no ticket
    session_hash = hashlib.new(suite.hash.name, b"".join([hello, *answers, exchange])).digest()
    master = prf(premaster, b"extended master secret", session_hash, 48, suite.hash.name)
    randoms = answers[0][6:38] + hello[6:38]
    block = prf(master, b"key expansion", randoms, 2 * (cbc.mac_length + cbc.key_length), suite.hash.name)
    cut = [0, cbc.mac_length, 2 * cbc.mac_length, 2 * cbc.mac_length + cbc.key_length, len(block)]
    client_mac, server_mac, client_key, server_key = (
        block[start:end] for start, end in itertools.pairwise(cut)
    )

    # their records under our opening half
    for side, key, mac, text in (
        ("client", client_key, client_mac, b"a question from OpenSSL"),
        ("server", server_key, server_mac, b"an answer from OpenSSL"),
    ):
        opening = CbcOpening(key, mac, cbc.mac, encrypt_then_mac=etm)
        wire = list(records(pair.sent[side]))
        protected = wire[[content_type for content_type, _ in wire].index(20) + 1 :]
        finished, data = (opening.open(t, p, sequence) for sequence, (t, p) in enumerate(protected))
        assert finished[:4] == b"\x14\0\0\x0c"
        assert data == text

    # our records under theirs: we go on where each side stopped, at number 2
    for entry, peer, key, mac in (
        (0, pair.client, server_key, server_mac),
        (2, pair.server, client_key, client_mac),
    ):
        peer.read()  # OpenSSL's own text, number 1
        sealing = CbcSealing(key, mac, cbc.mac, encrypt_then_mac=etm, random=os.urandom)
        for sequence, length in enumerate((0, 1, 15, 16, 255, 16384), 2):
            pair.bios[entry].write(sealing.seal(23, b"p" * length, sequence))
            if length:
                assert peer.read(16384) == b"p" * length
