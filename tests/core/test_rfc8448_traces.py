"""RFC 8448, all five traces: our client against its server, our server against its client, each byte.

Both generators run whole, with the trace's randoms and private keys. What no rule determines is
taken from the trace at the moment of sending, and compared first: the order of extensions (and the
few that we do not send), RSA-PSS and ECDSA signatures, tickets and cookies. Everything that follows
from them is computed here: every secret, key, IV, binder, Finished and protected record.

Section 3 is also in data/rfc8448-section-3.json, so that it runs without the RFC's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pellucid import ClientConfig, Identity, Policy, ReplayMemory, ServerConfig, Session, Trust
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.crypto.schedule13 import KeySchedule
from pellucid.crypto.suites import HASHES, SUITES
from pellucid.events import EarlyDataReceived, SessionReceived
from pellucid.handshake.client import client
from pellucid.handshake.context import Handshake
from pellucid.handshake.server import server
from pellucid.handshake.tickets import server_binding
from pellucid.resumption.sessions import FORMAT, TICKET_FORMAT, TicketContent
from pellucid.secret import Secret
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.codepoints import HandshakeType as T
from pellucid.wire.messages import MESSAGES_13, ClientHello, NewSessionTicket
from support import data_in, write

SECTIONS = {
    3: "Simple 1-RTT Handshake",
    4: "Resumed 0-RTT Handshake",
    5: "HelloRetryRequest",
    6: "Client Authentication",
    7: "Compatibility Mode",
}
DATA = Path(__file__).parent / "data" / "rfc8448-section-3.json"


# -- the traces ------------------------------------------------------------------------------------------


@dataclass
class Step:
    """One paragraph: who, what, and the values below it."""

    side: str
    heading: str
    values: dict[str, bytes] = field(default_factory=dict)


def steps_of(text: str, section: int) -> list[Step]:
    """A section of the RFC, read: pages joined, values checked against their stated sizes."""
    text = re.sub(r"\n+Thomson +Informational +\[Page \d+\]\n\f?\n?RFC 8448[^\n]*\n+", "\n\n", text)
    begin = text.rindex(f"\n{section}.  {SECTIONS[section]}\n")
    end = text.index(f"\n{section + 1}.  ", begin)
    found: list[Step] = []
    value = r"\n      (\S[^\n(]*?) \((\d+) octets\):((?:\s+[0-9a-f]{2}(?![0-9a-z]))*)"
    for part in re.split(r"\n   (?=\{(?:client|server)\})", text[begin:end])[1:]:
        head = re.match(r"\{(client|server)\}\s+((?:[^:\n]|\n      (?=[^\n]*\)))*)", part)
        if head is None:
            continue
        step = Step(head.group(1), " ".join(head.group(2).split()))
        for name, size, digits in re.findall(value, part):
            data = bytes.fromhex("".join(digits.split()))
            assert len(data) == int(size), (step.heading, name, len(data), size)
            step.values[name] = data
        found.append(step)
    return found


def stored(steps: list[Step]) -> str:
    """The steps as the committed file holds them."""
    rows = [
        {"side": step.side, "what": step.heading, "values": {k: v.hex() for k, v in step.values.items()}}
        for step in steps
    ]
    return json.dumps(
        {"source": "RFC 8448 section 3 (M. Thomson, January 2019), all values, in order", "steps": rows},
        indent=1,
    )


def restored() -> list[Step]:
    rows = json.loads(DATA.read_text("utf-8"))["steps"]
    return [
        Step(row["side"], row["what"], {k: bytes.fromhex(v) for k, v in row["values"].items()})
        for row in rows
    ]


class Trace:
    """The steps of one section, and what is looked up in them."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps

    def all(self, side: str, heading: str, name: str) -> list[bytes]:
        return [
            step.values[name]
            for step in self.steps
            if step.side == side and heading in step.heading and name in step.values
        ]

    def messages(self, side: str) -> list[bytes]:
        """The handshake messages of one side, in order, as they went out."""
        found = []
        for step in self.steps:
            if step.side == side and step.heading == "send handshake record":
                payload = step.values["payload"]
                while payload:
                    size = 4 + int.from_bytes(payload[1:4], "big")
                    found.append(payload[:size])
                    payload = payload[size:]
        return found

    def randoms(self, side: str) -> list[bytes]:
        """What this side drew: session id, private keys, hello random, in the order in which we draw."""
        hello = self.messages(side)[0 if side == "client" else -1]
        keys = [
            private if "x25519" in step.heading else (int.from_bytes(private, "big") - 1).to_bytes(40, "big")
            for step in self.steps
            if step.side == side and (private := step.values.get("private key"))
        ]
        if side == "server":
            hello = next(
                m for m in self.messages(side) if m[0] == T.server_hello and m[6:10] != b"\xcf\x21\xad\x74"
            )
            return [*keys, hello[6:38]]
        session_id = hello[39 : 39 + hello[38]]
        return [*([session_id] if session_id else []), keys[0], hello[6:38], *keys[1:]]

    def derived(self) -> dict[str, bytes]:
        """Every secret, key and IV of the key schedule, by what it is called."""
        found = {}
        for number, step in enumerate(self.steps):
            for name in ("secret", "expanded", "key expanded", "iv expanded"):
                kind = step.heading.split(" ")[0] in ("derive", "extract")
                if name in step.values and kind and "e exp master" not in step.heading:
                    found[f"{number} {step.heading}: {name}"] = step.values[name]
        return found


