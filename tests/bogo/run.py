"""One test: the connections that it makes, one after another."""

from __future__ import annotations

import sys

from bogo.answers import Answers
from bogo.codes import codes_of, known
from bogo.configs import Memory, config_of
from bogo.credentials import credentials_of
from bogo.exchange import Exchange
from bogo.flags import Mismatch, Settings
from bogo.line import Line
from pellucid.connection import ClientConnection, Connection, ServerConnection
from pellucid.errors import TLSError
from pellucid.resumption.sessions import Session

FAILED = 1
MUST_FAIL = 90


def run(initial: Settings, resume: Settings, retry: Settings) -> int:
    """All connections. Returns the exit code."""
    memory = Memory()
    session: Session | None = None
    for number in range(initial["resume-count"] + 1):
        settings = resume if number else initial
        if number and not settings["server"] and session is None:
            return fail("No session to offer.")
        try:
            session = connect(settings, retry, memory, session if number else None, resuming=number > 0)
        except TLSError as error:
            if not known(error):
                raise
            return fail(f"{codes_of(error, answered=memory.answered)} {error}")
        except Mismatch as error:
            return fail(str(error))
        memory.clock.time += settings["resumption-delay"]
    return 0


def fail(text: str) -> int:
    """Say why, where the runner reads it."""
    print(text, file=sys.stderr, flush=True)
    return FAILED


def connect(
    settings: Settings, retry: Settings, memory: Memory, session: Session | None, *, resuming: bool
) -> Session | None:
    """One connection. Returns the session to resume next."""
    credentials = credentials_of(settings)
    answers = Answers(settings, credentials)
    identities = tuple(one.identity for one in credentials)
    config = config_of(settings, memory, identities, (session,) if session else ())
    exchange = Exchange(settings, retry, memory, answers, session, resuming=resuming)
    config = config.replace(observer=exchange)
    sock = Line.open(settings["port"], settings["ipv6"], settings["shim-id"])
    conn: Connection
    if settings["server"]:
        conn = ServerConnection(config)  # type: ignore[arg-type]
    else:
        conn = ClientConnection(config, settings["host-name"].decode() or None)  # type: ignore[arg-type]
    answers.conn = conn
    line = Line(sock, conn, bytewise=settings["async"])
    try:
        return exchange.run(line)
    finally:
        memory.answered = conn._version != 0
        line.flush()
        line.close()
