"""What a peer is to the benchmark: a library that makes two ends of a connection in memory.

An adapter does what a user of that library would write, and nothing more; its own cost is part of
what is measured. This file imports as little as it can: the time to the first handshake is measured
through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..certs import Material
    from ..scenario import Scenario


class BenchError(Exception):
    """A measurement that cannot be made, said in one line."""


class Missing(BenchError):
    """A peer that is not installed."""


class Endpoint:
    """One side of one connection, over memory."""

    __slots__ = ()

    def step(self, data: bytes) -> bytes:
        """Take what the other side sent (b"" to begin), go as far as it goes, return what to send."""
        raise NotImplementedError

    @property
    def done(self) -> bool:
        """Whether the handshake is complete."""
        raise NotImplementedError

    @property
    def resumed(self) -> bool:
        """Whether the handshake resumed a session."""
        return False

    def session(self) -> Any:
        """What the next connection needs to resume this one."""
        raise NotImplementedError

    def leave(self) -> None:
        """Said before the connection is let go of; OpenSSL would else forget its session."""

    def seal(self, data: bytes) -> bytes:
        """Application data in, records out."""
        raise NotImplementedError

    def open(self, wire: bytes) -> Iterable[bytes | bytearray | memoryview]:
        """Records in, pieces of application data out."""
        raise NotImplementedError

    def seal_many(self, pieces: list[bytes]) -> bytes:
        """Several writes before one flush."""
        return b"".join([self.seal(piece) for piece in pieces])


class Pair:
    """The two contexts of one scenario, built once; from them any number of connections."""

    def client(self, session: Any = None) -> Endpoint:
        """A fresh client, resuming `session` if there is one."""
        raise NotImplementedError

    def server(self) -> Endpoint:
        """A fresh server."""
        raise NotImplementedError


class Peer:
    """A library in the benchmark.

    Attributes:
        name: its name in rows, JSON and on the command line.
        verifies: what its client checks of the server: "chain, name", "chain" or "nothing".
        slow: measured over fewer rounds and never in bulk of megabytes.
        statement: the import statement that a user of it begins with.
    """

    name = ""
    verifies = "chain, name"
    slow = False
    statement = ""

    def versions(self) -> str:
        """The library's version, and its crypto's; raises Missing where it is not installed."""
        raise NotImplementedError

    def refusal(self, scenario: Scenario) -> str:
        """Why it cannot do this scenario, in a few words; "" if it can."""
        raise NotImplementedError

    def pair(self, scenario: Scenario, material: Material) -> Pair:
        """The contexts of this scenario."""
        raise NotImplementedError

    protects_records = True
    """False for an engine that carries bare handshake messages, as QUIC's do."""


def load(module: str, distribution: str) -> Any:
    """Import a peer's module, or say what to install."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Missing(f"{distribution} is not installed (pip install 'pellucid[bench]'): {error}") from None


def version_of(distribution: str) -> str:
    """The installed version of a distribution."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        raise Missing(f"{distribution} is not installed (pip install 'pellucid[bench]')") from None


def join(client: Endpoint, server: Endpoint) -> None:
    """Carry bytes between two ends until neither has more to say."""
    to_server = client.step(b"")
    while to_server:
        to_client = server.step(to_server)
        if not to_client:
            break
        to_server = client.step(to_client)
    if not (client.done and server.done):
        raise BenchError("the handshake stopped before its end")


def earlier_session(pair: Pair) -> Any:
    """A session to resume, tried once."""
    client = pair.client()
    join(client, pair.server())
    session = client.session()
    client.leave()
    again = pair.client(session)
    join(again, pair.server())
    if not again.resumed:
        raise BenchError("the session was not resumed")
    again.leave()
    return session
