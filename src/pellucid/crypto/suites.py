"""Cipher suites: what each one is made of. RFC 8446 appendix B.4, RFC 5288, 5289, 5487, 5489, 6655,
7251, 7905 and 8442.

A `Suite` names its key exchange, its authentication, its AEAD and its hash; the record layer and
the key schedules read everything that they need from it. The suites that give something up (static
RSA, CBC) stand in `pellucid.legacy.suites` and are loaded by `legacy_suites()` only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hmac import HMAC

from pellucid.errors import Reason, UsageError
from pellucid.limits import MAX_RECORDS_CCM, MAX_RECORDS_CHACHA, MAX_RECORDS_GCM
from pellucid.wire.codepoints import CipherSuite

if TYPE_CHECKING:
    from pellucid.legacy.suites import Cbc


_ALGORITHMS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}


class Hash:
    """The hash of a suite: of its transcript, its HKDF (TLS 1.3) or its PRF (TLS 1.2).

    Attributes:
        name: as `hashlib` and `hmac` know it, for example "sha256".
        length: bytes of a digest.
        new: the constructor of `hashlib`.
        empty: the digest of no bytes at all (Derive-Secret's "" of RFC 8446 section 7.1).
        algorithm: as `cryptography` knows it. Its HMAC costs half of what the standard `hmac` does in the
            midst of a handshake (and a third where it is copied): its OpenSSL need not look the algorithm
            up again each time.

    >>> HASHES["sha384"].length
    48
    """

    __slots__ = ("algorithm", "empty", "length", "name", "new")

    def __init__(self, name: str) -> None:
        self.name = name
        self.new: Callable[..., hashlib._Hash] = getattr(hashlib, name)
        self.empty: bytes = self.new().digest()
        self.length = len(self.empty)
        self.algorithm = _ALGORITHMS[name]

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC (RFC 2104) of one message."""
        context = HMAC(key, self.algorithm)
        context.update(data)
        return context.finalize()

    def __repr__(self) -> str:
        return f"<Hash {self.name}>"


class AeadCipher(Protocol):
    """What `Aead.make` returns: one of `cryptography`'s AEAD objects, with its key inside."""

    def encrypt(self, nonce: Any, data: Any, associated_data: Any, /) -> bytes:
        """Ciphertext with the tag at its end."""
        ...

    def decrypt(self, nonce: Any, data: Any, associated_data: Any, /) -> bytes:
        """Plaintext; raises `cryptography.exceptions.InvalidTag`."""
        ...

    def encrypt_into(self, nonce: Any, data: Any, associated_data: Any, buf: Any, /) -> int:
        """`encrypt` into a buffer of exactly the right size."""
        ...

    def decrypt_into(self, nonce: Any, data: Any, associated_data: Any, buf: Any, /) -> int:
        """`decrypt` into a buffer of exactly the right size; on InvalidTag wipe that buffer."""
        ...


class Aead:
    """An AEAD algorithm as TLS uses it (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3).

    Attributes:
        name: for people, for example "AES-128-GCM".
        key_length: bytes of a key.
        tag_length: bytes of a tag: 16, or 8 for CCM_8.
        make: from a key to an object of `cryptography`; make it once for each key.
        max_records: how many records one key may protect (RFC 8446 section 5.5).
    """

    __slots__ = ("key_length", "make", "max_records", "name", "tag_length")

    def __init__(
        self, name: str, key_length: int, tag_length: int, make: Callable[[bytes], AeadCipher], limit: int
    ) -> None:
        self.name = name
        self.key_length = key_length
        self.tag_length = tag_length
        self.make = make
        self.max_records = limit

    def __repr__(self) -> str:
        return f"<Aead {self.name}>"


class Suite:
    """One cipher suite. Suites are compared by identity: there is one object for each code.

    Attributes:
        code: the two bytes on the wire, as a number.
        name: the name that IANA gives it.
        openssl_name: the name that `openssl ciphers` and `ssl.SSLContext.set_ciphers` know.
        tls13: whether it belongs to TLS 1.3; the others belong to TLS 1.2.
        kx: "any" (TLS 1.3), "ECDHE", "PSK", "ECDHE_PSK" or, in legacy, "RSA".
        auth: what the certificate's key must be: "any" (TLS 1.3), "ECDSA" (which takes in EdDSA,
            RFC 8422 section 5.10), "RSA", or "PSK" for no certificate at all.
        aead: how records are protected; None for CBC.
        cbc: the same for CBC (legacy); None for an AEAD.
        hash: of the transcript and the key schedule.
        iv_length: bytes of IV that the key schedule gives for each direction.
        explicit_nonce: bytes of nonce that each record carries (TLS 1.2).
        legacy: whether it must be asked for by name.

    >>> SUITES[0x1301].name, SUITES[0x1301].aead.key_length
    ('TLS_AES_128_GCM_SHA256', 16)
    >>> SUITES[0xC02F].explicit_nonce, SUITES[0xC02F].iv_length
    (8, 4)
    """

    __slots__ = (
        "aead", "auth", "cbc", "code", "explicit_nonce", "hash", "iv_length", "kx", "legacy", "name",
        "openssl_name", "tls13",
    )  # fmt: skip

    def __init__(
        self,
        code: int,
        name: str,
        openssl_name: str,
        kx: str,
        auth: str,
        protection: Aead | Cbc,
        hash: Hash,
        *,
        legacy: bool = False,
    ) -> None:
        self.code = code
        self.name = name
        self.openssl_name = openssl_name
        self.tls13 = kx == "any"
        self.kx = kx
        self.auth = auth
        self.hash = hash
        self.legacy = legacy
        self.aead: Aead | None = None
        self.cbc: Cbc | None = None
        if not isinstance(protection, Aead):
            self.cbc = protection
            self.iv_length, self.explicit_nonce = 0, 16  # RFC 5246 6.2.3.2: a fresh IV in each record
            return
        self.aead = protection
        if self.tls13 or protection is CHACHA20_POLY1305:
            self.iv_length, self.explicit_nonce = 12, 0  # RFC 8446 5.3, RFC 7905 2
        else:
            self.iv_length, self.explicit_nonce = 4, 8  # RFC 5288 3, RFC 6655 3

    def __repr__(self) -> str:
        return f"<Suite {self.name}>"


def _ccm_8(key: bytes) -> AESCCM:
    return AESCCM(key, tag_length=8)


SHA256 = Hash("sha256")
SHA384 = Hash("sha384")
HASHES: dict[str, Hash] = {"sha256": SHA256, "sha384": SHA384}

AES_128_GCM = Aead("AES-128-GCM", 16, 16, AESGCM, MAX_RECORDS_GCM)
AES_256_GCM = Aead("AES-256-GCM", 32, 16, AESGCM, MAX_RECORDS_GCM)
AES_128_CCM = Aead("AES-128-CCM", 16, 16, AESCCM, MAX_RECORDS_CCM)
AES_256_CCM = Aead("AES-256-CCM", 32, 16, AESCCM, MAX_RECORDS_CCM)
AES_128_CCM_8 = Aead("AES-128-CCM-8", 16, 8, _ccm_8, MAX_RECORDS_CCM)
AES_256_CCM_8 = Aead("AES-256-CCM-8", 32, 8, _ccm_8, MAX_RECORDS_CCM)
CHACHA20_POLY1305 = Aead("ChaCha20-Poly1305", 32, 16, ChaCha20Poly1305, MAX_RECORDS_CHACHA)

# The order is the order of preference within one kind; a policy makes its own list.
# fmt: off
_TABLE = (
    # TLS 1.3: RFC 8446 appendix B.4
    Suite(0x1301, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "any", "any", AES_128_GCM, SHA256),
    Suite(0x1302, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "any", "any", AES_256_GCM, SHA384),
    Suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "any", "any", CHACHA20_POLY1305, SHA256),  # noqa: E501
    Suite(0x1304, "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_SHA256", "any", "any", AES_128_CCM, SHA256),
    Suite(0x1305, "TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_8_SHA256", "any", "any", AES_128_CCM_8, SHA256),  # noqa: E501
    # TLS 1.2 with ECDHE: RFC 5289, RFC 7251, RFC 7905
    Suite(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE", "ECDSA", AES_128_GCM, SHA256),  # noqa: E501
    Suite(0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE", "ECDSA", AES_256_GCM, SHA384),  # noqa: E501
    Suite(0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE", "ECDSA", CHACHA20_POLY1305, SHA256),  # noqa: E501
    Suite(0xC0AC, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "ECDHE-ECDSA-AES128-CCM", "ECDHE", "ECDSA", AES_128_CCM, SHA256),  # noqa: E501
    Suite(0xC0AD, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM", "ECDHE-ECDSA-AES256-CCM", "ECDHE", "ECDSA", AES_256_CCM, SHA256),  # noqa: E501
    Suite(0xC0AE, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", "ECDHE-ECDSA-AES128-CCM8", "ECDHE", "ECDSA", AES_128_CCM_8, SHA256),  # noqa: E501
    Suite(0xC0AF, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", "ECDHE-ECDSA-AES256-CCM8", "ECDHE", "ECDSA", AES_256_CCM_8, SHA256),  # noqa: E501
    Suite(0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE", "RSA", AES_128_GCM, SHA256),  # noqa: E501
    Suite(0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE", "RSA", AES_256_GCM, SHA384),  # noqa: E501
    Suite(0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE", "RSA", CHACHA20_POLY1305, SHA256),  # noqa: E501
    # TLS 1.2 with a pre-shared key and ECDHE: RFC 8442, RFC 7905
    Suite(0xD001, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", "ECDHE-PSK-AES128-GCM-SHA256", "ECDHE_PSK", "PSK", AES_128_GCM, SHA256),  # noqa: E501
    Suite(0xD002, "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384", "ECDHE-PSK-AES256-GCM-SHA384", "ECDHE_PSK", "PSK", AES_256_GCM, SHA384),  # noqa: E501
    Suite(0xCCAC, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-PSK-CHACHA20-POLY1305", "ECDHE_PSK", "PSK", CHACHA20_POLY1305, SHA256),  # noqa: E501
    Suite(0xD005, "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256", "ECDHE-PSK-AES128-CCM-SHA256", "ECDHE_PSK", "PSK", AES_128_CCM, SHA256),  # noqa: E501
    Suite(0xD003, "TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256", "ECDHE-PSK-AES128-CCM8-SHA256", "ECDHE_PSK", "PSK", AES_128_CCM_8, SHA256),  # noqa: E501
    # TLS 1.2 with a pre-shared key alone: RFC 5487, RFC 6655, RFC 7905
    Suite(0x00A8, "TLS_PSK_WITH_AES_128_GCM_SHA256", "PSK-AES128-GCM-SHA256", "PSK", "PSK", AES_128_GCM, SHA256),  # noqa: E501
    Suite(0x00A9, "TLS_PSK_WITH_AES_256_GCM_SHA384", "PSK-AES256-GCM-SHA384", "PSK", "PSK", AES_256_GCM, SHA384),  # noqa: E501
    Suite(0xCCAB, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", "PSK-CHACHA20-POLY1305", "PSK", "PSK", CHACHA20_POLY1305, SHA256),  # noqa: E501
    Suite(0xC0A4, "TLS_PSK_WITH_AES_128_CCM", "PSK-AES128-CCM", "PSK", "PSK", AES_128_CCM, SHA256),
    Suite(0xC0A5, "TLS_PSK_WITH_AES_256_CCM", "PSK-AES256-CCM", "PSK", "PSK", AES_256_CCM, SHA256),
    Suite(0xC0A8, "TLS_PSK_WITH_AES_128_CCM_8", "PSK-AES128-CCM8", "PSK", "PSK", AES_128_CCM_8, SHA256),
    Suite(0xC0A9, "TLS_PSK_WITH_AES_256_CCM_8", "PSK-AES256-CCM8", "PSK", "PSK", AES_256_CCM_8, SHA256),
)
# fmt: on

SUITES: dict[int, Suite] = {suite.code: suite for suite in _TABLE}
_BY_NAME = {name: suite for suite in _TABLE for name in (suite.name, suite.openssl_name)}


def legacy_suites() -> dict[int, Suite]:
    """The suites of the museum by code: static RSA and CBC. The first call loads `pellucid.legacy`.

    >>> legacy_suites()[0x002F].openssl_name
    'AES128-SHA'
    """
    from pellucid.legacy.suites import LEGACY_SUITES

    return LEGACY_SUITES


def suite_named(name: str, *, legacy: bool = False) -> Suite:
    """The suite of this name, IANA's or OpenSSL's.

    Args:
        name: for example "TLS_AES_128_GCM_SHA256" or "ECDHE-RSA-AES128-GCM-SHA256".
        legacy: whether a suite of `pellucid.legacy` will do.

    Raises:
        UsageError: no suite of this name (`Reason.BAD_CONFIG`), or one that `legacy` must allow.

    >>> hex(suite_named("ECDHE-RSA-AES128-GCM-SHA256").code)
    '0xc02f'
    """
    suite = _BY_NAME.get(name)
    if suite is not None:
        return suite
    for suite in legacy_suites().values():
        if name in (suite.name, suite.openssl_name):
            if legacy:
                return suite
            raise UsageError(Reason.BAD_CONFIG, f"the cipher suite {name} must be allowed as a legacy suite")
    if name in CipherSuite.__members__:
        raise UsageError(Reason.BAD_CONFIG, f"the cipher suite {name} is known, but not spoken here")
    raise UsageError(Reason.BAD_CONFIG, f"there is no cipher suite {name!r}")
