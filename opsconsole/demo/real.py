"""Real Prometheus and Alertmanager on loopback ports, with the simulated application and a flag file."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from opsconsole.config.playbooks import find_playbook
from opsconsole.demo.accubooks import INSTANCE, JOB
from opsconsole.demo.compress import compressed_copy
from opsconsole.demo.embedded import PLAYBOOK, DemoEndpoints
from opsconsole.demo.exposition import history
from opsconsole.demo.processes import Child
from opsconsole.demo.release import FILE_NAME, initial_flags, write_flags
from opsconsole.demo.world import RELEASE_AFTER, World
from opsconsole.errors import OpsError, UsageError
from opsconsole.text import safe

PROGRAMS = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
"""Program -> the Debian package that has it."""

_CONFIG = """\
global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}}}
rule_files: [playbook/rules.yaml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}
scrape_configs:
  - job_name: {job}
    static_configs: [{{targets: ['127.0.0.1:{app}'], labels: {{instance: '{instance}'}}}}]
"""


def missing_programs() -> tuple[str, ...]:
    """The programs that are not on PATH."""
    return tuple(name for name in PROGRAMS if shutil.which(name) is None)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RealStack:
    """Starts everything in a private temporary folder and ends it by its own process ids.

    `compress` divides the rules' delays and range windows (1 leaves the playbook as it is and scrapes every
    15 s); `release_after` is when the release bot turns `new_pricing` on, seconds after the start, None for
    never. Use it as a context manager, or `start` and `stop`.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        compress: float = 10.0,
        release_after: float | None = RELEASE_AFTER,
        backfill: bool = True,
        playbook: Path | None = None,
        ready_within: float = 60.0,
    ) -> None:
        self._seed = seed
        self._compress = compress
        self._release_after = release_after
        self._backfill = backfill
        self._playbook = playbook
        self._ready_within = ready_within
        self._folder: Path | None = None
        self._children: list[Child] = []

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that it started and has not ended yet."""
        return tuple(child.pid for child in self._children)

    def __enter__(self) -> DemoEndpoints:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> DemoEndpoints:
        """Start and wait until all answer.

        Raises UsageError when a program is missing, OpsError when one does not start.
        """
        missing = missing_programs()
        if missing:
            packages = " ".join(sorted({PROGRAMS[name] for name in missing}))
            raise UsageError(
                f"not installed: {', '.join(missing)}",
                hint=f"apt install {packages}; or leave out --real, the embedded demo needs no server",
            )
        try:
            return self._start()
        except BaseException:  # ctrl+c included: nothing of it may be left behind
            self.stop()
            raise

    def stop(self) -> None:
        """End every process and remove the folder. May be called twice."""
        while self._children:
            self._children[-1].end()
            self._children.pop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _start(self) -> DemoEndpoints:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="opsconsole-demo-"))
        playbook = compressed_copy(self._playbook or find_playbook(PLAYBOOK), folder / "playbook", self._compress)
        flags = folder / FILE_NAME
        write_flags(flags, initial_flags())
        start = time.time()
        if self._backfill:
            self._write_history(folder, start)
        app = self._start_app(folder, flags, start)
        alertmanager = self._start_alertmanager(folder)
        prometheus = self._start_prometheus(folder, app, alertmanager)
        return DemoEndpoints(
            prometheus_url=f"http://127.0.0.1:{prometheus}",
            alertmanager_url=f"http://127.0.0.1:{alertmanager}",
            flags_file=flags,
            directory=folder,
            playbook=str(playbook),
            label=f"DEMO ({self._compress:g}x faster)" if self._compress != 1.0 else "DEMO",
            note=f"real servers; delays and rate windows of the playbook are divided by {self._compress:g}",
        )

    def _write_history(self, folder: Path, start: float) -> None:
        source = folder / "history.om"
        with source.open("w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in history(World(seed=self._seed, start=start)))
        done = subprocess.run(
            [
                "promtool",
                "tsdb",
                "create-blocks-from",
                "openmetrics",
                "--quiet",
                str(source),
                str(folder / "tsdb"),
            ],
            capture_output=True,
            check=False,
            timeout=self._ready_within,
        )
        if done.returncode:
            raise OpsError(
                f"promtool could not write the history: {safe(done.stderr.decode('utf-8', 'replace'), 400)}"
            )
        source.unlink()

    def _child(self, name: str, command: list[str]) -> Child:
        assert self._folder is not None
        child = Child(name, command, self._folder / f"{name}.log", self._folder)
        self._children.append(child)
        return child

    def _start_app(self, folder: Path, flags: Path, start: float) -> int:
        ready = folder / "app.port"
        command = [
            sys.executable,
            "-P",
            "-m",
            "opsconsole.demo.app",
            "--flags",
            str(flags),
            "--ready",
            str(ready),
        ]
        command += ["--seed", str(self._seed), "--start", repr(start)]
        if self._release_after is not None:
            command += ["--release-after", str(self._release_after)]
        child = self._child("app", command)
        deadline = time.monotonic() + self._ready_within
        while not (ready.exists() and ready.read_text("utf-8")):
            self._wait(child, deadline)
        return int(ready.read_text("utf-8"))

    def _start_alertmanager(self, folder: Path) -> int:
        port = free_port()
        command = [
            "prometheus-alertmanager",
            "--config.file=playbook/alertmanager.yaml",
            "--storage.path=alerts",
        ]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        self._until_ready(self._child("alertmanager", command), port)
        return port

    def _start_prometheus(self, folder: Path, app: int, alertmanager: int) -> int:
        port = free_port()
        interval = "15s" if self._compress == 1.0 else "1s"
        config = _CONFIG.format(interval=interval, alertmanager=alertmanager, app=app, job=JOB, instance=INSTANCE)
        (folder / "prometheus.yml").write_text(config, "utf-8")
        command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
        command += ["--storage.tsdb.retention.time=2d", f"--web.listen-address=127.0.0.1:{port}"]
        command += [
            "--storage.tsdb.wal-compression",
            "--web.console.templates=.",
            "--web.console.libraries=.",
        ]
        if self._compress != 1.0:
            command += ["--rules.alert.resend-delay=1s"]
        self._until_ready(self._child("prometheus", command), port)
        return port

    def _until_ready(self, child: Child, port: int) -> None:
        deadline = time.monotonic() + self._ready_within
        while not _is_ready(port):
            self._wait(child, deadline)

    @staticmethod
    def _wait(child: Child, deadline: float) -> None:
        child.check()
        if time.monotonic() > deadline:
            raise OpsError(f"{child.name} did not become ready in time")
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
