"""Captures: the containers, TCP put in order, connections read by a listener, and traces as packets."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import ClientConnection, Policy, ReplayMemory, ServerConnection, UsageError
from pellucid.glass import page, svg, terminal
from pellucid.glass.capture import Capture, KeyRing, conversations, export, key_log_lines, listen
from pellucid.glass.capture.packets import ETHERNET, RAW, Packet
from pellucid.glass.capture.tcp import segment_of
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS, to_json
from pellucid.legacy import museum_policy
from pellucid.wire.codepoints import NamedGroup
from support import TLS12, TLS13, House, pump

packets = st.lists(
    st.builds(
        lambda ticks, data, more: Packet(ticks / 1e6, RAW, data, len(data) + more),
        st.integers(0, 2**48),
        st.binary(max_size=60),
        st.integers(0, 9),
    ),
    max_size=6,
)


# -- containers ------------------------------------------------------------------------------------------


@given(packets, st.lists(st.text("abc0 1", min_size=1), max_size=3))
def test_pcapng_is_read_as_it_was_written(some: list[Packet], secrets: list[str]) -> None:
    again = Capture.read(Capture(some, secrets).pcapng("a comment"))
    assert [packet[1:] for packet in again.packets] == [packet[1:] for packet in some]
    assert [round(packet.at * 1e6) for packet in again.packets] == [round(p.at * 1e6) for p in some]
    assert again.secrets == secrets
    assert not again.cut


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1e-6), (0xA1B23C4D, 1e-9)])
def test_pcap_in_both_orders_and_resolutions(order: str, magic: int, unit: float) -> None:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, ETHERNET)
    capture = Capture.read(head + struct.pack(order + "IIII", 7, 250, 3, 9) + b"abc")
    assert capture.packets == [Packet(7 + 250 * unit, ETHERNET, b"abc", 9)]


@given(packets.filter(bool), st.integers(1, 40))
def test_a_file_that_was_cut_gives_what_is_whole(some: list[Packet], cut: int) -> None:
    data = Capture(some).pcapng()
    whole = Capture.read(data).packets
    kept = Capture.read(data[:-cut]).packets
    assert kept == whole[: len(kept)]
    assert len(kept) < len(whole)


def test_a_cut_is_said() -> None:
    data = Capture([Packet(0.0, RAW, b"abcdef", 6)]).pcapng()
    assert Capture.read(data[:-1]).cut
    assert not Capture.read(data).cut


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_magic_number(noise: bytes) -> None:
    for magic in (0xA1B2C3D4, 0xA1B23C4D, 0x0A0D0D0A):
        for order in ("big", "little"):
            capture = Capture.read(magic.to_bytes(4, order) + noise)
            conversations(capture.packets)


def test_other_files_are_refused() -> None:
    with pytest.raises(UsageError, match="neither a pcap nor a pcapng"):
        Capture.read(b"-----BEGIN CERTIFICATE-----")


# -- TCP -------------------------------------------------------------------------------------------------


def ip_packet(client: bool, sequence: int, flags: int, data: bytes, *, v6: bool = False) -> Packet:
    ports = (1111, 443) if client else (443, 1111)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, 0, 0x50, flags, 100, 0, 0) + data
    ends = (b"\x0a\0\0\x01", b"\x0a\0\0\x02") if client else (b"\x0a\0\0\x02", b"\x0a\0\0\x01")
    if v6:
        ip = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + bytes(12) + ends[0] + bytes(12) + ends[1]
    else:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends[0] + ends[1]
    return Packet(0.0, RAW, ip + tcp, len(ip) + len(tcp))


@settings(max_examples=200)
@given(st.binary(min_size=1, max_size=400), st.integers(0, 2**32 - 1), st.data())
def test_segments_in_any_order_twice_and_overlapping(said: bytes, start: int, data: st.DataObject) -> None:
    """The capture sees what the network did to them; the bytes come out as they were sent."""
    cuts = sorted({0, len(said), *data.draw(st.lists(st.integers(0, len(said)), max_size=6))})
    pieces = list(itertools.pairwise(cuts))
    ends = st.integers(0, len(said))
    pieces += data.draw(st.lists(st.tuples(ends, ends).map(lambda p: (min(p), max(p))), max_size=4))
    order = data.draw(st.permutations(pieces))
    v6 = data.draw(st.booleans())
    seen = [ip_packet(True, start, 2, b"", v6=v6)]
    seen += [ip_packet(True, start + 1 + a, 16, said[a:b], v6=v6) for a, b in order]
    (found,) = conversations(seen)
    assert b"".join(chunk.data for chunk in found.chunks) == said
    assert found.gaps == {"client": 0, "server": 0}
    assert found.client[1] == 1111


def test_what_the_capture_missed_is_said() -> None:
    seen = [ip_packet(True, 0, 2, b""), ip_packet(True, 1, 16, b"ab"), ip_packet(True, 8, 16, b"ij")]
    (found,) = conversations(seen)
    assert [chunk.data for chunk in found.chunks] == [b"ab"]
    assert found.gaps == {"client": 5, "server": 0}


def test_the_same_ports_again_are_another_connection() -> None:
    once = [ip_packet(True, 0, 2, b""), ip_packet(True, 1, 16, b"one")]
    again = [ip_packet(True, 900, 2, b""), ip_packet(True, 901, 16, b"two")]
    assert [c.chunks[0].data for c in conversations(once + again)] == [b"one", b"two"]


def test_a_capture_that_begins_with_the_answer() -> None:
    (found,) = conversations([ip_packet(False, 5, 18, b""), ip_packet(True, 1, 16, b"hello")])
    assert found.client[1] == 1111


def test_a_vlan_tag_stands_in_front() -> None:
    inner = ip_packet(True, 1, 16, b"x")
    frame = bytes(12) + b"\x81\x00\x00\x05\x08\x00" + inner.data
    segment = segment_of(Packet(0.0, ETHERNET, frame, len(frame)))
    assert segment is not None
    assert segment.data == b"x"


# -- a listener ------------------------------------------------------------------------------------------


def observed(house: House, policy: Policy, kind: str, server: Policy | None = None, **more: Any) -> Trace:
    """A whole connection, as its client saw it."""
    trace = Trace()
    pair = (
        ClientConnection(house.client(policy, observer=trace, alpn=("h2",), **more), "localhost"),
        ServerConnection(house.servers(server or policy, kind, alpn=("h2",))),
    )
    pump(*pair)
    for side, said in ((0, b"a question"), (1, b"an answer" * 3000)):
        pair[side].send_data(said)
        pump(*pair)
    if policy.tls13:
        pair[0].update_keys(request=True)
        pump(*pair)
        pair[0].send_data(b"under new keys")
        pump(*pair)
    for end in pair:
        end.close()
    pump(*pair)
    return trace


RETRY = Policy(groups=(NamedGroup.secp384r1,))
KINDS = {
    "TLS 1.3": (TLS13, "ecdsa-p256", None),
    "HelloRetryRequest": (TLS13, "ecdsa-p256", RETRY),
    "TLS 1.2": (TLS12, "rsa-2048", None),
    "static RSA": (museum_policy(), "rsa-2048", None),
    "static RSA without an extended master secret": (
        museum_policy().replace(require_extended_master_secret=False),
        "rsa-2048",
        None,
    ),
    "CBC": (museum_policy().replace(cipher_suites=(0x002F,)), "rsa-2048", None),
}


def heard(trace: Trace, ring: KeyRing | None = None) -> Trace:
    """The trace as somebody hears it who has only its packets, and keys."""
    capture = Capture.read(export(trace))
    (conversation,) = conversations(capture.packets)
    found = listen(conversation, KeyRing(capture.secrets) if ring is None else ring)
    assert found is not None
    return found


def spoken(trace: Trace) -> list[tuple[Any, ...]]:
    return [(f.fields["sent"], f.fields["epoch"], f.fields["raw"]) for f in trace.of("message")]


def content(trace: Trace) -> list[tuple[Any, ...]]:
    return [
        (
            f.fields["sent"],
            f.fields["epoch"],
            f.fields["content_type"],
            f.fields["wire"],
            f.fields["plaintext"],
        )
        for f in trace.of("record")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_listener_with_the_keys_hears_everything(house: House, kind: str) -> None:
    policy, key, server = KINDS[kind]
    trace = observed(house, policy, key, server)
    found = heard(trace)
    assert spoken(found) == spoken(trace)
    assert content(found) == content(trace)
    assert found.name == "localhost"
    for what in ("version", "cipher_suite", "alpn"):
        mine, theirs = found.decision(what), trace.decision(what)
        assert mine is not None
        assert theirs is not None
        assert mine.fields["chosen"] == theirs.fields["chosen"]
    assert [fact.what for fact in found.of("state")] == ["handshake complete"]


@pytest.mark.parametrize("kind", ["static RSA", "static RSA without an extended master secret", "CBC"])
def test_a_leaked_server_key_opens_static_rsa(house: House, kind: str) -> None:
    """No forward secrecy: who has the private key reads what was recorded years ago."""
    policy, key, server = KINDS[kind]
    trace = observed(house, policy, key, server)
    found = heard(trace, KeyRing(private_keys=[house.server["rsa-2048"].key]))
    assert content(found) == content(trace)
    secret, due = found.secret("pre_master_secret"), trace.secret("pre_master_secret")
    assert secret is not None
    assert due is not None
    assert secret.fields["value"] == due.fields["value"]


@pytest.mark.parametrize("kind", ["TLS 1.3", "TLS 1.2"])
def test_a_leaked_server_key_opens_nothing_else(house: House, kind: str) -> None:
    policy, _, server = KINDS[kind]
    trace = observed(house, policy, "rsa-2048", server)
    found = heard(trace, KeyRing(private_keys=[house.server["rsa-2048"].key]))
    data = [fact for fact in found.of("record") if fact.fields["content_type"] == 23]
    assert data
    assert all(fact.fields["plaintext"] is None for fact in data)


def test_early_data_and_a_resumption(house: House) -> None:
    server = house.servers(TLS13, max_early_data=1000, replay_guard=ReplayMemory(), alpn=("h2",))
    first = ClientConnection(house.client(TLS13, early_data=True, alpn=("h2",)), "localhost")
    seen = pump(first, ServerConnection(server))
    sessions = tuple(event.session for event in seen[0] if hasattr(event, "session"))
    trace = Trace()
    config = house.client(TLS13, early_data=True, alpn=("h2",), sessions=sessions, observer=trace)
    second = ClientConnection(config, "localhost")
    second.send_early_data(b"early birds")
    pump(second, ServerConnection(server))
    found = heard(trace)
    assert content(found) == content(trace)
    early = [fact for fact in found.of("record") if fact.fields["plaintext"] == b"early birds"]
    assert [fact.fields["epoch"] for fact in early] == [1]


def test_keys_are_left_out_when_they_must_stay_here(house: House) -> None:
    trace = observed(house, TLS13, "ecdsa-p256")
    assert Capture.read(export(trace, secrets=False)).secrets == []
    for line in key_log_lines(trace):
        assert bytes.fromhex(line.split()[2]) not in export(trace, secrets=False)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_capture_never_breaks_the_listener(house: House, data: st.DataObject) -> None:
    trace = CHANGED.setdefault("trace", observed(house, TLS12, "rsa-2048"))
    capture = Capture.read(export(trace))
    (conversation,) = conversations(capture.packets)
    at = data.draw(st.integers(0, len(conversation.chunks) - 1))
    chunk = conversation.chunks[at]
    where = data.draw(st.integers(0, min(len(chunk.data), 400) - 1))
    byte = data.draw(st.integers(0, 255))
    conversation.chunks[at] = chunk._replace(
        data=chunk.data[:where] + bytes([byte]) + chunk.data[where + data.draw(st.integers(0, 3)) :]
    )
    listen(conversation, KeyRing(capture.secrets))


CHANGED: dict[str, Trace] = {}


@pytest.mark.parametrize("keys", [True, False], ids=["with the keys", "without"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_view_shows_what_was_heard(house: House, kind: str, keys: bool) -> None:
    policy, key, server = KINDS[kind]
    found = heard(observed(house, policy, key, server), None if keys else KeyRing())
    for name, view in VIEWS.items():
        tree = view.build(found)
        assert terminal.draw(name, tree, 80)
        to_json(tree)
    assert "<svg" in svg.draw(found)
    assert "ClientHello" in page.page([page.document(found)])


def test_several_connections_in_one_file(house: House) -> None:
    traces = [observed(house, TLS13, "ecdsa-p256"), observed(house, TLS12, "rsa-2048")]
    capture = Capture.read(export(*traces))
    found = [listen(one, KeyRing(capture.secrets)) for one in conversations(capture.packets)]
    for trace, again in zip(traces, found, strict=True):
        assert again is not None
        assert spoken(again) == spoken(trace)
