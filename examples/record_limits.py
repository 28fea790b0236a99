"""Records: smaller ones for small devices, padded ones against who counts bytes.

RFC 8449 (record_size_limit), RFC 6066 section 4 (max_fragment_length), RFC 8446 section 5.4 (padding).

Prints:

    by default: the longest record has 16384 bytes of plaintext
    record_size_limit: the longest record has 512 bytes of plaintext
    max_fragment_length: the longest record has 1024 bytes of plaintext
    padded: records of 1 and of 100 bytes look alike: True
"""

from pellucid import Authority, ClientConfig, Policy, ServerConfig, TLSSocket, connect, serve
from pellucid.glass.trace import Trace

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))
client = ClientConfig(trust=authority.trust())


def longest(policy: Policy) -> int:
    """Bytes of plaintext in the longest record that the server sends this client."""
    trace = Trace()
    with (
        serve(lambda tls: tls.sendall(bytes(40_000)), server) as listening,
        connect("localhost", listening.port, config=client.replace(policy=policy, observer=trace)) as tls,
    ):
        b"".join(tls)
    return max(
        len(fact.plaintext) for fact in trace.of("record") if not fact.sent and fact.content_type == 23
    )


limits = {
    "by default": Policy(),
    "record_size_limit": Policy(record_size_limit=512),
    "max_fragment_length": Policy(max_fragment_length=1024),
}
for name, policy in limits.items():
    print(f"{name}: the longest record has {longest(policy)} bytes of plaintext")


def send(tls: TLSSocket) -> None:
    tls.sendall(bytes(1))
    tls.sendall(bytes(100))


# From a plaintext's size to the zero bytes that are added: here up to the next multiple of 256.
padded = Policy(padding=lambda size: -size % 256)
trace = Trace()
with (
    serve(send, server.replace(policy=padded)) as listening,
    connect("localhost", listening.port, config=client.replace(observer=trace)) as tls,
):
    b"".join(tls)
wires = [len(fact.wire) for fact in trace.of("record") if not fact.sent and fact.content_type == 23]
print("padded: records of 1 and of 100 bytes look alike:", wires[0] == wires[1])
