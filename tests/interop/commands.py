"""Peers that are command-line tools: OpenSSL, GnuTLS, NSS and Botan."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from .bench import (
    CURVES,
    INNER_PORT,
    KEYS,
    STATIC_RSA,
    SUITES12,
    SUITES13,
    Certificates,
    Peer,
    PeerFailed,
    Running,
    Serving,
    Setup,
    Visit,
    behind_a_door,
    converse,
    free_port,
    listening,
    run_quietly,
    running,
    wait_for,
)


@functools.cache
def tool_version(*command: str) -> str | None:
    """The first line that a tool prints of its version, or None where there is no such tool."""
    if shutil.which(command[0]) is None:
        return None
    try:
        return run_quietly(command, seconds=20).splitlines()[0].strip()
    except (PeerFailed, IndexError):
        return "version unknown"


@functools.cache
def debian_version(package: str) -> str:
    """The version of the Debian package that a tool came in, for tools that do not tell their own."""
    try:
        return run_quietly(["dpkg-query", "-W", "-f", "${Version}", package]).strip()
    except PeerFailed:
        return "version unknown"


def openssl_name(suite: str) -> str:
    """OpenSSL's name of a TLS 1.2 suite, from IANA's."""
    key, _, rest = suite.removeprefix("TLS_").partition("_WITH_")
    rest = rest.replace("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305").replace("AES_", "AES")
    rest = rest.replace("_CBC_", "_").replace("CCM_8", "CCM8").replace("_", "-")
    return rest if key == "RSA" else f"{key.replace('_', '-')}-{rest}"


class OpenSSL(Peer):
    """The `openssl` command. Its server echoes by a pump from its stdout to its stdin."""

    name = "openssl"
    library = "OpenSSL 3.0 (command)"
    _both = (
        frozenset(
            {
                "1.2",
                "1.3",
                "client-auth",
                "resumption-1.2",
                "resumption-1.3",
                "session-id",
                "hrr",
                "alpn",
                "early-data",
            }
        )
        | SUITES13
        | SUITES12
        | STATIC_RSA
        | CURVES
        | KEYS
        | {"psk-1.2", "psk-1.3", "ed25519", "x448", "TLS_AES_128_CCM_SHA256"}
        | {"TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "TLS_ECDHE_ECDSA_WITH_AES_256_CCM"}
        | {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"}
        | {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"}
    )
    server = _both | {"sni", "etm", "ocsp", "max-fragment-length", "ed448"}
    client = _both | {"sni", "etm", "post-handshake-auth", "max-fragment-length", "ed448"}

    def version(self) -> str | None:
        return tool_version("openssl", "version")

    def _common(self, setup: Setup) -> list[str]:
        arguments = [f"-tls{setup.version.replace('.', '_')}"] if setup.version else []
        suites13 = [suite for suite in setup.suites if "_WITH_" not in suite]
        suites12 = [openssl_name(suite) for suite in setup.suites if "_WITH_" in suite]
        if suites13:
            arguments += ["-ciphersuites", ":".join(suites13)]
        elif setup.version != "1.2":
            arguments += ["-ciphersuites", ":".join([*sorted(SUITES13), "TLS_AES_128_CCM_SHA256"])]
        if suites12:
            arguments += ["-cipher", ":".join(suites12)]
        if setup.groups:
            arguments += ["-groups", ":".join(setup.groups)]
        if setup.alpn:
            arguments += ["-alpn", ",".join(setup.alpn)]
        if setup.psk:
            arguments += ["-psk", setup.psk.hex(), "-psk_identity", setup.psk_identity]
        if "etm" in setup.without:
            arguments += ["-no_etm"]
        return arguments

    @contextlib.contextmanager
    def serve(self, setup: Setup, certificates: Certificates) -> Iterator[Serving]:
        port = free_port()
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", *self._common(setup)]
        command += ["-www" if setup.http else "-quiet"]
        command += [
            "-cert",
            str(certificates.certificate(setup.key)),
            "-key",
            str(certificates.key(setup.key)),
        ]
        if setup.server_name != "localhost":
            command += ["-servername", setup.server_name]
            command += ["-cert2", str(certificates.certificate("other"))]
            command += ["-key2", str(certificates.key("other"))]
        if setup.staple:
            command += ["-status_file", str(certificates.staple(setup.key))]
        if setup.client_key:
            command += ["-Verify", "3", "-verify_return_error", "-CAfile", str(certificates.root)]
        if setup.early_data:
            command += ["-early_data", "-max_early_data", "16384", "-no_anti_replay"]
        with running(command) as child:
            wait_for(child, lambda: listening(port), "listener")
            if not setup.http:
                threading.Thread(target=_echo, args=(child,), daemon=True).start()
            yield Serving(child, port)

    def visit(self, port: int, setup: Setup, certificates: Certificates, payload: bytes) -> Visit:
        command = [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{port}",
            "-servername",
            setup.server_name,
            "-brief",
        ]
        command += ["-nocommands", *self._common(setup)]
        command += [
            "-CAfile",
            str(certificates.root),
            "-verify_return_error",
            "-verify_hostname",
            setup.server_name,
        ]
        if setup.fragment:
            command += ["-maxfraglen", str(setup.fragment)]
        if setup.later:
            command += ["-enable_pha"]
        if setup.client_key:
            kind = f"client-{setup.client_key}"
            command += ["-cert", str(certificates.certificate(kind)), "-key", str(certificates.key(kind))]
        answers, stderr, reports = b"", "", []
        with tempfile.TemporaryDirectory() as folder:
            session, early = os.path.join(folder, "session"), Path(folder, "early")
            for turn in range(setup.times):
                extra = ["-sess_in", session] if turn else []
                if turn < setup.times - 1:
                    extra += ["-sess_out", session]
                expected = len(payload)
                if turn and setup.early_data:
                    early.write_bytes(setup.early_data)
                    extra += ["-early_data", str(early)]
                    expected += len(setup.early_data)
                with running([*command, *extra]) as child:
                    got = converse(child, payload, _at_least(expected))
                    if child.process.returncode:
                        raise child.failed(f"exit code {child.process.returncode}")
                    answers += got
                    stderr += child.stderr
                    reports.append(_brief(child.stderr))
        return Visit(answers, tuple(reports), stderr)


def _at_least(length: int) -> Callable[[bytearray], bool]:
    return lambda got: len(got) >= length


def _brief(text: str) -> dict[str, str]:
    """What `s_client -brief` says, with our words for keys."""
    words = {"Protocol version": "version", "Ciphersuite": "suite", "Server Temp Key": "group"}
    pairs = (line.partition(": ")[::2] for line in text.splitlines() if ": " in line)
    return {words[key]: value for key, value in pairs if key in words}


def _echo(child: Running) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := os.read(child.stdout.fileno(), 65536):
            view = memoryview(data)
            while view:
                view = view[os.write(child.stdin.fileno(), view) :]


def read_on(child: Running, serving: Serving) -> None:
    """Keep a server's stdout moving, so that it never blocks on a full pipe."""
    with contextlib.suppress(OSError, ValueError):
        for line in iter(child.stdout.readline, b""):
            serving.lines.append(line.decode(errors="replace").rstrip())


