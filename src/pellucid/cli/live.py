"""`pellucid live`: a page on this machine to watch handshakes happen, and to make them fail on purpose."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import threading
import webbrowser
from typing import TYPE_CHECKING, Any, Self

import click

from pellucid.cli import exits
from pellucid.cli.options import OutputFlags, TrustFlags, output_options, trust_options
from pellucid.cli.settings import trust_of
from pellucid.cli.terminal import Terminal
from pellucid.errors import Reason, UsageError

if TYPE_CHECKING:
    from pellucid.live.scenes import Scenes
    from pellucid.live.site import Site


class LivePage:
    """The live page in a thread of its own.

    Attributes:
        url: where it is, token and all.
        scenes: what it shows.
    """

    def __init__(self, site: Site, host: str, port: int) -> None:
        from pellucid.live.site import WebServer

        self._web = WebServer(site, host, port)
        self._site = site
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._web.run, args=(self._ready.set,), daemon=True)
        self.url = self._web.url

    @property
    def scenes(self) -> Scenes:
        """What it shows; there once it runs."""
        return self._site.scenes

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._web.stop()
        self._thread.join(5)


def make_site(**settings: Any) -> Site:
    """The web application; a plain sentence where its libraries are missing."""
    try:
        from pellucid.live.site import Site
    except ModuleNotFoundError as error:
        raise UsageError(
            Reason.BAD_CONFIG, f"{error.name} is not installed; pip install 'pellucid[live]' brings it"
        ) from None
    return Site(**settings)


def live_scenes(stack: contextlib.ExitStack, terminal: Terminal) -> Scenes:
    """A page on this machine that shows what comes, until the end of `stack`; what it is to show."""
    page = stack.enter_context(LivePage(make_site(experiments=False), "127.0.0.1", 0))
    say_where(page, "127.0.0.1", terminal)
    return page.scenes


def say_where(page: LivePage, host: str, terminal: Terminal) -> None:
    """The page's address on stdout; a word of warning where others can reach it."""
    if terminal.as_json:
        terminal.objects([{"url": page.url}])
    else:
        click.echo(page.url)
    if not is_loopback(host):
        terminal.problem(
            "The page is open to the network, unencrypted.",
            f"It listens on {host}; whoever sees the address on its way may use it too.",
            "Leave --host out to keep it to this machine.",
        )


def wait_for_the_end(finished: threading.Event | None = None) -> None:
    """Until `finished` is set, Ctrl-C, or SIGTERM."""
    finished = finished or threading.Event()
    end_on_sigterm(finished)
    while not finished.wait(0.5):  # in short waits: signals are handled between them
        pass


def end_on_sigterm(finished: threading.Event) -> None:
    """Let SIGTERM end the command in good order, by setting `finished`."""

    def stop(*_: Any) -> None:
        finished.set()

    signal.signal(signal.SIGTERM, stop)


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@click.command(short_help="Watch handshakes happen in the browser, and break them.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="[default: a free one]"
)
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDR",
    show_default=True,
    help="Where to listen. Anything but loopback opens the page to the network.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the browser.")
@trust_options
@output_options
def live(host: str, port: int, open_browser: bool, trust: TrustFlags, output: OutputFlags) -> int:
    """A page where you choose a version, a suite, a certificate, a fault, and watch what happens.

    A real client and a real server meet over real sockets, message by message; or you name a host and
    watch that. The page's address, with its secret token, is printed on stdout; Ctrl-C ends it.
    """  # fmt: skip
    terminal = output.terminal()
    site = make_site(trust=trust_of(trust))
    try:
        page = LivePage(site, host, port)
    except OSError as error:
        raise UsageError(
            Reason.BAD_CONFIG, f"cannot listen on {host} port {port}: {error.strerror}"
        ) from None
    with page:
        say_where(page, host, terminal)
        terminal.say("Open it in a browser; Ctrl-C ends it.")
        if open_browser:
            webbrowser.open(page.url)
        wait_for_the_end()
    return exits.OK
