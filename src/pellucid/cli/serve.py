"""`pellucid serve`: a real TLS server that shows its visitors' handshakes."""

from __future__ import annotations

import contextlib
import time

import click

from pellucid.cli import exits, files
from pellucid.cli.live import end_on_sigterm, live_scenes, wait_for_the_end
from pellucid.cli.options import (
    AfterFlags,
    GrantFlags,
    IdentityFlags,
    NegotiationFlags,
    OutputFlags,
    PictureFlags,
    PskFlags,
    RecordFlags,
    VisitorFlags,
    after_options,
    grant_options,
    identity_options,
    negotiation_options,
    output_options,
    picture_options,
    psk_options,
    record_options,
    visitor_options,
)
from pellucid.cli.pictures import Pictures
from pellucid.cli.renewal import Present
from pellucid.cli.settings import (
    alpn_of,
    clients_of,
    identities_of,
    policy_of,
    psks_of,
    target,
)
from pellucid.cli.visitors import Visitors
from pellucid.config import ServerConfig
from pellucid.io.endpoints import Server
from pellucid.keylog import KeyLog
from pellucid.resumption.tickets import ReplayMemory, SessionStore, TicketKeys
from pellucid.trust.authority import Authority
from pellucid.trust.identity import Identity


@click.command(short_help="Run a server that shows its visitors' handshakes.")
@click.argument("address", metavar="[ADDR:]PORT")
@click.option("--www", is_flag=True, help="Answer HTTP with a page that shows the visitor's own handshake.")
@click.option("--live", "live", is_flag=True, help="Show the handshakes in the browser, as they come.")
@click.option(
    "--name",
    "name",
    multiple=True,
    metavar="NAME",
    help="Names for the certificate made here.  [default: localhost, 127.0.0.1, ::1]",
)
@click.option(
    "--save-ca", metavar="FILE", help="Write the authority made here, PEM, so that clients can trust it."
)
@click.option("--once", is_flag=True, help="End after one connection, with its exit code.")
@identity_options
@psk_options
@visitor_options
@grant_options
@negotiation_options
@after_options
@record_options
@picture_options
@output_options
def serve(
    address: str,
    www: bool,
    live: bool,
    name: tuple[str, ...],
    save_ca: str | None,
    once: bool,
    identity: IdentityFlags,
    shared_key: PskFlags,
    who: VisitorFlags,
    grant: GrantFlags,
    negotiation: NegotiationFlags,
    after: AfterFlags,
    keep: RecordFlags,
    draw: PictureFlags,
    output: OutputFlags,
) -> int:
    """A TLS server: it echoes what it gets, or with --www explains the visitor's own handshake.

    Without --cert it makes an authority and certificates of its own, for tests only. With --cert, SIGHUP
    makes it read the files again; the connections that are open go on.
    """
    terminal = output.terminal()
    host, port = target(address if ":" in address else f"127.0.0.1:{address}", 0)
    base = _config(name, save_ca, identity, shared_key, who, grant, negotiation, keep)
    with contextlib.ExitStack() as stack:
        scenes = live_scenes(stack, terminal) if live else None
        visitors = Visitors(
            terminal,
            keep,
            Pictures(draw, output.show_secrets),
            after,
            www=www,
            once=once,
            later=who.client_auth == "later",
            scenes=scenes,
        )
        present = Present(base, lambda: identities_of(identity), terminal)
        server = Server(
            visitors.handle,
            lambda: visitors.config(present.config),  # what the files say by then
            (host, port),
            timeout=60,
            on_error=visitors.failed,
        )
        stack.enter_context(server)
        end_on_sigterm(visitors.finished)
        if identity.cert or identity.key:
            present.renew_on_sighup()
        terminal.listening(host, server.port)
        wait_for_the_end(visitors.finished)
        server.close()
        if not once:
            visitors.settle()
    return visitors.code if once else exits.OK


def _config(
    name: tuple[str, ...],
    save_ca: str | None,
    identity: IdentityFlags,
    shared_key: PskFlags,
    who: VisitorFlags,
    grant: GrantFlags,
    negotiation: NegotiationFlags,
    keep: RecordFlags,
) -> ServerConfig:
    """The configuration that the flags ask for."""
    shared = psks_of(shared_key)
    identities = identities_of(identity)
    if not identities and not (shared and not name):
        identities = _issue(name, save_ca)
    return ServerConfig(
        policy=policy_of(negotiation),
        identities=identities,
        psks=shared,
        alpn=alpn_of(negotiation),
        **clients_of(who, identity),
        tickets=grant.tickets,
        session_ticket_12=grant.tickets > 0,
        ticket_issuer=TicketKeys(),
        session_cache=SessionStore(),
        max_early_data=grant.max_early_data,
        # Ticket keys are new with each start: there is no early data from before to guard against.
        replay_guard=ReplayMemory(started_at=time.time() - 3600),
        stateless_retry=grant.stateless_retry,
        require_server_name=grant.require_server_name,
        keylog=KeyLog(keep.keylog) if keep.keylog else None,
    )


def _issue(names: tuple[str, ...], save_ca: str | None) -> tuple[Identity, ...]:
    """Certificates of an authority that is made for this run."""
    authority = Authority.create()
    if save_ca:
        files.write(save_ca, authority.pem)
    wanted = names or ("localhost", "127.0.0.1", "::1")
    return tuple(authority.issue(*wanted, key=key) for key in ("ecdsa-p256", "rsa-2048"))
