"""The reasons: what was offered, acceptable, chosen, by which rule; and why not the others."""

from __future__ import annotations

import io

import pytest

from glass.handshakes import KINDS, MUSEUM, Seen, seen, talk
from pellucid import Policy, legacy
from pellucid.glass import terminal
from pellucid.glass.ladder import text_of
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS
from pellucid.glass.views.reasons import Decision
from support import TLS12, TLS13, House


def told(found: Seen, *, alone: bool = False) -> dict[str, Decision]:
    """The decisions by name, from both traces, or from the client's alone."""
    view = VIEWS["reasons"].build(found.client, None if alone else found.server)
    assert len({one.what for one in view.decisions}) == len(view.decisions)
    return {one.what: one for one in view.decisions}


def why_not(decision: Decision) -> dict[str, str]:
    return {one.name: one.why for one in decision.options if not one.chosen}


@pytest.mark.parametrize("kind", KINDS)
def test_each_choice_says_all_four_and_why_not_the_others(house: House, kind: str) -> None:
    found = seen(house, kind)
    for decision in told(found).values():
        assert decision.question.endswith("?"), decision.what
        assert decision.section.startswith("RFC ")
        assert decision.chosen
        assert decision.rule
        if decision.what not in ("client_auth", "psk offer"):
            assert decision.offered is not None, decision.what
        if decision.what not in ("retry", "max_fragment_length", "psk offer"):
            assert decision.acceptable is not None, decision.what
        assert not decision.unknown, decision.what
        chosen = [one.name for one in decision.options if one.chosen]
        assert chosen == ([] if decision.chosen == "none" else [decision.chosen]) or not decision.options
        assert all(one.why for one in decision.options), decision.what
        for one in decision.options:  # the lists and the options say the same
            if (
                one.offered is not None
                and decision.offered is not None
                and decision.what not in ("certificate", "client_certificate")
            ):
                assert one.offered == (one.name in decision.offered), (decision.what, one)
    assert "GREASE" not in str(told(found))


@pytest.mark.parametrize("kind", KINDS)
def test_a_trace_alone_claims_nothing_of_the_other_end(house: House, kind: str) -> None:
    for decision in told(seen(house, kind), alone=True).values():
        if decision.who == "server" and decision.what not in (
            "psk",
            "client_auth",
            "record_size_limit",
            "resumption",
        ):
            assert decision.acceptable is None or decision.what == "encrypt_then_mac", decision.what
            assert all(one.acceptable is None or one.chosen for one in decision.options), decision.what


#: What is decided in every handshake of a kind, beside the version and the suite.
MADE = {
    "1.3": {
        "group",
        "alpn",
        "certificate",
        "signature_scheme",
        "certificate_compression",
        "stapling",
        "client_auth",
    },
    "ECDHE 1.2": {"group", "certificate", "signature_scheme", "extended_master_secret", "session_ticket"},
    "static RSA": {"certificate", "extended_master_secret", "encrypt_then_mac"},
    "resumed 1.2": {"resumption"},
    "resumed 1.3": {"psk", "psk offer", "group"},
    "0-RTT": {"psk", "early_data"},
    "HelloRetryRequest": {"retry", "group"},
    "client certificate 1.2": {"client_auth", "client_certificate", "client_signature_scheme"},
    "client certificate 1.3": {"client_auth", "client_certificate", "client_signature_scheme"},
    "raw public key 1.3": {"server_certificate_type"},
    "raw public key 1.2": {"server_certificate_type"},
}


@pytest.mark.parametrize(("kind", "made"), MADE.items())
def test_no_choice_is_left_out(house: House, kind: str, made: set[str]) -> None:
    assert made | {"version", "cipher_suite"} <= set(told(seen(house, kind)))


def test_which_certificate_and_why_not_the_others(house: House) -> None:
    issue = house.authority.issue
    own = house.servers(TLS13).identities[0]
    identities = (
        issue("elsewhere.test"),
        issue("localhost", key="ed448"),
        own,
        issue("localhost", key="rsa-2048"),
    )
    schemes = (0x0403, 0x0804)
    client = house.client(TLS13.replace(signature_schemes=schemes), alpn=())
    found = talk(client, house.servers(TLS13).replace(identities=identities))
    decision = told(found)["certificate"]
    assert decision.chosen == "localhost, ECDSA secp256r1"
    assert why_not(decision) == {
        "elsewhere.test, ECDSA secp256r1": "it is not for localhost",
        "localhost, Ed448": "the client verifies no signature of such a key",
        "localhost, RSA 2048 bits": "it would do as well, but stands behind the chosen one",
    }
    assert told(found, alone=True)["certificate"].unknown


