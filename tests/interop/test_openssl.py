"""pellucid and the `openssl` command, both ways, as real processes on loopback.

TLS 1.3 with RSA and ECDSA certificates and each of the three suites; TLS 1.2 with ECDHE; TLS 1.2 with static
RSA, which needs the museum's policy; and data of all the sizes at which records are cut.
"""

from __future__ import annotations

import pytest

from .bench import Certificates, Setup, question
from .commands import OpenSSL
from .ours import client_config, listening, server_config, visit

pytestmark = [pytest.mark.interop, pytest.mark.slow]

OPENSSL = OpenSSL()
SIZES = (0, 1, 16384, 16385, 5_000_000)

SETUPS = (
    *(
        Setup(version="1.3", key=key, suites=(suite,))
        for key in ("rsa", "ecdsa", "ed25519")
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
    ),
    *(
        Setup(version="1.2", key=key, suites=(f"TLS_ECDHE_{key.upper()}_WITH_{aead}",))
        for key in ("rsa", "ecdsa")
        for aead in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
    ),
    Setup(version="1.2", key="rsa", suites=("TLS_RSA_WITH_AES_128_GCM_SHA256",)),
    Setup(version="1.2", key="rsa", suites=("TLS_RSA_WITH_AES_256_GCM_SHA384",)),
)


def name(setup: Setup) -> str:
    return f"{setup.version}-{setup.key}-{setup.suites[0]}"


@pytest.fixture(autouse=True)
def _installed() -> None:
    if reason := OPENSSL.missing("client"):
        pytest.skip(reason)


@pytest.mark.parametrize("setup", SETUPS, ids=name)
def test_our_client_and_its_server(setup: Setup, certificates: Certificates) -> None:
    with OPENSSL.serve(setup, certificates) as serving:
        for size in SIZES:
            asked = question("echo", size)
            got, info, *_ = visit(serving.port, client_config(setup, certificates), asked, "echo")
            assert got == asked
            assert info.cipher_suite_name == setup.suites[0]
            assert info.version_name == f"TLS {setup.version}"
            assert len(info.verified_chain) == 2


@pytest.mark.parametrize("setup", SETUPS, ids=name)
def test_our_server_and_its_client(setup: Setup, certificates: Certificates) -> None:
    with listening(server_config(setup, certificates)) as record:
        for count, size in enumerate(SIZES, 1):
            asked = question("echo", size)
            visited = OPENSSL.visit(record.port, setup, certificates, asked)
            record.wait(count)
            assert not record.errors, visited.stderr
            assert visited.answered == asked
            assert record.infos[-1].cipher_suite_name == setup.suites[0]
            assert record.infos[-1].version_name == f"TLS {setup.version}"


@pytest.mark.parametrize("suite", ["TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_GCM_SHA384"])
def test_static_rsa_stays_in_the_museum(suite: str, certificates: Certificates) -> None:
    """Without that policy it is neither offered nor accepted, and openssl is told so."""
    import pellucid

    from .bench import PeerFailed

    only = Setup(version="1.2", key="rsa", suites=(suite,))
    plain = Setup(key="rsa")
    with (
        OPENSSL.serve(only, certificates) as serving,
        pytest.raises(pellucid.PeerRefused, match="handshake_failure"),
    ):
        visit(serving.port, client_config(plain, certificates), b"", "echo")
    with listening(server_config(plain, certificates)) as record:
        with pytest.raises(PeerFailed, match="handshake failure"):
            OPENSSL.visit(record.port, only, certificates, b"")
        record.wait(1)
    (error,) = record.errors
    assert isinstance(error, pellucid.TLSError)
    assert error.reason is pellucid.Reason.NO_SHARED_CIPHER
