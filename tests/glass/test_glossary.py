"""The glossary: everything with a number or a name has an answer, and the answers are true to the code."""

from __future__ import annotations

import re

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.cli.app import CERT_COMMANDS, COMMANDS, app
from pellucid.errors import Reason
from pellucid.glass import glossary
from pellucid.glass.glossary import Entry, entries, look_up, suggestions
from pellucid.wire import codepoints as c
from pellucid.wire.extensions import ALLOWED_IN

REGISTRIES: dict[str, type[c.CodePoint]] = {
    "alert": c.Alert,
    "cipher suite": c.CipherSuite,
    "extension": c.ExtensionType,
    "group": c.NamedGroup,
    "handshake message": c.HandshakeType,
    "signature scheme": c.SignatureScheme,
    **glossary.VALUES,
}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_member_of_a_registry_is_found_by_name_and_by_number(kind: str) -> None:
    for member in REGISTRIES[kind]:
        for question in (member.name, member.name.replace("_", " ").upper(), str(int(member)), hex(member)):
            assert (kind, member.name) in {(entry.kind, entry.word) for entry in look_up(question)}, question


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.label)
def test_every_refusal_is_explained(reason: Reason) -> None:
    (entry,) = (entry for entry in look_up(reason.label) if entry.kind == "refusal")
    assert reason.sentence in entry.what
    assert entry.todo == reason.way_out
    printed = f"pellucid.errors.PeerMisbehaved: {reason.sentence} [{reason.label}, {reason.section}]"
    assert entry in look_up(printed)


def test_what_pellucid_speaks_has_words_of_its_own() -> None:
    """Extensions that we send or take, messages and groups: written by a person, not generated."""
    written = {
        entry.word: entry for entry in entries() if not entry.what.endswith("nobody here has more to say.")
    }
    for kind in ALLOWED_IN:
        name = c.ExtensionType.name_of(kind)
        if name not in ("use_srtp", "oid_filters"):
            assert name in written, name
    for message in ("client_hello", "certificate_verify", "key_update", "end_of_early_data"):
        assert message in written


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: f"{entry.kind}-{entry.word}")
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.what.rstrip(")").endswith((".", "!"))
    for other in entry.see:
        assert look_up(other), f"{entry.word} points at {other}, which is not here"


def flags(command: click.Command, context: click.Context) -> set[str]:
    found = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            sub = command.get_command(context, name)
            if sub is not None:
                found |= flags(sub, context)
    return found


def test_every_flag_and_command_that_is_advised_exists() -> None:
    known = flags(app, click.Context(app))
    for entry in entries():
        text = f"{entry.todo} {entry.why} {entry.what}"
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
            assert flag in known, f"{entry.word}: {flag}"
        for command in re.findall(r"pellucid (demo|connect|serve|decode|cert \w+)", text):
            first, *rest = command.split()
            assert first in COMMANDS
            assert not rest or rest[0] in CERT_COMMANDS


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("mTLS", "mutual-tls"),
        ("SNI", "server_name"),
        ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ("{0x13,0x02}", "TLS_AES_256_GCM_SHA384"),
        ("NET::ERR_CERT_DATE_INVALID", "ERR_CERT_DATE_INVALID"),
        ("curl: (60) SSL certificate problem: certificate has expired", "certificate has expired"),
        ("tls13", "TLS 1.3"),
        ("SAN", "subjectAltName"),
        ("basicConstraints", "basicConstraints"),
        ("2.5.29.17", "subjectAltName"),
        ("1.3.6.1.5.5.7.3.1", "id-kp-serverAuth"),
        ("forward secrecy", "forward-secrecy"),
        ("psk_dhe_ke", "psk_dhe_ke"),
        ("0xfafa", "GREASE(0xfafa)"),
    ],
)
def test_people_ask_in_their_own_words(question: str, word: str) -> None:
    assert look_up(question)[0].word == word


def test_a_word_that_is_not_here_has_neighbours() -> None:
    assert look_up("certificate_expird") == []
    assert "certificate-expired" in suggestions("certificate_expird")


def test_what_is_written_is_used() -> None:
    """No word in the files that no registry knows."""
    names = {
        "extensions": set(c.ExtensionType.__members__),
        "handshake": set(c.HandshakeType.__members__),
        "groups": set(c.NamedGroup.__members__),
    }
    for table, known in names.items():
        assert set(glossary._table(table)) <= known
    assert {kind: set(words) for kind, words in glossary._table("values").items()} == {
        kind: set(registry.__members__) for kind, registry in glossary.VALUES.items()
    }


@given(st.text(max_size=30))
def test_any_question_is_answered_or_not(question: str) -> None:
    look_up(question)
    suggestions(question)
