"""What pellucid's connections can do beyond `ssl`, on the same low-level object.

RFC 8446 section 7.5 and RFC 5705 (exporters), RFC 9266 and RFC 5929 (channel bindings).
"""

from __future__ import annotations

from typing import Any

from pellucid.errors import UsageError
from pellucid.info import ConnectionInfo
from pellucid.secret import Secret
from pellucid.wire.codepoints import SignatureScheme
from pellucid.wire.messages import ClientHello

CHANNEL_BINDINGS = ("tls-unique", "tls-exporter", "tls-server-end-point")


class More:
    """Exporters, bindings, groups, signature algorithms, staples."""

    _conn: Any

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """Bytes that both ends share: "tls-unique", and beyond the standard "tls-exporter" (RFC 9266) and
        "tls-server-end-point" (RFC 5929).

        Raises:
            ValueError: there is no such binding.
        """
        if cb_type not in CHANNEL_BINDINGS:
            raise ValueError(f"{cb_type!r} channel binding type not implemented")
        if self._conn is None or not self._conn.handshake_complete:
            return None
        if cb_type == "tls-unique" and self.info.version == 0x0304:
            # RFC 9266 1: not defined for TLS 1.3, and what OpenSSL gives all the same
            return bytes(self._conn.finished)
        try:
            found: bytes = self._conn.channel_binding(cb_type)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return found

    def export_keying_material(self, label: str, length: int = 32, context: bytes | None = None) -> Secret:
        """Keying material for another protocol (RFC 8446 section 7.5, RFC 5705).

        Raises:
            UsageError: the handshake is not complete, or TLS 1.2 has no extended master secret.
        """
        found: Secret = self._conn.export(label, context, length)
        return found

    @property
    def info(self) -> ConnectionInfo:
        """Everything that was agreed on.

        Raises:
            UsageError: the handshake is not complete.
        """
        found: ConnectionInfo = self._conn.info
        return found

    def group(self) -> str | None:
        """The key exchange group's name (3.15)."""
        done = self._conn is not None and self._conn.handshake_complete
        return self.info.group_name if done else None

    def server_sigalg(self) -> str | None:
        """The signature algorithm by which the server proved itself (3.15)."""
        return self._scheme(of_client=False)

    def client_sigalg(self) -> str | None:
        """The signature algorithm by which the client proved itself, if it did (3.15)."""
        return self._scheme(of_client=True)

    def _scheme(self, *, of_client: bool) -> str | None:
        if self._conn is None or not self._conn.handshake_complete:
            return None
        scheme = self.info.signature_scheme
        theirs = self._conn.client != of_client  # `signature_scheme` is the peer's
        return SignatureScheme.name_of(scheme) if scheme is not None and theirs else None

    @property
    def ocsp_response(self) -> bytes | None:
        """The OCSP response that the server stapled, DER (RFC 6066 section 8)."""
        return self.info.ocsp_response

    @property
    def own_chain(self) -> tuple[bytes, ...]:
        """What we showed, DER, leaf first; empty if nothing was, as by the server of a resumption."""
        return self._conn._own_chain if self._conn is not None else ()

    @property
    def client_hello(self) -> ClientHello | None:
        """Server: what the client asked for, every extension of it."""
        found: ClientHello | None = getattr(self._conn, "client_hello", None)
        return found

    def uses_ktls_for_send(self) -> bool:
        """Whether the kernel seals what is sent: never here (3.15)."""
        return False

    def uses_ktls_for_recv(self) -> bool:
        """Whether the kernel opens what is received: never here (3.15)."""
        return False
