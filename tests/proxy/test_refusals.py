"""What the proxy refuses, and how it says so: in HTTP, by an alert, to whoever reads its output."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from pathlib import Path

import pytest

from pellucid import start_server
from pellucid.connection import ClientConnection
from pellucid.errors import CertificateRefused, PeerRefused, Reason, UsageError
from pellucid.glass.failure import Failure
from pellucid.proxy import Leaves, Plan, user_authority, user_folder
from pellucid.proxy.http import MOST_HEAD, Refused, destination, refusal
from proxy.world import World, connect, echo, proxied, run, secure_tunnel, server


async def answered(port: int, said: bytes) -> bytes:
    """What a proxy answers, to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (b"GET http://example.org/ HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", "no-connect"),
        (b"CONNECT example.org HTTP/1.1\r\n\r\n", b"400 Bad Request", "no-target"),
        (b"CONNECT example.org:99999 HTTP/1.1\r\n\r\n", b"400 Bad Request", "no-target"),
        (b"CONNECT :443 HTTP/1.1\r\n\r\n", b"400 Bad Request", "no-target"),
        (b"HELO there\r\n\r\n", b"400 Bad Request", "no-http"),
        (b"CONNECT a:1 HTTP/1.1\r\nX: " + b"x" * MOST_HEAD, b"431 ", "long-request"),
    ],
)  # fmt: skip
def test_requests_that_are_none_of_ours(said: bytes, status: bytes, reason: str) -> None:
    async def main() -> None:
        async with proxied(Plan()) as (here, diary):
            answer = await answered(here, said)
            assert answer.startswith(b"HTTP/1.1 " + status), answer
            assert (b"\r\nAllow: CONNECT\r\n" in answer) is (b"405" in status)
            assert b"\r\nProxy-Status: pellucid; error=http_request_error; details=" in answer
            passage = await diary.over.get()
            assert (passage.blame, passage.to) == ("client", None)
            assert passage.failure is not None
            assert passage.failure.reason == reason

    run(main())


def test_tls_with_the_proxy_itself(world: World) -> None:
    """HTTPS_PROXY=https://...: nobody waits for the end of a head that never comes."""

    async def main() -> None:
        async with proxied(Plan()) as (here, diary):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(here, world.client())
            passage = await diary.over.get()
            assert passage.failure is not None
            assert passage.failure.reason == "tls-to-proxy"
            assert "http:// in HTTPS_PROXY" in passage.failure.todo

    run(main())


def test_whatever_a_client_says_the_proxy_goes_on(world: World) -> None:
    """Requests and hellos with bytes changed, cut and added: each is refused by a name, none is a fault."""
    chance = random.Random(9209)
    request = b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n"
    hello = ClientConnection(world.behind(), "localhost").data_to_send()
    said = [
        b"CONNECT " + host + b":1 HTTP/1.1\r\n\r\n"
        for host in (b"a" * 300, b"a\0b", b"..", b"\xff", b"[::g]")
    ]
    for sample in (request, hello) * 20:
        broken = bytearray(sample)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.choice(b"\0\r\n :[]\xff\x16\x01z")
        said.append(bytes(broken[: chance.randint(1, len(broken))]))

    async def main() -> None:
        async with server(echo, world.server()) as port:
            ways = (Plan(timeout=2), world.intercepting(("localhost", port)))
            for plan in ways:
                async with proxied(plan) as (here, diary):
                    for words in said:
                        reader, writer = await asyncio.open_connection("127.0.0.1", here)
                        writer.write(words)
                        writer.write_eof()
                        with contextlib.suppress(ConnectionError):
                            await reader.read()
                        writer.close()
                        failure = (await diary.over.get()).failure
                        assert failure is None or failure.reason != Reason.INTERNAL.label, (words, failure)

    run(main())


def test_who_says_nothing_at_all() -> None:
    async def main() -> None:
        async with proxied(Plan(timeout=0.1)) as (here, diary):
            _, writer = await asyncio.open_connection("127.0.0.1", here)
            passage = await diary.over.get()
            assert isinstance(passage.error, TimeoutError)
            writer.close()
            _, writer = await asyncio.open_connection("127.0.0.1", here)
            writer.close()
            assert (await diary.over.get()).blame == "client"

    run(main())


