"""What libraries raise when a handshake fails: over pellucid the same as over OpenSSL.

Libraries look into `ssl`'s exceptions (`errno`, `args`, `reason`) and make their own of them. Each client
meets each fault once over either; the exceptions must be of the same classes, with the same `reason`.
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compat.world import Contexts
from ecosystem.servers import http_server, on_streams
from ecosystem.test_http import CLIENTS
from pellucid import Authority
from pellucid.compat import ssl as ours

pytestmark = [
    *(pytest.mark.interop, pytest.mark.filterwarnings("default")),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # some forget the socket of a failed handshake
]

KINDS = ("openssl", "pellucid")
Client = Callable[[int, Any, Contexts], object]


# -- faults --------------------------------------------------------------------------------------------


def wrong_name(contexts: Contexts) -> contextlib.AbstractContextManager[int]:
    return http_server(contexts.server("openssl", certificate="other.test"))


def nobodys_authority(contexts: Contexts) -> contextlib.AbstractContextManager[int]:
    stranger = contexts.folder / "stranger.pem"
    if not stranger.exists():
        stranger.write_bytes(Authority.create().issue("localhost").to_pem())
    return http_server(contexts.server("openssl", certificate="stranger"))


def version(contexts: Contexts) -> contextlib.AbstractContextManager[int]:
    """The clients end at TLS 1.2; this server begins after it."""
    server = contexts.server("openssl")
    server.minimum_version = server.maximum_version = ssl.TLSVersion.TLSv1_3
    return http_server(server)


@contextlib.contextmanager
def talks(words: bytes) -> Iterator[int]:
    """A server that speaks no TLS: it says its words, and hangs up when the client does."""

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(words)
        await writer.drain()
        writer.write_eof()
        while await reader.read(65_536):
            pass

    with on_streams(visit) as port:
        yield port


FAULTS: dict[str, Callable[[Contexts], contextlib.AbstractContextManager[int]]] = {
    "wrong name": wrong_name,
    "nobody's authority": nobodys_authority,
    "another version": version,
    "no TLS": lambda contexts: talks(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "hangs up": lambda contexts: talks(b""),
}


# -- clients -------------------------------------------------------------------------------------------


def over_http(name: str) -> Client:
    return lambda port, context, contexts: CLIENTS[name](f"https://localhost:{port}/", context)


def with_httplib2(port: int, context: Any, contexts: Contexts) -> object:
    httplib2 = pytest.importorskip("httplib2")
    client = httplib2.Http(ca_certs=contexts.ca, timeout=20, tls_maximum_version="TLSv1_2")
    return client.request(f"https://localhost:{port}/")


def redis_settings(port: int, contexts: Contexts, retry: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"host": "localhost", "port": port, "ssl": True, "ssl_ca_certs": contexts.ca}
    backoff: Any = pytest.importorskip("redis.backoff")
    return settings | {"socket_timeout": 20, "retry": retry(backoff.NoBackoff(), 0)}


def with_redis(port: int, context: Any, contexts: Contexts) -> object:
    redis = pytest.importorskip("redis")
    with redis.Redis(**redis_settings(port, contexts, redis.retry.Retry)) as client:
        return client.ping()


def with_redis_on_asyncio(port: int, context: Any, contexts: Contexts) -> object:
    redis = pytest.importorskip("redis.asyncio")

    async def main() -> object:
        async with redis.Redis(**redis_settings(port, contexts, redis.retry.Retry)) as client:
            return await client.ping()

    return asyncio.run(main())


def with_asyncpg(port: int, context: Any, contexts: Contexts) -> object:
    asyncpg = pytest.importorskip("asyncpg")
    settings = {"host": "localhost", "port": port, "user": "tester", "timeout": 20}
    return asyncio.run(asyncpg.connect(**settings, ssl=context, direct_tls=True))


def with_paho(port: int, context: Any, contexts: Contexts) -> object:
    mqtt = pytest.importorskip("paho.mqtt.client")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.tls_set_context(context)
    return client.connect("localhost", port)


def with_pika(port: int, context: Any, contexts: Contexts) -> object:
    pika = pytest.importorskip("pika")
    options = pika.SSLOptions(context, "localhost")
    return pika.BlockingConnection(pika.ConnectionParameters("localhost", port, ssl_options=options))


def with_ldap3(port: int, context: Any, contexts: Contexts) -> object:
    ldap3 = pytest.importorskip("ldap3")
    old = context.maximum_version == ssl.TLSVersion.TLSv1_2
    tls = ldap3.Tls(
        validate=ssl.CERT_REQUIRED,
        version=ssl.PROTOCOL_TLS_CLIENT,
        ca_certs_file=contexts.ca,
        ssl_options=[ssl.OP_NO_TLSv1_3] if old else None,
    )
    server = ldap3.Server("localhost", port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    return ldap3.Connection(server, receive_timeout=20).open()


def with_smtplib(port: int, context: Any, contexts: Contexts) -> object:
    return smtplib.SMTP_SSL("localhost", port, timeout=20, context=context)


def with_aiosmtplib(port: int, context: Any, contexts: Contexts) -> object:
    aiosmtplib = pytest.importorskip("aiosmtplib")
    settings = {"hostname": "localhost", "port": port, "use_tls": True, "timeout": 20}
    return asyncio.run(aiosmtplib.SMTP(**settings, tls_context=context).connect())


def with_websockets(port: int, context: Any, contexts: Contexts) -> object:
    connect = pytest.importorskip("websockets.sync.client").connect
    return connect(f"wss://localhost:{port}/", ssl=context, open_timeout=20)


def with_websockets_on_asyncio(port: int, context: Any, contexts: Contexts) -> object:
    connect = pytest.importorskip("websockets.asyncio.client").connect

    async def main() -> object:
        return await connect(f"wss://localhost:{port}/", ssl=context, open_timeout=20)

    return asyncio.run(main())


def with_websocket_client(port: int, context: Any, contexts: Contexts) -> object:
    connect = pytest.importorskip("websocket").create_connection
    return connect(f"wss://localhost:{port}/", sslopt={"context": context}, timeout=20)


ALL: dict[str, Client] = {
    **{name: over_http(name) for name in CLIENTS},
    "httplib2": with_httplib2,
    "redis": with_redis,
    "redis on asyncio": with_redis_on_asyncio,
    "asyncpg": with_asyncpg,
    "paho-mqtt": with_paho,
    "pika": with_pika,
    "ldap3": with_ldap3,
    "smtplib": with_smtplib,
    "aiosmtplib": with_aiosmtplib,
    "websockets": with_websockets,
    "websockets on asyncio": with_websockets_on_asyncio,
    "websocket-client": with_websocket_client,
}


# -- the test ------------------------------------------------------------------------------------------


def told(error: BaseException | None) -> list[str]:
    """The classes of an exception and of what it came from, down to what `ssl` says."""
    found: list[str] = []
    while error is not None and len(found) < 10:
        words = f"{type(error).__module__}.{type(error).__qualname__}"
        if isinstance(error, ssl.SSLError) and "reason" in vars(error):
            return [*found, f"{words} {error.errno} {error.reason} {vars(error).get('verify_code')}"]
        found.append(words)
        error = error.__cause__ or error.__context__
    return found


def failure(name: str, kind: str, port: int, contexts: Contexts, **settings: Any) -> list[str]:
    context = contexts.client(kind, **settings)
    with ours.installed() if kind == "pellucid" else contextlib.nullcontext():
        try:
            ALL[name](port, context, contexts)
        except Exception as error:
            return told(error)
    raise AssertionError("it did not fail")


# redis-py has no way to say that TLS 1.2 is the latest.
CELLS = [
    (name, fault) for name in ALL for fault in FAULTS if (name[:5], fault) != ("redis", "another version")
]


@pytest.mark.parametrize(("name", "fault"), CELLS, ids=map("-".join, CELLS))
def test_failure_of(name: str, fault: str, contexts: Contexts) -> None:
    settings = {"maximum_version": ssl.TLSVersion.TLSv1_2} if fault == "another version" else {}
    with FAULTS[fault](contexts) as port:
        openssl, pellucid = (failure(name, kind, port, contexts, **settings) for kind in KINDS)
    assert pellucid == openssl
