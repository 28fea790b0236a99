"""What programs can see of `ssl`, done once over OpenSSL and once over pellucid: it must be the same.

Each scenario says what happened as plain values: results, and for exceptions their class, number,
reason and verify code. OpenSSL's outcome is the expectation; nothing is written down by hand.
"""

from __future__ import annotations

import datetime
import gc
import socket
import ssl
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from compat.world import Bios, Contexts
from pellucid import Authority
from pellucid.compat import ssl as ours

Scenario = Callable[[Contexts, str], Any]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__.replace("_", " ")] = function
    return function


def outcome(function: Callable[[], Any]) -> Any:
    """A result, or what an exception says to a program."""
    try:
        return function()
    except Exception as error:
        kind = type(error).__name__
        if isinstance(error, ssl.SSLError):
            more = (getattr(error, "verify_code", None), getattr(error, "verify_message", None))
            return (
                kind,
                error.args[0],
                error.errno,
                getattr(error, "reason", "-"),
                getattr(error, "library", "-"),
                *more,
            )
        return kind, error.errno if isinstance(error, OSError) else str(error)


def failing(pair: Bios) -> tuple[Any, Any]:
    """How a handshake ends on both sides."""
    ends: dict[str, Any] = {}
    for _ in range(12):
        for name, side in (("client", pair.client), ("server", pair.server)):
            if name in ends:
                continue
            try:
                side.do_handshake()
                ends[name] = "done"
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                at: ssl.SSLError = error

                def again(error: ssl.SSLError = at) -> None:
                    raise error

                ends[name] = outcome(again)
    if ends.get("client") == "done":
        ends["client then"] = outcome(lambda: pair.client.read(1))
    return ends.get("client", "waiting"), ends.get("server", "waiting")


def facts(side: Any) -> tuple[Any, ...]:
    return (
        side.version(),
        side.selected_alpn_protocol(),
        side.compression(),
        side.session_reused,
        side.pending(),
        side.server_side,
        side.server_hostname,
    )


@scenario
def before_the_handshake(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind), c.server(kind))
    return [
        (
            facts(side),
            side.cipher(),
            side.session,
            side.shared_ciphers(),
            side.get_channel_binding(),
            outcome(side.getpeercert),
            outcome(side.unwrap)[0],
            outcome(side.do_handshake) if side is pair.client else None,
        )
        for side in (pair.client, pair.server)
    ]


@scenario
def a_handshake(c: Contexts, kind: str) -> Any:
    protocols = ["h2", "http/1.1"]
    server = c.server(kind, set_alpn_protocols=protocols)
    pair = Bios(c.client(kind, set_alpn_protocols=protocols[::-1]), server).shake()
    sides = [
        (facts(side), side.getpeercert(), side.getpeercert(True), side.cipher())
        for side in (pair.client, pair.server)
    ]
    return sides, pair.client.shared_ciphers(), [one[0] for one in pair.server.shared_ciphers()][:1]


@scenario
def tls_12(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind, maximum_version=ssl.TLSVersion.TLSv1_2), c.server(kind)).shake()
    unique = pair.client.get_channel_binding()
    return facts(pair.client), pair.client.cipher(), len(unique), unique == pair.server.get_channel_binding()


@scenario
def reading_and_writing(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind), c.server(kind)).shake()
    pair.settle()
    found = [
        pair.server.write(b"x" * 20_000),
        pair.client.read(0),
        outcome(lambda: pair.client.read(-1)),
        len(pair.client.read(100_000)),
        len(pair.client.read(100_000)),
        outcome(lambda: pair.client.read(1)),
        pair.server.write(b""),
        outcome(lambda: pair.server.write("text")),
        pair.server.write(memoryview(b"some bytes")),
    ]
    buffer = bytearray(4)
    found += [
        pair.client.read(100, buffer),
        bytes(buffer),
        pair.client.pending(),
        pair.client.read(2, buffer),
        pair.client.read(0, buffer),
        pair.client.read(7, bytearray()),
        bytes(buffer),
    ]
    return found