def test_nobody_listens_there() -> None:
    async def main(port: int) -> None:
        async with proxied(Plan()) as (here, diary):
            for host, status in (("127.0.0.1", b"connection_refused"), ("nowhere.invalid", b"dns_error")):
                answer = await answered(here, f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n".encode())
                assert answer.startswith(b"HTTP/1.1 502 Bad Gateway")
                assert b"Proxy-Status: pellucid; error=" + status + b"; " in answer
                assert (await diary.over.get()).blame == "server"

    with socket.socket() as closed:  # bound and not listening: nobody else gets the port
        closed.bind(("127.0.0.1", 0))
        run(main(closed.getsockname()[1]))


def test_a_loop_ends_at_once() -> None:
    async def main() -> None:
        async with proxied(Plan()) as (here, diary):
            answer = await answered(here, f"CONNECT 127.0.0.1:{here} HTTP/1.1\r\n\r\n".encode())
            assert b"error=proxy_loop_detected" in answer
            told = [await diary.over.get(), await diary.over.get()]
            assert {one.failure.reason for one in told if one.failure} >= {"loop"}

    run(main())


FAULTS = [("expired", "certificate-expired"), ("localhost", "wrong-host-name")]


@pytest.mark.parametrize(("certificate", "reason"), FAULTS)
def test_a_client_that_speaks_http_is_told_in_words(world: World, certificate: str, reason: str) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async def main() -> None:
        plan = world.intercepting(verify_name="elsewhere.test" if reason == "wrong-host-name" else None)
        client = world.client("interceptor", set_alpn_protocols=["h2", "http/1.1"])
        async with server(listen, world.server(certificate)) as port, proxied(plan) as (here, diary):
            reader, writer = await secure_tunnel(here, port, client)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            writer.write(b"GET /secret HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n")
            answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 502 Bad Gateway")
            assert b"Proxy-Status: pellucid; error=tls_certificate_error; details=" in answer
            passage = await diary.over.get()
            assert passage.failure is not None
            assert passage.failure.what.encode() in answer
            assert (passage.blame, passage.failure.reason) == ("server", reason)
        assert b"".join(heard) == b""  # nothing of it went to whoever answered

    run(main())


@pytest.mark.parametrize("protocols", [[], ["h2"], ["imap"]])
def test_any_other_client_gets_the_alert_that_fits(world: World, protocols: list[str]) -> None:
    async def main() -> None:
        client, context = world.client("interceptor"), world.server("expired")
        if protocols:
            client.set_alpn_protocols(protocols)
        async with server(echo, context) as port, proxied(world.intercepting()) as (here, diary):
            with pytest.raises(ssl.SSLError, match="CERTIFICATE_EXPIRED"):
                await secure_tunnel(here, port, client)
            assert (await diary.over.get()).blame == "server"

    run(main())


def test_a_server_s_alert_goes_on_to_the_client(world: World) -> None:
    """The server speaks no application protocol of the client's, and says so."""

    async def main() -> None:
        config = world.front(alpn=("imap",))
        async with await start_server(lambda stream: stream.drain(), config) as wants:
            port = wants.sockets[0].getsockname()[1]
            async with proxied(world.intercepting()) as (here, diary):
                with pytest.raises(ssl.SSLError, match="no application protocol"):
                    await secure_tunnel(here, port, world.client("interceptor", set_alpn_protocols=["x"]))
                assert isinstance((await diary.over.get()).error, PeerRefused)

    run(main())


def test_a_client_that_does_not_believe_the_interceptor(world: World) -> None:
    async def main() -> None:
        async with server(echo, world.server()) as port, proxied(world.intercepting()) as (here, diary):
            with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
                await secure_tunnel(here, port, world.client())
            passage = await diary.over.get()
            assert (passage.blame, passage.shaken) == ("client", False)
            assert passage.front is not None
            assert passage.behind is not None

    run(main())


def test_the_same_refusal_by_its_registered_name() -> None:
    failure = Failure("x", 'What "happened"?', "Zażółć", "Nothing.")
    for error, status, name in (
        (CertificateRefused(Reason.SELF_SIGNED), b"502", b"error=tls_certificate_error; "),
        (
            PeerRefused(40),
            b"502",
            b'error=tls_alert_received; alert-id=40; alert-message="handshake_failure"; ',
        ),
        (TimeoutError(), b"504", b"error=connection_timeout; "),
        (UsageError(Reason.BAD_NAME), b"502", b"error=tls_protocol_error; "),
        (OSError(), b"502", b"error=destination_ip_unroutable; "),
    ):
        head, _, body = refusal(error, failure).partition(b"\r\n\r\n")
        assert head.split(b" ")[1] == status
        assert b"Proxy-Status: pellucid; " + name + b'details="What \\"happened\\"? Za????"' in head
        assert "Zażółć" in body.decode()


def test_where_a_request_leads_to() -> None:
    assert destination(b"CONNECT [2001:db8::1]:443 HTTP/1.1") == ("2001:db8::1", 443)
    with pytest.raises(Refused):
        destination(b"CONNECT [2001:db8::1] HTTP/1.1")


def test_leaves_make_room_and_grow_old(world: World) -> None:
    now = [1_800_000_000.0]
    authority = type(world.interceptor).create(clock=lambda: now[0])
    leaves = Leaves(authority, most=2)
    first = leaves.identities("a.test")
    leaves.identities("b.test")
    assert leaves.identities("a.test") is first
    leaves.identities("c.test")  # b was not asked for longest
    assert (len(leaves), leaves.identities("a.test")) == (2, first)
    now[0] += 86_400
    assert leaves.identities("a.test") is not first
    assert [one.names for one in leaves.identities("::1")] == [("::1",)] * 2
    with pytest.raises(UsageError):
        leaves.identities("no name")


def test_the_user_s_authority_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    made, fresh = user_authority()
    again, still = user_authority()
    assert (fresh, still, again.pem) == (True, False, made.pem)
    key = user_folder() / "ca-key.pem"
    assert str(key).startswith(str(tmp_path))
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
