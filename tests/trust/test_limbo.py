"""x509-limbo (C2SP, Apache-2.0): chains with a known verdict, put to both profiles. RFC 5280 section 6.

limbo.toml beside this file lists every difference with its reason; it has to be exact. The test is
skipped where ../shared is absent.
"""

from __future__ import annotations

import functools
import json
import lzma
import ssl
import tomllib
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pellucid import CertificateRefused, Reason, Trust, UsageError

TABLE = tomllib.loads(Path(__file__).with_name("limbo.toml").read_text("utf-8"))
CASES = 4873
TODAY = 1_780_000_000.0  # for cases without a time: May 2026


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[dict[str, Any]]:
    with lzma.open(shared / "data" / "limbo-half.json.xz") as file:
        return json.load(file)["testcases"]  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=4096)
def der(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem)


def believed(case: dict[str, Any], profile: str) -> bool:
    """The verdict. Anything but a proof or a named refusal fails the test."""
    depth = case["max_chain_depth"]
    trust = Trust.from_pem(
        [der(pem) for pem in case["trusted_certs"]],
        profile=profile,
        crls=[pem.encode() for pem in case.get("crls") or ()],
        **({} if depth is None else {"max_intermediates": depth}),
    )
    chain = [der(case["peer_certificate"]), *map(der, case["untrusted_intermediates"])]
    time = case["validation_time"]
    now = datetime.fromisoformat(time).timestamp() if time else TODAY
    try:
        if case["validation_kind"] == "CLIENT":
            trust.verify_client(chain, now)
        elif case["expected_peer_name"] is None:
            return False  # there is no way to ask for a server without a name
        else:
            trust.verify_server(chain, case["expected_peer_name"]["value"], now)
    except CertificateRefused as refusal:
        assert refusal.detail, case["id"]
        return False
    except UsageError as refusal:
        assert refusal.reason is Reason.BAD_NAME, case["id"]
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["webpki", "rfc5280"])
def test_every_case_is_judged_as_upstream_or_listed_with_its_reason(
    cases: list[dict[str, Any]], profile: str
) -> None:
    pytest.importorskip("publicsuffixlist", reason="publicsuffixlist is not installed")
    assert len(cases) == CASES
    accepted, refused = set(), set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of serial numbers that are not positive
        for case in cases:
            due = case["expected_result"] == "SUCCESS"
            verdict = believed(case, profile)
            if verdict and not due:
                accepted.add(case["id"])
            elif due and not verdict:
                refused.add(case["id"])
    assert accepted == set(TABLE[profile]["accepted"])
    assert refused == set(TABLE[profile]["refused"])


def test_what_one_profile_accepts_against_upstream_the_other_refuses() -> None:
    """No case that must fail passes under both."""
    assert not set(TABLE["webpki"]["accepted"]) & set(TABLE["rfc5280"]["accepted"])
    reasons = [why for table in TABLE.values() for part in table.values() for why in part.values()]
    assert all(len(why) > 20 for why in reasons)
