"""Whether a peer's certificate chain is believed. RFC 5280 section 6, RFC 8446 sections 4.4.2.2-4.4.2.4.

`Trust` holds the anchors and the profile that judges them. Verification returns a `Verified`,
the proof, or raises `CertificateRefused` with a reason; nothing returns a bool that could be
ignored. The path is validated by `cryptography.x509.verification`. Only when it refuses, the
diagnosis goes over the chain again in Python, slowly, to say why in words.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import PublicKeyAlgorithmOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from pellucid.crypto.signatures import kind_of
from pellucid.errors import Reason, UsageError
from pellucid.limits import MAX_INTERMEDIATES
from pellucid.trust.chain import REMEMBERED, Believed, parse, refusal
from pellucid.trust.loading import Source, load_certificates, load_many
from pellucid.trust.names import matches, normal_name
from pellucid.trust.profile import (
    CLIENT,
    ENCIPHER,
    PROFILES,
    RFC5280,
    SERVER,
    SIGN,
    WEBPKI,
    Check,
    Fault,
    Question,
    key_fault,
    leaf_names_fault,
    policies,
    public_key_of,
    root_fault,
    serial_fault,
)

Note = Callable[[tuple[Any, ...]], None]  # takes a raw fact, see `pellucid.glass.telling`

_SHA256 = SHA256()
_MUST_STAPLE = bytes.fromhex("06082b06010505070118")  # the OID of RFC 7633 in DER
_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)
_INSECURE = (
    "who issued the certificate, and whether anyone trusts them",
    "whether the certificate is for this name",
    "whether it is valid today",
    "whether it was revoked",
    "what its key may be used for",
)


class Verified:
    """Proof that a chain was believed. Made by `Trust` only.

    Attributes:
        peer: the certificates as the peer sent them, DER, leaf first.
        leaf: the peer's own certificate, an object of `cryptography`.
        leaf_key: its public key, ready to verify with.
        unchecked: what was not checked, in words; empty unless the trust is `Trust.insecure()`.
        profile: "webpki", "rfc5280" or "insecure".
    """

    __slots__ = ("_checks", "_der", "_path", "leaf", "leaf_key", "peer", "profile", "unchecked")

    def __init__(
        self,
        path: Sequence[x509.Certificate],
        peer: tuple[bytes, ...],
        leaf: x509.Certificate,
        leaf_key: Any,
        profile: str,
        checks: Callable[[], tuple[Check, ...]] = tuple,
        unchecked: tuple[str, ...] = (),
        der: Callable[[x509.Certificate], bytes] = lambda certificate: certificate.public_bytes(Encoding.DER),
    ) -> None:
        self._path = path
        self._der = der
        self.peer = peer
        self.leaf = leaf
        self.leaf_key = leaf_key
        self.profile = profile
        self._checks = checks
        self.unchecked = unchecked

    @property
    def checks(self) -> tuple[Check, ...]:
        """What was checked, one by one; empty unless somebody looked (`note`)."""
        return self._checks()

    @property
    def path(self) -> tuple[x509.Certificate, ...]:
        """The verified path, leaf to anchor; empty if nothing was verified."""
        return tuple(self._path)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The verified path in DER, leaf to anchor; empty if nothing was verified."""
        if not self._path:
            return ()
        found = [self.peer[0]]
        found += map(self._der, self._path[1:])
        return tuple(found)

    @property
    def pss_key(self) -> bool:
        """Whether the leaf's key says id-RSASSA-PSS (RFC 8446 4.2.3: then only rsa_pss_pss_* fits)."""
        return (
            kind_of(self.leaf_key) == "rsa"
            and self.leaf.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS
        )

    def __repr__(self) -> str:
        subject = self.leaf.subject.rfc4514_string()
        return f"<Verified {subject!r} by {self.profile}, {len(self._path)} certificates>"


