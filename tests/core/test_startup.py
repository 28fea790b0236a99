"""A process loads what it uses, and no more: the modules of a command, a library and a first handshake.

Times depend on the machine; which modules were loaded does not.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from pellucid import Authority

#: What a command does not need that only prints a line: told handshakes, TLS itself, primitives, colours.
HEAVY = (
    "pellucid.glass",
    "pellucid.config",
    "pellucid.connection",
    "pellucid.trust",
    "pellucid.wire",
    "cryptography",
    "rich.console",
)


def loaded(statement: str, *arguments: str) -> set[str]:
    """The modules of a fresh process after a statement."""
    program = f"import sys\n{statement}\nprint(*sys.modules, sep=chr(10), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stderr.split())


def among(heavy: tuple[str, ...], modules: set[str]) -> set[str]:
    """Those of `modules` that are one of `heavy`, or inside one."""
    return {name for name in modules if any(f"{name}.".startswith(f"{one}.") for one in heavy)}


def ran(*arguments: str) -> set[str]:
    """The modules of a command that went well."""
    return loaded("from pellucid.cli import main\nif main():\n    sys.exit('failed')", *arguments)


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_what_prints_a_line_loads_click_and_nothing_of_tls(flag: str) -> None:
    modules = ran(flag)
    assert "pellucid.cli.app" in modules
    assert not among(HEAVY, modules)


def test_a_misspelt_command_is_told_without_tls() -> None:
    modules = loaded("from pellucid.cli import main\nif main() != 2:\n    sys.exit('not refused')", "conect")
    assert not among(("pellucid.glass.trace", "pellucid.config", "pellucid.trust", "cryptography"), modules)


def test_the_library_is_loaded_name_by_name() -> None:
    assert among(("pellucid",), loaded("import pellucid")) == {"pellucid"}
    assert among(("pellucid",), loaded("import pellucid.glass")) == {"pellucid", "pellucid.glass"}
    assert not among(("cryptography",), loaded("import pellucid; pellucid.TLSError"))


def test_the_views_that_nobody_asks_for_are_not_loaded() -> None:
    views = among(
        ("pellucid.glass.views",),
        loaded(
            "from pellucid import Trace\nfrom pellucid.glass.views import VIEWS\nVIEWS['keys'].build(Trace())"
        ),
    )
    assert views == {f"pellucid.glass.views{name}" for name in ("", ".common", ".keys")}


def test_blocking_sockets_load_no_event_loop_and_no_other_tls() -> None:
    """asyncio loads `ssl`: a second OpenSSL in a process that came for another TLS."""
    modules = loaded("from pellucid import connect, serve, TLSSocket")
    assert "pellucid.io.sockets" in modules
    assert not among(("asyncio", "concurrent", "logging", "ssl", "_ssl", "pellucid.glass"), modules)


@pytest.mark.parametrize("command", ["connect", "serve", "demo"])
def test_commands_over_blocking_sockets_load_no_event_loop(command: str) -> None:
    modules = ran(command, "--help")
    assert f"pellucid.cli.{command}" in modules
    assert not among(("asyncio", "ssl", "pellucid.glass.page", "pellucid.proxy"), modules)


HANDSHAKE = """
from pellucid import ClientConfig, ClientConnection, Identity, ServerConfig, ServerConnection, Trust
authority, pem = sys.argv[1:]
server = ServerConnection(ServerConfig(identities=(Identity.from_pem(pem),)))
client = ClientConnection(ClientConfig(trust=Trust.from_pem(authority)), server_name="localhost")
while not (client.handshake_complete and server.handshake_complete):
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
"""


def test_a_first_handshake_loads_no_revocation_no_words_and_nothing_old() -> None:
    authority = Authority.create()
    pem = authority.issue("localhost").to_pem().decode()
    modules = loaded(HANDSHAKE, authority.pem.decode(), pem)
    assert "pellucid.trust.verification" in modules
    assert not among(
        (
            "pellucid.glass",
            "pellucid.io",
            "pellucid.legacy",
            "pellucid.trust.authority",
            "pellucid.trust.diagnosis",
            "pellucid.trust.path",
            "pellucid.trust.revocation",
            "cryptography.x509.ocsp",
            "asyncio",
            "ssl",
        ),
        modules,
    )
