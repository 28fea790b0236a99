"""Shares from Project Wycheproof (C2SP/wycheproof, testvectors_v1): what TLS must take and refuse."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pellucid.crypto.groups import GROUPS, Group
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.wire.codepoints import NamedGroup

Vectors = Callable[[str], Iterator[tuple[dict[str, Any], dict[str, Any]]]]


def outcome(call: Callable[[], bytes]) -> bytes | None:
    """The secret; None if the share was refused as it should be."""
    try:
        return bytes(call())
    except PeerMisbehaved as error:
        if error.reason is not Reason.BAD_KEY_SHARE:
            raise
        return None


@pytest.mark.rfc("rfc8446:7.4.2:2", "rfc8446:7.4.2:3")
@pytest.mark.parametrize(("name", "due"), [("x25519", 518), ("x448", 510)])
def test_montgomery(name: str, due: int, wycheproof: Vectors) -> None:
    """Twists and non-canonical values count as RFC 7748 says; only a secret of zeros is refused."""
    group = GROUPS[NamedGroup[name]]
    count = 0
    for _, test in wycheproof(f"{name}_test"):
        count += 1
        private, public = bytes.fromhex(test["private"]), bytes.fromhex(test["public"])
        ours = group.generate(lambda n, private=private: private)  # type: ignore[misc]
        expected = bytes.fromhex(test["shared"])
        refused = test["result"] == "invalid" or not any(expected)
        got = outcome(lambda ours=ours, public=public: ours.finish(public))  # type: ignore[misc]
        assert got == (None if refused else expected), test["tcId"]
        if refused:
            answer = outcome(lambda public=public: group.respond(public, os.urandom)[1])  # type: ignore[misc]
            assert answer is None, test["tcId"]
    assert count == due


@pytest.mark.rfc("rfc8446:4.2.8.2:1")
@pytest.mark.parametrize(("name", "due"), [("secp256r1", 355), ("secp384r1", 790), ("secp521r1", 661)])
def test_weierstrass(name: str, due: int, wycheproof: Vectors) -> None:
    """Off-curve points, points of other curves and compressed points are refused, the rest agrees."""
    group = GROUPS[NamedGroup[name]]
    count = 0
    for _, test in wycheproof(f"ecdh_{name}_ecpoint_test"):
        count += 1
        scalar, public = int(test["private"], 16), bytes.fromhex(test["public"])
        ours = group.generate(lambda n, scalar=scalar: (scalar - 1).to_bytes(n, "big"))  # type: ignore[misc]
        got = outcome(lambda ours=ours, public=public: ours.finish(public))  # type: ignore[misc]
        refused = test["result"] != "valid"  # "acceptable": compressed points, which TLS forbids
        assert got == (None if refused else bytes.fromhex(test["shared"])), test["tcId"]
        if refused:
            answer = outcome(lambda public=public: group.respond(public, os.urandom)[1])  # type: ignore[misc]
            assert answer is None, test["tcId"]
    assert count == due


@pytest.mark.parametrize(
    ("group", "vectors", "due"),
    [
        (GROUPS[0x11EC], "mlkem_768_encaps_test", 265),
        (GROUPS[0x11EB], "mlkem_768_encaps_test", 265),
        (GROUPS[0x11ED], "mlkem_1024_encaps_test", 269),
        (GROUPS[0x0201], "mlkem_768_encaps_test", 265),
        (GROUPS[0x0202], "mlkem_1024_encaps_test", 269),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_encapsulation_keys(group: Group, vectors: str, due: int, wycheproof: Vectors) -> None:
    """Keys of the wrong length, or that fail the modulus check of FIPS 203 7.2, are refused.

    The ciphertexts cannot be compared: the library keeps the encapsulation's randomness to itself.
    """
    ours = group.generate(os.urandom)
    dh = ours.classical.public if ours.classical is not None else b""
    kem_first = group.name == "X25519MLKEM768"
    count = 0
    for _, test in wycheproof(vectors):
        count += 1
        key = bytes.fromhex(test["ek"])
        share = key + dh if kem_first else dh + key
        secret = outcome(lambda share=share: group.respond(share, os.urandom)[1])  # type: ignore[misc]
        assert (secret is None) == (test["result"] == "invalid"), test["tcId"]
    assert count == due
