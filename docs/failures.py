"""Draw docs/failures/: a page for each way in which people see TLS fail, from real failures.

Each scenario is a real server on loopback, visited by pellucid, by Python's ssl, by openssl and by curl; the
page quotes what each of them said. `make docs` draws the pages again; a test holds the words of pellucid in
them against a fresh run.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pellucid import Authority, ClientConfig, Policy, ServerConfig, Trust, connect, serve
from pellucid.glass.crossings import crossings
from pellucid.glass.failure import Failure, explain
from pellucid.glass.trace import Trace

FOLDER = Path(__file__).with_name("failures")
PORT = "8443"
TLS12, TLS13 = Policy(versions=(0x0303,)), Policy(versions=(0x0304,))
_ECDSA = Policy(versions=(0x0303,), cipher_suites=(0xC02B, 0xC02C))
_RSA = Policy(versions=(0x0303,), cipher_suites=(0xC02F, 0xC030))


@dataclass(frozen=True)
class Scenario:
    """One failure, and how to bring it about.

    Attributes:
        title: the page's heading.
        story: what is the matter, in words.
        advice: what to do, beyond what pellucid says itself; one item each.
        issue: settings of `Authority.issue` for the server's certificate.
        server, client: settings of the two configurations.
        plain: the server speaks no TLS; this answers instead.
        visitor: speaks in the place of a TLS client; what it got is quoted.
        trusted: whether the visitors trust the authority.
        others: which other programs are worth quoting.
        openssl: more arguments for `openssl s_client`.
    """

    title: str
    story: str
    advice: tuple[str, ...]
    issue: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ("localhost",)
    server: dict[str, Any] = field(default_factory=dict)
    client: dict[str, Any] = field(default_factory=dict)
    plain: Callable[[socket.socket], None] | None = None
    visitor: Callable[[int], str] | None = None
    trusted: bool = True
    others: tuple[str, ...] = ("python", "openssl", "curl")
    openssl: tuple[str, ...] = ()


@dataclass
class Seen:
    """What came of a scenario: what each side says, what crossed the wire, what other programs say."""

    client: Failure | None = None
    server: Failure | None = None
    messages: list[str] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)


# -- servers and visitors that speak no TLS --------------------------------------------------------------


def _http_server(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    sock.close()


def _hangs_up(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def _resets(sock: socket.socket) -> None:
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()


def _http_visitor(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = sock.recv(100)
    return f"got {got.hex(' ')}: a TLS alert, in place of an HTTP answer"


SCENARIOS: dict[str, Scenario] = {
    "wrong-host": Scenario(
        "The certificate is for another name",
        "The server shows a valid certificate, but not for the name that was asked for. Either the request"
        " went to the wrong server, or the certificate lacks a name, or someone answers in its place.",
        (
            "`pellucid cert show FILE` lists the names that a certificate is for.",
            "The names are those of the subjectAltName; the common name does not count.",
            "An IP address must stand there as an IP address, not as a DNS name.",
            "A wildcard stands for one label: `*.example.org` is not for `a.b.example.org`.",
        ),
        names=("www.example.org", "example.org"),
    ),
    "expired": Scenario(
        "The certificate has expired",
        "Its last day has passed. Nobody vouches for it any longer.",
        (
            "Renew it, and let a program do so from now on (ACME).",
            "If every site in the world has expired, look at the clock of this machine.",
            "A server that was given the new file may have to be told to read it.",
        ),
        issue={"fault": "expired"},
    ),
    "self-signed": Scenario(
        "The certificate is signed by itself",
        "Nobody vouches for it but its own key. That is how devices and test servers come out of the box.",
        (
            "If it is your own: trust it by name, with `--ca FILE`, after comparing its fingerprint.",
            "Better: `pellucid cert ca` and `pellucid cert issue` make an authority of your own and"
            " certificates below it.",
            "Never turn verification off in a program: it then talks to anybody.",
        ),
        issue={"fault": "self-signed"},
    ),
    "unknown-ca": Scenario(
        "The authority is not known",
        "The certificate was issued by an authority that is not in the list of those trusted here.",
        (
            "Is it a public site? Then an intermediate certificate is probably missing on the server:"
            " browsers fetch it by themselves, other programs do not. Let the server send its whole chain.",
            "Is it a company's own authority, or a proxy that opens TLS? Add its root with `--ca FILE`.",
            "Python, Java, Node.js and curl each have lists of their own.",
        ),
        trusted=False,
    ),
    "no-shared-suite": Scenario(
        "No cipher suite in common",
        "What the client offers and what the server accepts do not overlap. Mostly one of the two is old; or"
        " the server's certificate has a kind of key that the client's suites do not fit.",
        (
            "Compare both lists: `pellucid connect HOST --view reasons` shows ours.",
            "A server with only an ECDSA certificate cannot serve a client that offers RSA suites only.",
        ),
        server={"policy": _ECDSA},
        client={"policy": _RSA},
        openssl=("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"),
        others=("openssl",),
    ),
    "protocol-version": Scenario(
        "No protocol version in common",
        "The server insists on a version of TLS that the client does not speak, or the other way round.",
        (
            "Both ends should speak TLS 1.3, and 1.2 as well for old peers.",
            "A server that has only TLS 1.0 or 1.1 must be updated: no current client accepts them.",
        ),
        server={"policy": TLS13},
        client={"policy": TLS12},
        openssl=("-tls1_2",),
        others=("openssl",),
    ),
    "client-certificate-required": Scenario(
        "The server wants a client certificate",
        "The server only lets in clients that prove who they are, and this one showed no certificate. In"
        " TLS 1.3 the client has finished its part by then: the refusal arrives when it reads.",
        (
            "`pellucid connect HOST --cert FILE --key FILE` shows one.",
            "It must come from an authority that the server trusts for clients.",
        ),
        server={"client_auth": "require"},
    ),
    "alpn-mismatch": Scenario(
        "No application protocol in common",
        "The client would speak h2 inside, the server only http/1.1 (ALPN). A server that ignored this would"
        " take one protocol's bytes for another's.",
        (
            "Offer what the server speaks, `--alpn http/1.1`, or nothing at all.",
            "An HTTP/2-only client meets this at servers of old.",
        ),
        server={"alpn": ("http/1.1",)},
        client={"alpn": ("h2",)},
        openssl=("-alpn", "h2"),
        others=("openssl",),
    ),
    "http-on-a-tls-port": Scenario(
        "Plain HTTP on a TLS port",
        "The client did not begin with a ClientHello but with an HTTP request: `http://` was written where"
        " `https://` was meant.",
        ("Use `https://`.", "A redirect from another port helps people who type the name alone."),
        visitor=_http_visitor,
        others=(),
    ),
    "tls-to-a-plain-port": Scenario(
        "TLS to a port that does not speak it",
        "The client sent a ClientHello, and what came back was plain HTTP. OpenSSL reads the letters HTTP as"
        " a record header and complains about its version number.",
        (
            "Is it the right port? 443 rather than 80, 465 or 993 rather than 25 or 143.",
            "SMTP, IMAP, LDAP, PostgreSQL and others begin in the clear and change to TLS when asked"
            " (STARTTLS).",
        ),
        plain=_http_server,
    ),
    "truncated": Scenario(
        "The line was cut in the handshake",
        "The server hung up without an alert. It may not like something and be too shy to say it; or a"
        " middlebox, a full process table, a crashed worker.",
        (
            "Its log says more than the wire does.",
            "Does it need a server name (SNI)? Some hang up without one.",
            "Try `--tls 1.2`, or without the hybrid group (`--groups x25519`): if that helps, something in"
            " between cannot take a large ClientHello.",
        ),
        plain=_hangs_up,
    ),
    "reset": Scenario(
        "The connection was reset",
        "A TCP reset came in place of an answer: the server's program died or refused, or a firewall cut in.",
        (
            "If it happens always at the same message, something on the way reads along and objects.",
            "If it happens at once, nothing may be listening behind a load balancer.",
        ),
        plain=_resets,
    ),
}


# -- running them ------------------------------------------------------------------------------------------


def run(name: str, *, others: bool = True) -> Seen:
    """Bring a failure about, and gather what everybody says."""
    scenario = SCENARIOS[name]
    authority = Authority.create()
    seen = Seen()
    known = authority if scenario.trusted else Authority.create("another authority")
    trust = known.trust()
    with _listening(scenario, authority, seen) as port:
        if scenario.visitor is not None:
            seen.others["the client"] = scenario.visitor(port)
        else:
            _visit(scenario, port, trust, seen)
        _settle(seen, scenario)
        if others:
            with TemporaryDirectory() as folder:
                root = Path(folder) / "root.pem"
                root.write_bytes(known.pem)
                for other in scenario.others:
                    seen.others[other] = _OTHERS[other](port, root, scenario)
    return seen


class _Traces:
    """An observer that remembers the first connection."""

    first: Trace | None = None

    def open(self, role: str, name: str | None) -> Callable[..., None] | None:
        if self.first is not None:
            return None
        self.first = Trace()
        return self.first.open(role, name)


@contextlib.contextmanager
def _listening(scenario: Scenario, authority: Authority, seen: Seen) -> Iterator[int]:
    if scenario.plain is not None:
        with _plain(scenario.plain) as port:
            yield port
        return
    identity = authority.issue(*scenario.names, **scenario.issue)
    settings = dict(scenario.server)
    if settings.get("client_auth"):
        settings["client_trust"] = authority.trust()
    traces = _Traces()

    def failed(error: BaseException, *_: Any) -> None:
        if seen.server is None:
            seen.server = explain(error, traces.first)

    config = ServerConfig(identities=(identity,), observer=traces, **settings)
    with serve(lambda tls: tls.sendall(b"hello"), config, on_error=failed) as listening:
        yield listening.port


@contextlib.contextmanager
def _plain(handler: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError):
                    handler(sock)

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _visit(scenario: Scenario, port: int, trust: Trust, seen: Seen) -> None:
    trace = Trace()
    config = ClientConfig(trust=trust, observer=trace, **scenario.client)
    try:
        with connect("127.0.0.1", port, config=config, server_name="localhost", timeout=10) as tls:
            tls.recv()
    except Exception as error:
        seen.client = explain(error, trace)
    arrows = {"client": "client → server", "server": "server → client"}
    seen.messages = [f"{arrows[one.sender]}   {one.name}" for one in crossings(trace)]


def _settle(seen: Seen, scenario: Scenario) -> None:
    """The server's side is told by its own thread, a moment later."""
    pause = threading.Event()
    for _ in range(200):
        if seen.server is not None or scenario.plain is not None:
            return
        pause.wait(0.02)


