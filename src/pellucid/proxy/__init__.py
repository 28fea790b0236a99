"""A proxy that shows the handshakes which pass through it, and past it.

    plan = Plan(to=("127.0.0.1", 8080), front=ServerConfig(identities=(identity,)))
    async with Proxy(plan, ("127.0.0.1", 8443)) as proxy:
        await proxy.wait()

Four ways, by what a `Plan` has:

    terminate   TLS in front, plain (or TLS again) behind: for a service that speaks none
    originate   plain in front, TLS behind: for a program that speaks none
    intercept   an HTTP CONNECT proxy (RFC 9110 section 9.3.6), or one for a fixed server, that issues a
                certificate for each name and so sees both handshakes: client and proxy, proxy and server
    tunnel      the same without touching a byte: the handshake that passes is shown as a listener sees it

    plan.py      what to do with a connection
    passage.py   what is known of one
    leaves.py    the authority for interception, and the certificates it issues
    http.py      as much HTTP as CONNECT needs
    lines.py     the two ends of a connection, plain or TLS, and carrying bytes between them
    carrier.py   one connection, from its first byte to its last
    server.py    the listening socket, and how many at once
"""

from __future__ import annotations

from pellucid.proxy.leaves import Leaves, user_authority, user_folder
from pellucid.proxy.passage import Passage
from pellucid.proxy.plan import Plan
from pellucid.proxy.server import Proxy, Watcher

__all__ = ["Leaves", "Passage", "Plan", "Proxy", "Watcher", "user_authority", "user_folder"]
