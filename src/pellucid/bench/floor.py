"""The floor: the primitives of a connection alone, in the fastest form that `cryptography` has.

Each row's floor is measured in the same rounds as the row. What a library spends above it is its
own: parsing, states, checks, copies. The sequences follow RFC 8446 section 7.1 and RFC 5246
sections 5 and 8.1; a fresh certificate object each time, two tickets in a full handshake, one in a
resumption.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.x509.verification import PolicyBuilder, Store

from .certs import Material
from .harness import BOTH, Sample, Subject
from .scenario import HOST, X25519, Scenario

_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
_PKCS1 = padding.PKCS1v15()
_SHA256 = hashes.SHA256()
_ECDSA = ec.ECDSA(_SHA256)
_SIGNED = bytes(130)  # 64 spaces, the context string, a zero, a SHA-256 transcript hash
_LABEL = bytes(55)  # an HkdfLabel with a 32-byte hash
_MESSAGE = bytes(120)
_NONCE = bytes(12)
_HEADER = bytes(5)
_INNER = {block: int.from_bytes(b"\x36" * block, "big") for block in (64, 128)}
_OUTER = {block: int.from_bytes(b"\x5c" * block, "big") for block in (64, 128)}


def _expands(secret: bytes, count: int, digest: str) -> bytes:
    """So many HKDF-Expand-Labels of one secret (RFC 8446 7.1): HMAC from two hash states, copied.

    RFC 2104 by hand is the quickest form: `hmac.new` with `copy` takes half as long again.
    """
    hash = hashlib.sha384 if digest == "sha384" else hashlib.sha256
    block = hash().block_size
    key = int.from_bytes(secret, "big") << 8 * (block - len(secret))
    inner = hash((key ^ _INNER[block]).to_bytes(block, "big"))
    outer = hash((key ^ _OUTER[block]).to_bytes(block, "big"))
    out = b""
    for _ in range(count):
        first = inner.copy()
        first.update(_LABEL)
        second = outer.copy()
        second.update(first.digest())
        out = second.digest()
    return out


def _sign(key: Any) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(_SIGNED, _ECDSA)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(_SIGNED, _PSS, _SHA256)
    return key.sign(_SIGNED)  # type: ignore[no-any-return]


def _verify(key: Any, signature: bytes) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, _SIGNED, _ECDSA)
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, _SIGNED, _PSS, _SHA256)
    else:
        key.verify(signature, _SIGNED)


class _Believer:
    """One side's verification of the other's chain: path, name, signature. It was parsed before."""

    def __init__(
        self, sent: tuple[bytes, ...], roots: list[x509.Certificate], key: Any, host: str, again: bool
    ) -> None:
        self._leaf, *self._above = [x509.load_der_x509_certificate(der) for der in sent]
        self._policy = PolicyBuilder().store(Store(roots))
        self._signature = _sign(key)
        self._host = x509.DNSName(host) if host else None
        self._again = again

    def __call__(self) -> Any:
        leaf, above = self._leaf, self._above
        if self._again:
            pass  # the path is remembered
        elif self._host is not None:
            self._policy.build_server_verifier(self._host).verify(leaf, above)
        else:
            self._policy.build_client_verifier().verify(leaf, above)
        key = leaf.public_key()
        _verify(key, self._signature)
        return key


class Floor:
    """The primitives of both sides in one scenario."""

    def __init__(self, scenario: Scenario, material: Material) -> None:
        self._scenario = scenario
        self._key = material.leaf.key
        self._hybrid = scenario.group != X25519
        self._digest = "sha384" if scenario.suite.endswith("384") else "sha256"
        self._transcript = getattr(hashlib, self._digest)
        self._aead: Any = ChaCha20Poly1305 if "CHACHA" in scenario.suite else AESGCM
        self._key_bytes = bytes(16 if "128" in scenario.suite else 32)
        self._ticket_key = AESGCM(bytes(32))
        roots = [issued.certificate for issued in material.trusted]
        self._believe_server = _Believer(material.sent, roots, material.leaf.key, HOST, scenario.again)
        root = [material.root.certificate]
        self._believe_client = _Believer(
            (material.client.der,), root, material.client.key, "", scenario.again
        )
        self._client_key = material.client.key
        self._wire = self._aead(self._key_bytes).encrypt(_NONCE, bytes(800), _HEADER)
        self._ticket = self._ticket_key.encrypt(_NONCE, bytes(100), b"")
        peer = X25519PrivateKey.generate()
        self._share = peer.public_key().public_bytes_raw()
        self._kem_share = b""
        if self._hybrid:
            kem = mlkem.MLKEM768PrivateKey.generate()
            self._kem_share = kem.public_key().public_bytes_raw()
        if scenario.key == "rsa":
            self._encrypted = material.leaf.key.public_key().encrypt(bytes(48), _PKCS1)  # type: ignore[union-attr]

    # The pieces that both sides have in common.

    def _share_made(self) -> X25519PrivateKey:
        private = X25519PrivateKey.generate()
        private.public_key().public_bytes_raw()
        return private

    def _hear(self, messages: int) -> Any:
        transcript = self._transcript()
        for _ in range(messages):
            transcript.update(_MESSAGE)
        return transcript

    def _epoch(self, secret: bytes, finished: bool) -> Any:
        """Both directions' keys of one epoch."""
        for _ in range(2):
            key = _expands(secret, 3 if finished else 2, self._digest)
        self._aead(self._key_bytes)
        return self._aead(self._key_bytes), key

    def _schedule13(self, psk: bool) -> tuple[Any, bytes]:
        transcript = self._hear(6)
        early = hmac.digest(_MESSAGE[:32], _MESSAGE[:32], self._digest)
        if psk:
            _expands(_expands(early, 2, self._digest), 1, self._digest)  # binder key, its finished key
            hmac.digest(early, transcript.digest(), self._digest)
        secret = hmac.digest(early, _MESSAGE[:32], self._digest)
        transcript.digest()
        aead, _ = self._epoch(_expands(secret, 3, self._digest), finished=True)
        for _ in range(2):  # Finished of both sides
            hmac.digest(secret, transcript.digest(), self._digest)
        master = hmac.digest(secret, bytes(32), self._digest)
        application, _ = self._epoch(_expands(master, 2, self._digest), finished=False)
        aead.encrypt(_NONCE, _MESSAGE[:37], _HEADER)
        return application, master

    # TLS 1.3

    def client13(self) -> None:
        """RFC 8446: a client's primitives, full or resumed."""
        scenario = self._scenario
        os.urandom(64)
        private = self._share_made()
        if self._hybrid:
            kem = mlkem.MLKEM768PrivateKey.generate()
            kem.public_key().public_bytes_raw()
            kem.decapsulate(bytes(1088))
        private.exchange(X25519PublicKey.from_public_bytes(self._share))
        aead, master = self._schedule13(scenario.resume)
        self._aead(self._key_bytes).decrypt(_NONCE, self._wire, _HEADER)
        if not scenario.resume:
            self._believe_server()
        if scenario.mutual:
            _sign(self._client_key)
        aead.encrypt(_NONCE, bytes(200), _HEADER)  # stands for opening the tickets
        resumption = _expands(master, 1, self._digest)
        _expands(resumption, 1 if scenario.resume else 2, self._digest)

    def server13(self) -> None:
        """RFC 8446: a server's primitives, full or resumed."""
        scenario = self._scenario
        os.urandom(32)
        private = self._share_made()
        if self._hybrid:
            mlkem.MLKEM768PublicKey.from_public_bytes(self._kem_share).encapsulate()
        private.exchange(X25519PublicKey.from_public_bytes(self._share))
        if scenario.resume:
            self._ticket_key.decrypt(_NONCE, self._ticket, b"")
        aead, master = self._schedule13(scenario.resume)
        aead.encrypt(_NONCE, bytes(800), _HEADER)
        if not scenario.resume:
            _sign(self._key)
        if scenario.mutual:
            self._believe_client()
        tickets = 1 if scenario.resume else 2
        resumption = _expands(master, 1, self._digest)
        _expands(resumption, tickets, self._digest)
        for _ in range(tickets):
            self._ticket_key.encrypt(os.urandom(12), bytes(100), b"")
        aead.encrypt(_NONCE, bytes(200 * tickets), _HEADER)

    # TLS 1.2

    def _prf(self, secret: bytes, blocks: int) -> None:
        """RFC 5246 5: P_hash takes two HMACs a block, and one to begin."""
        _expands(secret, 2 * blocks, self._digest)

    def _schedule12(self) -> None:
        transcript = self._hear(8)
        blocks = 1 if self._digest == "sha384" else 2
        if not self._scenario.resume:
            self._prf(bytes(48), blocks)  # master secret
        self._prf(bytes(48), 2)  # key block
        for _ in range(2):
            transcript.digest()
            self._prf(bytes(48), 1)  # Finished
        for _ in range(2):
            self._aead(self._key_bytes).encrypt(_NONCE, bytes(16), _HEADER)

    def client12(self) -> None:
        """RFC 5246: a client's primitives, by the suite's key exchange."""
        os.urandom(64)
        if not self._scenario.resume:
            if self._scenario.suite.startswith("ECDHE"):
                self._share_made().exchange(X25519PublicKey.from_public_bytes(self._share))
                self._believe_server()
            else:
                self._believe_server().encrypt(os.urandom(48), _PKCS1)
        self._schedule12()

    def server12(self) -> None:
        """RFC 5246: a server's primitives, by the suite's key exchange."""
        os.urandom(64)
        if self._scenario.resume:
            self._ticket_key.decrypt(_NONCE, self._ticket, b"")
        elif self._scenario.suite.startswith("ECDHE"):
            self._share_made().exchange(X25519PublicKey.from_public_bytes(self._share))
            _sign(self._key)
        else:
            self._key.decrypt(self._encrypted, _PKCS1)  # type: ignore[union-attr]
        self._schedule12()
        self._ticket_key.encrypt(os.urandom(12), bytes(100), b"")

    def sides(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """The client's function and the server's."""
        if self._scenario.tls13:
            return self.client13, self.server13
        return self.client12, self.server12


def handshake_floor(scenario: Scenario, material: Material) -> Subject:
    """The primitives of both sides of a handshake, side by side as in a real one."""
    client, server = Floor(scenario, material).sides()

    def subject(count: int) -> Sample:
        clock, spent_client, spent_server = time.thread_time_ns, 0, 0
        start = time.perf_counter_ns()
        for _ in range(count):
            first = clock()
            client()
            middle = clock()
            server()
            spent_server += clock() - middle
            spent_client += middle - first
        wall = (time.perf_counter_ns() - start) / count
        both = (spent_client + spent_server) / count
        return Sample({BOTH: both, "client": spent_client / count, "server": spent_server / count}, wall)

    return subject


_AEADS: dict[str, Any] = {"aes128gcm": AESGCM, "aes256gcm": AESGCM, "chacha20": ChaCha20Poly1305}


def record_floor(cipher: str, size: int) -> Subject:
    """The AEAD alone, on buffers that are there: seal and open `size` bytes and the type byte."""
    aead = _AEADS[cipher](bytes(16 if cipher == "aes128gcm" else 32))
    pieces = [min(16384, size - start) + 1 for start in range(0, size, 16384)]
    plain: list[Any] = [bytes(piece) for piece in pieces]
    sealed = [bytearray(piece + 16) for piece in pieces]
    opened = [bytearray(piece) for piece in pieces]

    def subject(count: int) -> Sample:
        clock = time.thread_time_ns
        start, first = time.perf_counter_ns(), clock()
        for _ in range(count):
            for data, wire in zip(plain, sealed, strict=True):
                aead.encrypt_into(_NONCE, data, _HEADER, wire)
        middle = clock()
        for _ in range(count):
            for wire, data in zip(sealed, opened, strict=True):
                aead.decrypt_into(_NONCE, wire, _HEADER, data)
        last = clock()
        wall = (time.perf_counter_ns() - start) / count
        cost = {BOTH: last - first, "seal": middle - first, "open": last - middle}
        return Sample({part: spent / count for part, spent in cost.items()}, wall)

    return subject
