"""`pellucid cert`: an authority for tests, certificates from it, and what a certificate says."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.cli import exits, problems
from pellucid.cli.app import CERT_COMMANDS, group
from pellucid.cli.options import OutputFlags, TrustFlags, output_options, trust_options
from pellucid.cli.settings import trust_of
from pellucid.cli.terminal import columns, table
from pellucid.errors import CertificateRefused, Reason, UsageError
from pellucid.glass.decode import key_text, name_text, names_of
from pellucid.glass.telling import Raw, told
from pellucid.glass.text import wrap
from pellucid.trust.authority import FAULTS, Authority
from pellucid.trust.building import KEY_KINDS
from pellucid.trust.loading import load_certificates
from pellucid.trust.verification import verify as verify_chain

cert = group("cert", CERT_COMMANDS, "Make, show and verify certificates.")

WARNING = "For tests only: whoever has this folder can be anybody to those who trust it."


#: The leaves that `cert ca` makes, by the ending of their file's name.
LEAVES = {"rsa": "rsa-2048", "ecdsa": "ecdsa-p256", "ed25519": "ed25519"}
#: The folder inside an authority's folder where its intermediate is.
INTERMEDIATE = "intermediate"


_key_option = click.option(
    "--key",
    type=click.Choice(list(KEY_KINDS)),
    metavar="KIND",
    default="ecdsa-p256",
    show_default=True,
    help=f"Kind of key: {', '.join(KEY_KINDS)}.",
)


@click.command(short_help="Make an authority for tests, in a folder.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1)
@click.option("--name", default="pellucid test authority", show_default=True, help="The authority's name.")
@_key_option
@click.option("--no-leaves", is_flag=True, help="The authority only, no certificates for servers.")
@click.option("--force", is_flag=True, help="Replace an authority that is there.")
@output_options
def make_ca(
    folder: Path,
    names: tuple[str, ...],
    name: str,
    key: str,
    no_leaves: bool,
    force: bool,
    output: OutputFlags,
) -> int:
    """Make a root, an intermediate below it, and a leaf each of RSA, ECDSA and Ed25519 in FOLDER.

    The leaves are for NAMES; without any, for localhost, 127.0.0.1 and ::1. Trust the root only on
    machines that are for tests.
    """
    terminal = output.terminal()
    root = Authority.create(name, key=key)
    root.write(folder, overwrite=force)
    intermediate = root.intermediate(f"{name}, intermediate", key=key)
    intermediate.write(folder / INTERMEDIATE, overwrite=force)
    leaves = {} if no_leaves else LEAVES
    for stem, kind in leaves.items():
        leaf = intermediate.issue(*(names or ("localhost", "127.0.0.1", "::1")), key=kind)
        leaf.write(folder, stem, overwrite=force)
    if terminal.as_json:
        made = {"folder": str(folder), "name": name, "key": key, "leaves": list(leaves), "warning": WARNING}
        terminal.objects([made])
        return exits.OK
    terminal.say(f"An authority is in {folder}. ", (WARNING, "bad"))
    rows = [("ca.pem", "the root, for others to trust"), (f"{INTERMEDIATE}/", "what issues, below the root")]
    rows += [
        (f"{stem}.pem", f"a server's chain, {kind}; its key: {stem}-key.pem") for stem, kind in leaves.items()
    ]
    if not terminal.quiet:
        terminal.draw(table(rows, columns(terminal.err)), to=terminal.err)
    terminal.say(f"Another certificate: pellucid cert issue {folder} NAME")
    return exits.OK


@click.command(short_help="Issue a certificate for names, from that authority.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("names", nargs=-1, required=True)
@click.option(
    "-o",
    "--output-stem",
    "stem",
    metavar="PATH",
    help="PATH.pem and PATH-key.pem.  [default: the first name, here]",
)
@_key_option
@click.option("--days", type=float, default=90, show_default=True, help="How long it is valid.")
@click.option("--client", is_flag=True, help="For a client instead of a server.")
@click.option("--from-root", is_flag=True, help="Issue it from the root, without the intermediate.")
@click.option(
    "--fault",
    type=click.Choice(list(FAULTS)),
    metavar="FAULT",
    help=f"Make it wrong on purpose: {', '.join(FAULTS)}.",
)
@output_options
def issue(
    folder: Path,
    names: tuple[str, ...],
    stem: str | None,
    key: str,
    days: float,
    client: bool,
    from_root: bool,
    fault: str | None,
    output: OutputFlags,
) -> int:
    """A certificate and key for NAMES: host names, wildcards, IP addresses."""
    terminal = output.terminal()
    below = folder / INTERMEDIATE
    authority = Authority.load(below if below.is_dir() and not from_root else folder)
    made = authority.issue(*names, key=key, days=days, client=client, fault=fault)
    base = Path(stem) if stem else Path(names[0].replace("*", "_").replace(":", "_"))
    chain_file, key_file = Path(f"{base}.pem"), Path(f"{base}-key.pem")
    key_file.touch(mode=0o600)
    key_file.write_bytes(made.key_pem())
    chain_file.write_bytes(made.chain_pem())
    if terminal.as_json:
        terminal.objects([{"certificate": str(chain_file), "key": str(key_file), "names": list(names)}])
    else:
        terminal.say(f"{chain_file} and {key_file}, for {', '.join(names)}.")
    return exits.OK


@click.command(short_help="Say what certificates contain.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, allow_dash=True))
@output_options
def show(file: Path, output: OutputFlags) -> int:
    """Subject, issuer, names, dates, key and usages of each certificate in FILE."""
    terminal = output.terminal()
    for certificate in _load(file):
        described = describe(certificate)
        if terminal.as_json:
            terminal.objects([described])
            continue
        rows = [
            (k.replace("_", " "), ", ".join(v) if isinstance(v, list) else str(v))
            for k, v in described.items()
        ]
        terminal.draw([[(described["subject"], "title")], *table(rows, columns(terminal.out)), [("", "")]])
    return exits.OK


@click.command(short_help="Would this chain be believed, and if not, why?")
@click.argument("file", type=click.Path(path_type=Path, exists=True, allow_dash=True))
@click.option("--name", metavar="NAME", help="The server's name.  [without it: as a client's certificate]")
@click.option("--at", type=float, metavar="SECONDS", help="When, in seconds since 1970.  [default: now]")
@trust_options
@output_options
def verify(file: Path, name: str | None, at: float | None, trust: TrustFlags, output: OutputFlags) -> int:
    """Judge the chain in FILE, leaf first, as a connection would."""
    terminal = output.terminal()
    noted: list[Raw] = []

    loaded = _load(file)
    chain = [certificate.public_bytes(Encoding.DER) for certificate in loaded]
    refusal: CertificateRefused | None = None
    try:
        verify_chain(chain, name, time.time() if at is None else at, trust_of(trust), note=noted.append)
    except CertificateRefused as error:
        refusal = error
    checks = [fields for fact in noted for kind, fields in told(fact) if kind == "check"]
    if terminal.as_json:
        terminal.objects([{"check": check} for check in checks])
        terminal.objects([{"believed": refusal is None, "reason": refusal.reason.label if refusal else None}])
    else:
        shown = -1
        for check in checks:
            if check["certificate"] != shown:
                shown = check["certificate"]
                terminal.draw([[(f"{_which(shown, loaded)}", "title")]])
            sign, style = ("✓", "good") if check["passed"] else ("✗", "bad")
            for part in wrap(str(check["detail"]), columns(terminal.out) - 26):
                lead = [(f"  {sign} ", style), (f"{check['what'] if sign.strip() else '':<22}", "label")]
                terminal.draw([[*lead, (part, "value")]])
                sign = " "
    if refusal is not None:
        return exits.code_for(refusal) if terminal.as_json else problems.report(refusal, terminal=terminal)
    return exits.OK


def _which(number: int, chain: list[x509.Certificate]) -> str:
    """A heading for the checks of the certificate at `number`, counted from the leaf."""
    if number < len(chain):
        return f"{number + 1}: {name_text(chain[number].subject)}"
    return f"{number + 1}: the authority that is trusted here"


def describe(certificate: x509.Certificate) -> dict[str, Any]:
    """What a certificate says, for people and for JSON."""
    from cryptography.hazmat.primitives.hashes import SHA256

    found: dict[str, Any] = {
        "subject": name_text(certificate.subject),
        "issuer": name_text(certificate.issuer),
        "names": names_of(certificate),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "public_key": key_text(certificate),
        "signature": certificate.signature_algorithm_oid._name,
        "serial": f"{certificate.serial_number:x}",
        "sha256": certificate.fingerprint(SHA256()).hex(),
    }
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints):
            found["authority"] = value.ca
        elif isinstance(value, x509.ExtendedKeyUsage):
            found["extended_key_usage"] = [usage._name for usage in value]
        elif isinstance(value, x509.KeyUsage):
            names = ("digital_signature", "key_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
            found["key_usage"] = [usage.replace("_", " ") for usage in names if getattr(value, usage)]
    return found


def _load(file: Path) -> list[x509.Certificate]:
    if str(file) == "-":
        data: Any = sys.stdin.buffer.read()
    else:
        data = file
    found = list(load_certificates(data))
    if not found:
        raise UsageError(Reason.BAD_KEY_FILE, f"{file} holds no certificate")
    return found
