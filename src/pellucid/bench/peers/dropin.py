"""pellucid's drop-in, driven exactly as the standard `ssl` is: the same adapter, other contexts."""

# ruff: noqa: D102 -- the methods are described in base.py

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from .own import OwnPeer
from .stdlib import StdlibPair

if TYPE_CHECKING:
    from ..certs import Material
    from ..scenario import Scenario


class DropInPair(StdlibPair):
    """Two `SSLContext`s of `pellucid.compat.ssl`."""

    def make(self, protocol: int, scenario: Scenario) -> Any:
        from pellucid.compat.settings import settings_of
        from pellucid.compat.ssl import SSLContext

        context: Any = SSLContext(protocol)
        if not scenario.again:
            settings_of(context).remember = 0  # OpenSSL verifies every chain, so we do
        version = ssl.TLSVersion.TLSv1_3 if scenario.tls13 else ssl.TLSVersion.TLSv1_2
        context.minimum_version = context.maximum_version = version
        if scenario.tls13:
            context.set_ciphersuites(scenario.suite)
        else:
            context.set_ciphers(scenario.suite)
        context.set_groups(scenario.groups)
        return context


class DropInPeer(OwnPeer):
    """`pellucid.compat.ssl`: only the rows of the drop-in ask for it."""

    name = "drop-in"
    statement = "import pellucid.compat.ssl"

    def pair(self, scenario: Scenario, material: Material) -> Any:
        return DropInPair(scenario, material)
