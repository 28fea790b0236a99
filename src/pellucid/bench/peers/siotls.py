"""siotls, a sans-IO TLS 1.3 in Python over `cryptography`.

It pads each record to a multiple of 1 KiB, so that 16,384 bytes become a record that its own peer
refuses; in bulk it is given 16,000 bytes at a time. Unfinished parts log a warning in each
handshake: logging is turned off for it, as a user would.
"""

# ruff: noqa: D102 -- the methods are described in base.py

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from .base import Endpoint, Pair, Peer, load, version_of

if TYPE_CHECKING:
    from ..certs import Material
    from ..scenario import Scenario

_HOST = "localhost"
_PIECE = 16000


class SiotlsEndpoint(Endpoint):
    """A TLSConnection."""

    __slots__ = ("connection", "started")

    def __init__(self, module: Any, config: Any, host: str | None) -> None:
        self.connection = module.TLSConnection(config, server_hostname=host)
        self.started = False

    def step(self, data: bytes) -> bytes:
        if not self.started:
            self.started = True
            self.connection.initiate_connection()
        if data:
            self.connection.receive_data(data)
        return self.connection.data_to_send()  # type: ignore[no-any-return]

    @property
    def done(self) -> bool:
        return bool(self.connection.is_connected())

    def seal(self, data: bytes) -> bytes:
        send = self.connection.send_data
        for start in range(0, len(data), _PIECE):
            send(data[start : start + _PIECE])
        return self.connection.data_to_send()  # type: ignore[no-any-return]

    def open(self, wire: bytes) -> list[bytes]:
        self.connection.receive_data(wire)
        return [self.connection.data_to_read()]

    def seal_many(self, pieces: list[bytes]) -> bytes:
        for piece in pieces:
            self.connection.send_data(piece)
        return self.connection.data_to_send()  # type: ignore[no-any-return]


class SiotlsPair(Pair):
    """Two TLSConfigurations."""

    def __init__(self, scenario: Scenario, material: Material) -> None:
        self.module = module = load("siotls", "siotls")
        iana = load("siotls.iana", "siotls")
        trust = load("siotls.trust.backends.openssl", "siotls")
        load("siotls.crypto", "siotls").install("openssl", duplicate="skip")
        logging.getLogger("siotls").setLevel(logging.CRITICAL)
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("siotls."):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        common = {
            "cipher_suites": [iana.CipherSuites[scenario.suite]],
            "key_exchanges": [iana.NamedGroup.x25519],
        }
        own: dict[str, Any] = {}
        believed: dict[str, Any] = {}
        if scenario.mutual:
            own = {"private_key": material.client.key_der, "certificate_chain": [material.client.der]}
            believed = {"truststore": trust.OpensslTrustStore([material.root.der])}
        store = trust.OpensslTrustStore([root.der for root in material.trusted])
        self._client = module.TLSConfiguration("client", truststore=store, **own, **common)
        self._server = module.TLSConfiguration(
            "server",
            private_key=material.leaf.key_der,
            certificate_chain=list(material.sent),
            **believed,
            **common,
        )

    def client(self, session: Any = None) -> SiotlsEndpoint:
        return SiotlsEndpoint(self.module, self._client, _HOST)

    def server(self) -> SiotlsEndpoint:
        return SiotlsEndpoint(self.module, self._server, None)


class SiotlsPeer(Peer):
    """siotls."""

    name = "siotls"
    statement = "import siotls"

    def versions(self) -> str:
        load("siotls", "siotls")
        return f"siotls {version_of('siotls')}"

    def refusal(self, scenario: Scenario) -> str:
        if not scenario.tls13:
            return "TLS 1.3 only"
        if scenario.group != "X25519":
            return f"no {scenario.group}"
        if scenario.resume:
            return "no resumption"
        if scenario.mutual:
            return "its client fails to write its certificate types"
        return ""

    def pair(self, scenario: Scenario, material: Material) -> SiotlsPair:
        return SiotlsPair(scenario, material)
