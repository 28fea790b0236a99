"""Name constraints: for which names an authority may issue. RFC 5280 section 4.2.1.10.

The verifier of `cryptography` judges these for every path that it accepts. This is the same rule
in Python, to say which name was out of bounds, and to judge the chains signed with Ed25519 and
Ed448 that the verifier does not take. Where the RFC leaves a doubt, the name is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from pellucid.errors import Reason
from pellucid.limits import MAX_NAME_CHECKS
from pellucid.trust.profile import Fault

_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_KINDS = {
    x509.DNSName: "host name",
    x509.IPAddress: "address",
    x509.RFC822Name: "e-mail address",
    x509.DirectoryName: "directory name",
    x509.UniformResourceIdentifier: "URI",
}


class Malformed(ValueError):
    """A name or a constraint that cannot be compared."""


def name_fault(
    certificates: Iterable[tuple[x509.Certificate, Iterable[x509.GeneralName]]],
    constraints: x509.NameConstraints,
) -> Fault | None:
    """The first name that an authority's constraints forbid, or None.

    Args:
        certificates: each certificate below the authority that constraints apply to (not the
            self-issued ones, RFC 5280 6.1.3 (b)), with the names of its subjectAltName.
        constraints: the authority's.
    """
    permitted = list(constraints.permitted_subtrees or ())
    excluded = list(constraints.excluded_subtrees or ())
    left = MAX_NAME_CHECKS
    try:
        for certificate, san in certificates:
            for name in _names(certificate, list(san)):
                left -= len(permitted) + len(excluded)
                if left < 0:
                    return Fault(
                        Reason.NAME_CONSTRAINTS, "there are too many names and constraints to compare"
                    )
                why = _why_not(name, permitted, excluded)
                if why:
                    return Fault(Reason.NAME_CONSTRAINTS, why)
    except Malformed as error:
        return Fault(Reason.NAME_CONSTRAINTS, f"{error} cannot be compared")
    return None


def _names(certificate: x509.Certificate, san: list[x509.GeneralName]) -> Iterator[x509.GeneralName]:
    yield from san
    if list(certificate.subject):
        yield x509.DirectoryName(certificate.subject)
    if not any(isinstance(name, x509.RFC822Name) for name in san):
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
            try:
                yield x509.RFC822Name(str(attribute.value))
            except ValueError:
                raise Malformed(f"the e-mail address {attribute.value!r}") from None


def _why_not(
    name: x509.GeneralName, permitted: list[x509.GeneralName], excluded: list[x509.GeneralName]
) -> str:
    kind = type(name)
    what = _KINDS.get(kind, "name")
    allowed = [each for each in permitted if type(each) is kind]
    denied = [each for each in excluded if type(each) is kind]
    if not allowed and not denied:
        return ""
    if kind not in _KINDS:
        raise Malformed("a name of a kind that is not known here")
    for each in denied:
        if _within(name, each, excluding=True):
            return f"the {what} {_text(name)} is excluded by {_text(each)}"
    if allowed and not any(_within(name, each, excluding=False) for each in allowed):
        return f"the {what} {_text(name)} is not in {', '.join(_text(each) for each in allowed[:5])}"
    return ""


def _within(name: Any, constraint: Any, *, excluding: bool) -> bool:
    value, bound = name.value, constraint.value
    match name:
        case x509.DNSName():
            return _host_within(_host(value), bound.lower(), excluding=excluding)
        case x509.IPAddress():
            if hasattr(value, "prefixlen") or not hasattr(bound, "prefixlen"):
                raise Malformed(f"the address {value}")
            return bool(value in bound)
        case x509.RFC822Name():
            return _mailbox_within(value, bound, excluding=excluding)
        case x509.DirectoryName():
            outer, inner = list(map(_rdn, bound.rdns)), list(map(_rdn, value.rdns))
            return inner[: len(outer)] == outer
    return _uri_within(value, bound, excluding=excluding)


def _host(value: str) -> str:
    """A presented name in lower case, if it is well formed; "*." may stand in front."""
    lower = value.lower()
    labels = lower.removeprefix("*.").split(".")
    if not all(labels) or any(set(label) - _HOST_CHARACTERS for label in labels):
        raise Malformed(f"the host name {value!r}")
    return lower


def _host_within(name: str, bound: str, *, excluding: bool) -> bool:
    """Zero or more labels may stand before the bound; a bound with a leading dot wants one or more."""
    if bound == "":
        return True
    bare = bound.removeprefix(".")
    if not all(bare.split(".")) or any(set(label) - _HOST_CHARACTERS for label in bare.split(".")):
        raise Malformed(f"the constraint {bound!r}")
    base = name.removeprefix("*.")
    if base.endswith("." + bare):
        return True
    if base == bare:
        # A wildcard's hosts all lie below its base; a plain name is the bound itself.
        return excluding or base != name or bare == bound
    # "*.test" may become "secret.test": it is excluded with it, but not permitted by it.
    return excluding and base != name and bare.endswith("." + base)


def _mailbox_within(value: str, bound: str, *, excluding: bool) -> bool:
    local, at, host = value.rpartition("@")
    if not at or not local or "@" in local:
        raise Malformed(f"the e-mail address {value!r}")
    if "@" in bound:
        bound_local, _, bound_host = bound.rpartition("@")
        if not bound_local or "@" in bound_local:
            raise Malformed(f"the constraint {bound!r}")
        same = local.lower() == bound_local.lower() if excluding else local == bound_local
        return same and host.lower() == bound_host.lower()
    if bound.startswith("."):
        return host.lower().endswith(bound.lower())
    return host.lower() == bound.lower()


def _uri_within(value: str, bound: str, *, excluding: bool) -> bool:
    try:
        host = urlsplit(value).hostname
    except ValueError:
        host = None
    if not host or ":" in host or host.rpartition(".")[2].isdigit():
        raise Malformed(f"the URI {value!r}")
    if bound.startswith("."):
        return host.endswith(bound.lower())
    return host == bound.lower()


def _rdn(rdn: x509.RelativeDistinguishedName) -> frozenset[tuple[str, str]]:
    """An RDN without regard to case and inner spaces (RFC 5280 7.1, roughly RFC 4518)."""
    return frozenset(
        (attribute.oid.dotted_string, " ".join(str(attribute.value).split()).casefold()) for attribute in rdn
    )


def _text(name: Any) -> str:
    value = name.value
    return repr(value.rfc4514_string() if isinstance(value, x509.Name) else str(value))
