"""What runs in a child process: the first handshake of a process, and connections that stay.

Only the standard library and the peer are imported here: the certificates come from a file.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import pickle
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .peers import peer_named
from .peers.base import join
from .scenario import Scenario

if TYPE_CHECKING:
    from .peers.base import Pair

_DATA = bytes(16384)


class Frozen:
    """The certificates as bytes, with the names that adapters read; no `cryptography` object."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)


def thaw(path: str) -> Any:
    """Read the material that `pellucid.bench.certs` wrote.

    pyOpenSSL and aioquic are given objects of `cryptography`, since that is what they take; the
    others need only PEM or DER.
    """
    with open(path, "rb") as file:
        raw = pickle.load(file)  # our own file, written a moment ago by our own parent
    issued = {name: Issued(**raw[name]) for name in ("leaf", "root", "client")}
    return Frozen({**raw, **issued, "trusted": (issued["root"],), "intermediates": ()})


class Issued:
    """A certificate and its key as bytes; loaded only when an adapter asks for the object."""

    def __init__(self, der: bytes, pem: bytes, key_pem: bytes, key_der: bytes) -> None:
        self.der, self.pem, self.key_pem, self.key_der = der, pem, key_pem, key_der

    @property
    def certificate(self) -> Any:
        """The certificate as `cryptography`'s object."""
        from cryptography.x509 import load_der_x509_certificate

        return load_der_x509_certificate(self.der)

    @property
    def key(self) -> Any:
        """The key as `cryptography`'s object."""
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        return load_der_private_key(self.key_der, None)


def _rss() -> int:
    """Resident bytes of this process, after glibc has given back what it can (Linux)."""
    gc.collect()
    with suppress(AttributeError):  # another C library than glibc has none
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _connection(pair: Pair, *, keep_server: bool, data: bool) -> object:
    client, server = pair.client(), pair.server()
    join(client, server)
    if data:
        server.open(client.seal(_DATA[:16000]))
        client.open(server.seal(_DATA[:16000]))
    return server if keep_server else client


def resident(pair: Pair, side: str, data: bool, count: int) -> dict[str, float]:
    """KiB that one established, idle connection holds: the growth over `count` of them."""
    warm = [_connection(pair, keep_server=side == "server", data=data) for _ in range(20)]
    before = _rss()
    kept = [_connection(pair, keep_server=side == "server", data=data) for _ in range(count)]
    grown = _rss() - before
    return {"kib": grown / 1024 / len(kept), "warm": len(warm)}


def main(arguments: list[str]) -> None:
    """`first PEER FILE` or `memory PEER FILE SIDE DATA COUNT`; one JSON object on stdout."""
    work, name, path, *rest = arguments
    peer = peer_named(name)
    pair = peer.pair(Scenario(), thaw(path))
    if work == "memory":
        result = resident(pair, rest[0], rest[1] == "data", int(rest[2]))
    else:
        join(pair.client(), pair.server())
        result = {"cpu": time.process_time()}
    print(json.dumps(result), flush=True)
