"""The flags of every command, declared once. A command takes a group of flags as one object:

    @click.command
    @trust_options
    @output_options
    def connect(trust: TrustFlags, output: OutputFlags) -> None: ...

The names are those of curl, openssl and gnutls-cli where these agree.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import click

from pellucid.cli.terminal import Terminal

Command = TypeVar("Command", bound=Callable[..., Any])


class TrustFlags(NamedTuple):
    """Who is believed."""

    ca: tuple[str, ...]
    insecure: bool


class IdentityFlags(NamedTuple):
    """Who we are."""

    cert: tuple[str, ...]
    key: tuple[str, ...]
    key_password: str | None
    ocsp: str | None
    raw_key: bool
    trust_key: tuple[str, ...]


class PskFlags(NamedTuple):
    """A key that both sides hold already."""

    psk: str | None
    psk_identity: str
    psk_context: str | None


class SessionFlags(NamedTuple):
    """A client's resumption and early data."""

    session: str | None
    session_in: str | None
    session_out: str | None
    early_data: str | None
    tickets: int | None


class OfferFlags(NamedTuple):
    """What only a client can say."""

    key_shares: str | None
    max_fragment: int | None
    fallback_scsv: bool
    post_handshake_auth: bool


class VisitorFlags(NamedTuple):
    """What a server asks of its clients."""

    client_auth: str
    client_ca: tuple[str, ...]


class GrantFlags(NamedTuple):
    """What a server gives its clients."""

    tickets: int
    max_early_data: int
    stateless_retry: bool
    require_server_name: bool


class ProxyFlags(NamedTuple):
    """What a proxy does, and between whom."""

    listen: tuple[str, int]
    to: str | None
    to_tls: bool
    plain: bool
    intercept: bool
    tap: bool
    to_cert: str | None
    to_key: str | None
    authority: str | None
    authority_key: str | None
    most: int
    live: bool


class AfterFlags(NamedTuple):
    """What happens once the handshake is complete."""

    key_update: bool
    export: str | None
    export_length: int


class NameFlags(NamedTuple):
    """What the server is called."""

    server_name: str | None
    no_sni: bool
    verify_name: str | None


class NegotiationFlags(NamedTuple):
    """What may be negotiated."""

    tls: str | None
    tlsv1_2: bool
    tlsv1_3: bool
    tls_max: str | None
    suites: str | None
    groups: str | None
    sigalgs: str | None
    alpn: str | None
    policy: str | None
    compress_certificates: str | None
    record_size_limit: int | None
    pad_to: int | None
    grease: bool


class NetworkFlags(NamedTuple):
    """How the line is made."""

    timeout: float
    ipv4: bool
    ipv6: bool
    starttls: str | None
    proxy: str | None
    unix: str | None


class OutputFlags(NamedTuple):
    """What is printed and kept."""

    view: tuple[str, ...]
    json: bool
    quiet: bool
    verbose: int
    color: str
    show_secrets: bool

    def terminal(self) -> Terminal:
        """The streams to print on, known to whatever reports an error later."""
        made = Terminal(
            color=self.color,
            as_json=self.json,
            quiet=self.quiet,
            secrets=self.show_secrets,
            views=self.view,
            verbose=self.verbose,
        )
        click.get_current_context().obj = made
        return made


class RecordFlags(NamedTuple):
    """What is written to files."""

    keylog: str | None
    record: str | None


class PictureFlags(NamedTuple):
    """What is drawn into files."""

    html: str | None
    svg: str | None
    pcap: str | None


