"""Small scenarios in which one side must refuse the other: what `test_reasons` puts together.

Most give a *recipe*: a function that plays the scenario and returns the error that it ended with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid import (
    Authority,
    ClientConfig,
    ClientConnection,
    Identity,
    Policy,
    PreSharedKey,
    Secret,
    TLSError,
    open_connection,
    verify,
)
from pellucid.lab import (
    Conversation,
    Fault,
    Tap,
    drop,
    edit,
    extensions,
)
from pellucid.limits import (
    MAX_SKIPPED_EARLY_DATA,
)
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    DOWNGRADE_TO_12,
    RETRY_RANDOM,
    ClientHello,
    EncryptedExtensions,
    ServerHello,
    ServerKeyExchange,
)
from rfc.world import (
    AUTHORITY,
    BOTH,
    ECDSA,
    PSK,
    RELAXED12,
    RSA,
    TLS12,
    TLS13,
    TRUST,
    client,
    client_config,
    connected,
    early_client,
    early_config,
    server,
    server_config,
    session_from,
    talk,
)

Recipe = Callable[[], TLSError]
RETRY = TLS13.replace(key_shares=(0x1D,))
RETRYING = TLS13.replace(groups=(0x17,))
ZLIB = TLS13.replace(certificate_compression=(1,), compress_above=0)
MUTUAL: dict[str, Any] = {"client_auth": "require", "client_trust": TRUST}


def told(error: TLSError | None) -> TLSError:
    assert error is not None, "nothing was refused"
    return error


def by_client(*faults: Fault, ours: dict[str, Any] | None = None, **both: Any) -> Recipe:
    """How an honest client refuses a server with these faults. `both`: settings of both sides."""
    return lambda: told(talk(client(**{**both, **(ours or {})}), server(*faults, **both)).client_error)


def by_server(*faults: Fault, ours: dict[str, Any] | None = None, **both: Any) -> Recipe:
    """How an honest server refuses a client with these faults."""
    return lambda: told(talk(client(*faults, **both), server(**{**both, **(ours or {})})).server_error)


def later(inject: Callable[[Any], Any], *, side: str = "server", **both: Any) -> Recipe:
    """How the honest `side` refuses what the other sends after the handshake."""

    def run() -> TLSError:
        taps = (Tap(),) if side == "server" else ()
        found: Any = connected(client(*taps, **both), server(*(() if taps else (Tap(),)), **both))
        inject(found.client if side == "server" else found.server)
        return told(getattr(found.go_on(), f"{side}_error"))

    return run


def raises(action: Callable[[], Any]) -> Recipe:
    """What the call itself raises."""

    def run() -> TLSError:
        with pytest.raises(TLSError) as raised:
            action()
        return raised.value

    return run


def greeted(data: bytes, *, as_client: bool = False) -> Recipe:
    return raises(lambda: (client() if as_client else server()).receive_data(data))


def repeated(times: int, content_type: int, fragment: bytes) -> Callable[[Any], None]:
    def inject(peer: Any) -> None:
        for _ in range(times):
            peer.inject(content_type, fragment)

    return inject


def retry_with(*faults: Fault) -> Recipe:
    """How the client takes a HelloRetryRequest with these faults."""
    return lambda: told(talk(client(policy=RETRY), server(*faults, policy=RETRYING)).client_error)


def second_hello(change: Callable[[Any], Any]) -> Recipe:
    """How the server takes another second ClientHello."""
    return lambda: told(
        talk(client(edit(ClientHello, change, nth=2), policy=RETRY), server(policy=RETRYING)).server_error
    )


def judged(chain: Iterable[bytes], name: str = "localhost", trust: Any = TRUST) -> Recipe:
    """How a client's trust judges a chain."""
    return raises(lambda: verify(tuple(chain), name, trust=trust))


# -- scenarios of more than a line -----------------------------------------------------------------


def answered(ask: type, answer: Callable[[Any], Any], side: str = "server") -> Recipe:
    """What becomes of an application's answer."""

    def run() -> TLSError:
        settings: dict[str, Any] = {"ask": frozenset({ask})}
        one = client(**(settings if side == "client" else {}))
        other = server(**(settings if side == "server" else {}))
        talk(one, other)
        mine: Any = one if side == "client" else other
        found = mine._request
        with pytest.raises(TLSError) as raised:
            answer(found)
        return raised.value

    return run


