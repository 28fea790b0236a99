"""One experiment: a real client and a real server, with a line between them, as the reader chose it.

Both are pellucid's own; what misbehaves is `pellucid.lab`'s. Each handshake message travels in a
record of its own, so that the reader sees them one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pellucid import lab
from pellucid.config import TLS_1_2, TLS_1_3, ClientConfig, Policy, ServerConfig
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.crypto.suites import suite_named
from pellucid.errors import Reason, TLSError, UsageError
from pellucid.events import SessionReceived
from pellucid.glass.recorder import Followed
from pellucid.glass.trace import Trace
from pellucid.io.shell import offer_early_data
from pellucid.io.stream import TLSStream
from pellucid.io.transport import TLSTransport
from pellucid.live.choices import Choices, policy_of
from pellucid.live.line import Line, Pace, Tamper
from pellucid.resumption.sessions import Session
from pellucid.resumption.tickets import ReplayMemory, SessionStore, TicketKeys
from pellucid.trust.authority import FAULTS as CERTIFICATE_FAULTS
from pellucid.trust.authority import Authority
from pellucid.trust.identity import Identity
from pellucid.trust.verification import Trust
from pellucid.wire.codepoints import CipherSuite, ExtensionType, NamedGroup
from pellucid.wire.messages import (
    CertificateVerify,
    ClientHello,
    Finished,
    ServerHello,
    ServerKeyExchangeECDHE,
)

NAME = "server.example"
QUESTION = b"Can anybody else read this?"
REPLY = b"Nobody but you and me."
_NOWHERE = 0x1399  # a cipher suite that nobody registered
_QUICK, _PATIENT = 30.0, 900.0  # seconds that an experiment may take; the latter where the reader steps


class Laboratory:
    """Authorities and certificates, made once and kept: keys take time to find."""

    def __init__(self) -> None:
        self.root = Authority.create("pellucid live root")
        self.authority = self.root.intermediate("pellucid live authority")
        self.stranger = Authority.create("an authority that nobody knows")
        self._kept: dict[tuple[str, str], Identity] = {}

    def server(self, key: str, fault: str) -> Identity:
        """The server's certificate, with what is wrong with it."""
        if (key, fault) not in self._kept:
            self._kept[key, fault] = self._issue(key, fault)
        return self._kept[key, fault]

    def _issue(self, key: str, fault: str) -> Identity:
        authority = self.stranger if fault == "unknown-ca" else self.authority
        named = fault if fault in CERTIFICATE_FAULTS else None
        identity = authority.issue(NAME, key=key, fault=named)
        if fault == "revoked":
            return identity.replace(ocsp=authority.staple(identity, revoked=time.time() - 86_400))
        return identity

    def client(self) -> Identity:
        """A client's certificate."""
        if ("", "client") not in self._kept:
            self._kept["", "client"] = self.authority.issue("reader@example.org", client=True)
        return self._kept["", "client"]


