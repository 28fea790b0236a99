"""KeyUpdate: new keys in the middle of a connection; the old ones can no longer be found out from them.

RFC 8446 section 4.6.3. It happens by itself before a key has protected as much as it may (section 5.5).

Prints:

    b'before'
    b'after'
    the server changed its keys too: True
"""

from pellucid import Authority, ClientConfig, ServerConfig, TLSSocket, connect, serve
from pellucid.events import KeysUpdated

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))


def echo(tls: TLSSocket) -> None:
    for data in tls:
        tls.sendall(data)


with (
    serve(echo, server) as listening,
    connect("localhost", listening.port, config=ClientConfig(trust=authority.trust())) as tls,
):
    tls.sendall(b"before")
    print(tls.recv())
    tls.update_keys(request=True)  # ours, and please change yours
    tls.sendall(b"after")
    print(tls.recv())
    changed = any(isinstance(event, KeysUpdated) for event in tls.events)
    print(f"the server changed its keys too: {changed}")
