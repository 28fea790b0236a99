"""How a structure's declaration becomes source: straight-line Python that reads and writes its bytes.

RFC 8446 section 3. `language` says what each field is; the two classes here gather what fields say
into the lines of one function. Most of what such a function costs is calls and steps of the interpreter,
so neighbours are handled together: their numbers share one call of `struct`, behind one check of length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Source:
    """The source of a function while it is written: `env` holds what its names mean."""

    def __init__(self, env: dict[str, Any], numbers: Iterator[int] | None = None) -> None:
        self.env = env
        self._numbers = numbers or count(1)

    def fresh(self, name: str) -> str:
        """A name that is not used yet."""
        return f"{name}{next(self._numbers)}"

    def constant(self, name: str, value: Any) -> str:
        """A fresh name for `value`."""
        name = self.fresh(name)
        self.env[name] = value
        return name


class Encoder(Source):
    """The source of an encoder: lines that prepare, then parts that are joined.

    Neighbouring numbers share one call of `struct.pack`: most of what an encoder costs is calls.
    """

    def __init__(self, env: dict[str, Any], numbers: Iterator[int] | None = None) -> None:
        super().__init__(env, numbers)
        self.lines: list[str] = []
        self._parts: list[tuple[str, str]] = []  # a format and its arguments, or "" and bytes

    def number(self, size: int, value: str) -> None:
        """`value` as a big-endian number of `size` bytes."""
        if size == 3:
            name = self.fresh("n")
            self._parts.append(("BH", f"({name} := {value}) >> 16, {name} & 0xFFFF"))
        else:
            self._parts.append((FORMATS[size], value))

    def bytes(self, value: str) -> None:
        """`value` as it is."""
        self._parts.append(("", value))

    def vector(self, prefix: int, content: str) -> None:
        """`content` behind its length."""
        name = self.fresh("v")
        self.number(prefix, f"len({name} := {content})")
        self.bytes(name)

    def loop(self, value: str, prefix: int, write: Callable[[str, Encoder], None]) -> None:
        """A vector of whatever `write` makes of each item of `value`."""
        items, item = self.fresh("items"), self.fresh("item")
        inner = Encoder(self.env, self._numbers)
        write(item, inner)
        body = [*inner.lines, f"{items} += {inner.parts()}"]
        self.lines += [f"{items} = []", f"for {item} in {value}:", *(f"    {line}" for line in body)]
        self.vector(prefix, f"b''.join({items})")

    def parts(self) -> str:
        """All parts, as the source of a tuple."""
        found: list[str] = []
        numbers: list[tuple[str, str]] = []
        for format, value in (*self._parts, ("", "")):
            if format:
                numbers.append((format, value))
                continue
            if numbers:
                pack = struct.Struct(">" + "".join(each for each, _ in numbers)).pack
                arguments = ", ".join(each for _, each in numbers)
                found.append(f"{self.constant('pack', pack)}({arguments})")
                numbers.clear()
            if value:
                found.append(value)
        return f"({', '.join(found)},)" if found else "()"


class Decoder(Source):
    """The source of a decoder: lines that read from `data` at `pos`, and not past `end`.

    Fields of fixed size wait until something of another size comes, and are then read together.
    """

    def __init__(self, env: dict[str, Any], numbers: Iterator[int] | None = None) -> None:
        super().__init__(env, numbers)
        self._lines: list[str] = []
        self._waiting: list[tuple[str, str, int, str]] = []  # format, target, size, where
        self._later: list[str] = []  # lines that need what waits

    def number(self, size: int, target: str, where: str) -> None:
        """`target` becomes the next `size` bytes, big-endian."""
        if size == 3:
            high, low = self.fresh("high"), self.fresh("low")
            self._waiting += (("B", high, 1, where), ("H", low, 2, where))
            self._later.append(f"{target} = {high} << 16 | {low}")
        else:
            self._waiting.append((FORMATS[size], target, size, where))

    def bytes(self, size: int, target: str, where: str) -> None:
        """`target` becomes the next `size` bytes."""
        self._waiting.append((f"{size}s", target, size, where))

    def prefix(self, size: int, where: str) -> None:
        """`length` becomes a number of `size` bytes, `at` and `pos` beginning and end of what it measures."""
        self.number(size, "length", where)
        self._read_waiting("at + length")

    def add(self, *lines: str) -> None:
        """Lines that come after all that was asked for so far."""
        self._read_waiting()
        self._lines += lines

    def loop(self, target: str, read: Callable[[str, Decoder], None]) -> None:
        """`target` becomes a list of what `read` reads, again and again, up to `end`."""
        item = self.fresh("item")
        inner = Decoder(self.env, self._numbers)
        read(item, inner)
        self.add(f"{target} = []", "while pos < end:")
        self._lines += (f"    {line}" for line in (*inner.lines, f"{target}.append({item})"))

    @property
    def lines(self) -> list[str]:
        """All lines."""
        self._read_waiting()
        return self._lines

    def _read_waiting(self, pos: str = "at") -> None:
        waiting, later = self._waiting, self._later
        if not waiting:
            return
        self._waiting, self._later = [], []
        total = sum(size for _, _, size, _ in waiting)
        self._lines.append(f"at = pos + {total}")
        if len(waiting) == 1:
            self._lines.append(f"if at > end: fail({waiting[0][3]!r})")
        else:
            sizes = self.constant("sizes", tuple((size, where) for _, _, size, where in waiting))
            self._lines.append(f"if at > end: lacking(end - pos, {sizes})")
        if len(waiting) == 1 and total == 1:
            self._lines.append(f"{waiting[0][1]} = data[pos]")
        else:
            unpack = struct.Struct(">" + "".join(format for format, _, _, _ in waiting)).unpack_from
            targets = "".join(f"{target}, " for _, target, _, _ in waiting)
            self._lines.append(f"{targets}= {self.constant('unpack', unpack)}(data, pos)")
        self._lines += (*later, f"pos = {pos}")
