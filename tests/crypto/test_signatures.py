"""Signatures: every scheme with real keys, and every way in which scheme, key and version may not fit."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from pellucid.crypto.signatures import SCHEMES, Scheme, kind_of, schemes_for, sign, verify
from pellucid.errors import PeerMisbehaved, Reason, UsageError
from pellucid.wire.codepoints import Alert, SignatureScheme

DATA = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32)
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}

every_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.name)
every_version = pytest.mark.parametrize("tls13", [True, False], ids=["tls13", "tls12"])


def refused(reason: Reason, *args: Any, **kwargs: Any) -> str:
    """`verify` refuses this, for this reason; its detail."""
    with pytest.raises(PeerMisbehaved) as caught:
        verify(*args, **kwargs)
    assert caught.value.reason is reason
    return caught.value.detail


def key_for(scheme: Scheme, keys: dict[str, Any]) -> Any:
    return keys[scheme.curve or scheme.kind]


def names(codes: tuple[int, ...]) -> list[str]:
    return [SignatureScheme(code).name for code in codes]


@pytest.mark.rfc("rfc8446:4.4.3:9", "rfc8446:4.4.3:10", "rfc8446:4.2.3:23")
@every_scheme
@every_version
def test_sign_and_verify(scheme: Scheme, tls13: bool, keys: dict[str, Any]) -> None:
    key = key_for(scheme, keys)
    public, pss = key.public_key(), scheme.kind == "rsa-pss"
    signature = sign(scheme.code, key, DATA)
    if not (scheme.tls13 if tls13 else scheme.tls12):
        detail = refused(
            Reason.WRONG_SIGNATURE_TYPE, scheme.code, public, signature, DATA, tls13=tls13, pss_key=pss
        )
        assert scheme.name in detail
        return
    verify(scheme.code, public, signature, DATA, tls13=tls13, pss_key=pss)
    assert scheme.code in schemes_for(public, tls13=tls13, pss_key=pss)
    for position in (0, len(signature) // 2, len(signature) - 1):
        broken = bytearray(signature)
        broken[position] ^= 0x04
        refused(Reason.BAD_SIGNATURE, scheme.code, public, bytes(broken), DATA, tls13=tls13, pss_key=pss)
    for other in (b"", signature[:-1], signature + b"\0", bytes(len(signature)), b"\xff" * 9000):
        refused(Reason.BAD_SIGNATURE, scheme.code, public, other, DATA, tls13=tls13, pss_key=pss)
    refused(Reason.BAD_SIGNATURE, scheme.code, public, signature, DATA + b"\0", tls13=tls13, pss_key=pss)
    refused(Reason.BAD_SIGNATURE, scheme.code, public, signature, b"!" + DATA[1:], tls13=tls13, pss_key=pss)
    with pytest.raises(PeerMisbehaved) as caught:
        verify(scheme.code, public, bytes(64), DATA, tls13=tls13, pss_key=pss)
    assert caught.value.alert == Alert.decrypt_error


@every_scheme
def test_another_key_of_the_same_kind(
    scheme: Scheme, keys: dict[str, Any], other_keys: dict[str, Any]
) -> None:
    public, pss = key_for(scheme, keys).public_key(), scheme.kind == "rsa-pss"
    signature = sign(scheme.code, key_for(scheme, other_keys), DATA)
    refused(Reason.BAD_SIGNATURE, scheme.code, public, signature, DATA, tls13=scheme.tls13, pss_key=pss)


@pytest.mark.rfc("rfc8446:4.4.3:6", "rfc8446:4.2.3:1", "rfc8422:5.9:4", "rfc8422:5.9:6")
@every_scheme
@every_version
def test_no_scheme_takes_a_key_of_another_kind(scheme: Scheme, tls13: bool, keys: dict[str, Any]) -> None:
    for name, key in keys.items():
        kind = "ecdsa" if name.startswith("secp") else name.removesuffix("1024")
        if kind == scheme.kind:
            continue
        public = key.public_key()
        pss = name == "rsa-pss"
        refused(Reason.WRONG_SIGNATURE_TYPE, scheme.code, public, bytes(256), DATA, tls13=tls13, pss_key=pss)
        assert scheme.code not in schemes_for(public, tls13=tls13, pss_key=pss)


@pytest.mark.rfc("rfc8446:4.2.3:22")
def test_tls13_binds_the_curve_and_tls12_does_not(keys: dict[str, Any]) -> None:
    curves = ["secp256r1", "secp384r1", "secp521r1"]
    codes = [0x0403, 0x0503, 0x0603]
    for curve in curves:
        key = keys[curve]
        for code in codes:
            signature = sign(code, key, DATA)
            verify(code, key.public_key(), signature, DATA, tls13=False)
            if SCHEMES[code].curve == curve:
                verify(code, key.public_key(), signature, DATA, tls13=True)
            else:
                detail = refused(Reason.WRONG_SIGNATURE_TYPE, code, key.public_key(), signature, DATA)
                assert curve in detail


@every_version
def test_a_curve_that_is_not_spoken(tls13: bool, keys: dict[str, Any]) -> None:
    key = keys["secp256k1"]
    signature = sign(0x0403, key, DATA)
    refused(Reason.WRONG_SIGNATURE_TYPE, 0x0403, key.public_key(), signature, DATA, tls13=tls13)
    assert schemes_for(key.public_key(), tls13=tls13) == ()


@pytest.mark.rfc("rfc8446:4.4.3:7", "rfc8446:4.2.3:6")
@pytest.mark.parametrize("code", [0x0401, 0x0501, 0x0601])
def test_pkcs1_never_signs_in_tls13(code: int, keys: dict[str, Any]) -> None:
    signature = sign(code, keys["rsa"], DATA)
    verify(code, keys["rsa"].public_key(), signature, DATA, tls13=False)
    detail = refused(Reason.WRONG_SIGNATURE_TYPE, code, keys["rsa"].public_key(), signature, DATA)
    assert "TLS 1.3" in detail


@pytest.mark.rfc("rfc8446:4.4.3:8", "rfc8446:4.2.3:13", "rfc8446:4.2.3:20", "rfc8446:4.2.3:21")
@pytest.mark.parametrize("code", [0x0101, 0x0201, 0x0202, 0x0203, 0x0301, 0x0303, 0x0000, 0x0A0A, 0xFFFF])
@every_version
def test_old_and_unknown_schemes_are_numbers_only(code: int, tls13: bool, keys: dict[str, Any]) -> None:
    for key in keys.values():
        refused(Reason.WRONG_SIGNATURE_TYPE, code, key.public_key(), bytes(64), DATA, tls13=tls13)
        with pytest.raises(UsageError) as caught:
            sign(code, key, DATA)
        assert caught.value.reason is Reason.BAD_CONFIG
        assert code not in schemes_for(key.public_key(), tls13=tls13)


@pytest.mark.rfc("rfc8446:4.2.3:7", "rfc8446:4.2.3:9")
@pytest.mark.parametrize("code", [0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B])
def test_the_salt_is_as_long_as_the_hash(code: int, keys: dict[str, Any]) -> None:
    key, scheme = keys["rsa"], SCHEMES[code]
    pss = scheme.kind == "rsa-pss"
    hash = HASHES[scheme.hash or ""]
    exact = padding.PSS(padding.MGF1(hash), hash.digest_size)
    key.public_key().verify(sign(code, key, DATA), DATA, exact, hash)
    verify(code, key.public_key(), key.sign(DATA, exact, hash), DATA, pss_key=pss)
    for length in (0, 20, hash.digest_size - 1, hash.digest_size + 1):
        signature = key.sign(DATA, padding.PSS(padding.MGF1(hash), length), hash)
        refused(Reason.BAD_SIGNATURE, code, key.public_key(), signature, DATA, pss_key=pss)
    other = padding.PSS(padding.MGF1(hashes.SHA1()), hash.digest_size)
    refused(Reason.BAD_SIGNATURE, code, key.public_key(), key.sign(DATA, other, hash), DATA, pss_key=pss)


@pytest.mark.rfc("rfc8446:4.2.3:8", "rfc8446:4.2.3:10")
@every_version
def test_the_oid_of_an_rsa_key_divides_the_schemes(tls13: bool, keys: dict[str, Any]) -> None:
    key = keys["rsa"]
    signature = sign(0x0804, key, DATA)  # the same computation under both names
    verify(0x0804, key.public_key(), signature, DATA, tls13=tls13, pss_key=False)
    verify(0x0809, key.public_key(), signature, DATA, tls13=tls13, pss_key=True)
    refused(Reason.WRONG_SIGNATURE_TYPE, 0x0809, key.public_key(), signature, DATA, tls13=tls13)
    for code in (0x0804, 0x0401):
        refused(
            Reason.WRONG_SIGNATURE_TYPE, code, key.public_key(), signature, DATA, tls13=tls13, pss_key=True
        )
    assert kind_of(key.public_key()) == "rsa"
    assert kind_of(key.public_key(), pss_key=True) == "rsa-pss"
    assert kind_of(keys["secp256r1"].public_key(), pss_key=True) == "ecdsa"


def test_the_library_forgets_the_oid(keys: dict[str, Any]) -> None:
    """Why `pss_key` is a parameter. If this fails, the key object could say it by itself."""
    rsa_encryption = bytes.fromhex("300d06092a864886f70d0101010500")
    rsassa_pss = bytes.fromhex("300b06092a864886f70d01010a")
    spki = (
        keys["rsa"]
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    inner = spki[4:].replace(rsa_encryption, rsassa_pss)
    pss = serialization.load_der_public_key(b"\x30\x82" + len(inner).to_bytes(2, "big") + inner)
    assert kind_of(pss) == "rsa"


@pytest.mark.parametrize(
    ("code", "due"),
    [(0x0804, True), (0x0805, True), (0x0806, False), (0x0809, True), (0x080B, False), (0x0601, True)],
)
def test_a_key_too_short_for_the_hash(code: int, due: bool, keys: dict[str, Any]) -> None:
    """RFC 8017 9.1.1: 1024 bits hold no PSS with SHA-512 and a salt of 64 bytes (130 > 128)."""
    key = keys["rsa1024"]
    pss = SCHEMES[code].kind == "rsa-pss"
    assert (code in schemes_for(key.public_key(), tls13=False, pss_key=pss)) is due
    if due:
        verify(code, key.public_key(), sign(code, key, DATA), DATA, tls13=False, pss_key=pss)
        return
    detail = refused(
        Reason.WRONG_SIGNATURE_TYPE, code, key.public_key(), bytes(128), DATA, tls13=False, pss_key=pss
    )
    assert "1024 bits" in detail
    with pytest.raises(UsageError, match="cannot sign") as caught:
        sign(code, key, DATA)
    assert caught.value.reason is Reason.BAD_CONFIG


@pytest.mark.parametrize(
    ("hash", "pss", "pkcs1"), [("sha256", 522, 489), ("sha384", 778, 617), ("sha512", 1034, 745)]
)
def test_the_shortest_keys(hash: str, pss: int, pkcs1: int) -> None:
    """RFC 8017: emLen is ceil((bits - 1) / 8) for PSS and ceil(bits / 8) for PKCS#1 v1.5."""
    size = HASHES[hash].digest_size
    for scheme in SCHEMES.values():
        if scheme.hash != hash or not scheme.kind.startswith("rsa"):
            continue
        bits = scheme.shortest
        if "pkcs1" in scheme.name:
            assert bits == pkcs1
            assert -(-bits // 8) == 19 + size + 11
            assert -(-(bits - 1) // 8) < 19 + size + 11
        else:
            assert bits == pss
            assert -(-(bits - 1) // 8) == 2 * size + 2
            assert -(-(bits - 2) // 8) < 2 * size + 2


@pytest.mark.parametrize(
    ("key", "tls13", "due"),
    [
        ("rsa", True, ["rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"]),
        ("rsa-pss", True, ["rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512"]),
        ("rsa-pss", False, ["rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512"]),
        (
            "rsa",
            False,
            [
                "rsa_pss_rsae_sha256",
                "rsa_pss_rsae_sha384",
                "rsa_pss_rsae_sha512",
                "rsa_pkcs1_sha256",
                "rsa_pkcs1_sha384",
                "rsa_pkcs1_sha512",
            ],
        ),
        ("secp256r1", True, ["ecdsa_secp256r1_sha256"]),
        ("secp521r1", True, ["ecdsa_secp521r1_sha512"]),
        (
            "secp521r1",
            False,
            ["ecdsa_secp521r1_sha512", "ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384"],
        ),
        ("ed25519", True, ["ed25519"]),
        ("ed25519", False, ["ed25519"]),
        ("ed448", False, ["ed448"]),
        ("ml-dsa-65", True, ["mldsa65"]),
        ("ml-dsa-65", False, []),
    ],
)
def test_what_a_key_can_sign_with(key: str, tls13: bool, due: list[str], keys: dict[str, Any]) -> None:
    pss = key == "rsa-pss"
    assert names(schemes_for(keys[key].public_key(), tls13=tls13, pss_key=pss)) == due


def test_a_key_that_cannot_sign() -> None:
    public = x25519.X25519PrivateKey.generate().public_key()
    assert kind_of(public) is None
    assert schemes_for(public, tls13=True) == ()
    detail = refused(Reason.WRONG_SIGNATURE_TYPE, 0x0807, public, bytes(64), DATA)
    assert "X25519" in detail


def test_to_sign_with_a_key_of_another_kind_is_the_callers_fault(keys: dict[str, Any]) -> None:
    for code, key in ((0x0403, "ed25519"), (0x0804, "secp256r1"), (0x0807, "rsa"), (0x0904, "rsa")):
        with pytest.raises(UsageError, match="cannot sign") as caught:
            sign(code, keys[key], DATA)
        assert caught.value.reason is Reason.BAD_CONFIG


def test_a_signature_of_zeros_or_of_the_order(keys: dict[str, Any]) -> None:
    """r and s out of range, and a DER sequence with something left over."""
    public = keys["secp256r1"].public_key()
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    r, s = decode_dss_signature(sign(0x0403, keys["secp256r1"], DATA))
    for pair in ((0, 0), (0, s), (r, 0), (order, order), (r + order, s), (r, s + order)):
        refused(Reason.BAD_SIGNATURE, 0x0403, public, encode_dss_signature(*pair), DATA)
    der = encode_dss_signature(r, s)
    refused(Reason.BAD_SIGNATURE, 0x0403, public, der + b"\0", DATA)
    refused(Reason.BAD_SIGNATURE, 0x0403, public, b"\x30\x81" + der[1:], DATA)  # BER's longer length


def test_mldsa_uses_the_empty_context(keys: dict[str, Any]) -> None:
    key = keys["ml-dsa-44"]
    key.public_key().verify(sign(0x0904, key, DATA), DATA, b"")
    refused(Reason.BAD_SIGNATURE, 0x0904, key.public_key(), key.sign(DATA, b"context"), DATA)


@every_scheme
def test_random_bytes_are_never_a_signature(scheme: Scheme, keys: dict[str, Any]) -> None:
    key = key_for(scheme, keys)
    pss = scheme.kind == "rsa-pss"
    right = len(sign(scheme.code, key, DATA))
    for length in (1, 64, 114, 256, right):
        refused(
            Reason.BAD_SIGNATURE, scheme.code, key.public_key(), os.urandom(length), DATA,
            tls13=scheme.tls13, pss_key=pss,
        )  # fmt: skip
