"""The methods of `ssl.SSLContext` that pellucid takes over. No RFC: the interface is CPython's.

`Overrides` is written once and used twice: as the base of `pellucid.compat.ssl.SSLContext`, and as
the methods that `install()` puts on the standard class itself. Each calls the native method first,
so that whatever was an error stays the same error, and then notes what the native context would not
give back. `_wrap_socket` and `_wrap_bio` are the seam: their forms have been the same since Python
3.7, and `tests/compat/test_canary.py` holds each interpreter to them.
"""

from __future__ import annotations

import os
import ssl
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pellucid.compat.ciphers import group_names, known_suites, select_groups, select_schemes, select_suites
from pellucid.compat.ends import BioEnd, SocketEnd
from pellucid.compat.failures import plain
from pellucid.compat.judgement import Anchors, joined
from pellucid.compat.settings import NATIVE, parse, read_file, settings_of
from pellucid.errors import UsageError
from pellucid.reload import CertificateFiles
from pellucid.trust.identity import Identity
from pellucid.trust.loading import read

CONTEXTS: weakref.WeakSet[Any] = weakref.WeakSet()
"""The contexts that are pellucid's: `uninstall()` gives them back whole."""

_standard_new = ssl.SSLContext.__new__

Password = str | bytes | bytearray | Callable[[], str | bytes | bytearray] | None


