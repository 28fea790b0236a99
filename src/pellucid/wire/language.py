"""The presentation language of TLS: each structure is declared once, and everything comes from that.

RFC 8446 section 3 (RFC 5246 section 4). A structure is a class whose fields say how they lie on
the wire:

    class KeyShareEntry(Struct):
        group: int = field(Uint16(NamedGroup))
        key_exchange: bytes = field(OpaqueVector(1, 2**16 - 1))

From that one declaration come
  * `decode` and `encode`: compiled, when the class is made, into straight-line Python functions,
    because a handshake decodes a dozen messages and every microsecond of an interpreter shows;
  * `annotate`: the same bytes as a tree of named fields with their offsets, for whoever looks;
  * `recall`: `decode` for what peers say again and again, such as the groups that they know;
  * `fields`: the declaration itself, from which the tests derive their fuzzers.

Rules that hold for every structure: a vector's content is read from its own bounded slice to its
exact end; lengths outside the declared range are refused; unknown numbers survive a round trip.
"""

from __future__ import annotations

# The methods of the wire types are WireType's, and documented there.
# ruff: noqa: D102
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as _dataclass_field
from typing import Any, ClassVar, Self, dataclass_transform

from pellucid.errors import PeerMisbehaved, Reason
from pellucid.wire.codepoints import CodePoint, ExtensionType
from pellucid.wire.compiling import Decoder, Encoder

ExtensionMap = dict[int, bytes]

_KIND_AND_LENGTH = struct.Struct(">HH")
_pack_head, _unpack_head = _KIND_AND_LENGTH.pack, _KIND_AND_LENGTH.unpack_from
_RECALLED = 64  # structures of a class that `recall` keeps
_WORTH_KEEPING = 256  # bytes: what is longer is not kept

#: The extensions of a hello that has no extension block at all (TLS 1.2 allows it).
ABSENT: ExtensionMap = {}


class DecodeError(PeerMisbehaved):
    """The bytes do not fit the declaration."""


def fail(where: str, reason: Reason = Reason.DECODE_ERROR) -> None:
    """Refuse bytes that do not fit `where` ("ClientHello.random", say)."""
    raise DecodeError(reason, where)


def extensions_from(data: bytes, pos: int, end: int, where: str) -> tuple[ExtensionMap, int]:
    """Read `Extension extensions<0..2^16-1>` as an ordered mapping from type to content."""
    start = pos + 2
    if start > end:
        fail(where)
    stop = start + (data[pos] << 8 | data[pos + 1])
    if stop > end:
        fail(where)
    found: ExtensionMap = {}
    if start == stop:
        return found, stop
    pos, last = start, stop - 4  # where the last one may begin
    while pos <= last:
        kind, length = _unpack_head(data, pos)
        begin = pos + 4
        pos = begin + length
        if kind in found:
            fail(f"{where}: {ExtensionType.name_of(kind)} stands twice", Reason.DUPLICATE_EXTENSION)
        found[kind] = data[begin:pos]
    if pos != stop:  # the last one goes on behind the block, or a piece of one is left
        fail(where)
    return found, stop


def extensions_bytes(extensions: Mapping[int, bytes]) -> bytes:
    """The inverse of `extensions_from`, with the block's length in front."""
    if not extensions:
        return b"\0\0"
    parts: list[bytes] = []
    for kind, body in extensions.items():
        parts += (_pack_head(kind, len(body)), body)
    block = b"".join(parts)
    return len(block).to_bytes(2, "big") + block


# -- annotation ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    """One named stretch of bytes: `data[start:end]`, what it means, and its parts."""

    name: str
    start: int
    end: int
    value: Any = None
    meaning: str = ""
    kind: str = ""
    section: str = ""
    children: list[Node] = _dataclass_field(default_factory=list)

    def walk(self) -> Iterator[tuple[int, Node]]:
        """Every node with its depth, parents first."""
        stack = [(0, self)]
        while stack:
            depth, node = stack.pop()
            yield depth, node
            stack.extend((depth + 1, child) for child in reversed(node.children))

    def leaves(self) -> Iterator[Node]:
        """The nodes without parts: together they cover every byte once."""
        return (node for _, node in self.walk() if not node.children)


