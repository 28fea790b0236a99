"""ALPN: client and server agree on the application protocol inside the handshake.

RFC 7301. Without a common one the connection is refused, so that nobody talks past each other (ALPACA).

Prints:

    both know two: h2
    the client knows one: http/1.1
    nothing in common: The peer refused the connection. It sent the alert no_application_protocol. ...
"""

from pellucid import Authority, ClientConfig, ServerConfig, TLSError, connect, serve

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),), alpn=("h2", "http/1.1"))

offers = {
    "both know two": ("http/1.1", "h2"),  # the server's order counts
    "the client knows one": ("http/1.1",),
    "nothing in common": ("smtp",),
}
with serve(lambda tls: tls.recv(), server) as listening:
    for what, offer in offers.items():
        config = ClientConfig(trust=authority.trust(), alpn=offer)
        try:
            with connect("localhost", listening.port, config=config) as tls:
                print(f"{what}: {tls.info.alpn}")
        except TLSError as refused:
            print(f"{what}: {refused}")
