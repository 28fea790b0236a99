"""WebSockets, mail, FTP, DNS: websockets, websocket-client, aiosmtplib, aioftp, dnspython, and the stdlib."""

from __future__ import annotations

import asyncio
import contextlib
import ftplib
import io
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecosystem.conftest import Sides
from ecosystem.servers import BODY, LOOPBACK, on_asyncio, on_streams

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]


# -- WebSockets ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def websocket_server(context: Any) -> Iterator[int]:
    """A server in a thread that echoes; its port."""
    serve = pytest.importorskip("websockets.sync.server").serve

    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, LOOPBACK, 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join(20)


def test_websockets_in_threads(sides: Sides) -> None:
    connect = pytest.importorskip("websockets.sync.client").connect
    with (
        websocket_server(sides.server()) as port,
        connect(f"wss://localhost:{port}/", ssl=sides.client()) as client,
    ):
        for size in (1, 1000, 200_000):
            client.send(BODY[:size])
            assert client.recv(timeout=20) == BODY[:size]


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


def test_websocket_client(sides: Sides) -> None:
    connect = pytest.importorskip("websocket").create_connection
    with websocket_server(sides.server()) as port:
        client = connect(f"wss://localhost:{port}/", sslopt={"context": sides.client()}, timeout=20)
        for size in (1, 1000, 200_000):
            client.send_binary(BODY[:size])
            assert client.recv() == BODY[:size]
        client.close()


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


def test_aioftp(sides: Sides, tmp_path: Path) -> None:
    aioftp = pytest.importorskip("aioftp")
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "file").write_bytes(BODY)
    (tmp_path / "server").mkdir()

    async def main() -> None:
        users = [aioftp.User(base_path=tmp_path / "server")]
        server = aioftp.Server(users, ssl=sides.server(), socket_timeout=20)
        await server.start(LOOPBACK, 0)
        port = server.server.sockets[0].getsockname()[1]
        async with aioftp.Client.context("localhost", port, ssl=sides.client(), socket_timeout=20) as client:
            await client.upload(tmp_path / "client" / "file")
            await client.download("file", tmp_path / "client" / "back")
        await server.close()

    asyncio.run(main())
    assert (tmp_path / "server" / "file").read_bytes() == BODY
    assert (tmp_path / "client" / "back" / "file").read_bytes() == BODY


# -- DNS over TLS --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["sync", "asyncio", "trio"])
def test_dnspython(how: str, sides: Sides) -> None:
    message: Any = pytest.importorskip("dns.message")
    rrset: Any = pytest.importorskip("dns.rrset")
    query: Any = pytest.importorskip("dns.query" if how == "sync" else "dns.asyncquery")
    text = ["words of a name server" * 10] * 60

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2))
        found = message.make_response(message.from_wire(await reader.readexactly(size)))
        name = found.question[0].name
        found.answer.append(
            rrset.from_text(name, 60, "IN", "TXT", *(f'"{n} {t}"' for n, t in enumerate(text)))
        )
        wire = found.to_wire()
        writer.write(len(wire).to_bytes(2) + wire)
        await writer.drain()
        await reader.read()

    with on_streams(answer, ssl=sides.server()) as port:
        asked = message.make_query("example.test", "TXT")
        settings: dict[str, Any] = {
            "timeout": 20,
            "port": port,
            "ssl_context": sides.client(),
            "server_hostname": "localhost",
        }
        if how == "sync":
            told = query.tls(asked, LOOPBACK, **settings)
        elif how == "asyncio":
            told = asyncio.run(query.tls(asked, LOOPBACK, **settings))
        else:
            trio = pytest.importorskip("trio")
            settings["backend"] = pytest.importorskip("dns.asyncbackend").get_backend("trio")
            told = trio.run(lambda: query.tls(asked, LOOPBACK, **settings))
    assert len(told.answer[0]) == len(text)
