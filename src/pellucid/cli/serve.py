"""`pellucid serve`: a real TLS server that shows its visitors' handshakes."""

from __future__ import annotations

import html
import signal
import threading
from typing import Any

import click

from pellucid.cli import exits, problems
from pellucid.cli.options import (
    IdentityFlags,
    NegotiationFlags,
    OutputFlags,
    RecordFlags,
    identity_options,
    negotiation_options,
    output_options,
    record_options,
)
from pellucid.cli.settings import alpn_of, identity_of, policy_of, target
from pellucid.cli.terminal import Terminal, columns, table
from pellucid.config import ServerConfig
from pellucid.errors import TLSError
from pellucid.glass.ladder import draw, text_of
from pellucid.glass.story import tell
from pellucid.glass.trace import Trace
from pellucid.io.endpoints import Server
from pellucid.io.sockets import TLSSocket
from pellucid.keylog import KeyLog
from pellucid.trust.authority import Authority
from pellucid.trust.verification import Trust

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Your handshake</title>
<meta name="viewport" content="width=device-width"><style>:root{{color-scheme:light dark}}
body{{font:16px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:52rem;padding:0 1rem}}
pre{{font:14px/1.25 ui-monospace,monospace;overflow-x:auto}}</style>
<h1>Your handshake, as this server saw it</h1><pre>{ladder}</pre></html>
"""


class Visitors:
    """Serves each connection and shows it when its handshake is over, or has failed."""

    def __init__(self, terminal: Terminal, keep: RecordFlags, *, www: bool, once: bool) -> None:
        self.terminal = terminal
        self.keep = keep
        self.www = www
        self.once = once
        self.finished = threading.Event()
        self._lock = threading.Lock()
        self._traces = threading.local()

    def config(self, base: ServerConfig) -> ServerConfig:
        """The configuration of one connection, with a trace of its own."""
        self._traces.trace = Trace()
        return base.replace(observer=self._traces.trace)

    def handle(self, tls: TLSSocket) -> None:
        """Echo, or the page that explains the visitor's handshake."""
        trace = self._traces.trace
        self._show(trace)
        if self.www:
            while b"\r\n\r\n" not in (data := tls.recv()) and data:
                pass
            ladder = html.escape(text_of(draw(tell(server=trace))))
            body = _PAGE.format(ladder=ladder).encode()
            kind = "Content-Type: text/html; charset=utf-8"
            headers = ("HTTP/1.1 200 OK", kind, f"Content-Length: {len(body)}", "Connection: close", "", "")
            tls.sendall("\r\n".join(headers).encode() + body)
        else:
            for data in tls:
                tls.sendall(data)
        tls.shutdown_write()
        self._end()

    def failed(self, error: BaseException) -> None:
        """A connection was refused, or the visitor refused us."""
        trace = getattr(self._traces, "trace", None)
        with self._lock:
            if isinstance(error, TLSError):
                problems.report(error, trace=trace, terminal=self.terminal)
        self._end()

    def _end(self) -> None:
        if self.once:
            self.finished.set()

    def _show(self, trace: Trace) -> None:
        with self._lock:
            told = tell(server=trace)
            if self.keep.record:
                with open(self.keep.record, "a", encoding="utf-8") as file:
                    trace.write(file, secrets=self.terminal.secrets)
            if self.terminal.quiet and not self.terminal.as_json:
                return
            self.terminal.story(told)
            if not self.terminal.as_json:
                rows = [(row.label, str(row.value)) for row in told.summary]
                self.terminal.draw([[("", "")], *table(rows, columns(self.terminal.out)), [("", "")]])


@click.command(short_help="Run a server that shows its visitors' handshakes.")
@click.argument("address", metavar="[ADDR:]PORT")
@click.option("--www", is_flag=True, help="Answer HTTP with a page that shows the visitor's own handshake.")
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
@output_options
def serve(
    address: str,
    www: bool,
    name: tuple[str, ...],
    save_ca: str | None,
    client_auth: str,
    client_ca: tuple[str, ...],
    once: bool,
    identity: IdentityFlags,
    negotiation: NegotiationFlags,
    keep: RecordFlags,
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
    visitors = Visitors(terminal, keep, www=www, once=once)
    with Server(
        visitors.handle, lambda: visitors.config(base), (host, port), timeout=60, on_error=visitors.failed
    ) as server:
        where = f"[{host}]" if ":" in host else host
        terminal.say(f"listening on {where}:{server.port}")
        terminal.err.file.flush()
        _wait(visitors.finished)
    return exits.OK


def _wait(finished: threading.Event) -> None:
    """Until one connection is over (--once), Ctrl-C, or SIGTERM."""

    def stop(*_: Any) -> None:
        finished.set()

    signal.signal(signal.SIGTERM, stop)
    while not finished.wait(0.5):
        pass
