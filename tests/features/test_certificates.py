"""Which certificate is shown, and what comes along: selection, OCSP staples, SCTs, compression.

RFC 8446 sections 4.2.3, 4.2.4, 4.4.2 to 4.4.2.3; RFC 6066 section 8; RFC 6962 section 3.3; RFC 8879.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pellucid import (
    Authority,
    ClientConfig,
    ClientConnection,
    Identity,
    Policy,
    ServerConfig,
    ServerConnection,
    Trust,
    UsageError,
)
from pellucid.errors import Reason
from pellucid.lab import MisbehavingClient, MisbehavingServer, Tap, converse, edit, extensions
from pellucid.legacy import museum_policy
from pellucid.wire import compression
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert, SignatureScheme
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import (
    Certificate,
    CertificateRequest,
    CertificateStatus,
    CertificateVerify,
    ClientHello,
    CompressedCertificate,
    ServerHello,
    ServerKeyExchangeECDHE,
)
from rfc.world import (
    AUTHORITY,
    CLIENT,
    ECDSA,
    RSA,
    TLS12,
    TLS13,
    TRUST,
    client,
    connected,
    refused,
    server,
    server_config,
    session_from,
    talk,
)

SCTS = (b"a timestamp", b"another")
STAPLED = ECDSA.replace(ocsp=AUTHORITY.staple(ECDSA), scts=SCTS)
STAPLED_CLIENT = CLIENT.replace(ocsp=AUTHORITY.staple(CLIENT), scts=SCTS)
VERSIONS = pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])


def mutual(**more: Any) -> dict[str, Any]:
    return {"client_auth": "require", "client_trust": TRUST, **more}


# -- every kind of key -----------------------------------------------------------------------------

KEYS = (
    "ecdsa-p256",
    "ecdsa-p384",
    "ecdsa-p521",
    "rsa-2048",
    "ed25519",
    "ed448",
    "ml-dsa-44",
    "ml-dsa-65",
    "ml-dsa-87",
)


@pytest.mark.parametrize("kind", KEYS)
@VERSIONS
def test_every_kind_of_key_on_both_sides(kind: str, policy: Policy) -> None:
    """The server proves itself by such a key, and the client too; ML-DSA is TLS 1.3's only."""
    authority = Authority.create()
    identity = authority.issue("localhost", key=kind)
    mine = authority.issue("somebody", key=kind, client=True)
    trust = authority.trust()
    found = converse(
        ClientConnection(ClientConfig(policy=policy, trust=trust, identities=(mine,)), "localhost"),
        server(policy=policy, identities=(identity,), client_auth="require", client_trust=trust),
    )
    if kind.startswith("ml-dsa") and policy is TLS12:
        assert found.refusal is not None
        assert found.refusal.reason is Reason.NO_SHARED_CIPHER
        return
    assert found.completed, found.refusal
    assert found.client.info.signature_scheme in identity.schemes13 + identity.schemes12
    assert found.server.info.signature_scheme in mine.schemes13 + mine.schemes12
    assert found.server.info.peer_chain == mine.chain


SCHEMES13 = [s for s in TLS13.signature_schemes if not SignatureScheme.name_of(s).startswith("rsa_pkcs1")]


KIND_OF = {
    "ecdsa_secp256r1": "ecdsa-p256",
    "ecdsa_secp384r1": "ecdsa-p384",
    "ecdsa_secp521r1": "ecdsa-p521",
    "rsa_pss_rsae": "rsa-2048",
    "mldsa44": "ml-dsa-44",
    "mldsa65": "ml-dsa-65",
    "mldsa87": "ml-dsa-87",
}


