"""The live page in a real browser: choose, shake hands, look, break, and do it without a mouse."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from browser.pages import opened, running, serious_faults
from pellucid import Authority, ServerConfig, serve
from pellucid.io.sockets import TLSSocket

STEPS = "#panel-steps [data-step]"
MUSEUM = "TLS 1.2, static RSA: the textbook's"
TABS = ("steps", "bytes", "keys", "reasons", "trust", "wire")


def choose(tab: Any, url: str, *, version: str = "TLS 1.3", pace: str = "at once", **selects: str) -> None:
    tab.goto(url)
    form = tab.locator(".experiment")
    form.wait_for()
    form.get_by_text(version, exact=True).click()
    form.get_by_text(pace, exact=True).click()
    for name, value in selects.items():
        tab.select_option(f"#choose-{name}", value)


def begin(tab: Any, button: str = "Shake hands") -> int:
    """Press the button; the number of the scene that begins."""
    with tab.expect_response("**/run") as answer:
        tab.get_by_role("button", name=button).click()
    return int(answer.value.json()["number"])


def await_scene(tab: Any, number: int, state: str = "complete") -> None:
    tab.wait_for_selector(f'html[data-scene="{number} {state}"]', state="attached")


def shake_hands(tab: Any, state: str = "complete") -> None:
    await_scene(tab, begin(tab), state)


def steps_of(tab: Any) -> list[int]:
    found = tab.eval_on_selector_all(STEPS, "all => all.map(one => Number(one.dataset.step))")
    return [int(number) for number in found]


def test_static_rsa_by_hand_nine_steps_in_order(tab: Any, live: str) -> None:
    choose(tab, live, version=MUSEUM, pace="one by one, by hand")
    scene = begin(tab)
    seen, messages = [], []
    for number in itertools.count(1):
        here = tab.wait_for_selector(
            f'.waiting[data-number="{number}"], html[data-scene="{scene} complete"]', state="attached"
        )
        seen.append(steps_of(tab))
        messages.append(tab.locator(".ladder .arrow").count())
        if here.get_attribute("data-number") is None:
            break
        tab.locator("#step").click()
    for before, after in itertools.pairwise(seen):
        assert after[: len(before)] == before
    assert seen[-1] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [1] in seen
    assert len({tuple(steps) for steps in seen}) > 5  # they did not come all at once
    assert messages == sorted(messages)
    assert "Nobody but you and me." in tab.locator(".ladder").inner_text()


def test_a_byte_lights_up_its_field_and_a_field_its_bytes(tab: Any, live: str) -> None:
    choose(tab, live)
    shake_hands(tab)
    tab.locator(".ladder button", has_text="ClientHello").click()
    assert tab.locator("#tab-bytes").get_attribute("aria-selected") == "true"
    tab.locator('.dump .b[data-at="20"]').hover()
    assert tab.locator(".frow.lit .fname").inner_text() == "random"
    assert tab.locator(".dump .b.lit").count() == 32
    assert "random" in tab.locator(".inspector").inner_text()
    tab.locator(".frow", has_text="legacy_version").first.hover()
    assert tab.eval_on_selector_all(".dump .b.lit", "all => all.map(one => one.textContent)") == ["03", "03"]
    # without a mouse: along the bytes, and along the tree
    tab.locator(".dump").focus()
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    assert tab.locator(".frow.lit .fname").inner_text() == "legacy_version"
    tab.keyboard.press("Enter")
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')").startswith("random")
    assert tab.locator(".dump .b.lit").count() == 32


def test_an_expired_certificate_fails_at_step_3(tab: Any, live: str) -> None:
    choose(tab, live, version=MUSEUM, fault="expired")
    shake_hands(tab, "failed")
    assert steps_of(tab) == [1, 2, 3]
    broken = tab.locator(f"{STEPS}.broken")
    assert broken.get_attribute("data-step") == "3"
    said = broken.inner_text()
    assert "A certificate of the chain has expired." in said
    assert "certificate-expired" in said
    assert re.search(r"✗\s+validity", said)
    assert "Alert: certificate_expired" in tab.locator(".ladder .arrow.bad").inner_text()


@pytest.mark.parametrize(
    ("version", "selects", "reason"),
    [
        ("TLS 1.3", {"fault": "wrong-name"}, "wrong-host-name"),
        ("TLS 1.3", {"fault": "wrong-finished"}, "bad-finished"),
        ("TLS 1.3", {"fault": "downgrade"}, "downgrade-detected"),
        ("TLS 1.3", {"fault": "changed-record"}, "bad-record-mac"),
        ("TLS 1.2, ephemeral keys", {"fault": "no-suite"}, "no-shared-cipher"),
        ("TLS 1.2, ephemeral keys", {"fault": "cut"}, "eof-in-handshake"),
    ],
)
def test_each_kind_of_fault_says_its_reason(
    tab: Any, live: str, version: str, selects: dict[str, str], reason: str
) -> None:
    choose(tab, live, version=version, **selects)
    shake_hands(tab, "failed")
    assert tab.locator("#failure .reason").inner_text() == reason


def test_only_what_fits_together_can_be_chosen(tab: Any, live: str) -> None:
    choose(tab, live, version=MUSEUM)
    assert tab.locator("#choose-certificate option").all_inner_texts() == ["RSA, 2048 bits"]
    assert tab.locator("#choose-group").is_disabled()
    assert tab.locator('#choose-way option[value="early-data"]').count() == 0
    choose(tab, live, group="secp384r1", suite="TLS_CHACHA20_POLY1305_SHA256", certificate="ed25519")
    shake_hands(tab)
    summary = tab.locator(".summary").inner_text()
    assert "TLS_CHACHA20_POLY1305_SHA256" in summary
    assert "secp384r1" in summary


def test_early_data_and_a_client_certificate(tab: Any, live: str) -> None:
    choose(tab, live, way="early-data")
    shake_hands(tab)
    ladder = tab.locator(".ladder").inner_text()
    assert ladder.index("early data") < ladder.index("ServerHello")
    choose(tab, live, way="client-certificate")
    shake_hands(tab)
    tab.locator("#tab-trust").click()
    assert "The client's certificates: believed" in tab.locator("#panel-trust").inner_text()


def test_the_leaked_key_opens_static_rsa_and_not_tls_1_3(tab: Any, live: str) -> None:
    choose(tab, live, version=MUSEUM)
    shake_hands(tab)
    tab.locator("#tab-wire").click()
    assert "Can anybody else read this?" in tab.locator(".leak.bad").inner_text()
    choose(tab, live)
    shake_hands(tab)
    tab.locator("#tab-wire").click()
    assert "Can anybody" not in tab.locator(".leak.good").inner_text()


def test_a_host_in_the_world(tab: Any, tmp_path: Path) -> None:
    authority = Authority.create()
    (tmp_path / "ca.pem").write_bytes(authority.pem)

    def hello(tls: TLSSocket) -> None:
        tls.recv()
        tls.sendall(b"hello")

    config = ServerConfig(identities=(authority.issue("localhost"),))
    with serve(hello, config) as server, running("live", "--ca", str(tmp_path / "ca.pem")) as (_, url):
        tab.goto(url)
        tab.locator(".experiment").get_by_text("at once", exact=True).click()
        for host, state in ((f"localhost:{server.port}", "complete"), ("nowhere.invalid", "failed")):
            tab.locator("#choose-host").fill(host)
            await_scene(tab, begin(tab, "Look"), state)
        assert tab.locator("#failure .reason").inner_text() == "name-not-found"
        tab.locator("#scenes button", has_text="localhost").click()
        assert "TLS 1.3" in tab.locator(".summary").inner_text()
        tab.goto("about:blank")  # before the server goes


def test_stop_and_let_all_pass(tab: Any, live: str) -> None:
    choose(tab, live, pace="one by one, by hand")
    for button, state in (("Stop", "stopped"), ("Let all pass", "complete")):
        number = begin(tab)
        tab.get_by_role("button", name=button).click()
        await_scene(tab, number, state)


def test_with_the_keyboard_alone(tab: Any, live: str) -> None:
    choose(tab, live)
    tab.get_by_role("button", name="Shake hands").focus()
    with tab.expect_response("**/run") as answer:
        tab.keyboard.press("Enter")
    await_scene(tab, answer.value.json()["number"])
    tab.locator("#tab-steps").focus()
    for name in TABS[1:]:
        tab.keyboard.press("ArrowRight")
        assert tab.evaluate("document.activeElement.id") == f"tab-{name}"
        assert tab.locator(f"#panel-{name}").is_visible()
    tab.locator(".ladder button").nth(1).focus()
    tab.keyboard.press("Enter")
    assert tab.locator(".message h3").inner_text() == "ServerHello"


@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_nobody_is_shut_out(browser: Any, live: str, scheme: str, rules: tuple[str, ...]) -> None:
    with opened(browser, color_scheme=scheme) as tab:
        choose(tab, live, version=MUSEUM, fault="expired")
        shake_hands(tab, "failed")
        assert serious_faults(tab, rules=rules) == []
        tab.locator("#choose-fault").select_option("none")
        shake_hands(tab)
        tab.locator(".ladder button").first.click()
        for name in TABS[1:]:
            tab.locator(f"#tab-{name}").click()
            assert serious_faults(tab, f"#panel-{name}", rules) == [], name
