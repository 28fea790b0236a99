"""RFC 8446 sections 5 and 6: the record protocol, and alerts."""

from __future__ import annotations

from typing import Any

import pytest

from pellucid import ConnectionEnded, PeerRefused, ServerConnection, UsageError
from pellucid.crypto.suites import SUITES
from pellucid.errors import PeerMisbehaved, Reason
from pellucid.events import PeerClosed, WarningAlert
from pellucid.lab import (
    Record,
    Tap,
    corrupt,
    flip,
    in_clear,
    insert,
    record_version,
    records,
    split,
)
from pellucid.limits import MAX_CHANGE_CIPHER_SPECS, MAX_EMPTY_RECORDS, MAX_PLAINTEXT, MAX_WARNING_ALERTS
from pellucid.protection import Sealing13
from pellucid.wire.codepoints import Alert
from pellucid.wire.messages import (
    Certificate,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    HandshakeMessage,
    KeyUpdate,
    ServerHello,
)

from .world import (
    BOTH,
    TLS12,
    TLS13,
    client,
    client_refuses,
    connected,
    refused,
    server,
    server_config,
    server_refuses,
    talk,
)

CCS = Record(20, b"\1")


def wire_of(data: bytes) -> list[bytes]:
    """The records of a stream."""
    found = []
    while data:
        size = 5 + int.from_bytes(data[3:5], "big")
        found.append(data[:size])
        data = data[size:]
    return found


def open_pair() -> Any:
    """A connection on which both sides can misbehave."""
    return connected(client(Tap()), server(Tap(), tickets=0))


# -- 5 Record protocol: ChangeCipherSpec and other types -------------------------------------------


@pytest.mark.rfc("rfc8446:5:1", "rfc8446:appendix-D.4:1")
@pytest.mark.parametrize("before", [EncryptedExtensions, Certificate, CertificateVerify, Finished])
def test_a_clear_ccs_is_dropped_anywhere_in_the_handshake(before: type[HandshakeMessage]) -> None:
    clear = records(lambda record: (record.clear(),), content_type=20)
    assert talk(client(), server(insert(CCS, before=before), clear)).completed


@pytest.mark.rfc("rfc8446:5:1")
def test_a_server_drops_it_too() -> None:
    clear = records(lambda record: (record.clear(),), content_type=20)
    assert talk(client(insert(CCS, CCS, after=ClientHello), clear), server()).completed
    assert talk(client(insert(CCS, before=Finished), clear), server()).completed


@pytest.mark.rfc("rfc8446:5:2")
@pytest.mark.parametrize("body", [b"", b"\0", b"\2", b"\1\1"])
def test_any_other_ccs_is_refused(body: bytes) -> None:
    clear = records(lambda record: (record.clear(),), content_type=20)
    fault = insert(Record(20, body), after=ClientHello)
    server_refuses(Reason.BAD_CHANGE_CIPHER_SPEC, Alert.unexpected_message, fault, clear, readable=False)


@pytest.mark.rfc("rfc8446:5:2")
def test_a_protected_ccs_is_refused() -> None:
    client_refuses_protected = insert(CCS, before=Certificate)
    found = talk(client(), server(client_refuses_protected))
    assert found.client_error is not None
    assert found.client_error.alert == Alert.unexpected_message
    found = talk(client(insert(CCS, before=Finished)), server())
    assert found.server_error is not None
    assert found.server_error.alert == Alert.unexpected_message


@pytest.mark.rfc("rfc8446:5:3")
def test_a_ccs_before_the_first_hello() -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        server().receive_data(b"\x14\3\3\0\1\1")
    assert caught.value.alert == Alert.unexpected_message


@pytest.mark.rfc("rfc8446:5:3", "rfc8446:5:5")
@pytest.mark.parametrize("clear", [True, False])
def test_a_ccs_after_the_handshake(clear: bool) -> None:
    found = open_pair()
    if clear:
        found.client.inject_raw(b"\x14\3\3\0\1\1")
    else:
        found.client.inject(20, b"\1")
    found.go_on()
    assert found.server_error.alert == Alert.unexpected_message
    refused(found, "server", found.server_error.reason, Alert.unexpected_message)


