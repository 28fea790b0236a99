"""RFC 8446 sections 4.2.3 and 4.4.2.2: how certificates may be signed. They are put together by hand here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid import Authority, CertificateRefused, Identity, Reason, Trust, verify
from pellucid.lab import Tap
from pellucid.trust.der import element
from pellucid.wire.codepoints import Alert
from pellucid.wire.messages import Certificate, Certificate12

from .world import TLS12, TLS13, client, refused, server, talk

PSS_SHA256 = PSS(MGF1(SHA256()), 32)
#: AlgorithmIdentifiers (RFC 4055): id-RSASSA-PSS with SHA-256 and 32 bytes of salt; with SHA-384 and 48.
WITH_SHA256 = bytes.fromhex(
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
    "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
)
WITH_SHA384 = WITH_SHA256.replace(b"\x65\3\4\2\1", b"\x65\3\4\2\2")[:-1] + b"\x30"
SHA1_WITH_RSA = bytes.fromhex("300d06092a864886f70d0101050500")


def tlv(tag: int, content: bytes, *, long: bool = False) -> bytes:
    size = len(content)
    if size < 128 and not long:
        return bytes((tag, size)) + content
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width, "big") + content


def parts(outer: bytes) -> Iterator[bytes]:
    _, at, end = element(outer, 0)
    while at < end:
        _, _, after = element(outer, at)
        yield outer[at:after]
        at = after


def rebuilt(der: bytes, key: Any, algorithm: bytes, how: tuple[Any, ...], spki: bytes | None = None) -> bytes:
    """The certificate with another AlgorithmIdentifier (and public key), signed again."""
    tbs, old, _ = parts(der)
    fields = [algorithm if field == old else field for field in parts(tbs)]
    if spki is not None:
        fields[6] = spki
    content = tlv(0x30, b"".join(fields))
    return tlv(0x30, content + algorithm + tlv(3, b"\0" + key.sign(content, *how)))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(key="rsa-2048")


@pytest.mark.rfc("rfc8446:4.2.3:11")
def test_parameters_in_certificate_signatures_are_der(authority: Authority) -> None:
    """RSASSA-PSS parameters with a length in two bytes where one would do are BER, and no DER."""
    leaf = authority.issue("localhost").chain[0]
    good = rebuilt(leaf, authority.key, WITH_SHA256, (PSS_SHA256, SHA256()))
    assert verify([good], "localhost", trust=authority.trust()).chain[0] == good
    oid, parameters = parts(WITH_SHA256)
    ber = tlv(0x30, oid + tlv(0x30, b"".join(parts(parameters)), long=True))
    bad = rebuilt(leaf, authority.key, ber, (PSS_SHA256, SHA256()))
    with pytest.raises(CertificateRefused) as caught:
        verify([bad], "localhost", trust=authority.trust())
    assert caught.value.reason is Reason.BAD_CERTIFICATE


@pytest.mark.rfc("rfc8446:4.2.3:12")
@pytest.mark.parametrize("parameters", [WITH_SHA256, WITH_SHA384])
def test_an_authority_whose_key_has_parameters_is_not_taken(authority: Authority, parameters: bytes) -> None:
    """`cryptography` takes no id-RSASSA-PSS key for an authority's: none signs by others than its own."""
    spki = authority.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    _, bits = parts(spki)
    how = (PSS_SHA256, SHA256())
    root = rebuilt(
        authority.certificate.public_bytes(Encoding.DER),
        authority.key,
        WITH_SHA256,
        how,
        tlv(0x30, parameters + bits),
    )
    leaf = rebuilt(authority.issue("localhost").chain[0], authority.key, WITH_SHA256, how)
    with pytest.raises(CertificateRefused, match="public key"):
        verify([leaf], "localhost", trust=Trust.of([x509.load_der_x509_certificate(root)]))


@pytest.mark.rfc("rfc8446:4.4.2.2:9")
@pytest.mark.parametrize("policy", [TLS13, TLS12])
def test_no_sha1_chain_is_shown_to_a_client_that_did_not_ask_for_it(
    authority: Authority, policy: Any
) -> None:
    """Not even as the last resort; another chain that the client did not ask for is."""
    identity = authority.issue("localhost")
    old = rebuilt(identity.chain[0], authority.key, SHA1_WITH_RSA, (PKCS1v15(), SHA1()))
    sha1 = Identity((old,), identity.key)
    only = policy.replace(signature_schemes=(0x0403,))  # not what the authority signs with
    found = talk(client(policy=only), server(identities=(sha1,), policy=policy))
    reason = Reason.NO_IDENTITY if policy is TLS13 else Reason.NO_SHARED_CIPHER
    refused(found, "server", reason, Alert.handshake_failure)
    tap = Tap()
    talk(client(policy=only), server(tap, identities=(sha1, identity), policy=policy))
    if policy is TLS13:
        shown = [entry.cert_data for entry in tap.the(Certificate).certificate_list]
    else:
        shown = list(tap.the(Certificate12).certificate_list)
    assert shown == list(identity.chain)
