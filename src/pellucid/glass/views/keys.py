"""The keys: the schedule as a tree, from the shared secret to each key that protected a record.

RFC 8446 section 7.1 (HKDF), RFC 5246 sections 5, 6.3 and 8.1 (the PRF), RFC 7627 section 4. Nothing is
computed here: each secret is one that the connection noted when it made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.glass.crossings import OTHER
from pellucid.glass.decode import Reader, version_name
from pellucid.glass.trace import Fact, Hidden, Trace
from pellucid.secret import Secret
from pellucid.wire.codepoints import CipherSuite


@dataclass(frozen=True, slots=True)
class Input:
    """What went into a key. `of` is the id of the key that it is, or ""."""

    name: str
    value: Any
    of: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret of the schedule, and what was made from it.

    Attributes:
        id: unique in the view: "k3".
        name: the RFC's name, in words: "client handshake traffic secret".
        value: a `Secret`, or `Hidden` where the trace does not hold it.
        other: the same secret as the other end noted it; None without its trace.
        how: the formula: 'HKDF-Extract(salt, PSK)'.
        inputs: what went into it.
        about: what it is for, a sentence.
        section: where the RFC defines it.
        used: "client" or "server" for a key that protects that side's records, else "".
        epoch: the epoch of such a key; 0 otherwise.
        children: what was made from it.
    """

    id: str
    name: str
    value: Any
    other: Any
    how: str
    inputs: tuple[Input, ...]
    about: str
    section: str
    used: str = ""
    epoch: int = 0
    children: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class KeysView:
    """The key schedule. `roots` is usually one; `about` says in a sentence how this version goes about it."""

    version: str
    suite: str
    about: str
    roots: tuple[Key, ...]


_ABOUT13 = (
    "HKDF climbs three rungs (early, handshake, master). Each takes in one more secret, and each traffic"
    " secret that is derived from a rung is bound to every message up to that point."
)
_ABOUT = {
    "RSA": "The client invented the pre-master secret and sent it under the certificate's public key: all"
    " keys hang on that one key of the server.",
    "ECDHE": "Two fresh key pairs made the pre-master secret; it never crossed the wire.",
    "PSK": "The pre-master secret is the pre-shared key itself: who learns it reads everything.",
    "ECDHE_PSK": "The pre-master secret is made from two fresh key pairs and the pre-shared key.",
}

#: name: (parent, RFC section, what it is for).
_PLACES: dict[str, tuple[str, str, str]] = {
    "shared_secret": ("", "RFC 8446 7.4", "What both private keys make with the other's public key."),
    "early_secret": ("", "RFC 8446 7.1", "The first rung: a pre-shared key, or zeros where there is none."),
    "binder_key": ("early_secret", "RFC 8446 4.2.11.2", "Proves in the ClientHello that the key is known."),
    "client_early_traffic_secret": ("early_secret", "RFC 8446 7.1", "Protects 0-RTT data."),
    "early_exporter_master_secret": ("early_secret", "RFC 8446 7.5", "Keys for other protocols, early."),
    "handshake_secret": (
        "early_secret", "RFC 8446 7.1", "The second rung: the fresh shared secret comes in.",
    ),
    "client_handshake_traffic_secret": (
        "handshake_secret", "RFC 8446 7.1", "Protects the client's part of the handshake.",
    ),
    "server_handshake_traffic_secret": (
        "handshake_secret", "RFC 8446 7.1", "Protects the server's part: the certificate is out of sight.",
    ),
    "master_secret": ("handshake_secret", "RFC 8446 7.1", "The third rung: for everything after Finished."),
    "exporter_master_secret": ("master_secret", "RFC 8446 7.5", "Keys for other protocols."),
    "resumption_master_secret": ("master_secret", "RFC 8446 7.1", "Pre-shared keys for later connections."),
    "pre_master_secret": ("", "RFC 5246 8.1", "The secret that both ends share first."),
    "key_block": ("master_secret", "RFC 5246 6.3", "Cut into the keys and IVs of both directions."),
    "resumption_psk": ("resumption_master_secret", "RFC 8446 4.6.1", "The pre-shared key of a ticket."),
    "verify_data": ("master_secret", "RFC 5246 7.4.9", "What Finished says."),
}  # fmt: skip
_APPLICATION = ("master_secret", "RFC 8446 7.1", "Protects data.")
_UPDATED = "RFC 8446 7.2"


def build(trace: Trace, other: Trace | None = None, key: Any = None) -> KeysView:
    """The tree of every secret that the connection made, in the order in which it made them."""
    reader = Reader(trace)
    return _Tree(trace, other, reader).view()


@dataclass(slots=True)
class _Growing:
    """A key while its children are still being found."""

    id: str
    name: str
    fact: Fact
    label: str
    about: str
    section: str
    used: str
    epoch: int
    children: list[_Growing]


