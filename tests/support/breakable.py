"""A whole context that can be broken one thing at a time: two Alertmanagers that gossip, a Prometheus, an
application with a metric and a health check, a flag file and a playbook; and `opsconsole check` on it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from opsconsole.cli.main import main
from tests.support.servers import AlertmanagerClusterOf, Prometheus, free_port, http

GROUPS = ("sources.alertmanager", "alertmanager", "alerts", "thresholds", "probes", "flags", "runbooks")

PLAYBOOK = """\
system: shop
title: Shop
deadman: Watchdog
severities: [critical, high, warning, info]
response: {{critical: 30m, high: 1h, warning: 2h}}
acknowledge: {{critical: 15m, high: 30m, warning: 30m}}
probes:
  - {{name: health, url: '{app}/health', timeout: 1s, latency: 300ms, contains: '"ok"'}}
  - {{name: door, url: '{door}/', timeout: 1s}}
dashboards:
  - id: main
    groups:
      - title: Load
        panels:
          - id: load
            kind: gauge
            queries: [{{expr: 'shop_load'}}]
            thresholds: [{{level: warning, above: 5}}, {{level: critical, above: 10}}]
          - id: lasting
            kind: gauge
            queries: [{{expr: 'shop_lasting'}}]
            thresholds: [{{level: critical, above: 5, for: 1h}}]
          - id: quiet
            kind: gauge
            empty: ok
            queries: [{{expr: 'shop_load > 100'}}]
            thresholds: [{{level: critical, above: 100}}]
"""

ROUTES = """\
    - {matchers: ['severity="critical"'], receiver: pager}
    - {matchers: ['severity="high"'], receiver: pager}
    - {matchers: ['severity="warning"'], receiver: chat}
    - {matchers: ['severity="info"'], receiver: log}
"""

RULE = """\
inhibit_rules:
  - {source_matchers: ['alertname="Root"'], target_matchers: ['alertname="Leaf"']}
