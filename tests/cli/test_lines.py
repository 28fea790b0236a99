"""How the line under `connect` is made: STARTTLS, an HTTP proxy, a socket of this machine."""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid import Authority, ServerConfig, UsageError, wrap_server
from pellucid.cli.lines import PROTOCOLS, NoTLS, dial, start_tls

from .running import pellucid

Talk = list[tuple[str, bytes]]

#: What each server says and is told ("<" for the client's words, a regular expression).
GOOD: dict[str, Talk] = {
    "smtp": [
        (">", b"220-mail.test says\r\n220 hello\r\n"),
        ("<", rb"EHLO \S+\r\n"),
        (">", b"250-mail.test\r\n250-STARTTLS\r\n250 SIZE 1000\r\n"),
        ("<", rb"STARTTLS\r\n"),
        (">", b"220 go ahead\r\n"),
    ],
    "imap": [
        (">", b"* OK ready\r\n"),
        ("<", rb"a STARTTLS\r\n"),
        (">", b"* CAPABILITY IMAP4rev2\r\na OK begin\r\n"),
    ],
    "pop3": [(">", b"+OK ready\r\n"), ("<", rb"STLS\r\n"), (">", b"+OK begin\r\n")],
    "ftp": [(">", b"220 ready\r\n"), ("<", rb"AUTH TLS\r\n"), (">", b"234 begin\r\n")],
    "sieve": [
        (">", b'"IMPLEMENTATION" "x"\r\n"STARTTLS"\r\nOK "ready"\r\n'),
        ("<", rb"STARTTLS\r\n"),
        (">", b'OK "begin"\r\n'),
    ],
    "xmpp": [
        ("<", rb"<\?xml.*to='localhost'.*>"),
        (
            ">",
            b"<stream:stream id='1'><stream:features>"
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
        ),
        ("<", rb"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        (">", b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    ],
    "ldap": [
        ("<", rb"0\x1d\x02\x01\x01w\x18\x80\x161\.3\.6\.1\.4\.1\.1466\.20037"),
        (">", bytes.fromhex("300c02010178070a010004000400")),
    ],
    "postgres": [("<", rb"\x00\x00\x00\x08\x04\xd2\x16/"), (">", b"S")],
}
#: The last word of a server that does not offer it.
BAD: dict[str, bytes] = {
    "smtp": b"454 TLS not available\r\n",
    "imap": b"a BAD unknown command\r\n",
    "pop3": b"-ERR unknown\r\n",
    "ftp": b"502 not implemented\r\n",
    "sieve": b'NO "no"\r\n',
    "xmpp": b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "ldap": bytes.fromhex("300c02010178070a010204000400"),
    "postgres": b"N",
}


@contextlib.contextmanager
def listening(
    serve: Callable[[socket.socket], None], family: int = socket.AF_INET, where: Any = ("127.0.0.1", 0)
) -> Iterator[int]:
    """A server of one connection."""
    with socket.socket(family) as listener:
        listener.bind(where)
        listener.listen(1)

        def run() -> None:
            sock, _ = listener.accept()
            sock.settimeout(60)
            with sock, contextlib.suppress(OSError):
                serve(sock)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1] if family == socket.AF_INET else 0
        thread.join(60)
        assert not thread.is_alive()


def converse(sock: socket.socket, talk: Talk) -> None:
    """The server's part of a conversation."""
    for who, words in talk:
        if who == ">":
            sock.sendall(words)
            continue
        heard = b""
        while not re.fullmatch(words, heard, re.S):
            data = sock.recv(1000)
            if not data:
                raise ConnectionError(heard)
            heard += data


def echo(sock: socket.socket, config: ServerConfig) -> None:
    with wrap_server(sock, config) as tls:
        for data in tls:
            tls.sendall(data)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", list(GOOD))
def test_starttls(protocol: str, authority: Authority, ca: str) -> None:
    config = ServerConfig(identities=(authority.issue("localhost"),))

    def serve(sock: socket.socket) -> None:
        converse(sock, GOOD[protocol])
        echo(sock, config)

    with listening(serve) as port:
        arguments = ("connect", f"localhost:{port}", "--starttls", protocol, "--ca", ca)
        done = pellucid(*arguments, stdin=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr.decode()


@pytest.mark.parametrize("protocol", list(BAD))
def test_a_server_that_does_not_offer_it(protocol: str) -> None:
    talk = [*GOOD[protocol][:-1], (">", BAD[protocol])]
    with (
        listening(lambda sock: converse(sock, talk)) as port,
        dial(("127.0.0.1", port)) as sock,
        pytest.raises(NoTLS),
    ):
        start_tls(sock, protocol, "localhost")


@pytest.mark.parametrize("protocol", list(GOOD))
def test_a_server_that_hangs_up(protocol: str) -> None:
    """Wherever it does so."""
    for length in range(len(GOOD[protocol])):
        talk = GOOD[protocol][:length]
        with (
            listening(lambda sock, talk=talk: converse(sock, talk)) as port,  # type: ignore[misc]
            dial(("127.0.0.1", port)) as sock,
            pytest.raises(OSError),
        ):
            start_tls(sock, protocol, "localhost")


def test_what_is_said_in_clear_behind_the_answer_is_not_believed(authority: Authority, ca: str) -> None:
    """An attacker's words behind the 220 are no TLS, and the handshake says so."""

    def serve(sock: socket.socket) -> None:
        converse(sock, [*GOOD["smtp"][:-1], (">", b"220 go ahead\r\n250 and this is mine\r\n")])
        sock.recv(10_000)

    with listening(serve) as port:
        done = pellucid("connect", f"localhost:{port}", "--starttls", "smtp", "--ca", ca, "-q")
    assert done.returncode == 4
    assert done.stdout == b""


def test_no_starttls_is_the_networks_fault(ca: str) -> None:
    with listening(lambda sock: sock.sendall(b"554 go away\r\n")) as port:
        done = pellucid("connect", f"localhost:{port}", "--starttls", "smtp", "--ca", ca)
    assert done.returncode == 3
    assert b"554 go away" in done.stderr


def test_each_protocol_is_tested_and_has_a_port() -> None:
    assert set(GOOD) == set(BAD) == set(PROTOCOLS)
    assert all(0 < protocol.port < 65536 for protocol in PROTOCOLS.values())


@pytest.mark.slow
def test_through_a_proxy(authority: Authority, ca: str) -> None:
    config = ServerConfig(identities=(authority.issue("nowhere.test"),))
    heard: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        heard.append(sock.recv(1000))
        sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        echo(sock, config)

    with listening(serve) as port:
        proxy = f"http://alice:s%3Acret@127.0.0.1:{port}"
        done = pellucid("connect", "nowhere.test:444", "--proxy", proxy, "--ca", ca, stdin=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr.decode()
    assert heard[0].startswith(b"CONNECT nowhere.test:444 HTTP/1.1\r\nHost: nowhere.test:444\r\n")
    assert b"Proxy-Authorization: Basic YWxpY2U6czpjcmV0\r\n" in heard[0]


def test_a_proxy_that_refuses() -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 407 Who are you?\r\n\r\n")

    with listening(serve) as port, pytest.raises(NoTLS, match="407 Who are you"):
        dial(("a.test", 443), proxy=f"127.0.0.1:{port}")
    for wrong in ("https://a.test", "http://", "http://a:b:c", "socks5://a.test"):
        with pytest.raises(UsageError):
            dial(("a.test", 443), proxy=wrong)


@pytest.mark.slow
def test_a_socket_of_this_machine(authority: Authority, ca: str) -> None:
    config = ServerConfig(identities=(authority.issue("localhost"),))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        with listening(lambda sock: echo(sock, config), socket.AF_UNIX, path):
            done = pellucid("connect", "localhost", "--unix", path, "--ca", ca, stdin=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr.decode()
