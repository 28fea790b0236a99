"""Sessions: as bytes, bound to host, application protocol and verification settings, and used once.

RFC 8446 sections 4.6.1 and appendix C.4; RFC 5077; RFC 9149 (ticket_request).
"""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import Authority, ClientConfig, ClientSessions, Identity, Policy, Session, Trust
from pellucid.errors import Reason
from pellucid.events import VerifyPeer
from pellucid.lab import Tap, extensions
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert, CipherSuite
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello, EncryptedExtensions, ServerHello
from rfc.world import (
    AUTHORITY,
    BOTH,
    RSA,
    TLS12,
    TLS13,
    client,
    connected,
    refused,
    server,
    server_config,
    session_from,
    sessions,
    talk,
)

VERSIONS = pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])


def resumes(config: Any, session: Session, **settings: Any) -> bool:
    stored = Session.from_bytes(session.to_bytes())
    name = settings.pop("name", "localhost")
    found = connected(
        client(policy=config.policy, sessions=(stored,), name=name, **settings), server(config=config)
    )
    assert found.client.info.resumed is found.server.info.resumed
    return found.client.info.resumed


@VERSIONS
def test_certificate_types_in_a_resumption(policy: Policy) -> None:
    """RFC 7250 section 4: the server says what its own key is; it asks the client for none."""
    raw = Identity.raw(AUTHORITY.issue("localhost").key)
    keys = (raw.raw_public_key,)
    config = server_config(
        policy,
        identities=(raw,),
        client_auth="require",
        client_certificate_types=(2,),
        trusted_public_keys=keys,
    )
    settings: dict[str, Any] = {
        "server_certificate_types": (2,),
        "client_certificate_types": (2,),
        "trusted_public_keys": keys,
        "identities": (raw,),
    }
    session = session_from(config, **settings)
    answer = EncryptedExtensions if policy is TLS13 else ServerHello
    for offer, types in ((), (True, True)), ((session,), (True, False)):
        tap = Tap()
        found = connected(client(policy=policy, sessions=offer, **settings), server(tap, config=config))
        assert found.client.info.resumed is bool(offer)
        messages = [item for item in tap.sent if isinstance(item, bytes)]
        said = next(answer.decode(m[4:]) for m in messages if m[0] == answer.msg_type).extensions
        assert (X.server_certificate_type in said, X.client_certificate_type in said) == types


# -- what a session is bound to --------------------------------------------------------------------


@VERSIONS
def test_the_application_protocol(policy: Policy) -> None:
    config = server_config(policy, alpn=("h2", "http/1.1"))
    session = session_from(config, alpn=("h2",))
    assert session.alpn == b"h2"
    assert resumes(config, session, alpn=("h2", "http/1.1"))
    assert not resumes(config, session, alpn=("http/1.1",))
    assert not resumes(config, session)
    free = config.replace(ticket_issuer=config.issuer, resume_across_alpn=True)
    assert resumes(free, session, alpn=("http/1.1",), resume_across_alpn=True)


@VERSIONS
def test_a_server_refuses_a_ticket_of_another_protocol(policy: Policy) -> None:
    """A client that does not care is met with a full handshake."""
    config = server_config(policy, alpn=("h2", "http/1.1"))
    session = session_from(config, alpn=("h2",))
    assert not resumes(config, session, alpn=("http/1.1",), resume_across_alpn=True)
    assert resumes(config, session, alpn=("h2",), resume_across_alpn=True)


def test_a_session_holds_nobody_to_an_older_suite() -> None:
    """TLS 1.2 resumes by the session's own suite: not where a full handshake would come to a better one."""
    gcm, cbc = (
        CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    )
    policy = TLS12.replace(cipher_suites=(gcm, cbc), legacy=frozenset({"cbc"}))
    config = server_config(policy, identities=(RSA,))
    only = policy.replace(cipher_suites=(cbc,))
    (session, *_) = sessions(connected(client(policy=only), server(config=config)).client_events)
    for offer, resumed in ((only, True), (policy, False)):
        found = connected(client(policy=offer, sessions=(session,)), server(config=config))
        assert found.client.info.resumed is resumed
        assert found.client.info.cipher_suite == (cbc if resumed else gcm)


@VERSIONS
def test_the_verification_settings(policy: Policy) -> None:
    config = server_config(policy)
    session = session_from(config)
    other_ca = Authority.create().trust()
    assert resumes(config, session)
    for trust in (Trust.insecure(), AUTHORITY.trust(profile="webpki"), other_ca):
        changed = ClientConfig(policy=policy, trust=trust, sessions=(session,))
        found = talk(client(config=changed), server(config=config))
        assert found.client.handshake_complete is (trust is not other_ca)
        assert not (found.client.handshake_complete and found.client.info.resumed)


