"""Private keys from files: what is loaded, and what is refused before anybody signs with it."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateNumbers,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pellucid import Reason, UsageError
from pellucid.trust.loading import load_key

NUMBERS = ("p", "q", "d", "dmp1", "dmq1", "iqmp")
FORMS = pytest.mark.parametrize(
    ("encoding", "form"),
    [
        (Encoding.PEM, PrivateFormat.PKCS8),
        (Encoding.PEM, PrivateFormat.TraditionalOpenSSL),
        (Encoding.DER, PrivateFormat.PKCS8),
    ],
)


@pytest.fixture(scope="module")
def numbers() -> RSAPrivateNumbers:
    return generate_private_key(65537, 2048).private_numbers()


def written(
    numbers: Any, encoding: Encoding = Encoding.PEM, form: PrivateFormat = PrivateFormat.PKCS8
) -> bytes:
    """A file with this key, whatever its numbers are."""
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return bytes(key.private_bytes(encoding, form, NoEncryption()))


@FORMS
def test_an_rsa_key(numbers: RSAPrivateNumbers, encoding: Encoding, form: PrivateFormat) -> None:
    assert load_key(written(numbers, encoding, form)).private_numbers() == numbers


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("by", [2, -2, 1 << 500], ids=["+2", "-2", "+2^500"])
@FORMS
def test_an_rsa_key_whose_numbers_do_not_belong_together(
    numbers: RSAPrivateNumbers, name: str, by: int, encoding: Encoding, form: PrivateFormat
) -> None:
    """It would sign wrongly, and a wrong signature by the remainder theorem gives the key away."""
    values = {each: getattr(numbers, each) for each in NUMBERS}
    values[name] += by
    public = RSAPublicNumbers(numbers.public_numbers.e, values["p"] * values["q"])
    broken = RSAPrivateNumbers(public_numbers=public, **values)
    with pytest.raises(UsageError) as refused:
        load_key(written(broken, encoding, form))
    assert refused.value.reason is Reason.BAD_KEY_FILE


def test_an_rsa_key_of_another_modulus(numbers: RSAPrivateNumbers) -> None:
    data = written(numbers, Encoding.DER)
    modulus = numbers.public_numbers.n
    changed = data.replace(modulus.to_bytes(256, "big"), (modulus ^ 2).to_bytes(256, "big"))
    assert changed != data
    with pytest.raises(UsageError) as refused:
        load_key(changed)
    assert refused.value.reason is Reason.BAD_KEY_FILE


def test_the_two_primes_are_two(numbers: RSAPrivateNumbers) -> None:
    """n = p^2 is no modulus, though all else fits."""
    p, e = numbers.p, numbers.public_numbers.e
    d = pow(e, -1, p - 1)
    square = RSAPrivateNumbers(p, p, d, d, d, 1, RSAPublicNumbers(e, p * p))
    with pytest.raises(UsageError):
        load_key(written(square))
