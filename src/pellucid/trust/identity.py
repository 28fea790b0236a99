"""An identity: a certificate chain with its private key, or with someone who signs for it.

RFC 8446 sections 4.4.2.2 and 4.4.2.3 (which certificate is chosen), RFC 7250 (raw public keys).
Loading parses the leaf once and works out which signature schemes its key can make, so that the
handshake only compares numbers.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pellucid.crypto.signatures import kind_of, schemes_for
from pellucid.errors import Reason, TLSError, UsageError
from pellucid.trust.loading import Source, load_certificates, load_key, read, write_private
from pellucid.trust.names import Address, matches, normal_name

_FILE_NAMES = str.maketrans({"*": "_", ":": "-", "/": "-"})


@runtime_checkable
class Signer(Protocol):
    """Someone who signs without showing the key: a smart card, an HSM, a key service.

    `sign` may answer at once or with an awaitable; the handshake waits for it without blocking.
    """

    @property
    def public_key(self) -> Any:
        """The public key, as an object of `cryptography`."""

    def sign(self, scheme: int, data: bytes) -> bytes | Awaitable[bytes]:
        """The signature over `data` (not hashed yet) by a SignatureScheme of RFC 8446 4.2.3."""


class Identity:
    """A certificate chain and the key that belongs to it. Immutable; `replace()` makes a new one.

    Attributes:
        chain: the certificates in DER, the leaf first; empty for a raw public key (RFC 7250).
        key: the private key, an object of `cryptography`; None if a signer holds it.
        signer: who signs, if the key is elsewhere; otherwise None.
        public_key: the public key.
        kind: "ecdsa", "rsa", "rsa-pss", "ed25519", "ed448" or "ml-dsa-65" and its like.
        pss_key: whether the certificate's key says id-RSASSA-PSS.
        schemes13, schemes12: the signature schemes that the key can make in TLS 1.3 and TLS 1.2,
            best first.
        ocsp: an OCSP response in DER to staple, or None.
        scts: signed certificate timestamps to send (RFC 6962 3.3).
        schemes: the only ones that the key may be used with, best first; None for all.
        cache: for the handshake, which keeps encoded messages here.
    """

    __slots__ = (
        "_addresses",
        "_names",
        "_raw",
        "cache",
        "chain",
        "key",
        "kind",
        "ocsp",
        "pss_key",
        "public_key",
        "schemes",
        "schemes12",
        "schemes13",
        "scts",
        "signer",
    )

    def __init__(
        self,
        chain: Sequence[bytes],
        key: Any,
        *,
        ocsp: bytes | None = None,
        scts: Iterable[bytes] = (),
        schemes: Sequence[int] | None = None,
    ) -> None:
        """See `from_der`; the key here is an object already.

        `schemes`: the only signature schemes that this key may be used with, best first; by default
        those of the policy.
        """
        self.chain = tuple(chain)
        self.ocsp = ocsp
        self.scts = tuple(scts)
        self.cache: dict[object, Any] = {}
        self._names: tuple[str, ...] | None = None
        self._addresses: frozenset[Address] = frozenset()
        self._raw: bytes | None = None
        self.key: Any = None
        self.signer: Signer | None = None
        if callable(getattr(key, "public_key", None)):
            self.key = key
            self.public_key: Any = key.public_key()
        elif isinstance(key, Signer):
            self.signer = key
            self.public_key = key.public_key
        else:
            raise UsageError(Reason.BAD_CONFIG, f"{type(key).__name__} is neither a private key nor a Signer")
        self.pss_key = False
        if self.chain:
            self._check_leaf()
        kind = kind_of(self.public_key, pss_key=self.pss_key)
        if kind is None:
            raise UsageError(
                Reason.BAD_KEY_FILE, f"a key of the kind {type(key).__name__} cannot sign in TLS"
            )
        self.kind: str = kind
        self.schemes13 = schemes_for(self.public_key, tls13=True, pss_key=self.pss_key)
        self.schemes12 = schemes_for(self.public_key, tls13=False, pss_key=self.pss_key)
        self.schemes = schemes
        if schemes is not None:
            self.schemes13 = tuple(scheme for scheme in schemes if scheme in self.schemes13)
            self.schemes12 = tuple(scheme for scheme in schemes if scheme in self.schemes12)

    def _check_leaf(self) -> None:
        try:
            leaf = x509.load_der_x509_certificate(self.chain[0])
            fits = leaf.public_key() == self.public_key
        except Exception as error:  # ValueError, UnsupportedAlgorithm: each says why
            raise UsageError(Reason.BAD_KEY_FILE, f"the certificate could not be read: {error}") from error
        if not fits:
            raise UsageError(Reason.KEY_MISMATCH, f"the certificate is {leaf.subject.rfc4514_string()!r}")
        self.pss_key = leaf.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS

    # -- loading -------------------------------------------------------------------------------

    @classmethod
    def from_pem(
        cls,
        certificate: Source,
        key: Source | None = None,
        password: bytes | str | None = None,
        *,
        ocsp: bytes | None = None,
        scts: Iterable[bytes] = (),
    ) -> Identity:
        """An identity from PEM.

        Args:
            certificate: PEM bytes, PEM text, or a path; the leaf and its intermediates. The leaf
                may stand anywhere: it is the certificate that the key fits.
            key: the private key likewise; by default it stands beside the certificates.
            password: of the key, if it is encrypted.
            ocsp: an OCSP response in DER to staple.
            scts: signed certificate timestamps to send.

        Raises:
            UsageError: something cannot be read (`Reason.BAD_KEY_FILE`), or the key fits none of
                the certificates (`Reason.KEY_MISMATCH`).

        >>> from pellucid.trust.authority import Authority
        >>> pem = Authority.create().issue("localhost").to_pem()
        >>> Identity.from_pem(pem).names
        ('localhost',)
        """
        certificates = load_certificates(certificate)
        private = load_key(certificate if key is None else key, password)
        return cls(_leaf_first(certificates, private.public_key()), private, ocsp=ocsp, scts=scts)

    @classmethod
    def from_files(
        cls,
        certificate: str | os.PathLike[str],
        key: str | os.PathLike[str] | None = None,
        password: bytes | str | None = None,
        *,
        ocsp: str | os.PathLike[str] | None = None,
    ) -> Identity:
        """An identity from files: PEM or DER. `ocsp` names a file with an OCSP response in DER."""
        staple = None if ocsp is None else read(ocsp, "OCSP response")
        return cls.from_pem(certificate, key, password, ocsp=staple)

    @classmethod
    def from_der(
        cls,
        chain: Sequence[bytes],
        key: Any,
        password: bytes | str | None = None,
        *,
        ocsp: bytes | None = None,
        scts: Iterable[bytes] = (),
    ) -> Identity:
        """An identity from certificates in DER, leaf first, and a key: DER, an object, or a `Signer`."""
        if isinstance(key, (bytes, bytearray)):
            key = load_key(bytes(key), password)
        return cls(chain, key, ocsp=ocsp, scts=scts)

    @classmethod
    def from_pkcs12(cls, data: bytes | os.PathLike[str], password: bytes | str | None = None) -> Identity:
        """An identity from a PKCS#12 bundle (.p12, .pfx): its bytes, or the file's path.

        Raises:
            UsageError: the bundle cannot be read, or lacks key or certificate (`Reason.BAD_KEY_FILE`).
        """
        from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

        secret = password.encode() if isinstance(password, str) else password
        try:
            key, leaf, others = load_key_and_certificates(read(data, "bundle"), secret)
        except TLSError:
            raise
        except Exception as error:  # ValueError, UnsupportedAlgorithm: each says why
            raise UsageError(Reason.BAD_KEY_FILE, f"the bundle could not be read: {error}") from error
        if key is None or leaf is None:
            missing = "private key" if key is None else "certificate"
            raise UsageError(Reason.BAD_KEY_FILE, f"the bundle holds no {missing}")
        chain = [leaf.public_bytes(Encoding.DER), *(other.public_bytes(Encoding.DER) for other in others)]
        return cls(chain, key)

    @classmethod
    def raw(cls, key: Any, password: bytes | str | None = None) -> Identity:
        """A raw public key (RFC 7250): no certificate. `key` is PEM, DER, an object, or a `Signer`."""
        if isinstance(key, (bytes, str, os.PathLike)):
            key = load_key(key, password)
        return cls((), key)

    # -- what it says ----------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The host names and addresses that the certificate is for (subjectAltName), as text."""
        if self._names is None:
            self._names, self._addresses = _names_of(self.chain)
        return self._names

    def match_rank(self, server_name: str | None) -> int:
        """How well the certificate fits: 2 for the very name, 1 by a wildcard, 0 not at all."""
        if server_name is None:
            return 0
        names = self.names
        try:
            name = normal_name(server_name)
        except UsageError:
            return 0
        if not isinstance(name, str):
            return 2 if name in self._addresses else 0
        best = 0
        for pattern in names:
            if pattern == name:
                return 2
            if matches(pattern, name):
                best = 1
        return best

    def matches(self, server_name: str | None) -> bool:
        """Whether the certificate is for this host name or address."""
        return self.match_rank(server_name) > 0

    @property
    def leaf(self) -> bytes:
        """The leaf certificate in DER; empty for a raw public key."""
        return self.chain[0] if self.chain else b""

    @property
    def raw_public_key(self) -> bytes:
        """The SubjectPublicKeyInfo in DER, as RFC 7250 sends it."""
        if self._raw is None:
            if self.chain:  # as it stands in the certificate: id-RSASSA-PSS would be lost otherwise
                leaf = x509.load_der_x509_certificate(self.chain[0])
                self._raw = _spki_of(leaf)
            else:
                self._raw = self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return self._raw

    def replace(self, **changes: Any) -> Identity:
        """A copy with other `chain`, `key`, `ocsp`, `scts` or `schemes`; say, with a fresh OCSP response."""
        key = changes.pop("key", self.key if self.key is not None else self.signer)
        new = {"chain": self.chain, "ocsp": self.ocsp, "scts": self.scts, "schemes": self.schemes, **changes}
        return type(self)(new.pop("chain"), key, **new)

    def to_pem(self) -> bytes:
        """The chain and the private key in PEM (PKCS#8, not encrypted): handle with care.

        Raises:
            UsageError: the key is a signer's (`Reason.BAD_CONFIG`).
        """
        return self.key_pem() + self.chain_pem()

    def write(
        self, folder: str | os.PathLike[str], stem: str | None = None, *, overwrite: bool = False
    ) -> tuple[Path, Path]:
        """Write `STEM.pem` (the chain) and `STEM-key.pem` (readable by the owner only) into a folder.

        Args:
            folder: made if it is not there.
            stem: by default the first name.
            overwrite: whether files that are there may be replaced.

        Returns:
            The paths of the two files.

        Raises:
            UsageError: they are there already, cannot be written, or the key is a signer's.
        """
        place = Path(folder)
        stem = stem or (self.names or ("certificate",))[0].replace("*", "_").replace(":", "-").replace(
            "/", "-"
        )
        certificate, key = place / f"{stem}.pem", place / f"{stem}-key.pem"
        secret = self.key_pem()
        if key.exists() and not overwrite:
            raise UsageError(Reason.BAD_CONFIG, f"{str(key)!r} is there already")
        try:
            place.mkdir(parents=True, exist_ok=True)
            write_private(key, secret)
            certificate.write_bytes(self.chain_pem())
        except OSError as error:
            raise UsageError(Reason.BAD_CONFIG, f"the folder {str(place)!r}: {error.strerror}") from error
        return certificate, key

    def chain_pem(self) -> bytes:
        """The certificates in PEM, leaf first."""
        return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in self.chain)

    def key_pem(self) -> bytes:
        """The private key in PEM (PKCS#8, not encrypted).

        Raises:
            UsageError: the key is a signer's (`Reason.BAD_CONFIG`).
        """
        from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

        if self.key is None:
            raise UsageError(Reason.BAD_CONFIG, "the key belongs to a signer and cannot be written")
        pem: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem

    def __repr__(self) -> str:
        names = ", ".join(self.names) if self.chain else "raw public key"
        return f"<Identity {names or 'without names'} ({self.kind})>"


