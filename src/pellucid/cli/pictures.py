"""`--html`, `--svg` and `--pcap FILE`: the connections that a command made, for other programs to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pellucid.cli import files
from pellucid.cli.options import PictureFlags
from pellucid.glass.trace import Trace

_MOST = 12  # connections in one page; a server's latest


@dataclass
class Pictures:
    """Draws the connections it is given, into the files that were asked for.

    Parameters:
        draw: the flags.
        secrets: show keys whole.
        data: show in the page what the two said to each other; the capture always has it.
    """

    draw: PictureFlags
    secrets: bool = False
    data: bool = True
    _documents: list[dict[str, Any]] = field(default_factory=list)
    _traces: list[Trace] = field(default_factory=list)

    def add(
        self,
        trace: Trace,
        other: Trace | None = None,
        *,
        title: str = "",
        lead: str = "",
        key: Any = None,
        part: str = "",
    ) -> None:
        """A connection more: the page shows it behind the others, the SVG shows it alone.

        Parameters:
            trace, other, key: see `pellucid.glass.views.View`.
            title: what is shown.
            lead: a sentence under the page's title.
            part: of a connection with several handshakes; the SVG's name gets it at its end.

        Raises:
            UsageError: a file cannot be written (`Reason.BAD_CONFIG`).
        """
        if not trace.facts:
            return
        if self.draw.html:
            from pellucid.glass import page

            settings: dict[str, Any] = {"title": title, "lead": lead, "key": key, "secrets": self.secrets}
            self._documents = [
                *self._documents,
                page.document(trace if self.data else trace.without_data(), other, **settings),
            ][-_MOST:]
            text = page.page(self._documents, title=title or "A TLS handshake")
            files.write(self.draw.html, text, private=self.secrets)
        if self.draw.svg:
            from pellucid.glass import svg

            path = Path(self.draw.svg)
            picture = svg.draw(trace if self.data else trace.without_data(), other, title=title)
            files.write(str(path.with_stem(path.stem + part)), picture)
        if self.draw.pcap:
            from pellucid.glass.capture import export

            self._traces = [*self._traces, trace][-_MOST:]
            files.write(self.draw.pcap, export(*self._traces), private=True)  # the keys are in it
