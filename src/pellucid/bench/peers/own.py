"""pellucid itself, through the sans-IO connection that every shell of its own uses."""

# ruff: noqa: D102 -- the methods are described in base.py

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import BenchError, Endpoint, Pair, Peer, version_of

if TYPE_CHECKING:
    from ..certs import Issued, Material
    from ..scenario import Scenario

_HOST = "localhost"


class OwnEndpoint(Endpoint):
    """A ClientConnection or ServerConnection."""

    __slots__ = ("_arrived", "_completed", "_ticket", "connection", "info", "last")

    def __init__(self, pair: OwnPair, connection: Any) -> None:
        self.connection = connection
        self._arrived = pair.arrived
        self._completed = pair.completed
        self._ticket = pair.ticket
        self.info: Any = None
        self.last: Any = None  # the latest session

    def step(self, data: bytes) -> bytes:
        connection = self.connection
        if data:
            connection.receive_data(data)
            for event in connection.events():
                kind = type(event)
                if kind is self._completed:
                    self.info = event.info
                elif kind is self._ticket:  # None where nobody resumes: sessions are the application's
                    self.last = event.session
        return connection.data_to_send()  # type: ignore[no-any-return]

    @property
    def done(self) -> bool:
        return self.info is not None

    @property
    def resumed(self) -> bool:
        return bool(self.info.resumed)

    def session(self) -> Any:
        return self.last

    def seal(self, data: bytes) -> bytes:
        connection = self.connection
        wire: bytes = connection.protect(data)
        if wire:
            return wire
        connection.send_data(data)
        return connection.data_to_send()  # type: ignore[no-any-return]

    def open(self, wire: bytes) -> list[bytes]:
        connection = self.connection
        data = connection.deprotect(wire)
        if data:
            return [data]
        connection.receive_data(wire)
        arrived, found = self._arrived, []
        while (event := connection.next_event()) is not None:
            if type(event) is arrived:
                found.append(event.data)
        return found

    def seal_many(self, pieces: list[bytes]) -> bytes:
        send = self.connection.send_data
        for piece in pieces:
            send(piece)
        return self.connection.data_to_send()  # type: ignore[no-any-return]


class OwnPair(Pair):
    """Two configurations."""

    def __init__(self, scenario: Scenario, material: Material, observer: Any = None) -> None:
        import pellucid
        from pellucid import events
        from pellucid.trust.chain import REMEMBERED

        self.completed = events.HandshakeCompleted
        self.arrived = events.DataReceived
        self.ticket = events.SessionReceived if scenario.resume else None
        self._client_type, self._server_type = pellucid.ClientConnection, pellucid.ServerConnection
        common = {"policy": _policy(scenario), "observer": observer}
        remember = REMEMBERED if scenario.again else 0  # the others verify every chain, so we do
        trust = pellucid.Trust.from_pem(material.trusted_pem, remember=remember)
        own = (_identity(material.client.pem, material.client),) if scenario.mutual else ()
        self._client = pellucid.ClientConfig(trust=trust, identities=own, request_ocsp=False, **common)
        believed: dict[str, Any] = {}
        if scenario.mutual:
            believed = {
                "client_auth": "require",
                "client_trust": pellucid.Trust.from_pem(material.root.pem, remember=remember),
            }
        identity = _identity(material.sent_pem, material.leaf)
        self._server = pellucid.ServerConfig(identities=(identity,), **believed, **common)
        self._resuming: tuple[Any, Any] = (None, None)

    @property
    def configs(self) -> tuple[Any, Any]:
        """The client's and the server's configuration, for real sockets."""
        return self._client, self._server

    def client(self, session: Any = None) -> OwnEndpoint:
        config = self._client
        if session is not None:
            if self._resuming[0] is not session:
                self._resuming = (session, self._client.replace(sessions=(session,)))
            config = self._resuming[1]
        return OwnEndpoint(self, self._client_type(config, server_name=_HOST))

    def server(self) -> OwnEndpoint:
        return OwnEndpoint(self, self._server_type(self._server))


def _identity(chain_pem: bytes, issued: Issued) -> Any:
    import pellucid

    return pellucid.Identity.from_pem(chain_pem, issued.key_pem)


def _policy(scenario: Scenario) -> Any:
    """The same version, suite and group as everybody's."""
    import pellucid
    from pellucid.crypto.suites import SUITES, suite_named
    from pellucid.wire.codepoints import NamedGroup

    suite = suite_named(scenario.suite, legacy=True)
    version = 0x0304 if scenario.tls13 else 0x0303
    groups: tuple[int, ...] = (
        getattr(NamedGroup, scenario.group, None) or getattr(NamedGroup, scenario.group.lower()),
    )
    if not scenario.tls13:
        groups += (NamedGroup.secp256r1,)  # the curve of the certificate
    legacy: frozenset[str] = frozenset()
    if suite.code not in SUITES:
        legacy = frozenset({"static-rsa"})
    return pellucid.Policy(versions=(version,), cipher_suites=(suite.code,), groups=groups, legacy=legacy)


class OwnPeer(Peer):
    """pellucid."""

    name = "pellucid"
    statement = "import pellucid"

    def versions(self) -> str:
        from cryptography.hazmat.backends.openssl import backend

        try:
            from pellucid import ClientConnection  # noqa: F401
        except ImportError as error:
            raise BenchError(f"pellucid cannot be measured: {error}") from None
        return (
            f"pellucid {version_of('pellucid')}, cryptography {version_of('cryptography')}, "
            f"{backend.openssl_version_text()}"
        )

    def refusal(self, scenario: Scenario) -> str:
        return ""

    def pair(self, scenario: Scenario, material: Material) -> OwnPair:
        return OwnPair(scenario, material)

    def watched(self, scenario: Scenario, material: Material, observer: Any) -> OwnPair:
        """The same with somebody who looks."""
        return OwnPair(scenario, material, observer)
