"""Draw docs/states.md: which handshake message may come where, from the tables of the code.

The tables are the EXPECT_ mappings that the handshake generators yield, and AFTER_HANDSHAKE.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from pellucid.handshake import client, client12, client13, context, server, server12, server13
from pellucid.handshake.context import CCS
from pellucid.handshake.post import AFTER_HANDSHAKE
from pellucid.wire.codepoints import HandshakeType

PAGE = Path(__file__).with_name("states.md")
HEAD = """\
# Which message may come where

Drawn from the code by `make docs`: do not edit. A row is a waiting point, named as in the code:
the handshake stands there until one of the marked messages comes. Whatever else comes is refused
with the alert `unexpected_message`; `tests/core/test_states.py` sends every other type to each of
these points. A request to the application (which certificate? sign this) is no waiting point:
while it is open, nothing is read.
"""
SECTIONS = (
    ("The client of TLS 1.3", (client, client13), (True, True)),
    ("The server of TLS 1.3", (server, server13), (False, True)),
    ("The client of TLS 1.2", (client, client12, context), (True, False)),
    ("The server of TLS 1.2", (server, server12, context), (False, False)),
)


def rows_of(modules: Iterable[ModuleType]) -> dict[str, set[int]]:
    """The waiting points of `modules`, in the order in which they stand there."""
    return {
        name.removeprefix("EXPECT_").lower().replace("_", " "): set(table)
        for module in modules
        for name, table in vars(module).items()
        if name.startswith("EXPECT_") and (module is context or name != "EXPECT_CCS")
    }


def name_of(kind: int) -> str:
    """A column's head."""
    return "ChangeCipherSpec" if kind == CCS else HandshakeType.name_of(kind).replace("_", " ")


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, modules, after in SECTIONS:
        rows = rows_of(modules) | {"*after the handshake*": set(AFTER_HANDSHAKE[after])}
        kinds = sorted(set().union(*rows.values()))
        lines = [
            "| waiting for | " + " | ".join(map(name_of, kinds)) + " |",
            "|---" + "|:-:" * len(kinds) + "|",
        ]
        for name, allowed in rows.items():
            marks = " | ".join("●" if kind in allowed else " " for kind in kinds)
            lines.append(f"| {name} | {marks} |")
        parts.append(f"\n## {title}\n\n" + "\n".join(lines) + "\n")
    return "".join(parts) + NOTES


NOTES = """
## Beside the table

* A *certificate request* after the handshake is refused unless the client offered
  `post_handshake_auth`. While the server waits for the answer, a KeyUpdate may come first.
* A *client hello* after a TLS 1.2 handshake asks for renegotiation: it is refused with
  `no_renegotiation`. A *hello request* is answered once with that alert; a second one ends the connection.
* A dummy ChangeCipherSpec (RFC 8446 appendix D.4) is dropped at any point of a TLS 1.3 handshake
  after the first ClientHello; in TLS 1.2 it is a message like the others, and stands in the table.
"""


def draw() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    draw()
