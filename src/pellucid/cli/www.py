"""The page that `serve --www` sends: the visitor's own handshake, explained to the visitor.

As little HTTP as that needs (RFC 9112 sections 2 and 3): one request, one answer, and the end.
"""

from __future__ import annotations

from typing import Any

from pellucid.glass import page
from pellucid.glass.ladder import draw, text_of
from pellucid.glass.story import tell
from pellucid.glass.trace import Trace
from pellucid.io.sockets import TLSSocket
from pellucid.proxy.http import MOST_HEAD, parse, response
from pellucid.wire.codepoints import HandshakeType

TITLE = "Your handshake"
LEAD = "This is how you came here, as the server saw it. Every byte that you sent is explained."

_HEADERS = (
    "Cache-Control: no-store",
    "Referrer-Policy: no-referrer",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    "Connection: close",
)


def answer(tls: TLSSocket, trace: Trace) -> None:
    """Read a request and answer it with the page, or with the ladder as text for who wants no HTML."""
    head = read_head(tls)
    if not head:
        return
    method, target, _, fields = parse(head)
    if method not in ("GET", "HEAD"):
        sent = response("405 Method Not Allowed", "text/plain", b"Only GET is understood here.\n", *_HEADERS)
    elif target.partition("?")[0] != "/":
        sent = response("404 Not Found", "text/plain", b"There is one page here: /\n", *_HEADERS)
    elif wants_text(fields.get("accept")):
        sent = response("200 OK", "text/plain", text_of(draw(tell(server=trace))).encode(), *_HEADERS)
    else:
        sent = response("200 OK", "text/html", html_of(trace).encode(), *_HEADERS)
    tls.sendall(sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else sent)


def html_of(trace: Trace) -> str:
    """The page: it opens with the bytes of the ClientHello."""
    hello = next((fact for fact in trace.of("message") if fact.type == HandshakeType.client_hello), None)
    opens: dict[str, Any] = {"tab": "bytes", "select": "x0"} if hello is not None else {}
    return page.of_traces(server=trace, title=TITLE, lead=LEAD, **opens)


def read_head(tls: TLSSocket) -> bytes:
    """A request's head, however it was cut into records; b"" if it does not come, or is too long."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = tls.recv()
        if not data or len(head) > MOST_HEAD:
            return b""
        head += data
    return head.partition(b"\r\n\r\n")[0]


def wants_text(accept: str | None) -> bool:
    """Whether an Accept field comes from a program that shows text (curl says only `*/*`).

    >>> wants_text("*/*"), wants_text("text/html,*/*;q=0.8"), wants_text(None)
    (True, False, False)
    """
    return accept is not None and "text/html" not in accept
