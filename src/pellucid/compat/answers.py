"""What a connection asks, and how a context answers: who is believed, which certificate, which key.

RFC 8446 sections 4.4.2.4 (verification), 4.2.11 (pre-shared keys); RFC 6066 section 3 (server names);
RFC 7301 section 3.2 (ALPN, where OpenSSL's users go on without a protocol if none is shared).
"""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Any

from pellucid.compat.judgement import Judge, usage_of
from pellucid.compat.keys import client_key, server_key, unraisable
from pellucid.compat.settings import (
    NATIVE,
    VERIFY_MODE,
    client_config,
    judge_of,
    server_config,
    settings_of,
)
from pellucid.compat.watching import Watcher
from pellucid.config import ClientConfig, Config, ServerConfig
from pellucid.errors import PeerMisbehaved, Reason, TLSError
from pellucid.events import FindPsk, Request, SelectConfig, VerifyPeer
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello


class CallbackFailed(PeerMisbehaved):
    """An application's callback refused the client, with the alert of its choice."""

    openssl_name = "CALLBACK_FAILED"


class Answers:
    """The part of the low-level object that knows the context's answers."""

    _context: Any
    _conn: Any
    _session: Any
    owner: Any
    server_side: bool
    server_hostname: str | None

    def _prepare(self, context: Any) -> None:
        """Keep the settings of this moment: `set_alpn_protocols` may be called again for another."""
        self._config: Config | None = None
        self._judge: Judge | None = None
        self._unusable: TLSError | None = None
        mode = VERIFY_MODE(context)
        self._verifies = mode != ssl.CERT_NONE
        self._requires = mode == ssl.CERT_REQUIRED
        self._late = self._verifies and bool(getattr(context, "post_handshake_auth", False))
        try:
            make = server_config if self.server_side else client_config
            self._config, self._judge = make(context)
        except TLSError as error:
            self._unusable = error

    def _adopt(self, context: Any) -> None:
        """Show the certificate of another context, and believe whom it believes."""
        if self._config is None:
            return
        make = server_config if self.server_side else client_config
        try:
            self._config = self._config.replace(identities=make(context)[0].identities)
        except TLSError as error:
            self._config, self._unusable = None, error
        if self._judge is not None:
            other = judge_of(context, settings_of(context))
            self._judge = replace(self._judge, anchors=other.anchors, crls=other.crls)

    def _configuration(self) -> Any:
        """The configuration, with what belongs to this connection alone."""
        config = self._config
        if config is None:
            raise self._unusable or TLSError(Reason.INTERNAL)
        if isinstance(config, ClientConfig):
            changes: dict[str, Any] = {}
            if self._session is not None and self._session.resumable is not None:
                changes["sessions"] = (self._session.resumable,)
            if FindPsk in config.ask and config.policy.tls13:
                key = client_key(settings_of(self._context), None)
                changes["psks"] = (key,) if key is not None else ()
            if changes:
                config = config.replace(**changes)
        callback = NATIVE._msg_callback.__get__(self._context)
        if callback is not None:
            config = config.replace(observer=Watcher(callback, self))
        self._config = config
        return config

    def _count(self, what: str) -> None:
        settings_of(self._context).statistics[what] += 1

    def _answer(self, request: Request) -> Any:
        if isinstance(request, VerifyPeer):
            return self._verify(request)
        if isinstance(request, SelectConfig):
            return self._select(request)
        if isinstance(request, FindPsk):
            settings = settings_of(self._context)
            if self.server_side:
                return server_key(settings, request.identities)
            return client_key(settings, request.hint)
        raise TLSError(Reason.INTERNAL, f"nobody answers {type(request).__name__}")

    # -- VerifyPeer --------------------------------------------------------------------------------

    def _verify(self, request: VerifyPeer) -> Any:
        judge, note = self._judge, self._conn._note
        if judge is None:
            raise TLSError(Reason.INTERNAL, "nobody verifies")
        try:
            if self.server_side:
                return judge.client(request.chain, note)
            usage = usage_of(self._conn._facts.get("cipher_suite", 0))
            verified = judge.server(request.chain, self.server_hostname, usage, note)
            settings = settings_of(self._context)
            if settings.folders:
                settings.show(self._context, verified.chain[-1])
            return verified
        except TLSError as error:
            request.fail(error)

    # -- SelectConfig ------------------------------------------------------------------------------

    def _select(self, request: SelectConfig) -> ServerConfig:
        """The configuration for this ClientHello: the certificate by name, ALPN, keys, client's turn."""
        if not isinstance(self._config, ServerConfig):
            raise TLSError(Reason.INTERNAL, "no server")
        before = self._context
        self._call_back(request)
        config = self._config
        changes: dict[str, Any] = {}
        if self._context is not before:
            other, _ = server_config(self._context)
            changes["identities"] = other.identities
            changes["alpn"] = other.alpn
        hello = request.client_hello
        alpn = changes.get("alpn", config.alpn)
        if alpn and not shares_protocol(hello, alpn):
            changes["alpn"] = ()
        if self._late and speaks_tls13(hello, config):
            changes["client_auth"] = "none"  # its turn comes after the handshake
        if changes:
            config = config.replace(**changes)
        self._config = config
        return config

    def _call_back(self, request: SelectConfig) -> None:
        """`sni_callback(owner, name, context)`: None to go on, or the number of an alert."""
        callback = getattr(self._context, "sni_callback", None)
        if callback is None:
            return
        try:
            result = callback(self.owner, request.server_name, self._context)
        except Exception as error:
            unraisable(error, callback)
            request.fail(CallbackFailed(Reason.APPLICATION_FAILED, "sni_callback raised", alert=40))
            return
        if result is None:
            return
        if not isinstance(result, int):
            unraisable(TypeError(f"sni_callback returned {type(result).__name__}, not int"), callback)
            request.fail(CallbackFailed(Reason.APPLICATION_FAILED, "sni_callback's result", alert=80))
        alert = int(result) if 0 <= result <= 255 else 80  # what is no alert is internal_error
        request.fail(CallbackFailed(Reason.REFUSED_BY_APPLICATION, "sni_callback", alert=alert))


def shares_protocol(hello: ClientHello, alpn: tuple[str, ...]) -> bool:
    """Whether the client offers one of our protocols, or none at all."""
    body = hello.extensions.get(X.application_layer_protocol_negotiation)
    if body is None:
        return True
    offered = ext.ProtocolNames.decode(body).protocol_name_list
    return any(name.encode("latin-1") in offered for name in alpn)


def speaks_tls13(hello: ClientHello, config: ServerConfig) -> bool:
    """Whether TLS 1.3 will be chosen."""
    body = hello.extensions.get(X.supported_versions)
    return body is not None and config.policy.tls13 and 0x0304 in ext.SupportedVersions.decode(body).versions
