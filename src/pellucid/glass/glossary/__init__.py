"""What a word of TLS means: an alert, a suite, an extension, an error of anybody's, a number on the wire.

`look_up` answers with entries: what it is, since when, why it matters, what to do. The words about things
with a registry (messages, extensions, groups) and about other programs' errors stand in the TOML files of
this folder; what our own code knows (alerts, refusals, suites, schemes) is told from its own tables, so
that it cannot differ from what the code does.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from pellucid.crypto.groups import GROUPS
from pellucid.crypto.signatures import SCHEMES
from pellucid.crypto.suites import SUITES, legacy_suites, suite_named
from pellucid.errors import Reason, UsageError
from pellucid.glass.der import oids, x509
from pellucid.glass.failure import ALERTS, BROWSER
from pellucid.wire import codepoints as c


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer.

    Attributes:
        word: its proper name.
        kind: "alert", "cipher suite", "extension", "group", "handshake message", "refusal" (one of ours),
            "error" (somebody else's), "certificate extension", "object identifier", "record type",
            "signature scheme", "term", "version", or the kind of a small field's value (`VALUES`).
        code: its number on the wire, or None.
        what: what it is.
        since: since when, and where it is written.
        why: why it matters.
        todo: what to do about it; may be empty.
        see: other words.
    """

    word: str
    kind: str
    code: int | None = None
    what: str = ""
    since: str = ""
    why: str = ""
    todo: str = ""
    see: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON values."""
        return asdict(self)


def look_up(text: str) -> list[Entry]:
    """Everything that `text` may mean: a name in any spelling, a number, or an error message.

    >>> [entry.word for entry in look_up("handshake failure")]
    ['handshake_failure']
    >>> [(entry.kind, entry.word) for entry in look_up("0x1301")]
    [('cipher suite', 'TLS_AES_128_GCM_SHA256')]
    >>> look_up("SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number')")[0].word
    'WRONG_VERSION_NUMBER'
    """
    dotted = text.strip()
    if dotted.count(".") > 1 and dotted.replace(".", "").isdecimal():
        return [entry for entry in _in_certificates() if f"({dotted})" in entry.what] or _identifier(dotted)
    number = _number(text)
    if number is not None:
        return [entry for entry in entries() if entry.code == number] + _grease(number)
    wanted = _folded(text)
    wanted = _ALIASES.get(wanted, wanted)
    exact = [entry for entry in entries() if _folded(entry.word) == wanted]
    exact = exact or _suite(text)
    if exact:
        return exact
    lower = text.lower()
    quoted = [e for e in entries() if e.kind == "error" and e.word.lower() in lower]
    quoted += [e for e in entries() if e.kind == "refusal" and f"[{e.word}," in lower]
    if quoted:
        longest = max(len(entry.word) for entry in quoted)
        return [entry for entry in quoted if len(entry.word) == longest]
    if len(wanted) < 3:
        return []
    parts = [entry for entry in entries() if wanted in _folded(entry.word)]
    return parts or [entry for entry in entries() if f" {lower} " in f" {entry.what.lower()} "][:5]


def _suite(text: str) -> list[Entry]:
    """A cipher suite by OpenSSL's name for it, if the suite is spoken here."""
    try:
        code = suite_named(text.strip(), legacy=True).code
    except UsageError:
        return []
    return [entry for entry in entries() if entry.kind == "cipher suite" and entry.code == code]


def suggestions(text: str) -> list[str]:
    """The words nearest to one that is not here.

    >>> suggestions("handshake_failur")[0]
    'handshake_failure'
    """
    known = {_folded(entry.word): entry.word for entry in entries()}
    return [known[name] for name in difflib.get_close_matches(_folded(text), known, 5)]


@cache
def entries() -> tuple[Entry, ...]:
    """Every entry, in the order of the kinds."""
    return (
        *_terms(),
        *_versions(),
        *_written("record type", c.ContentType, _RECORDS),
        *_written("handshake message", c.HandshakeType, _table("handshake")),
        *_written("extension", c.ExtensionType, _table("extensions")),
        *_in_certificates(),
        *_suites(),
        *_groups(),
        *_values(),
        *_schemes(),
        *_alerts(),
        *_refusals(),
        *_foreign(),
    )


