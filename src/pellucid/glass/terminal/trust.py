"""The trust on a terminal: the path from the leaf up to the authority, each with its checks."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.glass.ladder import Line
from pellucid.glass.show import listing
from pellucid.glass.terminal.text import BLANK, hanging, heading, paragraph
from pellucid.glass.views.trust import Certificate, Chain, Check, TrustView

_VERDICTS = {
    "believed": ("✓ believed", "good"),
    "refused": ("✗ refused", "bad"),
    "not checked": ("– not checked", "skipped"),
    "unseen": ("· unseen from here", "quiet"),
}


def draw(view: TrustView, width: int = 80, *, secrets: bool = False) -> Iterator[Line]:
    """Each chain, leaf first."""
    yield from paragraph(view.about, width)
    for number, chain in enumerate(view.chains):
        if number:
            yield BLANK
        yield from _chain(chain, width)


def _chain(chain: Chain, width: int) -> Iterator[Line]:
    asked = f"asked for: {chain.asked}" if chain.asked else ""
    yield heading(f"The {chain.whose}'s certificates", asked, width, chain.whose)
    sign, style = _VERDICTS[chain.verdict]
    yield from hanging([(f"{sign}  ", style)], chain.why, width)
    for number, certificate in enumerate(chain.certificates):
        if number:
            yield [("    ▲", "bar"), ("  signed by", "quiet")]
        else:
            yield BLANK
        yield from _certificate(certificate, width)
    if chain.checks:
        yield BLANK
    for check in chain.checks:
        yield from _check(check, width, "")


def _certificate(one: Certificate, width: int) -> Iterator[Line]:
    place = {"leaf": "leaf", "intermediate": "intermediate authority", "root": "root authority"}[one.place]
    room = width - len(place) - 6
    subject = one.subject if len(one.subject) <= room else one.subject[: room - 1] + "…"
    gap = "─" * (width - len(subject) - len(place) - 5)
    yield [(f"╭─ {subject} ", "title"), (gap, "bar"), (f" {place}", "quiet")]
    rows = [
        ("names", listing(one.names)),
        ("issued by", "itself: it was not sent, it is known here" if not one.sent else one.issuer),
        ("valid", f"{one.not_before[:10]} to {one.not_after[:10]}"),
        ("key", f"{one.key}, signed with {one.signature}"),
        ("for", listing(one.usages)),
        ("SHA-256", " ".join(one.fingerprint[at : at + 8] for at in range(0, 32, 8)) + " …"),
    ]
    for label, value in rows:
        if value:
            yield from _barred(hanging([(f"  {label:<11}", "label")], value, width - 1))
    for check in one.checks:
        yield from _barred(_check(check, width - 1, "  "))
    yield [("╰─", "bar")]


def _barred(lines: Iterator[Line]) -> Iterator[Line]:
    for line in lines:
        yield [("│", "bar"), *line]


def _check(check: Check, width: int, indent: str) -> Iterator[Line]:
    sign, style = {True: ("✓ ", "good"), False: ("✗ ", "bad"), None: ("– ", "skipped")}[check.passed]
    yield from hanging([(indent, ""), (sign, style), (f"{check.what:<22} ", "label")], check.detail, width)
