"""What may follow the handshake.

RFC 8446 sections 4.6.1 (tickets), 4.6.2 (post-handshake authentication), 4.6.3 (KeyUpdate);
RFC 5246 section 7.4.1.1 (HelloRequest) and RFC 5746 section 4.5: renegotiation is always refused.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pellucid.config import ClientConfig, ServerConfig
from pellucid.crypto.schedule13 import TrafficSecret, resumption_psk
from pellucid.crypto.suites import Hash
from pellucid.errors import Reason, UsageError, refuse
from pellucid.events import KeysUpdated, PeerAuthenticated
from pellucid.handshake.context import Handshake, Steps, Transcript
from pellucid.handshake.offer import keep_session
from pellucid.limits import MAX_HELLO_REQUESTS, MAX_KEY_UPDATES, MAX_TICKET_LIFETIME, MAX_TICKETS_RECEIVED
from pellucid.protection import APPLICATION, HANDSHAKE, Opening13, Sealing13
from pellucid.resumption.sessions import FORMAT, Session
from pellucid.secret import Secret
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert, AlertLevel, HandshakeType
from pellucid.wire.messages import CertificateRequest, Finished, HelloRequest, KeyUpdate, NewSessionTicket

if TYPE_CHECKING:
    from pellucid.info import ConnectionInfo
    from pellucid.machine import Machine


def after_handshake(conn: Machine, raw: bytes) -> None:
    """One handshake message after the handshake."""
    react = AFTER_HANDSHAKE[conn.client, conn._version == 0x0304].get(raw[0])
    if react is None:
        refuse(Reason.UNEXPECTED_MESSAGE, f"{HandshakeType.name_of(raw[0], 2)} after the handshake")
    react(conn, raw)


def on_certificate_request(conn: Machine, raw: bytes) -> None:
    """RFC 8446 section 4.6.2."""
    if conn._pha is None:
        refuse(Reason.UNEXPECTED_MESSAGE, "certificate_request, and post_handshake_auth was not offered")
    request = CertificateRequest.decode(raw[4:])
    request.raw = raw
    conn._begin(authenticate_later(conn._pha, request))


def on_hello_request(conn: Machine, raw: bytes) -> None:
    """RFC 5246 section 7.4.1.1."""
    HelloRequest.decode(raw[4:])
    refuse_renegotiation(conn)


def on_client_hello(conn: Machine, raw: bytes) -> None:
    """RFC 5746 section 4.5."""
    refuse(Reason.RENEGOTIATION_REFUSED)


def refuse_renegotiation(conn: Machine) -> None:
    """No, once politely (RFC 5246 section 7.4.1.1); then the connection ends."""
    wanted = conn._config.policy.hello_requests
    if wanted == "refuse":
        refuse(Reason.RENEGOTIATION_REFUSED)
    conn._requests_refused += 1
    if conn._requests_refused > MAX_HELLO_REQUESTS:
        refuse(Reason.TOO_MANY_HELLO_REQUESTS)
    if wanted == "ignore":
        return
    conn._send_alert(AlertLevel.warning, Alert.no_renegotiation)


# -- KeyUpdate ---------------------------------------------------------------------------------------


def on_key_update(conn: Machine, raw: bytes) -> None:
    """The peer changes its keys, and may ask us to change ours (RFC 8446 section 4.6.3)."""
    message = KeyUpdate.decode(raw, 4)
    if message.request_update > 1:
        refuse(Reason.BAD_KEY_UPDATE, f"request_update is {message.request_update}")
    conn._count(Reason.TOO_MANY_KEY_UPDATES, MAX_KEY_UPDATES)
    if conn._fragments:
        refuse(Reason.EXCESS_HANDSHAKE_DATA, f"{len(conn._fragments)} bytes behind a KeyUpdate")
    if conn._read_secret is None:
        raise UsageError(Reason.INTERNAL)
    suite = conn.suite
    traffic = TrafficSecret(suite.hash, conn._read_secret).next()
    old = conn._read.protection
    opening = Opening13(suite.aead, traffic, old.epoch + 1)  # type: ignore[arg-type]
    opening.max_inner = old.max_inner  # type: ignore[attr-defined]
    conn._read.protection = opening
    if conn._note is not None:
        tell_next_secret(conn, opening.epoch, traffic.secret, sent=False)
        conn._note(("traffic keys", False, opening.epoch, suite, traffic.secret))
    conn._read_secret = traffic.secret
    if message.request_update and not conn._write_closed:
        conn._key_update_owed = True  # the writing half answers, once, when it next writes
    conn._events.append(KeysUpdated())


def tell_next_secret(conn: Machine, epoch: int, secret: Secret, *, sent: bool) -> None:
    """The traffic secret after a KeyUpdate (RFC 8446 section 7.2), told to whoever looks."""
    old = conn._write_secret if sent else conn._read_secret
    side, number = "client" if conn.client is sent else "server", epoch - APPLICATION
    if conn._note is not None:
        conn._note(("updated secret", side, number, secret, old))


def update_keys(conn: Machine, *, request: bool) -> None:
    """Send KeyUpdate and go on under the next keys."""
    conn._key_update_owed = False
    if conn._write_secret is None or conn._write_closed:
        return
    raw = KeyUpdate(int(request)).to_handshake()
    conn._write.ahead(HANDSHAKE, raw)
    suite = conn.suite
    traffic = TrafficSecret(suite.hash, conn._write_secret).next()
    epoch = conn._write.protection.epoch
    if conn._note is not None:
        conn._note(("message", True, epoch, raw))
        tell_next_secret(conn, epoch + 1, traffic.secret, sent=True)
        conn._note(("traffic keys", True, epoch + 1, suite, traffic.secret))
    padding = conn._write.padding(conn._config.policy.padding)
    conn._write.protection = Sealing13(suite.aead, traffic, epoch + 1, padding)  # type: ignore[arg-type]
    conn._write_secret = traffic.secret


# -- NewSessionTicket --------------------------------------------------------------------------------


def on_ticket(conn: Machine, raw: bytes) -> None:
    """A ticket becomes a session (RFC 8446 section 4.6.1)."""
    message = NewSessionTicket.decode(raw, 4)
    conn._count(Reason.TOO_MANY_TICKETS, MAX_TICKETS_RECEIVED)
    early = 0
    for kind, body in message.extensions.items():
        if kind == X.early_data:
            early = ext.MaxEarlyDataSize.decode(body).max_early_data_size
        elif kind in ext.NEVER_IN[ext.NST]:
            refuse(Reason.EXTENSION_NOT_ALLOWED, f"{X.name_of(kind)} in a NewSessionTicket")
    if message.ticket_lifetime > MAX_TICKET_LIFETIME:
        refuse(Reason.BAD_TICKET, f"a lifetime of {message.ticket_lifetime} s is over seven days")
    if not message.ticket_lifetime:
        return  # RFC 8446 4.6.1: to be discarded at once
    hash, resumption, binding = conn._resumption
    now = int(conn._config.now() * 1000)
    make = partial(session_of, message, conn.info, hash, resumption, binding, now, early)
    if conn._note is not None:
        conn._note(("ticket", hash, resumption, message.ticket_nonce))
    keep_session(conn, make)


def session_of(
    ticket: NewSessionTicket,
    info: ConnectionInfo,
    hash: Hash,
    resumption: Secret,
    binding: bytes,
    now: int,
    early: int,
) -> Session:
    """The session of a ticket that came at `now`, and its key (RFC 8446 section 4.6.1)."""
    return Session(
        FORMAT,
        0x0304,
        info.cipher_suite,
        resumption_psk(hash, resumption, ticket.ticket_nonce),
        ticket.ticket,
        now,
        ticket.ticket_lifetime,
        ticket.ticket_age_add,
        early,
        1,
        0,
        info.group or 0,
        info.signature_scheme or 0,
        (info.server_name or "").encode(),
        (info.alpn or "").encode("latin-1"),
        binding,
        b"",
        info.peer_chain,
        info.verified_chain,
        info.ocsp_response or b"",
        info.scts,
        b"",
        info.peer_public_key or b"",
    )


# -- post-handshake authentication -------------------------------------------------------------------


def authenticate_later(h: Handshake, request: CertificateRequest) -> Steps:
    """Client: the server asks for our certificate now (RFC 8446 section 4.6.2)."""
    from pellucid.handshake.client13 import check_certificate_request, client_authentication

    if not request.certificate_request_context:
        refuse(Reason.DECODE_ERROR, "a request after the handshake needs a context")
    check_certificate_request(request, request.certificate_request_context)
    config, conn = h.config, h.conn
    if not isinstance(config, ClientConfig) or conn._write_secret is None:
        raise UsageError(Reason.INTERNAL)
    later = context_of(h, request.raw)
    yield from client_authentication(later, config, request)
    traffic = TrafficSecret(conn.suite.hash, conn._write_secret)
    later.send(Finished(traffic.finished(later.transcript.digest())))


class LaterWriting:
    """What the reading half has to say after the handshake, left for the writing half to seal."""

    __slots__ = ("_said", "_write")

    def __init__(self, conn: Machine) -> None:
        self._said = conn._said
        self._write = conn._write

    def queue(self, content_type: int, data: bytes) -> None:
        """See `WriteHalf.queue`."""
        self._said.append((content_type, data))

    @property
    def protection(self) -> Any:
        """The present keys."""
        return self._write.protection


def context_of(h: Handshake, request: bytes) -> Handshake:
    """A handshake of its own, whose transcript goes on from the main one's end."""
    later = type(h)(h.conn, h.config, h.name)
    later.write = LaterWriting(h.conn)  # type: ignore[assignment]
    later.suite = h.suite
    later.certificate_types = h.certificate_types
    transcript: Transcript = h.transcript.copy()
    transcript.add(request)
    later.transcript = transcript
    return later


