"""BoringSSL's compliance policies, its server names, and what is not QUIC."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bogo.loopback import P12, P13, Peer, Runner, as_client, as_server, echo, quiet, refused
from pellucid import ClientConfig, Policy, ServerConfig, Trust
from pellucid.resumption.sessions import Session
from pellucid.trust.authority import Authority
from pellucid.trust.identity import Identity

FIPS, WPA, CNSA1, CNSA2 = "-fips-202205", "-wpa-202304", "-cnsa1-202603", "-cnsa2-202603"


@pytest.mark.parametrize(
    ("flag", "allowed", "forbidden"),
    [
        (FIPS, {"cipher_suites": (0x1301,)}, {"cipher_suites": (0x1303,)}),
        (FIPS, {"groups": (24,)}, {"groups": (29,)}),
        (FIPS, {"signature_schemes": (0x0403,)}, {"signature_schemes": (0x0807, 0x0603)}),
        (WPA, {"cipher_suites": (0x1302,), "groups": (24,)}, {"cipher_suites": (0x1301,), "groups": (24,)}),
        (CNSA1, {"groups": (24, 0x0202)}, {"groups": (23, 0x11EC)}),
        (CNSA2, {"groups": (0x0202,), "signature_schemes": (0x0503,)}, {"groups": (24,)}),
    ],
)
def test_a_policy_allows_some_and_forbids_the_rest(
    runner: Runner,
    authority: Authority,
    tmp_path: Path,
    flag: str,
    allowed: dict[str, Any],
    forbidden: dict[str, Any],
) -> None:
    """As the runner asks: with one suite, group or scheme at a time, and certificates that would do."""
    kind = {WPA: "ecdsa-p384", CNSA1: "ecdsa-p384", CNSA2: "ecdsa-p384"}.get(flag, "ecdsa-p256")
    identity = authority.issue("test", key=kind)
    shown, key = identity.write(tmp_path)
    server = ["-server", "-cert-file", str(shown), "-key-file", str(key), flag]
    for settings, code in ((allowed, 0), (forbidden, 1)):
        schemes = {"signature_schemes": (*P13.signature_schemes, 0x0906)}
        policy = P13.replace(**{**schemes, "key_shares": None, **settings})
        client = ClientConfig(policy=policy, trust=Trust.insecure())
        assert runner.run(server, as_client(client, echo if code == 0 else quiet)) == code
        if "signature_schemes" not in settings:
            served = ServerConfig(policy=policy, identities=(identity,))
            assert runner.run([flag], as_server(served, echo if code == 0 else quiet)) == code


def test_cnsa_prefers_aes_256_and_ml_kem(
    runner: Runner, authority: Authority, tmp_path: Path, key_flags: list[str]
) -> None:
    def suite(code: int) -> Callable[[Peer], None]:
        def check(peer: Peer) -> None:
            assert peer.conn.info.cipher_suite == code

        return check

    for offered, chosen in (((0x1303, 0x1301, 0x1302), 0x1302), ((0x1303, 0x1301), 0x1301)):
        client = ClientConfig(policy=P13.replace(cipher_suites=offered), trust=Trust.insecure())
        assert (
            runner.run(["-server", *key_flags, "-cnsa-202407"], as_client(client, suite(chosen), echo)) == 0
        )
    shown, key = authority.issue("test", key="ecdsa-p384").write(tmp_path)
    client = ClientConfig(policy=P13.replace(groups=(24, 0x0202)), trust=Trust.insecure())
    server = ["-server", "-cert-file", str(shown), "-key-file", str(key), CNSA1]
    assert runner.run([*server, "-expect-curve-id", "514"], as_client(client, echo)) == 0


def test_groups_of_equal_preference_follow_the_client(runner: Runner, key_flags: list[str]) -> None:
    curves = ["-curves", "24", "-curves", "23", "-curves", "29", "-server-preference"]
    flags = ["-curves-flags", "0", "-curves-flags", "1", "-curves-flags", "0"]
    client = ClientConfig(policy=P13.replace(groups=(29, 23)), trust=Trust.insecure())
    server = ["-server", *key_flags, *curves]
    assert runner.run([*server, *flags, "-expect-curve-id", "29"], as_client(client, echo)) == 0
    assert runner.run([*server, "-expect-curve-id", "23"], as_client(client, echo)) == 0


def test_quic_parameters_are_for_quic(
    runner: Runner, identity: Identity, authority: Authority, key_flags: list[str]
) -> None:
    from pellucid.lab import MisbehavingClient, extensions
    from pellucid.wire.messages import ClientHello

    assert runner.run(["-quic-transport-params", "AwQ=", "-quic-use-legacy-codepoint", "1"]) == 1
    assert ":QUIC_TRANSPORT_PARAMETERS_MISCONFIGURED:" in runner.stderr
    for policy in (P13, P12):
        client = ClientConfig(policy=policy, trust=authority.trust())

        def send(code: int, then: Callable[[Peer], None], client: Any = client) -> Any:
            def script(sock: socket.socket) -> None:
                fault = extensions(ClientHello, {code: b"\1\2"})
                peer = Peer(sock, MisbehavingClient(client, "test", fault))
                peer.handshake()
                then(peer)

            return script

        server = ["-server", *key_flags, "-quic-use-legacy-codepoint", "0"]
        assert runner.run(server, send(57, refused(110))) == 1
        assert runner.run(server, send(0xFFA5, echo)) == 0


def test_a_server_name_is_acknowledged_or_not(
    runner: Runner, authority: Authority, key_flags: list[str]
) -> None:
    """And never when the session is resumed, as BoringSSL has it in both versions."""
    from pellucid.glass import Trace
    from pellucid.wire.codepoints import ExtensionType
    from pellucid.wire.messages import EncryptedExtensions, ServerHello

    for policy in (P13, P12):
        for more, first_time in (([], True), (["-no-server-name-ack"], False)):
            kept: list[Session] = []
            acknowledged: list[bool] = []

            def once(
                sock: socket.socket, policy: Policy = policy, kept: Any = kept, out: Any = acknowledged
            ) -> None:
                trace = Trace()
                client = ClientConfig(
                    policy=policy, trust=authority.trust(), observer=trace, sessions=tuple(kept)
                )
                as_client(client, echo, lambda peer: kept.extend(peer.sessions()))(sock)
                kind = EncryptedExtensions if policy is P13 else ServerHello
                messages = [fact for fact in trace.facts if fact.kind == "message"]
                raw = next(fact.raw for fact in messages if fact.type == kind.msg_type)
                out.append(ExtensionType.server_name in kind.decode(raw[4:]).extensions)

            flags = ["-server", *key_flags, "-resume-count", "1", "-expect-server-name", "test", *more]
            assert runner.run(flags, once, once) == 0
            assert acknowledged == [first_time, False]
