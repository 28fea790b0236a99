"""Somebody who recorded the wire, and nothing else; later the server's private key falls into his hands.

RFC 5246 sections 7.4.7.1 (static RSA), 8.1 and 6.3; RFC 7627; RFC 8446 appendix E.1.2 (forward
secrecy). This is a real attack on real bytes: a `Recording` holds the records as they were on the
wire and no secret of either end. With static RSA the private key opens it. With an ephemeral key
exchange the attempt is made too, by the only means there are, and fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x448, x25519

from pellucid.crypto.schedule12 import KeyBlock, Prf, master_secret
from pellucid.crypto.suites import SUITES, Suite, legacy_suites
from pellucid.errors import TLSError
from pellucid.glass.crossings import OTHER
from pellucid.glass.trace import Trace
from pellucid.protection import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, Opening, Opening12, Opening13
from pellucid.secret import Secret
from pellucid.wire import messages as m
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.codepoints import HandshakeType as T
from pellucid.wire.extensions import KeyShareServerHello, SelectedVersion


class Taken(NamedTuple):
    """A record as it was on the wire: `number` counts the records of the trace. `whole`: not shortened."""

    number: int
    sender: str
    wire: bytes
    whole: bool = True


class Opened(NamedTuple):
    """A record that could be decrypted: its number, sender, content type and content."""

    number: int
    sender: str
    content_type: int
    plaintext: bytes


class Attempt(NamedTuple):
    """One thing that the eavesdropper does with the leaked key, and what came of it."""

    text: str
    worked: bool | None
    value: Any = None


@dataclass
class Recording:
    """What was recorded, read as far as it is in clear.

    Attributes:
        records: everything, in order.
        messages: the handshake messages in clear: (sender, raw).
        sealed: the records after each side's first change of keys.
        version, suite: from the ServerHello; 0 without one.
    """

    records: Sequence[Taken]
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    sealed: list[Taken] = field(default_factory=list)
    version: int = 0
    suite: int = 0

    @classmethod
    def of(cls, trace: Trace) -> Recording:
        """The wire bytes of a trace, and nothing else of it."""
        taken = []
        for number, fact in enumerate(trace.of("record")):
            sender = trace.role if fact.fields["sent"] else OTHER[trace.role]
            taken.append(Taken(number, sender, bytes(fact.fields["wire"]), "size" not in fact.fields))
        found = cls(taken)
        found._read()
        return found

    def _read(self) -> None:
        streams = {"client": b"", "server": b""}
        changed: set[str] = set()
        for one in self.records:
            kind, body = one.wire[0], one.wire[5:]
            if one.sender in changed and kind != CHANGE_CIPHER_SPEC:
                self.sealed.append(one)
            elif kind == CHANGE_CIPHER_SPEC and self.version not in (0, 0x0304):
                changed.add(one.sender)
            elif kind == HANDSHAKE:
                streams[one.sender] = self._messages(one.sender, streams[one.sender] + body)
                if self.version == 0x0304:
                    changed.add("server")  # what follows a TLS 1.3 ServerHello is encrypted
            elif kind not in (CHANGE_CIPHER_SPEC, ALERT):
                self.sealed.append(one)

    def _messages(self, sender: str, stream: bytes) -> bytes:
        while len(stream) >= 4:
            size = 4 + int.from_bytes(stream[1:4], "big")
            if len(stream) < size:
                break
            raw, stream = stream[:size], stream[size:]
            self.messages.append((sender, raw))
            hello = self.server_hello() if raw[0] == T.server_hello else None
            if hello is not None and hello.random != m.RETRY_RANDOM:
                selected = hello.extensions.get(X.supported_versions)
                self.version = (
                    SelectedVersion.decode(selected).selected_version if selected else hello.legacy_version
                )
                self.suite = hello.cipher_suite
        return stream

    def find(self, kind: int, form: type[Any]) -> Any:
        """The last message in clear of a type, decoded; None where there is none, or it is unreadable."""
        for _, raw in reversed(self.messages):
            if raw[0] == kind:
                try:
                    return form.decode(raw[4:])
                except TLSError:
                    return None
        return None

    def client_hello(self) -> Any:
        """The (last) ClientHello."""
        return self.find(T.client_hello, m.ClientHello)

    def server_hello(self) -> Any:
        """The (last) ServerHello."""
        return self.find(T.server_hello, m.ServerHello)

    # -- the attack ------------------------------------------------------------------------------------

    def open_static_rsa(self, key: rsa.RSAPrivateKey) -> Iterator[Attempt | Opened]:
        """Decrypt the recording with the server's RSA key, step by step."""
        exchange = self.find(T.client_key_exchange, m.ClientKeyExchangeRSA)
        hello, answer = self.client_hello(), self.server_hello()
        if exchange is None or hello is None or answer is None:
            yield Attempt("The recording ends before the key exchange.", False)
            return
        sealed = exchange.encrypted_pre_master_secret
        try:
            pre_master = Secret(key.decrypt(sealed, padding.PKCS1v15()))
        except ValueError as error:
            yield Attempt("Decrypt the pre-master secret of the ClientKeyExchange.", False, str(error))
            return
        yield Attempt(
            "The stolen key decrypts the pre-master secret of the ClientKeyExchange.", True, pre_master
        )
        suite = SUITES.get(self.suite) or legacy_suites()[self.suite]
        randoms = hello.random + answer.random
        session = self._session_hash(suite) if X.extended_master_secret in answer.extensions else None
        master = master_secret(suite.hash, pre_master, randoms, session, None)
        seen = "the messages" if session is not None else "both randoms"
        yield Attempt(f"With {seen}, recorded in clear, it makes the master secret.", True, master)
        block = KeyBlock(suite, Prf(suite.hash, master), randoms, None)
        yield Attempt("The master secret makes the keys of both directions.", True, block.client.key)
        openings = {
            side: _opening(suite, block, side, X.encrypt_then_mac in answer.extensions)
            for side in ("client", "server")
        }
        yield from self._open(openings)

    def _session_hash(self, suite: Suite) -> bytes:
        """RFC 7627 section 3: every message up to and including the ClientKeyExchange."""
        digest = suite.hash.new()
        for _, raw in self.messages:
            digest.update(raw)
            if raw[0] == T.client_key_exchange:
                break
        return digest.digest()

    def _open(self, openings: dict[str, Opening]) -> Iterator[Attempt | Opened]:
        for one in self.sealed:
            if not one.whole:
                yield Attempt("The recording is shortened here; the rest would open in the same way.", None)
                return
            try:
                kind, data = openings[one.sender].open(one.wire[0], one.wire[:5], memoryview(one.wire)[5:])
            except TLSError as error:
                yield Attempt("A record does not open.", False, error.reason.sentence)
                return
            yield Opened(one.number, one.sender, kind, bytes(data))

    def attempt_ephemeral(self, key: Any) -> Iterator[Attempt | Opened]:
        """Do what can be done with the server's key against an ephemeral key exchange: it fails."""
        share = self.client_share()
        if share is None:
            yield Attempt("The recording ends before the key exchange.", False)
            return
        yield Attempt("The recording holds the client's fresh public key ...", None, share)
        yield Attempt("... and the server's. Both private keys are gone.", None, self.server_share())
        if isinstance(key, rsa.RSAPrivateKey):
            try:
                key.decrypt(share, padding.PKCS1v15())
                yield Attempt(
                    "Decrypt it with the stolen key.", False, "what comes out is no secret of this connection"
                )
            except ValueError as error:
                why = f"nothing in the recording was encrypted under it ({str(error).rstrip('.')})"
                yield Attempt("Decrypt something with the stolen key.", False, why)
            return
        secret = _agree(key, share)
        if secret is None:
            yield Attempt(
                "Use the stolen key in the key exchange.",
                False,
                "it is a key for signatures, of another kind",
            )
            return
        yield Attempt(
            "Put the stolen key in the place of the server's lost one: a secret comes out.", None, secret
        )
        worked = any(self._opens(opening) for opening in self._openings(secret))
        yield Attempt(
            "Make keys from it, and open the first encrypted record.",
            worked,
            "the record's tag does not fit: it is another secret",
        )

    def client_share(self) -> bytes | None:
        """The client's ephemeral public key, for the group that was agreed on."""
        exchange = self.find(T.client_key_exchange, m.ClientKeyExchangeECDHE)
        if exchange is not None:
            return bytes(exchange.ecdh_Yc)
        hello, answer = self.client_hello(), self.server_hello()
        body = answer.extensions.get(X.key_share) if answer is not None else None
        offered = hello.extensions.get(X.key_share) if hello is not None else None
        if body is None or offered is None:
            return None
        from pellucid.wire.extensions import KeyShareClientHello

        try:
            group = KeyShareServerHello.decode(body).server_share.group
            shares = KeyShareClientHello.decode(offered).client_shares
        except TLSError:
            return None
        return next((bytes(one.key_exchange) for one in shares if one.group == group), None)

    def server_share(self) -> bytes | None:
        """The server's ephemeral public key."""
        exchange = self.find(T.server_key_exchange, m.ServerKeyExchangeECDHE)
        if exchange is not None:
            return bytes(exchange.params.public)
        answer = self.server_hello()
        body = answer.extensions.get(X.key_share) if answer is not None else None
        try:
            return None if body is None else bytes(KeyShareServerHello.decode(body).server_share.key_exchange)
        except TLSError:
            return None

    def _openings(self, secret: Secret) -> Iterator[tuple[Taken, Opening]]:
        """The first encrypted record, and what would open it if `secret` were the right one."""
        suite, first = SUITES.get(self.suite), next(iter(self.sealed), None)
        hello, answer = self.client_hello(), self.server_hello()
        if suite is None or suite.aead is None or first is None:
            return
        if self.version == 0x0304:
            from pellucid.crypto.schedule13 import KeySchedule

            schedule = KeySchedule(suite.hash, None, None)
            schedule.enter_handshake(secret)
            digest = suite.hash.new(b"".join(raw for _, raw in self.messages)).digest()
            traffic = schedule.traffic("", b"%c hs traffic" % first.sender[0].encode(), digest)
            yield first, Opening13(suite.aead, traffic, 2)
            return
        randoms = hello.random + answer.random
        extended = X.extended_master_secret in answer.extensions
        session = self._session_hash(suite) if extended else None
        master = master_secret(suite.hash, secret, randoms, session, None)
        block = KeyBlock(suite, Prf(suite.hash, master), randoms, None)
        yield first, _opening(suite, block, first.sender, False)

    @staticmethod
    def _opens(pair: tuple[Taken, Opening]) -> bool:
        record, opening = pair
        try:
            opening.open(record.wire[0], record.wire[:5], memoryview(record.wire)[5:])
        except TLSError:
            return False
        return True


def _opening(suite: Suite, block: KeyBlock, side: str, encrypt_then_mac: bool) -> Opening:
    mac, key, iv = block.client if side == "client" else block.server
    if suite.aead is not None:
        return Opening12(suite, suite.aead, key, iv)
    from pellucid.legacy.protection import OpeningCbc

    return OpeningCbc(suite.cbc, key, mac, encrypt_then_mac)  # type: ignore[arg-type]


def _agree(key: Any, share: bytes) -> Secret | None:
    """What `key` and the public key `share` make, where they are of one kind."""
    try:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            public = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, share)
            return Secret(key.exchange(ec.ECDH(), public))
        if isinstance(key, x25519.X25519PrivateKey):
            return Secret(key.exchange(x25519.X25519PublicKey.from_public_bytes(share)))
        if isinstance(key, x448.X448PrivateKey):
            return Secret(key.exchange(x448.X448PublicKey.from_public_bytes(share)))
    except ValueError:
        return None
    return None
