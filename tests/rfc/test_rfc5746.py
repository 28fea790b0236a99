"""RFC 5746: the renegotiation indication. pellucid never renegotiates; it signals, checks and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import Policy
from pellucid.errors import Reason
from pellucid.events import WarningAlert
from pellucid.lab import Tap, edit, extensions
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert, CipherSuite
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello, HelloRequest, ServerHello

from .world import BOTH, RELAXED12, TLS12, client, connected, refused, server, talk

SCSV = CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV
FULL = ext.RenegotiationInfo(b"x" * 12).encode()


@pytest.mark.rfc("rfc5746:3.4:1")
@pytest.mark.parametrize("policy", [TLS12, BOTH, RELAXED12])
def test_a_client_signals_secure_renegotiation(policy: Policy) -> None:
    tap = Tap()
    client(tap, policy=policy).data_to_send()
    assert tap.the(ClientHello).extensions[X.renegotiation_info] == b"\0"


@pytest.mark.rfc("rfc5746:3.4:3", "rfc5746:4.1:1")
def test_a_client_refuses_a_server_without_it() -> None:
    fault = extensions(ServerHello, {X.renegotiation_info: None})
    found = talk(client(policy=TLS12), server(fault, policy=TLS12))
    refused(found, "client", Reason.INSECURE_RENEGOTIATION, Alert.handshake_failure)


@pytest.mark.rfc("rfc5746:3.4:3")
def test_a_relaxed_client_notes_its_absence() -> None:
    fault = extensions(ServerHello, {X.renegotiation_info: None})
    for faults, secure in (((fault,), False), ((Tap(),), True)):
        found = connected(client(policy=RELAXED12), server(*faults, policy=RELAXED12))
        assert found.client.info.secure_renegotiation is secure


@pytest.mark.rfc("rfc5746:3.4:4", "rfc5746:3.4:5")
def test_a_client_refuses_one_that_is_not_empty() -> None:
    for policy in (TLS12, RELAXED12):
        fault = extensions(ServerHello, {X.renegotiation_info: FULL})
        found = talk(client(policy=policy), server(fault, policy=policy))
        refused(found, "client", Reason.RENEGOTIATION_MISMATCH, Alert.handshake_failure)


@pytest.mark.rfc("rfc5746:3.6:1", "rfc5746:3.6:5", "rfc5746:4.3:1")
def test_a_server_answers_the_scsv() -> None:
    def signal(hello: Any) -> None:
        hello.cipher_suites = (*hello.cipher_suites, SCSV)

    tap = Tap()
    without = extensions(ClientHello, {X.renegotiation_info: None})
    talk(client(without, edit(ClientHello, signal), policy=TLS12), server(tap, policy=TLS12))
    assert tap.the(ServerHello).extensions[X.renegotiation_info] == b"\0"


@pytest.mark.rfc("rfc5746:3.6:2", "rfc5746:3.6:5", "rfc5746:4.3:1")
def test_a_server_answers_the_extension() -> None:
    tap = Tap()
    connected(client(policy=TLS12), server(tap, policy=TLS12))
    assert tap.the(ServerHello).extensions[X.renegotiation_info] == b"\0"


def test_a_server_answers_nobody_who_did_not_signal() -> None:
    tap = Tap()
    without = extensions(ClientHello, {X.renegotiation_info: None})
    talk(client(without, policy=RELAXED12), server(tap, policy=TLS12))
    assert X.renegotiation_info not in tap.the(ServerHello).extensions


@pytest.mark.rfc("rfc5746:3.6:8", "rfc5246:7.4.1.4:3")
@pytest.mark.parametrize("kind", [X.record_size_limit, X.server_certificate_type, 0xFAFA])
def test_the_exception_is_for_this_extension_only(kind: int) -> None:
    """RFC 5246 section 7.4.1.4: any other extension of a server answers one of the client."""
    found = talk(client(policy=TLS12), server(extensions(ServerHello, {kind: b""}), policy=TLS12))
    refused(found, "client", Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension)


@pytest.mark.rfc("rfc5746:3.6:3", "rfc5746:3.6:4")
def test_a_server_refuses_one_that_is_not_empty() -> None:
    fault = extensions(ClientHello, {X.renegotiation_info: FULL})
    found = talk(client(fault, policy=TLS12), server(policy=TLS12))
    refused(found, "server", Reason.RENEGOTIATION_MISMATCH, Alert.handshake_failure)


@pytest.mark.rfc("rfc5746:3.6:6", "rfc5746:3.6:7")
@pytest.mark.parametrize("version", [0x0303, 0x0304, 0x0399, 0x04FF])
def test_unknown_extensions_and_higher_versions_are_taken(version: int) -> None:
    faults = edit(ClientHello, legacy_version=version), extensions(ClientHello, {0xFAFA: b"?"})
    tap = Tap()
    talk(client(*faults, policy=TLS12), server(tap, policy=TLS12))
    assert tap.the(ServerHello).legacy_version == 0x0303


@pytest.mark.rfc("rfc5746:4.2:2")
def test_a_client_answers_a_hello_request_with_a_warning() -> None:
    tap = Tap()
    found: Any = connected(client(tap, policy=TLS12), server(Tap(), policy=TLS12))
    found.server.inject_message(HelloRequest())
    found.go_on()
    assert found.completed
    assert [body for kind, _, body in tap.records if kind == 21] == [bytes([1, Alert.no_renegotiation])]
    assert [e.description for e in found.server_events if isinstance(e, WarningAlert)] == [100]
    found.server.inject_message(HelloRequest())
    refused(found.go_on(), "client", Reason.TOO_MANY_HELLO_REQUESTS, Alert.unexpected_message)


def test_a_server_refuses_to_renegotiate() -> None:
    tap = Tap()
    found: Any = connected(client(tap, policy=TLS12), server(policy=TLS12))
    found.client.inject_message(tap.the(ClientHello))
    refused(found.go_on(), "server", Reason.RENEGOTIATION_REFUSED, Alert.no_renegotiation)