@scenario
def who_failed_is_let_go(c: Contexts, kind: str) -> Any:
    """A socket that nobody holds any more is closed at once, without the garbage collector."""
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    client = c.client(kind).wrap_socket(one, server_hostname="other.test", do_handshake_on_connect=False)
    server = c.server(kind).wrap_socket(other, server_side=True, do_handshake_on_connect=False)
    gc.collect()
    gc.disable()
    try:
        ends = [outcome(client.do_handshake), outcome(server.do_handshake)]
        ends += [outcome(client.do_handshake), outcome(server.do_handshake)]
        gone = weakref.ref(client), weakref.ref(server)
        del client, server
        return ends, [each() is None for each in gone]
    finally:
        gc.enable()


@scenario
def the_systems_authorities(c: Contexts, kind: str) -> Any:
    """Listed whenever somebody asks, and beside those that were named."""
    context = c.client(kind)
    context.set_default_verify_paths()
    context.load_verify_locations(c.ca)
    first = context.cert_store_stats(), sorted(context.get_ca_certs(True))
    context.set_default_verify_paths()
    return first, context.cert_store_stats()


@scenario
def the_peer_closes(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind), c.server(kind)).shake()
    pair.settle()
    found = [outcome(pair.server.unwrap), outcome(lambda: pair.server.write(b"late"))]
    found += [pair.client.read(5), pair.client.read(5), pair.client.write(b"still")]
    found += [outcome(lambda: pair.server.read(9)), pair.client.unwrap(), pair.server.unwrap()]
    return [*found, outcome(lambda: pair.client.write(b"x")), outcome(lambda: pair.server.read(1))]


@scenario
def the_line_ends(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind), c.server(kind)).shake()
    pair.settle()
    pair.to_client.write_eof()
    return [
        outcome(lambda: pair.client.read(1))[:4],
        outcome(lambda: pair.client.read(1))[:3],
        outcome(pair.client.unwrap)[0],
    ]


@scenario
def the_line_ends_in_the_handshake(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind), c.server(kind))
    pair.to_client.write_eof()
    return outcome(pair.client.do_handshake)[:4]


@scenario
def the_wrong_host(c: Contexts, kind: str) -> Any:
    return failing(Bios(c.client(kind), c.server(kind, certificate="other.test")))


@scenario
def the_wrong_address(c: Contexts, kind: str) -> Any:
    return failing(Bios(c.client(kind), c.server(kind), "192.0.2.7"))


@scenario
def a_name_with_an_underscore(c: Contexts, kind: str) -> Any:
    names: list[Any] = []
    server = c.server(kind, sni_callback=lambda owner, name, context: names.append(name))
    client = c.client(kind)
    refused = failing(Bios(client, server, "my_service"))
    client.check_hostname = False
    pair = Bios(client, server, "my_service").shake()
    return refused, pair.client.server_hostname, names


@scenario
def a_name_that_the_server_refuses(c: Contexts, kind: str) -> Any:
    return [
        failing(Bios(c.client(kind), c.server(kind, sni_callback=lambda *_, answer=answer: answer)))
        for answer in (ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, 49, 80)
    ]


@scenario
def a_refusal_that_is_no_alert(c: Contexts, kind: str) -> Any:
    return [
        failing(Bios(c.client(kind), c.server(kind, sni_callback=lambda *_, answer=answer: answer)))[1]
        for answer in (1000, -1)
    ]


@scenario
def an_unknown_authority(c: Contexts, kind: str) -> Any:
    client = (ours if kind == "pellucid" else ssl).SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return failing(Bios(client, c.server(kind)))


@scenario
def a_certificate_that_has_expired(c: Contexts, kind: str) -> Any:
    return failing(Bios(c.client(kind), c.server(kind, certificate="expired")))


@scenario
def a_certificate_that_is_not_yet_valid(c: Contexts, kind: str) -> Any:
    ends = failing(Bios(c.client(kind), c.server(kind, certificate="tomorrow")))
    return ends[0]  # the alert is ours: certificate_expired (RFC 8446 6.2), where OpenSSL is vague


@scenario
def a_client_certificate_as_the_servers(c: Contexts, kind: str) -> Any:
    client = c.client(kind)
    client.check_hostname = False
    return failing(Bios(client, c.server(kind, certificate="client")))[0]  # the alert is another