def request_certificate(conn: Machine, *, required: bool | None = None) -> None:
    """Server: ask for the client's certificate now; None leaves it to the configuration who needs one."""
    h: Handshake | None = conn._pha
    if h is None or conn._steps is not None:
        raise UsageError(
            Reason.NOT_CONNECTED, "post-handshake authentication was not agreed on, or is under way"
        )
    conn._begin(await_certificate(h, required))


def await_certificate(h: Handshake, required: bool | None) -> Any:
    """Server: CertificateRequest, then the client's answer."""
    from pellucid.handshake.server13 import EXPECT_FINISHED, client_authentication, send_certificate_request

    config, conn = h.config, h.conn
    if not isinstance(config, ServerConfig) or conn._read_secret is None:
        raise UsageError(Reason.INTERNAL)
    if required is not None:
        config = config.replace(client_auth="require" if required else "request")
    context = config.random(16)
    later = context_of(h, b"")
    before = later.write.protection.epoch
    if before < APPLICATION:
        raise UsageError(Reason.NOT_CONNECTED)
    send_certificate_request(later, config, context)
    yield from client_authentication(later, config, context)
    finished: Finished = yield EXPECT_FINISHED
    traffic = TrafficSecret(conn.suite.hash, conn._read_secret)
    if not hmac.compare_digest(traffic.finished(later.transcript.digest()), finished.verify_data):
        refuse(Reason.BAD_FINISHED, "the client's, after the handshake")
    chain = conn._facts.get("peer_chain", ())
    conn._refresh_info()
    conn._events.append(PeerAuthenticated(chain))


#: What may come after the handshake, by (we are the client, TLS 1.3), and who looks after it.
AFTER_HANDSHAKE: dict[tuple[bool, bool], dict[int, Callable[[Machine, bytes], None]]] = {
    (True, True): {
        HandshakeType.new_session_ticket: on_ticket,
        HandshakeType.certificate_request: on_certificate_request,
        HandshakeType.key_update: on_key_update,
    },
    (False, True): {HandshakeType.key_update: on_key_update},
    (True, False): {HandshakeType.hello_request: on_hello_request},
    (False, False): {HandshakeType.client_hello: on_client_hello},
}
