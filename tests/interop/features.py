"""The rows of the interoperation matrix: what is tried, what a peer needs for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

from .bench import CURVES, SUITES12, SUITES13, Peer, Setup

Role = Literal["client", "server"]
PSK = bytes(range(32))


@dataclasses.dataclass(frozen=True)
class Feature:
    """One row: `kind` says how it is run in test_matrix.py."""

    section: str
    name: str
    setup: Setup
    needs: frozenset[str]
    kind: Literal["plain", "retry", "update", "early"] = "plain"
    size: int = 3000

    def within(self, peer: Peer, role: Role) -> bool:
        """Whether the peer says that it can take the other side while pellucid is the `role`."""
        can = peer.server if role == "client" else peer.client
        return bool(can) and self.needs <= can and str(self) not in peer.lacks

    def __str__(self) -> str:
        return f"{self.section}: {self.name}"


def _versions() -> Iterator[Feature]:
    versions: tuple[Literal["1.3", "1.2"], ...] = ("1.3", "1.2")
    for version in versions:
        section = f"TLS {version}"
        for key, name in (("ecdsa", "ECDSA P-256"), ("rsa", "RSA"), ("ed25519", "Ed25519")):
            setup = Setup(version=version, key=key)
            size = 300_000 if key == "ecdsa" else 3000
            yield Feature(section, f"{name} certificate", setup, frozenset({version, key}), size=size)
        for key in ("ecdsa", "rsa"):
            setup = Setup(version=version, key=key, client_key=key)
            needs = frozenset({version, key, "client-auth"})
            yield Feature(section, f"client certificate, {key.upper()}", setup, needs)
        alpn = Setup(version=version, alpn=("http/1.1",))
        yield Feature(section, "ALPN", alpn, frozenset({version, "alpn", "ecdsa"}))
        again = Setup(version=version, times=2)
        yield Feature(section, "resumption", again, frozenset({f"resumption-{version}"}))
        psk = Setup(version=version, psk=PSK)
        if version == "1.2":
            psk = dataclasses.replace(psk, suites=("TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",))
        yield Feature(section, "external PSK", psk, frozenset({f"psk-{version}"}))


def _only12() -> Iterator[Feature]:
    ids = Setup(version="1.2", times=2, without=frozenset({"tickets"}))
    yield Feature("TLS 1.2", "resumption by session id", ids, frozenset({"session-id"}))


def _only13() -> Iterator[Feature]:
    def row(
        name: str, setup: Setup, *needs: str, kind: Literal["plain", "retry", "update", "early"]
    ) -> Feature:
        size = 40_000 if kind == "update" else 3000
        return Feature("TLS 1.3", name, setup, frozenset({"1.3", "ecdsa", *needs}), kind=kind, size=size)

    retry = Setup(version="1.3", groups=("secp384r1",))
    yield row("HelloRetryRequest", retry, "hrr", "secp384r1", kind="retry")
    yield row("KeyUpdate, asked for and answered", Setup(version="1.3"), kind="update")
    early = Setup(version="1.3", times=2, early_data=b"early birds\n")
    yield row("early data (0-RTT)", early, "early-data", kind="early")


def _suites() -> Iterator[Feature]:
    museum = ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384")
    static = (
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
    )
    for suite in (*sorted(SUITES13), "TLS_AES_128_CCM_SHA256"):
        setup = Setup(version="1.3", suites=(suite,))
        yield Feature("Cipher suites", suite, setup, frozenset({"1.3", suite}))
    ccm = ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "TLS_ECDHE_ECDSA_WITH_AES_256_CCM")
    for suite in (*sorted(SUITES12), *ccm, *museum, *static):
        key = "ecdsa" if "ECDSA" in suite else "rsa"
        setup = Setup(version="1.2", suites=(suite,), key=key)
        section = "The museum: static RSA and CBC" if suite in museum + static else "Cipher suites"
        # Records of TLS 1.2 and of old modes differ most in how they are cut: a few of them are sent.
        yield Feature(section, suite, setup, frozenset({"1.2", suite, key}), size=40_000)


def _groups() -> Iterator[Feature]:
    hybrids = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")
    for group in (*hybrids, *sorted(CURVES), "x448"):
        setup = Setup(version="1.3", groups=(group,))
        yield Feature("Groups, TLS 1.3", group, setup, frozenset({"1.3", "ecdsa", group}))
    for group in sorted(CURVES):
        # With an RSA leaf: in TLS 1.2 the list of groups also says which ECDSA keys are understood.
        setup = Setup(version="1.2", groups=(group,), key="rsa")
        yield Feature("Groups, TLS 1.2", group, setup, frozenset({"1.2", "rsa", group}))


def _extensions() -> Iterator[Feature]:
    def row(section: str, name: str, *needs: str, size: int = 3000, **setup: Any) -> Feature:
        wanted = Setup(version="1.2" if section == "TLS 1.2" else "1.3", **setup)
        needed = frozenset({wanted.version, wanted.key, *needs})
        return Feature(section, name, wanted, needed, size=size)

    for section in ("TLS 1.3", "TLS 1.2"):
        yield row(section, "Ed448 certificate", key="ed448")
        yield row(section, "SNI chooses the certificate", "sni", server_name="other.test")
        yield row(section, "exporter", "export", export="EXPORTER-Channel-Binding")
        yield row(section, "OCSP response stapled", "ocsp", staple=True)
        yield row(section, "SCT delivered", "sct", scts=True)
        yield row(section, "max_fragment_length 1024", "max-fragment-length", fragment=1024, size=5000)
        yield row(section, "record_size_limit", "record-size-limit", limit=2048, size=9000)
        greasy = (("grease", True), ("shuffle_extensions", True))
        yield row(section, "GREASE, extensions shuffled", ours=greasy)
        yield row(section, "records of 512 bytes at most", ours=(("max_send_fragment", 512),), size=5000)
        yield row(section, "raw public keys", "raw-keys", raw_keys=True)
        yield row(
            section, "raw public keys, of the client too", "raw-keys", raw_keys=True, client_key="ecdsa"
        )
    yield row("TLS 1.3", "ML-DSA-65 certificate", key="mldsa65")
    for algorithm in ("zlib", "brotli", "zstd"):
        yield row("TLS 1.3", f"certificate compressed with {algorithm}", algorithm, compression=algorithm)
    yield row(
        "TLS 1.3", "post-handshake authentication", "post-handshake-auth", client_key="ecdsa", later=True
    )
    yield row("TLS 1.3", "no middlebox compatibility mode", ours=(("middlebox_compatibility", False),))
    yield row("TLS 1.3", "padded records", ours=(("padding", lambda size: -size % 256),))
    yield row("TLS 1.2", "channel binding tls-unique", "tls-unique", export="tls-unique")
    plain = frozenset({"ems"})
    yield row("TLS 1.2", "no extended master secret, by policy", "no-ems", without=plain)
    cbc = ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",)
    both: dict[str, Any] = {"key": "rsa", "suites": cbc, "size": 40_000}
    yield row("TLS 1.2", "encrypt_then_mac", cbc[0], "etm", **both)
    yield row("TLS 1.2", "MAC, then encrypt", cbc[0], without=frozenset({"etm"}), **both)


FEATURES: tuple[Feature, ...] = (
    Feature("Defaults", "nothing set on either side", Setup(), frozenset({"ecdsa"}), size=100_000),
    *_versions(),
    *_only13(),
    *_only12(),
    *_extensions(),
    *_suites(),
    *_groups(),
)
