"""What a handshake stands on: its transcript, its keys, and how it sends and waits.

RFC 8446 sections 4.4.1 (transcript hash) and 5 (records). The generators in this package `yield`
one of two things: the table of the messages that may come next (type to structure), and get the
message; or a request, and get its answer. Whatever is not in the table is `unexpected_message`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from pellucid.crypto.schedule13 import KeySchedule, TrafficSecret
from pellucid.crypto.signatures import sign
from pellucid.crypto.suites import Hash, Suite
from pellucid.errors import Reason, TLSError, refuse
from pellucid.events import Event, Request, Sign
from pellucid.protection import APPLICATION, EARLY, HANDSHAKE, Opening13, Sealing13
from pellucid.secret import Secret
from pellucid.wire.codepoints import HandshakeType
from pellucid.wire.messages import HandshakeMessage, handshake

if TYPE_CHECKING:
    from pellucid.config import Config
    from pellucid.machine import Machine
    from pellucid.trust.identity import Identity

Expect = Mapping[int, type[HandshakeMessage]]
Steps = Generator[Expect | Request, Any, None]

#: The pseudo-message that TLS 1.2 waits for between key exchange and Finished. Its number is no
#: handshake type: a ChangeCipherSpec is a record of its own (RFC 5246 section 7.1).
CCS = 0x100


class ChangeCipherSpec(HandshakeMessage):
    """RFC 5246 section 7.1, as the handshake waits for it."""

    msg_type = CCS


EXPECT_CCS: Expect = {CCS: ChangeCipherSpec}

_HANDSHAKE = (
    ("client_handshake_traffic_secret", b"c hs traffic"),
    ("server_handshake_traffic_secret", b"s hs traffic"),
)
_APPLICATION = (
    ("client_application_traffic_secret_0", b"c ap traffic"),
    ("server_application_traffic_secret_0", b"s ap traffic"),
    ("exporter_master_secret", b"exp master"),
)


class Transcript:
    """The hash over all handshake messages (RFC 8446 section 4.4.1, RFC 5246 section 7.4.9).

    Until the suite is known it keeps the messages; TLS 1.2 may ask to keep them longer, because a
    client signs them with a hash of its own choice (RFC 5246 section 7.4.8).

    Attributes:
        add: `add(raw)`: a message was sent or received.
        digest: `digest()`: Transcript-Hash of what was added; from `start` on.
    """

    __slots__ = ("_hash", "_messages", "add", "digest")

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._hash: Any = None
        self.add: Callable[[bytes], object] = self._messages.append  # a method of ours would cost a call more
        self.digest: Callable[[], bytes]

    def start(self, hash: Hash, *, keep: bool = False) -> None:
        """The suite's hash is known."""
        self._run(hash.new(self.messages))
        if keep:
            append, update = self._messages.append, self._hash.update
            self.add = lambda raw: (append(raw), update(raw))
        else:
            self._messages = []

    def _run(self, running: Any) -> None:
        self._hash = running
        self.add = running.update
        self.digest = running.digest

    def forget(self) -> None:
        """The messages themselves are not needed any more."""
        self._messages = []
        self.add = self._hash.update

    @property
    def messages(self) -> bytes:
        """All messages so far."""
        return b"".join(self._messages)

    def retry(self, hash: Hash) -> None:
        """Before a HelloRetryRequest is added: ClientHello1 becomes its hash (RFC 8446 4.4.1)."""
        self.restore(hash.new(self.messages).digest())

    def restore(self, client_hello_hash: bytes) -> None:
        """The same, from a cookie: all that is left of ClientHello1 is its hash."""
        self._messages[:] = [handshake(HandshakeType.message_hash, client_hello_hash)]

    def copy(self) -> Transcript:
        """An independent copy, once the suite is known."""
        other = Transcript()
        other._run(self._hash.copy())
        return other


