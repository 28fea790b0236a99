"""Every request may be awaited, in every shell: the same questions, answered late by a coroutine.

DESIGN rule 3: certificate choice, signing, verification, look-up of keys. Here each shell has a
client and a server whose configurations hold nothing but the questions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute

import pellucid
from pellucid import (
    Authority,
    ClientConfig,
    Policy,
    PreSharedKey,
    Reason,
    Secret,
    ServerConfig,
    TLSError,
    legacy,
)
from pellucid.crypto.signatures import sign
from pellucid.events import (
    Decrypt,
    FindPsk,
    Request,
    SelectConfig,
    SelectIdentity,
    Sign,
    VerifyPeer,
    VerifyPublicKey,
)
from pellucid.io import anyio as tls_anyio
from pellucid.trust.identity import Identity

AUTHORITY = Authority.create()
SERVER, CLIENT = AUTHORITY.issue("localhost"), AUTHORITY.issue("somebody", client=True)
RSA = AUTHORITY.issue("localhost", key="rsa-2048")
KEY = PreSharedKey(b"device", Secret(bytes(range(32))))
TLS13, TLS12 = Policy(versions=(0x0304,)), Policy(versions=(0x0303,))
PSK12 = TLS12.replace(cipher_suites=(0xD001,))
PAUSE = 0.005

Sleep = Callable[[float], Awaitable[Any]]


class Office:
    """Answers every question, each after a while, and remembers what was asked of whom."""

    def __init__(self, sleep: Sleep, side: str) -> None:
        self.sleep = sleep
        self.side = side
        self.asked: list[str] = []

    async def __call__(self, request: Request) -> Any:
        self.asked.append(type(request).__name__)
        await self.sleep(PAUSE)
        mine = SERVER if self.side == "server" else CLIENT
        if isinstance(request, SelectIdentity):
            return mine
        if isinstance(request, Sign):
            return sign(request.scheme, mine.key, request.data)
        if isinstance(request, VerifyPeer):
            trust = AUTHORITY.trust()
            if self.side == "server":
                return trust.verify_client(request.chain, time.time())
            return trust.verify_server(request.chain, request.server_name or "", time.time())
        if isinstance(request, Decrypt):
            from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

            return RSA.key.decrypt(request.ciphertext, PKCS1v15())
        if isinstance(request, FindPsk):
            return KEY
        return None  # SelectConfig: keep ours; VerifyPublicKey: believed


CERTIFICATES = frozenset({SelectConfig, SelectIdentity, Sign, VerifyPeer})
CASES: dict[str, tuple[ClientConfig, ServerConfig, list[str], list[str]]] = {
    name: (
        ClientConfig(policy=policy, ask=CERTIFICATES - {SelectConfig}),
        ServerConfig(policy=policy, ask=CERTIFICATES, client_auth="require"),
        ["VerifyPeer", "SelectIdentity", "Sign"],
        ["SelectConfig", "SelectIdentity", "Sign", "VerifyPeer"],
    )
    for name, policy in (("certificates 1.3", TLS13), ("certificates 1.2", TLS12))
}
CASES["key 1.3"] = (
    ClientConfig(policy=TLS13, psks=(KEY,), require_psk=True),
    ServerConfig(policy=TLS13, ask=frozenset({FindPsk})),
    [],
    ["FindPsk"],
)
CASES["key 1.2"] = (
    ClientConfig(policy=PSK12, trust=AUTHORITY.trust(), ask=frozenset({FindPsk})),
    ServerConfig(policy=PSK12, ask=frozenset({FindPsk})),
    ["FindPsk"],
    ["FindPsk"],
)
CASES["raw key"] = (
    ClientConfig(
        policy=TLS13,
        server_certificate_types=(2,),
        trusted_public_keys=(b"never looked at",),
        ask=frozenset({VerifyPublicKey}),
    ),
    ServerConfig(policy=TLS13, identities=(Identity.raw(SERVER.key),)),
    ["VerifyPublicKey"],
    [],
)
CASES["static RSA"] = (
    ClientConfig(policy=legacy.museum_policy(), trust=AUTHORITY.trust()),
    ServerConfig(policy=legacy.museum_policy(), identities=(RSA,), ask=frozenset({Decrypt})),
    [],
    ["Decrypt"],
)


# -- the shells ------------------------------------------------------------------------------------


async def over_asyncio(client: ClientConfig, server: ServerConfig, offices: tuple[Any, Any]) -> bytes:
    async def handler(stream: Any) -> None:
        await stream.send((await stream.read(10)).upper())

    listening = await pellucid.start_server(handler, server, answer=offices[1])
    port = listening.sockets[0].getsockname()[1]
    async with await pellucid.open_connection("localhost", port, config=client, answer=offices[0]) as stream:
        await stream.send(b"hello")
        found: bytes = await stream.read(10)
    listening.close()
    return found


async def over_anyio(client: ClientConfig, server: ServerConfig, offices: tuple[Any, Any]) -> bytes:
    async def handler(stream: Any) -> None:
        await stream.send((await stream.receive()).upper())

    tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
    listener = tls_anyio.TLSListener(tcp, server, answer=offices[1])
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handler)
        port = listener.extra(SocketAttribute.local_port)
        async with await tls_anyio.open_stream("localhost", port, config=client, answer=offices[0]) as stream:
            await stream.send(b"hello")
            found = await stream.receive()
        tasks.cancel_scope.cancel()
    return found


def over_sockets(client: ClientConfig, server: ServerConfig, offices: tuple[Any, Any]) -> bytes:
    def handler(tls: Any) -> None:
        tls.sendall(tls.recv(10).upper())

    with (
        pellucid.serve(handler, server, answer=offices[1]) as listening,
        pellucid.connect("localhost", listening.port, config=client, timeout=60, answer=offices[0]) as tls,
    ):
        tls.sendall(b"hello")
        return bytes(tls.recv(10))


SHELLS = ("sockets", "asyncio", "anyio on asyncio", "anyio on trio")


def run(shell: str, client: ClientConfig, server: ServerConfig, offices: tuple[Any, Any]) -> bytes:
    if shell == "sockets":
        return over_sockets(client, server, offices)
    if shell == "asyncio":
        return asyncio.run(over_asyncio(client, server, offices))
    return anyio.run(over_anyio, client, server, offices, backend=shell.split()[-1])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("shell", SHELLS)
def test_every_question_may_be_answered_late(shell: str, case: str) -> None:
    client, server, of_client, of_server = CASES[case]
    sleep: Sleep = anyio.sleep if shell.startswith("anyio") else asyncio.sleep
    offices = Office(sleep, "client"), Office(sleep, "server")
    assert run(shell, client, server, offices) == b"HELLO"
    assert offices[0].asked == of_client
    assert offices[1].asked == of_server


class Refusing(Office):
    """An office that says no."""

    async def __call__(self, request: Request) -> Any:
        await self.sleep(PAUSE)
        raise TLSError(Reason.REFUSED_BY_APPLICATION, "not today")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_late_no_reaches_the_peer(shell: str) -> None:
    client = ClientConfig(policy=TLS13, ask=frozenset({VerifyPeer}))
    server = ServerConfig(policy=TLS13, identities=(SERVER,))
    sleep: Sleep = anyio.sleep if shell.startswith("anyio") else asyncio.sleep
    with pytest.raises((TLSError, ExceptionGroup)) as refused:
        run(shell, client, server, (Refusing(sleep, "client"), None))
    error: Any = refused.value
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert error.reason is Reason.REFUSED_BY_APPLICATION
