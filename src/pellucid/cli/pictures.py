"""`--html`, `--svg` and `--pcap FILE`: the connections that a command made, for other programs to show."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from pellucid.cli.options import PictureFlags
from pellucid.errors import Reason, UsageError
from pellucid.glass.trace import Trace

_MOST = 12  # connections in one page; a server's latest


@dataclass
class Pictures:
    """Draws the connections it is given, into the files that were asked for.

    Parameters:
        draw: the flags.
        secrets: show keys whole.
    """

    draw: PictureFlags
    secrets: bool = False
    _documents: list[dict[str, Any]] = field(default_factory=list)
    _traces: list[Trace] = field(default_factory=list)

    def add(self, trace: Trace, other: Trace | None = None, *, title: str = "", key: Any = None) -> None:
        """A connection more: the page shows it behind the others, the SVG shows it alone.

        Raises:
            UsageError: a file cannot be written (`Reason.BAD_CONFIG`).
        """
        if not trace.facts:
            return
        if self.draw.html:
            from pellucid.glass import page

            settings: dict[str, Any] = {"title": title, "key": key, "secrets": self.secrets}
            self._documents = [*self._documents, page.document(trace, other, **settings)][-_MOST:]
            _write(self.draw.html, page.page(self._documents, title=title or "A TLS handshake"))
        if self.draw.svg:
            from pellucid.glass import svg

            _write(self.draw.svg, svg.draw(trace, other, title=title))
        if self.draw.pcap:
            from pellucid.glass.capture import export

            self._traces = [*self._traces, trace][-_MOST:]
            _write(self.draw.pcap, export(*self._traces))


def _write(path: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    # A capture holds keys: nobody else may read it.
    mode = 0o644 if isinstance(content, str) else 0o600
    try:
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
    except OSError as error:
        raise UsageError(Reason.BAD_CONFIG, f"{path}: {error.strerror}") from None
