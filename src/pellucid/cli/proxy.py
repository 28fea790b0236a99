"""`pellucid proxy`: TLS in front of what speaks none, behind what speaks none, or between, to look at."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.cli import exits
from pellucid.cli.live import is_loopback, live_scenes
from pellucid.cli.options import (
    IdentityFlags,
    NameFlags,
    NegotiationFlags,
    OutputFlags,
    PictureFlags,
    ProxyFlags,
    RecordFlags,
    TrustFlags,
    VisitorFlags,
    identity_options,
    name_options,
    negotiation_options,
    output_options,
    picture_options,
    proxy_options,
    record_options,
    trust_options,
    visitor_options,
)
from pellucid.cli.passages import Passages
from pellucid.cli.pictures import Pictures
from pellucid.cli.renewal import Present
from pellucid.cli.settings import alpn_of, clients_of, identities_of, policy_of, target, trust_of
from pellucid.cli.terminal import Terminal
from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import Reason, UsageError
from pellucid.keylog import KeyLog
from pellucid.proxy import Leaves, Plan, Proxy, user_authority, user_folder
from pellucid.proxy.passage import place
from pellucid.proxy.plan import INTERCEPT
from pellucid.resumption.tickets import SessionStore, TicketKeys
from pellucid.trust.authority import Authority
from pellucid.trust.identity import Identity
from pellucid.trust.loading import load_certificates, load_key

if TYPE_CHECKING:
    from pellucid.live.scenes import Scenes

NAMES = ("localhost", "127.0.0.1", "::1")
"""Whom a certificate is for that is made here, where nobody asks for a name."""


@dataclass(frozen=True)
class Asked:
    """All flags that say what the proxy shall do."""

    proxy: ProxyFlags
    identity: IdentityFlags
    who: VisitorFlags
    trust: TrustFlags
    names: NameFlags
    negotiation: NegotiationFlags
    keep: RecordFlags
    timeout: float


@click.command(short_help="Stand between programs and servers, and show both handshakes.")
@click.option(
    "--timeout",
    type=float,
    default=30.0,
    metavar="SECONDS",
    show_default=True,
    help="For each wait until a connection stands; then it may be silent for as long as it likes.",
)
@click.option("--once", is_flag=True, help="End after one connection, with its exit code.")
@proxy_options
@identity_options
@visitor_options
@trust_options
@name_options
@negotiation_options
@record_options
@picture_options
@output_options
def proxy(
    timeout: float,
    once: bool,
    proxy: ProxyFlags,
    identity: IdentityFlags,
    who: VisitorFlags,
    trust: TrustFlags,
    names: NameFlags,
    negotiation: NegotiationFlags,
    keep: RecordFlags,
    draw: PictureFlags,
    output: OutputFlags,
) -> int:
    """TLS in front of a service that speaks none (--to), behind a program that speaks none (--to --plain), or
    between the two, to see both handshakes of any program that honours HTTPS_PROXY (--intercept).

    With neither --to nor --intercept it is an HTTP CONNECT proxy that touches nothing, and shows what anybody
    on the wire can see. SIGHUP reads --cert and --key again; Ctrl-C ends it.
    """  # fmt: skip
    terminal = output.terminal()
    asked = Asked(proxy, identity, who, trust, names, negotiation, keep, timeout)
    plan = plan_of(asked, terminal)
    pictures = Pictures(draw, output.show_secrets, data=output.show_secrets)
    with contextlib.ExitStack() as stack:
        scenes = live_scenes(stack, terminal) if proxy.live else None
        return asyncio.run(_serve(plan, asked, terminal, pictures, once, scenes))


async def _serve(
    plan: Plan, asked: Asked, terminal: Terminal, pictures: Pictures, once: bool, scenes: Scenes | None
) -> int:
    """Until Ctrl-C, SIGTERM, or with `once` the end of a connection."""
    passages = Passages(terminal, asked.keep, pictures, once=once, scenes=scenes)
    made = Proxy(
        plan,
        asked.proxy.listen,
        watcher=passages,
        most=asked.proxy.most,
        inputs=asked.keep.record is not None,
        told=passages.told if scenes is not None else None,
    )
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows
        loop.add_signal_handler(signal.SIGTERM, passages.finished.set)
    async with made:
        _greet(made, asked, terminal)
        await made.wait(passages.finished)
        passages.complain()
    return passages.code if once else exits.OK


def _greet(made: Proxy, asked: Asked, terminal: Terminal) -> None:
    """Where it listens, and what that means."""
    where = place(made.address)
    if made.plan.to is None:
        terminal.say(f"Use it: HTTPS_PROXY=http://{where} PROGRAM, curl -x http://{where} https://...")
    if not is_loopback(made.address[0]) and made.plan.to is None:
        terminal.problem(
            "The proxy is open to the network.",
            f"It listens on {made.address[0]}: whoever reaches it may go anywhere from here.",
            "Leave the address out of --listen to keep it to this machine.",
        )
    if made.plan.way == INTERCEPT and asked.trust.insecure:
        terminal.problem(
            "Servers are not verified: --insecure.",
            "Clients see a certificate of this proxy, whoever answers behind it; they cannot notice.",
            "Send nothing secret through it.",
        )
    terminal.listening(made.address[0], made.port)


def plan_of(asked: Asked, terminal: Terminal) -> Plan:
    """What the flags ask for.

    Raises:
        UsageError: they contradict each other, or a file cannot be used.
    """
    flags = asked.proxy
    _check(asked)
    to = target(flags.to, 443) if flags.to else None
    name, timeout = asked.names.server_name, asked.timeout
    if flags.tap or (to is None and not flags.intercept):
        return Plan(to=to, timeout=timeout)
    behind = _behind(asked) if flags.to_tls or flags.plain or flags.intercept else None
    if flags.plain:
        return Plan(to=to, behind=behind, server_name=name, timeout=timeout)
    if flags.intercept:
        leaves = Leaves(_authority(flags, terminal))
        front = _front(asked, (), tickets=0)  # each handshake is a whole one: that is what is to be seen
        return Plan(to=to, front=front, behind=behind, issuer=leaves, server_name=name, timeout=timeout)
    identities = identities_of(asked.identity) or _own(flags, terminal)
    present = Present(_front(asked, identities), lambda: identities_of(asked.identity), terminal)
    if asked.identity.cert or asked.identity.key:
        present.renew_on_sighup()
    return Plan(to=to, front=lambda: present.config, behind=behind, server_name=name, timeout=timeout)


def _check(asked: Asked) -> None:
    """What makes no sense together."""
    flags, own = asked.proxy, bool(asked.identity.cert or asked.identity.key)
    wrong = {
        "--plain and --intercept: does the client speak TLS, or not?": flags.plain and flags.intercept,
        "--tap touches nothing: no --plain, --intercept, --to-tls, --cert beside it": flags.tap
        and (flags.plain or flags.intercept or flags.to_tls or own),
        "--cert is for clients, and these are shown certificates of the authority; for the server: --to-cert":
            flags.intercept and own,
        "--cert is for clients, and these speak plain; for the server: --to-cert": flags.plain and own,
        "where to? --to HOST:PORT": not flags.to and (flags.plain or flags.to_tls or own),
        "--to-key without --to-cert": bool(flags.to_key and not flags.to_cert),
        "--authority-key without --authority": bool(flags.authority_key and not flags.authority),
        "--client-auth later is for `pellucid serve`": asked.who.client_auth == "later",
    }  # fmt: skip
    for words, so in wrong.items():
        if so:
            raise UsageError(Reason.BAD_CONFIG, words)


def _front(asked: Asked, identities: tuple[Identity, ...], tickets: int = 2) -> ServerConfig:
    """Towards clients."""
    return ServerConfig(
        policy=policy_of(asked.negotiation),
        identities=identities,
        alpn=() if asked.proxy.to_tls else alpn_of(asked.negotiation),
        **clients_of(asked.who, asked.identity),
        tickets=tickets,
        session_ticket_12=tickets > 0,
        ticket_issuer=TicketKeys(),
        session_cache=SessionStore() if tickets else None,
        keylog=KeyLog(asked.keep.keylog) if asked.keep.keylog else None,
    )


def _behind(asked: Asked) -> ClientConfig:
    """Towards the server."""
    cert, key = asked.proxy.to_cert, asked.proxy.to_key
    shown = (Identity.from_pem(Path(cert), Path(key) if key else None),) if cert else ()
    return ClientConfig(
        policy=policy_of(asked.negotiation),
        trust=trust_of(asked.trust),
        identities=shown,
        alpn=alpn_of(asked.negotiation),
        send_server_name=not asked.names.no_sni,
        verify_name=asked.names.verify_name,
        keylog=KeyLog(asked.keep.keylog) if asked.keep.keylog else None,
    )


def _own(flags: ProxyFlags, terminal: Terminal) -> tuple[Identity, ...]:
    """A certificate for this machine, where --cert gives none."""
    authority = _authority(flags, terminal)
    return tuple(authority.issue(*NAMES, key=key) for key in ("ecdsa-p256", "rsa-2048"))


def _authority(flags: ProxyFlags, terminal: Terminal) -> Authority:
    """Who issues certificates; how to trust it is said, and not done."""
    if flags.authority and not Path(flags.authority).is_dir() and Path(flags.authority).exists():
        file = Path(flags.authority)
        certificates = load_certificates(file)
        key = load_key(Path(flags.authority_key) if flags.authority_key else file)
        return Authority(certificates[0], key, certificates[1:])
    folder = Path(flags.authority) if flags.authority else user_folder()
    authority, fresh = user_authority(folder)
    terminal.say(
        f"{'A new authority was made' if fresh else 'The authority'}: ", (f"{folder / 'ca.pem'}", "value")
    )
    terminal.say(
        "No program trusts it until you say so: curl --cacert, SSL_CERT_FILE, REQUESTS_CA_BUNDLE, "
        "NODE_EXTRA_CA_CERTS, a browser's own settings. Whoever reads its key can pass as any server to "
        "who trusts it: delete the folder when you are done."
    )
    return authority
