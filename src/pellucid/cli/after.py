"""What `connect` and `serve` do once a handshake is complete: say what was agreed on, change keys, export."""

from __future__ import annotations

from pellucid.cli.options import AfterFlags
from pellucid.cli.terminal import Terminal
from pellucid.glass.show import lines_of
from pellucid.io.sockets import TLSSocket


def after_handshake(tls: TLSSocket, after: AfterFlags, terminal: Terminal) -> None:
    """Carry out the flags; with --json the connection's facts are an object of their own.

    Raises:
        UsageError: TLS 1.2 has no KeyUpdate, or its exporter is unsafe here.
    """
    if terminal.as_json:
        terminal.objects([{"connection": tls.info.to_json()}])
    if after.key_update:
        tls.update_keys(request=True)
        terminal.say("the keys were changed, and the peer was asked to change its own")
    if after.export is not None:
        secret = tls.export(after.export, None, after.export_length)
        shown = secret.reveal().hex() if terminal.secrets else "".join(lines_of(secret, 80))
        if terminal.as_json:
            terminal.objects([{"exporter": after.export, "value": shown}])
        else:
            terminal.say(("exporter ", "label"), f"{after.export}: ", (shown, "secret"))
