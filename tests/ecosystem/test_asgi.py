"""`pellucid.asgi` in real servers: what the application is told of its client, over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib
import json
import pickle
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat.world import Bios, Contexts
from ecosystem.servers import LOOPBACK, listening, on_asyncio, running
from interop.bench import free_port
from pellucid import UsageError
from pellucid.asgi import TLSExtension, ssl_context_factory, tls_extension
from pellucid.trust.identity import Identity

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers with the extension that it was given."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    told = json.dumps(scope.get("extensions", {}).get("tls", "nothing"))
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": told})
        await send({"type": "websocket.close"})
    else:
        body = told.encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def uvicorn_server(contexts: Contexts, app: Any = None, **settings: Any) -> Iterator[int]:
    uvicorn = pytest.importorskip("uvicorn")
    if settings.get("loop") == "uvloop":
        pytest.importorskip("uvloop")
    config = uvicorn.Config(
        app or TLSExtension(tell),
        host=LOOPBACK,
        port=0,
        log_level="error",
        lifespan="off",
        ssl_certfile=contexts.pem("localhost"),
        ssl_ca_certs=contexts.ca,
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
        timeout_graceful_shutdown=1,
        **{"ssl_context_factory": ssl_context_factory, **settings},
    )
    server = uvicorn.Server(config)
    with running(server) as port:
        yield port


@contextlib.contextmanager
def hypercorn_server(contexts: Contexts, worker: str) -> Iterator[int]:
    pytest.importorskip("hypercorn")
    if worker == "trio":
        pytest.importorskip("trio")
    serve: Any = importlib.import_module(f"hypercorn.{worker}").serve
    config = importlib.import_module("pellucid.asgi").HypercornConfig()
    port = free_port()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.certfile = config.keyfile = contexts.pem("localhost")
    config.ca_certs, config.verify_mode = contexts.ca, ssl.CERT_OPTIONAL
    config.graceful_timeout = config.shutdown_timeout = 0.5
    config.errorlog = None
    if worker == "asyncio":

        async def start(stop: asyncio.Event) -> int:
            start.task = asyncio.ensure_future(  # type: ignore[attr-defined]
                serve(TLSExtension(tell), config, shutdown_trigger=stop.wait)
            )
            await listening(port)
            return port

        with on_asyncio(start) as found:
            yield found
        return
    trio: Any = importlib.import_module("trio")
    stop = threading.Event()

    async def until_stopped() -> None:
        while not stop.is_set():
            await trio.sleep(0.02)

    thread = threading.Thread(
        target=lambda: trio.run(lambda: serve(TLSExtension(tell), config, shutdown_trigger=until_stopped))
    )
    thread.start()
    try:
        asyncio.run(listening(port))
        yield port
    finally:
        stop.set()
        thread.join(20)


def connected(port: int, context: Any) -> http.client.HTTPSConnection:
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
    connection.connect()
    return connection


def asked(connection: http.client.HTTPSConnection) -> Any:
    connection.request("GET", "/")
    return json.loads(connection.getresponse().read())


def leaf(contexts: Contexts, name: str) -> str:
    return ssl.DER_cert_to_PEM_cert(Identity.from_pem(contexts.pem(name)).leaf)


SERVERS: dict[str, Callable[[Contexts], contextlib.AbstractContextManager[int]]] = {
    "uvicorn, h11": lambda contexts: uvicorn_server(contexts, loop="asyncio", http="h11"),
    "uvicorn, uvloop": lambda contexts: uvicorn_server(contexts, loop="uvloop"),
    "hypercorn": lambda contexts: hypercorn_server(contexts, "asyncio"),
    "hypercorn, trio": lambda contexts: hypercorn_server(contexts, "trio"),
}


@pytest.mark.parametrize("kind", ["openssl", "pellucid"])
@pytest.mark.parametrize("name", SERVERS)
def test_each_client_is_told_as_itself(name: str, kind: str, contexts: Contexts) -> None:
    """Three connections stay open beside each other; no request is told another's certificate."""
    another = contexts.authority.issue("another", client=True)
    (contexts.folder / "another.pem").write_bytes(another.to_pem())
    clients = ("client", None, "another")
    with SERVERS[name](contexts) as port:
        open_ones = []
        for certificate in clients:
            settings = {} if certificate is None else {"certificate": certificate}
            open_ones.append(connected(port, contexts.client(kind, **settings)))
        for _ in range(2):
            for certificate, connection in zip(clients, open_ones, strict=True):
                told = asked(connection)
                wanted = [] if certificate is None else [leaf(contexts, certificate)]
                assert told["client_cert_chain"][:1] == wanted
                assert told["client_cert_error"] is None
                assert (told["client_cert_name"] is None) is (certificate is None)
                assert told["server_cert"] == leaf(contexts, "localhost")
                assert told["tls_version"] == 0x0304
                assert told["cipher_suite"] in (0x1301, 0x1302, 0x1303)
        for connection in open_ones:
            connection.close()


