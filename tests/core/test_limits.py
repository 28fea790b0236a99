"""Every limit, at the limit and one past it. The table has exactly the names of `pellucid.limits`.

DESIGN rule 10; RFC 8446 sections 4.2.10, 4.6, 5.1, 5.2 and 5.5.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from core.recipes import certificate_of
from pellucid import Authority, PreSharedKey, Secret, TLSError, Trust, limits, verify
from pellucid.crypto.schedule13 import TrafficSecret
from pellucid.crypto.suites import SUITES
from pellucid.errors import Reason
from pellucid.lab import Record, Tap, edit, extensions, insert, replace
from pellucid.protection import Sealing12, Sealing13
from pellucid.resumption.sessions import TicketContent
from pellucid.trust.constraints import name_fault
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import Certificate, ClientHello, HelloRequest, NewSessionTicket
from rfc.world import (
    AUTHORITY,
    ECDSA,
    PSK,
    TLS12,
    TRUST,
    client,
    connected,
    early_client,
    early_config,
    server,
    session_from,
    talk,
)


def reason_of(error: TLSError | None) -> Reason | None:
    return None if error is None else error.reason


def refused(action: Callable[[], Any]) -> Reason | None:
    """The reason that the call raises; None if it is content."""
    try:
        action()
    except TLSError as error:
        return error.reason
    return None


def sent(content_type: int, fragment: bytes, times: int = 1, **both: Any) -> Reason | None:
    """How a server takes these records after the handshake."""
    found: Any = connected(client(Tap(), **both), server(**both))
    for _ in range(times):
        found.client.inject(content_type, fragment)
    return reason_of(found.go_on().server_error)


def header(length: int, **both: Any) -> Reason | None:
    """How a server takes the header of a protected record of that length."""
    found: Any = connected(client(Tap(), **both), server(**both))
    found.client.inject_raw(b"\x17\x03\x03" + length.to_bytes(2, "big"))
    return reason_of(found.go_on().server_error)


def hello_of(size: int) -> Reason | None:
    """A ClientHello that announces `size` bytes: refused before they are waited for."""
    return refused(lambda: server().receive_data(b"\x16\x03\x01\0\4\1" + size.to_bytes(3, "big")))


def certificate_message(size: int) -> Reason | None:
    head = b"\x0b" + size.to_bytes(3, "big")
    return reason_of(talk(client(), server(replace(Certificate, head))).client_error)


def certificates(number: int) -> Reason | None:
    def change(message: Any) -> None:
        message.certificate_list = message.certificate_list[:1] * number

    return reason_of(talk(client(), server(edit(Certificate, change))).client_error)


def rsa_bits(bits: int) -> Reason | None:
    """A certificate for a key of that size. Nobody has its private half: it is only looked at."""
    key = RSAPublicNumbers(65537, (1 << (bits - 1)) | (1 << 100) | 1).public_key()
    return refused(lambda: verify((certificate_of(public_key=key),), "localhost", trust=TRUST))


def rsa_exponent(exponent: int) -> Reason | None:
    key = RSAPublicNumbers(exponent, (1 << 2047) | (1 << 100) | 1).public_key()
    return refused(lambda: verify((certificate_of(public_key=key),), "localhost", trust=TRUST))


def intermediates(number: int) -> Reason | None:
    authority = AUTHORITY
    for _ in range(number):
        authority = authority.intermediate(path_length=None)
    return refused(lambda: verify(authority.issue("localhost").chain, "localhost", trust=TRUST))


def signature_checks(number: int) -> Reason | None:
    """So many anchors of the same name, each of which might have signed the leaf; the last one did.

    The leaf has expired: to say so, the way to its anchor must be found.
    """
    anchors = [Authority.create("one of many") for _ in range(number)]
    leaf = anchors[-1].issue("localhost", fault="expired").chain
    return refused(lambda: verify(leaf, "localhost", trust=Trust.of([each.certificate for each in anchors])))


def name_checks(number: int) -> Reason | None:
    constraints = x509.NameConstraints([x509.DNSName("test")], None)
    names = [x509.DNSName("a.test")] * number
    leaf = x509.load_der_x509_certificate(certificate_of())
    fault = name_fault([(leaf, names)], constraints)
    return None if fault is None else fault.reason


def ocsp_response(size: int) -> str:
    try:
        TRUST.verify_server(ECDSA.chain, "localhost", time.time(), ocsp=bytes(size))
    except TLSError as error:
        return "too long" if "are the most" in error.detail else "read"
    return "believed"


def ahead_of_us(seconds: int) -> Reason | None:
    """An OCSP response by a clock that is so many seconds ahead of ours."""
    now = int(time.time())
    staple = AUTHORITY.staple(ECDSA, this_update=now + seconds)
    return refused(lambda: TRUST.verify_server(ECDSA.chain, "localhost", now, ocsp=staple))


def key_updates(times: int) -> Reason | None:
    found = connected(client(), server())
    for _ in range(times):
        found.client.update_keys()
    return reason_of(found.go_on().server_error)


def dummies(times: int) -> Reason | None:
    fault = insert(*[Record(20, b"\1")] * (times - 1), after=ClientHello)  # one comes from the client itself
    return reason_of(talk(client(fault), server()).server_error)


def hello_requests(times: int) -> Reason | None:
    found: Any = connected(client(policy=TLS12), server(Tap(), policy=TLS12))
    for _ in range(times):
        found.server.inject_message(HelloRequest())
    return reason_of(found.go_on().client_error)


def tickets(times: int, lifetime: int = 60) -> Reason | None:
    found: Any = connected(client(), server(Tap(), tickets=0))
    found.server.inject_message(*[NewSessionTicket(lifetime, 0, b"", b"ticket", {})] * times)
    return reason_of(found.go_on().client_error)


def skipped(size: int) -> Reason | None:
    """Refused early data of `size` bytes on the wire."""
    tap = Tap()
    fault = extensions(ClientHello, {X.early_data: b""})
    one: Any = client(fault, tap)
    other = server()
    other.receive_data(one.data_to_send()[: 5 + len(tap.sent[0])])  # type: ignore[arg-type]
    other.data_to_send()

    def send() -> None:
        left = size
        while left:
            piece = min(left, 1024)
            other.receive_data(b"\x17\x03\x03" + piece.to_bytes(2, "big") + bytes(piece))
            left -= piece

    return refused(send)


def age_off_by(seconds: float) -> str | None:
    """What becomes of early data whose ticket is older, or younger, than the client says."""
    config = early_config()
    session = session_from(config)
    session.issued_at = int(1.7e12)
    sealed = config.issuer.open(session.ticket)
    assert sealed is not None
    mine = TicketContent.decode(sealed)
    mine.issued_at = int(1.7e12)
    session.ticket = config.issuer.seal(mine.encode())
    config = config.replace(ticket_issuer=config.issuer, now=lambda: 1.7e9 + 1 - seconds)
    one = early_client(session, now=lambda: 1.7e9 + 1)
    talk(one, server(config=config))
    return one.info.early_data if one.handshake_complete else str(one.error)


def number_of_a_record(suite: int, number: int) -> Reason | None:
    """A record with that sequence number, counted from 0."""
    found = SUITES[suite]
    assert found.aead is not None
    key = Secret(bytes(found.aead.key_length))
    sealing: Sealing12 | Sealing13
    if found.tls13:
        sealing = Sealing13(found.aead, TrafficSecret(found.hash, Secret(bytes(found.hash.length))), 3)
    else:
        sealing = Sealing12(found, found.aead, key, Secret(bytes(found.iv_length)))
    sealing._sequence = number
    return refused(lambda: sealing.seal(23, b"data"))


def identities(place: int) -> bool:
    """Whether a key is found at that place of the client's list, counted from 1."""
    others = [PreSharedKey(b"unknown %d" % n, Secret(bytes(32))) for n in range(place - 1)]
    found = talk(client(psks=(*others, PSK)), server(psks=(PSK,)))
    return found.server.info.external_psk


