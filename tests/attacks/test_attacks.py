"""Attacks of the last decade on handshakes, records, certificates and resumption, one test each.

docs/attacks.md holds the whole table; what is defended by tests elsewhere is linked from there.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import tracemalloc
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from core.recipes import certificate_of
from pellucid import Authority, ConnectionEnded, Policy, TLSError, verify
from pellucid.errors import Reason
from pellucid.lab import (
    Fault,
    Outgoing,
    Tap,
    drop,
    edit,
    extensions,
    insert,
    records,
    replace,
)
from pellucid.limits import MAX_HANDSHAKE_MESSAGE
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    NewSessionTicket,
    ServerHello,
    handshake,
)
from rfc.world import (
    AUTHORITY,
    BOTH,
    CLIENT,
    ECDSA,
    PSK,
    TLS12,
    TLS13,
    TRUST,
    client,
    client_config,
    connected,
    refused,
    server,
    server_config,
    talk,
)

VERSIONS = pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
MUTUAL: dict[str, Any] = {"client_auth": "require", "client_trust": TRUST}


# -- who is it? ------------------------------------------------------------------------------------


def nothing(message: Any) -> None:
    message.certificate_list = ()


@pytest.mark.parametrize("proof", [True, False], ids=["with CertificateVerify", "without"])
def test_an_empty_certificate_is_nobody(proof: bool) -> None:
    """wolfSSL CVE-2020-24613 and TLS-Anvil: an empty list, and then no proof of anything."""
    faults: list[Fault] = [edit(Certificate, nothing)] + ([] if proof else [drop(CertificateVerify)])
    found = talk(client(), server(*faults))
    refused(found, "client", Reason.NO_CERTIFICATE, Alert.decode_error)
    found = talk(client(edit(Certificate, nothing), identities=(CLIENT,)), server(**MUTUAL))
    assert found.server_error is not None
    assert found.server_error.reason in (Reason.CERTIFICATE_REQUIRED, Reason.UNEXPECTED_MESSAGE)


def test_a_chain_without_its_proof_is_nobody() -> None:
    refused(
        talk(client(), server(drop(CertificateVerify))),
        "client", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message,
    )  # fmt: skip
    found = talk(client(drop(CertificateVerify), identities=(CLIENT,)), server(**MUTUAL))
    refused(found, "server", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519", "ed448", "ml-dsa-44"])
def test_goto_fail_every_signature_counts(kind: str) -> None:
    """Any bit of the signature, another key's, or one made for the other role's context."""
    identity = AUTHORITY.issue("localhost", key=kind)
    other = AUTHORITY.issue("localhost", key=kind)
    dice = random.Random(kind)
    seen: list[Any] = []
    connected(client(), server(edit(CertificateVerify, seen.append), identities=(identity,)))
    size = len(seen[0].signature)

    def flipped(message: Any) -> None:
        changed = bytearray(message.signature)
        changed[dice.randrange(min(size, len(changed)))] ^= 1 << dice.randrange(8)
        message.signature = bytes(changed)

    for _ in range(8):
        found = talk(client(), server(edit(CertificateVerify, flipped), identities=(identity,)))
        refused(found, "client", Reason.BAD_SIGNATURE, Alert.decrypt_error)
    found = talk(client(), server(edit(Certificate, lambda m: shown(m, other)), identities=(identity,)))
    refused(found, "client", Reason.BAD_SIGNATURE, Alert.decrypt_error)


def shown(message: Any, identity: Any) -> None:
    message.certificate_list[0].cert_data = identity.leaf


def test_a_signature_for_the_other_role_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8446 section 4.4.3: the context string keeps a client's signature from passing as a server's."""
    from pellucid.handshake import authentication, server13

    monkeypatch.setattr(server13, "SERVER_CONTEXT", authentication.CLIENT_CONTEXT)
    refused(talk(client(), server()), "client", Reason.BAD_SIGNATURE, Alert.decrypt_error)


def test_a_common_name_is_no_name() -> None:
    """Only subjectAltName counts (RFC 6125 section 6.4.4, RFC 9525)."""
    identity = AUTHORITY.issue("localhost", fault="no-names")
    found = talk(client(), server(identities=(identity,)))
    refused(found, "client", Reason.WRONG_HOST_NAME, Alert.bad_certificate)


@pytest.mark.parametrize("exponent", [1, 2, 3, 2**33 + 1, 2**2047 + 1])
def test_strange_exponents_do_no_harm(exponent: int) -> None:
    """CVE-2023-46724 and kin: 1 signs anything, a huge one costs seconds. 3 is small and legal."""
    numbers = RSAPublicNumbers(exponent, (1 << 2047) | (1 << 100) | 1)
    started = time.process_time()
    error: Any = None
    try:
        verify((certificate_of(public_key=numbers.public_key()),), "localhost", trust=TRUST)
    except TLSError as refusal:
        error = refusal
    except ValueError:
        error = "cryptography makes no such key"
    assert time.process_time() - started < 2
    assert (error is None) is (exponent == 3), error


