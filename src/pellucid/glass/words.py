"""The words of the nine steps, for each way in which TLS agrees on its keys.

RFC 5246 section 7.3 (static RSA), RFC 8422 section 2 (ECDHE), RFC 8446 section 2 (TLS 1.3). The
numbers are those of the handshake as it is taught, with static RSA. TLS 1.3 takes the same steps in
another order; `ORDER` is the order in time.
"""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """What a step is called, who takes it, and what it is for."""

    who: str
    title: str
    tells: str


class Change(NamedTuple):
    """How a step differs from the textbook's, and why."""

    then: str
    now: str
    why: str


#: What each way of agreeing on keys is called.
TITLES = {
    "RSA": "TLS 1.2 with static RSA key exchange",
    "ECDHE": "TLS 1.2 with ephemeral Diffie-Hellman (ECDHE)",
    "PSK": "TLS 1.2 with a pre-shared key",
    "ECDHE_PSK": "TLS 1.2 with ECDHE and a pre-shared key",
    "any": "TLS 1.3",
    "resumed12": "TLS 1.2, an earlier session resumed",
    "resumed13": "TLS 1.3, resumed with a pre-shared key",
    "psk13": "TLS 1.3 with a pre-shared key",
    "": "a handshake that ended early",
    "early12": "a handshake that ended early",
    "certificates": "certificates, without a handshake",
}

#: The steps in the order in which they happen.
ORDER = {
    "any": (1, 2, 4, 5, 6, 3, 8, 7, 9),
    "resumed13": (1, 2, 4, 5, 6, 3, 8, 7, 9),
    "psk13": (1, 2, 4, 5, 6, 3, 8, 7, 9),
    "resumed12": (1, 2, 6, 8, 7, 9),
    "certificates": (3,),
}
TAUGHT = (1, 2, 3, 4, 5, 6, 7, 8, 9)

_RSA = {
    1: Step("client", "Client Hello", "The client says what it can do, and adds a random number of its own."),
    2: Step(
        "server",
        "Server Hello",
        "The server chooses, adds its random number, and shows its certificate: its name and public key,"
        " signed by an authority.",
    ),
    3: Step(
        "client",
        "Certificate validation",
        "The client asks: is it signed by someone I trust, is it in date, is it for the name I wanted, may"
        " it be used for this?",
    ),
    4: Step(
        "client",
        "Pre-master secret",
        "The client invents a secret and encrypts it under the certificate's public key. Only the private"
        " key opens it.",
    ),
    5: Step(
        "server",
        "Decryption by the server",
        "The server opens it with its private key. A forged one is swapped for random bytes and fails only"
        " at step 7, so that nobody can learn anything by guessing.",
    ),
    6: Step(
        "both",
        "Session keys",
        "Both sides turn the pre-master secret and the two randoms into the same keys. No key crosses the"
        " wire.",
    ),
    7: Step(
        "client",
        "Client Finished",
        "The client switches to the keys and sends a checksum over every message so far. If anyone changed"
        " one byte, the server sees it here.",
    ),
    8: Step(
        "server", "Server Finished", "The server does the same the other way round. The channel is secure."
    ),
    9: Step(
        "both",
        "Secure communication",
        "Data travels under the session keys: the wire shows its length, and noise.",
    ),
}

_ECDHE = {
    **_RSA,
    2: Step(
        "server",
        "Server Hello",
        "The server chooses, shows its certificate, and sends a fresh public key, signed with the"
        " certificate's key.",
    ),
    3: Step(
        "client",
        "Certificate validation",
        "The client checks the certificate, and with it the signature over the server's fresh key.",
    ),
    4: Step(
        "client",
        "Key exchange",
        "The client sends a fresh public key of its own. The pre-master secret is what both keys make"
        " together; it is never sent.",
    ),
    5: Step(
        "server",
        "The server computes the same",
        "There is nothing to decrypt: the server's fresh private key and the client's public key make the"
        " same secret.",
    ),
}

_PSK = {
    **_RSA,
    2: Step(
        "server",
        "Server Hello",
        "The server chooses, and adds its random number. It shows no certificate: who holds the key that both"
        " agreed on before is believed.",
    ),
    4: Step(
        "client",
        "Which key",
        "The client says which of the keys that both agreed on before it means. The key itself stays where it"
        " is.",
    ),
    5: Step("server", "The same key", "The server has the key already. There is nothing to decrypt."),
    6: Step(
        "both",
        "Session keys",
        "Both sides turn the pre-shared key and the two randoms into the same keys. No key crosses the wire.",
    ),
}

_ECDHE_PSK = {
    **_PSK,
    2: Step(
        "server",
        "Server Hello",
        "The server chooses, and sends a fresh public key. It shows no certificate: who holds the key that"
        " both agreed on before is believed.",
    ),
    4: Step(
        "client",
        "Key exchange",
        "The client says which pre-shared key it means, and sends a fresh public key of its own. Both"
        " together make the pre-master secret; it is never sent.",
    ),
    5: _ECDHE[5],
    6: _RSA[6],
}