def test_tls_1_2_and_its_suite(contexts: Contexts) -> None:
    client = contexts.client("openssl", certificate="client", maximum_version=ssl.TLSVersion.TLSv1_2)
    client.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    with uvicorn_server(contexts) as port, contextlib.closing(connected(port, client)) as connection:
        told = asked(connection)
    assert (told["tls_version"], told["cipher_suite"]) == (0x0303, 0xC02C)


def test_a_resumed_client_is_still_itself(contexts: Contexts) -> None:
    context = contexts.client("openssl", certificate="client", maximum_version=ssl.TLSVersion.TLSv1_2)
    with uvicorn_server(contexts) as port:
        with contextlib.closing(connected(port, context)) as first:
            before = asked(first)
            session = first.sock.session
        with contextlib.closing(http.client.HTTPSConnection("localhost", port, timeout=20)) as second:
            plain = socket.create_connection((LOOPBACK, port), 20)
            second.sock = context.wrap_socket(plain, server_hostname="localhost", session=session)
            assert second.sock.session_reused
            after = asked(second)
    assert after["client_cert_chain"] == before["client_cert_chain"] != []
    assert after["client_cert_error"] is None
    assert after["server_cert"] is None  # a resumption sends none


@pytest.mark.parametrize("implementation", ["websockets-sansio", "wsproto"])
def test_a_websocket(implementation: str, contexts: Contexts) -> None:
    client: Any = pytest.importorskip("websockets.sync.client")
    context = contexts.client("openssl", certificate="client")
    with (
        uvicorn_server(contexts, ws=implementation) as port,
        client.connect(f"wss://localhost:{port}/", ssl=context) as socket,
    ):
        told = json.loads(socket.recv(timeout=20))
    assert told["client_cert_chain"][:1] == [leaf(contexts, "client")]


def test_no_extension_without_a_connection_of_pellucid(contexts: Contexts) -> None:
    with (
        uvicorn_server(contexts, ssl_context_factory=lambda config, default: default()) as port,
        contextlib.closing(connected(port, contexts.client("openssl"))) as connection,
    ):
        assert asked(connection) == "nothing"


def test_no_extension_behind_a_middleware_that_hides_the_connection(contexts: Contexts) -> None:
    async def hiding(scope: Any, receive: Any, send: Any) -> None:
        async def other(message: Any) -> None:
            await send(message)

        await TLSExtension(tell)(scope, receive, other)

    with (
        uvicorn_server(contexts, hiding) as port,
        contextlib.closing(connected(port, contexts.client("openssl"))) as connection,
    ):
        assert asked(connection) == "nothing"


def test_hypercorns_workers_are_given_the_configuration_by_pickle() -> None:
    pytest.importorskip("hypercorn")
    config = importlib.import_module("pellucid.asgi").HypercornConfig()
    config.certfile = "site.pem"
    again = pickle.loads(pickle.dumps(config))
    assert type(again) is type(config)
    assert again.certfile == "site.pem"


def test_what_is_not_pellucids_is_refused() -> None:
    with pytest.raises(UsageError):
        tls_extension(object())


def test_a_certificate_that_is_shown_later_is_told_then(contexts: Contexts) -> None:
    server = contexts.server(verify_mode=ssl.CERT_REQUIRED, post_handshake_auth=True)
    bios = Bios(contexts.client(certificate="client", post_handshake_auth=True), server).shake()
    bios.settle()
    assert tls_extension(bios.server)["client_cert_chain"] == []
    bios.server.verify_client_post_handshake()
    bios.settle()
    with pytest.raises(ssl.SSLWantReadError):
        bios.server.read(1)
    assert tls_extension(bios.server)["client_cert_chain"][:1] == [leaf(contexts, "client")]
