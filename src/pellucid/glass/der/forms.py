"""ASN.1 as it is declared in the RFCs, and a walk over DER that gives every byte its declared name.

RFC 5280 appendix A, RFC 6960 appendix B (the declarations themselves stand in `x509`, `keys` and `ocsp`);
ITU-T X.690 sections 8 and 10 (the bytes). A `Walk` never refuses: what is not as declared gets a field that
says so, and what cannot be read is a field up to the end of what contains it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pellucid.glass.der import primitives as say
from pellucid.glass.der.elements import CONSTRUCTED, CONTEXT, UNIVERSAL, Element, Trouble, element
from pellucid.glass.fields import Field, sized

#: Elements that are opened in one value; a certificate has about 120.
MOST = 4000
_DEEPEST = 24
_LONGEST_MEANING = 160
_STRINGS = (12, 18, 19, 20, 22, 26, 28, 30)
_TIMES = (23, 24)
HEADER = "tag and length"


@dataclass(frozen=True)
class Form:
    """A type of ASN.1: `type` as its RFC calls it, `section` where it says so."""

    type: str = ""
    section: str = ""


@dataclass(frozen=True)
class Leaf(Form):
    """A primitive type; `tags` are the universal ones that it may have."""

    tags: tuple[int, ...] = ()
    say: say.Saying = say.octets


@dataclass(frozen=True)
class Seq(Form):
    """SEQUENCE { parts }.

    `titled`: (name, about, section) by the identifier in it, instead of the place's own.
    `says`: its point in a few words, from its parts.
    """

    parts: tuple[Part, ...] = ()
    titled: Callable[[str], tuple[str, str, str]] | None = None
    says: Callable[[Sequence[Field]], str] | None = None


@dataclass(frozen=True)
class Many(Form):
    """SEQUENCE OF or SET OF; `item` is what each is called. `says`: its point, from its items."""

    item: str = ""
    of: Form = field(default_factory=Form)
    tag: int = 16
    says: Callable[[Sequence[Field]], str] | None = None


@dataclass(frozen=True)
class Choice(Form):
    """CHOICE { options }: each has another tag."""

    options: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Inside(Form):
    """DER within an OCTET STRING (4) or a BIT STRING (3)."""

    of: Form = field(default_factory=Form)
    tag: int = 4


@dataclass(frozen=True)
class Foreign(Form):
    """An OCTET STRING whose content is no DER: `read` makes its fields; None where it cannot."""

    read: Callable[[bytes, int, int], tuple[Field, ...] | None] = lambda data, start, end: None


@dataclass(frozen=True)
class ByOid(Form):
    """What it is, the identifier before it says."""

    table: Mapping[str, Form] = field(default_factory=dict)
    default: Form = field(default_factory=Form)


@dataclass(frozen=True)
class Part:
    """A named field of a structure. `tag`: its context tag, IMPLICIT unless `explicit`."""

    name: str
    form: Form
    about: str = ""
    section: str = ""
    tag: int | None = None
    explicit: bool = False
    optional: bool = False

    def takes(self, found: Element, oid: str) -> bool:
        """Whether this element can be it."""
        if self.tag is not None:
            return found.tag & 0xC0 == CONTEXT and found.number == self.tag
        return _takes(_resolved(self.form, oid), found)


def _resolved(form: Form, oid: str) -> Form:
    while isinstance(form, ByOid):
        form = form.table.get(oid, form.default)
    return form


def _takes(form: Form, found: Element) -> bool:
    if isinstance(form, Choice):
        return any(option.takes(found, "") for option in form.options)
    universal = found.number if found.tag & 0xC0 == 0 else -1
    match form:
        case Leaf():
            return universal in form.tags
        case Seq():
            return universal == 16
        case Many() | Inside():
            return universal == form.tag
        case Foreign():
            return universal == 4
    return True  # ANY


#: ANY: whatever stands there, by its own tags.
ANY = Form("ANY")
BOOLEAN = Leaf("BOOLEAN", tags=(1,), say=say.boolean)
INTEGER = Leaf("INTEGER", tags=(2,), say=say.integer)
BIT_STRING = Leaf("BIT STRING", tags=(3,), say=say.bits)
OCTET_STRING = Leaf("OCTET STRING", tags=(4,))
KEY_IDENTIFIER = Leaf("KeyIdentifier", tags=(4,), say=say.identifier_of_key)
NULL = Leaf("NULL", tags=(5,), say=say.null)
OID = Leaf("OBJECT IDENTIFIER", tags=(6,), say=say.oid)
TEXT = Leaf("text", tags=_STRINGS)
TIME = Leaf("Time", tags=_TIMES)
#: A GeneralizedTime or text behind an IMPLICIT tag would lose its form; those of the RFCs are explicit.
_BY_TAG: dict[int, Leaf] = {1: BOOLEAN, 2: INTEGER, 3: BIT_STRING, 4: OCTET_STRING, 5: NULL, 6: OID}


class Walk:
    """One walk over `data`; `most` elements are opened at most."""

    def __init__(self, data: bytes, most: int = MOST) -> None:
        self.data = data
        self.left = most
        self.depth = 0

    def whole(self, part: Part, start: int, end: int, section: str, oid: str = "") -> tuple[Field, ...]:
        """The one element that fills `data[start:end]`, and what is left over, if anything is."""
        try:
            found = element(self.data, start, end)
        except Trouble as trouble:
            return (_unreadable(start, end, str(trouble)),) if end > start else ()
        field = self.element(part if part.takes(found, oid) else _stranger(found), found, section, oid)
        if found.end < end:
            return field, _unreadable(found.end, end, "nothing should follow here")
        return (field,)

    def element(self, part: Part, found: Element, section: str, oid: str = "") -> Field:
        """The field of an element that stands in the place of `part`."""
        form = _resolved(part.form, oid)
        section = part.section or form.section or section
        self.left -= 1
        if self.depth >= _DEEPEST or self.left < 0:
            why = "so deep nothing is opened" if self.left >= 0 else "so much is not opened"
            return self._leaf(part, found, section, "", why, found.type)
        self.depth += 1
        try:
            told = self._element(part, form, found, section)
        except Trouble as trouble:
            told = self._leaf(part, found, section, "", f"unreadable: {trouble}", found.type)
        finally:
            self.depth -= 1
        return told

    def _element(self, part: Part, form: Form, found: Element, section: str) -> Field:
        if part.explicit:
            inner = replace(part, name=form.type or part.name, tag=None, explicit=False, about="")
            children = self.whole(inner, found.content, found.end, section)
            return self._group(part, found, section, children, children[0].meaning if children else "")
        match form:
            case Choice():
                return self._chosen(form, part, found, section)
            case Leaf():
                return self._primitive(part, form, found, section)
            case Seq():
                return self._sequence(part, form, found, section)
            case Many():
                return self._many(part, form, found, section)
            case Inside():
                return self._inside(part, form, found, section)
            case Foreign():
                inner_fields = form.read(self.data, found.content, found.end)
                if inner_fields is None:
                    raise Trouble(f"this is no {form.type}")
                return self._group(part, found, section, inner_fields, _joined(inner_fields))
        return self._any(part, found, section)

    # -- the kinds --------------------------------------------------------------------------------------

    def _primitive(self, part: Part, form: Leaf, found: Element, section: str) -> Field:
        if found.tag & CONSTRUCTED:
            raise Trouble("it is made of parts, which DER does not allow here")
        content = self.data[found.content : found.end]
        kind = UNIVERSAL.get(found.number, "") if found.tag & 0xC0 == 0 else form.type
        if form is TIME:
            value, meaning = say.time(content, kind)
        elif form is TEXT:
            value, meaning = say.text(content, kind)
        else:
            value, meaning = form.say(content)
        shown = kind if found.tag & 0xC0 == 0 else f"{found.type} {kind}".rstrip()
        return self._leaf(part, found, section, value, meaning, shown)

    def _sequence(self, part: Part, form: Seq, found: Element, section: str) -> Field:
        children, missing, oid = self._parts(form, found, section)
        said = form.says(children) if form.says is not None else ""
        if missing:
            said = f"{missing} is missing" + (f"; {said}" if said else "")
        if form.titled is not None and oid:
            name, about, place = form.titled(oid)
            part = replace(part, name=name or part.name, about=about or part.about)
            section = place or section
        return self._group(part, found, section, children, said, form.type)

    def _parts(self, form: Seq, found: Element, section: str) -> tuple[tuple[Field, ...], str, str]:
        """(the fields, the first one that is missing, the identifier that stood in it)."""
        _constructed(found)
        fields: list[Field] = []
        waiting = list(form.parts)
        at, oid, first = found.content, "", ""
        while at < found.end:
            try:
                inner = element(self.data, at, found.end)
            except Trouble as trouble:
                fields.append(_unreadable(at, found.end, str(trouble)))
                break
            place = next((n for n, one in enumerate(waiting) if one.takes(inner, oid)), None)
            if place is None or any(not one.optional for one in waiting[:place]):
                fields.append(self.element(_stranger(inner), inner, section))
            else:
                fields.append(self.element(waiting[place], inner, section, oid))
                del waiting[: place + 1]
                oid = _identifier(fields[-1]) or oid
                if form.titled is not None and oid and not first:
                    section = form.titled(oid)[2] or section
                first = first or oid
            at = inner.end
        missing = next((one.name for one in waiting if not one.optional), "")
        return tuple(fields), missing, first

    def _many(self, part: Part, form: Many, found: Element, section: str) -> Field:
        _constructed(found)
        fields: list[Field] = []
        item = Part(form.item, form.of)
        at = found.content
        while at < found.end:
            try:
                inner = element(self.data, at, found.end)
            except Trouble as trouble:
                fields.append(_unreadable(at, found.end, str(trouble)))
                break
            if self.left <= 0:
                fields.append(_unreadable(at, found.end, "so many are not opened"))
                break
            fields.append(self.element(item, inner, section))
            at = inner.end
        said = _joined(fields) if form.says is None else form.says(fields)
        return self._group(part, found, section, tuple(fields), said, form.type)

    def _chosen(self, form: Choice, part: Part, found: Element, section: str) -> Field:
        option = next((one for one in form.options if one.takes(found, "")), None)
        if option is None:
            return self._any(part, found, section)
        about = part.about or option.about
        return self.element(replace(option, about=about), found, section)

    def _inside(self, part: Part, form: Inside, found: Element, section: str) -> Field:
        if found.tag & CONSTRUCTED:
            raise Trouble("it is made of parts, which DER does not allow here")
        start = found.content
        fields: tuple[Field, ...] = ()
        if form.tag == 3:
            unused = say.unused_bits(self.data[start : found.end])
            if unused:
                raise Trouble(f"{unused} bits of its last byte do not count")
            about = "How many bits of the last byte do not count."
            fields = (Field("unused bits", start, start + 1, "0", "", about, "", section),)
            start += 1
        inner = self.whole(Part(form.of.type or "value", form.of), start, found.end, section)
        return self._group(part, found, section, fields + inner, _joined(inner))

    def _any(self, part: Part, found: Element, section: str) -> Field:
        name = found.type if part.name == ANY.type else part.name
        part = replace(part, name=name)
        if found.tag & CONSTRUCTED:
            return self._many(part, Many(item=ANY.type, of=ANY), found, section)
        leaf = _BY_TAG.get(found.number)
        if found.number in _STRINGS:
            leaf = TEXT
        elif found.number in _TIMES:
            leaf = TIME
        if leaf is None or found.tag & 0xC0:
            return self._leaf(part, found, section, sized(found.end - found.content), "", found.type)
        return self._primitive(part, leaf, found, section)

    # -- fields -----------------------------------------------------------------------------------------

    def _leaf(self, part: Part, found: Element, section: str, value: str, meaning: str, kind: str) -> Field:
        return Field(part.name, found.start, found.end, value, meaning, part.about, kind, section)

    def _group(
        self, part: Part, found: Element, section: str, inner: tuple[Field, ...], said: str, kind: str = ""
    ) -> Field:
        """A field with parts: in front of them its tag and its length."""
        size = found.end - found.content
        head = self.data[found.start : found.content].hex(" ")
        header = Field(
            HEADER, found.start, found.content, head, f"{found.type}, {sized(size)}", "", "DER", section
        )
        told = found.type if not kind or kind == found.type else f"{kind}, {found.type}"
        value = sized(found.end - found.start)
        return Field(
            part.name,
            found.start,
            found.end,
            value,
            _short(said),
            part.about,
            told,
            section,
            (header, *inner),
        )


def _stranger(found: Element) -> Part:
    return Part(found.type, ANY, "Nothing of this kind is declared in this place.")


def _constructed(found: Element) -> None:
    if not found.tag & CONSTRUCTED:
        raise Trouble(f"{found.type} should be made of parts")


def _unreadable(start: int, end: int, why: str) -> Field:
    return Field("unreadable", start, end, sized(end - start), why, "", "opaque")


def _identifier(told: Field) -> str:
    """The identifier that a field is, or that stands first in it."""
    if len(told.children) > 1 and told.children[0].name == HEADER:
        told = told.children[1]
    return told.value if told.kind == "OBJECT IDENTIFIER" else ""


def _joined(fields: Sequence[Field]) -> str:
    said = [one.meaning or ("" if one.children else one.value) for one in fields]
    return ", ".join(one for one in said if one)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_MEANING else text[: _LONGEST_MEANING - 2] + " …"
