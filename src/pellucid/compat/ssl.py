"""The standard `ssl` module over pellucid: the same names, the same behaviour, seen through.

    from pellucid.compat import ssl

    context = ssl.create_default_context()      # give it to requests, httpx, aiohttp, uvicorn, ...

or, for a program that makes its own contexts (an application's choice, not a library's):

    ssl.install()

No RFC: the interface is CPython's. The standard `SSLSocket` and `SSLObject` stay, so that every
`isinstance` holds; only the low-level object behind them is ours. What pellucid can do beyond `ssl` is
on the same sockets: `export_keying_material(...)`, `info`, `ocsp_response`, `client_hello`, `group()`.
"""

from __future__ import annotations

import contextlib
import os
import ssl as _standard
import sys
from collections.abc import Iterator
from typing import Any

from pellucid.compat.alerts import send_alerts as send_alerts
from pellucid.compat.ciphers import scheme_names
from pellucid.compat.context import CONTEXTS, Overrides, give_deferred
from pellucid.compat.lowlevel import LowLevel
from pellucid.compat.objects import Beyond, SSLObject, SSLSocket
from pellucid.errors import Reason, UsageError

HAS_PSK = HAS_PSK_TLS13 = HAS_PHA = True
_MISSING = object()
_replaced: dict[tuple[type, str], Any] = {}


class SSLContext(Overrides, _standard.SSLContext):  # type: ignore[misc]  # get_ciphers: a wider dict
    """An `ssl.SSLContext` whose connections are pellucid's.

    >>> context = SSLContext(_standard.PROTOCOL_TLS_CLIENT)
    >>> isinstance(context, _standard.SSLContext), context.check_hostname
    (True, True)
    """

    sslsocket_class = SSLSocket
    sslobject_class = SSLObject


def create_default_context(
    purpose: Any = _standard.Purpose.SERVER_AUTH,
    *,
    cafile: Any = None,
    capath: Any = None,
    cadata: Any = None,
) -> SSLContext:
    """A context with the standard library's default settings.

    Parameters:
        purpose: `Purpose.SERVER_AUTH` for clients, `Purpose.CLIENT_AUTH` for servers.
        cafile, capath, cadata: whom to trust instead of the system's authorities.

    >>> create_default_context().verify_mode.name
    'CERT_REQUIRED'
    """
    if purpose not in (_standard.Purpose.SERVER_AUTH, _standard.Purpose.CLIENT_AUTH):
        raise (ValueError if isinstance(purpose, _standard.Purpose) else TypeError)(purpose)
    for_client = purpose == _standard.Purpose.SERVER_AUTH
    context: SSLContext = SSLContext(
        _standard.PROTOCOL_TLS_CLIENT if for_client else _standard.PROTOCOL_TLS_SERVER
    )
    if sys.version_info >= (3, 13):
        context.verify_flags |= _standard.VERIFY_X509_PARTIAL_CHAIN | _standard.VERIFY_X509_STRICT
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif for_client:
        context.load_default_certs(purpose)
    keylog = os.environ.get("SSLKEYLOGFILE")
    if keylog and not sys.flags.ignore_environment:
        context.keylog_filename = keylog
    return context


def details(connection: Any) -> LowLevel:
    """What pellucid knows of a connection: an `SSLSocket`, an `SSLObject`, or what holds one of them.

    Raises:
        UsageError: it is not connected, or is not one of pellucid's.
    """
    for holder in (connection, getattr(connection, "_ssl_object", None), getattr(connection, "socket", None)):
        found = getattr(holder, "_sslobj", holder)
        if isinstance(found, LowLevel):
            return found
    raise UsageError(Reason.NOT_CONNECTED, f"{type(connection).__name__} is no connection of pellucid's")


def get_sigalgs() -> list[str]:
    """The signature algorithms that are spoken here (3.15)."""
    return scheme_names()


def install() -> None:
    """Let every `ssl.SSLContext` of this process be pellucid's, those that exist already too.

    For applications: it changes what other libraries do. `uninstall()` takes it back; connections
    that are open stay what they are.

    Call it early. A context that is older keeps nothing that OpenSSL does not give back: a client's has
    no ALPN and no certificate of its own any more, and a server's, which is nothing without its key,
    goes on over OpenSSL.
    """
    if _replaced:
        return
    for name, value in vars(Overrides).items():
        if not name.startswith("__") or name == "__new__":
            _replace(_standard.SSLContext, name, value)
    for kind in (_standard.SSLSocket, _standard.SSLObject):
        for name, value in vars(Beyond).items():
            if not name.startswith("_") and not hasattr(kind, name):
                _replace(kind, name, value)
    send_alerts()


def _replace(owner: type, name: str, value: Any) -> None:
    _replaced[owner, name] = vars(owner).get(name, _MISSING)
    setattr(owner, name, value)


def uninstall() -> None:
    """Give the standard classes their own methods back."""
    send_alerts(False)
    for context in tuple(CONTEXTS):
        give_deferred(context)
    while _replaced:
        (owner, name), value = _replaced.popitem()
        if value is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, value)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """`install()` for the length of a `with` block.

    >>> with installed():
    ...     "_wrap_bio" in vars(_standard.SSLContext)
    True
    """
    before = bool(_replaced)
    install()
    try:
        yield
    finally:
        if not before:
            uninstall()


def __getattr__(name: str) -> Any:
    return getattr(_standard, name)


__all__ = [  # the standard names too, which `__getattr__` finds
    *(name for name in dir(_standard) if name[0] != "_"),
    *("SSLSession", "details", "get_sigalgs", "install", "installed", "send_alerts", "uninstall"),
]
