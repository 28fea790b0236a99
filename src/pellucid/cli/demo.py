"""`pellucid demo`: a real client and a real server, on loopback, through the nine steps.

The classic story (static RSA in TLS 1.2, from the museum) is told first, then today's beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import click

from pellucid import legacy
from pellucid.cli.options import OutputFlags, PictureFlags, output_options, picture_options
from pellucid.cli.pictures import Pictures
from pellucid.config import TLS_1_2, TLS_1_3, ClientConfig, Policy, ServerConfig
from pellucid.glass.model import Story
from pellucid.glass.story import tell
from pellucid.glass.trace import Trace
from pellucid.io.endpoints import connect, serve
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


def run(name: str) -> tuple[Trace, Trace, Identity]:
    """One of `STORIES` on loopback; the client's trace, the server's, and who the server was."""
    make_policy, key = STORIES[name]
    policy = make_policy()
    authority = Authority.create()
    identity = authority.issue(NAME, key=key)
    client_trace, server_trace = Trace(), Trace()
    done = threading.Event()

    def answer(tls: TLSSocket) -> None:
        tls.recv()
        tls.sendall(REPLY)
        tls.recv()
        tls.shutdown_write()
        done.set()

    server = ServerConfig(
        policy=policy, identities=(identity,), observer=server_trace, tickets=0, session_ticket_12=False
    )
    client = ClientConfig(
        policy=policy, trust=authority.trust(), observer=client_trace, session_tickets=False
    )
    with (
        serve(answer, server) as listening,
        connect("127.0.0.1", listening.port, config=client, server_name=NAME, timeout=10) as tls,
    ):
        tls.sendall(QUESTION)
        tls.recv()
        tls.unwrap()
        done.wait(10)
    return client_trace, server_trace, identity


def story(name: str, *, beside_rsa: bool) -> Story:
    """Run one of `STORIES` and tell it."""
    client_trace, server_trace, _ = run(name)
    return tell(client_trace, server_trace, beside_rsa=beside_rsa)


@click.command(short_help="Watch a client and a server go through the nine steps.")
@click.option(
    "--tls",
    "which",
    type=click.Choice(list(STORIES)),
    help="Tell only this story.  [default: classic, then 1.3]",
)
@picture_options
@output_options
def demo(which: str | None, draw: PictureFlags, output: OutputFlags) -> None:
    """A real client and a real server on this machine, step by step.

    First the handshake as it is taught (static RSA, TLS 1.2), then as it happens today (TLS 1.3),
    with what changed and why.
    """
    terminal = output.terminal()
    pictures = Pictures(draw, output.show_secrets)
    names = [which] if which else ["classic", "1.3"]
    for position, name in enumerate(names):
        client, server, identity = run(name)
        beside_rsa = len(names) > 1 and position > 0
        title = tell(client, server).title
        terminal.show(client, server, key=identity.key, title=title, beside_rsa=beside_rsa)
        pictures.add(client, server, title=title, key=identity.key)