@dataclass
class Experiment:
    """A connection that is watched.

    Parameters:
        choices: what the reader chose.
        laboratory: where the certificates come from.
        told: called whenever there is something new to see.
        trust: whom to believe where the server is one in the world.

    Attributes:
        client, server: the traces; `server` is None where it is somebody else's.
        key: the server's private key; None before it is made, and where it is somebody else's.
        error: what went wrong outside of TLS.
    """

    choices: Choices
    laboratory: Laboratory
    told: Callable[[], None] = lambda: None
    trust: Trust | None = None
    key: Any = None
    error: OSError | TLSError | None = None
    client: Trace = field(init=False)
    server: Trace | None = field(init=False)
    pace: Pace = field(init=False)
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        self.client = Followed(self.told)
        self.server = None if self.choices.host else Followed(self.told)
        self.pace = Pace(self.choices.pace)
        self.line = Line(self.pace, _tamper(self.choices), self.told)

    @property
    def patience(self) -> float:
        """Seconds that it may take."""
        return _PATIENT if self.pace.by_hand else _QUICK

    async def run(self) -> None:
        """Let it happen. What goes wrong in it is in the traces, or in `error`."""
        try:
            async with asyncio.timeout(self.patience):
                await (self._elsewhere() if self.choices.host else self._here())
        except TimeoutError:
            self.error = TimeoutError(f"{self.patience:.0f} seconds are over")
        finally:
            await self.line.close()

    # -- both ends are ours --------------------------------------------------------------------------

    async def _here(self) -> None:
        client, server = await asyncio.to_thread(self._configs)
        client_faults, server_faults = _script(self.choices)
        loop = asyncio.get_running_loop()
        served: asyncio.Future[None] = loop.create_future()
        tasks: set[asyncio.Task[None]] = set()

        def accept() -> TLSTransport:
            end = self._end(lab.MisbehavingServer(server, *server_faults, lab.apart()))
            task = loop.create_task(self._talk(end, _answer))
            tasks.add(task)
            task.add_done_callback(lambda _: _resolve(served))
            return end

        listening = await loop.create_server(accept, "127.0.0.1", 0)
        with contextlib.closing(listening):  # it waits for nobody: the line is taken down behind it
            port = await self.line.open("127.0.0.1", listening.sockets[0].getsockname()[1])
            connection = lab.MisbehavingClient(client, NAME, *client_faults, lab.apart())
            if self.choices.way == "early-data":
                offer_early_data(connection, QUESTION)
            await self._connect(connection, port)
            await served

    async def _connect(self, connection: Connection, port: int) -> None:
        """The client's side, from its first message to its last."""
        end = self._end(connection)
        await asyncio.get_running_loop().create_connection(lambda: end, "127.0.0.1", port)
        await self._talk(end, _ask)

    def _end(self, connection: Connection) -> TLSTransport:
        patience = self.patience
        stream = TLSStream()
        return TLSTransport(stream, connection, handshake_timeout=patience, shutdown_timeout=patience)

    async def _talk(self, end: TLSTransport, say: Callable[[TLSStream], Awaitable[None]]) -> None:
        """One side: handshake, some words, the end. What TLS refuses is in the traces already."""
        with contextlib.suppress(TLSError, OSError):
            await end.ready
            stream = end.get_protocol()
            await say(stream)
            await stream.aclose()

    def _configs(self) -> tuple[ClientConfig, ServerConfig]:
        """The two configurations. Makes keys, which takes a moment."""
        choices, laboratory = self.choices, self.laboratory
        client_policy, server_policy = _policies(choices)
        identity = laboratory.server(choices.certificate, choices.fault)
        self.key = identity.key
        ours = choices.way == "client-certificate" and choices.fault != "no-client-certificate"
        required = choices.way == "client-certificate" or choices.fault == "no-client-certificate"
        resumed = choices.way in ("resumption", "early-data")
        early = choices.way == "early-data"
        server = ServerConfig(
            policy=server_policy,
            identities=(identity,),
            alpn=("http/1.1",),
            client_auth="require" if required else "none",
            client_trust=laboratory.root.trust() if required else None,
            tickets=1,
            ticket_issuer=TicketKeys(),  # the same for the connection before and the one that is seen
            session_cache=SessionStore() if resumed else None,
            max_early_data=16_384 if early else 0,
            replay_guard=ReplayMemory(started_at=time.time() - 3600) if early else None,
        )
        client = ClientConfig(
            policy=client_policy,
            trust=laboratory.root.trust(),
            identities=(laboratory.client(),) if ours else (),
            alpn=("h2",) if choices.fault == "no-protocol" else ("h2", "http/1.1"),
            early_data=early,
        )
        if resumed:
            client = client.replace(sessions=_earlier(client, server))
        return client.replace(observer=self.client), server.replace(observer=self.server)

    # -- the server is somebody else's ------------------------------------------------------------------

    async def _elsewhere(self) -> None:
        host, port = place(self.choices.host)
        config = ClientConfig(trust=self.trust, observer=self.client, alpn=("h2", "http/1.1"))
        near = await self.line.open(host, port)
        connection = lab.MisbehavingClient(config, host, lab.apart())
        await self._connect(connection, near)
        if self.line.error is not None:
            self.error = self.line.error


def place(text: str, default_port: int = 443) -> tuple[str, int]:
    """HOST, HOST:PORT, [IPv6]:PORT or https://HOST/ as host and port.

    Raises:
        UsageError: it is none of these (`Reason.BAD_CONFIG`).

    >>> place("example.org"), place("https://[::1]:8443/x")
    (('example.org', 443), ('::1', 8443))
    """
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(Reason.BAD_CONFIG, f"{text!r} is no host: {error}") from None
    if not host:
        raise UsageError(Reason.BAD_CONFIG, f"{text!r} is no host")
    return host, port or default_port


