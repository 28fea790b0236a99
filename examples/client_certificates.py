"""Client certificates: the server asks who is there, and judges the answer.

RFC 8446 sections 4.3.2 and 4.4.2.4; section 4.2.4 for the authorities by which a client chooses.

Prints:

    nobody is refused: The peer refused the connection. It sent the alert certificate_required. ...
    hello, alice@example.test
    the server named 1 authority, and the client chose ecdsa
"""

from cryptography import x509

from pellucid import Authority, ClientConfig, Identity, ServerConfig, TLSError, TLSSocket, connect, serve
from pellucid.events import Request, SelectIdentity

authority = Authority.create()
alice = authority.issue("alice@example.test", client=True)
server = ServerConfig(
    identities=(authority.issue("localhost"),), client_auth="require", client_trust=authority.trust()
)


def greet(tls: TLSSocket) -> None:
    leaf = x509.load_der_x509_certificate(tls.info.peer_chain[0])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    tls.sendall(f"hello, {names.get_values_for_type(x509.RFC822Name)[0]}".encode())


with serve(greet, server) as listening:
    nobody = ClientConfig(trust=authority.trust())
    try:
        with connect("localhost", listening.port, config=nobody) as tls:
            tls.recv()  # in TLS 1.3 the refusal comes after the client's Finished
    except TLSError as refused:
        print("nobody is refused:", refused)

    with connect("localhost", listening.port, config=nobody.replace(identities=(alice,))) as tls:
        print(tls.recv().decode())

    def choose(request: Request) -> Identity:
        """The client looks at what the server would accept."""
        if isinstance(request, SelectIdentity):
            print(f"the server named {len(request.authorities)} authority, and the client chose {alice.kind}")
        return alice

    asking = nobody.replace(ask=frozenset({SelectIdentity}))
    with connect("localhost", listening.port, config=asking, answer=choose) as tls:
        tls.recv()
