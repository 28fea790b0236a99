"""Certificates that users of `ssl` have and the web refuses: trustme, `openssl req -x509`, private CAs."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from compat.world import Bios
from pellucid.compat import ssl as ours

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no program openssl")


def handshake(
    ca: str, certificate: str, name: str = "localhost", key: str | None = None, **settings: Any
) -> Bios:
    client, server = ours.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ours.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.load_verify_locations(ca)
    for setting, value in settings.items():
        setattr(client, setting, value)
    server.load_cert_chain(certificate, key)
    return Bios(client, server, name).shake()


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def self_signed(folder: Path, *options: str) -> str:
    run(
        folder,
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "30", "-subj", "/CN=localhost"),
        *options,
    )
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return str(both)


def test_trustme(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    leaf = authority.create_child_ca().issue_cert("localhost", "127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / "leaf.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    handshake(str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem"))
    handshake(str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem"), "127.0.0.1")


def test_trustme_configures_our_contexts() -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    client, server = ours.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ours.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(client)
    authority.issue_cert("a.test").configure_cert(server)
    Bios(client, server, "a.test").shake()


@openssl
def test_a_certificate_that_is_its_own_authority(tmp_path: Path) -> None:
    both = self_signed(tmp_path, "-addext", "subjectAltName=DNS:localhost")
    handshake(both, both)


@openssl
def test_a_common_name_counts_unless_it_is_told_not_to(tmp_path: Path) -> None:
    both = self_signed(tmp_path)
    handshake(both, both)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(both, both, hostname_checks_common_name=False)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(both, both, "other.test")


@openssl
def test_a_common_name_does_not_count_beside_dns_names(tmp_path: Path) -> None:
    both = self_signed(tmp_path, "-addext", "subjectAltName=DNS:other.test")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(both, both)


@openssl
def test_a_private_authority_without_key_identifiers(tmp_path: Path) -> None:
    (tmp_path / "ca.cnf").write_text(
        "[v3]\nbasicConstraints=critical,CA:TRUE\n[req]\ndistinguished_name=dn\n[dn]\n"
    )
    (tmp_path / "leaf.ext").write_text("subjectAltName=DNS:localhost\n")
    new = (
        "openssl",
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-config",
        "ca.cnf",
    )
    run(
        tmp_path,
        *new,
        "-x509",
        "-extensions",
        "v3",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=ours",
        "-days",
        "9",
    )
    run(tmp_path, *new, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=localhost")
    sign = (
        "openssl",
        "x509",
        "-req",
        "-in",
        "leaf.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
    )
    run(tmp_path, *sign, "-extfile", "leaf.ext", "-days", "9", "-out", "leaf.pem")
    names = (str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem"))
    handshake(*names, key=str(tmp_path / "leaf.key"))
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        handshake(*names, key=str(tmp_path / "leaf.key"), verify_flags=ssl.VERIFY_X509_STRICT)
    assert refused.value.verify_code in (85, 86, 92)
