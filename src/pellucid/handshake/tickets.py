"""What a server puts into its tickets, in both versions: all that it need not remember itself.

RFC 8446 section 4.6.1; RFC 5077 section 4; RFC 7627 section 5.3.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from pellucid.config import ServerConfig
from pellucid.crypto.suites import Suite
from pellucid.resumption.sessions import FORMAT, TICKET_FORMAT, Session, Ticket, TicketContent

if TYPE_CHECKING:
    from pellucid.handshake.context import Handshake


def server_binding(config: ServerConfig) -> bytes:
    """A ticket is good only under the same rules about clients."""
    known: bytes | None = config.cache.get("binding")
    if known is None:
        judge = config.client_trust.fingerprint if config.client_trust is not None else b""
        known = hashlib.sha256(config.client_auth.encode() + b"|" + judge).digest()[:16]
        config.cache["binding"] = known
    return known


def unusable(h: Handshake, config: ServerConfig, ticket: Ticket, version: int, now: float) -> str:
    """Why a ticket of ours may not be resumed here; "" where it may (RFC 8446 4.2.11 and 4.6.1, RFC 6066 3).

    What only one version asks for, that version's handshake adds. The words are constants, and cost nothing.
    """
    session = ticket.session
    if session.version != version:
        return "it is of another version of TLS"
    if ticket.expired(now):
        return "it is too old: its lifetime is over"
    if session.server_name != (h.name or "").encode():
        return "it was issued under another server name"
    if not config.resume_across_alpn and session.alpn != (h.facts.get("alpn") or "").encode("latin-1"):
        return "it was issued under another application protocol"
    if session.binding != server_binding(config):
        return "it was issued under other rules about clients"
    if config.client_auth == "require" and not (session.peer_chain or session.peer_public_key):
        return "its client showed no certificate, and one is required"
    return ""


def ticket_content(
    h: Handshake,
    config: ServerConfig,
    version: int,
    suite: Suite,
    *,
    max_early_data: int = 0,
    group: int = 0,
    encrypt_then_mac: bool = False,
) -> TicketContent:
    """A ticket of this connection, but for its secret (and in TLS 1.3 its `age_add`)."""
    facts = h.facts
    chain, key = facts.get("peer_chain", ()), facts.get("peer_public_key") or b""
    encode = encoded_session if chain or key else _kept_session  # who a client is, is not kept
    session = encode(
        version,
        suite.code,
        config.ticket_lifetime,
        max_early_data,
        bool(facts.get("extended_master_secret", True)),
        encrypt_then_mac,
        group,
        facts.get("signature_scheme") or 0,
        h.name or "",
        facts.get("alpn") or "",
        server_binding(config),
        chain,
        facts.get("verified_chain", ()),
        key,
    )
    return TicketContent(TICKET_FORMAT, b"", 0, int(config.now() * 1000), session)


def encoded_session(
    version: int,
    suite: int,
    lifetime: int,
    max_early_data: int,
    extended: bool,
    encrypt_then_mac: bool,
    group: int,
    scheme: int,
    name: str,
    alpn: str,
    binding: bytes,
    peer_chain: tuple[bytes, ...],
    verified_chain: tuple[bytes, ...],
    peer_public_key: bytes,
) -> bytes:
    """A session for `TicketContent.session`, which has the secret, the age and its mask elsewhere."""
    return Session(
        FORMAT, version, suite, b"\0", b"", 0, lifetime, 0, max_early_data, int(extended),
        int(encrypt_then_mac), group, scheme, name.encode(), alpn.encode("latin-1"), binding, b"",
        peer_chain, verified_chain, b"", (), b"", peer_public_key,
    ).encode()  # fmt: skip


_kept_session = lru_cache(maxsize=256)(encoded_session)
