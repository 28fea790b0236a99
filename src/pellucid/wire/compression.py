"""Certificate compression: small going out, and no bomb coming in.

RFC 8879 sections 4 and 5. zlib is always there; brotli and zstd if their packages are installed.
Decompression never makes more bytes than the message declared, whatever the input says.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

from pellucid.errors import Reason, refuse
from pellucid.wire.codepoints import CertificateCompressionAlgorithm as Algorithm

_REGISTERED: dict[int, tuple[Callable[[bytes], bytes], Callable[[bytes, int], bytes]]] = {}


def register(
    algorithm: int, compress: Callable[[bytes], bytes], decompress: Callable[[bytes, int], bytes]
) -> None:
    """Add an algorithm, for instance one of the private range (RFC 8879 section 7.3).

    Args:
        algorithm: its number, to be named in `Policy.certificate_compression`.
        compress: from the message to fewer bytes.
        decompress: from those bytes, and the size of the message, back to the message. It must
            never make more than `size` + 1 bytes, and refuse what it cannot read by `ValueError`.
    """
    _REGISTERED[algorithm] = (compress, decompress)


@cache
def _brotli() -> Any:
    try:
        import brotli
    except ImportError:
        return None
    # Without an output limit (before 1.2) a small input could fill the memory: then it is not used.
    return brotli if hasattr(brotli.Decompressor, "can_accept_more_data") else None


@cache
def _zstd() -> Any:
    try:
        from compression import zstd  # Python 3.14
    except ImportError:
        try:
            from backports import zstd
        except ImportError:
            return None
    return zstd


def available() -> tuple[int, ...]:
    """The algorithms that this installation can do."""
    found: list[int] = [Algorithm.zlib]
    if _brotli():
        found.append(Algorithm.brotli)
    if _zstd():
        found.append(Algorithm.zstd)
    return (*found, *_REGISTERED)


def compress(algorithm: int, data: bytes) -> bytes:
    """`data` compressed."""
    if algorithm == Algorithm.zlib:
        return zlib.compress(data, 9)
    if algorithm == Algorithm.brotli and _brotli():
        return bytes(_brotli().compress(data))
    if algorithm == Algorithm.zstd and _zstd():
        return bytes(_zstd().compress(data))
    if algorithm in _REGISTERED:
        return _REGISTERED[algorithm][0](data)
    refuse(Reason.UNOFFERED_CERTIFICATE_COMPRESSION, Algorithm.name_of(algorithm))


def decompress(algorithm: int, data: bytes, size: int) -> bytes:
    """Exactly `size` bytes, or a refusal; never more than `size` + 1 bytes of memory for output.

    >>> decompress(1, compress(1, bytes(1000)), 1000) == bytes(1000)
    True
    """
    try:
        if algorithm == Algorithm.zlib:
            engine = zlib.decompressobj()
            found = engine.decompress(data, size + 1)
            whole = engine.eof and not engine.unused_data
        elif algorithm == Algorithm.brotli and _brotli():
            decoder = _brotli().Decompressor()
            found = decoder.process(data, output_buffer_limit=size + 1)
            whole = decoder.is_finished()
        elif algorithm == Algorithm.zstd and _zstd():
            stream = _zstd().ZstdDecompressor()
            found = stream.decompress(data, size + 1)
            whole = stream.eof and not stream.unused_data
        elif algorithm in _REGISTERED:
            found, whole = _REGISTERED[algorithm][1](data, size), True
        else:
            refuse(Reason.UNOFFERED_CERTIFICATE_COMPRESSION, Algorithm.name_of(algorithm))
    except (zlib.error, ValueError, EOFError) as error:
        refuse(Reason.BAD_CERTIFICATE_COMPRESSION, str(error))
    except Exception as error:  # brotli.error and ZstdError have no common ancestor but this
        if type(error).__module__.split(".")[0] in ("brotli", "backports", "compression", "_zstd"):
            refuse(Reason.BAD_CERTIFICATE_COMPRESSION, str(error))
        raise
    if len(found) != size or not whole:
        refuse(Reason.BAD_CERTIFICATE_COMPRESSION, f"{len(found)} bytes instead of {size}")
    return bytes(found)
