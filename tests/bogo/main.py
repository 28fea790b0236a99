"""The shim's front door: reads the flags, and imports the rest only when they can be met."""

from __future__ import annotations

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MUST_FAIL = 90


def main(argv: list[str]) -> int:
    """Run one test of the runner. Returns the exit code; a pre-forking launcher may call this."""
    if "-is-handshaker-supported" in argv:
        print("No", flush=True)
        return 0
    from bogo.flags import UNIMPLEMENTED, Unimplemented, parse

    try:
        settings = parse(argv)
        from bogo.run import run

        return run(*settings)
    except Unimplemented as what:
        print(f"unimplemented: {what}", flush=True)
        return UNIMPLEMENTED
    except Exception:
        import traceback

        traceback.print_exc()
        return MUST_FAIL


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(HERE))
    sys.path.remove(HERE)
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # nothing is left to do, and the interpreter's own end costs milliseconds
