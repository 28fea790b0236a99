"""What may be negotiated: a policy names versions, suites, groups and signature schemes, best first.

RFC 8446 sections 4.1.1 and 4.2; RFC 9325 says which choices are wise. The default is one of them.

Prints:

    TLS 1.3, TLS_CHACHA20_POLY1305_SHA256, x448
    TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, secp256r1
    refused: There is no protocol version that both sides allow.
"""

from pellucid import Authority, ClientConfig, Policy, ServerConfig, TLSError, connect, serve
from pellucid.wire.codepoints import CipherSuite, NamedGroup

TLS_1_2, TLS_1_3 = 0x0303, 0x0304

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))
policies = (
    Policy(
        versions=(TLS_1_3,),
        cipher_suites=(CipherSuite.TLS_CHACHA20_POLY1305_SHA256,),
        groups=(NamedGroup.x448, NamedGroup.x25519),
    ),
    Policy(versions=(TLS_1_2,), groups=(NamedGroup.secp256r1,)),
)

with serve(lambda tls: tls.recv(), server) as listening:
    for policy in policies:
        config = ClientConfig(trust=authority.trust(), policy=policy)
        with connect("localhost", listening.port, config=config) as tls:
            info = tls.info
            print(f"{info.version_name}, {info.cipher_suite_name}, {info.group_name}")

# A server of TLS 1.3 only refuses a client of TLS 1.2 only. Both sides learn why.
modern = server.replace(policy=Policy(versions=(TLS_1_3,)))
refusals: list[BaseException] = []
with serve(lambda tls: None, modern, on_error=refusals.append) as listening:
    config = ClientConfig(trust=authority.trust(), policy=Policy(versions=(TLS_1_2,)))
    try:
        connect("localhost", listening.port, config=config)
    except TLSError:
        (refusal,) = refusals
        if isinstance(refusal, TLSError):
            print("refused:", refusal.reason.sentence)
