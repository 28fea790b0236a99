"""The shim, driven by our own client and server over loopback: a runner of a few lines."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from bogo.flags import ABSENT, TABLE, Unimplemented, parse
from bogo.loopback import P12, P13, Peer, Runner, as_client, as_server, echo, quiet, refused
from bogo.main import main
from pellucid import ClientConfig, ClientConnection, Policy, ServerConfig, Trust
from pellucid.events import DataReceived, EarlyDataRefused, PeerClosed
from pellucid.resumption.sessions import Session
from pellucid.trust.authority import Authority
from pellucid.trust.identity import Identity

HERE = Path(__file__).parent


# -- the front door ----------------------------------------------------------------------------------


def test_the_probe_says_no() -> None:
    found = subprocess.run(
        [sys.executable, HERE / "main.py", "-is-handshaker-supported"], capture_output=True, check=True
    )
    assert (found.stdout, found.stderr) == (b"No\n", b"")


def test_an_unknown_flag_ends_at_once_with_89_and_imports_nothing() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from bogo.main import main; code = main(['-pigeons']); "
        "assert 'pellucid' not in sys.modules and 'cryptography' not in sys.modules; sys.exit(code)"
    )
    found = subprocess.run([sys.executable, "-c", program, str(HERE.parent)], capture_output=True)
    assert (found.returncode, found.stderr) == (89, b"")


@pytest.mark.parametrize(
    "flag", ["-dtls", "-quic", "-ech-config-list", "-ticket-key", *(f"-{x}" for x in ABSENT)]
)
def test_what_pellucid_does_not_have_is_unimplemented(flag: str) -> None:
    assert main([flag, "x"]) == 89


def test_the_executable_runs(runner: Runner, authority: Authority, identity: Identity) -> None:
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    process = subprocess.Popen(
        [HERE / "shim", "-port", str(listener.getsockname()[1]), "-shim-id", "5", "-ipv6"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PELLUCID_PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
    )
    sock, _ = listener.accept()
    with sock, listener:
        assert sock.recv(8, socket.MSG_WAITALL) == (5).to_bytes(8, "little")
        as_server(ServerConfig(identities=(identity,)), echo)(sock)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert out == b""


def test_prefixes_sort_flags_by_connection() -> None:
    first, later, retry = parse(
        ["-on-initial-expect-alpn", "a", "-on-resume-expect-alpn", "b", "-on-shim-on-retry-expect-alpn", "c"]
    )
    assert [s["expect-alpn"] for s in (first, later, retry)] == [b"a", b"b", b"c"]
    (first, *_) = parse(
        ["-curves", "29", "-curves", "23", "-on-handshaker-curves", "24", "-port", "1", "-port", "2"]
    )
    assert first["curves"] == (29, 23)
    assert first["port"] == 2


def test_credentials_take_the_flags_that_follow_them() -> None:
    line = "-key-file d -new-x509-credential -key-file a -new-rpk-credential -key-file b -signing-prefs 1027"
    first, *_ = parse(line.split())
    assert first.default["key-file"] == b"d"
    assert [c["key-file"] for c in first.credentials] == [b"a", b"b"]
    assert first.credentials[1]["signing-prefs"] == (1027,)


def test_a_flag_that_nobody_knows_raises() -> None:
    with pytest.raises(Unimplemented):
        parse(["-server", "-no-such-flag"])
    assert set(ABSENT) - set(TABLE) <= {"dtls", "quic", "ticket-key"} | {
        x for x in ABSENT if x.startswith("reneg")
    }


def test_an_unexpected_exception_exits_90(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-port", "none"]) == 90
    assert "Traceback" in capsys.readouterr().err


def test_the_runners_configuration_gives_a_reason_for_each_test_that_is_off() -> None:
    config = json.loads((HERE / "config.json").read_text())
    assert all(len(reason) > 10 for reason in config["DisabledTests"].values())
    assert all(config["ErrorMap"].values())
    assert config["HalfRTTTickets"] == 2


# -- the exchange ------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [P13, P12], ids=["1.3", "1.2"])
@pytest.mark.parametrize("more", [[], ["-async"]], ids=["", "async"])
def test_client_and_server_echo(
    runner: Runner,
    identity: Identity,
    authority: Authority,
    key_flags: list[str],
    policy: Policy,
    more: list[str],
) -> None:
    server = ServerConfig(policy=policy, identities=(identity,))
    assert runner.run(more, as_server(server, echo)) == 0
    client = ClientConfig(policy=policy, trust=authority.trust())
    assert runner.run(["-server", *key_flags, *more], as_client(client, echo)) == 0
    assert runner.stderr == ""


def test_reads_are_of_512_bytes_each_echoed_by_itself(runner: Runner, identity: Identity) -> None:
    def check(peer: Peer) -> None:
        assert peer.exchange(b"\0" * 1300) == b"\xff" * 1300
        sizes = [len(e.data) for e in peer.events if isinstance(e, DataReceived)]
        assert sizes == [512, 512, 276]

    assert runner.run([], as_server(ServerConfig(identities=(identity,)), check)) == 0


def test_the_shim_writes_first(runner: Runner, identity: Identity) -> None:
    def check(peer: Peer) -> None:
        peer.read(lambda: peer.received() == b"hallohallo")

    flags = ["-shim-writes-first", "-shim-initial-write", "hallo", "-repeat-shim-initial-write", "2"]
    assert runner.run(flags, as_server(ServerConfig(identities=(identity,)), check)) == 0


def test_exporters_and_traffic_secrets(runner: Runner, identity: Identity) -> None:
    def exported(peer: Peer) -> None:
        peer.read(lambda: len(peer.received()) >= 40)
        assert peer.received() == peer.conn.export("label", b"context", 40).reveal()

    flags = ["-export-keying-material", "40", "-export-label", "label", "-export-context", "context"]
    config = ServerConfig(identities=(identity,))
    assert runner.run([*flags, "-use-export-context"], as_server(config, exported)) == 0

    def secrets(peer: Peer) -> None:
        ours = [s.reveal() for s in peer.conn.traffic_secrets]
        peer.read(lambda: len(peer.received()) >= 2 + 2 * len(ours[0]))
        assert peer.received() == len(ours[0]).to_bytes(2, "little") + ours[1] + ours[0]

    assert runner.run(["-export-traffic-secrets"], as_server(config, secrets)) == 0


def test_tls_unique(runner: Runner, identity: Identity) -> None:
    def check(peer: Peer) -> None:
        peer.read(lambda: len(peer.received()) >= 12)
        assert peer.received() == peer.conn.channel_binding("tls-unique")

    assert (
        runner.run(["-tls-unique"], as_server(ServerConfig(policy=P12, identities=(identity,)), check)) == 0
    )


def test_key_updates(runner: Runner, identity: Identity) -> None:
    def check(peer: Peer) -> None:
        echo(peer)
        for _ in range(3):
            peer.conn.update_keys(request=True)
            peer.flush()
        echo(peer)

    assert (
        runner.run(["-key-update"], as_server(ServerConfig(policy=P13, identities=(identity,)), check)) == 0
    )


def test_shutdown_needs_both_sides_when_asked(runner: Runner, identity: Identity) -> None:
    config = ServerConfig(identities=(identity,))

    def close(peer: Peer) -> None:
        peer.conn.close()
        peer.read(lambda: any(isinstance(e, PeerClosed) for e in peer.events))
        assert any(isinstance(e, PeerClosed) for e in peer.events)

    assert runner.run(["-check-close-notify"], as_server(config, echo, close)) == 0
    assert runner.run(["-check-close-notify"], as_server(config, echo)) == 1
    assert "Unexpected SSL_shutdown result: -1 != 1" in runner.stderr

    def disturb(peer: Peer) -> None:
        peer.conn.send_data(b"stray")
        peer.conn.close()
        quiet(peer)

    assert runner.run(["-shim-shuts-down", "-check-close-notify"], as_server(config, disturb)) == 1
    assert ":APPLICATION_DATA_ON_SHUTDOWN:" in runner.stderr


def test_send_alert(runner: Runner, identity: Identity) -> None:
    def check(peer: Peer) -> None:
        quiet(peer)
        assert peer.error is not None
        assert peer.error.alert == 30

    assert runner.run(["-send-alert"], as_server(ServerConfig(identities=(identity,)), check)) == 0


# -- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "alert"), [([], 40), (["-use-custom-verify-callback"], 46)])
def test_a_refused_certificate(runner: Runner, identity: Identity, flags: list[str], alert: int) -> None:
    for policy in (P13, P12):
        config = ServerConfig(policy=policy, identities=(identity,))
        assert runner.run(["-verify-peer", "-verify-fail", *flags], as_server(config, refused(alert))) == 1
        assert ":CERTIFICATE_VERIFY_FAILED:" in runner.stderr


def test_a_client_certificate_is_asked_for(
    runner: Runner, identity: Identity, authority: Authority, key_flags: list[str]
) -> None:
    flags = ["-server", *key_flags, "-require-any-client-certificate"]
    without = ClientConfig(policy=P13, trust=authority.trust())
    assert runner.run(flags, as_client(without, refused(116))) == 1
    assert ":PEER_DID_NOT_RETURN_A_CERTIFICATE:" in runner.stderr
    shown = authority.issue("client", client=True)
    assert runner.run(flags, as_client(without.replace(identities=(shown,)), echo)) == 0


def test_a_failing_certificate_callback(runner: Runner, authority: Authority, key_flags: list[str]) -> None:
    client = ClientConfig(trust=authority.trust())
    assert runner.run(["-server", *key_flags, "-fail-cert-callback"], as_client(client, refused(80))) == 1
    assert ":CERT_CB_ERROR:" in runner.stderr


def test_nothing_in_common(
    runner: Runner, authority: Authority, key_flags: list[str], identity: Identity
) -> None:
    client = ClientConfig(policy=P13.replace(groups=(30,)), trust=authority.trust())
    assert runner.run(["-server", *key_flags], as_client(client, refused(40))) == 1
    assert ":NO_SHARED_GROUP:" in runner.stderr
    old = ServerConfig(policy=P12, identities=(identity,))
    assert runner.run(["-min-version", "772"], as_server(old, quiet)) == 1
    assert ":TLSV1_ALERT_PROTOCOL_VERSION:" in runner.stderr
    assert runner.run(["-no-tls1", "-no-tls11", "-no-tls12", "-no-tls13"]) == 1
    assert ":NO_SUPPORTED_VERSIONS_ENABLED:" in runner.stderr


def test_alpn(runner: Runner, authority: Authority, key_flags: list[str]) -> None:
    client = ClientConfig(trust=authority.trust(), alpn=("foo", "bar"))
    server = ["-server", *key_flags]
    offered = ["-expect-advertised-alpn", "\x03foo\x03bar"]
    assert runner.run([*server, "-select-alpn", "bar", *offered], as_client(client, echo)) == 0
    assert runner.run([*server, "-decline-alpn"], as_client(client, echo)) == 0
    assert runner.run([*server, "-reject-alpn"], as_client(client, refused(120))) == 1
    assert ":NO_APPLICATION_PROTOCOL:" in runner.stderr
    assert runner.run([*server, "-select-empty-alpn"], as_client(client, refused(80))) == 1
    assert ":INVALID_ALPN_PROTOCOL:" in runner.stderr


# -- resumption and early data -----------------------------------------------------------------------


@pytest.mark.parametrize("policy", [P13, P12], ids=["1.3", "1.2"])
def test_a_client_resumes(runner: Runner, identity: Identity, policy: Policy) -> None:
    config = ServerConfig(policy=policy, identities=(identity,))

    def resumed(peer: Peer) -> None:
        assert peer.conn.info.resumed

    scripts = [as_server(config, echo), as_server(config, resumed, echo), as_server(config, resumed, echo)]
    renewed = ["-on-resume-expect-ticket-renewal"]  # our server gives a ticket with each connection
    assert runner.run(["-resume-count", "2", *renewed], *scripts) == 0
    missed = as_server(config, echo)
    other = as_server(ServerConfig(policy=policy, identities=(identity,)), echo)
    assert runner.run(["-resume-count", "1", "-expect-session-miss"], missed, other) == 0
    unheard = as_server(ServerConfig(policy=policy, identities=(identity,)), quiet)
    assert runner.run(["-resume-count", "1"], missed, unheard) == 1
    assert "reused" in runner.stderr


@pytest.mark.parametrize("more", [[], ["-no-ticket"], ["-use-ticket-callback"]])
def test_a_server_resumes_by_ticket_and_by_session_id(
    runner: Runner, authority: Authority, key_flags: list[str], more: list[str]
) -> None:
    client = ClientConfig(policy=P12, trust=authority.trust())
    kept: list[Session] = []

    def first(sock: socket.socket) -> None:
        as_client(client, echo, lambda peer: kept.extend(peer.sessions()))(sock)

    def second(sock: socket.socket) -> None:
        as_client(client.replace(sessions=tuple(kept)), echo)(sock)

    flags = ["-expect-session-id"] if "-no-ticket" in more else ["-expect-no-session-id"]
    assert runner.run(["-server", "-resume-count", "1", *key_flags, *more, *flags], first, second) == 0


def test_time_passes_between_connections(runner: Runner, authority: Authority, key_flags: list[str]) -> None:
    client = ClientConfig(policy=P13, trust=authority.trust())
    kept: list[Session] = []

    def first(sock: socket.socket) -> None:
        as_client(client, echo, lambda peer: kept.extend(peer.sessions()))(sock)

    def second(sock: socket.socket) -> None:
        as_client(client.replace(sessions=tuple(kept)), echo)(sock)

    week = str(7 * 86_400)
    flags = ["-server", *key_flags, "-resume-count", "1", "-resumption-delay", week]
    assert runner.run([*flags, "-expect-session-miss"], first, second) == 0


def early_server(identity: Identity) -> ServerConfig:
    class Anything:
        def first_time(self, token: bytes, now: float) -> bool:
            return True

    return ServerConfig(policy=P13, identities=(identity,), max_early_data=14336, replay_guard=Anything())


def test_a_client_sends_early_data(runner: Runner, identity: Identity) -> None:
    # The shim's clock stands still in another year: only the age of the ticket has to be right.
    config = early_server(identity)

    def early(peer: Peer) -> None:
        peer.read(lambda: peer.received() == b"hello")
        assert peer.conn.info.early_data == "accepted"

    flags = ["-enable-early-data", "-expect-ticket-supports-early-data", "-on-resume-shim-writes-first"]
    accepted = ["-on-resume-expect-accept-early-data", "-on-resume-expect-early-data-reason", "accept"]
    scripts = [as_server(config, echo), as_server(config, early, echo)]
    assert runner.run(["-resume-count", "1", *flags, *accepted], *scripts) == 0


def test_a_client_starts_over_when_its_early_data_is_refused(runner: Runner, identity: Identity) -> None:
    config = early_server(identity)
    deaf = ServerConfig(policy=P13, identities=(identity,), ticket_issuer=config.issuer)

    def once(peer: Peer) -> None:
        peer.read(lambda: peer.received() == b"hello")
        assert peer.conn.info.early_data == "refused"

    flags = ["-enable-early-data", "-on-resume-shim-writes-first", "-on-retry-shim-writes-first"]
    refusal = ["-on-resume-expect-reject-early-data", "-on-retry-expect-early-data-reason", "peer_declined"]
    tickets = ["-on-initial-expect-ticket-supports-early-data"]
    scripts = [as_server(config, echo), as_server(deaf, once, echo)]
    assert runner.run(["-resume-count", "1", *flags, *refusal, *tickets], *scripts) == 0


def test_a_server_takes_early_data_and_answers_before_the_clients_finished(
    runner: Runner, authority: Authority, key_flags: list[str]
) -> None:
    client = ClientConfig(policy=P13, trust=authority.trust(), early_data=True)
    kept: list[Session] = []

    def first(sock: socket.socket) -> None:
        as_client(client, echo, lambda peer: kept.extend(peer.sessions()))(sock)

    def second(sock: socket.socket) -> None:
        conn = ClientConnection(client.replace(sessions=tuple(kept)), "test")
        peer = Peer(sock, conn)
        conn.send_early_data(b"\0\0\0")
        peer.read(lambda: peer.received() == b"\xff\xff\xff")
        assert not any(isinstance(e, EarlyDataRefused) for e in peer.events)
        echo(peer)

    flags = ["-server", *key_flags, "-enable-early-data", "-resume-count", "1"]
    assert runner.run([*flags, "-on-resume-expect-accept-early-data"], first, second) == 0


# -- credentials -------------------------------------------------------------------------------------


def test_the_first_credential_that_fits_is_chosen(
    runner: Runner, authority: Authority, tmp_path: Path, key_flags: list[str]
) -> None:
    rsa_cert, rsa_key = authority.issue("test", key="rsa-2048").write(tmp_path)
    flags = ["-server", "-new-x509-credential", "-cert-file", str(rsa_cert), "-key-file", str(rsa_key)]
    flags += ["-new-x509-credential", *key_flags]
    for policy in (P13, P12):
        ecdsa_only = policy.replace(signature_schemes=(0x0403,))
        client = ClientConfig(policy=ecdsa_only, trust=Trust.insecure())
        assert runner.run([*flags, "-expect-selected-credential", "1"], as_client(client, echo)) == 0
        client = ClientConfig(policy=policy, trust=Trust.insecure())
        assert runner.run([*flags, "-expect-selected-credential", "0"], as_client(client, echo)) == 0


@pytest.mark.parametrize("policy", [P13, P12], ids=["1.3", "1.2"])
def test_raw_public_keys(runner: Runner, identity: Identity, key_flags: list[str], policy: Policy) -> None:
    raw = Identity.raw(identity.key)
    digest = b64encode(hashlib.sha256(raw.raw_public_key).digest()).decode()
    flags = ["-accepted-peer-cert-types", "2", "-expect-peer-certificate-type", "2"]
    flags += ["-expect-peer-rpk-sha256", digest, "-resume-count", "1", "-on-resume-expect-ticket-renewal"]
    config = ServerConfig(policy=policy, identities=(raw,))
    assert runner.run(flags, as_server(config, echo), as_server(config, echo)) == 0
    trusting: dict[str, Any] = {"policy": policy, "trusted_public_keys": (raw.raw_public_key,)}
    client = ClientConfig(server_certificate_types=(2,), **trusting)
    rpk = ["-new-rpk-credential", *key_flags[2:], "-expect-selected-credential", "0"]
    assert runner.run(["-server", *rpk], as_client(client, echo)) == 0
    asking = ServerConfig(
        client_auth="require", client_certificate_types=(2,), identities=(identity,), **trusting
    )
    assert runner.run(rpk, as_server(asking, echo)) == 0
    shown = ClientConfig(
        policy=policy, client_certificate_types=(2,), identities=(raw,), trust=Trust.insecure()
    )
    server = ["-server", *key_flags, "-accepted-peer-cert-types", "2", "-require-any-client-certificate"]
    assert runner.run([*server, "-expect-peer-rpk-sha256", digest], as_client(shown, echo)) == 0


@pytest.mark.parametrize("policy", [P13, P12], ids=["1.3", "1.2"])
def test_certificate_types_that_do_not_meet(
    runner: Runner, identity: Identity, key_flags: list[str], policy: Policy
) -> None:
    config = ServerConfig(policy=policy, identities=(identity,), server_certificate_types=(0,))
    assert runner.run(["-accepted-peer-cert-types", "2"], as_server(config, quiet)) == 1
    assert ":SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:" in runner.stderr
    client = ClientConfig(policy=policy, trust=Trust.insecure(), identities=(identity,))
    flags = ["-server", *key_flags, "-require-any-client-certificate", "-accepted-peer-cert-types", "2"]
    assert runner.run(flags, as_client(client, refused(43))) == 1
    assert ":UNSUPPORTED_CERTIFICATE:" in runner.stderr
    raw = Identity.raw(identity.key)
    liar = ServerConfig(
        policy=policy, identities=(raw,), client_auth="request", trusted_public_keys=(raw.raw_public_key,)
    )
    assert runner.run(["-accepted-peer-cert-types", "2", "-verify-fail"], as_server(liar, quiet)) == 1
    assert ":CERTIFICATE_VERIFY_FAILED:" in runner.stderr


def test_imported_keys(runner: Runner) -> None:
    from pellucid import import_psk

    keys = import_psk(b"who", b"k" * 32, b"where", hash="sha256")
    flags = ["-new-psk-credential", "-psk-importer-key", b64encode(b"k" * 32).decode()]
    flags += ["-psk-importer-identity", b64encode(b"who").decode(), "-psk-importer-sha256"]
    flags += ["-psk-importer-context", b64encode(b"where").decode(), "-expect-no-session"]
    config = ServerConfig(policy=P13, psks=keys, tickets=0)
    assert runner.run(flags, as_server(config, echo)) == 0
    client = ClientConfig(policy=P13, psks=keys)
    assert runner.run(["-server", *flags[:-1]], as_client(client, echo)) == 0


def psk_flags(name: str, key: bytes) -> list[str]:
    flags = ["-new-psk-credential", "-psk-importer-key", b64encode(key * 32).decode()]
    flags += ["-psk-importer-identity", b64encode(name.encode()).decode(), "-psk-importer-sha256"]
    return [*flags, "-psk-importer-context", b64encode(b"where").decode()]


def test_keys_and_certificates_stand_in_one_order(
    runner: Runner, key_flags: list[str], identity: Identity
) -> None:
    from pellucid import import_psk

    first, second = (import_psk(name, key * 32, b"where") for name, key in ((b"1", b"k"), (b"2", b"q")))
    certificate = ["-new-x509-credential", *key_flags]
    both = ["-server", *psk_flags("1", b"k"), *psk_flags("2", b"q")]
    client = ClientConfig(policy=P13, psks=(*second, *first), trust=Trust.insecure())
    assert runner.run([*both, "-expect-selected-credential", "0"], as_client(client, echo)) == 0
    behind = ["-server", *certificate, *psk_flags("1", b"k"), "-expect-selected-credential", "0"]
    assert runner.run(behind, as_client(client, echo)) == 0
    other = client.replace(psks=import_psk(b"3", b"z" * 32, b"where"))
    assert runner.run(both, as_client(other, refused(40))) == 1
    assert ":PSK_IDENTITY_NOT_FOUND:" in runner.stderr
    assert runner.run([*both, *certificate, "-expect-selected-credential", "2"], as_client(other, echo)) == 0
    ke_only = client.replace(policy=P13.replace(psk_modes=(0,)))
    assert runner.run(both, as_client(ke_only, refused(40))) == 1
    assert ":NO_SUPPORTED_PSK_MODE:" in runner.stderr
    config = ServerConfig(policy=P13, identities=(identity,))
    assert runner.run(psk_flags("1", b"k"), as_server(config, quiet)) == 1
    assert ":MISSING_EXTENSION:" in runner.stderr
    assert runner.run([*psk_flags("1", b"k"), "-verify-peer"], as_server(config, echo)) == 0


def test_staples(runner: Runner, authority: Authority, key_flags: list[str]) -> None:
    ocsp, scts = b64encode(b"staple").decode(), b64encode(b"\0\x05\0\x03abc").decode()

    def check(peer: Peer) -> None:
        assert peer.conn.info.ocsp_response == b"staple"
        assert peer.conn.info.scts == (b"abc",)

    client = ClientConfig(trust=Trust.insecure(), request_scts=True)
    flags = ["-server", *key_flags, "-ocsp-response", ocsp, "-signed-cert-timestamps", scts]
    assert runner.run(flags, as_client(client, check, echo)) == 0
    shown = authority.issue("test").replace(ocsp=b"staple", scts=(b"abc",))
    flags = ["-enable-ocsp-stapling", "-enable-signed-cert-timestamps", "-expect-ocsp-response", ocsp]
    config = ServerConfig(identities=(shown,))
    assert runner.run([*flags, "-expect-signed-cert-timestamps", scts], as_server(config, echo)) == 0


def test_mock_certificate_compression(runner: Runner, identity: Identity) -> None:
    from bogo.configs import install_compression

    install_compression()
    for algorithm in (0xFF01, 0xFF02, 0xFF03):
        config = ServerConfig(
            policy=P13.replace(certificate_compression=(algorithm,), compress_above=0), identities=(identity,)
        )
        assert runner.run(["-install-cert-compression-algs"], as_server(config, echo)) == 0


@pytest.mark.slow
def test_an_unknown_flag_ends_before_anything_heavy_is_imported() -> None:
    python = [sys.executable, "-X", "importtime", str(HERE / "main.py")]
    done = subprocess.run([*python, "-pigeons"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 89
    assert "bogo.flags" in done.stderr
    imported = set(re.findall(r"[\w.]+$", done.stderr, re.M))
    assert not {"pellucid", "cryptography", "asyncio", "socket"} & imported
