"""`pellucid demo`: a real client and a real server, on loopback, through the nine steps.

The classic story (static RSA in TLS 1.2, from the museum) is told first, then today's beside it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from pellucid import legacy
from pellucid.cli import files
from pellucid.cli.options import (
    OutputFlags,
    PictureFlags,
    RecordFlags,
    output_options,
    picture_options,
    record_options,
)
from pellucid.cli.pictures import Pictures
from pellucid.config import TLS_1_2, TLS_1_3, ClientConfig, Policy, ServerConfig
from pellucid.errors import TLSError
from pellucid.glass.capture import key_log_lines
from pellucid.glass.model import Story
from pellucid.glass.story import Tampering, tell
from pellucid.glass.trace import Trace
from pellucid.io.endpoints import connect, serve, wrap_client
from pellucid.io.sockets import TLSSocket
from pellucid.trust.authority import Authority
from pellucid.trust.identity import Identity

NAME = "localhost"
QUESTION = b"Can anybody else read this?"
REPLY = b"Nobody but you and me."

#: Story: (its policy, the kind of key in the server's certificate).
STORIES: dict[str, tuple[Callable[[], Policy], str]] = {
    "classic": (legacy.museum_policy, "rsa-2048"),
    "1.2": (lambda: Policy(versions=(TLS_1_2,)), "ecdsa-p256"),
    "1.3": (lambda: Policy(versions=(TLS_1_3,)), "ecdsa-p256"),
}


class Performance(NamedTuple):
    """A story as it was played: both traces, who the server was, and what became of a changed record."""

    client: Trace
    server: Trace
    identity: Identity
    tampering: Tampering


def run(name: str) -> Performance:
    """One of `STORIES` on loopback."""
    make_policy, key = STORIES[name]
    policy = make_policy()
    authority = Authority.create()
    identity = authority.issue(NAME, key=key)
    server = ServerConfig(policy=policy, identities=(identity,), tickets=0, session_ticket_12=False)
    client = ClientConfig(policy=policy, trust=authority.trust(), session_tickets=False)
    return Performance(*converse(client, server), identity, tamper(client, server))


def converse(client: ClientConfig, server: ServerConfig) -> tuple[Trace, Trace]:
    """A question and its answer, and the end in good order; the client's trace and the server's."""
    ours, theirs = Trace(), Trace()
    done = threading.Event()

    def answer(tls: TLSSocket) -> None:
        tls.recv()
        tls.sendall(REPLY)
        tls.recv()
        tls.shutdown_write()
        done.set()

    client = client.replace(observer=ours)
    with (
        serve(answer, server.replace(observer=theirs)) as listening,
        connect("127.0.0.1", listening.port, config=client, server_name=NAME, timeout=10) as tls,
    ):
        tls.sendall(QUESTION)
        tls.recv()
        tls.unwrap()
        done.wait(10)
    return ours, theirs


class Meddler:
    """Somebody in the line: a socket through which everything goes, and who turns one bit when told to."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.meddling = False
        self.sent = self.arrived = b""

    def send(self, data: bytes) -> int:
        """Pass it on, perhaps with a bit of what is encrypted turned (it begins behind 5 or 13 bytes)."""
        if self.meddling:
            self.sent = bytes(data)
            self.arrived = self.sent[:14] + bytes((self.sent[14] ^ 1,)) + self.sent[15:]
            self._sock.sendall(self.arrived)
            return len(data)
        return self._sock.send(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def tamper(client: ClientConfig, server: ServerConfig) -> Tampering:
    """The question again, but one bit of its record is changed on the way."""
    theirs = Trace()
    refused = threading.Event()
    serving = serve(
        lambda tls: tls.recv(), server.replace(observer=theirs), on_error=lambda error: refused.set()
    )
    with serving as listening, socket.create_connection(("127.0.0.1", listening.port), 10) as sock:
        meddler = Meddler(sock)
        with wrap_client(meddler, NAME, client) as tls:
            meddler.meddling = True
            tls.sendall(QUESTION)
            meddler.meddling = False
            with contextlib.suppress(TLSError):
                tls.recv()
            refused.wait(10)
    return Tampering(meddler.sent, meddler.arrived, theirs)


def story(name: str, *, beside_rsa: bool) -> Story:
    """Run one of `STORIES` and tell it."""
    played = run(name)
    return tell(played.client, played.server, beside_rsa=beside_rsa, tampering=played.tampering)


@click.command(short_help="Watch a client and a server go through the nine steps.")
@click.option(
    "--tls",
    "which",
    type=click.Choice(list(STORIES)),
    help="Tell only this story.  [default: classic, then 1.3]",
)
@record_options
@picture_options
@output_options
def demo(which: str | None, keep: RecordFlags, draw: PictureFlags, output: OutputFlags) -> None:
    """A real client and a real server on this machine, step by step.

    First the handshake as it is taught (static RSA, TLS 1.2), then as it happens today (TLS 1.3),
    with what changed and why.
    """
    terminal = output.terminal()
    pictures = Pictures(draw, output.show_secrets)
    names = [which] if which else ["classic", "1.3"]
    for position, name in enumerate(names):
        client, server, identity, tampering = run(name)
        beside_rsa = len(names) > 1 and position > 0
        title = tell(client, server).title
        terminal.show(
            client, server, key=identity.key, title=title, beside_rsa=beside_rsa, tampering=tampering
        )
        pictures.add(client, server, title=title, key=identity.key)
        if keep.record:
            lines = "".join(f"{line}\n" for line in client.lines(secrets=output.show_secrets))
            files.write(keep.record, lines, private=output.show_secrets, append=position > 0)
        if keep.keylog:
            keys = "".join(f"{line}\n" for line in key_log_lines(client))
            files.write(keep.keylog, keys, private=True, append=True)
