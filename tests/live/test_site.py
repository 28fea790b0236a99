"""The live page's server: who may look, who may do something, and what it tells. Over real sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from pellucid.live import site as module
from pellucid.live.choices import Choices
from pellucid.live.line import Line
from pellucid.live.scenes import KEPT
from pellucid.live.site import Site, WebServer


class Served:
    """A live page in a thread, and requests to it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.web = WebServer(site)
        self.path = urlsplit(self.web.url).path
        ready = threading.Event()
        self.thread = threading.Thread(target=self.web.run, args=(ready.set,), daemon=True)
        self.thread.start()
        assert ready.wait(60)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=60)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            given = {"Content-Type": "application/json"} | given
        text = body if isinstance(body, str | bytes | None) else json.dumps(body)
        connection.request(method, path, text, given)
        return connection.getresponse()

    def get(self, name: str, **headers: str) -> http.client.HTTPResponse:
        return self.ask("GET", self.path + name, **headers)

    def post(self, name: str, body: Any, **headers: str) -> http.client.HTTPResponse:
        return self.ask("POST", self.path + name, body, **headers)

    def events(self) -> Iterator[tuple[str, Any]]:
        name = ""
        for line in self.get("events"):
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text.removeprefix("event: ")
            elif text.startswith("data: "):
                yield name, json.loads(text.removeprefix("data: "))

    def until(self, number: int, *states: str) -> Any:
        for name, scene in self.events():
            if name == "scene" and scene["number"] == number and scene["state"] in states:
                return scene
        return pytest.fail("the events ended")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    page = Served(Site())
    yield page
    page.web.stop()
    page.thread.join(60)
    assert not page.thread.is_alive()


FAST = {"version": "1.3", "pace": "at once"}


def test_the_page_and_its_files(served: Served) -> None:
    for name, kind in (("", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript")):
        answer = served.get(name)
        assert answer.status == 200
        assert answer.headers.get_content_type() == kind
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "'unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers
    assert b"<script>" not in served.get("").read()  # its policy allows no script in the page


@pytest.mark.parametrize("path", ["/", "/events", "/run", "/x/", "/wrong-token/", "//", "/%00/"])
def test_without_the_token_there_is_nothing(served: Served, path: str) -> None:
    for method, body in (("GET", None), ("POST", FAST)):
        answer = served.ask(method, path, body)
        assert answer.status == 404
        assert b"Nothing here" in answer.read()


def test_part_of_the_token_is_not_enough(served: Served) -> None:
    assert served.ask("GET", served.path[:-2] + "/").status == 404
    assert served.ask("GET", served.path[:-1] + "x/").status == 404
    assert len(served.path) > 20


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "a b", "[::1"]
)
def test_another_name_is_refused(served: Served, host: str) -> None:
    """DNS rebinding: the name of the enemy's site, pointed at 127.0.0.1."""
    assert served.get("", Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:9", "192.0.2.7"])
def test_our_names_are_ours(served: Served, host: str) -> None:
    assert served.get("", Host=host).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_another_site_can_do_nothing(served: Served, headers: dict[str, str], status: int) -> None:
    before = len(served.site.scenes)
    assert served.post("run", FAST, **headers).status == status
    assert len(served.site.scenes) == before


def test_nobody_else_is_asked_in(served: Served) -> None:
    answer = served.ask("OPTIONS", served.path + "run", None, Origin="http://evil.example")
    assert answer.status in (403, 405, 415)
    assert "access-control-allow-origin" not in answer.headers


def test_an_experiment_from_its_first_message_to_its_last(served: Served) -> None:
    number = json.load(served.post("run", FAST))["number"]
    scene = served.until(number, "complete", "failed")
    assert scene["state"] == "complete"
    document = scene["document"]
    assert [step["number"] for step in document["steps"]["steps"]] == [1, 2, 4, 5, 6, 3, 8, 7, 9]
    assert set(document) >= {"ladder", "bytes", "keys", "reasons", "trust", "steps", "wire"}


def test_no_key_leaves_the_server_whole(served: Served) -> None:
    number = json.load(served.post("run", FAST | {"version": "static-rsa", "certificate": "rsa-2048"}))[
        "number"
    ]
    scene = json.dumps(served.until(number, "complete")["document"])
    trace = served.site.scenes[number].client
    assert trace is not None
    secrets = [fact.fields["value"].reveal().hex() for fact in trace.of("secret")]
    assert len(secrets) >= 3
    assert not [secret for secret in secrets if secret in scene]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"version": "1.1"}, "there is no version"),
        ({"fault": "none", "more": "x"}, "no experiment"),
        ("{not json", "no JSON"),
        ("[" * 5000, "no JSON"),
        ({"host": "http://[broken"}, "no host"),
    ],
)
def test_what_makes_no_sense_is_refused(served: Served, body: Any, said: str) -> None:
    answer = served.post("run", body)
    assert answer.status == 400
    assert said in json.load(answer)["error"]


def test_by_hand(served: Served) -> None:
    number = json.load(served.post("run", FAST | {"pace": "by hand"}))["number"]
    numbers = []
    for name, scene in served.events():
        if name != "scene" or scene["number"] != number:
            continue
        if scene["state"] != "running":
            break
        waiting = scene["waiting"]
        if waiting is not None and waiting["number"] not in numbers:
            numbers.append(waiting["number"])
            assert served.post("step", {"number": number}).status == 200
    assert scene["state"] == "complete"
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 8
    for button in ("step", "release", "stop"):
        assert served.post(button, {"number": number}).status == 404  # it is over
        assert served.post(button, "nonsense").status == 404
        assert served.post(button, []).status == 404


def test_what_is_stopped_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though both ends may see that their line is cut before the scene is over."""

    async def late(line: Line) -> None:
        await close(line)
        await asyncio.sleep(0.05)

    async def main() -> str:
        site = Site()
        site.start()
        scene = site.run(Choices.of(FAST | {"pace": "by hand"}))
        experiment, task = site._under_way[scene.number]
        while experiment.line.waiting is None:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert next(experiment.client.of("error"), None) is not None
        return scene.state

    close = Line.close
    monkeypatch.setattr(Line, "close", late)
    assert asyncio.run(main()) == "stopped"


def test_too_much_at_once_is_refused(served: Served) -> None:
    body = FAST | {"pace": "by hand"}
    numbers = [json.load(served.post("run", body))["number"] for _ in range(module.MOST_RUNNING)]
    assert served.post("run", body).status == 429
    for number in numbers:
        assert served.post("stop", {"number": number}).status == 200
    for number in numbers:
        assert served.until(number, "stopped")
    assert served.post("run", FAST).status == 200


def test_the_oldest_scene_is_forgotten() -> None:
    page = Served(Site(experiments=False))
    try:
        for _ in range(KEPT + 3):
            page.site.scenes.begin("one more")
        assert len(page.site.scenes) == KEPT
        assert page.post("run", FAST).status == 403
        name, form = next(page.events())
        assert (name, form) == ("form", None)
    finally:
        page.web.stop()
        page.thread.join(60)


def test_who_leaves_is_forgotten(served: Served) -> None:
    stream = served.get("events")
    assert stream.readline() == b"event: form\n"
    stream.close()
    deadline = time.monotonic() + 60
    while served.site.scenes._watchers and time.monotonic() < deadline:
        served.site.scenes.tell(served.site.scenes.begin("news"))  # to somebody who is not there any more
        time.sleep(0.05)
    assert not served.site.scenes._watchers
