"""The record layer at its limits and past them: sizes, padding, floods, key limits, the two halves."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from pellucid import (
    ClientConnection,
    ConnectionEnded,
    Policy,
    Reason,
    ServerConnection,
    TLSError,
    UsageError,
)
from pellucid.events import DataReceived, KeysUpdated, PeerClosed, SessionReceived, WarningAlert
from pellucid.limits import (
    MAX_CHANGE_CIPHER_SPECS,
    MAX_EMPTY_RECORDS,
    MAX_HELLO_REQUESTS,
    MAX_KEY_UPDATES,
    MAX_PLAINTEXT,
    MAX_TICKETS_RECEIVED,
    MAX_WARNING_ALERTS,
)
from pellucid.wire.codepoints import Alert
from pellucid.wire.messages import KeyUpdate, NewSessionTicket
from support import TLS12, TLS13, House, Side, data_in, pump, refusal, write

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
BOTH = pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
UPDATE = KeyUpdate(0).to_handshake()
UPDATE_REQUESTED = KeyUpdate(1).to_handshake()


def update(side: Side, raw: bytes = UPDATE) -> bytes:
    """A KeyUpdate, after which `side` writes under its next keys."""
    side.update_keys(request=raw == UPDATE_REQUESTED)
    return side._write.take()


def alert_of(side: Side, peer: Side) -> int:
    """The alert that `side` sends, as its peer reads it."""
    with pytest.raises(TLSError) as heard:
        peer.receive_data(side.data_to_send())
    assert heard.value.reason is Reason.PEER_ALERT
    return int(heard.value.alert or 0)


# -- sizes -------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("size", [0, 1, MAX_PLAINTEXT, MAX_PLAINTEXT + 1, 5_000_000])
def test_data_of_every_size_arrives_unchanged(house: House, policy: object, size: int) -> None:
    client, server = house.pair(policy)  # type: ignore[arg-type]
    data = bytes(range(256)) * (size // 256 + 1)
    for one, other in ((client, server), (server, client)):
        one.send_data(data[:size])
        other.receive_data(one.data_to_send())
        assert data_in(list(other.events())) == data[:size]


@BOTH
@pytest.mark.rfc("rfc8446:5.1:17", "rfc8446:5.1:18", "rfc8446:5.4:7")
def test_plaintext_at_the_limit_and_one_past(house: House, policy: object) -> None:
    client, server = house.pair(policy)  # type: ignore[arg-type]
    server.receive_data(write(client, DATA, bytes(MAX_PLAINTEXT)))
    assert data_in(list(server.events())) == bytes(MAX_PLAINTEXT)
    assert refusal(server, write(client, DATA, bytes(MAX_PLAINTEXT + 1))).reason is Reason.RECORD_OVERFLOW
    assert alert_of(server, client) == Alert.record_overflow


@pytest.mark.rfc("rfc8446:5.4:2", "rfc8446:5.4:7")
def test_padding_hides_the_size_and_stays_within_the_limit(house: House) -> None:
    policy = TLS13.replace(padding=lambda size: -size % 4096)
    client, server = house.pair(policy)
    sizes = set()
    for text in (b"yes", b"certainly not"):
        client.send_data(text)
        record = client.data_to_send()
        sizes.add(len(record))
        server.receive_data(record)
        assert data_in(list(server.events())) == text
    assert sizes == {4096 + 1 + 16 + 5}
    greedy = house.pair(TLS13.replace(padding=lambda _: 10**9))
    greedy[0].send_data(b"x" * 20_000)
    greedy[1].receive_data(greedy[0].data_to_send())
    assert data_in(list(greedy[1].events())) == b"x" * 20_000


@pytest.mark.rfc("rfc8446:5.4:6")
def test_padding_only(house: House) -> None:
    for zeros in (0, 1, MAX_PLAINTEXT):
        client, server = house.pair()
        record = write(client, 0, bytes(zeros))
        assert refusal(server, record).reason is Reason.NO_CONTENT_TYPE
        assert alert_of(server, client) == Alert.unexpected_message


@pytest.mark.parametrize("kind", [HANDSHAKE, ALERT])
@BOTH
@pytest.mark.rfc("rfc8446:5.4:4", "rfc8446:5.1:9")
def test_an_empty_handshake_or_alert_record(house: House, policy: object, kind: int) -> None:
    client, server = house.pair(policy)  # type: ignore[arg-type]
    assert refusal(server, write(client, kind, b"")).reason is Reason.EMPTY_FRAGMENT
    assert alert_of(server, client) == Alert.unexpected_message


@BOTH
@pytest.mark.rfc("rfc8446:5:5")
def test_record_types_that_nobody_knows(house: House, policy: object) -> None:
    for kind in (1, 19, 24, 26, 255):
        client, server = house.pair(policy)  # type: ignore[arg-type]
        assert refusal(server, write(client, kind, b"x")).reason is Reason.UNEXPECTED_RECORD
        assert alert_of(server, client) == Alert.unexpected_message


@pytest.mark.rfc("rfc8446:5.1:12", "rfc8446:5.1:11")
@BOTH
def test_alerts_that_cannot_be_read(house: House, policy: object) -> None:
    for data in (b"\x01", b"\x01\x00\x01", b"\x01\x00\x01\x00"):
        client, server = house.pair(policy)  # type: ignore[arg-type]
        assert refusal(server, write(client, ALERT, data)).reason is Reason.BAD_ALERT
    client, server = house.pair(policy)  # type: ignore[arg-type]
    assert refusal(server, write(client, ALERT, b"\x03\x28")).reason is Reason.UNKNOWN_ALERT_LEVEL


@pytest.mark.rfc("rfc8446:5.1:3", "rfc8446:5.1:4")
@BOTH
def test_nothing_stands_inside_a_handshake_message(house: House, policy: object) -> None:
    for kind, data in ((DATA, b"x"), (ALERT, b"\x01\x00"), (ALERT, b"\x01\x5a")):
        client, server = house.pair(policy)  # type: ignore[arg-type]
        server.receive_data(write(client, HANDSHAKE, UPDATE[:3]))
        assert refusal(server, write(client, kind, data)).reason is Reason.INTERLEAVED_HANDSHAKE


# -- floods ------------------------------------------------------------------------------------------


@BOTH
def test_empty_records(house: House, policy: object) -> None:
    client, server = house.pair(policy)  # type: ignore[arg-type]
    for _ in range(2):
        for _ in range(MAX_EMPTY_RECORDS):
            server.receive_data(write(client, DATA, b""))
        server.receive_data(write(client, DATA, b"x"))  # begins the count anew
    for _ in range(MAX_EMPTY_RECORDS):
        server.receive_data(write(client, DATA, b""))
    assert refusal(server, write(client, DATA, b"")).reason is Reason.TOO_MANY_EMPTY_RECORDS
    assert alert_of(server, client) == Alert.unexpected_message


def test_warning_alerts(house: House) -> None:
    client, server = house.pair(TLS12)
    for _ in range(MAX_WARNING_ALERTS):
        server.receive_data(write(client, ALERT, bytes((1, Alert.user_canceled))))
    assert [type(event) for event in server.events()] == [WarningAlert] * MAX_WARNING_ALERTS
    last = write(client, ALERT, bytes((1, Alert.user_canceled)))
    assert refusal(server, last).reason is Reason.TOO_MANY_WARNING_ALERTS


@pytest.mark.rfc("rfc8446:6:4", "rfc8446:6:6")
@pytest.mark.parametrize("description", [Alert.handshake_failure, 255])
@pytest.mark.parametrize("level", [1, 2])
def test_every_other_alert_ends_tls13_whatever_its_level(house: House, level: int, description: int) -> None:
    client, server = house.pair()
    error = refusal(server, write(client, ALERT, bytes((level, description))))
    assert error.reason in (Reason.PEER_ALERT, Reason.BAD_ALERT)
    with pytest.raises(TLSError):
        server.send_data(b"more")


@pytest.mark.rfc("rfc8446:4.6.3:5", "rfc8446:4.6.3:3", "rfc8446:4.6.3:2")
def test_key_updates(house: House) -> None:
    """Thirty-two without data between them, and one answer to all that ask."""
    client, server = house.pair()
    for _ in range(MAX_KEY_UPDATES):
        server.receive_data(update(client, UPDATE_REQUESTED))
    assert len([event for event in server.events() if isinstance(event, KeysUpdated)]) == MAX_KEY_UPDATES
    server.send_data(b"after the answer")
    client.receive_data(server.data_to_send())
    seen = list(client.events())
    assert [type(event) for event in seen] == [KeysUpdated, DataReceived]
    assert refusal(server, update(client)).reason is Reason.TOO_MANY_KEY_UPDATES

    client, server = house.pair()
    for _ in range(3 * MAX_KEY_UPDATES):
        server.receive_data(update(client) + write(client, DATA, b"x"))


@pytest.mark.rfc("rfc8446:4.6.3:4")
def test_a_key_update_with_another_value(house: House) -> None:
    client, server = house.pair()
    assert (
        refusal(server, write(client, HANDSHAKE, KeyUpdate(2).to_handshake())).reason is Reason.BAD_KEY_UPDATE
    )
    assert alert_of(server, client) == Alert.illegal_parameter


@pytest.mark.rfc("rfc8446:5.1:6", "rfc8446:5.1:7")
def test_a_key_update_ends_its_record(house: House) -> None:
    client, server = house.pair()
    assert (
        refusal(server, write(client, HANDSHAKE, UPDATE + UPDATE[:1])).reason is Reason.EXCESS_HANDSHAKE_DATA
    )


@pytest.mark.rfc("rfc8446:4.6.3:7")
def test_new_keys_without_a_key_update(house: House) -> None:
    client, server = house.pair()
    update(client)
    assert refusal(server, write(client, DATA, b"x")).reason is Reason.BAD_RECORD_MAC


def test_data_that_waits_goes_out_behind_the_answer(house: House) -> None:
    client, server = house.pair()
    server.send_data(b"waits")
    server.receive_data(update(client, UPDATE_REQUESTED))
    client.receive_data(server.data_to_send())
    assert [type(event) for event in client.events()] == [KeysUpdated, DataReceived]


def test_tickets(house: House) -> None:
    client, server = house.pair()
    ticket = NewSessionTicket(60, 0, b"", b"t", {}).to_handshake()
    server.send_data(b"x")  # the two tickets of the handshake do not count
    pump(client, server)
    for _ in range(MAX_TICKETS_RECEIVED):
        client.receive_data(write(server, HANDSHAKE, ticket))
    found = [event for event in client.events() if isinstance(event, SessionReceived)]
    assert len(found) == MAX_TICKETS_RECEIVED
    assert refusal(client, write(server, HANDSHAKE, ticket)).reason is Reason.TOO_MANY_TICKETS


def test_hello_requests(house: House) -> None:
    client, server = house.pair(TLS12)
    for _ in range(MAX_HELLO_REQUESTS):
        client.receive_data(write(server, HANDSHAKE, bytes(4)))
    server.receive_data(client.data_to_send())
    told = [event.description for event in server.events() if isinstance(event, WarningAlert)]
    assert told == [Alert.no_renegotiation] * MAX_HELLO_REQUESTS
    assert refusal(client, write(server, HANDSHAKE, bytes(4))).reason is Reason.TOO_MANY_HELLO_REQUESTS


# -- ChangeCipherSpec ----------------------------------------------------------------------------------

DUMMY = b"\x14\x03\x03\x00\x01\x01"


def waiting_client(house: House) -> tuple[ClientConnection, ServerConnection, bytes, bytes]:
    """A client that has ServerHello, and what the server sent behind it."""
    client, server = ClientConnection(house.client(), "localhost"), ServerConnection(house.servers())
    server.receive_data(client.data_to_send())
    flight = server.data_to_send()
    size = 5 + int.from_bytes(flight[3:5], "big")
    return client, server, flight[:size], flight[size:]


@pytest.mark.rfc("rfc8446:5:1")
def test_dummies_are_dropped_during_the_handshake(house: House) -> None:
    """Before ServerHello, behind it, and while the server waits for Finished; up to the limit."""
    client, server, hello, rest = waiting_client(house)
    client.receive_data(DUMMY + hello + DUMMY + rest)
    assert client.handshake_complete
    server.receive_data(DUMMY * (MAX_CHANGE_CIPHER_SPECS - 1) + client.data_to_send())
    assert server.handshake_complete
    _, server, _, _ = waiting_client(house)
    many = DUMMY * (MAX_CHANGE_CIPHER_SPECS + 1)
    assert refusal(server, many).reason is Reason.TOO_MANY_CHANGE_CIPHER_SPECS


@pytest.mark.rfc("rfc8446:5:3")
def test_dummies_have_no_place_before_and_after_the_handshake(house: House) -> None:
    server = ServerConnection(house.servers())
    assert refusal(server, DUMMY).reason is Reason.UNEXPECTED_CHANGE_CIPHER_SPEC
    for policy in (TLS13, TLS12):
        client, server = house.pair(policy)
        dummy = DUMMY if policy is TLS13 else write(client, CCS, b"\x01")
        error = refusal(server, dummy)
        assert error.reason is Reason.UNEXPECTED_CHANGE_CIPHER_SPEC
        assert error.alert == Alert.unexpected_message


@pytest.mark.rfc("rfc8446:4.2.2:4")
def test_a_stateless_server_forgot_the_first_hello(house: House) -> None:
    """Between two ClientHellos stands a dummy; a server without memory begins with it."""
    config = house.servers(TLS13.replace(groups=(0x17,)), stateless_retry=True)
    client = ClientConnection(house.client(TLS13.replace(key_shares=(0x1D,))), "localhost")
    server = ServerConnection(config)
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    again = client.data_to_send()
    assert again.startswith(DUMMY)
    server = ServerConnection(config)
    server.receive_data(again)
    pump(client, server)
    assert client.info.retried
    assert server.info.retried
    assert client.export("x") == server.export("x")


@pytest.mark.rfc("rfc8446:5:2")
@pytest.mark.parametrize(
    "record", [b"\x14\x03\x03\x00\x01\x02", b"\x14\x03\x03\x00\x02\x01\x01", b"\x14\x03\x03\x00\x00"]
)
def test_dummies_with_other_content(house: House, record: bytes) -> None:
    client, server, hello, _ = waiting_client(house)
    client.receive_data(hello)
    for side in (client, server):
        error = refusal(side, record)
        assert error.reason is Reason.BAD_CHANGE_CIPHER_SPEC
        assert error.alert == Alert.unexpected_message


@pytest.mark.rfc("rfc8446:5:2")
def test_a_protected_dummy(house: House) -> None:
    client, server, hello, rest = waiting_client(house)
    client.receive_data(hello + rest)
    client.data_to_send()
    client, server, hello, rest = waiting_client(house)
    client.receive_data(hello)
    error = refusal(server, write(client, CCS, b"\x01"))
    assert error.alert == Alert.unexpected_message


def test_tls12_takes_no_dummies(house: House) -> None:
    """An early ChangeCipherSpec (CVE-2014-0224) is refused in each gap of a TLS 1.2 handshake."""
    client, server = (
        ClientConnection(house.client(TLS12), "localhost"),
        ServerConnection(house.servers(TLS12)),
    )
    server.receive_data(client.data_to_send())
    assert refusal(server, DUMMY).reason is Reason.UNEXPECTED_CHANGE_CIPHER_SPEC
    assert refusal(client, DUMMY).reason is Reason.UNEXPECTED_CHANGE_CIPHER_SPEC
    either = TLS13.replace(versions=(0x0304, 0x0303))
    client, server = (
        ClientConnection(house.client(either), "localhost"),
        ServerConnection(house.servers(TLS12)),
    )
    server.receive_data(client.data_to_send())
    error = refusal(client, DUMMY + server.data_to_send())
    assert error.reason is Reason.UNEXPECTED_CHANGE_CIPHER_SPEC


# -- the keys' limits ----------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:5.5:1", "rfc8446:5.3:2", "rfc8446:5.3:1")
@pytest.mark.parametrize("limit", [3, 1030, 1, 5])
def test_tls13_changes_its_keys_before_the_limit(house: House, limit: int) -> None:
    """Between records, and in the middle of more data than the keys may protect."""
    client, server = house.pair(TLS13.replace(max_send_fragment=64 if limit == 1030 else MAX_PLAINTEXT))
    client._write.protection._limit = limit  # type: ignore[attr-defined]
    seen = []
    for _ in range(4):
        client.send_data(b"x" * 70_000)
        server.receive_data(client.data_to_send())
        seen += list(server.events())
    assert data_in(seen) == b"x" * 280_000
    assert [type(event) for event in seen].count(KeysUpdated) == 1


@pytest.mark.rfc("rfc8446:5.3:2")
@pytest.mark.parametrize("size", [1, 100_000])
def test_tls12_ends_at_the_limit(house: House, size: int) -> None:
    client, server = house.pair(TLS12)
    client._write.protection._limit = 3  # type: ignore[attr-defined]  # one was the Finished
    client.send_data(b"x")
    client.send_data(b"y" * size)
    with pytest.raises(TLSError) as ended:
        for _ in range(3):
            server.receive_data(client.data_to_send())
            client.send_data(b"y")
    assert ended.value.reason is Reason.SEQUENCE_OVERFLOW
    assert type(client.error) is type(ended.value)
    assert vars(client.error) == vars(ended.value)
    with pytest.raises(TLSError) as told:
        server.receive_data(client.data_to_send())
    assert told.value.reason is Reason.PEER_ALERT
    assert told.value.alert == Alert.internal_error
    assert client.data_to_send() == b""


# -- the ends, and the two halves ------------------------------------------------------------------------


@BOTH
@pytest.mark.rfc("rfc8446:6.1:1", "rfc8446:6.1:4", "rfc8446:6.1:3")
def test_close_notify_closes_one_direction(house: House, policy: object) -> None:
    client, server = house.pair(policy)  # type: ignore[arg-type]
    client.send_data(b"last words")
    client.close()
    client.close()
    with pytest.raises(UsageError) as closed:
        client.send_data(b"more")
    assert closed.value.reason is Reason.CLOSED
    server.receive_data(client.data_to_send() + b"EHLO")
    assert server.unread_data() == b"EHLO"
    assert [type(event) for event in server.events()] == [DataReceived, PeerClosed]
    server.receive_data(b"anything")
    server.receive_eof()  # a clean end
    assert server.closed == (True, False)
    server.send_data(b"still here")
    server.close()
    client.receive_data(server.data_to_send())
    assert data_in(list(client.events())) == b"still here"
    client.receive_eof()
    assert client.closed == server.closed == (True, True)


@BOTH
def test_close_notify_in_the_middle_of_the_handshake(house: House, policy: object) -> None:
    client = ClientConnection(house.client(policy), "localhost")  # type: ignore[arg-type]
    client.data_to_send()
    with pytest.raises(ConnectionEnded) as ended:
        client.receive_data(b"\x15\x03\x03\x00\x02\x01\x00")
    assert ended.value.reason is Reason.PEER_CLOSED


def test_nothing_is_said_after_a_fatal_alert(house: House) -> None:
    client, server = house.pair()
    server.receive_data(update(client, UPDATE_REQUESTED))  # an answer is owed
    bad = bytearray(write(client, DATA, b"x"))
    bad[-1] ^= 1
    assert refusal(server, bytes(bad)).reason is Reason.BAD_RECORD_MAC
    assert alert_of(server, client) == Alert.bad_record_mac
    assert server.data_to_send() == b""
    assert not server.wants_to_send


@pytest.mark.slow
@BOTH
def test_one_thread_reads_while_another_writes(house: House, policy: object) -> None:
    """A thousand messages each way at once, with key changes asked for all the time."""
    client, server = house.pair(policy)  # type: ignore[arg-type]
    lines: dict[Side, list[bytes]] = {client: [], server: []}
    arrived = threading.Condition()
    got: dict[Side, bytes] = {client: b"", server: b""}
    faults: list[BaseException] = []
    count, text = 1000, b"message %4d;"
    total = len(text % 0) * count

    def writer(side: Side) -> None:
        for number in range(count):
            side.send_data(text % number)
            if policy is TLS13 and number % 100 == 50:
                side.update_keys(request=True)
            data = side.data_to_send()
            with arrived:
                lines[side].append(data)
                arrived.notify_all()

    def reader(side: Side, peer: Side) -> None:
        try:
            while len(got[side]) < total:
                with arrived:
                    arrived.wait_for(lambda: lines[peer], timeout=60)
                    data = lines[peer].pop(0)
                side.receive_data(data)
                got[side] += data_in(list(side.events()))
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=writer, args=(side,)) for side in (client, server)]
    threads += [threading.Thread(target=reader, args=pair) for pair in ((client, server), (server, client))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    expected = b"".join(text % number for number in range(count))
    assert got == {client: expected, server: expected}


def test_what_the_reader_says_is_sealed_by_the_writer(house: House) -> None:
    """The reading thread never touches the sealing half: two threads would share a nonce."""
    client, server = house.pair(TLS12)
    sealing: Any = client._write.protection
    before = sealing._sequence
    client.receive_data(write(server, HANDSHAKE, bytes(4)))  # HelloRequest
    with pytest.raises(TLSError):
        client.receive_data(write(server, 99, b""))
    assert sealing._sequence == before
    assert client.wants_to_send
    client.data_to_send()
    assert sealing._sequence == before + 2


def test_a_client_that_refuses_the_server_hello_is_heard(house: House) -> None:
    """It has no keys yet; the server reads under the handshake keys already. Only at first, only there."""
    client, server, hello, _ = waiting_client(house)
    broken = bytearray(hello)
    broken[9] = 2  # legacy_version
    error = refusal(client, bytes(broken))
    record = client.data_to_send()
    assert record[:5] == b"\x15\x03\x03\x00\x02"
    heard = refusal(server, record)
    assert heard.reason is Reason.PEER_ALERT
    assert heard.alert == error.alert

    for finished in (False, True):
        client, server, hello, rest = waiting_client(house)
        client.receive_data(hello + rest)
        if finished:
            server.receive_data(client.data_to_send())
            assert refusal(server, record).reason is Reason.BAD_RECORD_MAC
        assert refusal(client, record).reason is Reason.BAD_RECORD_MAC


@BOTH
@pytest.mark.rfc("rfc8446:6:2", "rfc8446:6.2:2", "rfc8446:6:3")
def test_a_failed_connection_forgets_its_keys_and_its_data(house: House, policy: object) -> None:
    """Nothing but the alert goes out, and that under the keys; afterwards there are none."""
    client, server = house.pair(policy)  # type: ignore[arg-type]
    server.send_data(b"must not be seen" * 3000)
    refusal(server, write(client, 99, b""))
    wire = server.data_to_send()
    assert len(wire) < 60
    assert b"seen" not in wire
    with pytest.raises(TLSError) as heard:
        client.receive_data(wire)
    assert heard.value.alert == Alert.unexpected_message
    assert server.data_to_send() == b""
    for side in (client, server):
        side.data_to_send()
        with pytest.raises(UsageError):
            side.export("x")
        with pytest.raises(UsageError):
            _ = side.traffic_secrets
        assert type(side._read.protection).__name__ == "PlainOpening"
        assert type(side._write.protection).__name__ == "PlainSealing"


# -- plaintext and its tag -----------------------------------------------------------------------------


def reachable(*roots: object) -> Iterator[object]:
    """Everything that an application could get hold of from these objects, private attributes too."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, ModuleType, FunctionType, BuiltinFunctionType)):
            continue
        if isinstance(one, FrameType) and one.f_code.co_filename == __file__:
            continue  # the test knows the plaintext
        seen.add(id(one))
        yield one
        waiting += list(one.f_locals.values()) if isinstance(one, FrameType) else gc.get_referents(one)


