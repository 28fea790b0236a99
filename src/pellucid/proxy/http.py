"""As much HTTP as a proxy for CONNECT needs, and a refusal inside the tunnel.

RFC 9112 sections 2 to 4 (heads), RFC 9110 section 9.3.6 (CONNECT) and 15 (status codes), RFC 9209
(Proxy-Status: the same refusal for programs, by a registered name).
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from pellucid.errors import CertificateRefused, ConnectionEnded, PeerRefused, TLSError
from pellucid.glass.failure import Failure
from pellucid.wire.codepoints import Alert

MOST_HEAD = 16_384
"""Bytes of a request's head; a longer one is refused."""
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE")
_ENV = "Set HTTPS_PROXY to this proxy, and HTTP_PROXY to none."
_STATUS = {
    400: "Bad Request",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}


class Head(NamedTuple):
    """A request's first line and its fields, by lower-case name."""

    method: str
    target: str
    version: str
    fields: dict[str, str]


class Refused(OSError):
    """This proxy refuses what it was asked for.

    Attributes:
        status: of the HTTP answer; 0 for none, where the client does not speak HTTP.
        error: RFC 9209's name for it.
        failure: the three parts.
    """

    def __init__(self, status: int, reason: str, what: str, why: str, todo: str, error: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.error = error or "http_request_error"
        self.failure = Failure(reason, what, why, todo)


def parse(head: bytes) -> Head:
    r"""A request's head, without the empty line at its end.

    >>> parse(b"GET /?a HTTP/1.1\r\nAccept: text/html").fields
    {'accept': 'text/html'}
    """
    lines = head.decode("latin-1").split("\r\n")
    method, _, rest = lines[0].partition(" ")
    target, _, version = rest.partition(" ")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return Head(method, target, version, fields)


def destination(head: bytes) -> tuple[str, int]:
    r"""Where a CONNECT request leads to.

    Raises:
        Refused: it is another request, or leads nowhere.

    >>> destination(b"CONNECT [::1]:8443 HTTP/1.1\r\nHost: x")
    ('::1', 8443)
    """
    method, target, version, _ = parse(head)
    if not version.startswith("HTTP/1."):
        raise Refused(400, "no-http", "The request is no HTTP/1.1.", "", "This is an HTTP proxy. " + _ENV)
    if method != "CONNECT":
        raise Refused(
            405,
            "no-connect",
            f"This proxy is for TLS: it understands CONNECT, and not {method}.",
            "A plain HTTP request has no handshake that could be shown.",
            f"{_ENV} Ask for an https:// address.",
        )
    host, _, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise Refused(400, "no-target", f"{target[:100]!r} is no HOST:PORT.", "CONNECT needs both.", "")
    return host, int(port)


def no_request(begin: bytes) -> Refused:
    """What came instead of a request, said to whoever reads the proxy's output."""
    if begin[:1] == b"\x16":
        return Refused(
            0,
            "tls-to-proxy",
            "The client speaks TLS with the proxy itself.",
            "A ClientHello came where an HTTP request was due.",
            "Use http:// in HTTPS_PROXY: the tunnel carries the TLS. For one fixed server add --to.",
        )
    if len(begin) > MOST_HEAD:
        return Refused(431, "long-request", "The request's head is too long.", f"{MOST_HEAD} bytes do.", "")
    return Refused(0, "no-request", "The client left before it had asked for anything.", "", "")


def speaks_http(begin: bytes) -> bool:
    """Whether bytes look like the beginning of an HTTP/1 request."""
    return begin.split(b" ", 1)[0] in _METHODS


def refusal(error: BaseException, failure: Failure) -> bytes:
    """The answer to a request that cannot be carried on: 502 or 504, in words, and for programs."""
    status, words = _named(error)
    details = _quoted(f"{failure.what} {failure.why}")
    told = "\n".join(filter(None, (failure.what, failure.why, failure.todo)))
    return answer(
        status,
        f"This proxy (pellucid) cannot carry it on.\n\n{told}\n",
        f"Proxy-Status: pellucid; error={words}; details={details}",
        *(["Allow: CONNECT"] if status == 405 else []),
    )


def answer(status: int, body: str, *fields: str) -> bytes:
    """A response that ends the connection.

    >>> answer(405, "no\\n").split(b"\\r\\n")[0]
    b'HTTP/1.1 405 Method Not Allowed'
    """
    return response(f"{status} {_STATUS[status]}", "text/plain", body.encode(), *fields, "Connection: close")


def response(status: str, kind: str, body: bytes, *fields: str) -> bytes:
    """An HTTP/1.1 response."""
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}; charset=utf-8",
        f"Content-Length: {len(body)}",
        *fields,
        "",
        "",
    )
    return "\r\n".join(lines).encode("latin-1", "replace") + body


def _named(error: BaseException) -> tuple[int, str]:
    """Status, and the error type of RFC 9209 section 2.3 with its parameters."""
    match error:
        case Refused():
            return error.status or 400, error.error
        case CertificateRefused():
            return 502, "tls_certificate_error"
        case PeerRefused():
            number = int(error.alert or 0)
            return 502, f'tls_alert_received; alert-id={number}; alert-message="{Alert.name_of(number, 2)}"'
        case ConnectionEnded():
            return 502, "connection_terminated"
        case TLSError():
            return 502, "tls_protocol_error"
        case socket.gaierror():
            return 502, "dns_error"
        case TimeoutError():
            return 504, "connection_timeout"
        case ConnectionRefusedError():
            return 502, "connection_refused"
    return 502, "destination_ip_unroutable"


def _quoted(text: str) -> str:
    """A string of structured fields (RFC 8941 section 3.3.3): printable ASCII."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
