"""The nine steps, told from what a connection really did.

RFC 5246 section 7.3, RFC 8446 section 2. `tell` takes the client's trace, the server's, or both;
with both, each side's own secrets stand beside each other. Every value is the trace's: nothing is
computed again here, and nothing invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pellucid.errors import Reason
from pellucid.glass import rows
from pellucid.glass.decode import CERTIFICATES, Message, Reader, version_name
from pellucid.glass.failure import explain
from pellucid.glass.model import APPLICATION_DATA, EARLY_DATA, Arrow, Both, Box, Mark, Step, Story
from pellucid.glass.show import Row, Said, listing
from pellucid.glass.trace import Fact, Hidden, Trace
from pellucid.glass.words import CHANGES, ORDER, STEPS, TAUGHT
from pellucid.secret import Secret
from pellucid.wire.codepoints import (
    Alert,
    CipherSuite,
    ContentType,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from pellucid.wire.codepoints import (
    HandshakeType as T,
)

_OTHER = {"client": "server", "server": "client"}
#: How many records of application data the story shows.
_SHOWN = 4
#: The kinds of TLS 1.3 in which a pre-shared key takes the certificate's place.
_KEYED = ("resumed13", "psk13")
_BLOCK = 'key block = PRF(master secret, "key expansion", server random, client random)'


class Tampering(NamedTuple):
    """A record that somebody changed on its way, in a connection of its own.

    `sent` and `arrived` are the record's bytes on the wire; `trace` is the receiver's.
    """

    sent: bytes
    arrived: bytes
    trace: Trace


def tell(
    client: Trace | None = None,
    server: Trace | None = None,
    *,
    beside_rsa: bool = False,
    tampering: Tampering | None = None,
) -> Story:
    """Tell the handshake of these traces.

    Args:
        client: the client's trace of the connection.
        server: the server's trace of the same connection. One of the two is enough.
        beside_rsa: say at each step what changed since the textbook's static RSA handshake.
        tampering: what became of a changed record, to be told in the ninth step.
    """
    story = _Teller(client, server).story(beside_rsa)
    last = story.step(9)
    if tampering is not None and last is not None:
        last.items += _changed_record(tampering)
    return story


class _Teller:
    """Builds one story. `main` is the trace whose order of messages is told; client's if there is one."""

    def __init__(self, client: Trace | None, server: Trace | None) -> None:
        main = client or server
        if main is None:
            raise ValueError("a story needs a trace")
        self.main = main
        self.client = client
        self.server = server
        self.reader = Reader(main)
        self.messages = [self.reader.message(fact) for fact in main.of("message")]
        self.kind = self._kind()

    def _kind(self) -> str:
        """Which of the ways of `words` this handshake went."""
        reader = self.reader
        if self.messages and all(message.type in CERTIFICATES for message in self.messages):
            return "certificates"
        if not reader.version:
            return "" if self._offers_13() else "early12"
        hello = next(m for m in self.messages if m.type == T.server_hello)
        if reader.key_exchange == "any":
            return self._kind_13()
        certificate = any(m.type in CERTIFICATES and m.sender == "server" for m in self.messages)
        finished = any(m.type == T.finished for m in self.messages)
        if finished and not certificate and "PSK" not in reader.key_exchange:
            return "resumed12"
        return reader.key_exchange if hello.body is not None else ""

    def _kind_13(self) -> str:
        """With a certificate, with a ticket's key, or with a key that was agreed on elsewhere."""
        hello = self._server_hello()
        taken = self.reader.extension(hello, ExtensionType.pre_shared_key) if hello is not None else None
        if not taken:
            return "any"
        hellos = [m for m in self.messages if m.type == T.client_hello and m.body is not None]
        offered = self.reader.extension(hellos[-1], ExtensionType.pre_shared_key) if hellos else None
        if offered is None or taken.selected_identity >= len(offered.identities):
            return "resumed13"
        # RFC 8446 4.2.11: without a ticket the age is 0; a ticket's is hidden in a sum with a random number
        return "resumed13" if offered.identities[taken.selected_identity].obfuscated_ticket_age else "psk13"

    def _offers_13(self) -> bool:
        """Whether the client offers TLS 1.3; also where no ClientHello is at hand."""
        hello = next((m for m in self.messages if m.type == T.client_hello and m.body is not None), None)
        if hello is None:
            return True
        offered = self.reader.extension(hello, ExtensionType.supported_versions)
        return offered is not None and ProtocolVersion.TLS_1_3 in offered.versions

    def _server_hello(self) -> Message | None:
        found = None
        for message in self.messages:
            if message.type == T.server_hello and message.name == "ServerHello":
                found = message
        return found

    def story(self, beside_rsa: bool) -> Story:
        words = STEPS[self.kind]
        changes = CHANGES.get(self.kind, {}) if beside_rsa else {}
        fillers = {1: self._hello, 2: self._answer, 3: self._trust, 4: self._exchange, 5: self._same}
        fillers |= {6: self._keys, 7: self._client_finished, 8: self._server_finished, 9: self._data}
        steps = []
        for number in ORDER.get(self.kind, TAUGHT):
            who, title, tells = words[number]
            step = Step(number, who, title, tells, change=changes.get(number))
            fillers[number](step)
            if step.items:
                steps.append(step)
        story = Story(self.kind, steps, server=self.reader.asked or "server")
        self._end(story)
        story.summary = self._summary()
        return story

    # -- pieces ---------------------------------------------------------------------------------------

    def _arrow(self, message: Message, *more: Row) -> Arrow:
        found = rows.of_message(self.reader, message)
        return Arrow(message.sender, message.name, len(message.raw), message.epoch > 0, (*found, *more))

    def _arrows(self, step: Step, sender: str, *types: int) -> None:
        """The messages of these types from `sender`, as arrows."""
        for message in self.messages:
            if message.sender == sender and message.type in types:
                step.items.append(self._arrow(message))

    def _secrets(self, name: str) -> Both | None:
        """What each side noted as the secret `name`."""
        found = [trace.secret(name) if trace is not None else None for trace in (self.client, self.server)]
        values = [fact.fields["value"] if fact is not None else None for fact in found]
        return None if values == [None, None] else Both(*values)

    def _secret_row(self, label: str, name: str) -> tuple[Row, ...]:
        both = self._secrets(name)
        return () if both is None else (Row(label, both),)

    def _one_side(self, side: str, name: str) -> Secret | None:
        trace = self.client if side == "client" else self.server
        fact = trace.secret(name) if trace is not None else None
        return None if fact is None else fact.fields["value"]

    def _input(self, side: str, secret: str, name: str) -> object:
        trace = self.client if side == "client" else self.server
        fact = trace.secret(secret) if trace is not None else None
        return None if fact is None else fact.fields["inputs"].get(name)

    # -- the steps ------------------------------------------------------------------------------------

    def _hello(self, step: Step) -> None:
        found = [
            (message.at, self._arrow(message))
            for message in self.messages
            if message.type == T.client_hello or message.name == "HelloRetryRequest"
        ]
        early = [fact for fact in self.main.of("record") if self._is_early(fact)]
        found += [(fact.at, _data_arrow("client", fact)._replace(name=EARLY_DATA)) for fact in early[:_SHOWN]]
        step.items += [arrow for _, arrow in sorted(found, key=lambda item: item[0])]

    def _is_early(self, fact: Fact) -> bool:
        """Whether a record holds 0-RTT data (RFC 8446 section 2.3)."""
        data = fact.fields["content_type"] == ContentType.application_data and not fact.fields.get("unopened")
        return data and fact.fields["epoch"] == 1 and self.reader.version != 0x0303

    def _answer(self, step: Step) -> None:
        hello = self._server_hello()
        if hello is not None:
            step.items.append(self._arrow(hello))
        if self.reader.key_exchange == "any":
            return
        flight = (*CERTIFICATES, T.certificate_status, T.server_key_exchange, T.certificate_request)
        self._arrows(step, "server", *flight, T.server_hello_done)

    def _trust(self, step: Step) -> None:
        if self.kind == "certificates":
            self._arrows(step, "server", *CERTIFICATES)
        if self.reader.key_exchange == "any":
            flight = (T.encrypted_extensions, T.certificate_request, *CERTIFICATES)
            self._arrows(step, "server", *flight, T.certificate_verify)
            step.extra += self._chain_rows()
        if self.kind in _KEYED:
            step.who = "server"
            return
        checks = self._checks(self.client)
        if checks:
            step.items.append(Box("client", "", (*checks, *self._checks_above(self.client), *self._proof())))
            step.extra += self._checks(self.client, above=True)
        elif self.client is None and any(m.type in CERTIFICATES for m in self.messages):
            step.items.append(
                Box("client", "The client checks the certificate on its side, unseen from here.")
            )

    def _checks(self, trace: Trace | None, *, above: bool = False) -> list[Row]:
        """The checks of the server's own certificate, and of the anchor; or those of the chain above."""
        if trace is None:
            return []
        found = []
        for fact in trace.of("check"):
            what, passed, detail = (fact.fields.get(name) for name in ("what", "passed", "detail"))
            number = fact.fields.get("certificate") or 0
            if bool(number and what != "anchor") is above:
                skipped = not passed and detail == "not checked"
                label = f"{what}, certificate {number + 1}" if above else str(what)
                found.append(Row(label, Mark(None if skipped else bool(passed), detail or "")))
        return found

    def _checks_above(self, trace: Trace | None) -> list[Row]:
        """The checks of the chain above in a line, or the ones that failed."""
        marks = self._checks(trace, above=True)
        failed = [
            Row(row.label, row.value._replace(digest=True)) for row in marks if row.value.passed is False
        ]
        if failed or not marks:
            return failed
        names = dict.fromkeys(row.label.split(",")[0] for row in marks)
        return [Row("authorities above", Mark(True, listing(list(names)), digest=True))]

    def _proof(self) -> tuple[Row, ...]:
        """The check of the signature by which the server proves that it holds its certificate's key."""
        if self.client is None:
            return ()
        signed = (
            "every message so far" if self.reader.key_exchange == "any" else "the randoms and its fresh key"
        )
        for fact in self.client.of("error"):
            if fact.fields["reason"] is Reason.BAD_SIGNATURE:
                return (Row("proof of the key", Mark(False, f"the signature over {signed} is wrong")),)
        made = self.client.decision("signature_scheme")
        if made is None:
            return ()
        scheme = SignatureScheme.name_of(made.fields["chosen"])
        return (Row("proof of the key", Mark(True, f"it signed {signed} ({scheme})")),)

    def _chain_rows(self) -> list[Row]:
        return rows.chain([m for m in self.messages if m.sender == "server"])

    def _exchange(self, step: Step) -> None:
        if self.kind == "any" or self.kind in _KEYED:
            self._exchange_13(step)
            return
        if self.kind == "RSA":
            pre_master = self._one_side("client", "pre_master_secret")
            if pre_master is not None:
                text = "48 bytes: the version that it offered, then 46 random ones."
                step.items.append(Box("client", text, (Row("pre-master secret", pre_master),)))
        self._arrows(step, "client", *CERTIFICATES, T.client_key_exchange, T.certificate_verify)
        if self.kind == "ECDHE":
            secret = self._one_side("client", "pre_master_secret")
            if secret is not None:
                text = "Its private key and the server's public key make the pre-master secret."
                step.items.append(Box("client", text, (Row("pre-master secret", secret),)))

    def _exchange_13(self, step: Step) -> None:
        group = self._group()
        secret = self._one_side("client", "shared_secret")
        if group and secret is not None:
            text = f"Its {group} private key and the server's public key make the shared secret."
            if group.startswith("MLKEM"):
                text = "The server made the shared secret, and sent it encapsulated to the client's key."
            elif "MLKEM" in group:
                text = (
                    "A hybrid: one half from the curve's two public keys, "
                    "the other sent by the server, encapsulated."
                )
            step.items.append(Box("client", text, (Row("group", group), Row("shared secret", secret))))
        elif group:
            step.items.append(
                Box("both", f"Two {group} public keys crossed the wire; neither private key did.")
            )

    def _group(self) -> str:
        hello = self._server_hello()
        share = self.reader.extension(hello, ExtensionType.key_share) if hello is not None else None
        return NamedGroup.name_of(share.server_share.group) if share is not None else ""

    def _same(self, step: Step) -> None:
        if self.kind not in rows.SAME:  # one side only was recorded: how the keys were agreed on is not known
            return
        if (
            not any(m.type == T.client_key_exchange for m in self.messages)
            and self.reader.key_exchange != "any"
        ):
            return
        if self.reader.key_exchange == "any" and not self._group():
            return
        name = "shared_secret" if self.reader.key_exchange == "any" else "pre_master_secret"
        label = "shared secret" if self.reader.key_exchange == "any" else "pre-master secret"
        secret = self._one_side("server", name)
        if secret is None:
            step.items.append(Box("server", rows.UNSEEN[self.kind]))
            return
        found = [Row(label, secret)]
        ours = self._one_side("client", name)
        if ours is not None:
            same = bool(ours == secret)
            found.append(Row("same as client's", Mark(same, "the same bytes" if same else "they differ")))
        hybrid = "MLKEM" in self._group() and self.reader.key_exchange == "any"
        text = rows.SAME_HYBRID if hybrid else rows.SAME[self.kind]
        step.items.append(Box("server", text, tuple(found)))

    def _keys(self, step: Step) -> None:
        if self.reader.key_exchange == "any":
            self._keys_13(step)
        else:
            self._keys_12(step)

    def _keys_12(self, step: Step) -> None:
        master = self._secrets("master_secret")
        if master is None:
            if self.kind == "resumed12" and (block := self._key_rows(1)):
                step.items.append(
                    Box("both", f"With the earlier session's master secret: {_BLOCK}", tuple(block))
                )
            return
        fact = next(
            f for t in (self.client, self.server) if t is not None and (f := t.secret("master_secret"))
        )
        inputs = [name.replace("_", " ") for name in fact.fields["inputs"]]
        text = f"master secret = {_call(fact.fields['how'], inputs)}"
        if "session hash" in inputs:
            text += " (a hash of every message so far, both randoms included: RFC 7627)"
        step.items.append(Box("both", text, (Row("master secret", master),)))
        step.extra += [Row(f"{side} random", value) for side, value in self._randoms()]
        block = self._key_rows(1)
        if block:
            step.items.append(Box("both", _BLOCK, tuple(block)))

    def _randoms(self) -> list[tuple[str, bytes]]:
        types = {T.client_hello: "client", T.server_hello: "server"}
        hellos = [m for m in self.messages if m.type in types and m.body is not None]
        return [(types[T(m.type)], m.body.random) for m in hellos]

    def _key_rows(self, epoch: int) -> list[Row]:
        """The keys and IVs of `epoch`, as each side has them."""
        found = []
        for sender in ("client", "server"):
            facts = [self._keys_fact(trace, sender, epoch) for trace in (self.client, self.server)]
            if facts == [None, None]:
                continue
            for what in ("key", "iv"):
                both = Both(*(None if fact is None else _secret(fact.fields[what]) for fact in facts))
                found.append(Row(f"{sender} write {what.replace('iv', 'IV')}", both))
        return found

    @staticmethod
    def _keys_fact(trace: Trace | None, sender: str, epoch: int) -> Fact | None:
        if trace is None:
            return None
        sent = trace.role == sender
        return next(
            (f for f in trace.of("keys") if f.fields["sent"] is sent and f.fields["epoch"] == epoch), None
        )

    def _keys_13(self, step: Step) -> None:
        handshake = [
            *self._secret_row("handshake secret", "handshake_secret"),
            *self._secret_row("client handshake", "client_handshake_traffic_secret"),
            *self._secret_row("server handshake", "server_handshake_traffic_secret"),
        ]
        if handshake:
            secret = "shared secret" if self._secrets("shared_secret") is not None else "pre-shared key"
            text = f"From the {secret} and the two hellos, for the rest of the handshake:"
            step.items.append(Box("both", text, tuple(handshake)))
        data = [
            *self._secret_row("master secret", "master_secret"),
            *self._secret_row("client application", "client_application_traffic_secret_0"),
            *self._secret_row("server application", "server_application_traffic_secret_0"),
            *self._key_rows(3),
        ]
        if data:
            text = "From there and every message up to the server's Finished, for the data:"
            step.items.append(Box("both", text, tuple(data)))

    def _client_finished(self, step: Step) -> None:
        if self.reader.key_exchange == "any":
            self._arrows(step, "client", *CERTIFICATES, T.certificate_verify, T.end_of_early_data)
        self._finish(step, "client")

    def _server_finished(self, step: Step) -> None:
        if self.reader.key_exchange != "any":
            self._arrows(step, "server", T.new_session_ticket)
        self._finish(step, "server")

    def _finish(self, step: Step, sender: str) -> None:
        """ChangeCipherSpec (TLS 1.2), Finished, and the other side's check of it."""
        finished = next((m for m in self.messages if m.type == T.finished and m.sender == sender), None)
        if self.reader.key_exchange != "any" and self._sent_ccs(sender):
            step.items.append(Arrow(sender, "ChangeCipherSpec", 1, False))
        if finished is None:
            return
        wire = self._record_of(finished)
        step.items.append(self._arrow(finished, *([Row("on the wire", wire)] if wire else [])))
        if self._accepted(finished):
            matches = Row("Finished", Mark(True, "the same checksum over the same messages"))
            step.items.append(Box(_OTHER[sender], "", (matches,)))

    def _sent_ccs(self, sender: str) -> bool:
        return any(fact.fields["sent"] == (self.main.role == sender) for fact in self.main.of("ccs"))

    def _record_of(self, message: Message) -> bytes | None:
        """The record that held the end of `message`, as it was on the wire, if it is alone in it."""
        sent = message.sender == self.main.role
        for fact in self.main.of("record"):
            plaintext = fact.fields.get("plaintext")
            if fact.fields["sent"] is sent and plaintext == message.raw and fact.fields["epoch"] > 0:
                return bytes(fact.fields["wire"])
        return None

    def _accepted(self, finished: Message) -> bool:
        """Whether the receiver of `finished` found it right: it went on."""
        receiver = self.client if finished.sender == "server" else self.server
        trace = receiver or self.main
        return any(fact.fields["what"] == "handshake complete" for fact in trace.of("state"))

    def _data(self, step: Step) -> None:
        shown = 0
        for fact in self.main.of("record", "alert", "message"):
            sender = self.main.role if fact.fields["sent"] else _OTHER[self.main.role]
            if fact.kind == "message":
                if (
                    fact.fields["type"] in (T.new_session_ticket, T.key_update)
                    and self.reader.key_exchange == "any"
                ):
                    step.items.append(self._arrow(self.reader.message(fact)))
            elif fact.kind == "alert":
                if fact.fields["description"] == Alert.close_notify:
                    step.items.append(Arrow(sender, "Alert: close_notify", 2, True))
            elif fact.fields.get("unopened"):
                continue
            elif fact.fields["content_type"] == ContentType.application_data and not self._is_early(fact):
                shown += 1
                if shown <= _SHOWN:
                    step.items.append(_data_arrow(sender, fact))
        if shown > _SHOWN:
            step.items.append(Box("both", f"... and {shown - _SHOWN} more records of application data."))

    # -- the end --------------------------------------------------------------------------------------

    def _end(self, story: Story) -> None:
        """A fatal alert, and why."""
        for fact in self.main.of("alert"):
            if fact.fields["description"] not in (Alert.close_notify, Alert.user_canceled):
                sender = self.main.role if fact.fields["sent"] else _OTHER[self.main.role]
                name = Alert.name_of(fact.fields["description"], 2)
                sealed = any(keys.at < fact.at for keys in self.main.of("keys"))
                story.ending.append(Arrow(sender, f"Alert: {name}", 2, sealed, bad=True))
        for trace in (self.client, self.server):
            for fact in trace.of("error") if trace is not None else ():
                reason = fact.fields["reason"]
                # An alert that arrives is the other side's reason, told better by that side.
                if story.failure is None or story.failure.reason == Reason.PEER_ALERT.label:
                    error = rows.error_of(fact)
                    story.failure = explain(error, trace)
                    story.failed_by = (
                        trace.role if trace is not None and fact.fields.get("local", True) else ""
                    )
                if not isinstance(reason, Reason):
                    continue

    def _summary(self) -> list[Row]:
        """The five lines that answer most questions."""
        reader = self.reader
        if not reader.version:
            return []
        found = [
            Row("version", version_name(reader.version)),
            Row("cipher suite", CipherSuite.name_of(reader.suite)),
            self._how(),
        ]
        chain = [
            row for row in self._chain_rows() if row.label in ("subject", "issuer", "public key", "valid")
        ]
        if chain:
            values = {row.label: row.value for row in chain}
            text = f"{values.get('subject')} ({values.get('public key')}), issued by {values.get('issuer')}"
            found.append(Row("certificate", text))
        elif self.kind in ("resumed12", "resumed13"):
            found.append(Row("certificate", "none: the session was resumed"))
        elif self.kind == "psk13":
            found.append(Row("certificate", "none: the pre-shared key proves who it is"))
        found.append(Row("verification", self._verdict()))
        return found

    def _how(self) -> Row:
        """What the keys come from: a group, most often."""
        if self.kind == "RSA":
            return Row("key exchange", "RSA, under the certificate's key (no forward secrecy)")
        group = self._group() or self._group_12()
        if self.kind == "resumed12":
            return Row("key exchange", "none: the earlier session's master secret")
        if self.kind in (*_KEYED, "ECDHE_PSK", "PSK") or not group:
            return Row(
                "key exchange", ", ".join(filter(None, ("pre-shared key", group))) if self.kind else "none"
            )
        return Row("group", group)

    def _group_12(self) -> str:
        for message in self.messages:
            params = getattr(message.body, "params", None)
            if message.type == T.server_key_exchange and params is not None:
                return NamedGroup.name_of(params.namedcurve)
        return ""

    def _verdict(self) -> str:
        marks = [row.value for row in self._checks(self.client)]
        if any(mark.passed is False for mark in marks):
            return "refused"
        if any(mark.passed is None for mark in marks):
            return "NOT verified (--insecure)"
        if marks:
            return "the certificate is believed: every check passed"
        return "not seen from this side" if self.client is None else "nothing to verify"