def choose(identities: Iterable[Identity], server_name: str | None) -> list[Identity]:
    """All identities, the best for `server_name` first: by name, by wildcard, then the others as given.

    The caller takes the first whose signature schemes suit the peer (RFC 8446 4.4.2.2). Where no
    name fits, the first as given comes first: a server's default certificate.
    """
    if server_name is None:
        return list(identities)
    return sorted(identities, key=lambda identity: -identity.match_rank(server_name))


def _names_of(chain: Sequence[bytes]) -> tuple[tuple[str, ...], frozenset[Address]]:
    if not chain:
        return (), frozenset()
    try:
        extensions = x509.load_der_x509_certificate(chain[0]).extensions
        san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return (), frozenset()
    hosts = [name.lower() for name in san.get_values_for_type(x509.DNSName)]
    addresses = [
        address for address in san.get_values_for_type(x509.IPAddress) if not hasattr(address, "prefixlen")
    ]
    return (*hosts, *map(str, addresses)), frozenset(addresses)


def _leaf_first(certificates: list[x509.Certificate], public_key: Any) -> list[bytes]:
    """The chain in DER with the certificate of this key moved to the front."""
    for index, certificate in enumerate(certificates):
        try:
            fits = certificate.public_key() == public_key
        except Exception:  # a key of an unknown kind is not ours
            fits = False
        if fits:
            ordered = [certificate, *certificates[:index], *certificates[index + 1 :]]
            return [each.public_bytes(Encoding.DER) for each in ordered]
    subjects = ", ".join(repr(each.subject.rfc4514_string()) for each in certificates)
    raise UsageError(Reason.KEY_MISMATCH, f"it fits none of: {subjects}")


def _spki_of(certificate: x509.Certificate) -> bytes:
    """The SubjectPublicKeyInfo byte for byte as the certificate holds it."""
    from pellucid.trust.der import public_key_info

    return public_key_info(certificate.tbs_certificate_bytes)
