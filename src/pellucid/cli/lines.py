"""The line under `connect`: TCP, a socket of this machine, an HTTP proxy; and STARTTLS on top of it.

RFC 9110 section 9.3.6 (CONNECT); RFC 3207 (SMTP), RFC 9051 section 6.2.1 (IMAP), RFC 2595 section 4
(POP3), RFC 4217 (FTP), RFC 5804 section 2.2 (Sieve), RFC 6120 section 5 (XMPP), RFC 4511 section 4.14
(LDAP); PostgreSQL's protocol, section 55.2.10.

What a server says in clear is read byte by byte, up to the answer's end and no further: what comes
behind it in clear is somebody else's and must not be believed (CVE-2021-33515 and its kin).
"""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pellucid.errors import Reason, UsageError

_MOST = 65_536  # bytes of what a server says in clear


class NoTLS(OSError):
    """The server, or the proxy before it, does not let TLS begin."""


class Protocol(NamedTuple):
    """A protocol with STARTTLS: its port, and the conversation up to there."""

    port: int
    begin: Callable[[socket.socket, str], None]


def dial(
    address: tuple[str, int],
    *,
    timeout: float = 30.0,
    family: int = socket.AF_UNSPEC,
    proxy: str | None = None,
    unix: str | None = None,
) -> socket.socket:
    """A connected socket.

    Parameters:
        address: host and port; with a proxy, the proxy looks the host up.
        timeout: seconds for each wait.
        family: AF_INET, AF_INET6 or AF_UNSPEC.
        proxy: http://[USER:PASSWORD@]HOST[:PORT], which is asked to CONNECT.
        unix: the path of a socket of this machine, instead of all that.

    Raises:
        OSError: the network; `NoTLS` where the proxy refuses.
        UsageError: the proxy is no URL that is understood.
    """
    if unix is not None:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        try:
            sock.connect(unix)
        except BaseException:
            sock.close()
            raise
        return sock
    if proxy is not None:
        return _through_proxy(proxy, address, timeout, family)
    last: OSError | None = None
    for kind, socktype, proto, _, where in socket.getaddrinfo(*address, family, socket.SOCK_STREAM):
        sock = socket.socket(kind, socktype, proto)
        sock.settimeout(timeout)
        try:
            sock.connect(where)
        except OSError as error:
            last = error
            sock.close()
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise last or OSError("the name has no address")


def _through_proxy(proxy: str, address: tuple[str, int], timeout: float, family: int) -> socket.socket:
    """RFC 9110 section 9.3.6: a tunnel to `address`."""
    try:
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        where = url.hostname, url.port or 8080
    except ValueError:
        where = None, 0
    if where[0] is None or url.scheme != "http":
        raise UsageError(Reason.BAD_CONFIG, f"--proxy is http://[USER:PASSWORD@]HOST[:PORT], not {proxy!r}")
    sock = dial((where[0], where[1]), timeout=timeout, family=family)
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    target = f"{host}:{address[1]}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if url.username is not None:
        login = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login).decode()}")
    sock.sendall("\r\n".join((*lines, "", "")).encode())
    head = _read_until(sock, b"\r\n\r\n")
    if not re.match(rb"HTTP/1\.[01] 2\d\d\b", head):
        sock.close()
        raise NoTLS(f"the proxy says: {_first_line(head)}")
    return sock


# -- STARTTLS --------------------------------------------------------------------------------------


def start_tls(sock: socket.socket, protocol: str, host: str) -> None:
    """Speak `protocol` in clear up to the point where TLS begins.

    Parameters:
        sock: connected, nothing said yet.
        protocol: a key of `PROTOCOLS`.
        host: the server's name, for protocols that ask for it.

    Raises:
        NoTLS: the server does not offer it.
    """
    PROTOCOLS[protocol].begin(sock, host)


def _reply(sock: socket.socket, end: re.Pattern[bytes]) -> bytes:
    """Lines up to the first that `end` matches; that one."""
    for _ in range(100):
        line = _read_until(sock, b"\n")
        if end.match(line):
            return line
    raise NoTLS("the server goes on and on")


def _expect(line: bytes, good: bytes) -> None:
    if not line.upper().startswith(good):
        raise NoTLS(f"the server says: {_first_line(line)}")


_CODE = re.compile(rb"\d\d\d(?!-)")  # the last line of an answer: no hyphen behind its code