class Trust:
    """What decides whether a peer is believed: anchors, and the profile that judges. Immutable.

    >>> from pellucid.trust.authority import Authority
    >>> authority = Authority.create()
    >>> identity = authority.issue("localhost")
    >>> proof = authority.trust().verify_server(identity.chain, "localhost", time.time())
    >>> len(proof.chain)
    2

    Attributes:
        profile: "webpki", "rfc5280" or "insecure".
        label: where the anchors are from, for people to read.
        crls: certificate revocation lists to ask, objects of `cryptography`.
        vetted: whether a platform chose the anchors, so that "webpki" takes them as they are.
        max_intermediates: how many certificates may stand between the leaf and the anchor.
    """

    __slots__ = (
        "_anchors",
        "_believed",
        "_builders",
        "_ders",
        "_fingerprint",
        "_load",
        "_set_aside",
        "_store",
        "crls",
        "label",
        "max_intermediates",
        "profile",
        "vetted",
    )

    def __init__(
        self,
        load: Callable[[], Iterable[x509.Certificate]],
        *,
        profile: str,
        label: str,
        vetted: bool = False,
        crls: Iterable[x509.CertificateRevocationList] = (),
        max_intermediates: int = MAX_INTERMEDIATES,
        remember: int = REMEMBERED,
    ) -> None:
        """Use `system`, `from_pem`, `of` or `insecure` instead."""
        self._load = load
        self._anchors: tuple[x509.Certificate, ...] | None = None
        self._set_aside: tuple[tuple[x509.Certificate, Fault], ...] = ()
        self._store: Store | None = None
        self._fingerprint: bytes | None = None
        self._ders: dict[int, bytes] = {}
        self._builders: dict[tuple[x509.ObjectIdentifier, str, bool], PolicyBuilder] = {}
        self.profile = profile
        self.label = label
        self.vetted = vetted
        self.crls = tuple(crls)
        self.max_intermediates = max_intermediates
        self._believed = Believed(remember)

    # -- making one ------------------------------------------------------------------------------

    @classmethod
    def system(cls) -> Trust:
        """The authorities of this machine, judged by the web's rules.

        In this order: the files that SSL_CERT_FILE and SSL_CERT_DIR name, the bundles of the usual
        Linux distributions, `certifi` if it is installed. Nothing is read before the first use. All who
        ask while these variables stay the same share one `Trust`.
        """
        return _system(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))

    @classmethod
    def from_pem(
        cls,
        sources: Source | Iterable[Source],
        *,
        profile: str = RFC5280,
        crls: Iterable[Source | x509.CertificateRevocationList] = (),
        max_intermediates: int = MAX_INTERMEDIATES,
        remember: int = REMEMBERED,
    ) -> Trust:
        """Authorities (or single certificates) that the user names: PEM, DER, files, folders, or a list.

        Args:
            sources: PEM or DER bytes, PEM text, a path to a file or folder, or several of these.
            profile: "rfc5280" judges them as what they are, someone's own; "webpki" as strictly as
                the system's.
            crls: certificate revocation lists, PEM or DER. A certificate that its issuer's list
                names is refused; a certificate without a list of its issuer's is not.
            max_intermediates: how many certificates may stand between the leaf and the anchor.
            remember: how many verified paths are remembered, so that the path of a chain that was met
                before, for the same name and purpose, is not searched and its signatures are not verified
                again: dates, revocation and the leaf's key always are. 0: none. Whoever looks on (`note`)
                has each chain verified anew, and sees what is done.

        Raises:
            UsageError: nothing could be read (`Reason.BAD_KEY_FILE`), or no such profile.
        """
        label = (
            str(sources) if isinstance(sources, str) and "-----BEGIN" not in sources else "named authorities"
        )
        if crls != ():
            from pellucid.trust.revocation import load_crls

            crls = load_crls(crls)
        return cls.of(
            load_many(sources),
            profile=profile,
            label=label,
            crls=crls,
            max_intermediates=max_intermediates,
            remember=remember,
        )

    @classmethod
    def of(
        cls,
        certificates: Iterable[x509.Certificate | bytes],
        *,
        profile: str = RFC5280,
        label: str = "named authorities",
        crls: Iterable[x509.CertificateRevocationList] = (),
        max_intermediates: int = MAX_INTERMEDIATES,
        remember: int = REMEMBERED,
    ) -> Trust:
        """Certificates that are trusted: objects of `cryptography`, DER or PEM. See `from_pem`.

        Raises:
            UsageError: there are none (a trust that trusts nobody is a mistake), or no such profile.
        """
        if profile not in PROFILES:
            raise UsageError(
                Reason.BAD_CONFIG, f"{profile!r} is no profile: there are 'webpki' and 'rfc5280'"
            )
        anchors = tuple(load_many(certificates))
        if not anchors:
            raise UsageError(Reason.BAD_CONFIG, "a trust without any certificate would refuse everybody")
        return cls(
            lambda: anchors,
            profile=profile,
            label=label,
            crls=crls,
            max_intermediates=max_intermediates,
            remember=remember,
        )

    @classmethod
    def insecure(cls) -> Trust:
        """Believes everybody: whoever stands in the line can read and change everything.

        `Verified.unchecked` lists what was not checked.
        """
        return cls(tuple, profile="insecure", label="nobody: nothing is verified")

    # -- using it --------------------------------------------------------------------------------

    @property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        """The trusted certificates."""
        if self._anchors is None:
            self._anchors = tuple(self._load())
        return self._anchors

    @property
    def set_aside(self) -> tuple[tuple[x509.Certificate, Fault], ...]:
        """Anchors that the profile does not accept as such, with the reason; "webpki" only."""
        if self.anchors:
            self._stored()
        return self._set_aside

    @property
    def subjects(self) -> tuple[bytes, ...]:
        """The names of the anchors in DER, each once: what a server asks a client for (RFC 8446 4.2.4)."""
        return tuple(dict.fromkeys(anchor.subject.public_bytes() for anchor in self.anchors))

    @property
    def fingerprint(self) -> bytes:
        """32 bytes that stand for anchors, profile and lists: they bind a session to this trust."""
        if self._fingerprint is None:
            digest = hashlib.sha256(self.profile.encode())
            for each in sorted(anchor.fingerprint(_SHA256) for anchor in self.anchors):
                digest.update(each)
            for each in sorted(crl.fingerprint(_SHA256) for crl in self.crls):
                digest.update(each)
            self._fingerprint = digest.digest()
        return self._fingerprint

    @property
    def verifies(self) -> bool:
        """False for `Trust.insecure()` only."""
        return self.profile != "insecure"

    def verify_server(
        self,
        chain: Sequence[bytes],
        name: str,
        now: float,
        *,
        usage: str = SIGN,
        ocsp: bytes | None = None,
        stapling_asked: bool = True,
        note: Note | None = None,
    ) -> Verified:
        """Believe a server's chain, or refuse it.

        Args:
            chain: the certificates as sent, DER, leaf first; at most `MAX_CERTIFICATES`.
            name: the host name or IP address that the user asked for.
            now: seconds since 1970.
            usage: "sign" (TLS 1.3, (EC)DHE) or "encipher" (static RSA).
            ocsp: the stapled OCSP response in DER, or None.
            stapling_asked: whether the client asked for a staple; a must-staple certificate
                (RFC 7633) is refused without one only then.
            note: takes raw facts, which `pellucid.glass.telling.told` puts into words: the path and each
                check, also when the chain is refused.

        Raises:
            CertificateRefused: with the reason, in words for the user.
            UsageError: `name` is no name (`Reason.BAD_NAME`).
        """
        peer = tuple(chain)
        leaf, others = parse(peer)
        if self.profile == "insecure":
            return self._believe_anyway(peer, leaf, note)
        subject = _subject(name)
        if usage not in (SIGN, ENCIPHER):
            raise UsageError(Reason.BAD_CONFIG, f"{usage!r} is no usage: there are 'sign' and 'encipher'")
        question = Question(self.profile, name, now, SERVER, usage, self.vetted)
        path = self._find(peer, leaf, others, question, subject, note)
        found = self._conclude(path, peer, leaf, question, ocsp, stapling_asked, note)
        return _named(found, name) if subject is None else found

    def verify_client(
        self,
        chain: Sequence[bytes],
        now: float,
        *,
        ocsp: bytes | None = None,
        note: Note | None = None,
    ) -> Verified:
        """Believe a client's chain, or refuse it: the same, without a name to compare.

        Args:
            chain: the certificates as sent, DER, leaf first.
            now: seconds since 1970.
            ocsp: the stapled OCSP response in DER, or None.
            note: as for `verify_server`.

        Raises:
            CertificateRefused: with the reason, in words for the user.
        """
        peer = tuple(chain)
        leaf, others = parse(peer)
        if self.profile == "insecure":
            return self._believe_anyway(peer, leaf, note)
        question = Question(self.profile, None, now, CLIENT, SIGN)
        path = self._find(peer, leaf, others, question, None, note)
        return self._conclude(path, peer, leaf, question, ocsp, False, note)

    def verify_server_path(
        self,
        chain: Sequence[bytes],
        now: float,
        *,
        usage: str = SIGN,
        ocsp: bytes | None = None,
        stapling_asked: bool = False,
        note: Note | None = None,
    ) -> Verified:
        """Believe that a server's chain leads to an anchor, for whatever names it is.

        Not enough to know whom one talks to: the caller compares the names by rules of its own
        (`pellucid.compat.ssl` does, as OpenSSL does), or does not care for them.

        Args:
            chain: the certificates as sent, DER, leaf first.
            now: seconds since 1970.
            usage, ocsp, stapling_asked, note: as for `verify_server`.

        Raises:
            CertificateRefused: with the reason, in words for the user.

        >>> from pellucid.trust.authority import Authority
        >>> authority = Authority.create()
        >>> proof = authority.trust().verify_server_path(authority.issue("a.test").chain, time.time())
        >>> len(proof.path)
        2
        """
        peer = tuple(chain)
        leaf, others = parse(peer)
        if self.profile == "insecure":
            return self._believe_anyway(peer, leaf, note)
        question = Question(self.profile, None, now, SERVER, usage, self.vetted)
        path = self._find(peer, leaf, others, question, None, note)
        return self._conclude(path, peer, leaf, question, ocsp, stapling_asked, note)

    def __repr__(self) -> str:
        return f"<Trust in {self.label} ({self.profile})>"

    # -- the work --------------------------------------------------------------------------------

    def _stored(self) -> Store:
        if self._store is None:
            usable = []
            aside = []
            for anchor in self.anchors:
                fault = None if self.profile != WEBPKI or self.vetted else root_fault(anchor)
                if fault is None:
                    usable.append(anchor)
                else:
                    aside.append((anchor, fault))
            self._set_aside = tuple(aside)
            # A store may not be empty. An anchor that was set aside is refused by the rest of `_conclude`.
            self._store = Store(usable or [anchor for anchor, _ in aside])
        return self._store

    def _builder(self, wanted: x509.ObjectIdentifier, use: str, named: bool) -> PolicyBuilder:
        """What verifies for this purpose and use, with or without a name."""
        kind = wanted, use, named
        builder = self._builders.get(kind)
        if builder is None:
            if not self.anchors:
                raise VerificationError("nobody is trusted")
            is_anchor = frozenset(self.anchors).__contains__
            leaf_policy, ca_policy = policies(self.profile, wanted, use, is_anchor, named=named)
            builder = self._builders[kind] = (
                PolicyBuilder()
                .store(self._stored())
                .max_chain_depth(self.max_intermediates)
                .extension_policies(ee_policy=leaf_policy, ca_policy=ca_policy)
            )
        return builder

    def _find(
        self,
        peer: tuple[bytes, ...],
        leaf: x509.Certificate,
        others: list[x509.Certificate],
        question: Question,
        subject: x509.DNSName | x509.IPAddress | None,
        note: Note | None,
    ) -> Sequence[x509.Certificate]:
        """The path from the leaf to an anchor; the leaf is for `subject`, if that is not None.

        What purpose a path without a name must have is in our own extension policies.
        """
        path = note is None and self._believed.recall(peer, question)
        if path:
            return path
        try:
            builder = self._builder(question.wanted, question.use, subject is not None).time(question.moment)
            if subject is not None:
                path = builder.build_server_verifier(subject).verify(leaf, others)
            else:
                path = builder.build_client_verifier().verify(leaf, others).chain
        except VerificationError as error:
            path = self._second_look(peer, leaf, others, question, error, note)
        self._believed.keep(peer, question, path)
        return path

    def _conclude(
        self,
        path: Sequence[x509.Certificate],
        peer: tuple[bytes, ...],
        leaf: x509.Certificate,
        question: Question,
        ocsp: bytes | None,
        stapling_asked: bool,
        note: Note | None,
    ) -> Verified:
        """What the verifier leaves open: the leaf's key, the Forum's small print, and revocation."""
        key = public_key_of(leaf)
        fault = key if isinstance(key, Fault) else key_fault(key, self.profile)
        if fault is None and self.profile == WEBPKI:
            fault = serial_fault(leaf) or (
                leaf_names_fault(leaf, vetted=self.vetted) if question.wanted == SERVER else None
            )
            if fault is None and self._set_aside:
                fault = next((why for anchor, why in self._set_aside if anchor in path), None)
        checks: Callable[[], tuple[Check, ...]] = tuple
        if note is not None:
            from pellucid.trust.diagnosis import Report

            checks = Report(path, question)
            note(("chain", checks))
        if fault is not None:
            raise refusal(fault, peer)
        if self.crls or ocsp is not None or (stapling_asked and _MUST_STAPLE in peer[0]):
            first, more = checks, self._revocation(path, peer, question, ocsp, stapling_asked, note)
            checks = lambda: first() + more  # noqa: E731
        return Verified(path, peer, leaf, key, self.profile, checks, (), self._der)

    def _der(self, certificate: x509.Certificate) -> bytes:
        """A certificate in DER; an anchor, which the verifier gives back as the very object, only once."""
        known = self._ders.get(id(certificate))
        if known is None:
            known = certificate.public_bytes(Encoding.DER)
            if any(certificate is anchor for anchor in self.anchors):  # they live as long as this trust
                self._ders[id(certificate)] = known
        return known

    def _second_look(
        self,
        peer: tuple[bytes, ...],
        leaf: x509.Certificate,
        others: list[x509.Certificate],
        question: Question,
        error: VerificationError,
        note: Note | None,
    ) -> Sequence[x509.Certificate]:
        """The verifier refused: say why, unless all it minds is an Ed25519 or Ed448 signature."""
        from pellucid.trust.diagnosis import explain

        try:
            outcome = explain(self, leaf, others, question, str(error), note)
        except _UNREADABLE as unreadable:  # the library parses lazily: a name may turn out to be garbage
            raise refusal(Fault(Reason.BAD_CERTIFICATE, str(unreadable)), peer) from unreadable
        if isinstance(outcome, Fault):
            raise refusal(outcome, peer) from error
        return outcome

    def _revocation(
        self,
        path: Sequence[x509.Certificate],
        peer: tuple[bytes, ...],
        question: Question,
        ocsp: bytes | None,
        stapling_asked: bool,
        note: Note | None,
    ) -> tuple[Check, ...]:
        from pellucid.trust import revocation

        checks = revocation.check(path, question.now, ocsp, stapling_asked, self.crls)
        if note is not None:
            note(("judged", checks, (), ()))
        for check in checks:
            if check.reason is not None:
                raise refusal(Fault(check.reason, check.detail), peer)
        return checks

    def _believe_anyway(self, peer: tuple[bytes, ...], leaf: x509.Certificate, note: Note | None) -> Verified:
        key = public_key_of(leaf)
        if isinstance(key, Fault):
            raise refusal(key, peer)
        if note is not None:
            for what in _INSECURE:
                note(("check", what, False, "not checked", 0))
        return Verified((), peer, leaf, key, "insecure", tuple, _INSECURE)


