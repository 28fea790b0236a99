"""Whom to believe: the system's authorities, one's own, both, or one's own judgement.

RFC 5280 section 6, RFC 9525 (names).

Prints:

    the system: The certificate was issued by an authority that is not trusted here. ...
    our own: verified, 2 certificates
    both: verified, 2 certificates
    another name: The certificate is for another name than the one that was asked for. ...
    pinned: verified, 0 certificates
"""

import hashlib

from pellucid import Authority, CertificateRefused, ClientConfig, Reason, ServerConfig, Trust, connect, serve
from pellucid.events import Request, VerifyPeer
from pellucid.trust.several import AnyOf

authority = Authority.create()
identity = authority.issue("localhost")
pin = hashlib.sha256(identity.leaf).digest()


def judge(request: Request) -> object:
    """One's own judgement: this very certificate, whoever issued it."""
    if not isinstance(request, VerifyPeer) or hashlib.sha256(request.chain[0]).digest() != pin:
        raise CertificateRefused(Reason.UNKNOWN_CA, "it is not the one that was pinned")
    return Trust.insecure().verify_server(request.chain, "localhost", 0)


configs = {
    "the system": ClientConfig(trust=Trust.system()),  # the default
    "our own": ClientConfig(trust=Trust.from_pem(authority.pem)),
    "both": ClientConfig(trust=AnyOf(authority.trust(), Trust.system())),
    "another name": ClientConfig(trust=authority.trust(), verify_name="example.org"),
    "pinned": ClientConfig(ask=frozenset({VerifyPeer})),
}
with serve(lambda tls: tls.recv(), ServerConfig(identities=(identity,))) as listening:
    for who, config in configs.items():
        try:
            with connect("localhost", listening.port, config=config, answer=judge) as tls:
                print(f"{who}: verified, {len(tls.info.verified_chain)} certificates")
        except CertificateRefused as refused:
            print(f"{who}: {refused}")
