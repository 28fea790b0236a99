"""Faults: the ways in which a misbehaving peer breaks a rule, as small objects to put together.

A fault sees everything that is about to be sent. Messages (RFC 8446 section 4) pass it one by one,
before they enter the transcript; whatever is no handshake message (ChangeCipherSpec, alerts,
application data) passes as a `Record`; and each record passes once more, as `Outgoing`, when it
is about to be sealed (RFC 8446 section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid.handshake.context import CCS
from pellucid.protection import CHANGE_CIPHER_SPEC, HANDSHAKE, PLAIN, PlainSealing, Sealing
from pellucid.wire.codepoints import ExtensionType, HandshakeType
from pellucid.wire.messages import RETRY_RANDOM, HandshakeMessage, ServerHello, handshake


@dataclass(frozen=True, slots=True)
class Record:
    """A record of its own, next to nothing else: its content type (1 byte) and its content."""

    content_type: int
    fragment: bytes


class HelloRetryRequest(ServerHello):
    """A ServerHello of RFC 8446 section 4.1.4: a name to address it by, in a script."""


#: What a fault gets and gives: an encoded handshake message, or a record of another type.
Item = bytes | Record
Message = type[HandshakeMessage]
Changes = Mapping[int, bytes | None] | Mapping[ExtensionType, bytes | None]


@dataclass(slots=True)
class Outgoing:
    """A record that is about to be sealed.

    Attributes:
        content_type: 20 to 23, or what a fault made of it.
        fragment: its plaintext.
        protection: the keys in force; `protection.epoch` says which.
        made: the plaintext of each record that was sealed in its place, for whoever observes.
    """

    content_type: int
    fragment: bytes
    protection: Sealing
    made: dict[bytes, bytes] = field(default_factory=dict)

    def sealed(self, fragment: bytes | None = None, content_type: int | None = None) -> bytes:
        """The record on the wire, header included, with the next sequence number."""
        body = self.fragment if fragment is None else fragment
        wire = self.protection.seal(self.content_type if content_type is None else content_type, body)
        self.made[wire] = body
        return wire

    def clear(self, fragment: bytes | None = None) -> bytes:
        """The same without protection (RFC 8446 section 5.1)."""
        return PlainSealing().seal(self.content_type, self.fragment if fragment is None else fragment)


class Fault:
    """One broken rule. Override either method."""

    def items(self, item: Item) -> Iterable[Item]:
        """What is sent in place of `item`: it, something else, several things, nothing."""
        return (item,)

    def wire(self, record: Outgoing) -> Iterable[bytes] | None:
        """What goes on the wire in place of `record`; None leaves it to the next fault."""
        return None


class Tap(Fault):
    """No fault: it remembers what was sent. Put it last to see what the others made of it.

    Attributes:
        sent: the handshake messages (bytes) and other records, in order.
        records: content type, epoch and plaintext of each record.
    """

    def __init__(self) -> None:
        self.sent: list[Item] = []
        self.records: list[tuple[int, int, bytes]] = []

    def items(self, item: Item) -> Iterable[Item]:
        """Remember it."""
        self.sent.append(item)
        return (item,)

    def wire(self, record: Outgoing) -> Iterable[bytes] | None:
        """Remember it."""
        self.records.append((record.content_type, record.protection.epoch, record.fragment))
        return None

    @property
    def types(self) -> list[int]:
        """The types of the handshake messages, in order."""
        return [item[0] for item in self.sent if isinstance(item, bytes)]

    def all(self, message: Message) -> list[Any]:
        """Every message of that kind, decoded."""
        at = _At(message, None)
        return [
            message.decode(item[4:]) for item in self.sent if isinstance(item, bytes) and at.matches(item)
        ]

    def the(self, message: Message) -> Any:
        """The only message of that kind, decoded.

        Raises:
            LookupError: there was none, or more than one.
        """
        found = self.all(message)
        if len(found) != 1:
            raise LookupError(f"{len(found)} times {message.__name__}")
        return found[0]


class _At(Fault):
    """A fault at one kind of message, at each of them or only at one."""

    def __init__(self, message: Message, nth: int | None) -> None:
        self.message = message
        self.nth = nth
        self.seen = 0

    def items(self, item: Item) -> Iterable[Item]:
        if not self.matches(item):
            return (item,)
        self.seen += 1
        if self.nth is not None and self.seen != self.nth:
            return (item,)
        return self.instead(item)

    def matches(self, item: Item) -> bool:
        """Whether `item` is the message that this fault is about."""
        kind = self.message.msg_type
        if isinstance(item, Record):
            return kind == CCS and item.content_type == CHANGE_CIPHER_SPEC
        if not item or item[0] != kind:
            return False
        if kind != HandshakeType.server_hello:
            return True
        return (item[6:38] == RETRY_RANDOM) is (self.message is HelloRetryRequest)

    def instead(self, item: Item) -> Iterable[Item]:
        """What is sent in place of the matching `item`."""
        raise NotImplementedError


class _Instead(_At):
    def __init__(self, message: Message, nth: int | None, function: Callable[[Any], Iterable[Item]]) -> None:
        super().__init__(message, nth)
        self.instead = function  # type: ignore[method-assign, assignment]


def _encoded(things: Iterable[HandshakeMessage | Item]) -> list[Item]:
    return [thing.to_handshake() if isinstance(thing, HandshakeMessage) else thing for thing in things]


# -- messages ----------------------------------------------------------------------------------------


def edit(
    message: Message, change: Callable[[Any], Any] | None = None, *, nth: int | None = None, **fields: Any
) -> Fault:
    """Change the content of a message.

    Parameters:
        message: its structure, from `pellucid.wire.messages`.
        change: called with the message; changes it in place, or returns another one.
        nth: only the nth message of that kind, from 1; None for all.
        fields: new values of fields.

    Raises:
        AttributeError: the message has no such field.

    >>> from pellucid.wire.messages import KeyUpdate
    >>> list(edit(KeyUpdate, request_update=7).items(KeyUpdate(0).to_handshake()))[0].hex()
    '1800000107'
    """

    if unknown := fields.keys() - set(message.fields):
        raise AttributeError(f"{message.__name__} has no field {min(unknown)}")

    def instead(raw: bytes) -> Iterable[Item]:
        decoded: Any = message.decode(raw[4:])
        for name, value in fields.items():
            setattr(decoded, name, value)
        if change is not None:
            changed = change(decoded)
            decoded = decoded if changed is None else changed
        return (decoded.to_handshake(),)

    return _Instead(message, nth, instead)


def extensions(message: Message, changes: Changes, *, nth: int | None = None) -> Fault:
    """Add extensions to a message (at the end), replace them (in place), or (None) take them out."""

    def change(decoded: Any) -> None:
        found = dict(decoded.extensions)
        for kind, body in changes.items():
            if body is None:
                found.pop(kind, None)
            else:
                found[kind] = body
        decoded.extensions = found

    return edit(message, change, nth=nth)


class _Pairs(dict[int, bytes]):
    """Extensions that are no mapping: one of them stands twice."""

    def __init__(self, pairs: Sequence[tuple[int, bytes]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        return self._pairs


def repeat_extension(message: Message, kind: int, *, nth: int | None = None) -> Fault:
    """Send an extension of the message twice (RFC 8446 section 4.2 forbids it)."""

    def change(decoded: Any) -> None:
        pairs = list(decoded.extensions.items())
        decoded.extensions = _Pairs([(kind, decoded.extensions[kind]), *pairs])

    return edit(message, change, nth=nth)


def drop(message: Message, *, nth: int | None = None) -> Fault:
    """Do not send the message."""
    return _Instead(message, nth, lambda item: ())


def duplicate(message: Message, *, nth: int | None = None) -> Fault:
    """Send the message twice."""
    return _Instead(message, nth, lambda item: (item, item))


def replace(message: Message, *others: HandshakeMessage | Item, nth: int | None = None) -> Fault:
    """Send `others` (messages, their bytes, or a `Record`) instead of the message."""
    return _Instead(message, nth, lambda item: _encoded(others))


def insert(
    *others: HandshakeMessage | Item,
    before: Message | None = None,
    after: Message | None = None,
    nth: int | None = None,
) -> Fault:
    """Send `others` in front of the message `before`, or right behind the message `after`."""
    if before is not None:
        return _Instead(before, nth, lambda item: (*_encoded(others), item))
    if after is not None:
        return _Instead(after, nth, lambda item: (item, *_encoded(others)))
    raise TypeError("insert before or after which message?")


class _Swap(Fault):
    def __init__(self, first: Message, second: Message) -> None:
        self._first = _At(first, None)
        self._second = _At(second, None)
        self._held: list[Item] = []

    def items(self, item: Item) -> Iterable[Item]:
        if self._first.matches(item):
            self._held.append(item)
            return ()
        if self._second.matches(item):
            held, self._held = self._held, []
            return (item, *held)
        return (item,)


def swap(first: Message, second: Message) -> Fault:
    """Send `first` only after `second`."""
    return _Swap(first, second)


def flip(message: Message, at: int = -1, *, nth: int | None = None) -> Fault:
    """Change the lowest bit of one byte of the message's body; by default of the last."""

    def instead(raw: bytes) -> Iterable[Item]:
        body = bytearray(raw[4:])
        body[at] ^= 1
        return (raw[:4] + bytes(body),)

    return _Instead(message, nth, instead)


