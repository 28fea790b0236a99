"""STARTTLS: a connection that begins in clear, and speaks TLS from an agreed point on.

RFC 3207 (SMTP), RFC 2595 (IMAP, POP3). What came in clear must not be believed afterwards.

Prints:

    in clear: b'220 ready\\r\\n'
    in TLS 1.3: b'250 nobody else heard that\\r\\n'
"""

import socket
import threading

from pellucid import Authority, ClientConfig, ServerConfig, wrap_client, wrap_server

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))


def mail_server(listener: socket.socket) -> None:
    sock, _ = listener.accept()
    if sock.recv(100) == b"STARTTLS\r\n":
        sock.sendall(b"220 ready\r\n")
        with wrap_server(sock, server) as tls:
            tls.recv()
            tls.sendall(b"250 nobody else heard that\r\n")
            tls.recv()


with socket.create_server(("127.0.0.1", 0)) as listener:
    thread = threading.Thread(target=mail_server, args=(listener,))
    thread.start()
    sock = socket.create_connection(listener.getsockname())
    sock.sendall(b"STARTTLS\r\n")
    print("in clear:", sock.recv(100))
    with wrap_client(sock, "localhost", ClientConfig(trust=authority.trust())) as tls:
        tls.sendall(b"MAIL FROM:<alice@example.test>\r\n")
        print(f"in {tls.info.version_name}:", tls.recv())
    thread.join()
