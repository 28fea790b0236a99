"""The cipher suites that give something up: static RSA (no forward secrecy) and CBC (padding oracles).

RFC 5246 appendix A.5, RFC 5288, RFC 6655, RFC 8422 section 6, RFC 5289, RFC 5487, RFC 5489. AES only;
RC4 and 3DES are not spoken. `LEGACY_SUITES` is what `pellucid.crypto.suites.legacy_suites()` returns.
"""

from __future__ import annotations

from pellucid.crypto.suites import (
    AES_128_CCM,
    AES_128_CCM_8,
    AES_128_GCM,
    AES_256_CCM,
    AES_256_CCM_8,
    AES_256_GCM,
    SHA256,
    SHA384,
    Suite,
)


class Cbc:
    """AES in CBC mode with HMAC (RFC 5246 section 6.2.3.2).

    Attributes:
        name: for people, for example "AES-128-CBC-SHA256".
        key_length: bytes of an encryption key.
        mac: the HMAC's hash, as `hashlib` knows it.
        mac_length: bytes of a MAC, and of a MAC key.
    """

    __slots__ = ("key_length", "mac", "mac_length", "name")

    def __init__(self, name: str, key_length: int, mac: str, mac_length: int) -> None:
        self.name = name
        self.key_length = key_length
        self.mac = mac
        self.mac_length = mac_length

    def __repr__(self) -> str:
        return f"<Cbc {self.name}>"


AES_128_CBC_SHA = Cbc("AES-128-CBC-SHA", 16, "sha1", 20)
AES_256_CBC_SHA = Cbc("AES-256-CBC-SHA", 32, "sha1", 20)
AES_128_CBC_SHA256 = Cbc("AES-128-CBC-SHA256", 16, "sha256", 32)
AES_256_CBC_SHA256 = Cbc("AES-256-CBC-SHA256", 32, "sha256", 32)
AES_256_CBC_SHA384 = Cbc("AES-256-CBC-SHA384", 32, "sha384", 48)

# The PRF's hash is SHA-256 unless the name ends in SHA384 (RFC 5246 section 5, RFC 5289 section 3).
# fmt: off
_TABLE = (
    # ECDHE with CBC: RFC 8422 section 6, RFC 5289
    Suite(0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE", "ECDSA", AES_128_CBC_SHA256, SHA256, legacy=True),  # noqa: E501
    Suite(0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384", "ECDHE", "ECDSA", AES_256_CBC_SHA384, SHA384, legacy=True),  # noqa: E501
    Suite(0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE", "ECDSA", AES_128_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    Suite(0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE", "ECDSA", AES_256_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    Suite(0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256", "ECDHE", "RSA", AES_128_CBC_SHA256, SHA256, legacy=True),  # noqa: E501
    Suite(0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384", "ECDHE", "RSA", AES_256_CBC_SHA384, SHA384, legacy=True),  # noqa: E501
    Suite(0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", "ECDHE", "RSA", AES_128_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    Suite(0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", "ECDHE", "RSA", AES_256_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    # a pre-shared key with CBC: RFC 5489, RFC 5487, RFC 4279
    Suite(0xC037, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", "ECDHE-PSK-AES128-CBC-SHA256", "ECDHE_PSK", "PSK", AES_128_CBC_SHA256, SHA256, legacy=True),  # noqa: E501
    Suite(0xC038, "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384", "ECDHE-PSK-AES256-CBC-SHA384", "ECDHE_PSK", "PSK", AES_256_CBC_SHA384, SHA384, legacy=True),  # noqa: E501
    Suite(0xC035, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA", "ECDHE-PSK-AES128-CBC-SHA", "ECDHE_PSK", "PSK", AES_128_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    Suite(0xC036, "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA", "ECDHE-PSK-AES256-CBC-SHA", "ECDHE_PSK", "PSK", AES_256_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    Suite(0x00AE, "TLS_PSK_WITH_AES_128_CBC_SHA256", "PSK-AES128-CBC-SHA256", "PSK", "PSK", AES_128_CBC_SHA256, SHA256, legacy=True),  # noqa: E501
    Suite(0x00AF, "TLS_PSK_WITH_AES_256_CBC_SHA384", "PSK-AES256-CBC-SHA384", "PSK", "PSK", AES_256_CBC_SHA384, SHA384, legacy=True),  # noqa: E501
    Suite(0x008C, "TLS_PSK_WITH_AES_128_CBC_SHA", "PSK-AES128-CBC-SHA", "PSK", "PSK", AES_128_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    Suite(0x008D, "TLS_PSK_WITH_AES_256_CBC_SHA", "PSK-AES256-CBC-SHA", "PSK", "PSK", AES_256_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    # static RSA: RFC 5288, RFC 6655
    Suite(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", "RSA", "RSA", AES_128_GCM, SHA256, legacy=True),  # noqa: E501
    Suite(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", "RSA", "RSA", AES_256_GCM, SHA384, legacy=True),  # noqa: E501
    Suite(0xC09C, "TLS_RSA_WITH_AES_128_CCM", "AES128-CCM", "RSA", "RSA", AES_128_CCM, SHA256, legacy=True),
    Suite(0xC09D, "TLS_RSA_WITH_AES_256_CCM", "AES256-CCM", "RSA", "RSA", AES_256_CCM, SHA256, legacy=True),
    Suite(0xC0A0, "TLS_RSA_WITH_AES_128_CCM_8", "AES128-CCM8", "RSA", "RSA", AES_128_CCM_8, SHA256, legacy=True),  # noqa: E501
    Suite(0xC0A1, "TLS_RSA_WITH_AES_256_CCM_8", "AES256-CCM8", "RSA", "RSA", AES_256_CCM_8, SHA256, legacy=True),  # noqa: E501
    # static RSA with CBC: RFC 5246 appendix A.5
    Suite(0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", "RSA", "RSA", AES_128_CBC_SHA256, SHA256, legacy=True),  # noqa: E501
    Suite(0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256", "RSA", "RSA", AES_256_CBC_SHA256, SHA256, legacy=True),  # noqa: E501
    Suite(0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", "RSA", "RSA", AES_128_CBC_SHA, SHA256, legacy=True),  # noqa: E501
    Suite(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", "RSA", "RSA", AES_256_CBC_SHA, SHA256, legacy=True),  # noqa: E501
)
# fmt: on

LEGACY_SUITES: dict[int, Suite] = {suite.code: suite for suite in _TABLE}
