"""What every test of the shim needs: the runner, an authority, a certificate."""

from __future__ import annotations

import pytest

from bogo.loopback import Runner
from pellucid.trust.authority import Authority
from pellucid.trust.identity import Identity


@pytest.fixture
def runner(capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(capsys)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="session")
def identity(authority: Authority) -> Identity:
    return authority.issue("test")


@pytest.fixture(scope="session")
def key_flags(identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """-cert-file and -key-file of `identity`."""
    certificate, key = identity.write(tmp_path_factory.mktemp("bogo"))
    return ["-cert-file", str(certificate), "-key-file", str(key)]
