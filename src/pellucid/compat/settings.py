"""What a context was told, and the configuration of pellucid that follows from it.

Most settings can be read back from the native context, which stands beside ours and checks every
value as it always did: `options`, `verify_mode`, `minimum_version` and so on. What it does not give
back (certificates with their keys, trusted certificates, ALPN, groups) is recorded in `Settings`.
RFC 8446 section 9.3 and RFC 9325 say what the configuration's own defaults are.
"""

from __future__ import annotations

import _ssl
import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.compat.certificates import load
from pellucid.compat.ciphers import suites_of
from pellucid.compat.judgement import Anchors, Judge, joined, known_subjects, refusing_proxies
from pellucid.config import ClientConfig, Policy, ServerConfig
from pellucid.crypto.suites import SUITES
from pellucid.errors import Reason, UsageError
from pellucid.events import FindPsk, Request, SelectConfig, VerifyPeer
from pellucid.reload import CertificateFiles
from pellucid.resumption.tickets import SessionStore, TicketIssuer, TicketKeys
from pellucid.trust.chain import REMEMBERED
from pellucid.trust.identity import Identity
from pellucid.trust.path import check_signature
from pellucid.trust.verification import Trust

NATIVE: Any = _ssl._SSLContext
"""`_ssl._SSLContext`: the C class whose methods are called for what OpenSSL knows best."""

PROTOCOL, VERIFY_MODE = NATIVE.protocol.__get__, NATIVE.verify_mode.__get__
"""What a context has there, as numbers: the standard properties make an enum's member of each."""

NEVER_CHECK_SUBJECT = 0x20  # X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
STATISTICS = (
    *("number", "connect", "connect_good", "connect_renegotiate", "accept", "accept_good"),
    *("accept_renegotiate", "hits", "misses", "timeouts", "cache_full"),
)


class Settings:
    """What one context was told beyond what the native context gives back.

    Attributes:
        identities: certificates with their keys, by kind of key: as OpenSSL, one of each kind.
        files: where some of them come from, and what was found there last.
        anchors: trusted certificates; `crls` the revocation lists that stood beside them, DER.
        defaults: whether the system's authorities are trusted too.
        folders: `capath`s, read when a chain is first verified.
        deferred: certificates that the native context will be given when it is asked for them.
        defaults_deferred: whether it will then be given the system's authorities too.
        remember: how many verified paths the context's trust remembers; 0: each chain is verified anew.
        alpn: application protocols.
        groups, suites13, schemes: what may be negotiated, if somebody said so.
        client_schemes: what a client signs with.
        ciphers_named: whether `set_ciphers` was called: then old suites may be among them.
        psk_client, psk_server, psk_hint: the callbacks of `set_psk_*_callback`.
        statistics: the counts of `session_stats()`.
        version: counts the changes.
    """

    def __init__(self) -> None:
        self.identities: dict[str, Identity] = {}
        self.files: dict[CertificateFiles, Identity | None] = {}
        self.anchors = Anchors()
        self.crls: set[bytes] = set()
        self.defaults = False
        self.folders: list[str] = []
        self.deferred: list[x509.Certificate] = []
        self.defaults_deferred = False
        self.remember = REMEMBERED
        self.alpn: tuple[str, ...] = ()
        self.groups: tuple[int, ...] = ()
        self.suites13: tuple[int, ...] = ()
        self.schemes: tuple[int, ...] = ()
        self.client_schemes: tuple[int, ...] = ()
        self.ciphers_named = False
        self.psk_client: Callable[[str | None], tuple[str | None, bytes]] | None = None
        self.psk_server: Callable[[str | None], bytes] | None = None
        self.psk_hint = b""
        self.statistics = dict.fromkeys(STATISTICS, 0)
        self.version = 0
        self._issuer: dict[bool, TicketIssuer] = {}
        self._store = SessionStore(single_use=False)
        self._made: dict[Any, Any] = {}

    def changed(self) -> None:
        """Something was set: configurations made before do not count any more."""
        self.version += 1
        self._made.clear()

    def add_identity(self, identity: Identity) -> None:
        """A certificate and its key; an earlier one with the same kind of key is replaced."""
        self.identities.pop(identity.kind, None)
        self.identities[identity.kind] = identity
        self.changed()

    def renew(self) -> None:
        """A connection begins: it gets the certificates that are in the files now."""
        for files, before in tuple(self.files.items()):
            now = files.identity
            if now is before:
                continue
            self.files[files] = now
            if before is not None and self.identities.get(before.kind) is before:
                del self.identities[before.kind]
            self.add_identity(now)

    def show(self, context: Any, anchor: bytes) -> None:
        """Let `get_ca_certs()` list an authority of a folder, as OpenSSL does once it was of use."""
        if anchor not in context.get_ca_certs(True):
            NATIVE.load_verify_locations(context, None, None, anchor)

    def issuer(self, *, stateful: bool) -> TicketIssuer:
        """What seals this context's tickets: the same for all its connections."""
        found = self._issuer.get(stateful)
        if found is None:
            made: TicketIssuer = SessionStore() if stateful else TicketKeys()
            found = self._issuer.setdefault(stateful, made)
        return found

    def remembered(self, key: Any, make: Callable[[], Any]) -> Any:
        """The configuration for `key`, made once for as long as nothing changes."""
        found = self._made.get(key)
        if found is None:
            if len(self._made) > 8:
                self._made.clear()
            found = self._made[key] = make()
        return found


