"""Every adapter does what its row says: the same version, and data that arrives."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from pellucid.bench.certs import Material, material_for
from pellucid.bench.floor import handshake_floor, record_floor
from pellucid.bench.harness import BOTH
from pellucid.bench.peers import OURS, THEIRS, peer_named
from pellucid.bench.peers.base import Missing, Peer, earlier_session, join
from pellucid.bench.rows import ROWS
from pellucid.bench.rows.dropin import DROP_IN
from pellucid.bench.rows.handshakes import ROWS as HANDSHAKES
from pellucid.bench.scenario import TLS12_SUITES, TLS13, TLS13_SUITES, Scenario
from pellucid.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:.*asyncore:DeprecationWarning")  # tlslite-ng

RESUMING = Scenario(resume=True)
TLS12 = Scenario(tls13=False, key="rsa", suite=TLS12_SUITES["static-rsa"])


def peer(name: str) -> Peer:
    """The peer, or a skip that names it."""
    try:
        found = peer_named(name)
        found.versions()
    except Missing as error:
        pytest.skip(str(error))
    return found


@pytest.mark.parametrize("name", [OURS, DROP_IN, *THEIRS])
def test_data_arrives_both_ways(name: str) -> None:
    subject = peer(name)
    pair = subject.pair(TLS13, material_for(TLS13))
    client, server = pair.client(), pair.server()
    join(client, server)
    if subject.protects_records:
        assert b"".join(server.open(client.seal(b"up" * 300))) == b"up" * 300
        assert b"".join(client.open(server.seal(b"down"))) == b"down"
        assert b"".join(server.open(client.seal_many([b"a", b"b"]))) == b"ab"


@pytest.mark.parametrize("name", [OURS, DROP_IN, *THEIRS])
@pytest.mark.parametrize("scenario", [RESUMING, TLS12], ids=["resume", "static-rsa"])
def test_a_scenario_is_done_or_refused_by_name(name: str, scenario: Scenario) -> None:
    subject = peer(name)
    if reason := subject.refusal(scenario):
        pytest.skip(f"{name}: {reason}")
    pair = subject.pair(scenario, material_for(scenario))
    if scenario.resume:
        client = pair.client(earlier_session(pair))
        join(client, pair.server())
        assert client.resumed
    else:
        join(pair.client(), pair.server())


def test_the_standard_ssl_is_pinned_to_suite_and_version() -> None:
    for scenario in (Scenario(suite=TLS13_SUITES["chacha20"]), TLS12):
        pair: Any = peer("ssl").pair(scenario, material_for(scenario))
        client, server = pair.client(), pair.server()
        join(client, server)
        assert client.object.cipher()[0] == scenario.suite
        assert client.object.version() == ("TLSv1.3" if scenario.tls13 else "TLSv1.2")


def test_the_drop_in_is_measured_by_what_its_users_import() -> None:
    pair: Any = peer(DROP_IN).pair(TLS13, material_for(TLS13))
    client, server = pair.client(), pair.server()
    join(client, server)
    assert client.object.info.peer_chain, "pellucid's own object"
    assert client.object.cipher()[0] == TLS13.suite
    assert set(ROWS["dropin-100"].enter({OURS: peer(OURS), "ssl": peer("ssl")}, False).subjects) == {
        OURS,
        "ssl",
    }


def test_the_drop_in_verifies_each_chain_as_openssl_does_unless_the_row_says_otherwise() -> None:
    for again in (False, True):
        scenario = Scenario(again=again)
        pair: Any = peer(DROP_IN).pair(scenario, material_for(scenario))
        client, server = pair.client(), pair.server()
        join(client, server)
        remembered = client.object._sslobj._judge.trust._believed._paths
        assert bool(remembered) is again


def test_the_standard_ssl_checks_the_chain() -> None:
    good = material_for(TLS13)
    stranger = Material("ecdsa", 2, 1)
    stranger.root = stranger.leaf  # an authority of another name
    stranger.trusted = (material_for(Scenario(key="rsa")).root,)
    stranger.sent, stranger.leaf = good.sent, good.leaf
    pair: Any = peer("ssl").pair(TLS13, stranger)
    with pytest.raises(ssl.SSLCertVerificationError):
        join(pair.client(), pair.server())


@pytest.mark.parametrize("row", HANDSHAKES, ids=lambda row: row.name)
def test_every_handshake_row_has_a_floor(row: Any) -> None:
    scenario = row.enter.args[0]
    sample = handshake_floor(scenario, material_for(scenario))(2)
    assert sample.cost[BOTH] == pytest.approx(sample.cost["client"] + sample.cost["server"])
    assert sample.cost["client"] > 0


def test_a_record_floor_seals_and_opens() -> None:
    cost = record_floor("chacha20", 40000)(2).cost
    assert cost["seal"] > 0
    assert cost["open"] > 0


def test_rows_can_be_listed_and_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--list"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert listed == set(ROWS)
    assert main(["bench", "--rows", "tls14"]) == 2
    assert "No row is named 'tls14'" in capsys.readouterr().err
    assert main(["bench", "--peers", "nss", "--base", "ssl", "--rows", "tls13-ecdsa"]) == 2
    assert "No peer is named 'nss'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_ends_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    peer("pyopenssl")
    asked = ["--quick", "--json", "--base", "ssl", "--peers", "pyopenssl", "--rows", "tls13-ecdsa"]
    assert main(["bench", *asked]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["row"], row["peer"]) for row in rows] == [
        ("tls13-ecdsa", "pyopenssl"),
        ("tls13-ecdsa-client", "pyopenssl"),
        ("tls13-ecdsa-server", "pyopenssl"),
    ]
    assert all(row["ratio"] > 0 and row["floor"] > 0 for row in rows)
