"""The reasons: what was chosen, out of what, by which rule, and why not the others.

RFC 8446 section 4.1.1 (negotiation), RFC 5246 section 7.4.1; RFC 7301 (ALPN). Each choice is one that
the connection noted when it made it, or learned of. What the other end would have accepted is
known only from its own trace; without it, the view says so and guesses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pellucid.glass.decode import version_name
from pellucid.glass.trace import Fact, Trace
from pellucid.wire.codepoints import CipherSuite, CodePoint, NamedGroup, SignatureScheme, is_grease


@dataclass(frozen=True, slots=True)
class Option:
    """Something that could have been chosen.

    `offered`: the client offered it; `acceptable`: the server would have taken it. None means that the
    trace does not tell. `why` says why it was, or was not, chosen.
    """

    name: str
    code: int | None
    offered: bool | None
    acceptable: bool | None
    chosen: bool
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice.

    Attributes:
        what: its short name: "cipher_suite".
        question: what was to be decided, for a heading.
        who: whose choice it was: "client" or "server".
        chosen: in words.
        rule: by which rule.
        about: why the choice matters.
        section: where the RFC speaks of it.
        options: the chosen one among the others, in the chooser's order of preference.
        unknown: what this trace cannot tell, a sentence; "" where it tells all.
    """

    what: str
    at: float
    question: str
    who: str
    chosen: str
    rule: str
    about: str
    section: str
    options: tuple[Option, ...]
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class ReasonsView:
    """Every choice of the handshake, in the order in which it was made."""

    decisions: tuple[Decision, ...]


#: what: (question, who chooses, why it matters, section).
_QUESTIONS: dict[str, tuple[str, str, str, str]] = {
    "version": (
        "Which version of TLS?", "server",
        "Everything else depends on it. An attacker who could force an old one would bring back its faults.",
        "RFC 8446 4.2.1",
    ),
    "cipher_suite": (
        "Which cipher suite?", "server",
        "It encrypts every record; in TLS 1.2 it also says how keys are agreed on and who signs.",
        "RFC 8446 4.1.2",
    ),
    "group": (
        "Which group for the key exchange?", "server",
        "The shared secret is as strong as the group; hybrids with ML-KEM stand up to quantum computers.",
        "RFC 8446 4.2.7",
    ),
    "signature_scheme": (
        "Which signature?", "server",
        "It proves that the peer holds its certificate's key.",
        "RFC 8446 4.2.3",
    ),
    "certificate": (
        "Which certificate?", "server", "It says who the peer is.", "RFC 8446 4.4.2.2",
    ),
    "client_certificate": (
        "Which certificate of the client?", "client", "It says who the client is.", "RFC 8446 4.4.2.3",
    ),
    "client_signature_scheme": (
        "Which signature of the client?", "client", "It proves that the client holds its certificate's key.",
        "RFC 8446 4.2.3",
    ),
    "alpn": (
        "Which application protocol?", "server", "Both ends must speak the same inside.", "RFC 7301 3.2",
    ),
    "psk": (
        "Go on with a key that both know?", "server",
        "A known key saves the certificates and proves who both are.",
        "RFC 8446 4.2.11",
    ),
    "psk offer": (
        "Which known keys to offer?", "client", "Each comes from an earlier connection, or was agreed on.",
        "RFC 8446 4.2.11",
    ),
    "resumption": (
        "Resume an earlier session?", "server", "It saves the key exchange and the certificates.",
        "RFC 5246 7.3",
    ),
    "early_data": (
        "Take the early data?", "server",
        "It saves a round trip, and anybody who recorded it may send it again.",
        "RFC 8446 4.2.10",
    ),
    "retry": (
        "Ask for another hello?", "server", "A round trip more, to agree on a group.", "RFC 8446 4.1.4",
    ),
}  # fmt: skip
_REGISTRY: dict[str, type[CodePoint]] = {
    "cipher_suite": CipherSuite,
    "group": NamedGroup,
    "signature_scheme": SignatureScheme,
    "client_signature_scheme": SignatureScheme,
}

#: Choices whose note lists no alternatives: what was asked for stands there instead.
_LISTLESS = frozenset({"certificate", "client_certificate"})


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> ReasonsView:
    """Every decision of the trace; what only the other end knows comes from `other`."""
    made = list(trace.of("decision"))
    theirs = {fact.fields["what"]: fact for fact in other.of("decision")} if other is not None else {}
    decisions = [_decision(trace, fact, theirs.pop(fact.fields["what"], None)) for fact in made]
    if other is not None:
        decisions += [_decision(other, fact, None) for fact in theirs.values()]
    return ReasonsView(tuple(sorted(decisions, key=lambda one: one.at)))


