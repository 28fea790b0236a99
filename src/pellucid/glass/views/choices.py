"""What there was to choose from: read off the messages, and off the configurations where a trace has them.

RFC 8446 sections 4.1.1, 4.2 and 4.4.2; RFC 5246 section 7.4; the RFCs of the extensions named below. The
connection notes its choices as it makes them, and gives away only what it has at hand; what the other end
offered stands in that end's messages, and what an end would have taken in its configuration. Nothing is
guessed: what neither tells is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pellucid.crypto.suites import SUITES, legacy_suites
from pellucid.glass.decode import CERTIFICATES, Message, Reader, chain_of
from pellucid.glass.trace import Trace
from pellucid.wire import messages as m
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.codepoints import HandshakeType as T
from pellucid.wire.codepoints import is_grease

TLS13 = 0x0304
#: Signals that stand among the cipher suites and are none (RFC 5746 3.3, RFC 7507 2).
_SIGNALS = frozenset({0x00FF, 0x5600})
Values = tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice: what was offered, what the chooser would have taken, what came out, by which rule."""

    at: float
    chosen: Any
    offered: Values
    acceptable: Values
    rule: str


class Ground:
    """What the choices of one connection were made on: its messages, its ends' configurations.

    Attributes:
        reader: of the trace.
        hellos: the ClientHello; two of them after a HelloRetryRequest.
        retry, server_hello, answers, request: the HelloRetryRequest, the ServerHello, the message that
            answers the client's extensions, the CertificateRequest.
        shown: role: its Certificate message.
        proof: role: the message with its signature.
        settings: role: its configuration.
    """

    def __init__(self, trace: Trace, other: Trace | None = None) -> None:
        self.reader = reader = Reader(trace)
        self.hellos: list[Message] = []
        self.retry: Message | None = None
        self.server_hello: Message | None = None
        self.answers: Message | None = None
        self.request: Message | None = None
        self.status: Message | None = None
        self.shown: dict[str, Message] = {}
        self.proof: dict[str, Message] = {}
        for fact in trace.of("message"):
            self._sort(reader.message(fact))
        if other is not None:
            theirs = Reader(other)
            for fact in other.of("message"):  # what was sent, and no more heard
                self._complete(theirs.message(fact))
        self.settings: dict[str, dict[str, Any] | None] = {"client": None, "server": None}
        for one in (other, trace):
            for fact in one.of("config") if one is not None else ():
                found = fact.fields.get("settings")
                if one is not None and isinstance(found, dict):
                    self.settings[one.role] = found

    def _sort(self, message: Message) -> None:
        if message.body is None:
            return
        if message.type == T.client_hello:
            self.hellos.append(message)
        elif message.name == "HelloRetryRequest":
            self.retry = message
        elif message.type == T.server_hello:
            self.server_hello = message
            self.answers = None if self.tls13 else message
        elif message.type == T.encrypted_extensions:
            self.answers = self.answers or message
        elif message.type == T.certificate_request:
            self.request = self.request or message
        elif message.type in CERTIFICATES:
            self.shown.setdefault(message.sender, message)
        elif message.type in (T.certificate_verify, T.server_key_exchange):
            self.proof.setdefault(message.sender, message)
        elif message.type == T.certificate_status:
            self.status = message

    def _complete(self, message: Message) -> None:
        hello = message.type in (T.client_hello, T.server_hello)
        if not hello or not self.hellos:
            self._sort(message)

    @property
    def tls13(self) -> bool:
        """Whether the version is TLS 1.3."""
        return self.reader.version == TLS13

    def offer(self, kind: int) -> Any:
        """An extension of the (last) ClientHello, decoded; None where it is absent."""
        return self.reader.extension(self.hellos[-1], kind) if self.hellos else None

    def offers(self, kind: int) -> bool:
        """Whether the ClientHello has this extension."""
        return bool(self.hellos) and kind in self.hellos[-1].body.extensions

    def answer(self, kind: int) -> Any:
        """The server's answer to an extension, decoded; None where it gave none."""
        return self.reader.extension(self.answers, kind) if self.answers is not None else None

    def answered(self, kind: int) -> bool:
        """Whether the server answered an extension."""
        return self.answers is not None and kind in self.answers.body.extensions

    def setting(self, role: str, name: str) -> Any:
        """A value of an end's configuration; None where the trace does not have it."""
        return (self.settings[role] or {}).get(name)

    def policy(self, role: str, name: str) -> Any:
        """A value of an end's policy; None where the trace does not have it."""
        found = self.setting(role, "policy")
        return found.get(name) if isinstance(found, dict) else None

    def suites(self) -> Values:
        """The cipher suites of the server's policy that go with its versions."""
        codes, versions = self.policy("server", "cipher_suites"), self.policy("server", "versions")
        if codes is None or versions is None:
            return None
        return tuple(code for code in codes if (TLS13 if code >> 8 == 0x13 else 0x0303) in versions)

    @property
    def resumed12(self) -> bool:
        """Whether this is a session of TLS 1.2 or older that goes on (RFC 5246 7.3)."""
        found = _resumption(self)
        return found is not None and found.chosen is True

    @property
    def suite(self) -> Any:
        """The suite that was chosen; None before."""
        return (SUITES | legacy_suites()).get(self.reader.suite)


