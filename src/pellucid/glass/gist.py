"""The point of a message in a few words, for one line of a ladder; and that of a whole handshake.

RFC 8446 section 4, RFC 5246 section 7.4.
"""

from __future__ import annotations

from collections.abc import Callable

from pellucid.glass.crossings import Crossing
from pellucid.glass.decode import Message, Reader, chain_of, key_text, load, name_text, version_name
from pellucid.glass.show import Quoted, printable
from pellucid.glass.trace import Trace
from pellucid.wire import messages as m
from pellucid.wire.codepoints import CipherSuite, NamedGroup, SignatureScheme, is_grease
from pellucid.wire.codepoints import ExtensionType as X

_AGREED: dict[str, Callable[[int], str]] = {
    "version": version_name,
    "cipher_suite": CipherSuite.name_of,
    "group": NamedGroup.name_of,
}


def agreed(trace: Trace) -> dict[str, str]:
    """What a handshake agreed on as far as it came, by name, in the order of this list: version,
    cipher_suite, group, alpn.

    >>> agreed(Trace())
    {}
    """
    found = {}
    for what, name_of in _AGREED.items():
        decision = trace.decision(what)
        if decision is not None and isinstance(decision.fields["chosen"], int):
            found[what] = name_of(decision.fields["chosen"])
    alpn = trace.decision("alpn")
    if alpn is not None and alpn.fields["chosen"]:
        chosen = alpn.fields["chosen"]
        found["alpn"] = chosen if isinstance(chosen, str) else bytes(chosen).decode("ascii", "replace")
    return found


def of(reader: Reader, crossing: Crossing) -> str:
    """The point of `crossing`; "" where its name says it."""
    if crossing.kind == "data":
        return Quoted(printable(crossing.raw)) if crossing.raw else ""
    if crossing.message is None:
        return ""
    message = crossing.message
    if message.body is None:
        return "unreadable"
    match message.body:
        case m.ClientHello():
            return _client_hello(reader, message)
        case m.ServerHello():
            return _server_hello(reader, message)
        case m.EncryptedExtensions():
            names = reader.extension(message, X.application_layer_protocol_negotiation)
            return f"ALPN {names.protocol_name_list[0].decode('ascii', 'replace')}" if names else ""
        case m.Certificate() | m.Certificate12() | m.RawPublicKey12() | m.CompressedCertificate():
            return _certificate(message)
        case m.ServerKeyExchangeECDHE():
            scheme = SignatureScheme.name_of(message.body.algorithm)
            return f"{NamedGroup.name_of(message.body.params.namedcurve)}, signed {scheme}"
        case m.ClientKeyExchangeRSA():
            return "the pre-master secret, encrypted"
        case m.ClientKeyExchangeECDHE():
            return "a fresh public key"
        case m.ClientKeyExchangePSK() | m.ClientKeyExchangeECDHEPSK():
            return message.body.psk_identity.decode("utf-8", "replace")
        case m.CertificateVerify():
            return SignatureScheme.name_of(message.body.algorithm)
        case m.NewSessionTicket():
            return f"good for {message.body.ticket_lifetime} s"
        case m.NewSessionTicket12():
            return f"good for {message.body.ticket_lifetime_hint} s"
        case m.KeyUpdate():
            return "and asks for the same" if message.body.request_update else ""
    return ""


def _client_hello(reader: Reader, message: Message) -> str:
    hello = message.body
    versions = reader.extension(message, X.supported_versions)
    offered = versions.versions if versions else (hello.legacy_version,)
    known = [version_name(code).removeprefix("TLS ") for code in offered if not is_grease(code)]
    suites = sum(not is_grease(code) for code in hello.cipher_suites)
    parts = [f"TLS {'/'.join(known)}", f"{suites} suite{'s' if suites != 1 else ''}"]
    shares = reader.extension(message, X.key_share)
    names = [NamedGroup.name_of(one.group) for one in shares.client_shares] if shares else []
    parts += [name for name in names if not name.startswith("GREASE")]
    if reader.extension(message, X.pre_shared_key):
        parts.append("PSK")
    if X.early_data in hello.extensions:
        parts.append("0-RTT")
    return ", ".join(parts)


def _server_hello(reader: Reader, message: Message) -> str:
    share = reader.extension(message, X.key_share)
    if message.name == "HelloRetryRequest":
        return f"send a key of {NamedGroup.name_of(share.selected_group)}" if share else "once more"
    parts = [version_name(reader.version), CipherSuite.name_of(message.body.cipher_suite)]
    if share:
        parts.append(NamedGroup.name_of(share.server_share.group))
    if reader.extension(message, X.pre_shared_key):
        parts.append("PSK")
    return ", ".join(parts)


def _certificate(message: Message) -> str:
    chain = chain_of(message)
    if not chain:
        return "none"
    leaf = load(chain[0])
    if leaf is None:
        return "a raw public key"
    return f"{name_text(leaf.subject)}, {key_text(leaf)}"
