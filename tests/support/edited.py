"""A proxy on loopback that edits the answers of a real server; over TLS when it has a certificate."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Answer:
    """What the server said to a request for `path` with `asked` as its body. `skew` is the seconds that the date
    of the answer is ahead, `delay` those that it takes longer."""

    path: str
    asked: str
    status: int
    body: bytes
    kind: str
    skew: float = 0.0
    delay: float = 0.0

    def saying(self, status: int, text: str) -> Answer:
        return replace(self, status=status, body=text.encode(), kind="text/plain")

    def replaced(self, old: str, new: str) -> Answer:
        return replace(self, body=self.body.replace(old.encode(), new.encode()))


Edit = Callable[[Answer], Answer]


@dataclass
class EditedServer:
    """Listens between `open` and `close` on a port that it keeps."""

    upstream: int
    edit: Edit = lambda answer: answer
    port: int = 0
    certificate: Path | None = None
    _server: ThreadingHTTPServer | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def open(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._pass_on(self)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a request is no news."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.certificate.with_suffix(".key"))
            # The handshake belongs to the thread of the connection: one that fails must not end the server.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_port
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=20)
        try:
            kind = handler.headers.get("Content-Type", "text/plain")
            connection.request(handler.command, handler.path, body, {"Content-Type": kind})
            reply = connection.getresponse()
            said, found = reply.read(), reply.headers.get("Content-Type", "text/plain")
            answer = self.edit(Answer(handler.path, body.decode(), reply.status, said, found))
        except (OSError, http.client.HTTPException):  # it is gone: as without us, there is no answer
            handler.close_connection = True
            return
        finally:
            connection.close()
        time.sleep(answer.delay)
        with contextlib.suppress(OSError):
            handler.send_response_only(answer.status)
            handler.send_header("Date", formatdate(time.time() + answer.skew, usegmt=True))
            handler.send_header("Content-Type", answer.kind)
            handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def certificate(folder: Path, name: str, days: int) -> Path:
    """A self-made certificate for 127.0.0.1 that ends in so many days, which may be over; its key is beside it."""
    path, request, extension = folder / f"{name}.pem", folder / f"{name}.csr", folder / "san.cnf"
    extension.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE\n")
    key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        path.with_suffix(".key"),
    ]
    _openssl("req", "-new", *key, "-subj", "/CN=127.0.0.1", "-out", request)
    made = ["-in", request, "-signkey", path.with_suffix(".key"), "-extfile", extension, "-out", path]
    _openssl("x509", "-req", "-days", str(days), *made)
    return path


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