@scenario
def the_servers_certificate_as_a_clients(c: Contexts, kind: str) -> Any:
    server = c.server(kind, verify_mode=ssl.CERT_REQUIRED)
    return failing(Bios(c.client(kind, certificate="localhost"), server))


@scenario
def a_client_without_a_certificate(c: Contexts, kind: str) -> Any:
    return failing(Bios(c.client(kind), c.server(kind, verify_mode=ssl.CERT_REQUIRED)))


@scenario
def a_client_without_a_certificate_in_tls_12(c: Contexts, kind: str) -> Any:
    client = c.client(kind, maximum_version=ssl.TLSVersion.TLSv1_2)
    return failing(Bios(client, c.server(kind, verify_mode=ssl.CERT_REQUIRED)))


@scenario
def a_client_with_a_certificate(c: Contexts, kind: str) -> Any:
    server = c.server(kind, verify_mode=ssl.CERT_OPTIONAL)
    pair = Bios(c.client(kind, certificate="client"), server).shake()
    return pair.server.getpeercert(), pair.server.getpeercert(True)


@scenario
def nobody_verifies(c: Contexts, kind: str) -> Any:
    client = c.client(kind, check_hostname=False, verify_mode=ssl.CERT_NONE)
    pair = Bios(client, c.server(kind, certificate="expired"), None).shake()
    return pair.client.getpeercert(), len(pair.client.getpeercert(True)) > 100


@scenario
def no_version_in_common(c: Contexts, kind: str) -> Any:
    client = c.client(kind, minimum_version=ssl.TLSVersion.TLSv1_3)
    return failing(Bios(client, c.server(kind, maximum_version=ssl.TLSVersion.TLSv1_2)))


@scenario
def no_cipher_in_common(c: Contexts, kind: str) -> Any:
    old = ssl.TLSVersion.TLSv1_2
    client = c.client(kind, set_ciphers="ECDHE+AES128", maximum_version=old)
    return failing(Bios(client, c.server(kind, set_ciphers="ECDHE+AES256", maximum_version=old)))


@scenario
def no_protocol_in_common(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind, set_alpn_protocols=["a"]), c.server(kind, set_alpn_protocols=["b"])).shake()
    return facts(pair.client), facts(pair.server)


@scenario
def a_server_without_a_certificate(c: Contexts, kind: str) -> Any:
    server = (ours if kind == "pellucid" else ssl).SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return failing(Bios(c.client(kind), server))


@scenario
def plain_http(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind), c.server(kind))
    pair.to_server.write(b"GET / HTTP/1.1\r\n\r\n")
    pair.to_client.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    return [outcome(pair.server.do_handshake), outcome(pair.client.do_handshake)]


@scenario
def a_changed_record(c: Contexts, kind: str) -> Any:
    pair = Bios(c.client(kind), c.server(kind)).shake()
    pair.settle()
    pair.server.write(b"hello")
    wire = bytearray(pair.to_client.read())
    wire[-1] ^= 1
    pair.to_client.write(wire)
    return [outcome(lambda: pair.client.read(9)), outcome(lambda: pair.client.read(9))[:3]]


@scenario
def contexts_on_the_wrong_side(c: Contexts, kind: str) -> Any:
    bio = ssl.MemoryBIO
    return [
        outcome(lambda: c.client(kind).wrap_bio(bio(), bio(), server_side=True)),
        outcome(lambda: c.server(kind).wrap_bio(bio(), bio())),
        outcome(lambda: c.client(kind).wrap_bio(bio(), bio(), server_hostname="")),
        outcome(lambda: c.client(kind).wrap_bio(bio(), bio(), server_hostname=".leading.dot"))[0],
        outcome(
            lambda: c.client(kind).wrap_bio(bio(), bio(), server_hostname="trailing.dot.").server_hostname
        ),
        outcome(
            lambda: c.client(kind).wrap_bio(bio(), bio(), server_hostname="königsgäßchen.de").server_hostname
        ),
        outcome(lambda: c.client(kind).wrap_bio(bio(), bio(), server_hostname=b"bytes.test").server_hostname),
        outcome(lambda: c.client(kind).wrap_bio(None, bio()))[0],
    ]


