"""Records protected by AES-CBC and HMAC in TLS 1.2. RFC 5246 section 6.2.3.2; RFC 7366 (encrypt-then-MAC).

The MAC of RFC 5246 stands inside the encryption, and so its receiver must remove padding that
nobody has vouched for yet. Whoever learns whether padding or MAC was wrong can read the plaintext
byte by byte (Vaudenay 2002; Lucky Thirteen, AlFardan and Paterson 2013, by timing alone). Hence,
when opening:

* every bad record has the one reason `BAD_RECORD_MAC`, and one place where it is raised;
* every padding byte is checked, by one masked comparison that has no branch and no early end;
* bad padding counts as padding of length zero, and the MAC is still computed and compared;
* a second hash works off the blocks that a shorter content saved, so that the number of
  compressions depends on the record's length alone.

Python cannot promise constant time: slices of different length and integers remain. This is why
CBC is in the museum. With encrypt-then-MAC nothing is decrypted before the MAC is right, and none
of this is needed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from pellucid.errors import Reason, refuse
from pellucid.limits import MAX_PLAINTEXT

BLOCK = 16  # bytes; AES
MAX_PADDING = 256  # bytes, with the byte that holds the length

# For padding of the length n: n + 1 bytes of the value n (the length byte is one of them), and the
# mask that selects so many bytes at the end of a 256-byte number.
_EXPECTED = tuple(int.from_bytes(bytes([n]) * (n + 1), "big") for n in range(MAX_PADDING))
_MASKS = tuple((1 << 8 * (n + 1)) - 1 for n in range(MAX_PADDING))


class _Keys:
    """What both directions hold: the cipher's key, the MAC with its key inside, the order of the two."""

    __slots__ = ("_aes", "_block", "_hash", "_length_field", "_mac", "encrypt_then_mac", "mac_length")

    def __init__(self, enc_key: bytes, mac_key: bytes, hash_name: str, *, encrypt_then_mac: bool) -> None:
        self._aes = AES(enc_key)
        self._mac = hmac.new(mac_key, digestmod=hash_name)  # copied for each record
        self._hash: Callable[[], hashlib._Hash] = getattr(hashlib, hash_name)
        self.mac_length = self._mac.digest_size
        self._block = self._mac.block_size
        self._length_field = 8 if self._block == 64 else 16  # FIPS 180-4 5.1
        self.encrypt_then_mac = encrypt_then_mac

    def _digest(self, content_type: int, sequence: int, content: bytes) -> bytes:
        """RFC 5246 6.2.3.1: MAC(seq_num || type || version || length || content)."""
        mac = self._mac.copy()
        mac.update(
            b"%b%c\x03\x03%b" % (sequence.to_bytes(8, "big"), content_type, len(content).to_bytes(2, "big"))
        )
        mac.update(content)
        return mac.digest()

    def _blocks(self, content_length: int) -> int:
        """How many compressions the inner hash makes for a content of this length."""
        return (self._block + 13 + content_length + 1 + self._length_field + self._block - 1) // self._block


class CbcSealing(_Keys):
    """The sealing half: from fragments to records.

    Args:
        enc_key: 16 or 32 bytes.
        mac_key: as many bytes as the hash's digest has.
        hash_name: "sha1", "sha256" or "sha384".
        encrypt_then_mac: whether both sides agreed on RFC 7366.
        random: gives n unpredictable bytes, for the IV of each record.

    >>> sealing = CbcSealing(bytes(16), bytes(20), "sha1", encrypt_then_mac=False, random=bytes)
    >>> record = sealing.seal(23, b"hello", 0)
    >>> record[:5].hex(), len(record)
    ('1703030030', 53)
    >>> CbcOpening(bytes(16), bytes(20), "sha1", encrypt_then_mac=False).open(23, record[5:], 0)
    b'hello'
    """

    __slots__ = ("_random",)

    def __init__(
        self,
        enc_key: bytes,
        mac_key: bytes,
        hash_name: str,
        *,
        encrypt_then_mac: bool,
        random: Callable[[int], bytes],
    ) -> None:
        super().__init__(enc_key, mac_key, hash_name, encrypt_then_mac=encrypt_then_mac)
        self._random = random

    def seal(self, content_type: int, fragment: bytes, sequence: int) -> bytes:
        """One whole record, with its header of 5 bytes.

        Args:
            content_type: as in `ContentType`.
            fragment: at most 16,384 bytes.
            sequence: the number of the record under these keys.
        """
        plain = fragment
        if not self.encrypt_then_mac:
            plain += self._digest(content_type, sequence, fragment)
        padding_length = BLOCK - 1 - len(plain) % BLOCK
        iv = self._random(BLOCK)
        encryptor = Cipher(self._aes, CBC(iv)).encryptor()
        payload = iv + encryptor.update(plain + bytes([padding_length]) * (padding_length + 1))
        if self.encrypt_then_mac:
            payload += self._digest(content_type, sequence, payload)
        return b"%c\x03\x03%b%b" % (content_type, len(payload).to_bytes(2, "big"), payload)


