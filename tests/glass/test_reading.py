"""Whatever was recorded, as traces."""

from __future__ import annotations

import io
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import ClientConnection, ServerConnection, UsageError
from pellucid.glass.capture import KeyRing, export
from pellucid.glass.decode import Reader
from pellucid.glass.reading import read
from pellucid.glass.story import tell
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS
from pellucid.glass.views.trust import TrustView
from support import TLS12, House, pump


@pytest.fixture
def trace(house: House) -> Trace:
    found = Trace()
    pair = (
        ClientConnection(house.client(TLS12, observer=found), "localhost"),
        ServerConnection(house.servers(TLS12)),
    )
    pump(*pair)
    return found


def names(trace: Trace) -> list[str]:
    reader = Reader(trace)
    return [reader.message(fact).name for fact in trace.of("message")]


def test_a_trace_and_a_capture_of_it(trace: Trace) -> None:
    file = io.StringIO()
    trace.write(file)
    for data in (file.getvalue().encode(), export(trace)):
        (found,) = read(data)
        assert names(found.trace) == names(trace)


@pytest.mark.parametrize("form", ["PEM", "PEM with a key", "DER", "hex", "hex with colons"])
@pytest.mark.parametrize("length", [1, 2])
def test_certificates_by_themselves(house: House, form: str, length: int) -> None:
    """RFC 7468, X.690: a chain too. Each byte has its field; of trust all is told that can be known."""
    identity = house.server["ecdsa-p256"]
    issuer = ssl.PEM_cert_to_DER_cert(house.authority.pem.decode())
    chain = (identity.chain[0], issuer)[:length]
    pem = "".join(map(ssl.DER_cert_to_PEM_cert, chain)).encode()
    der = b"".join(chain)
    key = b"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n"
    (found,) = read({
        "PEM": b"# issued for a test\n" + pem,
        "PEM with a key": key + pem,
        "DER": der,
        "hex": der.hex().encode(),
        "hex with colons": der.hex(":", 1).upper().encode(),
    }[form])  # fmt: skip
    assert "localhost" in found.title
    assert "TLS 1.2" in found.about
    assert names(found.trace) == ["Certificate"]
    (message,) = VIEWS["bytes"].build(found.trace).messages
    assert all(one in message.raw for one in chain)
    assert "tbsCertificate" in str(message.field)
    trust: TrustView = VIEWS["trust"].build(found.trace)
    (told,) = trust.chains
    assert told.verdict == "refused"  # no system trusts an authority that was made for a test
    checks = {check.what: check for check in told.certificates[0].checks}
    assert checks["validity"].passed
    assert checks["key"].passed
    assert "name" not in checks  # nobody asked for one
    if length == 2:
        assert checks["signature"].passed
    assert len(told.certificates) == length


@pytest.mark.parametrize("data", [b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n", b"0\x82"])
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(UsageError):
        read(data)


def test_what_one_side_sent_as_hex_or_bytes(trace: Trace) -> None:
    for sent, first in ((True, "ClientHello"), (False, "ServerHello")):
        flight = b"".join(
            fact.fields["wire"]
            for fact in trace.of("record")
            if fact.fields["sent"] == sent and fact.fields["epoch"] == 0 and fact.fields["content_type"] == 22
        )
        for data in (
            flight,
            flight.hex().encode(),
            flight.hex(":", 1).encode(),
            flight.hex("\n", 16).encode(),
        ):
            (found,) = read(data)
            assert found.title == "TLS records"
            assert names(found.trace)[0] == first
            tell(client=found.trace)


def test_a_message_without_a_record(trace: Trace) -> None:
    for fact in trace.of("message"):
        if fact.fields["epoch"] == 0:
            (found,) = read(fact.fields["raw"].hex().encode())
            assert found.title == "a handshake message"
            assert [one.fields["raw"] for one in found.trace.of("message")] == [fact.fields["raw"]]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello", "no hex"),
        (b"", "nothing to decode"),
        (b"-----BEGIN CERTIFICATE-----", "No certificate can be read"),
        (b"{}", "trace"),
        (b"30 82 01 02", "neither TLS records"),
        (b"\xa1\xb2\xc3\xd4", "No TLS connection"),
    ],
)
def test_other_things_are_refused_with_a_word(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read(data)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x16\x03\x01", b"\x01\x00", b"{", b"\x0a\x0d\x0d\x0a"])
)
def test_any_bytes_are_read_or_refused(noise: bytes, start: bytes) -> None:
    try:
        found = read(start + noise, KeyRing())
    except UsageError:
        return
    for one in found:
        tell(client=one.trace)
