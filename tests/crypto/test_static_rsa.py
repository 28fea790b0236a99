"""Static RSA: a server that tells nobody whether a ciphertext was well-formed."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pellucid.errors import PeerMisbehaved, Reason, UsageError
from pellucid.legacy import static_rsa
from pellucid.legacy.static_rsa import (
    decrypt_premaster,
    decrypt_premaster_with,
    encrypt_premaster,
    make_premaster,
    select_premaster,
)
from pellucid.secret import Secret

FALLBACK = b"\3\3" + b"\xaa" * 46
Vectors = Callable[[str], Iterator[tuple[dict[str, Any], dict[str, Any]]]]


def random(n: int) -> bytes:
    return b"\xaa" * n


def raw_encrypt(key: rsa.RSAPrivateKey, padded: bytes) -> bytes:
    """RSA without padding: the client that sends what it likes."""
    numbers = key.public_key().public_numbers()
    return pow(int.from_bytes(padded, "big"), numbers.e, numbers.n).to_bytes(256, "big")


def good_padding(message: bytes) -> bytes:
    return b"\0\2" + b"\x5a" * (256 - 3 - len(message)) + b"\0" + message


def bad_ciphertexts(key: rsa.RSAPrivateKey) -> dict[str, bytes]:
    """Every way that RFC 5246 7.4.7.1, Bleichenbacher and ROBOT know to be wrong."""
    premaster = b"\3\3" + bytes(range(46))
    good = good_padding(premaster)
    padded = {
        "first byte": b"\1" + good[1:],
        "second byte": b"\0\1" + good[2:],
        "encryption block type 0": b"\0\0" + good[2:],
        "no zero byte": b"\0\2" + b"\x5a" * 254,
        "zero in the first eight": good[:5] + b"\0" + good[6:],
        "zero at the very start of the padding": b"\0\2\0" + good[3:],
        "zero too late (47 bytes)": good_padding(premaster[:47]),
        "zero too early (49 bytes)": good_padding(premaster + b"\0"),
        "empty message": good_padding(b""),
        "longest message": b"\0\2" + b"\x5a" * 8 + b"\0" + b"\3\3" + bytes(243),
        "version 1.1": good_padding(b"\3\2" + premaster[2:]),
        "version 1.3": good_padding(b"\3\4" + premaster[2:]),
        "major version": good_padding(b"\2\3" + premaster[2:]),
        "all zero": bytes(256),
        "one": bytes(255) + b"\1",
    }
    result = {name: raw_encrypt(key, value) for name, value in padded.items()}
    right = raw_encrypt(key, good)
    result |= {
        "empty": b"",
        "one byte short": right[:-1],
        "one byte long": right + b"\0",
        "leading zero": b"\0" + right,
        "above the modulus": b"\xff" * 256,
        "the modulus": key.public_key().public_numbers().n.to_bytes(256, "big"),
        "huge": bytes(65535),
    }
    return result


def test_round_trip(rsa_key: rsa.RSAPrivateKey) -> None:
    premaster = make_premaster(0x0303, os.urandom)
    assert isinstance(premaster, Secret)
    assert len(premaster) == 48
    assert premaster[:2] == b"\3\3"
    ciphertext = encrypt_premaster(rsa_key.public_key(), premaster)
    assert len(ciphertext) == 256
    result = decrypt_premaster(rsa_key, ciphertext, 0x0303, os.urandom)
    assert isinstance(result, Secret)
    assert result == premaster
    plain = rsa_key.decrypt(ciphertext, padding.PKCS1v15())
    assert plain == premaster


def test_encryption_replays(rsa_key: rsa.RSAPrivateKey) -> None:
    record: list[tuple[str, bytes]] = []

    def keep(name: str, thunk: Callable[[], bytes]) -> bytes:
        record.append((name, thunk()))
        return record[-1][1]

    ciphertext = encrypt_premaster(rsa_key.public_key(), FALLBACK, keep)
    assert record == [("RSA encryption", ciphertext)]
    assert encrypt_premaster(rsa_key.public_key(), FALLBACK, lambda name, thunk: record[0][1]) == ciphertext
    assert encrypt_premaster(rsa_key.public_key(), FALLBACK, keep) != ciphertext


@pytest.mark.rfc("rfc5246:7.4.7.1:2", "rfc5246:7.4.7.1:4", "rfc5246:7.4.7.1:6", "rfc5246:7.4.7.1:7")
def test_whatever_is_wrong_the_answer_is_the_random_one(rsa_key: rsa.RSAPrivateKey) -> None:
    for name, ciphertext in bad_ciphertexts(rsa_key).items():
        assert decrypt_premaster(rsa_key, ciphertext, 0x0303, random) == FALLBACK, name


def test_the_same_for_a_key_that_raises(rsa_key: rsa.RSAPrivateKey) -> None:
    """A library without implicit rejection: raises for bad padding, in its own words."""

    class Rejected(Exception):
        pass

    def strict(ciphertext: bytes) -> bytes:
        numbers = rsa_key.private_numbers()
        number = int.from_bytes(ciphertext, "big")
        padded = pow(number, numbers.d, numbers.public_numbers.n).to_bytes(256, "big")
        end = padded.find(b"\0", 2)
        if len(ciphertext) != 256 or padded[:2] != b"\0\2" or end < 10:
            raise Rejected(padded[:2])
        return padded[end + 1 :]

    for name, ciphertext in bad_ciphertexts(rsa_key).items():
        assert decrypt_premaster_with(strict, ciphertext, 0x0303, random) == FALLBACK, name
    premaster = make_premaster(0x0303, os.urandom)
    ciphertext = encrypt_premaster(rsa_key.public_key(), premaster)
    assert decrypt_premaster_with(strict, ciphertext, 0x0303, random) == premaster


@pytest.mark.rfc("rfc5246:7.4.7.1:6")
def test_the_same_lines_run_for_every_ciphertext(rsa_key: rsa.RSAPrivateKey) -> None:
    """Good or bad, the same lines of our code run in the same order, where the library does not raise."""

    def lines_of(ciphertext: bytes) -> list[int]:
        lines: list[int] = []

        def trace(frame: FrameType, event: str, arg: object) -> Any:
            if frame.f_code.co_filename == static_rsa.__file__:
                if event == "line":
                    lines.append(frame.f_lineno)
                return trace
            return None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            decrypt_premaster(rsa_key, ciphertext, 0x0303, random)
        finally:
            sys.settrace(before)
        return lines

    good = lines_of(encrypt_premaster(rsa_key.public_key(), FALLBACK))
    assert good
    for name, ciphertext in bad_ciphertexts(rsa_key).items():
        if (
            len(ciphertext) == 256
            and int.from_bytes(ciphertext, "big") < rsa_key.public_key().public_numbers().n
        ):
            assert lines_of(ciphertext) == good, name


def test_the_random_one_is_drawn_before_and_always(rsa_key: rsa.RSAPrivateKey) -> None:
    order: list[str] = []

    def drawn(n: int) -> bytes:
        order.append(f"random {n}")
        return os.urandom(n)

    def decrypt(ciphertext: bytes) -> bytes:
        order.append("decrypt")
        if ciphertext == b"bad":
            raise ValueError
        return FALLBACK

    for ciphertext in (b"good", b"bad"):
        order.clear()
        decrypt_premaster_with(decrypt, ciphertext, 0x0303, drawn)
        assert order == ["random 46", "decrypt"]


def test_the_random_one_is_fresh_for_each_try(rsa_key: rsa.RSAPrivateKey) -> None:
    """Not a function of the ciphertext: two tries with one bad ciphertext give two secrets."""
    bad = bad_ciphertexts(rsa_key)["second byte"]
    first, second = (decrypt_premaster(rsa_key, bad, 0x0303, os.urandom) for _ in range(2))
    assert first != second
    assert first[:2] == second[:2] == b"\3\3"
    assert len(first) == len(second) == 48


@pytest.mark.parametrize("flip", [*range(16), 16, 100, 383])
def test_the_version_is_compared_bit_by_bit(flip: int) -> None:
    right = bytes.fromhex("0303") + hashlib.sha384(b"premaster").digest()[:46]
    other = (int.from_bytes(right, "big") ^ 1 << (383 - flip)).to_bytes(48, "big")
    assert select_premaster(other, FALLBACK) == (FALLBACK if flip < 16 else other)


@pytest.mark.parametrize("length", [0, 1, 2, 47, 49, 96, 245])
def test_any_other_length_is_wrong(length: int) -> None:
    assert select_premaster((b"\3\3" * 200)[:length], FALLBACK) == FALLBACK


@pytest.mark.rfc("rfc5246:7.4.7.1:1")
@pytest.mark.parametrize("version", [0x0303, 0x0302, 0x0304])
def test_the_version_is_that_of_the_hello(version: int, rsa_key: rsa.RSAPrivateKey) -> None:
    premaster = make_premaster(version, os.urandom)
    ciphertext = encrypt_premaster(rsa_key.public_key(), premaster)
    assert decrypt_premaster(rsa_key, ciphertext, version, random) == premaster
    assert decrypt_premaster(rsa_key, ciphertext, version ^ 1, random) != premaster


@pytest.mark.parametrize("premaster", [b"", bytes(47), bytes(49)])
def test_a_premaster_of_another_length_is_the_callers_fault(
    premaster: bytes, rsa_key: rsa.RSAPrivateKey
) -> None:
    with pytest.raises(UsageError) as caught:
        encrypt_premaster(rsa_key.public_key(), premaster)
    assert caught.value.reason is Reason.BAD_CONFIG


def test_a_certificate_key_that_is_too_short() -> None:
    """472 bits hold 48 bytes and 11 of padding; the library makes no such key, so one stands in."""

    class Short:
        key_size = 471

    with pytest.raises(PeerMisbehaved) as caught:
        encrypt_premaster(Short(), FALLBACK)  # type: ignore[arg-type]
    assert caught.value.reason is Reason.UNSUPPORTED_CERTIFICATE_KEY


def test_wycheproof(wycheproof: Vectors) -> None:
    """C2SP/wycheproof rsa_pkcs1_2048_test: no vector raises, and each bad one gives the random secret."""
    count = bad = 0
    keys: dict[str, rsa.RSAPrivateKey] = {}
    for group, test in wycheproof("rsa_pkcs1_2048_test"):
        pem = group["privateKeyPem"]
        if pem not in keys:
            loaded = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
            assert isinstance(loaded, rsa.RSAPrivateKey)
            keys[pem] = loaded
        count += 1
        ciphertext, message = bytes.fromhex(test["ct"]), bytes.fromhex(test["msg"])
        valid = test["result"] == "valid"
        bad += not valid
        version = int.from_bytes(message[:2], "big") if valid and len(message) == 48 else 0x0303
        fallback = make_premaster(version, random)
        result = decrypt_premaster(keys[pem], ciphertext, version, random)
        assert result == (message if valid and len(message) == 48 else fallback), test["tcId"]
        if valid:  # the key itself agrees with the vector
            assert keys[pem].decrypt(ciphertext, padding.PKCS1v15()) == message
    assert (count, bad) == (67, 25)
