"""The bench proves itself before pellucid sits on it.

Every server answers `openssl s_client`, every client reaches `openssl s_server`. What fails here is the
peer's fault or the bench's, never pellucid's.
"""

from __future__ import annotations

import dataclasses
import subprocess
import time

import pytest

from .bench import Certificates, Peer, PeerFailed, Setup, answered, converse, question, running
from .certificates import make_certificates
from .commands import OpenSSL
from .peers import PEERS

pytestmark = [pytest.mark.interop, pytest.mark.slow]

OPENSSL = OpenSSL()
RUNS = (Setup(version="1.3", key="ecdsa"), Setup(version="1.2", key="rsa"), Setup(version="1.2", key="ecdsa"))


def cells(role: str) -> list[object]:
    """Every peer in that role with every version that it speaks."""
    return [
        pytest.param(peer, setup, id=f"{peer.name}-{setup.version}-{setup.key}")
        for peer in PEERS
        for setup in RUNS
        if setup.version in getattr(peer, role)
    ]


def run(server: Peer, client: Peer, setup: Setup, certificates: Certificates) -> None:
    if client.asks == "http":
        setup = dataclasses.replace(setup, http=True)
    reply = "http" if setup.http else server.answers
    asked = question(reply, 3000)
    with server.serve(setup, certificates) as serving:
        try:
            visit = client.visit(serving.port, setup, certificates, asked)
        except PeerFailed as error:
            pytest.fail(f"{error}\n  the server's stderr: {serving.child.stderr[-2000:]}")
    assert answered(reply, asked, visit.answered)


@pytest.mark.parametrize(("peer", "setup"), cells("server"))
def test_every_server_answers_openssl(peer: Peer, setup: Setup, certificates: Certificates) -> None:
    if reason := peer.missing("server") or OPENSSL.missing("client"):
        pytest.skip(reason)
    run(peer, OPENSSL, setup, certificates)


@pytest.mark.parametrize(("peer", "setup"), cells("client"))
def test_every_client_reaches_openssl(peer: Peer, setup: Setup, certificates: Certificates) -> None:
    if reason := peer.missing("client") or OPENSSL.missing("server"):
        pytest.skip(reason)
    run(OPENSSL, peer, setup, certificates)


@pytest.mark.parametrize(
    "client", [peer for peer in PEERS if peer.client and peer.tells], ids=lambda peer: peer.name
)
def test_every_client_refuses_an_unknown_root(
    client: Peer, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Or the matrix would prove nothing about certificates."""
    if reason := client.missing("client") or OPENSSL.missing("server"):
        pytest.skip(reason)
    stranger = make_certificates(tmp_path_factory.mktemp("stranger"))
    setup = Setup(version="1.2", http=client.asks == "http")
    with OPENSSL.serve(setup, stranger) as serving:
        asked = question(client.asks, 100)
        with pytest.raises(PeerFailed) as failure:
            client.visit(serving.port, setup, certificates, asked)
    assert "not done within" not in str(failure.value)


def test_a_hanging_process_is_ended_with_its_children() -> None:
    started = time.monotonic()
    with (
        running(["sh", "-c", "sleep 77 & sleep 77"]) as child,
        pytest.raises(PeerFailed, match="not done within"),
    ):
        converse(child, b"x", seconds=0.5)
    assert time.monotonic() - started < 60  # they sleep for 77
    while alive(child.process.pid):  # a signal takes its way
        time.sleep(0.01)


def alive(group: int) -> bool:
    """Whether one of a process group still runs."""
    states = subprocess.run(["ps", "-o", "stat=", "-g", str(group)], capture_output=True, check=False)
    return not all(state.startswith(b"Z") for state in states.stdout.split())
