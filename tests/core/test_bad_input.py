"""Bad input at each step: the right alert, a named error on both sides, never a traceback or a hang."""

from __future__ import annotations

import random

import pytest

from pellucid import (
    Authority,
    ClientConfig,
    ClientConnection,
    ConnectionEnded,
    Policy,
    Reason,
    ServerConfig,
    ServerConnection,
    TLSError,
    UsageError,
    legacy,
)
from pellucid.wire.messages import ClientHello
from support import pump

POLICIES = {
    "1.3": (Policy(versions=(0x0304,), groups=(0x1D,)), "ecdsa-p256"),
    "1.2": (Policy(versions=(0x0303,)), "ecdsa-p256"),
    "static RSA": (legacy.museum_policy(), "rsa-2048"),
}

AUTHORITY = Authority.create()
IDENTITIES = {kind: AUTHORITY.issue("localhost", key=kind) for kind in ("ecdsa-p256", "rsa-2048")}


class Line:
    """A client, a server, and the flights that go between them."""

    def __init__(self, version: str) -> None:
        policy, kind = POLICIES[version]
        self.client = ClientConnection(ClientConfig(policy=policy, trust=AUTHORITY.trust()), "localhost")
        self.server = ServerConnection(ServerConfig(policy=policy, identities=(IDENTITIES[kind],)))

    def flights(self) -> list[bytes]:
        """What each side sends in a whole handshake, in order."""
        found: list[bytes] = []
        sides = [(self.client, self.server), (self.server, self.client)]
        while True:
            sender, receiver = sides[len(found) % 2]
            data = sender.data_to_send()
            if not data:
                return found
            found.append(data)
            receiver.receive_data(data)

    def play(self, number: int, change: bytes | None) -> TLSError | None:
        """The handshake with flight `number` replaced (None: cut off); what was refused."""
        sides = [(self.client, self.server), (self.server, self.client)]
        for turn in range(6):
            sender, receiver = sides[turn % 2]
            data = sender.data_to_send()
            if not data:
                return None
            try:
                if turn == number:
                    receiver.receive_data(change if change is not None else data[: len(data) // 2])
                    if change is None:
                        receiver.receive_eof()
                else:
                    receiver.receive_data(data)
            except TLSError as error:
                alert = receiver.data_to_send()
                if alert:
                    with pytest.raises(TLSError):
                        sender.receive_data(alert)
                        sender.receive_eof()
                return error
        return None


@pytest.mark.parametrize("version", POLICIES)
@pytest.mark.slow
def test_a_flipped_bit_in_every_byte_of_every_flight(version: str) -> None:
    """Nothing but a named refusal ever comes of it; and data never passes changed."""
    generator = random.Random(8446)
    for number, flight in enumerate(Line(version).flights()[:4]):
        for at in range(0, len(flight), 1 if len(flight) < 400 else 3):
            error = _flip(Line(version), number, at, 1 << generator.randrange(8))
            assert error is None or error.reason is not Reason.INTERNAL, (number, at)


def _flip(line: Line, number: int, at: int, bit: int) -> TLSError | None:
    sides = [(line.client, line.server), (line.server, line.client)]
    try:
        for turn in range(6):
            sender, receiver = sides[turn % 2]
            data = bytearray(sender.data_to_send())
            if turn == number and at < len(data):
                data[at] ^= bit
            if data:
                receiver.receive_data(bytes(data))
    except TLSError as error:
        return error
    return None


@pytest.mark.parametrize("version", POLICIES)
def test_each_flight_cut_off(version: str) -> None:
    """An end in the handshake is an error of its own."""
    for number in range(len(Line(version).flights()[:3])):
        error = Line(version).play(number, None)
        assert isinstance(error, ConnectionEnded)
        assert error.reason is Reason.EOF_IN_HANDSHAKE


@pytest.mark.parametrize("version", POLICIES)
@pytest.mark.slow
def test_each_flight_cut_at_every_byte(version: str) -> None:
    """Wherever the line ends inside a flight, it is never taken for a whole one."""
    for number, flight in enumerate(Line(version).flights()[:3]):
        for at in range(len(flight) - 1):
            line = Line(version)
            sides = [(line.client, line.server), (line.server, line.client)]
            for turn in range(number):
                sender, receiver = sides[turn % 2]
                receiver.receive_data(sender.data_to_send())
            sender, receiver = sides[number % 2]
            own = sender.data_to_send()  # an ECDSA signature more or less: not always as long
            receiver.receive_data(own[: min(at, len(own) - 1)])
            with pytest.raises(ConnectionEnded) as ended:
                receiver.receive_eof()
            assert ended.value.reason is Reason.EOF_IN_HANDSHAKE


@pytest.mark.parametrize("version", POLICIES)
@pytest.mark.slow
def test_encrypted_flights_in_records_of_every_size(version: str) -> None:
    """Messages straddle protected records at each of their bytes."""
    policy, kind = POLICIES[version]
    for size in range(64, 200):
        small = policy.replace(max_send_fragment=size)
        client = ClientConnection(ClientConfig(policy=small, trust=AUTHORITY.trust()), "localhost")
        server = ServerConnection(ServerConfig(policy=small, identities=(IDENTITIES[kind],)))
        pump(client, server)
        assert client.handshake_complete
        assert server.handshake_complete


@pytest.mark.parametrize("version", POLICIES)
@pytest.mark.parametrize("piece", [1, 2, 3, 5, 7, 100])
def test_bytes_may_come_in_any_pieces(version: str, piece: int) -> None:
    line = Line(version)
    pump(line.client, line.server, piece=piece)
    assert line.client.handshake_complete
    assert line.server.handshake_complete


def records_of(flight: bytes) -> list[bytes]:
    found = []
    while flight:
        size = 5 + int.from_bytes(flight[3:5], "big")
        found.append(flight[:size])
        flight = flight[size:]
    return found


@pytest.mark.parametrize("version", POLICIES)
@pytest.mark.slow
def test_a_client_hello_split_over_records_at_every_byte(version: str) -> None:
    size = len(Line(version).client.data_to_send())
    for at in range(6, size):
        line = Line(version)
        hello = line.client.data_to_send()
        body = hello[5:]
        pieces = [body[: at - 5], body[at - 5 :]]
        line.server.receive_data(b"".join(hello[:3] + len(p).to_bytes(2, "big") + p for p in pieces if p))
        pump(line.client, line.server)
        assert line.client.handshake_complete


@pytest.mark.parametrize("version", ["1.2", "static RSA"])
def test_a_servers_flight_in_records_of_one_byte_or_in_one_record(version: str) -> None:
    for piece in (1, 16_384):
        line = Line(version)
        line.server.receive_data(line.client.data_to_send())
        whole = b"".join(record[5:] for record in records_of(line.server.data_to_send()))
        pieces = [whole[at : at + piece] for at in range(0, len(whole), piece)]
        line.client.receive_data(b"".join(b"\x16\x03\x03" + len(p).to_bytes(2, "big") + p for p in pieces))
        pump(line.client, line.server)
        assert line.client.handshake_complete


SERVER_GREETINGS = {
    b"GET / HTTP/1.1\r\n\r\n": Reason.HTTP_REQUEST,
    b"CONNECT example.org:443 HTTP/1.1\r\n": Reason.HTTPS_PROXY_REQUEST,
    b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10": Reason.SSLV2_HELLO,
    bytes(range(200, 240)): Reason.NOT_TLS,
    b"\x17\x03\x03\x00\x05hello": Reason.UNEXPECTED_RECORD,
    b"\x16\x04\x00\x00\x05hello": Reason.WRONG_RECORD_VERSION,
    b"\x16\x03\x01\x41\x00" + bytes(10): Reason.RECORD_OVERFLOW,
    b"\x16\x03\x01\x00\x00": Reason.EMPTY_FRAGMENT,
    b"\x16\x03\x01\x00\x04\x02\x00\x00\x00": Reason.UNEXPECTED_MESSAGE,
    b"\x16\x03\x01\x00\x04\x01\xff\xff\xff": Reason.MESSAGE_TOO_LONG,
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00": Reason.DECODE_ERROR,
}


@pytest.mark.parametrize(
    ("greeting", "reason"), SERVER_GREETINGS.items(), ids=lambda value: getattr(value, "label", "")
)
def test_what_a_server_may_be_greeted_with(greeting: bytes, reason: Reason) -> None:
    server = Line("1.3").server
    with pytest.raises(TLSError) as refused:
        server.receive_data(greeting)
    assert refused.value.reason is reason
    assert server.data_to_send()[:1] == b"\x15"
    assert server.data_to_send() == b""
    with pytest.raises(TLSError) as again:
        server.receive_data(b"more")
    assert again.value.reason is reason


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.test ESMTP\r\n", b"SSH-2.0-x\r\n"]
)
def test_a_server_that_speaks_in_clear(answer: bytes) -> None:
    with pytest.raises(TLSError) as refused:
        Line("1.3").client.receive_data(answer)
    assert refused.value.reason is Reason.PLAIN_SERVER


@pytest.mark.parametrize("version", POLICIES)
def test_a_record_one_byte_too_long(version: str) -> None:
    line = Line(version)
    pump(line.client, line.server)
    most = 2**14 + (256 if version == "1.3" else 2048)
    with pytest.raises(TLSError) as refused:
        line.server.receive_data(b"\x17\x03\x03" + (most + 1).to_bytes(2, "big"))
    assert refused.value.reason is Reason.CIPHERTEXT_OVERFLOW
    line = Line(version)
    pump(line.client, line.server)
    with pytest.raises(TLSError) as refused:
        line.server.receive_data(b"\x17\x03\x03" + most.to_bytes(2, "big") + bytes(most))
    assert refused.value.reason in (Reason.BAD_RECORD_MAC, Reason.RECORD_OVERFLOW)


def test_an_unknown_suite_only() -> None:
    line = Line("1.3")
    hello = ClientHello.decode(line.client.data_to_send()[9:])
    hello.cipher_suites = (0x00FE, 0x0A0A)
    raw = hello.to_handshake()
    with pytest.raises(TLSError) as refused:
        line.server.receive_data(b"\x16\x03\x01" + len(raw).to_bytes(2, "big") + raw)
    assert refused.value.reason is Reason.NO_SHARED_CIPHER
    assert line.server.data_to_send()[-1] == 40


@pytest.mark.parametrize("version", POLICIES)
def test_a_changed_record_of_data_is_detected(version: str) -> None:
    line = Line(version)
    pump(line.client, line.server)
    line.client.send_data(b"pay 10 to Alice")
    record = bytearray(line.client.data_to_send())
    record[-20] ^= 1
    with pytest.raises(TLSError) as refused:
        line.server.receive_data(bytes(record))
    assert refused.value.reason is Reason.BAD_RECORD_MAC
    assert not list(line.server.events())[1:]


@pytest.mark.parametrize("version", POLICIES)
def test_the_end_without_close_notify_is_truncation(version: str) -> None:
    line = Line(version)
    pump(line.client, line.server)
    with pytest.raises(ConnectionEnded) as ended:
        line.client.receive_eof()
    assert ended.value.reason is Reason.TRUNCATED


@pytest.mark.slow
def test_random_changes_of_whole_handshakes() -> None:
    """Bytes flipped, set, cut out and put in, anywhere: only named refusals, whatever comes."""
    generator = random.Random(5246)
    for _ in range(3000):
        line = Line(generator.choice(list(POLICIES)))
        sides = [(line.client, line.server), (line.server, line.client)]
        number = generator.randrange(4)
        try:
            for turn in range(6):
                sender, receiver = sides[turn % 2]
                data = bytearray(sender.data_to_send())
                if turn == number and data:
                    at = generator.randrange(len(data))
                    choice = generator.randrange(4)
                    if choice == 0:
                        data[at] ^= 1 << generator.randrange(8)
                    elif choice == 1:
                        data[at] = generator.choice((0, 1, 127, 128, 255))
                    elif choice == 2:
                        del data[at : at + generator.randrange(1, 6)]
                    else:
                        data[at:at] = generator.randbytes(generator.randrange(1, 5))
                receiver.receive_data(bytes(data))
        except TLSError as error:
            assert error.reason is not Reason.INTERNAL


@pytest.mark.parametrize("wrong", [None, "server.pem", b"-----BEGIN CERTIFICATE-----"])
def test_identities_that_are_none_are_refused_at_once(wrong: object) -> None:
    for config in (ServerConfig, ClientConfig):
        with pytest.raises(UsageError, match="no Identity") as refused:
            config(identities=(IDENTITIES["rsa-2048"], wrong))  # type: ignore[arg-type]  # which is the point
        assert refused.value.reason is Reason.BAD_CONFIG
