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
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import click

from pellucid.cli.terminal import Terminal

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class TrustFlags:
    """Who is believed."""

    ca: tuple[str, ...]
    insecure: bool


@dataclass(frozen=True)
class IdentityFlags:
    """Who we are."""

    cert: str | None
    key: str | None
    key_password: str | None


@dataclass(frozen=True)
class NameFlags:
    """What the server is called."""

    server_name: str | None
    no_sni: bool
    verify_name: str | None


@dataclass(frozen=True)
class NegotiationFlags:
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


@dataclass(frozen=True)
class NetworkFlags:
    """How the line is made."""

    timeout: float
    ipv4: bool
    ipv6: bool


@dataclass(frozen=True)
class OutputFlags:
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


@dataclass(frozen=True)
class RecordFlags:
    """What is written to files."""

    keylog: str | None
    record: str | None


@dataclass(frozen=True)
class PictureFlags:
    """What is drawn into files."""

    html: str | None
    svg: str | None


def _bundle(kind: type, name: str, *options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """A decorator that adds `options` and hands them over together, as `kind`, under `name`."""
    own = [field.name for field in fields(kind)]

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
    click.option("--cert", metavar="FILE", help="Our certificate chain, PEM."),
    click.option("--key", metavar="FILE", help="Its private key, PEM.  [default: in the --cert file]"),
    click.option(
        "--key-password",
        metavar="TEXT",
        help="The key's password; env:NAME and file:PATH keep it out of sight.",
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
        "--policy", metavar="NAME", help="A named policy: default, modern, museum.  [default: default]"
    ),
)

network_options = _bundle(
    NetworkFlags,
    "network",
    click.option(
        "--timeout", type=float, default=30.0, metavar="SECONDS", show_default=True, help="For each wait."
    ),
    click.option("-4", "--ipv4", "ipv4", is_flag=True, help="IPv4 only."),
    click.option("-6", "--ipv6", "ipv6", is_flag=True, help="IPv6 only."),
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
)


def listed(text: str | None) -> Sequence[str]:
    """The items of a comma (or colon, or space) separated list.

    >>> listed("h2, http/1.1")
    ['h2', 'http/1.1']
    """
    if not text:
        return []
    return text.replace(",", " ").replace(":", " ").split()
