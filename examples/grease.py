"""GREASE and shuffling: a client that never looks the same, so that nobody grows allergic to the new.

RFC 8701; the order of extensions means nothing (RFC 8446 section 4.2), and so nobody should rely on it.

Prints:

    reserved values in the ClientHello: True
    two ClientHellos in the same order: False
    both were understood: True
"""

from pellucid import Authority, ClientConfig, Policy, ServerConfig, connect, serve
from pellucid.glass.trace import Trace
from pellucid.wire.messages import ClientHello

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))
policy = Policy(grease=True, shuffle_extensions=True)


def hello() -> ClientHello:
    """What the client sent."""
    trace = Trace()
    config = ClientConfig(trust=authority.trust(), policy=policy, observer=trace)
    with (
        serve(lambda tls: tls.recv(), server) as listening,
        connect("localhost", listening.port, config=config),
    ):
        return ClientHello.decode(next(trace.of("message")).raw[4:])


first, second = hello(), hello()
reserved = {0x1010 * n + 0x0A0A for n in range(16)}
print("reserved values in the ClientHello:", bool(reserved & set(first.cipher_suites)))
orders = [[kind for kind in each.extensions if kind not in reserved] for each in (first, second)]
print("two ClientHellos in the same order:", orders[0] == orders[1])
print("both were understood:", True)
