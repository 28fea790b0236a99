"""Static RSA key exchange: the client encrypts the pre-master secret to the server's certificate.

RFC 5246 section 7.4.7.1; RFC 8017 section 7.2 (RSAES-PKCS1-v1_5). The key exchange that the nine
steps are told with. It has no forward secrecy, and its server must not tell anybody whether a
ciphertext was well-formed (Bleichenbacher 1998; ROBOT 2017; Marvin 2023). So the server draws a
pre-master secret before it decrypts, takes it by a mask if anything at all is wrong, and goes on;
the handshake then fails at the Finished, for every fault alike.

Two kinds of library are met here. OpenSSL since 3.2 answers bad padding with random bytes of random
length that depend on key and ciphertext (implicit rejection), and raises only for what anybody can
see without the key: a wrong length, or a number not below the modulus. Others raise for bad padding
too; the outcome is the same, but how long the exception takes is theirs to hide.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from pellucid.errors import Reason, UsageError, refuse
from pellucid.secret import Secret

PREMASTER = 48  # bytes: client_version, and 46 random ones

_PKCS1 = PKCS1v15()


def make_premaster(client_version: int, random: Callable[[int], bytes]) -> Secret:
    """A pre-master secret of 48 bytes: the version of the ClientHello, and 46 random bytes.

    A client encrypts one; a server draws one beforehand, to use it if decryption fails.

    >>> make_premaster(0x0303, bytes).reveal()[:4]
    b'\\x03\\x03\\x00\\x00'
    """
    return Secret(client_version.to_bytes(2, "big") + random(PREMASTER - 2))


def encrypt_premaster(
    public_key: RSAPublicKey,
    premaster: bytes,
    hidden: Callable[[str, Callable[[], bytes]], bytes] | None = None,
) -> bytes:
    """The client's EncryptedPreMasterSecret, as many bytes as the key's modulus has.

    Args:
        public_key: of the server's certificate.
        premaster: the 48 bytes of `make_premaster`.
        hidden: `hidden(name, thunk)` is asked for the result, as the library keeps the padding's
            randomness to itself.

    Raises:
        UsageError: the pre-master secret has not 48 bytes (`Reason.BAD_CONFIG`).
        PeerMisbehaved: the key is too short for it (`Reason.UNSUPPORTED_CERTIFICATE_KEY`).
    """
    if len(premaster) != PREMASTER:
        raise UsageError(
            Reason.BAD_CONFIG, f"a pre-master secret has {PREMASTER} bytes, not {len(premaster)}"
        )
    if public_key.key_size < 8 * (PREMASTER + 11):  # RFC 8017 7.2.1: mLen <= k - 11
        refuse(Reason.UNSUPPORTED_CERTIFICATE_KEY, f"an RSA key of {public_key.key_size} bits is too short")

    def encrypt() -> bytes:
        return public_key.encrypt(bytes(premaster), _PKCS1)

    return encrypt() if hidden is None else hidden("RSA encryption", encrypt)


def select_premaster(decrypted: bytes, fallback: bytes) -> Secret:
    """`decrypted`, if it is a pre-master secret for the version that `fallback` names; else `fallback`.

    There is no branch on the answer, and nothing is raised: RFC 5246 section 7.4.7.1.

    Args:
        decrypted: what decryption gave; empty if it gave nothing.
        fallback: the 48 bytes of `make_premaster`, drawn before decryption was tried.
    """
    candidate = int.from_bytes((decrypted + bytes(PREMASTER))[:PREMASTER], "big")
    other = int.from_bytes(fallback, "big")
    difference = candidate ^ other
    good = (len(decrypted) == PREMASTER) & (difference >> 8 * (PREMASTER - 2) == 0)
    return Secret((other ^ (difference & -int(good))).to_bytes(PREMASTER, "big"))


def decrypt_premaster_with(
    decrypt: Callable[[bytes], bytes], ciphertext: bytes, client_version: int, random: Callable[[int], bytes]
) -> Secret:
    """`decrypt_premaster` for a key that lives elsewhere.

    Args:
        decrypt: RSAES-PKCS1-v1_5 decryption; it may raise any Exception for a bad ciphertext.
        ciphertext: the client's EncryptedPreMasterSecret.
        client_version: legacy_version of the ClientHello (not the version that was negotiated).
        random: gives n random bytes.

    An `await`ed decryption is put together from `make_premaster` (before) and `select_premaster`.
    """
    fallback = make_premaster(client_version, random)  # before decryption, whatever comes of it
    try:
        decrypted = decrypt(ciphertext)
    except Exception:  # every fault is the same fault
        decrypted = b""
    return select_premaster(decrypted, fallback)


def decrypt(private_key: RSAPrivateKey, sealed: bytes) -> bytes:
    """RSAES-PKCS1-v1_5 decryption. What comes of it must not be shown: see `select_premaster`.

    Raises:
        ValueError: where the library tells (with OpenSSL 3.2 and later it gives random bytes instead).
    """
    return private_key.decrypt(sealed, _PKCS1)


def decrypt_premaster(
    private_key: RSAPrivateKey, ciphertext: bytes, client_version: int, random: Callable[[int], bytes]
) -> Secret:
    """The pre-master secret of a ClientKeyExchange; a random one if the ciphertext is bad in any way.

    Args:
        private_key: of the certificate that was sent.
        ciphertext: the client's EncryptedPreMasterSecret, without its length field.
        client_version: legacy_version of the ClientHello (not the version that was negotiated).
        random: gives n random bytes.

    Returns:
        48 bytes. Nobody learns here which kind they are; the Finished will tell.
    """
    return decrypt_premaster_with(
        lambda sealed: decrypt(private_key, sealed), ciphertext, client_version, random
    )
