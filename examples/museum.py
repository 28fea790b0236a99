"""The museum: static RSA and CBC, as they were; off until a policy names what is given up.

RFC 5246; RFC 7366 (encrypt-then-MAC); RFC 10015 deprecates static RSA.

Prints:

    by default: no
    from the museum: TLS_RSA_WITH_AES_128_GCM_SHA256, no group: there is no forward secrecy
    for an old peer: TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, encrypt-then-MAC: True
"""

from pellucid import Authority, ClientConfig, Policy, ServerConfig, TLSError, connect, serve
from pellucid.legacy import museum_policy, old_peers_policy
from pellucid.wire.codepoints import CipherSuite

authority = Authority.create()
identity = authority.issue("localhost", key="rsa-2048")


def visit(client: Policy, server: Policy) -> str:
    """The cipher suite and what came with it, or "no"."""
    config = ClientConfig(trust=authority.trust(), policy=client)
    with serve(lambda tls: tls.recv(), ServerConfig(identities=(identity,), policy=server)) as listening:
        try:
            with connect("localhost", listening.port, config=config) as tls:
                info = tls.info
        except TLSError:
            return "no"
    if info.group is None:
        return f"{info.cipher_suite_name}, no group: there is no forward secrecy"
    return f"{info.cipher_suite_name}, encrypt-then-MAC: {info.encrypt_then_mac}"


print("by default:", visit(Policy(), museum_policy()))
print("from the museum:", visit(museum_policy(), museum_policy()))
old = old_peers_policy(versions=(0x0303,), cipher_suites=(CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,))
print("for an old peer:", visit(old, old))
