"""Trust in several judges at once: the system's authorities by the web's rules, and one's own by RFC 5280.

A peer is believed if one of them believes it, by that one's own rules: a certificate of one's own
authority is not held to the web's profile, and none of the web's authorities is judged more mildly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from pellucid.errors import CertificateRefused, Reason, UsageError
from pellucid.trust.profile import RFC5280, SIGN
from pellucid.trust.verification import Note, Trust, Verified

#: Refusals by a judge who does not know the authority at all: another's refusal says more.
_STRANGER = (Reason.UNKNOWN_CA, Reason.SELF_SIGNED)


class AnyOf(Trust):
    """A trust that believes whoever one of `judges` believes; they are asked in order.

    Parameters:
        judges: at least one, and none that verifies nothing.

    Raises:
        UsageError: there is no judge, or one that believes everybody.

    >>> import time
    >>> from pellucid.trust.authority import Authority
    >>> ours, theirs = Authority.create(), Authority.create()
    >>> both = AnyOf(ours.trust(), theirs.trust())
    >>> len(both.verify_server(theirs.issue("a.test").chain, "a.test", time.time()).path)
    2
    """

    __slots__ = ("judges",)

    def __init__(self, *judges: Trust) -> None:
        if not judges:
            raise UsageError(Reason.BAD_CONFIG, "a trust without any certificate would refuse everybody")
        if not all(judge.verifies for judge in judges):
            raise UsageError(Reason.BAD_CONFIG, "a trust that believes everybody leaves nothing to others")
        super().__init__(
            lambda: [anchor for judge in judges for anchor in judge.anchors],
            profile=RFC5280,
            label=" and ".join(judge.label for judge in judges),
        )
        self.judges = judges

    @property
    def fingerprint(self) -> bytes:
        """32 bytes that stand for all the judges."""
        if self._fingerprint is None:
            parts = b"".join(judge.fingerprint for judge in self.judges)
            self._fingerprint = hashlib.sha256(b"any of" + parts).digest()
        return self._fingerprint

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
        """See `Trust.verify_server`; the refusal is that of the judge who knew most."""
        options: dict[str, Any] = {"usage": usage, "ocsp": ocsp, "stapling_asked": stapling_asked}
        return self._ask(lambda judge, say: judge.verify_server(chain, name, now, note=say, **options), note)

    def verify_client(
        self,
        chain: Sequence[bytes],
        now: float,
        *,
        ocsp: bytes | None = None,
        note: Note | None = None,
    ) -> Verified:
        """See `Trust.verify_client`."""
        return self._ask(lambda judge, say: judge.verify_client(chain, now, ocsp=ocsp, note=say), note)

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
        """See `Trust.verify_server_path`."""
        options: dict[str, Any] = {"usage": usage, "ocsp": ocsp, "stapling_asked": stapling_asked}
        return self._ask(lambda judge, say: judge.verify_server_path(chain, now, note=say, **options), note)

    def _ask(self, question: Callable[[Trust, Note | None], Verified], note: Note | None) -> Verified:
        """Each judge in turn; only what the deciding one checked is noted."""
        decisive: CertificateRefused | None = None
        noted: list[tuple[Any, ...]] = []
        for judge in self.judges:
            said: list[tuple[Any, ...]] = []
            try:
                proof = question(judge, said.append if note is not None else None)
            except CertificateRefused as refusal:
                if decisive is None or decisive.reason in _STRANGER:
                    decisive, noted = refusal, said
                continue
            _repeat(said, note)
            return proof
        _repeat(noted, note)
        raise decisive or CertificateRefused(Reason.UNKNOWN_CA)


def _repeat(said: list[tuple[Any, ...]], note: Note | None) -> None:
    if note is not None:
        for fact in said:
            note(fact)
