"""The page that stands alone, and the page of `serve --www`, in a real browser."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from browser.pages import opened, running, serious_faults
from pellucid import (
    Authority,
    ClientConfig,
    Policy,
    ServerConfig,
    ServerConnection,
    TLSError,
    Trust,
    connect,
    lab,
    serve,
)
from pellucid.glass import page
from pellucid.glass.trace import Trace
from pellucid.io.sockets import TLSSocket
from pellucid.wire.codepoints import ExtensionType
from pellucid.wire.messages import ClientHello

HOSTILE = "</script><img src=x onerror=alert(1)><!--<script>alert(2)</script>"


def command(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pellucid", *arguments], check=True, capture_output=True, timeout=60
    )


def test_a_file_that_needs_nothing_else(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "demo.html"
    command("demo", "-q", "--json", "--html", str(file), "--svg", str(tmp_path / "demo.svg"))
    with opened(browser) as tab:
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(file.as_uri())
        assert tab.locator("#panel-steps [data-step]").count() == 9
        tab.locator("#chooser button", has_text="TLS 1.3").click()
        assert "TLS 1.3" in tab.locator(".summary").inner_text()
        tab.locator("#theme").click()
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 27)"
        assert serious_faults(tab) == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        tab.goto((tmp_path / "demo.svg").as_uri())
        assert "ClientHello" in tab.locator("svg").text_content()


def test_a_byte_of_a_certificate_lights_up_the_innermost_field(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "demo.html"
    command("demo", "-q", "--json", "--tls", "1.3", "--html", str(file))
    with opened(browser, viewport={"width": 1180, "height": 700}) as tab:
        tab.goto(file.as_uri())
        tab.locator(".ladder button", has_text="Certificate").first.click()
        letters = tab.eval_on_selector_all(".dump .c", "all => all.map(one => one.textContent).join('')")
        at = letters.rindex("localhost")
        byte = tab.locator(f'.dump .b[data-at="{at}"]').first
        byte.hover()
        assert tab.locator(".frow.lit").count() == 1
        path = tab.locator(".inspector .path").first.inner_text()
        assert "tbsCertificate › extensions" in path
        assert "subjectAltName › extnValue › GeneralNames › dNSName" in path
        byte.click()  # the tree opens down to it, and the page may scroll: what was clicked stays lit
        tab.wait_for_timeout(300)
        assert tab.locator(".frow.lit .fname").inner_text() == "dNSName"
        assert tab.locator(".dump .b.lit").count() == len("localhost") + 2  # its tag and its length too
        assert "RFC 5280" in tab.locator(".inspector").first.inner_text()
        assert serious_faults(tab) == []


def test_every_view_is_printed(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "demo.html"
    command("demo", "-q", "--json", "--tls", "1.3", "--html", str(file))
    with opened(browser) as tab:
        tab.goto(file.as_uri())
        tab.emulate_media(media="print")
        tab.evaluate("dispatchEvent(new Event('beforeprint'))")
        for name in ("steps", "bytes", "keys", "reasons", "trust", "wire"):
            assert tab.locator(f"#panel-{name}").is_visible()
        assert tab.locator(".message").count() == tab.locator(".ladder .arrow").count()
        assert not tab.locator(".tabs").is_visible()


def hostile_talk(*faults: lab.Fault) -> tuple[Trace, Trace, bool]:
    """What an enemy can say in a handshake: names in certificates, ALPN, data; and whether it was heard."""
    authority = Authority.create(HOSTILE[:60])
    client, server = Trace(), Trace()
    identity = authority.issue("localhost", common_name=HOSTILE[:60])
    theirs = ClientConfig(trust=authority.trust(), alpn=(HOSTILE,), observer=client)
    ours = ServerConfig(identities=(identity,), alpn=(HOSTILE,), observer=server)
    talk = lab.converse(lab.MisbehavingClient(theirs, "localhost", *faults), ServerConnection(ours))
    if talk.completed:
        talk.client.send_data(HOSTILE.encode())
        talk.go_on()
    return client, server, talk.completed


def hostile_page() -> str:
    """Such a connection, and one with a server name that is none."""
    name = HOSTILE.encode()
    name = b"\0" + len(name).to_bytes(2, "big") + name
    extension = len(name).to_bytes(2, "big") + name
    client, server, completed = hostile_talk()
    assert completed
    other = hostile_talk(lab.extensions(ClientHello, {ExtensionType.server_name: extension}))[1]
    shown = [page.document(client, server, title=HOSTILE), page.document(other, title="the server's")]
    return page.page(shown, title=HOSTILE, text=HOSTILE)


def test_what_strangers_say_is_text(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "hostile.html"
    file.write_text(hostile_page(), encoding="utf-8")
    with opened(browser) as tab:
        tab.goto(file.as_uri())
        for position in range(2):
            tab.locator("#chooser button").nth(position).click()
            for name in ("steps", "keys", "reasons", "trust", "wire"):
                tab.locator(f"#tab-{name}").click()
            for row in tab.locator(".ladder button").all():
                row.click()
            assert tab.locator("img").count() == 0
            assert tab.locator("main script").count() == 0
        tab.locator("#chooser button").first.click()
        assert tab.locator("h1").inner_text() == HOSTILE
        assert tab.title() == HOSTILE


def test_even_a_hole_would_run_nothing(browser: Any, tmp_path: Path) -> None:
    """The page's policy holds, should a name ever get into its HTML."""
    text = page.page([]).replace('<main id="page"', "<script>document.title = 'run'</script><main id='page'")
    file = tmp_path / "hole.html"
    file.write_text(text, encoding="utf-8")
    context = browser.new_context()
    tab = context.new_page()
    refused: list[str] = []
    tab.on("console", lambda said: refused.append(said.text))
    tab.goto(file.as_uri())
    assert tab.title() == "A TLS handshake"
    assert any("Content Security Policy" in text for text in refused)
    context.close()


