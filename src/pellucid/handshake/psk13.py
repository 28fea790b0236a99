"""Pre-shared keys on the server's side of TLS 1.3: which one, how early, and the next tickets.

RFC 8446 sections 4.2.9 to 4.2.11, 4.6.1 and 8 (0-RTT and anti-replay).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator
from struct import unpack
from typing import TYPE_CHECKING, Any

from pellucid.config import ServerConfig
from pellucid.crypto.schedule13 import KeySchedule, resumption_psks
from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import Reason, UsageError, refuse
from pellucid.events import FindPsk, Request
from pellucid.handshake.tickets import ticket_content, unusable
from pellucid.limits import MAX_IDENTITIES_TRIED
from pellucid.resumption.psk import PreSharedKey
from pellucid.resumption.sessions import Session, Ticket, TicketContent
from pellucid.resumption.tickets import why_not
from pellucid.secret import Secret
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import GREASE_VALUES
from pellucid.wire.language import ExtensionMap
from pellucid.wire.messages import ClientHello, NewSessionTicket

if TYPE_CHECKING:
    from pellucid.handshake.context import Handshake


#: Why a key is not taken, beside what `unusable` says of sessions.
_OTHER_HASH = "its hash is not that of the cipher suite"
_WRONG_BINDER = "its binder is wrong: who sent it does not hold the key, or the hello was changed on its way"
_NO_MODE = "the client's psk_key_exchange_modes and ours have none in common"
_NO_GROUP = "without a group in common there is no psk_dhe_ke, and psk_ke is not wanted by both"


class Resumed:
    """The pre-shared key that was chosen.

    Attributes:
        index: of its identity in the client's list.
        session: what the ticket held; None for an external key.
        schedule: the key schedule's first rung under it.
        with_dhe: psk_dhe_ke rather than psk_ke.
        age_error: seconds between the client's and our idea of the ticket's age.
    """

    __slots__ = ("age_error", "binder", "index", "schedule", "session", "with_dhe")

    def __init__(
        self,
        index: int,
        session: Session | None,
        schedule: KeySchedule,
        with_dhe: bool,
        age_error: float,
        binder: bytes,
    ) -> None:
        self.index = index
        self.session = session
        self.schedule = schedule
        self.with_dhe = with_dhe
        self.age_error = age_error
        self.binder = binder


class KnownKeys:
    """The keys by which this handshake may go on: external ones, and the tickets that we can open.

    A ticket is opened once, whatever happens (a HelloRetryRequest looks at it twice): a store may
    hand it out only once.
    """

    __slots__ = ("_config", "_opened", "_strange", "external")

    def __init__(self, config: ServerConfig) -> None:
        self.external = config.psks
        self._config = config
        self._opened: dict[bytes, Ticket | None] = {}
        self._strange: set[bytes] = set()  # opened, and not understood

    def ticket(self, identity: bytes) -> Ticket | None:
        """The ticket of ours that goes by this identity."""
        if identity not in self._opened:
            self._opened[identity] = self._open(identity)
        return self._opened[identity]

    def why_not(self, identity: bytes) -> str:
        """Why there is no key by this name, for somebody who looks."""
        if identity in self._strange:
            return "it is of another release's format"
        return f"no pre-shared key has this name, and as a ticket {why_not(self._config.issuer, identity)}"

    def _open(self, identity: bytes) -> Ticket | None:
        opened = self._config.issuer.open(identity)
        if opened is None:
            return None
        try:
            return TicketContent.opened(opened)
        except UsageError:
            self._strange.add(identity)
            return None


def find_external_key(keys: KnownKeys, hello: ClientHello) -> Generator[Request, Any, None]:
    """Ask the application for a key of this client's; it joins those of the configuration."""
    offered = ext.OfferedPsks.decode(hello.extensions[X.pre_shared_key])
    found: PreSharedKey | None = yield FindPsk(tuple(one.identity for one in offered.identities))
    if found is not None:
        keys.external = (*keys.external, found)


