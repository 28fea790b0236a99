"""Many names on one port: the certificate is chosen by the name that the client asks for.

RFC 6066 section 3; RFC 8446 section 4.4.2.2 (it must also fit the client's signature schemes).

Prints:

    one.test: one.test (ecdsa)
    a.two.test: *.two.test (rsa)
    one.test, and only RSA: one.test (rsa)
    tenant-5.test: tenant-5.test (ecdsa)
"""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from pellucid import Authority, ClientConfig, Identity, Policy, ServerConfig, connect, serve
from pellucid.events import Request, SelectIdentity
from pellucid.wire.codepoints import SignatureScheme

authority = Authority.create()
server = ServerConfig(
    identities=(
        authority.issue("one.test"),
        authority.issue("one.test", key="rsa-2048"),
        authority.issue("*.two.test", key="rsa-2048"),
    )
)


def ask(port: int, name: str, policy: Policy | None = None) -> str:
    """Whose certificate comes, and of which kind."""
    config = ClientConfig(trust=authority.trust(), policy=policy or Policy())
    with connect("127.0.0.1", port, config=config, server_name=name) as tls:
        leaf = x509.load_der_x509_certificate(tls.info.peer_chain[0])
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        kind = "rsa" if isinstance(leaf.public_key(), rsa.RSAPublicKey) else "ecdsa"
        return f"{names.get_values_for_type(x509.DNSName)[0]} ({kind})"


with serve(lambda tls: tls.recv(), server) as listening:
    print("one.test:", ask(listening.port, "one.test"))
    print("a.two.test:", ask(listening.port, "a.two.test"))
    old = Policy(signature_schemes=(SignatureScheme.rsa_pss_rsae_sha256,))
    print("one.test, and only RSA:", ask(listening.port, "one.test", old))


def look_up(request: Request) -> Identity | None:
    """The server asks: a database, an ACME client, a cache. In asyncio this may be awaited."""
    if isinstance(request, SelectIdentity) and request.server_name:
        return authority.issue(request.server_name)
    return None


with serve(
    lambda tls: tls.recv(), ServerConfig(ask=frozenset({SelectIdentity})), answer=look_up
) as listening:
    print("tenant-5.test:", ask(listening.port, "tenant-5.test"))
