"""The laboratory itself: each fault does what it says and nothing else, in memory and over sockets."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pellucid.lab as lab
from pellucid import ClientConfig, Reason, UsageError
from pellucid.events import VerifyPeer
from pellucid.lab import (
    ChangeCipherSpec,
    Fault,
    HelloRetryRequest,
    Record,
    Tap,
    apart,
    append,
    corrupt,
    cut,
    drop,
    duplicate,
    edit,
    extensions,
    flip,
    in_clear,
    insert,
    probe,
    record_version,
    records,
    repeat_extension,
    replace,
    serve,
    split,
    swap,
)
from pellucid.trust.authority import Authority
from pellucid.wire.codepoints import Alert, HandshakeType
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    KeyUpdate,
    ServerHello,
)
from rfc.world import (
    AUTHORITY,
    ECDSA,
    TLS12,
    TLS13,
    client,
    client_config,
    connected,
    server,
    server_config,
    talk,
)

T = HandshakeType
HONEST: list[int] = [T.server_hello, T.encrypted_extensions, T.certificate, T.certificate_verify, T.finished]


def sent(*faults: Fault) -> tuple[list[int], Tap, Any]:
    """What a server with these faults sends, and the conversation."""
    tap = Tap()
    found = talk(client(), server(*faults, tap, tickets=0))
    return tap.types, tap, found


def test_no_fault_changes_nothing() -> None:
    types, tap, found = sent()
    assert types == HONEST
    assert found.completed
    assert tap.the(ServerHello).cipher_suite == found.client.info.cipher_suite
    with pytest.raises(LookupError):
        tap.the(KeyUpdate)


SCRIPTS: dict[str, tuple[Fault, list[int], Reason]] = {
    "edit": (edit(Finished, verify_data=bytes(32)), HONEST, Reason.BAD_FINISHED),
    "edit by a function": (
        edit(EncryptedExtensions, lambda m: EncryptedExtensions({**m.extensions, X.cookie: b""})),
        HONEST,
        Reason.UNEXPECTED_EXTENSION,
    ),
    "extensions": (
        extensions(EncryptedExtensions, {X.heartbeat: b"\1"}),
        HONEST,
        Reason.UNEXPECTED_EXTENSION,
    ),
    "extensions taken out": (
        extensions(ServerHello, {X.supported_versions: None}),
        HONEST,
        Reason.UNSUPPORTED_PROTOCOL,
    ),
    "repeat": (repeat_extension(ServerHello, X.key_share), HONEST, Reason.DUPLICATE_EXTENSION),
    "drop": (
        drop(CertificateVerify),
        [t for t in HONEST if t != T.certificate_verify],
        Reason.UNEXPECTED_MESSAGE,
    ),
    "duplicate": (duplicate(Certificate), [*HONEST[:3], *HONEST[2:]], Reason.UNEXPECTED_MESSAGE),
    "replace": (
        replace(Certificate, KeyUpdate(0)),
        [*HONEST[:2], T.key_update, *HONEST[3:]],
        Reason.UNEXPECTED_MESSAGE,
    ),
    "insert before": (
        insert(KeyUpdate(0), before=Finished),
        [*HONEST[:4], T.key_update, T.finished],
        Reason.UNEXPECTED_MESSAGE,
    ),
    "insert after": (
        insert(KeyUpdate(0), after=ServerHello),
        [T.server_hello, T.key_update, *HONEST[1:]],
        Reason.EXCESS_HANDSHAKE_DATA,
    ),
    "swap": (
        swap(Certificate, CertificateVerify),
        [*HONEST[:2], T.certificate_verify, T.certificate, T.finished],
        Reason.UNEXPECTED_MESSAGE,
    ),
    "flip": (flip(CertificateVerify), HONEST, Reason.BAD_SIGNATURE),
    "cut": (cut(EncryptedExtensions), HONEST, Reason.DECODE_ERROR),
    "append": (append(EncryptedExtensions), HONEST, Reason.TRAILING_DATA),
    "corrupt": (corrupt(epoch=2, nth=1), HONEST, Reason.BAD_RECORD_MAC),
    "in clear": (in_clear(epoch=2), HONEST, Reason.BAD_RECORD_MAC),
    "version": (record_version(0x0299), HONEST, Reason.WRONG_RECORD_VERSION),
    "records": (
        records(lambda record: (record.sealed(content_type=99),), epoch=2, nth=1),
        HONEST,
        Reason.UNEXPECTED_RECORD,
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_fault_is_the_only_one(name: str) -> None:
    """What goes out is what the script says; the honest side notices exactly that."""
    fault, types, reason = SCRIPTS[name]
    import copy

    found_types, _, found = sent(copy.deepcopy(fault))
    assert found_types == types
    assert found.client_error is not None
    assert found.client_error.reason is reason


def test_every_fault_of_the_laboratory_has_a_script_here() -> None:
    text = Path(__file__).read_text("utf-8")
    for name in lab.__all__:
        if name.islower() and name not in ("converse", "probe", "serve"):
            assert re.search(rf"\b{name}\(", text), name


def test_each_message_in_a_record_of_its_own() -> None:
    types, _, found = sent(apart())
    assert types == HONEST
    assert found.completed
    kinds, wire = [], found.to_client
    while wire:
        kinds.append(wire[0])
        wire = wire[5 + int.from_bytes(wire[3:5], "big") :]
    assert kinds == [22, 20, 23, 23, 23, 23], "a ServerHello, a dummy, and four messages apart"


def test_a_split_breaks_nothing() -> None:
    types, _, found = sent(split(1))
    assert types == HONEST
    assert found.completed
    assert len(found.to_client) > 900 * 23


def test_the_nth_and_no_other() -> None:
    tap = Tap()
    found = connected(client(), server(tap, policy=TLS13))
    found.server.update_keys()
    found.server.update_keys()
    assert found.go_on().completed
    fault = edit(KeyUpdate, nth=2, request_update=7)
    found = connected(client(), server(fault))
    for number in (1, 2):
        found.server.update_keys()
        found.go_on()
        assert (found.client_error is None) is (number == 1)
    assert found.client_error is not None
    assert found.client_error.reason is Reason.BAD_KEY_UPDATE


def test_a_retry_is_addressed_by_its_own_name() -> None:
    policy = TLS13.replace(key_shares=(0x1D,))
    retrying = server_config(TLS13.replace(groups=(0x17,)))
    found = talk(client(policy=policy), server(edit(HelloRetryRequest, cipher_suite=0x1302), config=retrying))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.WRONG_CIPHER_RETURNED
    found = talk(client(policy=policy), server(duplicate(HelloRetryRequest), config=retrying))
    assert found.client_error is not None


def test_records_between_messages() -> None:
    found = talk(client(), server(insert(Record(21, b"\1\0"), before=Certificate)))
    assert found.client_error is not None
    assert found.client_error.reason is Reason.PEER_CLOSED
    found = talk(client(policy=TLS12), server(drop(ChangeCipherSpec), policy=TLS12))
    assert found.client_error is not None


def test_scripts_that_make_no_sense() -> None:
    with pytest.raises(AttributeError, match="no field"):
        edit(ServerHello, colour="red")
    with pytest.raises(TypeError):
        insert(KeyUpdate(0))


def test_a_fault_of_ones_own() -> None:
    class Late(Fault):
        """Holds a message back until the next one, and sends both in the wrong order."""

        held: bytes | None = None

        def items(self, item: Any) -> Any:
            if isinstance(item, bytes) and item[0] == T.certificate_verify:
                self.held = item
                return ()
            if self.held is not None:
                held, self.held = self.held, None
                return (item, held)
            return (item,)

    types, _, found = sent(Late())
    assert types[-2:] == [T.finished, T.certificate_verify]
    assert found.client_error.reason is Reason.UNEXPECTED_MESSAGE


def test_what_is_injected_goes_under_the_present_keys() -> None:
    found: Any = connected(client(Tap()), server())
    found.client.inject(23, b"hello")
    found.client.inject_message(KeyUpdate(1))
    assert found.go_on().data("server") == b"hello"
    found.client.send_data(b"under the old keys")
    assert found.go_on().server_error.reason is Reason.BAD_RECORD_MAC
    found = connected(client(Tap()), server())
    found.client.inject_raw(b"\x17\x03\x03\0\x20" + bytes(32))
    assert found.go_on().server_error.reason is Reason.BAD_RECORD_MAC


# -- over sockets, against others ------------------------------------------------------------------


def standard_server(answer: bytes = b"") -> tuple[int, Callable[[], None]]:
    """The standard library's TLS server: OpenSSL, whichever version this Python has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    import tempfile

    folder = Path(tempfile.mkdtemp())
    cert, key = ECDSA.write(folder)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            try:
                with sock, context.wrap_socket(sock, server_side=True) as tls:
                    tls.sendall(tls.recv(100).upper())
            except (OSError, ValueError):
                continue

    threading.Thread(target=work, daemon=True).start()
    return listener.getsockname()[1], listener.close