class GnuTLS(Peer):
    """gnutls-cli and gnutls-serv (which echoes lines)."""

    name = "gnutls"
    library = "GnuTLS"
    asks_each_time = False
    one_record = True
    answers = "line"
    needs_door = True
    _both = (
        frozenset(
            {
                "1.2",
                "1.3",
                "client-auth",
                "resumption-1.2",
                "resumption-1.3",
                "session-id",
                "hrr",
                "alpn",
                "early-data",
            }
        )
        | SUITES13
        | SUITES12
        | STATIC_RSA
        | CURVES
        | KEYS
        | {"psk-1.2", "psk-1.3", "ed25519", "x448", "TLS_AES_128_CCM_SHA256"}
        | {"TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "TLS_ECDHE_ECDSA_WITH_AES_256_CCM"}
        | {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"}
    )
    # Debian builds it without certificate compression, whatever --compress-cert says.
    _more = frozenset({"sni", "etm", "no-ems", "ed448", "record-size-limit"})
    server = _both | _more | {"ocsp", "raw-keys"}
    # Its client sends record_size_limit beside max_fragment_length: the former holds (RFC 8449 section 5).
    client = _both | _more | {"post-handshake-auth", "raw-keys"}
    _groups = {"secp256r1": "SECP256R1", "secp384r1": "SECP384R1", "secp521r1": "SECP521R1"}

    def version(self) -> str | None:
        line = tool_version("gnutls-cli", "--version")
        return line and line.split()[-1]

    def _priority(self, setup: Setup) -> str:
        words = ["NORMAL:+AES-128-CCM"]
        if setup.psk:
            words.append("+PSK:+ECDHE-PSK:+DHE-PSK")
        if setup.version:
            words.append(f"-VERS-ALL:+VERS-TLS{setup.version}")
        if setup.groups:
            names = (self._groups.get(group, group.upper()) for group in setup.groups)
            words.append("-GROUP-ALL:" + ":".join(f"+GROUP-{name}" for name in names))
        if setup.suites:
            words.append("-CIPHER-ALL:" + ":".join(f"+{_gnutls_cipher(suite)}" for suite in setup.suites))
        if "etm" in setup.without:
            words.append("%NO_ETM")
        if "ems" in setup.without:
            words.append("%NO_SESSION_HASH")
        if setup.raw_keys:
            words.append("-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK")
        return ":".join(words)

    def _own(self, kind: str, setup: Setup, certificates: Certificates) -> list[str]:
        """The arguments that show a certificate, or a raw public key."""
        if setup.raw_keys:
            return [
                "--rawpkfile",
                str(certificates.public_key(kind)),
                "--rawpkkeyfile",
                str(certificates.key(kind)),
            ]
        return [
            "--x509certfile",
            str(certificates.certificate(kind)),
            "--x509keyfile",
            str(certificates.key(kind)),
        ]

    @contextlib.contextmanager
    def serve(self, setup: Setup, certificates: Certificates) -> Iterator[Serving]:
        command = [
            "gnutls-serv",
            "--echo",
            "--crlf",
            "-p",
            str(INNER_PORT),
            "--priority",
            self._priority(setup),
        ]
        command += self._own(setup.key, setup, certificates)
        if setup.server_name != "localhost":
            command += self._own("other", setup, certificates)
        if setup.staple:
            command += ["--ocsp-response", str(certificates.staple(setup.key))]
        if setup.compression:
            command += ["--compress-cert", setup.compression]
        if setup.client_key and setup.raw_keys:
            command += ["-r"]
        elif setup.client_key:
            command += ["--x509cafile", str(certificates.root), "-r", "--verify-client-cert"]
        else:
            command += ["-a"]
        for name in setup.alpn:
            command += ["--alpn", name]
        if setup.early_data:
            command += ["--earlydata", "--maxearlydata", "16384"]
        with tempfile.TemporaryDirectory() as folder:
            if setup.psk:
                passwords = Path(folder, "psk")
                passwords.write_text(f"{setup.psk_identity}:{setup.psk.hex()}\n")
                command += ["--pskpasswd", str(passwords)]
            with behind_a_door(command) as (child, port):
                serving = Serving(child, port)
                threading.Thread(target=read_on, args=(child, serving), daemon=True).start()
                yield serving

    def visit(self, port: int, setup: Setup, certificates: Certificates, payload: bytes) -> Visit:
        command = ["gnutls-cli", "localhost", "-p", str(port), "--priority", self._priority(setup)]
        command += ["--x509cafile", str(certificates.root), "--single-key-share"]
        if setup.client_key:
            command += self._own(f"client-{setup.client_key}", setup, certificates)
        if setup.raw_keys:
            command += ["--insecure"]  # it knows raw public keys by trust on first use only
        if setup.server_name != "localhost":
            command += ["--sni-hostname", setup.server_name, "--verify-hostname", setup.server_name]
        if setup.compression:
            command += ["--compress-cert", setup.compression]
        if setup.later:
            command += ["--post-handshake-auth"]
        for name in setup.alpn:
            command += ["--alpn", name]
        if setup.psk:
            command += ["--pskusername", setup.psk_identity, "--pskkey", setup.psk.hex()]
        with tempfile.TemporaryDirectory() as folder:
            log, early = Path(folder, "log"), Path(folder, "early")
            command += ["--logfile", str(log)]
            length = len(payload)
            if setup.times > 1:
                # -r connects, closes, and connects again with the session; only then the payload goes.
                command += ["-r"] + (["--waitresumption"] if setup.version != "1.2" else [])
                if setup.early_data:
                    early.write_bytes(setup.early_data)
                    command += ["--earlydata", str(early)]
                    length += len(setup.early_data)
            with running(command) as child:
                got = converse(child, payload, lambda got: len(got) >= length)
                said = log.read_text(errors="replace") if log.exists() else ""
                if child.process.returncode:
                    raise child.failed(f"exit code {child.process.returncode}\n  log: {said[-2000:]}")
                report = {"resumed": str(int("This is a resumed session" in said))} if setup.times > 1 else {}
                return Visit(got, (report,), child.stderr + said)


def _gnutls_cipher(suite: str) -> str:
    name = suite.removeprefix("TLS_").rpartition("WITH_")[2]
    name = name.removesuffix("_SHA256").removesuffix("_SHA384").removesuffix("_SHA")
    return name.replace("_", "-")


@functools.cache
def _nss_database(certificates: Certificates, folder: Path) -> Path:
    """An NSS certificate database with the root trusted and every RSA and ECDSA leaf in it."""
    database = folder / "nss"
    database.mkdir()
    place = f"sql:{database}"
    run_quietly(["certutil", "-N", "-d", place, "--empty-password"])
    run_quietly(["certutil", "-A", "-d", place, "-n", "root", "-t", "CT,,", "-i", certificates.root])
    for kind in ("rsa", "ecdsa", "client-rsa", "client-ecdsa"):
        run_quietly(["pk12util", "-i", certificates.pkcs12(kind), "-d", place, "-W", "pellucid", "-K", ""])
    return database


class NSS(Peer):
    """tstclnt and selfserv (which answers a GET), from Debian's libnss3-tools."""

    name = "nss"
    library = "NSS"
    answers = "http"
    asks = "http"
    needs_door = True
    _both = (
        frozenset({"1.2", "1.3", "client-auth", "resumption-1.2", "resumption-1.3", "session-id", "hrr"})
        | SUITES13
        | SUITES12
        | STATIC_RSA
        | CURVES
        | KEYS
        | {"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}
    )
    # selfserv takes -z, and answers NSS's own client with its certificate all the same.
    server = _both | {"record-size-limit"}
    client = _both | {"psk-1.3", "record-size-limit"}
    _groups = {"secp256r1": "P256", "secp384r1": "P384", "secp521r1": "P521", "x25519": "x25519"}

    def version(self) -> str | None:
        if shutil.which("tstclnt") is None or shutil.which("selfserv") is None:
            return None
        return debian_version("libnss3-tools")

    def _common(self, setup: Setup, certificates: Certificates) -> list[str]:
        database = _nss_database(certificates, certificates.folder)
        arguments = ["-d", f"sql:{database}"]
        low, high = (setup.version or "1.2"), (setup.version or "1.3")
        arguments += ["-V", f"tls{low}:tls{high}"]
        if setup.groups:
            arguments += ["-I", ",".join(self._groups[group] for group in setup.groups)]
        if setup.psk:
            arguments += ["-z", f"0x{setup.psk.hex()}:{setup.psk_identity}"]
        if setup.early_data:
            arguments += ["-Z"]
        return arguments

    @contextlib.contextmanager
    def serve(self, setup: Setup, certificates: Certificates) -> Iterator[Serving]:
        command = ["selfserv", "-p", str(INNER_PORT), *self._common(setup, certificates), "-u"]
        command += ["-n" if setup.key == "rsa" else "-e", setup.key]
        if setup.client_key:
            command += ["-r", "-r"]
        with behind_a_door(command) as (child, port):
            serving = Serving(child, port)
            threading.Thread(target=read_on, args=(child, serving), daemon=True).start()
            yield serving

    def visit(self, port: int, setup: Setup, certificates: Certificates, payload: bytes) -> Visit:
        # It ends when the server closes; -A and -L are how one request goes over several connections.
        command = ["tstclnt", "-4", "-h", "localhost", "-p", str(port), "-u"]
        command += [*self._common(setup, certificates)]
        if setup.client_key:
            command += ["-n", f"client-{setup.client_key}"]
        with tempfile.TemporaryDirectory() as folder:
            request = Path(folder, "request")
            request.write_bytes(payload)
            command += ["-A", str(request), "-L", str(setup.times)]
            with running(command) as child:
                got = converse(child, b"", lambda _: False)
                if child.process.returncode:
                    raise child.failed(f"exit code {child.process.returncode}")
                reused = "0 stateless resumes" not in child.stderr
                return Visit(got, ({"resumed": str(int(reused))},), child.stderr)


class Botan(Peer):
    """botan tls_client and tls_server (which echoes lines); version 2 has TLS 1.2 only."""

    name = "botan"
    library = "Botan 2"
    most = 4000
    answers = "line"
    needs_door = True
    _both = frozenset({"1.2", "alpn"}) | SUITES12 | CURVES | KEYS
    server = _both - {"alpn"}
    client = _both

    def version(self) -> str | None:
        return tool_version("botan", "version")

    @contextlib.contextmanager
    def serve(self, setup: Setup, certificates: Certificates) -> Iterator[Serving]:
        command = [
            "botan",
            "tls_server",
            str(certificates.certificate(setup.key)),
            str(certificates.key(setup.key)),
        ]
        command += [f"--port={INNER_PORT}"]
        with behind_a_door(command) as (child, port):
            serving = Serving(child, port)
            threading.Thread(target=read_on, args=(child, serving), daemon=True).start()
            yield serving

    def visit(self, port: int, setup: Setup, certificates: Certificates, payload: bytes) -> Visit:
        # Its output would stay in a buffer until it ends.
        command = ["stdbuf", "-o0", "botan", "tls_client", "localhost", f"--port={port}", "--tls1.2"]
        command += ["--skip-system-cert-store", f"--trusted-cas={certificates.root}"]
        if setup.alpn:
            command += [f"--next-protocols={','.join(setup.alpn)}"]
        with running(command) as child:
            # It tells of the handshake on stdout, and goes on with a certificate that it could not verify.
            got = converse(child, payload, lambda got: payload in got)
            if b"Certificate validation status: Verified" not in got:
                raise child.failed(f"it said {got[:300]!r}")
            return Visit(payload if payload in got else got, ({},), child.stderr)
