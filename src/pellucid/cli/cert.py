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
from pellucid.trust.authority import Authority
from pellucid.trust.building import KEY_KINDS
from pellucid.trust.loading import load_certificates
from pellucid.trust.verification import verify as verify_chain

cert = group("cert", CERT_COMMANDS, "Make, show and verify certificates.")

WARNING = "For tests only: whoever has this folder can be anybody to those who trust it."


@click.command(short_help="Make an authority for tests, in a folder.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default="pellucid test authority", show_default=True, help="The authority's name.")
@click.option(
    "--key", type=click.Choice(list(KEY_KINDS)), default="ecdsa-p256", show_default=True, help="Kind of key."
)
@click.option("--force", is_flag=True, help="Replace an authority that is there.")
@output_options
def make_ca(folder: Path, name: str, key: str, force: bool, output: OutputFlags) -> int:
    """Make a root and its key in FOLDER. Trust it only on machines that are for tests."""
    terminal = output.terminal()
    Authority.create(name, key=key).write(folder, overwrite=force)
    if terminal.as_json:
        terminal.objects([{"folder": str(folder), "name": name, "key": key, "warning": WARNING}])
        return exits.OK
    terminal.say(f"An authority is in {folder}. ", (WARNING, "bad"))
    terminal.say(f"Next: pellucid cert issue {folder} localhost")
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
@click.option(
    "--key", type=click.Choice(list(KEY_KINDS)), default="ecdsa-p256", show_default=True, help="Kind of key."
)
@click.option("--days", type=float, default=90, show_default=True, help="How long it is valid.")
@click.option("--client", is_flag=True, help="For a client instead of a server.")
@click.option("--intermediate", is_flag=True, help="Issue it from an intermediate made for it.")
@click.option(
    "--fault", help="Make it wrong on purpose: expired, not-yet-valid, ... (see the library's FAULTS)."
)
@output_options
def issue(
    folder: Path,
    names: tuple[str, ...],
    stem: str | None,
    key: str,
    days: float,
    client: bool,
    intermediate: bool,
    fault: str | None,
    output: OutputFlags,
) -> int:
    """A certificate and key for NAMES: host names, wildcards, IP addresses."""
    terminal = output.terminal()
    authority = Authority.load(folder)
    if intermediate:
        authority = authority.intermediate()
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
    checks: list[dict[str, Any]] = []

    def note(kind: str, **fields: Any) -> None:
        if kind == "check":
            checks.append({key: fields[key] for key in ("what", "passed", "detail") if key in fields})

    chain = [certificate.public_bytes(Encoding.DER) for certificate in _load(file)]
    refusal: CertificateRefused | None = None
    try:
        verify_chain(chain, name, time.time() if at is None else at, trust_of(trust), note=note)
    except CertificateRefused as error:
        refusal = error
    if terminal.as_json:
        terminal.objects([{"check": check} for check in checks])
        terminal.objects([{"believed": refusal is None, "reason": refusal.reason.label if refusal else None}])
    else:
        for check in checks:
            sign, style = ("✓", "good") if check["passed"] else ("✗", "bad")
            terminal.draw(
                [[(f"  {sign} ", style), (f"{check['what']:<22}", "label"), (str(check["detail"]), "value")]]
            )
    if refusal is not None:
        return exits.code_for(refusal) if terminal.as_json else problems.report(refusal, terminal=terminal)
    return exits.OK


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
