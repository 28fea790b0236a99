"""What client and server of TLS 1.2 do alike: master secret, key block, Finished, renegotiation.

RFC 5246 sections 6.3, 7.4.9 and 8.1; RFC 7627; RFC 5746; RFC 4279 and 5489 (pre-shared keys).
"""

from __future__ import annotations

import hmac

from pellucid.crypto.schedule12 import KeyBlock, master_secret, verify_data
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
        randoms: client random and server random.
        encrypt_then_mac: RFC 7366 was agreed on.
    """

    __slots__ = ("_block", "encrypt_then_mac", "h", "master", "randoms", "suite")

    def __init__(self, h: Handshake, suite: Suite, randoms: bytes, *, encrypt_then_mac: bool) -> None:
        self.h = h
        self.suite = suite
        self.randoms = randoms
        self.encrypt_then_mac = encrypt_then_mac
        self.master = Secret()
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
        self.h.log_key("CLIENT_RANDOM", master)

    @property
    def block(self) -> KeyBlock:
        """The key block, made when first needed (RFC 5246 section 6.3)."""
        if self._block is None:
            self._block = KeyBlock(self.suite, self.master, self.randoms, self.h.note)
        return self._block

    def write_keys(self, *, client: bool) -> None:
        """ChangeCipherSpec, and from then on our keys (RFC 5246 section 7.1)."""
        h, block = self.h, self.block
        key, iv = (block.client_key, block.client_iv) if client else (block.server_key, block.server_iv)
        mac = block.client_mac_key if client else block.server_mac_key
        h.send_change_cipher_spec()
        h.write.protect(self.sealing(key, iv, mac))
        self._tell(sent=True, key=key, iv=iv)

    def read_keys(self, *, client: bool) -> None:
        """The peer's keys, after its ChangeCipherSpec."""
        h, block = self.h, self.block
        key, iv = (block.client_key, block.client_iv) if client else (block.server_key, block.server_iv)
        mac = block.client_mac_key if client else block.server_mac_key
        h.no_leftovers()
        h.read.protection = self.opening(key, iv, mac)
        h.limit_reading(tls13=False)
        self._tell(sent=False, key=key, iv=iv)

    def _tell(self, *, sent: bool, key: Secret, iv: Secret) -> None:
        if self.h.note is not None:
            self.h.note(("keys", sent, 1, self.suite.code, key, iv))

    def sealing(self, key: Secret, iv: Secret, mac: Secret) -> Sealing:
        """The write protection of this suite."""
        suite = self.suite
        if suite.aead is not None:
            return Sealing12(suite, suite.aead, key, iv)
        from pellucid.legacy.protection import SealingCbc

        return SealingCbc(suite.cbc, key, mac, self.encrypt_then_mac, self.h.config.random)  # type: ignore[arg-type]

    def opening(self, key: Secret, iv: Secret, mac: Secret) -> Opening:
        """The read protection of this suite."""
        suite = self.suite
        if suite.aead is not None:
            return Opening12(suite, suite.aead, key, iv)
        from pellucid.legacy.protection import OpeningCbc

        return OpeningCbc(suite.cbc, key, mac, self.encrypt_then_mac)  # type: ignore[arg-type]

    def send_finished(self, label: bytes) -> bytes:
        """Finished: proof that we hold the master secret and saw the same messages."""
        mine = verify_data(self.suite.hash, self.master, label, self.h.transcript.digest())
        self.h.send_raw(finished_message(mine))
        return mine

    def check_finished(self, message: Finished, label: bytes) -> bytes:
        """The peer's Finished."""
        due = verify_data(self.suite.hash, self.master, label, self.h.transcript.digest())
        if not hmac.compare_digest(due, message.verify_data):
            refuse(Reason.BAD_FINISHED, f"the {label.decode().split()[0]}'s")
        self.h.no_leftovers()
        self.h.transcript.add(message.raw)
        return due


def usable_ec_curve(public_key: object, groups: tuple[int, ...]) -> bool:
    """Whether an ECDSA key's curve is among `groups` (RFC 8422 section 5.1: TLS 1.2 ties the two)."""
    curve = getattr(getattr(public_key, "curve", None), "name", None)
    return curve is None or curve not in NamedGroup.__members__ or NamedGroup[curve] in groups
