"""What a proxy does with its connections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pellucid.config import ClientConfig, ServerConfig
from pellucid.errors import Reason, UsageError
from pellucid.trust.identity import Identity

TERMINATE, ORIGINATE, INTERCEPT, TUNNEL = "terminate", "originate", "intercept", "tunnel"


class Issuer(Protocol):
    """Who has a certificate for any name: `pellucid.proxy.Leaves`."""

    def identities(self, name: str) -> tuple[Identity, ...]:
        """Certificates for a name."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a proxy does with each connection.

    Attributes:
        to: the server: host and port; None lets the client say it, by CONNECT.
        front: the configuration towards clients, or a callable that gives the present one (hot reload);
            None: they speak plain, or nobody looks into what they speak.
        behind: the configuration towards the server; None: it speaks plain, or nobody looks.
        issuer: intercept: it makes a certificate for each name that clients ask for.
        server_name: the name that is asked of the server; None: the client's own when intercepting, else
            the host.
        timeout: seconds for each wait until the connection stands; none after that.

    Where TLS is spoken on both sides the server is spoken to first, so that the client is offered the
    application protocol (ALPN) that the server chose of the client's.

    >>> Plan(to=("127.0.0.1", 25), behind=ClientConfig()).way
    'originate'
    >>> Plan().way  # an HTTP CONNECT proxy that touches nothing
    'tunnel'
    """

    to: tuple[str, int] | None = None
    front: ServerConfig | Callable[[], ServerConfig] | None = None
    behind: ClientConfig | None = None
    issuer: Issuer | None = None
    server_name: str | None = None
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if self.issuer is not None and (self.front is None or self.behind is None):
            raise UsageError(Reason.BAD_CONFIG, "intercepting needs TLS on both sides")
        if self.to is None and self.issuer is None and self.way != TUNNEL:
            raise UsageError(
                Reason.BAD_CONFIG, "where to? A proxy that speaks TLS on one side has one server"
            )

    @property
    def way(self) -> str:
        """ "terminate", "originate", "intercept" or "tunnel"."""
        if self.issuer is not None:
            return INTERCEPT
        if self.front is not None:
            return TERMINATE
        return TUNNEL if self.behind is None else ORIGINATE

    @property
    def present_front(self) -> ServerConfig:
        """The configuration towards clients, as it is now."""
        front = self.front() if callable(self.front) else self.front
        if front is None:
            raise UsageError(Reason.BAD_CONFIG, "there is no TLS in front")
        return front