def choose_psk(
    h: Handshake, config: ServerConfig, hello: ClientHello, suite: Suite, keys: KnownKeys, *, have_group: bool
) -> Resumed | None:
    """The first of the client's keys that we know and may use (RFC 8446 section 4.2.11)."""
    body = hello.extensions.get(X.pre_shared_key)
    modes_body = hello.extensions.get(X.psk_key_exchange_modes)
    if modes_body is not None:
        modes = ext.PskKeyExchangeModes.recall(modes_body).ke_modes
    elif body is not None:
        refuse(Reason.MISSING_PSK_MODES)
    if body is None:
        return None
    offered = ext.OfferedPsks.decode(body)
    if len(offered.identities) != len(offered.binders):
        refuse(Reason.PSK_BINDER_COUNT, f"{len(offered.binders)} for {len(offered.identities)} identities")
    with_dhe = 1 in modes and 1 in h.policy.psk_modes and have_group
    if not with_dhe and not (0 in modes and 0 in h.policy.psk_modes):
        if h.note is not None:
            rule = _NO_MODE if have_group or 1 not in modes else _NO_GROUP
            h.note(("decision", "psk", range(len(offered.identities)), (), None, rule))
        return None
    refused: tuple[tuple[int, str], ...] = ()  # for who looks
    for index, identity in ranked_identities(keys, offered.identities):
        found = find_psk(h, config, identity, suite, keys)
        if isinstance(found, str):
            if h.note is not None:
                refused += ((index, found or keys.why_not(identity.identity)),)
            continue
        session, secret, label, age_error = found
        schedule = KeySchedule(suite.hash, secret, h.note)
        before = h.transcript.messages + hello.raw[: -offered.binders_length]
        truncated = suite.hash.new(before).digest()
        expected = schedule.binder(label, truncated)
        if not hmac.compare_digest(expected, offered.binders[index]):
            if h.note is not None:
                refused += ((index, _WRONG_BINDER),)
                h.note(
                    (
                        "decision",
                        "psk",
                        range(len(offered.identities)),
                        (index,),
                        None,
                        _WRONG_BINDER,
                        refused,
                    )
                )
            refuse(Reason.BAD_BINDER)
        h.facts["resumed"] = session is not None
        h.facts["external_psk"] = session is None
        if session is not None:
            h.facts["ticket_age_error"] = age_error
            h.facts["peer_chain"] = session.peer_chain
            h.facts["verified_chain"] = session.verified_chain
            h.facts["peer_public_key"] = session.peer_public_key or None
            h.facts["signature_scheme"] = session.signature_scheme or None
        else:
            h.facts["psk_identity"] = identity.identity
        if h.note is not None:
            rule = "the first that we know, and may use here"
            h.note(("decision", "psk", range(len(offered.identities)), (), index, rule, refused))
        return Resumed(index, session, schedule, with_dhe, age_error, offered.binders[index])
    if h.note is not None:
        rule = "none of the client's keys is known or usable here"
        h.note(("decision", "psk", range(len(offered.identities)), (), None, rule, refused))
    return None


def ranked_identities(
    keys: KnownKeys, identities: tuple[ext.PskIdentity, ...]
) -> list[tuple[int, ext.PskIdentity]]:
    """Tickets in the client's order, then external keys in ours; each with its index."""
    found = list(enumerate(identities[:MAX_IDENTITIES_TRIED]))
    if keys.external:
        rank = {psk.identity: place for place, psk in enumerate(keys.external)}
        found.sort(key=lambda item: rank.get(item[1].identity, -1))
    return found


