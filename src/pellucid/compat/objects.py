"""`SSLSocket` and `SSLObject` with what newer Pythons have, and with what only pellucid has.

RFC 8446 section 7.5 (exporters), RFC 9266 (channel bindings). They are subclasses of the standard ones,
used by `pellucid.compat.ssl.SSLContext`; `install()` gives the standard ones the same methods instead.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from pellucid.compat.certificates import Encoded
from pellucid.secret import Secret

if TYPE_CHECKING:
    from pellucid.compat.lowlevel import LowLevel
    from pellucid.info import ConnectionInfo
    from pellucid.wire.messages import ClientHello


class Beyond:
    """Methods of a connection that the standard classes of this Python may lack."""

    _sslobj: Any

    def get_verified_chain(self) -> list[bytes]:
        """The chain that was built and believed, DER, leaf to root (3.13)."""
        return [Encoded(one.public_bytes(_DER)) for one in _low(self).get_verified_chain() or ()]

    def get_unverified_chain(self) -> list[bytes]:
        """The chain that the peer sent, DER, leaf first (3.13)."""
        return [Encoded(one.public_bytes(_DER)) for one in _low(self).get_unverified_chain() or ()]

    def group(self) -> str | None:
        """The key exchange group's name (3.15)."""
        return _low(self).group()

    def client_sigalg(self) -> str | None:
        """The signature algorithm by which the client proved itself (3.15)."""
        return _low(self).client_sigalg()

    def server_sigalg(self) -> str | None:
        """The signature algorithm by which the server proved itself (3.15)."""
        return _low(self).server_sigalg()

    def export_keying_material(self, label: str, length: int = 32, context: bytes | None = None) -> Secret:
        """Keying material for another protocol (RFC 8446 section 7.5, RFC 5705).

        Raises:
            UsageError: the handshake is not complete, or TLS 1.2 has no extended master secret.
        """
        return _low(self).export_keying_material(label, length, context)

    @property
    def info(self) -> ConnectionInfo:
        """Everything that was agreed on: see `pellucid.ConnectionInfo`.

        Raises:
            UsageError: the handshake is not complete.
        """
        return _low(self).info

    @property
    def ocsp_response(self) -> bytes | None:
        """The OCSP response that the server stapled, DER (RFC 6066 section 8)."""
        return _low(self).ocsp_response

    @property
    def client_hello(self) -> ClientHello | None:
        """Server: what the client asked for."""
        return _low(self).client_hello


class SSLSocket(Beyond, ssl.SSLSocket):
    """A standard `SSLSocket`, and more."""


class SSLObject(Beyond, ssl.SSLObject):
    """A standard `SSLObject`, and more."""


_DER = 2  # _ssl.ENCODING_DER


def _low(holder: Any) -> LowLevel:
    from pellucid.compat.ssl import details

    return details(holder)
