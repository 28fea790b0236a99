"""Raw facts, put into words.

The core hands out what it has at hand, and nothing else: a tuple of a kind and of references to bytes,
numbers and objects that exist anyway. What a fact is called, how a secret was made from which others,
what was checked on a chain: all of that is said here, when somebody reads. `KINDS` lists what facts a
trace consists of; a raw fact either has the very fields of its kind, in that order, or is one of those
that `_TELLERS` knows how to tell.

RFC 8446 section 7.1 and RFC 5246 sections 6.3 and 8.1 for the words of the key schedules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pellucid.crypto.groups import GROUPS
from pellucid.crypto.schedule13 import TrafficSecret, derive_secret, resumption_psk
from pellucid.secret import Secret

Raw = tuple[Any, ...]
Fields = dict[str, Any]
Told = Iterator[tuple[str, Fields]]

#: The kinds of facts and their fields. A reader ignores fields and kinds that it does not know.
KINDS: dict[str, str] = {
    "record": "sent epoch content_type wire plaintext unopened size plain_size",
    "message": "sent epoch type raw",
    "alert": "sent level description",
    "ccs": "sent",
    "decision": "what offered acceptable chosen rule refused",
    "secret": "name value how inputs",
    "keys": "sent epoch suite key iv",
    "path": "certificates anchors",
    "check": "what passed detail certificate",
    "request": "what",
    "answer": "what",
    "state": "what",
    "error": "reason detail local alert",
    "config": "settings",
    "call": "what value size",
    "drawn": "what value",
}
NAMES = {kind: tuple(names.split()) for kind, names in KINDS.items()}

#: The kind of a raw fact that is in words already: ("told", kind, fields).
TOLD = "told"
#: Results that cross the wire anyway; the others that are drawn are secrets.
_PUBLIC = frozenset({"sign", "seal", "RSA encryption"})


def told(fact: Raw) -> Told:
    """A raw fact in words: its kind and its named fields. A chain's checks are many facts in one.

    >>> list(told(("state", "handshake complete")))
    [('state', {'what': 'handshake complete'})]
    >>> list(told(("message", True, 0, b"\\x14\\0\\0\\0")))
    [('message', {'sent': True, 'epoch': 0, 'type': 20, 'raw': b'\\x14\\x00\\x00\\x00'})]
    """
    kind = fact[0]
    teller = _TELLERS.get(kind)
    if teller is None:
        yield kind, dict(zip(NAMES[kind], fact[1:], strict=False))
    else:
        yield from teller(*fact[1:])


def _told(kind: str, fields: Fields) -> Told:
    yield kind, fields


def _message(sent: bool, epoch: int, raw: bytes) -> Told:
    yield "message", {"sent": sent, "epoch": epoch, "type": raw[0], "raw": raw}


def _decision(what: str, offered: Any, acceptable: Any, chosen: Any, rule: str, *refused: Any) -> Told:
    sides = {"offered": tuple(offered), "acceptable": tuple(acceptable)}
    told = {"what": what, **sides, "chosen": chosen, "rule": rule}
    yield "decision", told | ({"refused": refused[0]} if any(refused) else {})


def _keys(sent: bool, epoch: int, suite: int, key: bytes, iv: bytes) -> Told:
    yield "keys", {"sent": sent, "epoch": epoch, "suite": suite, "key": key, "iv": Secret(iv)}


def _traffic_keys(sent: bool, epoch: int, suite: Any, secret: Secret) -> Told:
    key, iv = TrafficSecret(suite.hash, secret).key_and_iv(suite.aead)
    return _keys(sent, epoch, suite.code, key, iv)


def _drawn(what: str, value: Any) -> Told:
    """What came from outside is a secret, unless everybody on the wire sees it."""
    if isinstance(value, bytes):
        value = value if what in _PUBLIC else Secret(value)
    elif what == "sessions":
        value = tuple(Secret(one.to_bytes()) for one in value)
    yield "drawn", {"what": what, "value": value}


# -- the key schedules -------------------------------------------------------------------------------


def _secret(name: str, value: bytes, how: str, inputs: Fields) -> Told:
    yield "secret", {"name": name, "value": value, "how": how, "inputs": inputs}


def _shared(value: bytes, group: int, *shares: Any) -> Told:
    return _secret(
        "shared_secret", value, GROUPS[group].name, dict(zip(shares[::2], shares[1::2], strict=True))
    )


def _early(value: bytes, hash: Any, psk: bytes | None) -> Told:
    zero = bytes(hash.length)
    return _secret("early_secret", value, "HKDF-Extract", {"salt": zero, "PSK": zero if psk is None else psk})


def _climbed(name: str, value: bytes, hash: Any, below: str, rung: bytes, given: str, secret: bytes) -> Told:
    how = 'HKDF-Extract, salt = Derive-Secret(., "derived", "")'
    salt = derive_secret(hash, rung, b"derived", hash.empty)
    return _secret(name, value, how, {below: salt, given: secret})


def _derived(name: str, value: bytes, label: bytes, rung: str, secret: bytes, transcript: bytes) -> Told:
    how = f'Derive-Secret(., "{label.decode()}", messages)'
    return _secret(name, value, how, {rung: secret, "transcript_hash": transcript})


def _derived_all(wanted: Any, values: Any, rung: str, secret: bytes, transcript: bytes) -> Told:
    for (name, label), value in zip(wanted, values, strict=True):
        yield from _derived(name, value, label, rung, secret, transcript)


def _updated(side: str, number: int, value: bytes, old: bytes) -> Told:
    name = f"{side}_application_traffic_secret_"
    how = 'HKDF-Expand-Label(., "traffic upd", "")'
    return _secret(f"{name}{number}", value, how, {f"{name}{number - 1}": old})


def _ticket_key(value: bytes, resumption: bytes, nonce: bytes) -> Told:
    how = 'HKDF-Expand-Label(., "resumption", ticket_nonce)'
    inputs = {"resumption_master_secret": resumption, "ticket_nonce": nonce}
    return _secret("resumption_psk", Secret(value), how, inputs)


def _ticket(hash: Any, resumption: Secret, nonce: bytes) -> Told:
    """A client's key for a ticket, which is not made before somebody uses it."""
    return _ticket_key(resumption_psk(hash, resumption, nonce), resumption, nonce)