def _bundle(kind: Any, name: str, *options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """A decorator that adds `options` and hands them over together, as the tuple `kind`, under `name`."""
    own: tuple[str, ...] = kind._fields

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapper(*args: Any, **values: Any) -> Any:
            values[name] = kind(**{field: values.pop(field) for field in own})
            return command(*args, **values)

        decorated: Any = wrapper
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


trust_options = _bundle(
    TrustFlags,
    "trust",
    click.option(
        "--ca", "--cacert", "ca", multiple=True, metavar="FILE|DIR|system|certifi",
        help="Whom to trust; may be repeated. Files and folders of your own are judged by RFC 5280, "
        "the system's authorities by the web's stricter rules.  [default: system]",
    ),
    click.option(
        "-k", "--insecure", is_flag=True,
        help="Go on without verifying the certificate, and say what was not checked."
    ),
)  # fmt: skip

identity_options = _bundle(
    IdentityFlags,
    "identity",
    click.option(
        "--cert",
        multiple=True,
        metavar="FILE",
        help="Our certificate chain, PEM; repeated, the one is shown that fits the name and the peer.",
    ),
    click.option(
        "--key",
        multiple=True,
        metavar="FILE",
        help="Its private key, PEM, in the same order.  [default: in the --cert file]",
    ),
    click.option(
        "--key-password",
        metavar="TEXT",
        help="The key's password; env:NAME and file:PATH keep it out of sight.",
    ),
    click.option("--ocsp", metavar="FILE", help="An OCSP response to staple to the first --cert, DER."),
    click.option("--raw-key", is_flag=True, help="Show the bare public key of --key, no certificate."),
    click.option(
        "--trust-key",
        multiple=True,
        metavar="FILE",
        help="Believe a peer that shows this bare public key, PEM or DER; may be repeated.",
    ),
)

psk_options = _bundle(
    PskFlags,
    "shared_key",
    click.option(
        "--psk",
        metavar="HEX",
        help="A pre-shared key, in hex; env:NAME and file:PATH keep it out of sight.",
    ),
    click.option(
        "--psk-identity",
        metavar="NAME",
        default="Client_identity",
        show_default=True,
        help="Its name on the wire.",
    ),
    click.option(
        "--psk-context",
        metavar="TEXT",
        help="Import it, bound to this context, as both sides must (RFC 9258).",
    ),
)

session_options = _bundle(
    SessionFlags,
    "resume",
    click.option(
        "--session", metavar="FILE", help="Resume the session in FILE, and keep the next one there."
    ),
    click.option("--session-in", metavar="FILE", help="Resume the session in FILE."),
    click.option("--session-out", metavar="FILE", help="Keep a session in FILE; it is as secret as a key."),
    click.option(
        "--early-data",
        metavar="FILE|-",
        help="Send this beside the ClientHello when the session allows it. Anybody can replay it.",
    ),
    click.option("--tickets", type=click.IntRange(0, 255), metavar="N", help="Ask for so many tickets."),
)

offer_options = _bundle(
    OfferFlags,
    "offer",
    click.option(
        "--key-shares", metavar="LIST", help="Groups to send a share of at once; others need a retry."
    ),
    click.option(
        "--max-fragment",
        type=click.Choice(["512", "1024", "2048", "4096"]),
        callback=lambda ctx, option, text: int(text) if text else None,
        help="Ask for records of so many bytes at most (RFC 6066).",
    ),
    click.option("--fallback-scsv", is_flag=True, help="Say that this is a second try with an old version."),
    click.option("--post-handshake-auth", is_flag=True, help="Let the server ask for --cert later."),
)

visitor_options = _bundle(
    VisitorFlags,
    "who",
    click.option(
        "--client-auth",
        type=click.Choice(["none", "request", "require", "later"]),
        default="none",
        show_default=True,
        help="Ask for a client certificate; later: after the handshake.",
    ),
    click.option("--client-ca", multiple=True, metavar="FILE|DIR", help="Who vouches for clients."),
)

grant_options = _bundle(
    GrantFlags,
    "grant",
    click.option(
        "--tickets",
        type=click.IntRange(0, 255),
        metavar="N",
        default=2,
        show_default=True,
        help="Session tickets for a client, at most.",
    ),
    click.option(
        "--max-early-data",
        type=click.IntRange(0, 2**32 - 1),
        metavar="BYTES",
        default=0,
        show_default=True,
        help="Bytes of 0-RTT data to accept. It may be a replay.",
    ),
    click.option("--stateless-retry", is_flag=True, help="Keep the state of a retry in its cookie."),
    click.option("--require-server-name", is_flag=True, help="Refuse who asks for another name, or none."),
)


def _place(context: click.Context, option: click.Parameter, text: str) -> tuple[str, int]:
    """Where to listen: on this machine only, unless an address is given."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else "127.0.0.1"
    if not host or not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise click.BadParameter(f"{text!r} is no [ADDR:]PORT.")
    return host, int(port)


proxy_options = _bundle(
    ProxyFlags,
    "proxy",
    click.option(
        "--listen",
        default="0",
        callback=_place,
        metavar="[ADDR:]PORT",
        help="Where to listen.  [default: a free port, for this machine only]",
    ),
    click.option("--to", metavar="HOST:PORT", help="The server; without it clients name it, by CONNECT."),
    click.option("--to-tls", is_flag=True, help="Speak TLS with the server too."),
    click.option("--plain", is_flag=True, help="Speak plain with clients, and TLS with the server."),
    click.option(
        "--intercept",
        is_flag=True,
        help="Speak TLS with both, under certificates of an authority of ours: both handshakes are shown.",
    ),
    click.option("--tap", is_flag=True, help="Touch nothing; show what passes, as a listener sees it."),
    click.option("--to-cert", metavar="FILE", help="The certificate that the server is shown, PEM."),
    click.option("--to-key", metavar="FILE", help="Its private key.  [default: in the --to-cert file]"),
    click.option(
        "--authority",
        metavar="FOLDER|FILE",
        help="Who issues certificates here.  [default: an authority of this user, made at first use]",
    ),
    click.option("--authority-key", metavar="FILE", help="Its key, if --authority is a certificate's file."),
    click.option(
        "--most",
        type=click.IntRange(1),
        default=256,
        metavar="N",
        show_default=True,
        help="Connections at once; more have to wait.",
    ),
    click.option("--live", "live", is_flag=True, help="Show the handshakes in the browser, as they come."),
)

after_options = _bundle(
    AfterFlags,
    "after",
    click.option("--key-update", is_flag=True, help="Change the keys at once, and ask the peer to as well."),
    click.option(
        "--export", metavar="LABEL", help="Print keying material of this label; whole with --show-secrets."
    ),
    click.option(
        "--export-length",
        type=click.IntRange(1, 255),
        metavar="BYTES",
        default=32,
        show_default=True,
        help="Bytes of it.",
    ),
)

name_options = _bundle(
    NameFlags,
    "names",
    click.option("--server-name", "--sni", metavar="NAME", help="The name to ask for.  [default: the host]"),
    click.option("--no-sni", is_flag=True, help="Do not say which name is asked for."),
    click.option("--verify-name", metavar="NAME", help="The name that the certificate must be for."),
)

negotiation_options = _bundle(
    NegotiationFlags,
    "negotiation",
    click.option("--tls", metavar="VERSIONS", help="1.3, 1.2 or 1.2-1.3.  [default: 1.2-1.3]"),
    click.option("--tlsv1.2", "tlsv1_2", is_flag=True, help="TLS 1.2 or later."),
    click.option("--tlsv1.3", "tlsv1_3", is_flag=True, help="TLS 1.3 or later."),
    click.option("--tls-max", metavar="VERSION", help="This version at most."),
    click.option(
        "--suites", "--ciphers", metavar="LIST", help="Cipher suites, by IANA's or OpenSSL's names."
    ),
    click.option("--groups", "--curves", metavar="LIST", help="Key exchange groups, best first."),
    click.option("--sigalgs", metavar="LIST", help="Signature schemes, best first."),
    click.option("--alpn", metavar="LIST", help="Application protocols, best first."),
    click.option(
        "--policy",
        metavar="NAME",
        help="A named policy: default, modern, museum, old-peers.  [default: default]",
    ),
    click.option(
        "--compress-certificates",
        metavar="LIST",
        help="zlib, brotli, zstd, best first, or none.  [default: zlib]",
    ),
    click.option(
        "--record-size-limit",
        type=click.IntRange(64, 16384),
        metavar="BYTES",
        help="Take no record with more plaintext (RFC 8449).",
    ),
    click.option(
        "--pad-to",
        type=click.IntRange(1, 16384),
        metavar="BYTES",
        help="Pad what we send to multiples of this, to hide its length.",
    ),
    click.option("--grease", is_flag=True, help="Send reserved values, and extensions in random order."),
)

network_options = _bundle(
    NetworkFlags,
    "network",
    click.option(
        "--timeout", type=float, default=30.0, metavar="SECONDS", show_default=True, help="For each wait."
    ),
    click.option("-4", "--ipv4", "ipv4", is_flag=True, help="IPv4 only."),
    click.option("-6", "--ipv6", "ipv6", is_flag=True, help="IPv6 only."),
    click.option(
        "--starttls",
        type=click.Choice(["smtp", "imap", "pop3", "ftp", "sieve", "xmpp", "ldap", "postgres"]),
        help="Begin in clear, and ask for TLS as this protocol does.",
    ),
    click.option("--proxy", metavar="URL", help="Through an HTTP proxy: http://[USER:PASSWORD@]HOST[:PORT]."),
    click.option("--unix", metavar="PATH", help="Over a socket of this machine; HOST is the name only."),
)

#: The views of `pellucid.glass.views`, which is not loaded just to make the help.
VIEW_NAMES = ("ladder", "bytes", "keys", "reasons", "trust", "steps", "wire")


def views_named(context: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    """The views of a list, in its order; "all" is every one."""
    names = tuple(VIEW_NAMES if name == "all" else (name,) for name in listed(text))
    found = tuple(dict.fromkeys(name for group in names for name in group))
    for name in found:
        if name not in VIEW_NAMES:
            raise click.BadParameter(f"no view {name!r}; there are {', '.join(VIEW_NAMES)}, and all.")
    return found


output_options = _bundle(
    OutputFlags,
    "output",
    click.option(
        "--view",
        metavar="LIST",
        default="",
        callback=views_named,
        help=f"What to show: {', '.join(VIEW_NAMES)}, or all.  [default: the nine steps, in short]",
    ),
    click.option("--json", is_flag=True, help="JSON on stdout, one object a line."),
    click.option("-q", "--quiet", is_flag=True, help="No narration."),
    click.option(
        "-v", "--verbose", count=True, help="More: -v the reasons and certificates, -vv every view."
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colours.",
    ),
    click.option("--show-secrets", is_flag=True, help="Show keys and secrets whole."),
)

record_options = _bundle(
    RecordFlags,
    "keep",
    click.option(
        "--keylog",
        metavar="FILE",
        envvar="SSLKEYLOGFILE",
        help="Append the keys, for Wireshark.  [env: SSLKEYLOGFILE]",
    ),
    click.option(
        "--record", metavar="FILE", help="Write the trace as JSON Lines; no secrets without --show-secrets."
    ),
)


picture_options = _bundle(
    PictureFlags,
    "draw",
    click.option("--html", metavar="FILE", help="Write a page that shows all of it, for any browser."),
    click.option("--svg", metavar="FILE", help="Write the ladder as a picture."),
    click.option(
        "--pcap", metavar="FILE", help="Write pcapng with the keys inside: Wireshark opens it, decrypted."
    ),
)


def listed(text: str | None) -> Sequence[str]:
    """The items of a comma (or colon, or space) separated list.

    >>> listed("h2, http/1.1")
    ['h2', 'http/1.1']
    """
    if not text:
        return []
    return text.replace(",", " ").replace(":", " ").split()
