"""Feature by peer by role: pellucid with every other TLS stack that is installed, both ways.

Each cell is one conversation over loopback with a real process, where the feature must be in force on our
side (ConnectionInfo says so) and every byte must come back. A plain run tries about a third of the cells;
PELLUCID_INTEROP=whole tries all (`make interop`). What each came to goes to a file of results (conftest.py),
from which table.py draws docs/interop.md.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest

from pellucid import ConnectionInfo
from pellucid.events import KeysUpdated
from pellucid.wire.codepoints import HandshakeType

from .bench import SCT, Certificates, Peer, PeerFailed, Setup, answered, question
from .cells import Cell, cells, short
from .features import Role
from .ours import Seen, client_config, listening, server_config, visit
from .peers import Program

ALGORITHMS = {"zlib": 1, "brotli": 2, "zstd": 3}
pytestmark = [pytest.mark.interop, pytest.mark.slow]

WHOLE = os.environ.get("PELLUCID_INTEROP") == "whole"


def params() -> list[Any]:
    """The cells of this run; those whose fault is the peer's are expected to fail."""
    return [
        pytest.param(
            cell,
            id=str(cell),
            marks=[pytest.mark.xfail(reason=cell.fault, strict=cell.always)] if cell.fault else [],
        )
        for cell in (cells() if WHOLE else short())
    ]


@pytest.mark.parametrize("cell", params())
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
    # Not every peer can be told for which groups it sends shares.
    if feature.kind == "retry" or not (setup.groups or "hybrid-share" in setup.without):
        assert info.retried == (feature.kind == "retry")
    if setup.client_key and cell.role == "server" and not setup.raw_keys:
        assert len(info.verified_chain) == 2
    if setup.client_key and cell.role == "client":
        assert info.client_certificate_requested
    if setup.raw_keys and (cell.role == "client" or setup.client_key):
        assert info.peer_public_key
    if setup.suites and "_CBC_" in setup.suites[0] and "etm" in feature.needs:
        assert info.encrypt_then_mac
    if "etm" in setup.without:
        assert not info.encrypt_then_mac
    if setup.server_name != "localhost":
        assert info.server_name == setup.server_name
    if cell.role == "client":
        assert bool(info.ocsp_response) >= setup.staple
        assert info.scts == ((SCT,) if setup.scts else ())
    if setup.limit:
        assert info.record_size_limit
    if feature.kind == "early" and turn > 0:
        assert info.early_data == "accepted"


def check_messages(setup: Setup, seen: Seen) -> None:
    """What was agreed on and ConnectionInfo does not tell."""
    if setup.compression:
        compressed = [raw for raw in seen.messages if raw[0] == HandshakeType.compressed_certificate]
        assert {raw[4:6] for raw in compressed} == {ALGORITHMS[setup.compression].to_bytes(2)}
    if setup.fragment:
        extension = bytes((0, 1, 0, 1, {512: 1, 1024: 2, 2048: 3, 4096: 4}[setup.fragment]))
        hello = HandshakeType.encrypted_extensions if setup.version == "1.3" else HandshakeType.server_hello
        assert any(raw[0] == hello and extension in raw for raw in seen.messages)


def as_client(cell: Cell, certificates: Certificates) -> None:
    feature, setup, peer = cell.feature, cell.setup, cell.peer
    update = feature.kind == "update"
    seen = Seen()
    wanted = setup
    if feature.kind == "retry":
        # We send a share for x25519 only, of which this server wants to know nothing.
        wanted = dataclasses.replace(setup, groups=("x25519", *setup.groups))
    config = client_config(wanted, certificates, observer=seen)
    asked = question(peer.answers, feature.size)
    with peer.serve(setup, certificates) as serving:
        try:
            for turn in range(setup.times):
                early = setup.early_data if turn else b""
                got, info, sessions, exported = visit(
                    serving.port,
                    config,
                    asked,
                    peer.answers,
                    update_keys=update,
                    early_data=early,
                    server_name=setup.server_name,
                    export=setup.export,
                )
                back = early + asked if peer.answers == "echo" else asked
                assert answered(peer.answers, back, got)
                check(info, cell, turn=turn)
                check_messages(setup, seen)
                if setup.export:
                    assert serving.report("exporter") == exported
                config = config.replace(sessions=sessions)
        except Exception as error:
            error.add_note(
                f"the peer's stderr: {serving.child.stderr[-2000:]}\nits stdout: {serving.lines[-20:]}"
            )
            raise


def as_server(cell: Cell, certificates: Certificates) -> None:
    feature, setup, peer = cell.feature, cell.setup, cell.peer
    update = feature.kind == "update"
    record_size = setup.fragment or setup.limit
    most = min(peer.most, record_size - 1) if peer.one_record and record_size else peer.most
    asked = question(peer.asks, min(feature.size, most))
    theirs = setup
    if feature.kind == "retry":
        # Left to itself, no client sends a share for secp384r1; pellucid wants nothing else. JSSE sends one
        # for the first of each kind of curve, so two go before.
        theirs = dataclasses.replace(setup, groups=("x25519", "secp256r1", *setup.groups))
    seen = Seen()
    with listening(
        server_config(setup, certificates, observer=seen), update_keys=update, export=setup.export
    ) as record:
        try:
            visited = peer.visit(record.port, theirs, certificates, asked)
        except PeerFailed as error:
            error.add_note(f"our own errors: {record.errors!r}; what was agreed on: {record.infos!r}")
            raise
        record.wait(setup.times)
    assert peer.more_connections or not record.errors, visited.stderr
    wanted = expected(peer, setup, asked)
    assert answered(peer.asks, wanted, visited.answered), visited.stderr
    if peer.more_connections:
        del record.infos[setup.times :]
    assert len(record.infos) == setup.times
    for turn, info in enumerate(record.infos):
        check(info, cell, turn=turn)
    if update and isinstance(peer, Program) and peer.asks == "echo":
        # Tools may have sent everything before they were asked to update; our programs wait for each echo.
        assert any(isinstance(event, KeysUpdated) for event in record.events)
    check_messages(setup, seen)
    if setup.export:
        assert [report["exporter"] for report in visited.reports] == record.exported
    if setup.staple:
        assert visited.reports[0]["ocsp"] == "1"
    if setup.scts:
        assert visited.reports[0]["sct"] == "1"
    if setup.early_data:
        assert record.early_data[-1] == setup.early_data


def expected(peer: Peer, setup: Setup, asked: bytes) -> bytes:
    """All that a client must have been answered by our echo, over all its connections."""
    if peer.asks == "http":
        return asked
    if not peer.asks_each_time:
        return setup.early_data + asked
    return asked + (setup.early_data + asked) * (setup.times - 1)
