"""What leaves a connection: facts (events) and questions (requests).

An event is a fact. A request is an event that waits: the handshake stands still until it is
answered, now or after an `await`, a thread, a key server (DESIGN rule 3). A configuration that
holds all the answers never asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pellucid.errors import Reason, TLSError, UsageError

if TYPE_CHECKING:
    from pellucid.info import ConnectionInfo
    from pellucid.resumption.sessions import Session
    from pellucid.wire.messages import ClientHello


class Event:
    """A fact that leaves the connection."""

    __slots__ = ()


@dataclass(slots=True)
class HandshakeCompleted(Event):
    """The handshake is done: both Finished messages were right. `info` says what was agreed."""

    info: ConnectionInfo


@dataclass(slots=True)
class DataReceived(Event):
    """Application data, decrypted and authentic."""

    data: bytes


@dataclass(slots=True)
class EarlyDataReceived(Event):
    """0-RTT data (RFC 8446 section 2.3). It may be a replay: treat it accordingly."""

    data: bytes


@dataclass(slots=True)
class EarlyDataRefused(Event):
    """The server did not take the early data; it has to be sent again (RFC 8446 section 4.2.10)."""

    data: bytes


@dataclass(slots=True)
class EarlyDataAccepted(Event):
    """The server took the early data."""


class SessionReceived(Event):
    """A ticket or session to resume with later. For one that nobody asks for, no key is derived."""

    __slots__ = ("_make", "_session")

    def __init__(self, make: Callable[[], Session]) -> None:
        self._make = make
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session, the same each time."""
        if self._session is None:
            self._session = self._make()
        return self._session

    def __repr__(self) -> str:
        return f"SessionReceived(session={self.session!r})"


@dataclass(slots=True)
class PeerAuthenticated(Event):
    """A client certificate arrived after the handshake (RFC 8446 section 4.6.2)."""

    chain: tuple[bytes, ...]


@dataclass(slots=True)
class KeysUpdated(Event):
    """The peer changed its sending keys (RFC 8446 section 4.6.3)."""


@dataclass(slots=True)
class WarningAlert(Event):
    """A warning alert that does not end the connection."""

    description: int


@dataclass(slots=True)
class PeerClosed(Event):
    """The peer sent close_notify: nothing more will come; we may still send."""


_UNANSWERED: Any = object()


@dataclass(slots=True)
class Request(Event):
    """A question. Answer it once, with `answer(value)`, or `fail(...)`."""

    #: Why the handshake ends when the answer is no.
    refusal: ClassVar[Reason] = Reason.APPLICATION_FAILED

    _resume: Callable[[Any, TLSError | None], None] | None = field(default=None, repr=False, init=False)

    def answer(self, value: Any) -> None:
        """Give the answer; the handshake goes on at once.

        Raises:
            UsageError: the request was answered already, or its connection has ended.
            TLSError: whatever the rest of the handshake refuses.
        """
        resume, self._resume = self._resume, None
        if resume is None:
            raise UsageError(Reason.CLOSED, "this request is not waiting for an answer")
        resume(value, None)

    def fail(
        self,
        reason: Reason | TLSError | None = None,
        detail: str = "",
        *,
        alert: int | None = None,
    ) -> None:
        """Abort the handshake: the peer gets `alert`, or else the reason's; the error is raised here.

        Without a `reason` it is the question's own: a certificate is `refused-by-application`, a whole
        client `connection-rejected`, anything else `application-failed`. `reason` may be a whole error,
        such as the `CertificateRefused` that a `Trust` raised.
        """
        resume, self._resume = self._resume, None
        if resume is None:
            raise UsageError(Reason.CLOSED, "this request is not waiting for an answer")
        if not isinstance(reason, TLSError):
            reason = TLSError(reason or self.refusal, detail, alert=alert)
        resume(None, reason)


@dataclass(slots=True)
class SelectConfig(Request):
    """Server: the ClientHello is here, whole and raw. Answer: a `ServerConfig`, or None to keep ours.

    `client_hello.raw` are its bytes, header included, as they came; `fail()` turns the client away.
    """

    refusal: ClassVar[Reason] = Reason.CONNECTION_REJECTED

    client_hello: ClientHello
    server_name: str | None


@dataclass(slots=True)
class SelectIdentity(Request):
    """Which certificate to show. Answer: an `Identity`, or None (a client may have none).

    `certificate_type` is 0 for X.509 and 2 for a raw public key (RFC 7250); `certificate_types` are
    the kinds of keys that a TLS 1.2 server takes (RFC 5246 section 7.4.4).
    """

    server_name: str | None
    schemes: tuple[int, ...]
    authorities: tuple[bytes, ...] = ()
    certificate_type: int = 0
    certificate_types: tuple[int, ...] = ()


@dataclass(slots=True)
class Sign(Request):
    """Sign `data` with the identity's key by `scheme` (SignatureScheme). Answer: the signature.

    `pending` is what an identity's own signer gave if it has to be awaited: answer its result.
    """

    scheme: int
    data: bytes
    pending: Any = None


@dataclass(slots=True)
class Decrypt(Request):
    """Decrypt a pre-master secret (legacy static RSA). Answer: the plaintext; any bytes when it fails."""

    ciphertext: bytes


@dataclass(slots=True)
class VerifyPeer(Request):
    """Believe this chain? Answer: a `Verified`, from `Trust.verify_server` or your own judgement."""

    refusal: ClassVar[Reason] = Reason.REFUSED_BY_APPLICATION

    chain: tuple[bytes, ...]
    server_name: str | None
    ocsp: bytes | None
    scts: tuple[bytes, ...]


@dataclass(slots=True)
class VerifyPublicKey(Request):
    """Believe this raw public key (RFC 7250; SubjectPublicKeyInfo, DER)? Answer: None, or `fail(...)`."""

    refusal: ClassVar[Reason] = Reason.REFUSED_BY_APPLICATION

    public_key: bytes
    server_name: str | None


@dataclass(slots=True)
class FindPsk(Request):
    """Which pre-shared key? Answer: a `PreSharedKey`, or None.

    A server is shown the client's `identities` (in TLS 1.3 its tickets are among them), and answers
    the key of one. A client of TLS 1.2 is shown the server's `hint` (RFC 4279 section 5.2) instead.
    """

    identities: Sequence[bytes]
    hint: bytes = b""