def spki_of(file: Path) -> str:
    """The hash by which Chromium is told to believe a certificate."""
    key = x509.load_pem_x509_certificate(file.read_bytes()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def test_chromium_reads_about_its_own_client_hello(launch: Callable[..., Any], tmp_path: Path) -> None:
    command("cert", "ca", str(tmp_path / "ca"))
    command("cert", "issue", str(tmp_path / "ca"), "localhost", "127.0.0.1", "-o", str(tmp_path / "leaf"))
    leaf, key = tmp_path / "leaf.pem", tmp_path / "leaf-key.pem"
    server = running("serve", "0", "--www", "--cert", str(leaf), "--key", str(key), stream="stderr")
    with server as (_, line):
        browser = launch(f"--ignore-certificate-errors-spki-list={spki_of(leaf)}")
        with opened(browser) as tab:
            tab.goto(f"https://localhost:{line.rsplit(':', 1)[1]}/")
            assert tab.locator("h1").inner_text() == "Your handshake"
            assert tab.locator(".message h3").inner_text() == "ClientHello"
            fields = tab.locator(".tree").text_content()
            for told in ("GREASE", "server_name", "key_share", "X25519MLKEM768", "supported_versions"):
                assert told in fields
            assert "TLS 1.3" in tab.locator(".summary").inner_text()
            assert "localhost" in "".join(tab.locator(".dump .c").all_text_contents())
            assert serious_faults(tab, "#panel-bytes .inspector") == []
        browser.close()


def test_visitors_are_watched_as_they_come(browser: Any, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    with running("serve", "0", "--live", "--save-ca", str(ca)) as (process, url), opened(browser) as tab:
        port = process.stderr.readline().strip().rsplit(":", 1)[1]
        tab.goto(url)
        tab.get_by_text("Nobody has come yet").wait_for()
        assert tab.locator(".experiment").count() == 0
        command("connect", f"localhost:{port}", "--ca", str(ca), "-Q")
        tab.wait_for_selector('html[data-scene="1 complete"]', state="attached")
        assert "TLS 1.3" in tab.locator(".summary").inner_text()
        refused = subprocess.run(
            [sys.executable, "-m", "pellucid", "connect", f"localhost:{port}", "-Q"],
            capture_output=True,
            timeout=60,
        )
        assert refused.returncode == 5
        tab.wait_for_selector('html[data-scene="2 failed"]', state="attached")
        assert "unknown_ca" in tab.locator(".ladder").inner_text()
        tab.goto("about:blank")  # before the server goes


def test_both_handshakes_of_a_proxy_are_watched_as_they_come(browser: Any, tmp_path: Path) -> None:
    """What is said in between is not on the page: it is the client's and the server's."""

    def echo(tls: TLSSocket) -> None:
        for data in tls:
            tls.sendall(data)
        tls.shutdown_write()

    behind, own = Authority.create(), Authority.create().write(tmp_path / "own")
    (tmp_path / "behind.pem").write_bytes(behind.pem)
    trust = ("--authority", str(own), "--ca", str(tmp_path / "behind.pem"))
    with serve(echo, ServerConfig(identities=(behind.issue("localhost"),))) as server:
        words = ("proxy", "--live", "--to-tls", "--to", f"localhost:{server.port}", *trust)
        with running(*words) as (process, url), opened(browser) as tab:
            assert url.startswith("http://127.0.0.1:")
            line = ""
            while "listening on" not in line:
                line = process.stderr.readline()
                assert line
            port = int(line.rsplit(":", 1)[1])
            tab.goto(url)
            tab.get_by_text("Nobody has come yet").wait_for()
            assert tab.locator(".experiment").count() == 0
            known = ClientConfig(trust=Trust.from_pem(own / "ca.pem"), policy=Policy(versions=(0x0303,)))
            with connect("localhost", port, config=known) as client:
                client.sendall(b"nobody but you and me")
                assert client.recv() == b"nobody but you and me"
                tab.wait_for_selector(
                    'html[data-scene="2 complete"]', state="attached"
                )  # and it is still open
                told = tab.locator("#scenes").inner_text()
                assert "and this proxy" in told
                assert f"this proxy and the server localhost:{server.port}" in told
                assert "TLS 1.3" in tab.locator(".summary").inner_text()
                tab.locator("#scenes button", has_text="and this proxy").click()
                tab.wait_for_selector('html[data-scene="1 complete"]', state="attached")
                assert "TLS 1.2" in tab.locator(".summary").inner_text()
            assert "you and me" not in tab.content()
            with (
                pytest.raises(TLSError),
                connect("localhost", port, config=ClientConfig(trust=behind.trust())),
            ):
                pass
            tab.locator("#scenes button", has_text="2: the client").click()
            tab.wait_for_selector('html[data-scene="3 failed"]', state="attached")
            assert "unknown_ca" in tab.locator(".ladder").inner_text()
            tab.goto("about:blank")  # before the proxy goes