class _Tree:
    def __init__(self, trace: Trace, other: Trace | None, reader: Reader) -> None:
        self.trace = trace
        self.other = other
        self.reader = reader
        self.tls13 = reader.version == 0x0304 or not reader.version
        self.grown: dict[str, _Growing] = {}
        self.ids: dict[bytes, str] = {}
        self.roots: list[_Growing] = []
        self.twice: set[str] = set()
        self.count = 0

    def view(self) -> KeysView:
        for fact in self.trace.of("secret", "keys"):
            if fact.kind == "secret":
                self._secret(fact)
            else:
                self._keys(fact)
        version = version_name(self.reader.version) if self.reader.version else ""
        suite = CipherSuite.name_of(self.reader.suite) if self.reader.suite else ""
        about = _ABOUT13 if self.tls13 else _ABOUT.get(self.reader.key_exchange, "")
        if not self.tls13 and "pre_master_secret" not in self.grown:
            about = "The master secret is the earlier session's; only the keys are new."
        return KeysView(version, suite, about if self.roots else "", tuple(map(self._done, self.roots)))

    def _secret(self, fact: Fact) -> None:
        name = str(fact.fields["name"])
        known = self.grown.get(name)
        if known is not None and known.fact.fields["value"] == fact.fields["value"]:
            return  # made once more, for another purpose
        if known is not None:
            self.twice.add(name)
        parent, section, about = self._place(name)
        self._grow(fact, name, name.replace("_", " "), parent, section, about)

    def _place(self, name: str) -> tuple[str, str, str]:
        if "_application_traffic_secret_" in name:
            stem, _, number = name.rpartition("_")
            if number != "0":
                return f"{stem}_{int(number) - 1}", _UPDATED, "Protects data after a KeyUpdate."
            return _APPLICATION
        parent, section, about = _PLACES.get(name, ("", "", ""))
        if not self.tls13 and name == "master_secret":
            return "pre_master_secret", "RFC 5246 8.1", "48 bytes from which all keys of the session come."
        if name == "handshake_secret" and "shared_secret" in self.grown and not self._psk():
            parent = "shared_secret"  # without a PSK the first rung is a constant: the story begins here
        return parent, section, about

    def _psk(self) -> bool:
        early = self.grown.get("early_secret")
        psk = early.fact.fields["inputs"].get("PSK") if early is not None else None
        return isinstance(psk, Secret | Hidden) or bool(psk and any(psk))

    def _grow(
        self, fact: Fact, name: str, label: str, parent: str, section: str, about: str,
        used: str = "", epoch: int = 0,
    ) -> None:  # fmt: skip
        grown = _Growing(f"k{self.count}", name, fact, label, about, section, used, epoch, [])
        self.count += 1
        above = self.grown.get(parent)
        (above.children if above is not None else self.roots).append(grown)
        self.grown[name] = grown
        value = fact.fields.get("value")
        if isinstance(value, bytes):
            self.ids.setdefault(bytes(memoryview(value)), grown.id)

    def _keys(self, fact: Fact) -> None:
        """A key and IV that protect one side's records."""
        fields = fact.fields
        sender = self.trace.role if fields["sent"] else OTHER[self.trace.role]
        epoch = fields["epoch"]
        parent = self._traffic(sender, epoch)
        how = 'HKDF-Expand-Label(., "{}", "")' if self.tls13 else "cut from the key block"
        section = "RFC 8446 7.3" if self.tls13 else "RFC 5246 6.3"
        for part, about in (
            ("key", f"Encrypts and authenticates the {sender}'s records."),
            ("iv", "Mixed with each record's number, so that no two records are sealed alike."),
        ):
            made = Fact(fact.at, "secret", {"value": fields[part], "how": how.format(part), "inputs": {}})
            label = f"{sender} write {'IV' if part == 'iv' else 'key'}"
            self._grow(made, f"{label} {epoch}", label, parent, section, about, sender, epoch)

    def _traffic(self, sender: str, epoch: int) -> str:
        """The secret that the keys of an epoch come from."""
        if not self.tls13:
            return "key_block"
        if epoch >= 3:
            return f"{sender}_application_traffic_secret_{epoch - 3}"
        return "client_early_traffic_secret" if epoch == 1 else f"{sender}_handshake_traffic_secret"

    # -- finished --------------------------------------------------------------------------------------

    def _done(self, grown: _Growing) -> Key:
        fields = grown.fact.fields
        inputs = tuple(
            Input(name.replace("_", " "), value, self._of(value, grown))
            for name, value in fields.get("inputs", {}).items()
        )
        return Key(
            grown.id, grown.label, _hold(fields["value"]), self._theirs(grown), str(fields.get("how", "")),
            inputs, grown.about, grown.section, grown.used, grown.epoch,
            tuple(map(self._done, grown.children)),
        )  # fmt: skip

    def _of(self, value: Any, grown: _Growing) -> str:
        found = self.ids.get(bytes(memoryview(value)), "") if isinstance(value, bytes) else ""
        return found if found != grown.id else ""

    def _theirs(self, grown: _Growing) -> Any:
        """The same secret, as the other end noted it."""
        if self.other is None:
            return None
        if not grown.used:
            made = [
                one.fields["value"] for one in self.other.of("secret") if one.fields["name"] == grown.name
            ]
            same = [value for value in made if value == grown.fact.fields["value"]]
            if not same and grown.name in self.twice:
                return None  # one of several tries, and not one that the other end made
            return _hold((same or made)[-1]) if made else None
        part = "iv" if grown.label.endswith("IV") else "key"
        sent = self.other.role == grown.used
        for fact in self.other.of("keys"):
            if fact.fields["sent"] is sent and fact.fields["epoch"] == grown.epoch:
                return _hold(fact.fields[part])
        return None


def _hold(value: Any) -> Any:
    """An IV may be plain bytes: it is handled like a key."""
    return Secret(value) if isinstance(value, bytes) and not isinstance(value, Secret) else value