#: Small fields, by what their values are called here; their words stand in values.toml.
VALUES: dict[str, type[c.CodePoint]] = {
    "PSK key exchange mode": c.PskKeyExchangeMode,
    "key update request": c.KeyUpdateRequest,
    "certificate type": c.CertificateType,
    "client certificate type": c.ClientCertificateType,
    "compression method": c.CompressionMethod,
    "certificate compression algorithm": c.CertificateCompressionAlgorithm,
    "point format": c.ECPointFormat,
    "curve type": c.ECCurveType,
    "name type": c.NameType,
    "certificate status type": c.CertificateStatusType,
    "fragment length": c.MaxFragmentLength,
    "key derivation": c.KdfIdentifier,
}

#: What people also call things, without case and punctuation.
_ALIASES = {
    "mtls": "mutualtls",
    "san": "subjectaltname",
    "eku": "extkeyusage",
    "extendedkeyusage": "extkeyusage",
    "aia": "authorityinfoaccess",
    "muststaple": "tlsfeature",
    "clientcertificate": "mutualtls",
    "ca": "certificateauthority",
    "root": "rootcertificate",
    "intermediate": "intermediatecertificate",
    "pfs": "forwardsecrecy",
    "rsakeyexchange": "staticrsa",
    "premaster": "premastersecret",
    "mainsecret": "mastersecret",
    "sessionkey": "sessionkeys",
    "p256": "secp256r1",
    "prime256v1": "secp256r1",
    "p384": "secp384r1",
    "p521": "secp521r1",
    "curve25519": "x25519",
    "ems": "extendedmastersecret",
    "ech": "encryptedclienthello",
    "hrr": "helloretryrequest",
    "ccs": "changecipherspec",
    "sct": "signedcertificatetimestamp",
    "npn": "nextprotocolnegotiation",
    "alps": "applicationsettings",
    "etm": "encryptthenmac",
    "0rtt": "earlydata",
    "zerortt": "earlydata",
    "sni": "servername",
    "alpn": "applicationlayerprotocolnegotiation",
    "psk": "presharedkey",
    "sslkeylogfile": "keylog",
    "ssl": "tls",
}

_RECORDS = {
    "change_cipher_spec": {
        "what": "TLS 1.2: what follows is under the new keys. In TLS 1.3 it says nothing.",
        "since": "RFC 5246 section 7.1, RFC 8446 appendix D.4",
        "why": "TLS 1.3 sends it so that middleboxes believe that they see an older version's resumption.",
    },
    "alert": {
        "what": "A warning or an end: two bytes.",
        "since": "RFC 8446 section 6",
        "why": "close_notify ends a connection well; every other alert says what went wrong.",
    },
    "handshake": {
        "what": "Handshake messages, or pieces of them.",
        "since": "RFC 8446 section 5.1",
        "why": "See the messages: client_hello and those after it.",
    },
    "application_data": {
        "what": "The data for which the connection was made. In TLS 1.3 every encrypted record looks so.",
        "since": "RFC 8446 section 5.2",
        "why": "From outside nobody can tell data, handshake messages and alerts apart.",
    },
    "heartbeat": {
        "what": "A keep-alive message.",
        "since": "RFC 6520 (2012)",
        "why": "Known for Heartbleed (2014). pellucid has none.",
    },
}

_VERSIONS = {
    0x0300: ("1996", "Broken: POODLE (2014). Forbidden by RFC 7568."),
    0x0301: ("RFC 2246 (1999)", "Old: MD5 and SHA-1, and CBC as it should not be. Deprecated by RFC 8996."),
    0x0302: ("RFC 4346 (2006)", "Old, like 1.0, with one fault less. Deprecated by RFC 8996."),
    0x0303: (
        "RFC 5246 (2008)",
        "Good with ECDHE, an AEAD and the extended master secret. Frozen by RFC 9851.",
    ),
    0x0304: ("RFC 8446 (2018), RFC 9846", "One round trip, nothing weak left in it, certificates encrypted."),
}


@cache
def _table(name: str) -> dict[str, dict[str, Any]]:
    """One of the TOML files of this folder."""
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def _entry(word: str, kind: str, code: int | None, words: dict[str, Any]) -> Entry:
    known = {name: words[name] for name in ("what", "since", "why", "todo") if name in words}
    return Entry(word, kind, code, **known, see=tuple(words.get("see", ())))


def _written(kind: str, registry: type[c.CodePoint], words: dict[str, dict[str, Any]]) -> Iterator[Entry]:
    """A registry whose words are written down; a value without words has its registry's name at least."""
    for member in registry:
        nothing = {"what": f"A {kind} of the registry of which nobody here has more to say."}
        yield _entry(member.name, kind, int(member), words.get(member.name, nothing))