class CbcOpening(_Keys):
    """The opening half: from records to fragments. Parameters as in `CbcSealing`."""

    __slots__ = ()

    def open(self, content_type: int, payload: bytes, sequence: int) -> bytes:
        """The fragment of one record.

        Args:
            content_type: from the record's header.
            payload: the record without its header.
            sequence: the number of the record under these keys.

        Raises:
            PeerMisbehaved: `Reason.BAD_RECORD_MAC`, whatever is wrong with the protection;
                `Reason.RECORD_OVERFLOW`, for a genuine record of more than 16,384 bytes.
        """
        if self.encrypt_then_mac:
            fragment = self._open_encrypt_then_mac(content_type, payload, sequence)
        else:
            fragment = self._open_mac_then_encrypt(content_type, payload, sequence)
        if len(fragment) > MAX_PLAINTEXT:
            refuse(Reason.RECORD_OVERFLOW, f"it holds {len(fragment)} bytes")
        return fragment

    def _decrypt(self, encrypted: bytes) -> bytes:
        """Content, MAC (unless it stands outside) and padding, from IV and ciphertext."""
        return Cipher(self._aes, CBC(encrypted[:BLOCK])).decryptor().update(encrypted[BLOCK:])

    def _open_mac_then_encrypt(self, content_type: int, payload: bytes, sequence: int) -> bytes:
        longest = len(payload) - BLOCK - self.mac_length - 1  # content, if there is no padding
        if longest < 0 or len(payload) % BLOCK:
            refuse(Reason.BAD_RECORD_MAC)  # by its length alone, which everybody can see
        plain = self._decrypt(payload)
        padding_length = plain[-1]
        tail = int.from_bytes(plain[-MAX_PADDING:], "big")
        difference = (tail & _MASKS[padding_length]) ^ _EXPECTED[padding_length]
        good = (difference == 0) & (padding_length <= longest)
        content_length = longest - padding_length * good
        content = plain[:content_length]
        mac = plain[content_length : content_length + self.mac_length]
        good &= hmac.compare_digest(self._digest(content_type, sequence, content), mac)
        # Lucky Thirteen: the compressions that a long padding saved are made here, and thrown away.
        saved = self._blocks(longest) - self._blocks(content_length)
        self._hash().update(plain[:1] * (saved * self._block))
        if not good:
            refuse(Reason.BAD_RECORD_MAC)
        return content

    def _open_encrypt_then_mac(self, content_type: int, payload: bytes, sequence: int) -> bytes:
        encrypted, mac = payload[: -self.mac_length], payload[-self.mac_length :]
        if len(encrypted) < 2 * BLOCK or len(encrypted) % BLOCK:
            refuse(Reason.BAD_RECORD_MAC)
        if not hmac.compare_digest(self._digest(content_type, sequence, encrypted), mac):
            refuse(Reason.BAD_RECORD_MAC)
        plain = self._decrypt(encrypted)  # from here on the peer itself is wrong, and nobody learns from it
        padding_length = plain[-1]
        if padding_length >= len(plain) or plain[-padding_length - 1 :].strip(plain[-1:]):
            refuse(Reason.BAD_RECORD_MAC)
        return plain[: -padding_length - 1]
