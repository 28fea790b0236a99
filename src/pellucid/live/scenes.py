"""What was seen so far: a scene for each connection, and whoever watches is told what is new.

A watcher is told of a scene's latest state only: who is slow misses states in between, never the end.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from pellucid.glass.failure import explain
from pellucid.glass.page import document
from pellucid.glass.trace import Trace
from pellucid.live.line import Waiting

KEPT = 24
"""Scenes that are remembered; the oldest is forgotten first."""
_CALM = 0.02  # seconds in which what is new is gathered: a flight notes many facts at once


@dataclass(eq=False)
class Scene:
    """One connection, while it happens and afterwards.

    Attributes:
        number: unique among the scenes.
        title: what it is about.
        client, server: its traces, as far as they are at hand; they may still grow.
        state: "running", "complete" or "failed".
        waiting: finds the record that waits on the line, or None.
        pace: when its records pass, one of `pellucid.live.line.PACES`; "" where nobody holds them.
        error: what went wrong outside of TLS.
        key: finds the server's private key, for "what if it leaks"; None where it is not ours.
        detail: a line more, for a list: the visitor's address.
        data: whether what the two said to each other is shown too.
    """

    number: int
    title: str
    client: Trace | None = None
    server: Trace | None = None
    state: str = "running"
    waiting: Callable[[], Waiting | None] = lambda: None
    pace: str = ""
    error: BaseException | None = None
    key: Callable[[], Any] = lambda: None
    detail: str = ""
    data: bool = True
    at: float = field(default_factory=time.time)

    def as_json(self) -> dict[str, Any]:
        """The scene for the page. Keys stay hidden: the page shows their first bytes."""
        seen = [trace for trace in (self.client, self.server) if trace is not None and trace.role]
        if not self.data:
            seen = [trace.without_data() for trace in seen]
        told: dict[str, Any] = {
            "number": self.number,
            "label": self.title,
            "detail": self.detail,
            "at": self.at,
            "state": self.state,
            "pace": self.pace,
            "waiting": None,
            "document": document(*seen, title=self.title, key=self.key()) if seen else None,
            "error": explain(self.error)._asdict() if self.error is not None else None,
        }
        waiting = self.waiting()
        if waiting is not None and self.state == "running":
            told["waiting"] = waiting._asdict()
        return told


class Scenes:
    """The scenes and their watchers.

    It belongs to the loop in which it is made; `begin` and `tell` may be called from any thread.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._scenes: OrderedDict[int, Scene] = OrderedDict()
        self._watchers: list[_Watcher] = []
        self._lock = threading.Lock()  # of the scenes and their count
        self._count = 0
        self._new: dict[int, None] = {}

    def __getitem__(self, number: int) -> Scene:
        return self._scenes[number]

    def __len__(self) -> int:
        return len(self._scenes)

    @property
    def running(self) -> int:
        """How many are not over."""
        with self._lock:
            return sum(scene.state == "running" for scene in self._scenes.values())

    def begin(self, title: str, **settings: Any) -> Scene:
        """A new scene; see `Scene` for the settings."""
        with self._lock:
            self._count += 1
            scene = Scene(self._count, title, **settings)
            self._scenes[scene.number] = scene
            while len(self._scenes) > KEPT:
                self._scenes.popitem(last=False)
        return scene

    def tell(self, scene: Scene) -> None:
        """There is something new in a scene."""
        self._loop.call_soon_threadsafe(self._gather, scene)

    def _gather(self, scene: Scene) -> None:
        if not self._new:
            self._loop.call_later(_CALM, self._spread)
        self._new[scene.number] = None

    def _spread(self) -> None:
        new, self._new = self._new, {}
        for watcher in self._watchers:
            watcher.tell(new)

    async def watch(self, *, idle: float = 15.0) -> AsyncIterator[Scene | None]:
        """Every scene, and then each that has something new; None after `idle` seconds without news."""
        with self._lock:
            watcher = _Watcher(list(self._scenes))
        self._watchers.append(watcher)
        try:
            while True:
                number = await watcher.next(idle)
                yield None if number is None else self._scenes.get(number)
        finally:
            self._watchers.remove(watcher)


class _Watcher:
    """The numbers of the scenes that a watcher has not seen in their latest state."""

    def __init__(self, numbers: list[int]) -> None:
        self._new: dict[int, None] = dict.fromkeys(numbers)
        self._event = asyncio.Event()

    def tell(self, numbers: dict[int, None]) -> None:
        self._new |= numbers
        self._event.set()

    async def next(self, idle: float) -> int | None:
        if not self._new:
            self._event.clear()
            try:
                async with asyncio.timeout(idle):
                    await self._event.wait()
            except TimeoutError:
                return None
        number = next(iter(self._new))
        del self._new[number]
        return number
