"""OpenSSL 4, as `cryptography` brings it, through pyOpenSSL. See README.md for the keys."""

import socket
import sys
import threading

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

CHUNK = 16384
CURVES: dict[str, type[ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1]] = {
    "secp256r1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
}


def make_context(role: str, want: dict[str, str]) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    low, high = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION
    if want.get("version"):
        low = high = {"1.2": low, "1.3": high}[want["version"]]
    context.set_min_proto_version(low)
    context.set_max_proto_version(high)
    if want.get("cert"):
        context.use_certificate_chain_file(want["cert"])
        context.use_privatekey_file(want["key"])
    context.load_verify_locations(want["ca"])
    if role == "client" or want.get("verify"):
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *all_: bool(all_[-1]))
    context.set_session_id(b"pellucid")
    protocols = [name.encode() for name in want.get("alpn", "").split(",") if name]
    if protocols and role == "client":
        context.set_alpn_protos(protocols)
    elif protocols:
        context.set_alpn_select_callback(
            lambda _, offered: next(
                (name for name in protocols if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS
            )
        )
    if want.get("cert2"):
        second = SSL.Context(SSL.TLS_METHOD)
        second.use_certificate_chain_file(want["cert2"])
        second.use_privatekey_file(want["key2"])

        def choose(connection: SSL.Connection) -> None:
            if connection.get_servername() == b"other.test":
                connection.set_context(second)

        context.set_tlsext_servername_callback(choose)
    if want.get("staple") and role == "server":
        with open(want["staple"], "rb") as file:
            response = file.read()
        context.set_ocsp_server_callback(lambda *_: response)
    elif want.get("staple"):
        context.set_ocsp_client_callback(stapled)
    if want.get("ciphers"):
        context.set_cipher_list(want["ciphers"].encode())
    if want.get("groups") in CURVES:
        context.set_tmp_ecdh(CURVES[want["groups"]]())
    return context


def stapled(connection: SSL.Connection, response: bytes, data: object) -> bool:
    connection.set_app_data(bool(response))
    return True


def report(connection: SSL.Connection, file: object, want: dict[str, str]) -> None:
    words = {
        "version": connection.get_protocol_version_name(),
        "suite": connection.get_cipher_name(),
        "alpn": connection.get_alpn_proto_negotiated().decode(),
        "peer": int(connection.get_peer_certificate() is not None),
    }
    if hasattr(connection, "get_group_name") and (group := connection.get_group_name()):
        words["group"] = group
    if want.get("export") == "tls-unique":  # the client's Finished comes first (RFC 5929 section 3)
        first = connection.get_peer_finished() if file is sys.stdout else connection.get_finished()
        words["exporter"] = (first or b"").hex()
    elif want.get("export"):
        words["exporter"] = connection.export_keying_material(want["export"].encode(), 32).hex()
    words["ocsp"] = int(bool(connection.get_app_data()))
    print("report " + " ".join(f"{key}={value}" for key, value in words.items()), file=file, flush=True)  # type: ignore[call-overload]


def answer(context: SSL.Context, plain: socket.socket, want: dict[str, str]) -> None:
    connection = SSL.Connection(context, plain)
    connection.set_accept_state()
    told = False
    try:
        while True:
            data = connection.recv(CHUNK)
            if not told:
                report(connection, sys.stdout, want)
                told = True
            connection.sendall(data)
    except SSL.ZeroReturnError:
        connection.shutdown()
    except (SSL.Error, OSError) as error:
        print(f"connection: {error!r}", file=sys.stderr, flush=True)
    finally:
        plain.close()


def serve(context: SSL.Context, want: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"port={listener.getsockname()[1]}", flush=True)
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=answer, args=(context, plain, want), daemon=True).start()


def visit(context: SSL.Context, want: dict[str, str]) -> None:
    payload = sys.stdin.buffer.read()
    session = None
    for _ in range(int(want.get("times", "1"))):
        plain = socket.create_connection(("127.0.0.1", int(want["port"])))
        connection = SSL.Connection(context, plain)
        connection.set_tlsext_host_name(want["name"].encode())
        if want.get("staple"):
            connection.request_ocsp()
        if session is not None:
            connection.set_session(session)
        connection.set_connect_state()
        connection.do_handshake()
        for at in range(0, len(payload), CHUNK):
            part = payload[at : at + CHUNK]
            connection.sendall(part)
            left = len(part)
            while left:
                data = connection.recv(left)
                sys.stdout.buffer.write(data)
                left -= len(data)
        report(connection, sys.stderr, want)
        session = connection.get_session()
        connection.shutdown()
        plain.close()
    sys.stdout.flush()


def main() -> None:
    role, *pairs = sys.argv[1:]
    if role == "version":
        print(SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode())
        return
    want = dict(pair.split("=", 1) for pair in pairs)
    context = make_context(role, want)
    if role == "server":
        serve(context, want)
    else:
        visit(context, want)


if __name__ == "__main__":
    main()
