"""The table of suites: its numbers and names against the registry, its parts against each other."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from cryptography.exceptions import InvalidTag

from pellucid import limits
from pellucid.crypto.suites import HASHES, SUITES, Suite, legacy_suites, suite_named
from pellucid.errors import Reason, UsageError
from pellucid.wire.codepoints import CipherSuite

ALL = [*SUITES.values(), *legacy_suites().values()]


@pytest.mark.parametrize("suite", ALL, ids=lambda suite: suite.name)
def test_code_and_name_agree_with_the_registry(suite: Suite) -> None:
    if suite.name in CipherSuite.__members__:
        assert CipherSuite[suite.name] == suite.code
    else:
        assert CipherSuite.name_of(suite.code).startswith("unknown")


@pytest.mark.parametrize("suite", ALL, ids=lambda suite: suite.name)
def test_the_parts_follow_from_the_name(suite: Suite) -> None:
    name = suite.name
    if suite.tls13:
        assert (suite.kx, suite.auth) == ("any", "any")
        cipher = name.removeprefix("TLS_")
    else:
        exchange, cipher = name.removeprefix("TLS_").split("_WITH_")
        expected = {
            "ECDHE_ECDSA": ("ECDHE", "ECDSA"),
            "ECDHE_RSA": ("ECDHE", "RSA"),
            "ECDHE_PSK": ("ECDHE_PSK", "PSK"),
            "PSK": ("PSK", "PSK"),
            "RSA": ("RSA", "RSA"),
        }[exchange]
        assert (suite.kx, suite.auth) == expected
    # RFC 6655, RFC 7251: a CCM name without a hash means SHA-256; RFC 5246: so does a CBC one with SHA.
    assert suite.hash is HASHES["sha384" if cipher.endswith("SHA384") else "sha256"]
    if "CBC" in cipher:
        assert suite.cbc is not None
        assert suite.aead is None
        mac = {"SHA": "sha1", "SHA256": "sha256", "SHA384": "sha384"}[cipher.rpartition("_")[2]]
        assert (suite.cbc.mac, suite.cbc.mac_length) == (mac, hashlib.new(mac).digest_size)
        assert suite.cbc.key_length == (32 if "AES_256" in cipher else 16)
        assert (suite.iv_length, suite.explicit_nonce) == (0, 16)
        return
    assert suite.aead is not None
    assert suite.cbc is None
    assert suite.aead.key_length == (16 if "AES_128" in cipher else 32)
    assert suite.aead.tag_length == (8 if "CCM_8" in cipher else 16)
    if suite.tls13 or "CHACHA20" in cipher:
        assert (suite.iv_length, suite.explicit_nonce) == (12, 0)
    else:
        assert (suite.iv_length, suite.explicit_nonce) == (4, 8)


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_each_aead_seals_and_opens(suite: Suite) -> None:
    assert suite.aead is not None
    aead = suite.aead.make(bytes(suite.aead.key_length))
    sealed = aead.encrypt(bytes(12), b"secret", b"header")
    assert len(sealed) == 6 + suite.aead.tag_length
    assert aead.decrypt(bytes(12), sealed, b"header") == b"secret"
    with pytest.raises(InvalidTag):
        aead.decrypt(bytes(12), sealed, b"Header")
    with pytest.raises(ValueError):
        suite.aead.make(bytes(suite.aead.key_length - 1))


def test_records_under_one_key_are_limited() -> None:
    of = {suite.aead.name: suite.aead.max_records for suite in SUITES.values() if suite.aead}
    assert of["AES-128-GCM"] == of["AES-256-GCM"] == limits.MAX_RECORDS_GCM
    assert {of[name] for name in of if "CCM" in name} == {limits.MAX_RECORDS_CCM}
    assert of["ChaCha20-Poly1305"] == limits.MAX_RECORDS_CHACHA


def test_no_default_suite_gives_up_forward_secrecy_by_rsa_or_uses_cbc() -> None:
    assert not any(suite.legacy or suite.kx == "RSA" or suite.aead is None for suite in SUITES.values())
    assert all(suite.legacy and (suite.kx == "RSA" or suite.cbc) for suite in legacy_suites().values())
    assert not SUITES.keys() & legacy_suites().keys()


def test_names_are_unique() -> None:
    names = [name for suite in ALL for name in {suite.name, suite.openssl_name}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("suite", ALL, ids=lambda suite: suite.name)
def test_a_suite_is_found_by_either_name(suite: Suite) -> None:
    assert suite_named(suite.name, legacy=True) is suite
    assert suite_named(suite.openssl_name, legacy=True) is suite


@pytest.mark.parametrize("name", ["AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"])
def test_a_legacy_suite_must_be_allowed(name: str) -> None:
    with pytest.raises(UsageError, match="legacy") as caught:
        suite_named(name)
    assert caught.value.reason is Reason.BAD_CONFIG


@pytest.mark.parametrize(
    ("name", "words"),
    [("TLS_RSA_WITH_RC4_128_MD5", "not spoken"), ("tls_aes_128", "no cipher suite"), ("", "no cipher suite")],
)
def test_other_names_are_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        suite_named(name, legacy=True)
    assert caught.value.reason is Reason.BAD_CONFIG


def test_hashes() -> None:
    for name, hash in HASHES.items():
        assert hash.new(b"abc").digest() == hashlib.new(name, b"abc").digest()
        assert (hash.length, hash.empty) == (hashlib.new(name).digest_size, hashlib.new(name).digest())


def test_the_museum_stays_shut_until_it_is_asked_for() -> None:
    code = """
import sys
from pellucid.crypto import groups, signatures, suites
suites.suite_named("TLS_AES_128_GCM_SHA256")
before = any(name.startswith("pellucid.legacy") for name in sys.modules)
suites.legacy_suites()
print(before, "pellucid.legacy.suites" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False True\n"