class Case(NamedTuple):
    """What happens at a value: the same at the limit and below, something else one past it."""

    happens: Callable[[int], Any]
    at: int
    past: int
    good: Any
    bad: Any


def case(happens: Callable[[int], Any], limit: int, bad: Any, *, step: int = 1, good: Any = None) -> Case:
    return Case(happens, limit, limit + step, good, bad)


R = Reason
CASES: dict[str, Case] = {
    "MAX_PLAINTEXT": case(lambda n: sent(23, bytes(n)), limits.MAX_PLAINTEXT, R.RECORD_OVERFLOW),
    "MAX_CIPHERTEXT_13": case(header, limits.MAX_CIPHERTEXT_13, R.CIPHERTEXT_OVERFLOW),
    "MAX_CIPHERTEXT_12": case(
        lambda n: header(n, policy=TLS12), limits.MAX_CIPHERTEXT_12, R.CIPHERTEXT_OVERFLOW
    ),
    "MAX_HANDSHAKE_MESSAGE": case(hello_of, limits.MAX_HANDSHAKE_MESSAGE, R.MESSAGE_TOO_LONG),
    "MAX_CERTIFICATE_MESSAGE": case(certificate_message, limits.MAX_CERTIFICATE_MESSAGE, R.MESSAGE_TOO_LONG),
    "MAX_CERTIFICATES": case(certificates, limits.MAX_CERTIFICATES, R.CERTIFICATE_CHAIN_TOO_LONG),
    "MIN_RSA_BITS": case(rsa_bits, limits.MIN_RSA_BITS, R.WEAK_CERTIFICATE_KEY, step=-8),
    "MAX_RSA_BITS": case(rsa_bits, limits.MAX_RSA_BITS, R.WEAK_CERTIFICATE_KEY, step=8),
    "MAX_RSA_EXPONENT": case(rsa_exponent, limits.MAX_RSA_EXPONENT, R.WEAK_CERTIFICATE_KEY, step=2),
    "MAX_INTERMEDIATES": case(intermediates, limits.MAX_INTERMEDIATES, R.CERTIFICATE_CHAIN_TOO_LONG),
    "MAX_SIGNATURE_CHECKS": case(
        signature_checks, limits.MAX_SIGNATURE_CHECKS, R.UNKNOWN_CA, good=R.CERTIFICATE_EXPIRED
    ),
    "MAX_NAME_CHECKS": case(name_checks, limits.MAX_NAME_CHECKS, R.NAME_CONSTRAINTS),
    "MAX_OCSP_RESPONSE": case(ocsp_response, limits.MAX_OCSP_RESPONSE, "too long", good="read"),
    "MAX_CLOCK_SKEW": case(ahead_of_us, limits.MAX_CLOCK_SKEW, R.BAD_OCSP_RESPONSE),
    "MAX_EMPTY_RECORDS": case(lambda n: sent(23, b"", n), limits.MAX_EMPTY_RECORDS, R.TOO_MANY_EMPTY_RECORDS),
    "MAX_WARNING_ALERTS": case(
        lambda n: sent(21, b"\1\x5a", n, policy=TLS12), limits.MAX_WARNING_ALERTS, R.TOO_MANY_WARNING_ALERTS
    ),
    "MAX_KEY_UPDATES": case(key_updates, limits.MAX_KEY_UPDATES, R.TOO_MANY_KEY_UPDATES),
    "MAX_CHANGE_CIPHER_SPECS": case(dummies, limits.MAX_CHANGE_CIPHER_SPECS, R.TOO_MANY_CHANGE_CIPHER_SPECS),
    "MAX_HELLO_REQUESTS": case(hello_requests, limits.MAX_HELLO_REQUESTS, R.TOO_MANY_HELLO_REQUESTS),
    "MAX_TICKETS_RECEIVED": case(tickets, limits.MAX_TICKETS_RECEIVED, R.TOO_MANY_TICKETS),
    "MAX_SKIPPED_EARLY_DATA": case(skipped, limits.MAX_SKIPPED_EARLY_DATA, R.TOO_MUCH_SKIPPED_EARLY_DATA),
    "MAX_TICKET_LIFETIME": case(lambda n: tickets(1, n), limits.MAX_TICKET_LIFETIME, R.BAD_TICKET),
    "MAX_IDENTITIES_TRIED": case(identities, limits.MAX_IDENTITIES_TRIED, False, good=True),
    "EARLY_DATA_WINDOW": case(age_off_by, limits.EARLY_DATA_WINDOW, "refused", good="accepted"),
    "MAX_RECORDS_GCM": case(
        lambda n: number_of_a_record(0x1301, n), limits.MAX_RECORDS_GCM - 1, R.SEQUENCE_OVERFLOW
    ),
    "MAX_RECORDS_CCM": case(
        lambda n: number_of_a_record(0xC0AC, n), limits.MAX_RECORDS_CCM - 1, R.SEQUENCE_OVERFLOW
    ),
    "MAX_RECORDS_CHACHA": case(
        lambda n: number_of_a_record(0xCCA9, n), limits.MAX_RECORDS_CHACHA - 1, R.SEQUENCE_OVERFLOW
    ),
}


def test_every_limit_is_in_the_table() -> None:
    names = {
        name for name, value in vars(limits).items() if isinstance(value, (int, float)) and name.isupper()
    }
    assert set(CASES) == names


@pytest.mark.parametrize("name", CASES)
def test_at_the_limit_and_one_past_it(name: str) -> None:
    found = CASES[name]
    assert found.happens(found.at) == found.good
    assert found.happens(found.past) == found.bad
    if name == "EARLY_DATA_WINDOW":
        assert found.happens(-found.at) == found.good
        assert found.happens(-found.past) == found.bad
