"""Other libraries' own tests of TLS, run over pellucid: urllib3's, httpcore's, anyio's, trio's and more.

    python tests/compat/suites.py                 all of them (`make suites`), and the table in docs/ssl.md
    python tests/compat/suites.py anyio trio      some
    python tests/compat/suites.py --native anyio  over OpenSSL, for comparison

Their tests are no part of this repository: for each installed library the source distribution of the same
version is fetched into `build/suites`, with what its tests need. `suites.toml` says which tests they are,
and which do not apply, a reason for each; `--excluded` runs just those. A test that fails is run again, for
a machine under load may be late, then over OpenSSL, for what fails there too says nothing about us, and then
once more. Exits with 1 if a test failed. Without the network a suite is skipped, by name.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import logging
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))
from compat.verdicts import ROOT, Exclusion, Verdict, command_line, exclusions, read, why_excluded

SUITES: dict[str, dict[str, Any]] = read("suites.toml")["suite"]
PATIENCE = 300  # seconds until a run that does not end says where it stands, and is ended
PAGE = ROOT / "docs" / "ssl.md"
BEGIN, END = "<!-- From here on drawn by `make suites`. -->\n", "<!-- To here. -->\n"


class Unavailable(Exception):
    """A suite cannot be run here; the text says why."""


# -- what is fetched -----------------------------------------------------------------------------------


def prepared(name: str) -> Path:
    """The folder in which the tests of `name` stand, and beside them, in `needs`, what they import.

    Raises:
        Unavailable: the library is not installed, or there is no network.
    """
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        raise Unavailable(f"{name} is not installed") from None
    home = ROOT / "build" / "suites" / f"{name}-{version}-py{sys.version_info[0]}.{sys.version_info[1]}"
    sources, stamp = home / "tests", home / "ready"
    wanted = json.dumps(SUITES[name].get("needs", []))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return sources
    sources.mkdir(parents=True, exist_ok=True)
    if SUITES[name].get("installed"):
        (sources / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # or pytest finds ours, above
    else:
        pip("download", "--no-binary", name, "--dest", str(home), f"{name}=={version}")
        with tarfile.open(next(home.glob("*.tar.gz"))) as archive:
            archive.extractall(sources, filter="data")
    if needs := SUITES[name].get("needs"):
        pip("install", "--upgrade", "--target", str(home / "needs"), *needs)
    stamp.write_text(wanted, encoding="utf-8")
    return sources


def pip(command: str, *arguments: str) -> None:
    """Run pip, which brings nothing but what it is told.

    Raises:
        Unavailable: it failed.
    """
    line = [sys.executable, "-m", "pip", command, "--quiet", "--no-deps", *arguments]
    ran = subprocess.run(line, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = [one for one in ran.stderr.splitlines() if one.startswith("ERROR")] or ["pip failed"]
        raise Unavailable(f"pip {command}: {said[-1]}")


def root_of(sources: Path) -> Path:
    """The folder from which their tests are run: the one that the source distribution has inside."""
    inside = [each for each in sources.iterdir() if each.is_dir() and each.name != "__pycache__"]
    return inside[0] if len(inside) == 1 else sources


# -- in a process of its own ---------------------------------------------------------------------------


class Collector:
    """A plugin of pytest that takes out what does not apply, and notes how each test ends."""

    def __init__(self, name: str, listed: list[Exclusion], *, excluded: bool, only: list[str] | None) -> None:
        self.name = name
        self.listed, self.excluded, self.only = listed, excluded, only
        self.verdict = Verdict()

    def pytest_configure(self) -> None:
        """The installed library is meant, and not the one that the source distribution brings."""
        importlib.import_module(self.name)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.only is not None:
            items[:] = [item for item in items if item.nodeid in self.only]
        kept = []
        for item in items:
            if (why_excluded(item.nodeid, self.listed) is not None) is self.excluded:
                kept.append(item)
            else:
                self.verdict.excluded.append(item.nodeid)
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        verdict = self.verdict
        if report.failed:
            if report.nodeid not in verdict.failed:
                verdict.failed.append(report.nodeid)
            if report.nodeid in verdict.passed:  # and then its teardown failed
                verdict.passed.remove(report.nodeid)
        elif report.skipped:
            verdict.skipped.append(report.nodeid)
        elif report.when == "call" and report.nodeid not in verdict.failed:
            verdict.passed.append(report.nodeid)


def run_here(name: str, *, native: bool, excluded: bool, only: list[str] | None) -> Verdict:
    """Run a suite's tests in this process, whose folder is theirs."""
    if not native:
        from pellucid.compat import ssl

        ssl.install()
    suite = SUITES[name]
    for logger in suite.get("quiet", ()):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    listed = [] if native else exclusions(suite.get("exclusion", []))
    collector = Collector(name, listed, excluded=excluded, only=only)
    line = [
        "-p",
        "no:cacheprovider",
        "-p",
        "pytest_timeout",
        "--timeout=120",
        "--tb=short",
        "-rfE",
        "-o",
        "addopts=",
        *suite["tests"],
    ]
    for plugin in suite.get("plugins", ()):
        line += ["-p", plugin]
    if "select" in suite:
        line += ["-k", suite["select"]]
    if suite.get("installed"):
        line += ["--pyargs"]
    ended = pytest.main(line, plugins=[collector])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        collector.verdict.broken = f"pytest ended with {ended!r}"
    return collector.verdict


