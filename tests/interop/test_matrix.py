"""Feature by peer by role: pellucid with every other TLS stack that is installed, both ways.

Each cell is one conversation over loopback with a real process, where the feature must be in force on our
side (ConnectionInfo says so) and every byte must come back. What each cell came to goes to a file of results
(conftest.py), from which table.py draws docs/interop.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pellucid import ConnectionInfo
from pellucid.events import KeysUpdated

from .bench import Certificates, Peer, PeerFailed, Setup, answered, question
from .features import FEATURES, Feature, Role
from .ours import client_config, listening, server_config, visit
from .peers import PEERS, Program

pytestmark = [pytest.mark.interop, pytest.mark.slow]

# Cells in which the fault was found to be the peer's, with what is wrong.
THEIRS: dict[tuple[str, str, Role], str] = {
    ("gnutls", "TLS 1.2: external PSK", "server"): (
        "gnutls-cli 3.7.9 ends with SIGSEGV in every handshake with ECDHE_PSK, with `openssl s_server` too"
    ),
}


@dataclasses.dataclass(frozen=True)
class Cell:
    """pellucid is the `role`, `peer` the other side."""

    feature: Feature
    peer: Peer
    role: Role

    @property
    def setup(self) -> Setup:
        """The feature's, as this peer can bear it."""
        return dataclasses.replace(self.feature.setup, without=self.feature.setup.without | self.peer.lacks)

    def __str__(self) -> str:
        return f"{self.peer.name}-{self.role}-{self.feature.section}-{self.feature.name}".replace(
            " ", "_"
        ).replace(",", "")


def cells() -> list[Any]:
    found = []
    roles: tuple[Role, Role] = ("client", "server")
    for peer in PEERS:
        for role in roles:
            for feature in FEATURES:
                if not feature.within(peer, role):
                    continue
                fault = THEIRS.get((peer.name, str(feature), role))
                marks = [pytest.mark.xfail(reason=fault, strict=True)] if fault else []
                cell = Cell(feature, peer, role)
                found.append(pytest.param(cell, id=str(cell), marks=marks))
    return found


@pytest.mark.parametrize("cell", cells())
def test_cell(cell: Cell, certificates: Certificates) -> None:
    theirs: dict[Role, str] = {"client": "server", "server": "client"}
    if reason := cell.peer.missing(theirs[cell.role]):
        pytest.skip(reason)
    if cell.role == "client":
        as_client(cell, certificates)
    else:
        as_server(cell, certificates)


def check(info: ConnectionInfo, cell: Cell, *, turn: int) -> None:
    """What the set-up asked for is what our side says was agreed on."""
    setup, feature = cell.setup, cell.feature
    if setup.version:
        assert info.version_name == f"TLS {setup.version}"
    else:
        both = cell.peer.server if cell.role == "client" else cell.peer.client
        assert info.version_name == ("TLS 1.3" if "1.3" in both else "TLS 1.2")
    assert info.extended_master_secret == ("ems" not in setup.without or info.version_name == "TLS 1.3")
    if setup.suites:
        assert info.cipher_suite_name == setup.suites[0]
    if setup.groups:
        assert info.group_name == setup.groups[0]
    if setup.alpn:
        assert info.alpn == setup.alpn[0]
    assert info.resumed == (turn > 0)
    assert info.external_psk == bool(setup.psk)
    if (
        feature.kind == "retry" or not setup.groups
    ):  # not every peer can be told for which groups it sends shares
        assert info.retried == (feature.kind == "retry")
    if setup.client_key and cell.role == "server":
        assert len(info.verified_chain) == 2
    if setup.client_key and cell.role == "client":
        assert info.client_certificate_requested
    if feature.kind == "early" and turn > 0:
        assert info.early_data == "accepted"


def as_client(cell: Cell, certificates: Certificates) -> None:
    feature, setup, peer = cell.feature, cell.setup, cell.peer
    update = feature.kind == "update"
    config = client_config(setup, certificates)
    if feature.kind == "retry":
        # We send a share for x25519 only, of which this server wants to know nothing.
        config = client_config(dataclasses.replace(setup, groups=("x25519", *setup.groups)), certificates)
    asked = question(peer.answers, feature.size)
    with peer.serve(setup, certificates) as serving:
        try:
            for turn in range(setup.times):
                early = setup.early_data if turn else b""
                got, info, sessions = visit(
                    serving.port, config, asked, peer.answers, update_keys=update, early_data=early
                )
                wanted = early + asked if peer.answers == "echo" else asked
                assert answered(peer.answers, wanted, got)
                check(info, cell, turn=turn)
                config = config.replace(sessions=sessions)
        except Exception as error:
            error.add_note(
                f"the peer's stderr: {serving.child.stderr[-2000:]}\nits stdout: {serving.lines[-20:]}"
            )
            raise


def as_server(cell: Cell, certificates: Certificates) -> None:
    feature, setup, peer = cell.feature, cell.setup, cell.peer
    update = feature.kind == "update"
    asked = question(peer.asks, min(feature.size, peer.most))
    theirs = setup
    if feature.kind == "retry":
        # Left to itself, no client sends a share for secp384r1; pellucid wants nothing else. JSSE sends one
        # for the first of each kind of curve, so two go before.
        theirs = dataclasses.replace(setup, groups=("x25519", "secp256r1", *setup.groups))
    with listening(server_config(setup, certificates), update_keys=update) as record:
        try:
            visited = peer.visit(record.port, theirs, certificates, asked)
        except PeerFailed as error:
            error.add_note(f"our own errors: {record.errors!r}; what was agreed on: {record.infos!r}")
            raise
        record.wait(setup.times)
    assert not record.errors, visited.stderr
    wanted = expected(peer, setup, asked)
    assert answered(peer.asks, wanted, visited.answered), visited.stderr
    assert len(record.infos) == setup.times
    for turn, info in enumerate(record.infos):
        check(info, cell, turn=turn)
    if update and isinstance(peer, Program) and peer.asks == "echo":
        # Tools may have sent everything before they were asked to update; our programs wait for each echo.
        assert any(isinstance(event, KeysUpdated) for event in record.events)
    if setup.early_data:
        assert record.early_data[-1] == setup.early_data


def expected(peer: Peer, setup: Setup, asked: bytes) -> bytes:
    """All that a client must have been answered by our echo, over all its connections."""
    if peer.asks == "http":
        return asked
    if not peer.asks_each_time:
        return setup.early_data + asked
    return asked + (setup.early_data + asked) * (setup.times - 1)
