"""Hot reload of certificates: a server shows what lies in the files now, without a restart or a thread.

RFC 8446 section 4.4.2 (each handshake chooses its certificate anew). Whoever asks looks at the files'
status: a few microseconds. Connections that are open keep what they were made with.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence

from pellucid.config import ServerConfig
from pellucid.errors import Reason, UsageError
from pellucid.trust.identity import Identity

File = str | os.PathLike[str]
_Stamp = tuple[tuple[int, int, int, int] | None, ...]

_TICK = 100_000_000
"""Nanoseconds in which a file may change without a change of its time: many file systems have clocks that
tick coarsely (4 to 10 ms on Linux before 6.13), and what is half written is often whole within that."""


class CertificateFiles:
    """An identity in files that somebody renews: certbot, cert-manager, step.

    A new file that cannot be used (half written, another key's, not readable) changes nothing: what
    was read before stays, and `on_error` is told, once for each state of the files. Links are
    followed, so that swapping a link is a change.

    Parameters:
        certificate: the file with the leaf and its intermediates, PEM or DER.
        key: the private key's file; by default it stands beside the certificates.
        password: of the key, if it is encrypted.
        ocsp: a file with an OCSP response in DER to staple.
        on_error: called with the `UsageError` of files that could not be used.

    Raises:
        UsageError: the files cannot be used at the start (`Reason.BAD_KEY_FILE`, `Reason.KEY_MISMATCH`).

    >>> import tempfile
    >>> from pellucid import Authority
    >>> authority, folder = Authority.create(), tempfile.TemporaryDirectory()
    >>> certificate, key = authority.issue("old.test").write(folder.name, "site")
    >>> files = CertificateFiles(certificate, key)
    >>> files.identity.names
    ('old.test',)
    >>> _ = authority.issue("new.test").write(folder.name, "site", overwrite=True)
    >>> files.identity.names
    ('new.test',)
    >>> folder.cleanup()
    """

    def __init__(
        self,
        certificate: File,
        key: File | None = None,
        password: bytes | str | None = None,
        *,
        ocsp: File | None = None,
        on_error: Callable[[UsageError], object] | None = None,
    ) -> None:
        self.certificate = certificate
        self.key = key
        self.ocsp = ocsp
        self.on_error = on_error
        self._password = password
        self._lock = threading.Lock()
        self._stamp = self._look()  # before reading: what changes meanwhile is read again
        self._digest = self._digested()
        self._identity = self._read()

    @property
    def identity(self) -> Identity:
        """The identity that is in the files now; the same object while they do not change."""
        changed = self._look() != self._stamp or _is_young(self._stamp)
        if changed and self._lock.acquire(blocking=False):  # one thread reads for all
            try:
                self._renew()
            finally:
                self._lock.release()
        return self._identity

    def reload(self) -> Identity:
        """Read the files again whether they look changed or not, on SIGHUP for example.

        Raises:
            UsageError: they cannot be used; what was read before stays.
        """
        with self._lock:
            self._stamp = self._look()
            self._digest = self._digested()
            self._identity = self._read()
            return self._identity

    def _renew(self) -> None:
        self._stamp = self._look()
        before, self._digest = self._digest, self._digested()
        if self._digest == before:
            return
        try:
            self._identity = self._read()
        except UsageError as error:
            if self.on_error is not None:
                self.on_error(error)

    def _read(self) -> Identity:
        return Identity.from_files(self.certificate, self.key, self._password, ocsp=self.ocsp)

    @property
    def _files(self) -> tuple[File, ...]:
        return tuple(file for file in (self.certificate, self.key, self.ocsp) if file is not None)

    def _look(self) -> _Stamp:
        return tuple(map(_stamp_of, self._files))

    def _digested(self) -> tuple[bytes, ...]:
        return tuple(map(_digest_of, self._files))

    def __repr__(self) -> str:
        return f"CertificateFiles({os.fspath(self.certificate)!r})"


def reloading(config: ServerConfig, *files: CertificateFiles) -> Callable[[], ServerConfig]:
    """A server's configuration that always shows what is in the files now.

    Every server here takes such a callable in place of a `ServerConfig`, and asks it once for each
    connection. Tickets and sessions outlive a change of certificate.

    Parameters:
        config: everything else; its `identities` come after those of the files.
        files: the identities, in order of preference.

    Raises:
        UsageError: there are no files (`Reason.BAD_CONFIG`).

    >>> import tempfile
    >>> from pellucid import Authority, ClientConfig, connect, serve
    >>> authority, folder = Authority.create(), tempfile.TemporaryDirectory()
    >>> files = CertificateFiles(*authority.issue("localhost").write(folder.name))
    >>> client = ClientConfig(trust=authority.trust())
    >>> with serve(lambda tls: tls.sendall(b"hello"), reloading(ServerConfig(), files)) as server:
    ...     with connect("localhost", server.port, config=client) as tls:
    ...         b"".join(tls)
    b'hello'
    >>> folder.cleanup()
    """
    if not files:
        raise UsageError(Reason.BAD_CONFIG, "no files were named to reload")
    # One issuer for all that follows, or a ticket of today's would be unknown after the change.
    base = config.replace(ticket_issuer=config.issuer)

    def made_of(found: tuple[Identity, ...]) -> ServerConfig:
        return base.replace(identities=(*found, *config.identities))

    first = _identities(files)
    now = made_of(first), first

    def present() -> ServerConfig:
        nonlocal now
        found = _identities(files)
        if found != now[1]:
            now = made_of(found), found  # one assignment: no thread sees half of it
        return now[0]

    return present


def _identities(files: Sequence[CertificateFiles]) -> tuple[Identity, ...]:
    return tuple(each.identity for each in files)


def _stamp_of(file: File) -> tuple[int, int, int, int] | None:
    """What changes when a file does: its time, its size, and which file it is."""
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def _is_young(stamp: _Stamp) -> bool:
    """Whether one of the files may have changed since without a change of its stamp."""
    return any(found is not None and found[0] > time.time_ns() - _TICK for found in stamp)


def _digest_of(file: File) -> bytes:
    """Tells the content of a file from any other; b"" where it cannot be read."""
    try:
        with open(file, "rb") as opened:
            return hashlib.sha256(opened.read()).digest()
    except (OSError, ValueError):
        return b""
