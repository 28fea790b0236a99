"""Keys of every kind, made once: RSA keys take their time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def make_keys(rsa_key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """A private key for each kind of `Scheme.kind`, and for each curve."""
    return {
        "rsa": rsa_key,
        "rsa-pss": rsa_key,
        "rsa1024": rsa.generate_private_key(65537, 1024),
        "secp256r1": ec.generate_private_key(ec.SECP256R1()),
        "secp384r1": ec.generate_private_key(ec.SECP384R1()),
        "secp521r1": ec.generate_private_key(ec.SECP521R1()),
        "secp256k1": ec.generate_private_key(ec.SECP256K1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "ed448": ed448.Ed448PrivateKey.generate(),
        "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate(),
        "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate(),
        "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate(),
    }


@pytest.fixture(scope="session")
def keys(rsa_key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return make_keys(rsa_key)


@pytest.fixture(scope="session")
def other_keys() -> dict[str, Any]:
    """A second set, with nothing of the first."""
    return make_keys(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="session")
def wycheproof(shared: Path) -> Callable[[str], Iterator[tuple[dict[str, Any], dict[str, Any]]]]:
    """`wycheproof(name)` gives (group, test) of a file of C2SP/wycheproof, testvectors_v1."""

    def read(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        text = (shared / "data" / "wycheproof" / f"{name}.json").read_text("utf-8")
        for group in json.loads(text)["testGroups"]:
            for test in group["tests"]:
                yield group, test

    return read
