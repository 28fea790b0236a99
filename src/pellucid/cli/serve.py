"""`pellucid serve`: a real TLS server that shows its visitors' handshakes."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import TYPE_CHECKING

import click

from pellucid.cli import exits, problems
from pellucid.cli import www as status
from pellucid.cli.live import LivePage, end_on_sigterm, make_site, say_where, wait_for_the_end
from pellucid.cli.options import (
    IdentityFlags,
    NegotiationFlags,
    OutputFlags,
    PictureFlags,
    RecordFlags,
    identity_options,
    negotiation_options,
    output_options,
    picture_options,
    record_options,
)
from pellucid.cli.pictures import Pictures
from pellucid.cli.settings import alpn_of, identity_of, policy_of, target
from pellucid.cli.terminal import Terminal, columns, table
from pellucid.config import ServerConfig
from pellucid.glass.decode import shown_identity
from pellucid.glass.story import tell
from pellucid.glass.trace import Trace
from pellucid.io.endpoints import Server
from pellucid.io.sockets import TLSSocket
from pellucid.keylog import KeyLog
from pellucid.trust.authority import Authority
from pellucid.trust.identity import Identity
from pellucid.trust.verification import Trust

if TYPE_CHECKING:
    from pellucid.live.scenes import Scenes


class Visitors:
    """Serves each connection and shows it when its handshake is over, or has failed."""

    def __init__(
        self,
        terminal: Terminal,
        keep: RecordFlags,
        pictures: Pictures,
        *,
        www: bool,
        once: bool,
        scenes: Scenes | None = None,
    ) -> None:
        self.terminal = terminal
        self.keep = keep
        self.pictures = pictures
        self.www = www
        self.once = once
        self.scenes = scenes
        self.finished = threading.Event()
        self.code = exits.OK  # of the last connection
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._here = threading.local()  # this thread's connection: its trace, and its scene
        self._identities: tuple[Identity, ...] = ()

    def config(self, base: ServerConfig) -> ServerConfig:
        """The configuration of one connection, with a trace of its own."""
        self._here.scene = None
        self._here.shown = False
        self._identities = base.identities
        self._here.trace = Trace() if self.scenes is None else self._live(self.scenes)
        return base.replace(observer=self._here.trace)

    def _live(self, scenes: Scenes) -> Trace:
        """A trace that is shown while it grows."""
        from pellucid.live.experiment import Watched

        trace = Watched(lambda: scenes.tell(scene))
        scene = scenes.begin(f"visitor {next(self._numbers)}", server=trace)
        self._here.scene = scene
        return trace

    def handle(self, tls: TLSSocket) -> None:
        """Echo, or the page that explains the visitor's handshake."""
        trace = self._here.trace
        if self._here.scene is not None:
            self._here.scene.detail = str(tls.getpeername()[0])
        self._show(trace)
        if self.www:
            status.answer(tls, trace)
        else:
            for data in tls:
                tls.sendall(data)
        tls.shutdown_write()
        self._end("complete", exits.OK)

    def failed(self, error: BaseException) -> None:
        """A connection was refused, or the visitor refused us: what there was of it, and why."""
        trace = getattr(self._here, "trace", None)
        if trace is None:
            return  # the visitor left before anything began
        complete = self._here.shown
        if not complete and next(trace.of("record", "message"), None) is not None:
            self._show(trace)
        with self._lock:
            code = problems.report(error, trace=trace, terminal=self.terminal, complete=complete)
        self._end("failed", code)

    def _end(self, state: str, code: int) -> None:
        """The connection is over: keep what is to be kept of it."""
        trace = self._here.trace
        with self._lock:
            self.code = code
            if self.keep.record:
                with open(self.keep.record, "a", encoding="utf-8") as file:
                    trace.write(file, secrets=self.terminal.secrets)
            self.pictures.add(trace)
        scene = getattr(self._here, "scene", None)
        if scene is not None and self.scenes is not None:
            scene.state = state
            self.scenes.tell(scene)
        if self.once:
            self.finished.set()

    def _show(self, trace: Trace) -> None:
        self._here.shown = True
        with self._lock:
            self._draw(trace)

    def _draw(self, trace: Trace) -> None:
        if self.terminal.quiet and not self.terminal.as_json:
            return
        self.terminal.show(trace, key=shown_identity(trace, self._identities))
        if not self.terminal.as_json and not self.terminal.views:
            rows = [(row.label, str(row.value)) for row in tell(server=trace).summary]
            self.terminal.draw([[("", "")], *table(rows, columns(self.terminal.out)), [("", "")]])


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
@click.option(
    "--client-auth",
    type=click.Choice(["none", "request", "require"]),
    default="none",
    show_default=True,
    help="Ask for a client certificate.",
)
@click.option("--client-ca", multiple=True, metavar="FILE|DIR", help="Who vouches for clients.")
@click.option("--once", is_flag=True, help="End after one connection.")
@identity_options
@negotiation_options
@record_options
@picture_options
@output_options
def serve(
    address: str,
    www: bool,
    live: bool,
    name: tuple[str, ...],
    save_ca: str | None,
    client_auth: str,
    client_ca: tuple[str, ...],
    once: bool,
    identity: IdentityFlags,
    negotiation: NegotiationFlags,
    keep: RecordFlags,
    draw: PictureFlags,
    output: OutputFlags,
) -> int:
    """A TLS server: it echoes what it gets, or with --www explains the visitor's own handshake.

    Without --cert it makes an authority and certificates of its own, for tests only.
    """
    terminal = output.terminal()
    host, port = target(address if ":" in address else f"127.0.0.1:{address}", 0)
    given = identity_of(identity)
    if given is not None:
        identities = [given]
    else:
        authority = Authority.create()
        wanted = name or ("localhost", "127.0.0.1", "::1")
        identities = [authority.issue(*wanted, key=key) for key in ("ecdsa-p256", "rsa-2048")]
        if save_ca:
            with open(save_ca, "wb") as file:
                file.write(authority.pem)
    base = ServerConfig(
        policy=policy_of(negotiation),
        identities=tuple(identities),
        alpn=alpn_of(negotiation),
        client_auth=client_auth,
        client_trust=Trust.from_pem(list(client_ca)) if client_ca else None,
        keylog=KeyLog(keep.keylog) if keep.keylog else None,
    )
    with contextlib.ExitStack() as stack:
        scenes = None
        if live:
            watching = stack.enter_context(LivePage(make_site(experiments=False), "127.0.0.1", 0))
            say_where(watching, "127.0.0.1", terminal)
            scenes = watching.scenes
        pictures = Pictures(draw, output.show_secrets)
        visitors = Visitors(terminal, keep, pictures, www=www, once=once, scenes=scenes)
        server = Server(
            visitors.handle, lambda: visitors.config(base), (host, port), timeout=60, on_error=visitors.failed
        )
        stack.enter_context(server)
        end_on_sigterm(visitors.finished)
        where = f"[{host}]" if ":" in host else host
        terminal.say(f"listening on {where}:{server.port}")
        terminal.err.file.flush()
        wait_for_the_end(visitors.finished)
    return visitors.code if once else exits.OK