def _python(port: int, root: Path, scenario: Scenario) -> str:
    context = ssl.create_default_context(cafile=str(root))
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.recv(10)
    except OSError as error:
        return f"{type(error).__name__}: {_tidy(str(error), port)}"
    return "nothing is wrong"


def _openssl(port: int, root: Path, scenario: Scenario) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(root)]
    command += ["-servername", "localhost", "-verify_hostname", "localhost", "-verify_return_error"]
    lines = _words([*command, *scenario.openssl]).splitlines()
    told = [line for line in lines if re.search(r"verify error:|:error:|errno=", line)]
    return "; ".join(dict.fromkeys(_tidy(re.sub(r"^[0-9A-F]{8,}:", "", line), port) for line in told)) or "-"


def _curl(port: int, root: Path, scenario: Scenario) -> str:
    command = ["curl", "-sS", "--cacert", str(root), "--connect-to", f"localhost:{port}:127.0.0.1:{port}"]
    lines = [line for line in _words([*command, f"https://localhost:{port}/"]).splitlines() if line]
    return _tidy(lines[0], port) if lines else "-"


_OTHERS = {"python": _python, "openssl": _openssl, "curl": _curl}
_PROGRAMS = {
    "python": "Python's `ssl`",
    "openssl": "`openssl s_client`",
    "curl": "curl",
    "the client": "the client",
}