def test_ccs_without_end() -> None:
    clear = records(lambda record: (record.clear(),), content_type=20)
    for count, fine in ((MAX_CHANGE_CIPHER_SPECS - 1, True), (MAX_CHANGE_CIPHER_SPECS + 1, False)):
        found = talk(client(insert(*[CCS] * count, before=Finished), clear), server())
        assert (found.server_error is None) is fine
        if not fine:
            assert found.server_error is not None
            assert found.server_error.reason is Reason.TOO_MANY_CHANGE_CIPHER_SPECS


@pytest.mark.rfc("rfc8446:5:4")
def test_only_known_record_types_are_sent() -> None:
    ours, theirs = Tap(), Tap()
    found = connected(client(ours), server(theirs))
    found.client.send_data(b"x")
    found.client.close()
    found.go_on()
    assert {kind for tap in (ours, theirs) for kind, _, _ in tap.records} == {20, 21, 22, 23}


@pytest.mark.rfc("rfc8446:5:5")
@pytest.mark.parametrize("kind", [0, 1, 19, 24, 25, 26, 255])
def test_unknown_record_types_are_refused(kind: int) -> None:
    found = open_pair()
    found.client.inject(kind, b"x")
    found.go_on()
    assert found.server_error.alert == Alert.unexpected_message
    if kind >= 128:
        return  # as first byte, that would be SSL 2.0
    with pytest.raises(PeerMisbehaved) as caught:
        server().receive_data(bytes([kind]) + b"\3\1\0\1x")
    assert caught.value.alert == Alert.unexpected_message


# -- 5.1 Record layer ------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:5.1:3", "rfc8446:5.1:4")
@pytest.mark.parametrize("kind", [20, 21, 23])
def test_nothing_stands_within_a_fragmented_message(kind: int) -> None:
    found = open_pair()
    update = KeyUpdate(0).to_handshake()
    found.client.inject(22, update[:2])
    found.client.inject(kind, {20: b"\1", 21: b"\1\0", 23: b"x"}[kind])
    found.client.inject(22, update[2:])
    found.go_on()
    assert found.server_error.alert == Alert.unexpected_message


@pytest.mark.rfc("rfc8446:5.1:3")
def test_what_we_send_is_not_interleaved() -> None:
    tap = Tap()
    found = connected(client(), server(tap, policy=TLS13.replace(max_send_fragment=64)))
    found.server.send_data(b"x" * 200)
    found.go_on()
    kinds = [kind for kind, epoch, _ in tap.records if epoch == 2]
    assert set(kinds) == {22}
    assert len(kinds) > 4


