"""`python -m pellucid.bench`: the same as `pellucid bench`."""

from __future__ import annotations

import sys

from pellucid.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
