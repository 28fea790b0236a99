"""What a connection agreed on, in one immutable object that serialises to JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

from pellucid.wire.codepoints import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme


class ConnectionInfo(NamedTuple):
    """The facts of one connection. Numbers are the registries' (`pellucid.wire.codepoints`).

    Attributes:
        role: "client" or "server".
        version: 0x0304 for TLS 1.3, 0x0303 for TLS 1.2.
        cipher_suite: its code point.
        group: the key exchange group; None for static RSA and psk_ke.
        signature_scheme: by which the server (or, for a server, the client) proved itself.
        server_name: the name that the client asked for (SNI).
        alpn: the application protocol.
        resumed: an earlier session was resumed.
        external_psk: a pre-shared key from outside TLS was used.
        early_data: None (not offered), "accepted" or "refused".
        retried: there was a HelloRetryRequest.
        extended_master_secret: RFC 7627 was in use; always true for TLS 1.3.
        encrypt_then_mac: RFC 7366 was in use.
        secure_renegotiation: RFC 5746 was signalled.
        peer_chain: what the peer sent, DER, leaf first.
        verified_chain: what was built and believed, leaf to root; empty if nothing was verified.
        peer_public_key: a raw public key instead of a chain (SubjectPublicKeyInfo, DER).
        ocsp_response: the stapled OCSP response, DER.
        scts: signed certificate timestamps.
        client_certificate_requested: the server asked for a client certificate.
        record_size_limit: bytes of plaintext the peer accepts in a record (RFC 8449), or None.
        ech: the state of Encrypted ClientHello; "not offered" today.
        peer_signature_schemes: what the peer said it can verify.
        offered_alpn: server only: what the client offered.
        psk_identity: the identity of the external PSK in use.
        ticket_age_error: server only: seconds by which the client takes its ticket for older than we do.
    """

    role: str
    version: int
    cipher_suite: int
    group: int | None = None
    signature_scheme: int | None = None
    server_name: str | None = None
    alpn: str | None = None
    resumed: bool = False
    external_psk: bool = False
    early_data: str | None = None
    retried: bool = False
    extended_master_secret: bool = True
    encrypt_then_mac: bool = False
    secure_renegotiation: bool = True
    peer_chain: tuple[bytes, ...] = ()
    verified_chain: tuple[bytes, ...] = ()
    peer_public_key: bytes | None = None
    ocsp_response: bytes | None = None
    scts: tuple[bytes, ...] = ()
    client_certificate_requested: bool = False
    record_size_limit: int | None = None
    ech: str = "not offered"
    peer_signature_schemes: tuple[int, ...] = ()
    offered_alpn: tuple[str, ...] = ()
    psk_identity: bytes | None = None
    ticket_age_error: float | None = None

    @property
    def version_name(self) -> str:
        """ "TLS 1.3" or "TLS 1.2"."""
        return ProtocolVersion.said(self.version)

    @property
    def cipher_suite_name(self) -> str:
        """IANA's name."""
        return CipherSuite.name_of(self.cipher_suite)

    @property
    def group_name(self) -> str | None:
        """IANA's name."""
        return None if self.group is None else NamedGroup.name_of(self.group)

    def to_json(self) -> dict[str, Any]:
        """Everything, with bytes as hex and numbers beside their names."""
        found: dict[str, Any] = {}
        for name, value in self._asdict().items():
            if isinstance(value, bytes):
                value = value.hex()
            elif isinstance(value, tuple):
                value = [item.hex() if isinstance(item, bytes) else item for item in value]
            found[name] = value
        found["version_name"] = self.version_name
        found["cipher_suite_name"] = self.cipher_suite_name
        found["group_name"] = self.group_name
        if self.signature_scheme is not None:
            found["signature_scheme_name"] = SignatureScheme.name_of(self.signature_scheme)
        return found
