"""What is inside certificates and OCSP responses, byte by byte: beside `cryptography`, and broken."""

from __future__ import annotations

import datetime
import functools
import ipaddress
import random
import warnings

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import example, given
from hypothesis import strategies as st

from glass.handshakes import seen
from glass.test_views import covered
from pellucid.glass.der import fields, is_public_key, oids
from pellucid.glass.der.elements import Trouble, element, identifier
from pellucid.glass.der.forms import MOST
from pellucid.glass.fields import Field
from pellucid.glass.views import VIEWS
from pellucid.trust.authority import Authority
from support import House


def roots() -> list[x509.Certificate]:
    """The web's authorities; without those that `cryptography` warns of, or takes no more."""
    found = []
    with open(certifi.where(), encoding="utf-8") as file:
        for pem in file.read().split("-----BEGIN CERTIFICATE-----")[1:]:
            try:
                found.append(x509.load_pem_x509_certificate(f"-----BEGIN CERTIFICATE-----{pem}".encode()))
            except (ValueError, Warning):  # pytest makes errors of warnings
                continue
    return found


NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())


def opened(what: str, der: bytes, start: int = 0) -> Field:
    """The one field that `der` is; its parts cover it."""
    data = bytes(start) + der
    (found,) = fields(what, data, start)
    assert (found.start, found.end) == (start, len(data))
    covered(found)
    return found


def at(field: Field, *path: str) -> Field:
    """The part that is reached by these names."""
    for name in path:
        field = next(one for one in field.children if one.name == name)
    return field


def troubles(field: Field) -> list[str]:
    return [
        one.meaning
        for _, one in field.walk()
        if one.name == "unreadable" or one.meaning.startswith("unreadable") or "missing" in one.meaning
    ]


def strangers(field: Field) -> list[str]:
    return [one.name for _, one in field.walk() if one.about.startswith("Nothing of this kind")]


def test_the_authorities_of_the_web_are_read_as_cryptography_reads_them() -> None:
    found = roots()
    assert len(found) > 50
    for root in found:
        same(root)


def same(root: x509.Certificate) -> None:
    der = root.public_bytes(Encoding.DER)
    told = opened("certificate", der, start=7)
    assert troubles(told) == strangers(told) == []
    tbs = at(told, "tbsCertificate")
    assert der[tbs.start - 7 : tbs.end - 7] == root.tbs_certificate_bytes
    assert int(at(tbs, "serialNumber").meaning, 16) == root.serial_number
    times = [at(tbs, "validity", name).meaning for name in ("notBefore", "notAfter")]
    assert times == [
        f"{one:%Y-%m-%d %H:%M:%S} UTC" for one in (root.not_valid_before_utc, root.not_valid_after_utc)
    ]
    for name, theirs in (("issuer", root.issuer), ("subject", root.subject)):
        ours = [one for _, one in at(tbs, name).walk() if one.name == "value"]
        assert [one.meaning for one in ours] == [attribute.value for attribute in theirs]
    info = at(tbs, "subjectPublicKeyInfo")
    key = root.public_key()
    assert der[info.start - 7 : info.end - 7] == key.public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    if isinstance(key, rsa.RSAPublicKey):
        assert at(info, "subjectPublicKey", "RSAPublicKey", "modulus").value == f"{key.key_size} bits"
    extensions = list(at(tbs, "extensions", "Extensions").children[1:])
    assert [at(one, "extnID").value for one in extensions] == [
        one.oid.dotted_string for one in root.extensions
    ]
    assert [any(part.name == "critical" for part in one.children) for one in extensions] == [
        one.critical for one in root.extensions
    ]
    assert all(one.section for _, one in told.walk())


