"""Captures beside Wireshark: real handshakes of other stacks, recorded from the loopback device.

tshark and pellucid read the same packets with the same key log, and must agree on every field that both
have; and tshark must open what pellucid wrote.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid import ClientConfig, Policy, Trust, connect
from pellucid.glass.capture import Capture, KeyRing, conversations, export, listen
from pellucid.glass.decode import Reader, chain_of
from pellucid.glass.trace import Trace
from pellucid.keylog import KeyLog
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.codepoints import HandshakeType
from support import House

from .bench import Certificates, Setup, running
from .commands import OpenSSL

pytestmark = [pytest.mark.interop, pytest.mark.slow]

SECRET = b"nobody reads this on the wire"


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@contextlib.contextmanager
def recording(port: int, file: Path) -> Iterator[None]:
    """dumpcap on the loopback device; it is stopped when the connection is over."""
    needs("dumpcap", "tshark")
    command = ["dumpcap", "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", str(file)]
    with running(command) as child:
        deadline = time.monotonic() + 20
        while not file.exists() or file.stat().st_size == 0:  # it writes its head once it listens
            if child.process.poll() is not None:
                pytest.skip(f"dumpcap may not listen here: {child.stderr.strip()}")
            assert time.monotonic() < deadline, child.stderr
            time.sleep(0.02)
        yield
        enough = time.monotonic() + 20
        while not ended(file) and time.monotonic() < enough:
            time.sleep(0.05)
        child.process.terminate()
        child.process.wait(20)


def ended(file: Path) -> bool:
    """Whether the packets hold a whole connection: dumpcap writes them a little later."""
    seen = Capture.read(file.read_bytes()).packets
    return sum(1 for packet in seen if len(packet.data) > 47 and packet.data[14 + 20 + 13] & 5) >= 2


# -- the clients -----------------------------------------------------------------------------------------


def run(command: list[str], keys: Path, text: bytes) -> None:
    """A command-line client: says `text`, reads until the server's answer, leaves."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"SSLKEYLOGFILE": str(keys)},
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError(command)
    process.stdin.write(text)
    process.stdin.flush()
    seen = b""
    while SECRET not in seen.split(b"\r\n\r\n")[-1] and (more := os.read(process.stdout.fileno(), 4096)):
        seen += more
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


def openssl(port: int, root: Path, keys: Path, version: str) -> None:
    place = f"localhost:{port}"
    command = ["openssl", "s_client", "-connect", place, "-CAfile", str(root), "-quiet", "-no_ign_eof"]
    command += ["-alpn", "h2,http/1.1", "-keylogfile", str(keys), f"-tls{version.replace('.', '_')}"]
    run(command, keys, SECRET + b"\n")


def gnutls(port: int, root: Path, keys: Path, version: str) -> None:
    only = f"NORMAL:-VERS-ALL:+VERS-TLS{version}"
    command = ["gnutls-cli", "-p", str(port), "--x509cafile", str(root), "--priority", only, "localhost"]
    run(command, keys, SECRET + b"\n")


def chromium(port: int, root: Path, keys: Path, version: str) -> None:
    profile = keys.with_suffix(".profile")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    flags += " --disable-background-networking --disable-component-update --ignore-certificate-errors"
    flags += f" --ssl-version-max=tls{version}" if version == "1.2" else ""
    command = ["chromium", *flags.split(), f"--ssl-key-log-file={keys}", f"--user-data-dir={profile}"]
    subprocess.run(
        [*command, "--dump-dom", f"https://localhost:{port}/"], capture_output=True, timeout=60, check=False
    )


def pellucid(port: int, root: Path, keys: Path, version: str) -> None:
    policy = Policy(versions=(0x0300 + {"1.2": 3, "1.3": 4}[version],))
    config = ClientConfig(trust=Trust.from_pem(root), policy=policy, alpn=("h2",), keylog=KeyLog(keys))
    with (
        pytest.warns(UserWarning, match="secrets") if not KeyLog._warned else contextlib.nullcontext(),
        connect("localhost", port, config=config, timeout=20) as tls,
    ):
        tls.sendall(SECRET + b"\n")
        seen = b""
        while SECRET not in seen:
            seen += tls.recv()


