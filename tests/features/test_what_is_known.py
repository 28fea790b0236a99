"""What a connection tells of itself: `ConnectionInfo`, its JSON, and the key log.

RFC 9850 (SSLKEYLOGFILE); RFC 8446 appendix C (secrets).
"""

from __future__ import annotations

import json
import os
import stat
import warnings
from pathlib import Path

import pytest

from pellucid import ConnectionInfo, KeyLog, Policy
from pellucid.wire.codepoints import NamedGroup, SignatureScheme
from rfc.world import (
    AUTHORITY,
    CLIENT,
    ECDSA,
    PSK,
    TLS12,
    TLS13,
    TRUST,
    client,
    connected,
    early_client,
    early_config,
    server,
    server_config,
    session_from,
    talk,
)

SHARED = (
    *("version", "cipher_suite", "group", "server_name", "alpn", "resumed", "extended_master_secret"),
    *("secure_renegotiation", "client_certificate_requested", "retried", "early_data"),
)
VERSIONS = pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])


@VERSIONS
def test_both_sides_know_the_same(policy: Policy) -> None:
    found = connected(
        client(policy=policy, alpn=("h2",), identities=(CLIENT,)),
        server(policy=policy, alpn=("h2", "http/1.1"), client_auth="require", client_trust=TRUST),
    )
    one, other = found.client.info, found.server.info
    for name in SHARED:
        assert getattr(one, name) == getattr(other, name), name
    assert one.client_certificate_requested
    assert one.peer_chain == ECDSA.chain
    assert other.peer_chain == CLIENT.chain
    assert one.verified_chain[0] == ECDSA.chain[0]
    assert len(one.verified_chain) == len(other.verified_chain) == 2
    assert one.signature_scheme == other.signature_scheme == SignatureScheme.ecdsa_secp256r1_sha256
    assert one.group_name == NamedGroup.name_of(one.group or 0)
    assert other.offered_alpn == ("h2",)
    assert one.ech == "not offered"
    assert other.peer_signature_schemes
    assert (one.role, other.role) == ("client", "server")


def test_what_a_retry_a_key_and_a_resumption_leave() -> None:
    retried = connected(
        client(policy=TLS13.replace(key_shares=(0x1D,))), server(policy=TLS13.replace(groups=(0x17,)))
    )
    assert (retried.client.info.retried, retried.server.info.retried) == (True, True)
    external = connected(client(psks=(PSK,)), server(psks=(PSK,))).server.info
    assert (external.external_psk, external.psk_identity, external.resumed) == (True, PSK.identity, False)
    assert (external.peer_chain, external.signature_scheme) == ((), None)
    config = early_config()
    session = session_from(config)
    resumed = talk(early_client(session), server(config=config))
    assert resumed.client.info.early_data == resumed.server.info.early_data == "accepted"
    assert resumed.client.info.resumed
    assert resumed.client.info.peer_chain == ECDSA.chain
    assert abs(resumed.server.info.ticket_age_error or 0) < 2


@VERSIONS
def test_it_is_immutable_and_serialises(policy: Policy) -> None:
    staple = AUTHORITY.staple(ECDSA)
    config = server_config(policy, identities=(ECDSA.replace(ocsp=staple, scts=(b"sct",)),))
    info = connected(client(policy=policy, request_scts=True), server(config=config)).client.info
    with pytest.raises(AttributeError):
        info.version = 0  # type: ignore[misc]
    text = json.loads(json.dumps(info.to_json()))
    assert set(text) >= set(ConnectionInfo._fields)
    assert text["peer_chain"] == [der.hex() for der in ECDSA.chain]
    assert text["ocsp_response"] == staple.hex()
    assert text["scts"] == [b"sct".hex()]
    assert text["signature_scheme_name"] == "ecdsa_secp256r1_sha256"
    assert text["version_name"] == info.version_name
    assert all(value.__class__ in (str, int, float, bool, list, type(None)) for value in text.values())


def test_there_is_nothing_to_tell_before_the_end() -> None:
    with pytest.raises(Exception, match="not complete"):
        _ = client().info


# -- the key log -----------------------------------------------------------------------------------


def test_the_key_log_is_made_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyLog, "_warned", False)
    before = os.umask(0)
    try:
        log = KeyLog(tmp_path / "keys.log")
        assert not log.path.exists()
        with pytest.warns(UserWarning, match="keys.log"):
            log("LABEL 00 11")
        assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_one_warning_for_the_whole_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyLog, "_warned", False)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for name in ("one.log", "another.log"):
            log = KeyLog(tmp_path / name)
            log("LABEL 00 11")
            log("LABEL 22 33")
    assert len(told) == 1
    assert (tmp_path / "one.log").read_text() == "LABEL 00 11\nLABEL 22 33\n"


def test_only_the_environment_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    assert KeyLog.from_environment() is None
    monkeypatch.setenv("SSLKEYLOGFILE", "")
    assert KeyLog.from_environment() is None
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    found = KeyLog.from_environment()
    assert found is not None
    assert found.path == tmp_path / "keys.log"


@pytest.mark.parametrize("role", ["client", "server"])
@VERSIONS
def test_both_sides_log_alike(policy: Policy, role: str) -> None:
    """RFC 9850 section 2: label, client random, secret; TLS 1.2 has one line."""
    lines: dict[str, list[str]] = {"client": [], "server": []}
    connected(
        client(policy=policy, keylog=lines["client"].append),
        server(policy=policy, keylog=lines["server"].append),
    )
    assert sorted(lines["client"]) == sorted(lines["server"])
    labels = {line.split(" ")[0] for line in lines[role]}
    if policy is TLS12:
        assert labels == {"CLIENT_RANDOM"}
        assert all(len(line.split(" ")[2]) == 96 for line in lines[role])
    else:
        assert labels == {
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
            "EXPORTER_SECRET",
        }
    assert len({line.split(" ")[1] for line in lines[role]}) == 1
