"""What a socket has besides `recv`, `send` and `close`, made from these three."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, Self, cast

from pellucid.io.shell import CHUNK


class SocketLike:
    """The conveniences of a `TLSSocket`."""

    _sock: Any

    def recv(self, size: int = CHUNK) -> bytes:
        """Up to `size` bytes."""
        raise NotImplementedError

    def sendall(self, data: Any) -> None:
        """Send all of `data`."""
        raise NotImplementedError

    def close(self) -> None:
        """Close."""
        raise NotImplementedError

    def recv_into(self, buffer: Any, size: int = 0) -> int:
        """`recv` into a writable buffer; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = self.recv(min(size or len(view), len(view)))
        view[: len(data)] = data
        return len(data)

    def __iter__(self) -> Iterator[bytes]:
        while data := self.recv():
            yield data

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send what a binary `file` holds from `offset` on, `count` bytes at most; returns how many."""
        if offset:
            file.seek(offset)
        total = 0
        while data := file.read(CHUNK if count is None else min(CHUNK, count - total)):
            self.sendall(data)
            total += len(data)
        return total

    def makefile(self, mode: str = "r", buffering: int | None = None, **options: Any) -> Any:
        """A file object over this socket: as `socket.makefile`, whose very code it is."""
        return socket.socket.makefile(cast(Any, self), mode, buffering, **options)  # type: ignore[call-overload]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def settimeout(self, seconds: float | None) -> None:
        """Seconds that one operation on the socket may take; None for ever; 0 for non-blocking."""
        self._sock.settimeout(seconds)

    def fileno(self) -> int:
        """The socket's file descriptor."""
        return int(self._sock.fileno())

    def getpeername(self) -> Any:
        """The peer's address."""
        return self._sock.getpeername()

    def getsockname(self) -> Any:
        """Our own address."""
        return self._sock.getsockname()
