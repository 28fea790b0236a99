"""ConnectionInfo: what was agreed on, in one immutable object that serialises to JSON.

Prints:

    TLS 1.3
    group_name X25519MLKEM768
    signature_scheme_name ecdsa_secp256r1_sha256
    alpn h2
    resumed False
    verified 2 certificates, up to pellucid test authority
"""

import json

from cryptography import x509

from pellucid import Authority, ClientConfig, ServerConfig, connect, serve

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),), alpn=("h2",))
client = ClientConfig(trust=authority.trust(), alpn=("h2",))

with (
    serve(lambda tls: tls.recv(), server) as listening,
    connect("localhost", listening.port, config=client) as tls,
):
    info = tls.info

print(info.version_name)
told = json.loads(json.dumps(info.to_json()))
for name in ("group_name", "signature_scheme_name", "alpn", "resumed"):
    print(name, told[name])
root = x509.load_der_x509_certificate(info.verified_chain[-1])
issuer = root.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
print(f"verified {len(info.verified_chain)} certificates, up to {issuer!s}")
