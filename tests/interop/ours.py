"""pellucid's side of a run: configurations from a Setup, an echoing server, a client that reads on."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pellucid
from pellucid import ClientConfig, Identity, Policy, PreSharedKey, ReplayMemory, Secret, ServerConfig, Trust
from pellucid.config import DEFAULT_SCHEMES
from pellucid.connection import ServerConnection
from pellucid.events import KeysUpdated
from pellucid.legacy import old_peers_policy
from pellucid.resumption.tickets import SessionStore
from pellucid.wire.codepoints import CertificateCompressionAlgorithm, CipherSuite, NamedGroup, SignatureScheme

from .bench import SCT, Certificates, Reply, Setup

SECONDS = 30.0
CHUNK = 16384
VERSIONS = {"1.2": 0x0303, "1.3": 0x0304}
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"


def policy(setup: Setup) -> Policy:
    """What the set-up names and nothing else; the museum's door is opened only if a suite lies behind it."""
    changes: dict[str, Any] = {}
    if setup.version:
        changes["versions"] = (VERSIONS[setup.version],)
    if setup.groups:
        changes["groups"] = tuple(getattr(NamedGroup, name) for name in setup.groups)
        changes["key_shares"] = changes["groups"][:1]
    if "ems" in setup.without:
        changes["require_extended_master_secret"] = False
    if "ml-dsa" in setup.without:
        schemes = (one for one in DEFAULT_SCHEMES if not SignatureScheme.name_of(one).startswith("mldsa"))
        changes["signature_schemes"] = tuple(schemes)
    changes["encrypt_then_mac"] = "etm" not in setup.without
    if setup.compression:
        changes["certificate_compression"] = (getattr(CertificateCompressionAlgorithm, setup.compression),)
        changes["compress_above"] = 0
    if setup.limit:
        changes["record_size_limit"] = setup.limit
    if setup.fragment:
        changes["max_fragment_length"] = setup.fragment
    changes.update(setup.ours)
    museum = False
    if setup.suites:
        changes["cipher_suites"] = tuple(getattr(CipherSuite, name) for name in setup.suites)
        museum = any("TLS_RSA_" in name or "_CBC_" in name for name in setup.suites)
    return old_peers_policy(**changes) if museum else Policy(**changes)


def _psks(setup: Setup) -> tuple[PreSharedKey, ...]:
    return (PreSharedKey(setup.psk_identity.encode(), Secret(setup.psk)),) if setup.psk else ()


def client_config(setup: Setup, certificates: Certificates, **more: Any) -> ClientConfig:
    """A client that trusts the root of the session, and nothing else."""
    settings: dict[str, Any] = {"policy": policy(setup), "alpn": setup.alpn, "psks": _psks(setup)}
    settings["trust"] = Trust.from_pem(certificates.root.read_bytes())
    if setup.client_key:
        settings["identities"] = (_identity(certificates, f"client-{setup.client_key}"),)
    settings["early_data"] = bool(setup.early_data)
    settings["post_handshake_auth"] = setup.later
    settings["request_scts"] = setup.scts
    if setup.raw_keys:
        settings["server_certificate_types"] = settings["client_certificate_types"] = (2,)
        settings["trusted_public_keys"] = (_spki(certificates, setup.key),)
        if setup.client_key:
            settings["identities"] = (_raw(certificates, f"client-{setup.client_key}"),)
    settings["session_tickets"] = "tickets" not in setup.without
    return ClientConfig(**(settings | more))


def server_config(setup: Setup, certificates: Certificates, **more: Any) -> ServerConfig:
    """A server with the leaf that the set-up names."""
    settings: dict[str, Any] = {"policy": policy(setup), "alpn": setup.alpn, "psks": _psks(setup)}
    settings["identities"] = (_server_identity(setup, certificates),)
    if setup.server_name != "localhost":
        settings["identities"] += (_identity(certificates, "other"),)
    if setup.raw_keys:
        settings["server_certificate_types"] = settings["client_certificate_types"] = (2,)
        if setup.client_key:
            settings["trusted_public_keys"] = (_spki(certificates, f"client-{setup.client_key}"),)
    settings["post_handshake_auth"] = setup.later
    if setup.client_key:
        settings["client_auth"] = "none" if setup.later else "require"
        settings["client_trust"] = Trust.from_pem(certificates.root.read_bytes())
    if setup.version == "1.2" and setup.times > 1:
        # Who asks for no ticket is given a session id.
        settings["session_cache"] = SessionStore(single_use=False)
        settings["session_ticket_12"] = "tickets" not in setup.without
    if setup.early_data:
        settings |= {"max_early_data": 16384, "replay_guard": ReplayMemory(started_at=time.time() - 3600)}
    return ServerConfig(**(settings | more))


def _identity(certificates: Certificates, kind: str) -> Identity:
    return Identity.from_files(certificates.certificate(kind), certificates.key(kind))


