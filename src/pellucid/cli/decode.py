"""`pellucid decode`: the views of a handshake that somebody recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pellucid.cli import exits
from pellucid.cli.options import OutputFlags, PictureFlags, output_options, picture_options
from pellucid.cli.pictures import Pictures
from pellucid.errors import Reason, UsageError
from pellucid.glass.capture import KeyRing
from pellucid.glass.reading import Recorded, read


@click.command(short_help="Show a recorded handshake: a trace, a capture, hex, a certificate.")
@click.argument("source", metavar="TRACE|PCAP|PEM|DER|HEX|-")
@click.option("--keylog", metavar="FILE", help="Keys to open a capture with (SSLKEYLOGFILE).")
@click.option(
    "--key", metavar="FILE", multiple=True, help="A server's private key, PEM: opens static RSA key exchange."
)
@picture_options
@output_options
def decode(
    source: str, keylog: str | None, key: tuple[str, ...], draw: PictureFlags, output: OutputFlags
) -> int:
    """Show what was recorded: a trace of ours, anybody's pcap or pcapng, records, a message, certificates.

    A capture is opened with a key log, or, where the key exchange is static RSA, with the server's
    private key; without them it shows what anybody on the wire could see. Records, messages and certificates
    may be bytes or hex; certificates also PEM, a chain of them too.
    """
    terminal = output.terminal()
    ring = key_ring(keylog, key)
    found = read(contents(source), ring)
    leaked = ring.private_keys[0] if ring.private_keys else None
    if found[0].about and not terminal.views:  # certificates: there is no handshake to tell of
        terminal.views = ("trust", "bytes")
    pictures = Pictures(draw, output.show_secrets)
    for one in found:
        title = one.title if len(found) > 1 else ""
        terminal.show(one.trace, title=title, key=leaked)
        if one.about:
            terminal.say((one.about, "quiet"))
        pictures.add(one.trace, title=one.title, lead=one.about, key=leaked)
    return exits.OK


def contents(source: str) -> bytes:
    """What `source` names: a file, stdin for "-", or the hex itself."""
    if source == "-":
        return sys.stdin.buffer.read()
    path = Path(source)
    try:
        is_file = path.is_file()
    except OSError:  # longer than a file's name may be: hex
        is_file = False
    if is_file:
        return path.read_bytes()
    if all(char in "0123456789abcdefABCDEFxX :,{}\n\t" for char in source):
        return source.encode()
    raise UsageError(Reason.BAD_CONFIG, f"there is no file {source!r}, and it is no hex")


def one_trace(source: str) -> Recorded:
    """The first connection in a recording."""
    return read(contents(source))[0]


def key_ring(keylog: str | None, keys: tuple[str, ...]) -> KeyRing:
    """What a capture is opened with."""
    ring = KeyRing(private_keys=[_private_key(Path(path)) for path in keys])
    if keylog:
        ring.add(Path(keylog).read_text(encoding="utf-8", errors="replace").splitlines())
    return ring


def _private_key(path: Path) -> RSAPrivateKey:
    try:
        loaded: Any = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise UsageError(Reason.BAD_KEY_FILE, f"{path}: {error}") from None
    if not isinstance(loaded, RSAPrivateKey):
        raise UsageError(Reason.BAD_KEY_FILE, f"{path} is no RSA key: only static RSA is opened by one")
    return loaded
