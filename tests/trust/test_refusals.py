"""Each way in which a certificate is not believed has its own reason, shown with real certificates."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pellucid import Authority, CertificateRefused, Reason, Trust, verify

NOW_FAULTS = {
    "self-signed": Reason.SELF_SIGNED,
    "expired": Reason.CERTIFICATE_EXPIRED,
    "not-yet-valid": Reason.CERTIFICATE_NOT_YET_VALID,
    "wrong-name": Reason.WRONG_HOST_NAME,
    "tampered": Reason.CERTIFICATE_TAMPERED,
    "wrong-key-usage": Reason.WRONG_KEY_USAGE,
    "wrong-extended-key-usage": Reason.WRONG_EXTENDED_KEY_USAGE,
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.mark.parametrize(("fault", "reason"), NOW_FAULTS.items())
@pytest.mark.parametrize("profile", ["rfc5280", "webpki"])
def test_each_fault_is_refused_by_name(
    authority: Authority, fault: str, reason: Reason, profile: str
) -> None:
    identity = authority.issue("shop.test", fault=fault)
    with pytest.raises(CertificateRefused) as refused:
        verify(identity.chain, "shop.test", trust=authority.trust(profile=profile))
    assert refused.value.reason is reason
    assert refused.value.detail
    assert refused.value.chain == identity.chain


def test_an_unknown_authority(authority: Authority) -> None:
    with pytest.raises(CertificateRefused) as refused:
        verify(authority.issue("shop.test").chain, "shop.test", trust=Authority.create(name="other").trust())
    assert refused.value.reason is Reason.UNKNOWN_CA


def test_a_missing_intermediate(authority: Authority) -> None:
    middle = authority.intermediate()
    assert verify(middle.issue("shop.test").chain, "shop.test", trust=authority.trust())
    with pytest.raises(CertificateRefused) as refused:
        verify(middle.issue("shop.test").chain[:1], "shop.test", trust=authority.trust())
    assert refused.value.reason is Reason.UNKNOWN_CA


def test_an_authoritys_certificate_used_as_a_leaf(authority: Authority) -> None:
    middle = authority.intermediate()
    with pytest.raises(CertificateRefused) as refused:
        verify(middle.issue("shop.test").chain[1:], "shop.test", trust=authority.trust())
    assert refused.value.reason is Reason.CA_USED_AS_LEAF


@pytest.mark.parametrize("profile", ["rfc5280", "webpki"])
@pytest.mark.parametrize("key", ["ecdsa-p256", "rsa-2048", "ed25519", "ml-dsa-65"])
def test_good_certificates_are_believed(authority: Authority, key: str, profile: str) -> None:
    proof = verify(
        authority.issue("shop.test", "10.0.0.1", key=key).chain,
        "shop.test",
        trust=authority.trust(profile=profile),
    )
    assert len(proof.chain) == 2
    assert verify(
        authority.issue("*.shop.test", key=key).chain, "www.shop.test", trust=authority.trust(profile=profile)
    )


@pytest.mark.parametrize("name", ["a.b.shop.test", "shop.test", "xshop.test"])
def test_a_wildcard_stands_for_one_label(authority: Authority, name: str) -> None:
    with pytest.raises(CertificateRefused) as refused:
        verify(authority.issue("*.shop.test").chain, name, trust=authority.trust())
    assert refused.value.reason is Reason.WRONG_HOST_NAME


@pytest.mark.interop
def test_openssl_believes_what_we_issue(authority: Authority, tmp_path: Path) -> None:
    identity = authority.intermediate().issue("shop.test")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "chain.pem").write_bytes(identity.chain_pem())
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "-untrusted", "chain.pem"]
    command += ["-verify_hostname", "shop.test", "chain.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.interop
def test_a_self_signed_certificate_that_the_user_trusts(tmp_path: Path) -> None:
    """`openssl req -x509`, its own authority: RFC 5280's profile takes it, the web's does not."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]
    command += ["-days", "10", "-subj", "/CN=mine", "-addext", "subjectAltName=DNS:mine.test"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True)
    file = tmp_path / "cert.pem"
    assert verify(file, "mine.test", trust=Trust.from_pem(file))
    with pytest.raises(CertificateRefused):
        verify(file, "mine.test", trust=Trust.from_pem(file, profile="webpki"))


def test_insecure_says_what_was_not_checked(authority: Authority) -> None:
    proof = Trust.insecure().verify_server(authority.issue("shop.test").chain, "other.test", 0)
    assert proof.unchecked
    assert not proof.chain


@pytest.mark.parametrize(("name", "vetted_too"), [("*.co.uk", True), ("*.com", True), ("*.github.io", False)])
def test_wildcards_for_names_that_belong_to_many(authority: Authority, name: str, vetted_too: bool) -> None:
    """BR 3.2.2.6. A platform's authorities are believed to know who owns a company's suffix."""
    pytest.importorskip("publicsuffixlist", reason="publicsuffixlist is not installed")
    identity = authority.issue(name)
    host = name.replace("*", "shop")
    verify(identity.chain, host, trust=authority.trust())  # a private authority names whom it likes
    for vetted in (False, True):
        anchors = authority.trust().anchors
        trust = Trust(lambda anchors=anchors: anchors, profile="webpki", label="these", vetted=vetted)  # type: ignore[misc]
        if vetted and not vetted_too:
            assert verify(identity.chain, host, trust=trust).chain
            continue
        with pytest.raises(CertificateRefused, match="belong to many") as refused:
            verify(identity.chain, host, trust=trust)
        assert refused.value.reason is Reason.CERTIFICATE_INVALID