# -- from outside --------------------------------------------------------------------------------------


def run(name: str, *, native: bool = False, excluded: bool = False) -> tuple[Verdict, str]:
    """A suite's verdict, and what was printed.

    Raises:
        Unavailable: see `prepared`; or the tests cannot be run over OpenSSL either.
    """
    sources = prepared(name)
    verdict, printed = run_once(name, sources, native=native, excluded=excluded)
    if verdict.broken and run_once(name, sources, native=True)[0].broken:
        raise Unavailable(f"{verdict.broken}, over OpenSSL too: {printed.strip().splitlines()[-1:]}")
    for openssl in (False, True, False):
        if not verdict.failed or verdict.broken or native or excluded:
            break
        again, more = run_once(name, sources, native=openssl, only=verdict.failed)
        printed += more
        verdict.broken = again.broken
        if openssl:
            verdict.unfair = again.failed
            verdict.failed = [each for each in verdict.failed if each not in again.failed]
        else:
            verdict.passed += again.passed
            verdict.failed = again.failed
    return verdict, printed


def run_once(
    name: str, sources: Path, *, native: bool = False, excluded: bool = False, only: list[str] | None = None
) -> tuple[Verdict, str]:
    """One run, in a process of its own, for `install()` changes the process."""
    home = sources.parent
    answer, asked = home / "verdict.json", home / "only.json"
    answer.unlink(missing_ok=True)
    asked.write_text(json.dumps(only), encoding="utf-8")
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(home / "needs"))),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "CI": "1",  # urllib3's tests are patient then
    }
    for inherited in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "SSLKEYLOGFILE", "SSL_CERT_FILE"):
        env.pop(inherited, None)
    line = [sys.executable, str(Path(__file__).resolve()), "--here", name, "--answer", str(answer)]
    line += ["--only", str(asked), *["--native"][: int(native)], *["--excluded"][: int(excluded)]]
    ran = subprocess.run(
        line, env=env, cwd=root_of(sources), capture_output=True, text=True, errors="replace", check=False
    )
    if not answer.exists():
        return Verdict(broken=f"no answer, exit code {ran.returncode}"), ran.stdout + ran.stderr
    return Verdict(**json.loads(answer.read_text(encoding="utf-8"))), ran.stdout + ran.stderr


def table(verdicts: dict[str, Verdict]) -> str:
    """The table of the documentation."""
    head = "| tests of | passed | failed | fail over OpenSSL too | skipped by themselves | do not apply |"
    lines = [head, "|---|---|---|---|---|---|"]
    for name, one in verdicts.items():
        counts = (one.passed, one.failed, one.unfair, one.skipped, one.excluded)
        cells = " | ".join(str(len(each)) for each in counts)
        lines.append(f"| {name} {metadata.version(name)} | {cells} |")
    return "\n".join(("", *lines, "", ""))


def draw(verdicts: dict[str, Verdict]) -> None:
    """Put the table into the documentation."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    PAGE.write_text(before + BEGIN + table(verdicts) + END + rest.split(END)[1], encoding="utf-8")


def chosen(names: Iterable[str]) -> list[str]:
    """The suites that are meant; none named, all."""
    return [name for name in SUITES if not names or any(fnmatchcase(name, each) for each in names)]


def main() -> int:
    """The command."""
    parser = command_line(__doc__)
    parser.add_argument("--answer", type=Path, help="with --here: where the verdict goes, in JSON")
    parser.add_argument("--only", type=Path, help="with --here: the only tests to run, in JSON")
    parser.add_argument("names", nargs="*", help="whose tests")
    args = parser.parse_args()
    if args.here:
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        only = json.loads(args.only.read_text(encoding="utf-8"))
        found = run_here(args.names[0], native=args.native, excluded=args.excluded, only=only)
        args.answer.write_text(json.dumps(vars(found)), encoding="utf-8")
        sys.stdout.flush()
        os._exit(0)  # their servers' threads, which may never end, are not waited for
    verdicts: dict[str, Verdict] = {}
    for name in chosen(args.names):
        began = time.monotonic()
        try:
            verdict, printed = run(name, native=args.native, excluded=args.excluded)
        except Unavailable as why:
            print(f"{name:34} skipped: {why}")
            continue
        verdicts[name] = verdict
        if not verdict.good:
            print(printed, verdict.broken)
        print(verdict.line(f"{name} {metadata.version(name)}", time.monotonic() - began), flush=True)
        for one in verdict.failed:
            print(f"   failed: {one}")
    good = all(each.good for each in verdicts.values())
    if good and verdicts.keys() == SUITES.keys() and not args.native and not args.excluded:
        draw(verdicts)
    return int(not good)


if __name__ == "__main__":
    raise SystemExit(main())
