"""Handshakes to watch in a browser: a page on loopback, where the reader breaks things on purpose.

    line         the wire between a client and a server: it holds a record until its turn has come
    choices      what the reader may choose, and what can go wrong
    experiment   one real client and one real server, over real sockets, with those choices
    scenes       what was seen so far, and who is told of it
    site         the web application: the page, its events, and who may look

It needs the extra `live` (Starlette and uvicorn). The command is `pellucid live`.
"""

from __future__ import annotations