def rich() -> x509.Certificate:
    """A certificate with every extension that has a declaration here."""
    uri = x509.UniformResourceIdentifier
    name = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Müller & Söhne"),
        x509.NameAttribute(NameOID.COMMON_NAME, "rich.test"),
    ])  # fmt: skip
    point = x509.DistributionPoint
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName([
            x509.DNSName("*.rich.test"), x509.RFC822Name("me@rich.test"), uri("https://rich.test/"),
            *(x509.IPAddress(ipaddress.ip_address(one)) for one in ("192.0.2.7", "2001:db8::7")),
            x509.DirectoryName(name), x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5"), b"\x0c\x02hi"),
        ]), False),
        (x509.BasicConstraints(ca=True, path_length=3), True),
        (x509.KeyUsage(True, False, False, False, True, True, True, False, True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("1.2.3.5")]), False),
        (x509.SubjectKeyIdentifier(bytes(range(20))), False),
        (x509.AuthorityKeyIdentifier(bytes(range(20)), [x509.DNSName("above.test")], 77), False),
        (x509.AuthorityInformationAccess([
            x509.AccessDescription(Access.OCSP, uri("http://ocsp.test/")),
            x509.AccessDescription(Access.CA_ISSUERS, uri("http://ca.test/ca.crt")),
        ]), False),
        (x509.CRLDistributionPoints([
            point([uri("http://crl.test/1.crl")], None, None, None),
            point(None, x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "list")]),
                  frozenset([x509.ReasonFlags.key_compromise]), [x509.DirectoryName(name)]),
        ]), False),
        (x509.CertificatePolicies([
            x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None),
            x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.6"), [
                "http://cps.test/", x509.UserNotice(x509.NoticeReference("we", [1, 2]), "said so"),
            ]),
        ]), False),
        (x509.NameConstraints(
            [x509.DNSName("rich.test")], [x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))],
        ), True),
        (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        (x509.InhibitAnyPolicy(2), True),
        (x509.PolicyConstraints(1, None), True),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.7"), b"\x04\x03abc"), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.8"), b"no DER"), False),
    ]  # fmt: skip
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 0x1234567890, NOW, NOW.replace(year=2051))
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(KEY, hashes.SHA384())


def test_every_extension_is_opened() -> None:
    told = opened("certificate", rich().public_bytes(Encoding.DER))
    assert strangers(told) == []
    assert len(troubles(told)) == 1  # "no DER" is none
    said = {one.name: one for one in at(told, "tbsCertificate", "extensions", "Extensions").children[1:]}
    assert {
        name: one.meaning
        for name, one in said.items()
        if name not in ("extension 1.2.3.7", "extension 1.2.3.8")
    } == {
        "subjectAltName": "*.rich.test, me@rich.test, https://rich.test/, 192.0.2.7, 2001:db8::7,"
        " C=CH, O=Müller & Söhne, CN=rich.test, 1.2.3.4, id-on-xmppAddr hi",
        "basicConstraints": "an authority, at most 3 below it, critical",
        "keyUsage": "digitalSignature, keyAgreement, keyCertSign, cRLSign, decipherOnly, critical",
        "extKeyUsage": "id-kp-serverAuth, 1.2.3.5",
        "subjectKeyIdentifier": "00010203…",
        "authorityKeyIdentifier": "00010203…",
        "authorityInfoAccess": "id-ad-ocsp http://ocsp.test/, id-ad-caIssuers http://ca.test/ca.crt",
        "cRLDistributionPoints": "http://crl.test/1.crl, CN=list",
        "certificatePolicies": "domain validated (CA/Browser Forum), 1.2.3.6",
        "nameConstraints": "only rich.test; not 10.0.0.0/8, critical",
        "tlsfeature": "status_request",
        "inhibitAnyPolicy": "2, critical",
        "policyConstraints": said["policyConstraints"].meaning,
    }
    sections = {name: one.section for name, one in said.items()}
    assert sections["subjectAltName"] == "RFC 5280 4.2.1.6"
    assert sections["tlsfeature"] == "RFC 7633 4"
    validity = at(told, "tbsCertificate", "validity")
    assert [one.kind for one in validity.children[1:]] == ["UTCTime", "GeneralizedTime"]
    assert at(told, "signatureValue", "Ecdsa-Sig-Value", "r").kind == "INTEGER"


def test_an_ocsp_response() -> None:
    authority = rich()
    issuer = Authority.create()
    leaf = x509.load_der_x509_certificate(issuer.issue("a.test").chain[0])
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf, issuer=authority, algorithm=hashes.SHA1(), cert_status=ocsp.OCSPCertStatus.REVOKED,
        this_update=NOW, next_update=NOW.replace(day=9), revocation_time=NOW,
        revocation_reason=x509.ReasonFlags.key_compromise,
    )  # fmt: skip
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, authority).certificates([authority])
    builder = builder.add_extension(x509.OCSPNonce(b"12345678"), False)
    der = builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)
    told = opened("OCSP response", der)
    assert strangers(told) == []
    basic = at(told, "responseBytes", "ResponseBytes", "response", "BasicOCSPResponse")
    single = at(basic, "tbsResponseData", "responses", "SingleResponse")
    assert int(at(single, "certID", "serialNumber").meaning, 16) == leaf.serial_number
    assert at(single, "revoked").meaning == "revoked 2026-01-02 03:04:05 UTC, keyCompromise"
    assert at(single, "nextUpdate").meaning == "2026-01-09 03:04:05 UTC"
    assert at(basic, "certs", "certs", "Certificate", "tbsCertificate")
    assert told.meaning == "OCSP: revoked"
    empty = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    assert (
        at(opened("OCSP response", empty.public_bytes(Encoding.DER)), "responseStatus").meaning == "tryLater"
    )


