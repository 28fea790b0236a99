"""An external signer: the private key stays in an HSM or a key server, and the answer is awaited.

The handshake pauses at the signature; the event loop, and every other connection, goes on.

Prints:

    the key server signed 1 time, by ecdsa_secp256r1_sha256
    hello
"""

import asyncio
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pellucid import Authority, ClientConfig, Identity, ServerConfig, TLSStream, open_connection, start_server
from pellucid.wire.codepoints import SignatureScheme

key = ec.generate_private_key(ec.SECP256R1())  # imagine it in another machine


class KeyServer:
    """Holds the key, and signs with it; it shows its public key only."""

    def __init__(self) -> None:
        self.public_key: Any = key.public_key()
        self.asked: list[int] = []

    async def sign(self, scheme: int, data: bytes) -> bytes:
        """The signature over `data`, which is not hashed yet."""
        self.asked.append(scheme)
        await asyncio.sleep(0.05)  # the network
        return key.sign(data, ec.ECDSA(hashes.SHA256()))


async def hello(stream: TLSStream) -> None:
    await stream.send(b"hello")


async def main() -> None:
    authority = Authority.create()
    key_server = KeyServer()
    chain = authority.issue("localhost", key=key).chain  # its certificate is public
    identity = Identity(chain, key_server, schemes=(SignatureScheme.ecdsa_secp256r1_sha256,))
    server = await start_server(hello, ServerConfig(identities=(identity,)))
    port = server.sockets[0].getsockname()[1]
    config = ClientConfig(trust=authority.trust())
    async with server, await open_connection("localhost", port, config=config) as stream:
        scheme = SignatureScheme.name_of(key_server.asked[0])
        print(f"the key server signed {len(key_server.asked)} time, by {scheme}")
        print((await stream.read()).decode())


asyncio.run(main())
