"""One end of a loopback connection in a process of its own: blocking sockets, asyncio or uvloop.

The server serves one kind of stack; the client obeys lines on its standard input, so that rounds of
two stacks can alternate. Each command begins on the wire with 17 bytes: what, how often, how much.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from .peers.base import BenchError
from .resident import thaw
from .scenario import Scenario
from .stacks import Stack, stack_for

_COMMAND = struct.Struct(">cQQ")  # b"E" echo, b"U" up, b"D" down; times; bytes each
_CHUNK = 65536


# Blocking sockets


def _read_exactly(connection: Any, size: int) -> bytes:
    data = connection.recv(size)
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data  # type: ignore[no-any-return]


def _take(connection: Any, size: int) -> None:
    recv = connection.recv
    while size > 0:
        data = recv(_CHUNK)
        if not data:
            raise EOFError
        size -= len(data)


def _serve_blocking(connection: Any) -> None:
    try:
        while True:
            kind, times, size = _COMMAND.unpack(_read_exactly(connection, _COMMAND.size))
            if kind == b"E":
                for _ in range(times):
                    connection.sendall(_read_exactly(connection, size))
            elif kind == b"U":
                _take(connection, times * size)
                connection.sendall(b".")
            else:
                data = bytes(size)
                for _ in range(times):
                    connection.sendall(data)
    except EOFError:
        connection.close()


def blocking_server(stack: Stack) -> None:
    """Accept for ever, one thread a connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    _announce(listener.getsockname()[1])
    while True:
        raw, _ = listener.accept()
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = stack.wrap_server(raw)
        threading.Thread(target=_serve_blocking, args=(connection,), daemon=True).start()


def blocking_client(stack: Stack, port: int) -> None:
    """Obey standard input."""
    raw = socket.create_connection(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = stack.wrap_client(raw)

    def work(kind: bytes, times: int, size: int) -> None:
        connection.sendall(_COMMAND.pack(kind, times, size))
        data = bytes(size)
        if kind == b"E":
            for _ in range(times):
                connection.sendall(data)
                _read_exactly(connection, size)
        elif kind == b"U":
            for _ in range(times):
                connection.sendall(data)
            _read_exactly(connection, 1)
        else:
            _take(connection, times * size)

    for line in sys.stdin:
        wanted = json.loads(line)
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        work(wanted["kind"].encode(), wanted["times"], wanted["size"])
        _report(time.process_time_ns() - cpu, time.perf_counter_ns() - wall)


# Streams


async def _take_stream(reader: Any, size: int) -> None:
    while size > 0:
        data = await reader.read(_CHUNK)
        if not data:
            raise EOFError
        size -= len(data)


async def _give_stream(writer: Any, times: int, data: bytes) -> None:
    for _ in range(times):
        writer.write(data)
        await writer.drain()


async def _serve_stream(reader: Any, writer: Any) -> None:
    try:
        while True:
            kind, times, size = _COMMAND.unpack(await reader.readexactly(_COMMAND.size))
            if kind == b"E":
                for _ in range(times):
                    writer.write(await reader.readexactly(size))
            elif kind == b"U":
                await _take_stream(reader, times * size)
                writer.write(b".")
            else:
                await _give_stream(writer, times, bytes(size))
    except (EOFError, ConnectionError):
        writer.close()


async def stream_server(stack: Stack) -> None:
    """Accept for ever in an event loop."""
    port, wait = await stack.serve(_serve_stream)
    _announce(port)
    await wait


async def stream_client(stack: Stack, port: int) -> None:
    """Obey standard input; the loop rests between two commands."""
    reader, writer = await stack.connect(port)

    async def work(kind: bytes, times: int, size: int) -> None:
        writer.write(_COMMAND.pack(kind, times, size))
        data = bytes(size)
        if kind == b"E":
            for _ in range(times):
                writer.write(data)
                await reader.readexactly(size)
        elif kind == b"U":
            await _give_stream(writer, times, data)
            await reader.readexactly(1)
        else:
            await _take_stream(reader, times * size)

    while True:
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line:
            return
        wanted = json.loads(line)
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        await work(wanted["kind"].encode(), wanted["times"], wanted["size"])
        _report(time.process_time_ns() - cpu, time.perf_counter_ns() - wall)


# Both


def _announce(port: int) -> None:
    """Say where we listen, then answer every further line with the CPU time so far."""
    print(json.dumps({"port": port}), flush=True)

    def answer() -> None:
        for _ in sys.stdin:
            print(json.dumps({"cpu": time.process_time_ns()}), flush=True)

    threading.Thread(target=answer, daemon=True).start()


def _report(cpu: int, wall: int) -> None:
    print(json.dumps({"cpu": cpu, "wall": wall}), flush=True)


def _run(loop: str, coroutine: Callable[[], Awaitable[None]]) -> None:
    factory = None
    if loop == "uvloop":
        from .peers.base import load

        factory = load("uvloop", "uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(coroutine())  # type: ignore[arg-type]


def main(arguments: list[str]) -> None:
    """`socket PEER FILE LOOP server` or `socket PEER FILE LOOP client PORT`."""
    _, peer, path, loop, role, *rest = arguments
    stack = stack_for(peer, Scenario(), thaw(path))
    if role not in ("server", "client"):
        raise BenchError(f"no such role: {role}")
    try:
        if loop == "blocking":
            if role == "server":
                blocking_server(stack)
            else:
                blocking_client(stack, int(rest[0]))
        elif role == "server":
            _run(loop, lambda: stream_server(stack))
        else:
            _run(loop, lambda: stream_client(stack, int(rest[0])))
    except KeyboardInterrupt:
        pass