def _pre_master(value: bytes, exchange: str) -> Told:
    return _secret("pre_master_secret", value, exchange, {})


def _master(value: bytes, pre_master: bytes, randoms: bytes, session_hash: bytes | None) -> Told:
    if session_hash is None:
        label, seeds = "master secret", {"client_random": randoms[:32], "server_random": randoms[32:]}
    else:
        label, seeds = "extended master secret", {"session_hash": session_hash}
    return _secret(
        "master_secret", value, f'PRF(., "{label}", .)', {"pre_master_secret": pre_master, **seeds}
    )


def _key_block(value: bytes, master: bytes, randoms: bytes) -> Told:
    inputs = {"master_secret": master, "server_random": randoms[32:], "client_random": randoms[:32]}
    return _secret("key_block", value, 'PRF(., "key expansion", .)', inputs)


# -- trust -------------------------------------------------------------------------------------------


def _chain(report: Any) -> Told:
    """A chain that was believed: its checks are made and worded now."""
    return _judged(report(), report.path, report.path[-1:])


def _judged(checks: Any, path: Any, anchors: Any) -> Told:
    from cryptography.hazmat.primitives.serialization import Encoding

    if path:
        ders = [tuple(one.public_bytes(Encoding.DER) for one in each) for each in (path, anchors)]
        yield "path", {"certificates": ders[0], "anchors": ders[1]}
    for check in checks:
        yield "check", {name: getattr(check, name) for name in NAMES["check"]}


_TELLERS: dict[str, Callable[..., Told]] = {
    TOLD: _told,
    "message": _message,
    "decision": _decision,
    "keys": _keys,
    "traffic keys": _traffic_keys,
    "drawn": _drawn,
    "shared secret": _shared,
    "early secret": _early,
    "next rung": _climbed,
    "derived": _derived,
    "derived together": _derived_all,
    "updated secret": _updated,
    "ticket key": _ticket_key,
    "ticket": _ticket,
    "pre-master secret": _pre_master,
    "master secret": _master,
    "key block": _key_block,
    "chain": _chain,
    "judged": _judged,
}

__all__ = ["KINDS", "NAMES", "TOLD", "Fields", "Raw", "Told", "told"]
