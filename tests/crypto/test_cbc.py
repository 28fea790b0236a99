"""CBC records: against a builder written from RFC 5246, every padding, and the work that must not vary."""

from __future__ import annotations

import hashlib
import hmac
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import PeerMisbehaved, Reason
from pellucid.legacy import cbc
from pellucid.legacy.cbc import CbcOpening, CbcSealing
from pellucid.limits import MAX_PLAINTEXT
from pellucid.wire.codepoints import Alert

MACS = {"sha1": 20, "sha256": 32, "sha384": 48}
ENC_KEY = bytes(range(16))
every_mac = pytest.mark.parametrize("mac", MACS)
both_orders = pytest.mark.parametrize("etm", [False, True], ids=["mac-then-encrypt", "encrypt-then-mac"])


def mac_key(mac: str) -> bytes:
    return b"\x0b" * MACS[mac]


def opening(mac: str, etm: bool = False) -> CbcOpening:
    return CbcOpening(ENC_KEY, mac_key(mac), mac, encrypt_then_mac=etm)


def sealing(mac: str, etm: bool = False, random: Callable[[int], bytes] = os.urandom) -> CbcSealing:
    return CbcSealing(ENC_KEY, mac_key(mac), mac, encrypt_then_mac=etm, random=random)


def mac_of(mac: str, content: bytes, *, sequence: int = 7, content_type: int = 23) -> bytes:
    """RFC 5246 6.2.3.1."""
    header = sequence.to_bytes(8, "big") + bytes([content_type, 3, 3]) + len(content).to_bytes(2, "big")
    return hmac.digest(mac_key(mac), header + content, mac)


def encrypt(plain: bytes, iv: bytes = b"\x11" * 16) -> bytes:
    encryptor = Cipher(AES(ENC_KEY), CBC(iv)).encryptor()
    return iv + encryptor.update(plain) + encryptor.finalize()


def payload(mac: str, content: bytes, padding: bytes, *, mac_byte: int = 0, etm: bool = False) -> bytes:
    """A record's payload with the padding (its length byte included) that the caller wants."""
    if etm:
        sealed = encrypt(content + padding)
        tag = bytearray(mac_of(mac, sealed))
        tag[-1] ^= mac_byte
        return sealed + tag
    tag = bytearray(mac_of(mac, content))
    tag[-1] ^= mac_byte
    return encrypt(content + bytes(tag) + padding)


def padding(length: int) -> bytes:
    return bytes([length]) * (length + 1)


def refused(unit: CbcOpening, record: bytes, reason: Reason = Reason.BAD_RECORD_MAC) -> PeerMisbehaved:
    with pytest.raises(PeerMisbehaved) as caught:
        unit.open(23, record, 7)
    assert caught.value.reason is reason
    return caught.value


# -- what is right -------------------------------------------------------------------------------------


@every_mac
@both_orders
@given(content=st.binary(max_size=600), content_type=st.integers(20, 23), sequence=st.integers(0, 2**64 - 1))
def test_round_trip(mac: str, etm: bool, content: bytes, content_type: int, sequence: int) -> None:
    record = sealing(mac, etm).seal(content_type, content, sequence)
    assert record[:3] == bytes([content_type, 3, 3])
    assert int.from_bytes(record[3:5], "big") == len(record) - 5
    assert opening(mac, etm).open(content_type, record[5:], sequence) == content


@every_mac
@both_orders
@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, MAX_PLAINTEXT])
def test_a_sealed_record_is_what_the_rfc_says(mac: str, etm: bool, length: int) -> None:
    content = b"x" * length
    record = sealing(mac, etm, lambda n: b"\x11" * n).seal(23, content, 7)
    inside = length + (0 if etm else MACS[mac])
    assert record[5:] == payload(mac, content, padding(15 - inside % 16), etm=etm)


@pytest.mark.rfc("rfc5246:6.2.3.2:1")
@both_orders
def test_each_record_has_an_iv_of_its_own(etm: bool) -> None:
    unit = sealing("sha256", etm)
    records = [unit.seal(23, b"the same", 7) for _ in range(50)]
    assert len({record[5:21] for record in records}) == 50


@pytest.mark.rfc("rfc5246:6.2.3.2:2", "rfc5246:6.2.3.2:3", "rfc5246:6.2.3.2:6")
@every_mac
@both_orders
def test_every_length_of_padding_is_taken(mac: str, etm: bool) -> None:
    inside = 0 if etm else MACS[mac]
    for length in range(256):
        content = b"c" * (-(inside + length + 1) % 16)
        record = payload(mac, content, padding(length), etm=etm)
        assert opening(mac, etm).open(23, record, 7) == content, length


# -- what is wrong -------------------------------------------------------------------------------------


