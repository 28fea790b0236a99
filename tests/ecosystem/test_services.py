"""Clients of real services: redis, PostgreSQL, MQTT, AMQP, LDAP; and Kafka's handshake.

"to openssl" is the service's own TLS (see services.py); "to pellucid" is the same service behind a front of
pellucid's. psycopg is not here: libpq, in C, does its TLS, and no `ssl` of Python's is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.world import Contexts
from ecosystem.conftest import Sides, installed_for
from ecosystem.servers import BODY, Prelude, on_streams, tls_front
from ecosystem.services import SERVICES, Service

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default"), pytest.mark.timeout(240)]

SECONDS = 60.0


class Running:
    """Services that run from their first use until the module's tests are over."""

    def __init__(self, contexts: Contexts, folder: Callable[[], Path], stack: contextlib.ExitStack) -> None:
        self._contexts = contexts
        self._folder = folder
        self._stack = stack
        self._found: dict[str, Service] = {}

    def __getitem__(self, name: str) -> Service:
        if name not in self._found:
            self._found[name] = self._stack.enter_context(SERVICES[name](self._contexts, self._folder()))
        return self._found[name]

    @contextlib.contextmanager
    def port(self, name: str, sides: Sides, prelude: Prelude | None = None) -> Iterator[int]:
        """Where the service is spoken to over TLS by the wanted kind; `prelude` as in `tls_front`."""
        found = self[name]
        if sides.kinds[1] == "openssl":
            yield found.plain if prelude is not None else found.tls
            return
        with tls_front(sides.server(), found.plain, prelude) as port:
            yield port


