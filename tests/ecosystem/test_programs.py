"""Whole programs, as their users start them: uvicorn, hypercorn, gunicorn, Flask's CLI, http.server, pip.

They are not changed and not told; see programs.py.
"""

from __future__ import annotations

import contextlib
import http.client
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from compat.world import Contexts
from ecosystem.conftest import Sides
from ecosystem.programs import World
from ecosystem.servers import BODY, LOOPBACK, http_server
from ecosystem.test_http import CLIENTS
from interop.bench import INSTALLED

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]


class Programs:
    """Server programs that run until the module's tests are over: two pairs speak with the same one."""

    def __init__(
        self, contexts: Contexts, temporary: Callable[[], Path], stack: contextlib.ExitStack
    ) -> None:
        pem = contexts.pem("localhost")
        self.tls = ("--certfile", pem, "--keyfile", pem)
        self.folder = temporary()
        self._temporary = temporary
        self._stack = stack
        self._running: dict[tuple[str, ...], tuple[World, int]] = {}

    def speak(self, sides: Sides, client: str | Callable[[str, Any], Any], *words: str) -> None:
        """Let the client post to a program, which echoes; then see whose `ssl` the program spoke by."""
        key = (sides.kinds[1], *words)
        if key not in self._running:
            world = World(sides.kinds[1], self._temporary())
            self._running[key] = world, self._stack.enter_context(world.server(*words))
        world, port = self._running[key]
        ask = CLIENTS[client] if isinstance(client, str) else client
        assert ask(f"https://localhost:{port}/", sides.client()) == BODY
        world.check()


