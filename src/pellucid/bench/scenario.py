"""What both sides of a measured connection agree on: version, key, suite, group.

Only OpenSSL's names are used for suites (RFC 8446 appendix B.4; RFC 5288, RFC 5289 for TLS 1.2),
because most peers take them.
"""

from __future__ import annotations

TLS13_SUITES = {
    "aes128gcm": "TLS_AES_128_GCM_SHA256",
    "aes256gcm": "TLS_AES_256_GCM_SHA384",
    "chacha20": "TLS_CHACHA20_POLY1305_SHA256",
}
TLS12_SUITES = {
    "ecdhe-ecdsa": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ecdhe-rsa": "ECDHE-RSA-AES128-GCM-SHA256",
    "static-rsa": "AES256-GCM-SHA384",
}
X25519 = "X25519"
X25519MLKEM768 = "X25519MLKEM768"
HOST = "localhost"


class Scenario:
    """One kind of connection. Every peer builds its two contexts from it, once a run.

    `key` is the kind of the server's key: "ecdsa" (P-256), "rsa" (2048 bits) or "ed25519".
    `chain` counts the certificates from leaf to root; only the root is not sent. `roots` is how
    many trust anchors the client holds, the true one among them. `resume` makes every measured
    handshake a resumption of one earlier session (psk_dhe_ke, or a ticket in TLS 1.2). `again`:
    whoever can, remembers the path of a chain that was verified before, instead of verifying it anew.
    """

    __slots__ = ("again", "chain", "group", "key", "mutual", "resume", "roots", "suite", "tls13")

    def __init__(
        self,
        *,
        tls13: bool = True,
        key: str = "ecdsa",
        suite: str = TLS13_SUITES["aes128gcm"],
        group: str = X25519,
        resume: bool = False,
        mutual: bool = False,
        again: bool = False,
        chain: int = 2,
        roots: int = 1,
    ) -> None:
        self.tls13 = tls13
        self.key = key
        self.suite = suite
        self.group = group
        self.resume = resume
        self.mutual = mutual
        self.again = again
        self.chain = chain
        self.roots = roots

    @property
    def groups(self) -> str:
        """The groups in OpenSSL's form: one only, so that nobody shares keys in vain.

        TLS 1.2 also has to name the curve of an ECDSA certificate (RFC 8422 5.1.1).
        """
        return self.group if self.tls13 else f"{self.group}:P-256"


TLS13 = Scenario()
