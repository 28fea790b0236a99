"""The flags of BoringSSL's test runner: which there are, what they take, which of them we know.

The runner speaks to a shim by flags only. A flag may be prefixed: `-on-initial-X` (first connection),
`-on-resume-X` (later ones), `-on-retry-X` (after early data was refused), `-on-shim-X` (the same as
X), `-on-handshaker-X` (not for us). A flag that stands for something pellucid does not have ends the
process with 89, before anything of weight is imported: the runner counts the test as unimplemented.
"""

from __future__ import annotations

import base64
import os
from typing import Any, NoReturn

UNIMPLEMENTED = 89

#: name -> how the argument is read: "" none, "i" a number, "s" bytes, "b" base64; "*" repeats.
TABLE: dict[str, str] = {}


def _add(kind: str, names: str) -> None:
    TABLE.update(dict.fromkeys(names.split(), kind))


# What the process is told about itself.
_add("i", "port shim-id resume-count")
_add("", "ipv6 server is-handshaker-supported")
# What is negotiated.
_add("i", "min-version max-version max-cert-list max-send-fragment read-size resumption-delay")
_add("", "no-tls1 no-tls11 no-tls12 no-tls13 fallback-scsv enable-grease permute-extensions no-ticket")
_add("", "enable-early-data server-preference no-key-shares no-server-name-ack no-legacy-server-connect")
_add("s", "cipher host-name advertise-alpn select-alpn psk psk-identity use-client-ca-list")
_add("", "fips-202205 wpa-202304 cnsa-202407 cnsa1-202603 cnsa2-202603")
_add("i", "quic-use-legacy-codepoint")
_add("b", "quic-transport-params")
_add("", "decline-alpn reject-alpn select-empty-alpn allow-unknown-alpn-protos")
_add("i*", "curves key-shares verify-prefs server-supported-groups-hint curves-flags")
_add("i*", "accepted-peer-cert-types available-client-cert-types")
_add("", "verify-peer require-any-client-certificate verify-fail use-custom-verify-callback")
_add("", "reverify-on-resume expect-verify-result fail-cert-callback fail-early-callback")
_add("", "install-ddos-callback fail-ddos-callback renegotiate-ignore handshake-never-done")
_add("", "enable-ocsp-stapling enable-signed-cert-timestamps use-ocsp-callback set-ocsp-in-callback")
_add("", "decline-ocsp-callback fail-ocsp-callback install-cert-compression-algs")
_add("i", "install-one-cert-compression-alg")
_add("", "use-ticket-callback use-ticket-aead-callback renew-ticket skip-ticket")
# Credentials: these belong to the last `-new-*-credential`, or else to the only one.
CREDENTIAL = {"cert-file", "key-file", "signing-prefs", "ocsp-response", "signed-cert-timestamps"}
CREDENTIAL |= {"must-match-issuer", "psk-importer-key", "psk-importer-identity", "psk-importer-context"}
CREDENTIAL |= {"psk-importer-sha256", "psk-importer-sha384"}
NEW = {"new-x509-credential", "new-rpk-credential", "new-psk-credential"}
_add("", " ".join(NEW))
_add("s", "cert-file key-file trust-cert")
_add("i*", "signing-prefs")
_add("b", "ocsp-response signed-cert-timestamps psk-importer-key psk-importer-identity psk-importer-context")
_add("", "must-match-issuer psk-importer-sha256 psk-importer-sha384")
# What is done after the handshake.
_add("", "async shim-writes-first shim-shuts-down check-close-notify send-alert tls-unique key-update")
_add("", "export-traffic-secrets use-export-context write-different-record-sizes key-update-before-read")
_add("", "read-with-unfinished-write use-exporter-between-reads")
_add("i", "export-keying-material repeat-shim-initial-write early-write-after-message")
_add("s", "export-label export-context shim-initial-write")
# What has to come out.
_add("i", "expect-version expect-cipher expect-cipher-aes expect-cipher-no-aes expect-curve-id")
_add("i", "expect-peer-signature-algorithm expect-selected-credential expect-peer-certificate-type")
_add("i", "expect-ticket-age-skew expect-total-renegotiations")
_add("i*", "expect-peer-verify-pref")
_add("s", "expect-alpn expect-advertised-alpn expect-server-name expect-early-data-reason")
_add("s", "expect-peer-cert-file expect-client-ca-list")
_add("s", "expect-msg-callback")
_add("b", "expect-ocsp-response expect-signed-cert-timestamps expect-peer-rpk-sha256")
_add("b", "expect-certificate-types")
_add("", "expect-session-miss expect-no-session expect-ticket-renewal expect-session-id")
_add("", "expect-no-session-id expect-ticket-supports-early-data expect-accept-early-data")
_add("", "expect-reject-early-data expect-no-offer-early-data expect-hrr expect-no-hrr")
_add("", "expect-extended-master-secret expect-secure-renegotiation expect-no-secure-renegotiation")
_add("", "expect-no-server-name expect-no-peer-cert expect-key-usage-invalid expect-sha256-client-cert")
# Ways to call BoringSSL which make no difference to a sans-IO core.
_add("", "implicit-handshake use-early-callback use-old-client-cert-callback no-op-extra-handshake")
_add("", "handshake-twice peek-then-read partial-write cbc-record-splitting handoff handshake-hints")
_add("", "allow-hint-mismatch forbid-renegotiation-after-handshake")
_add("", "retain-only-sha256-client-cert ignore-rsa-key-usage enable-ech-grease jdk11-workaround")
_add("s", "srtp-profiles handshaker-path write-settings")
_add("i", "private-key-delay-ms initial-timeout-duration-ms")