# -- each choice ---------------------------------------------------------------------------------------


def _listed(body: Any) -> Values:
    """The values of an extension that is one list, without the noise of RFC 8701."""
    if body is None:
        return None
    values: tuple[int, ...] = getattr(body, next(iter(type(body).fields)))
    return tuple(value for value in values if not is_grease(value))


def _version(g: Ground) -> Choice | None:
    if not g.hellos:
        return None
    hello = g.hellos[0]
    offered = _listed(g.reader.extension(hello, X.supported_versions)) or (hello.body.legacy_version,)
    at = (g.server_hello or hello).at
    return Choice(at, g.reader.version or None, offered, g.policy("server", "versions"), "")


def _cipher_suite(g: Ground) -> Choice | None:
    if not g.hellos:
        return None
    hello = g.hellos[-1]
    offered = tuple(code for code in hello.body.cipher_suites if code not in _SIGNALS and not is_grease(code))
    at = (g.server_hello or hello).at
    return Choice(at, g.reader.suite or None, offered, g.suites(), "")


def _group(g: Ground) -> Choice | None:
    offered = _listed(g.offer(X.supported_groups))
    if offered is None:
        return None
    chosen, at = None, g.hellos[-1].at
    share = g.reader.extension(g.server_hello, X.key_share) if g.server_hello is not None else None
    if g.tls13 and g.server_hello is not None and share is not None:
        chosen, at = share.server_share.group, g.server_hello.at
    elif isinstance(getattr(g.proof.get("server"), "body", None), m.ServerKeyExchangeECDHE):
        chosen, at = g.proof["server"].body.params.namedcurve, g.proof["server"].at
    if chosen is None and g.server_hello is not None:
        return None  # static RSA, a key from before: no group was wanted
    return Choice(at, chosen, offered, g.policy("server", "groups"), "")


def _scheme(role: str) -> Callable[[Ground], Choice | None]:
    def read(g: Ground) -> Choice | None:
        proof = g.proof.get(role)
        if proof is None or not hasattr(proof.body, "algorithm"):
            return None
        if role == "server":
            offered = _listed(g.offer(X.signature_algorithms))
        elif g.request is None:
            offered = None
        elif isinstance(g.request.body, m.CertificateRequest12):
            offered = tuple(g.request.body.supported_signature_algorithms)
        else:
            offered = _listed(g.reader.extension(g.request, X.signature_algorithms))
        acceptable = g.policy(role, "signature_schemes")
        rule = "its first that fits the key and that the other end takes" if acceptable is not None else ""
        return Choice(proof.at, proof.body.algorithm, offered, acceptable, rule)

    return read


def _alpn(g: Ground) -> Choice | None:
    offered = g.offer(X.application_layer_protocol_negotiation)
    if offered is None:
        return None
    names = tuple(one.decode("latin-1") for one in offered.protocol_name_list)
    known = g.setting("server", "alpn")
    taken = g.answer(X.application_layer_protocol_negotiation)
    chosen = taken.protocol_name_list[0].decode("latin-1") if taken is not None else None
    if chosen is None and g.answers is None and g.settings["server"] is None:
        return None
    rule = "" if chosen else "the server names none: it has no list of its own"
    return Choice((g.answers or g.hellos[-1]).at, chosen, names, known, rule)


