"""The core without sockets: bytes in, bytes out, events. It runs over anything that carries bytes.

Prints:

    client: HandshakeCompleted
    server: HandshakeCompleted
    server: DataReceived b'hello'
"""

from pellucid import Authority, ClientConfig, ClientConnection, ServerConfig, ServerConnection
from pellucid.events import DataReceived, HandshakeCompleted

authority = Authority.create()
client = ClientConnection(ClientConfig(trust=authority.trust()), "localhost")
server = ServerConnection(ServerConfig(identities=(authority.issue("localhost"),)))

hello_sent = False
while True:
    to_server = client.data_to_send()
    server.receive_data(to_server)
    to_client = server.data_to_send()
    client.receive_data(to_client)
    for name, side in (("client", client), ("server", server)):
        for event in side.events():
            if isinstance(event, HandshakeCompleted):
                print(f"{name}: HandshakeCompleted")
            elif isinstance(event, DataReceived):
                print(f"{name}: DataReceived {event.data!r}")
    if client.handshake_complete and not hello_sent:
        hello_sent = True
        client.send_data(b"hello")
    elif not to_server and not to_client:
        break
