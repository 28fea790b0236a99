"""Raw public keys: no certificates at all; each side knows the other's key beforehand.

RFC 7250; RFC 8446 section 4.4.2.

Prints:

    the server's key: the one that was expected
    the client's key: the one that was expected
    a stranger: The raw public key is not one of those that are trusted. ...
"""

from cryptography.hazmat.primitives.asymmetric import ed25519

from pellucid import ClientConfig, Identity, ServerConfig, TLSError, TLSSocket, connect, serve

RAW = 2  # CertificateType.RawPublicKey

ours = Identity.raw(ed25519.Ed25519PrivateKey.generate())
theirs = Identity.raw(ed25519.Ed25519PrivateKey.generate())
server = ServerConfig(
    identities=(theirs,),
    server_certificate_types=(RAW,),
    client_certificate_types=(RAW,),
    client_auth="require",
    trusted_public_keys=(ours.raw_public_key,),
)
client = ClientConfig(
    identities=(ours,),
    server_certificate_types=(RAW,),
    client_certificate_types=(RAW,),
    trusted_public_keys=(theirs.raw_public_key,),
)


def handle(tls: TLSSocket) -> None:
    tls.sendall(b"expected" if tls.info.peer_public_key == ours.raw_public_key else b"another")


with serve(handle, server) as listening:
    with connect("localhost", listening.port, config=client) as tls:
        if tls.info.peer_public_key == theirs.raw_public_key:
            print("the server's key: the one that was expected")
        if tls.recv() == b"expected":
            print("the client's key: the one that was expected")
    stranger = Identity.raw(ed25519.Ed25519PrivateKey.generate())
    try:
        connect(
            "localhost",
            listening.port,
            config=client.replace(trusted_public_keys=(stranger.raw_public_key,)),
        )
    except TLSError as refused:
        print("a stranger:", refused)
