"""Configurations: from the flags of one connection to a `ClientConfig` or `ServerConfig`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bogo.compliance import compliance_of, own_order
from bogo.flags import PKCS1_LEGACY, SHA1, Mismatch, Settings, unimplemented
from pellucid.config import ClientConfig, Config, Policy, ServerConfig
from pellucid.crypto.groups import GROUPS
from pellucid.crypto.signatures import SCHEMES
from pellucid.crypto.suites import SUITES, legacy_suites
from pellucid.events import SelectConfig, SelectIdentity, VerifyPeer, VerifyPublicKey
from pellucid.resumption.psk import PreSharedKey, import_psk
from pellucid.resumption.tickets import SessionStore, TicketKeys
from pellucid.secret import Secret

X25519MLKEM768 = 0x11EC

#: The order of preference of "ALL": that of BoringSSL's own list.
SUITES_13 = (0x1301, 0x1302, 0x1303)
SUITES_12 = (
    *(0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8),
    *(0xC009, 0xC023, 0xC013, 0xC027, 0xC00A, 0xC014),
    *(0x9C, 0x9D, 0x2F, 0x35),
)
SUITES_PSK = (0xCCAC, 0xC035, 0xC036, 0x8C, 0x8D)
GROUPS_BY_DEFAULT = (X25519MLKEM768, 29, 23, 24)
VERIFY_BY_DEFAULT = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
MAX_EARLY_DATA = 14336
TICKET_AGE_SKEW = 60


class Clock:
    """A clock that is moved by hand (`-resumption-delay`)."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        """Seconds since 1970."""
        return self.time


class AnyGuard:
    """BoringSSL has no memory for replayed early data, and the runner's tests take that for granted."""

    def first_time(self, token: bytes, now: float) -> bool:
        """Always."""
        return True


class Tickets:
    """Tickets as the flags want them.

    Attributes:
        keys: shared by all connections of the process.
        accept: whether tickets are accepted at all.
        skip: give none.
    """

    def __init__(self, keys: TicketKeys, *, accept: bool, skip: bool) -> None:
        self.keys = keys
        self.accept = accept
        self.skip = skip

    def seal(self, session: bytes) -> bytes:
        """A ticket; an empty one says no (RFC 5077 section 3.3)."""
        return b"" if self.skip else self.keys.seal(session)

    def open(self, ticket: bytes) -> bytes | None:
        """The session, or None."""
        return self.keys.open(ticket) if self.accept else None


class Memory:
    """What connections of the same process share: ticket keys, the session cache, the clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.keys = TicketKeys(clock=self.clock.now, rotation=0)
        self.cache = SessionStore(single_use=False)
        self.answered = False  # the last connection came further than the first hello


# -- policy ------------------------------------------------------------------------------------------


def versions_of(settings: Settings) -> tuple[int, ...]:
    """TLS 1.3 and 1.2, as far as the flags allow them."""
    low, high = settings["min-version"] or 0x0301, settings["max-version"] or 0x0304
    found = tuple(
        version
        for version, off in ((0x0304, "no-tls13"), (0x0303, "no-tls12"))
        if low <= version <= high
        and not settings[off]
        and (version == 0x0304 or not serves_psks_only(settings))
    )
    compliance = compliance_of(settings)
    if compliance is not None and compliance.suites12 == ():
        found = tuple(version for version in found if version == 0x0304)
    if not found and not all(settings[f"no-tls{v}"] for v in ("1", "11")):
        unimplemented("TLS 1.0 and 1.1")
    return found


def cipher_groups(text: str) -> list[tuple[int, ...]]:
    """An OpenSSL cipher string, as far as the runner uses it; `[A|B]` is a group of equals."""
    names = {}
    for suite in (*SUITES.values(), *legacy_suites().values()):
        names[suite.name] = names[suite.openssl_name] = suite.code
    aliases = {"ALL": (*SUITES_12, *SUITES_PSK), "DEFAULT": SUITES_12, "3DES": ()}
    aliases["AES"] = tuple(c for c in aliases["ALL"] if c not in (0xCCA8, 0xCCA9, 0xCCAC))
    aliases["AES128"] = tuple(code for name, code in names.items() if "AES_128" in name and "CCM" not in name)
    found: list[tuple[int, ...]] = []
    for item in text.split(":"):
        if item.startswith("!"):
            found = [tuple(c for c in group if c not in aliases[item[1:]]) for group in found]
        elif item.startswith("["):
            found.append(tuple(names[name] for name in item[1:-1].split("|")))
        elif item in aliases:
            found += [(code,) for code in aliases[item]]
        elif item in names:
            found.append((names[item],))
        else:
            unimplemented(f"-cipher {item}")
    return [group for group in found if group]


def suites_of(settings: Settings, versions: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The suites, in groups of equals."""
    compliance = compliance_of(settings)
    newer = compliance.suites13 if compliance is not None else SUITES_13
    groups: list[tuple[int, ...]] = [(code,) for code in newer] if 0x0304 in versions else []
    if 0x0303 in versions:
        if compliance is not None and compliance.suites12 is not None:
            older: list[tuple[int, ...]] = [(code,) for code in compliance.suites12]
        elif settings["cipher"]:
            older = cipher_groups(settings["cipher"].decode())
        else:
            older = [(code,) for code in SUITES_12]
            if settings["psk"]:
                older += [(code,) for code in SUITES_PSK]
        if not older and not groups:
            unimplemented("a cipher list of which pellucid knows nothing")
        groups += older
    return groups


