"""The page: every view of a connection in one HTML file that needs nothing else.

It is put together from the files beside this one: `page.html` (the frame), `page.css`, and the
scripts, which draw the views' JSON. No build step: what is here is what the browser gets.

A page shows what strangers sent: names in certificates, server names, data. It stands as JSON in a
block that no HTML parser leaves (`<` is escaped), the scripts set text as text only, and the page's own
Content-Security-Policy lets nothing run but the scripts that it names by their hash.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files as _files
from typing import Any

from pellucid.glass.ladder import draw, text_of
from pellucid.glass.story import tell
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS, to_json

SCRIPTS = ("dom.js", "ladder.js", "bytes.js", "panels.js", "page.js")
STYLES = ("page.css",)
LIVE_STYLES = (*STYLES, "live.css")
LIVE = "live.js"

_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path d='M4 1v14M12 1v14' stroke='#8b8fa0'"
    " stroke-width='2'/><path d='M4 5h6M12 11H6' stroke='#1a5fb4' stroke-width='2'/></svg>"
)
MOST_BYTES = 8192
"""Bytes of one message that a page shows; a browser has trouble with half a million of them."""
_MOST_DATA = 512  # bytes of application data; twice that where it is looked at byte by byte
_MOST_RECORD = 64  # bytes of a record as an eavesdropper sees it

_FOOTER = "Made by pellucid from a real connection. Nothing here is loaded from the network."


def document(
    trace: Trace,
    other: Trace | None = None,
    *,
    title: str = "",
    lead: str = "",
    key: Any = None,
    secrets: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """All views of a connection as one JSON object: what the page draws.

    Parameters:
        trace: of either end; it may still grow.
        other: the other end's, where it is at hand.
        title: the page's heading; by default what the ladder calls it.
        lead: a sentence under it.
        key: the server's private key, for "what if it leaks".
        secrets: show keys whole, instead of their first bytes.
        more: what the page opens with: `tab` (a view's name), `select` (a crossing's id).
    """
    told = {name: to_json(view.build(trace, other, key), secrets=secrets) for name, view in VIEWS.items()}
    _shorten(told)
    return {"title": title, "lead": lead} | more | told


def page(documents: Sequence[dict[str, Any]], *, title: str = "A TLS handshake", text: str = "") -> str:
    """One HTML file that shows these documents (see `document`) and loads nothing.

    Parameters:
        documents: one, or several to choose from.
        title: the window's.
        text: shown where scripts do not run: the ladder as text, say.

    >>> "<script>alert" in page([], title="<script>alert(1)</script>")
    False
    """
    script, style = _joined(SCRIPTS), _joined(STYLES)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<style>{style}</style>"
    )
    noscript = f'<noscript><pre tabindex="0">{html.escape(text)}</pre></noscript>\n' if text else ""
    held = f'<script type="application/json" id="documents">{_embedded(list(documents))}</script>'
    return _frame(title, head, noscript, f"{held}\n<script>{script}</script>")


def of_traces(
    client: Trace | None = None,
    server: Trace | None = None,
    *,
    title: str = "",
    lead: str = "",
    key: Any = None,
    secrets: bool = False,
    **more: Any,
) -> str:
    """The page of one connection, from the traces of one or both of its ends.

    Raises:
        ValueError: there is no trace.
    """
    first = client or server
    if first is None:
        raise ValueError("a page needs a trace")
    other = server if first is client else None
    shown = document(first, other, title=title, lead=lead, key=key, secrets=secrets, **more)
    story = tell(client, server)
    return page([shown], title=title or story.title, text=text_of(draw(story, secrets=secrets)))


def live_page(title: str) -> str:
    """The page of `pellucid.live`: the same, fed by events; its files stand beside it."""
    return _frame(
        title,
        '<link rel="stylesheet" href="page.css">',
        '<div id="live"></div>\n',
        '<script src="page.js"></script>\n<script src="live.js"></script>',
    )


def live_files() -> dict[str, tuple[str, str]]:
    """What stands beside the live page: name to (media type, text)."""
    return {
        "page.css": ("text/css", _joined(LIVE_STYLES)),
        "page.js": ("text/javascript", _joined(SCRIPTS)),
        LIVE: ("text/javascript", _read(LIVE)),
    }


# -- putting it together ----------------------------------------------------------------------------


def _frame(title: str, head: str, before: str, tail: str) -> str:
    icon = "data:image/svg+xml;base64," + base64.b64encode(_ICON.encode()).decode()
    parts = {"title": html.escape(title), "icon": icon, "head": head, "before": before, "tail": tail}
    parts["footer"] = _FOOTER
    return re.sub(
        r"\{(\w+)\}", lambda found: parts[found[1]], _read("page.html")
    )  # once: no part is searched


def _shorten(told: dict[str, Any]) -> None:
    """Leave out what the page does not draw."""
    for chain in told["trust"]["chains"]:
        for certificate in chain["certificates"]:
            certificate.pop("der", None)  # the bytes view has it
    messages = told["bytes"]["messages"]
    for message in [*messages, *(one["unpacked"] for one in messages if one["unpacked"])]:
        raw = message["raw"]
        message["raw"] = _cut(raw, 2 * _MOST_DATA) if isinstance(raw, dict) else raw[: 2 * MOST_BYTES]
    for record in told["wire"]["records"]:
        record["wire"] = record["wire"][: 2 * _MOST_RECORD]
        del record["header"]  # its five bytes stand first
        if isinstance(record["plaintext"], str):
            del record["plaintext"]  # a message: the bytes view has it
    for name in told.keys() - {"bytes"}:
        told[name] = _with_less_data(told[name])


def _with_less_data(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_with_less_data(item) for item in tree]
    if isinstance(tree, dict):
        if "data" in tree and "text" in tree:
            return _cut(tree, _MOST_DATA)
        return {name: _with_less_data(value) for name, value in tree.items()}
    return tree


def _cut(data: dict[str, Any], most: int) -> dict[str, Any]:
    """Application data, the first bytes of it; its true length stays."""
    if "hex" not in data:
        return data
    return data | {"hex": data["hex"][: 2 * most], "text": data["text"][:most]}


def _embedded(value: Any) -> str:
    """JSON for a script block: no `<`, so no end of it and no comment can stand in there."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    """A Content-Security-Policy's name for a script or a style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _read(name: str) -> str:
    return (_files(__name__) / name).read_text(encoding="utf-8")


@cache
def _joined(names: tuple[str, ...]) -> str:
    return "\n".join(_read(name) for name in names)
