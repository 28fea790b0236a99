"""One side of each conversation is pellucid's, the other OpenSSL's; and then both are pellucid's."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from compat.world import Contexts
from pellucid.compat import ssl as ours

PAIRS = (("pellucid", "openssl"), ("openssl", "pellucid"), ("pellucid", "pellucid"))


class Sides:
    """Contexts for a client and a server, each of its kind."""

    def __init__(self, contexts: Contexts, client: str, server: str) -> None:
        self.contexts = contexts
        self.kinds = client, server

    def client(self, **settings: Any) -> Any:
        return self.contexts.client(self.kinds[0], **settings)

    def server(self, **settings: Any) -> Any:
        return self.contexts.server(self.kinds[1], **settings)


def installed_for(sides: Sides) -> contextlib.AbstractContextManager[None]:
    """For clients that make their context themselves. Servers that have theirs keep what they are."""
    return ours.installed() if sides.kinds[0] == "pellucid" else contextlib.nullcontext()


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(tmp_path_factory.mktemp("ecosystem"))


@pytest.fixture(params=PAIRS, ids=[f"{client} to {server}" for client, server in PAIRS])
def sides(contexts: Contexts, request: pytest.FixtureRequest) -> Sides:
    return Sides(contexts, *request.param)