def _flag(g: Ground, kind: int, can: bool | None, *, twelve: bool = True) -> Choice | None:
    """An extension that is offered and answered, or is not; False and True are what can be chosen."""
    if g.answers is None or (twelve and g.tls13):
        return None
    taken = g.answered(kind)
    offered = (True,) if g.offers(kind) else ()
    acceptable = None if can is None else (True,) if can else ()
    rule = "the client offers it, and the server agrees" if taken else ""
    return Choice(g.answers.at, taken, offered, acceptable, rule)


def _extended_master_secret(g: Ground) -> Choice | None:
    return _flag(g, X.extended_master_secret, True if g.settings["server"] is not None else None)


def _encrypt_then_mac(g: Ground) -> Choice | None:
    suite = g.suite
    if not g.offers(X.encrypt_then_mac) or suite is None:
        return None
    if suite.cbc is None and not g.tls13 and g.answers is not None:
        rule = "the cipher suite encrypts and authenticates in one (AEAD)"
        return Choice(g.answers.at, False, (True,), (), rule)
    return _flag(g, X.encrypt_then_mac, g.policy("server", "encrypt_then_mac"))


def _session_ticket(g: Ground) -> Choice | None:
    able = g.settings["server"] is not None and bool(g.setting("server", "tickets"))
    return _flag(g, X.session_ticket, able if g.settings["server"] is not None else None)


def _resumption(g: Ground) -> Choice | None:
    """RFC 5246 7.3, RFC 5077 3.1: a session id of before, or a ticket."""
    if g.tls13 or g.server_hello is None or not g.hellos:
        return None
    hello = g.hellos[0].body
    ticket = hello.extensions.get(X.session_ticket)
    if not ticket and (not hello.legacy_session_id or g.offers(X.supported_versions)):
        return None
    resumed = (
        bool(hello.legacy_session_id)
        and hello.legacy_session_id == g.server_hello.body.legacy_session_id_echo
    )
    rule = (
        "the server echoed the session id"
        if resumed
        else "the server does not know the session, or wants a new one"
    )
    return Choice(g.server_hello.at, resumed, (True,), (True,) if resumed else None, rule)


def _psk(g: Ground) -> Choice | None:
    offered = g.offer(X.pre_shared_key)
    if offered is None or g.server_hello is None or not g.tls13:
        return None
    taken = g.reader.extension(g.server_hello, X.pre_shared_key)
    chosen = None if taken is None else taken.selected_identity
    rule = "the server takes none of them" if chosen is None else "the server's choice"
    usable = () if chosen is None else (chosen,)
    return Choice(g.server_hello.at, chosen, tuple(range(len(offered.identities))), usable, rule)


def _early_data(g: Ground) -> Choice | None:
    if not g.hellos or X.early_data not in g.hellos[0].body.extensions or not g.tls13 or g.answers is None:
        return None
    most = g.setting("server", "max_early_data")
    taken = g.answered(X.early_data)
    rule = "the server took it" if taken else "the server did not take it, and need not say why"
    if g.retry is not None:
        rule = "a HelloRetryRequest ends early data (RFC 8446 4.1.2)"
    return Choice(g.answers.at, taken, (True,), None if most is None else (True,) if most else (), rule)


def _retry(g: Ground) -> Choice | None:
    if g.retry is None or not g.hellos:
        return None
    wanted = g.reader.extension(g.retry, X.key_share)
    shares = g.reader.extension(g.hellos[0], X.key_share)
    sent = tuple(one.group for one in shares.client_shares) if shares is not None else ()
    if wanted is None:
        rule = "the groups fit; the server wants its cookie back"
        return Choice(g.retry.at, None, sent, g.policy("server", "groups"), rule)
    rule = "the client knows the group, and sent no key of it"
    return Choice(g.retry.at, wanted.selected_group, sent, g.policy("server", "groups"), rule)


def _record_size(g: Ground) -> Choice | None:
    """RFC 8449 4: no choice between the two, each is told how much the other takes."""
    offered = g.offer(X.record_size_limit)
    if offered is None or g.answers is None:
        return None
    answer = g.answer(X.record_size_limit)
    limits = (offered.record_size_limit,)
    if answer is None:
        return Choice(g.answers.at, None, limits, None, "the server does not know the extension")
    rule = "each end keeps to what the other one takes"
    chosen = f"{limits[0]} bytes to the client, {answer.record_size_limit} bytes to the server"
    return Choice(g.answers.at, chosen, limits, (answer.record_size_limit,), rule)