def test_a_certificate_with_very_many_names() -> None:
    """GnuTLS CVE-2025-14831: names times constraints. It ends soon, whether they fit or not."""
    limited = Authority.create("limited", permitted=[f"d{number}.test" for number in range(200)])
    identity = limited.issue(*[f"n{number}.d199.test" for number in range(1000)])
    foreign = limited.issue(*[f"n{number}.elsewhere.test" for number in range(1000)])
    started = time.process_time()
    verify(identity.chain, "n1.d199.test", trust=limited.trust())
    with pytest.raises(TLSError) as refusal:
        verify(foreign.chain, "n1.elsewhere.test", trust=limited.trust())
    assert refusal.value.reason is Reason.NAME_CONSTRAINTS
    assert time.process_time() - started < 10  # it is half a second


# -- OCSP ------------------------------------------------------------------------------------------


def judged(staple: bytes) -> Reason | None:
    error = talk(client(), server(identities=(ECDSA.replace(ocsp=staple),))).client_error
    return None if error is None else error.reason


def test_a_staple_must_be_for_this_certificate_now_and_from_its_authority() -> None:
    """GnuTLS 3832 and kin: another serial number, too old, from the future, another signer."""
    other = AUTHORITY.issue("localhost")
    stranger = Authority.create("stranger").issue("ocsp.test")
    now = time.time()
    assert judged(AUTHORITY.staple(ECDSA)) is None
    assert judged(AUTHORITY.staple(ECDSA, responder=AUTHORITY.ocsp_responder())) is None
    assert judged(AUTHORITY.staple(other)) is Reason.BAD_OCSP_RESPONSE
    assert judged(AUTHORITY.staple(ECDSA, this_update=now - 30 * 86400, days=1)) is Reason.BAD_OCSP_RESPONSE
    assert judged(AUTHORITY.staple(ECDSA, this_update=now + 86400)) is Reason.BAD_OCSP_RESPONSE
    assert judged(AUTHORITY.staple(ECDSA, responder=stranger)) is Reason.BAD_OCSP_RESPONSE
    assert judged(AUTHORITY.staple(ECDSA, responder=other)) is Reason.BAD_OCSP_RESPONSE, "no OCSPSigning"
    assert judged(AUTHORITY.staple(ECDSA, revoked=now - 60)) is Reason.CERTIFICATE_REVOKED


# -- what nobody asked for -------------------------------------------------------------------------

SERVER_MESSAGES: dict[str, Any] = {"SH": ServerHello, "EE": EncryptedExtensions, "NST": NewSessionTicket}
QUIET = TLS13.replace(middlebox_compatibility=True)


@pytest.mark.parametrize("kind", [k for k in ext.ALLOWED_IN if k not in (X.supported_versions, X.key_share)])
@pytest.mark.parametrize("where", ["SH", "EE", "CT"])
def test_no_answer_without_a_question(where: str, kind: int) -> None:
    """OpenSSL #32295 takes an answer that nobody asked for. Each known extension, in each answer."""
    if (where, kind) == ("EE", X.server_name):
        pytest.skip("that is the right answer to server_name")
    fault: Fault
    if where == "CT":
        fault = edit(Certificate, lambda m: m.certificate_list[0].extensions.update({kind: b""}))
    else:
        fault = extensions(SERVER_MESSAGES[where], {kind: b""})
    one = client(request_ocsp=False, name="localhost")
    offered = kind in offer_of(one)
    found = talk(client(request_ocsp=False), server(fault))
    assert found.client_error is not None, "it was taken"
    if offered:  # asked for, but answered at the wrong place or with the wrong content
        assert found.client_error.alert in (
            Alert.illegal_parameter, Alert.decode_error, Alert.unsupported_extension,
        )  # fmt: skip
    else:
        assert found.client_error.reason is Reason.UNEXPECTED_EXTENSION
        assert found.client_error.alert is Alert.unsupported_extension


def offer_of(one: Any) -> set[int]:
    hello = ClientHello.decode(one.data_to_send()[9:])
    return set(hello.extensions)


@pytest.mark.parametrize(
    "kind", [X.server_name, X.key_share, X.cookie, X.supported_versions, X.psk_key_exchange_modes]
)
def test_a_request_holds_requests_only(kind: int) -> None:
    fault = extensions(CertificateRequest, {kind: b""})
    found = talk(client(identities=(CLIENT,)), server(fault, **MUTUAL))
    refused(found, "client", Reason.EXTENSION_NOT_ALLOWED, Alert.illegal_parameter)