@pytest.mark.rfc("rfc5246:6.2.3.2:4", "rfc5246:6.2.3.2:5")
@both_orders
@pytest.mark.parametrize("length", [1, 2, 15, 16, 63, 64, 254, 255])
def test_every_byte_of_the_padding_is_checked(etm: bool, length: int) -> None:
    content = b"c" * (-(len(padding(length)) + (0 if etm else 32)) % 16)
    for position in range(length):
        for flip in (0x01, 0x80):
            wrong = bytearray(padding(length))
            wrong[position] ^= flip
            error = refused(opening("sha256", etm), payload("sha256", content, bytes(wrong), etm=etm))
            assert error.alert == Alert.bad_record_mac


@both_orders
def test_every_byte_of_a_record_is_protected(etm: bool) -> None:
    record = sealing("sha256", etm).seal(23, b"forty bytes of content, or not far from", 7)[5:]
    for position in range(len(record)):
        broken = bytearray(record)
        broken[position] ^= 0x10
        refused(opening("sha256", etm), bytes(broken))


@both_orders
def test_header_and_number_are_protected(etm: bool) -> None:
    record = sealing("sha384", etm).seal(23, b"content", 7)[5:]
    unit = opening("sha384", etm)
    assert unit.open(23, record, 7) == b"content"
    for content_type, sequence in ((22, 7), (23, 8), (23, 6), (23, 2**64 - 1)):
        with pytest.raises(PeerMisbehaved) as caught:
            unit.open(content_type, record, sequence)
        assert caught.value.reason is Reason.BAD_RECORD_MAC


@both_orders
def test_the_other_order_is_refused(etm: bool) -> None:
    record = sealing("sha256", etm).seal(23, b"content", 7)[5:]
    refused(opening("sha256", not etm), record)