def resumed12(*faults: Fault, by: str = "client", policy: Policy = RELAXED12, **change: Any) -> Recipe:
    """A resumption in TLS 1.2 in which something differs."""

    def run() -> TLSError:
        config = server_config(policy)
        session = session_from(config)
        for name, value in change.items():
            setattr(session, name, value)
        one = client(*(faults if by == "server" else ()), policy=policy, sessions=(session,))
        other = server(*(faults if by == "client" else ()), config=config)
        return told(getattr(talk(one, other), f"{by}_error"))

    return run


def psk(*faults: Fault, by: str = "server", **more: Any) -> Recipe:
    return lambda: told(
        getattr(
            talk(
                client(*(faults if by == "server" else ()), psks=(PSK,), **more),
                server(*(faults if by == "client" else ()), psks=(PSK,), **more),
            ),
            f"{by}_error",
        )
    )


def other_psk() -> TLSError:
    wrong = PreSharedKey(PSK.identity, Secret(bytes(32)))
    return told(talk(client(psks=(wrong,)), server(psks=(PSK,))).server_error)


def mirrored() -> TLSError:
    key = PreSharedKey(b"us", Secret(bytes(32)), role="client")
    return told(talk(client(psks=(key,)), server(psks=(key,))).server_error)


def too_much_early_data() -> TLSError:
    config = early_config()
    session = session_from(config)
    session.max_early_data = 100_000
    return told(talk(early_client(session, data=bytes(20_000)), server(config=config)).server_error)


def too_much_skipped() -> TLSError:
    session = session_from(early_config())
    session.max_early_data = 100_000
    one = early_client(session, data=bytes(MAX_SKIPPED_EARLY_DATA + 1000))
    return told(talk(one, server()).server_error)


def early_after_retry() -> TLSError:
    session = session_from(early_config())
    fault = extensions(ClientHello, {X.early_data: b""}, nth=2)
    one = early_client(session, fault, policy=RETRY)
    return told(talk(one, server(policy=RETRYING)).server_error)


def early_of_another_protocol() -> TLSError:
    """The server takes early data and speaks another protocol than the ticket's."""
    config = early_config()
    session = session_from(config, alpn=())
    one = early_client(session, alpn=("h2",))
    fault = extensions(
        EncryptedExtensions,
        {X.application_layer_protocol_negotiation: ext.ProtocolNames((b"h2",)).encode()},
    )
    return told(talk(one, server(fault, config=config)).client_error)


def out_of_numbers() -> TLSError:
    found = connected(client(policy=TLS12), server(policy=TLS12))
    sealing: Any = found.client._write.protection
    sealing._sequence = sealing._limit
    with pytest.raises(TLSError) as raised:
        found.client.send_data(b"one more")
        found.client.data_to_send()
    return raised.value


