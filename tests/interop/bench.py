"""What the interoperation tests stand on: processes that cannot hang, and a way to describe a run.

A *peer* is another TLS stack. It is always a process of its own, in a process group of its own that is
killed when the test is over or its time is up, with its stderr kept for the failure message. Nothing here
imports pellucid.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

# The words for what a peer can do, and that Setup asks for.
SUITES13 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
SUITES12 = frozenset(
    f"TLS_ECDHE_{auth}_WITH_{aead}"
    for auth in ("ECDSA", "RSA")
    for aead in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
)
STATIC_RSA = frozenset({"TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_GCM_SHA384"})
CURVES = frozenset({"x25519", "secp256r1", "secp384r1", "secp521r1"})
HYBRID = frozenset({"X25519MLKEM768"})
KEYS = frozenset({"rsa", "ecdsa"})
# Beside suites, groups and keys: "1.2", "1.3" (versions), "client-auth", "resumption-1.2", "resumption-1.3",
# "hrr" (client: supports more groups than it sends shares for; server: can be told its groups), "alpn",
# "early-data", "psk-1.2", "psk-1.3", "session-id", "etm" (encrypt_then_mac), "no-ems" (can go without), "sni"
# (client: asks for a name and verifies it; server: has two identities), "export", "tls-unique", "ocsp",
# "sct", "zlib", "brotli", "zstd", "raw-keys", "post-handshake-auth", "max-fragment-length",
# "record-size-limit", "ed25519", "ed448", "mldsa65".

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
# What install.sh puts beside the repository's files: a venv, npm packages, compiled programs.
INSTALLED = Path(os.environ.get("PELLUCID_PEERS", HERE.parents[1] / ".peers"))
START_SECONDS = 45.0
RUN_SECONDS = 60.0

SCT = bytes(range(64))  # which is none: whoever only delivers it does not look inside

Reply = Literal["echo", "line", "http"]


class PeerFailed(Exception):
    """The other stack did not do what was asked of it; the message carries what it wrote to stderr."""


@dataclasses.dataclass(frozen=True)
class Setup:
    """What one run asks of a peer; an empty value leaves the peer's own default."""

    version: Literal["", "1.2", "1.3"] = ""
    suites: tuple[str, ...] = ()  # IANA names
    groups: tuple[str, ...] = ()  # RFC names, best first; a client sends its share for the first
    key: str = "ecdsa"  # which leaf the server shows
    client_key: str = ""  # server: a client certificate is required; client: show this leaf
    alpn: tuple[str, ...] = ()
    times: int = 1  # client: connections in a row; each later one resumes the one before
    http: bool = False  # server: answer a GET with a page and close, for clients that can do no more
    early_data: bytes = b""  # client: sent in the resumed connection; server: allowed when not empty
    psk: bytes = b""
    psk_identity: str = "pellucid"
    without: frozenset[str] = frozenset()  # what both do without: "ems", "etm", "tickets"; see Peer.lacks
    server_name: str = "localhost"  # what the client asks for; "other.test" is the server's second identity
    export: str = ""  # label of keying material, or "tls-unique", that both sides tell and we compare
    staple: bool = False  # the server staples an OCSP response, the client wants one
    scts: bool = False  # the same with signed certificate timestamps
    compression: str = ""  # of certificates, both ways: "zlib", "brotli", "zstd"
    raw_keys: bool = False  # both sides show raw public keys
    later: bool = False  # the server asks for the client's certificate after the handshake
    fragment: int = 0  # max_fragment_length that the client asks for
    limit: int = 0  # record_size_limit of our side
    ours: tuple[tuple[str, Any], ...] = ()  # changes of our policy that the peer need not know of


@dataclasses.dataclass(frozen=True)
class Certificates:
    """The files of one root and what it issued; made once a test session (certificates.py)."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root's certificate, PEM."""
        return self.folder / "root.pem"

    def certificate(self, kind: str) -> Path:
        """The chain of a server leaf ("rsa", "ecdsa", "ed25519") or a client's ("client-rsa", ...), PEM."""
        return self.folder / f"{kind}.pem"

    def key(self, kind: str) -> Path:
        """The private key that belongs to certificate(kind), PKCS #8 PEM."""
        return self.folder / f"{kind}.key"

    def staple(self, kind: str) -> Path:
        """An OCSP response for the leaf, DER: it is good."""
        return self.folder / f"{kind}.ocsp"

    def public_key(self, kind: str) -> Path:
        """The leaf's public key, PEM."""
        return self.folder / f"{kind}.pub"

    def pkcs12(self, kind: str) -> Path:
        """Both in one PKCS #12 file; its password is "pellucid"."""
        return self.folder / f"{kind}.p12"


@dataclasses.dataclass(frozen=True)
class Visit:
    """What a peer's client brought home: all that it was answered, and its report of each connection."""

    answered: bytes
    reports: tuple[Mapping[str, str], ...]
    stderr: str


