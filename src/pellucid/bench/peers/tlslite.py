"""tlslite-ng, TLS in pure Python, with its own primitives (no gmpy2, no M2Crypto).

It drives a socket by generators; here the socket is a pair of byte arrays. Its client checks
neither chain nor host name.
"""

# ruff: noqa: D102 -- the methods are described in base.py

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from .base import BenchError, Endpoint, Pair, Peer, load, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..certs import Issued, Material
    from ..scenario import Scenario

_HOST = "localhost"
_CIPHERS = {
    "TLS_AES_128_GCM_SHA256": "aes128gcm",
    "TLS_AES_256_GCM_SHA384": "aes256gcm",
    "TLS_CHACHA20_POLY1305_SHA256": "chacha20-poly1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256": "aes128gcm",
    "ECDHE-RSA-AES128-GCM-SHA256": "aes128gcm",
    "AES256-GCM-SHA384": "aes256gcm",
}


class _Memory:
    """A socket that is two byte arrays and never blocks."""

    def __init__(self) -> None:
        self.incoming = bytearray()
        self.outgoing = bytearray()

    def recv(self, size: int) -> bytes:
        if not self.incoming:
            raise OSError(errno.EWOULDBLOCK, "nothing there")
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def send(self, data: bytes) -> int:
        self.outgoing += data
        return len(data)

    def sendall(self, data: bytes) -> None:
        self.outgoing += data

    def close(self) -> None:
        pass


class TlsliteEndpoint(Endpoint):
    """A TLSConnection and the generator of its handshake."""

    __slots__ = ("connection", "generator", "memory")

    def __init__(self, pair: TlslitePair, *, client: bool, session: Any = None) -> None:
        self.memory = _Memory()
        self.connection = pair.api.TLSConnection(self.memory)
        if client:
            own = pair.client_identity or (None, None)
            start = self.connection.handshakeClientCert(
                *own, session=session, settings=pair.client_settings, serverName=_HOST, async_=True
            )
        else:
            start = self.connection.handshakeServerAsync(
                certChain=pair.chain,
                privateKey=pair.key,
                reqCert=pair.client_identity is not None,
                settings=pair.server_settings,
            )
        self.generator: Iterator[int] | None = start

    def step(self, data: bytes) -> bytes:
        self.memory.incoming += data
        if self.generator is not None:
            for waits in self.generator:
                if waits == 0:
                    break
            else:
                self.generator = None
        if self.generator is None and self.memory.incoming:
            for result in self.connection.readAsync(max=0, min=0):  # takes the tickets in
                if result == 0:
                    break
        return self._drain()

    def _drain(self) -> bytes:
        out = bytes(self.memory.outgoing)
        self.memory.outgoing.clear()
        return out

    @property
    def done(self) -> bool:
        return self.generator is None

    @property
    def resumed(self) -> bool:
        return bool(self.connection.resumed)

    def session(self) -> Any:
        return self.connection.session

    def seal(self, data: bytes) -> bytes:
        for _ in self.connection.writeAsync(data):
            pass
        return self._drain()

    def open(self, wire: bytes) -> list[bytes]:
        self.memory.incoming += wire
        pieces: list[bytes] = []
        while True:
            for result in self.connection.readAsync(max=None, min=1):
                if isinstance(result, int):
                    return pieces
                pieces.append(bytes(result))

    def seal_many(self, pieces: list[bytes]) -> bytes:
        for piece in pieces:
            for _ in self.connection.writeAsync(piece):
                pass
        return self._drain()


class TlslitePair(Pair):
    """Settings and keys of both sides."""

    def __init__(self, scenario: Scenario, material: Material) -> None:
        self.api = load("tlslite.api", "tlslite-ng")
        self._settings_type = load("tlslite.handshakesettings", "tlslite-ng").HandshakeSettings
        self.client_settings = self._settings(scenario, server=False)
        self.server_settings = self._settings(scenario, server=True)
        self.chain, self.key = self._identity(material.sent_pem, material.leaf)
        self.client_identity = None
        if scenario.mutual:
            self.client_identity = self._identity(material.client.pem, material.client)

    def _settings(self, scenario: Scenario, *, server: bool) -> Any:
        settings = self._settings_type()
        settings.minVersion = settings.maxVersion = (3, 4) if scenario.tls13 else (3, 3)
        settings.versions = [settings.maxVersion]
        settings.cipherNames = [_CIPHERS[scenario.suite]]
        settings.eccCurves = ["x25519", "secp256r1"]  # secp256r1: the certificate's curve, in TLS 1.2
        settings.keyShares = ["x25519"]
        if not scenario.tls13:
            static = scenario.suite == "AES256-GCM-SHA384"
            settings.keyExchangeNames = ["rsa"] if static else ["ecdhe_rsa", "ecdhe_ecdsa"]
        if server:
            settings.ticketKeys = [bytearray(os.urandom(32))]
            settings.ticket_count = 2
        return settings

    def _identity(self, chain_pem: bytes, issued: Issued) -> tuple[Any, Any]:
        chain = self.api.X509CertChain()
        chain.parsePemList(chain_pem.decode())
        key = self.api.parsePEMKey(issued.key_pem.decode(), private=True, implementations=["python"])
        if key is None:
            raise BenchError("tlslite-ng cannot read this key")
        return chain, key

    def client(self, session: Any = None) -> TlsliteEndpoint:
        return TlsliteEndpoint(self, client=True, session=session)

    def server(self) -> TlsliteEndpoint:
        return TlsliteEndpoint(self, client=False)


class TlslitePeer(Peer):
    """tlslite-ng."""

    name = "tlslite-ng"
    verifies = "nothing"
    slow = True
    statement = "import tlslite.api"

    def versions(self) -> str:
        load("tlslite.api", "tlslite-ng")
        return f"tlslite-ng {version_of('tlslite-ng')}"

    def refusal(self, scenario: Scenario) -> str:
        if scenario.group != "X25519":
            return f"{scenario.group} only with an add-on"
        return ""

    def pair(self, scenario: Scenario, material: Material) -> TlslitePair:
        return TlslitePair(scenario, material)
