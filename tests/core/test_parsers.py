"""Every parser that eats bytes of a stranger: random and damaged input gives a named refusal, no more.

The structures of the wire have theirs in tests/wire, sessions and tickets in tests/resumption, captures in
tests/glass. Here is the rest: certificates and their lists, OCSP responses, SCT lists, cookies, stored
traces and key logs, PEM, and the names in them.
"""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import Identity, Session, TLSError, Trust, UsageError, verify
from pellucid.errors import Reason
from pellucid.glass import Trace
from pellucid.glass.capture.keys import KeyRing
from pellucid.lab import edit, extensions
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import Certificate, ClientHello
from rfc.world import (
    AUTHORITY,
    ECDSA,
    TLS13,
    TRUST,
    client,
    client_config,
    connected,
    server,
    server_config,
    session_from,
    talk,
)

FEW = settings(max_examples=60, deadline=None)
STAPLE = AUTHORITY.staple(ECDSA)
RETRY = TLS13.replace(key_shares=(0x1D,))
RETRYING = server_config(TLS13.replace(groups=(0x17,)), stateless_retry=True)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` with a few bytes changed, cut out or put in; or anything at all."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.binary(max_size=60))
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        how = draw(st.integers(0, 2))
        if how == 0 and data:
            data[at] = draw(st.integers(0, 255))
        elif how == 1:
            del data[at : at + draw(st.integers(1, 8))]
        else:
            data[at:at] = draw(st.binary(max_size=8))
    return bytes(data)


def named(error: TLSError | None) -> None:
    """Nothing but a named refusal ever leaves, and never our own mistake."""
    assert error is None or error.reason is not Reason.INTERNAL, error


@FEW
@given(st.lists(damaged(ECDSA.leaf), min_size=1, max_size=3))
def test_certificates(chain: list[bytes]) -> None:
    try:
        verify(tuple(chain), "localhost", trust=TRUST)
    except TLSError as error:
        named(error)


@FEW
@given(damaged(Certificate(b"", ()).encode() + ECDSA.leaf[:200]))
def test_certificate_messages(body: bytes) -> None:
    from pellucid.lab import replace
    from pellucid.wire.messages import handshake

    named(talk(client(), server(replace(Certificate, handshake(11, body)))).client_error)


@FEW
@given(damaged(STAPLE))
def test_ocsp_responses(staple: bytes) -> None:
    """A changed one is never taken for a good one: it is refused, or it is the same bytes."""
    try:
        TRUST.verify_server(ECDSA.chain, "localhost", time.time(), ocsp=staple)
    except TLSError as error:
        assert error.reason in (Reason.BAD_OCSP_RESPONSE, Reason.CERTIFICATE_REVOKED)
    else:
        assert staple == STAPLE


@FEW
@given(damaged(ext.SignedCertificateTimestamps((b"one", b"two")).encode()))
def test_sct_lists(body: bytes) -> None:
    def staple(message: Any) -> None:
        message.certificate_list[0].extensions = {X.signed_certificate_timestamp: body}

    named(talk(client(request_scts=True), server(edit(Certificate, staple))).client_error)


@pytest.fixture(scope="module")
def cookie() -> bytes:
    """One that this server made."""
    from pellucid.lab import Tap

    tap = Tap()
    talk(client(policy=RETRY), server(tap, config=RETRYING))
    from pellucid.lab import HelloRetryRequest

    return bytes(tap.the(HelloRetryRequest).extensions[X.cookie])


@FEW
@given(st.data())
def test_cookies(cookie: bytes, data: st.DataObject) -> None:
    """Of the second hello, and of a first one whose server has forgotten everything."""
    body = data.draw(damaged(cookie))
    nth = data.draw(st.sampled_from([1, 2]))
    fault = extensions(ClientHello, {X.cookie: body}, nth=nth)
    found = talk(client(fault, policy=RETRY), server(config=RETRYING))
    named(found.server_error)
    if body != cookie:
        assert found.server_error is not None


@FEW
@given(st.data())
def test_tickets(data: st.DataObject) -> None:
    config = server_config()
    session = session_from(config)
    good = session.ticket
    session.ticket = data.draw(damaged(good)) or b"?"
    found = connected(client(sessions=(session,)), server(config=config))
    assert found.client.info.resumed is (session.ticket == good)


@FEW
@given(st.data())
def test_sessions(data: st.DataObject) -> None:
    good = session_from(server_config()).to_bytes()
    stored = data.draw(damaged(good))
    try:
        session = Session.from_bytes(stored)
    except UsageError as error:
        assert error.reason is Reason.BAD_CONFIG
    else:
        named(talk(client(sessions=(session,)), server()).refusal)


def a_trace() -> str:
    trace = Trace()
    connected(client(config=client_config(observer=trace)), server())
    file = io.StringIO()
    trace.write(file)
    return file.getvalue()


TRACE = a_trace().encode()


@FEW
@given(damaged(TRACE))
def test_stored_traces(stored: bytes) -> None:
    try:
        Trace.read(io.StringIO(stored.decode("utf-8", "replace")))
    except UsageError as error:
        assert error.reason is Reason.BAD_CONFIG


WORDS = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.integers() | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=8,
)


@FEW
@given(JSON)
def test_traces_of_other_shapes(value: Any) -> None:
    head = TRACE.decode().splitlines()[0]
    for text in (json.dumps(value), f"{head}\n{json.dumps(value)}\n"):
        try:
            Trace.read(io.StringIO(text))
        except UsageError as error:
            assert error.reason is Reason.BAD_CONFIG


LOG = (
    "CLIENT_RANDOM "
    + "11" * 32
    + " "
    + "22" * 48
    + "\n# a remark\nEXPORTER_SECRET "
    + "33" * 32
    + " "
    + "44" * 32
)


@FEW
@given(damaged(LOG.encode()))
def test_key_logs(stored: bytes) -> None:
    try:
        read_key_log(stored.decode("utf-8", "replace"))
    except UsageError as error:
        assert error.reason is Reason.BAD_CONFIG


def read_key_log(text: str) -> None:
    KeyRing().add(text.splitlines())


@FEW
@given(damaged(ECDSA.to_pem()))
def test_pem(stored: bytes) -> None:
    for load in (Identity.from_pem, lambda pem: Trust.from_pem(pem)):
        try:
            load(stored)
        except UsageError as error:
            assert error.reason in (Reason.BAD_KEY_FILE, Reason.KEY_MISMATCH, Reason.BAD_CONFIG)
