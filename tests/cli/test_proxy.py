"""`pellucid proxy` with the programs that people have: curl, openssl, Python's urllib, requests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid import Authority, ClientConfig, ServerConfig, connect, serve
from pellucid.cli import main
from pellucid.glass.capture import Capture
from pellucid.glass.trace import Trace
from pellucid.io.sockets import TLSSocket

from .running import SECONDS, Proxy, pellucid

SECRET = b"the cookie that nobody may see"
PAGE = b"a page of the server's"


@pytest.fixture(scope="module")
def authority_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interceptor's authority, as `pellucid cert ca` makes one."""
    return Authority.create("interceptor").write(tmp_path_factory.mktemp("authority") / "here")


@pytest.fixture(scope="module")
def site(authority: Authority) -> Iterator[int]:
    """A small web server of the library's."""
    with serve(
        answer, ServerConfig(identities=(authority.issue("localhost"),), alpn=("http/1.1",))
    ) as server:
        yield server.port


def answer(tls: TLSSocket) -> None:
    said = b""
    while b"\r\n\r\n" not in said:
        data = tls.recv()
        if not data:
            return
        said += data
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(PAGE)}\r\n"
    tls.sendall(head.encode() + b"Connection: close\r\n\r\n" + PAGE)
    tls.shutdown_write()


def curl(url: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = ["curl", "--silent", "--show-error", "--noproxy", "", "--max-time", "40", *arguments, url]
    return subprocess.run(command, capture_output=True, timeout=SECONDS, env=clean())


def clean(**more: str) -> dict[str, str]:
    """An environment without proxies but these."""
    return {name: text for name, text in os.environ.items() if "proxy" not in name.lower()} | more


def flags(folder: Path, ca: str, *more: str) -> tuple[str, ...]:
    return ("--intercept", "--authority", str(folder), "--ca", ca, *more)


def test_curl_through_the_interceptor(site: int, authority_folder: Path, ca: str) -> None:
    with Proxy(*flags(authority_folder, ca, "--once")) as proxy:
        done = curl(
            f"https://localhost:{site}/", "--proxy", proxy.url, "--cacert", str(authority_folder / "ca.pem")
        )
        assert (done.returncode, done.stdout) == (0, PAGE), done.stderr
    assert proxy.code == 0
    told = proxy.stdout.decode()
    assert "and this proxy" in told
    assert f"this proxy and the server localhost:{site}" in told
    assert told.count("CLIENT HELLO") == 2
    assert "ALPN               h2, http/1.1" in told
    assert b"No program trusts it until you say so" in proxy.greeting
    assert str(authority_folder / "ca.pem").encode() in proxy.greeting
    assert b"Connection 1 is over" in proxy.stderr


PROGRAMS = {
    "urllib": "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())",
    "requests": "import sys, requests; sys.stdout.write(requests.get(sys.argv[1]).text)",
    "httpx": "import sys, httpx; sys.stdout.write(httpx.get(sys.argv[1]).text)",
}


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_honours_https_proxy(program: str, site: int, authority_folder: Path, ca: str) -> None:
    if program != "urllib":
        pytest.importorskip(program)
    theirs = str(authority_folder / "ca.pem")
    with Proxy(*flags(authority_folder, ca, "--once", "--json")) as proxy:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAMS[program], f"https://localhost:{site}/"],
            capture_output=True,
            timeout=SECONDS,
            env=clean(HTTPS_PROXY=proxy.url, SSL_CERT_FILE=theirs, REQUESTS_CA_BUNDLE=theirs),
        )
        assert done.stdout == PAGE, done.stderr.decode()
    (told,) = proxy.objects
    assert (told["way"], told["to"]) == ("intercept", f"localhost:{site}")
    # These programs close without a close_notify when they have their page; the server's may come later.
    error = told["error"]
    assert error is None or (error["side"], error["reason"]) == ("client", "truncated")
    assert told["front"]["version"] == told["behind"]["version"] == "TLS 1.3"
    assert told["front"]["alpn"] == told["behind"]["alpn"] == "http/1.1"
    assert told["received"] > len(PAGE)


