"""What is special about a handshake, in sentences; and where the textbook's story is not the truth.

RFC 8446 sections 2.1 (HelloRetryRequest), 2.2 (resumption), 2.3 (0-RTT), 4.3.2 and 4.6.2 (client
certificates), 4.6.3 (KeyUpdate); RFC 7627; RFC 8879; RFC 7250.
"""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.glass.crossings import Crossing, crossings
from pellucid.glass.decode import CERTIFICATES, Reader, chain_of
from pellucid.glass.der import is_public_key
from pellucid.glass.trace import Trace
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.codepoints import HandshakeType as T
from pellucid.wire.codepoints import NamedGroup

#: kind of handshake: step: what the usual telling leaves out, or gets wrong.
HONEST: dict[str, dict[int, str]] = {
    "RSA": {
        4: "The textbook says that the pre-master secret is random. Its first two bytes are the version that"
        " the client offered, so that a downgrade shows.",
        5: "The textbook says that decryption succeeds or fails. It must not show which: a wrong one is"
        " replaced by random bytes, and only the Finished tells (Bleichenbacher 1998).",
        6: "The keys are not the master secret: it is expanded once more, into a block that is cut in"
        " pieces, one for each direction and purpose.",
        7: "ChangeCipherSpec is no handshake message, and no Finished covers it.",
    },
    "ECDHE": {
        3: "The certificate alone proves nothing: anybody can send it. The signature over the fresh key, in"
        " the same flight, does.",
        6: "With the extended master secret (RFC 7627) the keys depend on every message so far, not on the"
        " two randoms only.",
    },
    "any": {
        3: "In time this comes after the keys are made: the certificate arrives encrypted.",
        7: "TLS 1.3 has no ChangeCipherSpec. The one that may be seen is a dummy, for old middleboxes.",
        9: "From outside every record looks like data, also alerts, tickets and key updates.",
    },
    "resumed13": {
        9: "Resumption is not the old session taken up: it is a new handshake, with new keys, in which an old"
        " secret takes the place of the certificate.",
    },
    "psk13": {
        3: "The key proves that the peer is one of those who hold it. Where more than two share it, each can"
        " play the other.",
    },
    "PSK": {
        4: "There is no forward secrecy: whoever learns the key, also years later, reads every recording.",
    },
    "ECDHE_PSK": {
        4: "The fresh keys give forward secrecy, the pre-shared one says who is there: without it somebody on"
        " the way could do the exchange with each of them.",
    },
    "resumed12": {
        6: "The master secret is the old one. Whoever finds it reads all sessions that were resumed with it.",
    },
}


def of(trace: Trace) -> Iterator[str]:
    """What makes this handshake special, a sentence each; nothing for a plain one."""
    reader = Reader(trace)
    found = crossings(trace, reader)
    names = {(one.sender, one.name) for one in found}
    yield from _retry(reader, found)
    yield from _early(trace, found)
    yield from _psk(trace, reader, found)
    yield from _session(trace)
    yield from _client_certificate(reader, found, names)
    if any(one.message is not None and one.message.type == T.compressed_certificate for one in found):
        yield "The certificate travelled compressed (RFC 8879)."
    if any(_is_raw_key(one) for one in found if one.sender == "server"):
        yield (
            "The server showed a raw public key (RFC 7250): no authority vouches for it, the client had to"
            " know it before."
        )
    updates = sum(one.message is not None and one.message.type == T.key_update for one in found)
    if updates:
        yield f"The keys were changed on the way, {updates} time{'s' if updates > 1 else ''} (KeyUpdate)."
    if any(one.bad for one in found):
        yield "It ended with a fatal alert."


def _is_raw_key(one: Crossing) -> bool:
    """Whether this message shows a key without a certificate around it."""
    if one.message is None or one.message.type not in CERTIFICATES:
        return False
    chain = chain_of(one.message)
    return bool(chain) and is_public_key(chain[0])


def _retry(reader: Reader, found: tuple[Crossing, ...]) -> Iterator[str]:
    retry = next((one for one in found if one.name == "HelloRetryRequest"), None)
    if retry is None or retry.message is None:
        return
    share = reader.extension(retry.message, X.key_share)
    cookie = X.cookie in retry.message.body.extensions
    if share is not None:
        yield (
            f"The client guessed wrong: the server wants a key of {NamedGroup.name_of(share.selected_group)},"
            " which was offered but not sent. That costs a round trip (HelloRetryRequest)."
        )
    if cookie:
        yield "The server kept nothing of the first hello: its cookie makes the client remember for it."


def _early(trace: Trace, found: tuple[Crossing, ...]) -> Iterator[str]:
    decision = trace.decision("early_data")
    early = [one for one in found if one.name == "early data"]
    if not early and decision is None:
        return
    taken = any(one.name == "EndOfEarlyData" for one in found)
    yield (
        "The client sent data before it had an answer (0-RTT)."
        + (" The server took it." if taken else " The server did not take it; it had to be sent again.")
        + " Early data has no protection against being sent twice, and none against a stolen ticket key."
    )


def _psk(trace: Trace, reader: Reader, found: tuple[Crossing, ...]) -> Iterator[str]:
    if reader.version != 0x0304 or trace.decision("psk") is None:
        return
    decision = trace.decision("psk")
    if decision is None or decision.fields["chosen"] is None:
        why = " ".join(
            f"Of key {index + 1} it says: {why}."
            for index, why in (decision.fields.get("refused") or () if decision is not None else ())
        )
        told = "The client offered a key from earlier; the server did not take it: this is a full handshake."
        yield f"{told} {why}".strip()
        return
    if trace.secret("shared_secret") is None:
        yield "No fresh key exchange took place (psk_ke): who learns the old key reads this connection."
    elif any(one.name == "EndOfEarlyData" for one in found):
        yield "A fresh key exchange took place beside the old key: that one opens the early data only."
    else:
        yield "A fresh key exchange took place beside the old key: stealing the old key later opens nothing."


def _session(trace: Trace) -> Iterator[str]:
    """TLS 1.2: a session that was not resumed."""
    decision = trace.decision("resumption")
    if decision is not None and not decision.fields["chosen"]:
        why = decision.fields["rule"]
        yield f"The client offered a session from earlier, and the server did not resume it: {why}."


def _client_certificate(
    reader: Reader, found: tuple[Crossing, ...], names: set[tuple[str, str]]
) -> Iterator[str]:
    if ("server", "CertificateRequest") not in names:
        return
    own = [
        one for one in found
        if one.sender == "client" and one.message is not None and one.message.type in CERTIFICATES
    ]  # fmt: skip
    if own and own[0].message is not None and chain_of(own[0].message):
        where = "encrypted" if own[0].sealed else "in clear, for everybody to read"
        yield f"The server asked who the client is, and the client showed a certificate, {where}."
    elif own:
        yield "The server asked who the client is, and the client showed no certificate."
    else:
        yield "The server asked who the client is."
