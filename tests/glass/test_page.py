"""The page and the SVG of every kind of connection: whole, without secrets, safe whatever strangers say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from glass.handshakes import KINDS, Seen, seen
from pellucid import ClientConnection, ServerConnection
from pellucid.cli import www
from pellucid.glass import page, svg
from pellucid.glass.trace import Trace
from pellucid.glass.views import VIEWS
from pellucid.lab import converse
from pellucid.secret import Secret
from support import House

HOSTILE = "</script ></title></pre><img src=x onerror=run()><!-- <script>&{title}{tail}\x00\x1b\u2028'\""


class Reader(HTMLParser):
    """The scripts of a page, and every tag and attribute in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.tags.append("/" + tag)
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


def documents(text: str) -> Any:
    return json.loads(Reader(text).scripts[0])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_page_and_its_picture(house: House, kind: str) -> None:
    found = seen(house, kind)
    for client, server in ((found.client, found.server), (found.client, None), (None, found.server)):
        text = page.of_traces(client, server, key=found.key)
        (document,) = documents(text)
        assert set(VIEWS) <= set(document)
        first = client or server
        assert first is not None
        picture = ElementTree.fromstring(svg.draw(first, server if client else None))
        drawn = "".join(picture.itertext())
        for item in document["ladder"]["items"]:
            assert item.get("name", "") in drawn


def secrets_of(found: Seen) -> set[str]:
    traces = (found.client, found.server)
    facts = [fact for trace in traces for fact in trace.of("secret", "keys")]
    values = [fact.fields.get(name) for fact in facts for name in ("value", "key")]
    return {value.reveal().hex() for value in values if isinstance(value, Secret) and any(value.reveal())}


@pytest.mark.parametrize("kind", ["static RSA", "ECDHE 1.2", "1.3", "0-RTT", "PSK 1.3"])
def test_keys_are_whole_only_for_those_who_ask(house: House, kind: str) -> None:
    found = seen(house, kind)
    secrets = secrets_of(found)
    assert len(secrets) >= 3
    without = page.of_traces(found.client, found.server, key=found.key) + svg.draw(found.client, found.server)
    assert not [secret for secret in secrets if secret in without]
    whole = page.of_traces(found.client, found.server, secrets=True)
    assert [secret for secret in secrets if secret in whole]


def test_what_strangers_say_stays_data() -> None:
    text = page.page([{"title": HOSTILE, "ladder": HOSTILE}], title=HOSTILE, text=HOSTILE)
    plain = page.page([{"title": "x", "ladder": "x"}], title="x", text="x")
    assert Reader(text).tags == Reader(plain).tags  # nothing that was said became an element
    assert documents(text)[0]["title"] == HOSTILE
    assert len(Reader(text).scripts) == 2
    assert not [name for name, _ in Reader(text).attributes if name.startswith("on")]


def test_the_picture_is_xml_whatever_is_said() -> None:
    trace = Trace()
    note = trace.open("client", HOSTILE)
    note("error", reason=HOSTILE, detail=HOSTILE, local=True)
    picture = ElementTree.fromstring(svg.draw(trace, title=HOSTILE))
    assert [tag for tag in picture.iter() if tag.tag.endswith("script")] == []
    assert "<img src=x" in "".join(picture.itertext())


def test_the_page_runs_its_own_scripts_and_loads_nothing() -> None:
    text = page.page([])
    policy = dict(Reader(text).attributes)["content"]
    found = [
        value
        for name, value in Reader(text).attributes
        if name == "content" and "default-src" in (value or "")
    ]
    assert len(found) == 1
    policy = found[0] or ""
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert len(re.findall("'sha256-", policy)) == 2
    addresses = [value for name, value in Reader(text).attributes if name in ("src", "href")]
    assert all((value or "").startswith(("#", "data:")) for value in addresses)


def test_a_page_of_much_data_stays_small(house: House) -> None:
    client, server = Trace(), Trace()
    talk = converse(
        ClientConnection(house.client(observer=client), "localhost"),
        ServerConnection(house.servers(observer=server)),
    )
    for _ in range(160):
        talk.server.send_data(b"x" * 65_536)
        talk.go_on()
    text = page.of_traces(client, server)
    assert len(text) < 1_500_000
    (document,) = documents(text)
    data = next(one for one in document["bytes"]["messages"] if one["kind"] == "data")
    assert data["raw"]["hex"] == "78" * 1024


def test_a_page_needs_a_trace() -> None:
    with pytest.raises(ValueError, match="needs a trace"):
        page.of_traces()


class Sent:
    """A connection that brings a request in pieces and keeps the answer."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.answer = b""

    def recv(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def sendall(self, data: bytes) -> None:
        self.answer += data


@pytest.mark.parametrize(
    ("pieces", "status", "kind", "said"),
    [
        ((b"GET / HTTP/1.1\r\nAccept: text/html\r\n\r\n",), "200", "text/html", b"ClientHello"),
        ((b"GET /?x HT", b"TP/1.1\r", b"\n\r", b"\n"), "200", "text/html", b"ClientHello"),
        ((b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",), "200", "text/plain", b"CLIENT HELLO"),
        ((b"HEAD / HTTP/1.1\r\n\r\n",), "200", "text/html", b""),
        ((b"GET /favicon.ico HTTP/1.1\r\n\r\n",), "404", "text/plain", b"one page"),
        ((b"POST / HTTP/1.1\r\n\r\n",), "405", "text/plain", b"Only GET"),
    ],
)
def test_the_status_page_answers(
    house: House, pieces: tuple[bytes, ...], status: str, kind: str, said: bytes
) -> None:
    sent: Any = Sent(*pieces)
    www.answer(sent, seen(house, "1.3").server)
    head, _, body = sent.answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"Content-Type: {kind};".encode() in head
    assert said in body
    assert body or b"HEAD" in pieces[0]


@pytest.mark.parametrize(
    "pieces", [(), (b"GET / HTTP/1.1\r\n",), (b"GET / HTTP/1.1\r\nA: ", b"a" * 20_000, b"\r\n\r\n")]
)
def test_no_answer_to_what_is_no_request(house: House, pieces: tuple[bytes, ...]) -> None:
    sent: Any = Sent(*pieces)
    www.answer(sent, seen(house, "1.3").server)
    assert sent.answer == b""
