"""The certificates as a peer sent them, and what is remembered of them. RFC 8446 section 4.4.2.

Connections to the same peer bring the same bytes. What follows from these alone is worked out once: the
parsed certificate, by its bytes; and the path that was found valid, by all that decides over it: the
chain, the name, the purpose, and the anchors of the `Trust` that holds the memory. Dates are compared each
time, and so is what the path does not say: revocation, the leaf's key, the signature of the handshake.
Refusals are not remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from cryptography import x509

from pellucid.errors import CertificateRefused, Reason
from pellucid.limits import MAX_CERTIFICATES
from pellucid.trust.profile import Fault, Question

REMEMBERED = 256
"""How many paths a trust remembers, unless it is told otherwise."""

_SHORT = 4096  # bytes: longer certificates, which a stranger may send to fill memory, are not kept
_SHORT_CHAIN = 4 * _SHORT  # bytes of all certificates of a chain together

Chain = tuple[bytes, ...]  # DER, leaf first
Path = Sequence[x509.Certificate]  # leaf to anchor


def parse(chain: Chain) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """The leaf, and what else the peer sent.

    Raises:
        CertificateRefused: it is empty, too long, or not made of certificates.
    """
    if not chain:
        raise refusal(Fault(Reason.NO_CERTIFICATE, "the chain is empty"), chain)
    if len(chain) > MAX_CERTIFICATES:
        why = f"it holds {len(chain)} certificates, and {MAX_CERTIFICATES} are the most"
        raise refusal(Fault(Reason.CERTIFICATE_CHAIN_TOO_LONG, why), chain)
    at = 0
    try:
        leaf = _read(chain[0])
        others = []
        for at in range(1, len(chain)):
            others.append(_read(chain[at]))
    except (ValueError, TypeError, Warning) as error:
        which = "the peer's own certificate" if at == 0 else f"certificate {at + 1} of {len(chain)}"
        raise refusal(Fault(Reason.BAD_CERTIFICATE, f"{which}: {error}"), chain) from error
    return leaf, others


def _read(der: bytes) -> x509.Certificate:
    return _recall(der) if len(der) <= _SHORT else x509.load_der_x509_certificate(der)


@lru_cache(maxsize=128)
def _recall(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def refusal(fault: Fault, chain: Chain) -> CertificateRefused:
    """A fault, said of this chain."""
    refused = CertificateRefused(fault.reason, fault.detail)
    refused.chain = chain
    return refused


class Believed:
    """The paths that one `Trust` has found valid, while each of their certificates is.

    Attributes:
        most: how many are kept; 0: none, each chain is verified anew.
    """

    __slots__ = ("_paths", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._paths: dict[tuple[object, ...], tuple[Path, float, float]] = {}

    def recall(self, chain: Chain, question: Question) -> Path | None:
        """The path that was found for this chain and question, if it is valid at the question's time too."""
        found = self._paths.get((chain, question.name, question.wanted, question.use))
        if found is not None:
            path, begin, end = found
            if begin <= int(question.now) <= end:
                return path
        return None

    def keep(self, chain: Chain, question: Question, path: Path) -> None:
        """Remember a path that was found valid."""
        if not self.most or sum(map(len, chain)) > _SHORT_CHAIN:
            return
        if len(self._paths) >= self.most:
            self._paths.clear()  # whoever is met often is soon back
        begin = max(each.not_valid_before_utc.timestamp() for each in path)
        end = min(each.not_valid_after_utc.timestamp() for each in path)
        self._paths[chain, question.name, question.wanted, question.use] = path, begin, end
