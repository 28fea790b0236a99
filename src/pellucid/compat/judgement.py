"""Whether a chain is believed by a context of `ssl`: the rules that OpenSSL's users know.

RFC 5280 section 6, RFC 6125 section 6 (names; RFC 9525 section 2 about common names), RFC 5280
section 4.2 for VERIFY_X509_STRICT. The path is judged by `pellucid.trust` in its profile "rfc5280",
which takes what private authorities issue and still asks what a certificate is for. On top stand
OpenSSL's own customs: a trusted certificate must be self-signed unless VERIFY_X509_PARTIAL_CHAIN is
set, names are compared after the path, and a certificate without DNS names may show a common name.
"""

from __future__ import annotations

import itertools
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from pellucid.compat.failures import VerificationFailed
from pellucid.errors import Reason, UsageError
from pellucid.trust.chain import REMEMBERED
from pellucid.trust.names import matches, normal_name
from pellucid.trust.path import by_subject, check_signature
from pellucid.trust.verification import Trust, Verified

Note = Any
_CRL_LEAF = int(ssl.VERIFY_CRL_CHECK_LEAF)
_CRL_CHAIN = int(ssl.VERIFY_CRL_CHECK_CHAIN)
_STRICT = int(ssl.VERIFY_X509_STRICT)
_PARTIAL = 0x80000  # ssl.VERIFY_X509_PARTIAL_CHAIN, which Python 3.9 has no name for
_PROXY = 0x40  # ssl.VERIFY_ALLOW_PROXY_CERTS


class Anchors(tuple[x509.Certificate, ...]):
    """Trusted certificates. What follows from them is remembered by them, so they are hashed once only:
    those of a system take half a millisecond.

    >>> hash(Anchors()) == hash(Anchors()), joined(Anchors(), Anchors())
    (True, ())
    """

    _hash: int | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = super().__hash__()
        return self._hash


@lru_cache(maxsize=64)
def joined(*parts: Anchors) -> Anchors:
    """The certificates of all parts, each once."""
    return Anchors(dict.fromkeys(itertools.chain(*parts)))


@lru_cache(maxsize=16)
def known_subjects(anchors: Anchors) -> dict[bytes, list[x509.Certificate]]:
    """The anchors by their subject's DER."""
    return by_subject(anchors)


@dataclass(frozen=True)
class Judge:
    """Who is believed, and by which of OpenSSL's flags.

    Attributes:
        anchors: the trusted certificates.
        crls: the revocation lists that were loaded beside them, DER.
        flags: `SSLContext.verify_flags`.
        check_hostname: compare the server's names with the one that was asked for.
        common_name: `SSLContext.hostname_checks_common_name`.
        remember: how many verified paths are remembered, as in `Trust.from_pem`.
    """

    anchors: Anchors
    crls: tuple[bytes, ...]
    flags: int
    check_hostname: bool
    common_name: bool
    remember: int = REMEMBERED

    @property
    def trust(self) -> Trust:
        """The anchors as pellucid's trust; the same object for the same anchors."""
        return _trust(self.anchors, self.crls if self.flags & _CRL_LEAF else (), self.remember)

    def server(self, chain: Sequence[bytes], name: str | None, usage: str, note: Note) -> Verified:
        """Believe a server's chain.

        Raises:
            CertificateRefused: with OpenSSL's number in `verify_code_of`.
        """
        verified = self.trust.verify_server_path(chain, time.time(), usage=usage, note=note)
        self._customs(verified)
        if self.check_hostname and name:
            check_name(verified.leaf, name, self.common_name)
        return verified

    def client(self, chain: Sequence[bytes], note: Note) -> Verified:
        """Believe a client's chain.

        Raises:
            CertificateRefused: as for `server`.
        """
        verified = self.trust.verify_client(chain, time.time(), note=note)
        self._customs(verified)
        return verified

    def _customs(self, verified: Verified) -> None:
        """What OpenSSL asks of a path beyond RFC 5280."""
        path = verified.path
        if not self.flags & _PARTIAL and not self._ends_well(path[-1]):
            why = "the trusted certificate is not self-signed, and partial chains are not allowed"
            raise VerificationFailed(Reason.UNKNOWN_CA, why, 2)
        if self.flags & _STRICT:
            strict_faults(path)
        if self.flags & _CRL_LEAF:
            checked = path[:-1] if self.flags & _CRL_CHAIN == _CRL_CHAIN else path[:1]
            for certificate in checked:
                if not any(crl.issuer == certificate.issuer for crl in self.trust.crls):
                    raise VerificationFailed(Reason.CERTIFICATE_INVALID, "its issuer's CRL is missing", 3)

    def _ends_well(self, last: x509.Certificate) -> bool:
        """Whether the anchors lead on to one that is self-signed."""
        for _ in range(10):
            if last.issuer == last.subject:
                return True
            above = known_subjects(self.anchors).get(last.issuer.public_bytes(), [])
            issuer = next((one for one in above if check_signature(last, one) == "good"), None)
            if issuer is None:
                return False
            last = issuer
        return False


