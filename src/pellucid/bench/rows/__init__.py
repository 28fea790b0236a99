"""What is measured: a row has a name, parts, and a subject for each peer that can take part."""

from __future__ import annotations

from . import dropin, handshakes, loopback, processes, records, scaling, selves
from .base import FLOOR, Entry, Row

ROWS: dict[str, Row] = {
    row.name: row
    for module in (handshakes, records, loopback, dropin, processes, scaling, selves)
    for row in module.ROWS
}
"""Every row by name, in the order of the table."""

__all__ = ["FLOOR", "ROWS", "Entry", "Row"]
