"""The trace itself: what is noted comes back from paper, and secrets do not get there unasked."""

from __future__ import annotations

import io
import json

import pytest

from pellucid import ClientConnection, Reason, ServerConnection, UsageError
from pellucid.glass.story import tell
from pellucid.glass.telling import KINDS
from pellucid.glass.trace import HEAD, KEEP, Fact, Hidden, Trace
from pellucid.legacy import museum_policy
from pellucid.secret import Secret
from support import TLS12, TLS13, House, pump

SAID = b"what nobody else should read"
POLICIES = {"1.3": TLS13, "1.2": TLS12, "museum": museum_policy()}
PUBLIC = ("sign", "seal", "RSA encryption", "now")


def traces(house: House, version: str) -> tuple[Trace, Trace]:
    """A connection with data both ways and its proper end; the client's trace and the server's."""
    ours, theirs = Trace(), Trace()
    policy = POLICIES[version]
    client = ClientConnection(house.client(policy, observer=ours), "localhost")
    server = ServerConnection(house.servers(policy, "rsa-2048", observer=theirs))
    pump(client, server)
    client.send_data(SAID)
    server.send_data(SAID[::-1])
    pump(client, server)
    client.close()
    server.close()
    pump(client, server)
    return ours, theirs


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


@pytest.mark.parametrize("version", list(POLICIES))
def test_with_its_secrets_a_trace_comes_back_whole(house: House, version: str) -> None:
    for trace in traces(house, version):
        back = Trace.read(io.StringIO(written(trace, secrets=True)))
        assert (back.role, back.name, back.started) == (trace.role, trace.name, trace.started)
        assert [fact.kind for fact in back.facts] == [fact.kind for fact in trace.facts]
        for ours, theirs in zip(trace.facts, back.facts, strict=True):
            assert theirs.at == pytest.approx(ours.at, abs=1e-6)
            assert plain(theirs.fields) == plain(ours.fields)
        # What was written once is written the same again.
        assert written(back, secrets=True) == written(trace, secrets=True)


@pytest.mark.parametrize("version", list(POLICIES))
def test_without_asking_no_secret_is_written(house: House, version: str) -> None:
    """No key, no secret, no application data in the clear: their lengths only."""
    for trace in traces(house, version):
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
        for said in (SAID, SAID[::-1]):
            assert said.hex() not in text
            assert said.decode() not in text
        back = Trace.read(io.StringIO(text))
        data = [fact for fact in back.of("record") if fact.content_type == 23]
        assert {fact.plaintext for fact in data} == {Hidden(len(SAID))}
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
    for version in POLICIES:
        for trace in traces(house, version):
            head, *lines = (json.loads(line) for line in trace.lines())
            assert (head["pellucid"], head["schema"], head["secrets"]) == ("trace", 1, False)
            for line in lines:
                assert set(line) <= {"at", "kind", *KINDS[line["kind"]].split()}, line
            assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


def test_several_traces_in_one_file(house: House) -> None:
    """As `serve --record` writes them: one behind the other."""
    ours, theirs = traces(house, "1.3")
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
    trace, _ = traces(house, "1.3")
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
