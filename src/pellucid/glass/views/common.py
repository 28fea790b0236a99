"""What all views have in common: how one is registered, and how its tree becomes JSON.

A view is a function from a trace to a tree of frozen dataclasses: facts put in order and worded,
nothing drawn. Drawing is done elsewhere (`glass.terminal`, the web page), from the same tree.

Values in the tree keep their types, so that each drawing can decide: `bytes` is public,
`Secret` is a key that must be shortened unless the reader asked for keys, `Hidden` a key that the
trace does not hold, `Said` application data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from typing import Any

from pellucid.glass.show import Quoted, Said, short
from pellucid.glass.trace import Hidden, Trace
from pellucid.secret import Secret


@dataclass(frozen=True, slots=True)
class Entry:
    """A named value. `about` says in a sentence what it is, where that helps."""

    label: str
    value: Any
    about: str = ""


@dataclass(frozen=True)
class View:
    """One way to look at a trace.

    Attributes:
        name: as `--view` takes it.
        title: for a heading.
        about: one line for people who choose.
    """

    name: str
    title: str
    about: str

    @property
    def build(self) -> Callable[..., Any]:
        """`build(trace, other=None, key=None)`: the view's tree, by the module of its name.

        `other` is the trace of the other end of the same connection, if there is one; `key` the
        server's private key, for the eavesdropper's "what if it leaks". Traces that are still growing, or
        that end in a failure at any point, are welcome.
        """
        build: Callable[..., Any] = import_module(f"pellucid.glass.views.{self.name}").build
        return build


def to_json(tree: Any, *, secrets: bool = False, data: bool = True) -> Any:
    """A view's tree as JSON values: objects, arrays, strings, numbers, booleans, None.

    Public bytes become hex. A secret becomes {"secret": its length, "head": its first three bytes in
    hex}, with "hex" only if `secrets`; one that the trace does not hold has no head. Application data
    becomes {"data": its length}, with "text" and "hex" only if `data`; a line quoted from it becomes "".

    >>> to_json(Entry("key", Secret(bytes(16))))
    {'label': 'key', 'value': {'secret': 16, 'head': '000000'}, 'about': ''}
    >>> to_json((b"\\x01\\x02", None, 3))
    ['0102', None, 3]
    """
    if is_dataclass(tree) and not isinstance(tree, type):
        if isinstance(tree, Hidden):
            return {"secret": tree.length}
        return {
            one.name: to_json(getattr(tree, one.name), secrets=secrets, data=data) for one in fields(tree)
        }
    if isinstance(tree, Secret):
        told: dict[str, Any] = {"secret": len(tree), "head": short(tree)[:6]}
        return told | ({"hex": tree.reveal().hex()} if secrets else {})
    if isinstance(tree, Said):
        text = {"text": tree.decode("utf-8", "replace"), "hex": tree.hex()} if data else {}
        return {"data": len(tree)} | text
    if isinstance(tree, bytes):
        return tree.hex()
    if isinstance(tree, dict):
        return {str(name): to_json(value, secrets=secrets, data=data) for name, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_asdict"):  # a NamedTuple: a Failure
        return to_json(tree._asdict(), secrets=secrets, data=data)
    if isinstance(tree, list | tuple):
        return [to_json(item, secrets=secrets, data=data) for item in tree]
    if isinstance(tree, Quoted):
        return str(tree) if data else ""
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    return str(tree)


def milliseconds(seconds: float) -> str:
    """A time since the trace was opened, for people.

    >>> milliseconds(0.00042), milliseconds(0.0312), milliseconds(2.5)
    ('0.4 ms', '31 ms', '2.5 s')
    """
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"


def other_end(trace: Trace, other: Trace | None) -> tuple[Trace | None, Trace | None]:
    """(the client's trace, the server's trace) of a pair in any order."""
    pair = {one.role: one for one in (trace, other) if one is not None}
    return pair.get("client"), pair.get("server")
