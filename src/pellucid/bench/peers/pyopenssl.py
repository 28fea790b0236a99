"""pyOpenSSL: the same OpenSSL, and the same primitives, that pellucid gets through `cryptography`.

Groups and the reused flag have no public name in pyOpenSSL; they are reached through its `_lib`. It
has no public way to check a host name either: its client checks the chain only.
"""

# ruff: noqa: D102 -- the methods are described in base.py

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import BenchError, Endpoint, Pair, Peer, load, version_of

if TYPE_CHECKING:
    from ..certs import Issued, Material
    from ..scenario import Scenario

_MOST = 1 << 20  # bytes asked of bio_read at once
_HOST = b"localhost"
_BOTH_WAYS = 3  # SENT_SHUTDOWN | RECEIVED_SHUTDOWN: a session stays resumable after SSL_free


class PyOpenSSLEndpoint(Endpoint):
    """A Connection over memory BIOs."""

    __slots__ = ("_done", "_want", "connection", "library")

    def __init__(self, module: Any, context: Any, *, server: bool, session: Any) -> None:
        self.library = module._lib
        self._want = module.WantReadError
        self.connection = module.Connection(context, None)
        if server:
            self.connection.set_accept_state()
        else:
            self.connection.set_tlsext_host_name(_HOST)
            if session is not None:
                self.connection.set_session(session)
            self.connection.set_connect_state()
        self._done = False

    def _drain(self) -> bytes:
        out: list[bytes] = []
        while True:
            try:
                out.append(self.connection.bio_read(_MOST))
            except self._want:
                return b"".join(out)
            if len(out[-1]) < _MOST:
                return out[0] if len(out) == 1 else b"".join(out)

    def step(self, data: bytes) -> bytes:
        if data:
            self.connection.bio_write(data)
        try:
            if not self._done:
                self.connection.do_handshake()
                self._done = True
            if data:
                self.connection.recv(1)  # takes the tickets in
        except self._want:
            pass
        return self._drain()

    @property
    def done(self) -> bool:
        return self._done

    @property
    def resumed(self) -> bool:
        return bool(self.library.SSL_session_reused(self.connection._ssl))

    def session(self) -> Any:
        return self.connection.get_session()

    def leave(self) -> None:
        self.connection.set_shutdown(_BOTH_WAYS)

    def seal(self, data: bytes) -> bytes:
        self.connection.sendall(data)
        return self._drain()

    def open(self, wire: bytes) -> list[bytes]:
        view = memoryview(wire)
        written = self.connection.bio_write(wire)
        while written < len(wire):
            written += self.connection.bio_write(view[written:].tobytes())
        recv, pieces = self.connection.recv, []
        try:
            while True:
                pieces.append(recv(16384))
        except self._want:
            return pieces

    def seal_many(self, pieces: list[bytes]) -> bytes:
        send = self.connection.send
        for piece in pieces:
            send(piece)
        return self._drain()


class PyOpenSSLPair(Pair):
    """Two Contexts."""

    def __init__(self, scenario: Scenario, material: Material) -> None:
        self.module = module = load("OpenSSL.SSL", "pyOpenSSL")
        self._client = self._context(scenario)
        self._trust(self._client, material.trusted)
        self._server = self._context(scenario)
        self._identify(self._server, material.leaf, material.intermediates)
        self._server.set_session_id(b"pellucid bench")
        if scenario.mutual:
            self._trust(self._server, (material.root,))
            self._server.set_verify(
                module.VERIFY_PEER | module.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *a: bool(a[-1])
            )
            self._identify(self._client, material.client, ())

    def _context(self, scenario: Scenario) -> Any:
        module = self.module
        context = module.Context(module.TLS_METHOD)
        version = module.TLS1_3_VERSION if scenario.tls13 else module.TLS1_2_VERSION
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        if scenario.tls13:
            context.set_tls13_ciphersuites(scenario.suite.encode())
        else:
            context.set_cipher_list(scenario.suite.encode())
        if not module._lib.SSL_CTX_set1_curves_list(context._context, scenario.groups.encode()):
            raise BenchError(f"pyOpenSSL does not know the group {scenario.group}")
        return context

    def _trust(self, context: Any, roots: tuple[Issued, ...]) -> None:
        crypto = load("OpenSSL.crypto", "pyOpenSSL")
        store = context.get_cert_store()
        for root in roots:
            store.add_cert(crypto.X509.from_cryptography(root.certificate))
        context.set_verify(self.module.VERIFY_PEER)

    def _identify(self, context: Any, issued: Issued, above: tuple[Issued, ...]) -> None:
        context.use_certificate(issued.certificate)
        for certificate in above:
            context.add_extra_chain_cert(certificate.certificate)
        context.use_privatekey(issued.key)

    def client(self, session: Any = None) -> PyOpenSSLEndpoint:
        return PyOpenSSLEndpoint(self.module, self._client, server=False, session=session)

    def server(self) -> PyOpenSSLEndpoint:
        return PyOpenSSLEndpoint(self.module, self._server, server=True, session=None)


class PyOpenSSLPeer(Peer):
    """pyOpenSSL."""

    name = "pyopenssl"
    verifies = "chain"
    statement = "import OpenSSL.SSL"

    def versions(self) -> str:
        module = load("OpenSSL.SSL", "pyOpenSSL")
        openssl = module.OpenSSL_version(module.OPENSSL_VERSION).decode()
        return f"pyOpenSSL {version_of('pyOpenSSL')}, {openssl}"

    def refusal(self, scenario: Scenario) -> str:
        return ""

    def pair(self, scenario: Scenario, material: Material) -> PyOpenSSLPair:
        return PyOpenSSLPair(scenario, material)