@pytest.fixture(scope="module")
def traces(shared: Path) -> dict[int, Trace]:
    text = (shared / "rfc" / "rfc8448.txt").read_text("utf-8")
    return {section: Trace(steps_of(text, section)) for section in SECTIONS}


# -- a side that speaks the trace's dialect ------------------------------------------------------------------


class Notebook:
    """Remembers every secret value that is told to whoever looks."""

    def __init__(self) -> None:
        self.values: set[bytes] = set()

    def open(self, role: str, name: str | None) -> Callable[..., None]:
        return self.note

    def note(self, kind: str, **fields: Any) -> None:
        if kind not in ("secret", "keys"):
            return
        for name in ("value", "key", "iv"):
            if name in fields:
                self.values.add(bytes(memoryview(fields[name])))
        for value in fields.get("inputs", {}).values():
            self.values.add(bytes(memoryview(value)))


EXACT = (T.certificate, T.certificate_verify, T.finished, T.end_of_early_data)


class TraceHandshake(Handshake):
    """Sends the trace's own spelling of a message, after comparing it with ours."""

    __slots__ = ("due",)
    due: list[bytes]

    def send_raw(self, raw: bytes) -> None:
        due = self.due.pop(0)
        if raw[0] in EXACT:
            assert raw == due
        else:
            self.compare(MESSAGES_13[raw[0]].decode(raw[4:]), MESSAGES_13[due[0]].decode(due[4:]))
        super().send_raw(due)

    @staticmethod
    def compare(ours: Any, theirs: Any) -> None:
        assert type(ours) is type(theirs)
        for name in type(ours).fields:
            if name != "extensions":
                assert getattr(ours, name) == getattr(theirs, name), name
        mine, wanted = dict(ours.extensions), dict(theirs.extensions)
        if isinstance(ours, ClientHello):
            said = {X.server_name, X.key_share, X.supported_versions, X.psk_key_exchange_modes, X.cookie}
            said |= {X.record_size_limit, X.early_data, X.pre_shared_key}
            mine, wanted = ({k: v for k, v in one.items() if k in said} for one in (mine, wanted))
            for one in (mine, wanted):
                if X.pre_shared_key in one:  # the binders cover the rest of the hello
                    offered = ext.OfferedPsks.decode(one[X.pre_shared_key])
                    one[X.pre_shared_key] = b"".join(i.encode() for i in offered.identities)
        else:
            wanted.pop(X.supported_groups, None)  # in EncryptedExtensions, for the client's information
            for one in (mine, wanted):
                one.pop(X.signature_algorithms, None)
        assert mine == wanted


class TraceClient(ClientConnection):
    def __init__(self, config: ClientConfig, due: list[bytes]) -> None:
        Connection.__init__(self, config, "server")
        handshake = TraceHandshake(self, config, "server")
        handshake.due = due
        self._begin(client(handshake))


class TraceServer(ServerConnection):
    def __init__(self, config: ServerConfig, due: list[bytes]) -> None:
        Connection.__init__(self, config, None)
        handshake = TraceHandshake(self, config, None)
        handshake.due = due
        self._begin(server(handshake))


class Drawer:
    """A source of randomness that gives what the trace drew, once."""

    def __init__(self, values: list[bytes]) -> None:
        self.values = values

    def __call__(self, size: int) -> bytes:
        value = self.values.pop(0)
        assert len(value) == size
        return value


class Signer:
    """Whoever holds the trace's private key: it gives the signature that stands there."""

    def __init__(self, certificate: bytes, verify: bytes) -> None:
        from cryptography.x509 import load_der_x509_certificate

        self.public_key = load_der_x509_certificate(certificate).public_key()
        self.signature = verify[8:]

    def sign(self, scheme: int, data: bytes) -> bytes:
        return self.signature


class Issuer:
    """A ticket issuer that knows one ticket, and makes one cookie."""

    def __init__(self, cookie: bytes = b"", ticket: bytes = b"", session: bytes = b"") -> None:
        self.cookie, self.ticket, self.session = cookie, ticket, session

    def seal(self, session: bytes) -> bytes:
        return self.cookie

    def open(self, ticket: bytes) -> bytes | None:
        return self.session if ticket == self.ticket else None


