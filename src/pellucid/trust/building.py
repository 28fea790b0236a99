"""The pieces of a certificate: names, periods, usages, signatures. RFC 5280 sections 4.1 and 4.2.

`authority` puts them together. What it builds follows the profile of the CA/Browser Forum (BR
section 7.1), unless a fault is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pellucid.errors import Reason, UsageError
from pellucid.trust.names import as_address, normal_name

Moment = float | datetime
"""Seconds since 1970, or a datetime (in UTC, if it has no zone)."""

KEY_KINDS: dict[str, Callable[[], Any]] = {
    "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa-p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
    "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate,
}
"""The kinds of keys, and how each is made."""

HOUR = 3600
DAY = 86400

_ORGANIZATION = "pellucid (for tests only)"
_MAX_COMMON_NAME = 64  # ub-common-name, RFC 5280 appendix A.1
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_CURVE_HASHES: dict[int, hashes.HashAlgorithm] = {384: hashes.SHA384(), 521: hashes.SHA512()}


def generate_key(kind: str) -> Any:
    """A new private key. Kinds are the keys of `KEY_KINDS`.

    Raises:
        UsageError: there is no such kind (`Reason.BAD_CONFIG`).
    """
    make = KEY_KINDS.get(kind)
    if make is None:
        raise UsageError(Reason.BAD_CONFIG, f"{kind!r} is no kind of key: there are {', '.join(KEY_KINDS)}")
    return make()


# -- times ------------------------------------------------------------------------------------------


def as_datetime(moment: Moment) -> datetime:
    """A moment as a datetime in UTC, to the second."""
    if isinstance(moment, datetime):
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(int(moment), UTC)


def period(
    now: float, days: float, not_before: Moment | None, not_after: Moment | None
) -> tuple[datetime, datetime]:
    """The validity: from an hour ago (clocks differ) for `days`, where nothing else is said.

    Raises:
        UsageError: it ends before it begins (`Reason.BAD_CONFIG`).
    """
    begin = as_datetime(now - HOUR if not_before is None else not_before)
    if not_after is not None:
        end = as_datetime(not_after)
    else:
        end = (begin if not_before is not None else as_datetime(now)) + timedelta(days=days)
    if end < begin:
        raise UsageError(Reason.BAD_CONFIG, "the certificate would end before it begins")
    return begin, end


# -- names ------------------------------------------------------------------------------------------


def general_name(name: str) -> x509.GeneralName:
    """A subjectAltName by its shape: address, e-mail address, URI, host name or wildcard.

    Raises:
        UsageError: it is none of these (`Reason.BAD_NAME`).

    >>> general_name("*.Bücher.example"), general_name("::1")
    (<DNSName(value='*.xn--bcher-kva.example')>, <IPAddress(value=::1)>)
    """
    address = as_address(name)
    if address is not None:
        return x509.IPAddress(address)
    try:
        if "://" in name:
            return x509.UniformResourceIdentifier(name)
        if "@" in name:
            return x509.RFC822Name(name)
    except ValueError as error:
        raise UsageError(Reason.BAD_NAME, f"{name!r}: {error}") from error
    if name.startswith("*."):
        return x509.DNSName(f"*.{normal_name(name[2:])}")
    return x509.DNSName(str(normal_name(name)))


def subject_of(general: Iterable[x509.GeneralName], common_name: str | None) -> x509.Name:
    """The subject: the common name given, or the first name (BR 7.1.4.3), if it is short enough."""
    if common_name is None:
        common_name = next((str(name.value) for name in general), "")
    if not 0 < len(common_name) <= _MAX_COMMON_NAME:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def authority_name(name: str) -> x509.Name:
    """The subject of an authority: its name, and what it is for."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _subtree(text: str) -> x509.GeneralName:
    """A name constraint: a network, else a domain."""
    try:
        return x509.IPAddress(ip_network(text))
    except ValueError:
        return x509.DNSName(str(normal_name(text)))


# -- certificates -------------------------------------------------------------------------------------


def begin(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: Any,
    validity: tuple[datetime, datetime],
    random: Callable[[int], bytes],
) -> x509.CertificateBuilder:
    """A builder with the fields that every certificate has, and a random serial number of 159 bits."""
    serial = int.from_bytes(random(20), "big") >> 1 or 1
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
    )


def as_authority(
    builder: x509.CertificateBuilder,
    public_key: Any,
    path_length: int | None,
    permitted: Iterable[str],
    excluded: Iterable[str],
) -> x509.CertificateBuilder:
    """The extensions of an authority (BR 7.1.2.1, 7.1.2.5)."""
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), True)
    builder = builder.add_extension(key_usage("key_cert_sign", "crl_sign", "digital_signature"), True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    allowed, denied = [_subtree(each) for each in permitted], [_subtree(each) for each in excluded]
    if allowed or denied:
        builder = builder.add_extension(x509.NameConstraints(allowed or None, denied or None), True)
    return builder


def with_usages(
    builder: x509.CertificateBuilder, public_key: Any, client: bool, fault: str | None
) -> x509.CertificateBuilder:
    """The usages of a leaf (BR 7.1.2.7.10 and 7.1.2.7.11)."""
    usages = ["digital_signature"]
    if isinstance(public_key, rsa.RSAPublicKey):
        usages.append("key_encipherment")  # for the static RSA key exchange
    if fault == "wrong-key-usage":
        usages = ["data_encipherment"]
    elif fault == "ca-as-leaf":
        usages += ["key_cert_sign", "crl_sign"]
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    if fault == "wrong-extended-key-usage":
        purpose = ExtendedKeyUsageOID.CODE_SIGNING
    builder = builder.add_extension(key_usage(*usages), True)
    return builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)


def key_usage(*usages: str) -> x509.KeyUsage:
    """A key usage of these, in the words of `cryptography`."""
    return x509.KeyUsage(**{usage: usage in usages for usage in _USAGES})


def issuer_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The authorityKeyIdentifier that points to this issuer (RFC 5280 4.2.1.1)."""
    try:
        ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski)


def hash_for(key: Any) -> Any:
    """The hash that this private key signs with; None for keys that bring their own."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _CURVE_HASHES.get(key.key_size, hashes.SHA256())
    return hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey) else None


def sign(builder: x509.CertificateBuilder, key: Any) -> x509.Certificate:
    """The certificate, signed."""
    return builder.sign(key, hash_for(key))


def tampered(certificate: x509.Certificate) -> bytes:
    """The certificate in DER with the last bit of its serial number changed after it was signed."""
    der = bytearray(certificate.public_bytes(Encoding.DER))
    serial = certificate.serial_number
    written = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    der[der.index(written) + len(written) - 1] ^= 1
    return bytes(der)
