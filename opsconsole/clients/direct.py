"""Direct connections for httpx: HTTP/1.1 by h11 over asyncio's streams.

For every request httpx's own pool looks at each of its connections through anyio; that, and importing both,
costs more than the small questions that a console asks every few seconds. A proxy is left to httpx.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress

import h11

from opsconsole.clients._httpx import httpx

KEEP_ALIVE = 75.0
"""Seconds for which an idle connection is kept."""

_HEAD_LIMIT = 100 * 1024
_CHUNK = 64 * 1024
_NEXT_ADDRESS = 2.0
"""Seconds that an address of a host has before the next one is tried."""


class DirectTransport(httpx.AsyncBaseTransport):
    """Connections to the hosts of the requests, kept open between them; `context` is for https.

    There is no timeout in here: the caller bounds the whole exchange, and cancelling it closes its connection.
    Failures are those of httpx. The extensions `sni_hostname` and `trace` of a request are heeded; of the
    trace events of httpx there are the start of sending and the complete head of the response. A response has the
    extension `certificate`: the server's in DER, b"" without TLS.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._idle: dict[tuple[bytes, bytes, int | None], list[_Connection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection = self._kept(request) or await self._connect(request)
        try:
            await _told(request, "http11.send_request_headers.started")
            await connection.send(request)
            head = await connection.head()
            await _told(request, "http11.receive_response_headers.complete")
        except BaseException:  # cancelled included: half an exchange must not be kept for the next
            connection.abort()
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(connection, self._idle.setdefault(_origin(request), [])),
            extensions={
                "http_version": b"HTTP/" + head.http_version,
                "reason_phrase": head.reason,
                "certificate": connection.certificate,
            },
        )

    async def aclose(self) -> None:
        idle = [connection for kept in self._idle.values() for connection in kept]
        self._idle.clear()
        for connection in idle:
            await connection.aclose()

    def _kept(self, request: httpx.Request) -> _Connection | None:
        kept = self._idle.get(_origin(request), [])
        while kept:
            connection = kept.pop()
            if connection.usable():
                return connection
            connection.abort()
        return None

    async def _connect(self, request: httpx.Request) -> _Connection:
        host = request.url.raw_host.decode("ascii")
        secure = request.url.scheme == "https"
        sni = request.extensions.get("sni_hostname", host) if secure else None
        failed: list[OSError] = []
        try:
            addresses = await _addresses(host)
            for address in addresses:
                limit = None if address is addresses[-1] else _NEXT_ADDRESS
                try:
                    async with asyncio.timeout(limit):
                        return await _opened(
                            address,
                            request.url.port or (443 if secure else 80),
                            self._context if secure else None,
                            sni,
                        )
                except OSError as error:
                    failed.append(error)
        except OSError as error:
            failed.append(error)
        raise httpx.ConnectError("no connection") from ExceptionGroup("every address", failed)


async def _opened(address: str, port: int, context: ssl.SSLContext | None, name: str | None) -> _Connection:
    """A new connection, with TLS for `name` when there is a context. Raises OSError."""
    loop = asyncio.get_running_loop()
    reader = _Reader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_connection(lambda: protocol, address, port, ssl=context, server_hostname=name)
    return _Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


class _Reader(asyncio.StreamReader):
    """A stream that counts what came, so that what nobody asked for is noticed."""

    fed = 0

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # asyncio feeds nothing else
        self.fed += len(data)
        super().feed_data(data)


class _Connection:
    """One connection: a request and its response at a time."""

    def __init__(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._taken = 0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
        self._until = 0.0
        tls = writer.get_extra_info("ssl_object")
        self.certificate: bytes = (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""

    def usable(self) -> bool:
        """Whether an idle connection can take another request. Bytes that nobody asked for, such as a 408
        before the server hangs up, would be taken for the next answer."""
        if self._reader.at_eof() or self._writer.is_closing() or self._reader.exception() is not None:
            return False
        if self._reader.fed != self._taken or _readable(self._writer.get_extra_info("socket").fileno()):
            return False
        return asyncio.get_running_loop().time() < self._until

    async def send(self, request: httpx.Request) -> None:
        """Send a whole request."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        try:
            parts = [
                self._http.send(
                    h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
                )
            ]
            async for data in request.stream:
                parts.append(self._http.send(h11.Data(data=data)))
            parts.append(self._http.send(h11.EndOfMessage()))
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError("not HTTP") from error
        self._writer.write(b"".join(part for part in parts if part))
        # A server may answer and close before it has read everything: what it says is read all the same.
        with suppress(OSError):
            await self._writer.drain()

    async def head(self) -> h11.Response:
        """The status and headers of the response."""
        while not isinstance(event := await self._event(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("no response")
        return event

    async def body(self) -> AsyncIterator[bytes]:
        """The parts of the response's body."""
        while isinstance(event := await self._event(), h11.Data):
            yield bytes(event.data)

    def finish(self) -> bool:
        """The response has been read; whether another request can follow."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        if self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        self._until = asyncio.get_running_loop().time() + KEEP_ALIVE
        return True

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    async def aclose(self) -> None:
        """Close in order, if it takes no longer than a moment."""
        self._writer.close()
        with suppress(OSError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    async def _event(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._read()
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise httpx.RemoteProtocolError("closed without a response")
                self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError("not HTTP, or cut short") from error
        return event

    async def _read(self) -> bytes:
        try:
            data = await self._reader.read(_CHUNK)
        except OSError as error:
            raise httpx.ReadError("the connection was lost") from error
        self._taken += len(data)
        return data


class _Body(httpx.AsyncByteStream):
    """A response's body as it comes; closing it gives its connection back to `idle`."""

    def __init__(self, connection: _Connection, idle: list[_Connection]) -> None:
        self._connection = connection
        self._idle = idle

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._connection.body():
            yield part

    async def aclose(self) -> None:
        if self._connection.finish():
            self._idle.append(self._connection)
        else:
            self._connection.abort()


def _origin(request: httpx.Request) -> tuple[bytes, bytes, int | None]:
    return request.url.raw_scheme, request.url.raw_host, request.url.port


def _readable(fd: int) -> bool:
    """Whether bytes or the end wait that the event loop has not seen yet."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


async def _told(request: httpx.Request, event: str) -> None:
    trace = request.extensions.get("trace")
    if trace is not None:
        await trace(event, {})


async def _addresses(host: str) -> list[str]:
    """The addresses of a host, each once, in the order of preference. Raises OSError."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return [host]
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
