"""Authentication in TLS 1.3: Certificate and CertificateVerify, the same for both sides.

RFC 8446 sections 4.4.2 (Certificate), 4.4.2.2 (server's choice), 4.4.2.3 (client's choice), 4.4.3
(CertificateVerify); RFC 8879 (certificate compression); RFC 7250 (raw public keys); RFC 6066
section 8 and RFC 6962 section 3.3 (what is stapled to a certificate).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pellucid.crypto.signatures import SCHEMES, verify
from pellucid.errors import Reason, refuse
from pellucid.events import Request, VerifyPublicKey
from pellucid.handshake.choices import our_first
from pellucid.handshake.context import Handshake
from pellucid.wire import extension_types as X
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import CertificateCompressionAlgorithm, SignatureScheme
from pellucid.wire.compression import compress, decompress
from pellucid.wire.language import ExtensionMap
from pellucid.wire.messages import (
    Certificate,
    CertificateEntry,
    CertificateVerify,
    CompressedCertificate,
    HandshakeMessage,
)

if TYPE_CHECKING:
    from pellucid.trust.identity import Identity

SERVER_CONTEXT = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"
CLIENT_CONTEXT = b" " * 64 + b"TLS 1.3, client CertificateVerify\0"
RAW_PUBLIC_KEY = 2
_SHA1 = frozenset({SignatureScheme.rsa_pkcs1_sha1, SignatureScheme.ecdsa_sha1})


@dataclass(slots=True)
class PeerCertificate:
    """What a Certificate message said."""

    chain: tuple[bytes, ...]
    ocsp: bytes | None
    scts: tuple[bytes, ...]


def choose_scheme(
    identity: Identity, acceptable: Sequence[int], ours: Sequence[int], *, tls13: bool = True
) -> int | None:
    """The first scheme that we like, the key can do and the peer takes (RFC 8446 section 4.2.3)."""
    able = identity.schemes13 if tls13 else identity.schemes12
    if identity.schemes is not None:
        ours = able
    for scheme in ours:
        if scheme in acceptable and scheme in able:
            return scheme
    return None


def verifiable(identity: Identity, schemes: tuple[int, ...]) -> bool:
    """Whether the client takes the signature of every certificate that we would send."""
    return all(any(scheme in schemes for scheme in each) for each in needed_schemes(identity))


def relies_on_sha1(identity: Identity, schemes: tuple[int, ...]) -> bool:
    """Whether its chain is signed with SHA-1 and the client did not ask for that (RFC 8446 4.4.2.2)."""
    old = identity.cache.get("signed with SHA-1")
    if old is None:
        needed = needed_schemes(identity)
        old = identity.cache["signed with SHA-1"] = [
            each for each in needed if each and _SHA1.issuperset(each)
        ]
    return bool(old) and not all(set(each) & set(schemes) for each in old)


def needed_schemes(identity: Identity) -> Any:
    """For each certificate that we would send, the schemes that its signature may be."""
    from pellucid.trust.peer import chain_schemes

    needed = identity.cache.get("chain schemes")
    if needed is None:
        needed = identity.cache["chain schemes"] = chain_schemes(identity.chain)
    return needed


# -- sending ---------------------------------------------------------------------------------------


def send_certificate(
    h: Handshake,
    identity: Identity | None,
    *,
    context: bytes = b"",
    raw_key: bool = False,
    staple: bool = False,
    scts: bool = False,
    compression: Sequence[int] = (),
) -> None:
    """Certificate, or CompressedCertificate (RFC 8446 section 4.4.2, RFC 8879 section 4)."""
    if identity is None:
        h.send(Certificate(context, ()))
        return
    algorithm = our_first(h.policy.certificate_compression, compression) if compression else None
    # A context is fresh each time, so only messages without one are worth keeping.
    above = h.policy.compress_above
    key = (raw_key, staple, scts, algorithm, above)
    encoded = None if context else identity.cache.get(key)
    if encoded is None:
        message: HandshakeMessage = certificate_message(identity, context, raw_key, staple, scts)
        if algorithm is not None and len(body := message.encode()) > above:
            message = CompressedCertificate(algorithm, len(body), compress(algorithm, body))
        encoded = message.to_handshake()
        if not context:
            identity.cache[key] = encoded
    h.send_raw(encoded)


def certificate_message(
    identity: Identity, context: bytes, raw_key: bool, staple: bool, scts: bool
) -> Certificate:
    """The identity's chain; OCSP response and SCTs go beside the leaf if they were asked for."""
    if raw_key:
        return Certificate(context, (CertificateEntry(identity.raw_public_key, {}),))
    entries = []
    for position, der in enumerate(identity.chain):
        extensions: ExtensionMap = {}
        if position == 0 and staple and identity.ocsp:
            extensions[X.status_request] = ext.CertificateStatusBody(1, identity.ocsp).encode()
        if position == 0 and scts and identity.scts:
            extensions[X.signed_certificate_timestamp] = ext.SignedCertificateTimestamps(
                identity.scts
            ).encode()
        entries.append(CertificateEntry(der, extensions))
    return Certificate(context, tuple(entries))


