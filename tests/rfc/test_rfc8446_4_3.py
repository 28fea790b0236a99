"""RFC 8446 sections 4, 4.3 to 4.6: server parameters, authentication, and what follows the handshake."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from pellucid import Authority, ClientConfig, Identity, TicketKeys, UsageError
from pellucid.errors import Reason
from pellucid.events import KeysUpdated, PeerAuthenticated
from pellucid.lab import (
    Fault,
    Tap,
    append,
    cut,
    drop,
    duplicate,
    edit,
    extensions,
    flip,
    insert,
    replace,
    swap,
)
from pellucid.limits import MAX_KEY_UPDATES, MAX_TICKETS_RECEIVED
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    HandshakeMessage,
    HelloRequest,
    KeyUpdate,
    NewSessionTicket,
    ServerHello,
    ServerHelloDone,
)

from .world import (
    AUTHORITY,
    CLIENT,
    CLIENT_RSA,
    ECDSA,
    ED25519,
    PSK,
    RSA,
    TLS13,
    TRUST,
    client,
    client_refuses,
    connected,
    refused,
    schemes,
    server,
    server_config,
    server_refuses,
    session_from,
    sessions,
    talk,
)

C = CertificateRequest(b"", {X.signature_algorithms: schemes(0x0403)})


def mutual(**more: Any) -> dict[str, Any]:
    return {"client_auth": "require", "client_trust": TRUST, **more}


def with_client_certificate(*faults: Fault, identity: Identity = CLIENT, **more: Any) -> Any:
    return talk(client(*faults, identities=(identity,)), server(**mutual(**more)))


# -- 4 Handshake protocol: order -------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4:1", "rfc8446:4.3.1:1", "rfc8446:4.3.2:2", "rfc8446:4.4.3:3")
def test_messages_leave_in_the_order_of_the_figure() -> None:
    ours, theirs = Tap(), Tap()
    connected(client(ours, identities=(CLIENT,)), server(theirs, **mutual(tickets=1)))
    assert theirs.types == [2, 8, 13, 11, 15, 20, 4]
    assert ours.types == [1, 11, 15, 20]


@pytest.mark.rfc("rfc8446:4:2")
@pytest.mark.parametrize(
    "fault",
    [
        lambda: drop(EncryptedExtensions),
        lambda: drop(Certificate),
        lambda: drop(CertificateVerify),
        lambda: duplicate(EncryptedExtensions),
        lambda: duplicate(Certificate),
        lambda: duplicate(CertificateVerify),
        lambda: swap(EncryptedExtensions, Certificate),
        lambda: swap(Certificate, CertificateVerify),
        lambda: swap(CertificateVerify, Finished),
        lambda: insert(C, before=EncryptedExtensions),
        lambda: insert(C, before=CertificateVerify),
        lambda: insert(C, before=Finished),
        lambda: insert(KeyUpdate(0), before=Finished),
        lambda: insert(HelloRequest(), before=Certificate),
        lambda: insert(ServerHelloDone(), before=Finished),
        lambda: replace(EncryptedExtensions, Finished(bytes(32))),
    ],
)
def test_a_server_that_breaks_the_order(fault: Any) -> None:
    client_refuses(Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message, fault())


@pytest.mark.rfc("rfc8446:4:2")
@pytest.mark.parametrize(
    "fault",
    [
        lambda: drop(Certificate),
        lambda: drop(CertificateVerify),
        lambda: duplicate(Certificate),
        lambda: swap(Certificate, CertificateVerify),
        lambda: swap(CertificateVerify, Finished),
        lambda: insert(EndOfEarlyData(), before=Certificate),
        lambda: insert(KeyUpdate(0), before=Finished),
        lambda: replace(Certificate, Finished(bytes(32))),
    ],
)
def test_a_client_that_breaks_the_order(fault: Any) -> None:
    found = with_client_certificate(fault())
    refused(found, "server", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


ALL_TYPES = (0, 1, 2, 4, 5, 8, 11, 12, 13, 14, 15, 16, 20, 22, 24, 25, 67, 254, 255)


@pytest.mark.rfc("rfc8446:4:2")
@pytest.mark.parametrize("kind", ALL_TYPES)
@pytest.mark.parametrize(
    ("before", "allowed"),
    [
        (EncryptedExtensions, {8}),
        (Certificate, {11, 13}),
        (CertificateVerify, {15}),
        (Finished, {20}),
    ],
)
def test_every_message_at_every_point_of_the_client(
    kind: int, before: type[HandshakeMessage], allowed: set[int]
) -> None:
    if kind in allowed:
        pytest.skip("it may stand here")
    raw = bytes([kind, 0, 0, 0])
    client_refuses(Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message, insert(raw, before=before))


@pytest.mark.rfc("rfc8446:4:2")
@pytest.mark.parametrize("kind", ALL_TYPES)
@pytest.mark.parametrize(
    ("before", "allowed"), [(Certificate, {11}), (CertificateVerify, {15}), (Finished, {20})]
)
def test_every_message_at_every_point_of_the_server(
    kind: int, before: type[HandshakeMessage], allowed: set[int]
) -> None:
    if kind in allowed:
        pytest.skip("it may stand here")
    found = with_client_certificate(insert(bytes([kind, 0, 0, 0]), before=before))
    refused(found, "server", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:4:2")
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("kind", ALL_TYPES)
def test_every_message_after_the_handshake(kind: int, side: str) -> None:
    if kind == 24 or (kind == 4 and side == "client"):
        pytest.skip("it may stand here")
    found = connected(client(Tap()), server(Tap(), tickets=0))
    speaker: Any = found.server if side == "client" else found.client
    speaker.inject_message(bytes([kind, 0, 0, 0]))
    refused(found.go_on(), side, Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:6:7")
@pytest.mark.parametrize("message", [EncryptedExtensions, Certificate, CertificateVerify, ServerHello])
@pytest.mark.parametrize("change", [cut, append])
def test_messages_of_a_server_that_are_too_short_or_too_long(message: Any, change: Any) -> None:
    found = talk(client(), server(change(message)))
    assert found.client_error is not None
    assert found.client_error.alert == Alert.decode_error


@pytest.mark.rfc("rfc8446:6:7")
@pytest.mark.parametrize("message", [Certificate, CertificateVerify, ClientHello])
@pytest.mark.parametrize("change", [cut, append])
def test_messages_of_a_client_that_are_too_short_or_too_long(message: Any, change: Any) -> None:
    found = with_client_certificate(change(message))
    assert found.server_error is not None
    assert found.server_error.alert == Alert.decode_error


# -- 4.3 Server parameters -------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.3.2:3", "rfc8446:4.3.2:4")
def test_a_request_has_a_context_only_after_the_handshake() -> None:
    tap = Tap()
    found = connected(
        client(identities=(CLIENT,), post_handshake_auth=True),
        server(tap, **mutual(post_handshake_auth=True)),
    )
    found.server.request_certificate()
    found.go_on()
    found.server.request_certificate()
    found.go_on()
    contexts = [request.certificate_request_context for request in tap.all(CertificateRequest)]
    assert contexts[0] == b""
    assert len(set(contexts)) == 3
    assert all(len(context) >= 16 for context in contexts[1:])


@pytest.mark.rfc("rfc8446:4.3.2:4")
def test_a_context_during_the_handshake() -> None:
    fault = edit(CertificateRequest, certificate_request_context=b"x")
    found = talk(client(), server(fault, **mutual()))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.DECODE_ERROR


@pytest.mark.rfc("rfc8446:4.3.2:6")
def test_a_request_names_signature_algorithms() -> None:
    tap = Tap()
    talk(client(identities=(CLIENT,)), server(tap, **mutual()))
    assert X.signature_algorithms in tap.the(CertificateRequest).extensions
    fault = extensions(CertificateRequest, {X.signature_algorithms: None})
    found = talk(client(), server(fault, **mutual()))
    refused(found, "client", Reason.MISSING_EXTENSION, Alert.missing_extension)


@pytest.mark.rfc("rfc8446:4.3.2:7", "rfc8446:9.3:6")
def test_unknown_extensions_of_a_request_are_ignored() -> None:
    fault = extensions(CertificateRequest, {0xFAFA: b"?"})
    found = talk(client(identities=(CLIENT,)), server(fault, **mutual()))
    assert found.completed
    assert found.server.info.peer_chain


# -- 4.4.2 Certificate -----------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.4.2:1", "rfc8446:4.4.3:1")
def test_a_server_shows_its_certificate_and_proves_it() -> None:
    tap = Tap()
    connected(client(), server(tap))
    assert tap.the(Certificate).certificate_list[0].cert_data == ECDSA.chain[0]
    assert tap.the(CertificateVerify)


@pytest.mark.rfc("rfc8446:4.4.2:2")
def test_a_client_shows_its_certificate_only_when_asked() -> None:
    tap = Tap()
    connected(client(tap, identities=(CLIENT,)), server())
    assert Certificate.msg_type not in tap.types
    tap = Tap()
    connected(client(tap, identities=(CLIENT,)), server(**mutual()))
    assert tap.the(Certificate).certificate_list[0].cert_data == CLIENT.chain[0]


@pytest.mark.rfc("rfc8446:4.4.2:2")
def test_a_client_that_shows_it_unasked() -> None:
    server_refuses(
        Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message, insert(Certificate(b"", ()), before=Finished)
    )


@pytest.mark.rfc("rfc8446:4.4.2:3", "rfc8446:4.4.2:4", "rfc8446:4.4.3:2")
def test_a_client_without_a_certificate_says_so_and_finishes() -> None:
    tap = Tap()
    connected(client(tap), server(client_auth="request", client_trust=TRUST))
    assert tap.types == [1, 11, 20]
    assert tap.the(Certificate).certificate_list == ()


def test_a_certificate_is_required() -> None:
    found = talk(client(), server(**mutual()))
    refused(found, "server", Reason.CERTIFICATE_REQUIRED, Alert.certificate_required)


@pytest.mark.rfc("rfc8446:4.4.3:2")
def test_a_client_that_does_not_prove_its_certificate() -> None:
    found = with_client_certificate(drop(CertificateVerify))
    refused(found, "server", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:4.4.2:5")
def test_a_servers_certificate_has_no_context() -> None:
    tap = Tap()
    connected(client(), server(tap))
    assert tap.the(Certificate).certificate_request_context == b""
    client_refuses(
        Reason.DECODE_ERROR, Alert.decode_error, edit(Certificate, certificate_request_context=b"x")
    )


@pytest.mark.rfc("rfc8446:4.4.2:6", "rfc8446:4.4.2.1:1")
def test_a_staple_only_for_who_asks() -> None:
    stapled = ECDSA.replace(ocsp=AUTHORITY.staple(ECDSA))
    for asks in (True, False):
        tap = Tap()
        connected(client(request_ocsp=asks), server(tap, identities=(stapled,)))
        entry = tap.the(Certificate).certificate_list[0]
        assert (X.status_request in entry.extensions) is asks
        if asks:
            body = ext.CertificateStatusBody.decode(entry.extensions[X.status_request])
            assert (body.status_type, body.response) == (1, stapled.ocsp)


@pytest.mark.rfc("rfc8446:4.4.2.1:1", "rfc8446:6:7")
@pytest.mark.parametrize("body", [b"", b"\1", b"\1\0\0\0", b"\2\0\0\1x", b"\1\0\0\2x"])
def test_a_staple_that_is_no_certificate_status(body: bytes) -> None:
    def change(message: Any) -> None:
        message.certificate_list[0].extensions = {X.status_request: body}

    found = talk(client(), server(edit(Certificate, change)))
    assert found.client_error is not None
    assert found.client_error.alert == Alert.decode_error


@pytest.mark.rfc("rfc8446:4.4.2.1:2", "rfc8446:4.4.2.1:3", "rfc8446:4.4.2.1:4")
def test_status_request_v2_is_ignored() -> None:
    tap = Tap()
    fault = extensions(ClientHello, {17: b"\0\7\2\0\4\0\0\0\0"})
    assert talk(client(fault, identities=(CLIENT,)), server(tap, **mutual())).completed
    for message in (EncryptedExtensions, CertificateRequest):
        assert 17 not in tap.the(message).extensions
    assert 17 not in tap.the(Certificate).certificate_list[0].extensions


@pytest.mark.rfc("rfc8446:4.4.2.1:6")
def test_a_clients_staple_is_a_certificate_status() -> None:
    stapled = CLIENT.replace(ocsp=AUTHORITY.staple(CLIENT))
    tap = Tap()
    connected(client(tap, identities=(stapled,)), server(**mutual(request_client_ocsp=True)))
    entry = tap.the(Certificate).certificate_list[0]
    body = ext.CertificateStatusBody.decode(entry.extensions[X.status_request])
    assert (body.status_type, body.response) == (1, stapled.ocsp)


@pytest.mark.rfc("rfc8446:4.4.2:9")
def test_the_leaf_comes_first() -> None:
    issuer = AUTHORITY.intermediate()
    identity = issuer.issue("localhost")
    tap = Tap()
    connected(client(), server(tap, identities=(identity,)))
    sent = [entry.cert_data for entry in tap.the(Certificate).certificate_list]
    assert sent == list(identity.chain)
    assert len(sent) == 2

    def turn(message: Any) -> None:
        message.certificate_list = message.certificate_list[::-1]

    found = talk(client(), server(edit(Certificate, turn), identities=(identity,)))
    assert found.client_error is not None
    assert not found.client.handshake_complete


@pytest.mark.rfc("rfc8446:4.4.2:12")
def test_the_rest_of_the_chain_may_come_in_any_order() -> None:
    upper = AUTHORITY.intermediate("upper", path_length=1)
    identity = upper.intermediate("lower").issue("localhost")

    def shuffle(message: Any) -> None:
        leaf, *rest = message.certificate_list
        foreign = Certificate(b"", message.certificate_list).certificate_list[1]
        message.certificate_list = (leaf, *rest[::-1], foreign)

    assert len(identity.chain) == 3
    assert talk(client(), server(edit(Certificate, shuffle), identities=(identity,))).completed


RAW = Identity.raw(AUTHORITY.issue("x").key)


@pytest.mark.rfc("rfc8446:4.4.2:13")
def test_a_raw_public_key_is_alone() -> None:
    tap = Tap()
    settings: dict[str, Any] = {
        "server_certificate_types": (2,),
        "trusted_public_keys": (RAW.raw_public_key,),
    }
    connected(client(**settings), server(tap, identities=(RAW,)))
    assert [e.cert_data for e in tap.the(Certificate).certificate_list] == [RAW.raw_public_key]

    def twice(message: Any) -> None:
        message.certificate_list = message.certificate_list * 2

    found = talk(client(**settings), server(edit(Certificate, twice), identities=(RAW,)))
    refused(found, "client", Reason.BAD_RAW_PUBLIC_KEY, Alert.decode_error)


def test_a_raw_public_key_that_nobody_trusts_or_reads() -> None:
    other = Identity.raw(AUTHORITY.issue("y").key).raw_public_key
    settings: dict[str, Any] = {"server_certificate_types": (2,), "trusted_public_keys": (other,)}
    found = talk(client(**settings), server(identities=(RAW,)))
    refused(found, "client", Reason.RAW_PUBLIC_KEY_NOT_TRUSTED, Alert.bad_certificate)

    def garble(message: Any) -> None:
        message.certificate_list[0].cert_data = b"no key"

    found = talk(client(**settings), server(edit(Certificate, garble), identities=(RAW,)))
    refused(found, "client", Reason.BAD_RAW_PUBLIC_KEY, Alert.decode_error)


@pytest.mark.rfc("rfc8446:4.4.2:14")
def test_openpgp_is_never_offered_nor_taken() -> None:
    tap = Tap()
    client(tap, server_certificate_types=(2, 0), client_certificate_types=(2, 0)).data_to_send()
    for kind in (X.server_certificate_type, X.client_certificate_type):
        listed = ext.CertificateTypes.decode(tap.the(ClientHello).extensions[kind]).certificate_types
        assert 1 not in listed
    fault = extensions(EncryptedExtensions, {X.server_certificate_type: b"\1"})
    found = talk(client(server_certificate_types=(2, 0), trusted_public_keys=(b"x",)), server(fault))
    refused(found, "client", Reason.UNSUPPORTED_CERTIFICATE_TYPE, Alert.unsupported_certificate)


@pytest.mark.rfc("rfc8446:4.4.2:15", "rfc8446:4.4.2.4:1")
@pytest.mark.parametrize("proof", [True, False])
def test_a_server_with_an_empty_certificate(proof: bool) -> None:
    faults = [edit(Certificate, certificate_list=())]
    if not proof:
        faults.append(drop(CertificateVerify))
    client_refuses(Reason.NO_CERTIFICATE, Alert.decode_error, *faults)


@pytest.mark.rfc("rfc8446:4.4.2.2:1", "rfc8446:4.4.2.3:1")
def test_what_is_no_x509_certificate_is_refused() -> None:
    def garble(message: Any) -> None:
        message.certificate_list[0].cert_data = b"-----BEGIN PGP"

    found = talk(client(), server(edit(Certificate, garble)))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.BAD_CERTIFICATE
    found = with_client_certificate(edit(Certificate, garble))
    assert found.server_error.reason is Reason.BAD_CERTIFICATE


@pytest.mark.rfc("rfc8446:4.4.2.2:2", "rfc8446:4.4.3:4")
@pytest.mark.parametrize(
    ("scheme", "leaf"), [(0x0403, ECDSA), (0x0804, RSA), (0x0806, RSA), (0x0807, ED25519)]
)
def test_the_servers_certificate_suits_the_clients_algorithms(scheme: int, leaf: Identity) -> None:
    tap = Tap()
    certificates = (0x0403, scheme)  # the authority signs with ECDSA
    policy = TLS13.replace(signature_schemes=(scheme,), certificate_schemes=certificates)
    connected(client(policy=policy), server(tap, identities=(ECDSA, RSA, ED25519)))
    assert tap.the(CertificateVerify).algorithm == scheme
    assert tap.the(Certificate).certificate_list[0].cert_data == leaf.chain[0]


@pytest.mark.rfc("rfc8446:4.4.2.2:3", "rfc8446:4.4.2.2:4")
def test_a_key_that_may_not_sign() -> None:
    found = talk(client(), server(identities=(AUTHORITY.issue("localhost", fault="wrong-key-usage"),)))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.WRONG_KEY_USAGE


def resigned(identity: Identity, last: int) -> Identity:
    """The leaf signed with an older hash: 4 is MD5, 5 is SHA-1 (11 was SHA-256). Its signature is right."""
    name = bytes.fromhex("2a864886f70d0101")
    assert identity.chain[0].count(name + b"\x0b") == 2
    der = identity.chain[0].replace(name + b"\x0b", name + bytes([last]))
    content = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    hash = hashes.MD5() if last == 4 else hashes.SHA1()
    return identity.replace(chain=(der[:-256] + RSA_AUTHORITY.key.sign(content, PKCS1v15(), hash),))


RSA_AUTHORITY = Authority.create(key="rsa-2048")
UNDER_RSA = RSA_AUTHORITY.issue("localhost")


@pytest.mark.rfc("rfc8446:4.4.2.2:6")
@pytest.mark.parametrize("extension", [X.signature_algorithms, X.signature_algorithms_cert])
def test_the_chain_is_one_that_the_client_can_verify(extension: int) -> None:
    """Two certificates for the same name and kind of key: one under ECDSA, one under RSA."""
    for scheme, identity in ((0x0403, ECDSA), (0x0401, UNDER_RSA)):
        tap = Tap()
        wanted = {
            X.signature_algorithms: schemes(0x0403, scheme),
            X.signature_algorithms_cert: schemes(scheme),
        }
        if extension == X.signature_algorithms and scheme == 0x0403:
            del wanted[X.signature_algorithms_cert]
        fault = extensions(ClientHello, wanted)
        talk(client(fault), server(tap, identities=(UNDER_RSA, ECDSA)))
        assert tap.the(Certificate).certificate_list[0].cert_data == identity.chain[0]


@pytest.mark.rfc("rfc8446:4.2.3:16")
def test_sha1_only_when_there_is_nothing_else() -> None:
    old = resigned(UNDER_RSA, 5)
    tap = Tap()
    talk(client(), server(tap, identities=(old, ECDSA)))
    assert tap.the(Certificate).certificate_list[0].cert_data == ECDSA.chain[0]


@pytest.mark.rfc("rfc8446:4.4.2.4:4")
def test_md5_is_refused_even_when_the_rest_is_right() -> None:
    found = talk(
        client(config=ClientConfig(policy=TLS13, trust=RSA_AUTHORITY.trust())),
        server(identities=(resigned(UNDER_RSA, 4),)),
    )
    assert found.client_error is not None
    assert found.client_error.alert == found.alert_received == Alert.bad_certificate


@pytest.mark.rfc("rfc8446:4.4.2.2:10")
@pytest.mark.parametrize(
    ("fault", "alert"),
    [
        ("expired", Alert.certificate_expired),
        ("self-signed", Alert.unknown_ca),
        ("wrong-name", Alert.bad_certificate),
    ],
)
def test_an_unacceptable_chain_gets_a_certificate_alert(fault: str, alert: Alert) -> None:
    found = talk(client(), server(identities=(AUTHORITY.issue("localhost", fault=fault),)))
    assert found.client_error is not None
    assert found.client_error.alert == found.alert_received == alert


@pytest.mark.rfc("rfc8446:4.4.3:5")
def test_the_clients_signature_is_one_that_the_server_takes() -> None:
    policy = TLS13.replace(signature_schemes=(0x0804,), certificate_schemes=(0x0403, 0x0804))
    tap = Tap()
    connected(
        client(tap, identities=(CLIENT, CLIENT_RSA)),
        server(**mutual(policy=policy, identities=(RSA,))),
    )
    assert tap.the(CertificateVerify).algorithm == 0x0804
    tap = Tap()
    talk(client(tap, identities=(CLIENT,)), server(**mutual(policy=policy, identities=(RSA,))))
    assert tap.the(Certificate).certificate_list == ()


@pytest.mark.rfc("rfc8446:4.4.3:5")
def test_a_client_signs_with_another() -> None:
    found = with_client_certificate(edit(CertificateVerify, algorithm=0x0203))
    refused(found, "server", Reason.UNOFFERED_SIGNATURE_SCHEME, Alert.illegal_parameter)


def test_a_compressed_certificate_that_lies() -> None:
    policy = TLS13.replace(certificate_compression=(1,), compress_above=0)
    for fields, reason, alert in (
        ({"uncompressed_length": 10}, Reason.BAD_CERTIFICATE_COMPRESSION, Alert.bad_certificate),
        ({"uncompressed_length": 2**24 - 1}, Reason.CERTIFICATE_TOO_LARGE, Alert.illegal_parameter),
        ({"algorithm": 2}, Reason.UNOFFERED_CERTIFICATE_COMPRESSION, Alert.illegal_parameter),
        (
            {"compressed_certificate_message": b"??"},
            Reason.BAD_CERTIFICATE_COMPRESSION,
            Alert.bad_certificate,
        ),
    ):
        fault = edit(CompressedCertificate, None, **fields)
        found = talk(client(policy=policy), server(fault, policy=policy))
        refused(found, "client", reason, alert)


# -- 4.4.3 Certificate verify, 4.4.4 Finished ------------------------------------------------------


@pytest.mark.parametrize("identity", [ECDSA, RSA, ED25519])
def test_a_servers_signature_with_one_wrong_bit(identity: Identity) -> None:
    found = talk(client(), server(flip(CertificateVerify, at=-3), identities=(identity,)))
    refused(found, "client", Reason.BAD_SIGNATURE, Alert.decrypt_error)


def test_a_clients_signature_with_one_wrong_bit() -> None:
    found = with_client_certificate(flip(CertificateVerify, at=-3))
    refused(found, "server", Reason.BAD_SIGNATURE, Alert.decrypt_error)


def test_a_scheme_for_another_curve_or_kind_of_key() -> None:
    for scheme in (0x0503, 0x0804, 0x0807):
        fault = edit(CertificateVerify, algorithm=scheme)
        client_refuses(Reason.WRONG_SIGNATURE_TYPE, Alert.illegal_parameter, fault)


@pytest.mark.rfc("rfc8446:4.4.4:1", "rfc8446:4.4.4:2")
@pytest.mark.parametrize("at", [0, 15, -1])
def test_a_wrong_finished(at: int) -> None:
    client_refuses(Reason.BAD_FINISHED, Alert.decrypt_error, flip(Finished, at=at))
    found = talk(client(flip(Finished, at=at)), server())
    refused(found, "server", Reason.BAD_FINISHED, Alert.decrypt_error)


@pytest.mark.rfc("rfc8446:4.4.4:1", "rfc8446:4.4.4:2")
@pytest.mark.parametrize("change", [cut, append])
def test_a_finished_of_another_length(change: Any) -> None:
    found = talk(client(), server(change(Finished)))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.BAD_FINISHED


@pytest.mark.rfc("rfc8446:4.4.4:4")
def test_after_finished_the_application_keys_are_used() -> None:
    ours, theirs = Tap(), Tap()
    found = connected(client(ours), server(theirs))
    found.client.send_data(b"x")
    found.server.send_data(b"y")
    found.go_on()
    for tap in (ours, theirs):
        epochs = [epoch for _, epoch, _ in tap.records]
        assert epochs == sorted(epochs)
        last = len(epochs) - 1 - epochs[::-1].index(2)
        assert tap.records[last][2].endswith(tap.the(Finished).to_handshake())
        assert {kind for kind, epoch, _ in tap.records if epoch == 3} >= {23}
        assert set(epochs[last + 1 :]) == {3}


# -- 4.6.1 New session ticket ----------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.6.1:9")
def test_a_ticket_lives_seven_days_at_most() -> None:
    with pytest.raises(UsageError):
        server_config(ticket_lifetime=604_801)
    tap = Tap()
    connected(client(), server(tap, ticket_lifetime=604_800))
    assert tap.all(NewSessionTicket)[0].ticket_lifetime == 604_800


def test_a_ticket_that_claims_more() -> None:
    client_refuses(
        Reason.BAD_TICKET, Alert.illegal_parameter, edit(NewSessionTicket, ticket_lifetime=604_801)
    )


@pytest.mark.rfc("rfc8446:4.6.1:12")
def test_each_ticket_has_its_own_age_add() -> None:
    tap = Tap()
    connected(client(), server(tap, tickets=8))
    assert len({ticket.ticket_age_add for ticket in tap.all(NewSessionTicket)}) == 8
    assert len({ticket.ticket_nonce for ticket in tap.all(NewSessionTicket)}) == 8


@pytest.mark.rfc("rfc8446:4.6.1:14", "rfc8446:9.3:6")
def test_unknown_extensions_of_a_ticket_are_ignored() -> None:
    found = talk(client(), server(extensions(NewSessionTicket, {0xFAFA: b"?"})))
    assert found.completed
    assert len(sessions(found.client_events)) == 2


def test_tickets_without_end() -> None:
    for count, fine in ((MAX_TICKETS_RECEIVED, True), (MAX_TICKETS_RECEIVED + 1, False)):
        found = talk(client(), server(tickets=count))
        assert (found.client_error is None) is fine
        if not fine:
            refused(found, "client", Reason.TOO_MANY_TICKETS, Alert.unexpected_message)


def test_a_ticket_of_another_server_or_a_changed_one_means_a_full_handshake() -> None:
    config = server_config(ticket_issuer=TicketKeys())
    session = session_from(config)
    found = connected(client(sessions=(session,)), server(ticket_issuer=TicketKeys()))
    assert not found.client.info.resumed
    session.ticket = session.ticket[:-1] + bytes([session.ticket[-1] ^ 1])
    found = connected(client(sessions=(session,)), server(config=config))
    assert not found.client.info.resumed


# -- 4.6.2 Post-handshake authentication -----------------------------------------------------------


def later(*faults: Fault, own: tuple[Fault, ...] = (), **settings: Any) -> Any:
    """A connection on which the server has asked for a certificate after the handshake."""
    found = connected(
        client(*own, post_handshake_auth=True, **settings),
        server(*faults, post_handshake_auth=True, client_trust=TRUST, tickets=0),
    )
    found.server.request_certificate()
    return found


@pytest.mark.rfc("rfc8446:4.2.6:1")
def test_a_server_does_not_ask_who_did_not_offer() -> None:
    found = connected(client(), server(post_handshake_auth=True, client_trust=TRUST))
    with pytest.raises(UsageError):
        found.server.request_certificate()


@pytest.mark.rfc("rfc8446:4.6.2:2", "rfc8446:4.6.2:3")
def test_a_client_answers_with_certificate_proof_and_finished() -> None:
    tap = Tap()
    found = later(own=(tap,), identities=(CLIENT,)).go_on()
    assert tap.types == [1, 20, 11, 15, 20]
    events = [e for e in found.server_events if isinstance(e, PeerAuthenticated)]
    assert [event.chain for event in events] == [CLIENT.chain]


@pytest.mark.rfc("rfc8446:4.6.2:2", "rfc8446:4.6.2:4")
def test_a_client_declines_with_an_empty_certificate_and_finished() -> None:
    tap = Tap()
    found = later(own=(tap,)).go_on()
    assert found.server_error is None
    assert tap.types == [1, 20, 11, 20]
    assert tap.the(Certificate).certificate_list == ()
    assert tap.the(Certificate).certificate_request_context


@pytest.mark.rfc("rfc8446:4.6.2:5")
def test_the_answer_is_in_one_piece() -> None:
    tap = Tap()
    one = connected(
        client(tap, identities=(CLIENT,), post_handshake_auth=True),
        server(post_handshake_auth=True, client_trust=TRUST, tickets=0),
    )
    one.server.request_certificate()
    one.client.send_data(b"before")
    one.go_on()
    one.client.send_data(b"after")
    one.go_on()
    kinds = [kind for kind, epoch, _ in tap.records if epoch == 3]
    assert [kind for kind, _ in itertools.groupby(kinds)] == [23, 22, 23]


@pytest.mark.rfc("rfc8446:4.6.2:6")
def test_a_client_that_did_not_offer_refuses_the_question() -> None:
    found = connected(client(identities=(CLIENT,)), server(Tap()))
    request = CertificateRequest(b"context", C.extensions)
    found.server.inject_message(request)  # type: ignore[attr-defined]
    refused(found.go_on(), "client", Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:4.6.2:7")
def test_the_server_takes_data_while_it_waits() -> None:
    found = later(identities=(CLIENT,))
    for _ in range(50):
        found.client.send_data(b"x")
        data = found.client.data_to_send()
        found.server.receive_data(data)
    found.server.send_data(b"y")
    found.go_on()
    assert found.completed
    assert found.data("server") == b"x" * 50
    assert any(isinstance(event, PeerAuthenticated) for event in found.server_events)


@pytest.mark.parametrize("message", [Certificate, CertificateVerify, Finished])
def test_a_wrong_answer_after_the_handshake(message: Any) -> None:
    found = later(own=(flip(message, at=-3, nth=2 if message is Finished else 1),), identities=(CLIENT,))
    found.go_on()
    assert found.server_error is not None
    assert not any(isinstance(event, PeerAuthenticated) for event in found.server_events)


def test_another_context_than_the_requests() -> None:
    found = later(own=(edit(Certificate, certificate_request_context=b"other"),)).go_on()
    assert found.server_error is not None
    assert found.server_error.reason is Reason.DECODE_ERROR


# -- 4.6.3 Key and IV update -----------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.6.3:1")
@pytest.mark.parametrize("before", [EncryptedExtensions, Certificate, Finished])
def test_no_key_update_before_finished(before: Any) -> None:
    client_refuses(Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message, insert(KeyUpdate(0), before=before))


@pytest.mark.rfc("rfc8446:4.6.3:1")
def test_no_key_update_before_finished_from_a_client() -> None:
    server_refuses(Reason.UNEXPECTED_MESSAGE, Alert.unexpected_message, insert(KeyUpdate(0), before=Finished))


@pytest.mark.rfc("rfc8446:4.6.3:2", "rfc8446:4.6.3:3", "rfc8446:4.6.3:6")
def test_a_key_update_goes_under_the_old_keys_and_what_follows_under_the_new() -> None:
    tap = Tap()
    found = connected(client(tap), server())
    before = found.client.traffic_secrets[1]
    found.client.send_data(b"one")
    found.client.update_keys()
    found.client.send_data(b"two")
    found.go_on()
    tail = [(kind, epoch) for kind, epoch, _ in tap.records[-3:]]
    assert tail == [(23, 3), (22, 3), (23, 4)]
    assert found.client.traffic_secrets[1] != before
    assert found.server.traffic_secrets[0] == found.client.traffic_secrets[1]
    assert found.data("server") == b"onetwo"


@pytest.mark.rfc("rfc8446:4.6.3:3", "rfc8446:4.6.3:7")
def test_old_keys_are_not_taken_any_more() -> None:
    found = connected(client(Tap()), server())
    found.client.inject_message(KeyUpdate(0))  # type: ignore[attr-defined]
    found.client.send_data(b"still under the old keys")
    found.go_on()
    assert found.server_error is not None
    assert found.server_error.reason is Reason.BAD_RECORD_MAC


@pytest.mark.rfc("rfc8446:4.6.3:7")
def test_new_keys_are_not_taken_before_the_message() -> None:
    found = connected(client(drop(KeyUpdate)), server())
    found.client.update_keys()
    found.client.send_data(b"already under the new keys")
    found.go_on()
    assert found.server_error is not None
    assert found.server_error.reason is Reason.BAD_RECORD_MAC


@pytest.mark.rfc("rfc8446:4.6.3:4")
@pytest.mark.parametrize("value", [2, 24, 255])
def test_a_key_update_with_another_value(value: int) -> None:
    found = connected(client(Tap()), server())
    found.client.inject_message(KeyUpdate(value))  # type: ignore[attr-defined]
    found.go_on()
    assert found.server_error is not None
    assert found.server_error.alert == Alert.illegal_parameter


@pytest.mark.rfc("rfc8446:4.6.3:5")
def test_a_requested_update_is_answered_once_before_the_next_data() -> None:
    tap = Tap()
    found = connected(client(), server(tap))
    for _ in range(5):
        found.client.update_keys(request=True)
    found.server.receive_data(found.client.data_to_send())
    found.server.send_data(b"answer")
    found.go_on()
    tail = [(kind, epoch, body[:1]) for kind, epoch, body in tap.records[-2:]]
    assert tail == [(22, 3, b"\x18"), (23, 4, b"a")]
    assert [message.request_update for message in tap.all(KeyUpdate)] == [0]
    assert sum(isinstance(event, KeysUpdated) for event in found.server_events) == 5


def test_key_updates_without_end() -> None:
    for count, fine in ((MAX_KEY_UPDATES, True), (MAX_KEY_UPDATES + 1, False)):
        found = connected()
        for _ in range(count):
            found.client.update_keys()
        found.go_on()
        assert (found.server_error is None) is fine
        if not fine:
            refused(found, "server", Reason.TOO_MANY_KEY_UPDATES, Alert.unexpected_message)


def test_data_between_them_makes_it_fine() -> None:
    found = connected()
    for _ in range(3 * MAX_KEY_UPDATES):
        found.client.update_keys()
        found.client.send_data(b"x")
        found.go_on()
    assert found.completed


def test_psk_here_is_the_one_of_the_world() -> None:
    assert PSK.identity == b"device"
