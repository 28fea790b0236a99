"""The exit codes of every command, in one place. docs/command-line.md is their table."""

from __future__ import annotations

OK = 0
OTHER = 1
USAGE = 2
NETWORK = 3
HANDSHAKE = 4
CERTIFICATE = 5
PROTOCOL = 6
INTERRUPTED = 130
PIPE = 141

#: What each code means, for the documentation and its test.
MEANINGS = {
    OK: "all went well",
    OTHER: "something else failed; pellucid itself, perhaps (diff: the two differ)",
    USAGE: "the command line is wrong, or a file it names cannot be used",
    NETWORK: "the network failed: name resolution, TCP, a timeout",
    HANDSHAKE: "the handshake failed",
    CERTIFICATE: "the peer's certificate was refused",
    PROTOCOL: "the connection broke a rule after the handshake, a cut (missing close_notify) included",
    INTERRUPTED: "interrupted (Ctrl-C)",
    PIPE: "whoever read the output has gone",
}


class Exit(Exception):
    """Leave with this code; whatever was to be said has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def code_for(error: BaseException, *, complete: bool = False) -> int:
    """The exit code for an error. `complete`: the handshake was done when it happened.

    >>> code_for(ConnectionRefusedError())
    3
    >>> from pellucid import CertificateRefused, Reason
    >>> code_for(CertificateRefused(Reason.SELF_SIGNED))
    5
    """
    from pellucid.errors import CertificateRefused, PeerRefused, Reason, TLSError, UsageError

    if isinstance(error, CertificateRefused):
        return CERTIFICATE
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, TLSError):
        if error.reason is Reason.TIMEOUT:
            return NETWORK
        if error.reason is Reason.INTERNAL:
            return OTHER
        # A server's refusal of a TLS 1.3 client certificate arrives after the client's Finished.
        return PROTOCOL if complete and not isinstance(error, PeerRefused) else HANDSHAKE
    return NETWORK if isinstance(error, OSError) else OTHER