def _changed_record(tampering: Tampering) -> Iterator[Arrow | Box]:
    """What somebody in the line did to a record, and how the receiver found out."""
    sent, arrived, trace = tampering
    bits = sum((a ^ b).bit_count() for a, b in zip(sent, arrived, strict=True))
    count = "one bit" if bits == 1 else f"{bits} bits"
    yield Box("both", f"Another connection, and somebody in the line who changes {count} of a record:")
    rows_of = (Row("as sent", sent), Row("as it arrived", arrived))
    yield Arrow(_OTHER[trace.role], f"a record with {count} changed", len(arrived), True, rows_of)
    for fact in trace.of("error"):
        error = rows.error_of(fact)
        yield Box(trace.role, "", (Row("unchanged", Mark(False, error.reason.sentence)),))
    for fact in trace.of("alert"):
        if fact.sent:
            yield Arrow(trace.role, f"Alert: {Alert.name_of(fact.description, 2)}", 2, True, bad=True)


def _data_arrow(sender: str, fact: Fact) -> Arrow:
    plaintext, wire = fact.fields.get("plaintext"), fact.fields["wire"]
    size = fact.fields.get("size", len(wire))
    found = []
    if isinstance(plaintext, bytes):
        found.append(Row("in clear", Said(plaintext)))
    found.append(Row("on the wire", bytes(wire)))
    return Arrow(sender, APPLICATION_DATA, size, True, tuple(found))


def _secret(value: bytes | Hidden) -> Secret | Hidden:
    """An IV may be plain bytes; it is shown like a key."""
    return value if isinstance(value, Secret | Hidden) else Secret(value)


def _call(how: str, inputs: list[str]) -> str:
    """`PRF(., "label", .)` with the inputs' names in the places of the dots.

    >>> _call('PRF(., "master secret", .)', ["pre master secret", "client random", "server random"])
    'PRF(pre master secret, "master secret", client random, server random)'
    """
    if not inputs:  # a listener's: it has the secret from a key log, and saw nothing of its making
        return how
    first, rest = inputs[0], ", ".join(inputs[1:])
    return how.replace("(.,", f"({first},").replace(", .)", f", {rest})")