# -- the types of the language ----------------------------------------------------------------------


class WireType:
    """How a field lies on the wire. Subclasses say it twice: as source to compile, and as a tree."""

    def read(self, target: str, where: str, to: Decoder) -> None:
        """Write the source that reads `target`."""
        raise NotImplementedError(type(self))

    def write(self, value: str, to: Encoder) -> None:
        """Write the source that encodes `value`."""
        raise NotImplementedError(type(self))

    def annotate(self, name: str, data: bytes, pos: int, end: int) -> Node:
        """The tree of the bytes at `pos`, which are known to decode."""
        raise NotImplementedError(type(self))

    def syntax(self, name: str) -> str:
        """The declaration in the RFC's own notation."""
        raise NotImplementedError(type(self))


class Uint(WireType):
    """`uint8`, `uint16`, `uint24`, `uint32` or `uint64`: big-endian, perhaps from a registry."""

    def __init__(self, size: int, registry: type[CodePoint] | None = None) -> None:
        self.size = size
        self.registry = registry

    def read(self, target: str, where: str, to: Decoder) -> None:
        to.number(self.size, target, where)

    def write(self, value: str, to: Encoder) -> None:
        to.number(self.size, value)

    def annotate(self, name: str, data: bytes, pos: int, end: int) -> Node:
        value = int.from_bytes(data[pos : pos + self.size], "big")
        meaning = self.registry.name_of(value, 2 * self.size) if self.registry else str(value)
        return Node(name, pos, pos + self.size, value, meaning, f"uint{8 * self.size}")

    def syntax(self, name: str) -> str:
        return f"{self.registry.__name__ if self.registry else f'uint{8 * self.size}'} {name};"


def Uint8(registry: type[CodePoint] | None = None) -> Uint:
    """One byte."""
    return Uint(1, registry)


def Uint16(registry: type[CodePoint] | None = None) -> Uint:
    """Two bytes."""
    return Uint(2, registry)