@pytest.fixture
def openssl_port() -> Any:
    port, close = standard_server()
    yield port
    close()


def test_an_honest_probe(openssl_port: int) -> None:
    outcome = probe(
        ("localhost", openssl_port), client_config(), after=lambda peer: peer.send_data(b"hello"), timeout=60
    )
    assert outcome.completed
    assert outcome.data == b"HELLO"
    assert outcome.alert is None
    assert outcome.end in ("close_notify", "eof")
    assert outcome.info.peer_chain == ECDSA.chain
    assert outcome.sent


@pytest.mark.parametrize(
    ("fault", "alert"),
    [
        (flip(Finished), Alert.decrypt_error),
        (cut(ClientHello), Alert.decode_error),
        (extensions(ClientHello, {X.supported_groups: b"\0\1\0"}), Alert.decode_error),
        (replace(Finished, KeyUpdate(0)), Alert.unexpected_message),
        (edit(ClientHello, cipher_suites=(0x1399,)), Alert.handshake_failure),
    ],
)
def test_openssl_refuses_what_it_should(openssl_port: int, fault: Fault, alert: Alert) -> None:
    """The laboratory is of use against any peer: here the standard `ssl` module."""
    outcome = probe(("localhost", openssl_port), client_config(), fault, timeout=60)
    assert outcome.alert is alert, outcome
    assert outcome.end


