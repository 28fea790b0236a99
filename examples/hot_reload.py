"""Hot reload: a running server gets a new certificate in one assignment; connections under way stay.

Prints:

    old.test
    new.test
    the first connection still works: b'still here'
"""

from pellucid import Authority, ClientConfig, ServerConfig, TLSSocket, connect, serve

authority = Authority.create()
old = ServerConfig(identities=(authority.issue("old.test"),))
client = ClientConfig(trust=authority.trust())


def echo(tls: TLSSocket) -> None:
    for data in tls:
        tls.sendall(data)


with serve(echo, old) as server:
    first = connect("127.0.0.1", server.port, config=client, server_name="old.test")
    print(first.info.server_name)
    server.config = old.replace(identities=(authority.issue("new.test"),))
    with connect("127.0.0.1", server.port, config=client, server_name="new.test") as tls:
        print(tls.info.server_name)
    first.sendall(b"still here")
    print("the first connection still works:", first.recv())
    first.close()
