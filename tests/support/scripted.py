"""A scripted HTTP server on loopback, for the faults that real servers do not show on demand.

    async with ScriptedServer() as server:
        server.on("/api/v2/alerts", json_reply([]), hang())      # first, then (the last one stays)
        server.on("*", text_reply("no", status=404))             # every other path
        ... ask server.url ...
        assert server.requests[0].path == "/api/v2/alerts"

It writes bytes, not HTTP as a library sees it, so reason phrases, headers and bodies can be anything.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Received:
    """One request. Header names are in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """A form-encoded body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Say:
    """One reply. Times are seconds.

    `cut` sends only that many bytes of the body under the full Content-Length; `drip` sends `body`, then
    that chunk again and again every `interval` until the client leaves; `hang` never answers; `raw` replaces
    the status line, headers and body; `close` closes the connection after the reply.
    """

    status: int = 200
    reason: bytes = b"OK"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay: float = 0.0
    cut: int | None = None
    drip: bytes = b""
    interval: float = 0.01
    hang: bool = False
    raw: bytes | None = None
    close: bool = False


Answer = Say | Callable[[Received], Say]


def json_reply(data: object, *, status: int = 200, **more: object) -> Say:
    """A JSON document."""
    return replace(_typed(json.dumps(data).encode(), "application/json"), status=status, **more)  # type: ignore[arg-type]


def text_reply(text: str | bytes, *, status: int = 200, **more: object) -> Say:
    """Plain text."""
    body = text if isinstance(text, bytes) else text.encode()
    return replace(_typed(body, "text/plain; charset=utf-8"), status=status, **more)  # type: ignore[arg-type]


def gzip_reply(plain: bytes) -> Say:
    """A gzipped JSON body."""
    packed = gzip.compress(plain)
    return Say(body=packed, headers=(("Content-Type", "application/json"), ("Content-Encoding", "gzip")))


def prometheus_reply(result: object, kind: str = "vector", **envelope: object) -> Say:
    """A successful query reply."""
    return json_reply({"status": "success", "data": {"resultType": kind, "result": result}, **envelope})


def hang() -> Say:
    """Take the request and never answer."""
    return Say(hang=True)


def drip(chunk: bytes = b" ", interval: float = 0.01) -> Say:
    """A body that never ends."""
    return Say(drip=chunk, interval=interval, headers=(("Content-Type", "application/json"),))


def cut_short(data: object, keep: int = 10) -> Say:
    """A JSON document of which only `keep` bytes arrive before the connection closes."""
    return replace(json_reply(data), cut=keep)


def raw(reply: bytes) -> Say:
    """These bytes and nothing else, then the connection closes."""
    return Say(raw=reply, close=True)


def _typed(body: bytes, content_type: str) -> Say:
    return Say(body=body, headers=(("Content-Type", content_type),))


@dataclass
class _Script:
    answers: list[Answer] = field(default_factory=list)

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class ScriptedServer:
    """Listens on a free loopback port between `start` and `stop` (or in `async with`)."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._scripts: dict[str, _Script] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def on(self, path: str, *answers: Answer) -> None:
        """Answer a path with these in turn, the last for ever. `*` is every path that has no answers."""
        self._scripts[path] = _Script(list(answers))

    def asked(self, path: str) -> list[Received]:
        """The requests to a path so far."""
        return [r for r in self.requests if r.path == path]

    async def start(self) -> ScriptedServer:
        """Listen; after `stop`, on the same port again."""
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Stop listening and drop every connection: the port refuses from here on."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if server is not None:
            await asyncio.wait_for(server.wait_closed(), 5)

    async def __aenter__(self) -> ScriptedServer:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (received := await _read(reader)) is not None:
                self.requests.append(received)
                if not await self._answer(self._find(received), writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.close()

    def _find(self, received: Received) -> Say:
        script = self._scripts.get(received.path) or self._scripts.get("*")
        if script is None:
            return Say(404, b"Not Found", body=b"nothing is scripted for this path")
        answer = script.next()
        return answer(received) if callable(answer) else answer

    async def _answer(self, say: Say, writer: asyncio.StreamWriter) -> bool:
        """Write one reply; whether the connection stays open."""
        if say.delay:
            await asyncio.sleep(say.delay)
        if say.hang:
            await asyncio.Event().wait()
        if say.raw is not None:
            writer.write(say.raw)
        else:
            writer.write(_head(say))
            writer.write(say.body if say.cut is None else say.body[: say.cut])
        await writer.drain()
        while say.drip:
            writer.write(say.drip)
            await writer.drain()
            await asyncio.sleep(say.interval)
        return not say.close and say.cut is None


def _head(say: Say) -> bytes:
    lines = [b"HTTP/1.1 %d %s" % (say.status, say.reason)]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in say.headers]
    if not say.drip:
        lines.append(b"Content-Length: %d" % len(say.body))
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers: dict[str, str] = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Received(method, parts.path, query, headers, body)


@contextmanager
def refusing_url() -> Iterator[str]:
    """A URL whose port refuses connections: bound, so nobody else gets it, and not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
