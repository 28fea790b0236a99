"""Why a server does not take a key from before: each way has its sentence, from the code that decided.

RFC 8446 sections 4.2.9, 4.2.11 and 4.6.1; RFC 5246 section 7.3; RFC 5077; RFC 7627 section 5.3.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from glass.handshakes import KEY, Seen, talk
from pellucid import ClientConfig, PreSharedKey, Secret, ServerConfig, Session, SessionStore, TicketKeys
from pellucid.glass.trace import Trace
from pellucid.glass.turns import of
from pellucid.glass.views import VIEWS
from pellucid.glass.views.reasons import Decision
from pellucid.handshake.offer import session_binding
from pellucid.replaying import replay
from support import TLS12, TLS13, House

DAY = 86_400
SHA384 = TLS13.replace(cipher_suites=(0x1302,))


def changed(session: Session) -> None:
    session.ticket = session.ticket[:-1] + bytes((session.ticket[-1] ^ 1,))


def renamed(session: Session) -> None:
    session.ticket = b"nobody's" + session.ticket[8:]


def robbed(session: Session) -> None:
    session.secret = Secret(bytes(32))


@dataclass
class Case:
    """What is otherwise than in the first handshake, and what the server says of the key."""

    why: str
    server: dict[str, Any] = field(default_factory=dict)
    name: str = "localhost"
    rotations: int = 0
    later: float = 1.0
    spoil: Callable[[Session], None] = lambda session: None


BOTH = {
    "changed": Case("it was changed: it does not open under its key", spoil=changed),
    "unknown key": Case("it is sealed under a key that is unknown here", spoil=renamed),
    "rotated": Case("it is too old: the key it is sealed under was rotated away", rotations=2),
    "too old": Case("it is too old: its lifetime is over", later=8 * DAY),
    "other name": Case("it was issued under another server name", name="other.test"),
    "other protocol": Case(
        "it was issued under another application protocol", server={"alpn": ("http/1.1",)}
    ),
    "other rules": Case("it was issued under other rules about clients", server={"client_auth": "request"}),
}
ONLY13 = {"other hash": Case("its hash is not that of the cipher suite", server={"policy": SHA384})}
ONLY12 = {
    "other suite": Case(
        "its cipher suite is not acceptable to both any more",
        server={"policy": TLS12.replace(cipher_suites=(0xC030, 0xCCA9, 0xC02C))},
    ),
    "better suite": Case(
        "a full handshake would come to a better cipher suite",
        server={"policy": TLS12.replace(cipher_suites=(0xC02C, 0xC02B))},
    ),
}


def again(house: House, case: Case, *, tls13: bool) -> Seen:
    """A handshake with the session of a first one."""
    policy = TLS13 if tls13 else TLS12
    first = policy.replace(cipher_suites=(0x1301 if tls13 else 0xC02B,))
    keys = TicketKeys()
    identity = house.authority.issue("localhost", "other.test")
    server = ServerConfig(policy=first, identities=(identity,), ticket_issuer=keys, alpn=("h2", "http/1.1"))
    client = house.client(policy, alpn=("h2", "http/1.1"))
    session = talk(client, server).sessions[0]
    session.binding = session_binding(client, case.name)
    case.spoil(session)
    for _ in range(case.rotations):
        keys.rotate()
    now = session.issued_at / 1000
    changes: dict[str, Any] = {"now": lambda: now + case.later} | case.server
    if "client_auth" in changes:
        changes["client_trust"] = house.trust
    client = client.replace(sessions=(session,), now=lambda: now + 1)
    return talk(client, server.replace(**changes), name=case.name)


def decision(trace: Trace, what: str) -> Decision:
    decisions: tuple[Decision, ...] = VIEWS["reasons"].build(trace).decisions
    return next(one for one in decisions if one.what == what)


def read_back(trace: Trace) -> Trace:
    file = io.StringIO()
    trace.write(file, secrets=True)
    file.seek(0)
    return Trace.read(file)


@pytest.mark.parametrize("case", [*(BOTH | ONLY13).values()], ids=[*(BOTH | ONLY13)])
def test_a_ticket_of_tls_1_3_is_refused_for_a_reason(house: House, case: Case) -> None:
    seen = again(house, case, tls13=True)
    assert seen.server.secret("shared_secret") is not None
    assert next(seen.server.of("state")).what == "handshake complete"
    for trace in (seen.server, read_back(seen.server)):
        made = decision(trace, "psk")
        assert (made.chosen, made.offered) == ("none", ("the client's key number 1",))
        assert [one.why.endswith(case.why) for one in made.options] == [True], made.options
        assert any(case.why in sentence for sentence in of(trace))
    assert replay(read_back(seen.server)).identical


@pytest.mark.parametrize("case", [*(BOTH | ONLY12).values()], ids=[*(BOTH | ONLY12)])
def test_a_ticket_of_tls_1_2_is_refused_for_a_reason(house: House, case: Case) -> None:
    seen = again(house, case, tls13=False)
    for trace in (seen.server, read_back(seen.server)):
        made = decision(trace, "resumption")
        assert (made.chosen, made.rule) == ("no", case.why)
        assert any(case.why in sentence for sentence in of(trace))
    assert replay(read_back(seen.server)).identical


@pytest.mark.parametrize("tls13", [True, False])
def test_what_fits_is_taken(house: House, tls13: bool) -> None:
    seen = again(house, Case(""), tls13=tls13)
    assert decision(seen.server, "psk" if tls13 else "resumption").chosen != ("none" if tls13 else "no")


def test_a_session_that_was_used_before(house: House) -> None:
    """RFC 8446 section 8.1: a store hands a session out once."""
    server = house.servers(TLS13, ticket_issuer=SessionStore())
    session = talk(house.client(TLS13), server).sessions[0]
    client = house.client(TLS13, sessions=(session,))
    assert decision(talk(client, server).server, "psk").chosen == "the client's key number 1"
    told = decision(talk(client, server).server, "psk").options[0].why
    assert told.endswith(
        "it is unknown here: never issued, forgotten, or it was used before: each serves once"
    )


def test_a_binder_that_does_not_fit(house: House) -> None:
    """Whoever has the ticket and not its secret: the handshake fails, and the reasons say at which key."""
    seen = again(house, Case("", spoil=robbed), tls13=True)
    assert next(seen.server.of("error")).fields["reason"].label == "bad-binder"
    why = "its binder is wrong: who sent it does not hold the key, or the hello was changed on its way"
    fact = seen.server.decision("psk")
    assert fact is not None
    assert fact.fields["refused"] == ((0, why),)


def external(mine_key: PreSharedKey, their_key: PreSharedKey, **policies: Any) -> dict[str, Any]:
    mine = ClientConfig(policy=policies.get("client", TLS13), psks=(mine_key,), require_psk=True)
    theirs = ServerConfig(policy=policies.get("server", TLS13), psks=(their_key,))
    fact = talk(mine, theirs).server.decision("psk")
    assert fact is not None
    assert fact.fields["chosen"] is None
    return fact.fields


def test_keys_that_were_agreed_on_elsewhere() -> None:
    stranger = PreSharedKey(b"device 8", Secret(bytes(32)))
    fields = external(stranger, KEY)
    why = "no pre-shared key has this name, and as a ticket it is sealed under a key that is unknown here"
    assert fields["refused"] == ((0, why),)
    fields = external(KEY, KEY, server=SHA384)
    assert fields["refused"] == ((0, "its hash is not that of the cipher suite"),)


def test_no_way_to_use_a_key() -> None:
    fields = external(KEY, KEY, client=TLS13.replace(psk_modes=(0,)), server=TLS13.replace(psk_modes=(1,)))
    assert fields["rule"] == "the client's psk_key_exchange_modes and ours have none in common"