def _decision(trace: Trace, fact: Fact, twin: Fact | None) -> Decision:
    """A decision, from the chooser's own note where there is one, completed by the other's."""
    what = str(fact.fields["what"])
    question, who, about, section = _QUESTIONS.get(what, (what.replace("_", " "), trace.role, "", ""))
    ours = trace.role == who
    best = fact if ours or twin is None else twin
    offered, acceptable = (
        _lists(best, twin if best is fact else fact) if what not in _LISTLESS else (None, None)
    )
    chosen = fact.fields["chosen"]
    options = _options(what, who, chosen, offered, acceptable, str(best.fields["rule"]))
    unknown = ""
    if options and acceptable is None:
        unknown = f"What else the {who} would have taken is known to the {who} alone."
    return Decision(
        what, fact.at, question, who, name_of(what, chosen), str(best.fields["rule"]), about, section,
        options, unknown,
    )  # fmt: skip


def _lists(fact: Fact, twin: Fact | None) -> tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]:
    """(offered, acceptable), each from whichever end noted it; None where nobody did."""
    found: list[tuple[Any, ...] | None] = []
    for name in ("offered", "acceptable"):
        lists = [one.fields.get(name) for one in (fact, twin) if one is not None]
        found.append(next((tuple(one) for one in lists if one), None))
    return found[0], found[1]


def _options(
    what: str,
    who: str,
    chosen: Any,
    offered: tuple[Any, ...] | None,
    acceptable: tuple[Any, ...] | None,
    rule: str,
) -> tuple[Option, ...]:
    names: dict[str, Any] = {}
    for value in _all(what, offered, acceptable, chosen):
        names.setdefault(name_of(what, value), value)
    if len(names) < 2 and offered is None:
        return ()
    chosen_name = name_of(what, chosen)
    seen = False
    found = []
    for name, value in names.items():
        picked = name == chosen_name
        is_offered = None if offered is None else any(name_of(what, one) == name for one in offered)
        taken = None if acceptable is None else any(name_of(what, one) == name for one in acceptable)
        seen = seen or picked
        misfit = "" if picked else _misfit(what, chosen_name, name)
        why = rule if picked else misfit or _why_not(who, is_offered, taken, seen)
        found.append(Option(name, value if isinstance(value, int) else None, is_offered, taken, picked, why))
    return tuple(found)


def _all(
    what: str, offered: Iterable[Any] | None, acceptable: Iterable[Any] | None, chosen: Any
) -> Iterable[Any]:
    """The chooser's own list first: its order is the order of preference."""
    for value in (*(acceptable or ()), *(offered or ())):
        if not (
            isinstance(value, int) and not isinstance(value, bool) and what in _REGISTRY and is_grease(value)
        ):
            yield value
    if chosen is not None:
        yield chosen


def _misfit(what: str, chosen: str, name: str) -> str:
    """Why `name` could not stand beside what was chosen, whatever anybody prefers; "" where it could.

    >>> _misfit("signature_scheme", "ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256")
    'it is for another kind of key than the certificate has'
    """
    if what == "cipher_suite" and ("_WITH_" in chosen) != ("_WITH_" in name):
        return f"it belongs to TLS {'1.3' if '_WITH_' in chosen else '1.2'}"
    if what in ("signature_scheme", "client_signature_scheme"):
        kinds = [
            next((kind for kind in _KINDS_OF_KEYS if one.startswith(kind)), one) for one in (chosen, name)
        ]
        if {"rsa_pss_rsae", "rsa_pkcs1"} == set(kinds):
            return "TLS 1.3 knows it in certificates only" if kinds[1] == "rsa_pkcs1" else ""
        if kinds[0] != kinds[1]:
            return "it is for another kind of key than the certificate has"
    return ""


#: The beginnings of signature schemes' names, by the kind of key that makes them.
_KINDS_OF_KEYS = ("ecdsa", "ed25519", "ed448", "rsa_pss_rsae", "rsa_pss_pss", "rsa_pkcs1", "mldsa")


def _why_not(who: str, offered: bool | None, acceptable: bool | None, after: bool) -> str:
    other = {"server": "client", "client": "server"}[who]
    if offered is False:
        return f"the {other} did not offer it"
    if acceptable is False:
        return f"the {who} does not accept it"
    if acceptable is None:
        return f"the {who} did not choose it; it does not say why"
    if after:
        return "both accept it, but the chosen one is preferred"
    return "both accept it, but it does not fit the rest of what was chosen"


def name_of(what: str, value: Any) -> str:
    """A value of a decision, in words.

    >>> name_of("version", 0x0304), name_of("group", 29), name_of("alpn", b"h2"), name_of("psk", None)
    ('TLS 1.3', 'x25519', 'h2', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if what == "version":
        return version_name(int(value))
    if what in _REGISTRY:
        return _REGISTRY[what].name_of(int(value))
    if what == "psk":
        return f"the client's key number {int(value) + 1}"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
