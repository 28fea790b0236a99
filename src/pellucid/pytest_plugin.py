"""pytest fixtures: TLS servers and clients that are honest, or misbehave on purpose.

Installed with pellucid and known to pytest by its entry point; nothing happens until a test asks for
one of the fixtures by name:

* `tls_authority`, `tls_ca_file`: a test authority, and its root as a PEM file for whoever is tested;
* `tls_server`: starts servers to test a client with: bad certificates, bad messages, bad records;
* `tls_client`: connects to the server that is tested, and breaks rules.

    def test_my_client_refuses_an_expired_certificate(tls_server, tls_ca_file):
        trap = tls_server(certificate="expired")
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"https://localhost:{trap.port}/", verify=tls_ca_file)
        assert trap.outcome().alert.name == "certificate_expired"

See docs/lab.md for what a fault can be.
"""

# Everything heavy is imported inside the fixtures: who uses none of them pays nothing.
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pellucid.lab import Fault, Outcome, Trap
    from pellucid.trust.authority import Authority


@pytest.fixture(scope="session")
def tls_authority() -> Authority:
    """A test authority, the same for the whole run: `tls_authority.issue("name.test")` and so on."""
    from pellucid.trust.authority import Authority

    return Authority.create()


@pytest.fixture(scope="session")
def tls_ca_file(tls_authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the test authority's root in PEM: for `verify=`, `cafile=`, `--cacert`."""
    path = tmp_path_factory.mktemp("pellucid") / "root.pem"
    path.write_bytes(tls_authority.pem)
    return str(path)


class Servers:
    """What `tls_server` is: call it to start a server. All are closed when the test ends."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._started: list[Trap] = []

    def __call__(
        self,
        *faults: Fault,
        name: str = "localhost",
        certificate: str | None = None,
        answer: bytes = b"",
        host: str = "127.0.0.1",
        timeout: float = 5,
        **settings: Any,
    ) -> Trap:
        """Start a server on a free port (`trap.port`); `trap.outcome()` is what became of its first client.

        Parameters:
            faults: what it does wrong; see `pellucid.lab`.
            name: what its certificate is for.
            certificate: what is wrong with the certificate: a key of `pellucid.trust.authority.FAULTS`,
                as "expired" or "self-signed"; None for a good one.
            answer: what it sends when the handshake is done, before it closes; empty leaves it open.
            settings: of the `ServerConfig`.
        """
        from pellucid.config import ServerConfig
        from pellucid.lab import serve

        if "identities" not in settings:
            settings["identities"] = (self._authority.issue(name, fault=certificate),)

        def say(peer: Any) -> None:
            peer.send_data(answer)
            peer.close()

        config = ServerConfig(**settings)
        trap = serve(config, *faults, after=say if answer else None, host=host, timeout=timeout)
        self._started.append(trap)
        return trap

    def close(self) -> None:
        """Stop them all."""
        for trap in self._started:
            trap.close()


@pytest.fixture
def tls_server(tls_authority: Authority) -> Iterator[Servers]:
    """Starts servers that misbehave as they are told, to test a client with: see `Servers`."""
    servers = Servers(tls_authority)
    yield servers
    servers.close()


class Clients:
    """What `tls_client` is: call it to connect to the server that is tested."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def __call__(
        self,
        address: int | tuple[str, int] | Any,
        *faults: Fault,
        server_name: str | None = "localhost",
        ca: str | Path | bytes | None = None,
        send: bytes = b"",
        timeout: float = 5,
        **settings: Any,
    ) -> Outcome:
        """Connect, do wrong what `faults` say, and tell how the server took it.

        Parameters:
            address: a port on localhost, a host and port, or a connected socket.
            faults: what to do wrong; see `pellucid.lab`.
            server_name: the name to ask for.
            ca: who vouches for the server: PEM or its path; None trusts `tls_authority`.
            send: application data to send when the handshake is done.
            settings: of the `ClientConfig`.
        """
        from pellucid.config import ClientConfig
        from pellucid.lab import probe
        from pellucid.trust.verification import Trust

        if "trust" not in settings:
            settings["trust"] = self._authority.trust() if ca is None else Trust.from_pem(ca)

        def say(peer: Any) -> None:
            peer.send_data(send)

        where = ("localhost", address) if isinstance(address, int) else address
        return probe(
            where,
            ClientConfig(**settings),
            *faults,
            server_name=server_name,
            after=say if send else None,
            timeout=timeout,
        )


@pytest.fixture
def tls_client(tls_authority: Authority) -> Clients:
    """Connects to the server that is tested, and breaks rules as it is told: see `Clients`."""
    return Clients(tls_authority)