#: RFC 6962 3.2, with a time of 2021-03-19 and an ECDSA signature of r = 5, s = 7.
SCT = (
    bytes(1) + bytes(range(32)) + (1_616_161_616_161).to_bytes(8, "big") + bytes(2)
    + b"\x04\x03" + b"\x00\x08" + bytes.fromhex("3006020105020107")
)  # fmt: skip


def test_the_receipts_of_the_logs() -> None:
    entry = len(SCT).to_bytes(2, "big") + SCT
    inner = len(entry).to_bytes(2, "big") + entry
    listed = b"\x04" + bytes((len(inner),)) + inner
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), listed)
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, NOW, NOW).add_extension(
        extension, False
    )
    told = opened("certificate", builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER))
    assert troubles(told) == []
    found = next(one for _, one in told.walk() if one.name == "SerializedSCT")
    assert found.meaning == "2021-03-19 13:46:56 UTC"
    assert [one.name for one in found.children] == [
        "length", "sct_version", "log_id", "timestamp", "extensions",
        "hash", "signature_algorithm", "signature",
    ]  # fmt: skip
    assert [at(found, "signature", "Ecdsa-Sig-Value", one).value for one in "rs"] == ["5", "7"]
    covering = fields("SCT", SCT)
    assert [one.start for one in covering] == [0, *(one.end for one in covering[:-1])]
    assert [one.name for one in fields("SCT", SCT[:-1])] == ["unreadable"]


def test_keys_of_every_kind_are_named() -> None:
    for kind, meaning in {
        "rsa-2048": "RSA 2048 bits",
        "ecdsa-p384": "id-ecPublicKey, secp384r1",
        "ed25519": "id-Ed25519", "ed448": "id-Ed448", "ml-dsa-44": "id-ml-dsa-44",
    }.items():  # fmt: skip
        identity = Authority.create().issue("a.test", key=kind)
        told = at(opened("certificate", identity.chain[0]), "tbsCertificate", "subjectPublicKeyInfo")
        assert told.meaning == meaning
        info = identity.raw_public_key
        assert opened("public key", info).meaning == meaning
        assert is_public_key(info)
        assert not is_public_key(identity.chain[0])


@pytest.mark.parametrize(
    ("der", "why"),
    [
        ("", "there is nothing"),
        ("30", "cut off before its length"),
        ("3081", "cut off in its length"),
        ("308105", "longer than it need be"),
        ("30820005", "longer than it need be"),
        ("3080", "left open"),
        ("3085", "takes 5 bytes"),
        ("300201", "says that it has 2 bytes, and 1 are left"),
        ("0000", "tag 0"),
        ("1f1e00", "tag is longer"),
        ("1f80", "tag is longer"),
        ("1fffffff", "does not end"),
    ],
)
def test_what_is_no_der_says_why(der: str, why: str) -> None:
    data = bytes.fromhex(der)
    if der not in ("308105", "30820005", "1f80"):
        with pytest.raises(Trouble, match=why):
            element(data, 0, len(data))
    else:
        with pytest.raises(Trouble, match=why):
            element(data + b"\x00" * 8, 0, len(data) + 8)
    found = fields("certificate", data)
    assert [one.name for one in found] == (["unreadable"] if data else [])


def test_a_stranger_is_named() -> None:
    der = bytearray(rich().public_bytes(Encoding.DER))
    tbs = at(opened("certificate", bytes(der)), "tbsCertificate")
    serial = at(tbs, "serialNumber")
    der[serial.start] = 0x0C  # a text in the place of the number
    told = at(opened("certificate", bytes(der)), "tbsCertificate")
    assert strangers(told)[0] == "UTF8String"
    assert told.meaning == "serialNumber is missing"
    der[at(tbs, "version", "Version").start] = 0x05  # NULL in the place of the version
    told = at(opened("certificate", bytes(der)), "tbsCertificate", "version")
    assert strangers(told) == ["NULL"]
    assert told.meaning == "unreadable: NULL has a content"


