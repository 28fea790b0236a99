"""The table of docs/ecosystem.md: `make ecosystem` runs the conversations and writes what came of them.

PYTHONPATH=tests python -m ecosystem.table results.xml docs/ecosystem.md
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET  # the file is pytest's own
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from interop.bench import INSTALLED

PAIRS = ("pellucid to openssl", "openssl to pellucid", "pellucid to pellucid")
FAULTS = ("wrong name", "nobody's authority", "another version", "no TLS", "hangs up")
VISITED = ("uvicorn", "hypercorn", "serve --www")
SECTIONS = {
    "test_http": (
        "HTTP",
        "Both sides in one process, each given its context as the library's documentation says.",
    ),
    "test_programs": (
        "Whole programs",
        "They are started as their users start them, and not told: `install()` is called by a"
        "\n`sitecustomize.py`. That pellucid spoke, or did not, is seen by the traces that they leave.",
    ),
    "test_others": ("WebSockets, mail, FTP, DNS", "In one process."),
    "test_services": (
        "Services",
        "Real services. To openssl: by the TLS that the service has of its own, which is Erlang's for"
        "\nRabbitMQ and GnuTLS for slapd. To pellucid: the same service behind a front of pellucid's."
        "\nKafka is only a handshake: a broker of the test's own, which says what it knows and which topics"
        "\nit has. psycopg is not here: libpq, in C, does its TLS, and asks no `ssl` of Python's.",
    ),
    "test_visitors": (
        "Not Python",
        "curl and two browsers at servers that speak pellucid: HTTP/1.1 at uvicorn and `serve --www`,"
        "\nHTTP/2 at hypercorn.",
    ),
    "test_refusals": (
        "What is raised when a handshake fails",
        "Each client meets each fault twice, over OpenSSL and over pellucid. `ok`: its own exception, and the"
        "\none of `ssl` that it comes from, are of the same classes both times, with the same `errno`,"
        "\n`reason` and `verify_code`.",
    ),
}
COLUMNS = dict.fromkeys(SECTIONS, PAIRS) | {"test_visitors": VISITED, "test_refusals": FAULTS}
SPELLED = (
    *(("http 2", "HTTP/2"), ("python 3 14", "Python 3.14"), ("kafka python", "kafka-python"), ("tls", "TLS")),
    *(("websocket client", "websocket-client"),),
    *(("http server", "http.server"), ("paho mqtt", "paho-mqtt"), ("starttls", "STARTTLS")),
)
PACKAGES = (
    *("requests", "urllib3", "httpx", "httpcore", "h2", "aiohttp", "httplib2", "tornado", "cheroot"),
    *(
        "websockets",
        "websocket-client",
        "uvicorn",
        "hypercorn",
        "gevent",
        "gunicorn",
        "flask",
        "werkzeug",
        "uvloop",
        "trio",
        "anyio",
        "truststore",
        "pip",
    ),
    *(
        "aiosmtpd",
        "aiosmtplib",
        "aioftp",
        "dnspython",
        "redis",
        "asyncpg",
        "paho-mqtt",
        "pika",
        "ldap3",
        "kafka-python",
    ),
)
DEBIAN = ("redis-server", "postgresql-[0-9]*", "mosquitto", "slapd", "rabbitmq-server", "openssl")


def outcome(case: ET.Element) -> str:
    """How one test ended."""
    for kind, word in (("failure", "**failed**"), ("error", "**failed**"), ("skipped", "skipped")):
        if case.find(kind) is not None:
            return word
    return "ok"


def rows(xml: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Module, then conversation, then column, then outcome."""
    found: dict[str, dict[str, dict[str, str]]] = {module: {} for module in SECTIONS}
    for case in ET.parse(xml).iter("testcase"):
        module = case.attrib["classname"].rpartition(".")[2]
        name, _, parameters = case.attrib["name"].partition("[")
        column = next((one for one in COLUMNS.get(module, ()) if one in parameters), "")
        if not column:
            continue
        rest = parameters.rstrip("]").replace(column, "").strip("-").replace("-", ", ")
        title = name.removeprefix("test_").replace("_", " ")
        for pattern, words in SPELLED:
            title = re.sub(rf"\b{pattern}\b", words, title)
        if module in ("test_visitors", "test_refusals"):
            title, rest = parameters.rstrip("]").removesuffix(column).rstrip("-"), ""
        found[module].setdefault(f"{title}: {rest}" if rest else title, {})[column] = outcome(case)
    return found


def outcomes(of: dict[str, dict[str, str]]) -> list[str]:
    """All of one table."""
    return [end for each in of.values() for end in each.values()]


def package(name: str) -> str:
    """A package and its version."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} (not installed)"


def versions() -> str:
    """Everything that took part."""
    apart = sorted((INSTALLED / "niquests").glob("niquests-*.dist-info"))
    ours = [
        *map(package, PACKAGES),
        *(found.name.removesuffix(".dist-info").replace("-", " ") for found in apart),
    ]
    words = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *DEBIAN]
    lines = subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
    debian = ", ".join(line for line in lines if re.fullmatch(r"[a-z]+(-server|-\d+)? \S+", line))
    return f"CPython {sys.version.split()[0]}, {', '.join(ours)}. Debian's {debian}."


def section(module: str, of: dict[str, dict[str, str]]) -> list[str]:
    """One table."""
    title, text = SECTIONS[module]
    columns = COLUMNS[module]
    return [
        f"## {title}",
        "",
        text,
        "",
        f"| conversation | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
        *(
            f"| {name} | {' | '.join(each.get(column, '') for column in columns)} |"
            for name, each in sorted(of.items())
        ),
        "",
    ]


def main(xml: str, page: str) -> None:
    """Write the page."""
    found = rows(Path(xml))
    failures = outcomes(found["test_refusals"])
    conversations = [end for module, of in found.items() if module != "test_refusals" for end in outcomes(of)]
    lines = [
        "# The ecosystem over pellucid",
        "",
        "Real clients and servers on loopback: who speaks pellucid to whom. Written by `make ecosystem`;",
        "the conversations are in `tests/ecosystem`.",
        "",
        f"**{conversations.count('ok')} of {len(conversations)} conversations succeed**; "
        f"{conversations.count('skipped')} were skipped. "
        f"{failures.count('ok')} of {len(failures)} failures are told as over OpenSSL.",
        "",
        *(line for module, of in found.items() for line in section(module, of)),
        "## Versions",
        "",
        textwrap.fill(versions(), 110, replace_whitespace=False, break_on_hyphens=False),
        "",
    ]
    Path(page).write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
