"""Blocking and non-blocking sockets: real ones, with real threads."""

from __future__ import annotations

import io
import selectors
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from pellucid import (
    Authority,
    CertificateRefused,
    ClientConfig,
    ConnectionEnded,
    PeerRefused,
    Reason,
    ServerConfig,
    TLSError,
    TLSSocket,
    Trust,
    UsageError,
    connect,
    serve,
    wrap_client,
    wrap_server,
)
from pellucid.events import KeysUpdated, Request, SelectIdentity, VerifyPeer
from pellucid.wire.codepoints import Alert

Spawn = Callable[..., "Future[Any]"]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def server_config(authority: Authority) -> ServerConfig:
    return ServerConfig(identities=(authority.issue("localhost"),))


@pytest.fixture(scope="module")
def client_config(authority: Authority) -> ClientConfig:
    return ClientConfig(trust=authority.trust())


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Run a function in a thread; its result is awaited at the end, so nothing fails unseen."""
    with ThreadPoolExecutor(8) as pool:
        yield pool.submit


@pytest.fixture
def pair(
    spawn: Spawn, client_config: ClientConfig, server_config: ServerConfig
) -> Iterator[tuple[TLSSocket, TLSSocket]]:
    """A client and a server over TCP on loopback, connected."""
    left, right = tcp_pair()
    server = spawn(wrap_server, right, server_config)
    client = wrap_client(left, "localhost", client_config)
    both = client, server.result(60)
    yield both
    for one in both:
        one.close()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        right, _ = listener.accept()
    for one in (left, right):
        one.settimeout(60)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return left, right


def read(tls: TLSSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = tls.recv(size - len(data))
        if not more:
            break
        data += more
    return data


# -- both directions at once -------------------------------------------------------------------------


def test_two_threads_a_side_move_megabytes_both_ways(pair: tuple[TLSSocket, TLSSocket], spawn: Spawn) -> None:
    size = 6_000_000
    tasks = []
    for tls in pair:
        tasks.append(spawn(tls.sendall, b"x" * size))
        tasks.append(spawn(read, tls, size))
    assert [len(task.result(60) or b"") for task in tasks] == [0, size, 0, size]


def test_a_reader_never_waits_for_a_blocked_writer(pair: tuple[TLSSocket, TLSSocket], spawn: Spawn) -> None:
    """The answer to a KeyUpdate must wait, not the reader (a dead-lock otherwise)."""
    client, server = pair
    size = 20_000_000
    writer = spawn(client.sendall, bytes(size))  # the server reads nothing: this blocks
    time.sleep(0.2)
    assert not writer.done()
    server.update_keys(request=True)
    server.sendall(b"still here")
    assert client.recv() == b"still here"
    assert not writer.done()
    assert len(read(server, size)) == size
    writer.result(60)
    assert any(isinstance(event, KeysUpdated) for event in server.events), "the writer took the answer along"


def test_a_lone_reader_answers_by_itself(pair: tuple[TLSSocket, TLSSocket]) -> None:
    client, server = pair
    server.update_keys(request=True)
    server.sendall(b"new keys")
    assert client.recv() == b"new keys"
    server.settimeout(0.2)
    while not any(isinstance(event, KeysUpdated) for event in server.events):
        with pytest.raises(TimeoutError):
            server.recv()  # only the KeyUpdate comes
    server.settimeout(60)
    client.sendall(b"mine are new too")
    assert server.recv() == b"mine are new too"


def test_key_updates_in_a_storm(pair: tuple[TLSSocket, TLSSocket], spawn: Spawn) -> None:
    """Both sides write, read and change keys at once: no record is lost, doubled or out of order."""
    blocks = [b"%06d" % number * 500 for number in range(600)]

    def write(tls: TLSSocket) -> None:
        for number, block in enumerate(blocks):
            if number % 20 == 0:
                tls.update_keys(request=True)
            tls.sendall(block)

    tasks = [spawn(write, tls) for tls in pair]
    wanted = b"".join(blocks)
    readers = [spawn(read, tls, len(wanted)) for tls in pair]
    for task in tasks:
        task.result(60)
    for reader in readers:
        assert reader.result(60) == wanted


# -- timeouts, non-blocking --------------------------------------------------------------------------


def test_a_timeout_leaves_the_connection_whole(pair: tuple[TLSSocket, TLSSocket]) -> None:
    client, server = pair
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.recv()
    server.sendall(b"late")
    client.settimeout(60)
    assert client.recv() == b"late"


def test_a_send_that_timed_out_is_repeated(pair: tuple[TLSSocket, TLSSocket], spawn: Spawn) -> None:
    client, server = pair
    client.settimeout(0.05)
    piece = bytes(range(256)) * 256
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 50_000_000:
            sent += client.send(piece)
    assert client.waiting_to_send
    reader = spawn(read, server, sent + len(piece))
    client.settimeout(60)
    assert client.send(piece) == len(piece)
    assert reader.result(60) == piece * (sent // len(piece) + 1)


def test_a_handshake_times_out(client_config: ClientConfig) -> None:
    left, right = tcp_pair()
    left.settimeout(0.1)
    with right, left, pytest.raises(TimeoutError):
        wrap_client(left, "localhost", client_config)


def test_non_blocking(client_config: ClientConfig, server_config: ServerConfig) -> None:
    """One thread, two non-blocking sockets and a selector: handshake, then 2 MB there and back."""
    left, right = tcp_pair()
    left.setblocking(False)
    right.setblocking(False)
    client = wrap_client(left, "localhost", client_config, handshake=False)
    server = wrap_server(right, server_config, handshake=False)
    data = bytes(range(256)) * 8192
    back = bytearray()

    def talk(tls: TLSSocket) -> Generator[None, None, None]:
        def wait(call: Callable[..., Any], *arguments: Any) -> Generator[None, None, Any]:
            while True:
                try:
                    return call(*arguments)
                except BlockingIOError:
                    yield

        yield from wait(tls.do_handshake)
        if tls is client:
            sent = 0
            while sent < len(data):
                sent += yield from wait(tls.send, data[sent:])
            while len(back) < len(data):
                back.extend((yield from wait(tls.recv)))
        else:
            found = b""
            while len(found) < len(data):
                found += yield from wait(tls.recv)
            while found:
                found = found[(yield from wait(tls.send, found)) :]

    with selectors.DefaultSelector() as selector:
        talks = {tls: talk(tls) for tls in (client, server)}
        for tls in talks:
            selector.register(tls, selectors.EVENT_READ)
        deadline = time.monotonic() + 60
        ready: list[TLSSocket] = [client, server]
        while talks:
            assert time.monotonic() < deadline
            for tls in ready:
                if tls in talks:
                    try:
                        next(talks[tls])
                        selector.modify(
                            tls, selectors.EVENT_WRITE if tls.waiting_to_send else selectors.EVENT_READ
                        )
                    except StopIteration:
                        del talks[tls]
                        selector.unregister(tls)
            ready = [key.fileobj for key, _ in selector.select(1)] if talks else []  # type: ignore[misc]
    assert back == data
    client.close()
    server.close()


def test_pending_counts_what_was_read_ahead(pair: tuple[TLSSocket, TLSSocket]) -> None:
    client, server = pair
    client.sendall(b"0123456789")
    assert server.pending() == 0
    assert server.recv(4) == b"0123"
    assert server.pending() == 6
    assert server.recv_into(bytearray(6)) == 6
    assert server.pending() == 0


# -- beginnings and ends -----------------------------------------------------------------------------


def test_starttls(spawn: Spawn, client_config: ClientConfig, server_config: ServerConfig) -> None:
    left, right = tcp_pair()

    def answer() -> bytes:
        assert right.recv(100) == b"STARTTLS\r\n"
        right.sendall(b"220 go\r\n")
        with wrap_server(right, server_config) as tls:
            return tls.recv()

    server = spawn(answer)
    left.sendall(b"STARTTLS\r\n")
    assert left.recv(100) == b"220 go\r\n"
    with wrap_client(left, "localhost", client_config) as tls:
        tls.sendall(b"in secret")
        assert server.result(60) == b"in secret"


def test_what_was_read_before_tls_is_handed_over(
    spawn: Spawn, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    left, right = tcp_pair()
    client = spawn(wrap_client, left, "localhost", client_config)
    peeked = right.recv(7)
    with wrap_server(right, server_config, received=peeked) as tls, client.result(60) as other:
        tls.sendall(b"ok")
        assert other.recv() == b"ok"


def test_unwrap_gives_back_the_socket_and_what_came_behind(
    pair: tuple[TLSSocket, TLSSocket], spawn: Spawn
) -> None:
    client, server = pair

    def leave() -> bytes:
        plain, rest = server.unwrap()
        plain.sendall(b"plain answer")
        while len(rest) < 12:
            rest += plain.recv(100)
        return bytes(rest)

    task = spawn(leave)
    client.shutdown_write()
    client._sock.sendall(b"plain again!")  # right behind close_notify
    while client.recv():
        pass
    assert task.result(60) == b"plain again!"
    rest = client.connection.unread_data()
    assert rest or client._sock.recv(100) == b"plain answer"


def test_half_close(pair: tuple[TLSSocket, TLSSocket]) -> None:
    client, server = pair
    client.shutdown_write()
    assert server.recv() == b""
    assert server.recv() == b"", "the end stays the end"
    server.sendall(b"one more thing")
    assert client.recv() == b"one more thing"
    with pytest.raises(UsageError):
        client.sendall(b"no")


def test_no_reset_overtakes_the_last_words(
    spawn: Spawn, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    """A server that closes with unread data in its kernel still delivers its answer and close_notify."""
    for _ in range(20):
        left, right = tcp_pair()

        def answer(right: socket.socket = right) -> None:
            tls = wrap_server(right, server_config)
            assert tls.recv(1)
            tls.sendall(b"y" * 50_000)
            time.sleep(0.01)  # more of the client's data arrives, and is never read
            tls.close()

        task = spawn(answer)
        tls = wrap_client(left, "localhost", client_config)
        tls.sendall(b"question")
        tls.sendall(b"more that nobody reads")
        task.result(60)
        assert b"".join(tls) == b"y" * 50_000
        tls.close()


def test_a_client_that_never_reads_its_tickets_still_delivers(
    spawn: Spawn, client_config: ClientConfig, server_config: ServerConfig
) -> None:
    for _ in range(20):
        left, right = tcp_pair()
        server = spawn(wrap_server, right, server_config)
        tls = wrap_client(left, "localhost", client_config)
        other = server.result(60)  # the tickets are in the client's kernel now
        tls.sendall(b"z" * 100_000)
        tls.close()
        assert b"".join(other) == b"z" * 100_000
        other.close()


def test_errors_come_again(pair: tuple[TLSSocket, TLSSocket]) -> None:
    client, server = pair
    server.sendall(b"before")
    server._sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert client.recv() == b"before", "what came before the fault is delivered"
    for _ in range(2):
        with pytest.raises(TLSError) as refused:
            client.recv()
        assert refused.value.reason is Reason.BAD_RECORD_MAC
    with pytest.raises(TLSError):
        client.sendall(b"x")
    with pytest.raises(PeerRefused) as told:
        server.recv()
    assert told.value.alert == Alert.bad_record_mac


def test_eof_in_the_handshake(client_config: ClientConfig) -> None:
    left, right = tcp_pair()
    right.close()
    with pytest.raises((ConnectionEnded, ConnectionResetError)):
        wrap_client(left, "localhost", client_config)
    left.close()


def test_makefile_outlives_its_socket(pair: tuple[TLSSocket, TLSSocket]) -> None:
    client, server = pair
    server.sendall(b"one\ntwo\n")
    file = client.makefile("r", encoding="ascii", newline="\n")
    client.close()
    assert file.readline() == "one\n"
    assert file.readline() == "two\n"
    file.close()
    assert server.recv() == b""


def test_makefile_writes(pair: tuple[TLSSocket, TLSSocket]) -> None:
    client, server = pair
    with client.makefile("wb") as file:
        file.write(b"a" * 100_000)
    assert read(server, 100_000) == b"a" * 100_000


def test_sendfile(pair: tuple[TLSSocket, TLSSocket], spawn: Spawn) -> None:
    client, server = pair
    data = bytes(range(256)) * 1000
    reader = spawn(read, server, 200_000)
    assert client.sendfile(io.BytesIO(data), offset=1000, count=200_000) == 200_000
    assert reader.result(60) == data[1000:201_000]
    reader = spawn(read, server, 5)
    assert client.sendfile(io.BytesIO(b"short")) == 5
    assert reader.result(60) == b"short"


@pytest.mark.parametrize("kind", [bytearray, memoryview, bytes])
def test_kinds_of_buffers(pair: tuple[TLSSocket, TLSSocket], kind: Any) -> None:
    client, server = pair
    client.sendall(kind(b"some bytes"))
    assert client.send(kind(b"")) == 0
    assert server.recv() == b"some bytes"


def test_a_buffer_may_be_reused_at_once(pair: tuple[TLSSocket, TLSSocket]) -> None:
    client, server = pair
    buffer = bytearray(b"first")
    client.sendall(buffer)
    buffer[:] = b"other"
    assert server.recv() == b"first"


# -- requests ----------------------------------------------------------------------------------------


def test_an_answer_may_refuse_with_its_own_reason(
    server_config: ServerConfig, client_config: ClientConfig
) -> None:
    errors: list[BaseException] = []
    done = threading.Event()
    stranger = Trust.of([Authority.create(name="another").certificate])

    def judge(request: Request) -> Any:
        assert isinstance(request, VerifyPeer)
        return stranger.verify_server(request.chain, "localhost", time.time())

    def failed(error: BaseException) -> None:
        errors.append(error)
        done.set()

    config = client_config.replace(ask=frozenset({VerifyPeer}))
    with serve(lambda tls: None, server_config, on_error=failed) as server:
        with pytest.raises(CertificateRefused) as refused:
            connect("localhost", server.port, config=config, timeout=60, answer=judge)
        assert done.wait(60)
    assert refused.value.reason is Reason.UNKNOWN_CA
    assert isinstance(errors[0], PeerRefused)
    assert errors[0].alert == Alert.unknown_ca


def test_an_answer_that_fails_is_told_and_raised(authority: Authority, client_config: ClientConfig) -> None:
    errors: list[BaseException] = []
    done = threading.Event()

    def answer(request: Request) -> Any:
        raise KeyError("no such tenant")

    def failed(error: BaseException) -> None:
        errors.append(error)
        done.set()

    config = ServerConfig(ask=frozenset({SelectIdentity}))
    with serve(lambda tls: None, config, answer=answer, on_error=failed) as server:
        with pytest.raises(PeerRefused) as told:
            connect("localhost", server.port, config=client_config, timeout=60)
        assert done.wait(60)
    assert told.value.alert == Alert.internal_error
    assert isinstance(errors[0], TLSError)
    assert errors[0].reason is Reason.APPLICATION_FAILED
    assert isinstance(errors[0].__cause__, KeyError)


def test_nobody_answers(client_config: ClientConfig) -> None:
    config = ServerConfig(ask=frozenset({SelectIdentity}))
    with serve(lambda tls: None, config) as server, pytest.raises(PeerRefused) as told:
        connect("localhost", server.port, config=client_config, timeout=60)
    assert told.value.alert == Alert.internal_error


def test_a_server_swaps_its_configuration(authority: Authority, client_config: ClientConfig) -> None:
    first, second = authority.issue("localhost"), authority.issue("localhost")
    with serve(lambda tls: tls.sendall(b"."), ServerConfig(identities=(first,))) as server:
        with connect("localhost", server.port, config=client_config, timeout=60) as tls:
            assert tls.info.peer_chain[0] == first.leaf
        server.config = ServerConfig(identities=(second,))
        with connect("localhost", server.port, config=client_config, timeout=60) as tls:
            assert tls.info.peer_chain[0] == second.leaf