def _policies(choices: Choices) -> tuple[Policy, Policy]:
    """The client's policy and the server's: the suite and the group are the server's choice."""
    client = server = policy_of(choices.version)
    if choices.suite:
        server = server.replace(cipher_suites=(suite_named(choices.suite, legacy=True).code,))
    if choices.group:
        group = next(group for group in NamedGroup if group.name == choices.group)
        server = server.replace(groups=(group,))
        client = client.replace(key_shares=(group,))
    if choices.way == "hello-retry":
        asked = server.groups[0] if choices.group else NamedGroup.secp384r1
        other = NamedGroup.x25519 if asked != NamedGroup.x25519 else NamedGroup.secp256r1
        client, server = client.replace(key_shares=(other,)), server.replace(groups=(asked,))
    if choices.fault == "no-suite":
        chacha, aes = (tuple(c for c in server.suites if _is_chacha(c) is wish) for wish in (True, False))
        client, server = client.replace(cipher_suites=aes), server.replace(cipher_suites=chacha)
    if choices.fault == "no-version":
        other_version = TLS_1_2 if choices.version == "1.3" else TLS_1_3
        server = Policy(versions=(other_version,))
    if choices.fault == "downgrade":
        client = server = Policy()
    return client, server


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _is_chacha(code: int) -> bool:
    return "CHACHA20" in CipherSuite.name_of(code)


def _earlier(client: ClientConfig, server: ServerConfig) -> tuple[Session, ...]:
    """A connection that came before, in memory: what it left to resume with."""
    talk = lab.converse(ClientConnection(client, NAME), ServerConnection(server))
    return tuple(event.session for event in talk.client_events if isinstance(event, SessionReceived))


def _script(choices: Choices) -> tuple[list[lab.Fault], list[lab.Fault]]:
    """What the client does wrong, and what the server does wrong."""
    signature = CertificateVerify if choices.version == "1.3" else ServerKeyExchangeECDHE
    data_epoch, first_data = (3, 1) if choices.version == "1.3" else (1, 2)
    of_client: dict[str, lab.Fault] = {
        "wrong-client-finished": lab.flip(Finished),
        "changed-record": lab.corrupt(epoch=data_epoch, nth=first_data),
    }
    of_server: dict[str, lab.Fault] = {
        "wrong-signature": lab.flip(signature),
        "no-signature": lab.drop(CertificateVerify),
        "wrong-finished": lab.flip(Finished),
        "unoffered-suite": lab.edit(ServerHello, cipher_suite=_NOWHERE),
    }
    return (
        [of_client[choices.fault]] if choices.fault in of_client else [],
        [of_server[choices.fault]] if choices.fault in of_server else [],
    )


def _tamper(choices: Choices) -> Tamper | None:
    """What somebody on the wire does."""
    return {"changed-hello": _change_hello, "downgrade": _downgrade, "cut": _cut}.get(choices.fault)


def _change_hello(sender: str, number: int, record: bytes) -> bytes:
    """One bit of the client's random: behind the record's header (5), the message's (4), the version (2)."""
    if (sender, number) != ("client", 1):
        return record
    return record[:11] + bytes([record[11] ^ 1]) + record[12:]


def _downgrade(sender: str, number: int, record: bytes) -> bytes:
    """TLS 1.3 disappears from the ClientHello (RFC 8446 section 4.1.3 says how this is noticed)."""
    if (sender, number) != ("client", 1):
        return record
    hello: Any = ClientHello.decode(record[9:])
    gone = (ExtensionType.supported_versions, ExtensionType.key_share)
    hello.extensions = {kind: body for kind, body in hello.extensions.items() if kind not in gone}
    raw: bytes = hello.to_handshake()
    return record[:3] + len(raw).to_bytes(2, "big") + raw


def _cut(sender: str, number: int, record: bytes) -> bytes | None:
    """The server says one thing, and then there is silence."""
    return None if (sender, number) == ("server", 2) else record


async def _ask(stream: TLSStream) -> None:
    """The client's part: a question, unless it went early, the answer, the end."""
    tls = stream.tls
    if tls.connection.info.early_data != "accepted":
        await stream.send(QUESTION)
    await stream.read(1024)
    stream.write_eof()
    await stream.read()


async def _answer(stream: TLSStream) -> None:
    """The server's part."""
    if not stream.tls.early_data:
        await stream.read(1024)
    await stream.send(REPLY)
    await stream.read()
    stream.write_eof()