class Opaque(WireType):
    """`opaque name[size]`: exactly `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, target: str, where: str, to: Decoder) -> None:
        to.bytes(self.size, target, where)

    def write(self, value: str, to: Encoder) -> None:
        to.bytes(value)

    def annotate(self, name: str, data: bytes, pos: int, end: int) -> Node:
        return Node(name, pos, pos + self.size, data[pos : pos + self.size], "", f"opaque[{self.size}]")

    def syntax(self, name: str) -> str:
        return f"opaque {name}[{self.size}];"


class Rest(WireType):
    """Whatever is left of the structure, for lengths that only the key schedule knows (Finished)."""

    def read(self, target: str, where: str, to: Decoder) -> None:
        to.add(f"{target} = data[pos:end]", "pos = end")

    def write(self, value: str, to: Encoder) -> None:
        to.bytes(value)

    def annotate(self, name: str, data: bytes, pos: int, end: int) -> Node:
        return Node(name, pos, end, data[pos:end], "", "opaque")

    def syntax(self, name: str) -> str:
        return f"opaque {name}[...];"


class _Prefixed(WireType):
    """A vector `<least..most>`: a length of as many bytes as `most` needs, then the content."""

    def __init__(self, least: int, most: int) -> None:
        self.least = least
        self.most = most
        self.prefix = (most.bit_length() + 7) // 8

    def open(self, where: str, to: Decoder) -> None:
        """Read and check the length; the content is then `data[at:pos]`."""
        bounds = ["pos > end"]
        if self.least > 0:
            bounds.append(f"length < {self.least}")
        if self.most < 256**self.prefix - 1:
            bounds.append(f"length > {self.most}")
        to.prefix(self.prefix, where)
        to.add(f"if {' or '.join(bounds)}: fail({where!r})")

    def stop(self, data: bytes, pos: int) -> int:
        return pos + self.prefix + int.from_bytes(data[pos : pos + self.prefix], "big")

    def length_node(self, data: bytes, pos: int) -> Node:
        return Uint(self.prefix).annotate("length", data, pos, len(data))

    def range(self) -> str:
        return f"<{self.least}..{self.most}>"


class OpaqueVector(_Prefixed):
    """`opaque name<least..most>`."""

    def read(self, target: str, where: str, to: Decoder) -> None:
        self.open(where, to)
        to.add(f"{target} = data[at:pos]")

    def write(self, value: str, to: Encoder) -> None:
        to.vector(self.prefix, value)

    def annotate(self, name: str, data: bytes, pos: int, end: int) -> Node:
        stop = self.stop(data, pos)
        begin = pos + self.prefix
        content = Node("content", begin, stop, data[begin:stop], "", "opaque")
        parts = [self.length_node(data, pos)] + ([content] if stop > begin else [])
        return Node(name, pos, stop, data[begin:stop], "", f"opaque{self.range()}", children=parts)

    def syntax(self, name: str) -> str:
        return f"opaque {name}{self.range()};"


class Vector(_Prefixed):
    """`T name<least..most>`: as many `T` as fit exactly. `least` and `most` count bytes."""

    def __init__(self, of: WireType, least: int, most: int) -> None:
        super().__init__(least, most)
        self.of = of

    def read(self, target: str, where: str, to: Decoder) -> None:
        self.open(where, to)
        of = self.of
        if isinstance(of, Uint) and of.size == 1:
            to.add(f"{target} = tuple(data[at:pos])")
        elif isinstance(of, Uint) and of.size == 2:
            to.add(f"if length & 1: fail({where!r})")
            to.add(f"{target} = unpack('>%dH' % (length >> 1), data[at:pos])")
        else:
            items, outer = to.fresh("items"), to.fresh("outer")
            to.add(f"{outer}, end, pos = end, pos, at")
            to.loop(items, lambda item, inner: of.read(item, where, inner))
            to.add(f"if pos != end: fail({where!r})", f"end = {outer}", f"{target} = tuple({items})")

    def write(self, value: str, to: Encoder) -> None:
        of = self.of
        if isinstance(of, Uint) and of.size == 1:
            to.vector(self.prefix, f"bytes({value})")
        elif isinstance(of, Uint) and of.size == 2:
            to.vector(self.prefix, f"pack('>%dH' % len({value}), *{value})")
        else:
            to.loop(value, self.prefix, of.write)

    def annotate(self, name: str, data: bytes, pos: int, end: int) -> Node:
        stop = self.stop(data, pos)
        node = Node(name, pos, stop, kind=f"vector{self.range()}", children=[self.length_node(data, pos)])
        at = pos + self.prefix
        while at < stop:
            child = self.of.annotate(f"[{len(node.children) - 1}]", data, at, stop)
            node.children.append(child)
            at = child.end
        node.value = tuple(child.value for child in node.children[1:])
        node.meaning = ", ".join(child.meaning for child in node.children[1:] if child.meaning)
        return node

    def syntax(self, name: str) -> str:
        return f"{self.of.syntax(name).removesuffix(';')}{self.range()};"


class Nested(WireType):
    """Another structure in place."""

    def __init__(self, struct_class: type[Struct]) -> None:
        self.struct = struct_class

    def read(self, target: str, where: str, to: Decoder) -> None:
        new, cls = to.constant("new", self.struct.__new__), to.constant("cls", self.struct)
        to.add(f"{target} = {new}({cls})")
        for name, wire in self.struct.fields.items():
            wire.read(f"{target}.{name}", f"{self.struct.__name__}.{name}", to)

    def write(self, value: str, to: Encoder) -> None:
        for name, wire in self.struct.fields.items():
            wire.write(f"{value}.{name}", to)

    def annotate(self, name: str, data: bytes, pos: int, end: int) -> Node:
        node = self.struct.annotate_at(data, pos, end)
        node.name = name
        return node

    def syntax(self, name: str) -> str:
        return f"{self.struct.__name__} {name};"


class Extensions(WireType):
    """`Extension extensions<0..2^16-1>`, kept as an ordered mapping. `optional`: may be absent."""

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def read(self, target: str, where: str, to: Decoder) -> None:
        call = f"{target}, pos = extensions_from(data, pos, end, {where!r})"
        if self.optional:
            to.add(f"if pos == end: {target} = ABSENT", f"else: {call}")
        else:
            to.add(call)

    def write(self, value: str, to: Encoder) -> None:
        absent = f"b'' if {value} is ABSENT else " if self.optional else ""
        to.bytes(f"{absent}extensions_bytes({value})")

    def annotate(self, name: str, data: bytes, pos: int, end: int) -> Node:
        if self.optional and pos == end:
            return Node(name, pos, pos, {}, "absent", "extensions")
        length = Uint(2).annotate("length", data, pos, end)
        stop = pos + 2 + length.value
        node = Node(name, pos, stop, kind="extensions", children=[length])
        at = pos + 2
        while at < stop:
            kind = Uint(2, ExtensionType).annotate("extension_type", data, at, stop)
            body = OpaqueVector(0, 2**16 - 1).annotate("extension_data", data, at + 2, stop)
            node.children.append(
                Node(kind.meaning, at, body.end, (kind.value, body.value), "", "extension", "", [kind, body])
            )
            at = body.end
        node.value = {child.value[0]: child.value[1] for child in node.children[1:]}
        return node

    def syntax(self, name: str) -> str:
        return f"Extension {name}<0..2^16-1>;"


# -- structures ------------------------------------------------------------------------------------

_MISSING: Any = object()


class FieldSpec:
    """A field's place in a declaration: its wire type and its default."""

    def __init__(self, wire: WireType, default: Any) -> None:
        self.wire = wire
        self.default = default


