"""Why each of the nine steps is needed, and what somebody on the wire sees of it.

RFC 5246 section 7.3 and appendix F; RFC 8446 section 2 and appendix E; RFC 7258 (somebody does look).
The keys of the tables are those of `words`: the way in which the keys were agreed on, and the step.
"""

from __future__ import annotations

_WHY = {
    1: "The two have never met: somebody has to say first what is possible. The random number makes this"
    " conversation unlike any recorded one.",
    2: "Both must do the same, and somebody must have the last word. The server's random number protects it"
    " from a client that repeats an old conversation.",
    3: "Encryption to the wrong person is worthless. Without this step anybody on the way could answer in"
    " the server's name.",
    4: "Two who can be overheard need a secret. Public-key cryptography makes one where there was none.",
    5: "Both ends now hold the same secret, and only they.",
    6: "One secret is not enough: each direction needs a key of its own, and each key one purpose.",
    7: "Until here somebody on the way could have changed what the two said to each other (a weaker suite,"
    " say). The checksum covers every message, under the new keys.",
    8: "The same in the other direction: now each knows that the other saw the same conversation.",
    9: "This is what it was all for. Each record is encrypted and authenticated, and numbered, so that none"
    " can be read, changed, repeated or left out.",
}
_WHY13 = {
    **_WHY,
    1: "The two have never met: somebody has to say first what is possible. The fresh public key is sent on"
    " the guess that the server will take it, and saves a round trip.",
    5: "Both ends now hold the same secret, and only they. Nothing in it can be computed again later: the"
    " private keys are thrown away.",
    7: _WHY[8],
    8: _WHY[7],  # the server's comes first
}
_WHY_PSK = {
    **_WHY,
    1: "Somebody has to say first what is possible. The random number makes this conversation unlike any"
    " recorded one.",
    4: "Both have the secret already; the server must know which one is meant.",
    5: "Both hold the same secret, and only they: that is also the proof of who they are.",
}
_WHY_BESIDE = (
    "The key from before would do. A fresh one beside it keeps this connection closed even if the old key is"
    " stolen later."
)
_WHY_PSK13 = {
    **_WHY13,
    1: "Both have agreed on a key before. The client shows that it holds it (the binder), and sends a fresh"
    " public key along, so that the old key alone opens nothing.",
    2: "Both must do the same, and somebody must have the last word: the server says which key it takes.",
    3: "Only the server that the key was agreed on with can hold it.",
    4: _WHY_BESIDE,
}
_WHY_RESUMED = {
    **_WHY13,
    1: "The two have met before. What they know from then need not be proven again.",
    2: "Both have met before. Taking up what they know saves the certificates, and with TLS 1.2 the whole"
    " key exchange.",
    3: "Only the server that issued the ticket can open it, and so have the key.",
    4: _WHY_BESIDE,
}
WHY: dict[str, dict[int, str]] = {
    "RSA": _WHY,
    "ECDHE": _WHY,
    "PSK": _WHY_PSK,
    "ECDHE_PSK": {**_WHY_PSK, 4: _WHY[4], 5: _WHY[5]},
    "any": _WHY13,
    "resumed12": _WHY_RESUMED,
    "resumed13": _WHY_RESUMED,
    "psk13": _WHY_PSK13,
    "": _WHY13,
    "early12": _WHY,
    "certificates": {3: _WHY[3]},
}

_SEES = {
    1: "Everything: the server's name, all that the client can do, its random number. From the order of it"
    " alone one can tell which program this is.",
    2: "Everything: what was chosen, and the whole certificate.",
    3: "Nothing: the client thinks. But who looks on has the same certificate, and could check it too.",
    4: "The encrypted secret: 256 bytes for an RSA key of 2048 bits. Today it is noise. With the server's"
    " private key it opens, also years later.",
    5: "Nothing.",
    6: "Nothing: no key crosses the wire.",
    7: "That the client changes to encryption, and some 40 bytes of noise.",
    8: "The same from the server.",
    9: "How much is said, when, and by whom. Not what.",
}
_SEES_ECDHE = {
    **_SEES,
    2: "Everything: what was chosen, the whole certificate, the server's fresh public key and its signature.",
    4: "The client's fresh public key. To compute the secret one would need a private key of either side, and"
    " neither was sent or kept.",
}
_SEES_PSK = {
    **_SEES,
    2: "Everything: what was chosen.",
    4: "The name of the key, in clear.",
}
_SEES13 = {
    1: "Everything in it: the server's name, all that the client can do, its fresh public key. From the order"
    " of it alone one can tell which program this is.",
    2: "What was chosen, and the server's fresh public key. All that follows is encrypted.",
    3: "Records of noise. Their length may hint at the certificate's size; its names are out of sight.",
    4: "The public keys (with ML-KEM also a secret, encapsulated to one of them). To compute the shared"
    " secret one would need a private key of either side, and neither was sent or kept.",
    5: "Nothing.",
    6: "Nothing: no key crosses the wire.",
    7: "A record of noise. Whether it holds a Finished, a certificate or data does not show.",
    8: "Nothing of its own: it is in the same noise as the certificate.",
    9: "How much is said, when, and by whom. Not what.",
}
_SEES_RESUMED12 = {
    **_SEES,
    1: "Everything: the server's name, and the ticket or session id. Whoever saw it issued knows that it is"
    " the same client again.",
    2: "That the session was resumed.",
    7: "The same from the client.",
    8: "That the server changes to encryption, and some 40 bytes of noise.",
}
_SEES_RESUMED13 = {
    **_SEES13,
    1: "The server's name, the fresh public key, and the ticket: noise to all but the server. It was issued"
    " under encryption, so that nobody can link the two visits if it is used once.",
    3: "Nothing: no certificate is sent.",
    8: "A record of noise, behind the server's hello.",
}
_SEES_PSK13 = {
    **_SEES_RESUMED13,
    1: "The server's name, the fresh public key, and the name of the pre-shared key, in clear: whoever sees"
    " it again knows that it is the same client, or one of those that share the key.",
}
SEES: dict[str, dict[int, str]] = {
    "RSA": _SEES,
    "ECDHE": _SEES_ECDHE,
    "PSK": _SEES_PSK,
    "ECDHE_PSK": {
        **_SEES_ECDHE,
        2: "Everything: what was chosen, and the server's fresh public key.",
        4: "The name of the pre-shared key, in clear, and the client's fresh public key.",
    },
    "any": _SEES13,
    "resumed12": _SEES_RESUMED12,
    "resumed13": _SEES_RESUMED13,
    "psk13": _SEES_PSK13,
    "": _SEES13,
    "early12": _SEES,
    "certificates": {
        3: "The certificates, where they travel in clear, as in TLS 1.2. TLS 1.3 encrypts them."
    },
}
