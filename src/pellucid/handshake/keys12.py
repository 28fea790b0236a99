"""What client and server of TLS 1.2 do alike: master secret, key block, Finished, renegotiation.

RFC 5246 sections 6.3, 7.4.9 and 8.1; RFC 7627; RFC 5746; RFC 4279 and 5489 (pre-shared keys).
"""

from __future__ import annotations

import hmac
from typing import Any

from pellucid.crypto.schedule12 import VERIFY_DATA_LENGTH, KeyBlock, Prf, WriteKeys, master_secret
from pellucid.crypto.suites import Suite
from pellucid.errors import Reason, refuse
from pellucid.handshake.context import Handshake
from pellucid.protection import Opening, Opening12, Sealing, Sealing12
from pellucid.secret import Secret
from pellucid.wire.codepoints import NamedGroup
from pellucid.wire.messages import Finished, finished_message

CLIENT_FINISHED = b"client finished"
SERVER_FINISHED = b"server finished"


class Keys12:
    """The secrets of one TLS 1.2 connection.

    Attributes:
        suite: the cipher suite.
        master: 48 bytes.
        prf: under the master secret.
        randoms: client random and server random.
        encrypt_then_mac: RFC 7366 was agreed on.
    """

    __slots__ = ("_block", "encrypt_then_mac", "h", "master", "prf", "randoms", "suite")

    def __init__(self, h: Handshake, suite: Suite, randoms: bytes, *, encrypt_then_mac: bool) -> None:
        self.h = h
        self.suite = suite
        self.randoms = randoms
        self.encrypt_then_mac = encrypt_then_mac
        self.master = Secret()
        self.prf: Prf
        self._block: KeyBlock | None = None

    def from_pre_master(self, pre_master: Secret, *, extended: bool) -> None:
        """The master secret, bound to the transcript if both sides know how (RFC 7627 section 4)."""
        h = self.h
        if h.note is not None:
            h.note(("pre-master secret", pre_master, self.suite.kx))
        session_hash = h.transcript.digest() if extended else None
        self.resume(master_secret(self.suite.hash, pre_master, self.randoms, session_hash, h.note))

    def resume(self, master: Secret) -> None:
        """Go on with a known master secret."""
        self.master = master
        self.prf = Prf(self.suite.hash, master)
        self.h.log_key("CLIENT_RANDOM", master)

    def _keys(self, client: bool) -> WriteKeys:
        block = self._block
        if block is None:  # made when first needed (RFC 5246 section 6.3)
            block = self._block = KeyBlock(self.suite, self.prf, self.randoms, self.h.note)
        return block.client if client else block.server

    def write_keys(self, *, client: bool) -> None:
        """ChangeCipherSpec, and from then on our keys (RFC 5246 section 7.1)."""
        h, keys = self.h, self._keys(client)
        h.send_change_cipher_spec()
        h.write.protect(self.sealing(keys))
        if h.note is not None:
            h.note(("keys", True, 1, self.suite.code, keys.key, keys.iv))

    def read_keys(self, *, client: bool) -> None:
        """The peer's keys, after its ChangeCipherSpec."""
        h, keys = self.h, self._keys(client)
        h.no_leftovers()
        h.read.protection = self.opening(keys)
        h.limit_reading(tls13=False)
        if h.note is not None:
            h.note(("keys", False, 1, self.suite.code, keys.key, keys.iv))

    def sealing(self, keys: WriteKeys) -> Sealing:
        """The write protection of this suite."""
        suite = self.suite
        if suite.aead is not None:
            return Sealing12(suite, suite.aead, keys.key, keys.iv)
        from pellucid.legacy.protection import SealingCbc

        cbc: Any = suite.cbc  # what has no AEAD has this
        return SealingCbc(cbc, keys.key, keys.mac_key, self.encrypt_then_mac, self.h.config.random)

    def opening(self, keys: WriteKeys) -> Opening:
        """The read protection of this suite."""
        suite = self.suite
        if suite.aead is not None:
            return Opening12(suite, suite.aead, keys.key, keys.iv)
        from pellucid.legacy.protection import OpeningCbc

        cbc: Any = suite.cbc  # what has no AEAD has this
        return OpeningCbc(cbc, keys.key, keys.mac_key, self.encrypt_then_mac)

    def send_finished(self, label: bytes) -> bytes:
        """Finished: proof that we hold the master secret and saw the same messages."""
        mine = self.prf(label, self.h.transcript.digest(), VERIFY_DATA_LENGTH)
        self.h.send_raw(finished_message(mine))
        return mine

    def check_finished(self, message: Finished, label: bytes) -> bytes:
        """The peer's Finished."""
        due = self.prf(label, self.h.transcript.digest(), VERIFY_DATA_LENGTH)
        if not hmac.compare_digest(due, message.verify_data):
            refuse(Reason.BAD_FINISHED, f"the {label.decode().split()[0]}'s")
        self.h.no_leftovers()
        self.h.transcript.add(message.raw)
        return due


def usable_ec_curve(public_key: object, groups: tuple[int, ...]) -> bool:
    """Whether an ECDSA key's curve is among `groups` (RFC 8422 section 5.1: TLS 1.2 ties the two)."""
    curve = getattr(getattr(public_key, "curve", None), "name", None)
    return curve is None or curve not in NamedGroup.__members__ or NamedGroup[curve] in groups