class Handshake:
    """One handshake under way.

    Attributes:
        config, policy: of the connection.
        note: takes raw facts (see `pellucid.glass.telling`) if somebody looks, else None.
        name: the server's name: the one asked for.
        transcript: RFC 8446 section 4.4.1.
        facts: what `ConnectionInfo` will say.
        client_random: names the connection in a key log.
    """

    __slots__ = (
        "certificate_types",
        "client_random",
        "config",
        "conn",
        "facts",
        "name",
        "note",
        "policy",
        "read",
        "suite",
        "transcript",
        "write",
    )

    def __init__(self, conn: Machine, config: Config, name: str | None) -> None:
        self.conn = conn
        self.config = config
        self.policy = config.policy
        self.name = name
        self.note = conn._jot
        self.read = conn._read
        self.write = conn._write
        self.transcript = Transcript()
        self.facts: dict[str, Any] = conn._facts
        self.client_random = b""
        self.certificate_types: dict[str, int] = {}  # RFC 7250, if it was agreed on
        self.suite: Suite | None = None

    # -- sending ---------------------------------------------------------------------------------

    def send(self, message: HandshakeMessage) -> bytes:
        """Send `message`, add it to the transcript, and return its bytes."""
        raw = message.to_handshake()
        self.send_raw(raw)
        return raw

    def send_raw(self, raw: bytes) -> None:
        """Send an encoded message."""
        self.transcript.add(raw)
        self.write.queue(HANDSHAKE, raw)
        if self.note is not None:
            self.note(("message", True, self.write.protection.epoch, raw))

    def send_change_cipher_spec(self) -> None:
        """RFC 5246 section 7.1; in TLS 1.3 it says nothing (RFC 8446 appendix D.4)."""
        self.write.change_cipher_spec()
        if self.note is not None:
            self.note(("ccs", True))

    def emit(self, event: Event) -> None:
        """A fact leaves the connection."""
        self.conn._events.append(event)

    # -- keys ------------------------------------------------------------------------------------

    def write_keys(self, epoch: int, traffic: TrafficSecret) -> None:
        """TLS 1.3: from now on we write under `traffic` (RFC 8446 section 7.3)."""
        suite, padding = self.suite, self.policy.padding
        if suite is None or suite.aead is None:
            raise TLSError(Reason.INTERNAL, "no suite")
        if padding is not None:
            padding = self.write.padding(padding)
        self.write.protect(Sealing13(suite.aead, traffic, epoch, padding))
        self.conn._write_secret = traffic.secret
        if self.note is not None:
            self.note(("traffic keys", True, epoch, suite, traffic.secret))
            if epoch == EARLY:
                self.conn._sample()

    def read_keys(self, epoch: int, traffic: TrafficSecret) -> None:
        """TLS 1.3: from now on the peer writes under `traffic`."""
        suite, conn = self.suite, self.conn
        if suite is None or suite.aead is None:
            raise TLSError(Reason.INTERNAL, "no suite")
        if conn._fragments:
            self.no_leftovers()
        self.read.protection = Opening13(suite.aead, traffic, epoch)
        if conn._read_limit is not None and epoch != EARLY:  # it is agreed on after early data is sent
            self.limit_reading(tls13=True)
        conn._read_secret = traffic.secret
        if self.note is not None:
            self.note(("traffic keys", False, epoch, suite, traffic.secret))
            if epoch == EARLY:
                self.conn._sample()

    def agree_on_records(self, ours: int | None, theirs: int) -> None:
        """The longest plaintext of a record: `ours` for us to read (None: any), `theirs` to write, in bytes.

        RFC 8449 section 4, RFC 6066 section 4.
        """
        self.conn._read_limit = ours
        self.write.most = theirs
        self.write.max_fragment = min(theirs, self.policy.max_send_fragment)

    def limit_reading(self, *, tls13: bool) -> None:
        """From now on a longer record is `record_overflow`. In TLS 1.3 the content type counts too."""
        if self.conn._read_limit is not None:
            self.read.protection.limit(self.conn._read_limit + int(tls13))

    def no_leftovers(self) -> None:
        """Handshake bytes may not straddle a key change (RFC 8446 section 5.1)."""
        if self.conn._fragments:
            refuse(Reason.EXCESS_HANDSHAKE_DATA, f"{len(self.conn._fragments)} bytes")

    def log_key(self, label: str, secret: bytes) -> None:
        """A line of the NSS key log (RFC 9850)."""
        if self.config.keylog is not None:
            plain = bytes(memoryview(secret)).hex()
            self.config.keylog(f"{label} {self.client_random.hex()} {plain}")

    # -- small things that every generator does ----------------------------------------------------

    def ask(self, request: Request, now: Callable[[], Any]) -> Generator[Request, Any, Any]:
        """Ask the application if it wants to be asked; otherwise answer by `now()`."""
        if type(request) in self.config.ask:
            return (yield request)
        return now()

    def sign(self, identity: Identity, scheme: int, data: bytes) -> Generator[Request, Any, bytes]:
        """The identity's signature, by its key or by whoever holds it (DESIGN rule 3)."""
        signature: bytes
        if Sign in self.config.ask:
            signature = yield Sign(scheme, data)
        elif identity.signer is not None:
            given = identity.signer.sign(scheme, data)
            if isinstance(given, bytes):
                signature = self.config.hidden("sign", lambda: given)
            else:
                signature = yield Sign(scheme, data, given)
        else:
            signature = self.config.hidden("sign", lambda: sign(scheme, identity.key, data))
        return signature

    @property
    def epoch_is_application(self) -> bool:
        """Whether we write application data already."""
        return self.write.protection.epoch >= APPLICATION


