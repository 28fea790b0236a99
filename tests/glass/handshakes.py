"""Handshakes of every kind, traced on both sides: what the glass is tested on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pellucid import (
    ClientConfig,
    ClientConnection,
    Identity,
    Policy,
    PreSharedKey,
    ReplayMemory,
    Secret,
    ServerConfig,
    ServerConnection,
    Session,
    TicketKeys,
    TLSError,
    legacy,
)
from pellucid.events import SessionReceived
from pellucid.glass.trace import Trace
from support import TLS12, TLS13, House, pump

KEY = PreSharedKey(b"device 7", Secret(bytes(range(32))))
MUSEUM = legacy.museum_policy()
QUESTION = b"Can anybody else read this?"
REPLY = b"Nobody but you and me."


@dataclass
class Seen:
    """One connection: both traces, the server's identity, and what the client may resume."""

    client: Trace
    server: Trace
    key: Any
    sessions: tuple[Session, ...] = ()
    early: bytes = b""


def talk(client: ClientConfig, server: ServerConfig, *, name: str = "localhost", early: bytes = b"") -> Seen:
    """Connect, say something both ways, close. A failure ends it, as it may."""
    seen = Seen(Trace(), Trace(), server.identities[0] if server.identities else None)
    a = ClientConnection(client.replace(observer=seen.client), name)
    b = ServerConnection(server.replace(observer=seen.server))
    if early:
        a.send_early_data(early)
    try:
        events = pump(a, b)
        seen.sessions = tuple(one.session for one in events[0] if isinstance(one, SessionReceived))
        a.send_data(QUESTION)
        b.send_data(REPLY)
        pump(a, b)
        a.close()
        b.close()
        pump(a, b)
    except TLSError:
        with contextlib.suppress(TLSError):
            b.receive_data(a.data_to_send())
        with contextlib.suppress(TLSError):
            a.receive_data(b.data_to_send())
    return seen


def resumed(house: House, policy: Policy, *, psk_modes: tuple[int, ...] | None = None) -> Seen:
    policy = policy if psk_modes is None else policy.replace(psk_modes=psk_modes)
    server = house.servers(policy, ticket_issuer=TicketKeys())
    first = talk(house.client(policy), server)
    return talk(house.client(policy, sessions=first.sessions[:1]), server)


def early(house: House, *, refused: bool = False) -> Seen:
    guard = ReplayMemory(started_at=0)
    server = house.servers(max_early_data=14_336, replay_guard=guard, ticket_issuer=TicketKeys())
    first = talk(house.client(), server)
    policy = TLS13.replace(key_shares=(0x1D,)) if refused else TLS13
    client = house.client(policy, sessions=first.sessions[:1], early_data=True)
    if refused:
        server = house.servers(TLS13.replace(groups=(0x17,)), ticket_issuer=server.issuer)
    return talk(client, server, early=b"buy one")


def updated(house: House) -> Seen:
    seen = Seen(Trace(), Trace(), house.server["ecdsa-p256"])
    server = house.servers(post_handshake_auth=True, client_trust=house.trust, observer=seen.server)
    config = house.client(post_handshake_auth=True, identities=(house.client_identity,), observer=seen.client)
    a, b = ClientConnection(config, "localhost"), ServerConnection(server)
    pump(a, b)
    b.request_certificate()
    pump(a, b)
    a.update_keys(request=True)
    b.send_data(b"under new keys")
    pump(a, b)
    return seen


def raw_key(house: House, policy: Policy) -> Seen:
    identity = Identity.raw(house.server["ecdsa-p256"].key)
    client = ClientConfig(
        policy=policy, server_certificate_types=(2,), trusted_public_keys=(identity.raw_public_key,)
    )
    return talk(client, ServerConfig(policy=policy, identities=(identity,)))


def client_certificate(house: House, policy: Policy, *, shown: bool = True) -> Seen:
    server = house.servers(policy, client_auth="require", client_trust=house.trust)
    return talk(house.client(policy, identities=(house.client_identity,) if shown else ()), server)


