"""Certificates that are renewed under a running server."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pellucid import Authority, ClientConfig, Reason, ServerConfig, TLSSocket, UsageError, connect, serve
from pellucid.reload import CertificateFiles, reloading


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


def issue(authority: Authority, folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for `name` in the same two files as before."""
    return authority.issue(name).write(folder, "site", overwrite=True)


def test_the_same_object_until_the_files_change(authority: Authority, tmp_path: Path) -> None:
    files = CertificateFiles(*issue(authority, tmp_path, "old.test"))
    before = files.identity
    assert files.identity is before
    issue(authority, tmp_path, "new.test")
    assert files.identity.names == ("new.test",)
    assert before.names == ("old.test",)


def test_a_change_that_cannot_be_used_keeps_the_old_and_is_told_once(
    authority: Authority, tmp_path: Path
) -> None:
    told: list[UsageError] = []
    certificate, key = issue(authority, tmp_path, "old.test")
    files = CertificateFiles(certificate, key, on_error=told.append)
    before = files.identity
    fresh = authority.issue("new.test")
    certificate.write_bytes(fresh.chain_pem())  # the key is still the old one's
    for _ in range(3):
        assert files.identity is before
    assert [error.reason for error in told] == [Reason.KEY_MISMATCH]
    key.write_bytes(fresh.key_pem())
    assert files.identity.names == ("new.test",)
    key.write_bytes(b"half a k")
    assert files.identity.names == ("new.test",)
    key.unlink()
    assert files.identity.names == ("new.test",)
    assert [error.reason for error in told[1:]] == [Reason.BAD_KEY_FILE] * 2


def test_bad_files_at_the_start_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        CertificateFiles(tmp_path / "nothing.pem")
    assert refused.value.reason is Reason.BAD_KEY_FILE


def test_a_link_that_is_swapped_is_a_change(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes does with its secrets, and certbot in `live/`."""
    for name in ("old.test", "new.test"):
        authority.issue(name).write(tmp_path / name, "site")
    link = tmp_path / "now"
    link.symlink_to("old.test")
    files = CertificateFiles(link / "site.pem", link / "site-key.pem")
    assert files.identity.names == ("old.test",)
    (tmp_path / "next").symlink_to("new.test")
    os.replace(tmp_path / "next", link)
    assert files.identity.names == ("new.test",)


def test_a_file_of_the_same_time_and_size_is_still_another(authority: Authority, tmp_path: Path) -> None:
    """Renewed by renaming within one tick of the file system's clock."""
    pem = tmp_path / "site.pem"
    for name in ("old.test", "new.test"):
        (tmp_path / name).write_bytes(authority.issue(name).to_pem().ljust(8192, b"\n"))
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    os.replace(tmp_path / "old.test", pem)
    files = CertificateFiles(pem)
    assert files.identity.names == ("old.test",)
    os.replace(tmp_path / "new.test", pem)
    assert files.identity.names == ("new.test",)


def test_a_change_within_one_tick_of_the_file_systems_clock_is_seen(
    authority: Authority, tmp_path: Path
) -> None:
    """Written in place: neither time nor size nor number of the file tell. The clock stands still here."""
    pem, told = tmp_path / "site.pem", list[UsageError]()
    tick = time.time_ns() + 3600 * 10**9

    def write(data: bytes) -> None:
        pem.write_bytes(data.ljust(8192, b"\n"))
        os.utime(pem, ns=(tick, tick))

    write(authority.issue("old.test").to_pem())
    files = CertificateFiles(pem, on_error=told.append)
    before = files.identity
    assert files.identity is before
    write(b"half a certificate")
    assert files.identity is files.identity is before
    assert [error.reason for error in told] == [Reason.BAD_KEY_FILE]
    write(authority.issue("new.test").to_pem())
    assert files.identity.names == ("new.test",)


def test_reload_by_hand_reads_what_looks_the_same(authority: Authority, tmp_path: Path) -> None:
    certificate, key = issue(authority, tmp_path, "old.test")
    files = CertificateFiles(certificate, key)
    before = files.identity
    assert files.reload() is not before
    key.write_bytes(b"no key")
    with pytest.raises(UsageError):
        files.reload()
    assert files.identity.names == ("old.test",)


def test_a_staple_is_renewed_too(authority: Authority, tmp_path: Path) -> None:
    staple = tmp_path / "ocsp.der"
    staple.write_bytes(b"one")
    files = CertificateFiles(*issue(authority, tmp_path, "old.test"), ocsp=staple)
    staple.write_bytes(b"another")
    assert files.identity.ocsp == b"another"


def test_many_threads_read_one_change(authority: Authority, tmp_path: Path) -> None:
    files = CertificateFiles(*issue(authority, tmp_path, "old.test"))
    issue(authority, tmp_path, "new.test")
    threads = [threading.Thread(target=lambda: files.identity) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files.identity.names == ("new.test",)
    assert files.identity is files.identity


def test_a_running_server_shows_the_new_one(authority: Authority, tmp_path: Path) -> None:
    def echo(tls: TLSSocket) -> None:
        for data in tls:
            tls.sendall(data)

    files = CertificateFiles(*issue(authority, tmp_path, "old.test"))
    client = ClientConfig(trust=authority.trust())
    config = reloading(ServerConfig(), files)
    assert config() is config()
    with serve(echo, config) as server:
        first = connect("127.0.0.1", server.port, config=client, server_name="old.test", timeout=60)
        issue(authority, tmp_path, "new.test")
        with connect("127.0.0.1", server.port, config=client, server_name="new.test", timeout=60) as tls:
            assert tls.info.peer_chain[0] == files.identity.leaf
        first.sendall(b"still here")
        assert first.recv() == b"still here"
        first.close()


def test_tickets_and_other_identities_outlive_the_change(authority: Authority, tmp_path: Path) -> None:
    other = authority.issue("other.test")
    config = reloading(
        ServerConfig(identities=(other,)), CertificateFiles(*issue(authority, tmp_path, "old.test"))
    )
    before = config()
    issue(authority, tmp_path, "new.test")
    after = config()
    assert after is not before
    assert after.issuer is before.issuer
    assert [identity.names for identity in after.identities] == [("new.test",), ("other.test",)]


def test_nothing_to_reload_is_a_mistake() -> None:
    with pytest.raises(UsageError):
        reloading(ServerConfig())