@pytest.mark.interop
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_on_both_sides(version: str, authority: Authority, authority_folder: Path, ca: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    cert, key = authority.issue("localhost").write(authority_folder.parent, f"site{version}")
    pipe = subprocess.PIPE
    words = [
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-cert",
        str(cert),
        "-key",
        str(key),
        "-rev",
        version,
    ]
    with subprocess.Popen([openssl, *words], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as behind:
        assert behind.stdout is not None
        while b"ACCEPT" not in (line := behind.stdout.readline()):
            assert line, "openssl s_server ended"
        port = int(line.rsplit(b":", 1)[1])
        with Proxy(*flags(authority_folder, ca, "--once", "--json")) as proxy:
            words = ["s_client", "-connect", f"localhost:{port}", "-proxy", f"127.0.0.1:{proxy.port}"]
            words += ["-CAfile", str(authority_folder / "ca.pem"), "-verify_return_error", "-quiet"]
            words += ["-verify_hostname", "localhost", "-servername", "localhost"]
            with subprocess.Popen([openssl, *words], stdin=pipe, stdout=pipe, stderr=pipe) as client:
                assert client.stdin is not None
                assert client.stdout is not None
                client.stdin.write(b"palindrome\n")
                client.stdin.flush()
                assert client.stdout.readline() == b"emordnilap\n"
                client.terminate()
        behind.terminate()
    (told,) = proxy.objects
    assert told["front"]["version"] == "TLS 1.3"
    assert told["behind"]["version"] == version.replace("-tls1_", "TLS 1.")
    assert (told["sent"], told["received"]) == (11, 11)


def test_a_wrong_certificate_is_refused_in_words(
    authority: Authority, authority_folder: Path, ca: str
) -> None:
    config = ServerConfig(identities=(authority.issue("localhost", fault="expired"),))
    asked: list[bytes] = []
    with serve(lambda tls: asked.append(tls.recv()), config) as server:
        with Proxy(*flags(authority_folder, ca, "--once")) as proxy:
            done = curl(
                f"https://localhost:{server.port}/", "--proxy", proxy.url, "--fail-with-body",
                "--cacert", str(authority_folder / "ca.pem"), "--cookie", SECRET.decode(),
            )  # fmt: skip
            assert done.returncode == 22
            assert b"A certificate of the chain has expired." in done.stdout
        assert proxy.code == 5
        assert b"with the server: A certificate of the chain has expired." in proxy.stderr
    assert asked == []


def test_insecure_says_so(authority: Authority, authority_folder: Path) -> None:
    config = ServerConfig(identities=(authority.issue("localhost", fault="expired"),))
    with (
        serve(answer, config) as server,
        Proxy("--intercept", "--authority", str(authority_folder), "--insecure", "--once", "--json") as proxy,
    ):
        trusted = str(authority_folder / "ca.pem")
        done = curl(f"https://localhost:{server.port}/", "--proxy", proxy.url, "--cacert", trusted)
        assert done.stdout == PAGE
    assert b"Servers are not verified: --insecure." in proxy.greeting
    assert "Nobody verified the server" in proxy.objects[0]["notes"][0]


def test_tls_in_front_and_every_output(tmp_path: Path, authority: Authority, ca: str) -> None:
    """What the two said to each other, and their keys, are where they were asked for, and nowhere else."""
    cert, key = authority.issue("localhost").write(tmp_path, "site")
    files = {name: tmp_path / f"out.{name}" for name in ("html", "svg", "record", "pcap", "keylog")}
    words = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        to = f"127.0.0.1:{listener.getsockname()[1]}"
        arguments = ("--to", to, "--cert", str(cert), "--key", str(key), "--view", "all", "--once", *words)
        with Proxy(*arguments) as proxy:
            config = ClientConfig(trust=authority.trust())
            with connect("localhost", proxy.port, config=config, timeout=SECONDS) as tls:
                plain, _ = listener.accept()
                tls.sendall(SECRET)
                plain.settimeout(SECONDS)
                assert plain.recv(100) == SECRET
                plain.close()
                assert tls.recv() == b""
    assert proxy.code == 0
    keys = [line.split()[2] for line in files["keylog"].read_text().splitlines()]
    assert len(keys) == 5
    told = {"stdout": proxy.stdout, "stderr": proxy.stderr}
    told |= {name: files[name].read_bytes() for name in ("html", "svg", "record")}
    for name, text in told.items():
        assert text, name
        for wanted in (*(word.encode() for word in keys), SECRET, SECRET.hex().encode()):
            assert wanted not in text, name
    capture = Capture.read(files["pcap"].read_bytes())
    assert keys[0] in " ".join(capture.secrets)
    assert files["pcap"].stat().st_mode & 0o777 == 0o600
    with files["record"].open() as lines:
        assert Trace.read(lines).role == "server"
    for title in (
        "THE LADDER",
        "THE BYTES",
        "THE KEYS",
        "THE REASONS",
        "THE TRUST",
        "THE NINE STEPS",
        "THE WIRE",
    ):
        assert f"━━ {title} ".encode() in proxy.stdout
    assert pellucid("decode", str(files["pcap"])).returncode == 0


def test_both_handshakes_in_every_output(tmp_path: Path, site: int, authority_folder: Path, ca: str) -> None:
    words = [
        "--html",
        str(tmp_path / "a.html"),
        "--svg",
        str(tmp_path / "a.svg"),
        "--pcap",
        str(tmp_path / "a.pcapng"),
    ]
    words += ["--record", str(tmp_path / "a.jsonl"), "--json", "--view", "ladder,reasons"]
    with Proxy(*flags(authority_folder, ca, "--once", *words)) as proxy:
        trusted = str(authority_folder / "ca.pem")
        done = curl(f"https://localhost:{site}/", "--proxy", proxy.url, "--cacert", trusted)
        assert done.stdout == PAGE
    (told,) = proxy.objects
    assert {name: [view["view"] for view in views] for name, views in told["views"].items()} == {
        "front": ["ladder", "reasons"],
        "behind": ["ladder", "reasons"],
    }
    with (tmp_path / "a.jsonl").open() as lines:
        assert [trace.role for trace in Trace.read_all(lines)] == ["server", "client"]
    for name in ("a.svg", "a-server.svg"):
        assert "ClientHello" in (tmp_path / name).read_text()
    page = (tmp_path / "a.html").read_text()
    assert "1: the client 127.0.0.1" in page
    assert "1: this proxy and the server localhost" in page
    assert len(Capture.read((tmp_path / "a.pcapng").read_bytes()).packets) > 12


def test_a_program_that_speaks_no_tls(site: int, ca: str) -> None:
    with Proxy("--plain", "--to", f"localhost:{site}", "--ca", ca, "--once", "-q") as proxy:
        done = curl(f"http://127.0.0.1:{proxy.port}/")
        assert done.stdout == PAGE, done.stderr
    (line,) = proxy.stdout.decode().splitlines()
    assert line.startswith("1  originate  127.0.0.1:")
    assert line.endswith("  complete")
    assert "behind: TLS 1.3" in line


def test_tls_on_both_sides_under_our_certificate(
    tmp_path: Path, authority: Authority, site: int, ca: str
) -> None:
    cert, key = authority.issue("localhost").write(tmp_path, "site")
    words = ("--to", f"localhost:{site}", "--to-tls", "--ca", ca, "--cert", str(cert), "--key", str(key))
    with Proxy(*words, "--once", "--json") as proxy:
        assert curl(f"https://localhost:{proxy.port}/", "--cacert", ca).stdout == PAGE
    (told,) = proxy.objects
    assert (told["way"], told["front"]["alpn"], told["behind"]["alpn"]) == (
        "terminate",
        "http/1.1",
        "http/1.1",
    )


@pytest.mark.parametrize("words", [(), ("--tap", "--to", "SITE")])
def test_what_anybody_on_the_wire_sees(words: tuple[str, ...], site: int, ca: str) -> None:
    words = tuple(word.replace("SITE", f"127.0.0.1:{site}") for word in words)
    with Proxy(*words, "--once", "--view", "ladder") as proxy:
        if words:
            done = curl(f"https://localhost:{proxy.port}/", "--cacert", ca)
        else:
            done = curl(f"https://localhost:{site}/", "--cacert", ca, "--proxy", proxy.url)
        assert done.stdout == PAGE, done.stderr
    told = proxy.stdout.decode()
    assert "heard in passing" in told
    assert "ClientHello" in told
    assert "application data" in told  # how much of it is there yet when it is shown, the network decides
    assert "Finished" not in told  # nobody on the wire sees it
    assert proxy.code == 0


def test_the_user_s_own_authority_is_made_and_kept(tmp_path: Path, site: int, ca: str) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path)}
    file = tmp_path / "pellucid" / "authority" / "ca.pem"
    greetings = []
    for _ in range(2):
        with Proxy("--intercept", "--ca", ca, "--once", env=env) as proxy:
            done = curl(f"https://localhost:{site}/", "--proxy", proxy.url, "--cacert", str(file))
            assert done.stdout == PAGE
            greetings.append(proxy.greeting)
    assert [b"A new authority was made" in one for one in greetings] == [True, False]
    assert file.with_name("ca-key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--plain", "--intercept"), "does the client speak TLS"),
        (("--plain",), "Where to?"),
        (("--to", "localhost:1", "--plain", "--cert", "x"), "--to-cert"),
        (("--intercept", "--cert", "x"), "--to-cert"),
        (("--tap", "--to-tls", "--to", "localhost:1"), "touches nothing"),
        (("--to", "localhost:99999"), "is no port"),
        (("--listen", "here"), "is no [ADDR:]PORT"),
        (("--listen", ":8080"), "is no [ADDR:]PORT"),
        (("--listen", "127.0.0.1:70000"), "is no [ADDR:]PORT"),
        (("--to", "localhost:1", "--cert", "missing.pem"), "missing.pem"),
        (("--to", "localhost:1", "--client-auth", "require"), "--client-ca"),
        (("--to", "localhost:1", "--client-auth", "later", "--client-ca", "x"), "pellucid serve"),
        (("--to-key", "x"), "--to-cert"),
        (("--authority-key", "x"), "--authority"),
        (("--intercept", "--authority", "/dev/null/here"), "/dev/null/here"),
        (("--most", "0"), "--most"),
    ],
)  # fmt: skip
def test_flags_that_make_no_sense(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["proxy", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = pellucid("proxy", "--listen", str(taken.getsockname()[1]))
    assert done.returncode == 3
    assert b"Another program listens on that port." in done.stderr


def test_open_to_the_network_is_said() -> None:
    with Proxy("--listen", "0.0.0.0:0") as proxy:
        pass
    assert b"The proxy is open to the network." in proxy.greeting


def test_a_plain_request_is_refused_with_a_sentence() -> None:
    with Proxy("--once") as proxy:
        done = curl("http://example.org/", "--proxy", proxy.url, "--include")
    assert done.stdout.startswith(b"HTTP/1.1 405 Method Not Allowed")
    assert b"it understands CONNECT, and not GET" in done.stdout
    assert proxy.code == 3


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no such signals here")
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_when_told_to_and_tells_what_was_under_way(
    how: signal.Signals, code: int, authority: Authority, tmp_path: Path
) -> None:
    cert, key = authority.issue("localhost").write(tmp_path, "site")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        to = f"127.0.0.1:{listener.getsockname()[1]}"
        with (
            Proxy("--to", to, "--cert", str(cert), "--key", str(key), "--json", "--once") as proxy,
            connect("localhost", proxy.port, config=ClientConfig(trust=authority.trust()), timeout=SECONDS),
        ):
            plain, _ = listener.accept()  # the handshake is over
            proxy.process.send_signal(how)
            proxy.process.wait(SECONDS)
            plain.close()
    assert proxy.code == code
    (told,) = proxy.objects
    assert told["notes"] == ["The proxy ended while this was under way."]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
def test_sighup_reads_the_certificates_again(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.issue("localhost").write(tmp_path, "site")
    config = ClientConfig(trust=authority.trust())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        to = f"127.0.0.1:{listener.getsockname()[1]}"
        with Proxy("--to", to, "--cert", str(cert), "--key", str(key), "-q") as proxy:
            with connect("localhost", proxy.port, config=config, timeout=SECONDS) as tls:
                before = tls.info.peer_chain[0]
            fresh = authority.issue("localhost")
            cert.write_bytes(fresh.chain_pem())
            key.write_bytes(fresh.key_pem())
            proxy.process.send_signal(signal.SIGHUP)
            shown = before
            while shown == before:  # the signal has its own pace
                with connect("localhost", proxy.port, config=config, timeout=SECONDS) as tls:
                    shown = tls.info.peer_chain[0]
            assert shown == fresh.leaf


def test_json_alone_is_on_stdout(site: int) -> None:
    with Proxy("--once", "--json") as proxy:
        curl("https://nowhere.invalid/", "--proxy", proxy.url)
    (line,) = proxy.stdout.splitlines()
    told = json.loads(line)
    assert told["error"]["side"] == "server"
    assert told["error"]["reason"] == "name-not-found"
    assert proxy.code == 3
