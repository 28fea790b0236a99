"""The key schedule of TLS 1.3: from secrets to keys, by HKDF.

RFC 8446 section 7 (RFC 5869 for HKDF). The schedule is a ladder of three secrets:

             0
             |
   PSK ->  HKDF-Extract = Early Secret      -> binder key, early traffic, early exporter
             |  Derive-Secret(., "derived", "")
 (EC)DHE -> HKDF-Extract = Handshake Secret -> client and server handshake traffic
             |  Derive-Secret(., "derived", "")
       0 -> HKDF-Extract = Master Secret    -> client and server application traffic,
                                               exporter, resumption

HKDF-Expand of at most one hash length is a single HMAC, so a secret from which several values are
expanded is an HMAC context that is copied: a third of the cost of starting anew each time. The
copies are made in place, without a function around them: there are twenty in a handshake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.hmac import HMAC

from pellucid.crypto.suites import Aead, Hash
from pellucid.secret import Secret

Wanted = tuple[tuple[str, bytes], ...]  # secrets of one rung: the RFC's name for each, and its label
Note = Callable[[tuple[Any, ...]], None]  # takes a raw fact, see `pellucid.glass.telling`


@cache
def label_prefix(length: int, label: bytes, context_length: int) -> bytes:
    """`HkdfLabel` up to its context (RFC 8446 section 7.1): length, "tls13 ", label, context's length."""
    return length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + bytes([context_length])


def plain_label(length: int, label: bytes) -> bytes:
    """The whole `HkdfLabel` with an empty context, and HKDF-Expand's counter byte behind it."""
    return label_prefix(length, label, 0) + b"\x01"


_KEY = {length: plain_label(length, b"key") for length in (16, 32)}  # of an AEAD
_IV = plain_label(12, b"iv")
_FINISHED = {length: plain_label(length, b"finished") for length in (32, 48)}  # of a hash


def extract(hash: Hash, salt: bytes, secret: bytes) -> Secret:
    """HKDF-Extract (RFC 5869 section 2.2)."""
    return Secret(hash.mac(salt, secret))


def expand_label(hash: Hash, secret: bytes, label: bytes, context: bytes, length: int) -> Secret:
    """HKDF-Expand-Label (RFC 8446 section 7.1): `length` bytes, at most 255 hash lengths."""
    info = label_prefix(length, label, len(context)) + context
    block = output = hash.mac(secret, info + b"\x01")
    counter = 1
    while len(output) < length:
        counter += 1
        block = hash.mac(secret, block + info + bytes([counter]))
        output += block
    return Secret(output[:length])


def derive_secret(hash: Hash, secret: bytes, label: bytes, transcript_hash: bytes) -> Secret:
    """Derive-Secret (RFC 8446 section 7.1), given the transcript's hash."""
    length = hash.length
    return Secret(hash.mac(secret, label_prefix(length, label, length) + transcript_hash + b"\x01"))


def expand(context: HMAC, info: bytes) -> bytes:
    """HKDF-Expand to one hash length (RFC 5869 section 2.3), `info` with its counter byte behind it."""
    context = context.copy()
    context.update(info)
    return context.finalize()


class TrafficSecret:
    """One direction's traffic secret, and what is expanded from it (RFC 8446 sections 7.2, 7.3)."""

    __slots__ = ("_context", "hash", "secret")

    def __init__(self, hash: Hash, secret: Secret) -> None:
        self.hash = hash
        self.secret = secret
        self._context: HMAC | None = None  # under `secret`, once something is expanded from it

    def key_and_iv(self, aead: Aead) -> tuple[Secret, bytes]:
        """The record protection key and IV (12 bytes) of `aead`."""
        context, length = self._context, aead.key_length
        if context is None:
            context = self._context = HMAC(self.secret, self.hash.algorithm)
        expanded = context.copy()
        expanded.update(_KEY[length])
        key = Secret(expanded.finalize()[:length])
        expanded = context.copy()
        expanded.update(_IV)
        return key, expanded.finalize()[:12]

    def finished(self, transcript_hash: bytes) -> bytes:
        """Finished.verify_data over the transcript so far (RFC 8446 section 4.4.4)."""
        hash, context = self.hash, self._context
        if context is None:
            context = self._context = HMAC(self.secret, hash.algorithm)
        expanded = context.copy()
        expanded.update(_FINISHED[hash.length])
        mac = HMAC(expanded.finalize(), hash.algorithm)
        mac.update(transcript_hash)
        return mac.finalize()

    def next(self) -> TrafficSecret:
        """The secret after a KeyUpdate (RFC 8446 section 7.2)."""
        hash = self.hash
        return TrafficSecret(hash, expand_label(hash, self.secret, b"traffic upd", b"", hash.length))


@cache
def _derived(hash: Hash) -> bytes:
    # The HkdfLabel of Derive-Secret(., "derived", ""), which makes the salt of the next rung.
    return label_prefix(hash.length, b"derived", hash.length) + hash.empty + b"\x01"


@cache
def _unsalted(hash: Hash) -> HMAC:
    # HMAC under the zeros that are the first rung's salt.
    return HMAC(bytes(hash.length), hash.algorithm)


