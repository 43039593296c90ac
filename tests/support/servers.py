"""Real Prometheus and Alertmanager processes on free loopback ports, each in its own folder.

They are waited for by polling `/-/ready` and ended by their own process id. A missing program is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "tmux": "tmux",
    "redis-server": "redis-server",
    "setpriv": "util-linux",
    "node": "nodejs npm",
}
"""The Debian package of each program that tests run."""

START_LIMIT = 30.0
STOP_LIMIT = 10.0

ALERTMANAGER_CONFIG = """\
route:
  receiver: nobody
  group_by: [alertname]
  group_wait: 1s
receivers:
  - name: nobody
"""

PROMETHEUS_CONFIG = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["%(self)s"]}]
"""

# The defaults are made for wide networks. The last one mends what was said to a member that had just died.
GOSSIP = ("--cluster.settle-timeout=1s", "--cluster.gossip-interval=50ms", "--cluster.pushpull-interval=2s")

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def require(binary: str) -> str:
    """The path of a program. Fails the test, never skips it, when it is missing."""
    path = shutil.which(binary)
    if path is None:
        pytest.fail(f"{binary} is not installed: apt-get install {PACKAGES.get(binary, binary)}", pytrace=False)
    return path


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def wait_for(condition: Callable[[], bool], limit: float, what: str, every: float = 0.05) -> None:
    """Poll until the condition holds; fails the test after `limit` seconds, naming `what`."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"no {what} within {limit:g} s")
        time.sleep(every)


def http(method: str, url: str, data: object = None) -> bytes:
    """One request without the clients under test. Raises urllib.error.URLError."""
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    with _OPENER.open(request, timeout=20) as reply:
        answer: bytes = reply.read()
        return answer


class Server:
    """One process. `start` waits until it is ready; `stop` ends it; both may be called again."""

    start_limit = START_LIMIT
    stop_signal = signal.SIGTERM

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str] | None:
        """The process's environment, None for that of the tests. Asked for after `command`."""
        return None

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self.environment(),
            )
        try:
            wait_for(self._ready, self.start_limit, f"ready {type(self).__name__} ({self.url})")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(self.stop_signal)
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_LIMIT)

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL): what it had only in memory is gone. `start` brings it back
        on the same port and folder."""
        process, self._process = self._process, None
        assert process is not None, "not running"
        process.kill()
        process.wait(STOP_LIMIT)

    def pause(self) -> None:
        """Stop the process without ending it: it takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # The signal is on its way until the parent is told: a quick request would still be answered.
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"{type(self).__name__} ended instead of stopping"

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"{type(self).__name__} ended while starting:\n{self.log()[-2000:]}")
        return self._answers()

    def _answers(self) -> bool:
        """Whether it is ready to be used. Asked until it is."""
        try:
            http("GET", f"{self.url}/-/ready")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Alertmanager(Server):
    """One Alertmanager; a member of a cluster when `gossip` is a port and `peers` are those of the others."""

    def __init__(
        self,
        directory: Path,
        *,
        config: str | Path = ALERTMANAGER_CONFIG,
        gossip: int | None = None,
        peers: Iterable[int] = (),
    ) -> None:
        super().__init__(directory)
        self._config = config
        self._gossip = gossip
        self._peers = tuple(peers)

    def command(self) -> Sequence[str]:
        gossip = f"127.0.0.1:{self._gossip}" if self._gossip is not None else ""
        return (
            require("prometheus-alertmanager"),
            f"--config.file={_config_file(self.directory, self._config)}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--cluster.listen-address={gossip}",
            *(f"--cluster.peer=127.0.0.1:{peer}" for peer in self._peers),
            *(GOSSIP if gossip else ()),
        )

    def post_alerts(self, alerts: Sequence[object]) -> None:
        """Post alerts in the shape of the v2 API (`labels`, `annotations`, …)."""
        http("POST", f"{self.url}/api/v2/alerts", alerts)


class Prometheus(Server):
    """One Prometheus. In a config text, `%(self)s` becomes its own host:port; `rules` is written to
    `rules.yaml` beside the config, `alertmanagers` are host:port pairs that it sends to, and `retention` is how
    long it keeps what it has, when not for the usual time."""

    def __init__(
        self,
        directory: Path,
        *,
        config: str | Path = PROMETHEUS_CONFIG,
        rules: str = "",
        alertmanagers: Sequence[str] = (),
        retention: str = "",
    ) -> None:
        super().__init__(directory)
        self._config = config
        self._retention = retention
        self._rules = rules
        self._alertmanagers = tuple(alertmanagers)

    def command(self) -> Sequence[str]:
        config = self._config
        if isinstance(config, str):
            config = config.replace("%(self)s", f"127.0.0.1:{self.port}")
            if self._rules:
                (self.directory / "rules.yaml").write_text(self._rules)
                config += "rule_files: [rules.yaml]\n"
            if self._alertmanagers:
                targets = json.dumps(self._alertmanagers)
                config += f"alerting: {{alertmanagers: [{{static_configs: [{{targets: {targets}}}]}}]}}\n"
        return (
            require("prometheus"),
            f"--config.file={_config_file(self.directory, config)}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
            *((f"--storage.tsdb.retention.time={self._retention}",) if self._retention else ()),
        )

    def reload(self) -> None:
        """Read the configuration and rules again."""
        http("POST", f"{self.url}/-/reload")


class AlertmanagerClusterOf:
    """A gossip cluster of real members, in `members`."""

    def __init__(self, directory: Path, size: int, *, config: str | Path = ALERTMANAGER_CONFIG) -> None:
        gossip = [free_port() for _ in range(size)]
        self.members = tuple(
            Alertmanager(
                directory / f"member-{i}",
                config=config,
                gossip=port,
                peers=[other for other in gossip if other != port],
            )
            for i, port in enumerate(gossip)
        )

    def start(self) -> None:
        try:
            for member in self.members:
                member.start()
            wait_for(self._settled, START_LIMIT, "settled cluster")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for member in self.members:
            member.stop()

    def _settled(self) -> bool:
        for member in self.members:
            cluster = json.loads(http("GET", f"{member.url}/api/v2/status"))["cluster"]
            if cluster["status"] != "ready" or len(cluster["peers"]) != len(self.members):
                return False
        return True


def _config_file(directory: Path, config: str | Path) -> Path:
    if isinstance(config, Path):
        return config
    path = directory / "config.yaml"
    path.write_text(config)
    return path
