"""Key exchange groups: (EC)DHE and its hybrids with ML-KEM. RFC 8446 sections 4.2.7, 4.2.8 and 7.4,
RFC 7748 section 6, RFC 8422 sections 5.4 and 5.11, RFC 9954 and 10024 (the hybrids), FIPS 203 and
draft-ietf-tls-mlkem (ML-KEM alone).

A client generates a share and, with the server's answer, finishes it. A server responds to a
client's share in one step: for Diffie-Hellman it makes a share of its own, for ML-KEM it
encapsulates. TLS 1.2 has the roles the other way round (the server speaks first), and uses
`generate` and `finish` on both sides.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pellucid.errors import Reason, UsageError, refuse
from pellucid.secret import Secret

Random = Callable[[int], bytes]
Hidden = Callable[[str, Callable[[], bytes]], bytes]
Agree = Callable[[bytes], bytes]  # from the peer's share to the shared secret; ValueError if it is bad

KEM_SECRET = 32  # bytes; FIPS 203: the shared secret of every ML-KEM


class PrivateShare:
    """Our half of a key exchange, waiting for the peer's. Use it once.

    Attributes:
        group: the group it belongs to.
        public: the bytes that go to the peer.
        classical: of a hybrid, its Diffie-Hellman half as a share of that group; otherwise None.
            A client that offers both groups may send the same value in both (RFC 9954 section 3.2
            relaxes RFC 8446 section 4.2.8 to allow it), which saves it one key generation.
    """

    __slots__ = ("_agree", "classical", "group", "public")

    def __init__(
        self, group: Group, public: bytes, agree: Agree, classical: PrivateShare | None = None
    ) -> None:
        self.group = group
        self.public = public
        self._agree = agree
        self.classical = classical

    def finish(self, peer_share: bytes) -> Secret:
        """The shared secret with the peer's share (the server's answer, in the terms of a KEM).

        Raises:
            PeerMisbehaved: the share is no valid one of this group (`Reason.BAD_KEY_SHARE`).
        """
        group = self.group
        if len(peer_share) != group.server_share_length:
            group._refuse_length(peer_share, group.server_share_length)
        try:
            return Secret(self._agree(peer_share))
        except ValueError:
            refuse(Reason.BAD_KEY_SHARE, f"the share is no public key of {group.name}")

    def __repr__(self) -> str:
        return f"<PrivateShare of {self.group.name}>"


class Group:
    """A named group.

    Attributes:
        code: its number in `NamedGroup`.
        name: its name there.
        kem: whether the server answers by encapsulation, so that the two shares differ in kind.
        pq: whether it withstands a quantum computer.
        client_share_length: bytes of the share in a ClientHello.
        server_share_length: bytes of the share in a ServerHello.

    >>> import os
    >>> group = GROUPS[0x001D]
    >>> ours = group.generate(os.urandom)
    >>> theirs, secret = group.respond(ours.public, os.urandom)
    >>> ours.finish(theirs) == secret
    True
    """

    __slots__ = ("client_share_length", "code", "kem", "name", "pq", "server_share_length")

    def __init__(self, code: int, name: str, client_length: int, server_length: int, kem: bool) -> None:
        self.code = code
        self.name = name
        self.kem = kem
        self.pq = kem
        self.client_share_length = client_length
        self.server_share_length = server_length

    def generate(self, random: Random) -> PrivateShare:
        """A fresh private share.

        Args:
            random: gives n random bytes. With `os.urandom` the key comes from the library's own
                generator, which is faster; with any other the same bytes give the same key, so
                that a run can be replayed.
        """
        raise NotImplementedError

    def respond(
        self, client_share: bytes, random: Random, hidden: Hidden | None = None
    ) -> tuple[bytes, Secret]:
        """A server's answer to a client's share: our share, and the shared secret.

        Args:
            client_share: what the ClientHello (or, in TLS 1.2, the other side) sent.
            random: as in `generate`.
            hidden: `hidden(name, thunk)` is asked for results whose randomness the library keeps to
                itself; it calls `thunk()` and returns its bytes, or returns bytes recorded before.

        Raises:
            PeerMisbehaved: the share is no valid one of this group (`Reason.BAD_KEY_SHARE`).
        """
        if len(client_share) != self.client_share_length:
            self._refuse_length(client_share, self.client_share_length)
        try:
            share, secret = self._respond(client_share, random, hidden)
        except ValueError:
            refuse(Reason.BAD_KEY_SHARE, f"the share is no public key of {self.name}")
        return share, Secret(secret)

    def _respond(self, client_share: bytes, random: Random, hidden: Hidden | None) -> tuple[bytes, bytes]:
        """`respond` without its checks; Diffie-Hellman, unless a subclass knows better."""
        ours = self.generate(random)
        return ours.public, ours._agree(client_share)

    def _refuse_length(self, share: bytes, due: int) -> None:
        refuse(Reason.BAD_KEY_SHARE, f"the share of {self.name} has {len(share)} bytes instead of {due}")

    def __repr__(self) -> str:
        return f"<Group {self.name}>"


class Montgomery(Group):
    """x25519 and x448 (RFC 7748). A shared secret of zeros is a ValueError in the library."""

    __slots__ = ("_private", "_public")

    def __init__(
        self,
        code: int,
        name: str,
        length: int,
        private: type[X25519PrivateKey] | type[X448PrivateKey],
        public: type[X25519PublicKey] | type[X448PublicKey],
    ) -> None:
        super().__init__(code, name, length, length, kem=False)
        self._private = private
        self._public = public

    def _key(self, random: Random) -> X25519PrivateKey | X448PrivateKey:
        if random is os.urandom:
            return self._private.generate()
        return self._private.from_private_bytes(random(self.client_share_length))

    def generate(self, random: Random) -> PrivateShare:  # noqa: D102 (the class above says it)
        key = self._key(random)
        exchange: Callable[[object], bytes] = key.exchange  # type: ignore[assignment]
        read = self._public.from_public_bytes
        return PrivateShare(self, key.public_key().public_bytes_raw(), lambda peer: exchange(read(peer)))

    def _respond(self, client_share: bytes, random: Random, hidden: Hidden | None) -> tuple[bytes, bytes]:
        key = self._key(random)  # used up at once, so no share is made of it
        secret = key.exchange(self._public.from_public_bytes(client_share))  # type: ignore[arg-type]
        return key.public_key().public_bytes_raw(), secret


class Weierstrass(Group):
    """The NIST curves. A share is an uncompressed point; it must lie on the curve (RFC 8446 4.2.8.2)."""

    __slots__ = ("_curve", "_order", "_scalar_length")

    def __init__(self, code: int, name: str, scalar_length: int, curve: EllipticCurve, order: int) -> None:
        share_length = 1 + 2 * scalar_length
        super().__init__(code, name, share_length, share_length, kem=False)
        self._curve = curve
        self._order = order
        self._scalar_length = scalar_length

    def generate(self, random: Random) -> PrivateShare:  # noqa: D102 (the class above says it)
        if random is os.urandom:
            return self._share(generate_private_key(self._curve))
        # FIPS 186-5 A.2.1: 64 bits more than the order has make the bias of the modulus vanish.
        number = int.from_bytes(random(self._scalar_length + 8), "big")
        return self._share(derive_private_key(number % (self._order - 1) + 1, self._curve))

    def _share(self, key: EllipticCurvePrivateKey) -> PrivateShare:
        public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

        def agree(peer: bytes) -> bytes:
            if peer[0] != 4:
                raise ValueError("not an uncompressed point")
            return key.exchange(_ECDH, EllipticCurvePublicKey.from_encoded_point(self._curve, peer))

        return PrivateShare(self, public, agree)


class MlKem:
    """ML-KEM (FIPS 203), for the groups made with it."""

    __slots__ = ("_private", "_public", "ciphertext_length", "key_length", "name")

    def __init__(
        self,
        name: str,
        key_length: int,
        ciphertext_length: int,
        private: type[MLKEM768PrivateKey] | type[MLKEM1024PrivateKey],
        public: type[MLKEM768PublicKey] | type[MLKEM1024PublicKey],
    ) -> None:
        self.name = name
        self.key_length = key_length
        self.ciphertext_length = ciphertext_length
        self._private = private
        self._public = public

    def generate(self, random: Random) -> tuple[bytes, Agree]:
        """An encapsulation key, and what decapsulates under it."""
        if random is os.urandom:
            key = self._private.generate()
        else:
            key = self._private.from_seed_bytes(random(64))
        return key.public_key().public_bytes_raw(), key.decapsulate

    def encapsulate(self, encapsulation_key: bytes, hidden: Hidden | None) -> tuple[bytes, bytes]:
        """Ciphertext and shared secret; ValueError if the key fails the modulus check (FIPS 203 7.2)."""
        encapsulate = self._public.from_public_bytes(encapsulation_key).encapsulate

        def both() -> bytes:
            secret, ciphertext = encapsulate()
            return secret + ciphertext

        result = both() if hidden is None else hidden(f"{self.name} encapsulation", both)
        if len(result) != KEM_SECRET + self.ciphertext_length:
            raise UsageError(Reason.APPLICATION_FAILED, f"the recorded {self.name} encapsulation is damaged")
        return result[KEM_SECRET:], result[:KEM_SECRET]


class Kem(Group):
    """ML-KEM alone (draft-ietf-tls-mlkem): for those whose rules allow no other, such as CNSA 2.0.

    Nothing stands beside it if it falls. No policy has it unless it is named.
    """

    __slots__ = ("_kem",)

    def __init__(self, code: int, name: str, kem: MlKem) -> None:
        super().__init__(code, name, kem.key_length, kem.ciphertext_length, kem=True)
        self._kem = kem

    def generate(self, random: Random) -> PrivateShare:  # noqa: D102 (the class above says it)
        key, decapsulate = self._kem.generate(random)
        return PrivateShare(self, key, decapsulate)

    def _respond(self, client_share: bytes, random: Random, hidden: Hidden | None) -> tuple[bytes, bytes]:
        return self._kem.encapsulate(client_share, hidden)


class Hybrid(Group):
    """Diffie-Hellman and ML-KEM side by side (RFC 10024): safe while either of them holds.

    Shares and secrets are the two halves joined, without lengths. X25519MLKEM768 puts ML-KEM
    first, the others ECDH: FIPS wants the approved half in front.
    """

    __slots__ = ("_dh", "_kem", "_kem_first")

    def __init__(self, code: int, name: str, dh: Group, kem: MlKem, *, kem_first: bool) -> None:
        dh_length = dh.client_share_length
        super().__init__(code, name, dh_length + kem.key_length, dh_length + kem.ciphertext_length, kem=True)
        self._dh = dh
        self._kem = kem
        self._kem_first = kem_first

    def generate(self, random: Random) -> PrivateShare:  # noqa: D102 (the class above says it)
        classical = self._dh.generate(random)
        key, decapsulate = self._kem.generate(random)
        exchange = classical._agree
        kem_length = self._kem.ciphertext_length

        def agree(peer: bytes) -> bytes:
            if self._kem_first:
                return decapsulate(peer[:kem_length]) + exchange(peer[kem_length:])
            return exchange(peer[:-kem_length]) + decapsulate(peer[-kem_length:])

        public = key + classical.public if self._kem_first else classical.public + key
        return PrivateShare(self, public, agree, classical)

    def _respond(self, client_share: bytes, random: Random, hidden: Hidden | None) -> tuple[bytes, bytes]:
        length = self._kem.key_length
        if self._kem_first:
            ciphertext, kem_secret = self._kem.encapsulate(client_share[:length], hidden)
            share, dh_secret = self._dh._respond(client_share[length:], random, hidden)
            return ciphertext + share, kem_secret + dh_secret
        share, dh_secret = self._dh._respond(client_share[:-length], random, hidden)
        ciphertext, kem_secret = self._kem.encapsulate(client_share[-length:], hidden)
        return share + ciphertext, dh_secret + kem_secret


_ECDH = ECDH()
# The orders of the curves' base points: SP 800-186 section 3.2.1.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384_ORDER = 2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D
_P521_ORDER = 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7

X25519 = Montgomery(0x001D, "x25519", 32, X25519PrivateKey, X25519PublicKey)
X448 = Montgomery(0x001E, "x448", 56, X448PrivateKey, X448PublicKey)
SECP256R1_GROUP = Weierstrass(0x0017, "secp256r1", 32, SECP256R1(), _P256_ORDER)
SECP384R1_GROUP = Weierstrass(0x0018, "secp384r1", 48, SECP384R1(), _P384_ORDER)
SECP521R1_GROUP = Weierstrass(0x0019, "secp521r1", 66, SECP521R1(), _P521_ORDER)
MLKEM768 = MlKem("ML-KEM-768", 1184, 1088, MLKEM768PrivateKey, MLKEM768PublicKey)
MLKEM1024 = MlKem("ML-KEM-1024", 1568, 1568, MLKEM1024PrivateKey, MLKEM1024PublicKey)

GROUPS: dict[int, Group] = {
    group.code: group
    for group in (
        Hybrid(0x11EC, "X25519MLKEM768", X25519, MLKEM768, kem_first=True),
        X25519,
        SECP256R1_GROUP,
        SECP384R1_GROUP,
        SECP521R1_GROUP,
        X448,
        Hybrid(0x11EB, "SecP256r1MLKEM768", SECP256R1_GROUP, MLKEM768, kem_first=False),
        Hybrid(0x11ED, "SecP384r1MLKEM1024", SECP384R1_GROUP, MLKEM1024, kem_first=False),
        Kem(0x0201, "MLKEM768", MLKEM768),
        Kem(0x0202, "MLKEM1024", MLKEM1024),
    )
}
