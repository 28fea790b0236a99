"""Every structure of the presentation language, against an interpreter of its own declaration.

The codecs are compiled from the `fields` of each structure; here the same declarations are read
by a second, slow reader and writer, which make the examples and judge the compiled ones.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import Reason
from pellucid.wire import extension_types, language, messages
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import ExtensionType
from pellucid.wire.language import (
    ABSENT,
    DecodeError,
    Extensions,
    Nested,
    Node,
    Opaque,
    OpaqueVector,
    Rest,
    Struct,
    Uint,
    Vector,
    WireType,
)

OTHERS = ("pellucid.resumption.psk", "pellucid.resumption.sessions", "pellucid.handshake.server13")


def structures() -> list[type[Struct]]:
    """All that are declared anywhere."""
    for name in OTHERS:
        importlib.import_module(name)
    found: list[type[Struct]] = []
    waiting = [Struct]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        declared = vars(cls).get("fields", {})  # a subclass without fields of its own is another's codec
        if declared and cls.__module__.startswith("pellucid.") and "raw" not in declared:
            found.append(cls)
    return sorted(set(found), key=lambda cls: cls.__name__)


STRUCTURES = structures()
EACH = pytest.mark.parametrize("cls", STRUCTURES, ids=lambda cls: cls.__name__)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


# -- the interpreter -------------------------------------------------------------------------------------


def written(wire: WireType, value: Any) -> bytes:
    """`value` by the declaration (RFC 8446 section 3)."""
    if isinstance(wire, Uint):
        return int(value).to_bytes(wire.size, "big")
    if isinstance(wire, (Opaque, Rest)):
        return bytes(value)
    if isinstance(wire, OpaqueVector):
        return len(value).to_bytes(wire.prefix, "big") + bytes(value)
    if isinstance(wire, Vector):
        body = b"".join(written(wire.of, item) for item in value)
        return len(body).to_bytes(wire.prefix, "big") + body
    if isinstance(wire, Nested):
        return written_struct(value)
    if isinstance(wire, Extensions):
        if wire.optional and value is ABSENT:
            return b""
        body = b"".join(
            kind.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data for kind, data in value.items()
        )
        return len(body).to_bytes(2, "big") + body
    raise TypeError(wire)


def written_struct(value: Struct) -> bytes:
    return b"".join(written(wire, getattr(value, name)) for name, wire in value.fields.items())


def values(wire: WireType) -> st.SearchStrategy[Any]:
    """Values that the declaration allows; unknown code points as likely as known ones."""
    if isinstance(wire, Uint):
        return st.integers(0, 256**wire.size - 1)
    if isinstance(wire, Opaque):
        return st.binary(min_size=wire.size, max_size=wire.size)
    if isinstance(wire, Rest):
        return st.binary(max_size=40)
    if isinstance(wire, OpaqueVector):
        return st.binary(min_size=wire.least, max_size=min(wire.most, wire.least + 40))
    if isinstance(wire, Vector):
        items = st.lists(values(wire.of), max_size=6).map(tuple)
        return items.filter(lambda found: wire.least <= len(written(wire, found)) - wire.prefix <= wire.most)
    if isinstance(wire, Nested):
        return examples(wire.struct)
    if isinstance(wire, Extensions):
        found = st.dictionaries(st.integers(0, 2**16 - 1), st.binary(max_size=20), max_size=5)
        return st.one_of(found, st.just(ABSENT)) if wire.optional else found
    raise TypeError(wire)


def examples(cls: type[Struct]) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{name: values(wire) for name, wire in cls.fields.items()})


# -- the properties --------------------------------------------------------------------------------------


@EACH
def test_what_is_written_is_read_again(cls: type[Struct]) -> None:
    @QUICK
    @given(examples(cls))
    def check(value: Struct) -> None:
        data = value.encode()
        assert data == written_struct(value)
        again = cls.decode(data)
        assert again == value
        assert again.encode() == data

    check()


@EACH
def test_any_bytes_are_refused_or_survive(cls: type[Struct]) -> None:
    """Random bytes, and true ones with changes: a DecodeError or the same bytes again, nothing else."""

    @QUICK
    @given(st.binary(max_size=80), examples(cls), st.data())
    def check(noise: bytes, value: Struct, data: st.DataObject) -> None:
        true = value.encode()
        changed = bytearray(true)
        if changed:
            at = data.draw(st.integers(0, len(changed) - 1))
            changed[at] = data.draw(st.integers(0, 255))
            del changed[data.draw(st.integers(0, len(changed))) :]
        for candidate in (noise, bytes(changed), true + b"\0", true + noise):
            try:
                found = cls.decode(candidate)
            except DecodeError as error:
                assert error.reason in (Reason.DECODE_ERROR, Reason.TRAILING_DATA, Reason.DUPLICATE_EXTENSION)
                continue
            assert found.encode() == candidate

    check()


@EACH
def test_the_annotation_covers_every_byte_once(cls: type[Struct]) -> None:
    @QUICK
    @given(examples(cls))
    def check(value: Struct) -> None:
        data = value.encode()
        tree = cls.annotate(data)
        assert (tree.start, tree.end) == (0, len(data))
        at = 0
        for leaf in tree.leaves():
            assert leaf.start == at
            assert leaf.end >= at
            at = leaf.end
        assert at == len(data)
        for _, node in tree.walk():
            assert node.name
            if node.children:
                assert (node.start, node.end) == (node.children[0].start, node.children[-1].end)
        for child, name in zip(tree.children, cls.fields, strict=True):
            assert child.name == name
            if not isinstance(cls.fields[name], (Nested, Vector)):
                assert child.value == getattr(value, name)

    check()


def last_length(node: Node) -> Node | None:
    """The length in front of the vector that ends `node`."""
    while node.children:
        lengths = [child for child in node.children if child.name == "length"]
        if lengths and node.children[0] is lengths[0]:
            return lengths[0]
        node = node.children[-1]
    return None


@EACH
def test_a_length_off_by_one_is_refused(cls: type[Struct]) -> None:
    """The last vector's length, one more and one less: nothing behind it could make that right."""

    @QUICK
    @given(examples(cls))
    def check(value: Struct) -> None:
        data = value.encode()
        length = last_length(cls.annotate(data))
        if length is None:
            return
        for off in (1, -1):
            wrong = length.value + off
            size = length.end - length.start
            if not 0 <= wrong < 256**size:
                continue
            changed = data[: length.start] + wrong.to_bytes(size, "big") + data[length.end :]
            with pytest.raises(DecodeError):
                cls.decode(changed)

    check()


