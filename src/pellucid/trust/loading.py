"""Certificates and keys from PEM, DER, files and folders. RFC 7468 (PEM), RFC 5280 (DER).

Whatever cannot be read is a `UsageError` that says which file and why: these are the caller's
own files. (What a peer sends is read in `verification`.)
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from pellucid.errors import Reason, UsageError

Source = bytes | str | os.PathLike[str]
"""PEM or DER bytes, PEM text, or the path of a file that holds either."""

_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der", ""})


def read(source: Source, what: str) -> bytes:
    """The bytes of a source: itself, or the content of the file that it names.

    A `str` with "-----BEGIN" in it is PEM; any other `str` is a path.

    Raises:
        UsageError: the file cannot be read (`Reason.BAD_KEY_FILE`).
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, str) and "-----BEGIN" in source:
        return source.encode("utf-8", "replace")
    try:
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(Reason.BAD_KEY_FILE, f"the {what} {str(source)[:200]!r}: {why}") from error


def load_certificates(source: Source) -> list[x509.Certificate]:
    """All certificates of a source, in their order: PEM with anything around it, or one in DER.

    Raises:
        UsageError: there is none, or one cannot be read (`Reason.BAD_KEY_FILE`).
    """
    data = read(source, "certificate")
    where = f" in {os.fspath(source)!r}" if _is_path(source) else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # serial numbers of old roots
        try:
            if b"-----BEGIN" not in data:
                return [x509.load_der_x509_certificate(data)]
            found = x509.load_pem_x509_certificates(data)
        except (ValueError, TypeError) as error:
            raise UsageError(Reason.BAD_KEY_FILE, f"no certificate could be read{where}: {error}") from error
    return found


def load_tolerantly(data: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM bundle that can be read; the others are passed over.

    A system's bundle may hold roots that this library refuses to parse. They cannot be trusted
    then, but they must not take the others with them.
    """
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if b"-----BEGIN" not in data:
            pieces = [data]
        else:
            end = b"-----END CERTIFICATE-----"
            pieces = [
                piece[piece.find(b"-----BEGIN CERTIFICATE-----") :] + end for piece in data.split(end)[:-1]
            ]
        for piece in pieces:
            try:
                if piece.startswith(b"-----BEGIN"):
                    found.append(x509.load_pem_x509_certificate(piece))
                else:
                    found.append(x509.load_der_x509_certificate(piece))
            except (ValueError, TypeError):
                continue
    return found


def load_folder(folder: Path) -> list[x509.Certificate]:
    """The certificates of a folder's files (.pem, .crt, .cer, .der, and hashed names as `c_rehash` makes).

    A certificate that stands in several files is returned once.

    Raises:
        UsageError: the folder cannot be read (`Reason.BAD_KEY_FILE`).
    """
    found: dict[x509.Certificate, None] = {}
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(Reason.BAD_KEY_FILE, f"the folder {str(folder)!r}: {error.strerror}") from error
    for file in files:
        hashed = file.suffix[1:].isdigit()
        if (file.suffix.lower() in _SUFFIXES or hashed) and file.is_file():
            try:
                data = file.read_bytes()
            except OSError:
                continue
            found.update(dict.fromkeys(load_tolerantly(data)))
    return list(found)


def load_many(
    sources: Source | x509.Certificate | Iterable[Source | x509.Certificate],
) -> list[x509.Certificate]:
    """Certificates from one or many sources; a path may be a folder.

    Raises:
        UsageError: a source holds no certificate (`Reason.BAD_KEY_FILE`).
    """
    if isinstance(sources, (bytes, bytearray, str, os.PathLike, x509.Certificate)):
        sources = [sources]
    found: dict[x509.Certificate, None] = {}
    for source in sources:
        if isinstance(source, x509.Certificate):
            found[source] = None
        elif _is_path(source) and Path(source).is_dir():  # type: ignore[arg-type]
            found.update(dict.fromkeys(load_folder(Path(source))))  # type: ignore[arg-type]
        else:
            found.update(dict.fromkeys(load_certificates(source)))
    return list(found)


def load_key(source: Source, password: bytes | str | None = None) -> Any:
    """A private key from PEM (PKCS#8, PKCS#1, SEC 1, OpenSSH not) or DER.

    Of an RSA key it is checked that its numbers belong together (RFC 8017 section 3.2), but not that its
    two primes are primes, which takes 50 ms for 2048 bits and 360 for 4096, and which OpenSSL leaves out too.

    Raises:
        UsageError: there is no key, it is encrypted and the password is wrong or missing, its kind is
            unknown, or its numbers do not belong together (`Reason.BAD_KEY_FILE`).
    """
    data = read(source, "key")
    secret = password.encode() if isinstance(password, str) else password
    try:
        pem = b"-----BEGIN" in data
        load = load_pem_private_key if pem else load_der_private_key
        key = load(_key_block(data) if pem else data, secret, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, RSAPrivateKey) and not _is_whole(key.private_numbers()):
            raise ValueError("the numbers of the RSA key do not belong together")
        return key
    except TypeError as error:  # a password that is missing, or that is not needed
        hint = (
            "it is encrypted: give its password"
            if secret is None
            else "it is not encrypted: give no password"
        )
        raise UsageError(Reason.BAD_KEY_FILE, f"the private key: {hint}") from error
    except Exception as error:  # UnsupportedAlgorithm, ValueError: each says why
        raise UsageError(Reason.BAD_KEY_FILE, f"the private key could not be read: {error}") from error


def _is_whole(key: RSAPrivateNumbers) -> bool:
    """Whether the numbers of an RSA key belong together (RFC 8017 section 3.2)."""
    p, q, d = key.p, key.q, key.d
    public = key.public_numbers
    return (
        p * q == public.n
        and all(public.e * d % (prime - 1) == 1 for prime in (p, q))
        and (key.dmp1, key.dmq1) == (d % (p - 1), d % (q - 1))
        and key.iqmp * q % p == 1
    )


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read (mode 0600), from its first byte on."""
    path.unlink(missing_ok=True)  # an old file would keep its old mode
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _key_block(data: bytes) -> bytes:
    """The first PEM block that is a private key; certificates and EC PARAMETERS may stand before it."""
    at = 0
    while (start := data.find(b"-----BEGIN ", at)) >= 0:
        label_end = data.find(b"-----", start + 11)
        if label_end < 0:
            break
        label = data[start + 11 : label_end]
        if label.endswith(b"PRIVATE KEY"):
            return data[start:]
        at = label_end
    raise ValueError("there is no private key in it")


def _is_path(source: object) -> bool:
    return isinstance(source, os.PathLike) or (isinstance(source, str) and "-----BEGIN" not in source)
