"""`pellucid cert`: an authority for tests in a folder, and what is said of certificates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pellucid import Authority, Identity, ServerConfig
from pellucid.errors import Reason
from pellucid.glass.failure import BROWSER

from .running import echo_server, objects, pellucid, serving

#: Wilful fault: (the reason it is refused for, what the browser says).
REFUSED = {
    "self-signed": Reason.SELF_SIGNED,
    "expired": Reason.CERTIFICATE_EXPIRED,
    "not-yet-valid": Reason.CERTIFICATE_NOT_YET_VALID,
    "wrong-name": Reason.WRONG_HOST_NAME,
    "tampered": Reason.CERTIFICATE_TAMPERED,
    "ca-as-leaf": Reason.CA_USED_AS_LEAF,
    "wrong-key-usage": Reason.WRONG_KEY_USAGE,
    "missing-intermediate": Reason.UNKNOWN_CA,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("authority") / "ca"
    done = pellucid("cert", "ca", str(made))
    assert done.returncode == 0
    assert b"For tests only" in done.stderr
    return made


def test_a_root_an_intermediate_and_leaves(folder: Path) -> None:
    assert (folder / "WARNING.txt").exists()
    for secret in folder.rglob("*-key.pem"):
        assert secret.stat().st_mode & 0o077 == 0, secret
    kinds = {}
    for stem in ("rsa", "ecdsa", "ed25519"):
        identity = Identity.from_files(folder / f"{stem}.pem", folder / f"{stem}-key.pem")
        kinds[stem] = identity.kind
        assert identity.names == ("localhost", "127.0.0.1", "::1")
        assert len(identity.chain) == 2  # the intermediate is sent along
        ca = str(folder / "ca.pem")
        done = pellucid("cert", "verify", str(folder / f"{stem}.pem"), "--name", "::1", "--ca", ca)
        assert done.returncode == 0
        assert max(map(len, done.stdout.decode().splitlines())) <= 80
    assert kinds == {"rsa": "rsa", "ecdsa": "ecdsa", "ed25519": "ed25519"}


def test_an_authority_is_not_replaced_unasked(folder: Path) -> None:
    before = (folder / "ca.pem").read_bytes()
    assert pellucid("cert", "ca", str(folder)).returncode == 2
    assert (folder / "ca.pem").read_bytes() == before


def test_issue_show_and_verify(folder: Path, tmp_path: Path) -> None:
    stem = str(tmp_path / "leaf")
    assert pellucid("cert", "issue", str(folder), "a.test", "10.0.0.1", "-o", stem).returncode == 0
    assert (tmp_path / "leaf-key.pem").stat().st_mode & 0o077 == 0
    shown = [
        json.loads(line) for line in pellucid("cert", "show", f"{stem}.pem", "--json").stdout.splitlines()
    ]
    assert shown[0]["names"] == ["a.test", "10.0.0.1"]
    assert "intermediate" in shown[1]["subject"]
    ca = str(folder / "ca.pem")
    assert pellucid("cert", "verify", f"{stem}.pem", "--name", "a.test", "--ca", ca).returncode == 0
    refused = pellucid("cert", "verify", f"{stem}.pem", "--name", "b.test", "--ca", ca)
    assert refused.returncode == 5
    assert b"another name" in refused.stderr
    root = str(tmp_path / "root")
    assert pellucid("cert", "issue", str(folder), "a.test", "--from-root", "-o", root).returncode == 0
    assert len(objects(pellucid("cert", "show", f"{root}.pem", "--json"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", list(REFUSED))
def test_each_refusal_has_its_own_reason_as_a_browser_would_warn(
    fault: str, authority: Authority, ca: str
) -> None:
    reason = REFUSED[fault]
    with echo_server(authority, fault=fault) as port:
        done = pellucid("connect", f"localhost:{port}", "-Q", "--json", "--ca", ca)
    assert done.returncode == 5
    error = objects(done)[-1]["error"]
    assert error["reason"] == reason.label
    told = " ".join(done.stderr.decode().split())
    assert 'A browser warns "Your connection is not private"' in told
    assert BROWSER[reason] in told
    assert "The peer was told so with the alert" in told


def test_an_authority_nobody_knows(authority: Authority, ca: str) -> None:
    stranger = Authority.create("a stranger").issue("localhost")
    with serving(ServerConfig(identities=(stranger,))) as port:
        done = pellucid("connect", f"localhost:{port}", "-Q", "--json", "--ca", ca)
    assert done.returncode == 5
    assert objects(done)[-1]["error"]["reason"] == Reason.UNKNOWN_CA.label


def test_trust_in_the_system_and_in_a_file(authority: Authority, ca: str) -> None:
    """--ca may be repeated, and its words mix with files."""
    with echo_server(authority) as port:
        both = pellucid("connect", f"localhost:{port}", "-Q", "--ca", "system", "--ca", ca)
        neither = pellucid("connect", f"localhost:{port}", "-Q", "--ca", "system")
        missing = pellucid("connect", f"localhost:{port}", "-Q", "--ca", "no-such-file")
    assert (both.returncode, neither.returncode, missing.returncode) == (0, 5, 2)
