"""The peers by name. An adapter's module is imported when it is asked for, and not before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Peer

_WHERE = {
    "pellucid": ("own", "OwnPeer"),
    "ssl": ("stdlib", "StdlibPeer"),
    "ssl-one-read": ("stdlib", "OneReadPeer"),
    "drop-in": ("dropin", "DropInPeer"),
    "pyopenssl": ("pyopenssl", "PyOpenSSLPeer"),
    "aioquic": ("aioquic", "AioquicPeer"),
    "siotls": ("siotls", "SiotlsPeer"),
    "tlslite-ng": ("tlslite", "TlslitePeer"),
}
OURS = "pellucid"
THEIRS = ("ssl", "pyopenssl", "aioquic", "siotls", "tlslite-ng")


def peer_named(name: str) -> Peer:
    """The adapter of a library, by its name in the results."""
    module, kind = _WHERE[name]
    peer: Peer = getattr(import_module(f"{__name__}.{module}"), kind)()
    return peer
