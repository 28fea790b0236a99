"""Sessions of `connect` in files, and early data. RFC 8446 sections 2.2, 2.3 and 4.6.1.

The file is what `Session.to_bytes` gives. It holds a secret: only its owner may read it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from pellucid.cli import files
from pellucid.cli.options import SessionFlags
from pellucid.cli.settings import file_bytes
from pellucid.cli.terminal import Terminal
from pellucid.connection import ClientConnection
from pellucid.io.sockets import TLSSocket
from pellucid.resumption.sessions import Session

_PATIENCE = 2.0
"""Seconds to wait for a ticket where nothing else is waited for."""


class SessionFile:
    """The files of --session, --session-in and --session-out, and what --early-data sends.

    Parameters:
        flags: as given.

    Raises:
        UsageError: a file cannot be read, or holds no session.
    """

    def __init__(self, flags: SessionFlags) -> None:
        self.source = flags.session_in or flags.session
        self.sink = flags.session_out or flags.session
        self.early = file_bytes(flags.early_data) if flags.early_data else b""
        self.offered: tuple[Session, ...] = ()
        if self.source and (flags.session_in or Path(self.source).exists()):
            self.offered = (Session.from_bytes(file_bytes(self.source)),)

    def offer_early_data(self, connection: ClientConnection) -> bool:
        """Put --early-data behind the ClientHello, if the session allows so much; whether it went."""
        if not self.early or connection.early_data_limit < len(self.early):
            return False
        connection.send_early_data(self.early)
        return True

    def settle_early_data(self, tls: TLSSocket, terminal: Terminal, *, sent: bool) -> None:
        """The server took --early-data, or it is sent again, in the ordinary way."""
        if not self.early:
            return
        if not sent:
            state = "not offered: no session allows it; sent after the handshake"
        elif tls.early_data_refused is None:
            state = "accepted"
        else:
            state = "refused; sent again after the handshake"
        if not sent or tls.early_data_refused is not None:
            tls.sendall(self.early)
        if terminal.as_json:
            terminal.objects([{"early_data": state.partition(";")[0].partition(":")[0]}])
        else:
            terminal.say(("early data ", "label"), state)

    def wait(self, tls: TLSSocket) -> None:
        """Give a server's ticket a moment to come, where the command would end before."""
        if self.sink and not tls.sessions and tls.info.version == 0x0304:
            tls.settimeout(_PATIENCE)
            with contextlib.suppress(TimeoutError):
                tls.recv()

    def keep(self, tls: TLSSocket) -> None:
        """Write the newest session. One of TLS 1.3 that was offered is used up (RFC 8446 appendix C.4)."""
        if not self.sink:
            return
        if tls.sessions:
            files.write(self.sink, tls.sessions[-1].to_bytes(), private=True)
        elif self.sink == self.source and any(one.version == 0x0304 for one in self.offered):
            Path(self.sink).unlink(missing_ok=True)