def _values() -> Iterator[Entry]:
    """The values of small fields."""
    words = _table("values")
    for kind, registry in VALUES.items():
        yield from _written(kind, registry, words[kind])


def _in_certificates() -> Iterator[Entry]:
    """The extensions of certificates, with the words of the byte view."""
    why = "It stands in certificates, under their signature. Who does not know a critical one must refuse."
    found: dict[str, Entry] = {}
    for dotted, (since, about) in x509.ABOUT.items():
        name = oids.NAMES[dotted]
        what = f"An extension of certificates ({dotted}). {about}"
        found.setdefault(name, Entry(name, "certificate extension", None, what, since, why))
    yield from found.values()


def _identifier(dotted: str) -> list[Entry]:
    """An object identifier that has a name, and no more."""
    name = oids.name_of(dotted)
    what = f"The object identifier {dotted} has this name where it stands in certificates."
    return [Entry(name, "object identifier", None, what)] if name else []


def _groups() -> Iterator[Entry]:
    for entry in _written("group", c.NamedGroup, _table("groups")):
        yield entry if entry.code in GROUPS else replace(entry, todo="pellucid does not speak it.")


def _terms() -> Iterator[Entry]:
    for word, words in _table("terms").items():
        yield _entry(word, "term", None, words)


def _versions() -> Iterator[Entry]:
    for member in c.ProtocolVersion:
        since, why = _VERSIONS[int(member)]
        *name, major, minor = member.name.split("_")
        word = f"{name[0]} {major}.{minor}"
        todo = "" if member >= c.ProtocolVersion.TLS_1_2 else "Update whatever still speaks it."
        yield Entry(word, "version", int(member), f"A version of {name[0]}.", since, why, todo)


def _suites() -> Iterator[Entry]:
    """A suite's name says what it is made of; here it is said in words."""
    museum = legacy_suites()
    for member in c.CipherSuite:
        name = member.name
        if name.endswith("_SCSV"):
            yield Entry(name, "cipher suite", int(member), *_SIGNALS[name])
            continue
        exchange, _, protection = name.removeprefix("TLS_").rpartition("_WITH_")
        cipher, _, hash_name = protection.rpartition("_")
        if exchange and hash_name in ("8", "CCM"):  # ..._CCM and ..._CCM_8 leave out their hash, SHA-256
            cipher, hash_name = protection, "SHA256"
        how = f"{exchange.replace('_', ' with ', 1)} agrees on the keys" if exchange else "TLS 1.3"
        sealing = cipher.replace("_", "-")
        if "_CBC" in cipher or "RC4" in cipher:
            what = f"{how}; {sealing} with HMAC-{hash_name} protects the records."
        else:
            what = f"{how}; {sealing} protects the records; {hash_name} derives the keys."
        since = "RFC 8446 appendix B.4" if not exchange else "a suite of TLS 1.2"
        if member in museum:
            why, todo = _faults(name), "In the museum: --policy museum, for those who must."
        elif member in SUITES and "CCM_8" not in name and "TLS_PSK" not in name:
            why, todo = "Safe; pellucid speaks it.", ""
        elif member in SUITES:
            why, todo = _faults(name), "pellucid speaks it if a policy names it."
        else:
            why, todo = _faults(name), "pellucid does not speak it."
        yield Entry(name, "cipher suite", int(member), what, since, why, todo)


_SIGNALS = {
    "TLS_EMPTY_RENEGOTIATION_INFO_SCSV": (
        "No suite but a signal: the client knows secure renegotiation.",
        "RFC 5746 section 3.3",
        "It stands for the extension renegotiation_info, for servers that fail on extensions.",
    ),
    "TLS_FALLBACK_SCSV": (
        "No suite but a signal: the client is trying again with an older version than it could speak.",
        "RFC 7507 (2015)",
        "A server that could do better refuses, so that nobody can force the old version (POODLE).",
    ),
}