def test_encrypted_client_hello_is_not_understood_and_does_no_harm() -> None:
    """ECH is not spoken yet. A client's (or its GREASE) is ignored; an answer to none is refused."""
    tap = Tap()
    found = connected(
        client(extensions(ClientHello, {X.encrypted_client_hello: os.urandom(200)})), server(tap)
    )
    assert found.server.info.ech == "not offered"
    assert X.encrypted_client_hello not in tap.the(EncryptedExtensions).extensions
    fault = extensions(EncryptedExtensions, {X.encrypted_client_hello: b"\0\0"})
    refused(talk(client(), server(fault)), "client", Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension)


# -- keys from outside -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0\0\0",
        b"\0\6\0\0\0\0\0\0\0\x21\x20" + bytes(32),  # an identity of no length: GnuTLS CVE-2026-1584
        b"\0\7\0\1x\0\0\0\0\0\0",
        b"\0\7\0\1x\0\0\0\0\0\1\0",
        b"\0\7\0\1x\0\0\0\0\0\x21\x20" + bytes(31),
    ],
)
def test_key_lists_that_cannot_be_read(body: bytes) -> None:
    fault = extensions(ClientHello, {X.pre_shared_key: body})
    found = talk(client(fault, psks=(PSK,)), server(psks=(PSK,)))
    refused(found, "server", Reason.DECODE_ERROR, Alert.decode_error)


# -- floods and slow trickles ----------------------------------------------------------------------


def test_ten_thousand_requests_get_one_answer() -> None:
    """KeyUpdates that ask for an answer, with data between them so that no counter runs out."""
    tap = Tap()
    found: Any = connected(client(), server(tap))
    before = len(tap.sent)
    for _ in range(500):
        for _ in range(20):
            found.client.update_keys(request=True)
        found.client.send_data(b"x")
        found.server.receive_data(found.client.data_to_send())
    list(found.server.events())
    found.go_on()
    assert found.server_error is None
    answers = [item for item in tap.sent[before:] if isinstance(item, bytes) and item[0] == 24]
    assert len(answers) == 1


@VERSIONS
def test_a_trickle_holds_no_more_than_its_message(policy: Policy) -> None:
    """A hello of 64 KiB, in records of one byte: at any time less than three times that is held."""
    other = server(policy=policy)
    body = bytes(1000)
    tracemalloc.start()
    base = tracemalloc.get_traced_memory()[0]
    other.receive_data(b"\x16\x03\x01\0\4\1" + (MAX_HANDSHAKE_MESSAGE).to_bytes(3, "big"))
    for _ in range(60):
        other.receive_data(b"\x16\x03\x01" + len(body).to_bytes(2, "big") + body)
    for _ in range(500):
        other.receive_data(b"\x16\x03\x01\0\1\0")
    held = tracemalloc.get_traced_memory()[0] - base
    tracemalloc.stop()
    assert held < 3 * MAX_HANDSHAKE_MESSAGE
    assert other.error is None


# -- boundaries of records -------------------------------------------------------------------------


def glued(tail: bytes) -> Fault:
    """A ServerHello with more in its record, in front of the new keys."""
    return records(
        lambda r: (r.sealed(r.fragment + tail),) if r.fragment[:1] == b"\2" else None,
        content_type=22,
        epoch=0,
    )


@pytest.mark.parametrize("tail", [b"\x08\0\0\2\0\0", b"\x08", b"\0" * 40])
def test_nothing_comes_along_with_the_server_hello(tail: bytes) -> None:
    """picotls and rustls, 2026: bytes in clear behind the ServerHello, taken for encrypted ones."""
    found = talk(client(), server(glued(tail)))
    refused(found, "client", Reason.EXCESS_HANDSHAKE_DATA, Alert.unexpected_message, readable=False)


@pytest.mark.parametrize("content_type", [21, 22])
def test_empty_encrypted_handshake_and_alert_records(content_type: int) -> None:
    def also_empty(record: Outgoing) -> Any:
        return (record.sealed(b"", content_type), record.sealed())

    found = talk(client(), server(records(also_empty, content_type=22, epoch=2, nth=1)))
    refused(found, "client", Reason.EMPTY_FRAGMENT, Alert.unexpected_message)


# -- truncation ------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.slow
def test_a_cut_is_never_a_clean_end(policy: Policy) -> None:
    """A whole conversation, cut at every byte of what the server said: only the last cut is an end."""
    seed = random.Random(1)
    source: Any = seed.randbytes
    config = server_config(policy)
    found = connected(client(policy=policy, random=source), server(config=config))
    found.server.send_data(b"the whole answer")
    found.server.close()
    start = len(found.to_client)
    tail = found.server.data_to_send()
    assert tail
    for cut in range(len(tail)):
        one = connected(client(policy=policy), server(config=config))
        one.server.send_data(b"the whole answer")
        one.server.close()
        data = one.server.data_to_send()
        one.client.receive_data(data[:cut])
        with pytest.raises(ConnectionEnded) as ended:
            one.client.receive_eof()
        assert ended.value.reason is Reason.TRUNCATED
    found.client.receive_data(tail)
    found.client.receive_eof()
    assert found.client.error is None
    assert start


