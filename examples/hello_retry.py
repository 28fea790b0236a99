"""HelloRetryRequest: the server asks for another key share, and may forget the client meanwhile.

RFC 8446 section 4.1.4; section 4.2.2 for the cookie in which a stateless server keeps what it must know.

Prints:

    retried: False, with x25519
    retried: True, with secp384r1
    retried: True, with secp384r1, and the server remembered nothing
"""

from pellucid import Authority, ClientConfig, Policy, ServerConfig, connect, serve
from pellucid.wire.codepoints import NamedGroup

authority = Authority.create()
identity = authority.issue("localhost")

# The client knows both groups, and sends a share for one of them at once.
policy = Policy(
    versions=(0x0304,), groups=(NamedGroup.x25519, NamedGroup.secp384r1), key_shares=(NamedGroup.x25519,)
)
client = ClientConfig(trust=authority.trust(), policy=policy)


def visit(server: ServerConfig) -> str:
    """Shake hands; whether it took a second ClientHello, and which group won."""
    with (
        serve(lambda tls: tls.recv(), server) as listening,
        connect("localhost", listening.port, config=client) as tls,
    ):
        return f"retried: {tls.info.retried}, with {tls.info.group_name}"


print(visit(ServerConfig(identities=(identity,))))

picky = Policy(versions=(0x0304,), groups=(NamedGroup.secp384r1,))
print(visit(ServerConfig(identities=(identity,), policy=picky)))
stateless = ServerConfig(identities=(identity,), policy=picky, stateless_retry=True)
print(visit(stateless) + ", and the server remembered nothing")