"""


class Door:
    """An HTTP server of a port that it keeps: `says` is status, body and seconds that it takes."""

    def __init__(self) -> None:
        self.port = free_port()
        self.says: tuple[int, str, float] = (200, '{"status": "ok"}', 0.0)
        self.metrics = "shop_load 1\nshop_lasting 1\n"
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text, seconds = (200, door.metrics, 0.0) if self.path == "/metrics" else door.says
                time.sleep(seconds)
                with contextlib.suppress(ConnectionError):
                    self._say(status, text)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._say(200, "")

            def _say(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a request is no news."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class Breakable:
    """Everything, running and well. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app, self.door = Door(), Door()
        self.routing = folder / "alertmanager.yml"
        self.flags = folder / "flags.json"
        self.playbook = folder / "shop"
        self._config = folder / "config.yaml"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for door in (self.app, self.door):
                door.open()
                stack.callback(door.close)
            self.route()
            self.cluster = AlertmanagerClusterOf(self.folder / "cluster", 2, config=self.routing)
            self.members = self.cluster.members
            stack.callback(self.cluster.stop)
            self.cluster.start()
            scrape = f'{{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{self.app.port}"]}}]}}'
            config = f"global: {{scrape_interval: 1s}}\nscrape_configs: [{scrape}]\n"
            self.prometheus = stack.enter_context(Prometheus(self.folder / "prometheus", config=config))
            self._write()
            self.watch()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _write(self) -> None:
        self.playbook.mkdir()
        (self.playbook / "playbook.yaml").write_text(PLAYBOOK.format(app=self.app.url, door=self.door.url))
        self.flag()
        urls = ", ".join(member.url for member in self.members)
        self._config.write_text(
            "contexts:\n  test:\n"
            f"    playbooks: ['{self.playbook}']\n"
            f"    prometheus: {{url: '{self.prometheus.url}'}}\n"
            f"    alertmanager: [{{name: main, members: [{urls}]}}]\n"
            f"    flags: {{provider: flagd, path: '{self.flags}'}}\n"
            "current_context: test\n"
        )

    def check(self) -> dict[str, dict[str, Any]]:
        """What `opsconsole check` says of the groups of GROUPS, by id."""
        out, err = io.StringIO(), io.StringIO()
        argv = [f"--config={self._config}", "check", "--format=json", *(f"--only={group}" for group in GROUPS)]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(argv)
        assert out.getvalue(), err.getvalue()
        return {check["id"]: check for check in json.loads(out.getvalue())["checks"]}

    def route(self, routes: str = ROUTES, *, pager: str = "", wait: str = "1s", extra: str = "") -> None:
        """Write the configuration of the Alertmanagers; `pager` is what that receiver has."""
        told = pager or f"webhook_configs: [{{url: '{self.app.url}/'}}]"
        self.routing.write_text(
            f"route:\n  receiver: chat\n  group_wait: {wait}\n  group_interval: 1s\n  routes:\n{routes}{RULE}"
            f"receivers:\n  - {{name: pager, {told}}}\n"
            f"  - {{name: chat, webhook_configs: [{{url: '{self.app.url}/'}}]}}\n"
            f"  - {{name: log, {told}}}\n{extra}"
        )

    def reload(self, *members: int) -> bool:
        """Let the members, all unless some are named, read their configuration; whether they took it."""
        took = True
        for member in members or range(len(self.members)):
            try:
                http("POST", f"{self.members[member].url}/-/reload")
            except urllib.error.HTTPError:
                took = False
        return took

    def watch(self, *members: int) -> None:
        """Let the dead-man alert arrive at the members."""
        self.fire("Watchdog", "none", members=members)

    def fire(
        self, name: str, severity: str, *, ago: float = 0.0, lasts: float = 3600.0, members: tuple[int, ...] = ()
    ) -> None:
        """Post an alert to the members that began `ago` seconds ago and ends in `lasts`."""
        now = time.time()
        alert = {
            "labels": {"alertname": name, "severity": severity},
            "startsAt": _iso(now - ago),
            "endsAt": _iso(now + lasts),
        }
        for member in members or range(len(self.members)):
            self.members[member].post_alerts([alert])

    def end(self, name: str, severity: str) -> None:
        """Let an alert be over."""
        self.fire(name, severity, ago=7200.0, lasts=-1.0)

    def silence(self, name: str, comment: str = "deploying", *, lasts: float = 900.0, member: int = 0) -> None:
        """Silence an alert by its name."""
        now = time.time()
        body = {
            "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
            "startsAt": _iso(now),
            "endsAt": _iso(now + lasts),
            "createdBy": "ann",
            "comment": comment,
        }
        http("POST", f"{self.members[member].url}/api/v2/silences", body)

    def unsilence(self) -> None:
        """Expire every silence."""
        for member in self.members:
            for silence in json.loads(http("GET", f"{member.url}/api/v2/silences")):
                if silence["status"]["state"] != "expired":
                    http("DELETE", f"{member.url}/api/v2/silence/{silence['id']}")

    def restart(self, member: int, **changed: str) -> None:
        """Start a member again, with `--cluster.…` options changed ("" leaves one out); without any, as it was."""
        server = self.members[member]
        server.stop()
        server.__dict__.pop("command", None)
        command = list(server.command())
        for name, value in changed.items():
            flag = f"--cluster.{name.replace('_', '-')}="
            command = [o for o in command if not o.startswith(flag)] + ([f"{flag}{value}"] if value else [])
        server.__dict__["command"] = lambda: command
        server.start()
        server.__dict__.pop("command", None)
        self.watch(member)

    def flag(self, *, ago: float = 7200.0, text: str = "") -> None:
        """Write the flag file as it was written `ago` seconds ago."""
        flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
        self.flags.write_text(text or json.dumps({"flags": {"new": flag}}))
        at = time.time() - ago
        os.utime(self.flags, (at, at))


@contextlib.contextmanager
def breakable(folder: Path) -> Iterator[Breakable]:
    """A stack that is well, in a folder."""
    with Breakable(folder) as stack:
        yield stack


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