def bounds(cls: type[Struct]) -> Iterator[tuple[str, Any]]:
    for name, wire in cls.fields.items():
        if isinstance(wire, OpaqueVector):
            yield name, wire


@EACH
def test_vectors_end_at_their_bounds(cls: type[Struct]) -> None:
    """One byte fewer than the least and one more than the most are refused (where they can be written)."""

    @settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
    @given(examples(cls))
    def check(value: Struct) -> None:
        for name, wire in bounds(cls):
            before = getattr(value, name)
            for size in (wire.least - 1, wire.most + 1):
                if 0 <= size < min(256**wire.prefix, 70_000):
                    setattr(value, name, bytes(size))
                    with pytest.raises(DecodeError):
                        cls.decode(value.encode())
            for size in (wire.least, wire.most):
                if size < 70_000:
                    setattr(value, name, bytes(size))
                    assert cls.decode(value.encode()) == value
            setattr(value, name, before)

    check()


# -- the notation ------------------------------------------------------------------------------------------

FIELD = re.compile(r"^(?P<type>\w+) (?P<name>\w+)(?P<range><[^>]*>|\[[^\]]*\])*;$")


@EACH
def test_the_syntax_says_what_is_declared(cls: type[Struct]) -> None:
    lines = cls.syntax().splitlines()
    assert lines[0] == "struct {"
    assert lines[-1] == f"}} {cls.__name__};"
    assert len(lines) == len(cls.fields) + 2
    for line, (name, wire) in zip(lines[1:-1], cls.fields.items(), strict=True):
        assert re.search(rf"\b{name}\b", line)
        if isinstance(wire, (OpaqueVector, Vector)):
            assert f"<{wire.least}..{wire.most}>" in line