@scenario
def settings_that_contradict(c: Contexts, kind: str) -> Any:
    context = c.client(kind)
    return [
        outcome(lambda: setattr(context, "verify_mode", ssl.CERT_NONE)),
        outcome(lambda: context.set_ciphers("XYZ"))[0],
        outcome(lambda: context.load_verify_locations(cadata="nonsense"))[:2],
        outcome(lambda: context.load_verify_locations("/no/such/file")),
        outcome(lambda: context.load_verify_locations()),
        outcome(lambda: context.load_cert_chain(c.pem("client"), c.pem("localhost")))[:4],
        outcome(lambda: context.load_cert_chain("/no/such/file")),
        outcome(lambda: context.set_ecdh_curve("no such curve")),
        outcome(lambda: context.set_alpn_protocols([""])),
        context.cert_store_stats(),
        len(context.get_ca_certs()),
    ]


@scenario
def sessions(c: Contexts, kind: str) -> Any:
    client, server = c.client(kind), c.server(kind)
    first = Bios(client, server).shake()
    first.settle()
    session = first.client.session
    second = Bios(client, server, session=session).shake()
    other = c.client(kind)
    return [
        (session.has_ticket, bool(session.id), session.timeout > 0, session.ticket_lifetime_hint > 0),
        second.client.session_reused,
        second.server.session_reused,
        len(second.client.getpeercert()),
        outcome(lambda: Bios(other, server, session=session)),
        outcome(lambda: Bios(client, server, session="none")),
        {name: server.session_stats()[name] for name in ("accept", "accept_good", "hits")},
    ]


@scenario
def strict_flags(c: Contexts, kind: str) -> Any:
    found = []
    for name in ("localhost", "no-aki"):
        client = c.client(kind)
        client.check_hostname = False
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        found.append(failing(Bios(client, c.server(kind, certificate=name)))[0])
    return found


@scenario
def a_missing_revocation_list(c: Contexts, kind: str) -> Any:
    client = c.client(kind)
    client.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return failing(Bios(client, c.server(kind)))[0]


@scenario
def another_context_before_the_handshake(c: Contexts, kind: str) -> Any:
    """Its certificate and its authorities count; what else is set in it does not."""
    distrustful = (ours if kind == "pellucid" else ssl).SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless = c.client(kind, set_alpn_protocols=["h2"], check_hostname=False, verify_mode=ssl.CERT_NONE)
    known = c.client(kind, certificate="client")
    other = c.server(kind, certificate="other.test", set_alpn_protocols=["h2"], verify_mode=ssl.CERT_NONE)
    found = []
    for side, context in (
        ("client", distrustful),
        ("client", careless),
        ("client", known),
        ("server", other),
        ("server", c.server(kind, set_alpn_protocols=["h2"])),
    ):
        pair = Bios(c.client(kind), c.server(kind, verify_mode=ssl.CERT_OPTIONAL), name="localhost")
        getattr(pair, side).context = context
        ends = failing(pair)
        found.append(
            (ends, facts(pair.client), outcome(pair.server.getpeercert), pair.client.context is context)
        )
    return found


@pytest.fixture(scope="module")
def more(contexts: Contexts) -> Contexts:
    """The contexts, with certificates that have faults."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    authority: Authority = contexts.authority
    for name, begin, end in (("expired", now - 9 * day, now - day), ("tomorrow", now + day, now + 9 * day)):
        issued = authority.issue("localhost", not_before=begin, not_after=end)
        (contexts.folder / f"{name}.pem").write_bytes(issued.to_pem())
    good = authority.issue("localhost")
    leaf = x509.load_der_x509_certificate(good.leaf)
    builder = x509.CertificateBuilder(
        leaf.issuer,
        leaf.subject,
        leaf.public_key(),
        x509.random_serial_number(),
        now - day,
        now + day,
    )
    for extension in leaf.extensions:
        if not isinstance(extension.value, x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    made = builder.sign(authority.key, SHA256())
    (contexts.folder / "no-aki.pem").write_bytes(good.key_pem() + made.public_bytes(Encoding.PEM))
    return contexts


@pytest.mark.parametrize("name", SCENARIOS)
def test_as_over_openssl(name: str, more: Contexts) -> None:
    run = SCENARIOS[name]
    assert run(more, "pellucid") == run(more, "openssl")
