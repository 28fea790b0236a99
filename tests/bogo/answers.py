"""The answers to the core's requests: BoringSSL's callbacks, as the flags set them up."""

from __future__ import annotations

from typing import Any

from cryptography import x509

from bogo.compliance import compliance_of, own_order
from bogo.configs import cipher_groups, imported, imports_psks, split_alpn
from bogo.credentials import Credential
from bogo.flags import Mismatch, Settings
from pellucid.config import ServerConfig
from pellucid.connection import Connection
from pellucid.crypto.suites import SUITES, legacy_suites
from pellucid.errors import Reason, TLSError
from pellucid.events import Request, SelectConfig, SelectIdentity, VerifyPeer, VerifyPublicKey
from pellucid.handshake.authentication import choose_scheme
from pellucid.handshake.keys12 import usable_ec_curve
from pellucid.handshake.server12 import suits
from pellucid.resumption.psk import PreSharedKey
from pellucid.trust.identity import Identity
from pellucid.trust.peer import issued_by
from pellucid.trust.verification import Trust, Verified
from pellucid.wire import extensions as ext
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X
from pellucid.wire.messages import ClientHello


class Answers:
    """Answers the requests of one connection.

    Attributes:
        settings: of this connection; another one's after refused early data.
        credentials: ours.
        conn: the connection.
        selected: the number of the credential that was chosen; -1 for none or the default one.
        verified: whether a peer's certificate was believed.
    """

    def __init__(self, settings: Settings, credentials: list[Credential]) -> None:
        self.settings = settings
        self.credentials = credentials
        self.conn: Connection
        self.selected = -1
        self.verified = False

    def answer(self, request: Request) -> None:
        """Answer it, or refuse."""
        if isinstance(request, VerifyPeer):
            self.verify(request)
        elif isinstance(request, VerifyPublicKey):
            self.verify_key(request)
        elif isinstance(request, SelectConfig):
            self.select_config(request)
        elif isinstance(request, SelectIdentity):
            self.select_identity(request)
        else:
            raise TypeError(type(request).__name__)

    # -- the peer's certificate --------------------------------------------------------------------

    def verify(self, request: VerifyPeer) -> None:
        """No chain is ever validated; the leaf must be readable and its key usage must allow this."""
        settings = self.settings
        if settings["expect-ocsp-response"] and not request.ocsp:
            raise Mismatch("OCSP response not available in verify callback")
        callback = settings["use-ocsp-callback"] and not settings["server"]
        if callback and settings["fail-ocsp-callback"]:
            request.fail(Reason.BAD_OCSP_RESPONSE)
            return
        try:
            verified = Trust.insecure().verify_server(request.chain[:1], "test", 0.0)
            self.check_usage(verified)
        except TLSError as error:
            unreadable = error.reason is Reason.BAD_CERTIFICATE
            request.fail(error.reason, error.detail, alert=Alert.decode_error if unreadable else error.alert)
            return
        if self.refuse_peer(request):
            return
        self.verified = True
        request.answer(verified)

    def verify_key(self, request: VerifyPublicKey) -> None:
        """A raw public key is believed unless the flags say otherwise."""
        if self.settings["verify-fail"]:
            request.fail(Reason.REFUSED_BY_APPLICATION)
            return
        self.verified = True
        request.answer(None)

    def refuse_peer(self, request: Request) -> bool:
        """`-verify-fail`: refuse, if anybody verifies at all. Returns whether it did."""
        settings = self.settings
        custom = settings["use-custom-verify-callback"]
        verifies = custom or settings["verify-peer"] or settings["require-any-client-certificate"]
        if not settings["verify-fail"] or not verifies:
            return False
        alert = Alert.certificate_unknown if custom else Alert.handshake_failure
        request.fail(Reason.REFUSED_BY_APPLICATION, alert=alert)
        return True

    def check_usage(self, verified: Verified) -> None:
        """RFC 5280 section 4.2.1.3: digitalSignature, or keyEncipherment for static RSA."""
        suite_code = self.conn._facts.get("cipher_suite", 0)
        suite = SUITES.get(suite_code) or legacy_suites()[suite_code]
        try:
            usage = verified.leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        except (x509.ExtensionNotFound, ValueError):
            return
        fits = usage.key_encipherment if suite.kx == "RSA" else usage.digital_signature
        if not fits:
            raise TLSError(Reason.WRONG_KEY_USAGE, alert=Alert.illegal_parameter)

    # -- the ClientHello ---------------------------------------------------------------------------

    def select_config(self, request: SelectConfig) -> None:
        """The early callback, ALPN's callback, and groups of equal ciphers."""
        settings, hello = self.settings, request.client_hello
        name = settings["expect-server-name"].decode()
        if (name and request.server_name != name) or (
            settings["expect-no-server-name"] and request.server_name
        ):
            raise Mismatch(f"server name {request.server_name!r}, not {name!r}")
        if settings["fail-early-callback"]:
            request.fail(Reason.CONNECTION_REJECTED, alert=Alert.handshake_failure)
            return
        if settings["fail-ddos-callback"]:
            request.fail(Reason.CONNECTION_REJECTED, alert=Alert.internal_error)
            return
        config = self.conn._config
        if not isinstance(config, ServerConfig):
            raise TypeError
        body = hello.extensions.get(X.server_certificate_type)
        if body and not set(config.server_certificate_types) & set(body[1:]):
            # BoringSSL finds no certificate that fits; the core says what RFC 7250 section 4.2 wants said.
            request.fail(Reason.NO_IDENTITY, alert=Alert.handshake_failure)
            return
        changes: dict[str, Any] = {}
        body = hello.extensions.get(X.application_layer_protocol_negotiation)
        if body is not None and not settings["decline-alpn"]:
            names = ext.ProtocolNames.decode(body).protocol_name_list
            expected = settings["expect-advertised-alpn"]
            if expected and tuple(n.decode("latin-1") for n in names) != split_alpn(expected):
                raise Mismatch("the ALPN offer is not as expected")
            if settings["reject-alpn"]:
                request.fail(Reason.NO_APPLICATION_PROTOCOL)
                return
            if settings["select-empty-alpn"]:
                request.fail(Reason.BAD_ALPN, alert=Alert.internal_error)
                return
            if settings["select-alpn"]:
                changes["alpn"] = (settings["select-alpn"].decode("latin-1"),)
        changes["policy"] = config.policy.replace(
            cipher_suites=self.ranked_suites(config.policy.cipher_suites, hello.cipher_suites),
            groups=self.ranked_groups(config.policy.groups, hello),
        )
        changes["psks"] = self.preferred_psks(config.psks, hello)
        request.answer(config.replace(**changes))

    def preferred_psks(self, psks: tuple[PreSharedKey, ...], hello: ClientHello) -> tuple[PreSharedKey, ...]:
        """External keys and certificates stand in one order: behind a certificate that will do, none."""
        body = hello.extensions.get(X.signature_algorithms)
        if body is None or not imports_psks(self.settings):
            return psks
        schemes = ext.SignatureSchemes.decode(body).supported_signature_algorithms
        found: list[PreSharedKey] = []
        shown = {one.number: one.identity for one in self.credentials}
        for number, flags in enumerate(self.settings.credentials):
            if flags["type"] == "psk":
                found += imported(flags)
            elif number in shown and choose_scheme(shown[number], schemes, ()) is not None:
                break
        return tuple(found)

    def ranked_suites(self, ours: tuple[int, ...], theirs: tuple[int, ...]) -> tuple[int, ...]:
        """`[A|B]` in a cipher string: equal to us, so the client's order decides."""
        compliance = compliance_of(self.settings)
        if compliance is not None and compliance.own_order:  # even before a client that likes ChaCha20
            newer = [code for code in ours if code >> 8 == 0x13 and code in theirs]
            return (*newer[:1], *(code for code in ours if code >> 8 != 0x13)) or ours
        cipher = self.settings["cipher"]
        if b"[" not in cipher:
            return ours
        rank = {code: place for place, code in enumerate(theirs)}
        found = [code for code in ours if code >> 8 == 0x13]
        for group in cipher_groups(cipher.decode()):
            found += sorted(group, key=lambda code: rank.get(code, 1 << 16))
        return tuple(found)

    def ranked_groups(self, ours: tuple[int, ...], hello: Any) -> tuple[int, ...]:
        """A BoringSSL server follows the client's order of groups, unless told to prefer its own.

        In TLS 1.3 it takes the best one even if its share has to be asked for: no other is left then.
        """
        body = hello.extensions.get(X.supported_groups)
        if body is None:
            return ours
        theirs = ext.SupportedGroups.decode(body).named_group_list
        ranked = tuple(code for code in theirs if code in ours)
        if own_order(self.settings):
            rank = ranks(ours, self.settings["curves-flags"])
            ranked = tuple(sorted(ranked, key=rank.__getitem__))
        versions = hello.extensions.get(X.supported_versions, b"")
        if b"\x03\x04" in versions and 0x0304 in self.conn._config.policy.versions:
            ranked = ranked[:1]
        return ranked or ours

    # -- our certificate ---------------------------------------------------------------------------

    def select_identity(self, request: SelectIdentity) -> None:
        """The certificate callback, then the first credential that the peer can verify."""
        settings = self.settings
        wanted = settings["expect-peer-verify-pref"]
        if wanted and wanted != request.schemes:
            raise Mismatch(f"peer verify preferences {request.schemes}, not {wanted}")
        if not settings["server"]:
            self.check_request(request)
        if settings["fail-cert-callback"]:
            request.fail(Reason.APPLICATION_FAILED)
            return
        chosen, why = self.choose(request)
        if chosen is None:
            if self.credentials and not settings["psk"]:
                request.fail(*why, alert=Alert.handshake_failure)
                return
            if settings["server"] and imports_psks(settings):
                self.refuse_without_psk(request)
                return
            request.answer(None)
            return
        self.selected = chosen.number
        identity = chosen.identity
        if settings["server"]:
            stapled = self.staple(request, identity)
            if stapled is None:
                return
            identity = stapled
        request.answer(identity)

    def choose(self, request: SelectIdentity) -> tuple[Credential | None, tuple[Reason, str]]:
        """The first that fits, and why the last one that did not did not."""
        why = (Reason.NO_IDENTITY, "")
        raw = request.certificate_type == 2
        tls13 = self.conn._version == 0x0304
        for one in self.credentials:
            identity = one.identity
            if bool(identity.chain) == raw:
                continue
            if one.must_match_issuer and not issued_by(identity.chain, request.authorities):
                why = (Reason.NO_IDENTITY, "no issuer that the peer names")
                continue
            kind = 64 if identity.kind in ("ecdsa", "ed25519", "ed448") else 1
            if request.certificate_types and kind not in request.certificate_types:
                continue
            fault = None
            if self.settings["server"] and not tls13:
                fault = self.fault12(identity, request.schemes)
            elif choose_scheme(identity, request.schemes, (), tls13=tls13) is None:
                fault = Reason.NO_COMMON_SIGNATURE_SCHEME
            if fault is not None:
                why = (fault, f"a key of the kind {identity.kind}")
                continue
            return one, why
        return None, why

    def refuse_without_psk(self, request: SelectIdentity) -> None:
        """None of the client's keys is ours, and there is no certificate to show instead."""
        hello = getattr(self.conn, "client_hello")  # noqa: B009
        modes = hello.extensions.get(X.psk_key_exchange_modes)
        if X.pre_shared_key not in hello.extensions or modes is None:
            request.fail(Reason.MISSING_EXTENSION, "pre_shared_key")
        elif 1 not in ext.PskKeyExchangeModes.decode(modes).ke_modes:
            request.fail(Reason.PSK_REQUIRED, "no psk_dhe_ke")
        else:
            request.fail(Reason.UNKNOWN_PSK_IDENTITY, alert=Alert.handshake_failure)

    def selected_credential(self, psk_identity: bytes | None) -> int:
        """Its number, as `-expect-selected-credential` counts."""
        for number, flags in enumerate(self.settings.credentials):
            ours = imported(flags) if psk_identity and flags["type"] == "psk" else ()
            if psk_identity in {one.identity for one in ours}:
                return number
        return self.selected

    def fault12(self, identity: Identity, schemes: tuple[int, ...]) -> Reason | None:
        """Why no suite of TLS 1.2 goes with this certificate; None if one does."""
        hello = getattr(self.conn, "client_hello")  # noqa: B009
        policy = self.conn._config.policy
        body = hello.extensions.get(X.supported_groups)
        groups = ext.SupportedGroups.decode(body).named_group_list if body is not None else (23,)
        if identity.kind == "ecdsa" and not usable_ec_curve(identity.public_key, groups):
            return Reason.WRONG_CURVE
        why = Reason.NO_SHARED_CIPHER
        for code, suite in policy.suites.items():
            if suite.tls13 or code not in hello.cipher_suites or not suits(identity, suite, groups):
                continue
            if suite.kx == "RSA":
                return None
            if not set(groups) & set(policy.groups12):
                continue
            if choose_scheme(identity, schemes, (), tls13=False) is not None:
                return None
            why = Reason.NO_COMMON_SIGNATURE_SCHEME
        return why

    def staple(self, request: SelectIdentity, identity: Identity) -> Identity | None:
        """The OCSP callback; None if it failed."""
        settings = self.settings
        hello = getattr(self.conn, "client_hello", None)
        if not settings["use-ocsp-callback"] or hello is None or X.status_request not in hello.extensions:
            return identity
        if settings["fail-ocsp-callback"]:
            request.fail(Reason.BAD_OCSP_RESPONSE, alert=Alert.internal_error)
            return None
        if settings["decline-ocsp-callback"]:
            return identity.replace(ocsp=None)
        return identity

    def check_request(self, request: SelectIdentity) -> None:
        """What a CertificateRequest must hold."""
        types = self.settings["expect-certificate-types"]
        if types and bytes(request.certificate_types) != types:
            raise Mismatch(f"certificate types {request.certificate_types}")
        expected = self.settings["expect-client-ca-list"]
        if expected:
            names = tuple(
                bytes.fromhex(part) for part in expected.decode().split(",") if not part.startswith("<")
            )
            if request.authorities != names:
                raise Mismatch("the CA names are not as expected")


def ranks(groups: tuple[int, ...], flags: tuple[int, ...]) -> dict[int, int]:
    """Each group's place in our order; the first bit of its flag says that the next one is its equal."""
    found, place = {}, 0
    for index, group in enumerate(groups):
        found[group] = place
        if not (index < len(flags) and flags[index] & 1):
            place += 1
    return found
