"""Certificate compression: long chains in fewer packets.

RFC 8879. zlib is always there; brotli and zstd with `pip install 'pellucid[compression]'`.

Prints:

    plain: a Certificate of ... bytes
    zlib: a CompressedCertificate of ... bytes
"""

from pellucid import Authority, ClientConfig, Policy, ServerConfig, connect, serve
from pellucid.glass.trace import Trace
from pellucid.wire.codepoints import HandshakeType

authority = Authority.create()
server = ServerConfig(identities=(authority.intermediate().issue("localhost", key="rsa-2048"),))

for name, algorithms in (("plain", ()), ("zlib", (1,))):
    trace = Trace()  # only to look at the sizes
    config = ClientConfig(
        trust=authority.trust(), policy=Policy(certificate_compression=algorithms), observer=trace
    )
    with (
        serve(lambda tls: tls.recv(), server) as listening,
        connect("localhost", listening.port, config=config),
    ):
        pass
    for message in trace.of("message"):
        if message.type == HandshakeType.certificate:
            print(f"{name}: a Certificate of {len(message.raw)} bytes")
        elif message.type == HandshakeType.compressed_certificate:
            print(f"{name}: a CompressedCertificate of {len(message.raw)} bytes")
