"""Key logs, and which secret of a connection each of their lines holds.

RFC 9850 (the SSLKEYLOGFILE format): a label, the client random that names the connection, the secret.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from pellucid.secret import Secret

#: RFC 9850's label for each secret, by the name that the key schedule notes it under.
LABELS = {
    "client_early_traffic_secret": "CLIENT_EARLY_TRAFFIC_SECRET",
    "client_handshake_traffic_secret": "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "server_handshake_traffic_secret": "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "client_application_traffic_secret_0": "CLIENT_TRAFFIC_SECRET_0",
    "server_application_traffic_secret_0": "SERVER_TRAFFIC_SECRET_0",
    "exporter_master_secret": "EXPORTER_SECRET",
    "early_exporter_master_secret": "EARLY_EXPORTER_SECRET",
    "master_secret": "CLIENT_RANDOM",  # TLS 1.2's; TLS 1.3's secret of that name has no label
}
NAMES = {label: name for name, label in LABELS.items()}


class KeyRing:
    """What somebody who listens may open connections with.

    Parameters:
        lines: of key logs; comments, and lines that are none, are passed over.
        private_keys: RSA keys of servers, for static RSA key exchange.

    >>> ring = KeyRing(["# a comment", f"CLIENT_RANDOM {'00' * 32} {'11' * 48}"])
    >>> len(ring.secret(bytes(32), "master_secret"))
    48
    >>> ring.secret(bytes(32), "exporter_master_secret") is None
    True
    """

    __slots__ = ("_secrets", "private_keys")

    def __init__(self, lines: Iterable[str] = (), private_keys: Iterable[RSAPrivateKey] = ()) -> None:
        self._secrets: dict[tuple[bytes, str], Secret] = {}
        self.private_keys = tuple(private_keys)
        self.add(lines)

    def add(self, lines: Iterable[str]) -> None:
        """Learn the secrets of more lines."""
        for line in lines:
            words = line.split()
            if len(words) != 3 or words[0] not in NAMES:
                continue
            try:
                random, secret = bytes.fromhex(words[1]), Secret(bytes.fromhex(words[2]))
            except ValueError:
                continue
            self._secrets[random, NAMES[words[0]]] = secret

    def secret(self, client_random: bytes, name: str) -> Secret | None:
        """A connection's secret, if it is known; `name` as in `LABELS`."""
        return self._secrets.get((client_random, name))

    def __len__(self) -> int:
        return len(self._secrets)
