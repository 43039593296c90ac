"""A TCP proxy on loopback that is transparent until a connection is scripted to fail at one point of a request.

    async with FaultProxy(server.port) as proxy:
        proxy.script(Fault(Point.ANSWER, How.CLOSE, after=20), afterwards=OUTAGE)
        ... ask proxy.url: the answer is cut after 20 bytes, every later connection is closed ...
        proxy.heal()

A connection's fault waits for the request that it is for, so a kept connection can fail at its third one.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType

SILENCE_WRITE = b"POST /api/v2/silences "


class Point(Enum):
    """Where in an exchange it fails."""

    REFUSE = "before there is a connection"
    ACCEPT = "before the request is read"
    CONNECT = "before the server is told anything"
    REQUEST = "within the request"
    SENT = "after the request, without waiting for the answer"
    ANSWER = "within the answer"


class How(Enum):
    """CLOSE and RESET cut both sides, in order or with a TCP reset, which is the same for REFUSE. DROP passes
    nothing more on, and says so to nobody. HOLD passes the rest on later, whether or not the client is still
    there."""

    CLOSE = "close"
    RESET = "reset"
    DROP = "drop"
    HOLD = "hold"


@dataclass(frozen=True)
class Fault:
    """`after` cuts the request or answer as a slice does: negative counts from its end. `seconds` is how long a
    HOLD takes; None is until `release`. `on` is how the request begins that it is for."""

    point: Point
    how: How
    after: int = 0
    seconds: float | None = None
    on: bytes = SILENCE_WRITE

    def __str__(self) -> str:
        where = f" at byte {self.after}" if self.point in (Point.REQUEST, Point.ANSWER) else ""
        return f"{self.how.value} {self.point.value}{where}"


OUTAGE = Fault(Point.CONNECT, How.CLOSE, on=b"")
"""Takes a connection and closes it at its first request."""


class _Cut(Exception):
    """The connection ends here; `reset` with a TCP reset."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class FaultProxy:
    """Listens on a free port in `async with` and passes on to `port` of this machine.

    `struck` are the faults that happened; `answered` is set once the server answered a faulty request in full.
    """

    def __init__(self, port: int) -> None:
        self.struck: list[Fault] = []
        self.answered = asyncio.Event()
        self._upstream = port
        self._port = 0
        self._script: list[Fault | None] = []
        self._afterwards: Fault | None = None
        self._released = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def script(self, *faults: Fault | None, afterwards: Fault | None = None) -> None:
        """What happens to the next new connections, one each, and to all after those. None is transparent. When
        the first is to be refused, all are until `heal`."""
        self._script, self._afterwards = list(faults), afterwards
        if faults and faults[0] is not None and faults[0].point is Point.REFUSE:
            assert self._server is not None
            self._server.close()

    def heal(self) -> None:
        """Be transparent to every new connection."""
        self.script()
        assert self._server is not None
        if not self._server.is_serving():
            # It takes connections at once; they are served in a moment.
            listening = socket.create_server(("127.0.0.1", self._port))
            self._keep(asyncio.get_running_loop().create_task(self._listen(listening)))

    async def _listen(self, listening: socket.socket) -> None:
        self._server = await asyncio.start_server(self._client, sock=listening)

    def release(self) -> None:
        """Pass on what is held."""
        self._released.set()

    async def __aenter__(self) -> FaultProxy:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.wait_for(self._server.wait_closed(), 5)

    def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._script.pop(0) if self._script else self._afterwards
        task = asyncio.get_running_loop().create_task(self._serve(_Link(reader, writer, self._upstream), fault))
        self._keep(task)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, link: _Link, fault: Fault | None) -> None:
        try:
            if fault is not None and fault.point is Point.ACCEPT:
                self.struck.append(fault)
                await self._stop(link, fault)
                fault = None
                await self._answered(link, await message(link.reader))
            while request := await message(link.reader):
                if fault is None or not request.startswith(fault.on):
                    await link.pass_on(request)
                    continue
                self.struck.append(fault)
                await self._strike(link, fault, request)
                fault = None
        except _Cut as cut:
            link.close(reset=cut.reset)
        except OSError:
            pass  # one of both left
        finally:
            link.close()

    async def _strike(self, link: _Link, fault: Fault, request: bytes) -> None:
        if fault.point is Point.CONNECT:
            await self._stop(link, fault)
        reader, writer = await link.server()
        cut = fault.after if fault.point is Point.REQUEST else len(request)
        writer.write(request[:cut])
        await writer.drain()
        if fault.point in (Point.REQUEST, Point.SENT):
            await self._stop(link, fault)
        writer.write(request[cut:])
        await writer.drain()
        answer = await message(reader)
        self.answered.set()
        cut = fault.after if fault.point is Point.ANSWER else len(answer)
        link.writer.write(answer[:cut])
        await link.writer.drain()
        if fault.point is Point.ANSWER:
            await self._stop(link, fault)
        link.writer.write(answer[cut:])
        await link.writer.drain()

    async def _answered(self, link: _Link, request: bytes) -> None:
        """A whole exchange, and the word that it has been."""
        reader, writer = await link.server()
        writer.write(request)
        await writer.drain()
        answer = await message(reader)
        self.answered.set()
        link.writer.write(answer)
        await link.writer.drain()

    async def _stop(self, link: _Link, fault: Fault) -> None:
        """Returns when the rest may pass; raises _Cut when it never will."""
        if fault.how is How.HOLD:
            with suppress(TimeoutError):
                async with asyncio.timeout(fault.seconds):
                    await self._released.wait()
            return
        if fault.how is How.DROP:
            await link.reader.read()
        raise _Cut(reset=fault.how is How.RESET)


class _Link:
    """A client's connection and the one to the server, which is opened when it is needed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self.reader = reader
        self.writer = writer
        self._port = port
        self._server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._answers: asyncio.Task[None] | None = None

    async def server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The server's side, with nobody else reading from it: clients here wait for an answer before they ask
        again, so all that was answered has been passed on."""
        if self._answers is not None:
            self._answers.cancel()
            await asyncio.gather(self._answers, return_exceptions=True)
            self._answers = None
        if self._server is None:
            self._server = await asyncio.open_connection("127.0.0.1", self._port)
        return self._server

    async def pass_on(self, request: bytes) -> None:
        """Pass a request on, and its answer as it comes."""
        reader, writer = await self.server()
        writer.write(request)
        await writer.drain()
        self._answers = asyncio.get_running_loop().create_task(self._pump(reader))

    async def _pump(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                self.writer.write(data)
                await self.writer.drain()
        self.writer.close()

    def close(self, *, reset: bool = False) -> None:
        """Close both sides; again is no error."""
        if self._answers is not None:
            self._answers.cancel()
        for writer in (self.writer, *(self._server or ())[1:]):
            if reset and not writer.is_closing():
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            writer.close()


async def message(reader: asyncio.StreamReader) -> bytes:
    """A whole HTTP message that tells its length, or that comes in chunks; b"" when the other side has left."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            return head + b"".join([chunk async for chunk in _chunks(reader)])
        length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        return head + await reader.readexactly(int(length[1]) if length else 0)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The chunks of a body, as they are on the wire, the last one included."""
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        yield line + await reader.readexactly(size + 2)