def find_psk(
    h: Handshake, config: ServerConfig, identity: ext.PskIdentity, suite: Suite, keys: KnownKeys
) -> tuple[Session | None, Secret, bytes, float] | str:
    """A ticket of ours or an external key by that name; or why it cannot be used here, "" if unknown."""
    why = ""
    for psk in keys.external:
        if psk.identity == identity.identity:
            if psk.role == "client":
                refuse(Reason.SELFIE)
            if psk.hash != suite.hash.name:
                why = _OTHER_HASH
                continue
            return None, psk.secret, b"imp binder" if psk.imported else b"ext binder", 0.0
    ticket = keys.ticket(identity.identity)
    if ticket is None:
        return why
    now = config.now()
    session = ticket.session
    why = unusable(h, config, ticket, 0x0304, now) or (
        "" if same_hash(session.cipher_suite, suite) else _OTHER_HASH
    )
    if why:
        return why
    client_age = ((identity.obfuscated_ticket_age - ticket.age_add) & 0xFFFFFFFF) / 1000
    return session, ticket.secret, b"res binder", client_age - (now - ticket.issued_at / 1000)


def same_hash(code: int, suite: Suite) -> bool:
    """Whether the suite `code` has the hash of `suite` (RFC 8446 section 4.2.11)."""
    known = SUITES.get(code)
    return known is not None and known.hash is suite.hash


def early_data_refusal(
    h: Handshake,
    config: ServerConfig,
    hello: ClientHello,
    psk: Resumed | None,
    suite: Suite,
    *,
    retried: bool,
) -> str | None:
    """Why early data is not taken; None if it is (RFC 8446 sections 4.2.10 and 8)."""
    if X.early_data not in hello.extensions:
        return "none was offered"
    h.facts["early_data"] = "refused"
    why = None
    if not config.max_early_data or config.replay_guard is None:
        why = "the server takes none"
    elif retried:
        why = "there was a HelloRetryRequest"
    elif psk is None or psk.session is None or psk.index != 0:  # or it came with no key at all
        why = "its key was not chosen"
    elif not psk.session.max_early_data:
        why = "the ticket does not allow it"
    elif psk.session.cipher_suite != suite.code:
        why = "another cipher suite"
    elif psk.session.alpn != (h.facts.get("alpn") or "").encode("latin-1"):
        why = "another application protocol"
    elif abs(psk.age_error) > config.early_data_window:
        why = f"the ticket's age is off by {psk.age_error:.0f} s"
    elif config.client_auth != "none":
        why = "a client certificate is asked for"
    elif not config.replay_guard.first_time(hashlib.sha256(psk.binder).digest(), config.now()):
        why = "it was seen before, or might have been"
    if h.note is not None:
        rule = why or "every rule of RFC 8446 4.2.10 and 8 holds"
        h.note(("decision", "early_data", (), (), "refused" if why else "accepted", rule))
    return why


def issue_tickets(
    h: Handshake, config: ServerConfig, resumption: Secret, psk: Resumed | None, count: int
) -> None:
    """NewSessionTicket, `count` times (RFC 8446 section 4.6.1)."""
    suite = h.suite
    if suite is None or not count:
        return
    note, random, seal = h.note, config.random, config.issuer.seal
    extensions: ExtensionMap = {}
    if h.policy.grease:
        extensions[GREASE_VALUES[random(1)[0] & 15]] = b""  # RFC 8701 section 4
    if config.max_early_data:
        extensions[X.early_data] = ext.MaxEarlyDataSize(config.max_early_data).encode()
    content = ticket_content(h, config, 0x0304, suite, max_early_data=config.max_early_data)
    ticket = NewSessionTicket(config.ticket_lifetime, 0, b"", b"", extensions)
    masks = unpack(f">{count}I", random(4 * count))
    nonces = [bytes((number,)) for number in range(count)]
    secrets = resumption_psks(suite.hash, resumption, nonces)
    for nonce, mask, secret in zip(nonces, masks, secrets, strict=True):
        ticket.ticket_nonce = nonce
        ticket.ticket_age_add = content.age_add = mask
        content.secret = secret
        if note is not None:
            note(("ticket key", secret, resumption, nonce))
        ticket.ticket = seal(content.encode())
        raw = ticket.to_handshake()
        h.write.queue(22, raw)
        if note is not None:
            note(("message", True, h.write.protection.epoch, raw))
