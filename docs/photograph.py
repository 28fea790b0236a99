"""Take the photographs in docs/pictures again: of the live page, in a real browser.

scripts/venv browser && .venv/bin/python docs/photograph.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
WIDTH = 1180


def run(tab: Page, version: str, fault: str = "none", state: str = "complete") -> None:
    """Choose, and shake hands."""
    tab.locator(".experiment").get_by_text(version, exact=True).click()
    tab.locator(".experiment").get_by_text("at once", exact=True).click()
    tab.select_option("#choose-fault", fault)
    with tab.expect_response("**/run") as answer:
        tab.get_by_role("button", name="Shake hands").click()
    tab.wait_for_selector(f'html[data-scene="{answer.value.json()["number"]} {state}"]', state="attached")
    tab.wait_for_timeout(800)  # the arrows have flown


def photograph(url: str) -> None:
    """The pictures, one by one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": 900})
        tab.goto(url)
        run(tab, "TLS 1.2, static RSA: the textbook's")
        tab.screenshot(path=PICTURES / "live.png")
        tab.emulate_media(color_scheme="dark")
        run(tab, "TLS 1.3")
        tab.locator(".ladder button").first.click()
        tab.locator('.dump .b[data-at="20"]').click()
        tab.locator(".columns").screenshot(path=PICTURES / "bytes.png")
        browser.close()
    if shutil.which("pngquant"):  # a third of the size, and nobody sees it
        pictures = [str(PICTURES / name) for name in ("live.png", "bytes.png")]
        subprocess.run(["pngquant", "--force", "--ext", ".png", "--strip", "96", *pictures], check=True)


if __name__ == "__main__":
    command = [sys.executable, "-m", "pellucid", "live"]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as live:
        if live.stdout is not None:
            photograph(live.stdout.readline().strip())
        live.terminate()
