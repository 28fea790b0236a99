"""What keeps sessions: tickets under rotating keys, stores, sessions as bytes, the replay guard."""

from __future__ import annotations

import itertools
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import (
    PreSharedKey,
    Reason,
    ReplayMemory,
    Secret,
    Session,
    SessionStore,
    TicketKeys,
    UsageError,
    import_psk,
)
from pellucid.limits import EARLY_DATA_WINDOW
from pellucid.resumption.sessions import FORMAT, TICKET_FORMAT, TicketContent

SESSION = Session(
    FORMAT, 0x0304, 0x1301, b"s" * 32, b"ticket", 10**12, 3600, 7, 0, 1, 0, 29, 0x0403,
    b"example.test", b"h2", b"b" * 16, b"", (b"leaf", b"root"), (b"leaf",), b"", (b"sct",), b"mine",
)  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


# -- tickets -------------------------------------------------------------------------------------------


def test_a_ticket_gives_back_its_own_secret_and_what_it_shares() -> None:
    content = TicketContent(TICKET_FORMAT, b"k" * 48, 9, 10**12 + 1, SESSION.encode())
    ticket = TicketContent.opened(content.encode())
    assert (ticket.secret, ticket.age_add, ticket.issued_at) == (b"k" * 48, 9, 10**12 + 1)
    assert isinstance(ticket.secret, Secret)
    session = ticket.session
    assert (session.ticket, session.alpn, session.verified_chain) == (b"ticket", b"h2", (b"leaf",))
    assert not ticket.expired(10**9 + 3600)  # a millisecond of its life is left
    assert ticket.expired(10**9 + 3600.001)


def test_what_tickets_have_in_common_is_read_once_and_their_secrets_are_their_own() -> None:
    tickets = [TicketContent(TICKET_FORMAT, key * 48, 9, 10**12, SESSION.encode()) for key in (b"k", b"l")]
    one, other = (TicketContent.opened(ticket.encode()) for ticket in tickets)
    assert one.session is other.session
    assert (bytes(one.secret), bytes(other.secret)) == (b"k" * 48, b"l" * 48)


def test_a_session_is_no_ticket_and_a_ticket_no_session() -> None:
    ticket = TicketContent(TICKET_FORMAT, b"k" * 48, 9, 10**12, SESSION.encode()).encode()
    for wrong in (SESSION.encode(), b"", b"\1" + ticket[1:], *(ticket[:size] for size in range(len(ticket)))):
        with pytest.raises(UsageError):
            TicketContent.opened(wrong)
    with pytest.raises(UsageError):
        Session.from_bytes(ticket)


def test_a_ticket_outlives_its_key_by_one_rotation() -> None:
    keys = TicketKeys()
    tickets = []
    for _ in range(4):
        tickets.append(keys.seal(b"session"))
        keys.rotate()
    assert [keys.open(ticket) for ticket in tickets] == [None, None, None, b"session"]


def test_keys_rotate_by_themselves() -> None:
    clock = Clock()
    keys = TicketKeys(rotation=60, clock=clock)
    first = keys.seal(b"session")
    clock.now += 60
    assert keys.seal(b"")[:4] == first[:4]
    clock.now += 1
    assert keys.seal(b"")[:4] != first[:4]
    assert keys.open(first) == b"session"
    forever = TicketKeys(rotation=0, clock=clock)
    first = forever.seal(b"session")
    clock.now += 1e9
    assert forever.seal(b"")[:4] == first[:4]


def test_every_changed_bit_and_every_cut_makes_it_worthless() -> None:
    keys = TicketKeys()
    ticket = keys.seal(b"a session")
    for at, bit in itertools.product(range(len(ticket)), range(8)):
        changed = bytearray(ticket)
        changed[at] ^= 1 << bit
        assert keys.open(bytes(changed)) is None
    for size in range(len(ticket)):
        assert keys.open(ticket[:size]) is None
    assert keys.open(ticket + b"\0") is None
    assert TicketKeys().open(ticket) is None


@given(st.binary(max_size=200))
def test_what_is_no_ticket_opens_nothing(data: bytes) -> None:
    keys = TicketKeys(keys=(b"name" + bytes(32),))
    assert keys.open(data) is None
    assert keys.open(b"name" + data) is None


def test_machines_that_share_keys_read_each_others_tickets() -> None:
    one = TicketKeys()
    other = TicketKeys(keys=one.export())
    assert other.open(one.seal(b"session")) == b"session"
    assert "key" not in repr(one.export()[0]).replace("<Secret", "")
    with pytest.raises(UsageError) as refused:
        TicketKeys(keys=(bytes(35),))
    assert refused.value.reason is Reason.BAD_CONFIG


def test_no_two_tickets_are_alike() -> None:
    keys = TicketKeys()
    assert len({keys.seal(b"session") for _ in range(100)}) == 100


# -- stores ----------------------------------------------------------------------------------------------


def test_a_store_hands_out_each_session_once() -> None:
    store = SessionStore()
    name = store.seal(b"session")
    assert len(name) == 32
    assert store.open(name) == b"session"
    assert store.open(name) is None
    again = SessionStore(single_use=False)
    name = again.seal(b"session")
    assert again.open(name) == again.open(name) == b"session"
    again.discard(name)
    again.discard(name)
    assert again.open(name) is None


