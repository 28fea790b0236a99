"""Certificates that are read again while a command serves: SIGHUP. `serve` and `proxy` do so."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from pellucid.cli.problems import report
from pellucid.cli.terminal import Terminal
from pellucid.config import ServerConfig
from pellucid.errors import TLSError
from pellucid.trust.identity import Identity


class Present:
    """The present configuration: new identities are swapped in by one assignment.

    Parameters:
        config: the first.
        read: reads the identities again.
        terminal: who is told.
    """

    def __init__(
        self, config: ServerConfig, read: Callable[[], tuple[Identity, ...]], terminal: Terminal
    ) -> None:
        self.config = config.replace(ticket_issuer=config.issuer)  # tickets outlive the change
        self._read = read
        self._terminal = terminal

    def renew_on_sighup(self) -> None:
        """Let SIGHUP read the certificates again; there is none on Windows."""
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._renew)

    def _renew(self, *_: Any) -> None:
        try:
            found = self._read()
        except TLSError as error:
            report(error, terminal=self._terminal)
            self._terminal.say("the certificates stay what they were")
        else:
            self.config = self.config.replace(identities=found)
            self._terminal.say("the certificates were read again")
        self._terminal.err.file.flush()
