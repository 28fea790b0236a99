"""aioquic's TLS engine: TLS 1.3 messages only, since QUIC protects its own packets (RFC 9001).

Its figures leave out all record protection. It parses the trusted roots in every handshake.
"""

# ruff: noqa: D102 -- the methods are described in base.py

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import Endpoint, Pair, Peer, load, version_of

if TYPE_CHECKING:
    from ..certs import Material
    from ..scenario import Scenario

_CAPACITY = 16384
_HOST = "localhost"


class AioquicEndpoint(Endpoint):
    """A tls.Context and its output buffers."""

    __slots__ = ("buffers", "context", "tickets")

    def __init__(self, pair: AioquicPair, *, client: bool, session: Any = None) -> None:
        tls = pair.tls
        self.context = context = tls.Context(
            is_client=client,
            cadata=pair.roots if client else None,
            cipher_suites=pair.suites,
            server_name=_HOST if client else None,
        )
        context._supported_groups = pair.groups
        self.tickets: list[Any] = []
        context.new_session_ticket_cb = self.tickets.append
        if client:
            context.session_ticket = session
        else:
            context.certificate = pair.certificate
            context.certificate_chain = pair.above
            context.certificate_private_key = pair.key
            context.new_session_ticket_cb = pair.remember
            context.get_session_ticket_cb = pair.recall
        buffer = pair.buffer
        self.buffers = {
            epoch: buffer(capacity=_CAPACITY)
            for epoch in (tls.Epoch.INITIAL, tls.Epoch.HANDSHAKE, tls.Epoch.ONE_RTT)
        }

    def step(self, data: bytes) -> bytes:
        self.context.handle_message(data, self.buffers)
        out = b""
        for buffer in self.buffers.values():
            if buffer.tell():
                out += buffer.data
                buffer.seek(0)
        return out

    @property
    def done(self) -> bool:
        return str(self.context.state.name).endswith("POST_HANDSHAKE")

    @property
    def resumed(self) -> bool:
        return bool(self.context.session_resumed)

    def session(self) -> Any:
        return self.tickets[-1]


class AioquicPair(Pair):
    """What both sides' contexts are built from; aioquic has none that outlives a connection."""

    def __init__(self, scenario: Scenario, material: Material) -> None:
        self.tls = tls = load("aioquic.tls", "aioquic")
        self.buffer = load("aioquic.buffer", "aioquic").Buffer
        self.suites = [tls.CipherSuite[scenario.suite.removeprefix("TLS_")]]
        self.groups = [tls.Group.X25519]
        self.roots = material.trusted_pem
        self.certificate = material.leaf.certificate
        self.above = [issued.certificate for issued in material.intermediates]
        self.key = material.leaf.key
        self.store: dict[bytes, Any] = {}
        self.recall = self.store.get

    def remember(self, ticket: Any) -> None:
        """Keep the server's half of a ticket; the oldest goes first."""
        if len(self.store) > 100:
            self.store.pop(list(self.store)[1])
        self.store[ticket.ticket] = ticket

    def client(self, session: Any = None) -> AioquicEndpoint:
        return AioquicEndpoint(self, client=True, session=session)

    def server(self) -> AioquicEndpoint:
        return AioquicEndpoint(self, client=False)


class AioquicPeer(Peer):
    """aioquic.tls."""

    name = "aioquic"
    statement = "import aioquic.tls"
    protects_records = False

    def versions(self) -> str:
        load("aioquic.tls", "aioquic")
        return f"aioquic {version_of('aioquic')}"

    def refusal(self, scenario: Scenario) -> str:
        if not scenario.tls13:
            return "TLS 1.3 only"
        if scenario.group != "X25519":
            return f"no {scenario.group}"
        if scenario.mutual:
            return "no verification of client certificates"
        return ""

    def pair(self, scenario: Scenario, material: Material) -> AioquicPair:
        return AioquicPair(scenario, material)