def standard_client(port: int, authority: Authority) -> str | None:
    """The standard library's client; what it says when it refuses."""
    context = ssl.create_default_context(cadata=authority.pem.decode())
    with socket.create_connection(("localhost", port), 60) as sock:
        try:
            with context.wrap_socket(sock, server_hostname="localhost") as tls:
                tls.sendall(b"hello")
                tls.recv(10)
        except ssl.SSLError as error:
            return str(error.reason)
    return None


@pytest.mark.parametrize(
    ("fault", "alert"),
    [
        (None, None),
        (flip(CertificateVerify), Alert.decrypt_error),
        (flip(Finished), Alert.decrypt_error),
        (drop(CertificateVerify), Alert.unexpected_message),
        (edit(ServerHello, legacy_session_id_echo=b"another"), Alert.illegal_parameter),
    ],
)
def test_a_trap_for_other_clients(fault: Fault | None, alert: Alert | None) -> None:
    faults = () if fault is None else (fault,)
    with serve(server_config(), *faults, after=lambda peer: peer.send_data(b"welcome"), timeout=60) as trap:
        for number in range(2):
            refused = standard_client(trap.port, AUTHORITY)
            outcome = trap.outcome(number, 60)
            assert (refused is None) is (fault is None)
            assert outcome.alert is alert, outcome


