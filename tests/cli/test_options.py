"""Each flag of `connect` and `serve` that turns a feature on, against our own other side."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid import Authority, Identity, ReplayMemory, ServerConfig, TicketKeys
from pellucid.trust.loading import load_key

from .running import COMMAND, Serve, objects, pellucid, serving

pytestmark = pytest.mark.slow


def connection(done: Any) -> dict[str, Any]:
    """The facts of the connection, from --json."""
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = next(told["connection"] for told in objects(done) if "connection" in told)
    return found


def of(server: Serve) -> dict[str, Any]:
    """The facts of the first connection, from `serve --json`."""
    found: dict[str, Any] = next(told["connection"] for told in server.objects if "connection" in told)
    return found


@pytest.fixture(scope="module")
def files(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates and keys in files."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "ca.pem").write_bytes(authority.pem)
    authority.issue("localhost").write(folder, "server")
    authority.issue("other.test", key="rsa-2048").write(folder, "other")
    authority.issue("alice", client=True).write(folder, "alice")
    for who in ("server", "alice"):
        public = load_key(folder / f"{who}-key.pem").public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{who}-public.pem").write_bytes(pem)
    staple = authority.staple(Identity.from_files(folder / "server.pem", folder / "server-key.pem"))
    (folder / "ocsp.der").write_bytes(staple)
    return folder


def visit(server: Serve, files: Path, *flags: str, stdin: bytes = b"") -> Any:
    ca = ("--ca", str(files / "ca.pem"))
    return pellucid("connect", f"localhost:{server.port}", "--json", *ca, *flags, stdin=stdin)


def identity(files: Path, who: str = "server") -> tuple[str, ...]:
    return ("--cert", str(files / f"{who}.pem"), "--key", str(files / f"{who}-key.pem"))


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (["--tls", "1.2"], {"version_name": "TLS 1.2"}),
        (["--tls-max", "1.2"], {"version_name": "TLS 1.2"}),
        (["--tlsv1.3"], {"version_name": "TLS 1.3"}),
        (["--suites", "TLS_CHACHA20_POLY1305_SHA256"], {"cipher_suite_name": "TLS_CHACHA20_POLY1305_SHA256"}),
        (
            ["--tls", "1.2", "--suites", "ECDHE-ECDSA-AES256-GCM-SHA384"],
            {"cipher_suite_name": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
        ),
        (["--groups", "P-256"], {"group_name": "secp256r1", "retried": False}),
        (["--groups", "x448,x25519", "--key-shares", "x448"], {"group_name": "x448", "retried": False}),
        (["--sigalgs", "rsa_pss_rsae_sha256"], {"signature_scheme_name": "rsa_pss_rsae_sha256"}),
        (["--alpn", "http/1.1,h2"], {"alpn": "h2"}),
        (["--max-fragment", "512"], {"version_name": "TLS 1.3"}),
        (["--record-size-limit", "100"], {"record_size_limit": 16384}),
        (["--grease"], {"version_name": "TLS 1.3"}),
        (["--compress-certificates", "none"], {"version_name": "TLS 1.3"}),
        (["--pad-to", "100"], {"version_name": "TLS 1.3"}),
        (["--key-update"], {"version_name": "TLS 1.3"}),
        (["--no-sni"], {}),
        (["--server-name", "localhost"], {"server_name": "localhost"}),
        (["--tls", "1.2", "--policy", "museum"], {"cipher_suite_name": "TLS_RSA_WITH_AES_128_GCM_SHA256"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_is_negotiated(flags: list[str], found: dict[str, Any], authority: Authority, ca: str) -> None:
    from pellucid.legacy import old_peers_policy

    config = ServerConfig(
        identities=(authority.issue("localhost"), authority.issue("localhost", key="rsa-2048")),
        alpn=("h2", "http/1.1"),
        policy=old_peers_policy(),
    )
    with serving(config) as port:
        done = pellucid("connect", f"localhost:{port}", "--json", "--ca", ca, *flags, stdin=b"x" * 1000)
    facts = connection(done)
    assert {name: facts[name] for name in found} == found
    assert "".join(told["text"] for told in objects(done) if "received" in told) == "x" * 1000


def test_a_server_follows_the_same_flags(files: Path) -> None:
    flags = ("--groups", "secp384r1", "--suites", "TLS_AES_256_GCM_SHA384", "--alpn", "a,b")
    with Serve("--json", "--once", *identity(files), *flags, "--stateless-retry") as server:
        client = connection(visit(server, files, "--alpn", "b,a", "-Q"))
    for facts in (client, of(server)):
        assert facts["group_name"] == "secp384r1"
        assert facts["cipher_suite_name"] == "TLS_AES_256_GCM_SHA384"
        assert facts["alpn"] == "a"
        assert facts["retried"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_session_in_a_file(version: str, files: Path, tmp_path: Path) -> None:
    file = tmp_path / "session"
    with Serve("--json", *identity(files)) as server:
        flags = ("--tls", version, "--session", str(file))
        assert not connection(visit(server, files, *flags, "-Q"))["resumed"]
        assert file.stat().st_mode & 0o777 == 0o600
        first = file.read_bytes()
        assert connection(visit(server, files, *flags, stdin=b"x"))["resumed"]
        assert file.read_bytes() != first  # a ticket of TLS 1.3 is used once, one of TLS 1.2 renewed
        again = ("--tls", version, "--session-in", str(file), "-Q")
        assert connection(visit(server, files, *again))["resumed"]
        # Under another name, or another trust, it is not offered.
        other = ("--session-in", str(file), "-Q", "--verify-name", "127.0.0.1", "--insecure")
        assert not connection(visit(server, files, *other))["resumed"]
    assert pellucid("connect", "localhost:1", "--session-in", str(files / "ca.pem")).returncode == 2


def test_tickets_are_as_many_as_both_want(files: Path, tmp_path: Path) -> None:
    with Serve("--tickets", "0", *identity(files)) as server:
        visit(server, files, "-Q", "--session-out", str(tmp_path / "none"))
        assert not (tmp_path / "none").exists()
    record = tmp_path / "trace.jsonl"
    with Serve("--tickets", "5", *identity(files)) as server:
        visit(server, files, "--tickets", "3", "--record", str(record), stdin=b"x")
    assert record.read_text().count('"kind": "message", "sent": false, "epoch": 3, "type": 4') == 3


def test_early_data(files: Path, tmp_path: Path) -> None:
    file, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(b"soon ")
    flags = ("--session", str(file), "--early-data", str(early))
    with Serve("--json", "--max-early-data", "1000", *identity(files)) as server:
        first = visit(server, files, *flags, stdin=b"later")
        second = visit(server, files, *flags, stdin=b"later")
    for done, state in ((first, "not offered"), (second, "accepted")):
        told = objects(done)
        assert {"early_data": state} in told
        assert "".join(each["text"] for each in told if "received" in each) == "soon later"
    assert connection(second)["early_data"] == "accepted"
    assert [told["connection"]["early_data"] for told in server.objects if "connection" in told] == [
        None,
        "accepted",
    ]


def test_refused_early_data_is_sent_again(authority: Authority, ca: str, tmp_path: Path) -> None:
    file, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(b"soon ")
    keys = TicketKeys()
    willing = ServerConfig(
        identities=(authority.issue("localhost"),),
        ticket_issuer=keys,
        max_early_data=100,
        replay_guard=ReplayMemory(started_at=time.time() - 3600),
    )
    common = ("--ca", ca, "--json", "--session", str(file))
    with serving(willing) as port:
        pellucid("connect", f"localhost:{port}", *common, "-Q")
    unwilling = ServerConfig(identities=willing.identities, ticket_issuer=keys)
    with serving(unwilling) as port:
        done = pellucid("connect", f"localhost:{port}", *common, "--early-data", str(early), stdin=b"later")
    assert connection(done)["early_data"] == "refused"
    assert "".join(told["text"] for told in objects(done) if "received" in told) == "soon later"


@pytest.mark.parametrize("extra", [[], ["--psk-context", "a to b"]], ids=["plain", "imported"])
def test_a_pre_shared_key(extra: list[str], files: Path, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("00112233445566778899aabbccddeeff\n")
    flags = ("--psk-identity", "device 7", *extra)
    with Serve("--json", "--psk", f"file:{secret}", *flags) as server:
        good = visit(server, files, "-Q", "--psk", secret.read_text().strip(), *flags)
        bad = visit(server, files, "-Q", "--psk", "ff" * 16, *flags)
    assert connection(good)["external_psk"]
    assert of(server)["external_psk"]
    assert bad.returncode == 4
    assert pellucid("connect", "localhost:1", "--psk", "no hex").returncode == 2


def test_client_certificates(files: Path) -> None:
    ca = str(files / "ca.pem")
    asks = ("--client-auth", "require", "--client-ca", ca)
    with Serve("--json", *identity(files), *asks) as server:
        with_it = visit(server, files, *identity(files, "alice"), stdin=b"hello")
        without = visit(server, files, stdin=b"hello")
    assert connection(with_it)["client_certificate_requested"]
    assert len(of(server)["peer_chain"]) == 1
    assert without.returncode == 4
    assert objects(without)[-1]["error"]["reason"] == "peer-alert"
    assert pellucid("serve", "0", "--client-auth", "require").returncode == 2


def test_a_certificate_after_the_handshake(files: Path) -> None:
    asks = ("--client-auth", "later", "--client-ca", str(files / "ca.pem"))
    trusts = ("--ca", str(files / "ca.pem"), "-q", "--post-handshake-auth")
    with Serve("--once", *identity(files), *asks) as server:
        command = [*COMMAND, "connect", f"localhost:{server.port}", *trusts, *identity(files, "alice")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            for _ in range(2):  # the answer to the first comes behind the request, so the client has read it
                client.stdin.write(b"hello\n")
                assert client.stdout.read(6) == b"hello\n"
            client.stdin.close()
            assert client.wait(60) == 0
    assert b"showed a certificate later: alice" in server.stderr


def test_raw_public_keys(files: Path) -> None:
    """Each side shows a bare key, and believes the one that it was told of."""
    server_key = ("--raw-key", "--key", str(files / "server-key.pem"))
    alice_key = ("--raw-key", "--key", str(files / "alice-key.pem"))
    trusts = ("--trust-key", str(files / "alice-public.pem"), "--client-auth", "require")
    with Serve("--json", *server_key, *trusts) as server:
        good = visit(server, files, *alice_key, "--trust-key", str(files / "server-public.pem"), stdin=b"x")
        bad = visit(server, files, *alice_key, "--trust-key", str(files / "alice-public.pem"), "-Q")
    assert connection(good)["peer_public_key"]
    assert of(server)["peer_public_key"]
    assert objects(bad)[-1]["error"]["reason"] == "raw-public-key-not-trusted"


def test_a_staple(files: Path) -> None:
    with Serve("--once", *identity(files), "--ocsp", str(files / "ocsp.der")) as server:
        facts = connection(visit(server, files, "-Q"))
    assert facts["ocsp_response"] == (files / "ocsp.der").read_bytes().hex()


def test_certificates_by_name(files: Path) -> None:
    with Serve(*identity(files), *identity(files, "other"), "--require-server-name") as server:
        one = connection(visit(server, files, "-Q"))
        other = connection(visit(server, files, "-Q", "--server-name", "other.test"))
        neither = visit(server, files, "-Q", "--server-name", "nobody.test")
    assert one["peer_chain"] != other["peer_chain"]
    assert other["signature_scheme_name"].startswith("rsa_pss")
    assert neither.returncode == 4


def test_exported_keys_are_the_same_and_hidden_by_default(files: Path) -> None:
    flags = ("--export", "EXPERIMENTAL a", "--export-length", "20")
    with Serve("--once", "--json", "--show-secrets", *identity(files), *flags) as server:
        done = visit(server, files, "-Q", "--show-secrets", *flags)
    ours = next(told for told in objects(done) if "exporter" in told)
    theirs = next(told for told in server.objects if "exporter" in told)
    assert ours == theirs
    assert len(ours["value"]) == 40
    with Serve("--once", *identity(files)) as server:
        hidden = visit(server, files, "-Q", *flags)
    assert len(next(told for told in objects(hidden) if "exporter" in told)["value"].partition("…")[0]) == 6


def test_a_fallback_that_was_not_needed(files: Path) -> None:
    with Serve("--once", *identity(files)) as server:
        done = visit(server, files, "-Q", "--tls", "1.2", "--fallback-scsv")
    assert done.returncode == 4
    assert "inappropriate_fallback" in objects(done)[-1]["error"]["what"]
    assert server.code == 4


def test_a_key_log_has_a_warning_and_is_for_its_owner(files: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.log"
    with Serve("--once", *identity(files)) as server:
        done = visit(server, files, "-Q", "--keylog", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert "CLIENT_TRAFFIC_SECRET_0" in file.read_text()
    assert str(file) in " ".join(done.stderr.decode().split())
