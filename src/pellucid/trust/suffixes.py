"""Whether a name is one under which strangers register names: `com`, `co.uk`. CA/Browser Forum BR 3.2.2.6.

A wildcard for such a name would speak for all of them. What these names are is nobody's to guess:
they stand in Mozilla's Public Suffix List, which the package `publicsuffixlist` carries (extra
`trust`). Without it only single labels are known to be public.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any


def is_public(name: str, *, private: bool) -> bool:
    """Whether anybody may get a name under `name`, a host name in A-labels.

    Args:
        name: without a wildcard.
        private: count what companies let their customers register (`github.io`) as well. The
            Forum does not ask authorities to: the owner of such a name may have a wildcard for it.

    >>> is_public("com", private=False), is_public("example.com", private=True)
    (True, False)
    """
    if "." not in name:
        return True
    known = _list(only_icann=not private)
    return known is not None and bool(known.is_public(name))


@lru_cache(maxsize=2)
def _list(*, only_icann: bool) -> Any:
    try:
        from publicsuffixlist import PublicSuffixList
    except ImportError:
        return None
    return PublicSuffixList(accept_unknown=False, only_icann=only_icann)
