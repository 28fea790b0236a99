"""State totality: at every waiting point, every message that is not named there is refused.

RFC 8446 sections 4 and 4.6, RFC 5246 section 7.4. The waiting points are the EXPECT_ tables of the
handshake generators, found by looking, so that a new one without a scenario fails here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pellucid import (
    ClientConfig,
    ClientConnection,
    Identity,
    PreSharedKey,
    Reason,
    ReplayMemory,
    Secret,
    ServerConfig,
    ServerConnection,
    TLSError,
    legacy,
)
from pellucid.events import SessionReceived
from pellucid.handshake import client, client12, client13, context, server, server12, server13
from pellucid.handshake.context import CCS
from pellucid.handshake.post import AFTER_HANDSHAKE
from pellucid.wire.codepoints import Alert, HandshakeType
from pellucid.wire.messages import HelloRequest, KeyUpdate
from support import TLS12, TLS13, House, Side, pump, write

MODULES = (client, client13, client12, server, server13, server12, context)
TABLES = {
    f"{module.__name__.rsplit('.')[-1]}.{name}": table
    for module in MODULES
    for name, table in vars(module).items()
    if name.startswith("EXPECT_") and (module is context or "EXPECT_CCS" not in name)
}
NAMES = {id(table): name for name, table in TABLES.items()}
EVERY_TYPE = (*HandshakeType, 99, 255)
KEY = PreSharedKey(b"device 7", Secret(bytes(range(32))))
PSK_12 = (0xD001, 0x00A8)


class Probe:
    """Notes each waiting point, and can put another message in front of the one that is due."""

    at: int
    inject: bytes | None
    points: list[tuple[str, int]]
    raws: list[bytes]

    def prepare(self, at: int = -1, inject: bytes | None = None) -> None:
        self.at, self.inject, self.points, self.raws = at, inject, [], []

    def note(self, kind: int) -> bytes | None:
        """The waiting point; what is to come there instead of a message of type `kind`."""
        name = NAMES.get(id(self._expected))  # type: ignore[attr-defined]
        if name is None:
            return None
        self.points.append((name, kind))
        return self.inject if len(self.points) - 1 == self.at else None

    def _deliver(self, raw: bytes) -> None:
        self.raws.append(raw)
        super()._deliver(self.note(raw[0]) or raw)  # type: ignore[misc]

    def _on_change_cipher_spec(self, data: bytes) -> None:
        if CCS in self._expected:  # type: ignore[attr-defined]
            instead = self.note(CCS)
            if instead is not None:
                super()._deliver(instead)  # type: ignore[misc]
                return
        super()._on_change_cipher_spec(data)  # type: ignore[misc]


class ProbingClient(Probe, ClientConnection):
    pass


class ProbingServer(Probe, ServerConnection):
    pass


@dataclass
class Scenario:
    """Two configurations, and what happens beyond the handshake."""

    client: ClientConfig
    server: ServerConfig
    early: bytes = b""
    later: Callable[[ClientConnection, ServerConnection], None] | None = None

    def run(self, role: str, at: int = -1, inject: bytes | None = None) -> Any:
        """Run it; the probing side of `role`. Raises what either side refuses."""
        one, other = ProbingClient.__new__(ProbingClient), ProbingServer.__new__(ProbingServer)
        one.prepare(*(at, inject) if role == "client" else (-1, None))
        other.prepare(*(at, inject) if role == "server" else (-1, None))
        self.last = one if role == "client" else other
        one.__init__(self.client, "localhost")  # type: ignore[misc]
        other.__init__(self.server)  # type: ignore[misc]
        if self.early:
            one.send_early_data(self.early)
        pump(one, other)
        if self.later is not None:
            self.later(one, other)
            pump(one, other)
        return self.last


def scenarios(house: House) -> dict[str, Scenario]:
    """As many as it takes to wait at every point."""
    quiet13 = TLS13.replace(certificate_compression=())
    museum = legacy.museum_policy()
    stapled = house.server["ecdsa-p256"].replace(ocsp=house.authority.staple(house.server["ecdsa-p256"]))
    stapled_rsa = house.server["rsa-2048"].replace(ocsp=house.authority.staple(house.server["rsa-2048"]))
    known: dict[str, Any] = {"identities": (house.client_identity,)}
    asking: dict[str, Any] = {"client_auth": "require", "client_trust": house.trust}

    def psk12(suite: int, hint: bytes) -> Scenario:
        policy = TLS12.replace(cipher_suites=(suite,))
        return Scenario(
            ClientConfig(policy=policy, trust=house.trust, psks=(KEY,)),
            ServerConfig(policy=policy, psks=(KEY,), psk_identity_hint=hint),
        )

    def resumed(config: ClientConfig, serving: ServerConfig) -> ClientConfig:
        one, other = ClientConnection(config, "localhost"), ServerConnection(serving)
        events = pump(one, other)[0]
        return config.replace(sessions=[e.session for e in events if isinstance(e, SessionReceived)][:1])

    raw = Identity.raw(house.server["ecdsa-p256"].key)
    raw_types: dict[str, Any] = {"server_certificate_types": (2,), "client_certificate_types": (2,)}
    believed: dict[str, Any] = {"trusted_public_keys": (raw.raw_public_key,), **raw_types}
    early = house.servers(max_early_data=1000, replay_guard=ReplayMemory(started_at=0))
    twelve = house.servers(TLS12)
    return {
        "1.2 raw public keys": Scenario(
            house.client(TLS12, identities=(raw,), **believed),
            house.servers(TLS12, client_auth="require", **believed).replace(identities=(raw,)),
        ),
        "1.3": Scenario(house.client(), house.servers()),
        "1.3 without compression": Scenario(house.client(quiet13), house.servers(quiet13)),
        "1.3 mutual": Scenario(house.client(**known), house.servers(**asking)),
        "1.3 mutual without compression": Scenario(
            house.client(quiet13, **known), house.servers(quiet13, **asking)
        ),
        "1.3 retry": Scenario(
            house.client(TLS13.replace(key_shares=(0x1D,))), house.servers(TLS13.replace(groups=(0x17,)))
        ),
        "1.3 early data": Scenario(
            resumed(house.client(), early).replace(early_data=True),
            early,
            early=b"x",
        ),
        "1.3 late request": Scenario(
            house.client(post_handshake_auth=True, **known),
            house.servers(post_handshake_auth=True, client_trust=house.trust),
            later=lambda _, serving: serving.request_certificate(),
        ),
        "1.2": Scenario(house.client(TLS12), twelve),
        "1.2 without tickets": Scenario(house.client(TLS12, session_tickets=False), twelve),
        "1.2 stapled": Scenario(house.client(TLS12), twelve.replace(identities=(stapled,))),
        "1.2 mutual": Scenario(house.client(TLS12, **known), house.servers(TLS12, **asking)),
        "1.2 resumed": Scenario(resumed(house.client(TLS12), twelve), twelve),
        "static RSA": Scenario(house.client(museum), house.servers(museum, "rsa-2048")),
        "static RSA stapled": Scenario(
            house.client(museum), house.servers(museum, "rsa-2048").replace(identities=(stapled_rsa,))
        ),
        "ECDHE_PSK": psk12(PSK_12[0], b""),
        "PSK": psk12(PSK_12[1], b""),
        "PSK with hint": psk12(PSK_12[1], b"hint"),
    }


class Map:
    """Where each waiting point is found: scenario, role, how many messages in; and real messages."""

    def __init__(self, house: House) -> None:
        self.scenarios = scenarios(house)
        self.where: dict[str, tuple[str, str, int]] = {}
        self.corpus: dict[int, bytes] = {0: HelloRequest().to_handshake(), 24: KeyUpdate(0).to_handshake()}
        for title, scenario in self.scenarios.items():
            for role in ("client", "server"):
                probe = scenario.run(role)
                for at, (name, _) in enumerate(probe.points):
                    self.where.setdefault(name, (title, role, at))
                self.corpus.update((raw[0], raw) for raw in probe.raws)

    def message(self, kind: int) -> bytes:
        """A whole and well-formed message of this type, where there is one."""
        return self.corpus.get(kind, bytes((kind, 0, 0, 0)))


@pytest.fixture(scope="module")
def plan(house: House) -> Map:
    return Map(house)


def test_every_waiting_point_has_a_scenario(plan: Map) -> None:
    assert set(plan.where) == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.rfc("rfc8446:4:2", "rfc8446:4.6.3:1", "rfc8446:4.5:4", "rfc8446:4.1.2:3")
def test_every_other_message_is_refused(plan: Map, table: str) -> None:
    title, role, at = plan.where[table]
    late = "late" in title
    for kind in EVERY_TYPE:
        if kind in TABLES[table] or (kind == HandshakeType.key_update and late):
            continue
        with pytest.raises(TLSError) as refused:
            plan.scenarios[title].run(role, at, plan.message(kind))
        side: Side = plan.scenarios[title].last
        assert type(refused.value) is type(side.error), (table, kind)
        assert vars(refused.value) == vars(side.error), (table, kind)
        assert refused.value.reason is Reason.UNEXPECTED_MESSAGE, (table, kind)
        assert refused.value.alert == Alert.unexpected_message
        assert side.data_to_send()
        with pytest.raises(TLSError):
            _ = side.info if not side.handshake_complete else side.send_data(b"x")


@pytest.mark.parametrize("table", TABLES)
def test_a_message_of_the_right_type_is_read(plan: Map, table: str) -> None:
    """And an empty body is a decode error of that message, or a wrong Finished: nothing else."""
    title, role, at = plan.where[table]
    for kind in TABLES[table]:
        if kind == CCS:
            continue
        with pytest.raises(TLSError) as refused:
            plan.scenarios[title].run(role, at, bytes((kind, 0, 0, 1, 255)))
        assert refused.value.reason is not Reason.UNEXPECTED_MESSAGE, (table, kind)
        assert refused.value.reason is not Reason.INTERNAL, (table, kind)


def test_a_late_answer_may_take_its_time(plan: Map) -> None:
    """RFC 8446 4.6.2: other messages may stand in front of the client's late certificate."""
    scenario = plan.scenarios["1.3 late request"]
    one = ClientConnection(scenario.client, "localhost")
    other = ServerConnection(scenario.server)
    pump(one, other)
    other.request_certificate()
    request = other.data_to_send()
    one.update_keys()
    one.send_data(b"meanwhile")
    other.receive_data(one.data_to_send())
    one.receive_data(request)
    pump(one, other)
    assert other.info.peer_chain


