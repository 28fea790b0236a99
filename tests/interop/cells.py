"""The cells of the matrix: which feature is tried with which peer, in which role."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .bench import Peer, Setup
from .features import FEATURES, Feature, Role
from .peers import PEERS

ROLES: tuple[Role, Role] = ("client", "server")
THIRD = 3  # the short form tries every third cell, and all of a feature that few peers know
FEW = 4

# Cells in which the fault was found to be the peer's, with what is wrong.
THEIRS: dict[tuple[str, str, Role], str] = {
    ("gnutls", "TLS 1.2: external PSK", "server"): (
        "gnutls-cli 3.7.9 ends with SIGSEGV in every handshake with ECDHE_PSK, with `openssl s_server` too"
    ),
    ("mbedtls", "TLS 1.2: records of 512 bytes at most", "server"): (
        "mbedTLS 2.28 does not join a handshake message from several records: it ends with "
        "MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE (0x7080)"
    ),
    ("wolfssl", "TLS 1.3: records of 512 bytes at most", "server"): (
        "wolfSSL 5.5.4 ends, in about half of the runs, with `Handshake message too large` (-404): our "
        "messages follow each other without a gap, as RFC 8446 section 5.1 allows, so that a message's "
        "head may be cut in two; `openssl s_server` begins each message in a record of its own"
    ),
}
# Those of them that do not show every time.
SOMETIMES = frozenset({("wolfssl", "TLS 1.3: records of 512 bytes at most", "server")})


@dataclasses.dataclass(frozen=True)
class Cell:
    """pellucid is the `role`, `peer` the other side."""

    feature: Feature
    peer: Peer
    role: Role

    @property
    def setup(self) -> Setup:
        """The feature's, as this peer can bear it."""
        without = self.feature.setup.without | self.peer.lacks
        return dataclasses.replace(self.feature.setup, without=without)

    @property
    def fault(self) -> str | None:
        """What is wrong with the peer here, if the fault was found to be its own."""
        return THEIRS.get((self.peer.name, str(self.feature), self.role))

    @property
    def always(self) -> bool:
        """Whether the peer's fault shows in every run."""
        return (self.peer.name, str(self.feature), self.role) not in SOMETIMES

    def __str__(self) -> str:
        words = f"{self.peer.name}-{self.role}-{self.feature.section}-{self.feature.name}"
        return words.replace(" ", "_").replace(",", "")


def cells(features: Sequence[Feature] = FEATURES, peers: Sequence[Peer] = PEERS) -> list[Cell]:
    """Every feature with every peer that knows it, in both roles."""
    return [
        Cell(feature, peer, role)
        for peer in peers
        for role in ROLES
        for feature in features
        if feature.within(peer, role)
    ]


def short(features: Sequence[Feature] = FEATURES, peers: Sequence[Peer] = PEERS) -> list[Cell]:
    """A share of them that still meets every feature with several peers and every peer in every role.

    Peers take turns from row to row; a row that few know is tried with all of them.
    """
    known = {(str(cell.feature), cell.role): 0 for cell in cells(features, peers)}
    for cell in cells(features, peers):
        known[str(cell.feature), cell.role] += 1
    chosen = []
    turn: dict[tuple[str, Role], int] = {}
    for cell in cells(features, peers):
        row = (str(cell.feature), cell.role)
        turn[row] = turn.get(row, list(known).index(row) % THIRD - 1) + 1
        if known[row] <= FEW or turn[row] % THIRD == 0:
            chosen.append(cell)
    return chosen