def verify(
    chain: Source | Sequence[bytes],
    name: str | None,
    when: float | datetime | None = None,
    trust: Trust | None = None,
    *,
    usage: str = SIGN,
    ocsp: bytes | None = None,
    note: Note | None = None,
) -> Verified:
    """Verify a chain without a connection.

    Args:
        chain: certificates in DER, leaf first; or PEM, or the path of a PEM file.
        name: the host name or address of the server; None for a client's chain.
        when: seconds since 1970, or a datetime; by default now.
        trust: by default `Trust.system()`.
        usage: "sign" or "encipher".
        ocsp: an OCSP response in DER.
        note: as for `Trust.verify_server`.

    Raises:
        CertificateRefused: with the reason, in words for the user.

    >>> from pellucid.trust.authority import Authority
    >>> authority = Authority.create()
    >>> verify(authority.issue("a.test").chain, "b.test", trust=authority.trust())
    Traceback (most recent call last):
    ...
    pellucid.errors.CertificateRefused: ...
    """
    if isinstance(chain, (list, tuple)):
        ders = [bytes(each) for each in chain]
    else:
        ders = [each.public_bytes(Encoding.DER) for each in load_certificates(chain)]  # type: ignore[arg-type]
    if when is None:
        now = time.time()
    elif isinstance(when, datetime):
        now = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    else:
        now = when
    trust = trust or Trust.system()
    if name is None:
        return trust.verify_client(ders, now, ocsp=ocsp, note=note)
    return trust.verify_server(
        ders, name, now, usage=usage, ocsp=ocsp, stapling_asked=ocsp is not None, note=note
    )