def field(wire: WireType, default: Any = _MISSING, *, init: bool = True) -> Any:
    """Declare a field of a `Struct`. `default` is for encoding; on the wire the field is always there.

    `init` is for type checkers only.
    """
    return FieldSpec(wire, default)


@dataclass_transform(field_specifiers=(field,))
class _StructMeta(type):
    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _StructMeta:
        specs = {key: value for key, value in namespace.items() if isinstance(value, FieldSpec)}
        for key in specs:
            del namespace[key]
        namespace["__slots__"] = (*specs, *namespace.get("__slots__", ()))
        cls = super().__new__(mcs, name, bases, namespace)
        if specs:
            cls.fields = {key: spec.wire for key, spec in specs.items()}  # type: ignore[attr-defined]
        if specs or not any(getattr(base, "fields", None) for base in bases):
            _compile_later(cls, specs)
        return cls


def _compile_later(cls: Any, specs: dict[str, FieldSpec]) -> None:
    """Compile each function of `cls` when it is first called.

    Few of all structures meet in one process, and most of these are only written there, or only read. Threads
    that come at once compile the same, and either's result will do.
    """

    def init(self: Any, *values: Any, **named: Any) -> None:
        if cls.__init__ is init:
            cls.__init__ = _compiled_init(specs)
        cls.__init__(self, *values, **named)

    def decode(data: bytes, pos: int = 0) -> Any:
        if cls.decode is decode:
            cls.decode = staticmethod(_compiled_decode(cls))
        return cls.decode(data, pos)

    def recall(data: bytes) -> Any:
        if cls.recall is recall:
            cls.recall = staticmethod(_Memory(cls.decode).__getitem__)
        return cls.recall(data)

    def encode(self: Any) -> Any:
        if cls.encode is encode:
            cls.encode = _compiled_encode(cls)
        return cls.encode(self)

    cls.__init__, cls.encode = init, encode
    cls.decode, cls.recall = staticmethod(decode), staticmethod(recall)


def _compiled_init(specs: dict[str, FieldSpec]) -> Any:
    """`__init__` of the structure that has these fields."""
    env: dict[str, Any] = {}
    arguments = []
    for key, spec in specs.items():
        if spec.default is _MISSING:
            arguments.append(key)
        else:
            env[f"default_{key}"] = spec.default
            arguments.append(f"{key}=default_{key}")
    return _function(f"__init__(self, {', '.join(arguments)})", [f"self.{key} = {key}" for key in specs], env)


def _compiled_decode(cls: Any) -> Any:
    """`decode` of `cls`, from its declaration."""
    env = {
        "ABSENT": ABSENT,
        "excess": _excess,
        "extensions_from": extensions_from,
        "fail": fail,
        "lacking": _lacking,
        "unpack": struct.unpack,
    }
    decoder = Decoder(env)
    Nested(cls).read("found", "", decoder)
    end = f"if pos != end: excess({cls.__name__!r}, end - pos)"
    return _function("decode(data, pos=0)", ["end = len(data)", *decoder.lines, end, "return found"], env)


