"""What the drop-in gives beyond `ssl`, how it is installed, and what it says it cannot do."""

from __future__ import annotations

import asyncio
import gc
import ssl
import weakref
from pathlib import Path
from typing import Any

import pytest

from compat.world import Bios, Contexts
from pellucid import Authority, Identity, UsageError
from pellucid.compat import ssl as ours
from pellucid.compat.lowlevel import LowLevel
from pellucid.compat.sessions import SSLSession

TLS12 = ssl.TLSVersion.TLSv1_2


# -- on the same objects -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, ssl.TLSVersion.TLSv1_3])
def test_both_sides_export_the_same(version: Any, bios: Any, contexts: Contexts) -> None:
    pair: Bios = bios(contexts.client(maximum_version=version)).shake()
    material = pair.client.export_keying_material("EXPORTER-test", 40, b"context")
    assert material == pair.server.export_keying_material("EXPORTER-test", 40, b"context")
    assert len(material) == 40
    assert material != pair.client.export_keying_material("EXPORTER-test", 40, b"other")
    for kind in ("tls-exporter", "tls-server-end-point", "tls-unique"):
        assert pair.client.get_channel_binding(kind) == pair.server.get_channel_binding(kind)
    with pytest.raises(ValueError, match="not implemented"):
        pair.client.get_channel_binding("tls-nothing")


def test_the_binding_of_tls_13_is_rfc_9266s(bios: Any) -> None:
    pair: Bios = bios().shake()
    exported = pair.client.export_keying_material("EXPORTER-Channel-Binding", 32, b"")
    assert exported == pair.server.get_channel_binding("tls-exporter")


def test_what_was_agreed_on(bios: Any, contexts: Contexts) -> None:
    server = contexts.server(verify_mode=ssl.CERT_REQUIRED)
    pair: Bios = bios(contexts.client(certificate="client", set_groups="P-384:X25519"), server).shake()
    assert pair.client.group() == pair.server.group() == "secp384r1"
    assert pair.client.server_sigalg() == "ecdsa_secp256r1_sha256"
    assert pair.client.client_sigalg() is None  # a side knows by what the other proved itself
    assert pair.server.client_sigalg() == "ecdsa_secp256r1_sha256"
    assert pair.server.client_hello.cipher_suites
    assert pair.client.info.version == 0x0304
    assert [
        len(chain) for chain in (pair.client.get_unverified_chain(), pair.client.get_verified_chain())
    ] == [
        2,
        2,
    ]
    assert isinstance(ours.details(pair.client), LowLevel)
    with pytest.raises(UsageError):
        ours.details(object())


def test_the_members_of_a_chain_are_bytes_and_what_they_were_before_python_3_13(
    bios: Any, contexts: Contexts
) -> None:
    leaf: Any = bios().shake().client.get_unverified_chain()[0]
    pem = leaf.public_bytes()
    assert issubclass(type(leaf), bytes)
    assert type(leaf.public_bytes(2)) is bytes  # _ssl.ENCODING_DER, as truststore asks for it
    assert leaf.public_bytes(2) == leaf == ssl.PEM_cert_to_DER_cert(pem)


def test_a_stapled_response_is_handed_out(bios: Any, contexts: Contexts) -> None:
    identity = contexts.authority.issue("localhost")
    stapled = identity.replace(ocsp=contexts.authority.staple(identity))
    server = contexts.server()
    server.use_identity(stapled)
    assert bios(server=server).shake().client.ocsp_response == stapled.ocsp


def test_a_key_that_never_touches_a_file(bios: Any, contexts: Contexts) -> None:
    class Signer:
        """An HSM, as far as anyone can tell."""

        def __init__(self, key: Any) -> None:
            self.public_key = key.public_key()
            self._key = key
            self.asked = 0

        def sign(self, scheme: int, data: bytes) -> bytes:
            from pellucid.crypto.signatures import sign

            self.asked += 1
            return sign(scheme, self._key, data)

    identity = contexts.authority.issue("localhost")
    signer = Signer(identity.key)
    server = ours.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.use_identity(Identity(identity.chain, signer))
    bios(server=server).shake()
    assert signer.asked == 1


def test_a_session_survives_the_process(bios: Any, contexts: Contexts) -> None:
    client, server = contexts.client(), contexts.server()
    first: Bios = bios(client, server).shake()
    early = first.client.session
    assert not early.has_ticket
    with pytest.raises(UsageError):
        early.to_bytes()
    first.settle()
    stored = first.client.session.to_bytes()
    later: Bios = bios(client, server, session=SSLSession.from_bytes(client, stored)).shake()
    assert later.client.session_reused
    assert later.server.session_reused