def certificate_of(
    *, curve: Any = None, public_key: Any = None, hash: Any = None, critical: bytes = b""
) -> bytes:
    """A leaf of the test authority that says the least; `critical` is in an extension that nobody knows."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    now = x509.load_der_x509_certificate(ECDSA.leaf).not_valid_before_utc
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(AUTHORITY.certificate.subject)
        .public_key(public_key or key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=now.year + 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), True)
    )
    if critical:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, critical), True)
    return builder.sign(AUTHORITY.key, hash or hashes.SHA256()).public_bytes(Encoding.DER)


def issued_by_a_leaf() -> TLSError:
    middle = AUTHORITY.issue("not an authority.test".replace(" ", "-"))
    forged = Authority(x509.load_der_x509_certificate(middle.leaf), middle.key, (AUTHORITY.certificate,))
    return judged(forged.issue("localhost").chain)()


def unreadable() -> TLSError:
    return judged((b"\x30\x03\x02\x01\x01",))()


def must_staple() -> TLSError:
    return told(
        talk(client(), server(identities=(AUTHORITY.issue("localhost", must_staple=True),))).client_error
    )


def eof(complete: bool) -> TLSError:
    found = connected() if complete else talk(client(drop(ClientHello)), server())
    with pytest.raises(TLSError) as raised:
        found.client.receive_eof()
    return raised.value


def timed_out() -> TLSError:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)  # and hold the writer: since Python 3.13 one that nobody holds is closed

    async def run() -> None:
        listening = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        try:
            await open_connection("localhost", port, config=client_config(), timeout=0.05)
        finally:
            listening.close()

    with pytest.raises(TLSError) as raised:
        asyncio.run(run())
    return raised.value


def unbound() -> Conversation:
    fault = extensions(ClientHello, {X.extended_master_secret: None})
    return connected(client(fault, policy=RELAXED12), server(policy=RELAXED12))


def no_reader() -> TLSError:
    """A mistake of ours: a keylog callback that fails, in the middle of the handshake."""

    def fails(line: str) -> None:
        raise KeyError("the disk is full")

    return told(talk(client(), server(keylog=fails)).server_error)


def other_version_resumed() -> TLSError:
    """A TLS 1.2 answer that pretends to resume our TLS 1.3 ticket."""
    session = session_from(server_config(TLS13))
    tap = Tap()
    one = client(tap, policy=BOTH, sessions=(session,))
    hello = tap.the(ClientHello)
    answer = ServerHello(0x0303, bytes(32), hello.legacy_session_id, 0xC02B, 0, {X.renegotiation_info: b"\0"})
    with pytest.raises(TLSError) as raised:
        one.receive_data(
            b"\x16\x03\x03" + len(answer.to_handshake()).to_bytes(2, "big") + answer.to_handshake()
        )
    return raised.value


def two_hellos_of_tls12() -> TLSError:
    found: Any = connected(client(Tap(), policy=TLS12), server(policy=TLS12))
    found.client.inject_message(ClientHello(0x0303, bytes(32), b"", (0xC02B,), (0,), {}))
    return told(found.go_on().server_error)


def raw_key(trusted: bytes, shown: Identity = ECDSA, *faults: Fault) -> TLSError:
    config = ClientConfig(policy=TLS13, server_certificate_types=(2,), trusted_public_keys=(trusted,))
    peer = server(*faults, identities=(Identity.raw(shown.key),))
    return told(talk(ClientConnection(config, "localhost"), peer).client_error)


def mangled_key(message: Any) -> None:
    message.certificate_list[0].cert_data = b"no key"


def long_chain(message: Any) -> None:
    message.certificate_list = message.certificate_list * 11


def stapled_rubbish() -> TLSError:
    return told(talk(client(), server(identities=(ECDSA.replace(ocsp=b"rubbish"),))).client_error)


def no_certificate(message: Any) -> None:
    message.certificate_list = ()


def rsa_certificate(message: Any) -> None:
    message.certificate_list = RSA.chain


def p384_certificate() -> TLSError:
    """A leaf on a curve that the client does not offer, with a server that shows it all the same."""
    identity = AUTHORITY.issue("localhost", key="ecdsa-p384")
    one = client(policy=TLS12.replace(groups=(0x1D, 0x17)))
    offered = TLS12.replace(groups=(0x1D, 0x17, 0x18))
    fault = edit(ServerKeyExchange, lambda message: None)
    from pellucid.handshake import server12

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server12, "usable_ec_curve", lambda key, groups: True)  # the liar's own check
        return told(talk(one, server(fault, policy=offered, identities=(identity,))).client_error)


@dataclass
class Dice:
    """A server's randomness with the downgrade sentinel in it, though it knows no TLS 1.3."""

    def __call__(self, size: int) -> bytes:
        return (bytes(size - 8) + DOWNGRADE_TO_12) if size == 32 else bytes(size)


def handshake_outside(record: Any) -> bytes:
    """A protected record that does not look like application data from outside, sealed as such."""
    sealing = record.protection
    number, sealing._sequence = sealing._sequence, sealing._sequence + 1
    inner = record.fragment + bytes([record.content_type])
    header = b"\x16\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
    encrypt = (sealing._cipher or sealing._begin()).encrypt
    nonce = (sealing._iv ^ number).to_bytes(12, "big")
    return header + bytes(encrypt(nonce, inner, header))


def retry_again(hello: ServerHello) -> None:
    hello.random = RETRY_RANDOM
    hello.extensions = {X.supported_versions: b"\3\4", X.key_share: b"\0\x18"}


def keys_before_padding(hello: ClientHello) -> None:
    """pre_shared_key, and another extension behind it."""
    hello.extensions = {**hello.extensions, X.padding: b""}


def two_binders(hello: ClientHello) -> None:
    offered = ext.OfferedPsks.decode(hello.extensions[X.pre_shared_key])
    offered.binders = offered.binders * 2
    hello.extensions[X.pre_shared_key] = offered.encode()


def closed() -> ClientConnection:
    found = connected().client
    found.close()
    return found


def aborted() -> TLSError:
    one = client()
    one.abort()
    return told(one.error)