def agree_on_size(h: Handshake, limit: int, *, tls13: bool) -> None:
    """The peer's record_size_limit (RFC 8449 section 4): in TLS 1.3 it counts the content type too."""
    if limit < 64:
        refuse(Reason.BAD_RECORD_SIZE_LIMIT, f"{limit} bytes")
    if h.conn.client and limit > (16385 if tls13 else 16384):
        refuse(Reason.BAD_RECORD_SIZE_LIMIT, f"{limit} bytes")
    size = min(limit - 1 if tls13 else limit, 16384)
    ours = h.policy.record_size_limit
    if ours is not None and h.conn.client and h.policy.tls13 and not tls13:
        ours = min(ours + 1, 16384)  # our offer counted TLS 1.3's content type, before the version was known
    h.agree_on_records(ours, size)
    h.facts["record_size_limit"] = size


def handshake_secrets(h: Handshake, schedule: KeySchedule) -> tuple[TrafficSecret, TrafficSecret]:
    """The traffic secrets of the rest of the handshake, the client's and the server's (RFC 8446 7.1)."""
    client, server = schedule.derive_all(_HANDSHAKE, h.transcript.digest())
    if h.config.keylog is not None:
        h.log_key("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client)
        h.log_key("SERVER_HANDSHAKE_TRAFFIC_SECRET", server)
    return TrafficSecret(schedule.hash, client), TrafficSecret(schedule.hash, server)


def application_secrets(h: Handshake, schedule: KeySchedule) -> tuple[TrafficSecret, TrafficSecret, Secret]:
    """The traffic secrets of application data, the client's and the server's, and what exports (7.1, 7.5)."""
    schedule.enter_master()
    client, server, exporter = schedule.derive_all(_APPLICATION, h.transcript.digest())
    if h.config.keylog is not None:
        h.log_key("CLIENT_TRAFFIC_SECRET_0", client)
        h.log_key("SERVER_TRAFFIC_SECRET_0", server)
        h.log_key("EXPORTER_SECRET", exporter)
    return TrafficSecret(schedule.hash, client), TrafficSecret(schedule.hash, server), exporter


def early_exporter(h: Handshake, schedule: KeySchedule, client_hello_hash: bytes) -> None:
    """What early data may export from: Derive-Secret(., "e exp master", ClientHello) (RFC 8446 7.1, 7.5)."""
    secret = schedule.derive("early_exporter_master_secret", b"e exp master", client_hello_hash)
    h.log_key("EARLY_EXPORTER_SECRET", secret)
    h.conn._early_exporter = (schedule.hash, secret)
