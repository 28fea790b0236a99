"""CPython's own tests of `ssl`, run over pellucid: the proof that the drop-in is one.

    python tests/compat/cpython.py                    every interpreter that is found
    python tests/compat/cpython.py --here             this one; it needs pellucid and `test`
    python tests/compat/cpython.py --here test_ssl.ContextTests     only names with that in them

Interpreters are found on the PATH, by pyenv, and in PELLUCID_PYTHONS (paths with a colon between).
Each gets a virtual environment beside ours (`.venv-3.12`). What does not apply is listed in
`exclusions.toml`, a reason for each; `--excluded` runs just those, to see which have come to pass.
`--native` leaves OpenSSL in its place, for comparison. Exits with 1 if a test failed.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import time
import unittest
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))
from compat.verdicts import ROOT, Exclusion, Verdict, command_line, exclusions, read, why_excluded

OLDEST = (3, 11)

#: Module, and which of its tests speak TLS.
MODULES = {
    "test.test_ssl": ("*",),
    "test.test_asyncio.test_ssl": ("*",),
    "test.test_asyncio.test_sslproto": ("*",),
    "test.test_httplib": ("*.HTTPSTest.*",),
    "test.test_urllib2_localnet": ("*https*", "*ssl*"),
    "test.test_ftplib": ("*TLS*",),
    "test.test_imaplib": ("*SSL*", "*ssl*", "*tls*"),
    "test.test_poplib": ("*SSL*", "*TLS*", "*stls*"),
}


class Result(unittest.TextTestResult):
    """Counts, and remembers how each test ended."""

    def startTestRun(self) -> None:
        self.passed: list[str] = []

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.passed.append(test.id())


def listed_exclusions() -> list[Exclusion]:
    """What does not apply to this interpreter."""
    found = exclusions(read("exclusions.toml")["exclusion"])
    return [(f"test.{name}", reason) for name, reason in found]


def flat(suite: Any) -> Iterator[unittest.TestCase]:
    """The tests of a suite."""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flat(item)
        else:
            yield item


def run_here(only: list[str], *, native: bool, excluded: bool, verbose: int) -> int:
    """Run the tests in this interpreter; 1 if one failed."""
    support: Any = importlib.import_module("test.support")
    support.use_resources = []  # no network beyond this machine
    if not native:
        from pellucid.compat import ssl

        ssl.install()
    listed = [] if native else listed_exclusions()
    worst, lines = 0, []
    for module, patterns in MODULES.items():
        if only and not any(each.startswith(module) or not each.startswith("test.") for each in only):
            continue
        try:
            loaded = importlib.import_module(module)
        except ModuleNotFoundError as error:
            lines.append(f"{module:34} not in this interpreter ({error.name})")
            continue
        except unittest.SkipTest as skip:
            lines.append(f"{module:34} skipped by itself ({skip})")
            continue
        suite, left_out = unittest.TestSuite(), []
        for test in flat(unittest.defaultTestLoader.loadTestsFromModule(loaded)):
            name = test.id()
            if not any(fnmatchcase(name, pattern) for pattern in patterns):
                continue
            if only and not any(each in name for each in only):
                continue
            reason = why_excluded(name, listed)
            if (reason is not None) is excluded:
                suite.addTest(test)
            elif reason is not None:
                left_out.append(name)
        began = time.monotonic()
        result = run_suite(loaded, suite, verbose)
        failed = [test.id() for test, _ in (*result.failures, *result.errors)]
        if failed and not excluded:  # a machine under load may be late: regrtest runs them again, too
            print(f"again: {', '.join(failed)}")
            again = run_suite(loaded, unittest.defaultTestLoader.loadTestsFromNames(failed), verbose)
            result.passed += again.passed
            failed = [test.id() for test, _ in (*again.failures, *again.errors)]
        worst |= bool(failed)
        skipped = [test.id() for test, _ in result.skipped]
        verdict = Verdict(result.passed, failed, skipped, left_out)
        lines.append(verdict.line(module, time.monotonic() - began))
    print(
        "\n".join((f"\nCPython {sys.version.split()[0]} over {'OpenSSL' if native else 'pellucid'}", *lines))
    )
    return worst


def run_suite(module: Any, suite: unittest.TestSuite, verbose: int) -> Any:
    """The result of a suite, between its module's preparations."""
    if hasattr(module, "setUpModule"):
        module.setUpModule()
    try:
        runner: Any = unittest.TextTestRunner(verbosity=verbose, resultclass=Result)  # type: ignore[arg-type]
        return runner.run(suite)
    finally:
        unittest.case.doModuleCleanups()
        if hasattr(module, "tearDownModule"):
            module.tearDownModule()


# -- all interpreters --------------------------------------------------------------------------------


def interpreters() -> dict[str, str]:
    """Version ("3.12") to the path of an interpreter, each once."""
    candidates = [path for path in os.environ.get("PELLUCID_PYTHONS", "").split(os.pathsep) if path]
    if shutil.which("pyenv"):
        answer = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
        candidates += map(str, Path(answer.stdout.strip()).glob("versions/*/bin/python"))
    candidates += [path for minor in range(11, 20) if (path := shutil.which(f"python3.{minor}"))]
    candidates.append(sys.executable)
    found: dict[str, str] = {}
    for path in candidates:
        said = "import sys; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run([path, "-c", said], capture_output=True, text=True, check=False)
        version = answer.stdout.strip()
        if version and tuple(map(int, version.split("."))) >= OLDEST:
            found.setdefault(version, path)
    return dict(sorted(found.items()))


def environment(version: str, path: str) -> Path | None:
    """A virtual environment with pellucid's one dependency; None, with a word why, if there can be none."""
    home = ROOT / f".venv-{version}"
    python = home / "bin" / "python"
    quiet: dict[str, Any] = {"capture_output": True, "text": True, "check": False}
    if subprocess.run([path, "-c", "import test.test_ssl"], **quiet).returncode:
        print(f"CPython {version}: skipped, it has no package `test`")
        return None
    if subprocess.run([python, "-c", "import cryptography"], **quiet).returncode if python.exists() else True:
        made = subprocess.run([path, "-m", "venv", "--clear", home], **quiet)
        if not made.returncode:
            made = subprocess.run([python, "-m", "pip", "install", "-q", "cryptography>=50"], **quiet)
        if made.returncode:
            print(f"CPython {version}: skipped, no environment: {made.stderr.strip().splitlines()[-1:]}")
            return None
    return python


def main() -> int:
    """The command."""
    parser = command_line(__doc__)
    parser.add_argument("-v", "--verbose", action="count", default=1)
    parser.add_argument("only", nargs="*", help="parts of test names")
    args = parser.parse_args()
    if args.here:
        return run_here(args.only, native=args.native, excluded=args.excluded, verbose=args.verbose)
    worst = 0
    options = [option for option in sys.argv[1:] if option != "--here"]
    for version, path in interpreters().items():
        python = environment(version, path)
        if python is not None:
            env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            command = [str(python), str(Path(__file__).resolve()), "--here", *options]
            worst |= subprocess.run(command, env=env, cwd=ROOT, check=False).returncode
    return worst


if __name__ == "__main__":
    raise SystemExit(main())