#: Known so that `-on-handshaker-X` can be dropped, but each stands for something that pellucid does
#: not have. What is in neither table is absent too.
ABSENT = {
    "dtls": "DTLS",
    "quic": "QUIC",
    "handoff": "BoringSSL's split handshakes",
    "handshake-hints": "BoringSSL's split handshakes",
    "enable-ech-grease": "ECH",
    "jdk11-workaround": "a workaround for a bug of JDK 11",
    "retain-only-sha256-client-cert": "sessions that keep only a certificate's hash",
    "expect-sha256-client-cert": "sessions that keep only a certificate's hash",
    "ignore-rsa-key-usage": "switching the check of key usage off",
    "expect-key-usage-invalid": "switching the check of key usage off",
    "cbc-record-splitting": "TLS 1.0",
    "expect-msg-callback": "BoringSSL's message callback",
    "ticket-key": "BoringSSL's own format of tickets",
    "renegotiate-freely": "renegotiation",
    "renegotiate-once": "renegotiation",
    "renegotiate-explicit": "renegotiation",
    "forbid-renegotiation-after-handshake": "renegotiation",
    "allow-unknown-alpn-protos": "taking an application protocol that was never offered",
}

#: Single values whose flag is known, but not the value.
SHA1 = {0x0201, 0x0203}
PKCS1_LEGACY = {0x0420, 0x0520, 0x0620}  # draft-ietf-tls-tls13-pkcs1


class Unimplemented(Exception):
    """A flag, or its value, stands for something that is not here. Exit 89."""


class Mismatch(Exception):
    """Something is not as the flags say it must be. The text is what the runner gets to read."""


def unimplemented(what: str) -> NoReturn:
    """Say so."""
    raise Unimplemented(what)


class Settings:
    """The flags of one kind of connection: `settings["host-name"]` is a flag's value, or its zero.

    Attributes:
        values: what was given.
        credentials: one dict of flags for each `-new-*-credential`; the flag itself under "type".
        default: the flags of the credential that none of them introduced.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.default: dict[str, Any] = {"type": ""}
        self.credentials: list[dict[str, Any]] = []

    def __getitem__(self, name: str) -> Any:
        value = self.values.get(name)
        return _ZERO[TABLE[name]] if value is None else value

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def put(self, name: str, kind: str, value: Any) -> None:
        """Take a flag in."""
        if name in NEW:
            self.credentials.append({"type": name[4:-11]})
            return
        into = self.values
        if name in CREDENTIAL:
            into = self.credentials[-1] if self.credentials else self.default
        if kind.endswith("*"):
            into[name] = (*into.get(name, ()), value)
        else:
            into[name] = value


_ZERO: dict[str, Any] = {"": False, "i": 0, "s": b"", "b": b"", "i*": ()}
_PREFIXES = ("-on-initial", "-on-resume", "-on-retry")


def parse(argv: list[str]) -> tuple[Settings, Settings, Settings]:
    """The settings of the first connection, of later ones, and after refused early data.

    Raises:
        Unimplemented: some flag is not ours.
    """
    settings = (Settings(), Settings(), Settings())
    arguments = iter(argv)
    for flag in arguments:
        name, ours = flag, True
        if name.startswith("-on-shim-"):
            name = name[8:]
        elif name.startswith("-on-handshaker-"):
            name, ours = name[14:], False
        targets = settings
        for prefix, target in zip(_PREFIXES, settings, strict=True):
            if name.startswith(prefix + "-"):
                name, targets = name[len(prefix) :], (target,)  # type: ignore[assignment]
        kind = TABLE.get(name[1:])
        if kind is None or name[:1] != "-":
            unimplemented(flag)
        value: Any = True
        if kind:
            value = read(kind, next(arguments))
        if not ours:
            continue
        if name[1:] in ABSENT:
            unimplemented(flag)
        for one in targets:
            one.put(name[1:], kind, value)
    return settings


def read(kind: str, text: str) -> Any:
    """An argument by its kind. The runner passes raw bytes in argv."""
    if kind[0] == "i":
        return int(text)
    if kind == "b":
        return base64.b64decode(text)
    return os.fsencode(text)