@pytest.fixture(scope="module")
def services(contexts: Contexts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with contextlib.ExitStack() as stack:
        yield Running(contexts, lambda: tmp_path_factory.mktemp("service"), stack)


def check(sides: Sides, connection: Any) -> None:
    """Whether the client's `SSLSocket` is of the wanted kind."""
    assert type(connection) is ssl.SSLSocket
    low_level: Any = vars(connection)["_sslobj"]
    assert (type(low_level).__module__ == "_ssl") is (sides.kinds[0] == "openssl")


# -- redis ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("certificate", [False, True], ids=["no certificate", "a certificate"])
def test_redis(certificate: bool, sides: Sides, services: Running) -> None:
    redis = pytest.importorskip("redis")
    settings = {"ssl": True, "ssl_ca_certs": sides.contexts.ca, "socket_timeout": SECONDS}
    if certificate:
        pem = sides.contexts.pem("client")
        settings |= {"ssl_certfile": pem, "ssl_keyfile": pem}
    with services.port("redis", sides) as port, installed_for(sides):
        client = redis.Redis("localhost", port, **settings)
        with contextlib.closing(client):
            client.set("blob", BODY)
            assert client.get("blob") == BODY
            with client.pipeline() as pipe:
                for number in range(200):
                    pipe.rpush("list", number)
                pipe.lrange("list", -200, -1)
                assert pipe.execute()[-1] == [str(number).encode() for number in range(200)]
            connection = client.connection_pool.get_connection()
            check(sides, connection._sock)
            client.connection_pool.release(connection)


def test_redis_pubsub(sides: Sides, services: Running) -> None:
    redis = pytest.importorskip("redis")
    settings = {"ssl": True, "ssl_ca_certs": sides.contexts.ca, "socket_timeout": SECONDS}
    with services.port("redis", sides) as port, installed_for(sides):
        client = redis.Redis("localhost", port, **settings)
        with contextlib.closing(client), client.pubsub(ignore_subscribe_messages=True) as listener:
            listener.subscribe("news")
            assert listener.get_message(timeout=SECONDS) is None  # the subscription itself
            for number in range(3):
                client.publish("news", BODY[: number + 1])
                message = listener.get_message(timeout=SECONDS)  # waits by select, then reads
                assert message["data"] == BODY[: number + 1]


def test_redis_on_asyncio(sides: Sides, services: Running) -> None:
    redis = pytest.importorskip("redis.asyncio")

    async def main(port: int) -> None:
        settings = {"ssl": True, "ssl_ca_certs": sides.contexts.ca, "socket_timeout": SECONDS}
        async with redis.Redis(host="localhost", port=port, **settings) as client:
            await client.set("blob", BODY)
            assert await client.get("blob") == BODY

    with services.port("redis", sides) as port, installed_for(sides):
        asyncio.run(main(port))


# -- PostgreSQL ----------------------------------------------------------------------------------------


async def ssl_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """PostgreSQL's way into TLS: eight bytes, and a yes."""
    assert await reader.readexactly(8) == struct.pack("!II", 8, 80877103)
    writer.write(b"S")
    await writer.drain()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_asyncpg(loop: str, sides: Sides, services: Running) -> None:
    asyncpg = pytest.importorskip("asyncpg")
    module: Any = pytest.importorskip(loop)

    async def main(port: int) -> None:
        connection = await asyncpg.connect(
            host="localhost",
            port=port,
            user="tester",
            database="postgres",
            ssl=sides.client(),
            direct_tls=False,
            timeout=SECONDS,
        )
        try:
            assert await connection.fetchval("select $1::bytea", BODY) == BODY
            rows = await connection.fetch("select n, n * n from generate_series(1, 5000) n")
            assert [tuple(row) for row in rows] == [(n, n * n) for n in range(1, 5001)]
            if sides.kinds[1] == "openssl":
                query = "select version from pg_stat_ssl where pid = pg_backend_pid()"
                assert await connection.fetchval(query) == "TLSv1.3"
        finally:
            await connection.close(timeout=SECONDS)

    with services.port("postgresql", sides, ssl_request) as port:
        module.run(main(port))


# -- MQTT ----------------------------------------------------------------------------------------------


def test_paho_mqtt(sides: Sides, services: Running) -> None:
    mqtt = pytest.importorskip("paho.mqtt.client")
    arrived: list[bytes] = []
    subscribed, done = threading.Event(), threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.tls_set_context(sides.client())
    client.on_connect = lambda *_: client.subscribe("to/all", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()

    def on_message(client: Any, data: Any, message: Any) -> None:
        arrived.append(message.payload)
        if len(arrived) == 4:
            done.set()

    client.on_message = on_message
    with services.port("mosquitto", sides) as port:
        client.connect("localhost", port)
        client.loop_start()  # a thread of its own reads; this one writes
        try:
            assert subscribed.wait(SECONDS)
            sent = [BODY[:1], BODY[:1000], BODY, BODY[:2]]
            for payload in sent:
                client.publish("to/all", payload, qos=1).wait_for_publish(SECONDS)
            assert done.wait(SECONDS)
        finally:
            client.disconnect()
            client.loop_stop()
    assert arrived == sent


WORDS = "words of a directory " * 10_000


# -- LDAP ----------------------------------------------------------------------------------------------


async def start_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """LDAP's StartTLS (RFC 4511 section 4.14): an extended request with a short name, and success."""
    head = await reader.readexactly(2)
    request = await reader.readexactly(head[1])
    assert b"1.3.6.1.4.1.1466.20037" in request
    writer.write(b"\x30\x0c" + request[:3] + b"\x78\x07\x0a\x01\x00\x04\x00\x04\x00")
    await writer.drain()


@pytest.mark.parametrize("how", ["ldaps", "StartTLS"])
def test_ldap3(how: str, sides: Sides, services: Running) -> None:
    ldap3 = pytest.importorskip("ldap3")
    tls = ldap3.Tls(
        validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, ca_certs_file=sides.contexts.ca
    )
    prelude = start_tls if how == "StartTLS" else None
    with services.port("slapd", sides, prelude) as port, installed_for(sides):
        server = ldap3.Server("localhost", port, use_ssl=how == "ldaps", tls=tls, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, "cn=admin,dc=test", "secret", receive_timeout=int(SECONDS))
        connection.open()
        if prelude is not None:
            assert connection.start_tls()
        check(sides, connection.socket)
        assert connection.bind()
        connection.add("dc=test", ["dcObject", "organization"], {"o": "tests", "description": WORDS})
        assert connection.search("dc=test", "(o=tests)", attributes=["description"])
        assert connection.entries[0].description.values == [WORDS]
        assert connection.delete("dc=test")
        connection.unbind()


# -- AMQP ----------------------------------------------------------------------------------------------


def test_pika(sides: Sides, services: Running) -> None:
    pika = pytest.importorskip("pika")
    with services.port("rabbitmq", sides) as port:
        parameters = pika.ConnectionParameters(
            "localhost",
            port,
            ssl_options=pika.SSLOptions(sides.client(), "localhost"),
            socket_timeout=SECONDS,
            stack_timeout=SECONDS,
            blocked_connection_timeout=SECONDS,
            heartbeat=0,
        )
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            queue = channel.queue_declare("", exclusive=True).method.queue
            for size in (1, 1000, len(BODY)):
                channel.basic_publish("", queue, BODY[:size])
            for size in (1, 1000, len(BODY)):
                found = next(channel.consume(queue, auto_ack=True, inactivity_timeout=SECONDS))
                assert found[2] == BODY[:size]
            channel.cancel()


# -- Kafka ---------------------------------------------------------------------------------------------

TOPICS = [f"topic-{number}-{'x' * 80}" for number in range(400)]
"""So many that their list takes three records."""


def text(words: str) -> bytes:
    return struct.pack("!h", len(words)) + words.encode()


async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a Kafka broker says first: which requests it knows, and which topics there are."""
    port = writer.get_extra_info("sockname")[1]
    while True:
        (size,) = struct.unpack("!I", await reader.readexactly(4))
        key, version, correlation = struct.unpack_from("!hhi", await reader.readexactly(size))
        body = struct.pack("!i", correlation)
        if key == 18:  # ApiVersions; 35 is UNSUPPORTED_VERSION
            body += struct.pack("!hi", 35 if version else 0, 2) + struct.pack("!6h", 18, 0, 0, 3, 0, 1)
        else:  # Metadata, version 1
            body += struct.pack("!ii", 1, 1) + text("localhost") + struct.pack("!ih", port, -1)
            body += struct.pack("!ii", 1, len(TOPICS))
            body += b"".join(struct.pack("!h", 0) + text(name) + struct.pack("!bi", 0, 0) for name in TOPICS)
        writer.write(struct.pack("!I", len(body)) + body)
        await writer.drain()


def test_kafka_python(sides: Sides) -> None:
    kafka = pytest.importorskip("kafka")
    with on_streams(broker, ssl=sides.server()) as port:
        consumer = kafka.KafkaConsumer(
            bootstrap_servers=f"localhost:{port}",
            security_protocol="SSL",
            ssl_context=sides.client(),
            bootstrap_timeout_ms=int(SECONDS * 1000),
        )
        with contextlib.closing(consumer):
            assert consumer.topics() == set(TOPICS)
