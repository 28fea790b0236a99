"""The certificates of the runs (RFC 5280): a root, intermediates where asked, a leaf for localhost.

Everything is made fresh and kept for the process: a P-256 root signs P-256 and Ed25519 leaves, an
RSA-2048 root signs RSA leaves, as public authorities do.
"""

from __future__ import annotations

import datetime
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .scenario import HOST, Scenario

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_START = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)


def _key(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


class Issued:
    """A certificate with its key, and the forms that the peers want them in."""

    def __init__(self, certificate: x509.Certificate, key: Key) -> None:
        self.certificate = certificate
        self.key = key

    @cached_property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @cached_property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @cached_property
    def key_pem(self) -> bytes:
        """The key in PKCS #8 PEM (RFC 5958), not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @cached_property
    def key_der(self) -> bytes:
        """The key in PKCS #8 DER."""
        return self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _issue(name: str, kind: str, issuer: Issued | None, *, ca: bool, client: bool = False) -> Issued:
    key = _key(kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    usage = {
        "digital_signature": not ca,
        "content_commitment": False,
        "key_encipherment": kind == "rsa" and not ca,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": ca,
        "crl_sign": ca,
        "encipher_only": False,
        "decipher_only": False,
    }
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_START)
        .not_valid_after(_START + datetime.timedelta(days=90 if not ca else 3650))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if not ca:
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        names = x509.SubjectAlternativeName([x509.DNSName("client.localhost" if client else HOST)])
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(names, critical=False)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


class Material:
    """What one scenario needs: the server's leaf, what it sends, the client's trust and identity.

    Attributes:
        leaf: the server's certificate and key.
        sent: what the server puts on the wire, leaf first, in DER; the root is never sent.
        root: the authority that both sides trust.
        trusted: every root in the client's store, the true one last.
        client: the client's own certificate, for mutual TLS.
    """

    def __init__(self, kind: str, chain: int, roots: int) -> None:
        self.root = _root(kind)
        above = self.root
        intermediates = []
        for depth in range(chain - 2):
            above = _issue(f"pellucid bench intermediate {depth}", _ca_kind(kind), above, ca=True)
            intermediates.append(above)
        self.leaf = _issue(HOST, kind, above, ca=False)
        self.client = _issue("client", kind, self.root, ca=False, client=True)
        self.sent = tuple(issued.der for issued in (self.leaf, *reversed(intermediates)))
        self.intermediates = tuple(reversed(intermediates))
        self.trusted = (*(_bystander(number) for number in range(roots - 1)), self.root)

    @cached_property
    def sent_pem(self) -> bytes:
        """What the server sends, in PEM, leaf first."""
        return self.leaf.pem + b"".join(issued.pem for issued in self.intermediates)

    @cached_property
    def trusted_pem(self) -> bytes:
        """The client's roots in PEM."""
        return b"".join(issued.pem for issued in self.trusted)


def _ca_kind(kind: str) -> str:
    return "rsa" if kind == "rsa" else "ecdsa"


@cache
def _root(kind: str) -> Issued:
    return _issue(f"pellucid bench {kind} root", _ca_kind(kind), None, ca=True)


@cache
def _bystander(number: int) -> Issued:
    return _issue(f"bystander root {number}", "ecdsa", None, ca=True)


@cache
def _material(kind: str, chain: int, roots: int) -> Material:
    return Material(kind, chain, roots)


def material_for(scenario: Scenario) -> Material:
    """The certificates of a scenario; the same ones for every peer."""
    return _material(scenario.key, scenario.chain, scenario.roots)