def test_a_session_of_other_authorities_is_not_offered(bios: Any, contexts: Contexts) -> None:
    server = contexts.server()
    first: Bios = bios(contexts.client(), server).shake()
    first.settle()
    careful = contexts.client()
    careful.load_verify_locations(cadata=Authority.create().pem.decode())
    session = SSLSession.from_bytes(careful, first.client.session.to_bytes())
    assert not bios(careful, server, session=session).shake().client.session_reused


def test_the_key_log_has_the_secrets(bios: Any, contexts: Contexts, tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    bios(contexts.client(keylog_filename=str(log))).shake()
    labels = {line.split()[0] for line in log.read_text("ascii").splitlines() if line[0] != "#"}
    assert {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET"} <= labels


@pytest.mark.parametrize("version", [TLS12, ssl.TLSVersion.TLSv1_3])
def test_pre_shared_keys_on_every_python(version: Any, bios: Any) -> None:
    seen: list[Any] = []
    client, server = ours.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ours.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    for context in (client, server):
        context.maximum_version = version
        context.set_ciphers("PSK")

    def give(hint: str | None) -> tuple[str, bytes]:
        seen.append(hint)
        return "device", b"k" * 32

    def find(name: str | None) -> bytes:
        seen.append(name)
        return b"k" * 32

    client.set_psk_client_callback(give)
    server.set_psk_server_callback(find, "who are you")
    pair: Bios = bios(client, server, name=None).shake()
    assert seen == [None if version != TLS12 else "who are you", "device"]
    assert pair.client.getpeercert() is None
    assert pair.server.info.psk_identity == b"device"


def test_an_error_carries_the_explanation(bios: Any, contexts: Contexts) -> None:
    pair: Bios = bios(server=contexts.server(certificate="other.test"))
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        pair.client.do_handshake()
    error: Any = refused.value
    assert issubclass(type(error), (ssl.CertificateError, ValueError))
    assert "it is for other.test" in str(error)
    assert error.__cause__ is error.tls_error
    assert error.tls_error.reason.label == "wrong-host-name"


# -- honoured, or refused in so many words ---------------------------------------------------------------


def test_old_suites_are_for_who_names_them(contexts: Contexts) -> None:
    context = contexts.server(maximum_version=TLS12)
    assert not any(
        "CBC" in each["description"] or "SHA1" in each["description"] for each in context.get_ciphers()
    )
    context.set_ciphers("AES128-SHA256:ECDHE+AESGCM")
    assert "AES128-SHA256" in {each["name"] for each in context.get_ciphers()}


def test_static_rsa_under_an_explicit_string(bios: Any, contexts: Contexts) -> None:
    identity = contexts.authority.issue("localhost", key="rsa-2048")
    server = contexts.server(maximum_version=TLS12, set_ciphers="AES128-GCM-SHA256")
    server.use_identity(identity)
    pair: Bios = bios(contexts.client(maximum_version=TLS12, set_ciphers="AES128-GCM-SHA256"), server).shake()
    assert pair.client.cipher() == ("AES128-GCM-SHA256", "TLSv1.2", 128)


def test_suites_that_nobody_speaks_are_an_error(contexts: Contexts) -> None:
    context = contexts.client()
    before = context.get_ciphers()
    with pytest.raises(ssl.SSLError, match="pellucid speaks none"):
        context.set_ciphers("DHE-RSA-AES256-GCM-SHA384")
    assert context.get_ciphers() == before


def test_what_cannot_be_honoured_says_so(contexts: Contexts) -> None:
    context = contexts.client()
    context.verify_flags |= ssl.VerifyFlags.VERIFY_ALLOW_PROXY_CERTS
    with pytest.raises(NotImplementedError, match="proxy"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    with pytest.raises(NotImplementedError, match="set_server_sigalgs"):
        contexts.server().set_client_sigalgs("ed25519")
    for setting in (context.set_groups, context.set_server_sigalgs, context.set_ciphersuites):
        with pytest.raises(ssl.SSLError):
            setting("nonsense")


@pytest.mark.filterwarnings("ignore:ssl.OP_NO:DeprecationWarning")
def test_versions_that_nobody_speaks_fail_the_handshake(bios: Any, contexts: Contexts) -> None:
    client = contexts.client()
    client.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
    with pytest.raises(ssl.SSLError) as refused:
        bios(client).client.do_handshake()
    assert refused.value.reason == "UNSUPPORTED_PROTOCOL"
    assert "speaks TLS 1.3 and TLS 1.2" in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "value", "facts"),
    [
        ("set_ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", ("TLS_CHACHA20_POLY1305_SHA256",)),
        ("set_ecdh_curve", "secp521r1", ("secp521r1",)),
        ("set_groups", "X448:P-256", ("x448",)),
        ("set_server_sigalgs", "ecdsa_secp256r1_sha256", ("ecdsa_secp256r1_sha256",)),
    ],
)
def test_settings_of_the_key_exchange(
    setting: str, value: str, facts: Any, bios: Any, contexts: Contexts
) -> None:
    pair: Bios = bios(contexts.client(**{setting: value})).shake()
    agreed = pair.client.cipher()[0], pair.client.group(), pair.client.server_sigalg()
    assert set(facts) <= set(agreed)


def test_tickets_are_counted(bios: Any, contexts: Contexts) -> None:
    pair: Bios = bios(server=contexts.server(num_tickets=0)).shake()
    pair.settle()
    assert not pair.client.session.has_ticket


def test_no_ticket_means_session_ids_in_tls_12(bios: Any, contexts: Contexts) -> None:
    client, server = contexts.client(maximum_version=TLS12), contexts.server()
    server.options |= ssl.OP_NO_TICKET
    session = bios(client, server).shake().client.session
    assert not session.has_ticket
    assert bios(client, server, session=session).shake().client.session_reused


# -- the store of certificates ------------------------------------------------------------------------------


def test_the_native_context_gets_its_certificates_when_it_is_asked(contexts: Contexts) -> None:
    context = contexts.client()
    native = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    native.load_verify_locations(contexts.ca)
    assert context.cert_store_stats() == native.cert_store_stats()
    assert context.get_ca_certs() == native.get_ca_certs()
    assert context.get_ca_certs(True) == native.get_ca_certs(True)


def test_der_certificates_in_a_row(bios: Any, contexts: Contexts) -> None:
    context = ours.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    others = [Authority.create() for _ in range(2)]
    ders = [ssl.PEM_cert_to_DER_cert(one.pem.decode()) for one in (*others, contexts.authority)]
    context.load_verify_locations(cadata=b"".join(ders))
    assert context.cert_store_stats()["x509"] == 3
    bios(context).shake()
    with pytest.raises(ssl.SSLError):
        context.load_verify_locations(cadata=ders[0][:-1])


# -- installing ----------------------------------------------------------------------------------------------


def test_install_takes_everybody_and_uninstall_gives_them_back(bios: Any, contexts: Contexts) -> None:
    before = {name: vars(ssl.SSLContext).get(name) for name in ("_wrap_bio", "load_cert_chain", "__new__")}
    older = contexts.client("openssl")
    older_server = contexts.server("openssl")
    with ours.installed():
        ours.install()  # twice is once
        pair: Bios = bios(ssl.create_default_context(cafile=contexts.ca), contexts.server("openssl")).shake()
        assert isinstance(pair.client._sslobj, LowLevel)
        assert isinstance(pair.server._sslobj, LowLevel)
        assert pair.client.group() == "X25519MLKEM768"
        old: Bios = bios(older, older_server).shake()
        assert isinstance(old.client._sslobj, LowLevel)  # what it was told can be read back
        assert not isinstance(old.server._sslobj, LowLevel)  # a key cannot
        younger = contexts.client("openssl")
    assert before == {name: vars(ssl.SSLContext).get(name) for name in before}
    assert not hasattr(ssl.SSLObject, "group")
    after: Bios = bios(younger, contexts.server("openssl")).shake()
    assert not isinstance(after.client._sslobj, LowLevel)


def test_the_module_stands_in_for_the_standard_one() -> None:
    assert ours.CERT_REQUIRED is ssl.CERT_REQUIRED
    assert ours.SSLError is ssl.SSLError
    assert issubclass(ours.SSLContext, ssl.SSLContext)
    context = ours.create_default_context()
    standard = ssl.create_default_context()
    for name in ("verify_mode", "check_hostname", "verify_flags", "options", "minimum_version"):
        assert getattr(context, name) == getattr(standard, name), name
    server = ours.create_default_context(ssl.Purpose.CLIENT_AUTH)
    assert server.verify_mode == ssl.CERT_NONE
    with pytest.raises(TypeError):
        ours.create_default_context("purpose")


def test_nothing_holds_a_connection_that_nobody_holds(contexts: Contexts) -> None:
    pair = Bios(contexts.client(), contexts.server()).shake()
    low = weakref.ref(pair.client._sslobj)
    gc.disable()
    try:
        del pair
        assert low() is None  # by counting alone: there is no cycle
    finally:
        gc.enable()


def test_asyncio_with_starttls_on_both_sides(contexts: Contexts) -> None:
    async def main() -> bytes:
        async def serve(reader: Any, writer: Any) -> None:
            await reader.readline()
            writer.write(b"go\n")
            await writer.start_tls(contexts.server())
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        await reader.readline()
        await writer.start_tls(contexts.client(), server_hostname="localhost")
        writer.write(b"hello\n")
        answer = await reader.read()
        writer.close()
        server.close()
        return answer

    assert asyncio.run(main()) == b"HELLO\n"
