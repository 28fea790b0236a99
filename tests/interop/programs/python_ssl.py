"""A peer with the interface of Python's ssl module: `ssl` itself, `utls` (BoringSSL) or `rtls` (rustls).

Usage: python_ssl.py MODULE server|client key=value...   See README.md beside this file for the keys.
"""

import importlib
import socket
import sys
import threading
from typing import Any

CHUNK = 16384
CURVES = {"x25519": "X25519", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def make_context(tls: Any, role: str, want: dict[str, str]) -> Any:
    server = role == "server"
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER if server else tls.PROTOCOL_TLS_CLIENT)
    if want.get("version"):
        version = getattr(tls.TLSVersion, "TLSv" + want["version"].replace(".", "_"))
        context.minimum_version = context.maximum_version = version
    if want.get("cert"):
        context.load_cert_chain(want["cert"], want["key"])
    if want.get("ca"):
        context.load_verify_locations(want["ca"])
    if server and want.get("verify"):
        context.verify_mode = tls.CERT_REQUIRED
    if want.get("alpn"):
        context.set_alpn_protocols(want["alpn"].split(","))
    if (
        want.get("ciphers") and tls.__name__ != "rtls"
    ):  # rtls cannot be told its suites: the other side names one
        context.set_ciphers(want["ciphers"])
    if want.get("groups") and hasattr(
        context, "set_fingerprint"
    ):  # BoringSSL takes several, in its own words
        context.set_ecdh_curve(":".join(CURVES.get(name, name) for name in want["groups"].split(",")))
    if hasattr(context, "set_session_id_context"):
        context.set_session_id_context(b"pellucid")
    return context


def report(connection: Any, file: Any) -> None:
    cipher = connection.cipher()
    words = {
        "version": connection.version(),
        "suite": cipher[0] if cipher else "",
        "alpn": connection.selected_alpn_protocol() or "",
        "resumed": int(bool(connection.session_reused)),
        "peer": int(bool(connection.getpeercert(True))),
    }
    print("report " + " ".join(f"{key}={value}" for key, value in words.items()), file=file, flush=True)


def answer(context: Any, plain: socket.socket) -> None:
    try:
        with context.wrap_socket(plain, server_side=True) as connection:
            told = False
            while data := connection.recv(CHUNK):
                if not told:
                    report(connection, sys.stdout)
                    told = True
                connection.sendall(data)
            connection.unwrap()
    except OSError as error:
        print(f"connection: {error!r}", file=sys.stderr, flush=True)


def serve(context: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"port={listener.getsockname()[1]}", flush=True)
        while True:
            plain, _ = listener.accept()
            plain.settimeout(30)
            threading.Thread(target=answer, args=(context, plain), daemon=True).start()


def visit(context: Any, want: dict[str, str]) -> None:
    payload = sys.stdin.buffer.read()
    session = None
    for _ in range(int(want.get("times", "1"))):
        plain = socket.create_connection(("127.0.0.1", int(want["port"])), 30)
        extra: dict[str, Any] = {"session": session} if session is not None else {}
        connection = context.wrap_socket(plain, server_hostname=want["name"], **extra)
        for at in range(0, len(payload), CHUNK):
            part = payload[at : at + CHUNK]
            connection.sendall(part)
            left = len(part)
            while left:
                data = connection.recv(left)
                if not data:
                    raise SystemExit("the server closed too early")
                sys.stdout.buffer.write(data)
                left -= len(data)
        report(connection, sys.stderr)
        session = getattr(connection, "session", None)
        connection.unwrap()
        connection.close()
    sys.stdout.flush()


def main() -> None:
    module, role, *pairs = sys.argv[1:]
    want = dict(pair.split("=", 1) for pair in pairs)
    tls = importlib.import_module(module)
    context = make_context(tls, role, want)
    if role == "server":
        serve(context)
    else:
        visit(context, want)


if __name__ == "__main__":
    main()
