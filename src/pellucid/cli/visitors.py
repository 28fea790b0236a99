"""The visitors of `pellucid serve`: each is served, shown, and kept as the flags say."""

from __future__ import annotations

import itertools
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from pellucid.cli import exits, files, problems
from pellucid.cli.after import after_handshake
from pellucid.cli.options import AfterFlags, RecordFlags
from pellucid.cli.pictures import Pictures
from pellucid.cli.terminal import Terminal
from pellucid.config import ServerConfig
from pellucid.events import PeerAuthenticated
from pellucid.glass.decode import load, name_text, shown_identity
from pellucid.glass.recorder import Followed
from pellucid.glass.trace import Trace
from pellucid.io.sockets import TLSSocket
from pellucid.trust.identity import Identity

if TYPE_CHECKING:
    from pellucid.live.scenes import Scenes


_MOMENT = 5.0
"""Seconds that who is leaving has to be kept when the server ends."""


class Visitors:
    """Serves each connection and shows it when its handshake is over, or has failed."""

    def __init__(
        self,
        terminal: Terminal,
        keep: RecordFlags,
        pictures: Pictures,
        after: AfterFlags,
        *,
        www: bool,
        once: bool,
        later: bool = False,
        scenes: Scenes | None = None,
    ) -> None:
        self.terminal = terminal
        self.keep = keep
        self.pictures = pictures
        self._answer = import_module("pellucid.cli.www").answer if www else self._echo
        self.once = once
        self.after = after
        self.later = later
        self.scenes = scenes
        self.finished = threading.Event()
        self.code = exits.OK  # of the last connection
        self._lock = threading.Lock()
        self._left = threading.Condition()  # notified when a visitor has left
        self._under_way = 0
        self._numbers = itertools.count(1)
        self._here = threading.local()  # this thread's connection: its trace, and its scene
        self._identities: tuple[Identity, ...] = ()

    def config(self, base: ServerConfig) -> ServerConfig:
        """The configuration of one connection, with a trace of its own."""
        self._here.scene = None
        self._here.shown = False
        self._identities = base.identities
        self._here.trace = Trace() if self.scenes is None else self._live(self.scenes)
        with self._left:
            self._under_way += 1
        return base.replace(observer=self._here.trace)

    def _live(self, scenes: Scenes) -> Trace:
        """A trace that is shown while it grows."""
        trace = Followed(lambda: scenes.tell(scene))
        scene = scenes.begin(f"visitor {next(self._numbers)}", server=trace)
        self._here.scene = scene
        return trace

    def handle(self, tls: TLSSocket) -> None:
        """Echo, or the page that explains the visitor's handshake."""
        trace = self._here.trace
        if self._here.scene is not None:
            self._here.scene.detail = str(tls.getpeername()[0])
        self._show(trace)
        with self._lock:
            after_handshake(tls, self.after, self.terminal)
        if self.later:
            tls.request_certificate()
        self._answer(tls, trace)
        tls.shutdown_write()
        self._end("complete", exits.OK)

    def _echo(self, tls: TLSSocket, trace: Trace) -> None:
        if tls.early_data:
            tls.sendall(tls.early_data)
        for data in tls:
            tls.sendall(data)
            self._say_who(tls)
        self._say_who(tls)

    def _say_who(self, tls: TLSSocket) -> None:
        """Who showed a certificate after the handshake, once it has come."""
        while tls.events:
            event = tls.events.pop(0)
            if isinstance(event, PeerAuthenticated):
                with self._lock:
                    who = described(event.chain)
                    self.terminal.say("the visitor showed a certificate later: ", (who, "value"))

    def failed(self, error: BaseException) -> None:
        """A connection was refused, or the visitor refused us: what there was of it, and why."""
        trace = getattr(self._here, "trace", None)
        if trace is None:
            return  # the visitor left before anything began
        complete = self._here.shown
        if not complete and next(trace.of("record", "message"), None) is not None:
            self._show(trace)
        with self._lock:
            code = problems.report(error, trace=trace, terminal=self.terminal, complete=complete)
        self._end("failed", code)

    def _end(self, state: str, code: int) -> None:
        """The connection is over: keep what is to be kept of it."""
        trace = self._here.trace
        with self._lock:
            self.code = code
            files.record(self.keep.record, trace, secrets=self.terminal.secrets, append=True)
            self.pictures.add(trace)
        scene = getattr(self._here, "scene", None)
        if scene is not None and self.scenes is not None:
            scene.state = state
            self.scenes.tell(scene)
        with self._left:
            self._under_way -= 1
            self._left.notify_all()
        if self.once:
            self.finished.set()

    def settle(self) -> None:
        """Wait a moment for visitors who are just leaving: what there was of them is kept, too."""
        with self._left:
            self._left.wait_for(lambda: self._under_way <= 0, _MOMENT)

    def _show(self, trace: Trace) -> None:
        self._here.shown = True
        with self._lock:
            self._draw(trace)

    def _draw(self, trace: Trace) -> None:
        if self.terminal.quiet and not self.terminal.as_json:
            return
        self.terminal.show(trace, key=shown_identity(trace, self._identities))
        self.terminal.summary(trace)
        if not self.terminal.as_json:
            self.terminal.draw([[("", "")]])


def described(chain: tuple[bytes, ...]) -> str:
    """The subject of a chain's leaf; "none" for an empty one."""
    leaf = load(chain[0]) if chain else None
    return "none" if leaf is None else name_text(leaf.subject)
