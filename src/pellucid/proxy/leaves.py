"""The authority that interception needs, and the certificates that it issues, a name at a time.

RFC 5280 section 4. The authority is made at its first use, in a folder of the user's own; nobody is made
to trust it. Whoever trusts it trusts whoever can read its key.
"""

from __future__ import annotations

import os
import platform
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

from pellucid.errors import UsageError
from pellucid.trust.authority import Authority
from pellucid.trust.building import HOUR
from pellucid.trust.identity import Identity

MOST = 512
"""Names whose certificates are kept; the ones not asked for longest make room."""
FRESH = 12 * HOUR
"""Seconds that a certificate is used before another is issued; it is valid for a month."""
_DAYS = 30
_KINDS = ("ecdsa-p256", "rsa-2048")


class Leaves:
    """Certificates of an authority for whatever name is asked for, kept for the next time.

    Parameters:
        authority: who issues them.
        most: how many names are kept.

    >>> leaves = Leaves(Authority.create())
    >>> leaves.identities("example.org")[0].names
    ('example.org',)
    >>> leaves.identities("Example.ORG") is leaves.identities("example.org")
    True
    """

    def __init__(self, authority: Authority, most: int = MOST) -> None:
        self.authority = authority
        self.most = most
        self._keys: dict[str, Any] = {}  # the same for all names: one is as secret as another
        self._kept: OrderedDict[str, tuple[float, tuple[Identity, ...]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def identities(self, name: str) -> tuple[Identity, ...]:
        """Certificates for a host name (in any case) or an address: ECDSA, and RSA for who takes no other.

        Raises:
            UsageError: it is no name (`Reason.BAD_NAME`).
        """
        name = name.lower()
        now = self.authority.clock()
        known = self._kept.get(name)
        if known is not None and now - known[0] < FRESH:
            self._kept.move_to_end(name)
            return known[1]
        made = tuple(self.authority.issue(name, key=self._key(kind), days=_DAYS) for kind in _KINDS)
        self._kept[name] = now, made
        self._kept.move_to_end(name)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return made

    def _key(self, kind: str) -> Any:
        if kind not in self._keys:
            self._keys[kind] = self.authority.generate(kind)
        return self._keys[kind]


def user_folder() -> Path:
    """Where the user's own authority is kept, by the customs of the system.

    On Linux `$XDG_DATA_HOME/pellucid/authority`, or `~/.local/share` for the former.
    """
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "pellucid" / "authority"


def user_authority(folder: Path | None = None, *, days: float = 3650) -> tuple[Authority, bool]:
    """The authority in a folder, made there if there is none; and whether it was made now.

    The folder is for its owner only (0700), the key in it too (0600).

    Parameters:
        folder: by default `user_folder()`.
        days: how long a new one is valid.

    Raises:
        UsageError: the folder cannot be written, or what is in it cannot be read.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "authority"
    >>> user_authority(place)[1], user_authority(place)[1]
    (True, False)
    >>> oct((place / "ca-key.pem").stat().st_mode & 0o777)
    '0o600'
    """
    place = folder or user_folder()
    if not (place / "ca-key.pem").exists():
        made = Authority.create(f"pellucid interception on {platform.node()}"[:64], days=days)
        try:
            made.write(place)
        except UsageError:
            if not (place / "ca-key.pem").exists():  # else somebody else was quicker: it is his now
                raise
        else:
            return made, True
    return Authority.load(place), False