def cut(message: Message, size: int = 1, *, nth: int | None = None) -> Fault:
    """Leave out the last `size` bytes of the message's body; its header says so."""
    return _Instead(message, nth, lambda raw: (handshake(raw[0], raw[4:-size]),))


def append(message: Message, tail: bytes = b"\0", *, nth: int | None = None) -> Fault:
    """Let the message go on after its last field; its header says so."""
    return _Instead(message, nth, lambda raw: (handshake(raw[0], raw[4:] + tail),))


# -- records -----------------------------------------------------------------------------------------


class _Records(Fault):
    def __init__(
        self,
        change: Callable[[Outgoing], Iterable[bytes] | None],
        content_type: int | None,
        epoch: int | None,
        nth: int | None,
    ) -> None:
        self._change = change
        self._content_type = content_type
        self._epoch = epoch
        self._nth = nth
        self._seen = 0

    def wire(self, record: Outgoing) -> Iterable[bytes] | None:
        if self._content_type not in (None, record.content_type):
            return None
        if self._epoch not in (None, record.protection.epoch):
            return None
        self._seen += 1
        if self._nth not in (None, self._seen):
            return None
        return self._change(record)


def records(
    change: Callable[[Outgoing], Iterable[bytes] | None],
    *,
    content_type: int | None = None,
    epoch: int | None = None,
    nth: int | None = None,
) -> Fault:
    """Send what `change(record)` gives in place of a record: whole records, as bytes.

    Parameters:
        content_type: only records of that type.
        epoch: only records under those keys: 0 none, 1 early data (TLS 1.2: all), 2 handshake,
            3 application data, and from 4 on after key updates.
        nth: only the nth such record, from 1.
    """
    return _Records(change, content_type, epoch, nth)