def _compiled_encode(cls: Any) -> Any:
    """`encode` of `cls`, from its declaration."""
    env = {"ABSENT": ABSENT, "extensions_bytes": extensions_bytes, "pack": struct.pack}
    encoder = Encoder(env)
    Nested(cls).write("self", encoder)
    parts = encoder.parts()
    return _function("encode(self)", [*encoder.lines, f"return b''.join({parts})"], env)


def _function(signature: str, lines: list[str], env: dict[str, Any]) -> Any:
    """The function of these lines; what their names mean, `env` says."""
    exec("\n".join((f"def {signature}:", *(f"    {line}" for line in lines or ["pass"]))), env)
    return env[signature.partition("(")[0]]


class _Memory(dict[bytes, Any]):
    """What `decode` made of bytes that were read lately; `memory[data]` decodes what is not there."""

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        super().__init__()
        self._decode = decode

    def __missing__(self, data: bytes) -> Any:
        found = self._decode(data)
        if len(data) <= _WORTH_KEEPING:
            if len(self) >= _RECALLED:
                self.clear()  # in one step, whatever other threads do; what is asked for again comes again
            self[data] = found
        return found


def _lacking(size: int, fields: tuple[tuple[int, str], ...]) -> None:
    """Only `size` bytes are left: refuse for the first of `fields` that they are too few for."""
    for needed, where in fields:
        size -= needed
        if size < 0:
            fail(where)


def _excess(name: str, count: int) -> None:
    fail(f"{name}: {count} bytes too many", Reason.TRAILING_DATA)


class Struct(metaclass=_StructMeta):
    """A structure of the presentation language. See the top of this file.

    >>> class Pair(Struct):
    ...     left: int = field(Uint8())
    ...     right: bytes = field(OpaqueVector(0, 255))
    >>> Pair(7, b"ab").encode().hex()
    '07026162'
    >>> Pair.decode(bytes.fromhex("07026162"))
    Pair(left=7, right=b'ab')
    >>> Pair.decode(bytes.fromhex("07036162"))
    Traceback (most recent call last):
    ...
    pellucid.wire.language.DecodeError: A message could not be read: ... Pair.right. [decode-error, ...]
    """

    fields: ClassVar[dict[str, WireType]] = {}
    section: ClassVar[str] = ""

    def encode(self) -> bytes:
        """The bytes of this structure. (Compiled.)"""
        raise NotImplementedError

    @classmethod
    def decode(cls, data: bytes, pos: int = 0) -> Self:
        """Read exactly `data`, from `pos` to its end; raises DecodeError if it does not fit. (Compiled.)"""
        raise NotImplementedError

    @classmethod
    def recall(cls, data: bytes) -> Self:
        """`decode`, from memory if these very bytes were read lately. Do not change what it gives.

        What a structure holds depends on its bytes alone; bytes that are refused are refused again.
        """
        raise NotImplementedError

    @classmethod
    def annotate(cls, data: bytes) -> Node:
        """The tree of named fields of `data`, which must decode."""
        cls.decode(data)
        return cls.annotate_at(data, 0, len(data))

    @classmethod
    def annotate_at(cls, data: bytes, pos: int, end: int) -> Node:
        """The tree of the structure at `pos`."""
        node = Node(cls.__name__, pos, pos, kind=cls.__name__, section=cls.section)
        for name, wire in cls.fields.items():
            child = wire.annotate(name, data, node.end, end)
            node.children.append(child)
            node.end = child.end
        node.value = {child.name: child.value for child in node.children}
        return node

    @classmethod
    def syntax(cls) -> str:
        """The declaration in the RFC's notation."""
        lines = "".join(f"    {wire.syntax(name)}\n" for name, wire in cls.fields.items())
        return f"struct {{\n{lines}}} {cls.__name__};"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, key) == getattr(other, key) for key in self.fields
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        inner = ", ".join(f"{key}={getattr(self, key)!r}" for key in self.fields)
        return f"{type(self).__name__}({inner})"