def settings_of(context: Any) -> Settings:
    """The settings of a context; for one that is older than `install()`, what can be read of it."""
    found: Settings | None = context.__dict__.get("_pellucid")
    if found is None:
        found = Settings()
        found.anchors = Anchors(map(x509.load_der_x509_certificate, NATIVE.get_ca_certs(context, True)))
        found = context.__dict__.setdefault("_pellucid", found)
    return found


# -- reading a context -----------------------------------------------------------------------------


def versions_of(context: Any) -> tuple[int, ...]:
    """TLS 1.3 and 1.2, as far as protocol, options and the two limits leave them."""
    low, high = int(context.minimum_version), int(context.maximum_version)
    only = {ssl.PROTOCOL_TLSv1_2: (0x0303,), ssl.PROTOCOL_TLSv1_1: (), ssl.PROTOCOL_TLSv1: ()}
    found = []
    for version, off in ((0x0304, ssl.OP_NO_TLSv1_3), (0x0303, ssl.OP_NO_TLSv1_2)):
        allowed = not context.options & off and version in only.get(context.protocol, (version,))
        above = low in (version, int(ssl.TLSVersion.MINIMUM_SUPPORTED)) or 0 <= low <= version
        if low == ssl.TLSVersion.MAXIMUM_SUPPORTED:
            above = version == 0x0304
        if allowed and above and (high == ssl.TLSVersion.MAXIMUM_SUPPORTED or high >= version):
            found.append(version)
    return tuple(found)


def policy_of(context: Any, settings: Settings) -> Policy:
    """What may be negotiated under this context.

    Raises:
        UsageError: nothing may: no version, or no suite, is left.
    """
    versions = versions_of(context)
    if not versions:
        raise UsageError(Reason.UNSUPPORTED_PROTOCOL, "pellucid speaks TLS 1.3 and TLS 1.2; both are off")
    native = suites_of(NATIVE.get_ciphers(context), legacy=settings.ciphers_named)
    suites = (*settings.suites13, *(code for code in native if not (settings.suites13 and _is_13(code))))
    if settings.psk_client is None and settings.psk_server is None:
        suites = tuple(code for code in suites if code not in SUITES or SUITES[code].auth != "PSK")
    changes: dict[str, Any] = {}
    if settings.groups:
        changes["groups"] = settings.groups
    if settings.schemes:
        changes["signature_schemes"] = settings.schemes
    return Policy(
        versions=versions,
        cipher_suites=suites,
        # Who names old suites to `set_ciphers` means them; nobody else gets them.
        legacy=frozenset({"cbc", "static-rsa"} if not set(suites) <= set(SUITES) else ()),
        require_extended_master_secret=False,  # as OpenSSL; tls-unique and exporters still ask for it
        require_secure_renegotiation=not context.options & 0x4,  # OP_LEGACY_SERVER_CONNECT
        encrypt_then_mac=not context.options & 0x80000,  # OP_NO_ENCRYPT_THEN_MAC
        middlebox_compatibility=bool(context.options & 0x100000),  # OP_ENABLE_MIDDLEBOX_COMPAT
        **changes,
    )