def _server_identity(setup: Setup, certificates: Certificates) -> Identity:
    if setup.raw_keys:
        return _raw(certificates, setup.key)
    staple = certificates.staple(setup.key).read_bytes() if setup.staple else None
    scts = (SCT,) if setup.scts else ()
    return _identity(certificates, setup.key).replace(ocsp=staple, scts=scts)


def _raw(certificates: Certificates, kind: str) -> Identity:
    return Identity.raw(certificates.key(kind).read_bytes())


def _spki(certificates: Certificates, kind: str) -> bytes:
    return _raw(certificates, kind).raw_public_key


class Seen:
    """An observer that keeps every handshake message, for what `ConnectionInfo` does not tell."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def open(self, role: str, name: str | None) -> Callable[..., None]:
        def note(kind: str, **fields: Any) -> None:
            if kind == "message":
                self.messages.append(bytes(fields["raw"]))

        return note


@dataclasses.dataclass
class Listening:
    """A pellucid server while it runs: what each finished connection agreed on, and what went wrong."""

    port: int
    infos: list[pellucid.ConnectionInfo] = dataclasses.field(default_factory=list)
    early_data: list[bytes] = dataclasses.field(default_factory=list)
    events: list[Any] = dataclasses.field(default_factory=list)
    exported: list[str] = dataclasses.field(default_factory=list)
    errors: list[BaseException] = dataclasses.field(default_factory=list)
    idle: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def wait(self, connections: int, seconds: float = SECONDS) -> None:
        """Until so many connections were finished or failed."""
        with self.idle:
            self.idle.wait_for(lambda: len(self.infos) + len(self.errors) >= connections, seconds)


@contextlib.contextmanager
def listening(config: ServerConfig, *, update_keys: bool = False, export: str = "") -> Iterator[Listening]:
    """Serve on a loopback port: echo what comes, or answer an HTTP GET with a page.

    With `update_keys`, a KeyUpdate that asks for the peer's is sent before the first answer.
    """

    def handle(connection: pellucid.TLSSocket) -> None:
        if connection.early_data:
            connection.sendall(connection.early_data)
        first = True
        if export:
            record.exported.append(_exported(connection, export))
        server_side = connection.connection
        assert isinstance(server_side, ServerConnection)
        while data := connection.recv():
            if config.post_handshake_auth and first:
                server_side.request_certificate(required=True)
            if update_keys and first:
                connection.connection.update_keys(request=True)
            first = False
            connection.sendall(PAGE if data.startswith(b"GET ") else data)
            if data.startswith(b"GET "):
                break
        with record.idle:
            record.infos.append(connection.info)
            record.early_data.append(connection.early_data)
            record.events.extend(connection.events)
            record.idle.notify_all()

    def failed(error: BaseException) -> None:
        with record.idle:
            record.errors.append(error)
            record.idle.notify_all()

    record = Listening(0)
    with pellucid.serve(handle, config, timeout=SECONDS, on_error=failed) as server:
        record.port = server.port
        yield record


def _exported(connection: pellucid.TLSSocket, label: str) -> str:
    core = connection.connection
    return (core.channel_binding(label) if label == "tls-unique" else core.export(label).reveal()).hex()


def ask(connection: pellucid.TLSSocket, asked: bytes, reply: Reply, before: bytes = b"") -> bytes:
    """Send, and return what came back: piece by piece where the server echoes every byte.

    `before` is early data, whose echo comes first.
    """
    if reply == "http":
        connection.sendall(asked)
        return b"".join(_rest(connection))
    got = bytearray()
    step = CHUNK if reply == "echo" else max(len(asked), 1)
    for at in range(0, len(asked), step):
        piece = asked[at : at + step]
        connection.sendall(piece)
        while len(got) < len(before) + at + len(piece):
            data = connection.recv()
            if not data:
                raise AssertionError(f"the server closed after {len(got)} bytes")
            got += data
    return bytes(got)


def _rest(connection: pellucid.TLSSocket) -> Iterator[bytes]:
    """Everything until the end; web servers are known to close without close_notify."""
    with contextlib.suppress(pellucid.ConnectionEnded):
        while data := connection.recv():
            yield data


def visit(
    port: int,
    config: ClientConfig,
    asked: bytes,
    reply: Reply,
    *,
    update_keys: bool = False,
    early_data: bytes = b"",
    server_name: str = "localhost",
    export: str = "",
) -> tuple[bytes, pellucid.ConnectionInfo, Sequence[pellucid.Session], str]:
    """Connect, exchange, close.

    Returns what came back, what was agreed on, sessions for the next visit, and exported keying material.
    """
    with pellucid.connect(
        "127.0.0.1", port, config=config, server_name=server_name, timeout=SECONDS, early_data=early_data
    ) as connection:
        if update_keys:
            connection.connection.update_keys(request=True)
        got = ask(connection, asked, reply, early_data if reply == "echo" else b"")
        if update_keys and not any(isinstance(event, KeysUpdated) for event in connection.events):
            raise AssertionError("the server did not update its keys when it was asked to")
        exported = _exported(connection, export) if export else ""
        return got, connection.info, tuple(connection.sessions), exported
