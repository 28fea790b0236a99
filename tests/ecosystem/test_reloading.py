"""Certificates that are renewed while uvicorn and hypercorn run, over the drop-in."""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.world import Bios, Contexts
from ecosystem.servers import LOOPBACK, asgi_echo, listening, on_asyncio, running
from interop.bench import free_port
from pellucid import Authority
from pellucid.compat import ssl as ours
from pellucid.reload import CertificateFiles

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]


class Renewed:
    """A certificate in two files, issued again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create()
        (folder / "ca.pem").write_bytes(self.authority.pem)
        self.issue()

    def issue(self, **more: Any) -> bytes:
        """A new certificate, and the key with it; the leaf in DER."""
        identity = self.authority.issue("localhost", LOOPBACK, **more)
        for name, data in (("site.pem", identity.chain_pem()), ("site-key.pem", identity.key_pem())):
            (self.folder / "new").write_bytes(data)
            os.replace(self.folder / "new", self.folder / name)
        return identity.chain[0]

    @property
    def paths(self) -> tuple[str, str]:
        return str(self.folder / "site.pem"), str(self.folder / "site-key.pem")

    def client(self) -> Any:
        return ours.create_default_context(cafile=str(self.folder / "ca.pem"))

    def connected(self, port: int) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection("localhost", port, context=self.client(), timeout=60)
        connection.connect()
        return connection


@pytest.fixture
def renewed(tmp_path: Path) -> Renewed:
    return Renewed(tmp_path)


def uvicorn_server(renewed: Renewed) -> Iterator[int]:
    uvicorn = pytest.importorskip("uvicorn")
    from pellucid.asgi import ssl_context_factory

    certificate, key = renewed.paths
    server = uvicorn.Server(
        uvicorn.Config(
            asgi_echo,
            host=LOOPBACK,
            port=0,
            log_level="error",
            lifespan="off",
            ssl_certfile=certificate,
            ssl_keyfile=key,
            ssl_context_factory=ssl_context_factory,
            timeout_graceful_shutdown=1,
        )
    )
    with running(server) as port:
        yield port


def hypercorn_server(renewed: Renewed) -> Iterator[int]:
    serve: Any = pytest.importorskip("hypercorn.asyncio").serve
    from pellucid import asgi

    config: Any = asgi.__getattr__("HypercornConfig")()
    port = free_port()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.certfile, config.keyfile = renewed.paths
    config.graceful_timeout = config.shutdown_timeout = 0.5
    config.errorlog = None

    async def start(stop: asyncio.Event) -> int:
        serving: Any = serve(asgi_echo, config, shutdown_trigger=stop.wait)
        start.task = asyncio.ensure_future(serving)  # type: ignore[attr-defined]
        await listening(port)
        return port

    with on_asyncio(start) as found:
        yield found


def leaf(connection: http.client.HTTPSConnection) -> bytes:
    sock: Any = connection.sock
    found: bytes = sock.getpeercert(binary_form=True)
    return found


def answers(connection: http.client.HTTPSConnection) -> bool:
    connection.request("POST", "/", b"words")
    return connection.getresponse().read() == b"words"


@pytest.fixture(params=[uvicorn_server, hypercorn_server], ids=["uvicorn", "hypercorn"])
def port(request: pytest.FixtureRequest, renewed: Renewed) -> Iterator[int]:
    yield from request.param(renewed)


def test_a_server_shows_what_is_in_the_files_now(
    port: int, renewed: Renewed, caplog: pytest.LogCaptureFixture
) -> None:
    before = renewed.connected(port)
    assert answers(before)
    fresh = renewed.issue()
    after = renewed.connected(port)
    assert leaf(before) != leaf(after) == fresh
    assert answers(before)  # an open connection goes on
    assert answers(after)
    with caplog.at_level(logging.WARNING, "pellucid.asgi"):
        (renewed.folder / "site-key.pem").write_bytes(b"half a k")
        with_old = renewed.connected(port)
    assert leaf(with_old) == fresh
    assert answers(with_old)
    assert "the certificate is the one from before" in caplog.text
    for connection in (before, after, with_old):
        connection.close()


def test_a_context_shows_what_is_in_the_files_now(renewed: Renewed) -> None:
    context = ours.SSLContext(ours.PROTOCOL_TLS_SERVER)
    context.use_identity(CertificateFiles(*renewed.paths))
    old = Bios(renewed.client(), context).shake()
    fresh = renewed.issue()
    new = Bios(renewed.client(), context).shake()
    assert old.client.getpeercert(True) != new.client.getpeercert(True) == fresh


def test_a_key_of_another_kind_takes_the_place_of_the_old(renewed: Renewed) -> None:
    context = ours.SSLContext(ours.PROTOCOL_TLS_SERVER)
    files = CertificateFiles(*renewed.paths)
    context.use_identity(files)
    kinds = [files.identity.kind]
    Bios(renewed.client(), context).shake()
    fresh = renewed.issue(key="ed25519")
    assert Bios(renewed.client(), context).shake().client.getpeercert(True) == fresh
    kinds.append(files.identity.kind)
    assert kinds[0] != kinds[1]


def test_a_client_shows_what_is_in_the_files_now(tmp_path: Path, contexts: Contexts) -> None:
    certificate, key = contexts.authority.issue("old", client=True).write(tmp_path, "me")
    client = contexts.client()
    client.use_identity(CertificateFiles(certificate, key))
    server = contexts.server(verify_mode=ours.CERT_REQUIRED)

    def seen() -> Any:
        return dict(field[0] for field in Bios(client, server).shake().server.getpeercert()["subject"])

    assert seen()["commonName"] == "old"
    contexts.authority.issue("new", client=True).write(tmp_path, "me", overwrite=True)
    assert seen()["commonName"] == "new"
