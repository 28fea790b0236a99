"""The private seam of `ssl`, as it is in this interpreter: if one of these fails, a new Python changed it.

`pellucid.compat` overrides `_wrap_socket` and `_wrap_bio` and returns an object with the members of
`_ssl._SSLSocket`. All three have been the same from 3.7 to 3.13.
"""

from __future__ import annotations

import _ssl
import inspect
import ssl
from typing import Any

import pytest

from pellucid.compat.context import Overrides
from pellucid.compat.lowlevel import LowLevel

MEMBERS = {
    *("do_handshake", "read", "write", "pending", "shutdown", "getpeercert", "cipher", "version"),
    *("compression", "selected_alpn_protocol", "shared_ciphers", "get_channel_binding"),
    *("verify_client_post_handshake", "get_verified_chain", "get_unverified_chain"),
    *("context", "owner", "session", "session_reused", "server_side", "server_hostname"),
}
LATER = {"group", "client_sigalg", "server_sigalg", "uses_ktls_for_send", "uses_ktls_for_recv", "sendfile"}


def test_the_native_object_has_the_members_that_we_know() -> None:
    native = {name for name in dir(_ssl._SSLContext.__mro__[0]) if not name.startswith("__")}
    assert {"_wrap_socket", "_wrap_bio"} <= native
    kind = next(one for one in vars(_ssl).values() if getattr(one, "__name__", "") == "_SSLSocket")
    public = {name for name in dir(kind) if not name.startswith("_")}
    assert public - LATER == MEMBERS


def test_ours_has_them_too() -> None:
    assert set(dir(LowLevel)) | {"server_side", "server_hostname"} >= MEMBERS


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("_wrap_socket", "($self, /, sock, server_side, server_hostname=None, *, owner=None, session=None)"),
        (
            "_wrap_bio",
            "($self, /, incoming, outgoing, server_side, server_hostname=None, *, owner=None, session=None)",
        ),
    ],
)
def test_the_signatures_of_the_seam(name: str, signature: str) -> None:
    text = getattr(_ssl._SSLContext, name).__text_signature__
    squeezed = " ".join(text.split()).replace("( $self", "($self").replace(" )", ")")
    assert squeezed == signature
    ours = list(inspect.signature(getattr(Overrides, name)).parameters)
    theirs = [part.strip().split("=")[0] for part in signature.strip("()").split(",")]
    assert ours == ["self", *(name for name in theirs if name not in ("$self", "/", "*"))]


@pytest.mark.parametrize("name", ["_wrap_socket", "_wrap_bio"])
def test_the_standard_classes_call_the_seam(name: str) -> None:
    kind: Any = ssl.SSLSocket if name == "_wrap_socket" else ssl.SSLObject
    assert f"context.{name}(" in inspect.getsource(kind._create)
