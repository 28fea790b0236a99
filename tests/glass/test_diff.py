"""Two handshakes side by side."""

from __future__ import annotations

import dataclasses

import pytest

from pellucid import ClientConnection, Policy, ServerConnection, TLSError
from pellucid.glass.capture import Capture, KeyRing, conversations, export, listen
from pellucid.glass.diff import Diff, diff
from pellucid.glass.trace import Trace
from pellucid.legacy import museum_policy
from pellucid.wire.codepoints import NamedGroup
from support import TLS12, TLS13, House, pump


def traces(
    house: House, policy: Policy = TLS13, kind: str = "rsa-2048", server: Policy | None = None
) -> tuple[Trace, Trace]:
    client, other = Trace(), Trace()
    pair = (
        ClientConnection(house.client(policy, observer=client), "localhost"),
        ServerConnection(house.servers(server or policy, kind, observer=other)),
    )
    pump(*pair)
    return client, other


def told(found: Diff) -> dict[str, tuple[str | None, str | None]]:
    return {one.what: (one.a, one.b) for one in found.differences}


def test_both_ends_and_a_listener_tell_the_same(house: House) -> None:
    for policy in (TLS13, TLS12, museum_policy()):
        client, server = traces(house, policy)
        assert diff(client, server).differences == ()
        capture = Capture.read(export(client))
        (conversation,) = conversations(capture.packets)
        heard = listen(conversation, KeyRing(capture.secrets))
        assert heard is not None
        assert diff(client, heard).differences == ()


def test_yesterday_and_today(house: House) -> None:
    found = diff(traces(house, museum_policy())[0], traces(house, TLS13)[0])
    said = told(found)
    assert said["version"] == ("TLS 1.2", "TLS 1.3")
    assert said["cipher suite"] == ("TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256")
    assert said["group"] == (None, "X25519MLKEM768")
    assert said["flights"] == ("4", "3")
    follows = {one.what: one.follows for one in found.differences}
    assert "forward secrecy" in follows["cipher suite"]
    assert "round trip" in follows["version"]
    assert "quantum" in follows["group"]
    assert "subject" in found.same


def test_lists_say_what_the_other_lacks(house: House) -> None:
    few = TLS13.replace(groups=(NamedGroup.x25519, NamedGroup.secp256r1))
    said = told(diff(traces(house, few)[0], traces(house, TLS13.replace(groups=(NamedGroup.x25519,)))[0]))
    assert said["groups"] == ("secp256r1 (and 1 that both have)", "nothing (and 1 that both have)")
    turned = TLS13.replace(groups=few.groups[::-1], key_shares=(NamedGroup.x25519,))
    said = told(diff(traces(house, few)[0], traces(house, turned)[0]))
    assert said["groups"][0] == "the same, in this order: x25519, secp256r1"


def test_a_retry_and_a_failure(house: House) -> None:
    retried = traces(house, TLS13, server=Policy(groups=(NamedGroup.secp384r1,)))[0]
    said = told(diff(traces(house)[0], retried))
    assert said["another hello asked for"] == ("no", "yes")
    client, server = Trace(), Trace()
    pair = (
        ClientConnection(house.client(TLS13, observer=client), "localhost"),
        ServerConnection(house.servers(TLS12, observer=server)),
    )
    with pytest.raises(TLSError):
        pump(*pair)
    ended = told(diff(traces(house)[0], server))["ended"]
    assert ended[0] == "the handshake was completed"
    assert ended[1] is not None
    assert ended[1].startswith("unsupported-protocol")


def test_differences_are_plain_values(house: House) -> None:
    for one in diff(traces(house, TLS12)[0], traces(house)[0]).differences:
        assert all(value is None or isinstance(value, str) for value in dataclasses.asdict(one).values())
