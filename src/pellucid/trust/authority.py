"""A certificate authority of your own, in memory or in a folder: for tests, teaching and at home.

RFC 5280 section 4 (the certificates), and the profile of the CA/Browser Forum, so that what it
issues is good under the strictest rules, not only under its own. On purpose it can also issue
certificates with one wilful fault (`FAULTS`), to see how they are refused.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pellucid.errors import Reason, UsageError
from pellucid.trust.building import (
    DAY,
    HOUR,
    Moment,
    as_authority,
    as_datetime,
    authority_name,
    begin,
    general_name,
    generate_key,
    hash_for,
    issuer_key_identifier,
    key_usage,
    period,
    sign,
    subject_of,
    tampered,
    with_usages,
)
from pellucid.trust.identity import Identity
from pellucid.trust.loading import load_certificates, load_key, write_private
from pellucid.trust.path import title
from pellucid.trust.profile import RFC5280
from pellucid.trust.verification import Trust

FAULTS: dict[str, str] = {
    "expired": "it expired yesterday",
    "not-yet-valid": "it is valid from tomorrow on",
    "wrong-name": "it is for wrong-name.invalid",
    "no-names": "it has no subjectAltName, only a common name",
    "self-signed": "it vouches for itself",
    "tampered": "one bit of it was changed after it was signed",
    "missing-intermediate": "the authority between it and the root is not sent along",
    "ca-as-leaf": "it is an authority's certificate (CA:TRUE)",
    "wrong-key-usage": "its key may neither sign nor decrypt keys",
    "wrong-extended-key-usage": "it was issued to sign code",
    "weak-key": "its RSA key has 1024 bits",
}
"""What can be wrong with a certificate on purpose: `Authority.issue(..., fault=name)`."""

WARNING = """\
This folder holds the private key of a certificate authority made by pellucid.