@pytest.fixture(scope="module")
def programs(contexts: Contexts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with contextlib.ExitStack() as stack:
        yield Programs(contexts, lambda: tmp_path_factory.mktemp("program"), stack)


@pytest.fixture
def client_world(sides: Sides, tmp_path: Path) -> World:
    return World(sides.kinds[0], tmp_path)


# -- servers -------------------------------------------------------------------------------------------


def test_uvicorn_with_two_workers_on_uvloop(sides: Sides, programs: Programs) -> None:
    pytest.importorskip("uvicorn")
    pytest.importorskip("uvloop")
    _, pem, _, key = programs.tls
    words = ["-m", "uvicorn", "ecosystem.apps:asgi", "--port", "0", "--workers", "2", "--loop", "uvloop"]
    words += ["--ssl-certfile", pem, "--ssl-keyfile", key, "--no-access-log"]
    programs.speak(sides, "urllib3", *words)


def test_hypercorn_on_trio_with_http_2(sides: Sides, programs: Programs) -> None:
    pytest.importorskip("hypercorn")
    pytest.importorskip("trio")
    pytest.importorskip("h2")
    httpx = pytest.importorskip("httpx")

    def with_http_2(url: str, context: Any) -> Any:
        with httpx.Client(verify=context, http2=True, timeout=60, trust_env=False) as client:
            answer = client.post(url, content=BODY)
            assert answer.http_version == "HTTP/2"
            return answer.content

    words = ["-m", "hypercorn", "--worker-class", "trio", "--bind", f"{LOOPBACK}:0", *programs.tls]
    programs.speak(sides, with_http_2, *words, "ecosystem.apps:asgi")


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent", "tornado", "asgi"])
def test_gunicorn(worker: str, sides: Sides, programs: Programs) -> None:
    pytest.importorskip("gunicorn")
    if worker in ("gevent", "tornado"):
        pytest.importorskip(worker)
    words = ["-m", "gunicorn", "--bind", f"{LOOPBACK}:0", "--worker-class", worker, *programs.tls]
    app = "ecosystem.apps:asgi" if worker == "asgi" else "ecosystem.apps:wsgi"
    programs.speak(sides, "requests", *words, "--no-control-socket", app)


def test_flask_run(sides: Sides, programs: Programs) -> None:
    pytest.importorskip("flask")
    _, pem, _, key = programs.tls
    words = ["-m", "flask", "--app", "ecosystem.apps", "run", "--port", "0", "--cert", pem, "--key", key]
    programs.speak(sides, "urllib", *words)


def test_http_server_of_python_3_14(sides: Sides, programs: Programs) -> None:
    def get(url: str, context: Any) -> bytes:
        context.set_alpn_protocols(["h2", "http/1.1"])
        where = urllib.parse.urlsplit(url)
        client = http.client.HTTPSConnection("localhost", where.port, context=context, timeout=60)
        with contextlib.closing(client):
            client.request("GET", "/file")
            assert client.sock.selected_alpn_protocol() == "http/1.1"
            return client.getresponse().read()

    (programs.folder / "file").write_bytes(BODY)
    words = ["-m", "ecosystem.https_server", str(programs.folder), programs.tls[1]]
    programs.speak(sides, get, *words)


# -- clients -------------------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def make_wheel(folder: Path, name: str) -> None:
    """A package with one module, as PEP 427 wants it."""
    info = f"{name}-1.0.dist-info"
    members = {
        f"{name}.py": "WORDS = 'installed over TLS'\n" + "# and padding\n" * 20_000,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*members, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in (members | {f"{info}/RECORD": record}).items():
            wheel.writestr(path, text)


def test_pip_that_installs_from_an_index(sides: Sides, client_world: World, tmp_path: Path) -> None:
    (tmp_path / "index" / "parcel").mkdir(parents=True)
    make_wheel(tmp_path / "index" / "parcel", "parcel")  # a folder's listing is a simple index (PEP 503)
    handler = partial(Quiet, directory=str(tmp_path / "index"))
    with http_server(sides.server(), handler) as port:
        words = ["-m", "pip", "--isolated", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        words += ["--no-cache-dir", "--cert", sides.contexts.ca, "--target", str(tmp_path / "target")]
        client_world.run(*words, "--index-url", f"https://localhost:{port}/", "parcel")
    assert "installed over TLS" in (tmp_path / "target" / "parcel.py").read_text()
    client_world.check()


NIQUESTS = INSTALLED / "niquests"
"""Apart from all else: it brings an `urllib3` of its own."""

ASK_BY_NIQUESTS = """
import sys, niquests, urllib3
assert "niquests" in urllib3.__file__, urllib3
body = bytes(range(256)) * 1200
with niquests.Session() as session:
    for _ in range(2):
        assert session.post(sys.argv[1], data=body, verify=sys.argv[2], timeout=60).content == body
"""


def test_niquests(sides: Sides, tmp_path: Path) -> None:
    if not (NIQUESTS / "niquests").is_dir():
        pytest.skip("niquests is not installed (tests/interop/install.sh)")
    world = World(sides.kinds[0], tmp_path, NIQUESTS)
    with http_server(sides.server()) as port:
        world.run("-c", ASK_BY_NIQUESTS, f"https://localhost:{port}/", sides.contexts.ca)
    world.check()


ASK_BY_TRUSTSTORE = """
import sys, truststore
truststore.inject_into_ssl()
import ssl, urllib3
context = ssl.create_default_context(cafile=sys.argv[2])
assert isinstance(context, truststore.SSLContext)
body = bytes(range(256)) * 1200
with urllib3.PoolManager(ssl_context=context, retries=False, timeout=60) as pool:
    assert pool.request("POST", sys.argv[1], body=body).data == body
    try:
        urllib3.PoolManager(retries=False, timeout=60).request("GET", sys.argv[1])
    except urllib3.exceptions.SSLError:
        pass
    else:
        raise SystemExit("nobody's authority is believed")
"""


def test_truststore_injected_on_top(sides: Sides, client_world: World) -> None:
    pytest.importorskip("truststore")
    with http_server(sides.server()) as port:
        client_world.run("-c", ASK_BY_TRUSTSTORE, f"https://localhost:{port}/", sides.contexts.ca)
    client_world.check()
