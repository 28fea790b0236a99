"""CBC records behind the record layer's interface. RFC 5246 section 6.2.3.2, RFC 7366."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.errors import Reason, refuse
from pellucid.legacy.cbc import CbcOpening, CbcSealing
from pellucid.legacy.suites import Cbc
from pellucid.limits import MAX_CIPHERTEXT_12, MAX_PLAINTEXT, MAX_RECORDS_GCM
from pellucid.protection import Opening, Sealing


class SealingCbc(Sealing):
    """Counts the records of a `CbcSealing`."""

    __slots__ = ("_cbc", "_sequence")
    epoch = 1

    def __init__(
        self, cbc: Cbc, key: bytes, mac_key: bytes, etm: bool, random: Callable[[int], bytes]
    ) -> None:
        self._cbc = CbcSealing(key, mac_key, cbc.mac, encrypt_then_mac=etm, random=random)
        self._sequence = 0

    def seal(self, content_type: int, fragment: bytes) -> bytes:
        """One record."""
        sequence = self._sequence
        if sequence >= MAX_RECORDS_GCM:
            refuse(Reason.SEQUENCE_OVERFLOW)
        self._sequence = sequence + 1
        return self._cbc.seal(content_type, bytes(fragment), sequence)


class OpeningCbc(Opening):
    """Counts the records of a `CbcOpening`."""

    __slots__ = ("_cbc", "_sequence", "max_inner")
    epoch = 1
    max_ciphertext = MAX_CIPHERTEXT_12

    def __init__(self, cbc: Cbc, key: bytes, mac_key: bytes, etm: bool) -> None:
        self._cbc = CbcOpening(key, mac_key, cbc.mac, encrypt_then_mac=etm)
        self._sequence = 0
        self.max_inner = MAX_PLAINTEXT

    def open(self, content_type: int, header: bytes, payload: Any) -> tuple[int, bytes]:
        """Content type and plaintext."""
        sequence = self._sequence
        inner = self._cbc.open(content_type, bytes(payload), sequence)
        self._sequence = sequence + 1
        if len(inner) > self.max_inner:
            refuse(Reason.RECORD_OVERFLOW, f"{len(inner)} bytes")
        return content_type, inner

    def limit(self, size: int) -> None:
        """RFC 8449 section 4; the padding of a block cipher does not count."""
        self.max_inner = size