def split(size: int, *, content_type: int | None = None, epoch: int | None = None) -> Fault:
    """Cut what is sent into records of `size` bytes."""

    def change(record: Outgoing) -> Iterable[bytes]:
        data = record.fragment
        return [record.sealed(data[at : at + size]) for at in range(0, len(data), size)]

    return records(change, content_type=content_type, epoch=epoch)


def corrupt(at: int = -1, *, epoch: int | None = None, nth: int | None = None) -> Fault:
    """Change one bit of a record on the wire, as a wrong key would (RFC 8446 section 5.2)."""

    def change(record: Outgoing) -> Iterable[bytes]:
        wire = bytearray(record.sealed())
        wire[at] ^= 1
        return (bytes(wire),)

    return records(change, epoch=epoch, nth=nth)


def in_clear(*, content_type: int | None = None, epoch: int | None = None) -> Fault:
    """Send records without protection."""
    return records(lambda record: (record.clear(),), content_type=content_type, epoch=epoch)


def record_version(version: int, *, epoch: int | None = PLAIN) -> Fault:
    """Write another version into the header of records."""

    def change(record: Outgoing) -> Iterable[bytes]:
        wire = record.sealed()
        return (wire[:1] + version.to_bytes(2, "big") + wire[3:],)

    return records(change, epoch=epoch)


def apart() -> Fault:
    """No fault either: each handshake message in a record of its own, as RFC 8446 section 5.1 allows."""

    def change(record: Outgoing) -> Iterable[bytes] | None:
        data, parts, at = record.fragment, [], 0
        while at + 4 <= len(data):
            end = at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
            parts.append(data[at:end])
            at = end
        if at != len(data):
            return None  # the record holds a part of a message only
        return [record.sealed(part) for part in parts]

    return records(change, content_type=HANDSHAKE)
