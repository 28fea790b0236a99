"""The benchmark: pellucid beside its peers, in one interleaved run, as ratios of CPU time.

`pellucid bench`, `make bench` and `python -m pellucid.bench` are the same program. What is
measured and how far to trust it stands in benchmarks/README.md. One file per concern:

    harness.py   the rounds, the clock, the medians
    scenario.py  what both sides of a measured connection agree on
    certs.py     the certificates of the runs
    peers/       one adapter per library
    floor.py     the primitives of a connection alone, without a TLS stack
    rows/        what is measured
    goals.py     what each ratio shall be
    report.py, chart.py   the table, JSON and the picture
"""

from __future__ import annotations
