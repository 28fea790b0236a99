"""mbedTLS 2.28 (TLS 1.2), through python-mbedtls. See README.md for the keys."""

import contextlib
import socket
import sys
from collections.abc import Callable
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


class Wire:
    """One connection over mbedTLS's buffers: python-mbedtls's own socket loses count of records."""

    def __init__(self, buffer: Any, plain: socket.socket) -> None:
        self.buffer = buffer
        self.plain = plain
        self.stream = plain.makefile("rb")

    def flush(self) -> None:
        while waiting := self.buffer.peek_outgoing(65536):
            self.plain.sendall(waiting)
            self.buffer.consume_outgoing(len(waiting))

    def until(self, step: Callable[[], Any]) -> Any:
        """Repeat `step` until it wants no more from the network."""
        while True:
            try:
                return step()
            except tls.WantWriteError:
                pass
            except tls.WantReadError:
                self.flush()
                if not self.more():
                    raise EOFError("the peer closed too early")
            finally:
                self.flush()

    def more(self) -> bool:
        """Take in one record, for the buffer loses what stands behind it; false at the network's end."""
        record = self.stream.read(5)
        record += self.stream.read(int.from_bytes(record[3:]))
        if record:
            self.buffer.receive_from_network(record)
        return bool(record)

    def handshake(self) -> None:
        while self.buffer._handshake_state is not tls.HandshakeStep.HANDSHAKE_OVER:
            self.until(self.buffer.do_handshake)

    def send(self, data: bytes) -> None:
        for at in range(0, len(data), 4096):
            self.buffer.write(data[at : at + 4096])
            self.flush()

    def receive(self) -> bytes:
        """The next data; b"" at the end. An empty buffer and a close_notify read alike: as nothing."""
        try:
            while not (data := self.until(lambda: self.buffer.read(CHUNK))):
                if not self.more():
                    break
        except TLSError as error:
            if "0x7880" in str(error):  # MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY
                return b""
            raise
        return bytes(data)

    def report(self, file: Any) -> None:
        alpn = self.buffer.negotiated_protocol() or ""
        print(f"report version=TLSv1.2 suite={self.buffer.cipher()} alpn={alpn}", file=file, flush=True)

    def close(self) -> None:
        with contextlib.suppress(TLSError, OSError):
            self.buffer.shutdown()
            self.flush()
        self.plain.close()


def serve(want: dict[str, str]) -> None:
    context = tls.ServerContext(configuration(want, server=True))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"port={listener.getsockname()[1]}", flush=True)
        while True:
            plain, _ = listener.accept()
            wire = Wire(context.wrap_buffers(), plain)
            try:
                wire.handshake()
                wire.report(sys.stdout)
                while data := wire.receive():
                    wire.send(data)
            except (TLSError, OSError, EOFError) as error:
                print(f"connection: {error!r}", file=sys.stderr, flush=True)
            wire.close()


def visit(want: dict[str, str]) -> None:
    payload = sys.stdin.buffer.read()
    context = tls.ClientContext(configuration(want, server=False))
    plain = socket.create_connection(("127.0.0.1", int(want["port"])))
    wire = Wire(context.wrap_buffers(want["name"]), plain)
    wire.handshake()
    for at in range(0, len(payload), CHUNK):
        part = payload[at : at + CHUNK]
        wire.send(part)
        left = len(part)
        while left:
            data = wire.receive()
            if not data:
                raise SystemExit("the server closed too early")
            sys.stdout.buffer.write(data)
            left -= len(data)
    wire.report(sys.stderr)
    sys.stdout.flush()
    wire.close()


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
