"""Tickets: shared between machines, rotated, or only names in a store; and how many there are.

RFC 8446 section 4.6.1, RFC 5077 section 4, RFC 9149 (ticket_request).

Prints:

    4 tickets came
    another machine with the same keys: resumed
    after one rotation: resumed
    after two: a new session
    a stateful ticket: resumed
    the same again: a new session
"""

from pellucid import (
    Authority,
    ClientConfig,
    ServerConfig,
    Session,
    SessionStore,
    TicketKeys,
    connect,
    serve,
)

authority = Authority.create()
identity = authority.issue("localhost")
client = ClientConfig(trust=authority.trust())


def visit(server: ServerConfig, config: ClientConfig = client) -> tuple[str, list[Session]]:
    """Whether the session was resumed, and the tickets that came."""
    with (
        serve(lambda tls: tls.sendall(b"hello"), server) as listening,
        connect("localhost", listening.port, config=config) as tls,
    ):
        tls.recv()
        return "resumed" if tls.info.resumed else "a new session", tls.sessions


keys = TicketKeys()
first = ServerConfig(identities=(identity,), ticket_issuer=keys, tickets=4)  # at most
sessions = visit(first, client.replace(tickets=(4, 1)))[1]  # 4 after a new session, 1 after a resumption
print(f"{len(sessions)} tickets came")

# keys.export() is what another machine behind the same name needs.
others = TicketKeys(tuple(key.reveal() for key in keys.export()))
second = ServerConfig(identities=(identity,), ticket_issuer=others)
print(f"another machine with the same keys: {visit(second, client.replace(sessions=(sessions[0],)))[0]}")

keys.rotate()
print(f"after one rotation: {visit(first, client.replace(sessions=(sessions[1],)))[0]}")
keys.rotate()
print(f"after two: {visit(first, client.replace(sessions=(sessions[2],)))[0]}")

# The store keeps the sessions, and gives each out once.
stateful = ServerConfig(identities=(identity,), ticket_issuer=SessionStore())
sessions = visit(stateful)[1]
again = client.replace(sessions=(sessions[0],))
print(f"a stateful ticket: {visit(stateful, again)[0]}")
print(f"the same again: {visit(stateful, again)[0]}")
