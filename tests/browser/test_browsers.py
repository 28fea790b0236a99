"""What people have, as clients: Chromium, Firefox and curl meet our servers, and our proxy on their way.

The servers are uvicorn over pellucid and `pellucid serve --www`; behind the proxy also OpenSSL's. The
browsers verify certificates as they always do: our two authorities stand in their databases.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.conftest import CHROMIUM, FLAGS
from browser.firefox import FIREFOX
from browser.firefox import running as running_firefox
from cli.running import Proxy, Serve
from ecosystem.servers import running
from pellucid import Authority
from pellucid.asgi import TLSExtension, ssl_context_factory

pytestmark = pytest.mark.interop

POSTED = 300_000
PAGE = """<!doctype html><title>wait</title><body><script type="module">
const say = text => document.body.append(text + "; ");
const answer = await fetch("/", {method: "POST", body: "x".repeat(%d)});
say("posted " + (await answer.text()));
const socket = new WebSocket("wss://" + location.host + "/");
socket.onopen = () => socket.send("hello");
socket.onmessage = event => { say("socket: " + event.data); document.title = "done"; };
</script>%s; """
DONE = 'document.title === "done"'
Visit = Callable[..., str]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """A page whose script posts and opens a WebSocket; the page says what it was told of its connection."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        said = await receive()
        await send({"type": "websocket.send", "text": said["text"]})
        await receive()
        return
    size, more = 0, True
    while more:
        part = await receive()
        size, more = size + len(part.get("body", b"")), part.get("more_body", False)
    tls = scope["extensions"]["tls"]
    told = f"{tls['tls_version']:04x} {tls['cipher_suite']:04x}"
    body = (str(size) if scope["method"] == "POST" else PAGE % (POSTED, told)).encode()
    headers = [(b"content-type", b"text/html"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class World:
    """Certificates in files, and servers that show them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create("servers")
        self.interceptor = folder / "interceptor"
        Authority.create("interceptor").write(self.interceptor)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self.authority.pem)
        for name, fault in (("site", None), ("expired", "expired")):
            (folder / f"{name}.pem").write_bytes(
                self.authority.issue("localhost", "127.0.0.1", fault=fault).to_pem()
            )

    def trusted_in(self, database: Path) -> None:
        """An NSS database, which both browsers read."""
        certutil = shutil.which("certutil")
        if certutil is None:
            pytest.skip("certutil is not installed")
        database.mkdir(parents=True)
        subprocess.run([certutil, "-N", "-d", f"sql:{database}", "--empty-password"], check=True)
        for name, file in (("servers", self.ca), ("interceptor", self.interceptor / "ca.pem")):
            words = ["-A", "-d", f"sql:{database}", "-n", name, "-t", "C,,", "-i", str(file)]
            subprocess.run([certutil, *words], check=True)

    @contextlib.contextmanager
    def uvicorn(self, certificate: str = "site") -> Iterator[int]:
        """uvicorn, its TLS by pellucid."""
        uvicorn = pytest.importorskip("uvicorn")
        server = uvicorn.Server(
            uvicorn.Config(
                TLSExtension(app), host="127.0.0.1", port=0, log_level="error", lifespan="off",
                ssl_certfile=str(self.folder / f"{certificate}.pem"), ssl_cert_reqs=ssl.CERT_NONE,
                ssl_context_factory=ssl_context_factory, timeout_graceful_shutdown=1,
            )
        )  # fmt: skip
        with running(server) as port:
            yield port

    @contextlib.contextmanager
    def openssl(self) -> Iterator[int]:
        """OpenSSL's own little web server."""
        program = shutil.which("openssl")
        if program is None:
            pytest.skip("openssl is not installed")
        site = str(self.folder / "site.pem")
        words = ["s_server", "-accept", "127.0.0.1:0", "-cert", site, "-key", site, "-www"]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [program, *words], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT
        ) as process:
            assert process.stdout is not None
            while b"ACCEPT" not in (line := process.stdout.readline()):
                assert line, "openssl s_server ended"
            port = int(line.rsplit(b":", 1)[1])
            threading.Thread(target=process.stdout.read, daemon=True).start()
            try:
                yield port
            finally:
                process.kill()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("browsers"))


# -- those who visit: "localhost" directly, 127.0.0.1 through the proxy ----------------------------------