NOW = 1_500_000_000.0


def policy_of(section: int, trace: Trace) -> Policy:
    hello = ClientHello.decode(trace.messages("client")[0][4:])
    groups = tuple(
        group
        for group in ext.SupportedGroups.decode(hello.extensions[X.supported_groups]).named_group_list
        if group in (0x1D, 0x17, 0x18, 0x19)
    )
    return Policy(
        versions=(0x0304,),
        cipher_suites=hello.cipher_suites,
        groups=groups,
        key_shares=(0x1D,),
        record_size_limit=16_384,
        certificate_compression=(),
        middlebox_compatibility=section == 7,
    )


def identity_of(trace: Trace, side: str) -> Identity | None:
    found = {message[0]: message for message in trace.messages(side)}
    if T.certificate not in found:
        return None
    body = MESSAGES_13[T.certificate].decode(found[T.certificate][4:])
    chain = tuple(entry.cert_data for entry in body.certificate_list)  # type: ignore[attr-defined]
    return Identity(chain, Signer(chain[0], found[T.certificate_verify]))


def play(trace: Trace, side: str, connection: Any) -> list[Any]:
    """Go through the trace; what our side sends must be what it sends there, record by record."""
    events: list[Any] = []
    sent = b""
    for step in trace.steps:
        if not step.heading.startswith("send "):
            continue
        record, payload = step.values["complete record"], step.values["payload"]
        if step.side != side:
            connection.receive_data(record)
            events += connection.events()
            continue
        if "application_data" in step.heading:
            early = side == "client" and not connection.handshake_complete
            (connection.send_early_data if early else connection.send_data)(payload)
        elif "alert" in step.heading:
            connection.close()
        elif payload[0] == T.new_session_ticket:
            connection._write._out.append(write(connection, 22, payload))
        sent += connection.data_to_send()
        assert sent[: len(record)] == record, step.heading
        sent = sent[len(record) :]
    assert sent == b""
    assert connection.closed == (True, True)
    return events


def check_schedule(trace: Trace, notebook: Notebook, *, but: tuple[str, ...] = ()) -> None:
    for name, value in trace.derived().items():
        if not any(part in name for part in but):
            assert value in notebook.values, name


def run_client(section: int, trace: Trace, **settings: Any) -> tuple[ClientConnection, list[Any], Notebook]:
    notebook = Notebook()
    identity = identity_of(trace, "client")
    config = ClientConfig(
        policy=policy_of(section, trace),
        trust=Trust.insecure(),
        identities=(identity,) if identity else (),
        request_ocsp=False,
        random=Drawer(trace.randoms("client")),
        observer=notebook,
        **({"now": lambda: NOW} | settings),
    )
    connection = TraceClient(config, trace.messages("client"))
    events = play(trace, "client", connection)
    check_schedule(trace, notebook)
    return connection, events, notebook


def run_server(section: int, trace: Trace, **settings: Any) -> tuple[ServerConnection, list[Any]]:
    notebook = Notebook()
    identity = identity_of(trace, "server")
    policy = policy_of(section, trace)
    config = ServerConfig(
        policy=policy.replace(groups=(0x17,), key_shares=()) if section == 5 else policy,
        identities=(identity,) if identity else (),
        psks=(),
        tickets=0,
        client_auth="require" if section == 6 else "none",
        client_trust=Trust.insecure() if section == 6 else None,
        random=Drawer(trace.randoms("server")),
        observer=notebook,
        now=lambda: NOW,
        **{"ticket_issuer": Issuer(), **settings},  # so that no key of tickets is drawn
    )
    connection = TraceServer(config, trace.messages("server"))
    events = play(trace, "server", connection)
    # Without tickets of our own there is no need for the resumption secret.
    check_schedule(trace, notebook, but=("res master",) if section != 4 else ())
    return connection, events


SENT = bytes(range(50))


def ticket_of(trace: Trace) -> NewSessionTicket:
    return NewSessionTicket.decode(trace.messages("server")[-1][4:])


@pytest.mark.parametrize("source", ["rfc", "file"])
def test_simple_handshake_as_client(source: str, request: pytest.FixtureRequest) -> None:
    trace = Trace(restored()) if source == "file" else request.getfixturevalue("traces")[3]
    connection, events, _ = run_client(3, trace)
    assert data_in(events) == SENT
    sessions = [event.session for event in events if isinstance(event, SessionReceived)]
    assert [s.secret for s in sessions] == trace.all("server", "generate resumption secret", "expanded")
    assert sessions[0].max_early_data == 1024
    assert connection.info.cipher_suite == 0x1301


