"""The applications that the server programs of test_programs.py run: each echoes a body.

Loaded by name (`ecosystem.apps:wsgi`) in a process of their own; nothing here imports pellucid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ecosystem.servers import asgi_echo


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that gives back what it was given, and has a life of its own."""
    if scope["type"] != "lifespan":
        await asgi_echo(scope, receive, send)
        return
    for end in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{end}.complete"})


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI application that gives back what it was given."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Length", str(len(body))), ("X-Scheme", environ["wsgi.url_scheme"])])
    return [body]


def create_app() -> Any:
    """The same as an application of Flask's."""
    from flask import Flask, request

    app = Flask("echo")

    @app.route("/", methods=["GET", "POST"])
    def echo() -> bytes:
        return request.get_data()

    return app