@cache
def _prefixes(hash: Hash, wanted: Wanted) -> tuple[bytes, ...]:
    # The HkdfLabels of Derive-Secret, up to the transcript's hash.
    return tuple(label_prefix(hash.length, label, hash.length) for _, label in wanted)


@cache
def _without_psk(hash: Hash) -> tuple[Secret, HMAC, HMAC]:
    # Without a PSK the Early Secret is a constant of the hash; so are HMAC under it and under its salt.
    early = Secret(expand(_unsalted(hash), bytes(hash.length)))
    context = HMAC(early, hash.algorithm)
    return early, context, HMAC(expand(context, _derived(hash)), hash.algorithm)


class KeySchedule:
    """The ladder of secrets of one connection. `note` is told each rung when somebody looks."""

    __slots__ = ("_context", "_name", "_salted", "hash", "note", "secret")

    def __init__(self, hash: Hash, psk: Secret | None, note: Note | None) -> None:
        self.hash = hash
        self.note = note
        self._name = "early_secret"
        self._salted: HMAC | None
        if psk is None:
            self.secret, self._context, self._salted = _without_psk(hash)
        else:
            self.secret = Secret(expand(_unsalted(hash), psk))
            self._context = HMAC(self.secret, hash.algorithm)
            self._salted = None
        if note is not None:
            note(("early secret", self.secret, hash, psk))

    def _climb(self, name: str, input_name: str, secret: bytes) -> None:
        hash, below, salted = self.hash, self.secret, self._salted
        if salted is None:
            context = self._context  # no copy: this rung is left for good
            context.update(_derived(hash))
            salted = HMAC(context.finalize(), hash.algorithm)
        else:  # a constant, which others copy too
            salted, self._salted = salted.copy(), None
        salted.update(secret)
        self.secret = Secret(salted.finalize())
        self._context = HMAC(self.secret, hash.algorithm)
        if self.note is not None:
            self.note(("next rung", name, self.secret, hash, self._name, below, input_name, secret))
        self._name = name

    def enter_handshake(self, shared_secret: bytes | None) -> None:
        """Climb to the Handshake Secret. `shared_secret` is None for psk_ke."""
        self._climb("handshake_secret", "(EC)DHE", shared_secret or bytes(self.hash.length))

    def enter_master(self) -> None:
        """Climb to the Master Secret."""
        self._climb("master_secret", "0", bytes(self.hash.length))

    def derive(self, name: str, label: bytes, transcript_hash: bytes) -> Secret:
        """A secret of the present rung (Derive-Secret); `name` is the RFC's name for it."""
        length, context = self.hash.length, self._context.copy()
        context.update(label_prefix(length, label, length) + transcript_hash + b"\x01")
        secret = Secret(context.finalize())
        if self.note is not None:
            self.note(("derived", name, secret, label, self._name, self.secret, transcript_hash))
        return secret

    def derive_all(self, wanted: Wanted, transcript_hash: bytes) -> list[Secret]:
        """Secrets of the present rung that are always made together."""
        rung, secrets = self._context, []
        info = transcript_hash + b"\x01"
        for prefix in _prefixes(self.hash, wanted):
            context = rung.copy()
            context.update(prefix + info)
            secrets.append(Secret(context.finalize()))
        if self.note is not None:
            self.note(("derived together", wanted, secrets, self._name, self.secret, transcript_hash))
        return secrets

    def traffic(self, name: str, label: bytes, transcript_hash: bytes) -> TrafficSecret:
        """A traffic secret of the present rung."""
        return TrafficSecret(self.hash, self.derive(name, label, transcript_hash))

    def binder(self, label: bytes, transcript_hash: bytes) -> bytes:
        """A PSK binder (RFC 8446 section 4.2.11.2). `label`: "res binder", "ext binder" or "imp binder"."""
        hash = self.hash
        key = self.derive("binder_key", label, hash.empty)
        return hash.mac(hash.mac(key, _FINISHED[hash.length]), transcript_hash)


def resumption_psk(hash: Hash, resumption_master_secret: Secret, ticket_nonce: bytes) -> Secret:
    """The PSK that belongs to a ticket (RFC 8446 section 4.6.1)."""
    return resumption_psks(hash, resumption_master_secret, (ticket_nonce,))[0]


def resumption_psks(hash: Hash, resumption_master_secret: Secret, nonces: Sequence[bytes]) -> list[Secret]:
    """The PSKs of several tickets, in the order of their nonces (RFC 8446 section 4.6.1)."""
    length, context = hash.length, HMAC(resumption_master_secret, hash.algorithm)
    return [
        Secret(expand(context, label_prefix(length, b"resumption", len(nonce)) + nonce + b"\x01"))
        for nonce in nonces
    ]


def export(hash: Hash, exporter_secret: Secret, label: bytes, context: bytes, length: int) -> Secret:
    """TLS-Exporter (RFC 8446 section 7.5)."""
    secret = derive_secret(hash, exporter_secret, label, hash.empty)
    return expand_label(hash, secret, b"exporter", hash.new(context).digest(), length)