def test_a_suite_that_no_key_of_the_server_signs_for(house: House) -> None:
    decision = told(seen(house, "ECDHE 1.2"))["cipher_suite"]
    reasons = why_not(decision)
    assert reasons["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"] == "the server has no RSA key"
    assert reasons["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"].startswith("both accept it")
    resumed = told(seen(house, "resumed 1.2"))["cipher_suite"]
    assert set(why_not(resumed).values()) == {"the earlier session goes on with its own"}


def test_schemes_that_the_key_cannot_make(house: House) -> None:
    reasons = why_not(told(seen(house, "1.3"))["signature_scheme"])
    assert reasons["ecdsa_secp384r1_sha384"] == "it is for a key on another curve"
    assert reasons["rsa_pss_rsae_sha256"] == "it is for another kind of key than the certificate has"
    reasons = why_not(told(seen(house, "1.3 RSA"))["signature_scheme"])
    assert reasons["rsa_pkcs1_sha256"] == "TLS 1.3 knows it in certificates only"
    reasons = why_not(told(seen(house, "ECDHE 1.2"))["signature_scheme"])
    assert reasons["ecdsa_secp384r1_sha384"].startswith("both accept it")  # TLS 1.2 binds no curve


@pytest.mark.parametrize(
    ("kind", "what"),
    [("failed: version", "version"), ("failed: no shared suite", "cipher_suite"), ("failed: ALPN", "alpn")],
)
def test_what_could_not_be_agreed_on(house: House, kind: str, what: str) -> None:
    for trace, other in (
        (seen(house, kind).client, seen(house, kind).server),
        (seen(house, kind).server, None),
    ):
        decision = next(one for one in VIEWS["reasons"].build(trace, other).decisions if one.what == what)
        assert (decision.chosen, decision.rule) == ("none", "there is nothing that both know")
        assert {one.why for one in decision.options} == {
            "the client did not offer it", "the server does not accept it",
        }  # fmt: skip


def test_flags_say_why_they_were_not_set(house: House) -> None:
    old = legacy.old_peers_policy(versions=(0x0303,), cipher_suites=(0x002F,))
    found = talk(house.client(old), house.servers(old.replace(encrypt_then_mac=False), "rsa-2048"))
    decision = told(found)["encrypt_then_mac"]
    assert (decision.chosen, decision.rule, decision.acceptable) == (
        "no",
        "the server does not accept it",
        (),
    )
    both = talk(house.client(MUSEUM), house.servers(MUSEUM, "rsa-2048"))
    assert "AEAD" in told(both)["encrypt_then_mac"].rule
    refused = told(seen(house, "0-RTT refused"))["early_data"]
    assert (refused.chosen, refused.offered) == ("no", ("yes",))
    assert "HelloRetryRequest" in refused.rule
    assert (
        told(seen(house, "client certificate 1.3"))["client_auth"].rule == "the server is set to require one"
    )
    assert told(seen(house, "failed: no certificate"))["client_certificate"].rule == "the client has none"


def test_how_long_records_may_be(house: House) -> None:
    small = TLS12.replace(record_size_limit=1000)
    found = talk(house.client(small), house.servers(Policy()))
    decision = told(found)["record_size_limit"]
    assert decision.chosen == "1000 bytes to the client, 16384 bytes to the server"
    shorter = TLS12.replace(max_fragment_length=1024)
    found = talk(house.client(shorter), house.servers(Policy()))
    assert told(found)["max_fragment_length"].rule == "as the client asks"


def test_it_is_the_same_from_paper(house: House) -> None:
    """A trace that was written down tells the same choices."""
    for kind in ("1.3", "client certificate 1.2", "0-RTT refused"):
        pair = []
        for trace in (seen(house, kind).client, seen(house, kind).server):
            file = io.StringIO()
            trace.write(file)
            file.seek(0)
            pair.append(Trace.read(file))
        ours = VIEWS["reasons"].build(seen(house, kind).client, seen(house, kind).server)
        theirs = VIEWS["reasons"].build(*pair)
        assert text_of(terminal.draw("reasons", ours)) == text_of(terminal.draw("reasons", theirs))
