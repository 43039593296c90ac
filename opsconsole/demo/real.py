"""Real Prometheus and Alertmanager on loopback ports, with a simulated application and a flag file.

The servers run with the playbook's own files: its rules and its routing with shorter delays (what exactly is in
`compress.py`), and its `stack/prometheus.yml` with other addresses and intervals (`stackfile.py`). The application
hears what goes to the routing's placeholders for pagers and chats (`heard.py`).
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from opsconsole.config.playbooks import find_playbook
from opsconsole.demo.backfill import shortest_window, write_history
from opsconsole.demo.compress import INTERVAL, compressed_copy
from opsconsole.demo.embedded import PLAYBOOK, DemoEndpoints
from opsconsole.demo.heard import receivers_on_loopback
from opsconsole.demo.probes import on_loopback as probes_on_loopback
from opsconsole.demo.processes import Child
from opsconsole.demo.release import FILE_NAME, flag_file, write_flags
from opsconsole.demo.stackfile import on_loopback, read_stack, static_labels
from opsconsole.demo.systems.base import System
from opsconsole.demo.systems.registry import find_system
from opsconsole.demo.world import RELEASE_AFTER
from opsconsole.errors import OpsError, UsageError
from opsconsole.text import safe

PROGRAMS = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
"""Program -> the Debian package that has it."""


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

    `system` is a simulated system and its shipped playbook; `playbook` is another folder for it. `compress`
    divides the rules' delays and range windows (1 leaves the playbook and the intervals of its stack as they
    are); `release_after` is when the release bot turns the system's flag on, seconds after the start, None for
    never. Use it as a context manager, or `start` and `stop`; in between `fault` and `heal` make it fail.
    """

    def __init__(
        self,
        *,
        system: str = PLAYBOOK,
        seed: int = 7,
        compress: float = 10.0,
        release_after: float | None = RELEASE_AFTER,
        backfill: bool = True,
        playbook: Path | None = None,
        ready_within: float = 60.0,
    ) -> None:
        self._system = system
        self._seed = seed
        self._compress = compress
        self._release_after = release_after
        self._backfill = backfill
        self._playbook = playbook
        self._ready_within = ready_within
        self._folder: Path | None = None
        self._control = 0
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

        Raises UsageError when a program is missing or the system is unknown, OpsError when prometheus-client is
        missing or a program does not start.
        """
        system = find_system(self._system)
        _need_programs()
        try:
            return self._start(system)
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

    def fault(self, name: str, level: float = 1.0) -> None:
        """Turn a fault of the system on by `level` (0 to 1). Raises OpsError for a fault that it does not have."""
        status, body = _ask(self._control, "POST", f"/faults/{name}", {"level": level})
        if status != 200:
            raise OpsError(f"the application answers {status}: {safe(body, 300)}")

    def heal(self, name: str) -> None:
        """Turn a fault off."""
        self.fault(name, 0.0)

    def _start(self, system: System) -> DemoEndpoints:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="opsconsole-demo-"))
        source = self._playbook or find_playbook(system.name)
        playbook = compressed_copy(source, folder / system.name, self._compress)
        stack = read_stack(playbook, system)
        flags = folder / FILE_NAME
        write_flags(flags, flag_file(system.flags))
        start = time.time()
        totals = self._write_history(folder, system, playbook, stack, start) if self._backfill else None
        ports = self._start_app(folder, flags, start, totals)
        first = next(iter(ports.values()))
        receivers_on_loopback(playbook, f"http://127.0.0.1:{self._control}")
        probes_on_loopback(playbook, lambda host: f"http://127.0.0.1:{ports.get(host, first)}")
        alertmanager = self._start_alertmanager(playbook)
        prometheus = self._start_prometheus(folder, system, playbook, stack, ports, alertmanager)
        return DemoEndpoints(
            prometheus_url=f"http://127.0.0.1:{prometheus}",
            alertmanager_url=f"http://127.0.0.1:{alertmanager}",
            flags_file=flags,
            directory=folder,
            playbook=str(playbook),
            label=f"DEMO ({self._compress:g}x faster)" if self._compress != 1.0 else "DEMO",
            note=f"real servers; delays and rate windows of the playbook are divided by {self._compress:g}",
            control_url=f"http://127.0.0.1:{self._control}",
        )

    def _write_history(
        self, folder: Path, system: System, playbook: Path, stack: Mapping[str, Any], start: float
    ) -> Path:
        texts = [(playbook / name).read_text("utf-8") for name in ("playbook.yaml", "rules.yaml")]
        return write_history(
            system,
            folder,
            seed=self._seed,
            start=start,
            window=shortest_window(texts),
            extra=static_labels(stack, system),
            limit=self._ready_within,
        )

    def _child(self, name: str, command: list[str]) -> Child:
        assert self._folder is not None
        child = Child(name, command, self._folder / f"{name}.log", self._folder)
        self._children.append(child)
        return child

    def _start_app(self, folder: Path, flags: Path, start: float, totals: Path | None) -> dict[str, int]:
        """Start the application; the ports of its jobs."""
        ready = folder / "app.json"
        command = [sys.executable, "-P", "-m", "opsconsole.demo.app", "--system", self._system]
        command += [
            "--flags",
            str(flags),
            "--ready",
            str(ready),
            "--seed",
            str(self._seed),
            "--start",
            repr(start),
        ]
        command += ["--pace", repr(max(1.0, self._compress / 10.0))]
        if totals is not None:
            command += ["--totals", str(totals)]
        if self._release_after is not None:
            command += ["--release-after", str(self._release_after)]
        child = self._child("app", command)
        deadline = time.monotonic() + self._ready_within
        while not ready.exists():
            self._wait(child, deadline)
        found = json.loads(ready.read_text("utf-8"))
        self._control = found["control"]
        jobs: dict[str, int] = found["jobs"]
        return jobs

    def _start_alertmanager(self, playbook: Path) -> int:
        port = free_port()
        command = [
            "prometheus-alertmanager",
            f"--config.file={playbook / 'alertmanager.yaml'}",
            "--storage.path=alerts",
        ]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        self._until_ready(self._child("alertmanager", command), port)
        return port

    def _start_prometheus(
        self,
        folder: Path,
        system: System,
        playbook: Path,
        stack: Mapping[str, Any],
        ports: Mapping[str, int],
        alertmanager: int,
    ) -> int:
        port = free_port()
        config = on_loopback(
            stack,
            system,
            ports=ports,
            own={"prometheus": port, "alertmanager": alertmanager},
            rules=playbook / "rules.yaml",
            interval=None if self._compress == 1.0 else INTERVAL,
        )
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
        command += ["--storage.tsdb.retention.time=30d", f"--web.listen-address=127.0.0.1:{port}"]
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


def _need_programs() -> None:
    missing = missing_programs()
    if missing:
        packages = " ".join(sorted({PROGRAMS[name] for name in missing}))
        raise UsageError(
            f"not installed: {', '.join(missing)}",
            hint=f"apt install {packages}; or leave out --real, the embedded demo needs no server",
        )
    if importlib.util.find_spec("prometheus_client") is None:
        raise OpsError(
            "the simulated application needs the Python package prometheus-client",
            hint="pip install 'opsconsole[demo]'; or leave out --real",
        )


def _is_ready(port: int) -> bool:
    try:
        return _ask(port, "GET", "/-/ready")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _ask(port: int, method: str, path: str, data: object = None) -> tuple[int, str]:
    """Status and text of one request to a loopback port. Raises OSError and HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request(method, path, body=None if data is None else json.dumps(data).encode())
        reply = connection.getresponse()
        return reply.status, reply.read().decode("utf-8", "replace")
    finally:
        connection.close()
