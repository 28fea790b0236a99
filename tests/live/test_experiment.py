"""Experiments: each choice and each fault is carried out by a real client and a real server over sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from pellucid import Authority, ServerConfig, TLSError, serve
from pellucid.errors import Reason, UsageError
from pellucid.glass.crossings import crossings
from pellucid.glass.story import tell
from pellucid.io.sockets import TLSSocket
from pellucid.live import choices
from pellucid.live.choices import Choices
from pellucid.live.experiment import Experiment, Laboratory
from pellucid.trust.authority import FAULTS as CERTIFICATE_FAULTS
from support import House

#: What each fault must come to, and who must notice it.
NOTICED = {
    "expired": (Reason.CERTIFICATE_EXPIRED, "client"),
    "not-yet-valid": (Reason.CERTIFICATE_NOT_YET_VALID, "client"),
    "wrong-name": (Reason.WRONG_HOST_NAME, "client"),
    "unknown-ca": (Reason.UNKNOWN_CA, "client"),
    "self-signed": (Reason.SELF_SIGNED, "client"),
    "missing-intermediate": (Reason.UNKNOWN_CA, "client"),
    "revoked": (Reason.CERTIFICATE_REVOKED, "client"),
    "tampered": (Reason.CERTIFICATE_TAMPERED, "client"),
    "ca-as-leaf": (Reason.CA_USED_AS_LEAF, "client"),
    "wrong-extended-key-usage": (Reason.WRONG_EXTENDED_KEY_USAGE, "client"),
    "weak-key": (Reason.WEAK_CERTIFICATE_KEY, "client"),
    "wrong-signature": (Reason.BAD_SIGNATURE, "client"),
    "no-signature": (Reason.UNEXPECTED_MESSAGE, "client"),
    "wrong-finished": (Reason.BAD_FINISHED, "client"),
    "unoffered-suite": (Reason.WRONG_CIPHER_RETURNED, "client"),
    "wrong-client-finished": (Reason.BAD_FINISHED, "server"),
    "no-suite": (Reason.NO_SHARED_CIPHER, "server"),
    "no-version": (Reason.UNSUPPORTED_PROTOCOL, "server"),
    "no-protocol": (Reason.NO_APPLICATION_PROTOCOL, "server"),
    "no-client-certificate": (Reason.CERTIFICATE_REQUIRED, "server"),
    "changed-hello": (None, ""),  # noticed by whoever first needs the transcript
    "downgrade": (Reason.DOWNGRADE_DETECTED, "client"),
    "changed-record": (Reason.BAD_RECORD_MAC, "server"),
    "cut": (Reason.EOF_IN_HANDSHAKE, ""),
}
CASES = [
    (version, fault) for fault, one in choices.FAULTS.items() for version in one.versions if fault != "none"
]


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory()


def run(laboratory: Laboratory, **chosen: str) -> Experiment:
    if chosen.get("version") == "static-rsa":
        chosen["certificate"] = "rsa-2048"
    experiment = Experiment(Choices.of({"pace": "at once"} | chosen), laboratory)
    asyncio.run(experiment.run())
    return experiment


def names(experiment: Experiment) -> list[str]:
    return [one.name for one in crossings(experiment.client)]


def error_of(trace: Any) -> Any:
    fact = next(trace.of("error"), None)
    return None if fact is None else fact.fields["reason"]


@pytest.mark.parametrize("version", list(choices.VERSIONS))
@pytest.mark.parametrize("way", list(choices.WAYS))
def test_every_way_leads_to_the_end(laboratory: Laboratory, version: str, way: str) -> None:
    if version not in choices.WAYS[way][1]:
        with pytest.raises(UsageError):
            run(laboratory, version=version, way=way)
        return
    experiment = run(laboratory, version=version, way=way)
    assert experiment.server is not None
    assert experiment.error is None
    assert error_of(experiment.client) is error_of(experiment.server) is None
    found = names(experiment)
    assert found[-2:] == ["Alert: close_notify"] * 2
    assert ("HelloRetryRequest" in found) is (way == "hello-retry")
    assert ("early data" in found) is (way == "early-data")
    certificates = sum("Certificate" in name and "Verify" not in name for name in found)
    expected = {"client-certificate": 3, "resumption": 0, "early-data": 0}  # with the request for one
    assert certificates == expected.get(way, 1)


@pytest.mark.parametrize(("version", "fault"), CASES)
def test_every_fault_is_noticed(laboratory: Laboratory, version: str, fault: str) -> None:
    experiment = run(laboratory, version=version, fault=fault)
    story = tell(experiment.client, experiment.server)
    assert story.failure is not None
    reason, who = NOTICED[fault]
    if reason is not None:
        assert story.failure.reason == reason.label
    if who:
        trace = experiment.client if who == "client" else experiment.server
        assert error_of(trace) is reason


def test_the_table_of_faults_is_whole() -> None:
    assert set(NOTICED) == set(choices.FAULTS) - {"none"}
    certificate = {name for name, one in choices.FAULTS.items() if one.where == "certificate"}
    assert certificate - set(CERTIFICATE_FAULTS) == {"unknown-ca", "revoked"}
    assert {one.where for one in choices.FAULTS.values()} == {"", *choices.PLACES}


def test_the_suite_and_the_group_are_the_chosen_ones(laboratory: Laboratory) -> None:
    for version in choices.VERSIONS:
        for suite in choices.suites(version):
            certificate = "rsa-2048" if choices.auth_of(suite) == "RSA" else "ecdsa-p256"
            experiment = run(laboratory, version=version, suite=suite, certificate=certificate)
            assert tell(experiment.client).summary[1].value == suite
    for group in choices.groups("1.3"):
        experiment = run(laboratory, group=group)
        assert tell(experiment.client).summary[2].value == group
        assert "HelloRetryRequest" not in names(experiment)


def test_every_kind_of_certificate(laboratory: Laboratory) -> None:
    for kind in choices.CERTIFICATES:
        assert names(run(laboratory, certificate=kind))[-1] == "Alert: close_notify"


def test_each_message_has_a_record_of_its_own(laboratory: Laboratory) -> None:
    experiment = run(laboratory)
    sealed = [fact for fact in experiment.client.of("record") if fact.fields["content_type"] == 22]
    messages = list(experiment.client.of("message"))
    assert len(sealed) == len(messages) > 5


def test_records_wait_for_the_reader(laboratory: Laboratory) -> None:
    async def main() -> list[tuple[str, int]]:
        experiment = Experiment(Choices(pace="by hand"), laboratory)
        task = asyncio.ensure_future(experiment.run())
        seen: list[tuple[str, int]] = []

        def received() -> int:
            return sum(not fact.fields["sent"] for fact in experiment.client.of("message"))

        while not task.done():
            waiting = experiment.line.waiting
            if waiting is not None and waiting.number > len(seen):
                while received() < min(len(seen) - 1, 3):  # what may pass is under way for a moment
                    await asyncio.sleep(0.001)
                seen.append((waiting.sender, received()))
                experiment.pace.step()
            await asyncio.sleep(0.001)
        return seen

    seen = asyncio.run(main())
    assert seen[0] == ("client", 0)  # nothing has come to the client while its hello waits
    assert [sender for sender, _ in seen[1:5]] == ["server"] * 4
    assert [received for _, received in seen[1:5]] == [0, 1, 2, 3]  # one message a step


def test_a_server_in_the_world(house: House) -> None:
    def hello(tls: TLSSocket) -> None:
        tls.recv()
        tls.sendall(b"hello")

    laboratory = Laboratory()
    config = ServerConfig(identities=(house.server["ecdsa-p256"],))
    with serve(hello, config) as server:
        for trust, reason in ((house.trust, None), (Authority.create().trust(), Reason.UNKNOWN_CA)):
            choice = Choices(host=f"localhost:{server.port}", pace="at once")
            experiment = Experiment(choice, laboratory, trust=trust)
            asyncio.run(experiment.run())
            assert experiment.server is None
            assert error_of(experiment.client) is reason


def test_a_server_that_is_not_there(house: House, closed_port: int) -> None:
    experiment = Experiment(Choices(host=f"127.0.0.1:{closed_port}", pace="at once"), Laboratory())
    asyncio.run(experiment.run())
    assert isinstance(experiment.error, ConnectionRefusedError)


@pytest.fixture
def closed_port() -> Iterator[int]:
    import socket

    with socket.socket() as sock:  # bound and not listening: nobody else gets the port
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.mark.parametrize(
    "given",
    [
        {"version": "1.1"},
        {"fault": "nonsense"},
        {"suite": "TLS_RSA_WITH_AES_128_GCM_SHA256"},
        {"version": "1.2", "group": "X25519MLKEM768"},
        {"version": "static-rsa", "certificate": "ecdsa-p256"},
        {"version": "1.2", "certificate": "ml-dsa-44"},
        {"version": "1.2", "way": "early-data"},
        {"version": "1.2", "fault": "downgrade"},
        {"pace": "never"},
        {"strange": "field"},
        {"host": "x" * 300},
        {"host": 7},
        ["version"],
        None,
    ],
)
def test_what_does_not_exist_cannot_be_chosen(given: Any) -> None:
    with pytest.raises(UsageError) as refused:
        Choices.of(given)
    assert refused.value.reason is Reason.BAD_CONFIG
    assert isinstance(refused.value, TLSError)


def test_what_is_told_fits_the_hello_before_anything_is_chosen(laboratory: Laboratory) -> None:
    """The first message is seen alone: its words may not speak of keys that it does not hold."""
    for version, words in (("1.3", "fresh public key"), ("1.2", "a random number of its own")):
        experiment = run(laboratory, version=version, fault="no-version")
        assert words in tell(experiment.client).steps[0].tells