class Running:
    """A child process in its own group; stderr goes to a file that failure messages quote."""

    def __init__(
        self,
        command: Sequence[str | Path | int],
        *,
        env: Mapping[str, str] | None = None,
        inherit: Sequence[int] = (),
    ) -> None:
        self.command = [str(part) for part in command]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,
            env={**os.environ, **(env or {})},
            pass_fds=inherit,
        )
        self.stdin: IO[bytes] = self.process.stdin  # type: ignore[assignment]
        self.stdout: IO[bytes] = self.process.stdout  # type: ignore[assignment]

    @property
    def stderr(self) -> str:
        """What the process has written to stderr so far."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def failed(self, what: str) -> PeerFailed:
        """An exception that says what went wrong, with the command and the end of its stderr."""
        return PeerFailed(f"{what}\n  command: {' '.join(self.command)}\n  stderr: {self.stderr[-3000:]}")

    def kill_group(self) -> None:
        """End the process and its children; safe to call twice, from any thread."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the group, and let the pipes and stderr go."""
        self.kill_group()
        self.process.wait(60)
        for pipe in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        self._errors.close()


@contextlib.contextmanager
def running(
    command: Sequence[str | Path | int],
    *,
    env: Mapping[str, str] | None = None,
    inherit: Sequence[int] = (),
) -> Iterator[Running]:
    """Start a process; whatever happens in the block, its group is dead afterwards."""
    child = Running(command, env=env, inherit=inherit)
    try:
        yield child
    finally:
        child.close()


