"""Resumption: a session saves the second visit its certificates and signatures.

RFC 8446 section 2.2 (TLS 1.3), RFC 5077 and RFC 5246 section 7.3 (TLS 1.2).

Prints:

    TLS 1.3: a new session
    TLS 1.3: resumed
    TLS 1.2: a new session
    TLS 1.2: resumed
    from a file: resumed
"""

import tempfile
from pathlib import Path

from pellucid import Authority, ClientConfig, ClientSessions, Policy, ServerConfig, Session, connect, serve

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))


def visit(port: int, config: ClientConfig) -> tuple[str, list[Session]]:
    """Shake hands and read the reply: tickets of TLS 1.3 come after the handshake."""
    with connect("localhost", port, config=config) as tls:
        tls.recv()
        return "resumed" if tls.info.resumed else "a new session", tls.sessions


with serve(lambda tls: tls.sendall(b"hello"), server) as listening:
    for version, name in ((0x0304, "TLS 1.3"), (0x0303, "TLS 1.2")):
        # The store keeps what comes and offers it by itself: never under another name or other trust.
        client = ClientConfig(
            trust=authority.trust(), policy=Policy(versions=(version,)), session_store=ClientSessions()
        )
        for _ in range(2):
            print(f"{name}: {visit(listening.port, client)[0]}")

    # A session is bytes too, for a program that starts again. They hold a key: keep them as one.
    client = ClientConfig(trust=authority.trust())
    sessions = visit(listening.port, client)[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "session"
        file.touch(mode=0o600)
        file.write_bytes(sessions[-1].to_bytes())
        stored = Session.from_bytes(file.read_bytes())
    print(f"from a file: {visit(listening.port, client.replace(sessions=(stored,)))[0]}")
