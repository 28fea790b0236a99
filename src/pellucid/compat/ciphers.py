"""OpenSSL's names for suites, groups and signature algorithms, as `ssl` takes and gives them.

RFC 8446 appendix B.4 and RFC 5246 appendix A.5 (suites), RFC 8446 sections 4.2.3 and 4.2.7. The cipher
string language itself (`ECDHE+AESGCM:!aNULL:@STRENGTH`) is spoken by the native context that stands
beside ours: it is given the string, and asked what that means.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

from pellucid.crypto.groups import GROUPS
from pellucid.crypto.signatures import SCHEMES
from pellucid.crypto.suites import SUITES, Suite, legacy_suites
from pellucid.wire.codepoints import NamedGroup, SignatureScheme

_GROUP_ALIASES = {
    "p-256": "secp256r1",
    "prime256v1": "secp256r1",
    "p-384": "secp384r1",
    "p-521": "secp521r1",
    "ecdh_x25519": "x25519",
    "ecdh_x448": "x448",
}
_KEYS = {"rsa": "rsa_pkcs1", "rsa-pss": "rsa_pss_rsae", "pss": "rsa_pss_rsae", "ecdsa": "ecdsa"}
_CURVES = {"sha256": "secp256r1_sha256", "sha384": "secp384r1_sha384", "sha512": "secp521r1_sha512"}


def known_suites() -> dict[int, Suite]:
    """Every suite that pellucid can speak, the museum's too."""
    return SUITES | legacy_suites()


def suites_of(ciphers: Iterable[dict[str, Any]], *, legacy: bool) -> tuple[int, ...]:
    """The code points of a native `get_ciphers()` that pellucid speaks, in its order.

    Parameters:
        ciphers: OpenSSL's answer.
        legacy: whether suites with CBC or static RSA may be among them: only for who named them.
    """
    known = known_suites() if legacy else SUITES
    codes = (int(each["id"]) & 0xFFFF for each in ciphers)
    return tuple(code for code in codes if code in known)


def select_suites(text: str) -> tuple[int, ...]:
    """What `SSLContext.set_ciphersuites` is given: TLS 1.3 suites by name, with colons between.

    Raises:
        ssl.SSLError: none of them is known.

    >>> [hex(code) for code in select_suites("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256")]
    ['0x1302', '0x1301']
    """
    by_name = {suite.name: suite.code for suite in SUITES.values() if suite.tls13}
    found = tuple(by_name[name] for name in text.split(":") if name in by_name)
    if not found:
        raise ssl.SSLError("No cipher suite can be selected.")
    return found


def select_groups(text: str) -> tuple[int, ...]:
    """What `SSLContext.set_groups` is given: groups by OpenSSL's or IANA's names, with colons between.

    Raises:
        ssl.SSLError: one of them is unknown or not spoken here.

    >>> select_groups("X25519MLKEM768:P-256") == (NamedGroup.X25519MLKEM768, NamedGroup.secp256r1)
    True
    """
    by_name = {group.name.lower(): int(group) for group in NamedGroup if group in GROUPS}
    found = []
    for name in text.replace("/", ":").split(":"):
        plain = name.lstrip("*?").lower()
        code = by_name.get(_GROUP_ALIASES.get(plain, plain))
        if code is None and not name.startswith("?"):
            raise ssl.SSLError(f"unrecognized group {name!r}")
        if code is not None and code not in found:
            found.append(code)
    return tuple(found)


def group_names(*, include_aliases: bool = False) -> list[str]:
    """The groups that pellucid speaks, by the names that `set_groups` takes."""
    names = [group.name for group in NamedGroup if group in GROUPS]
    return names + sorted(_GROUP_ALIASES) if include_aliases else names


def select_schemes(text: str) -> tuple[int, ...]:
    """Signature algorithms as OpenSSL writes them, with colons between: IANA's names, or `RSA+SHA256`.

    Raises:
        ssl.SSLError: one of them is unknown or not spoken here.

    >>> select_schemes("ed25519:ECDSA+SHA256") == (
    ...     SignatureScheme.ed25519, SignatureScheme.ecdsa_secp256r1_sha256)
    True
    """
    by_name = {scheme.name: int(scheme) for scheme in SignatureScheme if scheme in SCHEMES}
    found = []
    for name in text.split(":"):
        plain = name.lstrip("?").lower()
        key, plus, hash = plain.partition("+")
        if plus:
            plain = f"{_KEYS.get(key, key)}_{_CURVES.get(hash, hash) if key == 'ecdsa' else hash}"
        if plain not in by_name:
            if name.startswith("?"):
                continue
            raise ssl.SSLError(f"unknown or unsupported signature algorithm {name!r}")
        found.append(by_name[plain])
    return tuple(found)


def scheme_names() -> list[str]:
    """The signature algorithms that pellucid speaks."""
    return [scheme.name for scheme in SignatureScheme if scheme in SCHEMES]


def triple(suite: Suite) -> tuple[str, str, int]:
    """A suite as `SSLSocket.cipher()` gives it: OpenSSL's name, the protocol, the key's bits."""
    version = "TLSv1.3" if suite.tls13 else "TLSv1.2"
    cipher = suite.aead if suite.aead is not None else suite.cbc
    return suite.openssl_name, version, 8 * cipher.key_length if cipher is not None else 0