def groups_of(settings: Settings) -> tuple[int, ...]:
    """The key exchange groups."""
    compliance = compliance_of(settings)
    chosen = settings["curves"] or (compliance and compliance.groups) or GROUPS_BY_DEFAULT
    unknown = [group for group in chosen if group not in GROUPS]
    if unknown:
        unimplemented(f"the group {unknown[0]}")
    return tuple(chosen)


def shares_of(settings: Settings, groups: tuple[int, ...]) -> tuple[int, ...] | None:
    """The groups that the client sends shares for; None leaves it to the policy."""
    hint = settings["server-supported-groups-hint"]
    shared = [group for group in groups if group in hint]
    if shared:
        return (shared[0],)
    if settings["no-key-shares"]:
        return ()
    return tuple(settings["key-shares"]) or None


def policy_of(settings: Settings) -> Policy:
    """What may be negotiated."""
    versions = versions_of(settings)
    if not versions:
        raise Mismatch(":NO_SUPPORTED_VERSIONS_ENABLED:")
    if settings["quic-transport-params"]:
        raise Mismatch(":QUIC_TRANSPORT_PARAMETERS_MISCONFIGURED:")
    groups = groups_of(settings)
    compliance = compliance_of(settings)
    prefs = settings["verify-prefs"] or (compliance and compliance.schemes) or VERIFY_BY_DEFAULT
    schemes = tuple(scheme for scheme in prefs if scheme in SCHEMES)
    if not schemes or (settings["verify-prefs"] and set(prefs) & (SHA1 | PKCS1_LEGACY)):
        unimplemented("signatures with SHA-1, or PKCS#1 v1.5 in TLS 1.3")
    compression: tuple[int, ...] = ()
    if settings["install-cert-compression-algs"]:
        compression = (0xFF02, 0xFF01, 0xFF03)
    elif settings["install-one-cert-compression-alg"]:
        compression = (settings["install-one-cert-compression-alg"],)
    if compression:
        install_compression()
    return Policy(
        versions=versions,
        cipher_suites=tuple(code for group in suites_of(settings, versions) for code in group),
        groups=groups,
        key_shares=shares_of(settings, groups),
        signature_schemes=schemes,
        require_extended_master_secret=False,
        require_secure_renegotiation=settings["no-legacy-server-connect"],
        encrypt_then_mac=False,
        grease=settings["enable-grease"] or settings["server"],
        shuffle_extensions=settings["permute-extensions"],
        certificate_compression=compression,
        compress_above=0,
        max_send_fragment=settings["max-send-fragment"] or 16384,
        send_fallback_scsv=settings["fallback-scsv"],
        hello_requests="ignore" if settings["renegotiate-ignore"] else "refuse",
        legacy=frozenset({"static-rsa", "cbc", "unsafe-bindings"}),
    )


def install_compression() -> None:
    """The runner's three mock algorithms (its addCertCompressionTests says what they do)."""
    import os

    from pellucid.errors import Reason, refuse
    from pellucid.wire.compression import register

    def strip(prefix: bytes) -> Callable[[bytes, int], bytes]:
        def undo(data: bytes, size: int) -> bytes:
            if not data.startswith(prefix) or len(data) != size + len(prefix):
                refuse(Reason.BAD_CERTIFICATE_COMPRESSION)
            return data[len(prefix) :]

        return undo

    def restore(data: bytes, size: int) -> bytes:
        if size != len(data) + 2:
            refuse(Reason.BAD_CERTIFICATE_COMPRESSION)
        return bytes(2) + data

    def drop(data: bytes, size: int) -> bytes:
        if size + 1 != len(data):
            refuse(Reason.BAD_CERTIFICATE_COMPRESSION)
        return data[1:]

    register(0xFF02, lambda data: b"\1\2\3\4" + data, strip(b"\1\2\3\4"))
    register(0xFF01, lambda data: data[2:], restore)
    register(0xFF03, lambda data: os.urandom(1) + data, drop)


# -- keys and names ----------------------------------------------------------------------------------


