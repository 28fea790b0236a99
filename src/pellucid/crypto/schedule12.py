"""The key schedule of TLS 1.2: from the pre-master secret to the keys, by the PRF.

RFC 5246 sections 5, 6.3, 8.1 and 7.4.9; RFC 7627 section 4 (extended master secret); RFC 5705
(exporters).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hmac import HMAC

from pellucid.crypto.schedule13 import Note, expand
from pellucid.crypto.suites import Hash, Suite
from pellucid.secret import Secret

MASTER_SECRET_LENGTH = 48
VERIFY_DATA_LENGTH = 12


def prf(hash: Hash, secret: bytes, label: bytes, seed: bytes, length: int) -> Secret:
    """PRF(secret, label, seed) = P_hash(secret, label + seed) (RFC 5246 section 5): `length` bytes."""
    seed = label + seed
    context = HMAC(secret, hash.algorithm)
    a = expand(context, seed)
    output = expand(context, a + seed)
    while len(output) < length:
        a = expand(context, a)
        output += expand(context, a + seed)
    return Secret(output[:length])


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


class KeyBlock:
    """The keys of both directions (RFC 5246 section 6.3)."""

    __slots__ = ("client_iv", "client_key", "client_mac_key", "server_iv", "server_key", "server_mac_key")

    def __init__(self, suite: Suite, master: Secret, randoms: bytes, note: Note | None) -> None:
        cipher = suite.aead or suite.cbc
        mac = suite.cbc.mac_length if suite.cbc else 0
        key = cipher.key_length if cipher else 0
        iv = suite.iv_length
        seed = randoms[32:] + randoms[:32]
        block = prf(suite.hash, master, b"key expansion", seed, 2 * (mac + key + iv))
        if note is not None:
            note(("key block", block, master, randoms))
        cuts = []
        at = 0
        for size in (mac, mac, key, key, iv, iv):
            cuts.append(Secret(block[at : at + size]))
            at += size
        self.client_mac_key, self.server_mac_key, self.client_key, self.server_key = cuts[:4]
        self.client_iv, self.server_iv = cuts[4:]


def verify_data(hash: Hash, master: Secret, label: bytes, transcript_hash: bytes) -> Secret:
    """Finished.verify_data, 12 bytes (RFC 5246 section 7.4.9)."""
    return prf(hash, master, label, transcript_hash, VERIFY_DATA_LENGTH)


def export(
    hash: Hash, master: Secret, label: bytes, randoms: bytes, context: bytes | None, length: int
) -> Secret:
    """RFC 5705 section 4. No context is not the same as an empty one."""
    seed = randoms if context is None else randoms + len(context).to_bytes(2, "big") + context
    return prf(hash, master, label, seed, length)


def psk_pre_master(other_secret: bytes, psk: Secret) -> Secret:
    """The pre-master secret of the PSK suites (RFC 4279 section 2, RFC 5489 section 2)."""
    return Secret(len(other_secret).to_bytes(2, "big") + other_secret + len(psk).to_bytes(2, "big") + psk)
