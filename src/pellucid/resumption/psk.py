"""Pre-shared keys from outside TLS, and the importer that makes them safe to use.

RFC 8446 section 4.2.11; RFC 9258 (importing external PSKs); RFC 9257 section 4.1 (the Selfie attack);
RFC 4279 and RFC 5489 (TLS 1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.crypto.schedule13 import expand_label, extract
from pellucid.crypto.suites import HASHES
from pellucid.errors import Reason, UsageError
from pellucid.secret import Secret
from pellucid.wire.codepoints import KdfIdentifier, ProtocolVersion
from pellucid.wire.language import OpaqueVector, Struct, Uint16, field


class ImportedIdentity(Struct):
    """RFC 9258 section 5.1."""

    section = "RFC 9258 5.1"
    external_identity: bytes = field(OpaqueVector(1, 2**16 - 1))
    context: bytes = field(OpaqueVector(0, 2**16 - 1))
    target_protocol: int = field(Uint16(ProtocolVersion))
    target_kdf: int = field(Uint16(KdfIdentifier))


@dataclass(frozen=True, slots=True)
class PreSharedKey:
    """A key that both sides hold already.

    Parameters:
        identity: its name on the wire, at most 65,535 bytes; only TLS 1.2 knows an empty one.
        secret: the key; use 16 bytes or more of real randomness, never a password.
        hash: "sha256" or "sha384": the hash that it is bound to (TLS 1.3).
        imported: made by `import_psk`; its binders use another label.
        role: "client" or "server": which side this machine plays under the key. Where a machine can
            be both, a mirror could make it talk to itself (RFC 9257 section 4.1, Selfie): a server
            that is offered a key of role "client" refuses it. "" for a key of one side only.

    >>> PreSharedKey(b"device 7", Secret(bytes(32)))
    PreSharedKey(identity=b'device 7', secret=<Secret of 32 bytes>, hash='sha256', imported=False, role='')
    """

    identity: bytes
    secret: Secret
    hash: str = "sha256"
    imported: bool = False
    role: str = ""

    def __post_init__(self) -> None:
        if len(self.identity) > 2**16 - 1:
            raise UsageError(Reason.BAD_CONFIG, "a PSK identity has 65,535 bytes at most")
        if self.role not in ("", "client", "server"):
            raise UsageError(Reason.BAD_CONFIG, f'a role is "client" or "server", not {self.role!r}')
        if self.hash not in HASHES:
            raise UsageError(Reason.BAD_CONFIG, f"a PSK is bound to sha256 or sha384, not {self.hash}")
        if not isinstance(self.secret, Secret):
            object.__setattr__(self, "secret", Secret(self.secret))
        if not self.secret:
            raise UsageError(Reason.BAD_CONFIG, "a PSK must not be empty")


def import_psk(
    identity: bytes,
    key: bytes,
    context: bytes = b"",
    *,
    hash: str = "sha256",
    version: int = 0x0304,
    role: str = "",
) -> tuple[PreSharedKey, ...]:
    """Import an external key for TLS 1.3, once for each target hash (RFC 9258 section 5.1).

    Parameters:
        identity: the external identity.
        key: the external key, at least 16 bytes.
        context: who talks to whom (RFC 9257's guard against Selfie): both sides give the same.
        hash: the hash that the external key is bound to.
        version: the protocol that the key is for.
        role: see `PreSharedKey`.

    Returns:
        the imported keys for SHA-256 and SHA-384, to be offered together.
    """
    if len(key) < 16:
        raise UsageError(Reason.BAD_CONFIG, "an external PSK has at least 16 bytes")
    source = HASHES[hash]
    epskx = extract(source, bytes(source.length), key)
    found = []
    for target, kdf in (("sha256", KdfIdentifier.HKDF_SHA256), ("sha384", KdfIdentifier.HKDF_SHA384)):
        imported = ImportedIdentity(identity, context, version, kdf).encode()
        digest = source.new(imported).digest()
        ipskx = expand_label(source, epskx, b"derived psk", digest, HASHES[target].length)
        found.append(PreSharedKey(imported, ipskx, target, imported=True, role=role))
    return tuple(found)
