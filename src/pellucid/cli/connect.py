"""`pellucid connect`: a handshake with any server, shown; then stdin and stdout."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from typing import Any

import click

from pellucid.cli import exits, files, problems
from pellucid.cli.after import after_handshake
from pellucid.cli.lines import PROTOCOLS, dial, start_tls
from pellucid.cli.options import (
    AfterFlags,
    IdentityFlags,
    NameFlags,
    NegotiationFlags,
    NetworkFlags,
    OfferFlags,
    OutputFlags,
    PictureFlags,
    PskFlags,
    RecordFlags,
    SessionFlags,
    TrustFlags,
    after_options,
    identity_options,
    name_options,
    negotiation_options,
    network_options,
    offer_options,
    output_options,
    picture_options,
    psk_options,
    record_options,
    session_options,
    trust_options,
)
from pellucid.cli.pictures import Pictures
from pellucid.cli.sessions import SessionFile
from pellucid.cli.settings import (
    alpn_of,
    identities_of,
    policy_of,
    psks_of,
    target,
    trust_of,
    trusted_keys_of,
)
from pellucid.cli.terminal import Terminal
from pellucid.config import ClientConfig
from pellucid.connection import ClientConnection
from pellucid.errors import TLSError
from pellucid.glass.trace import Trace
from pellucid.io.sockets import TLSSocket
from pellucid.keylog import KeyLog


@click.command(short_help="Connect to a server and show the handshake.")
@click.argument("host", metavar="HOST[:PORT]")
@click.option("--http", "path", metavar="PATH", help="Send a GET for PATH and print the answer.")
@click.option("-Q", "--handshake-only", is_flag=True, help="End after the handshake.")
@trust_options
@identity_options
@psk_options
@name_options
@negotiation_options
@offer_options
@session_options
@after_options
@network_options
@record_options
@picture_options
@output_options
def connect(
    host: str,
    path: str | None,
    handshake_only: bool,
    trust: TrustFlags,
    identity: IdentityFlags,
    shared_key: PskFlags,
    names: NameFlags,
    negotiation: NegotiationFlags,
    offer: OfferFlags,
    resume: SessionFlags,
    after: AfterFlags,
    network: NetworkFlags,
    keep: RecordFlags,
    draw: PictureFlags,
    output: OutputFlags,
) -> int:
    """A handshake with any server, shown as it happened; then stdin goes there and its answer to stdout.

    Exit codes: 3 the network, 4 the handshake, 5 the certificate was refused.
    """
    terminal = output.terminal()
    address = target(host, PROTOCOLS[network.starttls].port if network.starttls else 443)
    trace = Trace()
    session = SessionFile(resume)
    keys = trusted_keys_of(identity)
    config = ClientConfig(
        policy=policy_of(negotiation, offer),
        trust=trust_of(trust),
        identities=identities_of(identity),
        psks=psks_of(shared_key),
        alpn=alpn_of(negotiation) or (("http/1.1",) if path else ()),
        send_server_name=not names.no_sni,
        verify_name=names.verify_name,
        sessions=session.offered,
        early_data=bool(session.early),
        tickets=None if resume.tickets is None else (resume.tickets, min(resume.tickets, 1)),
        post_handshake_auth=offer.post_handshake_auth,
        trusted_public_keys=keys,
        server_certificate_types=(2,) if keys else (0,),
        client_certificate_types=(2,) if identity.raw_key else (0,),
        keylog=KeyLog(keep.keylog) if keep.keylog else None,
        observer=trace,
    )
    at_the_end = click.get_current_context().call_on_close
    at_the_end(lambda: files.record(keep.record, trace, secrets=output.show_secrets))
    at_the_end(lambda: Pictures(draw, output.show_secrets).add(trace))
    tls: TLSSocket | None = None
    try:
        sock = _dial(address, network)
        connection = ClientConnection(config, names.server_name or address[0])
        early = session.offer_early_data(connection)
        with TLSSocket(sock, connection) as line:
            line.do_handshake()
            tls = line
            _show(terminal, trace, to_stdout=terminal.as_json or handshake_only)
            _confess(terminal, trace)
            after_handshake(tls, after, terminal)
            session.settle_early_data(tls, terminal, sent=early)
            if handshake_only:
                session.wait(tls)
            elif path is not None:
                _get(tls, terminal, path, address[0])
            else:
                _pass_through(tls, terminal)
    except (TLSError, OSError) as error:
        if tls is None:
            _show(terminal, trace, to_stdout=terminal.as_json or handshake_only)
        return problems.report(error, trace=trace, terminal=terminal, complete=tls is not None)
    finally:
        if tls is not None:
            session.keep(tls)
    return exits.OK


def _get(tls: TLSSocket, terminal: Terminal, path: str, host: str) -> None:
    """A GET for `path`, and the answer."""
    headers = (f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", "User-Agent: pellucid")
    tls.sendall("\r\n".join((*headers, "", "")).encode())
    _drain(tls, terminal)


def _dial(address: tuple[str, int], network: NetworkFlags) -> socket.socket:
    """The line, up to where TLS begins."""
    sock = dial(
        address,
        timeout=network.timeout,
        family=socket.AF_INET if network.ipv4 else socket.AF_INET6 if network.ipv6 else socket.AF_UNSPEC,
        proxy=network.proxy,
        unix=network.unix,
    )
    if network.starttls:
        try:
            start_tls(sock, network.starttls, address[0])
        except BaseException:
            sock.close()
            raise
    return sock


def _show(terminal: Terminal, trace: Trace, *, to_stdout: bool) -> None:
    """The ladder and the summary; on stderr when stdout is the server's answer."""
    if next(trace.of("record", "message"), None) is None:
        return  # the line was never made
    if terminal.as_json:
        terminal.show(trace)
        return
    if terminal.quiet:
        return
    console = terminal.out if to_stdout else terminal.err
    terminal.show(trace, to=console)
    terminal.summary(trace, to=console)


def _confess(terminal: Terminal, trace: Trace) -> None:
    """What --insecure left unchecked."""
    unchecked = [fact.what for fact in trace.of("check") if fact.detail == "not checked"]
    if unchecked and not terminal.quiet:
        terminal.problem(
            "Nobody verified this server: --insecure.",
            f"Not checked: {'; '.join(unchecked)}.",
            "Whoever stands in the line may be answering: send nothing secret, believe nothing.",
        )


def _drain(tls: TLSSocket, terminal: Terminal) -> None:
    """Everything the server says, to stdout, to its close_notify; with --json as objects."""
    out: Any = sys.stdout.buffer
    for data in tls:
        if terminal.as_json:
            terminal.received(data)
            continue
        out.write(data)
        out.flush()


def _pass_through(tls: TLSSocket, terminal: Terminal) -> None:
    """stdin to the server, until its end; the server to stdout."""

    def send() -> None:
        with contextlib.suppress(TLSError, OSError):
            while data := os.read(sys.stdin.fileno(), 65_536):
                tls.sendall(data)
            tls.shutdown_write()

    threading.Thread(target=send, daemon=True).start()
    _drain(tls, terminal)
