"""Terminating, originating, intercepting, and touching nothing: real sockets, OpenSSL on both sides."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from pellucid import ClientConfig, PeerRefused, UsageError, open_connection, start_server
from pellucid.glass.gist import agreed
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS, to_json
from pellucid.proxy import Plan
from pellucid.trust.identity import Identity
from pellucid.wire.codepoints import Alert
from proxy.world import World, ask, connect, echo, proxied, run, secure_tunnel, server, tunnel

HELLO = b"over and over"


def complete(trace: Trace | None) -> bool:
    return trace is not None and any(fact.what == "handshake complete" for fact in trace.of("state"))


def test_tls_in_front_plain_behind(world: World) -> None:
    async def main() -> None:
        async with (
            server(echo) as port,
            proxied(Plan(to=("127.0.0.1", port), front=world.front())) as (here, diary),
        ):
            reader, writer = await connect(here, world.client())
            assert await ask(reader, writer, HELLO) == HELLO
            writer.close()
            passage = await diary.over.get()
            assert (passage.way, passage.sent, passage.received) == ("terminate", len(HELLO), len(HELLO))
            assert passage.error is None
            assert complete(passage.front)
            assert [leg.name for leg in passage.legs] == ["front"]

    run(main())


def test_plain_in_front_tls_behind(world: World) -> None:
    async def main() -> None:
        async with server(echo, world.server()) as port:
            plan = Plan(to=("localhost", port), behind=world.behind())
            async with proxied(plan) as (here, diary):
                reader, writer = await connect(here)
                assert await ask(reader, writer, HELLO) == HELLO
                writer.write_eof()
                assert await reader.read() == b""
                passage = await diary.over.get()
                assert (passage.way, passage.name, passage.error) == ("originate", "localhost", None)
                assert complete(passage.behind)

    run(main())


def test_a_server_that_is_not_believed_is_not_spoken_to(world: World) -> None:
    async def main() -> None:
        async with server(echo, world.server("expired")) as port:
            plan = Plan(to=("localhost", port), behind=world.behind())
            async with proxied(plan) as (here, diary):
                reader, writer = await connect(here)
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                writer.close()
                passage = await diary.over.get()
                assert passage.failure is not None
                assert (passage.blame, passage.failure.reason) == ("server", "certificate-expired")
                assert not passage.shaken

    run(main())


@pytest.mark.parametrize(
    ("client", "server_", "chosen"),
    [
        (["h2", "http/1.1"], ["h2"], "h2"),
        (["h2", "http/1.1"], ["http/1.1"], "http/1.1"),
        (["x"], [], None),
        ([], ["h2"], None),
    ],
)
def test_the_client_is_offered_what_the_server_chose(
    world: World, client: list[str], server_: list[str], chosen: str | None
) -> None:
    async def main() -> None:
        context, ours = world.server(), world.client("interceptor")
        for one, protocols in ((context, server_), (ours, client)):
            if protocols:
                one.set_alpn_protocols(protocols)
        async with server(echo, context) as port, proxied(world.intercepting()) as (here, diary):
            reader, writer = await secure_tunnel(here, port, ours)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
            assert await ask(reader, writer, HELLO) == HELLO
            writer.close()
            passage = await diary.over.get()
            for trace in (passage.front, passage.behind):
                assert complete(trace)
                assert trace is not None
                assert agreed(trace).get("alpn") == chosen
            assert passage.to == ("localhost", port)
            assert (passage.sent, passage.received, passage.error) == (len(HELLO), len(HELLO), None)
            told = passage.to_json()
            assert told["front"]["version"] == told["behind"]["version"] == "TLS 1.3"
            assert "front: TLS 1.3" in passage.line
            assert "behind: TLS 1.3" in passage.line

    run(main())


def test_the_leaf_is_for_the_name_that_is_asked_for(world: World) -> None:
    """By SNI; without one by CONNECT; and the server has to prove the same."""

    async def main() -> None:
        async with server(echo, world.server()) as port, proxied(world.intercepting()) as (here, diary):
            for host in ("localhost", "127.0.0.1"):
                _, writer = await secure_tunnel(here, port, world.client("interceptor"), host)
                names = writer.get_extra_info("ssl_object").getpeercert()["subjectAltName"]
                assert [name for _, name in names] == [host]
                writer.close()
                passage = await diary.over.get()
                assert (passage.error, passage.name) == (None, host)

    run(main())


def test_a_fixed_server_without_connect(world: World) -> None:
    async def main() -> None:
        async with server(echo, world.server()) as port:
            plan = world.intercepting(("127.0.0.1", port))
            async with proxied(plan) as (here, diary):
                reader, writer = await connect(here, world.client("interceptor"))
                assert await ask(reader, writer, HELLO) == HELLO
                writer.close()
                passage = await diary.over.get()
                assert (passage.way, passage.name, passage.error) == ("intercept", "localhost", None)

    run(main())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_takes_rsa_only(world: World, version: ssl.TLSVersion) -> None:
    async def main() -> None:
        client = world.client("interceptor", maximum_version=ssl.TLSVersion.TLSv1_2)
        client.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        context = world.server(maximum_version=version)
        async with server(echo, context) as port, proxied(world.intercepting()) as (here, diary):
            reader, writer = await secure_tunnel(here, port, client)
            assert await ask(reader, writer, HELLO) == HELLO
            writer.close()
            assert (await diary.over.get()).error is None

    run(main())


@pytest.mark.parametrize("intercepted", [False, True])
def test_a_client_certificate_cannot_be_passed_on_and_the_proxy_may_have_one(
    world: World, intercepted: bool
) -> None:
    async def main() -> None:
        context = world.server(verify_mode=ssl.CERT_OPTIONAL)
        mine = (Identity.from_pem(world.folder / "client.pem"),) if intercepted else ()
        plan = world.intercepting(identities=mine)
        async with server(echo, context) as port, proxied(plan) as (here, diary):
            client = world.client("interceptor", load_cert_chain=world.folder / "client.pem")
            reader, writer = await secure_tunnel(here, port, client)
            assert await ask(reader, writer, HELLO) == HELLO
            writer.close()
            (note,) = (await diary.over.get()).notes
            assert ("was shown the proxy's" in note) is intercepted
            assert ("--to-cert" in note) is not intercepted

    run(main())


def test_a_server_that_requires_a_client_certificate_is_heard(world: World) -> None:
    """Its alert comes behind the handshake (TLS 1.3), and goes on to the client."""

    async def main() -> None:
        config = world.front(client_auth="require", client_trust=world.authority.trust())
        async with await start_server(lambda stream: stream.drain(), config) as wants:
            plan = world.intercepting(("127.0.0.1", wants.sockets[0].getsockname()[1]))
            async with proxied(plan) as (here, diary):
                mine = ClientConfig(trust=world.interceptor.trust())
                stream = await open_connection("127.0.0.1", here, config=mine, server_name="localhost")
                with pytest.raises(PeerRefused) as refused:
                    await stream.read()
                await stream.aclose()
                assert refused.value.alert == Alert.certificate_required
                passage = await diary.over.get()
                assert passage.blame == "server"
                assert passage.failure is not None
                assert "certificate_required" in passage.failure.what

    run(main())


@pytest.mark.parametrize("by_connect", [True, False])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_passes_is_seen_as_from_outside(world: World, by_connect: bool, version: ssl.TLSVersion) -> None:
    async def main() -> None:
        async with server(echo, world.server(maximum_version=version)) as port:
            plan = Plan(to=None if by_connect else ("127.0.0.1", port))
            async with proxied(plan) as (here, diary):
                if by_connect:
                    reader, writer = await secure_tunnel(here, port, world.client())
                else:
                    reader, writer = await connect(here, world.client())
                assert await ask(reader, writer, HELLO) == HELLO
                (shown,) = diary.shown  # while it goes on
                writer.close()
                passage = await diary.over.get()
                assert passage is shown
                assert (passage.way, passage.name, passage.error) == ("tunnel", "localhost", None)
                trace = passage.passing
                assert trace is not None
                assert list(trace.of("secret")) == []
                assert agreed(trace)["version"] == version.name.replace("v", " ").replace("_", ".")
                told = str([to_json(view.build(trace)) for view in VIEWS.values()])
                assert HELLO.hex() not in told
                sizes = [len(fact.wire) for fact in trace.of("record")]
                assert sum(sizes) == passage.sent + passage.received

    run(main())


def test_a_server_that_speaks_first_is_no_tls(world: World) -> None:
    """In a tunnel nobody need begin with a ClientHello."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await echo(reader, writer)

    async def main() -> None:
        async with server(greet) as port, proxied(world.intercepting()) as (here, diary):
            _, reader, writer = await tunnel(here, "127.0.0.1", port)
            assert await reader.readline() == b"220 ready\r\n"
            assert await ask(reader, writer, b"EHLO\r\n") == b"EHLO\r\n"
            writer.close()
            passage = await diary.over.get()
            assert passage.legs == ()
            assert passage.error is None
            assert passage.notes == ["What went through this tunnel is no TLS."]

    run(main())


def test_plans_that_make_no_sense(world: World) -> None:
    with pytest.raises(UsageError, match="Where to"):
        Plan(front=world.front())
    with pytest.raises(UsageError, match="both sides"):
        Plan(issuer=world.leaves, behind=world.behind())
