"""What crossed the wire, in order, from a trace: messages, ChangeCipherSpecs, alerts, data.

RFC 8446 sections 4, 5 and 6. Every crossing has an `id` that is the same in every view, so that an
arrow of the ladder, a message's bytes and a record on the wire can point at each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.glass.decode import Message, Reader
from pellucid.glass.trace import Fact, Trace
from pellucid.wire.codepoints import Alert, AlertLevel, ContentType, HandshakeType

OTHER = {"client": "server", "server": "client"}
_QUIET = (Alert.close_notify, Alert.user_canceled)
_ABOUT_CERTIFICATES = frozenset({
    Alert.bad_certificate, Alert.unsupported_certificate, Alert.certificate_revoked,
    Alert.certificate_expired, Alert.certificate_unknown, Alert.unknown_ca,
    Alert.bad_certificate_status_response, Alert.certificate_required,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crossing:
    """One thing that crossed the wire.

    Attributes:
        id: "x0", "x1" ... in the order of the trace; the same in every view.
        at: seconds since the trace was opened.
        sender: "client" or "server".
        kind: "message", "ccs", "alert" or "data".
        name: as people say it: "ClientHello", "Alert: bad_certificate", "application data".
        epoch: the set of keys it travelled under; 0 is none.
        sealed: whether it was encrypted.
        raw: its own bytes, in clear; b"" where the trace withholds them.
        size: bytes, also where `raw` is withheld or shortened.
        bad: a fatal alert.
        message: the decoded handshake message, for "message".
    """

    id: str
    at: float
    sender: str
    kind: str
    name: str
    epoch: int
    sealed: bool
    raw: bytes
    size: int
    bad: bool = False
    message: Message | None = None


def crossings(trace: Trace, reader: Reader | None = None) -> tuple[Crossing, ...]:
    """Everything that crossed the wire, in order."""
    reader = reader or Reader(trace)
    found: list[Crossing] = []
    epochs = {True: 0, False: 0}
    for fact in trace.facts:
        crossing = _crossing(reader, fact, f"x{len(found)}", epochs)
        if crossing is not None:
            found.append(crossing)
    return tuple(found)


def _crossing(reader: Reader, fact: Fact, name: str, epochs: dict[bool, int]) -> Crossing | None:
    fields = fact.fields
    if fact.kind == "keys":
        epochs[fields["sent"]] = fields["epoch"]
        return None
    if fact.kind not in ("message", "ccs", "alert", "record"):
        return None
    sent: bool = fields["sent"]
    role = reader.trace.role
    sender = role if sent else OTHER[role]
    if fact.kind == "message":
        message = reader.message(fact)
        sealed = message.epoch > 0
        return Crossing(
            name, fact.at, sender, "message", message.name, message.epoch, sealed,
            message.raw, len(message.raw), message=message,
        )  # fmt: skip
    if fact.kind == "ccs":
        return Crossing(name, fact.at, sender, "ccs", "ChangeCipherSpec", 0, False, b"\x01", 1)
    if fact.kind == "alert":
        level, description = fields["level"], fields["description"]
        # RFC 8446 6: in TLS 1.3 the level says nothing
        bad = description not in _QUIET and (level == AlertLevel.fatal or reader.version == 0x0304)
        told = f"Alert: {Alert.name_of(description, 2)}"
        epoch = epochs[sent]
        raw = bytes((level, description))
        return Crossing(name, fact.at, sender, "alert", told, epoch, epoch > 0, raw, 2, bad)
    if fields.get("unopened"):
        wire = fields["wire"]
        size, told = fields.get("size", len(wire)), fields["unopened"]
        title = told if told == "refused early data" else f"a record that does not open ({told})"
        return Crossing(name, fact.at, sender, "data", title, fields["epoch"], True, b"", size, title != told)
    if fields["content_type"] != ContentType.application_data:
        return None
    plaintext = fields.get("plaintext")
    raw = plaintext if isinstance(plaintext, bytes) else b""
    size = data_size(fact)
    early = fields["epoch"] == 1 and reader.version != 0x0303
    told = "early data" if early else "application data"
    return Crossing(name, fact.at, sender, "data", told, fields["epoch"], True, raw, size)


def data_size(fact: Fact) -> int:
    """Bytes of application data in a "record" fact, also where they are withheld or shortened."""
    fields = fact.fields
    plaintext: Any = fields.get("plaintext")
    if "plain_size" in fields:
        return int(fields["plain_size"])
    if plaintext is None:
        return len(fields["wire"])
    return len(plaintext) if isinstance(plaintext, bytes) else int(plaintext.length)


def steps_of(found: tuple[Crossing, ...], version: int) -> dict[str, int]:
    """Which of the nine steps each crossing belongs to, by its id.

    A fatal alert belongs to the step at which it ended the handshake: where a certificate was refused
    that is the third, else the one whose message it answers (RFC 8446 section 6.2).
    """
    steps: dict[str, int] = {}
    finished: set[str] = set()
    answered = {"client": 1, "server": 1}  # the step of the latest message that this end got
    for crossing in found:
        step = step_of(crossing, version)
        if crossing.bad and crossing.kind == "alert":
            step = _certificate_step(crossing, version) or (
                answered[crossing.sender] if len(finished) < 2 else 9
            )
        elif crossing.kind == "message":
            answered[OTHER[crossing.sender]] = step
            if crossing.message is not None and crossing.message.type == HandshakeType.finished:
                finished.add(crossing.sender)
        steps[crossing.id] = step
    return steps


def _certificate_step(alert: Crossing, version: int) -> int:
    """The step at which the other end showed the certificate that an alert refuses; 0 for other alerts.

    In TLS 1.3 the client may be done, and sending, before the server has looked (RFC 8446 section 4.4.2.4).
    """
    if alert.raw[1] not in _ABOUT_CERTIFICATES:
        return 0
    return 3 if alert.sender == "client" else 7 if version == 0x0304 else 4


def step_of(crossing: Crossing, version: int) -> int:
    """Which of the nine steps a crossing belongs to by itself (see `steps_of`).

    RFC 5246 section 7.3 and RFC 8446 section 2; 9 is whatever comes after the handshake.
    """
    if crossing.kind == "data":
        return 1 if crossing.name in ("early data", "refused early data") else 9
    if crossing.kind == "alert":
        return 9
    if crossing.kind == "ccs":
        return (7 if crossing.sender == "client" else 8) if version != 0x0304 else 2
    kind = crossing.message.type if crossing.message is not None else 0
    if kind == HandshakeType.client_hello or crossing.name == "HelloRetryRequest":
        return 1
    if kind == HandshakeType.finished or kind == HandshakeType.end_of_early_data:
        return 7 if crossing.sender == "client" else 8
    if kind in (HandshakeType.new_session_ticket, HandshakeType.key_update):
        return 9 if version == 0x0304 else 8
    if crossing.sender == "client":
        return 7 if version == 0x0304 else 4
    if kind in (HandshakeType.server_hello, HandshakeType.encrypted_extensions):
        return 2
    return 3 if version == 0x0304 else 2
