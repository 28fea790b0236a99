"""The short ways of single records do what the long ones do, or nothing at all.

RFC 8446 sections 5.1, 5.2, 5.4 and 5.5; RFC 5246 section 6.2.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pellucid import ClientConnection, Policy, Reason, ServerConnection, TLSError, UsageError
from pellucid.events import DataReceived, KeysUpdated, PeerClosed, SessionReceived
from pellucid.glass.trace import Trace
from pellucid.limits import MAX_EMPTY_RECORDS, MAX_PLAINTEXT
from pellucid.wire.messages import KeyUpdate, NewSessionTicket
from support import TLS12, TLS13, House, Pair, Side, data_in, pump, refusal, write

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
SUITES = {0x1301: TLS13, 0x1303: TLS13, 0x1304: TLS13, 0xC02B: TLS12, 0xCCA9: TLS12}
TICKET = NewSessionTicket(60, 0, b"n", b"ticket", {}).to_handshake()


def pair_with(house: House, suite: int) -> Pair:
    return house.pair(SUITES[suite].replace(cipher_suites=(suite,)))


def sequences(side: Any) -> tuple[int, int]:
    return side._read.protection._sequence, side._write.protection._sequence


# -- single records ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 100, 2047, 2048, MAX_PLAINTEXT])
@pytest.mark.parametrize("suite", SUITES)
def test_one_record_each_way(house: House, suite: int, size: int) -> None:
    client, server = pair_with(house, suite)
    for number, (one, other) in enumerate([(client, server), (server, client)] * 2):
        data = bytes([number]) * size
        wire = one.protect(data)
        assert len(wire) - size <= 5 + 8 + 1 + 16
        assert other.deprotect(wire) == data
        wire = one.protect(data)
        assert other.deprotect(wire[:5], wire[5:]) == data  # as it is read from a line
        assert not list(other.events())


def test_short_and_long_ways_mix(house: House) -> None:
    client, server = house.pair()
    for number in range(6):
        data = b"%d" % number
        if number % 2:
            wire = client.protect(data)
        else:
            client.send_data(data)
            wire = client.data_to_send()
        if number % 3:
            assert server.deprotect(wire) == data
        else:
            server.receive_data(wire)
            assert data_in(list(server.events())) == data


@pytest.mark.rfc("rfc8446:5.4:7")
def test_padding_is_taken_off(house: House) -> None:
    client, server = house.pair(TLS13.replace(padding=lambda size: -size % 256))
    wire = client.protect(b"short")
    assert len(wire) == 5 + 256 + 1 + 16
    assert server.deprotect(wire) == b"short"
    client.send_data(bytes(2 * MAX_PLAINTEXT) + b"short")
    assert len(client.data_to_send()) == 2 * (5 + MAX_PLAINTEXT + 1 + 16) + len(wire)


# -- everything else is left to the long way ---------------------------------------------------------


def spoilt(client: Side) -> bytes:
    wire = bytearray(write(client, DATA, b"x"))
    wire[-1] ^= 1
    return bytes(wire)


def headed(header: bytes) -> Callable[[Side], bytes]:
    """TLS 1.3: an authentic record whose header says what it should not."""

    def make(client: Side) -> bytes:
        sealing: Any = client._write.protection
        encrypt = (sealing._cipher or sealing._begin()).encrypt
        nonce = (sealing._iv ^ sealing._sequence).to_bytes(12, "big")
        return header + bytes(encrypt(nonce, b"x\x17", header))

    return make


WRONG: dict[str, tuple[Callable[[Side], bytes], Reason]] = {
    "a wrong tag": (spoilt, Reason.BAD_RECORD_MAC),
    "too much plaintext": (lambda c: write(c, DATA, bytes(MAX_PLAINTEXT + 1)), Reason.RECORD_OVERFLOW),
    "too much ciphertext": (lambda c: write(c, DATA, bytes(20_000)), Reason.CIPHERTEXT_OVERFLOW),
    "shorter than a tag": (lambda c: b"\x17\x03\x03\x00\x03abc", Reason.BAD_RECORD_MAC),
    "nothing in it": (lambda c: b"\x17\x03\x03\x00\x00", Reason.BAD_RECORD_MAC),
}
WRONG_13: dict[str, tuple[Callable[[Side], bytes], Reason]] = {
    "padding only": (lambda c: write(c, 0, bytes(40)), Reason.NO_CONTENT_TYPE),
    "a protected ChangeCipherSpec": (lambda c: write(c, CCS, b"\x01"), Reason.UNEXPECTED_RECORD),
    "another version": (headed(b"\x17\x03\x01\x00\x12"), Reason.WRONG_RECORD_VERSION),
    "another type": (headed(b"\x16\x03\x03\x00\x12"), Reason.INVALID_OUTER_RECORD_TYPE),
    "less than there is": (headed(b"\x17\x03\x03\x00\x11"), Reason.BAD_RECORD_MAC),
}


@pytest.mark.parametrize(
    ("policy", "name"),
    [(TLS13, name) for name in {**WRONG, **WRONG_13}] + [(TLS12, name) for name in WRONG],
    ids=lambda value: value if isinstance(value, str) else hex(value.versions[0]),
)
def test_what_is_wrong_is_refused_by_the_long_way(house: House, policy: Policy, name: str) -> None:
    make, reason = {**WRONG, **WRONG_13}[name]
    client, server = house.pair(policy)
    wire = make(client)
    before = sequences(server)
    assert server.deprotect(wire) == b""
    assert sequences(server) == before
    assert server.error is None
    assert refusal(server, wire).reason is reason


@pytest.mark.parametrize("name", ["a wrong tag", "too much plaintext", "another version", "another type"])
def test_what_is_wrong_in_two_pieces_is_refused_by_the_long_way_too(house: House, name: str) -> None:
    make, reason = {**WRONG, **WRONG_13}[name]
    client, server = house.pair(TLS13)
    wire = make(client)
    before = sequences(server)
    assert server.deprotect(wire[:5], wire[5:]) == b""
    assert sequences(server) == before
    assert refusal(server, wire).reason is reason


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_what_is_no_single_record_of_data(house: House, policy: Policy) -> None:
    makes: list[tuple[Callable[[Side], bytes], list[type]]] = [
        (lambda c: b"", []),
        (lambda c: write(c, DATA, b""), []),
        (lambda c: write(c, DATA, b"x") + write(c, DATA, b"y"), [DataReceived]),
        (lambda c: write(c, DATA, b"x")[:-1], []),
        (lambda c: write(c, ALERT, b"\x01\x00"), [PeerClosed]),
    ]
    if policy is TLS13:
        makes += [
            (lambda c: write(c, HANDSHAKE, TICKET), [SessionReceived]),
            (lambda c: write(c, HANDSHAKE, KeyUpdate(0).to_handshake()), [KeysUpdated]),
        ]
    for make, events in makes:
        client, server = house.pair(policy)
        wire = make(server)
        assert client.deprotect(wire) == b""
        client.receive_data(wire)
        assert [type(event) for event in client.events()] == events


def test_nothing_overtakes_what_came_before(house: House) -> None:
    client, server = house.pair()
    server.receive_data(write(client, DATA, b"first"))
    second = client.protect(b"second")
    assert server.deprotect(second) == b"", "an event waits"
    server.receive_data(second)
    assert data_in(list(server.events())) == b"firstsecond"

    third = client.protect(b"third")
    server.receive_data(third[:9])
    assert server.deprotect(third[9:]) == b"", "a record has begun"
    server.receive_data(third[9:])
    assert data_in(list(server.events())) == b"third"

    server.receive_data(write(client, HANDSHAKE, KeyUpdate(0).to_handshake()[:3]))
    wire = client.protect(b"in between")
    assert server.deprotect(wire) == b"", "a message has begun"
    assert refusal(server, wire).reason is Reason.INTERLEAVED_HANDSHAKE
    assert server.deprotect(wire) == b"", "the connection has failed"


def test_nothing_comes_before_the_handshake_nor_after_the_end(house: House) -> None:
    client = ClientConnection(house.client(), "localhost")
    server = ServerConnection(house.servers())
    assert client.protect(b"x") == server.protect(b"x") == b""
    assert server.deprotect(client.data_to_send()) == b""
    client, server = house.pair()
    client.close()
    assert client.protect(b"x") == b""
    with pytest.raises(UsageError):
        client.send_data(b"x")
    pump(client, server)
    late = write(client, DATA, b"x")
    assert server.deprotect(late) == b"", "what comes after close_notify is ignored (RFC 8446 section 6.1)"
    server.receive_data(late)
    assert not list(server.events())


def test_a_request_that_waits_stops_the_short_way(house: House) -> None:
    from pellucid.events import SelectIdentity

    config = house.client(ask=frozenset({SelectIdentity}), post_handshake_auth=True)
    client = ClientConnection(config, "localhost")
    server = ServerConnection(house.servers(client_trust=house.trust, post_handshake_auth=True))
    pump(client, server)
    server.request_certificate()
    client.receive_data(server.data_to_send())
    (request,) = client.events()
    wire = server.protect(b"behind the question")
    assert client.deprotect(wire) == b""
    client.receive_data(wire)
    assert not list(client.events())
    request.answer(house.client_identity)  # type: ignore[attr-defined]
    assert data_in(list(client.events())) == b"behind the question"


def test_whoever_looks_sees_every_record(house: House) -> None:
    trace = Trace()
    client = ClientConnection(house.client(observer=trace), "localhost")
    server = ServerConnection(house.servers(observer=Trace()))
    pump(client, server)
    assert client.protect(b"x") == b""
    client.send_data(b"x")
    wire = client.data_to_send()
    assert server.deprotect(wire) == b""
    server.receive_data(wire)
    assert data_in(list(server.events())) == b"x"


# -- sending -----------------------------------------------------------------------------------------


def test_what_is_not_data_alone_is_sent_by_the_long_way(house: House) -> None:
    client, server = house.pair()
    before = sequences(client)
    for data in (b"", bytearray(b"x"), memoryview(b"x")):
        assert client.protect(data) == b""  # type: ignore[arg-type]
    client.send_data(b"waits")
    assert client.protect(b"x") == b""
    assert sequences(client) == before
    server.receive_data(client.data_to_send())
    assert data_in(list(server.events())) == b"waits"
    client.receive_data(write(server, HANDSHAKE, KeyUpdate(1).to_handshake()))
    assert client.protect(b"x") == b"", "a KeyUpdate has to go first (RFC 8446 section 4.6.3)"
    client.data_to_send()
    assert client.protect(b"x")
    client.abort()
    assert client.protect(b"x") == b""


@pytest.mark.rfc("rfc8446:5.5:1")
def test_keys_that_are_used_up(house: House) -> None:
    for records in (1, 3):
        client, server = house.pair()
        for left in (records, records - 1):
            sealing: Any = client._write.protection
            opening: Any = server._read.protection
            sealing._sequence = opening._sequence = sealing._limit - left
            data = bytes(MAX_PLAINTEXT) * (records - 1) + b"x"
            wire = client.protect(data)
            assert bool(wire) == (records <= left)
            if not wire:
                client.send_data(data)
                wire = client.data_to_send()
            server.receive_data(wire)
            events = list(server.events())
            assert data_in(events) == data
            assert (KeysUpdated in map(type, events)) == (left < records), "new keys, but not too soon"


# -- many records ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [MAX_PLAINTEXT + 1, 3 * MAX_PLAINTEXT])
def test_long_data_by_the_short_way(house: House, size: int) -> None:
    client, server = house.pair()
    client._write.max_fragment -= 24
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    wire = client.protect(data)
    records = -(-size // (MAX_PLAINTEXT - 24))
    assert len(wire) == size + records * (5 + 1 + 16)
    assert server.deprotect(wire) == b""
    server.receive_data(wire)
    assert data_in(list(server.events())) == data


@pytest.mark.parametrize("suite", SUITES)
def test_data_of_neighbouring_records_comes_in_one_piece(house: House, suite: int) -> None:
    client, server = pair_with(house, suite)
    data = bytes(range(256)) * 64 * 9  # nine full records
    client.send_data(data)
    wire = client.data_to_send()
    server.receive_data(wire[:-1])
    server.receive_data(wire[-1:])
    events = list(server.events())
    assert [len(event.data) // MAX_PLAINTEXT for event in events if type(event) is DataReceived] == [4, 4, 1]
    assert data_in(events) == data


@pytest.mark.parametrize("suite", SUITES)
def test_long_data_is_sealed_as_if_each_record_were_alone(house: House, suite: int) -> None:
    client, _ = pair_with(house, suite)
    sealing: Any = client._write.protection
    data = bytes(range(256)) * 160
    before = sealing._sequence
    for most in (MAX_PLAINTEXT, 1000, len(data) // 4):
        sealing._sequence = before
        whole = sealing.seal_data(data, most)
        after, sealing._sequence = sealing._sequence, before
        alone = [sealing.seal(DATA, data[at : at + most]) for at in range(0, len(data), most)]
        assert whole == b"".join(alone)
        assert after == sealing._sequence


@pytest.mark.parametrize("suite", SUITES)
def test_long_data_takes_all_its_records_or_none(house: House, suite: int) -> None:
    client, _ = pair_with(house, suite)
    sealing: Any = client._write.protection
    for left in (2, 3):
        sealing._sequence = before = sealing._limit - left
        assert bool(sealing.seal_data(bytes(2001), 1000)) == (left == 3)
        assert sealing._sequence == (before if left == 2 else sealing._limit)


@pytest.mark.parametrize("suite", SUITES)
def test_many_small_records_come_in_one_piece(house: House, suite: int) -> None:
    client, server = pair_with(house, suite)
    pieces = [bytes([number % 256]) * (number % 90 + 1) for number in range(300)]
    server.receive_data(b"".join(map(client.protect, pieces)))
    (event,) = server.events()
    assert event.data == b"".join(pieces)  # type: ignore[attr-defined]


@pytest.mark.rfc("rfc8446:5.4:7")
def test_padding_is_taken_off_among_many(house: House) -> None:
    client, server = house.pair(TLS13.replace(padding=lambda size: size % 3 * 50))
    pieces = [b"%d" % 10**number for number in range(50)]
    server.receive_data(b"".join(map(client.protect, pieces)))
    (event,) = server.events()
    assert event.data == b"".join(pieces)  # type: ignore[attr-defined]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("at", [1, 3, 39])
def test_nobody_sees_what_a_wrong_tag_uncovers(house: House, suite: int, at: int) -> None:
    """`decrypt_into` writes before it knows that the tag is wrong."""
    client, server = pair_with(house, suite)
    wires = [client.protect(b"secret %02d" % number) for number in range(40)]
    wires[at] = wires[at][:-1] + bytes([wires[at][-1] ^ 1])
    assert refusal(server, b"".join(wires)).reason is Reason.BAD_RECORD_MAC
    (event,) = server.events()
    assert event.data == b"".join(b"secret %02d" % number for number in range(at))  # type: ignore[attr-defined]


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_a_record_that_is_too_long_is_refused_among_many(house: House, policy: Policy) -> None:
    client, server = house.pair(policy)
    wire = client.protect(b"x") + write(client, DATA, bytes(MAX_PLAINTEXT + 1)) + client.protect(b"y")
    assert refusal(server, wire).reason is Reason.RECORD_OVERFLOW
    assert data_in(list(server.events())) == b"x"


def test_what_stands_between_data_keeps_its_place(house: House) -> None:
    client, server = house.pair()
    wire = write(server, DATA, b"1") + write(server, DATA, b"2") + write(server, HANDSHAKE, TICKET)
    wire += write(server, DATA, b"3") + write(server, DATA, b"")
    bad = bytearray(write(server, DATA, b"4"))
    bad[-1] ^= 1
    with pytest.raises(TLSError) as refused:
        client.receive_data(wire + bad)
    assert refused.value.reason is Reason.BAD_RECORD_MAC
    events = list(client.events())
    assert [type(event) for event in events] == [DataReceived, SessionReceived, DataReceived]
    assert data_in(events) == b"123"


def test_data_by_the_short_way_ends_a_row_of_empty_records(house: House) -> None:
    client, server = house.pair()
    for _ in range(3):
        for _ in range(MAX_EMPTY_RECORDS):
            server.receive_data(write(client, DATA, b""))
        assert server.deprotect(client.protect(b"x")) == b"x"
    for _ in range(MAX_EMPTY_RECORDS):
        server.receive_data(write(client, DATA, b""))
    assert refusal(server, write(client, DATA, b"")).reason is Reason.TOO_MANY_EMPTY_RECORDS