# -- resumption ------------------------------------------------------------------------------------


def test_a_stolen_ticket_is_worth_nothing_without_its_secret() -> None:
    """The thief has the ticket from the wire; the binder needs the secret."""
    config = server_config()
    from rfc.world import session_from

    session = session_from(config)
    session.secret = bytes(len(session.secret))
    refused(
        talk(client(sessions=(session,)), server(config=config)),
        "server",
        Reason.BAD_BINDER,
        Alert.decrypt_error,
    )


# -- randomness ------------------------------------------------------------------------------------


FORKS = """
import os
from pellucid import ClientConfig, ClientConnection, Trust

def hello():
    return ClientConnection(ClientConfig(trust=Trust.insecure()), "localhost").data_to_send()

hello()
for _ in range(2):
    if os.fork() == 0:
        print(hello().hex(), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_two_processes_after_a_fork_are_strangers() -> None:
    """Forked from a process without threads: what another one held here, a child would wait for."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    hellos = [ClientHello.decode(bytes.fromhex(line)[9:]) for line in done.stdout.split()]
    assert len(hellos) == 2
    assert hellos[0].random != hellos[1].random
    assert hellos[0].extensions[X.key_share] != hellos[1].extensions[X.key_share]


@pytest.mark.parametrize("after", [0, 1])
def test_no_randomness_no_connection(after: int) -> None:
    """A source that fails ends the connection by name; nothing goes on with less."""
    left = [after]

    def dries_up(size: int) -> bytes:
        if left[0] == 0:
            raise OSError("no entropy")
        left[0] -= 1
        return os.urandom(size)

    found = talk(client(), server(random=dries_up))
    assert found.server_error is not None
    assert found.server_error.reason is Reason.INTERNAL
    assert not found.client.handshake_complete
    with pytest.raises(TLSError):
        client(random=lambda size: dries_up(0))


# -- downgrade -------------------------------------------------------------------------------------


def test_whoever_strips_the_versions_is_noticed() -> None:
    """A man in the middle takes supported_versions out of the hello: the sentinel gives him away."""
    one, other = client(policy=BOTH), server(policy=BOTH)
    hello = ClientHello.decode(one.data_to_send()[9:])
    hello.extensions = {
        k: v for k, v in hello.extensions.items() if k not in (X.supported_versions, X.key_share)
    }
    raw = hello.to_handshake()
    other.receive_data(b"\x16\x03\x01" + len(raw).to_bytes(2, "big") + raw)
    with pytest.raises(TLSError) as noticed:
        one.receive_data(other.data_to_send())
    assert noticed.value.reason is Reason.DOWNGRADE_DETECTED


def test_whoever_strips_the_suites_is_noticed() -> None:
    """The Finished covers the hello as the server saw it."""
    one, other = client(), server()
    hello = ClientHello.decode(one.data_to_send()[9:])
    hello.cipher_suites = hello.cipher_suites[-1:]
    raw = hello.to_handshake()
    other.receive_data(b"\x16\x03\x01" + len(raw).to_bytes(2, "big") + raw)
    with pytest.raises(TLSError) as noticed:
        one.receive_data(other.data_to_send())
    assert noticed.value.reason is Reason.BAD_RECORD_MAC


def test_early_ccs_brings_no_early_keys() -> None:
    """CVE-2014-0224: a ChangeCipherSpec in front of the key exchange."""
    from pellucid.lab import Record
    from pellucid.wire.messages import ClientKeyExchange, ServerHelloDone

    found = talk(
        client(policy=TLS12), server(insert(Record(20, b"\1"), before=ServerHelloDone), policy=TLS12)
    )
    refused(found, "client", Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, Alert.unexpected_message)
    early = insert(Record(20, b"\1"), before=ClientKeyExchange)
    found = talk(client(early, policy=TLS12), server(policy=TLS12))
    refused(found, "server", Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, Alert.unexpected_message)


def test_finished_does_not_stand_for_the_handshake() -> None:
    """SMACK: a server that jumps from its hello to the end, in both versions."""
    jump = replace(EncryptedExtensions, handshake(20, bytes(32)))
    refused(talk(client(), server(jump)), "client", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)
    found = talk(client(policy=TLS12), server(replace(Certificate, Finished(bytes(12))), policy=TLS12))
    refused(found, "client", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)
    assert client_config().policy is TLS13