def test_ends_of_a_line() -> None:
    def quiet(sock: socket.socket) -> None:
        sock.recv(10)

    for wanted in ("eof", "silence"):
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            port = listener.getsockname()[1]
            holder: list[socket.socket] = []

            def accept(wanted: str = wanted, holder: list[socket.socket] = holder) -> None:
                sock, _ = listener.accept()  # noqa: B023
                sock.recv(65536)
                if wanted == "eof":
                    sock.close()
                else:
                    holder.append(sock)

            thread = threading.Thread(target=accept, daemon=True)
            thread.start()
            outcome = probe(("localhost", port), client_config(), timeout=60 if wanted == "eof" else 1)
            thread.join(60)
            for sock in holder:
                sock.close()
        assert outcome.end == wanted
        assert not outcome.completed
        assert wanted in repr(outcome)
    with pytest.raises(ConnectionRefusedError):
        probe(("localhost", port), client_config())


def test_the_laboratory_answers_no_questions(openssl_port: int) -> None:
    with pytest.raises(UsageError, match="answers no requests"):
        probe(("localhost", openssl_port), ClientConfig(ask=frozenset({VerifyPeer})))


def test_a_trap_that_nobody_steps_into() -> None:
    with serve(server_config()) as trap, pytest.raises(TimeoutError):
        trap.outcome(timeout=0.05)


# -- the pytest plugin -----------------------------------------------------------------------------

SUITE = """
import socket, ssl
import pytest
from pellucid.lab import edit, flip
from pellucid.wire.messages import CertificateVerify, Finished
from pellucid import serve, ServerConfig


def connect(port, ca):
    context = ssl.create_default_context(cafile=ca)
    with socket.create_connection(("localhost", port)) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            return tls.recv(100)


def test_an_honest_server(tls_server, tls_ca_file):
    trap = tls_server(answer=b"hello")
    assert connect(trap.port, tls_ca_file) == b"hello"
    assert trap.outcome().completed


@pytest.mark.parametrize("wrong", ["expired", "self-signed", "wrong-name"])
def test_bad_certificates(tls_server, tls_ca_file, wrong):
    trap = tls_server(certificate=wrong)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(trap.port, tls_ca_file)
    assert trap.outcome().alert is not None


def test_a_bad_signature(tls_server, tls_ca_file):
    trap = tls_server(flip(CertificateVerify))
    with pytest.raises(ssl.SSLError):
        connect(trap.port, tls_ca_file)
    assert trap.outcome().alert.name == "decrypt_error"


def test_a_bad_client(tls_client, tls_authority):
    config = ServerConfig(identities=(tls_authority.issue("localhost"),))
    with serve(lambda tls: tls.sendall(tls.recv(10)), config) as server:
        assert tls_client(server.port, send=b"echo").data == b"echo"
        assert tls_client(server.port, flip(Finished)).alert.name == "decrypt_error"
        assert tls_client(server.port, alpn=("h2",), send=b"x").completed
"""


@pytest.mark.slow
def test_the_plugin_at_work(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("-q", "-p", "pellucid.pytest_plugin", "-p", "no:xdist", timeout=90)
    result.assert_outcomes(passed=6)


def test_pytest_finds_the_plugin_by_itself() -> None:
    from importlib.metadata import entry_points

    found = [one for one in entry_points(group="pytest11") if one.value == "pellucid.pytest_plugin"]
    assert found, "installed before the entry point was there? pip install -e . again"
    assert found[0].name == found[0].value, "so that -p and the entry point mean the same plugin"


def test_who_does_not_ask_pays_nothing() -> None:
    """Loading the plugin must import neither pellucid's core nor cryptography."""
    code = "import sys, pellucid.pytest_plugin as p; print(sorted({m.split('.')[0] for m in sys.modules}))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "cryptography" not in found.stdout


# -- the page --------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"


def test_the_examples_on_the_page() -> None:
    import doctest

    failed, tried = doctest.testfile(
        str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert failed == 0
    assert tried > 30


def test_the_page_knows_every_fault_and_fixture() -> None:
    import pellucid.pytest_plugin as plugin

    text = PAGE.read_text("utf-8")
    for name in lab.__all__:
        if name.islower():
            assert f"`{name}(" in text or f"`{name}`" in text, name
    for name in vars(plugin):
        if name.startswith("tls_"):
            assert f"`{name}`" in text, name