def imports_psks(settings: Settings) -> bool:
    """Whether there are external keys for TLS 1.3."""
    return any(flags["type"] == "psk" for flags in settings.credentials)


def serves_psks_only(settings: Settings) -> bool:
    """Whether a server has nothing else to authenticate with: then TLS 1.2 is out of the question."""
    if not imports_psks(settings) or not settings["server"]:
        return False
    return not (settings.default.get("key-file") or any(f["type"] != "psk" for f in settings.credentials))


def psks_of(settings: Settings) -> tuple[PreSharedKey, ...]:
    """External keys: of TLS 1.2's PSK suites, and imported ones (RFC 9258)."""
    found: list[PreSharedKey] = []
    if settings["psk"]:
        found.append(PreSharedKey(settings["psk-identity"], Secret(settings["psk"])))
    for flags in settings.credentials:
        if flags["type"] == "psk":
            found += imported(flags)
    return tuple(found)


def imported(flags: dict[str, Any]) -> tuple[PreSharedKey, ...]:
    """The keys that a `-new-psk-credential` stands for (RFC 9258)."""
    return import_psk(
        flags["psk-importer-identity"],
        flags["psk-importer-key"],
        flags.get("psk-importer-context", b""),
        hash="sha384" if flags.get("psk-importer-sha384") else "sha256",
    )


def split_alpn(wire: bytes) -> tuple[str, ...]:
    """A list of ALPN names as on the wire, without its own length."""
    found = []
    while wire:
        found.append(wire[1 : 1 + wire[0]].decode("latin-1"))
        wire = wire[1 + wire[0] :]
    return tuple(found)


def authorities_of(text: bytes) -> tuple[bytes, ...]:
    """Names in DER, in hex, with commas."""
    if text in (b"", b"<NULL>", b"<EMPTY>"):
        return ()
    return tuple(bytes.fromhex(part) for part in text.decode().split(","))


# -- the configurations ------------------------------------------------------------------------------


def config_of(settings: Settings, memory: Memory, identities: tuple[Any, ...], sessions: Any) -> Config:
    """The whole configuration of one connection."""
    policy = policy_of(settings)
    common: dict[str, Any] = {
        "policy": policy,
        "identities": identities,
        "psks": psks_of(settings),
        "now": memory.clock.now,
    }
    if settings["max-cert-list"]:
        common["max_certificate_message"] = settings["max-cert-list"]
    if settings["server"]:
        return server_config(settings, memory, common)
    kinds = tuple(dict.fromkeys(0 if one.chain else 2 for one in identities))
    verifies = settings["verify-peer"] or settings["use-custom-verify-callback"]
    return ClientConfig(
        resume_across_alpn=True,
        ask=frozenset({VerifyPeer, VerifyPublicKey, SelectIdentity}),
        alpn=split_alpn(settings["advertise-alpn"]),
        sessions=sessions,
        early_data=settings["enable-early-data"],
        request_ocsp=settings["enable-ocsp-stapling"],
        request_scts=settings["enable-signed-cert-timestamps"],
        verify_resumed=settings["reverify-on-resume"],
        session_tickets=not settings["no-ticket"],
        server_certificate_types=settings["accepted-peer-cert-types"] or (0,),
        client_certificate_types=settings["available-client-cert-types"] or kinds or (0,),
        require_psk=imports_psks(settings) and not verifies,
        **common,
    )


def server_config(settings: Settings, memory: Memory, common: dict[str, Any]) -> ServerConfig:
    """A server's."""
    auth = "none"
    if settings["require-any-client-certificate"]:
        auth = "require"
    if settings["verify-peer"]:
        auth = "request"
    skip = settings["skip-ticket"]
    off = settings["no-ticket"]
    kinds = tuple(0 if one.chain else 2 for one in common["identities"])  # their order decides
    return ServerConfig(
        resume_across_alpn=True,
        ask=frozenset({VerifyPeer, VerifyPublicKey, SelectIdentity, SelectConfig}),
        client_auth=auth,
        certificate_authorities=authorities_of(settings["use-client-ca-list"]),
        tickets=0 if off or skip else 2,
        ticket_issuer=Tickets(memory.keys, accept=not off, skip=skip),
        session_ticket_12=not off,
        session_cache=memory.cache,
        max_early_data=MAX_EARLY_DATA if settings["enable-early-data"] else 0,
        replay_guard=AnyGuard(),
        early_data_window=TICKET_AGE_SKEW,
        psk_identity_hint=settings["psk-identity"],
        client_certificate_types=tuple(settings["accepted-peer-cert-types"]) or (0,),
        server_certificate_types=tuple(dict.fromkeys(kinds)) or (0,),
        cipher_preference="server" if own_order(settings) else "client",
        acknowledge_server_name="never" if settings["no-server-name-ack"] else "first",
        **common,
    )
