"""What a handshake has agreed on, as `_ssl._SSLSocket` tells it: certificates, suite, version, protocol.

RFC 8446 sections 4.1.3 and 4.4.2, RFC 7301 (ALPN). Before the handshake is complete the answer is None, or
what `_ssl.c` has for it.
"""

from __future__ import annotations

import ssl
from typing import Any

from pellucid.compat.certificates import Certificate, describe
from pellucid.compat.ciphers import triple
from pellucid.connection import ServerConnection
from pellucid.crypto.suites import Suite

_VERSIONS = {0x0304: "TLSv1.3", 0x0303: "TLSv1.2"}


class Agreed:
    """The part of the low-level object that is asked after the handshake."""

    _context: Any
    _conn: Any
    _config: Any

    @property
    def _done(self) -> bool:
        return self._conn is not None and bool(self._conn.handshake_complete)

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The peer's certificate: a dictionary ({} if it was not verified), DER, or None."""
        if not self._done:
            raise ValueError("handshake not done yet")
        chain = self._conn.info.peer_chain
        if not chain:
            return None
        if binary_form:
            return chain[0]
        return {} if self._context.verify_mode == ssl.CERT_NONE else describe(chain[0])

    def get_unverified_chain(self) -> list[Certificate] | None:
        """What the peer sent, leaf first; None if it sent nothing."""
        chain = self._conn.info.peer_chain if self._done else ()
        return [Certificate(der) for der in chain] or None

    def get_verified_chain(self) -> list[Certificate] | None:
        """What was built and believed, leaf to root; without verification, what was sent."""
        chain = self._conn.info.verified_chain if self._done else ()
        return [Certificate(der) for der in chain] or self.get_unverified_chain()

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, protocol and key bits of the suite."""
        return triple(self._conn.suite) if self._done else None

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """Server: the suites that both sides know."""
        if not self._done or not isinstance(self._conn, ServerConnection):
            return None
        offered = self._conn.client_hello.cipher_suites if self._conn.client_hello is not None else ()
        suites: dict[int, Suite] = self._config.policy.suites
        return [triple(suites[code]) for code in offered if code in suites]

    def version(self) -> str | None:
        """ "TLSv1.3" or "TLSv1.2"."""
        return _VERSIONS[self._conn.info.version] if self._done else None

    def compression(self) -> None:
        """Always None: there is no compression (RFC 8446 section 4.1.2)."""

    def selected_alpn_protocol(self) -> str | None:
        """The application protocol."""
        return self._conn.info.alpn if self._done else None
