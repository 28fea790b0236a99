"""Post-handshake authentication: the server asks for a certificate only when it needs one.

RFC 8446 section 4.6.2. TLS 1.3 only, and only if the client said that it may be asked.

Prints:

    at first: 0 certificates
    b'GET /private'
    now: 1 certificate
    b'the secret'
"""

from pellucid import Authority, ClientConfig, ServerConfig, TLSSocket, connect, serve

authority = Authority.create()
server = ServerConfig(
    identities=(authority.issue("localhost"),), client_trust=authority.trust(), post_handshake_auth=True
)
client = ClientConfig(
    trust=authority.trust(),
    identities=(authority.issue("alice", client=True),),
    post_handshake_auth=True,
)


def handle(tls: TLSSocket) -> None:
    print(f"at first: {len(tls.info.peer_chain)} certificates")
    print(tls.recv())
    tls.request_certificate()
    tls.sendall(b"who are you?")
    tls.recv()  # the client's next words come behind its certificate
    print(f"now: {len(tls.info.peer_chain)} certificate")
    tls.sendall(b"the secret")


with serve(handle, server) as listening, connect("localhost", listening.port, config=client) as tls:
    tls.sendall(b"GET /private")
    tls.recv()  # answers the request on the way
    tls.sendall(b"look at my certificate")
    print(tls.recv())