def judge_of(context: Any, settings: Settings) -> Judge:
    """Who is believed under this context, and how much of it is asked."""
    parts = [settings.anchors]
    crls = set(settings.crls)
    if settings.defaults:
        parts.append(default_anchors())
    for folder in settings.folders:
        found, lists = read_folder(folder)
        parts.append(found)
        crls.update(lists)
    return Judge(
        joined(*parts),
        tuple(sorted(crls)),
        int(context.verify_flags),
        bool(context.check_hostname),
        not int(getattr(context, "_host_flags", 0)) & NEVER_CHECK_SUBJECT,
        settings.remember,
    )


def client_config(context: Any) -> tuple[ClientConfig, Judge | None]:
    """The configuration of a client's connection, without its session; and who verifies."""
    settings = settings_of(context)
    if settings.files:
        settings.renew()
    key = ("client", settings.version, *_readable(context))

    def make() -> tuple[ClientConfig, Judge | None]:
        refusing_proxies(int(context.verify_flags))
        judge = judge_of(context, settings) if context.verify_mode != ssl.CERT_NONE else None
        ask: set[type[Request]] = set()
        if judge is not None:
            ask.add(VerifyPeer)
        if settings.psk_client is not None:
            ask.add(FindPsk)
        identities = tuple(completed(one, settings.anchors) for one in settings.identities.values())
        if settings.client_schemes:
            identities = tuple(one.replace(schemes=settings.client_schemes) for one in identities)
        config = ClientConfig(
            policy=policy_of(context, settings),
            identities=identities,
            alpn=settings.alpn,
            trust=judge.trust if judge is not None else Trust.insecure(),
            ask=frozenset(ask),
            keylog=key_log(context),
            session_tickets=not context.options & ssl.OP_NO_TICKET,
            post_handshake_auth=bool(getattr(context, "post_handshake_auth", False)),
        )
        return config, judge

    found: tuple[ClientConfig, Judge | None] = settings.remembered(key, make)
    return found


def server_config(context: Any) -> tuple[ServerConfig, Judge | None]:
    """The configuration of a server's connection; and who verifies clients."""
    settings = settings_of(context)
    if settings.files:
        settings.renew()
    key = ("server", settings.version, *_readable(context))

    def make() -> tuple[ServerConfig, Judge | None]:
        refusing_proxies(int(context.verify_flags))
        judge = judge_of(context, settings) if context.verify_mode != ssl.CERT_NONE else None
        ask: set[type[Request]] = {SelectConfig}
        if judge is not None:
            ask.add(VerifyPeer)
        if settings.psk_server is not None:
            ask.add(FindPsk)
        stateful = bool(context.options & ssl.OP_NO_TICKET)
        server_order = context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
        config = ServerConfig(
            policy=policy_of(context, settings),
            identities=tuple(completed(one, settings.anchors) for one in settings.identities.values()),
            alpn=settings.alpn,
            ask=frozenset(ask),
            keylog=key_log(context),
            client_auth=_CLIENT_AUTH[context.verify_mode],
            client_trust=judge.trust if judge is not None else None,
            certificate_authorities=(),
            post_handshake_auth=judge is not None,  # for who asks late
            tickets=int(context.num_tickets),
            ticket_issuer=settings.issuer(stateful=stateful),
            session_ticket_12=not stateful,
            session_cache=settings._store if stateful else None,
            ticket_lifetime=7200,
            psk_identity_hint=settings.psk_hint,
            cipher_preference="server" if server_order else "client",
        )
        return config, judge

    found: tuple[ServerConfig, Judge | None] = settings.remembered(key, make)
    return found


_CLIENT_AUTH = {ssl.CERT_NONE: "none", ssl.CERT_OPTIONAL: "request", ssl.CERT_REQUIRED: "require"}


def completed(identity: Identity, anchors: Anchors) -> Identity:
    """A lone leaf gets the issuers that the context trusts, root included, as OpenSSL sends them."""
    if len(identity.chain) != 1 or not anchors:
        return identity
    known = known_subjects(anchors)
    path = [load(identity.chain[0])]
    while path[-1].issuer != path[-1].subject and len(path) < 10:
        above = known.get(path[-1].issuer.public_bytes(), [])
        issuer = next((one for one in above if check_signature(path[-1], one) == "good"), None)
        if issuer is None:
            break
        path.append(issuer)
    above_leaf = (one.public_bytes(Encoding.DER) for one in path[1:])
    return identity.replace(chain=(identity.chain[0], *above_leaf)) if path[1:] else identity