def _words(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
    return done.stderr + done.stdout


def _tidy(text: str, port: int) -> str:
    """Without what differs from run to run: ports, file names and lines of somebody's source."""
    text = text.replace(str(port), PORT)
    text = re.sub(r"\s*\(_ssl\.c:\d+\)", "", text)
    text = re.sub(r":[\w./]+\.c:\d+:(SSL alert number)?", lambda m: ": " if m[1] else "", text)
    return text.strip().rstrip(":")


# -- the pages ---------------------------------------------------------------------------------------------


def quoted(failure: Failure | None) -> str:
    """The three parts, as the page has them."""
    if failure is None:
        return "nothing: to it, all was well"
    rows = (("what", failure.what), ("why", failure.why), ("to do", failure.todo))
    return "\n".join(f"{label:<7}{text}" for label, text in rows if text)


def page(name: str, seen: Seen) -> str:
    """One page."""
    scenario = SCENARIOS[name]
    parts = [f"# {scenario.title}", "Drawn from a real failure by `make docs`: do not edit.", scenario.story]
    parts.append("## What pellucid says")
    if scenario.visitor is None:
        parts += ["The client:", f"```text\n{quoted(seen.client)}\n```"]
    if scenario.plain is None:
        parts += ["The server:", f"```text\n{quoted(seen.server)}\n```"]
    if seen.others:
        rows = "\n".join(
            f"| {_PROGRAMS[who]} | `{text.replace('|', '/')}` |" for who, text in seen.others.items()
        )
        parts += ["## What others say", f"| program | words |\n|---|---|\n{rows}"]
    if seen.messages:
        parts += ["## How far they came", "```text\n" + "\n".join(seen.messages) + "\n```"]
    parts += ["## What to do", "\n".join(f"- {line}" for line in scenario.advice)]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The list of the pages."""
    rows = "\n".join(
        f"- [{one.title}]({name}.md): {one.story.split('. ')[0]}." for name, one in SCENARIOS.items()
    )
    head = "# When a handshake fails\n\nEach page was drawn from a real failure by `make docs`. For a single"
    return f"{head} word or message: `pellucid explain WORD`.\n\n{rows}\n".replace("..", ".")


def draw() -> None:
    """Draw every page again."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "index.md").write_text(index(), encoding="utf-8")
    for name in SCENARIOS:
        (FOLDER / f"{name}.md").write_text(page(name, run(name)), encoding="utf-8")


if __name__ == "__main__":
    draw()