def wait_for(child: Running, check: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Poll `check()` until it is true; a child that dies or takes too long is a PeerFailed."""
    end = time.monotonic() + seconds
    while not check():
        if child.process.poll() is not None:
            raise child.failed(f"exit code {child.process.returncode} before {what}")
        if time.monotonic() > end:
            raise child.failed(f"no {what} within {seconds:.0f} s")
        time.sleep(0.01)


def converse(
    child: Running,
    payload: bytes,
    until: Callable[[bytearray], bool] | None = None,
    *,
    seconds: float = RUN_SECONDS,
) -> bytes:
    """Feed stdin from a thread, and return what comes out of stdout until the process ends.

    With `until`, stdin is closed only when what came satisfies it: some tools end with their stdin. Without,
    it is closed at once. A process that takes longer than `seconds` is killed, which is a PeerFailed.
    """
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.kill_group()

    def feed() -> None:
        view = memoryview(payload)
        with contextlib.suppress(OSError, ValueError):
            while view:
                view = view[os.write(child.stdin.fileno(), view[:65536]) :]
            if until is None:
                child.stdin.close()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    got = bytearray()
    while True:
        if until is not None and until(got):
            feeder.join(seconds)
            child.stdin.close()
            until = None
        part = os.read(child.stdout.fileno(), 65536)
        if not part:
            break
        got += part
    child.process.wait(seconds)
    timer.cancel()
    if late.is_set():
        raise child.failed(f"not done within {seconds:.0f} s; {len(got)} bytes came")
    return bytes(got)


def free_port() -> int:
    """A loopback port that nobody has, for tools that cannot choose one themselves.

    It is none of those that the kernel gives to who asks for any: the servers and clients of other tests,
    which run beside this one, cannot be given it before the tool has it.
    """
    low = _lowest_given()
    for port in random.Random(os.urandom(8)).sample(range(low - 12_000, low), 1000) if low > 20_000 else ():
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@functools.cache
def _lowest_given() -> int:
    """The first of the ports that the kernel chooses from; 0 where it does not say."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 0


def listening(port: int, table: str = "/proc/net/tcp") -> bool:
    """Whether something listens there; asks the kernel's table, so the server does not see a connection."""
    for path in (table, table + "6"):
        with contextlib.suppress(OSError):
            for line in Path(path).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    return True
    return False


@functools.cache
def namespace_command() -> tuple[str, ...]:
    """The command that starts a program in a network of its own, or () where this user may not."""
    unshare = shutil.which("unshare")
    for flags in ("-n", "-rn"):
        if unshare is None:
            break
        with contextlib.suppress(subprocess.SubprocessError):
            if not subprocess.run([unshare, flags, "true"], capture_output=True, timeout=10).returncode:
                return (unshare, flags)
    return ()


INNER_PORT = 4433


@contextlib.contextmanager
def behind_a_door(command: Sequence[str | Path | int]) -> Iterator[tuple[Running, int]]:
    """Run a server that binds every address in a network of its own, behind one loopback port of ours.

    The command has to listen on INNER_PORT. The listening socket of the outer network is inherited by
    programs/doorway.py, which runs inside and passes bytes to the server.
    """
    doorway: list[str | Path] = [*namespace_command(), sys.executable, PROGRAMS / "doorway.py"]
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(16)
        whole = [*doorway, door.fileno(), INNER_PORT, *command]
        with running(whole, inherit=[door.fileno()]) as child:
            table = f"/proc/{child.process.pid}/net/tcp"
            wait_for(child, lambda: listening(INNER_PORT, table), f"listener on port {INNER_PORT}")
            yield child, int(door.getsockname()[1])


def run_quietly(
    command: Sequence[str | Path], *, seconds: float = RUN_SECONDS, cwd: Path | None = None
) -> str:
    """Run to the end and return stdout and stderr together; failure is PeerFailed."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            timeout=seconds,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerFailed(f"{' '.join(map(str, command))}: {error}") from None
    output = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode:
        raise PeerFailed(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{output[-3000:]}")
    return output


def report_lines(text: str, prefix: str = "report ") -> tuple[dict[str, str], ...]:
    """The `report key=value ...` lines that our own programs print, as dictionaries."""
    lines = [line[len(prefix) :] for line in text.splitlines() if line.startswith(prefix)]
    return tuple(dict(word.partition("=")[::2] for word in line.split()) for line in lines)


class Serving:
    """A peer's server while it runs: its port, and what it has reported of its connections so far."""

    def __init__(self, child: Running, port: int) -> None:
        self.child = child
        self.port = port
        self.lines: list[str] = []

    def report(self, key: str, seconds: float = START_SECONDS) -> str:
        """The first value of that key that the server reports, which may be a moment after we are done."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for report in self.reports():
                if key in report:
                    return report[key]
            time.sleep(0.01)
        return ""

    def reports(self) -> tuple[dict[str, str], ...]:
        """What the server said of each finished handshake; () for tools that say nothing."""
        return report_lines("\n".join(self.lines))


class Peer:
    """One TLS stack: what it can do (`server` and `client`, in the words above) and how it is run."""

    name: ClassVar[str]
    library: ClassVar[str]
    server: ClassVar[frozenset[str]] = frozenset()  # what its server can do; empty: there is no server
    client: ClassVar[frozenset[str]] = frozenset()
    answers: ClassVar[Reply] = "echo"  # how its server replies
    asks: ClassVar[Reply] = "echo"  # what its client can send: any bytes, or only an HTTP request
    most: ClassVar[int] = 10_000_000  # bytes that its client can send at once
    # Its client says that it refused a server.
    tells: ClassVar[bool] = True
    # Its client opens other connections beside the one that is looked at.
    more_connections: ClassVar[bool] = False
    # Its client sends no more than fills one record, and forgets the rest (as with `openssl s_server`).
    one_record: ClassVar[bool] = False
    # Its client sends its payload over every one of several connections.
    asks_each_time: ClassVar[bool] = True
    # What our default has and this stack cannot live with: "ems" (RFC 7627), "ml-dsa" (unknown schemes),
    # "hybrid-share" (it must be asked for one); and
    # features that it lacks although it has all that they need.
    lacks: ClassVar[frozenset[str]] = frozenset()
    needs_door: ClassVar[bool] = False  # its server binds every address

    def version(self) -> str | None:
        """The version that is installed here; None if it is not."""
        raise NotImplementedError

    def missing(self, role: str) -> str | None:
        """Why this peer cannot be the "server" or "client" here, for the skip message; None if it can."""
        if not getattr(self, role):
            return f"{self.name} has no {role} that can be run here"
        if self.version() is None:
            return f"{self.name} is not installed"
        if role == "server" and self.needs_door and not namespace_command():
            return f"{self.name}'s server binds every address, and this user may not make a network namespace"
        return None

    def serve(self, setup: Setup, certificates: Certificates) -> contextlib.AbstractContextManager[Serving]:
        """Run its server; the block gets the port. Answers as `answers` says, connection after connection."""
        raise NotImplementedError

    def visit(self, port: int, setup: Setup, certificates: Certificates, payload: bytes) -> Visit:
        """Run its client against localhost:port; it sends payload, and returns what came back."""
        raise NotImplementedError


def question(reply: Reply, size: int) -> bytes:
    """What to send to a server that replies so: about `size` bytes that it can answer."""
    if reply == "http":
        return b"GET / HTTP/1.0\r\n\r\n"
    if reply == "line":
        # Line echoes are C strings and strip carriage returns: printable text with one newline at its end.
        return (b"The quick brown fox jumps over the lazy dog. " * (size // 45 + 1))[
            : max(size, 1) - 1
        ] + b"\n"
    return bytes(range(251)) * (size // 251) + bytes(range(size % 251))


def answered(reply: Reply, asked: bytes, got: bytes) -> bool:
    """Whether `got` is the right answer to question()."""
    return got.startswith((b"HTTP/", b"<HTML>")) if reply == "http" else got == asked