def test_who_judges_and_which_raw_keys_are_trusted() -> None:
    config = server_config(TLS13)
    session = session_from(config)
    key = Identity.raw(AUTHORITY.issue("localhost").key).raw_public_key
    assert not resumes(config, session, trusted_public_keys=(key,))
    assert not resumes(config, session, server_certificate_types=(0, 2), trusted_public_keys=(key,))
    asking = client(sessions=(session,), ask=frozenset({VerifyPeer}))
    found = talk(asking, server(config=config))
    assert any(isinstance(event, VerifyPeer) for event in found.client_events), "it was asked, not resumed"


@VERSIONS
def test_the_host(policy: Policy) -> None:
    both = (AUTHORITY.issue("localhost", "other.test"),)
    config = server_config(policy, identities=both)
    session = session_from(config)
    assert resumes(config, session, name="LOCALHOST")
    assert not resumes(config, session, name="other.test")


# -- the client's own store ------------------------------------------------------------------------


@VERSIONS
def test_a_store_resumes_by_itself(policy: Policy) -> None:
    config = server_config(policy)
    store = ClientSessions()
    seen = []
    for _ in range(3):
        found = connected(client(policy=policy, session_store=store), server(config=config))
        seen.append(found.client.info.resumed)
        assert sessions(found.client_events) or policy is TLS12
    assert seen == [False, True, True]


def test_a_ticket_of_tls13_is_handed_out_once() -> None:
    config = server_config(TLS13, tickets=2)
    store = ClientSessions()
    connected(client(session_store=store), server(config=config))
    offered = []
    for _ in range(4):
        tap = Tap()
        client(tap, session_store=store)
        body = tap.the(ClientHello).extensions.get(X.pre_shared_key)
        if body is not None:
            offered += [one.identity for one in ext.OfferedPsks.decode(body).identities]
    assert len(offered) == len(set(offered)) == 2


def test_a_store_keeps_servers_and_settings_apart_and_has_an_end() -> None:
    config = server_config(TLS13, identities=(AUTHORITY.issue("localhost", "other.test"),), tickets=6)
    store = ClientSessions(size=2, each=4)
    connected(client(session_store=store), server(config=config))
    assert len(store) == 4
    other = connected(client(session_store=store, name="other.test"), server(config=config))
    assert not other.client.info.resumed
    assert len(store) == 8
    config = config.replace(identities=(AUTHORITY.issue("third.test"),))
    connected(client(session_store=store, name="third.test"), server(config=config))
    assert len(store) == 8, "the one longest unused is forgotten"


def test_a_store_offers_both_versions() -> None:
    store = ClientSessions()
    for policy in (TLS13, TLS12):
        connected(client(policy=policy, session_store=store), server(config=server_config(policy)))
    tap = Tap()
    client(tap, policy=BOTH, session_store=store)
    hello = tap.the(ClientHello)
    assert hello.extensions[X.session_ticket]
    assert X.pre_shared_key in hello.extensions


# -- ticket_request (RFC 9149) ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "own", "due"), [((3, 1), 5, 3), ((3, 1), 2, 2), ((0, 0), 2, 0), ((255, 0), 4, 4)]
)
def test_the_client_says_how_many_tickets(asked: tuple[int, int], own: int, due: int) -> None:
    tap = Tap()
    found = connected(client(tickets=asked), server(tap, tickets=own))
    assert len(sessions(found.client_events)) == due
    answer = tap.the(EncryptedExtensions).extensions[X.ticket_request]
    assert ext.TicketRequestHint.decode(answer).expected_count == due


def test_a_resumption_has_a_count_of_its_own() -> None:
    config = server_config(TLS13, tickets=5)
    session = session_from(config, tickets=(1, 4))
    found = connected(client(sessions=(session,), tickets=(1, 4)), server(config=config))
    assert found.client.info.resumed
    assert len(sessions(found.client_events)) == 4


@pytest.mark.parametrize("body", [b"", b"\1", b"\1\2\3"])
def test_a_ticket_request_that_cannot_be_read(body: bytes) -> None:
    found = talk(client(extensions(ClientHello, {X.ticket_request: body})), server())
    refused(
        found, "server", Reason.TRAILING_DATA if len(body) > 2 else Reason.DECODE_ERROR, Alert.decode_error
    )


@pytest.mark.parametrize("body", [b"", b"\1\2"])
def test_a_hint_that_cannot_be_read(body: bytes) -> None:
    found = talk(client(tickets=(1, 1)), server(extensions(EncryptedExtensions, {X.ticket_request: body})))
    refused(found, "client", Reason.TRAILING_DATA if body else Reason.DECODE_ERROR, Alert.decode_error)


def test_a_hint_that_was_not_asked_for() -> None:
    found = talk(client(), server(extensions(EncryptedExtensions, {X.ticket_request: b"\1"})))
    refused(found, "client", Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension)
