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
expanded keeps one HMAC context and copies it: half the cost of starting anew each time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import cache

from pellucid.crypto.suites import HASHES, Aead, Hash
from pellucid.secret import Secret

Note = Callable[..., None]


@cache
def label_prefix(length: int, label: bytes) -> bytes:
    """`HkdfLabel` up to the context (RFC 8446 section 7.1): length, then "tls13 " and the label."""
    return length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label


@cache
def plain_label(length: int, label: bytes) -> bytes:
    """The whole `HkdfLabel` with an empty context, and HKDF-Expand's counter byte behind it."""
    return label_prefix(length, label) + b"\0\x01"


def extract(hash: Hash, salt: bytes, secret: bytes) -> Secret:
    """HKDF-Extract (RFC 5869 section 2.2)."""
    return Secret(hmac.digest(salt, secret, hash.name))


def expand_label(hash: Hash, secret: bytes, label: bytes, context: bytes, length: int) -> Secret:
    """HKDF-Expand-Label (RFC 8446 section 7.1): `length` bytes, at most 255 hash lengths."""
    info = label_prefix(length, label) + bytes([len(context)]) + context
    block = output = hmac.digest(secret, info + b"\x01", hash.name)
    counter = 1
    while len(output) < length:
        counter += 1
        block = hmac.digest(secret, block + info + bytes([counter]), hash.name)
        output += block
    return Secret(output[:length])


def derive_secret(hash: Hash, secret: bytes, label: bytes, transcript_hash: bytes) -> Secret:
    """Derive-Secret (RFC 8446 section 7.1), given the transcript's hash."""
    info = label_prefix(hash.length, label) + bytes([hash.length]) + transcript_hash + b"\x01"
    return Secret(hmac.digest(secret, info, hash.name))


class TrafficSecret:
    """One direction's traffic secret, and what is expanded from it (RFC 8446 sections 7.2, 7.3)."""

    __slots__ = ("_context", "hash", "secret")

    def __init__(self, hash: Hash, secret: Secret) -> None:
        self.hash = hash
        self.secret = secret
        self._context = hmac.new(secret, digestmod=hash.name)

    def _expand(self, label: bytes, length: int) -> bytes:
        context = self._context.copy()
        context.update(plain_label(length, label))
        return context.digest()[:length]

    def key_and_iv(self, aead: Aead) -> tuple[Secret, bytes]:
        """The record protection key and IV (12 bytes) of `aead`."""
        return Secret(self._expand(b"key", aead.key_length)), self._expand(b"iv", 12)

    def finished(self, transcript_hash: bytes) -> bytes:
        """Finished.verify_data over the transcript so far (RFC 8446 section 4.4.4)."""
        finished_key = self._expand(b"finished", self.hash.length)
        return hmac.digest(finished_key, transcript_hash, self.hash.name)

    def next(self) -> TrafficSecret:
        """The secret after a KeyUpdate (RFC 8446 section 7.2)."""
        return TrafficSecret(self.hash, Secret(self._expand(b"traffic upd", self.hash.length)))


@cache
def _early_without_psk(hash_name: str, length: int) -> tuple[Secret, Secret]:
    """Without a PSK the first rung is a constant of the hash: the Early Secret and its "derived"."""
    hash = HASHES[hash_name]
    early = extract(hash, bytes(length), bytes(length))
    return early, derive_secret(hash, early, b"derived", hash.empty)


class KeySchedule:
    """The ladder of secrets of one connection. `note` is told each rung when somebody looks."""

    __slots__ = ("_derived", "_rung", "hash", "note", "secret")

    def __init__(self, hash: Hash, psk: Secret | None, note: Note | None) -> None:
        self.hash = hash
        self.note = note
        self._rung = "early_secret"
        if psk is None:
            self.secret, self._derived = _early_without_psk(hash.name, hash.length)
        else:
            self.secret = extract(hash, bytes(hash.length), psk)
            self._derived = derive_secret(hash, self.secret, b"derived", hash.empty)
        if note is not None:
            zero = bytes(hash.length)
            inputs = {"salt": zero, "PSK": zero if psk is None else psk}
            note("secret", name="early_secret", value=self.secret, how="HKDF-Extract", inputs=inputs)

    def _climb(self, name: str, input_name: str, secret: bytes) -> None:
        derived = self._derived
        self.secret = extract(self.hash, derived, secret)
        if self.note is not None:
            how = 'HKDF-Extract, salt = Derive-Secret(., "derived", "")'
            inputs = {self._rung: derived, input_name: secret}
            self.note("secret", name=name, value=self.secret, how=how, inputs=inputs)
        self._rung = name

    def enter_handshake(self, shared_secret: bytes | None) -> None:
        """Climb to the Handshake Secret. `shared_secret` is None for psk_ke."""
        self._climb("handshake_secret", "(EC)DHE", shared_secret or bytes(self.hash.length))
        self._derived = derive_secret(self.hash, self.secret, b"derived", self.hash.empty)

    def enter_master(self) -> None:
        """Climb to the Master Secret."""
        self._climb("master_secret", "0", bytes(self.hash.length))

    def derive(self, name: str, label: bytes, transcript_hash: bytes) -> Secret:
        """A secret of the present rung; `name` is the RFC's name for it."""
        secret = derive_secret(self.hash, self.secret, label, transcript_hash)
        if self.note is not None:
            inputs = {self._rung: self.secret, "transcript_hash": transcript_hash}
            how = f'Derive-Secret(., "{label.decode()}", messages)'
            self.note("secret", name=name, value=secret, how=how, inputs=inputs)
        return secret

    def traffic(self, name: str, label: bytes, transcript_hash: bytes) -> TrafficSecret:
        """A traffic secret of the present rung."""
        return TrafficSecret(self.hash, self.derive(name, label, transcript_hash))

    def binder(self, label: bytes, transcript_hash: bytes) -> bytes:
        """A PSK binder (RFC 8446 section 4.2.11.2). `label`: "res binder", "ext binder" or "imp binder"."""
        key = self.derive("binder_key", label, self.hash.empty)
        return TrafficSecret(self.hash, key).finished(transcript_hash)


def resumption_psk(hash: Hash, resumption_master_secret: Secret, ticket_nonce: bytes) -> Secret:
    """The PSK that belongs to a ticket (RFC 8446 section 4.6.1)."""
    return expand_label(hash, resumption_master_secret, b"resumption", ticket_nonce, hash.length)


def export(hash: Hash, exporter_secret: Secret, label: bytes, context: bytes, length: int) -> Secret:
    """TLS-Exporter (RFC 8446 section 7.5)."""
    secret = derive_secret(hash, exporter_secret, label, hash.empty)
    return expand_label(hash, secret, b"exporter", hash.new(context).digest(), length)
