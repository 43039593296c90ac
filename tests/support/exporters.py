"""Things that a Prometheus scrapes: node-exporter, and an application with a native histogram."""

from __future__ import annotations

import struct
import threading
import urllib.error
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.servers import Server, http, require

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


class NodeExporter(Server):
    """Debian's node-exporter."""

    def command(self) -> Sequence[str]:
        return (require("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{self.port}")

    def _ready(self) -> bool:
        try:
            http("GET", f"{self.url}/metrics")
        except (urllib.error.URLError, OSError):
            return False
        return True


@contextmanager
def native_histogram(name: str, **labels: str) -> Iterator[str]:
    """host:port of an application with one native histogram, as client_golang exposes it: ten observations
    between 1/16 and 1/8 more at each scrape."""
    seen = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal seen
            seen += 10
            body = _family(name, labels, seen)
            self.send_response(200)
            self.send_header("Content-Type", PROTOBUF)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a scrape is no news."""

    with _serving(Handler) as place:
        yield place


@contextmanager
def gauge(name: str, value: Callable[[], float]) -> Iterator[str]:
    """host:port of an application with one gauge, whose value is asked for at each scrape."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"# TYPE {name} gauge\n{name} {value()}\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a scrape is no news."""

    with _serving(Handler) as place:
        yield place


@contextmanager
def webhook() -> Iterator[str]:
    """The URL of a receiver that takes every notification."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: it is only there to be reached."""

    with _serving(Handler) as place:
        yield f"http://{place}/"


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _family(name: str, labels: dict[str, str], count: int) -> bytes:
    """One length-delimited MetricFamily of client_model's metrics.proto, with one histogram of schema 0."""
    span = _varint_field(1, _zigzag(-3)) + _varint_field(2, 1)
    histogram = b"".join(
        (
            _varint_field(1, count),
            _key(2, 1) + struct.pack("<d", count * 0.1),
            _varint_field(5, _zigzag(0)),
            _key(6, 1) + struct.pack("<d", 1e-9),
            _bytes_field(12, span),
            _bytes_field(13, _varint(_zigzag(count))),
        )
    )
    pairs = b"".join(
        _bytes_field(1, _bytes_field(1, label.encode()) + _bytes_field(2, value.encode()))
        for label, value in sorted(labels.items())
    )
    family = (
        _bytes_field(1, name.encode()) + _varint_field(3, 4) + _bytes_field(4, pairs + _bytes_field(7, histogram))
    )
    return _varint(len(family)) + family


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint_field(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _bytes_field(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _varint(len(value)) + value
