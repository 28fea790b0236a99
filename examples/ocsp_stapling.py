"""OCSP stapling and certificate timestamps: the server brings the proof that its certificate is good.

RFC 6066 section 8, RFC 6960 (OCSP), RFC 7633 (must-staple), RFC 6962 section 3.3 (SCTs).

Prints:

    stapled: a response of ... bytes, and 1 timestamp
    must-staple, without: The certificate must be stapled with an OCSP response, and is not. ...
    revoked: The certificate was revoked by its authority. ...
"""

import time

from pellucid import Authority, CertificateRefused, ClientConfig, Identity, ServerConfig, connect, serve

authority = Authority.create()
identity = authority.issue("localhost", must_staple=True)
client = ClientConfig(trust=authority.trust(), request_ocsp=True, request_scts=True)


def visit(shown: Identity) -> str:
    """What came with the certificate, or why it is not believed."""
    with serve(lambda tls: tls.recv(), ServerConfig(identities=(shown,))) as listening:
        try:
            with connect("localhost", listening.port, config=client) as tls:
                response, timestamps = tls.info.ocsp_response or b"", tls.info.scts
                return f"a response of {len(response)} bytes, and {len(timestamps)} timestamp"
        except CertificateRefused as refused:
            return str(refused)


# A server fetches the response from its authority now and then, and swaps its identity for a fresh one.
fresh = identity.replace(ocsp=authority.staple(identity), scts=(b"a signed certificate timestamp",))
print("stapled:", visit(fresh))
print("must-staple, without:", visit(identity))
revoked = authority.staple(identity, revoked=time.time() - 60)
print("revoked:", visit(identity.replace(ocsp=revoked)))