@contextlib.contextmanager
def chromium(world: World, home: Path, proxy: int, request: pytest.FixtureRequest) -> Iterator[Visit]:
    playwright = request.getfixturevalue("playwright")
    world.trusted_in(home / ".pki" / "nssdb")
    words = (f"--proxy-server=http://127.0.0.1:{proxy}", "--proxy-bypass-list=<-loopback>;localhost")
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*FLAGS, *words], env=os.environ | {"HOME": str(home)}
    )
    page = browser.new_page()
    page.set_default_timeout(60_000)

    def visit(url: str, until: str = "true") -> str:
        page.goto(url)
        page.wait_for_function(until)
        return str(page.inner_text("body"))

    try:
        yield visit
    finally:
        browser.close()


@contextlib.contextmanager
def firefox(world: World, home: Path, proxy: int, request: pytest.FixtureRequest) -> Iterator[Visit]:
    if not FIREFOX:
        pytest.skip("firefox-esr is not installed")
    pytest.importorskip("websockets")
    world.trusted_in(home / "profile")
    settings = {
        "network.proxy.type": 1,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": proxy,
        "network.proxy.no_proxies_on": "localhost",
        "network.proxy.allow_hijacking_localhost": True,
    }
    with running_firefox(home, settings) as browser:
        yield browser.visit


@contextlib.contextmanager
def curl(world: World, home: Path, proxy: int, request: pytest.FixtureRequest) -> Iterator[Visit]:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    both = home / "both.pem"
    both.write_bytes(world.ca.read_bytes() + (world.interceptor / "ca.pem").read_bytes())

    def visit(url: str, until: str = "") -> str:
        words = ["--silent", "--show-error", "--max-time", "60", "--cacert", str(both)]
        words += ["--proxy", f"http://127.0.0.1:{proxy}", "--noproxy", "localhost"]
        if until == DONE:
            sent = subprocess.run(
                [program, *words, "--data-binary", "@-", url], input=b"x" * POSTED, capture_output=True
            )
            assert sent.stdout == str(POSTED).encode(), sent.stderr
        done = subprocess.run([program, *words, url], capture_output=True, check=True)
        return done.stdout.decode()

    yield visit


VISITORS = {"chromium": chromium, "firefox": firefox, "curl": curl}


@pytest.mark.parametrize("name", VISITORS)
def test_it_meets_our_servers_and_our_proxy(
    name: str, world: World, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scripts = name != "curl"
    flags = ("--intercept", "--authority", str(world.interceptor), "--ca", str(world.ca), "--json")
    site = str(world.folder / "site.pem")
    with (
        world.uvicorn() as ours,
        world.uvicorn("expired") as expired,
        world.openssl() as theirs,
        Serve("--www", "--cert", site) as www,
        Proxy(*flags) as proxy,
        VISITORS[name](world, tmp_path, proxy.port, request) as visit,
    ):
        # directly
        told = visit(f"https://localhost:{ours}/", DONE)
        assert "0304 130" in told
        if scripts:
            assert f"posted {POSTED}; socket: hello;" in told
        told = visit(f"https://localhost:{www.port}/")
        assert ("Your handshake" if scripts else "CLIENT HELLO") in told
        # through the proxy
        told = visit(f"https://127.0.0.1:{ours}/", DONE)
        assert "0304 130" in told
        if scripts:
            assert f"posted {POSTED}; socket: hello;" in told
        told = visit(f"https://127.0.0.1:{theirs}/")
        assert "s_server -accept" in told
        told = visit(f"https://127.0.0.1:{expired}/")
        assert "A certificate of the chain has expired." in told
    assert b"CLIENT HELLO" in www.stdout
    passages = proxy.objects
    to = {
        port: [one for one in passages if one["to"] == f"127.0.0.1:{port}"]
        for port in (ours, theirs, expired)
    }
    for port in (ours, theirs):
        assert to[port]
        good = [one for one in to[port] if one["received"]]
        assert good
        for one in good:
            assert one["front"]["version"] == one["behind"]["version"] == "TLS 1.3"
    # A browser may also open connections to be ready, and drop them: the ones that it used are looked at.
    assert "certificate-expired" in {one["error"]["reason"] for one in to[expired] if one["error"]}
    assert {one["sent"] for one in to[expired]} == {0}
