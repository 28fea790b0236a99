"""The dictionary of `getpeercert()` against CPython's own decoder, `_ssl._test_decode_cert`."""

from __future__ import annotations

import _ssl
import datetime
import ipaddress
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.compat.certificates import Certificate, describe

KEY = generate_private_key(SECP256R1())
OIDS = (
    *(NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.LOCALITY_NAME, NameOID.SERIAL_NUMBER),
    *(NameOID.EMAIL_ADDRESS, NameOID.DOMAIN_COMPONENT, NameOID.STATE_OR_PROVINCE_NAME, NameOID.TITLE),
    x509.ObjectIdentifier("1.2.3.4.5.6"),
)
ascii_text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
# A common name has 64 bytes at most: sixteen characters of four.
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=16
)


@st.composite
def attributes(draw: Any) -> Any:
    oid = draw(st.sampled_from(OIDS))
    plain = oid in (NameOID.EMAIL_ADDRESS, NameOID.DOMAIN_COMPONENT, NameOID.SERIAL_NUMBER)
    return x509.NameAttribute(
        oid, draw(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True) if plain else texts.map(lambda t: t[:20]))
    )


names = st.lists(st.lists(attributes(), min_size=1, max_size=2, unique_by=lambda one: one.oid), max_size=4)
general_names = st.one_of(
    st.from_regex(r"(\*\.)?[a-z0-9-]{1,10}\.test", fullmatch=True).map(x509.DNSName),
    st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.test", fullmatch=True).map(x509.RFC822Name),
    st.from_regex(r"https://[a-z]{1,8}\.test/[a-z]{0,5}", fullmatch=True).map(x509.UniformResourceIdentifier),
    st.ip_addresses().map(x509.IPAddress),
    st.sampled_from(["1.2.3.4", "2.5.29.17"]).map(lambda oid: x509.RegisteredID(x509.ObjectIdentifier(oid))),
    st.just(x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")),
    names.filter(bool).map(lambda rdns: x509.DirectoryName(name_of(rdns))),
)
uris = st.from_regex(r"http://[a-z]{1,8}\.test/", fullmatch=True).map(x509.UniformResourceIdentifier)


def name_of(rdns: list[list[Any]]) -> x509.Name:
    return x509.Name([x509.RelativeDistinguishedName(rdn) for rdn in rdns])


@settings(max_examples=150)
@given(
    subject=names,
    issuer=names,
    serial=st.integers(1, 2**159 - 1),
    begin=st.datetimes(datetime.datetime(1970, 1, 2), datetime.datetime(2090, 1, 1)),
    san=st.lists(general_names, max_size=5),
    access=st.lists(st.tuples(st.sampled_from([Access.OCSP, Access.CA_ISSUERS]), uris), max_size=3),
    points=st.lists(st.lists(uris, min_size=1, max_size=2), max_size=2),
)
def test_as_the_standard_library_decodes_it(
    subject: Any, issuer: Any, serial: int, begin: Any, san: Any, access: Any, points: Any
) -> None:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=3))
        .public_key(KEY.public_key())
    )
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
    if access:
        described = [x509.AccessDescription(method, uri) for method, uri in access]
        builder = builder.add_extension(x509.AuthorityInformationAccess(described), critical=False)
    if points:
        listed = [x509.DistributionPoint(each, None, None, None) for each in points]
        builder = builder.add_extension(x509.CRLDistributionPoints(listed), critical=False)
    certificate = builder.sign(KEY, SHA256())
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(certificate.public_bytes(Encoding.PEM))
        file.flush()
        decode: Any = _ssl._test_decode_cert  # type: ignore[attr-defined]
        expected = decode(file.name)
    found = describe(certificate.public_bytes(Encoding.DER))
    assert found == expected
    assert list(found) == list(expected)


def test_an_object_of_a_chain(contexts: Any) -> None:
    pem = Path(contexts.ca).read_text("ascii")
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    certificate = Certificate(der)
    assert certificate.public_bytes(_ssl.ENCODING_DER) == der
    assert certificate.public_bytes() == pem
    assert certificate == Certificate(der)
    assert len({certificate, Certificate(der)}) == 1
    with pytest.raises(ValueError):
        certificate.public_bytes(77)


def test_addresses_are_written_as_openssl_writes_them() -> None:
    san = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("2001:db8::1"))])
    name = name_of([])
    now = datetime.datetime(2026, 1, 5)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, now, now).add_extension(san, True)
    found = describe(builder.sign(KEY, SHA256()).public_bytes(Encoding.DER))
    assert found["subjectAltName"] == (("IP Address", "2001:DB8:0:0:0:0:0:1"),)
    assert found["notBefore"] == "Jan  5 00:00:00 2026 GMT"
    assert found["serialNumber"] == "01"