CLIENTS: dict[str, Callable[[int, Path, Path, str], None]] = {
    "openssl": openssl,
    "gnutls-cli": gnutls,
    "chromium": chromium,
    "pellucid": pellucid,
}


# -- what both read ----------------------------------------------------------------------------------------

FIELDS = {
    "types": "tls.handshake.type",
    "randoms": "tls.handshake.random",
    "sessions": "tls.handshake.session_id",
    "suites": "tls.handshake.ciphersuite",
    "extensions": "tls.handshake.extension.type",
    "names": "tls.handshake.extensions_server_name",
    "groups": "tls.handshake.extensions_supported_group",
    "schemes": "tls.handshake.sig_hash_alg",
    "alpn": "tls.handshake.extensions_alpn_str",
    "shares": "tls.handshake.extensions_key_share_group",
    "versions": "tls.handshake.extensions.supported_version",
    "certificates": "tls.handshake.certificate",
    "alerts": "tls.alert_message.desc",
}


def tshark(file: Path, port: int, *more: str) -> str:
    needs("tshark")
    command = ["tshark", "-r", str(file), "-d", f"tcp.port=={port},tls", *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def theirs(file: Path, port: int, keys: Path | None) -> dict[str, list[str]]:
    """What tshark reads, field by field."""
    options = ["-o", f"tls.keylog_file:{keys}"] if keys else []
    wanted = [option for field in FIELDS.values() for option in ("-e", field)]
    found: dict[str, list[str]] = {name: [] for name in FIELDS}
    for line in tshark(file, port, *options, "-T", "fields", "-E", "separator=|", *wanted).splitlines():
        for name, values in zip(FIELDS, line.split("|"), strict=True):
            found[name] += [plain(value) for value in values.split(",") if value]
    return found


def plain(value: str) -> str:
    """Numbers in one form: tshark writes some in hex and some not."""
    value = value.replace(":", "")
    if value.startswith("0x"):
        return str(int(value, 16))
    return value


def mine(trace: Trace) -> dict[str, list[str]]:
    """The same from our trace."""
    found: dict[str, list[Any]] = {name: [] for name in FIELDS}
    reader = Reader(trace)
    for fact in trace.of("message"):
        message = reader.message(fact)
        found["types"].append(message.type)
        body = message.body
        if message.type in (HandshakeType.client_hello, HandshakeType.server_hello):
            found["randoms"].append(body.random.hex())
            session = getattr(body, "legacy_session_id", None) or getattr(body, "legacy_session_id_echo", b"")
            found["sessions"] += [session.hex()] if session else []
        if message.type == HandshakeType.client_hello:
            found["suites"] += body.cipher_suites
        elif message.type == HandshakeType.server_hello:
            found["suites"].append(body.cipher_suite)
        for der in chain_of(message):
            found["certificates"].append(der.hex())
        _extensions(found, reader, message)
        if message.type == HandshakeType.certificate_verify or (
            message.name == "ServerKeyExchange" and hasattr(body, "algorithm")
        ):
            found["schemes"].append(body.algorithm)
        elif message.type == HandshakeType.certificate_request and hasattr(body, "signature_algorithms"):
            found["schemes"] += body.signature_algorithms
    found["alerts"] = [fact.fields["description"] for fact in trace.of("alert")]
    return {name: [str(value) for value in values] for name, values in found.items()}


def _extensions(found: dict[str, list[Any]], reader: Reader, message: Any) -> None:
    body = message.body
    places = [getattr(body, "extensions", None) or {}]
    places += [
        entry.extensions for entry in getattr(body, "certificate_list", ()) if hasattr(entry, "extensions")
    ]
    for place in places:
        found["extensions"] += list(place)
    if not places[0]:
        return
    for kind, name in (
        (X.supported_groups, "groups"),
        (X.signature_algorithms, "schemes"),
        (X.supported_versions, "versions"),
    ):
        content = reader.extension(message, kind) if kind in places[0] else None
        if content is not None:
            value = getattr(content, next(iter(content.fields)))
            found[name] += value if isinstance(value, tuple) else [value]
    alpn = reader.extension(message, X.application_layer_protocol_negotiation)
    if alpn is not None:
        found["alpn"] += [bytes(getattr(n, "name", n)).decode() for n in next(iter(vars_of(alpn)))]
    share = reader.extension(message, X.key_share)
    if share is not None:
        value = next(iter(vars_of(share)))
        entries = value if isinstance(value, tuple) else [value]
        found["shares"] += [getattr(entry, "group", entry) for entry in entries]
    name = reader.extension(message, X.server_name)
    if name is not None:
        found["names"] += [bytes(entry.host_name).decode() for entry in next(iter(vars_of(name)))]


def vars_of(struct: Any) -> list[Any]:
    return [getattr(struct, field) for field in struct.fields]


# -- the tests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.3", "1.2"])
@pytest.mark.parametrize("client", CLIENTS)
def test_tshark_and_pellucid_read_the_same(
    client: str, version: str, certificates: Certificates, tmp_path: Path
) -> None:
    needs(client if client != "pellucid" else "tshark", "openssl")
    file, keys = tmp_path / "capture.pcapng", tmp_path / "keys.log"
    keys.touch(0o600)
    setup = Setup(http=client == "chromium", version=version)  # type: ignore[arg-type]
    with OpenSSL().serve(setup, certificates) as serving, recording(serving.port, file):
        CLIENTS[client](serving.port, certificates.root, keys, version)
    capture = Capture.read(file.read_bytes())
    ring = KeyRing([*capture.secrets, *keys.read_text().splitlines()])
    traces = [trace for each in conversations(capture.packets) if (trace := listen(each, ring))]
    assert traces
    ours: dict[str, list[str]] = {name: [] for name in FIELDS}
    for trace in traces:
        for name, values in mine(trace).items():
            ours[name] += values
    due = theirs(file, serving.port, keys)
    for name in FIELDS:
        assert sorted(ours[name]) == sorted(due[name]), name
    data = [f.fields["plaintext"] for t in traces for f in t.of("record") if f.fields["content_type"] == 23]
    assert data
    assert None not in data
    if client != "chromium":
        assert SECRET in b"".join(data)


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_tshark_opens_what_pellucid_wrote(
    house: House, version: str, certificates: Certificates, tmp_path: Path
) -> None:
    """The pcapng file carries its keys: nothing else is needed to read the data."""
    needs("tshark", "openssl")
    trace = Trace()
    policy = Policy(versions=(0x0300 + {"1.2": 3, "1.3": 4}[version],))
    with OpenSSL().serve(Setup(), certificates) as serving:
        config = ClientConfig(trust=Trust.from_pem(certificates.root), policy=policy, observer=trace)
        with connect("localhost", serving.port, config=config, timeout=20) as tls:
            tls.sendall(SECRET + b"\n")
            while not tls.recv():
                pass
    file = tmp_path / "ours.pcapng"
    file.write_bytes(export(trace))
    follow = tshark(file, 443, "-q", "-z", "follow,tls,ascii,0")
    assert SECRET.decode() in follow
    due = theirs(file, 443, None)
    ours = mine(trace)
    for name in FIELDS:
        assert sorted(ours[name]) == sorted(due[name]), name
    file.write_bytes(export(trace, secrets=False))
    assert SECRET.decode() not in tshark(file, 443, "-q", "-z", "follow,tls,ascii,0")
    assert "Malformed" not in tshark(file, 443)
