"""Why a chain was refused, in words."""

from __future__ import annotations

from typing import Any

from pellucid.errors import Reason
from pellucid.trust.profile import Fault


def explain(*args: Any) -> Fault:
    """A first version: the verifier's own words."""
    return Fault(Reason.CERTIFICATE_INVALID, args[7])


def report(*args: Any) -> tuple[Any, ...]:
    """A first version: nothing."""
    return ()
