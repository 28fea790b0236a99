"""What must have come out of a handshake, by the `-expect-*` flags."""

from __future__ import annotations

import hashlib
from typing import Any

from bogo.answers import Answers
from bogo.credentials import join_scts, open_file
from bogo.flags import Mismatch, Settings
from pellucid.connection import Connection
from pellucid.info import ConnectionInfo

_FIELDS = frozenset(ConnectionInfo._fields)


def info_of(conn: Connection) -> ConnectionInfo:
    """The facts so far, also while early data comes before the end of the handshake."""
    if conn.handshake_complete:
        return conn.info
    return ConnectionInfo(**{name: fact for name, fact in conn._facts.items() if name in _FIELDS})


def check(settings: Settings, conn: Connection, answers: Answers, *, resuming: bool, reason: str) -> None:
    """Compare everything.

    Raises:
        Mismatch: something differs.
    """
    info = info_of(conn)

    def same(flag: str, found: Any, *, always: bool = False) -> None:
        wanted = settings[flag]
        if (wanted or always) and wanted != found:
            raise Mismatch(f"-{flag}: wanted {wanted!r}, got {found!r}")

    def true(flag: str, found: bool) -> None:
        if settings[flag] and not found:
            raise Mismatch(f"-{flag}: it is not so")

    reused = resuming and not settings["expect-session-miss"]
    if info.resumed != reused:
        raise Mismatch(f"session was {'' if info.resumed else 'not '}reused, against expectation")
    same("expect-version", info.version)
    for flag in ("expect-cipher", "expect-cipher-aes"):
        same(flag, info.cipher_suite)
    same("expect-curve-id", info.group or 0)
    same("expect-peer-signature-algorithm", info.signature_scheme or 0)
    alpn = (info.alpn or "").encode("latin-1")
    same("select-alpn" if settings["server"] else "expect-alpn", alpn, always=True)
    same("expect-server-name", (info.server_name or "").encode())
    true("expect-no-server-name", info.server_name is None)
    true("expect-extended-master-secret", info.extended_master_secret)
    true("expect-secure-renegotiation", info.secure_renegotiation)
    true("expect-no-secure-renegotiation", not info.secure_renegotiation)
    true("expect-hrr", info.retried)
    true("expect-no-hrr", not info.retried)
    true("expect-accept-early-data", info.early_data == "accepted")
    true("expect-reject-early-data", info.early_data != "accepted")
    if "expect-early-data-reason" in settings:
        same("expect-early-data-reason", reason.encode())
    if "expect-selected-credential" in settings:
        selected, wanted = (
            answers.selected_credential(info.psk_identity),
            settings["expect-selected-credential"],
        )
        if selected != wanted:
            raise Mismatch(f"credential {selected} was used, wanted {wanted}")
    if resuming:
        same("expect-ticket-age-skew", round(info.ticket_age_error or 0))
    check_peer(settings, conn, info, same, true)


def check_peer(settings: Settings, conn: Connection, info: ConnectionInfo, same: Any, true: Any) -> None:
    """Who the peer is."""
    same("expect-ocsp-response", info.ocsp_response or b"")
    same("expect-signed-cert-timestamps", join_scts(info.scts))
    shown = bool(info.peer_chain) or info.peer_public_key is not None
    true("expect-no-peer-cert", not shown)
    if info.external_psk and shown:
        raise Mismatch("a certificate beside a pre-shared key")
    needed = not settings["server"] or settings["require-any-client-certificate"]
    if settings["psk"]:
        needed = False
    if needed and not info.external_psk and not settings["expect-no-peer-cert"] and not shown:
        raise Mismatch("no peer certificate")
    if settings["expect-peer-cert-file"]:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        pem = open_file(settings["expect-peer-cert-file"].decode())
        wanted = tuple(one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem))
        if info.peer_chain != wanted:
            raise Mismatch("the peer's chain is not the one expected")
    if "expect-peer-certificate-type" in settings:
        kind = 2 if info.peer_public_key is not None else 0
        if kind != settings["expect-peer-certificate-type"]:
            raise Mismatch(f"a peer certificate of type {kind}")
    if settings["expect-peer-rpk-sha256"]:
        digest = hashlib.sha256(info.peer_public_key or b"").digest()
        same("expect-peer-rpk-sha256", digest)
