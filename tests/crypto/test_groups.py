"""Key exchange: every group against itself, the hybrids against their halves, bad shares of all kinds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from pellucid.crypto.groups import GROUPS, Group, Hybrid
from pellucid.errors import PeerMisbehaved, Reason, UsageError
from pellucid.secret import Secret
from pellucid.wire.codepoints import Alert, NamedGroup

every_group = pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.name)
HYBRIDS = [group for group in GROUPS.values() if isinstance(group, Hybrid)]
every_hybrid = pytest.mark.parametrize("group", HYBRIDS, ids=lambda group: group.name)


def replay(seed: bytes) -> Callable[[int], bytes]:
    """A source of randomness that gives the same bytes in every run."""
    count = 0

    def random(n: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(seed + count.to_bytes(4, "big")).digest(n)

    return random


def refuses(group: Group, call: Callable[[], object]) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        call()
    assert caught.value.reason is Reason.BAD_KEY_SHARE
    assert caught.value.alert == Alert.illegal_parameter
    assert group.name in caught.value.detail


@every_group
@pytest.mark.parametrize("random", [os.urandom, replay(b"both")], ids=["urandom", "replay"])
def test_both_sides_agree(group: Group, random: Callable[[int], bytes]) -> None:
    assert NamedGroup(group.code).name == group.name
    ours = group.generate(random)
    theirs, secret = group.respond(ours.public, random, lambda name, thunk: thunk())
    assert isinstance(secret, Secret)
    assert len(ours.public) == group.client_share_length
    assert len(theirs) == group.server_share_length
    finished = ours.finish(theirs)
    assert isinstance(finished, Secret)
    assert finished == secret
    assert group.respond(ours.public, random)[0] != theirs  # every answer is fresh


@every_group
def test_the_same_randomness_gives_the_same_run(group: Group) -> None:
    """What the library draws by itself is recorded in the first run and answered in the second."""
    record: list[bytes] = []

    def run(hidden: Callable[[str, Callable[[], bytes]], bytes]) -> tuple[bytes, bytes, bytes, bytes]:
        ours = group.generate(replay(b"client"))
        theirs, secret = group.respond(ours.public, replay(b"server"), hidden)
        return ours.public, theirs, secret.reveal(), ours.finish(theirs).reveal()

    def keep(name: str, thunk: Callable[[], bytes]) -> bytes:
        assert "encapsulation" in name
        record.append(thunk())
        return record[-1]

    first = run(keep)
    assert len(record) == group.kem  # only ML-KEM hides anything
    assert run(lambda name, thunk: record[0]) == first
    assert group.generate(replay(b"another")).public != first[0]


@every_hybrid
def test_a_damaged_record_of_a_run_is_the_callers_fault(group: Group) -> None:
    ours = group.generate(os.urandom)
    with pytest.raises(UsageError):
        group.respond(ours.public, os.urandom, lambda name, thunk: thunk()[:-1])


@every_group
def test_a_share_of_the_wrong_length(group: Group) -> None:
    ours = group.generate(os.urandom)
    theirs, _ = group.respond(ours.public, os.urandom)
    for share in (b"", ours.public[:-1], ours.public + b"\0", b"\0" + ours.public):
        refuses(group, lambda share=share: group.respond(share, os.urandom))  # type: ignore[misc]
    for share in (b"", theirs[:-1], theirs + b"\0", b"\0" + theirs):
        refuses(group, lambda share=share: ours.finish(share))  # type: ignore[misc]


@given(st.data())
def test_any_bytes_are_a_share_or_refused(data: st.DataObject) -> None:
    group = data.draw(st.sampled_from([g for g in GROUPS.values() if not g.kem]))
    right = st.just(group.client_share_length)
    length = data.draw(st.one_of(right, st.integers(0, 2 * group.client_share_length)))
    share = data.draw(st.binary(min_size=length, max_size=length))
    if data.draw(st.booleans()):
        share = b"\4" + share[1:]
    ours = group.generate(os.urandom)
    for answer in (lambda: group.respond(share, os.urandom)[1], lambda: ours.finish(share)):
        try:
            secret: bytes = answer()  # type: ignore[no-untyped-call]
        except PeerMisbehaved as error:
            if error.reason is not Reason.BAD_KEY_SHARE:
                raise
        else:
            assert len(share) == group.client_share_length
            assert any(secret)


@pytest.mark.rfc("rfc8446:4.2.8.2:1", "rfc8422:5.11:1", "rfc8422:5.11:2")
@pytest.mark.parametrize("code", [0x0017, 0x0018, 0x0019])
def test_a_point_must_lie_on_the_curve(code: int) -> None:
    group = GROUPS[code]
    ours = group.generate(os.urandom)
    point = bytearray(group.generate(os.urandom).public)
    point[-1] ^= 1
    refuses(group, lambda: group.respond(bytes(point), os.urandom))
    refuses(group, lambda: ours.finish(bytes(point)))
    origin = b"\4" + bytes(group.client_share_length - 1)
    refuses(group, lambda: ours.finish(origin))
    refuses(group, lambda: ours.finish(b"\4" + b"\xff" * (group.client_share_length - 1)))


@pytest.mark.rfc("rfc8422:5.1.2:2")
@pytest.mark.parametrize("code", [0x0017, 0x0018, 0x0019])
def test_only_uncompressed_points(code: int) -> None:
    group = GROUPS[code]
    ours = group.generate(os.urandom)
    point = group.generate(os.urandom).public
    compressed = bytes([2 + point[-1] % 2]) + point[1 : (len(point) + 1) // 2]
    refuses(group, lambda: ours.finish(compressed))
    hybrid = bytes([6 + point[-1] % 2]) + point[1:]  # X9.62's other form, of the same length
    refuses(group, lambda: ours.finish(hybrid))
    refuses(group, lambda: group.respond(hybrid, os.urandom))
    refuses(group, lambda: ours.finish(b"\0"))  # infinity
    refuses(group, lambda: ours.finish(bytes(len(point))))


@pytest.mark.rfc("rfc8446:7.4.2:3", "rfc8422:5.10:2", "rfc8422:5.11:3")
@pytest.mark.parametrize("code", [0x001D, 0x001E])
@pytest.mark.parametrize("value", [0, 1])
def test_a_shared_secret_of_zeros(code: int, value: int) -> None:
    group = GROUPS[code]
    share = value.to_bytes(group.client_share_length, "little")  # points of low order
    refuses(group, lambda: group.respond(share, os.urandom))
    refuses(group, lambda: group.generate(os.urandom).finish(share))


@pytest.mark.rfc("rfc8446:7.4.2:1", "rfc8422:5.10:1")
def test_leading_zeros_of_a_secret_stay() -> None:
    group = GROUPS[0x0017]
    ours = group.generate(replay(b"zeros"))
    for attempt in range(5000):
        share, secret = group.respond(ours.public, replay(b"peer %d" % attempt))
        assert len(secret) == 32
        if secret[0] == 0:
            assert len(ours.finish(share)) == 32
            return
    pytest.fail("5000 secrets, and none begins with a zero byte")


@pytest.mark.parametrize("code", [0x0017, 0x0018, 0x0019])
@pytest.mark.parametrize("fill", [0x00, 0xFF])
def test_extreme_randomness_still_makes_a_key(code: int, fill: int) -> None:
    group = GROUPS[code]
    ours = group.generate(lambda n: bytes([fill]) * n)
    share, secret = group.respond(ours.public, os.urandom)
    assert ours.finish(share) == secret


# -- the hybrids, against a peer that is put together here from the halves ---------------------------


def halves(group: Group) -> tuple[Any, Any, bool]:
    """(class of the curve or None for x25519, class of the encapsulation key, ML-KEM first)."""
    return {
        "X25519MLKEM768": (None, mlkem.MLKEM768PublicKey, True),
        "SecP256r1MLKEM768": (ec.SECP256R1(), mlkem.MLKEM768PublicKey, False),
        "SecP384r1MLKEM1024": (ec.SECP384R1(), mlkem.MLKEM1024PublicKey, False),
    }[group.name]


def split(group: Group, share: bytes) -> tuple[bytes, bytes]:
    """(Diffie-Hellman half, ML-KEM half) of a share of either side."""
    length = {"X25519MLKEM768": 32, "SecP256r1MLKEM768": 65, "SecP384r1MLKEM1024": 97}[group.name]
    if group.name == "X25519MLKEM768":
        return share[-length:], share[:-length]
    return share[:length], share[length:]


def join(group: Group, dh: bytes, kem: bytes) -> bytes:
    return kem + dh if group.name == "X25519MLKEM768" else dh + kem


@every_hybrid
def test_a_hybrid_is_its_two_halves(group: Group) -> None:
    ours = group.generate(os.urandom)
    dh, key = split(group, ours.public)
    curve, kem, _ = halves(group)
    secret, ciphertext = kem.from_public_bytes(key).encapsulate()
    if curve is None:
        private = x25519.X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        shared = private.exchange(x25519.X25519PublicKey.from_public_bytes(dh))
    else:
        private_ec = ec.generate_private_key(curve)
        public = private_ec.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        shared = private_ec.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, dh))
    assert ours.finish(join(group, public, ciphertext)) == join(group, shared, secret)


@every_hybrid
def test_each_half_of_a_clients_share_is_checked(group: Group) -> None:
    dh, key = split(group, group.generate(os.urandom).public)
    bad_dh = bytes(32) if group.name == "X25519MLKEM768" else dh[:-1] + bytes([dh[-1] ^ 1])
    refuses(group, lambda: group.respond(join(group, bad_dh, key), os.urandom))
    overflow = b"\xff\xff\xff" + key[3:]  # coefficients of 4095: FIPS 203 7.2, modulus check
    refuses(group, lambda: group.respond(join(group, dh, overflow), os.urandom))
    refuses(group, lambda: group.respond(join(group, dh, key[:-1]), os.urandom))
    refuses(group, lambda: group.respond(join(group, dh[:-1], key), os.urandom))
    swapped = key + dh if group.name != "X25519MLKEM768" else dh + key
    with pytest.raises(PeerMisbehaved):
        group.respond(swapped, os.urandom)


@every_hybrid
def test_each_half_of_a_servers_share_counts(group: Group) -> None:
    ours = group.generate(os.urandom)
    share, secret = group.respond(ours.public, os.urandom)
    dh, ciphertext = split(group, share)
    bad_dh = bytes(32) if group.name == "X25519MLKEM768" else dh[:-1] + bytes([dh[-1] ^ 1])
    refuses(group, lambda: ours.finish(join(group, bad_dh, ciphertext)))
    # ML-KEM rejects implicitly: another secret, no error. The Finished will not fit.
    other = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    result = ours.finish(join(group, dh, other))
    assert result != secret
    assert split_secret(group, result)[0] == split_secret(group, secret)[0]


def split_secret(group: Group, secret: bytes) -> tuple[bytes, bytes]:
    """(Diffie-Hellman half, ML-KEM half) of a secret."""
    if group.name == "X25519MLKEM768":
        return bytes(secret[32:]), bytes(secret[:32])
    return bytes(secret[:-32]), bytes(secret[-32:])


@every_hybrid
def test_the_classical_half_is_a_share_of_its_own(group: Group) -> None:
    ours = group.generate(os.urandom)
    classical = ours.classical
    assert classical is not None
    assert classical.public == split(group, ours.public)[0]
    share, secret = classical.group.respond(classical.public, os.urandom)
    assert classical.finish(share) == secret
    assert classical.classical is None


def test_nothing_shows_a_private_key() -> None:
    ours = GROUPS[0x11EC].generate(os.urandom)
    assert repr(ours) == "<PrivateShare of X25519MLKEM768>"
    assert repr(ours.group) == "<Group X25519MLKEM768>"
    _, secret = ours.group.respond(ours.public, os.urandom)
    assert repr(secret) == "<Secret of 64 bytes>"
