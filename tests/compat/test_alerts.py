"""Alerts of failed handshakes under asyncio, trio and anyio: the server hears why."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import trio
from anyio.streams.tls import TLSStream

from compat.world import Contexts
from pellucid.compat import ssl as ours


class Listener:
    """A server with the wrong certificate, which remembers how its handshake failed."""

    def __init__(self, context: Any) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.raised: list[BaseException] = []
        self._context = context
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        connection.settimeout(60)
        try:
            self._context.wrap_socket(connection, server_side=True).close()
        except OSError as error:
            self.raised.append(error)
            connection.close()

    def heard(self) -> Any:
        self._thread.join(60)
        self.socket.close()
        return getattr(self.raised[0], "reason", self.raised[0])


@pytest.fixture(params=["pellucid", "openssl"])
def listener(contexts: Contexts, request: pytest.FixtureRequest) -> Iterator[Listener]:
    found = Listener(contexts.server(request.param, certificate="other.test"))
    yield found
    found.socket.close()


@pytest.fixture
def alerts() -> Iterator[None]:
    ours.send_alerts()
    yield
    ours.send_alerts(False)


async def with_asyncio(port: int, context: Any) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")


async def with_anyio(port: int, context: Any) -> None:
    raw = await anyio.connect_tcp("127.0.0.1", port)
    with pytest.raises(ssl.SSLCertVerificationError):
        await TLSStream.wrap(raw, hostname="localhost", ssl_context=context)
    await raw.aclose()


async def with_trio(port: int, context: Any) -> None:
    stream = trio.SSLStream(
        await trio.open_tcp_stream("127.0.0.1", port), context, server_hostname="localhost"
    )
    with pytest.raises(trio.BrokenResourceError):
        await stream.do_handshake()
    await trio.aclose_forcefully(stream)


CLIENTS: dict[str, Callable[[int, Any], None]] = {
    "asyncio": lambda port, context: asyncio.run(with_asyncio(port, context)),
    "trio": lambda port, context: trio.run(with_trio, port, context),
    "anyio on asyncio": lambda port, context: anyio.run(with_anyio, port, context),
    "anyio on trio": lambda port, context: anyio.run(with_anyio, port, context, backend="trio"),
}


@pytest.mark.parametrize("loop", CLIENTS)
@pytest.mark.usefixtures("alerts")
def test_the_server_hears_why(loop: str, listener: Listener, contexts: Contexts) -> None:
    CLIENTS[loop](listener.port, contexts.client())
    assert listener.heard() == "SSLV3_ALERT_BAD_CERTIFICATE"


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_nothing_is_wrapped_unless_somebody_asks(loop: str, listener: Listener, contexts: Contexts) -> None:
    CLIENTS[loop](listener.port, contexts.client())
    assert listener.heard() == "UNEXPECTED_EOF_WHILE_READING"


def test_what_was_wrapped_is_given_back() -> None:
    import asyncio.sslproto

    kind: Any = asyncio.sslproto.SSLProtocol
    before = kind._fatal_error
    with ours.installed():
        assert kind._fatal_error is not before
    assert kind._fatal_error is before
