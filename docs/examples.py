"""The page docs/examples.md: for each feature a program in examples/, and the flags of the command.

The table is here; what each program does and prints is taken from the program itself, which
tests/examples runs. `make docs` writes the page again.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PAGE = Path(__file__).parent / "examples.md"


class Feature(NamedTuple):
    """A row: what it is, the program in examples/, and the command lines that use it."""

    name: str
    example: str
    commands: tuple[str, ...] = ()


#: Without a command line the feature is the application's, and a flag would make no sense.
FEATURES: dict[str, tuple[Feature, ...]] = {
    "What is negotiated": (
        Feature(
            "versions, cipher suites, groups, signature schemes",
            "negotiation",
            (
                "pellucid connect HOST --tls 1.3 --suites TLS_CHACHA20_POLY1305_SHA256 --groups x448",
                "pellucid serve 4433 --tls 1.2-1.3 --sigalgs ed25519",
            ),
        ),
        Feature(
            "HelloRetryRequest, stateless cookie",
            "hello_retry",
            (
                "pellucid connect HOST --groups x25519,secp384r1 --key-shares x25519",
                "pellucid serve 4433 --groups secp384r1 --stateless-retry",
            ),
        ),
        Feature(
            "application protocols (ALPN)",
            "alpn",
            ("pellucid connect HOST --alpn h2,http/1.1", "pellucid serve 4433 --alpn h2"),
        ),
        Feature("GREASE, shuffled extensions", "grease", ("pellucid connect HOST --grease",)),
        Feature("TLS_FALLBACK_SCSV", "fallback", ("pellucid connect HOST --tls 1.2 --fallback-scsv",)),
        Feature(
            "static RSA, CBC, encrypt-then-MAC",
            "museum",
            (
                "pellucid connect HOST --policy museum",
                "pellucid serve 4433 --policy old-peers",
            ),
        ),
        Feature("the raw ClientHello, a configuration for each client", "client_hello"),
    ),
    "Who is who": (
        Feature(
            "whom to believe, under which name",
            "verification",
            (
                "pellucid connect HOST --ca system --ca our-ca.pem --verify-name example.org",
                "pellucid connect HOST --insecure",
            ),
        ),
        Feature(
            "client certificates, certificate_authorities",
            "client_certificates",
            (
                "pellucid connect HOST --cert alice.pem --key alice-key.pem",
                "pellucid serve 4433 --client-auth require --client-ca ca.pem",
            ),
        ),
        Feature(
            "post-handshake authentication",
            "later_authentication",
            (
                "pellucid connect HOST --cert alice.pem --post-handshake-auth",
                "pellucid serve 4433 --client-auth later --client-ca ca.pem",
            ),
        ),
        Feature(
            "raw public keys",
            "raw_public_keys",
            (
                "pellucid connect HOST --trust-key server-public.pem",
                "pellucid serve 4433 --raw-key --key server-key.pem",
            ),
        ),
        Feature(
            "a certificate for each name (SNI), awaited",
            "sni_choice",
            (
                "pellucid connect HOST --server-name two.test",
                "pellucid serve 4433 --cert one.pem --cert two.pem --require-server-name",
            ),
        ),
        Feature("a signer elsewhere: HSM, KMS; awaited", "external_signer"),
        Feature(
            "OCSP stapling, certificate timestamps",
            "ocsp_stapling",
            ("pellucid serve 4433 --cert server.pem --ocsp response.der",),
        ),
        Feature(
            "certificate compression",
            "certificate_compression",
            (
                "pellucid connect HOST --compress-certificates brotli,zlib",
                "pellucid serve 4433 --compress-certificates none",
            ),
        ),
    ),
    "Coming back": (
        Feature(
            "resumption: tickets, session ids, PSK",
            "resumption",
            ("pellucid connect HOST --session session.bin", "pellucid serve 4433"),
        ),
        Feature(
            "ticket keys, stateful tickets, ticket_request",
            "tickets",
            ("pellucid connect HOST --tickets 4 --session-out s.bin", "pellucid serve 4433 --tickets 4"),
        ),
        Feature(
            "early data (0-RTT)",
            "early_data",
            (
                "pellucid connect HOST --session session.bin --early-data request.txt",
                "pellucid serve 4433 --max-early-data 16384",
            ),
        ),
        Feature(
            "pre-shared keys, the importer",
            "psk",
            (
                "pellucid connect HOST --psk env:KEY --psk-identity device-7",
                "pellucid serve 4433 --psk file:key.hex --psk-context sensors",
            ),
        ),
    ),
    "Data and keys": (
        Feature(
            "KeyUpdate",
            "key_update",
            ("pellucid connect HOST --key-update", "pellucid serve 4433 --key-update"),
        ),
        Feature(
            "exporters, early exporter, channel bindings",
            "exporter_and_bindings",
            (
                "pellucid connect HOST --export EXPORTER-mine --export-length 64 --show-secrets",
                "pellucid serve 4433 --export EXPORTER-mine --export-length 64 --show-secrets",
            ),
        ),
        Feature(
            "record_size_limit, max_fragment_length, padding",
            "record_limits",
            (
                "pellucid connect HOST --record-size-limit 512",
                "pellucid connect HOST --max-fragment 1024",
                "pellucid serve 4433 --pad-to 256",
            ),
        ),
        Feature(
            "key log",
            "keylog",
            ("pellucid connect HOST --keylog keys.log", "pellucid serve 4433 --keylog keys.log"),
        ),
    ),
    "Using the library": (
        Feature("the core without sockets", "sans_io"),
        Feature("asyncio", "asyncio_streams"),
        Feature("STARTTLS, wrapping a socket", "starttls"),
        Feature("hot reload of certificates", "hot_reload"),
        Feature(
            "what was agreed on, as JSON",
            "connection_info",
            ("pellucid connect HOST --json", "pellucid serve 4433 --json"),
        ),
        Feature(
            "traces",
            "tracing",
            (
                "pellucid connect HOST --record trace.jsonl --view reasons",
                "pellucid serve 4433 --record traces.jsonl",
            ),
        ),
        Feature(
            "a proxy that shows both handshakes",
            "intercepting",
            (
                "pellucid proxy --intercept --listen 8080",
                "pellucid proxy --listen 8443 --to localhost:8080 --cert site.pem --key site-key.pem",
                "pellucid proxy --plain --listen 2525 --to mail.example.org:465",
            ),
        ),
    ),
}


def told(example: str) -> tuple[str, str]:
    """The first paragraph of a program's docstring, and what it says that it prints."""
    source = (EXAMPLES / f"{example}.py").read_text(encoding="utf-8")
    text = ast.get_docstring(ast.parse(source)) or ""
    about, _, prints = text.partition("\nPrints:\n\n")
    lines = [line.removeprefix("    ") for line in prints.splitlines()]
    return " ".join(about.split("\n\n")[0].split()), "\n".join(lines) + "\n"


def text() -> str:
    """The page."""
    lines = [
        "# Examples",
        "",
        "Two for each feature: a program in `examples/`, which has both sides in it and runs as",
        "it is (`python examples/resumption.py`), and the flags that do the same from the command line. Each",
        "program says in its first lines which RFC it speaks of and what it prints; the tests run every one,",
        "and every flag. Where there is no flag, the feature is one for programs.",
        "",
        "This page is drawn by `make docs`; [docs/examples.py](examples.py) has the table.",
    ]
    for group, features in FEATURES.items():
        lines += ["", f"## {group}"]
        for feature in features:
            about, prints = told(feature.example)
            file = f"{feature.example}.py"
            lines += ["", f"### {feature.name}", "", f"[{file}](../examples/{file}): {about}", ""]
            lines += ["```text", *prints.splitlines(), "```"]
            if feature.commands:
                lines += ["", *(f"    {command}" for command in feature.commands)]
    return "\n".join(lines) + "\n"


def draw() -> None:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")
