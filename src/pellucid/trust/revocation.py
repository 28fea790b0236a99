"""Revocation (begun)."""

from __future__ import annotations

from typing import Any


def load_crls(sources: Any) -> tuple[Any, ...]:
    """A first version: none."""
    return tuple(sources)


def must_staple_fault(*args: Any) -> None:
    """A first version: nothing."""
    return


def ocsp_fault(*args: Any) -> None:
    """A first version: nothing."""
    return


def crl_fault(*args: Any) -> None:
    """A first version: nothing."""
    return
