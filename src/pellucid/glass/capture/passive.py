"""A connection, read by somebody who only listens: from its bytes to a `Trace`.

RFC 8446 sections 5 and 7, RFC 5246 sections 6 and 7.4.7.1. Whatever the listener holds keys for is
opened by the same record protections that the connections use; the rest stays sealed, as it would
for anybody. The trace is told from the client's place: what the client sent is `sent`. A listener sees
what was chosen and from what, and not why; the decisions of such a trace say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pellucid.crypto.schedule12 import KeyBlock, Prf, master_secret
from pellucid.crypto.schedule13 import TrafficSecret
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import TLSError
from pellucid.glass.capture.keys import LABELS, KeyRing
from pellucid.glass.capture.tcp import Conversation
from pellucid.glass.decode import key_exchange_of
from pellucid.glass.hearing import TLS13, Hearing
from pellucid.glass.trace import Trace
from pellucid.protection import (
    ALERT,
    APPLICATION,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    EARLY,
    HANDSHAKE,
    HANDSHAKE_KEYS,
    PLAIN,
    Opening,
    Opening12,
    Opening13,
)
from pellucid.secret import Secret
from pellucid.wire import messages as m
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.codepoints import HandshakeType

_FROM_LOG = "from the key log"
_MOST = 1 << 14 | 1 << 11  # bytes of a protected record (RFC 5246 section 6.2.3)


def listen(conversation: Conversation, ring: KeyRing) -> Trace | None:
    """What a listener makes of `conversation`; None if it is no TLS.

    Parameters:
        conversation: of `conversations`.
        ring: the keys that the listener holds; may be empty.
    """
    first = next((chunk.data for chunk in conversation.chunks if chunk.client), b"")
    if len(first) < 2 or first[0] != HANDSHAKE or first[1] != 3:
        return None
    return overhear(conversation, ring)


def overhear(conversation: Conversation, ring: KeyRing) -> Trace:
    """As `listen`, for bytes that are known to be TLS, and perhaps of one side only."""
    listener = Listener(conversation.chunks[0].at, ring, early_suite=_suite_to_come(conversation))
    for chunk in conversation.chunks:
        listener.hear(chunk.at, chunk.client, chunk.data)
    listener.end(conversation.gaps)
    return listener.trace


class _Side:
    """One direction: what is unread, and the keys that it is, and will be, written under."""

    __slots__ = ("buffer", "epoch", "lost", "openings", "parts", "traffic", "unused")

    def __init__(self) -> None:
        self.buffer = b""
        self.parts = b""  # of handshake messages
        self.epoch = PLAIN
        self.openings: list[Opening] = []
        self.unused: dict[int, dict[str, Any]] = {}  # by epoch: keys that nothing was opened with yet
        self.traffic: TrafficSecret | None = None  # the latest application secret
        self.lost = False  # what comes is no record

    def open(self, kind: int, header: bytes, payload: bytes) -> tuple[int, bytes] | None:
        """Type and content of a protected record; None without its key.

        Each key is tried in its order, and those behind the one that fits are done with: so the changes
        from early data to the handshake and on need no second look at the messages.
        """
        for at, opening in enumerate(self.openings):
            try:
                opened = opening.open(kind, header, payload)
            except TLSError:
                continue
            if at:
                del self.openings[:at]
            self.epoch = opening.epoch
            return opened
        return None


class Listener(Hearing):
    """Makes the trace of a conversation while it is heard, from the client's place.

    Parameters:
        started: seconds since the epoch.
        ring: the keys that the listener holds; may be empty.
        early_suite: of the ServerHello to come, where it is known already: opens early data.

    Attributes:
        veiled: who has sent protected records (True is the client): both have, so the handshake is over, or
            what is left of it cannot be told from data.

    >>> listener = Listener(0.0, KeyRing())
    >>> listener.hear(0.1, True, bytes.fromhex("1503010002022a"))
    >>> [fact.description for fact in listener.trace.of("alert")]
    [42]
    """

    def __init__(self, started: float, ring: KeyRing, *, early_suite: Suite | None = None) -> None:
        super().__init__("client", started)
        self.ring = ring
        self.sides = {True: _Side(), False: _Side()}
        self.messages: list[bytes] = []  # of TLS 1.2, for the extended master secret
        self.block: KeyBlock | None = None
        self.early_suite = early_suite
        self.veiled: set[bool] = set()

    def hear(self, at: float, client: bool, data: bytes) -> None:
        """Bytes that one side sent, seconds since the epoch."""
        self.now = at - self.trace.started
        side = self.sides[client]
        side.buffer += data
        for record in self._records(side):
            self._record(client, *record)

    def end(self, gaps: Mapping[str, int] | None = None) -> None:
        """Nothing more is heard. `gaps`: bytes that were missed, by side ("client", "server")."""
        for name, count in (gaps or {}).items():
            if count:
                self.note("state", what=f"the capture lacks {count} bytes that the {name} sent")
        for client, side in self.sides.items():
            if side.lost:
                who = "client" if client else "server"
                self.note("state", what=f"what the {who} sent then is no TLS")

    # -- records -----------------------------------------------------------------------------------

    def _records(self, side: _Side) -> Iterator[tuple[bytes, bytes]]:
        """The complete records in a side's buffer: header and payload."""
        buffer, at = side.buffer, 0
        while not side.lost and len(buffer) - at >= 5:
            size = buffer[at + 3] << 8 | buffer[at + 4]
            if not CHANGE_CIPHER_SPEC <= buffer[at] <= 24 or buffer[at + 1] != 3 or size > _MOST:
                side.lost = True
                break
            if len(buffer) - at < 5 + size:
                break
            yield buffer[at : at + 5], buffer[at + 5 : at + 5 + size]
            at += 5 + size
        side.buffer = buffer[at:]

    def _record(self, client: bool, header: bytes, payload: bytes) -> None:
        side = self.sides[client]
        kind = header[0]
        sealed = kind == APPLICATION_DATA if self.version == TLS13 or not self.version else side.epoch > 0
        content: bytes | None = payload
        if sealed:
            self.veiled.add(client)
            opened = side.open(kind, header, payload)
            kind, content = opened or (kind, None)
            fresh = side.unused.pop(side.epoch, None)
            if opened and fresh:
                self.note("keys", **fresh)
        epoch = side.epoch if sealed else PLAIN
        self.note(
            "record", sent=client, epoch=epoch, content_type=kind, wire=header + payload, plaintext=content
        )
        if content is None:
            return
        if kind == HANDSHAKE:
            self._handshake(client, epoch, content)
        elif kind == CHANGE_CIPHER_SPEC:
            self.note("ccs", sent=client)
            if self.version and self.version != TLS13:
                self._change_keys(client)
        elif kind == ALERT and len(content) == 2:
            self.alert(client, *content)

    def _handshake(self, client: bool, epoch: int, content: bytes) -> None:
        side = self.sides[client]
        side.parts += content
        while len(side.parts) >= 4:
            stop = 4 + int.from_bytes(side.parts[1:4], "big")
            if len(side.parts) < stop:
                return
            raw, side.parts = side.parts[:stop], side.parts[stop:]
            self.messages.append(raw)
            self.message(client, epoch, raw)

    def _understand(self, client: bool, raw: bytes) -> None:
        """What a message changes for the keys."""
        super()._understand(client, raw)
        kind = raw[0]
        if kind == HandshakeType.client_hello and client:
            self._early_keys()
        elif kind == HandshakeType.server_hello and not client:
            hello = self.server_hello
            if hello is not None and hello.random != m.RETRY_RANDOM and self.version == TLS13:
                self._keys13()
        elif kind == HandshakeType.client_key_exchange and client:
            self._master(raw)
        elif kind == HandshakeType.key_update:
            self._update(client)

    # -- keys --------------------------------------------------------------------------------------

    def _secret(self, name: str) -> Secret | None:
        return None if self.hello is None else self.ring.secret(self.hello.random, name)

    def _early_keys(self) -> None:
        """Early data comes before the ServerHello that says its suite (RFC 8446 section 4.2.10)."""
        secret, suite = self._secret("client_early_traffic_secret"), self.early_suite
        if secret is not None and suite is not None and not self.sides[True].openings:
            self.note("secret", name="client_early_traffic_secret", value=secret, how=_FROM_LOG, inputs={})
            self._expect(True, suite, TrafficSecret(suite.hash, secret), EARLY)

    def _keys13(self) -> None:
        """RFC 8446 section 7.3: every key that the log has a secret for."""
        suite = self.suite
        if suite is None:
            return
        for name in LABELS:
            secret = self._secret(name)
            if secret is None or name in ("master_secret", "client_early_traffic_secret"):
                continue
            self.note("secret", name=name, value=secret, how=_FROM_LOG, inputs={})
            if name != "exporter_master_secret":
                epoch = HANDSHAKE_KEYS if "handshake" in name else APPLICATION
                self._expect(name.startswith("client"), suite, TrafficSecret(suite.hash, secret), epoch)

    def _expect(self, client: bool, suite: Suite, traffic: TrafficSecret, epoch: int) -> None:
        if suite.aead is None:
            return
        side = self.sides[client]
        side.openings.append(Opening13(suite.aead, traffic, epoch))
        if epoch >= APPLICATION:
            side.traffic = traffic
        key, iv = traffic.key_and_iv(suite.aead)
        fields = {"sent": client, "epoch": epoch, "suite": suite.code, "key": key, "iv": Secret(iv)}
        side.unused[epoch] = fields

    def _update(self, client: bool) -> None:
        """RFC 8446 section 7.2: the next application traffic secret follows from the last."""
        side = self.sides[client]
        if side.traffic is not None and self.suite is not None:
            self._expect(client, self.suite, side.traffic.next(), side.epoch + 1)

    def _master(self, raw: bytes) -> None:
        """TLS 1.2's master secret: from the key log, or by the server's RSA key."""
        if self.hello is None or self.server_hello is None or self.suite is None:
            return
        known = self._secret("master_secret")
        if known is not None or key_exchange_of(self.suite.code) != "RSA":
            self._block(known)
            return
        for key in self.ring.private_keys:
            # A wrong key gives random bytes (implicit rejection): the version in front tells them apart.
            pre_master = self._decrypt(key, raw)
            if pre_master is not None and pre_master[:2] == self.hello.legacy_version.to_bytes(2, "big"):
                how = "RSAES-PKCS1-v1_5 decryption with the server's private key"
                sealed = {"encrypted_pre_master_secret": raw[6:]}
                self.note("secret", name="pre_master_secret", value=pre_master, how=how, inputs=sealed)
                randoms = self.hello.random + self.server_hello.random
                extended = X.extended_master_secret in self.server_hello.extensions
                session_hash = self.suite.hash.new(b"".join(self.messages)).digest() if extended else None
                self._block(master_secret(self.suite.hash, pre_master, randoms, session_hash, self.keep))
                return

    @staticmethod
    def _decrypt(key: Any, raw: bytes) -> Secret | None:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        try:
            pre_master = Secret(key.decrypt(raw[6:], PKCS1v15()))
        except ValueError:
            return None
        return pre_master if len(pre_master) == 48 else None

    def _block(self, master: Secret | None) -> None:
        if master is None or self.hello is None or self.server_hello is None or self.suite is None:
            return
        if not any(fact.fields["name"] == "master_secret" for fact in self.trace.of("secret")):
            self.note("secret", name="master_secret", value=master, how=_FROM_LOG, inputs={})
        randoms = self.hello.random + self.server_hello.random
        self.block = KeyBlock(self.suite, Prf(self.suite.hash, master), randoms, self.keep)

    def _change_keys(self, client: bool) -> None:
        """RFC 5246 section 7.1: what this side sends from now on is protected."""
        side, suite = self.sides[client], self.suite
        side.epoch = 1
        if self.block is None:  # a resumption has no ClientKeyExchange: only the key log knows its secret
            self._block(self._secret("master_secret"))
        block = self.block
        if block is None or suite is None:
            return
        mac, key, iv = block.client if client else block.server
        if suite.aead is not None:
            side.openings = [Opening12(suite, suite.aead, key, iv)]
        else:
            from pellucid.legacy.protection import OpeningCbc

            etm = self.server_hello is not None and X.encrypt_then_mac in self.server_hello.extensions
            side.openings = [OpeningCbc(suite.cbc, key, mac, etm)]  # type: ignore[arg-type]
        self.note("keys", sent=client, epoch=1, suite=suite.code, key=key, iv=iv)


def _suite_to_come(conversation: Conversation) -> Suite | None:
    """The suite of the ServerHello that stands in the clear further on; None if there is none."""
    said = b"".join(chunk.data for chunk in conversation.chunks if not chunk.client)
    parts, at = b"", 0
    while said[at : at + 1] in (b"\x16", b"\x14") and len(said) >= at + 5:
        stop = at + 5 + int.from_bytes(said[at + 3 : at + 5], "big")
        parts += said[at + 5 : stop] if said[at] == HANDSHAKE else b""
        at = stop
    while len(parts) >= 4 and parts[0] == HandshakeType.server_hello:
        stop = 4 + int.from_bytes(parts[1:4], "big")
        try:
            hello = m.ServerHello.decode(parts[4:stop])
        except TLSError:
            return None
        if hello.random != m.RETRY_RANDOM:
            return SUITES.get(hello.cipher_suite)
        parts = parts[stop:]
    return None
