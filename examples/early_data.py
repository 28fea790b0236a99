"""Early data (0-RTT): a request beside the ClientHello. Anyone may replay it, so it must be harmless.

RFC 8446 sections 2.3 and 8; RFC 8470 for what HTTP makes of it.

Prints:

    at first: None
    the second time: accepted; the server had b'GET /weather' before the handshake was over
    somebody replays the client's bytes: the server sees no early data
    later, from another server: refused; b'GET /weather' was sent again
"""

import time

from pellucid import (
    Authority,
    ClientConfig,
    ClientConnection,
    ReplayMemory,
    ServerConfig,
    ServerConnection,
    TicketKeys,
    TLSSocket,
    connect,
    serve,
)
from pellucid.events import EarlyDataReceived

REQUEST = b"GET /weather"

authority = Authority.create()
server = ServerConfig(
    identities=(authority.issue("localhost"),),
    max_early_data=1024,
    ticket_issuer=TicketKeys(),
    # Remembers what was seen. A server that has just started does not know what came before it:
    # it takes no early data at first, unless it says since when it has been watching.
    replay_guard=ReplayMemory(started_at=time.time() - 3600),
)
early: list[bytes] = []


def handle(tls: TLSSocket) -> None:
    early.append(tls.early_data)
    tls.sendall(b"sunny")


with serve(handle, server) as listening:
    client = ClientConfig(trust=authority.trust())
    with connect("localhost", listening.port, config=client) as tls:
        tls.recv()
        print(f"at first: {tls.info.early_data}")
        session = tls.sessions[0]

    client = client.replace(sessions=(session,), early_data=True)
    with connect("localhost", listening.port, config=client, early_data=REQUEST) as tls:
        tls.recv()
        how = f"the server had {early[-1]!r} before the handshake was over"
        print(f"the second time: {tls.info.early_data}; {how}")

# A replay, by someone who recorded the client's first flight. Without sockets, to have the bytes in hand.
client = client.replace(sessions=(session,))
recorded = ClientConnection(client, "localhost")
recorded.send_early_data(REQUEST)
flight = recorded.data_to_send()
seen = []
for _ in range(2):
    victim = ServerConnection(server)
    victim.receive_data(flight)
    seen.append([event.data for event in victim.events() if isinstance(event, EarlyDataReceived)])
if seen == [[REQUEST], []]:
    print("somebody replays the client's bytes: the server sees no early data")

# A server that does not take it: the client gets its data back, and may send it in the ordinary way.
with (
    serve(handle, server.replace(max_early_data=0)) as listening,
    connect("localhost", listening.port, config=client, early_data=REQUEST) as tls,
):
    if tls.early_data_refused:
        tls.sendall(tls.early_data_refused)
        again = f"{tls.early_data_refused!r} was sent again"
        print(f"later, from another server: {tls.info.early_data}; {again}")
