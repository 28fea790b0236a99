"""The web application of the live page: the page, its files, its events, and three buttons.

    GET  /            the page
    GET  /page.css, /page.js, ...
    GET  /events      server-sent events: "form" once, then "scene" whenever one has something new
    POST /run         an experiment begins; the body is `Choices` as JSON
    POST /step        the record that waits may pass: {"number": 3}
    POST /release     ... and all that follow
    POST /stop        the line is cut

`pellucid.live.guard` stands in front of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pellucid.errors import UsageError
from pellucid.glass import page
from pellucid.live.choices import Choices, form
from pellucid.live.experiment import Experiment, Laboratory, place
from pellucid.live.guard import Guard
from pellucid.live.scenes import Scene, Scenes
from pellucid.trust.verification import Trust

MOST_RUNNING = 8
"""Experiments at the same time; another one is refused."""
_MOST_BYTES = 4096  # of a request's body


class Site:
    """The live page.

    Parameters:
        experiments: whether the reader may make experiments, or only watch.
        trust: whom to believe when a server in the world is looked at; None: the system's authorities.
        title: the page's heading.

    Attributes:
        scenes: what is shown; there from the moment when the server runs.
    """

    def __init__(
        self, *, experiments: bool = True, trust: Trust | None = None, title: str = "pellucid live"
    ) -> None:
        self.scenes: Scenes = None  # type: ignore[assignment]  # made in the loop, see `start`
        self._experiments = experiments
        self._trust = trust
        self._title = title
        self._laboratory: Laboratory | None = None
        self._under_way: dict[int, tuple[Experiment, asyncio.Task[None]]] = {}
        files = [self._file(name, kind, text) for name, (kind, text) in page.live_files().items()]
        self.app = Starlette(
            routes=[
                Route("/", self._page),
                *files,
                Route("/events", self._events),
                Route("/run", self._run, methods=["POST"]),
                *(self._button(name) for name in ("step", "release", "stop")),
            ]
        )

    def start(self) -> None:
        """Called in the loop, before the first request."""
        self.scenes = Scenes()

    # -- what is to be had -------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        return Response(page.live_page(self._title), media_type="text/html")

    @staticmethod
    def _file(name: str, kind: str, text: str) -> Route:
        async def answer(request: Request) -> Response:
            return Response(text, media_type=kind)

        return Route(f"/{name}", answer)

    async def _events(self, request: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[str]:
        yield _event("form", form() if self._experiments else None)
        async for scene in self.scenes.watch():
            yield ": still here\n\n" if scene is None else _event("scene", scene.as_json())

    # -- what can be done ----------------------------------------------------------------------------------

    async def _run(self, request: Request) -> Response:
        if not self._experiments:
            return _refused(403, "Here you can only watch.")
        if self.scenes.running >= MOST_RUNNING:
            return _refused(429, "Too much is under way. Stop something first.")
        try:
            choices = Choices.of(await _body(request))
            if choices.host:
                place(choices.host)
        except (ValueError, UsageError) as error:
            detail = error.detail if isinstance(error, UsageError) else "That is no JSON."
            return _refused(400, detail)
        return JSONResponse({"number": self.run(choices).number})

    def run(self, choices: Choices) -> Scene:
        """Begin an experiment; it goes on by itself."""
        if self._laboratory is None:
            self._laboratory = Laboratory()
        scenes = self.scenes
        experiment = Experiment(choices, self._laboratory, lambda: scenes.tell(scene), self._trust)
        scene = scenes.begin(
            choices.title,
            client=experiment.client,
            server=experiment.server,
            pace=choices.pace,
            key=lambda: experiment.key,
            waiting=lambda: experiment.line.waiting,
        )
        task = asyncio.get_running_loop().create_task(self._follow(experiment, scene))
        self._under_way[scene.number] = experiment, task
        return scene

    async def _follow(self, experiment: Experiment, scene: Scene) -> None:
        scene.state = "failed"  # unless it gets to the end
        state = "complete"
        self.scenes.tell(scene)
        try:
            scene.state = "running"
            await experiment.run()
        except Exception as error:
            experiment.error = experiment.error or error  # type: ignore[assignment]
        except asyncio.CancelledError:
            state = "stopped"
        finally:
            failed = any(next(trace.of("error"), None) for trace in (scene.client, scene.server) if trace)
            scene.error = experiment.error
            if state == "complete" and (failed or scene.error is not None):
                state = "failed"  # who stops it cuts the line: what the two ends say of that is no failure
            scene.state = state
            self._under_way.pop(scene.number, None)
            self.scenes.tell(scene)

    def _button(self, name: str) -> Route:
        async def press(request: Request) -> Response:
            try:
                body = await _body(request)
                experiment, task = self._under_way[body["number"]]
            except (ValueError, KeyError, TypeError):
                return _refused(404, "That is not under way.")
            if name == "step":
                experiment.pace.step()
            elif name == "release":
                experiment.pace.release()
            else:
                task.cancel()
            return JSONResponse({})

        return Route(f"/{name}", press, methods=["POST"])


async def _body(request: Request) -> Any:
    """The request's JSON. Raises ValueError for anything else, or too much of it."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _MOST_BYTES:
            raise ValueError("too long")
    return json.loads(raw)


def _refused(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)


def _event(name: str, value: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n"


# -- serving it ----------------------------------------------------------------------------------------------


class WebServer:
    """The site on a socket.

    Parameters:
        site: what is served.
        host, port: where; port 0 lets the system choose.
        names: further host names under which it may be asked for.

    Attributes:
        url: the address, token and all.
    """

    def __init__(
        self, site: Site, host: str = "127.0.0.1", port: int = 0, names: tuple[str, ...] = ()
    ) -> None:
        token = secrets.token_urlsafe(18)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/{token}/"
        self._site = site
        config = uvicorn.Config(
            Guard(site.app, token, (host, *names)),
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)

    async def serve(self, started: Callable[[], Awaitable[None] | None] = lambda: None) -> None:
        """Serve until `stop`, or a signal where this is the main thread."""
        self._site.start()
        started()
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.serve(sockets=[self._socket])

    def run(self, started: Callable[[], Any] = lambda: None) -> None:
        """`serve` in a loop of its own."""
        asyncio.run(self.serve(started))

    def stop(self) -> None:
        """End; may be called from any thread."""
        self._server.should_exit = True
