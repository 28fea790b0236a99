"""`SSLContext._msg_callback`: every message as it passes, for programs that watch the standard `ssl`.

RFC 8446 section 5.1 gives the numbers of content types; 0x100 (a record's header) is OpenSSL's. The
callback is told what the connection notes anyway when somebody looks; see `pellucid.glass` for more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.protection import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE

HEADER = 0x100
_CHANGE_CIPHER_SPEC_MESSAGE = 0x0101


class Watcher:
    """An observer that tells a message callback.

    Parameters:
        callback: `callback(connection, direction, version, content_type, message_type, data)`, numbers
            all of them, as the native context keeps it.
        end: the low-level object; its `owner` is what the callback gets to see.
    """

    def __init__(self, callback: Callable[..., None], end: Any) -> None:
        self._callback = callback
        self._end = end

    def open(self, role: str, name: str | None) -> Callable[..., None]:
        """A connection begins."""
        return self._note

    def _note(self, kind: str, **fields: Any) -> None:
        direction = "write" if fields.get("sent") else "read"
        if kind == "record":
            wire = fields["wire"]
            self._tell(direction, int.from_bytes(wire[1:3], "big"), HEADER, wire[0], bytes(wire[:5]))
            return
        version = self._end.wire_version
        if kind == "message":
            self._tell(direction, version, HANDSHAKE, fields["type"], bytes(fields["raw"]))
        elif kind == "alert":
            data = bytes((fields["level"], fields["description"]))
            self._tell(direction, version, ALERT, fields["description"], data)
        elif kind == "ccs":
            self._tell(direction, version, CHANGE_CIPHER_SPEC, _CHANGE_CIPHER_SPEC_MESSAGE, b"\x01")

    def _tell(self, direction: str, version: int, content: int, message: int, data: bytes) -> None:
        try:
            self._callback(self._end.owner, direction, version, content, message, data)
        except Exception as error:  # raised when the operation is over, as `_ssl.c` does
            self._end.delayed = error