def rfc_structs(text: str) -> dict[str, dict[str, tuple[int, int]]]:
    """The vectors of each `struct { ... } Name;` of an RFC, with their bounds."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for body, name in re.findall(r"struct \{((?:[^{}]|\{[^{}]*\})*)\}\s*(\w+);", text):
        fields = {}
        for field, least, most in re.findall(r"(\w+)<(\d+)\.\.([\d^+-]+)>", body):
            fields[field] = (int(least), eval(most.replace("^", "**")))
        found.setdefault(name, fields)
    return found


#: Where we deliberately read more than the RFC's declaration; the reason stands beside the declaration.
WIDER = {("OfferedPsks", "binders")}


def test_the_bounds_are_the_rfcs(shared: Path) -> None:
    """Each vector that RFC 8446 declares under the same names has the same bounds here."""
    declared = rfc_structs((shared / "rfc" / "rfc8446.txt").read_text("utf-8"))
    compared = 0
    for cls in STRUCTURES:
        for name, (least, most) in declared.get(cls.__name__, {}).items():
            wire = cls.fields.get(name)
            if not isinstance(wire, (OpaqueVector, Vector)) or (cls.__name__, name) in WIDER:
                continue
            assert (wire.least, wire.most) == (least, most), f"{cls.__name__}.{name}"
            compared += 1
    assert compared >= 18


# -- extensions and tables -----------------------------------------------------------------------------------


@pytest.mark.rfc("rfc8446:4.2:7")
def test_the_same_extension_twice() -> None:
    block = b"\0\x0d\0\0" * 2
    with pytest.raises(DecodeError) as refused:
        messages.EncryptedExtensions.decode(len(block).to_bytes(2, "big") + block)
    assert refused.value.reason is Reason.DUPLICATE_EXTENSION


def test_an_absent_block_is_not_an_empty_one() -> None:
    hello = messages.ClientHello(0x0303, bytes(32), b"", (1,), (0,), ABSENT)
    assert messages.ClientHello.decode(hello.encode()).extensions is ABSENT
    hello.extensions = {}
    again = messages.ClientHello.decode(hello.encode())
    assert again.extensions == {}
    assert again.extensions is not ABSENT
    assert again.encode().endswith(b"\0\0")


def test_every_body_has_its_place() -> None:
    """What an extension holds is declared for each message in which it may stand, and for no other."""
    unspoken = {ExtensionType.use_srtp, ExtensionType.heartbeat}
    for (kind, message), body in ext.BODY.items():
        assert message in ext.ALLOWED_IN[kind], ExtensionType.name_of(kind)
        assert issubclass(body, Struct)
    for kind, places in ext.ALLOWED_IN.items():
        for message in places:
            known = kind in unspoken or (kind, message) in ext.BODY
            assert known or (kind, message) == (ExtensionType.supported_groups, ext.SH12)


def test_every_message_type_is_declared_once() -> None:
    for table in (messages.MESSAGES_13, messages.MESSAGES_12):
        for kind, cls in table.items():
            assert cls.msg_type == kind
            assert cls.section.startswith("RFC ")


def test_the_header_of_a_message() -> None:
    assert messages.Finished(b"abc").to_handshake() == b"\x14\0\0\3abc"
    assert messages.handshake(1, bytes(65_536))[:4] == b"\1\1\0\0"


def test_what_was_read_lately_is_remembered_within_bounds() -> None:
    class Word(Struct):
        letters: bytes = language.field(OpaqueVector(1, 2**16 - 1))

    first = Word(b"first").encode()
    assert Word.recall(first) == Word(b"first")
    assert Word.recall(first) is Word.recall(bytes(bytearray(first)))
    longest, too_long = (Word(bytes(size)).encode() for size in (254, 255))
    assert Word.recall(longest) is Word.recall(longest)
    assert Word.recall(too_long) == Word(bytes(255))
    assert Word.recall(too_long) is not Word.recall(too_long)
    for _ in range(2):  # a refusal is not remembered
        with pytest.raises(DecodeError, match="letters"):
            Word.recall(b"\0\0")
    for number in range(1000):
        assert Word.recall(Word(b"%d" % number).encode()).letters == b"%d" % number
    assert len(Word.recall.__self__) <= 64  # type: ignore[attr-defined]  # the dict that it is a method of


def test_the_language_is_complete() -> None:
    """Each type of the language appears in this test's interpreter."""
    types = {cls for cls in vars(language).values() if isinstance(cls, type) and issubclass(cls, WireType)}
    concrete = {cls for cls in types if not cls.__name__.startswith("_") and cls is not WireType}
    assert concrete == {Uint, Opaque, Rest, OpaqueVector, Vector, Nested, Extensions}


def test_the_plain_numbers_of_extensions_are_the_registrys() -> None:
    numbers = {name: value for name, value in vars(extension_types).items() if type(value) is int}
    assert len(numbers) > 25
    assert numbers == {name: ExtensionType[name].value for name in numbers}


def test_each_function_is_compiled_when_it_is_first_called_and_then_no_more() -> None:
    class Pair(Struct):
        left: int = language.field(language.Uint8())
        right: bytes = language.field(OpaqueVector(0, 255))

    fills, reads, recalls, writes = Pair.__init__, Pair.decode, Pair.recall, Pair.encode
    wire = Pair(7, b"ab").encode()
    assert (Pair.decode, Pair.recall) == (reads, recalls), "what is only written is not compiled to be read"
    assert Pair.encode is not writes
    assert Pair.decode(wire) == Pair.recall(wire) == Pair(7, b"ab")
    compiled = Pair.__init__, Pair.decode, Pair.recall, Pair.encode
    # Whoever kept what stood there before gets the same, and compiles nothing again.
    assert reads(wire) == recalls(wire) == Pair(7, b"ab")
    another = Pair.__new__(Pair)
    fills(another, 7, b"ab")
    assert writes(another) == wire
    assert compiled == (Pair.__init__, Pair.decode, Pair.recall, Pair.encode)