def _smtp(sock: socket.socket, host: str) -> None:
    _expect(_reply(sock, _CODE), b"220")
    sock.sendall(b"EHLO pellucid.invalid\r\n")
    _expect(_reply(sock, _CODE), b"250")
    sock.sendall(b"STARTTLS\r\n")
    _expect(_reply(sock, _CODE), b"220")


def _ftp(sock: socket.socket, host: str) -> None:
    _expect(_reply(sock, _CODE), b"220")
    sock.sendall(b"AUTH TLS\r\n")
    _expect(_reply(sock, _CODE), b"234")


def _imap(sock: socket.socket, host: str) -> None:
    _expect(_read_until(sock, b"\n"), b"* ")
    sock.sendall(b"a STARTTLS\r\n")
    _expect(_reply(sock, re.compile(rb"a ")), b"A OK")


def _pop3(sock: socket.socket, host: str) -> None:
    _expect(_read_until(sock, b"\n"), b"+OK")
    sock.sendall(b"STLS\r\n")
    _expect(_read_until(sock, b"\n"), b"+OK")


def _sieve(sock: socket.socket, host: str) -> None:
    end = re.compile(rb"(OK|NO|BYE)\b", re.IGNORECASE)
    _expect(_reply(sock, end), b"OK")
    sock.sendall(b"STARTTLS\r\n")
    _expect(_reply(sock, end), b"OK")


def _xmpp(sock: socket.socket, host: str) -> None:
    stream = "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' "
    stream += f"xmlns='jabber:client' to='{host}' version='1.0'>"
    sock.sendall(stream.encode())
    features = _read_until(sock, b"</stream:features>", b"/>", b"</stream:stream>")
    while b"</stream:features>" not in features and b"</stream:stream>" not in features:
        features += _read_until(sock, b">")
    if b"xmpp-tls" not in features:
        raise NoTLS("the server does not offer it")
    sock.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    answer = _read_until(sock, b"/>", b"</failure>")
    if b"<proceed" not in answer:
        raise NoTLS(f"the server says: {_first_line(answer)}")


def _postgres(sock: socket.socket, host: str) -> None:
    sock.sendall(bytes.fromhex("0000000804d2162f"))  # SSLRequest
    if _read(sock, 1) != b"S":
        raise NoTLS("the server does not offer it")


def _ldap(sock: socket.socket, host: str) -> None:
    oid = b"1.3.6.1.4.1.1466.20037"
    request = b"\x77" + bytes((len(oid) + 2,)) + b"\x80" + bytes((len(oid),)) + oid  # ExtendedRequest
    message = b"\x02\x01\x01" + request
    sock.sendall(b"\x30" + bytes((len(message),)) + message)
    kind, size = _read(sock, 2)
    if size & 0x80:
        size = int.from_bytes(_read(sock, min(size & 0x7F, 4)), "big")
    body = _read(sock, min(size, _MOST))
    code = re.search(rb"\x78[\x00-\x7f]\x0a\x01(.)|\x78\x81.\x0a\x01(.)|\x78\x84....\x0a\x01(.)", body, re.S)
    if kind != 0x30 or code is None or next(each for each in code.groups() if each is not None) != b"\0":
        raise NoTLS("the server does not offer it")


#: The protocols of --starttls.
PROTOCOLS: dict[str, Protocol] = {
    "smtp": Protocol(25, _smtp),
    "imap": Protocol(143, _imap),
    "pop3": Protocol(110, _pop3),
    "ftp": Protocol(21, _ftp),
    "sieve": Protocol(4190, _sieve),
    "xmpp": Protocol(5222, _xmpp),
    "ldap": Protocol(389, _ldap),
    "postgres": Protocol(5432, _postgres),
}


def _read_until(sock: socket.socket, *ends: bytes) -> bytes:
    """Bytes up to one of `ends` and no further."""
    found = b""
    while not found.endswith(ends):
        if len(found) >= _MOST:
            raise NoTLS("the server goes on and on")
        byte = sock.recv(1)
        if not byte:
            raise NoTLS(f"the server hung up{': ' + _first_line(found) if found else ''}")
        found += byte
    return found


def _read(sock: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes."""
    found = b""
    while len(found) < count:
        data = sock.recv(count - len(found))
        if not data:
            raise NoTLS("the server hung up")
        found += data
    return found


def _first_line(data: bytes) -> str:
    return data.partition(b"\r\n")[0].strip().decode("ascii", "backslashreplace")[:200]
