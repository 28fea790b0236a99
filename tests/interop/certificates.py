"""One root and what it issued, as files that every stack can read: PEM and PKCS #12."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .bench import Certificates

PASSWORD = b"pellucid"
Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | mldsa.MLDSA65PrivateKey
)
KINDS = ("rsa", "ecdsa", "ed25519", "ed448", "mldsa65", "other")  # "other" is ECDSA, for other.test


def make_key(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ed448":
        return ed448.Ed448PrivateKey.generate()
    if kind == "mldsa65":
        return mldsa.MLDSA65PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def usage(kind: str, *, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=kind == "rsa" and not authority,  # static RSA key exchange needs it
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def issue(
    kind: str, name: str, issuer: tuple[x509.Name, Key] | None, purpose: x509.ObjectIdentifier | None
) -> tuple[x509.Certificate, Key]:
    key = make_key(kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = issuer or (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer_name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(usage(kind, authority=issuer is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if purpose is not None:
        addresses = [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ("127.0.0.1", "::1")]
        names = x509.SubjectAlternativeName(
            [x509.DNSName("other.test")] if kind == "other" else [x509.DNSName("localhost"), *addresses]
        )
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256()), key


def write(
    files: Certificates, kind: str, certificate: x509.Certificate, key: Key, root: x509.Certificate
) -> None:
    pem = serialization.Encoding.PEM
    files.certificate(kind).write_bytes(certificate.public_bytes(pem))
    files.key(kind).write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files.public_key(kind).write_bytes(
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    if kind.endswith(("ed448", "mldsa65")):
        return  # no peer that reads PKCS #12 knows these
    assert not isinstance(key, mldsa.MLDSA65PrivateKey)
    # The old ciphers: NSS, Java and s2n all read them.
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(2000)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())
        .build(PASSWORD)
    )
    bundle = pkcs12.serialize_key_and_certificates(kind.encode(), key, certificate, [root], encryption)
    files.pkcs12(kind).write_bytes(bundle)


def staple(certificate: x509.Certificate, root: x509.Certificate, root_key: Key) -> bytes:
    """The root says that the leaf is good."""
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    builder = ocsp.OCSPResponseBuilder().add_response(
        certificate,
        root,
        hashes.SHA1(),
        ocsp.OCSPCertStatus.GOOD,
        now - datetime.timedelta(hours=1),
        now + datetime.timedelta(days=7),
        None,
        None,
    )
    response = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, root).sign(root_key, hashes.SHA256())
    return response.public_bytes(serialization.Encoding.DER)


def make_certificates(folder: Path) -> Certificates:
    """Fill the folder: root.pem, and for each key type a server leaf and a client leaf."""
    files = Certificates(folder)
    root, root_key = issue("ecdsa", "pellucid interoperation root", None, None)
    files.root.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    for kind in KINDS:
        issuer = (root.subject, root_key)
        leaf, key = issue(kind, f"{kind} server", issuer, ExtendedKeyUsageOID.SERVER_AUTH)
        write(files, kind, leaf, key, root)
        files.staple(kind).write_bytes(staple(leaf, root, root_key))
        client = issue(kind, f"{kind} client", issuer, ExtendedKeyUsageOID.CLIENT_AUTH)
        write(files, f"client-{kind}", *client, root)
    return files


if __name__ == "__main__":
    import sys

    make_certificates(Path(sys.argv[1]))