def keyed(policy: Policy, key: PreSharedKey = KEY, **settings: Any) -> Seen:
    client = ClientConfig(policy=policy, psks=(key,), require_psk=policy is TLS13, **settings)
    return talk(client, ServerConfig(policy=policy, psks=(KEY,)))


def expired(house: House) -> Seen:
    return talk(house.client(now=lambda: 4e9), house.servers())


def compressed(house: House) -> Seen:
    policy = TLS13.replace(certificate_compression=(1,), compress_above=0)
    return talk(house.client(policy), house.servers(policy))


#: Every kind, by name.
KINDS: dict[str, Callable[[House], Seen]] = {
    "static RSA": lambda h: talk(h.client(MUSEUM), h.servers(MUSEUM, "rsa-2048")),
    "static RSA with CBC": lambda h: talk(
        h.client(legacy.old_peers_policy(versions=(0x0303,), cipher_suites=(0x002F,))),
        h.servers(legacy.old_peers_policy(versions=(0x0303,), cipher_suites=(0x002F,)), "rsa-2048"),
    ),
    "ECDHE 1.2": lambda h: talk(h.client(TLS12), h.servers(TLS12)),
    "ECDHE 1.2 RSA": lambda h: talk(h.client(TLS12), h.servers(TLS12, "rsa-2048")),
    "1.3": lambda h: talk(h.client(alpn=("h2", "http/1.1")), h.servers(alpn=("http/1.1",))),
    "1.3 RSA": lambda h: talk(h.client(), h.servers(kind="rsa-2048")),
    "1.3 Ed25519": lambda h: talk(h.client(), h.servers(kind="ed25519")),
    "1.3 X25519 only": lambda h: talk(h.client(TLS13.replace(groups=(0x1D,))), h.servers()),
    "both versions": lambda h: talk(h.client(Policy(grease=True)), h.servers(Policy())),
    "resumed 1.3": lambda h: resumed(h, TLS13),
    "resumed 1.2": lambda h: resumed(h, TLS12),
    "resumed 1.3 without a key exchange": lambda h: resumed(h, TLS13, psk_modes=(0,)),
    "0-RTT": early,
    "0-RTT refused": lambda h: early(h, refused=True),
    "HelloRetryRequest": lambda h: talk(
        h.client(TLS13.replace(key_shares=(0x1D,))),
        h.servers(TLS13.replace(groups=(0x17,)), stateless_retry=True),
    ),
    "client certificate 1.3": lambda h: client_certificate(h, TLS13),
    "client certificate 1.2": lambda h: client_certificate(h, TLS12),
    "PSK 1.3": lambda h: keyed(TLS13),
    "PSK 1.2": lambda h: keyed(TLS12.replace(cipher_suites=(0x00A8,)), trust=h.trust),
    "ECDHE_PSK 1.2": lambda h: keyed(TLS12.replace(cipher_suites=(0xD001,)), trust=h.trust),
    "late certificate and new keys": updated,
    "raw public key 1.3": lambda h: raw_key(h, TLS13),
    "raw public key 1.2": lambda h: raw_key(h, TLS12),
    "compressed certificate": compressed,
    "failed: expired": expired,
    "failed: wrong name": lambda h: talk(h.client(), h.servers(), name="elsewhere.test"),
    "failed: unknown authority": lambda h: talk(
        h.client().replace(trust=House().trust), h.servers()
    ),
    "failed: no shared suite": lambda h: talk(h.client(MUSEUM), h.servers(Policy(), "rsa-2048")),
    "failed: version": lambda h: talk(h.client(TLS12), h.servers(TLS13)),
    "failed: no certificate": lambda h: client_certificate(h, TLS13, shown=False),
    "failed: ALPN": lambda h: talk(h.client(alpn=("h2",)), h.servers(alpn=("smtp",))),
    "failed: binder": lambda h: keyed(TLS13, PreSharedKey(b"device 7", Secret(bytes(32))), trust=h.trust),
}  # fmt: skip

_made: dict[str, Seen] = {}


def seen(house: House, kind: str) -> Seen:
    """The connection of a kind; made once."""
    if kind not in _made:
        _made[kind] = KINDS[kind](house)
    return _made[kind]