def _fragment(g: Ground) -> Choice | None:
    offered = g.offer(X.max_fragment_length)
    if offered is None or g.answers is None:
        return None
    answer = g.answer(X.max_fragment_length)
    chosen = None if answer is None else answer.max_fragment_length
    rule = (
        "the server does not know the extension, or heeds record_size_limit"
        if answer is None
        else "as the client asks"
    )
    return Choice(g.answers.at, chosen, (offered.max_fragment_length,), None, rule)


def _types(kind: int, role: str) -> Callable[[Ground], Choice | None]:
    def read(g: Ground) -> Choice | None:
        offered = g.offer(kind)
        if offered is None or g.answers is None:
            return None
        answer = g.answer(kind)
        chosen = 0 if answer is None else answer.certificate_type
        rule = (
            "the server says nothing, which means X.509"
            if answer is None
            else "the server's first that the client takes"
        )
        acceptable = g.setting("server", f"{role}_certificate_types")
        return Choice(g.answers.at, chosen, tuple(offered.certificate_types), acceptable, rule)

    return read


def _compression(g: Ground) -> Choice | None:
    shown = g.shown.get("server")
    offered = g.offer(X.compress_certificate)
    if shown is None or offered is None:
        return None
    packed = isinstance(shown.body, m.CompressedCertificate)
    chosen = shown.body.algorithm if packed else None
    ours = g.policy("server", "certificate_compression")
    rule = "the server's first that the client unpacks" if packed else "the server sent it as it is"
    above = g.policy("server", "compress_above")
    if not packed and above is not None and len(shown.raw) - 4 <= above:
        rule = f"the server leaves {above:,} bytes and fewer as they are"
    return Choice(shown.at, chosen, tuple(offered.algorithms), ours, rule)


def _stapling(g: Ground) -> Choice | None:
    if not g.offers(X.status_request) or "server" not in g.shown:
        return None
    body = g.shown["server"].body
    entries = body.certificate_list if isinstance(body, m.Certificate) else ()
    stapled = g.status is not None or any(X.status_request in one.extensions for one in entries)
    identities = g.setting("server", "identities")
    has = None if identities is None else _has_staple(identities, chain_of(g.shown["server"])[:1])
    if stapled:
        rule = "the client asks for it, and the server has it"
    else:
        rule = "the server has no OCSP response" if has is False else "the server sent none"
    return Choice(
        g.shown["server"].at, stapled, (True,), None if has is None else (True,) if has else (), rule
    )


def _has_staple(identities: Any, leaf: tuple[bytes, ...]) -> bool:
    """Whether the identity of this certificate has an OCSP response."""
    plain = (one for one in identities if isinstance(one, dict))
    return any(one.get("ocsp") for one in plain if tuple(one.get("identity") or ())[:1] == leaf)


def _client_auth(g: Ground) -> Choice | None:
    wanted = g.setting("server", "client_auth")
    if g.request is None and (wanted is None or g.server_hello is None or "server" not in g.shown):
        return None
    asked = g.request is not None
    at = g.request.at if g.request is not None else g.shown["server"].at
    rules = {
        "require": "the server is set to require one",
        "request": "the server is set to ask, and to go on without",
        "none": "the server is set to ask for none",
    }
    rule = rules.get(str(wanted), "the server asks" if asked else "the server does not ask")
    return Choice(at, asked, None, (asked,), rule)


#: what: how it is read. In this order the choices are made.
READ: dict[str, Callable[[Ground], Choice | None]] = {
    "version": _version,
    "cipher_suite": _cipher_suite,
    "retry": _retry,
    "psk": _psk,
    "resumption": _resumption,
    "group": _group,
    "early_data": _early_data,
    "alpn": _alpn,
    "extended_master_secret": _extended_master_secret,
    "encrypt_then_mac": _encrypt_then_mac,
    "record_size_limit": _record_size,
    "max_fragment_length": _fragment,
    "session_ticket": _session_ticket,
    "server_certificate_type": _types(X.server_certificate_type, "server"),
    "client_certificate_type": _types(X.client_certificate_type, "client"),
    "client_auth": _client_auth,
    "certificate_compression": _compression,
    "stapling": _stapling,
    "signature_scheme": _scheme("server"),
    "client_signature_scheme": _scheme("client"),
}


def read(ground: Ground) -> Iterator[tuple[str, Choice]]:
    """Every choice that the messages and configurations tell of."""
    for what, reader in READ.items():
        found = reader(ground)
        if found is not None:
            yield what, found