def holds(text: bytes, *roots: object) -> bool:
    """Whether any bytes among what is reachable contain `text`."""
    return any(
        text in bytes(one) for one in reachable(*roots) if isinstance(one, (bytes, bytearray, memoryview))
    )


@BOTH
def test_a_failed_connection_does_not_hold_itself(house: House, policy: Policy) -> None:
    """Its error is kept without the frames that it went through: they would keep the connection."""
    client, server = house.pair(policy)
    gone = weakref.ref(server)
    gc.collect()
    gc.disable()
    try:
        for _ in range(2):  # the fault, and its repetition
            with pytest.raises(TLSError, match="bad-record-mac"):
                server.receive_data(b"\x17\x03\x03\x00\x40" + bytes(64))
        with pytest.raises(TLSError, match="bad-record-mac") as repeated:
            raise server.error or AssertionError
        assert repeated.value is not server.error
        del client, server, repeated
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.rfc("rfc8446:5.2:3")
@pytest.mark.parametrize("size", [1, 100, MAX_PLAINTEXT // 32])
@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303, 0x1304, 0xC02B, 0xCCA9])
def test_no_plaintext_is_seen_whose_tag_is_wrong(house: House, suite: int, size: int) -> None:
    """AEADs that decrypt into a buffer leave the plaintext there though its tag is wrong."""
    policy = (TLS13 if suite < 0x1400 else TLS12).replace(cipher_suites=(suite,))
    client, server = house.pair(policy)
    text = b"never to be seen by anyone"
    client.send_data(text)
    server.receive_data(client.data_to_send())
    assert holds(text, server), "the search finds what is there"
    assert data_in(list(server.events())) == text
    client.send_data(b"authentic")
    good = client.data_to_send()
    client.send_data((text + b"; ") * size)
    bad = bytearray(client.data_to_send())
    bad[3 + 2 + (bad[3] << 8 | bad[4]) - 1] ^= 1  # the tag of its first record
    with pytest.raises(TLSError) as refused:
        server.receive_data(good + bytes(bad))
    assert refused.value.reason is Reason.BAD_RECORD_MAC
    assert refused.value.__traceback__ is not None, "its frames are searched too"
    assert not holds(text, server, refused.value)
    assert data_in(list(server.events())) == b"authentic", "what came before is still delivered"
    assert server.unread_data() == b""