@pytest.mark.rfc("rfc8446:5.1:5", "rfc8446:5.1:6", "rfc8446:5.1:7")
def test_no_message_spans_a_key_change() -> None:
    tail = EncryptedExtensions({}).to_handshake()
    found = talk(client(), server(insert(tail[:3], after=ServerHello)))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.EXCESS_HANDSHAKE_DATA
    assert found.client_error.alert == Alert.unexpected_message
    client_refuses(
        Reason.EXCESS_HANDSHAKE_DATA,
        Alert.unexpected_message,
        insert(b"\x04", after=Finished),
        readable=False,
    )
    found = talk(client(insert(b"\x18\0", after=Finished)), server())
    refused(found, "server", Reason.EXCESS_HANDSHAKE_DATA, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:5.1:6", "rfc8446:5.1:7")
def test_a_key_update_ends_its_record() -> None:
    found = open_pair()
    found.client.inject_message(KeyUpdate(0), KeyUpdate(0))
    refused(found.go_on(), "server", Reason.EXCESS_HANDSHAKE_DATA, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:5.1:8")
def test_messages_before_a_key_change_end_their_records() -> None:
    ours, theirs = Tap(), Tap()
    found = connected(client(ours), server(theirs))
    found.client.update_keys()
    found.go_on()
    for tap, message in (
        (ours, ClientHello),
        (theirs, ServerHello),
        (theirs, Finished),
        (ours, Finished),
        (ours, KeyUpdate),
    ):
        raw = tap.the(message).to_handshake()
        assert [body.endswith(raw) for _, _, body in tap.records if raw in body] == [True]


@pytest.mark.rfc("rfc8446:5.1:9", "rfc8446:5.4:3")
def test_no_empty_records_are_sent_but_of_application_data() -> None:
    ours, theirs = Tap(), Tap()
    found = connected(client(ours), server(theirs))
    found.client.send_data(b"")
    found.client.close()
    found.go_on()
    assert all(body for tap in (ours, theirs) for kind, _, body in tap.records if kind != 23)


@pytest.mark.rfc("rfc8446:5.1:9", "rfc8446:5.4:4")
@pytest.mark.parametrize("kind", [21, 22])
@pytest.mark.parametrize("padding", [b"", bytes(20)])
def test_empty_handshake_and_alert_records_are_refused(kind: int, padding: bytes) -> None:
    found = open_pair()
    found.client._write.protection.padding = (lambda size: len(padding)) if padding else None
    found.client.inject(kind, b"")
    refused(found.go_on(), "server", Reason.EMPTY_FRAGMENT, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:5.1:9")
@pytest.mark.parametrize("kind", [21, 22])
def test_empty_records_before_any_keys(kind: int) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        server().receive_data(bytes([kind, 3, 1, 0, 0]))
    assert caught.value.reason is Reason.EMPTY_FRAGMENT
    assert caught.value.alert == Alert.unexpected_message


def test_empty_application_records_are_fine_but_not_without_end() -> None:
    for count, fine in ((MAX_EMPTY_RECORDS, True), (MAX_EMPTY_RECORDS + 1, False)):
        found = open_pair()
        for _ in range(count):
            found.client.inject(23, b"")
        found.go_on()
        assert (found.server_error is None) is fine
        if not fine:
            refused(found, "server", Reason.TOO_MANY_EMPTY_RECORDS, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:5.1:10", "rfc8446:5.1:11", "rfc8446:5.1:12")
@pytest.mark.parametrize("body", [b"\1", b"\2", b"\1\0\1\0", b"\2\50\2\50", b"\1\0\0"])
def test_an_alert_is_exactly_one_alert(body: bytes) -> None:
    found = open_pair()
    found.client.inject(21, body)
    found.go_on()
    assert isinstance(found.server_error, PeerMisbehaved)
    assert found.server_error.reason is Reason.BAD_ALERT


@pytest.mark.rfc("rfc8446:5.1:10", "rfc8446:5.1:11", "rfc8446:5.1:12")
def test_we_send_one_alert_in_one_record() -> None:
    tap = Tap()
    found = talk(client(tap), server(flip(CertificateVerify, at=-3)))
    assert found.client_error is not None
    assert [body for kind, _, body in tap.records if kind == 21] == [bytes([2, Alert.decrypt_error])]


@pytest.mark.rfc("rfc8446:5.1:15", "rfc8446:5.1:19")
def test_the_version_in_our_records() -> None:
    retrying = TLS13.replace(groups=(23,))
    found = connected(client(policy=TLS13.replace(key_shares=(29,))), server(policy=retrying))
    found.client.send_data(b"x")
    found.go_on()
    ours, theirs = wire_of(found.to_server), wire_of(found.to_client)
    assert ours[0][1:3] in (b"\3\1", b"\3\3")
    assert {record[1:3] for record in (*ours[1:], *theirs)} == {b"\3\3"}


@pytest.mark.rfc("rfc8446:5.1:16", "rfc8446:appendix-D:1")
@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302, 0x0304, 0x03FF])
def test_the_version_in_clear_records_means_nothing(version: int) -> None:
    assert talk(client(record_version(version)), server(record_version(version))).completed


@pytest.mark.rfc("rfc8446:5.1:17")
@pytest.mark.parametrize("size", [MAX_PLAINTEXT, MAX_PLAINTEXT + 1, 100_000])
def test_no_record_of_ours_is_longer(size: int) -> None:
    tap = Tap()
    found = connected(client(), server())
    found.server.send_data(bytes(size))
    data = found.server.data_to_send()
    assert all(len(record) <= 5 + MAX_PLAINTEXT + 17 for record in wire_of(data))
    assert tap.records == []


@pytest.mark.rfc("rfc8446:5.1:17", "rfc8446:5.1:18", "rfc8446:5.4:7")
def test_a_plaintext_longer_than_allowed() -> None:
    found = open_pair()
    found.client.inject(23, bytes(MAX_PLAINTEXT))
    assert found.go_on().server_error is None
    found.client.inject(23, bytes(MAX_PLAINTEXT + 1))
    refused(found.go_on(), "server", Reason.RECORD_OVERFLOW, Alert.record_overflow)


@pytest.mark.rfc("rfc8446:5.1:18")
def test_a_clear_record_longer_than_allowed() -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        server().receive_data(b"\x16\3\1\x40\x01")
    assert caught.value.alert == Alert.record_overflow


@pytest.mark.rfc("rfc8446:5.1:20", "rfc8446:2:2")
def test_application_data_is_never_sent_in_clear_or_early() -> None:
    one, other = client(), server()
    for side in (one, other):
        with pytest.raises(UsageError):
            side.send_data(b"x")
    other.receive_data(one.data_to_send())
    with pytest.raises(UsageError):
        other.send_data(b"x")
    ours, theirs = Tap(), Tap()
    found = connected(client(ours), server(theirs))
    found.client.send_data(b"x")
    found.server.send_data(b"y")
    found.go_on()
    for tap in (ours, theirs):
        assert {epoch for kind, epoch, _ in tap.records if kind == 23} == {3}


@pytest.mark.rfc("rfc8446:2:2")
def test_application_data_in_the_handshake_is_refused() -> None:
    for before in (EncryptedExtensions, Certificate, Finished):
        found = talk(client(), server(insert(Record(23, b"x"), before=before)))
        assert found.client_error is not None
        assert found.client_error.alert == Alert.unexpected_message
    found = talk(client(insert(Record(23, b"x"), before=Finished)), server())
    assert found.server_error is not None
    assert found.server_error.alert == Alert.unexpected_message


def test_messages_cut_anywhere_are_put_together() -> None:
    for size in (1, 2, 3, 5, 100):
        assert talk(client(split(size, content_type=22)), server(split(size, content_type=22))).completed


# -- 5.2 to 5.4 Protection, nonces, padding --------------------------------------------------------


@pytest.mark.rfc("rfc8446:5.2:1", "rfc8446:5.2:2", "rfc8446:5.2:5")
def test_a_ciphertext_longer_than_allowed() -> None:
    found = open_pair()
    found.client.inject_raw(b"\x17\3\3\x41\x01")
    refused(found.go_on(), "server", Reason.CIPHERTEXT_OVERFLOW, Alert.record_overflow)
    found = open_pair()
    found.client.inject_raw(b"\x17\3\3\x41\x00" + bytes(0x4100))
    refused(found.go_on(), "server", Reason.BAD_RECORD_MAC, Alert.bad_record_mac)


@pytest.mark.rfc("rfc8446:5.2:3")
@pytest.mark.parametrize("at", [5, -1, -16])
def test_a_changed_record(at: int) -> None:
    found = connected(client(corrupt(at, epoch=3)), server())
    found.client.send_data(b"hello")
    refused(found.go_on(), "server", Reason.BAD_RECORD_MAC, Alert.bad_record_mac)
    client_refuses(Reason.BAD_RECORD_MAC, Alert.bad_record_mac, corrupt(at, epoch=2))


@pytest.mark.rfc("rfc8446:5.2:3")
@pytest.mark.parametrize("size", [0, 1, 15, 16])
def test_a_record_shorter_than_its_tag(size: int) -> None:
    found = open_pair()
    found.client.inject_raw(b"\x17\3\3\0" + bytes([size]) + bytes(size))
    refused(found.go_on(), "server", Reason.BAD_RECORD_MAC, Alert.bad_record_mac)


@pytest.mark.rfc("rfc8446:5.2:3")
def test_a_record_in_clear_where_keys_are_in_force() -> None:
    found = connected(client(in_clear(epoch=3, content_type=21)), server())
    found.client.close()
    refused(found.go_on(), "server", Reason.BAD_RECORD_MAC, Alert.bad_record_mac)


def test_a_protected_record_that_does_not_look_like_application_data() -> None:
    def handshake_outside(record: Any) -> Any:
        keys, inner = record.protection, record.fragment + bytes([record.content_type])
        header = b"\x16\3\3" + (len(inner) + 16).to_bytes(2, "big")
        encrypt = (keys._cipher or keys._begin()).encrypt
        nonce = (keys._iv ^ keys._sequence).to_bytes(12, "big")
        return (header + encrypt(nonce, inner, header),)

    found = talk(client(), server(records(handshake_outside, epoch=2)))
    refused(found, "client", Reason.INVALID_OUTER_RECORD_TYPE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:5.2:4", "rfc8446:5.3:3")
def test_aeads_expand_little_and_have_long_nonces() -> None:
    for suite in SUITES.values():
        if suite.tls13 and suite.aead is not None:
            assert suite.aead.tag_length + 1 <= 255
            assert suite.iv_length == 12


@pytest.mark.rfc("rfc8446:5.3:1")
def test_sequence_numbers_start_at_zero_under_each_key() -> None:
    found = connected()
    for _ in range(3):
        found.client.send_data(b"x")
        found.go_on()
        assert found.client._write.protection._sequence > 0  # type: ignore[attr-defined]
        found.client.update_keys()
        assert found.client._write.protection._sequence == 0  # type: ignore[attr-defined]
        found.go_on()
    found.client.send_data(b"x")
    found.go_on()
    assert found.client._write.protection._sequence == 1  # type: ignore[attr-defined]
    assert found.data("server") == b"xxxx"


@pytest.mark.rfc("rfc8446:5.3:2")
def test_keys_are_changed_before_they_are_used_up() -> None:
    found = connected()
    sealing = found.client._write.protection
    assert isinstance(sealing, Sealing13)
    found.server._read.protection._sequence = sealing._sequence = sealing._limit  # type: ignore[attr-defined]
    found.client.send_data(b"x")
    found.go_on()
    assert found.client._write.protection is not sealing
    assert found.client._write.protection._sequence <= 1  # type: ignore[attr-defined]
    assert found.data("server") == b"x"


@pytest.mark.rfc("rfc8446:5.4:2")
def test_padding_is_zeros() -> None:
    class Spy:
        def __init__(self, cipher: Any) -> None:
            self.cipher = cipher
            self.seen: list[bytes] = []

        def encrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
            self.seen.append(bytes(data))
            return self.cipher.encrypt(nonce, data, associated)  # type: ignore[no-any-return]

    found = connected(client(policy=TLS13.replace(padding=lambda size: 100 - size)), server())
    keys = found.client._write.protection
    assert isinstance(keys, Sealing13)
    spy = Spy(keys._cipher or keys._begin())
    keys._cipher = spy
    found.client.send_data(b"hello")
    assert found.go_on().data("server") == b"hello"
    assert spy.seen == [b"hello\x17" + bytes(95)]


@pytest.mark.rfc("rfc8446:5.4:5", "rfc8446:5.4:6")
@pytest.mark.parametrize("zeros", [1, 2, 100])
def test_nothing_but_zeros(zeros: int) -> None:
    found = open_pair()
    found.client.inject(0, bytes(zeros - 1))
    refused(found.go_on(), "server", Reason.NO_CONTENT_TYPE, Alert.unexpected_message)


@pytest.mark.rfc("rfc8446:5.4:7")
def test_padding_never_makes_a_record_too_long() -> None:
    found = connected(client(policy=TLS13.replace(padding=lambda size: 2**16)), server())
    found.client.send_data(bytes(40_000))
    assert len(found.go_on().data("server")) == 40_000
    assert max(map(len, wire_of(found.to_server))) == 5 + MAX_PLAINTEXT + 17


# -- 6 Alert protocol ------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:6.1:1", "rfc8446:6.1:4")
def test_what_comes_after_close_notify_is_ignored() -> None:
    found = open_pair()
    found.client.inject(21, b"\1\0")
    found.client.inject(23, b"too late")
    found.client.inject(22, b"\xff\0\0\0")
    found.go_on()
    assert found.server_error is None
    assert found.data("server") == b""
    assert any(isinstance(event, PeerClosed) for event in found.server_events)
    found.server.receive_data(b"garbage")
    assert found.server.error is None


@pytest.mark.rfc("rfc8446:6.1:5")
def test_closing_sends_close_notify_once() -> None:
    tap = Tap()
    found = connected(client(tap), server())
    found.client.close()
    found.client.close()
    found.go_on()
    assert [body for kind, _, body in tap.records if kind == 21] == [b"\1\0"]
    with pytest.raises(UsageError):
        found.client.send_data(b"x")


@pytest.mark.rfc("rfc8446:6.1:6")
def test_an_end_without_close_notify_is_an_error() -> None:
    found = connected()
    found.client.send_data(b"x")
    found.go_on()
    with pytest.raises(ConnectionEnded) as caught:
        found.server.receive_eof()
    assert caught.value.reason is Reason.TRUNCATED
    clean = connected()
    clean.client.close()
    clean.go_on()
    clean.server.receive_eof()
    assert clean.server.error is None


@pytest.mark.rfc("rfc8446:6.1:6")
def test_an_end_in_the_handshake_is_an_error() -> None:
    one = client()
    one.data_to_send()
    with pytest.raises(ConnectionEnded) as caught:
        one.receive_eof()
    assert caught.value.reason is Reason.EOF_IN_HANDSHAKE
    found = talk(client(insert(Record(21, b"\1\0"), before=Finished)), server())
    assert found.server_error is not None
    assert found.server_error.reason is Reason.PEER_CLOSED


@pytest.mark.rfc("rfc8446:6.2:1", "rfc8446:6.2:2", "rfc8446:6:2")
def test_after_a_fatal_alert_nothing_is_sent_or_taken() -> None:
    found = open_pair()
    found.client.inject(21, bytes([2, Alert.internal_error]))
    found.go_on()
    assert isinstance(found.server_error, PeerRefused)
    assert found.server_error.alert == Alert.internal_error
    with pytest.raises(PeerRefused):
        found.server.send_data(b"x")
    with pytest.raises(PeerRefused):
        found.server.receive_data(b"x")
    assert not found.server.wants_to_send
    assert found.server.data_to_send() == b""


@pytest.mark.rfc("rfc8446:6.2:1", "rfc8446:6.2:2")
def test_after_our_fatal_alert_neither() -> None:
    found = open_pair()
    found.client.inject(23, bytes(MAX_PLAINTEXT + 1))
    found.go_on()
    with pytest.raises(PeerMisbehaved):
        found.server.send_data(b"x")
    with pytest.raises(PeerMisbehaved):
        found.server.receive_data(b"x")
    assert found.server.data_to_send() == b""


@pytest.mark.rfc("rfc8446:6.2:4")
def test_the_alert_sent_is_the_one_that_the_error_names() -> None:
    for fault, alert in ((flip(Finished), Alert.decrypt_error), (corrupt(epoch=2), Alert.bad_record_mac)):
        found = talk(client(), server(fault))
        assert found.client_error is not None
        assert found.client_error.alert == found.alert_received == alert


@pytest.mark.rfc("rfc8446:6:3")
def test_a_failed_connection_forgets_its_secrets() -> None:
    found = open_pair()
    found.client.inject(23, bytes(MAX_PLAINTEXT + 1))
    found.go_on()
    for side in (found.client, found.server):
        assert side.error is not None
        assert side._exporter is side._resumption is side._read_secret is side._write_secret is None
        assert side._read.protection.epoch == side._write.protection.epoch == 0
        with pytest.raises(UsageError):
            side.export("EXPERIMENTAL x")


@pytest.mark.rfc("rfc8446:6:3")
def test_a_failed_handshake_forgets_its_secrets() -> None:
    found = talk(client(), server(flip(Finished)))
    assert found.client._steps is None  # the generator, whose locals the secrets were
    assert found.client._read.protection.epoch == 0
    assert found.alert_received == Alert.decrypt_error  # which was still sealed


ERRORS = [alert for alert in Alert if alert not in (Alert.close_notify, Alert.user_canceled)]


@pytest.mark.rfc("rfc8446:6:4")
def test_our_errors_are_fatal() -> None:
    tap = Tap()
    talk(client(tap), server(flip(Finished)))
    assert [body[0] for kind, _, body in tap.records if kind == 21] == [2]


@pytest.mark.rfc("rfc8446:6:5")
@pytest.mark.parametrize("alert", ERRORS)
@pytest.mark.parametrize("level", [1, 2])
def test_error_alerts_end_the_connection_at_any_level(alert: int, level: int) -> None:
    found = open_pair()
    found.client.inject(21, bytes([level, alert]))
    found.go_on()
    assert found.server_error is not None
    assert not any(isinstance(event, WarningAlert) for event in found.server_events)


@pytest.mark.rfc("rfc8446:6:6")
@pytest.mark.parametrize("alert", [1, 123, 200, 255])
def test_unknown_alerts_are_errors(alert: int) -> None:
    for level in (1, 2):
        found = open_pair()
        found.client.inject(21, bytes([level, alert]))
        found.go_on()
        assert found.server_error is not None


@pytest.mark.parametrize("level", [0, 3, 255])
def test_an_alert_of_an_unknown_level(level: int) -> None:
    found = open_pair()
    found.client.inject(21, bytes([level, 40]))
    refused(found.go_on(), "server", Reason.UNKNOWN_ALERT_LEVEL, Alert.illegal_parameter)


def test_warnings_without_end() -> None:
    for policy in (TLS12, TLS13):
        for count, fine in ((MAX_WARNING_ALERTS, True), (MAX_WARNING_ALERTS + 1, False)):
            found: Any = connected(client(Tap(), policy=policy), server(policy=policy, tickets=0))
            for _ in range(count):
                found.client.inject(21, bytes([1, Alert.user_canceled]))
            found.go_on()
            assert (found.server_error is None) is fine
            if not fine:
                refused(found, "server", Reason.TOO_MANY_WARNING_ALERTS, Alert.unexpected_message)


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Reason.HTTP_REQUEST),
        (b"CONNECT a:443 HTTP/1.1\r\n", Reason.HTTPS_PROXY_REQUEST),
        (b"\x80\x2e\1\0\2\0\x15\0\0\0\x10", Reason.SSLV2_HELLO),
        (b"SSH-2.0-OpenSSH_9\r\n", Reason.NOT_TLS),
        (b"\x16\2\0\0\1x", Reason.WRONG_RECORD_VERSION),
    ],
)
def test_what_is_no_tls_is_named(start: bytes, reason: Reason) -> None:
    one = server()
    with pytest.raises(PeerMisbehaved) as caught:
        one.receive_data(start)
    assert caught.value.reason is reason


def test_a_plain_server_is_named() -> None:
    one = client()
    with pytest.raises(PeerMisbehaved) as caught:
        one.receive_data(b"220 mail.example ESMTP\r\n")
    assert caught.value.reason is Reason.PLAIN_SERVER


def test_a_message_longer_than_the_limit_is_refused_before_it_comes() -> None:
    one = ServerConnection(server_config(policy=BOTH))
    with pytest.raises(PeerMisbehaved) as caught:
        one.receive_data(b"\x16\3\1\0\4\1\2\0\0")
    assert caught.value.reason is Reason.MESSAGE_TOO_LONG
    assert caught.value.alert == Alert.illegal_parameter