def a_pss_certificate(folder: Path) -> Identity:
    """A certificate whose key says id-RSASSA-PSS: `cryptography` can read such keys, not make them."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl command is not installed")
    key, cert = folder / "key.pem", folder / "cert.pem"
    wish = ["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-nodes", "-subj", "/CN=localhost"]
    wish += ["-addext", "subjectAltName=DNS:localhost", "-days", "30", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([program, "req", "-x509", *wish], check=True, capture_output=True, timeout=60)
    return Identity.from_files(cert, key)


@pytest.mark.parametrize("scheme", SCHEMES13, ids=SignatureScheme.name_of)
def test_every_scheme_of_tls13(scheme: int, tmp_path: Path) -> None:
    name = SignatureScheme.name_of(scheme)
    if name.startswith("rsa_pss_pss"):
        identity = a_pss_certificate(tmp_path)
        trust = Trust.insecure()
    else:
        authority = Authority.create()
        trust = authority.trust()
        identity = authority.issue("localhost", key=KIND_OF.get(name.rsplit("_sha", 1)[0], name))
    policy = TLS13.replace(signature_schemes=(scheme,), certificate_schemes=TLS13.signature_schemes)
    found = connected(
        ClientConnection(ClientConfig(policy=policy, trust=trust), "localhost"),
        server(policy=TLS13, identities=(identity,)),
    )
    assert found.client.info.signature_scheme == scheme


def test_a_pss_key_in_tls12(tmp_path: Path) -> None:
    """RFC 4055 section 1.2: for RSASSA-PSS alone, by its own schemes and never to encrypt with."""
    identity = a_pss_certificate(tmp_path)
    trust = Trust.insecure()
    shown = server(policy=TLS12, identities=(identity,))
    found = connected(ClientConnection(ClientConfig(policy=TLS12, trust=trust), "localhost"), shown)
    assert found.client.info.signature_scheme == SignatureScheme.rsa_pss_pss_sha256
    mine = ClientConfig(policy=TLS12, trust=TRUST, identities=(identity,))
    server_side = server(policy=TLS12, client_auth="require", client_trust=trust)
    assert (
        connected(ClientConnection(mine, "localhost"), server_side).server.info.peer_chain == identity.chain
    )


@pytest.mark.parametrize("side", ["server", "client"])
def test_a_pss_key_in_tls12_under_a_scheme_for_other_keys(side: str, tmp_path: Path) -> None:
    identity = a_pss_certificate(tmp_path)
    trust = Trust.insecure()
    if side == "server":
        wrong = edit(ServerKeyExchangeECDHE, algorithm=SignatureScheme.rsa_pss_rsae_sha256)
        bad: Any = MisbehavingServer(server_config(TLS12, identities=(identity,)), wrong)
        found = converse(ClientConnection(ClientConfig(policy=TLS12, trust=trust), "localhost"), bad)
        error = found.client_error
    else:
        wrong = edit(CertificateVerify, algorithm=SignatureScheme.rsa_pss_rsae_sha256)
        mine = ClientConfig(policy=TLS12, trust=TRUST, identities=(identity,))
        honest = server(policy=TLS12, client_auth="require", client_trust=trust)
        error = converse(MisbehavingClient(mine, "localhost", wrong), honest).server_error
    assert error is not None
    assert error.reason is Reason.WRONG_SIGNATURE_TYPE


def test_a_pss_key_is_not_encrypted_to(tmp_path: Path) -> None:
    identity = a_pss_certificate(tmp_path)
    identity.kind, identity.pss_key, identity.schemes12 = "rsa", False, RSA.schemes12  # the server pretends
    config = ServerConfig(policy=museum_policy(), identities=(identity,))
    mine = ClientConfig(policy=museum_policy(), trust=Trust.insecure())
    error = converse(ClientConnection(mine, "localhost"), ServerConnection(config)).client_error
    assert error is not None
    assert error.reason is Reason.WRONG_CERTIFICATE_KEY


# -- the choice ------------------------------------------------------------------------------------


@VERSIONS
def test_by_name_then_by_what_the_client_can_verify(policy: Policy) -> None:
    other = AUTHORITY.issue("other.test")
    config = server_config(policy, identities=(other, RSA, ECDSA))
    first = RSA if policy is TLS13 else ECDSA  # in TLS 1.2 the order of the suites comes before ours
    assert connected(client(policy=policy), server(config=config)).client.info.peer_chain == first.chain
    only = policy.replace(signature_schemes=(0x0403,))
    assert connected(client(policy=only), server(config=config)).client.info.peer_chain == ECDSA.chain
    named = client(policy=policy, name="other.test")
    assert connected(named, server(config=config)).client.info.peer_chain == other.chain


def test_by_the_authorities_that_the_client_names() -> None:
    """RFC 8446 section 4.2.4: a wish, weaker than the name, and no condition."""
    second = Authority.create("Second authority")
    foreign, elsewhere = second.issue("localhost"), second.issue("elsewhere.test")
    config = server_config(TLS13, identities=(ECDSA, elsewhere, foreign))

    def shown(*names: bytes) -> tuple[bytes, ...]:
        settings = ClientConfig(
            policy=TLS13, trust=TRUST if not names else second.trust(), certificate_authorities=names
        )
        found = talk(ClientConnection(settings, "localhost"), server(config=config))
        return found.client.info.peer_chain if found.client.handshake_complete else ()

    assert shown() == ECDSA.chain
    assert shown(*second.trust().subjects) == foreign.chain
    unknown = ClientConfig(
        policy=TLS13,
        trust=TRUST,
        certificate_authorities=Authority.create("Third authority").trust().subjects,
    )
    assert talk(ClientConnection(unknown, "localhost"), server(config=config)).completed


@VERSIONS
def test_a_client_shows_what_the_server_can_verify(policy: Policy) -> None:
    second = Authority.create("Second authority")
    foreign = second.issue("somebody", client=True)
    one = client(policy=policy, identities=(foreign, CLIENT))
    found = connected(one, server(policy=policy, **mutual()))
    assert found.server.info.peer_chain == CLIENT.chain


def test_the_servers_signature_algorithms_cert_decide_for_the_client() -> None:
    """RFC 8446 section 4.4.2.3: chains in schemes that the server takes come first."""
    rsa_signed = Authority.create(key="rsa-2048").issue("somebody", client=True)
    one = client(identities=(rsa_signed, CLIENT))
    asking = TLS13.replace(certificate_schemes=(0x0403,))
    found = talk(one, server(policy=asking, **mutual(certificate_authorities=())))
    assert found.server.info.peer_chain == CLIENT.chain


# -- stapling, in both directions ------------------------------------------------------------------


@VERSIONS
def test_a_server_staples_what_was_asked_for(policy: Policy) -> None:
    config = server_config(policy, identities=(STAPLED,))
    both = connected(client(policy=policy, request_scts=True), server(config=config)).client.info
    assert (both.ocsp_response, both.scts) == (STAPLED.ocsp, SCTS)
    neither = connected(client(policy=policy, request_ocsp=False), server(config=config)).client.info
    assert (neither.ocsp_response, neither.scts) == (None, ())
    plain = connected(client(policy=policy, request_scts=True), server(policy=policy)).client.info
    assert (plain.ocsp_response, plain.scts) == (None, ())


def test_a_client_staples_what_was_asked_for() -> None:
    config = server_config(TLS13, **mutual(request_client_ocsp=True, request_client_scts=True))
    info = connected(client(identities=(STAPLED_CLIENT,)), server(config=config)).server.info
    assert (info.ocsp_response, info.scts) == (STAPLED_CLIENT.ocsp, SCTS)
    info = connected(client(identities=(STAPLED_CLIENT,)), server(**mutual())).server.info
    assert (info.ocsp_response, info.scts) == (None, ())


def test_a_staple_that_says_revoked_is_believed_from_either_side() -> None:
    bad = STAPLED.replace(ocsp=AUTHORITY.staple(ECDSA, revoked=time.time() - 3600))
    refused(
        talk(client(), server(identities=(bad,))),
        "client",
        Reason.CERTIFICATE_REVOKED,
        Alert.certificate_revoked,
    )
    mine = CLIENT.replace(ocsp=AUTHORITY.staple(CLIENT, revoked=time.time() - 3600))
    found = talk(client(identities=(mine,)), server(**mutual(request_client_ocsp=True)))
    refused(found, "server", Reason.CERTIFICATE_REVOKED, Alert.certificate_revoked)


def test_the_staples_survive_resumption() -> None:
    config = server_config(TLS13, identities=(STAPLED,))
    session = session_from(config, request_scts=True)
    info = connected(client(sessions=(session,), request_scts=True), server(config=config)).client.info
    assert info.resumed
    assert (info.ocsp_response, info.scts) == (STAPLED.ocsp, SCTS)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.DECODE_ERROR),
        (b"\0\0", Reason.DECODE_ERROR),
        (b"\0\3\0\0\1", Reason.DECODE_ERROR),
        (b"\0\2\0\0", Reason.DECODE_ERROR),
        (b"\0\3\0\1", Reason.DECODE_ERROR),
        (b"\0\3\0\1x\0", Reason.TRAILING_DATA),
    ],
)
@VERSIONS
def test_sct_lists_that_cannot_be_read(policy: Policy, body: bytes, reason: Reason) -> None:
    if policy is TLS13:

        def staple(message: Any) -> None:
            message.certificate_list[0].extensions = {X.signed_certificate_timestamp: body}

        fault = edit(Certificate, staple)
    else:
        fault = extensions(ServerHello, {X.signed_certificate_timestamp: body})
    found = talk(client(policy=policy, request_scts=True), server(fault, policy=policy))
    refused(found, "client", reason, Alert.decode_error)


@pytest.mark.parametrize("kind", [X.status_request, X.signed_certificate_timestamp])
def test_staples_that_nobody_asked_for(kind: int) -> None:
    """RFC 8446 section 4.4.2: from a server and from a client alike."""
    body = {
        X.status_request: ext.CertificateStatusBody(1, b"response").encode(),
        X.signed_certificate_timestamp: ext.SignedCertificateTimestamps(SCTS).encode(),
    }[X(kind)]

    def staple(message: Any) -> None:
        message.certificate_list[0].extensions = {kind: body}

    found = talk(client(request_ocsp=False), server(edit(Certificate, staple)))
    refused(found, "client", Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension)
    found = talk(client(edit(Certificate, staple), identities=(CLIENT,)), server(**mutual()))
    refused(found, "server", Reason.UNEXPECTED_EXTENSION, Alert.unsupported_extension)


@pytest.mark.parametrize("policy", [TLS13, TLS12], ids=["1.3", "1.2"])
def test_a_status_of_another_type(policy: Policy) -> None:
    if policy is TLS13:

        def change(message: Any) -> None:
            message.certificate_list[0].extensions = {X.status_request: b"\2\0\0\1x"}

        fault = edit(Certificate, change)
    else:
        fault = edit(CertificateStatus, status_type=2)
    found = talk(client(policy=policy), server(fault, policy=policy, identities=(STAPLED,)))
    refused(found, "client", Reason.ERROR_PARSING_EXTENSION, Alert.decode_error)


# -- compression -----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [1, 2, 3], ids=["zlib", "brotli", "zstd"])
def test_compression_in_both_directions(algorithm: int) -> None:
    if algorithm not in compression.available():
        pytest.skip("its package is not installed: pip install 'pellucid[compression]'")
    policy = TLS13.replace(certificate_compression=(algorithm,), compress_above=0)
    taps = Tap(), Tap()
    found = connected(
        client(taps[0], policy=policy, identities=(CLIENT,)), server(taps[1], policy=policy, **mutual())
    )
    assert [tap.the(CompressedCertificate).algorithm for tap in taps] == [algorithm] * 2
    assert found.server.info.peer_chain == CLIENT.chain
    bare = Tap()
    connected(client(policy=TLS13), server(bare, policy=policy))
    assert bare.all(CompressedCertificate) == []


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_short_certificate_is_sent_as_it_is(beyond: int) -> None:
    tap = Tap()
    connected(client(policy=TLS13), server(tap, policy=TLS13))
    size = len(tap.the(Certificate).encode())
    tap, zlib = Tap(), TLS13.replace(certificate_compression=(1,), compress_above=size - beyond)
    connected(client(policy=zlib), server(tap, policy=zlib))
    assert len(tap.all(CompressedCertificate)) == beyond


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    ("fields", "reason", "alert"),
    [
        ({"algorithm": 7}, Reason.UNOFFERED_CERTIFICATE_COMPRESSION, Alert.illegal_parameter),
        ({"algorithm": 2}, Reason.UNOFFERED_CERTIFICATE_COMPRESSION, Alert.illegal_parameter),
        ({"uncompressed_length": 100_001}, Reason.CERTIFICATE_TOO_LARGE, Alert.illegal_parameter),
        ({"uncompressed_length": 2**24 - 1}, Reason.CERTIFICATE_TOO_LARGE, Alert.illegal_parameter),
        ({"uncompressed_length": 100_000}, Reason.BAD_CERTIFICATE_COMPRESSION, Alert.bad_certificate),
        ({"uncompressed_length": 5}, Reason.BAD_CERTIFICATE_COMPRESSION, Alert.bad_certificate),
        ({"compressed_certificate_message": b"x"}, Reason.BAD_CERTIFICATE_COMPRESSION, Alert.bad_certificate),
    ],
)
def test_compressed_certificates_that_lie(
    side: str, fields: dict[str, Any], reason: Reason, alert: Alert
) -> None:
    policy = TLS13.replace(certificate_compression=(1,), compress_above=0)
    fault = edit(CompressedCertificate, **fields)
    if side == "server":
        found = talk(client(fault, policy=policy, identities=(CLIENT,)), server(policy=policy, **mutual()))
    else:
        found = talk(client(policy=policy), server(fault, policy=policy))
    refused(found, side, reason, alert)


@pytest.mark.parametrize("algorithm", [1, 2, 3], ids=["zlib", "brotli", "zstd"])
def test_a_bomb_in_the_handshake(algorithm: int) -> None:
    """A gigabyte of zeros behind a modest length: refused, and never unpacked."""
    import tracemalloc

    if algorithm not in compression.available():
        pytest.skip("its package is not installed: pip install 'pellucid[compression]'")
    policy = TLS13.replace(certificate_compression=(algorithm,), compress_above=0)
    bomb = compression.compress(algorithm, bytes(50_000_000))
    fault = edit(CompressedCertificate, compressed_certificate_message=bomb, uncompressed_length=4000)
    one, other = client(policy=policy), server(fault, policy=policy)
    other.receive_data(one.data_to_send())
    flight = other.data_to_send()
    tracemalloc.start()
    with pytest.raises(Exception, match="decompress") as ended:
        one.receive_data(flight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ended.value.reason is Reason.BAD_CERTIFICATE_COMPRESSION  # type: ignore[attr-defined]
    assert peak < 2_000_000


def test_an_algorithm_that_is_not_installed_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without brotli's limit on output a bomb could go off: then it cannot be named in a policy."""
    monkeypatch.setattr(compression, "_brotli", lambda: None)
    assert 2 not in compression.available()
    with pytest.raises(UsageError, match="rotli is not installed") as wrong:
        Policy(certificate_compression=(1, 2))
    assert wrong.value.reason is Reason.BAD_CONFIG


@pytest.mark.parametrize("body", [b"", b"\0", b"\2\0", b"\1\0", b"\4\0\1\0\1", b"\2\0\1\0"])
def test_lists_of_algorithms_that_cannot_be(body: bytes) -> None:
    policy = TLS13.replace(certificate_compression=(1,), compress_above=0)
    found = talk(
        client(extensions(ClientHello, {X.compress_certificate: body}), policy=policy), server(policy=policy)
    )
    assert found.server.error is not None
    assert found.server.error.alert is Alert.decode_error
    fault = extensions(CertificateRequest, {X.compress_certificate: body})
    found = talk(client(policy=policy, identities=(CLIENT,)), server(fault, policy=policy, **mutual()))
    assert found.client.error is not None
    assert found.client.error.alert is Alert.decode_error
