"""RFC 8448 section 3: the simple 1-RTT handshake, byte for byte, from its randoms and private keys.

What no rule determines (the RSA-PSS signature, the order of extensions) is taken from the trace;
every secret, key, Finished and protected record is computed here and must be the trace's.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pellucid.crypto.groups import GROUPS
from pellucid.crypto.schedule13 import KeySchedule, TrafficSecret, resumption_psk
from pellucid.crypto.suites import SUITES
from pellucid.handshake.context import Transcript
from pellucid.protection import Opening13, Sealing13
from pellucid.wire.extensions import BODY
from pellucid.wire.messages import MESSAGES_13, ClientHello, NewSessionTicket, ServerHello

SUITE = SUITES[0x1301]
Values = list[tuple[str, str, bytes]]  # heading, name, bytes


def section_3(text: str) -> Values:
    """Every value of section 3 in order, with the heading that it stands under."""
    text = re.sub(r"\n\n+Thomson +Informational +\[Page \d+\]\n\f?\n?RFC 8448[^\n]*\n\n?", "\n", text)
    body = text[text.index("\n3.  Simple 1-RTT Handshake\n\n   In this") :]
    body = body[: body.index("\n4.  Resumed 0-RTT Handshake")]
    found: Values = []
    heading = ""
    for block in re.split(r"\n(?=   \{(?:client|server)\})|\n(?=      \S[^\n]*\(\d+ octets\):)", body):
        start = re.match(r"   (\{(?:client|server)\}[^:]*):?", block)
        if start:
            heading = " ".join(start.group(1).split())
        value = re.match(
            r"      (\S[^\n]*?) \((\d+) octets\):((?:\s+(?:[0-9a-f]{2}\s)+)*\s*(?:[0-9a-f]{2}(?:\s|$))*)",
            block,
        )
        if value:
            data = bytes.fromhex("".join(re.findall(r"\b[0-9a-f]{2}\b", value.group(3))))
            assert len(data) == int(value.group(2)), (heading, value.group(1))
            found.append((heading, value.group(1), data))
    return found


class Trace:
    def __init__(self, values: Values) -> None:
        self.values = values

    def get(self, heading: str, name: str, nth: int = 0) -> bytes:
        """The nth value called `name` under a heading that contains `heading`."""
        hits = [data for head, label, data in self.values if heading in head and label == name]
        return hits[nth]


@pytest.fixture(scope="module")
def trace(shared: Path) -> Trace:
    return Trace(section_3((shared / "rfc" / "rfc8448.txt").read_text()))


def test_messages_round_trip(trace: Trace) -> None:
    """Our codecs read each message of the trace and write the same bytes."""
    seen = set()
    for _, name, data in trace.values:
        if name in (
            "ClientHello",
            "ServerHello",
            "EncryptedExtensions",
            "Certificate",
            "CertificateVerify",
            "Finished",
        ):
            structure = MESSAGES_13[data[0]]
            assert structure.decode(data[4:]).to_handshake() == data
            seen.add(name)
    assert len(seen) == 6
    for kind, body in ClientHello.decode(trace.get("{client}", "ClientHello")[4:]).extensions.items():
        if (kind, "CH") in BODY:
            structure_of_body = BODY[kind, "CH"]
            assert structure_of_body.decode(body).encode() == body


def test_key_exchange(trace: Trace) -> None:
    """The private keys of the trace give its public keys and its shared secret."""
    group = GROUPS[0x1D]
    client = group.generate(
        lambda _: trace.get("{client} create an ephemeral x25519 key pair", "private key")
    )
    server = group.generate(
        lambda _: trace.get("{server} create an ephemeral x25519 key pair", "private key")
    )
    assert client.public == trace.get("{client} create an ephemeral x25519 key pair", "public key")
    assert server.public == trace.get("{server} create an ephemeral x25519 key pair", "public key")
    assert client.finish(server.public) == trace.get('{server} extract secret "handshake"', "IKM")


def test_the_whole_schedule_and_every_record(trace: Trace) -> None:
    """From the shared secret to the last alert."""
    transcript = Transcript()
    transcript.add(trace.get("{client}", "ClientHello"))
    transcript.start(SUITE.hash)
    transcript.add(trace.get("{server}", "ServerHello"))
    assert transcript.digest() == trace.get('{server} derive secret "tls13 c hs traffic"', "hash")

    schedule = KeySchedule(SUITE.hash, None, None)
    assert schedule.secret == trace.get('{server} extract secret "early"', "secret")
    schedule.enter_handshake(trace.get('{server} extract secret "handshake"', "IKM"))
    assert schedule.secret == trace.get('{server} extract secret "handshake"', "secret")
    client = schedule.traffic("", b"c hs traffic", transcript.digest())
    server = schedule.traffic("", b"s hs traffic", transcript.digest())
    assert client.secret == trace.get('{server} derive secret "tls13 c hs traffic"', "expanded")
    assert server.secret == trace.get('{server} derive secret "tls13 s hs traffic"', "expanded")

    server_sealing = sealing(server)
    for name in ("EncryptedExtensions", "Certificate", "CertificateVerify"):
        transcript.add(trace.get("{server}", name))
    assert server.finished(transcript.digest()) == trace.get("{server} calculate finished", "finished")
    transcript.add(trace.get("{server}", "Finished"))
    flight = trace.get("{server} send handshake record", "payload", 1)
    assert server_sealing.seal(22, flight) == trace.get(
        "{server} send handshake record", "complete record", 1
    )

    schedule.enter_master()
    assert schedule.secret == trace.get('{server} extract secret "master"', "secret")
    digest = transcript.digest()
    client_application = schedule.traffic("", b"c ap traffic", digest)
    server_application = schedule.traffic("", b"s ap traffic", digest)
    assert client_application.secret == trace.get('{server} derive secret "tls13 c ap traffic"', "expanded")
    assert server_application.secret == trace.get('{server} derive secret "tls13 s ap traffic"', "expanded")
    exporter = schedule.derive("", b"exp master", digest)
    assert exporter == trace.get('{server} derive secret "tls13 exp master"', "expanded")

    assert client.finished(digest) == trace.get("{client} calculate finished", "finished")
    finished = trace.get("{client}", "Finished")
    assert sealing(client).seal(22, finished) == trace.get(
        "{client} send handshake record", "complete record", 1
    )
    transcript.add(finished)
    resumption = schedule.derive("", b"res master", transcript.digest())
    assert resumption == trace.get('{client} derive secret "tls13 res master"', "expanded")
    ticket = NewSessionTicket.decode(trace.get("{server}", "NewSessionTicket")[4:])
    expected = trace.get("{server} generate resumption secret", "expanded")
    assert resumption_psk(SUITE.hash, resumption, ticket.ticket_nonce) == expected

    check_data(trace, client_application, server_application)


def check_data(trace: Trace, client: TrafficSecret, server: TrafficSecret) -> None:
    """The ticket, application data both ways, and both alerts."""
    server_sealing, client_sealing = sealing(server), sealing(client)
    ticket = trace.get("{server}", "NewSessionTicket")
    assert server_sealing.seal(22, ticket) == trace.get(
        "{server} send handshake record", "complete record", 2
    )
    for side, half in (("{client}", client_sealing), ("{server}", server_sealing)):
        for kind, heading in ((23, "send application_data record"), (21, "send alert record")):
            payload = trace.get(f"{side} {heading}", "payload")
            assert half.seal(kind, payload) == trace.get(f"{side} {heading}", "complete record")


def sealing(traffic: TrafficSecret) -> Sealing13:
    """The record protection under a traffic secret; what it seals, its counterpart opens."""
    if SUITE.aead is None:
        pytest.fail("no AEAD")
    record = Sealing13(SUITE.aead, traffic, 2).seal(22, b"x")
    assert Opening13(SUITE.aead, traffic, 2).open(23, record[:5], record[5:]) == (22, b"x")
    return Sealing13(SUITE.aead, traffic, 2)


def test_hellos(trace: Trace) -> None:
    client = ClientHello.decode(trace.get("{client}", "ClientHello")[4:])
    server = ServerHello.decode(trace.get("{server}", "ServerHello")[4:])
    assert server.cipher_suite in client.cipher_suites
