"""What the reader of the live page may choose, and what can go wrong on purpose.

The tables here are the page's form; `experiment` carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pellucid import legacy
from pellucid.config import TLS_1_2, TLS_1_3, Policy
from pellucid.errors import Reason, UsageError
from pellucid.live.line import PACES
from pellucid.wire.codepoints import CipherSuite, NamedGroup

#: Version: (its label, its policy).
VERSIONS: dict[str, tuple[str, Policy]] = {
    "1.3": ("TLS 1.3", Policy(versions=(TLS_1_3,))),
    "1.2": ("TLS 1.2, ephemeral keys", Policy(versions=(TLS_1_2,))),
    "static-rsa": ("TLS 1.2, static RSA: the textbook's", legacy.museum_policy()),
}

#: Kind of key: its label. What `pellucid.trust.building.KEY_KINDS` makes, as far as it is worth a choice.
CERTIFICATES = {
    "ecdsa-p256": "ECDSA, P-256",
    "ecdsa-p384": "ECDSA, P-384",
    "ed25519": "Ed25519",
    "rsa-2048": "RSA, 2048 bits",
    "ml-dsa-44": "ML-DSA-44, post-quantum",
}

#: Ways to go: (label, the versions that have it).
WAYS = {
    "full": ("a full handshake", ("1.3", "1.2", "static-rsa")),
    "hello-retry": ("the client guesses the wrong group", ("1.3",)),
    "client-certificate": ("the client shows a certificate too", ("1.3", "1.2", "static-rsa")),
    "resumption": ("resumed, from an earlier connection", ("1.3", "1.2", "static-rsa")),
    "early-data": ("resumed, with data in the first flight (0-RTT)", ("1.3",)),
}

_ALL = ("1.3", "1.2", "static-rsa")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong on purpose: where, in words, and in which versions it can."""

    where: str
    label: str
    versions: tuple[str, ...] = _ALL


#: What can go wrong. The names of the certificate's faults are those of `Authority.issue`.
FAULTS: dict[str, Fault] = {
    "none": Fault("", "nothing"),
    "expired": Fault("certificate", "it expired yesterday"),
    "not-yet-valid": Fault("certificate", "it is valid from tomorrow on"),
    "wrong-name": Fault("certificate", "it is for another host"),
    "unknown-ca": Fault("certificate", "an authority signed it that the client does not know"),
    "self-signed": Fault("certificate", "it vouches for itself"),
    "missing-intermediate": Fault("certificate", "the authority in between is not sent along"),
    "revoked": Fault("certificate", "it was revoked, and the stapled response says so"),
    "tampered": Fault("certificate", "one bit of it was changed"),
    "ca-as-leaf": Fault("certificate", "it is an authority's"),
    "wrong-extended-key-usage": Fault("certificate", "it was issued to sign code"),
    "weak-key": Fault("certificate", "its RSA key has 1024 bits", ("1.3", "1.2")),
    "wrong-signature": Fault("server", "its signature over the handshake is wrong", ("1.3", "1.2")),
    "no-signature": Fault("server", "it leaves its CertificateVerify out", ("1.3",)),
    "wrong-finished": Fault("server", "its Finished is wrong"),
    "unoffered-suite": Fault("server", "it chooses a cipher suite that was not offered"),
    "wrong-client-finished": Fault("client", "its Finished is wrong"),
    "no-suite": Fault("agreement", "there is no cipher suite that both allow", ("1.3", "1.2")),
    "no-version": Fault("agreement", "there is no version that both speak", ("1.3", "1.2")),
    "no-protocol": Fault("agreement", "there is no application protocol that both speak"),
    "no-client-certificate": Fault("agreement", "the server requires a client certificate; there is none"),
    "changed-hello": Fault("wire", "somebody changes one bit of the ClientHello"),
    "downgrade": Fault("wire", "somebody takes TLS 1.3 out of the ClientHello", ("1.3",)),
    "changed-record": Fault("wire", "somebody changes one bit of the encrypted data"),
    "cut": Fault("wire", "the line breaks in the middle of the handshake"),
}

