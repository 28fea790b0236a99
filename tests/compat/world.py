"""Contexts of both kinds, pellucid's and the standard library's, with certificates that fit."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pellucid import Authority
from pellucid.compat import ssl as ours

KINDS: dict[str, Any] = {"pellucid": ours, "openssl": ssl}


Configured = TypeVar("Configured")


class Contexts:
    """Clients and servers that trust one authority; `kind` is "pellucid" or "openssl"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create()
        (folder / "ca.pem").write_bytes(self.authority.pem)
        for name in ("localhost", "other.test", "client"):
            identity = self.authority.issue(name, client=name == "client")
            (folder / f"{name}.pem").write_bytes(identity.to_pem())

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    def pem(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")

    def client(self, kind: str = "pellucid", *, certificate: str | None = None, **settings: Any) -> Any:
        context = KINDS[kind].SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca)
        if certificate is not None:
            context.load_cert_chain(self.pem(certificate))
        return configured(context, settings)

    def server(self, kind: str = "pellucid", *, certificate: str = "localhost", **settings: Any) -> Any:
        context = KINDS[kind].SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem(certificate))
        context.load_verify_locations(self.ca)
        return configured(context, settings)


def configured(context: Configured, settings: dict[str, Any]) -> Configured:
    """`context`, with each of `settings` called, where it is a method, or set."""
    for name, value in settings.items():
        if callable(getattr(context, name, None)):
            getattr(context, name)(value)
        else:
            setattr(context, name, value)
    return context


class Bios:
    """A client's and a server's `SSLObject` with nothing but memory between them."""

    def __init__(self, client: Any, server: Any, name: str | None = "localhost", **more: Any) -> None:
        self.to_client, self.to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self.to_client, self.to_server, server_hostname=name, **more)
        self.server = server.wrap_bio(self.to_server, self.to_client, server_side=True)

    def shake(self) -> Bios:
        """Run the handshake on both sides; the client reads what the server sent behind it."""
        waiting = [self.client, self.server]
        for _ in range(20):
            for side in tuple(waiting):
                try:
                    side.do_handshake()
                    waiting.remove(side)
                except ssl.SSLWantReadError:
                    pass
            if not waiting:
                break
        assert not waiting
        return self

    def settle(self) -> None:
        """Let the client take the tickets."""
        with pytest.raises(ssl.SSLWantReadError):
            self.client.read(1)
