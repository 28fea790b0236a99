"""Pre-shared keys from an application's callbacks: `set_psk_client_callback`, `set_psk_server_callback`.

RFC 8446 section 4.2.11 and RFC 4279 section 5.2 (the hint). As OpenSSL does, a key is bound to SHA-256 in
TLS 1.3, and what a callback raises goes to `sys.unraisablehook`: the handshake then has no key.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from typing import Any

from pellucid.compat.settings import Settings
from pellucid.resumption.psk import PreSharedKey
from pellucid.secret import Secret


def client_key(settings: Settings, hint: bytes | None) -> PreSharedKey | None:
    """What a client offers; in TLS 1.3 there is no hint (None)."""
    if settings.psk_client is None:
        return None
    try:
        identity, key = settings.psk_client(hint.decode("utf-8") or None if hint is not None else None)
        return PreSharedKey((identity or "").encode(), Secret(key)) if key else None
    except Exception as error:
        unraisable(error, settings.psk_client)
        return None


def server_key(settings: Settings, identities: Sequence[bytes]) -> PreSharedKey | None:
    """The first of a client's identities that the callback has a key for."""
    callback = settings.psk_server
    if callback is None:
        return None
    for identity in identities:
        try:
            name = identity.decode("utf-8")
        except UnicodeDecodeError:
            continue  # a ticket
        try:
            key = callback(name or None)
        except Exception as error:
            unraisable(error, callback)
            continue
        if key:
            return PreSharedKey(identity, Secret(key))
    return None


def unraisable(error: BaseException, where: Any) -> None:
    """Tell `sys.unraisablehook` of an exception that cannot be raised where it happened."""
    told: Any = types.SimpleNamespace(
        exc_type=type(error), exc_value=error, exc_traceback=error.__traceback__, err_msg=None, object=where
    )
    sys.unraisablehook(told)
