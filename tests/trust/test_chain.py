"""What is remembered of a chain, and what is judged anew each time all the same."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import Authority, CertificateRefused, Reason, Trust
from pellucid.trust.building import as_datetime

DAY = 86400
NOW = 1_800_000_000  # a quiet day in 2027


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


def verified(trust: Trust, chain: Any, name: str | None, now: float, **options: Any) -> int:
    """How often the verifier of `cryptography` was asked to believe this chain."""
    asked = 0

    def count(frame: Any, event: str, called: Any) -> None:
        nonlocal asked
        asked += event == "c_call" and getattr(called, "__qualname__", "") in VERIFIERS

    sys.setprofile(count)
    try:
        if name is None:
            trust.verify_client(chain, now, **options)
        else:
            trust.verify_server(chain, name, now, **options)
    finally:
        sys.setprofile(None)
    return asked


VERIFIERS = ("ServerVerifier.verify", "ClientVerifier.verify")


def test_a_certificate_that_was_met_before_is_judged_anew(authority: Authority) -> None:
    """It is parsed once, and believed each time for itself: its name, its date, who is trusted."""
    chain, now = authority.issue("shop.test").chain, time.time()
    trust = authority.trust()
    met = trust.verify_server(chain, "shop.test", now)
    assert trust.verify_server([bytes(bytearray(der)) for der in chain], "shop.test", now).leaf is met.leaf
    for other, name, at, reason in (
        (trust, "shop.test", now + 400 * 86400, Reason.CERTIFICATE_EXPIRED),
        (trust, "other.test", now, Reason.WRONG_HOST_NAME),
        (Authority.create(name="other").trust(), "shop.test", now, Reason.UNKNOWN_CA),
    ):
        with pytest.raises(CertificateRefused) as refused:
            other.verify_server(chain, name, at)
        assert refused.value.reason is reason
    for bit in range(8):
        changed = bytearray(chain[0])
        changed[-1] ^= 1 << bit  # in the signature
        with pytest.raises(CertificateRefused):
            trust.verify_server([bytes(changed), *chain[1:]], "shop.test", now)
    assert trust.verify_server(chain, "shop.test", now).leaf is met.leaf


def test_a_long_certificate_is_not_kept(authority: Authority) -> None:
    chain = authority.issue(*(f"host-{number}.shop.test" for number in range(300))).chain
    assert len(chain[0]) > 4096
    one, other = (authority.trust().verify_server(chain, "host-7.shop.test", time.time()) for _ in range(2))
    assert one.leaf == other.leaf
    assert one.leaf is not other.leaf


@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
def test_a_path_is_searched_once(authority: Authority, client: bool) -> None:
    trust, name = authority.trust(), None if client else "shop.test"
    chain = authority.issue("shop.test", client=client).chain
    same = tuple(bytes(bytearray(der)) for der in chain)
    assert verified(trust, chain, name, time.time()) == 1
    assert verified(trust, same, name, time.time() + 1) == 0
    noted: list[Any] = []
    assert verified(trust, chain, name, time.time(), note=noted.append) == 1, "who looks on sees what is done"
    assert noted
    assert verified(authority.trust(), chain, name, time.time()) == 1, "another trust has not met it"


def test_nothing_is_remembered_where_nobody_wants_it(authority: Authority) -> None:
    trust = Trust.of([authority.certificate], remember=0)
    chain = authority.issue("shop.test").chain
    assert [verified(trust, chain, "shop.test", time.time()) for _ in range(2)] == [1, 1]


def test_another_purpose_is_another_question(authority: Authority) -> None:
    """A key that may sign only is believed for (EC)DHE, and not for static RSA afterwards."""
    trust, chain = authority.trust(), authority.issue("shop.test").chain
    trust.verify_server(chain, "shop.test", time.time())
    with pytest.raises(CertificateRefused) as refused:
        trust.verify_server(chain, "shop.test", time.time(), usage="encipher")
    assert refused.value.reason is Reason.WRONG_KEY_USAGE
    with pytest.raises(CertificateRefused) as refused:
        trust.verify_client(chain, time.time())
    assert refused.value.reason is Reason.WRONG_EXTENDED_KEY_USAGE


@given(at=st.integers(-40 * DAY, 40 * DAY), fraction=st.sampled_from([0, 0.25, 0.999]))
def test_dates_are_judged_each_time(at: int, fraction: float) -> None:
    """Leaf, intermediate and root end and begin at different times: the narrowest window counts."""
    for edge in (at, -10 * DAY, -10 * DAY - 1, 20 * DAY, 20 * DAY + 1):
        now = NOW + edge + fraction
        assert outcome(REMEMBERS, now) == outcome(FORGETS, now)


def outcome(trust: Trust, now: float) -> Reason | None:
    trust.verify_server(CHAIN, "shop.test", NOW)  # a trust that remembers, does now
    try:
        trust.verify_server(CHAIN, "shop.test", now)
    except CertificateRefused as refused:
        return refused.reason
    return None


def validity(before: int, after: int) -> dict[str, Any]:
    return {"not_before": as_datetime(NOW + before * DAY), "not_after": as_datetime(NOW + after * DAY)}


ROOT = Authority.create(clock=lambda: NOW, **validity(-30, 30))
CHAIN = ROOT.intermediate(**validity(-10, 25)).issue("shop.test", **validity(-15, 20)).chain
REMEMBERS, FORGETS = ROOT.trust(), Trust.of([ROOT.certificate], remember=0)


def test_the_window_of_this_chain() -> None:
    """The test before this one compares what is not always the same."""
    found = {outcome(REMEMBERS, NOW + day * DAY) for day in (-11, 0, 21)}
    assert found == {Reason.CERTIFICATE_NOT_YET_VALID, None, Reason.CERTIFICATE_EXPIRED}


def test_a_staple_that_revokes_counts_for_a_chain_that_was_believed(authority: Authority) -> None:
    trust, identity = authority.trust(), authority.issue("shop.test")
    now = time.time()
    trust.verify_server(identity.chain, "shop.test", now)
    with pytest.raises(CertificateRefused) as refused:
        trust.verify_server(
            identity.chain, "shop.test", now, ocsp=authority.staple(identity, revoked=now - 60)
        )
    assert refused.value.reason is Reason.CERTIFICATE_REVOKED


def test_a_refusal_is_not_remembered(authority: Authority) -> None:
    trust, chain = authority.trust(), authority.issue("shop.test").chain
    for _ in range(2):
        with pytest.raises(CertificateRefused):
            verified(trust, chain, "other.test", time.time())
    assert verified(trust, chain, "shop.test", time.time()) == 1


def test_strangers_cannot_fill_the_memory(authority: Authority) -> None:
    """Some paths, of chains that are not too long."""
    trust = Trust.of([authority.certificate], remember=3)
    chain = authority.issue("*.shop.test").chain
    now = time.time()
    for number in range(10):
        assert verified(trust, chain, f"host-{number}.shop.test", now) == 1
        assert len(trust._believed._paths) <= 3
    assert verified(trust, chain, "host-9.shop.test", now) == 0
    padded = (*chain, *(authority.issue(f"{'x' * 60}-{n}.test").chain[0] for n in range(2)))
    assert [verified(trust, padded, "shop.shop.test", now) for _ in range(2)] == [1, 0]
    many = authority.issue(*(f"host-{number}.shop.test" for number in range(1200))).chain
    assert len(many[0]) > 16384
    assert [verified(trust, many, "host-7.shop.test", now) for _ in range(2)] == [1, 1]


def test_the_systems_authorities_are_one_trust_for_all(
    authority: Authority, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their store is built once, as long as the variables that name them stay the same."""
    before = Trust.system()
    assert Trust.system() is before
    bundle = tmp_path / "roots.pem"
    bundle.write_bytes(authority.pem)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert Trust.system() is not before
    assert Trust.system().anchors == (authority.certificate,)