@pytest.mark.parametrize("source", ["rfc", "file"])
def test_simple_handshake_as_server(source: str, request: pytest.FixtureRequest) -> None:
    trace = Trace(restored()) if source == "file" else request.getfixturevalue("traces")[3]
    _, events = run_server(3, trace)
    assert data_in(events) == SENT


def test_the_committed_file_is_the_rfcs(traces: dict[int, Trace]) -> None:
    assert DATA.read_text("utf-8") == stored(traces[3].steps) + "\n"


def offered_of(trace: Trace) -> ext.OfferedPsks:
    hello = ClientHello.decode(trace.messages("client")[0][4:])
    return ext.OfferedPsks.decode(hello.extensions[X.pre_shared_key])


def age_of(trace: Trace, ticket: NewSessionTicket) -> int:
    """The ticket's age in milliseconds, as the client says it."""
    return (offered_of(trace).identities[0].obfuscated_ticket_age - ticket.ticket_age_add) & 0xFFFFFFFF


def test_resumed_early_data_as_client(traces: dict[int, Trace]) -> None:
    _, events, _ = run_client(3, traces[3])
    session = next(event.session for event in events if isinstance(event, SessionReceived))
    later = NOW + age_of(traces[4], ticket_of(traces[3])) / 1000 + 0.0005
    connection, events, _ = run_client(
        4, traces[4], sessions=(session,), early_data=True, now=lambda: later, session_tickets=False
    )
    assert data_in(events) == SENT
    assert connection.info.resumed
    assert connection.info.early_data == "accepted"


def test_resumed_early_data_as_server(traces: dict[int, Trace]) -> None:
    ticket = ticket_of(traces[3])
    psk = traces[3].all("server", "generate resumption secret", "expanded")[0]
    issued = int(NOW * 1000) - age_of(traces[4], ticket)
    session = Session(
        FORMAT, 0x0304, 0x1301, b"\0", b"", 0, 3600, 0, 1024, 1, 0, 0, 0, b"server",
        b"", server_binding(ServerConfig()), b"", (), (), b"", (), b"",
    )  # fmt: skip
    content = TicketContent(TICKET_FORMAT, psk, ticket.ticket_age_add, issued, session.encode())
    connection, events = run_server(
        4,
        traces[4],
        ticket_issuer=Issuer(ticket=ticket.ticket, session=content.encode()),
        max_early_data=1024,
        replay_guard=ReplayMemory(started_at=0),
        ask=frozenset(),
    )
    early = b"".join(event.data for event in events if isinstance(event, EarlyDataReceived))
    assert early == traces[4].all("client", "send application_data record", "payload")[0] == b"ABCDEF"
    assert data_in(events) == SENT
    assert connection.info.resumed


def test_the_binder(traces: dict[int, Trace]) -> None:
    """Over the hello up to the binders (RFC 8446 section 4.2.11.2)."""
    trace = traces[4]
    psk = traces[3].all("server", "generate resumption secret", "expanded")[0]
    prefix = trace.all("client", "calculate PSK binder", "ClientHello prefix")[0]
    assert trace.messages("client")[0].startswith(prefix)
    digest = HASHES["sha256"].new(prefix).digest()
    assert [digest] == trace.all("client", "calculate PSK binder", "binder hash")
    binder = KeySchedule(SUITES[0x1301].hash, Secret(psk), None).binder(b"res binder", digest)
    assert [binder] == trace.all("client", "calculate PSK binder", "finished")
    assert offered_of(trace).binders == (binder,)


def test_retry_as_client(traces: dict[int, Trace]) -> None:
    connection, _, _ = run_client(5, traces[5])
    assert connection.info.retried
    assert connection.info.group == 0x17


def test_retry_as_server(traces: dict[int, Trace]) -> None:
    retry = MESSAGES_13[T.server_hello].decode(traces[5].messages("server")[0][4:])
    cookie = ext.Cookie.decode(retry.extensions[X.cookie]).cookie  # type: ignore[attr-defined]
    connection, _ = run_server(5, traces[5], ticket_issuer=Issuer(cookie), stateless_retry=True)
    assert connection.info.retried
    assert connection.info.group == 0x17


def test_client_authentication_as_client(traces: dict[int, Trace]) -> None:
    connection, _, _ = run_client(6, traces[6])
    assert connection.info.client_certificate_requested


def test_client_authentication_as_server(traces: dict[int, Trace]) -> None:
    connection, _ = run_server(6, traces[6])
    assert len(connection.info.peer_chain) == 1


@pytest.mark.rfc("rfc8446:appendix-D.4:1")
def test_compatibility_mode_as_client(traces: dict[int, Trace]) -> None:
    run_client(7, traces[7])


def test_compatibility_mode_as_server(traces: dict[int, Trace]) -> None:
    run_server(7, traces[7])
