"""`opsconsole check` against a Prometheus with 10,000 series a metric, 200 rules and 500 targets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.asked import asked_by, one_curl
from bench.processes import PROGRAM, ratio_of
from opsconsole.demo.processes import Child
from opsconsole.demo.real import free_port

SERIES, METRICS, RULES, TARGETS = 10_000, 3, 200, 500
OF_CURL = 2.0
READY = 180.0


def main(runs: int = 5) -> None:
    folder = Path(tempfile.mkdtemp(prefix="opsconsole-bench-"))
    server = ThreadingHTTPServer(("0.0.0.0", 0), _Exporter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    prometheus, alertmanager = free_port(), free_port()
    children: list[Child] = []
    try:
        _write_files(folder, server.server_address[1], alertmanager)
        children += _started(folder, prometheus, alertmanager)
        url = f"http://127.0.0.1:{prometheus}"
        _wait_until_loaded(url)
        _compare(url, f"http://127.0.0.1:{alertmanager}", folder / "large", runs)
    finally:
        for child in children:
            child.end()
        server.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _compare(prometheus: str, alertmanager: str, playbook: Path, runs: int) -> None:
    argv = ["check", "--prometheus", prometheus, "--alertmanager", alertmanager, "--playbook", str(playbook)]
    requests = asked_by(argv)
    pairs, peak = [], 0
    for _ in range(runs + 1):
        ours, memory = _measured([PROGRAM, *argv], ok=(0, 1, 2))
        theirs, _ = _measured(one_curl(requests), ok=(0,))
        pairs.append((ours, theirs))
        peak = max(peak, memory)
    found = ratio_of(pairs[1:])
    size = f"{METRICS} x {SERIES:,} series, {RULES} rules, {TARGETS} targets"
    what = f"check of {size} ({peak / 1024:.0f} MiB at most) against one curl of the same {len(requests)} URLs"
    print(found.line(what, OF_CURL), flush=True)


def _measured(command: Sequence[str], *, ok: Sequence[int]) -> tuple[float, int]:
    """Wall seconds and peak resident KiB of one process."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(child.pid, 0)
    spent = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.stderr is not None
    said = child.stderr.read().decode(errors="replace")
    child.stderr.close()
    if child.returncode not in ok:
        raise RuntimeError(f"{command[0]} exited {child.returncode}: {said[-500:]}")
    return spent, usage.ru_maxrss


class _Exporter(BaseHTTPRequestHandler):
    """A target: the first one has the many series, every one a small one."""

    body = "".join(
        f"# TYPE big_{m} gauge\n"
        + "".join(
            f'big_{m}{{path="/api/v1/thing/{i}",code="200",pod="pod-{i % 40}"}} {i % 97}\n' for i in range(SERIES)
        )
        for m in range(METRICS)
    ).encode()

    def do_GET(self) -> None:
        body = self.body if self.path == "/big" else b"# TYPE small gauge\nsmall 1\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Not a word."""


def _write_files(folder: Path, port: int, alertmanager: int) -> None:
    many = [f"127.0.{1 + n // 250}.{1 + n % 250}:{port}" for n in range(TARGETS - 1)]
    config = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [str(folder / "large" / "rules.yaml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
        "scrape_configs": [
            {"job_name": "many", "static_configs": [{"targets": many}]},
            {"job_name": "big", "metrics_path": "/big", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]},
        ],
    }
    rules = [
        {"alert": f"Large{n:03}", "expr": f"small > {n + 1}", "for": "1m", "labels": {"severity": "warning"}}
        for n in range(RULES)
    ]
    panels = [
        {
            "id": f"big-{m}",
            "title": f"Big {m}",
            "kind": "number",
            "queries": [{"legend": "worst", "expr": f"big_{m}"}],
            "thresholds": [{"level": "warning", "above": 1000}],
        }
        for m in range(METRICS)
    ]
    playbook = {
        "system": "large",
        "title": "Large",
        "jobs": [{"name": "many", "instances": TARGETS - 1}, {"name": "big", "instances": 1}],
        "alerts": {f"Large{n:03}": {"response": "5m"} for n in range(RULES)},
        "dashboards": [{"id": "main", "title": "Main", "groups": [{"title": "Big", "panels": panels}]}],
    }
    (folder / "large").mkdir()
    # JSON is YAML.
    (folder / "prometheus.yml").write_text(json.dumps(config))
    (folder / "alertmanager.yml").write_text(
        json.dumps({"route": {"receiver": "n"}, "receivers": [{"name": "n"}]})
    )
    (folder / "large" / "rules.yaml").write_text(json.dumps({"groups": [{"name": "large", "rules": rules}]}))
    (folder / "large" / "playbook.yaml").write_text(json.dumps(playbook))


def _started(folder: Path, prometheus: int, alertmanager: int) -> list[Child]:
    commands = {
        "prometheus": [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ],
        "alertmanager": [
            "prometheus-alertmanager",
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'am'}",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ],
    }
    return [Child(name, command, folder / f"{name}.log", folder) for name, command in commands.items()]


def _wait_until_loaded(url: str) -> None:
    """Until every target was scraped and every rule evaluated."""
    begin = time.monotonic()
    while time.monotonic() - begin < READY:
        try:
            up = _value(url, "count(up == 1)")
            big = _value(url, f"count(big_{METRICS - 1})")
            with urllib.request.urlopen(f"{url}/api/v1/rules", timeout=10) as reply:
                groups = json.load(reply)["data"]["groups"]
            healthy = sum(rule["health"] == "ok" for group in groups for rule in group["rules"])
            if (up, big, healthy) == (TARGETS, SERIES, RULES):
                return
        except OSError:
            pass
        time.sleep(1)
    raise RuntimeError(f"Prometheus was not loaded within {READY:g} s")


def _value(url: str, expr: str) -> int:
    with urllib.request.urlopen(f"{url}/api/v1/query?query={urllib.parse.quote(expr)}", timeout=10) as reply:
        result = json.load(reply)["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


if __name__ == "__main__":
    main()
