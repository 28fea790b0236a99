"""One connection, from its first byte to its last, as the plan says.

RFC 9110 section 9.3.6 (CONNECT), RFC 7301 (ALPN: the client is offered what the server chose), RFC 6066
section 3 (the name that the client asks for is the name that the server has to prove).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pellucid.config import ServerConfig
from pellucid.errors import Reason, TLSError
from pellucid.events import Request, SelectConfig
from pellucid.glass.capture.keys import KeyRing
from pellucid.glass.capture.passive import Listener
from pellucid.glass.hearing import strings
from pellucid.glass.recorder import Followed
from pellucid.glass.trace import KEEP, Trace
from pellucid.io.streams import wrap_socket
from pellucid.proxy import http
from pellucid.proxy.lines import Line, PlainLine, SealedLine, carry
from pellucid.proxy.passage import CLIENT, SERVER, Passage, place
from pellucid.proxy.plan import Plan
from pellucid.wire.codepoints import Alert
from pellucid.wire.codepoints import ExtensionType as X

_HTTP = "http/1.1"
_ASKED = (
    "The server asks for a client certificate. The client's own cannot be passed on: its key stays with it. "
    "Give the proxy one with --to-cert and --to-key."
)
_SHOWN = "The server asked for a client certificate, and was shown the proxy's."

Shaken = Callable[[Passage], Awaitable[None]]
Told = Callable[[Passage], None]


class Carrier:
    """Carries one connection.

    Parameters:
        plan: what to do with it.
        passage: what is known of it is noted there.
        shaken: awaited when the handshakes are over, before data is carried.
        own: the address at which the proxy itself listens.
        inputs: note in the traces what is needed to replay them.
        told: called when there is something new of a handshake, with each fact of it.
    """

    def __init__(
        self,
        plan: Plan,
        passage: Passage,
        shaken: Shaken,
        own: tuple[Any, ...] = (),
        *,
        inputs: bool = False,
        told: Told | None = None,
    ) -> None:
        self.plan = plan
        self.passage = passage
        self.own = own
        self.inputs = inputs
        self._shaken = shaken
        self._told = told
        self._lines: list[Line] = []  # to be closed whatever happens
        self._behind: SealedLine | None = None
        self._refused: BaseException | None = None  # why the server behind cannot be had

    async def run(self, sock: socket.socket) -> None:
        """Carry it to its end. What goes wrong with it is noted in the passage, and not raised.

        Parameters:
            sock: the client's, non-blocking; it is owned from now on.
        """
        client = self._keep(PlainLine(sock))
        self.passage.to = self.plan.to
        try:
            if self.plan.to is None:
                await self._by_connect(client)
            elif self.plan.front is not None:
                await self._with_tls_in_front(client)
            elif self.plan.behind is not None:
                await self._carry(client, await self._seal(await self._dial(), self._name(None), None))
            else:
                await self._listen(client, await self._dial())
        except Exception as error:  # a fault of our own, too, is one connection's and no other's
            self.passage.fail(CLIENT, error)
            await client.cut()
        finally:
            await self._hang_up()

    # -- the ways ------------------------------------------------------------------------------------

    async def _by_connect(self, client: PlainLine) -> None:
        """The client says where to, in HTTP."""
        try:
            async with asyncio.timeout(self.plan.timeout):
                begin = await client.peek()
                spoken = not begin.startswith(b"\x16")
                head = await client.read_until(b"\r\n\r\n", http.MOST_HEAD) if spoken else None
            if head is None:
                raise http.no_request(client.ahead)
            self.passage.to = http.destination(head)
        except http.Refused as error:
            self.passage.fail(CLIENT, error)
            if error.status:
                await self._answer(client, error)
            return
        try:
            server = await self._dial()
        except OSError as error:
            self.passage.fail(SERVER, error)
            await self._answer(client, error)
            return
        await client.send(http.ESTABLISHED)
        if self.plan.issuer is not None and await _is_tls(client, server):
            await self._with_tls_in_front(client, server)
            return
        if self.plan.issuer is not None:
            self.passage.notes.append("What went through this tunnel is no TLS.")
        await self._listen(client, server)

    async def _listen(self, client: PlainLine, server: PlainLine) -> None:
        """Touch nothing; hear what passes."""
        heard = Overheard(self.passage, self._shaken, self._told)
        await carry(self.passage, client, server, heard)
        heard.end()

    async def _with_tls_in_front(self, client: PlainLine, server: PlainLine | None = None) -> None:
        """TLS with the client; with the server it is spoken first, when the ClientHello is here."""
        trace = self.passage.front = self._trace()
        config = self.plan.present_front.replace(observer=trace)
        if self.plan.behind is not None:
            config = config.replace(ask=config.ask | {SelectConfig})
        self.passage.front_config = config

        async def choose(request: Request) -> ServerConfig | None:
            if not isinstance(request, SelectConfig):
                raise TLSError(Reason.APPLICATION_FAILED, f"nobody answers {type(request).__name__}")
            self.passage.front_config = await self._choose(request, config, server)
            return self.passage.front_config

        sock, received = await client.release()
        timeout = 2 * self.plan.timeout  # there is a handshake within it
        front = self._keep(
            SealedLine(await wrap_socket(sock, config, received=received, answer=choose, timeout=timeout))
        )
        if self._refused is not None:
            await self._say_why(front, self._refused)
        elif self._behind is not None:
            await self._carry(front, self._behind)
        else:
            try:
                plain = await self._dial()
            except OSError as error:
                self.passage.fail(SERVER, error)
                await front.cut(Alert.internal_error)
                return
            await self._carry(front, plain)

    def _trace(self) -> Trace:
        """For a handshake of ours."""
        told, passage = self._told, self.passage
        if told is None:
            return Trace(inputs=self.inputs)
        return Followed(lambda: told(passage), inputs=self.inputs)

    async def _carry(self, client: Line, server: Line) -> None:
        self.passage.shaken = True
        await self._shaken(self.passage)
        await carry(self.passage, client, server)

    # -- the server behind ---------------------------------------------------------------------------

    def _name(self, asked: str | None) -> str:
        """What the server is asked to be."""
        host = self.passage.to[0] if self.passage.to else ""
        if self.plan.server_name is not None:
            return self.plan.server_name
        return asked or host if self.plan.issuer is not None else host

    async def _choose(
        self, request: SelectConfig, config: ServerConfig, server: PlainLine | None
    ) -> ServerConfig:
        """The server has answered: what to tell the client. If it has not, why not."""
        hello = request.client_hello
        name = self._name(request.server_name)
        offered = tuple(strings(hello.extensions.get(X.application_layer_protocol_negotiation, b"")[2:]))
        if self.plan.issuer is not None:
            config = config.replace(identities=self.plan.issuer.identities(request.server_name or name))
        try:
            self._behind = await self._seal(server or await self._dial(), name, offered)
        except (TLSError, OSError) as error:
            self.passage.fail(SERVER, error)
            if self.plan.issuer is None or _HTTP not in offered:
                raise self._as_refusal(error) from error
            self._refused = error  # a client that speaks HTTP is told in words
            return config.replace(alpn=(_HTTP,))
        alpn = self._behind.stream.info.alpn
        return config.replace(alpn=(alpn,) if alpn else ())

    def _as_refusal(self, error: BaseException) -> TLSError:
        """Towards the client: the alert that fits, or that the server sent."""
        failure = self.passage.failure
        what = failure.what if failure is not None else ""
        alert = getattr(error, "alert", None)
        return TLSError(
            Reason.CONNECTION_REJECTED, f"behind the proxy: {what}", alert=alert or Alert.internal_error
        )

    async def _seal(self, server: PlainLine, name: str, offered: tuple[str, ...] | None) -> SealedLine:
        """TLS with the server, as its client."""
        behind = self.plan.behind
        if behind is None:
            raise TLSError(Reason.BAD_CONFIG, "there is no TLS behind")
        trace = self.passage.behind = self._trace()
        self.passage.name = name
        config = behind.replace(observer=trace)
        if offered is not None and not config.alpn:
            config = config.replace(alpn=offered)
        sock, received = await server.release()
        try:
            stream = await wrap_socket(
                sock, config, server_name=name, received=received, timeout=self.plan.timeout
            )
        except (TLSError, OSError) as error:
            self.passage.fail(SERVER, error)
            raise
        if stream.info.client_certificate_requested:
            self.passage.notes.append(_SHOWN if config.identities else _ASKED)
        unchecked = [
            fact.fields["what"] for fact in trace.of("check") if fact.fields["detail"] == "not checked"
        ]
        if unchecked:
            self.passage.notes.append(f"Nobody verified the server; not checked: {'; '.join(unchecked)}.")
        line = SealedLine(stream)
        self._lines.append(line)
        return line

    async def _dial(self) -> PlainLine:
        """TCP with the server."""
        if self.passage.to is None:
            raise TLSError(Reason.BAD_CONFIG, "where to?")
        try:
            sock = await dial(self.passage.to, self.plan.timeout)
        except OSError as error:
            self.passage.fail(SERVER, error)
            raise
        line = PlainLine(sock)
        self._lines.append(line)
        if self.own and sock.getpeername()[:2] == self.own[:2]:
            raise http.Refused(
                502, "loop", f"{place(self.own)} is this proxy itself.", "", "", "proxy_loop_detected"
            )
        return line

    # -- the end -------------------------------------------------------------------------------------

    async def _answer(self, client: Line, error: BaseException) -> None:
        """Refuse a request, in words."""
        failure = self.passage.failure
        if failure is not None:
            await client.send(http.refusal(error, failure))
            client.write_eof()
            with contextlib.suppress(TimeoutError, TLSError, OSError):
                async with asyncio.timeout(1.0):  # what it still says must not make a reset of our end
                    while await client.read(65_536):
                        pass

    async def _say_why(self, front: SealedLine, error: BaseException) -> None:
        """The client believes that it speaks with the server: answer its request with the reason."""
        self.passage.shaken = True
        await self._shaken(self.passage)
        with contextlib.suppress(TimeoutError, TLSError, OSError):
            async with asyncio.timeout(self.plan.timeout):
                head = await front.read(http.MOST_HEAD)
                while b"\r\n\r\n" not in head and len(head) < http.MOST_HEAD:
                    more = await front.read(http.MOST_HEAD)
                    if not more:
                        break
                    head += more
            if http.speaks_http(head):
                await self._answer(front, error)

    def _keep(self, line: Any) -> Any:
        self._lines.append(line)
        return line

    async def _hang_up(self) -> None:
        await asyncio.gather(*(line.aclose() for line in self._lines), return_exceptions=True)


class Overheard:
    """What is heard of a tunnel, as far as it is kept: `carry` lets it listen.

    Parameters:
        passage: where the trace goes, once there is TLS in it.
        shaken: awaited when the handshake is over, as far as somebody outside can tell.
        told: called when something was heard.
    """

    def __init__(self, passage: Passage, shaken: Shaken, told: Told | None = None) -> None:
        self._passage = passage
        self._shaken = shaken
        self._told = told
        self._listener: Listener | None = None
        self._kept = 0
        self._left = 0

    async def __call__(self, side: str, data: bytes) -> None:
        """Somebody said something."""
        now = time.monotonic() - self._passage.clock + self._passage.began
        if self._listener is None:
            if side != CLIENT or data[:1] != b"\x16" or self._left:
                self._left += len(data)  # TLS begins with the client's hello, or not at all
                return
            self._listener = Listener(now, KeyRing())
            self._passage.passing = self._listener.trace
        if self._kept > KEEP:
            self._left += len(data)
            return
        self._kept += len(data)
        self._listener.hear(now, side == CLIENT, data)
        if self._told is not None:
            self._told(self._passage)
        if len(self._listener.veiled) == 2 and not self._passage.shaken:
            self._passage.shaken = True
            await self._shaken(self._passage)

    def end(self) -> None:
        """Nothing more comes."""
        if self._listener is not None:
            self._listener.end()
            self._passage.name = self._listener.trace.name
            if self._left:
                self._listener.note("state", what=f"{self._left} bytes more passed, which were not kept")


async def dial(address: tuple[str, int], timeout: float) -> socket.socket:
    """A connected, non-blocking socket.

    Raises:
        OSError: the name has no address, nobody listens at any of them, or `timeout` seconds are over.
    """
    loop = asyncio.get_running_loop()
    last: OSError | None = None
    try:
        async with asyncio.timeout(timeout):
            for family, kind, proto, _, where in await loop.getaddrinfo(*address, type=socket.SOCK_STREAM):
                sock = socket.socket(family, kind, proto)
                sock.setblocking(False)
                try:
                    await loop.sock_connect(sock, where)
                except OSError as error:
                    last = error
                    sock.close()
                except BaseException:
                    sock.close()
                    raise
                else:
                    return sock
    except TimeoutError:
        raise TimeoutError(f"{place(address)} does not answer within {timeout:g} s") from None
    except ValueError as error:  # UnicodeError: a label that is too long; a zero in the name
        raise socket.gaierror(socket.EAI_NONAME, f"{address[0]!r} is no host name: {error}") from None
    raise last or OSError("the name has no address")


async def _is_tls(client: PlainLine, server: PlainLine) -> bool:
    """Whether the client begins with TLS. Where the server speaks first, it is something else."""
    looks = [asyncio.create_task(line.peek()) for line in (client, server)]
    try:
        await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
    return client.ahead[:1] == b"\x16" and client.ahead[1:2] in (b"", b"\x03")