def _faults(name: str) -> str:
    """What a suite gives up, from its name."""
    faults = {
        "_NULL": "It encrypts nothing.",
        "RC4": "RC4 leaks plaintext (RFC 7465).",
        "3DES": "Its blocks of 64 bits collide after some gigabytes (Sweet32).",
        "TLS_RSA_": "No forward secrecy (static RSA).",
        "TLS_PSK_": "No forward secrecy (a pre-shared key alone).",
        "TLS_DHE_": "Finite-field Diffie-Hellman: deprecated by RFC 10015.",
        "CBC": "CBC with a MAC before encryption: padding oracles.",
        "CCM_8": "A tag of 8 bytes: too short for the open Internet.",
    }
    return " ".join(said for part, said in faults.items() if part in name) or "Rarely used."


def _schemes() -> Iterator[Entry]:
    for member in c.SignatureScheme:
        name = member.name
        weak = "sha1" in name or "md5" in name or "sha224" in name or "dsa_sha1" in name
        kind = (
            "RSA with PSS padding" if "pss" in name
            else "RSA with PKCS#1 v1.5 padding" if "rsa" in name
            else "ML-DSA, which resists quantum computers" if "mldsa" in name
            else "an Edwards curve" if name.startswith("ed")
            else "DSA" if name.startswith("dsa")
            else "ECDSA"
        )  # fmt: skip
        why = "Weak: its hash can be made to collide." if weak else "Sound."
        if "pkcs1" in name and not weak:
            why = "Sound, and old: in TLS 1.3 for certificates only."
        todo = "" if member in SCHEMES and not weak else "pellucid does not accept it."
        since = "an Internet-Draft; FIPS 204 (2024)" if "mldsa" in name else "RFC 8446 section 4.2.3"
        what = f"A signature scheme: {kind}."
        yield Entry(name, "signature scheme", int(member), what, since, why, todo)


def _alerts() -> Iterator[Entry]:
    for member in c.Alert:
        said = [reason for reason in Reason if reason.alert is member]
        why, todo = ALERTS.get(
            member, (said[0].sentence if said else "Reserved, or of a feature of old.", "")
        )
        what = "The end of the connection, in good order." if member == c.Alert.close_notify else (
            "An alert: who sends it says what it found wrong, and ends the connection."
        )  # fmt: skip
        since = "RFC 9849" if member == c.Alert.ech_required else "RFC 8446 section 6, RFC 5246 section 7.2"
        see = tuple(reason.label for reason in said[:6])
        yield Entry(member.name, "alert", int(member), what, since, why, todo, see)


def _refusals() -> Iterator[Entry]:
    for reason in Reason:
        browser = f" A browser says {BROWSER[reason]}." if reason in BROWSER else ""
        alert = f"The peer is told by the alert {reason.alert.name}." if reason.alert is not None else ""
        what = f"A refusal of pellucid's: {reason.sentence}"
        since = "" if reason.section == "-" else reason.section
        yield Entry(reason.label, "refusal", None, what, since, (alert + browser).strip(), reason.way_out)


def _foreign() -> Iterator[Entry]:
    by_label = {reason.label: reason for reason in Reason}
    for word, words in _table("foreign").items():
        reasons = [by_label[label] for label in words.get("reasons", ())]
        why, todo = words.get("why", ""), words.get("todo", "")
        see = list(words.get("reasons", ()))
        if reasons:
            why = why or reasons[0].sentence
            todo = todo or next((reason.way_out for reason in reasons if reason.way_out), "")
        if "alert" in words:
            meaning = ALERTS[c.Alert[words["alert"]]]
            why, todo = why or meaning[0], todo or meaning[1]
            see.append(words["alert"])
        yield Entry(word, "error", None, words["what"], f"said by {words['from']}", why, todo, tuple(see))


def _grease(number: int) -> list[Entry]:
    if not (0 <= number <= 0xFFFF and c.is_grease(number)):
        return []
    term = next(entry for entry in _terms() if entry.word == "grease")
    return [Entry(f"GREASE(0x{number:04x})", "term", number, term.what, term.since, term.why)]


def _number(text: str) -> int | None:
    """A number as people write it: 51, 0x0033, {0x13,0x01}, 13 01 in hex behind 0x."""
    compact = text.strip().strip("{}()").replace(" ", "")
    if compact.lower().startswith("0x"):
        digits = compact.lower().replace("0x", "").replace(",", "")
        return int(digits, 16) if digits and set(digits) <= set("0123456789abcdef") else None
    return int(compact) if compact.isdecimal() and compact.isascii() else None


def _folded(text: str) -> str:
    """A name without what people write differently: case, spaces, hyphens, underscores, dots."""
    return "".join(char for char in text.lower() if char.isalnum())
