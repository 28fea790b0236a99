"""The standard `ssl` module over MemoryBIO, as asyncio uses it.

Before 3.15 it cannot choose the suites of TLS 1.3, nor the groups, so both go to OpenSSL through
ctypes; that is done here, for measuring, and nowhere else.
"""

# ruff: noqa: D102 -- the methods are described in base.py

from __future__ import annotations

import ctypes
import os
import ssl
import sys
import tempfile
from typing import TYPE_CHECKING

from .base import BenchError, Endpoint, Pair, Peer

if TYPE_CHECKING:
    from ..certs import Issued, Material
    from ..scenario import Scenario

_SSL_CTRL_SET_GROUPS_LIST = 92
_HOST = "localhost"


def _library() -> ctypes.CDLL:
    import _ssl

    return ctypes.CDLL(_ssl.__file__)


def _choose(context: ssl.SSLContext, scenario: Scenario) -> None:
    """Pin version, suite and group, so that every peer does the same work."""
    version = ssl.TLSVersion.TLSv1_3 if scenario.tls13 else ssl.TLSVersion.TLSv1_2
    context.minimum_version = context.maximum_version = version
    library = _library()
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    if scenario.tls13:
        if not library.SSL_CTX_set_ciphersuites(pointer, scenario.suite.encode()):
            raise BenchError(f"ssl does not know {scenario.suite}")
    else:
        context.set_ciphers(scenario.suite)
    group = ctypes.c_char_p(scenario.groups.encode())
    if not library.SSL_CTX_ctrl(pointer, _SSL_CTRL_SET_GROUPS_LIST, ctypes.c_long(0), group):
        raise BenchError(f"ssl does not know the group {scenario.group}")


def _identify(context: ssl.SSLContext, chain_pem: bytes, issued: Issued) -> None:
    """`load_cert_chain` takes paths only; see the wish of many of its users."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "identity.pem")
        with open(path, "wb") as file:
            file.write(chain_pem + issued.key_pem)
        context.load_cert_chain(path)


class StdlibEndpoint(Endpoint):
    """An SSLObject with its two BIOs."""

    __slots__ = ("_done", "incoming", "object", "outgoing")

    def __init__(self, context: ssl.SSLContext, *, server: bool, session: ssl.SSLSession | None) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server,
            server_hostname=None if server else _HOST,
            session=session,
        )
        self._done = False

    def step(self, data: bytes) -> bytes:
        if data:
            self.incoming.write(data)
        try:
            if self._done:
                self.object.read(1)  # takes the tickets in
            else:
                self.object.do_handshake()
                self._done = True
                if self.incoming.pending:
                    self.object.read(1)
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    @property
    def done(self) -> bool:
        return self._done

    @property
    def resumed(self) -> bool:
        return bool(self.object.session_reused)

    def session(self) -> ssl.SSLSession | None:
        return self.object.session

    def seal(self, data: bytes) -> bytes:
        view = memoryview(data)
        sent = self.object.write(data)
        while sent < len(data):
            sent += self.object.write(view[sent:])
        return self.outgoing.read()

    def open(self, wire: bytes) -> list[bytes]:
        self.incoming.write(wire)
        read, pieces = self.object.read, []
        try:
            while True:
                pieces.append(read(16384))
        except ssl.SSLWantReadError:
            return pieces

    def seal_many(self, pieces: list[bytes]) -> bytes:
        write = self.object.write
        for piece in pieces:
            write(piece)
        return self.outgoing.read()


class OneReadEndpoint(StdlibEndpoint):
    """The same, by a caller who knows how many records are there and stops without the exception."""

    __slots__ = ()

    def open(self, wire: bytes) -> list[bytes]:
        self.incoming.write(wire)
        return [self.object.read(16384)]


class StdlibPair(Pair):
    """Two SSLContexts."""

    endpoint: type[StdlibEndpoint] = StdlibEndpoint

    def __init__(self, scenario: Scenario, material: Material) -> None:
        self._client = self.make(ssl.PROTOCOL_TLS_CLIENT, scenario)
        self._client.load_verify_locations(cadata=material.trusted_pem.decode())
        self._server = self.make(ssl.PROTOCOL_TLS_SERVER, scenario)
        _identify(self._server, material.sent_pem, material.leaf)
        if scenario.mutual:
            self._server.verify_mode = ssl.CERT_REQUIRED
            self._server.load_verify_locations(cadata=material.root.pem.decode())
            _identify(self._client, material.client.pem, material.client)

    def make(self, protocol: int, scenario: Scenario) -> ssl.SSLContext:
        """A context for this version, suite and group."""
        context = ssl.SSLContext(protocol)
        _choose(context, scenario)
        return context

    @property
    def contexts(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """The client's and the server's, for real sockets."""
        return self._client, self._server

    def client(self, session: ssl.SSLSession | None = None) -> StdlibEndpoint:
        return self.endpoint(self._client, server=False, session=session)

    def server(self) -> StdlibEndpoint:
        return self.endpoint(self._server, server=True, session=None)


class OneReadPair(StdlibPair):
    """The pair of the one-read caller."""

    endpoint = OneReadEndpoint


class StdlibPeer(Peer):
    """The standard library's ssl."""

    name = "ssl"
    statement = "import ssl"

    def versions(self) -> str:
        return f"ssl of Python {sys.version_info[0]}.{sys.version_info[1]}, {ssl.OPENSSL_VERSION}"

    def refusal(self, scenario: Scenario) -> str:
        if scenario.group != "X25519" and ssl.OPENSSL_VERSION_INFO < (3, 5):
            return f"its OpenSSL has no {scenario.group}"
        return ""

    def pair(self, scenario: Scenario, material: Material) -> StdlibPair:
        return StdlibPair(scenario, material)


class OneReadPeer(StdlibPeer):
    """The standard ssl with one read() a record: only the record rows ask for it."""

    name = "ssl-one-read"

    def pair(self, scenario: Scenario, material: Material) -> StdlibPair:
        return OneReadPair(scenario, material)