@pytest.mark.parametrize(("role", "tls13"), AFTER_HANDSHAKE)
@pytest.mark.rfc("rfc8446:4.6.2:6")
def test_after_the_handshake(house: House, role: bool, tls13: bool) -> None:
    allowed = AFTER_HANDSHAKE[role, tls13]
    for kind in EVERY_TYPE:
        if kind in allowed and kind != HandshakeType.certificate_request:
            continue
        pair = house.pair(TLS13 if tls13 else TLS12)
        side, peer = pair if role else pair[::-1]
        with pytest.raises(TLSError) as refused:
            side.receive_data(write(peer, 22, bytes((kind, 0, 0, 0))))
        assert refused.value.reason is Reason.UNEXPECTED_MESSAGE, kind
        assert refused.value.alert == Alert.unexpected_message


# -- the page --------------------------------------------------------------------------------------------


def drawer() -> ModuleType:
    path = Path(__file__).parents[2] / "docs" / "states.py"
    spec = importlib.util.spec_from_file_location("states", path)
    if spec is None or spec.loader is None:
        pytest.fail("docs/states.py is gone")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_states_is_what_the_code_says() -> None:
    states = drawer()
    assert states.PAGE.read_text("utf-8") == states.page(), "run `make docs`"
    for table in TABLES:
        assert table.split(".")[1].removeprefix("EXPECT_").lower().replace("_", " ") in states.page()
