"""The rules of input and output that decide whether a library hangs: each has its test here."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from compat.world import Bios, Contexts

RECORD = 5 + 16 + 1  # header, tag, content type


@contextlib.contextmanager
def sockets(contexts: Contexts, **settings: Any) -> Iterator[tuple[Any, Any]]:
    """A client and a server that have shaken hands over a real socket pair."""
    left, right = socket.socketpair()
    for each in (left, right):
        each.settimeout(60)
    server: list[Any] = []

    def serve() -> None:
        server.append(contexts.server().wrap_socket(right, server_side=True))

    thread = threading.Thread(target=serve)
    thread.start()
    client = contexts.client(**settings).wrap_socket(left, server_hostname="localhost")
    thread.join(60)
    with client, server[0]:
        yield client, server[0]


@pytest.fixture
def pair(contexts: Contexts) -> Iterator[tuple[Any, Any]]:
    with sockets(contexts) as found:
        yield found


# -- one record at a time ----------------------------------------------------------------------------


def test_a_read_takes_one_record_from_the_bio_and_leaves_the_next(bios: Any) -> None:
    pair: Bios = bios().shake()
    pair.settle()
    pair.server.write(b"first")
    pair.server.write(b"second!")
    assert pair.client.read(100) == b"first"
    assert pair.to_client.pending == RECORD + len(b"second!")
    assert pair.client.pending() == 0
    assert pair.client.read(3) == b"sec"
    assert pair.client.pending() == len(b"ond!")
    assert pair.to_client.pending == 0


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 20])
def test_a_record_that_comes_in_pieces(bios: Any, cut: int) -> None:
    pair: Bios = bios().shake()
    pair.settle()
    pair.server.write(b"whole")
    wire = pair.to_client.read()
    pair.to_client.write(wire[:cut])
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.read(100)
    pair.to_client.write(wire[cut:] + b"\x17")
    assert pair.client.read(100) == b"whole"
    assert pair.to_client.pending == 1


def test_a_read_takes_one_record_from_the_socket(pair: tuple[Any, Any]) -> None:
    client, server = pair
    client.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):
        client.recv(1)  # the tickets
    server.sendall(b"first")
    server.sendall(b"second")
    client.settimeout(60)
    assert client.recv(100) == b"first"
    waiting = socket.socket.recv(client, 1000, socket.MSG_PEEK)
    assert len(waiting) == RECORD + len(b"second")


def test_what_stands_behind_close_notify_is_left_in_the_bio(bios: Any) -> None:
    pair: Bios = bios().shake()
    pair.settle()
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.unwrap()
    pair.to_client.write(b"220 plain again\r\n")
    assert pair.client.read(100) == b""
    assert pair.client.unwrap() is None
    assert pair.to_client.read() == b"220 plain again\r\n"


def test_what_stands_behind_close_notify_is_left_in_the_socket(pair: tuple[Any, Any]) -> None:
    client, server = pair
    client.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):
        client.recv(1)  # the tickets
    client.settimeout(60)
    server.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):
        server.unwrap()  # close_notify is out, the client's is awaited
    server.settimeout(60)
    socket.socket.sendall(server, b"220 plain again\r\n")
    assert client.recv(100) == b""
    plain = client.unwrap()
    assert plain.recv(100) == b"220 plain again\r\n"
    plain.sendall(b"221 too\r\n")
    plain_server = server.unwrap()
    assert plain_server.recv(100) == b"221 too\r\n"


def test_pending_is_what_is_left_of_the_record(pair: tuple[Any, Any]) -> None:
    client, server = pair
    server.sendall(bytes(1000))
    server.sendall(bytes(500))
    assert client.pending() == 0  # it does not look into the network
    assert len(client.recv(400)) == 400
    assert client.pending() == 600
    assert len(client.recv(5000)) == 600  # and not of the next
    assert client.pending() == 0
    assert len(client.recv(5000)) == 500


# -- writing -----------------------------------------------------------------------------------------


def test_a_write_that_the_network_takes_in_part_is_finished_by_the_retry(pair: tuple[Any, Any]) -> None:
    client, server = pair
    data = random.Random(7).randbytes(2_000_000)  # no two chunks alike
    client.settimeout(0)
    with pytest.raises(ssl.SSLWantWriteError):
        client.send(data)
    received = bytearray()

    def drain() -> None:
        while len(received) < len(data):
            received.extend(server.recv(65_536))

    thread = threading.Thread(target=drain)
    thread.start()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            assert client.send(data) == len(data)
            break
        except ssl.SSLWantWriteError:
            time.sleep(0.002)
    thread.join(60)
    assert bytes(received) == data  # once, and in order


def fill(client: Any, piece: bytes) -> int:
    """Send `piece` until the network takes no more; how often. The last one is sealed, and not sent whole."""
    client.settimeout(0)
    count = 0
    with pytest.raises(ssl.SSLWantWriteError):
        while True:
            count += 1
            client.send(piece)
    return count


def drain(server: Any) -> bytes:
    """All that there is for now."""
    server.settimeout(0)
    received = bytearray()
    with contextlib.suppress(ssl.SSLWantReadError):
        while True:
            received.extend(server.recv(65_536))
    return bytes(received)


def test_a_retry_with_more_behind_it_sends_each_byte_once(pair: tuple[Any, Any]) -> None:
    # What tornado does: what was written in the meantime stands behind what is tried again.
    client, server = pair
    count = fill(client, b"a" * 1_000)
    received = drain(server)
    assert client.send(b"a" * 1_000 + b"b" * 500) == 1_500
    received += drain(server)
    assert received == b"a" * 1_000 * count + b"b" * 500


def test_a_retry_whose_rest_the_reading_side_has_sent_sends_nothing_again(pair: tuple[Any, Any]) -> None:
    client, server = pair
    count = fill(client, b"a" * 1_000)
    received = drain(server)
    server._sslobj._connection.update_keys(request=True)
    server.sendall(b"!")
    assert client.recv(100) == b"!"  # and the answer to the key update goes out, behind what waited
    received += drain(server)
    assert len(received) == count * 1_000
    assert client.send(b"a" * 1_000) == 1_000  # the retry
    assert drain(server) == b""
    client.send(b"b")
    assert drain(server) == b"b"


def test_a_retry_with_less_is_refused(pair: tuple[Any, Any]) -> None:
    client, server = pair
    fill(client, bytes(1_000))
    drain(server)
    with pytest.raises(ssl.SSLError) as caught:
        client.send(bytes(999))
    assert caught.value.reason == "BAD_LENGTH"  # as by OpenSSL


def test_who_was_told_to_wait_may_resize_the_buffer(bios: Any, pair: tuple[Any, Any]) -> None:
    client, _ = pair
    client.settimeout(0)
    into, data = bytearray(8), bytearray(8_000_000)
    with pytest.raises(ssl.SSLWantReadError) as reading:
        client.recv_into(into)
    with pytest.raises(ssl.SSLWantWriteError) as writing:
        client.send(data)
    into.append(0)
    data.append(0)
    assert reading.value.__traceback__ is not None
    assert writing.value.__traceback__ is not None  # it holds the frames, and they nothing of ours


def test_a_reader_does_not_wait_for_a_blocked_writer(pair: tuple[Any, Any]) -> None:
    client, server = pair
    writing = threading.Thread(target=lambda: client.sendall(bytes(8_000_000)))
    writing.start()
    time.sleep(0.2)  # the kernel is full; the writer holds its lock
    assert writing.is_alive()
    # The server asks for new keys: the reader has an answer to send, and must not wait to send it.
    server._sslobj._connection.update_keys(request=True)
    server.sendall(b"while you write")
    assert client.recv(100) == b"while you write"
    assert writing.is_alive()
    received = 0
    while received < 8_000_000:
        received += len(server.recv(65_536))
    writing.join(60)
    assert not writing.is_alive()
    client.sendall(b"under new keys")
    assert server.recv(100) == b"under new keys"


def test_a_bio_never_wants_to_write(bios: Any) -> None:
    pair: Bios = bios().shake()
    assert pair.client.write(bytes(1_000_000)) == 1_000_000
    assert pair.client.write(b"") == 0
    received = 0
    while received < 1_000_000:
        received += len(pair.server.read(65_536))
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.read(1)


def test_a_read_that_shakes_hands_first_sends_the_rest_of_its_flight(contexts: Contexts) -> None:
    left, right = socket.socketpair()
    right.settimeout(60)
    with left, right, ThreadPoolExecutor(1) as pool:
        left.setblocking(False)
        client = contexts.client().wrap_socket(
            left, server_hostname="localhost", do_handshake_on_connect=False
        )
        answering = pool.submit(contexts.server().wrap_socket, right, server_side=True)
        kept = client._sslobj._send

        def jammed(sock: Any, data: Any) -> Any:
            if client._sslobj._connection.handshake_complete:
                raise BlockingIOError
            return kept(sock, data)

        client._sslobj._send = jammed
        with pytest.raises(ssl.SSLWantWriteError):
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    client.recv(1)
        client._sslobj._send = kept
        with pytest.raises(ssl.SSLWantReadError):
            client.recv(1)
        with client, answering.result(60) as server:
            assert server.version() == client.version()


# -- files -------------------------------------------------------------------------------------------


def test_a_file_is_sent_by_socket_sendfile(pair: tuple[Any, Any], tmp_path: Path) -> None:
    client, server = pair
    data = random.Random(11).randbytes(1_500_000)
    (tmp_path / "file").write_bytes(data)
    received = bytearray()

    def drain() -> None:
        while piece := server.recv(65_536):
            received.extend(piece)
        server.unwrap()

    thread = threading.Thread(target=drain)
    thread.start()
    with (tmp_path / "file").open("rb") as file:
        assert client.sendfile(file, offset=1000, count=1_200_000) == 1_200_000
        assert file.tell() == 1_201_000
        assert client.sendfile(file, offset=1_499_990) == 10
    client.unwrap()
    thread.join(60)
    assert bytes(received) == data[1000:1_201_000] + data[-10:]


def test_a_file_is_sent_by_the_loops_sendfile(contexts: Contexts, tmp_path: Path) -> None:
    data = random.Random(12).randbytes(1_500_000)
    (tmp_path / "file").write_bytes(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with (tmp_path / "file").open("rb") as file:
            assert await loop.sendfile(writer.transport, file, 1000, 1_200_000) == 1_200_000
            with pytest.raises(RuntimeError):
                await loop.sendfile(writer.transport, file, fallback=False)  # there is no other way in TLS
        writer.write(b"and more")
        await writer.drain()
        writer.close()

    async def main() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=contexts.server())
        async with server:
            port = server.sockets[0].getsockname()[1]
            settings = {"ssl": contexts.client(), "server_hostname": "localhost"}
            reader, writer = await asyncio.open_connection("127.0.0.1", port, **settings)
            found = await reader.read()
            writer.close()
            return found

    assert asyncio.run(main()) == data[1000:1_201_000] + b"and more"


# -- timeouts ----------------------------------------------------------------------------------------


def test_a_timeout_is_the_operations_not_that_of_each_system_call(contexts: Contexts) -> None:
    left, right = socket.socketpair()
    with left, right:
        client = contexts.client().wrap_socket(
            left, server_hostname="localhost", do_handshake_on_connect=False
        )
        client.settimeout(0.4)
        stop = threading.Event()

        def drip() -> None:
            for byte in b"\x16\x03\x03\x40\x00" + bytes(100):
                if stop.wait(0.15):
                    return
                right.send(bytes([byte]))

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            client.do_handshake()
        stop.set()
        thread.join()
        assert time.monotonic() - began < 12  # it would be 15
        client.close()


@pytest.mark.parametrize("cut", [3, 5, 20])
def test_a_timeout_in_the_middle_of_a_record_loses_nothing(contexts: Contexts, cut: int) -> None:
    with sockets(contexts) as (client, server):
        client.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            client.recv(1)  # the tickets
        wire, kept = bytearray(), socket.socket.send

        def keep(data: Any) -> int:
            wire.extend(data)
            return len(data)

        server._sslobj._transmit = keep
        server.sendall(b"whole")
        kept(server, wire[:cut])
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(100)
        kept(server, wire[cut:])
        client.settimeout(60)
        assert client.recv(100) == b"whole"


def test_a_socket_that_must_not_block_wants_to_read(contexts: Contexts) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        client = contexts.client().wrap_socket(
            left, server_hostname="localhost", do_handshake_on_connect=False
        )
        with pytest.raises(ssl.SSLWantReadError) as wanted:
            client.do_handshake()
        assert wanted.value.args[0] == wanted.value.errno == ssl.SSL_ERROR_WANT_READ
        assert right.recv(5)[0] == 22  # the ClientHello is out
        client.close()


# -- alerts first --------------------------------------------------------------------------------------


def test_the_alert_is_in_the_bio_before_the_error_is_raised(bios: Any, contexts: Contexts) -> None:
    pair: Bios = bios(server=contexts.server(certificate="other.test"))
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError):
        pair.client.do_handshake()
    with pytest.raises(ssl.SSLError) as refused:
        pair.server.do_handshake()
    assert refused.value.reason == "SSLV3_ALERT_BAD_CERTIFICATE"


def test_the_alert_is_on_the_wire_before_the_error_is_raised(contexts: Contexts) -> None:
    left, right = socket.socketpair()
    right.settimeout(60)
    with left, right:
        raised: list[Any] = []

        def serve() -> None:
            try:
                contexts.server().wrap_socket(right, server_side=True)
            except ssl.SSLError as error:
                raised.append(error.reason)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ssl.SSLCertVerificationError):
            contexts.client().wrap_socket(left, server_hostname="other.test")
        thread.join(60)
        assert raised == ["SSLV3_ALERT_BAD_CERTIFICATE"]


# -- settings --------------------------------------------------------------------------------------------


def test_a_connection_has_the_settings_of_the_moment_it_was_made(bios: Any, contexts: Contexts) -> None:
    client, server = contexts.client(), contexts.server()
    client.set_alpn_protocols(["http/1.1"])
    server.set_alpn_protocols(["h2", "http/1.1"])
    pair: Bios = bios(client, server)
    client.set_alpn_protocols(["h2"])  # as httpcore does, for the next connection
    pair.shake()
    assert pair.client.selected_alpn_protocol() == pair.server.selected_alpn_protocol() == "http/1.1"
    assert bios(client, server).shake().client.selected_alpn_protocol() == "h2"


def test_a_server_name_callback_sees_the_owner_and_may_change_the_context(
    bios: Any, contexts: Contexts
) -> None:
    seen: list[Any] = []
    server, other = contexts.server(certificate="other.test"), contexts.server()

    def choose(owner: Any, name: str | None, context: Any) -> None:
        seen.append((owner, name, context))
        owner.remembered = name  # cheroot hangs attributes on it
        owner.context = other

    server.sni_callback = choose
    pair: Bios = bios(server=server).shake()
    assert seen == [(pair.server, "localhost", server)]
    assert pair.server.remembered == "localhost"
    assert pair.server.context is other
    assert pair.client.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)


def test_a_server_name_callback_may_answer_with_an_alert(bios: Any, contexts: Contexts) -> None:
    server = contexts.server(
        sni_callback=lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME,
    )
    pair: Bios = bios(server=server)
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.do_handshake()
    with pytest.raises(ssl.SSLError):
        pair.server.do_handshake()
    with pytest.raises(ssl.SSLError) as refused:
        pair.client.do_handshake()
    assert refused.value.reason == "TLSV1_UNRECOGNIZED_NAME"
