"""Building certification paths, to explain a refusal. RFC 4158, RFC 5280 section 6.1.

The verifier of `cryptography` says no in its own words, and only about one of the ways it tried.
`best_path` walks the same ways in Python: from the leaf, by issuer name and signature, to an
anchor or to where it goes no further, and says what stopped it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from pellucid.errors import Reason
from pellucid.limits import MAX_SIGNATURE_CHECKS
from pellucid.trust.profile import Fault

_MAX_PATHS = 64  # that are looked at before the best of them is taken


class Path(NamedTuple):
    """A way from the leaf. `stop` says why it does not end in an anchor; None if it does."""

    certificates: tuple[x509.Certificate, ...]
    stop: Fault | None


class Walk:
    """One search from a leaf. It spends at most `MAX_SIGNATURE_CHECKS` signature checks."""

    def __init__(
        self,
        anchors: dict[bytes, list[x509.Certificate]],
        others: Sequence[x509.Certificate],
        max_intermediates: int,
    ) -> None:
        self.longest = max_intermediates + 2
        self.anchors = anchors
        self.others = others
        self.left = MAX_SIGNATURE_CHECKS
        self.verdicts: dict[tuple[x509.Certificate, x509.Certificate], str] = {}

    def paths(self, path: tuple[x509.Certificate, ...]) -> Iterator[Path]:
        """All ways on from the last certificate of `path`, anchors first."""
        last = path[-1]
        if last in self.anchors.get(_key(last.subject), ()):
            yield Path(path, None)
            return
        if len(path) >= self.longest:
            why = f"there are more than {self.longest - 2} certificates between the leaf and an anchor"
            yield Path(path, Fault(Reason.CERTIFICATE_CHAIN_TOO_LONG, why))
            return
        wanted = _key(last.issuer)
        trusted = self.anchors.get(wanted, [])
        sent = [each for each in self.others if each not in trusted and _key(each.subject) == wanted]
        onward = False
        failed: list[tuple[x509.Certificate, str]] = []
        for issuer in (*trusted, *sent):
            if issuer in path:
                continue
            verdict = self.signature(last, issuer)
            if verdict == "good":
                onward = True
                yield from self.paths((*path, issuer))
            else:
                failed.append((issuer, verdict))
        if not onward:
            yield Path(path, self._why_no_further(path, failed))

    def signature(self, child: x509.Certificate, issuer: x509.Certificate) -> str:
        """Whether the issuer's key signed the child: "good", "bad", or "unknown"."""
        known = self.verdicts.get((child, issuer))
        if known is None:
            self.left -= 1
            known = "unknown" if self.left < 0 else check_signature(child, issuer)
            self.verdicts[child, issuer] = known
        return known

    def _why_no_further(
        self, path: tuple[x509.Certificate, ...], failed: list[tuple[x509.Certificate, str]]
    ) -> Fault:
        last = path[-1]
        if self.left < 0:
            return Fault(Reason.UNKNOWN_CA, "the chain branches so often that the search was given up")
        if last.issuer == last.subject:
            own = self.signature(last, last)
            if own == "good":
                return _untrusted_root(path)
            if own == "bad" and not failed:
                return Fault(
                    Reason.CERTIFICATE_TAMPERED,
                    f"{name_in_path(path, -1)} names itself as its issuer, but did not sign itself",
                )
        for issuer, verdict in failed:
            who = name_in_path(path, -1)
            if verdict == "unknown":
                why = f"{who} is signed by a scheme that is not known here"
                return Fault(Reason.WEAK_CERTIFICATE_SIGNATURE, why)
            if not names_another_key(last, issuer):
                return Fault(
                    Reason.CERTIFICATE_TAMPERED,
                    f"{who} names {title(issuer)!r} as its issuer, whose key did not make its signature",
                )
        issuer_name = _words(last.issuer) or "an authority without a name"
        if failed:
            return Fault(
                Reason.UNKNOWN_CA,
                f"{name_in_path(path, -1)} was issued by {issuer_name!r}, and the authority of "
                "that name here has another key",
            )
        return Fault(
            Reason.UNKNOWN_CA,
            f"{name_in_path(path, -1)} was issued by {issuer_name!r}, which is not trusted here and was not "
            "sent along",
        )


