"""The trace: what is noted comes back from paper, within its schema and bounds, and without its secrets."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from glass.handshakes import KINDS, QUESTION, REPLY, seen
from pellucid import ClientConnection, Reason, ServerConnection, UsageError
from pellucid.glass import page as pages
from pellucid.glass import svg, terminal
from pellucid.glass.ladder import draw, text_of
from pellucid.glass.story import tell
from pellucid.glass.telling import KINDS as FACTS
from pellucid.glass.trace import HEAD, HEADS, KEEP, Fact, Hidden, Trace
from pellucid.glass.views import VIEWS, to_json
from pellucid.replaying import why_not
from pellucid.secret import Secret
from support import House, pump

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "trace.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_fits_the_schema(house: House, kind: str) -> None:
    validator = Draft202012Validator(SCHEMA)
    found = seen(house, kind)
    for trace in (found.client, found.server):
        for secrets in (False, True):
            for line in trace.lines(secrets=secrets):
                told = json.loads(line)
                assert validator.is_valid(told), (
                    line[:300],
                    [e.message for e in validator.iter_errors(told)][:3],
                )


def test_the_schema_refuses_what_is_none() -> None:
    validator = Draft202012Validator(SCHEMA)
    for line in (
        {},
        {"at": 0, "kind": "rumour"},
        {"at": 0, "kind": "ccs"},
        {"pellucid": "trace", "schema": 2},
    ):
        assert not validator.is_valid(line)


def test_schema_and_documentation_name_every_kind() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    told = {one["title"]: set(one["properties"]) - {"at", "kind"} for one in SCHEMA["oneOf"][1:]}
    assert told == {kind: set(names.split()) for kind, names in FACTS.items()}
    page = (DOCS / "trace.md").read_text(encoding="utf-8")
    assert all(f"`{kind}`" in page for kind in FACTS)


def secrets_of(trace: Trace) -> set[bytes]:
    """Everything in a trace that must not be seen: 12 bytes and more of it."""
    found: set[bytes] = set()

    def gather(value: Any) -> None:
        if isinstance(value, Secret):
            found.add(value.reveal())
        elif isinstance(value, dict):
            for item in value.values():
                gather(item)
        elif isinstance(value, list | tuple):
            for item in value:
                gather(item)

    for fact in trace.of("secret", "keys", "drawn"):
        what = str(fact.fields.get("what", ""))
        if what.endswith("encapsulation"):  # the secret, then the ciphertext, which is public
            found.add(bytes(memoryview(fact.fields["value"]))[:32])
        elif what != "open":  # a whole session: much of it is public
            gather(fact.fields)
    public = b"".join(bytes(fact.fields["wire"]) for fact in trace.of("record"))
    public += b"".join(bytes(fact.fields["raw"]) for fact in trace.of("message"))
    plain = {bytes(len(one)) for one in found}  # a PSK of zeros, where there is none
    return {one for one in found - plain if len(one) >= 12 and one not in public}


def outputs(house: House, kind: str) -> list[tuple[str, str]]:
    """All that can be shown or written of a connection, without asking for secrets."""
    found = seen(house, kind)
    told = []
    told.append(("page", pages.page([pages.document(found.client, found.server, key=found.key)])))
    for trace, other in ((found.client, found.server), (found.server, found.client)):
        told.append(("trace", "\n".join(trace.lines())))
        story = tell(found.client, found.server)
        told.append(("story", text_of(draw(story)) + json.dumps(list(story.objects()))))
        told.append(("svg", svg.draw(trace, other)))
        for name, view in VIEWS.items():
            tree = view.build(trace, other, found.key)
            told.append((name, text_of(terminal.draw(name, tree)) + json.dumps(to_json(tree))))
    return told


@pytest.mark.parametrize("kind", KINDS)
def test_no_output_shows_a_secret(house: House, kind: str) -> None:
    found = seen(house, kind)
    secrets = secrets_of(found.client) | secrets_of(found.server)
    assert len(secrets) > 3 or kind.startswith("failed")
    heads = {one[:8] for one in secrets} | {one[-8:] for one in secrets}
    for name, text in outputs(house, kind):
        squeezed = text.lower().replace(" ", "").replace("\n", "")
        for head in heads:
            assert head.hex() not in squeezed, f"{name} shows a secret"


def test_the_search_for_secrets_finds_one(house: House) -> None:
    """The test above can fail: with secrets asked for, they are all there."""
    found = seen(house, "1.3")
    text = "\n".join(found.client.lines(secrets=True))
    assert all(one.hex() in text for one in secrets_of(found.client))


def test_ten_megabytes_stay_bounded(house: House) -> None:
    client, server = Trace(), Trace()
    pair = (
        ClientConnection(house.client(observer=client), "localhost"),
        ServerConnection(house.servers(observer=server)),
    )
    pump(*pair)
    chunk = bytes(range(256)) * 256
    tracemalloc.start()
    for _ in range(160):
        pair[0].send_data(chunk)
        pump(*pair)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4 * KEEP + 2 * 1024 * 1024
    for trace in (client, server):
        assert trace.dropped > 9_000_000
        assert trace.omitted > 300
        assert sum(fact.fields.get("size") is not None for fact in trace.of("record")) == HEADS
        file = io.StringIO()
        trace.write(file)
        assert file.tell() < 8 * KEEP
        file.seek(0)
        again = Trace.read(file)
        assert (again.dropped, again.omitted) == (trace.dropped, trace.omitted)
        assert "not kept" in why_not(again)
        for view in VIEWS.values():
            view.build(trace)


#: Kinds of handshakes that are written down and read back, each with data both ways.
WRITTEN = ("1.3", "ECDHE 1.2", "static RSA", "resumed 1.3", "client certificate 1.2")
PUBLIC = ("sign", "seal", "RSA encryption", "now")


def both(house: House, kind: str) -> tuple[Trace, Trace]:
    """The client's trace and the server's."""
    return seen(house, kind).client, seen(house, kind).server


def written(trace: Trace, *, secrets: bool) -> str:
    file = io.StringIO()
    trace.write(file, secrets=secrets)
    return file.getvalue()


def plain(value: object) -> object:
    """A value as it is after a journey through JSON: tuples for lists, bytes for what is like bytes."""
    if isinstance(value, Secret):
        return ("secret", value.reveal())
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(plain(each) for each in value)
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return value


@pytest.mark.parametrize("kind", WRITTEN)
def test_with_its_secrets_a_trace_comes_back_whole(house: House, kind: str) -> None:
    for trace in both(house, kind):
        back = Trace.read(io.StringIO(written(trace, secrets=True)))
        assert (back.role, back.name, back.started) == (trace.role, trace.name, trace.started)
        assert [fact.kind for fact in back.facts] == [fact.kind for fact in trace.facts]
        for ours, theirs in zip(trace.facts, back.facts, strict=True):
            assert theirs.at == pytest.approx(ours.at, abs=1e-6)
            assert plain(theirs.fields) == plain(ours.fields)
        # What was written once is written the same again.
        assert written(back, secrets=True) == written(trace, secrets=True)


@pytest.mark.parametrize("kind", WRITTEN)
def test_without_asking_no_secret_is_written(house: House, kind: str) -> None:
    """No key, no secret, no application data in the clear: their lengths only."""
    for trace in both(house, kind):
        text = written(trace, secrets=False)
        secrets = [
            value
            for fact in trace.of("secret", "keys")
            for value in (*fact.fields.values(), *dict(fact.fields.get("inputs") or {}).values())
            if isinstance(value, Secret)
        ]
        assert secrets
        for secret in secrets:
            assert secret.reveal().hex() not in text
        for said in (QUESTION, REPLY):
            assert said.hex() not in text
            assert said.decode() not in text
        back = Trace.read(io.StringIO(text))
        data = [fact for fact in back.of("record") if fact.content_type == 23]
        assert {fact.plaintext for fact in data} == {Hidden(len(QUESTION)), Hidden(len(REPLY))}
        assert isinstance(next(back.of("keys")).key, Hidden)
        # What was drawn makes keys; what was made of it may be public: signatures, sealed tickets.
        for fact in back.of("drawn"):
            assert isinstance(fact.value, Hidden) or fact.what in PUBLIC, fact.what
        # And what is left is enough to tell it, with the same steps.
        assert steps(back) == steps(trace)


def steps(trace: Trace) -> list[int]:
    """The numbers of the steps that a trace tells."""
    story = tell(client=trace) if trace.role == "client" else tell(server=trace)
    return [step.number for step in story.steps]


def test_each_line_is_a_fact_of_a_known_kind(house: House) -> None:
    for kind in WRITTEN:
        for trace in both(house, kind):
            head, *lines = (json.loads(line) for line in trace.lines())
            assert (head["pellucid"], head["schema"], head["secrets"]) == ("trace", 1, False)
            for line in lines:
                assert set(line) <= {"at", "kind", *FACTS[line["kind"]].split()}, line
            assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


def test_several_traces_in_one_file(house: House) -> None:
    """As `serve --record` writes them: one behind the other."""
    ours, theirs = both(house, "1.3")
    text = written(ours, secrets=False) + written(theirs, secrets=False)
    back = Trace.read_all(io.StringIO(text))
    assert [(trace.role, len(trace.facts)) for trace in back] == [
        ("client", len(ours.facts)),
        ("server", len(theirs.facts)),
    ]
    assert Trace.read(io.StringIO(text)).role == "client"


def test_much_data_is_kept_in_part() -> None:
    """At the limit everything is whole; behind it the head of each record, and the trace says so."""
    trace = Trace()
    note = trace.open("client")
    piece = 16_384
    for _ in range(KEEP // piece + 2):
        note("record", sent=True, epoch=3, content_type=23, wire=bytes(piece), plaintext=bytes(piece - 22))
    sizes = [len(fact.wire) for fact in trace.of("record")]
    assert sizes == [piece] * (KEEP // piece) + [HEAD] * 2
    assert trace.dropped == 2 * (piece - HEAD)
    assert [fact.fields.get("size") for fact in trace.of("record")][-2:] == [piece, piece]
    assert Trace.read(io.StringIO(written(trace, secrets=True))).dropped == trace.dropped
    # Handshake records are kept, however many they are.
    note("record", sent=True, epoch=2, content_type=22, wire=bytes(piece), plaintext=bytes(piece))
    assert len(trace.facts[-1].wire) == piece


def test_reasons_come_back_by_name() -> None:
    trace = Trace()
    trace.open("server")
    trace.note("error", reason=Reason.BAD_FINISHED, detail="it differs", local=True, alert=51)
    (fact,) = Trace.read(io.StringIO(written(trace, secrets=False))).of("error")
    assert fact.reason is Reason.BAD_FINISHED
    later = written(trace, secrets=False).replace("bad-finished", "a-reason-of-the-future")
    assert next(Trace.read(io.StringIO(later)).of("error")).reason == "a-reason-of-the-future"


def test_a_reader_of_today_reads_what_comes_tomorrow(house: House) -> None:
    """Kinds and fields that it does not know are kept, and told around."""
    trace, _ = both(house, "1.3")
    text = written(trace, secrets=False)
    text += '{"at": 9.0, "kind": "quantum", "spin": [1, {"hex": "00ff"}], "deep": {"map": {"a": null}}}\n'
    back = Trace.read(io.StringIO(text))
    assert back.facts[-1] == Fact(9.0, "quantum", {"spin": (1, b"\x00\xff"), "deep": {"a": None}})
    assert [step.number for step in tell(client=back).steps] == [1, 2, 4, 5, 6, 3, 8, 7, 9]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON\n",
        "[]\n",
        '{"pellucid": "trace"}\n',
        '{"pellucid": "trace", "schema": 2, "role": "client", "name": null, "started": 0}\n',
        '{"pellucid": "cake", "schema": 1, "role": "client", "name": null, "started": 0}\n',
        '{"pellucid": "trace", "schema": 1, "role": "client", "name": null, "started": 0}\n{"kind": "ccs"}\n',
        '{"pellucid": "trace", "schema": 1, "role": "client", "name": null, "started": 0}\n'
        '{"at": 0, "kind": "message", "raw": {"hex": "0"}}\n',
    ],
)
def test_anything_else_is_no_trace(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Trace.read(io.StringIO(text))
    assert refused.value.reason is Reason.BAD_CONFIG


def test_a_trace_observes_one_connection(house: House) -> None:
    trace = Trace()
    config = house.client(observer=trace)
    ClientConnection(config, "localhost")
    with pytest.raises(UsageError):
        ClientConnection(config, "localhost")
