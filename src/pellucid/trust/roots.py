"""The system's authorities: where Linux, SSL_CERT_FILE, SSL_CERT_DIR and certifi keep them.

There is no RFC for this; the places are those that Go's crypto/x509 and OpenSSL look at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cryptography import x509

from pellucid.errors import Reason, UsageError
from pellucid.trust.loading import load_folder, load_tolerantly, read

FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Gentoo, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL, Fedora, CentOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # older Fedora and RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS, OpenBSD
    "/usr/local/etc/ssl/cert.pem",  # FreeBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD's ca_root_nss
)
FOLDERS = ("/etc/ssl/certs", "/etc/pki/tls/certs", "/system/etc/security/cacerts")


def system_roots(environ: Mapping[str, str] = os.environ) -> tuple[x509.Certificate, ...]:
    """The system's roots. Parsed once per process and place; roots that cannot be read are left out.

    Raises:
        UsageError: none were found (`Reason.BAD_CONFIG`), or a variable names a file that cannot
            be read (`Reason.BAD_KEY_FILE`).
    """
    return _roots(environ.get("SSL_CERT_FILE", ""), environ.get("SSL_CERT_DIR", ""))


@lru_cache(maxsize=8)
def _roots(file: str, folders: str) -> tuple[x509.Certificate, ...]:
    found: dict[x509.Certificate, None] = {}
    if file or folders:  # who sets one of them means it: nothing is added
        if file:
            found.update(dict.fromkeys(load_tolerantly(read(Path(file), "file of SSL_CERT_FILE"))))
        for folder in filter(None, folders.split(os.pathsep)):
            found.update(dict.fromkeys(load_folder(Path(folder))))
        if not found:
            raise UsageError(Reason.BAD_CONFIG, "SSL_CERT_FILE and SSL_CERT_DIR lead to no certificate")
        return tuple(found)
    for name in FILES:
        bundle = Path(name)
        if bundle.is_file() and (certificates := load_tolerantly(read(bundle, "bundle"))):
            return tuple(certificates)
    for name in FOLDERS:
        if Path(name).is_dir() and (certificates := load_folder(Path(name))):
            return tuple(certificates)
    try:
        import certifi
    except ImportError:
        raise UsageError(
            Reason.BAD_CONFIG, "this system has no authorities; install the package 'certifi'"
        ) from None
    return tuple(load_tolerantly(Path(certifi.where()).read_bytes()))
