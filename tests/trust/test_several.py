"""Several judges at once: each believes by its own rules, and the one who knew most says why not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pellucid import Authority, CertificateRefused, Reason, Trust, UsageError
from pellucid.glass.telling import told
from pellucid.trust.several import AnyOf


@pytest.fixture(scope="module")
def ours() -> Authority:
    return Authority.create("ours")


@pytest.fixture(scope="module")
def web() -> Authority:
    return Authority.create("the web")


def test_either_is_enough(ours: Authority, web: Authority) -> None:
    both = AnyOf(ours.trust(), web.trust(profile="webpki"))
    for authority in (ours, web):
        noted: list[Any] = []
        chain = authority.issue("a.test").chain
        proof = both.verify_server(chain, "a.test", time.time(), note=noted.append)
        assert proof.path[-1] == authority.root
        assert noted
        facts = [fields for fact in noted for _, fields in told(fact)]
        assert all(
            fields.get("passed", True) for fields in facts
        )  # what the other thought is its own business
    client = web.issue("somebody", client=True)
    assert both.verify_client(client.chain, time.time()).path[-1] == web.root
    assert both.verify_server_path(web.issue("a.test").chain, time.time()).path[-1] == web.root


def test_the_webs_rules_stay_the_webs(ours: Authority, web: Authority) -> None:
    """A certificate of ours may be valid for ten years; one of the web's may not, whoever else is trusted."""
    both = AnyOf(ours.trust(), web.trust(profile="webpki"))
    long_lived = ours.issue("a.test", days=3000)
    assert both.verify_server(long_lived.chain, "a.test", time.time()).profile == "rfc5280"
    own_key = web.issue("a.test", key="rsa-2048", fault="weak-key")
    with pytest.raises(CertificateRefused) as refused:
        both.verify_server(own_key.chain, "a.test", time.time())
    assert refused.value.reason is Reason.WEAK_CERTIFICATE_KEY


@pytest.mark.parametrize("turned", [False, True])
def test_the_refusal_is_of_whoever_knows_the_authority(ours: Authority, web: Authority, turned: bool) -> None:
    judges = [ours.trust(), web.trust()]
    both = AnyOf(*(reversed(judges) if turned else judges))
    with pytest.raises(CertificateRefused) as refused:
        both.verify_server(ours.issue("a.test", fault="expired").chain, "a.test", time.time())
    assert refused.value.reason is Reason.CERTIFICATE_EXPIRED
    stranger = Authority.create("a stranger").issue("a.test")
    with pytest.raises(CertificateRefused) as refused:
        both.verify_server(stranger.chain, "a.test", time.time())
    assert refused.value.reason is Reason.UNKNOWN_CA


def test_sessions_are_bound_to_all_judges(ours: Authority, web: Authority) -> None:
    both = AnyOf(ours.trust(), web.trust())
    assert both.fingerprint not in (ours.trust().fingerprint, web.trust().fingerprint)
    assert both.fingerprint == AnyOf(ours.trust(), web.trust()).fingerprint
    assert both.subjects == (*ours.trust().subjects, *web.trust().subjects)


def test_nobody_and_everybody_are_mistakes(ours: Authority) -> None:
    for judges in ((), (ours.trust(), Trust.insecure())):
        with pytest.raises(UsageError) as wrong:
            AnyOf(*judges)
        assert wrong.value.reason is Reason.BAD_CONFIG
