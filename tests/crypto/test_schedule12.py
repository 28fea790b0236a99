"""The key schedule of TLS 1.2 against a second one, by the standard `hmac`. RFC 5246 sections 5 and 6.3."""

from __future__ import annotations

import hmac

import pytest

from pellucid.crypto.schedule12 import KeyBlock, Prf, prf
from pellucid.crypto.suites import HASHES, suite_named
from pellucid.secret import Secret


def p_hash(hash: str, secret: bytes, seed: bytes, length: int) -> bytes:
    """P_hash, as RFC 5246 section 5 writes it."""
    a, output = seed, b""
    while len(output) < length:
        a = hmac.digest(secret, a, hash)
        output += hmac.digest(secret, a + seed, hash)
    return output[:length]


def test_the_published_vector() -> None:
    """https://mailarchive.ietf.org/arch/msg/tls/fzVCzk-z3FShgGJ6DOXqM1ydxms/ (P_SHA256)."""
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    assert prf(HASHES["sha256"], secret, b"test label", seed, 100).reveal() == bytes.fromhex(
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
        "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66"
    )


@pytest.mark.parametrize("hash", ["sha256", "sha384"])
def test_one_prf_answers_many_times(hash: str) -> None:
    """Its context is copied, and stays as it is."""
    under = Prf(HASHES[hash], Secret(b"a master secret"))
    for length in (12, 48, 104, 1, 32, 33, 12):
        for label in (b"key expansion", b"client finished"):
            due = p_hash(hash, b"a master secret", label + b"seed", length)
            assert under(label, b"seed", length).reveal() == due


@pytest.mark.parametrize(
    ("name", "mac", "key", "iv"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", 0, 16, 4),
        ("ECDHE-RSA-AES256-GCM-SHA384", 0, 32, 4),
        ("ECDHE-RSA-CHACHA20-POLY1305", 0, 32, 12),
        ("AES128-SHA", 20, 16, 0),
        ("AES256-SHA256", 32, 32, 0),
    ],
)
def test_the_key_block_is_cut_in_the_rfcs_order(name: str, mac: int, key: int, iv: int) -> None:
    """The client's MAC key, the server's, the client's key, the server's, the client's IV, the server's."""
    suite = suite_named(name, legacy=True)
    randoms = bytes(range(64))
    block = KeyBlock(suite, Prf(suite.hash, Secret(bytes(48))), randoms, None)
    rest = p_hash(
        suite.hash.name,
        bytes(48),
        b"key expansion" + randoms[32:] + randoms[:32],
        2 * (mac + key + iv),
    )
    for field, size in (("mac_key", mac), ("key", key), ("iv", iv)):
        for side in (block.client, block.server):
            assert getattr(side, field).reveal() == rest[:size]
            rest = rest[size:]
    assert not rest
