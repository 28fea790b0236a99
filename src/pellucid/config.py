"""What we are willing to do: policies and configurations, frozen.

RFC 8446 section 9 (what must be implemented), RFC 9325 (recommendations), RFC 10015 (what is
deprecated). A configuration never changes; `replace()` makes a new one, and a server swaps its
own in one assignment. Each default has its reason beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as _replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

from pellucid.crypto.groups import GROUPS
from pellucid.crypto.signatures import SCHEMES
from pellucid.crypto.suites import SUITES, Suite, legacy_suites
from pellucid.errors import Reason, UsageError
from pellucid.limits import EARLY_DATA_WINDOW, MAX_CERTIFICATE_MESSAGE, MAX_PLAINTEXT, MAX_TICKET_LIFETIME
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import Session, SessionMemory
from pellucid.resumption.tickets import ReplayGuard, SessionStore, TicketIssuer, TicketKeys
from pellucid.wire.codepoints import CertificateCompressionAlgorithm
from pellucid.wire.codepoints import CipherSuite as S
from pellucid.wire.codepoints import NamedGroup as G
from pellucid.wire.codepoints import SignatureScheme as Sig

if TYPE_CHECKING:
    from pellucid.events import Request
    from pellucid.trust.identity import Identity
    from pellucid.trust.verification import Trust

TLS_1_2 = 0x0303
TLS_1_3 = 0x0304

#: AES-128 first: as safe as AES-256 against every known attack, and quicker. CCM_8's short tag stays
#: out, for constrained devices only (RFC 8446 appendix B.4).
DEFAULT_SUITES = (
    S.TLS_AES_128_GCM_SHA256,
    S.TLS_AES_256_GCM_SHA384,
    S.TLS_CHACHA20_POLY1305_SHA256,
    S.TLS_AES_128_CCM_SHA256,
    S.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    S.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    S.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    S.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    S.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    S.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
)

#: The hybrid first: what is recorded today must withstand the machines of 2040 (RFC 10024).
DEFAULT_GROUPS = (
    G.X25519MLKEM768,
    G.x25519,
    G.secp256r1,
    G.secp384r1,
    G.SecP256r1MLKEM768,
    G.SecP384r1MLKEM1024,
    G.x448,
    G.secp521r1,
)

#: Quick and common first; PKCS#1 v1.5 for certificates and TLS 1.2 only (RFC 8446 section 4.2.3).
DEFAULT_SCHEMES = (
    Sig.ecdsa_secp256r1_sha256,
    Sig.ed25519,
    Sig.rsa_pss_rsae_sha256,
    Sig.ecdsa_secp384r1_sha384,
    Sig.rsa_pss_rsae_sha384,
    Sig.rsa_pss_rsae_sha512,
    Sig.ecdsa_secp521r1_sha512,
    Sig.ed448,
    Sig.rsa_pss_pss_sha256,
    Sig.rsa_pss_pss_sha384,
    Sig.rsa_pss_pss_sha512,
    Sig.mldsa44,
    Sig.mldsa65,
    Sig.mldsa87,
    Sig.rsa_pkcs1_sha256,
    Sig.rsa_pkcs1_sha384,
    Sig.rsa_pkcs1_sha512,
)

#: What a policy can ask of the museum, by the names that it has to say.
LEGACY = frozenset({"static-rsa", "cbc", "unsafe-bindings"})


@dataclass(frozen=True)
class Policy:
    """What may be negotiated. The default is safe; `pellucid.legacy` holds what is not.

    Attributes:
        versions: 0x0304 (TLS 1.3) and 0x0303 (TLS 1.2), in order of preference.
        cipher_suites: code points, in order of preference. A server follows its own order, except
            that a client which prefers ChaCha20-Poly1305 (it lacks AES hardware) is given it.
        groups: key exchange groups, in order of preference.
        key_shares: groups for which a client sends a share at once: a hybrid and its plain half,
            so that a server which knows only the latter costs no HelloRetryRequest. None: the first
            of `groups` that is a hybrid and the first that is not.
        signature_schemes: what we accept from the peer, in order of preference, and sign with.
        certificate_schemes: what we accept inside certificate chains (signature_algorithms_cert);
            None says: the same.
        psk_modes: 1 (psk_dhe_ke) and, only for those who accept the loss of forward secrecy, 0 (psk_ke).
        require_extended_master_secret: refuse TLS 1.2 peers without RFC 7627.
        require_secure_renegotiation: refuse TLS 1.2 servers without RFC 5746's signal.
        encrypt_then_mac: offer and accept RFC 7366 with CBC suites.
        middlebox_compatibility: a client's dummy ChangeCipherSpec and session id (RFC 8446 appendix D.4); a
            server answers whoever sends the latter with the former, as it must.
        grease: send RFC 8701's reserved values, so that nobody grows allergic to new ones.
        shuffle_extensions: send a ClientHello's extensions in random order, for the same reason.
        record_size_limit: plaintext bytes that we accept in a record (RFC 8449): 64 to 16,384.
        max_fragment_length: 512, 1024, 2048 or 4096 (RFC 6066 section 4); clients only.
        max_send_fragment: plaintext bytes that we put into a record at most.
        certificate_compression: algorithms (RFC 8879) that we offer and use: 1 zlib, 2 brotli, 3 zstd.
        compress_above: a Certificate message of so many bytes, or fewer, is sent as it is: what would be
            spared is less than a packet, and the peer would spend a fiftieth of its handshake on it.
        padding: from the plaintext's size to the number of zero bytes to add (RFC 8446 section 5.4).
        hello_requests: what a TLS 1.2 client does when the server wants to renegotiate: "decline" by a
            warning, once (RFC 5746 section 4.5), "ignore" it (RFC 5246 section 7.4.1.1), or "refuse".
        send_fallback_scsv: say that this is a second try with an older version (RFC 7507).
        legacy: names of what is given up: "static-rsa" (forward secrecy), "cbc" (padding oracles by
            time), "unsafe-bindings" (exporters and tls-unique without RFC 7627).

    >>> Policy().replace(versions=(0x0304,)).tls12
    False
    """

    versions: tuple[int, ...] = (TLS_1_3, TLS_1_2)
    cipher_suites: tuple[int, ...] = DEFAULT_SUITES
    groups: tuple[int, ...] = DEFAULT_GROUPS
    key_shares: tuple[int, ...] | None = None
    signature_schemes: tuple[int, ...] = DEFAULT_SCHEMES
    certificate_schemes: tuple[int, ...] | None = None
    psk_modes: tuple[int, ...] = (1,)
    require_extended_master_secret: bool = True
    require_secure_renegotiation: bool = True
    encrypt_then_mac: bool = True
    middlebox_compatibility: bool = True
    grease: bool = False
    shuffle_extensions: bool = False
    record_size_limit: int | None = None
    max_fragment_length: int | None = None
    max_send_fragment: int = MAX_PLAINTEXT
    certificate_compression: tuple[int, ...] = (1,)
    compress_above: int = 1_024
    padding: Callable[[int], int] | None = None
    hello_requests: str = "decline"
    send_fallback_scsv: bool = False
    legacy: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("versions", "cipher_suites", "groups", "signature_schemes"):
            # Plain numbers: to compare with members of an enumeration, and to look up by them, takes longer.
            object.__setattr__(self, name, tuple(map(int, getattr(self, name))))
        if not self.versions or not set(self.versions) <= {TLS_1_2, TLS_1_3}:
            raise UsageError(Reason.BAD_CONFIG, "versions are TLS 1.3 (0x0304) and TLS 1.2 (0x0303)")
        unknown = [g for g in (*self.groups, *(self.key_shares or ())) if g not in GROUPS]
        if unknown:
            raise UsageError(Reason.BAD_CONFIG, f"no such group here: {G.name_of(unknown[0])}")
        if self.key_shares is not None and not set(self.key_shares) <= set(self.groups):
            raise UsageError(Reason.BAD_CONFIG, "key_shares must be among groups")
        strange = [s for s in self.signature_schemes if s not in SCHEMES]
        if strange:
            raise UsageError(Reason.BAD_CONFIG, f"no such signature scheme here: {Sig.name_of(strange[0])}")
        if self.record_size_limit is not None and not 64 <= self.record_size_limit <= MAX_PLAINTEXT:
            raise UsageError(
                Reason.BAD_CONFIG, "record_size_limit is 64 to 16,384 bytes (RFC 8449 section 4)"
            )
        if self.max_fragment_length not in (None, 512, 1024, 2048, 4096):
            raise UsageError(Reason.BAD_CONFIG, "max_fragment_length is 512, 1024, 2048 or 4096")
        if not 64 <= self.max_send_fragment <= MAX_PLAINTEXT:
            raise UsageError(Reason.BAD_CONFIG, "max_send_fragment is 64 to 16,384 bytes")
        if nameless := self.legacy - LEGACY:
            raise UsageError(Reason.BAD_CONFIG, f"legacy knows no {min(nameless)!r}")
        self._check_compression()
        if self.hello_requests not in ("decline", "ignore", "refuse"):
            raise UsageError(Reason.BAD_CONFIG, 'hello_requests is "decline", "ignore" or "refuse"')
        if not self.suites:
            raise UsageError(Reason.BAD_CONFIG, "no cipher suite is left for these versions")

    def _check_compression(self) -> None:
        """RFC 8879 section 4: offer only what can be undone, and within bounds."""
        from pellucid.wire.compression import available

        if not set(self.certificate_compression) <= {1}:
            missing = [one for one in self.certificate_compression if one not in available()]
            if missing:
                name = CertificateCompressionAlgorithm.name_of(missing[0])
                raise UsageError(
                    Reason.BAD_CONFIG, f"{name} is not installed: pip install 'pellucid[compression]'"
                )

    def replace(self, **changes: Any) -> Self:
        """A new policy with `changes`."""
        return _replace(self, **changes)

    @cached_property
    def versions_down(self) -> tuple[int, ...]:
        """The versions, highest first."""
        return tuple(sorted(self.versions, reverse=True))

    @cached_property
    def tls13(self) -> bool:
        """Whether TLS 1.3 may be negotiated."""
        return TLS_1_3 in self.versions

    @cached_property
    def tls12(self) -> bool:
        """Whether TLS 1.2 may be negotiated."""
        return TLS_1_2 in self.versions

    @cached_property
    def suites(self) -> dict[int, Suite]:
        """The suites that fit the versions, in order of preference."""
        known = SUITES
        if self.legacy:
            known = known | {
                code: suite
                for code, suite in legacy_suites().items()
                if (suite.cbc is None or "cbc" in self.legacy)
                and (suite.kx != "RSA" or "static-rsa" in self.legacy)
            }
        found: dict[int, Suite] = {}
        for code in self.cipher_suites:
            suite = known.get(code)
            if suite is None:
                hint = "; it is in legacy" if code in legacy_suites() else ""
                raise UsageError(Reason.BAD_CONFIG, f"no such cipher suite here: {S.name_of(code)}{hint}")
            if suite.tls13 in (self.tls13, not self.tls12):
                found[int(code)] = suite
        return found

    @cached_property
    def shares(self) -> tuple[int, ...]:
        """The groups for which a client sends shares at once."""
        if self.key_shares is not None:
            return tuple(group for group in self.groups if group in self.key_shares)  # RFC 8446 4.2.8
        first: dict[bool, int] = {}
        for group in self.groups:
            first.setdefault(GROUPS[group].pq, group)
        return tuple(group for group in self.groups if group in first.values())

    @cached_property
    def groups12(self) -> tuple[int, ...]:
        """The groups of TLS 1.2: no hybrids."""
        return tuple(group for group in self.groups if not GROUPS[group].pq)


class Observer(Protocol):
    """Somebody who looks. See `pellucid.glass.trace` for the one that remembers."""

    def open(self, role: str, name: str | None) -> Callable[..., None] | None:
        """A connection begins; the answer is told its facts: `note(kind, **fields)`.

        If it is the method of a `pellucid.glass.trace.Trace`, that one is handed the raw facts instead, as
        `pellucid.glass.telling` has them: it costs a third, and words can be found later.
        """
        ...


def _observer() -> Observer | None:
    """Nobody, unless the environment variable PELLUCID_TRACE asks for traces (see `glass.recorder`)."""
    if not os.environ.get("PELLUCID_TRACE"):
        return None
    from pellucid.glass.recorder import from_environment

    return from_environment()


Hidden = Callable[[str, Callable[[], bytes]], bytes]


def _call(name: str, thunk: Callable[[], bytes]) -> bytes:
    return thunk()


@dataclass(frozen=True, kw_only=True)
class Config:
    """What client and server configurations share.

    Attributes:
        policy: what may be negotiated.
        identities: certificates with their keys; the first that fits is shown.
        alpn: application protocols, in order of preference.
        psks: pre-shared keys from outside TLS.
        ask: requests (classes of `pellucid.events`) that the application wants to answer itself.
        keylog: called with each line of the NSS key log (RFC 9850); see `pellucid.keylog`.
        observer: somebody who looks; None costs nothing. By default nobody, or what the environment
            variable PELLUCID_TRACE asks for.
        random, now: where randomness and time come from; other sources make a run repeatable.
        hidden: asked for results whose randomness the primitives keep to themselves (signatures,
            encapsulations), for the same purpose.
        max_certificate_message: bytes of a Certificate message, at most.
        resume_across_alpn: resume although another application protocol is spoken now. RFC 8446 allows
            it (never for 0-RTT); it helps those who confuse protocols (ALPACA), so it is off.
    """

    policy: Policy = field(default_factory=Policy)
    identities: tuple[Identity, ...] = ()
    alpn: tuple[str, ...] = ()
    psks: tuple[PreSharedKey, ...] = ()
    ask: frozenset[type[Request]] = frozenset()
    keylog: Callable[[str], None] | None = None
    observer: Observer | None = field(default_factory=_observer)
    random: Callable[[int], bytes] = os.urandom
    now: Callable[[], float] = time.time
    hidden: Hidden = _call
    max_certificate_message: int = MAX_CERTIFICATE_MESSAGE
    resume_across_alpn: bool = False

    def __post_init__(self) -> None:
        for name in ("identities", "alpn", "psks"):
            value = getattr(self, name)
            if isinstance(value, (str, bytes)):
                raise UsageError(Reason.BAD_CONFIG, f"{name} is a sequence, not {value!r}")
            if not isinstance(value, tuple):
                object.__setattr__(self, name, tuple(value))
        for each in self.identities:
            if not hasattr(each, "chain"):
                raise UsageError(Reason.BAD_CONFIG, f"identities holds {each!r}, which is no Identity")
        for protocol in self.alpn_names:
            if not 1 <= len(protocol) <= 255:
                raise UsageError(Reason.BAD_CONFIG, "an ALPN protocol name has 1 to 255 bytes")

    def replace(self, **changes: Any) -> Self:
        """A new configuration with `changes`."""
        return _replace(self, **changes)

    @cached_property
    def alpn_names(self) -> tuple[bytes, ...]:
        """ALPN names as on the wire."""
        return tuple(name.encode("latin-1") for name in self.alpn)

    @cached_property
    def cache(self) -> dict[Any, Any]:
        """Encoded pieces that do not change from one connection to the next."""
        return {}


@dataclass(frozen=True, kw_only=True)
class ClientConfig(Config):
    """A client's configuration. `trust` has no careless default: the system's authorities.

    Attributes:
        trust: who vouches for servers; None means `Trust.system()`.
        sessions: sessions to offer for resumption, most wanted first.
        session_store: keeps the sessions that come, and offers them by itself: `ClientSessions()`.
        early_data: offer 0-RTT when the session allows it. Early data can be replayed by anyone.
        send_server_name: send SNI (RFC 6066).
        verify_name: the name or address that the server's certificate must be for, where it is another one
            than the name that is asked for; None: the same.
        require_psk: refuse a server that takes none of `psks` (or of the sessions made with them).
        verify_resumed: verify the server's chain again when its session is resumed: a certificate may
            have expired, or its authority lost our trust, since then.
        request_ocsp, request_scts: ask for a stapled OCSP response (RFC 6066), for SCTs (RFC 6962).
        certificate_authorities: DER names to send (RFC 8446 section 4.2.4).
        post_handshake_auth: let the server ask for a certificate later (RFC 8446 section 4.6.2).
        tickets: how many tickets to ask for: (new, resumption) (RFC 9149), or None.
        session_tickets: TLS 1.2: say that we take tickets (RFC 5077).
        server_certificate_types: 0 X.509, 2 raw public key (RFC 7250), in order of preference.
        client_certificate_types: the same, for what we can show.
        trusted_public_keys: SubjectPublicKeyInfo, DER, of raw public keys to believe.
    """

    trust: Trust | None = None
    sessions: tuple[Session, ...] = ()
    session_store: SessionMemory | None = None
    early_data: bool = False
    send_server_name: bool = True
    verify_name: str | None = None
    require_psk: bool = False
    verify_resumed: bool = False
    request_ocsp: bool = True
    request_scts: bool = False
    certificate_authorities: tuple[bytes, ...] = ()
    post_handshake_auth: bool = False
    tickets: tuple[int, int] | None = None
    session_tickets: bool = True
    server_certificate_types: tuple[int, ...] = (0,)
    client_certificate_types: tuple[int, ...] = (0,)
    trusted_public_keys: tuple[bytes, ...] = ()

    @cached_property
    def judge(self) -> Trust:
        """The trust in force."""
        from pellucid.trust.verification import Trust

        return self.trust if self.trust is not None else Trust.system()


@dataclass(frozen=True, kw_only=True)
class ServerConfig(Config):
    """A server's configuration.

    Attributes:
        client_auth: "none", "request" or "require" a client certificate.
        client_trust: who vouches for clients.
        certificate_authorities: DER names sent in CertificateRequest; None: those of `client_trust`.
        post_handshake_auth: keep what `request_certificate()` needs.
        tickets: how many tickets a TLS 1.3 client gets after a full handshake; a resumption gets one.
        ticket_issuer: seals them; None makes keys of this configuration's own.
        ticket_lifetime: seconds, at most 604,800 (RFC 8446 section 4.6.1).
        session_cache: TLS 1.2 session ids; None keeps none.
        max_early_data: bytes of 0-RTT data accepted; 0 accepts none.
        replay_guard: needed for 0-RTT: remembers what was seen.
        early_data_window: seconds by which a ticket's age may be off (RFC 8446 section 8.3).
        stateless_retry: put the state of a HelloRetryRequest into its cookie.
        require_server_name: refuse a client whose server_name fits none of the identities.
        require_alpn: refuse a client that offers no ALPN at all.
        acknowledge_server_name: tell the client that its server_name was of use (RFC 6066 section 3):
            "always", "first" (not when a session is resumed; TLS 1.2 never does then) or "never".
        psk_identity_hint: TLS 1.2 PSK suites (RFC 4279).
        client_certificate_types, server_certificate_types: RFC 7250, in order of preference.
        trusted_public_keys: raw public keys of clients to believe.
        request_client_ocsp, request_client_scts: ask the client to staple an OCSP response, and SCTs
            (RFC 8446 section 4.4.2.1).
        cipher_preference: "server" or "client".
    """

    client_auth: str = "none"
    client_trust: Trust | None = None
    certificate_authorities: tuple[bytes, ...] | None = None
    post_handshake_auth: bool = False
    tickets: int = 2
    ticket_issuer: TicketIssuer | None = None
    ticket_lifetime: int = 86_400
    session_cache: SessionStore | None = None
    max_early_data: int = 0
    replay_guard: ReplayGuard | None = None
    early_data_window: float = EARLY_DATA_WINDOW
    stateless_retry: bool = False
    require_server_name: bool = False
    require_alpn: bool = False
    acknowledge_server_name: str = "always"
    psk_identity_hint: bytes = b""
    client_certificate_types: tuple[int, ...] = (0,)
    server_certificate_types: tuple[int, ...] = (0, 2)
    trusted_public_keys: tuple[bytes, ...] = ()
    request_client_ocsp: bool = False
    request_client_scts: bool = False
    cipher_preference: str = "server"
    session_ticket_12: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.client_auth not in ("none", "request", "require"):
            raise UsageError(
                Reason.BAD_CONFIG, f'client_auth is "none", "request" or "require", not {self.client_auth!r}'
            )
        if self.acknowledge_server_name not in ("always", "first", "never"):
            raise UsageError(Reason.BAD_CONFIG, 'acknowledge_server_name is "always", "first" or "never"')
        if not 0 <= self.ticket_lifetime <= MAX_TICKET_LIFETIME:
            raise UsageError(Reason.BAD_CONFIG, "a ticket lives 604,800 seconds (seven days) at most")
        if self.max_early_data and self.replay_guard is None:
            raise UsageError(Reason.BAD_CONFIG, "0-RTT needs a replay_guard (RFC 8446 section 8)")

    @cached_property
    def issuer(self) -> TicketIssuer:
        """What seals tickets."""
        if self.ticket_issuer is not None:  # an empty store is false, and still a store
            return self.ticket_issuer
        return TicketKeys(random=self.random, clock=self.now)
