"""The museum: what TLS once did and should not do any more, complete and correct, off by default.

RFC 10015 deprecates static RSA; RFC 9325 sections 4.1 and 4.2 advise against CBC. Nothing here is
loaded unless a policy asks for it by name:

>>> from pellucid import legacy
>>> policy = legacy.museum_policy()
>>> "static-rsa" in policy.legacy
True
"""

from __future__ import annotations

from typing import Any

from pellucid.config import TLS_1_2, Policy
from pellucid.wire.codepoints import CipherSuite as S

#: Static RSA: whoever gets the server's key one day reads everything that was ever recorded.
STATIC_RSA_WITHOUT_FORWARD_SECRECY = (
    S.TLS_RSA_WITH_AES_128_GCM_SHA256,
    S.TLS_RSA_WITH_AES_256_GCM_SHA384,
)
#: CBC with HMAC: safe only as long as nobody can measure the server's time well enough.
CBC_WITH_PADDING_ORACLES = (
    S.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    S.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    S.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    S.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    S.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    S.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    S.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    S.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
)
STATIC_RSA_WITH_CBC = (
    S.TLS_RSA_WITH_AES_128_CBC_SHA256,
    S.TLS_RSA_WITH_AES_256_CBC_SHA256,
    S.TLS_RSA_WITH_AES_128_CBC_SHA,
    S.TLS_RSA_WITH_AES_256_CBC_SHA,
)


def museum_policy(**changes: Any) -> Policy:
    """TLS 1.2 with static RSA key exchange, as every text on the subject teaches it.

    It gives up forward secrecy: record today, decrypt when the server's key leaks.
    """
    settings: dict[str, Any] = {
        "versions": (TLS_1_2,),
        "cipher_suites": (*STATIC_RSA_WITHOUT_FORWARD_SECRECY, *STATIC_RSA_WITH_CBC),
        "legacy": frozenset({"static-rsa", "cbc"}),
    }
    return Policy(**(settings | changes))


def old_peers_policy(**changes: Any) -> Policy:
    """The default policy, and behind it what old peers need: CBC, static RSA, no RFC 7627 or 5746."""
    settings: dict[str, Any] = {
        "cipher_suites": (
            *Policy().cipher_suites,
            *CBC_WITH_PADDING_ORACLES,
            *STATIC_RSA_WITHOUT_FORWARD_SECRECY,
            *STATIC_RSA_WITH_CBC,
        ),
        "legacy": frozenset({"static-rsa", "cbc"}),
        "require_extended_master_secret": False,
        "require_secure_renegotiation": False,
    }
    return Policy(**(settings | changes))