class Overrides:
    """What a context of pellucid does in its own way; see `ssl.SSLContext` for what each is for."""

    def __new__(cls, *args: Any, **more: Any) -> Any:
        """A context that is pellucid's from its first moment."""
        context = _standard_new(cls, *args, **more)  # type: ignore[type-var]
        settings_of(context)
        CONTEXTS.add(context)
        return context

    def _wrap_socket(
        self,
        sock: Any,
        server_side: bool = False,
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> Any:
        if server_side and is_unreadable(self):
            return NATIVE._wrap_socket(self, sock, True, server_hostname, owner=owner, session=session)
        return SocketEnd(self, sock, server_side, server_hostname, owner=owner, session=session)

    def _wrap_bio(
        self,
        incoming: Any,
        outgoing: Any,
        server_side: bool = False,
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> Any:
        if server_side and is_unreadable(self):
            return NATIVE._wrap_bio(
                self, incoming, outgoing, True, server_hostname, owner=owner, session=session
            )
        return BioEnd(self, incoming, outgoing, server_side, server_hostname, owner=owner, session=session)

    # -- certificates ----------------------------------------------------------------------------

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Password = None) -> None:
        """The certificate to show, and its key: files in PEM.

        Raises:
            ssl.SSLError, OSError: as the standard method; and for a key that TLS 1.2 and 1.3 cannot use.
        """
        given: list[Any] = []

        ask = password if callable(password) else None

        def remember() -> Any:
            given.append(ask() if ask is not None else None)
            return given[-1]

        NATIVE.load_cert_chain(self, certfile, keyfile, password if ask is None else remember)
        secret = given[-1] if given else None if ask is not None else password
        if isinstance(secret, bytearray):
            secret = bytes(secret)
        try:
            identity = load_identity(certfile, keyfile, secret)
        except UsageError as error:
            raise plain(f"[SSL] pellucid cannot use this key: {error}", "PEM_LIB") from error
        settings_of(self).add_identity(identity)

    def use_identity(self, identity: Identity | CertificateFiles) -> None:
        """Show this certificate: the key may be in memory, or with a signer that never shows it.

        Parameters:
            identity: it; or files, and then each new connection shows what is in them at that moment.
        """
        settings = settings_of(self)
        if isinstance(identity, CertificateFiles):
            settings.files[identity] = None
            settings.renew()
        else:
            settings.add_identity(identity)

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """Trust these certificates: a PEM file, a folder of `c_rehash`, PEM text or DER bytes."""
        settings = settings_of(self)
        if capath is None and (found := plainly_certificates(cafile, cadata)):
            settings.anchors = joined(settings.anchors, found)
            settings.deferred += found
            settings.changed()
            return
        NATIVE.load_verify_locations(self, cafile, capath, cadata)
        if cafile is not None:
            certificates, lists = read_file(os.fsdecode(cafile))
            settings.anchors = joined(settings.anchors, certificates)
            settings.crls.update(lists)
        if capath is not None:
            settings.folders.append(os.fsdecode(capath))
        if cadata is not None:
            data = cadata.encode("ascii") if isinstance(cadata, str) else bytes(cadata)
            settings.anchors = joined(settings.anchors, parse(data)[0])
        settings.changed()

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """The trusted authorities, as dictionaries or DER."""
        give_deferred(self)
        return list(NATIVE.get_ca_certs(self, binary_form))

    def cert_store_stats(self) -> dict[str, int]:
        """How many certificates and revocation lists there are."""
        give_deferred(self)
        return dict(NATIVE.cert_store_stats(self))

    def set_default_verify_paths(self) -> None:
        """Trust the authorities of the system.

        OpenSSL, which would read all of them for each context (some 40 ms), is not asked to before somebody
        lists them.
        """
        settings = settings_of(self)
        settings.defaults = settings.defaults_deferred = True
        settings.changed()

    # -- what may be negotiated ------------------------------------------------------------------

    def set_ciphers(self, ciphers: str) -> None:
        """The suites of TLS 1.2, in OpenSSL's cipher string language.

        Raises:
            ssl.SSLError: none can be selected, or none of them is spoken by pellucid.
        """
        before = [each["name"] for each in NATIVE.get_ciphers(self)]
        NATIVE.set_ciphers(self, ciphers)
        selected = NATIVE.get_ciphers(self)
        known = known_suites()
        named = [each["id"] & 0xFFFF for each in selected if each["protocol"] != "TLSv1.3"]
        if named and not any(code in known for code in named):
            NATIVE.set_ciphers(self, ":".join(before))
            raise ssl.SSLError("No cipher can be selected: pellucid speaks none of these.")
        settings = settings_of(self)
        settings.ciphers_named = True
        settings.changed()

    def get_ciphers(self) -> list[dict[str, Any]]:
        """The suites that may be negotiated, best first, described as the standard method does."""
        from pellucid.compat.settings import policy_of

        try:
            usable = policy_of(self, settings_of(self)).suites
        except UsageError:
            return []
        native = {each["id"] & 0xFFFF: each for each in NATIVE.get_ciphers(self)}
        return [native[code] for code in usable if code in native]

    def set_ciphersuites(self, ciphersuites: str) -> None:
        """The suites of TLS 1.3, by name, with colons between (3.15)."""
        settings = settings_of(self)
        settings.suites13 = select_suites(ciphersuites)
        settings.changed()

    def _set_alpn_protocols(self, protocols: bytes) -> None:
        NATIVE._set_alpn_protocols(self, protocols)
        data, names = bytes(protocols), []
        while data:
            names.append(data[1 : 1 + data[0]].decode("latin-1"))
            data = data[1 + data[0] :]
        settings = settings_of(self)
        settings.alpn = tuple(names)
        settings.changed()

    def set_ecdh_curve(self, name: str | bytes) -> None:
        """The one group for the key exchange."""
        NATIVE.set_ecdh_curve(self, name)
        text = name.decode("ascii") if isinstance(name, bytes) else name
        settings = settings_of(self)
        try:
            settings.groups = select_groups(text)
        except ssl.SSLError as error:
            raise ValueError(f"pellucid does not speak the curve {name!r}") from error
        settings.changed()

    def set_groups(self, groups: str) -> None:
        """The groups for the key exchange, best first, with colons between (3.15)."""
        settings = settings_of(self)
        settings.groups = select_groups(groups)
        settings.changed()

    def get_groups(self, *, include_aliases: bool = False) -> list[str]:
        """The groups that are spoken here, by name (3.15)."""
        return group_names(include_aliases=include_aliases)

    def set_server_sigalgs(self, sigalgs: str) -> None:
        """The signature algorithms of the handshake, best first, with colons between (3.15)."""
        settings = settings_of(self)
        settings.schemes = select_schemes(sigalgs)
        settings.changed()

    def set_client_sigalgs(self, sigalgs: str) -> None:
        """The signature algorithms that a client signs with (3.15).

        Raises:
            NotImplementedError: on a server's context: there it is `set_server_sigalgs` for both.
        """
        if getattr(self, "protocol", None) == ssl.PROTOCOL_TLS_SERVER:
            raise NotImplementedError("pellucid's servers have one list: use set_server_sigalgs")
        settings = settings_of(self)
        settings.client_schemes = select_schemes(sigalgs)
        settings.changed()

    def load_dh_params(self, path: Any) -> None:
        """Finite-field Diffie-Hellman of TLS 1.2 is not spoken here (RFC 9325 section 4.1).

        Raises:
            ssl.SSLError, OSError: as the standard method, for what is no file of parameters.
            NotImplementedError: always, otherwise.
        """
        NATIVE.load_dh_params(self, path)
        raise NotImplementedError("pellucid has no finite-field Diffie-Hellman; its groups are elliptic")

    # -- pre-shared keys -------------------------------------------------------------------------

    def set_psk_client_callback(self, callback: Any) -> None:
        """`callback(hint)` gives `(identity, key)`; the hint is None (3.13)."""
        self._set_psk(callback, client=True)

    def set_psk_server_callback(self, callback: Any, identity_hint: str | None = None) -> None:
        """`callback(identity)` gives the key; `identity_hint` is shown to TLS 1.2 clients (3.13)."""
        settings = settings_of(self)
        self._set_psk(callback, client=False)
        settings.psk_hint = (identity_hint or "").encode()

    def _set_psk(self, callback: Any, *, client: bool) -> None:
        wrong = ssl.PROTOCOL_TLS_SERVER if client else ssl.PROTOCOL_TLS_CLIENT
        if getattr(self, "protocol", None) == wrong:
            side, kind = ("client", "SERVER") if client else ("server", "CLIENT")
            raise plain(f"Cannot add PSK {side} callback to a PROTOCOL_TLS_{kind} context", number=0)
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable")
        settings = settings_of(self)
        if client:
            settings.psk_client = callback
        else:
            settings.psk_server = callback
        settings.changed()

    # -- looking ---------------------------------------------------------------------------------

    def session_stats(self) -> dict[str, int]:
        """How many connections were made, accepted, resumed."""
        return dict(settings_of(self).statistics)


def plainly_certificates(cafile: Any, cadata: Any) -> Anchors:
    """The certificates, if both arguments hold nothing but certificates that can be read.

    OpenSSL takes ten times as long over a bundle of roots as `cryptography`, so it gets them only when
    somebody asks the native context for them. Whatever is out of the ordinary it is given at once.
    """
    nothing = Anchors()
    parts = []
    try:
        if cafile is not None:
            data = Path(os.fsdecode(cafile)).read_bytes()
            if b"X509 CRL-" in data or b"BEGIN TRUSTED" in data:
                return nothing
            parts.append(read_file(os.fsdecode(cafile))[0])
            if not parts[0] or len(parts[0]) != data.count(b"-----BEGIN CERTIFICATE-----"):
                return nothing
        if cadata is not None:
            data = cadata.encode("ascii") if isinstance(cadata, str) else bytes(cadata)
            given = parse(data)[0]
            count = data.count(b"-----BEGIN CERTIFICATE-----")
            whole = len(given) == count if count else sum(map(_size, given)) == len(data)
            if not given or not whole or isinstance(cadata, str) is not bool(count):
                return nothing
            parts.append(given)
    except (OSError, ValueError, TypeError):
        return nothing
    return joined(*parts)


def _size(certificate: x509.Certificate) -> int:
    return len(certificate.public_bytes(Encoding.DER))


def give_deferred(context: Any) -> None:
    """Let the native context have the certificates that were kept from it."""
    settings = settings_of(context)
    waiting, settings.deferred = settings.deferred, []
    if waiting:
        data = b"".join(each.public_bytes(Encoding.DER) for each in waiting)
        NATIVE.load_verify_locations(context, None, None, data)
    if settings.defaults_deferred:
        settings.defaults_deferred = False
        NATIVE.set_default_verify_paths(context)


def is_unreadable(context: Any) -> bool:
    """Whether a context is older than `install()`: the keys that it was given cannot be read back."""
    return "_pellucid" not in context.__dict__


def load_identity(certfile: Any, keyfile: Any, password: Any) -> Identity:
    """The identity of two PEM files. A password that is not needed does not disturb, as in OpenSSL."""
    certificate = read(os.fsdecode(certfile), "certificate")
    key = certificate if keyfile is None else read(os.fsdecode(keyfile), "key")
    try:
        return Identity.from_pem(certificate, key, password or None)
    except UsageError:
        if not password:
            raise
        return Identity.from_pem(certificate, key)
