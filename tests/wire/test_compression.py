"""Certificate compression (RFC 8879): exact, and no bomb."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import PeerMisbehaved, Reason
from pellucid.wire.compression import available, compress, decompress

EACH = pytest.mark.parametrize("algorithm", available())


@EACH
@given(data=st.binary(max_size=5000))
def test_there_and_back(algorithm: int, data: bytes) -> None:
    assert decompress(algorithm, compress(algorithm, data), len(data)) == data


@EACH
def test_another_size_than_declared(algorithm: int) -> None:
    small = compress(algorithm, b"certificate" * 50)
    for size in (0, 1, 549, 551, 100_000):
        with pytest.raises(PeerMisbehaved) as refused:
            decompress(algorithm, small, size)
        assert refused.value.reason is Reason.BAD_CERTIFICATE_COMPRESSION


@EACH
def test_cut_changed_or_continued(algorithm: int) -> None:
    data = bytes(range(256)) * 4
    small = compress(algorithm, data)
    for size in range(len(small)):
        with pytest.raises(PeerMisbehaved):
            decompress(algorithm, small[:size], len(data))
    with pytest.raises(PeerMisbehaved):
        decompress(algorithm, small + b"\0", len(data))


@EACH
@given(data=st.binary(max_size=300), size=st.integers(0, 1000))
def test_any_bytes(algorithm: int, data: bytes, size: int) -> None:
    try:
        found = decompress(algorithm, data, size)
    except PeerMisbehaved as refused:
        assert refused.reason is Reason.BAD_CERTIFICATE_COMPRESSION
    else:
        assert len(found) == size


@EACH
def test_a_bomb_costs_no_more_than_it_declares(algorithm: int) -> None:
    """Twenty megabytes of zeros that call themselves a kilobyte."""
    bomb = compress(algorithm, bytes(20_000_000))
    tracemalloc.start()
    with pytest.raises(PeerMisbehaved) as refused:
        decompress(algorithm, bomb, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.reason is Reason.BAD_CERTIFICATE_COMPRESSION
    assert peak < 1_000_000


def test_an_unknown_algorithm() -> None:
    calls: tuple[Callable[[], bytes], ...] = (
        lambda: compress(99, b"x"),
        lambda: decompress(99, zlib.compress(b"x"), 1),
    )
    for call in calls:
        with pytest.raises(PeerMisbehaved) as refused:
            call()
        assert refused.value.reason is Reason.UNOFFERED_CERTIFICATE_COMPRESSION
