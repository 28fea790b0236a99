"""The few bytes of DER that are read here by hand: the public key of a certificate. ITU-T X.690 8.1.

`cryptography` gives a key as an object and forgets how the certificate wrote it (an
id-RSASSA-PSS key becomes a plain RSA key), but RFC 7250 and RFC 6960 want those very bytes.
"""

from __future__ import annotations


def element(data: bytes, at: int) -> tuple[int, int, int]:
    """The element that starts at `at`: its tag, where its content starts, and where it ends.

    Raises:
        ValueError: there is none, or it goes on after the end of the data.

    >>> element(bytes.fromhex("0402abcd"), 0)
    (4, 2, 4)
    """
    if at + 2 > len(data):
        raise ValueError("an element is cut off")
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or start + count > len(data):
            raise ValueError("an element's length cannot be read")
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise ValueError("an element is cut off")
    return tag, start, start + length


def public_key_info(tbs_certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a TBSCertificate (RFC 5280 4.1), byte for byte.

    Raises:
        ValueError: the certificate cannot be read.
    """
    _, at, _ = element(tbs_certificate, 0)
    tag, _, end = element(tbs_certificate, at)
    if tag == 0xA0:  # version [0]; absent in version 1
        at = end
    for _ in range(5):  # serialNumber, signature, issuer, validity, subject
        _, _, at = element(tbs_certificate, at)
    _, _, end = element(tbs_certificate, at)
    return tbs_certificate[at:end]


def public_key_bits(tbs_certificate: bytes) -> bytes:
    """The bits of the subject's public key, without tag, length and unused-bits byte (RFC 6960 4.1.1).

    Raises:
        ValueError: the certificate cannot be read.
    """
    info = public_key_info(tbs_certificate)
    _, algorithm, _ = element(info, 0)
    _, _, at = element(info, algorithm)
    _, start, end = element(info, at)
    return info[start + 1 : end]
