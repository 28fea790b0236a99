"""The reasons: what was chosen, out of what, by which rule, and why not the others.

RFC 8446 section 4.1.1 (negotiation), RFC 5246 section 7.4.1; RFC 7301 (ALPN). Each choice is one that
the connection noted when it made it, or learned of. What the other end would have accepted is
known only from its own trace; without it, the view says so and guesses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pellucid.errors import Reason
from pellucid.glass.decode import version_name
from pellucid.glass.trace import Fact, Trace
from pellucid.glass.views import choices, identities
from pellucid.glass.views.choices import Choice, Ground, Values
from pellucid.wire.codepoints import (
    CertificateCompressionAlgorithm,
    CertificateType,
    CipherSuite,
    CodePoint,
    MaxFragmentLength,
    NamedGroup,
    SignatureScheme,
    is_grease,
)


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
        offered: what the chooser was offered; None where nobody tells.
        acceptable: what the chooser would have taken; None where only the chooser knows.
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
    offered: tuple[str, ...] | None = None
    acceptable: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ReasonsView:
    """Every choice of the handshake, in the order in which a handshake makes them."""

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
    "extended_master_secret": (
        "Bind the master secret to every message?", "server",
        "Without it two handshakes can be made to share one master secret (Triple Handshake, 2014).",
        "RFC 7627 5.1",
    ),
    "encrypt_then_mac": (
        "Encrypt first, then authenticate?", "server",
        "With CBC the other order lets an attacker guess, byte by byte (Lucky Thirteen, 2013).",
        "RFC 7366 2",
    ),
    "session_ticket": (
        "Give the client a ticket?", "server", "With it the client resumes, and the server keeps nothing.",
        "RFC 5077 3.2",
    ),
    "record_size_limit": (
        "How long may a record be?", "server", "Small devices cannot hold 16 KiB at once.", "RFC 8449 4",
    ),
    "max_fragment_length": (
        "How long may a record be?", "server", "Small devices cannot hold 16 KiB at once.", "RFC 6066 4",
    ),
    "server_certificate_type": (
        "What kind of certificate does the server show?", "server",
        "A raw public key is short; who is behind it must be known from elsewhere.", "RFC 7250 4.2",
    ),
    "client_certificate_type": (
        "What kind of certificate does the client show?", "server",
        "A raw public key is short; who is behind it must be known from elsewhere.", "RFC 7250 4.2",
    ),
    "certificate_compression": (
        "Compress the certificate?", "server",
        "Certificates are the longest part of a handshake; it should fit into few packets.", "RFC 8879 4",
    ),
    "client_auth": (
        "Ask the client for a certificate?", "server",
        "Without one the server knows nothing of who the client is.", "RFC 8446 4.3.2",
    ),
    "stapling": (
        "Send proof that the certificate is not revoked?", "server",
        "The authority's own word (OCSP) comes along; the client need not ask it.", "RFC 8446 4.4.2.1",
    ),
}  # fmt: skip
_REGISTRY: dict[str, type[CodePoint]] = {
    "cipher_suite": CipherSuite,
    "group": NamedGroup,
    "retry": NamedGroup,
    "signature_scheme": SignatureScheme,
    "client_signature_scheme": SignatureScheme,
    "server_certificate_type": CertificateType,
    "client_certificate_type": CertificateType,
    "certificate_compression": CertificateCompressionAlgorithm,
    "max_fragment_length": MaxFragmentLength,
}
#: The two ends' clocks are not one: choices stand in the order in which a handshake makes them.
_RANK = {
    what: rank
    for rank, what in enumerate((
        "psk offer", "version", "cipher_suite", "resumption", "group", "retry", "psk", "early_data", "alpn",
        "extended_master_secret", "encrypt_then_mac", "session_ticket", "record_size_limit",
        "max_fragment_length", "server_certificate_type", "client_certificate_type", "certificate",
        "signature_scheme", "certificate_compression", "stapling", "client_auth", "client_certificate",
        "client_signature_scheme",
    ))
}  # fmt: skip
#: Who shows it.
_SHOWN = {"certificate": "server", "client_certificate": "client"}
#: Choices of yes or no.
_FLAGS = frozenset({
    "early_data", "extended_master_secret", "encrypt_then_mac", "session_ticket", "resumption", "client_auth",
    "stapling",
})  # fmt: skip
#: What could not be agreed on, by how the server refused.
_FAILED = {
    Reason.UNSUPPORTED_PROTOCOL: "version",
    Reason.NO_SHARED_CIPHER: "cipher_suite",
    Reason.NO_SHARED_GROUP: "group",
    Reason.NO_APPLICATION_PROTOCOL: "alpn",
}
_UNHEARD = "seen on the wire; only the two ends know by which rule"
_NOTHING = "there is nothing that both know"


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> ReasonsView:
    """Every decision of the trace; what only the other end knows comes from `other`."""
    ground = Ground(trace, other)
    read = dict(choices.read(ground))
    noted: dict[str, list[Fact]] = {}
    for one in (trace, other):
        if one is not None:
            latest = {fact.fields["what"]: fact for fact in one.of("decision")}
            noted[one.role] = list(latest.values())
    names = list(
        dict.fromkeys([fact.fields["what"] for facts in noted.values() for fact in facts] + list(read))
    )
    failed = _failure(trace, other)
    found = [
        _decision(ground, what, _notes(noted, what, trace.role), read.get(what), what == failed)
        for what in names + [shown for shown in _SHOWN if shown not in names]
    ]
    made = [one for one in found if one is not None]
    return ReasonsView(tuple(sorted(made, key=lambda one: (_RANK.get(one.what, len(_RANK)), one.at))))


def _notes(noted: dict[str, list[Fact]], what: str, role: str) -> tuple[Fact | None, Fact | None]:
    """(the chooser's own note, the other end's)."""
    who = _QUESTIONS[what][1] if what in _QUESTIONS else role
    pair = {
        side: next((fact for fact in facts if fact.fields["what"] == what), None)
        for side, facts in noted.items()
    }
    return pair.get(who), pair.get("client" if who == "server" else "server")


def _failure(trace: Trace, other: Trace | None) -> str:
    """What could not be agreed on; "" where that was not the trouble, or nobody here knows."""
    for one in (trace, other):
        for fact in one.of("error") if one is not None and one.role == "server" else ():
            if fact.fields.get("local") and fact.fields.get("reason") in _FAILED:
                return _FAILED[fact.fields["reason"]]
    return ""


def _decision(
    ground: Ground, what: str, notes: tuple[Fact | None, Fact | None], read: Choice | None, failed: bool
) -> Decision | None:
    """A decision: from the chooser's own note, from the other end's, from what can be read."""
    role = ground.reader.trace.role
    question, who, about, section = _QUESTIONS.get(what, (what.replace("_", " "), role, "", ""))
    note = notes[0] or notes[1]
    if (
        note is None
        and what not in _SHOWN
        and (read is None or (read.chosen is None and not _ended(what, read, failed)))
    ):
        return None
    chosen = note.fields["chosen"] if note is not None else read.chosen if read is not None else None
    rule = str(note.fields["rule"]) if note is not None else read.rule if read is not None else ""
    at = note.at if note is not None else read.at if read is not None else 0.0
    if what in _SHOWN:
        return _certificate(ground, what, note, (question, who, about, section))
    offered, acceptable = _lists(notes, read)
    if failed and note is None:
        rule = _NOTHING
    rule = rule or _UNHEARD
    if what in _FLAGS:
        chosen = chosen in (True, "accepted")
        if rule == _UNHEARD and not chosen:
            wanted, taken = ((None if one is None else True in one) for one in (offered, acceptable))
            rule = _why_not(who, wanted, taken, True)
        options = _flag(chosen, offered, acceptable, rule)
    elif what == "psk":
        known = dict(note.fields.get("refused") or ()) if note is not None else {}
        options = _keys(chosen, offered or (), rule, known)
    else:
        options = _options(ground, what, who, chosen, offered, acceptable, rule)
    unknown = ""
    if options and acceptable is None and not (what in _FLAGS and chosen):
        unknown = f"What else the {who} would have taken is known to the {who} alone."
    return Decision(
        what, at, question, who, name_of(what, chosen), rule, about, section, options, unknown,
        _named(what, offered), _named(what, acceptable),
    )  # fmt: skip


def _ended(what: str, read: Choice, failed: bool) -> bool:
    """Whether nothing chosen is a choice too: it was refused, or an answer was left out."""
    return failed or what in ("alpn", "psk", "retry") or bool(read.rule)


def _named(what: str, values: Values) -> tuple[str, ...] | None:
    return None if values is None else tuple(dict.fromkeys(name_of(what, one) for one in _all(what, values)))


def _lists(notes: tuple[Fact | None, Fact | None], read: Choice | None) -> tuple[Values, Values]:
    """(offered, acceptable): as the chooser noted it, as can be read, as the other end noted it; or None."""
    found: list[Values] = []
    for name in ("offered", "acceptable"):
        noted = [tuple(one.fields.get(name) or ()) or None if one is not None else None for one in notes]
        seen = None if read is None else getattr(read, name)
        known = next((one for one in (noted[0], seen, noted[1]) if one is not None), None)
        found.append(None if known is None else tuple(known))
    return found[0], found[1]


def _flag(chosen: bool, offered: Values, acceptable: Values, rule: str) -> tuple[Option, ...]:
    """Yes or no: one possibility is enough."""
    if not chosen:
        return (Option("no", None, None, None, True, rule),)
    wanted, taken = ((None if one is None else True in one) for one in (offered, acceptable))
    return (Option("yes", None, wanted, taken, True, rule),)


def _keys(chosen: Any, offered: tuple[Any, ...], rule: str, refused: dict[int, str]) -> tuple[Option, ...]:
    """Keys from before, in the order in which the client offers them; tried until one is known."""
    found = []
    for index in offered:
        name = name_of("psk", index)
        if index == chosen:
            found.append(Option(name, index, True, True, True, rule))
        elif chosen is not None and index > chosen and index not in refused:
            found.append(Option(name, index, True, None, False, "the chosen one came first"))
        else:
            why = "the server cannot use it: it does not know it, or it is too old, or for another hash"
            found.append(Option(name, index, True, False, False, refused.get(index, why)))
    return tuple(found)


def _certificate(
    ground: Ground, what: str, note: Fact | None, words: tuple[str, str, str, str]
) -> Decision | None:
    """Which certificate, out of those that the end has."""
    question, who, about, section = words
    role = _SHOWN[what]
    message = ground.shown.get(role)
    if note is None and (message is None or (role == "client" and ground.request is None)):
        return None
    rule = str(note.fields["rule"]) if note is not None else f"the {role} showed it"
    shown = identities.candidates(ground, role, rule)
    chosen = next((one.title for one in shown if one.chosen), "none")
    if chosen == "none":
        rule = f"the {role} has none that the other end takes" if shown else f"the {role} has none"
        if not shown and ground.settings[role] is None:
            rule = f"the {role} shows none"
    options = tuple(Option(one.title, None, one.fits, one.named, one.chosen, one.why) for one in shown)
    at = note.at if note is not None else message.at if message is not None else 0.0
    unknown = (
        ""
        if ground.settings[role] is not None
        else f"What else the {role} could have shown is known to the {role} alone."
    )
    fitting = fits = None
    if ground.settings[role] is not None:
        fitting = tuple(one.title for one in shown if one.fits)
        fits = tuple(one.title for one in shown if one.fits is not False and one.named is not False)
    return Decision(
        what, at, question, who, chosen, rule, about, section, options, unknown,
        fitting, fits,
    )  # fmt: skip


def _options(
    ground: Ground, what: str, who: str, chosen: Any, offered: Values, acceptable: Values, rule: str
) -> tuple[Option, ...]:
    names: dict[str, Any] = {}
    for value in _all(what, acceptable, offered, () if chosen is None else (chosen,)):
        names.setdefault(name_of(what, value), value)
    if len(names) < 2 and offered is None:
        return ()
    chosen_name = name_of(what, chosen)
    seen = False
    found = []
    for name, value in names.items():
        picked = chosen is not None and name == chosen_name
        is_offered = None if offered is None else any(name_of(what, one) == name for one in offered)
        taken = None if acceptable is None else any(name_of(what, one) == name for one in acceptable)
        seen = seen or picked
        misfit = "" if picked or chosen is None else _misfit(ground, what, chosen_name, name)
        why = rule if picked else misfit or _why_not(who, is_offered, taken, seen)
        found.append(Option(name, value if isinstance(value, int) else None, is_offered, taken, picked, why))
    return tuple(found)


def _all(what: str, *lists: Iterable[Any] | None) -> Iterator[Any]:
    """Each value of the lists, without the noise of RFC 8701."""
    numbers = what == "version" or what in _REGISTRY
    for value in (one for values in lists for one in values or ()):
        if not (numbers and isinstance(value, int) and is_grease(value)):
            yield value


def _misfit(ground: Ground, what: str, chosen: str, name: str) -> str:
    """Why `name` could not stand beside what was chosen, whatever anybody prefers; "" where it could."""
    if what == "cipher_suite":
        if ("_WITH_" in chosen) != ("_WITH_" in name):
            return f"it belongs to TLS {'1.3' if '_WITH_' in chosen else '1.2'}"
        return "the earlier session goes on with its own" if ground.resumed12 else _unsigned(ground, name)
    if what in ("signature_scheme", "client_signature_scheme"):
        return _wrong_key(chosen, name, tls13=ground.tls13)
    return ""


def _unsigned(ground: Ground, suite: str) -> str:
    """A suite of TLS 1.2 that no certificate of the server could sign for; "" for all others."""
    kinds = identities.kinds(ground)
    auth = next((auth for auth in ("ECDSA", "RSA") if f"_{auth}_WITH_" in suite), "")
    return f"the server has no {auth} key" if auth and kinds is not None and auth not in kinds else ""


def _wrong_key(chosen: str, name: str, *, tls13: bool) -> str:
    """Why a key that signs by one scheme cannot sign by another; "" where it can.

    >>> _wrong_key("ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", tls13=True)
    'it is for another kind of key than the certificate has'
    >>> _wrong_key("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", tls13=True)
    'it is for a key on another curve'
    """
    kinds = [next((kind for kind in _KINDS_OF_KEYS if one.startswith(kind)), one) for one in (chosen, name)]
    if {"rsa_pss_rsae", "rsa_pkcs1"} == set(kinds):
        return "TLS 1.3 knows it in certificates only" if tls13 and kinds[1] == "rsa_pkcs1" else ""
    if kinds[0] != kinds[1] or (kinds[0] == "mldsa" and chosen != name):
        return "it is for another kind of key than the certificate has"
    return "it is for a key on another curve" if tls13 and kinds[0] == "ecdsa" and chosen != name else ""


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
    if what == "psk offer":
        return f"{value} key{'s' if value != 1 else ''}"
    if what == "psk":
        return f"the client's key number {int(value) + 1}"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
