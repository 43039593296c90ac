"""A small HTTP/1.1 server on the loopback interface: keep-alive, Content-Length bodies, nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

MAX_HEAD = 64 * 1024
MAX_BODY = 4 * 1024 * 1024


class Request(msgspec.Struct, frozen=True):
    """One request. `params` are the query's pairs and, for a form, the body's."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    content_type: str
    body: bytes

    def get(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return next((v for k, v in self.params if k == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(v for k, v in self.params if k == name)


class Response(msgspec.Struct, frozen=True):
    status: int = 200
    body: bytes = b""
    content_type: str = ""


def json_response(value: object, status: int = 200) -> Response:
    """Compact JSON with keys in the order given."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Response(status, text.encode() + b"\n", "application/json")


def text_response(text: str, status: int = 200) -> Response:
    return Response(status, text.encode(), "text/plain; charset=utf-8")


Handler = Callable[[Request], Response]


class _BadRequest(Exception):
    """The bytes are not a request that this server reads."""


class LoopbackServer:
    """Serves `handler` on a free port of 127.0.0.1. `now` dates the replies (wall seconds)."""

    def __init__(self, handler: Handler, now: Callable[[], float]) -> None:
        self._handler = handler
        self._now = now
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen; returns the base URL."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=MAX_HEAD)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Close the socket and every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or sent something endless: nobody is left to answer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return False
        try:
            method, target, headers = _head(head)
            size = _size(headers)
        except _BadRequest:
            self._write(writer, text_response("400 Bad Request", 400), keep=False, bare=False)
            return False
        body = await reader.readexactly(size) if size else b""
        keep = headers.get("connection", "").lower() != "close"
        response = self._handler(_request(method, target, headers, body))
        self._write(writer, response, keep=keep, bare=method == "HEAD")
        await writer.drain()
        return keep

    def _write(self, writer: asyncio.StreamWriter, response: Response, *, keep: bool, bare: bool) -> None:
        lines = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Date: {formatdate(self._now(), usegmt=True)}",
            f"Content-Length: {len(response.body)}",
        ]
        if response.content_type:
            lines.append(f"Content-Type: {response.content_type}")
        if not keep:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        writer.write(head if bare else head + response.body)


def _head(head: bytes) -> tuple[str, str, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    first = lines[0].split(" ")
    if len(first) != 3 or not first[2].startswith("HTTP/1."):
        raise _BadRequest
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return first[0], first[1], headers


def _size(headers: dict[str, str]) -> int:
    raw = headers.get("content-length", "0")
    if not raw.isdigit() or int(raw) > MAX_BODY or "transfer-encoding" in headers:
        raise _BadRequest
    return int(raw)


def _request(method: str, target: str, headers: dict[str, str], body: bytes) -> Request:
    parts = urlsplit(target)
    params: Sequence[tuple[str, str]] = parse_qsl(parts.query, keep_blank_values=True)
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/x-www-form-urlencoded":
        params = [*params, *parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)]
    return Request(method, unquote(parts.path), tuple(params), content_type, body)