@lru_cache(maxsize=8)
def _system(file: str, folders: str) -> Trust:
    from pellucid.trust.roots import system_roots

    place = {"SSL_CERT_FILE": file, "SSL_CERT_DIR": folders}
    return Trust(lambda: system_roots(place), profile=WEBPKI, label="the system's authorities", vetted=True)


@lru_cache(maxsize=4096)
def _subject(name: str) -> x509.DNSName | x509.IPAddress | None:
    """The name as the verifier takes it; None for one with an underscore, which it does not know."""
    normal = normal_name(name)
    if isinstance(normal, str) and "_" in normal:
        return None
    return x509.DNSName(normal) if isinstance(normal, str) else x509.IPAddress(normal)


def _named(verified: Verified, name: str) -> Verified:
    """Compare the names ourselves (RFC 9525 section 6.3).

    A wildcard may stand for a label with an underscore; a certificate that spells one out breaks RFC 5280
    section 4.2.1.6.
    """
    normal = normal_name(name)
    try:
        san = verified.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = san.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        hosts = []
    fitting = [host for host in hosts if matches(host, normal)]
    if fitting and all("_" in host for host in fitting):
        raise refusal(
            Fault(Reason.CERTIFICATE_INVALID, f"its name {fitting[0]!r} has an underscore"), verified.peer
        )
    if not fitting:
        why = f"{name!r} was asked for; it is for {', '.join(hosts[:5]) or 'no host'}"
        raise refusal(Fault(Reason.WRONG_HOST_NAME, why), verified.peer)
    return verified
