"""`pellucid serve`: a real TLS server that shows its visitors' handshakes."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from typing import Any

import click

from pellucid.cli import exits, files
from pellucid.cli.live import LivePage, end_on_sigterm, make_site, say_where, wait_for_the_end
from pellucid.cli.options import (
    AfterFlags,
    IdentityFlags,
    NegotiationFlags,
    OutputFlags,
    PictureFlags,
    PskFlags,
    RecordFlags,
    VisitorFlags,
    after_options,
    identity_options,
    negotiation_options,
    output_options,
    picture_options,
    psk_options,
    record_options,
    visitor_options,
)
from pellucid.cli.pictures import Pictures
from pellucid.cli.problems import report
from pellucid.cli.settings import (
    alpn_of,
    identities_of,
    policy_of,
    psks_of,
    target,
    trust_in,
    trusted_keys_of,
)
from pellucid.cli.terminal import Terminal
from pellucid.cli.visitors import Visitors
from pellucid.config import ServerConfig
from pellucid.errors import Reason, TLSError, UsageError
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
    keys = trusted_keys_of(identity)
    if who.client_auth != "none" and not who.client_ca and not keys:
        raise UsageError(
            Reason.BAD_CONFIG, "whom to believe? --client-auth needs --client-ca, or --trust-key"
        )
    shared = psks_of(shared_key)
    identities = identities_of(identity)
    if not identities and not (shared and not name):
        identities = _issue(name, save_ca)
    base = ServerConfig(
        policy=policy_of(negotiation),
        identities=identities,
        psks=shared,
        alpn=alpn_of(negotiation),
        client_auth="none" if who.client_auth == "later" else who.client_auth,
        client_trust=trust_in(who.client_ca) if who.client_ca else None,
        post_handshake_auth=who.client_auth == "later",
        trusted_public_keys=keys,
        client_certificate_types=(2,) if keys else (0,),
        server_certificate_types=(2,) if identity.raw_key else (0, 2),
        tickets=who.tickets,
        session_ticket_12=who.tickets > 0,
        ticket_issuer=TicketKeys(),
        session_cache=SessionStore(),
        max_early_data=who.max_early_data,
        # Ticket keys are new with each start: there is no early data from before to guard against.
        replay_guard=ReplayMemory(started_at=time.time() - 3600),
        stateless_retry=who.stateless_retry,
        require_server_name=who.require_server_name,
        keylog=KeyLog(keep.keylog) if keep.keylog else None,
    )
    with contextlib.ExitStack() as stack:
        scenes = None
        if live:
            watching = stack.enter_context(LivePage(make_site(experiments=False), "127.0.0.1", 0))
            say_where(watching, "127.0.0.1", terminal)
            scenes = watching.scenes
        pictures = Pictures(draw, output.show_secrets)
        visitors = Visitors(
            terminal,
            keep,
            pictures,
            after,
            www=www,
            once=once,
            later=who.client_auth == "later",
            scenes=scenes,
        )
        present = _Present(base, lambda: identities_of(identity), terminal)
        server = Server(
            visitors.handle,
            lambda: visitors.config(present.config),
            (host, port),
            timeout=60,
            on_error=visitors.failed,
        )
        stack.enter_context(server)
        end_on_sigterm(visitors.finished)
        if identity.cert or identity.key:
            present.renew_on_sighup()
        where = f"[{host}]" if ":" in host else host
        terminal.say(f"listening on {where}:{server.port}")
        terminal.err.file.flush()
        wait_for_the_end(visitors.finished)
    return visitors.code if once else exits.OK


class _Present:
    """The present configuration: new identities are swapped in by one assignment."""

    def __init__(
        self, config: ServerConfig, read: Callable[[], tuple[Identity, ...]], terminal: Terminal
    ) -> None:
        self.config = config.replace(ticket_issuer=config.issuer)  # tickets outlive the change
        self._read = read
        self._terminal = terminal

    def renew_on_sighup(self) -> None:
        """Let SIGHUP read the certificates again; there is none on Windows."""
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._renew)

    def _renew(self, *_: Any) -> None:
        try:
            found = self._read()
        except TLSError as error:
            report(error, terminal=self._terminal)
            self._terminal.say("the certificates stay what they were")
        else:
            self.config = self.config.replace(identities=found)
            self._terminal.say("the certificates were read again")
        self._terminal.err.file.flush()


def _issue(names: tuple[str, ...], save_ca: str | None) -> tuple[Identity, ...]:
    """Certificates of an authority that is made for this run."""
    authority = Authority.create()
    if save_ca:
        files.write(save_ca, authority.pem)
    wanted = names or ("localhost", "127.0.0.1", "::1")
    return tuple(authority.issue(*wanted, key=key) for key in ("ecdsa-p256", "rsa-2048"))