def best_path(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchors: dict[bytes, list[x509.Certificate]],
    max_intermediates: int,
    faults: Callable[[tuple[x509.Certificate, ...]], int],
) -> Path:
    """The path to speak about: one that reaches an anchor with the fewest faults, or the longest.

    Args:
        leaf: the peer's own certificate.
        others: what else it sent, in any order.
        anchors: the trusted certificates by subject; see `by_subject`.
        max_intermediates: how many certificates may stand between the leaf and an anchor.
        faults: how many rules a path that reaches an anchor breaks.
    """
    best: Path | None = None
    fewest = -1
    for count, path in enumerate(Walk(anchors, others, max_intermediates).paths((leaf,))):
        if count >= _MAX_PATHS:
            break
        if path.stop is None:
            broken = faults(path.certificates)
            if fewest < 0 or broken < fewest:
                best, fewest = path, broken
            if broken == 0:
                break
        elif fewest < 0 and (best is None or _weight(path) > _weight(best)):
            best = path
    return best or Path((leaf,), Fault(Reason.UNKNOWN_CA, "no path was found"))


def by_subject(certificates: Sequence[x509.Certificate]) -> dict[bytes, list[x509.Certificate]]:
    """Certificates by their subject's DER."""
    found: dict[bytes, list[x509.Certificate]] = {}
    for certificate in certificates:
        found.setdefault(_key(certificate.subject), []).append(certificate)
    return found


def check_signature(child: x509.Certificate, issuer: x509.Certificate) -> str:
    """Whether `issuer`'s key signed `child`: "good", "bad", or "unknown" for a scheme nobody knows."""
    try:
        child.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError):
        return "bad"
    except Exception:  # UnsupportedAlgorithm, TypeError: a key or a scheme that is not known
        return "unknown"
    return "good"


def names_another_key(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the child's authorityKeyIdentifier says that another key than this issuer's signed it."""
    try:
        aki = child.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (ValueError, x509.ExtensionNotFound):
        return False
    return aki is not None and aki != ski


def title(certificate: x509.Certificate) -> str:
    """What people call a certificate: its common name, else what its subject or its names say."""
    words = _words(certificate.subject)
    if words:
        return words
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return ", ".join(str(name.value) for name in list(san)[:3])
    except (ValueError, x509.ExtensionNotFound):
        return "a certificate without a name"


def name_in_path(path: Sequence[x509.Certificate], index: int) -> str:
    """How a sentence calls a certificate of the path: "the certificate", or "the authority 'X'"."""
    position = index % len(path)
    return "the certificate" if position == 0 else f"the authority {title(path[position])!r}"


def _untrusted_root(path: tuple[x509.Certificate, ...]) -> Fault:
    if len(path) == 1:
        return Fault(Reason.SELF_SIGNED, f"{title(path[0])!r} vouches for itself, and is not trusted here")
    return Fault(
        Reason.UNKNOWN_CA,
        f"the chain ends in {title(path[-1])!r}, which signed itself and is not trusted here",
    )


def _weight(path: Path) -> tuple[int, int]:
    tampered = path.stop is not None and path.stop.reason is Reason.CERTIFICATE_TAMPERED
    return int(tampered), len(path.certificates)


def _key(name: x509.Name) -> bytes:
    return name.public_bytes()


def _words(name: x509.Name) -> str:
    attributes = {attribute.oid: str(attribute.value) for attribute in name}
    oids = (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME)
    for oid in oids:
        if attributes.get(oid):
            return attributes[oid][:100]
    return name.rfc4514_string()[:100]