@lru_cache(maxsize=64)
def _trust(anchors: Anchors, crls: tuple[bytes, ...], remember: int) -> Trust:
    return Trust(
        lambda: anchors,
        profile="rfc5280",
        label="the context's authorities",
        crls=[x509.load_der_x509_crl(crl) for crl in crls],
        remember=remember,
    )


# -- names -------------------------------------------------------------------------------------------


def check_name(leaf: x509.Certificate, name: str, common_name: bool) -> None:
    """Compare the certificate's names with the one that was asked for (RFC 6125 section 6.4).

    Parameters:
        leaf: the server's certificate.
        name: a host name in ASCII, or an IP address.
        common_name: whether a certificate without any DNS name may show its common name.

    Raises:
        VerificationFailed: none of them fits; `verify_code` is 62 or, for an address, 64.
    """
    address = _address(name)
    try:
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts: list[str] = san.get_values_for_type(x509.DNSName)
        addresses: list[Any] = san.get_values_for_type(x509.IPAddress)
    except x509.ExtensionNotFound:
        hosts, addresses = [], []
    if address is not None:
        if address in addresses:
            return
        message = f"IP address mismatch, certificate is not valid for '{name}'."
        raise VerificationFailed(Reason.WRONG_HOST_NAME, f"{name} was asked for", 64, message)
    if not hosts and common_name:
        hosts = [str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    wanted = name.rstrip(".").lower()
    if wanted and any(_fits(host, wanted) for host in hosts):
        return
    message = f"Hostname mismatch, certificate is not valid for '{name}'."
    shown = ", ".join(hosts[:5]) or "no host"
    why = f"{name!r} was asked for; it is for {shown}"
    raise VerificationFailed(Reason.WRONG_HOST_NAME, why, 62, message)


@lru_cache(maxsize=256)
def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _fits(pattern: str, name: str) -> bool:
    if pattern.lower() == name:
        return True
    try:
        return matches(pattern.lower(), normal_name(name))
    except UsageError:  # no host name by RFC 1123: only letter for letter
        return False


# -- VERIFY_X509_STRICT --------------------------------------------------------------------------------


def strict_faults(path: Sequence[x509.Certificate]) -> None:
    """What OpenSSL asks for under VERIFY_X509_STRICT (RFC 5280 sections 4.1.2.4 and 4.2.1).

    Raises:
        VerificationFailed: the first certificate, from the leaf up, that falls short.
    """
    for index, certificate in enumerate(path):
        code = _strict_code(certificate, is_leaf=index == 0)
        if code:
            which = "the leaf" if index == 0 else f"certificate {index + 1} of the path"
            raise VerificationFailed(Reason.CERTIFICATE_INVALID, f"{which} is not as strict asks", code)


def _strict_code(certificate: x509.Certificate, *, is_leaf: bool) -> int:
    extensions = {type(each.value): each for each in certificate.extensions}
    constraints = extensions.get(x509.BasicConstraints)
    authority = extensions.get(x509.AuthorityKeyIdentifier)
    subject = extensions.get(x509.SubjectKeyIdentifier)
    is_ca = constraints is not None and constraints.value.ca
    if is_ca and constraints is not None and not constraints.critical:
        return 89
    if is_ca and x509.KeyUsage not in extensions:
        return 92
    if not certificate.issuer.rdns:
        return 83
    if authority is not None and authority.critical:
        return 90
    if subject is not None and subject.critical:
        return 91
    if certificate.issuer != certificate.subject and authority is None:
        return 85
    if is_ca and subject is None and not is_leaf:
        return 86
    return 0


def usage_of(suite: int) -> str:
    """What the server's key has to do under a suite: "sign", or "encipher" for static RSA."""
    from pellucid.legacy.suites import LEGACY_SUITES

    known = LEGACY_SUITES.get(suite)
    return "encipher" if known is not None and known.kx == "RSA" else "sign"


def refusing_proxies(flags: int) -> None:
    """Raise for a flag that is not honoured: proxy certificates (RFC 3820) are not believed."""
    if flags & _PROXY:
        raise NotImplementedError("pellucid does not verify proxy certificates (VERIFY_ALLOW_PROXY_CERTS)")
