"""s2n-tls, through awscrt, whose only way in from Python is an HTTP client. See README.md for the keys."""

import contextlib
import sys

from awscrt import __version__, http, io
from awscrt.exceptions import AwsCrtError


def visit(want: dict[str, str]) -> None:
    request = sys.stdin.buffer.read()
    path = request.split()[1].decode() if request else "/"
    if want.get("cert"):
        options = io.TlsContextOptions.create_client_with_mtls_from_path(want["cert"], want["key"])
    else:
        options = io.TlsContextOptions()
    if want.get("version"):
        options.min_tls_ver = {"1.2": io.TlsVersion.TLSv1_2, "1.3": io.TlsVersion.TLSv1_3}[want["version"]]
    if want.get("preference"):
        options.cipher_pref = getattr(io.TlsCipherPref, want["preference"])
    options.override_default_trust_store_from_path(ca_filepath=want["ca"])
    group = io.EventLoopGroup(1)
    bootstrap = io.ClientBootstrap(group, io.DefaultHostResolver(group))
    context = io.ClientTlsContext(options)
    for _ in range(int(want.get("times", "1"))):
        connection_options = context.new_connection_options()
        connection_options.set_server_name(want["name"])
        if want.get("alpn"):
            connection_options.set_alpn_list(want["alpn"].split(","))
        connection = http.HttpClientConnection.new(
            "127.0.0.1", int(want["port"]), bootstrap, tls_connection_options=connection_options
        ).result(5)  # when it refuses a server it waits 10 to 30 seconds before it says so
        out = bytearray()

        def started(
            http_stream: object, status_code: int, headers: object, out: bytearray = out, **_: object
        ) -> None:
            out.extend(f"HTTP/1.1 {status_code}\r\n\r\n".encode())

        def body(http_stream: object, chunk: bytes, out: bytearray = out, **_: object) -> None:
            out.extend(chunk)

        headers = http.HttpHeaders([("Host", "localhost")])
        stream = connection.request(http.HttpRequest("GET", path, headers), started, body)
        stream.activate()
        stream.completion_future.result(20)
        sys.stdout.buffer.write(out)
        print(f"report http={int(connection.version)}", file=sys.stderr)
        with contextlib.suppress(AwsCrtError):  # the server may have closed already
            connection.close().result(10)
    sys.stdout.flush()


def main() -> None:
    role, *pairs = sys.argv[1:]
    if role == "version":
        print(__version__)
    else:
        visit(dict(pair.split("=", 1) for pair in pairs))


if __name__ == "__main__":
    main()
