"""WebSockets, mail and FTP: websockets, smtplib, aiosmtplib with aiosmtpd, ftplib."""

from __future__ import annotations

import asyncio
import ftplib
import io
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ecosystem.conftest import Sides
from ecosystem.servers import BODY, LOOPBACK, on_asyncio

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]


# -- WebSockets ----------------------------------------------------------------------------------------


def test_websockets_in_threads(sides: Sides) -> None:
    connect = pytest.importorskip("websockets.sync.client").connect
    serve = pytest.importorskip("websockets.sync.server").serve

    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, LOOPBACK, 0, ssl=sides.server()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        with connect(f"wss://localhost:{port}/", ssl=sides.client()) as client:
            for size in (1, 1000, 200_000):
                client.send(BODY[:size])
                assert client.recv(timeout=20) == BODY[:size]
        server.shutdown()
        thread.join(20)


def test_websockets_on_asyncio(sides: Sides) -> None:
    connect = pytest.importorskip("websockets.asyncio.client").connect
    serve = pytest.importorskip("websockets.asyncio.server").serve

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        async with serve(echo, LOOPBACK, 0, ssl=sides.server()) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(f"wss://localhost:{port}/", ssl=sides.client()) as client:
                await client.send(BODY)
                assert await client.recv() == BODY

    asyncio.run(main())


# -- mail ----------------------------------------------------------------------------------------------


class Mailbox:
    """What an SMTP server received."""

    def __init__(self) -> None:
        self.letters: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        assert session.ssl is not None  # STARTTLS came first
        self.letters.append(envelope.content)
        return "250 OK"


@pytest.fixture
def mailbox(sides: Sides) -> Iterator[tuple[Mailbox, int]]:
    smtp = pytest.importorskip("aiosmtpd.smtp")
    box = Mailbox()

    async def start(stop: asyncio.Event) -> int:
        server = await asyncio.get_running_loop().create_server(
            lambda: smtp.SMTP(box, tls_context=sides.server(), require_starttls=True, enable_SMTPUTF8=True),
            LOOPBACK,
            0,
        )

        async def end() -> None:
            await stop.wait()
            server.close()

        start.end = asyncio.ensure_future(end())  # type: ignore[attr-defined]
        port: int = server.sockets[0].getsockname()[1]
        return port

    with on_asyncio(start) as port:
        yield box, port


LETTER = "Subject: through STARTTLS\r\n\r\n" + "a line of a long letter\r\n" * 3000


def test_smtplib_with_starttls(sides: Sides, mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    with smtplib.SMTP("localhost", port, timeout=20) as client:
        client.starttls(context=sides.client())
        client.sendmail("from@a.test", ["to@b.test"], LETTER)
    assert box.letters == [LETTER.encode()]


def test_aiosmtplib_with_starttls(sides: Sides, mailbox: tuple[Mailbox, int]) -> None:
    aiosmtplib = pytest.importorskip("aiosmtplib")
    box, port = mailbox

    async def main() -> None:
        client = aiosmtplib.SMTP(
            hostname="localhost", port=port, start_tls=True, tls_context=sides.client(), timeout=20
        )
        async with client:
            await client.sendmail("from@a.test", ["to@b.test"], LETTER)

    asyncio.run(main())
    assert box.letters == [LETTER.encode()]


# -- FTP -----------------------------------------------------------------------------------------------


class FtpServer:
    """Just enough of RFC 4217: AUTH TLS, PBSZ, PROT P, PASV, STOR and RETR of one file."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.file = b""
        self.listener = socket.create_server((LOOPBACK, 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        control: Any = self.listener.accept()[0]
        control.settimeout(20)
        control.sendall(b"220 ready\r\n")
        data: Any = None
        rest = b""
        while True:
            while b"\r\n" not in rest:
                rest += control.recv(4096)
            line, _, rest = rest.partition(b"\r\n")
            verb = line.split()[0].upper().decode()
            if verb == "AUTH":
                control.sendall(b"234 go on\r\n")
                control = self.context.wrap_socket(control, server_side=True)
            elif verb == "PASV":
                data = socket.create_server((LOOPBACK, 0))
                high, low = divmod(data.getsockname()[1], 256)
                control.sendall(f"227 here (127,0,0,1,{high},{low})\r\n".encode())
            elif verb in ("STOR", "RETR"):
                control.sendall(b"150 now\r\n")
                with data, self.context.wrap_socket(data.accept()[0], server_side=True) as channel:
                    if verb == "STOR":
                        while piece := channel.recv(16_384):
                            self.file += piece
                    else:
                        channel.sendall(self.file)
                    channel.unwrap().close()
                control.sendall(b"226 done\r\n")
            elif verb == "QUIT":
                control.sendall(b"221 bye\r\n")
                control.close()
                self.listener.close()
                return
            else:
                control.sendall(b"331 password\r\n" if verb == "USER" else b"200 fine\r\n")


def test_ftplib(sides: Sides) -> None:
    server = FtpServer(sides.server())
    with ftplib.FTP_TLS(context=sides.client(), timeout=20) as client:
        client.connect("localhost", server.port)
        client.auth()
        client.sendcmd("USER somebody")
        client.sendcmd("PASS secret")
        client.prot_p()
        assert isinstance(client.sock, ssl.SSLSocket)
        client.storbinary("STOR file", io.BytesIO(BODY))
        pieces: list[bytes] = []
        client.retrbinary("RETR file", pieces.append)
        assert b"".join(pieces) == BODY == server.file
    server.thread.join(20)