Whoever has ca-key.pem can pass as any server, to every machine that trusts ca.pem.
It is meant for tests and for learning. Do not put it under version control, do not send
it to anyone, and do not make a browser or a system trust it that people rely on.
"""


class Authority:
    """A root or an intermediate with its private key.

    >>> authority = Authority.create()
    >>> identity = authority.issue("localhost", "127.0.0.1", "*.example.test")
    >>> identity.names
    ('localhost', '*.example.test', '127.0.0.1')
    >>> authority.trust().verify_server(identity.chain, "www.example.test", time.time()).checks
    ()

    Attributes:
        certificate: its certificate, an object of `cryptography`.
        key: its private key.
        issuers: the certificates above it, up to and with the root; empty for a root.
    """

    __slots__ = ("certificate", "clock", "generate", "issuers", "key", "random")

    def __init__(
        self,
        certificate: x509.Certificate,
        key: Any,
        issuers: Iterable[x509.Certificate] = (),
        *,
        clock: Callable[[], float] = time.time,
        generate: Callable[[str], Any] = generate_key,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """See `create` and `load`.

        Args:
            certificate: the authority's.
            key: its private key.
            issuers: what is above it, nearest first.
            clock: tells the time in seconds since 1970.
            generate: makes a private key of a kind; for tests with fixed keys.
            random: makes random bytes, for serial numbers.
        """
        if certificate.public_key() != key.public_key():
            raise UsageError(Reason.KEY_MISMATCH, f"the authority is {title(certificate)!r}")
        self.certificate = certificate
        self.key = key
        self.issuers = tuple(issuers)
        self.clock = clock
        self.generate = generate
        self.random = random

    # -- making one --------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        name: str = "pellucid test authority",
        *,
        key: str | Any = "ecdsa-p256",
        days: float = 3650,
        not_before: Moment | None = None,
        not_after: Moment | None = None,
        permitted: Iterable[str] = (),
        excluded: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        generate: Callable[[str], Any] = generate_key,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Authority:
        """A new root.

        Args:
            name: its common name.
            key: a kind from `KEY_KINDS`, or a private key.
            days: how long it is valid, if `not_after` is not given.
            not_before, not_after: its validity; by default from an hour ago.
            permitted, excluded: name constraints: domains ("example.test"), networks ("10.0.0.0/8").
            clock, generate, random: see `Authority`.
        """
        private = generate(key) if isinstance(key, str) else key
        subject = authority_name(name)
        validity = period(clock(), days, not_before, not_after)
        builder = begin(subject, subject, private.public_key(), validity, random)
        builder = as_authority(builder, private.public_key(), None, permitted, excluded)
        return cls(sign(builder, private), private, clock=clock, generate=generate, random=random)

    def intermediate(
        self,
        name: str = "pellucid intermediate authority",
        *,
        key: str | Any = "ecdsa-p256",
        days: float = 1825,
        not_before: Moment | None = None,
        not_after: Moment | None = None,
        path_length: int | None = 0,
        permitted: Iterable[str] = (),
        excluded: Iterable[str] = (),
    ) -> Authority:
        """An authority below this one.

        Args:
            name: its common name.
            key: a kind from `KEY_KINDS`, or a private key.
            days, not_before, not_after: its validity, at most to this authority's own end.
            path_length: how many authorities may stand below it; None for any number.
            permitted, excluded: name constraints, as for `create`.
        """
        private = self.generate(key) if isinstance(key, str) else key
        subject = authority_name(name)
        validity = self._within(period(self.clock(), days, not_before, not_after), not_after)
        builder = begin(subject, self.certificate.subject, private.public_key(), validity, self.random)
        builder = as_authority(builder, private.public_key(), path_length, permitted, excluded)
        builder = builder.add_extension(issuer_key_identifier(self.certificate), False)
        certificate = sign(builder, self.key)
        return Authority(
            certificate,
            private,
            (self.certificate, *self.issuers),
            clock=self.clock,
            generate=self.generate,
            random=self.random,
        )

    # -- issuing -----------------------------------------------------------------------------------

    def issue(
        self,
        *names: str,
        key: str | Any = "ecdsa-p256",
        days: float = 90,
        not_before: Moment | None = None,
        not_after: Moment | None = None,
        client: bool = False,
        common_name: str | None = None,
        must_staple: bool = False,
        fault: str | None = None,
    ) -> Identity:
        """A certificate for these names, with its chain and a new key.

        Args:
            names: host names (`localhost`, `*.example.test`, in any script), IP addresses, e-mail
                addresses, URIs, in any order; each is known by its shape.
            key: a kind from `KEY_KINDS`, or a private key.
            days, not_before, not_after: its validity; by default 90 days from an hour ago.
            client: for a client (clientAuth) instead of a server (serverAuth).
            common_name: the subject's; by default the first name.
            must_staple: whether it promises an OCSP response (RFC 7633).
            fault: what is wrong with it on purpose, a key of `FAULTS`.

        Raises:
            UsageError: a name, a kind of key or a fault that is not known.
        """
        if fault is not None and fault not in FAULTS:
            raise UsageError(
                Reason.BAD_CONFIG, f"{fault!r} is no fault that can be made: there are {', '.join(FAULTS)}"
            )
        if not names and common_name is None:
            raise UsageError(Reason.BAD_CONFIG, "a certificate needs a name")
        if fault == "missing-intermediate":
            issuer = self if self.issuers else self.intermediate()
            whole = issuer.issue(
                *names,
                key=key,
                days=days,
                not_before=not_before,
                not_after=not_after,
                client=client,
                common_name=common_name,
                must_staple=must_staple,
            )
            return whole.replace(chain=whole.chain[:1])
        if fault == "wrong-name":
            names = ("wrong-name.invalid",)
        private = self._leaf_key(key, fault)
        general = [general_name(name) for name in names]
        builder = self._leaf(
            private, general, common_name, fault, period(self.clock(), days, not_before, not_after)
        )
        builder = with_usages(builder, private.public_key(), client, fault)
        if general and fault != "no-names":
            san = x509.SubjectAlternativeName(general)
            builder = builder.add_extension(san, critical=not list(subject_of(general, common_name)))
        if must_staple:
            builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), False)
        certificate = sign(builder, private if fault == "self-signed" else self.key)
        der = tampered(certificate) if fault == "tampered" else certificate.public_bytes(Encoding.DER)
        above = () if fault == "self-signed" else self._sent_along()
        return Identity((der, *above), private)

    def _leaf(
        self,
        private: Any,
        general: list[x509.GeneralName],
        common_name: str | None,
        fault: str | None,
        validity: tuple[datetime, datetime],
    ) -> x509.CertificateBuilder:
        subject = subject_of(general, common_name)
        issuer = subject if fault == "self-signed" else self.certificate.subject
        now = self.clock()
        if fault == "expired":
            validity = (as_datetime(now - 30 * DAY), as_datetime(now - DAY))
        elif fault == "not-yet-valid":
            validity = (as_datetime(now + DAY), as_datetime(now + 30 * DAY))
        public = private.public_key()
        builder = begin(subject, issuer, public, validity, self.random)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=fault == "ca-as-leaf", path_length=None), True
        )
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        return (
            builder
            if fault == "self-signed"
            else builder.add_extension(issuer_key_identifier(self.certificate), False)
        )

    def _leaf_key(self, key: str | Any, fault: str | None) -> Any:
        if fault == "weak-key":
            return rsa.generate_private_key(65537, 1024)
        return self.generate(key) if isinstance(key, str) else key

    def _sent_along(self) -> tuple[bytes, ...]:
        """What a server sends after its leaf: the intermediates, without the root."""
        path = (self.certificate, *self.issuers)
        return tuple(each.public_bytes(Encoding.DER) for each in path[:-1])

    def _within(
        self, validity: tuple[datetime, datetime], not_after: Moment | None
    ) -> tuple[datetime, datetime]:
        if not_after is not None:
            return validity
        return validity[0], min(validity[1], self.certificate.not_valid_after_utc)

    # -- revocation --------------------------------------------------------------------------------

    def staple(
        self,
        identity: Identity,
        *,
        revoked: Moment | None = None,
        this_update: Moment | None = None,
        days: float = 7,
        responder: Identity | None = None,
    ) -> bytes:
        """An OCSP response in DER for a certificate of this authority, to staple (RFC 6960).

        Args:
            identity: whose certificate.
            revoked: when it was revoked; None if it is good.
            this_update: since when the answer is true; by default an hour ago.
            days: how long it is to be believed.
            responder: who signs in this authority's place; see `ocsp_responder`.
        """
        from cryptography.x509 import ocsp

        begin = as_datetime(self.clock() - HOUR if this_update is None else this_update)
        signer, key = self.certificate, self.key
        if responder is not None:
            signer, key = x509.load_der_x509_certificate(responder.chain[0]), responder.key
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=x509.load_der_x509_certificate(identity.chain[0]),
            issuer=self.certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD if revoked is None else ocsp.OCSPCertStatus.REVOKED,
            this_update=begin,
            next_update=begin + timedelta(days=days),
            revocation_time=None if revoked is None else as_datetime(revoked),
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
        if responder is not None:
            builder = builder.certificates([signer])
        return builder.sign(key, hash_for(key)).public_bytes(Encoding.DER)

    def ocsp_responder(self, name: str = "OCSP responder") -> Identity:
        """A certificate that may sign OCSP responses in this authority's place (RFC 6960 4.2.2.2)."""
        private = self.generate("ecdsa-p256")
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        validity = period(self.clock(), 30, None, None)
        builder = begin(subject, self.certificate.subject, private.public_key(), validity, self.random)
        builder = builder.add_extension(issuer_key_identifier(self.certificate), False)
        builder = builder.add_extension(key_usage("digital_signature"), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
        builder = builder.add_extension(x509.OCSPNoCheck(), False)
        return Identity((sign(builder, self.key).public_bytes(Encoding.DER),), private)

    def crl(
        self, *revoked: Identity, this_update: Moment | None = None, days: float = 7
    ) -> x509.CertificateRevocationList:
        """A certificate revocation list that names these certificates (RFC 5280 5)."""
        begin = as_datetime(self.clock() - HOUR if this_update is None else this_update)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(begin)
            .next_update(begin + timedelta(days=days))
            .add_extension(issuer_key_identifier(self.certificate), False)
            .add_extension(x509.CRLNumber(1), False)
        )
        for identity in revoked:
            serial = x509.load_der_x509_certificate(identity.chain[0]).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(begin)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hash_for(self.key))

    # -- using and keeping it -------------------------------------------------------------------------

    @property
    def root(self) -> x509.Certificate:
        """The certificate at the top: its own, or that of the root above it."""
        return self.issuers[-1] if self.issuers else self.certificate

    @property
    def pem(self) -> bytes:
        """The root's certificate in PEM: what others trust."""
        return self.root.public_bytes(Encoding.PEM)

    def trust(self, *, profile: str = RFC5280, crls: Iterable[x509.CertificateRevocationList] = ()) -> Trust:
        """Trust in the root of this authority."""
        return Trust.of([self.root], profile=profile, label=repr(title(self.root)), crls=crls)

    def write(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the authority into a folder, which is made if it is not there.

        `ca.pem` is its certificate, `ca-key.pem` its private key (readable by the owner only, not
        encrypted), `ca-chain.pem` what is above it, and `WARNING.txt` says what it is for.

        Raises:
            UsageError: there is one already (`Reason.BAD_CONFIG`), or the folder cannot be written.
        """
        place = Path(folder)
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            if (place / "ca-key.pem").exists() and not overwrite:
                raise UsageError(Reason.BAD_CONFIG, f"there is an authority in {str(place)!r} already")
            (place / "WARNING.txt").write_text(WARNING, encoding="utf-8")
            write_private(place / "ca-key.pem", key)
            (place / "ca.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))
            above = b"".join(each.public_bytes(Encoding.PEM) for each in self.issuers)
            if above:
                (place / "ca-chain.pem").write_bytes(above)
        except OSError as error:
            raise UsageError(Reason.BAD_CONFIG, f"the folder {str(place)!r}: {error.strerror}") from error
        return place

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        password: bytes | str | None = None,
        *,
        clock: Callable[[], float] = time.time,
        generate: Callable[[str], Any] = generate_key,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Authority:
        """The authority that `write` left in a folder.

        Raises:
            UsageError: a file is missing or cannot be read (`Reason.BAD_KEY_FILE`).
        """
        place = Path(folder)
        certificate = load_certificates(place / "ca.pem")[0]
        key = load_key(place / "ca-key.pem", password)
        chain = place / "ca-chain.pem"
        above = load_certificates(chain) if chain.exists() else []
        return cls(certificate, key, above, clock=clock, generate=generate, random=random)

    def __repr__(self) -> str:
        return f"<Authority {title(self.certificate)!r}>"