#: Where faults can be, for the page's headings.
PLACES = {
    "certificate": "The certificate",
    "server": "The server misbehaves",
    "client": "The client misbehaves",
    "agreement": "They cannot agree",
    "wire": "Somebody on the wire",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """One experiment, as it was chosen.

    Attributes:
        version: a key of `VERSIONS`.
        suite, group: names as IANA registers them; "" leaves the choice to the two.
        certificate: a key of `CERTIFICATES`.
        way: a key of `WAYS`.
        fault: a key of `FAULTS`.
        pace: one of `pellucid.live.line.PACES`.
        host: a server in the world to look at instead; then the rest does not count, except `pace`.
    """

    version: str = "1.3"
    suite: str = ""
    group: str = ""
    certificate: str = "ecdsa-p256"
    way: str = "full"
    fault: str = "none"
    pace: str = "slowly"
    host: str = ""

    @classmethod
    def of(cls, given: Any) -> Choices:
        """The choices of a form.

        Raises:
            UsageError: it is none, or something does not fit together (`Reason.BAD_CONFIG`).

        >>> Choices.of({"version": "static-rsa", "certificate": "rsa-2048"}).title
        'TLS 1.2, static RSA: the textbook’s'
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(given, Mapping) or not set(given) <= names:
            raise UsageError(Reason.BAD_CONFIG, "that is no experiment")
        if not all(isinstance(value, str) and len(value) < 300 for value in given.values()):
            raise UsageError(Reason.BAD_CONFIG, "every choice is a short text")
        chosen = cls(**given)
        chosen.check()
        return chosen

    def check(self) -> None:
        """Raise UsageError (`Reason.BAD_CONFIG`) for choices that do not exist, or not together."""
        tables: tuple[tuple[str, Any], ...] = (
            ("version", VERSIONS), ("certificate", CERTIFICATES), ("way", WAYS), ("fault", FAULTS),
            ("pace", PACES), ("suite", ("", *suites(self.version))), ("group", ("", *groups(self.version))),
        )  # fmt: skip
        for name, table in tables:
            if getattr(self, name) not in table:
                raise UsageError(Reason.BAD_CONFIG, f"there is no {name} {getattr(self, name)!r} to choose")
        if self.version not in WAYS[self.way][1] or self.version not in FAULTS[self.fault].versions:
            raise UsageError(Reason.BAD_CONFIG, f"{VERSIONS[self.version][0]} does not have that")
        wanted = auth_of(self.suite)
        if (self.version == "static-rsa" or wanted == "RSA") and not self.certificate.startswith("rsa"):
            raise UsageError(Reason.BAD_CONFIG, "this needs a certificate with an RSA key")
        if wanted == "ECDSA" and self.certificate.startswith("rsa"):
            raise UsageError(Reason.BAD_CONFIG, "this suite needs a certificate with an elliptic curve's key")
        if self.version == "1.2" and self.certificate.startswith("ml-dsa"):
            raise UsageError(Reason.BAD_CONFIG, "TLS 1.2 knows no post-quantum signatures")

    @property
    def title(self) -> str:
        """What this is about, in a line."""
        if self.host:
            return self.host
        parts = [VERSIONS[self.version][0].replace("'", "’")]
        if self.way != "full":
            parts.append(WAYS[self.way][0])
        if self.fault != "none":
            parts.append(FAULTS[self.fault].label)
        return "; ".join(parts)

    def as_dict(self) -> dict[str, str]:
        """The form again."""
        return asdict(self)


def policy_of(version: str) -> Policy:
    """The policy of one of `VERSIONS`; the default's for any other word."""
    return VERSIONS[version][1] if version in VERSIONS else Policy()


def suites(version: str) -> list[str]:
    """The names of the cipher suites of a version."""
    return [CipherSuite.name_of(code) for code in policy_of(version).suites]


def groups(version: str) -> list[str]:
    """The names of the groups of a version; none where there is no key exchange with groups."""
    policy = policy_of(version)
    if version == "static-rsa":
        return []
    return [NamedGroup.name_of(code) for code in (policy.groups if policy.tls13 else policy.groups12)]


def auth_of(suite: str) -> str:
    """The kind of certificate that a suite needs: "RSA", "ECDSA", or "" for any.

    >>> auth_of("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), auth_of("TLS_AES_128_GCM_SHA256")
    ('ECDSA', '')
    """
    if "_WITH_" not in suite:
        return ""
    return "ECDSA" if "_ECDSA_" in suite else "RSA"


def form() -> dict[str, Any]:
    """The tables for the page, as JSON values."""
    return {
        "versions": [{"id": key, "label": label} for key, (label, _) in VERSIONS.items()],
        "suites": {key: [{"id": s, "auth": auth_of(s)} for s in suites(key)] for key in VERSIONS},
        "groups": {key: groups(key) for key in VERSIONS},
        "certificates": [{"id": key, "label": label} for key, label in CERTIFICATES.items()],
        "ways": [{"id": k, "label": label, "versions": versions} for k, (label, versions) in WAYS.items()],
        "places": PLACES,
        "faults": [{"id": key} | asdict(fault) for key, fault in FAULTS.items()],
        "paces": PACES,
        "first": Choices().as_dict(),
    }