def send_certificate_verify(
    h: Handshake, identity: Identity, scheme: int, context: bytes
) -> Generator[Request, Any, None]:
    """CertificateVerify: the key's signature over the transcript (RFC 8446 section 4.4.3)."""
    signature = yield from h.sign(identity, scheme, context + h.transcript.digest())
    h.send(CertificateVerify(scheme, signature))


# -- receiving -------------------------------------------------------------------------------------


def open_certificate(h: Handshake, message: HandshakeMessage, offered: Sequence[int]) -> Certificate:
    """The Certificate, out of its compression if need be (RFC 8879 section 4)."""
    if isinstance(message, Certificate):
        return message
    if not isinstance(message, CompressedCertificate) or message.algorithm not in offered:
        name = CertificateCompressionAlgorithm.name_of(getattr(message, "algorithm", 0))
        refuse(Reason.UNOFFERED_CERTIFICATE_COMPRESSION, name)
    size = message.uncompressed_length
    if size > h.config.max_certificate_message:
        refuse(Reason.CERTIFICATE_TOO_LARGE, f"{size} bytes")
    body = decompress(message.algorithm, message.compressed_certificate_message, size)
    return Certificate.decode(body)


def offered_compression(body: bytes | None) -> Sequence[int]:
    """The peer's compress_certificate (RFC 8879 section 3), each algorithm once; none without it."""
    return () if body is None else _compression(body)


@lru_cache(maxsize=64)  # a refusal is not kept, so what is kept is short
def _compression(body: bytes) -> tuple[int, ...]:
    found = ext.CertificateCompressionAlgorithms.decode(body).algorithms
    if len(set(found)) != len(found):
        refuse(Reason.ERROR_PARSING_EXTENSION, "compress_certificate names an algorithm twice")
    return found


def read_certificate(h: Handshake, message: Certificate, requested: AbstractSet[int]) -> PeerCertificate:
    """The chain and what is stapled to it. `requested`: the extensions that we asked for."""
    ocsp = None
    scts: tuple[bytes, ...] = ()
    for position, entry in enumerate(message.certificate_list):
        if not entry.extensions:
            continue
        ext.check_answers(entry.extensions, ext.CT, requested)
        staple = entry.extensions.get(X.status_request)
        if staple is not None:
            body = ext.CertificateStatusBody.decode(staple)
            if body.status_type != 1:
                refuse(Reason.ERROR_PARSING_EXTENSION, "the status is not of the type ocsp")
            if position == 0:
                ocsp = body.response
        listed = entry.extensions.get(X.signed_certificate_timestamp)
        if listed is not None:
            found = ext.SignedCertificateTimestamps.decode(listed).sct_list
            if position == 0:
                scts = found
    return PeerCertificate(tuple([entry.cert_data for entry in message.certificate_list]), ocsp, scts)


def check_certificate_verify(
    h: Handshake, message: CertificateVerify, key: Any, context: bytes, *, pss_key: bool = False
) -> None:
    """Believe the signature, or refuse (RFC 8446 section 4.4.3)."""
    scheme = message.algorithm
    known = SCHEMES.get(scheme)
    if known is None or scheme not in h.policy.signature_schemes or not known.tls13:
        refuse(Reason.UNOFFERED_SIGNATURE_SCHEME, SignatureScheme.name_of(scheme))
    verify(scheme, key, message.signature, context + h.transcript.digest(), tls13=True, pss_key=pss_key)
    h.facts["signature_scheme"] = scheme
    if h.note is not None:
        what = "signature_scheme" if h.conn.client else "client_signature_scheme"
        rule = "the signer's choice among ours"
        h.note(("decision", what, h.policy.signature_schemes, (), scheme, rule))


def believe_raw_key(
    h: Handshake, keys: Sequence[bytes], trusted: Sequence[bytes]
) -> Generator[Request, Any, Any]:
    """A raw public key is believed if it is one of `trusted`, byte for byte (RFC 7250 section 6)."""
    if len(keys) != 1:
        refuse(Reason.BAD_RAW_PUBLIC_KEY, f"{len(keys)} entries instead of one")
    try:
        key = load_der_public_key(keys[0])
    except (ValueError, UnsupportedAlgorithm) as error:
        refuse(Reason.BAD_RAW_PUBLIC_KEY, str(error))
    if h.note is not None:
        h.note(("check", "raw public key", keys[0] in trusted, "it is one of those trusted"))
    if VerifyPublicKey in h.config.ask:
        yield VerifyPublicKey(keys[0], h.name)
    elif keys[0] not in trusted:
        refuse(Reason.RAW_PUBLIC_KEY_NOT_TRUSTED)
    h.facts["peer_public_key"] = keys[0]
    return key
