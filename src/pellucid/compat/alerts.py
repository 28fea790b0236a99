"""The alert of a failed handshake, sent under asyncio, trio and anyio too. RFC 8446 section 6.2.

These three drive TLS through memory buffers, and when a handshake fails they close the connection
with the alert still in the buffer: the peer never learns why. Each gets one small wrapper, which hands
over what waits before the connection is closed. `install()` puts them there; `send_alerts()` alone does
too, and then they serve OpenSSL's connections as well. uvloop, which is compiled, is out of reach.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any

SECONDS = 1.0  # that a closing connection of trio or anyio may take to send its alert

_wanted = False
_originals: dict[tuple[Any, str], Any] = {}


def send_alerts(wanted: bool = True) -> None:
    """Whether failed handshakes send their alerts under asyncio, trio and anyio, from now on."""
    global _wanted
    _wanted = wanted
    if wanted:
        look_around()
        return
    while _originals:
        (owner, name), original = _originals.popitem()
        setattr(owner, name, original)


def look_around() -> None:
    """Wrap what has been imported since; each `BioEnd` calls this, so that nothing is imported for it."""
    if not _wanted:
        return
    for module, kind, method, wrap in _PLACES:
        owner = getattr(sys.modules.get(module), kind, None)
        original = getattr(owner, method, None)
        if original is not None and (owner, method) not in _originals:
            _originals[owner, method] = original
            setattr(owner, method, wrap(original))


def _asyncio(original: Callable[..., None]) -> Callable[..., None]:
    """`SSLProtocol._fatal_error(exc)` aborts the transport."""

    @functools.wraps(original)
    def fatal_error(self: Any, *args: Any, **more: Any) -> None:
        with contextlib.suppress(Exception):
            if self._outgoing.pending and not self._transport.is_closing():
                self._transport.write(self._outgoing.read())
        original(self, *args, **more)

    return fatal_error


def _trio(original: Callable[..., Any]) -> Callable[..., Any]:
    """`SSLStream._retry(fn)` raises BrokenResourceError."""

    @functools.wraps(original)
    async def retry(self: Any, *args: Any, **more: Any) -> Any:
        import trio

        try:
            return await original(self, *args, **more)
        except trio.BrokenResourceError:
            data = self._outgoing.read()
            if data:
                with contextlib.suppress(Exception), trio.move_on_after(SECONDS):
                    await self.transport_stream.send_all(data)
            raise

    return retry


def _anyio(original: Callable[..., Any]) -> Callable[..., Any]:
    """`TLSStream._call_sslobject_method(fn)` raises the `SSLError`."""

    @functools.wraps(original)
    async def call(self: Any, *args: Any, **more: Any) -> Any:
        import anyio

        try:
            return await original(self, *args, **more)
        except Exception:
            data = self._write_bio.read()
            if data:
                with contextlib.suppress(Exception), anyio.move_on_after(SECONDS):
                    await self.transport_stream.send(data)
            raise

    return call


_PLACES: tuple[tuple[str, str, str, Callable[[Callable[..., Any]], Callable[..., Any]]], ...] = (
    ("asyncio.sslproto", "SSLProtocol", "_fatal_error", _asyncio),
    ("trio._ssl", "SSLStream", "_retry", _trio),
    ("anyio.streams.tls", "TLSStream", "_call_sslobject_method", _anyio),
)
