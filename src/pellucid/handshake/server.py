"""The server's first look at a ClientHello, which decides the version.

RFC 8446 sections 4.1.1, 4.1.2, 4.2.1 and appendix D; RFC 7507 (fallback); RFC 6066 section 3 (names);
RFC 7301 (ALPN); RFC 9001 section 8.2 (QUIC's parameters are for QUIC).
"""

from __future__ import annotations

from functools import lru_cache

from pellucid.config import TLS_1_2, TLS_1_3, ServerConfig
from pellucid.errors import Reason, UsageError, refuse
from pellucid.events import SelectConfig
from pellucid.handshake.choices import our_first
from pellucid.handshake.context import Expect, Handshake, Steps
from pellucid.handshake.server12 import server12
from pellucid.handshake.server13 import server13
from pellucid.protection import PlainSealing
from pellucid.trust.names import why_not_a_host_name
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import CipherSuite, HandshakeType, ProtocolVersion
from pellucid.wire.messages import ClientHello

_FALLBACK_SCSV = int(CipherSuite.TLS_FALLBACK_SCSV)
EXPECT_CLIENT_HELLO: Expect = {HandshakeType.client_hello: ClientHello}


def server(h: Handshake) -> Steps:
    """The server's side of any handshake, from the first byte."""
    hello: ClientHello = yield EXPECT_CLIENT_HELLO
    h.no_leftovers()
    h.write.protection = PlainSealing()
    h.client_random = hello.random
    h.conn._hello = hello.raw
    if X.quic_transport_parameters in hello.extensions:
        refuse(Reason.QUIC_PARAMETERS)
    h.name = read_server_name(hello)
    h.facts["server_name"] = h.name
    if SelectConfig in h.config.ask:
        chosen = yield SelectConfig(hello, h.name)
        if chosen is not None:
            if h.note is not None:
                from pellucid.watching import watch_config

                chosen = watch_config(h.conn, chosen)
            h.config = h.conn._config = chosen
            h.policy = chosen.policy
            h.write.max_fragment = h.policy.max_send_fragment
    config = h.config
    if not isinstance(config, ServerConfig):
        raise UsageError(Reason.BAD_CONFIG, "a server needs a ServerConfig")
    version = choose_version(h, hello)
    h.conn._version = version
    check_server_name(h, config)
    if version == TLS_1_3:
        yield from server13(h, config, hello)
    else:
        yield from server12(h, config, hello)


def choose_version(h: Handshake, hello: ClientHello) -> int:
    """RFC 8446 section 4.2.1 and appendix D; RFC 7507 section 3."""
    ours = h.policy.versions
    listed = hello.extensions.get(X.supported_versions)
    if hello.legacy_version <= 0x0300:
        refuse(Reason.UNSUPPORTED_PROTOCOL, f"the client asks for 0x{hello.legacy_version:04x}")
    if listed is not None:
        offered = ext.SupportedVersions.recall(listed).versions
    else:  # RFC 8446 appendix D.2: the field says the highest version
        offered = (TLS_1_2,) if hello.legacy_version >= TLS_1_2 else (hello.legacy_version,)
    version = our_first(h.policy.versions_down, offered)
    if _FALLBACK_SCSV in hello.cipher_suites and (version is None or version < max(ours)):
        refuse(Reason.INAPPROPRIATE_FALLBACK)
    if version is None:
        names = ", ".join(ProtocolVersion.said(code) for code in offered)
        refuse(Reason.UNSUPPORTED_PROTOCOL, f"the client offers {names}")
    if h.note is not None:
        h.note(("decision", "version", offered, ours, version, "the highest that both know"))
    return version


def read_server_name(hello: ClientHello) -> str | None:
    """The host name that the client asks for (RFC 6066 section 3), in lower case."""
    body = hello.extensions.get(X.server_name)
    return None if body is None else _host_name(body)


@lru_cache(maxsize=1024)  # a refusal is not kept, so what is kept is short
def _host_name(body: bytes) -> str:
    names = ext.ServerNameList.decode(body).server_name_list
    hosts = [one.host_name for one in names if one.name_type == 0]
    if len(hosts) != 1 or len(names) != 1:
        refuse(Reason.BAD_SERVER_NAME, "not exactly one host name")
    try:
        name = hosts[0].decode("ascii").lower()
    except UnicodeDecodeError:
        refuse(Reason.BAD_SERVER_NAME, "it is not ASCII")
    if why := why_not_a_host_name(name):
        refuse(Reason.BAD_SERVER_NAME, f"{name!r}: {why}")
    return name


def check_server_name(h: Handshake, config: ServerConfig) -> None:
    """Refuse a name that we have no certificate for, if the configuration says so."""
    if (
        config.require_server_name
        and config.identities
        and not any(i.matches(h.name) for i in config.identities)
    ):
        refuse(Reason.UNRECOGNIZED_NAME, h.name or "no name was given")