_READABLE = tuple(
    getattr(NATIVE, name).__get__
    for name in (
        *("options", "verify_mode", "verify_flags", "check_hostname", "minimum_version", "maximum_version"),
        *("_host_flags", "keylog_filename", "post_handshake_auth", "num_tickets"),
    )
    if hasattr(NATIVE, name)
)


def _readable(context: Any) -> tuple[Any, ...]:
    """What the native context gives back, as far as a configuration depends on it."""
    return tuple([read(context) for read in _READABLE])


def _is_13(code: int) -> bool:
    return code in SUITES and SUITES[code].tls13


# -- files -----------------------------------------------------------------------------------------


def key_log(context: Any) -> Callable[[str], None] | None:
    """What appends to `keylog_filename` (RFC 9850); the native context has made the file."""
    name = getattr(context, "keylog_filename", None)
    if not name:
        return None

    def append(line: str) -> None:
        with open(name, "a", encoding="ascii") as file:
            file.write(line + "\n")

    return append


def default_anchors() -> Anchors:
    """The authorities that this Python's OpenSSL would trust; else the system's; none if there are none."""
    paths = ssl.get_default_verify_paths()
    parts = []
    if paths.cafile:
        parts.append(read_file(paths.cafile)[0])
    if paths.capath:
        parts.append(read_folder(paths.capath)[0])
    found = joined(*parts)
    if not found and not paths.cafile and not paths.capath:
        from pellucid.trust.roots import system_roots

        try:
            return Anchors(system_roots())
        except UsageError:
            return found
    return found


Loaded = tuple[Anchors, tuple[bytes, ...]]
"""Certificates, and revocation lists in DER."""


def read_file(name: str) -> Loaded:
    """The certificates and revocation lists of a PEM file; parsed once for as long as it does not change."""
    path = Path(name)
    status = path.stat()
    return _parse_file(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _parse_file(name: str, changed: int, size: int) -> Loaded:
    return parse(Path(name).read_bytes())


def read_folder(name: str) -> Loaded:
    """The certificates and revocation lists of a folder made by `c_rehash`, as `read_file` does."""
    try:
        return _parse_folder(name, Path(name).stat().st_mtime_ns)
    except OSError:
        return Anchors(), ()


@lru_cache(maxsize=8)
def _parse_folder(name: str, changed: int) -> Loaded:
    found: dict[x509.Certificate, None] = {}
    lists: set[bytes] = set()
    for file in sorted(Path(name).iterdir()):
        suffix = file.suffix[1:]
        if suffix.removeprefix("r").isdigit() and file.is_file():
            certificates, revoked = parse(file.read_bytes())
            found.update(dict.fromkeys(certificates))
            lists.update(revoked)
    return Anchors(found), tuple(lists)


def parse(data: bytes) -> Loaded:
    """The certificates and revocation lists of PEM, or of one or several DER certificates in a row."""
    from pellucid.trust.loading import load_tolerantly

    lists = []
    if b"-----BEGIN" in data:
        for piece in data.split(b"-----BEGIN X509 CRL-----")[1:]:
            crl = x509.load_pem_x509_crl(b"-----BEGIN X509 CRL-----" + piece)
            lists.append(crl.public_bytes(Encoding.DER))
        return Anchors(load_tolerantly(data)), tuple(lists)
    found: list[x509.Certificate] = []
    for piece in _split_der(data):
        found += load_tolerantly(piece)
    return Anchors(found), ()


def _split_der(data: bytes) -> list[bytes]:
    """Certificates one behind the other: each begins with a SEQUENCE and its length (X.690 8.1.3)."""
    found = []
    while len(data) > 4 and data[0] == 0x30:
        count = data[1] & 0x7F if data[1] & 0x80 else 0
        size = int.from_bytes(data[2 : 2 + count], "big") if count else data[1]
        end = 2 + count + size
        found.append(data[:end])
        data = data[end:]
    return found
