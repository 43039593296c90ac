"""A proxy on loopback that counts what passes, answers in place of the server, or loses answers to writes."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

READS = ("GET", "HEAD")


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Instead = Callable[[str, str], Said | None]


@dataclass
class CountingProxy:
    """Passes on to a port of this machine. `asked` are the requests (`GET /path`) and the status of what the
    server said to each, in order. `instead` may answer a request (method, path) in its place: it then never
    arrives."""

    upstream: int
    instead: Instead = lambda method, path: None
    lose_answers_to_writes: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = field(default=None, init=False)
    _closed: threading.Event = field(default_factory=threading.Event, init=False)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def writes(self) -> int:
        """How many requests to change something the server has got."""
        return sum(request.split()[0] not in READS for request, _ in self.asked)

    def open(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._pass_on(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a request is no news."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        said = self.instead(handler.command, handler.path)
        if said is None:
            said = self._server_says(handler, body)
            if self.lose_answers_to_writes and handler.command not in READS:
                self._closed.wait(60)
                handler.close_connection = True
                return
        with contextlib.suppress(OSError):
            handler.send_response_only(said.status)
            for name, value in said.headers.items():
                handler.send_header(name, value)
            if said.status != 304:
                handler.send_header("Content-Length", str(len(said.body)))
            handler.end_headers()
            handler.wfile.write(said.body)

    def _server_says(self, handler: BaseHTTPRequestHandler, body: bytes) -> Said:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        try:
            dropped = ("connection", "host", "content-length", "accept-encoding")
            headers = {name: value for name, value in handler.headers.items() if name.lower() not in dropped}
            connection.request(handler.command, handler.path, body, headers)
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        self.asked.append((f"{handler.command} {handler.path}", reply.status))
        kept = ("etag", "content-type", "retry-after", "date")
        return Said(reply.status, content, {n: v for n, v in reply.getheaders() if n.lower() in kept})

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