def test_a_store_forgets_the_oldest() -> None:
    store = SessionStore(3)
    names = [store.seal(bytes([number])) for number in range(5)]
    assert len(store) == 3
    assert [store.open(name) for name in names] == [None, None, b"\2", b"\3", b"\4"]


def test_many_threads_get_a_single_use_session_once() -> None:
    store = SessionStore()
    names = [store.seal(b"session") for _ in range(500)]
    found: list[bytes | None] = []
    threads = [
        threading.Thread(target=lambda: found.extend([store.open(name) for name in names])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(b"session") == 500


# -- replay ----------------------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:8.2:4")
def test_the_replay_guard_takes_nothing_while_it_cannot_know() -> None:
    guard = ReplayMemory(window=30, started_at=1000)
    assert not guard.first_time(b"a" * 32, 1000)
    assert not guard.first_time(b"a" * 32, 1029.9)
    assert guard.first_time(b"a" * 32, 1030)
    assert not guard.first_time(b"a" * 32, 1030)
    assert not guard.first_time(b"a" * 32, 1060)
    assert guard.first_time(b"b" * 32, 1060)


def test_the_replay_guard_covers_the_age_window_of_a_server() -> None:
    """What could be accepted twice by its age is still remembered."""
    guard = ReplayMemory(started_at=0)
    assert guard.first_time(b"a" * 32, 1000)
    assert not guard.first_time(b"a" * 32, 1000 + 2 * EARLY_DATA_WINDOW)


def test_a_full_replay_guard_refuses_and_recovers() -> None:
    guard = ReplayMemory(window=10, size=2, started_at=0)
    assert guard.first_time(b"a" * 32, 100)
    assert guard.first_time(b"b" * 32, 100)
    assert not guard.first_time(b"c" * 32, 100)
    assert guard.first_time(b"c" * 32, 111)


def test_many_threads_are_first_once() -> None:
    guard = ReplayMemory(started_at=0)
    tokens = [bytes([number % 256, number // 256]) * 16 for number in range(1000)]
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.extend([guard.first_time(token, 100) for token in tokens]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(True) == 1000


# -- sessions as bytes -----------------------------------------------------------------------------------


def test_a_session_survives_storage() -> None:
    stored = SESSION.to_bytes()
    again = Session.from_bytes(stored)
    assert again == SESSION
    assert again.to_bytes() == stored
    assert isinstance(again.secret, Secret)
    assert "ssss" not in repr(again)


def test_a_session_of_another_format_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        Session.from_bytes(bytes([FORMAT + 1]) + SESSION.to_bytes()[1:])
    assert refused.value.reason is Reason.BAD_CONFIG


@given(st.binary(max_size=300))
def test_any_bytes_are_a_session_or_a_usage_error(data: bytes) -> None:
    for candidate in (data, bytes([FORMAT]) + data):
        try:
            session = Session.from_bytes(candidate)
        except UsageError as error:
            assert error.reason is Reason.BAD_CONFIG
        else:
            assert session.to_bytes() == candidate


def test_cut_sessions_are_refused() -> None:
    stored = SESSION.to_bytes()
    for size in range(len(stored)):
        with pytest.raises(UsageError):
            Session.from_bytes(stored[:size])


@pytest.mark.rfc("rfc8446:4.2.11.1:1")
def test_a_session_ends_with_its_lifetime() -> None:
    assert not SESSION.expired(1e9)
    assert not SESSION.expired(1e9 + 3599.9)
    assert SESSION.expired(1e9 + 3600)


# -- pre-shared keys -------------------------------------------------------------------------------------


def hkdf_expand_label(hash: str, key: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """RFC 8446 section 7.1, by another implementation of HKDF than ours."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + bytes([len(context)]) + context
    algorithm = hashes.SHA256() if hash == "sha256" else hashes.SHA384()
    return HKDFExpand(algorithm, length, info).derive(key)


@pytest.mark.parametrize("hash", ["sha256", "sha384"])
def test_the_importer_against_another_hkdf(hash: str) -> None:
    """RFC 9258 section 5.1, written out with `cryptography`'s HKDF: no vectors were published."""
    import hashlib
    import hmac

    size = hashlib.new(hash).digest_size
    extracted = hmac.digest(bytes(size), b"k" * 32, hash)
    found = import_psk(b"external", b"k" * 32, b"context", hash=hash)
    assert [key.hash for key in found] == ["sha256", "sha384"]
    for key, kdf, length in zip(found, (1, 2), (32, 48), strict=True):
        identity = b"\0\x08external\0\x07context\x03\x04" + kdf.to_bytes(2, "big")
        assert key.identity == identity
        digest = hashlib.new(hash, identity).digest()
        assert key.secret == hkdf_expand_label(hash, extracted, b"derived psk", digest, length)
        assert key.imported


def test_what_no_pre_shared_key_may_be() -> None:
    for make in (
        lambda: PreSharedKey(b"x", Secret(b"")),
        lambda: PreSharedKey(b"x", Secret(b"k"), "md5"),
        lambda: PreSharedKey(bytes(65536), Secret(b"k")),
        lambda: import_psk(b"x", b"short"),
    ):
        with pytest.raises(UsageError) as refused:
            make()
        assert refused.value.reason is Reason.BAD_CONFIG
    with pytest.raises(TypeError):
        pickle.dumps(PreSharedKey(b"x", Secret(b"key")))
