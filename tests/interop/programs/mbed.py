"""mbedTLS 2.28 (TLS 1.2), through python-mbedtls. See README.md for the keys."""

import contextlib
import socket
import sys
from typing import Any

from mbedtls import pk, tls, x509
from mbedtls.exceptions import TLSError
from mbedtls.version import version

CHUNK = 16384


def configuration(want: dict[str, str], *, server: bool) -> Any:
    with open(want["ca"]) as file:
        trusted = tls.TrustStore([x509.CRT.from_PEM(file.read())])
    chain = None
    if want.get("cert"):
        with open(want["cert"]) as file:
            leaf = x509.CRT.from_PEM(file.read())
        with open(want["key"]) as file:
            pem = file.read()
        key = (pk.RSA if want["kind"] == "rsa" else pk.ECC).from_PEM(pem)
        chain = ((leaf,), key)
    psk = (want["identity"], bytes.fromhex(want["psk"])) if want.get("psk") else None
    extra: dict[str, Any] = {}
    if want.get("alpn"):
        extra["inner_protocols"] = [name.encode() for name in want["alpn"].split(",")]
    if psk and server:
        extra["pre_shared_key_store"] = dict([psk])
    elif psk:
        extra["pre_shared_key"] = psk
    if want.get("suites"):
        extra["ciphers"] = [name.replace("_", "-") for name in want["suites"].split(",")]
    return tls.TLSConfiguration(
        trust_store=trusted,
        certificate_chain=chain,
        validate_certificates=bool(want.get("verify")) if server else not psk,
        lowest_supported_version=tls.TLSVersion.TLSv1_2,
        highest_supported_version=tls.TLSVersion.TLSv1_2,
        **extra,
    )


def report(connection: Any, file: Any) -> None:
    alpn = connection.negotiated_protocol() or ""
    print(f"report version=TLSv1.2 suite={connection.cipher()} alpn={alpn}", file=file, flush=True)


def handshake(connection: Any) -> None:
    while True:
        try:
            connection.do_handshake()
            return
        except (tls.WantReadError, tls.WantWriteError):
            continue


def serve(want: dict[str, str]) -> None:
    context = tls.ServerContext(configuration(want, server=True))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"port={listener.getsockname()[1]}", flush=True)
        while True:
            plain, _ = listener.accept()
            connection = context.wrap_socket(plain)
            try:
                handshake(connection)
                report(connection, sys.stdout)
                while data := connection.recv(CHUNK):
                    connection.sendall(data)
            except (TLSError, OSError) as error:
                print(f"connection: {error!r}", file=sys.stderr, flush=True)
            with contextlib.suppress(Exception):
                connection.close()


def visit(want: dict[str, str]) -> None:
    payload = sys.stdin.buffer.read()
    context = tls.ClientContext(configuration(want, server=False))
    plain = socket.create_connection(("127.0.0.1", int(want["port"])))
    connection = context.wrap_socket(plain, server_hostname="localhost")
    handshake(connection)
    for at in range(0, len(payload), CHUNK):
        part = payload[at : at + CHUNK]
        connection.sendall(part)
        left = len(part)
        while left:
            try:
                data = connection.recv(left)
            except (tls.WantReadError, tls.WantWriteError):
                continue
            if not data:
                raise SystemExit("the server closed too early")
            sys.stdout.buffer.write(data)
            left -= len(data)
    report(connection, sys.stderr)
    sys.stdout.flush()
    connection.close()


def main() -> None:
    role, *pairs = sys.argv[1:]
    want = dict(pair.split("=", 1) for pair in pairs)
    if role == "version":
        print(version)
    elif role == "server":
        serve(want)
    else:
        visit(want)


if __name__ == "__main__":
    main()