def test_the_walk_ends_where_it_is_cut_off() -> None:
    der = rich().public_bytes(Encoding.DER)
    for size in range(len(der)):
        found = fields("certificate", der[:size])
        assert [one.name for one in found] == (["unreadable"] if size else [])
    inner = bytearray(der)
    tbs = at(opened("certificate", der), "tbsCertificate")
    inner[tbs.start + 2 : tbs.start + 4] = b"\x7f\xff"  # the TBSCertificate says that it is longer than all
    told = opened("certificate", bytes(inner))
    assert troubles(told) == ["tbsCertificate is missing", told.children[-1].meaning]
    assert "are left" in told.children[-1].meaning


def test_neither_many_elements_nor_deep_ones_take_long() -> None:
    many = b"\x05\x00" * 50_000
    told = opened("name", b"\x30\x83" + len(many).to_bytes(3, "big") + many)
    assert len(told.children) <= MOST + 3
    deep = b""
    for _ in range(2000):
        size = len(deep)
        length = bytes((size,)) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        deep = b"\x30" + length + deep
    assert max(depth for depth, _ in opened("public key", deep).walk()) < 30


@functools.cache
def certificates() -> list[bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [one.public_bytes(Encoding.DER) for one in (rich(), *roots()[:8])]


WHATS = ("certificate", "public key", "OCSP response", "name", "ECDSA signature", "identifier", "SCT")


@given(st.binary(max_size=200), st.sampled_from(WHATS), st.integers(0, 9))
@example(b"\x30\x80", "certificate", 0)
@example(b"\x06\x65" + b"\xff" * 100 + b"\x7f", "identifier", 0)
@example(b"\x06\x82\x10\x01" + b"\xff" * 4096 + b"\x7f", "identifier", 0)
def test_any_bytes_are_covered(data: bytes, what: str, start: int) -> None:
    check_cover(bytes(start) + data, what, start)


def check_cover(data: bytes, what: str, start: int) -> None:
    here = start
    for one in fields(what, data, start):
        assert one.start == here
        covered(one)
        here = one.end
    assert here == len(data)


@pytest.mark.parametrize("seed", range(60))
def test_broken_certificates_are_covered_too(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        data = bytearray(rng.choice(certificates()))
        for _ in range(rng.randint(1, 6)):
            place = rng.randrange(len(data))
            fate = rng.random()
            if fate < 0.6:
                data[place] = rng.randrange(256)
            elif fate < 0.8:
                del data[place]
            else:
                data.insert(place, rng.randrange(256))
        check_cover(bytes(data), "certificate", 0)


def test_identifiers() -> None:
    known = {x509.ObjectIdentifier(dotted).dotted_string for dotted in oids.NAMES}
    assert known == set(oids.NAMES)
    assert identifier(bytes.fromhex("883703")) == "2.999.3"
    for broken in ("", "80", "8001", "55048003"):
        with pytest.raises(Trouble):
            identifier(bytes.fromhex(broken))


@pytest.mark.parametrize(
    ("kind", "name", "parts"),
    [
        ("1.3", "Certificate", {"tbsCertificate", "subjectAltName", "Ecdsa-Sig-Value"}),
        ("ECDHE 1.2", "Certificate", {"tbsCertificate", "subjectAltName"}),
        ("ECDHE 1.2", "ServerKeyExchange", {"r", "s"}),
        ("1.3", "CertificateVerify", {"r", "s"}),
        ("1.3 RSA", "Certificate", {"modulus", "publicExponent"}),
        ("raw public key 1.3", "Certificate", {"SubjectPublicKeyInfo", "subjectPublicKey"}),
        ("raw public key 1.2", "Certificate", {"SubjectPublicKeyInfo", "subjectPublicKey"}),
        ("client certificate 1.3", "CertificateRequest", {"Name", "commonName"}),
        ("client certificate 1.2", "CertificateRequest", {"Name", "commonName"}),
        ("compressed certificate", "Certificate", {"tbsCertificate", "subjectAltName"}),
    ],
)
def test_messages_are_opened_to_the_last_element(house: House, kind: str, name: str, parts: set[str]) -> None:
    for trace in (seen(house, kind).client, seen(house, kind).server):
        messages = VIEWS["bytes"].build(trace).messages
        inside = next(one.unpacked or one for one in messages if one.name.removeprefix("Compressed") == name)
        covered(inside.field)
        assert inside.field.end == len(inside.raw)
        assert parts <= {one.name for _, one in inside.field.walk()}
