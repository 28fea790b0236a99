"""TLS 1.2's own: every suite, both ways; and signers that hold the key elsewhere, in either version."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pellucid import Identity, Policy, PreSharedKey, Secret, open_connection, start_server
from pellucid.crypto.signatures import sign
from pellucid.crypto.suites import SUITES
from pellucid.errors import Reason
from pellucid.lab import edit
from pellucid.wire.codepoints import Alert
from pellucid.wire.messages import (
    ClientKeyExchangeECDHE,
    NewSessionTicket12,
    ServerHello,
    ServerKeyExchangeECDHE,
)
from rfc.world import (
    AUTHORITY,
    ECDSA,
    RSA,
    TLS12,
    TLS13,
    client,
    client_config,
    connected,
    refused,
    server,
    server_config,
    talk,
)

KEY = PreSharedKey(b"device", Secret(bytes(range(32))))


@pytest.mark.parametrize(
    "suite", [one for one in SUITES.values() if not one.tls13], ids=lambda suite: suite.name
)
def test_every_suite(suite: Any) -> None:
    """Data both ways under each suite that is not in the museum."""
    policy = TLS12.replace(cipher_suites=(suite.code,))
    psks = (KEY,) if suite.auth == "PSK" else ()
    found = connected(
        client(policy=policy, psks=psks),
        server(policy=policy, psks=psks, identities=(RSA if suite.auth == "RSA" else ECDSA,)),
    )
    found.client.send_data(b"there" * 10_000)
    found.server.send_data(b"back")
    found.go_on()
    assert (found.data("server"), found.data("client")) == (b"there" * 10_000, b"back")
    assert found.client.info.cipher_suite == suite.code
    assert (found.client.info.group is None) is (suite.kx == "PSK")


@pytest.mark.parametrize("public", [b"", b"\0", b"\4" + bytes(64), bytes(32), b"\2" + bytes(32)])
def test_shares_that_are_none(public: bytes) -> None:
    """RFC 8422 section 5.11: a point that is not on the curve, from either side."""
    policy = TLS12.replace(groups=(0x17,))
    found = talk(client(edit(ClientKeyExchangeECDHE, ecdh_Yc=public), policy=policy), server(policy=policy))
    reason, alert = (
        (Reason.BAD_KEY_SHARE, Alert.illegal_parameter)
        if public
        else (Reason.DECODE_ERROR, Alert.decode_error)
    )
    refused(found, "server", reason, alert)

    def change(message: Any) -> None:
        message.params.public = public

    found = talk(client(policy=policy), server(edit(ServerKeyExchangeECDHE, change), policy=policy))
    assert found.client_error is not None  # the signature covers the share, and is checked first
    assert found.client_error.reason in (Reason.BAD_SIGNATURE, Reason.DECODE_ERROR)


def test_a_ticket_that_was_not_announced() -> None:
    """RFC 5077 section 3.3: only after an empty session_ticket in the ServerHello."""
    from pellucid.lab import ChangeCipherSpec, extensions, insert
    from pellucid.wire.codepoints import ExtensionType as X

    fault = insert(NewSessionTicket12(60, b"ticket"), before=ChangeCipherSpec)
    config = server_config(TLS12, session_ticket_12=False)
    refused(
        talk(client(policy=TLS12), server(fault, config=config)),
        "client",
        Reason.UNEXPECTED_MESSAGE,
        Alert.unexpected_message,
    )
    unasked = extensions(ServerHello, {X.session_ticket: b""})
    found = talk(client(policy=TLS12, session_tickets=False), server(unasked, policy=TLS12))
    refused(found, "client", Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension)


# -- signers ---------------------------------------------------------------------------------------


class Vault:
    """Holds a key that nobody sees; signs at once, or after a while."""

    def __init__(self, identity: Identity, *, late: bool) -> None:
        self._key = identity.key
        self.public_key = identity.public_key
        self.late = late
        self.signed = 0

    def sign(self, scheme: int, data: bytes) -> Any:
        self.signed += 1
        if not self.late:
            return sign(scheme, self._key, data)
        return self._later(scheme, data)

    async def _later(self, scheme: int, data: bytes) -> bytes:
        await asyncio.sleep(0.005)
        return sign(scheme, self._key, data)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa-2048", "ed25519"])
def test_a_signer_that_answers_at_once_or_late(policy: Policy, late: bool, kind: str) -> None:
    """An identity whose key is elsewhere, on both sides; nobody has to ask for the questions."""
    vaults = []
    identities = []
    for name, for_client in (("localhost", False), ("somebody", True)):
        whole = AUTHORITY.issue(name, key=kind, client=for_client)
        vaults.append(Vault(whole, late=late))
        identities.append(Identity(whole.chain, vaults[-1]))

    async def run() -> bytes:
        async def hello(stream: Any) -> None:
            await stream.send(b"hello")

        config = server_config(
            policy, identities=(identities[0],), client_auth="require", client_trust=AUTHORITY.trust()
        )
        listening = await start_server(hello, config)
        port = listening.sockets[0].getsockname()[1]
        mine = client_config(policy, identities=(identities[1],))
        async with await open_connection("localhost", port, config=mine) as stream:
            data: bytes = await stream.read(10)
        listening.close()
        return data

    assert asyncio.run(run()) == b"hello"
    assert [vault.signed for vault in vaults] == [1, 1]
