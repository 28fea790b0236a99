"""Certificate types: X.509, or a raw public key without a certificate around it.

RFC 7250 sections 3 and 4. The client lists what it can show and what it can read; the server
chooses, by its own order of preference, and says so. Without the extensions it is X.509.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import Reason, refuse
from pellucid.handshake.choices import our_first
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.language import ExtensionMap

if TYPE_CHECKING:
    from pellucid.config import ClientConfig, ServerConfig
    from pellucid.handshake.context import Handshake

X509 = 0
RAW_PUBLIC_KEY = 2


def choose_types(
    h: Handshake, config: ServerConfig, offered: ExtensionMap, found: ExtensionMap, *, resumed: bool = False
) -> None:
    """Server: the first of ours that the client knows too; it goes into `found` (section 4.2).

    A resumption asks the client for no certificate, so it says nothing of that one's type.
    """
    named = X.server_certificate_type in offered or X.client_certificate_type in offered
    asks = config.client_auth != "none" and not resumed
    if not named and (not asks or X509 in config.client_certificate_types):
        return
    types = config.server_certificate_types
    shown = {X509 if one.chain else RAW_PUBLIC_KEY for one in config.identities}
    rows = [
        (
            X.server_certificate_type,
            tuple(t for t in types if t in shown or (t == RAW_PUBLIC_KEY and config.identities)),
            "server_certificate_type",
        )
    ]
    if asks:
        rows.append((X.client_certificate_type, config.client_certificate_types, "client_certificate_type"))
    for kind, ours, fact in rows:
        if kind not in offered:
            if kind == X.client_certificate_type and X509 not in ours:
                refuse(Reason.UNSUPPORTED_CERTIFICATE_TYPE, "the client can show X.509 only")
            continue
        theirs = ext.CertificateTypes.decode(offered[kind]).certificate_types
        if theirs in ((), (X509,)):
            refuse(Reason.IDLE_CERTIFICATE_TYPES, fact)
        chosen = our_first(ours, theirs)
        if chosen is None:
            refuse(Reason.UNSUPPORTED_CERTIFICATE_TYPE, fact)
        h.certificate_types[fact] = chosen
        found[kind] = ext.CertificateTypeBody(chosen).encode()


def read_types(h: Handshake, config: ClientConfig, found: ExtensionMap) -> None:
    """Client: what the server chose."""
    if X.server_certificate_type not in found and X.client_certificate_type not in found:
        return
    for kind, ours, fact in (
        (X.server_certificate_type, config.server_certificate_types, "server_certificate_type"),
        (X.client_certificate_type, config.client_certificate_types, "client_certificate_type"),
    ):
        if kind in found:
            chosen = ext.CertificateTypeBody.decode(found[kind]).certificate_type
            if chosen not in ours:
                refuse(Reason.UNSUPPORTED_CERTIFICATE_TYPE, f"{fact} {chosen} was not offered")
            h.certificate_types[fact] = chosen


def server_shows_raw_key(h: Handshake, config: ClientConfig) -> bool:
    """Client: whether the server's certificate is a raw key; a server that says nothing means X.509."""
    chosen = h.certificate_types.get("server_certificate_type", X509)
    if chosen not in config.server_certificate_types:
        refuse(Reason.UNSUPPORTED_CERTIFICATE_TYPE, "the server shows X.509, which is not accepted here")
    return chosen == RAW_PUBLIC_KEY


def client_shows_raw_key(h: Handshake) -> bool:
    """Whether the client's certificate is to be a raw key."""
    return h.certificate_types.get("client_certificate_type") == RAW_PUBLIC_KEY