@every_mac
@both_orders
def test_any_length_that_cannot_be(mac: str, etm: bool) -> None:
    shortest = 16 + 16 + MACS[mac] if etm else 16 + -(-(MACS[mac] + 1) // 16) * 16
    for length in range(shortest + 40):
        refused(opening(mac, etm), bytes(length))
    empty = sealing(mac, etm).seal(23, b"", 7)[5:]
    assert len(empty) == shortest
    assert opening(mac, etm).open(23, empty, 7) == b""


@every_mac
def test_a_genuine_mac_over_what_is_no_ciphertext(mac: str) -> None:
    """Encrypt-then-MAC: the peer itself sends nothing, an IV alone, or a broken block."""
    for length in (0, 15, 16, 17, 31, 33):
        refused(opening(mac, True), bytes(length) + mac_of(mac, bytes(length)))


@both_orders
def test_padding_longer_than_the_record(etm: bool) -> None:
    for length in (16, 17, 100, 255):
        refused(opening("sha1", etm), payload("sha1", b"", bytes([length]) * (16 if etm else 12), etm=etm))


def test_padding_that_would_eat_the_mac() -> None:
    """The last byte names more padding than there is room for beside the MAC, and every byte agrees."""
    for blocks in range(2, 8):
        plain = bytes([16 * blocks - 1]) * (16 * blocks)
        refused(opening("sha1"), encrypt(plain))


@both_orders
@pytest.mark.parametrize("extra", [0, 1])
def test_the_longest_content(etm: bool, extra: int) -> None:
    record = sealing("sha256", etm).seal(23, bytes(MAX_PLAINTEXT + extra), 7)[5:]
    if extra:
        refused(opening("sha256", etm), record, Reason.RECORD_OVERFLOW)
    else:
        assert len(opening("sha256", etm).open(23, record, 7)) == MAX_PLAINTEXT


@given(record=st.binary(max_size=400), etm=st.booleans())
def test_no_bytes_raise_anything_else(record: bytes, etm: bool) -> None:
    refused(opening("sha256", etm), record)


# -- what must not be seen: the number of MACs, of compressions, and the lines that run -------------------


class Spy:
    """Stands in for the HMAC and for the hash of a `CbcOpening`, and counts."""

    def __init__(self, mac: str) -> None:
        self.block = hashlib.new(mac).block_size
        self.length_field = self.block // 8
        self.macs = 0
        self.compressions = 0
        self.dummies = 0

    def watch(self, unit: CbcOpening) -> None:
        spy, real_mac, real_hash = self, unit._mac, unit._hash

        class Mac:
            def __init__(self) -> None:
                self.inner, self.length = real_mac.copy(), spy.block  # the padded key is one block

            def copy(self) -> Mac:
                return Mac()

            def update(self, data: bytes) -> None:
                self.length += len(data)
                self.inner.update(data)

            def digest(self) -> bytes:
                spy.macs += 1
                spy.compressions += -(-(self.length + 1 + spy.length_field) // spy.block)
                return self.inner.digest()

        class Dummy:
            def update(self, data: bytes) -> None:
                assert len(data) % spy.block == 0
                spy.dummies += 1
                spy.compressions += len(data) // spy.block
                real_hash().update(data)

        unit._mac = Mac()  # type: ignore[assignment]
        unit._hash = Dummy  # type: ignore[assignment]


def variants(mac: str, room: int) -> Iterator[tuple[str, bytes, bool]]:
    """(name, payload, whether it is right): records of one length, `room` bytes beside the MAC.

    All 256 values of the last byte, each with the right padding and a right and a wrong MAC, and
    with a wrong first and last byte of padding.
    """
    for length in range(256):
        if length < room:
            content = b"c" * (room - length - 1)
            good = padding(length)
            yield f"{length} good", payload(mac, content, good), True
            yield f"{length} bad mac", payload(mac, content, good, mac_byte=1), False
            if length:
                first = bytes([length ^ 1]) + good[1:]
                yield f"{length} bad first byte", payload(mac, content, first), False
                last = good[:-2] + bytes([length ^ 0x80]) + good[-1:]
                yield f"{length} bad last byte", payload(mac, content, last), False
                yield f"{length} both bad", payload(mac, content, last, mac_byte=1), False
        # nothing before the last byte agrees with it; for 0 that alone is right padding
        content = b"\xc3" * (room - 1)
        yield f"{length} bare", payload(mac, content, bytes([length])), length == 0


ROOMS = {"sha1": 12 + 16 * 19, "sha256": 16 * 20, "sha384": 16 * 21}  # more than 256, and a multiple with it


@pytest.mark.rfc("rfc5246:6.2.3.2:4", "rfc5246:6.2.3.2:7")
@every_mac
@pytest.mark.parametrize("shorter", [0, 16, 64, 128, 240])
def test_the_work_depends_on_the_length_alone(mac: str, shorter: int) -> None:
    """One HMAC, one dummy, and the same number of compressions for every padding, good or bad."""
    seen: set[tuple[int, int, int]] = set()
    right = 0
    for name, record, good in variants(mac, ROOMS[mac] - shorter):
        unit, spy = opening(mac), Spy(mac)
        spy.watch(unit)
        if good:
            unit.open(23, record, 7)
            right += 1
        else:
            error = refused(unit, record)
            assert error.detail == "", name
        seen.add((spy.macs, spy.dummies, spy.compressions))
    assert right >= 60
    assert len(seen) == 1
    assert next(iter(seen))[:2] == (1, 1)


@given(mac=st.sampled_from(sorted(MACS)), blocks=st.integers(5, 30), last=st.integers(0, 255), data=st.data())
def test_the_work_for_any_plaintext(mac: str, blocks: int, last: int, data: st.DataObject) -> None:
    """The number of compressions is that of the longest content which the length allows."""
    plain = data.draw(st.binary(min_size=16 * blocks, max_size=16 * blocks))
    plain = plain[: -last - 1] + padding(last)[-len(plain) :] if data.draw(st.booleans()) else plain
    unit, spy = opening(mac), Spy(mac)
    spy.watch(unit)
    refused(unit, encrypt(plain))
    longest = spy.block + 13 + 16 * blocks - MACS[mac] - 1
    assert spy.compressions == -(-(longest + 1 + spy.length_field) // spy.block)
    assert (spy.macs, spy.dummies) == (1, 1)


@pytest.mark.rfc("rfc5246:6.2.3.2:7")
def test_the_same_lines_run_for_every_padding() -> None:
    def lines_of(record: bytes) -> tuple[int, ...]:
        lines: list[int] = []

        def trace(frame: FrameType, event: str, arg: object) -> Any:
            if frame.f_code.co_filename == cbc.__file__:
                if event == "line":
                    lines.append(frame.f_lineno)
                return trace
            return None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            unit.open(23, record, 7)
        except PeerMisbehaved:
            pass
        finally:
            sys.settrace(before)
        return tuple(lines)

    unit = opening("sha1")
    paths: dict[bool, set[tuple[int, ...]]] = {True: set(), False: set()}
    for _, record, good in variants("sha1", ROOMS["sha1"]):
        paths[good].add(lines_of(record))
    assert len(paths[True]) == 1
    assert len(paths[False]) == 1
    (good_path,), (bad_path,) = paths[True], paths[False]
    assert good_path[: len(bad_path) - 1] == bad_path[:-1]  # they part where the bad one is refused


@every_mac
def test_encrypt_then_mac_decrypts_nothing_before_the_mac_is_right(
    mac: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    real = CbcOpening._decrypt

    def spied(self: CbcOpening, encrypted: bytes) -> bytes:
        calls.append(len(encrypted))
        return real(self, encrypted)

    monkeypatch.setattr(CbcOpening, "_decrypt", spied)
    for length in range(0, 256, 5):
        content = b"c" * (-(length + 1) % 16)
        refused(opening(mac, True), payload(mac, content, padding(length), mac_byte=1, etm=True))
    assert calls == []
    opening(mac, True).open(23, payload(mac, b"c" * 15, padding(0), etm=True), 7)
    assert calls == [32]


def test_keys_are_not_shown() -> None:
    for unit in (sealing("sha1"), opening("sha1")):
        assert ENC_KEY.hex() not in repr(unit)
        assert repr(ENC_KEY) not in repr(unit)
        assert not hasattr(unit, "__dict__")
