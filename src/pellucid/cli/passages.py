"""The connections of `pellucid proxy`: each is shown, and kept, as the flags say."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pellucid.cli import exits, files
from pellucid.cli.options import RecordFlags
from pellucid.cli.pictures import Pictures
from pellucid.cli.terminal import Terminal
from pellucid.glass.decode import shown_identity
from pellucid.glass.trace import Trace
from pellucid.proxy import Passage
from pellucid.proxy.passage import Leg

if TYPE_CHECKING:
    from pellucid.live.scenes import Scene, Scenes

_PARTS = {"behind": "-server"}  # what an SVG's name gets: one file for each handshake


class Passages:
    """Tells of connections, one after the other, in a thread of its own: the proxy goes on meanwhile.

    What clients and servers say to each other is not shown, only their handshakes; with --show-secrets the
    page of --html and that of --live have it too.

    Parameters:
        scenes: of a live page, which is told of each handshake as it grows.

    Attributes:
        finished: with `once`: the first connection is over.
        code: the exit code for the last connection.
    """

    def __init__(
        self,
        terminal: Terminal,
        keep: RecordFlags,
        pictures: Pictures,
        *,
        once: bool,
        scenes: Scenes | None = None,
    ) -> None:
        self.terminal = terminal
        self.keep = keep
        self.pictures = pictures
        self.once = once
        self.finished = asyncio.Event()
        self.code = exits.OK
        self._thread = ThreadPoolExecutor(1)
        self._loop = asyncio.get_running_loop()
        self._error: BaseException | None = None
        self._scenes = scenes
        self._shown: dict[tuple[int, str], Scene] = {}  # of the connections that are under way

    async def shaken(self, passage: Passage) -> None:
        """The handshakes are over: have them shown, as they are now. Data does not wait for a slow reader."""
        self._tell(passage, "complete")
        if not self.terminal.quiet and not self.terminal.as_json:
            shown = self._thread.submit(self._show, passage, self._snapshot(passage))
            shown.add_done_callback(self._noticed)

    def told(self, passage: Passage) -> None:
        """There is something new of a handshake. What is said after it is no news."""
        if not passage.shaken:
            self._tell(passage, "running")

    def _tell(self, passage: Passage, state: str) -> None:
        """Show each of its handshakes on the live page, as it is now."""
        scenes = self._scenes
        if scenes is None:
            return
        for leg in passage.legs:
            scene = self._scene(scenes, passage, leg)
            scene.state = state
            scenes.tell(scene)

    def _scene(self, scenes: Scenes, passage: Passage, leg: Leg) -> Scene:
        scene = self._shown.get((passage.number, leg.name))
        if scene is None:
            end = "server" if leg.name == "front" else "client"
            scene = self._shown[passage.number, leg.name] = scenes.begin(
                f"{passage.number}: {leg.title}",
                key=lambda: _key(passage, leg),
                data=self.terminal.secrets,
                **{end: leg.trace},
            )
        return scene

    async def ended(self, passage: Passage) -> None:
        """The connection is over."""
        self._tell(passage, "failed" if passage.error is not None else "complete")
        for leg in passage.legs:
            self._shown.pop((passage.number, leg.name), None)
        await self._loop.run_in_executor(self._thread, self._end, passage)
        if self.once:
            self.finished.set()

    def _noticed(self, shown: Future[None]) -> None:
        """In the thread: what was shown, or could not be. Whoever read the output has gone, perhaps."""
        error = shown.exception()
        if error is not None and self._error is None:
            self._error = error
            self._loop.call_soon_threadsafe(self.finished.set)

    def complain(self) -> None:
        """Raise what kept the connections from being shown."""
        if self._error is not None:
            raise self._error

    @staticmethod
    def _snapshot(passage: Passage) -> list[tuple[Leg, Trace]]:
        return [(leg, leg.trace.without_data()) for leg in passage.legs]

    def _show(self, passage: Passage, shown: list[tuple[Leg, Trace]]) -> None:
        for leg, trace in shown:
            title = f"Connection {passage.number}: {leg.title}"
            self.terminal.show(trace, title=title, key=_key(passage, leg))
            self.terminal.summary(trace)
        for note in passage.notes:
            self.terminal.say((f"Connection {passage.number}: {note}", "quiet"))

    def _end(self, passage: Passage) -> None:
        terminal = self.terminal
        if terminal.as_json:
            terminal.objects([self._object(passage)])
        elif terminal.quiet:
            terminal.draw([[(passage.line, "")]])
        else:
            if not passage.shaken:
                self._show(passage, self._snapshot(passage))
            self._say_how(passage)
        self.code = exits.OK
        if passage.error is not None:
            self.code = exits.code_for(passage.error, complete=passage.shaken)
        for leg in passage.legs:
            files.record(self.keep.record, leg.trace, secrets=terminal.secrets, append=True)
            title = f"{passage.number}: {leg.title}"
            part = _PARTS.get(leg.name, "")
            self.pictures.add(leg.trace, title=title, key=_key(passage, leg), part=part)

    def _object(self, passage: Passage) -> dict[str, Any]:
        told = passage.to_json()
        if self.terminal.views:
            told["views"] = {
                leg.name: list(self.terminal.view_objects(leg.trace.without_data(), key=_key(passage, leg)))
                for leg in passage.legs
            }
        return told

    def _say_how(self, passage: Passage) -> None:
        """How it ended."""
        failure = passage.failure
        number = f"Connection {passage.number}"
        if failure is not None:
            who = f"{number}, with the {passage.blame}: "
            self.terminal.problem(who + failure.what, failure.why, failure.todo)
            return
        self.terminal.say((f"{number} is over: {passage.sent} bytes up, {passage.received} down.", "quiet"))


def _key(passage: Passage, leg: Leg) -> Any:
    """The server's key of a leg, where it is ours."""
    if leg.name != "front" or passage.front_config is None:
        return None
    return shown_identity(leg.trace, passage.front_config.identities)