_TLS13 = {
    1: Step(
        "client",
        "Client Hello",
        "The client says what it can do, and already sends a fresh public key for the exchange it expects.",
    ),
    2: Step(
        "server",
        "Server Hello",
        "The server chooses and sends a fresh public key too. All that follows is encrypted.",
    ),
    3: Step(
        "client",
        "Certificate validation",
        "The certificate arrives encrypted, with a signature over the whole handshake: proof that the server"
        " holds its key.",
    ),
    4: Step(
        "both",
        "Key exchange",
        "Each side mixes its own private key with the other's public key. Both get the same secret; it is"
        " never sent.",
    ),
    5: Step(
        "server",
        "Nothing to decrypt",
        "The server computes the secret like the client. Its certificate's key only signs; it opens nothing.",
    ),
    6: Step(
        "both",
        "Session keys",
        "HKDF turns the shared secret and the messages so far into a key for each direction, one set for the"
        " handshake, another for data.",
    ),
    7: Step(
        "client",
        "Client Finished",
        "The client confirms what it saw with a checksum over every message, and may send data at once.",
    ),
    8: Step(
        "server",
        "Server Finished",
        "The server goes first now: its Finished comes right behind the certificate, in the same flight.",
    ),
    9: _RSA[9],
}

_RESUMED12 = {
    1: Step("client", "Client Hello", "The client offers to go on with an earlier session."),
    2: Step("server", "Server Hello", "The server remembers the session: no certificate, no key exchange."),
    6: Step("both", "Session keys", "The old master secret and two new randoms make new keys."),
    7: Step("client", "Client Finished", "The client answers with its checksum."),
    8: Step("server", "Server Finished", "The server's checksum comes first when a session is resumed."),
    9: _RSA[9],
}

_PSK13 = {
    **_TLS13,
    1: Step(
        "client",
        "Client Hello",
        "The client offers a key that both agreed on before, and a fresh public key.",
    ),
    2: Step("server", "Server Hello", "The server takes the pre-shared key: both already know each other."),
    3: Step(
        "client", "No certificate", "The pre-shared key proves who the server is. No certificate is sent."
    ),
    5: Step(
        "server",
        "Nothing to decrypt",
        "The server computes the secret like the client. Nothing was encrypted to a key that it keeps.",
    ),
    6: Step(
        "both",
        "Session keys",
        "HKDF turns the pre-shared key, the shared secret and the messages so far into a key for each"
        " direction, one set for the handshake, another for data.",
    ),
    8: Step(
        "server",
        "Server Finished",
        "The server goes first now: its Finished follows its hello, in the same flight. Only who holds the"
        " pre-shared key can make it.",
    ),
}

_RESUMED13 = {
    **_PSK13,
    1: Step(
        "client",
        "Client Hello",
        "The client offers a pre-shared key from an earlier connection, and a fresh public key.",
    ),
}

STEPS: dict[str, dict[int, Step]] = {
    "RSA": _RSA,
    "ECDHE": _ECDHE,
    "PSK": _PSK,
    "ECDHE_PSK": _ECDHE_PSK,
    "any": _TLS13,
    "resumed12": _RESUMED12,
    "resumed13": _RESUMED13,
    "psk13": _PSK13,
    "": _TLS13,
    "early12": _RSA,
    "certificates": {3: _RSA[3]},
}

_CHANGED_13 = {
    1: Change(
        "the client only asked, and waited a round trip to learn how keys would be agreed on",
        "its public key for the likeliest exchange travels with the first message",
        "one round trip less before data flows",
    ),
    2: Change(
        "the certificate followed in clear, for every router on the way to read",
        "the server's public key comes first, and everything behind it is encrypted",
        "who you visit and who they are is nobody else's business",
    ),
    3: Change(
        "that the server could decrypt (step 5) was the only proof that it held the certificate's key",
        "a signature over all messages so far (CertificateVerify) proves it, here and now",
        "a signature covers what was negotiated too, so nobody can weaken it unseen",
    ),
    4: Change(
        "the client chose the pre-master secret and sent it under the certificate's public key",
        "there is no pre-master secret: two fresh keys make the secret, and then are thrown away",
        "forward secrecy: who records today and steals the server's key next year still reads nothing",
    ),
    5: Change(
        "the server's long-lived private key decrypted every visitor's secret",
        "the private key of the certificate signs, and decrypts nothing",
        "twenty-five years of attacks asked a server how it decrypts (Bleichenbacher 1998, ROBOT 2017)",
    ),
    6: Change(
        "one PRF made one master secret and one block of keys from two randoms",
        "HKDF makes separate keys for handshake and data, bound to every message so far",
        "each key has one purpose, and two different handshakes can never share one",
    ),
    7: Change(
        "the client spoke first, and data had to wait for the server's answer",
        "the client's Finished comes last; its data may follow in the same packet",
        "the handshake costs one round trip, not two",
    ),
    8: Change(
        "the last word was the server's, and Finished was all that was encrypted",
        "it is sent before the client's, with the certificate, under the handshake keys",
        "the server needs nothing more from the client to prove itself",
    ),
    9: Change(
        "the record's header said what was inside: data, alert or handshake",
        "every record looks like data from outside, and padding may hide its length",
        "an observer learns less; and only ciphers that also detect every change are left",
    ),
}

_CHANGED_ECDHE = {
    2: Change(
        "the certificate's key was all the client needed",
        "a fresh public key comes along, signed with the certificate's key",
        "the certificate's key only signs from now on",
    ),
    4: _CHANGED_13[4]._replace(
        now="the pre-master secret is not sent: two fresh keys make it, and then are thrown away"
    ),
    5: _CHANGED_13[5],
}

#: How each way differs from static RSA as it is taught.
CHANGES: dict[str, dict[int, Change]] = {"any": _CHANGED_13, "ECDHE": _CHANGED_ECDHE}
