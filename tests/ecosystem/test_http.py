"""HTTP: urllib, requests, urllib3, httpx, httpcore, aiohttp, tornado; http.server, uvicorn, hypercorn."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ecosystem.apps import wsgi as wsgi_echo
from ecosystem.conftest import Sides, installed_for
from ecosystem.servers import (
    BODY,
    LOOPBACK,
    asgi_echo,
    http_server,
    listening,
    on_asyncio,
    tls_proxy,
)
from interop.bench import free_port
from pellucid.compat import ssl as ours

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]


# -- clients -------------------------------------------------------------------------------------------


def with_urllib(url: str, context: Any) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, BODY), context=context, timeout=20) as answer:
        found: bytes = answer.read()
        return found


def with_requests(url: str, context: Any) -> bytes:
    requests = pytest.importorskip("requests")
    kind: Any = pytest.importorskip("requests.adapters").HTTPAdapter

    class Adapter(kind):  # type: ignore[misc]
        def init_poolmanager(self, *args: Any, **more: Any) -> Any:
            return super().init_poolmanager(*args, ssl_context=context, **more)

    with requests.Session() as session:
        session.mount("https://", Adapter())
        first: bytes = session.post(url, data=BODY, timeout=20).content
        assert session.get(url, timeout=20).status_code == 200  # over the same connection
        return first


def with_urllib3(url: str, context: Any) -> bytes:
    urllib3 = pytest.importorskip("urllib3")
    with urllib3.PoolManager(ssl_context=context, retries=False) as pool:
        answers = [pool.request("POST", url, body=BODY, timeout=20).data for _ in range(3)]
        assert answers[0] == answers[1]
        found: bytes = answers[2]
        return found


def with_httpx(url: str, context: Any) -> bytes:
    httpx = pytest.importorskip("httpx")
    with httpx.Client(verify=context, timeout=20, trust_env=False) as client:
        found: bytes = client.post(url, content=BODY).content
        return found


async def httpx_async(url: str, context: Any) -> bytes:
    httpx = pytest.importorskip("httpx")
    async with httpx.AsyncClient(verify=context, timeout=20, trust_env=False) as client:
        found: bytes = (await client.post(url, content=BODY)).content
        return found


def with_httpx_on_asyncio(url: str, context: Any) -> bytes:
    return asyncio.run(httpx_async(url, context))


def with_httpx_on_trio(url: str, context: Any) -> bytes:
    trio = pytest.importorskip("trio")
    found: bytes = trio.run(httpx_async, url, context)
    return found


def with_aiohttp(url: str, context: Any) -> bytes:
    aiohttp = pytest.importorskip("aiohttp")

    async def main() -> bytes:
        async with aiohttp.ClientSession() as session, session.post(url, data=BODY, ssl=context) as answer:
            found: bytes = await answer.read()
            return found

    return asyncio.run(main())


def with_aiohttp_on_uvloop(url: str, context: Any) -> bytes:
    uvloop = pytest.importorskip("uvloop")
    aiohttp = pytest.importorskip("aiohttp")

    async def main() -> bytes:
        async with aiohttp.ClientSession() as session, session.post(url, data=BODY, ssl=context) as answer:
            found: bytes = await answer.read()
            return found

    found: bytes = uvloop.run(main())
    return found


def with_httpcore(url: str, context: Any) -> bytes:
    httpcore = pytest.importorskip("httpcore")
    with httpcore.ConnectionPool(ssl_context=context) as pool:
        answers = [pool.request("POST", url, content=BODY).content for _ in range(2)]
        assert answers[0] == answers[1]
        found: bytes = answers[1]
        return found


async def httpcore_async(url: str, context: Any) -> bytes:
    httpcore = pytest.importorskip("httpcore")
    async with httpcore.AsyncConnectionPool(ssl_context=context) as pool:
        answers = [(await pool.request("POST", url, content=BODY)).content for _ in range(2)]
        assert answers[0] == answers[1]
        found: bytes = answers[1]
        return found


def with_httpcore_on_asyncio(url: str, context: Any) -> bytes:
    return asyncio.run(httpcore_async(url, context))


def with_httpcore_on_trio(url: str, context: Any) -> bytes:
    trio = pytest.importorskip("trio")
    found: bytes = trio.run(httpcore_async, url, context)
    return found


def with_tornado(url: str, context: Any) -> bytes:
    client_class: Any = pytest.importorskip("tornado.simple_httpclient").SimpleAsyncHTTPClient

    async def main() -> bytes:
        client = client_class(force_instance=True)
        try:
            answer = await client.fetch(
                url,
                method="POST",
                body=BODY,
                headers={"Content-Type": "application/octet-stream"},
                ssl_options=context,
                connect_timeout=20,
                request_timeout=20,
            )
        finally:
            client.close()
        found: bytes = answer.body
        return found

    return asyncio.run(main())


CLIENTS: dict[str, Callable[[str, Any], bytes]] = {
    "urllib": with_urllib,
    "requests": with_requests,
    "urllib3": with_urllib3,
    "httpx": with_httpx,
    "httpx on asyncio": with_httpx_on_asyncio,
    "httpx on trio": with_httpx_on_trio,
    "aiohttp": with_aiohttp,
    "aiohttp on uvloop": with_aiohttp_on_uvloop,
    "httpcore": with_httpcore,
    "httpcore on asyncio": with_httpcore_on_asyncio,
    "httpcore on trio": with_httpcore_on_trio,
    "tornado": with_tornado,
}


# -- servers -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def uvicorn_server(context: Any, loop: str, app: Any = asgi_echo) -> Iterator[int]:
    uvicorn = pytest.importorskip("uvicorn")
    new_loop: Any = asyncio.new_event_loop
    if loop == "uvloop":
        new_loop = pytest.importorskip("uvloop").new_event_loop
    config = uvicorn.Config(
        app,
        host=LOOPBACK,
        port=0,
        log_level="error",
        lifespan="off",
        ssl_context_factory=lambda config, default: context,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)

    async def start(stop: asyncio.Event) -> int:
        running = asyncio.ensure_future(server._serve())

        async def end() -> None:
            await stop.wait()
            server.should_exit = True
            await running

        start.end = asyncio.ensure_future(end())  # type: ignore[attr-defined]
        while not server.started:
            if running.done():
                running.result()
            await asyncio.sleep(0.01)
        port: int = server.servers[0].sockets[0].getsockname()[1]
        return port

    with on_asyncio(start, new_loop) as port:
        yield port


@contextlib.contextmanager
def hypercorn_server(context: Any, app: Any = asgi_echo) -> Iterator[int]:
    serve = pytest.importorskip("hypercorn.asyncio").serve
    kind: Any = pytest.importorskip("hypercorn.config").Config

    class Ours(kind):  # type: ignore[misc]
        ssl_enabled = True

        def create_ssl_context(self) -> Any:
            return context

    config = Ours()
    port = free_port()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.graceful_timeout = config.shutdown_timeout = 0.5
    config.errorlog = None
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def start(stop: asyncio.Event) -> int:
        serving: Any = serve(app, config, shutdown_trigger=stop.wait)
        start.task = asyncio.ensure_future(serving)  # type: ignore[attr-defined]
        await listening(port)
        return port

    with on_asyncio(start) as found:
        yield found


@contextlib.contextmanager
def aiohttp_server(context: Any) -> Iterator[int]:
    web = pytest.importorskip("aiohttp.web")

    async def echo(request: Any) -> Any:
        return web.Response(body=await request.read())

    async def chat(request: Any) -> Any:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    async def start(stop: asyncio.Event) -> int:
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/", echo)
        app.router.add_get("/chat", chat)
        runner = web.AppRunner(app, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, LOOPBACK, 0, ssl_context=context)
        await site.start()

        async def end() -> None:
            await stop.wait()
            await runner.cleanup()

        start.end = asyncio.ensure_future(end())  # type: ignore[attr-defined]
        port: int = runner.addresses[0][1]
        return port

    with on_asyncio(start) as port:
        yield port


@contextlib.contextmanager
def tornado_server(context: Any) -> Iterator[int]:
    web: Any = pytest.importorskip("tornado.web")
    handler: Any = web.RequestHandler
    websocket: Any = pytest.importorskip("tornado.websocket").WebSocketHandler

    class Echo(handler):  # type: ignore[misc]
        def post(self) -> None:
            self.finish(self.request.body)

        def get(self) -> None:
            self.finish(b"hello")

    class Chat(websocket):  # type: ignore[misc]
        def on_message(self, message: Any) -> Any:
            return self.write_message(message, binary=True)

    async def start(stop: asyncio.Event) -> int:
        server_class: Any = pytest.importorskip("tornado.httpserver").HTTPServer
        bind: Any = pytest.importorskip("tornado.netutil").bind_sockets
        server = server_class(web.Application([("/", Echo), ("/chat", Chat)]), ssl_options=context)
        sockets = bind(0, LOOPBACK)
        server.add_sockets(sockets)

        async def end() -> None:
            await stop.wait()
            server.stop()
            await server.close_all_connections()

        start.end = asyncio.ensure_future(end())  # type: ignore[attr-defined]
        port: int = sockets[0].getsockname()[1]
        return port

    with on_asyncio(start) as port:
        yield port


@contextlib.contextmanager
def cheroot_server(context: Any, pem: str, seen: dict[str, Any]) -> Iterator[int]:
    server_class: Any = pytest.importorskip("cheroot.wsgi").Server
    adapter_class: Any = pytest.importorskip("cheroot.ssl.builtin").BuiltinSSLAdapter

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        return list(wsgi_echo(environ, start_response))

    server = server_class((LOOPBACK, 0), app)
    server.ssl_adapter = adapter_class(pem, pem)
    server.ssl_adapter.context = context
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.bind_addr[1]
    finally:
        server.stop()
        thread.join(20)


# -- tests ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_against_http_server(name: str, sides: Sides) -> None:
    with http_server(sides.server()) as port:
        assert CLIENTS[name](f"https://localhost:{port}/", sides.client()) == BODY


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("name", ["requests", "httpx on asyncio", "aiohttp on uvloop"])
def test_a_client_against_uvicorn(name: str, loop: str, sides: Sides) -> None:
    with uvicorn_server(sides.server(), loop) as port:
        assert CLIENTS[name](f"https://localhost:{port}/", sides.client()) == BODY


@pytest.mark.parametrize("name", ["urllib3", "httpx on trio", "aiohttp"])
def test_a_client_against_aiohttp(name: str, sides: Sides) -> None:
    with aiohttp_server(sides.server()) as port:
        assert CLIENTS[name](f"https://localhost:{port}/", sides.client()) == BODY


def test_a_client_against_cheroot(sides: Sides) -> None:
    seen: dict[str, Any] = {}
    context = sides.server(verify_mode=ssl.CERT_REQUIRED)
    client = sides.client(certificate="client")
    with cheroot_server(context, sides.contexts.pem("localhost"), seen) as port:
        assert with_requests(f"https://localhost:{port}/", client) == BODY
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["SSL_PROTOCOL"] == "TLSv1.3"
    assert seen["SSL_CIPHER"].startswith("TLS_")
    assert seen["SSL_CLIENT_S_DN_CN"] == "client"
    assert seen["SSL_TLS_SNI"] == "localhost"  # hung on the socket by a server name callback


def test_a_websocket_of_aiohttp(sides: Sides) -> None:
    aiohttp = pytest.importorskip("aiohttp")

    async def main(port: int) -> None:
        async with aiohttp.ClientSession() as session:
            url = f"https://localhost:{port}/chat"
            async with session.ws_connect(url, ssl=sides.client()) as chat:
                for size in (1, 1000, 200_000):
                    await chat.send_bytes(BODY[:size])
                    assert await chat.receive_bytes() == BODY[:size]

    with aiohttp_server(sides.server()) as port:
        asyncio.run(main(port))


@pytest.mark.parametrize("name", ["requests", "httpcore on trio", "tornado"])
def test_a_client_against_tornado(name: str, sides: Sides) -> None:
    with tornado_server(sides.server()) as port:
        assert CLIENTS[name](f"https://localhost:{port}/", sides.client()) == BODY


def test_a_websocket_of_tornado(sides: Sides) -> None:
    connect: Any = pytest.importorskip("tornado.websocket").websocket_connect
    request: Any = pytest.importorskip("tornado.httpclient").HTTPRequest

    async def main(port: int) -> None:
        chat = await connect(request(f"wss://localhost:{port}/chat", ssl_options=sides.client()))
        for size in (1, 1000, 200_000):
            await chat.write_message(BODY[:size], binary=True)
            assert await chat.read_message() == BODY[:size]
        chat.close()

    with tornado_server(sides.server()) as port:
        asyncio.run(main(port))


@pytest.mark.parametrize("how", ["sync", "asyncio", "trio"])
def test_http_2_of_httpcore_against_hypercorn(how: str, sides: Sides) -> None:
    httpcore = pytest.importorskip("httpcore")
    pytest.importorskip("h2")

    async def go(url: str) -> Any:
        async with httpcore.AsyncConnectionPool(ssl_context=sides.client(), http2=True) as pool:
            return await pool.request("POST", url, content=BODY)

    with hypercorn_server(sides.server()) as port:
        url = f"https://localhost:{port}/"
        if how == "sync":
            with httpcore.ConnectionPool(ssl_context=sides.client(), http2=True) as pool:
                answer = pool.request("POST", url, content=BODY)
        elif how == "asyncio":
            answer = asyncio.run(go(url))
        else:
            answer = pytest.importorskip("trio").run(go, url)
        assert (answer.content, answer.extensions["http_version"]) == (BODY, b"HTTP/2")


@pytest.mark.parametrize("how", ["sync", "asyncio", "trio"])
def test_http_2_of_httpx_against_hypercorn(how: str, sides: Sides) -> None:
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("h2")

    async def go(url: str) -> Any:
        async with httpx.AsyncClient(verify=sides.client(), http2=True, timeout=20) as client:
            return await client.post(url, content=BODY)

    with hypercorn_server(sides.server()) as port:
        url = f"https://localhost:{port}/"
        if how == "sync":
            with httpx.Client(verify=sides.client(), http2=True, timeout=20) as client:
                answer = client.post(url, content=BODY)
        elif how == "asyncio":
            answer = asyncio.run(go(url))
        else:
            answer = pytest.importorskip("trio").run(go, url)
        assert answer.content == BODY
        assert answer.http_version == "HTTP/2"
        assert answer.headers["x-http"] == "2"


def test_tls_in_tls_of_urllib3(sides: Sides) -> None:
    urllib3 = pytest.importorskip("urllib3")
    with http_server(sides.server()) as port, tls_proxy(sides.server()) as proxy:
        pool = urllib3.ProxyManager(
            f"https://localhost:{proxy}",
            proxy_ssl_context=sides.client(),
            ssl_context=sides.client(),
            retries=False,
            timeout=20,
        )
        with pool:
            assert pool.request("POST", f"https://localhost:{port}/", body=BODY).data == BODY


def test_tls_in_tls_of_httpx(sides: Sides) -> None:
    httpx = pytest.importorskip("httpx")
    with http_server(sides.server()) as port, tls_proxy(sides.server()) as proxy:
        through = httpx.Proxy(f"https://localhost:{proxy}", ssl_context=sides.client())
        with httpx.Client(verify=sides.client(), proxy=through, timeout=20) as client:
            assert client.post(f"https://localhost:{port}/", content=BODY).content == BODY


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"]
)
def test_client_certificates_of_urllib3(version: Any, sides: Sides) -> None:
    urllib3 = pytest.importorskip("urllib3")
    server = sides.server(verify_mode=ssl.CERT_REQUIRED, maximum_version=version)
    with (
        http_server(server) as port,
        urllib3.PoolManager(
            ssl_context=sides.client(certificate="client"), retries=False, timeout=20
        ) as pool,
    ):
        assert pool.request("GET", f"https://localhost:{port}/").headers["X-Client"] == "client"


def test_httplib2(sides: Sides) -> None:
    httplib2 = pytest.importorskip("httplib2")
    with http_server(sides.server()) as port, installed_for(sides):
        client = httplib2.Http(ca_certs=sides.contexts.ca, timeout=20)
        with contextlib.closing(client):
            for _ in range(2):  # the second over the same connection
                answer, body = client.request(f"https://localhost:{port}/", "POST", BODY)
                assert (answer.status, body) == (200, BODY)


def test_truststore_of_urllib3(sides: Sides) -> None:
    truststore = pytest.importorskip("truststore")
    urllib3 = pytest.importorskip("urllib3")
    with http_server(sides.server()) as port, installed_for(sides):
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(sides.contexts.ca)
        with urllib3.PoolManager(ssl_context=context, retries=False, timeout=20) as pool:
            assert pool.request("POST", f"https://localhost:{port}/", body=BODY).data == BODY


def test_requests_over_pellucid_by_install_alone(sides: Sides) -> None:
    requests = pytest.importorskip("requests")
    with http_server(sides.server()) as port, ours.installed():
        url = f"https://localhost:{port}/"
        answer = requests.post(url, data=BODY, verify=sides.contexts.ca, timeout=20)
        assert answer.content == BODY
        with pytest.raises(requests.exceptions.SSLError, match="pellucid"):
            requests.get(url, timeout=20)  # the authority is nobody's


def test_the_wrong_name_is_the_error_that_the_library_has_for_it(sides: Sides) -> None:
    httpx = pytest.importorskip("httpx")
    aiohttp = pytest.importorskip("aiohttp")
    with http_server(sides.server(certificate="other.test")) as port:
        url = f"https://localhost:{port}/"
        with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
            httpx.get(url, verify=sides.client())
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            with_aiohttp(url, sides.client())
