"""A proxy before one member of a cluster, that tells how far each request is and dies with the member."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum

from tests.support.fault_proxy import message


class Passage(Enum):
    """How far a request is: it has come and nothing was passed on, half of it was, its answer is here."""

    ARRIVED = "arrived"
    HALF = "half passed on"
    ANSWERED = "answered"


Watch = Callable[[Passage, bytes], Awaitable[None]]


class MemberProxy:
    """Passes whole requests on to one port, one at a time for each connection, and tells `watch` of each passage.
    Not listening while it is `down`; it comes back `up` on the same port."""

    def __init__(self, port: int, watch: Watch) -> None:
        self._upstream = port
        self._watch = watch
        self._listening: socket.socket | None = None
        self._taken: set[socket.socket] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def up(self) -> None:
        """Listen; on the port of the last time when there was one."""
        # Not asyncio's server: it loses a connection that comes while it is being closed, without closing it.
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listening, self._take, self._listening)

    def down(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None
        for taken in self._taken:
            with suppress(OSError):
                # At once, as the kernel does for a process that died; the transports close a moment later.
                taken.shutdown(socket.SHUT_RDWR)
        for writer in self._writers:
            writer.transport.abort()

    async def aclose(self) -> None:
        self.down()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for taken in self._taken:
            taken.close()

    def _take(self, listening: socket.socket) -> None:
        try:
            taken, _ = listening.accept()
        except OSError:
            return  # it has left again
        self._taken.add(taken)
        task = asyncio.get_running_loop().create_task(self._serve(taken))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, taken: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=taken)
        except OSError:
            taken.close()
            self._taken.discard(taken)
            return
        self._writers.add(writer)
        server: asyncio.StreamWriter | None = None
        try:
            while request := await message(reader):
                await self._watch(Passage.ARRIVED, request)
                if server is None:
                    answers, server = await asyncio.open_connection("127.0.0.1", self._upstream)
                    self._writers.add(server)
                if not await self._exchange(request, answers, server, writer):
                    break
        except OSError:
            pass  # one of both is gone
        finally:
            for end in (writer, *((server,) if server is not None else ())):
                self._writers.discard(end)
                end.close()
            self._taken.discard(taken)

    async def _exchange(
        self,
        request: bytes,
        answers: asyncio.StreamReader,
        server: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
    ) -> bool:
        half = len(request) // 2
        server.write(request[:half])
        await server.drain()
        await self._watch(Passage.HALF, request)
        server.write(request[half:])
        await server.drain()
        answer = await message(answers)
        if not answer:
            return False
        await self._watch(Passage.ANSWERED, request)
        client.write(answer)
        await client.drain()
        return True
