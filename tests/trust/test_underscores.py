"""Host names with underscores: no RFC 1123 names, and common all the same (Docker, Windows, S3).

They may be asked for, and a wildcard stands for them; a certificate that spells one out is against RFC 5280
section 4.2.1.6, and refused. (`pellucid.compat.ssl` takes it, as OpenSSL does.)
"""

from __future__ import annotations

import pytest

from pellucid import Authority, CertificateRefused, ClientConfig, ServerConfig
from pellucid.connection import ClientConnection, ServerConnection
from support import pump

AUTHORITY = Authority.create()
SERVER = ServerConfig(identities=(AUTHORITY.issue("my_service", "*.zone.test"),))


@pytest.mark.parametrize("name", ["a_b.zone.test", "A_B.Zone.Test."])
def test_a_name_with_an_underscore(name: str) -> None:
    client = ClientConnection(ClientConfig(trust=AUTHORITY.trust()), name)
    server = ServerConnection(SERVER)
    pump(client, server)
    assert client.handshake_complete
    assert server.info.server_name == name.lower().rstrip(".")


@pytest.mark.parametrize("name", ["other_service", "a.b_c.zone.test", "my_zone.test"])
def test_another_name_is_refused(name: str) -> None:
    client = ClientConnection(ClientConfig(trust=AUTHORITY.trust()), name)
    with pytest.raises(CertificateRefused) as refused:
        pump(client, ServerConnection(SERVER))
    assert refused.value.reason.label == "wrong-host-name"


@pytest.mark.parametrize("name", ["my_service", "MY_SERVICE."])
def test_a_certificate_that_spells_one_is_refused(name: str) -> None:
    client = ClientConnection(ClientConfig(trust=AUTHORITY.trust()), name)
    with pytest.raises(CertificateRefused, match="underscore") as refused:
        pump(client, ServerConnection(SERVER))
    assert refused.value.reason.label == "certificate-invalid"


def test_a_stranger_with_the_right_name_is_refused() -> None:
    other = Authority.create()
    client = ClientConnection(ClientConfig(trust=other.trust()), "my_service")
    with pytest.raises(CertificateRefused) as refused:
        pump(client, ServerConnection(SERVER))
    assert refused.value.reason.label == "unknown-ca"
