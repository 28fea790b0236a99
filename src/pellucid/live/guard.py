"""Who may look: the gate in front of the live page.

A page on loopback is in reach of every website that the reader's browser visits, and of every program
of the machine. So:

* The address holds a token that nobody can guess; without it nothing is found (compared in constant time).
* The Host header must be an address, "localhost", or the name that was asked for: a website whose name
  was pointed at 127.0.0.1 (DNS rebinding) is refused.
* What changes something must come from the page itself (Origin, Sec-Fetch-Site) and be JSON, which other
  sites cannot send without asking, and there is nobody to say yes: no CORS header is ever sent.
* The page may load nothing but its own files (Content-Security-Policy), not stand in another's frame,
  and its address is told to nobody (Referrer-Policy).
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(\d+))?", re.ASCII)


class Guard:
    """An ASGI application that lets through to another one only who may look.

    Parameters:
        app: what is behind the gate; it sees paths without the token.
        token: the first part of every path.
        names: host names that are ours, besides "localhost" and addresses.
    """

    def __init__(self, app: App, token: str, names: tuple[str, ...] = ()) -> None:
        self._app = app
        self._token = token.encode()
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer, or hand over."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        inner = dict(scope)
        inner["path"] = "/" + scope["path"].split("/", 2)[2]
        inner["raw_path"] = inner["path"].encode()
        await self._app(inner, receive, with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if not self.is_ours(host):
            return 421, "This page is not to be had under that name."
        first, slash, _ = scope["path"][1:].partition("/")
        if not slash or not hmac.compare_digest(first.encode("utf-8", "replace"), self._token):
            return 404, "Nothing here. The address that pellucid printed has a token in it."
        if scope["method"] in ("GET", "HEAD"):
            return None
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") != f"{scope['scheme']}://{host}":
            return 403, "Only the page itself may ask for that."
        if headers.get(b"sec-fetch-site", b"same-origin") != b"same-origin":
            return 403, "Only the page itself may ask for that."
        if headers.get(b"content-type", b"").partition(b";")[0] != b"application/json":
            return 415, "Only JSON is understood."
        return None

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names us.

        >>> guard = Guard(None, "token", ("tls.example",))
        >>> [guard.is_ours(h) for h in ("127.0.0.1:8000", "[::1]:1", "tls.example", "evil.example:8000", "")]
        [True, True, True, False, False]
        """
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].strip("[]").lower()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True


async def _refuse(send: Any, status: int, text: str) -> None:
    body = text.encode() + b"\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
