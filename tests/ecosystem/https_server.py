"""`python -m http.server --tls-cert`, which Python has since 3.14; for older ones, a server that does it.

python -m ecosystem.https_server FOLDER CERTIFICATE    (the address is printed on stderr)
"""

from __future__ import annotations

import http.server
import ssl
import sys
from functools import partial
from typing import Any


class HTTPSServer(http.server.ThreadingHTTPServer):
    """Speaks TLS from `server_activate` on, with default settings and ALPN; no code of Python's."""

    def __init__(self, address: Any, handler: Any, *, certfile: str) -> None:
        self.certfile = certfile
        super().__init__(address, handler)

    def server_activate(self) -> None:
        super().server_activate()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certfile)
        context.set_alpn_protocols(["http/1.1"])
        self.socket = context.wrap_socket(self.socket, server_side=True)


def main(folder: str, certificate: str) -> None:
    """Serve the folder until killed."""
    server_class: Any = getattr(http.server, "ThreadingHTTPSServer", HTTPSServer)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = server_class(("127.0.0.1", 0), handler, certfile=certificate)
    print(f"https://127.0.0.1:{server.server_address[1]}/", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
