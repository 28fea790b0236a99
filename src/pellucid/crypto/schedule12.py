"""The key schedule of TLS 1.2: from the pre-master secret to the keys, by the PRF.

RFC 5246 sections 5, 6.3, 8.1 and 7.4.9; RFC 7627 section 4 (extended master secret); RFC 5705
(exporters).
"""

from __future__ import annotations

import struct
from functools import cache
from typing import NamedTuple

from cryptography.hazmat.primitives.hmac import HMAC

from pellucid.crypto.schedule13 import Note
from pellucid.crypto.suites import Hash, Suite
from pellucid.secret import Secret

MASTER_SECRET_LENGTH = 48
VERIFY_DATA_LENGTH = 12


class Prf:
    """PRF(secret, label, seed) under one secret: P_hash(secret, label + seed) (RFC 5246 section 5).

    The secret is put into HMAC once, and the context copied from then on: the master secret makes the key
    block and both Finished.

    Attributes:
        secret: what it stands on.

    >>> from pellucid.crypto.suites import HASHES
    >>> Prf(HASHES["sha256"], Secret(bytes(48)))(b"client finished", bytes(32), VERIFY_DATA_LENGTH)
    <Secret of 12 bytes>
    """

    __slots__ = ("_context", "secret")

    def __init__(self, hash: Hash, secret: Secret) -> None:
        self.secret = secret
        self._context = HMAC(secret, hash.algorithm)

    def __call__(self, label: bytes, seed: bytes, length: int) -> Secret:
        """`length` bytes."""
        new = self._context.copy
        a = seed = label + seed  # A(0); each round makes A(i), and HMAC_hash(secret, A(i) + seed)
        output = b""
        while len(output) < length:
            context = new()
            context.update(a)
            a = context.finalize()
            context = new()
            context.update(a + seed)
            output += context.finalize()
        return Secret(output[:length])


def prf(hash: Hash, secret: bytes, label: bytes, seed: bytes, length: int) -> Secret:
    """PRF(secret, label, seed), once (RFC 5246 section 5): `length` bytes."""
    return Prf(hash, Secret(secret))(label, seed, length)


def master_secret(
    hash: Hash, pre_master: Secret, randoms: bytes, session_hash: bytes | None, note: Note | None
) -> Secret:
    """The master secret, 48 bytes.

    With `session_hash` (the transcript's hash up to ClientKeyExchange) it is the extended one of
    RFC 7627; without, RFC 5246's, from both randoms (client first, 64 bytes).
    """
    label, seed = (
        (b"master secret", randoms) if session_hash is None else (b"extended master secret", session_hash)
    )
    value = prf(hash, pre_master, label, seed, MASTER_SECRET_LENGTH)
    if note is not None:
        note(("master secret", value, pre_master, randoms, session_hash))
    return value


class WriteKeys(NamedTuple):
    """What one side writes under; of `mac_key`, an AEAD needs none, and CBC takes its IVs elsewhere."""

    mac_key: Secret
    key: Secret
    iv: Secret


@cache
def _layout(mac: int, key: int, iv: int) -> struct.Struct:
    return struct.Struct(f"{mac}s{mac}s{key}s{key}s{iv}s{iv}s")


class KeyBlock:
    """The keys of both directions (RFC 5246 section 6.3).

    Parameters:
        prf: under the master secret.
        randoms: client random and server random, 64 bytes.

    Attributes:
        client, server: what each writes under.
    """

    __slots__ = ("client", "server")

    def __init__(self, suite: Suite, prf: Prf, randoms: bytes, note: Note | None) -> None:
        cipher, cbc = suite.aead or suite.cbc, suite.cbc
        layout = _layout(cbc.mac_length if cbc else 0, cipher.key_length if cipher else 0, suite.iv_length)
        block = prf(b"key expansion", randoms[32:] + randoms[:32], layout.size)
        if note is not None:
            note(("key block", block, prf.secret, randoms))
        cuts = tuple(map(Secret, layout.unpack(block)))
        self.client, self.server = WriteKeys(*cuts[::2]), WriteKeys(*cuts[1::2])


def export(
    hash: Hash, master: Secret, label: bytes, randoms: bytes, context: bytes | None, length: int
) -> Secret:
    """RFC 5705 section 4. No context is not the same as an empty one."""
    seed = randoms if context is None else randoms + len(context).to_bytes(2, "big") + context
    return prf(hash, master, label, seed, length)


def psk_pre_master(other_secret: bytes, psk: Secret) -> Secret:
    """The pre-master secret of the PSK suites (RFC 4279 section 2, RFC 5489 section 2)."""
    return Secret(len(other_secret).to_bytes(2, "big") + other_secret + len(psk).to_bytes(2, "big") + psk)
