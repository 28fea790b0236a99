"""Pre-shared keys: two devices that share a secret need no certificate.

RFC 8446 section 4.2.11; RFC 9258 (the importer); RFC 9257 (guidance); RFC 4279 and 5489 (TLS 1.2).

Prints:

    TLS 1.3: PSK b'device 7', with X25519MLKEM768
    TLS 1.2: PSK b'device 7', with x25519
    imported: PSK for TLS 1.3
    looked up: PSK b'device 9', with X25519MLKEM768
    another key: The peer refused the connection. It sent the alert handshake_failure. ...
"""

import secrets

from pellucid import (
    ClientConfig,
    ConnectionInfo,
    Policy,
    PreSharedKey,
    Secret,
    ServerConfig,
    TLSError,
    connect,
    import_psk,
    serve,
)
from pellucid.events import FindPsk, Request
from pellucid.wire.codepoints import CipherSuite

key = secrets.token_bytes(32)  # real randomness, never a password
psk = PreSharedKey(b"device 7", Secret(key))


def visit(client: ClientConfig, server: ServerConfig, **answers: object) -> ConnectionInfo:
    """Shake hands; what was agreed on."""
    with (
        serve(lambda tls: tls.recv(), server, **answers) as listening,  # type: ignore[arg-type]
        connect("localhost", listening.port, config=client) as tls,
    ):
        return tls.info


def say(how: str, info: ConnectionInfo) -> None:
    print(f"{how}: PSK {info.psk_identity!r}, with {info.group_name}")


both = {"psks": (psk,), "policy": Policy(versions=(0x0304,))}
say("TLS 1.3", visit(ClientConfig(**both), ServerConfig(**both)))  # type: ignore[arg-type]

# TLS 1.2 has cipher suites of its own for it; these keep forward secrecy.
old = Policy(versions=(0x0303,), cipher_suites=(CipherSuite.TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,))
say("TLS 1.2", visit(ClientConfig(psks=(psk,), policy=old), ServerConfig(psks=(psk,), policy=old)))

# A key of another protocol is imported first, and bound to who talks to whom.
imported = import_psk(b"device 7", key, context=b"sensor to gateway")
info = visit(ClientConfig(psks=imported), ServerConfig(psks=imported))
print(f"imported: PSK for {info.version_name}")


def find(request: Request) -> PreSharedKey | None:
    """A server with many devices looks the key up, in a database perhaps."""
    if isinstance(request, FindPsk) and b"device 9" in request.identities:
        return PreSharedKey(b"device 9", Secret(key))
    return None


client = ClientConfig(psks=(PreSharedKey(b"device 9", Secret(key)),))
say("looked up", visit(client, ServerConfig(ask=frozenset({FindPsk})), answer=find))

try:
    visit(ClientConfig(psks=(PreSharedKey(b"device 8", Secret(key)),)), ServerConfig(psks=(psk,)))
except TLSError as refused:
    print("another key:", refused)
