"""Exporters and channel bindings: what both ends of this connection know, and nobody else.

RFC 8446 section 7.5 and RFC 5705 (exporters); RFC 9266 and RFC 5929 (channel bindings, for SCRAM-PLUS).

Prints:

    the same key on both sides: True
    the same binding on both sides: True
    for the early data too: True
    tls-unique: UsageError, no-such-binding
"""

import time

from pellucid import (
    Authority,
    ClientConfig,
    ReplayMemory,
    Secret,
    ServerConfig,
    TLSSocket,
    UsageError,
    connect,
    serve,
)

LABEL = "EXPERIMENTAL pellucid example"

authority = Authority.create()
server = ServerConfig(
    identities=(authority.issue("localhost"),),
    max_early_data=100,
    replay_guard=ReplayMemory(started_at=time.time() - 3600),
)
client = ClientConfig(trust=authority.trust())
keys: list[Secret] = []
bindings: list[bytes] = []


def handle(tls: TLSSocket) -> None:
    keys.append(tls.export(LABEL, b"a context", 32, early=bool(tls.early_data)))
    bindings.append(tls.channel_binding("tls-exporter"))
    tls.sendall(b"hello")


with serve(handle, server) as listening:
    with connect("localhost", listening.port, config=client) as tls:
        tls.recv()
        print("the same key on both sides:", tls.export(LABEL, b"a context", 32) == keys[-1])
        print("the same binding on both sides:", tls.channel_binding("tls-exporter") == bindings[-1])
        session = tls.sessions[0]
    again = client.replace(sessions=(session,), early_data=True)
    with connect("localhost", listening.port, config=again, early_data=b"soon") as tls:
        tls.recv()
        print("for the early data too:", tls.export(LABEL, b"a context", 32, early=True) == keys[-1])
        try:
            tls.channel_binding("tls-unique")  # TLS 1.3 has none
        except UsageError as refused:
            print(f"tls-unique: {type(refused).__name__}, {refused.reason.label}")
