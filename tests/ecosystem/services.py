"""Real services on loopback, each with a port in the clear and one over a TLS of its own.

redis-server, PostgreSQL and mosquitto bring OpenSSL, RabbitMQ Erlang's ssl over OpenSSL's primitives, slapd
(Debian's) GnuTLS. `tests/interop/install.sh` installs them; what is not there skips by name.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from compat.world import Contexts
from ecosystem.programs import as_user, folder_for, service
from ecosystem.servers import LOOPBACK
from interop.bench import PeerFailed


@dataclass(frozen=True)
class Service:
    """Where a service listens: in the clear, and over TLS."""

    plain: int
    tls: int


def program(name: str, *folders: str) -> str:
    """The path of a program, or the test is skipped."""
    found = shutil.which(name, path=":".join((*folders, "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin")))
    if found is None:
        pytest.skip(f"{name} is not installed (tests/interop/install.sh)")
    return found


@contextlib.contextmanager
def redis_server(contexts: Contexts, folder: Path) -> Iterator[Service]:
    """A redis-server that keeps nothing."""
    pem = contexts.pem("localhost")
    words = [program("redis-server"), "--bind", LOOPBACK, "--save", "", "--dir", str(folder)]
    words += ["--tls-cert-file", pem, "--tls-key-file", pem, "--tls-ca-cert-file", contexts.ca]
    words += ["--tls-auth-clients", "optional"]
    with service(lambda ports: [*words, "--port", ports[0], "--tls-port", ports[1]], 2) as found:
        yield Service(*found)


@contextlib.contextmanager
def mosquitto(contexts: Contexts, folder: Path) -> Iterator[Service]:
    """An MQTT broker that lets everybody in."""
    pem = contexts.pem("localhost")
    path = program("mosquitto")
    file = folder / "mosquitto.conf"

    def command(ports: Sequence[int]) -> list[str | Path]:
        plain, tls = ports
        file.write_text(
            f"user root\nallow_anonymous true\nper_listener_settings false\nlistener {plain} {LOOPBACK}\n"
            f"listener {tls} {LOOPBACK}\ncafile {contexts.ca}\ncertfile {pem}\nkeyfile {pem}\n"
        )
        return [path, "-c", file]

    with service(command, 2) as found:
        yield Service(*found)


@contextlib.contextmanager
def postgresql(contexts: Contexts, folder: Path) -> Iterator[Service]:
    """A PostgreSQL cluster of its own; both kinds of connection go to one port."""
    folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    initdb, postgres = program("initdb", *folders), program("postgres", *folders)
    user = as_user("postgres")
    with folder_for("postgres") as home:
        key = home / "server.pem"
        shutil.copy(contexts.pem("localhost"), key)
        key.chmod(0o600)
        if user:
            shutil.chown(key, "postgres", "postgres")
        words = [*user, initdb, "--pgdata", str(home / "data"), "--username", "tester", "--auth", "trust"]
        words += ["--no-sync", "--encoding", "UTF8", "--locale", "C", "--no-instructions"]
        subprocess.run(words, check=True, capture_output=True, timeout=90, cwd=home)
        settings = {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": str(key),
            "ssl_key_file": str(key),
        }
        start = [*user, postgres, "-D", str(home / "data")]
        for name, value in settings.items():
            start += ["-c", f"{name}={value}"]
        ready = "ready to accept connections"
        with service(lambda ports: [*start, "-c", f"port={ports[0]}"], says=ready) as found:
            yield Service(found[0], found[0])


@contextlib.contextmanager
def slapd(contexts: Contexts, folder: Path) -> Iterator[Service]:
    """An LDAP server with an empty database."""
    path = program("slapd")
    pem = contexts.pem("localhost")
    (folder / "database").mkdir()
    file = folder / "slapd.conf"
    file.write_text(
        "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        f"pidfile {folder}/pid\nTLSCertificateFile {pem}\nTLSCertificateKeyFile {pem}\n"
        'database mdb\nsuffix "dc=test"\nrootdn "cn=admin,dc=test"\nrootpw secret\n'
        f"directory {folder}/database\n"
    )

    def command(ports: Sequence[int]) -> list[str | Path]:
        plain, tls = ports
        return [path, "-f", file, "-h", f"ldap://{LOOPBACK}:{plain}/ ldaps://{LOOPBACK}:{tls}/", "-d", "0"]

    with service(command, 2) as found:
        yield Service(*found)


@contextlib.contextmanager
def rabbitmq(contexts: Contexts, folder: Path) -> Iterator[Service]:
    """A RabbitMQ node without plugins, and the epmd that it wants, on ports of their own."""
    path = program("rabbitmq-server", "/usr/lib/rabbitmq/bin")  # Debian's wrapper wants its own user
    epmd = program("epmd")
    pem = contexts.pem("localhost")
    (folder / "plugins").write_text("[].\n")
    stack = contextlib.ExitStack()

    def command(ports: Sequence[int]) -> list[str]:
        plain, tls, names, nodes = ports
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {LOOPBACK}:{plain}\nlisteners.ssl.1 = {LOOPBACK}:{tls}\n"
            f"ssl_options.cacertfile = {contexts.ca}\nssl_options.certfile = {pem}\n"
            f"ssl_options.keyfile = {pem}\nssl_options.verify = verify_none\n"
        )
        settings = {
            "HOME": folder,
            "ERL_EPMD_PORT": names,
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_DIST_PORT": nodes,
            "RABBITMQ_NODENAME": f"tests{plain}@localhost",
            "RABBITMQ_CONFIG_FILE": folder / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
            "RABBITMQ_MNESIA_BASE": folder / "data",
            "RABBITMQ_LOG_BASE": folder / "log",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ADVANCED_CONFIG_FILE": "/dev/null",
        }
        words = [f"{name}={value}" for name, value in settings.items()]
        # An epmd that the node starts by itself would outlive it.
        return ["env", *words, "sh", "-c", '"$0" & exec "$1"', epmd, path]

    try:
        node = stack.enter_context(service(command, 4, seconds=150))
    except PeerFailed as error:
        if "within" not in str(error):
            raise
        pytest.skip("RabbitMQ takes more than 150 s to start here")  # 6 s of a processor
    with stack:
        yield Service(*node[:2])


SERVICES: dict[str, Callable[[Contexts, Path], contextlib.AbstractContextManager[Service]]] = {
    "redis": redis_server,
    "postgresql": postgresql,
    "mosquitto": mosquitto,
    "slapd": slapd,
    "rabbitmq": rabbitmq,
}
